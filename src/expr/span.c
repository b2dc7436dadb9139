// SPDX-License-Identifier: Apache-2.0
// Functions of the past at run time: one pass over the moments of a property, oldest first.
//
//        from = now - span                                   to = now
//   ------|--------------------------------------------------|
//     s        v1      v2     (gone)         v3                       s stood at from; v1, v2, v3 came within
//
// Invariants
//  1. s is told with time `from` and counts only where a value that stands matters; v1... have times in (from, to].
//  2. A moment without a value ends the one before: from then on nothing stands.
//  3. A mean is some values at once; its level stands until its end, from then on the last of them does.
#include <math.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "expr/bind.h"
#include "expr/eval.h"

// A value that outlives its moment.
typedef struct Kept {
    bool some;
    ExprValue v;
    char *room; // of its text, in the run's arena
    int64_t cap;
} Kept;

typedef struct Span {
    const Bound *b;
    ExprRun *run;
    int64_t from, to;
    int64_t count;          // values that came within
    bool any;               // there was a value, also at the start
    int64_t first_time;     // of the first of all
    Kept first, last, best; // of all; of all; least or greatest within
    int64_t changes;        //
    bool bad;               // overflow, or values that do not compare
    bool gone;              // it would take values that were let go
    double sum, lost;       // Neumaier sum of those within
    double mean, square;    // Welford's
    ExprValue total;        // SUM, INCREASE as numbers of their own kind
    double *numbers;        // PERCENTILE: owned
    int64_t number_cap;
    bool stands;            // TWA, TIME_TRUE: a value stands
    bool is_true;           //
    double level;           //
    int64_t level_to;       // of a mean: until then, if that is after `since`,
    double next_level;      // then this
    int64_t since;          // from when on
    double area, area_lost; // of level over ns
    int64_t known_ns, true_ns;
} Span;

static ExprValue undefined(void) { return (ExprValue){.type = EXPR_UNDEFINED}; }
static ExprValue of_i64(ExprType type, int64_t i) { return (ExprValue){.type = type, .i = i}; }
static ExprValue of_f64(double d) { return isfinite(d) ? (ExprValue){.type = EXPR_F64, .d = d} : undefined(); }
static double f64_of(const ExprValue *v) { return v->type == EXPR_F64 ? v->d : (double)v->i; }

// Neumaier, ZAMM 54 (1974).
static void add(double *sum, double *lost, double v) {
    double s = *sum + v;
    *lost += fabs(*sum) >= fabs(v) ? (*sum - s) + v : (v - s) + *sum;
    *sum = s;
}

static void keep(Span *x, Kept *k, const ExprValue *v) {
    k->some = true;
    k->v = *v;
    if (v->type != EXPR_STR && v->type != EXPR_DOC) return;
    if (v->s.n > k->cap) {
        k->cap = 2 * v->s.n + 16;
        k->room = NEW(x->run->scratch, char, k->cap);
    }
    if (v->s.n) memcpy(k->room, v->s.p, (size_t)v->s.n);
    k->v.s.p = k->room;
}

// ---- one moment ---------------------------------------------------------------------------------------------------

ExprValue expr_moment_value(const Field *f, const ExprMoment *m) {
    if (!m->valid) return undefined();
    if (m->mean) return m->mean->count ? of_f64(m->mean->mean) : undefined();
    if (f->cell == CELL_STR) return (ExprValue){.type = EXPR_STR, .s = m->text};
    if (f->cell == CELL_DOC) return (ExprValue){.type = EXPR_DOC, .s = m->text};
    return expr_value_of_bits(f, m->bits);
}

static ExprValue value_of(Span *x, const ExprMoment *m) {
    ExprRun *run = x->run;
    if (!m->valid) return undefined();
    run->moment = expr_moment_value(x->b->leaf, m);
    return x->b->args[0]->op == BOUND_MOMENT ? run->moment : expr_eval(x->b->args[0], run, NULL);
}

