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
    Buf b = {0};
    buf_str_put(&b, str_of(collection));
    buf_byte(&b, 0);
    buf_str_put(&b, str_of(name));
    buf_byte(&b, 0);
    for (const char *p = json; *p; p++) buf_byte(&b, *p == '\'' ? '"' : *p == '`' ? '\'' : *p);
    lab_begin(&t->lab);
    assert_int_equal(lab_finish(&t->lab, world_do(t->lab.w, &(Change){.kind = CHANGE_DOC, .text = buf_str(&b)})),
                     ERR_OK);
    buf_free(&b);
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
        cmocka_unit_test(move_along),
        cmocka_unit_test(nobody_reads_it),
        cmocka_unit_test(some_are_not),
        cmocka_unit_test(behaviours_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
