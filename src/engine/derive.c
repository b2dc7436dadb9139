// SPDX-License-Identifier: Apache-2.0
// Derived values as the writer and the API see them: definitions in and out, settling a batch, slices, ticks.
#include "engine/derive_past.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/document.h"

#define TICK_DEFAULT NS_PER_S
#define SLICE_ROOM 2048 // records of the ring that are left for one more value

// ---- a world's plan -----------------------------------------------------------------------------------------------

static struct Derive *derive_of(Realm *r) {
    if (!r->derive) {
        r->derive = mem_alloc(sizeof *r->derive);
        arena_init(&r->derive->run.scratch, 4096);
        r->derive->run.fresh = UINT64_MAX;
    }
    return r->derive;
}

static void drop_plans(struct Derive *x) {
    derive_plan_free(x->now);
    derive_plan_free(x->next);
    x->now = x->next = NULL;
}

void derive_begin(Realm *r) {
    View v = view_writer(r->world);
    struct Derive *x = r->derive;
    if (!x && !v.catalog->doc_count) return;
    x = derive_of(r);
    x->run.fresh = view_meta(&v, META_ID_MAX) + 1;
    derive_plan_free(x->next);
    x->next = NULL;
    x->settled = false;
    if (x->now ? x->now->catalog == v.catalog : !v.catalog->doc_count) return;
    derive_plan_free(x->now);
    x->now = NULL;
    if (derive_plan(&v, &x->now, NULL)) x->now = NULL; // definitions were refused before they could do this
}

void derive_guard(Realm *r) {
    const struct Derive *x = r->derive;
    bool some = x && x->now && (x->now->unit_count || x->now->names_twins);
    world_guard(r->world, some ? &x->now->guard : NULL);
}

bool derive_settled(const Realm *r) { return !r->derive || r->derive->settled; }

void derive_keep(Realm *r) {
    struct Derive *x = r->derive;
    world_guard(r->world, NULL);
    if (!x) return;
    x->settled = false;
    if (x->run.past) derive_past_keep(x->run.past);
    if (!x->next) return;
    derive_plan_free(x->now);
    x->now = x->next;
    x->next = NULL;
}

void derive_forget(Realm *r) {
    world_guard(r->world, NULL);
    if (!r->derive) return;
    drop_plans(r->derive);
    if (r->derive->run.past) derive_past_forget(r->derive->run.past);
}

void derive_renew(Realm *r) {
    if (!r->derive) return;
    derive_past_free(r->derive->run.past);
    r->derive->run.past = NULL;
}

void derive_free(Realm *r) {
    if (!r->derive) return;
    drop_plans(r->derive);
    derive_run_free(&r->derive->run);
    mem_free(r->derive->again);
    mem_free(r->derive);
    r->derive = NULL;
}

// ---- settling -----------------------------------------------------------------------------------------------------

static Err too_large(Err err, Diag *d) {
    if (err != ERR_LIMIT || (d && d->count)) return err;
    return diag_add(d, err, -1, -1, (Str){0},
                    "with the derived values that follow from it the change is too large for "
                    "one batch");
}

// The plan of the world as the open batch leaves it, into x->next.
static Err plan_next(struct Derive *x, const View *v, Diag *d) {
    if (x->next && x->next->catalog == v->catalog) return ERR_OK;
    derive_plan_free(x->next);
    x->next = NULL;
    return derive_plan(v, &x->next, d);
}

// Where the tick has come to among the units that look at the clock.
typedef struct TickAt {
    int32_t unit;
    uint64_t row;
} TickAt;

// Mark up to n twins from `at` on; returns where the next begin.
static TickAt tick_mark(DeriveRun *x, DerivePlan *p, TickAt at, int64_t n) {
    for (; at.unit < p->unit_count; at.unit++, at.row = 0) {
        const DeriveUnit *u = &p->units[at.unit];
        uint64_t rows = u->clock ? view_table_rows(&x->view, u->table) : 0;
        for (; at.row < rows; at.row++) {
            TwinId twin = view_row_twin(&x->view, u->table, at.row);
            if (!twin.v || derive_unit_of(p, twin.v, u->col) != at.unit) continue;
            if (n-- == 0) return at;
            derive_mark_twin(x, p, at.unit, twin.v);
        }
    }
    return at;
}

