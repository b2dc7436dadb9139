// SPDX-License-Identifier: Apache-2.0
// Aggregates against their definitions, computed the slow and obvious way from all points of an interval.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/mem.h"
#include "base/rng.h"
#include "engine/history_agg.h"

static AggPlan plan_of(Arena *a, const char *text) {
    AggPlan p;
    Buf why = {0};
    assert_int_equal(agg_parse(str_of(text), a, &p, &why), ERR_OK);
    buf_free(&why);
    return p;
}

static void near(double got, double want, const char *what, uint64_t seed) {
    double scale = fmax(1, fabs(want));
    if (!(fabs(got - want) <= 1e-9 * scale))
        fail_msg("%s: %.17g, not %.17g (seed %llu)", what, got, want, (unsigned long long)seed);
}

typedef struct Pt {
    int64_t time;
    double v; // NaN: cleared
} Pt;

static int up(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double rank(const double *sorted, int64_t n, double p) {
    long double at = (long double)p * (long double)(n - 1) / 100;
    int64_t i = (int64_t)at;
    if (i + 1 >= n) return sorted[n - 1];
    return (double)((1 - (at - (long double)i)) * (long double)sorted[i] +
                    (at - (long double)i) * (long double)sorted[i + 1]);
}

// The value standing at t: the last at or before it.
static double standing(const Pt *p, int64_t n, int64_t t) {
    double v = (double)NAN;
    for (int64_t i = 0; i < n && p[i].time <= t; i++) v = p[i].v;
    return v;
}

static double value_of(const AggPlan *plan, const AggValue *out, const char *name) {
    for (int32_t i = 0; i < plan->count; i++)
        if (str_eq(plan->fns[i].name, str_of(name))) return agg_number(&out[i]);
    fail_msg("no %s", name);
    return 0;
}

static void check_interval(const AggPlan *plan, const AggValue *out, const Pt *p, int64_t n, int64_t from, int64_t to,
                           uint64_t seed) {
    double *v = mem_alloc((size_t)(n + 1) * sizeof *v), first = NAN, last = NAN;
    long double sum = 0, area = 0, covered = 0, delta = 0;
    double prev = (double)NAN;
    int64_t m = 0;
    for (int64_t i = 0; i < n && p[i].time < from; i++) prev = p[i].v;
    double stands = prev;
    int64_t at = from;
    for (int64_t i = 0; i <= n; i++) {
        int64_t t = i < n ? p[i].time : to;
        if (t < from) continue;
        if (t > to) t = to;
        if (!isnan(stands)) area += (long double)stands * (long double)(t - at), covered += (long double)(t - at);
        at = t;
        if (i == n || p[i].time >= to) break;
        stands = p[i].v;
        if (isnan(stands)) {
            prev = (double)NAN;
            continue;
        }
        if (!isnan(prev)) delta += stands >= prev ? stands - prev : stands;
        prev = stands;
        if (!m) first = stands;
        last = stands;
        v[m++] = stands;
        sum += stands;
    }
    near(value_of(plan, out, "count"), (double)m, "count", seed);
    if (m) {
        double mean = (double)(sum / m);
        long double sq = 0;
        for (int64_t i = 0; i < m; i++) sq += ((long double)v[i] - mean) * ((long double)v[i] - mean);
        qsort(v, (size_t)m, sizeof *v, up);
        near(value_of(plan, out, "avg"), mean, "avg", seed);
        near(value_of(plan, out, "sum"), (double)sum, "sum", seed);
        near(value_of(plan, out, "min"), v[0], "min", seed);
        near(value_of(plan, out, "max"), v[m - 1], "max", seed);
        near(value_of(plan, out, "range"), v[m - 1] - v[0], "range", seed);
        near(value_of(plan, out, "first"), first, "first", seed);
        near(value_of(plan, out, "last"), last, "last", seed);
        near(value_of(plan, out, "median"), rank(v, m, 50), "median", seed);
        near(value_of(plan, out, "p95"), rank(v, m, 95), "p95", seed);
        near(value_of(plan, out, "p99.9"), rank(v, m, 99.9), "p99.9", seed);
        near(value_of(plan, out, "delta"), (double)delta, "delta", seed);
        near(value_of(plan, out, "rate"), (double)(delta / ((long double)(to - from) / 1e9L)), "rate", seed);
        if (m > 1) near(value_of(plan, out, "var"), (double)(sq / (m - 1)), "var", seed);
        if (m > 1) near(value_of(plan, out, "stddev"), sqrt((double)(sq / (m - 1))), "stddev", seed);
    }
    if (covered > 0) near(value_of(plan, out, "twa"), (double)(area / covered), "twa", seed);
    else assert_true(isnan(value_of(plan, out, "twa")));
    mem_free(v);
}

#define ALL "avg,sum,min,max,range,first,last,median,p95,p99.9,delta,rate,var,stddev,twa,count"

static void one_seed(uint64_t seed) {
    Rng r = rng_make(seed, 0);
    Arena keep;
    arena_init(&keep, 0);
    AggPlan plan = plan_of(&keep, ALL);
    Agg *a = agg_new(&plan);
    int64_t n = (int64_t)rng_below(&r, 300), step = 1 + (int64_t)rng_below(&r, 2000), from = 1000;
    Pt *p = mem_alloc((size_t)(n + 1) * sizeof *p);
    int64_t t = 900;
    for (int64_t i = 0; i < n; i++) {
        t += (int64_t)rng_below(&r, 50);
        p[i] = (Pt){t, rng_below(&r, 20) == 0 ? (double)NAN : (double)rng_below(&r, 100000) / 8 - 3000};
    }
    int64_t i = 0;
    while (i < n && p[i].time < from) i++;
    double before = standing(p, n, from - 1);
    AggValue stand = {.type = isnan(before) ? AGG_NONE : AGG_REAL, .d = before};
    agg_reset(a, &stand);
    for (int64_t at = from; at < t + 2 * step; at += step) {
        AggValue out[AGG_FNS_MAX];
        agg_begin(a, at);
        for (; i < n && p[i].time < at + step; i++) {
            AggValue v = {.type = isnan(p[i].v) ? AGG_NONE : AGG_REAL, .d = p[i].v};
            assert_int_equal(agg_add(a, p[i].time, &v), ERR_OK);
        }
        agg_end(a, at + step, &keep, out);
        check_interval(&plan, out, p, n, at, at + step, seed);
    }
    agg_free(a);
    mem_free(p);
    arena_free(&keep);
}

static void numbers_are_as_defined(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) one_seed(seed);
}

