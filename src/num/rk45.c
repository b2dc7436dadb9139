// SPDX-License-Identifier: Apache-2.0
// A step of all lanes: stages by loops over [component][lane]; a lane that is done, or not asked, has h = 0 in them, so
// its stages are its own y and nothing of it is kept.
#include "num/rk45.h"
#include <math.h>
#include <string.h>
#include "num/wide.h"

#define RK_SAFETY 0.9
#define RK_BETA 0.04
#define RK_SHRINK 0.2
#define RK_GROW 10.0
#define RK_STIFF 15         // so many steps in a row beyond the region of stability
#define RK_STIFF_LIMIT 3.25 // h * eigenvalue there, for this method

enum { K1, K2, K3, K4, K5, K6, K7, KS };

static size_t align8(size_t n) { return (n + 7) & ~(size_t)7; }

size_t rk45_size(int32_t n, int32_t lanes) {
    size_t w = (size_t)lanes, m = (size_t)n * w;
    return 8 * (4 * w + 7 * m) + 2 * align8(4 * w) + align8(w);
}

Rk45 rk45_at(void *block, int32_t n, int32_t lanes) {
    size_t w = (size_t)lanes, m = (size_t)n * w;
    double *p = block;
    Rk45 s = {.n = n, .lanes = lanes, .t = p, .t0 = p + w, .h = p + 2 * w, .err = p + 3 * w, .y = p + 4 * w};
    s.k = s.y + m;
    s.dense = s.k + m;
    char *b = (char *)(s.dense + 5 * m);
    s.stiff = (int32_t *)(void *)b;
    s.steps = (int32_t *)(void *)(b + align8(4 * w));
    s.fresh = (uint8_t *)(b + 2 * align8(4 * w));
    return s;
}

// Work of one call.
typedef struct Work {
    double *k[KS];     // clean rates of the stages; k[K1] too
    double *raw;       // k7 as it came
    double *yt, *y1;   // stage values; the step's end
    double *y6;        // the sixth stage's
    double *t, *h;     // [lanes] stage times; step sizes, 0: idle
    double *err;       // [lanes]
    double *num, *den; // [lanes] of the test of stiffness
    uint8_t *on;       // [lanes] still without an accepted step
    uint8_t *again;    // [lanes] rejected before in this call
    uint8_t *rest;     // [n * lanes]
} Work;

size_t rk45_scratch(int32_t n, int32_t lanes) {
    size_t w = (size_t)lanes, m = (size_t)n * w;
    return 8 * (11 * m + 5 * w) + 2 * align8(w) + align8(m);
}

static Work work_at(void *scratch, int32_t n, int32_t lanes) {
    size_t w = (size_t)lanes, m = (size_t)n * w;
    double *p = scratch;
    Work x;
    for (int i = 0; i < KS; i++, p += m) x.k[i] = p;
    x.raw = p;
    x.yt = p + m;
    x.y1 = p + 2 * m;
    x.y6 = p + 3 * m;
    p += 4 * m;
    x.t = p;
    x.h = p + w;
    x.err = p + 2 * w;
    x.num = p + 3 * w;
    x.den = p + 4 * w;
    x.on = (uint8_t *)(p + 5 * w);
    x.again = x.on + align8(w);
    x.rest = x.again + align8(w);
    return x;
}

void rk45_begin(Rk45 *s, int32_t lane, double t) {
    s->t[lane] = s->t0[lane] = t;
    s->h[lane] = 0;
    s->err[lane] = 1e-4;
    s->fresh[lane] = 1;
    s->stiff[lane] = 0;
}

bool rk45_is_stiff(const Rk45 *s, int32_t lane) { return s->stiff[lane] >= RK_STIFF; }

// ---- loops ----------------------------------------------------------------------------------------------------------

