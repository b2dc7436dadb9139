// SPDX-License-Identifier: Apache-2.0
// MQTT end to end: a publisher process, a real mosquitto, a connection of this process with a durable world. The peer
// is a libmosquitto subscriber that does nothing, on the same broker with the same publisher, in turns. A round ends
// when the last point is durable (the peer: when the last message was handed over).
#include <arpa/inet.h>
#include <mosquitto.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bench.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/thread.h"
#include "connect/test_broker.h"
#include "ingest_scene.h"
#include "sosia/connect.h"

#define MESSAGES 100000
#define TWINS 1000
#define ROUNDS 5
#define BATCH 500 // QoS 1: two batches are unacknowledged at most

typedef struct Load {
    Scene scene;
    Broker broker;
    SosiaConnect *connect;
    Buf packets;    // all of a round
    int64_t *batch; // where each batch ends
    int qos;
} Load;

// ---- the publisher ------------------------------------------------------------------------------------------------

static void make_packets(Load *x) {
    buf_reset(&x->packets);
    for (int i = 0; i < MESSAGES; i++) {
        char topic[40], value[16];
        int t = snprintf(topic, sizeof topic, "plant/pump-%d/p%d", i % TWINS, i / TWINS % SCENE_FIELDS);
        int v = snprintf(value, sizeof value, "%d.%d", 20 + i % 7, i % 10);
        buf_byte(&x->packets, (char)(0x30 | x->qos << 1));
        buf_byte(&x->packets, (char)(2 + t + (x->qos ? 2 : 0) + v));
        buf_byte(&x->packets, 0);
        buf_byte(&x->packets, (char)t);
        buf_put(&x->packets, topic, t);
        if (x->qos) buf_byte(&x->packets, (char)((i % 2000 + 1) >> 8));
        if (x->qos) buf_byte(&x->packets, (char)((i % 2000 + 1) & 255));
        buf_put(&x->packets, value, v);
        if (i % BATCH == BATCH - 1) x->batch[i / BATCH] = x->packets.n;
    }
}

static void send_all(int fd, const char *p, int64_t n) {
    while (n > 0) {
        ssize_t w = write(fd, p, (size_t)n);
        if (w <= 0) _exit(3);
        p += w;
        n -= w;
    }
}

static void read_all(int fd, int64_t n) {
    char skip[8192];
    while (n > 0) {
        ssize_t r = read(fd, skip, n < (int64_t)sizeof skip ? (size_t)n : sizeof skip);
        if (r <= 0) _exit(4);
        n -= r;
    }
}

static int dial(int port) {
    static const char hello[] = "\x10\x11\0\4MQTT\4\2\0\0\0\5bench";
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa)) _exit(2);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    send_all(fd, hello, sizeof hello - 1);
    read_all(fd, 4);
    return fd;
}

// A process of its own, so that it costs the subscriber nothing but the processor.
static pid_t publish(Load *x) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid) return pid;
    int fd = dial(x->broker.port);
    int64_t from = 0;
    for (int i = 0; i < MESSAGES / BATCH; i++) {
        send_all(fd, x->packets.p + from, x->batch[i] - from);
        from = x->batch[i];
        if (x->qos && i) read_all(fd, BATCH * 4);
    }
    if (x->qos) read_all(fd, BATCH * 4);
    send_all(fd, "\xc0", 2); // PINGREQ: when it is answered, all was read
    read_all(fd, 2);
    _exit(0);
}

static void ended(pid_t pid) {
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// ---- the peer -----------------------------------------------------------------------------------------------------

typedef struct Peer {
    _Atomic int64_t count;
    _Atomic bool ready;
    int qos;
} Peer;

static void peer_connect(struct mosquitto *m, void *ctx, int rc) {
    Peer *p = ctx;
    CHECK(rc == 0);
    CHECK(!mosquitto_subscribe(m, NULL, "plant/+/+", p->qos));
}

static void peer_subscribed(struct mosquitto *m, void *ctx, int mid, int n, const int *granted) {
    (void)m, (void)mid, (void)n, (void)granted;
    ((Peer *)ctx)->ready = true;
}

static void peer_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *msg) {
    (void)m, (void)msg;
    ((Peer *)ctx)->count++;
}

static double peer_rate(Load *x) {
    Peer p = {.qos = x->qos};
    struct mosquitto *m = mosquitto_new("peer", true, &p);
    CHECK(m);
    mosquitto_connect_callback_set(m, peer_connect);
    mosquitto_subscribe_callback_set(m, peer_subscribed);
    mosquitto_message_callback_set(m, peer_message);
    CHECK(!mosquitto_connect(m, "127.0.0.1", x->broker.port, 60));
    CHECK(!mosquitto_loop_start(m));
    while (!p.ready) thread_sleep_ns(NS_PER_MS);
    int64_t start = time_mono_ns();
    pid_t pid = publish(x);
    while (p.count < MESSAGES) thread_sleep_ns(NS_PER_MS);
    double rate = MESSAGES / bench_seconds(start);
    ended(pid);
    mosquitto_disconnect(m);
    mosquitto_loop_stop(m, false);
    mosquitto_destroy(m);
    return rate;
}

