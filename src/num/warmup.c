// SPDX-License-Identifier: Apache-2.0
#include "num/warmup.h"
#include <math.h>
#include "base/check.h"

enum { TAIL = 5 }; // batches at the end that are never cut off from

static double batch_mean(const double *x, int64_t k) {
    double sum = 0;
    for (int64_t i = 0; i < WARMUP_BATCH; i++) sum += x[k * WARMUP_BATCH + i];
    return sum / WARMUP_BATCH;
}

// Moments of what is left are gathered from the end on (Welford 1962).
Warmup warmup_mser5(const double *x, int64_t n) {
    int64_t batches = n / WARMUP_BATCH;
    Warmup w = {.statistic = (double)NAN};
    double mean = 0, m2 = 0;
    CHECK(n >= 0);
    if (batches < WARMUP_BATCHES_MIN) return w;
    for (int64_t d = batches - 1; d >= 0; d--) {
        double count = (double)(batches - d), y = batch_mean(x, d), off = y - mean;
        mean += off / count;
        m2 += off * (y - mean);
        double statistic = m2 / (count * count);
        if (batches - d < TAIL || statistic > w.statistic) continue;
        w.statistic = statistic;
        w.cut = d * WARMUP_BATCH;
    }
    w.settled = 2 * w.cut <= batches * WARMUP_BATCH;
    return w;
}
