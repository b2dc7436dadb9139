// SPDX-License-Identifier: Apache-2.0
// A client that sends values as fast as it can, or at a rate, and says as one JSON line what was taken:
//     ingest_load PORT FORMAT TWINS SECONDS [RATE]
//   FORMAT  ndjson   POST /ingest, one value a line            (Sosia)
//           line     POST /write, five fields a line           (Sosia, VictoriaMetrics, InfluxDB)
//           redis    XADD s MAXLEN ~ 1000000 * pump-7.p3 21.5, pipelined
// CONNECTIONS connections, each with one body of BATCH values under way. Bodies are made once; before each is sent
// again the times in it are set anew, so that nothing is a duplicate. Twins are pump-0, pump-1, ..., drawn at random;
// properties p0 to p4.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "base/time.h"

#define CONNECTIONS 4
#define BODIES 8 // of each connection
#define BATCH 5000
#define FIELDS 5
#define STAMPS_MAX BATCH

typedef enum Format { NDJSON, LINE, REDIS } Format;

// A request whose times can be set anew.
typedef struct Body {
    Buf text;
    int64_t stamps[STAMPS_MAX]; // offsets of 13 digits
    int64_t stamp_count;
} Body;

typedef struct Client {
    Format format;
    int fd;
    uint64_t seed;
    int64_t twins, until_ns, gap_ns;
    int64_t sent, accepted, refused, requests, longest_ns;
    Buf answer;
    Thread thread;
} Client;

