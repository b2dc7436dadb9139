// SPDX-License-Identifier: Apache-2.0
#include "cli/derived_here.h"
#include "cli/text.h"

Err derived_here_open(DerivedHere *d, Client *c) {
    *d = (DerivedHere){.client = c};
    arena_init(&d->keep, 0);
    TRY(client_do(c, &(Call){.path = client_path(c, "/derived", NULL)}));
    return json_parse(arena_str(&d->keep, buf_str(&c->body)), NULL, &d->keep, &d->list, NULL);
}

void derived_here_close(DerivedHere *d) {
    map_free(&d->known);
    arena_free(&d->keep);
}

void derived_here_forget(DerivedHere *d) { map_free(&d->known); }

static const Json *definitions(const DerivedHere *d) {
    const Json *value = json_get(&d->list, STR("value"));
    return value && value->type == JSON_ARRAY ? value : NULL;
}

static void put_quoted(Buf *b, Str s) {
    buf_byte(b, '\'');
    for (int64_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'' || s.p[i] == '\\') buf_byte(b, '\\');
        buf_byte(b, s.p[i]);
    }
    buf_byte(b, '\'');
}

// Is the twin of the model, or of one that extends it? The world knows.
static Err is_of(DerivedHere *d, Str twin, Str model, bool *yes) {
    Buf query = {0}, body = {0};
    Json doc;
    buf_str_put(&query, STR("SELECT T.$dtId FROM DIGITALTWINS T WHERE T.$dtId = "));
    put_quoted(&query, twin);
    buf_str_put(&query, STR(" AND IS_OF_MODEL(T, "));
    put_quoted(&query, model);
    buf_byte(&query, ')');
    buf_str_put(&body, STR("{\"query\":"));
    json_put_str(&body, buf_str(&query));
    buf_byte(&body, '}');
    Client *c = d->client;
    Call call = {.method = "POST", .path = client_path(c, "/query", NULL), .body = buf_str(&body)};
    Err err = client_do(c, &call);
    if (!err) err = client_json(c, &doc);
    const Json *rows = err ? NULL : json_get(&doc, STR("value"));
    *yes = rows && rows->type == JSON_ARRAY && rows->count > 0;
    buf_free(&query);
    buf_free(&body);
    return err;
}

static Err find(DerivedHere *d, const Json *defs, Str twin, Str path, bool *yes) {
    for (int32_t i = 0; i < defs->count && !*yes; i++) {
        const Json *def = &defs->items[i];
        Str model = json_text(def, STR("model"));
        if (!str_eq(json_text(def, STR("property")), path)) continue;
        if (model.n) TRY(is_of(d, twin, model, yes));
        else *yes = str_eq(json_text(def, STR("twin")), twin);
    }
    return ERR_OK;
}

static bool any_of(const Json *defs, Str path) {
    for (int32_t i = 0; i < defs->count; i++)
        if (str_eq(json_text(&defs->items[i], STR("property")), path)) return true;
    return false;
}

Err derived_here(DerivedHere *d, Str twin, Str path, bool *yes) {
    const Json *defs = definitions(d);
    int64_t known = 0;
    *yes = false;
    if (!defs || !any_of(defs, path)) return ERR_OK;
    Buf key = {0};
    buf_str_put(&key, twin);
    buf_byte(&key, 0);
    buf_str_put(&key, path);
    bool had = map_get(&d->known, buf_str(&key), &known);
    Err err = ERR_OK;
    if (had) *yes = known;
    else err = find(d, defs, twin, path, yes);
    if (!err && !had) map_put(&d->known, arena_str(&d->keep, buf_str(&key)), *yes);
    buf_free(&key);
    return err;
}
