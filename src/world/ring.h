// SPDX-License-Identifier: Apache-2.0
// Ring: bounded before-images of words, newest last (Neumann, Muehlbauer, Kemper, "Fast serializable multi-version
// concurrency control for main-memory database systems", SIGMOD 2015; here per page and word). One writer, many
// readers.
//
//   position:  0 .................. lost ......... floor (first not visible) ...... head
//              overwritten          readable       needed for undo                  next
//
// A position is reserved (head advances) before its record is written, so that a reader who copied a record can tell
// afterwards whether it was overwritten meanwhile. Positions are never reused, not even after a rollback.
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct RingRecord {
    _Atomic uint64_t seq;  // of the change
    _Atomic uint64_t old;  // the word before
    _Atomic uint32_t back; // how many positions back the page's record before lies; 0: none, RING_FAR: too far to tell
    _Atomic uint32_t word; // page_logical number in the page
    uint32_t vec;          // the rest is the writer's only; RING_DEAD: rolled back
    uint32_t page_no;
} RingRecord;

_Static_assert(sizeof(RingRecord) == 32, "two records a cache line");

#define RING_FAR UINT32_MAX
#define RING_DEAD ((uint32_t)1 << 31)

typedef struct Ring {
    uint64_t cap;              // records, power of two
    _Atomic uint64_t head;     // reserved up to here
    _Atomic uint64_t lost_seq; // newest sequence whose record was overwritten
    RingRecord records[];
} Ring;

// records: power of two >= 1,024. Memory is touched only as records are written.
Ring *ring_new(int64_t records);
void ring_free(Ring *r);
typedef struct RingImage {
    uint64_t seq, prev; // prev: position + 1 of the page's newest record so far, 0: none
    uint64_t old;
    uint32_t word, vec, page_no;
} RingImage;
// Append the before-image of one word; returns its position + 1. Writer only.
uint64_t ring_push(Ring *r, RingImage image);
// Position + 1 of the record before the one at `at` (position + 1) in its page's chain; 0: none.
uint64_t ring_prev(const Ring *r, uint64_t at);
// Rewind the n words numbered `words[]` (page_logical) of one page, already copied into out, along the chain at `undo`
// to sequence `seq`.
// False when a record needed was overwritten. Any thread. Cost: O(changes of that page since seq).
bool ring_undo(const Ring *r, uint64_t undo, uint64_t seq, const uint32_t *words, uint32_t n, uint64_t *out);
// Nobody reads what it has any more: as if all of it had been overwritten by changes up to `seq`. Writer only, with no
// record that may be needed for undo.
void ring_clear(Ring *r, uint64_t seq);
#define RING_LANES 4
// Words copied from a page: those numbered (page_logical) from[k] and on, size[k] of them, at lane[k]; NULL: none.
typedef struct RingLanes {
    uint32_t from[RING_LANES], size[RING_LANES];
    uint64_t *lane[RING_LANES];
} RingLanes;
// ring_undo for all of them: one walk of the chain.
bool ring_undo_lanes(const Ring *r, uint64_t undo, uint64_t seq, const RingLanes *to);
