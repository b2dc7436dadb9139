// SPDX-License-Identifier: Apache-2.0
// Triggers: for, again, mostPerHour, breaks, restarts, bounds; and random events against a slow, obvious twin.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/mem.h"
#include "base/rng.h"
#include "decide/trigger.h"

#define S INT64_C(1000000000)

static void see(Trigger *t, uint64_t twin, bool holds, int64_t s) {
    assert_int_equal(trigger_see(t, twin, holds, s * S), ERR_OK);
}

static void takes(Trigger *t, int64_t s, uint64_t twin, int64_t since, int64_t due) {
    TriggerHit hit;
    assert_true(trigger_take(t, s * S, &hit));
    assert_true(hit.twin == twin && hit.since_ns == since * S && hit.due_ns == due * S);
}

static void takes_none(Trigger *t, int64_t s) {
    TriggerHit hit;
    assert_false(trigger_take(t, s * S, &hit));
}

static void it_holds_for_a_while_without_a_break(void **state) {
    (void)state;
    Trigger t;
    trigger_init(&t, 30 * S, 0, 0);
    assert_true(trigger_next(&t) == INT64_MAX);
    see(&t, 1, true, 100);
    see(&t, 2, true, 110);
    see(&t, 1, true, 120); // said again
    assert_true(trigger_next(&t) == 130 * S);
    takes_none(&t, 129);
    see(&t, 1, false, 129);
    see(&t, 1, true, 129); // however short
    takes_none(&t, 139);
    takes(&t, 145, 2, 110, 140);
    takes_none(&t, 158);
    takes(&t, 159, 1, 129, 159);
    takes_none(&t, 10000); // once for each stretch that holds
    assert_true(trigger_next(&t) == INT64_MAX);
    see(&t, 1, false, 10001);
    see(&t, 1, true, 10002);
    takes(&t, 10032, 1, 10002, 10032);
    trigger_free(&t);
}

static void at_once(void **state) {
    (void)state;
    Trigger t;
    trigger_init(&t, 0, 0, 0);
    see(&t, 9, true, 5);
    takes(&t, 5, 9, 5, 5);
    takes_none(&t, 5);
    trigger_free(&t);
}

static void not_again_before(void **state) {
    (void)state;
    Trigger t;
    trigger_init(&t, 30 * S, 600 * S, 0);
    see(&t, 1, true, 0);
    takes(&t, 30, 1, 0, 30);
    see(&t, 1, false, 40);
    see(&t, 1, true, 50);
    takes_none(&t, 629);
    assert_true(trigger_next(&t) == 630 * S);
    takes(&t, 630, 1, 50, 630);
    takes(&t, 1230, 1, 50, 1230); // it still holds
    see(&t, 1, false, 1300);
    assert_true(trigger_next(&t) == INT64_MAX);
    trigger_free(&t);
}

static void most_per_hour(void **state) {
    (void)state;
    Trigger t;
    trigger_init(&t, 0, 0, 2);
    for (uint64_t i = 1; i <= 4; i++) see(&t, i, true, 100);
    takes(&t, 100, 1, 100, 100);
    takes(&t, 200, 2, 100, 100);
    takes_none(&t, 3699); // the others wait
    assert_true(trigger_next(&t) == 3700 * S);
    see(&t, 3, false, 3699); // until it does not hold any more
    takes(&t, 3700, 4, 100, 100);
    takes_none(&t, 3800);
    trigger_free(&t);
}

static void after_a_restart(void **state) {
    (void)state;
    Trigger t;
    trigger_init(&t, 0, 600 * S, 2);
    trigger_restore(&t, 1, 1000 * S);
    trigger_restore(&t, 2, 1100 * S);
    see(&t, 1, true, 1200);
    see(&t, 3, true, 1200);
    takes_none(&t, 1650); // mostPerHour
    assert_true(trigger_next(&t) == 4600 * S);
    takes(&t, 4600, 3, 1200, 1200);
    takes_none(&t, 4600);
    takes(&t, 4700, 1, 1200, 1600);
    trigger_free(&t);
}

// What held when the process ended, and holds still, is the same stretch.
static void after_a_restart_it_holds_still(void **state) {
    (void)state;
    Trigger t;
    trigger_init(&t, 0, 0, 0);
    for (uint64_t i = 1; i <= 2; i++) trigger_restore(&t, i, 1000 * S);
    see(&t, 1, true, 1100);
    see(&t, 2, false, 1100);
    assert_int_equal(t.count, 1); // nothing need be known of 2
    takes_none(&t, 1200);
    see(&t, 1, false, 1300);
    see(&t, 1, true, 1400);
    see(&t, 2, true, 1400);
    takes(&t, 1400, 1, 1400, 1400);
    takes(&t, 1400, 2, 1400, 1400);
    takes_none(&t, 1500);
    trigger_free(&t);
}

static void a_twin_goes(void **state) {
    (void)state;
    Trigger t;
    trigger_init(&t, 10 * S, 0, 0);
    see(&t, 1, true, 0);
    trigger_drop(&t, 1);
    trigger_drop(&t, 7);
    takes_none(&t, 100);
    assert_int_equal(t.count, 0);
    trigger_free(&t);
}

