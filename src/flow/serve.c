// SPDX-License-Identifier: Apache-2.0
// Stations: from the queue to a server, through setup and service, and out. Work is counted at speed 1; an item that is
// being worked on has its timer on, one that rests has not.
#include "flow/inner.h"

// ---- starting ------------------------------------------------------------------------------------------------------

static bool has_server(const Flow *f, uint32_t node) {
    const Node *n = &f->n[node];
    return n->running && !node_closed(f, node) && (double)n->busy + n->blocked + 1 <= n->servers * n->staff;
}

bool station_can_start(const Flow *f, uint32_t node) {
    return has_server(f, node) && (!f->pn[node].shared || uses_free(f, f->pn[node].n.seize));
}

static double setup_time(Flow *f, uint32_t node, uint32_t i) {
    const FlowNode *p = &f->pn[node].n;
    Node *n = &f->n[node];
    uint32_t last = n->last_type, type = f->it[i].type;
    n->last_type = type;
    if (last == NONE || last == type) return 0;
    if (p->setups.count) return f->num[p->setups.first + last * f->m->types + type];
    return p->setup ? fmax(0, flow_draw(f, p->setup, flow_by_item(f, node, S_SETUP, i))) : 0;
}

static void draw_work(Flow *f, uint32_t node, uint32_t i) {
    const FlowNode *p = &f->pn[node].n;
    bool was_there = p->initial_service && f->it[i].source == node && f->it[i].hops == 1;
    FlowRef of = was_there ? p->initial_service : p->service;
    double v = flow_draw(f, of, flow_by_item(f, node, S_SERVICE, i)) * f->n[node].scale;
    f->it[i].work = f->it[i].left = v > 0 ? v : 0;
}

// Set its phase going: until its end, or until a failure that counts time at work.
static void launch(Flow *f, uint32_t node, uint32_t i) {
    Item *x = &f->it[i];
    const PNode *p = &f->pn[node];
    double time = (x->at == AT_SETUP ? x->setup : x->left) / f->n[node].speed;
    x->began = f->h->now;
    timer_set(f, timer_item(f, i), f->h->now + time);
    if (!p->operating) return;
    for (uint32_t k = p->modes; k < p->modes + p->n.failures.count; k++) {
        if (f->pm[k].f.operating && f->mode[k].at == MODE_UP && f->mode[k].left < time)
            timer_set(f, timer_mode(f, k), f->h->now + fmax(0, f->mode[k].left));
    }
}

static void wear(Flow *f, uint32_t node, double time) {
    const PNode *p = &f->pn[node];
    if (!p->operating) return;
    for (uint32_t k = p->modes; k < p->modes + p->n.failures.count; k++) {
        if (f->pm[k].f.operating && f->mode[k].at == MODE_UP) f->mode[k].left -= time;
    }
}

// taken: it has what it seizes already. It is in no list.
static void start(Flow *f, uint32_t node, uint32_t i, bool taken) {
    Node *n = &f->n[node];
    Item *x = &f->it[i];
    const PNode *p = &f->pn[node];
    node_tick(f, node);
    if (!x->started) tell_wait(f, node, x->type, f->h->now - x->entered);
    x->started = true;
    if (p->shared && !taken) uses_take(f, i, p->n.seize, p->n.hold, node);
    if (x->work < 0) draw_work(f, node, i);
    if (p->n.setup || p->n.setups.count) {
        x->setup = setup_time(f, node, i);
        if (x->setup > 0) n->setups++;
    }
    x->at = x->setup > 0 ? AT_SETUP : AT_SERVICE;
    n->setting += x->setup > 0;
    n->busy++;
    uint32_t none = NONE;
    list_push_front(f, &n->s_head, &none, i);
    trace_put(f, FLOW_T_START, i, node);
    launch(f, node, i);
}

static void off_server(Flow *f, uint32_t node, uint32_t i) {
    Node *n = &f->n[node];
    uint32_t none = NONE;
    n->busy--;
    n->setting -= f->it[i].at == AT_SETUP;
    list_drop(f, &n->s_head, &none, i);
}

