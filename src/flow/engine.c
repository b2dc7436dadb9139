// SPDX-License-Identifier: Apache-2.0
// The state of an instance:
//
//   Place | by topo node: its node or resource | by topo edge: its edge of the model | the model | the state of Flow
#include "flow/engine.h"
#include <math.h>
#include <stdio.h>
#include "base/mem.h"
#include "flow/config.h"
#include "flow/inner.h"

enum Role { // ORDER FLOW_ROLES
    R_KIND,
    R_ON,
    R_SPEED,
    R_TIME,
    R_RATE,
    R_SERVERS,
    R_CAPACITY,
    R_SCRAP,
    R_AFTER,
    R_REPAIR,
    R_INITIAL,
    R_AGE,
    R_STATE,
    R_INSIDE,
    R_QUEUE,
    R_BUSY,
    R_BLOCKED,
    R_DOWN,
    R_PILED,
    R_MADE,
    R_LOST,
    R_LATE,
    R_SCRAPPED,
    R_WAIT,
    R_STAY,
    R_THROUGHPUT,
    R_UTILISATION,
    R_WAY,
    R_WEIGHT,
    R_NUMBER,
};

static const sim_role roles[] = {
    {"kind", "", SIM_SYMBOL, SIM_PARAM, 0, 1, NAN, "which of the config's `nodes` it is"},
    {"on", "", SIM_BOOL, SIM_IN, 0, 0, 1, "false: it rests, and goes on where it was"},
    {"speed", "", SIM_NUMBER, SIM_IN, 0, 0, 1, "of work, of a belt, of arrivals: 1 as described"},
    {"time", "s", SIM_NUMBER, SIM_IN, 0, 0, NAN, "mean service time (source: between arrivals) from now on"},
    {"rate", "1/s", SIM_NUMBER, SIM_IN, 0, 0, NAN, "arrivals a second, instead of a source's time"},
    {"servers", "", SIM_NUMBER, SIM_IN, 0, 0, NAN, "servers; of a resource, units"},
    {"capacity", "", SIM_NUMBER, SIM_IN, 0, 0, NAN, "who may wait; inside a buffer or on a conveyor"},
    {"scrap", "", SIM_NUMBER, SIM_IN, 0, 0, NAN, "part that is thrown away"},
    {"timeBetweenFailures", "s", SIM_NUMBER, SIM_IN, 0, 0, NAN, "mean, of the first failure"},
    {"timeToRepair", "s", SIM_NUMBER, SIM_IN, 0, 0, NAN, "mean, of the first failure"},
    {"initial", "", SIM_COUNT, SIM_PARAM, 0, 0, NAN, "items that are there at the start"},
    {"age", "s", SIM_NUMBER, SIM_PARAM, 0, 0, NAN, "mean time that they are in the system already"},
    {"state", "", SIM_SYMBOL, SIM_OUT, 0, 0, NAN, "idle, busy, setup, blocked, waiting, down, off"},
    {"inside", "", SIM_COUNT, SIM_OUT, 0, 0, NAN, "items in it; of a resource, units in use"},
    {"queue", "", SIM_COUNT, SIM_OUT, 0, 0, NAN, "items that wait"},
    {"busy", "", SIM_COUNT, SIM_OUT, 0, 0, NAN, "servers at work"},
    {"blocked", "", SIM_COUNT, SIM_OUT, 0, 0, NAN, "items that are done and find no room"},
    {"down", "", SIM_BOOL, SIM_OUT, 0, 0, NAN, "has it broken down?"},
    {"piled", "", SIM_BOOL, SIM_OUT, 0, 0, NAN, "from `high` items inside on, until they are down to `low`"},
    {"made", "", SIM_COUNT, SIM_OUT, 0, 0, NAN, "items that left it; a sink: that came"},
    {"lost", "", SIM_COUNT, SIM_OUT, 0, 0, NAN, "items refused, balked, out of patience, scrapped"},
    {"late", "", SIM_COUNT, SIM_OUT, 0, 0, NAN, "items that left it, or came to a sink, after its target"},
    {"scrapped", "", SIM_COUNT, SIM_OUT, 0, 0, NAN, "items thrown away"},
    {"wait", "s", SIM_NUMBER, SIM_OUT, 0, 0, NAN, "mean wait for service"},
    {"stay", "s", SIM_NUMBER, SIM_OUT, 0, 0, NAN, "mean time in it; a sink: in the system"},
    {"throughput", "1/s", SIM_NUMBER, SIM_OUT, 0, 0, NAN, "made over time, as of its last change"},
    {"utilisation", "", SIM_NUMBER, SIM_OUT, 0, 0, NAN, "part of the time it was busy, as of its last change"},
    {"way", "", SIM_SYMBOL, SIM_PARAM, 1, 0, NAN, "which of the config's `ways` it is"},
    {"weight", "", SIM_NUMBER, SIM_IN, 1, 0, NAN, "share of those that go this way"},
    {"number", "", SIM_COUNT, SIM_PARAM, 1, 0, NAN, "items an assembly takes; units of a resource for a service"},
};

