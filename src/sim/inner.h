// SPDX-License-Identifier: Apache-2.0
// Inside of a Sim: column.c (columns, symbols, gathering), add.c (engines, who writes what), cell.c (values of the
// world), clock.c (instants, delivery), calendar.c, loop.c (what moves what without end), save.c. Only src/sim includes
// this.
//
// What never changes once a Sim has started (columns' places, roles and their bindings, who reads and writes what,
// plans) is in a Wire, shared by forks. What changes is in the Sim itself.
//
// Invariants
//  1. seen[] of a column is what was delivered of it; v[] runs ahead of it only in rows that an engine touched since
//     its lane last took part in an instant. A column that no engine writes has no seen[]: it is v[].
//  2. Arrays of columns that no engine writes may be shared with forks: column_own before a write.
//  3. A row is in the list of a RowSet exactly when its mask is not 0.
//  4. Between instants nothing is due and no `moved` set has rows.
#pragma once
#include <stdatomic.h>
#include "base/map.h"
#include "sim/sim.h"

// Rows with the lanes that are meant. Memory is taken when the first one comes.
typedef struct RowSet {
    uint32_t size, n;
    uint8_t *mask;  // by row
    uint32_t *rows; // n of them
} RowSet;

// Make room; the set has no memory yet.
void rowset_make(RowSet *s);
static inline void rowset_add(RowSet *s, uint32_t row, uint8_t lanes) {
    if (!s->mask) rowset_make(s);
    if (!s->mask[row]) s->rows[s->n++] = row;
    s->mask[row] |= lanes;
}
// Ascending.
void rowset_sort(RowSet *s);
// Without the lanes; rows of which nothing is left go.
void rowset_drop(RowSet *s, uint8_t lanes);
void rowset_copy(RowSet *to, const RowSet *from); // over what `to` holds
void rowset_free(RowSet *s);

// Doubles behind a head of 64 bytes.
typedef struct Array {
    _Atomic uint32_t refs;
    uint32_t rows, lanes;
    _Alignas(64) double v[];
} Array;

Array *array_new(uint32_t rows, uint32_t lanes); // NaN
Array *array_copy(const Array *a);
void array_unref(Array *a); // NULL is fine

// ---- shared by forks ------------------------------------------------------------------------------------------------

// A role that reads a column, or one row of it.
typedef struct Reader {
    uint32_t inst, role, row; // row: of the role; UINT32_MAX: each row of the column is the same row of the role
} Reader;

#define NO_WRITER UINT32_MAX

typedef struct ColumnWire {
    SimColumn what;
    Str name;       // private
    uint32_t order; // place in the order of hashes and of what is told: by the world's column, private ones behind
    // By add.c and wire_up:
    uint32_t writer;   // serial of the engine that writes all of it; NO_WRITER
    uint32_t *writers; // by row, when several or only some rows; NULL
    uint8_t *output;   // by row: written as OUT, takes no input; NULL: see output_all
    bool output_all;
    bool written; // by any engine
    Reader *whole;
    uint32_t whole_count;
    uint32_t *part_first; // rows + 1; NULL: nobody reads single rows
    Reader *part;
} ColumnWire;

typedef struct RoleWire {
    SimBind bind;
    uint32_t *from_column, *from_row; // own copies; NULL: `column`, row by row
    bool whole;                       // the engine sees the column itself
    uint32_t rows;
} RoleWire;

// One engine in one lane, or in all.
typedef struct InstWire {
    SimEngine e; // instance is an own copy; roles NULL
    RoleWire *roles;
    bool shares_roles; // with the instance before it: of the next lane
    uint32_t serial;   // of the engine, in order of sim_add
    uint32_t lane0, lanes;
    uint64_t *scenario;
    uint64_t *twin; // by row of role 0
    uint8_t *bound; // by role
    void *plan;     // the first lane's, when roles are shared
} InstWire;

typedef struct Wire {
    _Atomic uint32_t refs;
    ColumnWire *columns;
    uint32_t column_count;
    uint32_t *ordered; // columns by `order`
    InstWire *insts;   // by rank
    uint32_t inst_count;
    uint32_t serials;
    bool up;      // ordered, readers known
    bool planned; // plans are made
} Wire;

// ---- of one Sim -----------------------------------------------------------------------------------------------------

