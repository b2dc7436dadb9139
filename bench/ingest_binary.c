// SPDX-License-Identifier: Apache-2.0
// Updates by handle and points by name through sosia.h, durable and published: batches of 5,000, up to 32 under way,
// twins drawn at random.
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/bench.h"
#include "base/mem.h"
#include "base/thread.h"
#include "ingest_scene.h"

#define TWINS 100000
#define BATCH 5000
#define BATCHES 600
#define ROUNDS 5
#define UNDER_WAY 32

typedef struct Load {
    Scene scene;
    Rng rng;
    SosiaInlet *inlet;
    char (*ids)[16];
    SosiaUpdate *updates;
    SosiaPoint *points;
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

static void one_apply(Load *x) {
    for (int i = 0; i < BATCH; i++)
        x->updates[i] = (SosiaUpdate){.at = x->scene.at[rng_below(&x->rng, TWINS * SCENE_FIELDS)],
                                      .value = {.kind = SOSIA_F64, .d = rng_f64(&x->rng)},
                                      .source_time_ns = x->clock};
    scene_check(sosia_apply_async(x->scene.s, NULL, (SosiaStr){0}, x->updates, BATCH, on_done, x), "apply");
}

static void one_put(Load *x) {
    static const SosiaStr paths[SCENE_FIELDS] = {{"p0", 2}, {"p1", 2}, {"p2", 2}, {"p3", 2}, {"p4", 2}};
    for (int i = 0; i < BATCH; i++) {
        const char *id = x->ids[rng_below(&x->rng, TWINS)];
        x->points[i] = (SosiaPoint){.twin = str_of(id),
                                    .path = paths[rng_below(&x->rng, SCENE_FIELDS)],
                                    .value = {.kind = SOSIA_F64, .d = rng_f64(&x->rng)},
                                    .source_time_ns = x->clock};
    }
    scene_check(sosia_inlet_put(x->inlet, x->points, BATCH, on_done, x), "put");
}

static double rate(Load *x, void (*one)(Load *x)) {
    int64_t start = time_mono_ns();
    for (int n = 0; n < BATCHES; n++) {
        wait_below(x, UNDER_WAY);
        x->clock += NS_PER_MS; // nothing is said twice
        atomic_fetch_add(&x->out, 1);
        one(x);
    }
    wait_below(x, 1);
    return (double)BATCHES * BATCH / bench_seconds(start) / 1e6;
}

int main(void) {
    static Load x;
    x.rng = rng_make(7, 0);
    x.clock = INT64_C(1700000000) * NS_PER_S;
    x.updates = mem_alloc(sizeof(SosiaUpdate) * BATCH);
    x.points = mem_alloc(sizeof(SosiaPoint) * BATCH);
    x.ids = mem_alloc(sizeof *x.ids * TWINS);
    for (int i = 0; i < TWINS; i++) snprintf(x.ids[i], sizeof x.ids[i], "pump-%d", i);
    scene_open(&x.scene, TWINS);
    scene_check(sosia_inlet_open(x.scene.s, &(SosiaInletOpen){0}, &x.inlet), "inlet");
    Bench apply = {.name = "ingest.binary", .unit = "M/s", .goal = 3};
    Bench put = {.name = "ingest.points", .unit = "M/s", .goal = 1};
    for (int i = 0; i < ROUNDS; i++) {
        bench_add(&apply, rate(&x, one_apply));
        bench_add(&put, rate(&x, one_put));
    }
    bench_print(&apply);
    bench_print(&put);
    sosia_inlet_close(x.inlet);
    scene_close(&x.scene);
    mem_free(x.updates);
    mem_free(x.points);
    mem_free(x.ids);
    if (atomic_load(&x.failed)) fprintf(stderr, "%lld batches failed\n", (long long)atomic_load(&x.failed));
    return atomic_load(&x.failed) != 0;
}
