// SPDX-License-Identifier: Apache-2.0
// Parameters of the query and conditions in headers that routes take. A handler is given no parameter that is not named
// here (call_param finds none), so that /openapi.json names all that are read. Static data; any thread.
#pragma once
#include "serve/route.h"

// Does the route take a parameter of that name? Those of all routes (api-version, access_token) count as taken.
bool params_takes(const Route *r, Str name);
// Call fn for each of them that the document shows, the names of all rows that fit in order; `in` is "query" or
// "header".
void params_each(const Route *r, void (*fn)(void *ctx, Str name, const char *in, bool required), void *ctx);
// Has it conditions, so that it may be refused with 412? (A GET that has answers 304.)
bool params_conditional(const Route *r);
