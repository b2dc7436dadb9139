// SPDX-License-Identifier: Apache-2.0
// Questions through sosia.h: what one costs, and what the writer notices of them. 100,000 twins of five properties.
#include <stdatomic.h>
#include <string.h>
#include "base/bench.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "sosia/sosia.h"

#define TWINS 100000
#define COLUMNS 5
#define BATCH 1000
#define ROUNDS 5

#define POINT "SELECT * FROM DIGITALTWINS T WHERE T.$dtId = 'pump-777'"
#define FIRST "SELECT * FROM DIGITALTWINS"
#define SUM "SELECT SUM(T.p0) AS s FROM DIGITALTWINS T"
#define FILTER "SELECT COUNT() FROM DIGITALTWINS T WHERE T.p0 * T.p1 > 0.5"

static const char models[] =
    "[{\"@id\":\"dtmi:bench:Pump;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"p0\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"p1\",\"schema\":"
    "\"double\"},{\"@type\":\"Property\",\"name\":\"p2\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":"
    "\"p3\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"p4\",\"schema\":\"double\"}]}]";

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

static void do_write(Scene *x, SosiaOp op, SosiaStr body) {
    SosiaDone done;
    SosiaBuf keep = {0};
    check(sosia_write_wait(x->s, NULL, &(SosiaWrite){.op = op, .body = body}, &done, &keep), "write");
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
    do_write(x, SOSIA_IMPORT, (SosiaStr){b.p, b.n});
    sosia_buf_free(&b);
    x->at = mem_alloc(sizeof(SosiaHandle) * TWINS * COLUMNS);
    char id[32], path[8];
    for (int i = 0; i < TWINS * COLUMNS; i++) {
        snprintf(id, sizeof id, "pump-%d", i / COLUMNS);
        snprintf(path, sizeof path, "p%d", i % COLUMNS);
        check(sosia_resolve(x->s, (SosiaStr){0}, str(id), str(path), &x->at[i]), "resolve");
    }
}

// ---- what a question costs ----------------------------------------------------------------------------------------

static double ask_us(Scene *x, const char *text, int64_t count) {
    SosiaAnswer a = {0};
    int64_t start = time_mono_ns();
    for (int64_t n = 0; n < count; n++) check(sosia_query(x->s, NULL, &(SosiaQuery){.text = str(text)}, &a), text);
    sosia_answer_free(&a);
    return bench_seconds(start) / (double)count * 1e6;
}

static void on_answer(void *arg, SosiaErr err, SosiaAnswer *a) {
    (void)a;
    if (err) atomic_fetch_add(&((Scene *)arg)->failed, 1);
}

static double start_us(Scene *x, int64_t count) {
    int64_t start = time_mono_ns();
    for (int64_t n = 0; n < count; n++)
        check(sosia_query_start(x->s, NULL, &(SosiaQuery){.text = str(POINT)}, on_answer, x), POINT);
    return bench_seconds(start) / (double)count * 1e6;
}

// All pages of all twins, in milliseconds.
static double walk_ms(Scene *x) {
    SosiaAnswer a = {0};
    char token[96] = "";
    int64_t start = time_mono_ns();
    do {
        check(sosia_query(x->s, NULL, &(SosiaQuery){.text = str(FIRST), .token = str(token), .limit = 1000}, &a),
              FIRST);
        memcpy(token, a.token, sizeof token);
    } while (token[0]);
    sosia_answer_free(&a);
    return bench_seconds(start) * 1e3;
}

// ---- what the writer notices --------------------------------------------------------------------------------------

static void on_done(void *arg, const SosiaDone *d) {
    Scene *x = arg;
    if (d->err) atomic_fetch_add(&x->failed, 1);
    atomic_fetch_sub(&x->out, 1);
}

typedef struct Asker {
    Scene *x;
    const char *text; // NULL: nobody asks
    Thread thread;
    _Atomic bool stop;
    _Atomic int64_t count;
} Asker;

