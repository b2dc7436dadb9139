// SPDX-License-Identifier: Apache-2.0
// Lanes of a world's own words, and what the words say: for who reads lives out of histories. Any thread; pure.
#pragma once
#include "world/trail.h"
#include "world/world.h"

// The places of a twin by its id: one record whenever it begins, ends, or changes its model.
#define LANE_PLACE trail_lane(VECNO_HOT, 0)
// The head of a twin's list of outgoing links, by the twin's id: every link that ever began there stood in it once.
#define LANE_FIRST_OUT trail_lane(VECNO_COLD, 2)
// The kind of a link by its id, with its source; and its relationship id (text).
#define LANE_LINK_KIND trail_lane(VECNO_LINK, 0)
#define LANE_LINK_RID trail_lane(VECNO_LINK, 2)

// Where a place's word says that the twin is; false: nowhere, it is dead.
bool lane_place(uint64_t bits, uint32_t *table, uint64_t *row);
// The kind that the word of LANE_LINK_KIND tells; false: there is no link.
bool lane_link_kind(uint64_t bits, uint32_t *kind);
