// SPDX-License-Identifier: Apache-2.0
#include "cli/many.h"
#include <math.h>
#include <stdio.h>
#include "base/time.h"
#include "cli/term.h"
#include "cli/text.h"

#define LOOK_MIN_NS INT64_C(10000000) // between two looks: short ones are seen to end soon
#define LOOK_MAX_NS INT64_C(200000000)

static double number_in(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && json_is_number(m) ? json_f64(m) : (double)NAN;
}

static const Json *list_in(const Json *v, Str key) {
    static const Json none = {.type = JSON_ARRAY};
    const Json *m = json_get(v, key);
    return m && m->type == JSON_ARRAY ? m : &none;
}

Err many_id(const Json *answer, const char *member, int64_t *id) {
    const Json *m = json_get(answer, str_of(member));
    if (!m || m->type != JSON_INT) return tell(ERR_SYNTAX, "the answer holds no number of an ensemble");
    *id = m->i;
    return ERR_OK;
}

// ---- watching -----------------------------------------------------------------------------------------------------

static Str path_of(Client *c, int64_t id, const char *more) {
    Str pattern = arena_printf(&c->keep, "//ensembles/%lld", (long long)id);
    Str path = client_path(c, pattern.p, NULL);
    return more[0] ? arena_printf(&c->keep, "%.*s%s", STR_ARG(path), more) : path;
}

static bool at_work(const Json *status) {
    Str s = json_text(status, STR("state"));
    return str_eq(s, STR("running")) || str_eq(s, STR("starting"));
}

static Err look(Client *c, int64_t id, Json *out) {
    client_reset(c);
    TRY(client_do(c, &(Call){.path = path_of(c, id, "")}));
    return client_json(c, out);
}

// What there is.
static Err stop(Client *c, int64_t id, Json *status) {
    client_reset(c);
    Str pattern = arena_printf(&c->keep, "//ensembles/%lld/stop", (long long)id);
    TRY(client_do(c, &(Call){.method = "POST", .path = client_path(c, pattern.p, NULL)}));
    return look(c, id, status);
}

Err many_watch(Client *c, int64_t id, const ManyOut *o, Json *status) {
    Progress p;
    int64_t wait = LOOK_MIN_NS;
    progress_begin(&p, "replications", 0, o->quiet || o->json);
    term_catch_signals();
    Err err = look(c, id, status);
    while (!err && at_work(status) && !term_interrupted()) {
        double of = number_in(status, STR("of")), n = number_in(status, STR("replications"));
        if (of > 0) p.total = (int64_t)of;
        progress_at(&p, n > 0 ? (int64_t)n : 0);
        (void)!term_sleep(wait);
        wait = wait * 2 < LOOK_MAX_NS ? wait * 2 : LOOK_MAX_NS;
        err = look(c, id, status);
    }
    progress_end(&p);
    if (!err && at_work(status)) err = stop(c, id, status);
    return err;
}

// ---- tables -------------------------------------------------------------------------------------------------------

// half: of its interval; two digits of that are known. 0 or NaN: four digits of itself.
static void put_value(double v, double half, bool sign, Buf *b) {
    int decimals = half > 0 ? 1 - (int)floor(log10(half)) : 0;
    if (fabs(v) < 1e-9) v = 0;
    if (sign && v > 0) buf_byte(b, '+');
    bool whole = half > 0 ? decimals <= 0 : fabs(v) >= 1000;
    if (whole && fabs(v) >= 1000 && fabs(v) < 1e15) text_count((int64_t)(v < 0 ? v - 0.5 : v + 0.5), b);
    else if (half > 0) buf_printf(b, "%.*f", decimals < 0 ? 0 : decimals > 9 ? 9 : decimals, v);
    else buf_printf(b, "%.4g", v);
}

static void put_number(Table *t, double v) {
    Buf b = {0};
    if (isnan(v)) table_put(t, STYLE_DIM, STR("-"));
    else put_value(v, 0, false, &b);
    if (b.n) table_put(t, STYLE_PLAIN, buf_str(&b));
    buf_free(&b);
}

