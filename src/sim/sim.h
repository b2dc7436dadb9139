// SPDX-License-Identifier: Apache-2.0
// Sim: a scenario that runs. Columns of a world are gathered once into arrays (SI units, lanes side by side), engines
// move them, a clock decides who is next, and what moved goes back to the world as batches of changes with the
// scenario's own times. No world is written here: what is to be written is told to a sink, so the same code runs a
// scenario with a history and an ensemble that keeps only its figures.
//
//   View --sim_graph--> SimGraph (twins, links; shared) --+--> Sim: columns, engines, clock --> SimSink
//   documents --mapping/behaviours--> engines with roles --+
//
// The loop of one instant is in spec order: next = min(calendar, engines' next); engines with roots move first and may
// shorten it; the others move; what the calendar has is delivered ordered by (time, priority, twin, number); then what
// moved is delivered in rank order until nothing moves (micro-steps), at most micro_max times: then the run stops with
// an error that names the loop.
//
// Invariants
//  1. The same world, engines, seed and inputs give the same bytes: for 1 or 8 lanes, any number of threads, any order
//     in which engines were added (rank is by name and instance), and when it was stopped, saved and loaded in between.
//  2. A column has one writer at a time: an engine, or the outside (sim_input).
//  3. Memory is bounded by what the model needs: nothing grows with the length of a run but what the sink keeps.
// Threads: one Sim is used by one thread at a time. SimGraph and plans are immutable and shared.
#pragma once
#include <sosia/sosia_engine.h>
#include "world/world.h"

// ---- what is simulated: twins and links by dense numbers -----------------------------------------------------------

typedef struct SimGraph {
    _Atomic uint32_t refs;
    Catalog *catalog; // held
    uint64_t version; // of its contents: equal graphs have equal versions (a hash)
    uint32_t twins, links;
    uint64_t *twin_id;     // by dense number; ascending by (table, row)
    uint32_t *table;       // by dense number
    uint32_t *table_first; // by table, table_count + 1
    uint64_t *row;         // by dense number: row in the table
    uint64_t *link_id;     // by dense number; ascending by (kind, id)
    uint32_t *kind;
    uint32_t *kind_first;                            // by kind, kind_count + 1
    uint32_t *from, *to;                             // dense twins
    uint32_t *out_ptr, *out_link, *in_ptr, *in_link; // CSR by twin; links of one twin ascend by number
} SimGraph;

// Gather it. Errors: LIMIT (more than SIM_TWINS_MAX), and OVERRUN (try again with a new view).
MUST Err sim_graph(View *v, SimGraph **out);
SimGraph *sim_graph_ref(SimGraph *g);
void sim_graph_unref(SimGraph *g); // NULL is fine
// Dense number of a twin or link; UINT32_MAX: none.
uint32_t sim_graph_twin(const SimGraph *g, uint64_t twin_id);
uint32_t sim_graph_link(const SimGraph *g, uint64_t link_id);

// ---- a run --------------------------------------------------------------------------------------------------------

typedef struct Sim Sim;

typedef struct SimOpen {
    SimGraph *graph;  // a reference is taken
    int64_t epoch_ns; // world time of t = 0
    uint64_t seed;
    uint16_t lanes;                   // 1 or 8
    uint64_t scenario[SIM_LANES_MAX]; // number of each lane's scenario
    double output_s;   // what moved is told to the sink at least that often, and at events; 0: at events only
    int32_t micro_max; // 0: SIM_MICRO_MAX
} SimOpen;

#define SIM_TWINS_MAX 16000000 // twins of one simulation
#define SIM_MICRO_MAX 50       // micro-steps of one instant, after which it is an algebraic loop

// Nothing in it yet; takes a reference of the graph. Free it with sim_free.
Sim *sim_new(const SimOpen *o);
void sim_free(Sim *s); // NULL is fine

// The column of a property: of the twins of a table, or of the links of a kind (col: a column of the world's catalog).
// Made empty when it is new. Returns its number.
uint32_t sim_column(Sim *s, uint32_t col);
// Its values: rows are the dense numbers of the table's twins (of the kind's links) minus the first of them.
sim_col *sim_column_at(Sim *s, uint32_t column);
// Symbols: texts by number, the same number for the same text in one Sim.
uint32_t sim_symbol(Sim *s, Str text);
Str sim_symbol_text(const Sim *s, uint32_t symbol);

// What a role of an engine is bound to: one column as a whole (the engine sees the very array), or rows gathered from
// several columns, with conversion.
typedef struct SimBind {
    uint32_t column;                        // UINT32_MAX: gathered
    uint32_t rows;                          // gathered: how many
    const uint32_t *from_column, *from_row; // gathered: by row; UINT32_MAX: none, the default stands
    double dflt;
    uint8_t dir;
    double tol;
} SimBind;

typedef struct SimEngine {
    const sim_engine *engine;
    Str instance; // a name: rank is by (engine's rank class, engine name, instance)
    int32_t rank; // class: lower is told first
    const SimBind *roles;
    uint32_t role_count;
    const sim_topo *topo;                                // borrowed for the life of the Sim; NULL: none
    const void *config;                                  // likewise
    Str (*role_name)(const void *config, uint32_t role); // for messages; NULL: the engine's roles
} SimEngine;

// Add an engine; before sim_start. Errors: ARGUMENT (abi, roles), VALIDATION (two writers of one column).
MUST Err sim_add(Sim *s, const SimEngine *e, Diag *d);

// Read the bound columns from the world into all lanes (or one). Errors: OVERRUN.
MUST Err sim_gather(Sim *s, View *v, uint16_t lane_mask);
// t = 0: init, and the first instant's micro-steps. Errors: SIM_LOOP, SIM_FAILED; messages name twin, property, engine.
MUST Err sim_start(Sim *s, Diag *d);
// Something from outside moves at time t (>= now; before sim_start: t = 0), in the lanes of the mask.
//   priority  of those at one time: lower first; then by twin, then in order of the calls
void sim_input(Sim *s, sim_time t, int32_t priority, uint32_t column, uint32_t row, uint16_t lane_mask, double value);

// What came of an instant (or of an output time): cells that moved since it was told last, by column, row, lane.
typedef struct SimCell {
    uint32_t column, row;
    double value; // SI; NaN: no value any more
} SimCell;
typedef struct SimSink {
    void *ctx;
    // In order of time, once an instant with anything to tell. false: stop after this instant.
    bool (*told)(void *ctx, sim_time t, uint16_t lane, const SimCell *cells, uint32_t n);
} SimSink;
// Run up to and with instant `until`, or until the sink stops it, or after `steps` instants (0: any number).
// *now: where it stands. Errors: as sim_start.
MUST Err sim_run(Sim *s, sim_time until, int64_t steps, const SimSink *sink, sim_time *now, Diag *d);
sim_time sim_now(const Sim *s);
// Earliest instant at which anything will happen; INFINITY: none.
sim_time sim_next(const Sim *s);

typedef struct SimStats {
    int64_t instants, micro_steps, reacts, advances, events, told;
} SimStats;
// Counts since the start; of what was loaded, since it was.
void sim_stats(const Sim *s, SimStats *out);

// The whole of a run as bytes: columns, states, calendar, symbols, clock; and back, into a Sim with the same graph and
// engines added, not started. Errors: CORRUPT, VALIDATION (of another model).
void sim_save(const Sim *s, Buf *out);
MUST Err sim_load(Sim *s, Str bytes, Diag *d);
// A copy that goes on by itself: shares graph, plans, configs.
Sim *sim_fork(const Sim *s);
// For tests: of everything that sim_save writes.
uint64_t sim_hash(const Sim *s);
