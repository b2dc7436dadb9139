// SPDX-License-Identifier: Apache-2.0
// Questions about the generated city: a server process of our own is asked over HTTP, SQLite and Kuzu in process, the
// same questions about the same data. An answer that differs from a peer's is a failure.
//   query_city_bench [--no-peers] [NAME...]   only figures whose name holds one of the NAMEs
// SOSIA_BIN: the command (beside this program when not set). SOSIA_BENCH_KEEP: a folder where world files stay for the
// next run. SOSIA_BUILD: the folder where node_modules may be.
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sosia/sosia.h>
#include "ask.h"
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"
#include "query_kuzu.h"
#include "query_sqlite.h"
#include "storm.h"

#define QUERY_PATH "/query?api-version=2023-10-31"
#define QUESTIONS_MAX 16
#define MIX_NS (3 * NS_PER_S)
#define MIX_ROUNDS 5
#define MIX_MAX 1000000
#define STORM_RATE 500000

typedef struct Asked {
    const Question *q;
    Bench bench;
    char peer[160];
    bool failed;
    double median; // ms
    int32_t sqlite_rounds;
    double sqlite[BENCH_ROUNDS_MAX * 4]; // ms
    QuestionIds ids[QUESTION_VARIANTS_MAX];
    Answer answers[QUESTION_VARIANTS_MAX];
} Asked;

typedef struct Run {
    City city;
    const Question *list;
    char folder[64], file[512];
    ServerProcess server;
    Ask ask;
    Buf body, text;
    Asked asked[QUESTIONS_MAX];
    int32_t count;
} Run;

static char **wanted; // NULL-terminated
static bool peers = true;
static int failures;

static bool is_wanted(const char *name) {
    for (char **w = wanted; *w; w++)
        if (strstr(name, *w)) return true;
    return !*wanted;
}

static void fail(const char *who, const char *what, Str detail) {
    failures++;
    fprintf(stderr, "bench: %s: %s%.*s\n", who, what, (int)(detail.n < 600 ? detail.n : 600), detail.p ? detail.p : "");
}

// ---- the world ----------------------------------------------------------------------------------------------------

static bool import_body(void *arg, Str body) {
    SosiaDone done;
    Buf keep = {0};
    SosiaWrite w = {.op = SOSIA_IMPORT, .body = body};
    SosiaErr err = sosia_write_wait(arg, NULL, &w, &done, &keep);
    bool ok = err == SOSIA_OK && str_find_str(done.body, STR("\"rejected\":0")) >= 0;
    if (!ok) fail("import", sosia_err_text(err), err ? done.message : done.body);
    buf_free(&keep);
    return ok;
}

static bool make_world(Run *x) {
    Sosia *s = NULL;
    struct stat st;
    const char *keep = getenv("SOSIA_BENCH_KEEP");
    snprintf(x->file, sizeof x->file, "%s/city-%d.sosia", keep ? keep : x->folder, x->city.districts);
    if (stat(x->file, &st) == 0) return true;
    int64_t start = time_mono_ns();
    CHECK(sosia_open(&(SosiaOpen){.path = str_of(x->file)}, &s, NULL) == SOSIA_OK);
    bool ok = city_import(&x->city, 4 << 20, import_body, s);
    sosia_close(s);
    fprintf(stderr, "bench: %lld twins and %lld relationships imported in %.1f s\n",
            (long long)city_twin_count(&x->city), (long long)city_link_count(&x->city), bench_seconds(start));
    return ok;
}

// ---- Sosia --------------------------------------------------------------------------------------------------------

// One question over HTTP; milliseconds (per_row: of the server's processor time), < 0 when it failed.
static double ask_once(Run *x, const Question *q, const QuestionIds *ids, Answer *out) {
    Str reply;
    buf_reset(&x->text);
    buf_reset(&x->body);
    question_text(q, ids, &x->text);
    buf_printf(&x->body, "{\"query\":\"%.*s\"}", STR_ARG(buf_str(&x->text)));
    double cpu = q->per_row ? server_cpu_ms(&x->server) : 0;
    int64_t start = time_mono_ns();
    int status = ask_post(&x->ask, QUERY_PATH, "application/json", buf_str(&x->body), &reply);
    double ms = (double)(time_mono_ns() - start) / 1e6;
    if (q->per_row) ms = server_cpu_ms(&x->server) - cpu;
    if (status == 200 && answer_read(reply, out)) return ms;
    fail(q->name, "no answer: ", reply);
    return -1;
}

// Figure of a time on so many cores.
static double figure(const Run *x, const Question *q, double ms, int64_t cores) {
    return q->per_row ? ms * 1e6 * (double)cores / (double)city_twin_count(&x->city) : ms;
}

static int64_t core_count(void) { return sysconf(_SC_NPROCESSORS_ONLN); }

