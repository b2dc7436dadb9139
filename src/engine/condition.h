// SPDX-License-Identifier: Apache-2.0
// A condition over twins (SosiaTest, see sosia.h) for those who hold a view already. One thread at a time uses a test.
#pragma once
#include "expr/expr.h"
#include "engine/engine.h"

// out[i]: true for twin number twins[i] in the view. past: of its world (engine_past), NULL: none; now: of now().
// Errors: those of the past; what was told then is worthless. Test v->overrun after.
MUST Err condition_twins(SosiaTest *t, View *v, const ExprPast *past, int64_t now, const uint64_t *twins, int64_t n,
                         bool *out);
