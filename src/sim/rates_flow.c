// SPDX-License-Identifier: Apache-2.0
// Motion: systems step over their own natural steps, and columns show the dense output where somebody looks.
//
// Events of one problem bound all others, and a problem keeps its last step only. So motion goes window by window: what
// lies at the window's start is kept, all go on to its end, and when an event turns up within it they go back and come
// again up to the event. Steps do not depend on where they are looked at, so they come again the same.
#include <math.h>
#include <string.h>
#include "base/check.h"
#include "base/mem.h"
#include "num/cvode.h"
#include "sim/rates.h"

#define IDLE_STEP 60.0 // s: conditions on the time alone are looked at four times in that
#define CLOSE 1e-9     // events nearer than that are close
#define CLOSE_MAX 50   // so many close to each other are no good

Rk45 flow_rk(const Call *c, uint32_t system) {
    return rk45_at(c->state + c->l->systems[system].rk, (int32_t)c->r->systems[system].n,
                   (int32_t)c->l->systems[system].slots);
}

static RatesInst *inst_of(const Flow *f, const RatesPart *p) { return &f->c->r->insts[p->inst]; }

// ---- columns --------------------------------------------------------------------------------------------------------

ProgSel flow_part_sel(const Flow *f, const RatesPart *p) {
    uint32_t lanes = f->c->lanes;
    return (ProgSel){.first = p->first * lanes, .n = p->count * lanes, .rows = p->rows, .lane = -1};
}

ProgSel flow_slot_sel(const Flow *f, const RatesPart *p, uint32_t slot) {
    uint32_t lanes = f->c->lanes;
    if (f->s->cohort) return (ProgSel){.first = p->first + slot / lanes, .n = 1, .lane = (int16_t)(slot % lanes)};
    return (ProgSel){.first = p->first, .n = p->count, .rows = p->rows, .lane = (int16_t)slot};
}

// Where a part's unknowns lie among those of all slots: by position of its elements.
static size_t part_offset(const Flow *f, const RatesPart *p) {
    return (size_t)p->at * (f->s->cohort ? f->slots : f->c->lanes);
}

static ProgRun system_run(const Flow *f, const double *t) {
    ProgRun run = f->c->run;
    run.t = t;
    run.t_each = f->s->cohort;
    return run;
}

ProgRun flow_slot_run(const Flow *f, uint32_t slot, double *t) {
    ProgRun run = f->c->run;
    for (int i = 0; i < SIM_LANES_MAX; i++) t[i] = t[0];
    (void)slot;
    run.t = t;
    return run;
}

// States into their columns.
static void put_states(const Flow *f, const double *y) {
    for (uint32_t i = 0; i < f->s->rate_count; i++) {
        const RatesPart *p = &f->s->rates[i];
        const RatesInst *in = inst_of(f, p);
        if (in->kind != SAY_RATE) continue;
        double *v = f->c->c->col[in->role].v;
        const double *from = y + part_offset(f, p);
        uint32_t lanes = f->c->lanes;
        if (!p->rows) {
            memcpy(v + (size_t)p->first * lanes, from, (size_t)p->count * lanes * sizeof *v);
            continue;
        }
        for (uint32_t k = 0; k < p->count; k++)
            memcpy(v + (size_t)p->rows[k] * lanes, from + k * lanes, lanes * sizeof *v);
    }
}

static void put_definitions(const Flow *f, const double *t) {
    ProgRun run = system_run(f, t);
    for (uint32_t i = 0; i < f->s->def_count; i++) {
        ProgSel sel = flow_part_sel(f, &f->s->defs[i]);
        const RatesInst *in = inst_of(f, &f->s->defs[i]);
        prog_run(&in->expr, &run, &sel, NULL, f->c->c->col[in->role].v);
    }
}

void flow_put(const Flow *f, const double *y, const double *t) {
    put_states(f, y);
    put_definitions(f, t);
}

static void rates(void *ctx, const double *t, const double *y, double *dy, const uint8_t *mask) {
    Flow *f = ctx;
    ProgRun run = system_run(f, t);
    (void)mask;
    flow_put(f, y, t);
    for (uint32_t i = 0; i < f->s->rate_count; i++) {
        const RatesPart *p = &f->s->rates[i];
        ProgSel sel = flow_part_sel(f, p);
        double *out = dy + part_offset(f, p);
        prog_run(&inst_of(f, p)->expr, &run, &sel, out, NULL);
        if (inst_of(f, p)->kind != SAY_AT_RATE) continue;
        for (uint32_t k = 0; k < sel.n; k++) out[k] = out[k] > 0 ? out[k] : 0; // undefined: nothing happens
    }
    size_t m = (size_t)f->s->n * f->slots;
    for (size_t j = 0; j < m; j++) dy[j] = y[j] == y[j] ? dy[j] : (double)NAN;
}

