// SPDX-License-Identifier: Apache-2.0
#include "history/plan.h"

// The first run of blocks up to `tier` with many of that tier, or many points. Younger ones behind the last of that
// tier wait for their own kind.
static bool plan_tier(const StoreHistory *rows, int64_t n, int32_t tier, MergePlan *out) {
    int64_t from = 0, to = 0, of_tier = 0, points = 0;
    for (int64_t i = 0; i <= n; i++) {
        bool in = i < n && rows[i].tier <= tier;
        if (in) points += rows[i].points;
        if (in && (rows[i].tier == tier || points >= MERGE_POINTS)) {
            of_tier++;
            to = i + 1;
        }
        if (in && points < MERGE_POINTS) continue;
        if (of_tier >= MERGE_FAN || points >= MERGE_POINTS) {
            *out = (MergePlan){from, to - from, tier + 1};
            return true;
        }
        from = i + 1;
        of_tier = points = 0;
    }
    return false;
}

bool merge_plan(const StoreHistory *rows, int64_t n, MergePlan *out) {
    for (int32_t tier = 0; tier < MERGE_TIER_LONG; tier++)
        if (plan_tier(rows, n, tier, out)) return true;
    return false;
}

int32_t merge_tier(int32_t tier, int64_t points, int64_t bytes) {
    return points >= MERGE_POINTS / 2 || bytes >= STORE_SLICE_BYTES / 2 ? MERGE_TIER_LONG : tier;
}

bool merge_start(int32_t tier, int64_t points, int64_t states) {
    if (tier >= MERGE_TIER_START) return true;
    return tier == MERGE_TIER_START - 1 && points >= states * MERGE_START_SHARE;
}
