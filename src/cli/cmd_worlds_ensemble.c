// SPDX-License-Identifier: Apache-2.0
// A world many times over: begin, watch, a table of what it came to.
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/time.h"
#include "cli/client.h"
#include "cli/term.h"
#include "cli/text.h"

#define LOOK_NS INT64_C(200000000) // between two looks

typedef struct Many {
    Common common;
    Str length, output, kpis, precision;
    int64_t replications, seed, threads, most;
    double relative, level;
    bool quiet;
} Many;

static const Opt many_opts[] = {
    OPT(Many, length, OPT_STR, 'f', "for", "TIME", "how long each, on the world's own clock: 8h, P7D"),
    OPT_RANGE(Many, replications, "replications", "N", "of each case (30)", 1, 1000000),
    OPT(Many, precision, OPT_STR, 'p', "precision", "KPI", "as many replications as this KPI needs, see --relative"),
    OPT(Many, relative, OPT_F64, 0, "relative", "N", "half an interval, as a part of the mean (0.05)"),
    OPT_RANGE(Many, most, "most", "N", "replications at most, with --precision (10000)", 1, 1000000),
    OPT(Many, kpis, OPT_STR, 'k', "kpi", "NAMES", "only these, separated by commas"),
    OPT(Many, output, OPT_STR, 'o', "output", "TIME", "times of courses in --json (a hundredth)"),
    OPT(Many, level, OPT_F64, 0, "level", "N", "of intervals (0.95)"),
    OPT_RANGE(Many, seed, "seed", "N", "of the chances (the world's)", 1, INT64_MAX),
    OPT_RANGE(Many, threads, "threads", "N", "that work on it (all processors)", 1, 64),
    OPT(Many, quiet, OPT_FLAG, 'q', "quiet", NULL, "no progress line"),
    OPT_END,
};

// ---- the request --------------------------------------------------------------------------------------------------

// "night/nurse-plus.json" is "nurse-plus".
static Str name_of(Str path) {
    while (path.n && memchr(path.p, '/', (size_t)path.n)) path = str_sub(path, 1, path.n);
    for (int64_t i = path.n - 1; i > 0; i--)
        if (path.p[i] == '.') return str_sub(path, 0, i);
    return path;
}

// A list of changes, or an object that has one (a what-if).
static Err put_case(Str path, Buf *b) {
    Buf file = {0};
    Arena a;
    Json json;
    TRY(read_file(path, 4 << 20, &file));
    arena_init(&a, 4096);
    Err err = json_parse(buf_str(&file), NULL, &a, &json, NULL);
    const Json *list = !err && json.type == JSON_OBJECT ? json_get(&json, STR("changes")) : &json;
    if (err || !list || list->type != JSON_ARRAY) {
        err = tell(ERR_SYNTAX, "%.*s holds no JSON list of changes", STR_ARG(path));
    } else {
        buf_printf(b, ",{\"name\":");
        json_put_str(b, name_of(path));
        buf_printf(b, ",\"changes\":");
        json_put(b, list);
        buf_byte(b, '}');
    }
    arena_free(&a);
    buf_free(&file);
    return err;
}

static void put_kpis(Str names, Buf *b) {
    buf_printf(b, ",\"kpis\":[");
    for (bool first = true; names.n; first = false) {
        const char *comma = memchr(names.p, ',', (size_t)names.n);
        int64_t n = comma ? comma - names.p : names.n;
        if (!first) buf_byte(b, ',');
        json_put_str(b, str_sub(names, 0, n));
        names = str_sub(names, comma ? n + 1 : n, names.n);
    }
    buf_byte(b, ']');
}

