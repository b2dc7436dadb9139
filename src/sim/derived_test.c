// SPDX-License-Identifier: Apache-2.0
// Definitions of derived values among behaviours: which are taken, and to the value that the definition gives; which
// are not, and what is said of them.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>
#include "sim/test_rates.h"

static void put(Rig *t, const char *collection, const char *name, const char *json) {
    rig_document(t, collection, name, json);
}

// A note that names the definition and says the part; part NULL: there is none of it.
static void noted(const Rig *t, const char *name, const char *part) {
    uint32_t n;
    const RatesNote *notes = rates_notes(t->r, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (!str_eq(notes[i].name, str_of(name))) continue;
        if (!part) fail_msg("%s: %.*s", name, STR_ARG(notes[i].why));
        if (str_find_str(notes[i].why, str_of(part)) < 0) fail_msg("%s: %.*s", name, STR_ARG(notes[i].why));
        return;
    }
    if (part) fail_msg("nothing is said of %s", name);
}

// ---- taken ----------------------------------------------------------------------------------------------------------

// Chains, neighbours and twins of their own: what a statement reads is what the definitions give, as states move.
static void move_along(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "sum", "Cell", "'x':0");
    rig_twin(&t, "a", "Cell", "'x':1,'k':0.5,'y':0");
    rig_twin(&t, "b", "Cell", "'x':2,'k':0.25,'y':0");
    rig_twin(&t, "big", "Big", "'x':3,'k':0.125,'y':0");
    rig_link(&t, "sum", "feeds", "a", "");
    rig_link(&t, "sum", "feeds", "b", "");
    rig_link(&t, "sum", "feeds", "big", "");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['der(x) = k','when z > 10 then on = true']}");
    put(&t, "derived", "y-of-x", "{'model':'dtmi:t:Cell;1','property':'y','expression':'x * 2'}");
    put(&t, "derived", "y-of-big", "{'model':'dtmi:t:Big;1','property':'y','expression':'x * 3'}");
    put(&t, "derived", "y-of-b", "{'twin':'b','property':'y','expression':'x + 100'}");
    put(&t, "derived", "z-sum", "{'model':'dtmi:t:Cell;1','property':'z','expression':'SUM(out.feeds.y)'}");
    rig_must(&t, rig_begin(&t, NULL));
    for (int at = 0; at < 20; at++) {
        rig_must(&t, rig_run(&t, at));
        double a = 1 + 0.5 * at, b = 2 + 0.25 * at, big = 3 + 0.125 * at;
        double want[] = {2 * a, b + 100, 3 * big, 2 * a + b + 100 + 3 * big};
        double got[] = {rig_value(&t, "a", "y"), rig_value(&t, "b", "y"), rig_value(&t, "big", "y"),
                        rig_value(&t, "sum", "z")};
        for (int i = 0; i < 4; i++) assert_true(fabs(got[i] - want[i]) < 1e-9 * want[i]);
    }
    assert_true(rig_value(&t, "sum", "on") == 1);
    uint32_t n;
    (void)rates_notes(t.r, &n);
    assert_int_equal(n, 0);
    rig_close(&t);
}

// Nothing that no statement reads is taken: it would bind twins together for nothing.
static void nobody_reads_it(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':1,'z':7");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['der(x) = 1']}");
    put(&t, "derived", "z", "{'model':'dtmi:t:Cell;1','property':'z','expression':'x * 2'}");
    put(&t, "derived", "past", "{'model':'dtmi:t:Cell;1','property':'k','expression':'AVG(x, 1h)'}");
    rig_must(&t, rig_begin(&t, NULL));
    uint32_t n;
    (void)rates_notes(t.r, &n);
    assert_int_equal(n, 0);
    rig_must(&t, rig_run(&t, 5));
    uint32_t column = UINT32_MAX;
    (void)rig_cell(&t, t.s, "a", "z", &column);
    assert_true(column == UINT32_MAX); // it is no column of the run
    rig_close(&t);
}

// ---- for watches alone ----------------------------------------------------------------------------------------------

