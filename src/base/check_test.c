// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/check.h"

// Run fn in a child; returns its wait status and what it wrote to stderr.
static int in_child(void (*fn)(void), char *text, size_t size) {
    int end[2], status;
    assert_int_equal(pipe(end), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(end[1], 2);
        fn();
        _exit(0);
    }
    close(end[1]);
    ssize_t n, used = 0;
    while ((n = read(end[0], text + used, size - 1 - (size_t)used)) > 0) used += n;
    text[used] = 0;
    close(end[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void holds(void) { CHECK(1 + 1 == 2); }
static void breaks(void) { CHECK(1 + 1 == 3); }
static void overflows(void) {
    Arena a;
    arena_init(&a, 0);
    (void)arena_alloc(&a, INT64_MAX / 2, 3, 8);
}

static void a_broken_invariant_stops_the_process(void **state) {
    (void)state;
    char text[4096];
    assert_int_equal(in_child(holds, text, sizeof text), 0);
    int status = in_child(breaks, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "1 + 1 == 3"));
    assert_non_null(strstr(text, "check_test.c"));
    status = in_child(overflows, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_broken_invariant_stops_the_process)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
