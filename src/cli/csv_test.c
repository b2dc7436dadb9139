// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/time.h"
#include "cli/csv.h"

static Csv csv;
static Arena arena;

static void assert_record(const char *const *want, int32_t n) {
    Err err;
    assert_true(csv_next(&csv, &arena, &err));
    assert_int_equal(csv.count, n);
    for (int32_t i = 0; i < n; i++) {
        Str w = str_of(want[i]);
        assert_int_equal(csv.fields[i].n, w.n);
        assert_memory_equal(csv.fields[i].p, w.p, (size_t)w.n);
    }
}

#define RECORD(...)                                                                                                    \
    assert_record((const char *[]){__VA_ARGS__}, (int32_t)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)))

static void assert_over(Err want) {
    Err err;
    assert_false(csv_next(&csv, &arena, &err));
    assert_int_equal(err, want);
}

static void test_records(void **state) {
    (void)state;
    csv_init(&csv,
             STR("\xEF\xBB\xBFtimestamp,value\r\n2014-01-01 00:00:00,1.5\n\n\"a \"\"b\"\"\",\"x\ny,\"\r\n,\n last"), 0);
    RECORD("timestamp", "value");
    RECORD("2014-01-01 00:00:00", "1.5");
    RECORD("a \"b\"", "x\ny,");
    assert_int_equal(csv.line, 4);
    RECORD("", "");
    assert_int_equal(csv.line, 6);
    RECORD(" last");
    assert_over(ERR_OK);
    assert_over(ERR_OK);
}

static void test_separator_guess(void **state) {
    (void)state;
    csv_init(&csv, STR("a;b;c,d\n1;2;3,5"), 0);
    RECORD("a", "b", "c,d");
    RECORD("1", "2", "3,5");
    csv_init(&csv, STR("a\tb"), 0);
    RECORD("a", "b");
    csv_init(&csv, STR("a,b"), '|');
    RECORD("a,b");
}

static void test_broken(void **state) {
    (void)state;
    csv_init(&csv, STR("\"never closed\n"), 0);
    assert_over(ERR_SYNTAX);
    csv_init(&csv, STR("\"a\"b,c"), 0);
    assert_over(ERR_SYNTAX);
    csv_init(&csv, STR(""), 0);
    assert_over(ERR_OK);
    Buf wide = {0};
    for (int i = 0; i < CSV_COLUMNS_MAX + 1; i++) buf_str_put(&wide, STR("x,"));
    csv_init(&csv, buf_str(&wide), 0);
    assert_over(ERR_LIMIT);
    buf_free(&wide);
}

static void test_columns(void **state) {
    (void)state;
    csv_init(&csv, STR("time, value ,2\n"), 0);
    RECORD("time", " value ", "2");
    assert_int_equal(csv_column(&csv, STR("value")), 1);
    assert_int_equal(csv_column(&csv, STR("2")), 2); // a name wins over a number
    assert_int_equal(csv_column(&csv, STR("1")), 0);
    assert_int_equal(csv_column(&csv, STR("4")), -1);
    assert_int_equal(csv_column(&csv, STR("nothing")), -1);
}

static void test_times(void **state) {
    (void)state;
    int64_t want, got;
    assert_true(time_parse(STR("2014-04-01T12:30:00Z"), &want));
    static const char *const same[] = {"2014-04-01 12:30:00", "2014-04-01T12:30", "2014-04-01T14:30:00+02:00",
                                       "1396355400",          "1396355400000",    "1396355400000000",
                                       "1396355400000000000", " 1396355400.0 "};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_true(csv_time(str_of(same[i]), &got));
        assert_int_equal(got, want);
    }
    assert_true(csv_time(STR("2014-04-01"), &got));
    assert_int_equal(got, want - (12 * 60 + 30) * 60 * NS_PER_S);
    assert_false(csv_time(STR("yesterday"), &got));
    assert_false(csv_time(STR(""), &got));
    assert_false(csv_time(STR("2014-13-01 00:00:00"), &got));
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
        csv_value(str_of(cases[i].cell), cases[i].as_text, &b);
        buf_byte(&b, 0);
        assert_string_equal(b.p, cases[i].want);
        buf_free(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records), cmocka_unit_test(test_separator_guess), cmocka_unit_test(test_broken),
        cmocka_unit_test(test_columns), cmocka_unit_test(test_times),           cmocka_unit_test(test_values),
    };
    arena_init(&arena, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
