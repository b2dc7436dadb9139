// SPDX-License-Identifier: Apache-2.0
// What-ifs: which there are, and running one: two worlds of one instant, one of them with the changes, side by side.
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/time.h"
#include "cli/list.h"
#include "cli/many.h"
#include "cli/term.h"

#define LOOK_MIN_NS INT64_C(10000000) // between two looks: short runs are seen to end soon
#define LOOK_MAX_NS INT64_C(150000000)
#define DRAW_EVERY_NS INT64_C(100000000)
#define BAR_WIDTH 20

typedef struct WhatifOptions {
    Common common;
    Str html, name;
    bool keep, alone, quiet;
    int64_t replications;
} WhatifOptions;

static const Opt opts[] = {
    OPT(WhatifOptions, html, OPT_STR, 0, "html", "FILE", "write the comparison as a page with charts, too"),
    OPT(WhatifOptions, keep, OPT_FLAG, 'k', "keep", NULL, "new worlds beside those of the time before"),
    OPT(WhatifOptions, name, OPT_STR, 'n', "name", "WORLD", "call the changed world so"),
    OPT(WhatifOptions, alone, OPT_FLAG, 0, "no-baseline", NULL, "only the changed world, nothing to compare with"),
    OPT_RANGE(WhatifOptions, replications, "replications", "N",
              "so many of both by other chances, with intervals; no worlds are made", 1, 1000000),
    OPT(WhatifOptions, quiet, OPT_FLAG, 'q', "quiet", NULL, "no progress lines"),
    OPT_END,
};

static double number_in(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && json_is_number(m) ? json_f64(m) : 0;
}

// ---- the list -----------------------------------------------------------------------------------------------------

static const Column list_columns[] = {
    {"What-if", false, true},
    {"For", false, true},
    {"Changes", true, true},
    {"What", false, false},
};

static void put_whatif(Table *t, Client *c, const Json *item) {
    const Json *changes = json_get(item, STR("changes"));
    Str title = json_text(item, STR("title"));
    (void)c;
    table_put(t, STYLE_PLAIN, json_text(item, STR("name")));
    table_put(t, STYLE_PLAIN, json_text(item, STR("for")));
    table_printf(t, STYLE_PLAIN, "%d", changes && changes->type == JSON_ARRAY ? changes->count : 0);
    table_put(t, STYLE_PLAIN, title.n ? title : json_text(item, STR("about")));
}

static const List whatifs = {
    .columns = list_columns,
    .column_count = 4,
    .put = put_whatif,
    .none = "no what-if is defined here; docs/worlds.md tells how one is",
};

static Err list(Client *c, bool json) {
    Json doc;
    TRY(list_say(&whatifs, c, client_path(c, "/whatifs", NULL), json, &doc));
    const Json *all = json_get(&doc, STR("value"));
    if (all && all->count) hint("run one: sosia whatif %.*s", STR_ARG(json_text(&all->items[0], STR("name"))));
    return ERR_OK;
}

// ---- two runs -----------------------------------------------------------------------------------------------------

typedef struct Pair {
    Arena keep;
    Str world[2]; // changed, baseline ("": none)
    int count;
    double done[2], left[2];
    Str state[2], now[2], until[2], why[2];
    int64_t drawn_ns;
    bool on;   // progress is shown
    int lines; // that stand on the screen
} Pair;

static bool at_work(Str s) { return str_eq(s, STR("running")) || str_eq(s, STR("starting")); }

static Err look(Client *c, Pair *p) {
    Json status;
    for (int i = 0; i < p->count; i++) {
        if (p->state[i].n && !at_work(p->state[i])) continue;
        client_reset(c);
        Err err = client_call(c, &(Call){.path = client_path(c, "//worlds/{}/run", &p->world[i])});
        if (err) return term_interrupted() ? err : client_tell(c, err);
        TRY(client_json(c, &status));
        const Json *error = json_get(&status, STR("error"));
        p->state[i] = arena_str(&p->keep, json_text(&status, STR("state")));
        p->now[i] = arena_str(&p->keep, json_text(&status, STR("now")));
        p->until[i] = arena_str(&p->keep, json_text(&status, STR("until")));
        if (error) p->why[i] = arena_str(&p->keep, json_text(error, STR("message")));
        p->done[i] = number_in(&status, STR("progress"));
        p->left[i] = number_in(&status, STR("secondsLeft"));
    }
    return ERR_OK;
}

