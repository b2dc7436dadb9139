// SPDX-License-Identifier: Apache-2.0
#include "cli/load.h"
#include "base/map.h"
#include "base/time.h"
#include "cli/term.h"

#define REQUEST_DOCS 2000           // documents of one request
#define REQUEST_BYTES (1 << 20)     // and their bytes
#define PATIENCE_NS (60 * NS_PER_S) // with a busy server

// ---- known models -------------------------------------------------------------------------------------------------

enum { THERE = 1, HERE = 2 }; // the server has it, or it came before in the files

typedef struct Known {
    Arena keep;
    Map ids;
} Known;

static Err remember(void *arg, const Json *item) {
    Known *k = arg;
    const Json *id = json_get(item, STR("id"));
    if (id && id->type == JSON_STRING) map_put(&k->ids, arena_str(&k->keep, id->s), THERE);
    return ERR_OK;
}

Err load_skip_known(Client *c, Docs *d, int64_t *skipped) {
    DocList *l = &d->list[DOC_MODEL];
    int64_t count = 0, kept = 0, twice = 0, there;
    *skipped = 0;
    if (!l->count) return ERR_OK;
    Known known = {0};
    arena_init(&known.keep, 0);
    Err err = client_each(c, client_path(c, "/models", NULL), INT64_MAX, &count, remember, &known);
    if (err == ERR_OK) {
        int64_t total = l->count;
        for (int64_t i = 0; i < total; i++) {
            const Doc doc = l->items[i];
            if (map_get(&known.ids, doc.id, &there)) {
                twice += there == HERE;
                continue;
            }
            if (doc.id.n) map_put(&known.ids, doc.id, HERE); // a folder may hold it alone and in a bulk file
            l->items[kept++] = doc;
        }
        if (twice) note("%lld model%s came again and counted once: the first", (long long)twice, twice == 1 ? "" : "s");
        *skipped = total - kept;
        l->count = kept;
    }
    map_free(&known.ids);
    arena_free(&known.keep);
    return err;
}

// ---- requests -----------------------------------------------------------------------------------------------------

static const char *const section_names[DOC_KINDS] = {"Models", "Twins", "Relationships"};
static const char *const kind_names[DOC_KINDS] = {"models", "twins", "relationships"};

// Lines of a request before its first document.
static void put_head(DocKind kind, Buf *out) {
    buf_str_put(out, STR("{\"Section\":\"Header\"}\n{\"fileVersion\":\"1.0.0\",\"author\":\"sosia\"}\n"));
    buf_printf(out, "{\"Section\":\"%s\"}\n", section_names[kind]);
}

#define HEAD_LINES 3

// Give each complaint of the server its place in the files.
static void note_errors(Docs *d, const Doc *first, int64_t n, const Json *errors) {
    for (int32_t i = 0; errors && i < errors->count; i++) {
        const Json *line = json_get(&errors->items[i], STR("line"));
        const Json *message = json_get(&errors->items[i], STR("message"));
        int64_t at = line && line->type == JSON_INT ? line->i - HEAD_LINES - 1 : 0;
        const Doc *doc = &first[at < 0 ? 0 : at < n ? at : n - 1];
        Str text = message && message->type == JSON_STRING ? message->s : STR("refused");
        bool named = !doc->id.n || str_find_str(text, doc->id) >= 0; // a file may be one long line
        docs_error(d, doc->file, doc->line, "%.*s%s%.*s", named ? 0 : (int)doc->id.n, doc->id.p, named ? "" : ": ",
                   STR_ARG(text));
    }
}

static Err send_some(Client *c, Docs *d, DocKind kind, const Doc *first, int64_t n, Buf *body, Load *out) {
    Verdict v;
    client_reset(c);
    Call call = {.method = "POST",
                 .path = client_path(c, "/import", NULL),
                 .body = buf_str(body),
                 .type = "application/x-ndjson"};
    TRY(client_batch(c, &call, PATIENCE_NS, &v));
    note_errors(d, first, n, v.errors);
    if (v.rejected > n) v.rejected = n;
    int64_t untold = v.rejected - (v.errors ? v.errors->count : 0); // the server tells only so many
    if (untold > 0) d->error_total += untold;
    out->failed[kind] += v.rejected;
    out->added[kind] += n - v.rejected;
    return ERR_OK;
}

static Err send_kind(Client *c, Docs *d, DocKind kind, bool quiet, Load *out) {
    const DocList *l = &d->list[kind];
    Progress progress;
    Buf body = {0};
    Err err = ERR_OK;
    progress_begin(&progress, kind_names[kind], l->count, quiet);
    for (int64_t at = 0; at < l->count && err == ERR_OK;) {
        int64_t first = at;
        buf_reset(&body);
        put_head(kind, &body);
        while (at < l->count && at - first < REQUEST_DOCS && body.n < REQUEST_BYTES) {
            buf_str_put(&body, l->items[at++].text);
            buf_byte(&body, '\n');
        }
        progress_at(&progress, first);
        err = send_some(c, d, kind, &l->items[first], at - first, &body, out);
        if (err == ERR_OK && term_interrupted()) err = tell(ERR_CLOSED, "interrupted");
    }
    progress_end(&progress);
    buf_free(&body);
    return err;
}

Err load_docs(Client *c, Docs *d, bool quiet, Load *out) {
    *out = (Load){0};
    TRY(load_skip_known(c, d, &out->skipped));
    docs_order_models(d);
    for (int32_t k = 0; k < DOC_KINDS; k++) TRY(send_kind(c, d, (DocKind)k, quiet, out));
    return ERR_OK;
}
