// SPDX-License-Identifier: Apache-2.0
// Reach: breadth-first searches along one variable-length edge. Both visit every twin once a search, so a cyclic graph
// costs no more than its links.
//
//   ends      DISTINCT twins (or pairs) that some path of up to `max` hops joins: one search from all starts together
//             where the start itself is not asked for, else one from each
//   shortest  a path with the fewest hops for each pair of different ends, of several the one with the smallest link
//             ids from its left end on. Both ends fixed: from both sides at once (Pohl 1971), smaller frontier first;
//             then only twins on shortest paths are kept, and the path takes the smallest link at each of them. Else
//             one search from each start: in order of the smallest paths, so that the first way found is the one.
#pragma once
#include "query/gather.h"

// Search from all parts of the plan's start and hand over what is found. Errors are in x and the meter.
void reach_ends(Exec *x, const Parts *parts, const Out *out);
void reach_shortest(Exec *x, const Parts *parts, const Out *out);
