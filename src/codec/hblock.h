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

// What is not known yet of a row's state, when it is looked for from the newest point back.
#define HOPEN_VALUE 1  // whether it is valid, its value, its update time
#define HOPEN_SOURCE 2 // its source time
#define HOPEN_ALL 3

// What of the state a point settles, whatever was before it.
static inline uint8_t hpoint_settles(const HPoint *p) {
    if (p->kind == HPOINT_LATE) return 0;
    if (p->kind == HPOINT_SOURCE) return HOPEN_SOURCE;
    return p->kind == HPOINT_PUT && !p->source_time ? HOPEN_VALUE : HOPEN_ALL;
}

// A state that stands before what is known already: what is open is taken from it.
static inline void hstate_fill(HState *s, uint8_t open, const HState *from) {
    int64_t source_time = open & HOPEN_SOURCE ? from->source_time : s->source_time;
    if (open & HOPEN_VALUE) *s = *from;
    s->source_time = source_time;
}

// hstate_apply in the other direction: a point before all that were seen so far. *open: what is still open.
static inline void hstate_recall(HState *s, uint8_t *open, const HPoint *p, int64_t time) {
    HState x = {0};
    uint8_t settles = hpoint_settles(p) & *open;
    hstate_apply(&x, p, time);
    hstate_fill(s, settles, &x);
    *open &= (uint8_t)~settles;
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

// Frames of an opened block that stay: read ones, and decoded ones for who asks again (about 20 bytes a point).
typedef struct HKept HKept;

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
    Str bytes;                  // all of it, or its head
    int64_t size;               // of all
    const void *directory;
    int32_t groups;
    HKept *kept; // NULL: nothing stays decoded
} HBlock;

// Check head, batches and directory. Errors: CORRUPT.
MUST Err hblock_open(HWork *w, Str bytes, Arena *keep, HBlock *out);
// How many bytes of a block its head takes, by the first 16 at least; -1: it is none.
int64_t hblock_head_size(Str first);
// Open a block of which only the head is there: frames are read when they are needed, by the reader that `w` has then,
// and stay with HBlock.kept, which is to be set first. size: of the whole block. Errors: CORRUPT.
MUST Err hblock_open_head(HWork *w, Str head, int64_t size, Arena *keep, HBlock *out);
// Put n bytes of the block from `at` on.
typedef Err (*HBlockReadFn)(void *ctx, const HBlock *b, int64_t at, int64_t n, char *to);
void hwork_reader(HWork *w, HBlockReadFn read, void *ctx);
// For HBlock.kept: what hblock_rows, hblock_pick, hblock_each and hblock_known ask for the second time stays decoded
// (the fourth to eleventh, where it was a few of many points), of frames whose points are all values with times of
// their source. Any number of threads may ask at once. The block stays where it is until hkept_free.
HKept *hkept_new(const HBlock *b);
void hkept_free(HKept *k); // NULL is fine
int64_t hkept_bytes(const HKept *k);
// Decode the points of rows [first, last] ascending by row, those of a row in order of arrival, into `keep`.
// start: HBLOCK_ROWS states, those of the rows are filled in when the block has them; may be NULL. Errors: CORRUPT.
// Cost: that of the rows, and a tenth of it for what else is in the frames they lie in.
MUST Err hblock_rows(HWork *w, const HBlock *b, uint32_t first, uint32_t last, Arena *keep, const HPoint **points,
                     int64_t *count, HState *start);
// The same of rows with want[row] = 1, others 0.
MUST Err hblock_pick(HWork *w, const HBlock *b, const uint8_t want[HBLOCK_ROWS], Arena *keep, const HPoint **points,
                     int64_t *count, HState *start);
// The same points, row by row: fn(ctx, points, n) once for each frame that has some of a row, those of a row in order.
// They live until it returns; texts in `keep`.
typedef struct HBlockEach {
    void (*fn)(void *ctx, const HPoint *points, int64_t n);
    void *ctx;
    HState *start; // HBLOCK_ROWS, or NULL
} HBlockEach;
MUST Err hblock_each(HWork *w, const HBlock *b, const uint8_t want[HBLOCK_ROWS], Arena *keep, const HBlockEach *e);
// States of rows as of the batches that arrived at `at` or before, looked for from the newest block back: what the
// block settles of what is open of a row (HOPEN_*) goes into its state and is no longer open. A block with a start
// leaves nothing open. Texts in `keep`. Errors: CORRUPT; states are then of no use. Cost: as hblock_rows.
MUST Err hblock_known(HWork *w, const HBlock *b, int64_t at, Arena *keep, uint8_t open[HBLOCK_ROWS],
                      HState state[HBLOCK_ROWS]);
// Everything is as it should be: all frames decode, counts and times agree. Errors: CORRUPT; `why` tells.
MUST Err hblock_verify(HWork *w, Str bytes, Buf *why);
