// SPDX-License-Identifier: Apache-2.0
// The oracle: nested loops over all twins and all links, an expression evaluated for one row at a time. Nothing is
// planned, skipped or remembered, so that what it answers can be read off the text of query.h.
//
//   every twin, link or path  --WHERE-->  rows, or groups --HAVING-->  DISTINCT  ORDER BY  TOP  -->  sink
#include "base/check.h"
#include "base/mem.h"
#include "query/inner.h"

typedef struct Twin {
    uint64_t id, row;
    uint32_t table;
} Twin;

typedef struct Link {
    uint64_t id;
    const Twin *source, *target;
    uint32_t kind;
} Link;

// The query's expressions for one combination of tables and kinds.
typedef struct Binding {
    struct Binding *next;
    uint32_t *of;          // table or kind by alias
    Bound *where;          // NULL: none
    const Bound **columns; // all columns; NULL where there is nothing to evaluate
    Bound **groups, **orders;
} Binding;

// A result row before it is written, or a group.
typedef struct Row {
    int64_t no; // order in which rows are found
    ExprRow *at;
    uint32_t *of;
    ExprValue *values; // all columns
    ExprValue *orders; // values of ORDER BY expressions
    const Bound **bounds;
    QueryPath path;
} Row;

typedef struct Group {
    ExprValue *keys;
    QueryAggState *states; // all columns
    const Bound **bounds;
} Group;

typedef struct Naive {
    const Query *q;
    View *v;
    const QueryOptions *o;
    Diag *d;
    Arena keep, scratch;
    ExprRun run;
    Err err; // the first; stops everything
    int64_t looked;

    Twin *twins;
    const Twin **by_id;
    Link *links;
    int64_t twin_count, link_count;

    ExprSource *sources;
    Binding *bindings;
    ExprRow *at; // by alias: what is bound now
    uint32_t *of;
    const Twin **bound; // by alias
    uint64_t *used;     // relationships of the MATCH so far
    int32_t used_count;
    ExprValue length; // slot 0: hops of the SHORTEST path
    QueryPath path;

    Row **rows;
    Group **groups;
    int64_t row_count, group_count;
    int32_t columns; // shown and hidden
} Naive;

static void stop(Naive *n, Err e) {
    if (n->err == ERR_OK) n->err = e;
}

// One more twin or link is looked at; false: stop.
static bool look(Naive *n) {
    int64_t max = n->o->limits.rows;
    n->looked++;
    if (n->run.failed) stop(n, n->run.failed);
    if (max && n->looked > max) {
        stop(n,
             diag_add(n->d, ERR_BUDGET, -1, -1, (Str){0}, "the query looked at more than %lld rows", (long long)max));
    }
    return n->err == ERR_OK;
}

// ---- the world as two lists ---------------------------------------------------------------------------------------

static void list_twins(Naive *n) {
    const Catalog *c = n->v->catalog;
    int64_t max = 0;
    n->by_id = NEW(&n->keep, const Twin *, (int64_t)view_meta(n->v, META_ID_MAX) + 1);
    for (int32_t t = 0; t < c->table_count; t++) max += (int64_t)view_table_rows(n->v, (uint32_t)t);
    n->twins = NEW(&n->keep, Twin, max);
    for (int32_t t = 0; t < c->table_count; t++) {
        uint64_t rows = view_table_rows(n->v, (uint32_t)t);
        for (uint64_t row = 0; row < rows; row++) {
            uint64_t id = view_row_twin(n->v, (uint32_t)t, row).v;
            if (!id) continue;
            n->by_id[id] = &n->twins[n->twin_count];
            n->twins[n->twin_count++] = (Twin){id, row, (uint32_t)t};
        }
    }
}

static void list_links(Naive *n) {
    int64_t max = (int64_t)view_meta(n->v, META_LINKS);
    n->links = NEW(&n->keep, Link, max);
    for (uint64_t id = 1; n->link_count < max && id <= view_meta(n->v, META_ID_MAX); id++) {
        LinkView l = view_link(n->v, (LinkId){id});
        if (!l.alive) continue;
        n->links[n->link_count++] = (Link){id, n->by_id[l.source.v], n->by_id[l.target.v], l.kind};
        CHECK(n->by_id[l.source.v] && n->by_id[l.target.v]);
    }
}

static void bind_twin(Naive *n, int32_t alias, const Twin *t) {
    n->at[alias] = (ExprRow){t->id, t->row};
    n->of[alias] = t->table;
    n->bound[alias] = t;
}

static void bind_link(Naive *n, int32_t alias, const Link *l) {
    n->at[alias] = (ExprRow){l->id, l->id};
    n->of[alias] = l->kind;
}

