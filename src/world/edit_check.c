// SPDX-License-Identifier: Apache-2.0
// What a body may hold: ids, known members, values that fit their types, sizes, metadata. Nothing here writes.
#include "base/check.h"
#include "base/time.h"
#include "world/edit_inner.h"

// Code points of valid UTF-8; -1 when a control character is among them.
static int64_t id_length(Str id) {
    int64_t points = 0;
    for (int64_t i = 0; i < id.n; i++) {
        uint8_t c = (uint8_t)id.p[i];
        uint8_t next = i + 1 < id.n ? (uint8_t)id.p[i + 1] : 0;
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0)) return -1; // U+0080 to U+009F steer terminals too
        points += (c & 0xc0) != 0x80;
    }
    return points;
}

Err edit_check_id(Str id, const char *what, Diag *d) {
    int64_t n = str_utf8_ok(id) ? id_length(id) : -1;
    if (n >= 1 && n <= TWIN_ID_MAX) return ERR_OK;
    if (n > TWIN_ID_MAX)
        return diag_add(d, ERR_ARGUMENT, -1, -1, str_sub(id, 0, 32), "a %s has at most %d characters, this one %lld",
                        what, TWIN_ID_MAX, (long long)n);
    return diag_add(d, ERR_ARGUMENT, -1, -1, (Str){0}, "a %s is 1 to %d characters of UTF-8 without control characters",
                    what, TWIN_ID_MAX);
}

// A path for messages: prefix "." name.
static Str join(const Subject *s, Str prefix, Str name) {
    return prefix.n ? arena_printf(s->arena, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(name)) : name;
}

static Err check_dup(const Subject *s, const Json *v, Str path) {
    if (!v->dup) return ERR_OK;
    return diag_add(s->d, ERR_VALIDATION, v->at, v->at + v->raw.n, path, "a member is given more than once");
}

// What a document's type leaves open: doubled members, and keys of maps at every depth.
static Err check_doc(const Subject *s, const Type *t, const Json *v, Str path) {
    if (v->type == JSON_ARRAY) {
        const Type *item = t && t->shape == SHAPE_ARRAY ? t->item : NULL;
        for (int32_t k = 0; k < v->count; k++) TRY(check_doc(s, item, &v->items[k], path));
    }
    if (v->type != JSON_OBJECT) return ERR_OK;
    TRY(check_dup(s, v, path));
    for (int32_t k = 0; k < v->count; k++) {
        Str key = v->members[k].key;
        if (t && t->shape == SHAPE_MAP && (key.n == 0 || key.n > NAME_KEY_MAX || key.p[0] == '$'))
            return diag_add(s->d, ERR_VALIDATION, v->members[k].value.at, -1, path,
                            "a map key is 1 to %d bytes and does not begin with $", NAME_KEY_MAX);
        const Type *inner = t && t->shape == SHAPE_MAP ? t->item : NULL;
        for (int32_t f = 0; t && t->shape == SHAPE_OBJECT && f < t->field_count; f++) {
            if (str_eq(t->fields[f].name, key)) inner = t->fields[f].type;
        }
        TRY(check_doc(s, inner, &v->members[k].value, path));
    }
    return ERR_OK;
}

// Bytes of a document as it will be stored. What was parsed is never shorter than its compact form.
static int64_t doc_size(const Json *v) {
    if (v->raw.n > 0 && v->raw.n <= STRING_VALUE_MAX) return v->raw.n;
    Buf b = {0};
    json_put(&b, v);
    int64_t n = b.n;
    buf_free(&b);
    return n;
}

// Sizes and keys of a value that its type accepts.
static Err check_form(const Subject *s, int32_t i, const Json *v) {
    const Field *f = &s->fields[i];
    int64_t size = f->cell == CELL_STR && v->type == JSON_STRING ? v->s.n : f->cell == CELL_DOC ? doc_size(v) : 0;
    if (size > STRING_VALUE_MAX)
        return diag_add(s->d, ERR_LIMIT, v->at, v->at + v->raw.n, f->path, "the value has %lld bytes, the limit is %d",
                        (long long)size, STRING_VALUE_MAX);
    if (f->cell == CELL_DOC) return check_doc(s, f->type, v, f->path);
    if (f->cell != CELL_OBJECT) return ERR_OK;
    TRY(check_dup(s, v, f->path));
    for (int32_t k = 0; k < v->count; k++) {
        int32_t child = edit_child(s, i, v->members[k].key);
        CHECK(child >= 0); // type_check refuses unknown fields
        TRY(check_form(s, child, &v->members[k].value));
    }
    return ERR_OK;
}

static Err check_component(const Subject *s, int32_t i, const Json *v) {
    if (v->type == JSON_OBJECT) return edit_check_members(s, i, v);
    return diag_add(s->d, ERR_VALIDATION, v->at, v->at + v->raw.n, s->fields[i].path,
                    "a component is an object with \"$metadata\", not %s", json_type_name(v->type));
}

Err edit_check_value(const Subject *s, int32_t i, const Json *v) {
    const Field *f = &s->fields[i];
    if (v->type == JSON_NULL)
        return diag_add(s->d, ERR_VALIDATION, v->at, v->at + v->raw.n, f->path,
                        "null is not a value; leave the property out or remove it");
    if (f->cell == CELL_COMPONENT) return check_component(s, i, v);
    TRY(type_check(f->type, v, f->path, s->d));
    return check_form(s, i, v);
}

