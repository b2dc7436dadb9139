// SPDX-License-Identifier: Apache-2.0
// One line of POST /ingest: {"id":"pump-1","property":"speed","value":21.5,"time":"2026-11-22T08:00:00.25Z"}.
// Members in any order; others are checked as JSON and ignored. Any thread, no state.
//   id        the twin, a string that is not empty
//   property  its property, a string that is not empty (a path for components: the engine takes it apart)
//   value     any JSON value
//   time      RFC 3339 text, or a whole number of milliseconds since 1970-01-01T00:00:00Z; may be null or absent
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

typedef struct IngestLine {
    Str id, property; // unescaped
    JsonToken value;  // type, and for scalars raw, i, d as json_scan_value gives them
    Str value_text;   // the value's whole JSON text, strings with their quotes
    bool has_time;
    int64_t time_ns;
} IngestLine;

// Take one line apart. Texts borrow from `line`; the arena is used for escaped ids only.
//   d  gets one message with the byte span within the line; may be NULL
// Errors: SYNTAX (not one JSON object), LIMIT (nested too deeply), ARGUMENT (a member is missing, twice there, or of
// the wrong type); *out is untouched then. Cost: one pass over the line.
MUST Err ingest_line_parse(Str line, Arena *arena, IngestLine *out, Diag *d);
