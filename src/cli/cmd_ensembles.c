// SPDX-License-Identifier: Apache-2.0
// Ensembles that are kept: which there are, what one came to, forgetting it.
#include "base/time.h"
#include "cli/list.h"
#include "cli/many.h"
#include "cli/text.h"

typedef struct EnsemblesOptions {
    Common common;
    Str html, svg;
    bool remove;
} EnsemblesOptions;

static const Opt opts[] = {
    OPT(EnsemblesOptions, html, OPT_STR, 0, "html", "FILE", "write it as a page with charts (\"-\": stdout)"),
    OPT(EnsemblesOptions, svg, OPT_STR, 0, "svg", "FILE", "write the charts alone (\"-\": stdout)"),
    OPT(EnsemblesOptions, remove, OPT_FLAG, 0, "rm", NULL, "forget it; at work, it ends"),
    OPT_END,
};

static long long whole_in(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && m->type == JSON_INT ? (long long)m->i : 0;
}

static const Column columns[] = {
    {"No.", true, false},   {"World", false, true},  {"State", false, false},          {"Replications", true, false},
    {"Cases", true, false}, {"Begun", false, false}, {"What came of it", false, true},
};

static void put_row(Table *t, Client *c, const Json *x) {
    (void)c;
    int64_t begun = 0;
    Buf age = {0};
    const Json *error = json_get(x, STR("error"));
    Str title = json_text(x, STR("title")),
        sentence = json_text(error ? error : x, error ? STR("message") : STR("sentence"));
    if (time_parse(json_text(x, STR("begun")), &begun)) text_age(time_now_ns() - begun, &age);
    table_printf(t, STYLE_BOLD, "%lld", whole_in(x, STR("id")));
    table_put(t, STYLE_PLAIN, json_text(x, STR("world")));
    table_put(t, str_eq(json_text(x, STR("state")), STR("failed")) ? STYLE_RED : STYLE_PLAIN,
              json_text(x, STR("state")));
    table_printf(t, STYLE_PLAIN, "%lld", whole_in(x, STR("replications")));
    table_printf(t, STYLE_PLAIN, "%lld", whole_in(x, STR("caseCount")));
    table_printf(t, STYLE_DIM, "%.*s", STR_ARG(buf_str(&age)));
    table_printf(t, STYLE_PLAIN, "%.*s%s%.*s", STR_ARG(title), title.n && sentence.n ? ": " : "", STR_ARG(sentence));
    buf_free(&age);
}

static const List ensembles = {
    .columns = columns,
    .column_count = (int32_t)(sizeof columns / sizeof *columns),
    .put = put_row,
    .none = "there are no ensembles yet",
    .next = "begin one: sosia worlds ensemble WORLD --for 8h; or sosia whatif NAME --replications 100",
};

static Err list(Client *c, bool json) {
    return list_say(&ensembles, c, client_path(c, "//ensembles", NULL), json, NULL);
}

static Err run_one(Client *c, const EnsemblesOptions *o, Str number) {
    int64_t id;
    if (!str_to_i64(number, &id) || id < 1)
        return tell(ERR_ARGUMENT, "\"%.*s\" is not the number of an ensemble", STR_ARG(number));
    if (!o->remove)
        return many_follow(c, id, &(ManyOut){.html = o->html, .svg = o->svg, .json = o->common.json, .pair = true});
    return client_do(c, &(Call){.method = "DELETE", .path = client_path(c, "//ensembles/{}", &number)});
}

static Err run(void *fields, const Args *args) {
    const EnsemblesOptions *o = fields;
    Client c = {0};
    Err err = client_open(&c, &o->common);
    if (!err && o->common.world.p) err = tell(ERR_ARGUMENT, "ensembles: --world has no meaning here");
    if (!err) err = args->count ? run_one(&c, o, args->items[0]) : list(&c, o->common.json);
    client_close(&c);
    return err;
}

const Command cmd_ensembles = {
    .name = "ensembles",
    .arguments = "[NUMBER]",
    .summary = "ensembles that are kept: which there are, what one came to",
    .about = "Without a number: all of them, the newest first. With one: waits for its end and tells what came of it;\n"
             "with --html as one page that needs nothing else, to look at or to send. Ctrl-C has it end.",
    .examples = "  sosia ensembles\n"
                "  sosia ensembles 17 --html report.html\n"
                "  sosia ensembles 17 --rm",
    .opts = opts,
    .size = sizeof(EnsemblesOptions),
    .client = true,
    .args_max = 1,
    .run = run,
};
