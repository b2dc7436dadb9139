// SPDX-License-Identifier: Apache-2.0
// InfluxDB line protocol: "cpu,host=a usage=21.5,cores=8i 1700000000000000000\n", points from bytes and back.
// A pull parser over one text: no copy of it is made; only names and strings with escapes are written out, into the
// caller's arena. Any thread; one thread a reader.
//
//     lineproto_init(&r, body, 1, now, &arena);
//     while ((got = lineproto_next(&r, &point)) != LP_END)
//         if (got == LP_POINT) use(&point); else complain(r.bad_line, r.bad_column, r.why); // goes on at the next line
//     lineproto_free(&r);
//
// The rules are those of the reference decoder of 2021 (tests: codec/lineproto): blanks are spaces, not tabs; lines end
// with LF or CRLF; '#' begins a comment line; strings may hold line ends. In names '\' before ',' ' ' and, but for the
// measurement, '=' is an escape, in strings before '"' and '\'; elsewhere it stands for itself. Names hold no control
// characters, tag values no line ends.
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

typedef enum LpType { LP_FLOAT, LP_INT, LP_UINT, LP_BOOL, LP_STRING } LpType;

typedef struct LpTag {
    Str key, value; // neither is empty
} LpTag;

typedef struct LpField {
    Str key;
    LpType type;
    union {
        double d; // finite
        int64_t i;
        uint64_t u;
        bool b;
        Str s; // may be empty
    };
} LpField;

// Valid UTF-8 throughout. Borrowed from text and arena; the arrays until the next call with the reader.
typedef struct LpPoint {
    Str name; // the measurement
    const LpTag *tags;
    const LpField *fields; // at least one; a key may occur again
    int32_t tag_count, field_count;
    bool has_time;
    int64_t time_ns; // without a time: the default, cut to the unit
    int64_t line;    // on which it begins, from 1
} LpPoint;

typedef enum LpGot {
    LP_POINT,
    LP_END, // nothing is left
    LP_BAD, // r->err, r->why, r->bad_line, r->bad_column; the reader stands at the next line
} LpGot;

#define LP_TAGS_MAX 256    // of a point
#define LP_FIELDS_MAX 4096 // of a point

typedef struct LineProto {
    Err err;                      // of the last LP_BAD: SYNTAX, LIMIT
    const char *why;              // sentence for a person, static memory
    int64_t bad_line, bad_column; // from 1, in bytes
    Arena *arena;
    const char *p, *end;
    const char *line_at; // where the line begins
    int64_t line;        // from 1
    int64_t unit_ns, default_ns;
    int64_t point_line;
    LpTag *tags;
    LpField *fields;
    int32_t tag_cap, field_cap;
} LineProto;

// Start before the first line; nothing is allocated.
//   unit_ns     of timestamps: 1, 1000, 1000000, 1000000000, ...
//   default_ns  time of points that have none
void lineproto_init(LineProto *r, Str text, int64_t unit_ns, int64_t default_ns, Arena *arena);
// Release the arrays.
void lineproto_free(LineProto *r);
// The next point. Cost: one pass over its bytes.
LpGot lineproto_next(LineProto *r, LpPoint *out);

// The same in three steps, for callers that know most series already:
// 1. find the next point; *head gets its raw bytes up to the first blank, "measurement,tag=value". Equal heads mean
//    equal names and tags.
LpGot lineproto_head(LineProto *r, Str *head);
// 2. take the head apart: fills in name and tags; may be left out. LP_BAD ends the point: no step 3.
LpGot lineproto_tags(LineProto *r, Str head, LpPoint *out);
// 3. fields and time, to the end of the line.
LpGot lineproto_rest(LineProto *r, LpPoint *out);

// Append one line, with its end; tags and fields in the order given. The time is left out without has_time.
// Errors: ARGUMENT (no name or field, an empty tag, characters that cannot be written, a float that is not finite);
// `b` is then untouched.
MUST Err lineproto_put(Buf *b, const LpPoint *p, int64_t unit_ns);