// ---- expressions --------------------------------------------------------------------------------------------------

static Bound *bind_one(Naive *n, const ExprScope *scope, const Expr *e) {
    Bound *b = NULL;
    if (!e || n->err) return NULL;
    Err err = expr_bind(&n->keep, scope, e, &b, n->d);
    if (err) stop(n, err);
    return err ? NULL : b;
}

static ExprScope scope_of(Naive *n) {
    const Query *q = n->q;
    for (int32_t i = 0; i < q->alias_count; i++) {
        n->sources[i] = (ExprSource){.alias = q->aliases[i].name, .kind = q->aliases[i].kind};
        if (n->sources[i].kind == EXPR_TWIN) n->sources[i].table = n->of[i];
        else n->sources[i].link = n->of[i];
    }
    return (ExprScope){.catalog = n->v->catalog, .sources = n->sources, .count = q->alias_count};
}

static Binding *bind_where(Naive *n) {
    Binding *b = NEW(&n->keep, Binding, 1);
    ExprScope scope = scope_of(n);
    b->of = NEW(&n->keep, uint32_t, n->q->alias_count);
    memcpy(b->of, n->of, (size_t)n->q->alias_count * sizeof(uint32_t));
    b->where = bind_one(n, &scope, n->q->where);
    b->next = n->bindings;
    n->bindings = b;
    return b;
}

// What a row that WHERE keeps needs: it may not bind for others.
static void bind_outputs(Naive *n, Binding *b) {
    const Query *q = n->q;
    ExprScope scope = scope_of(n);
    b->columns = NEW(&n->keep, const Bound *, n->columns);
    b->groups = NEW(&n->keep, Bound *, q->group_count);
    b->orders = NEW(&n->keep, Bound *, q->order_count);
    for (int32_t i = 0; i < n->columns; i++) {
        if (q->columns[i].alias < 0) b->columns[i] = bind_one(n, &scope, q->columns[i].expr);
    }
    for (int32_t i = 0; i < q->group_count; i++) b->groups[i] = bind_one(n, &scope, q->groups[i]);
    if (q->aggregated) return;
    for (int32_t i = 0; i < q->order_count; i++) b->orders[i] = bind_one(n, &scope, q->orders[i].expr);
}

// The expressions for what is bound now.
static Binding *binding(Naive *n) {
    size_t size = (size_t)n->q->alias_count * sizeof(uint32_t);
    for (Binding *b = n->bindings; b; b = b->next) {
        if (memcmp(b->of, n->of, size) == 0) return b;
    }
    return bind_where(n);
}

static ExprValue value_of(Naive *n, const Bound *b) {
    if (!b) return (ExprValue){.type = EXPR_UNDEFINED};
    ExprValue v = query_value_keep(&n->keep, expr_eval(b, &n->run, n->at));
    arena_reset(&n->scratch);
    return v;
}

// ---- rows and groups ----------------------------------------------------------------------------------------------

static void push(void *list, int64_t count, void *item) {
    void ***items = list;
    if ((count & (count - 1)) == 0) *items = mem_grow(*items, (size_t)(count ? 2 * count : 1) * sizeof(void *));
    (*items)[count] = item;
}

static Group *new_group(Naive *n, const Binding *b) {
    Group *g = NEW(&n->keep, Group, 1);
    g->states = NEW(&n->keep, QueryAggState, n->columns);
    g->bounds = b ? b->columns : NULL;
    push(&n->groups, n->group_count++, g);
    return g;
}

static Group *find_group(Naive *n, const Binding *b) {
    int32_t count = n->q->group_count;
    ExprValue *keys = NEW(&n->keep, ExprValue, count);
    for (int32_t k = 0; k < count; k++) keys[k] = query_value_plain(value_of(n, b->groups[k]));
    for (int64_t i = 0; i < n->group_count; i++) {
        int32_t k = 0;
        while (k < count && query_value_order(&keys[k], &n->groups[i]->keys[k]) == 0) k++;
        if (k == count) return n->groups[i];
    }
    Group *g = new_group(n, b);
    g->keys = keys;
    return g;
}

static void add_to_group(Naive *n, const Binding *b) {
    Group *g = find_group(n, b);
    for (int32_t i = 0; i < n->columns; i++) {
        const QueryColumn *c = &n->q->columns[i];
        ExprValue v = value_of(n, b->columns[i]);
        if (c->agg != AGG_NONE) query_agg_add(c, &g->states[i], c->expr ? &v : NULL);
    }
}

