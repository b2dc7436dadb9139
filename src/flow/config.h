// SPDX-License-Identifier: Apache-2.0
// FlowConfig: the "config" of a mapping to the engine "flow" (docs/flow.md has every member): kinds of nodes and ways
// by name, with the tables they share. Which twin is of which kind, and how they are linked, comes with the graph.
// Immutable once read, but for what pilots found, which has a lock of its own; any thread.
#pragma once
#include "codec/json.h"
#include "flow/flow.h"

#define FLOW_KINDS_MAX 1000 // kinds of nodes, of ways, resources, calendars of one document

// A kind of nodes, or of ways between them.
typedef struct FlowKindOf {
    Str name;
    bool resource; // its twins are units of a resource, not nodes
    FlowRef calendar;
    FlowNode node; // name and twin are those of the twin
    Str instead;   // kind of the way
} FlowKindOf;

// What a link between a station and a resource means.
typedef enum FlowUseOf {
    FLOW_USE_SERVICE, // seized for a service
    FLOW_USE_HELD,    // items on the station hold it: those that are there at the start begin with it
    FLOW_USE_RELEASE, // likewise, and it is given back as an item leaves
} FlowUseOf;

typedef struct FlowWayOf {
    Str name;
    FlowEdge edge;
    FlowUseOf use;
} FlowWayOf;

typedef struct FlowConfig {
    Arena keep;
    FlowKindOf *kinds;
    FlowWayOf *ways;
    uint32_t kind_count, way_count;
    FlowDef def; // all but nodes and edges
    Str *types, *attributes, *calendars, *resources;
    double warmup;         // s
    double pilot;          // s: the warm-up is found by pilots, of that length to begin with; 0: as long as it takes
    bool warmup_found;     // so it is
    struct FlowMemo *memo; // of pilots: warmup.c
} FlowConfig;

// Errors: SYNTAX, VALIDATION, LIMIT; `where` is the place in the document ("nodes.filler.service"). Free it with
// flow_config_free.
MUST Err flow_config_read(Str json, FlowConfig **out, Diag *d);
void flow_config_free(FlowConfig *c); // NULL is fine
