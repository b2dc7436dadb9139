// SPDX-License-Identifier: Apache-2.0
#include "engine/sim_model.h"
#include <math.h>
#include "base/mem.h"
#include "codec/json.h"

Err sim_model_make(SimModel *m, View *v, const SimRegistry *engines, const RatesOptions *o, Diag *d) {
    *m = (SimModel){0};
    TRY(sim_graph(v, &m->graph));
    TRY(rates_make(m->graph, v->catalog, &m->rates, d));
    rates_options(m->rates, o);
    int32_t count, first = catalog_docs(v->catalog, MAPPINGS_COLLECTION, &count);
    m->maps = mem_alloc((size_t)(count ? count : 1) * sizeof(Mapping *));
    for (int32_t i = first; i < first + count; i++) {
        const Doc *doc = v->catalog->docs[i];
        TRY(mapping_make(m->graph, engines, doc->name, doc->json, &m->maps[m->map_count], d));
        m->map_count++;
    }
    return ERR_OK;
}

void sim_model_free(SimModel *m) {
    for (int32_t i = 0; i < m->map_count; i++) mapping_unref(m->maps[i]);
    mem_free(m->maps);
    rates_unref(m->rates);
    sim_graph_unref(m->graph);
    *m = (SimModel){0};
}

Err sim_model_add(const SimModel *m, Sim *s, Diag *d) {
    TRY(rates_add(m->rates, s, d));
    for (int32_t i = 0; i < m->map_count; i++) TRY(mapping_add(m->maps[i], s, d));
    return ERR_OK;
}

Err sim_model_gather(const SimModel *m, Sim *s, View *v, uint16_t lanes, Diag *d) {
    TRY(sim_gather(s, v, lanes));
    for (int32_t i = 0; i < m->map_count; i++) TRY(mapping_ready(m->maps[i], s, d));
    return ERR_OK;
}

Err sim_model_place(const SimModel *m, Sim *s, View *v, Str twin, Str property, SimPlace *out, Diag *d) {
    TwinId id = view_find_twin(v, twin);
    if (!id.v)
        return diag_add(d, ERR_TWIN_NOT_FOUND, -1, -1, twin, "there is no twin with the id \"%.*s\"", STR_ARG(twin));
    const Table *t = &v->catalog->tables[view_twin_place(v, id).table];
    const Field *f = model_field(t->model, property);
    if (!f || f->cell >= CELL_DOC)
        return diag_add(d, ERR_VALIDATION, -1, -1, twin, "its model has no value \"%.*s\"", STR_ARG(property));
    out->field = f;
    out->column = sim_column(s, t->first + (uint32_t)(f - t->model->fields));
    out->row = sim_graph_twin(m->graph, id.v) - sim_column_of(s, out->column).first;
    return ERR_OK;
}

Err sim_model_value(Sim *s, const SimPlace *at, const Json *v, Str property, double *out, Diag *d) {
    *out = (double)NAN;
    if (v->type == JSON_NULL) return ERR_OK;
    TRY(type_check(at->field->type, v, property, d));
    uint64_t bits = 0;
    Str text = {0};
    switch (at->field->cell) {
    case CELL_BOOL: bits = v->type == JSON_TRUE; break;
    case CELL_I64: bits = (uint64_t)v->i; break;
    case CELL_F64: bits = bits_of(json_f64(v)); break;
    default: text = v->s;
    }
    *out = sim_value_in(s, at->column, true, bits, text);
    return ERR_OK;
}
