// SPDX-License-Identifier: Apache-2.0
// History blocks: points of up to 1,024 rows of one lane, as bytes. Lossless: every double bit for bit, integers,
// texts, gaps, late and repeated points. Self-contained: a reader needs nothing but the bytes (the SQLite extension
// reads them outside of Sosia).
//
//   block: head (magic, version, cell kind, counts) | batches (seq, time, source) | directory of row groups
//          | frame a group: start state of its rows (when the block has one), then their points | checks
//
// A frame holds whole rows, several when they have few points, and is compressed by itself, so that one series is read
// without its neighbours. Any thread; memory of the caller.
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define HBLOCK_ROWS 1024
#define HBLOCK_POINTS_MAX (1 << 22) // of a block
#define HBLOCK_TEXT_MAX (1 << 28)   // bytes of the distinct texts of a frame

// ORDER HCELL: stored.
typedef enum HCell { HCELL_F64 = 1, HCELL_I64, HCELL_BOOL, HCELL_WORD, HCELL_TEXT } HCell;

// ORDER HPOINT: stored. As TrailKind of world/trail.h, by what a cell went through.
typedef enum HPointKind {
    HPOINT_PUT = 1, // value, source_time (0: what stood stays)
    HPOINT_CLEAR,
    HPOINT_SOURCE, // source_time
    HPOINT_MOVED,  // value, source_time, update_time
    HPOINT_LATE,   // value, source_time
} HPointKind;

// A batch that points came in.
typedef struct HBatch {
    uint64_t seq;
    int64_t time;    // arrival, ns; ascending with seq
    uint32_t source; // number in HBlockIn.sources: who sent it
} HBatch;

typedef struct HPoint {
    uint32_t batch; // number in batches
    uint16_t row;
    uint8_t kind;
    int64_t source_time; // ns; 0: none
    int64_t update_time; // MOVED
    uint64_t bits;       // value but of HCELL_TEXT
    Str text;            // value of HCELL_TEXT
} HPoint;

// One row's state before the first point of a block.
typedef struct HState {
    bool valid;
    uint64_t bits;
    Str text;
    int64_t update_time, source_time;
} HState;

// What a point does to the state of its row; `time` is that of its batch. Texts stay borrowed.
static inline void hstate_apply(HState *s, const HPoint *p, int64_t time) {
    if (p->kind == HPOINT_CLEAR) *s = (HState){0};
    if (p->kind == HPOINT_CLEAR || p->kind == HPOINT_LATE) return;
    if (p->kind != HPOINT_PUT || p->source_time) s->source_time = p->source_time;
    if (p->kind == HPOINT_SOURCE) return;
    s->valid = true;
    s->bits = p->bits;
    s->text = p->text;
    s->update_time = p->kind == HPOINT_MOVED ? p->update_time : time;
}

typedef struct HBlockIn {
    HCell cell;
    const HBatch *batches; // ascending by seq; every one is used by a point
    int64_t batch_count;
    const Str *sources;
    int64_t source_count;
    const HPoint *points; // ascending by row, those of a row in order of arrival
    int64_t count;
    const HState *start; // HBLOCK_ROWS of them, or NULL: the block does not say
    int level;           // of zstd; 0: 1 (young blocks); merged ones take 3 or what pays
} HBlockIn;

// Working memory of an encoder or decoder: zstd contexts and arrays. Zeroed memory is an empty one. One thread.
typedef struct HWork HWork;
HWork *hwork_new(void);
void hwork_free(HWork *w); // NULL is fine

// Append a block. What is not in order, or over HBLOCK_POINTS_MAX, is a bug (CHECK). A point of kind CLEAR or SOURCE
// has no value, nor has a start that is not valid: what stands there is left out. out->full: it did not fit, or the
// texts of a frame are over HBLOCK_TEXT_MAX bytes. Cost: about 60 ns a point.
void hblock_encode(HWork *w, const HBlockIn *in, Buf *out);

// An opened block: head, batches, directory. Borrows the bytes and the arena.
typedef struct HBlock {
    HCell cell;
    const HBatch *batches;
    int64_t batch_count;
    const Str *sources;
    int64_t source_count;
    int64_t count; // points
    bool has_start;
    int64_t time_min, time_max; // by their own time: source_time, or arrival where there is none
    int64_t late;               // points that came late
    Str bytes;
    const void *directory;
    int32_t groups;
} HBlock;

// Check head, batches and directory. Errors: CORRUPT.
MUST Err hblock_open(HWork *w, Str bytes, Arena *keep, HBlock *out);
// Decode the points of rows [first, last] ascending by row, those of a row in order of arrival, into `keep`.
// start: HBLOCK_ROWS states, those of the rows are filled in when the block has them; may be NULL. Errors: CORRUPT.
// Cost: that of the frames the rows lie in.
MUST Err hblock_rows(HWork *w, const HBlock *b, uint32_t first, uint32_t last, Arena *keep, const HPoint **points,
                     int64_t *count, HState *start);
// States of rows [first, last] as of the batches that arrived at `at` or before; state[0] is that of row `first`.
//   begin  state begins as the block's own start (b->has_start); else what is in it: as it was before the block
// Texts in `keep`. Errors: CORRUPT; state is then of no use. Cost: one frame a row where the block has a start.
MUST Err hblock_known(HWork *w, const HBlock *b, uint32_t first, uint32_t last, int64_t at, bool begin, Arena *keep,
                      HState *state);
// Everything is as it should be: all frames decode, counts and times agree. Errors: CORRUPT; `why` tells.
MUST Err hblock_verify(HWork *w, Str bytes, Buf *why);
