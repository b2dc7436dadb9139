// SPDX-License-Identifier: Apache-2.0
// The loop: the next event, what it makes possible, the next.
#include "base/mem.h"
#include "flow/inner.h"

void mark(Flow *f, uint32_t node) {
    Head *h = f->h;
    if (f->n[node].dirty) return;
    f->n[node].dirty = true;
    uint32_t at = h->dirty_at + h->dirty_n++;
    f->dirty[at < f->m->nodes ? at : at - f->m->nodes] = node;
}

static void buffer_serve(Flow *f, uint32_t node) {
    while (f->n[node].running && f->n[node].q_head != NONE && f->err == ERR_OK) {
        uint32_t i = f->n[node].q_head;
        node_tick(f, node);
        queue_drop(f, node, i);
        tell_wait(f, node, f->it[i].type, 0);
        item_done(f, i);
    }
    node_admit(f, node);
}

static void serve(Flow *f, uint32_t node) {
    switch (f->pn[node].n.kind) {
    case FLOW_SOURCE: source_serve(f, node); break;
    case FLOW_STATION: station_serve(f, node); break;
    case FLOW_BUFFER: buffer_serve(f, node); break;
    case FLOW_CONVEYOR: belt_serve(f, node); break;
    case FLOW_SINK: break;
    }
}

// Until nothing can move any more.
static void settle(Flow *f) {
    Head *h = f->h;
    while (f->err == ERR_OK) {
        if (h->dirty_n) {
            uint32_t node = f->dirty[h->dirty_at];
            h->dirty_at = h->dirty_at + 1 == f->m->nodes ? 0 : h->dirty_at + 1;
            h->dirty_n--;
            f->n[node].dirty = false;
            serve(f, node);
        } else if (h->res_n) res_serve(f);
        else return;
        h = f->h; // the state may have moved
        if (h->moves > FLOW_INSTANT_MAX) (void)flow_fail(f, NONE, ERR_LIMIT, "items go round in one instant");
    }
}

// ---- events --------------------------------------------------------------------------------------------------------

static void node_event(Flow *f, uint32_t node, uint32_t which) {
    if (which == TIMER_CALENDAR) shift_node(f, node);
    else if (which == TIMER_SECOND) mark(f, node);
    else if (f->pn[node].n.kind == FLOW_SOURCE) source_timer(f, node);
    else belt_timer(f, node);
}

static void item_event(Flow *f, uint32_t i) {
    switch (f->it[i].at) {
    case AT_SETUP:
    case AT_SERVICE: station_timer(f, i); break;
    case AT_QUEUE: item_leaves_queue(f, i); break;
    case AT_WAY: travel_over(f, i); break;
    default: CHECK(!"an event of an item that does nothing");
    }
}

static void handle(Flow *f, uint32_t timer) {
    uint32_t nodes = 3 * f->m->nodes, modes = nodes + f->m->modes, res = modes + f->m->resources;
    if (timer >= res) item_event(f, timer - res);
    else if (timer < nodes) node_event(f, timer / 3, timer % 3);
    else if (timer < modes) mode_timer(f, timer - nodes);
    else shift_res(f, timer - modes);
}

static void warm(Flow *f) {
    f->h->now = f->h->warmup;
    f->h->warmed = true;
    stats_reset(f);
}

static void step(Flow *f) {
    HeapEntry e = f->heap[0];
    if (e.t > f->h->now) f->h->moves = 0;
    f->h->now = e.t;
    f->h->events++;
    handle(f, (uint32_t)e.key & ((1u << TIMER_BITS) - 1));
    // Unless it was set again or cancelled, it is over.
    if (f->h->heap_n && f->heap[0].key == e.key) timer_cancel(f, (uint32_t)e.key & ((1u << TIMER_BITS) - 1));
    settle(f);
    if (++f->h->moves > FLOW_INSTANT_MAX) (void)flow_fail(f, NONE, ERR_LIMIT, "events go round in one instant");
    if (f->h->seq >> (63 - TIMER_BITS)) (void)flow_fail(f, NONE, ERR_LIMIT, "there were too many events");
}

void flow_stand(Flow *f, double t) {
    CHECK(flow_event_time(f) >= t);
    if (!f->h->warmed && t >= f->h->warmup) warm(f);
    if (t <= f->h->now) return;
    f->h->now = t;
    f->h->moves = 0;
}

void flow_settle(Flow *f) { settle(f); }

Err flow_until(Flow *f, double until, Diag *d) {
    f->d = d;
    CHECK(f->h->started);
    while (f->err == ERR_OK && f->h->heap_n && f->heap[0].t <= until) {
        if (!f->h->warmed && f->heap[0].t >= f->h->warmup) warm(f);
        step(f);
    }
    if (f->err == ERR_OK) flow_stand(f, until > f->h->now ? until : f->h->now);
    trace_end(f);
    return f->err;
}

