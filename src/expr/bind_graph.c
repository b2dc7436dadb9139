// SPDX-License-Identifier: Apache-2.0
// Aggregates over neighbours. The expression inside is bound once for each model a neighbour may have (and for each
// relationship, when it names the relationship): the arms. All arms give values of one type where they agree, in one
// unit always.
#include "base/check.h"
#include "expr/bind.h"

static GraphAgg agg_of(Str name) {
    static const Str names[] = {{"SUM", 3}, {"AVG", 3}, {"MIN", 3}, {"MAX", 3}, {"COUNT", 5}, {"ANY", 3}, {"ALL", 3}};
    for (int i = 0; i < 7; i++) {
        if (str_eq_nocase(name, names[i])) return (GraphAgg)i;
    }
    CHECK(!"the parser knows the aggregates");
    return GRAPH_SUM;
}

// ---- which links and models ---------------------------------------------------------------------------------------

static bool named(const Expr *e, Str rel) {
    for (int32_t i = 0; i < e->graph.rel_count; i++) {
        if (str_eq(e->graph.rels[i], rel)) return true;
    }
    return e->graph.rel_count == 0;
}

// A model that a table's twins have, or had before it was uploaded again.
static bool table_is(const Catalog *cat, uint32_t t, Str base) {
    return base.n == 0 || model_is(cat->tables[t].model, base);
}

// Tables a neighbour of table `from` may have by the models, into allowed[]. What a relationship allows may have
// changed after it was made: such neighbours are bound when they are met.
static void allow(const BoundGraph *g, uint32_t from, bool *allowed) {
    const Catalog *cat = g->catalog;
    for (int32_t k = 0; k < cat->kind_count; k++) {
        if (g->slots[k] < 0) continue;
        const Rel *rel = cat->kinds[k].rel;
        bool out = g->out && table_is(cat, from, rel->owner->id), in = g->in && table_is(cat, from, rel->target);
        for (int32_t t = 0; (out || in) && t < cat->table_count; t++) {
            if (out && table_is(cat, (uint32_t)t, rel->target)) allowed[t] = true;
            if (in && table_is(cat, (uint32_t)t, rel->owner->id)) allowed[t] = true;
        }
    }
}

static void see_link(void *ctx, const Expr *e, bool inside) {
    bool *seen = ctx;
    (void)inside;
    Str first = e->op == EX_PATH ? e->segs[0].name : e->graph.alias;
    if (str_eq(first, STR("R"))) *seen = true;
}

// R is an alias of the query; one of an aggregate around gives way to the inner one.
static bool link_taken(const Bind *c) {
    int32_t r = bind_alias(c, STR("R"));
    return r >= 0 && r < c->count - 2 * c->nest;
}

// Does the inside name the relationship?
static bool names_link(const Bind *c, const Expr *e) {
    bool seen = false;
    for (int i = 0; i < 2; i++) {
        if (e->args[i]) expr_walk(e->args[i], see_link, &seen);
    }
    return seen && !link_taken(c);
}

// The kinds meant, each with a number of its own when the inside names the relationship.
static void take_kinds(Bind *c, const Expr *e, BoundGraph *g) {
    bool each = names_link(c, e);
    g->kind_count = c->catalog->kind_count;
    g->slots = NEW(c->a, int32_t, g->kind_count + 1);
    for (int32_t k = 0; k < g->kind_count; k++) {
        bool meant = named(e, c->catalog->kinds[k].rel->name);
        g->slots[k] = !meant ? -1 : each ? g->slot_count++ : 0;
    }
    if (!each) g->slot_count = 1;
}

// ---- arms ---------------------------------------------------------------------------------------------------------

// The scope inside: all sources around, the neighbour, the relationship (as R, unless that is taken).
static Bind inner(const Bind *c, const BoundGraph *g, ExprSource *sources, uint32_t table, uint32_t kind) {
    Bind in = *c;
    if (g->inner) memcpy(sources, g->around, (size_t)g->inner * sizeof *sources);
    sources[g->inner] = (ExprSource){.kind = EXPR_TWIN, .table = table};
    sources[g->inner + 1] = (ExprSource){.alias = link_taken(c) ? STR("") : STR("R"), .kind = EXPR_LINK, .link = kind};
    in.sources = sources;
    in.count = g->inner + 2;
    in.bare = g->inner;
    in.nest++;
    return in;
}

