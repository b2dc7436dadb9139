// SPDX-License-Identifier: Apache-2.0
// Tale: the rows of a HISTORY query. For one row of the query after the other, the values of its properties as they
// came, or intervals of them, merged by time. Reads ahead a bounded stretch a column. One thread at a time.
#pragma once
#include "query/run.h"

typedef struct Tale Tale;

// What HISTORY asks for, worked out: times and steps are the same for all rows. Errors: SYNTAX, LIMIT (steps),
// UNSUPPORTED (no history is kept).
MUST Err tale_new(Exec *x, const Query *q, const QueryOptions *o, Tale **out, Diag *d);
void tale_free(Tale *t); // NULL is fine
// Begin with a row of the query: where its aliases stand, and by column the values of the present and what made them.
// The lists are copied, the trees are held. Errors: SYNTAX (a column that has no single value).
MUST Err tale_begin(Tale *t, const ExprRow *rows, const ExprValue *values, const Bound *const *bounds);
// Append the next row as JSON, or nothing when out is NULL. *got false: there is none left of this row of the query.
// Errors: those of reading, and what stopped the exec.
MUST Err tale_next(Tale *t, Buf *out, bool *got);
// Append what is told, for people.
void tale_explain(const Tale *t, Buf *out);
