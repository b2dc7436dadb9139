// SPDX-License-Identifier: Apache-2.0
// Points: values of properties by name, many at a time: what inlets, NDJSON and CSV have in common.
//
// The caller's or a worker's thread takes a body apart into Points and looks their names up (points_resolve): what it
// finds becomes changes that the writer applies with no further look. Everything it does not decide (a twin it does not
// see yet, an enum of integers, a document, a model that was just deleted) it leaves to the writer, who knows: so what
// was looked up may be out of date, and the result is right all the same.
#pragma once
#include "engine/engine.h"
#include "engine/report.h"

#define POINTS_MAX 100000 // of one sosia_inlet_put
#define POINTS_PER_BATCH 5000

// How a value's kind meets the kind of its property.
typedef enum Fit {
    FIT_STRICT,  // as it is: an integer is a double too
    FIT_LENIENT, // converted where that loses nothing
    FIT_TEXT,    // a text of CSV: what its property makes of it, also a document
} Fit;

typedef struct Point {
    Str twin, path, model; // path: '.' between segments; model: makes the twin when there is none, or ""
    SosiaHandle at;        // twin 0: by the names
    SosiaValue value;
    Str json;     // the value's JSON text as it came, or ""
    int64_t time; // source time, 0: unknown
    int64_t line; // number in messages
    Err err;      // known to be bad already; reported when its turn comes
    Str message;
} Point;

struct Points {
    Fit fit;
    Point *items; // their texts live in the task's arena
    int64_t count, cap;
    Change *sets;     // of the plain ones
    bool *plain;      // sets[i] is all there is to do
    uint64_t catalog; // `since` of the catalog they were made with
    Report report;
};

// No points yet; room: about how many will come.
Points *points_new(Fit fit, int64_t room);
void points_free(Points *p); // NULL is fine
// One more, zeroed but for its line. Valid until the next one.
Point *points_add(Points *p, int64_t line);
// "/thermostat/setPoint" means "thermostat.setPoint".
Str points_path(Str path, Arena *a);
// The bodies of INGEST and INGEST_CSV into c->points. A CSV without a usable header fails the task.
void points_parse_lines(Task *c);
void points_parse_csv(Task *c);
// Fill sets and plain as far as the visible state of the task's world tells. Never waits.
void points_resolve(Sosia *e, Task *c);
// Writer: apply them in as many batches as needed, and complete the task.
void points_run(Sosia *e, Realm *r, Task *c);
// Set err and message of the points that would be refused, each as if it came alone; messages are kept in `a`. Never
// waits for the writer but as engine_read does. Errors: WORLD_NOT_FOUND, OVERRUN.
MUST Err points_check(Sosia *e, Str world, Points *p, Arena *a);

// The value as one of the field's kind where `fit` allows: else as it was. Texts may be borrowed from v or the arena.
SosiaValue value_fit(const Field *f, Fit fit, SosiaValue v, Arena *a);
// The value into c->bits or c->text when it surely is one of the field's, whole and checked; else false.
bool value_plain(const Field *f, const SosiaValue *v, Change *c);
// The value as JSON text; NONE: "null".
Str value_json(SosiaValue v, Arena *a);
