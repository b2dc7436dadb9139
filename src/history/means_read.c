// SPDX-License-Identifier: Apache-2.0
// Means of one row: those of all blocks of its page put together, step by step. And the newest point that went.
#include "base/mem.h"
#include "history/history_inner.h"
#include "history/means.h"

typedef struct Reading {
    HistoryDesk *desk;
    uint32_t row;
    int64_t at;   // blocks of later points are left out
    Means *steps; // one a step
    int64_t count;
    Err err;
} Reading;

static Means *of_step(Reading *x, int64_t step) {
    for (int64_t i = 0; i < x->count; i++)
        if (x->steps[i].step == step) return &x->steps[i];
    x->steps = mem_grow(x->steps, (size_t)(x->count + 1) * sizeof *x->steps);
    Means *m = &x->steps[x->count++];
    *m = (Means){.step = 0};
    means_begin(m, step);
    return m;
}

static bool add_row(void *ctx, const StoreHistory *row) {
    Reading *x = ctx;
    int64_t step = 0;
    if (row->t1 > x->at) return true;
    Arena *a = &x->desk->arena;
    arena_reset(a);
    x->err = means_step(x->desk->work, row->bytes, a, &step);
    if (!x->err) x->err = means_decode(x->desk->work, row->bytes, x->row, x->row, a, of_step(x, step));
    return !x->err;
}

static HistoryMean shown(const Mean *m, int64_t step) {
    return (HistoryMean){.time = m->start,
                         .step_ns = step,
                         .min = m->min,
                         .max = m->max,
                         .mean = means_mean(m),
                         .first = m->first,
                         .last = m->last,
                         .count = (int64_t)m->count};
}

// Of all steps the earliest next one; of one time the shortest step first.
static const Mean *next_mean(const Reading *x, int64_t *at, int64_t *which) {
    const Mean *best = NULL;
    for (int64_t i = 0; i < x->count; i++) {
        if (at[i] >= x->steps[i].count) continue;
        const Mean *m = &x->steps[i].items[at[i]];
        if (best && (m->start > best->start || (m->start == best->start && x->steps[i].step > x->steps[*which].step)))
            continue;
        best = m;
        *which = i;
    }
    return best;
}

static void tell(Reading *x, const HistorySeries *s, bool (*fn)(void *ctx, const HistoryMean *m), void *ctx) {
    int64_t which = 0, *at = mem_alloc((size_t)(x->count + 1) * sizeof *at);
    for (int64_t i = 0; i < x->count; i++) means_settle(&x->steps[i]);
    for (const Mean *m; (m = next_mean(x, at, &which)) != NULL; at[which]++) {
        int64_t step = x->steps[which].step;
        if (m->start + step <= s->from || m->start >= s->to) continue;
        HistoryMean out = shown(m, step);
        if (!fn(ctx, &out)) break;
    }
    mem_free(at);
}

static Err read_rows(History *h, const StoreHistoryAsk *ask, Reading *x) {
    StoreReader *r;
    TRY(store_reader_begin(h->store, &r));
    Err err = store_history_rows(r, ask, add_row, x);
    store_reader_end(r);
    return err ? err : x->err;
}

// Only live's points are let go.
static Layer lowest(History *h) {
    Layer l = layer_first(h);
    while (layer_next(&l)) {}
    return l;
}

Err history_means(History *h, const HistorySeries *s, bool (*fn)(void *ctx, const HistoryMean *m), void *ctx) {
    Layer l = lowest(h);
    if (l.of->parent) return ERR_OK; // it began with nothing
    StoreHistoryAsk ask = {
        .lane = s->lane, .page = s->row / HBLOCK_ROWS, .bytes = true, .means = true, .from = s->from, .to = s->to};
    Reading x = {.desk = history_desk_take(h), .row = (uint32_t)(s->row % HBLOCK_ROWS), .at = l.at};
    Err err = read_rows(h, &ask, &x);
    if (!err) tell(&x, s, fn, ctx);
    for (int64_t i = 0; i < x.count; i++) means_free(&x.steps[i]);
    mem_free(x.steps);
    history_desk_give(h, x.desk);
    return err;
}

// ---- what went ----------------------------------------------------------------------------------------------------

static bool take_first(void *ctx, const StoreHistory *row) {
    *(StoreHistory *)ctx = *row;
    return false;
}

// The oldest block of a page; id 0: there is none.
static Err first_row(StoreReader *r, uint64_t lane, uint64_t page, StoreHistory *out) {
    const StoreHistoryAsk ask = {.lane = lane, .page = page, .from = INT64_MIN, .to = INT64_MAX};
    *out = (StoreHistory){.id = 0};
    return store_history_rows(r, &ask, take_first, out);
}

static Err start_of(History *h, StoreReader *r, HistoryDesk *d, const StoreHistory *first, uint32_t row, HState *out) {
    CachedBlock *b;
    const HPoint *p;
    int64_t n;
    HState *all = NEW(&d->arena, HState, HBLOCK_ROWS);
    TRY(history_block(h, r, d, first, &b));
    Err err = b->block.has_start ? hblock_rows(d->work, &b->block, row, row, &d->arena, &p, &n, all) : ERR_OK;
    *out = all[row];
    if (!err) out->text = arena_str(&d->arena, all[row].text);
    history_block_drop(h, b);
    return err;
}

Err history_let_go(History *h, uint64_t lane, uint64_t row, Arena *keep, HistoryPoint *out) {
    StoreReader *r;
    StoreHistory first, began;
    HState s = {.valid = false};
    *out = (HistoryPoint){.kind = 0};
    if (lowest(h).of->parent) return ERR_OK;
    TRY(store_reader_begin(h->store, &r));
    HistoryDesk *d = history_desk_take(h);
    Err err = first_row(r, lane, row / HBLOCK_ROWS, &first);
    if (!err && first.id && first.start) err = first_row(r, LANE_BATCHES, 0, &began);
    if (!err && first.id && first.start) err = start_of(h, r, d, &first, (uint32_t)(row % HBLOCK_ROWS), &s);
    if (!err && s.valid && began.id && s.update_time > began.t0 && s.update_time <= lowest(h).at)
        *out = (HistoryPoint){.kind = HPOINT_PUT,
                              .row = (uint16_t)(row % HBLOCK_ROWS),
                              .time = s.source_time ? s.source_time : s.update_time,
                              .arrival = s.update_time,
                              .source_time = s.source_time,
                              .bits = s.bits,
                              .text = arena_str(keep, s.text)};
    store_reader_end(r);
    history_desk_give(h, d);
    return err;
}
