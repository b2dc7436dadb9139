// SPDX-License-Identifier: Apache-2.0
// The running rates engine: where things lie in its state, and what its files lend each other. rates.c: begin, react,
// next; rates_flow.c: motion and events within it; rates_eval.c: programs over instances and systems.
//
// State: a block without pointers; places in it follow from Rates and the number of lanes (Layout, the plan).
//   symbols | per instance: see InstState | per system: Rk45 block, SystemState | shadows | histories of delays
// Invariants
//  1. What lies in the state at t is a function of the instants with inputs or events before: looking in between
//     (advance without delivery) leaves each problem at the first end of a natural step at or behind t.
//  2. Columns of flowing roles hold the values of the dense output at the time of the last advance.
//  3. A problem with a known event (te) does not step beyond it.
#pragma once
#include "num/rk45.h"
#include "sim/rates_inner.h"

// Where an instance's things lie (bytes); by element, if not said otherwise. 0: it has none.
typedef struct InstState {
    size_t fired; // u32: how often
    size_t truth; // WHEN, u8: 0, 1, 2 unknown
    size_t goal;  // AT_RATE: exponential threshold
    size_t sum;   // AT_RATE, not flowing: hazard so far
    size_t rate;  // now
    size_t since; // when sum was right
    size_t due;   // when it will fire
    size_t least; // least `due` of each lane's blocks of DUE_BLOCK rows
    uint32_t blocks;
    size_t next; // EVERY, by lane: number of the next one; and when number 0 is
    uint32_t elems;
} InstState;
#define DUE_BLOCK 256

typedef struct SystemState {
    uint32_t slots, base; // width * lanes; number of the first among all systems'
    size_t rk;            // Rk45 block
    size_t te;            // by slot: known event; INFINITY: none in its step; -INFINITY: to be looked for behind `seen`
    size_t seen;          // by slot: events up to here are done
    size_t last;          // by slot: the event before
    size_t close;         // by slot, u32: events close to each other
    size_t stiff;         // by slot, u8: solved by CVODE from now on
    size_t queue;         // by slot, u64: where its pieces lie, see rates_stiff.c; 0: none
    size_t end;
    bool events; // anything can happen within it
} SystemState;

// Of one delay, by element: a ring of pieces of the past.
#define DELAY_PIECES 256 // the ring of an element
typedef struct DelayPiece {
    double t0, h, end; // values hold in [t0, end]; h: size of the step it was made from
    double jump;       // 1: the problem began anew at t0
    double v[5];       // at t0, t0 + h/4, ... t0 + h
} DelayPiece;
typedef struct DelayState {
    size_t ring;  // DelayPiece[DELAY_PIECES] by element
    size_t count; // u32 by element: pieces ever
    uint32_t elems;
} DelayState;

// What is watched, by watch and lane. What lies before `since` is in sums; a watch that moves by events alone has been
// `now` since then, of another it is counted up to `end` as well, beside: the tail, taken over at the next instant. Of
// one that is wanted as of the end alone `since` is the last instant, and `tail` what it was there.
typedef struct Tally {
    double since, now;
    double sum, sum_low, lost, lost_low; // lost: seconds without a value. Each with what rounding left over
    double least, most;                  // NaN: not known yet
    double end, tail, tail_lost, tail_least, tail_most;
} Tally;
// Steps of the problems that are watched, kept in the state from the least `since` on: count | pieces of t0, t1,
// dense[5][n].
#define TALLY_PIECES 8

typedef struct Layout {
    uint32_t lanes;
    size_t size;
    size_t symbols;
    InstState *insts;
    SystemState *systems;
    DelayState *delays;
    size_t systems_from; // systems, delays and queues: all that motion changes
    size_t *shadows;     // by shadow
    size_t tallies;      // Tally by watch and lane
    size_t *kept;        // by system: steps of its watched problems, by number and lane; 0: none
    uint32_t *shadow_role;
    uint32_t *clocked, clocked_count; // instances that have times of their own: EVERY, AT_RATE that does not flow
    bool events;                      // of any system
} Layout;

typedef struct DirtyList {
    uint32_t *e, n, cap;
    bool all;
} DirtyList;

// One call of the engine.
typedef struct Call {
    sim_ctx *c;
    const Rates *r;
    const Layout *l;
    char *state;
    uint32_t lanes;
    double t;
    double lane_t[SIM_LANES_MAX];
    ProgRun run;
    const double **shadow;
    Arena tmp;
    DirtyList *dirty, *fires; // by instance
    DirtyList restart;        // twin * lanes + lane
    uint32_t inst;            // that draws
    uint8_t *watch_dirty;     // by watch and lane
    struct Pieces **pieces;   // by system and number and lane; during motion, see rates_tally.c
    double *watch_y;          // scratch for the unknowns of one problem
    sim_col *watch_col;       // columns as watches see them, NULL: not yet;
    double **aside;           // with these in place of roles that are derived aside, by role, NULL: not yet
    bool failed;
} Call;

// Places in the state.
static inline void *state_at(const Call *c, size_t at) { return c->state + at; }
// As doubles.
static inline double *state_f64(const Call *c, size_t at) { return (double *)(void *)(c->state + at); }
// As counts.
static inline uint32_t *state_u32(const Call *c, size_t at) { return (uint32_t *)(void *)(c->state + at); }
// As bytes.
static inline uint8_t *state_u8(const Call *c, size_t at) { return (uint8_t *)(c->state + at); }

