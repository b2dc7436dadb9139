// SPDX-License-Identifier: Apache-2.0
// What names stand for. An expression over rows speaks of aliases and, with one source, of bare properties; HAVING and
// the ORDER BY of an aggregated query speak of columns and groups, and are rewritten into slots (query.h).
#include "query/names.h"
#include "base/check.h"

typedef struct Settle {
    Arena *a;
    Query *q;
    Diag *d;
} Settle;

#define FAIL(s, e, ...) diag_add((s)->d, ERR_SYNTAX, (e)->at, (e)->end, (Str){0}, __VA_ARGS__)

void *query_room(Arena *a, void *items, int32_t count, int64_t size) {
    if ((count & (count - 1)) != 0) return items; // full at powers of two
    void *more = arena_alloc(a, size, count ? 2 * count : 1, 16);
    if (count) memcpy(more, items, (size_t)(count * size));
    return more;
}

int32_t query_alias(const Query *q, Str name) {
    for (int32_t i = 0; name.n && i < q->alias_count; i++) {
        if (str_eq(q->aliases[i].name, name)) return i;
    }
    return -1;
}

static bool one_source(const Query *q) { return !q->matched && q->edge_count == 0; }

// A copy of a name that no longer fits a message.
static Str brief(Settle *s, Str name) {
    int64_t n = 0;
    while (n < name.n && n < 80) n += str_utf8_size(name.p + n, name.p + name.n);
    return n == name.n ? name : arena_printf(s->a, "%.*s...", (int)n, name.p);
}

// ---- what an expression is ----------------------------------------------------------------------------------------

// The alias a path of one segment names, or -1.
static int32_t whole_alias(const Query *q, const Expr *e) {
    return e->op == EX_PATH && e->seg_count == 1 ? query_alias(q, e->segs[0].name) : -1;
}

static QueryAgg agg_named(Str name) {
    static const struct {
        const char *name;
        QueryAgg agg;
    } all[] = {{"COUNT", AGG_COUNT}, {"SUM", AGG_SUM}, {"AVG", AGG_AVG},
               {"MIN", AGG_MIN},     {"MAX", AGG_MAX}, {"PERCENTILE", AGG_PERCENTILE}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (str_eq_nocase(name, str_of(all[i].name))) return all[i].agg;
    }
    return AGG_NONE;
}

// A call of an aggregate over rows. With a span behind the value it is a function of the past of one row.
static bool is_aggregate(const Expr *e) {
    QueryAgg agg = e->op == EX_CALL ? agg_named(e->name) : AGG_NONE;
    return agg != AGG_NONE && e->arg_count <= (agg == AGG_PERCENTILE ? 2 : 1);
}

// The segments of a path without the only source's alias.
static const ExprSeg *bare_segs(const Query *q, const Expr *e, int32_t *count) {
    bool aliased = one_source(q) && e->seg_count > 1 && query_alias(q, e->segs[0].name) == 0;
    *count = e->seg_count - aliased;
    return e->segs + aliased;
}

static bool same_path(const Query *q, const Expr *a, const Expr *b) {
    int32_t n, m;
    const ExprSeg *x = bare_segs(q, a, &n), *y = bare_segs(q, b, &m);
    if (n != m) return false;
    for (int32_t i = 0; i < n; i++) {
        if (x[i].index != y[i].index || !str_eq(x[i].name, y[i].name)) return false;
    }
    return true;
}

static bool same_literal(const Expr *a, const Expr *b) {
    if (a->value.type != b->value.type || !str_eq(a->unit, b->unit)) return false;
    switch (a->value.type) {
    case EXPR_BOOL: return a->value.b == b->value.b;
    case EXPR_I64: return a->value.i == b->value.i;
    case EXPR_F64: return memcmp(&a->value.d, &b->value.d, sizeof(double)) == 0;
    case EXPR_STR: return str_eq(a->value.s, b->value.s);
    case EXPR_DURATION: return a->value.i == b->value.i;
    default: return a->value.type == EXPR_NULL;
    }
}

