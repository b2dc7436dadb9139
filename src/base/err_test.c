// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/err.h"

// Each row of err.def is one that a client and a person can use.
static void every_row_makes_sense(void **state) {
    (void)state;
    for (int e = 0; e < SOSIA_ERR_COUNT; e++) {
        Err err = (Err)e;
        assert_true(strlen(err_name(err)) > 0 && strlen(err_text(err)) > 0);
        assert_int_equal(strlen(err_wire(err)) == 0, err == ERR_OK);
        int http = err_http(err), leave = err_exit(err);
        if (err == ERR_OK) {
            assert_int_equal(http, 200);
            assert_int_equal(leave, 0);
            continue;
        }
        assert_in_range(http, 400, 599);
        assert_in_range(leave, 3, 10); // 1 and 2 belong to the command line itself
        assert_int_equal(leave == 3, http == 404);
        for (int other = 0; other < e; other++) assert_string_not_equal(err_name(err), err_name((Err)other));
    }
    assert_string_equal(err_name(ERR_TWIN_NOT_FOUND), "TWIN_NOT_FOUND");
    assert_string_equal(err_wire(ERR_TWIN_NOT_FOUND), "DigitalTwinNotFound");
}

static Err fails(bool fail) { return fail ? ERR_LIMIT : ERR_OK; }

static Err tries(bool fail, int *passed) {
    TRY(fails(fail));
    (*passed)++;
    return ERR_OK;
}

static void try_passes_errors_up(void **state) {
    (void)state;
    int passed = 0;
    assert_int_equal(tries(true, &passed), ERR_LIMIT);
    assert_int_equal(tries(false, &passed), ERR_OK);
    assert_int_equal(passed, 1);
}

static void diag_collects_and_prints(void **state) {
    (void)state;
    Diag d;
    diag_init(&d);
    char where[] = "pump1";
    assert_int_equal(diag_add(&d, ERR_VALIDATION, 3, 9, (Str){where, 5}, "%s is no %s", "'x'", "double"),
                     ERR_VALIDATION);
    where[0] = '?'; // the message owns its copy
    (void)diag_add(&d, ERR_LIMIT, -1, -1, (Str){0}, "too many");
    assert_int_equal(d.code, ERR_VALIDATION); // the first one decides
    assert_int_equal(d.messages[0].at, 3);
    assert_int_equal(d.messages[0].end, 9);
    Buf out = {0};
    diag_print(&d, &out);
    assert_true(str_eq(buf_str(&out), STR("pump1: 'x' is no double\ntoo many")));
    buf_free(&out);
    diag_free(&d);
    assert_int_equal(d.code, ERR_OK);
    assert_int_equal(d.total, 0);
    assert_int_equal(diag_add(NULL, ERR_IO, 0, 0, (Str){0}, "nobody listens"), ERR_IO);
}

static void diag_is_bounded(void **state) {
    (void)state;
    Diag d;
    diag_init(&d);
    for (int i = 0; i < DIAG_MESSAGES_MAX + 7; i++) (void)diag_add(&d, ERR_SYNTAX, i, i, (Str){0}, "%05000d", i);
    assert_int_equal(d.count, DIAG_MESSAGES_MAX);
    assert_int_equal(d.total, DIAG_MESSAGES_MAX + 7);
    assert_in_range(d.messages[0].text.n, 1, 2047); // a long message is cut
    Buf out = {0};
    diag_print(&d, &out);
    assert_true(str_ends(buf_str(&out), STR("\n(and 7 more)")));
    buf_free(&out);
    diag_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_makes_sense),
        cmocka_unit_test(try_passes_errors_up),
        cmocka_unit_test(diag_collects_and_prints),
        cmocka_unit_test(diag_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
