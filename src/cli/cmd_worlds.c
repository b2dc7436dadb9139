// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

typedef struct Worlds {
    Common common;
    Str from, purpose, until;
    int64_t seed;
} Worlds;

static const Opt no_opts[] = {OPT_END};
static const Opt fork_opts[] = {
    OPT(Worlds, from, OPT_STR, 'f', "from", "WORLD", "the world to copy (live), or an instant of it: live@-1h"),
    OPT(Worlds, purpose, OPT_STR, 0, "purpose", "TEXT", "what it is for"),
    OPT(Worlds, until, OPT_STR, 0, "until", "INSTANT", "how far it is to be run"),
    OPT_RANGE(Worlds, seed, "seed", "N", "of its random numbers", 1, INT64_MAX),
    OPT_END,
};

static const Column columns[] = {
    {"World", false, true},     {"Parent", false, false},       {"Sequence", true, false},
    {"Twins", true, false},     {"Relationships", true, false}, {"Batches", true, false},
    {"Own bytes", true, false}, {"Forked from", false, false},  {"Purpose", false, false},
};

static void put_number(Table *t, const Json *world, Str key) {
    const Json *v = json_get(world, key);
    Buf b = {0};
    if (v && v->type == JSON_INT) text_count(v->i, &b);
    table_put(t, STYLE_PLAIN, buf_str(&b));
    buf_free(&b);
}

static void put_text(Table *t, const Json *world, Str key) {
    const Json *v = json_get(world, key);
    table_put(t, STYLE_PLAIN, v && v->type == JSON_STRING ? v->s : (Str){0});
}

static Err print_worlds(const Json *list) {
    Table t;
    table_init(&t, columns, (int32_t)(sizeof columns / sizeof *columns));
    for (int32_t i = 0; i < list->count; i++) {
        const Json *w = &list->items[i];
        put_text(&t, w, STR("name"));
        put_text(&t, w, STR("parent"));
        put_number(&t, w, STR("sequence"));
        put_number(&t, w, STR("twins"));
        put_number(&t, w, STR("relationships"));
        put_number(&t, w, STR("batches"));
        put_number(&t, w, STR("ownBytes"));
        put_text(&t, w, STR("forkedFrom"));
        put_text(&t, w, STR("purpose"));
    }
    Err err = say_table(&t);
    table_free(&t);
    return err;
}

// These commands work on the set of worlds, not inside one: a --world would be ignored, so it is refused.
static Err open_client(Client *c, const Worlds *w, const char *instead) {
    if (!w->common.world.p) return client_open(c, &w->common);
    tell(ERR_ARGUMENT, "worlds: --world has no meaning here");
    hint("%s", instead);
    return ERR_ARGUMENT;
}

static Err list_worlds(Client *c, bool json) {
    Json doc;
    TRY(client_do(c, &(Call){.path = client_path(c, "//worlds", NULL)}));
    if (json) return client_say(c);
    TRY(client_json(c, &doc));
    const Json *list = doc.type == JSON_ARRAY ? &doc : json_get(&doc, STR("value"));
    return list && list->type == JSON_ARRAY ? print_worlds(list) : tell(ERR_SYNTAX, "the answer holds no list");
}

static Err run_list(void *fields, const Args *args) {
    (void)args;
    const Worlds *w = fields;
    Client c = {0};
    Err err = open_client(&c, w, "all of them are listed");
    if (err == ERR_OK) err = list_worlds(&c, w->common.json);
    client_close(&c);
    return err;
}

static void put_option(Buf *body, const char *key, Str value) {
    if (!value.n) return;
    buf_str_put(body, str_of(key));
    json_put_str(body, value);
}