static Err ask(Rig *t, const char *twin, const char *text) {
    Diag d;
    View v;
    RatesAsk a = {.name = STR("k"), .text = str_of(text), .extremes = true};
    diag_init(&d);
    view_begin(&v, t->lab.w);
    a.twin = view_find_twin(&v, str_of(twin)).v;
    view_end(&v);
    return rig_why(t, rates_watch(t->r, &a, &d), &d);
}

static void watched_is(const Rig *t, uint32_t watch, double now, double sum) {
    RatesWatched w;
    rates_watched(t->r, t->s, watch, 0, &w);
    if (!(fabs(w.now - now) <= 1e-9 * fabs(now)) || !(fabs(w.sum - sum) <= 1e-8 * fabs(sum)))
        fail_msg("watch %u: %.17g and %.17g, not %.17g and %.17g", watch, w.now, w.sum, now, sum);
}

static void start_watched(Rig *t, const char *const (*texts)[2], size_t n) {
    rig_must(t, rig_make(t, &(RatesOptions){.rtol = 1e-10, .atol = 1e-13}));
    for (size_t i = 0; i < n; i++) rig_must(t, ask(t, texts[i][0], texts[i][1]));
    t->s = rig_sim(t, 1, 1);
    rig_must(t, rig_start_sim(t, t->s));
}

static uint32_t notes_of(const Rig *t) {
    uint32_t n;
    (void)rates_notes(t->r, &n);
    return n;
}

// Sums of what has definitions itself, ratios, twins of their own: the closed forms, though no statement reads any.
static void aside(void **state) {
    (void)state;
    static const char *const TEXTS[][2] = {{"sum", "z"},
                                           {"sum", "z / SUM(out.feeds.x)"},
                                           {"b", "y"},
                                           {"big", "y + x"},
                                           {"sum", "SUM(out.feeds.m)"},
                                           {"c", "y"},
                                           {"sum", "AVG(out.feeds.y WHERE x < 2)"},
                                           {"a", "IF(hot, 1, 0)"}};
    Rig t;
    rig_open(&t);
    rig_twin(&t, "sum", "Cell", "'x':0,'z':-1");
    rig_twin(&t, "a", "Cell", "'x':1,'k':0.5,'y':0,'n':0,'m':-1");
    rig_twin(&t, "b", "Cell", "'x':2,'k':0.25,'y':0,'n':10,'m':-1");
    rig_twin(&t, "c", "Cell", "'x':2,'k':0,'y':0,'n':1,'m':-1");
    rig_twin(&t, "big", "Big", "'x':3,'k':0.125,'y':0,'n':100,'m':-1");
    rig_link(&t, "sum", "feeds", "a", "");
    rig_link(&t, "sum", "feeds", "b", "");
    rig_link(&t, "sum", "feeds", "big", "");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['der(x) = k','every 10s do n = n + 1']}");
    put(&t, "derived", "y-of-x", "{'model':'dtmi:t:Cell;1','property':'y','expression':'x * 2'}");
    put(&t, "derived", "y-of-big", "{'model':'dtmi:t:Big;1','property':'y','expression':'x * 3'}");
    put(&t, "derived", "y-of-b", "{'twin':'b','property':'y','expression':'x + 100'}");
    put(&t, "derived", "y-of-c", "{'twin':'c','property':'y','expression':'n * 7'}");
    put(&t, "derived", "z-sum", "{'model':'dtmi:t:Cell;1','property':'z','expression':'SUM(out.feeds.y)'}");
    put(&t, "derived", "m-of-n", "{'model':'dtmi:t:Cell;1','property':'m','expression':'n + 1'}");
    put(&t, "derived", "hot", "{'model':'dtmi:t:Cell;1','property':'hot','expression':'y > 3'}");
    start_watched(&t, TEXTS, sizeof TEXTS / sizeof *TEXTS);
    assert_int_equal(notes_of(&t), 0);
    for (double at = 4; at < 30; at += 4) {
        rig_must(&t, rig_run(&t, at));
        double q = at * at / 2, a = at + 0.25 * at * at, b = 2 * at + 0.25 * q, big = 3 * at + 0.125 * q;
        double xa = 1 + 0.5 * at, xb = 2 + 0.25 * at, xbig = 3 + 0.125 * at;
        double z = 2 * xa + xb + 100 + 3 * xbig, tens = floor(at / 10), steps = 0;
        for (double k = 0; k < 3; k++) steps += k * fmax(0, fmin(at, 10 * (k + 1)) - 10 * k);
        RatesWatched ratio;
        watched_is(&t, 0, z, 2 * a + b + 100 * at + 3 * big);
        rates_watched(t.r, t.s, 1, 0, &ratio);
        assert_true(fabs(ratio.now - z / (xa + xb + xbig)) < 1e-9 * ratio.now && ratio.least == ratio.now);
        watched_is(&t, 2, xb + 100, b + 100 * at);
        watched_is(&t, 3, 4 * xbig, 4 * big);
        watched_is(&t, 4, 113 + 3 * tens, 113 * at + 3 * steps);
        watched_is(&t, 5, 7 + 7 * tens, 7 * at + 7 * steps);
        RatesWatched below; // a alone is below 2, for 2 s
        rates_watched(t.r, t.s, 6, 0, &below);
        assert_true(isnan(below.now) && fabs(below.known - 2) < 1e-6 && fabs(below.sum - 6) < 1e-5);
        watched_is(&t, 7, 1, at - 1);
        // What nothing but a watch reads is no business of the run.
        assert_true(rig_value(&t, "sum", "z") == -1 && rig_value(&t, "a", "y") == 0 && rig_value(&t, "a", "m") == -1);
    }
    rig_close(&t);
}

