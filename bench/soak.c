// SPDX-License-Identifier: Apache-2.0
// The soak: NDJSON of four sources at 80 % of the peak just measured, for as long as asked (soak_bench SECONDS; 20), a
// feed cursor beside it that counts every change. At the end both ends must agree: values sent = accepted = seen by
// the cursor, and every point holds what was sent to it last; and memory must not have grown. A failure is a failure.
//
// Each source has points of its own (those of twins with its number modulo the number of sources), so that what it sent
// last is what must stand.
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bench.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/thread.h"
#include "ingest_scene.h"

#define TWINS 50000
#define SOURCES 4
#define BATCH 5000
#define UNDER_WAY 4 // bodies of a source
#define PEAK_S 3.0
#define SECONDS 20.0
#define SHARE 0.8
#define GROWTH_MAX_MB 64.0 // of the resident size, from a quarter of the time on

typedef struct Source Source;
typedef struct Soak {
    Scene scene;
    Source *sources;
    SosiaFeed *feed;
    Thread reader;
    _Atomic int64_t seen, gone;
    _Atomic bool stop;
} Soak;

struct Source {
    Soak *soak;
    Thread thread;
    int number;
    Rng rng;
    double rate; // values/s; 0: as fast as it goes
    int64_t until_ns;
    int64_t sent, counter;
    _Atomic int64_t accepted, trouble, out;
    double *last; // by point; 0: nothing yet
};

// ---- sending ------------------------------------------------------------------------------------------------------

static void on_done(void *arg, const SosiaDone *d) {
    Source *s = arg;
    int64_t accepted = 0;
    if (!d->err) accepted = strtoll(d->body.p + strlen("{\"accepted\":"), NULL, 10);
    if (accepted != BATCH && atomic_fetch_add(&s->trouble, 1) == 0)
        fprintf(stderr, "soak: %.*s %.*s\n", STR_ARG(d->message), STR_ARG(d->body));
    atomic_fetch_add(&s->accepted, accepted);
    atomic_fetch_sub(&s->out, 1);
}

static void make_body(Source *s, Buf *b) {
    buf_reset(b);
    for (int i = 0; i < BATCH; i++) {
        int64_t twin = (int64_t)rng_below(&s->rng, TWINS / SOURCES) * SOURCES + s->number;
        int64_t field = (int64_t)rng_below(&s->rng, SCENE_FIELDS);
        double value = (double)++s->counter;
        s->last[twin * SCENE_FIELDS + field] = value;
        buf_printf(b, "{\"id\":\"pump-%d\",\"property\":\"p%d\",\"value\":%lld}\n", (int)twin, (int)field,
                   (long long)s->counter);
    }
}

static void send_body(Source *s, const Buf *b, SosiaStr name) {
    SosiaWrite w = {.op = SOSIA_INGEST, .body = buf_str(b), .source = name};
    SosiaErr err;
    atomic_fetch_add(&s->out, 1);
    while ((err = sosia_write(s->soak->scene.s, NULL, &w, on_done, s)) == SOSIA_BUSY) thread_sleep_ns(NS_PER_MS);
    scene_check(err, "write");
    s->sent += BATCH;
}

static void *source_main(void *arg) {
    Source *s = arg;
    Buf body = {0};
    char name[16];
    snprintf(name, sizeof name, "source-%d", s->number);
    int64_t next = time_mono_ns(), gap = s->rate > 0 ? (int64_t)(1e9 * BATCH / s->rate) : 0;
    while (time_mono_ns() < s->until_ns) {
        make_body(s, &body);
        int64_t now = time_mono_ns();
        if (now < next) thread_sleep_ns(next - now);
        next += gap;
        while (atomic_load(&s->out) >= UNDER_WAY) thread_sleep_ns(100000);
        send_body(s, &body, str_of(name));
    }
    while (atomic_load(&s->out)) thread_sleep_ns(100000);
    buf_free(&body);
    return NULL;
}

static int64_t sent_of(const Soak *x) {
    int64_t n = 0;
    for (int i = 0; i < SOURCES; i++) n += x->sources[i].sent;
    return n;
}

// ---- the cursor ---------------------------------------------------------------------------------------------------

static void *reader_main(void *arg) {
    Soak *x = arg;
    SosiaBatch b;
    while (!atomic_load(&x->stop)) {
        SosiaErr err = sosia_feed_next(x->feed, 50 * NS_PER_MS, &b);
        if (err) {
            fprintf(stderr, "soak: the cursor: %s\n", sosia_err_name(err));
            atomic_store(&x->gone, 1);
            return NULL;
        }
        int64_t n = 0;
        for (int64_t i = 0; i < b.count; i++) n += b.changes[i].what == SOSIA_EV_SET;
        atomic_fetch_add(&x->seen, n);
    }
    return NULL;
}

