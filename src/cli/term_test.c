// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/time.h"
#include "cli/term.h"

static void assert_line(Progress p, int64_t done, int64_t elapsed_ns, int32_t columns, const char *want) {
    Buf b = {0};
    progress_line(&p, done, elapsed_ns, columns, &b);
    buf_byte(&b, 0);
    assert_string_equal(b.p, want);
    buf_free(&b);
}

static void test_progress_lines(void **state) {
    (void)state;
    Progress p = {.what = "twins", .total = 2000};
    assert_line(p, 0, 0, 100, "░░░░░░░░░░░░░░░░░░░░░░░░   0 %  0 of 2 000 twins  0/s");
    assert_line(p, 1000, 2 * NS_PER_S, 100, "████████████░░░░░░░░░░░░  50 %  1 000 of 2 000 twins  500/s  0:02 left");
    assert_line(p, 2000, 4 * NS_PER_S, 100, "████████████████████████ 100 %  2 000 of 2 000 twins  500/s");
    assert_line(p, 1000, 2 * NS_PER_S, 35, "████████████░░░░░░░░░░░░  50 %  1…");
    Progress open = {.what = "lines"};
    assert_line(open, 5000, NS_PER_S, 80, "5 000 lines  5.00 k/s");
}

static void test_colour_is_asked_for(void **state) {
    (void)state;
    assert_false(term_colour(-1)); // no terminal at all
    int32_t columns, rows;
    setenv("COLUMNS", "132", 1);
    term_size(-1, &columns, &rows);
    assert_int_equal(columns, 132);
    setenv("COLUMNS", "99999", 1);
    term_size(-1, &columns, &rows);
    assert_int_equal(columns, 80);
    assert_int_equal(rows, 24);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_progress_lines),
        cmocka_unit_test(test_colour_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
