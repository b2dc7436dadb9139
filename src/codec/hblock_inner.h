// SPDX-License-Identifier: Apache-2.0
// Inner parts of history blocks, for hblock*.c only: working memory, packed streams of bytes, sequences of integers,
// doubles as integers. Everything that reads bytes takes them as hostile: it tells by Cut.bad.
//
// A *sequence* is what the rows of a frame say of one thing (batch numbers, source times, values): 64-bit integers, row
// after row. Both sides know how many each row has. A *strip* is a stretch of it with parameters of its own: one long
// row, or some short ones.
#pragma once
#include <stdatomic.h>
#include "codec/hblock.h"

#define HBLOCK_MAGIC 0x31424853u // "SHB1"
#define HBLOCK_VERSION 3         // 1: without ranks, drifts and parts of residuals; 2: without widths
#define HBLOCK_VERSION_OLDEST 1
#define HEAD_START 1             // flag of the head: it has the state at its start
#define HBLOCK_FRAME_POINTS 8192 // points that a frame should have
#define HBLOCK_FRAME_TEXT (1 << 20)
#define STRIP_ROW 64       // elements: a row of as many is a strip of its own
#define STRIP_ELEMENTS 256 // elements of a strip of short rows

// Grow-only scratch arrays.
typedef enum Slot {
    SLOT_VALUES,   // u64 an element
    SLOT_BATCHES,  // u64 a point
    SLOT_SOURCES,  // u64 an element
    SLOT_UPDATES,  // u64 an element
    SLOT_ARRIVALS, // i64 an element with a source time
    SLOT_TAGS,     // byte a point
    SLOT_SCALED,   // i64 an element of a strip
    SLOT_ZIGZAG,   // u64 an element
    SLOT_SYMBOLS,
    SLOT_EXTRA,
    SLOT_VARINTS,
    SLOT_PACKED,
    SLOT_PACKED_TOO,
    SLOT_ODD, // exceptions
    SLOT_ODD_AT,
    SLOT_ODD_KINDS,
    SLOT_PARAMS,
    SLOT_MODES,
    SLOT_CUTS,   // i64
    SLOT_RANKED, // i64 an element of a strip
    SLOT_RANK_HASH,
    SLOT_RANK_TABLE, // u64 a rank
    SLOT_TRIED,      // u64 an element of a strip
    SLOT_WHOLE,      // i64 an element of a strip
    SLOT_ALIKE,
    SLOT_RANS,
    SLOT_GAPS,
    SLOT_COUNTS,
    SLOT_FLAGS,
    SLOT_DICT_SIZES,
    SLOT_DICT,
    SLOT_TEXTS,
    SLOT_HASH,
    SLOT_STRS,    // Str an element
    SLOT_NUMBERS, // u64 a batch
    SLOT_DIRECTORY,
    SLOT_STRIPS, // of a frame that is FrameRows.alike: Strip each
    SLOT_STRIPS_OWN,
    SLOT_POINTS, // of a row
    SLOT_COUNT
} Slot;

// The rows of a frame that have points or a start, and what they have.
typedef struct FrameRows {
    int64_t rows, points;
    uint16_t row[HBLOCK_ROWS];
    uint8_t flags[HBLOCK_ROWS]; // of the start
    uint32_t counts[HBLOCK_ROWS], values[HBLOCK_ROWS], sources[HBLOCK_ROWS], updates[HBLOCK_ROWS];
    int64_t value_total, source_total, update_total;
    bool alike;          // counts, values and sources are the same,
    int64_t strip_count; // and so are their strips, in SLOT_STRIPS; -1: not looked for
    // Decoding: how many of each, from the first on, are wanted; `all`: all of all rows. need: some of the row.
    bool all;
    bool need[HBLOCK_ROWS];
    uint32_t want[HBLOCK_ROWS], want_values[HBLOCK_ROWS], want_sources[HBLOCK_ROWS], want_updates[HBLOCK_ROWS];
} FrameRows;