static bool same_graph(const Expr *a, const Expr *b) {
    if (!str_eq(a->graph.alias, b->graph.alias) || a->graph.out != b->graph.out || a->graph.in != b->graph.in ||
        a->graph.rel_count != b->graph.rel_count)
        return false;
    for (int32_t i = 0; i < a->graph.rel_count; i++) {
        if (!str_eq(a->graph.rels[i], b->graph.rels[i])) return false;
    }
    return true;
}

// Are two expressions the same but for white space, case of keywords and the only source's alias?
static bool same(const Query *q, const Expr *a, const Expr *b) {
    if (!a || !b) return a == b;
    if (a->op != b->op || a->arg_count != b->arg_count || !str_eq_nocase(a->name, b->name)) return false;
    if (a->op == EX_PATH) return same_path(q, a, b);
    if (a->op == EX_LITERAL && !same_literal(a, b)) return false;
    if (a->op == EX_GRAPH && !same_graph(a, b)) return false;
    for (int32_t i = 0; i < a->arg_count; i++) {
        if (!same(q, a->args[i], b->args[i])) return false;
    }
    return true;
}

// ---- expressions over rows ----------------------------------------------------------------------------------------

static Err unknown_name(Settle *s, const Expr *e) {
    const Query *q = s->q;
    Str *names = NEW(s->a, Str, q->alias_count + 1);
    int32_t n = 0;
    for (int32_t i = 0; i < q->alias_count; i++) {
        if (q->aliases[i].name.n) names[n++] = q->aliases[i].name;
    }
    const ExprSeg *seg = &e->segs[0];
    Str name = brief(s, seg->name), near = expr_nearest(seg->name, names, n);
    if (near.n) {
        return diag_add(s->d, ERR_SYNTAX, seg->at, seg->end, (Str){0}, "there is no alias %.*s; did you mean %.*s?",
                        STR_ARG(name), STR_ARG(near));
    }
    if (e->seg_count > 1 || n == 0) {
        return diag_add(s->d, ERR_SYNTAX, seg->at, seg->end, (Str){0}, "there is no alias %.*s", STR_ARG(name));
    }
    return diag_add(s->d, ERR_SYNTAX, seg->at, seg->end, (Str){0},
                    "there is no alias %.*s; a property needs one here: write %.*s.%.*s", STR_ARG(name),
                    STR_ARG(names[0]), STR_ARG(name));
}

// `name.length` of a SHORTEST path becomes a slot.
static Err settle_path_length(Settle *s, Expr *e) {
    Str name = s->q->shortest_name;
    if (e->seg_count != 2 || !str_eq(e->segs[1].name, STR("length"))) {
        return FAIL(s, e, "%.*s is a path: it can be shown, and %.*s.length is its number of hops", STR_ARG(name),
                    STR_ARG(name));
    }
    e->op = EX_SLOT;
    e->name = str_sub(s->q->text, e->at, e->end);
    e->value = (ExprValue){.type = EXPR_I64, .i = 0};
    return ERR_OK;
}

static Err settle_path(Settle *s, Expr *e) {
    const Query *q = s->q;
    if (q->shortest_name.n && str_eq(e->segs[0].name, q->shortest_name)) return settle_path_length(s, e);
    if (one_source(q) || query_alias(q, e->segs[0].name) >= 0) return ERR_OK;
    return unknown_name(s, e);
}

static Err settle_graph(Settle *s, const Expr *e) {
    const Query *q = s->q;
    Str alias = e->graph.alias;
    int32_t at = alias.n ? query_alias(q, alias) : 0;
    if (alias.n == 0 && !one_source(q)) {
        return FAIL(s, e, "say whose relationships: %.*s(alias->...)", STR_ARG(e->name));
    }
    if (at < 0) return FAIL(s, e, "there is no alias %.*s", STR_ARG(brief(s, alias)));
    if (q->aliases[at].kind == EXPR_TWIN) return ERR_OK;
    return FAIL(s, e, "only a twin has relationships: %.*s goes along those of a twin", STR_ARG(e->name));
}

