// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "base/rng.h"

// Known answers for philox4x32-10 from the authors' test file (Random123, kat_vectors).
static void known_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        philox4x32(rows[i].counter, rows[i].key, out);
        assert_memory_equal(out, rows[i].out, sizeof out);
    }
}

static void streams_repeat_and_differ(void **state) {
    (void)state;
    Rng a = rng_make(42, 1), again = rng_make(42, 1), stream = rng_make(42, 2), seed = rng_make(43, 1);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = rng_u64(&a);
        assert_true(x == rng_u64(&again));
        same += (x == rng_u64(&stream)) + (x == rng_u64(&seed));
    }
    assert_int_equal(same, 0);
}

// Counter words carry into the next, so a stream does not come round after 2^32 blocks.
static void counter_carries(void **state) {
    (void)state;
    Rng r = rng_make(1, 0);
    r.counter[0] = UINT32_MAX;
    (void)rng_u32(&r);
    assert_int_equal(r.counter[0], 0);
    assert_int_equal(r.counter[1], 1);
}

// Chi-square of 600,000 draws over 6 cells with 5 degrees of freedom: above 25.7 one time in 10,000.
static void below_is_even(void **state) {
    (void)state;
    Rng r = rng_make(5, 0);
    int64_t seen[6] = {0};
    for (int i = 0; i < 600000; i++) seen[rng_below(&r, 6)]++;
    double chi = 0;
    for (int k = 0; k < 6; k++) chi += ((double)seen[k] - 1e5) * ((double)seen[k] - 1e5) / 1e5;
    assert_true(chi < 25.7);
    for (int i = 0; i < 100; i++) assert_int_equal(rng_below(&r, 1), 0);
    assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
}

// Mean and variance within five standard errors.
static void moments(void **state) {
    (void)state;
    enum { N = 400000 };
    Rng r = rng_make(6, 0);
    double sum = 0, normal = 0, square = 0;
    for (int i = 0; i < N; i++) {
        double u = rng_f64(&r), z = rng_normal(&r);
        assert_true(u >= 0 && u < 1 && isfinite(z));
        sum += u;
        normal += z;
        square += z * z;
    }
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(normal / N) < 5 / sqrt(N));
    assert_true(fabs(square / N - 1) < 5 * sqrt(2.0 / N));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),   cmocka_unit_test(streams_repeat_and_differ),
        cmocka_unit_test(counter_carries), cmocka_unit_test(below_is_even),
        cmocka_unit_test(moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