void derive_again(Realm *r, uint64_t twin, uint32_t col) {
    struct Derive *x = derive_of(r);
    if (x->again_count == x->again_cap) {
        x->again_cap = x->again_cap ? 2 * x->again_cap : 64;
        x->again = mem_grow(x->again, (size_t)x->again_cap * sizeof *x->again);
    }
    x->again[x->again_count++] = (DeriveAgain){twin, col};
}

void derive_look_back(Realm *r, int64_t now) {
    bool asked = r->derive && r->derive->now && r->derive->now->looks_back && r->derive->run.past;
    if (asked) derive_past_fill(r->derive->run.past, r, now);
}

void derive_ticks(Realm *r) {
    if (r->derive) r->derive->ticks = true;
}

static void mark_again(struct Derive *x, DerivePlan *p, int64_t count, bool ticks) {
    if (ticks) (void)tick_mark(&x->run, p, (TickAt){0}, INT64_MAX);
    for (int64_t i = 0; i < count; i++) {
        int32_t unit = derive_unit_of(p, x->again[i].twin, x->again[i].col);
        if (unit >= 0 && view_twin_place(&x->run.view, (TwinId){x->again[i].twin}).alive)
            derive_mark_twin(&x->run, p, unit, x->again[i].twin);
    }
}

Err derive_settle(Sosia *e, Realm *r, Diag *d) {
    World *w = r->world;
    View v = view_writer(w);
    world_guard(w, NULL);
    DerivePlan *p = r->derive ? r->derive->now : NULL;
    if (r->derive) r->derive->settled = true;
    if (!p && !v.catalog->doc_count) return ERR_OK;
    struct Derive *x = derive_of(r);
    DeriveRun *run = &x->run;
    run->fork = r->scenario ? r : NULL;
    bool anew = !p || p->catalog != v.catalog;
    x->settled = true;
    int64_t again = x->again_count;
    bool ticks = x->ticks, more = again || (ticks && p && p->clock);
    x->again_count = 0;
    x->ticks = false;
    if (!anew && ((!p->unit_count && !p->names_twins) || (!world_touched(w) && !more))) return ERR_OK;
    if (!anew) {
        derive_run_begin(run, p, w, e->batch_time);
        mark_again(x, p, again, ticks);
        anew = derive_mark_batch(run, p, false);
        if (anew) derive_run_end(run, p);
    }
    if (anew) {
        TRY(plan_next(x, &v, d));
        p = x->next;
        derive_run_begin(run, p, w, e->batch_time);
        mark_again(x, p, again, ticks);
        (void)derive_mark_batch(run, p, true);
        derive_mark_new(run, p, x->now);
    }
    if (run->fork && run->past) derive_past_at_once(run->past, r, e->batch_time);
    Err err = derive_compute(run, p);
    derive_run_end(run, p);
    return too_large(err, d);
}

// ---- definitions in -----------------------------------------------------------------------------------------------

typedef struct Wanted {
    Str model, twin, property, expression;
} Wanted;

// The members of a definition. Errors: ARGUMENT.
static Err wanted_of(const Json *v, Str name, Wanted *out, Diag *d) {
    *out = (Wanted){.model = {0}};
    const struct {
        Str name;
        Str *to;
    } members[] = {{STR("model"), &out->model},
                   {STR("twin"), &out->twin},
                   {STR("property"), &out->property},
                   {STR("expression"), &out->expression}};
    if (!document_name_ok(name, DERIVED_NAME_MAX))
        return diag_add(d, ERR_ARGUMENT, -1, -1, (Str){0},
                        "the name of a derived value is 1 to %d letters, digits, '-', '_' and '.'", DERIVED_NAME_MAX);
    for (int32_t i = 0; v->type == JSON_OBJECT && i < v->count; i++) {
        const JsonMember *m = &v->members[i];
        size_t k = 0;
        while (k < 4 && !str_eq(members[k].name, m->key)) k++;
        if (str_eq(m->key, STR("name")) && m->value.type == JSON_STRING && str_eq(m->value.s, name)) continue;
        if (k == 4 || m->value.type != JSON_STRING)
            return diag_add(d, ERR_ARGUMENT, m->value.at, -1, (Str){0},
                            "\"%.*s\" is not a member of a derived value, or not a text", STR_ARG(m->key));
        *members[k].to = m->value.s;
    }
    if ((out->model.n > 0) == (out->twin.n > 0) || !out->property.n || !out->expression.n)
        return diag_add(d, ERR_ARGUMENT, v->at, -1, (Str){0},
                        "a derived value is {\"model\":\"dtmi:...\" or \"twin\":\"id\", \"property\":\"path\", "
                        "\"expression\":\"...\"}");
    return ERR_OK;
}