static bool both_ended(const Pair *p) {
    for (int i = 0; i < p->count; i++)
        if (at_work(p->state[i])) return false;
    return true;
}

static void put_bar(const Pair *p, int i, int width, Buf *b) {
    int full = (int)(p->done[i] * BAR_WIDTH);
    buf_printf(b, "%-*.*s ", width, STR_ARG(p->world[i]));
    for (int k = 0; k < BAR_WIDTH; k++) buf_str_put(b, k < full ? STR("█") : STR("░"));
    buf_printf(b, " %3d %%", (int)(p->done[i] * 100));
    if (at_work(p->state[i]) && p->left[i] > 0) {
        buf_str_put(b, STR("  "));
        text_clock((int64_t)(p->left[i] * 1e9), b);
        buf_str_put(b, STR(" left"));
    } else if (!at_work(p->state[i])) buf_printf(b, "  %.*s", STR_ARG(p->state[i]));
}

static void wipe(Pair *p, Buf *b) {
    if (p->lines > 1) buf_printf(b, "\x1b[%dA", p->lines - 1);
    buf_str_put(b, STR("\r\x1b[J"));
    p->lines = 0;
}

static void draw(Pair *p) {
    int64_t now = time_mono_ns();
    if (!p->on || now - p->drawn_ns < DRAW_EVERY_NS) return;
    p->drawn_ns = now;
    int32_t columns, rows;
    int width = 0;
    term_size(STDERR_FILENO, &columns, &rows);
    for (int i = 0; i < p->count; i++) width = p->world[i].n > width ? (int)p->world[i].n : width;
    Buf all = {0}, line = {0};
    wipe(p, &all);
    for (int i = 0; i < p->count; i++) {
        buf_reset(&line);
        put_bar(p, i, width, &line);
        if (i) buf_byte(&all, '\n');
        text_fit(buf_str(&line), columns - 1, &all);
    }
    p->lines = p->count;
    if (term_write(STDERR_FILENO, buf_str(&all)) != ERR_OK) p->on = false;
    buf_free(&all);
    buf_free(&line);
}

static void undraw(Pair *p) {
    Buf b = {0};
    if (p->on && p->lines) {
        wipe(p, &b);
        if (term_write(STDERR_FILENO, buf_str(&b)) != ERR_OK) p->on = false;
    }
    buf_free(&b);
}

static Err watch(Client *c, Pair *p) {
    int64_t wait = LOOK_MIN_NS;
    term_catch_signals();
    Err err = look(c, p);
    while (!err && !both_ended(p) && !term_interrupted()) {
        draw(p);
        (void)!term_sleep(wait);
        wait = wait * 2 < LOOK_MAX_NS ? wait * 2 : LOOK_MAX_NS;
        err = look(c, p);
    }
    undraw(p);
    return err;
}

// Ctrl-C: both stand where they are, and it is said how to go on.
static Err stand(Client *c, Pair *p) {
    term_forget_interrupt();
    for (int i = 0; i < p->count; i++) {
        client_reset(c);
        TRY(client_do(c, &(Call){.method = "POST", .path = client_path(c, "//worlds/{}/pause", &p->world[i])}));
    }
    for (int i = 0; i < p->count; i++) p->state[i] = STR("running"); // look again at both
    TRY(look(c, p));
    for (int i = 0; i < p->count; i++)
        note("%.*s stands at %.*s, %d %% of its way to %.*s", STR_ARG(p->world[i]), STR_ARG(p->now[i]),
             (int)(p->done[i] * 100), STR_ARG(p->until[i]));
    for (int i = 0; i < p->count; i++)
        hint("go on: sosia worlds run %.*s --until %.*s; drop: sosia worlds drop %.*s", STR_ARG(p->world[i]),
             STR_ARG(p->until[i]), STR_ARG(p->world[i]));
    return ERR_CLOSED;
}

static Err failure(const Pair *p) {
    Err err = ERR_OK;
    for (int i = 0; i < p->count; i++) {
        if (!p->why[i].n) continue;
        err = tell(ERR_SIM_FAILED, "%.*s stopped at %.*s: %.*s", STR_ARG(p->world[i]), STR_ARG(p->now[i]),
                   STR_ARG(p->why[i]));
        hint("look at it: sosia get ID --world %.*s", STR_ARG(p->world[i]));
    }
    return err;
}