// out = y + h * (sum of a[j] * k[j]), j < terms. One lane is a plain vector.
#define STAGE(NAME, SUM)                                                                                               \
    WIDE static void NAME(size_t n, size_t lanes, const double *h, const double *restrict y, double *const *k,         \
                          double *restrict out) {                                                                      \
        const double *restrict k1 = k[K1], *restrict k2 = k[K2], *restrict k3 = k[K3], *restrict k4 = k[K4];           \
        const double *restrict k5 = k[K5], *restrict k6 = k[K6];                                                       \
        (void)k2, (void)k3, (void)k4, (void)k5, (void)k6;                                                              \
        if (lanes == 1) {                                                                                              \
            double hh = h[0];                                                                                          \
            for (size_t j = 0; j < n; j++) out[j] = y[j] + hh * (SUM);                                                 \
            return;                                                                                                    \
        }                                                                                                              \
        for (size_t i = 0; i < n; i++) {                                                                               \
            for (size_t w = 0; w < lanes; w++) {                                                                       \
                size_t j = i * lanes + w;                                                                              \
                out[j] = y[j] + h[w] * (SUM);                                                                          \
            }                                                                                                          \
        }                                                                                                              \
    }

STAGE(stage2, 0.2 * k1[j])
STAGE(stage3, 3.0 / 40 * k1[j] + 9.0 / 40 * k2[j])
STAGE(stage4, 44.0 / 45 * k1[j] - 56.0 / 15 * k2[j] + 32.0 / 9 * k3[j])
STAGE(stage5, 19372.0 / 6561 * k1[j] - 25360.0 / 2187 * k2[j] + 64448.0 / 6561 * k3[j] - 212.0 / 729 * k4[j])
STAGE(stage6,
      9017.0 / 3168 * k1[j] - 355.0 / 33 * k2[j] + 46732.0 / 5247 * k3[j] + 49.0 / 176 * k4[j] - 5103.0 / 18656 * k5[j])
STAGE(stage7,
      35.0 / 384 * k1[j] + 500.0 / 1113 * k3[j] + 125.0 / 192 * k4[j] - 2187.0 / 6784 * k5[j] + 11.0 / 84 * k6[j])

// err[w] = the largest component of the difference of both orders, in units of the tolerance; NaN stays.
WIDE static void measure(size_t n, size_t lanes, const RkOptions *o, const double *h, const double *y, const Work *x) {
    const double *restrict k1 = x->k[K1], *restrict k3 = x->k[K3], *restrict k4 = x->k[K4], *restrict k5 = x->k[K5];
    const double *restrict k6 = x->k[K6], *restrict k7 = x->k[K7], *restrict y1 = x->y1;
    double *restrict err = x->err, atol = o->atol, rtol = o->rtol;
    for (size_t w = 0; w < lanes; w++) err[w] = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t w = 0; w < lanes; w++) {
            size_t j = i * lanes + w;
            double e = h[w] * (71.0 / 57600 * k1[j] - 71.0 / 16695 * k3[j] + 71.0 / 1920 * k4[j] -
                               17253.0 / 339200 * k5[j] + 22.0 / 525 * k6[j] - 1.0 / 40 * k7[j]);
            double a = fabs(y[j]), b = fabs(y1[j]), big = a > b ? a : b;
            double r = fabs(e) / (atol + rtol * big);
            r = y[j] == y[j] ? r : 0;          // without a value: at rest
            err[w] = r <= err[w] ? err[w] : r; // NaN wins over any number
            err[w] = err[w] == err[w] ? err[w] : INFINITY;
        }
    }
}

// Squares of k7 - k6 and y1 - y6: their quotient is an estimate of the largest eigenvalue.
WIDE static void eigen(size_t n, size_t lanes, const Work *x) {
    const double *restrict k6 = x->k[K6], *restrict k7 = x->k[K7], *restrict y1 = x->y1, *restrict y6 = x->y6;
    double *restrict num = x->num, *restrict den = x->den;
    for (size_t w = 0; w < lanes; w++) num[w] = den[w] = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t w = 0; w < lanes; w++) {
            size_t j = i * lanes + w;
            double a = k7[j] - k6[j], b = y1[j] - y6[j];
            num[w] += a * a;
            den[w] += b * b;
        }
    }
}