Err edit_unknown(const Subject *s, int32_t parent, Str path, Str name) {
    if (parent >= 0) {
        bool component = s->fields[parent].cell == CELL_COMPONENT;
        return diag_add(s->d, ERR_VALIDATION, -1, -1, path, "%s \"%.*s\" has no %s \"%.*s\"",
                        component ? "component" : "object", STR_ARG(s->fields[parent].path),
                        component ? "property" : "field", STR_ARG(name));
    }
    if (!s->model)
        return diag_add(s->d, ERR_VALIDATION, -1, -1, path, "the relationship has no property \"%.*s\"", STR_ARG(name));
    const char *is = model_rel(s->model, path)         ? "is a relationship of model %.*s and cannot be set as a value"
                     : model_telemetry(s->model, path) ? "is telemetry of model %.*s and cannot be set as a value"
                                                       : "is not a property or component of model %.*s";
    Str reason = arena_printf(s->arena, is, STR_ARG(s->model->id));
    return diag_add(s->d, ERR_VALIDATION, -1, -1, path, "\"%.*s\" %.*s", STR_ARG(name), STR_ARG(reason));
}

Err edit_no_component(const Subject *s, Str component) {
    return diag_add(s->d, ERR_COMPONENT_NOT_FOUND, -1, -1, s->name, "twin \"%.*s\" has no component \"%.*s\"",
                    STR_ARG(s->name), STR_ARG(component));
}

Err edit_source_time(const Subject *s, const Json *v, Str path, int64_t *out) {
    if (v->type == JSON_STRING && time_parse(v->s, out)) return ERR_OK;
    return diag_add(s->d, ERR_VALIDATION, v->at, v->at + v->raw.n, path,
                    "sourceTime is a date and time as in 2026-11-22T08:00:00.0000000Z");
}

Err edit_source_of(const Subject *s, const Json *meta, Str name, Str path, int64_t *out) {
    *out = 0;
    const Json *t = json_get(json_get(meta, name), STR("sourceTime"));
    return t && t->type != JSON_NULL ? edit_source_time(s, t, path, out) : ERR_OK;
}

static Err check_metadata(const Subject *s, const Json *v, Str path) {
    const Json *meta = json_get(v, STR("$metadata"));
    if (!meta) return ERR_OK;
    if (meta->type != JSON_OBJECT)
        return diag_add(s->d, ERR_VALIDATION, meta->at, meta->at + meta->raw.n, path,
                        "\"$metadata\" is an object, not %s", json_type_name(meta->type));
    TRY(check_dup(s, meta, path));
    int64_t unused;
    for (int32_t k = 0; k < meta->count; k++) {
        Str name = meta->members[k].key;
        if (name.n == 0 || name.p[0] != '$') TRY(edit_source_of(s, meta, name, join(s, path, name), &unused));
    }
    return ERR_OK;
}

// "$..." members a body may carry: ids and etags at the root, "$metadata" of twins and components.
static bool dollar_ok(const Subject *s, int32_t parent, Str name) {
    static const char *const twin[] = {"$dtId", "$etag", "$metadata", NULL};
    static const char *const link[] = {"$dtId",     "$relationshipId",   "$etag", "$sourceId",
                                       "$targetId", "$relationshipName", NULL};
    static const char *const component[] = {"$metadata", NULL};
    const char *const *list = parent >= 0 ? component : s->model ? twin : link;
    for (; *list; list++) {
        if (str_eq(name, str_of(*list))) return true;
    }
    return false;
}

static Err check_components(const Subject *s, int32_t parent, const Json *v) {
    int32_t end = parent < 0 ? s->count : s->fields[parent].end;
    for (int32_t i = parent + 1; i < end; i = s->fields[i].end) {
        const Field *f = &s->fields[i];
        if (f->cell != CELL_COMPONENT || json_get(v, f->name)) continue;
        return diag_add(s->d, ERR_VALIDATION, v->at, -1, f->path,
                        "component \"%.*s\" is missing; {\"$metadata\":{}} is the least it needs", STR_ARG(f->path));
    }
    return ERR_OK;
}

Err edit_check_members(const Subject *s, int32_t parent, const Json *v) {
    Str path = parent < 0 ? (Str){0} : s->fields[parent].path;
    TRY(check_dup(s, v, path));
    for (int32_t k = 0; k < v->count; k++) {
        Str name = v->members[k].key;
        const Json *value = &v->members[k].value;
        if (name.n > 0 && name.p[0] == '$') {
            if (dollar_ok(s, parent, name)) continue;
            return diag_add(s->d, ERR_VALIDATION, value->at, -1, join(s, path, name),
                            "\"%.*s\" is not a member that may be given here", STR_ARG(name));
        }
        int32_t i = edit_child(s, parent, name);
        if (i < 0) return edit_unknown(s, parent, join(s, path, name), name);
        TRY(edit_check_value(s, i, value));
    }
    if (s->model) TRY(check_metadata(s, v, path));
    return check_components(s, parent, v);
}
