// SPDX-License-Identifier: Apache-2.0
// Values of every shape, at and just past their borders. Rules: DTDL, section on values; formats: RFC 3339, ISO 8601,
// RFC 4648, RFC 9562.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "model/dtmi.h"
#include "model/meta.h"
#include "model/text.h"

// "+text" is taken, "-text" is refused.
static void judge(const char *const *cases, bool (*ok)(Str)) {
    for (; *cases; cases++)
        if (ok(str_of(*cases + 1)) != (**cases == '+')) fail_msg("%s", *cases);
}

static void test_dates(void **state) {
    (void)state;
    static const char *const DATES[] = {"+2024-02-29", "-2023-02-29",  "+2000-02-29", "-1900-02-29",
                                        "+0001-01-01", "-0000-01-01",  "+9999-12-31", "-2024-13-01",
                                        "-2024-00-01", "-2024-04-31",  "-2024-01-00", "-24-01-01",
                                        "-2024-1-01",  "-2024-01-01Z", "-",           NULL};
    static const char *const TIMES[] = {"+00:00:00Z",       "+23:59:59.999999999Z", "-24:00:00Z", "-23:60:00Z",
                                        "-23:59:60Z",       "+08:30:00+02:00",      "-08:30:00",  "-08:30Z",
                                        "-08:30:00.Z",      "-08:30:00+2:00",       "-8:30:00Z",  "-08:30:00z",
                                        "-08:30:00+02:00x", "-08:30:00+24:00",      NULL};
    static const char *const BOTH[] = {"+2024-02-29T08:30:00Z",
                                       "-2024-02-29 08:30:00Z",
                                       "-2024-02-30T08:30:00Z",
                                       "-2024-02-29T",
                                       "-2024-02-29",
                                       "-T08:30:00Z",
                                       NULL};
    judge(DATES, date_ok);
    judge(TIMES, time_of_day_ok);
    judge(BOTH, date_time_ok);
}

static void test_durations(void **state) {
    (void)state;
    static const char *const CASES[] = {"+P1Y2M3DT4H5M6.7S",
                                        "+P2W",
                                        "+PT0S",
                                        "+P1D",
                                        "+PT1.5H",
                                        "+P0.5Y",
                                        "-P",
                                        "-PT",
                                        "-P1DT",
                                        "-1D",
                                        "-P1",
                                        "-P1H",
                                        "-PT1D",
                                        "-P1M1Y",
                                        "-PT1S1M",
                                        "-P1.5DT1H",
                                        "-P1Y1W",
                                        "-PT1.S",
                                        "-PT.5S",
                                        "+P1W1D",
                                        "-P1D1D",
                                        "-P1DT1H ",
                                        NULL};
    judge(CASES, duration_ok);
}

static void test_texts(void **state) {
    (void)state;
    static const char *const DECIMALS[] = {"+0",  "+-1.50", "+12.",  "++3", "-", "-.5",
                                           "-01", "-1e3",   "-1.5x", "--",  NULL};
    static const char *const UUIDS[] = {"+6ba7b810-9dad-11d1-80B4-00c04fd430c8", "-6ba7b8109dad11d180b400c04fd430c8",
                                        "-6ba7b810-9dad-11d1-80b4-00c04fd430cg", "-", NULL};
    static const char *const BASE64[] = {"+",     "+QQ==", "+QUI=", "+QUJD", "-QUJ",
                                         "-Q===", "-QU=D", "-QU-_", "-====", NULL};
    judge(DECIMALS, decimal_ok);
    judge(UUIDS, uuid_ok);
    judge(BASE64, base64_ok);
}

static void test_names(void **state) {
    (void)state;
    static const char *const NAMES[] = {"+a", "+A_9", "-", "-9a", "-a_", "-_a", "-a-b", "-a b", "-\xC3\xA4", NULL};
    static const char *const LANGS[] = {"+en",    "+en-US", "+zh-Hans-CN", "+es-419", "+sr-Latn", "-e", "-EN",
                                        "-en-us", "-en_US", "-en-",        "-abcde",  "-en-12",   NULL};
    static const char *const TOPICS[] = {"+a/b",    "+a/{modelId}/{ex:x}",
                                         "-",       "-/a",
                                         "-a/",     "-$a/b",
                                         "+a/$b",   "-a/{}",
                                         "-a/{x:}", "-a/{:x}",
                                         "-a b",    "-a/#",
                                         "-a/{x1}", NULL};
    judge(NAMES, dtdl_name_ok);
    judge(LANGS, lang_ok);
    judge(TOPICS, mqtt_topic_ok);
}

