// SPDX-License-Identifier: Apache-2.0
// The rates engine between steps: where its state lies, what a moved cell makes dirty, what fires and what is set.
//
// React, at one instant: due events fire; acts are evaluated, all of a round before any is applied; definitions that
// depend on what moved are evaluated in order; conditions that do are looked at, and those that changed fire in the
// next round. Problems of which something moved that their rates look at begin anew.
#include "sim/rates.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "num/dist.h"

#define ROUNDS SIM_MICRO_MAX

// ---- layout ---------------------------------------------------------------------------------------------------------

static size_t take(size_t *at, size_t bytes) {
    size_t here = *at;
    *at += (bytes + 63) & ~(size_t)63;
    return here;
}

static uint32_t table_rows(const Rates *r, uint32_t table) {
    return r->graph->table_first[table + 1] - r->graph->table_first[table];
}

static void lay_inst(const Rates *r, const RatesInst *in, uint32_t lanes, size_t *at, InstState *s) {
    uint32_t rows = table_rows(r, in->table);
    size_t n = s->elems = rows * lanes;
    if (in->kind == SAY_RATE || in->kind == SAY_ALWAYS) return;
    s->fired = take(at, n * 4);
    if (in->kind == SAY_WHEN) s->truth = take(at, n);
    if (in->kind == SAY_EVERY) s->next = take(at, (lanes + 1) * 8);
    if (in->kind != SAY_AT_RATE) return;
    s->goal = take(at, n * 8);
    if (in->flows) return;
    s->sum = take(at, n * 8);
    s->rate = take(at, n * 8);
    s->since = take(at, n * 8);
    s->due = take(at, n * 8);
    s->blocks = (rows + DUE_BLOCK - 1) / DUE_BLOCK;
    s->least = take(at, (size_t)s->blocks * lanes * 8);
}

static bool has_hazard(const Rates *r, const RatesSystem *s) {
    for (uint32_t i = 0; i < s->rate_count; i++) {
        if (r->insts[s->rates[i].inst].kind == SAY_AT_RATE) return true;
    }
    return false;
}

static void lay_system(const Rates *r, const RatesSystem *s, uint32_t lanes, size_t *at, uint32_t *slots,
                       SystemState *o) {
    size_t w = o->slots = s->width * lanes;
    o->base = *slots;
    *slots += o->slots;
    o->rk = take(at, rk45_size((int32_t)s->n, (int32_t)w));
    o->te = take(at, w * 8);
    o->seen = take(at, w * 8);
    o->last = take(at, w * 8);
    o->close = take(at, w * 4);
    o->stiff = take(at, w);
    o->queue = take(at, w * 8);
    o->end = *at;
    o->events = s->when_count > 0 || has_hazard(r, s);
}

static void lay_watches(const Rates *r, Layout *l, size_t *at) {
    l->tallies = take(at, (size_t)r->watch_count * l->lanes * sizeof(Tally));
    for (uint32_t i = 0; i < r->system_count; i++) {
        const RatesSystem *s = &r->systems[i];
        if (s->kept_count && s->n) l->kept[i] = take(at, (size_t)s->kept_count * l->lanes * tally_kept_size(s->n));
    }
}

