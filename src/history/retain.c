// SPDX-License-Identifier: Apache-2.0
// Retention: what is older than the rules say becomes means, or nothing. By arrival: a value that came late is kept as
// long as one that came with it. A pass goes through lanes and their pages, a slice of blocks at a time; a slice takes
// the oldest blocks of a page, and what remains of them, if anything, opens with the state they led to.
#include "base/check.h"
#include "base/mem.h"
#include "history/merge_inner.h"

#define LEVEL 6 // of zstd

// What the rules say of a page at `now`.
typedef struct Cuts {
    int64_t before[HBLOCK_ROWS]; // points that arrived before go; INT64_MIN: none
    int64_t step[HBLOCK_ROWS];   // 0: no means
    int64_t last;                // the latest of before
    int64_t due;                 // a block that begins before is worth the work
    int64_t means_before;        // means that end before go
} Cuts;

// ---- rules --------------------------------------------------------------------------------------------------------

static void cut_row(Cuts *c, uint32_t row, const HistoryKeep *k, int64_t now) {
    c->before[row] = INT64_MIN;
    c->step[row] = k->step_ns > 0 && k->step_ns <= MEANS_STEP_MAX ? k->step_ns : 0;
    if (k->raw_ns <= 0 || k->raw_ns > now) return;
    int64_t end = now - k->raw_ns;
    if (k->hold_ns && end > k->hold_ns) end = k->hold_ns;
    int64_t before = means_floor(end, c->step[row] ? c->step[row] : 1);
    c->before[row] = before;
    if (before > c->last) c->last = before;
    int64_t due = before - k->raw_ns / RETAIN_SLACK;
    if (due > c->due) c->due = due;
}

static void cut_means(Cuts *c, const HistoryKeep *k, int64_t now) {
    if (k->step_ns <= 0) return;
    int64_t before = k->means_ns > 0 && k->means_ns <= now ? now - k->means_ns : INT64_MIN;
    if (before < c->means_before) c->means_before = before;
}

static HistoryRules rules_of(History *h) {
    pthread_mutex_lock(&h->lock);
    HistoryRules rules = h->rules;
    pthread_mutex_unlock(&h->lock);
    return rules;
}

static void cuts_of(History *h, uint64_t lane, uint64_t page, int64_t now, Cuts *c) {
    bool rows = false;
    HistoryRules rules = rules_of(h);
    HistoryKeep keep = rules.lane(rules.ctx, lane, &rows);
    c->last = c->due = INT64_MIN;
    c->means_before = INT64_MAX;
    for (uint32_t i = 0; i < HBLOCK_ROWS; i++) {
        if (rows) keep = rules.row(rules.ctx, lane, page * HBLOCK_ROWS + i);
        cut_row(c, i, &keep, now);
        cut_means(c, &keep, now);
    }
}

// ---- one slice ----------------------------------------------------------------------------------------------------

typedef struct Slice {
    History *h;
    const Cuts *cuts;
    uint64_t lane, page;
    int64_t taken;            // blocks
    int64_t gone_t0, gone_t1; // arrival of the first and last point that goes
    uint64_t gone_first, gone_last;
    int64_t step;  // of the means made here; 0: none so far
    bool left;     // points of another step remain for another slice
    int64_t added; // to the means
    Means *means;
} Slice;

static Err take_row(void *ctx, const StoreHistory *h, bool *go_on) {
    Slice *s = ctx;
    TRY(splice_add(&s->h->merge->splice, h, go_on));
    s->taken += *go_on;
    return ERR_OK;
}

static void on_gone(void *ctx, const HBatch *b, const HPoint *p) {
    Slice *s = ctx;
    double value;
    if (b->time < s->gone_t0) s->gone_t0 = b->time;
    if (b->time > s->gone_t1) s->gone_t1 = b->time;
    if (b->seq < s->gone_first) s->gone_first = b->seq;
    if (b->seq > s->gone_last) s->gone_last = b->seq;
    if (!s->cuts->step[p->row] || (p->kind != HPOINT_PUT && p->kind != HPOINT_LATE)) return;
    if (!means_value(s->h->merge->splice.cell, p->bits, &value)) return;
    means_add(s->means, p->row, p->source_time ? p->source_time : b->time, value);
    s->added++;
}

