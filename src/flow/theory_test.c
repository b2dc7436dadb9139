// SPDX-License-Identifier: Apache-2.0
// What theory says of queues, losses and lines, within confidence intervals over replications of fixed seeds.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/check.h"
#include "flow/test_flow.h"

enum { REPLICATIONS = 40 };

static Net net;

// Inside the interval, which must be worth something: no wider than `wide` of the value.
static void within(const char *what, const Mean *m, double expected, double wide) {
    double half = mean_half(m);
    if (fabs(m->mean - expected) > half || half > wide * expected)
        print_message("%s: %.6f +- %.6f, expected %.6f\n", what, m->mean, half, expected);
    assert_true(fabs(m->mean - expected) <= half);
    assert_true(half <= wide * expected);
}

typedef struct Queue {
    double lambda, servers, capacity;
    FlowDistKind kind; // of the service
    double a, b;
    bool bounded, lose;
} Queue;

// source -> station -> sink
static FlowModel *queue_model(const Queue *q) {
    net_init(&net);
    uint32_t source = net_node(&net, (FlowNode){.kind = FLOW_SOURCE, .first_gap = true});
    net.nodes[source].gap = net_dist(&net, FLOW_EXPONENTIAL, 1 / q->lambda, 0, 0);
    uint32_t station = net_node(&net, (FlowNode){.kind = FLOW_STATION, .servers = q->servers, .quantiles = true});
    net.nodes[station].service = net_dist(&net, q->kind, q->a, q->b, 0);
    net.nodes[station].bounded = q->bounded;
    net.nodes[station].capacity = q->capacity;
    net.nodes[station].lose = q->lose;
    uint32_t sink = net_node(&net, (FlowNode){.kind = FLOW_SINK});
    net_edge(&net, source, station, 1);
    net_edge(&net, station, sink, 1);
    return net_make(&net);
}

typedef struct QueueMeans {
    Mean wait, waits, lost, inside, quantile;
} QueueMeans;

static void run_queue(const Queue *q, double warmup, double until, QueueMeans *o) {
    FlowModel *m = queue_model(q);
    Flow *f = flow_open(m);
    for (uint64_t r = 0; r < REPLICATIONS; r++) {
        FlowFigures x;
        net_run(f, &(FlowStart){.seed = 11, .scenario = r, .warmup = warmup}, until);
        flow_figures(f, 1, &x);
        mean_add(&o->wait, x.wait.mean);
        mean_add(&o->waits, x.busy_mean);
        mean_add(&o->inside, x.inside_mean);
        mean_add(&o->lost, (double)x.lost / (double)(x.lost + x.entered));
        mean_add(&o->quantile, flow_quantile(f, 1, true, 0.9));
    }
    flow_close(f);
    flow_model_free(m);
}

static void test_one_server(void **s) {
    QueueMeans o = {0};
    (void)s;
    run_queue(&(Queue){.lambda = 0.8, .servers = 1, .kind = FLOW_EXPONENTIAL, .a = 1}, 500, 20000, &o);
    within("M/M/1 Wq", &o.wait, 4, 0.06);
    within("M/M/1 L", &o.inside, 4, 0.06);
    within("M/M/1 utilisation", &o.waits, 0.8, 0.01);
    // P(W > t) = rho e^(-(mu - lambda) t): the quantile 0.9 is ln(rho / 0.1) / 0.2.
    within("M/M/1 quantile of the wait", &o.quantile, log(8) / 0.2, 0.08);
}

static void test_many_servers(void **s) {
    QueueMeans two = {0}, ten = {0};
    (void)s;
    run_queue(&(Queue){.lambda = 1.6, .servers = 2, .kind = FLOW_EXPONENTIAL, .a = 1}, 500, 10000, &two);
    within("M/M/2 Wq", &two.wait, 1.777778, 0.08);
    run_queue(&(Queue){.lambda = 9, .servers = 10, .kind = FLOW_EXPONENTIAL, .a = 1}, 200, 5000, &ten);
    within("M/M/10 Wq", &ten.wait, 0.668732, 0.1); // P(wait) / (10 - 9)
}

// Pollaczek-Khinchine: Wq = rho / (1 - rho) * mean * (1 + cv^2) / 2.
static void test_general_service(void **s) {
    QueueMeans d = {0}, g = {0}, l = {0};
    (void)s;
    run_queue(&(Queue){.lambda = 0.7, .servers = 1, .kind = FLOW_CONST, .a = 1}, 300, 10000, &d);
    within("M/D/1 Wq", &d.wait, 0.7 / 0.3 / 2, 0.05);
    run_queue(&(Queue){.lambda = 0.7, .servers = 1, .kind = FLOW_GAMMA, .a = 1, .b = 4}, 300, 10000, &g);
    within("M/E4/1 Wq", &g.wait, 0.7 / 0.3 * 1.25 / 2, 0.06);
    run_queue(&(Queue){.lambda = 0.7, .servers = 1, .kind = FLOW_LOGNORMAL, .a = 1, .b = 1.2}, 300, 20000, &l);
    within("M/LN/1 Wq", &l.wait, 0.7 / 0.3 * (1 + 1.44) / 2, 0.1);
}

static void test_loss(void **s) {
    QueueMeans o = {0}, h = {0};
    (void)s;
    Queue q = {.lambda = 9, .servers = 10, .kind = FLOW_EXPONENTIAL, .a = 1, .bounded = true, .lose = true};
    run_queue(&q, 50, 3000, &o);
    within("Erlang B", &o.lost, 0.167963, 0.02);
    q.kind = FLOW_LOGNORMAL; // whatever the service: only its mean counts
    q.b = 1.5;
    run_queue(&q, 50, 3000, &h);
    within("Erlang B, lognormal", &h.lost, 0.167963, 0.03);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_server),
        cmocka_unit_test(test_many_servers),
        cmocka_unit_test(test_general_service),
        cmocka_unit_test(test_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
