// SPDX-License-Identifier: Apache-2.0
// Events within a step, exactly, and the past for DELAY.
//
// A step is looked at five times. Where a condition changed between two looks, or a comparison in it changed sides, the
// place is narrowed on the dense output: first the comparisons' differences, which are smooth, then, when none of them
// tells, the condition itself. What is found lies behind the change, so the condition is what it has become there.
#include <math.h>
#include <string.h>
#include "base/check.h"
#include "num/root.h"
#include "sim/rates.h"

#define LOOKS 5
#define ROOTS_MAX 64 // comparisons of one condition that are narrowed

// ---- looking at a step ----------------------------------------------------------------------------------------------

static double look_time(const Flow *f, uint32_t slot, int look) {
    const double *seen = state_f64(f->c, f->at->seen);
    double a = fmax(f->rk.t0[slot], seen[slot]), b = f->rk.t[slot];
    return look == LOOKS - 1 ? b : a + (b - a) * (0.25 * look);
}

// One problem, one condition, during narrowing.
typedef struct Probe {
    Flow *f;
    uint32_t slot, k; // k: row number within the part
    const RatesPart *part;
    const RatesInst *in;
    double *y;
    double *roots, *truth;
    int root; // which difference; -1: whether the condition differs from `was`
    uint8_t was;
    // Of a hazard:
    double goal;
} Probe;

static void probe_at(Probe *p, double t) {
    Flow *f = p->f;
    double at[SIM_LANES_MAX] = {t};
    if (f->s->n) rk45_dense_lane(&f->rk, (int32_t)p->slot, t, p->y, 1);
    flow_show_slot(f, p->slot, t, p->y);
    ProgSel sel = flow_slot_sel(f, p->part, p->slot);
    ProgRun run = flow_slot_run(f, p->slot, at);
    run.roots = p->roots;
    prog_run(&p->in->expr, &run, &sel, p->truth, NULL);
}

static bool changed(const Probe *p, double truth) { return truth == truth && (uint8_t)truth != p->was; }

static double probe(void *ctx, double t) {
    Probe *p = ctx;
    probe_at(p, t);
    uint32_t n = p->f->s->cohort ? 1 : p->part->count;
    if (p->root >= 0) return p->roots[(size_t)p->root * n + p->k];
    return changed(p, p->truth[p->k]) ? 1 : -1;
}

static double probe_hazard(void *ctx, double t) {
    Probe *p = ctx;
    return flow_hidden(p->f->c, p->f->number, p->part, p->slot, p->k, t) - p->goal;
}

static double width_of(double a, double b) { return fmax(4 * 2.220446049250313e-16 * fabs(b), 1e-14 * (b - a)); }

// The first time behind a, up to b, at which the condition is another than it was; INFINITY: none was found.
static double narrow(Probe *p, double a, double b, const double *ga, const double *gb, size_t stride,
                     double end_truth) {
    double first = INFINITY;
    for (int k = 0; k < p->in->expr.roots && k < ROOTS_MAX; k++) {
        double x = ga[(size_t)k * stride], y = gb[(size_t)k * stride], lo = a, hi = b;
        if (!(x * y < 0) && !(x != 0 && y == 0)) continue;
        if (x == 0) continue;
        p->root = k;
        root_narrow(probe, p, &lo, x, &hi, y, width_of(a, b));
        probe_at(p, hi);
        if (changed(p, p->truth[p->k]) && hi < first) first = hi;
    }
    if (first < INFINITY || !changed(p, end_truth)) return first;
    double lo = a, hi = b;
    p->root = -1;
    root_narrow(probe, p, &lo, -1, &hi, 1, width_of(a, b));
    return hi;
}

// ---- conditions -----------------------------------------------------------------------------------------------------

// Truth and differences of all conditions at one look, for all slots.
static void look(Flow *f, const uint8_t *mask, int n, size_t elems, size_t roots) {
    ProgRun run = f->c->run;
    for (uint32_t w = 0; w < f->slots; w++) f->t[w] = mask[w] ? look_time(f, w, n) : f->rk.t[w];
    if (f->s->n) rk45_dense(&f->rk, f->t, NULL, f->y);
    flow_put(f, f->y, f->t);
    run.t = f->t;
    run.t_each = f->s->cohort;
    size_t e = (size_t)n * elems, g = (size_t)n * roots;
    for (uint32_t i = 0; i < f->s->when_count; i++) {
        const RatesPart *p = &f->s->whens[i];
        const RatesInst *in = &f->c->r->insts[p->inst];
        ProgSel sel = flow_part_sel(f, p);
        run.roots = f->roots + g;
        prog_run(&in->expr, &run, &sel, f->truth + e, NULL);
        e += sel.n;
        g += (size_t)sel.n * (size_t)in->expr.roots;
    }
}

