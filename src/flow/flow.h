// SPDX-License-Identifier: Apache-2.0
// Flow: items move over a graph of stations, from event to event. Sources make items; stations serve them with servers,
// queues and resources; conveyors carry them; sinks count them. Two halves:
//
//   FlowDef --flow_make--> FlowModel   what follows from the description: immutable, one block without pointers
//   FlowModel + seed --------> Flow    what moves: items, queues, events, statistics; one block without pointers
//
// Bare, a replication is flow_open, flow_start, flow_until, flow_figures. As the engine "flow" of a simulation
// (flow/engine.h) the same core moves columns of twins.
//
// One instant. An event is handled, then whatever it made possible, until nothing more can move: an item that leaves
// moves on before the next one starts; then nodes, in the order in which they were touched, start what they can and let
// in who waits before them; then resources that were given back go to who waits for them (lowest priority number, then
// the longest wait). Events of one time come in the order in which they were scheduled.
//
// Blocking. An item that is done and finds no room at the next node stays where it is, on its server (blocking after
// service), and is let in there in the order of waiting; nobody overtakes. A node with `lose` refuses instead.
//
// Random numbers. Every draw is a function of (seed, scenario, twin of the node, stream, number): Philox4x32-10, the
// same words as sim_ctx.random gives. A source's n-th arrival, and what an item draws at a node (service, patience,
// routing), depend on the source, the item's number and how many nodes it has passed, not on who came before: so two
// scenarios of one seed see the same customers with the same demands (common random numbers).
//
// Invariants
//  1. The same model, seed, scenario and inputs give the same bytes, however time is sliced, and when the state was
//     copied, saved and loaded in between.
//  2. An item is in one place: a queue, a server, on a conveyor, before a node, or on its way.
//  3. Memory is bounded by items alive and nodes; nothing grows with the length of a run.
//  4. Little's law holds for every node at every instant: the integral of the number inside is the sum of stays
//     (flow_verify).
// Threads: a FlowModel is immutable and shared; a Flow is used by one thread at a time.
#pragma once
#include "base/err.h"

#define FLOW_NODES_MAX 1000000    // nodes of one model; edges, resources and tables likewise
#define FLOW_ITEMS_MAX 8000000    // items alive in one replication
#define FLOW_ATTRIBUTES_MAX 16    // numbers that every item has
#define FLOW_TYPES_MAX 1000       // types of items
#define FLOW_LEVELS_MAX 10000     // numbers of items for which a node keeps time (FlowNode.levels)
#define FLOW_HELD_MAX 4           // kinds of resources that one item may hold on to from node to node
#define FLOW_INSTANT_MAX 10000000 // moves in one instant, after which items are going round without time passing
#define FLOW_TRACE_MAX 65536      // events of a trace that are kept until they are told

typedef uint32_t FlowRef; // 0: none; k + 1: the k-th of its array
#define FLOW_REF(index) ((FlowRef)(index) + 1)
// A stretch of one of the arrays of FlowDef.
typedef struct FlowRange {
    uint32_t first, count;
} FlowRange;

// ---- distributions -------------------------------------------------------------------------------------------------

// a, b, c by kind. Durations below 0 count as 0. Inversion of one uniform wherever there is one.
typedef enum FlowDistKind {
    FLOW_CONST,       // a
    FLOW_UNIFORM,     // from a to b
    FLOW_EXPONENTIAL, // mean a
    FLOW_NORMAL,      // mean a, standard deviation b; what falls below 0 is drawn again
    FLOW_LOGNORMAL,   // mean a, standard deviation b, of the value itself
    FLOW_GAMMA,       // mean a, shape b (whole: Erlang)
    FLOW_WEIBULL,     // scale a, shape b
    FLOW_TRIANGULAR,  // low a, most often b, high c
    FLOW_POISSON,     // mean a
    FLOW_GEOMETRIC,   // slots until and with the first success of probability a, times b (0: 1)
    FLOW_EMPIRICAL,   // table: values with weights (value, weight, value, weight ...)
    FLOW_ATTRIBUTE,   // the item's attribute number a, times b (0: 1), plus c
    FLOW_PICK,        // table: FlowRefs of distributions by the attribute number a (-1: by the item's type)
} FlowDistKind;

