// SPDX-License-Identifier: Apache-2.0
// What a simulation engine implements, built in or as a plug-in: the only contract between the graph of twins and an
// engine. An engine never sees twins, pages or JSON: it sees columns of numbers (roles), a graph of indexes and a
// clock.
//
// Roles     A role is a named input, output, state or parameter of an engine. A mapping binds it to a property of twins
//           or relationships; its values come as one array, in SI units, v[row * lanes + lane].
// Lanes     Several scenarios of one topology side by side (1 or 8). A lane's results do not depend on the other lanes.
// Clock     Superdense: (time, micro-step). At each instant the host delivers what moved to those who read it, in fixed
//           rank order, and calls react until nothing moves any more; then it looks for the next instant.
// Engines without memory (a network solved for its flows) do all their work in react.
//
// Rules
//  1. An engine writes only columns of its OUT and STATE roles, and says so with touch.
//  2. All memory of an engine lies in its state: one relocatable block without pointers, which the host copies to fork
//     a scenario and writes to disk to go on elsewhere. ctx->state may move between calls, and in ctx->resize.
//  3. A plan is what follows from the topology alone; immutable, shared by scenarios and threads.
//  4. No clock, no threads, no globals, no random source but ctx->random. The same calls give the same bytes.
//  5. An engine that stops at more instants than it asked for (others asked) gives the same results: between its own
//     events it moves on by its own steps and tells values in between by interpolation.
//  6. What moves in one lane alone does not concern the others: react looks at c->lane_mask, next likewise. An engine
//     without SIM_CAN_LANES need not care: the host makes one instance of it a lane, each with lanes = 1.
//  7. react may be called without anything to do (at the start every row of every input counts as moved; a row of a
//     delta may have moved in another lane only). It handles all own events up to t: while next still gives t, the
//     engine is asked again, in a further micro-step.
// Calls on one instance come from one thread at a time; different instances run on different threads at once.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOSIA_ENGINE_ABI 1
#define SIM_LANES_MAX 8

typedef double sim_time; // seconds since the scenario's epoch
typedef uint32_t sim_row;

// What a value is before it became a double: numbers; truth as 0 and 1; counts; a symbol (enumeration, text) by its
// number in the scenario's table. NaN: no value.
enum { SIM_NUMBER, SIM_BOOL, SIM_COUNT, SIM_SYMBOL };
// Of roles.
enum { SIM_IN = 1, SIM_OUT = 2, SIM_STATE = 4, SIM_PARAM = 8 };
// Of engines.
enum {
    SIM_CAN_LANES = 1,  // works for more than one lane
    SIM_MEMORYLESS = 2, // no state: react alone
    SIM_ROOTS = 4,      // advance may stop before `to` at an event of its own
    SIM_GRAD = 8,       // has adjoints
    SIM_EXTERNAL = 16,  // lives in another process
};

// A role's values: row by row, each with all its lanes. 64-byte aligned.
typedef struct sim_col {
    double *v;  // v[row * lanes + lane]
    uint32_t n; // rows
    uint16_t lanes;
    uint8_t type; // SIM_NUMBER ...
    uint8_t dir;  // SIM_IN ...
    double tol;   // a smaller change (SI) wakes nobody; 0: any does
} sim_col;

// Typed relationships as one graph. Nodes and edges are numbered from 0; edges of one node ascend.
typedef struct sim_topo {
    uint32_t nodes, edges;
    const uint32_t *from, *to;                             // by edge
    const uint32_t *out_ptr, *out_edge, *in_ptr, *in_edge; // CSR by node: nodes + 1 offsets
    const sim_row *node_row, *edge_row;                    // row in the node and edge roles
    uint64_t version;                                      // equal: the same arrays
} sim_topo;

// A role as an engine declares it.
typedef struct sim_role {
    const char *name;
    const char *unit; // SI symbol, "" = none
    uint8_t type, dir;
    uint8_t on_edge; // rows are edges, else nodes
    uint8_t need;    // 1: a mapping must bind it
    double dflt;     // when it is not bound, or a twin has no value
    const char *help;
} sim_role;

// Rows of one role that moved since the engine looked last; ascending, at least one.
typedef struct sim_delta {
    uint32_t col;
    const sim_row *rows;
    uint32_t n;
    uint8_t lane_mask; // lanes in which any of them moved
} sim_delta;

// An entry of the calendar that is due, as it was posted.
typedef struct sim_due {
    uint32_t kind;
    uint16_t lane;
    uint64_t arg;
} sim_due;

