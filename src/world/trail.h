// SPDX-License-Identifier: Apache-2.0
// Trail: what a batch did to the words of a world, one record a write, in order. History is made of it: whoever applies
// the records of all batches up to an instant to empty vectors has the world of that instant, word for word, but for
//   - META_SEQ and META_TIME, which every batch moves and no record tells;
//   - HOT_TIME after a SET: the time of a twin is the latest of its word and the update times of its valid cells.
// The trail is a function of the batch and the world before it: a journal that is replayed gives the same records.
//
// A *lane* numbers what has a history of its own: one word of an untimed vector, or a timed vector.
#pragma once
#include "world/world.h"

// ORDER TRAIL: stored.
typedef enum TrailKind {
    TRAIL_WORD = 1,  // vec, word, row: bits. Of an untimed vector
    TRAIL_TEXT,      // vec, word (the first of two), row: text. Of an untimed vector
    TRAIL_PUT,       // a cell: value, source_time (0: what stood stays); its update time is the batch's
    TRAIL_CLEAR,     // a cell: no value and no times any more
    TRAIL_SOURCE,    // a cell: source_time of the value as it is
    TRAIL_MOVED,     // a cell: value, source_time, update_time as they stood in another table
    TRAIL_LATE,      // a value by its own time that moved nothing: value, source_time
    TRAIL_TELEMETRY, // row: of the twin in its table; vec: TRAIL_TELEMETRY_VEC + table; text: as in CHANGE_TELEMETRY
    TRAIL_DEAD,      // row: id of a twin that was deleted; text: its name
    TRAIL_KIND_COUNT
} TrailKind;

#define TRAIL_TELEMETRY_VEC 0x40000000u // + table: telemetry of the twins of a table, by row

typedef struct TrailPoint {
    uint8_t kind; // TrailKind
    uint8_t cell; // CellKind of a cell
    uint8_t word;
    uint32_t vec;
    uint64_t row;
    uint64_t bits; // value of WORD and of cells without text
    Str text;      // value of TEXT and of text cells
    int64_t source_time, update_time;
} TrailPoint;

// A lane of a vector's word; timed vectors have word 0 only.
static inline uint64_t trail_lane(uint32_t vec, uint32_t word) { return (uint64_t)vec << 3 | word; }
static inline uint32_t lane_vec(uint64_t lane) { return (uint32_t)(lane >> 3); }
static inline uint32_t lane_word(uint64_t lane) { return (uint32_t)(lane & 7); }

// Lanes that tell of lives: where a twin stands (trail_place), its name, a relationship's ends (id in the low 36 bits)
// and id.
#define LANE_PLACE trail_lane(VECNO_HOT, 0)
#define LANE_NAME trail_lane(VECNO_COLD, 0)
#define LANE_LINK_SOURCE trail_lane(VECNO_LINK, 0)
#define LANE_LINK_TARGET trail_lane(VECNO_LINK, 1)
#define LANE_LINK_RID trail_lane(VECNO_LINK, 2)
#define LANE_ID_MASK (((uint64_t)1 << 36) - 1)
// False: the twin is nowhere.
static inline bool trail_place(uint64_t bits, uint32_t *table, uint64_t *row) {
    if (!bits) return false;
    *table = (uint32_t)(bits >> 40) - 1;
    *row = bits & (((uint64_t)1 << 40) - 1);
    return true;
}

// The next record of a trail; texts are borrowed. False at the end. CHECKs that the bytes are a trail: they never come
// from outside.
bool trail_next(Cut *c, TrailPoint *out);
// Append one, as the world does.
void trail_put(Buf *b, const TrailPoint *p);