static Row *new_row(Naive *n) {
    Row *r = NEW(&n->keep, Row, 1);
    r->no = n->row_count;
    r->values = NEW(&n->keep, ExprValue, n->columns);
    r->orders = NEW(&n->keep, ExprValue, n->q->order_count);
    push(&n->rows, n->row_count++, r);
    return r;
}

static void *copy(Naive *n, const void *p, int64_t count, int64_t size) {
    void *out = arena_alloc(&n->keep, size, count, 16);
    if (count) memcpy(out, p, (size_t)(count * size));
    return out;
}

static void add_row(Naive *n, const Binding *b) {
    Row *r = new_row(n);
    r->at = copy(n, n->at, n->q->alias_count, (int64_t)sizeof(ExprRow));
    r->of = copy(n, n->of, n->q->alias_count, (int64_t)sizeof(uint32_t));
    r->bounds = b->columns;
    r->path = n->path;
    for (int32_t i = 0; i < n->columns; i++) {
        r->values[i] = value_of(n, b->columns[i]);
        if (n->q->distinct) r->values[i] = query_value_plain(r->values[i]);
    }
    for (int32_t i = 0; i < n->q->order_count; i++) r->orders[i] = value_of(n, b->orders[i]);
}

// Everything is bound: is it a result?
static void found(Naive *n) {
    Binding *b = binding(n);
    if (n->err) return;
    bool keep = !b->where || expr_test(b->where, &n->run, n->at);
    arena_reset(&n->scratch);
    if (!keep) return;
    if (!b->columns) bind_outputs(n, b);
    if (n->err) return;
    if (n->q->aggregated) add_to_group(n, b);
    else add_row(n, b);
}

// ---- JOIN and MATCH -----------------------------------------------------------------------------------------------

static bool takes_kind(const Naive *n, const QueryEdge *e, uint32_t kind) {
    Str name = n->v->catalog->kinds[kind].rel->name;
    for (int32_t i = 0; i < e->rel_count; i++) {
        if (str_eq(e->rels[i], name)) return true;
    }
    return e->rel_count == 0;
}

// The twin at the other end when the link leads away from `from` the way the edge wants, else NULL.
static const Twin *other_end(const Naive *n, const QueryEdge *e, const Link *l, const Twin *from) {
    const Twin *to = NULL;
    if (e->out && l->source == from) to = l->target;
    else if (e->in && l->target == from) to = l->source;
    return to && takes_kind(n, e, l->kind) ? to : NULL;
}

static bool is_used(const Naive *n, uint64_t link) {
    for (int32_t i = 0; n->q->matched && i < n->used_count; i++) {
        if (n->used[i] == link) return true;
    }
    return false;
}

static void follow(Naive *n, int32_t edge);

// A path of the edge ends at `twin`.
static void arrive(Naive *n, int32_t edge, const Link *l, const Twin *twin) {
    const QueryEdge *e = &n->q->edges[edge];
    const Twin *was = n->bound[e->to];
    if (was && was != twin) return; // an alias that stands twice is one twin
    bind_twin(n, e->to, twin);
    if (e->link >= 0) bind_link(n, e->link, l);
    follow(n, edge + 1);
    n->bound[e->to] = was;
}

// From a twin that is `hops` hops along the edge.
static void walk(Naive *n, int32_t edge, const Twin *from, int32_t hops) {
    const QueryEdge *e = &n->q->edges[edge];
    for (int64_t i = 0; i < n->link_count; i++) {
        const Link *l = &n->links[i];
        const Twin *to = other_end(n, e, l, from);
        if (!to || is_used(n, l->id)) continue;
        if (!look(n)) return;
        n->used[n->used_count++] = l->id;
        if (hops + 1 >= e->min) arrive(n, edge, l, to);
        if (hops + 1 < e->max) walk(n, edge, to, hops + 1);
        n->used_count--;
    }
}

static void follow(Naive *n, int32_t edge) {
    if (n->err) return;
    if (edge == n->q->edge_count) found(n);
    else walk(n, edge, n->bound[n->q->edges[edge].from], 0);
}

// ---- SHORTEST -----------------------------------------------------------------------------------------------------

// Hops from every twin (by its place in the list) to `end`, -1 where there is no path of up to e->max.
static void distances(Naive *n, const QueryEdge *e, const Twin *end, int32_t *hops) {
    for (int64_t i = 0; i < n->twin_count; i++) hops[i] = &n->twins[i] == end ? 0 : -1;
    for (int32_t d = 0; d < e->max; d++) {
        bool more = false;
        for (int64_t i = 0; i < n->twin_count; i++) {
            for (int64_t k = 0; hops[i] < 0 && k < n->link_count; k++) {
                const Twin *to = other_end(n, e, &n->links[k], &n->twins[i]);
                if (!to || hops[to - n->twins] != d) continue;
                hops[i] = d + 1;
                more = true;
            }
        }
        if (!more) return;
    }
}