// ---- the queue -----------------------------------------------------------------------------------------------------

static void enqueue(Flow *f, uint32_t node, uint32_t i) {
    const FlowNode *p = &f->pn[node].n;
    Item *x = &f->it[i];
    x->at = AT_QUEUE;
    x->seq = f->h->seq++;
    if (p->discipline == FLOW_PRIORITY) x->key = x->priority;
    else if (p->discipline == FLOW_DUE) x->key = x->due;
    else if (p->discipline == FLOW_SHORTEST) {
        draw_work(f, node, i);
        x->key = x->work;
    }
    queue_put(f, node, i);
    if (p->patience) {
        double time = flow_draw(f, p->patience, flow_by_item(f, node, S_PATIENCE, i));
        timer_set(f, timer_item(f, i), f->h->now + fmax(0, time));
    }
}

static void progress(Flow *f, uint32_t node, uint32_t i) {
    Item *x = &f->it[i];
    if (!timer_on(f, timer_item(f, i))) return;
    double time = f->h->now - x->began, done = time * f->n[node].speed;
    if (x->at == AT_SETUP) x->setup = fmax(0, x->setup - done);
    else x->left = fmax(0, x->left - done);
    wear(f, node, time);
    timer_cancel(f, timer_item(f, i));
}

bool station_victim(const Flow *f, uint32_t node, double priority, uint32_t *victim) {
    uint32_t worst = NONE;
    const Node *n = &f->n[node];
    if (!n->running || node_closed(f, node)) return false;
    for (uint32_t i = n->s_head; i != NONE; i = f->it[i].next) {
        const Item *x = &f->it[i];
        if (x->priority <= priority) continue;
        if (worst == NONE || x->priority > f->it[worst].priority ||
            (x->priority == f->it[worst].priority && x->seq > f->it[worst].seq))
            worst = i;
    }
    *victim = worst;
    return worst != NONE;
}

// The victim goes back to where it waited; what it seized goes to who takes its place.
static void displace(Flow *f, uint32_t node, uint32_t v) {
    FlowPreempt how = f->pn[node].n.preempt;
    node_tick(f, node);
    progress(f, node, v);
    off_server(f, node, v);
    f->n[node].preempted++;
    Item *x = &f->it[v];
    x->at = AT_QUEUE;
    x->setup = 0;
    if (how == FLOW_PREEMPT_REPEAT) x->left = x->work;
    if (how == FLOW_PREEMPT_RESTART) {
        x->hops++;
        x->work = -1;
    }
    queue_put(f, node, v);
}

void station_enter(Flow *f, uint32_t i, uint32_t node) {
    const PNode *p = &f->pn[node];
    uint32_t victim;
    f->it[i].work = -1;
    f->it[i].setup = 0;
    f->it[i].seq = f->h->seq++;
    if (p->n.batch > 1 || p->n.assemble) {
        enqueue(f, node, i);
        mark(f, node);
        return;
    }
    if (f->n[node].queue == 0 && station_can_start(f, node)) {
        start(f, node, i, false);
        return;
    }
    if (p->n.preempt && !has_server(f, node) && station_victim(f, node, f->it[i].priority, &victim)) {
        displace(f, node, victim);
        start(f, node, i, true);
        return;
    }
    enqueue(f, node, i);
    if (p->shared || has_server(f, node)) mark(f, node);
}

// ---- batches and assemblies ----------------------------------------------------------------------------------------

static void pack(Flow *f, uint32_t node, uint32_t carrier, uint32_t i) {
    Item *c = &f->it[carrier], *x = &f->it[i];
    timer_cancel(f, timer_item(f, i));
    node_tick(f, node);
    tell_wait(f, node, x->type, f->h->now - x->entered);
    node_leave(f, i);
    if (f->pn[node].n.merge) {
        item_gone(f, i);
        return;
    }
    x->at = AT_PACKED;
    x->node = NONE;
    x->part_next = NONE;
    if (c->parts == NONE) c->parts = i;
    else f->it[c->parts_tail].part_next = i;
    c->parts_tail = i;
}

