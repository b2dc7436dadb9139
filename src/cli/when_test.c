// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/time.h"
#include "cli/when.h"

static void takes_what_people_type(void **state) {
    (void)state;
    static const struct {
        const char *zone, *text, *is;
    } rows[] = {
        {"UTC", "2026-11-22T08:00:00+02:00", "2026-11-22T06:00:00Z"},
        {"UTC", "-90m", "2026-11-22T10:30:00Z"},
        {"UTC", "today", "2026-11-22T00:00:00Z"},
        {"UTC", "yesterday 14:00", "2026-11-21T14:00:00Z"},
        {"UTC", "Yesterday 7:05:09", "2026-11-21T07:05:09Z"},
        {"Europe/Berlin", "today 14:00", "2026-11-22T13:00:00Z"},
        {"Europe/Berlin", "yesterday", "2026-11-20T23:00:00Z"},
        {"Europe/Berlin", "2026-11-01", "2026-11-01T00:00:00Z"},
        {"XST+5XDT,M11.3.6/20,M12.1.0", "yesterday 19:00", "2026-11-22T00:00:00Z"}, // before clocks were changed
        {"XST+5XDT,M11.3.6/20,M12.1.0", "yesterday 22:00", "2026-11-22T02:00:00Z"}, // after it
    };
    int64_t now = 0;
    assert_true(time_parse(STR("2026-11-22T12:00:00Z"), &now));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t at = 0;
        Buf b = {0};
        setenv("TZ", rows[i].zone, 1);
        tzset();
        if (!when_parse(str_of(rows[i].text), now, &at)) fail_msg("refused: %s", rows[i].text);
        time_print(at, 0, &b);
        if (!str_eq(buf_str(&b), str_of(rows[i].is))) fail_msg("%s: %.*s", rows[i].text, STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
}

static void refuses_the_rest(void **state) {
    (void)state;
    static const char *const bad[] = {"",           "tomorrow",          "today 25:00", "today 14",
                                      "today 14:0", "yesterday 1:2:3:4", "yesterdays",  "today -1:00",
                                      "08:00",      "today 10:60"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t at = 77;
        if (when_parse(str_of(bad[i]), 0, &at)) fail_msg("taken: %s", bad[i]);
        assert_true(at == 77);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_people_type),
        cmocka_unit_test(refuses_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
