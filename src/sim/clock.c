// SPDX-License-Identifier: Apache-2.0
// The clock of a Sim: from one instant to the next, and what the sink hears of it.
#include <math.h>
#include "base/check.h"
#include "base/mem.h"
#include "sim/inner.h"

enum { TELLING_FEW = 16 }; // columns that are sorted by themselves; more are looked for among all

// ---- telling -------------------------------------------------------------------------------------------------------

static SimCell *cell_room(Sim *s, uint32_t n) {
    if (n > s->cell_cap) {
        s->cell_cap = n + n / 2;
        s->cells = mem_grow(s->cells, s->cell_cap * sizeof *s->cells);
    }
    return s->cells;
}

static uint32_t cells_of_lane(Sim *s, uint32_t lane, uint32_t total) {
    SimCell *cells = cell_room(s, total);
    uint32_t n = 0;
    for (uint32_t k = 0; k < s->telling_count; k++) {
        uint32_t column = s->telling[k];
        const Column *c = &s->columns[column];
        for (uint32_t i = 0; i < c->told.n; i++) {
            uint32_t row = c->told.rows[i];
            if (c->told.mask[row] >> lane & 1) cells[n++] = (SimCell){column, row, c->v->v[place(s, row, lane)]};
        }
    }
    return n;
}

// By the order of columns.
static void telling_sort(Sim *s) {
    const ColumnWire *w = s->wire->columns;
    uint32_t *t = s->telling;
    if (s->telling_count > TELLING_FEW) {
        s->telling_count = 0;
        for (uint32_t k = 0; k < s->wire->column_count; k++) {
            if (s->columns[s->wire->ordered[k]].told.n) t[s->telling_count++] = s->wire->ordered[k];
        }
        return;
    }
    for (uint32_t i = 1; i < s->telling_count; i++) {
        uint32_t column = t[i], at = i;
        for (; at > 0 && w[t[at - 1]].order > w[column].order; at--) t[at] = t[at - 1];
        t[at] = column;
    }
}

// Tell the sink what is marked, then forget it. False: it wants to stop.
static bool tell(Sim *s, const SimSink *sink) {
    uint32_t total = 0;
    bool go_on = true;
    if (s->telling_count == 0) return true;
    if (sink) telling_sort(s);
    for (uint32_t k = 0; k < s->telling_count; k++) {
        RowSet *told = &s->columns[s->telling[k]].told;
        if (sink) rowset_sort(told);
        total += told->n;
    }
    for (uint32_t l = 0; sink && sink->told && l < s->open.lanes; l++) {
        uint32_t n = cells_of_lane(s, l, total);
        s->stats.told += n;
        if (n) go_on &= sink->told(sink->ctx, s->now, (uint16_t)l, s->cells, n);
    }
    for (uint32_t k = 0; k < s->telling_count; k++) rowset_drop(&s->columns[s->telling[k]].told, UINT8_MAX);
    s->telling_count = 0;
    return go_on;
}

static void mark_rows(Sim *s, const RoleWire *w, RowSet *rows) {
    uint32_t column, row;
    for (uint32_t k = 0; k < rows->n; k++) {
        uint32_t at = rows->rows[k];
        if (role_cell(w, at, &column, &row)) column_tell(s, column, row, rows->mask[at]);
    }
    rowset_drop(rows, UINT8_MAX);
}

// Mark what continuous engines have moved since it was told, delivered or not.
static void mark_fresh(Sim *s) {
    for (uint32_t k = 0; k < s->wire->inst_count; k++) {
        const Inst *i = &s->insts[k];
        for (uint32_t r = 0; r < i->wire->e.role_count; r++) {
            mark_rows(s, &i->wire->roles[r], &i->ports[r].fresh);
            mark_rows(s, &i->wire->roles[r], &i->ports[r].drift);
        }
    }
}

// ---- start ---------------------------------------------------------------------------------------------------------

