// SPDX-License-Identifier: Apache-2.0
// Places: where a twin's values lie over time. Its columns are those of its table, its row in them changes with its
// model, and a row that a twin gave back is another's later.
#pragma once
#include "engine/engine.h"
#include "history/history.h"

typedef struct TwinPlace {
    uint32_t table;
    uint64_t row;
    int64_t from, to;          // arrival: [from, to); from 0: since before its history began; to INT64_MAX: it stands
    uint64_t seq_from, seq_to; // the batches that brought it there and took it away; 0, UINT64_MAX: none
    bool moved_in, moved_on;   // it came from, and went to, another place with them
} TwinPlace;

// Call fn for the places of twin number `twin`, oldest first; false: stop. Errors: those of history_series.
MUST Err engine_twin_places(History *h, uint64_t twin, bool (*fn)(void *ctx, const TwinPlace *p), void *ctx);
// Was the row of a place ever another twin's? What history does not tell by arrival (means) is of both then.
MUST Err engine_place_shared(History *h, const Catalog *c, uint64_t twin, const TwinPlace *p, bool *out);
