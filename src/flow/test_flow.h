// SPDX-License-Identifier: Apache-2.0
// Small models by hand, for tests and benches: parts are added and their numbers (from 0) given back.
#pragma once
#include "flow/flow.h"

enum { NET_PARTS = 2000 };

typedef struct Net {
    FlowNode nodes[NET_PARTS];
    FlowEdge edges[NET_PARTS];
    FlowResource resources[64];
    FlowCalendar calendars[64];
    FlowDist dists[NET_PARTS];
    FlowUse uses[256];
    FlowFailure failures[64];
    FlowSet sets[64];
    double numbers[4096];
    FlowDef def;
} Net;

// Empty.
void net_init(Net *n);
// Each adds one part. Nodes get a name from their number, and a twin.
uint32_t net_node(Net *n, FlowNode node);
uint32_t net_edge(Net *n, uint32_t from, uint32_t to, double weight);
FlowRef net_dist(Net *n, FlowDistKind kind, double a, double b, double c);
FlowRef net_resource(Net *n, double number);
FlowRange net_use(Net *n, FlowRef resource, uint32_t number);
FlowRange net_numbers(Net *n, const double *v, uint32_t count);
FlowRef net_calendar(Net *n, double period, const double *steps, uint32_t count);
FlowRef net_table(Net *n, FlowDistKind kind, double a, const double *v, uint32_t count);
FlowRange net_failure(Net *n, FlowFailure f);
FlowRange net_set(Net *n, FlowSet s);
// The model; a mistake is printed and stops.
FlowModel *net_make(Net *n);

// One replication; stops at an error.
void net_run(Flow *f, const FlowStart *s, double until);
// A figure over replications.
typedef struct Mean {
    double n, mean, m2;
} Mean;
void mean_add(Mean *m, double v);
// Half of the 99.9 % confidence interval (normal: use 20 replications or more).
double mean_half(const Mean *m);