static Err begin_engines(Sim *s) {
    for (uint32_t k = 0; k < s->wire->inst_count; k++) {
        Inst *i = &s->insts[k];
        const sim_engine *e = i->wire->e.engine;
        i->ctx.lane_mask = (uint8_t)((1u << i->wire->lanes) - 1);
        inst_fill(i); // engines before it may have set what it reads
        if (e->state_size) (void)i->ctx.resize(&i->ctx, e->state_size(&i->ctx));
        if (e->init && e->init(&i->ctx, s->now) != 0) return inst_failed(i);
        inst_show(i);
    }
    return ERR_OK;
}

static void mark_all(Inst *i) {
    for (uint32_t r = 0; r < i->wire->e.role_count; r++) {
        const RoleWire *w = &i->wire->roles[r];
        if (!(w->bind.dir & (SIM_IN | SIM_STATE | SIM_PARAM))) continue;
        for (uint32_t row = 0; row < w->rows; row++) inst_role_moved(i, r, row, i->mask);
    }
}

static Err first_instant(Sim *s, Diag *d) {
    Item item;
    s->diag = d;
    while (calendar_pop(&s->calendar, 0, &item)) {
        s->stats.events++;
        column_put(s, &item);
    }
    wire_up(s);
    s->started = true;
    TRY(insts_plan(s));
    TRY(begin_engines(s));
    for (uint32_t k = 0; k < s->wire->inst_count; k++) mark_all(&s->insts[k]);
    for (uint32_t k = 0; k < s->wire->inst_count; k++) inst_publish(&s->insts[k], lanes_all(s), true);
    s->stats.instants++;
    return settle(s, lanes_all(s), true);
}

Err sim_start(Sim *s, Diag *d) {
    CHECK(!s->started);
    Err e = first_instant(s, d);
    s->diag = NULL;
    if (e != ERR_OK) s->failed = true;
    return e;
}

// ---- running -------------------------------------------------------------------------------------------------------

static void input(Sim *s, sim_time t, int32_t priority, uint32_t column, uint32_t row, uint16_t lane_mask, double value,
                  bool known) {
    CHECK(column < s->wire->column_count);
    const SimColumn *w = &s->wire->columns[column].what;
    CHECK(row < w->rows);
    CHECK(t >= s->now);
    uint8_t lanes = (uint8_t)lane_mask & lanes_all(s);
    if (!sim_takes_input(s, column, row)) {
        s->stats.refused++;
        return;
    }
    if (!lanes || isinf(t)) return;
    Item item = {.t = s->started ? t : 0, .priority = priority, .lanes = lanes, .known = known, .value = value};
    item.twin = w->col ? (w->link ? s->graph->link_id : s->graph->twin_id)[w->first + row] : row;
    item.seq = s->seq++;
    item.of = column;
    item.row = row;
    calendar_push(&s->calendar, &item);
}

void sim_input(Sim *s, sim_time t, int32_t priority, uint32_t column, uint32_t row, uint16_t lane_mask, double value) {
    input(s, t, priority, column, row, lane_mask, value, false);
}

void sim_known(Sim *s, uint32_t column, uint32_t row, double value) {
    input(s, s->now, 0, column, row, lanes_all(s), value, true);
}

sim_time sim_now(const Sim *s) { return s->now; }

static sim_time event_time(Sim *s) {
    sim_time t = s->calendar.n ? s->calendar.items[0].t : INFINITY;
    for (uint32_t k = 0; k < s->wire->inst_count; k++) {
        Inst *i = &s->insts[k];
        if (i->stale) inst_ask_next(i);
        for (uint32_t l = i->wire->lane0; l < i->wire->lane0 + i->wire->lanes; l++) {
            if (i->next[l] < t) t = i->next[l];
        }
    }
    return t > s->now ? t : s->now;
}

sim_time sim_next(const Sim *s) {
    if (s->started) return event_time((Sim *)(uintptr_t)s); // asks engines again, nothing that shows
    return s->calendar.n || s->wire->inst_count ? 0 : INFINITY;
}

