// SPDX-License-Identifier: Apache-2.0
// What the files of query/ share besides rows.h: the oracle that query_open runs instead of a plan when
// QueryOptions.naive is set.
#pragma once
#include "query/rows.h"

// Takes result rows in order.
typedef struct QuerySink {
    void *ctx;
    bool (*row)(void *ctx, Str json); // json is borrowed; false: enough
} QuerySink;

// Answer the whole query by nested loops over all twins and links, an expression at a time: slow and obvious. Heeds
// o->now, o->show and o->limits.rows; nothing else of the options.
//   looked_at  out, may be NULL: twins and links visited
// Errors: SYNTAX (binding of what was met), BUDGET (limits.rows).
MUST Err query_naive(const Query *q, View *v, const QueryOptions *o, const QuerySink *sink, int64_t *looked_at,
                     Diag *d);
