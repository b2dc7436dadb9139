// SPDX-License-Identifier: Apache-2.0
#include "query/order.h"
#include "base/check.h"
#include "base/mem.h"

enum { CUT_ROOM = 1024 };

// ---- sorting ------------------------------------------------------------------------------------------------------

static void merge(void **out, void **a, int64_t na, void **b, int64_t nb,
                  int (*compare)(const void *, const void *, const void *), const void *ctx) {
    while (na && nb) {
        if (compare(ctx, *a, *b) <= 0) {
            *out++ = *a++;
            na--;
        } else {
            *out++ = *b++;
            nb--;
        }
    }
    if (na) memcpy(out, a, (size_t)na * sizeof *a);
    if (nb) memcpy(out, b, (size_t)nb * sizeof *b);
}

void order_sort(void **p, int64_t n, int (*compare)(const void *ctx, const void *a, const void *b), const void *ctx) {
    if (n < 2) return;
    void **other = mem_grow(NULL, (size_t)n * sizeof *p), **from = p, **to = other;
    for (int64_t run = 1; run < n; run *= 2) {
        for (int64_t i = 0; i < n; i += 2 * run) {
            int64_t mid = i + run < n ? i + run : n, end = i + 2 * run < n ? i + 2 * run : n;
            merge(to + i, from + i, mid - i, from + mid, end - mid, compare, ctx);
        }
        void **t = from;
        from = to;
        to = t;
    }
    if (from != p) memcpy(p, from, (size_t)n * sizeof *p);
    mem_free(other);
}

// ---- comparing ----------------------------------------------------------------------------------------------------

