// SPDX-License-Identifier: Apache-2.0
// Values of a property in order of their own time. One lane is read as it comes. Several, and what was let go, are
// merged: each gives its points a stretch at a time (Pull), so that the memory is bounded however long the history is.
#include "engine/history_ask.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

#define POLL_POINTS 1024
#define PULL_POINTS 4096
#define PULL_BYTES ((int64_t)1 << 20)

bool hist_go_on(HistAsk *x) {
    if (x->stopped) return false;
    if (x->h->stop && x->polled++ % POLL_POINTS == 0) x->stopped = x->h->stop(x->h->stop_ctx);
    return !x->stopped;
}

// ---- one lane -----------------------------------------------------------------------------------------------------

typedef struct LaneRun {
    HistAsk *x;
    const HistLane *lane;
    bool clears_at_end; // clears of the last batch are those of a value that moved on
    uint64_t place;     // of the lane, above the ordinals
    bool arrival;
    HistFn fn;
    void *ctx;
    // Of several values of one own time the one that came last counts: a point waits until the next is of another.
    bool held, stopped;
    HistPoint point;
    HistoryPoint from;
    Buf text;
    uint64_t run; // by arrival: points of this batch so far
} LaneRun;

static AggValue value_of(const Field *f, uint64_t bits, Str text) {
    switch (f->cell) {
    case CELL_BOOL: return (AggValue){.type = AGG_BOOL, .i = bits != 0};
    case CELL_I64: return (AggValue){.type = AGG_INT, .i = (int64_t)bits};
    case CELL_F64: return (AggValue){.type = AGG_REAL, .d = double_of(bits)};
    case CELL_STR: return (AggValue){.type = AGG_TEXT, .s = text};
    case CELL_DOC: return (AggValue){.type = AGG_DOC, .s = text};
    case CELL_OBJECT:
    case CELL_COMPONENT: break;
    }
    return (AggValue){0};
}

