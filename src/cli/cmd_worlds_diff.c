// SPDX-License-Identifier: Apache-2.0
// What differs between worlds, and taking changes of a fork over after somebody has looked at them.
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "cli/client.h"
#include "cli/term.h"

typedef struct Diff {
    Common common;
    Str model, twin, property;
    double tolerance, relative;
    int64_t limit;
} Diff;

typedef struct Merge {
    Common common;
    Str into;
    double tolerance, relative;
    bool yes, skip, dry;
} Merge;

static const Opt diff_opts[] = {
    OPT(Diff, model, OPT_STR, 'm', "model", "DTMI", "only twins of this model, and of those that extend it"),
    OPT(Diff, twin, OPT_STR, 't', "twin", "ID", "only this twin"),
    OPT(Diff, property, OPT_STR, 'p', "property", "PATH", "only this property"),
    OPT(Diff, tolerance, OPT_F64, 0, "tolerance", "N", "numbers that differ by no more are the same"),
    OPT(Diff, relative, OPT_F64, 0, "relative", "PART", "likewise, as a part of the larger one: 0.01"),
    OPT_RANGE(Diff, limit, "limit", "N", "show at most so many, up to 1000 (100)", 1, 1000),
    OPT_END,
};
static const Opt merge_opts[] = {
    OPT(Merge, into, OPT_STR, 'i', "into", "WORLD", "the world that takes the changes (live)"),
    OPT(Merge, dry, OPT_FLAG, 0, "dry-run", NULL, "only show what would happen"),
    OPT(Merge, skip, OPT_FLAG, 0, "skip-conflicts", NULL, "merge the rest when something is in conflict"),
    OPT(Merge, tolerance, OPT_F64, 0, "tolerance", "N", "numbers that differ by no more are the same"),
    OPT(Merge, relative, OPT_F64, 0, "relative", "PART", "likewise, as a part of the larger one: 0.01"),
    OPT(Merge, yes, OPT_FLAG, 'y', "yes", NULL, "do not ask"),
    OPT_END,
};

static const Column columns[] = {
    {"Twin", false, true}, {"What", false, true}, {"Before", true, true},
    {"After", true, true}, {"There", true, true}, {"Unit", false, false},
};

// ---- changes as rows ----------------------------------------------------------------------------------------------

static int64_t count_in(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && m->type == JSON_INT ? m->i : 0;
}

// A value as people read it: texts without quotes; "-" for none.
static void put_value(Table *t, Style style, const Json *v) {
    Buf b = {0};
    if (!v) buf_str_put(&b, STR(""));
    else if (v->type == JSON_NULL) buf_str_put(&b, STR("-"));
    else if (v->type == JSON_STRING) buf_str_put(&b, v->s);
    else json_put(&b, v);
    table_put(t, style, buf_str(&b));
    buf_free(&b);
}

static void put_what(Table *t, const Json *c) {
    Str what = json_text(c, STR("what")), change = json_text(c, STR("change")), rid = json_text(c, STR("relationship"));
    Str property = json_text(c, STR("property"));
    Style style = str_eq(change, STR("made")) ? STYLE_GREEN : str_eq(change, STR("deleted")) ? STYLE_RED : STYLE_PLAIN;
    if (property.n && rid.n) table_printf(t, style, "%.*s %.*s", STR_ARG(rid), STR_ARG(property));
    else if (property.n) table_put(t, style, property);
    else if (str_eq(what, STR("relationship")))
        table_printf(t, style, "%.*s %.*s -> %.*s", STR_ARG(change), STR_ARG(json_text(c, STR("relationshipName"))),
                     STR_ARG(json_text(c, STR("target"))));
    else if (str_eq(what, STR("document")))
        table_printf(t, style, "%.*s %.*s %.*s", STR_ARG(change), STR_ARG(json_text(c, STR("collection"))),
                     STR_ARG(json_text(c, STR("name"))));
    else if (str_eq(what, STR("twinModel"))) table_put(t, style, STR("$model"));
    else table_printf(t, style, "%.*s %.*s", STR_ARG(change), STR_ARG(what));
}

