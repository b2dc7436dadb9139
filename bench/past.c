// SPDX-License-Identifier: Apache-2.0
// Worlds as they were, through sosia.h, after a stream of values for some time: one twin, a question over two hops, all
// twins, and a hundred instants in a row with a screen of twins. Each instant is a new one: nothing was touched before.
//   past_run_bench [SECONDS [TWINS [FILE [NAMES]]]]   of the stream (60); 1,000,000; a world that is kept, and asked
//                                                     without a stream when it is there; of figures to take (all)
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/bench.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "sosia/sosia.h"

#define FIELDS 5
#define BATCH 5000
#define UNDER_WAY 32
#define FEEDS 3 // relationships a pump
#define IMPORT_BYTES (16 << 20)
#define ROUNDS 21
#define PEER_ROWS 2000000
#define PEER_TWINS 100000
#define SCANS 5
#define SCREEN_TWINS 200
#define SCRUB_INSTANTS 100
#define SCRUB_ROUNDS 3

typedef struct Past {
    char dir[40], path[256];
    bool kept;
    Sosia *s;
    int64_t twins, from, to;
    SosiaHandle *at; // twins x FIELDS
    SosiaUpdate *updates;
    Rng rng;
    _Atomic int64_t out, failed;
} Past;

static void must(SosiaErr err, const char *what) {
    if (!err) return;
    fprintf(stderr, "%s: %s\n", what, sosia_err_name(err));
    exit(1);
}

// ---- the world ----------------------------------------------------------------------------------------------------

static void write_all(Past *x, SosiaOp op, const Buf *body) {
    SosiaDone done;
    SosiaBuf keep = {0};
    must(sosia_write_wait(x->s, NULL, &(SosiaWrite){.op = op, .body = buf_str(body)}, &done, &keep), "load");
    if (op == SOSIA_IMPORT && str_find_str(done.body, STR("\"rejected\":0")) < 0) must(SOSIA_ARGUMENT, keep.p);
    sosia_buf_free(&keep);
}

static void put_model(Buf *b) {
    buf_reset(b);
    buf_str_put(b, STR("[{\"@id\":\"dtmi:bench:Pump;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\","
                       "\"contents\":[{\"@type\":\"Relationship\",\"name\":\"feeds\"}"));
    for (int i = 0; i < FIELDS; i++)
        buf_printf(b, ",{\"@type\":\"Property\",\"name\":\"p%d\",\"schema\":\"double\"}", i);
    buf_str_put(b, STR("]}]"));
}

// Send what is in `b` when it is long, and begin again with a section.
static void flush(Past *x, Buf *b, Str section, bool now) {
    if (!now && b->n < IMPORT_BYTES) return;
    if (b->n > section.n) write_all(x, SOSIA_IMPORT, b);
    buf_reset(b);
    buf_str_put(b, section);
}

// Pumps, and what each of them feeds.
static void load(Past *x) {
    const Str twins = STR("{\"Section\":\"Twins\"}\n"), links = STR("{\"Section\":\"Relationships\"}\n");
    Buf b = {0};
    put_model(&b);
    write_all(x, SOSIA_MODELS_ADD, &b);
    buf_reset(&b);
    flush(x, &b, twins, true);
    for (int64_t i = 0; i < x->twins; i++, flush(x, &b, twins, false))
        buf_printf(&b, "{\"$dtId\":\"pump-%d\",\"$metadata\":{\"$model\":\"dtmi:bench:Pump;1\"}}\n", (int)i);
    flush(x, &b, links, true);
    for (int64_t i = 0; i < x->twins * FEEDS; i++, flush(x, &b, links, false)) {
        int to = (int)((i / FEEDS + 1 + (int64_t)rng_below(&x->rng, (uint64_t)x->twins - 1)) % x->twins);
        buf_printf(&b,
                   "{\"$sourceId\":\"pump-%d\",\"$relationshipId\":\"f%d\",\"$targetId\":\"pump-%d\","
                   "\"$relationshipName\":\"feeds\"}\n",
                   (int)(i / FEEDS), (int)i, to);
    }
    flush(x, &b, links, true);
    buf_free(&b);
}

