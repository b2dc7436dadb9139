// SPDX-License-Identifier: Apache-2.0
// Words of the engine by what they say: distributions by their moments, ways by type, age and who is inside, figures by
// type, units that come and go, cards that bound the work in a line, equipment that is cleaned between uses.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "flow/inner.h"
#include "flow/test_flow.h"

static Net net;

static Flow *run(double until) {
    Flow *f = flow_open(net_make(&net));
    net_run(f, &(FlowStart){.seed = 5}, until);
    flow_verify(f);
    return f;
}

static void stop(Flow *f) {
    const FlowModel *m = f->m;
    flow_close(f);
    flow_model_free((FlowModel *)(uintptr_t)m);
}

static FlowFigures figures(const Flow *f, uint32_t node) {
    FlowFigures x;
    flow_figures(f, node, &x);
    return x;
}

static FlowRef constant(double v) { return net_dist(&net, FLOW_CONST, v, 0, 0); }

static uint32_t source(double gap, uint32_t type) {
    return net_node(&net, (FlowNode){.kind = FLOW_SOURCE, .gap = constant(gap), .first_gap = true, .type = type});
}

// As many servers as come.
static uint32_t delay(double time) {
    return net_node(&net, (FlowNode){.kind = FLOW_STATION, .servers = INFINITY, .service = constant(time)});
}

static uint32_t sink(void) { return net_node(&net, (FlowNode){.kind = FLOW_SINK}); }

static void way(uint32_t from, uint32_t to, FlowSubject of, FlowTest test, double value) {
    uint32_t e = net_edge(&net, from, to, 1);
    net.edges[e].subject = of;
    net.edges[e].test = test;
    net.edges[e].value = value;
}

// ---- distributions -------------------------------------------------------------------------------------------------

typedef struct Moments2 {
    FlowDist d;
    double mean, variance;
} Moments2;

static double weibull_moment(double scale, double shape, int k) { return pow(scale, k) * tgamma(1 + k / shape); }

// Means and variances of 200,000 draws; those of the definition are in the table.
static void distributions(void **state) {
    (void)state;
    enum { DRAWS = 200000 };
    const double w = weibull_moment(3, 1.7, 1), weights[] = {1, 1, 5, 3};
    const Moments2 table[] = {
        {{FLOW_UNIFORM, 2, 7, 0, {0}}, 4.5, 25.0 / 12},
        {{FLOW_EXPONENTIAL, 3, 0, 0, {0}}, 3, 9},
        {{FLOW_NORMAL, 16, 1.7, 0, {0}}, 16, 2.89},
        {{FLOW_LOGNORMAL, 5, 1.5, 0, {0}}, 5, 2.25},
        {{FLOW_GAMMA, 6, 4, 0, {0}}, 6, 9},
        {{FLOW_GAMMA, 6, 2.5, 0, {0}}, 6, 14.4},
        {{FLOW_GAMMA, 2, 0.5, 0, {0}}, 2, 8},
        {{FLOW_WEIBULL, 3, 1.7, 0, {0}}, w, weibull_moment(3, 1.7, 2) - w * w},
        {{FLOW_TRIANGULAR, 1, 2, 6, {0}}, 3, (1 + 4 + 36 - 2 - 6 - 12) / 18.0},
        {{FLOW_POISSON, 3.7, 0, 0, {0}}, 3.7, 3.7},
        {{FLOW_POISSON, 60, 0, 0, {0}}, 60, 60},
        {{FLOW_GEOMETRIC, 0.2, 0, 0, {0}}, 5, 20},
        {{FLOW_EMPIRICAL, 0, 0, 0, {0}}, 4, 3},
    };
    net_init(&net);
    uint32_t count = sizeof table / sizeof *table;
    for (uint32_t i = 0; i < count; i++) {
        const FlowDist *d = &table[i].d;
        if (d->kind == FLOW_EMPIRICAL) (void)net_table(&net, d->kind, 0, weights, 4);
        else (void)net_dist(&net, d->kind, d->a, d->b, d->c);
    }
    (void)sink();
    Flow *f = run(1);
    for (uint32_t i = 0; i < count; i++) {
        double sum = 0, squares = 0, fourth = 0;
        for (uint64_t k = 0; k < DRAWS; k++) {
            double v = flow_draw(f, FLOW_REF(i), (Draw){.twin = i, .counter = k, .stream = S_SERVICE, .item = NONE});
            double off = v - table[i].mean;
            assert_true(v >= 0);
            sum += off / DRAWS;
            squares += off * off / DRAWS;
            fourth += off * off * off * off / DRAWS;
        }
        double v = table[i].variance, mean_error = sqrt(v / DRAWS), error = sqrt((fourth - v * v) / DRAWS);
        if (fabs(sum) > 4 * mean_error || fabs(squares - v) > 4 * error)
            fail_msg("distribution %u: mean off by %g (%g), variance %g (%g +- %g)", i, sum, mean_error, squares, v,
                     error);
    }
    stop(f);
}

