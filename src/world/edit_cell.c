// SPDX-License-Identifier: Apache-2.0
// Subjects of edits, and the way of checked JSON values into cells and back.
#include "base/check.h"
#include "base/decimal.h"
#include "world/edit_inner.h"

Subject edit_twin_subject(World *w, TwinId id, Str name, Arena *arena, Diag *d) {
    View v = view_writer(w);
    TwinView t = view_twin_place(&v, id);
    CHECK(t.alive);
    const Table *tb = &v.catalog->tables[t.table];
    return (Subject){.w = w,
                     .d = d,
                     .arena = arena,
                     .name = name,
                     .id = id.v,
                     .row = t.row,
                     .first = tb->first,
                     .count = tb->model->field_count,
                     .fields = tb->model->fields,
                     .model = tb->model,
                     .gone = tb->removed};
}

Subject edit_link_subject(World *w, LinkId id, Str rid, Arena *arena, Diag *d) {
    View v = view_writer(w);
    LinkView l = view_link(&v, id);
    CHECK(l.alive);
    const LinkKind *k = &v.catalog->kinds[l.kind];
    return (Subject){.w = w,
                     .d = d,
                     .arena = arena,
                     .name = rid,
                     .id = id.v,
                     .row = id.v,
                     .first = k->first,
                     .count = k->rel->field_count,
                     .fields = k->rel->fields};
}

Err edit_find_twin(World *w, Str id, TwinId *out, Diag *d) {
    View v = view_writer(w);
    *out = view_find_twin(&v, id);
    if (out->v) return ERR_OK;
    return diag_add(d, ERR_TWIN_NOT_FOUND, -1, -1, id, "there is no twin with the id \"%.*s\"", STR_ARG(id));
}

Err edit_find_link(World *w, Str source, Str rid, LinkId *out, Diag *d) {
    TwinId twin;
    TRY(edit_find_twin(w, source, &twin, d));
    View v = view_writer(w);
    *out = view_find_link(&v, twin, rid);
    if (out->v) return ERR_OK;
    return diag_add(d, ERR_LINK_NOT_FOUND, -1, -1, rid, "twin \"%.*s\" has no relationship with the id \"%.*s\"",
                    STR_ARG(source), STR_ARG(rid));
}

// The service that this dialect comes from takes relationship properties in any case of letters (its published bulk
// sample relies on it): an exact name first, else the only one that differs in case alone.
static int32_t link_child(const Subject *s, int32_t parent, Str name) {
    const Field *f = fields_child(s->fields, s->count, parent, name);
    if (f) return (int32_t)(f - s->fields);
    int32_t found = -1, end = parent < 0 ? s->count : s->fields[parent].end;
    for (int32_t i = parent + 1; i < end; i = s->fields[i].end) {
        if (!str_eq_nocase(s->fields[i].name, name)) continue;
        if (found >= 0) return -1;
        found = i;
    }
    return found;
}

int32_t edit_child(const Subject *s, int32_t parent, Str name) {
    if (!s->model) return link_child(s, parent, name);
    const Field *f = model_child(s->model, parent, name);
    return f ? (int32_t)(f - s->fields) : -1;
}

CellView edit_cell(const Subject *s, int32_t i) {
    View v = view_writer(s->w);
    return view_cell(&v, s->first + (uint32_t)i, s->row);
}

Err edit_do(const Subject *s, const Change *c) {
    Err e = world_do(s->w, c);
    if (e == ERR_VALIDATION) return edit_refused(s->w, c, e, s->d);
    return e ? diag_add(s->d, e, -1, -1, s->name, "%s", err_text(e)) : ERR_OK;
}

Err edit_refused(World *w, const Change *c, Err e, Diag *d) {
    Str by = c->kind == CHANGE_SET || c->kind == CHANGE_UNSET || c->kind == CHANGE_SOURCE_TIME
                 ? world_guarded(w, c->id, c->col)
                 : (Str){0};
    View v = view_writer(w);
    TwinView t = view_twin_place(&v, (TwinId){c->id});
    if (e != ERR_VALIDATION || !by.n || !t.alive) return diag_add(d, e, -1, -1, (Str){0}, "%s", err_text(e));
    const Table *tb = &v.catalog->tables[t.table];
    Str path = tb->model->fields[c->col - tb->first].path;
    return diag_add(d, e, -1, -1, path, "\"%.*s\" is derived by \"%.*s\" and cannot be written", STR_ARG(path),
                    STR_ARG(by));
}

