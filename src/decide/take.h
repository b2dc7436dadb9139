// SPDX-License-Identifier: Apache-2.0
// Members of JSON objects into fields, by a table: what rules and records are read with. Any thread.
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

typedef enum TakeKind {
    TAKE_TEXT,    // Str, of the document
    TAKE_SPAN,    // int64_t ns, from "PT30S" or "30s"; least and most in seconds
    TAKE_INSTANT, // int64_t ns since 1970, from RFC 3339
    TAKE_NUMBER,  // double
    TAKE_VALUE,   // double, null is NaN
    TAKE_WHOLE,   // int64_t
    TAKE_FLAG,    // bool
    TAKE_ANY,     // const Json *
} TakeKind;

// A member: where it goes, and within what (both bounds 0: anything).
typedef struct Take {
    const char *name;
    TakeKind kind;
    void *to;
    double least, most;
} Take;

// Take the members of an object, which `what` names in messages; those that are absent leave their field alone. What
// is not in the table, comes twice or is of another type is refused. Errors: ARGUMENT, told with its place.
MUST Err take_object(const Json *v, const char *what, const Take *members, int n, Diag *d);
// Is it a list of `least` to `most` items? v NULL is an empty one; `of` is the object it is a member of. Errors:
// ARGUMENT, LIMIT (more than `most`).
MUST Err take_list(const Json *v, const Json *of, const char *name, int least, int most, Diag *d);
// Exactly n numbers, null is NaN, in `a`. v NULL is an empty list. Errors: ARGUMENT.
MUST Err take_numbers(Arena *a, const Json *v, const Json *of, const char *name, int n, double **out, Diag *d);
// The value as compact text in `a`.
Str take_compact(Arena *a, const Json *v);
