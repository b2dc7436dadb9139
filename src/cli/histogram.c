// SPDX-License-Identifier: Apache-2.0
#include "cli/histogram.h"

// Values below 32 have a bucket each; above, the five bits behind the leading one choose it.
static int32_t bucket_of(int64_t value) {
    uint64_t v = value < 0 ? 0 : (uint64_t)value;
    if (v < 32) return (int32_t)v;
    int32_t shift = 63 - __builtin_clzll(v) - 5;
    return (shift + 1) * 32 + (int32_t)(v >> shift & 31);
}

static int64_t bucket_top(int32_t bucket) {
    if (bucket < 32) return bucket;
    int32_t shift = bucket / 32 - 1;
    return (int64_t)((((uint64_t)(32 + bucket % 32) + 1) << shift) - 1);
}

void histogram_add(Histogram *h, int64_t value) {
    h->buckets[bucket_of(value)]++;
    h->count++;
}

void histogram_merge(Histogram *h, const Histogram *other) {
    for (int32_t i = 0; i < HISTOGRAM_BUCKETS; i++) h->buckets[i] += other->buckets[i];
    h->count += other->count;
}

int64_t histogram_quantile(const Histogram *h, double q) {
    int64_t rank = (int64_t)(q * (double)h->count), seen = 0;
    if (rank >= h->count) rank = h->count - 1;
    for (int32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > rank) return bucket_top(i);
    }
    return 0;
}