// IS_OF_MODEL([twin,] 'dtmi' [, exact]): how many leading arguments are expressions.
static Err model_test(Settle *s, const Expr *e, int32_t *count) {
    const Expr *last = e->arg_count > 1 ? e->args[e->arg_count - 1] : NULL;
    bool exact = last && last->op == EX_PATH && last->seg_count == 1 && str_eq_nocase(last->segs[0].name, STR("exact"));
    *count = e->arg_count - exact;
    if (*count != 1 || one_source(s->q)) return ERR_OK;
    return FAIL(s, e, "say which twin: IS_OF_MODEL(alias, 'dtmi:...')");
}

// Lengths of the path anywhere in e, before it is compared with columns and groups.
static Err settle_lengths(Settle *s, Expr *e) {
    Str name = s->q->shortest_name;
    if (name.n == 0 || e->op == EX_GRAPH) return ERR_OK;
    if (e->op == EX_PATH && str_eq(e->segs[0].name, name)) return settle_path_length(s, e);
    for (int32_t i = 0; i < e->arg_count; i++) TRY(settle_lengths(s, e->args[i]));
    return ERR_OK;
}

// Check the names of an expression that is evaluated for a row. What is inside of a graph aggregate is another twin's.
static Err settle_row(Settle *s, Expr *e) {
    int32_t count = e->arg_count;
    if (e->op == EX_PATH) return settle_path(s, e);
    if (e->op == EX_GRAPH) return settle_graph(s, e);
    if (is_aggregate(e)) {
        return FAIL(s, e, "%.*s of rows stands alone in SELECT, or in HAVING or ORDER BY", STR_ARG(e->name));
    }
    if (e->op == EX_CALL && str_eq_nocase(e->name, STR("IS_OF_MODEL"))) TRY(model_test(s, e, &count));
    for (int32_t i = 0; i < count; i++) TRY(settle_row(s, e->args[i]));
    return ERR_OK;
}

// ---- columns ------------------------------------------------------------------------------------------------------

static Err settle_percent(Settle *s, const Expr *e, QueryColumn *c) {
    const Expr *p = e->args[1];
    bool number = p->op == EX_LITERAL && p->unit.n == 0 && (p->value.type == EXPR_I64 || p->value.type == EXPR_F64);
    if (number) c->percent = p->value.type == EXPR_I64 ? (double)p->value.i : p->value.d;
    if (number && c->percent >= 0 && c->percent <= 100) return ERR_OK;
    return FAIL(s, p, "expected a number from 0 to 100, as in PERCENTILE(x, 95)");
}

// Make c the aggregate that the call e is.
static Err settle_aggregate(Settle *s, const Expr *e, QueryColumn *c) {
    c->agg = agg_named(e->name);
    int32_t least = c->agg == AGG_COUNT ? 0 : c->agg == AGG_PERCENTILE ? 2 : 1;
    if (e->arg_count < least)
        return FAIL(s, e, "%.*s takes %s", STR_ARG(e->name),
                    c->agg == AGG_PERCENTILE ? "a value and a number from 0 to 100" : "one value");
    c->expr = e->arg_count ? e->args[0] : NULL;
    if (c->agg == AGG_PERCENTILE) TRY(settle_percent(s, e, c));
    return c->expr ? settle_row(s, c->expr) : ERR_OK;
}

Str query_column_name(Str text, const QueryColumn *c) {
    static const char *const names[] = {"", "COUNT", "SUM", "AVG", "MIN", "MAX", "PERCENTILE"};
    if (c->agg != AGG_NONE) return str_of(names[c->agg]);
    const Expr *e = c->expr;
    if (!e) return (Str){0};
    for (int32_t i = e->op == EX_PATH || e->op == EX_SLOT ? e->seg_count : 0; i-- > 0;) {
        if (e->segs[i].index < 0) return e->segs[i].name;
    }
    return str_sub(text, e->at, e->end);
}

