// SPDX-License-Identifier: Apache-2.0
// Say: statements of behaviours as syntax trees (grammar in sim/behaviour.h), and the documents that hold them. Only
// src/sim includes this. Trees and texts live in the arena given.
#pragma once
#include "codec/json.h"
#include "expr/expr.h"
#include "model/dims.h"

// What a statement sets: "level", "pump.on", "in.fills.flow".
typedef struct SayTarget {
    bool out, in; // neighbours over relationships of that name, leaving or arriving
    Str rel;
    Str path;
    int32_t at, end; // bytes of the statement
} SayTarget;

typedef struct SayAct {
    SayTarget target;
    Expr *value;
} SayAct;

typedef struct SayActs {
    SayAct *items;
    int32_t count;
} SayActs;

// ORDER SAY
typedef enum SayKind { SAY_RATE, SAY_ALWAYS, SAY_WHEN, SAY_EVERY, SAY_AT_RATE, SAY_INITIALLY } SayKind;

typedef struct Say {
    SayKind kind;
    Str text;
    SayTarget target;         // RATE, ALWAYS
    Expr *expr;               // RATE, ALWAYS, WHEN, AT_RATE
    int64_t span_ns, from_ns; // EVERY; from < 0: not said
    bool aligned;             // EVERY: from_ns is behind a Monday 00:00 (`at`), not behind the beginning
    SayActs acts, other;      // other: after `else`
} Say;

// A constant of a document: a number with or without unit, a truth, a text.
typedef struct SayParameter {
    Str name;
    JsonType type; // JSON_DOUBLE, JSON_TRUE, JSON_FALSE, JSON_STRING
    double value;  // SI when it has a unit
    bool has_unit;
    DimUnit unit;
    Str text;
} SayParameter;

typedef struct SayDoc {
    const char *noun; // what it is called in messages; NULL: a behaviour. Of others, statements have no numbers
    Str name;         // of the document
    Str model, twin;  // one of them
    int64_t zone_ns;  // what its clock is ahead of UTC
    SayParameter *parameters;
    int32_t parameter_count;
    Say *says;
    int32_t say_count;
} SayDoc;

#define SAY_ACTS_MAX 100       // in one statement
#define SAY_PARAMETERS_MAX 200 // in one document

// Parse one statement. Errors: SYNTAX, LIMIT; messages carry byte offsets of the text.
MUST Err say_parse(Arena *a, Str text, Say *out, Diag *d);
// Parse a document. Errors: VALIDATION, SYNTAX, LIMIT; messages name the document, the number of the statement and the
// column in it.
MUST Err say_document(Arena *a, Str name, Str json, SayDoc *out, Diag *d);
// Complain about a statement: "behaviour tank, statement 2, column 14: ..." as SYNTAX or what `code` says; number < 0:
// about the document as a whole; at < 0: about the statement as a whole.
Err say_fault(Diag *d, Err code, const SayDoc *doc, int32_t number, int32_t at, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