static Err body_of(const Many *o, const Args *args, Buf *b) {
    if (!o->length.n) {
        tell(ERR_ARGUMENT, "worlds ensemble: say how long each is to run");
        hint("--for 8h");
        return ERR_ARGUMENT;
    }
    buf_printf(b, "{\"for\":");
    json_put_str(b, o->length);
    if (o->output.n) {
        buf_printf(b, ",\"output\":");
        json_put_str(b, o->output);
    }
    if (o->replications) buf_printf(b, ",\"replications\":%lld", (long long)o->replications);
    if (o->seed) buf_printf(b, ",\"seed\":%lld", (long long)o->seed);
    if (o->threads) buf_printf(b, ",\"threads\":%lld", (long long)o->threads);
    if (o->level > 0) buf_printf(b, ",\"level\":%.17g", o->level);
    if (o->kpis.n) put_kpis(o->kpis, b);
    if (o->precision.n) {
        buf_printf(b, ",\"precision\":{\"kpi\":");
        json_put_str(b, o->precision);
        buf_printf(b, ",\"relative\":%.17g", o->relative > 0 ? o->relative : 0.05);
        if (o->most) buf_printf(b, ",\"most\":%lld", (long long)o->most);
        buf_byte(b, '}');
    }
    buf_printf(b, ",\"cases\":[{\"name\":\"as is\"}");
    for (int32_t i = 1; i < args->count; i++) TRY(put_case(args->items[i], b));
    buf_printf(b, "]}");
    return ERR_OK;
}

// ---- watching it --------------------------------------------------------------------------------------------------

static Str text_in(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && m->type == JSON_STRING ? m->s : (Str){0};
}

static double number_in(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && json_is_number(m) ? json_f64(m) : (double)NAN;
}

static bool at_work(const Json *status) {
    Str s = text_in(status, STR("state"));
    return str_eq(s, STR("running")) || str_eq(s, STR("starting"));
}

static Err look(Client *c, Str world, const char *method, Json *out) {
    client_reset(c);
    TRY(client_do(c, &(Call){.method = method, .path = client_path(c, "//worlds/{}/ensemble", &world)}));
    return client_json(c, out);
}

static Err watch(Client *c, const Many *o, Str world, Json *status) {
    Progress p;
    progress_begin(&p, "replications", 0, o->quiet || o->common.json);
    term_catch_signals();
    Err err = look(c, world, "GET", status);
    while (!err && at_work(status) && !term_interrupted()) {
        double of = number_in(status, STR("of")), n = number_in(status, STR("replications"));
        if (of > 0) p.total = (int64_t)of;
        progress_at(&p, n > 0 ? (int64_t)n : 0);
        (void)!term_sleep(LOOK_NS);
        err = look(c, world, "GET", status);
    }
    progress_end(&p);
    if (!err && at_work(status)) err = look(c, world, "DELETE", status); // what there is
    return err;
}

// ---- the table ----------------------------------------------------------------------------------------------------

// "12.3 ± 0.4"
static void put_interval(Table *t, Style style, const Json *v) {
    double mean = number_in(v, STR("mean")), half = number_in(v, STR("high")) - mean;
    if (isnan(mean)) table_put(t, STYLE_DIM, STR("-"));
    else if (isnan(half)) table_printf(t, style, "%.4g", mean);
    else table_printf(t, style, "%.4g \xc2\xb1 %.2g", mean, half);
}

static void put_number(Table *t, double v) {
    if (isnan(v)) table_put(t, STYLE_DIM, STR("-"));
    else table_printf(t, STYLE_PLAIN, "%.4g", v);
}

static void put_row(Table *t, const Json *one, const Json *kpi) {
    const Json *d = json_get(kpi, STR("difference"));
    Str title = text_in(kpi, STR("title")), verdict = d ? text_in(d, STR("verdict")) : (Str){0};
    table_put(t, STYLE_BOLD, title.n ? title : text_in(kpi, STR("name")));
    table_put(t, STYLE_DIM, text_in(kpi, STR("unit")));
    table_put(t, STYLE_PLAIN, text_in(one, STR("name")));
    put_interval(t, STYLE_PLAIN, kpi);
    put_number(t, number_in(kpi, STR("p05")));
    put_number(t, number_in(kpi, STR("p95")));
    Style style = str_eq(verdict, STR("better"))  ? STYLE_GREEN
                  : str_eq(verdict, STR("worse")) ? STYLE_RED
                                                  : STYLE_PLAIN;
    if (d) put_interval(t, style, d);
    else table_put(t, STYLE_DIM, STR(""));
    table_put(t, style, verdict);
}