static void resolve(Past *x) {
    x->at = mem_alloc(sizeof(SosiaHandle) * (size_t)(x->twins * FIELDS));
    for (int64_t i = 0; i < x->twins * FIELDS; i++) {
        char id[24], path[8];
        snprintf(id, sizeof id, "pump-%d", (int)(i / FIELDS));
        snprintf(path, sizeof path, "p%d", (int)(i % FIELDS));
        must(sosia_resolve(x->s, (SosiaStr){0}, str_of(id), str_of(path), &x->at[i]), "resolve");
    }
}

static void on_done(void *arg, const SosiaDone *d) {
    Past *x = arg;
    if (d->err) atomic_fetch_add(&x->failed, 1);
    atomic_fetch_sub(&x->out, 1);
}

static void wait_below(Past *x, int64_t max) {
    while (atomic_load(&x->out) >= max) thread_sleep_ns(20000);
}

// Decimal sensor values: a tenth of a degree around what it was.
static void one_batch(Past *x, int64_t clock) {
    int64_t points = x->twins * FIELDS;
    for (int i = 0; i < BATCH; i++) {
        int64_t at = (int64_t)rng_below(&x->rng, (uint64_t)points);
        double v = (double)(200 + at % 90 + (int64_t)rng_below(&x->rng, 7)) / 10;
        x->updates[i] = (SosiaUpdate){.at = x->at[at], .value = {.kind = SOSIA_F64, .d = v}, .source_time_ns = clock};
    }
    wait_below(x, UNDER_WAY);
    atomic_fetch_add(&x->out, 1);
    must(sosia_apply_async(x->s, NULL, (SosiaStr){0}, x->updates, BATCH, on_done, x), "apply");
}

static void stream(Past *x, double seconds) {
    int64_t start = time_mono_ns(), clock = INT64_C(1700000000) * NS_PER_S, n = 0;
    x->updates = mem_alloc(sizeof(SosiaUpdate) * BATCH);
    x->from = time_now_ns();
    for (; bench_seconds(start) < seconds; n++) one_batch(x, clock += NS_PER_MS);
    wait_below(x, 1);
    x->to = time_now_ns();
    if (atomic_load(&x->failed)) must(SOSIA_STORAGE, "batches");
    fprintf(stderr, "stream: %.1f M values at %.2f M/s\n", (double)(n * BATCH) / 1e6,
            (double)(n * BATCH) / bench_seconds(start) / 1e6);
    mem_free(x->updates);
}

// Where the span of the stream of a kept world is written.
static void span_path(const Past *x, char *out, size_t n) { snprintf(out, n, "%s.span", x->path); }

static bool read_span(Past *x) {
    char path[280];
    long long from, to, twins;
    span_path(x, path, sizeof path);
    FILE *f = fopen(path, "r");
    bool ok = f && fscanf(f, "%lld %lld %lld", &from, &to, &twins) == 3;
    if (f) fclose(f);
    if (ok) x->from = from, x->to = to, x->twins = twins;
    return ok;
}

static void write_span(const Past *x) {
    char path[280];
    span_path(x, path, sizeof path);
    FILE *f = fopen(path, "w");
    if (!f) must(SOSIA_IO, path);
    fprintf(f, "%lld %lld %lld\n", (long long)x->from, (long long)x->to, (long long)x->twins);
    fclose(f);
}

static void past_open(Past *x, const char *path) {
    x->kept = path != NULL;
    snprintf(x->dir, sizeof x->dir, "/var/tmp/sosia-bench-XXXXXX");
    if (!x->kept && !mkdtemp(x->dir)) must(SOSIA_IO, x->dir);
    if (x->kept) snprintf(x->path, sizeof x->path, "%s", path);
    else snprintf(x->path, sizeof x->path, "%s/b.sosia", x->dir);
    SosiaBuf why = {0};
    SosiaErr err = sosia_open(&(SosiaOpen){.path = str_of(x->path), .ring_records = 0}, &x->s, &why);
    if (err) fprintf(stderr, "%.*s\n", (int)why.n, why.p);
    must(err, x->path);
}

static void past_close(Past *x) {
    sosia_close(x->s);
    mem_free(x->at);
    if (x->kept) return;
    unlink(x->path);
    rmdir(x->dir);
}

// ---- what it answers ----------------------------------------------------------------------------------------------

static void world_at(char *out, size_t n, int64_t at) {
    Buf b = {0};
    time_print(at, 7, &b);
    snprintf(out, n, "live@%.*s", (int)b.n, b.p);
    buf_free(&b);
}

