// SPDX-License-Identifier: Apache-2.0
#include "num/moments.h"
#include <math.h>
#include <stdbool.h>
#include "num/root.h"

void moments_add(Moments *t, double x) {
    if (isnan(x)) return;
    if (!t->n || x < t->min) t->min = x;
    if (!t->n || x > t->max) t->max = x;
    double d = x - t->mean;
    t->n++;
    t->mean += d / (double)t->n;
    t->m2 += d * (x - t->mean);
}

void moments_merge(Moments *t, const Moments *o) {
    if (!o->n) return;
    if (!t->n) {
        *t = *o;
        return;
    }
    double n = (double)t->n, m = (double)o->n, d = o->mean - t->mean;
    t->n += o->n;
    t->mean += d * m / (n + m);
    t->m2 += o->m2 + d * d * n * m / (n + m);
    t->min = fmin(t->min, o->min);
    t->max = fmax(t->max, o->max);
}

double moments_variance(const Moments *t) { return t->n < 2 ? NAN : t->m2 / (double)(t->n - 1); }

double moments_half(const Moments *t, double level) {
    if (t->n < 2) return NAN;
    double n = (double)t->n;
    return student_quantile((1 + level) / 2, n - 1) * sqrt(moments_variance(t) / n);
}

uint64_t moments_needed(const Moments *t, double level, double half, uint64_t most) {
    double s2 = moments_variance(t);
    if (isnan(s2)) return most;
    uint64_t low = t->n, high = most > low ? most : low;
    while (low < high) { // least n with t(n - 1) * s / sqrt(n) <= half
        uint64_t n = low + (high - low) / 2;
        double q = student_quantile((1 + level) / 2, (double)(n - 1));
        if (q * sqrt(s2 / (double)n) <= half) high = n;
        else low = n + 1;
    }
    return low;
}

// The continued fraction of DLMF 8.17.22 by the modified method of Lentz.
static double beta_fraction(double a, double b, double x) {
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m <= 10000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (int k = 0; k < 2; k++) {
            double e = k ? odd : even;
            d = 1 + e * d;
            c = 1 + e / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            h *= d * c;
        }
        if (fabs(d * c - 1) < 1e-16) break;
    }
    return h;
}

// Of x > 0. lgamma() tells the sign in a variable that all threads share.
static double log_gamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

double beta_part(double a, double b, double x) {
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    bool near = x < (a + 1) / (a + b + 2); // where the fraction converges fast
    return near ? front * beta_fraction(a, b, x) / a : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double student_cdf(double t, double df) {
    double x = t * t, tail;
    // The smaller of both arguments, so that neither loses its digits.
    if (x < df) tail = 1 - beta_part(0.5, df / 2, x / (df + x));
    else tail = beta_part(df / 2, 0.5, df / (df + x));
    return t < 0 ? tail / 2 : 1 - tail / 2;
}

typedef struct Sought {
    double p, df;
} Sought;

static double too_low(void *ctx, double t) {
    const Sought *s = ctx;
    return student_cdf(t, s->df) - s->p;
}

double student_quantile(double p, double df) {
    if (!(p > 0 && p < 1)) return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
    if (p < 0.5) return -student_quantile(1 - p, df);
    if (p == 0.5) return 0;
    Sought s = {p, df};
    double lo = 0, hi = 2;
    while (too_low(&s, hi) < 0 && hi < 1e300) hi *= 2;
    root_narrow(too_low, &s, &lo, 0.5 - p, &hi, too_low(&s, hi), hi * 1e-15);
    return (lo + hi) / 2;
}

double quantile_of(const double *ascending, int64_t n, double p) {
    if (n <= 0) return NAN;
    double at = p * (double)(n - 1), low = floor(at);
    int64_t k = (int64_t)low;
    if (k >= n - 1) return ascending[n - 1];
    return ascending[k] + (at - low) * (ascending[k + 1] - ascending[k]);
}
