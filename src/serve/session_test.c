// SPDX-License-Identifier: Apache-2.0
// Sessions: known by what was given out and by nothing else, bounded, expiring, ending with their token; and what a
// browser's cookie may and may not do, by what the browser says of who asks.
// LABELS: threads
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/time.h"
#include "serve/guard.h"

static char file[] = "/tmp/sosia-session-XXXXXX";

static Str id_of(const char *id) { return (Str){id, SESSION_ID_SIZE}; }

// ---- sessions ------------------------------------------------------------------------------------------------------

static void known_by_what_was_given_out(void **state) {
    (void)state;
    Sessions *s = sessions_new(0, 0);
    uint8_t a[32] = {1}, b[32] = {2}, token[32];
    char x[SESSION_ID_SIZE + 1], y[SESSION_ID_SIZE + 1], bad[SESSION_ID_SIZE + 2];
    sessions_open(s, a, 0, x);
    sessions_open(s, b, 0, y);
    assert_int_equal(strlen(x), SESSION_ID_SIZE);
    assert_string_not_equal(x, y);
    assert_true(sessions_find(s, id_of(x), 1, token));
    assert_memory_equal(token, a, 32);
    assert_true(sessions_find(s, id_of(y), 1, token));
    assert_memory_equal(token, b, 32);
    for (int i = 0; i < SESSION_ID_SIZE; i++) { // one character changed
        memcpy(bad, x, sizeof x);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        assert_false(sessions_find(s, id_of(bad), 1, token));
    }
    assert_false(sessions_find(s, (Str){x, SESSION_ID_SIZE - 1}, 1, token));
    assert_false(sessions_find(s, (Str){0}, 1, token));
    memset(bad, 'x', sizeof bad);
    assert_false(sessions_find(s, (Str){bad, sizeof bad}, 1, token));
    sessions_close(s, id_of(bad));
    assert_int_equal(sessions_count(s, 1), 2);
    sessions_close(s, id_of(x));
    sessions_close(s, id_of(x));
    assert_false(sessions_find(s, id_of(x), 1, token));
    assert_true(sessions_find(s, id_of(y), 1, token));
    sessions_free(s);
}

static void they_expire(void **state) {
    (void)state;
    Sessions *s = sessions_new(100, 1000);
    uint8_t token[32] = {7};
    char used[SESSION_ID_SIZE + 1], unused[SESSION_ID_SIZE + 1];
    sessions_open(s, token, 0, used);
    sessions_open(s, token, 0, unused);
    for (int64_t now = 50; now < 1000; now += 50) assert_true(sessions_find(s, id_of(used), now, token));
    assert_false(sessions_find(s, id_of(unused), 99 + 1, token));
    assert_int_equal(sessions_count(s, 950), 1);
    assert_false(sessions_find(s, id_of(used), 1000, token)); // used all the time, but its life is over
    assert_int_equal(sessions_count(s, 1000), 0);
    sessions_open(s, token, 2000, used);
    assert_int_equal(sessions_count(s, 2099), 1);
    assert_int_equal(sessions_count(s, 2100), 0);
    sessions_free(s);
}

static void no_more_than_there_may_be(void **state) {
    (void)state;
    Sessions *s = sessions_new(0, 0);
    uint8_t token[32] = {7};
    char first[SESSION_ID_SIZE + 1], second[SESSION_ID_SIZE + 1], other[SESSION_ID_SIZE + 1];
    sessions_open(s, token, 0, first);
    sessions_open(s, token, 1, second);
    for (int i = 2; i < SESSIONS_MAX; i++) sessions_open(s, token, i, other);
    assert_int_equal(sessions_count(s, SESSIONS_MAX), SESSIONS_MAX);
    assert_true(sessions_find(s, id_of(first), SESSIONS_MAX, token)); // so it is not the one unused for longest
    sessions_open(s, token, SESSIONS_MAX, other);
    assert_int_equal(sessions_count(s, SESSIONS_MAX), SESSIONS_MAX);
    assert_true(sessions_find(s, id_of(first), SESSIONS_MAX, token));
    assert_false(sessions_find(s, id_of(second), SESSIONS_MAX, token));
    assert_true(sessions_find(s, id_of(other), SESSIONS_MAX, token));
    sessions_free(s);
}

static void *come_and_go(void *arg) {
    uint8_t token[32] = {9};
    char id[SESSION_ID_SIZE + 1];
    for (int i = 0; i < 3000; i++) {
        sessions_open(arg, token, i, id);
        bool there = sessions_find(arg, id_of(id), i, token) && token[0] == 9; // 4,000 fit
        if (!there) return arg;
        if (i % 3) sessions_close(arg, id_of(id));
    }
    return NULL;
}