// Did anything happen between looks i and i + 1 to element `at` of a part whose things begin at e and g?
static bool stirred(const Flow *f, const RatesInst *in, int i, size_t elems, size_t roots, size_t e, size_t g,
                    uint32_t n, uint8_t was) {
    double x = f->truth[(size_t)(i + 1) * elems + e];
    if (x == x && (uint8_t)x != was) return true;
    for (int k = 0; k < in->expr.roots; k++) {
        double a = f->roots[(size_t)i * roots + g + (size_t)k * n],
               b = f->roots[(size_t)(i + 1) * roots + g + (size_t)k * n];
        if (a * b < 0 || (b == 0 && a != 0)) return true;
    }
    return false;
}

static void find_when(Flow *f, const RatesPart *p, uint32_t pos, size_t elems, size_t roots, size_t e, size_t g,
                      Probe *probe_) {
    const RatesInst *in = &f->c->r->insts[p->inst];
    uint32_t lanes = f->c->lanes, slot = f->s->cohort ? pos : pos % lanes, n = p->count * lanes;
    uint32_t row = p->rows ? p->rows[pos / lanes] : p->first + pos / lanes;
    uint8_t was = state_u8(f->c, f->c->l->insts[p->inst].truth)[row * lanes + pos % lanes];
    double *te = &state_f64(f->c, f->at->te)[slot];
    probe_->slot = slot;
    probe_->k = f->s->cohort ? 0 : pos / lanes;
    probe_->part = p;
    probe_->in = in;
    probe_->was = was;
    for (int i = 0; i < LOOKS - 1; i++) {
        double a = look_time(f, slot, i), b = look_time(f, slot, i + 1);
        if (a >= *te) return;
        if (!stirred(f, in, i, elems, roots, e + pos, g + pos, n, was)) continue;
        double at =
            narrow(probe_, a, b, f->roots + (size_t)i * roots + g + pos, f->roots + (size_t)(i + 1) * roots + g + pos,
                   n, f->truth[(size_t)(i + 1) * elems + e + pos]);
        if (at < *te) *te = at;
        if (at < INFINITY) return;
    }
}

static void find_whens(Flow *f, const uint8_t *mask) {
    size_t elems = 0, roots = 0, e = 0, g = 0, most = 1;
    for (uint32_t i = 0; i < f->s->when_count; i++) {
        size_t n = (size_t)f->s->whens[i].count * f->c->lanes;
        size_t r = n * (size_t)f->c->r->insts[f->s->whens[i].inst].expr.roots;
        elems += n;
        roots += r;
        most = r > most ? r : most;
        most = n > most ? n : most;
    }
    if (elems == 0) return;
    for (int i = 0; i < LOOKS; i++) look(f, mask, i, elems, roots);
    Probe p = {.f = f};
    p.y = NEW(&f->c->tmp, double, f->s->n + 1);
    p.roots = NEW(&f->c->tmp, double, most + 1);
    p.truth = NEW(&f->c->tmp, double, most + 1);
    for (uint32_t i = 0; i < f->s->when_count; i++) {
        const RatesPart *part = &f->s->whens[i];
        uint32_t n = part->count * f->c->lanes;
        for (uint32_t pos = 0; pos < n; pos++) {
            if (mask[f->s->cohort ? pos : pos % f->c->lanes]) find_when(f, part, pos, elems, roots, e, g, &p);
        }
        e += n;
        g += (size_t)n * (size_t)f->c->r->insts[part->inst].expr.roots;
    }
}

