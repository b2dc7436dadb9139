// SPDX-License-Identifier: Apache-2.0
// Random networks by seed, beside a naive simulator that is fed the same draws: an unsorted list of events looked
// through for the earliest, vectors of items, and after every event a look at every node until nothing changes. Both
// must come to the same figures. Also over random networks: any slicing of time, and any number of saves and loads,
// give the same bytes; and every invariant holds on the way.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/mem.h"
#include "base/rng.h"
#include "flow/inner.h"
#include "flow/test_flow.h"

enum { ITEMS = 4000, NODES = 40, EVENTS = 8000 };

// ---- the naive simulator -------------------------------------------------------------------------------------------

typedef enum NaiveKind { ARRIVE, END, LEAVES, FAIL, UP } NaiveKind;
typedef struct NaiveEvent {
    double t;
    NaiveKind kind;
    int who, stamp;
} NaiveEvent;

typedef struct NaiveItem {
    bool alive, in_service, blocked, waited;
    int node, source, hops, type, target, stamp;
    uint64_t number;
    double born, entered, work, left, began, priority;
    long order; // of waiting
} NaiveItem;

typedef struct Vec {
    int at[ITEMS], n;
} Vec;

typedef struct NaiveNode {
    Vec queue, serving, done, door; // door: who waits to come in, wherever they are
    bool down;
    int stamp, arrivals, breakdowns;
    double op_left, busy_since;
    uint64_t entered, left, served, refused, reneged, scrapped;
    double waits, stays, area;
    uint64_t wait_n, stay_n;
    bool stuck;
} NaiveNode;

typedef struct Naive {
    const FlowModel *m;
    Flow *f; // for draws
    NaiveItem item[ITEMS];
    NaiveNode node[NODES];
    NaiveEvent event[EVENTS];
    int events, used[8];
    double now;
    long order;
    unsigned given; // resources of which units came back in this instant: nobody's until all who wait were looked at
} Naive;

static void vec_add(Vec *v, int x) { v->at[v->n++] = x; }

static void vec_take(Vec *v, int x) {
    int k = 0;
    while (v->at[k] != x) k++;
    for (v->n--; k < v->n; k++) v->at[k] = v->at[k + 1];
}

static void later(Naive *z, double t, NaiveKind kind, int who, int stamp) {
    assert_true(z->events < EVENTS);
    z->event[z->events++] = (NaiveEvent){t, kind, who, stamp};
}

static const FlowNode *def(const Naive *z, int node) { return &z->f->pn[node].n; }

static Draw by_item(const Naive *z, int node, uint32_t stream, int i) {
    const NaiveItem *x = &z->item[i];
    return (Draw){def(z, node)->twin + flow_origin(def(z, x->source)->twin), x->number + ((uint64_t)x->hops << 36),
                  stream, NONE};
}

static Draw by_node(const Naive *z, int node, uint32_t stream, int number) {
    return (Draw){def(z, node)->twin, (uint64_t)number, stream, NONE};
}

static int inside(const Naive *z, int node) {
    const NaiveNode *n = &z->node[node];
    return n->queue.n + n->serving.n + n->done.n;
}

static bool free_units(const Naive *z, int node) {
    const FlowRange u = def(z, node)->seize;
    for (uint32_t k = 0; k < u.count; k++) {
        const FlowUse *x = &z->f->use[u.first + k];
        if (z->used[x->resource - 1] + (int)x->number > z->f->pr[x->resource - 1].number) return false;
    }
    return true;
}

static void units(Naive *z, int node, int sign) {
    const FlowRange u = def(z, node)->seize;
    for (uint32_t k = 0; k < u.count; k++)
        z->used[z->f->use[u.first + k].resource - 1] += sign * (int)z->f->use[u.first + k].number;
}

static bool idle_server(const Naive *z, int node) {
    const NaiveNode *n = &z->node[node];
    double servers = def(z, node)->servers == 0 ? 1 : def(z, node)->servers;
    return !n->down && n->serving.n + n->done.n < servers;
}

static double room(const Naive *z, int node) { return def(z, node)->bounded ? def(z, node)->capacity : INFINITY; }

