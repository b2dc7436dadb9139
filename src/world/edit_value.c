// SPDX-License-Identifier: Apache-2.0
// One value of one property: the ingest path. A scalar goes from its JSON text to its cell without a DOM; only objects,
// arrays and maps are parsed into one. Both ways obey the same rules: what the short way does not decide by a range
// comparison is put to type_check as a one-node DOM.
#include <float.h>
#include "base/check.h"
#include "world/edit_inner.h"

// What a path leads to.
typedef struct Place {
    const Table *table;
    const Field *field;
    uint32_t col;
    uint64_t row;
} Place;

static Err no_twin(TwinId id, Str path, Diag *d) {
    return diag_add(d, ERR_TWIN_NOT_FOUND, -1, -1, path, "there is no twin with the number %llu",
                    (unsigned long long)id.v);
}

static Err no_field(const Model *m, Str path, Diag *d) {
    return diag_add(d, ERR_VALIDATION, -1, -1, path, "\"%.*s\" is not a property of model %.*s", STR_ARG(path),
                    STR_ARG(m->id));
}

// The model of the twin was deleted: take the one uploaded again under its id, or refuse.
static Err revive(World *w, TwinId id, Arena *arena, Diag *d) {
    Subject s = edit_twin_subject(w, id, (Str){0}, arena, d);
    return edit_reborn(&s) ? edit_revive(&s, NULL, 0) : edit_gone(&s, ERR_VALIDATION);
}

static Err find_place(World *w, TwinId id, Str path, Place *out, Arena *scratch, Diag *d) {
    View v = view_writer(w);
    TwinView t = view_twin_place(&v, id);
    if (!t.alive) return no_twin(id, path, d);
    out->table = &v.catalog->tables[t.table];
    out->row = t.row;
    if (out->table->removed) {
        TRY(revive(w, id, scratch, d));
        return find_place(w, id, path, out, scratch, d);
    }
    out->field = model_field(out->table->model, path);
    if (!out->field) return no_field(out->table->model, path, d);
    out->col = out->table->first + (uint32_t)(out->field - out->table->model->fields);
    return ERR_OK;
}

static Json json_of_token(JsonToken t, Str text) {
    Json v = {.type = t.type, .raw = t.raw};
    if (t.type == JSON_INT) v.i = t.i;
    if (t.type == JSON_DOUBLE) v.d = t.d;
    if (t.type == JSON_STRING) v.s = text;
    return v;
}

// shape is one of the signed integers.
static bool in_range(Shape shape, int64_t i) {
    static const int64_t max[] = {
        [SHAPE_BYTE] = INT8_MAX, [SHAPE_SHORT] = INT16_MAX, [SHAPE_INTEGER] = INT32_MAX, [SHAPE_LONG] = INT64_MAX};
    return i <= max[shape] && i >= -max[shape] - 1;
}

// The short way: true when the token surely is a value of the field, and `c` holds it.
static bool take_plain(const Field *f, const JsonToken *t, Str text, Change *c) {
    Shape shape = f->type->shape;
    if (t->type == JSON_INT && shape >= SHAPE_BYTE && shape <= SHAPE_LONG) {
        c->bits = (uint64_t)t->i;
        return in_range(shape, t->i);
    }
    if ((t->type == JSON_INT || t->type == JSON_DOUBLE) && (shape == SHAPE_DOUBLE || shape == SHAPE_FLOAT)) {
        c->bits = bits_of(shape == SHAPE_FLOAT ? (double)(float)t->d : t->d);
        return shape == SHAPE_DOUBLE || (t->d >= -(double)FLT_MAX && t->d <= (double)FLT_MAX);
    }
    if (t->type == JSON_STRING && shape == SHAPE_STRING) {
        c->text = text;
        return text.n <= STRING_VALUE_MAX;
    }
    c->bits = t->type == JSON_TRUE;
    return shape == SHAPE_BOOL && (t->type == JSON_TRUE || t->type == JSON_FALSE);
}

static Err bad_json(Str json, const JsonScan *s, Str path, Diag *d) {
    int64_t at = s->p - s->start;
    return diag_add(d, ERR_SYNTAX, at, json.n, path, "not a JSON value: %s",
                    s->why ? s->why : "something is left over");
}

// Scalars: text to cell. Errors: SYNTAX, VALIDATION, LIMIT.
static Err scalar_of_text(const Field *f, Str json, Arena *scratch, Change *c, Diag *d) {
    JsonScan scan;
    JsonToken t;
    json_scan_init(&scan, json);
    if (!json_scan_value(&scan, &t)) return bad_json(json, &scan, f->path, d);
    if (t.type >= JSON_ARRAY) t.raw = str_trim(json); // no scalar: it has nothing but its text, for the message
    else if (!json_scan_end(&scan)) return bad_json(json, &scan, f->path, d);
    Str text = t.type != JSON_STRING ? (Str){0} : t.escaped ? json_unescape(scratch, t) : t.raw;
    if (take_plain(f, &t, text, c)) return ERR_OK;
    Json v = json_of_token(t, text);
    Subject s = {.d = d, .arena = scratch, .fields = f, .count = 1};
    TRY(edit_check_value(&s, 0, &v));
    edit_cell_of(f, &v, c);
    return ERR_OK;
}