static void find_hazards(Flow *f, const uint8_t *mask) {
    for (uint32_t i = 0; i < f->s->rate_count; i++) {
        const RatesPart *p = &f->s->rates[i];
        if (f->c->r->insts[p->inst].kind != SAY_AT_RATE) continue;
        const double *goal = state_f64(f->c, f->c->l->insts[p->inst].goal);
        for (uint32_t pos = 0; pos < p->count * f->c->lanes; pos++) {
            uint32_t lanes = f->c->lanes, slot = f->s->cohort ? pos : pos % lanes;
            uint32_t row = p->rows ? p->rows[pos / lanes] : p->first + pos / lanes;
            Probe x = {.f = f, .slot = slot, .k = f->s->cohort ? 0 : pos / lanes, .part = p};
            x.goal = goal[row * lanes + pos % lanes];
            if (!mask[slot]) continue;
            double a = look_time(f, slot, 0), b = f->rk.t[slot], *te = &state_f64(f->c, f->at->te)[slot];
            double ga = probe_hazard(&x, a), gb = probe_hazard(&x, b);
            if (gb < 0) continue;
            if (ga < 0) root_narrow(probe_hazard, &x, &a, ga, &b, gb, width_of(a, b));
            else b = a;
            if (b < *te) *te = b;
        }
    }
}

// ---- the past -------------------------------------------------------------------------------------------------------

static DelayPiece *ring_of(const Call *c, uint32_t delay, uint32_t elem) {
    return (DelayPiece *)(void *)(c->state + c->l->delays[delay].ring) + (size_t)elem * DELAY_PIECES;
}

static uint32_t *ring_count(const Call *c, uint32_t delay, uint32_t elem) {
    return state_u32(c, c->l->delays[delay].count) + elem;
}

// Through five points at equal distances (Lagrange), th in quarters.
static double piece_value(const DelayPiece *p, double t) {
    double x = p->h > 0 ? 4 * (t - p->t0) / p->h : 0;
    const double *v = p->v;
    double a = x, b = x - 1, c = x - 2, d = x - 3, e = x - 4;
    return v[0] * (b * c * d * e) / 24 - v[1] * (a * c * d * e) / 6 + v[2] * (a * b * d * e) / 4 -
           v[3] * (a * b * c * e) / 6 + v[4] * (a * b * c * d) / 24;
}

static double past_value(const Call *c, uint32_t delay, uint32_t elem, double t, double init) {
    const DelayPiece *ring = ring_of(c, delay, elem);
    uint32_t count = *ring_count(c, delay, elem), kept = count < DELAY_PIECES ? count : DELAY_PIECES;
    for (uint32_t i = 0; i < kept; i++) {
        const DelayPiece *p = &ring[(count - 1 - i) % DELAY_PIECES];
        if (t < p->t0) continue;
        double at = t < p->end ? t : p->end;
        return piece_value(p, at);
    }
    if (count <= DELAY_PIECES) return init;
    return (double)NAN; // longer ago than what is kept: delay_push has refused that
}

void flow_delayed(const ProgRun *r, uint32_t delay, const uint32_t *elem, uint32_t pos, uint32_t n, const double *init,
                  double *out) {
    const Call *c = r->ctx;
    double span = c->r->delays[delay].span;
    for (uint32_t i = 0; i < n; i++) {
        double t = r->t_each ? r->t[pos + i] : r->t[elem[i] % c->lanes];
        out[i] = past_value(c, delay, elem[i], t - span, init[i]);
    }
}

static bool in_part(const RatesPart *p, uint32_t inst) { return p->inst == inst; }

static const RatesPart *part_of_inst(const RatesSystem *s, uint32_t inst) {
    for (uint32_t i = 0; i < s->def_count; i++) {
        if (in_part(&s->defs[i], inst)) return &s->defs[i];
    }
    for (uint32_t i = 0; i < s->rate_count; i++) {
        if (in_part(&s->rates[i], inst)) return &s->rates[i];
    }
    for (uint32_t i = 0; i < s->when_count; i++) {
        if (in_part(&s->whens[i], inst)) return &s->whens[i];
    }
    return NULL;
}

