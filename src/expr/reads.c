// SPDX-License-Identifier: Apache-2.0
// What a bound expression depends on.
#include "base/check.h"
#include "expr/bind.h"

typedef struct Reader {
    ExprReads *r;
    int32_t hop[EXPR_SOURCES_MAX]; // of each source; -1: the row itself
} Reader;

static void read_node(Reader *x, const Bound *b);

static void read_field(Reader *x, const Bound *b) {
    if (b->field == FIELD_ETAG || b->field == FIELD_UPDATE_TIME || b->field == FIELD_SELF) x->r->whole = true;
}

// Sources inside of an aggregate: the neighbour, then the relationship.
static bool is_link(const Reader *x, int32_t source) { return x->hop[source] >= 0 && source % 2 == 0; }

static void read_column(Reader *x, const Bound *b) {
    bool inside = b->leaf->cell >= CELL_OBJECT;
    x->r->column(x->r->ctx, x->hop[b->source], is_link(x, b->source), b->column, inside);
}

static void read_past(Reader *x, const Bound *b) {
    const Bound *span = b->args[1];
    int64_t ns = span->op == BOUND_CONST && span->type == EXPR_DURATION ? span->value.i : 0;
    read_column(x, b);
    x->r->clock = true;
    if (x->r->past) x->r->past(x->r->ctx, x->hop[b->source], is_link(x, b->source), b->column, ns);
}

static void read_graph(Reader *x, const Bound *b) {
    const BoundGraph *g = b->graph;
    ExprHop hop = {.from = g->from,
                   .parent = x->hop[g->origin],
                   .out = g->out,
                   .in = g->in,
                   .kinds = g->slots,
                   .kind_count = g->kind_count};
    CHECK(g->inner + 2 <= EXPR_SOURCES_MAX);
    x->hop[g->inner] = x->hop[g->inner + 1] = x->r->hop(x->r->ctx, &hop);
    int64_t arms = g->arms ? (int64_t)g->table_count * g->slot_count : 0;
    for (int64_t i = 0; i < arms; i++) {
        if (g->arms[i].value) read_node(x, g->arms[i].value);
        if (g->arms[i].where) read_node(x, g->arms[i].where);
    }
}

static void read_node(Reader *x, const Bound *b) {
    switch (b->op) {
    case BOUND_CELL:
    case BOUND_CELL_UPDATE:
    case BOUND_CELL_SOURCE:
    case BOUND_OBJECT: read_column(x, b); break;
    case BOUND_FIELD: read_field(x, b); break;
    case BOUND_GRAPH: read_graph(x, b); break;
    case BOUND_SPAN: read_past(x, b); break;
    default: break;
    }
    if (b->op == BOUND_CALL && b->func == FUNC_NOW) x->r->clock = true;
    for (int32_t i = 0; i < b->arg_count; i++) read_node(x, b->args[i]);
}

void expr_reads(const Bound *b, ExprReads *r) {
    Reader x = {.r = r};
    for (int32_t i = 0; i < EXPR_SOURCES_MAX; i++) x.hop[i] = -1;
    read_node(&x, b);
}
