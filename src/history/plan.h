// SPDX-License-Identifier: Apache-2.0
// Which blocks of a page become one. Young blocks hold what a page got between two checkpoints; sixteen make one of the
// next tier, and so on, until a block is long. So each point is written again once a tier, and an instant lies behind
// few blocks.
#pragma once
#include "store/store.h"

#define MERGE_FAN 16                    // blocks that make one of the next tier
#define MERGE_POINTS (INT64_C(1) << 17) // points of a long block
#define MERGE_TIER_LONG 15              // merged no more
#define MERGE_TIER_START 3              // from here on a block has the state at its start, whatever it costs
#define MERGE_START_SHARE 8             // from tier 2 on: points for every row of the state, else it is left out

typedef struct MergePlan {
    int64_t first, count; // rows to merge
    int32_t tier;         // of the block they make, but MERGE_TIER_LONG when it turns out long
} MergePlan;

// What to merge first of the raw blocks of a page, ascending by time. False: nothing.
bool merge_plan(const StoreHistory *rows, int64_t n, MergePlan *out);
// The tier of a block with so many points and bytes that was to be of `tier`.
int32_t merge_tier(int32_t tier, int64_t points, int64_t bytes);
// Whether a merged block gets the state of `states` rows at its start.
bool merge_start(int32_t tier, int64_t points, int64_t states);