// The type of which a batch is there, by who came first; false: none.
static bool batch_type(Flow *f, uint32_t node, uint32_t *type) {
    memset(f->count, 0, f->m->types * sizeof *f->count);
    for (uint32_t i = f->n[node].q_head; i != NONE; i = f->it[i].next) {
        *type = f->it[i].type;
        if (++f->count[*type] == f->pn[node].n.batch) return true;
    }
    return false;
}

static bool start_batch(Flow *f, uint32_t node) {
    const FlowNode *p = &f->pn[node].n;
    uint32_t type = NONE, carrier = NONE, left = p->batch;
    if (f->n[node].queue < p->batch || (p->batch_type && !batch_type(f, node, &type))) return false;
    for (uint32_t i = f->n[node].q_head, next; i != NONE && left; i = next) {
        next = f->it[i].next;
        if (type != NONE && f->it[i].type != type) continue;
        node_tick(f, node);
        queue_drop(f, node, i);
        if (carrier == NONE) carrier = i;
        else pack(f, node, carrier, i);
        left--;
    }
    timer_cancel(f, timer_item(f, carrier));
    start(f, node, carrier, false);
    return true;
}

static bool start_assembly(Flow *f, uint32_t node) {
    const PNode *p = &f->pn[node];
    uint32_t carrier = NONE;
    for (uint32_t k = 0; k < p->ins; k++) {
        uint32_t e = f->in_edge[p->in + k], need = f->pe[e].number ? f->pe[e].number : 1;
        if (f->e[e].count < need) return false;
    }
    for (uint32_t k = 0; k < p->ins; k++) {
        uint32_t e = f->in_edge[p->in + k], need = f->pe[e].number ? f->pe[e].number : 1;
        for (; need; need--) {
            uint32_t i = f->e[e].head;
            node_tick(f, node);
            queue_drop(f, node, i);
            if (carrier == NONE) carrier = i;
            else pack(f, node, carrier, i);
        }
    }
    if (carrier == NONE) return false;
    timer_cancel(f, timer_item(f, carrier));
    start(f, node, carrier, false);
    return true;
}

bool station_start_one(Flow *f, uint32_t node) {
    const FlowNode *p = &f->pn[node].n;
    if (f->n[node].queue == 0 || !station_can_start(f, node)) return false;
    if (p->assemble) return start_assembly(f, node);
    if (p->batch > 1) return start_batch(f, node);
    uint32_t i = queue_head(f, node);
    node_tick(f, node);
    queue_drop(f, node, i);
    if (p->patience) timer_cancel(f, timer_item(f, i));
    start(f, node, i, false);
    return true;
}

void station_serve(Flow *f, uint32_t node) {
    uint64_t before;
    do {
        before = f->h->moves;
        while (station_start_one(f, node)) {}
        node_admit(f, node);
    } while (f->h->moves != before && f->err == ERR_OK);
    if (!f->pn[node].shared) return;
    Node *n = &f->n[node];
    bool waits = (n->queue || n->w_head != NONE || f->pn[node].any_in) && has_server(f, node) &&
                 !uses_free(f, f->pn[node].n.seize);
    if (waits == n->waits) return;
    node_tick(f, node);
    n->waits = waits;
}

// ---- the end of a service ------------------------------------------------------------------------------------------

static void add_copies(Flow *f, uint32_t node, uint32_t i, uint32_t n) {
    if (n < 2 || !flow_room(f, n - 1, node)) return;
    for (uint32_t k = 1; k < n && f->err == ERR_OK; k++) {
        uint32_t c = item_new(f, node, f->n[node].made++);
        const Item *x = &f->it[i];
        Item *y = &f->it[c];
        y->born = x->born;
        y->due = x->due;
        y->priority = x->priority;
        y->type = x->type;
        y->hops = x->hops;
        y->entered = f->h->now;
        memcpy(&f->attr[(size_t)c * f->m->attributes], &f->attr[(size_t)i * f->m->attributes],
               f->m->attributes * sizeof(double));
        y->part_next = x->part_next;
        f->it[i].part_next = c; // in a row until they go
    }
}