// Somebody paused a run meanwhile: its figures are those of another length of time.
static void tell_standing(const Pair *p) {
    for (int i = 0; i < p->count; i++) {
        if (str_eq(p->state[i], STR("done"))) continue;
        note("%.*s stands at %.*s, %d %% of its way: the figures are of what ran so far", STR_ARG(p->world[i]),
             STR_ARG(p->now[i]), (int)(p->done[i] * 100));
        hint("go on: sosia worlds run %.*s --until %.*s", STR_ARG(p->world[i]), STR_ARG(p->until[i]));
    }
}

// ---- the comparison -----------------------------------------------------------------------------------------------

static const Column columns[] = {
    {"KPI", false, true},    {"Without", true, false}, {"With", true, false},
    {"Change", true, false}, {"Unit", false, false},   {"", false, false},
};

static const Json *number_of(const Json *v, Str key) {
    const Json *m = v ? json_get(v, key) : NULL;
    return m && json_is_number(m) ? m : NULL;
}

static void put_number(Table *t, const Json *v) {
    Buf b = {0};
    double x = v ? json_f64(v) : 0;
    if (x < 1e-9 && x > -1e-9) x = 0;
    if (v && (x >= 1000 || x <= -1000) && x < 1e15 && x > -1e15) text_count((int64_t)(x < 0 ? x - 0.5 : x + 0.5), &b);
    else if (v) buf_printf(&b, "%.4g", x);
    table_put(t, STYLE_PLAIN, buf_str(&b));
    buf_free(&b);
}

static void put_verdict(Table *t, Str verdict) {
    bool better = str_eq(verdict, STR("better")), worse = str_eq(verdict, STR("worse"));
    table_put(t, better ? STYLE_GREEN : worse ? STYLE_RED : STYLE_PLAIN, better || worse ? verdict : (Str){0});
}

// In percent, where that says something: of a temperature it does not. Percentages differ by points.
static void put_change(Table *t, const Json *difference, const Json *relative, Str symbol) {
    double by = difference ? json_f64(difference) : 0;
    if (by == 0) table_put(t, STYLE_PLAIN, (Str){0});
    else if (str_eq(symbol, STR("%"))) table_printf(t, STYLE_PLAIN, "%+.3g points", by);
    else if (relative && !str_starts(symbol, STR("°")))
        table_printf(t, STYLE_PLAIN, "%+.1f %%", 100 * json_f64(relative));
    else table_printf(t, STYLE_PLAIN, "%+.4g", by);
}

static void put_row(Table *t, const Json *kpi, const Json *base, const Json *changed) {
    Str title = json_text(kpi, STR("title")), symbol = json_text(kpi, STR("symbol"));
    const Json *relative = number_of(changed, STR("relative"));
    table_put(t, STYLE_PLAIN, title.n ? title : json_text(kpi, STR("name")));
    put_number(t, number_of(base, STR("value")));
    put_number(t, number_of(changed, STR("value")));
    put_change(t, number_of(changed, STR("difference")), relative, symbol);
    table_put(t, STYLE_PLAIN, symbol.n ? symbol : json_text(kpi, STR("unit")));
    put_verdict(t, json_text(changed, STR("verdict")));
}

static void put_kpi(Table *t, const Json *kpi) {
    const Json *values = json_get(kpi, STR("values"));
    bool both = values && values->type == JSON_ARRAY && values->count == 2;
    if (both) put_row(t, kpi, &values->items[0], &values->items[1]);
}

// What came of both, side by side. list: KPIs with their values by world, the baseline's first. names: of those that
// the what-if names, in its order, separated by commas; "": all.
static Err say_comparison(const Json *list, Str names) {
    Table t;
    table_init(&t, columns, 6);
    for (int32_t i = 0; !names.n && i < list->count; i++) put_kpi(&t, &list->items[i]);
    while (names.n) {
        Str name = str_cut(&names, ',');
        for (int32_t i = 0; i < list->count; i++)
            if (str_eq(json_text(&list->items[i], STR("name")), name)) put_kpi(&t, &list->items[i]);
    }
    Err err = table_rows(&t) ? say_table(&t) : ERR_OK;
    table_free(&t);
    return err;
}

