// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/time.h"
#include "cli/text.h"

static void assert_text(Buf *b, const char *want) {
    buf_byte(b, 0);
    assert_string_equal(b->p, want);
    buf_free(b);
}

static void test_width(void **state) {
    (void)state;
    assert_int_equal(text_width(STR("")), 0);
    assert_int_equal(text_width(STR("pump")), 4);
    assert_int_equal(text_width(STR("21.5 °C")), 7);
    assert_int_equal(text_width(STR("e\xCC\x81")), 1); // e + combining acute
    assert_int_equal(text_width(STR("冷库")), 4);
    assert_int_equal(text_width(STR("🚚")), 2);
    assert_int_equal(text_width(STR("\xFF\xFE")), 2); // two broken bytes, two U+FFFD
}

static void test_clean_disarms_terminals(void **state) {
    (void)state;
    Buf b = {0};
    text_clean(STR("a\x1b[31mb\nc\td\x7f\xC2\x9B\xFF°"), &b);
    assert_text(&b, "a\\x1b[31mb\\nc\\td\\x7f\\x9b\xEF\xBF\xBD°");
}

static void test_fit(void **state) {
    (void)state;
    Buf b = {0};
    text_fit(STR("filler"), 6, &b);
    assert_text(&b, "filler");
    text_fit(STR("filler"), 4, &b);
    assert_text(&b, "fil…");
    text_fit(STR("冷库门"), 4, &b); // the second wide character does not fit beside the dots
    assert_text(&b, "冷… ");
    text_fit(STR("abc"), 0, &b);
    assert_text(&b, "");
}

static void test_ages(void **state) {
    (void)state;
    static const struct {
        int64_t s;
        const char *want;
    } cases[] = {{0, "now"},    {1, "1 s"},       {119, "119 s"},  {120, "2 min"}, {7199, "119 min"},
                 {7200, "2 h"}, {172799, "47 h"}, {172800, "2 d"}, {-3, "in 3 s"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Buf b = {0};
        text_age(cases[i].s * NS_PER_S, &b);
        assert_text(&b, cases[i].want);
    }
}

static void test_numbers(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *want;
    } cases[] = {{0, "0"},          {7, "7"},          {7.25, "7.2"},       {950, "950"},       {999.6, "1.00 k"},
                 {12345, "12.3 k"}, {123456, "123 k"}, {4561234, "4.56 M"}, {-1500, "-1.50 k"}, {1e13, "10.0 T"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Buf b = {0};
        text_short(cases[i].v, &b);
        assert_text(&b, cases[i].want);
    }
    Buf b = {0};
    text_count(1234567, &b);
    assert_text(&b, "1 234 567");
    text_count(-999, &b);
    assert_text(&b, "-999");
    text_count(-1000, &b);
    assert_text(&b, "-1 000");
    text_clock(7 * NS_PER_S, &b);
    assert_text(&b, "0:07");
    text_clock(3723 * NS_PER_S, &b);
    assert_text(&b, "1:02:03");
}

static const Column columns[] = {{"Twin", false, true}, {"Value", true, false}, {"Unit", false, false}};

static void fill(Table *t) {
    table_init(t, columns, 3);
    table_put(t, STYLE_PLAIN, STR("cold-room-1"));
    table_printf(t, STYLE_RED, "%.1f", 4.5);
    table_put(t, STYLE_DIM, STR("°C"));
    table_put(t, STYLE_PLAIN, STR("冷库"));
    table_printf(t, STYLE_PLAIN, "%d", 120);
    table_put(t, STYLE_PLAIN, STR(""));
}

static void test_table_aligns(void **state) {
    (void)state;
    Table t;
    fill(&t);
    Buf b = {0};
    assert_int_equal(table_rows(&t), 2);
    table_print(&t, &(TablePrint){0}, &b);
    assert_text(&b, "Twin         Value  Unit\n"
                    "───────────  ─────  ────\n"
                    "cold-room-1    4.5  °C\n"
                    "冷库           120\n");
    table_free(&t);
}

static void test_table_cuts_flexible_columns(void **state) {
    (void)state;
    Table t;
    fill(&t);
    Buf b = {0};
    assert_true(table_fits(&t, 21)); // 8 + 5 + 4 and two gaps
    assert_false(table_fits(&t, 20));
    table_print(&t, &(TablePrint){.width = 22, .no_header = true, .first = 0, .rows = 1}, &b);
    assert_text(&b, "cold-roo…    4.5  °C\n");
    table_free(&t);
}

static void test_table_colours(void **state) {
    (void)state;
    Table t;
    fill(&t);
    Buf b = {0};
    table_print(&t, &(TablePrint){.colour = true, .no_header = true, .rows = 1}, &b);
    assert_text(&b, "cold-room-1    \x1b[31m4.5\x1b[0m  \x1b[2m°C\x1b[0m\n");
    table_reset(&t);
    assert_int_equal(table_rows(&t), 0);
    table_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_clean_disarms_terminals),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_table_aligns),
        cmocka_unit_test(test_table_cuts_flexible_columns),
        cmocka_unit_test(test_table_colours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