static int plan(sim_ctx *ctx, void **out) {
    const Rates *r = ctx->config;
    Layout *l = mem_alloc(sizeof *l);
    size_t at = 64;
    *l = (Layout){.lanes = ctx->lanes};
    l->insts = mem_alloc((r->inst_count + 1) * sizeof *l->insts);
    l->systems = mem_alloc((r->system_count + 1) * sizeof *l->systems);
    l->delays = mem_alloc((r->delay_count + 1) * sizeof *l->delays);
    l->shadows = mem_alloc((r->shadow_count + 1) * sizeof *l->shadows);
    l->shadow_role = mem_alloc((r->shadow_count + 1) * sizeof *l->shadow_role);
    l->kept = mem_alloc((r->system_count + 1) * sizeof *l->kept);
    l->clocked = mem_alloc((r->inst_count + 1) * sizeof *l->clocked);
    l->symbols = take(&at, (r->text_count + 1) * 8);
    for (uint32_t i = 0; i < r->inst_count; i++) {
        const RatesInst *in = &r->insts[i];
        lay_inst(r, in, l->lanes, &at, &l->insts[i]);
        if (in->kind == SAY_EVERY || (in->kind == SAY_AT_RATE && !in->flows)) l->clocked[l->clocked_count++] = i;
    }
    for (uint32_t i = 0; i < r->role_count; i++) {
        if (r->roles[i].shadow == NONE) continue;
        l->shadow_role[r->roles[i].shadow] = i;
        l->shadows[r->roles[i].shadow] = take(&at, (size_t)r->roles[i].rows * l->lanes * 8);
    }
    lay_watches(r, l, &at);
    l->systems_from = at;
    for (uint32_t i = 0, slots = 0; i < r->system_count; i++) {
        lay_system(r, &r->systems[i], l->lanes, &at, &slots, &l->systems[i]);
        l->events = l->events || l->systems[i].events;
    }
    for (uint32_t i = 0; i < r->delay_count; i++) {
        if (r->delays[i].inst == NONE) continue;
        size_t n = l->delays[i].elems = table_rows(r, r->insts[r->delays[i].inst].table) * l->lanes;
        l->delays[i].ring = take(&at, n * DELAY_PIECES * sizeof(DelayPiece));
        l->delays[i].count = take(&at, n * 4);
    }
    l->size = at;
    *out = l;
    return 0;
}

static void plan_free(void *p) {
    Layout *l = p;
    mem_free(l->insts);
    mem_free(l->systems);
    mem_free(l->delays);
    mem_free(l->shadows);
    mem_free(l->shadow_role);
    mem_free(l->clocked);
    mem_free(l->kept);
    mem_free(l);
}

static size_t state_size(const sim_ctx *ctx) { return ((const Layout *)ctx->plan)->size; }

// ---- a call ---------------------------------------------------------------------------------------------------------

// Words for an element of the instance that fires.
typedef struct Draw {
    const Call *c;
    uint32_t inst, elem;
} Draw;

static void draw_four(void *ctx, uint64_t counter, uint32_t out[4]) {
    const Draw *d = ctx;
    const RatesInst *in = &d->c->r->insts[d->inst];
    uint64_t twin = d->c->r->graph->twin_id[d->c->r->graph->table_first[in->table] + d->elem / d->c->lanes];
    d->c->c->random(d->c->c, (uint16_t)(d->elem % d->c->lanes), twin, in->stream, counter, out);
}

#define DRAW_GOAL 1023 // stream of thresholds

static DistWords words_of(const Call *c, Draw *d, uint32_t stream) {
    uint64_t fired = state_u32(c, c->l->insts[d->inst].fired)[d->elem];
    return (DistWords){.four = draw_four, .ctx = d, .counter = fired << 20 | (uint64_t)(stream & 1023) << 10};
}

static double draw(const ProgRun *run, ProgOp op, uint32_t stream, uint32_t elem, double a, double b) {
    const Call *c = run->ctx;
    Draw d = {.c = c, .inst = c->inst, .elem = elem};
    DistWords w = words_of(c, &d, stream);
    if (!(a == a) || !(b == b)) return (double)NAN;
    switch (op) {
    case PO_UNIFORM: return dist_uniform(&w, a, b);
    case PO_NORMAL: return dist_normal(&w, a, b);
    case PO_EXPONENTIAL: return a > 0 ? dist_exponential(&w, a) : (double)NAN;
    default: return dist_poisson(&w, a);
    }
}

