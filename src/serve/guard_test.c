// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "serve/guard.h"

static char file[] = "/tmp/sosia-guard-XXXXXX";

static void write_tokens(const char *text) {
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static Err ask(const Guard *g, GuardAsk a, int32_t *line) {
    const char *why = NULL;
    Err err = guard_check(g, &a, &why, line);
    assert_int_equal(err == ERR_OK, why == NULL);
    return err;
}

static void tokens_are_compared_whole(void **state) {
    (void)state;
    Guard g;
    memset(&g, 0, sizeof g);
    int32_t line = 0;
    write_tokens("# first\n\nalpha\n  beta \r\n#gamma\n");
    assert_int_equal(guard_load(&g, file, NULL), ERR_OK);
    assert_int_equal(ask(&g, (GuardAsk){.authorization = STR("Bearer alpha")}, &line), ERR_OK);
    assert_int_equal(line, 3);
    assert_int_equal(ask(&g, (GuardAsk){.authorization = STR("BEARER  beta")}, &line), ERR_OK);
    assert_int_equal(line, 4);
    const char *bad[] = {"",      "Bearer",        "Bearer ",     "Bearer alph", "Bearer alphaa", "Bearer ALPHA",
                         "alpha", "Bearer #gamma", "Bearer gamma"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ask(&g, (GuardAsk){.authorization = str_of(bad[i])}, &line), ERR_UNAUTHORIZED);
        assert_int_equal(line, 0);
    }
    write_tokens("delta");
    assert_int_equal(guard_load(&g, file, NULL), ERR_OK);
    assert_int_equal(ask(&g, (GuardAsk){.authorization = STR("Bearer alpha")}, &line), ERR_UNAUTHORIZED);
    assert_int_equal(ask(&g, (GuardAsk){.authorization = STR("Bearer delta")}, &line), ERR_OK);
    guard_free(&g);
}

// As clients of InfluxDB show theirs. "telegraf:alpha" is dGVsZWdyYWY6YWxwaGE=.
static void other_forms_of_tokens(void **state) {
    (void)state;
    Guard g;
    memset(&g, 0, sizeof g);
    int32_t line = 0;
    write_tokens("alpha\nbe:ta\n");
    assert_int_equal(guard_load(&g, file, NULL), ERR_OK);
    const char *good[] = {
        "Token alpha",    "token alpha",       "Basic dGVsZWdyYWY6YWxwaGE=", "basic dGVsZWdyYWY6YWxwaGE",
        "Basic OmFscGhh", "Basic dTpiZTp0YQ=="};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(ask(&g, (GuardAsk){.authorization = str_of(good[i])}, &line), ERR_OK);
    const char *bad[] = {"Token",       "Token ",         "Token alph", "Tokens alpha", "Basic",
                         "Basic ",      "Basic YWxwaGE=", "Basic Og==", "Basic ****",   "Basic dGVsZWdyYWY6YWxwaGEx",
                         "Digest alpha"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(ask(&g, (GuardAsk){.authorization = str_of(bad[i])}, &line), ERR_UNAUTHORIZED);
    char wide[4096] = "Basic ";
    memset(wide + 6, 'A', sizeof wide - 7);
    assert_int_equal(ask(&g, (GuardAsk){.authorization = str_of(wide)}, &line), ERR_UNAUTHORIZED);
    guard_free(&g);
}

static void a_bad_file_changes_nothing(void **state) {
    (void)state;
    Guard g;
    memset(&g, 0, sizeof g);
    Buf why = {0};
    int32_t line = 0;
    write_tokens("alpha\n");
    assert_int_equal(guard_load(&g, file, NULL), ERR_OK);
    write_tokens("#\n \n");
    assert_int_equal(guard_load(&g, file, &why), ERR_ARGUMENT);
    assert_true(why.n > 0);
    buf_reset(&why);
    assert_int_equal(guard_load(&g, "/nowhere/tokens", &why), ERR_IO);
    assert_true(str_find_str(buf_str(&why), STR("/nowhere/tokens")) > 0);
    assert_int_equal(ask(&g, (GuardAsk){.authorization = STR("Bearer alpha")}, &line), ERR_OK);
    buf_free(&why);
    guard_free(&g);
}

static void without_tokens_hosts_and_origins_count(void **state) {
    (void)state;
    int32_t line = 0;
    Str hosts[] = {STR("plant.example"), STR("ui.example:3000")};
    Guard g = {.hosts = hosts, .host_count = 2};
    const struct {
        const char *host, *origin, *site;
        bool changes;
        Err want;
    } cases[] = {
        {NULL, NULL, NULL, true, ERR_OK},
        {"localhost:1", NULL, NULL, true, ERR_OK},
        {"127.0.0.1:1", "http://127.0.0.1:1", "same-origin", true, ERR_OK},
        {"127.0.0.1:1", "https://127.0.0.1:1", NULL, true, ERR_OK}, // a proxy may end TLS
        {"plant.example:9", NULL, NULL, true, ERR_OK},
        {"evil.example", NULL, NULL, false, ERR_FORBIDDEN},
        {"ui.example", NULL, NULL, false, ERR_FORBIDDEN},
        {"", NULL, NULL, false, ERR_FORBIDDEN},
        {"localhost:1", "http://evil.example", NULL, true, ERR_FORBIDDEN},
        {"localhost:1", "http://localhost:2", NULL, true, ERR_FORBIDDEN},
        {"localhost:1", "null", NULL, true, ERR_FORBIDDEN},
        {"localhost:1", "http://ui.example:3000", "cross-site", true, ERR_OK},
        {"localhost:1", NULL, "cross-site", true, ERR_FORBIDDEN},
        {"localhost:1", "http://evil.example", "cross-site", false, ERR_OK}, // reading: the browser keeps the answer
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        GuardAsk a = {.host = {cases[i].host, cases[i].host ? (int64_t)strlen(cases[i].host) : 0},
                      .origin = str_of(cases[i].origin),
                      .fetch_site = str_of(cases[i].site),
                      .changes = cases[i].changes};
        assert_int_equal(ask(&g, a, &line), cases[i].want);
    }
}

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(file);
    return fd < 0 || close(fd) != 0;
}

static int remove_file(void **state) {
    (void)state;
    return unlink(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_compared_whole),
        cmocka_unit_test(other_forms_of_tokens),
        cmocka_unit_test(a_bad_file_changes_nothing),
        cmocka_unit_test(without_tokens_hosts_and_origins_count),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
