// SPDX-License-Identifier: Apache-2.0
#include "connect/sparkplug_doc.h"
#include "base/check.h"
#include "base/mem.h"

#define LEVELS_MAX 4 // objects in an object: DTDL takes 5 levels, the property's own is one

// ---- schemas -------------------------------------------------------------------------------------------------------

static const char *scalar_schema(uint32_t type) {
    switch (type) {
    case SP_INT8:
    case SP_INT16:
    case SP_INT32:
    case SP_UINT8:
    case SP_UINT16: return "integer";
    case SP_UINT32:
    case SP_INT64:
    case SP_UINT64: return "long";
    case SP_FLOAT: return "float";
    case SP_DOUBLE: return "double";
    case SP_BOOLEAN: return "boolean";
    case SP_DATETIME: return "dateTime";
    case SP_STRING:
    case SP_TEXT:
    case SP_UUID:
    case SP_BYTES:
    case SP_FILE: return "string";
    default: return NULL;
    }
}

static const char *element_schema(uint32_t type) {
    switch (type) {
    case SP_FLOATARRAY: return "float";
    case SP_DOUBLEARRAY: return "double";
    case SP_BOOLEANARRAY: return "boolean";
    case SP_STRINGARRAY: return "string";
    case SP_DATETIMEARRAY: return "dateTime";
    default: return scalar_schema(type - SP_INT8ARRAY + SP_INT8);
    }
}

static void put_field(Buf *b, Str key, const char *schema, bool *first) {
    if (!*first) buf_byte(b, ',');
    *first = false;
    buf_printf(b, "{\"name\":\"%.*s\",\"schema\":\"%s\"}", STR_ARG(key), schema);
}

static bool put_dataset(Buf *b, const SpDataSet *s) {
    bool first = true;
    buf_str_put(b, STR("{\"@type\":\"Array\",\"elementSchema\":{\"@type\":\"Object\",\"fields\":["));
    for (size_t c = 0; c < s->n_columns && c < s->n_types; c++) {
        const char *schema = scalar_schema(s->types[c]);
        Buf key = {0};
        if (!schema) return false;
        sparkplug_name(sp_str(s->columns[c]), &key);
        put_field(b, buf_str(&key), schema, &first);
        buf_free(&key);
    }
    buf_str_put(b, STR("]}}"));
    return true;
}

static bool put_tree(Buf *b, const SpTree *t, int level) {
    bool first = true;
    if (level > LEVELS_MAX) return false;
    buf_str_put(b, STR("{\"@type\":\"Object\",\"fields\":["));
    for (int32_t i = 0; i < t->count; i++) {
        const SpLeaf *l = &t->leaves[i];
        const char *schema = scalar_schema(l->type);
        if (schema) {
            put_field(b, l->key, schema, &first);
            continue;
        }
        if (!first) buf_byte(b, ',');
        first = false;
        buf_printf(b, "{\"name\":\"%.*s\",\"schema\":", STR_ARG(l->key));
        if (l->tree && !put_tree(b, l->tree, level + 1)) return false;
        if (!l->tree && l->type < SP_INT8ARRAY) return false; // a data set: its columns may change
        if (!l->tree) buf_printf(b, "{\"@type\":\"Array\",\"elementSchema\":\"%s\"}", element_schema(l->type));
        buf_byte(b, '}');
    }
    put_field(b, STR("templateRef"), "string", &first);
    put_field(b, STR("version"), "string", &first);
    if (t->schema.n)
        buf_printf(b, ",{\"name\":\"parameters\",\"schema\":{\"@type\":\"Object\",\"fields\":[%.*s]}}",
                   STR_ARG(buf_str(&t->schema)));
    buf_str_put(b, STR("]}"));
    return true;
}

Str sparkplug_schema(const SpMetric *m, uint32_t type, const SpTree *tree, Arena *arena) {
    const char *scalar = scalar_schema(type);
    if (type == SP_UINT64 && m->value_case == SP__METRIC__VALUE_LONG_VALUE && m->long_value > INT64_MAX)
        return STR("string");
    if (scalar) return str_of(scalar);
    if (type >= SP_INT8ARRAY && type < SP_TYPE_COUNT)
        return arena_printf(arena, "{\"@type\":\"Array\",\"elementSchema\":\"%s\"}", element_schema(type));
    Buf b = {0};
    bool good = type == SP_TEMPLATE && tree ? put_tree(&b, tree, 1)
                : type == SP_DATASET && m->value_case == SP__METRIC__VALUE_DATASET_VALUE
                    ? put_dataset(&b, m->dataset_value)
                    : false;
    bool known = type == SP_TEMPLATE || type == SP_DATASET;
    Str s = good ? arena_str(arena, buf_str(&b)) : known ? STR("string") : (Str){0};
    buf_free(&b);
    return s;
}

// ---- trees ---------------------------------------------------------------------------------------------------------

static SpLeaf *find_leaf(const SpTree *t, Str name) {
    for (int32_t i = 0; i < t->count; i++)
        if (str_eq(t->leaves[i].name, name)) return &t->leaves[i];
    return NULL;
}