void sim_stats(const Sim *s, SimStats *out) { *out = s->stats; }

// The first time of output after now.
static sim_time output_time(const Sim *s) {
    double every = s->open.output_s;
    if (!(every > 0)) return INFINITY;
    double k = floor(s->now / every);
    while (k * every <= s->now) k++;
    return k * every;
}

static uint8_t lanes_at(Sim *s) {
    uint8_t lanes = 0;
    for (uint32_t k = 0; k < s->wire->inst_count; k++) lanes |= inst_due(&s->insts[k], s->now);
    return lanes | calendar_lanes(&s->calendar, s->now);
}

// Lanes that are looked at, at goal: those with an event; at a time of output, and where it is to end, all.
static uint8_t looks_at(Sim *s, sim_time goal, sim_time output, sim_time until) {
    uint8_t lanes = calendar_lanes(&s->calendar, goal);
    if (goal == output || goal == until) return lanes_all(s);
    for (uint32_t k = 0; k < s->wire->inst_count; k++) lanes |= inst_due(&s->insts[k], goal);
    return lanes;
}

// Everything at one time: in the lanes that have an event there.
static Err instant(Sim *s) {
    uint8_t lanes = lanes_at(s);
    if (!lanes) return ERR_OK;
    s->stats.instants++;
    for (uint32_t k = 0; k < s->wire->inst_count; k++) inst_publish(&s->insts[k], lanes, false);
    return settle(s, lanes, false);
}

typedef struct Stop {
    sim_time at;
    bool event, output;
} Stop;

// Move on to the next time at which something happens, at most to `until`.
static Err step(Sim *s, sim_time event, sim_time output, sim_time until, Stop *stop) {
    sim_time goal = fmin(fmin(event, output), until), reached = goal;
    s->looks = looks_at(s, goal, output, until);
    if (goal > s->now) TRY(advance_all(s, goal, &reached));
    if (reached < goal) s->looks = 0; // it stopped short, and the engine knows in which lanes
    s->now = reached;
    *stop = (Stop){.at = reached, .output = reached == output};
    int64_t before = s->stats.instants;
    TRY(instant(s));
    stop->event = s->stats.instants > before;
    return ERR_OK;
}

static Err run(Sim *s, sim_time until, int64_t steps, const SimSink *sink) {
    bool go_on = tell(s, sink); // of the start
    sim_time ignored;
    s->looks = lanes_all(s);
    for (int64_t n = 0; go_on && (steps == 0 || n < steps);) {
        sim_time event = event_time(s), output = output_time(s), first = fmin(event, output);
        Stop stop;
        if (s->now >= until && first > until) break;
        if (isinf(fmin(first, until)) || until < s->now) break;
        TRY(step(s, event, output, until, &stop));
        if (stop.output) mark_fresh(s);
        if (stop.output && sink && sink->looked) sink->looked(sink->ctx, s->now);
        if (stop.event || stop.output) go_on = tell(s, sink);
        n += stop.event || stop.output;
    }
    if (s->looks == lanes_all(s)) return ERR_OK;
    s->looks = lanes_all(s); // it was stopped: whoever asks now may ask for any lane
    return advance_all(s, s->now, &ignored);
}

bool sim_tell(Sim *s, const SimSink *sink) {
    CHECK(s->started && !s->failed);
    mark_fresh(s);
    return tell(s, sink);
}

Err sim_run(Sim *s, sim_time until, int64_t steps, const SimSink *sink, sim_time *now, Diag *d) {
    CHECK(s->started);
    CHECK(!isnan(until));
    Err e = ERR_SIM_FAILED;
    s->diag = d;
    if (s->failed) (void)diag_add(d, e, -1, -1, STR(""), "it has failed already");
    else e = run(s, until, steps, sink);
    s->diag = NULL;
    if (e != ERR_OK) s->failed = true;
    if (now) *now = s->now;
    return e;
}
