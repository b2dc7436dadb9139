// SPDX-License-Identifier: Apache-2.0
// What retention let go of a cell's past, as far as it is known: means. For expressions over time and for questions
// about history; sosia_history has its own way (history_read.c).
//
// A row means another twin at another time, and means do not tell when their values arrived. Where a row was several
// twins' in turn, an interval is of the one that had it when the interval began.
#pragma once
#include "engine/places.h"
#include "expr/expr.h"
#include "history/history.h"

typedef struct PastMeans {
    ExprMean *items; // that begin in (from, to], ascending
    int64_t count, cap;
    bool stood;        // there is one that began before
    ExprMean standing; // the newest of those
    HistoryPoint gone; // the newest value that was let go; kind 0: it is not known, or not this one's
} PastMeans;

// Fill `out` (zeroed) with what was let go of r. Memory of `keep`.
//   place  where the twin stands; NULL: it is a relationship
// Errors: those of the history. Cost: two look-ups in the file; nothing was ever let go since r->from: none.
MUST Err past_means(History *h, const Catalog *c, const ExprReach *r, const TwinPlace *place, Arena *keep,
                    PastMeans *out);
// Is the newest value that was let go of (from, ...) in no mean?
bool past_means_lost(const PastMeans *m, int64_t from);
// A sentence for who needs the values themselves.
//   path  of the property
void past_means_why(History *h, const ExprReach *r, Str func, Str path, Buf *out);
