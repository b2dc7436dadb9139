// SPDX-License-Identifier: Apache-2.0
// sosia_merge: what the fork changed, chosen, handed to the writer; and what became of it, told.
#include "engine/merge.h"
#include "base/mem.h"
#include "codec/json.h"
#include "engine/erase.h"
#include "engine/pasts.h"

#define SHOWN_MAX 1000 // changes and conflicts of one answer

// ---- choosing -----------------------------------------------------------------------------------------------------

static bool within(Str path, Str property) {
    if (!property.n || str_eq(path, property)) return true;
    return path.n > property.n && str_starts(path, property) && path.p[property.n] == '.';
}

static bool chosen(const SosiaMerge *m, const DiffChange *c) {
    if (!m->only_count) return true;
    if (c->what == DIFF_MODEL || c->what == DIFF_DOCUMENT) return false;
    for (int32_t i = 0; i < m->only_count; i++) {
        const SosiaMergeOnly *o = &m->only[i];
        if (!str_eq(o->twin, c->name)) continue;
        if (!o->property.n) return true;
        if (c->what == DIFF_VALUE && !c->rid.n && within(c->field->path, o->property)) return true;
    }
    return false;
}

// ---- telling ------------------------------------------------------------------------------------------------------

static int64_t count(const struct Merge *m, MergeOutcome what) {
    int64_t n = 0;
    for (int64_t i = 0; i < m->count; i++) n += m->results[i].outcome == what;
    return n;
}

// The change as a diff shows it, with more members.
static void put_conflict(const DiffChange *c, const MergeResult *r, Buf *out) {
    diff_show(c, out);
    out->n--; // its '}'
    if (r->has_there) {
        buf_printf(out, ",\"there\":");
        diff_show_cell(c->field, &r->there, out);
    }
    buf_printf(out, ",\"why\":");
    json_put_str(out, str_of(r->why));
    buf_byte(out, '}');
}

static void put_some(const struct Merge *m, MergeOutcome what, Buf *out) {
    int64_t n = 0;
    for (int64_t i = 0; i < m->count && n < SHOWN_MAX; i++) {
        if (m->results[i].outcome != what) continue;
        if (n++) buf_byte(out, ',');
        if (what == MERGE_CONFLICT) put_conflict(&m->changes[i], &m->results[i], out);
        else diff_show(&m->changes[i], out);
    }
}

static void tell(const SosiaMerge *a, const struct Merge *m, bool kept, Buf *out) {
    buf_printf(out, "{\"world\":");
    json_put_str(out, a->world);
    buf_printf(out, ",\"into\":");
    json_put_str(out, a->into.n ? a->into : STR("live"));
    buf_printf(out, ",\"dryRun\":%s,\"done\":%s,\"merged\":%lld,\"same\":%lld,\"derived\":%lld,\"conflictCount\":%lld",
               a->dry_run ? "true" : "false", kept ? "true" : "false", (long long)count(m, MERGE_DONE),
               (long long)count(m, MERGE_SAME), (long long)count(m, MERGE_DERIVED), (long long)m->conflicts);
    buf_printf(out, ",\"conflicts\":[");
    put_some(m, MERGE_CONFLICT, out);
    buf_printf(out, "],\"changes\":[");
    put_some(m, MERGE_DONE, out);
    buf_printf(out, "]}");
}

// ---- a merge ------------------------------------------------------------------------------------------------------

static Err run(Sosia *s, const SosiaCaller *who, const SosiaMerge *a, struct Merge *m, SosiaOut *out) {
    Task *c = task_new(OP_MERGE, NULL, NULL, 256);
    c->epoch = m->epoch;
    c->world = arena_str(&c->arena, a->into);
    if (who) c->source = arena_str(&c->arena, who->principal);
    c->merge = m;
    Err err = task_wait(s, c, true);
    if (!err) err = c->err;
    bool told = err == ERR_OK || err == ERR_WORLD_CONFLICT;
    if (told) {
        out->seq = c->seq;
        tell(a, m, err == ERR_OK, &out->body);
        if (a->dry_run) err = ERR_OK;
        if (err)
            buf_printf(&out->message, "%lld of %lld changes are in conflict with what \"%.*s\" has; nothing was merged",
                       (long long)m->conflicts, (long long)(m->count - count(m, MERGE_LEFT)),
                       STR_ARG(a->into.n ? a->into : STR("live")));
    } else {
        buf_str_put(&out->message, c->message.n ? c->message : str_of(err_text(err)));
    }
    task_free(c);
    return err;
}

static Err merge(Sosia *s, const SosiaCaller *who, const SosiaMerge *a, uint64_t epoch, const Differ *d,
                 SosiaOut *out) {
    struct Merge m = {.changes = d->changes,
                      .count = d->count,
                      .epoch = epoch,
                      .ask = {.tolerance = a->tolerance, .relative = a->relative},
                      .dry_run = a->dry_run,
                      .skip_conflicts = a->skip_conflicts};
    m.results = mem_alloc((size_t)(d->count ? d->count : 1) * sizeof *m.results);
    arena_init(&m.arena, 4096);
    for (int64_t i = 0; i < d->count; i++)
        m.results[i] = (MergeResult){.outcome = chosen(a, &d->changes[i]) ? MERGE_SAME : MERGE_LEFT};
    Err err = run(s, who, a, &m, out);
    arena_free(&m.arena);
    mem_free(m.results);
    return err;
}

static Err check(const SosiaMerge *a, SosiaOut *out) {
    Str into = a->into.n ? a->into : STR("live");
    if (pasts_named(into)) {
        buf_printf(&out->message, "\"%.*s\" is the past and cannot be changed", STR_ARG(into));
        return ERR_READ_ONLY;
    }
    bool itself = str_eq(into, a->world.n ? a->world : STR("live"));
    if (a->tolerance >= 0 && a->relative >= 0 && !itself) return ERR_OK;
    if (itself) buf_printf(&out->message, "\"%.*s\" cannot be merged into itself: say another world", STR_ARG(into));
    else buf_printf(&out->message, "tolerances are not less than 0");
    return ERR_ARGUMENT;
}

// *again: something was erased meanwhile, and what was compared may tell of it.
static Err try(Sosia *s, const SosiaCaller *who, const SosiaMerge *a, SosiaOut *out, bool *again) {
    DiffSides x;
    Differ d;
    DiffAsk ask = {.tolerance = a->tolerance, .relative = a->relative};
    uint64_t epoch;
    buf_reset(&out->body);
    buf_reset(&out->message);
    TRY(erase_wait(s, &epoch));
    TRY(diff_sides(s, a->world, (Str){0}, &x, &out->message));
    Err err = differ_run(&d, x.before, x.after, &ask);
    if (!err) err = merge(s, who, a, epoch, &d, out);
    differ_free(&d);
    diff_sides_free(&x);
    *again = err == ERR_BUSY && erase_since(s, epoch);
    return err;
}

SosiaErr sosia_merge(Sosia *s, const SosiaCaller *who, const SosiaMerge *a, SosiaOut *out) {
    buf_reset(&out->body);
    buf_reset(&out->message);
    out->token[0] = 0;
    bool again = false;
    Err err = check(a, out);
    for (int i = 0; !err && (i == 0 || again) && i < ERASE_TRIES; i++) {
        again = false;
        err = try(s, who, a, out, &again);
        if (again && i + 1 < ERASE_TRIES) err = ERR_OK;
    }
    if (err && !out->message.n) buf_str_put(&out->message, str_of(err_text(err)));
    return (SosiaErr)err;
}