static const char *const state_names[FLOW_STATES] = {"idle", "busy", "setup", "blocked", "waiting", "down", "off"};

enum { TRACE_ROOM = 64 };
enum { SHOWN_MAX = R_UTILISATION - R_STATE + 1 };

typedef struct Place {
    uint64_t built;
    size_t node_at, edge_at, model_at, flow_at, size;
    double state[FLOW_STATES]; // symbols
    uint8_t shown[SHOWN_MAX];  // output roles that somebody sees
    uint32_t shown_count;
    uint32_t short_looks, skip; // see look_ahead
    double ahead;               // before that nothing moves that anybody sees
} Place;

#define RESOURCE 0x80000000u // of the numbers by topo node

static double in(const sim_ctx *c, int role, uint32_t row) {
    return row < c->col[role].n ? c->col[role].v[(size_t)row * c->lanes] : (double)NAN;
}

static Place *place_of(const sim_ctx *c) { return (Place *)c->state; }

static uint32_t *numbers_at(const sim_ctx *c, size_t at) { return (uint32_t *)(void *)((char *)c->state + at); }

// ---- the plan: the config ------------------------------------------------------------------------------------------

// The first message, as the run's failure.
static int fail_why(sim_ctx *c, sim_row row, const Diag *d) {
    const DiagMessage *m = &d->messages[0];
    if (d->count == 0) return c->fail(c, row, "it failed");
    if (row != UINT32_MAX) return c->fail(c, row, "%.*s", STR_ARG(m->text));
    return c->fail(c, row, "%.*s: %.*s", STR_ARG(m->where), STR_ARG(m->text));
}

static int plan(sim_ctx *c, void **out) {
    Diag d = {0};
    FlowConfig *f = NULL;
    int result = 0;
    if (!c->config) return c->fail(c, UINT32_MAX, "its mapping has no config");
    if (flow_config_read(str_of(c->config), &f, &d) != ERR_OK) result = fail_why(c, UINT32_MAX, &d);
    diag_free(&d);
    *out = f;
    return result;
}

static void plan_free(void *p) { flow_config_free(p); }

static size_t state_size(const sim_ctx *c) {
    (void)c;
    return sizeof(Place);
}

// ---- the model -----------------------------------------------------------------------------------------------------

typedef struct Build {
    sim_ctx *c;
    const FlowConfig *f;
    Arena a;
    uint32_t *node_of, *edge_of; // by topo node, edge
    uint32_t *topo_of;           // by node, then resource, of the model
    const FlowKindOf **kind;     // by topo node
    const FlowWayOf **way;       // by topo edge
    FlowNode *nodes;
    FlowEdge *edges;
    FlowResource *resources;
    FlowUse *uses;
    FlowDef def;
} Build;

static int kinds(Build *b) {
    const FlowConfig *f = b->f;
    sim_ctx *c = b->c;
    double *symbols = NEW(&b->a, double, f->kind_count + f->way_count + 1);
    for (uint32_t i = 0; i < f->kind_count; i++)
        symbols[i] = c->symbol(c, f->kinds[i].name.p, (size_t)f->kinds[i].name.n);
    for (uint32_t i = 0; i < c->topo->nodes; i++) {
        uint32_t k = 0;
        double v = in(c, R_KIND, i);
        while (k < f->kind_count && symbols[k] != v) k++;
        if (k == f->kind_count) return c->fail(c, i, "its kind is not among the config's nodes");
        b->kind[i] = &f->kinds[k];
    }
    for (uint32_t i = 0; i < f->way_count; i++) symbols[i] = c->symbol(c, f->ways[i].name.p, (size_t)f->ways[i].name.n);
    for (uint32_t i = 0; i < c->topo->edges; i++) {
        uint32_t k = 0;
        double v = in(c, R_WAY, i);
        if (isnan(v)) continue;
        while (k < f->way_count && symbols[k] != v) k++;
        if (k == f->way_count)
            return c->fail(c, c->topo->from[i], "the kind of a way out of it is not among the config's ways");
        b->way[i] = &f->ways[k];
    }
    return 0;
}

