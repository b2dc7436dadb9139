// SPDX-License-Identifier: Apache-2.0
// Command line options from tables. A command states its options as rows that point into a struct of its own; one
// parser fills the struct, one printer makes the help. One thread; nothing is allocated: texts borrow from argv.
#pragma once
#include <stddef.h>
#include "base/err.h"

typedef enum OptKind {
    OPT_FLAG,     // bool; takes no value
    OPT_STR,      // Str
    OPT_INT,      // int64_t, within [min, max] of the row
    OPT_F64,      // double, finite
    OPT_DURATION, // int64_t ns: "90s", "15m", "250ms"
    OPT_LIST,     // StrList; may be given many times
} OptKind;

#define STR_LIST_MAX 256

typedef struct StrList {
    Str items[STR_LIST_MAX];
    int32_t count;
} StrList;

// One option: a row of a table that ends with a row without a name.
typedef struct Opt {
    const char *name; // long name without the dashes
    char letter;      // short name or 0
    OptKind kind;
    size_t at;        // offset of the field in the command's struct
    const char *arg;  // what the help calls the value: "FILE"; NULL for flags
    const char *help; // one line, no full stop
    int64_t min, max; // OPT_INT; both 0: any
} Opt;

// Rows: OPT(Serve, data, OPT_STR, 'd', "data", "FILE", "the world file"); OPT_RANGE adds the bounds of an OPT_INT.
#define OPT(T, field, kind, letter, name, arg, help)                                                                   \
    { name, letter, kind, offsetof(T, field), arg, help, 0, 0 }
#define OPT_RANGE(T, field, name, arg, help, min, max)                                                                 \
    { name, 0, OPT_INT, offsetof(T, field), arg, help, min, max }
#define OPT_END                                                                                                        \
    { 0 }

// What was on the line besides options, in order.
typedef struct Args {
    Str items[STR_LIST_MAX];
    int32_t count;
    bool help; // --help or -h was seen; parsing stopped there
} Args;

// Parse argv[0..argc) into `fields` by the rows of one or two tables.
//   more   second table for the same struct (common options) or NULL
//   why    a sentence for a person when it fails, with the nearest known option for a misspelt one
// "--name value", "--name=value", "-n value"; "--" ends the options; "-" and numbers are arguments.
// Errors: ARGUMENT. `fields` is filled up to the failing option.
MUST Err opts_parse(const Opt *table, const Opt *more, void *fields, char *const *argv, int32_t argc, Args *args,
                    Buf *why);
// Append the rows as aligned help lines ("  -n, --name VALUE   text"), wrapped at `width` columns.
void opts_print(const Opt *table, int32_t width, Buf *out);
// The candidate with the smallest edit distance to `word`, or NULL when none is near (at most a third of it wrong).
const char *opts_nearest(Str word, const char *const *candidates, int32_t count);
