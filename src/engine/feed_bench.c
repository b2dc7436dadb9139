// SPDX-License-Identifier: Apache-2.0
// The feed: a change as one cursor decodes it, from memory and from the journal; items.
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include "base/bench.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "sosia/sosia.h"

#define TWINS 200000
#define COLUMNS 5
#define BATCH 1000
#define BATCHES 500
#define ROUNDS 5

static const char models[] =
    "[{\"@id\":\"dtmi:bench:Pump;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"p0\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"p1\","
    "\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"p2\",\"schema\":\"double\"},{\"@type\":\"Property\","
    "\"name\":\"p3\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"p4\",\"schema\":\"double\"}]}]";

typedef struct Scene {
    Sosia *s;
    SosiaHandle *at; // TWINS x COLUMNS
    Rng rng;
    uint64_t before; // sequence of what was before the values
    _Atomic int64_t out, failed;
} Scene;

static SosiaStr str(const char *z) { return (SosiaStr){z, (int64_t)strlen(z)}; }

static void check(SosiaErr err, const char *what) {
    if (!err) return;
    fprintf(stderr, "%s: %s\n", what, sosia_err_name(err));
    exit(1);
}

static void on_done(void *arg, const SosiaDone *d) {
    Scene *x = arg;
    if (d->err) atomic_fetch_add(&x->failed, 1);
    atomic_fetch_sub(&x->out, 1);
}

static void wait_below(Scene *x, int64_t max) {
    while (atomic_load(&x->out) >= max) thread_sleep_ns(20000);
}

static void do_write(Scene *x, SosiaOp op, SosiaStr body) {
    SosiaDone done;
    SosiaBuf keep = {0};
    check(sosia_write_wait(x->s, NULL, &(SosiaWrite){.op = op, .body = body}, &done, &keep), "write");
    x->before = done.seq;
    sosia_buf_free(&keep);
}

static void load(Scene *x) {
    do_write(x, SOSIA_MODELS_ADD, str(models));
    SosiaBuf b = {0};
    buf_printf(&b, "{\"Section\":\"Twins\"}\n");
    for (int i = 0; i < TWINS; i++)
        buf_printf(&b, "{\"$dtId\":\"building-7-pump-%d\",\"$metadata\":{\"$model\":\"dtmi:bench:Pump;1\"}}\n", i);
    do_write(x, SOSIA_IMPORT, (SosiaStr){b.p, b.n});
    sosia_buf_free(&b);
    x->at = mem_alloc(sizeof(SosiaHandle) * TWINS * COLUMNS);
    char id[40], path[8];
    for (int i = 0; i < TWINS * COLUMNS; i++) {
        snprintf(id, sizeof id, "building-7-pump-%d", i / COLUMNS);
        snprintf(path, sizeof path, "p%d", i % COLUMNS);
        check(sosia_resolve(x->s, (SosiaStr){0}, str(id), str(path), &x->at[i]), "resolve");
    }
}

// Values of random twins; together: all values of a twin one after the other, as a device reports them.
static void values(Scene *x, bool together) {
    static SosiaUpdate u[BATCH];
    for (int64_t n = 0; n < BATCHES; n++) {
        for (int i = 0; i < BATCH; i++) {
            uint64_t twin = rng_below(&x->rng, TWINS), column = rng_below(&x->rng, COLUMNS);
            if (together) column = (uint64_t)i % COLUMNS;
            u[i] = (SosiaUpdate){.value = {.kind = SOSIA_F64, .d = rng_f64(&x->rng)}, .source_time_ns = 1 + n};
            u[i].at = together && column ? (SosiaHandle){u[i - 1].at.twin, u[i - 1].at.column + 1}
                                         : x->at[twin * COLUMNS + column];
        }
        wait_below(x, 32);
        atomic_fetch_add(&x->out, 1);
        check(sosia_apply_async(x->s, NULL, (SosiaStr){0}, u, BATCH, on_done, x), "apply");
    }
    wait_below(x, 1);
}

// ns a change for a cursor that reads all values.
static double read_all(Scene *x) {
    SosiaFeed *f;
    SosiaBatch b;
    check(sosia_feed_open(x->s, NULL, (SosiaStr){0}, x->before, &f, NULL), "open");
    int64_t start = time_mono_ns(), changes = 0;
    while (changes < BATCHES * BATCH) {
        check(sosia_feed_next(f, 10 * NS_PER_S, &b), "next");
        if (!b.seq) check(SOSIA_TIMEOUT, "next");
        changes += b.count;
    }
    double ns = bench_seconds(start) / (double)changes * 1e9;
    sosia_feed_close(f);
    return ns;
}

static void feed(const char *path, bool together, int64_t feed_bytes_max, const char *name) {
    Scene x = {.rng = rng_make(1, 1)};
    Bench b = {.name = name, .unit = "ns/change", .goal = 150, .less = true};
    SosiaBuf why = {0};
    SosiaOpen o = {.path = str(path), .feed_bytes_max = feed_bytes_max, .checkpoint_interval_ns = -1};
    check(sosia_open(&o, &x.s, &why), "open");
    load(&x);
    values(&x, together);
    for (int i = 0; i < ROUNDS; i++) bench_add(&b, read_all(&x));
    bench_print(&b);
    sosia_close(x.s);
    mem_free(x.at);
    if (x.failed) check(SOSIA_IO, "a write failed");
}

static void items(const char *path) {
    Scene x = {.rng = rng_make(1, 1)};
    Bench one = {.name = "engine.item_put", .unit = "us", .less = true};
    Bench many = {.name = "engine.items_async", .unit = "k/s"};
    check(sosia_open(&(SosiaOpen){.path = str(path)}, &x.s, NULL), "open");
    char key[32], value[200] = {0};
    for (int r = 0; r < ROUNDS; r++) {
        int64_t start = time_mono_ns(), n = 200;
        SosiaItem it = {.kind = str("bench"), .value = {value, sizeof value}};
        for (int64_t i = 0; i < n; i++) {
            snprintf(key, sizeof key, "key-%lld", (long long)i);
            it.key = str(key);
            check(sosia_items_put_wait(x.s, &it, 1), "put");
        }
        bench_add(&one, bench_seconds(start) / (double)n * 1e6);
        start = time_mono_ns(), n = 50000;
        for (int64_t i = 0; i < n; i++) {
            snprintf(key, sizeof key, "key-%lld", (long long)i);
            it.key = str(key);
            wait_below(&x, 10000);
            atomic_fetch_add(&x.out, 1);
            check(sosia_items_put(x.s, &it, 1, on_done, &x), "put");
        }
        wait_below(&x, 1);
        bench_add(&many, (double)n / bench_seconds(start) / 1e3);
    }
    bench_print(&one);
    bench_print(&many);
    sosia_close(x.s);
}

int main(void) {
    char dir[] = "/var/tmp/sosia-bench-XXXXXX", path[64];
    if (!mkdtemp(dir)) return 1;
    feed("", false, (int64_t)512 << 20, "feed.change");
    feed("", true, (int64_t)512 << 20, "feed.change_in_order");
    snprintf(path, sizeof path, "%s/a.sosia", dir);
    feed(path, false, 1, "feed.change_from_journal");
    unlink(path);
    items(path);
    unlink(path);
    rmdir(dir);
    return 0;
}
