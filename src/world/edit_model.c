// SPDX-License-Identifier: Apache-2.0
// Models, and entities of the bulk format. A change of models is tried on the schema first: world_do has no Diag.
#include "base/check.h"
#include "world/edit_inner.h"

static const Schema *schema_of(World *w) {
    View v = view_writer(w);
    return v.catalog->schema;
}

static Err do_models(World *w, const Change *c, Str where, Diag *d) {
    Subject s = {.w = w, .d = d, .name = where};
    return edit_do(&s, c);
}

Err edit_models_add(World *w, const Json *docs, Diag *d) {
    Schema *next;
    if (docs->type != JSON_ARRAY)
        return diag_add(d, ERR_ARGUMENT, docs->at, -1, (Str){0}, "models come as an array of one or more, not as %s",
                        json_type_name(docs->type));
    TRY(schema_add(schema_of(w), docs, &next, d));
    schema_unref(next);
    Buf text = {0};
    json_put(&text, docs);
    Err e = text.full ? diag_add(d, ERR_LIMIT, -1, -1, (Str){0}, "the models are too large")
                      : do_models(w, &(Change){.kind = CHANGE_MODELS_ADD, .text = buf_str(&text)}, (Str){0}, d);
    buf_free(&text);
    return e;
}

// One operation of a model patch: only replace /decommissioned. Errors: PATCH.
static Err flag_of(const Json *op, bool *flag, Diag *d) {
    const Json *kind = json_get(op, STR("op")), *path = json_get(op, STR("path")), *value = json_get(op, STR("value"));
    bool ok = kind && kind->type == JSON_STRING && str_eq(kind->s, STR("replace")) && path &&
              path->type == JSON_STRING && str_eq(path->s, STR("/decommissioned")) && value && json_is_bool(value);
    if (!ok)
        return diag_add(d, ERR_PATCH, op->at, op->at + op->raw.n, (Str){0},
                        "of a model only this can be patched: "
                        "{\"op\":\"replace\",\"path\":\"/decommissioned\",\"value\":true or false}");
    *flag = value->type == JSON_TRUE;
    return ERR_OK;
}

static Err find_model(World *w, Str id, Diag *d) {
    if (schema_find(schema_of(w), id)) return ERR_OK;
    return diag_add(d, ERR_MODEL_NOT_FOUND, -1, -1, id, "there is no model with the id %.*s", STR_ARG(id));
}

Err edit_model_patch(World *w, Str id, const Json *ops, Diag *d) {
    bool flag = false;
    TRY(find_model(w, id, d));
    if (ops->type != JSON_ARRAY || ops->count == 0)
        return diag_add(d, ERR_PATCH, ops->at, -1, id, "a JSON Patch is an array of operations, here of one or more");
    for (int32_t i = 0; i < ops->count; i++) TRY(flag_of(&ops->items[i], &flag, d));
    Schema *next;
    TRY(schema_decommission(schema_of(w), id, flag, &next, d));
    schema_unref(next);
    return do_models(w, &(Change){.kind = CHANGE_MODEL_FLAG, .bits = flag, .text = id}, id, d);
}

Err edit_model_delete(World *w, Str id, Diag *d) {
    Schema *next;
    TRY(find_model(w, id, d));
    TRY(schema_remove(schema_of(w), id, &next, d));
    schema_unref(next);
    return do_models(w, &(Change){.kind = CHANGE_MODEL_REMOVE, .text = id}, id, d);
}

// ---- bulk format -------------------------------------------------------------------------------------------------

static Err import_header(const Json *v, Diag *d) {
    const Json *version = json_get(v, STR("fileVersion"));
    if (version && version->type == JSON_STRING && str_eq(version->s, STR("1.0.0"))) return ERR_OK;
    return diag_add(d, ERR_ARGUMENT, v->at, -1, STR("Header"), "the header needs \"fileVersion\":\"1.0.0\"");
}

// A text member, or the other name for it. Errors: ARGUMENT.
static Err import_id(const Json *v, Str name, Str other, Str *out, Diag *d) {
    const Json *id = json_get(v, name);
    if (!id && other.n) id = json_get(v, other);
    if (!id || id->type != JSON_STRING)
        return diag_add(d, ERR_ARGUMENT, v->at, -1, (Str){0}, "the line needs \"%.*s\", a text", STR_ARG(name));
    *out = id->s;
    return ERR_OK;
}

Err edit_import(World *w, ImportSection section, const Json *entity, Diag *d) {
    Str id, rid;
    Json list = {.type = JSON_ARRAY, .count = 1};
    if (entity->type != JSON_OBJECT && !(section == IMPORT_MODELS && entity->type == JSON_ARRAY))
        return diag_add(d, ERR_ARGUMENT, entity->at, -1, (Str){0}, "a line of the bulk format is a JSON object, not %s",
                        json_type_name(entity->type));
    switch (section) {
    case IMPORT_HEADER: return import_header(entity, d);
    case IMPORT_MODELS:
        if (entity->type == JSON_OBJECT) list.items = (Json *)(uintptr_t)entity;
        return edit_models_add(w, entity->type == JSON_OBJECT ? &list : entity, d);
    case IMPORT_TWINS:
        TRY(import_id(entity, STR("$dtId"), (Str){0}, &id, d));
        return edit_twin_put(w, id, entity, (Precondition){0}, NULL, d);
    case IMPORT_LINKS:
        TRY(import_id(entity, STR("$dtId"), STR("$sourceId"), &id, d));
        TRY(import_id(entity, STR("$relationshipId"), (Str){0}, &rid, d));
        return edit_link_put(w, id, rid, entity, (Precondition){0}, NULL, d);
    }
    return ERR_ARGUMENT;
}
