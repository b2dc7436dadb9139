// SPDX-License-Identifier: Apache-2.0
// The facade over real sockets with a small handler; a client made of blocking sockets.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/thread.h"
#include "base/time.h"
#include "serve/http.h"

typedef struct Feed {
    _Atomic(HttpStream *) stream;
    atomic_int to_send, closed, ticks, sent;
    int64_t chunk;
} Feed;

typedef struct Site {
    Http *http;
    Queue late; // requests to answer from the other thread
    Thread worker;
    atomic_bool held;   // the other thread takes nothing up
    atomic_int refused; // last status the facade made itself
    atomic_int gone;    // clients of /watched
    Feed feed;
} Site;

static void answer_late(HttpReq *r, void *arg) {
    (void)arg;
    Buf body = {0};
    for (int i = 0; i < 5000; i++) buf_byte(&body, (char)('a' + i % 26));
    http_reply(r, &(HttpReply){.status = 200, .type = STR("text/plain"), .take = &body});
    buf_free(&body);
}

static void *work(void *arg) {
    Site *site = arg;
    void *item;
    while (queue_pop(&site->late, &item, 1, -1) == 1) {
        thread_sleep_ns(5 * NS_PER_MS);
        while (atomic_load(&site->held)) thread_sleep_ns(NS_PER_MS);
        http_post(item, answer_late, NULL);
    }
    return NULL;
}

static void feed_ready(void *arg) {
    Feed *f = arg;
    if (f->to_send == 0) return;
    Buf b = {0};
    for (int64_t i = 0; i < f->chunk; i++) buf_byte(&b, 'x');
    atomic_fetch_sub(&f->to_send, 1);
    atomic_fetch_add(&f->sent, 1);
    http_stream_send(f->stream, &b);
    buf_free(&b);
    if (f->to_send == -1) http_stream_end(f->stream);
}
static void feed_tick(void *arg) { atomic_fetch_add(&((Feed *)arg)->ticks, 1); }
static void feed_closed(void *arg) { atomic_fetch_add(&((Feed *)arg)->closed, 1); }

static void feed_message(void *arg, Str bytes, bool text) { (void)arg, (void)bytes, (void)text; }

static void note_gone(void *arg) { atomic_fetch_add(&((Site *)arg)->gone, 1); }

static void handle(void *ctx, HttpReq *r) {
    static const HttpStreamOps ops = {.ready = feed_ready, .tick = feed_tick, .closed = feed_closed};
    static const HttpStreamOps both = {
        .ready = feed_ready, .tick = feed_tick, .closed = feed_closed, .message = feed_message};
    Site *site = ctx;
    const HttpView *v = http_view(r);
    bool wrong;
    if (str_eq(v->path, STR("/late"))) {
        queue_push(&site->late, r);
    } else if (str_eq(v->path, STR("/watched"))) {
        http_on_gone(r, note_gone, site);
        queue_push(&site->late, r);
    } else if (str_eq(v->path, STR("/stream"))) {
        HttpReply head = {.status = 200, .type = STR("text/event-stream")};
        site->feed.stream = http_stream_open(r, &head, STR("first"), &ops, &site->feed);
        if (!site->feed.stream) http_reply(r, &(HttpReply){.status = 503});
    } else if (http_wants_socket(r, &wrong)) {
        HttpReply head = {.status = 101};
        site->feed.stream = http_socket_open(r, &head, (Str){0}, &both, &site->feed);
        if (!site->feed.stream) http_reply(r, &(HttpReply){.status = 503});
    } else {
        HttpReply reply = {.status = 200, .type = STR("text/plain"), .prefix = STR("<"), .suffix = STR(">")};
        Buf body = {0};
        buf_printf(&body, "%.*s %.*s?%.*s %.*s x=%.*s %d", STR_ARG(v->method), STR_ARG(v->path), STR_ARG(v->query),
                   STR_ARG(v->host), STR_ARG(http_header(r, STR("x-a"))), (int)v->body.n);
        reply.body = buf_str(&body);
        http_reply_header(&reply, STR("etag"), STR("\"1\""));
        http_reply(r, &reply);
        buf_free(&body);
    }
}