static bool key_taken(const SpTree *t, Str key) {
    if (str_eq(key, STR("templateRef")) || str_eq(key, STR("version")) || str_eq(key, STR("parameters"))) return true;
    for (int32_t i = 0; i < t->count; i++)
        if (str_eq(t->leaves[i].key, key)) return true;
    return false;
}

static Str unique_key(const SpTree *t, Str name, Arena *arena) {
    Buf b = {0};
    sparkplug_name(name, &b);
    Str base = arena_str(arena, buf_str(&b)), key = base;
    for (int i = 2; key_taken(t, key); i++) key = arena_printf(arena, "%.*s_%d", STR_ARG(base), i);
    buf_free(&b);
    return key;
}

static void add_members(SpTree *t, const SpTemplate *from, Arena *arena) {
    for (size_t i = 0; i < from->n_metrics && t->count < SPARKPLUG_MEMBERS_MAX; i++) {
        const SpMetric *m = from->metrics[i];
        if (!m->has_name || !m->has_datatype || !str_utf8_ok(sp_str(m->name)) || find_leaf(t, sp_str(m->name)))
            continue;
        if (!scalar_schema(m->datatype) && m->datatype != SP_TEMPLATE && m->datatype != SP_DATASET &&
            !(m->datatype >= SP_INT8ARRAY && m->datatype < SP_TYPE_COUNT))
            continue;
        if (t->count == t->cap) {
            t->cap = t->cap ? t->cap * 2 : 8;
            t->leaves = mem_grow(t->leaves, (size_t)t->cap * sizeof *t->leaves);
        }
        SpLeaf leaf = {.name = arena_str(arena, sp_str(m->name)),
                       .key = unique_key(t, sp_str(m->name), arena),
                       .type = m->datatype};
        if (leaf.type == SP_TEMPLATE)
            leaf.tree = sparkplug_tree(
                NULL, m->value_case == SP__METRIC__VALUE_TEMPLATE_VALUE ? m->template_value : NULL, arena);
        t->leaves[t->count++] = leaf;
    }
}

// Parameters and their fields: what an instance brings replaces what the definition said, as a whole.
static void take_parameters(SpTree *t, const SpTemplate *from, Arena *arena) {
    bool first = true, first_field = true;
    if (from->n_parameters == 0) return;
    buf_reset(&t->parameters), buf_reset(&t->schema);
    buf_byte(&t->parameters, '{');
    for (size_t i = 0; i < from->n_parameters; i++) {
        const SpParameter *p = from->parameters[i];
        SpValue v;
        Buf key = {0};
        if (!scalar_schema(p->type)) continue;
        sparkplug_name(sp_str(p->name), &key);
        put_field(&t->schema, buf_str(&key), scalar_schema(p->type), &first_field);
        if (sparkplug_parameter(p, &v, arena, NULL) == ERR_OK && v.form != SP_NULL) {
            buf_printf(&t->parameters, "%s\"%.*s\":", first ? "" : ",", STR_ARG(buf_str(&key)));
            sparkplug_put_json(&v, &t->parameters);
            first = false;
        }
        buf_free(&key);
    }
    buf_byte(&t->parameters, '}');
}

SpTree *sparkplug_tree(const SpTemplate *definition, const SpTemplate *instance, Arena *arena) {
    SpTree *t = mem_alloc(sizeof *t);
    const SpTemplate *both[] = {definition, instance};
    for (int i = 0; i < 2; i++) {
        if (!both[i]) continue;
        add_members(t, both[i], arena);
        take_parameters(t, both[i], arena);
        if (both[i]->has_version) t->version = arena_str(arena, sp_str(both[i]->version));
        if (both[i]->has_template_ref) t->ref = arena_str(arena, sp_str(both[i]->template_ref));
    }
    return t;
}

void sparkplug_tree_free(SpTree *t) {
    if (!t) return;
    for (int32_t i = 0; i < t->count; i++) {
        buf_free(&t->leaves[i].value);
        sparkplug_tree_free(t->leaves[i].tree);
    }
    buf_free(&t->parameters), buf_free(&t->schema);
    mem_free(t->leaves);
    mem_free(t);
}

static Err update_leaf(SpLeaf *l, const SpMetric *m, Arena *scratch, const char **why) {
    SpValue v;
    if (l->tree && m->value_case == SP__METRIC__VALUE_TEMPLATE_VALUE) {
        TRY(sparkplug_tree_update(l->tree, m->template_value, scratch, why));
        buf_reset(&l->value);
        sparkplug_tree_put(l->tree, &l->value);
        return ERR_OK;
    }
    TRY(sparkplug_value(m, l->type, scratch, &v, why));
    buf_reset(&l->value);
    if (v.form != SP_NULL) sparkplug_put_json(&v, &l->value);
    return ERR_OK;
}

Err sparkplug_tree_update(SpTree *t, const SpTemplate *instance, Arena *scratch, const char **why) {
    Err err = ERR_OK;
    for (size_t i = 0; i < instance->n_metrics; i++) {
        const SpMetric *m = instance->metrics[i];
        SpLeaf *l = find_leaf(t, sp_str(m->name));
        Err e = ERR_VALIDATION;
        if (!l) *why = "a template has a member it was not born with";
        else e = update_leaf(l, m, scratch, why);
        if (!err) err = e;
    }
    return err;
}

