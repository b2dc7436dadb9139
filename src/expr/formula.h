// SPDX-License-Identifier: Apache-2.0
// Formula: an expression whose paths name given variables instead of properties of a twin: `value * 0.1`,
// `payload.readings[0].temp`, `type = 'x' AND $body.$metadata.$model = 'y'`. No view, no catalog, no neighbours:
// IS_OF_MODEL, UPDATED and aggregates are refused; AGE(x) is the time since the time that x holds.
//
// A variable is a slot of the run (EX_SLOT), members of a document are reached by the path's further segments. One
// thread at a time evaluates a formula; any number may be made.
#pragma once
#include "expr/expr.h"

#define FORMULA_VARS_MAX 64

typedef struct Formula {
    Arena keep, scratch; // the tree; texts of the last evaluation
    Bound *bound;
    int32_t count; // variables
} Formula;

// Parse and bind. `names` are needed only here. Free `out` also when it failed.
// Errors: SYNTAX, LIMIT, ARGUMENT (a path that begins with none of the names; the nearest one is told). Messages carry
// at and end.
MUST Err formula_init(Formula *f, Str text, const Str *names, int32_t n, Diag *d);
void formula_free(Formula *f);
// slots: a value for each name in order, UNDEFINED where it has none. The result's texts live until the next call.
// Cost: about 20 ns a node; a member of a document: a scan up to the end of the object it is in.
ExprValue formula_eval(Formula *f, const ExprValue *slots, int64_t now);
// False when the value cannot be true, whatever the variables not in `known` (bit i: slots[i] is given) would be.
// May say true too often; cheap: what needs other variables is not looked at.
bool formula_can(Formula *f, const ExprValue *slots, uint64_t known, int64_t now);