Call call_begin(sim_ctx *ctx, double t) {
    const Rates *r = ctx->config;
    const Layout *l = ctx->plan;
    Call c = {.c = ctx, .r = r, .l = l, .state = ctx->state, .lanes = ctx->lanes, .t = t};
    arena_init(&c.tmp, 0);
    c.dirty = NEW(&c.tmp, DirtyList, r->inst_count + 1);
    c.fires = NEW(&c.tmp, DirtyList, r->inst_count + 1);
    c.shadow = NEW(&c.tmp, const double *, r->shadow_count + 1);
    for (uint32_t i = 0; i < r->shadow_count; i++) c.shadow[i] = state_f64(&c, l->shadows[i]);
    for (int i = 0; i < SIM_LANES_MAX; i++) c.lane_t[i] = t;
    c.watch_dirty = NEW(&c.tmp, uint8_t, r->watch_count * c.lanes + 1);
    return c;
}

// The program context, of a call that does not move any more.
static void call_run(Call *c) {
    ProgUnit *u = NEW(&c->tmp, ProgUnit, 1);
    *u = (ProgUnit){.aggs = c->r->aggs, .tables = c->r->tables};
    c->run = (ProgRun){.unit = u,
                       .col = c->c->col,
                       .lanes = c->lanes,
                       .symbol = state_f64(c, c->l->symbols),
                       .t = c->lane_t,
                       .week = (double)sim_week_ns(*c->c->epoch_ns) / 1e9,
                       .shadow = c->shadow,
                       .delayed = flow_delayed,
                       .draw = draw,
                       .ctx = c};
}

void call_end(Call *c) {
    tally_free(c);
    arena_free(&c->tmp);
}

int rates_fail(Call *c, uint32_t inst, uint32_t row, const char *fmt, ...) {
    const RatesInst *in = &c->r->insts[inst];
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    Str twin = sim_graph_name(c->r->graph, c->r->graph->table_first[in->table] + row);
    c->failed = true;
    return c->c->fail(c->c, UINT32_MAX, "%.*s: %s: behaviour %.*s, statement %d: %.*s", STR_ARG(twin), text,
                      STR_ARG(in->doc->name), in->number + 1, STR_ARG(in->doc->says[in->number].text));
}

// ---- what is dirty --------------------------------------------------------------------------------------------------

static void list_push(Call *c, DirtyList *l, uint32_t e) {
    if (l->n && l->e[l->n - 1] == e) return;
    if (l->n == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 16, *more = NEW(&c->tmp, uint32_t, cap);
        if (l->n) memcpy(more, l->e, l->n * sizeof *more);
        l->e = more;
        l->cap = cap;
    }
    l->e[l->n++] = e;
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void list_sort(DirtyList *l) {
    uint32_t k = 0;
    bool ordered = true;
    for (uint32_t i = 1; i < l->n; i++) ordered = ordered && l->e[i] > l->e[i - 1];
    if (ordered) return;
    qsort(l->e, l->n, sizeof *l->e, by_value);
    for (uint32_t i = 0; i < l->n; i++) {
        if (k == 0 || l->e[i] != l->e[k - 1]) l->e[k++] = l->e[i];
    }
    l->n = k;
}

static bool flowing(const RatesInst *in) { return in->flows && in->kind != SAY_EVERY && in->kind != SAY_INITIALLY; }

// An element of an instance has to be looked at again.
static void soil(Call *c, uint32_t inst, uint32_t elem) {
    const RatesInst *in = &c->r->insts[inst];
    if (in->has && !in->has[elem / c->lanes]) return;
    list_push(c, &c->dirty[inst], elem);
    if (flowing(in)) {
        uint32_t twin = c->r->graph->table_first[in->table] + elem / c->lanes;
        list_push(c, &c->restart, twin * c->lanes + elem % c->lanes);
    }
}

static void soil_twin(Call *c, uint32_t inst, uint32_t twin, uint32_t lane) {
    const RatesInst *in = &c->r->insts[inst];
    if (c->r->graph->table[twin] != in->table) return;
    soil(c, inst, (twin - c->r->graph->table_first[in->table]) * c->lanes + lane);
}

// Readers of a twin or link over an aggregate.
static void soil_readers(Call *c, const RatesDep *d, uint32_t dense, uint32_t lane) {
    const SimGraph *g = c->r->graph;
    const RatesHop *h = &c->r->hops[d->agg];
    if (d->via == VIA_LINK) {
        if (h->out) soil_twin(c, d->inst, g->from[dense], lane);
        if (h->in) soil_twin(c, d->inst, g->to[dense], lane);
        return;
    }
    for (uint32_t i = g->in_ptr[dense]; h->out && i < g->in_ptr[dense + 1]; i++) {
        if (h->kinds[g->kind[g->in_link[i]]]) soil_twin(c, d->inst, g->from[g->in_link[i]], lane);
    }
    for (uint32_t i = g->out_ptr[dense]; h->in && i < g->out_ptr[dense + 1]; i++) {
        if (h->kinds[g->kind[g->out_link[i]]]) soil_twin(c, d->inst, g->to[g->out_link[i]], lane);
    }
}

static void moved_cell(Call *c, uint32_t role, uint32_t elem) {
    const RatesRole *r = &c->r->roles[role];
    for (uint32_t i = 0; i < r->dep_count; i++) {
        const RatesDep *d = &r->deps[i];
        if (d->via == VIA_OWN) soil(c, d->inst, elem);
        else soil_readers(c, d, r->first + elem / c->lanes, elem % c->lanes);
    }
    if (r->watcher_count) tally_soil(c, role, elem);
    if (r->state) {
        uint32_t twin = r->first + elem / c->lanes;
        list_push(c, &c->restart, twin * c->lanes + elem % c->lanes);
    }
}

static bool same(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b); }

