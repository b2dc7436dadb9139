// SPDX-License-Identifier: Apache-2.0
#include "cli/resource.h"

typedef struct Connections {
    Common common;
    int64_t seconds_ns, messages;
} Connections;

// A line of 80 columns has room for these and some of what is wrong.
static const ResourceColumn columns[] = {
    {{"Connection", false, true}, "/name"},          {{"State", false, false}, "/status/state"},
    {{"Messages", true, false}, "/status/messages"}, {{"Points", true, false}, "/status/accepted"},
    {{"Late", true, false}, "/status/late"},         {{"Rejected", true, false}, "/status/rejected"},
    {{"Errors", true, false}, "/status/errors"},     {{"Trouble", false, true}, "/status/trouble"},
};

static const Resource connections = {
    .noun = "connection",
    .folder = "//connections",
    .columns = columns,
    .column_count = (int32_t)(sizeof columns / sizeof *columns),
    .empty = "make one with: sosia connections put NAME FILE (docs/connections.md has examples)",
};

static const Opt no_opts[] = {OPT_END};
static const Opt test_opts[] = {
    OPT(Connections, seconds_ns, OPT_DURATION, 0, "for", "TIME", "listen at most this long (5s)"),
    OPT_RANGE(Connections, messages, "messages", "N", "stop after N messages (10)", 1, 100),
    OPT_END,
};

static Err run_list(void *fields, const Args *args) {
    (void)args;
    return resource_list(&connections, &((Connections *)fields)->common);
}

static Err run_show(void *fields, const Args *args) {
    return resource_show(&connections, fields, args->items[0], args->count > 1 ? args->items[1] : (Str){0});
}

static Err run_put(void *fields, const Args *args) {
    return resource_put(&connections, fields, args->items[0], args->items[1]);
}

static Err run_pause(void *fields, const Args *args) {
    return resource_do(&connections, fields, args->items[0], STR("pause"), (Str){0}, "is paused");
}

static Err run_resume(void *fields, const Args *args) {
    return resource_do(&connections, fields, args->items[0], STR("resume"), (Str){0}, "goes on");
}

static Err run_remove(void *fields, const Args *args) { return resource_remove(&connections, fields, args); }

// ---- test: what messages would become -----------------------------------------------------------------------------

