// SPDX-License-Identifier: Apache-2.0
#include "world/ring.h"
#include "base/check.h"
#include "base/mem.h"

Ring *ring_new(int64_t records) {
    CHECK(records >= 1024 && (records & (records - 1)) == 0);
    Ring *r = mem_alloc(sizeof *r + (size_t)records * sizeof r->records[0]);
    r->cap = (uint64_t)records;
    return r;
}

void ring_free(Ring *r) { mem_free(r); }

static uint32_t distance(uint64_t from, uint64_t to) {
    return to == 0 ? 0 : from - to < RING_FAR ? (uint32_t)(from - to) : RING_FAR;
}

static uint64_t step_back(uint64_t at, uint32_t back) { return back ? at - back : 0; }

uint64_t ring_push(Ring *r, RingImage image) {
    uint64_t at = atomic_load_explicit(&r->head, memory_order_relaxed);
    RingRecord *rec = &r->records[at & (r->cap - 1)];
    if (at >= r->cap) {
        uint64_t lost = atomic_load_explicit(&rec->seq, memory_order_relaxed);
        if (lost > atomic_load_explicit(&r->lost_seq, memory_order_relaxed))
            atomic_store_explicit(&r->lost_seq, lost, memory_order_relaxed);
    }
    atomic_store_explicit(&r->head, at + 1, memory_order_release); // with the lost_seq that belongs to it
    atomic_thread_fence(memory_order_release); // readers that see the record torn also see the new head
    atomic_store_explicit(&rec->seq, image.seq, memory_order_relaxed);
    atomic_store_explicit(&rec->old, image.old, memory_order_relaxed);
    atomic_store_explicit(&rec->back, distance(at + 1, image.prev), memory_order_relaxed);
    atomic_store_explicit(&rec->word, image.word, memory_order_relaxed);
    rec->vec = image.vec;
    rec->page_no = image.page_no;
    return at + 1;
}

uint64_t ring_prev(const Ring *r, uint64_t at) {
    return step_back(at, atomic_load_explicit(&r->records[(at - 1) & (r->cap - 1)].back, memory_order_relaxed));
}

bool ring_undo(const Ring *r, uint64_t undo, uint64_t seq, const uint32_t *words, uint32_t n, uint64_t *out) {
    while (undo) {
        const RingRecord *rec = &r->records[(undo - 1) & (r->cap - 1)];
        uint64_t rec_seq = atomic_load_explicit(&rec->seq, memory_order_relaxed);
        uint64_t old = atomic_load_explicit(&rec->old, memory_order_relaxed);
        uint32_t back = atomic_load_explicit(&rec->back, memory_order_relaxed);
        uint32_t word = atomic_load_explicit(&rec->word, memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);
        if (head - (undo - 1) > r->cap) { // overwritten: fine only when everything lost is old enough
            return atomic_load_explicit(&r->lost_seq, memory_order_relaxed) <= seq;
        }
        if (rec_seq <= seq) return true;
        for (uint32_t i = 0; i < n; i++) {
            if (words[i] == word) out[i] = old;
        }
        if (back == RING_FAR) return atomic_load_explicit(&r->lost_seq, memory_order_relaxed) <= seq;
        undo = step_back(undo, back);
    }
    return true;
}
