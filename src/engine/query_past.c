// SPDX-License-Identifier: Apache-2.0
#include "engine/query_past.h"
#include "base/check.h"
#include "engine/history_agg.h"

typedef enum Fill { FILL_NONE, FILL_NULL, FILL_PREVIOUS, FILL_LINEAR, FILL_COUNT } Fill;

static const char *const FILLS[] = {"none", "null", "previous", "linear"};

static Fill fill_named(Str name) {
    Fill f = FILL_NONE;
    while (f < FILL_COUNT && !str_eq_nocase(name, str_of(FILLS[f]))) f++;
    return name.n ? f : FILL_NONE;
}

static bool knows(void *ctx, Str name, bool fill) {
    Arena a;
    AggPlan plan;
    (void)ctx;
    if (fill) return fill_named(name) < FILL_COUNT;
    arena_init(&a, 256);
    bool ok = agg_parse(name, &a, &plan, NULL) == ERR_OK && plan.count == 1;
    arena_free(&a);
    return ok;
}

// ---- values -------------------------------------------------------------------------------------------------------

static AggValue agg_of(const ExprValue *v) {
    switch (v->type) {
    case EXPR_BOOL: return (AggValue){.type = AGG_BOOL, .i = v->b};
    case EXPR_I64: return (AggValue){.type = AGG_INT, .i = v->i};
    case EXPR_F64: return (AggValue){.type = AGG_REAL, .d = v->d};
    case EXPR_STR: return (AggValue){.type = AGG_TEXT, .s = v->s};
    case EXPR_DOC: return (AggValue){.type = AGG_DOC, .s = v->s};
    default: return (AggValue){.type = AGG_NONE};
    }
}

static ExprValue value_of(const AggValue *v) {
    switch (v->type) {
    case AGG_BOOL: return (ExprValue){.type = EXPR_BOOL, .b = v->i != 0};
    case AGG_INT: return (ExprValue){.type = EXPR_I64, .i = v->i};
    case AGG_REAL: return (ExprValue){.type = EXPR_F64, .d = v->d};
    case AGG_TEXT: return (ExprValue){.type = EXPR_STR, .s = v->s};
    case AGG_DOC: return (ExprValue){.type = EXPR_DOC, .s = v->s};
    default: return (ExprValue){.type = EXPR_UNDEFINED};
    }
}

// ---- intervals ----------------------------------------------------------------------------------------------------

typedef struct Row {
    ExprValue v[AGG_FNS_MAX];
} Row;

typedef struct Walk {
    const QueryIntervals *q;
    bool (*fn)(void *arg, int64_t time, const ExprValue *values);
    void *arg;
    AggPlan plan;
    Agg *agg;
    Fill fill;
    Arena keep, scratch; // of the row told last; of one interval
    bool begun, stopped;
    int64_t at;             // begin of the interval at hand
    Row last;               // told last, for filling
    bool some;              // there is one
    int64_t last_at, empty; // where it began; empty intervals since
    int64_t looked;
    Err err;
} Walk;

static bool tell(Walk *w, int64_t at, const Row *row) {
    w->stopped = w->stopped || !w->fn(w->arg, at, row->v);
    return !w->stopped;
}

static ExprValue between(const ExprValue *a, const ExprValue *b, double part) {
    bool numbers = (a->type == EXPR_F64 || a->type == EXPR_I64) && (b->type == EXPR_F64 || b->type == EXPR_I64);
    if (!numbers) return (ExprValue){.type = EXPR_UNDEFINED};
    double x = a->type == EXPR_F64 ? a->d : (double)a->i, y = b->type == EXPR_F64 ? b->d : (double)b->i;
    return (ExprValue){.type = EXPR_F64, .d = x + (y - x) * part};
}

// Where the next interval begins; behind the last time there is it is never told.
static int64_t next_at(const Walk *w) { return (int64_t)((uint64_t)w->at + (uint64_t)w->q->step_ns); }

// The empty intervals before `at`, now that it is known what comes there (NULL: nothing).
static void fill_gap(Walk *w, int64_t at, const Row *next) {
    int64_t n = w->empty, first = (int64_t)((uint64_t)at - (uint64_t)n * (uint64_t)w->q->step_ns);
    w->empty = 0;
    for (int64_t i = 0; i < n && !w->stopped; i++) {
        Row row = {0}; // undefined
        for (int32_t k = 0; k < w->plan.count; k++) {
            if (w->fill == FILL_PREVIOUS && w->some) row.v[k] = w->last.v[k];
            if (w->fill == FILL_LINEAR && w->some && next)
                row.v[k] = between(&w->last.v[k], &next->v[k], (double)(i + 1) / (double)(n + 1));
        }
        tell(w, first + i * w->q->step_ns, &row);
    }
}

static bool stands_in_time(AggKind k) { return k == AGG_TWA || k == AGG_SHARE; }

