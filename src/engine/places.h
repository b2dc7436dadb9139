// SPDX-License-Identifier: Apache-2.0
// Places: where a twin's values lie over time. Its columns are those of its table, its row in them changes with its
// model.
#pragma once
#include "engine/engine.h"
#include "history/history.h"

typedef struct TwinPlace {
    uint32_t table;
    uint64_t row;
    int64_t from, to; // arrival: [from, to); to INT64_MAX: it stands there
} TwinPlace;

// Call fn for the places of twin number `twin`, oldest first; false: stop. Errors: those of history_series.
MUST Err engine_twin_places(History *h, uint64_t twin, bool (*fn)(void *ctx, const TwinPlace *p), void *ctx);
