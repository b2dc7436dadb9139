// SPDX-License-Identifier: Apache-2.0
// Secrets of connections: items of their own, put into a document when it is used and taken out before it is stored.
#include "base/check.h"
#include "connect/connections.h"

typedef struct Reading {
    Str prefix; // "connection/NAME/"
    Secrets *out;
    Arena *arena;
} Reading;

static bool keep_secret(void *ctx, SosiaStr key, SosiaStr value) {
    Reading *r = ctx;
    if (!str_starts(key, r->prefix)) return false;
    Str path = str_sub(key, r->prefix.n, key.n);
    for (int32_t i = 0; i < r->out->count; i++) {
        Secret *s = &r->out->items[i];
        if (!str_eq(path, str_of(s->path))) continue;
        s->value = arena_str(r->arena, value);
        s->was = true;
    }
    return true;
}

Err secrets_read_of(SosiaConnect *k, Str prefix, const char *const *paths, Arena *arena, Secrets *out) {
    *out = (Secrets){0};
    for (const char *const *path = paths; path && *path; path++) {
        CHECK(out->count < SECRETS_MAX);
        out->items[out->count++].path = *path;
    }
    if (!out->count) return ERR_OK;
    Reading r = {prefix, out, arena};
    return (Err)sosia_items_scan(k->engine, STR("secret"), r.prefix, 0, keep_secret, &r);
}

Err secrets_read(SosiaConnect *k, Str name, const ConnectKind *kind, Arena *arena, Secrets *out) {
    return secrets_read_of(k, arena_printf(arena, "connection/%.*s/", STR_ARG(name)), kind->secrets, arena, out);
}

// The object that holds the path's last name, and that name.
static Json *holder(Json *doc, const char *path, Str *last) {
    Str rest = str_of(path);
    for (;;) {
        Str name = str_cut(&rest, '.');
        if (!rest.n) {
            *last = name;
            return doc && doc->type == JSON_OBJECT ? doc : NULL;
        }
        doc = (Json *)json_get(doc, name); // the tree is ours
    }
}

Json *secret_find(Json *doc, const char *path) {
    Str last;
    Json *in = holder(doc, path, &last);
    return in ? (Json *)json_get(in, last) : NULL;
}

static void add_member(Json *object, Str key, Str text, Arena *arena) {
    JsonMember *members = NEW(arena, JsonMember, object->count + 1);
    if (object->count) memcpy(members, object->members, (size_t)object->count * sizeof *members);
    members[object->count++] = (JsonMember){.key = key, .value = {.type = JSON_STRING, .s = text}};
    object->members = members;
}

// {"set":true}: 1, {"set":false}: 0, anything else: -1.
static int says_set(const Json *v) {
    const Json *set = v->type == JSON_OBJECT && v->count == 1 ? json_get(v, STR("set")) : NULL;
    return set && json_is_bool(set) ? set->type == JSON_TRUE : -1;
}

static Err take(Json *doc, Secret *s, Arena *arena, Diag *d) {
    Str last;
    Json *in = holder(doc, s->path, &last);
    if (!in) return ERR_OK; // gone with what it belonged to
    Json *v = (Json *)json_get(in, last);
    if (!v && s->was) add_member(in, last, s->value, arena);
    if (!v) {
        s->set = s->was;
        return ERR_OK;
    }
    if (v->type == JSON_STRING) {
        if (v->s.n > SECRET_BYTES_MAX)
            return diag_add(d, ERR_ARGUMENT, -1, -1, str_of(s->path), "at most %d bytes are possible",
                            SECRET_BYTES_MAX);
        s->value = v->s;
        s->set = v->s.n > 0;
        return ERR_OK;
    }
    int set = v->type == JSON_NULL ? 0 : says_set(v);
    if (set < 0) return diag_add(d, ERR_ARGUMENT, -1, -1, str_of(s->path), "a text or {\"set\":true} is expected");
    if (set && !s->was)
        return diag_add(d, ERR_ARGUMENT, -1, -1, str_of(s->path), "nothing is stored for it: give its text");
    *v = (Json){.type = JSON_STRING, .s = set ? s->value : STR("")};
    s->set = set > 0;
    return ERR_OK;
}

Err secrets_take(Json *doc, Secrets *s, Arena *arena, Diag *d) {
    for (int32_t i = 0; i < s->count; i++) TRY(take(doc, &s->items[i], arena, d));
    return ERR_OK;
}

void secrets_hide(Json *doc, const Secrets *s) {
    static const JsonMember yes[] = {{{"set", 3}, {.type = JSON_TRUE}}}, no[] = {{{"set", 3}, {.type = JSON_FALSE}}};
    for (int32_t i = 0; i < s->count; i++) {
        Json *v = secret_find(doc, s->items[i].path);
        if (v) *v = (Json){.type = JSON_OBJECT, .count = 1, .members = (JsonMember *)(s->items[i].set ? yes : no)};
    }
}
