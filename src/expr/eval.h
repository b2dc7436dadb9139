// SPDX-License-Identifier: Apache-2.0
// What the row evaluator lends to the page evaluator. Only src/expr includes this.
#pragma once
#include "expr/func.h"

// The value of a valid cell of a field that is no text: BOOL, I64, F64 (also of an unsigned long beyond 2^63).
ExprValue expr_value_of_bits(const Field *f, uint64_t bits);
// An aggregate over neighbours.
ExprValue expr_eval_graph(const Bound *b, ExprRun *run, const ExprRow *rows);
// A function of the past.
ExprValue expr_eval_span(const Bound *b, ExprRun *run, const ExprRow *rows);
// Whoever pays for the run lets it go on. What is given up stays so, or aggregates around would begin it anew.
bool expr_goes_on(ExprRun *run);