// ---- rates.c --------------------------------------------------------------------------------------------------------

// Memory and lists of a call; its column pointers are those of ctx.
Call call_begin(sim_ctx *c, double t);
// Give them back.
void call_end(Call *c);
// Fail naming the statement; returns -1. row: of its table.
int rates_fail(Call *c, uint32_t inst, uint32_t row, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

// ---- rates_flow.c ---------------------------------------------------------------------------------------------------

// One system during motion. Arrays are scratch memory of the call.
typedef struct Flow {
    Call *c;
    uint32_t number;
    const RatesSystem *s;
    const SystemState *at;
    Rk45 rk;
    uint32_t slots;
    double *y, *t; // values and times that are looked at
    void *rk_scratch;
    uint8_t *mask, *end;
    double *stop;
    double *truth, *roots; // [5][...] of conditions at samples of a step
} Flow;

// The solver of a system.
Rk45 flow_rk(const Call *c, uint32_t system);
// A problem begins anew at t with what the columns hold.
void flow_restart(Call *c, uint32_t system, uint32_t slot, double t);
// Its values are worth telling at this instant: it begins anew, or has an event.
void flow_say(Call *c, uint32_t system, uint32_t slot);
// Slots of a system with an event at t, in lanes of the mask; returns how many.
uint32_t flow_due(const Call *c, uint32_t system, double t, uint8_t mask, uint32_t *slots);
// The event of a slot at t is done with.
int flow_done(Call *c, uint32_t system, uint32_t slot, double t);
// The hazard so far of row number k of a part, in a slot, at t; and set it.
double flow_hidden(const Call *c, uint32_t system, const RatesPart *p, uint32_t slot, uint32_t k, double t);
void flow_set_hidden(Call *c, uint32_t system, const RatesPart *p, uint32_t slot, uint32_t k, double v);
// Move all problems on to `to`, or to the first event of any.
int flow_advance(Call *c, double to, double *reached);
// Earliest known event of the lanes of the mask.
double flow_next(const Call *c, uint8_t mask);
// Values of all problems, each at its own time, into the columns, and what is defined by them.
void flow_put(const Flow *f, const double *y, const double *t);
// A part's elements: all lanes of its rows.
ProgSel flow_part_sel(const Flow *f, const RatesPart *p);
// Columns of one problem as they are at t; all of its definitions.
void flow_show_slot(Flow *f, uint32_t slot, double t, const double *y);
// Rates of one problem at t with values y: dy of its unknowns.
void flow_rates_slot(Flow *f, uint32_t slot, double t, const double *y, double *dy);
// The rows of a part in one problem.
ProgSel flow_slot_sel(const Flow *f, const RatesPart *p, uint32_t slot);
// The program context for one problem at a time.
ProgRun flow_slot_run(const Flow *f, uint32_t slot, double *t);
// Where unknown k of a part lies among a slot's own.
static inline uint32_t flow_unknown(const RatesPart *p, uint32_t k) { return p->at + k; }

// ---- rates_event.c --------------------------------------------------------------------------------------------------

// Look for the first event of the last step of slots with mask set, behind what was seen; histories of delays grow.
// fresh: the step is new.
void event_find(Flow *f, const uint8_t *mask, bool fresh);
// Values of a delayed expression.
void flow_delayed(const ProgRun *r, uint32_t delay, const uint32_t *elem, uint32_t pos, uint32_t n, const double *init,
                  double *out);
// A problem begins anew: its history ends at t.
void delay_cut(Call *c, uint32_t system, uint32_t slot, double t);
// The next instant behind t at which what is delayed has a kink.
double delay_kink(const Flow *f, uint32_t slot, double t);

// ---- rates_tally.c --------------------------------------------------------------------------------------------------

// Bytes of one watched problem's steps.
size_t tally_kept_size(uint32_t n);
// The first values, at the start.
void tally_init(Call *c);
// An instant begins in the lanes of the call: what was counted up to it stands.
void tally_close(Call *c);
// A cell of a role moved: which watches are to be looked at again.
void tally_soil(Call *c, uint32_t role, uint32_t elem);
// Gives back what looks needed.
void tally_free(Call *c);
// An instant is over: what the watches are from here on.
void tally_look(Call *c);
// A problem begins anew: its steps are of the past.
void tally_cut(Call *c, uint32_t system, uint32_t slot);

// Motion: begin; where to stop so that steps can be counted; a new step of the slots of f->mask; problems went back;
// everything up to t is known (ends: lanes in which motion ends there, at an instant or because it is looked at; no
// other lane is asked for what was counted up to t), columns show any time then; the end of the call, when columns show
// t.
void tally_begin(Call *c);
double tally_goal(const Call *c, double from, double to);
void tally_step(const Flow *f);
void tally_back(Call *c);
void tally_move(Call *c, double t, uint8_t ends);
void tally_end(Call *c, double t, uint8_t ends);

// What came of one.
void tally_read(const Rates *r, const Layout *l, const void *state, uint32_t watch, uint32_t lane, double t,
                RatesWatched *out);

// ---- rates_stiff.c --------------------------------------------------------------------------------------------------

// One step of a stiff problem, from its pieces or a new run. 0, or -1 after rates_fail.
int stiff_step(Flow *f, uint32_t slot, double stop);