// The five arrays of the dense output; all of a lane or nothing.
WIDE static void keep_dense(size_t n, size_t lanes, const uint8_t *ok, const double *h, const double *y, const Work *x,
                            double *dense) {
    const double *restrict k1 = x->k[K1], *restrict k3 = x->k[K3], *restrict k4 = x->k[K4], *restrict k5 = x->k[K5];
    const double *restrict k6 = x->k[K6], *restrict k7 = x->k[K7], *restrict y1 = x->y1;
    size_t m = n * lanes;
    double *restrict r1 = dense, *restrict r2 = dense + m, *restrict r3 = dense + 2 * m, *restrict r4 = dense + 3 * m;
    double *restrict r5 = dense + 4 * m;
    for (size_t i = 0; i < n; i++) {
        for (size_t w = 0; w < lanes; w++) {
            size_t j = i * lanes + w;
            double d = y1[j] - y[j], b = h[w] * k1[j] - d;
            double e = h[w] * (-12715105075.0 / 11282082432.0 * k1[j] + 87487479700.0 / 32700410799.0 * k3[j] -
                               10690763975.0 / 1880347072.0 * k4[j] + 701980252875.0 / 199316789632.0 * k5[j] -
                               1453857185.0 / 822651844.0 * k6[j] + 69997945.0 / 29380423.0 * k7[j]);
            bool on = ok[w];
            r1[j] = on ? y[j] : r1[j];
            r2[j] = on ? d : r2[j];
            r3[j] = on ? b : r3[j];
            r4[j] = on ? d - h[w] * k7[j] - b : r4[j];
            r5[j] = on ? e : r5[j];
        }
    }
}

static inline double dense_value(const double *d, size_t m, double th) {
    double c = 1 - th;
    return d[0] + th * (d[m] + c * (d[2 * m] + th * (d[3 * m] + c * d[4 * m])));
}

void rk45_dense(const Rk45 *s, const double *t, const uint8_t *mask, double *out) {
    size_t w1 = (size_t)s->lanes, m = (size_t)s->n * w1;
    for (size_t w = 0; w < w1; w++) {
        if (mask && !mask[w]) continue;
        bool end = t[w] == s->t[w];
        double th = end ? 1 : (t[w] - s->t0[w]) / (s->t[w] - s->t0[w]);
        for (size_t j = w; j < m; j += w1) out[j] = end ? s->y[j] : dense_value(s->dense + j, m, th);
    }
}

void rk45_dense_lane(const Rk45 *s, int32_t lane, double t, double *out, int32_t stride) {
    size_t w = (size_t)lane, w1 = (size_t)s->lanes, m = (size_t)s->n * w1, at = 0;
    bool end = t == s->t[w];
    double th = end ? 1 : (t - s->t0[w]) / (s->t[w] - s->t0[w]);
    for (size_t j = w; j < m; j += w1, at += (size_t)stride) out[at] = end ? s->y[j] : dense_value(s->dense + j, m, th);
}

// ---- a step ---------------------------------------------------------------------------------------------------------

typedef struct Call {
    Rk45 *s;
    const RkOptions *o;
    RkRates rates;
    void *ctx;
    Work x;
    bool rests; // of any component
} Call;

static void ask(Call *c, double frac, const double *y, double *dy) {
    for (int32_t w = 0; w < c->s->lanes; w++) c->x.t[w] = c->s->t[w] + frac * c->x.h[w];
    c->rates(c->ctx, c->x.t, y, dy, c->x.on);
}

// Components that rest have no rate in any stage.
static void quiet(Call *c, double *k) {
    size_t m = (size_t)c->s->n * (size_t)c->s->lanes;
    if (!c->rests) return;
    for (size_t j = 0; j < m; j++) k[j] = c->x.rest[j] ? 0 : k[j];
}

// Rates at the start of lanes that begin.
static void first_rates(Call *c) {
    Rk45 *s = c->s;
    size_t n = (size_t)s->n, w1 = (size_t)s->lanes;
    bool any = false;
    for (size_t w = 0; w < w1; w++) {
        c->x.h[w] = 0;
        any = any || (c->x.on[w] && s->fresh[w]);
    }
    if (!any) return;
    ask(c, 0, s->y, c->x.raw);
    for (size_t w = 0; w < w1; w++) {
        if (!c->x.on[w] || !s->fresh[w]) continue;
        for (size_t i = 0; i < n; i++) s->k[i * w1 + w] = c->x.raw[i * w1 + w];
    }
}