static void from_several_threads(void **state) {
    (void)state;
    Sessions *s = sessions_new(0, 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, s), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(sessions_count(s, 3000), 4000);
    sessions_free(s);
}

// ---- cookies -------------------------------------------------------------------------------------------------------

static void cookies_are_taken_apart(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"s=abc", "abc"},
        {"a=1; s=abc; b=2", "abc"},
        {"a=1;s=abc", "abc"},
        {"s=\"abc\"", "abc"},
        {"  s  =  abc  ", "abc"},
        {"as=x; s=abc; sa=y", "abc"},
        {"S=abc", ""},
        {"s", ""},
        {"s=", ""},
        {"", ""},
        {";;;=;", ""},
        {"s=abc; s=abc", ""},
        {"s=a b", ""},
        {"s=a%20b", ""},
        {"s=\"abc", ""},
        {"s=a=b", ""},
        {"a=\"; s=abc; \"", "abc"},
        {"s=a,b", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Str got = cookie_find(str_of(cases[i][0]), STR("s"));
        if (!str_eq(got, str_of(cases[i][1]))) fail_msg("%s gives %.*s", cases[i][0], STR_ARG(got));
    }
}

// ---- the guard -----------------------------------------------------------------------------------------------------

static void write_tokens(const char *text) {
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static Str cookie(char room[128], const char *id) {
    int n = snprintf(room, 128, "theme=dark; " SESSION_COOKIE "=%s", id);
    return (Str){room, n};
}

typedef struct Door {
    Guard guard;
    Str host;
    char id[SESSION_ID_SIZE + 1], text[128];
} Door;

static void open_door(Door *d) {
    static Str hosts[] = {{"ui.example:3000", 15}};
    const char *why = NULL;
    memset(d, 0, sizeof *d);
    d->host = STR("plant:80");
    d->guard.hosts = hosts;
    d->guard.host_count = 1;
    d->guard.sessions = sessions_new(0, 0);
    write_tokens("alpha\nbeta\n");
    assert_int_equal(guard_load(&d->guard, file, NULL), ERR_OK);
    GuardAsk ask = {.host = d->host, .token = STR("beta"), .changes = true};
    assert_int_equal(guard_login(&d->guard, &ask, d->id, &why), ERR_OK);
    cookie(d->text, d->id);
}

static void close_door(Door *d) {
    sessions_free(d->guard.sessions);
    guard_free(&d->guard);
}

static Err check(Door *d, GuardAsk ask, int32_t *line) {
    const char *why = NULL;
    ask.host = d->host;
    if (!ask.cookie.p) ask.cookie = str_of(d->text);
    Err err = guard_check(&d->guard, &ask, &why, line);
    assert_int_equal(err == ERR_OK, why == NULL);
    return err;
}

static void what_a_cookie_may_do(void **state) {
    (void)state;
    static const struct {
        const char *origin, *site;
        bool reads, changes; // allowed
    } cases[] = {
        {NULL, NULL, true, false}, // a browser from before Sec-Fetch-Site, or no browser
        {"http://plant:80", NULL, true, true},
        {"https://plant:80", "same-origin", true, true}, // a proxy may end TLS
        {NULL, "same-origin", true, true},
        {NULL, "none", true, false},
        {NULL, "same-site", true, false},
        {NULL, "cross-site", true, false},
        {"http://plant:80", "same-site", true, false},
        {"http://plant:80", "cross-site", true, false},
        {"http://plant:81", NULL, true, false},
        {"http://plant:81", "same-origin", true, false},
        {"http://evil.example", NULL, true, false},
        {"http://evil.example", "cross-site", true, false},
        {"null", NULL, true, false},
        {"", NULL, true, false},
        {"plant:80", NULL, true, false},
        {"http://plant:80.evil.example", NULL, true, false},
        {"http://ui.example:3000", NULL, true, true}, // the administrator says that it is this server, too
    };
    Door d;
    open_door(&d);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t line;
        GuardAsk ask = {.origin = {cases[i].origin, cases[i].origin ? (int64_t)strlen(cases[i].origin) : 0},
                        .fetch_site = {cases[i].site, cases[i].site ? (int64_t)strlen(cases[i].site) : 0}};
        assert_int_equal(check(&d, ask, &line), cases[i].reads ? ERR_OK : ERR_FORBIDDEN);
        assert_int_equal(line, 2);
        ask.changes = true;
        assert_int_equal(check(&d, ask, &line), cases[i].changes ? ERR_OK : ERR_FORBIDDEN);
        ask.changes = false;
        ask.stream = true;
        assert_int_equal(check(&d, ask, &line), cases[i].changes ? ERR_OK : ERR_FORBIDDEN);
    }
    close_door(&d);
}