static Err settle_column(Settle *s, QueryColumn *c) {
    Query *q = s->q;
    Expr *e = c->expr;
    int32_t alias = whole_alias(q, e);
    if (q->shortest_name.n && e->op == EX_PATH && e->seg_count == 1 && str_eq(e->segs[0].name, q->shortest_name)) {
        c->path = true;
        c->expr = NULL;
        if (c->name.n == 0) c->name = q->shortest_name;
    } else if (alias >= 0) {
        c->alias = alias;
    } else if (is_aggregate(e)) {
        TRY(settle_aggregate(s, e, c));
        q->aggregated = true;
    } else {
        TRY(settle_row(s, e));
    }
    if (c->name.n == 0) c->name = query_column_name(q->text, c);
    return ERR_OK;
}

// Bytes of the text a column was written as: its expression, or its first word.
static int32_t column_end(const Query *q, const QueryColumn *c) {
    if (c->agg == AGG_NONE && c->expr) return c->expr->end;
    int32_t at = c->at;
    while (at < q->text.n && q->text.p[at] != ',' && q->text.p[at] != ' ' && q->text.p[at] != '\n') at++;
    return at;
}

static Err column_fails(Settle *s, const QueryColumn *c, const char *fmt) {
    Str name = brief(s, c->name);
    return diag_add(s->d, ERR_SYNTAX, c->at, column_end(s->q, c), (Str){0}, fmt, STR_ARG(name));
}

static Err check_clashes(Settle *s) {
    const Query *q = s->q;
    for (int32_t i = 1; i < q->column_count; i++) {
        for (int32_t k = 0; k < i; k++) {
            if (!str_eq(q->columns[i].name, q->columns[k].name)) continue;
            return column_fails(s, &q->columns[i], "two columns are named %.*s: give one another name by AS");
        }
    }
    return ERR_OK;
}

static void add_column(Settle *s, int32_t count, QueryColumn c) {
    s->q->columns = query_room(s->a, s->q->columns, count, (int64_t)sizeof(QueryColumn));
    s->q->columns[count] = c;
}

// SELECT * of a JOIN or MATCH: each named alias becomes a column, and the path.
static Err settle_star(Settle *s) {
    Query *q = s->q;
    if (one_source(q)) {
        q->distinct = false; // no two rows are the same
        return ERR_OK;
    }
    q->star = false;
    for (int32_t i = 0; i < q->alias_count; i++) {
        QueryAlias *x = &q->aliases[i];
        if (x->name.n == 0) continue;
        Expr *e = NEW(s->a, Expr, 1);
        e->op = EX_PATH;
        e->at = x->at;
        e->end = x->at + (int32_t)x->name.n;
        e->segs = NEW(s->a, ExprSeg, 1);
        e->segs[0] = (ExprSeg){.name = x->name, .index = -1, .at = e->at, .end = e->end};
        e->seg_count = 1;
        add_column(s, q->column_count++,
                   (QueryColumn){.expr = e, .name = x->name, .alias = i, .group = -1, .at = x->at});
    }
    if (q->shortest_name.n) {
        add_column(s, q->column_count++,
                   (QueryColumn){.name = q->shortest_name, .alias = -1, .group = -1, .path = true});
    }
    if (q->column_count) return ERR_OK;
    return diag_add(s->d, ERR_SYNTAX, 0, q->text.n, (Str){0},
                    "SELECT * has nothing to show: give a twin or relationship an alias");
}

// ---- groups -------------------------------------------------------------------------------------------------------

static int32_t group_of(const Query *q, const Expr *e) {
    for (int32_t g = 0; g < q->group_count; g++) {
        if (same(q, q->groups[g], e)) return g;
    }
    return -1;
}