static void test_ids(void **state) {
    (void)state;
    static const struct {
        const char *id;
        bool v2, v3;
    } CASES[] = {{"dtmi:a;1", true, true},          {"dtmi:a:b_c:D;999999999", true, true},
                 {"dtmi:a", false, true},           {"dtmi:a;1.2", false, true},
                 {"dtmi:a;0", false, false},        {"dtmi:a;1234567890", false, false},
                 {"dtmi:a;01", false, false},       {"dtmi:a;1.0", false, false},
                 {"dtmi:a;", false, false},         {"dtmi:;1", false, false},
                 {"dtmi:a::b;1", false, false},     {"dtmi:a_;1", false, false},
                 {"dtmi:_a;1", false, false},       {"dtmi:a#f;1", false, false},
                 {"dtmi:a;1#f", false, false},      {"DTMI:a;1", false, false},
                 {"dtmi:a:1b;1", false, false},     {"", false, false},
                 {"dtmi:a;1.1234567", false, false}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        if (dtmi_ok(str_of(CASES[i].id), 2) != CASES[i].v2) fail_msg("v2: %s", CASES[i].id);
        if (dtmi_ok(str_of(CASES[i].id), 3) != CASES[i].v3) fail_msg("v3: %s", CASES[i].id);
    }
    Dtmi d;
    assert_true(dtmi_parse(STR("dtmi:a:_b:__c;12.34#_frag"), &d));
    assert_true(d.system && d.major == 12 && d.minor == 34 && d.labels == 3 && str_eq(d.fragment, STR("_frag")));
    assert_true(str_eq(d.path, STR("dtmi:a:_b:__c")));
}

static Err check(const char *type, const char *json) {
    Arena a;
    Json v;
    arena_init(&a, 0);
    Err e = json_parse(str_of(json), NULL, &a, &v, NULL);
    if (e == ERR_OK) e = type_check(meta_find_builtin(str_of(type), 4, false)->type, &v, STR(""), NULL);
    arena_free(&a);
    return e;
}

// Borders of the numeric shapes; the text form agrees with the JSON form.
static void test_numbers(void **state) {
    (void)state;
    static const struct {
        const char *type, *min, *max, *below, *above;
    } CASES[] = {
        {"byte", "-128", "127", "-129", "128"},
        {"short", "-32768", "32767", "-32769", "32768"},
        {"integer", "-2147483648", "2147483647", "-2147483649", "2147483648"},
        {"long", "-9223372036854775808", "9223372036854775807", "-9223372036854775809", "9223372036854775808"},
        {"unsignedByte", "0", "255", "-1", "256"},
        {"unsignedShort", "0", "65535", "-0", "65536"},
        {"unsignedInteger", "0", "4294967295", "-1", "4294967296"},
        {"unsignedLong", "0", "18446744073709551615", "-1", "18446744073709551616"},
        {"float", "-3.4e38", "3.4e38", "-3.5e38", "3.5e38"},
        {"double", "-1.7e308", "1.7e308", "-1.8e308", "1.8e308"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const Type *t = meta_find_builtin(str_of(CASES[i].type), 4, false)->type;
        assert_int_equal(check(CASES[i].type, CASES[i].min), ERR_OK);
        assert_int_equal(check(CASES[i].type, CASES[i].max), ERR_OK);
        assert_int_not_equal(check(CASES[i].type, CASES[i].below), ERR_OK);
        assert_int_not_equal(check(CASES[i].type, CASES[i].above), ERR_OK);
        assert_int_equal(type_check_text(t, str_of(CASES[i].min), STR(""), NULL), ERR_OK);
        assert_int_equal(type_check_text(t, str_of(CASES[i].max), STR(""), NULL), ERR_OK);
        assert_int_equal(type_check_text(t, str_of(CASES[i].below), STR(""), NULL), ERR_VALIDATION);
        assert_int_equal(type_check_text(t, str_of(CASES[i].above), STR(""), NULL), ERR_VALIDATION);
    }
    assert_int_equal(check("double", "5"), ERR_OK);
    assert_int_equal(check("long", "1e3"), ERR_VALIDATION);
}

static void test_geometry(void **state) {
    (void)state;
    assert_int_equal(check("point", "{\"type\":\"Point\",\"coordinates\":[11.5,48.1]}"), ERR_OK);
    assert_int_equal(check("point", "{\"type\":\"Point\",\"coordinates\":[11.5,48.1,520]}"), ERR_OK);
    assert_int_equal(check("point", "{\"type\":\"Polygon\",\"coordinates\":[11.5,48.1]}"), ERR_VALIDATION);
    assert_int_equal(check("point", "{\"type\":\"Point\",\"coordinates\":[[11.5,48.1]]}"), ERR_VALIDATION);
    assert_int_equal(check("point", "{\"type\":\"Point\",\"coordinates\":[11.5,\"x\"]}"), ERR_VALIDATION);
    assert_int_equal(check("point", "{\"lat\":1,\"lon\":2}"), ERR_VALIDATION);
    assert_int_equal(check("polygon", "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,0],[1,1],[0,0]]]}"), ERR_OK);
    assert_int_equal(check("polygon", "{\"type\":\"Polygon\",\"coordinates\":[[0,0],[1,0]]}"), ERR_VALIDATION);
    assert_int_equal(check("multiPolygon", "{\"type\":\"MultiPolygon\",\"coordinates\":[[[[0,0],[1,0],[0,0]]]]}"),
                     ERR_OK);
    assert_int_equal(check("scaledDecimal", "{\"scale\":2,\"value\":\"1.5\"}"), ERR_OK);
    assert_int_equal(check("scaledDecimal", "{\"scale\":2,\"value\":1.5}"), ERR_VALIDATION);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates),    cmocka_unit_test(test_durations), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_names),    cmocka_unit_test(test_ids),       cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_geometry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
