// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"

typedef struct Seen {
    int count;
    LogId id;
    LogLevel level;
    char name[32], text[1100];
} Seen;

static void keep(void *ctx, LogId id, LogLevel level, const char *name, const char *text) {
    Seen *s = ctx;
    s->count++;
    s->id = id;
    s->level = level;
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(s->text, sizeof s->text, "%s", text);
}

static void events_reach_the_sink(void **state) {
    (void)state;
    Seen s = {0};
    log_set_sink(keep, &s, LOG_INFO);
    LOG(LISTEN, "127.0.0.1:8080");
    assert_int_equal(s.count, 1);
    assert_true(s.id == LOG_ID_LISTEN && s.level == LOG_INFO);
    assert_string_equal(s.name, "LISTEN");
    assert_string_equal(s.text, "listening on 127.0.0.1:8080");
    LOG(REQUEST, "GET", "/", 200, 1.0); // debug: below the level asked for
    assert_int_equal(s.count, 1);
    log_set_sink(NULL, NULL, LOG_DEBUG);
    LOG(LISTEN, "nobody");
    assert_int_equal(s.count, 1);
}

static void a_long_event_is_cut(void **state) {
    (void)state;
    Seen s = {0};
    char longer[3000];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    log_set_sink(keep, &s, LOG_DEBUG);
    LOG(LISTEN, longer);
    assert_int_equal(strlen(s.text), 1023);
    log_set_sink(NULL, NULL, LOG_DEBUG);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(events_reach_the_sink), cmocka_unit_test(a_long_event_is_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
