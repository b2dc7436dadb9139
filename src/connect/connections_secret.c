// SPDX-License-Identifier: Apache-2.0
// Secrets of connections: items of their own, put into a document when it is used and taken out before it is stored.
#include "base/check.h"
#include "connect/connect_doc.h"
#include "connect/connections.h"

// ---- where they go ------------------------------------------------------------------------------------------------

typedef struct Place {
    Str lender;            // "connection"
    Str scheme, authority; // of "url"; without a default port
} Place;

static Str text_of(const Json *doc, Str name) {
    const Json *v = json_get(doc, name);
    return v && v->type == JSON_STRING ? v->s : (Str){0};
}

static int64_t authority_size(Str s) {
    int64_t n = 0;
    while (n < s.n && s.p[n] != '/' && s.p[n] != '?') n++;
    return n;
}

static Place place_of(const Json *doc) {
    static const struct {
        Str begin, scheme, port;
    } schemes[] = {
        {{"mqtt://", 7}, {"mqtt", 4}, {":1883", 5}},   {{"tcp://", 6}, {"mqtt", 4}, {":1883", 5}},
        {{"mqtts://", 8}, {"mqtts", 5}, {":8883", 5}}, {{"ssl://", 6}, {"mqtts", 5}, {":8883", 5}},
        {{"http://", 7}, {"http", 4}, {":80", 3}},     {{"https://", 8}, {"https", 5}, {":443", 4}},
    };
    Str url = text_of(doc, STR("url"));
    Place p = {.lender = text_of(doc, STR("connection")), .authority = url};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (!str_starts(url, schemes[i].begin)) continue;
        Str rest = str_sub(url, schemes[i].begin.n, url.n);
        p.scheme = schemes[i].scheme;
        if (str_starts(p.scheme, STR("http"))) rest.n = authority_size(rest);
        else if (str_ends(rest, STR("/"))) rest.n--; // a broker has no path
        if (str_ends(rest, schemes[i].port)) rest.n -= schemes[i].port.n;
        p.authority = rest;
    }
    return p;
}

static bool same_place(Place a, Place b) {
    return str_eq(a.lender, b.lender) && str_eq(a.scheme, b.scheme) && str_eq_nocase(a.authority, b.authority);
}

bool same_broker(const Json *a, const Json *b) {
    Place p = place_of(a);
    return p.scheme.n && same_place(p, place_of(b));
}

bool secrets_moved(Str before, const Json *doc, Arena *arena) {
    Json old;
    if (!before.n || json_parse(before, NULL, arena, &old, NULL)) return true;
    return !same_place(place_of(&old), place_of(doc));
}

Err secret_is_old(Str path, Str what, Diag *d) {
    return diag_add(d, ERR_ARGUMENT, -1, -1, path, "%.*sit has to be given again, because the address changed",
                    STR_ARG(what));
}

// ---- reading ------------------------------------------------------------------------------------------------------

typedef struct Reading {
    Str prefix; // "connection/NAME/"
    Secrets *out;
    Arena *arena;
} Reading;

// "headers.x-key" where every member of "headers" is a secret.
static bool is_each(const Secrets *s, Str path) {
    return s->each.n && path.n > s->each.n + 1 && str_starts(path, s->each) && path.p[s->each.n] == '.';
}

// False: there are too many.
static bool secret_add(Secrets *s, Str path, Arena *arena) {
    for (int32_t i = 0; i < s->count; i++)
        if (str_eq(path, str_of(s->items[i].path))) return true;
    if (s->count == SECRETS_MAX) return false;
    s->items[s->count++].path = arena_str(arena, path).p;
    return true;
}

static bool keep_secret(void *ctx, SosiaStr key, SosiaStr value) {
    Reading *r = ctx;
    if (!str_starts(key, r->prefix)) return false;
    Str path = str_sub(key, r->prefix.n, key.n);
    if (is_each(r->out, path)) (void)secret_add(r->out, path, r->arena);
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
        Str p = str_of(*path);
        CHECK(out->count < SECRETS_MAX);
        if (str_ends(p, STR(".*"))) out->each = str_sub(p, 0, p.n - 2);
        else out->items[out->count++].path = *path;
    }
    if (!out->count && !out->each.n) return ERR_OK;
    Reading r = {prefix, out, arena};
    return (Err)sosia_items_scan(k->engine, STR("secret"), r.prefix, 0, keep_secret, &r);
}

Err secrets_read(SosiaConnect *k, Str name, const ConnectKind *kind, Arena *arena, Secrets *out) {
    return secrets_read_of(k, arena_printf(arena, "connection/%.*s/", STR_ARG(name)), kind->secrets, arena, out);
}

// ---- in documents -------------------------------------------------------------------------------------------------

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

static Err take(Json *doc, Secret *s, bool moved, Arena *arena, Diag *d) {
    Str last;
    Json *in = holder(doc, s->path, &last);
    if (!in) return ERR_OK; // gone with what it belonged to
    Json *v = (Json *)json_get(in, last);
    if (!v && s->was && moved) return secret_is_old(str_of(s->path), (Str){0}, d);
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
    if (set && moved) return secret_is_old(str_of(s->path), (Str){0}, d);
    *v = (Json){.type = JSON_STRING, .s = set ? s->value : STR("")};
    s->set = set > 0;
    return ERR_OK;
}

// The members of the object that is all secrets. One that is taken away (null) leaves no trace.
static Err add_each(Json *doc, Secrets *s, Arena *arena, Diag *d) {
    Json *all = s->each.n ? (Json *)json_get(doc, s->each) : NULL;
    if (!all || all->type != JSON_OBJECT) return ERR_OK; // the kind complains
    for (int32_t i = 0; i < all->count; i++) {
        Str name = all->members[i].key, path = arena_printf(arena, "%.*s.%.*s", STR_ARG(s->each), STR_ARG(name));
        if (!name.n || str_find(name, '.', 0) >= 0)
            return diag_add(d, ERR_ARGUMENT, -1, -1, s->each, "a name without '.' is expected");
        if (!secret_add(s, path, arena))
            return diag_add(d, ERR_ARGUMENT, -1, -1, s->each, "at most %d secrets are possible", SECRETS_MAX);
    }
    return ERR_OK;
}

static void drop_empty(Json *doc, const Secrets *s) {
    Json *all = s->each.n ? (Json *)json_get(doc, s->each) : NULL;
    if (!all || all->type != JSON_OBJECT) return;
    for (int32_t i = all->count - 1; i >= 0; i--) {
        const Json *v = &all->members[i].value;
        if (v->type == JSON_STRING && !v->s.n) doc_drop(all, all->members[i].key);
    }
}

Err secrets_take(Json *doc, Secrets *s, Arena *arena, Diag *d) {
    TRY(add_each(doc, s, arena, d));
    for (int32_t i = 0; i < s->count; i++) TRY(take(doc, &s->items[i], s->moved, arena, d));
    drop_empty(doc, s);
    return ERR_OK;
}

void secrets_hide(Json *doc, const Secrets *s) {
    static const JsonMember yes[] = {{{"set", 3}, {.type = JSON_TRUE}}}, no[] = {{{"set", 3}, {.type = JSON_FALSE}}};
    for (int32_t i = 0; i < s->count; i++) {
        Json *v = secret_find(doc, s->items[i].path);
        if (v) *v = (Json){.type = JSON_OBJECT, .count = 1, .members = (JsonMember *)(s->items[i].set ? yes : no)};
    }
}
