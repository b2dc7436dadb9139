// SPDX-License-Identifier: Apache-2.0
// sosia_diff: two worlds, frozen, compared; one page of what differs.
#include <stdio.h>
#include "base/check.h"
#include "codec/json.h"
#include "engine/differ.h"
#include "engine/pasts.h"
#include "engine/scenarios.h"

#define DIFF_PAGE_DEFAULT 1000
#define DIFF_PAGE_MAX 10000

// ---- the two sides ------------------------------------------------------------------------------------------------

// A frozen copy of a world, and of its base when that is wanted. Of the past: the world itself.
static Err freeze(Realm *r, bool base, Task **task, World **out) {
    if (r->past.is) {
        *out = r->world;
        return ERR_OK;
    }
    Task *c = *task = task_new(OP_SNAPSHOT, NULL, NULL, 0);
    c->realm = realm_ref(r);
    c->with_base = base;
    TRY(task_wait(r->engine, c, true));
    *out = c->fork;
    return c->err;
}

// The parent at the fork's instant, where nothing of it is kept in memory (erasures let go of that): of a fork of live
// the past, of a fork of a fork by the journals of its parents.
static Err made_base(Sosia *e, DiffSides *out) {
    Err err = scenario_base(e, out->realm->scenario, &out->under, &out->made);
    if (err) out->under = NULL;
    out->before = out->made;
    return err;
}

static Err sides(Sosia *e, Str world, Str against, DiffSides *out, Buf *why) {
    Err err = realm_get(e, world, &out->realm, NULL);
    if (!err && against.n) err = realm_get(e, against, &out->other, NULL);
    if (err) {
        Str name = out->realm ? against : world;
        if (pasts_named(name)) pasts_why(e, name, err, why);
        else buf_printf(why, "there is no world \"%.*s\"", STR_ARG(name));
        return err;
    }
    if (!against.n && !out->realm->parent.n) {
        buf_printf(why, "\"%.*s\" was not forked from anything: say what to compare it with", STR_ARG(world));
        return ERR_UNSUPPORTED;
    }
    TRY(freeze(out->realm, !against.n, &out->task, &out->after));
    if (!against.n) out->before = out->task->base;
    if (!against.n && !out->before && out->realm->scenario->parent) {
        err = made_base(e, out);
        if (err == ERR_GONE || err == ERR_PAST_GONE)
            buf_printf(why, "what \"%.*s\" was forked of is not kept any more: say what to compare it with",
                       STR_ARG(world));
        return err;
    }
    if (!against.n && !out->before) TRY(pasts_at(e, out->realm, out->realm->scenario->clock, &out->other));
    if (out->other) TRY(freeze(out->other, false, &out->other_task, &out->before));
    return ERR_OK;
}

Err diff_sides(Sosia *e, Str world, Str against, DiffSides *out, Buf *why) {
    *out = (DiffSides){0};
    Err err = sides(e, world, against, out, why);
    if (err) diff_sides_free(out);
    return err;
}

void diff_sides_free(DiffSides *s) {
    if (s->task) task_free(s->task);
    if (s->other_task) task_free(s->other_task);
    if (s->made) world_free(s->made);
    if (s->under) realm_unref(s->under);
    if (s->realm) realm_unref(s->realm);
    if (s->other) realm_unref(s->other);
    *s = (DiffSides){0};
}

// ---- a page -------------------------------------------------------------------------------------------------------

typedef struct Counts {
    int64_t values, twins_made, twins_deleted, links_made, links_deleted, models, documents;
} Counts;

static Counts count(const Differ *d) {
    Counts n = {0};
    for (int64_t i = 0; i < d->count; i++) {
        const DiffChange *c = &d->changes[i];
        switch (c->what) {
        case DIFF_MODEL: n.models++; break;
        case DIFF_DOCUMENT: n.documents++; break;
        case DIFF_TWIN: *(c->is ? &n.twins_made : &n.twins_deleted) += 1; break;
        case DIFF_LINK: *(c->is ? &n.links_made : &n.links_deleted) += 1; break;
        case DIFF_RETYPE:
        case DIFF_VALUE: n.values++; break;
        }
    }
    return n;
}

static void put_head(const SosiaDiff *a, const Differ *d, Buf *b) {
    Counts n = count(d);
    buf_printf(b, "{\"world\":");
    json_put_str(b, a->world);
    buf_printf(b, ",\"against\":");
    if (a->against.n) json_put_str(b, a->against);
    else buf_printf(b, "null");
    buf_printf(b,
               ",\"counts\":{\"values\":%lld,\"twinsMade\":%lld,\"twinsDeleted\":%lld,\"relationshipsMade\":%lld,"
               "\"relationshipsDeleted\":%lld,\"models\":%lld,\"documents\":%lld},\"changes\":[",
               (long long)n.values, (long long)n.twins_made, (long long)n.twins_deleted, (long long)n.links_made,
               (long long)n.links_deleted, (long long)n.models, (long long)n.documents);
}

static void scope_of(const SosiaDiff *a, Buf *out) {
    const Str parts[] = {a->world, a->against, a->model, a->twin, a->property};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buf_varint(out, (uint64_t)parts[i].n);
        buf_str_put(out, parts[i]);
    }
    buf_printf(out, "%a %a", a->tolerance, a->relative);
}

static Err page(const SosiaDiff *a, const Differ *d, SosiaOut *out) {
    Buf scope = {0};
    scope_of(a, &scope);
    uint64_t from = 0;
    Err err = ERR_OK;
    if (a->token.n && token_parse(a->token, 'd', buf_str(&scope), (Str){0}, &from)) err = ERR_TOKEN;
    int64_t limit = a->limit > 0 ? a->limit : DIFF_PAGE_DEFAULT;
    if (limit > DIFF_PAGE_MAX) limit = DIFF_PAGE_MAX;
    out->token[0] = 0;
    if (!err) {
        put_head(a, d, &out->body);
        int64_t i = (int64_t)from;
        for (int64_t left = limit; i < d->count && left > 0; i++, left--) {
            if (i > (int64_t)from) buf_byte(&out->body, ',');
            diff_show(&d->changes[i], &out->body);
        }
        if (i < d->count) token_print('d', (uint64_t)i, buf_str(&scope), (Str){0}, out->token);
        buf_printf(&out->body, "]}");
    }
    buf_free(&scope);
    return err;
}

static void explain(Err err, Buf *why) {
    if (err == ERR_LIMIT)
        buf_printf(why, "more than %d differences: ask for one model, twin or property", DIFF_CHANGES_MAX);
    else if (!why->n) buf_str_put(why, str_of(err_text(err)));
}

SosiaErr sosia_diff(Sosia *s, const SosiaCaller *who, const SosiaDiff *a, SosiaOut *out) {
    (void)who;
    buf_reset(&out->body);
    buf_reset(&out->message);
    DiffSides x;
    Err err = a->tolerance >= 0 && a->relative >= 0 ? ERR_OK : ERR_ARGUMENT;
    if (err) buf_printf(&out->message, "a tolerance is not less than 0");
    if (!err) err = diff_sides(s, a->world, a->against, &x, &out->message);
    if (err) {
        explain(err, &out->message);
        return (SosiaErr)err;
    }
    Differ d;
    DiffAsk ask = {a->model, a->twin, a->property, a->tolerance, a->relative};
    out->seq = world_seq(x.after);
    err = differ_run(&d, x.before, x.after, &ask);
    if (!err) err = page(a, &d, out);
    differ_free(&d);
    diff_sides_free(&x);
    if (err) explain(err, &out->message);
    return (SosiaErr)err;
}
