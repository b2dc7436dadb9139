// SPDX-License-Identifier: Apache-2.0
// The host of engines by itself: events through columns of the graph, what it costs to gather a world of a million
// twins, to copy a run over it and to write one down.
#include <math.h>
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"
#include "sim/test_sim.h"

enum { DESKS = 1000, ROUNDS = 5, EVENTS = 1000000, UNITS = 500000 };

static void must(Err e) { CHECK(e == ERR_OK); }

static void add(Sim *s, const sim_engine *e, const SimBind *roles, uint32_t n, const void *config) {
    must(sim_add(s, &(SimEngine){.engine = e, .roles = roles, .role_count = n, .config = config}, NULL));
}

static bool count(void *ctx, sim_time t, uint16_t lane, const SimCell *cells, uint32_t n) {
    (void)t, (void)lane, (void)cells;
    *(int64_t *)ctx += n;
    return true;
}

// A thousand queues; a memoryless engine reads each of their lengths and writes what follows; all of it is told.
static void bench_events(void) {
    static const ToySum twice = {2, 0, 0};
    TestSim t;
    Bench b = {.name = "sim.clock_events", .unit = "M/s", .goal = 1};
    test_sim_open(&t, DESKS, 1);
    for (int r = 0; r < ROUNDS; r++) {
        Sim *s = sim_new(&(SimOpen){.graph = t.g, .epoch_ns = TEST_SIM_EPOCH, .seed = 1, .lanes = 1});
        uint32_t queue = test_column(&t, s, UNIT_QUEUE), on = test_column(&t, s, UNIT_ON);
        add(s, &toy_queue, (SimBind[]){{.column = queue}, {.column = on}}, 2, NULL);
        add(s, &toy_sum,
            (SimBind[]){{.column = queue}, {.column = UINT32_MAX}, {.column = test_column(&t, s, UNIT_SUM)}}, 3,
            &twice);
        test_gather(&t, s, 1);
        must(sim_start(s, NULL));
        SimStats before, after;
        int64_t told = 0, begin = time_mono_ns();
        sim_stats(s, &before);
        must(sim_run(s, 1e9, EVENTS, &(SimSink){.ctx = &told, .told = count}, NULL, NULL));
        double seconds = bench_seconds(begin);
        sim_stats(s, &after);
        CHECK(after.events - before.events >= EVENTS && told > EVENTS);
        bench_add(&b, (double)(after.events - before.events) / seconds / 1e6);
        sim_free(s);
    }
    bench_print(&b);
    test_sim_close(&t);
}

static double graph_ms(const TestSim *t) {
    SimGraph *g;
    View v;
    int64_t begin = time_mono_ns();
    view_begin(&v, t->w);
    must(sim_graph(&v, &g));
    view_end(&v);
    double ms = bench_seconds(begin) * 1e3;
    sim_graph_unref(g);
    return ms;
}

// Two columns of 500,000 rows in a world of a million twins: one that an engine writes, one that forks share.
static void bench_million(void) {
    TestSim t;
    Bench graph = {.name = "sim.graph_1m", .unit = "ms", .less = true};
    Bench gather = {.name = "sim.gather_1m", .unit = "ms", .less = true};
    Bench fork = {.name = "sim.run_fork_1m", .unit = "ms", .less = true};
    Bench save = {.name = "sim.run_save_1m", .unit = "ms", .less = true};
    test_sim_open(&t, UNITS, 1);
    for (int r = 0; r < ROUNDS; r++) {
        bench_add(&graph, graph_ms(&t));
        Sim *s = sim_new(&(SimOpen){.graph = t.g, .epoch_ns = TEST_SIM_EPOCH, .lanes = 1});
        uint32_t rate = test_column(&t, s, UNIT_RATE), level = test_column(&t, s, UNIT_LEVEL);
        add(s, &toy_tank, (SimBind[]){{.column = rate}, {.column = level}}, 2, NULL);
        int64_t begin = time_mono_ns();
        test_gather(&t, s, 1);
        bench_add(&gather, bench_seconds(begin) * 1e3);
        must(sim_start(s, NULL));
        must(sim_run(s, 10, 0, NULL, NULL, NULL));
        begin = time_mono_ns();
        Sim *f = sim_fork(s);
        bench_add(&fork, bench_seconds(begin) * 1e3);
        Buf out = {.max = INT64_MAX};
        begin = time_mono_ns();
        sim_save(f, &out);
        bench_add(&save, bench_seconds(begin) * 1e3);
        fprintf(stderr, "a run of 500,000 rows: %.1f MB saved\n", (double)out.n / 1e6);
        buf_free(&out);
        sim_free(f);
        sim_free(s);
    }
    bench_print(&graph);
    bench_print(&gather);
    bench_print(&fork);
    bench_print(&save);
    test_sim_close(&t);
}

int main(void) {
    bench_events();
    bench_million();
    return 0;
}
