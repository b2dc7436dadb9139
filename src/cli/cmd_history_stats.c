// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include "cli/client.h"

typedef struct Options {
    Common common;
} Options;

static const Opt opts[] = {OPT_END};

static const Column columns[] = {
    {"Model", false, true}, {"Property", false, true},    {"Values", true, false},
    {"Bytes", true, false}, {"Bytes/value", true, false}, {"From", false, false},
};

static Str number_of(const Json *v, Str key) {
    const Json *x = json_get(v, key);
    return x ? x->raw : (Str){0};
}

// The model's name without scheme and version, as people say it.
static Str short_model(Str dtmi) {
    Str last = dtmi, rest = dtmi;
    while (rest.n) last = str_cut(&rest, ':');
    return str_cut(&last, ';');
}

static void add_row(Table *t, const Json *item, Str model, Str property) {
    table_put(t, STYLE_PLAIN, model);
    table_put(t, STYLE_PLAIN, property);
    table_put(t, STYLE_PLAIN, number_of(item, STR("points")));
    table_put(t, STYLE_PLAIN, number_of(item, STR("bytes")));
    table_put(t, STYLE_PLAIN, number_of(item, STR("bytesPerPoint")));
    Str from = json_text(item, STR("from"));
    table_put(t, STYLE_PLAIN, str_sub(from, 0, from.n > 19 ? 19 : from.n));
}

static Err show(Client *c) {
    Json doc;
    TRY(client_json(c, &doc));
    const Json *all = json_get(&doc, STR("value")), *total = json_get(&doc, STR("total"));
    const Json *forks = json_get(&doc, STR("forks"));
    if (!all || all->type != JSON_ARRAY || !total) return tell(ERR_SYNTAX, "the answer holds no list");
    Table t;
    table_init(&t, columns, 6);
    for (int32_t i = 0; i < all->count; i++) {
        const Json *item = &all->items[i];
        Str model = short_model(json_text(item, STR("model"))), link = json_text(item, STR("relationship"));
        add_row(&t, item, model.n ? model : link, json_text(item, STR("property")));
    }
    add_row(&t, total, STR("all"), (Str){0});
    if (forks) add_row(&t, forks, STR("forks"), (Str){0});
    Err err = say_table(&t);
    table_free(&t);
    return err;
}

static Err run(void *fields, const Args *args) {
    Options *o = fields;
    Client c = {0};
    (void)args;
    Err err = client_open(&c, &o->common);
    if (!err) err = client_do(&c, &(Call){.path = client_path(&c, "/history", NULL)});
    if (!err && o->common.json) {
        buf_byte(&c.body, '\n');
        err = say(buf_str(&c.body));
    } else if (!err) err = show(&c);
    client_close(&c);
    return err;
}

const Command cmd_history_stats = {
    .name = "history stats",
    .arguments = "",
    .summary = "what the history takes on the disk, by model and property",
    .about =
        "Values that are not in blocks yet are not counted. Words of the graph itself (names, places, relationships)\n"
        "are the rows without a model.",
    .examples = "  sosia history stats\n"
                "  sosia history stats --json",
    .opts = opts,
    .size = sizeof(Options),
    .client = true,
    .args_min = 0,
    .args_max = 0,
    .run = run,
};