static _Atomic int64_t clock_ms; // of the values: every body gets a later one

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int dial(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_all(Client *c, const char *p, int64_t n) {
    while (n > 0) {
        ssize_t k = send(c->fd, p, (size_t)n, MSG_NOSIGNAL);
        if (k <= 0) die("send");
        p += k;
        n -= k;
    }
}

static void receive_more(Client *c) {
    if (!buf_reserve(&c->answer, 65536)) die("answer");
    ssize_t k = recv(c->fd, c->answer.p + c->answer.n, 65536, 0);
    if (k <= 0) die("recv");
    c->answer.n += k;
}

// ---- bodies -------------------------------------------------------------------------------------------------------

static void stamp_place(Body *b) {
    b->stamps[b->stamp_count++] = b->text.n;
    buf_str_put(&b->text, STR("1700000000000"));
}

static void put_values(Client *c, Body *b, Rng *rng) {
    for (int i = 0; i < BATCH / FIELDS && c->format == LINE; i++) {
        buf_printf(&b->text, "pump,id=pump-%d p0=%.2f,p1=%.2f,p2=%.2f,p3=%.2f,p4=%.2f ",
                   (int)rng_below(rng, (uint64_t)c->twins), rng_f64(rng), rng_f64(rng), rng_f64(rng), rng_f64(rng),
                   rng_f64(rng));
        stamp_place(b);
        buf_str_put(&b->text, STR("000000\n"));
    }
    for (int i = 0; i < BATCH && c->format == NDJSON; i++) {
        buf_printf(&b->text, "{\"id\":\"pump-%d\",\"property\":\"p%d\",\"value\":%.2f,\"time\":",
                   (int)rng_below(rng, (uint64_t)c->twins), (int)rng_below(rng, FIELDS), rng_f64(rng) * 100);
        stamp_place(b);
        buf_str_put(&b->text, STR("}\n"));
    }
    for (int i = 0; i < BATCH && c->format == REDIS; i++) {
        char field[24], value[24];
        int n = snprintf(field, sizeof field, "pump-%d.p%d", (int)rng_below(rng, (uint64_t)c->twins),
                         (int)rng_below(rng, FIELDS));
        int m = snprintf(value, sizeof value, "%.2f", rng_f64(rng) * 100);
        buf_printf(&b->text,
                   "*8\r\n$4\r\nXADD\r\n$1\r\ns\r\n$6\r\nMAXLEN\r\n$1\r\n~\r\n$7\r\n1000000\r\n$1\r\n*\r\n"
                   "$%d\r\n%s\r\n$%d\r\n%s\r\n",
                   n, field, m, value);
    }
}

static void body_make(Client *c, Body *b, Rng *rng) {
    Buf values = {0};
    put_values(c, b, rng);
    if (c->format == REDIS) return;
    values = b->text;
    b->text = (Buf){0};
    buf_printf(&b->text, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %lld\r\n\r\n",
               c->format == LINE ? "/write?db=bench" : "/ingest",
               c->format == LINE ? "text/plain" : "application/x-ndjson", (long long)values.n);
    for (int64_t i = 0; i < b->stamp_count; i++) b->stamps[i] += b->text.n;
    buf_str_put(&b->text, buf_str(&values));
    buf_free(&values);
}

static void body_stamp(Body *b) {
    char digits[24];
    snprintf(digits, sizeof digits, "%013lld", (long long)atomic_fetch_add(&clock_ms, 1));
    for (int64_t i = 0; i < b->stamp_count; i++) memcpy(b->text.p + b->stamps[i], digits, 13);
}

// ---- answers ------------------------------------------------------------------------------------------------------

// The number behind a text of the answer, or `other`.
static int64_t number_behind(Str s, Str name, int64_t other) {
    int64_t at = str_find_str(s, name);
    return at < 0 ? other : strtoll(s.p + at + name.n, NULL, 10);
}

// One answer of HTTP: how many values were taken; without a count in it all of them.
static int64_t answer_http(Client *c) {
    int64_t head;
    c->answer.n = 0;
    do {
        receive_more(c);
        buf_byte(&c->answer, 0);
        c->answer.n--;
    } while ((head = str_find_str(buf_str(&c->answer), STR("\r\n\r\n"))) < 0);
    int64_t size = number_behind(buf_str(&c->answer), STR("ontent-Length: "), -1);
    if (size < 0) size = number_behind(buf_str(&c->answer), STR("ontent-length: "), 0);
    while (c->answer.n < head + 4 + size) receive_more(c);
    buf_byte(&c->answer, 0);
    c->answer.n--;
    bool ok = c->answer.n > 12 && c->answer.p[9] == '2';
    c->refused += !ok;
    return ok ? number_behind(buf_str(&c->answer), STR("\"accepted\":"), BATCH) : 0;
}

// BATCH answers of redis: "$n\r\n...\r\n" each.
static int64_t answer_redis(Client *c) {
    int64_t lines = 0, at = 0;
    c->answer.n = 0;
    while (lines < 2 * BATCH) {
        receive_more(c);
        if (c->answer.p[0] == '-') {
            fprintf(stderr, "%.80s\n", c->answer.p);
            exit(1);
        }
        for (; at < c->answer.n; at++) lines += c->answer.p[at] == '\n';
    }
    return BATCH;
}

// ---- one connection -----------------------------------------------------------------------------------------------

static void *client_main(void *arg) {
    Client *c = arg;
    Rng rng = rng_make(c->seed, 0);
    Body *bodies = mem_alloc(sizeof(Body) * BODIES);
    for (int i = 0; i < BODIES; i++) body_make(c, &bodies[i], &rng);
    int64_t next = time_mono_ns();
    for (int64_t n = 0; time_mono_ns() < c->until_ns && !c->refused; n++) {
        Body *b = &bodies[n % BODIES];
        int64_t now = time_mono_ns();
        if (c->gap_ns && now < next) thread_sleep_ns(next - now);
        next += c->gap_ns;
        body_stamp(b);
        int64_t start = time_mono_ns();
        send_all(c, b->text.p, b->text.n);
        c->accepted += c->format == REDIS ? answer_redis(c) : answer_http(c);
        int64_t took = time_mono_ns() - start;
        if (took > c->longest_ns) c->longest_ns = took;
        c->sent += BATCH;
        c->requests++;
    }
    for (int i = 0; i < BODIES; i++) buf_free(&bodies[i].text);
    mem_free(bodies);
    return NULL;
}

static Format format_of(const char *name) {
    if (strcmp(name, "line") == 0) return LINE;
    if (strcmp(name, "redis") == 0) return REDIS;
    return NDJSON;
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: ingest_load PORT ndjson|line|redis TWINS SECONDS [RATE]\n");
        return 2;
    }
    static Client clients[CONNECTIONS];
    int64_t start = time_mono_ns(), until = start + (int64_t)(atof(argv[4]) * 1e9);
    double rate = argc > 5 ? atof(argv[5]) : 0;
    atomic_init(&clock_ms, time_now_ns() / NS_PER_MS - 100000000); // all of it in the past
    for (int i = 0; i < CONNECTIONS; i++) {
        Client *c = &clients[i];
        *c = (Client){.format = format_of(argv[2]), .fd = dial(atoi(argv[1])), .seed = (uint64_t)i + 1};
        c->twins = atoll(argv[3]);
        c->until_ns = until;
        c->gap_ns = rate > 0 ? (int64_t)(1e9 * BATCH * CONNECTIONS / rate) : 0;
        if (thread_start(&c->thread, "load", client_main, c)) die("thread");
    }
    Client all = {0};
    for (int i = 0; i < CONNECTIONS; i++) {
        thread_join(&clients[i].thread);
        all.sent += clients[i].sent;
        all.accepted += clients[i].accepted;
        all.refused += clients[i].refused;
        if (clients[i].longest_ns > all.longest_ns) all.longest_ns = clients[i].longest_ns;
        close(clients[i].fd);
        buf_free(&clients[i].answer);
    }
    printf("{\"sent\":%lld,\"accepted\":%lld,\"refused\":%lld,\"seconds\":%.3f,\"longest_ms\":%.1f}\n",
           (long long)all.sent, (long long)all.accepted, (long long)all.refused, (double)(time_mono_ns() - start) / 1e9,
           (double)all.longest_ns / 1e6);
    return all.refused != 0;
}
