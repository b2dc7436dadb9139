// SPDX-License-Identifier: Apache-2.0
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/rng.h"
#include "base/decimal.c" // also tests the table, which is static

static double of_bits(uint64_t bits) { return f64_of_bits(bits); }

static bool same_bits(double a, double b) { return bits_of_f64(a) == bits_of_f64(b); }

// Number of significant digits of a printed number.
static int significant(const char *t, int n) {
    int count = 0, zeros = 0;
    for (int i = 0; i < n && t[i] != 'e'; i++) {
        if (t[i] < '0' || t[i] > '9' || (count == 0 && t[i] == '0')) continue;
        count++;
        zeros = t[i] == '0' ? zeros + 1 : 0;
    }
    return count - zeros;
}

// The fewest digits that the C library needs to come back to v, and those digits.
static int fewest_digits(double v, char text[64]) {
    for (int n = 1; n < 17; n++) {
        snprintf(text, 64, "%.*e", n - 1, v);
        if (strtod(text, NULL) == v) return n;
    }
    snprintf(text, 64, "%.16e", v);
    return 17;
}

static double parse_ok(const char *t) {
    double v = NAN;
    if (!decimal_parse_f64(str_of(t), &v)) fail_msg("refused: %s", t);
    return v;
}

// Print, read back: the same bits, no more digits than needed; and all other texts of v read as v.
static void check_number(double v) {
    char t[DECIMAL_TEXT_MAX], c[64], longer[1200];
    int n = decimal_print_f64(v, t);
    double back;
    assert_true(n <= DECIMAL_TEXT_MAX);
    assert_true(decimal_parse_f64((Str){t, n}, &back));
    if (!same_bits(back, v)) fail_msg("%a printed as %.*s reads as %a", v, n, t, back);
    bool whole = fabs(v) < 0x1p63 && v == (double)(int64_t)v;
    int need = fewest_digits(v, c);
    if (!whole && significant(t, n) > need) fail_msg("%.*s, shorter: %s", n, t, c);
    assert_true(same_bits(parse_ok(c), v));
    snprintf(longer, sizeof longer, "%.17g", v);
    assert_true(same_bits(parse_ok(longer), v));
    snprintf(longer, sizeof longer, "%.800e", v);
    assert_true(same_bits(parse_ok(longer), v));
}

static void every_exponent_comes_back(void **state) {
    (void)state;
    for (uint64_t e = 0; e < 2047; e++) {
        for (int64_t k = -1; k <= 1; k++) {
            double v = of_bits((e << 52) + (uint64_t)k);
            if (!isfinite(v)) continue;
            check_number(v);
            check_number(-v);
        }
    }
}

static void random_bits_come_back(void **state) {
    (void)state;
    Rng r = rng_make(99, 0);
    for (int i = 0; i < 40000; i++) {
        double v = of_bits(rng_u64(&r));
        if (isfinite(v)) check_number(v);
        check_number((double)(int64_t)rng_u64(&r) / 1024);
        check_number((double)(rng_u64(&r) >> 40) / 100);
    }
}

// Exactly between two doubles, and a little beside it, far behind the 17th digit.
static void midpoints_round_to_even(void **state) {
    (void)state;
    Rng r = rng_make(7, 0);
    static char text[2500];
    for (int i = 0; i < 4000; i++) {
        uint64_t bits = rng_u64(&r);
        double low = of_bits(bits >> (1 + rng_below(&r, 12))), high = nextafter(low, INFINITY);
        if (!isfinite(high)) continue;
        long double mid = ((long double)low + (long double)high) / 2; // exact: 64 bits are enough
        snprintf(text, sizeof text, "%.1100Le", mid);
        char *exp = strchr(text, 'e');
        double even = bits_of_f64(low) & 1 ? high : low;
        assert_true(same_bits(parse_ok(text), even));
        exp[-1] = '1';
        assert_true(same_bits(parse_ok(text), high));
        exp[-1] = '0';
        char *digit = exp - 1;
        while (*digit == '0') digit--;
        --*digit; // "...5000" to "...4999"
        memset(digit + 1, '9', (size_t)(exp - digit - 1));
        assert_true(same_bits(parse_ok(text), low));
    }
}

static void texts_by_hand(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *text;
    } rows[] = {{21.5, "21.5"},
                {0.1, "0.1"},
                {100, "100"},
                {-0.0, "-0.0"},
                {0, "0"},
                {1e21, "1e+21"},
                {1e22, "1e+22"},
                {1.5e300, "1.5e+300"},
                {1e-6, "0.000001"},
                {1e-7, "1e-7"},
                {-1.25e-10, "-1.25e-10"},
                {1e23, "1e+23"},
                {9007199254740993.0, "9007199254740992"},
                {0x1p63, "9223372036854776000"},
                {5e-324, "5e-324"},
                {1.7976931348623157e308, "1.7976931348623157e+308"},
                {2.2250738585072014e-308, "2.2250738585072014e-308"},
                {123456.789, "123456.789"},
                {0.3, "0.3"},
                {0.1 + 0.2, "0.30000000000000004"},
                {1e15 + 0.5, "1000000000000000.5"},
                {999999999999.999, "999999999999.999"},
                {0.001, "0.001"},
                {4.35, "4.35"},
                {1.005, "1.005"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char t[DECIMAL_TEXT_MAX + 1];
        t[decimal_print_f64(rows[i].v, t)] = 0;
        assert_string_equal(t, rows[i].text);
    }
}

