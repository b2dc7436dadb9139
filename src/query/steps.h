// SPDX-License-Identifier: Apache-2.0
// Steps: what a HISTORY question asks the engine for when it wants intervals.
#pragma once
#include "expr/expr.h"

#define QUERY_STEPS_MAX 100000 // intervals of one property of one twin in a HISTORY
#define QUERY_FNS_MAX 16       // functions after FN

// Intervals of a cell's past: [from + k step, from + (k + 1) step), the last one ends at `to`.
typedef struct QueryIntervals {
    ExprReach reach; // [from, to)
    const Field *leaf;
    int64_t step_ns;
    const Str *fns; // none: what is usual for the field
    int32_t fn_count;
    Str fill; // of empty intervals; "": they are left out
} QueryIntervals;

// What HISTORY needs beside values (ExprPast). The engine has one. Any thread.
typedef struct QueryPast {
    void *ctx;
    // Is it the name of a function, or of a way to fill?
    bool (*knows)(void *ctx, Str name, bool fill);
    // Call fn for the intervals, ascending: values by function, UNDEFINED where an interval has none. fn false: stop.
    //   looked  out: values of the past looked at
    Err (*intervals)(void *ctx, View *v, const QueryIntervals *i,
                     bool (*fn)(void *arg, int64_t time, const ExprValue *values), void *arg, int64_t *looked);
} QueryPast;
