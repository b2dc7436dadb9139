// SPDX-License-Identifier: Apache-2.0
// Match: the walk from one start along the steps of a plan, depth first, every combination once. Resumable: it stands
// where it is between calls. One thread at a time.
//
//   frames   one for each twin whose links are being tried: [step 0, hop 1] [step 0, hop 2] ... [step 1, hop 1] ...
//            each owns a run of `hops` (links by ascending id); the one before `at` is taken
//
// Invariants
//  1. Each frame's taken link is in `used` at the frame's number: a MATCH uses no link twice.
//  2. A path leaves before those that continue it (`deeper` remembers that they are still to come).
//  3. A variable-length step towards fixed twins takes no link that leads too far away from them (`guides`): twins at
//     most so many hops from the targets are found breadth first, once, as far as GUIDE_MAX of them.
//  4. Memory is the hops of the frames: depth times neighbours, told to the meter as it grows.
#pragma once
#include "query/run.h"

// A link of a twin, as met on the way.
typedef struct Hop {
    uint64_t link, other;
    uint32_t kind;
} Hop;

typedef struct Frame {
    int64_t first, at, end; // of hops
    int32_t step, depth;    // depth: hops of the step when one of these is taken
    bool deeper;            // the taken link is to be continued in the same step
} Frame;

typedef struct Walk {
    Exec *x;
    ExprRow rows[QUERY_ALIASES_MAX]; // by alias: what is bound
    uint32_t of[QUERY_ALIASES_MAX];
    Hop *hops;
    int64_t hop_count, hop_cap;
    Frame *frames;
    uint64_t *used; // used[0]: the link of a START_LINKS; used[i + 1]: frame i
    int32_t frame_count, frame_cap;
    struct Ball **guides; // by step: how far twins are from the fixed ones at its far end; NULL: not made
    bool whole;           // no step: the start itself is to be given out
    bool turned, turn;    // START_LINKS in either direction: turned round now; to be turned next
    Spot start;
} Walk;

// A walk of an Exec, which outlives it; release its memory.
void walk_init(Walk *w, Exec *x);
void walk_free(Walk *w);
// Stand on a start, which has passed the conjuncts of its alias. False: nothing begins there.
bool walk_start(Walk *w, const Spot *start);
// Bind alias k to a twin; false when it does not pass.
bool walk_stand(Walk *w, int32_t k, uint64_t twin);
// The next combination, in rows and of. False: no more from this start (or stopped: see exec_goes).
bool walk_next(Walk *w);
// The links of a variable-length edge in the present combination, from its left end; how many.
int32_t walk_path(const Walk *w, int32_t edge, uint64_t *out, int32_t max);
// Append the links of one twin that an edge takes, ascending by id. A link from a twin to itself comes once, also when
// both directions are asked for. Returns false when stopped.
bool walk_links(Exec *x, int32_t edge, uint64_t twin, bool out, bool in, Hop **hops, int64_t *count, int64_t *cap);
