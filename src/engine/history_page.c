// SPDX-License-Identifier: Apache-2.0
// The page of values: of all properties together the first `limit` rows, in the order asked for, behind where the page
// before ended. Rows come property by property; whenever the page holds twice as many as it needs it is put in order
// and cut, and from then on what lies behind its last row is not even looked at.
#include "engine/history_ask.h"
#include <stdlib.h>
#include "base/mem.h"
#include "base/time.h"

// ---- the page -----------------------------------------------------------------------------------------------------

static int compare(const HistKey *a, const HistKey *b) {
    if (a->time != b->time) return a->time < b->time ? -1 : 1;
    if (a->seq != b->seq) return a->seq < b->seq ? -1 : 1;
    if (a->prop != b->prop) return a->prop < b->prop ? -1 : 1;
    return a->ordinal < b->ordinal ? -1 : a->ordinal > b->ordinal;
}

int hist_key_cmp(const HistPage *page, const HistKey *a, const HistKey *b) {
    return page->descending ? compare(b, a) : compare(a, b);
}

static int row_up(const void *a, const void *b) {
    return compare(&((const HistRow *)a)->key, &((const HistRow *)b)->key);
}
static int row_down(const void *a, const void *b) { return row_up(b, a); }

bool hist_page_wants(const HistAsk *x, const HistKey *k) {
    const HistPage *page = &x->page;
    if (x->resumed && hist_key_cmp(page, k, &x->at) < 0) return false;
    return !page->bounded || hist_key_cmp(page, k, &page->last) < 0;
}

void hist_page_put(HistAsk *x, const HistRow *row) {
    HistPage *page = &x->page;
    if (page->count == page->cap) {
        page->cap = page->cap ? 2 * page->cap : 256;
        page->rows = mem_grow(page->rows, (size_t)page->cap * sizeof *page->rows);
    }
    page->rows[page->count++] = *row;
    if (row->text) page->bytes += row->value.s.n;
    if (page->count > 2 * page->limit + 64 || page->bytes > 2 * HISTORY_PAGE_BYTES_MAX) hist_page_settle(page);
}

void hist_page_settle(HistPage *page) {
    int64_t n = 0, bytes = 0;
    if (page->count) qsort(page->rows, (size_t)page->count, sizeof *page->rows, page->descending ? row_down : row_up);
    while (n < page->count && n <= page->limit) {
        const HistRow *row = &page->rows[n];
        if (row->text) bytes += row->value.s.n;
        if (bytes > HISTORY_PAGE_BYTES_MAX && n > 0) page->limit = n;
        n++;
    }
    for (int64_t i = n; i < page->count; i++) mem_free(page->rows[i].text);
    page->count = n;
    page->bytes = bytes;
    page->bounded = n > page->limit;
    if (page->bounded) page->last = page->rows[n - 1].key;
}

void hist_page_free(HistPage *page) {
    for (int64_t i = 0; i < page->count; i++) mem_free(page->rows[i].text);
    mem_free(page->rows);
}

// ---- values -------------------------------------------------------------------------------------------------------

typedef struct Taking {
    HistAsk *x;
    uint64_t prop;
} Taking;

static Str source_kept(HistAsk *x, Str s) {
    int64_t at;
    if (str_eq(s, x->last_source)) return x->last_source;
    if (!map_get(&x->sources, s, &at)) {
        Str *kept = NEW(&x->arena, Str, 1);
        *kept = arena_str(&x->arena, s);
        at = (int64_t)(intptr_t)kept;
        map_put(&x->sources, *kept, at);
    }
    x->last_source = *(const Str *)(intptr_t)at;
    return x->last_source;
}

static bool on_value(void *ctx, const HistPoint *p) {
    Taking *t = ctx;
    HistAsk *x = t->x;
    HistRow row = {.key = {.time = p->time, .seq = p->seq, .prop = t->prop, .ordinal = p->ordinal}};
    if (!hist_page_wants(x, &row.key))
        return x->page.descending || !x->page.bounded || hist_key_cmp(&x->page, &row.key, &x->page.last) < 0;
    row.value = p->value;
    row.own = p->time;
    if (p->mean) {
        row.kind = HIST_MEAN;
        row.mean = *p->mean;
    } else {
        row.own = p->from->time;
        row.arrival = p->from->arrival;
        row.source_time = p->from->source_time;
        row.late = p->from->kind == HPOINT_LATE;
        if (x->h->sources) row.source = source_kept(x, p->from->source);
    }
    if (p->value.type == AGG_TEXT || p->value.type == AGG_DOC) {
        row.text = mem_alloc((size_t)p->value.s.n + 1);
        if (p->value.s.n) memcpy(row.text, p->value.s.p, (size_t)p->value.s.n);
        row.value.s.p = row.text;
    }
    hist_page_put(x, &row);
    return true;
}

static Err take(HistAsk *x, int64_t from, int64_t to) {
    for (int32_t i = 0; i < x->prop_count; i++) {
        Taking t = {x, (uint64_t)i};
        for (int32_t k = 0; k < x->props[i].lane_count; k++) {
            TRY(hist_lane_each(x, &x->props[i], k, from, to, x->h->arrival, on_value, &t));
            if (!x->h->arrival) TRY(hist_lane_means(x, &x->props[i], k, from, to, on_value, &t));
        }
    }
    hist_page_settle(&x->page);
    return ERR_OK;
}

// From the newest on in stretches that grow, until the page is full.
static Err take_back(HistAsk *x, int64_t from, int64_t to) {
    int64_t step = 3600 * NS_PER_S, low = to < x->now ? to : x->now;
    for (;;) {
        if (low <= from || __builtin_sub_overflow(low, step, &low) || low < from) low = from;
        TRY(take(x, low, to));
        if (x->page.bounded || low <= from) return ERR_OK;
        to = low;
        if (__builtin_mul_overflow(step, 4, &step)) step = INT64_MAX;
    }
}

Err hist_values(HistAsk *x) {
    int64_t from = x->from, to = x->to;
    if (x->page.descending) {
        if (x->resumed && x->at.time < INT64_MAX && x->at.time + 1 < to) to = x->at.time + 1;
        return take_back(x, from, to);
    }
    if (x->resumed && x->at.time > from) from = x->at.time;
    return take(x, from, to);
}
