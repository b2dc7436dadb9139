// SPDX-License-Identifier: Apache-2.0
// Ball: twins by their distance from one or several, found breadth first along one variable-length edge. Every twin is
// in it once, so a cyclic graph costs no more than its links. Memory is told to the meter. One thread at a time.
#pragma once
#include "query/match.h"

typedef struct Near {
    uint64_t id, link; // link: the one it was reached by, 0: a start
    int64_t from;      // number of the twin before it
    int64_t root;      // number of the start it was reached from
    uint64_t branch;   // first link of the way from there
    int32_t hops;
    bool good; // lies on a shortest path
} Near;

typedef struct Ball {
    Exec *x;
    int32_t edge;
    bool out, in; // lists it follows
    Near *list;   // in order of discovery
    int64_t n, cap;
    int64_t *slots; // number + 1 by id; open addressing
    int64_t slot_cap;
    int64_t level; // first of the newest level
    int32_t hops;  // of the newest level
    Hop *links;    // of one twin
    int64_t link_count, link_cap;
} Ball;

// Start with nothing; follow leaving (out) and entering (in) links that an edge takes. Release.
void ball_init(Ball *b, Exec *x, int32_t edge, bool out, bool in);
void ball_free(Ball *b);
// A twin, or NULL when it is not there. Valid until the next twin is added.
Near *ball_find(const Ball *b, uint64_t id);
// Add a twin that is new. False: it is known, or there is no room (see exec_goes).
bool ball_add(Ball *b, uint64_t id, uint64_t link, int64_t from, int32_t hops);
// One hop further from everything in the newest level. False: nothing new, or stopped.
bool ball_grow(Ball *b);
// Ask for the cache line of the i-th twin's links; nothing when there is none.
void ball_prefetch(const Ball *b, int64_t i);
