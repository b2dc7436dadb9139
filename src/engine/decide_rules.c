// SPDX-License-Identifier: Apache-2.0
// Rules of live: which twins they look at, and when. A condition is evaluated for twins that a batch touched; one that
// looks at other twins, or at the time, for all twins of the rule, once a second at most and for a tenth of the time at
// most. What breaks and holds again between two looks is not seen.
#include "engine/decide_inner.h"
#include <stdlib.h>
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/definition.h"
#include "engine/expr_past.h"

#define BATCHES 256      // taken from the feed between two looks
#define SLICE 4096       // twins evaluated in one view
#define VISITS_MAX 20000 // relationships looked at for one twin
#define WIDE_NS NS_PER_S // between two looks at all twins
#define BEGUN_MAX 16     // proposals of a rule between two looks at mail

static void twins_add(Twins *t, uint64_t twin, int64_t time_ns) {
    if (t->count == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 64;
        t->items = mem_grow(t->items, (size_t)t->cap * sizeof *t->items);
    }
    t->items[t->count++] = (Touch){twin, time_ns};
}

static int by_number(const void *a, const void *b) {
    const Touch *x = a, *y = b;
    if (x->twin != y->twin) return x->twin < y->twin ? -1 : 1;
    return (x->time_ns < y->time_ns) - (x->time_ns > y->time_ns);
}

static int by_time(const void *a, const void *b) {
    const Touch *x = a, *y = b;
    if (x->time_ns != y->time_ns) return x->time_ns < y->time_ns ? -1 : 1;
    return (x->twin > y->twin) - (x->twin < y->twin);
}

// Each once, when it was touched last, in order of time.
static void twins_sort(Twins *t) {
    int64_t n = 0;
    if (!t->count) return;
    qsort(t->items, (size_t)t->count, sizeof *t->items, by_number);
    for (int64_t i = 0; i < t->count; i++)
        if (!n || t->items[i].twin != t->items[n - 1].twin) t->items[n++] = t->items[i];
    t->count = n;
    qsort(t->items, (size_t)n, sizeof *t->items, by_time);
}

// ---- one rule -----------------------------------------------------------------------------------------------------

static void watcher_free(Watcher *w) {
    trigger_free(&w->trigger);
    mem_free(w->touched.items);
    arena_free(&w->bounds);
    arena_free(&w->keep);
    mem_free(w);
}

// NULL: it cannot be read, and does nothing.
static Watcher *watcher_new(Str name, Str json) {
    Watcher *w = mem_alloc(sizeof *w);
    arena_init(&w->keep, 1024);
    arena_init(&w->bounds, 1024);
    w->name = arena_str(&w->keep, name);
    w->json = arena_str(&w->keep, json);
    Json *v = NEW(&w->keep, Json, 1);
    Err err = json_parse(w->json, NULL, &w->keep, v, NULL);
    if (!err) err = rule_of(&w->keep, v, w->name, &w->rule, NULL);
    if (!err) err = expr_parse(&w->keep, w->rule.when, &w->expr, NULL);
    trigger_init(&w->trigger, w->rule.for_ns, w->rule.again_ns, w->rule.most_per_hour);
    if (!err) return w;
    watcher_free(w);
    return NULL;
}

// When it acted before, by the records.
static void restore(Decider *x, Watcher *w, View *v) {
    for (int32_t i = 0; i < x->count; i++) {
        const Deed *d = x->deeds[i];
        if (!w->rule.again_ns && d->state == DECISION_FAILED && !d->sent_ns) continue; // it has led to nothing
        TwinId twin = !d->asked && str_eq(d->rule, w->name) ? view_find_twin(v, d->twin) : (TwinId){0};
        if (twin.v) trigger_restore(&w->trigger, twin.v, d->at_ns);
    }
}

static int32_t read_hop(void *ctx, const ExprHop *hop) {
    (void)hop;
    ((Watcher *)ctx)->wide = true;
    return 0;
}

