// SPDX-License-Identifier: Apache-2.0
// The choice: by hand for every way it can end, with the words; and that neither other actions nor the seed of the
// world change what is said of one.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/rng.h"
#include "decide/choose.h"
#include "num/moments.h"

#define N 4 // replications
#define APART "\xE2\x80\xAF"
#define MINUS "\xE2\x88\x92"

static RuleAction actions[] = {{.name = {"clear", 5}, .title = {"Clear the jam", 13}, .cost = 12},
                               {.name = {"slow", 4}, .title = {"Run slowly", 10}}};
static RuleLimit limits[] = {{.kpi = {"buffer", 6}, .min = 5, .max = INFINITY},
                             {.kpi = {"heat", 4}, .min = -INFINITY, .max = 80}};
static const Rule rule = {.objective = {"margin", 6},
                          .ahead_ns = INT64_C(5400000000000),
                          .limits = limits,
                          .limit_count = 2,
                          .actions = actions,
                          .action_count = 2,
                          .replications = N};

// [action][replication]
static const double margin[3][N] = {{100, 120, 90, 110}, {1000, 1030, 985, 1015}, {500, 525, 495, 505}};
static const double calm[2][3][N] = {{{9, 9, 9, 9}, {7, 8, 9, 5}, {6, 6, 6, 6}},
                                     {{50, 50, 50, 50}, {80, 70, 60, 50}, {1, 2, 3, 4}}};

typedef struct Try {
    double objective[3][N], limits[2][3][N];
    int better;
    Arena a;
    Decision x;
    ChooseEnd end;
} Try;

static void setup(Try *t) {
    *t = (Try){.better = 1};
    memcpy(t->objective, margin, sizeof margin);
    memcpy(t->limits, calm, sizeof calm);
}

static void go(Try *t) {
    ChooseAsk ask = {.rule = &rule, .unit = STR("EUR"), .better = t->better, .replications = N};
    ask.objective = &t->objective[0][0];
    ask.limits = &t->limits[0][0][0];
    arena_init(&t->a, 0);
    t->end = choose(&ask, &t->a, &t->x);
}

static void says(Try *t, ChooseEnd end, const char *choice, const char *why) {
    if (t->end != end || !str_eq(t->x.choice, str_of(choice)) || !str_eq(t->x.why, str_of(why)))
        fail_msg("%d \"%.*s\": %.*s", t->end, STR_ARG(t->x.choice), STR_ARG(t->x.why));
    arena_free(&t->a);
}

static void the_best_by_money(void **state) {
    (void)state;
    Try t;
    setup(&t);
    go(&t);
    const DecisionAlternative *o = &t.x.alternatives[1];
    assert_true(t.x.alternative_count == 3 && t.x.limit_count == 2 && t.x.replications == N);
    // Costs are taken off; the gain is paired: 888, 898, 883, 893.
    assert_true(o->samples[0] == 988 && o->mean == 995.5 && o->gain == 890.5);
    double half = student_quantile(0.975, 3) * sqrt((6.25 + 56.25 + 56.25 + 6.25) / 3 / 4);
    assert_true(fabs(o->gain_high - o->gain - half) < 1e-9 && fabs(o->gain - o->gain_low - half) < 1e-9);
    assert_true(t.x.alternatives[0].gain == 0 && t.x.alternatives[0].gain_low == 0);
    assert_true(o->limits[0].worst == 5 && o->limits[0].replication == 3 && o->limits[0].holds); // at the bound
    assert_true(o->limits[1].worst == 80 && o->limits[1].replication == 0 && o->limits[1].holds);
    says(
        &t, CHOSE_ACTION, "clear",
        "\"Clear the jam\" makes 890 EUR more than doing nothing within 1 h 30 min (95 %: 880 to 901), its own cost of "
        "12 EUR counted.");
}

