// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "cli/hist.h"

static char folder[64];

static int setup(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/sosia-hist-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int teardown(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void collect(void *ctx, Str line) {
    buf_str_put(ctx, line);
    buf_byte(ctx, '|');
}

static void assert_loads(Str path, const char *want) {
    Buf b = {0};
    hist_load(path, collect, &b);
    buf_byte(&b, 0);
    assert_string_equal(b.p, want);
    buf_free(&b);
}

static void test_where_it_lives(void **state) {
    (void)state;
    Arena a;
    arena_init(&a, 0);
    setenv("HOME", "/people/me", 1);
    setenv("XDG_STATE_HOME", "/state", 1);
    assert_true(str_eq(hist_path(&a), STR("/state/sosia/query_history")));
    setenv("XDG_STATE_HOME", "relative", 1); // the specification says to ignore it
    assert_true(str_eq(hist_path(&a), STR("/people/me/.local/state/sosia/query_history")));
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_int_equal(hist_path(&a).n, 0);
    hist_add(hist_path(&a), STR("nowhere"));
    assert_loads(hist_path(&a), "");
    arena_free(&a);
}

static void test_lines_come_back(void **state) {
    (void)state;
    Arena a;
    struct stat st;
    arena_init(&a, 0);
    Str path = arena_printf(&a, "%s/deep/er/query_history", folder);
    assert_loads(path, "");
    hist_add(path, STR("SELECT 1"));
    hist_add(path, STR("SELECT 'é'"));
    hist_add(path, (Str){0});
    assert_loads(path, "SELECT 1|SELECT 'é'|");
    assert_int_equal(stat(path.p, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(arena_printf(&a, "%s/deep", folder).p, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    hist_add(path, (Str){"bad \xFF", 5});
    assert_loads(path, "SELECT 1|SELECT 'é'|");
    arena_free(&a);
}

static void test_it_does_not_grow_for_ever(void **state) {
    (void)state;
    Arena a;
    Buf b = {0};
    struct stat st;
    arena_init(&a, 0);
    Str path = arena_printf(&a, "%s/long", folder);
    for (int i = 0; i <= 2 * HIST_LINES_MAX; i++) hist_add(path, arena_printf(&a, "%06d", i));
    hist_load(path, collect, &b);
    assert_int_equal(b.n, 7 * HIST_LINES_MAX);
    assert_memory_equal(b.p, "001001|001002|", 14);
    assert_int_equal(stat(path.p, &st), 0);
    assert_int_equal(st.st_size, 7 * HIST_LINES_MAX);
    assert_int_equal(st.st_mode & 0777, 0600);
    buf_free(&b);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_it_lives),
        cmocka_unit_test(test_lines_come_back),
        cmocka_unit_test(test_it_does_not_grow_for_ever),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
