// SPDX-License-Identifier: Apache-2.0
// The inside of flow: the blocks of model and state, and what its files share. Nobody else includes it.
//
// State of an item (AT_):
//
//   made --> QUEUE --> SETUP --> SERVICE --> DONE --(room)--> next node, or gone
//              ^          |         |          in the list of who waits before the next node, or, when it goes to
//              +----------+---------+          whichever has room first, in the list of its own node
//                  pre-empted
//   BELT: on a conveyor. WAY: between two nodes. DOOR: came that way and waits before its node. PACKED: within another.
//
// Timers: each has at most one event in the heap, which knows by pos[] where it is: nothing stale is ever in it. Three
// of each node, one of each failure, resource and item, in that order.
#pragma once
#include <math.h>
#include "base/check.h"
#include "flow/flow.h"

#define NONE UINT32_MAX
#define TIMER_BITS 24   // of a heap key; the rest is the sequence
#define DIGEST_SUB 6    // bits of a mantissa that tell buckets apart
#define DIGEST_LOW 1003 // biased exponent of 2^-20
#define DIGEST_OCTAVES 52
#define DIGEST_SIZE (((DIGEST_OCTAVES) << DIGEST_SUB) + 1)

_Static_assert(3 * FLOW_NODES_MAX + 2 * FLOW_NODES_MAX + FLOW_ITEMS_MAX < 1 << TIMER_BITS, "timers fit a heap key");

// ---- the model's block ---------------------------------------------------------------------------------------------

typedef struct PNode {
    FlowNode n;                              // name: see name_at
    uint32_t out, outs;                      // of out_edge
    uint32_t in, ins;                        // of in_edge
    uint32_t modes;                          // of the model's modes, n.failures.count of them
    uint32_t tally, digest, level;           // where its figures are; NONE
    double servers, capacity, spacing, mean; // as the state begins; mean of service or gap
    uint32_t row;                            // of the caller, for messages
    bool any_in;                             // someone before it goes to the first with room
    bool operating;                          // some failure counts time at work
    bool shared;                             // it seizes resources
} PNode;

typedef struct PDist {
    FlowDist d;
    double mu, sigma; // lognormal: of the logarithm
} PDist;

typedef struct PMode {
    FlowFailure f;
    uint32_t node;
    double after_mean, repair_mean;
} PMode;

// Where the parts of a state are, up to those that grow with its items.
typedef struct StateAt {
    size_t node, edge, res, mode, tally, digest, level, dirty, res_dirty, count, changed, pos;
} StateAt;

struct FlowModel {
    size_t size;
    uint64_t hash; // of all behind this header
    uint32_t nodes, edges, resources, calendars, dists, uses, modes, sets, numbers, types, attributes;
    uint32_t tallies, digests, levels; // slots of them in the state
    // Offsets in the block.
    size_t node_at, edge_at, out_at, in_at, resource_at, calendar_at, dist_at, use_at, mode_at, set_at, number_at;
    size_t user_ptr_at, user_at; // by resource: nodes, and modes as NODES + mode
    size_t name_ptr_at, name_at; // names of nodes, then resources
    StateAt state_at;
};

// ---- the state's block ---------------------------------------------------------------------------------------------

enum { AT_FREE, AT_QUEUE, AT_SETUP, AT_SERVICE, AT_DONE, AT_BELT, AT_WAY, AT_DOOR, AT_PACKED };

typedef struct Held {
    uint32_t resource, number;
} Held;

typedef struct Item {
    double born, entered, queued, due, priority;
    double key;               // of the queue's order; on a belt: its reading at which the end is reached
    double setup, left, work; // to do at speed 1; the whole of the service
    double began;             // when what it does now was set going
    uint64_t number, origin;  // at its source; the source's key
    uint64_t seq;             // order of waiting
    uint32_t source, hops, type;
    uint32_t node; // it is in; AT_WAY, AT_DOOR: NONE
    uint32_t edge; // it came by, or waits for
    uint32_t next, prev, child;
    uint32_t parts, parts_tail, part_next;
    uint8_t at, held_count;
    bool started; // its wait was counted
    bool any;     // waits for any way
    Held held[FLOW_HELD_MAX];
} Item;