static void what_breaks_a_limit_once_is_dropped(void **state) {
    (void)state;
    Try t;
    setup(&t);
    t.limits[0][1][2] = 4.9;
    go(&t);
    assert_false(t.x.alternatives[1].limits[0].holds);
    assert_true(t.x.alternatives[1].limits[0].replication == 2 && t.x.alternatives[1].limits[1].holds);
    says(&t, CHOSE_ACTION, "slow",
         "\"Run slowly\" makes 401 EUR more than doing nothing within 1 h 30 min (95 %: 394 to 409). \"Clear the jam\" "
         "is dropped: buffer falls to 4.9, below 5, in replication 2.");
    setup(&t);
    t.limits[1][1][1] = 80.5;
    go(&t);
    assert_true(str_eq(t.x.choice, STR("slow")));
    assert_true(str_eq(t.x.alternatives[1].dropped, STR("heat rises to 80.5, above 80, in replication 1")));
    arena_free(&t.a);
}

static void what_is_not_known_is_dropped(void **state) {
    (void)state;
    Try t;
    setup(&t);
    t.limits[1][1][3] = NAN;
    t.limits[1][1][0] = 99;
    go(&t);
    assert_true(isnan(t.x.alternatives[1].limits[1].worst) && t.x.alternatives[1].limits[1].replication == 3);
    assert_true(str_eq(t.x.alternatives[1].dropped, STR("heat is not known in replication 3")));
    assert_true(str_eq(t.x.choice, STR("slow")));
    arena_free(&t.a);
    setup(&t);
    t.objective[1][2] = NAN;
    go(&t);
    assert_true(str_eq(t.x.alternatives[1].dropped, STR("margin is not known in replication 2")));
    assert_true(str_eq(t.x.choice, STR("slow")));
    arena_free(&t.a);
}

static void nothing_may_win(void **state) {
    (void)state;
    Try t;
    setup(&t);
    for (int r = 0; r < N; r++) t.objective[0][r] = 2000;
    go(&t);
    says(&t, CHOSE_NOTHING, "nothing",
         "Doing nothing is best: \"Clear the jam\" makes 1" APART "004 EUR less than doing nothing within 1 h 30 min "
         "(95 %: 974 to 1" APART "035), its own cost of 12 EUR counted.");
    // Better on average is not enough.
    setup(&t);
    for (int r = 0; r < N; r++) t.objective[1][r] = t.objective[2][r] = t.objective[0][r] + (r % 2 ? 90 : -50);
    go(&t);
    says(&t, CHOSE_NOTHING, "nothing",
         "No action is better than doing nothing beyond doubt: \"Run slowly\" makes 20 EUR more than doing nothing "
         "within 1 h 30 min (95 %: " MINUS "109 to 149).");
    // Equal is not better.
    setup(&t);
    for (int r = 0; r < N; r++) t.objective[1][r] = t.objective[2][r] = t.objective[0][r];
    go(&t);
    assert_int_equal(t.end, CHOSE_NOTHING);
    arena_free(&t.a);
}

static void nothing_may_break_a_limit(void **state) {
    (void)state;
    Try t;
    setup(&t);
    t.limits[0][0][0] = 0;
    for (int r = 0; r < N; r++) t.objective[0][r] = 5000; // dear, but what must be must be
    go(&t);
    says(&t, CHOSE_ACTION, "clear",
         "\"Clear the jam\" makes 4" APART "004 EUR less than doing nothing within 1 h 30 min "
         "(95 %: 3" APART "974 to 4" APART "035), its own cost of 12 EUR counted. "
         "Doing nothing is dropped: buffer falls to 0, below 5, in replication 0.");
    // All actions break one: nothing is what is left. All of them: nothing is within.
    setup(&t);
    t.limits[0][1][0] = t.limits[0][2][0] = 0;
    go(&t);
    assert_true(t.end == CHOSE_NOTHING && str_starts(t.x.why, STR("Doing nothing is all that keeps")));
    arena_free(&t.a);
    setup(&t);
    t.limits[0][0][0] = t.limits[0][1][0] = t.limits[0][2][0] = 0;
    go(&t);
    assert_true(t.end == CHOSE_NONE_WITHIN && !t.x.choice.n && str_starts(t.x.why, STR("Nothing that was tried")));
    arena_free(&t.a);
}