// The interval at hand ends at `to`.
static void end_interval(Walk *w, int64_t to) {
    AggValue out[AGG_FNS_MAX];
    Row row = {0}; // undefined
    arena_reset(&w->scratch);
    bool some = agg_count(w->agg) > 0;
    agg_end(w->agg, to, &w->scratch, out);
    for (int32_t k = 0; k < w->plan.count; k++) {
        row.v[k] = value_of(&out[k]);
        some = some || (stands_in_time(w->plan.fns[k].kind) && out[k].type != AGG_NONE);
    }
    if (!some) {
        w->empty++;
        if (w->fill == FILL_NULL || w->fill == FILL_PREVIOUS) fill_gap(w, next_at(w), NULL);
        if (w->fill == FILL_NONE) w->empty = 0;
        return;
    }
    if (w->empty) fill_gap(w, w->at, &row);
    tell(w, w->at, &row);
    arena_reset(&w->keep);
    for (int32_t k = 0; k < w->plan.count; k++) {
        w->last.v[k] = row.v[k];
        if (row.v[k].type == EXPR_STR || row.v[k].type == EXPR_DOC) w->last.v[k].s = arena_str(&w->keep, row.v[k].s);
    }
    w->some = true;
}

// Go on to the interval that holds `time`.
static void advance(Walk *w, int64_t time) {
    // Unsigned, as two times may lie further apart than an int64_t counts.
    while (!w->stopped && time >= w->at && (uint64_t)time - (uint64_t)w->at >= (uint64_t)w->q->step_ns) {
        end_interval(w, next_at(w));
        w->at = next_at(w);
        agg_begin(w->agg, w->at);
    }
}

static void begin(Walk *w, const AggValue *standing) {
    agg_reset(w->agg, standing);
    agg_begin(w->agg, w->at);
    w->begun = true;
}

// What was let go and stood at the start, or began since.
static bool take_mean(Walk *w, const ExprMoment *m) {
    const ExprMean *x = m->mean;
    AggMean mean = {x->from, x->to, x->min, x->max, x->mean, x->first, x->last, x->count};
    if (!w->begun) begin(w, &(AggValue){.type = AGG_NONE});
    if (m->time < w->q->reach.from) {
        if (x->count) agg_stand_mean(w->agg, &mean);
        return true;
    }
    advance(w, m->time);
    if (!w->stopped) w->err = agg_add_mean(w->agg, &mean);
    return !w->stopped && !w->err;
}

static bool take(void *arg, const ExprMoment *m) {
    Walk *w = arg;
    if (m->mean) {
        w->looked++;
        return take_mean(w, m);
    }
    ExprValue value = expr_moment_value(w->q->leaf, m);
    AggValue v = agg_of(&value);
    w->looked++;
    if (m->time < w->q->reach.from) { // what stood before
        begin(w, &v);
        return true;
    }
    if (!w->begun) begin(w, &(AggValue){.type = AGG_NONE});
    advance(w, m->time);
    if (!w->stopped) w->err = agg_add(w->agg, m->time, &v);
    return !w->stopped && !w->err;
}

// A function that has no meaning for what the property holds gives nothing.
static Err plan_of(Walk *w, Arena *a) {
    const QueryIntervals *q = w->q;
    Buf text = {0};
    bool number = q->leaf->cell == CELL_I64 || q->leaf->cell == CELL_F64;
    for (int32_t i = 0; i < q->fn_count; i++) buf_printf(&text, "%s%.*s", i ? "," : "", STR_ARG(q->fns[i]));
    if (q->fn_count == 0) buf_str_put(&text, number ? STR("avg") : STR("last"));
    Err err = agg_parse(buf_str(&text), a, &w->plan, NULL);
    buf_free(&text);
    return err;
}

static Err walk_all(Walk *w, EnginePast *p, View *v) {
    ExprReach reach = w->q->reach;
    reach.from--;
    reach.to--;
    TRY(p->expr.moments(p->expr.ctx, v, &reach, take, w));
    if (w->err) return w->err;
    if (!w->begun) begin(w, &(AggValue){.type = AGG_NONE});
    advance(w, reach.to);
    if (!w->stopped) end_interval(w, w->q->reach.to);
    if (!w->stopped && w->empty) fill_gap(w, next_at(w), NULL);
    return ERR_OK;
}

static Err intervals(void *ctx, View *v, const QueryIntervals *q,
                     bool (*fn)(void *arg, int64_t time, const ExprValue *values), void *arg, int64_t *looked) {
    Walk w = {.q = q, .fn = fn, .arg = arg, .at = q->reach.from, .fill = fill_named(q->fill)};
    Arena a;
    CHECK(q->step_ns > 0);
    *looked = 0;
    arena_init(&a, 512);
    arena_init(&w.keep, 512);
    arena_init(&w.scratch, 512);
    Err err = plan_of(&w, &a);
    if (!err) {
        w.agg = agg_new(&w.plan);
        err = walk_all(&w, ctx, v);
    }
    *looked = w.looked;
    agg_free(w.agg);
    arena_free(&w.scratch);
    arena_free(&w.keep);
    arena_free(&a);
    return err;
}

QueryPast query_past(EnginePast *p) { return (QueryPast){.ctx = p, .knows = knows, .intervals = intervals}; }
