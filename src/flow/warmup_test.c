// SPDX-License-Identifier: Apache-2.0
// Pilots: queues that settle, and how much nearer to theory their figures are then; one that cannot.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/err.h"
#include "flow/test_flow.h"

// M/M/1 with so many there at the start.
static FlowModel *queue(Net *n, double rate, uint32_t initial) {
    net_init(n);
    uint32_t source = net_node(n, (FlowNode){.kind = FLOW_SOURCE, .first_gap = true});
    uint32_t station = net_node(n, (FlowNode){.kind = FLOW_STATION, .initial = initial});
    uint32_t sink = net_node(n, (FlowNode){.kind = FLOW_SINK});
    n->nodes[source].gap = net_dist(n, FLOW_EXPONENTIAL, 1 / rate, 0, 0);
    n->nodes[station].service = net_dist(n, FLOW_EXPONENTIAL, 1, 0, 0);
    net_edge(n, source, station, 1);
    net_edge(n, station, sink, 1);
    return net_make(n);
}

static Net net;

static FlowWarmup warmup_of(const FlowModel *m, uint64_t seed, uint64_t scenario, double length) {
    FlowWarmup w;
    assert_int_equal(flow_warmup(m, &(FlowStart){.seed = seed, .scenario = scenario}, length, &w, NULL), ERR_OK);
    return w;
}

static double wait_of(const FlowModel *m, const FlowStart *s, double until) {
    FlowFigures x;
    Flow *f = flow_open(m);
    assert_int_equal(flow_run(f, s, until, NULL), ERR_OK);
    flow_figures(f, 1, &x);
    flow_close(f);
    return x.wait.mean;
}

// 500 customers at the door at the start, rho 0.8 (L = 4): they are worked off at 0.2 a second, in 2,500 s. Figures
// without the warm-up are those of the theory (Wq = 4), with it they are far from it.
static void crowd_at_the_start(void **state) {
    (void)state;
    FlowModel *m = queue(&net, 0.8, 500);
    double with = 0, without = 0, most = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        FlowWarmup w = warmup_of(m, seed, 0, 0);
        assert_true(w.settled && w.length >= 10000);
        assert_true(w.time > 1500 && w.time < 6000);
        most = fmax(most, w.time);
        without += wait_of(m, &(FlowStart){.seed = seed}, 20000) / 8;
        with += wait_of(m, &(FlowStart){.seed = seed, .warmup = w.time}, 20000) / 8;
    }
    print_message("wait %.2f, after the warm-up %.2f (4)\n", without, with);
    assert_true(without > 30);
    assert_true(fabs(with - 4) < 0.5);
    flow_model_free(m);
}

// From an empty start it is short; the answer is a function of model, seed and length alone.
static void same_for_all_scenarios(void **state) {
    (void)state;
    FlowModel *m = queue(&net, 0.5, 0);
    FlowWarmup one = warmup_of(m, 3, 0, 0), other = warmup_of(m, 3, 77, 0), given = warmup_of(m, 3, 0, one.length);
    assert_true(one.settled && one.time < one.length / 10);
    assert_true(other.time == one.time && other.length == one.length && other.settled);
    assert_true(given.time == one.time && given.settled);
    flow_model_free(m);
}

// More comes than can go: never settled, and the pilots have an end. Nothing happens: nothing is left out.
static void never(void **state) {
    (void)state;
    FlowModel *m = queue(&net, 1.3, 0);
    FlowWarmup w = warmup_of(m, 1, 0, 0);
    assert_false(w.settled);
    assert_true(w.length > 20000);
    flow_model_free(m);
    net_init(&net);
    net_node(&net, (FlowNode){.kind = FLOW_SINK});
    m = net_make(&net);
    assert_true(warmup_of(m, 1, 0, 0).settled && warmup_of(m, 1, 0, 0).time == 0);
    assert_true(warmup_of(m, 1, 0, 100).settled && warmup_of(m, 1, 0, 100).time == 0);
    flow_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(crowd_at_the_start), cmocka_unit_test(same_for_all_scenarios),
                                       cmocka_unit_test(never)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