static void put_resource(Build *b, uint32_t i) {
    double number = in(b->c, R_SERVERS, i);
    uint32_t r = b->def.resource_count++;
    b->resources[r] = (FlowResource){.twin = b->c->twin[i], .calendar = b->kind[i]->calendar};
    b->resources[r].number = isnan(number) ? b->kind[i]->node.servers : number;
    if (b->resources[r].number == 0 && isnan(number)) b->resources[r].number = 1;
    b->node_of[i] = RESOURCE | r;
    b->topo_of[b->c->topo->nodes + r] = i;
}

static void put_node(Build *b, uint32_t i) {
    double initial = in(b->c, R_INITIAL, i), age = in(b->c, R_AGE, i);
    uint32_t n = b->def.node_count++;
    FlowNode *x = &b->nodes[n];
    *x = b->kind[i]->node;
    x->twin = b->c->twin[i];
    if (initial >= 0) x->initial = initial < FLOW_ITEMS_MAX ? (uint32_t)rint(initial) : FLOW_ITEMS_MAX + 1u;
    if (age > 0) x->initial_age = age;
    if (x->kind == FLOW_SOURCE || x->kind == FLOW_SINK) x->initial = 0;
    b->node_of[i] = n;
    b->topo_of[n] = i;
}

// Links between nodes are ways; those between a node and a resource say what it seizes.
static void put_ways(Build *b) {
    const sim_topo *t = b->c->topo;
    for (uint32_t e = 0; e < t->edges; e++) {
        uint32_t from = b->node_of[t->from[e]], to = b->node_of[t->to[e]];
        b->edge_of[e] = NONE;
        if ((from | to) & RESOURCE) continue;
        FlowEdge *x = &b->edges[b->def.edge_count];
        *x = b->way[e] ? b->way[e]->edge : (FlowEdge){.weight = 1};
        double number = in(b->c, R_NUMBER, e);
        x->from = from;
        x->to = to;
        if (number >= 1) x->number = (uint32_t)number;
        b->edge_of[e] = b->def.edge_count++;
    }
}

static uint32_t units(const Build *b, uint32_t e) {
    double number = in(b->c, R_NUMBER, e);
    if (number >= 1) return (uint32_t)number;
    return b->way[e] && b->way[e]->edge.number ? b->way[e]->edge.number : 1;
}

// Of a kind, with what the twin is linked to by ways of that use: behind the others. all: whatever the number is.
static FlowRange uses_of(Build *b, uint32_t node, FlowRange of_kind, FlowUseOf from, FlowUseOf to, bool all) {
    const sim_topo *t = b->c->topo;
    FlowRange mine = {b->def.use_count, of_kind.count};
    if (mine.count) memcpy(b->uses + mine.first, b->f->def.uses + of_kind.first, mine.count * sizeof *b->uses);
    uint32_t i = b->topo_of[node];
    for (int side = 0; side < 2; side++) {
        const uint32_t *ptr = side ? t->in_ptr : t->out_ptr, *edge = side ? t->in_edge : t->out_edge;
        for (uint32_t k = ptr[i]; k < ptr[i + 1]; k++) {
            uint32_t other = b->node_of[side ? t->from[edge[k]] : t->to[edge[k]]];
            FlowUseOf use = b->way[edge[k]] ? b->way[edge[k]]->use : FLOW_USE_SERVICE;
            if (!(other & RESOURCE) || use < from || use > to) continue;
            b->uses[mine.first + mine.count++] = (FlowUse){FLOW_REF(other & ~RESOURCE), all ? 0 : units(b, edge[k])};
        }
    }
    b->def.use_count += mine.count;
    return mine;
}

static void put_uses(Build *b, uint32_t node) {
    FlowNode *x = &b->nodes[node];
    uint32_t of_kind = x->release.count;
    x->seize = uses_of(b, node, x->seize, FLOW_USE_SERVICE, FLOW_USE_SERVICE, false);
    x->held = uses_of(b, node, (FlowRange){0}, FLOW_USE_HELD, FLOW_USE_RELEASE, false);
    x->release = uses_of(b, node, x->release, FLOW_USE_RELEASE, FLOW_USE_RELEASE, true);
    x->keep = x->release.count > of_kind;
}