static void what_a_cookie_is_not(void **state) {
    (void)state;
    Door d;
    int32_t line;
    char room[128];
    open_door(&d);
    assert_int_equal(check(&d, (GuardAsk){.cookie = STR("x")}, &line), ERR_UNAUTHORIZED);
    assert_int_equal(check(&d, (GuardAsk){.cookie = STR(SESSION_COOKIE "=beta")}, &line), ERR_UNAUTHORIZED);
    assert_int_equal(check(&d, (GuardAsk){.authorization = STR("Bearer wrong")}, &line), ERR_UNAUTHORIZED);
    assert_int_equal(check(&d, (GuardAsk){.token = STR("wrong")}, &line), ERR_UNAUTHORIZED);
    GuardAsk bearer = {.authorization = STR("Bearer alpha"), .changes = true};
    assert_int_equal(check(&d, bearer, &line), ERR_OK); // who shows the token itself needs no proof
    assert_int_equal(line, 1);
    bearer = (GuardAsk){.authorization = {d.id, SESSION_ID_SIZE}};
    assert_int_equal(check(&d, bearer, &line), ERR_UNAUTHORIZED);
    int n = snprintf(room, sizeof room, "Bearer %s", d.id);
    assert_int_equal(check(&d, (GuardAsk){.authorization = {room, n}}, &line), ERR_UNAUTHORIZED);
    int64_t late = SESSION_IDLE_S * NS_PER_S;
    assert_int_equal(check(&d, (GuardAsk){.now_ns = late - 1}, &line), ERR_OK);
    assert_int_equal(check(&d, (GuardAsk){.now_ns = 2 * late}, &line), ERR_UNAUTHORIZED);
    close_door(&d);
}

static void sessions_end_with_their_token(void **state) {
    (void)state;
    Door d;
    int32_t line;
    open_door(&d);
    write_tokens("# one more\nbeta\ngamma\n");
    assert_int_equal(guard_load(&d.guard, file, NULL), ERR_OK);
    assert_int_equal(check(&d, (GuardAsk){0}, &line), ERR_OK);
    assert_int_equal(line, 2); // where it stands now
    write_tokens("gamma\n");
    assert_int_equal(guard_load(&d.guard, file, NULL), ERR_OK);
    assert_int_equal(check(&d, (GuardAsk){0}, &line), ERR_UNAUTHORIZED);
    close_door(&d);
}

static void who_may_log_in(void **state) {
    (void)state;
    Door d;
    const char *why = NULL;
    char id[SESSION_ID_SIZE + 1];
    open_door(&d);
    const char *tokens[] = {"", "alph", "alphaa", "gamma", "Bearer alpha"};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        GuardAsk ask = {.host = d.host, .token = str_of(tokens[i]), .changes = true};
        assert_int_equal(guard_login(&d.guard, &ask, id, &why), ERR_UNAUTHORIZED);
    }
    GuardAsk foreign = {.host = d.host, .token = STR("alpha"), .origin = STR("http://evil.example"), .changes = true};
    assert_int_equal(guard_login(&d.guard, &foreign, id, &why), ERR_FORBIDDEN);
    foreign = (GuardAsk){.host = d.host, .token = STR("alpha"), .fetch_site = STR("cross-site"), .changes = true};
    assert_int_equal(guard_login(&d.guard, &foreign, id, &why), ERR_FORBIDDEN);
    assert_int_equal(sessions_count(d.guard.sessions, 0), 1); // the door's own
    close_door(&d);
    Guard open = {.sessions = sessions_new(0, 0)};
    GuardAsk local = {.host = STR("localhost"), .token = STR("alpha"), .changes = true};
    assert_int_equal(guard_login(&open, &local, id, &why), ERR_ARGUMENT);
    sessions_free(open.sessions);
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
        cmocka_unit_test(known_by_what_was_given_out),
        cmocka_unit_test(they_expire),
        cmocka_unit_test(no_more_than_there_may_be),
        cmocka_unit_test(from_several_threads),
        cmocka_unit_test(cookies_are_taken_apart),
        cmocka_unit_test(what_a_cookie_may_do),
        cmocka_unit_test(what_a_cookie_is_not),
        cmocka_unit_test(sessions_end_with_their_token),
        cmocka_unit_test(who_may_log_in),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