static AggValue value_of_json(const JsonToken *t, Str raw, Arena *a) {
    switch (t->type) {
    case JSON_TRUE:
    case JSON_FALSE: return (AggValue){.type = AGG_BOOL, .i = t->type == JSON_TRUE};
    case JSON_INT: return (AggValue){.type = AGG_INT, .i = t->i};
    case JSON_DOUBLE: return (AggValue){.type = AGG_REAL, .d = t->d};
    case JSON_STRING: return (AggValue){.type = AGG_TEXT, .s = json_unescape(a, *t)};
    case JSON_NULL: return (AggValue){0};
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    return (AggValue){.type = AGG_DOC, .s = raw};
}

// The member of a telemetry message of the component. False: it is not of that, or says nothing of it.
static bool telemetry_value(HistAsk *x, const HistLane *lane, Str text, AggValue *out) {
    Str component = str_cut(&text, 0), message = str_cut(&text, 0);
    JsonScan s;
    JsonToken key, v;
    (void)message;
    if (!str_eq(component, lane->component)) return false;
    json_scan_init(&s, text);
    if (!json_scan_object(&s)) return false;
    while (json_scan_key(&s, &key)) {
        bool wanted = str_eq(key.raw, lane->member);
        Str raw;
        if (!wanted) {
            if (!json_scan_skip(&s, NULL)) return false;
            continue;
        }
        JsonScan inner = s;
        if (!json_scan_value(&inner, &v) || !json_scan_skip(&s, &raw)) return false;
        *out = value_of_json(&v, raw, &x->arena);
        return true;
    }
    return false;
}

static bool point_value(LaneRun *r, const HistoryPoint *p, AggValue *out) {
    *out = (AggValue){0};
    if (p->kind == HPOINT_CLEAR) return r->lane->field && !(r->clears_at_end && p->seq == r->lane->seq_to);
    if (p->kind != HPOINT_PUT && p->kind != HPOINT_LATE) return false;
    if (!r->lane->field) return telemetry_value(r->x, r->lane, p->text, out);
    *out = value_of(r->lane->field, p->bits, p->text);
    return true;
}

static bool give(LaneRun *r) {
    if (!r->held) return true;
    r->held = false;
    r->stopped = !r->fn(r->ctx, &r->point);
    return !r->stopped;
}

// Keep a point; its texts may not live longer than this call.
static void hold(LaneRun *r, const HistPoint *point, const HistoryPoint *p) {
    r->held = true;
    r->point = *point;
    r->from = *p;
    r->point.from = &r->from;
    buf_reset(&r->text);
    Str *text = &r->point.value.s;
    bool has_text = point->value.type == AGG_TEXT || point->value.type == AGG_DOC;
    if (has_text) buf_str_put(&r->text, *text);
    if (r->x->h->sources) buf_str_put(&r->text, p->source);
    if (has_text) *text = str_sub(buf_str(&r->text), 0, text->n);
    if (r->x->h->sources) r->from.source = str_sub(buf_str(&r->text), r->text.n - p->source.n, r->text.n);
}

static bool on_point(void *ctx, const HistoryPoint *p) {
    LaneRun *r = ctx;
    if (!hist_go_on(r->x)) return false;
    if (p->seq > r->x->bound || p->seq < r->lane->seq_from || p->seq > r->lane->seq_to) return true;
    HistPoint point = {.time = r->arrival ? p->arrival : p->time, .seq = p->seq, .ordinal = r->place, .from = p};
    if (!point_value(r, p, &point.value)) return true;
    bool same = r->held && r->point.time == point.time;
    if (r->arrival) point.ordinal |= same ? ++r->run : (r->run = 0);
    if (r->held && (r->arrival || !same) && !give(r)) return false;
    hold(r, &point, p);
    return true;
}

// Does the value of lane i go on in the next one?
static bool goes_on(const HistProp *p, int32_t i) {
    if (i + 1 >= p->lane_count) return false;
    const HistLane *a = &p->lanes[i], *b = &p->lanes[i + 1];
    return a->moved_on && b->moved_in && b->seq_from == a->seq_to && a->field && b->field &&
           a->field->cell == b->field->cell;
}

Err hist_lane_each(HistAsk *x, const HistProp *p, int32_t i, int64_t from, int64_t to, bool arrival, HistFn fn,
                   void *ctx) {
    const HistLane *lane = &p->lanes[i];
    LaneRun r = {.x = x,
                 .lane = lane,
                 .clears_at_end = goes_on(p, i),
                 .place = (uint64_t)i << 32,
                 .arrival = arrival,
                 .fn = fn,
                 .ctx = ctx};
    // Everything: of several points of one time the history would give the last, of whatever batch.
    HistorySeries s = {
        .lane = lane->lane, .row = lane->row, .from = from, .to = to, .arrival = arrival, .everything = true};
    if (from >= to) return ERR_OK;
    Err err = history_series(x->history, &s, on_point, &r);
    if (!err && !x->stopped && !r.stopped) (void)give(&r);
    buf_free(&r.text);
    return err ? err : x->stopped ? ERR_CLOSED : ERR_OK;
}

typedef struct MeanRun {
    HistAsk *x;
    const HistLane *lane;
    uint64_t place;
    HistFn fn;
    void *ctx;
} MeanRun;

static bool on_mean(void *ctx, const HistoryMean *m) {
    MeanRun *r = ctx;
    if (!hist_go_on(r->x)) return false;
    if (m->time < r->lane->from || m->time >= r->lane->to) return true;
    r->x->downsampled = true;
    HistPoint point = {.time = m->time, .ordinal = r->place, .value = {.type = AGG_REAL, .d = m->mean}, .mean = m};
    return r->fn(r->ctx, &point);
}

Err hist_lane_means(HistAsk *x, const HistProp *p, int32_t i, int64_t from, int64_t to, HistFn fn, void *ctx) {
    const HistLane *lane = &p->lanes[i];
    MeanRun r = {.x = x, .lane = lane, .place = (uint64_t)i << 32, .fn = fn, .ctx = ctx};
    HistorySeries s = {.lane = lane->lane, .row = lane->row, .from = from, .to = to};
    if (!x->kept_from || !lane->field || from >= to) return ERR_OK;
    TRY(history_means(x->history, &s, on_mean, &r));
    return x->stopped ? ERR_CLOSED : ERR_OK;
}

// ---- several ------------------------------------------------------------------------------------------------------

typedef struct Pulled {
    HistPoint point;
    HistoryMean mean;
    uint32_t text_at; // in texts
} Pulled;

// The points of one lane, or its means, a stretch at a time.
typedef struct Pull {
    HistAsk *x;
    const HistProp *p;
    int32_t lane;
    bool means, end;
    int64_t from, to;       // what is next
    int64_t skip, skipping; // points at `from` that were taken; that were skipped so far
    Pulled *points;
    int64_t count, at;
    Arena texts;
} Pull;

static bool on_pulled(void *ctx, const HistPoint *p) {
    Pull *q = ctx;
    if (p->time == q->from && q->skipping < q->skip) {
        q->skipping++;
        return true;
    }
    Pulled *to = &q->points[q->count++];
    to->point = *p;
    to->point.from = NULL;
    if (p->mean) {
        to->mean = *p->mean;
        to->point.mean = &to->mean;
    }
    if (p->value.type == AGG_TEXT || p->value.type == AGG_DOC) to->point.value.s = arena_str(&q->texts, p->value.s);
    return q->count < PULL_POINTS && q->texts.used < PULL_BYTES;
}

// Read the next stretch. Nothing comes: the end.
static Err pull(Pull *q) {
    q->count = q->at = q->skipping = 0;
    arena_reset(&q->texts);
    if (q->means) TRY(hist_lane_means(q->x, q->p, q->lane, q->from, q->to, on_pulled, q));
    else TRY(hist_lane_each(q->x, q->p, q->lane, q->from, q->to, false, on_pulled, q));
    q->end = !q->count;
    if (q->end) return ERR_OK;
    int64_t last = q->points[q->count - 1].point.time, same = 0;
    while (same < q->count && q->points[q->count - 1 - same].point.time == last) same++;
    q->skip = last == q->from ? q->skip + same : same;
    q->from = last;
    return ERR_OK;
}

static bool comes_before(const HistPoint *a, const HistPoint *b) {
    if (a->time != b->time) return a->time < b->time;
    if (a->seq != b->seq) return a->seq < b->seq;
    return a->ordinal < b->ordinal;
}

static Pull *first_of(Pull *all, int32_t n) {
    Pull *first = NULL;
    for (int32_t i = 0; i < n; i++) {
        if (all[i].end) continue;
        if (!first || comes_before(&all[i].points[all[i].at].point, &first->points[first->at].point)) first = &all[i];
    }
    return first;
}

static Err merge(Pull *all, int32_t n, HistFn fn, void *ctx) {
    for (int32_t i = 0; i < n; i++) TRY(pull(&all[i]));
    Pull *q;
    while ((q = first_of(all, n)) != NULL) {
        if (!fn(ctx, &q->points[q->at].point)) return ERR_OK;
        if (++q->at == q->count) TRY(pull(q));
    }
    return ERR_OK;
}

static Err each_merged(HistAsk *x, const HistProp *p, int64_t from, int64_t to, HistFn fn, void *ctx) {
    int32_t n = p->lane_count * (x->kept_from ? 2 : 1);
    Pull *all = mem_alloc((size_t)n * sizeof *all);
    for (int32_t i = 0; i < n; i++) {
        all[i] = (Pull){.x = x, .p = p, .lane = i % p->lane_count, .means = i >= p->lane_count, .from = from, .to = to};
        all[i].points = mem_alloc(PULL_POINTS * sizeof *all[i].points);
        arena_init(&all[i].texts, 4096);
    }
    Err err = merge(all, n, fn, ctx);
    for (int32_t i = 0; i < n; i++) {
        mem_free(all[i].points);
        arena_free(&all[i].texts);
    }
    mem_free(all);
    return err;
}

Err hist_each(HistAsk *x, const HistProp *p, int64_t from, int64_t to, HistFn fn, void *ctx) {
    if (p->lane_count == 1 && !x->kept_from) return hist_lane_each(x, p, 0, from, to, false, fn, ctx);
    return each_merged(x, p, from, to, fn, ctx);
}

// ---- single values ------------------------------------------------------------------------------------------------

typedef struct Newest {
    bool found;
    HistPoint point;
    Buf text;
} Newest;

static bool on_newer(void *ctx, const HistPoint *p) {
    Newest *n = ctx;
    if (n->found && comes_before(p, &n->point)) return true;
    n->found = true;
    n->point = *p;
    if (p->mean) n->point.value.d = p->mean->last;
    if (p->value.type != AGG_TEXT && p->value.type != AGG_DOC) return true;
    buf_reset(&n->text);
    buf_str_put(&n->text, p->value.s);
    n->point.value.s = buf_str(&n->text);
    return true;
}

// What the history knows at once, when it is one of those that count.
static Err last_of(HistAsk *x, const HistProp *p, int32_t i, int64_t before, Newest *n, bool *sure) {
    const HistLane *lane = &p->lanes[i];
    HistoryPoint point = {0};
    Arena keep;
    arena_init(&keep, 1024);
    Err err = history_last(x->history, lane->lane, &lane->row, 1, before - 1, &keep, &point);
    *sure = !err && lane->field && point.kind && point.seq <= x->bound && point.seq >= lane->seq_from &&
            point.seq <= lane->seq_to;
    if (*sure) {
        LaneRun r = {.x = x, .lane = lane, .clears_at_end = goes_on(p, i), .place = (uint64_t)i << 32};
        AggValue v;
        *sure = point_value(&r, &point, &v);
        if (*sure) {
            HistPoint last = {.time = point.time, .seq = point.seq, .ordinal = r.place, .value = v};
            (void)on_newer(n, &last);
        }
    }
    *sure = *sure || (!err && !point.kind && !x->kept_from); // there is nothing of anybody
    arena_free(&keep);
    return err;
}

// Look back in stretches that grow.
static Err look_back(HistAsk *x, const HistProp *p, int32_t i, int64_t before, Newest *n) {
    int64_t to = before, step = 3600 * NS_PER_S;
    Newest here = {0};
    Err err = ERR_OK;
    while (!err && !here.found && to > INT64_MIN) {
        int64_t from;
        if (__builtin_sub_overflow(to, step, &from)) from = INT64_MIN;
        err = hist_lane_each(x, p, i, from, to, false, on_newer, &here);
        if (!err) err = hist_lane_means(x, p, i, from, to, on_newer, &here);
        to = from;
        if (__builtin_mul_overflow(step, 8, &step)) step = INT64_MAX;
    }
    if (!err && here.found) (void)on_newer(n, &here.point);
    buf_free(&here.text);
    return err;
}

static Err newest_before(HistAsk *x, const HistProp *p, int64_t before, Newest *n) {
    for (int32_t i = p->lane_count - 1; i >= 0; i--) {
        bool sure;
        TRY(last_of(x, p, i, before, n, &sure));
        if (!sure) TRY(look_back(x, p, i, before, n));
    }
    return ERR_OK;
}

Err hist_before(HistAsk *x, const HistProp *p, int64_t before, int64_t *time, AggValue *out, bool *found) {
    Newest n = {0};
    *found = false;
    Err err = before == INT64_MIN ? ERR_OK : newest_before(x, p, before, &n);
    if (err == ERR_PAST_GONE) err = ERR_OK; // it was let go: nothing is known to have stood
    if (!err && n.found && n.point.value.type != AGG_NONE) {
        *found = true;
        *time = n.point.time;
        *out = n.point.value;
        if (out->type == AGG_TEXT || out->type == AGG_DOC) out->s = arena_str(&x->arena, out->s);
    }
    buf_free(&n.text);
    return err;
}

typedef struct Oldest {
    bool found;
    int64_t time;
} Oldest;

static bool on_oldest(void *ctx, const HistPoint *p) {
    Oldest *o = ctx;
    if (!o->found || p->time < o->time) o->time = p->time;
    o->found = true;
    return false;
}

Err hist_first(HistAsk *x, const HistProp *p, int64_t from, int64_t *time, bool *found) {
    Oldest o = {0};
    for (int32_t i = 0; i < p->lane_count; i++) {
        TRY(hist_lane_each(x, p, i, from, INT64_MAX, false, on_oldest, &o));
        TRY(hist_lane_means(x, p, i, from, INT64_MAX, on_oldest, &o));
    }
    *time = o.time;
    *found = o.found;
    return ERR_OK;
}

Err hist_newest(HistAsk *x, const HistProp *p, int64_t *time, bool *found) {
    Newest n = {0};
    Err err = newest_before(x, p, INT64_MAX, &n);
    *time = n.point.time;
    *found = n.found;
    buf_free(&n.text);
    return err;
}