// `instead` names the kind of a way out of the node.
static int put_instead(Build *b, uint32_t node) {
    const sim_topo *t = b->c->topo;
    uint32_t i = b->topo_of[node], out = 0;
    const Str name = b->kind[i]->instead;
    if (name.n == 0) return 0;
    for (uint32_t k = t->out_ptr[i]; k < t->out_ptr[i + 1]; k++) {
        uint32_t e = t->out_edge[k];
        if (b->edge_of[e] == NONE) continue;
        out++;
        if (b->way[e] && str_eq(b->way[e]->name, name)) {
            b->nodes[node].instead = out;
            return 0;
        }
    }
    return b->c->fail(b->c, i, "no way out of it is of the kind \"%.*s\", where it sends items instead", STR_ARG(name));
}

static int parts(Build *b) {
    const sim_topo *t = b->c->topo;
    const FlowDef *d = &b->f->def;
    if (kinds(b) != 0) return -1;
    if (d->resource_count) memcpy(b->resources, d->resources, d->resource_count * sizeof *b->resources);
    b->def.resource_count = d->resource_count;
    for (uint32_t i = 0; i < d->resource_count; i++) b->topo_of[t->nodes + i] = NONE;
    for (uint32_t i = 0; i < t->nodes; i++) {
        if (b->kind[i]->resource) put_resource(b, i);
        else put_node(b, i);
    }
    put_ways(b);
    if (d->use_count)
        memcpy(b->uses, d->uses, d->use_count * sizeof *b->uses); // releases and crews go on meaning these
    b->def.use_count = d->use_count;
    for (uint32_t i = 0; i < b->def.node_count; i++) {
        put_uses(b, i);
        if (put_instead(b, i) != 0) return -1;
    }
    return 0;
}

static size_t uses_most(const Build *b) {
    size_t n = b->f->def.use_count + 6 * (size_t)b->c->topo->edges;
    return n + 2 * (size_t)b->c->topo->nodes * b->f->def.use_count;
}

static void build_room(Build *b) {
    const sim_topo *t = b->c->topo;
    uint32_t resources = b->f->def.resource_count + t->nodes;
    arena_init(&b->a, 0);
    b->node_of = NEW(&b->a, uint32_t, t->nodes + 1);
    b->edge_of = NEW(&b->a, uint32_t, t->edges + 1);
    b->topo_of = NEW(&b->a, uint32_t, t->nodes + resources + 1);
    b->kind = NEW(&b->a, const FlowKindOf *, t->nodes + 1);
    b->way = NEW(&b->a, const FlowWayOf *, t->edges + 1);
    b->nodes = NEW(&b->a, FlowNode, t->nodes + 1);
    b->edges = NEW(&b->a, FlowEdge, t->edges + 1);
    b->resources = NEW(&b->a, FlowResource, resources + 1);
    b->uses = NEW(&b->a, FlowUse, uses_most(b) + 1);
    b->def = b->f->def;
    b->def.nodes = b->nodes;
    b->def.edges = b->edges;
    b->def.resources = b->resources;
    b->def.uses = b->uses;
    b->def.node_count = b->def.edge_count = b->def.resource_count = b->def.use_count = 0;
}

// The topo node that a message's "node 3" is about.
static sim_row row_of(const Build *b, const Diag *d) {
    int64_t k = -1;
    Str where = d->count ? d->messages[0].where : (Str){0}, number = where;
    (void)str_cut(&number, ' ');
    if (!str_starts(where, STR("node ")) || !str_to_i64(number, &k)) return UINT32_MAX;
    return k >= 0 && k < b->def.node_count ? b->topo_of[k] : UINT32_MAX;
}

// ---- binding -------------------------------------------------------------------------------------------------------

static void *resize(void *ctx, size_t size) {
    Flow *f = ctx;
    sim_ctx *c = f->told_ctx;
    size_t base = place_of(c)->flow_at;
    uint8_t *s = c->resize(c, base + size);
    f->m = (const FlowModel *)(const void *)(s + place_of(c)->model_at);
    return s + base;
}

static const char *const trace_names[] = { // ORDER FLOW_TRACE
    "made", "enter", "start", "done", "block", "leave", "lost", "out", "fail", "repair"};

static uint32_t *topo_rows(const sim_ctx *c);

