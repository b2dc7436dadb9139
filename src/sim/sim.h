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
//  2. A cell has one writer: an engine, or the outside (sim_input). A STATE cell takes input beside its engine, which
//     is told; an OUT cell takes none.
//  3. Memory is bounded by what the model needs: nothing grows with the length of a run but what the sink keeps, and
//     symbols that come from outside.
//  4. Instants are per lane: a lane takes part in those at which its own calendar has something or an engine has an
//     event in it. At other times (events of other lanes, times of output, the end of a sim_run) continuous engines
//     move on and their columns show it, but nothing is delivered: such stops change nothing.
//  5. What an engine moved is delivered to every role that reads it (IN, STATE, PARAM), also of the same engine, but
//     not to the role that moved it.
// Threads: one Sim is used by one thread at a time. SimGraph, plans and columns that nobody writes are immutable and
// shared by forks on any threads.
//
// Time. sim_time t is in seconds since the epoch; the world's time is int64_t ns in steps of 100. sim_world_ns(epoch,
// t) is epoch + t to the nearest 100 ns. An instant is told once, after its last micro-step, as one set of cells a
// lane: one batch. Instants nearer than 100 ns would have the same world time: sim_batch_ns moves the later on to 100
// ns after the batch before, until time has caught up. sim_time_of is the way back; it gives t again for every t that
// sim_time_of gave (up to 8 years from the epoch).
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
    char *names;                                     // of all twins, one behind the other
    uint64_t *name_at;                               // where each begins, twins + 1
    uint32_t *slots;                                 // by hash of a twin's id: dense number + 1
    uint32_t slot_mask;
} SimGraph;

// Gather it. Errors: LIMIT (more than SIM_TWINS_MAX), and OVERRUN (try again with a new view).
MUST Err sim_graph(View *v, SimGraph **out);
SimGraph *sim_graph_ref(SimGraph *g);
void sim_graph_unref(SimGraph *g); // NULL is fine
// Dense number of a twin or link; UINT32_MAX: none.
uint32_t sim_graph_twin(const SimGraph *g, uint64_t twin_id);
uint32_t sim_graph_link(const SimGraph *g, uint64_t link_id);
// The name of a twin by dense number; lives as long as the graph.
Str sim_graph_name(const SimGraph *g, uint32_t twin);

// ---- time -----------------------------------------------------------------------------------------------------------

#define SIM_TICK_NS 100 // step of the world's time

// World time of t, to the nearest 100 ns; times beyond int64_t end there.
int64_t sim_world_ns(int64_t epoch_ns, sim_time t);
// Nanoseconds since Monday 00:00 UTC.
int64_t sim_week_ns(int64_t world_ns);
// The t of a world time.
sim_time sim_time_of(int64_t epoch_ns, int64_t world_ns);
// The time of the batch that holds what was told at t, after a batch at last_ns: strictly later.
int64_t sim_batch_ns(int64_t epoch_ns, sim_time t, int64_t last_ns);

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
    bool plain;        // loops within an instant are iterated without acceleration, see accel.c
} SimOpen;

#define SIM_TWINS_MAX 16000000 // twins of one simulation
#define SIM_MICRO_MAX 50       // micro-steps of one instant, after which an algebraic loop is looked for

// Nothing in it yet; takes a reference of the graph. Free it with sim_free.
Sim *sim_new(const SimOpen *o);
void sim_free(Sim *s); // NULL is fine

// The column of a property: of the twins of a table, or of the links of a kind (col: a column of the world's catalog).
// Made empty (NaN) when it is new; sim_gather fills it. Returns its number. Before sim_start. CHECKs that it is a value
// (no component or object).
uint32_t sim_column(Sim *s, uint32_t col);
// A column that the world does not have, for values on the way from engine to engine: never told. `name` says what it
// is in messages.
uint32_t sim_private(Sim *s, Str name, uint32_t rows, uint8_t type);
// Whose the rows of a private column are, for messages and random numbers: dense twins (links) by row, borrowed.
void sim_private_of(Sim *s, uint32_t column, bool link, const uint32_t *dense);
// Its values: rows are the dense numbers of the table's twins (of the kind's links) minus the first of them.
sim_col *sim_column_at(Sim *s, uint32_t column);
// What a column is of.
typedef struct SimColumn {
    uint32_t col;       // of the world's catalog; 0: private
    const Field *field; // NULL: private
    bool link;          // of the links of kind `owner`, else of the twins of table `owner`
    uint32_t owner;
    uint32_t first;        // dense number of row 0
    const uint32_t *dense; // private: by row, NULL: nobody's
    uint32_t rows;
    double factor, offset; // SI = value * factor + offset
    uint8_t type;          // SIM_NUMBER ...
} SimColumn;
SimColumn sim_column_of(const Sim *s, uint32_t column);
uint32_t sim_columns(const Sim *s);
// "pump-1.flow", for messages; links by their ends. Appends.
void sim_cell_name(const Sim *s, uint32_t column, uint32_t row, Buf *out);