static void read_twin(Past *x, const char *world, int64_t twin) {
    char id[24];
    SosiaOut out = {.etag = ""};
    snprintf(id, sizeof id, "pump-%d", (int)twin);
    SosiaRead r = {.what = SOSIA_GET_TWIN, .world = str_of(world), .id = str_of(id)};
    must(sosia_read(x->s, NULL, &r, &out), world);
    sosia_out_free(&out);
}

static int64_t instant(const Past *x, int i, int n) { return x->from + (x->to - x->from) / n * i; }

static int64_t any_twin(Past *x) { return (int64_t)rng_below(&x->rng, (uint64_t)x->twins); }

static double ask(Past *x, const char *world, const char *text) {
    SosiaAnswer a = {.token = ""};
    SosiaQuery q = {.world = str_of(world), .text = str_of(text)};
    int64_t start = time_mono_ns();
    must(sosia_query(x->s, NULL, &q, &a), text);
    double ms = bench_seconds(start) * 1e3;
    sosia_answer_free(&a);
    return ms;
}

// Processor time of this thread, which all reads run in, but the larger parts of questions.
static double cpu_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

// Print with the processor time of a round on the side.
static void tell(Bench *b, double cpu) {
    fprintf(stderr, "%s: %.2f ms of this thread a round\n", b->name, (cpu_ms() - cpu) / b->rounds);
    bench_print(b);
}

// ---- a peer -------------------------------------------------------------------------------------------------------

static void peer_must(sqlite3 *db, bool ok) {
    if (ok) return;
    fprintf(stderr, "SQLite: %s\n", sqlite3_errmsg(db));
    exit(1);
}

