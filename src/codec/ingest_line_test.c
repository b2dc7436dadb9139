// SPDX-License-Identifier: Apache-2.0
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include "base/rng.h"
#include "base/time.h"
#include "codec/ingest_line.h"

static Arena arena;

static IngestLine ok(const char *text) {
    IngestLine l;
    Diag d;
    diag_init(&d);
    Err e = ingest_line_parse(str_of(text), &arena, &l, &d);
    if (e != ERR_OK) fail_msg("%s: %.*s", text, STR_ARG(d.messages[0].text));
    return l;
}

static void reads_a_line(void **state) {
    (void)state;
    const char *text = "{\"id\":\"pump-1\",\"property\":\"speed\",\"value\":21.5,\"time\":\"2026-11-22T08:00:00.25Z\"}";
    IngestLine l = ok(text);
    assert_true(str_eq(l.id, STR("pump-1")));
    assert_true(l.id.p > text && l.id.p < text + 20); // borrowed
    assert_true(str_eq(l.property, STR("speed")));
    assert_int_equal(l.value.type, JSON_DOUBLE);
    assert_true(l.value.d == 21.5);
    assert_true(str_eq(l.value_text, STR("21.5")));
    assert_true(l.has_time);
    assert_true(l.time_ns == INT64_C(1795334400250000000));
    assert_int_equal(arena.used, 0);
}

static void takes_members_in_any_order_and_ignores_others(void **state) {
    (void)state;
    IngestLine l = ok(" { \"x\" : [1,{\"id\":\"no\"}], \"value\" : {\"a\":[1, 2]} ,\"unit\":null, \"property\":\"p\", "
                      "\"id\":\"\\u00e4\", \"\":1 } ");
    assert_true(str_eq(l.id, STR("\xC3\xA4")));
    assert_int_equal(l.value.type, JSON_OBJECT);
    assert_true(str_eq(l.value_text, STR("{\"a\":[1, 2]}")));
    assert_true(str_eq(l.value.raw, l.value_text));
    assert_false(l.has_time);
    l = ok("{\"\\u0069d\":\"a\",\"pr\\u006fperty\":\"b\",\"valu\\u0065\":true}");
    assert_true(str_eq(l.id, STR("a")) && str_eq(l.property, STR("b")) && l.value.type == JSON_TRUE);
}

static void takes_values_of_every_type(void **state) {
    (void)state;
    static const struct {
        const char *text;
        JsonType type;
    } rows[] = {{"null", JSON_NULL},         {"false", JSON_FALSE}, {"-7", JSON_INT},         {"1e3", JSON_DOUBLE},
                {"\"a\\\"b\"", JSON_STRING}, {"[]", JSON_ARRAY},    {"[[1],{}]", JSON_ARRAY}, {"{}", JSON_OBJECT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[100];
        snprintf(line, sizeof line, "{\"id\":\"a\",\"property\":\"b\",\"value\":%s}", rows[i].text);
        IngestLine l = ok(line);
        assert_int_equal(l.value.type, rows[i].type);
        assert_true(str_eq(l.value_text, str_of(rows[i].text)));
    }
    assert_true(str_eq(ok("{\"id\":\"a\",\"property\":\"b\",\"value\":\"x\"}").value.raw, STR("x")));
}

static void takes_time_as_text_or_milliseconds(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {{"\"1970-01-01T00:00:00Z\"", 0},
                {"0", 0},
                {"1795334400250", INT64_C(1795334400250000000)},
                {"-1", -1000000},
                {"\"2026-11-22T10:00:00.25+02:00\"", INT64_C(1795334400250000000)},
                {"\"1970-01-01\\u005400:00:01Z\"", 1000000000}};
    char line[120];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(line, sizeof line, "{\"id\":\"a\",\"property\":\"b\",\"value\":1,\"time\":%s}", rows[i].text);
        IngestLine l = ok(line);
        assert_true(l.has_time);
        assert_true(l.time_ns == rows[i].ns);
    }
    assert_false(ok("{\"id\":\"a\",\"property\":\"b\",\"value\":1,\"time\":null}").has_time);
}

