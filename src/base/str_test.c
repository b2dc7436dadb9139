// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/rng.h"
#include "base/str.h"

static void compares(void **state) {
    (void)state;
    assert_true(str_eq(STR("a\0b"), STR("a\0b")) && !str_eq(STR("a\0b"), STR("a\0c")));
    assert_true(str_eq((Str){0}, STR("")) && !str_eq((Str){0}, STR("a")));
    assert_true(str_cmp(STR("a"), STR("b")) < 0 && str_cmp(STR("b"), STR("a")) > 0 && str_cmp(STR("a"), STR("a")) == 0);
    assert_true(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("\xff"), STR("a")) > 0 &&
                str_cmp(STR(""), STR("")) == 0);
    assert_true(str_eq_nocase(STR("Bearer"), STR("bEARER")) && !str_eq_nocase(STR("a"), STR("b")));
    assert_false(str_eq_nocase(STR("@"), STR("`"))); // neighbours of the letters differ by the same bit
    assert_true(str_starts(STR("dtmi:x"), STR("dtmi:")) && !str_starts(STR("dt"), STR("dtmi:")));
    assert_true(str_ends(STR("a;1"), STR(";1")) && !str_ends(STR("1"), STR(";1")) && str_ends(STR("a"), STR("")));
    assert_int_equal(str_of(NULL).n, 0);
}

static void secrets_compare_like_others(void **state) {
    (void)state;
    assert_true(str_eq_secret(STR("token"), STR("token")) && str_eq_secret((Str){0}, (Str){0}));
    assert_false(str_eq_secret(STR("token"), STR("tokeN")));
    assert_false(str_eq_secret(STR("toke"), STR("token")));
    assert_false(str_eq_secret(STR("tokentoken"), STR("token")));
    assert_false(str_eq_secret(STR("t"), (Str){0}) || str_eq_secret((Str){0}, STR("t")));
}

static void finds_and_cuts(void **state) {
    (void)state;
    assert_int_equal(str_find(STR("a.b.c"), '.', 0), 1);
    assert_int_equal(str_find(STR("a.b.c"), '.', 2), 3);
    assert_int_equal(str_find(STR("a.b.c"), '.', 5), -1);
    assert_int_equal(str_find((Str){0}, '.', 0), -1);
    assert_int_equal(str_find_str(STR("abcabd"), STR("abd")), 3);
    assert_int_equal(str_find_str(STR("ab"), STR("abd")), -1);
    assert_int_equal(str_find_str(STR("ab"), STR("")), 0);
    Str s = STR("a..b"), head[5];
    for (int i = 0; i < 4; i++) head[i] = str_cut(&s, '.');
    assert_true(str_eq(head[0], STR("a")) && head[1].n == 0 && str_eq(head[2], STR("b")) && head[3].n == 0 && s.n == 0);
    assert_true(str_eq(str_trim(STR(" \t\r\n\v\fa b\n ")), STR("a b")));
    assert_int_equal(str_trim(STR("  ")).n, 0);
}

// No text at all is an empty text everywhere.
static void null_is_empty(void **state) {
    (void)state;
    Str none = {0}, rest = none;
    double d;
    assert_true(str_eq(none, STR("")) && str_cmp(none, none) == 0 && str_starts(none, none) && str_ends(none, none));
    assert_true(str_find(none, 'a', 0) == -1 && str_find_str(none, STR("a")) == -1 && str_find_str(none, none) == 0);
    assert_true(str_cut(&rest, ',').n == 0 && rest.n == 0 && str_trim(none).n == 0 && str_sub(none, 0, 0).n == 0);
    assert_true(str_hash(none) == str_hash(STR("")) && str_utf8_ok(none) && !str_to_f64(none, &d));
    assert_true(str_eq_nocase(none, none) && str_eq_secret(none, none));
}

static void integers(void **state) {
    (void)state;
    int64_t v = 3;
    assert_true(str_to_i64(STR("9223372036854775807"), &v) && v == INT64_MAX);
    assert_true(str_to_i64(STR("-9223372036854775808"), &v) && v == INT64_MIN);
    assert_true(str_to_i64(STR("+007"), &v) && v == 7);
    assert_true(str_to_i64(STR("-0"), &v) && v == 0);
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "1a",
                                      " 1",
                                      "1 ",
                                      "0x1",
                                      "1.0",
                                      "--1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        v = 3;
        if (str_to_i64(str_of(bad[i]), &v)) fail_msg("taken: %s", bad[i]);
        assert_true(v == 3);
    }
}

