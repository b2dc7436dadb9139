// SPDX-License-Identifier: Apache-2.0
// Mappings: which properties and relationships of the world are the roles of an engine. Documents of the world
// (collection "mappings"):
//
//   { "engine": "linear-flow",
//     "title": "...",                                  optional
//     "rank": 0,                                       optional: class of rank, -1000 to 1000
//     "config": { ... },                               optional: for the engine, as it stands
//     "nodes": [
//       { "model": "dtmi:...:Tank;1",                  twins of it and of models that extend it
//         "roles": { "level": "level", "open": "on AND powered", "area": "2.5 'squareMetre'" } } ],
//     "edges": [
//       { "relationship": "feeds",                     each from a node to a node is an edge ...
//         "source": "dtmi:...", "target": "dtmi:...",  optional: models of its ends
//         "roles": { "conductance": "weight" } },
//       { "model": "dtmi:...:Pipe;1",                  ... or each twin with one relationship to a node at each end
//         "from": "startsAt", "to": "endsAt",
//         "roles": { "length": "length", "flow": "flow" } } ],
//     "tolerance": { "level": 0.01 } }                 optional: by role, SI: smaller changes do not wake the engine
//
// A role is given a property by its path, or an expression over properties of that twin or relationship (expr/expr.h;
// no neighbours, no time, no past). What the engine writes (OUT, STATE) is a path. Units: a property's unit is
// converted to SI, and must be of the role's kind; what has no unit is taken as SI.
// Nodes and edges are numbered by table (kind), then row (id).
#pragma once
#include "sim/sim.h"

#define MAPPINGS_COLLECTION STR("mappings")
#define MAPPING_ENTRIES_MAX 1000 // nodes and edges of one document
#define MAPPING_RANK_MAX 1000

typedef struct Mapping Mapping;

// Look at one document alone, for the models of the catalog. Errors: SYNTAX, VALIDATION, MODEL_NOT_FOUND, LIMIT;
// `where` of a message is the place in the document ("nodes[0].roles.level").
MUST Err mapping_check(const Catalog *c, const SimRegistry *r, Str name, Str json, Diag *d);

// A document bound to a graph: immutable, any thread. Errors: as mapping_check, and VALIDATION naming the twin: one
// that is both of two entries; an edge twin without its two ends, or with several.
MUST Err mapping_make(SimGraph *g, const SimRegistry *r, Str name, Str json, Mapping **out, Diag *d);
Mapping *mapping_ref(Mapping *m);
void mapping_unref(Mapping *m); // NULL is fine
// Add its engine to s, and one that computes its expressions. m outlives every Sim it was added to and their forks.
// Call before sim_gather. Errors: as sim_add.
MUST Err mapping_add(const Mapping *m, Sim *s, Diag *d);
// After sim_gather: has every row of a role that is needed, and has no default, a value? Errors: VALIDATION naming the
// twin, the property or expression, and the role.
MUST Err mapping_ready(const Mapping *m, Sim *s, Diag *d);
// Append what is bound to what, as JSON: roles with models, properties, units, factors and numbers of rows.
void mapping_show(const Mapping *m, Buf *out);
// The graph that the engine sees. Lives as long as m.
const sim_topo *mapping_topo(const Mapping *m);