// Set a cell of a column of ours.
static void set_cell(Call *c, uint32_t role, uint32_t elem, double v) {
    double *cell = &c->c->col[role].v[elem];
    if (same(*cell, v)) return;
    *cell = v;
    c->c->touch(c->c, role, elem / c->lanes, (uint16_t)(elem % c->lanes));
    moved_cell(c, role, elem);
}

static ProgSel elements_sel(const DirtyList *l) { return (ProgSel){.rows = l->e, .n = l->n, .lane = PROG_ELEMENTS}; }

// ---- hazards that do not flow ---------------------------------------------------------------------------------------

static void due_changed(Call *c, const InstState *s, uint32_t elem) {
    uint32_t lane = elem % c->lanes, block = elem / c->lanes / DUE_BLOCK, rows = s->elems / c->lanes;
    uint32_t from = block * DUE_BLOCK, to = from + DUE_BLOCK < rows ? from + DUE_BLOCK : rows;
    double least = INFINITY, *due = state_f64(c, s->due);
    for (uint32_t i = from; i < to; i++) least = fmin(least, due[i * c->lanes + lane]);
    state_f64(c, s->least)[(size_t)lane * s->blocks + block] = least;
}

static double new_goal(const Call *c, uint32_t inst, uint32_t elem) {
    Draw d = {.c = c, .inst = inst, .elem = elem};
    DistWords w = words_of(c, &d, DRAW_GOAL);
    return dist_exponential(&w, 1);
}

static void hazard_due(Call *c, const InstState *s, uint32_t elem) {
    double rate = state_f64(c, s->rate)[elem], left = state_f64(c, s->goal)[elem] - state_f64(c, s->sum)[elem];
    double at = rate > 0 ? c->t + fmax(left, 0) / rate : INFINITY;
    state_f64(c, s->due)[elem] = at;
    due_changed(c, s, elem);
}

static void hazard_rate(Call *c, uint32_t inst, uint32_t elem, double rate) {
    const InstState *s = &c->l->insts[inst];
    double *since = state_f64(c, s->since) + elem, *now = state_f64(c, s->rate) + elem;
    rate = rate > 0 ? rate : 0; // undefined: nothing happens
    if (same(*now, rate)) return;
    state_f64(c, s->sum)[elem] += *now * (c->t - *since);
    *since = c->t;
    *now = rate;
    hazard_due(c, s, elem);
}

static void hazard_again(Call *c, uint32_t inst, uint32_t elem) {
    const InstState *s = &c->l->insts[inst];
    state_f64(c, s->goal)[elem] = new_goal(c, inst, elem);
    if (c->r->insts[inst].flows) return;
    state_f64(c, s->sum)[elem] = 0;
    state_f64(c, s->since)[elem] = c->t;
    hazard_due(c, s, elem);
}

