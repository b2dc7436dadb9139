// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "base/time.h"

static void parses_and_prints(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
        const char *printed; // with 9 digits
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000000000Z"},
        {"2000-02-29T23:59:59.5Z", 951868799500000000, "2000-02-29T23:59:59.500000000Z"},
        {"2026-11-22T09:00:00.123456789+01:00", 1795334400123456789, "2026-11-22T08:00:00.123456789Z"},
        {"2026-11-22t09:00:00.1234567899z", 1795338000123456789, "2026-11-22T09:00:00.123456789Z"},
        {"1969-12-31 23:59:59.999999999Z", -1, "1969-12-31T23:59:59.999999999Z"},
        {"1678-01-01T00:00:00Z", -9214560000000000000, "1678-01-01T00:00:00.000000000Z"},
        {"2261-12-31T23:59:59Z", 9214646399000000000, "2261-12-31T23:59:59.000000000Z"},
        {"2024-01-01T00:00:00-23:59", 1704153540000000000, "2024-01-01T23:59:00.000000000Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ns = 0;
        assert_true(time_parse(str_of(rows[i].text), &ns));
        assert_true(ns == rows[i].ns);
        Buf b = {0};
        time_print(ns, 9, &b);
        assert_true(str_eq(buf_str(&b), str_of(rows[i].printed)));
        buf_free(&b);
    }
}

static void refuses_what_is_no_time(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-22",
        "2026-11-22T08:00:00",
        "2026-11-22T08:00Z",
        "2026-11-22T08:00:00.Z",
        "2026-11-22T08:00:00Zx",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00+01",
        "1677-12-31T00:00:00Z",
        "2262-01-01T00:00:00Z",
        "+026-01-01T00:00:00Z",
        "2026-01-01X00:00:00Z",
        " 2026-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ns = 77;
        if (time_parse(str_of(bad[i]), &ns)) fail_msg("taken: %s", bad[i]);
        assert_true(ns == 77);
    }
}

static void people_may_be_short(void **state) {
    (void)state;
    const int64_t now = 1795334400123456789;
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {
        {"2026-11-22T08:00:00.123456789Z", 1795334400123456789},
        {"2026-11-22T09:00:00+01:00", 1795334400000000000},
        {"2026-11-22T08:00Z", 1795334400000000000},
        {"2026-11-22T09:00+01:00", 1795334400000000000},
        {"2026-11-22", 1795305600000000000},
        {"now", 1795334400123456789},
        {"-1h", 1795330800123456789},
        {"-30m", 1795332600123456789},
        {"-0s", 1795334400123456789},
        {"-250ms", 1795334399873456789},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ns = 0;
        if (!time_parse_when(str_of(rows[i].text), now, &ns) || ns != rows[i].ns) fail_msg("not: %s", rows[i].text);
    }
    static const char *const bad[] = {"",
                                      "-",
                                      "1h",
                                      "-1",
                                      "-1x",
                                      "-99999999999d",
                                      "2026",
                                      "08:00",
                                      "2026-11-1",
                                      "2026-11-31",
                                      "live",
                                      "2026-11-22T08:00",
                                      "- 1h",
                                      "--1h",
                                      "yesterday",
                                      "2026-11-22T08:00:0Z",
                                      "2026-11-22T08:00.5Z",
                                      "2026-11-22T08:00:00+0100"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ns = 77;
        if (time_parse_when(str_of(bad[i]), now, &ns)) fail_msg("taken: %s", bad[i]);
        assert_true(ns == 77);
    }
}

static void random_instants_come_back(void **state) {
    (void)state;
    Rng r = rng_make(11, 0);
    for (int i = 0; i < 20000; i++) {
        int64_t ns = (int64_t)(rng_below(&r, 18400000000000000000u) - 9200000000000000000u), back;
        Buf b = {0};
        time_print(ns, 9, &b);
        assert_true(time_parse(buf_str(&b), &back));
        assert_true(back == ns);
        buf_reset(&b);
        time_print(ns, 3, &b); // truncated towards the past
        assert_int_equal(b.n, 24);
        assert_true(time_parse(buf_str(&b), &back));
        assert_in_range(ns - back, 0, NS_PER_MS - 1);
        buf_reset(&b);
        time_print(ns, 0, &b);
        assert_int_equal(b.n, 20);
        buf_free(&b);
    }
}