static void ask_sosia(Run *x, Asked *a) {
    const Question *q = a->q;
    double ms[QUESTION_VARIANTS_MAX], all[BENCH_ROUNDS_MAX];
    for (int32_t round = -1; round < q->rounds; round++) { // the first one warms up
        for (int32_t n = 0; n < q->variants; n++) {
            Answer again;
            ms[n] = ask_once(x, q, &a->ids[n], round < 0 ? &a->answers[n] : &again);
            a->failed = ms[n] < 0 || (round >= 0 && !answer_same(&again, &a->answers[n]));
            if (a->failed && ms[n] >= 0) fail(q->name, "the second answer is not the first", str_of(a->ids[n].a));
            if (a->failed) return;
        }
        if (round < 0) continue;
        all[round] = bench_median(ms, q->variants);
        bench_add(&a->bench, figure(x, q, all[round], 1));
    }
    a->median = bench_median(all, q->rounds);
    fprintf(stderr, "bench: %s: %.4g ms; the first variant has %lld rows, sum %.10g\n", q->name, a->median,
            (long long)a->answers[0].rows, a->answers[0].sum);
}

// ---- peers --------------------------------------------------------------------------------------------------------

static void compare(const Asked *a, const char *who, int32_t n, const Answer *theirs) {
    char text[256];
    if (a->failed || answer_same(&a->answers[n], theirs)) return;
    snprintf(text, sizeof text, " differs for '%s': %lld rows, sum %.12g; ours %lld, %.12g", a->ids[n].a,
             (long long)theirs->rows, theirs->sum, (long long)a->answers[n].rows, a->answers[n].sum);
    fail(a->q->name, who, str_of(text));
}

static double ask_sqlite(SqlitePeer *p, const Asked *a) {
    double ms[BENCH_ROUNDS_MAX * 8];
    int count = 0;
    for (int32_t round = 0; round < a->q->peer_rounds; round++) {
        for (int32_t n = 0; n < a->q->variants; n++) {
            Answer answer = sqlite_peer_ask(p, a->q, &a->ids[n], &ms[count++]);
            compare(a, "SQLite", n, &answer);
        }
    }
    return bench_median(ms, count);
}

static void ask_peers(Run *x) {
    KuzuResult *kuzu = mem_alloc(QUESTIONS_MAX * sizeof *kuzu);
    const char *build = getenv("SOSIA_BUILD");
    int64_t start = time_mono_ns();
    SqlitePeer *p = sqlite_peer_open(&x->city);
    fprintf(stderr, "bench: SQLite has loaded it in %.1f s\n", bench_seconds(start));
    for (int32_t i = 0; i < x->count; i++) {
        Asked *a = &x->asked[i];
        double ms = ask_sqlite(p, a);
        a->bench.peer_value = figure(x, a->q, ms, 1);
        snprintf(a->peer, sizeof a->peer, "SQLite %s in process", sqlite3_libversion());
        fprintf(stderr, "bench: %s: SQLite %.4g ms\n", a->q->name, ms);
    }
    sqlite_peer_close(p);
    int32_t n = kuzu_ask(&x->city, x->list, build ? build : "build", x->folder, kuzu, QUESTIONS_MAX);
    for (int32_t k = 0; k < n; k++) {
        for (int32_t i = 0; i < x->count; i++) {
            Asked *a = &x->asked[i];
            if (kuzu[k].ms < 0 || strcmp(kuzu[k].name, a->q->name) != 0) continue;
            for (int32_t v = 0; v < kuzu[k].count; v++) compare(a, "Kuzu", v, &kuzu[k].answers[v]);
            snprintf(a->peer, sizeof a->peer, "SQLite %s in process (Kuzu in process: %.4g)", sqlite3_libversion(),
                     figure(x, a->q, kuzu[k].ms, core_count()));
        }
    }
    mem_free(kuzu);
}

// ---- questions while sensors report -------------------------------------------------------------------------------

typedef struct Mix {
    double *ms;
    int32_t count;
} Mix;

// The hops in turn, and every 50th time the count by model.
static const Asked *mix_pick(const Run *x, int64_t n) {
    const Asked *hops = &x->asked[0], *count = NULL;
    for (int32_t i = 0; i < x->count; i++)
        if (strcmp(x->asked[i].q->name, "query.count_model") == 0) count = &x->asked[i];
    return count && n % 50 == 49 ? count : &hops[n % 3];
}

static double mix_p99(Run *x, Mix *m) {
    int64_t end = time_mono_ns() + MIX_NS;
    m->count = 0;
    for (int64_t n = 0; m->count < MIX_MAX && time_mono_ns() < end; n++) {
        const Asked *a = mix_pick(x, n);
        int32_t variant = (int32_t)(n / 3 % a->q->variants);
        Answer answer;
        double ms = ask_once(x, a->q, &a->ids[variant], &answer);
        if (ms < 0) return 0;
        compare(a, "the answer under writes", variant, &answer);
        m->ms[m->count++] = ms;
    }
    qsort(m->ms, (size_t)m->count, sizeof *m->ms, bench_by_value);
    return m->ms[m->count * 99LL / 100];
}

