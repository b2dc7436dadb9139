// SPDX-License-Identifier: Apache-2.0
// What an ensemble came to, as bytes: there and back, and as a version of before wrote it.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem.h"
#include "engine/ensemble_outcome.h"

enum { CASES = 2, INSTANTS = 3 };

static EnsembleOutcome *make(void) {
    EnsembleOutcome *o = mem_alloc(sizeof *o);
    *o = (EnsembleOutcome){.case_count = CASES, .instants = INSTANTS, .series_count = 1};
    arena_init(&o->keep, 0);
    o->cases = NEW(&o->keep, EnsembleCaseTold, CASES);
    for (int32_t i = 0; i < CASES; i++) o->cases[i] = (EnsembleCaseTold){.name = i ? STR("b") : STR("a")};
    o->kpis = NEW(&o->keep, EnsembleKpi, 1);
    o->axes = NEW(&o->keep, EnsembleAxisTold, 1);
    o->times = NEW(&o->keep, int64_t, INSTANTS);
    for (int32_t i = 0; i < INSTANTS; i++) o->times[i] = i * 10;
    o->series = NEW(&o->keep, EnsembleSeries, 1);
    o->series[0] = (EnsembleSeries){.kpi = -1, .twin = STR("t"), .property = STR("p")};
    o->series[0].bands = NEW(&o->keep, float, CASES *BANDS *INSTANTS);
    for (int32_t i = 0; i < CASES * BANDS * INSTANTS; i++) o->series[0].bands[i] = (float)i;
    return o;
}

static void test_there_and_back(void **state) {
    (void)state;
    Buf b = {0};
    EnsembleOutcome *o = make(), *back;
    ensemble_outcome_encode(o, &b);
    back = ensemble_outcome_decode(buf_str(&b));
    assert_non_null(back);
    assert_memory_equal(back->series[0].bands, o->series[0].bands, sizeof(float) * CASES * BANDS * INSTANTS);
    ensemble_outcome_free(back);
    for (int64_t n = 0; n < b.n; n++) assert_null(ensemble_outcome_decode((Str){b.p, n})); // cut anywhere
    ensemble_outcome_free(o);
    buf_free(&b);
}

// Bands that it did not have are not known; those that it had are where they were.
static void test_of_before(void **state) {
    (void)state;
    Buf b = {0}, old = {0};
    EnsembleOutcome *o = make(), *back;
    ensemble_outcome_encode(o, &b);
    const int64_t each = 4 * BANDS * INSTANTS, kept = 4 * BANDS_FIRST * INSTANTS, tail = 1;
    const char *first = b.p + b.n - tail - each * CASES;
    buf_byte(&old, 1);
    buf_str_put(&old, (Str){b.p + 1, first - b.p - 1});
    for (int32_t c = 0; c < CASES; c++) buf_str_put(&old, (Str){first + c * each, kept});
    buf_str_put(&old, (Str){b.p + b.n - tail, tail});
    back = ensemble_outcome_decode(buf_str(&old));
    assert_non_null(back);
    for (int32_t i = 0; i < CASES * BANDS * INSTANTS; i++) {
        float v = back->series[0].bands[i];
        if (i % (BANDS * INSTANTS) < BANDS_FIRST * INSTANTS) assert_true(v == (float)i);
        else assert_true(isnan(v));
    }
    ensemble_outcome_free(back);
    ensemble_outcome_free(o);
    buf_free(&old);
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_of_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
