// SPDX-License-Identifier: Apache-2.0
// Speed of reading Sparkplug B payloads: data of 20 metrics by alias and births of 1,000 by name, decoded and with
// every value taken. The peer is the library alone on the same bytes (no walk before it, no values).
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"
#include "codec/sparkplug.h"

#define ROUNDS 9

static volatile double sink;
static Arena arena;

// A payload of n metrics, by alias or by name with its type.
static Str make(int64_t n, bool birth, Arena *keep) {
    SpPayload *p = sparkplug_new(keep, n);
    Buf b = {0};
    p->has_timestamp = true, p->timestamp = 1700000000000;
    p->has_seq = true, p->seq = 7;
    for (int64_t i = 0; i < n; i++) {
        SpMetric *m = p->metrics[i];
        m->has_alias = true, m->alias = (uint64_t)i;
        m->has_timestamp = true, m->timestamp = 1700000000000 + (uint64_t)i;
        m->value_case = SP__METRIC__VALUE_DOUBLE_VALUE, m->double_value = 20 + (double)i / 8;
        if (!birth) continue;
        m->has_name = true, m->name = sp_bytes(arena_printf(keep, "Line 1/Cell %lld/Temperature", (long long)i));
        m->has_datatype = true, m->datatype = SP_DOUBLE;
    }
    CHECK(sparkplug_encode(p, &b) == ERR_OK);
    Str s = arena_str(keep, buf_str(&b));
    buf_free(&b);
    return s;
}

static double ours(Str bytes) {
    const SpPayload *p;
    double sum = 0;
    arena_reset(&arena);
    CHECK(sparkplug_decode(bytes, &arena, &p, NULL) == ERR_OK);
    for (size_t i = 0; i < p->n_metrics; i++) {
        SpValue v;
        CHECK(sparkplug_value(p->metrics[i], SP_DOUBLE, &arena, &v, NULL) == ERR_OK);
        sum += v.d;
    }
    return sum;
}

static void *take(void *data, size_t n) { return arena_alloc(data, (int64_t)n, 1, 16); }
static void drop(void *data, void *p) { (void)data, (void)p; }

static double library(Str bytes) {
    ProtobufCAllocator a = {take, drop, &arena};
    arena_reset(&arena);
    return (double)sp__payload__unpack(&a, (size_t)bytes.n, (const uint8_t *)bytes.p)->n_metrics;
}

// Millions of metrics a second.
static double rate(double (*fn)(Str), Str bytes, double metrics) {
    int64_t n = 0, start = time_mono_ns(), now;
    do {
        sink += fn(bytes);
        n++;
        now = time_mono_ns();
    } while (now - start < 100 * NS_PER_MS);
    return (double)n * metrics * 1e3 / (double)(now - start);
}

static void measure(const char *name, Str bytes, double metrics, double goal) {
    Bench b = {.name = name, .unit = "M/s", .goal = goal};
    double peer[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        bench_add(&b, rate(ours, bytes, metrics));
        peer[i] = rate(library, bytes, metrics);
    }
    b.peer = "libprotobuf-c";
    b.peer_value = bench_median(peer, ROUNDS);
    bench_print(&b);
}

int main(void) {
    Arena keep;
    arena_init(&keep, 0), arena_init(&arena, 8 << 20);
    measure("sparkplug.decode_data", make(20, false, &keep), 20, 3);
    measure("sparkplug.decode_birth", make(1000, true, &keep), 1000, 2);
    arena_free(&keep), arena_free(&arena);
    return 0;
}