static void out_of_node(Naive *z, int i) {
    NaiveItem *x = &z->item[i];
    NaiveNode *n = &z->node[x->node];
    n->left++;
    if (def(z, x->node)->kind == FLOW_SOURCE) return;
    n->stays += z->now - x->entered;
    n->stay_n++;
}

static void run_item(Naive *z, int i) {
    NaiveItem *x = &z->item[i];
    NaiveNode *n = &z->node[x->node];
    x->began = z->now;
    later(z, z->now + x->left, END, i, x->stamp);
    const FlowRange m = def(z, x->node)->failures;
    if (m.count && z->f->pm[z->f->pn[x->node].modes].f.operating && n->op_left < x->left)
        later(z, z->now + n->op_left, FAIL, x->node, n->stamp);
}

static void begin_service(Naive *z, int i) {
    NaiveItem *x = &z->item[i];
    NaiveNode *n = &z->node[x->node];
    n->waits += z->now - x->entered;
    n->wait_n++;
    units(z, x->node, 1);
    x->left = x->work;
    x->in_service = true;
    x->stamp++; // no more leaving the queue
    vec_add(&n->serving, i);
    run_item(z, i);
}

static unsigned needs(const Naive *z, int node) {
    const FlowRange u = def(z, node)->seize;
    unsigned bits = 0;
    for (uint32_t k = 0; k < u.count; k++) bits |= 1u << z->f->use[u.first + k].resource;
    return bits;
}

static bool can_begin(const Naive *z, int node) {
    return idle_server(z, node) && free_units(z, node) && !(z->given & needs(z, node));
}

static bool comes_in(Naive *z, int i, int node) {
    NaiveItem *x = &z->item[i];
    NaiveNode *n = &z->node[node];
    const FlowNode *d = def(z, node);
    if (d->kind == FLOW_SINK) return true;
    if (d->kind == FLOW_BUFFER) return inside(z, node) < room(z, node);
    (void)x;
    return n->queue.n < room(z, node) || (n->queue.n == 0 && can_begin(z, node));
}

static void depart(Naive *z, int i);

static void goes_in(Naive *z, int i, int node) {
    NaiveItem *x = &z->item[i];
    NaiveNode *n = &z->node[node];
    const FlowNode *d = def(z, node);
    n->entered++;
    if (d->kind == FLOW_SINK) {
        n->stays += z->now - x->born;
        n->stay_n++;
        x->alive = false;
        return;
    }
    x->node = node;
    x->entered = z->now;
    x->hops++;
    x->order = z->order++;
    if (d->kind == FLOW_BUFFER) {
        n->wait_n++;
        depart(z, i);
        return;
    }
    x->work = fmax(0, flow_draw(z->f, d->service, by_item(z, node, S_SERVICE, i)));
    if (n->queue.n == 0 && can_begin(z, node)) {
        begin_service(z, i);
        return;
    }
    vec_add(&n->queue, i);
    if (d->patience)
        later(z, z->now + flow_draw(z->f, d->patience, by_item(z, node, S_PATIENCE, i)), LEAVES, i, x->stamp);
}

static int choose_way(Naive *z, int i) {
    const PNode *p = &z->f->pn[z->item[i].node];
    double sum = 0, at;
    for (uint32_t k = 0; k < p->outs; k++) sum += z->f->pe[z->f->out_edge[p->out + k]].weight;
    if (p->outs == 1) return (int)z->f->pe[z->f->out_edge[p->out]].to;
    if (p->n.route == FLOW_LEAST) {
        int best = -1;
        for (uint32_t k = 0; k < p->outs; k++) {
            int to = (int)z->f->pe[z->f->out_edge[p->out + k]].to;
            if (best < 0 || inside(z, to) < inside(z, best)) best = to;
        }
        return best;
    }
    at = flow_unit(z->f, by_item(z, z->item[i].node, S_ROUTE, i)) * sum;
    for (uint32_t k = 0; k < p->outs; k++) {
        const FlowEdge *e = &z->f->pe[z->f->out_edge[p->out + k]];
        if (at < e->weight) return (int)e->to;
        at -= e->weight;
    }
    return (int)z->f->pe[z->f->out_edge[p->out + p->outs - 1]].to;
}