// ---- firing ---------------------------------------------------------------------------------------------------------

// fires holds element * 2 + 1 for `else`.
static void fire(Call *c, uint32_t inst, uint32_t elem, bool other) { list_push(c, &c->fires[inst], elem * 2 + other); }

// What one assignment came to, for the elements that fire.
typedef struct Pending {
    uint32_t inst, n;
    const RatesAct *act;
    const uint32_t *elem;
    double *v;
} Pending;

static void evaluate_acts(Call *c, uint32_t inst, const RatesAct *acts, int32_t count, const DirtyList *which,
                          Pending *out, uint32_t *n) {
    ProgSel sel = elements_sel(which);
    c->inst = inst;
    for (int32_t i = 0; i < count && which->n; i++) {
        Pending p = {.inst = inst, .n = which->n, .act = &acts[i], .elem = which->e};
        p.v = NEW(&c->tmp, double, which->n);
        prog_run(&acts[i].value, &c->run, &sel, p.v, NULL);
        out[(*n)++] = p;
    }
}

static void apply(Call *c, const Pending *p) {
    for (uint32_t i = 0; i < p->n; i++) {
        uint32_t row = p->elem[i] / c->lanes, lane = p->elem[i] % c->lanes;
        if (p->act->role != NONE) {
            set_cell(c, p->act->role, p->elem[i], p->v[i]);
            continue;
        }
        for (uint32_t e = p->act->ptr[row]; e < p->act->ptr[row + 1]; e++) {
            if (p->act->to_role[e] != NONE)
                set_cell(c, p->act->to_role[e], p->act->to_row[e] * c->lanes + lane, p->v[i]);
        }
    }
}

// Everything that fires: all values first, then all assignments, in order of rank. Returns how many elements fired.
static uint32_t run_fires(Call *c) {
    const Rates *r = c->r;
    uint32_t count = 0, most = 0, fired = 0;
    for (uint32_t i = 0; i < r->inst_count; i++) most += (uint32_t)(r->insts[i].act_count + r->insts[i].other_count);
    Pending *all = NEW(&c->tmp, Pending, most + 1);
    for (uint32_t i = 0; i < r->inst_count; i++) {
        DirtyList *f = &c->fires[i], then = {0}, other = {0};
        if (f->n == 0) continue;
        list_sort(f);
        for (uint32_t k = 0; k < f->n; k++) list_push(c, f->e[k] & 1 ? &other : &then, f->e[k] / 2);
        evaluate_acts(c, i, r->insts[i].acts, r->insts[i].act_count, &then, all, &count);
        evaluate_acts(c, i, r->insts[i].other, r->insts[i].other_count, &other, all, &count);
        uint32_t *times = state_u32(c, c->l->insts[i].fired);
        for (uint32_t k = 0; k < f->n; k++) times[f->e[k] / 2]++;
        fired += f->n;
        f->n = 0;
        for (uint32_t k = 0; r->insts[i].kind == SAY_AT_RATE && k < then.n; k++) hazard_again(c, i, then.e[k]);
    }
    for (uint32_t i = 0; i < count; i++) apply(c, &all[i]);
    return fired;
}

// Values of an instance's expression for its dirty elements.
static double *evaluate(Call *c, uint32_t inst) {
    DirtyList *l = &c->dirty[inst];
    list_sort(l);
    double *v = NEW(&c->tmp, double, l->n + 1);
    ProgSel sel = elements_sel(l);
    prog_run(&c->r->insts[inst].expr, &c->run, &sel, v, NULL);
    return v;
}

static void look_when(Call *c, uint32_t inst, uint32_t elem, double v) {
    uint8_t *truth = state_u8(c, c->l->insts[inst].truth) + elem;
    if (!(v == v) || *truth == (uint8_t)v) return;
    *truth = (uint8_t)v;
    fire(c, inst, elem, v == 0);
}