typedef struct FlowDist {
    FlowDistKind kind;
    double a, b, c;
    FlowRange table; // of FlowDef.numbers
} FlowDist;

// ---- calendars -----------------------------------------------------------------------------------------------------

// A value that steps: by shifts (0 closed, 1 open), numbers of staff, arrivals a second. Periodic, or once.
typedef struct FlowCalendar {
    double period;   // s; 0: it does not repeat, and keeps its last value
    double offset;   // s: local time is the scenario's time since Monday 00:00 UTC plus this
    FlowRange steps; // of FlowDef.numbers: (time, value) ascending from time 0 on
} FlowCalendar;

// ---- resources -----------------------------------------------------------------------------------------------------

// What items need beside a server: people, rooms, beds, tools, vehicles. So many units, all alike.
typedef struct FlowResource {
    Str name;
    uint64_t twin;
    double number;
    FlowRef calendar; // number by shift, times `number`; who is at work at its end finishes
} FlowResource;

// So many units of a resource.
typedef struct FlowUse {
    FlowRef resource;
    uint32_t number;
} FlowUse;

// ---- nodes ---------------------------------------------------------------------------------------------------------

typedef enum FlowKind {
    FLOW_SOURCE,
    FLOW_STATION,  // with servers = INFINITY and a service: a delay. Also batches, splits and assembles
    FLOW_BUFFER,   // holds up to `capacity` until the next node takes them
    FLOW_CONVEYOR, // from its beginning to its end, in order
    FLOW_SINK,
} FlowKind;
typedef enum FlowDiscipline {
    FLOW_FIFO,
    FLOW_LIFO,
    FLOW_PRIORITY, // lowest number first
    FLOW_SHORTEST, // shortest service first
    FLOW_DUE,      // earliest due first
} FlowDiscipline;
typedef enum FlowRoute {
    FLOW_SHARE, // by the weights of the edges
    FLOW_FIRST, // the first with room; waits for any
    FLOW_LEAST, // the one with the fewest inside; a tie: the first
    FLOW_TURN,  // each in turn
} FlowRoute;
typedef enum FlowPreempt {
    FLOW_PREEMPT_NONE,
    FLOW_PREEMPT_RESUME,  // goes on with what was left
    FLOW_PREEMPT_REPEAT,  // begins again, as long as before
    FLOW_PREEMPT_RESTART, // begins again, with a new draw
} FlowPreempt;
typedef enum FlowBroken { // what becomes of the work of a station that breaks down
    FLOW_BROKEN_RESUME,
    FLOW_BROKEN_REPEAT,
    FLOW_BROKEN_SCRAP,
} FlowBroken;

// A way of breaking down. Several of one station are independent.
typedef struct FlowFailure {
    FlowRef after;   // up to the failure: distribution
    FlowRef repair;  // distribution
    bool operating;  // `after` counts time at work only (stations with one server); else all time that it is up
    FlowUse crew;    // needed for the repair; resource 0: none
    double priority; // of the repair, among who waits for the crew
    FlowBroken work;
} FlowFailure;

typedef enum FlowSetOf { FLOW_SET_ATTRIBUTE, FLOW_SET_TYPE, FLOW_SET_PRIORITY, FLOW_SET_DUE } FlowSetOf;
// An attribute is set, or added to: at a source as the item is made, at a station as its service ends.
typedef struct FlowSet {
    FlowSetOf of;
    uint32_t attribute;
    bool add; // to what it is; of DUE: to the time it is now
    FlowRef dist;
} FlowSet;

