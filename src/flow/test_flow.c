// SPDX-License-Identifier: Apache-2.0
#include "flow/test_flow.h"
#include <math.h>
#include <stdio.h>
#include "base/check.h"

static char names[NET_PARTS][8];

void net_init(Net *n) {
    memset(n, 0, sizeof *n);
    n->def = (FlowDef){.nodes = n->nodes,
                       .edges = n->edges,
                       .resources = n->resources,
                       .calendars = n->calendars,
                       .dists = n->dists,
                       .uses = n->uses,
                       .failures = n->failures,
                       .sets = n->sets,
                       .numbers = n->numbers};
}

uint32_t net_node(Net *n, FlowNode node) {
    uint32_t k = n->def.node_count++;
    CHECK(k < NET_PARTS);
    snprintf(names[k], sizeof names[k], "n%u", k);
    node.name = str_of(names[k]);
    node.twin = 1000 + k;
    n->nodes[k] = node;
    return k;
}

uint32_t net_edge(Net *n, uint32_t from, uint32_t to, double weight) {
    CHECK(n->def.edge_count < NET_PARTS);
    n->edges[n->def.edge_count] = (FlowEdge){.from = from, .to = to, .weight = weight};
    return n->def.edge_count++;
}

FlowRef net_dist(Net *n, FlowDistKind kind, double a, double b, double c) {
    CHECK(n->def.dist_count < NET_PARTS);
    n->dists[n->def.dist_count] = (FlowDist){.kind = kind, .a = a, .b = b, .c = c};
    return FLOW_REF(n->def.dist_count++);
}

FlowRef net_resource(Net *n, double number) {
    CHECK(n->def.resource_count < 64);
    n->resources[n->def.resource_count] =
        (FlowResource){.name = STR("crew"), .twin = 5000 + n->def.resource_count, .number = number};
    return FLOW_REF(n->def.resource_count++);
}

FlowRange net_use(Net *n, FlowRef resource, uint32_t number) {
    CHECK(n->def.use_count < 256);
    n->uses[n->def.use_count] = (FlowUse){resource, number};
    return (FlowRange){n->def.use_count++, 1};
}

FlowRange net_numbers(Net *n, const double *v, uint32_t count) {
    FlowRange r = {n->def.number_count, count};
    CHECK(r.first + count <= 4096);
    memcpy(n->numbers + r.first, v, count * sizeof *v);
    n->def.number_count += count;
    return r;
}

FlowRef net_calendar(Net *n, double period, const double *steps, uint32_t count) {
    CHECK(n->def.calendar_count < 64);
    n->calendars[n->def.calendar_count] = (FlowCalendar){.period = period, .steps = net_numbers(n, steps, count)};
    return FLOW_REF(n->def.calendar_count++);
}

FlowRef net_table(Net *n, FlowDistKind kind, double a, const double *v, uint32_t count) {
    FlowRef r = net_dist(n, kind, a, 0, 0);
    n->dists[r - 1].table = net_numbers(n, v, count);
    return r;
}

FlowRange net_failure(Net *n, FlowFailure f) {
    CHECK(n->def.failure_count < 64);
    n->failures[n->def.failure_count] = f;
    return (FlowRange){n->def.failure_count++, 1};
}

FlowRange net_set(Net *n, FlowSet s) {
    CHECK(n->def.set_count < 64);
    n->sets[n->def.set_count] = s;
    return (FlowRange){n->def.set_count++, 1};
}

static void told(const Diag *d) {
    Buf text = {0};
    diag_print(d, &text);
    fprintf(stderr, "%.*s\n", STR_ARG(buf_str(&text)));
    buf_free(&text);
}

FlowModel *net_make(Net *n) {
    Diag d = {0};
    FlowModel *m = NULL;
    Err e = flow_make(&n->def, &m, &d);
    if (e != ERR_OK) told(&d);
    CHECK(e == ERR_OK);
    return m;
}

void net_run(Flow *f, const FlowStart *s, double until) {
    Diag d = {0};
    Err e = flow_run(f, s, until, &d);
    if (e != ERR_OK) told(&d);
    CHECK(e == ERR_OK);
    flow_verify(f);
}

void mean_add(Mean *m, double v) {
    m->n++;
    double d = v - m->mean;
    m->mean += d / m->n;
    m->m2 += d * (v - m->mean);
}

double mean_half(const Mean *m) { return 3.29 * sqrt(m->m2 / (m->n - 1) / m->n); }