// k1 without the NaN of those that rest.
static void clean_first(Call *c) {
    size_t m = (size_t)c->s->n * (size_t)c->s->lanes;
    c->rests = false;
    for (size_t j = 0; j < m; j++) {
        double k = c->s->k[j];
        bool rest = !(k == k);
        c->x.rest[j] = rest;
        c->rests |= rest;
        c->x.k[K1][j] = rest ? 0 : k;
    }
}

#define FIRST_STEP 1e-12 // of the time: not so short that it can hardly be told from it

// Hairer's starting step, II.4: from the sizes of y, y' and a difference of y'.
static void first_step(Call *c) {
    Rk45 *s = c->s;
    size_t n = (size_t)s->n, w1 = (size_t)s->lanes;
    bool any = false;
    for (size_t w = 0; w < w1; w++) {
        c->x.h[w] = 0;
        if (!c->x.on[w] || s->h[w] > 0) continue;
        double d0 = 0, d1 = 0;
        for (size_t i = 0; i < n; i++) {
            size_t j = i * w1 + w;
            double sc = c->o->atol + c->o->rtol * fabs(s->y[j]);
            d0 = fmax(d0, fabs(s->y[j]) / sc); // fmax: not NaN
            d1 = fmax(d1, fabs(c->x.k[K1][j]) / sc);
        }
        c->x.h[w] = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1;
        c->x.h[w] = fmax(c->x.h[w], FIRST_STEP * fabs(s->t[w])); // a state may be 0 but for rounding
        if (c->o->h_max > 0 && c->x.h[w] > c->o->h_max) c->x.h[w] = c->o->h_max;
        c->x.num[w] = d1;
        any = true;
    }
    if (!any) return;
    stage2(n, w1, c->x.h, s->y, c->x.k, c->x.yt); // 0.2 of it is as good
    ask(c, 0.2, c->x.yt, c->x.k[K2]);
    quiet(c, c->x.k[K2]);
    for (size_t w = 0; w < w1; w++) {
        if (c->x.h[w] == 0) continue;
        double d2 = 0, d1 = c->x.num[w];
        for (size_t i = 0; i < n; i++) {
            size_t j = i * w1 + w;
            double sc = c->o->atol + c->o->rtol * fabs(s->y[j]);
            d2 = fmax(d2, fabs(c->x.k[K2][j] - c->x.k[K1][j]) / sc / (0.2 * c->x.h[w]));
        }
        double most = fmax(d1, d2);
        double h1 = most <= 1e-15 ? fmax(1e-6, c->x.h[w] * 1e-3) : pow(0.01 / most, 0.2);
        s->h[w] = fmin(100 * c->x.h[w], h1);
    }
}

// Step sizes of this attempt; a lane whose step ends at a kink, or near it, goes there.
static void sizes(Call *c, const double *stop, uint8_t *end) {
    Rk45 *s = c->s;
    for (int32_t w = 0; w < s->lanes; w++) {
        c->x.h[w] = 0;
        if (!c->x.on[w]) continue;
        double h = s->h[w], left = stop ? stop[w] - s->t[w] : INFINITY;
        if (c->o->h_max > 0 && h > c->o->h_max) h = c->o->h_max;
        if (h < 16 * 2.220446049250313e-16 * fabs(s->t[w]) || h < 1e-300) {
            end[w] = RK_SMALL;
            c->x.on[w] = 0;
            continue;
        }
        if (1.01 * h >= left) h = left;
        c->x.h[w] = h;
    }
}

static void stages(Call *c) {
    Rk45 *s = c->s;
    Work *x = &c->x;
    size_t n = (size_t)s->n, w1 = (size_t)s->lanes;
    stage2(n, w1, x->h, s->y, x->k, x->yt);
    ask(c, 0.2, x->yt, x->k[K2]);
    quiet(c, x->k[K2]);
    stage3(n, w1, x->h, s->y, x->k, x->yt);
    ask(c, 0.3, x->yt, x->k[K3]);
    quiet(c, x->k[K3]);
    stage4(n, w1, x->h, s->y, x->k, x->yt);
    ask(c, 0.8, x->yt, x->k[K4]);
    quiet(c, x->k[K4]);
    stage5(n, w1, x->h, s->y, x->k, x->yt);
    ask(c, 8.0 / 9, x->yt, x->k[K5]);
    quiet(c, x->k[K5]);
    stage6(n, w1, x->h, s->y, x->k, x->y6);
    ask(c, 1, x->y6, x->k[K6]);
    quiet(c, x->k[K6]);
    stage7(n, w1, x->h, s->y, x->k, x->y1);
    ask(c, 1, x->y1, x->raw);
    memcpy(x->k[K7], x->raw, n * w1 * sizeof *x->raw);
    quiet(c, x->k[K7]);
}

