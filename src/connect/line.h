// SPDX-License-Identifier: Apache-2.0
// Line: points in line protocol over HTTP (POST /write, /api/v2/write) become values of twins.
//
// A LineMap says how: which twin a series (measurement and tags) is, which property a field is. One is made of the
// document of each connection of kind "line", one is there without any. A LineWay carries a request out: an inlet, and
// a table from the raw bytes "measurement,tag=value" to the series' twin and handles, so that a known series costs one
// hash look-up. A way belongs to one thread at a time; a map keeps idle ones.
//
// Life of a request
//   ask_write      picks the map by database, queues the job for the threads of the intake
//   a thread       reads the body in place, point by point, and puts chunks of points; series it does not know it
//                  learns: the model is made (shape.h), the twin moves to it, handles are resolved
//   done, any      chunks come back; when all are, and some points were refused by handles or names that were out of
//   thread         date, the lines they came from are learnt anew and put once more; then it is answered
#pragma once
#include "base/map.h"
#include "codec/lineproto.h"
#include "connect/connect.h"

#define LINE_THREADS 2
#define LINE_QUEUE_MAX 256
#define LINE_CHUNK 5000        // points put at once
#define LINE_CHUNKS_MAX 8      // of one request on their way
#define LINE_SERIES_MAX 200000 // known to one way; then it forgets them all
#define LINE_WAYS_MAX 8        // idle ones of a map
#define LINE_ERRORS_MAX 10     // told in the answer
#define LINE_RULES_MAX 1000    // of one document

// ---- mapping ------------------------------------------------------------------------------------------------------

typedef struct LineRule {
    Str field, path;
    Str expression; // over `value`, or ""
    bool drop;
} LineRule;

typedef struct LinePart {
    Str text; // literal, or the tag's name
    bool measurement, is_tag;
} LinePart;

typedef enum LineTags { LINE_TAGS_PROPERTIES, LINE_TAGS_IGNORE, LINE_TAGS_LISTED } LineTags;

typedef struct LineWay LineWay;

typedef struct LineMap {
    _Atomic int32_t refs;
    Arena arena; // owns the texts
    Str name;    // of the connection; "" the one without
    Str database;
    Str model; // "": made of what comes
    LinePart *parts;
    int32_t part_count; // 0: measurement and all tags
    LineRule *rules, *tag_rules;
    int32_t rule_count, tag_rule_count;
    LineTags tags;
    bool create, ignore_others;
    pthread_mutex_t lock; // guards the idle ways
    LineWay *ways[LINE_WAYS_MAX];
    int32_t way_count;
} LineMap;

// Of a document; NULL: the default. One reference. Errors: ARGUMENT, the messages name the member.
MUST Err line_map_new(const Json *doc, Str name, LineMap **out, Diag *d);
LineMap *line_map_ref(LineMap *m);
// The last reference frees it with its ways. NULL is fine.
void line_map_unref(LineMap *m);
// The id of the twin that a series is, in the arena; p NULL and a sentence in `why` when it lacks a tag.
Str line_twin(const LineMap *m, const LpPoint *p, Arena *arena, Buf *why);
// The rule for a field, or NULL.
const LineRule *line_rule(const LineMap *m, Str field);

// ---- series -------------------------------------------------------------------------------------------------------

typedef struct LineField {
    Str key, path, schema;
    LpType type;
    SosiaHandle at;       // twin 0: by names
    const LineRule *rule; // NULL: none
    SosiaFormula *formula;
    bool drop;
} LineField;

typedef struct LineSeries {
    Str head, twin;
    Str model; // makes the twin; "": it is there, or must be
    LineField *fields;
    int32_t count, cap;
    bool by_names;           // some handle is not resolved
    int64_t learnt, settled; // request in which it was learnt; in which that was tried last
} LineSeries;

struct LineWay {
    LineMap *map; // not counted: it belongs to it
    SosiaConnect *connect;
    SosiaInlet *inlet;
    Str world, principal, purpose; // in `names`
    Arena names;
    Arena keep; // of series
    LineSeries *series;
    int64_t series_count, series_cap;
    Map by_head;             // -> series
    SosiaFormula **formulas; // of map->rules, NULL where there is none
    // of the request at hand
    int64_t request; // its number
    bool by_names;   // leave handles out: what others do at the same time to twins and models cannot make names void
    Arena scratch;
    SosiaPoint *points;
    int32_t *lines; // of the points
    int64_t count, cap;
};

// An idle way of the map for that caller and world, or a new one. Errors: WORLD_NOT_FOUND.
MUST Err line_way_take(SosiaConnect *k, LineMap *m, const SosiaCaller *who, Str world, LineWay **out);
// Leave it to the next; the map keeps it.
void line_way_leave(LineWay *w);
void line_way_free(LineWay *w);
// The series of a head, or NULL.
LineSeries *line_series(LineWay *w, Str head);
// Forget one, and what is known of its model; its next point is learnt anew.
void line_forget(LineWay *w, Str head);
// Forget all; no point may wait to be put.
void line_forget_all(LineWay *w);
// Resolve what is not resolved yet. Errors: TWIN_NOT_FOUND (not there yet), VALIDATION (its model lacks a path).
Err line_settle(LineWay *w, LineSeries *s);
// Learn the fields of a point that the series (NULL: a new one) lacks, and append points for its tags when they are
// news. Waits for the engine when a model is made. Errors: those of making models and twins; `why` tells.
MUST Err line_learn(LineWay *w, Str head, const LpPoint *p, LineSeries **series, Buf *why);
// Append the points of a known series; false when it lacks a field.
bool line_append(LineWay *w, LineSeries *s, const LpPoint *p);

// ---- the intake ---------------------------------------------------------------------------------------------------

typedef struct LineIntake LineIntake;

// Queue, threads, the default map; NULL when there are no threads to be had.
LineIntake *intake_new(SosiaConnect *k);
// Answer what waits with CLOSED, wait for what was put, join, free. NULL is fine.
void intake_free(LineIntake *in);
// Append the counters, each with a leading comma.
void intake_stats(LineIntake *in, Buf *out);
// Nanoseconds of a `precision` ("" ns); 0: unknown.
int64_t line_precision(Str text);