static Err print(const Json *status) {
    static const Column columns[] = {{"KPI", false, false},
                                     {"Unit", false, false},
                                     {"Case", false, false},
                                     {"Mean", true, false},
                                     {"5 %", true, false},
                                     {"95 %", true, false},
                                     {"Against the first", true, false},
                                     {"", false, false}};
    const Json *cases = json_get(status, STR("cases"));
    if (!cases || !cases->count) return ERR_OK;
    Table t;
    table_init(&t, columns, 8);
    int32_t kpis = json_get(&cases->items[0], STR("kpis"))->count;
    for (int32_t k = 0; k < kpis; k++)
        for (int32_t i = 0; i < cases->count; i++)
            put_row(&t, &cases->items[i], &json_get(&cases->items[i], STR("kpis"))->items[k]);
    Err err = kpis ? say_table(&t) : ERR_OK;
    table_free(&t);
    if (!kpis) hint("nothing is counted in this world: put KPIs to /kpis");
    return err;
}

static Err report(const Json *status, Str world) {
    const Json *error = json_get(status, STR("error"));
    if (error) return tell(ERR_SIM_FAILED, "%.*s: %.*s", STR_ARG(world), STR_ARG(text_in(error, STR("message"))));
    TRY(print(status));
    note("%.*s: %.0f replications of each case, intervals of %.4g %%, %.2f s", STR_ARG(text_in(status, STR("state"))),
         number_in(status, STR("replications")), 100 * number_in(status, STR("level")),
         number_in(status, STR("seconds")));
    return ERR_OK;
}

static Err run_it(Client *c, const Many *o, const Args *args) {
    Buf body = {0};
    Json status;
    Str world = args->items[0];
    Err err = body_of(o, args, &body);
    Call call = {.method = "POST", .body = buf_str(&body)};
    if (!err) call.path = client_path(c, "//worlds/{}/ensemble", &world);
    if (!err) err = client_do(c, &call);
    buf_free(&body);
    TRY(err);
    TRY(watch(c, o, world, &status));
    if (!o->common.json) return report(&status, world);
    Buf out = {0};
    json_put(&out, &status);
    buf_byte(&out, '\n');
    err = say(buf_str(&out));
    buf_free(&out);
    return err ? err : json_get(&status, STR("error")) ? ERR_SIM_FAILED : ERR_OK;
}

static Err run_many(void *fields, const Args *args) {
    const Many *o = fields;
    Client c = {0};
    if (o->common.world.p) {
        tell(ERR_ARGUMENT, "worlds: --world has no meaning here");
        hint("name the world as an argument");
        return ERR_ARGUMENT;
    }
    Err err = client_open(&c, &o->common);
    if (!err) err = run_it(&c, o, args);
    client_close(&c);
    return err;
}

const Command cmd_worlds_ensemble = {
    .name = "worlds ensemble",
    .arguments = "WORLD [CHANGES.json ...]",
    .summary = "run a world many times over and tell KPIs with intervals",
    .about =
        "Every replication sees other chances. Each file of changes (as for worlds run --changes, or a what-if) is a\n"
        "case beside the world as it is; the r-th replication of all cases sees the same chances, so differences\n"
        "are sharp. Nothing is written to the world. Ctrl-C ends it and tells what there is.",
    .examples = "  sosia worlds ensemble live --for 8h --replications 200\n"
                "  sosia worlds ensemble night-shift --for P7D nurse-plus.json beds-minus.json\n"
                "  sosia worlds ensemble ward --for P30D --precision wait --relative 0.02 --json",
    .opts = many_opts,
    .size = sizeof(Many),
    .client = true,
    .args_min = 1,
    .args_max = 64,
    .run = run_many,
};
