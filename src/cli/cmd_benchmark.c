// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "base/time.h"
#include "cli/client.h"
#include "cli/histogram.h"
#include "cli/load.h"
#include "cli/term.h"

#define CONNECTIONS_MAX 256
#define MODEL "dtmi:sosia:bench:Probe;1"

typedef struct Bench {
    Common common;
    int64_t for_ns, connections, twins, batch;
    Str only;
    bool keep;
} Bench;

static const Opt opts[] = {
    OPT(Bench, for_ns, OPT_DURATION, 0, "for", "TIME", "length of each part (3s)"),
    OPT_RANGE(Bench, connections, "connections", "N", "connections at once (8)", 1, CONNECTIONS_MAX),
    OPT_RANGE(Bench, twins, "twins", "N", "twins to work on (1000)", 1, 1000000),
    OPT_RANGE(Bench, batch, "batch", "N", "values of one ingest request (1000)", 1, 100000),
    OPT(Bench, only, OPT_STR, 0, "only", "PART", "get, patch or ingest"),
    OPT(Bench, keep, OPT_FLAG, 0, "keep", NULL, "leave the twins and their model behind"),
    OPT_END,
};

typedef struct Part Part;

typedef struct Worker {
    const Bench *o;
    const Part *part;
    Client client;
    Rng rng;
    Buf body;
    Histogram latency; // ns
    int64_t requests, failures, values;
    int64_t end_ns;
    Thread thread;
    bool open;
    char first_failure[200];
} Worker;

struct Part {
    const char *name, *what;
    Err (*ask)(Worker *w);
};

static Str twin_id(Worker *w) {
    return arena_printf(&w->client.keep, "sosia-bench-%llu",
                        (unsigned long long)rng_below(&w->rng, (uint64_t)w->o->twins));
}

static Err ask_get(Worker *w) {
    Str id = twin_id(w);
    w->values++;
    return client_call(&w->client, &(Call){.path = client_path(&w->client, "/digitaltwins/{}", &id)});
}

static Err ask_patch(Worker *w) {
    Str id = twin_id(w);
    buf_reset(&w->body);
    buf_printf(&w->body, "[{\"op\":\"add\",\"path\":\"/p%d\",\"value\":%.3f}]", (int)rng_below(&w->rng, 5),
               rng_f64(&w->rng) * 100);
    w->values++;
    return client_call(&w->client, &(Call){.method = "PATCH",
                                           .path = client_path(&w->client, "/digitaltwins/{}", &id),
                                           .body = buf_str(&w->body),
                                           .type = "application/json-patch+json"});
}

static Err ask_ingest(Worker *w) {
    buf_reset(&w->body);
    for (int64_t i = 0; i < w->o->batch; i++) {
        buf_printf(&w->body, "{\"id\":\"sosia-bench-%llu\",\"property\":\"p%d\",\"value\":%.3f}\n",
                   (unsigned long long)rng_below(&w->rng, (uint64_t)w->o->twins), (int)rng_below(&w->rng, 5),
                   rng_f64(&w->rng) * 100);
    }
    w->values += w->o->batch;
    return client_call(&w->client, &(Call){.method = "POST",
                                           .path = client_path(&w->client, "/ingest", NULL),
                                           .body = buf_str(&w->body),
                                           .type = "application/x-ndjson"});
}

static const Part parts[] = {
    {"get", "read one twin", ask_get},
    {"patch", "change one value, durable", ask_patch},
    {"ingest", "feed a batch, durable", ask_ingest},
};

#define PARTS ((int32_t)(sizeof parts / sizeof *parts))

static void *work(void *arg) {
    Worker *w = arg;
    while (!term_interrupted()) {
        int64_t start = time_mono_ns();
        if (start >= w->end_ns) break;
        client_reset(&w->client);
        int64_t values = w->values;
        Err err = w->part->ask(w);
        histogram_add(&w->latency, time_mono_ns() - start);
        w->requests++;
        if (err == ERR_OK) continue;
        w->values = values;
        if (!w->failures++) {
            snprintf(w->first_failure, sizeof w->first_failure, "%.*s", STR_ARG(buf_str(&w->client.message)));
        }
        if (err == ERR_UNREACHABLE) break;
    }
    return NULL;
}

