// SPDX-License-Identifier: Apache-2.0
// Numbers for people.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "base/figure.h"

#define APART "\xE2\x80\xAF"
#define MINUS "\xE2\x88\x92"

static void is(Buf *b, const char *want) {
    if (!str_eq(buf_str(b), str_of(want))) fail_msg("%.*s instead of %s", STR_ARG(buf_str(b)), want);
    buf_free(b);
}

static void decimals(double v, int n, bool short_, const char *want) {
    Buf b = {0};
    figure_decimals(v, n, short_, &b);
    is(&b, want);
}

static void digits(double v, int n, const char *want) {
    Buf b = {0};
    figure_digits(v, n, &b);
    is(&b, want);
}

static void in_threes(void **state) {
    (void)state;
    decimals(999, 0, false, "999");
    decimals(1240, 0, false, "1" APART "240");
    decimals(12345.678, 2, false, "12" APART "345.68");
    decimals(-1234567, 0, false, MINUS "1" APART "234" APART "567");
    decimals(999.6, 0, false, "1" APART "000");
    decimals(2.50, 2, true, "2.5");
    decimals(100, 2, true, "100");
    decimals(-0.001, 2, false, "0.00");
}

static void that_count(void **state) {
    (void)state;
    digits(0, 5, "0");
    digits(1234567.8, 3, "1" APART "234" APART "568");
    digits(42.1234567, 5, "42.123");
    digits(-4.99999, 6, MINUS "4.99999");
    digits(-1e15, 5, MINUS "1e+15");
    digits(1.5e-7, 5, "1.5e-07");
    digits(NAN, 5, "\xE2\x80\x93");
    digits(-INFINITY, 5, "\xE2\x80\x93");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_threes),
        cmocka_unit_test(that_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
