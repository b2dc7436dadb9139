// SPDX-License-Identifier: Apache-2.0
// Series of one row, last values of many, batches by time, the dead.
//
// A series is put together from blocks in order of their smallest own time. Points wait in a pool until no block that
// is still to come can have an earlier one; blocks that do not overlap leave the pool empty, and its texts are let go.
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/thread.h"
#include "history/history_inner.h"

// ---- rows of a page ----

typedef struct Rows {
    StoreHistory *p;
    int64_t count, cap;
    uint64_t to; // of the layer: younger blocks are left out
} Rows;

static bool keep_row(void *ctx, const StoreHistory *row) {
    Rows *r = ctx;
    if (row->first > r->to) return true;
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 16;
        r->p = mem_grow(r->p, (size_t)r->cap * sizeof *r->p);
    }
    r->p[r->count++] = *row;
    return true;
}

// The newest batch of rows [from, count).
static uint64_t last_of(const Rows *rows, int64_t from) {
    uint64_t last = 0;
    for (int64_t i = from; i < rows->count; i++) last = rows->p[i].last > last ? rows->p[i].last : last;
    return last;
}

static int64_t own_time(const HPoint *p, int64_t arrival) { return p->source_time ? p->source_time : arrival; }

static HistoryPoint point_of(const HPoint *p, uint64_t seq, int64_t arrival, Str source) {
    return (HistoryPoint){.kind = p->kind,
                          .row = p->row,
                          .time = own_time(p, arrival),
                          .arrival = arrival,
                          .source_time = p->source_time,
                          .seq = seq,
                          .bits = p->bits,
                          .text = p->text,
                          .source = source};
}

// ---- a series ----

typedef struct Pooled {
    HistoryPoint p;
    int64_t key;   // own time, or arrival
    int64_t order; // of arrival within the series
} Pooled;

typedef struct Series {
    History *h;
    HistoryDesk *d; // its arena holds texts of points in the pool
    const HistorySeries *ask;
    bool (*fn)(void *ctx, const HistoryPoint *p);
    void *ctx;
    Pooled *pool;
    int64_t count, cap, order;
    bool sorted, stopped;
    uint64_t to;  // no later batch counts of the block at hand
    Str *sources; // distinct ones
    int64_t source_count;
    Arena keep;
} Series;

static Str keep_source(Series *s, Str source) {
    for (int64_t i = s->source_count - 1; i >= 0; i--) {
        if (str_eq(s->sources[i], source)) return s->sources[i];
    }
    if ((s->source_count & (s->source_count - 1)) == 0)
        s->sources = mem_grow(s->sources, (size_t)(s->source_count ? s->source_count * 2 : 1) * sizeof(Str));
    s->sources[s->source_count] = arena_str(&s->keep, source);
    return s->sources[s->source_count++];
}

static void pool_add(Series *s, const HistoryPoint *p, bool copy) {
    const HistorySeries *a = s->ask;
    int64_t key = a->arrival ? p->arrival : p->time;
    if (key < a->from || key >= a->to) return;
    if (!a->everything && (p->kind == HPOINT_MOVED || p->kind == HPOINT_SOURCE)) return;
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->pool = mem_grow(s->pool, (size_t)s->cap * sizeof *s->pool);
    }
    if (s->count && key < s->pool[s->count - 1].key) s->sorted = false;
    Pooled *x = &s->pool[s->count++];
    *x = (Pooled){.p = *p, .key = key, .order = s->order++};
    if (copy && p->text.n) x->p.text = arena_str(&s->d->arena, p->text);
}