bool edit_is_derived(const Subject *s, int32_t i) {
    return s->model && world_guarded(s->w, s->id, s->first + (uint32_t)i).n > 0;
}

Err edit_unset(const Subject *s, int32_t i) {
    Change c = {.kind = s->model ? CHANGE_UNSET : CHANGE_LINK_UNSET,
                .cell = (uint8_t)s->fields[i].cell,
                .col = s->first + (uint32_t)i,
                .id = s->id};
    return edit_do(s, &c);
}

// ---- cells -------------------------------------------------------------------------------------------------------

// 64 bits of an integer that its type accepts.
static uint64_t integer_bits(const Json *v) {
    if (v->type == JSON_INT) return (uint64_t)v->i;
    uint64_t u = 0;
    for (int64_t k = 0; k < v->raw.n; k++) {
        if (v->raw.p[k] < '0' || v->raw.p[k] > '9') return v->d < 0 ? (uint64_t)(int64_t)v->d : (uint64_t)v->d;
        u = u * 10 + (uint64_t)(v->raw.p[k] - '0');
    }
    return u;
}

void edit_cell_of(const Field *f, const Json *v, Change *c) {
    switch (f->cell) {
    case CELL_BOOL: c->bits = v->type == JSON_TRUE; break;
    case CELL_I64: c->bits = integer_bits(v); break;
    case CELL_F64: c->bits = bits_of(f->type->shape == SHAPE_FLOAT ? (double)(float)json_f64(v) : json_f64(v)); break;
    case CELL_STR: c->text = v->type == JSON_STRING ? v->s : v->raw; break;
    case CELL_DOC:
    case CELL_OBJECT:
    case CELL_COMPONENT: break;
    }
}

bool edit_json_of(const Field *f, uint64_t bits, Str text, Arena *arena, Json *out) {
    *out = (Json){.type = JSON_TRUE, .raw = STR("true")};
    char *digits = NEW(arena, char, DECIMAL_TEXT_MAX);
    switch (f->cell) {
    case CELL_BOOL:
        if (!bits) *out = (Json){.type = JSON_FALSE, .raw = STR("false")};
        return bits <= 1;
    case CELL_I64:
        if (f->type->shape == SHAPE_ULONG && (int64_t)bits < 0)
            *out = (Json){.type = JSON_DOUBLE, .d = (double)bits, .raw = {digits, decimal_print_u64(bits, digits)}};
        else
            *out =
                (Json){.type = JSON_INT, .i = (int64_t)bits, .raw = {digits, decimal_print_i64((int64_t)bits, digits)}};
        return true;
    case CELL_F64:
        if (!__builtin_isfinite(double_of(bits))) return false;
        *out = (Json){
            .type = JSON_DOUBLE, .d = double_of(bits), .raw = {digits, decimal_print_f64(double_of(bits), digits)}};
        return true;
    case CELL_STR: *out = (Json){.type = JSON_STRING, .s = text, .raw = text}; return str_utf8_ok(text);
    case CELL_DOC: return json_parse(text, NULL, arena, out, NULL) == ERR_OK;
    case CELL_OBJECT:
    case CELL_COMPONENT: return bits == 1;
    }
    return false;
}

// ---- writing -----------------------------------------------------------------------------------------------------

// Set one cell. What an editor gives counts even when its source time is older than that of the present value, so the
// late-value rule of CHANGE_SET must not see that source time; only a stream's values obey it.
static Err put_cell(const Subject *s, int32_t i, Change *c, Stamp st) {
    c->kind = s->model ? CHANGE_SET : CHANGE_LINK_SET;
    c->cell = (uint8_t)s->fields[i].cell;
    c->col = s->first + (uint32_t)i;
    c->id = s->id;
    c->source_time = st.source;
    c->stream = st.mode == STAMP_STREAM;
    bool older = false;
    if (!s->fresh && s->model && (st.mode == STAMP_WHOLE || (st.mode == STAMP_KEEP && st.source))) {
        CellView now = edit_cell(s, i);
        older = now.valid && now.source_time && (!st.source || now.source_time > st.source);
    }
    if (older && st.mode == STAMP_WHOLE) TRY(edit_unset(s, i));
    if (!older || st.mode == STAMP_WHOLE) return edit_do(s, c);
    c->source_time = 0;
    TRY(edit_do(s, c));
    Change t = {.kind = CHANGE_SOURCE_TIME, .cell = c->cell, .col = c->col, .id = s->id, .source_time = st.source};
    return edit_do(s, &t);
}

