// SPDX-License-Identifier: Apache-2.0
// Values by handle: names are looked up once, then values go in and out by column.
#include "engine/pasts.h"
#include "base/check.h"
#include "base/mem.h"
#include <math.h>

#define UPDATES_MAX 100000 // of one sosia_apply

// ---- handles ------------------------------------------------------------------------------------------------------

typedef struct Resolving {
    Str id, path;
    SosiaHandle out;
} Resolving;

static Err resolve_view(View *v, void *ctx) {
    Resolving *x = ctx;
    TwinId id = view_find_twin(v, x->id);
    if (!id.v) return ERR_TWIN_NOT_FOUND;
    TwinView t = view_twin_place(v, id);
    if (!t.alive || t.table >= (uint32_t)v->catalog->table_count) return ERR_TWIN_NOT_FOUND;
    const Table *table = &v->catalog->tables[t.table];
    const Field *f = model_field(table->model, x->path);
    if (!f || f->cell == CELL_COMPONENT) return ERR_VALIDATION;
    x->out = (SosiaHandle){id.v, table->first + (uint32_t)(f - table->model->fields)};
    return ERR_OK;
}

SosiaErr sosia_resolve(Sosia *s, SosiaStr world, SosiaStr id, SosiaStr path, SosiaHandle *out) {
    Resolving x = {.id = id, .path = path};
    Err err = engine_read(s, NULL, world, resolve_view, &x, NULL);
    if (!err) *out = x.out;
    return (SosiaErr)err;
}

typedef struct Getting {
    SosiaHandle at;
    SosiaValue value;
    int64_t update_time, source_time;
    SosiaBuf *keep;
} Getting;

static Err get_view(View *v, void *ctx) {
    Getting *x = ctx;
    const Table *table;
    const LinkKind *kind;
    const Field *f = catalog_field(v->catalog, x->at.column, &table, &kind);
    TwinView t = view_twin_place(v, (TwinId){x->at.twin});
    if (!t.alive) return ERR_TWIN_NOT_FOUND;
    if (!f || !table || table != &v->catalog->tables[t.table]) return ERR_STALE;
    CellView c = view_cell(v, x->at.column, t.row);
    Str text = cell_is_text(f->cell) && c.valid ? text_str(&c.text) : (Str){0};
    x->value = value_of_cell(f, c.valid, c.bits, text);
    x->update_time = c.update_time;
    x->source_time = c.source_time;
    if (x->value.kind != SOSIA_TEXT && x->value.kind != SOSIA_JSON) return ERR_OK;
    buf_reset(x->keep);
    buf_str_put(x->keep, x->value.s);
    x->value.s = buf_str(x->keep);
    return x->keep->full ? ERR_LIMIT : ERR_OK;
}

SosiaErr sosia_value(Sosia *s, const SosiaCaller *who, SosiaStr world, SosiaHandle at, SosiaValue *value,
                     int64_t *update_time_ns, int64_t *source_time_ns, SosiaBuf *keep) {
    Getting x = {.at = at, .keep = keep};
    Err err = engine_read(s, who, world, get_view, &x, NULL);
    if (err) return (SosiaErr)err;
    *value = x.value;
    if (update_time_ns) *update_time_ns = x.update_time;
    if (source_time_ns) *source_time_ns = x.source_time;
    return SOSIA_OK;
}

// ---- updates ------------------------------------------------------------------------------------------------------

// The range of an integer shape that is held by 64 signed bits.
static bool in_range(Shape shape, int64_t i) {
    switch (shape) {
    case SHAPE_BYTE: return i >= INT8_MIN && i <= INT8_MAX;
    case SHAPE_SHORT: return i >= INT16_MIN && i <= INT16_MAX;
    case SHAPE_INTEGER: return i >= INT32_MIN && i <= INT32_MAX;
    case SHAPE_UBYTE: return i >= 0 && i <= UINT8_MAX;
    case SHAPE_USHORT: return i >= 0 && i <= UINT16_MAX;
    case SHAPE_UINTEGER: return i >= 0 && i <= UINT32_MAX;
    case SHAPE_ULONG: return i >= 0;
    default: return true;
    }
}