// It is done where it is, and in no list there.
static void depart(Naive *z, int i) {
    int from = z->item[i].node, to = choose_way(z, i);
    if (z->node[to].door.n == 0 && comes_in(z, i, to)) {
        out_of_node(z, i);
        goes_in(z, i, to);
    } else if (def(z, to)->lose) {
        out_of_node(z, i);
        z->node[to].refused++;
        z->item[i].alive = false;
    } else {
        z->item[i].order = z->order++;
        z->item[i].target = to;
        vec_add(&z->node[from].done, i);
        vec_add(&z->node[to].door, i);
    }
}

static bool before(const Naive *z, int a, int b, FlowDiscipline how) {
    const NaiveItem *x = &z->item[a], *y = &z->item[b];
    if (how == FLOW_LIFO) return x->order > y->order;
    if (how == FLOW_PRIORITY && x->priority != y->priority) return x->priority < y->priority;
    if (how == FLOW_SHORTEST && x->work != y->work) return x->work < y->work;
    return x->order < y->order;
}

static int next_in_queue(const Naive *z, int node) {
    const Vec *q = &z->node[node].queue;
    int best = -1;
    for (int k = 0; k < q->n; k++) {
        if (best < 0 || before(z, q->at[k], best, def(z, node)->discipline)) best = q->at[k];
    }
    return best;
}

static bool let_in(Naive *z, int node) {
    Vec *door = &z->node[node].door;
    if (door->n == 0 || !comes_in(z, door->at[0], node)) return false;
    int i = door->at[0], from = z->item[i].node;
    vec_take(door, i);
    vec_take(&z->node[from].done, i);
    out_of_node(z, i);
    goes_in(z, i, node);
    return true;
}

static void next_arrival(Naive *z, int node) {
    NaiveNode *n = &z->node[node];
    later(z, z->now + flow_draw(z->f, def(z, node)->gap, by_node(z, node, S_GAP, n->arrivals)), ARRIVE, node, 0);
}

static bool start_next(Naive *z, int node) {
    int i = next_in_queue(z, node);
    if (i < 0 || !can_begin(z, node)) return false;
    vec_take(&z->node[node].queue, i);
    begin_service(z, i);
    return true;
}

static bool move_one(Naive *z) {
    for (int k = 0; k < (int)z->m->nodes; k++) {
        NaiveNode *n = &z->node[k];
        if (def(z, k)->kind == FLOW_SOURCE && n->stuck && n->done.n == 0) {
            n->stuck = false;
            next_arrival(z, k);
            return true;
        }
        if (def(z, k)->kind != FLOW_SOURCE && (start_next(z, k) || let_in(z, k))) return true;
    }
    return false;
}

// Of all who wait for a resource, the most urgent that can have it.
static bool claim_one(Naive *z, unsigned given) {
    int best = -1, who = -1;
    for (int k = 0; k < (int)z->m->nodes; k++) {
        const NaiveNode *n = &z->node[k];
        if (!(needs(z, k) & given) || !can_begin(z, k)) continue;
        int i = next_in_queue(z, k);
        if (i < 0 && n->door.n) i = n->door.at[0];
        if (i < 0) continue;
        const NaiveItem *x = &z->item[i], *y = &z->item[who < 0 ? i : who];
        if (best >= 0 && (x->priority > y->priority || (x->priority == y->priority && x->order > y->order))) continue;
        best = k;
        who = i;
    }
    if (best < 0) return false;
    if (start_next(z, best)) return true;
    bool any = false;
    while (let_in(z, best)) any = true;
    return any;
}

static void settle(Naive *z) {
    for (;;) {
        while (move_one(z)) {}
        if (!z->given) return;
        unsigned given = z->given;
        z->given = 0;
        while (claim_one(z, given)) {}
    }
}