static void doc_member(Buf *out, const char *sep, const char *name, Str value) {
    buf_printf(out, "%s\"%s\":", sep, name);
    json_put_str(out, value);
}

static Str doc_of(const Wanted *k, Arena *a) {
    Buf out = {0};
    if (k->model.n) doc_member(&out, "{", "model", k->model);
    else doc_member(&out, "{", "twin", k->twin);
    doc_member(&out, ",", "property", k->property);
    doc_member(&out, ",", "expression", k->expression);
    buf_byte(&out, '}');
    Str s = arena_str(a, buf_str(&out));
    buf_free(&out);
    return s;
}

// What it is for is there, and nobody else computes it. Errors: MODEL_NOT_FOUND, TWIN_NOT_FOUND, ARGUMENT, LIMIT.
static Err check_subject(Realm *r, Str name, const Wanted *k, Str prefix, Diag *d) {
    View v = view_writer(r->world);
    int32_t count, first = catalog_docs(v.catalog, DERIVED_COLLECTION, &count);
    if (k->model.n && !schema_find(v.catalog->schema, k->model))
        return diag_add(d, ERR_MODEL_NOT_FOUND, -1, -1, k->model, "there is no model with the id %.*s",
                        STR_ARG(k->model));
    if (k->twin.n && !view_find_twin(&v, k->twin).v)
        return diag_add(d, ERR_TWIN_NOT_FOUND, -1, -1, k->twin, "there is no twin with the id \"%.*s\"",
                        STR_ARG(k->twin));
    bool there = false;
    for (int32_t i = first; i < first + count; i++) {
        const Doc *doc = v.catalog->docs[i];
        there = there || str_eq(doc->name, name);
        if (str_eq(doc->name, name) || !str_starts(doc->json, prefix)) continue;
        return diag_add(d, ERR_ARGUMENT, -1, -1, (Str){0}, "\"%.*s\" is derived by \"%.*s\" already",
                        STR_ARG(k->property), STR_ARG(doc->name));
    }
    if (!there && count >= DERIVED_MAX)
        return diag_add(d, ERR_LIMIT, -1, -1, (Str){0}, "a world has at most %d derived values", DERIVED_MAX);
    return ERR_OK;
}

// The definition holds for every model it is meant for. Errors: those of the plan, and its own.
static Err check_holds(Realm *r, Str name, Diag *d) {
    View v = view_writer(r->world);
    struct Derive *x = derive_of(r);
    TRY(plan_next(x, &v, d));
    for (int32_t i = 0; i < x->next->def_count; i++) {
        const DeriveDef *def = &x->next->defs[i];
        if (str_eq(def->name, name) && def->err)
            return diag_add(d, def->err, -1, -1, (Str){0}, "%.*s", STR_ARG(def->why));
    }
    return ERR_OK;
}

Err derive_put(Realm *r, Task *c, Diag *d) {
    Wanted k;
    View v = view_writer(r->world);
    TRY(wanted_of(&c->json, c->id, &k, d));
    Str json = doc_of(&k, &c->arena);
    int64_t expression = str_find_str(json, STR(",\"expression\":"));
    TRY(check_subject(r, c->id, &k, str_sub(json, 0, expression + 1), d));
    const Doc *was = catalog_doc(v.catalog, DERIVED_COLLECTION, c->id);
    c->created = was == NULL;
    if (was && str_eq(was->json, json)) return ERR_OK;
    TRY(document_do(r->world, DERIVED_COLLECTION, c->id, json, d));
    return check_holds(r, c->id, d);
}

Err derive_delete(Realm *r, const Task *c, Diag *d) {
    View v = view_writer(r->world);
    if (!c->id.n || !catalog_doc(v.catalog, DERIVED_COLLECTION, c->id))
        return diag_add(d, ERR_DERIVED_NOT_FOUND, -1, -1, c->id, "there is no derived value \"%.*s\"", STR_ARG(c->id));
    return document_do(r->world, DERIVED_COLLECTION, c->id, (Str){0}, d);
}

// ---- definitions out ----------------------------------------------------------------------------------------------