typedef struct Node {
    double since; // areas are as of
    double area_inside, area_queue, area_busy, area_blocked, area_down;
    double share[FLOW_STATES];
    double stays; // sum, for Little's law
    uint64_t entered, left, refused, balked, reneged, scrapped, served, failures, setups, preempted, late;
    uint64_t made, arrivals;                    // items of a source, copies of a station; arrivals
    double on, speed, servers, capacity, scrap; // as given from outside
    double scale;                               // of drawn services and gaps
    double open, staff;                         // of its calendars
    double gap_left;                            // of a source that rests
    double belt, belt_at, entry_free;           // reading of the belt, when; from which it takes the next
    uint32_t inside, queue, busy, setting, blocked, inside_max, queue_max;
    uint32_t q_head, q_tail; // list, or root of the heap
    uint32_t s_head;         // on servers
    uint32_t w_head, w_tail; // who waits to come in
    uint32_t a_head, a_tail; // of its own: who goes to any
    uint32_t downs, last_type, turn, todo;
    uint64_t tried;
    bool running, dirty, waits, changed, belt_runs, piled;
} Node;

typedef struct Edge {
    double weight;
    uint32_t head, tail, count; // assembly: who waits
} Edge;

typedef struct Res {
    double number, staff; // as given; of its calendar
    double since, area_used, area_number;
    uint64_t seized;
    uint32_t used;
    bool dirty, changed;
} Res;

enum { MODE_UP, MODE_CREW, MODE_REPAIR };
typedef struct Mode {
    double left; // operating: time at work until it fails
    double after_scale, repair_scale;
    uint64_t count, seq, tried;
    uint32_t at;
    uint32_t crew; // units it has
} Mode;

typedef struct HeapEntry {
    double t;
    uint64_t key; // sequence << TIMER_BITS | timer
} HeapEntry;

#define STATE_MAGIC 0x31574f4c46534f53u // "SOSFLOW1"

typedef struct Head {
    uint64_t magic, size, model;
    double now, week_s, warmup, began; // began: of the statistics
    uint32_t key[2];
    uint64_t seq, events, moves, round;
    uint32_t cap, alive, free; // items; cap is also room in the heap for them
    uint32_t heap_n, dirty_at, dirty_n, res_n, changed_n;
    size_t heap_at;
    uint32_t warmed, started, items_max;
} Head;

// What the caller holds: where the blocks are. Made anew after the state moved (flow_bind).
struct Flow {
    const FlowModel *m;
    const PNode *pn;
    const FlowEdge *pe;
    const uint32_t *out_edge, *in_edge;
    const FlowResource *pr;
    const FlowCalendar *cal;
    const PDist *dist;
    const FlowUse *use;
    const PMode *pm;
    const FlowSet *set;
    const double *num;
    const uint32_t *user_ptr, *user;
    uint8_t *state;
    Head *h;
    Node *n;
    Edge *e;
    Res *r;
    Mode *mode;
    FlowTally *tally;
    uint64_t *digest;
    double *level;
    uint32_t *dirty, *res_dirty, *count; // ring, list; scratch: by type
    uint32_t *changed;                   // nodes, and resources as NODES + resource, since somebody looked
    uint32_t *pos;
    HeapEntry *heap;
    Item *it;
    double *attr;
    // Makes the state larger or smaller, keeps its contents, returns where it is now.
    void *(*resize)(void *ctx, size_t size);
    void *ctx;
    bool own; // state and Flow are ours to free
    Diag *d;
    Err err;
    uint32_t bad; // node the error is about
    void (*told)(void *ctx, const FlowTrace *t, uint32_t n);
    void *told_ctx;
    FlowTrace *trace; // trace_room of them, traced not told yet
    uint32_t traced, trace_room;
};

