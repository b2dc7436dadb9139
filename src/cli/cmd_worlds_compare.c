// SPDX-License-Identifier: Apache-2.0
// Runs of worlds side by side, as a table, a page or charts.
#include <math.h>
#include <stdio.h>
#include "cli/many.h"
#include "cli/term.h"

#define COLUMNS_EACH 3 // of a world that is compared with the first

typedef struct CompareOptions {
    Common common;
    StrList kpis;
    Str html, svg, length;
    int64_t replications;
    bool quiet;
} CompareOptions;

static const Opt compare_opts[] = {
    OPT(CompareOptions, kpis, OPT_LIST, 'k', "kpi", "NAME", "only this KPI; may be given again"),
    OPT_RANGE(CompareOptions, replications, "replications", "N",
              "run each so many times over, by the same chances, for intervals", 1, 1000000),
    OPT(CompareOptions, length, OPT_STR, 'f', "for", "TIME",
        "how long, with --replications (as long as the first ran)"),
    OPT(CompareOptions, quiet, OPT_FLAG, 'q', "quiet", NULL, "no progress line"),
    OPT(CompareOptions, html, OPT_STR, 0, "html", "FILE", "write it as a page with charts (\"-\": stdout)"),
    OPT(CompareOptions, svg, OPT_STR, 0, "svg", "FILE", "write the charts alone (\"-\": stdout)"),
    OPT_END,
};

// ---- the request --------------------------------------------------------------------------------------------------

static void join(Buf *b, const Str *items, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        if (i) buf_byte(b, ',');
        url_escape(items[i], b);
    }
}

static Err fetch(Client *c, const CompareOptions *o, const Args *worlds, const char *format) {
    Buf path = {0};
    client_reset(c);
    buf_str_put(&path, client_path(c, "//compare", NULL));
    buf_str_put(&path, STR("&worlds="));
    join(&path, worlds->items, worlds->count);
    if (o->kpis.count) buf_str_put(&path, STR("&kpis="));
    join(&path, o->kpis.items, o->kpis.count);
    buf_printf(&path, "&format=%s", format);
    Err err = client_do(c, &(Call){.path = buf_str(&path)});
    buf_free(&path);
    return err;
}