typedef struct FlowNode {
    Str name;      // for messages
    uint64_t twin; // key of its random numbers; different of every node
    FlowKind kind;
    // --- source
    FlowRef gap;     // between arrivals; none of gap, rate and trace: as many as are taken
    FlowRef rate;    // calendar of arrivals a second: a Poisson process with that rate
    FlowRange trace; // of numbers: times of arrivals, ascending
    FlowRef size;    // items of an arrival; none: 1
    double first;    // time of the first arrival, from which gaps count
    bool first_gap;  // the first arrival comes a gap after `first`
    uint64_t limit;  // arrivals; 0: any number
    uint32_t type;   // of its items
    double priority; // of its items; lower is more urgent
    // --- station, and capacity of a buffer
    double servers;  // 0: 1; INFINITY
    double capacity; // who waits in the queue beside those on servers; a buffer: inside. INFINITY; see `bounded`
    bool bounded;    // capacity counts (else: INFINITY)
    bool lose;       // whoever finds no room is refused; else it waits where it is
    FlowDiscipline discipline;
    FlowRef service;   // none: no time
    FlowRef setup;     // before an item of another type than the last (one server)
    FlowRange setups;  // of numbers: types x types seconds, [from * types + to], instead of `setup`
    FlowRef patience;  // leaves the queue after that long
    FlowRef balk;      // refuses to queue when so many or more wait already
    FlowRef instead;   // out-edge of this node (1: its first) for who is refused, balks or leaves; none: lost
    FlowRange seize;   // of uses: for the service, all or nothing
    bool hold;         // what it seized stays with the item, until `release` of a later station or the end
    FlowRange release; // of uses: what the item holds is given back after service (number 0: all it has of it)
    bool keep;         // `release` only as it leaves: who is blocked keeps it
    FlowRange held;    // of uses: what items that are there at the start hold already
    FlowPreempt preempt;
    uint32_t batch;  // items a service takes, 0: 1; the first one stands for all
    bool batch_type; // of one type
    bool assemble;   // a service takes FlowEdge.number items of each edge into it; capacity is that of each edge
    bool merge;      // of batch or assemble: the others become part of the first one for good, else `unpack` frees them
    bool unpack;     // items packed in an item leave as themselves
    FlowRef copies;  // an item leaves as so many
    FlowRange failures;
    FlowRef calendar; // open where its value is not 0
    FlowRef staffing; // servers by calendar, times `servers`
    bool suspend;     // work rests when the calendar closes, and goes on when it opens; else it is finished
    double scrap;     // part of the items that are thrown away after service
    FlowRange sets;
    FlowRoute route;
    // --- conveyor
    double length, speed, spacing; // m, m/s, m an item takes (0: its length over capacity)
    bool accumulating;             // items close up behind a blocked first one; else the belt stops
    // --- at the start
    uint32_t initial;        // items that are there
    uint32_t initial_type;   // of them
    FlowRef initial_service; // what is left of theirs: distribution; none: as of who comes
    double initial_age;      // s they are in the system already: their mean, spread evenly from 0 to twice that
    // --- statistics
    uint32_t high;   // items inside from which on it is piled up, 0: it never is;
    uint32_t low;    // until they are down to that
    double target;   // s in the system within which an item is to leave it (a sink: to come); 0: none
    bool quantiles;  // of waits and stays; a sink: of times in the system
    bool by_type;    // waits and stays by type of item
    uint32_t levels; // time at 0, 1, ... levels - 1 items inside, the last and more; 0: not kept
} FlowNode;

typedef enum FlowTest {
    FLOW_ALWAYS,
    FLOW_EQ,
    FLOW_NE,
    FLOW_LT,
    FLOW_LE,
    FLOW_GT,
    FLOW_GE,
} FlowTest;
typedef enum FlowSubject {
    FLOW_OF_ATTRIBUTE,
    FLOW_OF_TYPE,
    FLOW_OF_PRIORITY,
    FLOW_OF_AGE,    // s since it was made
    FLOW_OF_INSIDE, // items inside the node at the end of the edge
} FlowSubject;

// A way from a node to the next. Edges of a node are tried in order; one whose test fails is none.
typedef struct FlowEdge {
    uint32_t from, to; // nodes
    double weight;     // of FLOW_SHARE
    FlowTest test;
    FlowSubject subject;
    uint32_t attribute;
    double value;
    FlowRef travel;  // time on the way; the item leaves `from` at once, and waits before `to` when it is full
    uint32_t number; // items an assembly takes of it; 0: 1
} FlowEdge;

typedef struct FlowDef {
    const FlowNode *nodes;
    const FlowEdge *edges;
    const FlowResource *resources;
    const FlowCalendar *calendars;
    const FlowDist *dists;
    const FlowUse *uses;
    const FlowFailure *failures;
    const FlowSet *sets;
    const double *numbers;
    uint32_t node_count, edge_count, resource_count, calendar_count, dist_count, use_count, failure_count, set_count;
    uint32_t number_count;
    uint32_t types;      // of items; 0: 1
    uint32_t attributes; // of items
} FlowDef;

