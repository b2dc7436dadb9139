// SPDX-License-Identifier: Apache-2.0
// Bands: their quantiles, what counts as out, unknown values, bounds.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/mem.h"
#include "decide/band.h"

#define S INT64_C(1000000000)
#define R 21 // replications: quantiles fall on the second and the one before the last

static float course[40][R];

static BandAsk ask(int64_t for_s) {
    return (BandAsk){.kpi = STR("rate"),
                     .unit = STR("1/h"),
                     .for_ns = for_s * S,
                     .step_ns = 10 * S,
                     .instants = 40,
                     .replications = R,
                     .stride = R,
                     .course = &course[0][0],
                     .patience = 3};
}

// Instant i: 100 i ... 100 i + 20.
static void fill(void) {
    for (int i = 0; i < 40; i++)
        for (int r = 0; r < R; r++) course[i][r] = (float)(100 * i + (r * 8) % R);
}

static void its_quantiles(void **state) {
    (void)state;
    Arena a;
    DecisionWatch w;
    arena_init(&a, 0);
    fill();
    course[3][0] = NAN; // of 20 known ones
    for (int r = 0; r < R; r++) course[2][r] = NAN;
    BandAsk b = ask(55);
    band_make(&b, &a, &w);
    assert_int_equal(w.count, 4); // 1, 3, 4, 5: nobody knows 2
    assert_true(w.times[0] == 10 * S && w.times[1] == 30 * S && w.times[3] == 50 * S && w.until_ns == 55 * S);
    assert_true(w.low[0] == 101 && w.high[0] == 119 && w.mean[0] == 110);
    assert_true(w.low[1] > 301 && w.low[1] < 302.01 && fabs(w.mean[1] - 310.5) < 1e-9);
    assert_true(band_next(&w) == 10 * S && band_verdict(&w) == BAND_WATCHING);
    band_begin(&w, 1000 * S);
    assert_true(band_next(&w) == 1010 * S && w.begin_ns == 1000 * S && w.until_ns == 1055 * S);
    arena_free(&a);
}

static void kept_or_left(void **state) {
    (void)state;
    Arena a;
    DecisionWatch w;
    arena_init(&a, 0);
    fill();
    BandAsk b = ask(70);
    b.margin = 2;
    band_make(&b, &a, &w);
    band_begin(&w, 0);
    static const double kept[] = {110, 222, -1, 405, 522, 603, 710}; // two in a row are out, then it is back
    for (int i = 0; i < 7; i++) assert_int_equal(band_see(&w, kept[i]), i == 6 ? BAND_KEPT : BAND_WATCHING);
    assert_true(w.outside == 0 && !w.left_ns && band_next(&w) == INT64_MAX && w.seen[1] == 222);
    // Three in a row are out, and stay so; one that is not known counts.
    band_make(&b, &a, &w);
    band_begin(&w, 5 * S);
    assert_int_equal(band_see(&w, 121.0), BAND_WATCHING); // within by the margin
    assert_int_equal(w.outside, 0);
    assert_int_equal(band_see(&w, 221.01), BAND_WATCHING);
    assert_int_equal(band_see(&w, NAN), BAND_WATCHING);
    assert_int_equal(band_see(&w, 398.9), BAND_LEFT);
    assert_true(w.left_ns == 45 * S);
    for (int i = 0; i < 3; i++) assert_int_equal(band_see(&w, 510 + 100 * i), BAND_LEFT);
    assert_true(w.left_ns == 45 * S && w.outside == 0);
    arena_free(&a);
}

// A model without chance has a band without width: what is as predicted is inside all the same.
static void no_width(void **state) {
    (void)state;
    Arena a;
    DecisionWatch w;
    arena_init(&a, 0);
    for (int i = 0; i < 40; i++)
        for (int r = 0; r < R; r++) course[i][r] = 0.1F * (float)i;
    BandAsk b = ask(30);
    b.patience = 1;
    band_make(&b, &a, &w);
    band_begin(&w, 0);
    assert_int_equal(band_see(&w, 0.1), BAND_WATCHING);
    assert_int_equal(band_see(&w, 0.2), BAND_WATCHING);
    assert_int_equal(band_see(&w, 0.3001), BAND_LEFT);
    arena_free(&a);
}

static void bounded(void **state) {
    (void)state;
    enum { LONG = 3501 };
    Arena a;
    DecisionWatch w;
    float *v = mem_alloc(LONG * sizeof *v);
    arena_init(&a, 0);
    BandAsk b = {.for_ns = LONG * S, .step_ns = S, .instants = LONG, .replications = 1, .stride = 1, .course = v};
    b.patience = 1;
    band_make(&b, &a, &w);
    assert_true(w.count <= DECISION_INSTANTS_MAX && w.count == 875 && w.times[874] == 3500 * S);
    b.instants = 1001;
    band_make(&b, &a, &w);
    assert_int_equal(w.count, DECISION_INSTANTS_MAX);
    // Nothing within: there is nothing to watch.
    b.for_ns = S / 2;
    band_make(&b, &a, &w);
    assert_true(w.count == 0 && band_next(&w) == INT64_MAX && band_verdict(&w) == BAND_KEPT);
    mem_free(v);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_quantiles),
        cmocka_unit_test(kept_or_left),
        cmocka_unit_test(no_width),
        cmocka_unit_test(bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
