// SPDX-License-Identifier: Apache-2.0
#include "num/dist.h"
#include <math.h>

static uint32_t word(DistWords *w) {
    if (w->left == 0) {
        w->four(w->ctx, w->counter++, w->word);
        w->left = 4;
    }
    return w->word[4 - w->left--];
}

double dist_unit(DistWords *w) {
    uint64_t hi = word(w), lo = word(w);
    return ((double)((hi << 32 | lo) >> 11) + 0.5) * 0x1p-53;
}

double dist_uniform(DistWords *w, double low, double high) { return low + (high - low) * (dist_unit(w) - 0x1p-54); }

double dist_normal(DistWords *w, double mean, double sd) {
    double u = dist_unit(w), v = dist_unit(w);
    return mean + sd * sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

double dist_exponential(DistWords *w, double mean) { return -mean * log(dist_unit(w)); }

static double poisson_small(DistWords *w, double mean) {
    double floor = exp(-mean), p = dist_unit(w), n = 0;
    for (; p > floor; n++) p *= dist_unit(w);
    return n;
}

static double poisson_large(DistWords *w, double mean) {
    double slam = sqrt(mean), loglam = log(mean), b = 0.931 + 2.53 * slam, a = -0.059 + 0.02483 * b;
    double inv = 1.1239 + 1.1328 / (b - 3.4), vr = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        double u = dist_unit(w) - 0.5, v = dist_unit(w), us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= vr) return k;
        if (k < 0 || (us < 0.013 && v > us)) continue;
        int sign;
        if (log(v) + log(inv) - log(a / (us * us) + b) <= -mean + k * loglam - lgamma_r(k + 1, &sign)) return k;
    }
}

double dist_poisson(DistWords *w, double mean) {
    if (!(mean >= 0) || mean > 1e15) return (double)NAN;
    if (mean == 0) return 0;
    return mean < 10 ? poisson_small(w, mean) : poisson_large(w, mean);
}
