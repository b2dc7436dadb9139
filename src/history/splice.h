// SPDX-License-Identifier: Apache-2.0
// Splice: blocks of one (lane, page) taken apart and put together again as one, for merging, retention and erasing.
// Their points stay bit for bit what they were, in their order; what stood before the first of them is kept as the
// state at the start.
//
//   splice_begin -> splice_state (what stands before, when it is known) -> splice_add ... -> splice_cut -> splice_end
//
// One thread. Memory: about 150 bytes a point until the next splice_begin.
#pragma once
#include "codec/hblock.h"
#include "store/store.h"

typedef enum SpliceKind {
    SPLICE_CELLS, // values with times
    SPLICE_WORDS, // values
    SPLICE_BARE,  // events: no state, starts are empty
} SpliceKind;

typedef struct Splice {
    HCell cell;
    SpliceKind kind;
    HWork *work;          // of the caller
    HState *state;        // HBLOCK_ROWS: behind the last point added
    HState *start;        // HBLOCK_ROWS: before the first point
    bool known;           // start says what stood; false: nobody told
    int64_t blocks;       // added
    uint64_t first, last; // sequences of the blocks added
    int64_t t0, t1;
    HBatch *batches;
    int64_t batch_count, batch_cap;
    Str *sources;
    int64_t source_count, source_cap;
    HPoint *points; // in order of blocks, within one by row
    int64_t count, cap;
    Arena keep; // texts, and the bytes of the blocks
} Splice;

// Set `work` before it is used.
void splice_init(Splice *s);
void splice_free(Splice *s);
// Start over with no blocks and nothing known.
void splice_begin(Splice *s, SpliceKind kind);
// Only take the state from a block that comes before those to be added: its start (when it has one) and its points.
// Errors: CORRUPT.
MUST Err splice_pass(Splice *s, const StoreHistory *h);
// Nothing came before the first block: empty rows stood there.
void splice_from_nothing(Splice *s);
// Add the next block. *joined false: it begins with another state than the blocks before end with (history was not kept
// in between), and was not added. Errors: CORRUPT.
MUST Err splice_add(Splice *s, const StoreHistory *h, bool *joined);
// Let go of the points of batches with time < before[row]; gone() sees each, a row's in order of arrival, before the
// next row's. What they did goes into the start. Returns how many.
int64_t splice_cut(Splice *s, const int64_t before[HBLOCK_ROWS],
                   void (*gone)(void *ctx, const HBatch *b, const HPoint *p), void *ctx);
// Rows with a value at the start.
int64_t splice_states(const Splice *s);
// Encode what is there: out's first, last, t0 ... points, late, start are filled in, out->bytes is that of `bytes`.
// With no points left the block holds the state alone, as of the last sequence. Errors: LIMIT (too much text for one
// block).
MUST Err splice_end(Splice *s, bool start, int level, StoreHistory *out, Buf *bytes);