void flow_show_slot(Flow *f, uint32_t slot, double t, const double *y) {
    double at[SIM_LANES_MAX] = {t};
    ProgRun run = flow_slot_run(f, slot, at);
    for (uint32_t i = 0; i < f->s->rate_count; i++) {
        const RatesPart *p = &f->s->rates[i];
        ProgSel sel = flow_slot_sel(f, p, slot);
        uint32_t elem;
        if (inst_of(f, p)->kind != SAY_RATE) continue;
        for (uint32_t k = 0; k < sel.n; k++) {
            prog_elements(&sel, f->c->lanes, k, 1, &elem);
            f->c->c->col[inst_of(f, p)->role].v[elem] = y[flow_unknown(p, k)];
        }
    }
    for (uint32_t i = 0; i < f->s->def_count; i++) {
        ProgSel sel = flow_slot_sel(f, &f->s->defs[i], slot);
        const RatesInst *in = inst_of(f, &f->s->defs[i]);
        prog_run(&in->expr, &run, &sel, NULL, f->c->c->col[in->role].v);
    }
}

void flow_rates_slot(Flow *f, uint32_t slot, double t, const double *y, double *dy) {
    double at[SIM_LANES_MAX] = {t};
    flow_show_slot(f, slot, t, y);
    ProgRun run = flow_slot_run(f, slot, at);
    for (uint32_t i = 0; i < f->s->rate_count; i++) {
        const RatesPart *p = &f->s->rates[i];
        ProgSel sel = flow_slot_sel(f, p, slot);
        double *out = dy + flow_unknown(p, 0);
        prog_run(&inst_of(f, p)->expr, &run, &sel, out, NULL);
        for (uint32_t k = 0; inst_of(f, p)->kind == SAY_AT_RATE && k < sel.n; k++) out[k] = out[k] > 0 ? out[k] : 0;
    }
    for (uint32_t j = 0; j < f->s->n; j++) dy[j] = y[j] == y[j] ? dy[j] : (double)NAN;
}

// ---- problems -------------------------------------------------------------------------------------------------------

static size_t hidden_at(const Call *c, uint32_t system, const RatesPart *p, uint32_t slot, uint32_t k) {
    return (size_t)flow_unknown(p, k) * c->l->systems[system].slots + slot;
}

double flow_hidden(const Call *c, uint32_t system, const RatesPart *p, uint32_t slot, uint32_t k, double t) {
    Rk45 rk = flow_rk(c, system);
    size_t j = hidden_at(c, system, p, slot, k), m = (size_t)rk.n * (size_t)rk.lanes;
    if (t == rk.t[slot]) return rk.y[j];
    double th = (t - rk.t0[slot]) / (rk.t[slot] - rk.t0[slot]), o = 1 - th;
    const double *d = rk.dense + j;
    return d[0] + th * (d[m] + o * (d[2 * m] + th * (d[3 * m] + o * d[4 * m])));
}

void flow_set_hidden(Call *c, uint32_t system, const RatesPart *p, uint32_t slot, uint32_t k, double v) {
    Rk45 rk = flow_rk(c, system);
    size_t j = hidden_at(c, system, p, slot, k), m = (size_t)rk.n * (size_t)rk.lanes;
    rk.y[j] = v; // at any time of the step, until the problem begins anew
    for (size_t i = 0; i < 5; i++) rk.dense[i * m + j] = i == 0 ? v : 0;
}

