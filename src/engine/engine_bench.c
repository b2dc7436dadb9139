// SPDX-License-Identifier: Apache-2.0
// Through sosia.h, durable: updates by handle and by line, patches with 64 clients and with one, reads of one twin.
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include "base/bench.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "sosia/sosia.h"

#define TWINS 100000
#define COLUMNS 5
#define BATCH 1000
#define ROUNDS 5

static const char models[] =
    "[{\"@id\":\"dtmi:bench:Pump;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"p0\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"p1\",\"schema\":"
    "\"double\"},{\"@type\":\"Property\",\"name\":\"p2\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":"
    "\"p3\","
    "\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"p4\",\"schema\":\"double\"}]}]";

typedef struct Scene {
    Sosia *s;
    SosiaHandle *at; // TWINS x COLUMNS
    Rng rng;
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

// Wait until fewer than `max` writes are under way.
static void wait_below(Scene *x, int64_t max) {
    while (atomic_load(&x->out) >= max) thread_sleep_ns(20000);
}

static void do_write(Scene *x, SosiaOp op, SosiaStr body) {
    SosiaDone done;
    SosiaBuf keep = {0};
    check(sosia_write_wait(x->s, NULL, &(SosiaWrite){.op = op, .body = body}, &done, &keep), "write");
    if (op == SOSIA_IMPORT && !memmem(done.body.p, (size_t)done.body.n, "\"rejected\":0", 12)) {
        fprintf(stderr, "import: %.*s\n", (int)done.body.n, done.body.p);
        exit(1);
    }
    sosia_buf_free(&keep);
}

static void load(Scene *x) {
    do_write(x, SOSIA_MODELS_ADD, str(models));
    SosiaBuf b = {0};
    buf_printf(&b, "{\"Section\":\"Twins\"}\n");
    for (int i = 0; i < TWINS; i++)
        buf_printf(&b,
                   "{\"$dtId\":\"pump-%d\",\"$metadata\":{\"$model\":\"dtmi:bench:Pump;1\"},\"p0\":1,\"p1\":2,\"p2\":3,"
                   "\"p3\":4,\"p4\":5}\n",
                   i);
    int64_t start = time_mono_ns();
    do_write(x, SOSIA_IMPORT, (SosiaStr){b.p, b.n});
    Bench import = {.name = "engine.import", .unit = "k twins/s"};
    bench_add(&import, TWINS / bench_seconds(start) / 1e3);
    bench_print(&import);
    sosia_buf_free(&b);
    x->at = mem_alloc(sizeof(SosiaHandle) * TWINS * COLUMNS);
    char id[32], path[8];
    for (int i = 0; i < TWINS * COLUMNS; i++) {
        snprintf(id, sizeof id, "pump-%d", i / COLUMNS);
        snprintf(path, sizeof path, "p%d", i % COLUMNS);
        check(sosia_resolve(x->s, (SosiaStr){0}, str(id), str(path), &x->at[i]), "resolve");
    }
}

// Random updates by handle in batches of 1,000, 32 batches under way.
static double apply_rate(Scene *x) {
    static SosiaUpdate u[BATCH];
    int64_t start = time_mono_ns(), batches = 2000;
    for (int64_t n = 0; n < batches; n++) {
        for (int i = 0; i < BATCH; i++)
            u[i] = (SosiaUpdate){.at = x->at[rng_below(&x->rng, TWINS * COLUMNS)],
                                 .value = {.kind = SOSIA_F64, .d = rng_f64(&x->rng)}};
        wait_below(x, 32);
        atomic_fetch_add(&x->out, 1);
        check(sosia_apply_async(x->s, NULL, (SosiaStr){0}, u, BATCH, on_done, x), "apply");
    }
    wait_below(x, 1);
    return (double)(batches * BATCH) / bench_seconds(start) / 1e6;
}

// NDJSON bodies of 1,000 lines, 16 under way.
static double ingest_rate(Scene *x) {
    SosiaBuf bodies[16] = {0};
    for (int k = 0; k < 16; k++)
        for (int i = 0; i < BATCH; i++)
            buf_printf(&bodies[k], "{\"id\":\"pump-%d\",\"property\":\"p%d\",\"value\":%.3f}\n",
                       (int)rng_below(&x->rng, TWINS), (int)rng_below(&x->rng, COLUMNS), rng_f64(&x->rng) * 100);
    int64_t start = time_mono_ns(), batches = 500;
    for (int64_t n = 0; n < batches; n++) {
        wait_below(x, 16);
        atomic_fetch_add(&x->out, 1);
        SosiaBuf *b = &bodies[n % 16];
        check(sosia_write(x->s, NULL, &(SosiaWrite){.op = SOSIA_INGEST, .body = {b->p, b->n}}, on_done, x), "ingest");
    }
    wait_below(x, 1);
    double rate = (double)(batches * BATCH) / bench_seconds(start) / 1e6;
    for (int k = 0; k < 16; k++) sosia_buf_free(&bodies[k]);
    return rate;
}

static double patch_rate(Scene *x, int64_t clients, int64_t count) {
    char id[32], body[128];
    int64_t start = time_mono_ns();
    for (int64_t n = 0; n < count; n++) {
        snprintf(id, sizeof id, "pump-%d", (int)rng_below(&x->rng, TWINS));
        snprintf(body, sizeof body, "[{\"op\":\"replace\",\"path\":\"/p0\",\"value\":%lld}]", (long long)n);
        wait_below(x, clients);
        atomic_fetch_add(&x->out, 1);
        SosiaWrite w = {.op = SOSIA_TWIN_PATCH, .id = str(id), .body = str(body)};
        check(sosia_write(x->s, NULL, &w, on_done, x), "patch");
    }
    wait_below(x, 1);
    return (double)count / bench_seconds(start) / 1e3;
}

// One client that waits for every answer.
static double patch_latency(Scene *x) {
    int64_t start = time_mono_ns(), count = 500;
    SosiaDone done;
    SosiaBuf keep = {0};
    for (int64_t n = 0; n < count; n++) {
        SosiaWrite w = {.op = SOSIA_TWIN_PATCH,
                        .id = str("pump-7"),
                        .body = str("[{\"op\":\"replace\",\"path\":\"/p0\",\"value\":1}]")};
        check(sosia_write_wait(x->s, NULL, &w, &done, &keep), "patch");
    }
    sosia_buf_free(&keep);
    return bench_seconds(start) / (double)count * 1e6;
}

// Append and fdatasync of a page.
static double sync_latency(const char *path) {
    char page[4096] = {0};
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    int64_t start = time_mono_ns(), count = 300;
    for (int64_t n = 0; n < count; n++)
        if (fd < 0 || write(fd, page, sizeof page) != sizeof page || fdatasync(fd)) check(SOSIA_IO, path);
    double us = bench_seconds(start) / (double)count * 1e6;
    close(fd);
    unlink(path);
    return us;
}

static double get_latency(Scene *x) {
    SosiaOut out = {0};
    char id[32];
    int64_t start = time_mono_ns(), count = 200000;
    for (int64_t n = 0; n < count; n++) {
        snprintf(id, sizeof id, "pump-%d", (int)rng_below(&x->rng, TWINS));
        check(sosia_read(x->s, NULL, &(SosiaRead){.what = SOSIA_GET_TWIN, .id = str(id)}, &out), "read");
    }
    sosia_out_free(&out);
    return bench_seconds(start) / (double)count * 1e6;
}

static void run(Scene *x, const char *side) {
    Bench apply = {.name = "engine.apply", .unit = "M/s", .goal = 1};
    Bench ingest = {.name = "engine.ingest", .unit = "M/s", .goal = 1};
    Bench patch = {.name = "engine.patch", .unit = "k/s", .goal = 20};
    Bench one = {.name = "engine.patch_one", .unit = "us", .less = true, .peer = "append and fdatasync, us"};
    Bench get = {.name = "engine.get", .unit = "us", .goal = 3, .less = true};
    one.peer_value = sync_latency(side);
    for (int i = 0; i < ROUNDS; i++) {
        bench_add(&apply, apply_rate(x));
        bench_add(&ingest, ingest_rate(x));
        bench_add(&patch, patch_rate(x, 64, 20000));
        bench_add(&one, patch_latency(x));
        bench_add(&get, get_latency(x));
    }
    bench_print(&apply);
    bench_print(&ingest);
    bench_print(&patch);
    bench_print(&one);
    bench_print(&get);
}

int main(void) {
    char dir[] = "/var/tmp/sosia-bench-XXXXXX", path[64], side[64];
    if (!mkdtemp(dir)) return 1;
    snprintf(path, sizeof path, "%s/b.sosia", dir);
    snprintf(side, sizeof side, "%s/side", dir);
    Scene x = {.rng = rng_make(7, 0)};
    check(sosia_open(&(SosiaOpen){.path = str(path)}, &x.s, NULL), "open");
    load(&x);
    run(&x, side);
    sosia_close(x.s);
    mem_free(x.at);
    unlink(path);
    rmdir(dir);
    if (atomic_load(&x.failed)) fprintf(stderr, "%lld writes failed\n", (long long)atomic_load(&x.failed));
    return atomic_load(&x.failed) != 0;
}