static void note_refused(void *ctx, int status) { atomic_store(&((Site *)ctx)->refused, status); }

static void site_open_with(Site *site, HttpConfig *config) {
    Buf why = {0};
    memset(site, 0, sizeof *site);
    queue_init(&site->late, 64);
    config->listen[0] = (HttpListen){.address = STR("127.0.0.1:0"), .loopback_only = true};
    config->listen_count = 1;
    config->handle = handle;
    config->refused = note_refused;
    config->ctx = site;
    assert_int_equal(http_start(config, &site->http, &why), ERR_OK);
    assert_int_equal(thread_start(&site->worker, "late", work, site), ERR_OK);
    buf_free(&why);
}

static void site_open(Site *site) { site_open_with(site, &(HttpConfig){0}); }

static void site_close(Site *site) {
    http_stop(site->http);
    queue_close(&site->late);
    thread_join(&site->worker);
    queue_free(&site->late);
}

static int dial(const Site *site) {
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_port(site->http, 0)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval limit = {.tv_sec = 60};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static void say(int fd, const char *text) {
    size_t n = strlen(text);
    assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

// Everything until the other side closes, or `enough` bytes.
static Str hear(int fd, char *room, size_t cap, size_t enough) {
    size_t n = 0;
    while (n < enough && n < cap - 1) {
        ssize_t got = recv(fd, room + n, cap - 1 - n, 0);
        if (got <= 0) break;
        n += (size_t)got;
    }
    room[n] = 0;
    return (Str){room, (int64_t)n};
}

// Bytes up to and with `last`, however many packets they come in.
static Str hear_to(int fd, char *room, size_t cap, Str last) {
    size_t n = 0;
    while (n < cap - 1 && str_find_str((Str){room, (int64_t)n}, last) < 0) {
        ssize_t got = recv(fd, room + n, cap - 1 - n, 0);
        if (got <= 0) break;
        n += (size_t)got;
    }
    room[n] = 0;
    return (Str){room, (int64_t)n};
}

static void talk(const Site *site, const char *request, char *room, size_t cap) {
    int fd = dial(site);
    say(fd, request);
    hear(fd, room, cap, cap);
    close(fd);
}

static void a_plain_reply(void **state) {
    (void)state;
    Site site;
    site_open(&site);
    char room[2048];
    talk(&site, "GET /a%2Fb?q=1 HTTP/1.1\r\nHost: h:1\r\nX-A: v\r\nConnection: close\r\n\r\n", room, sizeof room);
    assert_non_null(strstr(room, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(room, "\r\nContent-Length: 26\r\n"));
    assert_non_null(strstr(room, "\r\netag: \"1\"\r\n"));
    assert_non_null(strstr(room, "\r\n\r\n<GET /a%2Fb?q=1 h:1 x=v 0>"));
    talk(&site, "HEAD /a HTTP/1.0\r\n\r\n", room, sizeof room);
    assert_non_null(strstr(room, "\r\nContent-Length: 16\r\n")); // <HEAD /a?  x= 0>
    assert_non_null(strstr(room, "\r\n\r\n"));
    assert_null(strstr(room, "<HEAD"));
    site_close(&site);
}

static void pipelined_and_chunked(void **state) {
    (void)state;
    Site site;
    site_open(&site);
    char room[4096];
    talk(&site,
         "POST /1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"
         "GET /late HTTP/1.1\r\nHost: h\r\n\r\n"
         "PUT /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
         room, sizeof room);
    char *first = strstr(room, "<POST /1? h x= 7>"), *last = strstr(room, "<PUT /2? h x= 2>");
    assert_non_null(first);
    assert_null(last); // 5,000 bytes of the late reply lie between
    char big[16384];
    talk(&site,
         "GET /late HTTP/1.1\r\nHost: h\r\n\r\nPUT /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: "
         "close\r\n\r\nhi",
         big, sizeof big);
    assert_non_null(strstr(big, "Content-Length: 5000"));
    assert_non_null(strstr(big, "<PUT /2? h x= 2>"));
    site_close(&site);
}

static void refusals_have_the_error_shape(void **state) {
    (void)state;
    Site site;
    site_open_with(&site, &(HttpConfig){.limits = {.body_bytes_max = 100, .header_bytes_max = 1000}});
    char room[4096];
    talk(&site, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n", room, sizeof room);
    assert_non_null(strstr(room, "413 Content Too Large"));
    assert_non_null(strstr(room, "\"code\":\"PayloadTooLarge\""));
    assert_non_null(strstr(room, "x-ms-error-code: PayloadTooLarge"));
    assert_int_equal(site.refused, 413);
    char long_header[3000] = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Long: ";
    size_t n = strlen(long_header);
    memset(long_header + n, 'x', 2000);
    memcpy(long_header + n + 2000, "\r\n\r\n", 5);
    talk(&site, long_header, room, sizeof room);
    assert_non_null(strstr(room, "431 "));
    talk(&site, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", room, sizeof room);
    assert_non_null(strstr(room, "400 Bad Request"));
    assert_non_null(strstr(room, "\"code\":\"InvalidArgument\""));
    talk(&site, "NONSENSE\r\n\r\n", room, sizeof room);
    assert_non_null(strstr(room, "400 Bad Request"));
    talk(&site, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", room, sizeof room);
    assert_non_null(strstr(room, "200 OK")); // still there
    site_close(&site);
}

static void a_client_that_leaves_early_is_no_trouble(void **state) {
    (void)state;
    Site site;
    site_open(&site);
    for (int i = 0; i < 20; i++) {
        int fd = dial(&site);
        say(fd, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
        struct linger now = {1, 0};
        if (i % 2) setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(fd);
    }
    site_close(&site); // waits for all twenty replies
}

#define WATCHED "GET /watched HTTP/1.1\r\nHost: h\r\n\r\n"

static void await_requests(const Site *site, int64_t n) {
    HttpStats stats = {0};
    for (int i = 0; i < 6000 && stats.requests < n; i++) {
        thread_sleep_ns(10 * NS_PER_MS);
        http_stats(site->http, &stats);
    }
    assert_int_equal(stats.requests, n);
}

static void await_gone(const Site *site, int n) {
    for (int i = 0; i < 6000 && site->gone < n; i++) thread_sleep_ns(10 * NS_PER_MS);
    assert_int_equal(site->gone, n);
}

static void leave(int fd, bool broken) {
    struct linger now = {1, 0};
    if (broken) setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

// Those who closed are told of once each, whatever they had sent behind; who is there with more to ask is not.
static void a_client_that_is_gone_is_told_of(void **state) {
    (void)state;
    Site site;
    site_open_with(&site, &(HttpConfig){.limits = {.leave_timeout_ms = 1}});
    atomic_store(&site.held, true);
    int stays = dial(&site), piped = dial(&site), closed = dial(&site), broken = dial(&site);
    say(stays, WATCHED "GET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    say(piped, WATCHED "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    say(closed, WATCHED);
    say(broken, WATCHED);
    await_requests(&site, 4);
    leave(piped, false);
    leave(closed, false);
    await_gone(&site, 2);
    leave(broken, true);
    await_gone(&site, 3);
    atomic_store(&site.held, false);
    char room[16384];
    hear(stays, room, sizeof room, sizeof room);
    assert_non_null(strstr(room, "Content-Length: 5000"));
    assert_non_null(strstr(room, "<GET /2? h x= 0>"));
    close(stays);
    site_close(&site);
    assert_int_equal(site.gone, 3);
}

// A broken connection counts at once, a closed side only after its time: its client may be reading.
static void a_client_that_will_say_no_more_has_time(void **state) {
    (void)state;
    Site site;
    site_open_with(&site, &(HttpConfig){.limits = {.leave_timeout_ms = 600000}});
    atomic_store(&site.held, true);
    int half = dial(&site), broken = dial(&site);
    say(half, WATCHED);
    shutdown(half, SHUT_WR);
    say(broken, WATCHED);
    await_requests(&site, 2);
    leave(broken, true);
    await_gone(&site, 1);
    atomic_store(&site.held, false);
    char room[8192];
    hear(half, room, sizeof room, sizeof room);
    assert_non_null(strstr(room, "Content-Length: 5000"));
    close(half);
    site_close(&site);
    assert_int_equal(site.gone, 1);
}

static void connections_are_counted_and_bounded(void **state) {
    (void)state;
    Site site;
    site_open_with(&site, &(HttpConfig){.limits = {.connections_max = 3}});
    int fds[3];
    char room[1024];
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(&site);
        say(fds[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        hear(fds[i], room, sizeof room, 50);
    }
    talk(&site, "", room, sizeof room);
    assert_non_null(strstr(room, "503 "));
    assert_non_null(strstr(room, "Retry-After: 1"));
    close(fds[0]);
    HttpStats stats = {0};
    for (int i = 0; i < 6000 && (i == 0 || stats.connections != 2); i++) {
        thread_sleep_ns(10 * NS_PER_MS);
        http_stats(site.http, &stats);
    }
    assert_int_equal(stats.connections, 2);
    assert_int_equal(stats.connections_refused, 1);
    fds[0] = dial(&site);
    say(fds[0], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(hear(fds[0], room, sizeof room, 50).n >= 50);
    for (int i = 0; i < 3; i++) close(fds[i]);
    site_close(&site);
}

static void a_slow_sender_is_cut(void **state) {
    (void)state;
    Site site;
    site_open_with(&site, &(HttpConfig){.limits = {.read_timeout_ms = 300}});
    int fd = dial(&site);
    char room[64];
    say(fd, "GET / HTTP/1.1\r\nHost:");
    int64_t began = time_mono_ns();
    assert_int_equal(hear(fd, room, sizeof room, 1).n, 0);
    assert_in_range((time_mono_ns() - began) / NS_PER_MS, 200, 30000); // long before the usual minute
    close(fd);
    site_close(&site);
}

static void half_received_requests_are_bounded_together(void **state) {
    (void)state;
    Site site;
    site_open_with(&site, &(HttpConfig){.limits = {.input_bytes_max = 1 << 20}});
    int fds[8];
    static char block[400 << 10];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 8; i++) {
        fds[i] = dial(&site);
        say(fds[i], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
        ssize_t sent = send(fds[i], block, sizeof block, MSG_NOSIGNAL);
        (void)sent; // may already be cut
    }
    HttpStats stats = {0};
    for (int i = 0; i < 6000 && stats.cut_input < 5; i++) {
        thread_sleep_ns(10 * NS_PER_MS);
        http_stats(site.http, &stats);
    }
    assert_true(stats.cut_input >= 5);
    for (int i = 0; i < 8; i++) close(fds[i]);
    site_close(&site);
}

// A frame that announces more than follows, and parts of a message without an end, count like half a request.
static void half_received_messages_are_bounded_together(void **state) {
    (void)state;
    Site site;
    site_open_with(&site, &(HttpConfig){.limits = {.input_bytes_max = 1 << 20}});
    static const char hello[] = "GET /socket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    static const char heads[2][14] = {{(char)0x82, (char)0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 0},
                                      {0x02, (char)0xff, 0, 0, 0, 0, 0, 0x06, 0x40, 0x00, 0, 0, 0, 0}};
    static char block[400 << 10];
    int fds[8];
    for (int i = 0; i < 8; i++) {
        char room[1024];
        fds[i] = dial(&site);
        say(fds[i], hello);
        assert_non_null(strstr(hear(fds[i], room, sizeof room, 12).p, "101"));
        ssize_t sent = send(fds[i], heads[i & 1], sizeof heads[0], MSG_NOSIGNAL);
        sent += send(fds[i], block, sizeof block, MSG_NOSIGNAL);
        (void)sent; // may already be cut
    }
    HttpStats stats = {0};
    for (int i = 0; i < 6000 && stats.cut_input < 5; i++) {
        thread_sleep_ns(10 * NS_PER_MS);
        http_stats(site.http, &stats);
    }
    assert_true(stats.cut_input >= 5);
    for (int i = 0; i < 6000 && site.feed.closed < 5; i++) thread_sleep_ns(10 * NS_PER_MS);
    assert_true(site.feed.closed >= 5);
    for (int i = 0; i < 8; i++) close(fds[i]);
    site_close(&site);
}

static void bodies_in_work_are_bounded_together(void **state) {
    (void)state;
    Site site;
    site_open_with(&site, &(HttpConfig){.limits = {.input_bytes_max = 1 << 20}});
    static char request[600 << 10];
    int n = snprintf(request, sizeof request,
                     "POST /late HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", 500 << 10);
    memset(request + n, 'x', 500 << 10);
    request[n + (500 << 10)] = 0;
    struct pollfd fds[4];
    int busy = 0;
    char room[8192];
    atomic_store(&site.held, true); // two bodies stay in work until the others were refused
    for (int i = 0; i < 4; i++) {
        fds[i] = (struct pollfd){.fd = dial(&site), .events = POLLIN};
        say(fds[i].fd, request);
    }
    for (int i = 0; i < 6000 && poll(fds, 4, 0) < 2; i++) thread_sleep_ns(10 * NS_PER_MS);
    atomic_store(&site.held, false);
    for (int i = 0; i < 4; i++) {
        hear(fds[i].fd, room, sizeof room, sizeof room);
        busy += strstr(room, "503 ") != NULL;
        assert_true(strstr(room, "503 ") || strstr(room, "200 OK"));
        close(fds[i].fd);
    }
    assert_int_equal(busy, 2);
    talk(&site, request, room, sizeof room);
    assert_non_null(strstr(room, "200 OK")); // there is room again
    site_close(&site);
}

static void streams_flow_and_end(void **state) {
    (void)state;
    Site site;
    site_open(&site);
    site.feed.chunk = 1000;
    int fd = dial(&site);
    char room[8192];
    say(fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    Str text = hear_to(fd, room, sizeof room, STR("first\r\n"));
    assert_true(str_find_str(text, STR("transfer-encoding: chunked")) > 0);
    assert_true(str_find_str(text, STR("5\r\nfirst\r\n")) > 0);
    atomic_store(&site.feed.to_send, 3);
    while (!atomic_load(&site.feed.stream)) thread_sleep_ns(NS_PER_MS); // the bytes may be here before it is noted
    http_stream_wake(site.feed.stream);
    assert_true(hear(fd, room, sizeof room, 3000).n >= 3000);
    for (int i = 0; i < 6000 && site.feed.ticks == 0; i++) thread_sleep_ns(10 * NS_PER_MS);
    assert_true(site.feed.ticks > 0);
    close(fd); // seen without sending anything
    for (int i = 0; i < 6000 && site.feed.closed == 0; i++) thread_sleep_ns(10 * NS_PER_MS);
    assert_int_equal(site.feed.closed, 1);
    fd = dial(&site);
    say(fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    (void)hear_to(fd, room, sizeof room, STR("first\r\n"));
    site_close(&site); // ends the stream in order
    text = hear(fd, room, sizeof room, sizeof room);
    assert_true(str_ends(text, STR("0\r\n\r\n")));
    assert_int_equal(site.feed.closed, 2);
    close(fd);
}

static void a_stalled_stream_is_cut(void **state) {
    (void)state;
    Site site;
    site_open_with(&site, &(HttpConfig){.limits = {.write_timeout_ms = 300}});
    site.feed.chunk = 1 << 20;
    atomic_store(&site.feed.to_send, 1000);
    int fd = dial(&site);
    say(fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"); // and never reads
    for (int i = 0; i < 6000 && site.feed.closed == 0; i++) thread_sleep_ns(10 * NS_PER_MS);
    assert_int_equal(site.feed.closed, 1);
    assert_in_range(site.feed.sent, 1, 20); // back-pressure: no more than the socket buffers hold
    HttpStats stats;
    http_stats(site.http, &stats);
    assert_int_equal(stats.cut_slow, 1);
    close(fd);
    site_close(&site);
}

static void *stop(void *arg) {
    site_close(arg);
    return NULL;
}

// The work is held until the stop has closed the idle connection: so the stop waited for it, and for nobody else.
static void stopping_waits_for_work_but_not_for_idlers(void **state) {
    (void)state;
    Site site;
    Thread stopper;
    site_open_with(&site, &(HttpConfig){.limits = {.stop_timeout_ms = 60000}});
    atomic_store(&site.held, true);
    int idle = dial(&site), busy = dial(&site), half = dial(&site);
    char room[8192];
    say(half, "GET / HT");
    say(idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(hear_to(idle, room, sizeof room, STR("x= 0>")).n > 0);
    say(busy, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
    HttpStats stats = {0};
    for (int i = 0; i < 6000 && stats.requests_total < 2; i++) {
        thread_sleep_ns(10 * NS_PER_MS);
        http_stats(site.http, &stats);
    }
    assert_int_equal(thread_start(&stopper, "stop", stop, &site), ERR_OK);
    assert_int_equal(hear(idle, room, sizeof room, 1).n, 0);
    atomic_store(&site.held, false);
    Str text = hear(busy, room, sizeof room, sizeof room);
    thread_join(&stopper);
    assert_true(str_find_str(text, STR("Connection: close")) > 0);
    assert_true(text.n > 5000);
    assert_int_equal(hear(half, room, sizeof room, 1).n, 0);
    close(idle);
    close(busy);
    close(half);
}

static void addresses_are_checked(void **state) {
    (void)state;
    const struct {
        const char *address;
        Err err;
    } cases[] = {{"0.0.0.0:0", ERR_FORBIDDEN}, {"[::]:0", ERR_FORBIDDEN},      {"8080", ERR_ARGUMENT},
                 {"h:x", ERR_ARGUMENT},        {"127.0.0.1", ERR_ARGUMENT},    {"", ERR_ARGUMENT},
                 {"localhost:0", ERR_OK},      {"192.0.2.1:0", ERR_FORBIDDEN}, {"127.0.0.2:0", ERR_OK}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Buf why = {0};
        Http *http = NULL;
        HttpConfig config = {.listen_count = 1, .handle = handle};
        config.listen[0] = (HttpListen){.address = str_of(cases[i].address), .loopback_only = true};
        assert_int_equal(http_start(&config, &http, &why), cases[i].err);
        assert_int_equal(cases[i].err == ERR_OK, why.n == 0);
        http_stop(http);
        buf_free(&why);
    }
    HttpConfig config = {.listen_count = 1, .handle = handle};
    config.listen[0] =
        (HttpListen){.address = STR("127.0.0.1:0"), .cert = "/nowhere/cert.pem", .key = "/nowhere/key.pem"};
    Buf why = {0};
    Http *http = NULL;
    assert_int_equal(http_start(&config, &http, &why), ERR_ARGUMENT);
    assert_true(str_find_str(buf_str(&why), STR("/nowhere/cert.pem")) > 0);
    buf_free(&why);
}

static void two_io_threads(void **state) {
    (void)state;
    Site site;
    site_open_with(&site, &(HttpConfig){.threads = 2});
    char room[1024];
    for (int i = 0; i < 200; i++) {
        talk(&site, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", room, sizeof room);
        assert_non_null(strstr(room, "200 OK"));
    }
    HttpStats stats;
    http_stats(site.http, &stats);
    assert_int_equal(stats.requests_total, 200);
    site_close(&site);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_reply),
        cmocka_unit_test(pipelined_and_chunked),
        cmocka_unit_test(refusals_have_the_error_shape),
        cmocka_unit_test(a_client_that_leaves_early_is_no_trouble),
        cmocka_unit_test(a_client_that_is_gone_is_told_of),
        cmocka_unit_test(a_client_that_will_say_no_more_has_time),
        cmocka_unit_test(connections_are_counted_and_bounded),
        cmocka_unit_test(a_slow_sender_is_cut),
        cmocka_unit_test(half_received_requests_are_bounded_together),
        cmocka_unit_test(half_received_messages_are_bounded_together),
        cmocka_unit_test(bodies_in_work_are_bounded_together),
        cmocka_unit_test(streams_flow_and_end),
        cmocka_unit_test(a_stalled_stream_is_cut),
        cmocka_unit_test(stopping_waits_for_work_but_not_for_idlers),
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(two_io_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