// Rows whose step is another one wait for a slice of their own: one block of means has one step.
static void one_step(Slice *s, int64_t before[HBLOCK_ROWS]) {
    int64_t count[HBLOCK_ROWS] = {0};
    const Splice *x = &s->h->merge->splice;
    for (int64_t i = 0; i < x->count; i++) {
        const HPoint *p = &x->points[i];
        count[p->row] += x->batches[p->batch].time < s->cuts->before[p->row];
    }
    for (uint32_t r = 0; r < HBLOCK_ROWS; r++) {
        before[r] = s->cuts->before[r];
        int64_t step = s->cuts->step[r];
        if (!count[r] || !step) continue;
        if (!s->step) s->step = step;
        if (step == s->step) continue;
        before[r] = INT64_MIN;
        s->left = true;
    }
}

// Read the newest means of the page into s->means when more fit behind them; *gone gets their row.
static Err add_means_row(void *ctx, const StoreHistory *h, bool *go_on) {
    Slice *s = ctx;
    int64_t step;
    *go_on = false;
    TRY(means_step(s->h->coder, h->bytes, &s->h->merge->splice.keep, &step));
    if (step != s->step) return ERR_OK;
    return means_decode(s->h->coder, h->bytes, 0, HBLOCK_ROWS - 1, &s->h->merge->splice.keep, s->means);
}

#define MEANS_FIELDS 8 // points of an interval in a block of means

static Err means_before(Slice *s, StoreReader *r, const Rows *means, int64_t *gone, int64_t *gone_count) {
    means_begin(s->means, s->step ? s->step : 1);
    if (!s->step || !means->count) return ERR_OK;
    const StoreHistory *h = &means->items[means->count - 1];
    if (h->points / MEANS_FIELDS >= RETAIN_MEANS || h->bytes.n >= STORE_SLICE_BYTES / 2) return ERR_OK;
    TRY(merge_fetch(r, h, 1, INT64_MAX, add_means_row, s));
    if (!s->means->count) return ERR_OK;
    gone[(*gone_count)++] = h->id;
    s->gone_t0 = h->t0;
    s->gone_first = h->first;
    return ERR_OK;
}

// Rows of means that are too old as a whole.
static void old_means(const Cuts *c, const Rows *means, int64_t *gone, int64_t *n) {
    for (int64_t i = 0; i < means->count; i++)
        if (means->items[i].s1 < c->means_before) gone[(*n)++] = means->items[i].id;
}

static void put_means(Slice *s, StoreHistory *out) {
    History *h = s->h;
    means_settle(s->means);
    buf_reset(&h->merge->means_bytes);
    means_encode(h->coder, s->means, &h->merge->means_bytes);
    CHECK(!h->merge->means_bytes.full);
    *out = (StoreHistory){.lane = s->lane,
                          .page = s->page,
                          .tier = STORE_TIER_MEANS,
                          .first = s->gone_first,
                          .last = s->gone_last,
                          .t0 = s->gone_t0,
                          .t1 = s->gone_t1,
                          .points = s->means->count * MEANS_FIELDS,
                          .bytes = buf_str(&h->merge->means_bytes)};
    means_span(s->means, &out->s0, &out->s1);
}

// What remains of the blocks taken: their younger points behind the state, or the state alone.
static Err put_rest(Slice *s, const StoreHistory *rows, StoreHistory *out) {
    History *h = s->h;
    *out = (StoreHistory){.lane = s->lane, .page = s->page};
    for (int64_t i = 0; i < s->taken; i++)
        if (rows[i].tier > out->tier) out->tier = rows[i].tier;
    buf_reset(&h->merge->bytes);
    TRY(splice_end(&h->merge->splice, true, LEVEL, out, &h->merge->bytes));
    if (out->t0 > s->gone_t1) out->t0 = s->gone_t1;
    if (!out->points) out->t1 = out->s0 = out->s1 = out->t0;
    return ERR_OK;
}