static void told_trace(void *ctx, const FlowTrace *t, uint32_t n) {
    sim_ctx *c = ctx;
    const uint32_t *rows = topo_rows(c);
    for (uint32_t k = 0; k < n; k++) {
        sim_trace x = {.t = t[k].t, .item = t[k].item, .source = UINT32_MAX, .what = trace_names[t[k].what]};
        x.row = rows[t[k].node];
        if (t[k].source != UINT32_MAX) x.source = rows[t[k].source];
        c->trace(c, &x);
    }
}

// Somebody follows items: what is kept of them until they are told.
static void trace_to(sim_ctx *c, Flow *f, FlowTrace *room) {
    f->told = c->trace ? told_trace : NULL;
    f->trace = room;
    f->trace_room = TRACE_ROOM;
    f->traced = 0;
}

// For each instant: f is not cleared as a whole, flow_bind sets the rest.
static void bind(sim_ctx *c, Flow *f, FlowTrace *room, Diag *d) {
    const Place *p = place_of(c);
    f->resize = resize;
    f->ctx = f;
    f->own = false;
    f->d = d;
    f->err = ERR_OK;
    f->bad = NONE;
    f->told_ctx = c;
    trace_to(c, f, room);
    char *s = c->state;
    flow_bind(f, (const FlowModel *)(const void *)(s + p->model_at), s + p->flow_at);
}

static void put_units(sim_ctx *c, Flow *f, uint32_t r, uint32_t row) {
    double number = in(c, R_SERVERS, row);
    input_set(f, FLOW_NUMBER, r, in(c, R_ON, row) == 0 ? 0 : isnan(number) ? f->pr[r].number : number);
}

// What twins say, over what the config says.
static void put_inputs(sim_ctx *c, Flow *f, const uint32_t *node_of, const uint32_t *edge_of, int role, uint32_t row) {
    static const FlowInput what[] = {
        [R_ON] = FLOW_ON,           [R_SPEED] = FLOW_SPEED,       [R_TIME] = FLOW_TIME,   [R_RATE] = FLOW_TIME,
        [R_SERVERS] = FLOW_SERVERS, [R_CAPACITY] = FLOW_CAPACITY, [R_SCRAP] = FLOW_SCRAP, [R_AFTER] = FLOW_AFTER,
        [R_REPAIR] = FLOW_REPAIR,   [R_WEIGHT] = FLOW_WEIGHT};
    double v = in(c, role, row);
    if (isnan(v) || role == R_KIND || role == R_INITIAL || role == R_AGE || role == R_WAY || role == R_NUMBER) return;
    if (role == R_WEIGHT) {
        if (edge_of[row] != NONE) input_set(f, FLOW_WEIGHT, edge_of[row], v);
        return;
    }
    uint32_t node = node_of[row];
    if (node & RESOURCE) {
        if (role == R_SERVERS || role == R_ON) put_units(c, f, node & ~RESOURCE, row);
        return;
    }
    if (role == R_RATE) v = v > 0 ? 1 / v : 0;
    input_set(f, what[role], node, v);
}

static int run_failed(sim_ctx *c, const Flow *f, const uint32_t *topo_of, const Diag *d) {
    sim_row row = f->bad < f->m->nodes ? topo_of[f->bad] : UINT32_MAX;
    return fail_why(c, row, d);
}

// ---- outputs -------------------------------------------------------------------------------------------------------

static void out(sim_ctx *c, uint32_t role, uint32_t row, double v) {
    if (row >= c->col[role].n) return;
    double *cell = &c->col[role].v[(size_t)row * c->lanes];
    if (*cell == v || (isnan(v) && isnan(*cell)) || !c->bound_row(c, role, row)) return;
    *cell = v;
    c->touch(c, role, row, 0);
}

// What one role shows of a node, as flow_figures has it.
static double shown_of_node(const Flow *f, const Place *p, uint32_t node, uint32_t role) {
    const Node *n = &f->n[node];
    const PNode *m = &f->pn[node];
    const FlowTally *wait = &f->tally[2 * (size_t)m->tally], *stay = wait + 1;
    bool sink = m->n.kind == FLOW_SINK;
    double time = f->h->now - f->h->began;
    switch (role) {
    case R_STATE: return p->state[node_state(f, node)];
    case R_INSIDE: return m->n.kind == FLOW_SOURCE ? n->blocked : n->inside;
    case R_QUEUE: return n->queue;
    case R_BUSY: return n->busy;
    case R_BLOCKED: return n->blocked;
    case R_DOWN: return node_state(f, node) == FLOW_DOWN;
    case R_PILED: return node_piled(f, node);
    case R_MADE: return (double)(sink ? n->entered : n->left);
    case R_LOST: return (double)(n->refused + n->balked + n->reneged + n->scrapped);
    case R_LATE: return (double)n->late;
    case R_SCRAPPED: return (double)n->scrapped;
    case R_WAIT: return wait->n ? wait->mean : (double)NAN;
    case R_STAY: return stay->n ? stay->mean : (double)NAN;
    case R_THROUGHPUT: return time > 0 ? (double)(sink ? n->entered : n->left) / time : (double)NAN;
    default: break;
    }
    double busy = n->share[FLOW_BUSY] + (node_state(f, node) == FLOW_BUSY ? f->h->now - n->since : 0);
    return time > 0 ? busy / time : (double)NAN;
}

