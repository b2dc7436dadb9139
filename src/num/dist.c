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

// In pairs of pairs: a third of the latency of Horner's scheme.
static double polynomial(const double *a, double x) {
    double x2 = x * x;
    return (a[0] + a[1] * x) + (a[2] + a[3] * x) * x2 + ((a[4] + a[5] * x) + (a[6] + a[7] * x) * x2) * (x2 * x2);
}

static double ratio(const double *a, const double *b, double x) { return polynomial(a, x) / polynomial(b, x); }

double dist_normal_quantile(double p) {
    static const double a[8] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                                1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                                3.3430575583588128105e4, 2.5090809287301226727e3};
    static const double b[8] = {1,
                                4.2313330701600911252e1,
                                6.8718700749205790830e2,
                                5.3941960214247511077e3,
                                2.1213794301586595867e4,
                                3.9307895800092710610e4,
                                2.8729085735721942674e4,
                                5.2264952788528545610e3};
    static const double c[8] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                                3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                                2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[8] = {1,
                                2.05319162663775882187e0,
                                1.67638483018380384940e0,
                                6.89767334985100004550e-1,
                                1.48103976427480074590e-1,
                                1.51986665636164571966e-2,
                                5.47593808499534494600e-4,
                                1.05075007164441684324e-9};
    static const double e[8] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                                2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[8] = {1,
                                5.99832206555887937690e-1,
                                1.36929880922735805310e-1,
                                1.48753612908506148525e-2,
                                7.86869131145613259100e-4,
                                1.84631831751005468180e-5,
                                1.42151175831644588870e-7,
                                2.04426310338993978564e-15};
    double q = p - 0.5;
    if (fabs(q) <= 0.425) return q * ratio(a, b, 0.180625 - q * q);
    double r = sqrt(-log(q < 0 ? p : 1 - p));
    double x = r <= 5 ? ratio(c, d, r - 1.6) : ratio(e, f, r - 5);
    return q < 0 ? -x : x;
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
