// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"
#include "cli/load.h"
#include "cli/models.h"
#include "cli/units.h"

#define BATCH_MODELS 250 // of one request; what Azure Digital Twins takes

typedef struct Models {
    Common common;
    bool skip_existing;
    bool raw;
} Models;

static const Opt add_opts[] = {
    OPT(Models, skip_existing, OPT_FLAG, 0, "skip-existing", NULL, "leave out models that the server has"),
    OPT_END,
};
static const Opt list_opts[] = {OPT_END};
static const Opt show_opts[] = {
    OPT(Models, raw, OPT_FLAG, 0, "dtdl", NULL, "the DTDL document itself"),
    OPT_END,
};

// A language map or a plain text: English, else the first.
static Str in_english(const Json *v) {
    if (!v || v->type == JSON_STRING) return v ? v->s : (Str){0};
    const Json *en = json_get(v, STR("en"));
    if (!en && v->type == JSON_OBJECT && v->count) en = &v->members[0].value;
    return en && en->type == JSON_STRING ? en->s : (Str){0};
}

// ---- add ----------------------------------------------------------------------------------------------------------

static Err tell_unread(const Docs *d) {
    Buf b = {0};
    docs_place(d, d->errors[0].file, d->errors[0].line, &b);
    Err err = tell(ERR_SYNTAX, "%.*s: %.*s", STR_ARG(buf_str(&b)), STR_ARG(d->errors[0].text));
    if (d->error_total > 1) hint("and %lld more", (long long)d->error_total - 1);
    buf_free(&b);
    return err;
}

static Err post_models(Client *c, const Doc *docs, int64_t n) {
    Buf body = {0};
    for (int64_t i = 0; i < n; i++) {
        buf_byte(&body, i ? ',' : '[');
        buf_str_put(&body, docs[i].text);
    }
    buf_byte(&body, ']');
    client_reset(c);
    Err err = client_do(c, &(Call){.method = "POST", .path = client_path(c, "/models", NULL), .body = buf_str(&body)});
    buf_free(&body);
    return err;
}

