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

// ---- networks ------------------------------------------------------------------------------------------------------

static void test_jackson(void **s) {
    static const double gamma[] = {1, 0.5}, mu[] = {2.5, 2, 2.2}, p[3][3] = {{0, .6, .3}, {.2, 0, .5}, {0, .1, 0}};
    static const double lambda[] = {1.274272, 1.371359, 1.067961}, level[] = {1.039604, 2.181467, 0.943396};
    Mean in[3] = {0}, inside[3] = {0}, all = {0};
    uint32_t station[3];
    (void)s;
    net_init(&net);
    uint32_t sink = net_node(&net, (FlowNode){.kind = FLOW_SINK});
    for (int i = 0; i < 3; i++) {
        station[i] = net_node(&net, (FlowNode){.kind = FLOW_STATION});
        net.nodes[station[i]].service = net_dist(&net, FLOW_EXPONENTIAL, 1 / mu[i], 0, 0);
    }
    for (int i = 0; i < 2; i++) {
        uint32_t source = net_node(&net, (FlowNode){.kind = FLOW_SOURCE, .first_gap = true});
        net.nodes[source].gap = net_dist(&net, FLOW_EXPONENTIAL, 1 / gamma[i], 0, 0);
        net_edge(&net, source, station[i], 1);
    }
    for (int i = 0; i < 3; i++) {
        double out = 1;
        for (int k = 0; k < 3; k++) {
            if (p[i][k] > 0) net_edge(&net, station[i], station[k], p[i][k]);
            out -= p[i][k];
        }
        net_edge(&net, station[i], sink, out);
    }
    FlowModel *m = net_make(&net);
    Flow *f = flow_open(m);
    for (uint64_t r = 0; r < REPLICATIONS; r++) {
        FlowFigures x;
        net_run(f, &(FlowStart){.seed = 3, .scenario = r, .warmup = 200}, 5000);
        for (int i = 0; i < 3; i++) {
            flow_figures(f, station[i], &x);
            mean_add(&in[i], (double)x.entered / x.time);
            mean_add(&inside[i], x.inside_mean);
        }
        flow_figures(f, sink, &x);
        mean_add(&all, x.stay.mean);
    }
    for (int i = 0; i < 3; i++) {
        within("Jackson lambda", &in[i], lambda[i], 0.02);
        within("Jackson L", &inside[i], level[i], 0.1);
    }
    within("Jackson W", &all, 2.776312, 0.05);
    flow_close(f);
    flow_model_free(m);
}

// Eight machines that run for Exp(10) and two menders who take Exp(3): a birth and death chain.
static void test_machine_repair(void **s) {
    enum { MACHINES = 8, MENDERS = 2 };
    double p[MACHINES + 1] = {1}, sum = 1, down = 0;
    Mean inside = {0}, busy = {0};
    (void)s;
    for (int k = 1; k <= MACHINES; k++) {
        p[k] = p[k - 1] * ((MACHINES - k + 1) / 10.0) / ((k < MENDERS ? k : MENDERS) / 3.0);
        sum += p[k];
    }
    for (int k = 0; k <= MACHINES; k++) down += k * p[k] / sum;
    net_init(&net);
    uint32_t run = net_node(&net, (FlowNode){.kind = FLOW_STATION, .servers = INFINITY, .initial = MACHINES});
    uint32_t mend = net_node(&net, (FlowNode){.kind = FLOW_STATION, .servers = MENDERS});
    net.nodes[run].service = net_dist(&net, FLOW_EXPONENTIAL, 10, 0, 0);
    net.nodes[mend].service = net_dist(&net, FLOW_EXPONENTIAL, 3, 0, 0);
    net_edge(&net, run, mend, 1);
    net_edge(&net, mend, run, 1);
    FlowModel *m = net_make(&net);
    Flow *f = flow_open(m);
    for (uint64_t r = 0; r < REPLICATIONS; r++) {
        FlowFigures x;
        net_run(f, &(FlowStart){.seed = 4, .scenario = r, .warmup = 200}, 10000);
        flow_figures(f, mend, &x);
        mean_add(&inside, x.inside_mean);
        mean_add(&busy, x.busy_mean);
    }
    within("machine repair: down", &inside, down, 0.02);
    within("machine repair: menders busy", &busy, (MACHINES - down) / 10 * 3, 0.02);
    flow_close(f);
    flow_model_free(m);
}

// ---- the two-machine line ------------------------------------------------------------------------------------------

typedef struct LineFacts {
    double efficiency, level;
} LineFacts;