static Err put_slice(Slice *s, const StoreHistory *rows, const Rows *means, StoreReader *r, bool *done) {
    History *h = s->h;
    int64_t before[HBLOCK_ROWS], n = 0;
    int64_t *gone = NEW(&h->merge->list, int64_t, s->taken + means->count + 1);
    StoreHistory out[2];
    one_step(s, before);
    TRY(means_before(s, r, means, gone, &n));
    int64_t had = s->means->count, let_go = splice_cut(&h->merge->splice, before, on_gone, s);
    *done = let_go > 0;
    if (!let_go) return ERR_OK;
    bool some = s->added > 0;
    if (some) put_means(s, &out[1]);
    else n = 0; // the means that are there stay
    for (int64_t i = 0; i < s->taken; i++) gone[n++] = rows[i].id;
    TRY(put_rest(s, rows, &out[0]));
    TRY(merge_put(h, &(StoreHistoryPut){.gone = gone, .gone_count = n, .rows = out, .row_count = 1 + some}));
    atomic_fetch_add(&h->n.blocks_let_go, s->taken - (h->merge->splice.count > 0));
    atomic_fetch_add(&h->merge->n.points_let_go, let_go);
    atomic_fetch_add(&h->merge->n.means_made, s->means->count - had);
    return ERR_OK;
}

// How many rows behind `from` one slice takes.
static int64_t slice_rows(const Rows *rows, int64_t from, int64_t before) {
    int64_t n = 0, points = 0, bytes = 0;
    while (from + n < rows->count && rows->items[from + n].t0 < before) {
        const StoreHistory *h = &rows->items[from + n];
        if (n && (points + h->points > RETAIN_SLICE_POINTS || bytes + h->bytes.n > STORE_SLICE_BYTES)) break;
        points += h->points;
        bytes += h->bytes.n;
        n++;
    }
    return n;
}

static Err take_slice(Slice *s, StoreReader *r, const StoreHistory *rows, int64_t n) {
    splice_begin(&s->h->merge->splice, merge_kind(s->lane));
    if (!rows[0].start) TRY(merge_state_before(s->h->merge, r, &rows[0]));
    return merge_fetch(r, rows, n, INT64_MAX, take_row, s);
}

// ---- a page -------------------------------------------------------------------------------------------------------

static Err drop_means(History *h, const Cuts *c, const Rows *means, bool *done) {
    int64_t n = 0, *gone = NEW(&h->merge->list, int64_t, means->count + 1);
    old_means(c, means, gone, &n);
    *done = n > 0;
    if (!n) return ERR_OK;
    atomic_fetch_add(&h->merge->n.means_let_go, n);
    return merge_put(h, &(StoreHistoryPut){.gone = gone, .gone_count = n});
}

// The next slice of the page. *more: call again.
static Err page_slice(History *h, StoreReader *r, uint64_t lane, uint64_t page, const Cuts *c, bool *more) {
    Rows rows = {.keep = &h->merge->list}, means = {.keep = &h->merge->list};
    *more = true;
    TRY(merge_rows(r, lane, page, true, &means));
    bool done;
    TRY(drop_means(h, c, &means, &done));
    if (done) return ERR_OK;
    TRY(merge_rows(r, lane, page, false, &rows));
    int64_t from = 0;
    while (from < rows.count && rows.items[from].t0 <= h->merge->pass.after) from++;
    Place *p = merge_place(h->merge, lane, page);
    bool due = from < rows.count && rows.items[from].t0 < c->due && (from || p->cut < c->due);
    int64_t n = slice_rows(&rows, from, c->last);
    *more = (due || h->merge->pass.after > INT64_MIN) && n > 0;
    if (!*more) return ERR_OK;
    if (!merge_put_from(h, c->last)) return ERR_OK;
    Slice s = {.h = h, .cuts = c, .lane = lane, .page = page, .means = &h->merge->means};
    s.gone_t0 = INT64_MAX;
    s.gone_t1 = INT64_MIN;
    s.gone_first = UINT64_MAX;
    TRY(take_slice(&s, r, &rows.items[from], n));
    CHECK(s.taken > 0);
    int64_t last_t0 = rows.items[from + s.taken - 1].t0;
    TRY(put_slice(&s, &rows.items[from], &means, r, &done));
    if (!done || !s.left) h->merge->pass.after = last_t0;
    return ERR_OK;
}