static void arrives(Naive *z, int node) {
    NaiveNode *n = &z->node[node];
    int i = 0;
    while (z->item[i].alive) i++;
    assert_true(i < ITEMS);
    z->item[i] = (NaiveItem){.alive = true,
                             .node = node,
                             .source = node,
                             .born = z->now,
                             .number = n->entered++,
                             .priority = def(z, node)->priority,
                             .type = (int)def(z, node)->type,
                             .stamp = z->item[i].stamp + 1};
    n->arrivals++;
    depart(z, i);
    if (n->done.n) n->stuck = true;
    else next_arrival(z, node);
}

static bool wears(const Naive *z, int node) {
    return def(z, node)->failures.count && z->f->pm[z->f->pn[node].modes].f.operating;
}

static void ends(Naive *z, int i) {
    NaiveItem *x = &z->item[i];
    NaiveNode *n = &z->node[x->node];
    if (wears(z, x->node)) n->op_left -= z->now - x->began;
    vec_take(&n->serving, i);
    x->in_service = false;
    x->stamp++;
    n->served++;
    units(z, x->node, -1);
    z->given |= needs(z, x->node);
    double scrap = def(z, x->node)->scrap;
    if (scrap > 0 && flow_unit(z->f, by_item(z, x->node, S_SCRAP, i)) < scrap) {
        out_of_node(z, i);
        n->scrapped++;
        x->alive = false;
    } else depart(z, i);
}

static void fails(Naive *z, int node) {
    NaiveNode *n = &z->node[node];
    const PMode *p = &z->f->pm[z->f->pn[node].modes];
    n->down = true;
    n->stamp++;
    for (int k = 0; k < n->serving.n; k++) {
        NaiveItem *x = &z->item[n->serving.at[k]];
        x->left = fmax(0, x->left - (z->now - x->began));
        x->stamp++;
    }
    later(z, z->now + flow_draw(z->f, p->f.repair, by_node(z, node, S_REPAIR, n->breakdowns)), UP, node, n->stamp);
}

static void comes_up(Naive *z, int node, bool first) {
    NaiveNode *n = &z->node[node];
    const PMode *p = &z->f->pm[z->f->pn[node].modes];
    if (!first) n->breakdowns++;
    n->down = false;
    n->stamp++;
    double after = flow_draw(z->f, p->f.after, by_node(z, node, S_AFTER, n->breakdowns));
    if (p->f.operating) n->op_left = after;
    else later(z, z->now + after, FAIL, node, n->stamp);
    for (int k = 0; k < n->serving.n; k++) run_item(z, n->serving.at[k]);
}

static void reneges(Naive *z, int i) {
    NaiveNode *n = &z->node[z->item[i].node];
    vec_take(&n->queue, i);
    out_of_node(z, i);
    n->reneged++;
    z->item[i].alive = false;
    z->item[i].stamp++;
}

static void areas(Naive *z, double to) {
    for (uint32_t k = 0; k < z->m->nodes; k++) {
        if (def(z, (int)k)->kind != FLOW_SOURCE) z->node[k].area += (to - z->now) * inside(z, (int)k);
    }
    z->now = to;
}

static void happen(Naive *z, NaiveEvent e) {
    switch (e.kind) {
    case ARRIVE: arrives(z, e.who); break;
    case END:
        if (z->item[e.who].stamp == e.stamp) ends(z, e.who);
        break;
    case LEAVES:
        if (z->item[e.who].stamp == e.stamp) reneges(z, e.who);
        break;
    case FAIL:
        if (z->node[e.who].stamp == e.stamp) fails(z, e.who);
        break;
    case UP: comes_up(z, e.who, false); break;
    }
}

static bool stale(const Naive *z, const NaiveEvent *e) {
    if (e->kind == END || e->kind == LEAVES) return z->item[e->who].stamp != e->stamp;
    return e->kind == FAIL && z->node[e->who].stamp != e->stamp;
}

