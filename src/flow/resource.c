// SPDX-License-Identifier: Apache-2.0
// Resources: taken in sets, all or nothing. Units that were given back in this instant are nobody's until all who wait
// for them were looked at, the most urgent first: so a station that gives a nurse back has no advantage over another
// that waits for her.
#include "flow/inner.h"

static bool unit_free(const Flow *f, uint32_t r, uint32_t number) {
    const Res *x = &f->r[r];
    return !x->dirty && (double)x->used + number <= x->number * x->staff;
}

bool uses_free(const Flow *f, FlowRange uses) {
    for (uint32_t k = 0; k < uses.count; k++) {
        const FlowUse *u = &f->use[uses.first + k];
        if (!unit_free(f, u->resource - 1, u->number)) return false;
    }
    return true;
}

static void take(Flow *f, uint32_t r, uint32_t number) {
    res_tick(f, r);
    f->r[r].used += number;
    f->r[r].seized++;
}

static void give(Flow *f, uint32_t r, uint32_t number) {
    CHECK(f->r[r].used >= number);
    res_tick(f, r);
    f->r[r].used -= number;
    res_mark(f, r);
}

static void hold(Flow *f, uint32_t i, FlowUse u, uint32_t node) {
    Item *x = &f->it[i];
    for (uint32_t k = 0; k < x->held_count; k++) {
        if (x->held[k].resource != u.resource) continue;
        x->held[k].number += u.number;
        return;
    }
    if (x->held_count == FLOW_HELD_MAX) {
        (void)flow_fail(f, node, ERR_LIMIT, "an item holds on to %d kinds of resources, and that is the most",
                        FLOW_HELD_MAX);
        give(f, u.resource - 1, u.number);
        return;
    }
    x->held[x->held_count++] = (Held){u.resource, u.number};
}

void uses_take(Flow *f, uint32_t i, FlowRange uses, bool held, uint32_t node) {
    for (uint32_t k = 0; k < uses.count; k++) {
        const FlowUse *u = &f->use[uses.first + k];
        take(f, u->resource - 1, u->number);
        if (held) hold(f, i, *u, node);
    }
}

void uses_give(Flow *f, FlowRange uses) {
    for (uint32_t k = 0; k < uses.count; k++)
        give(f, f->use[uses.first + k].resource - 1, f->use[uses.first + k].number);
}

void held_give(Flow *f, uint32_t i, uint32_t resource, uint32_t number) {
    Item *x = &f->it[i];
    for (uint32_t k = 0; k < x->held_count; k++) {
        Held *h = &x->held[k];
        if (h->resource != resource) continue;
        if (number == 0 || number > h->number) number = h->number;
        h->number -= number;
        if (h->number == 0) *h = x->held[--x->held_count];
        give(f, resource - 1, number);
        return;
    }
}

void release_give(Flow *f, uint32_t i, FlowRange uses) {
    for (uint32_t k = 0; k < uses.count; k++) {
        const FlowUse *u = &f->use[uses.first + k];
        held_give(f, i, u->resource, u->number);
    }
}

void res_mark(Flow *f, uint32_t r) {
    if (f->r[r].dirty) return;
    f->r[r].dirty = true;
    f->res_dirty[f->h->res_n++] = r;
}

// ---- who gets them -------------------------------------------------------------------------------------------------

typedef struct Claim {
    uint32_t user;
    double priority;
    uint64_t seq;
} Claim;

static void better(Claim *best, Claim c) {
    bool first = c.priority < best->priority || (c.priority == best->priority && c.seq < best->seq);
    if (best->user == NONE || first) *best = c;
}

static void claim_of_node(const Flow *f, uint32_t node, Claim *best) {
    const Node *n = &f->n[node];
    uint32_t i = n->q_head != NONE ? n->q_head : n->w_head;
    if (!n->waits || n->tried == f->h->round) return;
    if (i == NONE) better(best, (Claim){node, 0, UINT64_MAX}); // an assembly, or who goes anywhere
    else better(best, (Claim){node, f->it[i].priority, f->it[i].seq});
}

// Of all users of the first n resources of the list.
static Claim first_claim(const Flow *f, uint32_t n) {
    Claim best = {.user = NONE};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t r = f->res_dirty[i];
        for (uint32_t k = f->user_ptr[r]; k < f->user_ptr[r + 1]; k++) {
            uint32_t u = f->user[k], mode = u - f->m->nodes;
            if (u < f->m->nodes) claim_of_node(f, u, &best);
            else if (f->mode[mode].at == MODE_CREW && f->mode[mode].tried != f->h->round)
                better(&best, (Claim){u, f->pm[mode].f.priority, f->mode[mode].seq});
        }
    }
    return best;
}

static void try_node(Flow *f, uint32_t node) {
    uint32_t busy = f->n[node].busy;
    if (!station_start_one(f, node)) node_admit(f, node);
    if (f->n[node].busy == busy) f->n[node].tried = f->h->round;
    mark(f, node);
}

void res_serve(Flow *f) {
    uint32_t n = f->h->res_n;
    f->h->round++;
    for (uint32_t i = 0; i < n; i++) f->r[f->res_dirty[i]].dirty = false;
    for (;;) {
        Claim c = first_claim(f, n);
        if (c.user == NONE || f->err != ERR_OK) break;
        if (c.user < f->m->nodes) try_node(f, c.user);
        else if (!mode_crew(f, c.user - f->m->nodes)) f->mode[c.user - f->m->nodes].tried = f->h->round;
    }
    f->h->res_n -= n;
    memmove(f->res_dirty, f->res_dirty + n, f->h->res_n * sizeof *f->res_dirty);
}