// Every day of 800 years follows the one before; 400 years have 146,097 days.
static void calendar_counts_days(void **state) {
    (void)state;
    int32_t y, m, d, before_y = 1799, before_m = 12, before_d = 31;
    for (int64_t day = time_days(1800, 1, 1); day < time_days(2600, 1, 1); day++) {
        time_civil(day, &y, &m, &d);
        assert_true(time_days(y, m, d) == day);
        bool next_day = y == before_y && m == before_m && d == before_d + 1;
        bool next_month = y == before_y && m == before_m + 1 && d == 1 && before_d >= 28;
        bool next_year = y == before_y + 1 && m == 1 && d == 1 && before_m == 12 && before_d == 31;
        assert_true(next_day || next_month || next_year);
        before_y = y, before_m = m, before_d = d;
    }
    assert_int_equal(time_days(2400, 1, 1) - time_days(2000, 1, 1), 146097);
    assert_int_equal(time_days(1970, 1, 1), 0);
}

static void durations(void **state) {
    (void)state;
    int64_t ns = 5;
    assert_true(time_parse_duration(STR("90s"), &ns) && ns == 90 * NS_PER_S);
    assert_true(time_parse_duration(STR("250ms"), &ns) && ns == 250 * NS_PER_MS);
    assert_true(time_parse_duration(STR("15m"), &ns) && ns == 900 * NS_PER_S);
    assert_true(time_parse_duration(STR("2d"), &ns) && ns == 172800 * NS_PER_S);
    assert_true(time_parse_duration(STR("7ns"), &ns) && ns == 7);
    assert_true(time_parse_duration(STR("2w"), &ns) && ns == 14 * 86400 * NS_PER_S);
    static const char *const bad[] = {"", "s", "5", "-1s", "1.5s", "1 s", "1y", "99999999999d", "1sx"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ns = 5;
        if (time_parse_duration(str_of(bad[i]), &ns)) fail_msg("taken: %s", bad[i]);
        assert_true(ns == 5);
    }
}

static void clocks_run(void **state) {
    (void)state;
    assert_true(time_now_ns() > 1700000000 * NS_PER_S);
    int64_t a = time_mono_ns();
    assert_true(time_mono_ns() >= a);
}

static void reads_periods(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {{"P30D", 30 * 86400},
                {"PT1M", 60},
                {"P2Y", 730 * 86400},
                {"P1M", 30 * 86400},
                {"P1Y6M2DT3H4M5S", (365 + 180 + 2) * 86400 + 3 * 3600 + 4 * 60 + 5},
                {"P2W", 14 * 86400},
                {"PT36H", 36 * 3600},
                {"PT0S", 0}};
    static const char *const bad[] = {"",
                                      "P",
                                      "PT",
                                      "30D",
                                      "P30",
                                      "PD",
                                      "P1DT",
                                      "P1D1Y",
                                      "PT1M1H",
                                      "P1H",
                                      "PT1D",
                                      "P-1D",
                                      "P1.5D",
                                      "p1d",
                                      "P1D ",
                                      "PT1.S",
                                      "P1S",
                                      "P1M1M",
                                      "PT1M1M",
                                      "P999999999999Y",
                                      "P99999999999999999999D",
                                      "P400Y"};
    int64_t ns = -1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(time_parse_period(str_of(rows[i].text), &ns));
        assert_int_equal(ns, rows[i].seconds * NS_PER_S);
    }
    assert_true(time_parse_period(STR("PT0.25S"), &ns));
    assert_int_equal(ns, NS_PER_S / 4);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(time_parse_period(str_of(bad[i]), &ns));
    assert_int_equal(ns, NS_PER_S / 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_periods),
        cmocka_unit_test(parses_and_prints),
        cmocka_unit_test(refuses_what_is_no_time),
        cmocka_unit_test(people_may_be_short),
        cmocka_unit_test(random_instants_come_back),
        cmocka_unit_test(calendar_counts_days),
        cmocka_unit_test(durations),
        cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
