// SPDX-License-Identifier: Apache-2.0
// Figures: integrals over time brought forward whenever something changes, tallies (Welford 1962), and digests: counts
// by exponent and six bits of the mantissa, so that a bucket is 1/64 of its octave wide.
#include "flow/inner.h"

FlowState node_state(const Flow *f, uint32_t node) {
    const Node *n = &f->n[node];
    if (n->downs) return FLOW_DOWN;
    if (!n->running || (node_closed(f, node) && n->busy == 0 && n->blocked == 0)) return FLOW_OFF;
    if (f->pn[node].n.kind == FLOW_CONVEYOR) {
        if (n->blocked) return FLOW_BLOCKED;
        return n->inside ? FLOW_BUSY : FLOW_IDLE;
    }
    if (n->busy > n->setting) return FLOW_BUSY;
    if (n->setting) return FLOW_SETUP;
    if (n->blocked) return FLOW_BLOCKED;
    return n->waits ? FLOW_WAITING : FLOW_IDLE;
}

bool node_piled(const Flow *f, uint32_t node) {
    const FlowNode *p = &f->pn[node].n;
    const Node *n = &f->n[node];
    return p->high && n->inside > p->low && (n->piled || n->inside >= p->high);
}

void node_tick(Flow *f, uint32_t node) {
    Node *n = &f->n[node];
    double dt = f->h->now - n->since;
    if (!n->changed) {
        n->changed = true;
        f->changed[f->h->changed_n++] = node;
    }
    if (dt <= 0) return;
    n->since = f->h->now;
    n->piled = node_piled(f, node);
    n->share[node_state(f, node)] += dt;
    n->area_inside += dt * n->inside;
    n->area_queue += dt * n->queue;
    n->area_busy += dt * n->busy;
    n->area_blocked += dt * n->blocked;
    if (f->pn[node].level != NONE) {
        uint32_t last = f->pn[node].n.levels - 1;
        f->level[f->pn[node].level + (n->inside < last ? n->inside : last)] += dt;
    }
}

void res_tick(Flow *f, uint32_t r) {
    Res *x = &f->r[r];
    double dt = f->h->now - x->since;
    if (!x->changed) {
        x->changed = true;
        f->changed[f->h->changed_n++] = f->m->nodes + r;
    }
    if (dt <= 0) return;
    x->since = f->h->now;
    x->area_used += dt * x->used;
    x->area_number += dt * x->number * x->staff;
}

void changed_clear(Flow *f) {
    for (uint32_t k = 0; k < f->h->changed_n; k++) {
        uint32_t i = f->changed[k];
        if (i < f->m->nodes) f->n[i].changed = false;
        else f->r[i - f->m->nodes].changed = false;
    }
    f->h->changed_n = 0;
}

static void tally(FlowTally *t, double v) {
    if (t->n == 0 || v < t->min) t->min = v;
    if (t->n == 0 || v > t->max) t->max = v;
    t->n++;
    double d = v - t->mean;
    t->mean += d / (double)t->n;
    t->m2 += d * (v - t->mean);
}

static uint32_t bucket(double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (!(v > 0) || bits >> 52 < DIGEST_LOW) return 0;
    uint64_t at = (bits >> (52 - DIGEST_SUB)) - ((uint64_t)DIGEST_LOW << DIGEST_SUB) + 1;
    return at < DIGEST_SIZE ? (uint32_t)at : DIGEST_SIZE - 1;
}