static void sums_lose_nothing(void **state) {
    (void)state;
    Arena keep;
    arena_init(&keep, 0);
    AggPlan plan = plan_of(&keep, "sum,avg");
    Agg *a = agg_new(&plan);
    AggValue none = {0}, out[AGG_FNS_MAX];
    double big[] = {1e100, 1, -1e100, 1};
    agg_reset(a, &none);
    agg_begin(a, 0);
    for (int i = 0; i < 4; i++) assert_int_equal(agg_add(a, i, &(AggValue){.type = AGG_REAL, .d = big[i]}), ERR_OK);
    agg_end(a, 10, &keep, out);
    assert_true(out[0].d == 2 && out[1].d == 0.5);
    agg_begin(a, 10);
    for (int i = 0; i < 1000000; i++) assert_int_equal(agg_add(a, 10, &(AggValue){.type = AGG_REAL, .d = 0.1}), ERR_OK);
    agg_end(a, 20, &keep, out);
    assert_true(out[0].d == 100000.0);
    agg_free(a);
    arena_free(&keep);
}

static void whole_numbers_stay_whole(void **state) {
    (void)state;
    Arena keep;
    arena_init(&keep, 0);
    AggPlan plan = plan_of(&keep, "min,max,first,last,range,mode,count");
    Agg *a = agg_new(&plan);
    AggValue none = {0}, out[AGG_FNS_MAX];
    int64_t v[] = {9007199254740993, 9007199254740995, 9007199254740993};
    agg_reset(a, &none);
    agg_begin(a, 0);
    for (int i = 0; i < 3; i++) assert_int_equal(agg_add(a, i, &(AggValue){.type = AGG_INT, .i = v[i]}), ERR_OK);
    agg_end(a, 10, &keep, out);
    int64_t want[] = {v[0], v[1], v[0], v[0], 2, v[0], 3};
    for (int i = 0; i < 7; i++) {
        assert_int_equal(out[i].type, AGG_INT);
        assert_int_equal(out[i].i, want[i]);
    }
    agg_free(a);
    arena_free(&keep);
}

static void states_by_count_and_time(void **state) {
    (void)state;
    Arena keep;
    arena_init(&keep, 0);
    AggPlan plan = plan_of(&keep, "mode,share,first,last,count");
    Agg *a = agg_new(&plan);
    AggValue out[AGG_FNS_MAX], idle = {.type = AGG_TEXT, .s = STR("idle")}, run = {.type = AGG_TEXT, .s = STR("run")};
    AggValue none = {0};
    agg_reset(a, &idle);
    agg_begin(a, 100);
    assert_int_equal(agg_add(a, 125, &run), ERR_OK);
    assert_int_equal(agg_add(a, 150, &idle), ERR_OK);
    assert_int_equal(agg_add(a, 150, &idle), ERR_OK);
    assert_int_equal(agg_add(a, 175, &none), ERR_OK); // a quarter of the time nothing stands
    agg_end(a, 200, &keep, out);
    assert_true(str_eq(out[0].s, STR("idle")));
    assert_true(str_eq(out[1].s, STR("{\"idle\":0.6666666666666666,\"run\":0.3333333333333333}")));
    assert_true(str_eq(out[2].s, STR("run")) && str_eq(out[3].s, STR("idle")) && out[4].i == 3);
    agg_begin(a, 200);
    agg_end(a, 300, &keep, out); // nothing stands, nothing came
    for (int i = 0; i < 4; i++) assert_int_equal(out[i].type, AGG_NONE);
    assert_int_equal(out[4].i, 0);
    agg_free(a);
    arena_free(&keep);
}

