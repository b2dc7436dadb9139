// SPDX-License-Identifier: Apache-2.0
// Cvode: backward differentiation formulas of variable order for stiff problems, by SUNDIALS CVODE (BSD-3), which is
// looked for when it is first needed: without the library everything else works. A run begins anew each time and gives
// its steps as pieces of polynomials, so nothing of the library lives on between calls. Any thread; calls are
// independent.
//
// Source: Hindmarsh et al. 2005, "SUNDIALS: Suite of nonlinear and differential/algebraic equation solvers", ACM TOMS
// 31(3); CVODE 6 (SUNContext). Dense direct solver up to CVODE_DENSE_MAX unknowns, matrix-free SPGMR beyond.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CVODE_ORDER 5       // of the formulas at most: a piece has CVODE_ORDER + 1 coefficients a component
#define CVODE_DENSE_MAX 300 // unknowns, beyond which no matrix is made

typedef struct CvodeProblem {
    int32_t n;
    double rtol, atol, h_max; // h_max 0: none
    int order_max;            // 0: CVODE_ORDER
    // 0: done; 1: not defined here (a smaller step is tried)
    int (*rates)(void *ctx, double t, const double *y, double *dy);
    void *ctx;
} CvodeProblem;

// Is the library there, in a version that fits? *why: what is missing, static memory.
bool cvode_found(const char **why);
// Up to `most` steps from (t0, y0), never beyond `stop`.
//   ends   out [most]: where each step ends
//   coef   out [most][CVODE_ORDER + 1][n]: within the step of size h = ends[i] - (i ? ends[i-1] : t0) that ends at e,
//          y(t) = sum of coef[j] * ((t - e) / h)^j
// Returns how many steps; < 0: it could not go on from t0 (*why says so, static memory).
int32_t cvode_run(const CvodeProblem *p, double t0, const double *y0, double stop, int32_t most, double *ends,
                  double *coef, const char **why);