static void stand_for(Span *x, int64_t ns) {
    if (!x->stands || ns <= 0) return;
    x->known_ns += ns;
    if (x->is_true) x->true_ns += ns;
    add(&x->area, &x->area_lost, x->level * (double)ns);
}

// What stood until `time` counts for that long.
static void stand_until(Span *x, int64_t time) {
    if (x->level_to > x->since && x->level_to < time) {
        stand_for(x, x->level_to - x->since);
        x->since = x->level_to;
        x->level = x->next_level;
    }
    stand_for(x, time - x->since);
}

static void take_level(Span *x, const ExprValue *v, int64_t time) {
    stand_until(x, time);
    bool number = expr_is_number(v->type), test = v->type == EXPR_BOOL;
    x->stands = number || test;
    x->since = x->level_to = time;
    x->level = number ? f64_of(v) : 0;
    x->is_true = test && v->b;
}

static void take_best(Span *x, const ExprValue *v, int sign) {
    int c = x->best.some ? expr_compare(v, &x->best.v) : sign;
    if (c == 2) x->bad = true;
    else if (c * sign > 0) keep(x, &x->best, v);
}

static void take_number(Span *x, const ExprValue *v) {
    double d = f64_of(v);
    add(&x->sum, &x->lost, d);
    double before = d - x->mean;
    x->mean += before / (double)x->count;
    x->square += before * (d - x->mean);
    if (x->b->func != FUNC_SPAN_SUM) return;
    x->total = x->total.type == EXPR_UNDEFINED ? *v : expr_value_arith(BOUND_ADD, &x->total, v);
    x->bad = x->bad || x->total.type == EXPR_UNDEFINED;
}

// False: more than can be held.
static bool take_rank(Span *x, const ExprValue *v) {
    if (x->count > EXPR_SPAN_VALUES_MAX) {
        x->bad = true;
        return false;
    }
    if (x->count > x->number_cap) {
        x->number_cap = x->number_cap ? 2 * x->number_cap : 64;
        x->numbers = mem_grow(x->numbers, (size_t)x->number_cap * sizeof *x->numbers);
    }
    x->numbers[x->count - 1] = f64_of(v);
    return true;
}

// From the value before to this one, of a counter that begins again from 0 when it falls.
static void take_step(Span *x, const ExprValue *v) {
    ExprValue step = *v;
    if (expr_compare(v, &x->last.v) >= 0) step = expr_value_arith(BOUND_SUB, v, &x->last.v);
    x->total = x->total.type == EXPR_UNDEFINED ? step : expr_value_arith(BOUND_ADD, &x->total, &step);
    x->bad = x->bad || x->total.type == EXPR_UNDEFINED;
}

static bool same(const ExprValue *a, const ExprValue *b) { return a->type == b->type && expr_compare(a, b) == 0; }

// A value that came within the span.
static bool take_within(Span *x, const ExprValue *v) {
    x->count++;
    switch (x->b->func) {
    case FUNC_SPAN_MIN: take_best(x, v, -1); return !x->bad;
    case FUNC_SPAN_MAX: take_best(x, v, 1); return !x->bad;
    case FUNC_SPAN_AVG:
    case FUNC_SPAN_SUM:
    case FUNC_SPAN_STDDEV: take_number(x, v); return !x->bad;
    case FUNC_SPAN_MEDIAN:
    case FUNC_SPAN_P95:
    case FUNC_SPAN_P99:
    case FUNC_SPAN_PERCENTILE: return take_rank(x, v);
    default: return true;
    }
}

// ---- means --------------------------------------------------------------------------------------------------------

// A number of a mean as a value of the property.
static ExprValue of_field(const Span *x, double d) {
    ExprValue v = of_f64(d);
    if (x->b->leaf->cell != CELL_I64) return v;
    v.d = rint(v.d);
    return expr_value_cast(&v, EXPR_I64, x->run->scratch);
}

static bool from_means(const Bound *b) {
    switch (b->func) {
    case FUNC_SPAN_AVG:
    case FUNC_SPAN_TWA:
    case FUNC_SPAN_MIN:
    case FUNC_SPAN_MAX:
    case FUNC_SPAN_SUM:
    case FUNC_SPAN_COUNT: return b->args[0]->op == BOUND_MOMENT;
    default: return false;
    }
}

