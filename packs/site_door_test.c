// SPDX-License-Identifier: Apache-2.0
// The door of an emulated site: what it understands, what it does not, and that nobody can hold it up.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/rng.h"
#include "base/time.h"
#include "site_door.h"

static void is(Str s, const char *text) {
    if (!str_eq(s, str_of(text))) fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), text);
}

static void test_requests(void **state) {
    (void)state;
    DoorRequest r;
    Buf room = {0};
    int status;
    const char *text = "POST /twins/a%2Fb/clear?x=1 HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 3\r\n\r\n{ }rest";
    Str all = str_of(text);
    assert_int_equal(door_parse(all, &r, &status, &room), all.n - 4);
    is(r.first, "twins");
    is(r.id, "a/b");
    is(r.command, "clear");
    is(r.body, "{ }");
    for (int64_t n = 0; n < all.n - 4; n++) assert_int_equal(door_parse(str_sub(all, 0, n), &r, &status, &room), 0);
    assert_true(door_parse(STR("POST /jam/line-1 HTTP/1.0\r\n\r\n"), &r, &status, &room) > 0);
    is(r.id, "line-1");
    is(r.command, "");
    is(r.body, "");
    static const struct {
        const char *text;
        int status;
    } bad[] = {
        {"GET / HTTP/1.1\r\n\r\n", 405},
        {"POST twins HTTP/1.1\r\n\r\n", 400},
        {"POST /a/b/c/d HTTP/1.1\r\n\r\n", 400},
        {"POST /a%2 HTTP/1.1\r\n\r\n", 400},
        {"POST /a%00 HTTP/1.1\r\n\r\n", 400},
        {"POST / HTTP/2\r\n\r\n", 400},
        {"\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 413},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (door_parse(str_of(bad[i].text), &r, &status, &room) != -1) fail_msg("%s", bad[i].text);
        assert_int_equal(status, bad[i].status);
    }
    buf_free(&room);
}

// Bytes of any kind, and a request with some of them changed: never more than what is there, texts within it.
static void test_any_bytes(void **state) {
    (void)state;
    Rng rng = rng_make(41, 0);
    Buf room = {0};
    for (int i = 0; i < 200000; i++) {
        char text[] = "POST /twins/a%2Fb/clear HTTP/1.1\r\nContent-Length: 3\r\nHost: x\r\n\r\nabc";
        int64_t n = (int64_t)sizeof text - 1;
        for (int k = (int)rng_below(&rng, 4); k >= 0; k--)
            text[rng_below(&rng, (uint64_t)n)] = (char)rng_below(&rng, 256);
        DoorRequest r;
        int status = 0;
        int64_t size = door_parse((Str){text, n}, &r, &status, &room);
        assert_true(size >= -1 && size <= n);
        if (size < 0) assert_true(status >= 400 && status < 500);
        if (size > 0) assert_true(r.first.n + r.id.n + r.command.n <= n && r.body.n <= n);
        if (size > 0 && r.body.n) assert_true(r.body.p >= text && r.body.p + r.body.n <= text + n);
    }
    buf_free(&room);
}

static int echo(void *ctx, const DoorRequest *r, Buf *answer) {
    ++*(int *)ctx;
    buf_printf(answer, "\"%.*s\"", STR_ARG(r->id));
    return 200;
}

static int dial(const Door *d) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)door_port(d))};
    assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &at.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void say(int fd, const char *text) { assert_true(send(fd, text, strlen(text), MSG_NOSIGNAL) > 0); }

// In two pieces, beside clients that say nothing and one that went away.
static void test_over_a_socket(void **state) {
    (void)state;
    Door *d;
    int served = 0, mute[DOOR_CLIENTS_MAX - 2];
    char text[512] = "";
    assert_int_equal(door_open(STR("127.0.0.1:0"), &d), ERR_OK);
    for (int i = 0; i < DOOR_CLIENTS_MAX - 2; i++) mute[i] = dial(d);
    int gone = dial(d), fd = dial(d);
    say(fd, "POST /twins/pump-1/reset HTTP/1.1\r\nContent-Le");
    say(gone, "POST /twins");
    close(gone);
    for (int i = 0; i < 40; i++) door_serve(d, NS_PER_MS, echo, &served); // one is let in a look
    assert_int_equal(served, 0);
    say(fd, "ngth: 1\r\n\r\n5");
    for (int i = 0; i < 10000 && !served; i++) door_serve(d, NS_PER_MS, echo, &served);
    assert_int_equal(served, 1);
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(text, "\r\n\r\n\"pump-1\""));
    close(fd);
    for (int i = 0; i < DOOR_CLIENTS_MAX - 2; i++) close(mute[i]);
    door_close(d);
    assert_int_equal(door_open(STR("nonsense"), &d), ERR_ARGUMENT);
    assert_int_equal(door_open(STR("127.0.0.1:70000"), &d), ERR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_over_a_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
