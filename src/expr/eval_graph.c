// SPDX-License-Identifier: Apache-2.0
// Aggregates over neighbours at run time: outgoing links first, then incoming ones, newest first in each.
#include "base/check.h"
#include "expr/bind.h"
#include "expr/eval.h"

typedef struct Walk {
    const Bound *b;
    const BoundGraph *g;
    ExprRun *run;
    ExprRow rows[EXPR_SOURCES_MAX];
    int64_t count;   // neighbours, or values that count
    ExprValue value; // sum or extreme so far
    bool bad;        // overflow, or values that do not compare
    bool unsure;     // ANY, ALL: one was undefined
    bool done;       // nothing can change any more
} Walk;

// ---- one neighbour ------------------------------------------------------------------------------------------------

static void add_value(Walk *w, const ExprValue *v) {
    bool number = expr_is_number(v->type) || v->type == EXPR_DURATION;
    if (!number) return;
    w->value = w->count++ == 0 ? *v : expr_value_arith(BOUND_ADD, &w->value, v);
    w->bad = w->done = w->value.type == EXPR_UNDEFINED;
}

static void add_extreme(Walk *w, const ExprValue *v, int sign) {
    if (v->type == EXPR_UNDEFINED || v->type == EXPR_NULL) return;
    int c = w->count++ == 0 ? sign : expr_compare(v, &w->value);
    w->bad = w->done = c == 2;
    if (c * sign > 0 && c != 2) w->value = *v;
}

static void add_test(Walk *w, const ExprValue *v) {
    bool any = w->g->agg == GRAPH_ANY;
    if (v->type != EXPR_BOOL) w->unsure = true;
    else if (v->b == any) w->count = 1, w->done = true;
}

static void add(Walk *w, const ExprValue *v) {
    switch (w->g->agg) {
    case GRAPH_SUM:
    case GRAPH_AVG: add_value(w, v); break;
    case GRAPH_MIN: add_extreme(w, v, -1); break;
    case GRAPH_MAX: add_extreme(w, v, 1); break;
    case GRAPH_COUNT: w->count += v->type != EXPR_UNDEFINED; break;
    case GRAPH_ANY:
    case GRAPH_ALL: add_test(w, v); break;
    }
}

// The expressions for this neighbour; bound now when the binder did not see the model coming.
static GraphArm arm_of(Walk *w, uint32_t table, uint32_t kind, int32_t slot) {
    const BoundGraph *g = w->g;
    if ((int32_t)table < g->table_count && (int32_t)kind < g->kind_count) {
        GraphArm arm = g->arms[(int64_t)table * g->slot_count + slot];
        if (arm.bound) return arm;
    }
    if (g->strict) return (GraphArm){0};
    return bind_graph_arm(g, w->run->view->catalog, w->run->scratch, table, kind);
}

// What a neighbour counts for that has neither value nor WHERE.
static const ExprValue HERE = {.type = EXPR_BOOL, .b = true};

static void visit(Walk *w, TwinId neighbour, LinkId link, uint32_t kind, int32_t slot) {
    const BoundGraph *g = w->g;
    if (!g->arms) {
        add(w, &HERE);
        return;
    }
    TwinView t = view_twin_place(w->run->view, neighbour);
    if (!t.alive) return;
    GraphArm arm = arm_of(w, t.table, kind, slot);
    if (!arm.bound) return;
    w->rows[g->inner] = (ExprRow){neighbour.v, t.row};
    w->rows[g->inner + 1] = (ExprRow){link.v, link.v};
    if (arm.where && !expr_test(arm.where, w->run, w->rows)) return;
    ExprValue v = arm.value ? expr_eval(arm.value, w->run, w->rows) : HERE;
    add(w, &v);
}

// ---- all of them --------------------------------------------------------------------------------------------------

// The slot of a link kind, -1 when it is not meant. Kinds that came after binding are told by their names.
static int32_t slot_of(const Walk *w, uint32_t kind) {
    const BoundGraph *g = w->g;
    if ((int32_t)kind < g->kind_count) return g->slots[kind];
    Str name = w->run->view->catalog->kinds[kind].rel->name;
    for (int32_t i = 0; i < g->from->graph.rel_count; i++) {
        if (str_eq(g->from->graph.rels[i], name)) return 0;
    }
    return g->from->graph.rel_count == 0 ? 0 : -1;
}

enum { ASK_AT = 256 }; // neighbours

bool expr_goes_on(ExprRun *run) {
    bool passed = run->visited_max && run->visited > run->visited_max;
    bool asked = run->goes && run->visited >= ASK_AT;
    if (passed || (asked && !run->goes(run->ctx))) run->stopped = true;
    return !run->stopped;
}

static void walk(Walk *w, LinkId first, bool out) {
    View *v = w->run->view;
    for (LinkId id = first; id.v && !w->done && !v->overrun && expr_goes_on(w->run);) {
        LinkView l = view_link(v, id);
        if (!l.alive) return;
        w->run->visited++;
        bool again = !out && w->g->out && l.source.v == l.target.v; // met among the outgoing ones
        int32_t slot = again ? -1 : slot_of(w, l.kind);
        if (slot >= 0) visit(w, out ? l.target : l.source, id, l.kind, slot);
        id = out ? l.next_out : l.next_in;
    }
}

static ExprValue mean(const Walk *w) {
    if (w->count == 0) return (ExprValue){.type = EXPR_UNDEFINED};
    ExprValue n = {.type = EXPR_I64, .i = w->count};
    return expr_value_arith(BOUND_DIV, &w->value, &n);
}

static ExprValue result(const Walk *w) {
    ExprValue none = {.type = EXPR_UNDEFINED};
    if (w->bad) return none;
    switch (w->g->agg) {
    case GRAPH_COUNT: return (ExprValue){.type = EXPR_I64, .i = w->count};
    case GRAPH_ANY: return w->count || !w->unsure ? (ExprValue){.type = EXPR_BOOL, .b = w->count > 0} : none;
    case GRAPH_ALL: return w->count || !w->unsure ? (ExprValue){.type = EXPR_BOOL, .b = w->count == 0} : none;
    case GRAPH_AVG: return mean(w);
    case GRAPH_SUM:
        return w->count ? w->value : (ExprValue){.type = w->g->type == EXPR_DURATION ? EXPR_DURATION : EXPR_I64};
    default: return w->count ? w->value : none;
    }
}

ExprValue expr_eval_graph(const Bound *b, ExprRun *run, const ExprRow *rows) {
    const BoundGraph *g = b->graph;
    Walk w;
    LinkId out, in;
    w = (Walk){.b = b, .g = g, .run = run};
    CHECK(g->inner + 2 <= EXPR_SOURCES_MAX);
    memcpy(w.rows, rows, (size_t)g->inner * sizeof *rows);
    view_twin_links(run->view, (TwinId){rows[g->origin].id}, &out, &in);
    if (g->out) walk(&w, out, true);
    if (g->in) walk(&w, in, false);
    ExprValue v = result(&w);
    if (b->type == EXPR_ANY || v.type == EXPR_UNDEFINED || v.type == b->type) return v;
    return expr_value_cast(&v, b->type, run->scratch);
}