// The object v has a member for field i.
static bool names(const Subject *s, int32_t i, const Json *v) {
    if (json_get(v, s->fields[i].name)) return true;
    for (int32_t k = 0; !s->model && k < v->count; k++) {
        if (edit_child(s, s->fields[i].parent, v->members[k].key) == i) return true;
    }
    return false;
}

// Clear the valid direct children of `parent` that the object v does not name.
static Err clear_missing(const Subject *s, int32_t parent, const Json *v) {
    int32_t end = parent < 0 ? s->count : s->fields[parent].end;
    for (int32_t i = parent + 1; !s->fresh && i < end; i = s->fields[i].end) {
        if (s->fields[i].cell == CELL_COMPONENT) continue;
        if (edit_cell(s, i).valid && !names(s, i, v) && !edit_is_derived(s, i)) TRY(edit_unset(s, i));
    }
    return ERR_OK;
}

// A stream's value too far ahead of the batch's clock: it moves nothing now.
static bool is_ahead(const Subject *s, Stamp st) {
    int64_t now = world_time(s->w);
    return st.mode == STAMP_STREAM && st.source > now && st.source - now > world_future(s->w);
}

// A late object of a stream enters history value by value, and clears nothing now.
static Err put_object(const Subject *s, int32_t i, const Json *v, Stamp st) {
    CellView now = edit_cell(s, i);
    bool ahead = is_ahead(s, st);
    bool late = st.mode == STAMP_STREAM && st.source && now.valid && now.source_time > st.source;
    Change mark = {.bits = 1};
    TRY(put_cell(s, i, &mark, st));
    for (int32_t k = 0; k < v->count; k++) {
        int32_t child = edit_child(s, i, v->members[k].key);
        CHECK(child >= 0);
        if (late && edit_cell(s, child).source_time <= st.source) continue; // CHANGE_SET would take it for the newest
        TRY(edit_put_value(s, child, &v->members[k].value, st));
    }
    return late || ahead ? ERR_OK : clear_missing(s, i, v);
}

static Err put_component(const Subject *s, int32_t i, const Json *v, Stamp st) {
    Change mark = {.bits = 1};
    if (!is_ahead(s, st)) TRY(put_cell(s, i, &mark, st.mode == STAMP_STREAM ? (Stamp){.mode = STAMP_STREAM} : st));
    return edit_put_members(s, i, v, st);
}

Err edit_put_value(const Subject *s, int32_t i, const Json *v, Stamp st) {
    const Field *f = &s->fields[i];
    if (f->cell == CELL_OBJECT) return put_object(s, i, v, st);
    if (f->cell == CELL_COMPONENT) return put_component(s, i, v, st);
    Change c = {0};
    edit_cell_of(f, v, &c);
    if (f->cell != CELL_DOC) return put_cell(s, i, &c, st);
    Buf doc = {0};
    json_put(&doc, v);
    c.text = buf_str(&doc);
    Err e = put_cell(s, i, &c, st);
    buf_free(&doc);
    return e;
}

Err edit_put_members(const Subject *s, int32_t parent, const Json *v, Stamp st) {
    const Json *meta = s->model ? json_get(v, STR("$metadata")) : NULL;
    for (int32_t k = 0; k < v->count; k++) {
        Str name = v->members[k].key;
        if (name.n > 0 && name.p[0] == '$') continue;
        int32_t i = edit_child(s, parent, name);
        CHECK(i >= 0);
        Stamp own = st;
        int64_t given = 0;
        if (s->fields[i].cell != CELL_COMPONENT) TRY(edit_source_of(s, meta, name, name, &given));
        if (given) own.source = given;
        TRY(edit_put_value(s, i, &v->members[k].value, own));
    }
    return is_ahead(s, st) ? ERR_OK : clear_missing(s, parent, v);
}