// What a twin of another definition has not, it has as the world has it; what cannot be taken stands still and says so.
static void aside_or_still(void **state) {
    (void)state;
    static const char *const TEXTS[][2] = {{"a", "SUM(out.feeds.y)"}, {"a", "z"}, {"a", "k"}, {"a", "m + 0"}};
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':1,'y':5,'z':6,'k':7,'m':8");
    rig_twin(&t, "b", "Cell", "'x':1,'y':50,'z':60,'k':70,'m':80");
    rig_twin(&t, "c", "Cell", "'x':1,'y':500,'z':600,'k':700,'m':800");
    rig_link(&t, "a", "feeds", "b", "");
    rig_link(&t, "a", "feeds", "c", "");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['der(x) = 1']}");
    put(&t, "derived", "y-of-b", "{'twin':'b','property':'y','expression':'x * 2'}");
    put(&t, "derived", "past", "{'model':'dtmi:t:Cell;1','property':'z','expression':'AVG(x, 1h)'}");
    put(&t, "derived", "k", "{'model':'dtmi:t:Cell;1','property':'k','expression':'m + k'}");
    put(&t, "derived", "late", "{'model':'dtmi:t:Cell;1','property':'m','expression':'DELAY(x, 5s)'}");
    start_watched(&t, TEXTS, sizeof TEXTS / sizeof *TEXTS);
    rig_must(&t, rig_run(&t, 10));
    watched_is(&t, 0, 522, 5000 + 2 * 60);
    watched_is(&t, 1, 6, 60);
    watched_is(&t, 2, 7, 70);
    watched_is(&t, 3, 8, 80);
    noted(&t, "past", "AVG");
    noted(&t, "k", "needs itself");
    noted(&t, "late", "");
    rig_input(&t, t.s, 10, "c", "y", 501, 1); // it moves from outside, as others
    rig_must(&t, rig_run(&t, 20));
    watched_is(&t, 0, 543, 5000 + 5010 + 2 * 220);
    rig_close(&t);
}