static void naive_run(Naive *z, double until) {
    for (uint32_t k = 0; k < z->m->nodes; k++) {
        if (def(z, (int)k)->failures.count) comes_up(z, (int)k, true);
        if (def(z, (int)k)->kind == FLOW_SOURCE) next_arrival(z, (int)k);
    }
    for (;;) {
        int best = -1;
        for (int k = 0; k < z->events; k++) {
            if (stale(z, &z->event[k])) z->event[k--] = z->event[--z->events];
        }
        for (int k = 0; k < z->events; k++) {
            if (best < 0 || z->event[k].t < z->event[best].t) best = k;
        }
        if (best < 0 || z->event[best].t > until) break;
        NaiveEvent e = z->event[best];
        z->event[best] = z->event[--z->events];
        areas(z, e.t);
        happen(z, e);
        settle(z);
    }
    areas(z, until);
}

// ---- random networks -----------------------------------------------------------------------------------------------

static Net net;

static double between(Rng *r, double a, double b) { return a + (b - a) * rng_f64(r); }

static FlowRef some_time(Rng *r, double mean) {
    switch (rng_below(r, 5)) {
    case 0: return net_dist(&net, FLOW_UNIFORM, 0.2 * mean, 1.8 * mean, 0);
    case 1: return net_dist(&net, FLOW_GAMMA, mean, 3, 0);
    case 2: return net_dist(&net, FLOW_LOGNORMAL, mean, 0.7 * mean, 0);
    case 3: return net_dist(&net, FLOW_WEIBULL, mean, 1.5, 0);
    default: return net_dist(&net, FLOW_EXPONENTIAL, mean, 0, 0);
    }
}

static FlowNode some_station(Rng *r, FlowRef crew) {
    FlowNode n = {.kind = FLOW_STATION, .servers = 1 + (double)rng_below(r, 3)};
    n.service = some_time(r, between(r, 0.5, 2));
    n.discipline = (FlowDiscipline)rng_below(r, 4);
    n.bounded = rng_below(r, 2);
    n.capacity = (double)rng_below(r, 6);
    n.lose = n.bounded && rng_below(r, 3) == 0;
    if (rng_below(r, 4) == 0) n.patience = some_time(r, 3);
    if (rng_below(r, 4) == 0) n.scrap = between(r, 0, 0.3);
    if (rng_below(r, 3) == 0) {
        n.seize = net_use(&net, crew + (FlowRef)rng_below(r, 2), 1 + (uint32_t)rng_below(r, 2));
        if (rng_below(r, 3) == 0) (void)net_use(&net, crew + 2, 1), n.seize.count++;
    }
    if (rng_below(r, 3)) return n;
    FlowFailure f = {.after = some_time(r, 10), .repair = some_time(r, 2), .operating = rng_below(r, 2)};
    if (f.operating) n.servers = 1;
    n.failures = net_failure(&net, f);
    return n;
}

// Sources, stations in no order, a buffer or two, a sink; ways mostly onwards, some back.
static FlowModel *some_net(uint64_t seed) {
    Rng r = rng_make(seed, 1);
    uint32_t sources = 1 + (uint32_t)rng_below(&r, 3), stations = 1 + (uint32_t)rng_below(&r, 6);
    net_init(&net);
    FlowRef crew = net_resource(&net, 2 + (double)rng_below(&r, 3));
    (void)net_resource(&net, 2);
    (void)net_resource(&net, 1);
    for (uint32_t i = 0; i < sources; i++) {
        FlowNode n = {.kind = FLOW_SOURCE, .first_gap = true, .priority = (double)rng_below(&r, 3)};
        n.gap = some_time(&r, between(&r, 0.7, 3));
        net_node(&net, n);
    }
    for (uint32_t i = 0; i < stations; i++) {
        bool buffer = i + 1 < stations && rng_below(&r, 5) == 0;
        FlowNode n = buffer ? (FlowNode){.kind = FLOW_BUFFER, .bounded = true, .capacity = 1 + (double)rng_below(&r, 5)}
                            : some_station(&r, crew);
        n.route = rng_below(&r, 4) == 0 ? FLOW_LEAST : FLOW_SHARE;
        net_node(&net, n);
    }
    uint32_t sink = net_node(&net, (FlowNode){.kind = FLOW_SINK}), first = sources;
    for (uint32_t i = 0; i < sources; i++) net_edge(&net, i, first + (uint32_t)rng_below(&r, stations), 1);
    for (uint32_t i = first; i < sink; i++) {
        uint32_t ways = 1 + (uint32_t)rng_below(&r, 3);
        bool buffer = net.nodes[i].kind == FLOW_BUFFER;
        for (uint32_t k = 0; k < ways; k++) { // the last one onwards
            uint32_t to = k + 1 == ways || buffer || rng_below(&r, 4) ? i + 1 + (uint32_t)rng_below(&r, sink - i)
                                                                      : first + (uint32_t)rng_below(&r, stations);
            if (net.nodes[to].kind == FLOW_BUFFER && to <= i) to = sink;
            net_edge(&net, i, to, between(&r, 0.2, 1));
        }
    }
    return net_make(&net);
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-9 * (1 + fabs(a) + fabs(b)); }

