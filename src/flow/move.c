// SPDX-License-Identifier: Apache-2.0
// Items: made, finding their way, moving in and out of nodes, lost.
#include "flow/inner.h"

// ---- items ---------------------------------------------------------------------------------------------------------

uint32_t item_new(Flow *f, uint32_t node, uint64_t number) {
    uint32_t i = f->h->free;
    Item *x = &f->it[i];
    CHECK(i != NONE);
    CHECK(x->at == AT_FREE);
    f->h->free = x->next;
    f->h->alive++;
    *x = (Item){.born = f->h->now,
                .due = (double)INFINITY,
                .number = number,
                .origin = flow_origin(f->pn[node].n.twin),
                .source = node,
                .node = node,
                .edge = NONE,
                .next = NONE,
                .prev = NONE,
                .child = NONE,
                .parts = NONE,
                .parts_tail = NONE,
                .part_next = NONE,
                .at = AT_DONE};
    for (uint32_t a = 0; a < f->m->attributes; a++) f->attr[(size_t)i * f->m->attributes + a] = 0;
    return i;
}

void item_gone(Flow *f, uint32_t i) {
    while (i != NONE) {
        Item *x = &f->it[i];
        uint32_t parts = x->parts, next = x->part_next;
        CHECK(x->at != AT_FREE);
        while (x->held_count) held_give(f, i, x->held[0].resource, 0);
        timer_cancel(f, timer_item(f, i));
        x->at = AT_FREE;
        x->next = f->h->free;
        f->h->free = i;
        f->h->alive--;
        i = next;
        if (parts == NONE) continue;
        if (next == NONE) { // what was packed goes with it
            i = parts;
            continue;
        }
        uint32_t last = parts;
        while (f->it[last].part_next != NONE) last = f->it[last].part_next;
        f->it[last].part_next = next;
        i = parts;
    }
}

static void trace_flush(Flow *f) {
    if (f->traced) f->told(f->told_ctx, f->trace, f->traced);
    f->traced = 0;
}

void trace_put(Flow *f, FlowTraceWhat what, uint32_t i, uint32_t node) {
    if (!f->told) return;
    if (f->traced == f->trace_room) trace_flush(f);
    FlowTrace *t = &f->trace[f->traced++];
    *t = (FlowTrace){.t = f->h->now, .source = UINT32_MAX, .node = node, .what = what};
    if (i == NONE) return;
    t->item = f->it[i].number;
    t->source = f->it[i].source;
}

void trace_end(Flow *f) {
    if (f->told) trace_flush(f);
}

static void set_one(Flow *f, uint32_t node, uint32_t i, uint32_t k) {
    const FlowSet *s = &f->set[k];
    uint32_t stream = S_SET | (k - f->pn[node].n.sets.first) << 8;
    double v = flow_draw(f, s->dist, flow_by_item(f, node, stream, i));
    Item *x = &f->it[i];
    if (s->of == FLOW_SET_ATTRIBUTE) {
        double *a = &f->attr[(size_t)i * f->m->attributes + s->attribute];
        *a = s->add ? *a + v : v;
    } else if (s->of == FLOW_SET_TYPE) {
        v = s->add ? x->type + v : v;
        x->type = v < 0 ? 0 : v < f->m->types ? (uint32_t)v : f->m->types - 1;
    } else if (s->of == FLOW_SET_PRIORITY) x->priority = s->add ? x->priority + v : v;
    else x->due = s->add ? f->h->now + v : v;
}

void item_make(Flow *f, uint32_t node, uint32_t i) {
    const FlowRange sets = f->pn[node].n.sets;
    for (uint32_t k = 0; k < sets.count; k++) set_one(f, node, i, sets.first + k);
}

// ---- ways ----------------------------------------------------------------------------------------------------------

static bool way_open(const Flow *f, uint32_t edge, uint32_t i) {
    const FlowEdge *e = &f->pe[edge];
    const Item *x = &f->it[i];
    const PNode *from = &f->pn[e->from];
    double v = 0;
    if (from->n.instead && f->out_edge[from->out + from->n.instead - 1] == edge) return false;
    if (e->test == FLOW_ALWAYS) return true;
    switch (e->subject) {
    case FLOW_OF_ATTRIBUTE: v = f->attr[(size_t)i * f->m->attributes + e->attribute]; break;
    case FLOW_OF_TYPE: v = x->type; break;
    case FLOW_OF_PRIORITY: v = x->priority; break;
    case FLOW_OF_AGE: v = f->h->now - x->born; break;
    case FLOW_OF_INSIDE: v = f->n[e->to].inside; break;
    }
    switch (e->test) {
    case FLOW_EQ: return v == e->value;
    case FLOW_NE: return v != e->value;
    case FLOW_LT: return v < e->value;
    case FLOW_LE: return v <= e->value;
    case FLOW_GT: return v > e->value;
    case FLOW_GE: return v >= e->value;
    default: return true;
    }
}

