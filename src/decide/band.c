// SPDX-License-Identifier: Apache-2.0
#include "decide/band.h"
#include <math.h>
#include <stdlib.h>
#include "base/check.h"
#include "num/moments.h"

#define BAND_LOW 0.05
#define BAND_HIGH 0.95
// Courses are kept as floats: a value that differs from its prediction by less than that is the same.
static const double slack = 1e-6;

static int ascending(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return a < b ? -1 : a > b;
}

// One instant, from the replications that know it. False: none does.
static bool add_instant(const BandAsk *ask, int32_t instant, double *known, DecisionWatch *w) {
    const float *v = ask->course + instant * ask->stride;
    Moments m = {0};
    int32_t n = 0;
    for (int32_t r = 0; r < ask->replications; r++)
        if (isfinite(v[r])) known[n++] = (double)v[r];
    if (!n) return false;
    for (int32_t r = 0; r < n; r++) moments_add(&m, known[r]); // in the order of replications
    qsort(known, (size_t)n, sizeof *known, ascending);
    w->times[w->count] = instant * ask->step_ns;
    w->low[w->count] = quantile_of(known, n, BAND_LOW);
    w->high[w->count] = quantile_of(known, n, BAND_HIGH);
    w->mean[w->count++] = m.mean;
    return true;
}

void band_make(const BandAsk *ask, Arena *a, DecisionWatch *out) {
    CHECK(ask->step_ns > 0 && ask->replications > 0);
    CHECK(ask->patience > 0);
    int64_t last = ask->for_ns / ask->step_ns;
    if (last > ask->instants - 1) last = ask->instants - 1;
    int32_t n = last > 0 ? (int32_t)last : 0, stride = (n + DECISION_INSTANTS_MAX - 1) / DECISION_INSTANTS_MAX;
    DecisionWatch w = {.kpi = ask->kpi, .unit = ask->unit, .patience = ask->patience, .margin = ask->margin};
    double *known = NEW(a, double, ask->replications);
    int32_t most = n ? n / stride : 0;
    w.until_ns = ask->for_ns;
    w.times = NEW(a, int64_t, most + 1);
    w.low = NEW(a, double, most + 1);
    w.high = NEW(a, double, most + 1);
    w.mean = NEW(a, double, most + 1);
    w.seen = NEW(a, double, most + 1);
    for (int32_t i = 1; i <= most; i++) (void)add_instant(ask, i * stride, known, &w);
    *out = w;
}

void band_begin(DecisionWatch *w, int64_t begin_ns) {
    CHECK(!w->begin_ns && !w->seen_count);
    w->begin_ns = begin_ns;
    w->until_ns += begin_ns;
    for (int32_t i = 0; i < w->count; i++) w->times[i] += begin_ns;
}

int64_t band_next(const DecisionWatch *w) { return w->seen_count < w->count ? w->times[w->seen_count] : INT64_MAX; }

static bool inside(const DecisionWatch *w, int32_t i, double value) {
    double more = w->margin + slack * fmax(fabs(w->low[i]), fabs(w->high[i]));
    return value >= w->low[i] - more && value <= w->high[i] + more; // NaN is not
}

BandVerdict band_see(DecisionWatch *w, double value) {
    CHECK(w->seen_count < w->count);
    int32_t i = w->seen_count++;
    w->seen[i] = value;
    w->outside = inside(w, i, value) ? 0 : w->outside + 1;
    if (w->outside >= w->patience && !w->left_ns) w->left_ns = w->times[i];
    return band_verdict(w);
}

BandVerdict band_verdict(const DecisionWatch *w) {
    if (w->left_ns) return BAND_LEFT;
    return w->seen_count < w->count ? BAND_WATCHING : BAND_KEPT;
}