typedef struct FlowModel FlowModel;

// Check and copy; borrows nothing. Free with flow_model_free.
// Errors: VALIDATION (where: the node's or resource's name), LIMIT.
MUST Err flow_make(const FlowDef *def, FlowModel **out, Diag *d);
void flow_model_free(FlowModel *m); // NULL is fine
// Bytes of the block; it may be copied anywhere (64-byte aligned) and used there.
size_t flow_model_size(const FlowModel *m);
uint32_t flow_node_count(const FlowModel *m);
uint32_t flow_resource_count(const FlowModel *m);

// ---- a replication -------------------------------------------------------------------------------------------------

typedef enum FlowTraceWhat { // ORDER FLOW_TRACE
    FLOW_T_MADE,             // by a source
    FLOW_T_ENTER,            // a node
    FLOW_T_START,            // service
    FLOW_T_DONE,             // service
    FLOW_T_BLOCK,            // no room at the next node
    FLOW_T_LEAVE,            // a node
    FLOW_T_LOST,             // refused, balked, out of patience or scrapped
    FLOW_T_OUT,              // at a sink
    FLOW_T_FAIL,             // a node breaks down (item 0)
    FLOW_T_REPAIR,           // and is up again
} FlowTraceWhat;

typedef struct FlowTrace {
    double t;
    uint64_t item;   // its number at its source
    uint32_t source; // node that made it; UINT32_MAX: none
    uint32_t node;
    FlowTraceWhat what;
} FlowTrace;

typedef struct FlowStart {
    uint64_t seed, scenario;
    double week_s; // t = 0 in seconds since Monday 00:00 UTC, for calendars
    double warmup; // statistics begin then
    // Items as they come and go, in order; called at the latest at the end of flow_until. NULL: none.
    void (*trace)(void *ctx, const FlowTrace *t, uint32_t n);
    void *ctx;
    uint32_t items;     // room for so many at the start; it grows. 0: some
    uint32_t items_max; // alive at once; 0: FLOW_ITEMS_MAX
} FlowStart;

typedef struct Flow Flow;

// Room for replications of m, one after the other; m outlives it.
Flow *flow_open(const FlowModel *m);
void flow_close(Flow *f); // NULL is fine
// A new replication at t = 0, with what FlowNode.initial put there. Errors: as flow_until.
MUST Err flow_start(Flow *f, const FlowStart *s, Diag *d);
// Handle events up to and with `until`, and stand there. Errors: LIMIT (items, moves in one instant; the message names
// the node), VALIDATION (a routing without an open way, an item that holds too much); f is then only looked at.
MUST Err flow_until(Flow *f, double until, Diag *d);
double flow_now(const Flow *f);
// Time of the next event; INFINITY: none.
double flow_event_time(const Flow *f);
uint64_t flow_events(const Flow *f);
// One replication from 0 to until: flow_start and flow_until.
MUST Err flow_run(Flow *f, const FlowStart *s, double until, Diag *d);

// How long it takes to settle from an empty start (or from FlowNode.initial): the cut that MSER-5 (num/warmup.h) finds
// in the number of items alive, at FLOW_PILOT_LOOKS equal steps, mean of FLOW_PILOTS replications of one seed. Pilots
// begin with `length` s (0: as long as FLOW_PILOT_EVENTS events take) and are made twice as long until the cut is in
// their first half, or FLOW_PILOT_EVENTS_MAX events were handled: then it is not settled (more comes than can go, or
// it follows the hours of the day). Where nothing happens nothing is left out. The same seed gives the same, whatever
// the scenario.
#define FLOW_PILOTS 5
#define FLOW_PILOT_LOOKS 1000
#define FLOW_PILOT_EVENTS 20000
#define FLOW_PILOT_EVENTS_MAX 1000000 // of all pilots
typedef struct FlowWarmup {
    double time;   // s to leave out
    double length; // s, of the last pilots
    bool settled;
} FlowWarmup;
// s->warmup, trace and scenario mean nothing. Errors: as flow_until.
MUST Err flow_warmup(const FlowModel *m, const FlowStart *s, double length, FlowWarmup *out, Diag *d);

