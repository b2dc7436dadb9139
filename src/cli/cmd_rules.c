// SPDX-License-Identifier: Apache-2.0
// Rules: which there are, what one says, and trying one now. They are defined like KPIs: sosia define rules NAME FILE.
#include "cli/decision.h"
#include "cli/grid.h"
#include "cli/list.h"
#include "cli/resource.h"

typedef struct Rules {
    Common common;
    Str twin;
} Rules;

static const Opt no_opts[] = {OPT_END};
static const Opt try_opts[] = {
    OPT(Rules, twin, OPT_STR, 't', "twin", "ID", "the twin to propose for"),
    OPT_END,
};

static const Column columns[] = {
    {"Rule", false, true},  {"Of", false, true},      {"When", false, true}, {"For", false, false},
    {"Mode", false, false}, {"Actions", true, false}, {"What", false, true},
};

static void put_row(Table *t, Client *c, const Json *item) {
    const Json *actions = json_get(item, STR("actions"));
    Str model = decision_text(item, "model"), mode = decision_text(item, "mode");
    table_put(t, STYLE_BOLD, decision_text(item, "name"));
    table_put(t, STYLE_PLAIN, model.n ? model_short(&c->keep, model) : decision_text(item, "twin"));
    table_put(t, STYLE_PLAIN, decision_text(item, "when"));
    table_put(t, STYLE_PLAIN, decision_text(item, "for"));
    table_put(t, STYLE_PLAIN, mode.n ? mode : STR("approve"));
    table_printf(t, STYLE_PLAIN, "%d", actions && actions->type == JSON_ARRAY ? actions->count : 0);
    table_put(t, STYLE_DIM, decision_text(item, "title"));
}

static const List rules = {
    .columns = columns,
    .column_count = (int32_t)(sizeof columns / sizeof *columns),
    .put = put_row,
    .none = "no rule is defined here",
    .next = "define one: sosia define rules NAME FILE; docs/rules.md tells how",
};

static Err run_list(void *fields, const Args *args) {
    const Rules *o = fields;
    Client c = {0};
    (void)args;
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = list_say(&rules, &c, client_path(&c, "/rules", NULL), o->common.json, NULL);
    client_close(&c);
    return err;
}

static const Resource resource = {.noun = "rule", .folder = "/rules"};

static Err run_show(void *fields, const Args *args) {
    return resource_show(&resource, &((Rules *)fields)->common, args->items[0], (Str){0});
}

static Err propose(Client *c, const Rules *o, const Args *args) {
    Json doc;
    Buf body = {0};
    buf_str_put(&body, STR("{\"twin\":"));
    json_put_str(&body, o->twin);
    buf_byte(&body, '}');
    Err err = client_do(
        c, &(Call){.method = "POST", .path = client_path(c, "//rules/{}/try", args->items), .body = buf_str(&body)});
    buf_free(&body);
    TRY(err);
    if (o->common.json) return client_say(c);
    TRY(client_json(c, &doc));
    const Json *id = json_get(&doc, STR("id"));
    int64_t n = id && id->type == JSON_INT ? id->i : 0;
    note("decision %lld is being computed", (long long)n);
    hint("look at it: sosia decisions show %lld", (long long)n);
    return ERR_OK;
}

static Err run_try(void *fields, const Args *args) {
    const Rules *o = fields;
    Client c = {0};
    if (!o->twin.n) return tell(ERR_ARGUMENT, "rules try: --twin ID says for which twin");
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = propose(&c, o, args);
    client_close(&c);
    return err;
}

#define RULES(least, most, function)                                                                                   \
    .size = sizeof(Rules), .client = true, .args_min = least, .args_max = most, .run = function

const Command cmd_rules_list = {
    .heading = "Decide",
    .name = "rules list",
    .arguments = "",
    .summary = "what is done when something holds in the live world",
    .examples = "  sosia rules\n  sosia define rules filler-jams packs/bottling/rules/filler-jams.rule",
    .opts = no_opts,
    RULES(0, 0, run_list),
};

const Command cmd_rules_show = {
    .name = "rules show",
    .arguments = "NAME",
    .summary = "one rule, as it was defined",
    .examples = "  sosia rules show filler-jams",
    .opts = no_opts,
    RULES(1, 1, run_show),
};

const Command cmd_rules_try = {
    .name = "rules try",
    .arguments = "NAME",
    .summary = "propose now, whether its condition holds or not; people decide",
    .examples = "  sosia rules try filler-jams --twin line-1-filler",
    .opts = try_opts,
    RULES(1, 1, run_try),
};
