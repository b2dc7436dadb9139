// SPDX-License-Identifier: Apache-2.0
// What the files of query/ share besides rows.h: units of columns, and the oracle that query_open runs instead of a
// plan when QueryOptions.naive is set.
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

// The query with values of one unit wherever those of several rows meet (aggregates, groups, DISTINCT, ORDER BY): q
// itself, or a copy in `a` in which expressions became UNIT(e, 'unit of the first model that gives one') and `single`
// is set. Looks at models that have twins and that WHERE does not rule out; expressions of several aliases stay as they
// are. Errors: SYNTAX: units of different families, or a unit beside none. Cost: about 1 us an expression and model.
MUST Err query_measure(Arena *a, const Query *q, View *v, const Query **out, Diag *d);
