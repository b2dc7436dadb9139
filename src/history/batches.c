// SPDX-License-Identifier: Apache-2.0
// Batches in order, for replay. A stretch of time is cut into windows that have about WINDOW_POINTS; of each window all
// points are gathered, put in order and given. Blocks that reach over several windows are decoded in each of them.
// What a fork had of its parents came before what it was told itself, so layers follow each other.
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "history/history_inner.h"

#define WINDOW_POINTS (INT64_C(1) << 19)

// A point, or with kind 0 only that there was a batch.
typedef struct Event {
    TrailPoint p;
    uint64_t seq, lane;
    int64_t time, order;
    Str source;
} Event;

typedef struct Window {
    History *h;
    const History *of;     // whose points
    HistoryDesk *d;        // its arena: of the window
    int64_t from, to, end; // [from, to) of all that is asked for, up to `end`
    bool lives;            // LANE_PLACE and LANE_NAME alone
    uint64_t taken;
    StoreHistory *rows; // of the stretch that is left
    int64_t row_count, row_cap;
    Event *events;
    int64_t count, cap;
    TrailPoint *points; // of one batch
    int64_t point_cap;
} Window;

// ---- what there is ----

static bool is_wanted(const Window *w, uint64_t lane) { return !w->lives || lane == LANE_PLACE || lane == LANE_NAME; }

static bool keep_row(void *ctx, const StoreHistory *row) {
    Window *w = ctx;
    if (row->t1 < w->from || row->t0 >= w->end) return true;
    if (row->points == 0 || !is_wanted(w, store_lane_own(row->lane))) return true;
    if (w->row_count == w->row_cap) {
        w->row_cap = w->row_cap ? w->row_cap * 2 : 256;
        w->rows = mem_grow(w->rows, (size_t)w->row_cap * sizeof *w->rows);
    }
    w->rows[w->row_count++] = *row;
    return true;
}

// Points that rows have in [from, to), were they spread evenly.
static double guess(const Window *w, int64_t to) {
    double n = 0;
    for (int64_t i = 0; i < w->row_count; i++) {
        const StoreHistory *r = &w->rows[i];
        double t0 = (double)(r->t0 > w->from ? r->t0 : w->from), t1 = (double)(r->t1 < to ? r->t1 : to);
        if (r->t0 < to) n += (double)r->points * (t1 - t0 + 1) / ((double)r->t1 - (double)r->t0 + 1);
    }
    return n;
}

// The end of a window that begins at w->from.
static void cut_window(Window *w) {
    int64_t first = INT64_MAX;
    for (int64_t i = 0; i < w->row_count; i++) first = w->rows[i].t0 < first ? w->rows[i].t0 : first;
    w->to = w->end;
    if (first > w->from && first < w->end && guess(w, w->end) > (double)WINDOW_POINTS) w->from = first;
    while (guess(w, w->to) > (double)WINDOW_POINTS && w->to - w->from > 1) w->to = w->from + (w->to - w->from) / 2;
}

// ---- gathering ----

static void event_add(Window *w, uint64_t lane, uint64_t page, const HPoint *p, HCell cell, const HBatch *b,
                      Str source) {
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 1024;
        w->events = mem_grow(w->events, (size_t)w->cap * sizeof *w->events);
    }
    Event *e = &w->events[w->count];
    lane = store_lane_own(lane);
    *e = (Event){.seq = b->seq, .lane = lane, .time = b->time, .order = w->count++, .source = source};
    if (lane == LANE_BATCHES) return;
    bool timed = history_is_cell(lane, cell, p->kind);
    // ORDER HCELL, HPOINT
    static const uint8_t cells[] = {CELL_BOOL, CELL_F64, CELL_I64, CELL_BOOL, CELL_BOOL, CELL_STR};
    static const uint8_t kinds[] = {0, TRAIL_PUT, TRAIL_CLEAR, TRAIL_SOURCE, TRAIL_MOVED, TRAIL_LATE};
    uint8_t plain = LANE_IS_TELEMETRY(lane) ? TRAIL_TELEMETRY : cell == HCELL_TEXT ? TRAIL_TEXT : TRAIL_WORD;
    e->p = (TrailPoint){.kind = timed ? kinds[p->kind] : plain,
                        .cell = timed ? cells[cell] : 0,
                        .word = (uint8_t)lane_word(lane),
                        .vec = lane_vec(lane),
                        .row = page << PAGE_SHIFT | p->row,
                        .bits = p->bits,
                        .text = p->text,
                        .source_time = p->source_time,
                        .update_time = p->update_time};
}