static void complains_with_the_place(void **state) {
    (void)state;
    static const struct {
        const char *line;
        Err err;
        int64_t at;
        const char *text;
    } rows[] = {
        {"", ERR_SYNTAX, 0, "column 1: an object is expected"},
        {"[1]", ERR_SYNTAX, 0, "column 1: an object is expected"},
        {"{\"id\":\"a\"", ERR_SYNTAX, 9, "column 10: ',' or '}' is expected"},
        {"{\"id\":\"a\",\"property\":\"b\",\"value\":1} x", ERR_SYNTAX, 36, "column 37: nothing may follow the value"},
        {"{\"property\":\"b\",\"value\":1}", ERR_ARGUMENT, 0, "\"id\" is missing"},
        {"{\"id\":\"a\",\"value\":1}", ERR_ARGUMENT, 0, "\"property\" is missing"},
        {"{\"id\":\"a\",\"property\":\"b\"}", ERR_ARGUMENT, 0, "\"value\" is missing"},
        {"{\"id\":1}", ERR_ARGUMENT, 6, "\"id\" must be a string"},
        {"{\"id\":\"\"}", ERR_ARGUMENT, 6, "\"id\" must not be empty"},
        {"{\"property\":{}}", ERR_ARGUMENT, 12, "\"property\" must be a string"},
        {"{\"id\":\"a\",\"id\":\"b\"}", ERR_ARGUMENT, 10, "\"id\" occurs twice"},
        {"{\"time\":1.5}", ERR_ARGUMENT, 8, "\"time\" must be RFC 3339 text or whole milliseconds since 1970"},
        {"{\"time\":[]}", ERR_ARGUMENT, 8, "\"time\" must be RFC 3339 text or whole milliseconds since 1970"},
        {"{\"time\":9223372036854775807}", ERR_ARGUMENT, 8,
         "\"time\" is too far from 1970 (milliseconds are expected)"},
        {"{\"time\":\"2026-02-30T00:00:00Z\"}", ERR_ARGUMENT, 8,
         "\"time\" is not an RFC 3339 date and time with zone, years 1678 to 2261"},
        {"{\"x\":[1,]}", ERR_SYNTAX, 8, "column 9: a value is expected"},
        {"{\"value\":[tru]}", ERR_SYNTAX, 10, "column 11: a value is expected; words are true, false and null"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        IngestLine l = {.time_ns = 77};
        Diag d;
        diag_init(&d);
        assert_int_equal(ingest_line_parse(str_of(rows[i].line), &arena, &l, &d), rows[i].err);
        assert_int_equal(d.count, 1);
        char text[200];
        snprintf(text, sizeof text, "%.*s", STR_ARG(d.messages[0].text));
        assert_string_equal(text, rows[i].text);
        assert_int_equal(d.messages[0].at, rows[i].at);
        assert_int_equal(l.time_ns, 77); // untouched
        diag_free(&d);
        assert_int_equal(ingest_line_parse(str_of(rows[i].line), &arena, &l, NULL), rows[i].err);
    }
}

// Against the DOM: a random line means the same to both.
static void agrees_with_the_dom(void **state) {
    (void)state;
    static const char *const members[] = {
        "\"id\":\"a\"",
        "\"id\":\"b\\tc\"",
        "\"property\":\"p\"",
        "\"value\":[1,2]",
        "\"value\":-0.5e-3",
        "\"value\":\"x\"",
        "\"time\":1000",
        "\"time\":\"2020-01-01T00:00:00Z\"",
        "\"other\":{\"id\":1}",
        "\"id\":7",
        "\"property\":\"q\\u0041\"",
        "\"value\":null",
    };
    Rng r = rng_make(17, 0);
    Buf text = {0};
    int good = 0;
    for (int round = 0; round < 30000; round++) {
        buf_reset(&text);
        arena_reset(&arena);
        for (uint64_t n = 1 + rng_below(&r, 5), i = 0; i < n; i++) {
            buf_printf(&text, "%s%s", i ? " , " : "{", members[rng_below(&r, sizeof members / sizeof *members)]);
        }
        buf_byte(&text, '}');
        Json v;
        IngestLine l;
        assert_int_equal(json_parse(buf_str(&text), NULL, &arena, &v, NULL), ERR_OK);
        const Json *id = json_get(&v, STR("id")), *property = json_get(&v, STR("property")),
                   *value = json_get(&v, STR("value"));
        bool repeated = false;
        for (int32_t i = 0; i < v.count; i++) {
            for (int32_t k = 0; k < i; k++) {
                repeated |= str_eq(v.members[i].key, v.members[k].key) && !str_eq(v.members[i].key, STR("other"));
            }
        }
        bool fine = !repeated && value && id && id->type == JSON_STRING && property;
        Err e = ingest_line_parse(buf_str(&text), &arena, &l, NULL);
        assert_int_equal(e, fine ? ERR_OK : ERR_ARGUMENT);
        if (!fine) continue;
        good++;
        assert_true(str_eq(l.id, id->s) && str_eq(l.property, property->s) && str_eq(l.value_text, value->raw));
        assert_int_equal(l.value.type, value->type);
        assert_int_equal(l.has_time, json_get(&v, STR("time")) != NULL);
    }
    assert_true(good > 500);
    buf_free(&text);
}

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_members_in_any_order_and_ignores_others, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_values_of_every_type, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_time_as_text_or_milliseconds, setup, teardown),
        cmocka_unit_test_setup_teardown(complains_with_the_place, setup, teardown),
        cmocka_unit_test_setup_teardown(agrees_with_the_dom, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