static void tell_node(sim_ctx *c, const Flow *f, uint32_t node, uint32_t row) {
    const Place *p = place_of(c);
    for (uint32_t k = 0; k < p->shown_count; k++) out(c, p->shown[k], row, shown_of_node(f, p, node, p->shown[k]));
}

static double shown_of_resource(const FlowUsage *x, const Place *p, uint32_t role) {
    switch (role) {
    case R_STATE: return p->state[x->number == 0 ? FLOW_OFF : x->used ? FLOW_BUSY : FLOW_IDLE];
    case R_MADE: return (double)x->seized;
    case R_UTILISATION: return x->number_mean > 0 ? x->used_mean / x->number_mean : (double)NAN;
    default: return x->used;
    }
}

static void tell_resource(sim_ctx *c, const Flow *f, uint32_t r, uint32_t row) {
    const Place *p = place_of(c);
    FlowUsage x;
    flow_usage(f, r, &x);
    for (uint32_t k = 0; k < p->shown_count; k++) {
        uint32_t role = p->shown[k];
        bool has = role == R_STATE || role == R_INSIDE || role == R_BUSY || role == R_MADE || role == R_UTILISATION;
        if (has) out(c, role, row, shown_of_resource(&x, p, role));
    }
}

static void tell(sim_ctx *c, Flow *f, const uint32_t *topo_of) {
    for (uint32_t k = 0; k < f->h->changed_n; k++) {
        uint32_t i = f->changed[k], row = i < f->m->nodes ? topo_of[i] : topo_of[c->topo->nodes + i - f->m->nodes];
        if (row == NONE) continue;
        if (i < f->m->nodes) tell_node(c, f, i, row);
        else tell_resource(c, f, i - f->m->nodes, row);
    }
    changed_clear(f);
}

// ---- looking ahead -------------------------------------------------------------------------------------------------

// What nobody sees needs no instant of the host: a copy of the state goes on until something that is shown moves, and
// that time is told as the next event. The state itself comes there when the host does, or somebody gives it an input.
#define AHEAD_BYTES ((size_t)256 << 10) // a larger state is not copied
#define AHEAD_EVENTS 20000              // of one look
#define AHEAD_WORTH 4 // a look over fewer events did not pay: the next come after twice as many others
#define AHEAD_SKIP_MAX 1024

static void *copy_resize(void *ctx, size_t size) {
    Flow *f = ctx;
    return f->state = mem_grow(f->state, size);
}

static bool shows_node(const sim_ctx *c, const Flow *f, uint32_t node, uint32_t row) {
    const Place *p = place_of(c);
    for (uint32_t k = 0; k < p->shown_count; k++) {
        uint32_t role = p->shown[k];
        double v = in(c, (int)role, row), now = shown_of_node(f, p, node, role);
        if (row >= c->col[role].n || v == now || (isnan(v) && isnan(now))) continue;
        if (c->bound_row(c, role, row)) return true;
    }
    return false;
}

static bool shows(const sim_ctx *c, const Flow *f, const uint32_t *topo_of) {
    for (uint32_t k = 0; k < f->h->changed_n; k++) {
        uint32_t i = f->changed[k], row = i < f->m->nodes ? topo_of[i] : topo_of[c->topo->nodes + i - f->m->nodes];
        if (row != NONE && (i >= f->m->nodes || shows_node(c, f, i, row))) return true;
    }
    return false;
}

// The time of its next event that shows; where it would fail: that.
static double look_further(const sim_ctx *c, Flow *f, const uint32_t *topo_of, uint64_t most) {
    Diag d;
    double t = (double)INFINITY;
    diag_init(&d);
    do {
        t = flow_event_time(f);
        if (isinf(t) || flow_until(f, t, &d) != ERR_OK || shows(c, f, topo_of)) break;
        changed_clear(f);
    } while (f->h->events < most);
    diag_free(&d);
    return t;
}

