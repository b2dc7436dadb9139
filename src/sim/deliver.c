// SPDX-License-Identifier: Apache-2.0
// From the engine that moved a cell to those that read it, round after round in order of rank.
#include <math.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/inner.h"

// ---- to readers ----------------------------------------------------------------------------------------------------

static void tell_reader(Sim *s, const Reader *r, uint32_t row, uint8_t lanes, uint32_t inst, uint32_t role) {
    Inst *i = &s->insts[r->inst];
    uint8_t mine = lanes & i->mask;
    if (mine && !(r->inst == inst && r->role == role)) inst_role_moved(i, r->role, row, mine);
}

void cell_moved(Sim *s, uint32_t column, uint32_t row, uint8_t lanes, uint32_t inst, uint32_t role) {
    const ColumnWire *w = &s->wire->columns[column];
    if (!s->insts) return; // before the start everything counts as moved
    for (uint32_t i = 0; i < w->whole_count; i++) tell_reader(s, &w->whole[i], row, lanes, inst, role);
    if (!w->part_first) return;
    for (uint32_t i = w->part_first[row]; i < w->part_first[row + 1]; i++)
        tell_reader(s, &w->part[i], w->part[i].row, lanes, inst, role);
}

static void trace_cell(Sim *s, const Inst *i, uint32_t role, uint32_t column, uint32_t row, uint32_t lane, double by) {
    const ColumnWire *w = &s->wire->columns[column];
    uint32_t part = w->part_first ? w->part_first[row + 1] - w->part_first[row] : 0;
    for (uint32_t k = 0; k < w->whole_count + part; k++) {
        const Reader *r = k < w->whole_count ? &w->whole[k] : &w->part[w->part_first[row] + k - w->whole_count];
        if ((r->inst == i->number && r->role == role) || !(s->insts[r->inst].mask >> lane & 1)) continue;
        trace_add(s, &(TraceEdge){i->number, r->inst, column, row, lane, by, 0});
    }
}

// ---- from writers --------------------------------------------------------------------------------------------------

void inst_show(Inst *i) {
    Sim *s = i->sim;
    for (uint32_t k = 0; k < i->touched_count; k++) {
        uint32_t role = i->touched[k], column, row;
        Port *p = &i->ports[role];
        for (uint32_t x = 0; p->own && x < p->touched.n; x++) {
            uint32_t at = p->touched.rows[x];
            if (!role_cell(&i->wire->roles[role], at, &column, &row)) continue;
            for (uint32_t l = 0; l < i->wire->lanes; l++) {
                uint32_t lane = i->wire->lane0 + l;
                if (p->touched.mask[at] >> lane & 1)
                    s->columns[column].v->v[place(s, row, lane)] = p->own->v[(size_t)at * i->wire->lanes + l];
            }
        }
    }
}

// The lanes of `lanes` in which the cell differs from what was delivered; it is delivered now.
static uint8_t deliver_cell(Inst *i, uint32_t role, uint32_t column, uint32_t row, uint8_t lanes) {
    Sim *s = i->sim;
    const double *v = s->columns[column].v->v + place(s, row, 0);
    double *seen = s->columns[column].seen->v + place(s, row, 0);
    uint8_t moved = 0;
    for (uint32_t l = 0; l < s->open.lanes; l++) {
        if (!(lanes >> l & 1) || same_value(v[l], seen[l])) continue;
        if (s->trace) trace_cell(s, i, role, column, row, l, v[l] - seen[l]);
        seen[l] = v[l];
        moved |= (uint8_t)(1u << l);
    }
    if (moved) cell_moved(s, column, row, moved, i->number, role);
    return moved;
}

void cell_deliver(Inst *i, uint32_t role, uint32_t column, uint32_t row, uint8_t lanes) {
    uint8_t moved = deliver_cell(i, role, column, row, lanes);
    if (moved) column_tell(i->sim, column, row, moved);
}

// What is told of a row that is published: where it moved. Said at the instant, also where it moved before and was not
// told; else, where there are times of output, later.
static uint8_t to_tell(const Inst *i, Port *p, uint32_t row, uint8_t mine, uint8_t moved, bool said) {
    uint8_t tell = p->fresh.mask ? moved & p->fresh.mask[row] : 0;
    if (said && p->drift.mask) tell |= mine & p->drift.mask[row];
    if (said || !(i->sim->open.output_s > 0)) return tell;
    if (tell) rowset_add(&p->drift, row, tell);
    return 0;
}