// Time that goes back is the latest: nothing comes due early or is taken out of order.
static void time_never_goes_back(void **state) {
    (void)state;
    Trigger t;
    trigger_init(&t, 10 * S, 0, 0);
    see(&t, 1, true, 100);
    see(&t, 2, true, 50);
    takes_none(&t, 60);
    takes(&t, 110, 1, 100, 110);
    takes(&t, 110, 2, 100, 110);
    trigger_free(&t);
}

// The bound: who comes later is not watched and told so, until there is room; old ones make room.
static void bounded(void **state) {
    (void)state;
    Trigger t;
    trigger_init(&t, 0, 10 * S, 0);
    for (uint64_t i = 1; i <= TRIGGER_TWINS_MAX; i++) see(&t, i, true, 0);
    assert_int_equal(trigger_see(&t, 1000000, true, 0), ERR_LIMIT);
    assert_int_equal(trigger_see(&t, 5, true, 0), ERR_OK);
    takes(&t, 0, 1, 0, 0);
    see(&t, 1, false, 1); // remembered: it was taken within `again`
    assert_int_equal(trigger_see(&t, 1000000, true, 2 * S), ERR_LIMIT);
    assert_int_equal(trigger_see(&t, 1000000, true, 10 * S), ERR_OK);
    assert_int_equal(t.count, TRIGGER_TWINS_MAX);
    trigger_free(&t);
}

// ---- against a slow twin ------------------------------------------------------------------------------------------

#define TWINS 12

typedef struct Slow {
    int64_t for_ns, again_ns;
    int32_t most;
    int64_t since[TWINS + 1], fired[TWINS + 1], last[20000];
    bool spent[TWINS + 1];
    int32_t count;
} Slow;

static int64_t slow_due(const Slow *s, int twin) {
    if (s->since[twin] < 0 || s->spent[twin]) return INT64_MAX;
    int64_t due = s->since[twin] + s->for_ns, again = s->fired[twin] < 0 ? -1 : s->fired[twin] + s->again_ns;
    return due > again ? due : again;
}

// The first by (due, twin) when there is room in the hour.
static int slow_take(Slow *s, int64_t now) {
    int best = 0, within = 0;
    for (int32_t i = 0; i < s->count; i++) within += s->last[i] + 3600 * S > now;
    if (s->most && within >= s->most) return 0;
    for (int i = 1; i <= TWINS; i++)
        if (slow_due(s, i) <= now && (!best || slow_due(s, i) < slow_due(s, best))) best = i;
    if (!best) return 0;
    s->fired[best] = now;
    s->spent[best] = !s->again_ns;
    s->last[s->count++] = now;
    return best;
}

static void slow_see(Slow *s, int twin, bool holds, int64_t now) {
    if (!holds) s->since[twin] = -1, s->spent[twin] = false;
    else if (s->since[twin] < 0) s->since[twin] = now;
}

static void take_all(Trigger *t, Slow *s, int64_t now, uint64_t seed) {
    for (;;) {
        TriggerHit hit = {0};
        int64_t next = trigger_next(t);
        bool is = trigger_take(t, now, &hit);
        int want = slow_take(s, now);
        if ((int)hit.twin != want)
            fail_msg("seed %llu: %d instead of %d", (unsigned long long)seed, (int)hit.twin, want);
        if (is != (next <= now)) fail_msg("seed %llu: next is wrong", (unsigned long long)seed);
        if (!is) return;
    }
}

static void one_story(uint64_t seed) {
    Rng r = rng_make(seed, 0);
    static const int64_t fors[] = {0, 7, 60, 4000}, agains[] = {0, 30, 900, 8000};
    static const int32_t mosts[] = {0, 1, 3, 50};
    Slow *s = mem_alloc(sizeof *s);
    Trigger t;
    s->for_ns = fors[rng_below(&r, 4)] * S;
    s->again_ns = agains[rng_below(&r, 4)] * S;
    s->most = mosts[rng_below(&r, 4)];
    for (int i = 0; i <= TWINS; i++) s->since[i] = s->fired[i] = -1;
    trigger_init(&t, s->for_ns, s->again_ns, s->most);
    int64_t now = 0;
    for (int step = 0; step < 1500; step++) {
        now += (int64_t)rng_below(&r, rng_below(&r, 20) ? 20 : 2000) * S;
        int twin = 1 + (int)rng_below(&r, TWINS);
        bool holds = rng_below(&r, 3) > 0;
        see(&t, (uint64_t)twin, holds, now / S);
        slow_see(s, twin, holds, now);
        if (!rng_below(&r, 50)) {
            trigger_drop(&t, (uint64_t)twin);
            s->since[twin] = s->fired[twin] = -1;
            s->spent[twin] = false;
        }
        if (rng_below(&r, 4)) take_all(&t, s, now, seed);
    }
    trigger_free(&t);
    mem_free(s);
}

static void as_a_slow_one_says(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) one_story(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_for_a_while_without_a_break),
        cmocka_unit_test(at_once),
        cmocka_unit_test(not_again_before),
        cmocka_unit_test(most_per_hour),
        cmocka_unit_test(after_a_restart),
        cmocka_unit_test(after_a_restart_it_holds_still),
        cmocka_unit_test(a_twin_goes),
        cmocka_unit_test(time_never_goes_back),
        cmocka_unit_test(bounded),
        cmocka_unit_test(as_a_slow_one_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
