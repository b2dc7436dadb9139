// SPDX-License-Identifier: Apache-2.0
// Mapping: from topics and payloads to points, by rules that are compiled once. Knows neither MQTT nor the engine.
//
// A rule in a document
//   {"topic":"plant/{twin}/{property}",    {name}: one level; {name+}: the rest (also + and #); or "$share/G/..."
//    "qos":1, "retained":"apply"|"ignore",
//    "payload":"json"|"ndjson"|"text"|"number",
//    "each":"/readings",                   the items of an array: pointers are inside of one; {^/x}, "^/x": outside
//    "twin":"{twin}", "property":"{property}", "model":"dtmi:..;1", "create":true,
//    "value":"/v", "expression":"(value - 32) * 5 / 9", "unit":"degreeFahrenheit",
//    "values":[{"property","value","expression","unit"}...],           in place of property, value, expression, unit
//    "time":"/ts", "timeFormat":"auto"|"rfc3339"|"s"|"ms"|"us"|"ns"|"%d.%m.%Y %H:%M:%S",
//    "null":"ignore"|"clear", "ignore":["seq"]}
// A template is text with {capture}, {/json/pointer} and {^/json/pointer}. property "*": every member of the object at
// `value` is a property, but for those of `ignore`, those that time and templates use, and null.
//
// One thread at a time. A topic seen before costs a table look; a payload one scan.
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "codec/json.h"
#include "sosia/sosia.h"

#define MAP_RULES_MAX 256
#define MAP_VALUES_MAX 256       // of one rule
#define MAP_CAPTURES_MAX 16      // of one topic
#define MAP_POINTERS_MAX 512     // different ones of one rule
#define MAP_POINTS_MAX 20000     // of one message
#define MAP_TOPICS_MAX (1 << 17) // remembered, then all are forgotten
#define MAP_TOPIC_BYTES_MAX ((int64_t)32 << 20)

typedef struct Mapping Mapping;

// What messages became. Texts live in `keep` or the document; the caller resets it when the points were taken.
typedef struct Mapped {
    SosiaPoint *points;
    int64_t count, cap;
    Arena keep;
} Mapped;

typedef struct MapOps {
    // Something of a message that could not be mapped; the rest of it was.
    void (*bad)(void *ctx, Str why);
    // `value` of unit `from` in the unit of the twin's (or model's) property. Errors: any; the value is then left out.
    // NULL: none.
    Err (*unit)(void *ctx, Str twin, Str model, Str path, Str from, double value, double *out);
    void *ctx;
} MapOps;

// Compile the rules of "subscriptions" (NULL: none), which live as long as the mapping. Messages name the member.
// Errors: ARGUMENT, LIMIT.
MUST Err mapping_new(const Json *subscriptions, Diag *d, Mapping **out);
void mapping_free(Mapping *m); // NULL is fine
int32_t mapping_rules(const Mapping *m);
// What to subscribe for rule i: captures as + and #.
Str mapping_filter(const Mapping *m, int32_t i, int32_t *qos);
// Append the points of one message. False when no rule has its topic. retained: it was kept by the broker.
bool mapping_apply(Mapping *m, const MapOps *ops, Str topic, Str payload, bool retained, int64_t now, Mapped *out);
// The texts of topics may be forgotten: no point refers to them any more (after the points were taken).
void mapping_rest(Mapping *m);

// Empty; empty again with its memory kept; release.
void mapped_init(Mapped *p);
void mapped_reset(Mapped *p);
void mapped_free(Mapped *p);