static bool never(const Bound *test) {
    return test && bind_is_const(test) && !(test->type == EXPR_BOOL && test->value.b);
}

// Bring the value to the aggregate's unit; the first arm with a number sets it.
static Err fit_value(Bind *c, BoundGraph *g, Bound **value) {
    Bound *v = *value;
    if (!expr_is_number(v->type) && !(v->type == EXPR_ANY && v->unit.unit)) return ERR_OK;
    if (g->unit.unit == v->unit.unit && g->unit.derived == v->unit.derived && g->unit.span == v->unit.span)
        return ERR_OK;
    if (v->unit.plain) return ERR_OK;
    bool like =
        g->unit.unit && v->unit.unit && g->unit.unit->family == v->unit.unit->family && g->unit.span == v->unit.span;
    if (!like)
        return bind_fail(c, v->from,
                         "models of neighbours measure this differently (%s and %s): choose one with WHERE "
                         "IS_OF_MODEL('dtmi:...')",
                         g->unit.unit ? g->unit.unit->name : "no unit", v->unit.unit ? v->unit.unit->name : "no unit");
    *value = bind_scale(c, v, g->unit.unit, v->unit.span);
    return ERR_OK;
}

static Err bind_arm(Bind *c, BoundGraph *g, uint32_t table, uint32_t kind, bool *first, GraphArm *arm) {
    ExprSource sources[EXPR_SOURCES_MAX];
    Bind in = inner(c, g, sources, table, kind);
    const Expr *e = g->from;
    bool test = g->agg == GRAPH_ANY || g->agg == GRAPH_ALL;
    *arm = (GraphArm){.bound = true};
    TRY(bind_test(&in, e->args[1], &arm->where));
    if (!e->args[0] || never(arm->where)) return ERR_OK;
    if (test) return bind_test(&in, e->args[0], &arm->value);
    TRY(bind_expr(&in, e->args[0], &arm->value));
    if (g->agg == GRAPH_COUNT) return ERR_OK;
    if (*first && expr_is_number(arm->value->type) && !arm->value->unit.plain) {
        g->unit = arm->value->unit;
        *first = false;
    }
    return fit_value(&in, g, &arm->value);
}

// The sources of the scope live on with the tree: inner scopes of aggregates within point to them.
static Err bind_arms(Bind *c, BoundGraph *g, uint32_t from) {
    const Catalog *cat = c->catalog;
    bool *allowed = NEW(c->a, bool, cat->table_count + 1), first = true;
    g->table_count = cat->table_count;
    int64_t arms = (int64_t)cat->table_count * g->slot_count + 1;
    TRY(bind_room(c, g->from, arms / 8)); // as large as so many nodes
    g->arms = NEW(c->a, GraphArm, arms);
    allow(g, from, allowed);
    for (int32_t t = 0; t < cat->table_count; t++) {
        if (!allowed[t]) continue;
        for (int32_t k = 0; k < g->kind_count; k++) {
            int32_t slot = g->slots[k];
            GraphArm *arm = slot < 0 ? NULL : &g->arms[(int64_t)t * g->slot_count + slot];
            if (arm && !arm->bound) TRY(bind_arm(c, g, (uint32_t)t, (uint32_t)k, &first, arm));
        }
    }
    return ERR_OK;
}

GraphArm bind_graph_arm(const BoundGraph *g, const Catalog *catalog, Arena *a, uint32_t table, uint32_t kind) {
    int32_t nodes = 0;
    bool first = false;
    GraphArm arm;
    BoundGraph copy = *g;
    copy.catalog = catalog;
    Bind c = {.a = a,
              .catalog = catalog,
              .sources = g->around,
              .count = g->inner,
              .bare = g->bare,
              .nest = g->nest,
              .nodes = &nodes};
    if (bind_arm(&c, &copy, table, kind, &first, &arm) != ERR_OK) // no value that could be taken
        arm = (GraphArm){.bound = true,
                         .value = g->from->args[0] ? bind_undefined(&c, g->from) : NULL,
                         .where = bind_undefined(&c, g->from)};
    return arm;
}

// ---- the whole ----------------------------------------------------------------------------------------------------

static bool summable(ExprType t) { return expr_is_number(t) || t == EXPR_DURATION; }