static uint32_t by_share(Flow *f, uint32_t node, uint32_t i) {
    const PNode *p = &f->pn[node];
    double sum = 0;
    uint32_t open = NONE, count = 0;
    for (uint32_t k = 0; k < p->outs; k++) {
        uint32_t e = f->out_edge[p->out + k];
        if (f->e[e].weight <= 0 || !way_open(f, e, i)) continue;
        sum += f->e[e].weight;
        open = e;
        count++;
    }
    if (count < 2) return open;
    double at = flow_unit(f, flow_by_item(f, node, S_ROUTE, i)) * sum;
    for (uint32_t k = 0; k < p->outs; k++) {
        uint32_t e = f->out_edge[p->out + k];
        if (f->e[e].weight <= 0 || !way_open(f, e, i)) continue;
        if (at < f->e[e].weight) return e;
        at -= f->e[e].weight;
    }
    return open;
}

static uint32_t by_turn(Flow *f, uint32_t node, uint32_t i) {
    const PNode *p = &f->pn[node];
    for (uint32_t k = 0; k < p->outs; k++) {
        uint32_t at = (f->n[node].turn + k) % p->outs, e = f->out_edge[p->out + at];
        if (!way_open(f, e, i)) continue;
        f->n[node].turn = at + 1;
        return e;
    }
    return NONE;
}

static uint32_t by_least(Flow *f, uint32_t node, uint32_t i) {
    const PNode *p = &f->pn[node];
    uint32_t best = NONE, least = NONE;
    for (uint32_t k = 0; k < p->outs; k++) {
        uint32_t e = f->out_edge[p->out + k], to = f->pe[e].to;
        uint32_t inside = f->n[to].inside - (to == node); // but for itself
        if (!way_open(f, e, i) || (best != NONE && inside >= least)) continue;
        best = e;
        least = inside;
    }
    return best;
}

// NONE: no way is open.
static uint32_t find_way(Flow *f, uint32_t node, uint32_t i) {
    switch (f->pn[node].n.route) {
    case FLOW_SHARE: return by_share(f, node, i);
    case FLOW_TURN: return by_turn(f, node, i);
    case FLOW_LEAST: return by_least(f, node, i);
    default: return NONE;
    }
}

// ---- in ------------------------------------------------------------------------------------------------------------

bool node_accepts(Flow *f, uint32_t node, uint32_t i, uint32_t edge) {
    const PNode *p = &f->pn[node];
    const Node *n = &f->n[node];
    uint32_t victim;
    switch (p->n.kind) {
    case FLOW_SINK: return true;
    case FLOW_BUFFER: return n->running && n->inside < n->capacity;
    case FLOW_CONVEYOR: return belt_accepts(f, node);
    default: break;
    }
    if (p->n.assemble) return f->e[edge].count < n->capacity;
    if (n->queue < n->capacity) return true;
    if (n->queue == 0 && p->n.batch < 2 && station_can_start(f, node)) return true;
    return p->n.preempt && station_victim(f, node, f->it[i].priority, &victim);
}

static bool is_late(const Flow *f, uint32_t node, uint32_t i) {
    double target = f->pn[node].n.target;
    return target > 0 && f->h->now - f->it[i].born > target;
}

static void enter_sink(Flow *f, uint32_t i, uint32_t node) {
    const Item *x = &f->it[i];
    tell_stay(f, node, x->type, f->h->now - x->born);
    f->n[node].late += is_late(f, node, i);
    trace_put(f, FLOW_T_OUT, i, node);
    item_gone(f, i);
}

void item_enter(Flow *f, uint32_t i, uint32_t node, uint32_t edge) {
    Node *n = &f->n[node];
    Item *x = &f->it[i];
    node_tick(f, node);
    n->entered++;
    f->h->moves++;
    if (f->pn[node].n.kind == FLOW_SINK) {
        enter_sink(f, i, node);
        return;
    }
    x->node = node;
    x->edge = edge;
    x->entered = f->h->now;
    x->hops++;
    x->started = false;
    if (++n->inside > n->inside_max) n->inside_max = n->inside;
    trace_put(f, FLOW_T_ENTER, i, node);
    if (f->pn[node].n.kind == FLOW_STATION) station_enter(f, i, node);
    else if (f->pn[node].n.kind == FLOW_CONVEYOR) belt_enter(f, i, node);
    else {
        x->at = AT_QUEUE;
        x->seq = f->h->seq++;
        queue_put(f, node, i);
        mark(f, node);
    }
}