static void put_change(Table *t, const Json *c) {
    bool model = str_eq(json_text(c, STR("what")), STR("model")), retype = json_get(c, STR("modelBefore")) != NULL;
    table_put(t, STYLE_BOLD, json_text(c, model ? STR("model") : STR("twin")));
    put_what(t, c);
    put_value(t, STYLE_PLAIN, json_get(c, retype ? STR("modelBefore") : STR("before")));
    put_value(t, STYLE_PLAIN, json_get(c, retype ? STR("model") : STR("after")));
    put_value(t, STYLE_YELLOW, json_get(c, STR("there")));
    Str why = json_text(c, STR("why"));
    table_put(t, STYLE_DIM, why.n ? why : json_text(c, STR("unit")));
}

static Err print_changes(const Json *list, const char *last) {
    Table t;
    Column shown[6];
    memcpy(shown, columns, sizeof shown);
    shown[5] = (Column){last, false, true};
    table_init(&t, shown, 6);
    for (int32_t i = 0; i < list->count; i++) put_change(&t, &list->items[i]);
    Err err = list->count ? say_table(&t) : ERR_OK;
    table_free(&t);
    return err;
}

// ---- diff ---------------------------------------------------------------------------------------------------------

static void param(Buf *b, const char *name, Str value) {
    if (!value.n) return;
    buf_printf(b, "&%s=", name);
    url_escape(value, b);
}

static void diff_path(Client *c, const Diff *d, const Args *args, Buf *out) {
    buf_str_put(out, client_path(c, "//worlds/{}/diff", args->items));
    if (args->count > 1) param(out, "against", args->items[1]);
    param(out, "model", d->model);
    param(out, "twin", d->twin);
    param(out, "property", d->property);
    if (d->tolerance > 0) buf_printf(out, "&tolerance=%.17g", d->tolerance);
    if (d->relative > 0) buf_printf(out, "&relative=%.17g", d->relative);
}

static void put_counts(const Json *n, Buf *b) {
    static const struct {
        const char *key, *one, *many;
    } all[] = {{"values", "value", "values"},
               {"twinsMade", "twin made", "twins made"},
               {"twinsDeleted", "twin deleted", "twins deleted"},
               {"relationshipsMade", "relationship made", "relationships made"},
               {"relationshipsDeleted", "relationship deleted", "relationships deleted"},
               {"models", "model", "models"},
               {"documents", "definition", "definitions"}};
    int64_t before = b->n;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int64_t k = n ? count_in(n, str_of(all[i].key)) : 0;
        if (!k) continue;
        if (b->n > before) buf_str_put(b, STR(", "));
        text_count(k, b);
        buf_printf(b, " %s", k == 1 ? all[i].one : all[i].many);
    }
    if (b->n == before) buf_str_put(b, STR("no difference"));
}

static Err show_diff(Client *c, bool json) {
    Json doc;
    if (json) return client_say(c);
    TRY(client_json(c, &doc));
    const Json *list = json_get(&doc, STR("changes"));
    if (!list || list->type != JSON_ARRAY) return tell(ERR_SYNTAX, "the answer holds no list");
    TRY(print_changes(list, "Unit"));
    Buf b = {0};
    put_counts(json_get(&doc, STR("counts")), &b);
    note("%.*s", STR_ARG(buf_str(&b)));
    buf_free(&b);
    const Json *more = json_get(&doc, STR("nextLink"));
    if (more && more->type == JSON_STRING)
        hint("%d are shown; more with --limit, or fewer with --model, --twin, --property", list->count);
    return ERR_OK;
}

