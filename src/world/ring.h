// SPDX-License-Identifier: Apache-2.0
// Ring: bounded before-images of words, newest last (Neumann, Muehlbauer, Kemper, "Fast serializable multi-version
// concurrency control for main-memory database systems", SIGMOD 2015; here per page and word). One writer, many readers.
//
//   position:  0 .................. lost ......... floor (first not visible) ...... head
//              overwritten          readable       needed for undo                  next
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// A batch may log at most this part of the ring; the engine keeps at least this much room before it starts one.
#define RING_ROOM_DIVISOR 2

typedef struct RingRecord {
    _Atomic uint64_t seq;  // of the change
    _Atomic uint64_t prev; // position + 1 of the page's record before, 0: none
    _Atomic uint64_t old;  // the word before
    _Atomic uint32_t word;
    uint32_t vec;
    uint32_t page_no;
    uint32_t dead; // rolled back; only the writer looks
} RingRecord;

typedef struct Ring {
    uint64_t cap; // records, power of two
    _Atomic uint64_t head;     // reserved up to here
    _Atomic uint64_t lost_seq; // newest sequence whose record was overwritten
    RingRecord records[];
} Ring;

Ring *ring_new(int64_t records);
void ring_free(Ring *r);
// Append; returns position + 1. Writer only.
uint64_t ring_push(Ring *r, uint64_t seq, uint64_t prev, uint64_t old, uint32_t vec, uint32_t page_no, uint32_t word);
// Rewind words [first, first + n) of one page, copied into out, from the chain at `undo` to sequence `seq`.
// False when a record needed was overwritten. Any thread.
bool ring_undo(const Ring *r, uint64_t undo, uint64_t seq, uint32_t first, uint32_t n, uint64_t *out);