// Definitions in order, then conditions and rates of events.
static void look_again(Call *c) {
    for (uint32_t i = 0; i < c->r->inst_count; i++) {
        const RatesInst *in = &c->r->insts[i];
        DirtyList *l = &c->dirty[i];
        if (l->n == 0) continue;
        if (in->kind == SAY_RATE || in->kind == SAY_EVERY || in->kind == SAY_INITIALLY ||
            (in->kind == SAY_AT_RATE && in->flows)) {
            l->n = 0;
            continue;
        }
        double *v = evaluate(c, i);
        uint32_t n = l->n, *e = l->e;
        *l = (DirtyList){0};
        for (uint32_t k = 0; k < n; k++) {
            if (in->kind == SAY_ALWAYS) set_cell(c, in->role, e[k], v[k]);
            else if (in->kind == SAY_WHEN) look_when(c, i, e[k], v[k]);
            else hazard_rate(c, i, e[k], v[k]);
        }
    }
}

static uint32_t first_firing(const Call *c) {
    for (uint32_t i = 0; i < c->r->inst_count; i++) {
        if (c->fires[i].n) return i;
    }
    return NONE;
}

// Problems of which something moved begin anew, once each.
static void restart_all(Call *c) {
    const Rates *r = c->r;
    DirtyList slots = {0};
    list_sort(&c->restart);
    for (uint32_t i = 0; i < c->restart.n; i++) {
        uint32_t twin = c->restart.e[i] / c->lanes, lane = c->restart.e[i] % c->lanes, s = r->system_of[twin];
        if (s == NONE) continue;
        uint32_t slot = r->systems[s].cohort ? r->place_of[twin] * c->lanes + lane : lane;
        list_push(c, &slots, c->l->systems[s].base + slot);
    }
    list_sort(&slots);
    for (uint32_t i = 0, s = 0; i < slots.n; i++) {
        while (slots.e[i] - c->l->systems[s].base >= c->l->systems[s].slots) s++;
        flow_restart(c, s, slots.e[i] - c->l->systems[s].base, c->t);
        flow_say(c, s, slots.e[i] - c->l->systems[s].base);
    }
    c->restart.n = 0;
}

static int settle(Call *c) {
    for (int round = 0;; round++) {
        uint32_t inst = first_firing(c);
        if (inst != NONE && round > ROUNDS) {
            return rates_fail(c, inst, c->fires[inst].e[0] / 2 / c->lanes, "it fires again and again in one instant");
        }
        uint32_t fired = run_fires(c);
        look_again(c);
        if (fired == 0 && first_firing(c) == NONE) break;
    }
    restart_all(c);
    return c->failed ? -1 : 0;
}

// ---- what is due ----------------------------------------------------------------------------------------------------

// When it fires first: of `at`, when the world's clock comes there.
static double every_first(const Call *c, const RatesInst *in) {
    if (!in->span_ns) return in->from;
    int64_t wait = (in->at_ns - sim_week_ns(*c->c->epoch_ns)) % in->span_ns;
    return (double)(wait < 0 ? wait + in->span_ns : wait) / 1e9;
}

static double every_at(const Call *c, uint32_t inst, uint32_t lane) {
    const RatesInst *in = &c->r->insts[inst];
    const double *next = state_f64(c, c->l->insts[inst].next);
    return next[c->lanes] + next[lane] * in->every;
}

static void fire_rows(Call *c, uint32_t inst, uint32_t lane) {
    const RatesInst *in = &c->r->insts[inst];
    for (uint32_t i = 0; i < in->row_count; i++) fire(c, inst, (in->rows ? in->rows[i] : i) * c->lanes + lane, false);
}

static void due_every(Call *c, uint32_t inst) {
    for (uint32_t lane = 0; lane < c->lanes; lane++) {
        if (!(c->c->lane_mask >> lane & 1) || every_at(c, inst, lane) > c->t) continue;
        state_f64(c, c->l->insts[inst].next)[lane]++;
        fire_rows(c, inst, lane);
    }
}

