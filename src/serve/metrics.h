// SPDX-License-Identifier: Apache-2.0
// Counts and latencies of requests by route and status, printed for Prometheus. Each I/O thread writes its own cells;
// any thread reads.
#pragma once
#include <stdatomic.h>
#include <sosia/sosia.h>
#include "base/err.h"
#include "serve/http.h"

#define METRICS_ROUTES_MAX 192
#define METRICS_STATUSES 21
#define METRICS_BUCKETS 14

typedef struct MetricsCell {
    _Atomic int64_t statuses[METRICS_STATUSES];
    _Atomic int64_t buckets[METRICS_BUCKETS]; // not cumulative; the last one is +Inf
    _Atomic int64_t sum_ns;
} MetricsCell;

typedef struct Metrics {
    MetricsCell cells[HTTP_THREADS_MAX][METRICS_ROUTES_MAX + 1]; // the last route: no such resource
    atomic_int refused[METRICS_STATUSES];                        // by the facade
    int64_t started_ns;                                          // wall clock
} Metrics;

// Count one reply. thread < HTTP_THREADS_MAX; route < METRICS_ROUTES_MAX, -1: none. Cost: a few stores.
void metrics_count(Metrics *m, int32_t thread, int32_t route, int status, int64_t duration_ns);
// Count a reply that the facade made itself. Any thread.
void metrics_refused(Metrics *m, int status);
// Requests, connections and the process in the text format 0.0.4, appended to out.
void metrics_print(const Metrics *m, const HttpStats *http, Buf *out);
// Every number of some statistics (a JSON object) as PREFIX_PATH_NAME.
void metrics_print_json(Str prefix, Str stats, Buf *out);
