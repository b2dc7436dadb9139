// SPDX-License-Identifier: Apache-2.0
// Rows of a page as they were known at an instant, from the newest point back: heads, then block by block, until
// nothing is open of any row, at the latest with the newest block that has the state at its start.
#include "base/check.h"
#include "base/mem.h"
#include "history/history_inner.h"

bool history_is_cell(uint64_t lane, HCell cell, uint8_t kind) {
    bool column = lane_vec(lane) >= VECNO_COLUMNS && lane_vec(lane) < TRAIL_TELEMETRY_VEC;
    return column && (cell != HCELL_WORD || kind != HPOINT_PUT);
}

// ---- states ----

typedef struct Rows {
    Arena *arena;
    StoreHistory *rows;
    int64_t count, cap;
} Rows;

static bool keep_row(void *ctx, const StoreHistory *row) {
    Rows *r = ctx;
    if (r->count == r->cap) {
        StoreHistory *old = r->rows;
        r->cap = r->cap ? r->cap * 2 : 16;
        r->rows = NEW(r->arena, StoreHistory, r->cap);
        if (r->count) memcpy(r->rows, old, (size_t)r->count * sizeof *old);
    }
    r->rows[r->count++] = *row;
    return true;
}

// What is asked for: rows [first, last] of a page at an instant; what is not known yet of each, and what is.
typedef struct Known {
    History *h;
    HistoryDesk *d;
    uint64_t lane, page;
    int64_t at;
    uint32_t first, last;
    uint8_t open[HBLOCK_ROWS]; // HOPEN_*
    HState state[HBLOCK_ROWS];
} Known;

static bool all_known(const Known *k) {
    for (uint32_t r = k->first; r <= k->last; r++)
        if (k->open[r]) return false;
    return true;
}

