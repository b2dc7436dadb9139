// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/rng.h"
#include "num/moments.h"

static void near(double got, double want, double relative) {
    if (fabs(got - want) <= relative * fabs(want)) return;
    print_error("got %.17g, want %.17g\n", got, want);
    fail();
}

// Closed forms of one, two and four degrees of freedom.
static void student_test(void **state) {
    (void)state;
    for (double t = -30; t <= 30; t += 0.37) {
        near(student_cdf(t, 1), 0.5 + atan(t) / 3.14159265358979323846, 1e-12);
        near(student_cdf(t, 2), 0.5 + t / (2 * sqrt(2 + t * t)), 1e-11);
        double s = t / sqrt(4 + t * t);
        near(student_cdf(t, 4), 0.5 + 0.75 * (s - s * s * s / 3), 1e-10);
    }
    // Tables: two-sided 95 % and 99 %.
    near(student_quantile(0.975, 9), 2.2621571628, 1e-10);
    near(student_quantile(0.975, 29), 2.0452296421, 1e-10);
    near(student_quantile(0.995, 4), 4.6040948713, 1e-9);
    near(student_quantile(0.975, 1e7), 1.959964, 1e-6);
    for (double df = 0.5; df < 1e6; df *= 3)
        for (double p = 0.001; p < 1; p += 0.0371) near(student_cdf(student_quantile(p, df), df), p, 1e-11);
    assert_true(isinf(student_quantile(1, 3)) && isnan(student_quantile(2, 3)));
}

static void beta_test(void **state) {
    (void)state;
    near(beta_part(1, 1, 0.3), 0.3, 1e-14);
    near(beta_part(2, 3, 0.4), 0.5248, 1e-13); // sum of binomials
    near(beta_part(5, 0.5, 0.7) + beta_part(0.5, 5, 0.3), 1, 1e-13);
    assert_true(beta_part(2, 2, 0) == 0 && beta_part(2, 2, 1) == 1);
}

static void moments_test(void **state) {
    (void)state;
    Rng rng = rng_make(7, 0);
    Moments all = {0}, parts[3] = {0}, none = {0};
    double values[1000], sum = 0, squares = 0;
    for (int i = 0; i < 1000; i++) {
        values[i] = 1e9 + rng_f64(&rng);
        sum += values[i] - 1e9;
        moments_add(&all, values[i]);
        moments_add(&parts[i % 3], values[i]);
    }
    for (int i = 0; i < 1000; i++) squares += pow(values[i] - 1e9 - sum / 1000, 2);
    moments_add(&all, NAN);
    assert_int_equal(all.n, 1000);
    near(all.mean - 1e9, sum / 1000, 1e-6);
    near(moments_variance(&all), squares / 999, 1e-6);
    moments_merge(&none, &parts[0]);
    moments_merge(&none, &parts[1]);
    moments_merge(&none, &parts[2]);
    moments_merge(&none, &(Moments){0});
    near(none.mean, all.mean, 1e-15);
    near(none.m2, all.m2, 1e-6);
    assert_true(none.min == all.min && none.max == all.max && none.n == all.n);
    assert_true(isnan(moments_variance(&(Moments){.n = 1})) && isnan(moments_half(&(Moments){.n = 1}, 0.95)));
}

// Of 2,000 intervals of 10 normal observations about 95 % hold the mean: 1,900 give or take 3 sigma = 29.
static void interval_test(void **state) {
    (void)state;
    Rng rng = rng_make(11, 0);
    int held = 0;
    for (int k = 0; k < 2000; k++) {
        Moments t = {0};
        for (int i = 0; i < 10; i++) {
            moments_add(&t, 5 + 3 * rng_normal(&rng));
        }
        held += fabs(t.mean - 5) <= moments_half(&t, 0.95);
    }
    assert_in_range(held, 1871, 1929);
}

static void needed_test(void **state) {
    (void)state;
    Moments t = {0};
    for (int i = 0; i < 20; i++) moments_add(&t, i % 2 ? 1 : -1);
    double half = moments_half(&t, 0.95);
    assert_int_equal(moments_needed(&t, 0.95, half * 1.0001, 1000), 20);
    uint64_t n = moments_needed(&t, 0.95, half / 4, 100000);
    double s = sqrt(moments_variance(&t));
    assert_true(student_quantile(0.975, (double)n - 1) * s / sqrt((double)n) <= half / 4);
    assert_true(student_quantile(0.975, (double)n - 2) * s / sqrt((double)n - 1) > half / 4);
    assert_int_equal(moments_needed(&t, 0.95, 1e-9, 500), 500);
    assert_int_equal(moments_needed(&(Moments){0}, 0.95, 1, 500), 500);
}

static void quantile_test(void **state) {
    (void)state;
    const double x[] = {1, 2, 4, 8};
    near(quantile_of(x, 4, 0), 1, 0);
    near(quantile_of(x, 4, 0.5), 3, 1e-15);
    near(quantile_of(x, 4, 0.9), 4 + 0.7 * 4, 1e-14);
    near(quantile_of(x, 4, 1), 8, 0);
    near(quantile_of(x, 1, 0.3), 1, 0);
    assert_true(isnan(quantile_of(x, 0, 0.5)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(student_test),  cmocka_unit_test(beta_test),   cmocka_unit_test(moments_test),
        cmocka_unit_test(interval_test), cmocka_unit_test(needed_test), cmocka_unit_test(quantile_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
