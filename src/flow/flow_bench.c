// SPDX-License-Identifier: Apache-2.0
// Events a second of the bare engine: M/M/10 with all statistics, beside a loop over a binary heap that keeps none.
#include <math.h>
#include "base/bench.h"
#include "base/check.h"
#include "base/rng.h"
#include "flow/test_flow.h"

enum { ROUNDS = 5 };
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

int main(void) {
    static Net net;
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
