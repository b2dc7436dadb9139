// SPDX-License-Identifier: Apache-2.0
// Speed of reading line protocol: points a second of what Telegraf sends, all of it, and with the head left as it is.
#include "base/bench.h"
#include "base/check.h"
#include "base/rng.h"
#include "codec/lineproto.h"

#define ROUNDS 9
#define POINTS 5000

// Returns points a second.
static double rate(Str text, bool whole) {
    Arena arena;
    int64_t n = 0, start = time_mono_ns();
    arena_init(&arena, 0);
    do {
        LineProto r;
        LpPoint p;
        Str head;
        arena_reset(&arena);
        lineproto_init(&r, text, 1, 0, &arena);
        if (whole) {
            while (lineproto_next(&r, &p) == LP_POINT) n++;
        } else {
            while (lineproto_head(&r, &head) == LP_POINT && lineproto_rest(&r, &p) == LP_POINT) n++;
        }
        CHECK(r.p == r.end);
        lineproto_free(&r);
    } while (time_mono_ns() - start < 100 * NS_PER_MS);
    arena_free(&arena);
    return (double)n / bench_seconds(start);
}

static void measure(const char *name, double goal, Str text, bool whole) {
    Bench b = {.name = name, .unit = "points/s", .goal = goal};
    rate(text, whole);
    for (int i = 0; i < ROUNDS; i++) bench_add(&b, rate(text, whole));
    bench_print(&b);
}

int main(void) {
    Rng g = rng_make(7, 0);
    Buf one = {0}, many = {0};
    for (int i = 0; i < POINTS; i++) {
        int host = (int)(rng_u64(&g) % 1000);
        long long t = 1700000000000000000LL + (long long)i * 1000000;
        buf_printf(&one, "sensor,id=s%d value=%.2f %lld\n", host, (double)(rng_u64(&g) % 10000) / 100, t);
        buf_printf(&many,
                   "cpu,cpu=cpu%d,host=host-%d.example.org usage_user=%.3f,usage_system=%.3f,usage_idle=%.3f,"
                   "usage_iowait=0,cores=%di,state=\"running\" %lld\n",
                   i % 8, host, (double)(rng_u64(&g) % 100000) / 1000, (double)(rng_u64(&g) % 100000) / 1000,
                   (double)(rng_u64(&g) % 100000) / 1000, i % 64, t);
    }
    measure("codec.lineproto_small", 5e6, buf_str(&one), true);
    measure("codec.lineproto_small_known", 0, buf_str(&one), false);
    measure("codec.lineproto_six_fields", 0, buf_str(&many), true);
    buf_free(&one);
    buf_free(&many);
    return 0;
}
