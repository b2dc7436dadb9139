// SPDX-License-Identifier: Apache-2.0
// What became of the items that a run follows, as a table or as the lines of the answer.
#include <stdio.h>
#include <string.h>
#include "cli/client.h"
#include "cli/term.h"
#include "cli/text.h"

typedef struct TraceWorld {
    Common common;
    Str twin, source, item;
    int64_t after, limit;
} TraceWorld;

static const Opt trace_opts[] = {
    OPT(TraceWorld, twin, OPT_STR, 't', "twin", "ID", "only what happened there"),
    OPT(TraceWorld, source, OPT_STR, 0, "source", "ID", "only items made there"),
    OPT(TraceWorld, item, OPT_STR, 'i', "item", "N", "only the item of that number"),
    OPT_RANGE(TraceWorld, limit, "limit", "N", "events at most (1000; with --json 100000)", 1, 100000),
    OPT_RANGE(TraceWorld, after, "after", "N", "events behind that number", 1, INT64_MAX),
    OPT_END,
};

static void param(Buf *path, const char *name, Str value) {
    if (!value.n) return;
    buf_printf(path, "&%s=", name);
    url_escape(value, path);
}

static Err fetch(Client *c, const TraceWorld *o, Str world) {
    Buf path = {0};
    buf_str_put(&path, client_path(c, "//worlds/{}/trace", &world));
    param(&path, "twin", o->twin);
    param(&path, "source", o->source);
    param(&path, "item", o->item);
    if (o->after) buf_printf(&path, "&after=%lld", (long long)o->after);
    int64_t limit = o->limit ? o->limit : o->common.json ? 100000 : 1000;
    buf_printf(&path, "&limit=%lld", (long long)limit);
    Err err = client_do(c, &(Call){.path = buf_str(&path)});
    buf_free(&path);
    return err;
}

// ---- a table --------------------------------------------------------------------------------------------------------

// "2026-11-23T04:00:10.5000000Z" without the zeros at its end.
static Str short_time(Str s) {
    if (s.n && s.p[s.n - 1] == 'Z') s.n--;
    if (!memchr(s.p, '.', (size_t)s.n)) return s;
    while (s.n && s.p[s.n - 1] == '0') s.n--;
    if (s.n && s.p[s.n - 1] == '.') s.n--;
    return s;
}

static Err put_line(Table *t, Str line) {
    Arena a;
    Json v;
    arena_init(&a, 1024);
    Err err = json_parse(line, NULL, &a, &v, NULL);
    if (!err) {
        const Json *item = json_get(&v, STR("item"));
        table_put(t, STYLE_PLAIN, short_time(json_text(&v, STR("time"))));
        table_put(t, STYLE_PLAIN, json_text(&v, STR("twin")));
        table_put(t, STYLE_PLAIN, json_text(&v, STR("what")));
        if (item && item->type == JSON_INT) table_printf(t, STYLE_PLAIN, "%lld", (long long)item->i);
        else table_put(t, STYLE_PLAIN, (Str){0});
        table_put(t, STYLE_PLAIN, json_text(&v, STR("source")));
    }
    arena_free(&a);
    return err;
}

static Err report(Client *c, const TraceWorld *o, Str world) {
    static const Column columns[] = {{"Time", false, false},
                                     {"Twin", false, true},
                                     {"What", false, false},
                                     {"Item", true, false},
                                     {"Source", false, true}};
    Str rest = buf_str(&c->body);
    Table t;
    Err err = ERR_OK;
    if (!rest.n) {
        note("nothing is followed in %.*s, or nothing of what was asked for", STR_ARG(world));
        hint("follow the first 100 items: sosia worlds run %.*s --for 8h --trace 100", STR_ARG(world));
        return ERR_OK;
    }
    table_init(&t, columns, 5);
    while (rest.n && !err) err = put_line(&t, str_cut(&rest, '\n'));
    if (err) err = tell(ERR_SYNTAX, "the answer holds a line that is no JSON");
    int64_t rows = table_rows(&t), limit = o->limit ? o->limit : 1000;
    if (!err) err = say_table(&t);
    table_free(&t);
    if (!err && rows == limit) note("there may be more: --limit N, or --after N for the next");
    return err;
}

static Err run_trace(void *fields, const Args *args) {
    const TraceWorld *o = fields;
    Client c = {0};
    if (o->common.world.p) {
        tell(ERR_ARGUMENT, "worlds: --world has no meaning here");
        hint("name the world as an argument");
        return ERR_ARGUMENT;
    }
    Err err = client_open(&c, &o->common);
    if (!err) err = fetch(&c, o, args->items[0]);
    if (!err) err = o->common.json ? say(buf_str(&c.body)) : report(&c, o, args->items[0]);
    client_close(&c);
    return err;
}

const Command cmd_worlds_trace = {
    .name = "worlds trace",
    .arguments = "WORLD",
    .summary = "what became of single items in a run that follows them",
    .about = "Parts, patients, orders: when each was made, entered a twin, was started, done, blocked, left, was lost\n"
             "or came out. With --json a JSON object a line. Have a run follow items with worlds run --trace N.",
    .examples = "  sosia worlds trace night-shift\n"
                "  sosia worlds trace night-shift --item 17 --source door\n"
                "  sosia worlds trace night-shift --twin triage --json > triage.ndjson",
    .opts = trace_opts,
    .size = sizeof(TraceWorld),
    .client = true,
    .args_min = 1,
    .args_max = 1,
    .run = run_trace,
};
