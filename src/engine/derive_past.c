// SPDX-License-Identifier: Apache-2.0
#include "engine/derive_past.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/expr_past.h"

#define FILL_NS (20 * NS_PER_MS) // at one tick
#define SLOTS_MIN 64

// A value as it came, or the news that it was taken away.
typedef struct Past {
    int64_t time; // own
    uint64_t seq; // of its batch; 0: from history
    uint64_t bits;
    Str text; // owned
    bool valid;
    ExprMean *mean; // owned; NULL, or what is kept of values that were let go
} Past;

// One property of one twin or relationship. Values ascend by own time, those of one time by arrival.
typedef struct Window {
    uint64_t id, since; // batch from which on every change is here
    uint32_t col;
    bool filled, wanted, over;
    Past *v;
    int32_t n, cap;
    int64_t lost; // own time of the newest value that was let go; INT64_MIN: none
} Window;

struct DerivePast {
    ExprPast expr;
    const DerivePlan *plan;
    const World *world;
    Window **slots; // open addressing; cap a power of two
    int64_t cap, count, values;
    int64_t *spans; // by column: 0 none
    uint64_t *since;
    uint32_t columns;
    Window **wanted, **touched;
    int64_t wanted_count, wanted_cap, touched_count, touched_cap;
    uint64_t seq, fresh; // of the batch being computed
    // Filling while it is; until 0: no.
    EnginePast past;
    uint64_t visible;
    int64_t now, until;
};

// ---- windows by column and id -------------------------------------------------------------------------------------

static uint64_t hash_of(uint32_t col, uint64_t id) {
    uint64_t h = (id ^ (uint64_t)col << 40) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static Window **slot_of(const DerivePast *p, uint32_t col, uint64_t id) {
    uint64_t mask = (uint64_t)p->cap - 1, at = hash_of(col, id) & mask;
    while (p->slots[at] && (p->slots[at]->col != col || p->slots[at]->id != id)) at = (at + 1) & mask;
    return &p->slots[at];
}

static void resize(DerivePast *p, int64_t cap) {
    Window **old = p->slots;
    int64_t n = p->cap;
    p->cap = cap;
    p->slots = mem_alloc((size_t)cap * sizeof *p->slots);
    for (int64_t i = 0; i < n; i++)
        if (old[i]) *slot_of(p, old[i]->col, old[i]->id) = old[i];
    mem_free(old);
}

static Window *window_of(DerivePast *p, uint32_t col, uint64_t id) {
    if (2 * p->count >= p->cap) resize(p, p->cap ? 2 * p->cap : SLOTS_MIN);
    Window **slot = slot_of(p, col, id), *w = *slot;
    if (!w) {
        w = *slot = mem_alloc(sizeof *w);
        *w = (Window){.id = id, .col = col, .since = p->since[col], .lost = INT64_MIN};
        p->count++;
    }
    if (id >= p->fresh && w->n == 0 && w->since <= p->seq) w->filled = true; // it has no past
    return w;
}

static void free_values(Past *v, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        mem_free((void *)(uintptr_t)v[i].text.p);
        mem_free(v[i].mean);
    }
}

static void drop_first(DerivePast *p, Window *w, int32_t n) {
    if (n == 0) return;
    free_values(w->v, n);
    w->n -= n;
    p->values -= n;
    memmove(w->v, w->v + n, (size_t)w->n * sizeof *w->v);
}

static void free_window(DerivePast *p, Window *w) {
    drop_first(p, w, w->n);
    mem_free(w->v);
    mem_free(w);
    p->count--;
}

// Let go of all windows for which `gone` holds. They are on no list.
static void sweep(DerivePast *p, bool (*gone)(void *ctx, const Window *w), void *ctx) {
    Window **old = p->slots;
    int64_t n = p->cap, live = 0;
    CHECK(p->touched_count == 0);
    p->wanted_count = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!old[i]) continue;
        if (gone(ctx, old[i])) {
            free_window(p, old[i]);
            continue;
        }
        old[live++] = old[i];
    }
    p->slots = NULL;
    p->cap = 0;
    if (live) {
        int64_t cap = SLOTS_MIN;
        while (cap < 4 * live) cap *= 2;
        resize(p, cap);
    }
    for (int64_t i = 0; i < live; i++) {
        old[i]->wanted = false;
        *slot_of(p, old[i]->col, old[i]->id) = old[i];
    }
    mem_free(old);
}

// ---- values -------------------------------------------------------------------------------------------------------