static void take_sum(Span *x, const ExprMean *m) {
    ExprValue v = of_field(x, m->mean * (double)m->count);
    add(&x->sum, &x->lost, m->mean * (double)m->count);
    if (x->b->func != FUNC_SPAN_SUM) return;
    x->total = x->total.type == EXPR_UNDEFINED ? v : expr_value_arith(BOUND_ADD, &x->total, &v);
    x->bad = x->bad || x->total.type == EXPR_UNDEFINED;
}

static bool take_mean(Span *x, const ExprMoment *moment) {
    const ExprMean *m = moment->mean;
    x->gone = !m->count || !from_means(x->b);
    if (x->gone) return false;
    if (x->b->func == FUNC_SPAN_TWA) {
        take_level(x, &(ExprValue){.type = EXPR_F64, .d = m->mean}, moment->time);
        x->level_to = m->to;
        x->next_level = m->last;
    }
    if (moment->time <= x->from) return true;
    x->count += m->count;
    ExprValue least = of_field(x, m->min), most = of_field(x, m->max);
    switch (x->b->func) {
    case FUNC_SPAN_MIN: take_best(x, &least, -1); break;
    case FUNC_SPAN_MAX: take_best(x, &most, 1); break;
    case FUNC_SPAN_AVG:
    case FUNC_SPAN_SUM: take_sum(x, m); break;
    default: break;
    }
    return !x->bad;
}

// What LAST looks for is told alone: what stood then, or nothing.
static bool take(void *arg, const ExprMoment *m) {
    Span *x = arg;
    int32_t func = x->b->func;
    x->run->visited++;
    if (!expr_goes_on(x->run)) return false;
    if (m->mean) return take_mean(x, m);
    ExprValue v = value_of(x, m);
    bool counts = bind_span_counts(func) ? expr_is_number(v.type) : v.type != EXPR_UNDEFINED && v.type != EXPR_NULL;
    if (func == FUNC_SPAN_TWA || func == FUNC_SPAN_TRUE) take_level(x, &v, m->time);
    if (!counts) return true;
    if (m->time > x->from && !take_within(x, &v)) return false;
    if (x->last.some && func == FUNC_SPAN_CHANGES) x->changes += !same(&v, &x->last.v);
    if (x->last.some && (func == FUNC_SPAN_INCREASE || func == FUNC_SPAN_RATE)) take_step(x, &v);
    if (!x->first.some) {
        keep(x, &x->first, &v);
        x->first_time = m->time;
    }
    if (func != FUNC_SPAN_FIRST) keep(x, &x->last, &v);
    return func != FUNC_SPAN_FIRST;
}

// ---- results ------------------------------------------------------------------------------------------------------

