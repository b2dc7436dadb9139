// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"
#include "cli/units.h"

#define STALE_AFTER_NS (60 * NS_PER_S)

typedef struct Get {
    Common common;
    Str component;
    Str model;
    bool relationships;
    bool incoming;
    int64_t limit;
    int64_t stale_ns;
} Get;

static const Opt opts[] = {
    OPT(Get, component, OPT_STR, 'c', "component", "NAME", "one component of the twin"),
    OPT(Get, relationships, OPT_FLAG, 'r', "relationships", NULL, "where the twin points to"),
    OPT(Get, incoming, OPT_FLAG, 'i', "incoming", NULL, "what points to the twin"),
    OPT(Get, model, OPT_STR, 'm', "model", "DTMI", "list: only twins of this model or of one that extends it"),
    OPT_RANGE(Get, limit, "limit", "N", "list: at most N (1000)", 1, 100000000),
    OPT(Get, stale_ns, OPT_DURATION, 0, "stale-after", "TIME", "a sensor's value older than this is stale (60s)"),
    OPT_END,
};

// ---- one twin or component ----------------------------------------------------------------------------------------

typedef struct Sheet {
    Client *client;
    Units units;
    Table table;
    Str model, component; // of the twin; what is shown of it, empty: all
    int64_t now_ns, stale_ns;
    int64_t stale;
} Sheet;

static const Column sheet_columns[] = {
    {"Property", false, true}, {"Value", true, true}, {"Unit", false, false}, {"Updated", false, false}};

static bool time_in(const Json *meta, Str key, int64_t *out) {
    const Json *v = json_get(meta, key);
    return v && v->type == JSON_STRING && time_parse(v->s, out);
}

static void put_value(Table *t, Style style, const Json *v) {
    if (v->type == JSON_STRING) {
        table_put(t, style, v->s);
        return;
    }
    Buf b = {0};
    json_put(&b, v);
    table_put(t, style, buf_str(&b));
    buf_free(&b);
}

// Only what a sensor feeds can go stale: it says when it measured, a person or an import does not.
static void put_age(Sheet *s, const Json *meta) {
    int64_t at, source;
    if (!time_in(meta, STR("lastUpdateTime"), &at)) {
        table_put(&s->table, STYLE_PLAIN, (Str){0});
        return;
    }
    int64_t age = s->now_ns - at;
    bool stale = time_in(meta, STR("sourceTime"), &source) && age > s->stale_ns;
    Buf b = {0};
    text_age(age, &b);
    if (age >= NS_PER_S) buf_str_put(&b, STR(" old"));
    if (stale) buf_str_put(&b, STR(", stale"));
    s->stale += stale;
    table_put(&s->table, stale ? STYLE_YELLOW : STYLE_DIM, buf_str(&b));
    buf_free(&b);
}

static Str unit_at(Sheet *s, Str path) {
    if (s->component.n) {
        path = arena_printf(&s->table.keep, "%.*s.%.*s", STR_ARG(s->component), STR_ARG(path));
    }
    return units_of(&s->units, s->client, s->model, path);
}

static void put_members(Sheet *s, Str prefix, const Json *object, const Json *meta) {
    for (int32_t i = 0; i < object->count; i++) {
        const JsonMember *m = &object->members[i];
        if (str_starts(m->key, STR("$"))) continue;
        Str path = prefix.n ? arena_printf(&s->table.keep, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(m->key)) : m->key;
        const Json *inner = json_get(&m->value, STR("$metadata"));
        if (inner) {
            put_members(s, path, &m->value, inner);
            continue;
        }
        table_put(&s->table, STYLE_PLAIN, path);
        put_value(&s->table, STYLE_BOLD, &m->value);
        table_put(&s->table, STYLE_DIM, unit_at(s, path));
        put_age(s, json_get(meta, m->key));
    }
}