// Along the smallest link that comes nearer, until there: n->path.
static void trace(Naive *n, const QueryEdge *e, const Twin *from, const int32_t *hops) {
    int32_t length = hops[from - n->twins];
    uint64_t *twins = NEW(&n->keep, uint64_t, length + 1), *links = NEW(&n->keep, uint64_t, length);
    twins[0] = from->id;
    for (int32_t i = 0; i < length; i++) {
        int64_t k = 0;
        const Twin *to = NULL;
        for (; !to; k++) {
            CHECK(k < n->link_count);
            to = other_end(n, e, &n->links[k], from);
            if (to && hops[to - n->twins] != length - i - 1) to = NULL;
        }
        links[i] = n->links[k - 1].id;
        twins[i + 1] = to->id;
        from = to;
    }
    n->path = (QueryPath){length, twins, links};
}

static void shortest(Naive *n) {
    const QueryEdge *e = &n->q->edges[0];
    int32_t **hops = NEW(&n->keep, int32_t *, n->twin_count); // by right end
    for (int64_t i = 0; i < n->twin_count; i++) {
        hops[i] = NEW(&n->keep, int32_t, n->twin_count);
        distances(n, e, &n->twins[i], hops[i]);
    }
    for (int64_t i = 0; i < n->twin_count; i++) {
        for (int64_t k = 0; k < n->twin_count; k++) {
            if (hops[k][i] < 1) continue;
            if (!look(n)) return;
            bind_twin(n, e->from, &n->twins[i]);
            bind_twin(n, e->to, &n->twins[k]);
            trace(n, e, &n->twins[i], hops[k]);
            n->length.i = n->path.length;
            found(n);
        }
    }
}

// ---- from rows to the sink ----------------------------------------------------------------------------------------