static int by_place(const Query *q, int32_t alias, const Entry *a, const Entry *b) {
    const ExprRow *x = &a->rows[alias], *y = &b->rows[alias];
    if (q->aliases[alias].kind == EXPR_LINK) return (x->id > y->id) - (x->id < y->id);
    if (a->of[alias] != b->of[alias]) return a->of[alias] < b->of[alias] ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int by_links(const uint64_t *a, int32_t na, const uint64_t *b, int32_t nb) {
    for (int32_t i = 0; i < na && i < nb; i++)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return (na > nb) - (na < nb);
}

static int by_edges(const Query *q, const Entry *a, const Entry *b) {
    const uint64_t *la = a->trail.links, *lb = b->trail.links;
    for (int32_t e = 0; e < q->edge_count; e++) {
        int32_t link = q->edges[e].link, c;
        if (link >= 0) {
            c = by_place(q, link, a, b);
        } else {
            c = by_links(la, a->trail.counts[e], lb, b->trail.counts[e]);
            la += a->trail.counts[e];
            lb += b->trail.counts[e];
        }
        if (c) return c;
    }
    return 0;
}

// The order of rows as query.h has it.
static int by_row(const Query *q, const Entry *a, const Entry *b) {
    int c = by_place(q, q->edge_count ? q->edges[0].from : 0, a, b);
    if (c == 0 && q->shortest) c = by_place(q, q->edges[0].to, a, b);
    return c ? c : by_edges(q, a, b);
}

static int by_column(const Query *q, int32_t i, const ExprValue *x, const ExprValue *y, const Entry *a,
                     const Entry *b) {
    const QueryColumn *c = &q->columns[i];
    if (c->path) return by_row(q, a, b);
    return c->alias >= 0 ? by_place(q, c->alias, a, b) : query_value_order(x, y);
}

static int by_columns(const Query *q, const Entry *a, const Entry *b) {
    if (q->star) return by_place(q, 0, a, b);
    int c = 0;
    for (int32_t i = 0; i < q->column_count && c == 0; i++) c = by_column(q, i, &a->values[i], &b->values[i], a, b);
    return c;
}

static int compare(const void *ctx, const void *pa, const void *pb) {
    const Query *q = ctx;
    const Entry *a = pa, *b = pb;
    for (int32_t i = 0; i < q->order_count; i++) {
        const QueryOrder *o = &q->orders[i];
        int c = o->column >= 0 ? by_column(q, o->column, &a->keys[i], &b->keys[i], a, b)
                               : query_value_order(&a->keys[i], &b->keys[i]);
        if (c) return o->descending ? -c : c;
    }
    return q->distinct ? by_columns(q, a, b) : by_row(q, a, b);
}

// ---- DISTINCT -----------------------------------------------------------------------------------------------------

static uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

uint64_t order_hash(const ExprValue *v) {
    uint64_t h = (uint64_t)v->type + 1, bits;
    switch (v->type) {
    case EXPR_BOOL: return mix(h, v->b);
    case EXPR_I64:
    case EXPR_TIME:
    case EXPR_DURATION: return mix(h, (uint64_t)v->i);
    case EXPR_F64: memcpy(&bits, &v->d, sizeof bits); return mix(h, bits);
    case EXPR_STR:
    case EXPR_DOC: return mix(h, str_hash(v->s));
    case EXPR_POINT:
        memcpy(&bits, &v->point.lon, sizeof bits);
        h = mix(h, bits);
        memcpy(&bits, &v->point.lat, sizeof bits);
        return mix(h, bits);
    default: return mix(h, 0);
    }
}

static uint64_t hash_entry(const Query *q, const Entry *e) {
    if (q->star) return mix(1, e->rows[0].id);
    uint64_t h = 1;
    for (int32_t i = 0; i < q->column_count; i++) {
        const QueryColumn *c = &q->columns[i];
        if (c->path) h = mix(mix(h, e->rows[q->edges[0].from].id), e->rows[q->edges[0].to].id);
        else h = mix(h, c->alias >= 0 ? e->rows[c->alias].id : order_hash(&e->values[i]));
    }
    return h;
}

// The slot of an entry with these columns, or the free one where it belongs.
static Entry **slot_of(const Sorter *s, const Entry *e) {
    for (int64_t i = (int64_t)(e->hash >> 7) & (s->slot_cap - 1);; i = (i + 1) & (s->slot_cap - 1)) {
        Entry *at = s->slots[i];
        if (!at || (at->hash == e->hash && by_columns(s->plan->q, at, e) == 0)) return &s->slots[i];
    }
}

static void fill_slots(Sorter *s, int64_t cap) {
    meter_bytes(s->meter, (cap - s->slot_cap) * (int64_t)sizeof *s->slots);
    mem_free(s->slots);
    s->slots = mem_alloc((size_t)cap * sizeof *s->slots);
    s->slot_cap = cap;
    for (int64_t i = 0; i < s->n; i++) *slot_of(s, s->list[i]) = s->list[i];
}

// ---- keeping ------------------------------------------------------------------------------------------------------

void sorter_init(Sorter *s, const Plan *p, Meter *m) {
    memset(s, 0, sizeof *s);
    s->plan = p;
    s->meter = m;
    s->keep = p->q->top;
    arena_init(&s->arena, 0);
}

void sorter_free(Sorter *s) {
    meter_bytes(s->meter, -(s->told + s->slot_cap * (int64_t)sizeof *s->slots));
    arena_free(&s->arena);
    mem_free(s->list);
    mem_free(s->slots);
}

static bool tell(Sorter *s) {
    int64_t bytes = s->cap * (int64_t)sizeof *s->list + s->arena.used;
    int64_t more = bytes - s->told;
    s->told = bytes;
    return meter_bytes(s->meter, more);
}

static const void *keep_array(Arena *a, const void *p, int64_t size, int64_t n) {
    if (n <= 0) return NULL;
    void *copy = arena_alloc(a, size, n, 8);
    memcpy(copy, p, (size_t)(size * n));
    return copy;
}

static const ExprValue *keep_values(Arena *a, const ExprValue *v, int32_t n) {
    ExprValue *copy = NEW(a, ExprValue, n);
    for (int32_t i = 0; i < n; i++) copy[i] = query_value_keep(a, v[i]);
    return copy;
}

static Entry *keep_entry(const Query *q, Arena *a, const Entry *e) {
    Entry *copy = NEW(a, Entry, 1);
    *copy = *e;
    if (q->order_count) copy->keys = keep_values(a, e->keys, q->order_count);
    if (e->values) copy->values = keep_values(a, e->values, q->column_count);
    if (e->bounds) copy->bounds = keep_array(a, e->bounds, sizeof *e->bounds, q->column_count);
    copy->rows = keep_array(a, e->rows, sizeof *e->rows, q->alias_count);
    copy->of = keep_array(a, e->of, sizeof *e->of, q->alias_count);
    if (e->trail.counts) {
        int64_t links = 0;
        for (int32_t i = 0; i < q->edge_count; i++) links += e->trail.counts[i];
        copy->trail.counts = keep_array(a, e->trail.counts, sizeof *e->trail.counts, q->edge_count);
        copy->trail.links = keep_array(a, e->trail.links, sizeof *e->trail.links, links);
    }
    return copy;
}

// Keep the smallest, in memory of their own.
static void cut(Sorter *s) {
    const Query *q = s->plan->q;
    order_sort((void **)s->list, s->n, compare, q);
    if (s->n > s->keep) s->n = s->keep;
    Arena fresh;
    arena_init(&fresh, 0);
    for (int64_t i = 0; i < s->n; i++) s->list[i] = keep_entry(q, &fresh, s->list[i]);
    arena_free(&s->arena);
    s->arena = fresh;
    s->worst = s->n == s->keep && s->n > 0 ? s->list[s->n - 1] : NULL;
    if (s->slots) fill_slots(s, s->slot_cap);
}

// Is it wanted? Found: the slot to fill with what is kept of it.
static bool wanted(Sorter *s, Entry *e, Entry ***slot) {
    const Query *q = s->plan->q;
    *slot = NULL;
    if (s->keep == 0 || (s->worst && compare(q, e, s->worst) >= 0)) return false;
    if (!q->distinct) return true;
    e->hash = hash_entry(q, e);
    if (s->n * 2 >= s->slot_cap) fill_slots(s, s->slot_cap ? 2 * s->slot_cap : 64);
    *slot = slot_of(s, e);
    return **slot == NULL;
}

static bool insert(Sorter *s, Entry *kept, Entry **slot) {
    if (slot) *slot = kept;
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->list = mem_grow(s->list, (size_t)s->cap * sizeof *s->list);
    }
    s->list[s->n++] = kept;
    if (s->keep >= 0 && s->n >= CUT_ROOM && (s->n - CUT_ROOM) / 2 >= s->keep) cut(s);
    return s->n % 64 != 0 || tell(s);
}

