// SPDX-License-Identifier: Apache-2.0
// What history costs and answers, through sosia.h: ingest with it and without in turns, a stream for minutes with the
// memory beside it, series. Worlds as they were: past.c.
//   history_run_bench [SECONDS [TWINS]]   of the stream (120), its twins (100,000)
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/bench.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/thread.h"
#include "ingest_scene.h"

#define BATCH 5000
#define UNDER_WAY 32
#define COST_BATCHES 400
#define COST_ROUNDS 5
#define SERIES_POINTS 10000
#define READ_ROUNDS 21
#define ROW_SERIES 20

typedef struct Load {
    Scene scene;
    Rng rng;
    SosiaUpdate *updates;
    int64_t clock;
    _Atomic int64_t out, failed;
} Load;

static void on_done(void *arg, const SosiaDone *d) {
    Load *x = arg;
    if (d->err) atomic_fetch_add(&x->failed, 1);
    atomic_fetch_sub(&x->out, 1);
}

static void wait_below(Load *x, int64_t max) {
    while (atomic_load(&x->out) >= max) thread_sleep_ns(20000);
}

// Decimal sensor values: a tenth of a degree around what it was.
static void one_batch(Load *x) {
    int64_t points = x->scene.twins * SCENE_FIELDS;
    for (int i = 0; i < BATCH; i++) {
        int64_t at = (int64_t)rng_below(&x->rng, (uint64_t)points);
        double v = (double)(200 + at % 90 + (int64_t)rng_below(&x->rng, 7)) / 10;
        x->updates[i] =
            (SosiaUpdate){.at = x->scene.at[at], .value = {.kind = SOSIA_F64, .d = v}, .source_time_ns = x->clock};
    }
    wait_below(x, UNDER_WAY);
    x->clock += NS_PER_MS;
    atomic_fetch_add(&x->out, 1);
    scene_check(sosia_apply_async(x->scene.s, NULL, (SosiaStr){0}, x->updates, BATCH, on_done, x), "apply");
}

static void load_open(Load *x, int64_t twins, bool no_history) {
    *x = (Load){.rng = rng_make(7, 0), .clock = INT64_C(1700000000) * NS_PER_S};
    x->updates = mem_alloc(sizeof(SosiaUpdate) * BATCH);
    scene_open_with(&x->scene, twins, &(SosiaOpen){.no_history = no_history});
}

static void load_close(Load *x) {
    wait_below(x, 1);
    if (atomic_load(&x->failed)) scene_check(SOSIA_STORAGE, "batches");
    scene_close(&x->scene);
    mem_free(x->updates);
}

static double rate(Load *x, int batches) {
    int64_t start = time_mono_ns();
    for (int n = 0; n < batches; n++) one_batch(x);
    wait_below(x, 1);
    return (double)batches * BATCH / bench_seconds(start) / 1e6;
}

// ---- what it costs ------------------------------------------------------------------------------------------------

static void ingest_cost(void) {
    static Load with, without;
    Bench cost = {.name = "history.ingest_cost", .unit = "ratio", .goal = 0.25, .less = true};
    double none = 0;
    load_open(&with, 100000, false);
    load_open(&without, 100000, true);
    for (int i = 0; i < COST_ROUNDS; i++) {
        none = rate(&without, COST_BATCHES);
        bench_add(&cost, 1 - rate(&with, COST_BATCHES) / none);
    }
    cost.peer = "M/s without, last round";
    cost.peer_value = none;
    bench_print(&cost);
    load_close(&with);
    load_close(&without);
}

static double resident_mb(void) {
    long pages = 0, unused = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &unused, &pages) != 2) scene_check(SOSIA_IO, "/proc/self/statm");
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static double stat_of(Load *x, const char *name) {
    SosiaOut out = {.etag = ""};
    scene_check(sosia_read(x->scene.s, NULL, &(SosiaRead){.what = SOSIA_GET_STATS}, &out), "stats");
    buf_byte(&out.body, 0);
    const char *at = strstr(out.body.p, name);
    double v = at ? strtod(at + strlen(name) + 2, NULL) : -1;
    sosia_out_free(&out);
    return v;
}

static void sustained(Load *x, double seconds) {
    Bench speed = {.name = "history.sustained", .unit = "M/s", .goal = 1};
    Bench growth = {.name = "history.sustained_growth", .unit = "MB", .goal = 64, .less = true};
    Bench heads = {.name = "history.head_bytes", .unit = "MB", .goal = 268.5, .less = true};
    int64_t start = time_mono_ns(), batches = 0;
    double half_mb = 0;
    while (bench_seconds(start) < seconds) {
        one_batch(x);
        batches++;
        if (half_mb <= 0 && bench_seconds(start) > seconds / 2) half_mb = resident_mb();
    }
    wait_below(x, 1);
    bench_add(&speed, (double)batches * BATCH / bench_seconds(start) / 1e6);
    bench_print(&speed);
    bench_add(&growth, resident_mb() - half_mb);
    bench_print(&growth);
    bench_add(&heads, stat_of(x, "\"headBytes\"") / 1e6);
    bench_print(&heads);
}

