// SPDX-License-Identifier: Apache-2.0
// Sparkplug B without the broker: payload bytes as the link hands them over -> decode -> host -> inlet -> durable and
// published. 10 nodes of 100 devices of 50 metrics, data of a device a message, by alias, in bursts of 100 messages.
// The connector's own code with its callbacks; the peer is the library alone decoding the same bytes.
#include "connect/sparkplug.c"

#include "base/bench.h"
#include "ingest_scene.h"

#define NODES 10
#define DEVICES 100
#define METRICS 50
#define PASSES 10 // over all devices, a round
#define ROUNDS 7
#define BURST 100

typedef struct Message {
    Str topic, payload;
} Message;

typedef struct Load {
    Scene scene;
    SosiaConnect connect;
    Connection connection;
    Sparkplug *s;
    Arena round; // of its messages
    Message *messages;
    int64_t count, clock_ms;
    uint32_t seq[NODES];
} Load;

static void encode(Load *x, const SpPayload *p, Str topic, Buf *b) {
    buf_reset(b);
    CHECK(sparkplug_encode(p, b) == ERR_OK);
    x->messages[x->count++] = (Message){topic, arena_str(&x->round, buf_str(b))};
}

// A payload of one device; a birth with names and types, or data by alias.
static SpPayload *make_payload(Load *x, Arena *a, int node, int device, bool birth) {
    SpPayload *p = sparkplug_new(a, METRICS);
    p->has_timestamp = true, p->timestamp = (uint64_t)x->clock_ms;
    p->has_seq = true, p->seq = x->seq[node]++ & 255;
    for (int i = 0; i < METRICS; i++) {
        SpMetric *m = p->metrics[i];
        m->has_alias = true, m->alias = (uint64_t)(device * METRICS + i);
        m->has_timestamp = true, m->timestamp = p->timestamp;
        m->value_case = SP__METRIC__VALUE_DOUBLE_VALUE, m->double_value = 20 + (double)(x->clock_ms % 1000) / 8 + i;
        if (!birth) continue;
        m->has_name = true, m->name = sp_bytes(arena_printf(a, "Line 1/Cell %d/Temperature", i));
        m->has_datatype = true, m->datatype = SP_DOUBLE;
    }
    return p;
}

static void make_pass(Load *x, bool birth) {
    Arena a;
    Buf b = {0};
    arena_init(&a, 0);
    x->clock_ms += 100;
    for (int n = 0; n < NODES; n++) {
        if (birth) {
            SpPayload *p = sparkplug_new(&a, 0);
            p->has_seq = true, x->seq[n] = 1;
            encode(x, p, arena_printf(&x->round, "spBv1.0/G/NBIRTH/E%d", n), &b);
        }
        for (int d = 0; d < DEVICES; d++, arena_reset(&a))
            encode(x, make_payload(x, &a, n, d, birth),
                   arena_printf(&x->round, "spBv1.0/G/%s/E%d/D%d", birth ? "DBIRTH" : "DDATA", n, d), &b);
    }
    buf_free(&b);
    arena_free(&a);
}

static void send_all(Load *x) {
    for (int64_t i = 0; i < x->count; i++) {
        on_message(x->s, &(MqttMessage){.topic = x->messages[i].topic, .payload = x->messages[i].payload});
        if (i % BURST == BURST - 1) on_burst(x->s);
    }
    on_burst(x->s);
    await_all(x->s);
}

static void begin_round(Load *x) {
    arena_reset(&x->round);
    x->count = 0;
}

// The library alone, with memory as cheap as ours.
static void *take(void *data, size_t n) { return arena_alloc(data, (int64_t)n, 1, 16); }
static void leave(void *data, void *p) { (void)data, (void)p; }

static double peer_rate(Load *x) {
    Arena a;
    arena_init(&a, 1 << 20);
    ProtobufCAllocator alloc = {take, leave, &a};
    int64_t start = time_mono_ns();
    for (int64_t i = 0; i < x->count; i++, arena_reset(&a)) {
        Str p = x->messages[i].payload;
        CHECK(sp__payload__unpack(&alloc, (size_t)p.n, (const uint8_t *)p.p) != NULL);
    }
    double rate = (double)x->count * METRICS / bench_seconds(start) / 1e6;
    arena_free(&a);
    return rate;
}

static void load_open(Load *x) {
    x->clock_ms = time_now_ns() / NS_PER_MS - 3600000;
    arena_init(&x->round, 4 << 20);
    x->messages = mem_alloc(sizeof(Message) * (PASSES * NODES * (DEVICES + 1) + 1));
    scene_open(&x->scene, 1);
    x->connect.engine = x->scene.s, x->connect.shapes = shapes_new(x->scene.s);
    x->connection.connect = &x->connect, x->connection.name = STR("bench");
    pthread_mutex_init(&x->connection.sample_lock, NULL);
    x->s = make(&x->connection);
    x->s->config.host = (SpHostConfig){
        .host_id = STR("sosia"), .node_twin = STR("{group}-{node}"), .device_twin = STR("{group}-{node}-{device}")};
    scene_check(sosia_inlet_open(x->scene.s, &(SosiaInletOpen){.lenient = true}, &x->s->inlet), "inlet");
    x->s->host = sparkplug_host_new(&x->s->config.host, &host_ops, x->s);
}

int main(void) {
    static Load x;
    double peer[ROUNDS];
    load_open(&x);
    begin_round(&x);
    make_pass(&x, true);
    int64_t start = time_mono_ns();
    send_all(&x);
    fprintf(stderr, "births of %d devices: %.2f s\n", NODES * DEVICES, bench_seconds(start));
    Bench b = {.name = "ingest.sparkplug", .unit = "M/s", .goal = 1};
    for (int r = 0; r < ROUNDS; r++) {
        begin_round(&x);
        for (int i = 0; i < PASSES; i++) make_pass(&x, false);
        peer[r] = peer_rate(&x);
        start = time_mono_ns();
        send_all(&x);
        bench_add(&b, (double)x.count * METRICS / bench_seconds(start) / 1e6);
    }
    b.peer = "libprotobuf-c, decoding only";
    b.peer_value = bench_median(peer, ROUNDS);
    bench_print(&b);
    int64_t want = (int64_t)(ROUNDS * PASSES + 1) * NODES * DEVICES * METRICS, got = x.connection.stats.accepted;
    bool good = got >= want && x.connection.stats.rejected == 0 && x.connection.stats.errors == 0;
    if (!good)
        fprintf(stderr, "%lld of %lld points accepted, %lld rejected, %lld errors\n", (long long)got, (long long)want,
                (long long)x.connection.stats.rejected, (long long)x.connection.stats.errors);
    drop(x.s);
    shapes_free(x.connect.shapes);
    scene_close(&x.scene);
    arena_free(&x.round);
    mem_free(x.messages);
    return good ? 0 : 1;
}