static void read_column(void *ctx, int32_t hop, bool link, uint32_t column, bool inside) {
    (void)column;
    (void)inside;
    if (hop >= 0 || link) ((Watcher *)ctx)->wide = true;
}

static bool meant(const Watcher *w, const Table *t) {
    return !t->removed && (!w->rule.model.n || model_is(t->model, w->rule.model));
}

// A model that the condition does not fit has no twins that are watched.
static void bind(Watcher *w, View *v) {
    const Catalog *c = v->catalog;
    arena_reset(&w->bounds);
    w->clock = w->wide = false;
    w->table_count = c->table_count;
    w->bound = NEW(&w->bounds, const Bound *, c->table_count + 1);
    w->twin = w->rule.twin.n ? view_find_twin(v, w->rule.twin).v : 0;
    for (int32_t i = 0; i < c->table_count; i++) {
        if (!meant(w, &c->tables[i])) continue;
        ExprSource *source = NEW(&w->bounds, ExprSource, 1);
        *source = (ExprSource){.kind = EXPR_TWIN, .table = (uint32_t)i};
        ExprScope scope = {.catalog = c, .sources = source, .count = 1, .bare_first = true};
        ExprReads reads = {.ctx = w, .hop = read_hop, .column = read_column};
        Bound *b = NULL;
        if (expr_bind(&w->bounds, &scope, w->expr, &b, NULL)) continue;
        expr_reads(b, &reads);
        w->clock |= reads.clock;
        w->bound[i] = b;
    }
    w->all = true;
}

// ---- all of them --------------------------------------------------------------------------------------------------

static void on_news(void *arg) {
    Decider *x = arg;
    pthread_mutex_lock(&x->lock);
    x->news = true;
    pthread_cond_signal(&x->wake);
    pthread_mutex_unlock(&x->lock);
}

static Watcher *find(Decider *x, Str name) {
    for (int32_t i = 0; i < x->watcher_count; i++)
        if (str_eq(x->watchers[i]->name, name)) return x->watchers[i];
    return NULL;
}

// Those of before whose definition is the same go on, with what they have seen.
static Err take_rules(View *v, void *ctx) {
    Decider *x = ctx;
    if (x->catalog == v->catalog && x->since == v->catalog->since) return ERR_OK;
    int32_t count, kept = 0, first = catalog_docs(v->catalog, RULES_COLLECTION, &count);
    Watcher **all = mem_alloc((size_t)(count + 1) * sizeof(Watcher *));
    for (int32_t i = first; i < first + count; i++) {
        const Doc *doc = v->catalog->docs[i];
        Watcher *w = find(x, doc->name);
        bool same = w && str_eq(w->json, doc->json);
        if (!same) w = watcher_new(doc->name, doc->json);
        if (!w) continue;
        if (!same) restore(x, w, v);
        w->kept = true;
        bind(w, v);
        all[kept++] = w;
    }
    for (int32_t i = 0; i < x->watcher_count; i++)
        if (!x->watchers[i]->kept) watcher_free(x->watchers[i]);
    for (int32_t i = 0; i < kept; i++) all[i]->kept = false;
    mem_free(x->watchers);
    x->watchers = all;
    x->watcher_count = kept;
    x->catalog = v->catalog;
    x->since = v->catalog->since;
    return ERR_OK;
}

// Follow live, and look at everything, as nobody knows what was before.
static void follow(Decider *x) {
    if (sosia_feed_open(x->engine, NULL, STR("live"), 0, &x->feed, NULL)) return;
    sosia_feed_notify(x->feed, on_news, x);
    for (int32_t i = 0; i < x->watcher_count; i++) x->watchers[i]->all = true;
}

static void look_at_rules(Decider *x) {
    if (engine_read_realm(x->engine->live, NULL, take_rules, x, NULL)) on_news(x); // again
    if (x->watcher_count && !x->feed) follow(x);
    if (x->watcher_count || !x->feed) return;
    sosia_feed_close(x->feed);
    x->feed = NULL;
}

