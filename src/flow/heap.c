// SPDX-License-Identifier: Apache-2.0
// The events: a 4-ary heap by (time, sequence), which knows where each timer's event is. Four entries of 16 bytes are a
// cache line. The event at work stays at the root while it is handled (flow/run.c): setting its timer again moves it
// down from there, which is most of what happens.
#include "flow/inner.h"

__extension__ typedef unsigned __int128 Wide;

// Times are not negative (nor -0), so they are ordered as their bits are: one comparison without a branch.
static inline bool before(HeapEntry a, HeapEntry b) {
    uint64_t x, y;
    memcpy(&x, &a.t, sizeof x);
    memcpy(&y, &b.t, sizeof y);
    return ((Wide)x << 64 | a.key) < ((Wide)y << 64 | b.key);
}

static inline uint32_t timer_of(HeapEntry e) { return (uint32_t)e.key & ((1u << TIMER_BITS) - 1); }

static void up(Flow *f, uint32_t at, HeapEntry e) {
    HeapEntry *h = f->heap;
    while (at > 0) {
        uint32_t parent = (at - 1) / 4;
        if (!before(e, h[parent])) break;
        h[at] = h[parent];
        f->pos[timer_of(h[at])] = at;
        at = parent;
    }
    h[at] = e;
    f->pos[timer_of(e)] = at;
}

static void down(Flow *f, uint32_t at, HeapEntry e) {
    HeapEntry *h = f->heap;
    uint32_t n = f->h->heap_n;
    for (;;) {
        uint32_t child = 4 * at + 1, end = child + 4 < n ? child + 4 : n, best = child;
        if (child >= n) break;
        for (uint32_t k = child + 1; k < end; k++) {
            if (before(h[k], h[best])) best = k;
        }
        if (!before(h[best], e)) break;
        h[at] = h[best];
        f->pos[timer_of(h[at])] = at;
        at = best;
    }
    h[at] = e;
    f->pos[timer_of(e)] = at;
}

void timer_set(Flow *f, uint32_t timer, double t) {
    if (!(t < (double)INFINITY)) {
        timer_cancel(f, timer);
        return;
    }
    CHECK(t >= 0);
    HeapEntry e = {t + 0.0, f->h->seq++ << TIMER_BITS | timer};
    uint32_t at = f->pos[timer];
    if (at == NONE) {
        at = f->h->heap_n++;
        up(f, at, e);
    } else if (before(e, f->heap[at])) up(f, at, e);
    else down(f, at, e);
}

void timer_cancel(Flow *f, uint32_t timer) {
    uint32_t at = f->pos[timer];
    if (at == NONE) return;
    f->pos[timer] = NONE;
    HeapEntry last = f->heap[--f->h->heap_n];
    if (at == f->h->heap_n) return;
    if (at > 0 && before(last, f->heap[(at - 1) / 4])) up(f, at, last);
    else down(f, at, last);
}
