// SPDX-License-Identifier: Apache-2.0
// Who waits: doubly linked lists, and for disciplines with keys a pairing heap by (key, seq) with removal anywhere
// (Fredman, Sedgewick, Sleator, Tarjan 1986). In the heap prev is the parent of a first child, else the sibling before.
#include "flow/inner.h"

void list_push(Flow *f, uint32_t *head, uint32_t *tail, uint32_t i) {
    f->it[i].next = NONE;
    f->it[i].prev = *tail;
    if (*tail != NONE) f->it[*tail].next = i;
    else *head = i;
    *tail = i;
}

void list_push_front(Flow *f, uint32_t *head, uint32_t *tail, uint32_t i) {
    f->it[i].prev = NONE;
    f->it[i].next = *head;
    if (*head != NONE) f->it[*head].prev = i;
    else *tail = i;
    *head = i;
}

// In front of `at`, which is not the head.
static void insert(Flow *f, uint32_t at, uint32_t i) {
    uint32_t prev = f->it[at].prev;
    f->it[i].next = at;
    f->it[i].prev = prev;
    f->it[prev].next = i;
    f->it[at].prev = i;
}

void list_put(Flow *f, uint32_t *head, uint32_t *tail, uint32_t i) {
    uint32_t at = *tail, after = NONE;
    for (; at != NONE && f->it[at].seq > f->it[i].seq; at = f->it[at].prev) after = at;
    if (after == NONE) list_push(f, head, tail, i);
    else if (at == NONE) list_push_front(f, head, tail, i);
    else insert(f, after, i);
}

void list_drop(Flow *f, uint32_t *head, uint32_t *tail, uint32_t i) {
    uint32_t next = f->it[i].next, prev = f->it[i].prev;
    if (prev != NONE) f->it[prev].next = next;
    else *head = next;
    if (next != NONE) f->it[next].prev = prev;
    else *tail = prev;
    f->it[i].next = f->it[i].prev = NONE;
}

static bool first(const Flow *f, uint32_t a, uint32_t b) {
    const Item *x = &f->it[a], *y = &f->it[b];
    return x->key < y->key || (x->key == y->key && x->seq < y->seq);
}

// Two heaps to one; either may be NONE.
static uint32_t meld(Flow *f, uint32_t a, uint32_t b) {
    if (a == NONE) return b;
    if (b == NONE) return a;
    if (first(f, b, a)) {
        uint32_t c = a;
        a = b;
        b = c;
    }
    f->it[b].next = f->it[a].child;
    if (f->it[a].child != NONE) f->it[f->it[a].child].prev = b;
    f->it[b].prev = a;
    f->it[a].child = b;
    return a;
}

// The siblings from i on to one heap: pairs from the left, then all from the right.
static uint32_t merge(Flow *f, uint32_t i) {
    uint32_t pairs = NONE, root = NONE;
    while (i != NONE) {
        uint32_t a = i, b = f->it[a].next;
        i = b == NONE ? NONE : f->it[b].next;
        f->it[a].next = f->it[a].prev = NONE;
        if (b != NONE) f->it[b].next = f->it[b].prev = NONE;
        a = meld(f, a, b);
        f->it[a].next = pairs;
        pairs = a;
    }
    while (pairs != NONE) {
        uint32_t a = pairs;
        pairs = f->it[a].next;
        f->it[a].next = f->it[a].prev = NONE;
        root = meld(f, root, a);
    }
    return root;
}

static void heap_drop(Flow *f, uint32_t *root, uint32_t i) {
    uint32_t rest = merge(f, f->it[i].child), next = f->it[i].next, prev = f->it[i].prev;
    f->it[i].child = NONE;
    if (i == *root) {
        *root = rest;
        return;
    }
    if (f->it[prev].child == i) f->it[prev].child = next;
    else f->it[prev].next = next;
    if (next != NONE) f->it[next].prev = prev;
    f->it[i].next = f->it[i].prev = NONE;
    *root = meld(f, *root, rest);
}

static bool keyed(const Flow *f, uint32_t node) { return f->pn[node].n.discipline >= FLOW_PRIORITY; }

void queue_put(Flow *f, uint32_t node, uint32_t i) {
    Node *n = &f->n[node];
    Item *x = &f->it[i];
    x->next = x->prev = x->child = NONE;
    n->queue++;
    if (n->queue > n->queue_max) n->queue_max = n->queue;
    if (f->pn[node].n.assemble) {
        Edge *e = &f->e[x->edge];
        e->count++;
        list_push(f, &e->head, &e->tail, i);
    } else if (keyed(f, node)) n->q_head = meld(f, n->q_head, i);
    else if (f->pn[node].n.discipline == FLOW_LIFO) list_push_front(f, &n->q_head, &n->q_tail, i);
    else list_put(f, &n->q_head, &n->q_tail, i);
}

void queue_drop(Flow *f, uint32_t node, uint32_t i) {
    Node *n = &f->n[node];
    n->queue--;
    if (f->pn[node].n.assemble) {
        Edge *e = &f->e[f->it[i].edge];
        e->count--;
        list_drop(f, &e->head, &e->tail, i);
    } else if (keyed(f, node)) heap_drop(f, &n->q_head, i);
    else list_drop(f, &n->q_head, &n->q_tail, i);
}

uint32_t queue_head(const Flow *f, uint32_t node) { return f->n[node].q_head; }
