// SPDX-License-Identifier: Apache-2.0
// Stiff problems by CVODE, one at a time. A run begins anew, goes some steps and leaves them as polynomials of degree
// four in a queue in the state, in the form of the dense output of Rk45; so nothing outlives a call but bytes, and
// conditions, looks and histories do not know which method it was.
//
//   queue: u64 pieces left | u64 next | end[most] | dense[most][5][n] | rate at the last end[n]
#include <math.h>
#include <string.h>
#include "base/check.h"
#include "base/mem.h"
#include "num/cvode.h"
#include "sim/rates.h"

#define STIFF_STEPS 100     // of one run, for few unknowns
#define STIFF_VALUES 100000 // unknowns times steps of one run

static int32_t steps_of(uint32_t n) {
    int64_t most = STIFF_VALUES / (int64_t)n;
    return most > STIFF_STEPS ? STIFF_STEPS : most < 8 ? 8 : (int32_t)most;
}

static size_t queue_size(uint32_t n) {
    size_t most = (size_t)steps_of(n);
    return (16 + 8 * most * (1 + 5 * (size_t)n) + 63) & ~(size_t)63;
}

typedef struct Queue {
    uint64_t *left, *next;
    double *end, *dense;
} Queue;

static Queue queue_at(const Call *c, uint64_t at, uint32_t n) {
    uint64_t *head = state_at(c, at);
    double *end = (double *)(void *)(head + 2);
    return (Queue){.left = head, .next = head + 1, .end = end, .dense = end + steps_of(n)};
}

// The slot's queue, made at the end of the state when it has none.
static Queue queue_of(Flow *f, uint32_t slot) {
    Call *c = f->c;
    uint64_t *at = (uint64_t *)state_at(c, f->at->queue) + slot;
    if (*at == 0) {
        size_t old = c->c->state_size;
        c->state = c->c->resize(c->c, old + queue_size(f->s->n));
        c->run.symbol = state_f64(c, c->l->symbols);
        for (uint32_t i = 0; i < c->r->shadow_count; i++) c->shadow[i] = state_f64(c, c->l->shadows[i]);
        f->rk = flow_rk(c, f->number);
        at = (uint64_t *)state_at(c, f->at->queue) + slot;
        *at = old;
    }
    return queue_at(c, *at, f->s->n);
}

// ---- a run ----------------------------------------------------------------------------------------------------------

typedef struct Run {
    Flow *f;
    uint32_t slot;
    const uint8_t *rest;
} Run;

static int rates(void *ctx, double t, const double *y, double *dy) {
    Run *r = ctx;
    flow_rates_slot(r->f, r->slot, t, y, dy);
    for (uint32_t i = 0; i < r->f->s->n; i++) {
        if (r->rest[i]) dy[i] = 0;
    }
    return 0;
}

// A piece's coefficients (in u = (t - end) / h, from -1 to 0) as dense output (in th = 1 + u).
static void convert(const double *coef, uint32_t n, double *dense) {
    for (uint32_t i = 0; i < n; i++) {
        double v[3], slope[2]; // at th = 0, 1/2, 1; derivatives at 0 and 1
        for (int k = 0; k < 3; k++) {
            double u = -1 + 0.5 * k, x = 0;
            for (int j = CVODE_ORDER; j >= 0; j--) x = x * u + coef[(size_t)j * n + i];
            v[k] = x;
        }
        for (int k = 0; k < 2; k++) {
            double u = -1 + k, x = 0;
            for (int j = CVODE_ORDER; j >= 1; j--) x = x * u + j * coef[(size_t)j * n + i];
            slope[k] = x;
        }
        double r1 = v[0], r2 = v[2] - v[0], r3 = slope[0] - r2, r4 = r2 - r3 - slope[1];
        dense[i] = r1;
        dense[n + i] = r2;
        dense[2 * n + i] = r3;
        dense[3 * n + i] = r4;
        dense[4 * n + i] = 16 * (v[1] - r1 - r2 / 2 - r3 / 4 - r4 / 8);
    }
}

static int run(Flow *f, uint32_t slot, double stop, Queue *q) {
    Call *c = f->c;
    uint32_t n = f->s->n;
    int32_t most = steps_of(n);
    const RatesOptions *o = &c->r->options;
    double *y = NEW(&c->tmp, double, n), *dy = NEW(&c->tmp, double, n);
    double *coef = mem_alloc((size_t)most * (CVODE_ORDER + 1) * n * sizeof *coef);
    uint8_t *rest = NEW(&c->tmp, uint8_t, n);
    for (uint32_t i = 0; i < n; i++) y[i] = f->rk.y[(size_t)i * f->slots + slot];
    flow_rates_slot(f, slot, f->rk.t[slot], y, dy);
    for (uint32_t i = 0; i < n; i++) {
        rest[i] = !(dy[i] == dy[i]);
        if (!(y[i] == y[i])) y[i] = 0; // without a value: nothing looks at it
    }
    Run r = {.f = f, .slot = slot, .rest = rest};
    double h_max = o->step_max_s;
    if (f->s->delay_least < INFINITY && (h_max == 0 || f->s->delay_least < h_max)) h_max = f->s->delay_least;
    // Interpolants of lower order than the formulas: a tenth of the tolerance.
    CvodeProblem p = {.n = (int32_t)n, .rtol = o->rtol / 10, .atol = o->atol / 10, .h_max = h_max, .order_max = 4};
    p.rates = rates;
    p.ctx = &r;
    const char *why;
    if (f->s->delay_least < INFINITY) most = 1; // each step looks at the one before
    int32_t count = cvode_run(&p, f->rk.t[slot], y, stop, most, q->end, coef, &why);
    for (int32_t i = 0; i < count; i++)
        convert(coef + (size_t)i * (CVODE_ORDER + 1) * n, n, q->dense + (size_t)i * 5 * n);
    mem_free(coef);
    *q->left = count > 0 ? (uint64_t)count : 0;
    *q->next = 0;
    if (count > 0) return 0;
    const RatesPart *part = &f->s->rates[0];
    uint32_t row = f->s->cohort ? part->first + slot / c->lanes : part->rows ? part->rows[0] : part->first;
    return rates_fail(c, part->inst, row, "%s (at %.9g s)", why, f->rk.t[slot]);
}

int stiff_step(Flow *f, uint32_t slot, double stop) {
    uint32_t n = f->s->n;
    Queue q = queue_of(f, slot);
    if (*q.left == 0 && run(f, slot, stop, &q)) return -1;
    size_t m = (size_t)n * f->slots;
    const double *d = q.dense + *q.next * 5 * n;
    for (uint32_t i = 0; i < n; i++) {
        size_t j = (size_t)i * f->slots + slot;
        bool none = !(f->rk.y[j] == f->rk.y[j]);
        for (size_t k = 0; k < 5; k++) f->rk.dense[k * m + j] = none ? (double)NAN : d[k * n + i];
        f->rk.y[j] = f->rk.dense[j] + f->rk.dense[m + j];
    }
    f->rk.t0[slot] = f->rk.t[slot];
    f->rk.t[slot] = q.end[*q.next];
    f->rk.h[slot] = f->rk.t[slot] - f->rk.t0[slot];
    f->rk.steps[slot]++;
    f->rk.fresh[slot] = 1;
    ++*q.next;
    --*q.left;
    return 0;
}