static Str owned(Str s) {
    if (!s.n) return (Str){0};
    char *p = mem_alloc((size_t)s.n);
    memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

static void insert(DerivePast *p, Window *w, const Past *v) {
    if (w->n == w->cap) {
        w->cap = w->cap ? 2 * w->cap : 8;
        w->v = mem_grow(w->v, (size_t)w->cap * sizeof *w->v);
    }
    int32_t at = w->n;
    while (at > 0 && w->v[at - 1].time > v->time) at--;
    memmove(w->v + at + 1, w->v + at, (size_t)(w->n - at) * sizeof *w->v);
    w->v[at] = *v;
    w->n++;
    p->values++;
}

// Let go of what nobody can ask for any more at `now`: all before the value that stood at the start of the span. And of
// the oldest when there are too many.
static void trim(DerivePast *p, Window *w, int64_t now) {
    int64_t from;
    int32_t n = 0;
    if (__builtin_sub_overflow(now, p->spans[w->col], &from)) from = INT64_MIN;
    while (n + 1 < w->n && w->v[n + 1].time <= from) n++;
    // In one go when it pays.
    if (n > 16 || n == w->n - 1) drop_first(p, w, n);
    if (w->n <= DERIVE_WINDOW_MAX) return;
    n = w->n - DERIVE_WINDOW_MAX + DERIVE_WINDOW_MAX / 16;
    w->lost = w->v[n - 1].time;
    drop_first(p, w, n);
}

static void touch(DerivePast *p, Window *w) {
    if (p->touched_count == p->touched_cap) {
        p->touched_cap = p->touched_cap ? 2 * p->touched_cap : 64;
        p->touched = mem_grow(p->touched, (size_t)p->touched_cap * sizeof *p->touched);
    }
    p->touched[p->touched_count++] = w;
}

static void record(DerivePast *p, uint32_t col, uint64_t id, Past v) {
    Window *w = window_of(p, col, id);
    if (p->seq < w->since) return; // history will tell
    touch(p, w);
    v.seq = p->seq;
    v.text = owned(v.text);
    insert(p, w, &v);
    trim(p, w, world_time(p->world));
}

// What a batch that did not last brought.
static void undo(DerivePast *p) {
    for (int64_t i = 0; i < p->touched_count; i++) {
        Window *w = p->touched[i];
        int32_t n = 0;
        for (int32_t k = 0; k < w->n; k++) {
            if (w->v[k].seq == p->seq) mem_free((void *)(uintptr_t)w->v[k].text.p);
            else w->v[n++] = w->v[k];
        }
        p->values -= w->n - n;
        w->n = n;
        if (w->id >= p->fresh) w->filled = false;
    }
    p->touched_count = 0;
}

// ---- batches ------------------------------------------------------------------------------------------------------

static bool is_always(void *ctx, const Window *w) {
    (void)ctx;
    (void)w;
    return true;
}

// Does the column begin to be kept with this plan, or end, or go further back?
static bool is_new(void *ctx, const Window *w) {
    DerivePast *p = ctx;
    return w->col >= p->columns || p->since[w->col] == p->seq || !p->spans[w->col];
}

static void take_plan(DerivePast *p, DerivePlan *plan) {
    int64_t *spans = mem_alloc((size_t)(plan->columns + 1) * sizeof *spans);
    uint64_t *since = mem_alloc((size_t)(plan->columns + 1) * sizeof *since);
    for (uint32_t c = 0; c < plan->columns; c++) {
        int64_t was = c < p->columns ? p->spans[c] : 0;
        spans[c] = plan->spans[c];
        since[c] = was && was >= spans[c] ? p->since[c] : p->seq;
        if (was > spans[c] && spans[c]) spans[c] = was; // there is more already
    }
    mem_free(p->spans);
    mem_free(p->since);
    p->spans = spans;
    p->since = since;
    p->columns = plan->columns;
    p->plan = plan;
    plan->past_taken = true;
    sweep(p, is_new, p);
}

void derive_past_begin(DerivePast *p, DerivePlan *plan, const World *w, uint64_t fresh) {
    undo(p);
    p->world = w;
    p->seq = world_seq(w);
    p->fresh = fresh;
    p->until = 0;
    if (p->plan != plan || !plan->past_taken) take_plan(p, plan);
}

static bool is_kept(const DerivePast *p, uint32_t col) { return col < p->columns && p->spans[col] > 0; }

// Values that moved along with a twin to another model came by this batch, as history has it.
static void take_moved(DerivePast *p, const Change *c) {
    const Catalog *cat = p->plan->catalog;
    if (c->col >= (uint32_t)cat->table_count) return;
    const Table *t = &cat->tables[c->col];
    for (int32_t i = 0; i < t->model->field_count; i++) {
        uint32_t col = t->first + (uint32_t)i;
        if (!is_kept(p, col)) continue;
        Window *w = window_of(p, col, c->id);
        drop_first(p, w, w->n);
        w->filled = false;
        w->since = p->seq + 1;
    }
}

// A column, and what lies inside of it.
static void take_unset(DerivePast *p, const Change *c) {
    const Table *t;
    const LinkKind *k;
    const Field *f = catalog_field(p->plan->catalog, c->col, &t, &k);
    uint32_t end = f ? (t ? t->first : k->first) + (uint32_t)f->end : c->col;
    for (uint32_t col = c->col; col < end; col++)
        if (is_kept(p, col)) record(p, col, c->id, (Past){.time = world_time(p->world)});
}

void derive_past_change(DerivePast *p, const Change *c) {
    switch (c->kind) {
    case CHANGE_SET:
    case CHANGE_LATE:
    case CHANGE_LINK_SET: {
        int64_t own = c->source_time ? c->source_time : world_time(p->world);
        if (is_kept(p, c->col))
            record(p, c->col, c->id, (Past){.time = own, .bits = c->bits, .text = c->text, .valid = true});
        break;
    }
    case CHANGE_UNSET:
    case CHANGE_LINK_UNSET: take_unset(p, c); break;
    case CHANGE_TWIN_MODEL: take_moved(p, c); break;
    default: break;
    }
}

void derive_past_keep(DerivePast *p) { p->touched_count = 0; }

void derive_past_forget(DerivePast *p) {
    p->touched_count = 0;
    p->columns = 0;
    p->plan = NULL;
    sweep(p, is_always, NULL);
}

// ---- for the evaluator --------------------------------------------------------------------------------------------

static void want(DerivePast *p, Window *w) {
    if (w->wanted) return;
    w->wanted = true;
    if (p->wanted_count == p->wanted_cap) {
        p->wanted_cap = p->wanted_cap ? 2 * p->wanted_cap : 64;
        p->wanted = mem_grow(p->wanted, (size_t)p->wanted_cap * sizeof *p->wanted);
    }
    p->wanted[p->wanted_count++] = w;
}

static bool fill(DerivePast *p, Window *w, View *v, EnginePast *past, int64_t now);

static void fill_at_once(DerivePast *p, Window *w, View *v) {
    bool known = p->until && w->since <= p->visible + 1;
    if (known && time_mono_ns() < p->until) (void)fill(p, w, v, &p->past, p->now);
}

static Err moments(void *ctx, View *v, const ExprReach *r, bool (*fn)(void *arg, const ExprMoment *m), void *arg) {
    DerivePast *p = ctx;
    int32_t i = 0;
    if (!is_kept(p, r->column)) return ERR_BUSY;
    Window *w = window_of(p, r->column, r->id);
    if (!w->filled) fill_at_once(p, w, v);
    if (!w->filled) {
        want(p, w);
        return w->over ? ERR_LIMIT : ERR_BUSY;
    }
    if (w->lost > r->from) return ERR_LIMIT;
    if (r->to >= world_time(p->world)) trim(p, w, r->to);
    while (i + 1 < w->n && w->v[i + 1].time <= r->from) i++;
    for (; i < w->n && w->v[i].time <= r->to; i++) {
        const Past *x = &w->v[i];
        ExprMoment m = {.time = x->time, .valid = x->valid, .bits = x->bits, .text = x->text, .mean = x->mean};
        if (m.time <= r->from && x->mean && x->mean->to <= r->from + 1) m.mean = NULL; // its last value stands
        if (m.time <= r->from && !m.valid) continue;
        if (!x->mean && i + 1 < w->n && w->v[i + 1].time == x->time) continue; // of one time the last one counts
        if (m.time < r->from) m.time = r->from;
        if (!fn(arg, &m)) break;
    }
    return ERR_OK;
}

const ExprPast *derive_past_expr(DerivePast *p) { return &p->expr; }

// ---- filling ------------------------------------------------------------------------------------------------------

typedef struct Fill {
    DerivePast *p;
    Window *w;
    Past *v;
    int32_t n, cap;
} Fill;

static bool take_old(void *arg, const ExprMoment *m) {
    Fill *f = arg;
    if (m->mean && !m->mean->count) { // values were let go, and nobody knows them
        if (m->mean->to - 1 > f->w->lost) f->w->lost = m->mean->to - 1;
        return true;
    }
    if (f->n == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 64;
        f->v = mem_grow(f->v, (size_t)f->cap * sizeof *f->v);
    }
    f->v[f->n] = (Past){.time = m->time, .bits = m->bits, .text = owned(m->text), .valid = m->valid};
    if (m->mean) {
        f->v[f->n].mean = mem_alloc(sizeof *m->mean);
        *f->v[f->n].mean = *m->mean;
    }
    f->n++;
    if (f->n < 2 * DERIVE_WINDOW_MAX) return true;
    int32_t half = DERIVE_WINDOW_MAX; // the newer half stays
    f->w->lost = f->v[half - 1].time;
    free_values(f->v, half);
    memmove(f->v, f->v + half, (size_t)(f->n - half) * sizeof *f->v);
    f->n -= half;
    return true;
}

// What came before goes before what came since, of one time too.
static void merge(DerivePast *p, Window *w, Fill *f) {
    Past *all = mem_alloc((size_t)(f->n + w->n + 1) * sizeof *all);
    int32_t n = 0, i = 0, k = 0;
    while (i < f->n || k < w->n)
        all[n++] = k == w->n || (i < f->n && f->v[i].time <= w->v[k].time) ? f->v[i++] : w->v[k++];
    mem_free(w->v);
    mem_free(f->v);
    p->values += f->n;
    w->v = all;
    w->n = n;
    w->cap = f->n + k + 1;
    w->filled = true;
    w->over = false;
}

// False: history cannot tell now.
static bool fill(DerivePast *p, Window *w, View *v, EnginePast *past, int64_t now) {
    Fill f = {.p = p, .w = w};
    const Table *t;
    const LinkKind *k;
    ExprReach reach = {.id = w->id, .column = w->col, .to = INT64_MAX - 1};
    const Field *field = catalog_field(v->catalog, w->col, &t, &k);
    TwinView twin = t ? view_twin_place(v, (TwinId){w->id}) : (TwinView){0};
    if (!field || (t && (!twin.alive || &v->catalog->tables[twin.table] != t))) return true; // swept
    reach.kind = t ? EXPR_TWIN : EXPR_LINK;
    reach.row = t ? twin.row : w->id;
    if (__builtin_sub_overflow(now, p->spans[w->col], &reach.from)) reach.from = INT64_MIN;
    past->before = w->since;
    w->over = p->values > DERIVE_VALUES_MAX - DERIVE_WINDOW_MAX;
    if (w->over) return true;
    Err err = past->history ? past->expr.moments(past->expr.ctx, v, &reach, take_old, &f) : ERR_OK;
    if (err && err != ERR_PAST_GONE) {
        free_values(f.v, f.n);
        mem_free(f.v);
        return false;
    }
    merge(p, w, &f);
    trim(p, w, now);
    return true;
}

static bool is_gone(void *ctx, const Window *w) {
    View *v = ctx;
    const Table *t;
    const LinkKind *k;
    if (!catalog_field(v->catalog, w->col, &t, &k)) return true;
    if (!t) return !view_link(v, (LinkId){w->id}).alive;
    TwinView twin = view_twin_place(v, (TwinId){w->id});
    return !twin.alive || &v->catalog->tables[twin.table] != t;
}

void derive_past_at_once(DerivePast *p, Realm *r, int64_t now) {
    if (!engine_past(&p->past, r)) return;
    p->visible = world_visible(r->world);
    p->now = now;
    p->until = time_mono_ns() + FILL_NS;
}

void derive_past_fill(DerivePast *p, Realm *r, int64_t now) {
    int64_t until = time_mono_ns() + FILL_NS, n = 0;
    uint64_t visible = world_visible(r->world);
    EnginePast past;
    if (!p->count) return;
    (void)engine_past(&past, r);
    View v = view_writer(r->world);
    undo(p);
    for (; n < p->wanted_count && time_mono_ns() < until; n++) {
        Window *w = p->wanted[n];
        if (!w->filled && w->since <= visible + 1 && !fill(p, w, &v, &past, now)) break;
    }
    sweep(p, is_gone, &v);
}

// ---- life ---------------------------------------------------------------------------------------------------------

DerivePast *derive_past_new(void) {
    DerivePast *p = mem_alloc(sizeof *p);
    *p = (DerivePast){.expr = {.ctx = p, .moments = moments}};
    return p;
}

void derive_past_free(DerivePast *p) {
    if (!p) return;
    p->touched_count = 0;
    sweep(p, is_always, NULL);
    mem_free(p->slots);
    mem_free(p->spans);
    mem_free(p->since);
    mem_free(p->wanted);
    mem_free(p->touched);
    mem_free(p);
}

DerivePastStats derive_past_stats(const DerivePast *p) {
    DerivePastStats s = {.windows = p->count, .values = p->values};
    for (int64_t i = 0; i < p->cap; i++) s.filled += p->slots[i] && p->slots[i]->filled;
    return s;
}