static void due_hazards(Call *c, uint32_t inst) {
    const InstState *s = &c->l->insts[inst];
    uint32_t rows = s->elems / c->lanes;
    const double *due = state_f64(c, s->due);
    for (uint32_t lane = 0; lane < c->lanes; lane++) {
        if (!(c->c->lane_mask >> lane & 1)) continue;
        for (uint32_t b = 0; b < s->blocks; b++) {
            if (state_f64(c, s->least)[(size_t)lane * s->blocks + b] > c->t) continue;
            for (uint32_t i = b * DUE_BLOCK; i < rows && i < (b + 1) * DUE_BLOCK; i++) {
                if (due[i * c->lanes + lane] <= c->t) fire(c, inst, i * c->lanes + lane, false);
            }
        }
    }
}

// A problem's own event: look at its conditions, and fire its hazards that came to their threshold.
static int due_slot(Call *c, uint32_t system, uint32_t slot) {
    const RatesSystem *s = &c->r->systems[system];
    for (uint32_t i = 0; i < s->when_count + s->rate_count; i++) {
        const RatesPart *p = i < s->when_count ? &s->whens[i] : &s->rates[i - s->when_count];
        const RatesInst *in = &c->r->insts[p->inst];
        if (in->kind == SAY_RATE) continue;
        for (uint32_t k = 0; k < (s->cohort ? 1 : p->count); k++) {
            uint32_t row = s->cohort ? p->first + slot / c->lanes : p->rows ? p->rows[k] : p->first + k;
            uint32_t elem = row * c->lanes + slot % c->lanes;
            if (in->kind == SAY_WHEN) list_push(c, &c->dirty[p->inst], elem);
            else if (flow_hidden(c, system, p, slot, s->cohort ? 0 : k, c->t) >=
                     state_f64(c, c->l->insts[p->inst].goal)[elem]) {
                fire(c, p->inst, elem, false);
                flow_set_hidden(c, system, p, slot, s->cohort ? 0 : k, 0);
                list_push(c, &c->restart, (c->r->graph->table_first[in->table] + row) * c->lanes + slot % c->lanes);
            }
        }
    }
    flow_say(c, system, slot);
    return flow_done(c, system, slot, c->t);
}

static int due_systems(Call *c) {
    for (uint32_t s = 0; s < c->r->system_count; s++) {
        if (!c->l->systems[s].events) continue;
        uint32_t *slots = NEW(&c->tmp, uint32_t, c->l->systems[s].slots);
        uint32_t n = flow_due(c, s, c->t, c->c->lane_mask, slots);
        for (uint32_t i = 0; i < n; i++) {
            if (due_slot(c, s, slots[i])) return -1;
        }
    }
    return 0;
}

static int due_all(Call *c) {
    for (uint32_t i = 0; i < c->l->clocked_count; i++) {
        uint32_t inst = c->l->clocked[i];
        if (c->r->insts[inst].kind == SAY_EVERY) due_every(c, inst);
        else due_hazards(c, inst);
    }
    return due_systems(c);
}

// ---- the engine -----------------------------------------------------------------------------------------------------

static void set_up(Call *c) {
    const Rates *r = c->r;
    double *symbol = state_f64(c, c->l->symbols);
    for (uint32_t i = 0; i < r->text_count; i++) symbol[i] = c->c->symbol(c->c, r->texts[i].p, (size_t)r->texts[i].n);
    for (uint32_t i = 0; i < r->inst_count; i++) {
        const InstState *s = &c->l->insts[i];
        const RatesInst *in = &r->insts[i];
        if (in->kind == SAY_WHEN) memset(state_u8(c, s->truth), 2, s->elems);
        if (in->kind == SAY_EVERY) state_f64(c, s->next)[c->lanes] = every_first(c, in);
        if (in->kind != SAY_AT_RATE) continue;
        for (uint32_t k = 0; k < s->elems; k++) {
            state_f64(c, s->goal)[k] = new_goal(c, i, k);
            if (!in->flows) state_f64(c, s->due)[k] = INFINITY;
        }
        for (uint32_t k = 0; !in->flows && k < s->blocks * c->lanes; k++) state_f64(c, s->least)[k] = INFINITY;
    }
    for (uint32_t i = 0; i < r->system_count; i++) {
        for (uint32_t w = 0; w < c->l->systems[i].slots; w++) flow_restart(c, i, w, c->t);
    }
}