// ---- what moves it from outside, as of now -------------------------------------------------------------------------

typedef enum FlowInput {
    FLOW_ON,       // 0: rests (work is suspended, sources are silent)
    FLOW_SPEED,    // of work, of a belt, of arrivals: 1 as described; 0: stands still
    FLOW_SERVERS,  // of a station
    FLOW_CAPACITY, // of a queue or buffer
    FLOW_SCRAP,    // part that is thrown away
    FLOW_TIME,     // mean service (source: gap) of what is drawn from now on, s; 0: as described
    FLOW_WEIGHT,   // of an edge: its share
    FLOW_AFTER,    // mean of the first failure's `after`; 0: as described
    FLOW_REPAIR,   // mean of its repair
    FLOW_NUMBER,   // of a resource
} FlowInput;
// Errors: as flow_until. What it makes possible happens at once. which: node; FLOW_WEIGHT: edge; FLOW_NUMBER: resource.
MUST Err flow_input(Flow *f, FlowInput what, uint32_t which, double value, Diag *d);

// ---- figures -------------------------------------------------------------------------------------------------------

typedef enum FlowState { // ORDER FLOW_STATE: of a node
    FLOW_IDLE,           // nothing to do (starved)
    FLOW_BUSY,           // at least one server serves
    FLOW_SETUP,          // sets up, none serves
    FLOW_BLOCKED,        // done, and no room at the next node
    FLOW_WAITING,        // for a resource
    FLOW_DOWN,
    FLOW_OFF, // closed or switched off
    FLOW_STATES,
} FlowState;

// Of observations since the warm-up.
typedef struct FlowTally {
    uint64_t n;
    double mean, m2, min, max; // variance: m2 / (n - 1)
} FlowTally;

typedef struct FlowFigures {
    double time; // since the warm-up
    // now
    uint32_t inside, queue, busy, blocked;
    FlowState state;
    // counts
    uint64_t entered, left; // a source: made, taken; a sink: entered
    uint64_t lost;          // all of the next four
    uint64_t refused, balked, reneged, scrapped;
    uint64_t served, failures, setups, preempted;
    uint64_t late; // left (a sink: came) after more than FlowNode.target in the system
    // averages over time
    double inside_mean, queue_mean, busy_mean, blocked_mean, down_share;
    double share[FLOW_STATES];
    uint32_t inside_max, queue_max;
    FlowTally wait;    // from entering to the start of service, of those whose service started
    FlowTally stay;    // from entering to leaving; a sink: time in the system
    double throughput; // left over time; a sink: entered
} FlowFigures;

// Of one node, as of flow_now.
void flow_figures(const Flow *f, uint32_t node, FlowFigures *out);
// Of items of one type, where FlowNode.by_type. CHECKs the type.
void flow_figures_type(const Flow *f, uint32_t node, uint32_t type, FlowTally *wait, FlowTally *stay);
// Quantile q of waits or stays where FlowNode.quantiles (else NAN): within 0.8 % of an observation that is of that rank
// (below a microsecond: 0). NAN without observations.
double flow_quantile(const Flow *f, uint32_t node, bool wait, double q);
// Part of the time with `level` items inside, where FlowNode.levels.
double flow_level(const Flow *f, uint32_t node, uint32_t level);

typedef struct FlowUsage {
    double number, number_mean;
    uint32_t used;
    double used_mean;
    uint64_t seized;
} FlowUsage;
// Of one resource, as of flow_now.
void flow_usage(const Flow *f, uint32_t resource, FlowUsage *out);
// Alive.
uint32_t flow_items(const Flow *f);

// CHECKs the invariants: every list and count, and Little's law for every node. Cost: O(nodes + items).
void flow_verify(const Flow *f);

// ---- saving --------------------------------------------------------------------------------------------------------

// The state as bytes, and back into a Flow over an equal model; it goes on bit for bit. A trace is not part of it.
// Errors: CORRUPT (not of this model, cut or changed).
void flow_save(const Flow *f, Buf *out);
MUST Err flow_load(Flow *f, Str bytes, Diag *d);