typedef struct Column {
    Array *v, *seen; // seen NULL: not written by engines
    sim_col view;
    RowSet told; // moved since the sink heard of it
} Column;

typedef struct Port {
    Array *own;     // of gathered roles, NULL: whole
    Array *last;    // of whole ones with a tolerance: what was told last
    RowSet moved;   // to be told to the engine
    RowSet touched; // by the engine, not delivered yet
    RowSet fresh;   // by the engine, not told to the sink yet
    RowSet drift;   // delivered, and told when the engine says them at an instant, or at a time of output
} Port;

typedef struct Back Back;

typedef struct Inst {
    sim_ctx ctx; // first: engines give it back
    struct Sim *sim;
    const InstWire *wire;
    uint32_t number; // by rank
    uint8_t mask;    // its lanes among those of the Sim
    Port *ports;
    sim_col *cols;
    uint32_t *moved, moved_count;     // roles whose ports have such rows
    uint32_t *touched, touched_count; // likewise
    sim_time next[SIM_LANES_MAX];     // by lane of the Sim; of others INFINITY
    bool stale;                       // next is to be asked again
    sim_time stop;                    // where it stopped short in this advance; INFINITY
    uint8_t rooted;                   // lanes in which it did and next does not say so
    sim_due *due;
    uint32_t due_count, due_cap;
    uint8_t due_lanes;
    uint16_t reacts[SIM_LANES_MAX]; // in this instant
    bool advancing;
    bool failed; // it said why
    Back *back;  // to take an advance back
} Inst;

typedef struct Item {
    sim_time t;
    uint64_t twin, seq;
    union {
        double value;
        uint64_t arg;
    };
    uint32_t of;  // column, or instance
    uint32_t row; // or kind
    int32_t priority;
    uint8_t lanes;
    bool post, known; // known: an input that is not told
} Item;

typedef struct Calendar {
    Item *items; // a 4-ary heap
    int64_t n, cap;
} Calendar;

// A symbol's number is a hash of its text, or the next free one.
typedef struct Symbols {
    _Atomic uint32_t refs;
    uint32_t count, mask;
    uint32_t *number; // by slot
    Str *text;        // by slot; p NULL: free
    Arena keep;
} Symbols;

// Who made whom move in the last rounds of an instant that finds no end.
typedef struct TraceEdge {
    uint32_t from, to, column, row, lane;
    double by;     // how much, SI
    int64_t round; // of all micro-steps
} TraceEdge;

// See accel.c.
typedef struct Accel Accel;

struct Sim {
    SimGraph *graph;
    Wire *wire;
    SimOpen open;
    bool started, failed;
    sim_time now;
    uint8_t looks; // lanes that are looked at where the present advance is to end
    uint64_t seq;  // of the calendar
    Column *columns;
    uint32_t column_cap;
    uint32_t *telling, telling_count; // columns whose `told` has rows, room for column_cap
    Inst *insts;
    Calendar calendar;
    Symbols *symbols;
    SimStats stats;
    SimCell *cells; // for the sink
    uint32_t cell_cap;
    TraceEdge *trace; // NULL: not now
    uint32_t trace_count;
    Accel *accel[SIM_LANES_MAX]; // of the instant, by lane; NULL: no loop in it so far
    bool accelerates;            // any of them
    Diag *diag;                  // of the call
    void (*tracer)(void *ctx, const SimTrace *t);
    void *tracer_ctx;
};

// All lanes of a Sim.
static inline uint8_t lanes_all(const Sim *s) { return (uint8_t)((1u << s->open.lanes) - 1); }
// The place of a cell in arrays of all lanes.
static inline size_t place(const Sim *s, uint32_t row, uint32_t lane) { return (size_t)row * s->open.lanes + lane; }
// The cell a role's row is bound to; false: none.
static inline bool role_cell(const RoleWire *r, uint32_t row, uint32_t *column, uint32_t *cell) {
    *column = r->from_column ? r->from_column[row] : r->bind.column;
    *cell = r->from_row ? r->from_row[row] : row;
    return *column != UINT32_MAX;
}
static inline bool same_value(double a, double b) { return a == b || (a != a && b != b); }

