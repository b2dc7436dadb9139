// SPDX-License-Identifier: Apache-2.0
// Speed of the JSON readers and writers. Prints one JSON line a figure: median of ROUNDS, with the smallest and the
// largest. When built with simdjson (tests/CMakeLists.txt), the peer runs in turn with ours on the same bytes.
#include <math.h>
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "codec/ingest_line.h"

#ifdef SOSIA_PEER_SIMDJSON
// Both in tests/json_peer.cpp: the same work by simdjson. Return something that depends on what was read.
double peer_scan_lines(const char *const *lines, const size_t *sizes, int count);
double peer_dom(const char *text, size_t size);
#endif

#define ROUNDS 9
#define LINES 2000
#define LINE_BYTES 147

typedef struct Work {
    Str lines[LINES];
    const char *starts[LINES];
    size_t sizes[LINES];
    Str doc;
    double numbers[LINES];
    Str texts[LINES]; // 40 bytes, one in ten with something to escape
    Arena arena;
    Buf out;
} Work;

static volatile double sink; // what the work computed, so that it is done at all

// units: what one call of fn handles, for instance messages. Returns units a second.
static double rate(double (*fn)(Work *), Work *w, double units) {
    int64_t n = 0, start = time_mono_ns(), now;
    do {
        sink += fn(w);
        n++;
        now = time_mono_ns();
    } while (now - start < 100 * NS_PER_MS);
    return (double)n * units * 1e9 / (double)(now - start);
}

typedef struct Figure {
    const char *name, *unit;
    double (*fn)(Work *);
    double (*peer)(Work *); // NULL: none
    double units;           // handled by one call, in `unit`
    double goal;
} Figure;

static void measure(const Figure *f, Work *w) {
    Bench own = {.name = f->name, .unit = f->unit, .goal = f->goal};
    double peer[ROUNDS];
    sink += f->fn(w);
    for (int i = 0; i < ROUNDS; i++) {
        bench_add(&own, rate(f->fn, w, f->units));
        if (f->peer) peer[i] = rate(f->peer, w, f->units);
    }
    if (f->peer) {
        own.peer = "simdjson";
        own.peer_value = bench_median(peer, ROUNDS);
    }
    bench_print(&own);
}

// Take out of every line what ingest needs: id, property, value, time.
static double scan_line(Str line) {
    JsonScan s;
    JsonToken key, v;
    double sum = 0;
    json_scan_init(&s, line);
    json_scan_object(&s);
    while (json_scan_key(&s, &key)) {
        json_scan_value(&s, &v);
        sum += v.type == JSON_STRING ? (double)v.raw.n : v.d;
    }
    CHECK(json_scan_end(&s));
    return sum;
}

static double scan_lines(Work *w) {
    double sum = 0;
    for (int i = 0; i < LINES; i++) sum += scan_line(w->lines[i]);
    return sum;
}

static double skip_lines(Work *w) {
    double sum = 0;
    for (int i = 0; i < LINES; i++) {
        JsonScan s;
        json_scan_init(&s, w->lines[i]);
        sum += json_scan_skip(&s, NULL) && json_scan_end(&s);
    }
    CHECK(sum == LINES);
    return sum;
}

static double ingest_lines(Work *w) {
    double sum = 0;
    for (int i = 0; i < LINES; i++) {
        IngestLine l;
        CHECK(ingest_line_parse(w->lines[i], &w->arena, &l, NULL) == ERR_OK);
        sum += l.value.d + (double)(l.time_ns & 1);
    }
    return sum;
}

static double dom(Work *w) {
    Json v;
    arena_reset(&w->arena);
    CHECK(json_parse(w->doc, NULL, &w->arena, &v, NULL) == ERR_OK);
    return v.count;
}

static double print_numbers(Work *w) {
    buf_reset(&w->out);
    for (int i = 0; i < LINES; i++) json_put_f64(&w->out, w->numbers[i]);
    return (double)w->out.n;
}

static double print_strings(Work *w) {
    buf_reset(&w->out);
    for (int i = 0; i < LINES; i++) json_put_str(&w->out, w->texts[i]);
    return (double)w->out.n;
}

#ifdef SOSIA_PEER_SIMDJSON
static double simdjson_lines(Work *w) { return peer_scan_lines(w->starts, w->sizes, LINES); }
static double simdjson_dom(Work *w) { return peer_dom(w->doc.p, (size_t)w->doc.n); }
#else
#define simdjson_lines NULL
#define simdjson_dom NULL
#endif

// One telemetry line of LINE_BYTES bytes, unit name padded to size.
static void make_line(Buf *b, Rng *r) {
    int64_t from = b->n;
    buf_printf(
        b, "{\"id\":\"building-7/floor-%02d/pump-%04d\",\"property\":\"dischargePressure\",\"value\":%.2f,\"time\":",
        (int)rng_below(r, 40), (int)rng_below(r, 10000), 10 + 80 * rng_f64(r));
    buf_printf(b, "\"2026-11-22T08:%02d:%02d.%03dZ\",\"source\":\"", (int)rng_below(r, 60), (int)rng_below(r, 60),
               (int)rng_below(r, 1000));
    while (b->n - from < LINE_BYTES - 2) buf_byte(b, 'x');
    buf_put(b, "\"}", 2);
    CHECK(b->n - from == LINE_BYTES);
}

static Work *make_work(void) {
    Work *w = mem_alloc(sizeof *w);
    Rng r = rng_make(7, 1);
    Buf text = {0}, doc = {0};
    arena_init(&w->arena, 16 << 20);
    buf_reserve(&text, LINES * (LINE_BYTES + 64)); // 64 bytes behind each line: simdjson reads beyond the end
    buf_byte(&doc, '[');
    for (int i = 0; i < LINES; i++) {
        int64_t from = text.n;
        make_line(&text, &r);
        w->lines[i] = (Str){text.p + from, LINE_BYTES};
        w->starts[i] = w->lines[i].p;
        w->sizes[i] = LINE_BYTES;
        if (i) buf_byte(&doc, ',');
        buf_str_put(&doc, w->lines[i]);
        for (int k = 0; k < 64; k++) buf_byte(&text, ' ');
        w->texts[i] = str_sub(w->lines[i], i % 10 ? LINE_BYTES - 42 : 2, i % 10 ? LINE_BYTES - 2 : 42);
        w->numbers[i] = i % 2 ? round((10 + 80 * rng_f64(&r)) * 100) / 100 : rng_normal(&r) * 1e3;
    }
    buf_byte(&doc, ']');
    w->doc = buf_str(&doc);
    return w;
}

int main(void) {
    Work *w = make_work();
    const double mb = (double)w->doc.n / 1e6, lines = LINES / 1e6;
    const Figure figures[] = {
        {"json.scan", "M msg/s", scan_lines, simdjson_lines, lines, 9},
        {"json.skip", "M msg/s", skip_lines, NULL, lines, 9},
        {"json.ingest_line", "M lines/s", ingest_lines, NULL, lines, 4},
        {"json.dom", "MB/s", dom, simdjson_dom, mb, 500},
        {"json.put_f64", "M numbers/s", print_numbers, NULL, lines, 20},
        {"json.put_str", "MB/s", print_strings, NULL, LINES * 40 / 1e6, 500},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) measure(&figures[i], w);
    return 0;
}