static const Column alone_columns[] = {{"KPI", false, true}, {"Value", true, false}, {"Unit", false, false}};

// Of the changed world alone.
static Err say_alone(const Json *list) {
    Table t;
    table_init(&t, alone_columns, 3);
    for (int32_t i = 0; i < list->count; i++) {
        const Json *kpi = &list->items[i];
        Str title = json_text(kpi, STR("title")), symbol = json_text(kpi, STR("symbol"));
        table_put(&t, STYLE_PLAIN, title.n ? title : json_text(kpi, STR("name")));
        put_number(&t, number_of(kpi, STR("value")));
        table_put(&t, STYLE_PLAIN, symbol.n ? symbol : json_text(kpi, STR("unit")));
    }
    Err err = table_rows(&t) ? say_table(&t) : ERR_OK;
    table_free(&t);
    return err;
}

// Fetch /compare... into a file, or the client's body.
static Err fetch(Client *c, Str path, const char *more) {
    client_reset(c);
    Str pattern = arena_printf(&c->keep, "/%.*s%s", STR_ARG(path), more);
    return client_do(c, &(Call){.path = client_path(c, pattern.p, NULL)});
}

static Err write_html(Client *c, const WhatifOptions *o, Str path) {
    TRY(fetch(c, path, "&format=html"));
    char name[4096];
    snprintf(name, sizeof name, "%.*s", STR_ARG(o->html));
    FILE *f = fopen(name, "w");
    bool ok = f && fwrite(c->body.p, 1, (size_t)c->body.n, f) == (size_t)c->body.n;
    if (f && fclose(f)) ok = false;
    if (!ok) return tell(ERR_IO, "cannot write %s", name);
    note("the comparison is in %s", name);
    return ERR_OK;
}

static Err compare(Client *c, const Pair *p, Str path) {
    Json doc;
    if (path.n) {
        TRY(fetch(c, path, "&points=1"));
    } else {
        client_reset(c);
        TRY(client_do(c, &(Call){.path = client_path(c, "//worlds/{}/kpis", &p->world[0])}));
    }
    TRY(client_json(c, &doc));
    const Json *list = json_get(&doc, STR("kpis"));
    if (!list || list->type != JSON_ARRAY) return tell(ERR_SYNTAX, "the answer holds no KPIs");
    Str names = path;
    (void)str_cut(&names, '&'); // worlds=A,B
    (void)str_cut(&names, '='); // kpis
    if (path.n) TRY(many_sentence(&doc));
    return path.n ? say_comparison(list, names) : say_alone(list);
}