static Err open_client(Client *c, const Common *common) {
    if (!common->world.p) return client_open(c, common);
    tell(ERR_ARGUMENT, "worlds: --world has no meaning here");
    hint("name the worlds as arguments");
    return ERR_ARGUMENT;
}

static Err run_diff(void *fields, const Args *args) {
    const Diff *d = fields;
    Client c = {0};
    Buf path = {0};
    Err err = open_client(&c, &d->common);
    if (!err) {
        diff_path(&c, d, args, &path);
        err = client_do(&c, &(Call){.path = buf_str(&path), .page_size = d->limit ? d->limit : 100, .patient = true});
    }
    if (!err) err = show_diff(&c, d->common.json);
    buf_free(&path);
    client_close(&c);
    return err;
}

// ---- merge --------------------------------------------------------------------------------------------------------

// TWIN or TWIN/PROPERTY, '.' between the property's segments.
static void put_only(Buf *b, Str s) {
    const char *slash = s.n ? memchr(s.p, '/', (size_t)s.n) : NULL;
    Str twin = slash ? (Str){s.p, slash - s.p} : s;
    buf_str_put(b, STR("{\"twin\":"));
    json_put_str(b, twin);
    if (slash) {
        buf_str_put(b, STR(",\"property\":"));
        json_put_str(b, (Str){slash + 1, s.p + s.n - slash - 1});
    }
    buf_byte(b, '}');
}

static void merge_body(const Merge *m, const Args *args, bool dry, Buf *b) {
    buf_str_put(b, STR("{\"into\":"));
    json_put_str(b, m->into.n ? m->into : STR("live"));
    buf_printf(b, ",\"dryRun\":%s,\"skipConflicts\":%s,\"tolerance\":%.17g,\"relative\":%.17g", dry ? "true" : "false",
               m->skip ? "true" : "false", m->tolerance, m->relative);
    for (int32_t i = 1; i < args->count; i++) {
        buf_str_put(b, i == 1 ? STR(",\"only\":[") : STR(","));
        put_only(b, args->items[i]);
    }
    if (args->count > 1) buf_byte(b, ']');
    buf_byte(b, '}');
}

static Err ask_server(Client *c, const Merge *m, const Args *args, bool dry) {
    Buf body = {0};
    merge_body(m, args, dry, &body);
    client_reset(c);
    Err err = client_do(c, &(Call){.method = "POST",
                                   .path = client_path(c, "//worlds/{}/merge", args->items),
                                   .body = buf_str(&body),
                                   .patient = true});
    buf_free(&body);
    return err;
}

static void put_outcome(const Json *doc, bool dry, Buf *b) {
    text_count(count_in(doc, STR("merged")), b);
    buf_printf(b, dry ? " to merge" : " merged");
    int64_t same = count_in(doc, STR("same")), derived = count_in(doc, STR("derived"));
    int64_t conflicts = count_in(doc, STR("conflictCount"));
    if (same) buf_printf(b, ", %lld there already", (long long)same);
    if (derived) buf_printf(b, ", %lld computed there", (long long)derived);
    if (conflicts) buf_printf(b, ", %lld in conflict", (long long)conflicts);
}

static Err show_merge(Client *c, bool dry, bool rows, int64_t *to_merge, int64_t *conflicts) {
    Json doc;
    TRY(client_json(c, &doc));
    const Json *changes = json_get(&doc, STR("changes")), *bad = json_get(&doc, STR("conflicts"));
    *to_merge = count_in(&doc, STR("merged"));
    *conflicts = count_in(&doc, STR("conflictCount"));
    if (rows && changes) TRY(print_changes(changes, "Unit"));
    if (rows && bad && bad->count) {
        if (changes && changes->count) TRY(say(STR("\nIn conflict:\n\n")));
        TRY(print_changes(bad, "Why"));
    }
    Buf b = {0};
    put_outcome(&doc, dry, &b);
    note("%.*s", STR_ARG(buf_str(&b)));
    buf_free(&b);
    return ERR_OK;
}