#define SAME(cond)                                                                                                     \
    do {                                                                                                               \
        if (!(cond)) print_message("seed %llu, node %u: %s\n", (unsigned long long)seed, k, #cond);                    \
        assert_true(cond);                                                                                             \
    } while (0)

static void compare(uint64_t seed, const Flow *f, const Naive *z, double until) {
    for (uint32_t k = 0; k < z->m->nodes; k++) {
        FlowFigures x;
        const NaiveNode *n = &z->node[k];
        flow_figures(f, k, &x);
        SAME(x.entered == n->entered);
        SAME(x.left == n->left);
        SAME(x.served == n->served);
        SAME(x.refused == n->refused);
        SAME(x.reneged == n->reneged);
        SAME(x.scrapped == n->scrapped);
        SAME(x.wait.n == n->wait_n);
        SAME(x.stay.n == n->stay_n);
        SAME(near(x.wait.mean * (double)x.wait.n, n->waits));
        SAME(near(x.stay.mean * (double)x.stay.n, n->stays));
        SAME(near(x.inside_mean * until, n->area));
        SAME(x.queue == (uint32_t)n->queue.n && x.busy == (uint32_t)n->serving.n && x.blocked == (uint32_t)n->done.n);
    }
}

static void test_a_naive_simulator_agrees(void **state) {
    const double until = 300;
    uint64_t events = 0;
    Naive *z = mem_alloc(sizeof *z);
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        FlowModel *m = some_net(seed);
        Flow *f = flow_open(m), *draws = flow_open(m);
        FlowStart s = {.seed = seed, .scenario = 2};
        net_run(f, &s, until);
        flow_prepare(draws, &s);
        *z = (Naive){.m = m, .f = draws};
        naive_run(z, until);
        compare(seed, f, z, until);
        events += flow_events(f);
        flow_close(f);
        flow_close(draws);
        flow_model_free(m);
    }
    assert_true(events > 100000);
    mem_free(z);
}

static void test_slices_and_saves_change_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        FlowModel *m = some_net(seed);
        Flow *a = flow_open(m), *b = flow_open(m);
        FlowStart s = {.seed = seed, .warmup = 40, .items = 1};
        Rng r = rng_make(seed, 2);
        net_run(a, &s, 200);
        assert_int_equal(flow_start(b, &s, NULL), ERR_OK);
        for (double t = 0; t < 200;) {
            t = fmin(200, t + between(&r, 0, 15));
            assert_int_equal(flow_until(b, t, NULL), ERR_OK);
            flow_verify(b);
            if (rng_below(&r, 4)) continue;
            Buf saved = {0};
            flow_save(b, &saved);
            flow_close(b);
            b = flow_open(m);
            assert_int_equal(flow_load(b, buf_str(&saved), NULL), ERR_OK);
            buf_free(&saved);
        }
        Buf x = {0}, y = {0};
        flow_save(a, &x);
        flow_save(b, &y);
        if (!str_eq(buf_str(&x), buf_str(&y))) print_message("seed %llu\n", (unsigned long long)seed);
        assert_true(str_eq(buf_str(&x), buf_str(&y)));
        buf_free(&x);
        buf_free(&y);
        flow_close(a);
        flow_close(b);
        flow_model_free(m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_naive_simulator_agrees),
        cmocka_unit_test(test_slices_and_saves_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
