// SPDX-License-Identifier: Apache-2.0
// Means against a plain recomputation: points in any order, in several parts, through blocks and back.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>
#include "base/mem.h"
#include "base/rng.h"
#include "base/time.h"
#include "history/means.h"

#define POINTS 3000

typedef struct Point {
    uint16_t row;
    int64_t time;
    double value;
    int64_t arrival;
} Point;

static int by_row_then_arrival(const void *a, const void *b) {
    const Point *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return (x->arrival > y->arrival) - (x->arrival < y->arrival);
}

static void make(Rng *r, Point *p, int64_t n, int64_t step) {
    int64_t begin = (int64_t)rng_below(r, 2) * INT64_C(1700000000000000000) - 20 * step;
    for (int64_t i = 0; i < n; i++) {
        int64_t jitter = (int64_t)rng_below(r, 3) ? 0 : -(int64_t)rng_below(r, (uint64_t)step * 5);
        double v = rng_below(r, 4) ? round(rng_normal(r) * 1000) / 10 : rng_normal(r) * 1e300;
        if (!rng_below(r, 50)) v = -0.0;
        p[i] = (Point){(uint16_t)rng_below(r, 5) * 200, begin + i * step / 40 + jitter, v, i};
        if (i && !rng_below(r, 10)) p[i].time = p[i - 1].time; // ties
    }
}

// One interval by looking at every point.
static bool plain(const Point *p, int64_t n, uint16_t row, int64_t start, int64_t step, Mean *out) {
    long double sum = 0;
    *out = (Mean){.row = row, .start = start};
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (int64_t i = 0; i < n; i++) {
        if (p[i].row != row || p[i].time < start || p[i].time >= start + step) continue;
        if (out->count++ == 0) out->min = out->max = p[i].value;
        if (p[i].value < out->min) out->min = p[i].value;
        if (p[i].value > out->max) out->max = p[i].value;
        sum += p[i].value;
        if (p[i].time < first) first = p[i].time, out->first = p[i].value;
        if (p[i].time >= last) last = p[i].time, out->last = p[i].value;
    }
    if (out->count > 0) out->sum = (double)(sum / out->count);
    return out->count > 0;
}

static void check(const Means *m, const Point *p, int64_t n, uint64_t seed) {
    double total = 0;
    for (int64_t i = 0; i < m->count; i++) {
        const Mean *x = &m->items[i];
        Mean want;
        if (i) assert_true(x[-1].row < x->row || (x[-1].row == x->row && x[-1].start < x->start));
        bool some = plain(p, n, x->row, x->start, m->step, &want);
        bool same = some && want.count == x->count && want.min == x->min && want.max == x->max &&
                    want.first == x->first && want.last == x->last;
        double scale = fmax(fabs(x->min), fabs(x->max));
        same = same && fabs(means_mean(x) - want.sum) <= scale * 1e-12;
        if (!same) print_error("seed %llu, interval %lld\n", (unsigned long long)seed, (long long)i);
        assert_true(same);
        total += x->count;
    }
    assert_int_equal((int64_t)total, n); // nothing is missing
}

static void through_block(HWork *w, Means *m) {
    Buf bytes = {0};
    Arena a;
    int64_t step;
    arena_init(&a, 0);
    means_settle(m);
    means_encode(w, m, &bytes);
    Buf why = {0};
    assert_int_equal(hblock_verify(w, buf_str(&bytes), &why), ERR_OK);
    assert_int_equal(means_step(w, buf_str(&bytes), &a, &step), ERR_OK);
    assert_int_equal(step, m->step);
    means_begin(m, step);
    assert_int_equal(means_decode(w, buf_str(&bytes), 0, HBLOCK_ROWS - 1, &a, m), ERR_OK);
    arena_free(&a);
    buf_free(&bytes);
    buf_free(&why);
}

static void test_means_are_those_of_all_points(void **state) {
    (void)state;
    HWork *w = hwork_new();
    Point *p = mem_alloc(POINTS * sizeof *p), *part = mem_alloc(POINTS * sizeof *p);
    Means m = {.step = 0};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        Rng r = rng_make(seed, 0);
        int64_t step = (int64_t[]){NS_PER_S, 60 * NS_PER_S, 86400 * NS_PER_S}[rng_below(&r, 3)];
        make(&r, p, POINTS, step);
        means_begin(&m, step);
        for (int64_t from = 0, n; from < POINTS; from += n) { // in parts, as slices let go of them
            n = 1 + (int64_t)rng_below(&r, POINTS);
            if (n > POINTS - from) n = POINTS - from;
            memcpy(part, p + from, (size_t)n * sizeof *p);
            qsort(part, (size_t)n, sizeof *part, by_row_then_arrival);
            for (int64_t i = 0; i < n; i++) means_add(&m, part[i].row, part[i].time, part[i].value);
            through_block(w, &m);
        }
        means_settle(&m);
        check(&m, p, POINTS, seed);
    }
    means_free(&m);
    mem_free(p);
    mem_free(part);
    hwork_free(w);
}

static void test_forgetting_and_spans(void **state) {
    (void)state;
    Means m = {.step = 0};
    int64_t from, to;
    means_begin(&m, 10);
    for (int64_t t = 0; t < 100; t += 5) means_add(&m, 7, t, 1);
    means_settle(&m);
    assert_int_equal(m.count, 10);
    means_span(&m, &from, &to);
    assert_int_equal(from, 0);
    assert_int_equal(to, 99);
    assert_int_equal(means_forget(&m, 30), 3); // [0, 30) ended
    assert_int_equal(m.items[0].start, 30);
    assert_int_equal(means_forget(&m, 39), 0); // [30, 40) has not
    means_free(&m);
}

static void test_floor(void **state) {
    (void)state;
    assert_int_equal(means_floor(25, 10), 20);
    assert_int_equal(means_floor(20, 10), 20);
    assert_int_equal(means_floor(-1, 10), -10);
    assert_int_equal(means_floor(-10, 10), -10);
}

static void test_what_counts(void **state) {
    (void)state;
    double v = NAN;
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    assert_false(means_value(HCELL_F64, bits, &v));
    assert_false(means_value(HCELL_TEXT, 1, &v));
    assert_true(means_value(HCELL_I64, (uint64_t)-3, &v));
    assert_true(v == -3);
    assert_true(means_value(HCELL_BOOL, 1, &v));
    assert_true(v == 1);
}

// Infinities stay what they are, and do no harm to the sum of others.
static void test_infinities(void **state) {
    (void)state;
    Means m = {.step = 0};
    means_begin(&m, 10);
    means_add(&m, 0, 1, INFINITY);
    means_add(&m, 0, 2, 1);
    means_add(&m, 0, 13, 1);
    means_settle(&m);
    assert_true(isinf(means_mean(&m.items[0])) && m.items[0].min == 1);
    assert_true(means_mean(&m.items[1]) == 1);
    means_free(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_means_are_those_of_all_points),
        cmocka_unit_test(test_forgetting_and_spans),
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_infinities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
