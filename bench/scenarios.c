// SPDX-License-Identifier: Apache-2.0
// Forks, through sosia.h and kept in a file: what a thousand of them cost, alive and changed in ten values each; and
// how soon one of a past instant answers its first question.
//   sim_scenarios_bench [TWINS [PAST_TWINS [WORLDS]]]     100,000; 1,000,000; 1,000
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bench.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "sosia/sosia.h"

#define FIELDS 8
#define CHANGED 10
#define IMPORT_BYTES (16 << 20)
#define UNDER_WAY 64
#define INSTANTS 15

typedef struct Scene {
    char dir[40], path[64];
    Sosia *s;
    int64_t twins;
    SosiaHandle *at; // twins
    Rng rng;
    _Atomic int64_t out, failed;
} Scene;

static void must(SosiaErr err, const char *what) {
    if (!err) return;
    fprintf(stderr, "%s: %s\n", what, sosia_err_name(err));
    exit(1);
}

// ---- the world ----------------------------------------------------------------------------------------------------

static void write_all(Scene *x, SosiaOp op, const Buf *body) {
    SosiaDone done;
    SosiaBuf keep = {0};
    must(sosia_write_wait(x->s, NULL, &(SosiaWrite){.op = op, .body = buf_str(body)}, &done, &keep), "load");
    sosia_buf_free(&keep);
}

static void load_model(Scene *x) {
    Buf b = {0};
    buf_str_put(&b, STR("[{\"@id\":\"dtmi:bench:Pump;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\","
                        "\"contents\":[{\"@type\":\"Relationship\",\"name\":\"feeds\"}"));
    for (int i = 0; i < FIELDS; i++)
        buf_printf(&b, ",{\"@type\":\"Property\",\"name\":\"p%d\",\"schema\":\"double\"}", i);
    buf_str_put(&b, STR("]}]"));
    write_all(x, SOSIA_MODELS_ADD, &b);
    buf_free(&b);
}

static void load(Scene *x) {
    Buf b = {0};
    load_model(x);
    buf_str_put(&b, STR("{\"Section\":\"Twins\"}\n"));
    for (int64_t i = 0; i < x->twins; i++) {
        buf_printf(&b, "{\"$dtId\":\"pump-%lld\",\"$metadata\":{\"$model\":\"dtmi:bench:Pump;1\"}", (long long)i);
        for (int k = 0; k < FIELDS; k++) buf_printf(&b, ",\"p%d\":%d.5", k, (int)((i + k) % 1000));
        buf_str_put(&b, STR("}\n"));
        if (b.n < IMPORT_BYTES && i + 1 < x->twins) continue;
        write_all(x, SOSIA_IMPORT, &b);
        buf_reset(&b);
        buf_str_put(&b, STR("{\"Section\":\"Twins\"}\n"));
    }
    buf_free(&b);
}

static void resolve(Scene *x) {
    x->at = mem_alloc(sizeof(SosiaHandle) * (size_t)x->twins);
    for (int64_t i = 0; i < x->twins; i++) {
        char id[32], path[8];
        snprintf(id, sizeof id, "pump-%lld", (long long)i);
        snprintf(path, sizeof path, "p%d", (int)(i % FIELDS));
        must(sosia_resolve(x->s, (SosiaStr){0}, str_of(id), str_of(path), &x->at[i]), "resolve");
    }
}

static void begin(Scene *x, int64_t twins) {
    *x = (Scene){.dir = "/var/tmp/sosia-bench-XXXXXX", .twins = twins, .rng = rng_make(11, 0)};
    if (!mkdtemp(x->dir)) must(SOSIA_IO, x->dir);
    snprintf(x->path, sizeof x->path, "%s/w.sosia", x->dir);
    must(sosia_open(&(SosiaOpen){.path = str_of(x->path), .checkpoint_interval_ns = -1}, &x->s, NULL), "open");
    load(x);
    resolve(x);
}

static void end(Scene *x) {
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    char name[80];
    sosia_close(x->s);
    mem_free(x->at);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", x->path, ends[i]);
        unlink(name);
    }
    rmdir(x->dir);
}

static void on_done(void *arg, const SosiaDone *d) {
    Scene *x = arg;
    if (d->err) atomic_fetch_add(&x->failed, 1);
    atomic_fetch_sub(&x->out, 1);
}

// A batch of values; twins near each other, as a what-if has them, or anywhere.
static void change(Scene *x, const char *world, int n, bool near) {
    SosiaUpdate u[CHANGED];
    int64_t first = (int64_t)rng_below(&x->rng, (uint64_t)(x->twins - n));
    for (int i = 0; i < n; i++) {
        int64_t at = near ? first + i : (int64_t)rng_below(&x->rng, (uint64_t)x->twins);
        u[i] = (SosiaUpdate){.at = x->at[at], .value = {.kind = SOSIA_F64, .d = (double)rng_below(&x->rng, 1000)}};
    }
    while (atomic_load(&x->out) >= UNDER_WAY) thread_sleep_ns(20000);
    atomic_fetch_add(&x->out, 1);
    must(sosia_apply_async(x->s, NULL, str_of(world), u, n, on_done, x), "apply");
}