static int by_number(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Linear interpolation between the closest ranks, as PERCENTILE of rows.
static ExprValue percentile(Span *x) {
    if (x->count == 0) return undefined();
    qsort(x->numbers, (size_t)x->count, sizeof *x->numbers, by_number);
    double at = (double)(x->count - 1) * x->b->factor / 100;
    int64_t below = (int64_t)at;
    if (below >= x->count - 1) return of_f64(x->numbers[x->count - 1] + 0.0);
    double part = at - (double)below, low = x->numbers[below], high = x->numbers[below + 1];
    double between = low + (high - low) * part;
    return of_f64(isfinite(between) ? between + 0.0 : low * (1 - part) + high * part);
}

static ExprValue sum(const Span *x) {
    if (x->count == 0) return x->b->type == EXPR_F64 ? (ExprValue){.type = EXPR_F64} : (ExprValue){.type = EXPR_I64};
    return x->total.type == EXPR_F64 ? of_f64(x->sum + x->lost) : x->total;
}

static ExprValue time_mean(Span *x) {
    stand_until(x, x->to);
    if (x->known_ns > 0) return of_f64((x->area + x->area_lost) / (double)x->known_ns);
    return x->stands ? of_f64(x->level) : undefined();
}

static ExprValue time_true(Span *x) {
    stand_until(x, x->to);
    return x->stands || x->known_ns > 0 ? of_i64(EXPR_DURATION, x->true_ns) : undefined();
}

static ExprValue increase(const Span *x) {
    if (!x->first.some) return undefined();
    if (x->total.type != EXPR_UNDEFINED) return x->total;
    return x->first.v.type == EXPR_F64 ? (ExprValue){.type = EXPR_F64} : (ExprValue){.type = EXPR_I64};
}

static ExprValue rate(const Span *x) {
    ExprValue up = increase(x);
    int64_t ns = x->to - x->first_time;
    if (up.type == EXPR_UNDEFINED || ns <= 0) return undefined();
    return of_f64(f64_of(&up) / ((double)ns / (double)NS_PER_S));
}

static ExprValue result(Span *x) {
    if (x->bad) return undefined();
    switch (x->b->func) {
    case FUNC_SPAN_AVG: return x->count ? of_f64((x->sum + x->lost) / (double)x->count) : undefined();
    case FUNC_SPAN_TWA: return time_mean(x);
    case FUNC_SPAN_MIN:
    case FUNC_SPAN_MAX: return x->best.some ? x->best.v : undefined();
    case FUNC_SPAN_SUM: return sum(x);
    case FUNC_SPAN_COUNT: return of_i64(EXPR_I64, x->count);
    case FUNC_SPAN_STDDEV: return x->count > 1 ? of_f64(sqrt(x->square / (double)(x->count - 1))) : undefined();
    case FUNC_SPAN_FIRST: return x->first.some ? x->first.v : undefined();
    case FUNC_SPAN_LAST: return x->last.some ? x->last.v : undefined();
    case FUNC_SPAN_DELTA: return x->first.some ? expr_value_arith(BOUND_SUB, &x->last.v, &x->first.v) : undefined();
    case FUNC_SPAN_INCREASE: return increase(x);
    case FUNC_SPAN_RATE: return rate(x);
    case FUNC_SPAN_CHANGES: return of_i64(EXPR_I64, x->changes);
    case FUNC_SPAN_TRUE: return time_true(x);
    default: return percentile(x);
    }
}

// The stretch that is looked at. False: there is none.
static bool reach_of(const Bound *b, ExprRun *run, const ExprRow *rows, ExprReach *out) {
    const ExprRow *row = &rows[b->source];
    ExprValue w = expr_eval(b->args[1], run, rows);
    *out = (ExprReach){.kind = b->kind, .id = row->id, .column = b->column, .row = row->row, .to = run->now};
    if (w.type == EXPR_DURATION && __builtin_sub_overflow(run->now, w.i, &out->from)) out->from = INT64_MIN;
    if (w.type == EXPR_TIME) out->from = w.i < run->now ? w.i : run->now;
    if (b->func == FUNC_SPAN_LAST) out->to = out->from;
    return w.type == EXPR_DURATION || w.type == EXPR_TIME;
}

ExprValue expr_eval_span(const Bound *b, ExprRun *run, const ExprRow *rows) {
    ExprReach reach;
    if (!run->past || run->stopped || run->failed || !reach_of(b, run, rows, &reach)) return undefined();
    Span x = {.b = b, .run = run, .from = reach.from, .to = reach.to};
    Err err = run->past->moments(run->past->ctx, run->view, &reach, take, &x);
    if (!err && x.gone) err = ERR_PAST_GONE;
    if (x.gone && run->past->gone) {
        Str func = str_of(expr_func_at(b->func).name);
        run->past->gone(run->past->ctx, run->view, &reach, func, NULL);
    }
    if (err) {
        run->failed = err;
        run->stopped = true;
    }
    ExprValue v = err ? undefined() : result(&x);
    mem_free(x.numbers);
    if (b->type == EXPR_ANY || v.type == EXPR_UNDEFINED || v.type == b->type) return v;
    return expr_value_cast(&v, b->type, run->scratch);
}
