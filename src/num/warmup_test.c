// SPDX-License-Identifier: Apache-2.0
// MSER-5: what an independent program says, the rule by its definition, and the trial of its authors.
#include "num/warmup.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"

typedef enum Bias { NONE, STEP, LINEAR, EXPONENTIAL, SLOW } Bias;

static double lcg(uint32_t *r) {
    *r = (*r * 1103515245u + 12345u) & 0x7fffffffu;
    return *r / 2147483648.0 - 0.5;
}

// As pymser 1.0 (an independent program for MSER-m) gives them for the same series, in single precision.
static void mser5_known_answers(void **state) {
    (void)state;
    static const struct {
        Bias bias;
        int64_t n, cut;
        double statistic;
        bool settled;
    } known[] = {
        {STEP, 1000, 100, 1.0784537852433724e-4, true},  {EXPONENTIAL, 1000, 135, 1.0286422981176105e-4, true},
        {LINEAR, 1000, 110, 8.745192327044972e-5, true}, {NONE, 1000, 0, 8.081585347277867e-5, true},
        {SLOW, 1000, 725, 4.545029815984285e-4, false},  {EXPONENTIAL, 503, 130, 2.0635514546206015e-4, true},
    };
    for (uint32_t k = 0; k < sizeof known / sizeof *known; k++) {
        double x[1000];
        uint32_t r = k + 1;
        for (int i = 0; i < known[k].n; i++) {
            const double bias[] = {0, 2.0 * (i < 100), fmax(0, 2 - i / 60.0), 3 * exp(-i / 50.0), 3 * exp(-i / 900.0)};
            x[i] = bias[known[k].bias] + lcg(&r);
        }
        Warmup w = warmup_mser5(x, known[k].n);
        assert_int_equal(w.cut, known[k].cut);
        assert_true(fabs(w.statistic - known[k].statistic) < 1e-12);
        assert_int_equal(w.settled, known[k].settled);
    }
}

// The rule itself, for every cut by itself.
static void mser5_by_definition(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        Rng rng = rng_make(seed, 0);
        double x[600], last = 8 * rng_f64(&rng), best = INFINITY;
        int64_t n = (int64_t)rng_below(&rng, 600), batches = n / 5, cut = 0;
        for (int i = 0; i < n; i++) x[i] = last = 0.9 * last + rng_normal(&rng);
        for (int64_t d = 0; d + 5 <= batches; d++) {
            double mean = 0, sum = 0, count = (double)(batches - d);
            for (int64_t i = 5 * d; i < 5 * batches; i++) mean += x[i] / count / 5;
            for (int64_t i = d; i < batches; i++) {
                double y = (x[5 * i] + x[5 * i + 1] + x[5 * i + 2] + x[5 * i + 3] + x[5 * i + 4]) / 5;
                sum += (y - mean) * (y - mean);
            }
            if (sum / count / count < best * (1 - 1e-12)) best = sum / count / count, cut = 5 * d;
        }
        Warmup w = warmup_mser5(x, n);
        if (batches < WARMUP_BATCHES_MIN) {
            assert_true(!w.settled && isnan(w.statistic));
            continue;
        }
        if (w.cut != cut)
            fail_msg("seed %llu: %lld instead of %lld", (unsigned long long)seed, (long long)w.cut, (long long)cut);
        assert_true(fabs(w.statistic - best) < 1e-9 * best);
        assert_int_equal(w.settled, 2 * w.cut <= 5 * batches);
    }
}

// ---- the trial of Hoad, Robinson and Davies 2010 -------------------------------------------------------------------

enum { N = 1000, TRUE_CUT = 100, TRIALS = 50, REPLICATIONS = 5 };

typedef struct Trial {
    int shape; // mean shift, linear, quadratic, exponential
    double severity, memory;
    int settled;
    double removed, cuts; // means
} Trial;

// One series: a bias that ends at a known place, and autocorrelated noise; means over replications.
static void try_once(Trial *t, uint64_t trial) {
    double x[N] = {0}, bias[N], all = 0, left = 0;
    Rng rng = rng_make(trial, (uint64_t)(t->shape * 100 + (int)(t->severity * 10 + t->memory * 5)));
    double spread = 1 / sqrt(1 - t->memory * t->memory), size = t->severity * 2.326 * spread; // to the 99th percentile
    for (int i = 0; i < N; i++) {
        double to = 1 - i / (double)TRUE_CUT;
        const double shapes[] = {1, to, to * to, exp(-5.0 * i / TRUE_CUT)};
        x[i] = bias[i] = i < TRUE_CUT ? size * shapes[t->shape] : 0;
        all += bias[i] / N;
    }
    for (int r = 0; r < REPLICATIONS; r++) {
        double e = rng_normal(&rng) * spread;
        for (int i = 0; i < N; i++) {
            x[i] += e / REPLICATIONS;
            e = t->memory * e + rng_normal(&rng);
        }
    }
    Warmup w = warmup_mser5(x, N);
    for (int64_t i = w.cut; i < N; i++) left += bias[i] / (double)(N - w.cut);
    t->settled += w.settled;
    t->cuts += (double)w.cut / TRIALS;
    t->removed += (1 - left / all) / TRIALS;
}

// What is left of the bias in the mean is small, and the cut is not far behind its end.
static void mser5_artificial_bias(void **state) {
    (void)state;
    static const double severities[] = {1, 2, 4}, memories[] = {0, 0.4, 0.8};
    for (int k = 0; k < 4 * 9; k++) {
        Trial t = {.shape = k / 9, .severity = severities[k % 9 / 3], .memory = memories[k % 3]};
        for (uint64_t trial = 1; trial <= TRIALS; trial++) try_once(&t, trial);
        if (t.settled < TRIALS * 9 / 10 || t.removed < (t.memory > 0.5 ? 0.75 : 0.85) || t.cuts > 1.5 * TRUE_CUT)
            fail_msg("shape %d, severity %g, memory %g: %d settled, %.3f of the bias removed, cut at %.1f", t.shape,
                     t.severity, t.memory, t.settled, t.removed, t.cuts);
        if (t.shape == 0) assert_true(t.removed > 0.999 && t.cuts >= TRUE_CUT && t.cuts < 1.3 * TRUE_CUT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(mser5_known_answers), cmocka_unit_test(mser5_by_definition),
                                       cmocka_unit_test(mser5_artificial_bias)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