struct HWork {
    FrameRows rows;
    void *pack, *unpack; // zstd contexts
    HBlockReadFn read;   // of blocks of which only the head is there
    void *read_ctx;
    int level;
    bool in_head; // it is the head that is written
    bool repeats; // the bytes packed last: zstd found more in them than how often each comes; or that is not known
    struct {
        void *p;
        int64_t cap;
    } slot[SLOT_COUNT];
    Buf frame, frames, directory, head, params, modes, odd, odd_at, small, packed;
};

// At least `bytes` bytes and 16 readable ones behind; what they hold is undefined.
void *hwork_slot(HWork *w, Slot s, int64_t bytes);

// ---- streams ------------------------------------------------------------------------------------------------------

// Append n bytes as they are, as one repeated byte, or through zstd, whichever is smallest.
void stream_put(HWork *w, Buf *out, const void *p, int64_t n);
// The next one, borrowed from the bytes or from the slot. At most `max` bytes long, else bad.
Str stream_get(HWork *w, Cut *c, Slot slot, int64_t max);
// Past the next one.
void stream_skip(Cut *c);
// The same where it must be exactly n long.
Str stream_get_exact(HWork *w, Cut *c, Slot slot, int64_t n);

// The n bytes by how often each comes, in a slot (*out); how many they are now, 0: no fewer than `below`.
int64_t rans_put(HWork *w, const uint8_t *p, int64_t n, int64_t below, const uint8_t **out);
// Bytes that n bytes come to at least by how often each comes.
int64_t rans_least(const uint8_t *p, int64_t n);
// All that is left, to n bytes.
void rans_get(Cut *c, uint8_t *to, int64_t n);

// ---- sequences ----------------------------------------------------------------------------------------------------

// How many elements each of some rows has.
typedef struct SeqRows {
    const uint32_t *counts;
    int64_t rows, total;
    const uint32_t *want; // reading: how many of each row's are wanted, from its first on, others are left as they are;
                          // NULL: all
    const struct Strip *strips; // that have elements; NULL: strip_next looks for them
    int64_t strip_count;
} SeqRows;

// Rows [row, row_end) and elements [first, end) of a sequence; zeroed: before the first.
typedef struct Strip {
    int64_t row, row_end, first, end;
    int64_t no;  // the next one among SeqRows.strips
    bool wanted; // among SeqRows.strips: some of it is
} Strip;

// The next strip; false at the end.
bool strip_next(const SeqRows *rows, Strip *s);

// Elements [first, first + n) of a strip that are wanted, of one row, or all of it; zeroed: before the first.
typedef struct Piece {
    int64_t first, n;
    int64_t row, at; // where the next one is looked for
} Piece;

// The next piece; false at the end.
bool piece_next(const SeqRows *rows, const Strip *s, Piece *p);

// Append residuals; `cuts`: places in them, ascending, where something else begins.
void residuals_put(HWork *w, Buf *out, const uint64_t *z, int64_t n, const int64_t *cuts, int64_t cut_count);
// Those being read, from the first on. What is bad is told by the cut.
typedef struct Residuals {
    HWork *w;
    Cut *c;
    bool parts;
    int64_t left;           // not yet in a part that was begun
    int64_t in_part;        // left in the part
    int fine;               // buckets: how many to an octave
    const uint8_t *symbols; // buckets: those left, and where their bits are, NULL: there are none
    const uint8_t *extra;
    uint64_t at;
    const uint8_t *widths;   // of the run and those behind it, NULL: there are none
    int64_t in_run;          // left in the run
    const uint64_t *varints; // those left
    uint64_t *z;             // room for all
} Residuals;

// Begin to read n residuals.
void residuals_open(Residuals *r, HWork *w, Cut *c, int64_t n);
// The next n, all of one part; valid until more are taken. NULL: bad.
const uint64_t *residuals_take(Residuals *r, int64_t n);
// Past the next n; parts among them are not unpacked.
void residuals_skip(Residuals *r, int64_t n);
// All must have been taken.
void residuals_close(Residuals *r);

