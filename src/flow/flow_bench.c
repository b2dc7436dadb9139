// SPDX-License-Identifier: Apache-2.0
// Events a second of the bare engine: M/M/10 with all statistics, beside a loop over a binary heap that keeps none.
// `nelson N T`: N replications of a treatment centre by T threads instead.
#include <math.h>
#include "base/bench.h"
#include "base/check.h"
#include "base/rng.h"
#include "base/thread.h"
#include "flow/test_flow.h"

enum { ROUNDS = 5, THREADS_MAX = 64 };
static const double UNTIL = 200000; // about 3.6 M events

static double simplest(void) {
    enum { SERVERS = 10 };
    Rng r = rng_make(1, 1);
    double heap[SERVERS + 1], arrival = 0, now = 0, waits = 0, queue[4096];
    uint32_t n = 0, head = 0, tail = 0;
    uint64_t events = 0;
    int64_t begin = time_mono_ns();
    while (now < UNTIL) {
        bool arrives = n == 0 || arrival <= heap[0];
        now = arrives ? arrival : heap[0];
        events++;
        if (arrives) {
            arrival += -log(1 - rng_f64(&r)) / 9;
            CHECK(tail - head < 4096);
            queue[tail++ & 4095] = now;
        } else {
            double last = heap[--n];
            uint32_t at = 0;
            for (uint32_t c; (c = 2 * at + 1) < n; at = c) {
                if (c + 1 < n && heap[c + 1] < heap[c]) c++;
                if (heap[c] >= last) break;
                heap[at] = heap[c];
            }
            heap[at] = last;
        }
        if (n == SERVERS || head == tail) continue;
        waits += now - queue[head++ & 4095];
        double end = now - log(1 - rng_f64(&r));
        uint32_t at = n++;
        for (; at > 0 && heap[(at - 1) / 2] > end; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
        heap[at] = end;
    }
    CHECK(waits > 0);
    return (double)events / bench_seconds(begin) / 1e6;
}

static FlowModel *model(Net *n) {
    net_init(n);
    uint32_t source = net_node(n, (FlowNode){.kind = FLOW_SOURCE, .first_gap = true});
    n->nodes[source].gap = net_dist(n, FLOW_EXPONENTIAL, 1.0 / 9, 0, 0);
    uint32_t station = net_node(n, (FlowNode){.kind = FLOW_STATION, .servers = 10, .quantiles = true});
    n->nodes[station].service = net_dist(n, FLOW_EXPONENTIAL, 1, 0, 0);
    uint32_t sink = net_node(n, (FlowNode){.kind = FLOW_SINK, .quantiles = true});
    net_edge(n, source, station, 1);
    net_edge(n, station, sink, 1);
    return net_make(n);
}

// ---- the treatment centre of Nelson: its base case, 19 hours -------------------------------------------------------

static uint32_t step(Net *n, double servers, FlowDistKind kind, double a, double b) {
    uint32_t k = net_node(n, (FlowNode){.kind = FLOW_STATION, .servers = servers});
    n->nodes[k].service = net_dist(n, kind, a, b, 0);
    return k;
}

static FlowModel *centre(Net *n) {
    static const double hourly[18] = {2.3667,  2.8,  8.8333,  10.4333, 14.8, 26.2667, 31.4,   18.0667, 16.4667,
                                      12.0333, 11.6, 28.8667, 18.0333, 11.5, 5.3,     4.0667, 2.2,     2.1};
    double rates[36];
    for (int h = 0; h < 18; h++) {
        rates[2 * h] = 60 * h;
        rates[2 * h + 1] = hourly[h] / 60;
    }
    net_init(n);
    uint32_t source = net_node(n, (FlowNode){.kind = FLOW_SOURCE});
    n->nodes[source].rate = net_calendar(n, 18 * 60, rates, 36);
    uint32_t triage = step(n, 1, FLOW_EXPONENTIAL, 3, 0), registration = step(n, 1, FLOW_LOGNORMAL, 5, sqrt(2));
    uint32_t exam = step(n, 3, FLOW_NORMAL, 16, sqrt(3)), treat = step(n, 1, FLOW_LOGNORMAL, 13.3, sqrt(2));
    uint32_t stable = step(n, 2, FLOW_EXPONENTIAL, 90, 0), trauma = step(n, 1, FLOW_EXPONENTIAL, 90, 0);
    uint32_t sink = net_node(n, (FlowNode){.kind = FLOW_SINK});
    net_edge(n, source, triage, 1);
    net_edge(n, triage, stable, 0.12);
    net_edge(n, triage, registration, 0.88);
    net_edge(n, stable, trauma, 1);
    net_edge(n, trauma, sink, 1);
    net_edge(n, registration, exam, 1);
    net_edge(n, exam, treat, 0.6);
    net_edge(n, exam, sink, 0.4);
    net_edge(n, treat, sink, 1);
    return net_make(n);
}

typedef struct Share {
    const FlowModel *m;
    uint64_t from, to;
    double wait;
} Share;

static void *replications(void *arg) {
    Share *s = arg;
    Flow *f = flow_open(s->m);
    for (uint64_t k = s->from; k < s->to; k++) {
        FlowFigures x;
        CHECK(flow_run(f, &(FlowStart){.seed = 1, .scenario = k}, 19 * 60, NULL) == ERR_OK);
        flow_figures(f, 1, &x);
        s->wait += x.wait.mean;
    }
    flow_close(f);
    return NULL;
}

// Milliseconds a replication, of n shared out to `threads`: bench/flow_simpy.py calls it between rounds of its peers.
static void bench_centre(Net *net, uint64_t n, uint64_t threads) {
    Bench b = {.name = "flow.nelson_replication", .unit = "ms", .less = true};
    Share share[THREADS_MAX];
    Thread t[THREADS_MAX];
    double wait = 0;
    FlowModel *m = centre(net);
    CHECK(threads >= 1 && threads <= THREADS_MAX);
    int64_t begin = time_mono_ns();
    for (uint64_t k = 0; k < threads; k++) {
        share[k] = (Share){.m = m, .from = n * k / threads, .to = n * (k + 1) / threads};
        CHECK(thread_start(&t[k], "bench", replications, &share[k]) == ERR_OK);
    }
    for (uint64_t k = 0; k < threads; k++) {
        thread_join(&t[k]);
        wait += share[k].wait / (double)n;
    }
    bench_add(&b, bench_seconds(begin) * 1e3 / (double)n);
    fprintf(stderr, "treatment centre: wait for triage %.2f min (31)\n", wait);
    bench_print(&b);
    flow_model_free(m);
}

int main(int argc, char **argv) {
    static Net net;
    if (argc == 4 && strcmp(argv[1], "nelson") == 0) {
        bench_centre(&net, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
        return 0;
    }
    Bench b = {.name = "flow.events_bare", .unit = "M/s", .goal = 5, .peer = "binary heap without statistics"};
    FlowModel *m = model(&net);
    Flow *f = flow_open(m);
    double peer[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        int64_t begin = time_mono_ns();
        CHECK(flow_run(f, &(FlowStart){.seed = 1, .scenario = (uint64_t)r}, UNTIL, NULL) == ERR_OK);
        bench_add(&b, (double)flow_events(f) / bench_seconds(begin) / 1e6);
        FlowFigures x;
        flow_figures(f, 1, &x);
        fprintf(stderr, "M/M/10: wait %.4f (0.6687)\n", x.wait.mean);
        peer[r] = simplest();
    }
    b.peer_value = bench_median(peer, ROUNDS);
    bench_print(&b);
    flow_close(f);
    flow_model_free(m);
    return 0;
}