void flow_restart(Call *c, uint32_t system, uint32_t slot, double t) {
    const RatesSystem *s = &c->r->systems[system];
    const SystemState *at = &c->l->systems[system];
    Rk45 rk = flow_rk(c, system);
    uint32_t lanes = c->lanes, lane = slot % lanes;
    for (uint32_t i = 0; i < s->rate_count; i++) {
        const RatesPart *p = &s->rates[i];
        const RatesInst *in = &c->r->insts[p->inst];
        for (uint32_t k = 0; k < (s->cohort ? 1 : p->count); k++) {
            size_t j = hidden_at(c, system, p, slot, k);
            uint32_t row = s->cohort ? p->first + slot / lanes : p->rows ? p->rows[k] : p->first + k;
            if (in->kind == SAY_RATE) rk.y[j] = c->c->col[in->role].v[row * lanes + lane];
            else rk.y[j] = flow_hidden(c, system, p, slot, k, t);
        }
    }
    delay_cut(c, system, slot, t);
    tally_cut(c, system, slot);
    rk45_begin(&rk, (int32_t)slot, t);
    state_f64(c, at->te)[slot] = INFINITY;
    state_f64(c, at->seen)[slot] = t;
    uint64_t queue = ((uint64_t *)state_at(c, at->queue))[slot];
    if (queue) ((uint64_t *)state_at(c, queue))[0] = 0; // its pieces are of another past
}

static void say_part(Call *c, const RatesSystem *s, const RatesPart *p, uint32_t slot) {
    uint32_t role = c->r->insts[p->inst].role;
    for (uint32_t k = 0; k < (s->cohort ? 1 : p->count); k++) {
        uint32_t row = s->cohort ? p->first + slot / c->lanes : p->rows ? p->rows[k] : p->first + k;
        c->c->touch(c->c, role, row, (uint16_t)(slot % c->lanes));
    }
}

void flow_say(Call *c, uint32_t system, uint32_t slot) {
    const RatesSystem *s = &c->r->systems[system];
    for (uint32_t i = 0; i < s->rate_count; i++) {
        if (c->r->insts[s->rates[i].inst].kind == SAY_RATE) say_part(c, s, &s->rates[i], slot);
    }
    for (uint32_t i = 0; i < s->def_count; i++) say_part(c, s, &s->defs[i], slot);
}

uint32_t flow_due(const Call *c, uint32_t system, double t, uint8_t mask, uint32_t *slots) {
    const SystemState *at = &c->l->systems[system];
    uint32_t n = 0;
    for (uint32_t w = 0; w < at->slots; w++) {
        if (state_f64(c, at->te)[w] == t && (mask >> (w % c->lanes) & 1)) slots[n++] = w;
    }
    return n;
}

// The condition of a problem that came true most often.
static uint32_t busiest(const Call *c, uint32_t system, uint32_t slot, uint32_t *row) {
    const RatesSystem *s = &c->r->systems[system];
    uint32_t best = NONE, most = 0;
    for (uint32_t i = 0; i < s->when_count; i++) {
        const RatesPart *p = &s->whens[i];
        for (uint32_t k = 0; k < (s->cohort ? 1 : p->count); k++) {
            uint32_t r = s->cohort ? p->first + slot / c->lanes : p->rows ? p->rows[k] : p->first + k;
            uint32_t fired = state_u32(c, c->l->insts[p->inst].fired)[r * c->lanes + slot % c->lanes];
            if (best != NONE && fired <= most) continue;
            best = p->inst;
            most = fired;
            *row = r;
        }
    }
    return best;
}

int flow_done(Call *c, uint32_t system, uint32_t slot, double t) {
    const SystemState *at = &c->l->systems[system];
    double *last = &state_f64(c, at->last)[slot];
    uint32_t *close = &state_u32(c, at->close)[slot], row = 0;
    *close = t - *last < CLOSE * (1 + fabs(t)) && *last > 0 ? *close + 1 : 0;
    *last = t;
    state_f64(c, at->seen)[slot] = t;
    state_f64(c, at->te)[slot] = -INFINITY;
    if (*close < CLOSE_MAX) return 0;
    uint32_t inst = busiest(c, system, slot, &row);
    if (inst == NONE) return 0;
    return rates_fail(c, inst, row, "its events come ever closer to each other: time does not go on");
}

double flow_next(const Call *c, uint8_t mask) {
    double first = INFINITY;
    for (uint32_t s = 0; s < c->r->system_count; s++) {
        const SystemState *at = &c->l->systems[s];
        if (!at->events) continue;
        const double *te = state_f64(c, at->te);
        for (uint32_t w = 0; w < at->slots; w++) {
            if (te[w] < first && te[w] > -INFINITY && (mask >> (w % c->lanes) & 1)) first = te[w];
        }
    }
    return first;
}

// ---- steps ----------------------------------------------------------------------------------------------------------