void sparkplug_tree_put(const SpTree *t, Buf *out) {
    bool first = true;
    buf_byte(out, '{');
    for (int32_t i = 0; i < t->count; i++) {
        const SpLeaf *l = &t->leaves[i];
        if (!l->value.n) continue;
        buf_printf(out, "%s\"%.*s\":", first ? "" : ",", STR_ARG(l->key));
        buf_str_put(out, buf_str(&l->value));
        first = false;
    }
    if (t->ref.n) {
        buf_str_put(out, first ? STR("\"templateRef\":") : STR(",\"templateRef\":"));
        json_put_str(out, t->ref);
        first = false;
    }
    if (t->version.n) {
        buf_str_put(out, first ? STR("\"version\":") : STR(",\"version\":"));
        json_put_str(out, t->version);
        first = false;
    }
    if (t->parameters.n) {
        buf_str_put(out, first ? STR("\"parameters\":") : STR(",\"parameters\":"));
        buf_str_put(out, buf_str(&t->parameters));
    }
    buf_byte(out, '}');
}

// ---- out -----------------------------------------------------------------------------------------------------------

Err sparkplug_tree_set(const SpTree *t, const Json *v, Arena *arena, SpTemplate **out, const char **why) {
    *why = "a template wants an object";
    if (v->type != JSON_OBJECT) return ERR_VALIDATION;
    SpTemplate *x = sparkplug_new_template(arena, v->count);
    x->has_is_definition = true;
    x->has_template_ref = t->ref.n > 0, x->template_ref = sp_bytes(t->ref);
    x->has_version = t->version.n > 0, x->version = sp_bytes(t->version);
    for (int32_t i = 0; i < v->count; i++) {
        const SpLeaf *l = NULL;
        SpMetric *m = x->metrics[i];
        for (int32_t k = 0; k < t->count && !l; k++)
            if (str_eq(t->leaves[k].key, v->members[i].key)) l = &t->leaves[k];
        *why = "the template has no such member";
        if (!l) return ERR_VALIDATION;
        m->has_name = true, m->name = sp_bytes(l->name);
        if (!l->tree) {
            TRY(sparkplug_set(m, l->type, &v->members[i].value, arena, why));
            continue;
        }
        m->has_datatype = true, m->datatype = SP_TEMPLATE;
        m->value_case = SP__METRIC__VALUE_TEMPLATE_VALUE;
        TRY(sparkplug_tree_set(l->tree, &v->members[i].value, arena, &m->template_value, why));
    }
    *out = x;
    return ERR_OK;
}

// One value of a row; a member that is missing, or null, is a null.
static Err set_element(Sp__DataSetValue *e, uint32_t type, const Json *v, Arena *arena, const char **why) {
    SpMetric m;
    sp__metric__init(&m);
    if (!v || v->type == JSON_NULL) return ERR_OK;
    TRY(sparkplug_set(&m, type, v, arena, why));
    if (m.value_case < SP__METRIC__VALUE_INT_VALUE || m.value_case > SP__METRIC__VALUE_STRING_VALUE)
        return ERR_VALIDATION;
    e->value_case = (Sp__DataSetValue__ValueCase)(m.value_case - SP__METRIC__VALUE_INT_VALUE + 1);
    switch (m.value_case) {
    case SP__METRIC__VALUE_INT_VALUE: e->int_value = m.int_value; break;
    case SP__METRIC__VALUE_LONG_VALUE: e->long_value = m.long_value; break;
    case SP__METRIC__VALUE_FLOAT_VALUE: e->float_value = m.float_value; break;
    case SP__METRIC__VALUE_DOUBLE_VALUE: e->double_value = m.double_value; break;
    case SP__METRIC__VALUE_BOOLEAN_VALUE: e->boolean_value = m.boolean_value; break;
    default: e->string_value = m.string_value; break;
    }
    return ERR_OK;
}

Err sparkplug_dataset_set(const SpDataSet *like, const Json *v, Arena *arena, SpDataSet **out, const char **why) {
    *why = "a data set wants an array of objects";
    if (v->type != JSON_ARRAY) return ERR_VALIDATION;
    int64_t columns = (int64_t)(like->n_columns < like->n_types ? like->n_columns : like->n_types);
    SpDataSet *s = sparkplug_new_dataset(arena, columns, v->count);
    for (int64_t c = 0; c < columns; c++) s->columns[c] = like->columns[c], s->types[c] = like->types[c];
    for (int32_t r = 0; r < v->count; r++) {
        if (v->items[r].type != JSON_OBJECT) return ERR_VALIDATION;
        for (int64_t c = 0; c < columns; c++) {
            Buf key = {0};
            sparkplug_name(sp_str(like->columns[c]), &key);
            Err e =
                set_element(s->rows[r]->elements[c], s->types[c], json_get(&v->items[r], buf_str(&key)), arena, why);
            buf_free(&key);
            if (e != ERR_OK) return e;
        }
    }
    *out = s;
    return ERR_OK;
}