static Err write_file(Client *c, Str name, const char *what) {
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

// ---- the table ----------------------------------------------------------------------------------------------------

static const Json *list_in(const Json *v, Str key) {
    static const Json none = {.type = JSON_ARRAY};
    const Json *m = json_get(v, key);
    return m && m->type == JSON_ARRAY ? m : &none;
}

static double number_in(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && json_is_number(m) ? json_f64(m) : (double)NAN;
}

static void put_number(Table *t, double v, bool sign) {
    Buf b = {0};
    double size = fabs(v);
    if (!(v == v)) buf_byte(&b, '-');
    else if (size >= 99999.5 && size < 1e15) {
        if (sign && v > 0) buf_byte(&b, '+');
        if (v < 0) buf_byte(&b, '-');
        text_count((int64_t)(size + 0.5), &b);
    } else buf_printf(&b, sign && v != 0 ? "%+.5g" : "%.5g", v);
    table_put(t, STYLE_PLAIN, buf_str(&b));
    buf_free(&b);
}

// Percentages differ by points: a part of a percentage says something else.
static void put_verdict(Table *t, const Json *cell, bool points) {
    Str verdict = json_text(cell, STR("verdict"));
    double by = number_in(cell, STR("difference")), part = number_in(cell, STR("relative"));
    bool better = str_eq(verdict, STR("better")), worse = str_eq(verdict, STR("worse"));
    Style style = better ? STYLE_GREEN : worse ? STYLE_RED : STYLE_DIM;
    const char *arrow = by > 0 ? "\xE2\x86\x91" : by < 0 ? "\xE2\x86\x93" : "=";
    Buf b = {0};
    if (by == by) buf_printf(&b, "%s", arrow);
    if (points && by == by && by != 0) buf_printf(&b, " %+.3g points", by);
    else if (part == part && by != 0) buf_printf(&b, " %+.1f %%", 100 * part);
    if (better || worse) buf_printf(&b, " %.*s", STR_ARG(verdict));
    table_put(t, style, buf_str(&b));
    buf_free(&b);
}

static void put_row(Table *t, const Json *kpi) {
    const Json *cells = list_in(kpi, STR("values"));
    Str title = json_text(kpi, STR("title")), symbol = json_text(kpi, STR("symbol"));
    table_put(t, STYLE_BOLD, title.n ? title : json_text(kpi, STR("name")));
    for (int32_t i = 0; i < cells->count; i++) {
        put_number(t, number_in(&cells->items[i], STR("value")), false);
        if (!i) continue;
        put_number(t, number_in(&cells->items[i], STR("difference")), true);
        put_verdict(t, &cells->items[i], str_eq(symbol, STR("%")));
    }
    table_put(t, STYLE_DIM, symbol.n ? symbol : json_text(kpi, STR("unit")));
}

static const char *kept(Client *c, Str s) { return arena_printf(&c->keep, "%.*s", STR_ARG(s)).p; }

static Err print_table(Client *c, const Json *doc) {
    Column columns[TABLE_COLUMNS_MAX] = {{"KPI", false, true}};
    const Json *worlds = list_in(doc, STR("worlds")), *kpis = list_in(doc, STR("kpis"));
    int32_t n = 1;
    if (!kpis->count) return ERR_OK;
    for (int32_t i = 0; i < worlds->count && n + COLUMNS_EACH < TABLE_COLUMNS_MAX; i++) {
        columns[n++] = (Column){kept(c, json_text(&worlds->items[i], STR("name"))), true, false};
        if (!i) continue;
        columns[n++] = (Column){"Difference", true, false};
        columns[n++] = (Column){"", false, false};
    }
    columns[n++] = (Column){"Unit", false, false};
    Table t;
    table_init(&t, columns, n);
    for (int32_t i = 0; i < kpis->count; i++) put_row(&t, &kpis->items[i]);
    Err err = say_table(&t);
    table_free(&t);
    return err;
}

// What each world did otherwise, in a line.
static void tell_changes(const Json *world) {
    const Json *changes = list_in(world, STR("changes"));
    double all = number_in(world, STR("changeCount"));
    Buf b = {0};
    for (int32_t i = 0; i < changes->count && i < 5; i++) {
        if (i) buf_str_put(&b, STR("; "));
        buf_str_put(&b, changes->items[i].s);
    }
    if (all > 5) buf_printf(&b, " and %.0f more", all - 5);
    if (b.n) note("%.*s: %.*s", STR_ARG(json_text(world, STR("name"))), STR_ARG(buf_str(&b)));
    buf_free(&b);
}

static Err report(Client *c, const Args *worlds) {
    Json doc;
    TRY(client_json(c, &doc));
    TRY(many_sentence(&doc));
    TRY(print_table(c, &doc));
    const Json *all = list_in(&doc, STR("worlds")), *notes = list_in(&doc, STR("notes"));
    for (int32_t i = 0; i < all->count; i++) tell_changes(&all->items[i]);
    for (int32_t i = 0; i < notes->count; i++) note("%.*s", STR_ARG(notes->items[i].s));
    if (!list_in(&doc, STR("kpis"))->count) {
        note("there is nothing to compare: no KPI was counted");
        hint("say what to count: sosia define kpis NAME FILE; then run the worlds");
        return ERR_OK;
    }
    hint("with charts: sosia worlds compare %.*s %.*s --html compare.html", STR_ARG(worlds->items[0]),
         STR_ARG(worlds->items[1]));
    return ERR_OK;
}

static Err compare(Client *c, const CompareOptions *o, const Args *worlds) {
    if (o->html.n) {
        TRY(fetch(c, o, worlds, "html"));
        TRY(write_file(c, o->html, "comparison is"));
    }
    if (o->svg.n) {
        TRY(fetch(c, o, worlds, "svg"));
        TRY(write_file(c, o->svg, "charts are"));
    }
    if (!o->common.json && (o->html.n || o->svg.n)) return ERR_OK;
    TRY(fetch(c, o, worlds, "json"));
    if (!o->common.json) return report(c, worlds);
    return client_say(c);
}

// ---- many times over ----------------------------------------------------------------------------------------------

static void put_list(Buf *b, const char *name, const Str *items, int32_t n) {
    buf_printf(b, "\"%s\":[", name);
    for (int32_t i = 0; i < n; i++) {
        if (i) buf_byte(b, ',');
        json_put_str(b, items[i]);
    }
    buf_byte(b, ']');
}

static Err compare_many(Client *c, const CompareOptions *o, const Args *worlds) {
    Buf body = {0};
    Json begun;
    int64_t id;
    buf_printf(&body, "{\"replications\":%lld,", (long long)o->replications);
    put_list(&body, "worlds", worlds->items, worlds->count);
    if (o->kpis.count) {
        buf_byte(&body, ',');
        put_list(&body, "kpis", o->kpis.items, o->kpis.count);
    }
    if (o->length.n) {
        buf_printf(&body, ",\"for\":");
        json_put_str(&body, o->length);
    }
    buf_byte(&body, '}');
    Err err =
        client_do(c, &(Call){.method = "POST", .path = client_path(c, "//compare", NULL), .body = buf_str(&body)});
    buf_free(&body);
    TRY(err);
    TRY(client_json(c, &begun));
    TRY(many_id(&begun, "id", &id));
    return many_follow(
        c, id, &(ManyOut){.html = o->html, .svg = o->svg, .json = o->common.json, .quiet = o->quiet, .pair = true});
}

static Err run_compare(void *fields, const Args *args) {
    const CompareOptions *o = fields;
    Client c = {0};
    if (o->common.world.p) {
        tell(ERR_ARGUMENT, "worlds compare: --world has no meaning here");
        hint("name the worlds as arguments");
        return ERR_ARGUMENT;
    }
    Err err = client_open(&c, &o->common);
    if (!err) err = o->replications ? compare_many(&c, o, args) : compare(&c, o, args);
    client_close(&c);
    return err;
}

const Command cmd_worlds_compare = {
    .name = "worlds compare",
    .arguments = "WORLD WORLD...",
    .summary = "runs side by side: what each counted, against the first",
    .about =
        "KPIs (sosia kpis) are counted over every run of a world. Differences are those to the first world. With\n"
        "--html it is one page with a table and charts that needs nothing else, to look at or to send.\n"
        "With --replications each world is run many times over from where its run began, all by the same chances,\n"
        "and differences have intervals.",
    .examples = "  sosia worlds compare as-is night-shift\n"
                "  sosia worlds compare as-is night-shift third-line --kpi energy --kpi output\n"
                "  sosia worlds compare as-is night-shift --html compare.html",
    .opts = compare_opts,
    .size = sizeof(CompareOptions),
    .client = true,
    .args_min = 2,
    .args_max = 16,
    .run = run_compare,
};