Err derive_show(View *v, Str id, Buf *out) {
    return document_show(v, DERIVED_COLLECTION, id, out) ? ERR_OK : ERR_DERIVED_NOT_FOUND;
}

// ---- slices -------------------------------------------------------------------------------------------------------

// A batch that computes and takes no edits. False: a commit failed.
static bool slice_begin(Sosia *e, Realm *r, int64_t *now) {
    if (!batch_room(e, r)) return false;
    batch_begin(e, r);
    world_guard(r->world, NULL);
    r->derive->settled = true;
    if (!*now) *now = e->batch_time;
    if (r->derive->now) derive_run_begin(&r->derive->run, r->derive->now, r->world, *now);
    return true;
}

// End the slice when it is full and begin another.
static bool slice_turn(Sosia *e, Realm *r, int64_t *now, bool force) {
    int64_t count;
    world_batch(r->world, &count);
    if (!force && count < DERIVE_SLICE && world_room(r->world) > SLICE_ROOM) return true;
    batch_end(e, r, STR("derived"), NULL);
    return slice_begin(e, r, now);
}

// One value, in a new slice when this one is full.
static Err sweep_twin(Sosia *e, Realm *r, const DeriveUnit *u, TwinId twin, uint64_t row, int64_t *now) {
    bool wrote;
    if (!slice_turn(e, r, now, false)) return e->fail_err;
    Err err = derive_one(&r->derive->run, u, twin.v, row, &wrote);
    if (err != ERR_LIMIT) return err;
    if (!slice_turn(e, r, now, true)) return e->fail_err;
    return derive_one(&r->derive->run, u, twin.v, row, &wrote);
}

static Err sweep_unit(Sosia *e, Realm *r, int32_t unit, int64_t *now) {
    DerivePlan *p = r->derive->now;
    const DeriveUnit *u = &p->units[unit];
    uint64_t rows = view_table_rows(&r->derive->run.view, u->table);
    for (uint64_t row = 0; row < rows; row++) {
        TwinId twin = view_row_twin(&r->derive->run.view, u->table, row);
        if (!twin.v || derive_unit_of(p, twin.v, u->col) != unit) continue;
        TRY(sweep_twin(e, r, u, twin, row, now));
    }
    return ERR_OK;
}

// All units by rank, so that each finds what it reads. A slice is open before and after, unless a commit failed: then
// the plan is gone too.
static Err sweep(Sosia *e, Realm *r, int64_t *now) {
    for (int32_t i = 0; r->derive->now && i < r->derive->now->unit_count; i++) TRY(sweep_unit(e, r, i, now));
    return ERR_OK;
}

// Behind the last value: the world is whole again.
static Err sweep_end(Sosia *e, Realm *r, int64_t *now) {
    if (!slice_turn(e, r, now, world_room(r->world) <= SLICE_ROOM)) return e->fail_err;
    TRY(document_do(r->world, DERIVE_COLLECTION, DERIVE_PENDING, (Str){0}, NULL));
    View v = view_writer(r->world);
    return plan_next(r->derive, &v, NULL);
}

Err derive_resume(Sosia *e, Realm *r) {
    int64_t now = 0;
    derive_begin(r);
    if (!r->derive || !r->derive->now || !r->derive->now->pending) return ERR_OK;
    if (!slice_begin(e, r, &now)) return e->fail_err;
    Err err = sweep(e, r, &now);
    if (!err) err = sweep_end(e, r, &now);
    if (!err) batch_end(e, r, STR("derived"), NULL);
    else if (r->derive->now) world_rollback(r->world); // else a commit failed, and no batch is open
    return err;
}

Err derive_in_slices(Sosia *e, Realm *r, Task *c, DeriveEdit edit, Diag *d) {
    if (!batch_room(e, r)) return e->fail_err;
    batch_begin(e, r);
    Err err = edit(r->world, r, c, d);
    if (!err) err = document_do(r->world, DERIVE_COLLECTION, DERIVE_PENDING, STR("true"), d);
    View v = view_writer(r->world);
    if (!err) err = plan_next(derive_of(r), &v, d);
    if (err) {
        world_rollback(r->world);
        return err;
    }
    r->derive->settled = true;
    batch_end(e, r, c->source, NULL);
    return derive_resume(e, r);
}

// ---- ticks --------------------------------------------------------------------------------------------------------

