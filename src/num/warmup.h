// SPDX-License-Identifier: Apache-2.0
// When a series of observations has settled: MSER-5. Pure functions; any thread.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { WARMUP_BATCH = 5, WARMUP_BATCHES_MIN = 10 };

typedef struct Warmup {
    int64_t cut;      // observations to leave out, a multiple of WARMUP_BATCH
    double statistic; // of what is left: its smallest; NAN with too few
    bool settled;     // cut is in the first half: else the series is too short to say
} Warmup;

// The cut that makes the marginal standard error of the rest smallest: over means of WARMUP_BATCH observations,
// sum of squared deviations from their mean / count^2. x: n observations, or their means over replications; what is
// over a whole batch at the end counts for nothing. Fewer than WARMUP_BATCHES_MIN batches: not settled.
// Method: White 1997, "An effective truncation heuristic for bias reduction in simulation output"; in batches of five
// (MSER-5) White, Cobb and Spratt 2000. As Hoad, Robinson and Davies 2010 ("Automating warm-up length estimation")
// advise, the last five batches are not cut, a cut in the second half says that there are too few data, and series are
// better means over some replications. Of equal ones the first. Cost: O(n).
Warmup warmup_mser5(const double *x, int64_t n);
