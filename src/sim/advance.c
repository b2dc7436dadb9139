// SPDX-License-Identifier: Apache-2.0
// Continuous motion between instants. Engines with roots go first: the first of their events is how far all go. When
// there are several, each can be taken back to where it began, so that none is beyond the event of another.
#include <math.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/inner.h"

// Where an engine began.
struct Back {
    size_t size;
    void *state;
    double **values; // by role: those it writes
    RowSet *touched, *fresh;
};

static bool writes(const InstWire *w, uint32_t role) { return w->roles[role].bind.dir & (SIM_OUT | SIM_STATE); }

void back_free(Inst *i) {
    Back *b = i->back;
    if (!b) return;
    for (uint32_t r = 0; r < i->wire->e.role_count; r++) {
        mem_free(b->values[r]);
        rowset_free(&b->touched[r]);
        rowset_free(&b->fresh[r]);
    }
    mem_free(b->values);
    mem_free(b->touched);
    mem_free(b->fresh);
    mem_free(b->state);
    mem_free(b);
    i->back = NULL;
}

static size_t role_bytes(const Inst *i, uint32_t r) {
    return (size_t)i->wire->roles[r].rows * i->wire->lanes * sizeof(double);
}

static void remember(Inst *i) {
    uint32_t n = i->wire->e.role_count;
    Back *b = i->back;
    if (!b) {
        i->back = b = mem_alloc(sizeof *b);
        b->values = mem_alloc((n + 1) * sizeof *b->values);
        b->touched = mem_alloc((n + 1) * sizeof *b->touched);
        b->fresh = mem_alloc((n + 1) * sizeof *b->fresh);
        for (uint32_t r = 0; r < n; r++) b->values[r] = writes(i->wire, r) ? mem_alloc(role_bytes(i, r)) : NULL;
    }
    if (b->size != i->ctx.state_size) b->state = mem_grow(b->state, i->ctx.state_size + 1);
    b->size = i->ctx.state_size;
    if (b->size) memcpy(b->state, i->ctx.state, b->size);
    for (uint32_t r = 0; r < n; r++) {
        if (!b->values[r]) continue;
        if (role_bytes(i, r)) memcpy(b->values[r], i->cols[r].v, role_bytes(i, r));
        rowset_copy(&b->touched[r], &i->ports[r].touched);
        rowset_copy(&b->fresh[r], &i->ports[r].fresh);
    }
}

static void take_back(Inst *i) {
    const Back *b = i->back;
    if (b->size != i->ctx.state_size) (void)i->ctx.resize(&i->ctx, b->size);
    if (b->size) memcpy(i->ctx.state, b->state, b->size);
    i->touched_count = 0;
    for (uint32_t r = 0; r < i->wire->e.role_count; r++) {
        if (!b->values[r]) continue;
        if (role_bytes(i, r)) memcpy(i->cols[r].v, b->values[r], role_bytes(i, r));
        rowset_copy(&i->ports[r].touched, &b->touched[r]);
        rowset_copy(&i->ports[r].fresh, &b->fresh[r]);
        if (i->ports[r].touched.n) i->touched[i->touched_count++] = r;
    }
}

static Err advance_one(Inst *i, sim_time to, sim_time *reached) {
    Sim *s = i->sim;
    *reached = to;
    i->advancing = true;
    i->ctx.lane_mask = (uint8_t)((1u << i->wire->lanes) - 1);
    if (i->wire->lanes > 1) i->ctx.lane_mask = s->looks;
    int bad = i->wire->e.engine->advance(&i->ctx, to, reached);
    i->advancing = false;
    i->stale = true;
    s->stats.advances++;
    if (bad) return inst_failed(i);
    if (*reached >= s->now && *reached <= to) return ERR_OK;
    (void)i->ctx.fail(&i->ctx, UINT32_MAX, "it went to %.17g s instead of %.17g s", *reached, to);
    return inst_failed(i);
}

static bool has_roots(const Inst *i) {
    return i->wire->e.engine->advance && (i->wire->e.engine->caps & SIM_ROOTS) != 0;
}

// Once over all that have roots; *limit: the first event found.
static Err roots_once(Sim *s, bool several, sim_time *limit) {
    sim_time first = *limit;
    for (uint32_t k = 0; k < s->wire->inst_count; k++) {
        Inst *i = &s->insts[k];
        sim_time reached;
        if (!has_roots(i)) continue;
        if (several) remember(i);
        TRY(advance_one(i, first, &reached));
        if (reached < first) i->stop = reached;
        first = reached;
    }
    *limit = first;
    return ERR_OK;
}

static void roots_back(Sim *s) {
    for (uint32_t k = 0; k < s->wire->inst_count; k++) {
        if (has_roots(&s->insts[k])) take_back(&s->insts[k]);
    }
}

// An engine that stopped short and does not say in which lanes: in all of them.
static void note_stops(Sim *s, sim_time reached) {
    for (uint32_t k = 0; k < s->wire->inst_count; k++) {
        Inst *i = &s->insts[k];
        if (i->stop == reached && inst_due(i, reached) == 0) i->rooted = i->mask;
    }
}

static Err advance_roots(Sim *s, sim_time *limit) {
    uint32_t count = 0;
    for (uint32_t k = 0; k < s->wire->inst_count; k++) {
        count += has_roots(&s->insts[k]);
        s->insts[k].stop = INFINITY;
    }
    if (count == 0) return ERR_OK;
    if (count > 1) s->looks = lanes_all(s); // which of them stops the others nobody knows
    for (sim_time first = *limit;; *limit = first) {
        TRY(roots_once(s, count > 1, &first));
        if (first == *limit || count == 1) {
            *limit = first;
            note_stops(s, first);
            return ERR_OK;
        }
        roots_back(s); // some went on beyond the first event
    }
}

Err advance_all(Sim *s, sim_time goal, sim_time *reached) {
    sim_time limit = goal, ignored;
    TRY(advance_roots(s, &limit));
    for (uint32_t k = 0; k < s->wire->inst_count; k++) {
        Inst *i = &s->insts[k];
        if (!i->wire->e.engine->advance) continue;
        if (!has_roots(i)) TRY(advance_one(i, limit, &ignored));
        inst_show(i);
    }
    *reached = limit;
    return ERR_OK;
}
