// SPDX-License-Identifier: Apache-2.0
// Latencies in logarithmic buckets: 32 to the octave, so a quantile is right within 3 %. One thread fills it.
#pragma once
#include <stdint.h>

#define HISTOGRAM_BUCKETS (64 * 32)

typedef struct Histogram {
    int64_t buckets[HISTOGRAM_BUCKETS];
    int64_t count;
} Histogram;

// Count one value >= 0.
void histogram_add(Histogram *h, int64_t value);
// Add another's counts.
void histogram_merge(Histogram *h, const Histogram *other);
// The value below which the share q (0..1) of all lies, rounded up to its bucket; 0 when empty.
int64_t histogram_quantile(const Histogram *h, double q);
