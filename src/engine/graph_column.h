// SPDX-License-Identifier: Apache-2.0
// A column of sosia_graph that is worked out: one expression over twins of any model, a page of a table at a time. One
// thread at a time.
#pragma once
#include "engine/engine.h"
#include "expr/expr.h"

#define GRAPH_VISITS_MAX 20000000 // relationships and values of the past that one column looks at

typedef struct GraphColumn GraphColumn;

// `why` gets the place and what is wrong. Errors: SYNTAX, LIMIT.
MUST Err graph_column_new(Str text, GraphColumn **out, Buf *why);
void graph_column_free(GraphColumn *c); // NULL is fine

// What it is worked out with, the same for all pages of a view.
typedef struct GraphColumnRun {
    View *view;
    const ExprPast *past;
    int64_t now;
    bool (*goes)(void *ctx); // asked now and then; false: it ends, what came of it is worthless
    void *ctx;
} GraphColumnRun;

// Bind it for every model of the view. A model that it does not fit has no value, unless it fits none. Errors: SYNTAX
// (it fits no model), ARGUMENT (no model has a property of that name).
MUST Err graph_column_begin(GraphColumn *c, const GraphColumnRun *run, Buf *why);
// Append its values, as JSON with a comma before each but the first of an array, for `n` rows of a page of a table that
// hold twins, ascending. Texts over text_max bytes, documents and what is undefined are null. Errors: LIMIT (it looked
// at too much), those of the past. Test view->overrun after.
MUST Err graph_column_page(GraphColumn *c, int32_t table, uint64_t page_no, const uint16_t *rows, int32_t n,
                           int64_t text_max, Buf *out);