// A component does not tell the model, which knows its units: ask the twin. Empty when it cannot be had.
static Str model_of(Client *c, Str id, const Json *meta, bool component, Arena *keep) {
    Json twin;
    if (!component) return arena_str(keep, json_text(meta, STR("$model")));
    if (client_call(c, &(Call){.path = client_path(c, "/digitaltwins/{}", &id)}) != ERR_OK) return (Str){0};
    if (json_parse(buf_str(&c->body), NULL, &c->keep, &twin, NULL) != ERR_OK) return (Str){0};
    return arena_str(keep, json_text(json_get(&twin, STR("$metadata")), STR("$model")));
}

static Err print_sheet(Client *c, const Get *g, Str id, const Json *doc) {
    Sheet s = {.client = c, .now_ns = time_now_ns(), .stale_ns = g->stale_ns ? g->stale_ns : STALE_AFTER_NS};
    const Json *meta = json_get(doc, STR("$metadata"));
    units_init(&s.units);
    table_init(&s.table, sheet_columns, 4);
    s.component = g->component;
    s.model = model_of(c, id, meta, g->component.n > 0, &s.table.keep);
    put_members(&s, (Str){0}, doc, meta);
    Buf head = {0};
    text_clean(id, &head);
    if (s.component.n) buf_str_put(&head, STR("  "));
    text_clean(s.component, &head);
    if (s.model.n) buf_str_put(&head, STR("  "));
    text_clean(s.model, &head);
    buf_str_put(&head, STR("\n\n"));
    Err err = say(buf_str(&head));
    if (err == ERR_OK && table_rows(&s.table)) err = say_table(&s.table);
    if (err == ERR_OK && !table_rows(&s.table)) err = say(STR("no values yet\n"));
    buf_free(&head);
    if (s.stale) note("%lld of %lld values are stale", (long long)s.stale, (long long)table_rows(&s.table));
    table_free(&s.table);
    units_free(&s.units);
    return err;
}

static Err get_twin(Client *c, const Get *g, Str id) {
    Json doc;
    Str parts[] = {id, g->component};
    const char *pattern = g->component.n ? "/digitaltwins/{}/components/{}" : "/digitaltwins/{}";
    TRY(client_do(c, &(Call){.path = client_path(c, pattern, parts)}));
    if (g->common.json) return client_say(c);
    Str body = arena_str(&c->keep, buf_str(&c->body));
    if (json_parse(body, NULL, &c->keep, &doc, NULL) != ERR_OK) return client_json(c, &doc);
    return print_sheet(c, g, id, &doc);
}

// ---- lists --------------------------------------------------------------------------------------------------------

typedef struct List {
    Table table;
    Buf json;
    int64_t now_ns;
    const Get *get;
    bool incoming;
} List;

static Err collect_json(void *arg, const Json *item) {
    List *l = arg;
    buf_byte(&l->json, l->json.n ? ',' : '[');
    buf_str_put(&l->json, item->raw);
    return l->json.full ? tell(ERR_LIMIT, "the list is too long: use --limit") : ERR_OK;
}

static Err collect_twin(void *arg, const Json *item) {
    List *l = arg;
    const Json *meta = json_get(item, STR("$metadata"));
    int64_t at;
    table_put(&l->table, STYLE_PLAIN, json_text(item, STR("$dtId")));
    table_put(&l->table, STYLE_DIM, json_text(meta, STR("$model")));
    Buf b = {0};
    if (time_in(meta, STR("$lastUpdateTime"), &at)) {
        text_age(l->now_ns - at, &b);
        if (l->now_ns - at >= NS_PER_S) buf_str_put(&b, STR(" ago"));
    }
    table_put(&l->table, STYLE_DIM, buf_str(&b));
    buf_free(&b);
    return ERR_OK;
}