// Does the accepted step look as if only stability kept it small?
static void watch_stiffness(Call *c, int32_t w) {
    int32_t *seen = &c->s->stiff[w];
    double den = c->x.den[w];
    bool looks = den > 0 && c->x.h[w] * c->x.h[w] * c->x.num[w] > RK_STIFF_LIMIT * RK_STIFF_LIMIT * den;
    if (looks) *seen += *seen < RK_STIFF;
    else if (*seen < RK_STIFF) *seen = *seen > 3 ? *seen - 3 : 0;
}

// Accept or reject; the next size either way.
static void judge(Call *c, uint8_t *ok) {
    Rk45 *s = c->s;
    Work *x = &c->x;
    for (int32_t w = 0; w < s->lanes; w++) {
        ok[w] = 0;
        if (!x->on[w]) continue;
        double e = x->err[w];
        if (e <= 1) {
            double f = pow(e > 1e-10 ? e : 1e-10, 0.2 - RK_BETA * 0.75) / pow(s->err[w], RK_BETA) / RK_SAFETY;
            f = f < 1 / RK_GROW ? 1 / RK_GROW : f > 1 / RK_SHRINK ? 1 / RK_SHRINK : f;
            double next = x->h[w] / f;
            if (x->again[w] && next > x->h[w]) next = x->h[w];
            // A step cut at a kink says little of the size that is right.
            s->h[w] = x->h[w] < s->h[w] && e < 1 && next < s->h[w] && !x->again[w] ? s->h[w] : next;
            s->err[w] = e > 1e-4 ? e : 1e-4;
            ok[w] = 1;
        } else {
            double f = e < 1e30 ? pow(e, 0.2 - RK_BETA * 0.75) / RK_SAFETY : 1 / RK_SHRINK;
            s->h[w] = x->h[w] / (f > 1 / RK_SHRINK ? 1 / RK_SHRINK : f);
            x->again[w] = 1;
        }
    }
}

static void accept(Call *c, const uint8_t *ok, const double *stop) {
    Rk45 *s = c->s;
    Work *x = &c->x;
    size_t n = (size_t)s->n, w1 = (size_t)s->lanes, m = n * w1;
    keep_dense(n, w1, ok, x->h, s->y, x, s->dense);
    eigen(n, w1, x);
    for (size_t w = 0; w < w1; w++) {
        if (!ok[w]) continue;
        watch_stiffness(c, (int32_t)w);
        s->t0[w] = s->t[w];
        s->t[w] = stop && x->h[w] == stop[w] - s->t[w] ? stop[w] : s->t[w] + x->h[w];
        s->steps[w]++;
        s->fresh[w] = 0;
        x->on[w] = 0;
        for (size_t j = w; j < m; j += w1) {
            s->y[j] = x->y1[j];
            s->k[j] = x->raw[j];
        }
    }
}

void rk45_step(Rk45 *s, const RkOptions *o, RkRates rates, void *ctx, const uint8_t *mask, const double *stop,
               uint8_t *end, void *scratch) {
    Call c = {.s = s, .o = o, .rates = rates, .ctx = ctx, .x = work_at(scratch, s->n, s->lanes)};
    size_t w1 = (size_t)s->lanes;
    memset(c.x.again, 0, w1);
    for (size_t w = 0; w < w1; w++) {
        c.x.on[w] = mask[w];
        if (mask[w]) end[w] = RK_OK;
    }
    first_rates(&c);
    clean_first(&c);
    first_step(&c);
    for (;;) {
        bool any = false;
        sizes(&c, stop, end);
        for (size_t w = 0; w < w1; w++) any = any || c.x.on[w];
        if (!any) return;
        stages(&c);
        measure((size_t)s->n, w1, o, c.x.h, s->y, &c.x);
        uint8_t *good = (uint8_t *)c.x.t; // stage times are done with
        judge(&c, good);
        accept(&c, good, stop);
    }
}