static bool agreed(const char *question) {
    char answer[16] = {0};
    Buf out = {0};
    buf_printf(&out, "%s [y/N] ", question);
    Err err = term_write(STDERR_FILENO, buf_str(&out));
    buf_free(&out);
    while (!err && !term_interrupted()) {
        int ready = poll(&(struct pollfd){.fd = STDIN_FILENO, .events = POLLIN}, 1, 200);
        if (ready <= 0) continue;
        ssize_t n = read(STDIN_FILENO, answer, sizeof answer - 1);
        return n > 0 && (answer[0] == 'y' || answer[0] == 'Y');
    }
    return false;
}

// Look, have somebody say yes, merge.
static Err review(Client *c, const Merge *m, const Args *args) {
    int64_t todo = 0, conflicts = 0;
    TRY(ask_server(c, m, args, true));
    TRY(show_merge(c, true, true, &todo, &conflicts));
    if (conflicts && !m->skip) {
        tell(ERR_WORLD_CONFLICT, "nothing was merged: both worlds have changed the same");
        hint("settle it by hand, choose others (sosia worlds merge %.*s TWIN/PROPERTY), or --skip-conflicts",
             STR_ARG(args->items[0]));
        return ERR_WORLD_CONFLICT;
    }
    if (!todo || m->dry) return ERR_OK;
    if (!isatty(STDIN_FILENO)) {
        tell(ERR_ARGUMENT, "nothing was merged: there is nobody to ask");
        hint("look at it above, then say --yes");
        return ERR_ARGUMENT;
    }
    if (!agreed("Merge?")) return tell(ERR_CLOSED, "nothing was merged");
    TRY(ask_server(c, m, args, false));
    return show_merge(c, false, false, &todo, &conflicts);
}

static Err merge(Client *c, const Merge *m, const Args *args) {
    int64_t todo, conflicts;
    if (!m->common.json && !m->yes) return review(c, m, args);
    TRY(ask_server(c, m, args, m->dry));
    if (!m->common.json) return show_merge(c, m->dry, true, &todo, &conflicts);
    return client_say(c);
}

static Err run_merge(void *fields, const Args *args) {
    const Merge *m = fields;
    Client c = {0};
    Err err = open_client(&c, &m->common);
    if (!err) err = merge(&c, m, args);
    client_close(&c);
    return err;
}

const Command cmd_worlds_diff = {
    .name = "worlds diff",
    .arguments = "WORLD [OTHER]",
    .summary = "what a fork changed, or what differs between two worlds",
    .about = "Without OTHER, WORLD is compared with its parent as it was when it was forked. OTHER may be any world,\n"
             "also one of the past: live@2026-11-01T08:00:00Z.",
    .examples = "  sosia worlds diff night-shift\n"
                "  sosia worlds diff night-shift live --model 'dtmi:sosia:bottling:Line;1' --relative 0.01\n"
                "  sosia worlds diff live live@-1h --property state",
    .opts = diff_opts,
    .size = sizeof(Diff),
    .client = true,
    .args_min = 1,
    .args_max = 2,
    .run = run_diff,
};

const Command cmd_worlds_merge = {
    .name = "worlds merge",
    .arguments = "WORLD [TWIN[/PROPERTY] ...]",
    .summary = "take changes of a fork over, after a look at them",
    .about = "Everything that WORLD changed since it was forked, or only the twins and properties that are named,\n"
             "goes into another world as one batch. What has changed there too is in conflict: it is listed and\n"
             "never overwritten.",
    .examples = "  sosia worlds merge night-shift\n"
                "  sosia worlds merge night-shift line-1/targetSpeed --yes\n"
                "  sosia worlds merge night-shift --dry-run --json",
    .opts = merge_opts,
    .size = sizeof(Merge),
    .client = true,
    .args_min = 1,
    .args_max = STR_LIST_MAX,
    .run = run_merge,
};