bool rules_stand(Decider *x, Str name, Str json) {
    look_at_rules(x);
    const Watcher *w = find(x, name);
    return w && str_eq(w->json, json);
}

void rules_free(Decider *x) {
    for (int32_t i = 0; i < x->watcher_count; i++) watcher_free(x->watchers[i]);
    mem_free(x->watchers);
    mem_free(x->seen.items);
}

// ---- batches ------------------------------------------------------------------------------------------------------

// Whose twins these are.
static Err spread(View *v, void *ctx) {
    Decider *x = ctx;
    for (int64_t i = 0; i < x->seen.count && !v->overrun; i++) {
        uint64_t twin = x->seen.items[i].twin;
        TwinView at = view_twin_place(v, (TwinId){twin});
        for (int32_t k = 0; k < x->watcher_count; k++) {
            Watcher *w = x->watchers[k];
            if (!at.alive) trigger_drop(&w->trigger, twin);
            else if (at.table < (uint32_t)w->table_count && w->bound[at.table] && !w->all &&
                     (!w->rule.twin.n || w->twin == twin))
                twins_add(&w->touched, twin, x->seen.items[i].time_ns);
        }
    }
    return ERR_OK;
}

static void take_batch(Decider *x, const SosiaBatch *b) {
    bool named = false;
    for (int64_t i = 0; i < b->count; i++) {
        const SosiaChange *c = &b->changes[i];
        if (c->twin_no) twins_add(&x->seen, c->twin_no, b->time_ns);
        named |= c->what == SOSIA_EV_TWIN_PUT || c->what == SOSIA_EV_TWIN_DELETE;
    }
    for (int32_t k = 0; k < x->watcher_count; k++) {
        Watcher *w = x->watchers[k];
        w->stale = true;
        if (named && w->rule.twin.n) w->all = true; // another twin may have the name now
    }
}

// What happened since the last look. More than is kept: everything is looked at.
static void pump(Decider *x) {
    SosiaBatch b;
    x->seen.count = 0;
    for (int i = 0; x->feed && i < BATCHES; i++) {
        SosiaErr err = sosia_feed_next(x->feed, 0, &b);
        if (err == SOSIA_GONE || err == SOSIA_CORRUPT) {
            sosia_feed_close(x->feed);
            x->feed = NULL;
            follow(x);
        }
        if (err || !b.seq) break;
        take_batch(x, &b);
        if (i == BATCHES - 1) on_news(x);
    }
    if (!x->seen.count) return;
    twins_sort(&x->seen);
    if (!engine_read_realm(x->engine->live, NULL, spread, x, NULL)) return;
    for (int32_t i = 0; i < x->watcher_count; i++) x->watchers[i]->all = true;
}

// ---- conditions ---------------------------------------------------------------------------------------------------

typedef struct Looking {
    Decider *x;
    Watcher *w;
    const Touch *twins;
    int64_t n, now;
    const ExprPast *past;
    bool out[SLICE];
} Looking;

static bool holds(Looking *l, View *v, uint64_t twin, Err *failed) {
    const Watcher *w = l->w;
    TwinView at = view_twin_place(v, (TwinId){twin});
    if (!at.alive || at.table >= (uint32_t)w->table_count || !w->bound[at.table]) return false;
    ExprRun run = {.view = v, .now = l->now, .scratch = &l->x->scratch, .visited_max = VISITS_MAX, .past = l->past};
    ExprRow row = {twin, at.row};
    arena_reset(&l->x->scratch);
    bool yes = expr_test(w->bound[at.table], &run, &row) && run.visited <= VISITS_MAX;
    if (run.failed) *failed = run.failed;
    return yes;
}

static Err look_view(View *v, void *ctx) {
    Looking *l = ctx;
    Err failed = ERR_OK;
    if (l->x->catalog != v->catalog || l->x->since != v->catalog->since) return ERR_STALE; // bind first
    for (int64_t i = 0; i < l->n && !v->overrun; i++) l->out[i] = holds(l, v, l->twins[i].twin, &failed);
    return failed;
}