// Scratch of a call, for the largest of its systems.
typedef struct Room {
    double *y, *t, *stop, *truth, *roots;
    void *rk;
    uint8_t *mask, *end;
} Room;

static Room room_for(Call *c) {
    size_t rk = 0, y = 0, w = 0, whens = 0, roots = 0;
    for (uint32_t i = 0; i < c->r->system_count; i++) {
        const RatesSystem *s = &c->r->systems[i];
        size_t slots = c->l->systems[i].slots, m = rk45_scratch((int32_t)s->n, (int32_t)slots), e = 0, k = 0;
        for (uint32_t j = 0; j < s->when_count; j++) {
            e += (size_t)s->whens[j].count * c->lanes;
            k += (size_t)s->whens[j].count * c->lanes * (size_t)c->r->insts[s->whens[j].inst].expr.roots;
        }
        rk = m > rk ? m : rk;
        y = s->n * slots > y ? s->n * slots : y;
        w = slots > w ? slots : w;
        whens = e > whens ? e : whens;
        roots = k > roots ? k : roots;
    }
    Room o = {.y = NEW(&c->tmp, double, y + 1), .t = NEW(&c->tmp, double, w + 8), .stop = NEW(&c->tmp, double, w + 1)};
    o.truth = NEW(&c->tmp, double, 5 * whens + 1);
    o.roots = NEW(&c->tmp, double, 5 * roots + 1);
    o.rk = NEW(&c->tmp, double, rk / 8 + 1);
    o.mask = NEW(&c->tmp, uint8_t, w + 1);
    o.end = NEW(&c->tmp, uint8_t, w + 1);
    return o;
}

static Flow flow_of(Call *c, uint32_t system, const Room *o) {
    Flow f = {.c = c, .number = system, .s = &c->r->systems[system], .at = &c->l->systems[system]};
    f.rk = flow_rk(c, system);
    f.slots = f.at->slots;
    f.y = o->y;
    f.t = o->t;
    f.stop = o->stop;
    f.truth = o->truth;
    f.roots = o->roots;
    f.rk_scratch = o->rk;
    f.mask = o->mask;
    f.end = o->end;
    return f;
}

// The next kink behind t.
static double next_stop(const Flow *f, uint32_t slot, double t) {
    uint32_t lo = 0, hi = f->s->kink_count;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (f->s->kinks[mid] > t) hi = mid;
        else lo = mid + 1;
    }
    double stop = lo < f->s->kink_count ? f->s->kinks[lo] : INFINITY;
    return isinf(f->s->delay_least) ? stop : fmin(stop, delay_kink(f, slot, t));
}

// A problem without unknowns: only the time moves.
static void idle_step(Flow *f, uint32_t slot) {
    double longest = f->c->r->options.step_max_s > 0 ? f->c->r->options.step_max_s : IDLE_STEP;
    double t = f->rk.t[slot], to = t + fmin(longest, f->s->delay_least);
    f->rk.t0[slot] = t;
    f->rk.t[slot] = fmin(to, f->stop[slot]);
    f->rk.fresh[slot] = 0;
}

static int small_step(Flow *f, uint32_t slot) {
    const RatesPart *p = &f->s->rates[0];
    uint32_t row = f->s->cohort ? p->first + slot / f->c->lanes : p->rows ? p->rows[0] : p->first;
    // The state whose rate has no value, or moves most, is to blame.
    double most = -1;
    for (uint32_t i = 0; i < f->s->rate_count; i++) {
        const RatesPart *q = &f->s->rates[i];
        for (uint32_t k = 0; k < (f->s->cohort ? 1 : q->count); k++) {
            double v = fabs(f->rk.k[(size_t)flow_unknown(q, k) * f->slots + slot]);
            if (!(v > most)) continue;
            most = v;
            p = q;
            row = f->s->cohort ? q->first + slot / f->c->lanes : q->rows ? q->rows[k] : q->first + k;
        }
    }
    return rates_fail(f->c, p->inst, row,
                      "steps become too small at %.9g s: the rate has no value, or no bound, just ahead",
                      f->rk.t[slot]);
}

static bool goes_stiff(const Flow *f, uint32_t slot) {
    const RatesOptions *o = &f->c->r->options;
    uint8_t *stiff = state_u8(f->c, f->at->stiff) + slot;
    if (*stiff) return true;
    if (o->solver == RATES_CVODE ||
        (o->solver == RATES_AUTO && rk45_is_stiff(&f->rk, (int32_t)slot) && cvode_found(NULL)))
        *stiff = 1;
    return *stiff;
}