static void too_many_states_are_refused(void **state) {
    (void)state;
    Arena keep;
    arena_init(&keep, 0);
    AggPlan plan = plan_of(&keep, "mode");
    Agg *a = agg_new(&plan);
    AggValue none = {0};
    agg_reset(a, &none);
    agg_begin(a, 0);
    for (int i = 0; i < AGG_STATES_MAX; i++)
        assert_int_equal(agg_add(a, i, &(AggValue){.type = AGG_INT, .i = i}), ERR_OK);
    assert_int_equal(agg_add(a, AGG_STATES_MAX, &(AggValue){.type = AGG_INT, .i = -1}), ERR_LIMIT);
    agg_free(a);
    arena_free(&keep);
}

static void counters_begin_anew(void **state) {
    (void)state;
    Arena keep;
    arena_init(&keep, 0);
    AggPlan plan = plan_of(&keep, "delta,rate");
    Agg *a = agg_new(&plan);
    AggValue out[AGG_FNS_MAX], before = {.type = AGG_INT, .i = 90};
    int64_t v[] = {100, 120, 5, 15}; // 10 + 20 + 5 + 10
    agg_reset(a, &before);
    agg_begin(a, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(agg_add(a, i * 1000000000LL, &(AggValue){.type = AGG_INT, .i = v[i]}), ERR_OK);
    agg_end(a, 9000000000LL, &keep, out);
    assert_true(out[0].d == 45 && out[1].d == 5);
    agg_free(a);
    arena_free(&keep);
}

static void means_tell_what_they_can(void **state) {
    (void)state;
    Arena keep;
    arena_init(&keep, 0);
    AggPlan plan = plan_of(&keep, "avg,min,max,sum,count,first,last,range,twa"), other = plan_of(&keep, "avg,p95");
    Agg *a = agg_new(&plan), *b = agg_new(&other);
    AggValue none = {0}, out[AGG_FNS_MAX];
    AggMean one = {.time = 0, .until = 60, .min = 1, .max = 9, .mean = 4, .first = 2, .last = 3, .count = 10};
    AggMean two = {.time = 60, .until = 120, .min = 0, .max = 5, .mean = 2, .first = 5, .last = 1, .count = 30};
    agg_reset(a, &none);
    agg_begin(a, 0);
    assert_int_equal(agg_add_mean(a, &one), ERR_OK);
    assert_int_equal(agg_add_mean(a, &two), ERR_OK);
    assert_int_equal(agg_add(a, 130, &(AggValue){.type = AGG_REAL, .d = 18}), ERR_OK);
    agg_end(a, 200, &keep, out);
    // The means stand for their intervals, the last of the second from 120 to 130, 18 from then on.
    double want[] = {118.0 / 41, 0, 18, 118, 41, 2, 18, 18, (4.0 * 60 + 2 * 60 + 1 * 10 + 18 * 70) / 200};
    for (int i = 0; i < 9; i++) near(agg_number(&out[i]), want[i], "means", 0);
    agg_reset(b, &none);
    agg_begin(b, 0);
    assert_int_equal(agg_add_mean(b, &one), ERR_PAST_GONE);
    agg_free(a);
    agg_free(b);
    arena_free(&keep);
}

static void functions_by_name(void **state) {
    (void)state;
    static const char *const bad[] = {
        "mean",    "avg,", "p101",    "p", "p-1",
        "avg,avg", "p1e9", "avg;min", ",", "p1,p2,p3,p4,p5,p6,p7,p8,p9,p10,p11,p12,p13,p14,p15,p16,p17"};
    Arena keep;
    arena_init(&keep, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AggPlan p;
        Buf why = {0};
        bool ends = i == 1; // a comma at the end says nothing more
        Err err = agg_parse(str_of(bad[i]), &keep, &p, &why);
        if (!ends && (err == ERR_OK || !why.n)) fail_msg("taken: %s", bad[i]);
        buf_free(&why);
    }
    AggPlan p = plan_of(&keep, "AVG, p99.9 ,Median");
    assert_int_equal(p.count, 3);
    assert_true(p.fns[1].p == 99.9 && str_eq(p.fns[0].name, STR("avg")));
    arena_free(&keep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_as_defined),      cmocka_unit_test(sums_lose_nothing),
        cmocka_unit_test(whole_numbers_stay_whole),    cmocka_unit_test(states_by_count_and_time),
        cmocka_unit_test(too_many_states_are_refused), cmocka_unit_test(counters_begin_anew),
        cmocka_unit_test(means_tell_what_they_can),    cmocka_unit_test(functions_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
