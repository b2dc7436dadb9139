// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "base/rng.h"
#include "cli/histogram.h"

static Histogram h, other;

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void test_against_sorting(void **state) {
    (void)state;
    static int64_t values[20000];
    const int64_t n = sizeof values / sizeof *values;
    Rng rng = rng_make(7, 0);
    h = (Histogram){0};
    for (int64_t i = 0; i < n; i++) {
        values[i] = (int64_t)(rng_u64(&rng) >> (20 + rng_below(&rng, 40)));
        histogram_add(&h, values[i]);
    }
    qsort(values, (size_t)n, sizeof *values, by_value);
    for (int q = 0; q <= 100; q++) {
        int64_t at = (int64_t)(q / 100.0 * (double)n);
        int64_t want = values[at < n ? at : n - 1], got = histogram_quantile(&h, q / 100.0);
        assert_true(got >= want);
        assert_true((double)got <= (double)want * (1 + 1.0 / 32) + 1);
    }
}

static void test_edges(void **state) {
    (void)state;
    h = (Histogram){0};
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    histogram_add(&h, 0);
    assert_int_equal(histogram_quantile(&h, 1), 0);
    histogram_add(&h, INT64_MAX);
    assert_int_equal(histogram_quantile(&h, 1), INT64_MAX);
    other = (Histogram){0};
    histogram_add(&other, 31);
    histogram_merge(&h, &other);
    assert_int_equal(h.count, 3);
    assert_int_equal(histogram_quantile(&h, 0.5), 31);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_sorting), cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