// What happened to a thing that moves among the rows of an engine: a part, a patient.
typedef struct sim_trace {
    sim_time t;
    uint64_t item;       // its number at its source
    sim_row row, source; // of role 0: where it is, who made it; UINT32_MAX: none
    const char *what;    // one word; lives as long as the engine
} sim_trace;

typedef struct sim_ctx sim_ctx;
struct sim_ctx {
    const sim_topo *topo; // NULL: the engine asked for none
    sim_col *col;         // col[i]: role i
    uint32_t cols;
    const void *config; // of the instance; from a mapping: its "config" as JSON text with a NUL behind, or NULL
    const void *plan;
    void *state;
    size_t state_size;
    uint16_t lanes;
    uint64_t seed;
    const uint64_t *scenario; // by lane: number of the scenario, a key of its random numbers
    const uint64_t *twin;     // by row of role 0: the twin's number, a key of its random numbers
    uint8_t lane_mask;        // lanes that take part in this call; of advance: that are looked at where it ends
    void *host;
    // An output of mine moved.
    void (*touch)(sim_ctx *c, uint32_t col, sim_row row, uint16_t lane);
    // What was posted for this instant, in order; during react.
    const sim_due *due;
    uint32_t due_count;
    // An entry in the calendar: react is called at `at` (>= now) with kind and arg in ctx->due. The host keeps it,
    // saves it and copies it to forks.
    void (*post)(sim_ctx *c, sim_time at, uint32_t kind, uint64_t arg, uint16_t lane);
    // Philox4x32-10 of (seed, scenario, twin, stream) at counter: four words.
    void (*random)(const sim_ctx *c, uint16_t lane, uint64_t twin, uint32_t stream, uint64_t counter, uint32_t out[4]);
    // Make the state larger or smaller; contents are kept, new bytes are 0. Returns the state, which may have moved.
    void *(*resize)(sim_ctx *c, size_t size);
    // Outputs of mine moved: n rows from `first` on, in the lanes of the mask.
    void (*touch_rows)(sim_ctx *c, uint32_t col, sim_row first, uint32_t n, uint8_t lanes);
    // The number that stands for a text in columns of symbols.
    double (*symbol)(sim_ctx *c, const char *text, size_t n);
    // Stop the run; the message names the row's twin. Returns -1.
    int (*fail)(sim_ctx *c, sim_row row, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
    const int64_t *epoch_ns; // what time 0 is, in nanoseconds since 1970 UTC
    const uint8_t *bound;    // by role: 1 when any row is of a twin or relationship; else nobody sees what is written
    // Likewise of one row: 1 when it is of a twin or relationship.
    int (*bound_row)(const sim_ctx *c, uint32_t col, sim_row row);
    // Somebody follows single things: to be called in order of time, during init and react. NULL: nobody does.
    void (*trace)(sim_ctx *c, const sim_trace *t);
};

// An engine. Functions return 0, or what ctx->fail gave.
typedef struct sim_engine {
    uint32_t abi; // SOSIA_ENGINE_ABI
    const char *name, *doc;
    uint32_t caps;
    const sim_role *roles; // NULL: the roles come with the instance
    uint32_t role_count;
    // What follows from topology and config; NULL: there is no plan. plan_free goes with it.
    int (*plan)(sim_ctx *c, void **plan);
    void (*plan_free)(void *plan);
    // Bytes of state at the start.
    size_t (*state_size)(const sim_ctx *c);
    // The scenario begins at t: set up the state, touch outputs that have values now.
    int (*init)(sim_ctx *c, sim_time t);
    // Earliest event of its own over the lanes of c->lane_mask, INFINITY: none. Not before the present instant. May be
    // NULL.
    sim_time (*next)(const sim_ctx *c);
    // Move on to `to`; with SIM_ROOTS *reached may be earlier (the first event in any lane; next gives that time for
    // the lanes that have one there, until react has handled it). NULL: it does not move between events. May be called
    // where nothing is delivered: at times of output, and where a run is paused. With several engines that have roots
    // the host may take state and columns back and call it again with an earlier `to`.
    int (*advance)(sim_ctx *c, sim_time to, sim_time *reached);
    // Inputs moved, or an event of its own is due, at t.
    int (*react)(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n);
    // Adjoint: seeds on outputs to gradients on inputs; may be NULL.
    int (*grad)(sim_ctx *c, const sim_col *seed, sim_col *adjoint);
    // In words: residuals, worst row, iterations. At most `size` bytes; may be NULL.
    int (*explain)(const sim_ctx *c, char *out, size_t size);
} sim_engine;

// A plug-in is a shared object with this function.
typedef const sim_engine *(*sim_engine_entry)(void);
#define SIM_ENGINE_ENTRY "sosia_sim_engine"

#ifdef __cplusplus
}
#endif