static void freed(Flow *f, uint32_t node, uint32_t i) {
    node_tick(f, node);
    f->n[node].inside++;
    f->n[node].entered++;
    f->it[i].node = node;
    f->it[i].entered = f->h->now;
    f->it[i].at = AT_DONE;
}

// An item with what goes out beside it (part_next), each by itself.
static void all_out(Flow *f, uint32_t node, uint32_t i) {
    uint32_t more = f->it[i].part_next;
    f->it[i].part_next = NONE;
    for (uint32_t k = more; k != NONE; k = f->it[k].part_next) freed(f, node, k);
    item_done(f, i);
    while (more != NONE && f->err == ERR_OK) {
        i = more;
        more = f->it[i].part_next;
        f->it[i].part_next = NONE;
        item_done(f, i);
    }
}

static void complete(Flow *f, uint32_t node, uint32_t i) {
    const FlowNode *p = &f->pn[node].n;
    node_tick(f, node);
    wear(f, node, f->h->now - f->it[i].began);
    off_server(f, node, i);
    f->it[i].at = AT_DONE;
    f->n[node].served++;
    trace_put(f, FLOW_T_DONE, i, node);
    mark(f, node);
    if (p->seize.count && !p->hold) uses_give(f, p->seize);
    if (!p->keep) release_give(f, i, p->release);
    item_make(f, node, i);
    double scrap = f->n[node].scrap;
    if (scrap > 0 && flow_unit(f, flow_by_item(f, node, S_SCRAP, i)) < scrap) {
        item_scrap(f, i);
        return;
    }
    if (p->copies) {
        double n = rint(flow_draw(f, p->copies, flow_by_item(f, node, S_COPIES, i)));
        if (n >= 2) add_copies(f, node, i, n < FLOW_ITEMS_MAX ? (uint32_t)n : FLOW_ITEMS_MAX + 1u);
        if (f->err != ERR_OK) return;
        p = &f->pn[node].n; // it may have moved
    }
    if (p->unpack && f->it[i].parts != NONE) {
        f->it[f->it[i].parts_tail].part_next = f->it[i].part_next;
        f->it[i].part_next = f->it[i].parts;
        f->it[i].parts = f->it[i].parts_tail = NONE;
    }
    all_out(f, node, i);
}

void station_timer(Flow *f, uint32_t i) {
    uint32_t node = f->it[i].node;
    if (f->it[i].at == AT_SERVICE) {
        complete(f, node, i);
        return;
    }
    node_tick(f, node);
    wear(f, node, f->h->now - f->it[i].began);
    f->n[node].setting--;
    f->it[i].at = AT_SERVICE;
    f->it[i].setup = 0;
    launch(f, node, i);
}

// ---- rests ---------------------------------------------------------------------------------------------------------

void station_halt(Flow *f, uint32_t node) {
    const PNode *p = &f->pn[node];
    for (uint32_t i = f->n[node].s_head; i != NONE; i = f->it[i].next) progress(f, node, i);
    for (uint32_t k = p->modes; k < p->modes + p->n.failures.count; k++) {
        if (f->pm[k].f.operating && f->mode[k].at == MODE_UP) timer_cancel(f, timer_mode(f, k));
    }
}

void station_go(Flow *f, uint32_t node) {
    for (uint32_t i = f->n[node].s_head; i != NONE; i = f->it[i].next) launch(f, node, i);
}

void station_break(Flow *f, uint32_t node, FlowBroken work) {
    for (uint32_t i = f->n[node].s_head, next; i != NONE; i = next) {
        next = f->it[i].next;
        if (work == FLOW_BROKEN_REPEAT) f->it[i].left = f->it[i].work;
        if (work != FLOW_BROKEN_SCRAP) continue;
        node_tick(f, node);
        off_server(f, node, i);
        if (f->pn[node].n.seize.count && !f->pn[node].n.hold) uses_give(f, f->pn[node].n.seize);
        item_scrap(f, i);
    }
}
