// SPDX-License-Identifier: Apache-2.0
// The values that a rule's condition reads, of the twin that set it off and of those it looks at: for people, and to
// tell what is too old to act on.
#include "engine/decide_inner.h"
#include "base/mem.h"

#define HOPS_MAX 64 // aggregates of one condition

// Twins behind a hop.
typedef struct Hop {
    uint64_t *items;
    int32_t count, cap;
} Hop;

typedef struct Reading {
    View *v;
    Work *w;
    int64_t now;
    Hop hops[HOPS_MAX + 1]; // the first is of the twin itself
    int32_t hop_count;
    Str stale; // a sentence about the first value that is too old
} Reading;

static void hop_add(Hop *h, uint64_t twin) {
    if (h->count == DECISION_VALUES_MAX) return; // more would not be kept
    if (h->count == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 16;
        h->items = mem_grow(h->items, (size_t)h->cap * sizeof *h->items);
    }
    h->items[h->count++] = twin;
}

// Neighbours of a twin along the relationships of the hop that leave it, or come in.
static void follow(Reading *x, const ExprHop *hop, Hop *to, uint64_t twin, bool in) {
    LinkId first[2];
    view_twin_links(x->v, (TwinId){twin}, &first[0], &first[1]);
    for (LinkId at = first[in]; at.v && !x->v->overrun;) {
        LinkView l = view_link(x->v, at);
        if (l.alive && (int32_t)l.kind < hop->kind_count && hop->kinds[l.kind] >= 0)
            hop_add(to, in ? l.source.v : l.target.v);
        at = in ? l.next_in : l.next_out;
    }
}

static int32_t on_hop(void *ctx, const ExprHop *hop) {
    Reading *x = ctx;
    if (x->hop_count > HOPS_MAX) return HOPS_MAX; // the last one takes what is too much
    const Hop *from = &x->hops[hop->parent < 0 ? 0 : hop->parent];
    Hop *to = &x->hops[x->hop_count];
    for (int32_t i = 0; i < from->count; i++) {
        if (hop->out) follow(x, hop, to, from->items[i], false);
        if (hop->in) follow(x, hop, to, from->items[i], true);
    }
    return x->hop_count++;
}

static void keep_value(Reading *x, const TwinView *at, const Field *f, uint32_t column, int64_t time_ns) {
    Decision *to = &x->w->x;
    Arena *a = &x->w->keep;
    Buf text = {0};
    if (to->value_count == DECISION_VALUES_MAX) return;
    show_value(x->v, column, at->row, &text);
    to->values[to->value_count++] = (DecisionValue){.twin = arena_str(a, text_str(&at->name)),
                                                    .property = arena_str(a, f->path),
                                                    .value = arena_str(a, buf_str(&text)),
                                                    .time_ns = time_ns};
    buf_free(&text);
}

static void note_value(Reading *x, uint64_t twin, uint32_t column) {
    const Table *t;
    const LinkKind *kind;
    TwinView at = view_twin(x->v, (TwinId){twin});
    const Field *f = catalog_field(x->v->catalog, column, &t, &kind);
    if (!at.alive || !f || t != &x->v->catalog->tables[at.table] || f->cell >= CELL_OBJECT) return;
    CellView c = view_cell(x->v, column, at.row);
    if (!c.valid) return;
    int64_t time = c.source_time ? c.source_time : c.update_time, fresh = x->w->rule.fresh_ns;
    keep_value(x, &at, f, column, time);
    if (!fresh || x->now - time <= fresh || x->stale.n) return;
    x->stale = arena_printf(&x->w->keep, "%.*s of %.*s is %.0f s old, at most %.0f s are allowed", STR_ARG(f->path),
                            STR_ARG(text_str(&at.name)), (double)(x->now - time) / 1e9, (double)fresh / 1e9);
}

static void on_column(void *ctx, int32_t hop, bool link, uint32_t column, bool inside) {
    Reading *x = ctx;
    (void)inside;
    const Hop *of = &x->hops[hop < 0 ? 0 : hop];
    for (int32_t i = 0; !link && i < of->count; i++) note_value(x, of->items[i], column);
}

Err work_values(View *v, Work *w, int64_t now, Str *stale) {
    TwinId twin = view_find_twin(v, w->x.twin);
    if (!twin.v) return ERR_TWIN_NOT_FOUND;
    Reading x = {.v = v, .w = w, .now = now, .hop_count = 1};
    ExprSource source = {.kind = EXPR_TWIN, .table = view_twin_place(v, twin).table};
    ExprScope scope = {.catalog = v->catalog, .sources = &source, .count = 1, .bare_first = true};
    ExprReads reads = {.ctx = &x, .hop = on_hop, .column = on_column};
    Arena tmp;
    Expr *expr = NULL;
    Bound *b = NULL;
    arena_init(&tmp, 4096);
    hop_add(&x.hops[0], twin.v);
    w->x.values = NEW(&w->keep, DecisionValue, DECISION_VALUES_MAX);
    w->x.value_count = 0;
    Err err = expr_parse(&tmp, w->rule.when, &expr, NULL);
    if (!err) err = expr_bind(&tmp, &scope, expr, &b, NULL);
    if (!err) expr_reads(b, &reads);
    *stale = x.stale;
    for (int32_t i = 0; i <= HOPS_MAX; i++) mem_free(x.hops[i].items);
    arena_free(&tmp);
    return err;
}
