// SPDX-License-Identifier: Apache-2.0
// Inside of a mapping: mapping_parse.c (document to bindings of models), mapping.c (to rows of a graph, and to a Sim),
// mapping_eval.c (the engine that computes expressions). Only src/sim includes this.
#pragma once
#include "expr/expr.h"
#include "sim/mapping.h"

// One role of one entry, for one table or kind.
typedef struct MapRole {
    uint32_t role;
    Str text;          // as written
    uint32_t column;   // of the world, when it is a property alone; 0: an expression
    const Bound *expr; // reads slots
    uint32_t *reads;   // columns of the world, by slot
    const Field **fields;
    uint32_t read_count;
    double factor, offset; // from what the expression gives to SI
} MapRole;

// An entry for one table (kind): its twins (relationships) are consecutive rows.
typedef struct MapGroup {
    bool edge, link;
    int32_t entry;  // in the document's nodes, or edges
    uint32_t owner; // table or kind
    MapRole *roles; // as many as are bound
    uint32_t role_count;
    Str from, to;         // relationships of edge twins; models of the ends of relationships
    uint32_t first, rows; // in the roles
    uint32_t *dense;      // by row: twin, or link
} MapGroup;

struct Mapping {
    _Atomic uint32_t refs;
    SimGraph *graph; // NULL: only checked
    const Catalog *catalog;
    const sim_engine *engine;
    Arena keep;
    Str name, title;
    const char *config; // NULL: none
    int32_t rank;
    double *tol;      // by role
    MapGroup *groups; // nodes by table, then edges: kinds, then tables
    uint32_t group_count;
    uint32_t left_out; // relationships with an end that is no node
    sim_topo topo;
};

// The document as far as the catalog tells. Free it also when it failed.
MUST Err mapping_parse(Mapping *m, const SimRegistry *r, Str json, Diag *d);
// What is bound to a role in a group, or NULL.
const MapRole *mapping_role(const MapGroup *g, uint32_t role);
// The value in SI of an expression for one row: of the columns given, by slot.
double mapping_value(Sim *s, const MapRole *r, const uint32_t *columns, const uint32_t *rows, uint32_t lane,
                     Arena *scratch);
// Computes an expression for each row of a group. Roles: its reads IN, its value OUT; config: the MapRole.
extern const sim_engine mapping_engine;