// A KPI of cost: less is better, and the action's own cost makes it more.
static void less_is_better(void **state) {
    (void)state;
    Try t;
    setup(&t);
    t.better = -1;
    for (int r = 0; r < N; r++) {
        t.objective[0][r] = 1000;
        t.objective[1][r] = 500.25;
        t.objective[2][r] = 505;
    }
    go(&t);
    assert_true(t.x.alternatives[1].mean == 512.25 && t.x.alternatives[1].gain == 487.75);
    says(&t, CHOSE_ACTION, "slow",
         "\"Run slowly\" costs 495 EUR less than doing nothing within 1 h 30 min (95 %: 495 to 495).");
}

// Of equals the first; what is said of one does not depend on the others.
static void equals_and_independence(void **state) {
    (void)state;
    Try t, u;
    setup(&t);
    actions[0].cost = 0;
    memcpy(t.objective[2], t.objective[1], sizeof t.objective[1]);
    go(&t);
    assert_true(str_eq(t.x.choice, STR("clear")));
    arena_free(&t.a);
    actions[0].cost = 12;
    setup(&t);
    setup(&u);
    for (int r = 0; r < N; r++) u.objective[2][r] *= -3;
    go(&t);
    go(&u);
    const DecisionAlternative *p = &t.x.alternatives[1], *q = &u.x.alternatives[1];
    assert_true(p->mean == q->mean && p->gain == q->gain && p->gain_low == q->gain_low);
    arena_free(&t.a);
    arena_free(&u.a);
}

static void money(double v, const char *want) {
    Buf b = {0};
    choose_put_money(&b, v, STR("EUR"));
    if (!str_eq(buf_str(&b), str_of(want))) fail_msg("%.*s instead of %s", STR_ARG(buf_str(&b)), want);
    buf_free(&b);
}

static void money_for_people(void **state) {
    (void)state;
    money(0, "0 EUR");
    money(-0.001, "0.00 EUR");
    money(3.5, "3.50 EUR");
    money(-3.5, MINUS "3.50 EUR");
    money(99.999, "100.00 EUR");
    money(999.6, "1" APART "000 EUR");
    money(1240, "1" APART "240 EUR");
    money(-1234567.8, MINUS "1" APART "234" APART "568 EUR");
    money(123456, "123" APART "456 EUR");
    money(1e18, "1e+18 EUR");
}

// The winner is never worse than another that is within, by the samples themselves.
static void random_tables(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        Rng r = rng_make(seed, 0);
        Try t;
        setup(&t);
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < N; k++) {
                t.objective[i][k] = rng_normal(&r) * 50 + (double)i * 40;
                t.limits[0][i][k] = 8 + rng_normal(&r) * 2;
                t.limits[1][i][k] = rng_below(&r, 30) ? 70 + rng_normal(&r) * 4 : NAN;
            }
        go(&t);
        double sum[3] = {0};
        bool ok[3] = {true, true, true};
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < N; k++) {
                sum[i] += t.objective[i][k] - (i == 1 ? 12 : 0);
                ok[i] &= t.limits[0][i][k] >= 5 && t.limits[1][i][k] <= 80;
            }
        int chosen = t.end == CHOSE_ACTION ? rule_action(&rule, t.x.choice) : t.end == CHOSE_NOTHING ? 0 : -1;
        if (chosen >= 0 && !ok[chosen]) fail_msg("seed %llu: beyond its limits", (unsigned long long)seed);
        if (chosen < 0 && (ok[0] || ok[1] || ok[2])) fail_msg("seed %llu: one is within", (unsigned long long)seed);
        for (int i = 1; i < 3 && chosen > 0; i++)
            if (ok[i] && sum[i] > sum[chosen] + 1e-9) fail_msg("seed %llu: %d is better", (unsigned long long)seed, i);
        if (chosen > 0 && ok[0] && sum[0] >= sum[chosen]) fail_msg("seed %llu: why act?", (unsigned long long)seed);
        arena_free(&t.a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_by_money),
        cmocka_unit_test(what_breaks_a_limit_once_is_dropped),
        cmocka_unit_test(what_is_not_known_is_dropped),
        cmocka_unit_test(nothing_may_win),
        cmocka_unit_test(nothing_may_break_a_limit),
        cmocka_unit_test(less_is_better),
        cmocka_unit_test(equals_and_independence),
        cmocka_unit_test(money_for_people),
        cmocka_unit_test(random_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