// ---- ways ----------------------------------------------------------------------------------------------------------

// Two types through one desk, each its own way; figures of the desk by type.
static void ways_by_type(void **state) {
    (void)state;
    net_init(&net);
    net.def.types = 2;
    double services[] = {FLOW_REF(0), FLOW_REF(0)};
    uint32_t a = source(10, 0), b = source(25, 1);
    services[0] = constant(2);
    services[1] = constant(5);
    FlowRef by_type = net_table(&net, FLOW_PICK, -1, services, 2);
    uint32_t desk = net_node(&net, (FlowNode){.kind = FLOW_STATION, .servers = 2, .service = by_type, .by_type = true});
    uint32_t left = sink(), right = sink();
    net_edge(&net, a, desk, 1);
    net_edge(&net, b, desk, 1);
    way(desk, left, FLOW_OF_TYPE, FLOW_EQ, 0);
    way(desk, right, FLOW_OF_TYPE, FLOW_NE, 0);
    Flow *f = run(1009);
    FlowTally wait, stay;
    assert_true(figures(f, left).entered == 100 && figures(f, right).entered == 40);
    flow_figures_type(f, desk, 0, &wait, &stay);
    assert_true(stay.n == 100 && stay.mean == 2 && wait.max == 0);
    flow_figures_type(f, desk, 1, &wait, &stay);
    assert_true(stay.n == 40 && stay.mean == 5);
    stop(f);
}

// One goes round until it is 10 s old: rounds of 3 s, so 12.
static void ways_by_age(void **state) {
    (void)state;
    net_init(&net);
    uint32_t a = source(100, 0), b = delay(3), c = sink();
    net_edge(&net, a, b, 1);
    way(b, c, FLOW_OF_AGE, FLOW_GE, 10);
    way(b, b, FLOW_OF_AGE, FLOW_LT, 10);
    Flow *f = run(1050);
    assert_true(figures(f, c).entered == 10 && figures(f, b).left == 40);
    assert_true(figures(f, c).stay.min == 12 && figures(f, c).stay.max == 12);
    stop(f);
}

// Diversion: a ward of 10 s takes who comes while fewer than two are inside; the others, every second, go elsewhere.
static void ways_by_who_is_inside(void **state) {
    (void)state;
    net_init(&net);
    uint32_t a = source(1, 0), ward = delay(10), other = delay(1), out = sink();
    way(a, ward, FLOW_OF_INSIDE, FLOW_LT, 2);
    net.nodes[a].route = FLOW_FIRST;
    net_edge(&net, a, other, 1);
    net_edge(&net, ward, out, 1);
    net_edge(&net, other, out, 1);
    Flow *f = run(1000.5);
    FlowFigures x = figures(f, ward);
    assert_true(x.inside_max == 2 && figures(f, other).entered + x.entered == 1000);
    // At 1 and 2 two come; they leave at 11 and 12, when others take their places.
    assert_true(x.entered == 200);
    stop(f);
}

// ---- resources -----------------------------------------------------------------------------------------------------