static bool set_keys(Exec *x, ExprValue *keys, const Entry *e) {
    const Query *q = x->q;
    for (int32_t i = 0; i < q->order_count; i++) {
        int32_t col = q->orders[i].column, expr = col >= 0 ? x->plan->columns[col] : x->plan->orders[i];
        keys[i] = expr >= 0 ? exec_value(x, expr, e->rows, e->of) : (ExprValue){0};
    }
    return x->err == ERR_OK;
}

static bool set_values(Exec *x, ExprValue *values, const Bound **bounds, const Entry *e) {
    for (int32_t i = 0; i < x->q->column_count; i++) {
        int32_t expr = x->plan->columns[i];
        values[i] = expr >= 0 ? query_value_plain(exec_value(x, expr, e->rows, e->of)) : (ExprValue){0};
        bounds[i] = expr >= 0 ? exec_bound(x, expr, e->of) : NULL;
    }
    return x->err == ERR_OK;
}

bool sorter_add(Sorter *s, Exec *x, const ExprRow *rows, const uint32_t *of, const Trail *trail) {
    const Query *q = s->plan->q;
    Entry e = {.rows = rows, .of = of};
    Entry **slot;
    if (trail) e.trail = *trail;
    ExprValue *keys = NEW(&x->scratch, ExprValue, q->order_count);
    e.keys = keys;
    if (!set_keys(x, keys, &e)) return false;
    if (q->distinct) {
        ExprValue *values = NEW(&x->scratch, ExprValue, q->column_count);
        const Bound **bounds = NEW(&x->scratch, const Bound *, q->column_count);
        e.values = values;
        e.bounds = bounds;
        if (!set_values(x, values, bounds, &e)) return false;
    }
    bool goes = true;
    if (wanted(s, &e, &slot)) goes = insert(s, keep_entry(q, &s->arena, &e), slot);
    if (x->scratch.used > 1 << 14) arena_reset(&x->scratch);
    return goes;
}

void sorter_take(Sorter *s, Sorter *from) {
    for (int64_t i = 0; i < from->n; i++) {
        Entry **slot;
        if (!wanted(s, from->list[i], &slot)) continue;
        insert(s, keep_entry(s->plan->q, &s->arena, from->list[i]), slot);
    }
    from->n = 0;
}

void sorter_finish(Sorter *s) {
    order_sort((void **)s->list, s->n, compare, s->plan->q);
    if (s->keep >= 0 && s->n > s->keep) s->n = s->keep;
    tell(s);
}