// One step for the slots of f->mask.
static int step(Flow *f) {
    const RatesOptions *o = &f->c->r->options;
    RkOptions rk = {.rtol = o->rtol, .atol = o->atol, .h_max = o->step_max_s};
    if (f->s->delay_least < INFINITY && (rk.h_max == 0 || f->s->delay_least < rk.h_max)) rk.h_max = f->s->delay_least;
    uint8_t *left = NULL;
    for (uint32_t w = 0; w < f->slots; w++) {
        if (!f->mask[w]) continue;
        f->stop[w] = next_stop(f, w, f->rk.t[w]);
        if (f->s->n == 0) idle_step(f, w);
        else if (goes_stiff(f, w)) {
            if (!left) left = NEW(&f->c->tmp, uint8_t, f->slots);
            left[w] = 1;
            if (stiff_step(f, w, f->stop[w])) return -1;
            f->rk = flow_rk(f->c, f->number); // the state may have moved
        }
    }
    if (f->s->n == 0) return 0;
    for (uint32_t w = 0; left && w < f->slots; w++) f->mask[w] = f->mask[w] && !left[w];
    rk45_step(&f->rk, &rk, rates, f, f->mask, f->stop, f->end, f->rk_scratch);
    for (uint32_t w = 0; w < f->slots; w++) {
        if (f->mask[w] && f->end[w] == RK_SMALL) return small_step(f, w);
        if (left && left[w]) f->mask[w] = 1;
    }
    return 0;
}

// Until each slot's step covers `to`, or holds an event.
static int cover(Flow *f, double to) {
    const double *te = state_f64(f->c, f->at->te);
    if (f->s->n == 0 && !f->at->events && isinf(f->s->delay_least)) return 0;
    for (;;) {
        bool any = false;
        for (uint32_t w = 0; w < f->slots; w++) any |= f->mask[w] = te[w] == INFINITY && f->rk.t[w] < to;
        if (!any) return 0;
        if (step(f)) return -1;
        tally_step(f);
        event_find(f, f->mask, true);
        if (f->c->failed) return -1;
        te = state_f64(f->c, f->at->te);
    }
}

// Slots whose event is done with go on in the same step.
static void look_behind(Flow *f) {
    double *te = state_f64(f->c, f->at->te);
    bool any = false;
    for (uint32_t w = 0; w < f->slots; w++) {
        f->mask[w] = te[w] == -INFINITY;
        any |= f->mask[w];
        if (f->mask[w]) te[w] = INFINITY;
    }
    if (any) event_find(f, f->mask, false);
}

static int cover_all(Call *c, const Room *o, double to, bool events) {
    for (uint32_t i = 0; i < c->r->system_count; i++) {
        if (c->l->systems[i].events != events) continue;
        Flow f = flow_of(c, i, o);
        if (cover(&f, to)) return -1;
    }
    return 0;
}

static double first_event(const Call *c) { return flow_next(c, 0xff); }

// Where the next window ends: some steps of the problem that is least far.
static double window_end(const Call *c, double times) {
    double from = INFINITY, h = INFINITY;
    for (uint32_t i = 0; i < c->r->system_count; i++) {
        Rk45 rk = flow_rk(c, i);
        if (!c->l->systems[i].events) continue;
        for (int32_t w = 0; w < rk.lanes; w++) {
            double step = rk.n == 0 ? IDLE_STEP : rk.h[w] > 0 ? rk.h[w] : 1e-3;
            from = fmin(from, rk.t[w]);
            h = fmin(h, step);
        }
    }
    return from + times * h;
}

// All systems with events up to `to` or the first event; *bound: which.
static int move_events(Call *c, const Room *o, double to, double *bound) {
    void *kept = NULL;
    size_t size = 0;
    double times = 8;
    int end = 0;
    for (;;) {
        double until = fmin(fmin(to, first_event(c)), window_end(c, times));
        size = c->c->state_size;
        kept = mem_grow(kept, size - c->l->systems_from + 1);
        memcpy(kept, c->state + c->l->systems_from, size - c->l->systems_from);
        end = cover_all(c, o, until, true);
        double first = first_event(c);
        if (end == 0 && first < until) { // some may have gone beyond it
            if (c->c->state_size != size) c->state = c->c->resize(c->c, size);
            c->run.symbol = state_f64(c, c->l->symbols);
            memcpy(c->state + c->l->systems_from, kept, size - c->l->systems_from);
            tally_back(c);
            end = cover_all(c, o, first, true);
            until = first;
        }
        *bound = until;
        if (end || until >= to || first_event(c) <= until) break;
        times *= 2;
    }
    mem_free(kept);
    return end;
}

