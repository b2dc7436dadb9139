// SPDX-License-Identifier: Apache-2.0
#include "world/ring.h"
#include "base/check.h"
#include "base/mem.h"

static size_t ring_bytes(int64_t records) { return sizeof(Ring) + (size_t)records * sizeof(RingRecord); }

Ring *ring_new(int64_t records) {
    CHECK(records >= 1024 && (records & (records - 1)) == 0);
    Ring *r = mem_map(ring_bytes(records));
    r->cap = (uint64_t)records;
    return r;
}

void ring_free(Ring *r) {
    if (r) mem_unmap(r, ring_bytes((int64_t)r->cap));
}

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

// A record as a reader finds it.
typedef struct Found {
    uint64_t seq, old;
    uint32_t back, word;
    bool whole; // not overwritten meanwhile
} Found;

static inline Found find_record(const Ring *r, uint64_t undo) {
    const RingRecord *rec = &r->records[(undo - 1) & (r->cap - 1)];
    Found f = {
        .seq = atomic_load_explicit(&rec->seq, memory_order_relaxed),
        .old = atomic_load_explicit(&rec->old, memory_order_relaxed),
        .back = atomic_load_explicit(&rec->back, memory_order_relaxed),
        .word = atomic_load_explicit(&rec->word, memory_order_relaxed),
    };
    atomic_thread_fence(memory_order_acquire);
    f.whole = atomic_load_explicit(&r->head, memory_order_acquire) - (undo - 1) <= r->cap;
    return f;
}

// Where the chain is lost: fine only when everything lost is old enough.
static bool old_enough(const Ring *r, uint64_t seq) {
    return atomic_load_explicit(&r->lost_seq, memory_order_relaxed) <= seq;
}

bool ring_undo(const Ring *r, uint64_t undo, uint64_t seq, const uint32_t *words, uint32_t n, uint64_t *out) {
    while (undo) {
        Found f = find_record(r, undo);
        if (!f.whole) return old_enough(r, seq);
        if (f.seq <= seq) return true;
        for (uint32_t i = 0; i < n; i++) {
            if (words[i] == f.word) out[i] = f.old;
        }
        if (f.back == RING_FAR) return old_enough(r, seq);
        undo = step_back(undo, f.back);
    }
    return true;
}

bool ring_undo_lanes(const Ring *r, uint64_t undo, uint64_t seq, const RingLanes *to) {
    while (undo) {
        Found f = find_record(r, undo);
        if (!f.whole) return old_enough(r, seq);
        if (f.seq <= seq) return true;
        for (uint32_t k = 0; k < RING_LANES; k++) {
            if (to->lane[k] && f.word - to->from[k] < to->size[k]) to->lane[k][f.word - to->from[k]] = f.old;
        }
        if (f.back == RING_FAR) return old_enough(r, seq);
        undo = step_back(undo, f.back);
    }
    return true;
}

void ring_clear(Ring *r, uint64_t seq) {
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed), used = head < r->cap ? head : r->cap;
    if (atomic_load_explicit(&r->lost_seq, memory_order_relaxed) < seq)
        atomic_store_explicit(&r->lost_seq, seq, memory_order_relaxed);
    atomic_store_explicit(&r->head, head + r->cap, memory_order_release); // positions are never used again
    atomic_thread_fence(memory_order_release);                            // as in ring_push
    mem_map_clear(r->records, used * sizeof *r->records);
}