// Rows that were touched are told.
static void drift_told(Port *p, uint8_t lanes) {
    if (!p->drift.n) return;
    for (uint32_t k = 0; k < p->touched.n; k++)
        p->drift.mask[p->touched.rows[k]] &= (uint8_t) ~(p->touched.mask[p->touched.rows[k]] & lanes);
    rowset_drop(&p->drift, 0);
}

static void publish_role(Inst *i, uint32_t role, uint8_t lanes, bool said) {
    Sim *s = i->sim;
    Port *p = &i->ports[role];
    uint32_t column, row;
    for (uint32_t k = 0; k < p->touched.n; k++) {
        uint32_t at = p->touched.rows[k];
        uint8_t mine = p->touched.mask[at] & lanes;
        if (!mine || !role_cell(&i->wire->roles[role], at, &column, &row)) continue;
        uint8_t moved = deliver_cell(i, role, column, row, mine);
        uint8_t tell = to_tell(i, p, at, mine, moved, said);
        if (tell) column_tell(s, column, row, tell);
    }
    if (said) drift_told(p, lanes);
    rowset_drop(&p->touched, lanes);
    rowset_drop(&p->fresh, lanes);
}

void inst_publish(Inst *i, uint8_t lanes, bool said) {
    uint32_t kept = 0;
    for (uint32_t k = 0; k < i->touched_count; k++) {
        uint32_t role = i->touched[k];
        publish_role(i, role, lanes, said);
        if (i->ports[role].touched.n) i->touched[kept++] = role;
    }
    i->touched_count = kept;
}

// ---- react ---------------------------------------------------------------------------------------------------------

static bool beyond(double v, double last, double tol) { return !same_value(v, last) && !(fabs(v - last) <= tol); }

// The lanes in which the row has moved by more than the role's tolerance since it was told; takes the values over.
static uint8_t moved_enough(Inst *i, uint32_t role, uint32_t row, uint8_t lanes, bool all) {
    Sim *s = i->sim;
    const RoleWire *r = &i->wire->roles[role];
    Port *p = &i->ports[role];
    uint32_t column, cell, n = i->wire->lanes;
    uint8_t moved = 0;
    if (!p->own && !p->last) return lanes;
    if (!role_cell(r, row, &column, &cell)) return all ? lanes : 0;
    double *last = (p->own ? p->own : p->last)->v + (size_t)row * n;
    for (uint32_t l = 0; l < n; l++) {
        if (!(lanes >> (i->wire->lane0 + l) & 1)) continue;
        double v = s->columns[column].v->v[place(s, cell, i->wire->lane0 + l)];
        if (p->own && r->from_column && isnan(v)) v = r->bind.dflt;
        if (!all && !beyond(v, last[l], r->bind.tol)) continue;
        last[l] = v;
        moved |= (uint8_t)(1u << (i->wire->lane0 + l));
    }
    return moved;
}

// The delta of one role; false: nothing moved enough. The rows stay in the set until it is dropped.
static bool role_delta(Inst *i, uint32_t role, bool all, sim_delta *out) {
    RowSet *m = &i->ports[role].moved;
    uint8_t lanes = 0;
    rowset_sort(m);
    uint32_t kept = 0;
    for (uint32_t k = 0; k < m->n; k++) {
        uint32_t row = m->rows[k];
        m->mask[row] = moved_enough(i, role, row, m->mask[row], all);
        lanes |= m->mask[row];
        if (m->mask[row]) m->rows[kept++] = row;
    }
    m->n = kept;
    *out = (sim_delta){.col = role, .rows = m->rows, .n = kept, .lane_mask = (uint8_t)(lanes >> i->wire->lane0)};
    return kept > 0;
}