// Symbols: texts by number, the same number for the same text in one Sim, and, but for rare collisions of hashes, in
// all.
uint32_t sim_symbol(Sim *s, Str text);
Str sim_symbol_text(const Sim *s, uint32_t symbol);

// What a role of an engine is bound to: one column as a whole (the engine sees the very array), or rows gathered from
// several columns, with conversion.
typedef struct SimBind {
    uint32_t column;                        // UINT32_MAX: gathered
    uint32_t rows;                          // gathered: how many
    const uint32_t *from_column, *from_row; // gathered: by row; UINT32_MAX: none, the default stands
    double dflt;                            // gathered: of rows without a cell, and of cells without a value
    uint8_t dir;
    double tol; // a smaller change is not told to this role; it counts from what was told last
    uint8_t type;
} SimBind;

typedef struct SimEngine {
    const sim_engine *engine;
    Str instance; // a name: rank is by (engine's rank class, engine name, instance)
    int32_t rank; // class: lower is told first
    const SimBind *roles;
    uint32_t role_count;
    const sim_topo *topo;                                // borrowed for the life of the Sim and its forks; NULL: none
    const void *config;                                  // likewise
    Str (*role_name)(const void *config, uint32_t role); // for messages; NULL: the engine's roles
} SimEngine;

// Add an engine; before sim_start. What `e` points at but engine, topo, config and role_name is copied.
// Errors: ARGUMENT (abi, roles, a second engine of that name and instance), VALIDATION (two writers of one cell).
MUST Err sim_add(Sim *s, const SimEngine *e, Diag *d);

// Read the bound columns from the world into all lanes (or one). Errors: OVERRUN.
MUST Err sim_gather(Sim *s, View *v, uint16_t lane_mask);
// t = 0: init, and the first instant's micro-steps. Errors: SIM_LOOP, SIM_FAILED; messages name twin, property, engine.
MUST Err sim_start(Sim *s, Diag *d);
// What follows from columns and engines alone: who reads what, plans. After sim_gather; sim_start does it otherwise.
// From then on nothing may be added. Errors: SIM_FAILED.
MUST Err sim_ready(Sim *s, Diag *d);
// The same beginning for other scenarios (by lane), inputs given so far included: not started, a run of its own. Shares
// graph, plans, configs and columns until they are written. Any thread, several at once. Cost: columns and inputs.
Sim *sim_replica(const Sim *ready, const uint64_t *scenario);
// Something from outside moves at time t (>= now; before sim_start: t = 0, before init), in the lanes of the mask.
//   priority  of those at one time: lower first; then by twin, then in order of the calls; of one cell the last stands
// A cell that takes no input keeps its value; SimStats.refused counts.
bool sim_takes_input(const Sim *s, uint32_t column, uint32_t row);
void sim_input(Sim *s, sim_time t, int32_t priority, uint32_t column, uint32_t row, uint16_t lane_mask, double value);
// The same now, in all lanes, of a value that the sink has already: it is not told.
void sim_known(Sim *s, uint32_t column, uint32_t row, double value);