static Str text_of(const Json *v, Arena *arena) {
    if (!v) return (Str){0};
    if (v->type == JSON_STRING) return v->s;
    Buf b = {0};
    json_put(&b, v);
    Str s = arena_str(arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static void put_points(Table *t, Arena *a, Str topic, const Json *message) {
    const Json *points = json_get(message, STR("points")), *error = json_get(message, STR("error"));
    int32_t n = points && points->type == JSON_ARRAY ? points->count : 0;
    if (error && error->type == JSON_NULL) error = NULL;
    for (int32_t i = 0; i < n; i++) {
        table_put(t, STYLE_PLAIN, i ? (Str){0} : topic);
        table_put(t, STYLE_CYAN, text_of(json_get(&points->items[i], STR("twin")), a));
        table_put(t, STYLE_PLAIN, text_of(json_get(&points->items[i], STR("property")), a));
        const Json *refused = json_get(&points->items[i], STR("error"));
        table_put(t, refused ? STYLE_RED : STYLE_PLAIN,
                  text_of(refused ? refused : json_get(&points->items[i], STR("value")), a));
        table_put(t, STYLE_DIM, text_of(json_get(&points->items[i], STR("time")), a));
    }
    if (n && !error) return;
    table_put(t, STYLE_PLAIN, n ? (Str){0} : topic);
    table_put(t, error ? STYLE_RED : STYLE_DIM, error ? text_of(error, a) : STR("nothing"));
    for (int i = 0; i < 3; i++) table_put(t, STYLE_PLAIN, (Str){0});
}

static Err print_test(Client *c, const Json *list) {
    static const Column cols[] = {{"Topic", false, true},
                                  {"Twin", false, true},
                                  {"Property", false, false},
                                  {"Value", true, true},
                                  {"Time", false, false}};
    if (list->type != JSON_ARRAY || !list->count) {
        note("no message came");
        hint("is the topic right, and does anything publish there? listen longer with --for 30s");
        return ERR_OK;
    }
    Table t;
    table_init(&t, cols, 5);
    for (int32_t i = 0; i < list->count; i++)
        put_points(&t, &c->keep, text_of(json_get(&list->items[i], STR("topic")), &c->keep), &list->items[i]);
    Err err = say_table(&t);
    table_free(&t);
    return err;
}

static Err test(Client *c, const Connections *o, Str name, Str body) {
    int64_t ms = (o->seconds_ns ? o->seconds_ns : 5000000000) / 1000000;
    Str path = client_path(c, "//connections/{}/test", &name);
    char mark = str_find(path, '?', 0) < 0 ? '?' : '&';
    path = arena_printf(&c->keep, "%.*s%cseconds=%.3f&messages=%lld", STR_ARG(path), mark, (double)ms / 1000,
                        (long long)(o->messages ? o->messages : 10));
    Json doc;
    TRY(client_do(c, &(Call){.method = "POST", .path = path, .body = body}));
    if (o->common.json) return client_say(c);
    TRY(client_json(c, &doc));
    const Json *list = doc.type == JSON_ARRAY ? &doc : json_get(&doc, STR("messages"));
    return list ? print_test(c, list) : tell(ERR_SYNTAX, "the answer holds no list");
}

static Err run_test(void *fields, const Args *args) {
    const Connections *o = fields;
    Buf body = {0};
    Client c = {0};
    Err err = args->count > 1 ? read_file(args->items[1], 1 << 20, &body) : ERR_OK;
    if (err == ERR_OK) err = client_open(&c, &o->common);
    if (err == ERR_OK) err = test(&c, o, args->items[0], buf_str(&body));
    client_close(&c);
    buf_free(&body);
    return err;
}

// ---- the commands -------------------------------------------------------------------------------------------------

#define CONNECTIONS(least, most, function)                                                                             \
    .size = sizeof(Connections), .client = true, .args_min = least, .args_max = most, .run = function

const Command cmd_connections_list = {
    .heading = "Sensors in, events out",
    .name = "connections list",
    .arguments = "",
    .summary = "brokers and other sources, and how they are doing",
    .examples = "  sosia connections\n  sosia connections list --json",
    .opts = no_opts,
    CONNECTIONS(0, 0, run_list),
};

const Command cmd_connections_show = {
    .name = "connections show",
    .arguments = "NAME [errors|messages]",
    .summary = "one connection; its last errors or messages",
    .examples = "  sosia connections show plant\n  sosia connections show plant errors",
    .opts = no_opts,
    CONNECTIONS(1, 2, run_show),
};

const Command cmd_connections_put = {
    .name = "connections put",
    .arguments = "NAME FILE",
    .summary = "make a connection, or change it",
    .about = "FILE holds the connection as JSON, \"-\" is standard input. Passwords and keys in it can be written but\n"
             "never read back; a later put that leaves them out keeps them.",
    .examples = "  sosia connections put plant plant.json\n"
                "  echo '{\"kind\":\"mqtt\",\"url\":\"mqtt://127.0.0.1\",\"subscriptions\":[\n"
                "    {\"topic\":\"plant/{twin}/{property}\",\"qos\":1}]}' | sosia connections put plant -",
    .opts = no_opts,
    CONNECTIONS(2, 2, run_put),
};

const Command cmd_connections_test = {
    .name = "connections test",
    .arguments = "NAME [FILE]",
    .summary = "show messages and what they would become; changes nothing",
    .about = "Without FILE the stored connection is tried, with FILE a document that is not stored yet.",
    .examples = "  sosia connections test plant\n  sosia connections test plant new.json --for 30s",
    .opts = test_opts,
    CONNECTIONS(1, 2, run_test),
};

const Command cmd_connections_pause = {
    .name = "connections pause",
    .arguments = "NAME",
    .summary = "stop reading from a connection; a persistent broker keeps what comes",
    .examples = "  sosia connections pause plant",
    .opts = no_opts,
    CONNECTIONS(1, 1, run_pause),
};

const Command cmd_connections_resume = {
    .name = "connections resume",
    .arguments = "NAME",
    .summary = "go on reading",
    .examples = "  sosia connections resume plant",
    .opts = no_opts,
    CONNECTIONS(1, 1, run_resume),
};

const Command cmd_connections_rm = {
    .name = "connections rm",
    .arguments = "NAME...",
    .summary = "stop connections and forget them with their secrets",
    .examples = "  sosia connections rm plant",
    .opts = no_opts,
    CONNECTIONS(1, STR_LIST_MAX, run_remove),
};