// "12.3 ± 0.4"
static void put_half(Table *t, Style style, const Json *v) {
    double mean = number_in(v, STR("mean")), half = number_in(v, STR("high")) - mean;
    Buf b = {0};
    if (half < 1e-9) half = 0;
    if (isnan(mean)) buf_byte(&b, '-');
    else put_value(mean, half, false, &b);
    if (half > 0) buf_printf(&b, " \xc2\xb1 ");
    if (half > 0) put_value(half, half, false, &b);
    table_put(t, isnan(mean) ? STYLE_DIM : style, buf_str(&b));
    buf_free(&b);
}

// "+12.3 [11.9, 12.7]"
static void put_between(Table *t, Style style, const Json *v) {
    double mean = number_in(v, STR("mean")), low = number_in(v, STR("low")), high = number_in(v, STR("high"));
    double half = (high - low) / 2;
    Buf b = {0};
    if (half < 1e-9) half = 0;
    if (isnan(mean)) buf_byte(&b, '-');
    else put_value(mean, half, true, &b);
    if (half > 0) {
        buf_printf(&b, " [");
        put_value(low, half, true, &b);
        buf_printf(&b, ", ");
        put_value(high, half, true, &b);
        buf_byte(&b, ']');
    }
    table_put(t, isnan(mean) ? STYLE_DIM : style, buf_str(&b));
    buf_free(&b);
}

static Style style_of(Str verdict) {
    return str_eq(verdict, STR("better")) ? STYLE_GREEN : str_eq(verdict, STR("worse")) ? STYLE_RED : STYLE_PLAIN;
}

static Str verdict_of(const Json *difference) {
    Str verdict = json_text(difference, STR("verdict"));
    bool unsure = str_eq(verdict, STR("no difference is shown"));
    if (!unsure) return verdict;
    return number_in(difference, STR("mean")) == 0 && number_in(difference, STR("high")) == 0
               ? STR("the same")
               : STR("cannot be told apart");
}

static Str kpi_title(const Json *kpi) {
    Str title = json_text(kpi, STR("title"));
    return title.n ? title : json_text(kpi, STR("name"));
}

static Str unit_of(const Json *kpi) {
    Str symbol = json_text(kpi, STR("symbol"));
    return symbol.n ? symbol : json_text(kpi, STR("unit"));
}

static void put_row(Table *t, const Json *one, const Json *kpi) {
    const Json *d = json_get(kpi, STR("difference"));
    Str verdict = d ? verdict_of(d) : (Str){0};
    table_put(t, STYLE_BOLD, kpi_title(kpi));
    table_put(t, STYLE_DIM, unit_of(kpi));
    table_put(t, STYLE_PLAIN, json_text(one, STR("name")));
    put_half(t, STYLE_PLAIN, kpi);
    put_number(t, number_in(kpi, STR("p05")));
    put_number(t, number_in(kpi, STR("p95")));
    if (d) put_half(t, style_of(verdict), d);
    else table_put(t, STYLE_DIM, STR(""));
    table_put(t, style_of(verdict), verdict);
}

// Cases below each other.
static Err print_long(const Json *cases) {
    static const Column columns[] = {{"KPI", false, false},
                                     {"Unit", false, false},
                                     {"Case", false, false},
                                     {"Mean", true, false},
                                     {"5 %", true, false},
                                     {"95 %", true, false},
                                     {"Against the first", true, false},
                                     {"", false, false}};
    Table t;
    table_init(&t, columns, 8);
    int32_t kpis = list_in(&cases->items[0], STR("kpis"))->count;
    for (int32_t k = 0; k < kpis; k++)
        for (int32_t i = 0; i < cases->count; i++)
            put_row(&t, &cases->items[i], &list_in(&cases->items[i], STR("kpis"))->items[k]);
    Err err = say_table(&t);
    table_free(&t);
    return err;
}

static const char *kept(Client *c, Str s) { return arena_printf(&c->keep, "%.*s", STR_ARG(s)).p; }