// The type of the values of all arms; those that cannot be taken do not count.
static ExprType values_type(const BoundGraph *g) {
    ExprType type = EXPR_UNDEFINED;
    for (int64_t i = 0; i < (int64_t)g->table_count * g->slot_count; i++) {
        const Bound *v = g->arms[i].value;
        if (!v || v->type == EXPR_UNDEFINED) continue;
        bool sum = g->agg == GRAPH_SUM || g->agg == GRAPH_AVG;
        if (sum && !summable(v->type) && v->type != EXPR_ANY) continue;
        if (type != EXPR_UNDEFINED && type != v->type) return EXPR_ANY;
        type = v->type;
    }
    return type;
}

static ExprType graph_type(const BoundGraph *g) {
    switch (g->agg) {
    case GRAPH_COUNT: return EXPR_I64;
    case GRAPH_ANY:
    case GRAPH_ALL: return EXPR_BOOL;
    case GRAPH_AVG: return g->type == EXPR_I64 ? EXPR_F64 : g->type;
    case GRAPH_SUM: return g->type == EXPR_UNDEFINED ? EXPR_I64 : g->type;
    default: return g->type;
    }
}

static Err find_origin(Bind *c, const Expr *e, int32_t *origin) {
    Str alias = e->graph.alias;
    if (c->formula) return bind_fail(c, e, "there is no twin here whose neighbours could be meant");
    *origin = alias.n ? bind_alias(c, alias) : c->bare;
    if (*origin < 0 && alias.n) return bind_fail(c, e, "there is no alias %.*s", STR_ARG(alias));
    if (*origin < 0)
        return bind_fail(c, e, "there are several sources: say whose neighbours, as in %.*s(T->...)", STR_ARG(e->name));
    if (c->sources[*origin].kind != EXPR_TWIN) return bind_fail(c, e, "a relationship has no neighbours");
    return ERR_OK;
}

static Err check_rels(Bind *c, const Expr *e) {
    const Catalog *cat = c->catalog;
    for (int32_t i = 0; c->strict && i < e->graph.rel_count; i++) {
        Str *names = NEW(c->a, Str, cat->kind_count + 1), rel = e->graph.rels[i];
        bool found = false;
        for (int32_t k = 0; k < cat->kind_count; k++) {
            names[k] = cat->kinds[k].rel->name;
            found = found || str_eq(names[k], rel);
        }
        if (found) continue;
        Str near = expr_nearest(rel, names, cat->kind_count);
        if (near.n)
            return bind_fail(c, e, "no model has a relationship %.*s; did you mean %.*s?", STR_ARG(rel), STR_ARG(near));
        return bind_fail(c, e, "no model has a relationship %.*s", STR_ARG(rel));
    }
    return ERR_OK;
}

Err bind_graph(Bind *c, const Expr *e, Bound **out) {
    BoundGraph *g = NEW(c->a, BoundGraph, 1);
    *g = (BoundGraph){.from = e, .agg = agg_of(e->name), .out = e->graph.out, .in = e->graph.in, .catalog = c->catalog};
    bool value = g->agg != GRAPH_COUNT && g->agg != GRAPH_ANY && g->agg != GRAPH_ALL;
    TRY(find_origin(c, e, &g->origin));
    TRY(check_rels(c, e));
    if (value && !e->args[0])
        return bind_fail(c, e, "%.*s wants a value of the neighbours, as in %.*s(->contains.power)", STR_ARG(e->name),
                         STR_ARG(e->name));
    if (c->nest >= GRAPH_NEST_MAX)
        return diag_add(c->d, ERR_LIMIT, e->at, e->end, STR(""), "aggregates are nested more than %d deep",
                        GRAPH_NEST_MAX);
    g->inner = c->count;
    g->bare = c->bare;
    g->nest = c->nest;
    g->strict = c->strict;
    ExprSource *around = NEW(c->a, ExprSource, c->count + 1);
    memcpy(around, c->sources, (size_t)c->count * sizeof *around);
    g->around = around;
    take_kinds(c, e, g);
    g->type = EXPR_UNDEFINED;
    if (e->args[0] || e->args[1]) {
        TRY(bind_arms(c, g, c->sources[g->origin].table));
        g->type = values_type(g);
    }
    Bound *b = bind_node(c, BOUND_GRAPH, graph_type(g), e, 0);
    b->source = g->origin;
    b->graph = g;
    if (value) b->unit = g->unit;
    *out = b;
    return ERR_OK;
}