// ---- state.c
// Set state_at, once the counts are known.
void flow_lay_out(FlowModel *m);
// Bytes of a state with room for `cap` items.
size_t flow_state_size(const FlowModel *m, uint32_t cap);
// Point f at model and state. The rest of f stays.
void flow_bind(Flow *f, const FlowModel *m, void *state);
// Name of node `node` (resource: nodes + resource).
Str flow_name(const FlowModel *m, uint32_t which);
// Room for n more items; may move state and model: pointers into them are old then. False: f->err is set.
bool flow_room(Flow *f, uint32_t n, uint32_t node);
// The first error of a run; where is the node's name. Returns false.
bool flow_fail(Flow *f, uint32_t node, Err e, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

// A new replication's state, with nothing in it but room.
void flow_clear(Flow *f, const FlowStart *s);
// Draw by that seed and scenario from now on.
void flow_key(Flow *f, uint64_t seed, uint64_t scenario);

// ---- draw.c
enum { // ORDER FLOW_STREAM: streams of random numbers of a node; the numbers are kept
    S_GAP,
    S_THIN,
    S_SIZE,
    S_SERVICE,
    S_SETUP,
    S_PATIENCE,
    S_BALK,
    S_ROUTE,
    S_SCRAP,
    S_COPIES,
    S_TRAVEL,
    S_SET,    // | index << 8
    S_AFTER,  // likewise
    S_REPAIR, // likewise
};
// Who draws: a node for itself (item NONE), or an item there.
typedef struct Draw {
    uint64_t twin, counter;
    uint32_t stream, item;
} Draw;
// A value of the distribution; scale as the node says.
double flow_draw(const Flow *f, FlowRef dist, Draw w);
// In (0, 1).
double flow_unit(const Flow *f, Draw w);
// Its mean; NAN when it depends on the item.
double flow_dist_mean(const FlowDist *d, const double *numbers);
// The key of a source's twin in draws of its items.
static inline uint64_t flow_origin(uint64_t twin) { return (twin + 1) * UINT64_C(0xD1342543DE82EF95); }
Draw flow_by_item(const Flow *f, uint32_t node, uint32_t stream, uint32_t item);
Draw flow_by_node(const Flow *f, uint32_t node, uint32_t stream, uint64_t number);

// ---- heap.c
static inline uint32_t timer_node(uint32_t node, uint32_t which) { return 3 * node + which; }
enum { TIMER_MAIN, TIMER_CALENDAR, TIMER_SECOND };
static inline uint32_t timer_mode(const Flow *f, uint32_t mode) { return 3 * f->m->nodes + mode; }
static inline uint32_t timer_res(const Flow *f, uint32_t r) { return 3 * f->m->nodes + f->m->modes + r; }
static inline uint32_t timer_item(const Flow *f, uint32_t i) {
    return 3 * f->m->nodes + f->m->modes + f->m->resources + i;
}
// (Re)schedule; INFINITY cancels.
void timer_set(Flow *f, uint32_t timer, double t);
void timer_cancel(Flow *f, uint32_t timer);
static inline bool timer_on(const Flow *f, uint32_t timer) { return f->pos[timer] != NONE; }
// When it is due; it must be on.
static inline double timer_at(const Flow *f, uint32_t timer) { return f->heap[f->pos[timer]].t; }

// ---- queue.c: lists of items, and the heap of a node's queue
void list_push(Flow *f, uint32_t *head, uint32_t *tail, uint32_t i);
void list_push_front(Flow *f, uint32_t *head, uint32_t *tail, uint32_t i);
// Keeps the order of seq.
void list_put(Flow *f, uint32_t *head, uint32_t *tail, uint32_t i);
void list_drop(Flow *f, uint32_t *head, uint32_t *tail, uint32_t i);
void queue_put(Flow *f, uint32_t node, uint32_t i);
void queue_drop(Flow *f, uint32_t node, uint32_t i);
// Who is next; NONE.
uint32_t queue_head(const Flow *f, uint32_t node);

// ---- stats.c
// Bring the node's averages to now; before anything of it changes.
void node_tick(Flow *f, uint32_t node);
// Is it piled up, with what is inside now? What comes and goes within an instant does not count.
bool node_piled(const Flow *f, uint32_t node);
void res_tick(Flow *f, uint32_t r);
// All that changed was looked at: it is on the list again when it changes again.
void changed_clear(Flow *f);
FlowState node_state(const Flow *f, uint32_t node);
void tell_wait(Flow *f, uint32_t node, uint32_t type, double wait);
void tell_stay(Flow *f, uint32_t node, uint32_t type, double stay);
void stats_reset(Flow *f);

// ---- move.c: items from node to node
uint32_t item_new(Flow *f, uint32_t node, uint64_t number); // after flow_room
void item_gone(Flow *f, uint32_t i);                        // gives back what it holds
void trace_put(Flow *f, FlowTraceWhat what, uint32_t i, uint32_t node);
void mark(Flow *f, uint32_t node); // it may be able to do something
// An item of a node is done: find its way; it stays as DONE when there is no room.
void item_done(Flow *f, uint32_t i);
// Into a node, which has room.
void item_enter(Flow *f, uint32_t i, uint32_t node, uint32_t edge);
bool node_accepts(Flow *f, uint32_t node, uint32_t i, uint32_t edge);
// Let in who waits before the node, as long as there is room.
void node_admit(Flow *f, uint32_t node);
// Out of its node, for good: figures.
void node_leave(Flow *f, uint32_t i);
// Who waits first to come in; NONE. Takes it off its list when `take`.
uint32_t waiter_first(Flow *f, uint32_t node, bool take);
// It came, and found no room or would not stay: another way, or lost.
void item_refused(Flow *f, uint32_t i, uint32_t node);
void travel_over(Flow *f, uint32_t i);
void item_leaves_queue(Flow *f, uint32_t i);        // out of patience
void item_make(Flow *f, uint32_t node, uint32_t i); // attributes of a source's item

void item_scrap(Flow *f, uint32_t i); // lost at its node, which it leaves
void trace_end(Flow *f);              // tell what is kept

// ---- run.c
void flow_prepare(Flow *f, const FlowStart *s); // a replication as the model says; inputs may be set then
void flow_begin(Flow *f);                       // t = 0

// ---- warmup.c
// What was found for states, by hash, so that replications of one world look once: of a plan, any thread.
typedef struct FlowMemo FlowMemo;
FlowMemo *flow_memo_new(void);
void flow_memo_free(FlowMemo *memo); // NULL is fine
// flow_warmup of what is prepared (flow_prepare) and has its inputs, and not begun.
MUST Err flow_pilot(const Flow *prepared, uint64_t seed, double length, FlowMemo *memo, FlowWarmup *out, Diag *d);

// ---- serve.c: stations
bool station_can_start(const Flow *f, uint32_t node);
void station_serve(Flow *f, uint32_t node);
bool station_start_one(Flow *f, uint32_t node);
void station_enter(Flow *f, uint32_t i, uint32_t node);
void station_timer(Flow *f, uint32_t i);
bool station_victim(const Flow *f, uint32_t node, double priority, uint32_t *victim);
void station_halt(Flow *f, uint32_t node);
void station_go(Flow *f, uint32_t node);
void station_break(Flow *f, uint32_t node, FlowBroken work);

// ---- resource.c
bool uses_free(const Flow *f, FlowRange uses);
void uses_take(Flow *f, uint32_t i, FlowRange uses, bool hold, uint32_t node);
void uses_give(Flow *f, FlowRange uses);
void held_give(Flow *f, uint32_t i, uint32_t resource, uint32_t number);
void release_give(Flow *f, uint32_t i, FlowRange uses);
void res_mark(Flow *f, uint32_t r);
void res_serve(Flow *f); // all that were given back

// ---- source.c
void source_timer(Flow *f, uint32_t node);
void source_serve(Flow *f, uint32_t node);
void source_halt(Flow *f, uint32_t node);
void source_go(Flow *f, uint32_t node);

// ---- belt.c
bool belt_accepts(const Flow *f, uint32_t node);
void belt_enter(Flow *f, uint32_t i, uint32_t node);
void belt_timer(Flow *f, uint32_t node);
void belt_serve(Flow *f, uint32_t node);
void belt_update(Flow *f, uint32_t node); // starts or stops it as it should, and sets its timers
void belt_initial(Flow *f, uint32_t node, uint32_t i);

// ---- shift.c: calendars, failures, inputs
double calendar_value(const Flow *f, FlowRef calendar, double t);
double calendar_next(const Flow *f, FlowRef calendar, double t); // time of the next step, INFINITY
void shift_start(Flow *f);
void shift_node(Flow *f, uint32_t node);
void shift_res(Flow *f, uint32_t r);
void mode_timer(Flow *f, uint32_t mode);
bool mode_crew(Flow *f, uint32_t mode); // try to begin the repair
void flow_stand(Flow *f, double t);     // time moves on to t, before whatever is due then
void flow_settle(Flow *f);
void input_set(Flow *f, FlowInput what, uint32_t which, double v); // without settling
void node_running(Flow *f, uint32_t node);                         // after a reason to rest came or went
static inline bool node_closed(const Flow *f, uint32_t node) { return f->pn[node].n.calendar && f->n[node].open == 0; }