// ---- the start -----------------------------------------------------------------------------------------------------

static void node_start(Flow *f, uint32_t node) {
    const PNode *p = &f->pn[node];
    f->n[node] = (Node){.on = 1,
                        .speed = p->n.kind == FLOW_CONVEYOR ? p->n.speed : 1,
                        .servers = p->servers,
                        .capacity = p->capacity,
                        .scrap = p->n.scrap,
                        .scale = 1,
                        .open = 1,
                        .staff = 1,
                        .gap_left = -1,
                        .q_head = NONE,
                        .q_tail = NONE,
                        .s_head = NONE,
                        .w_head = NONE,
                        .w_tail = NONE,
                        .a_head = NONE,
                        .a_tail = NONE,
                        .last_type = NONE,
                        .running = true,
                        .belt_runs = p->n.kind == FLOW_CONVEYOR};
}

static bool put_initial(Flow *f, uint32_t node) {
    if (!flow_room(f, f->pn[node].n.initial, node)) return false;
    const FlowNode *p = &f->pn[node].n;
    for (uint32_t k = 0; k < p->initial && f->err == ERR_OK; k++) {
        uint32_t i = item_new(f, node, f->n[node].made++);
        f->it[i].type = p->initial_type;
        f->it[i].born -= 2 * p->initial_age * (p->initial - k - 0.5) / p->initial; // the first has waited longest
        uses_take(f, i, p->held, true, node);
        uint32_t edge = f->pn[node].ins ? f->in_edge[f->pn[node].in] : NONE;
        if (p->kind == FLOW_CONVEYOR) {
            f->it[i].entered = 0;
            f->it[i].edge = edge;
            trace_put(f, FLOW_T_ENTER, i, node);
            belt_initial(f, node, i);
            node_tick(f, node);
            f->n[node].entered++;
            f->n[node].inside++;
            f->n[node].inside_max = f->n[node].inside;
        } else item_enter(f, i, node, edge);
    }
    mark(f, node);
    return f->err == ERR_OK;
}

static void source_first(Flow *f, uint32_t node) {
    f->n[node].todo = NONE;
    timer_set(f, timer_node(node, TIMER_MAIN), f->pn[node].n.first);
}

// What the model says, before inputs.
void flow_prepare(Flow *f, const FlowStart *s) {
    flow_clear(f, s);
    for (uint32_t i = 0; i < f->m->nodes; i++) node_start(f, i);
    for (uint32_t i = 0; i < f->m->edges; i++) f->e[i] = (Edge){.weight = f->pe[i].weight, .head = NONE, .tail = NONE};
    for (uint32_t i = 0; i < f->m->resources; i++) f->r[i] = (Res){.number = f->pr[i].number, .staff = 1};
    for (uint32_t i = 0; i < f->m->modes; i++) f->mode[i] = (Mode){.after_scale = 1, .repair_scale = 1};
    f->h->started = true;
}

void flow_begin(Flow *f) {
    for (uint32_t i = 0; i < f->m->nodes; i++) {
        if (f->pn[i].n.kind == FLOW_SOURCE) source_first(f, i);
    }
    shift_start(f);
    for (int without = 0; without < 2; without++) { // who holds something has it before others ask for it
        for (uint32_t i = 0; i < f->m->nodes; i++) {
            const FlowNode *p = &f->pn[i].n;
            if (p->initial && (p->held.count == 0) == without && !put_initial(f, i)) return;
        }
    }
    settle(f);
}

Err flow_start(Flow *f, const FlowStart *s, Diag *d) {
    f->d = d;
    f->told = s->trace;
    f->told_ctx = s->ctx;
    if (s->trace && !f->trace) f->trace = mem_alloc(FLOW_TRACE_MAX * sizeof *f->trace);
    f->trace_room = FLOW_TRACE_MAX;
    flow_prepare(f, s);
    flow_begin(f);
    trace_end(f);
    return f->err;
}

Err flow_run(Flow *f, const FlowStart *s, double until, Diag *d) {
    TRY(flow_start(f, s, d));
    return flow_until(f, until, d);
}

double flow_now(const Flow *f) { return f->h->now; }
double flow_event_time(const Flow *f) { return f->h->heap_n ? f->heap[0].t : (double)INFINITY; }
uint64_t flow_events(const Flow *f) { return f->h->events; }

Err flow_input(Flow *f, FlowInput what, uint32_t which, double value, Diag *d) {
    uint32_t count = what == FLOW_WEIGHT ? f->m->edges : what == FLOW_NUMBER ? f->m->resources : f->m->nodes;
    CHECK(which < count);
    f->d = d;
    if (isnan(value)) return ERR_OK;
    input_set(f, what, which, value);
    settle(f);
    return f->err;
}
