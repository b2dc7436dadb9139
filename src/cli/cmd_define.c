// SPDX-License-Identifier: Apache-2.0
// Definitions for simulation from files, and what is counted in a world.
#include <math.h>
#include "cli/client.h"

#define FILE_BYTES_MAX (1 << 20) // of a definition's file: the server takes less

typedef struct DefineOptions {
    Common common;
    bool remove;
} DefineOptions;

static const Opt define_opts[] = {
    OPT(DefineOptions, remove, OPT_FLAG, 0, "rm", NULL, "remove it"),
    OPT_END,
};
static const Opt no_opts[] = {OPT_END};

// ---- define -------------------------------------------------------------------------------------------------------

static Err put(Client *c, const DefineOptions *o, const Args *args) {
    Buf file = {0};
    TRY(read_file(args->items[2], FILE_BYTES_MAX, &file));
    Err err =
        client_do(c, &(Call){.method = "PUT", .path = client_path(c, "/{}/{}", args->items), .body = buf_str(&file)});
    buf_free(&file);
    TRY(err);
    if (!o->common.json) {
        note("%.*s is defined", STR_ARG(args->items[1]));
        return ERR_OK;
    }
    return client_say(c);
}

static Err show(Client *c, const Args *args) {
    TRY(client_do(c, &(Call){.path = client_path(c, "/{}/{}", args->items)}));
    Json doc;
    TRY(client_json(c, &doc));
    Buf out = {0};
    json_put_pretty(&out, &doc, 2);
    buf_byte(&out, '\n');
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

static bool known(Str collection) {
    static const char *const all[] = {"behaviours", "mappings", "kpis", "whatifs", "rules"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (str_eq(collection, str_of(all[i]))) return true;
    }
    tell(ERR_ARGUMENT, "there are no definitions called '%.*s'", STR_ARG(collection));
    hint("they are behaviours, mappings, kpis, whatifs and rules");
    return false;
}

static Err run_define(void *fields, const Args *args) {
    const DefineOptions *o = fields;
    Client c = {0};
    if (!known(args->items[0])) return ERR_ARGUMENT;
    if (o->remove && args->count > 2) return tell(ERR_ARGUMENT, "define: --rm takes no file");
    Err err = client_open(&c, &o->common);
    if (!err && o->remove) {
        err = client_do(&c, &(Call){.method = "DELETE", .path = client_path(&c, "/{}/{}", args->items)});
        if (!err) note("%.*s is not defined any more", STR_ARG(args->items[1]));
    } else if (!err) {
        err = args->count > 2 ? put(&c, o, args) : show(&c, args);
    }
    client_close(&c);
    return err;
}

// ---- kpis ---------------------------------------------------------------------------------------------------------

static const Column columns[] = {
    {"KPI", false, true}, {"Value", true, false},      {"Unit", false, false},
    {"Of", false, true},  {"Expression", false, true}, {"Over", false, false},
};

static const Json *named(const Json *list, Str name) {
    for (int32_t i = 0; list && list->type == JSON_ARRAY && i < list->count; i++) {
        if (str_eq(json_text(&list->items[i], STR("name")), name)) return &list->items[i];
    }
    return NULL;
}

// A definition, and what came of it (NULL: nothing was counted).
static void put_row(Table *t, const Json *kpi, const Json *counted) {
    const Json *value = counted ? json_get(counted, STR("value")) : NULL;
    Str symbol = counted ? json_text(counted, STR("symbol")) : (Str){0}, over = json_text(kpi, STR("over"));
    Str unit = counted ? json_text(counted, STR("unit")) : json_text(kpi, STR("unit"));
    table_put(t, STYLE_BOLD, json_text(kpi, STR("name")));
    if (value && json_is_number(value)) table_printf(t, STYLE_PLAIN, "%.6g", json_f64(value));
    else table_put(t, STYLE_DIM, STR("-"));
    table_put(t, STYLE_DIM, symbol.n ? symbol : unit);
    table_put(t, STYLE_PLAIN, json_text(kpi, STR("twin")));
    table_put(t, STYLE_PLAIN, json_text(kpi, STR("expression")));
    table_put(t, STYLE_PLAIN, over.n ? over : STR("last"));
}

static Err list(Client *c, bool json) {
    Json doc;
    Str pattern = arena_printf(&c->keep, "%.*s&points=0", STR_ARG(client_path(c, "/kpis", NULL)));
    TRY(client_do(c, &(Call){.path = pattern}));
    if (json) return client_say(c);
    TRY(client_json(c, &doc));
    const Json *all = json_get(&doc, STR("value")), *counted = json_get(&doc, STR("kpis"));
    if (!all || all->type != JSON_ARRAY) return tell(ERR_SYNTAX, "the answer holds no list");
    Table t;
    table_init(&t, columns, 6);
    for (int32_t i = 0; i < all->count; i++)
        put_row(&t, &all->items[i], named(counted, json_text(&all->items[i], STR("name"))));
    Err err = all->count ? say_table(&t) : ERR_OK;
    table_free(&t);
    for (int32_t i = 0; counted && counted->type == JSON_ARRAY && i < counted->count; i++) {
        Str why = json_text(&counted->items[i], STR("error"));
        if (why.n) note("%.*s", STR_ARG(why));
    }
    if (!all->count) hint("say what to count: sosia define kpis NAME FILE");
    return err;
}

static Err run_kpis(void *fields, const Args *args) {
    const DefineOptions *o = fields;
    Client c = {0};
    (void)args;
    Err err = client_open(&c, &o->common);
    if (!err) err = list(&c, o->common.json);
    client_close(&c);
    return err;
}

const Command cmd_define = {
    .name = "define",
    .arguments = "COLLECTION NAME [FILE]",
    .summary = "define a behaviour, mapping, KPI, what-if or rule from a file",
    .about = "COLLECTION is behaviours, mappings, kpis, whatifs or rules; FILE is JSON (\"-\": stdin). Without a file\n"
             "the definition is shown. What does not fit models and twins is refused with its place.",
    .examples =
        "  sosia define behaviours tank tank.json\n"
        "  echo '{\"twin\":\"plant\",\"expression\":\"power\",\"over\":\"integral\",\"unit\":\"kilowattHour\"}' |\n"
        "    sosia define kpis energy -\n"
        "  sosia define kpis energy --rm",
    .opts = define_opts,
    .size = sizeof(DefineOptions),
    .client = true,
    .args_min = 2,
    .args_max = 3,
    .run = run_define,
};

const Command cmd_kpis = {
    .name = "kpis",
    .arguments = "",
    .summary = "what is counted over the runs of a world, and what it came to",
    .examples = "  sosia kpis\n  sosia kpis --world night-shift",
    .opts = no_opts,
    .size = sizeof(DefineOptions),
    .client = true,
    .run = run_kpis,
};