static void see(Watcher *w, uint64_t twin, bool yes, int64_t now) {
    Err err = trigger_see(&w->trigger, twin, yes, now);
    if (err && !w->full) LOG(RULE_FULL, STR_ARG(w->name), TRIGGER_TWINS_MAX);
    w->full = err != ERR_OK;
}

// False: the rules are to be bound again.
static bool look_at(Decider *x, Watcher *w, const Twins *t) {
    EnginePast past;
    Looking *l = mem_alloc(sizeof *l);
    Err err = ERR_OK;
    *l =
        (Looking){.x = x, .w = w, .now = engine_past_now(x->engine->live), .past = engine_past(&past, x->engine->live)};
    for (int64_t i = 0; i < t->count && !err; i += SLICE) {
        l->twins = t->items + i;
        l->n = t->count - i < SLICE ? t->count - i : SLICE;
        err = engine_read_realm(x->engine->live, NULL, look_view, l, NULL);
        for (int64_t k = 0; k < l->n && !err; k++) see(w, l->twins[k].twin, l->out[k], l->twins[k].time_ns);
    }
    mem_free(l);
    return err != ERR_STALE;
}

typedef struct Listing {
    const Watcher *w;
    int64_t now;
    Twins twins;
} Listing;

static Err list_view(View *v, void *ctx) {
    Listing *l = ctx;
    l->twins.count = 0;
    if (l->w->rule.twin.n) {
        TwinId twin = view_find_twin(v, l->w->rule.twin);
        if (twin.v) twins_add(&l->twins, twin.v, l->now);
        return ERR_OK;
    }
    for (int32_t t = 0; t < l->w->table_count && t < v->catalog->table_count; t++) {
        uint64_t rows = l->w->bound[t] ? view_table_rows(v, (uint32_t)t) : 0;
        for (uint64_t r = 0; r < rows && !v->overrun; r++) {
            TwinId twin = view_row_twin(v, (uint32_t)t, r);
            if (twin.v) twins_add(&l->twins, twin.v, l->now);
        }
    }
    return ERR_OK;
}

static bool look_at_all(Decider *x, Watcher *w, int64_t now) {
    Listing l = {.w = w, .now = now};
    int64_t since = time_mono_ns();
    bool ok = !engine_read_realm(x->engine->live, NULL, list_view, &l, NULL);
    if (ok && w->rule.twin.n) w->twin = l.twins.count ? l.twins.items[0].twin : 0;
    ok = ok && look_at(x, w, &l.twins);
    int64_t took = time_mono_ns() - since;
    w->look_ns = now + (10 * took > WIDE_NS ? 10 * took : WIDE_NS);
    w->stale = false;
    w->touched.count = 0;
    mem_free(l.twins.items);
    return ok;
}

static bool look(Decider *x, Watcher *w, int64_t now) {
    bool again = (w->clock || (w->wide && w->stale)) && now >= w->look_ns, ok = true;
    if (w->all || again) {
        ok = look_at_all(x, w, now);
        w->all = !ok;
        return ok;
    }
    ok = !w->touched.count || look_at(x, w, &w->touched);
    if (ok) w->touched.count = 0;
    else w->all = true;
    return ok;
}

// ---- acting -------------------------------------------------------------------------------------------------------

typedef struct Naming {
    uint64_t twin;
    Arena *a;
    Str name;
} Naming;

static Err name_view(View *v, void *ctx) {
    Naming *n = ctx;
    TwinView t = view_twin(v, (TwinId){n->twin});
    n->name = t.alive ? arena_str(n->a, text_str(&t.name)) : (Str){0};
    return ERR_OK;
}

// Something is proposed for that twin already, and not done yet.
static bool under_way(const Decider *x, const Watcher *w, Str twin) {
    for (int32_t i = x->count; i-- > 0;) {
        const Deed *d = x->deeds[i];
        if (d->state <= DECISION_SENDING && str_eq(d->rule, w->name) && str_eq(d->twin, twin)) return true;
    }
    return false;
}

