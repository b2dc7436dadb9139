// SPDX-License-Identifier: Apache-2.0
#include "serve/metrics.h"
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/check.h"
#include "base/time.h"
#include "codec/json.h"
#include "serve/route.h"

static const int STATUSES[METRICS_STATUSES] = {200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 409,
                                               410, 412, 413, 417, 429, 431, 500, 503, 507, 0};
// Upper bounds in ns, and the same as the label.
static const int64_t BOUNDS[METRICS_BUCKETS - 1] = {50000,     100000,     250000,    500000,   1000000,
                                                    2500000,   5000000,    10000000,  50000000, 100000000,
                                                    500000000, 1000000000, 5000000000};
static const char *const LABELS[METRICS_BUCKETS] = {"0.00005", "0.0001", "0.00025", "0.0005", "0.001",
                                                    "0.0025",  "0.005",  "0.01",    "0.05",   "0.1",
                                                    "0.5",     "1",      "5",       "+Inf"};

static int32_t status_index(int status) {
    int32_t i = 0;
    while (i < METRICS_STATUSES - 1 && STATUSES[i] != status) i++;
    return i;
}

static void add(_Atomic int64_t *c, int64_t n) {
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

void metrics_count(Metrics *m, int32_t thread, int32_t route, int status, int64_t duration_ns) {
    MetricsCell *c = &m->cells[thread][route < 0 ? METRICS_ROUTES_MAX : route];
    int32_t bucket = 0;
    while (bucket < METRICS_BUCKETS - 1 && duration_ns > BOUNDS[bucket]) bucket++;
    add(&c->statuses[status_index(status)], 1);
    add(&c->buckets[bucket], 1);
    add(&c->sum_ns, duration_ns);
}

void metrics_refused(Metrics *m, int status) { atomic_fetch_add(&m->refused[status_index(status)], 1); }

// ---- printing ----

typedef struct CellSum {
    int64_t statuses[METRICS_STATUSES], buckets[METRICS_BUCKETS], sum_ns, count;
} CellSum;

static CellSum sum_cells(const Metrics *m, int32_t route) {
    CellSum sum = {0};
    for (int32_t t = 0; t < HTTP_THREADS_MAX; t++) {
        const MetricsCell *c = &m->cells[t][route];
        for (int32_t i = 0; i < METRICS_STATUSES; i++) sum.statuses[i] += c->statuses[i];
        for (int32_t i = 0; i < METRICS_BUCKETS; i++) sum.buckets[i] += c->buckets[i];
        sum.sum_ns += c->sum_ns;
    }
    for (int32_t i = 0; i < METRICS_BUCKETS; i++) sum.count += sum.buckets[i];
    return sum;
}

static void print_head(Buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_value(Buf *out, const char *name, const char *type, const char *help, double value) {
    print_head(out, name, type, help);
    buf_printf(out, "%s ", name);
    json_put_f64(out, value);
    buf_byte(out, '\n');
}

static const char *route_name(const Route *routes, int32_t count, int32_t i) {
    return i < count ? routes[i].name : "none";
}

static void print_requests(const Metrics *m, Buf *out) {
    int32_t count = 0;
    const Route *routes = route_table(&count);
    CHECK(count <= METRICS_ROUTES_MAX);
    print_head(out, "sosia_http_requests_total", "counter", "Replies by operation and status.");
    for (int32_t r = 0; r <= METRICS_ROUTES_MAX; r++) {
        CellSum sum = sum_cells(m, r);
        for (int32_t i = 0; i < METRICS_STATUSES; i++) {
            if (sum.statuses[i] == 0) continue;
            buf_printf(out, "sosia_http_requests_total{operation=\"%s\",status=\"%d\"} %lld\n",
                       route_name(routes, count, r), STATUSES[i], (long long)sum.statuses[i]);
        }
    }
    print_head(out, "sosia_http_request_duration_seconds", "histogram",
               "From the last byte of a request to its reply being handed over.");
    for (int32_t r = 0; r <= METRICS_ROUTES_MAX; r++) {
        CellSum sum = sum_cells(m, r);
        const char *name = route_name(routes, count, r);
        int64_t upto = 0;
        if (sum.count == 0) continue;
        for (int32_t i = 0; i < METRICS_BUCKETS; i++) {
            upto += sum.buckets[i];
            buf_printf(out, "sosia_http_request_duration_seconds_bucket{operation=\"%s\",le=\"%s\"} %lld\n", name,
                       LABELS[i], (long long)upto);
        }
        buf_printf(out, "sosia_http_request_duration_seconds_sum{operation=\"%s\"} %.9f\n", name,
                   (double)sum.sum_ns / 1e9);
        buf_printf(out, "sosia_http_request_duration_seconds_count{operation=\"%s\"} %lld\n", name,
                   (long long)sum.count);
    }
    print_head(out, "sosia_http_refused_total", "counter", "Replies made before an operation was chosen, by status.");
    for (int32_t i = 0; i < METRICS_STATUSES; i++) {
        if (m->refused[i] == 0) continue;
        buf_printf(out, "sosia_http_refused_total{status=\"%d\"} %d\n", STATUSES[i], m->refused[i]);
    }
}

static void print_http(const HttpStats *h, Buf *out) {
    print_value(out, "sosia_http_connections", "gauge", "Open connections.", (double)h->connections);
    print_value(out, "sosia_http_connections_total", "counter", "Connections ever taken.",
                (double)h->connections_total);
    print_value(out, "sosia_http_connections_refused_total", "counter", "Connections turned away: too many.",
                (double)h->connections_refused);
    print_value(out, "sosia_http_requests_in_work", "gauge", "Requests that wait for their reply.",
                (double)h->requests);
    print_value(out, "sosia_http_streams", "gauge", "Open event streams.", (double)h->streams);
    print_value(out, "sosia_http_cut_slow_total", "counter", "Connections closed because the client took nothing.",
                (double)h->cut_slow);
    print_value(out, "sosia_http_cut_input_total", "counter",
                "Connections closed because requests held too much memory.", (double)h->cut_input);
}

static int64_t resident_bytes(void) {
    char text[128];
    FILE *f = fopen("/proc/self/statm", "rbe");
    if (!f) return 0;
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    Str rest = {text, (int64_t)n};
    str_cut(&rest, ' ');
    int64_t pages = 0;
    return str_to_i64(str_cut(&rest, ' '), &pages) ? pages * sysconf(_SC_PAGESIZE) : 0;
}

static void print_process(const Metrics *m, Buf *out) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    double cpu =
        (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    print_value(out, "process_cpu_seconds_total", "counter", "CPU time used.", cpu);
    print_value(out, "process_resident_memory_bytes", "gauge", "Resident memory.", (double)resident_bytes());
    print_value(out, "process_start_time_seconds", "gauge", "Unix time of the start.", (double)m->started_ns / 1e9);
    print_head(out, "sosia_build_info", "gauge", "The version that runs.");
    buf_printf(out, "sosia_build_info{version=\"%s\"} 1\n", sosia_version());
}

// camelCase and other characters to snake_case, for a metric's name.
static void put_name(Buf *name, Str key) {
    for (int64_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        if (c >= 'A' && c <= 'Z') {
            if (i > 0) buf_byte(name, '_');
            buf_byte(name, (char)(c | 0x20));
        } else {
            bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
            buf_byte(name, plain ? c : '_');
        }
    }
}

// Every number below v, named by its path. Depth is bounded by the parser's limit.
static void print_tree(const Json *v, Buf *name, Buf *out) {
    if (v->type == JSON_OBJECT) {
        for (int32_t i = 0; i < v->count; i++) {
            int64_t n = name->n;
            buf_byte(name, '_');
            put_name(name, v->members[i].key);
            print_tree(&v->members[i].value, name, out);
            name->n = n;
        }
    } else if (json_is_number(v)) {
        buf_printf(out, "# TYPE %.*s untyped\n%.*s ", STR_ARG(buf_str(name)), STR_ARG(buf_str(name)));
        json_put_f64(out, json_f64(v));
        buf_byte(out, '\n');
    }
}

void metrics_print(const Metrics *m, const HttpStats *http, Buf *out) {
    print_requests(m, out);
    print_http(http, out);
    print_process(m, out);
}

void metrics_print_json(Str prefix, Str stats, Buf *out) {
    Arena arena;
    Json v;
    Buf name = {0};
    arena_init(&arena, 0);
    buf_str_put(&name, prefix);
    if (json_parse(stats, &(JsonLimits){.depth_max = 16}, &arena, &v, NULL) == ERR_OK) print_tree(&v, &name, out);
    buf_free(&name);
    arena_free(&arena);
}
