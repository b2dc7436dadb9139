// SPDX-License-Identifier: Apache-2.0
// Conveyors. Places are told by the belt's reading: metres it has moved since the start. An item that came at reading x
// is at the end at x + length; one that closes up behind a blocked one is there `spacing` after that one left. So only
// the first item needs an event, and a belt that stops moves none of them.
#include "flow/inner.h"

#define SLACK 1e-9 // of the length: rounding of readings

static double reading(const Flow *f, uint32_t node) {
    const Node *n = &f->n[node];
    return n->belt_runs ? n->belt + (f->h->now - n->belt_at) * n->speed : n->belt;
}

static bool wants_to_run(const Flow *f, uint32_t node) {
    const Node *n = &f->n[node];
    return n->running && (f->pn[node].n.accumulating || n->blocked == 0);
}

bool belt_accepts(const Flow *f, uint32_t node) {
    const Node *n = &f->n[node];
    return n->running && n->inside < n->capacity && reading(f, node) >= n->entry_free - SLACK * f->pn[node].n.length;
}

void belt_update(Flow *f, uint32_t node) {
    Node *n = &f->n[node];
    n->belt = reading(f, node);
    n->belt_at = f->h->now;
    n->belt_runs = wants_to_run(f, node);
    double end = (double)INFINITY, entry = end;
    if (n->belt_runs && n->q_head != NONE && n->blocked == 0)
        end = f->h->now + fmax(0, f->it[n->q_head].key - n->belt) / n->speed;
    bool asked = n->w_head != NONE || f->pn[node].any_in;
    if (n->belt_runs && asked && n->inside < n->capacity && n->belt < n->entry_free)
        entry = f->h->now + (n->entry_free - n->belt) / n->speed;
    timer_set(f, timer_node(node, TIMER_MAIN), end);
    timer_set(f, timer_node(node, TIMER_SECOND), entry);
}

void belt_enter(Flow *f, uint32_t i, uint32_t node) {
    Node *n = &f->n[node];
    Item *x = &f->it[i];
    double at = reading(f, node);
    x->at = AT_BELT;
    x->key = at + f->pn[node].n.length;
    list_push(f, &n->q_head, &n->q_tail, i);
    n->entry_free = at + f->pn[node].spacing;
    mark(f, node);
}

void belt_initial(Flow *f, uint32_t node, uint32_t i) {
    Node *n = &f->n[node];
    f->it[i].at = AT_BELT;
    f->it[i].key = n->inside * f->pn[node].spacing; // before it is counted: the first is at the end
    list_push(f, &n->q_head, &n->q_tail, i);
    n->entry_free = fmax(0, f->it[i].key - f->pn[node].n.length + f->pn[node].spacing);
}

// The first item has left the belt at its reading: those behind it keep their distance.
static void closed_up(Flow *f, uint32_t node) {
    Node *n = &f->n[node];
    double at = reading(f, node) + f->pn[node].spacing;
    if (n->q_head != NONE && f->it[n->q_head].key < at) f->it[n->q_head].key = at;
}

void belt_timer(Flow *f, uint32_t node) {
    Node *n = &f->n[node];
    uint32_t i = n->q_head;
    n->belt = fmax(reading(f, node), f->it[i].key);
    n->belt_at = f->h->now;
    list_drop(f, &n->q_head, &n->q_tail, i);
    f->n[node].served++;
    item_done(f, i);
    if (f->n[node].blocked == 0) closed_up(f, node);
    mark(f, node);
}

void belt_serve(Flow *f, uint32_t node) {
    Node *n = &f->n[node];
    if (n->waits && n->blocked == 0) closed_up(f, node);
    n->waits = n->blocked != 0;
    node_admit(f, node);
    belt_update(f, node);
}