static int order_ids(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

// Twins by table and row, links by id.
static int order_places(const Naive *n, int32_t alias, const Row *a, const Row *b) {
    if (n->q->aliases[alias].kind == EXPR_LINK) return order_ids(a->at[alias].id, b->at[alias].id);
    int by_table = order_ids(a->of[alias], b->of[alias]);
    return by_table ? by_table : order_ids(a->at[alias].row, b->at[alias].row);
}

static int order_column(const Naive *n, int32_t column, const Row *a, const Row *b) {
    int32_t alias = n->q->columns[column].alias;
    return alias >= 0 ? order_places(n, alias, a, b) : query_value_order(&a->values[column], &b->values[column]);
}

static int order_columns(const Naive *n, const Row *a, const Row *b) {
    for (int32_t i = 0; i < n->q->column_count; i++) {
        int c = order_column(n, i, a, b);
        if (c) return c;
    }
    return 0;
}

static int order_rows(const Naive *n, const Row *a, const Row *b) {
    for (int32_t i = 0; i < n->q->order_count; i++) {
        const QueryOrder *o = &n->q->orders[i];
        int c = o->column >= 0 ? order_column(n, o->column, a, b) : query_value_order(&a->orders[i], &b->orders[i]);
        if (c) return o->descending ? -c : c;
    }
    return 0;
}

// Merge sort: rows that compare equal stay as they are.
static void sort(const Naive *n, Row **rows, Row **room, int64_t count,
                 int (*order)(const Naive *, const Row *, const Row *)) {
    int64_t half = count / 2, i = 0, k = half;
    if (count < 2) return;
    sort(n, rows, room, half, order);
    sort(n, rows + half, room, count - half, order);
    for (int64_t at = 0; at < count; at++) {
        bool left = k == count || (i < half && order(n, rows[i], rows[k]) <= 0);
        room[at] = left ? rows[i++] : rows[k++];
    }
    memcpy(rows, room, (size_t)count * sizeof *rows);
}

static void sort_all(Naive *n, int (*order)(const Naive *, const Row *, const Row *)) {
    sort(n, n->rows, NEW(&n->keep, Row *, n->row_count), n->row_count, order);
}

static void make_distinct(Naive *n) {
    int64_t kept = 0;
    sort_all(n, order_columns);
    for (int64_t i = 0; i < n->row_count; i++) {
        if (kept && order_columns(n, n->rows[kept - 1], n->rows[i]) == 0) continue;
        n->rows[kept++] = n->rows[i];
    }
    n->row_count = kept;
}

static int order_groups(const Naive *n, const Row *a, const Row *b) {
    const Group *x = n->groups[a->no], *y = n->groups[b->no];
    for (int32_t k = 0; k < n->q->group_count; k++) {
        int c = query_value_order(&x->keys[k], &y->keys[k]);
        if (c) return c;
    }
    return 0;
}

// A row for every group that HAVING keeps, in the order of the groups.
static void rows_of_groups(Naive *n) {
    const Query *q = n->q;
    ExprScope none = {.catalog = n->v->catalog};
    Bound *having = bind_one(n, &none, q->having);
    Bound **orders = NEW(&n->keep, Bound *, q->order_count);
    for (int32_t i = 0; i < q->order_count; i++) orders[i] = bind_one(n, &none, q->orders[i].expr);
    if (n->group_count == 0 && q->group_count == 0) new_group(n, NULL);
    for (int64_t i = 0; i < n->group_count && n->err == ERR_OK; i++) {
        Group *g = n->groups[i];
        Row *r = new_row(n);
        r->no = i;
        r->bounds = g->bounds;
        for (int32_t c = 0; c < n->columns; c++) {
            const QueryColumn *column = &q->columns[c];
            r->values[c] = column->agg == AGG_NONE ? g->keys[column->group] : query_agg_value(column, &g->states[c]);
        }
        n->run.slots = r->values;
        bool keep = !having || expr_test(having, &n->run, n->at);
        for (int32_t k = 0; k < q->order_count; k++) r->orders[k] = value_of(n, orders[k]);
        if (!keep) n->row_count--;
    }
    sort_all(n, order_groups);
}

static void send(Naive *n, const QuerySink *sink) {
    Buf json = {0};
    int64_t count = n->q->top >= 0 && n->q->top < n->row_count ? n->q->top : n->row_count;
    for (int64_t i = 0; i < count; i++) {
        const Row *r = n->rows[i];
        QueryRow row = {.at = r->at, .values = r->values, .bounds = r->bounds, .path = &r->path};
        if (n->q->aggregated) row.bounds = NULL;
        buf_reset(&json);
        query_row_json(n->q, n->v, &n->o->show, &row, &json);
        if (!sink->row(sink->ctx, buf_str(&json))) break;
    }
    buf_free(&json);
}

static void run(Naive *n) {
    const Query *q = n->q;
    list_twins(n);
    list_links(n);
    if (q->shortest) shortest(n);
    for (int64_t i = 0; !q->shortest && q->from == QUERY_TWINS && i < n->twin_count && look(n); i++) {
        bind_twin(n, 0, &n->twins[i]);
        follow(n, 0);
    }
    for (int64_t i = 0; q->from == QUERY_LINKS && i < n->link_count && look(n); i++) {
        bind_link(n, 0, &n->links[i]);
        found(n);
    }
    if (q->aggregated && n->err == ERR_OK) rows_of_groups(n);
    if (q->distinct) make_distinct(n);
    sort_all(n, order_rows);
}

static void release(Naive *n) {
    for (int64_t i = 0; i < n->group_count; i++) {
        for (int32_t c = 0; c < n->columns; c++) query_agg_free(&n->groups[i]->states[c]);
    }
    mem_free(n->groups);
    mem_free(n->rows);
    arena_free(&n->keep);
    arena_free(&n->scratch);
}

Err query_naive(const Query *q, View *v, const QueryOptions *o, const QuerySink *sink, int64_t *looked_at, Diag *d) {
    Naive n = {.q = q, .v = v, .o = o, .d = d, .columns = q->column_count + q->hidden_count};
    int32_t hops = 0;
    for (int32_t i = 0; i < q->edge_count; i++) hops += q->edges[i].max;
    arena_init(&n.keep, 0);
    arena_init(&n.scratch, 0);
    n.length.type = EXPR_I64;
    n.run = (ExprRun){.view = v, .now = o->now, .scratch = &n.scratch, .slots = &n.length, .past = o->past};
    n.sources = NEW(&n.keep, ExprSource, q->alias_count);
    n.at = NEW(&n.keep, ExprRow, q->alias_count);
    n.of = NEW(&n.keep, uint32_t, q->alias_count);
    n.bound = NEW(&n.keep, const Twin *, q->alias_count);
    n.used = NEW(&n.keep, uint64_t, hops);
    n.err = query_measure(&n.keep, q, v, &n.q, d);
    if (n.err == ERR_OK) run(&n);
    if (n.err == ERR_OK) send(&n, sink);
    if (looked_at) *looked_at = n.looked;
    Err err = n.err;
    release(&n);
    return err;
}