static void *ask_on(void *arg) {
    Asker *k = arg;
    SosiaAnswer a = {0};
    while (k->text && !atomic_load(&k->stop)) {
        check(sosia_query(k->x->s, NULL, &(SosiaQuery){.text = str(k->text)}, &a), k->text);
        atomic_fetch_add(&k->count, 1);
    }
    sosia_answer_free(&a);
    return NULL;
}

// Batches of 1,000 random updates as fast as they go, while somebody asks without a pause. Updates a second in
// millions; *asked: questions a second.
static double apply_rate(Scene *x, const char *text, double *asked) {
    static SosiaUpdate u[BATCH];
    Asker k = {.x = x, .text = text};
    check((SosiaErr)thread_start(&k.thread, "asker", ask_on, &k), "thread");
    int64_t start = time_mono_ns(), batches = 2000;
    for (int64_t n = 0; n < batches; n++) {
        for (int i = 0; i < BATCH; i++)
            u[i] = (SosiaUpdate){.at = x->at[rng_below(&x->rng, TWINS * COLUMNS)],
                                 .value = {.kind = SOSIA_F64, .d = rng_f64(&x->rng)}};
        while (atomic_load(&x->out) >= 32) thread_sleep_ns(20000);
        atomic_fetch_add(&x->out, 1);
        check(sosia_apply_async(x->s, NULL, (SosiaStr){0}, u, BATCH, on_done, x), "apply");
    }
    while (atomic_load(&x->out)) thread_sleep_ns(20000);
    double seconds = bench_seconds(start);
    *asked = (double)atomic_load(&k.count) / seconds;
    atomic_store(&k.stop, true);
    thread_join(&k.thread);
    return (double)(batches * BATCH) / seconds / 1e6;
}

static void run_idle(Scene *x) {
    Bench point = {.name = "engine.ask_point", .unit = "us", .less = true};
    Bench start = {.name = "engine.ask_point_start", .unit = "us", .less = true};
    Bench first = {.name = "engine.ask_first_page", .unit = "us", .less = true};
    Bench sum = {.name = "engine.ask_sum_100k", .unit = "us", .less = true};
    Bench filter = {.name = "engine.ask_filter_100k", .unit = "us", .less = true};
    Bench walk = {.name = "engine.ask_walk_100k", .unit = "ms", .less = true};
    for (int i = 0; i < ROUNDS; i++) {
        bench_add(&point, ask_us(x, POINT, 20000));
        bench_add(&start, start_us(x, 20000));
        bench_add(&first, ask_us(x, FIRST, 500));
        bench_add(&sum, ask_us(x, SUM, 200));
        bench_add(&filter, ask_us(x, FILTER, 200));
        bench_add(&walk, walk_ms(x));
    }
    bench_print(&point);
    bench_print(&start);
    bench_print(&first);
    bench_print(&sum);
    bench_print(&filter);
    bench_print(&walk);
}

static void run_busy(Scene *x) {
    static const struct {
        const char *rate, *asked, *text;
    } kinds[] = {
        {"engine.apply_alone", NULL, NULL},
        {"engine.apply_beside_points", "engine.points_beside_apply", POINT},
        {"engine.apply_beside_first_pages", "engine.first_pages_beside_apply", FIRST},
        {"engine.apply_beside_filters", "engine.filters_beside_apply", FILTER},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        Bench rate = {.name = kinds[k].rate, .unit = "M/s"}, asked = {.name = kinds[k].asked, .unit = "questions/s"};
        for (int i = 0; i < ROUNDS; i++) {
            double n;
            bench_add(&rate, apply_rate(x, kinds[k].text, &n));
            bench_add(&asked, n);
        }
        bench_print(&rate);
        if (kinds[k].asked) bench_print(&asked);
    }
}

int main(void) {
    Scene x = {.rng = rng_make(7, 0)};
    check(sosia_open(&(SosiaOpen){0}, &x.s, NULL), "open");
    load(&x);
    run_idle(&x);
    run_busy(&x);
    sosia_close(x.s);
    mem_free(x.at);
    return atomic_load(&x.failed) != 0;
}