// The value as the bits or text of the field's cell. Errors: VALIDATION (another kind, out of range, not finite).
static Err cell_of_value(const Field *f, const SosiaValue *v, Change *c) {
    switch (f->cell) {
    case CELL_BOOL: c->bits = v->b; return v->kind == SOSIA_BOOL ? ERR_OK : ERR_VALIDATION;
    case CELL_I64:
        c->bits = (uint64_t)v->i;
        return v->kind == SOSIA_I64 && in_range(f->type->shape, v->i) ? ERR_OK : ERR_VALIDATION;
    case CELL_F64: {
        double d = v->kind == SOSIA_I64 ? (double)v->i : v->d;
        if (f->type->shape == SHAPE_FLOAT) d = (double)(float)d;
        c->bits = bits_of(d);
        return (v->kind == SOSIA_F64 || v->kind == SOSIA_I64) && isfinite(d) ? ERR_OK : ERR_VALIDATION;
    }
    case CELL_STR: c->text = v->s; return v->kind == SOSIA_TEXT ? ERR_OK : ERR_VALIDATION;
    case CELL_DOC: c->text = v->s; return v->kind == SOSIA_JSON ? ERR_OK : ERR_VALIDATION;
    default: return ERR_VALIDATION;
    }
}

// Whether cell_of_value has said all there is to say about the value.
static bool type_is_plain(const Field *f) {
    return f->parent < 0 && f->cell <= CELL_F64 && f->type->shape != SHAPE_ENUM;
}

typedef struct Preparing {
    Task *c;
    const SosiaUpdate *u;
    int64_t failed;
} Preparing;

// Updates to changes. Columns mean the same for ever, so any view's catalog will do.
static Err prepare_view(View *v, void *ctx) {
    Preparing *x = ctx;
    for (int64_t i = 0; i < x->c->set_count; i++) {
        const SosiaUpdate *u = &x->u[i];
        const Table *table;
        const LinkKind *kind;
        x->failed = i;
        const Field *f = catalog_field(v->catalog, u->at.column, &table, &kind);
        if (!f || !table) return ERR_STALE;
        Change *c = &x->c->sets[i];
        *c = (Change){.kind = CHANGE_SET,
                      .stream = true,
                      .cell = (uint8_t)f->cell,
                      .col = u->at.column,
                      .id = u->at.twin,
                      .source_time = u->source_time_ns};
        TRY(cell_of_value(f, &u->value, c));
        if (cell_is_text(f->cell)) c->text = arena_str(&x->c->arena, c->text);
        x->c->checked[i] = type_is_plain(f);
    }
    return ERR_OK;
}

static Err apply_prepare(Sosia *s, const SosiaCaller *who, Str world, const SosiaUpdate *u, int64_t n, Task **out) {
    if (n < 0) return ERR_ARGUMENT;
    if (n > UPDATES_MAX) return ERR_TOO_LARGE;
    TRY(pasts_refuse(s, world));
    Task *c = task_new(OP_APPLY, NULL, NULL, n * (int64_t)(sizeof(Change) + 1) + 512);
    c->world = arena_str(&c->arena, world);
    if (who) c->source = arena_str(&c->arena, who->principal);
    c->sets = NEW(&c->arena, Change, n);
    c->checked = NEW(&c->arena, bool, n);
    c->set_count = n;
    Preparing x = {c, u, 0};
    Err err = engine_read(s, who, world, prepare_view, &x, NULL);
    if (err) task_fail(c, err, "update %lld: %s", (long long)x.failed, err_text(err));
    *out = c;
    return ERR_OK;
}

SosiaErr sosia_apply(Sosia *s, const SosiaCaller *who, SosiaStr world, const SosiaUpdate *u, int64_t n, uint64_t *seq) {
    return sosia_apply_at(s, who, world, 0, u, n, seq);
}

SosiaErr sosia_apply_at(Sosia *s, const SosiaCaller *who, SosiaStr world, int64_t time_ns, const SosiaUpdate *u,
                        int64_t n, uint64_t *seq) {
    Task *c;
    Err err = apply_prepare(s, who, world, u, n, &c);
    if (err) return (SosiaErr)err;
    c->time = time_ns;
    err = c->err; // nothing to wait for
    if (!err) err = task_wait(s, c, false);
    if (!err) err = c->err;
    if (!err && seq) *seq = c->seq;
    task_free(c);
    return (SosiaErr)err;
}

SosiaErr sosia_apply_async(Sosia *s, const SosiaCaller *who, SosiaStr world, const SosiaUpdate *u, int64_t n,
                           SosiaDoneFn done, void *arg) {
    Task *c;
    Err err = apply_prepare(s, who, world, u, n, &c);
    if (err) return (SosiaErr)err;
    c->done = done;
    c->arg = arg;
    err = task_queue(s, c, false);
    if (err) task_free(c);
    return (SosiaErr)err;
}