// ---- ours ---------------------------------------------------------------------------------------------------------

typedef struct Told {
    _Atomic int status; // 0: not yet
    Buf body;
} Told;

static void on_told(void *arg, const SosiaTold *t) {
    Told *x = arg;
    buf_str_put(&x->body, t->err ? t->message : t->body);
    x->status = t->err ? 500 : t->status;
}

static int ask(Load *x, const char *method, const char *body, Told *t) {
    buf_reset(&t->body);
    t->status = 0;
    SosiaAsk a = {.method = str_of(method), .folder = STR("connections"), .id = STR("bench"), .body = str_of(body)};
    sosia_connect_ask(x->connect, NULL, &a, on_told, t);
    while (!t->status) thread_sleep_ns(NS_PER_MS / 4);
    return t->status;
}

static int64_t counter(Load *x, const char *name) {
    Buf b = {0};
    int64_t value = -1;
    sosia_connect_stats(x->connect, &b);
    buf_byte(&b, 0);
    const char *at = strstr(b.p, name);
    if (at) value = strtoll(at + strlen(name), NULL, 10);
    buf_free(&b);
    CHECK(value >= 0);
    return value;
}

static double sosia_rate(Load *x) {
    Told t = {0};
    char document[300], mark[40];
    snprintf(document, sizeof document,
             "{\"kind\":\"mqtt\",\"url\":\"mqtt://127.0.0.1:%d\",\"clientId\":\"ours\",\"version\":\"3.1.1\","
             "\"cleanStart\":true,\"subscriptions\":[{\"topic\":\"plant/{twin}/{property}\",\"qos\":%d}]}",
             x->broker.port, x->qos);
    int status = ask(x, "PUT", document, &t);
    if (status != 200 && status != 201) fprintf(stderr, "%.*s\n", STR_ARG(buf_str(&t.body)));
    CHECK(status == 200 || status == 201);
    snprintf(mark, sizeof mark, "\"up\":");
    while (counter(x, mark) != 1) thread_sleep_ns(NS_PER_MS);
    thread_sleep_ns(200 * NS_PER_MS); // the subscription follows at once
    int64_t before = counter(x, "\"accepted\":"), start = time_mono_ns();
    pid_t pid = publish(x);
    while (counter(x, "\"accepted\":") < before + MESSAGES) thread_sleep_ns(NS_PER_MS);
    double rate = MESSAGES / bench_seconds(start);
    ended(pid);
    CHECK(counter(x, "\"rejected\":") == 0 && counter(x, "\"errors\":") == 0);
    CHECK(ask(x, "DELETE", "", &t) == 204);
    buf_free(&t.body);
    return rate;
}

static void measure(Load *x, const char *name, const char *options, int qos) {
    double peer[ROUNDS];
    Bench b = {.name = name, .unit = "msg/s"};
    if (!broker_open(&x->broker, options)) return;
    x->qos = qos;
    make_packets(x);
    peer_rate(x);
    sosia_rate(x);
    for (int r = 0; r < ROUNDS; r++) {
        peer[r] = peer_rate(x);
        bench_add(&b, sosia_rate(x));
    }
    b.peer = "libmosquitto, doing nothing";
    b.peer_value = bench_median(peer, ROUNDS);
    b.goal = b.peer_value * 0.9;
    bench_print(&b);
    broker_close(&x->broker);
}

int main(void) {
    static Load x;
    Broker probe;
    if (!broker_open(&probe, "")) {
        fprintf(stderr, "SKIP ingest.mqtt: mosquitto is not installed\n");
        return 0;
    }
    broker_close(&probe);
    mosquitto_lib_init();
    x.batch = mem_alloc(sizeof *x.batch * (MESSAGES / BATCH));
    scene_open(&x.scene, TWINS);
    CHECK(!sosia_connect_start(&(SosiaConnectOpen){0}, x.scene.s, &x.connect, NULL));
    measure(&x, "ingest.mqtt_qos0", "log_type none", 0);
    measure(&x, "ingest.mqtt_qos1", "log_type none\nmax_inflight_messages 10000", 1);
    measure(&x, "ingest.mqtt_qos1_20_in_flight", "log_type none", 1);
    sosia_connect_stop(x.connect);
    scene_close(&x.scene);
    buf_free(&x.packets);
    mem_free(x.batch);
    return 0;
}
