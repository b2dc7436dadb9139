// SPDX-License-Identifier: Apache-2.0
// What a world is simulated by: its graph, its behaviours, its mappings. Follows from the world alone; shared by all
// runs of it.
#pragma once
#include "engine/definition.h"
#include "sim/behaviour.h"
#include "sim/mapping.h"

typedef struct SimModel {
    SimGraph *graph;
    Rates *rates;
    Mapping **maps;
    int32_t map_count;
} SimModel;

// Errors: those of sim_graph, rates_make, mapping_make. Free it, also after an error, with sim_model_free.
MUST Err sim_model_make(SimModel *m, View *v, const SimRegistry *engines, const RatesOptions *o, Diag *d);
void sim_model_free(SimModel *m);
// Its engines into a new Sim. Errors: those of sim_add.
MUST Err sim_model_add(const SimModel *m, Sim *s, Diag *d);
// Values of the world into all lanes; everything that engines need must be there. Errors: OVERRUN, VALIDATION.
MUST Err sim_model_gather(const SimModel *m, Sim *s, View *v, uint16_t lanes, Diag *d);

// A property of a twin as a column of a Sim that has not started: it is made when it is new.
typedef struct SimPlace {
    const Field *field;
    uint32_t column, row;
} SimPlace;
// Errors: TWIN_NOT_FOUND, VALIDATION (the model has no such value).
MUST Err sim_model_place(const SimModel *m, Sim *s, View *v, Str twin, Str property, SimPlace *out, Diag *d);
// The number of a JSON value there, in SI; NaN: null. Errors: VALIDATION (of another type).
MUST Err sim_model_value(Sim *s, const SimPlace *at, const Json *value, Str property, double *out, Diag *d);
