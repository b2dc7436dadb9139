// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>
#include "cli/shell.h"
#include "cli/term.h"

#define TEXT_MAX (1 << 20)

typedef struct QueryOpts {
    Common common;
    bool ndjson, csv, explain, all;
    int64_t limit, page_size;
} QueryOpts;

static const Opt opts[] = {
    OPT(QueryOpts, ndjson, OPT_FLAG, 0, "ndjson", NULL, "one JSON object a line"),
    OPT(QueryOpts, csv, OPT_FLAG, 0, "csv", NULL, "comma-separated values with a header"),
    OPT(QueryOpts, explain, OPT_FLAG, 'x', "explain", NULL, "the plan with estimated and real rows and times"),
    OPT_RANGE(QueryOpts, limit, "limit", "N", "at most N rows", 1, 1000000000),
    OPT(QueryOpts, all, OPT_FLAG, 'a', "all", NULL, "all pages without asking, also on a terminal"),
    OPT_RANGE(QueryOpts, page_size, "page-size", "N", "rows a request (1000; on a terminal what fits)", 1, 1000),
    OPT_END,
};

static Err form_of(const QueryOpts *q, AskForm *out) {
    if (q->common.json + q->ndjson + q->csv > 1) {
        return tell(ERR_ARGUMENT, "query: one of --json, --ndjson and --csv");
    }
    *out = q->common.json ? ASK_JSON : q->ndjson ? ASK_NDJSON : q->csv ? ASK_CSV : ASK_TABLE;
    return ERR_OK;
}

static Err ask_stdin(Ask *a) {
    Buf text = {0};
    Err err = read_file(STR("-"), TEXT_MAX, &text);
    if (err == ERR_OK) err = shell_script(a, buf_str(&text));
    buf_free(&text);
    return err;
}

static Err run(void *fields, const Args *args) {
    const QueryOpts *q = fields;
    Client c;
    Ask a;
    AskForm form = ASK_TABLE;
    TRY(form_of(q, &form));
    Err err = client_open(&c, &q->common);
    ask_init(&a, &c);
    a.form = form;
    a.explain = q->explain;
    a.all = q->all;
    a.limit = q->limit;
    a.page_size = q->page_size;
    bool text = args->count && !str_eq(args->items[0], STR("-"));
    if (err == ERR_OK && text) err = shell_script(&a, args->items[0]);
    else if (err == ERR_OK && (args->count || !term_is_tty(STDIN_FILENO))) err = ask_stdin(&a);
    else if (err == ERR_OK) err = shell_run(&a);
    ask_free(&a);
    client_close(&c);
    return err;
}

const Command cmd_query = {
    .name = "query",
    .arguments = "[TEXT]",
    .summary = "ask a question in the query language, or start its shell",
    .about = "The language of Azure Digital Twins and more: docs/query.md. Without TEXT, on a terminal: a shell with\n"
             "history and completion. TEXT - or a pipe: questions from standard input, each ended by a semicolon.",
    .examples = "  sosia query 'SELECT TOP(5) $dtId, state FROM DIGITALTWINS'\n"
                "  sosia query 'SELECT * FROM DIGITALTWINS WHERE IS_OF_MODEL(\"dtmi:sosia:bottling:Pump;1\")'\n"
                "  sosia query --csv 'SELECT $dtId, power FROM DIGITALTWINS WHERE power > 20' >power.csv\n"
                "  sosia query --explain 'SELECT COUNT() FROM RELATIONSHIPS'\n"
                "  sosia query",
    .opts = opts,
    .size = sizeof(QueryOpts),
    .client = true,
    .args_max = 1,
    .run = run,
};