// Points of one time in order of arrival: blocks come in any order, so by sequence, then as they were read.
static int by_time(const void *a, const void *b) {
    const Pooled *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    if (x->p.seq != y->p.seq) return x->p.seq < y->p.seq ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void sort_pool(Series *s) {
    if (s->sorted && !s->ask->arrival) {
        // Equal times may still stand in another order than they arrived in.
        for (int64_t i = 1; i < s->count && s->sorted; i++)
            s->sorted = s->pool[i].key != s->pool[i - 1].key || s->pool[i].p.seq >= s->pool[i - 1].p.seq;
    }
    if (!s->sorted) qsort(s->pool, (size_t)s->count, sizeof *s->pool, by_time);
    s->sorted = true;
}

// Give what is before `until`.
static void pool_give(Series *s, int64_t until, bool all) {
    bool each = s->ask->everything || s->ask->arrival;
    int64_t n = 0;
    sort_pool(s);
    for (; n < s->count && !s->stopped && (all || s->pool[n].key < until); n++) {
        bool beaten = !each && n + 1 < s->count && s->pool[n + 1].key == s->pool[n].key;
        if (!beaten) s->stopped = !s->fn(s->ctx, &s->pool[n].p);
    }
    s->count -= n;
    if (s->count && n) memmove(s->pool, s->pool + n, (size_t)s->count * sizeof *s->pool);
    if (s->count == 0) arena_reset(&s->d->arena);
}

static Err pool_block(Series *s, const CachedBlock *b) {
    const HPoint *p;
    int64_t n;
    uint32_t row = (uint32_t)(s->ask->row & (PAGE_ROWS - 1));
    TRY(hblock_rows(s->d->work, &b->block, row, row, &s->d->arena, &p, &n, NULL));
    for (int64_t i = 0; i < n; i++) {
        const HBatch *batch = &b->block.batches[p[i].batch];
        if (batch->seq > s->to) break;
        Str source = b->block.source_count ? keep_source(s, b->block.sources[batch->source]) : (Str){0};
        HistoryPoint x = point_of(&p[i], batch->seq, batch->time, source);
        pool_add(s, &x, false);
    }
    return ERR_OK;
}

static void pool_run(Series *s, const HeadRun *r, uint64_t after, uint64_t to) {
    uint32_t row = (uint32_t)(s->ask->row & (PAGE_ROWS - 1));
    HeadCursor c = head_cursor(r, to);
    for (HeadPoint x; head_next(&c, &x);) {
        if (x.seq <= after || x.p.row != row) continue;
        HistoryPoint p = point_of(&x.p, x.seq, x.time, history_source_text(s->h, x.source));
        pool_add(s, &p, true);
    }
}

static int by_s0(const void *a, const void *b) {
    const StoreHistory *x = a, *y = b;
    if (x->s0 != y->s0) return x->s0 < y->s0 ? -1 : 1;
    return x->t0 < y->t0 ? -1 : x->t0 > y->t0;
}

static int by_t0(const void *a, const void *b) {
    const StoreHistory *x = a, *y = b;
    return x->t0 < y->t0 ? -1 : x->t0 > y->t0;
}

// Rows of a layer that may have something of what is asked for. *after: what they cover.
static Err find_rows(Series *s, StoreReader *r, const Layer *l, Rows *rows, uint64_t *after) {
    const HistorySeries *a = s->ask;
    const StoreHistoryAsk ask = {.lane = layer_lane(l, a->lane),
                                 .page = a->row >> PAGE_SHIFT,
                                 .from = a->arrival ? INT64_MIN : a->from,
                                 .to = a->arrival ? INT64_MAX : a->to};
    int64_t n = rows->count, had = n;
    rows->to = l->to;
    TRY(store_history_rows(r, &ask, keep_row, rows));
    *after = last_of(rows, had);
    for (int64_t i = had; i < rows->count; i++) {
        const StoreHistory *x = &rows->p[i];
        if (x->points && (!a->arrival || (x->t1 >= a->from && x->t0 < a->to))) rows->p[n++] = *x;
    }
    rows->count = n;
    return ERR_OK;
}

// What batch the layer counts up to that a row is of.
static uint64_t to_of(History *h, const StoreHistory *row) {
    Layer l = layer_first(h);
    while (l.of->f.world != store_lane_world(row->lane) && layer_next(&l)) {}
    return l.to;
}

static Err give_blocks(Series *s, StoreReader *r, const Rows *rows) {
    for (int64_t i = 0; i < rows->count && !s->stopped; i++) {
        CachedBlock *b;
        pool_give(s, s->ask->arrival ? rows->p[i].t0 : rows->p[i].s0, false);
        if (s->stopped) break;
        TRY(history_block(s->h, r, s->d, &rows->p[i], &b));
        s->to = to_of(s->h, &rows->p[i]);
        Err e = pool_block(s, b);
        history_block_drop(s->h, b);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

// Heads of all layers, then the rows of their blocks.
static Err find_all(Series *s, StoreReader *r, LayerViews *v, Rows *rows) {
    for (int32_t k = 0; k < v->count; k++) {
        LayerView *x = &v->views[k];
        uint64_t after = 0;
        TRY(find_rows(s, r, &x->layer, rows, &after));
        for (int32_t i = 0; i < x->heads.count; i++) pool_run(s, x->heads.runs[i], after, x->taken);
    }
    if (rows->count) qsort(rows->p, (size_t)rows->count, sizeof *rows->p, s->ask->arrival ? by_t0 : by_s0);
    return ERR_OK;
}

static Err series_run(Series *s, LayerViews *v) {
    StoreReader *r;
    Rows rows = {0};
    TRY(store_reader_begin(s->h->store, &r));
    Err e = find_all(s, r, v, &rows);
    layer_views_free(v);
    if (e == ERR_OK) e = give_blocks(s, r, &rows);
    store_reader_end(r);
    mem_free(rows.p);
    if (e == ERR_OK && !s->stopped) pool_give(s, 0, true);
    return e;
}

Err history_series(History *h, const HistorySeries *a, bool (*fn)(void *ctx, const HistoryPoint *p), void *ctx) {
    if (a->from >= a->to) return ERR_OK;
    Series s = {.h = h, .d = history_desk_take(h), .ask = a, .fn = fn, .ctx = ctx, .sorted = true};
    arena_init(&s.keep, 0);
    LayerViews v;
    layer_views(h, a->lane, a->row >> PAGE_SHIFT, &v);
    Err e = series_run(&s, &v);
    layer_views_free(&v);
    mem_free(s.pool);
    mem_free(s.sources);
    arena_free(&s.keep);
    history_desk_give(h, s.d);
    return e;
}

// ---- last values ----

#define LAST_PAGES 32 // looked at in one transaction

typedef struct Wanted {
    uint64_t row;
    int64_t place; // in out
} Wanted;

// The rows of one page.
typedef struct Last {
    History *h;
    HistoryDesk *d;
    StoreReader *r;
    uint64_t lane, page;
    int64_t at;
    const Wanted *rows; // ascending
    int64_t n;
    Arena *keep;
    HistoryPoint *out;
    Rows blocks;                 // of the page
    const CachedBlock *block;    // whose points are offered
    uint64_t to;                 // no later batch counts of the layer at hand
    int16_t by_row[HBLOCK_ROWS]; // place among `rows` of its first wish, -1: not wanted
} Last;

static bool counts(uint8_t kind) { return kind != HPOINT_SOURCE; }

static void offer(Last *l, const HistoryPoint *p) {
    int16_t i = l->by_row[p->row];
    if (i < 0 || p->time > l->at || !counts(p->kind)) return;
    HistoryPoint *best = &l->out[l->rows[i].place];
    if (best->kind && (p->time < best->time || (p->time == best->time && p->seq < best->seq))) return;
    *best = *p;
    if (p->text.n) best->text = arena_str(&l->d->arena, p->text);
}

// What stood before the first block there is: its points are not there (any more).
static void offer_state(Last *l, uint32_t r, const HState *s) {
    int16_t i = l->by_row[r];
    if (i < 0 || !s->valid) return;
    HistoryPoint *best = &l->out[l->rows[i].place];
    int64_t own = s->source_time ? s->source_time : s->update_time;
    if (own > l->at || (best->kind && best->time >= own)) return;
    *best = (HistoryPoint){.kind = HPOINT_PUT,
                           .row = (uint16_t)r,
                           .time = own,
                           .arrival = s->update_time,
                           .source_time = s->source_time,
                           .bits = s->bits,
                           .text = arena_str(&l->d->arena, s->text)};
}

static uint32_t row_at(const Last *l, int64_t i) { return (uint32_t)(l->rows[i].row & (PAGE_ROWS - 1)); }

// Could a block have something newer for a wish?
static bool open_wish(const Last *l, int64_t i, const StoreHistory *row) {
    const HistoryPoint *best = &l->out[l->rows[i].place];
    if (l->by_row[row_at(l, i)] != i) return false; // wished for twice
    return !best->kind || best->time < row->s1;
}

// The texts of what was found live as long as the block is held.
static void keep_texts(Last *l) {
    for (int64_t i = 0; i < l->n; i++) {
        HistoryPoint *p = &l->out[l->rows[i].place];
        if (p->source.n) p->source = arena_str(&l->d->arena, p->source);
    }
}

// Points of a row of a block.
static void offer_points(void *ctx, const HPoint *p, int64_t n) {
    Last *l = ctx;
    const HBlock *b = &l->block->block;
    for (int64_t i = 0; i < n; i++) {
        const HBatch *batch = &b->batches[p[i].batch];
        if (own_time(&p[i], batch->time) > l->at || batch->seq > l->to) continue;
        Str source = b->source_count ? b->sources[batch->source] : (Str){0};
        HistoryPoint x = point_of(&p[i], batch->seq, batch->time, source);
        offer(l, &x);
    }
}

// The points of the rows that are wanted.
static Err offer_rows(Last *l, const CachedBlock *b, const uint8_t want[HBLOCK_ROWS], bool oldest) {
    HState *start = oldest && b->block.has_start ? NEW(&l->d->arena, HState, HBLOCK_ROWS) : NULL;
    const HBlockEach each = {.fn = offer_points, .ctx = l, .start = start};
    l->block = b;
    TRY(hblock_each(l->d->work, &b->block, want, &l->d->arena, &each));
    for (uint32_t r = 0; start && r < HBLOCK_ROWS; r++)
        if (want[r]) offer_state(l, r, &start[r]);
    return ERR_OK;
}

static Err offer_block(Last *l, const StoreHistory *row, bool oldest) {
    uint8_t want[HBLOCK_ROWS] = {0};
    CachedBlock *b;
    bool any = false;
    for (int64_t i = 0; i < l->n; i++) {
        if (!open_wish(l, i, row)) continue;
        want[row_at(l, i)] = 1;
        any = true;
    }
    if (!any) return ERR_OK;
    TRY(history_block(l->h, l->r, l->d, row, &b));
    Err e = offer_rows(l, b, want, oldest);
    keep_texts(l);
    history_block_drop(l->h, b);
    return e;
}

static void offer_run(Last *l, const HeadRun *r, uint64_t after, uint64_t to) {
    HeadCursor c = head_cursor(r, to);
    for (HeadPoint x; head_next(&c, &x);) {
        if (x.seq <= after || l->by_row[x.p.row] < 0) continue;
        HistoryPoint p = point_of(&x.p, x.seq, x.time, history_source_text(l->h, x.source));
        offer(l, &p);
    }
}

static Err last_blocks(Last *l, const LayerView *v) {
    Rows *rows = &l->blocks;
    const StoreHistoryAsk ask = {.lane = layer_lane(&v->layer, l->lane),
                                 .page = l->page,
                                 .from = INT64_MIN,
                                 .to = l->at == INT64_MAX ? l->at : l->at + 1};
    rows->count = 0;
    rows->to = l->to = v->layer.to;
    Err e = store_history_rows(l->r, &ask, keep_row, rows);
    uint64_t after = last_of(rows, 0);
    for (int32_t i = 0; i < v->heads.count && e == ERR_OK; i++) offer_run(l, v->heads.runs[i], after, v->taken);
    for (int64_t i = rows->count - 1; i >= 0 && e == ERR_OK; i--) e = offer_block(l, &rows->p[i], i == 0);
    return e;
}

// Wishes of one page, ascending; a row may be wished for twice.
typedef struct LastPage {
    uint64_t page;
    const Wanted *rows;
    int64_t n;
    LayerViews views;
} LastPage;

static Err last_page(Last *l, const LastPage *p) {
    l->page = p->page;
    l->rows = p->rows;
    l->n = p->n;
    memset(l->by_row, -1, sizeof l->by_row);
    for (int64_t i = l->n - 1; i >= 0; i--) l->by_row[row_at(l, i)] = (int16_t)i;
    Err e = ERR_OK;
    for (int32_t i = 0; i < p->views.count && !e; i++) e = last_blocks(l, &p->views.views[i]);
    for (int64_t i = 0; i < l->n && e == ERR_OK; i++) {
        HistoryPoint *at = &l->out[l->rows[i].place];
        const HistoryPoint *first = &l->out[l->rows[l->by_row[row_at(l, i)]].place];
        if (at != first) *at = *first;
        if (at->text.n) at->text = arena_str(l->keep, at->text);
        if (at->source.n) at->source = arena_str(l->keep, at->source);
    }
    arena_reset(&l->d->arena);
    return e;
}

// Some pages in one transaction, which begins behind the look at their heads.
static Err last_pages(Last *l, LastPage *pages, int64_t n) {
    for (int64_t i = 0; i < n; i++) layer_views(l->h, l->lane, pages[i].page, &pages[i].views);
    Err e = store_reader_begin(l->h->store, &l->r);
    if (e == ERR_OK) {
        for (int64_t i = 0; i < n && e == ERR_OK; i++) e = last_page(l, &pages[i]);
        store_reader_end(l->r);
    }
    for (int64_t i = 0; i < n; i++) layer_views_free(&pages[i].views);
    return e;
}

static int by_row(const void *a, const void *b) {
    const Wanted *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

// Cut wishes [*at, n) into pages, LAST_PAGES at most.
static int64_t cut_pages(const Wanted *w, int64_t n, int64_t *at, LastPage *pages) {
    int64_t count = 0;
    for (int64_t i = *at; i < n && count < LAST_PAGES; i = *at, count++) {
        int64_t end = i;
        pages[count] = (LastPage){.page = w[i].row >> PAGE_SHIFT, .rows = w + i};
        while (end < n && w[end].row >> PAGE_SHIFT == pages[count].page && end - i < PAGE_ROWS) end++;
        pages[count].n = end - i;
        *at = end;
    }
    return count;
}

// Wishes [0, n) of `out`, in order of rows, into `keep`.
typedef struct LastPart {
    History *h;
    uint64_t lane;
    const Wanted *wanted;
    int64_t n, at;
    Arena *keep;
    HistoryPoint *out;
    Err err;
} LastPart;

static void *last_part(void *arg) {
    LastPart *p = arg;
    Last l = {.h = p->h, .lane = p->lane, .at = p->at, .keep = p->keep, .out = p->out};
    LastPage pages[LAST_PAGES];
    l.d = history_desk_take(p->h);
    for (int64_t next = 0; next < p->n && p->err == ERR_OK;) {
        int64_t count = cut_pages(p->wanted, p->n, &next, pages);
        p->err = last_pages(&l, pages, count);
    }
    history_desk_give(p->h, l.d);
    mem_free(l.blocks.p);
    return NULL;
}

// Where the second half of the pages begins; n when there are too few for two threads.
static int64_t half_of(const Wanted *w, int64_t n) {
    int64_t pages = 0, middle = n / 2;
    for (int64_t i = 0; i < n; i++) pages += i == 0 || w[i].row >> PAGE_SHIFT != w[i - 1].row >> PAGE_SHIFT;
    if (pages < LAST_PAGES) return n;
    while (middle < n && w[middle].row >> PAGE_SHIFT == w[middle - 1].row >> PAGE_SHIFT) middle++;
    return middle;
}

// The second part by a thread of its own; by this one when there is none.
static Err last_halves(LastPart *first, LastPart *second) {
    Thread t;
    Arena keep;
    Arena *mine = first->keep;
    arena_init(&keep, 0);
    second->keep = &keep;
    bool apart = thread_start(&t, "sosia-last", last_part, second) == ERR_OK;
    last_part(first);
    if (apart) thread_join(&t);
    else last_part(second);
    for (int64_t i = 0; i < second->n; i++) {
        HistoryPoint *p = &second->out[second->wanted[i].place];
        if (p->text.n) p->text = arena_str(mine, p->text);
        if (p->source.n) p->source = arena_str(mine, p->source);
    }
    arena_free(&keep);
    return first->err ? first->err : second->err;
}

Err history_last(History *h, uint64_t lane, const uint64_t *rows, int64_t n, int64_t at, Arena *keep,
                 HistoryPoint *out) {
    Wanted *w = mem_alloc((size_t)n * sizeof *w);
    for (int64_t i = 0; i < n; i++) w[i] = (Wanted){.row = rows[i], .place = i};
    memset(out, 0, (size_t)n * sizeof *out);
    if (n) qsort(w, (size_t)n, sizeof *w, by_row);
    int64_t middle = half_of(w, n);
    LastPart first = {.h = h, .lane = lane, .wanted = w, .n = middle, .at = at, .keep = keep, .out = out};
    LastPart second = first;
    second.wanted += middle;
    second.n = n - middle;
    if (second.n) first.err = last_halves(&first, &second);
    else last_part(&first);
    mem_free(w);
    return first.err;
}

// ---- batches by time ----

static void newest_in_run(const HeadRun *r, int64_t at, uint64_t to, uint64_t *seq, int64_t *time) {
    HeadCursor c = head_cursor(r, to);
    for (HeadPoint x; head_next(&c, &x) && x.time <= at;) {
        *seq = x.seq;
        *time = x.time;
    }
}

static bool take_row(void *ctx, const StoreHistory *row) {
    *(StoreHistory *)ctx = *row;
    return true;
}

// The newest batch of a block that is not after `at`; the block begins at or before it.
static void newest_in_block(const CachedBlock *b, int64_t at, uint64_t *seq, int64_t *time) {
    int64_t lo = 0, hi = b->block.batch_count;
    if (hi == 0) {
        *seq = b->row.last;
        *time = b->row.t1;
    }
    while (lo < hi) {
        int64_t mid = (lo + hi) / 2;
        if (b->block.batches[mid].time <= at) lo = mid + 1;
        else hi = mid;
    }
    if (lo == 0) return;
    *seq = b->block.batches[lo - 1].seq;
    *time = b->block.batches[lo - 1].time;
}

static Err newest_in_store(History *h, int64_t at, uint64_t *seq, int64_t *time) {
    StoreReader *r;
    StoreHistory row = {0};
    CachedBlock *b;
    const StoreHistoryAsk ask = {.lane = store_lane(h->f.world, LANE_BATCHES), .known = true, .at = at};
    TRY(store_reader_begin(h->store, &r));
    HistoryDesk *d = history_desk_take(h);
    Err e = store_history_rows(r, &ask, take_row, &row);
    if (e == ERR_OK && row.id) {
        e = history_block(h, r, d, &row, &b);
        if (e == ERR_OK) {
            newest_in_block(b, at, seq, time);
            history_block_drop(h, b);
        }
    }
    store_reader_end(r);
    history_desk_give(h, d);
    return e;
}

Err history_seq_at(History *h, int64_t at, uint64_t *seq, int64_t *time) {
    uint64_t s = 0;
    int64_t t = 0;
    for (Layer l = layer_first(h);;) {
        int64_t until = at < l.at ? at : l.at;
        uint64_t to = layer_taken(&l);
        HeadView v = head_view(l.of, LANE_BATCHES, 0);
        for (int32_t i = 0; i < v.count; i++) newest_in_run(v.runs[i], until, to, &s, &t);
        head_view_free(&v);
        if (s == 0) TRY(newest_in_store(l.of, until, &s, &t));
        if (s || !layer_next(&l)) break;
    }
    *seq = s;
    *time = t;
    return ERR_OK;
}

Err history_knows(History *h, int64_t at) {
    uint64_t seq;
    int64_t time, from = history_from(h);
    for (; h->parent; h = h->parent) at = at < h->f.fork_time ? at : h->f.fork_time; // what a fork has is all there
    if (at >= from) return ERR_OK;
    TRY(history_seq_at(h, from - 1, &seq, &time));
    return seq && time <= at ? ERR_OK : ERR_PAST_GONE;
}

// ---- the dead ----

typedef struct DeadAsk {
    Str name;
    bool (*fn)(void *ctx, const StoreDead *d);
    void *ctx;
    const StoreDead *told;
    int64_t told_count;
    int64_t at; // later ones died after the fork was made
    bool stopped;
} DeadAsk;

static bool tell_dead(void *ctx, const StoreDead *d) {
    DeadAsk *a = ctx;
    if (d->time > a->at) return true;
    for (int64_t i = 0; i < a->told_count; i++) {
        if (a->told[i].twin == d->twin) return true;
    }
    a->stopped = !a->fn(a->ctx, d);
    return !a->stopped;
}

// Those in memory, newest first; names in the arena.
static int64_t dead_in_memory(const Layer *l, Str name, Arena *keep, StoreDead **out) {
    const History *h = l->of;
    int64_t n = 0;
    pthread_mutex_lock(&h->root->lock);
    *out = NEW(keep, StoreDead, h->dead_count);
    for (int64_t i = h->dead_count - 1; i >= 0; i--) {
        const DeadTwin *d = &h->dead[i];
        if (d->seq > l->to || !str_eq(d->name, name)) continue;
        (*out)[n++] = (StoreDead){.twin = d->twin, .name = name, .time = d->time, .world = h->f.world};
    }
    pthread_mutex_unlock(&h->root->lock);
    return n;
}

static Err dead_of_layer(DeadAsk *a, const Layer *l, Arena *keep) {
    StoreReader *r;
    StoreDead *told;
    a->told_count = dead_in_memory(l, a->name, keep, &told);
    for (int64_t i = 0; i < a->told_count && !a->stopped; i++) a->stopped = !a->fn(a->ctx, &told[i]);
    a->told = told;
    a->at = l->at;
    if (a->stopped) return ERR_OK;
    TRY(store_reader_begin(l->of->store, &r));
    Err e = store_history_dead(r, l->of->f.world, a->name, tell_dead, a);
    store_reader_end(r);
    return e;
}

Err history_dead(History *h, Str name, bool (*fn)(void *ctx, const StoreDead *d), void *ctx) {
    HistoryDesk *d = history_desk_take(h);
    DeadAsk a = {.name = name, .fn = fn, .ctx = ctx};
    Layer l = layer_first(h);
    Err e = dead_of_layer(&a, &l, &d->arena);
    while (!e && !a.stopped && layer_next(&l)) e = dead_of_layer(&a, &l, &d->arena);
    history_desk_give(h, d);
    return e;
}