static int by_role(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t deltas_of(Inst *i, bool all, sim_delta *out, uint8_t *lanes) {
    uint32_t n = 0;
    if (i->moved_count > 1) qsort(i->moved, i->moved_count, sizeof *i->moved, by_role);
    for (uint32_t k = 0; k < i->moved_count; k++) {
        if (!role_delta(i, i->moved[k], all, &out[n])) continue;
        *lanes |= (uint8_t)(out[n].lane_mask << i->wire->lane0);
        n++;
    }
    return n;
}

// A chain against the order of rank takes a round a link, and is no loop. So after micro_max rounds it is watched for
// as many more as there are engines: then only a loop can still move.
static bool too_often(Inst *i, uint8_t lanes) {
    Sim *s = i->sim;
    uint32_t most = 0, max = (uint32_t)s->open.micro_max;
    for (uint32_t l = 0; l < s->open.lanes; l++) {
        if (lanes >> l & 1 && ++i->reacts[l] > most) most = i->reacts[l];
    }
    if (!s->trace && most > max) trace_begin(s);
    return most > max + s->wire->serials + 2;
}

enum { DELTAS_INLINE = 16 };

Err inst_react(Inst *i, uint8_t due, bool all, bool *did) {
    Sim *s = i->sim;
    sim_delta some[DELTAS_INLINE];
    sim_delta *deltas = i->moved_count > DELTAS_INLINE ? mem_alloc(i->moved_count * sizeof *deltas) : some;
    uint8_t lanes = due | i->due_lanes;
    uint32_t n = deltas_of(i, all, deltas, &lanes);
    Err err = ERR_OK;
    *did = n || lanes || all;
    if (*did && too_often(i, lanes)) err = loop_found(s, i);
    if (*did && err == ERR_OK) {
        i->ctx.lane_mask = (uint8_t)(lanes >> i->wire->lane0);
        i->ctx.due = i->due;
        i->ctx.due_count = i->due_count;
        accel_restore(i, lanes);
        if (i->wire->e.engine->react(&i->ctx, s->now, deltas, n) != 0) err = inst_failed(i);
        s->stats.reacts++;
        i->stale = true;
    }
    for (uint32_t k = 0; k < i->moved_count; k++) rowset_drop(&i->ports[i->moved[k]].moved, UINT8_MAX);
    i->moved_count = i->due_count = 0;
    i->due_lanes = 0;
    i->rooted &= (uint8_t)~lanes;
    if (deltas != some) mem_free(deltas);
    return err;
}

// ---- rounds --------------------------------------------------------------------------------------------------------

static void post_due(Sim *s, const Item *item) {
    Inst *i = &s->insts[item->of];
    if (i->due_count == i->due_cap) {
        i->due_cap = i->due_cap ? i->due_cap * 2 : 8;
        i->due = mem_grow(i->due, i->due_cap * sizeof *i->due);
    }
    uint16_t lane = (uint16_t)((uint32_t)__builtin_ctz(item->lanes) - i->wire->lane0);
    i->due[i->due_count++] = (sim_due){.kind = item->row, .lane = lane, .arg = item->arg};
    i->due_lanes |= item->lanes;
}

// What the calendar has by now; returns the lanes concerned.
static uint8_t take_due(Sim *s) {
    Item item;
    uint8_t lanes = 0;
    while (calendar_pop(&s->calendar, s->now, &item)) {
        s->stats.events++;
        lanes |= item.lanes;
        if (item.post) post_due(s, &item);
        else column_put(s, &item);
    }
    return lanes;
}

void inst_ask_next(Inst *i) {
    const InstWire *w = i->wire;
    for (uint32_t l = 0; w->e.engine->next && l < w->lanes; l++) {
        i->ctx.lane_mask = (uint8_t)(1u << l);
        i->next[w->lane0 + l] = w->e.engine->next(&i->ctx);
    }
    i->stale = false;
}

uint8_t inst_due(Inst *i, sim_time t) {
    uint8_t lanes = i->rooted;
    if (i->stale) inst_ask_next(i);
    for (uint32_t l = i->wire->lane0; l < i->wire->lane0 + i->wire->lanes; l++) {
        if (i->next[l] <= t) lanes |= (uint8_t)(1u << l);
    }
    return lanes;
}

Err settle(Sim *s, uint8_t lanes, bool all) {
    accel_drop(s); // of an instant that failed
    for (uint32_t k = 0; k < s->wire->inst_count; k++) memset(s->insts[k].reacts, 0, sizeof s->insts[k].reacts);
    for (bool any = true; any;) {
        lanes |= take_due(s);
        any = false;
        for (uint32_t k = 0; k < s->wire->inst_count; k++) {
            Inst *i = &s->insts[k];
            bool did;
            uint8_t due = all ? i->mask : inst_due(i, s->now);
            if (!i->moved_count && !due && !i->due_lanes) continue;
            TRY(inst_react(i, due, all, &did));
            inst_show(i);
            if (did) accel_step(i, (uint8_t)(i->ctx.lane_mask << i->wire->lane0));
            inst_publish(i, lanes, true);
            any |= did;
        }
        if (!any && !all) any = accel_end(s);
        all = false;
        s->stats.micro_steps += any;
        any |= s->calendar.n && s->calendar.items[0].t <= s->now;
    }
    mem_free(s->trace);
    s->trace = NULL;
    accel_drop(s);
    return ERR_OK;
}