static Err add(Client *c, const Models *m, Docs *d) {
    int64_t skipped = 0, added = 0;
    const DocList *l = &d->list[DOC_MODEL];
    if (!l->count) return tell(ERR_ARGUMENT, "models add: no model found in these files");
    if (m->skip_existing) TRY(load_skip_known(c, d, &skipped));
    docs_order_models(d);
    while (added < l->count) {
        int64_t n = l->count - added > BATCH_MODELS ? BATCH_MODELS : l->count - added;
        Err err = post_models(c, &l->items[added], n);
        if (err == ERR_MODEL_EXISTS) hint("leave out what is there with: --skip-existing");
        if (err != ERR_OK && added) hint("the first %lld models were added", (long long)added);
        TRY(err);
        added += n;
    }
    Buf out = {0};
    if (m->common.json) {
        buf_printf(&out, "{\"added\":%lld,\"skipped\":%lld}\n", (long long)added, (long long)skipped);
    } else {
        buf_printf(&out, "%lld model%s added", (long long)added, added == 1 ? "" : "s");
        if (skipped) buf_printf(&out, ", %lld were there", (long long)skipped);
        buf_byte(&out, '\n');
    }
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

static Err run_add(void *fields, const Args *args) {
    const Models *m = fields;
    Docs docs;
    Client c = {0};
    docs_init(&docs);
    Err err = ERR_OK;
    for (int32_t i = 0; i < args->count && err == ERR_OK; i++) err = docs_read(&docs, args->items[i]);
    if (err == ERR_OK && docs.error_total) err = tell_unread(&docs);
    if (err == ERR_OK) err = client_open(&c, &m->common);
    if (err == ERR_OK) err = add(&c, m, &docs);
    client_close(&c);
    docs_free(&docs);
    return err;
}

// ---- list ---------------------------------------------------------------------------------------------------------

typedef struct List {
    Table table;
    Buf json;
    int64_t now_ns;
    bool as_json;
} List;

static const Column list_columns[] = {{"Model", false, true}, {"Name", false, true}, {"Uploaded", false, false}};

static Err collect(void *arg, const Json *item) {
    List *l = arg;
    if (l->as_json) {
        buf_byte(&l->json, l->json.n ? ',' : '[');
        buf_str_put(&l->json, item->raw);
        return ERR_OK;
    }
    const Json *off = json_get(item, STR("decommissioned"));
    bool gone = off && off->type == JSON_TRUE;
    Style style = gone ? STYLE_DIM : STYLE_PLAIN;
    int64_t at;
    table_put(&l->table, style, json_text(item, STR("id")));
    table_put(&l->table, style, in_english(json_get(item, STR("displayName"))));
    Buf b = {0};
    if (time_parse(json_text(item, STR("uploadTime")), &at)) {
        text_age(l->now_ns - at, &b);
        if (l->now_ns - at >= NS_PER_S) buf_str_put(&b, STR(" ago"));
    }
    if (gone) buf_str_put(&b, STR(", decommissioned"));
    table_put(&l->table, STYLE_DIM, buf_str(&b));
    buf_free(&b);
    return ERR_OK;
}

Err models_list(Client *c, bool json) {
    int64_t count = 0;
    List l = {.now_ns = time_now_ns(), .as_json = json};
    table_init(&l.table, list_columns, 3);
    Err err = client_each(c, client_path(c, "/models", NULL), INT64_MAX, &count, collect, &l);
    if (err == ERR_OK && l.as_json) {
        buf_str_put(&l.json, count ? STR("]\n") : STR("[]\n"));
        err = say(buf_str(&l.json));
    } else if (err == ERR_OK && count) {
        err = say_table(&l.table);
    } else if (err == ERR_OK) {
        note("no models yet: add some with sosia models add FILE...");
    }
    buf_free(&l.json);
    table_free(&l.table);
    return err;
}

static Err run_list(void *fields, const Args *args) {
    (void)args;
    const Models *m = fields;
    Client c;
    Err err = client_open(&c, &m->common);
    if (err == ERR_OK) err = models_list(&c, m->common.json);
    client_close(&c);
    return err;
}

// ---- show ---------------------------------------------------------------------------------------------------------

static const Column show_columns[] = {{"Kind", false, false},
                                      {"Name", false, true},
                                      {"Type", false, true},
                                      {"Unit", false, false},
                                      {"From", false, true}};

static Str kind_of(const Json *type) {
    static const Str kinds[] = {
        {"Property", 8}, {"Telemetry", 9}, {"Relationship", 12}, {"Component", 9}, {"Command", 7}};
    for (int32_t i = 0; i < 5; i++) {
        if (type && type->type == JSON_STRING && str_eq(type->s, kinds[i])) return kinds[i];
        for (int32_t k = 0; type && type->type == JSON_ARRAY && k < type->count; k++) {
            if (type->items[k].type == JSON_STRING && str_eq(type->items[k].s, kinds[i])) return kinds[i];
        }
    }
    return (Str){0};
}

// "Enum: stopped, running": what a person may set.
static Str enum_type(Arena *keep, const Json *schema) {
    const Json *values = json_get(schema, STR("enumValues"));
    Buf b = {0};
    buf_str_put(&b, STR("Enum"));
    for (int32_t i = 0; values && values->type == JSON_ARRAY && i < values->count; i++) {
        const Json *v = json_get(&values->items[i], STR("enumValue"));
        buf_str_put(&b, i ? STR(", ") : STR(": "));
        if (v) buf_str_put(&b, v->type == JSON_STRING ? v->s : v->raw);
    }
    Str out = arena_str(keep, buf_str(&b));
    buf_free(&b);
    return out;
}

static Str type_of(Arena *keep, const Json *content) {
    const Json *schema = json_get(content, STR("schema"));
    if (!schema) schema = json_get(content, STR("target"));
    if (!schema || schema->type == JSON_STRING) return schema ? schema->s : (Str){0};
    Str type = json_text(schema, STR("@type"));
    return str_eq(type, STR("Enum")) ? enum_type(keep, schema) : type;
}

#define SHOW_DEPTH_MAX 24 // of components in components

typedef struct Show {
    Table *t;
    const Json *list; // the model and all it needs
    Str shown;
} Show;

static void put_tree(const Show *s, Str id, Str prefix, int32_t depth);

static void put_contents(const Show *s, const Json *model, Str prefix, int32_t depth) {
    const Json *contents = json_get(model, STR("contents"));
    Str id = json_text(model, STR("@id"));
    Arena *keep = &s->t->keep;
    for (int32_t i = 0; contents && contents->type == JSON_ARRAY && i < contents->count; i++) {
        const Json *c = &contents->items[i];
        Str kind = kind_of(json_get(c, STR("@type"))), name = json_text(c, STR("name"));
        if (prefix.n) name = arena_printf(keep, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(name));
        table_put(s->t, STYLE_DIM, kind);
        table_put(s->t, STYLE_BOLD, name);
        table_put(s->t, STYLE_PLAIN, type_of(keep, c));
        table_put(s->t, STYLE_PLAIN, unit_symbol(json_text(c, STR("unit"))));
        table_put(s->t, STYLE_DIM, str_eq(id, s->shown) ? (Str){0} : id);
        if (str_eq(kind, STR("Component"))) put_tree(s, json_text(c, STR("schema")), name, depth + 1);
    }
}

// The model `id` of the list, then what it extends, each once.
static void put_model(const Show *s, Str id, Str prefix, int32_t depth, bool *seen) {
    for (int32_t i = 0; i < s->list->count; i++) {
        const Json *item = &s->list->items[i];
        if (seen[i] || !str_eq(json_text(item, STR("id")), id)) continue;
        seen[i] = true;
        const Json *model = json_get(item, STR("model")), *extends = json_get(model, STR("extends"));
        put_contents(s, model, prefix, depth);
        if (extends && extends->type == JSON_STRING) put_model(s, extends->s, prefix, depth, seen);
        for (int32_t k = 0; extends && extends->type == JSON_ARRAY && k < extends->count; k++) {
            if (extends->items[k].type == JSON_STRING) put_model(s, extends->items[k].s, prefix, depth, seen);
        }
        return;
    }
}

static void put_tree(const Show *s, Str id, Str prefix, int32_t depth) {
    if (depth > SHOW_DEPTH_MAX) return;
    put_model(s, id, prefix, depth, NEW(&s->t->keep, bool, s->list->count));
}

static Err print_model(const Json *list, Str id) {
    Table t;
    Buf head = {0};
    table_init(&t, show_columns, 5);
    for (int32_t i = 0; i < list->count; i++) {
        const Json *item = &list->items[i];
        if (!str_eq(json_text(item, STR("id")), id)) continue;
        Str name = in_english(json_get(item, STR("displayName")));
        Str about = in_english(json_get(item, STR("description")));
        text_clean(id, &head);
        if (name.n) buf_str_put(&head, STR("  "));
        text_clean(name, &head);
        buf_byte(&head, '\n');
        text_clean(about, &head);
        buf_str_put(&head, about.n ? STR("\n\n") : STR("\n"));
    }
    put_tree(&(Show){&t, list, id}, id, (Str){0}, 0);
    Err err = say(buf_str(&head));
    if (err == ERR_OK) err = say_table(&t);
    buf_free(&head);
    table_free(&t);
    return err;
}

static Err show_raw(Client *c, bool pretty, Str id) {
    Json doc;
    TRY(client_do(c, &(Call){.path = client_path(c, "/models/{}?includeModelDefinition=true", &id)}));
    if (!pretty) return client_say(c);
    TRY(client_json(c, &doc));
    Buf out = {0};
    const Json *model = json_get(&doc, STR("model"));
    json_put_pretty(&out, model ? model : &doc, 0);
    buf_byte(&out, '\n');
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

Err models_show(Client *c, Str id) {
    Json doc;
    Str path = client_path(c, "/models?includeModelDefinition=true&dependenciesFor={}", &id);
    TRY(client_do(c, &(Call){.path = path}));
    TRY(client_json(c, &doc));
    const Json *list = json_get(&doc, STR("value"));
    return list && list->type == JSON_ARRAY ? print_model(list, id) : tell(ERR_SYNTAX, "the answer holds no list");
}

static Err run_show(void *fields, const Args *args) {
    const Models *m = fields;
    Client c;
    Err err = client_open(&c, &m->common);
    if (err == ERR_OK && (m->common.json || m->raw)) err = show_raw(&c, !m->common.json, args->items[0]);
    else if (err == ERR_OK) err = models_show(&c, args->items[0]);
    client_close(&c);
    return err;
}

const Command cmd_models_add = {
    .heading = "Load",
    .name = "models add",
    .arguments = "FILE|FOLDER...",
    .summary = "add DTDL models",
    .about =
        "Files hold one interface or an array of them; folders are searched for .json. The order does not matter:\n"
        "what a model extends or embeds is sent before it, up to 250 models a request, all or nothing.",
    .examples = "  sosia models add Pump.json Tank.json\n"
                "  sosia models add packs/bottling/models --skip-existing",
    .opts = add_opts,
    .size = sizeof(Models),
    .client = true,
    .args_min = 1,
    .args_max = STR_LIST_MAX,
    .run = run_add,
};

const Command cmd_models_list = {
    .name = "models list",
    .arguments = "",
    .summary = "the models of the server",
    .examples = "  sosia models list\n  sosia models list --json | jq -r '.[].id'",
    .opts = list_opts,
    .size = sizeof(Models),
    .client = true,
    .run = run_list,
};

const Command cmd_models_show = {
    .name = "models show",
    .arguments = "DTMI",
    .summary = "properties, relationships and components of a model",
    .examples = "  sosia models show 'dtmi:sosia:bottling:Filler;1'\n"
                "  sosia models show 'dtmi:sosia:bottling:Filler;1' --dtdl",
    .opts = show_opts,
    .size = sizeof(Models),
    .client = true,
    .args_min = 1,
    .args_max = 1,
    .run = run_show,
};