static void keep_shadows(const Call *c) {
    for (uint32_t i = 0; i < c->r->shadow_count; i++) {
        uint32_t role = c->l->shadow_role[i];
        memcpy(state_f64(c, c->l->shadows[i]), c->c->col[role].v, (size_t)c->r->roles[role].rows * c->lanes * 8);
    }
}

static int init(sim_ctx *ctx, sim_time t) {
    Call c = call_begin(ctx, t);
    call_run(&c);
    set_up(&c);
    keep_shadows(&c);
    for (uint32_t i = 0; i < c.r->inst_count; i++) {
        const RatesInst *in = &c.r->insts[i];
        for (uint32_t k = 0; k < in->row_count; k++) {
            for (uint32_t lane = 0; lane < c.lanes; lane++) {
                uint32_t elem = (in->rows ? in->rows[k] : k) * c.lanes + lane;
                if (in->kind == SAY_INITIALLY) fire(&c, i, elem, false);
                else soil(&c, i, elem);
            }
        }
    }
    // What is said initially stands before any condition is looked at.
    run_fires(&c);
    int end = settle(&c);
    if (end == 0) tally_init(&c);
    call_end(&c);
    return end;
}

static int react(sim_ctx *ctx, sim_time t, const sim_delta *moved, uint32_t n) {
    Call c = call_begin(ctx, t);
    call_run(&c);
    tally_close(&c);
    int end = due_all(&c);
    for (uint32_t i = 0; i < n && end == 0; i++) {
        for (uint32_t k = 0; k < moved[i].n; k++) {
            for (uint32_t lane = 0; lane < c.lanes; lane++) {
                if ((moved[i].lane_mask & ctx->lane_mask) >> lane & 1)
                    moved_cell(&c, moved[i].col, moved[i].rows[k] * c.lanes + lane);
            }
        }
    }
    if (end == 0) end = settle(&c);
    if (end == 0) tally_look(&c);
    call_end(&c);
    return end;
}

static double clocked_next(const Call *c, uint32_t inst, uint32_t lane) {
    const InstState *s = &c->l->insts[inst];
    double first = INFINITY;
    if (c->r->insts[inst].kind == SAY_EVERY) return every_at(c, inst, lane);
    const double *least = state_f64(c, s->least) + (size_t)lane * s->blocks;
    for (uint32_t b = 0; b < s->blocks; b++) first = least[b] < first ? least[b] : first;
    return first;
}

static sim_time next(const sim_ctx *ctx) {
    Call c = {
        .c = (sim_ctx *)(uintptr_t)ctx, .r = ctx->config, .l = ctx->plan, .state = ctx->state, .lanes = ctx->lanes};
    double first = flow_next(&c, ctx->lane_mask);
    for (uint32_t i = 0; i < c.l->clocked_count; i++) {
        for (uint32_t lane = 0; lane < c.lanes; lane++) {
            if (!(ctx->lane_mask >> lane & 1)) continue;
            double at = clocked_next(&c, c.l->clocked[i], lane);
            first = at < first ? at : first;
        }
    }
    return first;
}

static int advance(sim_ctx *ctx, sim_time to, sim_time *reached) {
    Call c = call_begin(ctx, to);
    call_run(&c);
    int end = flow_advance(&c, to, reached);
    if (end == 0) keep_shadows(&c);
    call_end(&c);
    return end;
}

const sim_engine RATES_ENGINE = {
    .abi = SOSIA_ENGINE_ABI,
    .name = "rates",
    .doc = "behaviours by expression: rates, definitions, events",
    .caps = SIM_CAN_LANES | SIM_ROOTS,
    .plan = plan,
    .plan_free = plan_free,
    .state_size = state_size,
    .init = init,
    .next = next,
    .advance = advance,
    .react = react,
};
