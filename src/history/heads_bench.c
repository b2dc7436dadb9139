// SPDX-License-Identifier: Apache-2.0
// What history costs in memory and time: points into heads, heads into blocks, and reading them back.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "history/history_inner.h"

enum { TWINS = 100000, PROPS = 5, BATCH = 1000, ROUNDS = 5, COLD_ROUNDS = 11, VEC = 80 };
#define TIME0 INT64_C(1700000000000000000)
#define POINTS INT64_C(4000000)

typedef struct Scene {
    Domain *domain;
    Store *store;
    World *world;
    History *h;
    uint64_t seq;
    char path[64];
} Scene;

static void on_commit(void *ctx, uint64_t seq) { (void)ctx, (void)seq; }
static void on_fail(void *ctx, Err err, const char *why) {
    (void)ctx, (void)err;
    fprintf(stderr, "%s\n", why);
    abort();
}
static void on_replay(void *ctx, const BatchHead *head, Str trail) { history_replay(((Scene *)ctx)->h, head, trail); }

static void open_scene(Scene *s) {
    *s = (Scene){.path = "/tmp/sosia-history-bench-XXXXXX"};
    int fd = mkstemp(s->path);
    CHECK(fd >= 0);
    close(fd);
    unlink(s->path);
    const StoreOpen o = {
        .path = str_of(s->path), .ctx = s, .on_commit = on_commit, .on_fail = on_fail, .on_replay = on_replay};
    Buf why = {0};
    s->domain = domain_new();
    s->h = history_new(&(HistoryOpen){0});
    CHECK(store_open(&o, s->domain, 1024, &s->store, &s->world, &why) == ERR_OK);
    CHECK(history_open(s->h, s->store, s->world, &why) == ERR_OK);
    CHECK(store_start(s->store) == ERR_OK);
}

static void close_scene(Scene *s) {
    char rm[320];
    history_close(s->h);
    store_close(s->store);
    world_free(s->world);
    domain_free(s->domain);
    snprintf(rm, sizeof rm, "rm -f %s %s-wal %s-shm %s.lock", s->path, s->path, s->path, s->path);
    CHECK(system(rm) == 0);
}

// A batch of values of sensors that walk: with two digits, a source time some ms before.
static void make_batch(Rng *rng, uint64_t seq, Buf *out) {
    buf_reset(out);
    int64_t time = TIME0 + (int64_t)seq * 1000000;
    for (int i = 0; i < BATCH; i++) {
        uint64_t row = rng_below(rng, TWINS);
        double value = 20 + (double)(row % 100) + (double)rng_below(rng, 300) / 100;
        uint64_t bits;
        memcpy(&bits, &value, 8);
        const TrailPoint p = {.kind = TRAIL_PUT,
                              .cell = CELL_F64,
                              .vec = VEC + (uint32_t)rng_below(rng, PROPS),
                              .row = row,
                              .bits = bits,
                              .source_time = time - (int64_t)rng_below(rng, 50) * 1000000};
        trail_put(out, &p);
    }
}

static void bench_append(Scene *s, Bench *append, Bench *room, Bench *seal, Bench *size) {
    Rng rng = rng_make(1, 1);
    HistoryStats before, after;
    Buf *trails = mem_alloc((size_t)(POINTS / BATCH) * sizeof *trails);
    for (int64_t i = 0; i < POINTS / BATCH; i++) make_batch(&rng, s->seq + 1 + (uint64_t)i, &trails[i]);
    history_stats(s->h, &before);
    int64_t begin = time_mono_ns();
    for (int64_t i = 0; i < POINTS / BATCH; i++) {
        s->seq++;
        head_append(s->h, s->seq, TIME0 + (int64_t)s->seq * 1000000, (HistorySource){0}, buf_str(&trails[i]), false);
    }
    bench_add(append, (double)(time_mono_ns() - begin) / (double)POINTS);
    history_stats(s->h, &after);
    bench_add(room, (double)(after.head_bytes - before.head_bytes) / (double)POINTS);
    atomic_store(&s->h->taken, s->seq);
    StoreStats sb, sa;
    store_stats(s->store, &sb);
    history_seal(s->h, s->seq);
    while (history_step(s->h) || !seal_idle(s->h)) {}
    history_stats(s->h, &after);
    store_stats(s->store, &sa);
    bench_add(seal, (double)(after.seal_ns - before.seal_ns) / (double)POINTS);
    bench_add(size, (double)(sa.history_bytes - sb.history_bytes) / (double)POINTS);
    for (int64_t i = 0; i < POINTS / BATCH; i++) buf_free(&trails[i]);
    mem_free(trails);
}