// Two cases beside each other.
static Err print_pair(Client *c, const Json *cases) {
    Column columns[] = {{"KPI", false, true},        {"", true, false},      {"", true, false},
                        {"Difference", true, false}, {"Unit", false, false}, {"", false, false}};
    const Json *a = list_in(&cases->items[0], STR("kpis")), *b = list_in(&cases->items[1], STR("kpis"));
    Table t;
    columns[1].title = kept(c, json_text(&cases->items[0], STR("name")));
    columns[2].title = kept(c, json_text(&cases->items[1], STR("name")));
    table_init(&t, columns, 6);
    for (int32_t i = 0; i < a->count && i < b->count; i++) {
        const Json *d = json_get(&b->items[i], STR("difference"));
        Str verdict = verdict_of(d);
        table_put(&t, STYLE_BOLD, kpi_title(&a->items[i]));
        put_half(&t, STYLE_PLAIN, &a->items[i]);
        put_half(&t, STYLE_PLAIN, &b->items[i]);
        put_between(&t, style_of(verdict), d);
        table_put(&t, STYLE_DIM, unit_of(&a->items[i]));
        table_put(&t, style_of(verdict), verdict);
    }
    Err err = say_table(&t);
    table_free(&t);
    return err;
}

// ---- the report ---------------------------------------------------------------------------------------------------

static Err write_file(Client *c, int64_t id, const char *format, Str name, const char *what) {
    if (!name.n) return ERR_OK;
    client_reset(c);
    Str more = arena_printf(&c->keep, "&format=%s", format);
    TRY(client_do(c, &(Call){.path = path_of(c, id, more.p)}));
    if (str_eq(name, STR("-"))) return say(buf_str(&c->body));
    char path[4096];
    snprintf(path, sizeof path, "%.*s", STR_ARG(name));
    FILE *f = fopen(path, "w");
    bool ok = f && fwrite(c->body.p, 1, (size_t)c->body.n, f) == (size_t)c->body.n;
    if (f && fclose(f)) ok = false;
    if (!ok) return tell(ERR_IO, "cannot write %s", path);
    note("the %s in %s", what, path);
    return ERR_OK;
}

static Err say_json(const Json *status) {
    Buf out = {0};
    json_put(&out, status);
    buf_byte(&out, '\n');
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

Err many_sentence(const Json *status) {
    Str sentence = json_text(status, STR("sentence"));
    if (!sentence.n) return ERR_OK;
    Buf out = {0};
    text_clean(sentence, &out);
    buf_str_put(&out, STR("\n\n"));
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

static Err report(Client *c, int64_t id, const Json *status, const ManyOut *o) {
    const Json *error = json_get(status, STR("error")), *cases = list_in(status, STR("cases"));
    bool failed = str_eq(json_text(status, STR("state")), STR("failed"));
    if (failed)
        return tell(ERR_SIM_FAILED, "%.*s: %.*s", STR_ARG(json_text(status, STR("world"))),
                    STR_ARG(json_text(error, STR("message"))));
    bool some = cases->count && list_in(&cases->items[0], STR("kpis"))->count;
    TRY(many_sentence(status));
    if (some) TRY(o->pair && cases->count == 2 ? print_pair(c, cases) : print_long(cases));
    else hint("nothing is counted in this world: put KPIs to /kpis");
    note("%.*s: %.0f replications of each case, intervals of %.4g %%, %.2f s; ensemble %lld",
         STR_ARG(json_text(status, STR("state"))), number_in(status, STR("replications")),
         100 * number_in(status, STR("level")), number_in(status, STR("seconds")), (long long)id);
    if (some && !o->html.n) hint("with charts: sosia ensembles %lld --html report.html", (long long)id);
    return ERR_OK;
}

Err many_report(Client *c, int64_t id, const Json *status, const ManyOut *o) {
    bool failed = str_eq(json_text(status, STR("state")), STR("failed"));
    Err err = o->json ? say_json(status) : report(c, id, status, o);
    if (!err && !failed) err = write_file(c, id, "html", o->html, "report is");
    if (!err && !failed) err = write_file(c, id, "svg", o->svg, "charts are");
    return err ? err : failed ? ERR_SIM_FAILED : ERR_OK;
}

Err many_follow(Client *c, int64_t id, const ManyOut *o) {
    Json status;
    TRY(many_watch(c, id, o, &status));
    return many_report(c, id, &status, o);
}