// One nurse serves one in 2 s; from 100 s on there are two, from 200 s on none.
static void units_come_and_go(void **state) {
    (void)state;
    net_init(&net);
    FlowRef nurse = net_resource(&net, 1);
    uint32_t a = net_node(&net, (FlowNode){.kind = FLOW_SOURCE}), b = delay(2), c = sink();
    net.nodes[b].seize = net_use(&net, nurse, 1);
    net.nodes[b].bounded = true;
    net_edge(&net, a, b, 1);
    net_edge(&net, b, c, 1);
    Flow *f = run(100);
    assert_true(figures(f, c).entered == 50);
    assert_int_equal(flow_input(f, FLOW_NUMBER, nurse - 1, 2, NULL), ERR_OK);
    assert_int_equal(flow_until(f, 200, NULL), ERR_OK);
    assert_true(figures(f, c).entered == 150);
    assert_int_equal(flow_input(f, FLOW_NUMBER, nurse - 1, 0, NULL), ERR_OK);
    assert_int_equal(flow_until(f, 300, NULL), ERR_OK);
    assert_true(figures(f, c).entered == 152); // who was begun with is finished
    FlowUsage u;
    flow_usage(f, nurse - 1, &u);
    assert_true(u.used == 0 && fabs(u.number_mean - 1) < 1e-9 && u.seized == 152);
    flow_verify(f);
    stop(f);
}

// CONWIP: w cards bound the parts in a line of two machines (exponential, mean 1), which always has work. That is a
// closed network with w customers: throughput w / (w + 1).
static void cards_bound_the_work(void **state) {
    (void)state;
    for (uint32_t w = 1; w <= 4; w++) {
        Mean m = {0};
        net_init(&net);
        FlowRef cards = net_resource(&net, w);
        FlowNode machine = {.kind = FLOW_STATION, .service = net_dist(&net, FLOW_EXPONENTIAL, 1, 0, 0)};
        uint32_t a = net_node(&net, (FlowNode){.kind = FLOW_SOURCE}), gate = delay(0);
        uint32_t one = net_node(&net, machine), two = net_node(&net, machine), out = sink();
        net.nodes[gate].seize = net_use(&net, cards, 1);
        net.nodes[gate].hold = net.nodes[gate].bounded = true;
        net.nodes[two].release = net_use(&net, cards, 0);
        net_edge(&net, a, gate, 1);
        net_edge(&net, gate, one, 1);
        net_edge(&net, one, two, 1);
        net_edge(&net, two, out, 1);
        FlowModel *model = net_make(&net);
        Flow *f = flow_open(model);
        for (uint64_t k = 0; k < 30; k++) {
            net_run(f, &(FlowStart){.seed = 11, .scenario = k, .warmup = 100}, 4100);
            flow_verify(f);
            assert_true(figures(f, one).inside + figures(f, two).inside <= w);
            mean_add(&m, figures(f, out).throughput);
        }
        double want = w / (w + 1.0);
        if (fabs(m.mean - want) > mean_half(&m))
            fail_msg("%u cards: %.4f +- %.4f, %.4f", w, m.mean, mean_half(&m), want);
        flow_close(f);
        flow_model_free(model);
    }
}

// The sterilisation loop: three pumps are with patients for 10 s and are cleaned for 5 s: three patients in 15 s.
static void equipment_is_cleaned(void **state) {
    (void)state;
    net_init(&net);
    net.def.types = 2;
    uint32_t patients = net_node(&net, (FlowNode){.kind = FLOW_SOURCE});
    uint32_t store = net_node(&net, (FlowNode){.kind = FLOW_BUFFER, .initial = 3, .initial_type = 1});
    uint32_t treat = delay(10), clean = delay(5), home = sink();
    net.nodes[treat].assemble = net.nodes[treat].unpack = net.nodes[treat].bounded = true;
    net.nodes[treat].capacity = 1;
    net_edge(&net, patients, treat, 1);
    net_edge(&net, store, treat, 1);
    way(treat, home, FLOW_OF_TYPE, FLOW_EQ, 0);
    way(treat, clean, FLOW_OF_TYPE, FLOW_EQ, 1);
    net_edge(&net, clean, store, 1);
    Flow *f = run(1501);
    assert_true(figures(f, home).entered == 300);
    assert_true(figures(f, clean).left == 300);
    assert_true(fabs(figures(f, treat).busy_mean - 3 * 10.0 / 15) < 0.01);
    stop(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions),        cmocka_unit_test(ways_by_type),
        cmocka_unit_test(ways_by_age),          cmocka_unit_test(ways_by_who_is_inside),
        cmocka_unit_test(units_come_and_go),    cmocka_unit_test(cards_bound_the_work),
        cmocka_unit_test(equipment_is_cleaned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
