// SPDX-License-Identifier: Apache-2.0
#include "engine/past_means.h"
#include "base/time.h"
#include "expr/func.h"
#include "world/trail.h"

#define LOOK_BACK_FIRST (3600 * NS_PER_S)

typedef struct Reading {
    PastMeans *out;
    const ExprReach *r;
    Arena *keep;
    int64_t from, to; // intervals that begin in [from, to) are the twin's
} Reading;

static ExprMean mean_of(const HistoryMean *m) {
    ExprMean x = {.from = m->time, .min = m->min, .max = m->max, .mean = m->mean, .first = m->first, .last = m->last};
    x.to = m->time + m->step_ns;
    x.count = m->count;
    return x;
}

static bool take(void *ctx, const HistoryMean *m) {
    Reading *x = ctx;
    PastMeans *p = x->out;
    if (m->time < x->from || m->time >= x->to) return true;
    if (m->time <= x->r->from) {
        p->stood = true;
        p->standing = mean_of(m);
        return true;
    }
    if (m->time > x->r->to) return false;
    if (p->count == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 64;
        ExprMean *more = NEW(x->keep, ExprMean, p->cap);
        if (p->count) memcpy(more, p->items, (size_t)p->count * sizeof *more);
        p->items = more;
    }
    p->items[p->count++] = mean_of(m);
    return true;
}

// ---- all ------------------------------------------------------------------------------------------------------------

// What stood before the reach, in stretches that grow.
static Err look_back(History *h, uint64_t lane, Reading *x) {
    int64_t to = x->r->from + 1, step = LOOK_BACK_FIRST;
    while (!x->out->stood && to > x->from) {
        int64_t from;
        if (__builtin_sub_overflow(to, step, &from)) from = INT64_MIN;
        HistorySeries s = {.lane = lane, .row = x->r->row, .from = from, .to = to};
        TRY(history_means(h, &s, take, x));
        if (from == INT64_MIN) break;
        to = from;
        if (__builtin_mul_overflow(step, 8, &step)) step = INT64_MAX;
    }
    return ERR_OK;
}

Err past_means(History *h, const Catalog *c, const ExprReach *r, const TwinPlace *place, Arena *keep, PastMeans *out) {
    uint64_t lane = trail_lane(r->column, 0);
    Reading x = {.out = out, .r = r, .keep = keep, .from = INT64_MIN, .to = INT64_MAX};
    bool others = false;
    if (history_from(h) <= r->from) return ERR_OK;
    TRY(history_let_go(h, lane, r->row, keep, &out->gone));
    if (place && out->gone.arrival < place->from) out->gone.kind = 0;
    if (place) TRY(engine_place_shared(h, c, r->id, place, &others));
    if (others) x.from = place->from;
    HistorySeries s = {.lane = lane, .row = r->row, .from = r->from, .to = r->to < INT64_MAX ? r->to + 1 : r->to};
    TRY(history_means(h, &s, take, &x));
    bool known = out->gone.kind && out->gone.time <= r->from; // it stood
    return out->stood || known ? ERR_OK : look_back(h, lane, &x);
}

bool past_means_lost(const PastMeans *m, int64_t from) {
    int64_t at = m->gone.time;
    if (!m->gone.kind || at <= from) return false;
    if (m->stood && at >= m->standing.from && at < m->standing.to) return false;
    for (int64_t i = m->count - 1; i >= 0; i--)
        if (at >= m->items[i].from && at < m->items[i].to) return false;
    return true;
}

static bool take_newest(void *ctx, const HistoryMean *m) {
    *(HistoryMean *)ctx = *m;
    return true;
}

static void put_time(Buf *out, int64_t ns) { time_print(ns, 0, out); }

void past_means_why(History *h, const ExprReach *r, Str func, Str path, Buf *out) {
    Arena keep;
    HistoryPoint gone = {.kind = 0};
    HistoryMean newest = {.count = 0};
    arena_init(&keep, 256);
    HistorySeries s = {.lane = trail_lane(r->column, 0), .row = r->row, .from = INT64_MIN, .to = INT64_MAX};
    Err err = history_let_go(h, s.lane, r->row, &keep, &gone);
    if (!err && gone.kind) err = history_means(h, &s, take_newest, &newest); // only for the sentence
    buf_printf(out, "%.*s: values of \"%.*s\"", STR_ARG(func), STR_ARG(path));
    if (!err && gone.kind) {
        buf_printf(out, " up to ");
        put_time(out, gone.time);
    }
    buf_printf(out, " were let go by retention, ");
    if (err || !newest.count) {
        buf_printf(out, "and nothing is kept of them: take a span that begins later");
    } else {
        buf_printf(out, "and means of ");
        buf_str_put(out, expr_value_text(&(ExprValue){.type = EXPR_DURATION, .i = newest.step_ns}, &keep));
        buf_printf(out,
                   " are kept of them, which tell AVG, TWA, MIN, MAX, SUM and COUNT of the property itself: ask for "
                   "those, or take a span that begins later");
    }
    arena_free(&keep);
}
