// SPDX-License-Identifier: Apache-2.0
// Rk45: explicit Runge-Kutta of order 5(4) for many independent initial value problems of one shape side by side.
// Lane w holds y[i * lanes + w]; every lane has its own time and step. Steps are natural: their ends follow from the
// problem and its tolerances alone, never from where somebody wants to look; values in between come from the dense
// output of the last accepted step. What a lane gives does not depend on the other lanes. Any thread; one thread a
// solver.
//
// Method: Dormand and Prince 1980, "A family of embedded Runge-Kutta formulae", J. Comp. Appl. Math. 6, RK5(4)7M;
// dense output, step control (PI: Gustafsson 1991) and the test of stiffness as in Hairer, Norsett, Wanner, "Solving
// Ordinary Differential Equations I", II.4-II.6 and IV.2. The error is measured in the largest of its components,
// each by atol + rtol * |y|.
//
// Undefined rates: a component whose rate is NaN where a step begins rests during that step. A rate that becomes NaN
// within a step makes the step smaller.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The arrays of a solver; all lie in one block without pointers into it, so the block can be copied and moved.
typedef struct Rk45 {
    int32_t n, lanes;
    double *t;      // [lanes] end of the last accepted step: y belongs to it
    double *t0;     // [lanes] its start
    double *h;      // [lanes] size of the next step; 0: not known yet
    double *err;    // [lanes] error of the step before, of 1
    double *y;      // [n * lanes]
    double *k;      // [n * lanes] rates at t; NaN: rests
    double *dense;  // [5][n * lanes] of the last accepted step
    int32_t *stiff; // [lanes] how often of late it looked stiff
    int32_t *steps; // [lanes] accepted
    uint8_t *fresh; // [lanes] k is not known
} Rk45;

typedef struct RkOptions {
    double rtol, atol; // > 0
    double h_max;      // 0: none
} RkOptions;

// Rates at times t[lanes] and values y, for the lanes with mask set; what it writes for others does not matter.
typedef void (*RkRates)(void *ctx, const double *t, const double *y, double *dy, const uint8_t *mask);

typedef enum RkEnd {
    RK_OK,
    RK_SMALL, // the step had to be smaller than time can tell: rates are undefined or without bound here
} RkEnd;

// Bytes of a block and of scratch memory, both 8-byte aligned.
size_t rk45_size(int32_t n, int32_t lanes);
size_t rk45_scratch(int32_t n, int32_t lanes);
// The arrays within a block (zeroed when it is new).
Rk45 rk45_at(void *block, int32_t n, int32_t lanes);
// A lane begins anew at t with what lies in y: no step is known.
void rk45_begin(Rk45 *s, int32_t lane, double t);
// One accepted step for each lane with mask set.
//   stop  [lanes] natural limits (kinks): a step that would pass one ends exactly there; INFINITY: none
//   end   [lanes] out, of lanes with mask set: RK_SMALL leaves the lane where it was
void rk45_step(Rk45 *s, const RkOptions *o, RkRates rates, void *ctx, const uint8_t *mask, const double *stop,
               uint8_t *end, void *scratch);
// Values at times t[lanes], t0 <= t[w] <= s->t, of lanes with mask set (NULL: all); exactly y at the end of the step. A
// lane without a step gives y.
void rk45_dense(const Rk45 *s, const double *t, const uint8_t *mask, double *out);
// The same for one lane: out[i * stride].
void rk45_dense_lane(const Rk45 *s, int32_t lane, double t, double *out, int32_t stride);
// Has the lane looked stiff for so long that an implicit method will be cheaper?
bool rk45_is_stiff(const Rk45 *s, int32_t lane);