// {"world","baseline","states":{...},"compare":{...}}
static Err say_json(Client *c, const Pair *p, Str path) {
    Buf out = {0};
    buf_str_put(&out, STR("{\"world\":"));
    json_put_str(&out, p->world[0]);
    if (p->count > 1) {
        buf_str_put(&out, STR(",\"baseline\":"));
        json_put_str(&out, p->world[1]);
    }
    buf_str_put(&out, STR(",\"states\":{"));
    for (int i = 0; i < p->count; i++) {
        if (i) buf_byte(&out, ',');
        json_put_str(&out, p->world[i]);
        buf_byte(&out, ':');
        json_put_str(&out, p->state[i]);
    }
    buf_byte(&out, '}');
    Err err = path.n && both_ended(p) ? fetch(c, path, "") : ERR_OK;
    if (!err && path.n && both_ended(p)) {
        buf_str_put(&out, STR(",\"compare\":"));
        buf_str_put(&out, buf_str(&c->body));
    }
    buf_str_put(&out, STR("}\n"));
    if (!err) err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

static void tell_worlds(const Pair *p, const WhatifOptions *o) {
    Str w = p->world[0];
    note("%.*s is a world of its own%s%.*s", STR_ARG(w), p->count > 1 ? ", as is " : "",
         STR_ARG(p->count > 1 ? p->world[1] : (Str){0}));
    hint("what the changes did: sosia worlds diff %.*s", STR_ARG(w));
    hint("look at a twin: sosia get ID --world %.*s; take values over: sosia worlds merge %.*s ID/PROPERTY", STR_ARG(w),
         STR_ARG(w));
    if (o->keep || o->name.n) hint("it stays until it is dropped: sosia worlds drop %.*s", STR_ARG(w));
    else hint("the next run of this what-if takes its place; --keep makes new ones beside it");
    if (p->count > 1) hint("where there is chance this is one of many: --replications 100 tells how sure one may be");
}

// ---- the command --------------------------------------------------------------------------------------------------

static Err begin(Client *c, const WhatifOptions *o, Str name, Pair *p, Str *path) {
    Buf body = {0};
    Json answer;
    buf_printf(&body, "{\"baseline\":%s,\"again\":%s", o->alone ? "false" : "true", o->keep ? "false" : "true");
    if (o->name.n) {
        buf_str_put(&body, STR(",\"name\":"));
        json_put_str(&body, o->name);
    }
    buf_byte(&body, '}');
    Call call = {.method = "POST", .path = client_path(c, "/whatifs/{}/run", &name), .body = buf_str(&body)};
    Err err = client_do(c, &call);
    buf_free(&body);
    TRY(err);
    TRY(client_json(c, &answer));
    p->world[0] = arena_str(&p->keep, json_text(&answer, STR("world")));
    p->world[1] = arena_str(&p->keep, json_text(&answer, STR("baseline")));
    p->count = p->world[1].n ? 2 : 1;
    *path = arena_str(&p->keep, json_text(&answer, STR("compare")));
    return ERR_OK;
}

static Err try_it(Client *c, const WhatifOptions *o, Str name, Pair *p) {
    Str path;
    TRY(begin(c, o, name, p, &path));
    p->on = !o->quiet && !o->common.json && term_is_tty(STDERR_FILENO);
    Err err = watch(c, p);
    if (term_interrupted()) return stand(c, p);
    TRY(err);
    TRY(failure(p));
    if (o->html.n && path.n) TRY(write_html(c, o, path));
    if (o->common.json) return say_json(c, p, path);
    TRY(compare(c, p, path));
    tell_standing(p);
    tell_worlds(p, o);
    return ERR_OK;
}

// Both many times over: nothing is left but the ensemble.
static Err try_many(Client *c, const WhatifOptions *o, Str name) {
    Json begun;
    int64_t id;
    Str body = arena_printf(&c->keep, "{\"replications\":%lld}", (long long)o->replications);
    TRY(client_do(c, &(Call){.method = "POST", .path = client_path(c, "/whatifs/{}/run", &name), .body = body}));
    TRY(client_json(c, &begun));
    TRY(many_id(&begun, "ensemble", &id));
    return many_follow(c, id, &(ManyOut){.html = o->html, .json = o->common.json, .quiet = o->quiet, .pair = true});
}

static Err run(void *fields, const Args *args) {
    const WhatifOptions *o = fields;
    Client c = {0};
    Pair p = {.count = 0};
    arena_init(&p.keep, 4096);
    Err err = client_open(&c, &o->common);
    if (!err && o->html.n && o->alone) err = tell(ERR_ARGUMENT, "--html compares two worlds: not with --no-baseline");
    if (!err && o->replications && (o->alone || o->keep || o->name.n))
        err = tell(ERR_ARGUMENT, "--replications makes no worlds: not with --no-baseline, --keep or --name");
    if (!err && !args->count) err = list(&c, o->common.json);
    else if (!err) err = o->replications ? try_many(&c, o, args->items[0]) : try_it(&c, o, args->items[0], &p);
    client_close(&c);
    arena_free(&p.keep);
    return err;
}

const Command cmd_whatif = {
    .name = "whatif",
    .arguments = "[NAME]",
    .summary = "run a what-if: two worlds, one of them changed, compared",
    .about =
        "Without a name: which what-ifs there are. With one: forks the world twice at one instant, lets both run as\n"
        "far as the what-if says, one of them with its changes, and compares what came of it. Both stay as worlds\n"
        "until the next run of the same what-if. Ctrl-C has both stand where they are.\n"
        "One run is one chance: with --replications both are run many times over, and the differences have intervals.",
    .examples = "  sosia whatif\n"
                "  sosia whatif demand-up\n"
                "  sosia whatif feeder-trips --html report.html\n"
                "  sosia whatif demand-up --replications 100",
    .opts = opts,
    .size = sizeof(WhatifOptions),
    .client = true,
    .args_max = 1,
    .run = run,
};