static void act(Decider *x, Watcher *w, int64_t now) {
    TriggerHit hit;
    for (int i = 0; i < BEGUN_MAX && trigger_take(&w->trigger, now, &hit); i++) {
        Arena a;
        arena_init(&a, 512);
        Naming n = {hit.twin, &a, {0}};
        Err found = engine_read_realm(x->engine->live, NULL, name_view, &n, NULL);
        if (!found && n.name.n && !under_way(x, w, n.name)) {
            Deed *d = deed_new(x, w->name, w->json, n.name, hit.since_ns, now);
            Err err = act_begin(x, d);
            (void)err; // told in the log; the condition may set it off again
        }
        arena_free(&a);
    }
}

static bool take_flags(Decider *x) {
    pthread_mutex_lock(&x->lock);
    bool poked = x->poked;
    x->poked = x->news = false;
    pthread_mutex_unlock(&x->lock);
    return poked;
}

void rules_poll(Decider *x, int64_t now) {
    bool ok = true;
    if (take_flags(x) || x->feed) look_at_rules(x);
    pump(x);
    for (int32_t i = 0; i < x->watcher_count; i++) {
        ok &= look(x, x->watchers[i], now);
        act(x, x->watchers[i], now);
    }
    if (!ok) on_news(x);
}

int64_t rules_next(Decider *x) {
    int64_t next = INT64_MAX;
    for (int32_t i = 0; i < x->watcher_count; i++) {
        Watcher *w = x->watchers[i];
        int64_t due = trigger_next(&w->trigger);
        if ((w->clock || (w->wide && w->stale)) && w->look_ns < due) due = w->look_ns;
        if (due < next) next = due;
    }
    return next;
}

static Err say(Buf *why, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Err say(Buf *why, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(why);
    buf_vprintf(why, fmt, ap);
    va_end(ap);
    return err;
}

typedef struct Finding {
    const Watcher *w;
    Str twin;
    Err err;
} Finding;

static Err find_view(View *v, void *ctx) {
    Finding *f = ctx;
    TwinId twin = view_find_twin(v, f->twin);
    f->err = twin.v ? ERR_OK : ERR_TWIN_NOT_FOUND;
    if (!twin.v) return ERR_OK;
    const Table *t = &v->catalog->tables[view_twin_place(v, twin).table];
    bool fits = f->w->rule.twin.n ? str_eq(f->w->rule.twin, f->twin) : model_is(t->model, f->w->rule.model);
    if (!fits) f->err = ERR_VALIDATION;
    return ERR_OK;
}

Err rules_propose(Decider *x, Str rule, Str twin, Str by, uint64_t *id, Buf *why) {
    int64_t now = decider_now(x);
    look_at_rules(x);
    const Watcher *w = find(x, rule);
    if (!w) return say(why, ERR_DEFINITION_NOT_FOUND, "there is no rule \"%.*s\"", STR_ARG(rule));
    Finding f = {.w = w, .twin = twin.n ? twin : w->rule.twin};
    TRY(engine_read_realm(x->engine->live, NULL, find_view, &f, NULL));
    if (f.err == ERR_TWIN_NOT_FOUND) return say(why, f.err, "there is no twin with the id \"%.*s\"", STR_ARG(f.twin));
    if (f.err) return say(why, f.err, "rule \"%.*s\" is not for \"%.*s\"", STR_ARG(rule), STR_ARG(f.twin));
    Deed *d = deed_new(x, w->name, w->json, f.twin, now, now);
    d->work->x.by = arena_str(&d->work->keep, by.n ? by : STR("somebody"));
    if (d->work->x.mode == RULE_AUTO) d->work->x.mode = RULE_APPROVE;
    *id = d->id;
    TRY(act_begin(x, d));
    return ERR_OK;
}
