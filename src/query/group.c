// SPDX-License-Identifier: Apache-2.0
#include "query/group.h"
#include "base/mem.h"
#include "query/order.h"

static int32_t columns_of(const Query *q) { return q->column_count + q->hidden_count; }

void groups_init(Groups *g, const Plan *p, Meter *m) {
    memset(g, 0, sizeof *g);
    g->plan = p;
    g->meter = m;
    arena_init(&g->arena, 0);
}

void groups_free(Groups *g) {
    meter_bytes(g->meter, -g->told);
    for (int64_t i = 0; i < g->n; i++)
        for (int32_t c = 0; c < columns_of(g->plan->q); c++) query_agg_free(&g->list[i]->aggs[c]);
    arena_free(&g->arena);
    mem_free(g->list);
    mem_free(g->slots);
}

static bool tell(Groups *g) {
    int64_t bytes = g->arena.used + g->owned + (g->cap + g->slot_cap) * (int64_t)sizeof(Group *);
    int64_t more = bytes - g->told;
    g->told = bytes;
    return more == 0 || meter_bytes(g->meter, more);
}

// ---- finding a group ----------------------------------------------------------------------------------------------

static uint64_t hash_keys(const ExprValue *keys, int32_t n) {
    uint64_t h = 0;
    for (int32_t i = 0; i < n; i++) h = (h ^ order_hash(&keys[i])) * 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

static bool same_keys(const ExprValue *a, const ExprValue *b, int32_t n) {
    for (int32_t i = 0; i < n; i++)
        if (query_value_order(&a[i], &b[i]) != 0) return false;
    return true;
}

static void grow_slots(Groups *g) {
    g->slot_cap = g->slot_cap ? 2 * g->slot_cap : 64;
    mem_free(g->slots);
    g->slots = mem_alloc((size_t)g->slot_cap * sizeof *g->slots);
    for (int64_t i = 0; i < g->n; i++) {
        int64_t at = (int64_t)(g->list[i]->hash >> 5) & (g->slot_cap - 1);
        while (g->slots[at]) at = (at + 1) & (g->slot_cap - 1);
        g->slots[at] = g->list[i];
    }
}

static Group *add_group(Groups *g, uint64_t hash, const ExprValue *keys) {
    const Query *q = g->plan->q;
    Group *group = NEW(&g->arena, Group, 1);
    group->hash = hash;
    group->keys = NEW(&g->arena, ExprValue, q->group_count);
    group->aggs = NEW(&g->arena, QueryAggState, columns_of(q));
    for (int32_t i = 0; i < q->group_count; i++) group->keys[i] = query_value_keep(&g->arena, keys[i]);
    if (g->n == g->cap) {
        g->cap = g->cap ? 2 * g->cap : 16;
        g->list = mem_grow(g->list, (size_t)g->cap * sizeof *g->list);
    }
    g->list[g->n++] = group;
    return group;
}

// The group of plain keys, made when it is new.
static Group *find(Groups *g, uint64_t hash, const ExprValue *keys) {
    if (g->plan->q->group_count == 0) return g->n ? g->list[0] : add_group(g, 0, keys);
    if (2 * g->n >= g->slot_cap) grow_slots(g);
    for (int64_t i = (int64_t)(hash >> 5) & (g->slot_cap - 1);; i = (i + 1) & (g->slot_cap - 1)) {
        Group *group = g->slots[i];
        if (!group) return g->slots[i] = add_group(g, hash, keys);
        if (group->hash == hash && same_keys(group->keys, keys, g->plan->q->group_count)) return group;
    }
}

static void add_value(Groups *g, const QueryColumn *c, QueryAggState *s, const ExprValue *v) {
    if (c->agg < AGG_MIN) {
        query_agg_add(c, s, v);
        return;
    }
    int64_t before = query_agg_bytes(s);
    query_agg_add(c, s, v);
    g->owned += query_agg_bytes(s) - before;
}

// ---- one row ------------------------------------------------------------------------------------------------------

bool groups_row(Groups *g, Exec *x, const ExprRow *rows, const uint32_t *of) {
    const Query *q = x->q;
    ExprValue *keys = NEW(&x->scratch, ExprValue, q->group_count);
    for (int32_t i = 0; i < q->group_count; i++)
        keys[i] = query_value_plain(exec_value(x, x->plan->groups[i], rows, of));
    if (x->err != ERR_OK) return false;
    Group *group = find(g, hash_keys(keys, q->group_count), keys);
    for (int32_t i = 0; i < columns_of(q); i++) {
        const QueryColumn *c = &q->columns[i];
        if (c->agg == AGG_NONE) continue;
        int32_t expr = x->plan->columns[i];
        ExprValue v = expr >= 0 ? exec_value(x, expr, rows, of) : (ExprValue){0};
        if (x->err != ERR_OK) return false;
        add_value(g, c, &group->aggs[i], c->expr ? &v : NULL);
    }
    if (x->scratch.used > 1 << 14) arena_reset(&x->scratch);
    return tell(g);
}

void groups_count(Groups *g, int64_t n) {
    Group *group = find(g, 0, NULL);
    for (int32_t i = 0; i < columns_of(g->plan->q); i++) group->aggs[i].count += n;
}

// ---- one page -----------------------------------------------------------------------------------------------------

static ExprValue value_at(const ExprVec *v, int32_t k) {
    if (!(v->valid[k >> 6] >> (k & 63) & 1)) return (ExprValue){0};
    switch (v->type) {
    case EXPR_BOOL: return (ExprValue){.type = EXPR_BOOL, .b = v->b[k] != 0};
    case EXPR_I64:
    case EXPR_TIME:
    case EXPR_DURATION: return (ExprValue){.type = v->type, .i = v->i[k]};
    case EXPR_F64: return (ExprValue){.type = EXPR_F64, .d = v->d[k]};
    case EXPR_STR:
    case EXPR_DOC: return (ExprValue){.type = v->type, .s = v->s[k]};
    case EXPR_UNDEFINED: return (ExprValue){0};
    default: return v->any[k];
    }
}

static bool is_valid(const ExprVec *v, int32_t k) { return v->valid[k >> 6] >> (k & 63) & 1; }

// Is the value of row k the very one of the row before? False says nothing.
static bool repeats(const ExprVec *v, int32_t k) {
    if (!is_valid(v, k) || !is_valid(v, k - 1)) return is_valid(v, k) == is_valid(v, k - 1);
    switch (v->type) {
    case EXPR_BOOL: return v->b[k] == v->b[k - 1];
    case EXPR_I64:
    case EXPR_F64:
    case EXPR_TIME:
    case EXPR_DURATION: return v->i[k] == v->i[k - 1];
    case EXPR_STR:
    case EXPR_DOC: return str_eq(v->s[k], v->s[k - 1]);
    default: return false;
    }
}

static bool all_repeat(const ExprVec *vecs, int32_t count, int32_t k) {
    for (int32_t i = 0; i < count; i++)
        if (!repeats(&vecs[i], k)) return false;
    return true;
}

// The group of each row. A run of equal keys is looked up once. False: stop.
static bool find_all(Groups *g, Exec *x, const ExprVec *vecs, int32_t n, Group **out) {
    int32_t count = g->plan->q->group_count;
    ExprValue *keys = NEW(&x->scratch, ExprValue, count);
    for (int32_t k = 0; k < n; k++) {
        if (k && all_repeat(vecs, count, k)) {
            out[k] = out[k - 1];
            continue;
        }
        for (int32_t i = 0; i < count; i++) keys[i] = query_value_plain(value_at(&vecs[i], k));
        if (k && same_keys(keys, out[k - 1]->keys, count)) out[k] = out[k - 1];
        else out[k] = find(g, hash_keys(keys, count), keys);
        if (k % 64 == 63 && !tell(g)) return false;
    }
    return true;
}

// Doubles into sums, a run of rows of one group at a time.
static void add_doubles(int32_t column, const ExprVec *vec, int32_t n, Group **groups) {
    for (int32_t k = 0, end; k < n; k = end) {
        end = k + 1;
        if (!is_valid(vec, k)) continue;
        while (end < n && groups[end] == groups[k] && is_valid(vec, end)) end++;
        query_agg_add_doubles(&groups[k]->aggs[column], vec->d + k, end - k);
    }
}

static void add_column(Groups *g, const QueryColumn *c, int32_t column, const ExprVec *vec, int32_t n, Group **groups) {
    if (!vec) { // COUNT()
        for (int32_t k = 0; k < n; k++) groups[k]->aggs[column].count++;
        return;
    }
    if (vec->type == EXPR_F64 && (c->agg == AGG_SUM || c->agg == AGG_AVG)) {
        add_doubles(column, vec, n, groups);
        return;
    }
    for (int32_t k = 0; k < n; k++) {
        ExprValue v = value_at(vec, k);
        add_value(g, c, &groups[k]->aggs[column], &v);
    }
}

bool groups_page(Groups *g, Exec *x, uint32_t of, const uint16_t *sel, int32_t n) {
    const Query *q = x->q;
    if (n == 0) return true;
    ExprVec *vecs = NEW(&x->scratch, ExprVec, q->group_count + 1);
    for (int32_t i = 0; i < q->group_count; i++) {
        const Bound *b = exec_bound(x, x->plan->groups[i], &of);
        if (!b) return false;
        expr_page_eval(b, x->page, sel, n, &vecs[i]);
    }
    Group *groups[PAGE_ROWS];
    if (!find_all(g, x, vecs, n, groups)) return false;
    for (int32_t i = 0; i < columns_of(q); i++) {
        const QueryColumn *c = &q->columns[i];
        if (c->agg == AGG_NONE) continue;
        if (c->expr) {
            const Bound *b = exec_bound(x, x->plan->columns[i], &of);
            if (!b) return false;
            expr_page_eval(b, x->page, sel, n, &vecs[q->group_count]);
        }
        add_column(g, c, i, c->expr ? &vecs[q->group_count] : NULL, n, groups);
    }
    return tell(g);
}

// ---- together -----------------------------------------------------------------------------------------------------

void groups_merge(Groups *g, Groups *from) {
    const Query *q = g->plan->q;
    if (g->n == 0) { // the first: as it is
        Groups none = *g;
        *g = *from;
        *from = none;
        return;
    }
    for (int64_t i = 0; i < from->n; i++) {
        Group *group = from->list[i], *into = find(g, group->hash, group->keys);
        for (int32_t c = 0; c < columns_of(q); c++) {
            int64_t before = query_agg_bytes(&into->aggs[c]);
            query_agg_merge(&q->columns[c], &into->aggs[c], &group->aggs[c]);
            g->owned += query_agg_bytes(&into->aggs[c]) - before;
        }
    }
    tell(g);
}

// ---- the result ---------------------------------------------------------------------------------------------------

static void set_values(Groups *g, Group *group) {
    const Query *q = g->plan->q;
    group->values = NEW(&g->arena, ExprValue, columns_of(q));
    for (int32_t i = 0; i < columns_of(q); i++) {
        const QueryColumn *c = &q->columns[i];
        if (c->agg != AGG_NONE) group->values[i] = query_agg_value(c, &group->aggs[i]);
        else if (c->group >= 0) group->values[i] = group->keys[c->group];
    }
}

typedef struct Ranked {
    Group *group;
    ExprValue *keys; // by ORDER BY
} Ranked;

static int by_columns(const Query *q, const Group *a, const Group *b) {
    int c = 0;
    for (int32_t i = 0; i < q->column_count && c == 0; i++) c = query_value_order(&a->values[i], &b->values[i]);
    return c;
}

static int by_rank(const void *ctx, const void *pa, const void *pb) {
    const Query *q = ctx;
    const Ranked *a = pa, *b = pb;
    int c = 0;
    for (int32_t i = 0; i < q->order_count && c == 0; i++) {
        c = query_value_order(&a->keys[i], &b->keys[i]);
        if (q->orders[i].descending) c = -c;
    }
    if (q->distinct && c == 0) c = by_columns(q, a->group, b->group);
    for (int32_t i = 0; i < q->group_count && c == 0; i++)
        c = query_value_order(&a->group->keys[i], &b->group->keys[i]);
    return c;
}

// HAVING and ORDER BY speak of the values of columns alone.
static Err bind_slots(Groups *g, Exec *x, const Expr *e, Bound **out) {
    ExprScope scope = {.catalog = x->view->catalog};
    *out = NULL;
    return e ? expr_bind(&g->arena, &scope, e, out, NULL) : ERR_OK;
}

static Err rank_all(Groups *g, Exec *x, Ranked *ranked, int64_t *n) {
    const Query *q = x->q;
    Bound *having, **orders = NEW(&g->arena, Bound *, q->order_count);
    TRY(bind_slots(g, x, q->having, &having));
    for (int32_t i = 0; i < q->order_count; i++)
        if (q->orders[i].column < 0) TRY(bind_slots(g, x, q->orders[i].expr, &orders[i]));
    *n = 0;
    for (int64_t i = 0; i < g->n; i++) {
        Group *group = g->list[i];
        x->run.slots = group->values;
        if (having && !expr_test(having, &x->run, NULL)) continue;
        Ranked *r = &ranked[(*n)++];
        r->group = group;
        r->keys = NEW(&g->arena, ExprValue, q->order_count);
        for (int32_t k = 0; k < q->order_count; k++) {
            int32_t column = q->orders[k].column;
            r->keys[k] =
                column >= 0 ? group->values[column] : query_value_keep(&g->arena, expr_eval(orders[k], &x->run, NULL));
        }
        if (x->scratch.used > 1 << 16) arena_reset(&x->scratch);
    }
    x->run.slots = x->slots;
    return ERR_OK;
}

Err groups_finish(Groups *g, Exec *x) {
    const Query *q = x->q;
    if (q->group_count == 0) find(g, 0, NULL);
    for (int64_t i = 0; i < g->n; i++) set_values(g, g->list[i]);
    Ranked *ranked = NEW(&g->arena, Ranked, g->n), **order = NEW(&g->arena, Ranked *, g->n);
    int64_t n, kept = 0;
    TRY(rank_all(g, x, ranked, &n));
    for (int64_t i = 0; i < n; i++) order[i] = &ranked[i];
    order_sort((void **)order, n, by_rank, q);
    g->ranked = NEW(&g->arena, Group *, n);
    for (int64_t i = 0; i < n && (q->top < 0 || kept < q->top); i++)
        if (!q->distinct || kept == 0 || by_columns(q, g->ranked[kept - 1], order[i]->group) != 0)
            g->ranked[kept++] = order[i]->group;
    g->ranked_count = kept;
    return tell(g) ? ERR_OK : (Err)atomic_load(&g->meter->err);
}
