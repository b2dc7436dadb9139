// SPDX-License-Identifier: Apache-2.0
// Dist: distributions drawn from words of a counter-based generator. The same words give the same values on every
// machine with one mathematical library. One thread a source.
#pragma once
#include <stdint.h>

// Where words come from: four for every counter.
typedef struct DistWords {
    void (*four)(void *ctx, uint64_t counter, uint32_t out[4]);
    void *ctx;
    uint64_t counter; // of the next four
    uint32_t word[4];
    int32_t left; // unread of them
} DistWords;

// In (0, 1), 53 bits, never an end.
double dist_unit(DistWords *w);
// In [low, high); low when they are equal.
double dist_uniform(DistWords *w, double low, double high);
// Method: Box and Muller 1958.
double dist_normal(DistWords *w, double mean, double sd);
// The standard normal value below which p of all are, p in (0, 1), to about 1e-16 of it. Method: Wichura 1988, "The
// percentage points of the normal distribution", AS 241, PPND16.
double dist_normal_quantile(double p);
// Mean > 0. Method: inversion.
double dist_exponential(DistWords *w, double mean);
// Exact, mean >= 0 (0 gives 0); NaN beyond 1e15. Methods: below 10 products of uniforms (Knuth, TAOCP 2, 3.4.1 F);
// else PTRS, Hormann 1993, "The transformed rejection method for generating Poisson random variables".
double dist_poisson(DistWords *w, double mean);
