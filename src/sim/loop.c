// SPDX-License-Identifier: Apache-2.0
// The loop behind an instant without end: who moved whom in its last rounds, as a circle of cells and engines.
#include <math.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/inner.h"

enum { EDGES_MAX = 4096, SHOWN_MAX = 16 };

void trace_begin(Sim *s) {
    s->trace = mem_alloc(EDGES_MAX * sizeof *s->trace);
    s->trace_count = 0;
}

// One edge for each two engines: the cell that moves last, of one round the one that moves most.
void trace_add(Sim *s, const TraceEdge *e) {
    for (uint32_t i = 0; i < s->trace_count; i++) {
        TraceEdge *t = &s->trace[i];
        if (t->from != e->from || t->to != e->to) continue;
        if (t->round != s->stats.micro_steps || fabs(e->by) > fabs(t->by)) {
            *t = *e;
            t->round = s->stats.micro_steps;
        }
        return;
    }
    if (s->trace_count == EDGES_MAX) return;
    s->trace[s->trace_count] = *e;
    s->trace[s->trace_count++].round = s->stats.micro_steps;
}

typedef struct Walk {
    const Sim *s;
    uint8_t *state; // by instance: 1 on the way, 2 done
    uint32_t *way;  // edges
    uint32_t n, cycle;
    bool found;
} Walk;

// Depth first from instance `at`; recursion is as deep as there are engines in a chain. When it meets one that is on
// the way, way[cycle..n) is a circle.
static void walk(Walk *w, uint32_t at) {
    w->state[at] = 1;
    for (uint32_t i = 0; i < w->s->trace_count && !w->found; i++) {
        const TraceEdge *e = &w->s->trace[i];
        if (e->from != at || w->state[e->to] == 2) continue;
        w->way[w->n++] = i;
        if (w->state[e->to] == 1) {
            w->found = true;
            for (w->cycle = w->n - 1; w->s->trace[w->way[w->cycle]].from != e->to; w->cycle--) continue;
            return;
        }
        walk(w, e->to);
        if (!w->found) w->n--;
    }
    if (!w->found) w->state[at] = 2;
}

static void edge_print(const Sim *s, const TraceEdge *e, Buf *out) {
    inst_name(&s->insts[e->from], out);
    buf_printf(out, " moves ");
    sim_cell_name(s, e->column, e->row, out);
    buf_printf(out, " by %.6g", e->by);
    if (s->open.lanes > 1) buf_printf(out, " (lane %u)", e->lane);
    buf_printf(out, ", which ");
    inst_name(&s->insts[e->to], out);
    buf_printf(out, " reads");
}

static Err loop_said(Sim *s, const Walk *w) {
    Buf text = {0}, where = {0};
    const TraceEdge *first = &s->trace[w->way[w->cycle]];
    sim_cell_name(s, first->column, first->row, &where);
    for (uint32_t k = w->cycle; k < w->n && k < w->cycle + SHOWN_MAX; k++) {
        if (k > w->cycle) buf_printf(&text, "; ");
        edge_print(s, &s->trace[w->way[k]], &text);
    }
    if (w->n - w->cycle > SHOWN_MAX) buf_printf(&text, "; and %u more", w->n - w->cycle - SHOWN_MAX);
    Err e = diag_add(s->diag, ERR_SIM_LOOP, -1, -1, buf_str(&where),
                     "at %.17g s values still move each other after %d micro-steps: %.*s", s->now, s->open.micro_max,
                     STR_ARG(buf_str(&text)));
    buf_free(&text);
    buf_free(&where);
    return e;
}

Err loop_found(Sim *s, const Inst *i) {
    Walk w = {.s = s, .state = mem_alloc(s->wire->inst_count), .way = mem_alloc((s->trace_count + 1) * sizeof *w.way)};
    Err e;
    if (s->trace) walk(&w, i->number);
    for (uint32_t k = 0; s->trace && k < s->wire->inst_count && !w.found; k++) {
        if (!w.state[k]) walk(&w, k);
    }
    if (w.found) {
        e = loop_said(s, &w);
    } else {
        Buf name = {0};
        inst_name(i, &name);
        e = diag_add(s->diag, ERR_SIM_LOOP, -1, -1, buf_str(&name),
                     "at %.17g s it asks for the same instant again after %d micro-steps", s->now, s->open.micro_max);
        buf_free(&name);
    }
    mem_free(w.state);
    mem_free(w.way);
    return e;
}