// Remember the new step of the slots of mask: five values of each delayed expression.
static void delay_push(Flow *f, const uint8_t *mask) {
    Call *c = f->c;
    for (uint32_t d = 0; d < c->r->delay_count; d++) {
        const RatesPart *p = c->r->delays[d].inst == NONE ? NULL : part_of_inst(f->s, c->r->delays[d].inst);
        if (!p) continue;
        ProgSel sel = flow_part_sel(f, p);
        double *v = NEW(&c->tmp, double, (int64_t)LOOKS *sel.n + 1);
        for (int i = 0; i < LOOKS; i++) {
            for (uint32_t w = 0; w < f->slots; w++) {
                double a = f->rk.t0[w], b = f->rk.t[w];
                f->t[w] = mask[w] && i < LOOKS - 1 ? a + (b - a) * (0.25 * i) : b;
            }
            if (f->s->n) rk45_dense(&f->rk, f->t, NULL, f->y);
            flow_put(f, f->y, f->t);
            ProgRun run = c->run;
            run.t = f->t;
            run.t_each = f->s->cohort;
            prog_run(&c->r->delays[d].value, &run, &sel, v + (size_t)i * sel.n, NULL);
        }
        for (uint32_t pos = 0; pos < sel.n; pos++) {
            uint32_t slot = f->s->cohort ? pos : pos % c->lanes, elem;
            if (!mask[slot]) continue;
            prog_elements(&sel, c->lanes, pos, 1, &elem);
            uint32_t *count = ring_count(c, d, elem);
            double t0 = f->rk.t0[slot], t1 = f->rk.t[slot], jump = *count == 0;
            if (*count) jump = ring_of(c, d, elem)[(*count - 1) % DELAY_PIECES].jump == 2;
            DelayPiece *piece = &ring_of(c, d, elem)[*count % DELAY_PIECES];
            if (*count >= DELAY_PIECES && piece->end > t0 - c->r->delays[d].span) {
                rates_fail(c, c->r->delays[d].inst, elem / c->lanes, "more than %d steps within a DELAY of %g s",
                           DELAY_PIECES, c->r->delays[d].span);
                return;
            }
            *piece = (DelayPiece){.t0 = t0, .h = t1 - t0, .end = t1, .jump = jump};
            for (int i = 0; i < LOOKS; i++) piece->v[i] = v[(size_t)i * sel.n + pos];
            ++*count;
        }
    }
}

void delay_cut(Call *c, uint32_t system, uint32_t slot, double t) {
    const RatesSystem *s = &c->r->systems[system];
    if (isinf(s->delay_least)) return;
    for (uint32_t d = 0; d < c->r->delay_count; d++) {
        const RatesPart *p = c->r->delays[d].inst == NONE ? NULL : part_of_inst(s, c->r->delays[d].inst);
        if (!p) continue;
        for (uint32_t k = 0; k < (s->cohort ? 1 : p->count); k++) {
            uint32_t row = s->cohort ? p->first + slot / c->lanes : p->rows ? p->rows[k] : p->first + k;
            uint32_t elem = row * c->lanes + slot % c->lanes, *count = ring_count(c, d, elem);
            while (*count && ring_of(c, d, elem)[(*count - 1) % DELAY_PIECES].t0 >= t) --*count;
            if (!*count) continue;
            DelayPiece *last = &ring_of(c, d, elem)[(*count - 1) % DELAY_PIECES];
            if (last->end > t) last->end = t;
            last->jump = last->jump == 1 ? 3 : 2; // 2, 3: the piece behind it begins anew
        }
    }
}

double delay_kink(const Flow *f, uint32_t slot, double t) {
    const Call *c = f->c;
    double first = INFINITY;
    for (uint32_t d = 0; d < c->r->delay_count; d++) {
        const RatesPart *p = c->r->delays[d].inst == NONE ? NULL : part_of_inst(f->s, c->r->delays[d].inst);
        double span = c->r->delays[d].span;
        if (!p) continue;
        for (uint32_t k = 0; k < (f->s->cohort ? 1 : p->count); k++) {
            uint32_t row = f->s->cohort ? p->first + slot / c->lanes : p->rows ? p->rows[k] : p->first + k;
            uint32_t elem = row * c->lanes + slot % c->lanes, count = *ring_count(c, d, elem);
            const DelayPiece *ring = ring_of(c, d, elem);
            if (count == 0 && t == 0) first = fmin(first, span);
            for (uint32_t i = 0; i < count && i < DELAY_PIECES; i++) {
                const DelayPiece *x = &ring[(count - 1 - i) % DELAY_PIECES];
                if (x->t0 + span <= t) break;
                bool fresh = x->jump == 1 || x->jump == 3 || x->t0 == 0;
                if (fresh) first = fmin(first, x->t0 + span);
            }
        }
    }
    return first;
}

void event_find(Flow *f, const uint8_t *mask, bool fresh) {
    if (fresh && !isinf(f->s->delay_least)) delay_push(f, mask);
    find_whens(f, mask);
    find_hazards(f, mask);
}
