// SPDX-License-Identifier: Apache-2.0
// Observations one after the other: moments without keeping them, confidence intervals of their mean, quantiles of
// those that were kept. Folded in one order they give the same bits. Any thread.
#pragma once
#include <stdint.h>

typedef struct Moments {
    uint64_t n;
    double mean, m2; // sum of squares of distances from the mean
    double min, max; // of n > 0
} Moments;

// One more; NaN counts for nothing. Method: Welford 1962, Technometrics 4(3).
void moments_add(Moments *t, double x);
// As if those of `o` had been added. Method: Chan, Golub, LeVeque 1979, STAN-CS-79-773.
void moments_merge(Moments *t, const Moments *o);
// Sample variance; NAN below two.
double moments_variance(const Moments *t);
// Half the width of the interval that holds the true mean with probability `level` (0.95), of independent observations
// that are about normal: t * s / sqrt(n). NAN below two.
double moments_half(const Moments *t, double level);
// Observations after which the half width is likely no more than `half`, judged by those there are; at least n, at most
// `most`. Method: Law 2015, Simulation Modeling and Analysis, 9.4.1.
uint64_t moments_needed(const Moments *t, double level, double half, uint64_t most);

// Student's t with df > 0 degrees of freedom: P(T <= t), and the t of a probability in (0, 1). To about 1e-13, 1e-12.
double student_cdf(double t, double df);
double student_quantile(double p, double df);
// Regularised incomplete beta function I_x(a, b), a and b > 0, x in [0, 1]. Method: DLMF 8.17.22, continued fraction.
double beta_part(double a, double b, double x);

// Quantile p in [0, 1] of n ascending values; between two of them linear. NAN of none. Definition 7 of Hyndman and Fan
// 1996, The American Statistician 50(4).
double quantile_of(const double *ascending, int64_t n, double p);
