// SPDX-License-Identifier: Apache-2.0
// Every invariant of a state, counted from its items. For tests and debug builds.
#include "base/mem.h"
#include "flow/inner.h"

typedef struct Sum {
    uint32_t queue, busy, setting, done, belt, any;
    double stays;
} Sum;

static void add_item(const Flow *f, uint32_t i, Sum *sums, uint32_t *used) {
    const Item *x = &f->it[i];
    for (uint32_t k = 0; k < x->held_count; k++) used[x->held[k].resource - 1] += x->held[k].number;
    bool timed = timer_on(f, timer_item(f, i));
    if (x->at == AT_WAY) CHECK(timed && x->node == NONE);
    if (x->at == AT_DOOR || x->at == AT_PACKED) CHECK(!timed && x->node == NONE);
    if (x->at == AT_WAY || x->at == AT_DOOR || x->at == AT_PACKED) return;
    CHECK(x->node < f->m->nodes);
    const FlowNode *p = &f->pn[x->node].n;
    Sum *s = &sums[x->node];
    s->queue += x->at == AT_QUEUE;
    s->setting += x->at == AT_SETUP;
    s->busy += x->at == AT_SETUP || x->at == AT_SERVICE;
    s->done += x->at == AT_DONE;
    s->belt += x->at == AT_BELT;
    if (p->kind != FLOW_SOURCE) s->stays += f->h->now - fmax(x->entered, f->h->began);
    if (x->at == AT_DONE || x->at == AT_BELT) CHECK(!timed);
    if (x->at != AT_SETUP && x->at != AT_SERVICE) return;
    CHECK(timed == f->n[x->node].running);
    for (uint32_t k = 0; k < p->seize.count && !p->hold; k++)
        used[f->use[p->seize.first + k].resource - 1] += f->use[p->seize.first + k].number;
}

static void check_list(const Flow *f, uint32_t head, uint32_t tail, uint32_t at, uint32_t node) {
    uint32_t last = NONE;
    for (uint32_t i = head; i != NONE; i = f->it[i].next) {
        CHECK(f->it[i].prev == last);
        CHECK(node == NONE || f->it[i].node == node);
        CHECK(at == NONE || f->it[i].at == at);
        last = i;
    }
    CHECK(tail == last);
}

static uint32_t check_heap(const Flow *f, uint32_t i, uint32_t parent) {
    uint32_t n = 0;
    for (; i != NONE; i = f->it[i].next) {
        CHECK(parent == NONE || f->it[parent].key <= f->it[i].key);
        n += 1 + check_heap(f, f->it[i].child, i);
    }
    return n;
}

static void check_node(const Flow *f, uint32_t node, const Sum *s) {
    const Node *n = &f->n[node];
    const PNode *p = &f->pn[node];
    CHECK(n->queue == s->queue);
    CHECK(n->busy == s->busy);
    CHECK(n->setting == s->setting);
    CHECK(n->blocked == s->done);
    if (p->n.kind == FLOW_SOURCE || p->n.kind == FLOW_SINK) return;
    CHECK(n->inside == s->queue + s->busy + s->done + s->belt);
    if (p->n.discipline >= FLOW_PRIORITY) CHECK(check_heap(f, n->q_head, NONE) == n->queue);
    else if (!p->n.assemble) check_list(f, n->q_head, n->q_tail, p->n.kind == FLOW_CONVEYOR ? AT_BELT : AT_QUEUE, node);
    check_list(f, n->w_head, n->w_tail, NONE, NONE);
    check_list(f, n->a_head, n->a_tail, AT_DONE, node);
    double area = n->area_inside + (f->h->now - n->since) * n->inside, stays = n->stays + s->stays;
    CHECK(fabs(area - stays) <= 1e-6 * (1 + fabs(area)));
}

static void check_events(const Flow *f) {
    uint32_t on = 0, timers = timer_item(f, f->h->cap);
    for (uint32_t t = 0; t < timers; t++) {
        if (f->pos[t] == NONE) continue;
        on++;
        CHECK(f->pos[t] < f->h->heap_n);
        CHECK((f->heap[f->pos[t]].key & ((1u << TIMER_BITS) - 1)) == t);
        CHECK(f->heap[f->pos[t]].t >= f->h->now);
    }
    CHECK(on == f->h->heap_n);
    for (uint32_t k = 1; k < on; k++) CHECK(f->heap[(k - 1) / 4].t <= f->heap[k].t);
}

void flow_verify(const Flow *f) {
    Sum *sums = mem_alloc((f->m->nodes + 1) * sizeof *sums);
    uint32_t *used = mem_alloc((f->m->resources + 1) * sizeof *used), alive = 0;
    for (uint32_t i = 0; i < f->h->cap; i++) {
        if (f->it[i].at == AT_FREE) continue;
        alive++;
        add_item(f, i, sums, used);
    }
    CHECK(alive == f->h->alive);
    for (uint32_t i = 0; i < f->m->nodes; i++) check_node(f, i, &sums[i]);
    for (uint32_t i = 0; i < f->m->modes; i++) {
        if (f->mode[i].crew) used[f->pm[i].f.crew.resource - 1] += f->mode[i].crew;
    }
    for (uint32_t i = 0; i < f->m->resources; i++) CHECK(f->r[i].used == used[i]);
    check_events(f);
    CHECK(f->h->dirty_n == 0);
    CHECK(f->h->res_n == 0);
    mem_free(used);
    mem_free(sums);
}
