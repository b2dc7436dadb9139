// SPDX-License-Identifier: Apache-2.0
// The calendar: a 4-ary heap ordered by (time, priority, twin, number).
#include "base/mem.h"
#include "sim/inner.h"

bool calendar_before(const Item *a, const Item *b) {
    if (a->t != b->t) return a->t < b->t;
    if (a->priority != b->priority) return a->priority < b->priority;
    if (a->twin != b->twin) return a->twin < b->twin;
    return a->seq < b->seq;
}

void calendar_push(Calendar *c, const Item *item) {
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 64;
        c->items = mem_grow(c->items, (size_t)c->cap * sizeof *c->items);
    }
    int64_t at = c->n++;
    for (; at > 0 && calendar_before(item, &c->items[(at - 1) / 4]); at = (at - 1) / 4)
        c->items[at] = c->items[(at - 1) / 4];
    c->items[at] = *item;
}

static int64_t first_child(const Calendar *c, int64_t at) {
    int64_t best = at * 4 + 1, end = best + 4 < c->n ? best + 4 : c->n;
    for (int64_t k = best + 1; k < end; k++) {
        if (calendar_before(&c->items[k], &c->items[best])) best = k;
    }
    return best;
}

bool calendar_pop(Calendar *c, sim_time t, Item *out) {
    if (c->n == 0 || c->items[0].t > t) return false;
    *out = c->items[0];
    Item last = c->items[--c->n];
    int64_t at = 0;
    while (at * 4 + 1 < c->n) {
        int64_t child = first_child(c, at);
        if (!calendar_before(&c->items[child], &last)) break;
        c->items[at] = c->items[child];
        at = child;
    }
    if (c->n) c->items[at] = last;
    return true;
}

// Those not after t are the top of the heap: a subtree ends at the first that is later.
static uint8_t lanes_below(const Calendar *c, int64_t at, sim_time t) {
    if (at >= c->n || c->items[at].t > t) return 0;
    uint8_t lanes = c->items[at].lanes;
    for (int64_t k = at * 4 + 1; k <= at * 4 + 4; k++) lanes |= lanes_below(c, k, t);
    return lanes;
}

uint8_t calendar_lanes(const Calendar *c, sim_time t) { return lanes_below(c, 0, t); }