typedef struct Score {
    double seconds;
    Histogram latency;
    int64_t requests, failures, values;
    char first_failure[200];
} Score;

static Err run_part(const Bench *o, const Part *part, Score *score) {
    int64_t n = o->connections, start = time_mono_ns();
    Worker *workers = mem_alloc((size_t)n * sizeof *workers);
    Err err = ERR_OK;
    *score = (Score){0};
    for (int64_t i = 0; i < n && err == ERR_OK; i++) {
        Worker *w = &workers[i];
        w->o = o;
        w->part = part;
        w->rng = rng_make(1, (uint64_t)i);
        w->end_ns = start + o->for_ns;
        err = client_open(&w->client, &o->common);
        w->open = true;
        if (err == ERR_OK) err = thread_start(&w->thread, "bench", work, w);
    }
    for (int64_t i = 0; i < n; i++) {
        Worker *w = &workers[i];
        if (!w->open) continue;
        thread_join(&w->thread);
        histogram_merge(&score->latency, &w->latency);
        score->requests += w->requests;
        score->failures += w->failures;
        score->values += w->values;
        if (w->failures) memcpy(score->first_failure, w->first_failure, sizeof score->first_failure);
        client_close(&w->client);
        buf_free(&w->body);
    }
    score->seconds = (double)(time_mono_ns() - start) / 1e9;
    mem_free(workers);
    return err;
}

// ---- preparing and cleaning up ------------------------------------------------------------------------------------

static Err prepare(const Bench *o) {
    Client c;
    Docs docs;
    Buf text = {0};
    Load load;
    buf_str_put(&text, STR("{\"Section\":\"Models\"}\n{\"@id\":\"" MODEL "\",\"@type\":\"Interface\",\"@context\":"
                           "\"dtmi:dtdl:context;3\",\"contents\":["));
    for (int i = 0; i < 5; i++) {
        buf_printf(&text, "%s{\"@type\":\"Property\",\"name\":\"p%d\",\"schema\":\"double\"}", i ? "," : "", i);
    }
    buf_str_put(&text, STR("]}\n{\"Section\":\"Twins\"}\n"));
    for (int64_t i = 0; i < o->twins; i++) {
        buf_printf(&text, "{\"$dtId\":\"sosia-bench-%lld\",\"$metadata\":{\"$model\":\"" MODEL "\"},\"p0\":0}\n",
                   (long long)i);
    }
    docs_init(&docs);
    docs_read_text(&docs, STR("bench"), buf_str(&text));
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = load_docs(&c, &docs, o->common.json, &load);
    if (err == ERR_OK && docs.error_total) err = tell(ERR_VALIDATION, "bench: %.*s", STR_ARG(docs.errors[0].text));
    client_close(&c);
    docs_free(&docs);
    buf_free(&text);
    return err;
}

static void clean_up(const Bench *o) {
    Client c;
    Str model = STR(MODEL);
    Progress progress;
    if (client_open(&c, &o->common) != ERR_OK) return;
    progress_begin(&progress, "twins taken away", o->twins, o->common.json);
    Err err = ERR_OK;
    for (int64_t i = 0; i < o->twins && err != ERR_UNREACHABLE; i++) {
        client_reset(&c);
        Str id = arena_printf(&c.keep, "sosia-bench-%lld", (long long)i);
        err = client_call(&c, &(Call){.method = "DELETE", .path = client_path(&c, "/digitaltwins/{}", &id)});
        progress_at(&progress, i);
    }
    progress_end(&progress);
    err = client_call(&c, &(Call){.method = "DELETE", .path = client_path(&c, "/models/{}", &model)});
    if (err != ERR_OK) note("the model " MODEL " stays: %.*s", STR_ARG(buf_str(&c.message)));
    client_close(&c);
}

// ---- results ------------------------------------------------------------------------------------------------------