void node_leave(Flow *f, uint32_t i) {
    const Item *x = &f->it[i];
    uint32_t node = x->node;
    const FlowNode *p = &f->pn[node].n;
    Node *n = &f->n[node];
    node_tick(f, node);
    n->left++;
    trace_put(f, FLOW_T_LEAVE, i, node);
    if (p->kind == FLOW_SOURCE) return;
    n->inside--;
    n->stays += f->h->now - fmax(x->entered, f->h->began);
    tell_stay(f, node, x->type, f->h->now - x->entered);
    n->late += is_late(f, node, i);
    if (p->keep) release_give(f, i, p->release);
}

// ---- refused, and lost ---------------------------------------------------------------------------------------------

static void lost(Flow *f, uint32_t i, uint32_t node) {
    trace_put(f, FLOW_T_LOST, i, node);
    item_gone(f, i);
}

static bool balks(Flow *f, uint32_t node, uint32_t i) {
    FlowRef balk = f->pn[node].n.balk;
    if (balk == 0 || (f->n[node].queue == 0 && station_can_start(f, node))) return false;
    return f->n[node].queue >= flow_draw(f, balk, flow_by_item(f, node, S_BALK, i));
}

static void travel(Flow *f, uint32_t i, uint32_t edge, uint32_t from) {
    Item *x = &f->it[i];
    double time = flow_draw(f, f->pe[edge].travel, flow_by_item(f, from, S_TRAVEL, i));
    x->node = NONE;
    x->edge = edge;
    x->at = AT_WAY;
    timer_set(f, timer_item(f, i), f->h->now + fmax(0, time));
}

// A node that waits for a resource, or a belt for its beginning to be free, has to know.
static void wait_before(Flow *f, uint32_t i, uint32_t edge) {
    Node *d = &f->n[f->pe[edge].to];
    mark(f, f->pe[edge].to);
    f->it[i].edge = edge;
    f->it[i].any = false;
    f->it[i].seq = f->h->seq++;
    list_push(f, &d->w_head, &d->w_tail, i);
}

// Others wait to come in already (an assembly: by the same way).
static bool overtakes(const Flow *f, uint32_t node, uint32_t edge) {
    uint32_t i = f->n[node].w_head;
    if (!f->pn[node].n.assemble) return i != NONE;
    while (i != NONE && f->it[i].edge != edge) i = f->it[i].next;
    return i != NONE;
}

// Offer an item, which is in no node any more or still in one (from), to what is at the end of the edge. True: it went
// in, away, or was lost: it is not where it was. False: there is no room; *edge is what it waits for.
//   travelled  the way lies behind it
static bool offer(Flow *f, uint32_t i, uint32_t *edge, uint32_t from, bool travelled, bool *left) {
    for (;;) {
        uint32_t to = f->pe[*edge].to;
        bool again = false;
        if (f->h->moves++ > FLOW_INSTANT_MAX) return flow_fail(f, to, ERR_LIMIT, "items go round in one instant");
        if (f->pe[*edge].travel && !travelled) {
            if (!*left && from != NONE) node_leave(f, i);
            *left = true;
            travel(f, i, *edge, from != NONE ? from : f->pe[*edge].from);
            return true;
        }
        bool balked = balks(f, to, i);
        if (!balked && !overtakes(f, to, *edge) && node_accepts(f, to, i, *edge)) {
            if (!*left && from != NONE) node_leave(f, i);
            *left = true;
            item_enter(f, i, to, *edge);
            return true;
        }
        if (balked) f->n[to].balked++, again = true;
        else if (f->pn[to].n.lose) f->n[to].refused++, again = true;
        if (!again) return false;
        node_tick(f, to);
        if (f->pn[to].n.instead == 0) {
            if (!*left && from != NONE) node_leave(f, i);
            *left = true;
            lost(f, i, to);
            return true;
        }
        *edge = f->out_edge[f->pn[to].out + f->pn[to].n.instead - 1];
        travelled = false;
    }
}

void item_scrap(Flow *f, uint32_t i) {
    uint32_t node = f->it[i].node;
    node_leave(f, i);
    f->n[node].scrapped++;
    lost(f, i, node);
}

void item_refused(Flow *f, uint32_t i, uint32_t node) {
    bool left = true;
    Item *x = &f->it[i];
    if (f->pn[node].n.instead == 0) {
        lost(f, i, node);
        return;
    }
    uint32_t edge = f->out_edge[f->pn[node].out + f->pn[node].n.instead - 1];
    x->at = AT_DOOR;
    x->node = NONE;
    if (!offer(f, i, &edge, NONE, false, &left) && f->err == ERR_OK) wait_before(f, i, edge);
}

void travel_over(Flow *f, uint32_t i) {
    uint32_t edge = f->it[i].edge;
    bool left = true;
    f->it[i].at = AT_DOOR;
    if (!offer(f, i, &edge, NONE, true, &left) && f->err == ERR_OK) wait_before(f, i, edge);
}

