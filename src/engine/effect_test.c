// SPDX-License-Identifier: Apache-2.0
// Sentences about effects: money by the day, signs, intervals, what cannot be told apart; the one that comes first.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "engine/effect.h"

#define DAY INT64_C(86400000000000)
#define NONE ((double)NAN)
#define APART "\xE2\x80\xAF"

static void says(const EffectSay *s, const Effect *e, const char *want) {
    Buf b = {0};
    effect_say(s, e, &b);
    if (!str_eq(buf_str(&b), str_of(want))) fail_msg("%.*s, not %s", (int)b.n, b.p, want);
    buf_free(&b);
}

static void sentences(void **state) {
    (void)state;
    EffectSay week = {STR("Scenario B"), STR("scenario B"), STR("as is"), 7 * DAY, 0.95, false};
    EffectSay hours = {STR("The change"), STR("the change"), STR("as is"), DAY / 3, 0.9, false};
    Effect cost = {.title = STR("Energy cost"), .unit = STR("EUR"), .of = STR("money"), .over = KPI_LAST, .better = -1};
    cost.known = cost.sure = true;
    cost.by = -8680, cost.low = -10920, cost.high = -6440;
    says(&week, &cost, "Scenario B saves 1" APART "240 EUR a day of energy cost (95 %: 920 to 1" APART "560).");
    says(&hours, &cost,
         "The change saves 8" APART "680 EUR of energy cost in 8 h (90 %: 6" APART "440 to 10" APART "920).");
    cost.by = 20, cost.low = cost.high = 20;
    says(&hours, &cost, "The change adds 20 EUR of energy cost in 8 h.");
    Effect margin = {.title = STR("CO2 margin"), .unit = STR("EUR"), .of = STR("money"), .over = KPI_MEAN, .better = 1};
    margin.known = margin.sure = true;
    margin.by = 12.5, margin.low = margin.high = NONE;
    says(&week, &margin, "Scenario B brings 12.5 EUR of CO2 margin.");
    margin.by = -12.5;
    says(&week, &margin, "Scenario B costs 12.5 EUR of CO2 margin.");
    Effect wait = {.title = STR("Mean wait"), .unit = STR("min"), .over = KPI_MEAN, .better = -1, .known = true};
    wait.by = -3.21, wait.low = -4, wait.high = -2.42, wait.sure = true;
    says(&week, &wait, "Mean wait: 3.21 min less with scenario B (95 %: 2.42 to 4.00), which is better.");
    wait.better = 0;
    says(&week, &wait, "Mean wait: 3.21 min less with scenario B (95 %: 2.42 to 4.00).");
    wait.by = 1, wait.low = -0.5, wait.high = 2.5, wait.sure = false;
    says(&week, &wait,
         "Scenario B cannot be told from as is by mean wait: the difference is 1.0 min (95 %: \xE2\x88\x92"
         "0.5 to "
         "2.5).");
    wait.by = wait.low = wait.high = 0;
    says(&week, &wait, "Scenario B does nothing to mean wait.");
}

// One run is of one chance; percentages differ by points.
static void once_and_points(void **state) {
    (void)state;
    EffectSay say = {STR("The change"), STR("the change"), STR("as is"), DAY / 3, 0.95, false};
    Effect e = {.title = STR("On time"), .unit = STR("%"), .over = KPI_LAST, .better = 1, .known = true, .sure = true};
    e.by = 0.46, e.low = e.high = NONE;
    says(&say, &e, "On time: 0.46 points more with the change, which is better.");
    e.by = -1;
    says(&say, &e, "On time: 1 point less with the change, which is worse.");
    e.low = -1.5, e.high = -0.5;
    says(&say, &e, "On time: 1.00 points less with the change (95 %: 0.50 to 1.50), which is worse.");
    e.low = e.high = NONE;
    say.once = true;
    says(&say, &e, "In this one run, on time: 1 point less with the change, which is worse.");
    e.by = 0, e.sure = false;
    says(&say, &e, "In this one run, the change does nothing to on time.");
    e.by = 12.5, e.sure = true, e.unit = STR("EUR"), e.of = STR("money"), e.title = STR("CO2 margin");
    says(&say, &e, "In this one run, the change brings 12.5 EUR of CO2 margin in 8 h.");
    e.of = (Str){0};
    says(&say, &e, "In this one run, CO2 margin: 12.5 EUR more with the change, which is better.");
}