// The blocks, newest first, until nothing is open.
static Err recall_blocks(Known *k, StoreReader *r, const Rows *rows, bool root) {
    if (root && rows->count && !rows->rows[0].start) return k->at < history_from(k->h) ? ERR_PAST_GONE : ERR_CORRUPT;
    for (int64_t i = rows->count - 1; i >= 0 && !all_known(k); i--) {
        CachedBlock *b;
        TRY(history_block(k->h, r, k->d, &rows->rows[i], &b));
        Err e = hblock_known(k->d->work, &b->block, k->at, &k->d->arena, k->open, k->state);
        history_block_drop(k->h, b);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

// Runs come in order of time, and know nothing of what was before.
static void apply_run(Known *k, const HeadRun *run, uint64_t after, HState *state, uint8_t *settled) {
    HeadCursor c = head_cursor(run, UINT64_MAX);
    for (HeadPoint x; head_next(&c, &x) && x.time <= k->at;) {
        if (x.seq <= after || x.p.row < k->first || x.p.row > k->last) continue;
        hstate_apply(&state[x.p.row - k->first], &x.p, x.time);
        settled[x.p.row - k->first] |= hpoint_settles(&x.p);
    }
}

// The runs of a layer, before what is known already.
static void recall_runs(Known *k, const HeadView *v, uint64_t after) {
    HState *state = NEW(&k->d->arena, HState, k->last - k->first + 1);
    uint8_t settled[HBLOCK_ROWS] = {0};
    for (int32_t i = 0; i < v->count; i++) apply_run(k, v->runs[i], after, state, settled);
    for (uint32_t i = k->first; i <= k->last; i++) {
        HState *s = &state[i - k->first];
        uint8_t now = settled[i - k->first] & k->open[i];
        if (s->text.n && now & HOPEN_VALUE) s->text = arena_str(&k->d->arena, s->text);
        if (now) hstate_fill(&k->state[i], now, s);
        k->open[i] &= (uint8_t)~now;
    }
}

static Err recall(Known *k, StoreReader *r, const LayerView *v) {
    Rows rows = {.arena = &k->d->arena};
    int64_t at = k->at;
    if (v->layer.at < at) k->at = v->layer.at;
    const StoreHistoryAsk ask = {.lane = layer_lane(&v->layer, k->lane), .page = k->page, .known = true, .at = k->at};
    Err e = store_history_rows(r, &ask, keep_row, &rows);
    if (!e && v->heads.count) recall_runs(k, &v->heads, rows.count ? rows.rows[rows.count - 1].last : 0);
    if (!e) e = recall_blocks(k, r, &rows, !v->layer.of->parent);
    k->at = at;
    return e;
}

Err history_states(History *h, HistoryDesk *d, uint64_t lane, uint64_t page, int64_t at, uint32_t first, uint32_t last,
                   HState *out) {
    CHECK(first <= last && last < HBLOCK_ROWS);
    Known *k = NEW(&d->arena, Known, 1);
    *k = (Known){.h = h, .d = d, .lane = lane, .page = page, .at = at, .first = first, .last = last};
    bool timed = lane_vec(lane) >= VECNO_COLUMNS; // others have no times that anybody asks for
    memset(k->open + first, timed ? HOPEN_ALL : HOPEN_VALUE, last - first + 1);
    StoreReader *r;
    LayerViews v;
    layer_views(h, lane, page, &v);
    Err e = store_reader_begin(h->store, &r);
    if (e == ERR_OK) {
        for (int32_t i = 0; i < v.count && !e && !all_known(k); i++) e = recall(k, r, &v.views[i]);
        store_reader_end(r);
    }
    layer_views_free(&v);
    memcpy(out, &k->state[first], (last - first + 1) * sizeof *out);
    return e;
}

// ---- pages of a past world ----

// A stretch of rows of a page.
typedef struct Stretch {
    History *h;
    int64_t at;
    uint32_t vec;
    uint64_t page;
    uint32_t first, last;
    PastRows *to;
} Stretch;

static void put_row(const Stretch *s, VecLayout l, uint32_t word, uint32_t row, const HState *x) {
    if (!x->valid) return;
    if (l.timed) past_put_cell(s->to, row, x->bits, x->text, x->update_time, x->source_time);
    else if (l.text_mask >> word & 1) past_put_text(s->to, row, word, x->text);
    else if (x->bits) past_put_word(s->to, row, word, x->bits);
}

static Err put_lane(const Stretch *s, VecLayout l, uint32_t word) {
    HistoryDesk *d = history_desk_take(s->h);
    HState *states = NEW(&d->arena, HState, HBLOCK_ROWS);
    Err e = history_states(s->h, d, trail_lane(s->vec, word), s->page, s->at, s->first, s->last, states);
    for (uint32_t r = s->first; r <= s->last && e == ERR_OK; r++) put_row(s, l, word, r, &states[r - s->first]);
    history_desk_give(s->h, d);
    return e;
}

static Err put_stretch(const Stretch *s) {
    VecLayout l = vec_layout[past_shape(s->to)];
    for (uint32_t word = 0; word < (l.timed ? 1u : l.words); word++) {
        if (word && l.text_mask >> (word - 1) & 1) continue; // the second half of a text
        TRY(put_lane(s, l, word));
    }
    return ERR_OK;
}

static Err past_rows(void *ctx, int64_t at, uint32_t vec, uint64_t page_no, uint16_t groups, PastRows *to) {
    History *h = ctx;
    TRY(history_knows(h, at)); // the newest batch may be older than the cut
    for (uint32_t g = 0; g < PAST_GROUPS;) {
        uint32_t begin = g;
        if (!(groups >> g++ & 1)) continue;
        while (g < PAST_GROUPS && groups >> g & 1) g++;
        const Stretch s = {.h = h,
                           .at = at,
                           .vec = vec,
                           .page = page_no,
                           .first = begin * PAST_GROUP_ROWS,
                           .last = g * PAST_GROUP_ROWS - 1,
                           .to = to};
        TRY(put_stretch(&s));
    }
    return ERR_OK;
}

// Pages of the lanes of a vector in one layer, when they are more than *most.
static Err layer_pages(const Layer *l, StoreReader *r, uint32_t vec, uint64_t *most) {
    uint32_t words = vec < VECNO_COLUMNS ? 8 : 1;
    for (uint32_t w = 0; w < words; w++) {
        uint64_t pages = head_pages(l->of, trail_lane(vec, w));
        if (pages > *most) *most = pages;
        TRY(store_history_pages(r, layer_lane(l, trail_lane(vec, w)), &pages));
        if (pages > *most) *most = pages;
    }
    return ERR_OK;
}

static Err past_pages(void *ctx, uint32_t vec, uint64_t *count) {
    History *h = ctx;
    StoreReader *r;
    uint64_t most = 0;
    TRY(store_reader_begin(h->store, &r));
    Layer l = layer_first(h);
    Err e = layer_pages(&l, r, vec, &most);
    while (!e && layer_next(&l)) e = layer_pages(&l, r, vec, &most);
    store_reader_end(r);
    if (e == ERR_OK) *count = most;
    return e;
}

PastSource history_past(History *h) { return (PastSource){.ctx = h, .rows = past_rows, .pages = past_pages}; }