// Number the distinct ones of q by size: *table, ascending, and the rank of each element, both of slots. How many there
// are; 0: too many, or only one. Elements are at least 64.
int64_t ranks_of(HWork *w, const int64_t *q, int64_t n, int64_t **table, int64_t **ranks);
// About what residuals come to, in bits.
double residuals_bits(const uint64_t *z, int64_t n);

// Append a sequence; read it into v. origin: a number near the first element.
void seq_put(HWork *w, Buf *out, const uint64_t *v, const SeqRows *rows, uint64_t origin);
void seq_get(HWork *w, Cut *c, uint64_t *v, const SeqRows *rows, uint64_t origin);

// Append doubles (their bits are replaced by the integers kept for them); read them.
void f64_put(HWork *w, Buf *out, uint64_t *bits, const SeqRows *rows);
void f64_get(HWork *w, Cut *c, uint64_t *bits, const SeqRows *rows);

// Times that follow others more or less: `arrivals` has one for each element. `times` is overwritten.
void time_put(HWork *w, Buf *out, int64_t *times, const int64_t *arrivals, const SeqRows *rows, int64_t origin);
void time_get(HWork *w, Cut *c, int64_t *times, const int64_t *arrivals, const SeqRows *rows, int64_t origin);

// ---- texts --------------------------------------------------------------------------------------------------------

// Append the distinct texts among n; ids: out, the number of each.
void texts_put(HWork *w, Buf *out, const Str *texts, int64_t n, uint64_t *ids);
// The distinct ones, copied to `keep`.
const Str *texts_get(HWork *w, Cut *c, int64_t max, Arena *keep, int64_t *count);

// ---- points of a frame ---------------------------------------------------------------------------------------------

// A tag: kind, and what the point has beside it.
#define TAG_KIND 7
#define TAG_SOURCE 8
#define TAG_UPDATE 16
// Flags of a row's start.
#define START_VALID 1
#define START_UPDATE 2
#define START_SOURCE 4
#define START_FLAGS 7

// Does a point of this kind carry a value?
static inline bool kind_has_value(unsigned kind) {
    return kind == HPOINT_PUT || kind == HPOINT_MOVED || kind == HPOINT_LATE;
}

// A group of the directory.
typedef struct HGroup {
    uint16_t first, last; // rows
    bool continued;       // begins within a row that the group before has the beginning of
    uint32_t batch_first, batch_last;
    int64_t points;
    int64_t at, size; // frame in the block's bytes
} HGroup;

// ---- frames that stay decoded --------------------------------------------------------------------------------------

// A plain frame: points of row i are [first[i], first[i + 1]).
typedef struct HFrame {
    int64_t rows;
    uint16_t *row;
    uint32_t *first, *batches;
    int64_t *sources;
    uint64_t *values;
    HState *start; // a row; NULL: the block has none
} HFrame;

// What its sequences are when it is decoded.
typedef struct FrameArrays {
    const uint64_t *batches, *values;
    const int64_t *sources, *updates;
} FrameArrays;

// The bytes of a group's frame, read when they are not there yet.
MUST Err hkept_read(HWork *w, const HBlock *b, const HGroup *g, Str *out);
// Its bytes, which stay as they are, were checked before; now they are.
bool hkept_sound(const HBlock *b, const HGroup *g);
void hkept_sound_put(const HBlock *b, const HGroup *g);
// The frame of a group when it is kept, else NULL.
const HFrame *hkept_frame(const HBlock *b, const HGroup *g);
// `points` of a frame that is not kept are asked for: is it worth to be kept by what was asked for before?
bool hkept_again(const HBlock *b, const HGroup *g, int64_t points);
// Keep a plain frame all rows of which are decoded.
const HFrame *hkept_put(const HBlock *b, const HGroup *g, const FrameRows *r, const FrameArrays *from);