// A row a value, an index by series and time; values come as in the stream, a batch a transaction.
static void peer_load(sqlite3 *db, Rng *rng) {
    sqlite3_stmt *st;
    const char *sql = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; CREATE TABLE value(series INTEGER, time "
                      "INTEGER, value REAL, PRIMARY KEY(series, time)) WITHOUT ROWID; BEGIN";
    peer_must(db, sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    peer_must(db,
              sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO value VALUES(?1, ?2, ?3)", -1, &st, NULL) == SQLITE_OK);
    for (int i = 0; i < PEER_ROWS; i++) {
        sqlite3_bind_int64(st, 1, (int64_t)rng_below(rng, PEER_TWINS * FIELDS));
        sqlite3_bind_int64(st, 2, i);
        sqlite3_bind_double(st, 3, (double)(200 + i % 90) / 10);
        peer_must(db, sqlite3_step(st) == SQLITE_DONE);
        sqlite3_reset(st);
    }
    sqlite3_finalize(st);
    peer_must(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
}

// The values of one twin at an instant, by a connection that has nothing cached.
static double peer_ask(const char *path, int64_t twin, int64_t at) {
    sqlite3 *db;
    sqlite3_stmt *st;
    peer_must(NULL, sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
    int64_t start = time_mono_ns();
    const char *sql = "SELECT value FROM value WHERE series = ?1 AND time <= ?2 ORDER BY time DESC LIMIT 1";
    peer_must(db, sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK);
    for (int64_t i = 0; i < FIELDS; i++) {
        sqlite3_bind_int64(st, 1, twin * FIELDS + i);
        sqlite3_bind_int64(st, 2, at);
        int rc = sqlite3_step(st);
        peer_must(db, rc == SQLITE_ROW || rc == SQLITE_DONE);
        sqlite3_reset(st);
    }
    double ms = bench_seconds(start) * 1e3;
    sqlite3_finalize(st);
    sqlite3_close(db);
    return ms;
}

static double peer_one_twin(const Past *x) {
    char path[300];
    double ms[ROUNDS];
    sqlite3 *db;
    Rng rng = rng_make(3, 3);
    snprintf(path, sizeof path, "%s.peer", x->path);
    unlink(path);
    peer_must(NULL, sqlite3_open(path, &db) == SQLITE_OK);
    peer_load(db, &rng);
    sqlite3_close(db);
    for (int i = 0; i < ROUNDS; i++)
        ms[i] = peer_ask(path, (int64_t)rng_below(&rng, PEER_TWINS), (int64_t)rng_below(&rng, PEER_ROWS));
    unlink(path);
    return bench_median(ms, ROUNDS);
}

// ---- figures ------------------------------------------------------------------------------------------------------

static void one_twin(Past *x) {
    Bench b = {.name = "past.one_twin", .unit = "ms", .goal = 5, .less = true};
    b.peer = "SQLite, a row a value, 2 M of them";
    b.peer_value = peer_one_twin(x);
    char world[64];
    double cpu = cpu_ms();
    for (int i = 1; i <= ROUNDS; i++) {
        world_at(world, sizeof world, instant(x, i, ROUNDS + 1));
        int64_t start = time_mono_ns();
        read_twin(x, world, any_twin(x));
        bench_add(&b, bench_seconds(start) * 1e3);
    }
    tell(&b, cpu);
}

static void hop2(Past *x) {
    Bench b = {.name = "past.hop2", .unit = "ms", .goal = 20, .less = true};
    char world[64], text[256];
    double cpu = cpu_ms();
    for (int i = 1; i <= ROUNDS; i++) {
        world_at(world, sizeof world, instant(x, i, ROUNDS + 1) + 1000);
        snprintf(text, sizeof text,
                 "SELECT C.$dtId FROM DIGITALTWINS A JOIN B RELATED A.feeds JOIN C RELATED B.feeds "
                 "WHERE A.$dtId = 'pump-%d' AND C.p0 > 24",
                 (int)any_twin(x));
        bench_add(&b, ask(x, world, text));
    }
    tell(&b, cpu);
}

// What stood then in a property of 1,000 twins, asked of the present; and of the world of that instant.
static void last_1k(Past *x) {
    Bench b = {.name = "past.last_1k_asked", .unit = "ms", .less = true};
    Bench then = {.name = "past.last_1k_then", .unit = "ms", .goal = 5, .less = true};
    char world[64], text[256];
    double cpu = cpu_ms();
    for (int i = 1; i <= SCANS; i++) {
        world_at(world, sizeof world, instant(x, i, SCANS + 1) + 2500);
        snprintf(text, sizeof text, "SELECT TOP(1000) LAST(T.p0, '%s') AS v FROM DIGITALTWINS T", world + 5);
        bench_add(&b, ask(x, "", text));
    }
    tell(&b, cpu);
    cpu = cpu_ms();
    for (int i = 1; i <= SCANS; i++) {
        world_at(world, sizeof world, instant(x, i, SCANS + 1) + 2600);
        bench_add(&then, ask(x, world, "SELECT TOP(1000) T.p0 AS v FROM DIGITALTWINS T"));
    }
    tell(&then, cpu);
}

static void scan(Past *x) {
    Bench b = {.name = "past.scan", .unit = "ms", .goal = 3000, .less = true};
    char world[64];
    double cpu = cpu_ms();
    for (int i = 1; i <= SCANS; i++) {
        world_at(world, sizeof world, instant(x, i, SCANS + 1) + 2000);
        bench_add(&b, ask(x, world, "SELECT COUNT() FROM DIGITALTWINS T WHERE T.p0 > 24"));
    }
    tell(&b, cpu);
}

// A slider moved over the stream, another screen each time.
static void scrub(Past *x) {
    Bench b = {.name = "past.scrub_100", .unit = "ms", .goal = 2000, .less = true};
    char world[64];
    double cpu = cpu_ms();
    for (int k = 0; k < SCRUB_ROUNDS; k++) {
        int64_t first = any_twin(x) % (x->twins - SCREEN_TWINS), start = time_mono_ns();
        for (int i = 0; i < SCRUB_INSTANTS; i++) {
            world_at(world, sizeof world, instant(x, i, SCRUB_INSTANTS) + 3000 + k * 1000);
            for (int64_t t = 0; t < SCREEN_TWINS; t++) read_twin(x, world, first + t);
        }
        bench_add(&b, bench_seconds(start) * 1e3);
    }
    tell(&b, cpu);
}

int main(int argc, char **argv) {
    static Past x;
    double seconds = argc > 1 ? atof(argv[1]) : 60;
    x.rng = rng_make(7, 0);
    x.twins = argc > 2 ? atoll(argv[2]) : 1000000;
    past_open(&x, argc > 3 ? argv[3] : NULL);
    if (!read_span(&x)) {
        load(&x);
        resolve(&x);
        stream(&x, seconds);
        if (x.kept) write_span(&x);
    }
    static void (*const all[])(Past *) = {one_twin, hop2, last_1k, scan, scrub};
    static const char *const names[] = {"one_twin", "hop2", "last_1k", "scan", "scrub"};
    for (int i = 0; i < 5; i++)
        if (argc <= 4 || strstr(argv[4], names[i])) all[i](&x);
    past_close(&x);
    return 0;
}
