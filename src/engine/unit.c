// SPDX-License-Identifier: Apache-2.0
// Units of values that come from outside.
#include "engine/points.h"
#include "model/units.h"

typedef struct Asking {
    Str twin, model, path, from;
    double value, out;
} Asking;

static const Model *model_of(View *v, const Asking *x, Err *err) {
    TwinId id = view_find_twin(v, x->twin);
    TwinView t = id.v ? view_twin_place(v, id) : (TwinView){0};
    if (id.v && t.alive && t.table < (uint32_t)v->catalog->table_count) return v->catalog->tables[t.table].model;
    const Model *m = x->model.n ? schema_find(v->catalog->schema, x->model) : NULL;
    *err = x->model.n ? ERR_MODEL_NOT_FOUND : ERR_TWIN_NOT_FOUND;
    return m;
}

static Err unit_view(View *v, void *ctx) {
    Asking *x = ctx;
    Err err = ERR_OK;
    if (!unit_find(x->from)) return ERR_ARGUMENT;
    const Model *m = model_of(v, x, &err);
    if (!m) return err;
    const Field *f = model_field(m, x->path);
    return f && f->unit.n && unit_convert(x->from, f->unit, x->value, &x->out) ? ERR_OK : ERR_VALIDATION;
}

SosiaErr sosia_unit_convert(Sosia *s, SosiaStr world, SosiaStr twin, SosiaStr model, SosiaStr path, SosiaStr from,
                            double value, double *out) {
    Arena a;
    arena_init(&a, 256);
    Asking x = {.twin = twin, .model = model, .path = points_path(path, &a), .from = from, .value = value};
    Err err = engine_read(s, NULL, world, unit_view, &x, NULL);
    arena_free(&a);
    if (!err) *out = x.out;
    return (SosiaErr)err;
}
