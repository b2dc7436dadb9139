// SPDX-License-Identifier: Apache-2.0
// Mapping, from the inside: rules as they are compiled. One thread.
#pragma once
#include "connect/connect_doc.h"
#include "connect/map.h"

typedef enum MapPayload { MAP_JSON, MAP_NDJSON, MAP_TEXT, MAP_NUMBER } MapPayload;

// A level of a topic pattern.
typedef enum LevelKind { LEVEL_TEXT, LEVEL_ONE, LEVEL_REST } LevelKind;
typedef struct Level {
    LevelKind kind;
    Str text;
    int32_t capture; // -1: none
} Level;

// A part of a template.
typedef struct Part {
    Str text;
    int32_t capture, slot; // -1: not one; slot: of a pointer
    bool outer;            // of the whole payload
} Part;
typedef struct Template {
    Part *parts;
    int32_t count;
    bool fixed; // of texts and captures only
} Template;

// A tree of pointers: what to look for in one scan. children by next; slot -1: nobody wants it.
typedef struct Node {
    struct Node *children, *next;
    Str key;
    int64_t index; // key as a place in an array, or -1
    int32_t slot;
} Node;

// The pointers of one level of a payload.
typedef struct Tree {
    Node root;
    int32_t slots;
} Tree;

typedef struct MapValue {
    Template property;
    bool star; // every member
    int32_t slot;
    bool outer;
    Node *node; // star: where the object's members are, for what is not a property
    SosiaFormula *formula;
    Str unit;
} MapValue;

typedef enum TimeFormat { TIME_AUTO, TIME_RFC3339, TIME_S, TIME_MS, TIME_US, TIME_NS, TIME_TEXT } TimeFormat;

typedef struct Rule {
    Str filter; // to subscribe
    int32_t qos;
    bool ignore_retained, create, clear;
    Level *levels;
    int32_t level_count, capture_count;
    Str captures[MAP_CAPTURES_MAX];
    MapPayload payload;
    bool has_each;
    Str each; // pointer
    int32_t each_slot;
    Tree outer, item; // of the whole payload, of one item
    Template twin, model;
    MapValue *values;
    int32_t value_count;
    int32_t time_slot; // -1: none
    bool time_outer;
    TimeFormat time_format;
    Str time_text;
    Str *ignore;
    int32_t ignore_count;
    SosiaVar *vars; // of formulas: value, payload, topic, captures
} Rule;

// A rule of a topic seen before.
typedef struct Hit {
    const Rule *rule;
    Str *captures;
    Str twin, model, *properties; // of fixed templates; else empty
} Hit;
typedef struct Topic {
    Hit *hits;
    int32_t count;
} Topic;

struct Mapping {
    Arena arena; // of rules
    Rule *rules;
    int32_t count;
    Arena topic_arena;
    Map by_topic; // -> topics
    Topic *topics;
    int64_t topic_count, topic_cap;
    Arena scratch; // of one message
};

// Compile rule i.
void rule_read(Mapping *m, Doc *p, Rule *r);
void rule_free(Rule *r);
// The topic fits: its captures, borrowed from it.
bool rule_match(const Rule *r, Str topic, Str *captures);
// A time by the rule's format. False when it is none.
bool rule_time(const Rule *r, const JsonToken *t, Arena *scratch, int64_t *out);
// By a format like strptime's: %Y %y %m %d %H %I %M %S %f %p %z %b %j %s %%; UTC without %z.
bool map_time_text(Str format, Str s, int64_t *out);
// The first letter behind a % of such a format that means nothing; 0 when there is none.
char map_time_unknown(Str format);