// ---- column.c
// The sink is to hear of it; nothing for private columns.
static inline void column_tell(Sim *s, uint32_t column, uint32_t row, uint8_t lanes) {
    if (!s->wire->columns[column].what.col) return;
    if (s->columns[column].told.n == 0) s->telling[s->telling_count++] = column;
    rowset_add(&s->columns[column].told, row, lanes);
}
void column_own(Sim *s, uint32_t column); // before a write: nobody else has the array
// What the calendar has for a cell, in the lanes of the item: mark what reads it, and tell it unless it is known.
void column_put(Sim *s, const Item *item);
Symbols *symbols_new(void);
Symbols *symbols_copy(const Symbols *from);
Str symbols_get(const Symbols *y, uint32_t number); // p NULL: none
void symbols_unref(Symbols *y);
void symbols_put(Symbols *y, uint32_t number, Str text);

// Whose a cell is: a twin's, or a link's. UINT32_MAX: nobody's.
uint32_t cell_owner(const Sim *s, uint32_t column, uint32_t row);
void owner_name(const Sim *s, uint32_t column, uint32_t row, Buf *out); // "pump-1", "a -feeds-> b", "?"

// ---- add.c
void wire_unref(Wire *w);
// Order of columns and readers, once a Wire; instances with their arrays: once a Sim, when it starts or is loaded.
void wire_up(Sim *s);
// Instances and what goes with them are gone again, as before wire_up.
void wire_down(Sim *s);
// Instances without arrays, for wire_up and forks.
void insts_make(Sim *s);
MUST Err insts_plan(Sim *s); // once a Wire
void inst_free(Inst *i);
void inst_fill(Inst *i); // gathered roles get what their columns hold
void inst_bind(Inst *i); // show the engine where its columns are

// ---- host.c
// The functions and constants an engine finds in its ctx.
void inst_services(Inst *i);
// The error of an engine that did not give 0.
Err inst_failed(Inst *i);
// A role of i has rows to be told, or touched: note it, once.
void inst_role_moved(Inst *i, uint32_t role, uint32_t row, uint8_t lanes);
// "engine instance", with the lane where there is one instance a lane.
void inst_name(const Inst *i, Buf *out);

// ---- deliver.c
// A cell has moved in the lanes: tell who reads it, but not role `role` of instance `inst`.
void cell_moved(Sim *s, uint32_t column, uint32_t row, uint8_t lanes, uint32_t inst, uint32_t role);
// Columns show what gathered roles of i have touched.
void inst_show(Inst *i);
// What i touched in these lanes is delivered. said: at this instant, else on the way to it: then, where there are times
// of output, it is not told yet.
void inst_publish(Inst *i, uint8_t lanes, bool said);
// Its value is delivered in the lanes in which it moved, as one that i wrote.
void cell_deliver(Inst *i, uint32_t role, uint32_t column, uint32_t row, uint8_t lanes);
// React to what moved and what is due in the lanes of `due`. *did: there was anything. all: whatever the tolerance.
MUST Err inst_react(Inst *i, uint8_t due, bool all, bool *did);
// Ask the engine for its next event in each of its lanes.
void inst_ask_next(Inst *i);
// The lanes in which it has an event by t.
uint8_t inst_due(Inst *i, sim_time t);
// Rounds until nothing moves. all: the first instant.
MUST Err settle(Sim *s, uint8_t lanes, bool all);

// ---- advance.c
// Move continuous engines on to `goal`, or to the first event on the way.
MUST Err advance_all(Sim *s, sim_time goal, sim_time *reached);
void back_free(Inst *i);

// ---- accel.c
// Before an engine reacts in these lanes: its outputs are what it made them. Behind it, before what it touched is
// delivered: what is delivered in their place, when it has moved often.
void accel_restore(Inst *i, uint8_t lanes);
void accel_step(Inst *i, uint8_t lanes);
// Nobody moves any more: what engines made takes the place of guesses. True: there were some; there may be more to do.
bool accel_end(Sim *s);
// The instant is over.
void accel_drop(Sim *s);

// ---- calendar.c
void calendar_push(Calendar *c, const Item *item);
bool calendar_pop(Calendar *c, sim_time t, Item *out); // the first, when it is not after t
uint8_t calendar_lanes(const Calendar *c, sim_time t); // of those not after t
bool calendar_before(const Item *a, const Item *b);

// ---- loop.c
// Note who moved whom, while s->trace is there.
void trace_add(Sim *s, const TraceEdge *e);
void trace_begin(Sim *s);
// The error that names the loop.
MUST Err loop_found(Sim *s, const Inst *i);