// Objects, components, maps, arrays and geometry. All is checked before anything is written.
static Err put_document(World *w, TwinId id, const Place *p, Str json, int64_t source_time, Arena *scratch, Diag *d) {
    Json v;
    TRY(json_parse(json, NULL, scratch, &v, d));
    Subject s = edit_twin_subject(w, id, (Str){0}, scratch, d);
    int32_t i = (int32_t)(p->field - s.fields);
    TRY(edit_check_value(&s, i, &v));
    return edit_put_value(&s, i, &v, (Stamp){.source = source_time, .mode = STAMP_STREAM});
}

Err edit_value(World *w, TwinId id, Str path, Str json, int64_t source_time, Arena *scratch, Diag *d) {
    Place p;
    TRY(find_place(w, id, path, &p, scratch, d));
    if (p.field->cell >= CELL_DOC) return put_document(w, id, &p, json, source_time, scratch, d);
    Change c = {.kind = CHANGE_SET,
                .cell = (uint8_t)p.field->cell,
                .stream = true,
                .col = p.col,
                .id = id.v,
                .source_time = source_time};
    TRY(scalar_of_text(p.field, json, scratch, &c, d));
    Err e = world_do(w, &c);
    return e == ERR_VALIDATION ? edit_refused(w, &c, e, d) : e;
}

// The field a column of the twin's model stands for; NULL when it is another model's.
static const Field *column_field(const Table *t, uint32_t col) {
    if (col < t->first || col - t->first >= (uint32_t)t->model->field_count) return NULL;
    return &t->model->fields[col - t->first];
}

// The short way: true when the value surely is one of the field's.
static bool plain_cell(const Field *f, const Change *set) {
    Shape shape = f->cell < CELL_OBJECT ? f->type->shape : SHAPE_ANY;
    if (shape == SHAPE_DOUBLE) return __builtin_isfinite(double_of(set->bits));
    if (shape >= SHAPE_BYTE && shape <= SHAPE_LONG) return in_range(shape, (int64_t)set->bits);
    if (shape == SHAPE_STRING) return set->text.n <= STRING_VALUE_MAX && str_utf8_ok(set->text);
    return shape == SHAPE_BOOL && set->bits <= 1;
}

// Is the value of a resolved change one of the field's? *json becomes the value. Errors: VALIDATION, LIMIT.
static Err check_set(const Field *f, const Change *set, Json *json, Arena *arena, Diag *d) {
    if (!edit_json_of(f, set->bits, set->text, arena, json))
        return diag_add(d, ERR_VALIDATION, -1, -1, f->path, "the value is not one a property of this kind can have");
    Subject s = {.d = d, .arena = arena, .fields = f, .count = 1};
    return f->cell < CELL_OBJECT ? edit_check_value(&s, 0, json) : ERR_OK;
}

// A value that needs a closer look; documents are stored compact.
static Err set_checked(World *w, const Field *f, const Change *set, Diag *d) {
    Arena arena;
    Json json;
    Buf doc = {0};
    Change c = *set;
    arena_init(&arena, 1024);
    Err e = check_set(f, set, &json, &arena, d);
    if (e == ERR_OK && f->cell == CELL_DOC) {
        json_put(&doc, &json);
        c.text = buf_str(&doc);
    }
    if (f->cell == CELL_F64) c.bits = bits_of((double)(float)double_of(c.bits)); // doubles are plain
    if (e == ERR_OK) {
        e = world_do(w, &c);
        if (e == ERR_VALIDATION) e = edit_refused(w, &c, e, d);
    }
    buf_free(&doc);
    arena_free(&arena);
    return e;
}

Err edit_set(World *w, const Change *set, Diag *d) {
    CHECK(set->kind == CHANGE_SET);
    View v = view_writer(w);
    TwinView t = view_twin_place(&v, (TwinId){set->id});
    if (!t.alive) return no_twin((TwinId){set->id}, (Str){0}, d);
    const Table *table = &v.catalog->tables[t.table];
    const Field *f = column_field(table, set->col);
    if (!f || table->removed)
        return diag_add(d, ERR_STALE, -1, -1, table->model->id, "the twin's model %.*s has no such column any more",
                        STR_ARG(table->model->id));
    if (set->cell != f->cell)
        return diag_add(d, ERR_VALIDATION, -1, -1, f->path, "the value is of another kind than the property");
    if (!plain_cell(f, set)) return set_checked(w, f, set, d);
    Err e = world_do(w, set);
    return e == ERR_VALIDATION ? edit_refused(w, set, e, d) : e;
}

uint32_t edit_column(World *w, TwinId id, Str path) {
    View v = view_writer(w);
    TwinView t = view_twin_place(&v, id);
    if (!t.alive) return 0;
    const Table *tb = &v.catalog->tables[t.table];
    const Field *f = model_field(tb->model, path);
    return f ? tb->first + (uint32_t)(f - tb->model->fields) : 0;
}