static Err gather_block(Window *w, const CachedBlock *b) {
    const HPoint *p;
    int64_t n;
    Str *sources = NEW(&w->d->arena, Str, b->block.source_count + 1);
    TRY(hblock_rows(w->d->work, &b->block, 0, HBLOCK_ROWS - 1, &w->d->arena, &p, &n, NULL));
    for (int64_t i = 0; i < b->block.source_count; i++) sources[i] = arena_str(&w->d->arena, b->block.sources[i]);
    for (int64_t i = 0; i < n; i++) {
        const HBatch *batch = &b->block.batches[p[i].batch];
        if (batch->time < w->from || batch->time >= w->to || batch->seq > w->taken) continue;
        event_add(w, b->row.lane, b->row.page, &p[i], b->block.cell, batch, sources[batch->source]);
    }
    return ERR_OK;
}

static Err gather_rows(Window *w, StoreReader *r) {
    for (int64_t i = 0; i < w->row_count; i++) {
        CachedBlock *b;
        if (w->rows[i].t1 < w->from || w->rows[i].t0 >= w->to) continue;
        TRY(history_block(w->h, r, w->d, &w->rows[i], &b));
        Err e = gather_block(w, b);
        history_block_drop(w->h, b);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

// The newest batch that blocks have of a page of the stretch.
static uint64_t last_of(const Window *w, uint64_t lane, uint64_t page) {
    int64_t lo = 0, hi = w->row_count;
    while (lo < hi) {
        int64_t mid = (lo + hi) / 2;
        const StoreHistory *r = &w->rows[mid];
        bool behind = r->lane != lane ? r->lane > lane : r->page > page;
        if (behind) hi = mid;
        else lo = mid + 1;
    }
    if (lo == 0 || w->rows[lo - 1].lane != lane || w->rows[lo - 1].page != page) return 0;
    return w->rows[lo - 1].last;
}

static void gather_run(Window *w, const HeadRun *r, uint64_t after) {
    HeadCursor c = head_cursor(r, w->taken);
    for (HeadPoint x; head_next(&c, &x) && x.time < w->to;) {
        if (x.seq <= after || x.time < w->from) continue;
        const HBatch batch = {.seq = x.seq, .time = x.time};
        HCell cell = (HCell)atomic_load_explicit(&r->cell, memory_order_relaxed);
        x.p.text = arena_str(&w->d->arena, x.p.text);
        event_add(w, r->lane, r->page, &x.p, cell, &batch, history_source_text(w->h, x.source));
    }
}

static int by_place(const void *a, const void *b) {
    const StoreHistory *x = a, *y = b;
    if (x->lane != y->lane) return x->lane < y->lane ? -1 : 1;
    if (x->page != y->page) return x->page < y->page ? -1 : 1;
    return x->last < y->last ? -1 : x->last > y->last;
}

static Err gather(Window *w, HeadView *views, int64_t n) {
    StoreReader *r;
    TRY(store_reader_begin(w->h->store, &r));
    w->row_count = w->count = 0;
    Err e = store_history_world(r, w->of->f.world, keep_row, w);
    if (w->row_count) qsort(w->rows, (size_t)w->row_count, sizeof *w->rows, by_place);
    cut_window(w);
    if (e == ERR_OK) e = gather_rows(w, r);
    store_reader_end(r);
    for (int64_t i = 0; i < n && e == ERR_OK; i++) {
        for (int32_t k = 0; k < views[i].count; k++) {
            const HeadRun *run = views[i].runs[k];
            uint64_t lane = store_lane(w->of->f.world, run->lane);
            if (run->time_first < w->to && is_wanted(w, run->lane)) gather_run(w, run, last_of(w, lane, run->page));
        }
    }
    return e;
}

// ---- giving ----

// Within a batch ascending by lane and row, of one row as they came.
static int by_batch(const void *a, const void *b) {
    const Event *x = a, *y = b;
    if (x->seq != y->seq) return x->seq < y->seq ? -1 : 1;
    if (x->lane != y->lane) return x->lane < y->lane ? -1 : 1;
    if (x->p.row != y->p.row) return x->p.row < y->p.row ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

typedef bool (*HistoryBatchFn)(void *ctx, const HistoryBatch *b);

static bool give(Window *w, HistoryBatchFn fn, void *ctx) {
    bool more = true;
    if (w->count) qsort(w->events, (size_t)w->count, sizeof *w->events, by_batch);
    for (int64_t i = 0, end; i < w->count && more; i = end) {
        const Event *first = &w->events[i];
        int64_t n = 0;
        for (end = i; end < w->count && w->events[end].seq == first->seq; end++) {}
        if (end - i > w->point_cap) {
            w->point_cap = (end - i) * 2;
            w->points = mem_grow(w->points, (size_t)w->point_cap * sizeof *w->points);
        }
        for (int64_t k = i; k < end; k++) {
            if (w->events[k].p.kind) w->points[n++] = w->events[k].p;
        }
        const HistoryBatch batch = {
            .seq = first->seq, .time = first->time, .source = first->source, .points = w->points, .count = n};
        more = fn(ctx, &batch);
    }
    return more;
}

// What a layer has in [from, to). *more false: stopped.
static Err give_layer(Window *w, const Layer *l, int64_t from, int64_t to, HistoryBatchFn fn, void *ctx, bool *more) {
    Err e = fork_learn(l->of);
    w->of = l->of;
    w->end = to;
    for (w->from = from; *more && e == ERR_OK && w->from < w->end; w->from = w->to) {
        int64_t n;
        w->taken = layer_taken(l);
        HeadView *views = head_views(l->of, &n);
        e = gather(w, views, n);
        if (e == ERR_OK) *more = give(w, fn, ctx);
        for (int64_t i = 0; i < n; i++) head_view_free(&views[i]);
        mem_free(views);
        arena_reset(&w->d->arena);
    }
    return e;
}

// The lowest layer first.
static Err give_layers(Window *w, Layer l, int64_t from, int64_t to, HistoryBatchFn fn, void *ctx, bool *more) {
    Layer below = l;
    if (layer_next(&below)) {
        int64_t end = below.at < to - 1 ? below.at + 1 : to;
        if (from < end) TRY(give_layers(w, below, from, end, fn, ctx, more));
        if (from < end) from = end;
    }
    return *more && from < to ? give_layer(w, &l, from, to, fn, ctx, more) : ERR_OK;
}

static Err give_all(History *h, bool lives, int64_t from, int64_t to, HistoryBatchFn fn, void *ctx) {
    Window w = {.h = h, .d = history_desk_take(h), .lives = lives};
    bool more = true;
    Err e = give_layers(&w, layer_first(h), from, to, fn, ctx, &more);
    mem_free(w.rows);
    mem_free(w.events);
    mem_free(w.points);
    history_desk_give(h, w.d);
    return e;
}

Err history_batches(History *h, int64_t from, int64_t to, HistoryBatchFn fn, void *ctx) {
    if (from < to && from < history_from(h)) return ERR_PAST_GONE;
    return give_all(h, false, from, to, fn, ctx);
}

Err history_lives(History *h, int64_t from, int64_t to, HistoryBatchFn fn, void *ctx) {
    return give_all(h, true, from, to, fn, ctx);
}