static void first_and_others(void **state) {
    (void)state;
    Effect e[] = {
        {.title = STR("Queue"), .better = -1, .by = -1, .low = -2, .high = -0.5, .known = true, .sure = true},
        {.title = STR("Lost"), .better = -1, .by = 3, .low = 2, .high = 4, .known = true, .sure = true},
        {.title = STR("Profit"), .of = STR("money"), .better = 1, .by = 3, .low = -2, .high = 8, .known = true},
        {.title = STR("Nobody knows"), .better = 1, .by = NONE, .low = NONE, .high = NONE},
        {.title = STR("Still"), .better = 1, .by = 0, .low = 0, .high = 0, .known = true},
        {.title = STR("Energy cost"),
         .of = STR("money"),
         .better = -1,
         .by = 2,
         .low = 1,
         .high = 3,
         .known = true,
         .sure = true},
    };
    assert_int_equal(effect_first(e, 6), 2);     // what is earned
    assert_int_equal(effect_first(e + 3, 3), 2); // other money
    assert_int_equal(effect_first(e, 2), 0);
    assert_int_equal(effect_first(e + 3, 1), -1);
    assert_int_equal(effect_first(e, 0), -1);
    Buf b = {0};
    effect_say_others(e, 6, 5, &b);
    assert_true(
        str_eq(buf_str(&b), STR(" Better: queue. Worse: lost. 1 other cannot be told apart. 1 stays the same.")));
    buf_free(&b);
    Effect many[9];
    for (int i = 0; i < 9; i++) many[i] = e[0];
    effect_say_others(many, 9, 0, &b);
    assert_true(str_eq(buf_str(&b), STR(" Better: queue, queue, queue, queue and 4 others.")));
    buf_free(&b);
}

static void told(const char *want, void (*fn)(Buf *)) {
    Buf b = {0};
    fn(&b);
    if (!str_eq(buf_str(&b), str_of(want))) fail_msg("%.*s, not %s", (int)b.n, b.p, want);
    buf_free(&b);
}

static void within_17(Buf *b) { told_within(3843.2, 17, b); }
static void within_small(Buf *b) { told_within(-1.98076, 0.0376, b); }
static void within_nothing(Buf *b) { told_within(42.1234567, 0, b); }
static void within_huge(Buf *b) { told_within(123456, 5e6, b); }
static void not_a_number(Buf *b) { told_within(NONE, 1, b); }
static void span(Buf *b) { told_span(DAY + 5400 * INT64_C(1000000000), b); }
static void no_span(Buf *b) { told_span(0, b); }
static void period(Buf *b) { told_period(INT64_C(1500000000), b); }
static void escaped(Buf *b) { told_escape(STR("<a href='x'>\"&\x01"), b); }

static void texts(void **state) {
    (void)state;
    told("3" APART "843", within_17);
    told("\xE2\x88\x92"
         "1.981",
         within_small);
    told("42.123", within_nothing);
    told("123" APART "456", within_huge);
    told("\xE2\x80\x93", not_a_number);
    told("1 d 1 h 30 min", span);
    told("0 s", no_span);
    told("PT1.500000000S", period);
    told("&lt;a href=&#39;x&#39;&gt;&quot;&amp;\xEF\xBF\xBD", escaped);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences),
        cmocka_unit_test(once_and_points),
        cmocka_unit_test(first_and_others),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
