// SPDX-License-Identifier: Apache-2.0
#include "connect/connect_doc.h"
#include <ctype.h>
#include <stdio.h>
#include "connect/connect.h"

// The path of a member: "tls.ca".
static Str place(Doc *p, const char *name) {
    if (!p->where.n) return arena_str(p->arena, str_of(name));
    if (!*name) return p->where;
    return arena_printf(p->arena, "%.*s.%s", STR_ARG(p->where), name);
}

void doc_bad(Doc *p, const char *name, const char *fmt, ...) {
    Buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    diag_add(p->d, ERR_ARGUMENT, -1, -1, place(p, name), "%.*s", STR_ARG(buf_str(&text)));
    buf_free(&text);
    p->err = ERR_ARGUMENT;
}

// Edits from a to b without regard to case, at most `most` + 1; names have at most 63 bytes.
static int64_t edits(Str a, Str b, int64_t most) {
    int64_t row[64];
    if (a.n > 63 || b.n > 63) return most + 1;
    for (int64_t j = 0; j <= b.n; j++) row[j] = j;
    for (int64_t i = 1; i <= a.n; i++) {
        int64_t corner = row[0];
        row[0] = i;
        for (int64_t j = 1; j <= b.n; j++) {
            bool same = tolower((unsigned char)a.p[i - 1]) == tolower((unsigned char)b.p[j - 1]);
            int64_t best = corner + (same ? 0 : 1);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            corner = row[j];
            row[j] = best;
        }
    }
    return row[b.n];
}

static const char *nearest(Str name, const char *const *known) {
    const char *best = NULL;
    int64_t least = name.n / 3 + 2;
    for (; *known; known++) {
        int64_t e = edits(name, str_of(*known), least);
        if (e < least) {
            least = e;
            best = *known;
        }
    }
    return best;
}

static bool among(Str name, const char *const *known) {
    for (; *known; known++)
        if (str_eq(name, str_of(*known))) return true;
    return false;
}

static void check_names(Doc *p, const char *const *known) {
    for (int32_t i = 0; i < p->json->count; i++) {
        Str key = p->json->members[i].key;
        if (among(key, known)) continue;
        const char *name = arena_str(p->arena, key).p, *near = nearest(key, known);
        if (near) doc_bad(p, name, "there is no such member; did you mean \"%s\"?", near);
        else doc_bad(p, name, "there is no such member");
    }
    if (p->json->dup) doc_bad(p, "", "a member is there twice");
}

Doc doc_of(const Json *v, Str where, const char *const *known, Diag *d, Arena *arena) {
    Doc p = {.where = where, .d = d, .arena = arena};
    if (!v || v->type != JSON_OBJECT) {
        doc_bad(&p, "", "an object is expected, not %s", v ? json_type_name(v->type) : "nothing");
        return p;
    }
    p.json = v;
    check_names(&p, known);
    return p;
}

static const Json *member(const Doc *p, const char *name) {
    const Json *v = json_get(p->json, str_of(name));
    return v && v->type == JSON_NULL ? NULL : v;
}

static void wrong(Doc *p, const char *name, const char *wanted, const Json *v) {
    doc_bad(p, name, "%s is expected, not %s", wanted, json_type_name(v->type));
}

Doc doc_object(Doc *p, const char *name, const char *const *known) {
    const Json *v = member(p, name);
    if (v) return doc_of(v, place(p, name), known, p->d, p->arena);
    return (Doc){.where = place(p, name), .d = p->d, .arena = p->arena};
}

const Json *doc_array(Doc *p, const char *name, int64_t max, int64_t *count) {
    const Json *v = member(p, name);
    *count = 0;
    if (!v) return NULL;
    if (v->type != JSON_ARRAY) {
        wrong(p, name, "an array", v);
        return NULL;
    }
    if (v->count > max) {
        doc_bad(p, name, "at most %lld are possible, not %d", (long long)max, v->count);
        return NULL;
    }
    *count = v->count;
    return v->items;
}

Doc doc_item(Doc *p, const char *name, const Json *items, int64_t i, const char *const *known) {
    Str where = arena_printf(p->arena, "%.*s[%lld]", STR_ARG(place(p, name)), (long long)i);
    return doc_of(&items[i], where, known, p->d, p->arena);
}

void doc_end(Doc *p, const Doc *below) {
    if (!p->err) p->err = below->err;
}

Str doc_str(Doc *p, const char *name, Str or_else, int64_t max) {
    const Json *v = member(p, name);
    if (!v) return or_else;
    if (v->type != JSON_STRING) {
        wrong(p, name, "a text", v);
        return or_else;
    }
    if (v->s.n > max) {
        doc_bad(p, name, "at most %lld bytes are possible, not %lld", (long long)max, (long long)v->s.n);
        return or_else;
    }
    return v->s;
}

bool doc_bool(Doc *p, const char *name, bool or_else) {
    const Json *v = member(p, name);
    if (!v) return or_else;
    if (!json_is_bool(v)) {
        wrong(p, name, "true or false", v);
        return or_else;
    }
    return v->type == JSON_TRUE;
}

int64_t doc_int(Doc *p, const char *name, int64_t or_else, int64_t min, int64_t max) {
    const Json *v = member(p, name);
    if (!v) return or_else;
    if (v->type != JSON_INT) {
        wrong(p, name, "a whole number", v);
        return or_else;
    }
    if (v->i < min || v->i > max) {
        doc_bad(p, name, "a number from %lld to %lld is expected", (long long)min, (long long)max);
        return or_else;
    }
    return v->i;
}

int doc_choice(Doc *p, const char *name, const char *const *choices, int or_else) {
    const Json *v = member(p, name);
    if (!v) return or_else;
    if (v->type == JSON_STRING)
        for (int i = 0; choices[i]; i++)
            if (str_eq(v->s, str_of(choices[i]))) return i;
    Buf all = {0};
    for (int i = 0; choices[i]; i++) buf_printf(&all, "%s\"%s\"", i ? ", " : "", choices[i]);
    doc_bad(p, name, "one of %.*s is expected", STR_ARG(buf_str(&all)));
    buf_free(&all);
    return or_else;
}

void doc_need(Doc *p, const char *name) {
    const Json *v = member(p, name);
    if (!v || (v->type == JSON_STRING && !v->s.n)) doc_bad(p, name, "this member is needed");
}

// ---- whole documents ----------------------------------------------------------------------------------------------

bool doc_name_ok(Str name) {
    if (!name.n || name.n > CONNECT_NAME_MAX || name.p[0] == '.') return false;
    for (int64_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
                  c == '.';
        if (!ok) return false;
    }
    return true;
}

void doc_drop(Json *object, Str key) {
    int32_t n = 0;
    for (int32_t i = 0; i < object->count; i++)
        if (!str_eq(object->members[i].key, key)) object->members[n++] = object->members[i];
    object->count = n;
}

Err doc_read(Str text, Str name, Arena *arena, Json *out, Str *kind, Diag *d) {
    TRY(json_parse(text, NULL, arena, out, d));
    if (out->type != JSON_OBJECT) return diag_add(d, ERR_ARGUMENT, -1, -1, (Str){0}, "An object is expected.");
    const Json *named = json_get(out, STR("name"));
    if (named && (named->type != JSON_STRING || !str_eq(named->s, name)))
        return diag_add(d, ERR_ARGUMENT, -1, -1, STR("name"), "it is not the name in the address");
    doc_drop(out, STR("name"));
    doc_drop(out, STR("status"));
    const Json *k = json_get(out, STR("kind")); // members have moved
    *kind = k && k->type == JSON_STRING ? k->s : (Str){0};
    return ERR_OK;
}