// Two twins with definitions of their own of one property, which a statement reads: each has its own.
static void own_of_two(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':1");
    rig_twin(&t, "b", "Cell", "'x':1");
    rig_twin(&t, "c", "Cell", "'x':1");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['der(x) = 1','when y > 1000 then on = true']}");
    put(&t, "derived", "all", "{'model':'dtmi:t:Cell;1','property':'y','expression':'x'}");
    put(&t, "derived", "of-a", "{'twin':'a','property':'y','expression':'x + 10'}");
    put(&t, "derived", "of-b", "{'twin':'b','property':'y','expression':'x + 20'}");
    rig_must(&t, rig_begin(&t, NULL));
    rig_must(&t, rig_run(&t, 4));
    assert_true(fabs(rig_value(&t, "a", "y") - 15) < 1e-9 && fabs(rig_value(&t, "b", "y") - 25) < 1e-9);
    assert_true(fabs(rig_value(&t, "c", "y") - 5) < 1e-9);
    rig_close(&t);
}

// ---- not taken ------------------------------------------------------------------------------------------------------

typedef struct Case {
    const char *property, *expression, *why; // why NULL: taken
} Case;

// Each is read by a statement of its own. What would come to another value in SI is not taken.
static void some_are_not(void **state) {
    (void)state;
    static const Case cases[] = {
        {"y", "x * 2", NULL},
        {"y", "k * x", NULL},
        {"power", "power * 2", "circle"}, // with itself: the writer refuses it before
        {"power", "UNIT(level, `metre`) * 2", "dimension"},
        {"area", "area + area", "circle"},
        {"power", "power / 2 + flow", ""},
        {"set", "temp", NULL},
        {"set", "LEAST(temp, set)", "circle"},
        {"set", "temp + temp", "kelvin"},
        {"y", "AVG(x, 1h)", "AVG"},
        {"y", "IF(state = `on`, 1, 2)", NULL},
        {"n", "m + 1", NULL},
        {"n", "x * 2", "whole number"},
        {"n", "COUNT(out.feeds)", NULL},
        {"state", "CONCAT(state, `x`)", ""},
        {"y", "power * flow", ""},
        {"y", "x", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Case *c = &cases[i];
        char json[400];
        Rig t;
        rig_open(&t);
        rig_twin(&t, "a", "Cell", "'x':1,'k':2,'m':3,'n':4,'level':5,'temp':20,'set':21,'power':2,'state':'on'");
        snprintf(json, sizeof json, "{'model':'dtmi:t:Cell;1','say':['when IS_DEFINED(%s) then on = true']}",
                 c->property);
        rig_behaviour(&t, "d", json);
        snprintf(json, sizeof json, "{'model':'dtmi:t:Cell;1','property':'%s','expression':'%s'}", c->property,
                 c->expression);
        put(&t, "derived", "it", json);
        Err e = rig_begin(&t, NULL);
        rig_must(&t, e);
        bool circle = c->why && strcmp(c->why, "circle") == 0;
        noted(&t, circle ? "*" : "it", c->why);
        rig_close(&t);
    }
}

// A behaviour that says what a property is goes before; so it is when they need each other.
static void behaviours_first(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':1,'y':1,'z':1");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['y = x + 1','when y > 100 then on = true']}");
    put(&t, "derived", "y", "{'model':'dtmi:t:Cell;1','property':'y','expression':'x * 2'}");
    rig_must(&t, rig_begin(&t, NULL));
    noted(&t, "y", "a behaviour says");
    assert_true(rig_value(&t, "a", "y") == 2);
    rig_stop(&t);
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['y = z + 1']}");
    put(&t, "derived", "y", "{'model':'dtmi:t:Cell;1','property':'z','expression':'y * 2'}");
    rig_must(&t, rig_begin(&t, NULL));
    noted(&t, "*", "circle");
    assert_true(rig_value(&t, "a", "y") == 2 && rig_value(&t, "a", "z") == 1);
    rig_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(move_along),       cmocka_unit_test(nobody_reads_it), cmocka_unit_test(aside),
        cmocka_unit_test(aside_or_still),   cmocka_unit_test(own_of_two),      cmocka_unit_test(some_are_not),
        cmocka_unit_test(behaviours_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
