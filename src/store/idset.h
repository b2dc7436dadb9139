// SPDX-License-Identifier: Apache-2.0
// IdSet: which stored blocks a root names. One thread at a time.
//
// Filled in any order with idset_add, then put in order once with idset_sort; all other functions want a sorted set.
#pragma once
#include "base/buf.h"
#include "base/err.h"

typedef struct IdSet {
    uint64_t *ids; // ascending without doubles once sorted
    int64_t count, cap;
} IdSet;

// Append one id.
void idset_add(IdSet *s, uint64_t id);
// Order and drop doubles. Cost: O(n) when the ids came ascending, else O(n log n).
void idset_sort(IdSet *s);
// Place of `id`, or -1. Cost: O(log n).
int64_t idset_find(const IdSet *s, uint64_t id);
// Append to `out` what is in a and not in b; b may be empty. Cost: O(n).
void idset_minus(const IdSet *a, const IdSet *b, IdSet *out);
// Every id of a is in b.
bool idset_within(const IdSet *a, const IdSet *b);
// Bytes: count, then the distances between neighbours, as varints.
void idset_encode(const IdSet *s, Buf *out);
// The reverse into an empty set. Errors: CORRUPT (out is left empty).
MUST Err idset_decode(Str bytes, IdSet *out);
// Release; the set is empty and usable again.
void idset_free(IdSet *s);