static void bench_storm(Run *x) {
    Mix m = {.ms = mem_alloc(MIX_MAX * sizeof *m.ms)};
    Bench ratio = {.name = "query.p99_ratio_under_writes", .unit = "times", .goal = 2, .less = true};
    char peer[160];
    double rates[MIX_ROUNDS], calm = 0, busy = 0;
    for (int round = 0; round < MIX_ROUNDS && failures == 0; round++) {
        calm = mix_p99(x, &m);
        fprintf(stderr, "bench: calm: %d questions, median %.3f ms, p99 %.3f ms\n", m.count, m.ms[m.count / 2], calm);
        Storm *s = storm_start(&(StormOptions){
            .city = &x->city, .port = x->server.port, .rate = STORM_RATE, .lines = 2000, .connections = 4});
        sleep(1);
        int64_t before = storm_count(s), start = time_mono_ns();
        busy = mix_p99(x, &m);
        rates[round] = (double)(storm_count(s) - before) / bench_seconds(start);
        storm_stop(s);
        fprintf(stderr, "bench: %.0f values a second: %d questions, median %.3f ms, p99 %.3f ms\n", rates[round],
                m.count, m.ms[m.count / 2], busy);
        if (failures == 0) bench_add(&ratio, busy / calm);
    }
    ratio.peer = peer;
    ratio.peer_value = ratio.rounds ? bench_median(rates, ratio.rounds) : 0;
    snprintf(peer, sizeof peer, "values a second over POST /ingest (last p99 calm %.3g ms, under writes %.3g ms)", calm,
             busy);
    bench_print(&ratio);
    mem_free(m.ms);
}

// ---- all of it ----------------------------------------------------------------------------------------------------

static void choose(Run *x, bool storm) {
    for (const Question *q = x->list; q->name; q++) {
        // What the mix is made of is always asked before it.
        bool part = storm && (strstr(q->name, "query.hop") || strstr(q->name, "count_model"));
        if (!part && !is_wanted(q->name)) continue;
        Asked *a = &x->asked[x->count++];
        a->q = q;
        a->bench = (Bench){.name = q->name, .unit = q->unit, .goal = q->goal, .less = true};
        CHECK(q->variants <= QUESTION_VARIANTS_MAX && q->rounds <= BENCH_ROUNDS_MAX);
        for (int32_t n = 0; n < q->variants; n++) a->ids[n] = question_ids(&x->city, q, n);
    }
}

static void ask_all(Run *x, bool storm) {
    x->server = server_start(getenv("SOSIA_BIN"), x->file);
    ask_open(&x->ask, x->server.port);
    for (int32_t i = 0; i < x->count; i++) ask_sosia(x, &x->asked[i]);
    if (storm && failures == 0) bench_storm(x);
    ask_close(&x->ask);
    server_stop(&x->server);
}

static void run_city(const char *folder, const Question *list, int32_t districts, bool storm) {
    Run *x = mem_alloc(sizeof *x);
    x->city = (City){.districts = districts, .seed = 1};
    x->list = list;
    snprintf(x->folder, sizeof x->folder, "%s", folder);
    choose(x, storm);
    if (x->count && make_world(x)) {
        ask_all(x, storm);
        if (peers) ask_peers(x);
        for (int32_t i = 0; i < x->count; i++) {
            Asked *a = &x->asked[i];
            if (a->peer[0]) a->bench.peer = a->peer;
            if (!a->failed) bench_print(&a->bench);
        }
    }
    buf_free(&x->body);
    buf_free(&x->text);
    mem_free(x);
}

static void set_command(const char *self) {
    char path[1024];
    const char *slash = strrchr(self, '/');
    snprintf(path, sizeof path, "%.*s/sosia", slash ? (int)(slash - self) : 1, slash ? self : ".");
    setenv("SOSIA_BIN", path, 0);
}

int main(int argc, char **argv) {
    char folder[] = "/var/tmp/sosia-bench-XXXXXX", command[64];
    CHECK(mkdtemp(folder));
    set_command(argv[0]);
    wanted = argv + 1;
    if (argc > 1 && strcmp(argv[1], "--no-peers") == 0) {
        peers = false;
        wanted++;
    }
    run_city(folder, questions, 40, is_wanted("query.p99_ratio_under_writes"));
    run_city(folder, depth_questions, 60, false);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) fprintf(stderr, "bench: %s stays\n", folder);
    return failures ? 1 : 0;
}
