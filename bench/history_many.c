// SPDX-License-Identifier: Apache-2.0
// History of very many series: memory that points take before they are in blocks, and that of the whole process.
//   history_many_bench [TWINS [ROUNDS]]   1,000,000 twins of five properties; 3 values of each
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
#define LOOK_EVERY 20 // batches

static _Atomic int64_t out, failed;

static void on_done(void *arg, const SosiaDone *d) {
    (void)arg;
    if (d->err) atomic_fetch_add(&failed, 1);
    atomic_fetch_sub(&out, 1);
}

static void wait_below(int64_t max) {
    while (atomic_load(&out) >= max) thread_sleep_ns(20000);
}

static double resident_mb(void) {
    long pages = 0, unused = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &unused, &pages) != 2) scene_check(SOSIA_IO, "/proc/self/statm");
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static double head_mb(Scene *x, SosiaOut *stats) {
    scene_check(sosia_read(x->s, NULL, &(SosiaRead){.what = SOSIA_GET_STATS}, stats), "stats");
    buf_byte(&stats->body, 0);
    const char *at = strstr(stats->body.p, "\"headBytes\":");
    if (!at) scene_check(SOSIA_ARGUMENT, "stats without headBytes");
    return strtod(at + strlen("\"headBytes\":"), NULL) / 1e6;
}

// A value of every series, in order of twins as a poll of a plant brings them.
static void one_round(Scene *x, SosiaUpdate *updates, int round, SosiaOut *stats, double *most) {
    int64_t points = x->twins * SCENE_FIELDS;
    for (int64_t at = 0; at < points; at += BATCH) {
        int64_t n = points - at < BATCH ? points - at : BATCH;
        wait_below(UNDER_WAY);
        for (int64_t i = 0; i < n; i++) {
            double v = (double)(200 + (at + i) % 90 + (at + i) * 7 % (round + 3)) / 10;
            updates[i] = (SosiaUpdate){.at = x->at[at + i], .value = {.kind = SOSIA_F64, .d = v}};
            updates[i].source_time_ns = INT64_C(1700000000) * NS_PER_S + round * NS_PER_S;
        }
        atomic_fetch_add(&out, 1);
        scene_check(sosia_apply_async(x->s, NULL, (SosiaStr){0}, updates, n, on_done, NULL), "apply");
        if (at / BATCH % LOOK_EVERY) continue;
        double now = head_mb(x, stats);
        if (now > *most) *most = now;
    }
}

int main(int argc, char **argv) {
    static Scene x;
    int64_t twins = argc > 1 ? atoll(argv[1]) : 1000000;
    int rounds = argc > 2 ? atoi(argv[2]) : 3;
    Bench heads = {.name = "history.heads_5m", .unit = "MB", .goal = 268.5, .less = true};
    Bench process = {.name = "history.heads_5m_resident", .unit = "MB"};
    Bench speed = {.name = "history.heads_5m_rate", .unit = "M/s"};
    SosiaUpdate *updates = mem_alloc(sizeof *updates * BATCH);
    SosiaOut stats = {.etag = ""};
    double most = 0;
    scene_open(&x, twins);
    process.peer = "MB before the first value";
    process.peer_value = resident_mb();
    int64_t start = time_mono_ns();
    for (int i = 0; i < rounds; i++) one_round(&x, updates, i, &stats, &most);
    wait_below(1);
    bench_add(&speed, (double)(twins * SCENE_FIELDS) * rounds / bench_seconds(start) / 1e6);
    bench_add(&heads, most);
    bench_add(&process, resident_mb());
    bench_print(&heads);
    bench_print(&process);
    bench_print(&speed);
    if (atomic_load(&failed)) scene_check(SOSIA_STORAGE, "batches");
    sosia_out_free(&stats);
    mem_free(updates);
    scene_close(&x);
    return 0;
}
