// SPDX-License-Identifier: Apache-2.0
// Rows: what every way of running a query shares: the order of values, the states of aggregates, and a result row as
// JSON. Any thread that holds the view; no state outside of the structs.
#pragma once
#include "query/query.h"

// ---- values -------------------------------------------------------------------------------------------------------

// The total order of query.h: undefined, null, false, true, numbers, texts by bytes, times, durations, points,
// documents by bytes. -1, 0 or 1; 0 only for values that are one group.
int query_value_order(const ExprValue *a, const ExprValue *b);
// The form that all values of one group have: -0.0 is 0.0, a whole double within int64 is an I64. Values that order
// equal get equal type and bits (or bytes) by it, so that it can be hashed. Group keys and DISTINCT values of rows are
// kept in this form.
ExprValue query_value_plain(ExprValue v);
// A copy whose text lives in `a`.
ExprValue query_value_keep(Arena *a, ExprValue v);

// ---- aggregates ---------------------------------------------------------------------------------------------------

// The state of one aggregate of one group. Zero it to start; release with query_agg_free.
typedef struct QueryAggState {
    int64_t count;      // values taken
    int64_t high;       // sum of the integers: high * 2^64 + low
    uint64_t low;       //
    double sum, lost;   // Neumaier sum of the doubles
    bool real;          // a double was among the numbers
    ExprValue best;     // MIN, MAX: its text lies in `text`
    char *text;         // owned
    int64_t text_cap;   //
    double *numbers;    // PERCENTILE: all of them, owned
    int64_t number_cap; //
} QueryAggState;

// Take the value of c->expr for one row (v NULL: COUNT()). Texts are copied.
void query_agg_add(const QueryColumn *c, QueryAggState *s, const ExprValue *v);
// Take n finite doubles for SUM or AVG: the same as one by one.
void query_agg_add_doubles(QueryAggState *s, const double *v, int64_t n);
// Take what `from` has taken, as if its rows came behind those of s. `from` stays to be freed.
void query_agg_merge(const QueryColumn *c, QueryAggState *s, const QueryAggState *from);
// The result; EXPR_UNDEFINED when there is none. Its text is borrowed from the state. PERCENTILE sorts the state.
ExprValue query_agg_value(const QueryColumn *c, QueryAggState *s);
// Bytes it owns, for limits.
int64_t query_agg_bytes(const QueryAggState *s);
void query_agg_free(QueryAggState *s);

// ---- a row as JSON ------------------------------------------------------------------------------------------------

// A SHORTEST path from its left end.
typedef struct QueryPath {
    int32_t length;        // hops
    const uint64_t *twins; // length + 1
    const uint64_t *links; // length
} QueryPath;

typedef struct QueryRow {
    const ExprRow *at;          // by alias; not read in an aggregated query
    const ExprValue *values;    // by column; not read where a column shows a whole alias or the path
    const Bound *const *bounds; // by column: what made the value, for how a float or an unsigned long is written;
                                // the array or an element may be NULL
    const QueryPath *path;      // SHORTEST
} QueryRow;

// Append the value of a column; b: what made it, may be NULL. "null" for none.
void query_value_json(const QueryColumn *c, const ExprValue *v, const Bound *b, Buf *out);
// Append the row as one JSON object. `SELECT *` of one source is the twin or link itself; of several each named alias
// is a member (and the SHORTEST path under its name). A column whose value is undefined is left out.
void query_row_json(const Query *q, View *v, const ShowOptions *show, const QueryRow *row, Buf *out);