// Slotted time, state (n, a1, a2): a machine that is down is repaired with r; one that is up and can work fails with p;
// then n moves by those that are up and can work. By iteration to the fixed point.
static LineFacts line_by_chain(int size, double p, double r) {
    double pi[64][2][2] = {{{0}}}, next[64][2][2];
    LineFacts o = {0};
    pi[0][1][1] = 1;
    for (int k = 0; k < 20000; k++) {
        memset(next, 0, sizeof next);
        for (int n = 0; n <= size; n++) {
            for (int a = 0; a < 4; a++) {
                double here = pi[n][a >> 1][a & 1];
                double up1 = a >> 1 ? (n < size ? 1 - p : 1) : r, up2 = a & 1 ? (n > 0 ? 1 - p : 1) : r;
                for (int b = 0; b < 4; b++) {
                    double to = here * (b >> 1 ? up1 : 1 - up1) * (b & 1 ? up2 : 1 - up2);
                    next[n + (b >> 1 && n < size) - (b & 1 && n > 0)][b >> 1][b & 1] += to;
                }
            }
        }
        memcpy(pi, next, sizeof pi);
    }
    for (int n = 0; n <= size; n++) {
        for (int a = 0; a < 4; a++) {
            o.level += n * pi[n][a >> 1][a & 1];
            if (n > 0) o.efficiency += pi[n][a >> 1][a & 1] * (a & 1 ? 1 - p : r);
        }
    }
    return o;
}

// As a model of ours: work takes a slot; a machine fails as its next work begins, after a geometric number of works,
// and is repaired after a geometric number of slots. Blocking after service holds a piece on the first machine, so a
// buffer of N is one of N - 1 here, with the place on the second machine one of them.
static void line_by_flow(int size, Mean *efficiency, Mean *level) {
    net_init(&net);
    FlowFailure fail = {.after = net_dist(&net, FLOW_GEOMETRIC, 0.01, 1, 0),
                        .repair = net_dist(&net, FLOW_GEOMETRIC, 0.1, 1, 0),
                        .operating = true};
    uint32_t source = net_node(&net, (FlowNode){.kind = FLOW_SOURCE}), machine[2];
    for (int i = 0; i < 2; i++) {
        machine[i] = net_node(&net, (FlowNode){.kind = FLOW_STATION, .bounded = true, .capacity = i ? size - 2 : 0});
        net.nodes[machine[i]].service = net_dist(&net, FLOW_CONST, 1, 0, 0);
        net.nodes[machine[i]].failures = net_failure(&net, fail);
    }
    uint32_t sink = net_node(&net, (FlowNode){.kind = FLOW_SINK});
    net_edge(&net, source, machine[0], 1);
    net_edge(&net, machine[0], machine[1], 1);
    net_edge(&net, machine[1], sink, 1);
    FlowModel *m = net_make(&net);
    Flow *f = flow_open(m);
    for (uint64_t r = 0; r < REPLICATIONS; r++) {
        FlowFigures x, y;
        net_run(f, &(FlowStart){.seed = 5, .scenario = r, .warmup = 1000}, 21000);
        flow_figures(f, machine[0], &x);
        flow_figures(f, machine[1], &y);
        mean_add(efficiency, (double)y.served / y.time);
        mean_add(level, y.inside_mean + x.blocked_mean);
    }
    flow_close(f);
    flow_model_free(m);
}

static void test_two_machine_line(void **s) {
    (void)s;
    LineFacts ten = line_by_chain(10, 0.01, 0.1), four = line_by_chain(4, 0.01, 0.1);
    assert_true(fabs(ten.efficiency - 0.8561749) < 5e-8 && fabs(ten.level - 5) < 1e-9);
    assert_true(fabs(four.efficiency - 0.8409361) < 5e-8);
    Mean e = {0}, n = {0}, e4 = {0}, n4 = {0};
    line_by_flow(10, &e, &n);
    within("two machines, 10: E", &e, ten.efficiency, 0.01);
    within("two machines, 10: n", &n, ten.level, 0.05);
    line_by_flow(4, &e4, &n4);
    within("two machines, 4: E", &e4, four.efficiency, 0.01);
}

// The same items with the same work in two scenarios: who waits less is seen from a few replications.
static void test_common_random_numbers(void **s) {
    Mean paired = {0}, alone = {0};
    double wait[2][10];
    (void)s;
    for (int k = 0; k < 2; k++) {
        FlowModel *m = queue_model(&(Queue){.lambda = 0.8, .servers = 1, .kind = FLOW_EXPONENTIAL, .a = k ? 0.98 : 1});
        Flow *f = flow_open(m);
        for (uint64_t r = 0; r < 10; r++) {
            FlowFigures x;
            net_run(f, &(FlowStart){.seed = 6, .scenario = r}, 2000);
            flow_figures(f, 1, &x);
            wait[k][r] = x.wait.mean;
        }
        flow_close(f);
        flow_model_free(m);
    }
    for (int r = 0; r < 10; r++) {
        assert_true(wait[1][r] < wait[0][r]);
        mean_add(&paired, wait[0][r] - wait[1][r]);
        mean_add(&alone, wait[0][r]);
    }
    assert_true(mean_half(&paired) < 0.2 * mean_half(&alone));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_server),       cmocka_unit_test(test_many_servers),
        cmocka_unit_test(test_general_service),  cmocka_unit_test(test_loss),
        cmocka_unit_test(test_jackson),          cmocka_unit_test(test_machine_repair),
        cmocka_unit_test(test_two_machine_line), cmocka_unit_test(test_common_random_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