// After everything up to now was told.
static void look_ahead(sim_ctx *c, const Flow *f, const uint32_t *topo_of) {
    Place *p = place_of(c);
    p->ahead = flow_event_time(f);
    if (c->trace) return; // who follows items sees every event, at its instant
    if (isinf(p->ahead) || f->h->size > AHEAD_BYTES) return;
    if (p->skip) {
        p->skip--;
        return;
    }
    Flow copy = {.resize = copy_resize, .state = mem_alloc(f->h->size)};
    copy.ctx = &copy;
    memcpy(copy.state, f->state, f->h->size);
    flow_bind(&copy, f->m, copy.state);
    uint64_t before = copy.h->events;
    p->ahead = look_further(c, &copy, topo_of, before + AHEAD_EVENTS);
    bool worth = copy.h->events - before >= AHEAD_WORTH;
    p->short_looks = worth ? 0 : p->short_looks ? 2 * p->short_looks : 1;
    if (p->short_looks > AHEAD_SKIP_MAX) p->short_looks = AHEAD_SKIP_MAX;
    p->skip = p->short_looks;
    mem_free(copy.state);
}

// ---- the start -----------------------------------------------------------------------------------------------------

static uint32_t *node_numbers(const sim_ctx *c) { return numbers_at(c, place_of(c)->node_at); }

static uint32_t *edge_numbers(const sim_ctx *c) { return numbers_at(c, place_of(c)->edge_at); }

// By node, and at NODES of the graph + r by resource: its row.
static uint32_t *topo_rows(const sim_ctx *c) { return node_numbers(c) + c->topo->nodes; }

static size_t up64(size_t n) { return (n + 63) & ~(size_t)63; }

static void lay_out(sim_ctx *c, const Build *b, const FlowModel *m) {
    const sim_topo *t = c->topo;
    size_t tables = (2 * (size_t)t->nodes + m->resources) * sizeof(uint32_t);
    Place p = {.built = 1, .node_at = up64(sizeof p)};
    p.edge_at = p.node_at + up64(tables);
    p.model_at = p.edge_at + up64(t->edges * sizeof(uint32_t));
    p.flow_at = p.model_at + up64(m->size);
    for (int i = 0; i < FLOW_STATES; i++) p.state[i] = c->symbol(c, state_names[i], strlen(state_names[i]));
    for (uint8_t role = R_STATE; role <= R_UTILISATION; role++) {
        if (c->bound[role]) p.shown[p.shown_count++] = role;
    }
    char *s = c->resize(c, p.flow_at);
    memcpy(s, &p, sizeof p);
    memcpy(node_numbers(c), b->node_of, t->nodes * sizeof(uint32_t));
    memcpy(topo_rows(c), b->topo_of, ((size_t)t->nodes + m->resources) * sizeof(uint32_t));
    memcpy(edge_numbers(c), b->edge_of, t->edges * sizeof(uint32_t));
    memcpy(s + p.model_at, m, m->size);
}

// Seconds since Monday 00:00 UTC; 1970 began on a Thursday.
static double week_of(int64_t epoch_ns) {
    const int64_t week = 604800, ns = 1000000000;
    int64_t s = epoch_ns / ns % week, rest = epoch_ns % ns;
    return (double)((s + 3 * 86400 + week) % week) + (double)rest / 1e9;
}

// Its inputs are there, and it has not begun: the warm-up, where it is to be found.
static int warm_up(sim_ctx *c, const FlowConfig *config, Flow *f, Diag *d) {
    FlowWarmup w;
    if (!config->warmup_found) return 0;
    if (flow_pilot(f, c->seed, config->pilot, config->memo, &w, d) != ERR_OK) return fail_why(c, UINT32_MAX, d);
    if (!w.settled)
        return c->fail(c, UINT32_MAX,
                       "its warm-up was not found in pilots of %.6g s: more comes than can go, or it "
                       "changes with the hours; say \"warmup\" in seconds, or a longer \"pilot\"",
                       w.length);
    f->h->warmup = w.time;
    f->h->warmed = !(w.time > 0);
    return 0;
}

