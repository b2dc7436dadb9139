// SPDX-License-Identifier: Apache-2.0
// Heads of frames of a past, and what is said while one is lived. The whole is tested by tests/demo_past_test.py.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/time.h"
#include "cli/past.h"

static void test_heads(void **state) {
    (void)state;
    PastHead h;
    assert_true(past_head(STR("values 120 1795161600000000000"), &h));
    assert_true(str_eq(h.what, STR("values")) && !h.name.n && h.bytes == 120 && h.time_ns == 1795161600000000000);
    assert_true(past_head(STR("whatifs/demand-up 0 1"), &h));
    assert_true(str_eq(h.what, STR("whatifs")) && str_eq(h.name, STR("demand-up")) && h.bytes == 0);
    static const char *const bad[] = {"",           "values",       "values 1",     "values -1 5",
                                      "values 1 0", "values x 5",   "values 1 5 6", "values 99999999 5",
                                      " 1 5",       "whatifs/ 1 5", "/x 1 5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (past_head(str_of(bad[i]), &h)) fail_msg("taken: %s", bad[i]);
}

static void assert_says(int64_t lived_min, int64_t length_min, const char *text) {
    Buf b = {0};
    past_progress(lived_min * 60 * NS_PER_S, length_min * 60 * NS_PER_S, &b);
    buf_byte(&b, 0);
    assert_string_equal(b.p, text);
    buf_free(&b);
}

static void test_progress(void **state) {
    (void)state;
    assert_says(320, 480, "Living the last 8 hours … 5 h 20 min");
    assert_says(-1, 480, "Living the last 8 hours … 0 min");
    assert_says(300, 480, "Living the last 8 hours … 5 h");
    assert_says(12, 60, "Living the last 1 h … 12 min");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_heads), cmocka_unit_test(test_progress)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