static bool has_clock(const Realm *r) { return r->derive && r->derive->now && r->derive->now->clock; }

// One batch of a tick: all that follows from the time for up to n values. *at moves on. False: stop.
static bool tick_batch(Sosia *e, Realm *r, TickAt *at, int64_t *n) {
    int64_t now = 0, count;
    if (!slice_begin(e, r, &now)) return false;
    DerivePlan *p = r->derive->now;
    DeriveRun *x = &r->derive->run;
    if (!p) {
        world_rollback(r->world);
        return false;
    }
    Err err = world_do(r->world, &(Change){.kind = CHANGE_TICK});
    TickAt next = tick_mark(x, p, *at, *n);
    if (!err) err = derive_compute(x, p);
    derive_run_end(x, p);
    world_batch(r->world, &count);
    if (err || count == 1) world_rollback(r->world);
    else batch_end(e, r, STR("timer"), NULL);
    if (!err) *at = next;
    else *n /= 2; // what follows from so many does not fit the ring
    return *n > 0 && at->unit < p->unit_count;
}

void derive_tick(Sosia *e, Realm *r) {
    TickAt at = {0};
    int64_t n = DERIVE_SLICE;
    derive_begin(r);
    if (!has_clock(r) || r->derive->now->pending) return;
    if (r->derive->run.past) derive_past_fill(r->derive->run.past, r, e->now(e->now_ctx));
    while (tick_batch(e, r, &at, &n)) {}
}

// Forks have clocks of their own, which no tick moves.
int64_t derive_tick_poll(Sosia *e) {
    int64_t every = e->tick_ns ? e->tick_ns : TICK_DEFAULT, now = time_mono_ns();
    if (every < 0) return INT64_MAX;
    bool due = now - e->tick_mono_ns >= every, some = has_clock(e->live);
    if (some && due && !atomic_load(&e->degraded)) derive_tick(e, e->live);
    if (due) e->tick_mono_ns = now;
    return !some ? INT64_MAX : due ? every : every - (now - e->tick_mono_ns);
}

// ---- verification -------------------------------------------------------------------------------------------------

static bool verify_one(View *v, const DerivePlan *p, const DeriveUnit *u, TwinId twin, uint64_t row, ExprRun run,
                       Buf *why) {
    Arena *scratch = run.scratch;
    ExprRow at = {twin.v, row};
    uint64_t bits;
    Str text;
    ExprValue x = expr_eval(u->bound, &run, &at);
    bool some = expr_cell(u->field, &x, scratch, &bits, &text), same;
    CellView c = view_cell(v, u->col, row);
    if (some && c.valid) same = cell_is_text(u->field->cell) ? text_eq(&c.text, text) : c.bits == bits;
    else same = some == c.valid;
    if (!same) {
        TwinView t = view_twin(v, twin);
        buf_printf(why, "%.*s.%.*s by \"%.*s\" stands as %s %016llx, computed from nothing it is %s %016llx %.*s",
                   STR_ARG(text_str(&t.name)), STR_ARG(u->field->path), STR_ARG(p->defs[u->def].name),
                   c.valid ? "a value" : "none", (unsigned long long)c.bits, some ? "a value" : "none",
                   (unsigned long long)bits, STR_ARG(text));
    }
    arena_reset(scratch);
    return same;
}

bool derive_verify(View *v, int64_t now, const ExprPast *past, Buf *why) {
    DerivePlan *p;
    Arena scratch;
    bool same = true;
    Err err = derive_plan(v, &p, NULL);
    if (err) {
        buf_printf(why, "no plan: %s", err_name(err));
        return false;
    }
    arena_init(&scratch, 4096);
    for (int32_t i = 0; i < p->unit_count && same; i++) {
        const DeriveUnit *u = &p->units[i];
        bool left_out = (u->clock && !now) || (u->looks_back && !past);
        uint64_t rows = left_out ? 0 : view_table_rows(v, u->table);
        ExprRun run = {.view = v, .now = now, .scratch = &scratch, .past = past};
        for (uint64_t row = 0; row < rows && same && !v->overrun; row++) {
            TwinId twin = view_row_twin(v, u->table, row);
            if (twin.v && derive_unit_of(p, twin.v, u->col) == i) same = verify_one(v, p, u, twin, row, run, why);
        }
    }
    arena_free(&scratch);
    derive_plan_free(p);
    return same;
}