// ---- a pass -------------------------------------------------------------------------------------------------------

static bool keep_lane(void *ctx, const StoreLane *l) {
    Pass *p = ctx;
    if (p->lane_count == p->lane_cap) {
        p->lane_cap = p->lane_cap ? p->lane_cap * 2 : 256;
        p->lanes = mem_grow(p->lanes, (size_t)p->lane_cap * sizeof *p->lanes);
    }
    p->lanes[p->lane_count++] = *l;
    return true;
}

static Err pass_begin(History *h, StoreReader *r) {
    Pass *p = &h->merge->pass;
    p->lane_count = 0;
    TRY(store_history_lanes(r, keep_lane, p));
    p->lane = 0;
    p->page = p->pages = 0;
    p->after = INT64_MIN;
    return ERR_OK;
}

// Whether anything of the lane can go.
static bool lane_due(History *h, const StoreLane *l, int64_t now) {
    bool by_row = false;
    HistoryRules rules = rules_of(h);
    HistoryKeep keep = rules.lane(rules.ctx, l->lane, &by_row);
    return by_row || (keep.raw_ns > 0 && keep.raw_ns <= now && l->t0 < now - keep.raw_ns &&
                      (!keep.hold_ns || l->t0 < keep.hold_ns));
}

static void next_page(History *h, const Cuts *c) {
    Pass *p = &h->merge->pass;
    Place *place = merge_place(h->merge, p->lanes[p->lane].lane, p->page);
    if (p->after > INT64_MIN && c->last > place->cut && !p->refused) place->cut = c->last;
    p->refused = false;
    p->page++;
    p->after = INT64_MIN;
}

static Err pass_page(History *h, StoreReader *r) {
    Pass *p = &h->merge->pass;
    const StoreLane *l = &p->lanes[p->lane];
    Cuts c;
    bool more = false;
    cuts_of(h, l->lane, p->page, p->now, &c);
    Err err = page_slice(h, r, l->lane, p->page, &c, &more);
    if (err == ERR_CORRUPT || err == ERR_LIMIT) {
        atomic_fetch_add(&h->merge->n.corrupt, 1);
        err = ERR_OK;
        more = false;
    }
    if (!err && !more) next_page(h, &c);
    return err;
}

static Err pass_step(History *h, StoreReader *r) {
    Pass *p = &h->merge->pass;
    if (p->lane < 0) return pass_begin(h, r);
    for (; p->lane < p->lane_count; p->lane++, p->page = p->pages = 0) {
        const StoreLane *l = &p->lanes[p->lane];
        if (!p->pages && !lane_due(h, l, p->now)) continue;
        if (!p->pages) TRY(store_history_pages(r, l->lane, &p->pages));
        if (p->page < p->pages) return pass_page(h, r);
    }
    p->running = false;
    return ERR_OK;
}

void history_rules(History *h, const HistoryRules *rules) {
    CHECK(!h->parent); // what forks were told themselves is kept as long as they are
    pthread_mutex_lock(&h->lock);
    h->rules = *rules;
    pthread_mutex_unlock(&h->lock);
}

void history_retain(History *h, int64_t now) {
    pthread_mutex_lock(&h->lock);
    h->retain_now = now;
    h->poked = true;
    h->idle = false;
    pthread_cond_signal(&h->work);
    pthread_mutex_unlock(&h->lock);
}

void retain_begin(History *h) {
    Pass *p = &h->merge->pass;
    if (p->running) return;
    pthread_mutex_lock(&h->lock);
    p->now = h->retain_now;
    p->running = p->now && h->rules.lane;
    h->retain_now = 0;
    pthread_mutex_unlock(&h->lock);
    p->lane = -1;
}

Err retain_step(History *h) {
    StoreReader *r;
    arena_reset(&h->merge->list);
    TRY(store_reader_begin(h->store, &r));
    Err err = pass_step(h, r);
    store_reader_end(r);
    return err;
}