// ---- what it answers ----------------------------------------------------------------------------------------------

static void sql_check(sqlite3 *db, int got, int want) {
    if (got == want) return;
    fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
    exit(1);
}

// The same mean by SQL over rows (series, time, value) of ROW_SERIES such series: milliseconds, the median.
static double sqlite_rows(Load *x) {
    Bench read = {0};
    sqlite3 *db;
    sqlite3_stmt *put, *mean;
    char path[80];
    snprintf(path, sizeof path, "%s/rows.db", x->scene.dir);
    sql_check(NULL, sqlite3_open(path, &db), SQLITE_OK);
    const char *make = "PRAGMA journal_mode=OFF; BEGIN; CREATE TABLE v (series INT, time INT, value REAL,"
                       " PRIMARY KEY (series, time)) WITHOUT ROWID";
    sql_check(db, sqlite3_exec(db, make, NULL, NULL, NULL), SQLITE_OK);
    sql_check(db, sqlite3_prepare_v2(db, "INSERT INTO v VALUES (?,?,?)", -1, &put, NULL), SQLITE_OK);
    for (int n = 0; n < SERIES_POINTS * ROW_SERIES; n++) {
        sqlite3_bind_int(put, 1, n / SERIES_POINTS);
        sqlite3_bind_int(put, 2, 1500000000 + n % SERIES_POINTS);
        sqlite3_bind_double(put, 3, (double)(n % 977) / 10);
        sql_check(db, sqlite3_step(put), SQLITE_DONE);
        sqlite3_reset(put);
    }
    sql_check(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    const char *ask = "SELECT avg(value) FROM v WHERE series = 7 AND time >= 1500000000 AND time < 1600000000";
    sql_check(db, sqlite3_prepare_v2(db, ask, -1, &mean, NULL), SQLITE_OK);
    for (int i = 0; i < READ_ROUNDS; i++) {
        int64_t start = time_mono_ns();
        sql_check(db, sqlite3_step(mean), SQLITE_ROW);
        bench_add(&read, bench_seconds(start) * 1e3);
        sqlite3_reset(mean);
    }
    sqlite3_finalize(put);
    sqlite3_finalize(mean);
    sqlite3_close(db);
    unlink(path);
    return bench_median(read.value, read.rounds);
}

// One series of SERIES_POINTS values, a second apart.
static void read_10k(Load *x) {
    Bench read = {.name = "history.read_10k", .unit = "ms", .goal = 2, .less = true};
    Bench first = {
        .name = "history.read_10k_first", .unit = "ms", .less = true}; // what came before is still on its way
    int64_t from = INT64_C(1500000000) * NS_PER_S;
    for (int n = 0; n < SERIES_POINTS; n += BATCH) {
        for (int i = 0; i < BATCH; i++)
            x->updates[i] = (SosiaUpdate){.at = x->scene.at[0],
                                          .value = {.kind = SOSIA_F64, .d = (double)((n + i) % 977) / 10},
                                          .source_time_ns = from + (n + i) * NS_PER_S};
        scene_check(sosia_apply(x->scene.s, NULL, (SosiaStr){0}, x->updates, BATCH, NULL), "series");
    }
    SosiaStr property = STR("p0");
    SosiaHistory h = {.id = STR("pump-0"), .properties = &property, .property_count = 1, .fn = STR("avg")};
    h.from_ns = from;
    h.to_ns = from + SERIES_POINTS * NS_PER_S;
    SosiaOut out = {.etag = ""};
    for (int i = 0; i < READ_ROUNDS; i++) {
        int64_t start = time_mono_ns();
        scene_check(sosia_history(x->scene.s, NULL, &h, &out), "history");
        bench_add(i ? &read : &first, bench_seconds(start) * 1e3);
    }
    fprintf(stderr, "bench: %.*s\n", (int)(out.body.n < 200 ? out.body.n : 200), out.body.p);
    bench_print(&first);
    read.peer = "sqlite rows";
    read.peer_value = sqlite_rows(x);
    bench_print(&read);
    sosia_out_free(&out);
}

int main(int argc, char **argv) {
    static Load x;
    double seconds = argc > 1 ? atof(argv[1]) : 120;
    int64_t twins = argc > 2 ? atoll(argv[2]) : 100000;
    ingest_cost();
    load_open(&x, twins, false);
    sustained(&x, seconds);
    read_10k(&x);
    load_close(&x);
    return 0;
}