// ---- what others see ------------------------------------------------------------------------------------------------

static void show(Flow *f, double t) {
    for (uint32_t w = 0; w < f->slots; w++) f->t[w] = t;
    if (f->s->n > 0) {
        rk45_dense(&f->rk, f->t, NULL, f->y);
        put_states(f, f->y);
    }
    put_definitions(f, f->t);
}

// Values that were told before, of roles that flow.
static double **old_values(Call *c) {
    double **old = NEW(&c->tmp, double *, c->r->role_count + 1);
    for (uint32_t i = 0; i < c->r->role_count; i++) {
        const RatesRole *r = &c->r->roles[i];
        size_t n = (size_t)r->rows * c->lanes;
        if (!r->flows) continue;
        old[i] = mem_alloc(n * sizeof **old + 1);
        memcpy(old[i], c->c->col[i].v, n * sizeof **old);
    }
    return old;
}

static bool row_moved(const double *a, const double *b, uint32_t lanes) {
    for (uint32_t i = 0; i < lanes; i++) {
        if (memcmp(a + i, b + i, sizeof *a) != 0 && (a[i] == a[i] || b[i] == b[i])) return true;
    }
    return false;
}

// Tell which rows are others now, and give the memory back.
static void tell(Call *c, double **old) {
    uint8_t lanes = (uint8_t)((1u << c->lanes) - 1);
    for (uint32_t i = 0; i < c->r->role_count; i++) {
        if (!old[i]) continue;
        const double *v = c->c->col[i].v;
        uint32_t rows = c->r->roles[i].rows, from = 0;
        for (uint32_t k = 0; k <= rows; k++) {
            bool moved = k < rows && row_moved(v + (size_t)k * c->lanes, old[i] + (size_t)k * c->lanes, c->lanes);
            if (moved) continue;
            if (k > from) c->c->touch_rows(c->c, i, from, k - from, lanes);
            from = k + 1;
        }
        mem_free(old[i]);
    }
}

// Lanes that have an instant, or are looked at, where motion ends.
static uint8_t ends_at(const Call *c, double to, double reached) {
    uint8_t lanes = reached < to ? 0 : c->c->lane_mask;
    for (uint32_t s = 0; s < c->r->system_count; s++) {
        const SystemState *at = &c->l->systems[s];
        const double *te = state_f64(c, at->te);
        for (uint32_t w = 0; at->events && w < at->slots; w++) {
            if (te[w] == reached) lanes |= (uint8_t)(1u << (w % c->lanes));
        }
    }
    return lanes;
}

// All systems up to `to`, or the first event. What is watched is counted on the way, so that few steps are kept.
static int move_all(Call *c, const Room *room, double to, double *reached, uint8_t *ends) {
    int end = 0;
    for (double goal = -INFINITY; end == 0;) {
        *reached = goal = tally_goal(c, goal, to);
        if (c->l->events) end = move_events(c, room, goal, reached);
        if (end == 0) end = cover_all(c, room, *reached, false);
        bool last = *reached < goal || goal >= to;
        *ends = last ? ends_at(c, to, *reached) : 0;
        if (end == 0) tally_move(c, *reached, *ends);
        if (last) break;
    }
    return end;
}

int flow_advance(Call *c, double to, double *reached) {
    *reached = to;
    tally_begin(c);
    if (c->r->system_count == 0) {
        tally_move(c, to, c->c->lane_mask);
        tally_end(c, to, c->c->lane_mask);
        return 0;
    }
    Room room = room_for(c);
    double **old = old_values(c);
    uint8_t ends = 0;
    int end = 0;
    for (uint32_t i = 0; i < c->r->system_count && c->l->events; i++) {
        Flow f = flow_of(c, i, &room);
        if (f.at->events) look_behind(&f);
    }
    end = move_all(c, &room, to, reached, &ends);
    for (uint32_t i = 0; i < c->r->system_count && end == 0; i++) {
        Flow f = flow_of(c, i, &room);
        show(&f, *reached);
    }
    if (end == 0) tally_end(c, *reached, ends);
    tell(c, old);
    return end;
}