static int begin(sim_ctx *c, const Build *b, const FlowModel *m) {
    Diag d = {0};
    FlowTrace room[TRACE_ROOM];
    lay_out(c, b, m);
    Flow f = {.resize = resize, .told_ctx = c, .d = &d};
    f.ctx = &f;
    trace_to(c, &f, room);
    f.m = (const FlowModel *)(const void *)((char *)c->state + place_of(c)->model_at);
    FlowStart s = {
        .seed = c->seed, .scenario = c->scenario[0], .week_s = week_of(*c->epoch_ns), .warmup = b->f->warmup};
    flow_prepare(&f, &s);
    for (int role = R_ON; role <= R_REPAIR; role++) {
        for (uint32_t i = 0; i < c->topo->nodes; i++) put_inputs(c, &f, b->node_of, b->edge_of, role, i);
    }
    for (uint32_t e = 0; e < c->topo->edges; e++) put_inputs(c, &f, b->node_of, b->edge_of, R_WEIGHT, e);
    int result = warm_up(c, b->f, &f, &d);
    if (result == 0) flow_begin(&f);
    trace_end(&f);
    if (result == 0 && f.err != ERR_OK) result = run_failed(c, &f, b->topo_of, &d);
    for (uint32_t i = 0; i < f.m->nodes && result == 0; i++) node_tick(&f, i);
    for (uint32_t i = 0; i < f.m->resources && result == 0; i++) res_tick(&f, i);
    if (result == 0) tell(c, &f, b->topo_of);
    if (result == 0) look_ahead(c, &f, b->topo_of);
    diag_free(&d);
    return result;
}

static int build(sim_ctx *c) {
    Build b = {.c = c, .f = c->plan};
    Diag d = {0};
    FlowModel *m = NULL;
    build_room(&b);
    int result = parts(&b);
    if (result == 0 && flow_make(&b.def, &m, &d) != ERR_OK) result = fail_why(c, row_of(&b, &d), &d);
    if (result == 0) result = begin(c, &b, m);
    flow_model_free(m);
    diag_free(&d);
    arena_free(&b.a);
    return result;
}

// ---- the engine ----------------------------------------------------------------------------------------------------

static int init(sim_ctx *c, sim_time t) {
    (void)t;
    memset(c->state, 0, sizeof(Place));
    return 0;
}

static sim_time next(const sim_ctx *c) {
    const Place *p = place_of(c);
    return p->built ? p->ahead : (double)INFINITY;
}

// Inputs of t, when everything before t has happened.
static int take_inputs(sim_ctx *c, Flow *f, sim_time t, const sim_delta *moved, uint32_t n, Diag *d) {
    while (flow_event_time(f) < t) {
        if (flow_until(f, flow_event_time(f), d) != ERR_OK) return -1;
    }
    if (flow_event_time(f) >= t) flow_stand(f, t);
    for (uint32_t k = 0; k < n; k++) {
        for (uint32_t i = 0; i < moved[k].n; i++)
            put_inputs(c, f, node_numbers(c), edge_numbers(c), (int)moved[k].col, moved[k].rows[i]);
    }
    flow_settle(f);
    return 0;
}

static int react(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    Diag d;
    Flow f;
    FlowTrace room[TRACE_ROOM];
    int result = 0;
    if (!place_of(c)->built) return build(c);
    if (n == 0 && t < place_of(c)->ahead) return 0;
    diag_init(&d);
    bind(c, &f, room, &d);
    if (n) result = take_inputs(c, &f, t, moved, n, &d);
    if (result != 0 || flow_until(&f, t, &d) != ERR_OK) result = run_failed(c, &f, topo_rows(c), &d);
    else {
        tell(c, &f, topo_rows(c));
        look_ahead(c, &f, topo_rows(c));
    }
    diag_free(&d);
    return result;
}

static int explain(const sim_ctx *c, char *to, size_t size) {
    const Place *p = place_of(c);
    if (!p->built) return snprintf(to, size, "not begun");
    const Head *h = (const Head *)(const void *)((const char *)c->state + p->flow_at);
    return snprintf(to, size, "%u items, %llu events until %.17g s; statistics from %.17g s on", h->alive,
                    (unsigned long long)h->events, h->now, h->warmup);
}

const sim_engine flow_engine = {
    .abi = SOSIA_ENGINE_ABI,
    .name = "flow",
    .doc = "Items over stations, queues, conveyors and resources, from event to event",
    .roles = roles,
    .role_count = sizeof roles / sizeof *roles,
    .plan = plan,
    .plan_free = plan_free,
    .state_size = state_size,
    .init = init,
    .next = next,
    .react = react,
    .explain = explain,
};
