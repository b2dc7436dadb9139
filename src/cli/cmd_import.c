// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"
#include "cli/load.h"

#define ERRORS_SHOWN 10

typedef struct Import {
    Common common;
    bool quiet;
    bool dry_run;
    int64_t errors;
} Import;

static const Opt opts[] = {
    OPT(Import, quiet, OPT_FLAG, 'q', "quiet", NULL, "no progress line"),
    OPT(Import, dry_run, OPT_FLAG, 'n', "dry-run", NULL, "read the files and count, send nothing"),
    OPT_RANGE(Import, errors, "errors", "N", "print at most N errors (10)", 1, DOC_ERRORS_MAX),
    OPT_END,
};

static void json_errors(const Docs *d, Buf *out) {
    buf_str_put(out, STR("\"errors\":["));
    for (int32_t i = 0; i < d->error_count; i++) {
        if (i) buf_byte(out, ',');
        buf_str_put(out, STR("{\"file\":"));
        json_put_str(out, d->files[d->errors[i].file]);
        buf_printf(out, ",\"line\":%lld,\"message\":", (long long)d->errors[i].line);
        json_put_str(out, d->errors[i].text);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

static Err say_json(const Docs *d, const Load *l) {
    static const char *const names[DOC_KINDS] = {"models", "twins", "relationships"};
    Buf out = {0};
    buf_byte(&out, '{');
    for (int32_t k = 0; k < DOC_KINDS; k++) {
        buf_printf(&out, "\"%s\":{\"added\":%lld,\"failed\":%lld", names[k], (long long)l->added[k],
                   (long long)l->failed[k]);
        if (k == DOC_MODEL) buf_printf(&out, ",\"skipped\":%lld", (long long)l->skipped);
        buf_str_put(&out, STR("},"));
    }
    buf_printf(&out, "\"failed\":%lld,", (long long)d->error_total);
    json_errors(d, &out);
    buf_str_put(&out, STR("}\n"));
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

static const Column columns[] = {
    {"", false, false}, {"Added", true, false}, {"Already there", true, false}, {"Failed", true, false}};

static void put_count(Table *t, Style style, int64_t n) {
    Buf b = {0};
    text_count(n, &b);
    table_put(t, n ? style : STYLE_DIM, buf_str(&b));
    buf_free(&b);
}

static Err say_table_of(const Load *l) {
    static const char *const names[DOC_KINDS] = {"Models", "Twins", "Relationships"};
    Table t;
    table_init(&t, columns, 4);
    for (int32_t k = 0; k < DOC_KINDS; k++) {
        table_put(&t, STYLE_PLAIN, str_of(names[k]));
        put_count(&t, STYLE_GREEN, l->added[k]);
        put_count(&t, STYLE_PLAIN, k == DOC_MODEL ? l->skipped : 0);
        put_count(&t, STYLE_RED, l->failed[k]);
    }
    Err err = say_table(&t);
    table_free(&t);
    return err;
}

static void print_errors(const Docs *d, int64_t max) {
    for (int64_t i = 0; i < d->error_count && i < max; i++) {
        Buf b = {0};
        docs_place(d, d->errors[i].file, d->errors[i].line, &b);
        tell(ERR_VALIDATION, "%.*s: %.*s", STR_ARG(buf_str(&b)), STR_ARG(d->errors[i].text));
        buf_free(&b);
    }
    if (d->error_total > max) hint("and %lld more: see them with --errors", (long long)(d->error_total - max));
}

static Err report(const Import *o, const Docs *d, const Load *l, int64_t took_ns, bool sent) {
    if (o->common.json) TRY(say_json(d, l));
    if (!o->common.json) {
        print_errors(d, o->errors ? o->errors : ERRORS_SHOWN);
        TRY(say_table_of(l));
        int64_t added = l->added[DOC_MODEL] + l->added[DOC_TWIN] + l->added[DOC_LINK];
        double seconds = (double)took_ns / 1e9;
        Buf rate = {0};
        text_short(seconds > 0 ? (double)added / seconds : 0, &rate);
        if (sent) note("%.2f s, %.*s/s", seconds, STR_ARG(buf_str(&rate)));
        else note("nothing was sent (--dry-run)");
        buf_free(&rate);
    }
    return d->error_total ? ERR_VALIDATION : ERR_OK;
}

static Err send_all(const Import *o, Docs *d) {
    Client c;
    Load l = {0};
    int64_t start = time_mono_ns();
    Err err = client_open(&c, &o->common);
    if (err == ERR_OK) err = load_docs(&c, d, o->quiet || o->common.json, &l);
    client_close(&c);
    Err told = report(o, d, &l, time_mono_ns() - start, true);
    return err != ERR_OK ? err : told;
}

static Err run(void *fields, const Args *args) {
    const Import *o = fields;
    Docs docs;
    docs_init(&docs);
    Err err = ERR_OK;
    for (int32_t i = 0; i < args->count && err == ERR_OK; i++) err = docs_read(&docs, args->items[i]);
    if (err == ERR_OK && !docs.file_count) err = tell(ERR_ARGUMENT, "import: no .json or .ndjson file in there");
    if (err == ERR_OK && o->dry_run) {
        Load l = {0};
        for (int32_t k = 0; k < DOC_KINDS; k++) l.added[k] = docs.list[k].count;
        err = report(o, &docs, &l, 0, false);
    } else if (err == ERR_OK) {
        err = send_all(o, &docs);
    }
    docs_free(&docs);
    return err;
}

const Command cmd_import = {
    .name = "import",
    .arguments = "FILE|FOLDER...",
    .summary = "import models, twins and relationships",
    .about =
        "Takes the Azure Digital Twins bulk format (NDJSON with Section lines), JSON files with one document or an\n"
        "array, explorer exports, NDJSON without sections, and folders of these; \"-\" is standard input. Kinds may\n"
        "be mixed: models go first, then twins, then relationships. What is refused is told with file and line,\n"
        "the rest goes in. Models that the server has are left out; twins and relationships are replaced.",
    .examples = "  sosia import packs/bottling/models packs/bottling/graph.ndjson\n"
                "  sosia import export.json --dry-run\n"
                "  zcat city.ndjson.gz | sosia import - --json",
    .opts = opts,
    .size = sizeof(Import),
    .client = true,
    .args_min = 1,
    .args_max = STR_LIST_MAX,
    .run = run,
};
