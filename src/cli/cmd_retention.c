// SPDX-License-Identifier: Apache-2.0
#include "cli/list.h"

typedef struct Retention {
    Common common;
    Str model, twin, property, raw, step, keep;
} Retention;

static const Opt no_opts[] = {OPT_END};
static const Opt put_opts[] = {
    OPT(Retention, model, OPT_STR, 'm', "model", "DTMI", "for all twins of a model and of what extends it"),
    OPT(Retention, twin, OPT_STR, 't', "twin", "ID", "for one twin"),
    OPT(Retention, property, OPT_STR, 'p', "property", "PATH", "for one property and what lies in it"),
    OPT(Retention, raw, OPT_STR, 0, "raw", "TIME", "how long values stay as they came: 30d, P30D"),
    OPT(Retention, step, OPT_STR, 0, "step", "TIME",
        "then means of such intervals: 1m, PT1M; without it nothing stays"),
    OPT(Retention, keep, OPT_STR, 0, "keep", "TIME", "how old means become: P2Y; without it they stay for ever"),
    OPT_END,
};

static const Column columns[] = {
    {"Name", false, true}, {"Of", false, true},     {"Property", false, false},
    {"Raw", false, false}, {"Means", false, false}, {"Until", false, false},
};

static Str or (Str a, Str b) { return a.n ? a : b; }

static void put_row(Table *t, Client *c, const Json *item) {
    (void)c;
    Str step = json_text(item, STR("step"));
    table_put(t, STYLE_PLAIN, json_text(item, STR("name")));
    table_put(t, STYLE_PLAIN, or (or (json_text(item, STR("model")), json_text(item, STR("twin"))), STR("all twins")));
    table_put(t, STYLE_PLAIN, or (json_text(item, STR("property")), STR("all")));
    table_put(t, STYLE_PLAIN, json_text(item, STR("raw")));
    table_put(t, STYLE_PLAIN, or (step, STR("none")));
    table_put(t, STYLE_PLAIN, step.n ? or (json_text(item, STR("keep")), STR("for ever")) : STR(""));
}

// Forks keep what they lie over.
static void say_held(const Json *held) {
    if (!held || held->type != JSON_OBJECT) return;
    const Json *n = json_get(held, STR("worlds"));
    Buf b = {0};
    text_clean(json_text(held, STR("world")), &b);
    Str since = str_sub(json_text(held, STR("since")), 0, 19);
    int64_t more = n && json_f64(n) > 1 ? (int64_t)json_f64(n) - 1 : 0;
    note("the fork %.*s holds everything from %.*sZ on%s; sosia worlds drop %.*s lets it go", STR_ARG(buf_str(&b)),
         STR_ARG(since), more ? ", and younger ones do" : "", STR_ARG(buf_str(&b)));
    buf_free(&b);
}

static const List policies = {.columns = columns, .column_count = 6, .put = put_row};

static Err list(Client *c, bool json) {
    Json doc;
    TRY(list_say(&policies, c, client_path(c, "/retention", NULL), json, &doc));
    say_held(json_get(&doc, STR("held")));
    return ERR_OK;
}

static Err run_list(void *fields, const Args *args) {
    (void)args;
    const Retention *o = fields;
    Client c = {0};
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = list(&c, o->common.json);
    client_close(&c);
    return err;
}

static void member(Buf *out, const char *name, Str value) {
    if (!value.n) return;
    buf_printf(out, "%s\"%s\":", out->n > 1 ? "," : "", name);
    json_put_str(out, value);
}

static Err put(Client *c, const Retention *o, const Args *args) {
    Buf body = {0};
    buf_byte(&body, '{');
    member(&body, "model", o->model);
    member(&body, "twin", o->twin);
    member(&body, "property", o->property);
    member(&body, "raw", o->raw);
    member(&body, "step", o->step);
    member(&body, "keep", o->keep);
    buf_byte(&body, '}');
    Str path = client_path(c, "/retention/{}", &args->items[0]);
    Err err = client_do(c, &(Call){.method = "PUT", .path = path, .body = buf_str(&body)});
    buf_free(&body);
    TRY(err);
    if (o->common.json) return client_say(c);
    note("older values are let go in the background from now on");
    return ERR_OK;
}

static Err run_put(void *fields, const Args *args) {
    const Retention *o = fields;
    Client c = {0};
    if (!o->raw.n) {
        tell(ERR_ARGUMENT, "retention put: say how long values stay as they came");
        hint("--raw 30d");
        return ERR_ARGUMENT;
    }
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = put(&c, o, args);
    client_close(&c);
    return err;
}

static Err delete_all(Client *c, const Args *names, bool json) {
    for (int32_t i = 0; i < names->count; i++) {
        TRY(client_do(c, &(Call){.method = "DELETE", .path = client_path(c, "/retention/{}", &names->items[i])}));
        if (!json) note("%.*s is gone; what it let go does not come back", STR_ARG(names->items[i]));
    }
    return ERR_OK;
}

static Err run_delete(void *fields, const Args *args) {
    const Retention *o = fields;
    Client c = {0};
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = delete_all(&c, args, o->common.json);
    client_close(&c);
    return err;
}

const Command cmd_retention_list = {
    .name = "retention list",
    .arguments = "",
    .summary = "how long values are kept",
    .examples = "  sosia retention list\n  sosia retention list --json",
    .opts = no_opts,
    .size = sizeof(Retention),
    .client = true,
    .run = run_list,
};

const Command cmd_retention_put = {
    .name = "retention put",
    .arguments = "NAME",
    .summary = "say how long values are kept, as they came and as means",
    .about =
        "Without a policy everything is kept. Of several for one value the most specific holds: that of the twin, "
        "then\n"
        "that of the longest property path, then that of the most derived model.\n"
        "What goes is let go block by block in the background, up to a sixteenth of --raw later. Worlds of instants\n"
        "before are gone with it; the value that stood is always known.",
    .examples = "  sosia retention put rooms --model 'dtmi:sosia:Room;1' --raw 30d --step 1m --keep P2Y\n"
                "  sosia retention put noise --property vibration --raw 12h",
    .opts = put_opts,
    .size = sizeof(Retention),
    .client = true,
    .args_min = 1,
    .args_max = 1,
    .run = run_put,
};

const Command cmd_retention_delete = {
    .name = "retention delete",
    .arguments = "NAME...",
    .summary = "remove policies; what is gone stays gone",
    .examples = "  sosia retention delete noise",
    .opts = no_opts,
    .size = sizeof(Retention),
    .client = true,
    .args_min = 1,
    .args_max = STR_LIST_MAX,
    .run = run_delete,
};