static void decimals(void **state) {
    (void)state;
    double d = 3;
    assert_true(str_to_f64(STR("-1.5e3"), &d) && d == -1500);
    assert_true(str_to_f64(STR("0.1"), &d) && d == 0.1);
    static const char *const bad[] = {"",     ".",   "-",  "e5", "1e",    "nan",  "inf",
                                      "0x10", "1,5", "1 ", " 1", "1e999", "1.2.3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        d = 3;
        if (str_to_f64(str_of(bad[i]), &d)) fail_msg("taken: %s", bad[i]);
        assert_true(d == 3);
    }
}

// The hash is stored in index pages, so it may never change.
static void hash_is_fixed_and_spreads(void **state) {
    (void)state;
    assert_true(str_hash(STR("")) == 0x82234897c7d04a2c);
    assert_true(str_hash(STR("a")) == 0xc37d7a33b5c900e4);
    assert_true(str_hash(STR("machine-1")) == 0x044aac89362e1d14);
    assert_true(str_hash(STR("dtmi:com:example:Pump;1")) == 0x880637a2fcf2954c);
    enum { N = 20000, CELLS = 256 };
    static uint64_t seen[N];
    int64_t cell[CELLS] = {0};
    for (int i = 0; i < N; i++) {
        char name[24];
        seen[i] = str_hash((Str){name, snprintf(name, sizeof name, "machine-%d", i)});
        cell[seen[i] & (CELLS - 1)]++;
    }
    double chi = 0, want = (double)N / CELLS;
    for (int c = 0; c < CELLS; c++) chi += ((double)cell[c] - want) * ((double)cell[c] - want) / want;
    assert_true(chi < 340); // 255 degrees of freedom: above that three times in 10,000
    for (int i = 1; i < 2000; i++) {
        for (int k = 0; k < i; k++) assert_true(seen[i] != seen[k]);
    }
    assert_true(str_hash(STR("")) != str_hash(STR("\0")) && str_hash(STR("\0")) != str_hash(STR("\0\0")));
}

// The slow, obvious twin: decode one code point and check the ranges of RFC 3629.
static int slow_utf8(const uint8_t *p, int64_t left) {
    if (left < 1) return 0;
    int n = p[0] < 0x80 ? 1 : (p[0] >> 5) == 6 ? 2 : (p[0] >> 4) == 14 ? 3 : (p[0] >> 3) == 30 ? 4 : 0;
    if (n == 0 || n > left) return 0;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (int i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    return c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? 0 : n;
}

static void utf8_equals_the_slow_twin(void **state) {
    (void)state;
    for (uint32_t x = 0; x < 1u << 16; x++) { // every first pair, two continuations and two breaks behind it
        static const uint8_t third[] = {0x80, 0xBF, 0x7F, 0xC0};
        for (int t = 0; t < 4; t++) {
            uint8_t b[4] = {(uint8_t)(x >> 8), (uint8_t)x, third[t], 0x80};
            for (int64_t n = 0; n <= 4; n++) {
                const char *p = (const char *)b;
                assert_int_equal(str_utf8_size(p, p + n), slow_utf8(b, n));
            }
        }
    }
}

static void utf8_of_whole_texts(void **state) {
    (void)state;
    assert_true(str_utf8_ok((Str){0}) &&
                str_utf8_ok(STR("Anlage \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 plain ascii tail")));
    char text[64];
    Rng r = rng_make(8, 0);
    for (int i = 0; i < 50000; i++) { // ASCII with one random byte at a random place: valid only if it is ASCII too
        int64_t n = 1 + (int64_t)rng_below(&r, 40), at = (int64_t)rng_below(&r, (uint64_t)n);
        memset(text, 'a', sizeof text);
        text[at] = (char)rng_u32(&r);
        assert_int_equal(str_utf8_ok((Str){text, n}), (uint8_t)text[at] < 0x80);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),
        cmocka_unit_test(secrets_compare_like_others),
        cmocka_unit_test(finds_and_cuts),
        cmocka_unit_test(null_is_empty),
        cmocka_unit_test(integers),
        cmocka_unit_test(decimals),
        cmocka_unit_test(hash_is_fixed_and_spreads),
        cmocka_unit_test(utf8_equals_the_slow_twin),
        cmocka_unit_test(utf8_of_whole_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