static Err fork_world(Client *c, const Worlds *w, Str name) {
    Buf body = {0};
    buf_str_put(&body, STR("{\"name\":"));
    json_put_str(&body, name);
    buf_str_put(&body, STR(",\"from\":"));
    json_put_str(&body, w->from.n ? w->from : STR("live"));
    put_option(&body, ",\"purpose\":", w->purpose);
    put_option(&body, ",\"until\":", w->until);
    if (w->seed > 0) buf_printf(&body, ",\"seed\":%lld", (long long)w->seed);
    buf_byte(&body, '}');
    Err err = client_do(c, &(Call){.method = "POST", .path = client_path(c, "//worlds", NULL), .body = buf_str(&body)});
    buf_free(&body);
    TRY(err);
    if (w->common.json) return client_say(c);
    Buf out = {0};
    buf_printf(&out, "%.*s is a copy of %.*s, yours to change\n", STR_ARG(name),
               STR_ARG(w->from.n ? w->from : STR("live")));
    err = say(buf_str(&out));
    buf_free(&out);
    hint("use it with: sosia get --world %.*s", STR_ARG(name));
    return err;
}

static Err run_fork(void *fields, const Args *args) {
    const Worlds *w = fields;
    Client c = {0};
    Err err = open_client(&c, w, "to copy another world than live: --from WORLD");
    if (err == ERR_OK) err = fork_world(&c, w, args->items[0]);
    client_close(&c);
    return err;
}

static Err drop_worlds(Client *c, const Args *names, bool json) {
    for (int32_t i = 0; i < names->count; i++) {
        TRY(client_do(c, &(Call){.method = "DELETE", .path = client_path(c, "//worlds/{}", &names->items[i])}));
        if (!json) note("dropped %.*s", STR_ARG(names->items[i]));
    }
    return ERR_OK;
}

static Err run_drop(void *fields, const Args *args) {
    const Worlds *w = fields;
    Client c = {0};
    Err err = open_client(&c, w, "name the worlds to drop as arguments");
    if (err == ERR_OK) err = drop_worlds(&c, args, w->common.json);
    client_close(&c);
    return err;
}

const Command cmd_worlds_list = {
    .heading = "Try something out",
    .name = "worlds list",
    .arguments = "",
    .summary = "the live world and its forks",
    .examples = "  sosia worlds list\n  sosia worlds list --json",
    .opts = no_opts,
    .size = sizeof(Worlds),
    .client = true,
    .run = run_list,
};

const Command cmd_worlds_fork = {
    .name = "worlds fork",
    .arguments = "NAME",
    .summary = "copy a world, in microseconds, to change it without harm",
    .about =
        "A fork shares everything with the world it came from until one of the two is changed. Commands on models,\n"
        "twins and values take --world NAME. Forks are kept in the server's file with what is written to them. They "
        "have\n"
        "a clock of their own, which begins at the instant they were forked of: sosia replay --into NAME moves it.",
    .examples = "  sosia worlds fork night-shift\n"
                "  sosia worlds fork night-shift-2 --from night-shift\n"
                "  sosia worlds fork before --from live@-1h --purpose \"what if it had stopped\"\n"
                "  sosia set line-1 targetSpeed 28000 --world night-shift",
    .opts = fork_opts,
    .size = sizeof(Worlds),
    .client = true,
    .args_min = 1,
    .args_max = 1,
    .run = run_fork,
};

const Command cmd_worlds_drop = {
    .name = "worlds drop",
    .arguments = "NAME...",
    .summary = "forget forks",
    .examples = "  sosia worlds drop night-shift night-shift-2",
    .opts = no_opts,
    .size = sizeof(Worlds),
    .client = true,
    .args_min = 1,
    .args_max = STR_LIST_MAX,
    .run = run_drop,
};

const Command cmd_worlds_rm = {
    .name = "worlds rm",
    .arguments = "NAME...",
    .summary = "the same as worlds drop",
    .examples = "  sosia worlds rm night-shift",
    .opts = no_opts,
    .size = sizeof(Worlds),
    .client = true,
    .args_min = 1,
    .args_max = STR_LIST_MAX,
    .run = run_drop,
};