// ---- a phase ------------------------------------------------------------------------------------------------------

static double resident_mb(void) {
    long pages = 0, unused = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &unused, &pages) != 2) scene_check(SOSIA_IO, "/proc/self/statm");
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

// Run all sources; returns values/s. *growth_mb: of memory since a quarter of the time had passed.
static double run(Soak *x, double seconds, double rate, double *growth_mb) {
    int64_t start = time_mono_ns(), before = sent_of(x);
    for (int i = 0; i < SOURCES; i++) {
        Source *s = &x->sources[i];
        s->rate = rate / SOURCES;
        s->until_ns = start + (int64_t)(seconds * 1e9);
        if (thread_start(&s->thread, "source", source_main, s)) scene_check(SOSIA_IO, "thread");
    }
    thread_sleep_ns((int64_t)(seconds * 0.25e9));
    double mb = resident_mb();
    for (int i = 0; i < SOURCES; i++) thread_join(&x->sources[i].thread);
    *growth_mb = resident_mb() - mb;
    return (double)(sent_of(x) - before) / bench_seconds(start);
}

// ---- the checks ---------------------------------------------------------------------------------------------------

static int64_t wrong_values(Soak *x) {
    int64_t wrong = 0;
    SosiaBuf keep = {0};
    for (int64_t i = 0; i < TWINS * SCENE_FIELDS; i++) {
        double want = x->sources[i / SCENE_FIELDS % SOURCES].last[i];
        SosiaValue v;
        scene_check(sosia_value(x->scene.s, NULL, (SosiaStr){0}, x->scene.at[i], &v, NULL, NULL, &keep), "value");
        wrong += want > 0 ? v.kind != SOSIA_F64 || v.d != want : v.kind != SOSIA_NONE;
    }
    sosia_buf_free(&keep);
    return wrong;
}

static bool agree(Soak *x) {
    int64_t sent = sent_of(x), accepted = 0, trouble = 0;
    for (int i = 0; i < SOURCES; i++) {
        accepted += atomic_load(&x->sources[i].accepted);
        trouble += atomic_load(&x->sources[i].trouble);
    }
    for (int i = 0; i < 600 && atomic_load(&x->seen) < sent && !atomic_load(&x->gone); i++)
        thread_sleep_ns(100 * NS_PER_MS);
    int64_t seen = atomic_load(&x->seen), wrong = wrong_values(x);
    printf("{\"name\":\"ingest.soak_counts\",\"sent\":%lld,\"accepted\":%lld,\"seen\":%lld,\"wrong_values\":%lld,"
           "\"trouble\":%lld}\n",
           (long long)sent, (long long)accepted, (long long)seen, (long long)wrong, (long long)trouble);
    return accepted == sent && seen == sent && !wrong && !trouble && !atomic_load(&x->gone);
}

int main(int argc, char **argv) {
    static Soak x;
    double seconds = argc > 1 ? atof(argv[1]) : SECONDS, growth;
    scene_open(&x.scene, TWINS);
    x.sources = mem_alloc(sizeof(Source) * SOURCES);
    for (int i = 0; i < SOURCES; i++) {
        x.sources[i].soak = &x;
        x.sources[i].number = i;
        x.sources[i].rng = rng_make(11, (uint64_t)i);
        x.sources[i].last = mem_alloc(sizeof(double) * TWINS * SCENE_FIELDS);
    }
    scene_check(sosia_feed_open(x.scene.s, NULL, (SosiaStr){0}, 0, &x.feed, NULL), "feed");
    if (thread_start(&x.reader, "reader", reader_main, &x)) scene_check(SOSIA_IO, "thread");
    double peak = run(&x, PEAK_S, 0, &growth);
    double held = run(&x, seconds, peak * SHARE, &growth);
    bool ok = agree(&x);
    Bench rate = {.name = "ingest.soak", .unit = "M/s", .goal = peak * SHARE * 0.95 / 1e6};
    Bench memory = {.name = "ingest.soak_growth", .unit = "MB", .goal = GROWTH_MAX_MB, .less = true};
    rate.peer = "peak of the same run";
    rate.peer_value = peak / 1e6;
    bench_add(&rate, held / 1e6);
    bench_print(&rate);
    bench_add(&memory, growth);
    bench_print(&memory);
    atomic_store(&x.stop, true);
    thread_join(&x.reader);
    sosia_feed_close(x.feed);
    scene_close(&x.scene);
    for (int i = 0; i < SOURCES; i++) mem_free(x.sources[i].last);
    mem_free(x.sources);
    return ok && growth < GROWTH_MAX_MB ? 0 : 1;
}
