// SPDX-License-Identifier: Apache-2.0
#include "cli/list.h"

typedef struct Derived {
    Common common;
    Str model, twin;
} Derived;

static const Opt no_opts[] = {OPT_END};
static const Opt set_opts[] = {
    OPT(Derived, model, OPT_STR, 'm', "model", "DTMI", "for all twins of a model and of what extends it"),
    OPT(Derived, twin, OPT_STR, 't', "twin", "ID", "for one twin"),
    OPT_END,
};

static const Column columns[] = {
    {"Name", false, true},
    {"Of", false, true},
    {"Property", false, false},
    {"Expression", false, true},
};

static void put_row(Table *t, Client *c, const Json *item) {
    (void)c;
    Str model = json_text(item, STR("model"));
    table_put(t, STYLE_PLAIN, json_text(item, STR("name")));
    table_put(t, STYLE_PLAIN, model.n ? model : json_text(item, STR("twin")));
    table_put(t, STYLE_PLAIN, json_text(item, STR("property")));
    table_put(t, STYLE_PLAIN, json_text(item, STR("expression")));
}

static const List derived = {.columns = columns, .column_count = 4, .put = put_row};

static Err run_list(void *fields, const Args *args) {
    (void)args;
    const Derived *o = fields;
    Client c = {0};
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = list_say(&derived, &c, client_path(&c, "/derived", NULL), o->common.json, NULL);
    client_close(&c);
    return err;
}

static Err run_show(void *fields, const Args *args) {
    const Derived *o = fields;
    Client c = {0};
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = client_do(&c, &(Call){.path = client_path(&c, "/derived/{}", &args->items[0])});
    if (err == ERR_OK) err = client_say(&c);
    client_close(&c);
    return err;
}

static void member(Buf *out, const char *sep, const char *name, Str value) {
    buf_printf(out, "%s\"%s\":", sep, name);
    json_put_str(out, value);
}

static Err set(Client *c, const Derived *o, const Args *args) {
    Buf body = {0};
    member(&body, "{", o->model.n ? "model" : "twin", o->model.n ? o->model : o->twin);
    member(&body, ",", "property", args->items[1]);
    member(&body, ",", "expression", args->items[2]);
    buf_byte(&body, '}');
    Err err = client_do(
        c, &(Call){.method = "PUT", .path = client_path(c, "/derived/{}", &args->items[0]), .body = buf_str(&body)});
    buf_free(&body);
    TRY(err);
    if (o->common.json) return client_say(c);
    note("%.*s is computed from now on", STR_ARG(args->items[1]));
    return ERR_OK;
}

static Err run_set(void *fields, const Args *args) {
    const Derived *o = fields;
    Client c = {0};
    if ((o->model.n > 0) == (o->twin.n > 0)) {
        tell(ERR_ARGUMENT, "derived set: say what the value is of");
        hint("--model DTMI for all twins of a model, or --twin ID for one");
        return ERR_ARGUMENT;
    }
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = set(&c, o, args);
    client_close(&c);
    return err;
}

static Err rm(Client *c, const Args *names, bool json) {
    for (int32_t i = 0; i < names->count; i++) {
        TRY(client_do(c, &(Call){.method = "DELETE", .path = client_path(c, "/derived/{}", &names->items[i])}));
        if (!json) note("%.*s is computed no more; its values stay", STR_ARG(names->items[i]));
    }
    return ERR_OK;
}

static Err run_rm(void *fields, const Args *args) {
    const Derived *o = fields;
    Client c = {0};
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = rm(&c, args, o->common.json);
    client_close(&c);
    return err;
}

const Command cmd_derived_list = {
    .name = "derived list",
    .arguments = "",
    .summary = "properties that are computed, and from what",
    .examples = "  sosia derived list\n  sosia derived list --world night-shift --json",
    .opts = no_opts,
    .size = sizeof(Derived),
    .client = true,
    .run = run_list,
};

const Command cmd_derived_show = {
    .name = "derived show",
    .arguments = "NAME",
    .summary = "one of them",
    .examples = "  sosia derived show line-power",
    .opts = no_opts,
    .size = sizeof(Derived),
    .client = true,
    .args_min = 1,
    .args_max = 1,
    .run = run_show,
};

const Command cmd_derived_set = {
    .name = "derived set",
    .arguments = "NAME PROPERTY EXPRESSION",
    .summary = "compute a property from a twin's own values and its neighbours'",
    .about =
        "The expression is one of the query language; bare names are the twin's own, aggregates look at neighbours.\n"
        "The value is there for all twins when the command ends, and from then on with every write that moves it.\n"
        "Nobody can write the property any more until the definition is removed.",
    .examples = "  sosia derived set line-power power 'SUM(out.contains.power)' --model 'dtmi:sosia:bottling:Line;1'\n"
                "  sosia derived set hot alarm 'ANY(->contains, temperature > 80)' --twin line-1",
    .opts = set_opts,
    .size = sizeof(Derived),
    .client = true,
    .args_min = 3,
    .args_max = 3,
    .run = run_set,
};

const Command cmd_derived_rm = {
    .name = "derived rm",
    .arguments = "NAME...",
    .summary = "compute them no more; the values stay as they are",
    .examples = "  sosia derived rm line-power",
    .opts = no_opts,
    .size = sizeof(Derived),
    .client = true,
    .args_min = 1,
    .args_max = STR_LIST_MAX,
    .run = run_rm,
};
