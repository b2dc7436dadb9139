// SPDX-License-Identifier: Apache-2.0
#include "world/lane.h"
#include "world/core.h"

_Static_assert(HOT_PLACE == 0, "LANE_PLACE");
_Static_assert(COLD_OUT == 2, "LANE_FIRST_OUT");
_Static_assert(LINK_SOURCE == 0, "LANE_LINK_KIND");
_Static_assert(LINK_RID == 2, "LANE_LINK_RID");

bool lane_place(uint64_t bits, uint32_t *table, uint64_t *row) {
    if (!bits) return false;
    *table = (uint32_t)(bits >> TABLE_SHIFT) - 1;
    *row = bits & (((uint64_t)1 << TABLE_SHIFT) - 1);
    return true;
}

bool lane_link_kind(uint64_t bits, uint32_t *kind) {
    if (!bits) return false;
    *kind = (uint32_t)(bits >> TABLE_SHIFT);
    return true;
}