static void odd_texts(void **state) {
    (void)state;
    double v = 3;
    assert_true(parse_ok("+1.") == 1 && parse_ok(".5") == 0.5 && parse_ok("00012e-1") == 1.2);
    assert_true(same_bits(parse_ok("-0e5"), -0.0) && same_bits(parse_ok("-0.000"), -0.0));
    assert_true(parse_ok("1e-99999999999999999999") == 0 && parse_ok("0e99999999999999999999") == 0);
    assert_true(parse_ok("0.00000000000000000000000000000000000000000000000000001e53") == 1);
    assert_true(parse_ok("2.4703282292062327208e-324") == 0); // half of the smallest, cut: to even
    assert_true(parse_ok("2.4703282292062328e-324") == 5e-324);
    assert_true(parse_ok("179769313486231570814527423731704356798070e267") == 1.7976931348623157e308);
    assert_true(parse_ok("179769313486231580793728971405303415e273") == 1.7976931348623157e308); // below the midpoint
    static const char *const bad[] = {"",
                                      "+",
                                      "-",
                                      ".",
                                      "e1",
                                      "1e",
                                      "1e+",
                                      "1e1.5",
                                      "1..2",
                                      "1 ",
                                      " 1",
                                      "0x1",
                                      "inf",
                                      "nan",
                                      "--1",
                                      "1e309",
                                      "-1e400",
                                      "1e99999999999999999999",
                                      "179769313486231580793728971405303416e273"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (decimal_parse_f64(str_of(bad[i]), &v)) fail_msg("taken: %s", bad[i]);
        assert_true(v == 3);
    }
    assert_false(decimal_to_f64(2, 308, &v));
    assert_true(decimal_to_f64(0, INT64_MAX, &v) && v == 0);
    assert_true(decimal_to_f64(1, INT64_MIN, &v) && v == 0);
}

static void integers(void **state) {
    (void)state;
    Rng r = rng_make(1, 0);
    char t[DECIMAL_TEXT_MAX + 1], want[32];
    for (int i = 0; i < 100000; i++) {
        uint64_t u = rng_u64(&r) >> rng_below(&r, 64);
        t[decimal_print_u64(u, t)] = 0;
        snprintf(want, sizeof want, "%llu", (unsigned long long)u);
        assert_string_equal(t, want);
        t[decimal_print_i64((int64_t)-u, t)] = 0;
        snprintf(want, sizeof want, "%lld", (long long)-u);
        assert_string_equal(t, want);
    }
    for (uint64_t u = 1, k = 0; k < 20; k++, u *= 10) {
        for (uint64_t v = u - 1; v <= u; v++) {
            t[decimal_print_u64(v, t)] = 0;
            snprintf(want, sizeof want, "%llu", (unsigned long long)v);
            assert_string_equal(t, want);
        }
    }
}

// ---- every row of the table again, with long arithmetic ----

// The highest 128 bits of b, cut.
static Pow10 top128(const Big *b) {
    int shift = __builtin_clz(b->w[b->n - 1]);
    uint64_t v[2] = {0};
    for (int bit = 0; bit < 128; bit++) {
        int64_t at = (int64_t)b->n * 32 - shift - 1 - bit;
        uint64_t x = at < 0 ? 0 : b->w[at / 32] >> (at % 32) & 1;
        v[bit / 64] = v[bit / 64] << 1 | x;
    }
    return (Pow10){v[0], v[1]};
}

static void check_row(int q, Pow10 want) {
    if (pow10_rows[q - POW10_MIN].hi != want.hi || pow10_rows[q - POW10_MIN].lo != want.lo) fail_msg("row %d", q);
}

// a -= b << bits, when that is not negative; was it?
static bool big_take(Big *a, const Big *b, int64_t bits) {
    Big s = *b;
    big_shift(&s, bits);
    if (s.n == 0 || big_cmp(a, &s) < 0) return false;
    int64_t borrow = 0;
    for (int i = 0; i < a->n; i++) {
        borrow += (int64_t)a->w[i] - (i < s.n ? s.w[i] : 0);
        a->w[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    while (a->n && a->w[a->n - 1] == 0) a->n--;
    return true;
}

static void table_is_right(void **state) {
    (void)state;
    for (int q = 0; q <= POW10_MAX; q++) {
        Big b = {.n = 1, .w = {1}};
        big_mul_pow5(&b, q);
        check_row(q, top128(&b));
    }
    for (int q = POW10_MIN; q < 0; q++) { // 2^k / 5^-q, bit by bit
        Big five = {.n = 1, .w = {1}}, rest = {.n = 1, .w = {1}};
        big_mul_pow5(&five, -q);
        int64_t size = (int64_t)five.n * 32 - __builtin_clz(five.w[five.n - 1]);
        big_shift(&rest, size + 127); // the quotient has 128 bits: 2^(size-1) < 5^-q < 2^size
        uint64_t v[2] = {0};
        for (int bit = 127; bit >= 0; bit--) v[bit < 64] = v[bit < 64] << 1 | big_take(&rest, &five, bit);
        check_row(q, (Pow10){v[0], v[1]});
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_exponent_comes_back),
        cmocka_unit_test(random_bits_come_back),
        cmocka_unit_test(midpoints_round_to_even),
        cmocka_unit_test(texts_by_hand),
        cmocka_unit_test(odd_texts),
        cmocka_unit_test(integers),
        cmocka_unit_test(table_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
