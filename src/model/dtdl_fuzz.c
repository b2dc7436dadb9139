// SPDX-License-Identifier: Apache-2.0
// Any JSON as models, under the store's rules and under the widest ones. What is taken keeps its promises: fields are
// a preorder, look-ups find them, every document parses again to the same model, models go away in some order. The
// text itself is then checked as a value of every type found.
#include "base/check.h"
#include "model/box.h"
#include "model/dtdl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fields(const Field *f, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        CHECK(f[i].parent >= -1 && f[i].parent < i && f[i].end > i && f[i].end <= count);
        if (f[i].parent >= 0) {
            CHECK(f[i].end <= f[f[i].parent].end);
            CHECK(f[f[i].parent].cell >= CELL_OBJECT);
        }
        CHECK(f[i].cell >= CELL_OBJECT || f[i].end == i + 1);
        CHECK((f[i].cell == CELL_COMPONENT) == (f[i].component != NULL));
        CHECK((f[i].cell == CELL_COMPONENT) == (f[i].type == NULL));
        CHECK(str_ends(f[i].path, f[i].name));
        CHECK(fields_child(f, count, f[i].parent, f[i].name) == &f[i]);
    }
}

static void check_model(const Schema *s, const Model *m, const Json *value) {
    check_fields(m->fields, m->field_count);
    for (int32_t i = 0; i < m->field_count; i++) {
        CHECK(model_field(m, m->fields[i].path) == &m->fields[i]);
        CHECK(model_child(m, m->fields[i].parent, m->fields[i].name) == &m->fields[i]);
        if (!m->fields[i].type) continue;
        Err e = type_check(m->fields[i].type, value, STR("/v"), NULL);
        CHECK(e == ERR_OK || e == ERR_VALIDATION);
    }
    for (int32_t i = 0; i < m->rel_count; i++) {
        CHECK(model_rel(m, m->rels[i]->name) == m->rels[i]);
        CHECK(model_is(m, m->rels[i]->owner->id));
        check_fields(m->rels[i]->fields, m->rels[i]->field_count);
    }
    for (int32_t i = 0; i < m->telemetry_count; i++)
        CHECK(model_telemetry(m, m->telemetries[i].name) == &m->telemetries[i]);
    for (int32_t i = 0; i < m->base_count; i++) CHECK(schema_find(s, m->bases[i]->id) && model_is(m, m->bases[i]->id));
    for (int32_t i = 0; i < m->dependency_count; i++) CHECK(schema_find(s, m->dependencies[i]));
}

// All documents together give the same models again.
static void check_again(const Schema *s) {
    Buf b = {0};
    Arena arena;
    Json v;
    arena_init(&arena, 0);
    for (int32_t i = 0; i < schema_count(s); i++) {
        buf_byte(&b, i ? ',' : '[');
        buf_str_put(&b, schema_at(s, i)->document);
    }
    buf_byte(&b, ']');
    CHECK(json_parse(buf_str(&b), NULL, &arena, &v, NULL) == ERR_OK);
    Schema *empty = schema_new(), *again = NULL;
    CHECK(schema_add(empty, &v, &again, NULL) == ERR_OK);
    CHECK(schema_count(again) == schema_count(s));
    for (int32_t i = 0; i < schema_count(s); i++) {
        const Model *x = schema_at(s, i), *y = schema_at(again, i);
        CHECK(str_eq(x->id, y->id) && x->field_count == y->field_count && x->base_count == y->base_count);
        CHECK(str_eq(x->document, y->document));
    }
    schema_unref(again);
    schema_unref(empty);
    buf_free(&b);
    arena_free(&arena);
}

// Decommission and remove whatever allows it until nothing is left.
static void take_apart(Schema *s) {
    int32_t left = schema_count(s);
    while (left > 0) {
        int32_t before = left;
        for (int32_t i = 0; i < schema_count(s); i++) {
            const Model *m = schema_at(s, i);
            Schema *next = NULL;
            if (!m) continue;
            if (schema_decommission(s, m->id, true, &next, NULL) == ERR_OK) {
                schema_unref(s);
                s = next;
                m = schema_at(s, i);
            }
            if (schema_remove(s, m->id, &next, NULL) != ERR_OK) continue;
            schema_unref(s);
            s = next;
            left--;
        }
        CHECK(left < before);
    }
    schema_unref(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 1 << 16) return 0;
    Arena arena;
    Diag d;
    Json v;
    arena_init(&arena, 0);
    if (json_parse((Str){(const char *)data, (int64_t)size}, NULL, &arena, &v, NULL) != ERR_OK) {
        arena_free(&arena);
        return 0;
    }
    Schema *empty = schema_new(), *s = NULL;
    diag_init(&d);
    Err e = schema_add(empty, &v, &s, &d);
    CHECK((e == ERR_OK) == (d.total == 0) && (e == ERR_OK) == (s != NULL) && d.code == e);
    if (s) {
        for (int32_t i = 0; i < schema_count(s); i++) check_model(s, schema_at(s, i), &v);
        check_again(s);
        take_apart(s);
    }
    s = NULL;
    DtdlOptions wide = {.inline_interfaces = true, .unknown = UNKNOWN_ALLOW, .limits = 0xFF};
    if (schema_add_with(empty, &v, &wide, &s, NULL) == ERR_OK)
        for (int32_t i = 0; i < schema_count(s); i++) check_model(s, schema_at(s, i), &v);
    schema_unref(s);
    CHECK(schema_count(empty) == 0);
    schema_unref(empty);
    diag_free(&d);
    arena_free(&arena);
    return 0;
}