void item_leaves_queue(Flow *f, uint32_t i) {
    uint32_t node = f->it[i].node;
    node_tick(f, node);
    queue_drop(f, node, i);
    node_leave(f, i);
    f->n[node].reneged++;
    mark(f, node);
    item_refused(f, i, node);
}

// ---- out -----------------------------------------------------------------------------------------------------------

// A node that refuses counts as having room only when nobody else has any, and it is the last way.
static bool first_with_room(Flow *f, uint32_t i) {
    uint32_t node = f->it[i].node, last = NONE;
    const PNode *p = &f->pn[node];
    bool left = false;
    for (uint32_t k = 0; k < p->outs; k++) {
        uint32_t e = f->out_edge[p->out + k], to = f->pe[e].to;
        if (!way_open(f, e, i)) continue;
        last = e;
        if (!f->pe[e].travel && (balks(f, to, i) || overtakes(f, to, e) || !node_accepts(f, to, i, e))) continue;
        return offer(f, i, &e, node, false, &left);
    }
    if (last == NONE || !f->pn[f->pe[last].to].n.lose) return false;
    return offer(f, i, &last, node, false, &left);
}

void item_done(Flow *f, uint32_t i) {
    uint32_t node = f->it[i].node, edge = NONE;
    bool any = f->pn[node].n.route == FLOW_FIRST, left = false, out;
    f->it[i].at = AT_DONE;
    if (any) out = first_with_room(f, i);
    else {
        edge = find_way(f, node, i);
        if (edge == NONE) {
            (void)flow_fail(f, node, ERR_VALIDATION, "no way out of it is open for an item of type %u", f->it[i].type);
            return;
        }
        out = offer(f, i, &edge, node, false, &left);
    }
    if (f->err != ERR_OK) return;
    if (out) {
        mark(f, node);
        return;
    }
    Node *n = &f->n[node];
    node_tick(f, node);
    n->blocked++;
    trace_put(f, FLOW_T_BLOCK, i, node);
    if (!any) {
        wait_before(f, i, edge);
        return;
    }
    f->it[i].any = true;
    f->it[i].seq = f->h->seq++;
    list_push(f, &n->a_head, &n->a_tail, i);
    for (uint32_t k = 0; k < f->pn[node].outs; k++) mark(f, f->pe[f->out_edge[f->pn[node].out + k]].to);
}

// ---- who waits before a node ---------------------------------------------------------------------------------------

// The longest waiting among those that go anywhere and may come here; its way in *edge.
static uint32_t any_first(Flow *f, uint32_t node, uint32_t best, uint32_t *edge) {
    const PNode *p = &f->pn[node];
    for (uint32_t k = 0; k < p->ins; k++) {
        uint32_t e = f->in_edge[p->in + k], from = f->pe[e].from;
        for (uint32_t i = f->n[from].a_head; i != NONE; i = f->it[i].next) {
            if (best != NONE && f->it[i].seq >= f->it[best].seq) break;
            if (!way_open(f, e, i)) continue;
            best = i;
            *edge = e;
            break;
        }
    }
    return best;
}

static void take_waiter(Flow *f, uint32_t i, uint32_t node) {
    Item *x = &f->it[i];
    if (x->any) list_drop(f, &f->n[x->node].a_head, &f->n[x->node].a_tail, i);
    else list_drop(f, &f->n[node].w_head, &f->n[node].w_tail, i);
    x->any = false;
    if (x->node == NONE) return; // from the way
    uint32_t from = x->node;
    node_tick(f, from);
    f->n[from].blocked--;
    node_leave(f, i);
    mark(f, from);
}

// The first of those that wait, and for which there is room.
static uint32_t first_admissible(Flow *f, uint32_t node, uint32_t *edge) {
    uint32_t best = NONE;
    for (uint32_t i = f->n[node].w_head; i != NONE && best == NONE; i = f->it[i].next) {
        *edge = f->it[i].edge;
        if (node_accepts(f, node, i, *edge)) best = i;
        else if (!f->pn[node].n.assemble) break;
    }
    if (!f->pn[node].any_in) return best;
    uint32_t any_edge = *edge, any = any_first(f, node, best, &any_edge);
    if (any == best || !node_accepts(f, node, any, any_edge)) return best;
    *edge = any_edge;
    return any;
}

void node_admit(Flow *f, uint32_t node) {
    while (f->err == ERR_OK) {
        uint32_t edge = NONE, i = first_admissible(f, node, &edge);
        if (i == NONE) return;
        if (f->h->moves++ > FLOW_INSTANT_MAX) {
            (void)flow_fail(f, node, ERR_LIMIT, "items go round in one instant");
            return;
        }
        take_waiter(f, i, node);
        item_enter(f, i, node, edge);
    }
}