static const Column columns[] = {{"Part", false, false},    {"What", false, true}, {"Requests/s", true, false},
                                 {"Values/s", true, false}, {"p50", true, false},  {"p99", true, false},
                                 {"Failed", true, false}};

static void put_short(Table *t, double v) {
    Buf b = {0};
    text_short(v, &b);
    table_put(t, STYLE_BOLD, buf_str(&b));
    buf_free(&b);
}

static void put_row(Table *t, const Part *p, const Score *s) {
    table_put(t, STYLE_PLAIN, str_of(p->name));
    table_put(t, STYLE_DIM, str_of(p->what));
    put_short(t, (double)(s->requests - s->failures) / s->seconds);
    put_short(t, (double)s->values / s->seconds);
    table_printf(t, STYLE_PLAIN, "%.2f ms", (double)histogram_quantile(&s->latency, 0.5) / 1e6);
    table_printf(t, STYLE_PLAIN, "%.2f ms", (double)histogram_quantile(&s->latency, 0.99) / 1e6);
    table_printf(t, s->failures ? STYLE_RED : STYLE_DIM, "%lld", (long long)s->failures);
}

static Err say_json(const Bench *o, const Part *p, const Score *s) {
    Buf b = {0};
    buf_printf(&b,
               "{\"part\":\"%s\",\"seconds\":%.3f,\"connections\":%lld,\"requests_per_s\":%.1f,\"values_per_s\":%.1f,",
               p->name, s->seconds, (long long)o->connections, (double)(s->requests - s->failures) / s->seconds,
               (double)s->values / s->seconds);
    buf_printf(&b, "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"failed\":%lld}\n",
               (double)histogram_quantile(&s->latency, 0.5) / 1e6, (double)histogram_quantile(&s->latency, 0.99) / 1e6,
               (long long)s->failures);
    Err err = say(buf_str(&b));
    buf_free(&b);
    return err;
}

static Err measure(const Bench *o, Table *t) {
    static Score score; // large
    Err err = ERR_OK;
    for (int32_t i = 0; i < PARTS && err == ERR_OK && !term_interrupted(); i++) {
        if (o->only.n && !str_eq(o->only, str_of(parts[i].name))) continue;
        if (term_is_tty(2)) note("%s: %s ...", parts[i].name, parts[i].what);
        err = run_part(o, &parts[i], &score);
        if (err != ERR_OK) break;
        if (o->common.json) err = say_json(o, &parts[i], &score);
        else put_row(t, &parts[i], &score);
        if (score.failures) tell(ERR_BUSY, "%s: %s", parts[i].name, score.first_failure);
    }
    return err;
}

static Err run(void *fields, const Args *args) {
    (void)args;
    Bench o = *(const Bench *)fields;
    bool known = !o.only.n;
    for (int32_t i = 0; i < PARTS; i++) known |= str_eq(o.only, str_of(parts[i].name));
    if (!known) return tell(ERR_ARGUMENT, "bench: --only takes get, patch or ingest");
    if (!o.for_ns) o.for_ns = 3 * NS_PER_S;
    if (!o.connections) o.connections = 8;
    if (!o.twins) o.twins = 1000;
    if (!o.batch) o.batch = 1000;
    TRY(prepare(&o));
    Table t;
    table_init(&t, columns, 7);
    Err err = measure(&o, &t);
    if (err == ERR_OK && !o.common.json) err = say_table(&t);
    if (err == ERR_OK) {
        note("%lld connections; this client shares the machine with the server if both run here",
             (long long)o.connections);
    }
    table_free(&t);
    if (!o.keep) clean_up(&o);
    return err;
}

const Command cmd_bench = {
    .heading = "Measure",
    .name = "bench",
    .arguments = "",
    .summary = "load a running server for some seconds and tell what it bears",
    .about =
        "Makes twins named sosia-bench-N, reads, changes and feeds them over several connections, and takes them away\n"
        "again.",
    .examples = "  sosia bench\n"
                "  sosia bench --only ingest --for 10s --connections 16\n"
                "  sosia bench --json | jq .values_per_s",
    .opts = opts,
    .size = sizeof(Bench),
    .client = true,
    .run = run,
};