static double bucket_value(uint32_t at) {
    if (at == 0) return 0;
    uint64_t bits = ((uint64_t)(at - 1) + ((uint64_t)DIGEST_LOW << DIGEST_SUB)) << (52 - DIGEST_SUB);
    bits |= UINT64_C(1) << (51 - DIGEST_SUB); // the middle
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static void tell(Flow *f, uint32_t node, uint32_t type, uint32_t which, double v) {
    const PNode *p = &f->pn[node];
    tally(&f->tally[2 * (size_t)p->tally + which], v);
    if (p->n.by_type) tally(&f->tally[2 * ((size_t)p->tally + 1 + type) + which], v);
    if (p->digest != NONE) f->digest[(2 * (size_t)p->digest + which) * DIGEST_SIZE + bucket(v)]++;
}

void tell_wait(Flow *f, uint32_t node, uint32_t type, double wait) { tell(f, node, type, 0, wait); }

void tell_stay(Flow *f, uint32_t node, uint32_t type, double stay) { tell(f, node, type, 1, stay); }

static void node_reset(Flow *f, uint32_t node) {
    Node *n = &f->n[node];
    node_tick(f, node);
    n->area_inside = n->area_queue = n->area_busy = n->area_blocked = n->stays = 0;
    memset(n->share, 0, sizeof n->share);
    n->entered = n->left = n->refused = n->balked = n->reneged = n->scrapped = 0;
    n->served = n->failures = n->setups = n->preempted = n->late = 0;
    n->inside_max = n->inside;
    n->queue_max = n->queue;
}

void stats_reset(Flow *f) {
    f->h->began = f->h->now;
    for (uint32_t i = 0; i < f->m->nodes; i++) node_reset(f, i);
    for (uint32_t i = 0; i < f->m->resources; i++) {
        res_tick(f, i);
        f->r[i].area_used = f->r[i].area_number = 0;
        f->r[i].seized = 0;
    }
    memset(f->tally, 0, 2 * (size_t)f->m->tallies * sizeof *f->tally);
    memset(f->digest, 0, 2 * (size_t)f->m->digests * DIGEST_SIZE * sizeof *f->digest);
    memset(f->level, 0, f->m->levels * sizeof *f->level);
}

// ---- reading -------------------------------------------------------------------------------------------------------

static void counts(const Node *n, FlowFigures *o) {
    o->inside = n->inside;
    o->queue = n->queue;
    o->busy = n->busy;
    o->blocked = n->blocked;
    o->entered = n->entered;
    o->left = n->left;
    o->refused = n->refused;
    o->balked = n->balked;
    o->reneged = n->reneged;
    o->scrapped = n->scrapped;
    o->lost = n->refused + n->balked + n->reneged + n->scrapped;
    o->late = n->late;
    o->served = n->served;
    o->failures = n->failures;
    o->setups = n->setups;
    o->preempted = n->preempted;
    o->inside_max = n->inside_max;
    o->queue_max = n->queue_max;
}

void flow_figures(const Flow *f, uint32_t node, FlowFigures *o) {
    CHECK(node < f->m->nodes);
    const Node *n = &f->n[node];
    double dt = f->h->now - n->since, time = f->h->now - f->h->began, by = time > 0 ? 1 / time : 0;
    *o = (FlowFigures){.time = time, .state = node_state(f, node)};
    counts(n, o);
    o->inside_mean = (n->area_inside + dt * n->inside) * by;
    o->queue_mean = (n->area_queue + dt * n->queue) * by;
    o->busy_mean = (n->area_busy + dt * n->busy) * by;
    o->blocked_mean = (n->area_blocked + dt * n->blocked) * by;
    for (int s = 0; s < FLOW_STATES; s++) o->share[s] = (n->share[s] + (s == (int)o->state ? dt : 0)) * by;
    o->wait = f->tally[2 * (size_t)f->pn[node].tally];
    o->stay = f->tally[2 * (size_t)f->pn[node].tally + 1];
    o->throughput = (double)(f->pn[node].n.kind == FLOW_SINK ? n->entered : n->left) * by;
}

void flow_figures_type(const Flow *f, uint32_t node, uint32_t type, FlowTally *wait, FlowTally *stay) {
    CHECK(node < f->m->nodes && f->pn[node].n.by_type && type < f->m->types);
    const FlowTally *t = &f->tally[2 * ((size_t)f->pn[node].tally + 1 + type)];
    *wait = t[0];
    *stay = t[1];
}

double flow_quantile(const Flow *f, uint32_t node, bool wait, double q) {
    CHECK(node < f->m->nodes);
    const PNode *p = &f->pn[node];
    uint64_t n = f->tally[2 * (size_t)p->tally + !wait].n, sum = 0;
    if (p->digest == NONE || n == 0) return (double)NAN;
    const uint64_t *d = &f->digest[(2 * (size_t)p->digest + !wait) * DIGEST_SIZE];
    uint64_t rank = (uint64_t)ceil(fmin(fmax(q, 0), 1) * (double)n);
    if (rank == 0) rank = 1;
    for (uint32_t i = 0; i < DIGEST_SIZE; i++) {
        sum += d[i];
        if (sum >= rank) return bucket_value(i);
    }
    return bucket_value(DIGEST_SIZE - 1);
}

double flow_level(const Flow *f, uint32_t node, uint32_t level) {
    CHECK(node < f->m->nodes && level < f->pn[node].n.levels);
    const Node *n = &f->n[node];
    uint32_t last = f->pn[node].n.levels - 1, here = n->inside < last ? n->inside : last;
    double time = f->h->now - f->h->began, at = f->level[f->pn[node].level + level];
    return time > 0 ? (at + (here == level ? f->h->now - n->since : 0)) / time : 0;
}

void flow_usage(const Flow *f, uint32_t resource, FlowUsage *o) {
    CHECK(resource < f->m->resources);
    const Res *r = &f->r[resource];
    double dt = f->h->now - r->since, time = f->h->now - f->h->began, by = time > 0 ? 1 / time : 0;
    *o = (FlowUsage){.number = r->number * r->staff, .used = r->used, .seized = r->seized};
    o->used_mean = (r->area_used + dt * r->used) * by;
    o->number_mean = (r->area_number + dt * o->number) * by;
}

uint32_t flow_items(const Flow *f) { return f->h->alive; }
