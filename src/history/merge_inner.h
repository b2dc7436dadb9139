// SPDX-License-Identifier: Apache-2.0
// Background work on the blocks in the store: young ones become long ones (history/plan.h), old points become means
// (history/means.h), old means go. A step reads some blocks of one page, makes what takes their place, and hands both
// to the store as one change: a reader sees the page before or after it, a crash leaves it before or after.
//
// Invariants
//  1. One change is under way at a time; nothing is planned before it is durable or refused.
//  2. Points that are let go leave the state they led to at the start of what remains (of nothing: a block of no
//     points), so that from history_from on the page is known.
//  3. history_from is durable before the first point it speaks of goes.
//
// All of it on the history's thread, but history_rules, history_retain and history_means.
#pragma once
#include "history/history_inner.h"
#include "history/means.h"
#include "history/plan.h"
#include "history/splice.h"

#define RETAIN_SLACK 16 // points stay up to 1/16 longer than they must: blocks are rewritten rarely
#define RETAIN_SLICE_POINTS (INT64_C(1) << 18) // points one step of retention takes apart
#define RETAIN_MEANS (INT64_C(1) << 16)        // intervals of a block of means

// A page that has blocks. Kept as long as its world is open.
typedef struct Place {
    uint64_t lane, page;
    int64_t points; // of its young blocks
    int64_t cut;    // raw points were let go up to there since the start
    int32_t young;
    bool used, queued, corrupt;
} Place;

// Where a pass of retention stands.
typedef struct Pass {
    bool running;
    bool refused; // a change of this page was
    int64_t now;
    StoreLane *lanes;
    int64_t lane_count, lane_cap, lane;
    uint64_t page, pages;
    int64_t after; // blocks of the page with t0 <= it were looked at
} Pass;

struct Merge {
    History *root;
    Splice splice;
    Buf bytes, means_bytes;
    Means means;
    Arena list; // rows of a page; reset by every step
    Place *places;
    int64_t place_cap, place_count; // place_cap: power of two
    int64_t *due;                   // places to merge, by number; a ring
    int64_t due_cap, due_head, due_count;
    Pass pass;
    uint64_t turns;
    bool under_way;            // a change is
    int64_t pause_ns, next_ns; // after a refusal: how long nothing is begun, and until when
    int64_t from_next;         // on its way to the store
    _Atomic int from_ended;    // FROM_*: the store's thread tells
    struct {
        _Atomic int64_t behind, merged_points, points_let_go, means_made, means_let_go, retain_ns, corrupt;
    } n;
};

// The rows of a page a step works on, oldest first.
typedef struct Rows {
    StoreHistory *items;
    int64_t count, cap;
    Arena *keep;
} Rows;

// Give the working memory back; no change is under way.
void merge_tidy(Merge *m);
// The page's place, made when it is new. Until the next call.
Place *merge_place(Merge *m, uint64_t lane, uint64_t page);
// What a splice of the lane is to do with states.
SpliceKind merge_kind(uint64_t lane);
// Rows of a page without bytes (bytes.n tells how many), ascending.
MUST Err merge_rows(StoreReader *r, uint64_t lane, uint64_t page, bool means, Rows *out);
// Call fn for those rows with their bytes, in order; about `bytes_max` of them, one at least. *go_on false: stop.
typedef Err (*MergeRowFn)(void *ctx, const StoreHistory *row, bool *go_on);
MUST Err merge_fetch(StoreReader *r, const StoreHistory *rows, int64_t n, int64_t bytes_max, MergeRowFn fn, void *ctx);
// The state before `row`, which has none at its start, into the splice.
MUST Err merge_state_before(Merge *m, StoreReader *r, const StoreHistory *row);
// Hand a change to the store. Errors: BUSY.
MUST Err merge_put(History *h, const StoreHistoryPut *put);
// Make `from` durable first. True: it is; false: it is under way, come again.
bool merge_put_from(History *h, int64_t from);
MUST Err merge_load_from(History *h);

// merge_page.c, retain.c: one step. Errors: those of the store; CORRUPT.
MUST Err merge_page(History *h, uint64_t lane, uint64_t page, bool *more);
MUST Err retain_step(History *h);
// retain.c: begin a pass when one was asked for.
void retain_begin(History *h);
