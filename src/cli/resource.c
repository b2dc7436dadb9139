// SPDX-License-Identifier: Apache-2.0
#include "cli/resource.h"

#define DOCUMENT_BYTES_MAX (1 << 20)

// The folder as a path pattern with the rest behind it.
static Str path_of(Client *c, const Resource *r, const char *rest, const Str *parts) {
    return client_path(c, arena_printf(&c->keep, "%s%s", r->folder, rest).p, parts);
}

static Err open_client(Client *c, const Common *common) {
    if (!common->world.p) return client_open(c, common);
    return tell(ERR_ARGUMENT, "--world has no meaning here: this belongs to the server, not to a world");
}

static Err say_pretty(Client *c) {
    Json doc;
    Buf out = {0};
    TRY(client_json(c, &doc));
    json_put_pretty(&out, &doc, 0);
    buf_byte(&out, '\n');
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

// ---- lists --------------------------------------------------------------------------------------------------------

static const Json *at_pointer(const Json *v, Str pointer, Arena *arena) {
    Str token;
    while (v && json_pointer_next(&pointer, arena, &token)) v = json_get(v, token);
    return v;
}

static Style style_of(Str text) {
    if (str_eq(text, STR("up")) || str_eq(text, STR("active"))) return STYLE_GREEN;
    if (str_eq(text, STR("failed"))) return STYLE_RED;
    if (str_eq(text, STR("connecting")) || str_eq(text, STR("retrying"))) return STYLE_YELLOW;
    return STYLE_PLAIN;
}

static void put_cell(Table *t, const Json *v) {
    Buf b = {0};
    Style style = STYLE_PLAIN;
    if (v && v->type == JSON_INT) text_count(v->i, &b);
    else if (v && v->type == JSON_STRING) {
        buf_str_put(&b, v->s);
        style = style_of(v->s);
    } else if (v && v->type != JSON_NULL) json_put(&b, v);
    table_put(t, style, buf_str(&b));
    buf_free(&b);
}

typedef struct Listing {
    const Resource *r;
    Table table;
    Arena scratch;
} Listing;

static Err put_item(void *arg, const Json *item) {
    Listing *l = arg;
    for (int32_t i = 0; i < l->r->column_count; i++)
        put_cell(&l->table, at_pointer(item, str_of(l->r->columns[i].pointer), &l->scratch));
    return ERR_OK;
}

static Err list(const Resource *r, Client *c) {
    Column columns[TABLE_COLUMNS_MAX];
    Listing l = {.r = r};
    int64_t count = 0;
    for (int32_t i = 0; i < r->column_count; i++) columns[i] = r->columns[i].column;
    arena_init(&l.scratch, 0);
    table_init(&l.table, columns, r->column_count);
    Err err = client_each(c, path_of(c, r, "", NULL), INT64_MAX, &count, put_item, &l);
    if (err == ERR_OK && count) err = say_table(&l.table);
    if (err == ERR_OK && !count) {
        note("there is no %s yet", r->noun);
        hint("%s", r->empty);
    }
    table_free(&l.table);
    arena_free(&l.scratch);
    return err;
}

static Err list_json(const Resource *r, Client *c) {
    TRY(client_do(c, &(Call){.path = path_of(c, r, "", NULL)}));
    return client_say(c);
}

Err resource_list(const Resource *r, const Common *common) {
    Client c = {0};
    Err err = open_client(&c, common);
    if (err == ERR_OK) err = common->json ? list_json(r, &c) : list(r, &c);
    client_close(&c);
    return err;
}

// ---- one ----------------------------------------------------------------------------------------------------------

static Err show(const Resource *r, Client *c, const Common *common, Str name, Str verb) {
    Str parts[] = {name, verb};
    TRY(client_do(c, &(Call){.path = path_of(c, r, verb.n ? "/{}/{}" : "/{}", parts)}));
    return common->json ? client_say(c) : say_pretty(c);
}

Err resource_show(const Resource *r, const Common *common, Str name, Str verb) {
    Client c = {0};
    Err err = open_client(&c, common);
    if (err == ERR_OK) err = show(r, &c, common, name, verb);
    client_close(&c);
    return err;
}

static Err put(const Resource *r, Client *c, const Common *common, Str name, Str body) {
    TRY(client_do(c, &(Call){.method = "PUT", .path = path_of(c, r, "/{}", &name), .body = body}));
    if (common->json && c->body.n) return client_say(c);
    if (!common->json) note("%s %.*s is stored", r->noun, STR_ARG(name));
    return ERR_OK;
}

Err resource_put_text(const Resource *r, const Common *common, Str name, Str body) {
    Client c = {0};
    Err err = open_client(&c, common);
    if (err == ERR_OK) err = put(r, &c, common, name, body);
    client_close(&c);
    return err;
}

Err resource_put(const Resource *r, const Common *common, Str name, Str file) {
    Buf body = {0};
    Err err = read_file(file, DOCUMENT_BYTES_MAX, &body);
    if (err == ERR_OK) err = resource_put_text(r, common, name, buf_str(&body));
    buf_free(&body);
    return err;
}

static Err act(const Resource *r, Client *c, const Common *common, const Str *parts, Str body, const char *done) {
    TRY(client_do(c, &(Call){.method = "POST", .path = path_of(c, r, "/{}/{}", parts), .body = body}));
    if (c->body.n && (common->json || !done)) return common->json ? client_say(c) : say_pretty(c);
    if (!common->json) note("%s %.*s %s", r->noun, STR_ARG(parts[0]), done);
    return ERR_OK;
}

Err resource_do(const Resource *r, const Common *common, Str name, Str verb, Str body, const char *done) {
    Client c = {0};
    Str parts[] = {name, verb};
    Err err = open_client(&c, common);
    if (err == ERR_OK) err = act(r, &c, common, parts, body, done);
    client_close(&c);
    return err;
}

Err resource_remove(const Resource *r, const Common *common, const Args *names) {
    Client c = {0};
    Err err = open_client(&c, common);
    for (int32_t i = 0; i < names->count && err == ERR_OK; i++) {
        err = client_do(&c, &(Call){.method = "DELETE", .path = path_of(&c, r, "/{}", &names->items[i])});
        if (err == ERR_OK && !common->json) note("%s %.*s is gone", r->noun, STR_ARG(names->items[i]));
    }
    client_close(&c);
    return err;
}