static bool count_point(void *ctx, const HistoryPoint *p) {
    (void)p;
    ++*(int64_t *)ctx;
    return true;
}

// 1,000 twins, side by side or anywhere: their last values at some instant. cold: no block was opened before.
static void bench_last(Scene *s, Bench *b, bool anywhere, bool cold) {
    Rng rng = rng_make(2, 2);
    uint64_t rows[1000];
    HistoryPoint *out = mem_alloc(1000 * sizeof *out);
    Arena keep;
    arena_init(&keep, 0);
    for (int k = 0; k < (cold ? COLD_ROUNDS : ROUNDS); k++) {
        uint64_t first = rng_below(&rng, TWINS - 1000);
        for (uint64_t i = 0; i < 1000; i++) rows[i] = anywhere ? rng_below(&rng, TWINS) : first + i;
        if (cold) cached_free(&s->h->cache);
        int64_t at = TIME0 + (int64_t)(s->seq / 2) * 1000000, begin = time_mono_ns();
        CHECK(history_last(s->h, trail_lane(VEC, 0), rows, 1000, at, &keep, out) == ERR_OK);
        bench_add(b, (double)(time_mono_ns() - begin) / 1e6);
        arena_reset(&keep);
    }
    arena_free(&keep);
    mem_free(out);
}

static void bench_states(Scene *s, Bench *b, uint32_t rows) {
    Rng rng = rng_make(3, 3);
    for (int k = 0; k < 20; k++) {
        HistoryDesk *d = history_desk_take(s->h);
        HState *states = NEW(&d->arena, HState, HBLOCK_ROWS);
        uint64_t page = rng_below(&rng, TWINS / 1024);
        uint64_t lane = trail_lane(VEC + (uint32_t)rng_below(&rng, PROPS), 0);
        int64_t at = TIME0 + (int64_t)rng_below(&rng, s->seq) * 1000000, begin = time_mono_ns();
        CHECK(history_states(s->h, d, lane, page, at, 0, rows - 1, states) == ERR_OK);
        bench_add(b, (double)(time_mono_ns() - begin) / 1e3);
        history_desk_give(s->h, d);
    }
}

static void bench_series(Scene *s, Bench *b) {
    for (uint64_t row = 0; row < 20; row++) {
        int64_t n = 0, begin = time_mono_ns();
        const HistorySeries a = {.lane = trail_lane(VEC, 0), .row = row * 997, .from = INT64_MIN, .to = INT64_MAX};
        CHECK(history_series(s->h, &a, count_point, &n) == ERR_OK);
        bench_add(b, (double)(time_mono_ns() - begin) / 1e3);
    }
}

int main(void) {
    Scene s;
    Bench append = {.name = "history.append", .unit = "ns/point", .goal = 333, .less = true};
    Bench room = {.name = "history.head_bytes", .unit = "B/point", .goal = 16, .less = true};
    Bench seal = {.name = "history.seal", .unit = "ns/point", .less = true};
    Bench size = {.name = "history.young_bytes", .unit = "B/point", .goal = 8, .less = true};
    Bench last = {.name = "history.last_before_1k", .unit = "ms", .goal = 5, .less = true};
    Bench apart = {.name = "history.last_before_1k_apart", .unit = "ms", .goal = 5, .less = true};
    Bench cold = {.name = "history.last_before_1k_cold", .unit = "ms", .goal = 5, .less = true};
    Bench group = {.name = "history.known_64", .unit = "us", .less = true};
    Bench page = {.name = "history.known_page", .unit = "us", .less = true};
    Bench series = {.name = "history.series_young", .unit = "us", .less = true};
    open_scene(&s);
    for (int k = 0; k < ROUNDS; k++) bench_append(&s, &append, &room, &seal, &size);
    bench_print(&append);
    bench_print(&room);
    bench_print(&seal);
    bench_print(&size);
    bench_last(&s, &last, false, false);
    bench_print(&last);
    bench_last(&s, &apart, true, false);
    bench_print(&apart);
    bench_last(&s, &cold, true, true);
    bench_print(&cold);
    bench_states(&s, &group, 64);
    bench_print(&group);
    bench_states(&s, &page, HBLOCK_ROWS);
    bench_print(&page);
    bench_series(&s, &series);
    bench_print(&series);
    close_scene(&s);
    return 0;
}
