// SPDX-License-Identifier: Apache-2.0
// Pages that get blocks of all sizes, merged whenever the plan says so.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/rng.h"
#include "history/plan.h"

#define ROWS_MAX 4096

typedef struct Sim {
    StoreHistory rows[ROWS_MAX];
    int64_t n;
    int64_t put, written; // points that came; points that merging wrote
} Sim;

static void merge_all(Sim *s) {
    MergePlan p;
    while (merge_plan(s->rows, s->n, &p)) {
        StoreHistory out = s->rows[p.first];
        assert_true(p.count >= 1 && p.first + p.count <= s->n);
        int32_t highest = 0;
        out.points = 0;
        for (int64_t i = p.first; i < p.first + p.count; i++) {
            out.points += s->rows[i].points;
            out.last = s->rows[i].last;
            if (s->rows[i].tier > highest) highest = s->rows[i].tier;
        }
        assert_true(highest < MERGE_TIER_LONG);
        out.tier = merge_tier(p.tier, out.points, 0);
        assert_true(out.tier > highest); // so it ends
        s->written += out.points;
        s->rows[p.first] = out;
        memmove(&s->rows[p.first + 1], &s->rows[p.first + p.count],
                (size_t)(s->n - p.first - p.count) * sizeof *s->rows);
        s->n -= p.count - 1;
    }
}

static void add(Sim *s, uint64_t seq, int64_t points) {
    assert_true(s->n < ROWS_MAX);
    s->rows[s->n++] = (StoreHistory){.first = seq, .last = seq, .points = points};
    s->put += points;
    merge_all(s);
}

// Blocks lie in order, without a gap; few are not long.
static void check(const Sim *s, uint64_t seq) {
    int64_t points = 0, shorts = 0;
    uint64_t next = 1;
    for (int64_t i = 0; i < s->n; i++) {
        assert_int_equal(s->rows[i].first, next);
        next = s->rows[i].last + 1;
        points += s->rows[i].points;
        shorts += s->rows[i].tier < MERGE_TIER_LONG;
    }
    assert_int_equal(next, seq);
    assert_int_equal(points, s->put);
    assert_true(shorts < MERGE_FAN * 5);
}

static void run(uint64_t seed, int64_t points_max, uint64_t blocks) {
    static Sim s;
    s = (Sim){.n = 0};
    Rng r = rng_make(seed, 0);
    for (uint64_t seq = 1; seq <= blocks; seq++) {
        add(&s, seq, 1 + (int64_t)rng_below(&r, (uint64_t)points_max));
        if (seq % 97 == 0) check(&s, seq + 1);
    }
    check(&s, blocks + 1);
    if (s.written > s.put * 5) print_error("seed %llu\n", (unsigned long long)seed);
    assert_true(s.written <= s.put * 5); // a point is written again once a tier
}

static void test_blocks_of_all_sizes(void **state) {
    (void)state;
    run(1, 1, 30000);     // a value now and then
    run(2, 600, 30000);   // a page of a value a minute, sealed twice a minute
    run(3, 20000, 3000);  // fast ones
    run(4, 400000, 1000); // longer than long already
    for (uint64_t seed = 5; seed < 40; seed++) run(seed, 1 << (seed % 18), 1500);
}

// A long block is never taken again, and a single one of more points than a long block is made long once.
static void test_long_blocks_stay(void **state) {
    (void)state;
    StoreHistory rows[3] = {{.tier = MERGE_TIER_LONG, .points = 1}, {.points = MERGE_POINTS}, {.points = 5}};
    MergePlan p;
    assert_true(merge_plan(rows, 3, &p));
    assert_int_equal(p.first, 1);
    assert_int_equal(p.count, 1);
    assert_int_equal(merge_tier(p.tier, MERGE_POINTS, 0), MERGE_TIER_LONG);
    rows[1].tier = MERGE_TIER_LONG;
    assert_false(merge_plan(rows, 3, &p));
}

// An instant is at most about 3 x 16 blocks behind one with a start, whatever the sizes.
static void test_starts_are_near(void **state) {
    (void)state;
    assert_false(merge_start(1, 1000, 10));
    assert_true(merge_start(2, 1000, 10));
    assert_false(merge_start(2, 1000, 1000));
    assert_true(merge_start(3, 1, 1000));
    assert_true(merge_start(MERGE_TIER_LONG, 1, 1000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_of_all_sizes),
        cmocka_unit_test(test_long_blocks_stay),
        cmocka_unit_test(test_starts_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
