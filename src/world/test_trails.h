// SPDX-License-Identifier: Apache-2.0
// For tests of past worlds: the trails of all batches in memory, and a source that folds those up to an instant into
// rows. Slow and obvious: it knows nothing of heads, blocks or caches.
#pragma once
#include <stdatomic.h>
#include "base/check.h"
#include "base/mem.h"
#include "world/past.h"
#include "world/trail.h"

typedef struct TrailBatch {
    uint64_t seq;
    int64_t time;
    Buf bytes;
} TrailBatch;

typedef struct TrailLog {
    TrailBatch *batches;
    int64_t count, cap;
} TrailLog;

// Keep the trail of the batch that ended last; for when it is settled.
static inline void trails_add(TrailLog *log, World *w) {
    if (log->count == log->cap) {
        log->cap = log->cap ? 2 * log->cap : 64;
        log->batches = mem_grow(log->batches, (size_t)log->cap * sizeof *log->batches);
    }
    TrailBatch *b = &log->batches[log->count++];
    *b = (TrailBatch){.seq = world_seq(w), .time = world_time(w)};
    world_take_trail(w, &b->bytes);
}

// All of it.
static inline void trails_free(TrailLog *log) {
    for (int64_t i = 0; i < log->count; i++) buf_free(&log->batches[i].bytes);
    mem_free(log->batches);
    *log = (TrailLog){0};
}

// ---- folding -----------------------------------------------------------------------------------------------------

enum { FOLD_SLOTS = 1 << 14, FOLD_VECS = 4096 };

typedef struct FoldRow {
    uint64_t words[8];
    Str texts[8];
    uint8_t told, told_text; // words
    bool valid;              // cells: words[0] or texts[0]
    int64_t update_time, source_time;
} FoldRow;

typedef struct FoldPage {
    uint32_t vec;
    uint64_t page_no;
    FoldRow *rows[PAGE_ROWS];
} FoldPage;

typedef struct Fold {
    FoldPage *slots[FOLD_SLOTS];
    uint64_t pages[FOLD_VECS];
    int64_t used;
    int64_t late, telemetry, dead, moved, sources; // records that were met
    _Atomic int64_t asked, groups;
    _Atomic int64_t fail_every; // every n-th question fails, after half of its rows; 0: none
} Fold;

// The page of a vector, made when asked for; else NULL when there is none.
static inline FoldPage *fold_page(Fold *f, uint32_t vec, uint64_t page_no, bool make) {
    uint64_t at = (page_no * 4099 + vec) * 0x9E3779B97F4A7C15u >> 50;
    for (;; at = (at + 1) & (FOLD_SLOTS - 1)) {
        FoldPage *p = f->slots[at];
        if (p && p->vec == vec && p->page_no == page_no) return p;
        if (p) continue;
        if (!make) return NULL;
        CHECK(++f->used < FOLD_SLOTS / 2 && vec < FOLD_VECS);
        if (page_no >= f->pages[vec]) f->pages[vec] = page_no + 1;
        f->slots[at] = mem_alloc(sizeof *p);
        f->slots[at]->vec = vec;
        f->slots[at]->page_no = page_no;
        return f->slots[at];
    }
}

// The row a record is about.
static inline FoldRow *fold_row(Fold *f, const TrailPoint *p) {
    FoldPage *page = fold_page(f, p->vec, p->row >> PAGE_SHIFT, true);
    FoldRow **row = &page->rows[p->row & (PAGE_ROWS - 1)];
    if (!*row) *row = mem_alloc(sizeof **row);
    return *row;
}

// A cell gets a value.
static inline void fold_put(FoldRow *r, const TrailPoint *p, int64_t time) {
    r->valid = true;
    r->words[0] = p->bits;
    r->texts[0] = p->text;
    r->update_time = time;
    if (p->source_time) r->source_time = p->source_time;
}

// What one record does.
static inline void fold_point(Fold *f, const TrailPoint *p, int64_t time) {
    switch ((TrailKind)p->kind) {
    case TRAIL_LATE: f->late++; return;
    case TRAIL_TELEMETRY: f->telemetry++; return;
    case TRAIL_DEAD: f->dead++; return;
    default: break;
    }
    FoldRow *r = fold_row(f, p);
    switch ((TrailKind)p->kind) {
    case TRAIL_WORD:
        r->words[p->word] = p->bits;
        r->told |= (uint8_t)(1u << p->word);
        break;
    case TRAIL_TEXT:
        r->texts[p->word] = p->text;
        r->told_text |= (uint8_t)(1u << p->word);
        break;
    case TRAIL_PUT: fold_put(r, p, time); break;
    case TRAIL_MOVED:
        f->moved++;
        fold_put(r, p, p->update_time);
        r->source_time = p->source_time;
        break;
    case TRAIL_CLEAR: *r = (FoldRow){0}; break;
    case TRAIL_SOURCE:
        f->sources++;
        r->source_time = p->source_time;
        break;
    default: CHECK(!"a kind of record"); // NOLINT
    }
}

// ---- the source --------------------------------------------------------------------------------------------------

// Say what is known of a row.
static inline void fold_tell(const FoldRow *r, uint32_t row, PastRows *to) {
    if (vec_layout[past_shape(to)].timed) {
        if (r->valid) past_put_cell(to, row, r->words[0], r->texts[0], r->update_time, r->source_time);
        return;
    }
    for (uint32_t k = 0; k < 8; k++) {
        if (r->told >> k & 1) past_put_word(to, row, k, r->words[k]);
        if (r->told_text >> k & 1) past_put_text(to, row, k, r->texts[k]);
    }
}

// The functions of the source; ctx is the Fold.
static inline Err fold_rows(void *ctx, int64_t at, uint32_t vec, uint64_t page_no, uint16_t groups, PastRows *to) {
    (void)at;
    Fold *f = ctx;
    int64_t asked = atomic_fetch_add(&f->asked, 1) + 1, every = atomic_load(&f->fail_every);
    atomic_fetch_add(&f->groups, __builtin_popcount(groups));
    CHECK(groups != 0);
    bool fails = every && asked % every == 0;
    FoldPage *p = fold_page(f, vec, page_no, false);
    for (uint32_t row = 0; p && row < (fails ? PAGE_ROWS / 2 : PAGE_ROWS); row++) {
        if (p->rows[row]) fold_tell(p->rows[row], row, to); // also rows of groups that nobody asked for
    }
    return fails ? ERR_STORAGE : ERR_OK;
}

// As above.
static inline Err fold_pages(void *ctx, uint32_t vec, uint64_t *count) {
    Fold *f = ctx;
    *count = vec < FOLD_VECS ? f->pages[vec] : 0;
    return ERR_OK;
}

// As above.
static inline void fold_free(void *ctx) {
    Fold *f = ctx;
    for (int i = 0; i < FOLD_SLOTS; i++) {
        for (uint32_t r = 0; f->slots[i] && r < PAGE_ROWS; r++) mem_free(f->slots[i]->rows[r]);
        mem_free(f->slots[i]);
    }
    mem_free(f);
}

// Everything the log knows up to `seq`. The log lives as long as the source.
static inline PastSource trails_source(const TrailLog *log, uint64_t seq) {
    Fold *f = mem_alloc(sizeof *f);
    for (int64_t i = 0; i < log->count && log->batches[i].seq <= seq; i++) {
        TrailPoint p;
        for (Cut c = cut_of(buf_str(&log->batches[i].bytes)); trail_next(&c, &p);)
            fold_point(f, &p, log->batches[i].time);
    }
    return (PastSource){.ctx = f, .rows = fold_rows, .pages = fold_pages, .free = fold_free};
}
