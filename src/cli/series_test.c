// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/time.h"
#include "cli/series.h"

static void test_columns(void **state) {
    (void)state;
    Str fields[] = {STR("time"), STR(" value "), STR("2")};
    CsvRow header = {.fields = fields, .count = 3};
    assert_int_equal(series_column(&header, STR("value")), 1);
    assert_int_equal(series_column(&header, STR("2")), 2); // a name wins over a number
    assert_int_equal(series_column(&header, STR("1")), 0);
    assert_int_equal(series_column(&header, STR("4")), -1);
    assert_int_equal(series_column(&header, STR("nothing")), -1);
}

static void test_times(void **state) {
    (void)state;
    int64_t want, got;
    assert_true(time_parse(STR("2014-04-01T12:30:00Z"), &want));
    static const char *const same[] = {"2014-04-01 12:30:00", "2014-04-01T12:30", "2014-04-01T14:30:00+02:00",
                                       "1396355400",          "1396355400000",    "1396355400000000",
                                       "1396355400000000000", " 1396355400.0 "};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_true(series_time(str_of(same[i]), &got));
        assert_int_equal(got, want);
    }
    assert_true(series_time(STR("2014-04-01"), &got));
    assert_int_equal(got, want - (12 * 60 + 30) * 60 * NS_PER_S);
    assert_false(series_time(STR("yesterday"), &got));
    assert_false(series_time(STR(""), &got));
    assert_false(series_time(STR("2014-13-01 00:00:00"), &got));
}

static void test_values(void **state) {
    (void)state;
    static const struct {
        const char *cell;
        bool as_text;
        const char *want;
    } cases[] = {
        {"0.33399999999999996", false, "0.33399999999999996"}, // untouched: exact to the last digit
        {" 248 ", false, "248"},
        {"1e3", false, "1e3"},
        {"+5", false, "5"},
        {".5", false, "0.5"},
        {"007", false, "7"},
        {"TRUE", false, "true"},
        {"running", false, "\"running\""},
        {"1e999", false, "\"1e999\""},
        {"42", true, "\"42\""},
        {"say \"hi\"", false, "\"say \\\"hi\\\"\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Buf b = {0};
        series_value(str_of(cases[i].cell), cases[i].as_text, &b);
        buf_byte(&b, 0);
        assert_string_equal(b.p, cases[i].want);
        buf_free(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