static Err settle_groups(Settle *s) {
    Query *q = s->q;
    if (q->group_count) q->aggregated = true;
    for (int32_t g = 0; g < q->group_count; g++) {
        Expr *e = q->groups[g];
        int32_t alias = whole_alias(q, e);
        if (alias >= 0) {
            const char *id = q->aliases[alias].kind == EXPR_TWIN ? "$dtId" : "$relationshipId";
            return FAIL(s, e, "group by a value, for instance %.*s.%s", STR_ARG(e->segs[0].name), id);
        }
        if (is_aggregate(e)) return FAIL(s, e, "GROUP BY takes values of rows, no aggregates");
        TRY(settle_row(s, e));
    }
    if (!q->aggregated) return ERR_OK;
    if (q->star) {
        return diag_add(s->d, ERR_SYNTAX, q->groups[0]->at, q->groups[0]->end, (Str){0},
                        "SELECT * does not go with GROUP BY: name columns");
    }
    for (int32_t i = 0; i < q->column_count; i++) {
        QueryColumn *c = &q->columns[i];
        if (c->agg != AGG_NONE) continue;
        if (c->expr && c->alias < 0) c->group = group_of(q, c->expr);
        if (c->group < 0) return column_fails(s, c, "%.*s is neither an aggregate nor one of the GROUP BY values");
    }
    return ERR_OK;
}

// The number of a column like c, made hidden when there is none.
static int32_t find_column(Settle *s, QueryColumn c) {
    Query *q = s->q;
    int32_t n = q->column_count + q->hidden_count;
    for (int32_t i = 0; i < n; i++) {
        const QueryColumn *x = &q->columns[i];
        bool alike = c.agg != AGG_NONE ? x->agg == c.agg && x->percent >= c.percent && x->percent <= c.percent &&
                                             same(q, x->expr, c.expr)
                                       : x->group == c.group && x->agg == AGG_NONE;
        if (alike) return i;
    }
    add_column(s, n, c);
    q->hidden_count++;
    return n;
}

static int32_t named_column(const Query *q, const Expr *e) {
    for (int32_t i = 0; e->op == EX_PATH && e->seg_count == 1 && i < q->column_count; i++) {
        if (str_eq(q->columns[i].name, e->segs[0].name)) return i;
    }
    return -1;
}

// The column that e as a whole is (a name, a group, an aggregate), in *out, or -1.
static Err column_of(Settle *s, Expr *e, int32_t *out) {
    *out = named_column(s->q, e);
    if (*out >= 0) return ERR_OK;
    int32_t group = group_of(s->q, e);
    if (group >= 0) {
        *out = find_column(s, (QueryColumn){.expr = s->q->groups[group], .alias = -1, .group = group, .at = e->at});
    } else if (is_aggregate(e)) {
        QueryColumn c = {.alias = -1, .group = -1, .at = e->at};
        TRY(settle_aggregate(s, e, &c));
        *out = find_column(s, c);
    }
    return ERR_OK;
}

// An expression over groups: what it names becomes slots. In place.
static Err settle_slots(Settle *s, Expr *e, const char *clause) {
    int32_t column;
    TRY(column_of(s, e, &column));
    if (column >= 0) {
        *e = (Expr){.op = EX_SLOT,
                    .at = e->at,
                    .end = e->end,
                    .name = str_sub(s->q->text, e->at, e->end),
                    .value = {.type = EXPR_I64, .i = column}};
        return ERR_OK;
    }
    if (e->op == EX_PATH || e->op == EX_SLOT) {
        Str name = brief(s, str_sub(s->q->text, e->at, e->end));
        return FAIL(s, e, "%s can speak of %.*s only when it is a column or a GROUP BY value", clause, STR_ARG(name));
    }
    if (e->op == EX_GRAPH) return FAIL(s, e, "%s can follow no relationships: it speaks of groups", clause);
    for (int32_t i = 0; i < e->arg_count; i++) TRY(settle_slots(s, e->args[i], clause));
    return ERR_OK;
}

// ---- order --------------------------------------------------------------------------------------------------------

// The projected column that is the same expression, or -1.
static int32_t same_column(const Query *q, const Expr *e) {
    for (int32_t i = 0; i < q->column_count; i++) {
        if (q->columns[i].agg == AGG_NONE && q->columns[i].expr && same(q, q->columns[i].expr, e)) return i;
    }
    return -1;
}

static Err settle_group_order(Settle *s, QueryOrder *o) {
    TRY(settle_slots(s, o->expr, "ORDER BY"));
    if (o->expr->op == EX_SLOT) o->column = (int32_t)o->expr->value.i;
    return ERR_OK;
}