// What came of an instant (or of an output time): cells that moved since it was told last, by column, row, lane. Where
// there are times of output (SimOpen.output_s), what engines moved between instants is told there; at an instant only
// cells that an engine touched at it.
typedef struct SimCell {
    uint32_t column, row;
    double value; // SI; NaN: no value any more
} SimCell;
typedef struct SimSink {
    void *ctx;
    // In order of time, once an instant and lane with anything to tell; cells ascend by the world's column, then row.
    // false: stop after this instant.
    bool (*told)(void *ctx, sim_time t, uint16_t lane, const SimCell *cells, uint32_t n);
    // At each time of output, before what moved is told; NULL: nobody looks.
    void (*looked)(void *ctx, sim_time t);
} SimSink;
// Run up to and with instant `until`, or until the sink stops it, or after `steps` instants (0: any number).
// *now: where it stands: `until`, unless it was stopped; then all columns are as of there. Without events, output and a
// finite `until` nothing happens. Errors: as sim_start; the Sim is then good for nothing but sim_free and looking at.
MUST Err sim_run(Sim *s, sim_time until, int64_t steps, const SimSink *sink, sim_time *now, Diag *d);
// Tell what moved until now, as at a time of output. False: the sink said so.
bool sim_tell(Sim *s, const SimSink *sink);
sim_time sim_now(const Sim *s);

// What engines tell of single things that move among twins.
typedef struct SimTrace {
    sim_time t;
    uint16_t lane;
    uint32_t twin, source; // dense: where it is, who made it; UINT32_MAX: none
    uint64_t item;         // its number at its source
    const char *what;      // lives as long as the engine
} SimTrace;
// From now on, before or after sim_start, fn hears of it; NULL: nobody. Forks and replicas do not take it over. What a
// run does is the same with and without.
void sim_tracer(Sim *s, void (*fn)(void *ctx, const SimTrace *t), void *ctx);
// Earliest instant at which anything will happen, as far as engines know (not roots, not output); INFINITY: none.
sim_time sim_next(const Sim *s);

typedef struct SimStats {
    int64_t instants;    // at which a lane took part
    int64_t micro_steps; // rounds of delivery
    int64_t reacts, advances;
    int64_t events;  // inputs and posts that came due
    int64_t told;    // cells, to the sink
    int64_t refused; // inputs to cells that take none
} SimStats;
// Counts since the start; of what was loaded, since it was.
void sim_stats(const Sim *s, SimStats *out);

// ---- values of the world
// ---------------------------------------------------------------------------------------------

// The number of a cell of the column, in SI; NaN: none. Texts become symbols.
double sim_value_in(Sim *s, uint32_t column, bool valid, uint64_t bits, Str text);
// And back: integers are rounded half to even, floats to 32 bits, units are undone so that a number that came with few
// decimals has them again. False: no value, or one that the property cannot have (then *fits is false; it may be NULL).
// text lives as long as the Sim.
bool sim_value_out(const Sim *s, uint32_t column, double value, uint64_t *bits, Str *text, bool *fits);
// The change that writes a told cell to the world: SET, UNSET, LINK_SET or LINK_UNSET. False: the value does not fit
// the property, or the column is private.
bool sim_change(const Sim *s, const SimCell *cell, Change *out);

// ---- saving
// ----------------------------------------------------------------------------------------------------------

// The whole of a run as bytes: columns, states, calendar, symbols, clock; and back, into a Sim with the same graph,
// engines and columns added, not started; it goes on bit for bit. `out` must have room (out->full says when not).
// Errors: CORRUPT, VALIDATION (of another model).
void sim_save(const Sim *s, Buf *out);
MUST Err sim_load(Sim *s, Str bytes, Diag *d);
// A copy that goes on by itself: shares graph, plans, configs, and columns until they are written. Cost: a copy of
// columns that engines write, and of states.
Sim *sim_fork(const Sim *s);
// For tests: of everything that sim_save writes.
uint64_t sim_hash(const Sim *s);

// ---- engines by name
// -------------------------------------------------------------------------------------------------

// Engines that mappings may name: built in ones are added, others come from shared objects. One thread makes it; then
// it is only read. It outlives every Sim with engines of it.
typedef struct SimRegistry SimRegistry;
SimRegistry *sim_registry_new(void);
void sim_registry_free(SimRegistry *r); // NULL is fine
// Errors: ARGUMENT (not our abi, no name, roles that say nothing), EXISTS (the name is taken).
MUST Err sim_registry_add(SimRegistry *r, const sim_engine *e, Diag *d);
// The engine of a shared object: native code that runs as ours. Errors: IO (it cannot be opened, the message tells
// why), and as sim_registry_add.
MUST Err sim_plugin_open(SimRegistry *r, Str path, Diag *d);
// NULL: there is none.
const sim_engine *sim_registry_find(const SimRegistry *r, Str name);
int32_t sim_registry_count(const SimRegistry *r);
// By name.
const sim_engine *sim_registry_at(const SimRegistry *r, int32_t i);