static Err collect_link(void *arg, const Json *item) {
    List *l = arg;
    Buf properties = {0};
    for (int32_t i = 0; i < item->count; i++) {
        if (str_starts(item->members[i].key, STR("$"))) continue;
        if (properties.n) buf_str_put(&properties, STR(", "));
        buf_str_put(&properties, item->members[i].key);
        buf_byte(&properties, ' ');
        json_put(&properties, &item->members[i].value);
    }
    table_put(&l->table, STYLE_PLAIN, json_text(item, STR("$relationshipName")));
    table_put(&l->table, STYLE_BOLD, json_text(item, l->incoming ? STR("$sourceId") : STR("$targetId")));
    table_put(&l->table, STYLE_DIM, json_text(item, STR("$relationshipId")));
    if (!l->incoming) table_put(&l->table, STYLE_DIM, buf_str(&properties));
    buf_free(&properties);
    return ERR_OK;
}

static const Column twin_columns[] = {{"Twin", false, true}, {"Model", false, true}, {"Changed", false, false}};
static const Column out_columns[] = {
    {"Relationship", false, true}, {"To", false, true}, {"Id", false, true}, {"Properties", false, true}};
static const Column in_columns[] = {{"Relationship", false, true}, {"From", false, true}, {"Id", false, true}};

static Err print_list(Client *c, const Get *g, Str path, List *l, ClientItemFn row, const char *none) {
    int64_t count = 0, limit = g->limit ? g->limit : 1000;
    l->now_ns = time_now_ns();
    Err err = client_each(c, path, limit, &count, g->common.json ? collect_json : row, l);
    if (err == ERR_OK && g->common.json) {
        buf_str_put(&l->json, count ? STR("]\n") : STR("[]\n"));
        err = say(buf_str(&l->json));
    } else if (err == ERR_OK && count) {
        err = say_table(&l->table);
        if (count == limit && err == ERR_OK) note("the first %lld; see more with --limit", (long long)limit);
    } else if (err == ERR_OK) {
        note("%s", none);
    }
    table_free(&l->table);
    buf_free(&l->json);
    return err;
}

static Err list_twins(Client *c, const Get *g) {
    List l = {.get = g};
    table_init(&l.table, twin_columns, 3);
    Str path = g->model.n ? client_path(c, "/digitaltwins?model={}", &g->model) : client_path(c, "/digitaltwins", NULL);
    return print_list(c, g, path, &l, collect_twin, "no twins yet: load some with sosia import, or start sosia demo");
}

static Err list_links(Client *c, const Get *g, Str id) {
    List l = {.get = g, .incoming = g->incoming};
    if (g->incoming) table_init(&l.table, in_columns, 3);
    else table_init(&l.table, out_columns, 4);
    const char *pattern = g->incoming ? "/digitaltwins/{}/incomingrelationships" : "/digitaltwins/{}/relationships";
    return print_list(c, g, client_path(c, pattern, &id), &l, collect_link, "no relationships");
}

static Err run(void *fields, const Args *args) {
    const Get *g = fields;
    Client c;
    if (!args->count && (g->component.n || g->relationships || g->incoming)) {
        return tell(ERR_ARGUMENT, "get: name the twin");
    }
    if (g->relationships && g->incoming) return tell(ERR_ARGUMENT, "get: --relationships or --incoming, not both");
    Err err = client_open(&c, &g->common);
    if (err == ERR_OK && !args->count) err = list_twins(&c, g);
    else if (err == ERR_OK && (g->relationships || g->incoming)) err = list_links(&c, g, args->items[0]);
    else if (err == ERR_OK) err = get_twin(&c, g, args->items[0]);
    client_close(&c);
    return err;
}

const Command cmd_get = {
    .heading = "Look",
    .name = "get",
    .arguments = "[TWIN]",
    .summary = "a twin with its values and their age, or a list of twins",
    .about = "Without TWIN: the twins in order of creation.",
    .examples = "  sosia get\n"
                "  sosia get --model 'dtmi:sosia:bottling:Pump;1'\n"
                "  sosia get line-1-filler\n"
                "  sosia get truck-1 --component reefer\n"
                "  sosia get line-1-filler --relationships\n"
                "  sosia get line-1-filler --json",
    .opts = opts,
    .size = sizeof(Get),
    .client = true,
    .args_max = 1,
    .run = run,
};