static Err settle_row_order(Settle *s, QueryOrder *o) {
    const Query *q = s->q;
    Expr *e = o->expr;
    o->column = named_column(q, e);
    if (o->column < 0) o->column = same_column(q, e);
    if (o->column >= 0) {
        return q->columns[o->column].path ? FAIL(s, e, "a path has no order: ORDER BY its length") : ERR_OK;
    }
    int32_t alias = whole_alias(q, e);
    if (alias >= 0) {
        const char *id = q->aliases[alias].kind == EXPR_TWIN ? "$dtId" : "$relationshipId";
        return FAIL(s, e, "order by a value, for instance %.*s.%s", STR_ARG(e->segs[0].name), id);
    }
    if (is_aggregate(e)) return FAIL(s, e, "an aggregate orders groups: there are none here");
    return settle_row(s, e);
}

static Err settle_order(Settle *s, QueryOrder *o) {
    Query *q = s->q;
    const Expr *e = o->expr;
    TRY(settle_lengths(s, o->expr));
    if (q->aggregated) TRY(settle_group_order(s, o));
    else TRY(settle_row_order(s, o));
    if (o->column < 0 && e->op == EX_LITERAL && e->value.type == EXPR_I64)
        return FAIL(s, e, "ORDER BY takes a column by its name, not by its number");
    if (q->distinct && (o->column < 0 || o->column >= q->column_count)) {
        return FAIL(s, e, "ORDER BY of SELECT DISTINCT takes its columns");
    }
    if (o->column >= 0) o->expr = NULL;
    return ERR_OK;
}

// ---- history ------------------------------------------------------------------------------------------------------

// Columns whose past is told.
static Err settle_history(Settle *s) {
    Query *q = s->q;
    QueryHistory *h = &q->history;
    bool some = false;
    const char *wrong = q->star         ? "SELECT * does not go with HISTORY: name properties"
                        : q->aggregated ? "HISTORY tells values: it goes with neither aggregates nor GROUP BY; use FN"
                        : q->distinct   ? "HISTORY does not go with DISTINCT"
                                        : NULL;
    if (wrong) return diag_add(s->d, ERR_SYNTAX, h->at, h->end, (Str){0}, "%s", wrong);
    h->told = NEW(s->a, bool, q->column_count);
    for (int32_t i = 0; i < q->column_count; i++) {
        const QueryColumn *c = &q->columns[i];
        int32_t n = 0;
        if (c->path || c->alias >= 0)
            return column_fails(s, c, "%.*s has no single value to tell the history of: name a property");
        if (str_eq(c->name, STR("time"))) return column_fails(s, c, "%.*s is the time of a value: use AS here");
        const Expr *e = c->expr;
        const ExprSeg *segs = e->op == EX_PATH ? bare_segs(q, e, &n) : NULL;
        if (n > 1 && !one_source(q) && query_alias(q, e->segs[0].name) >= 0) segs++;
        h->told[i] = segs && segs[0].name.n && segs[0].name.p[0] != '$';
        some |= h->told[i];
    }
    if (some) return ERR_OK;
    return diag_add(s->d, ERR_SYNTAX, h->at, h->end, (Str){0}, "HISTORY wants a property in SELECT, as T.temperature");
}

Err query_settle(Arena *a, Query *q, Diag *d) {
    Settle s = {.a = a, .q = q, .d = d};
    if (q->star) TRY(settle_star(&s));
    else
        for (int32_t i = 0; i < q->column_count; i++) TRY(settle_column(&s, &q->columns[i]));
    TRY(check_clashes(&s));
    for (int32_t i = 0; q->distinct && i < q->column_count; i++) {
        if (q->columns[i].path) return column_fails(&s, &q->columns[i], "%.*s is never the same twice: no DISTINCT");
    }
    if (q->where) TRY(settle_row(&s, q->where));
    TRY(settle_groups(&s));
    if (q->having) TRY(settle_lengths(&s, q->having));
    if (q->having) TRY(settle_slots(&s, q->having, "HAVING"));
    for (int32_t i = 0; i < q->order_count; i++) TRY(settle_order(&s, &q->orders[i]));
    return q->history.on ? settle_history(&s) : ERR_OK;
}