static void settle(Scene *x) {
    while (atomic_load(&x->out)) thread_sleep_ns(20000);
    if (atomic_load(&x->failed)) must(SOSIA_STORAGE, "batches");
}

// Resident bytes of the process, what the allocator can give back given back.
static double resident(void) {
    long pages = 0, all = 0;
    malloc_trim(0);
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &all, &pages) != 2) pages = 0;
    if (f) fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

// ---- a thousand ---------------------------------------------------------------------------------------------------

static double thousand(Scene *x, int worlds, bool near, double *seconds) {
    double before = resident();
    int64_t start = time_mono_ns();
    for (int i = 0; i < worlds; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d-%d", (int)near, i);
        must(sosia_fork(x->s, NULL, (SosiaStr){0}, str_of(name)), "fork");
        change(x, name, CHANGED, near);
    }
    settle(x);
    *seconds = bench_seconds(start);
    return resident() - before;
}

static void drop(Scene *x, int worlds, bool near) {
    for (int i = 0; i < worlds; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d-%d", (int)near, i);
        must(sosia_drop(x->s, NULL, str_of(name)), "drop");
    }
}

static void bench_thousand(int64_t twins, int worlds) {
    Scene x;
    begin(&x, twins);
    Bench near = {.name = "sim.thousand_scenarios_near", .unit = "MB", .goal = 500, .less = true};
    Bench far = {.name = "sim.thousand_scenarios", .unit = "MB", .goal = 500, .less = true};
    Bench made = {.name = "sim.fork_and_change", .unit = "us", .less = true};
    double one = (double)x.twins * FIELDS * 16, seconds; // values and their times alone
    near.peer = far.peer = "as many copies of the world's values and times, MB";
    near.peer_value = far.peer_value = one * worlds / 1e6;
    bench_add(&far, thousand(&x, worlds, false, &seconds) / 1e6);
    bench_add(&made, seconds / worlds * 1e6);
    drop(&x, worlds, false);
    bench_add(&near, thousand(&x, worlds, true, &seconds) / 1e6);
    bench_print(&far);
    bench_print(&near);
    bench_print(&made);
    end(&x);
}

// ---- of a past instant --------------------------------------------------------------------------------------------

static SosiaStr instant(int64_t at, char out[80]) {
    Buf b = {0};
    buf_printf(&b, "live@");
    time_print(at, 9, &b);
    snprintf(out, 80, "%.*s", STR_ARG(buf_str(&b)));
    buf_free(&b);
    return str_of(out);
}

static void ask(Scene *x, const char *world, SosiaAnswer *a) {
    SosiaQuery q = {.world = str_of(world),
                    .text = STR("SELECT T.$dtId, T.p1 FROM DIGITALTWINS T WHERE T.$dtId IN "
                                "['pump-17', 'pump-4711', 'pump-90000']")};
    must(sosia_query(x->s, NULL, &q, a), "query");
}

// The peer: one copy of the values and times of the whole world, which is what a copy would begin with.
static double copy_ms(int64_t twins) {
    size_t bytes = (size_t)twins * FIELDS * 16;
    char *a = mem_alloc(bytes), *b = mem_alloc(bytes);
    memset(a, 1, bytes);
    memset(b, 2, bytes);
    int64_t start = time_mono_ns();
    memcpy(b, a, bytes);
    double ms = bench_seconds(start) * 1e3;
    if (b[bytes / 2] != 1) ms = 0;
    mem_free(a);
    mem_free(b);
    return ms;
}

static void bench_past(int64_t twins) {
    Scene x;
    int64_t at[INSTANTS];
    SosiaAnswer a = {0};
    begin(&x, twins);
    for (int k = 0; k < INSTANTS; k++) {
        for (int i = 0; i < 2000; i++) change(&x, "", CHANGED, false);
        settle(&x);
        at[k] = time_now_ns();
    }
    Bench fork = {.name = "sim.fork_past", .unit = "ms", .goal = 50, .less = true};
    Bench write = {.name = "sim.fork_past_write", .unit = "ms", .less = true};
    fork.peer = "memcpy of the world's values and times, ms";
    fork.peer_value = copy_ms(twins);
    for (int k = 0; k < INSTANTS; k++) {
        char from[80], name[16];
        snprintf(name, sizeof name, "p%d", k);
        int64_t start = time_mono_ns();
        must(sosia_fork(x.s, NULL, instant(at[k], from), str_of(name)), "fork");
        ask(&x, name, &a);
        bench_add(&fork, bench_seconds(start) * 1e3);
        start = time_mono_ns();
        change(&x, name, 1, true);
        settle(&x);
        bench_add(&write, bench_seconds(start) * 1e3);
    }
    bench_print(&fork);
    bench_print(&write);
    sosia_answer_free(&a);
    end(&x);
}

int main(int argc, char **argv) {
    long long twins = argc > 1 ? atoll(argv[1]) : 100000, past = argc > 2 ? atoll(argv[2]) : 1000000;
    int worlds = argc > 3 ? atoi(argv[3]) : 1000;
    bench_thousand(twins, worlds);
    bench_past(past);
    return 0;
}
