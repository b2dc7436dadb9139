// SPDX-License-Identifier: Apache-2.0
// Shows: what behaviours say comes true, against closed forms and published values; events are where they must be; the
// same whatever the lanes, the stops, saving and loading.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "num/cvode.h"
#include "base/time.h"
#include "sim/test_rates.h"

#define NEAR(a, b, tol)                                                                                                \
    do {                                                                                                               \
        double a_ = (a), b_ = (b);                                                                                     \
        if (!(fabs(a_ - b_) <= (tol))) print_message("%.17g is not %.17g\n", a_, b_);                                  \
        assert_true(fabs(a_ - b_) <= (tol));                                                                           \
    } while (0)

static const RatesOptions TIGHT = {.rtol = 1e-9, .atol = 1e-12};

static void decay_and_definitions(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':2,'k':0.5");
    rig_twin(&t, "b", "Cell", "'x':4,'k':0.25");
    rig_twin(&t, "c", "Big", "'x':1,'extra':3");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['der(x) = -k * x','y = x * 2','z = y + 1']}");
    rig_must(&t, rig_begin(&t, &TIGHT));
    rig_must(&t, rig_run(&t, 3));
    NEAR(rig_value(&t, "a", "x"), 2 * exp(-1.5), 1e-8);
    NEAR(rig_value(&t, "b", "z"), 8 * exp(-0.75) + 1, 2e-8);
    assert_true(rig_value(&t, "c", "x") == 1); // no k: its rate has no value, so it rests
    assert_true(rig_value(&t, "c", "z") == 3);
    rig_close(&t);
}

static void oscillator(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':1,'y':0");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['der(x) = y','der(y) = -x']}");
    rig_must(&t, rig_begin(&t, &(RatesOptions){.rtol = 1e-11, .atol = 1e-13}));
    rig_must(&t, rig_run(&t, 200 * M_PI));
    NEAR(rig_value(&t, "a", "x"), 1, 1e-7);
    NEAR(rig_value(&t, "a", "y"), 0, 1e-7);
    rig_close(&t);
}

static void logistic(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':0.01");
    rig_behaviour(&t, "d",
                  "{'model':'dtmi:t:Cell;1','parameters':{'r':2,'cap':5},'say':['der(x) = r * x * (1 - x / cap)']}");
    rig_must(&t, rig_begin(&t, &TIGHT));
    for (int i = 1; i <= 6; i++) {
        rig_must(&t, rig_run(&t, i));
        NEAR(rig_value(&t, "a", "x"), 5 / (1 + (5 / 0.01 - 1) * exp(-2.0 * i)), 1e-7);
    }
    rig_close(&t);
}

// a feeds b over links, with units: two tanks whose levels even out, V conserved; closed form of the difference.
static void coupled_tanks(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'level':200,'area':2");
    rig_twin(&t, "b", "Cell", "'level':50,'area':2");
    rig_twin(&t, "lone", "Cell", "'level':70,'area':1");
    rig_link(&t, "a", "feeds", "b", "'w':0.01");
    rig_behaviour(&t, "tank",
                  "{'model':'dtmi:t:Cell;1','parameters':{'k':'1 `m^2/s`'},'say':["
                  "'flow = k * SUM(out.feeds.R.w) * (level - COALESCE(AVG(out.feeds.level), level))',"
                  "'der(level) = (SUM(in.feeds.flow) - flow) / area']}");
    rig_must(&t, rig_begin(&t, &TIGHT));
    rig_must(&t, rig_run(&t, 100));
    double d = 1.5 * exp(-0.01 * 100); // d' = -2 k w d / area
    NEAR(rig_value(&t, "a", "level"), 1.25 + d / 2, 1e-8);
    NEAR(rig_value(&t, "b", "level"), 1.25 - d / 2, 1e-8);
    NEAR(rig_value(&t, "a", "flow"), 0.01 * d, 1e-9);
    NEAR(rig_value(&t, "lone", "level"), 0.7, 1e-15);
    rig_close(&t);
}

static void bergman(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "p", "Cell", "'x':279,'y':0");
    rig_behaviour(&t, "glucose",
                  "{'model':'dtmi:t:Cell;1','parameters':{'Sg':'0.026 `1/min`','Gb':92,'k3':'0.025 `1/min`',"
                  "'Si':'5e-4 `1/min`','Ib':11},'say':["
                  "'der(x) = -(Sg + y * 1 `1/min`) * x + Sg * Gb',"
                  "'der(y) = k3 * (Si * (z - Ib) / 1 `1/min` - y)',"
                  "'z = TABLE(elapsed, 0m, 11, 2m, 26, 4m, 130, 6m, 85, 8m, 51, 10m, 49, 12m, 45, 14m, 41, 16m, 35, "
                  "19m, 30, 22m, 30, 27m, 27, 32m, 30, 42m, 22, 52m, 15, 62m, 15, 72m, 11, 82m, 10, 92m, 8, 102m, 11, "
                  "122m, 7, 142m, 8, 162m, 8, 182m, 7)']}");
    rig_must(&t, rig_begin(&t, &TIGHT));
    static const double AT[] = {10, 32, 62, 122, 182}; // simulation spec, Pacini and Bergman 1986
    static const double G[] = {229.717021, 147.180894, 99.984259, 87.426696, 92.802798};
    for (int i = 0; i < 5; i++) {
        rig_must(&t, rig_run(&t, AT[i] * 60));
        NEAR(rig_value(&t, "p", "x"), G[i], 1e-5);
    }
    rig_close(&t);
}

static void van_der_pol(void **state) {
    (void)state;
    const char *why;
    if (!cvode_found(&why)) {
        print_message("SKIP van_der_pol: %s\n", why);
        skip();
    }
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':2,'y':0,'k':1000");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['der(x) = y','der(y) = k * (1 - x * x) * y - x']}");
    rig_must(&t, rig_begin(&t, &(RatesOptions){.rtol = 1e-7, .atol = 1e-9}));
    rig_must(&t, rig_run(&t, 2000));
    // Mazzia and Magherini, Test Set for IVP Solvers 2008, vdpol scaled by mu: y(2) = 1.706167732170483
    NEAR(rig_value(&t, "a", "x"), 1.706167732170483, 2e-5);
    rig_close(&t);
}

// Stiff in two lanes of eight and not in others, with events, stopped and saved: the same bytes.
static void stiff_stops(void **state) {
    (void)state;
    if (!cvode_found(NULL)) skip();
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':2,'y':0,'k':2,'n':0,'z':0");
    rig_twin(&t, "b", "Cell", "'x':1,'y':0,'k':1,'n':0,'z':0");
    rig_behaviour(&t, "d",
                  "{'model':'dtmi:t:Cell;1','say':['der(x) = y','der(y) = k * (1 - x * x) * y - x',"
                  "'when x < 0 then n = n + 1, z = UNIT(elapsed, `second`)']}");
    rig_must(&t, rig_make(&t, NULL));
    Sim *whole = rig_sim(&t, 8, 5), *stopped = rig_sim(&t, 8, 5);
    rig_must(&t, rig_start_sim(&t, whole));
    rig_must(&t, rig_start_sim(&t, stopped));
    rig_input(&t, whole, 1, "a", "k", 500, 0x0c);
    rig_input(&t, stopped, 1, "a", "k", 500, 0x0c);
    rig_must(&t, rig_run_sim(&t, whole, 1000));
    for (int i = 1; i <= 20; i++) {
        rig_must(&t, rig_run_sim(&t, stopped, 50.0 * i));
        Buf b = {0};
        Diag d;
        diag_init(&d);
        sim_save(stopped, &b);
        Sim *other = rig_sim(&t, 8, 5);
        assert_int_equal(sim_load(other, buf_str(&b), &d), ERR_OK);
        diag_free(&d);
        sim_free(stopped);
        stopped = other;
        buf_free(&b);
    }
    assert_true(sim_hash(whole) == sim_hash(stopped));
    assert_true(rig_value_of(&t, whole, "a", "n", 2) == 1 && rig_value_of(&t, whole, "a", "n", 3) == 1);
    assert_true(rig_value_of(&t, whole, "a", "z", 2) == rig_value_of(&t, whole, "a", "z", 3));
    assert_true(rig_value_of(&t, whole, "a", "n", 0) > 100);
    sim_free(whole);
    sim_free(stopped);
    rig_close(&t);
}

// Free fall from h, restitution e: contact k is at sqrt(2h/g) (1 + 2 (e + ... + e^(k-1))).
static void bouncing_ball(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':10,'y':0,'z':0,'n':0");
    rig_behaviour(&t, "ball",
                  "{'model':'dtmi:t:Cell;1','say':['der(x) = y','der(y) = -9.81',"
                  "'when x <= 0 AND y < 0 then y = -0.8 * y, n = n + 1, z = UNIT(elapsed, `second`)']}");
    rig_must(&t, rig_begin(&t, &TIGHT));
    double first = sqrt(2 * 10 / 9.81), at = first, flight = 2 * first;
    for (int k = 1; k <= 12; k++) {
        flight *= k > 1 ? 0.8 : 1;
        if (k > 1) at += flight;
        rig_must(&t, rig_run(&t, at + 1e-6));
        assert_true(rig_value(&t, "a", "n") == k);
        NEAR(rig_value(&t, "a", "z"), at, 1e-9);
    }
    Err e = rig_run(&t, 100); // it comes to rest, and no step goes beyond that
    assert_int_equal(e, ERR_SIM_FAILED);
    assert_non_null(strstr(t.why.p, "when x <= 0"));
    assert_non_null(strstr(t.why.p, "a:"));
    NEAR(sim_now(t.s), first * (1 + 2 * 0.8 / 0.2), 1e-6);
    rig_close(&t);
}

// y' = -y(t - 1), y = 1 before: by the method of steps y is a polynomial on each [n, n+1].
static void delay(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':1");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['der(x) = -DELAY(x, 1s, 1)']}");
    rig_must(&t, rig_begin(&t, &TIGHT));
    for (int i = 1; i <= 30; i++) {
        double at = 0.25 * i, y = 0, f = 1;
        for (int k = 0; k <= at + 1; k++) { // sum of (-1)^k (t - (k-1))^k / k!
            if (k) f *= k;
            y += (k % 2 ? -1 : 1) * pow(at - (k - 1), k) / f;
        }
        rig_must(&t, rig_run(&t, at));
        NEAR(rig_value(&t, "a", "x"), y, 1e-7);
    }
    rig_close(&t);
}

// A history of too many steps is refused, and told.
static void delay_long(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':1,'y':0");
    rig_behaviour(&t, "d",
                  "{'model':'dtmi:t:Cell;1','say':['der(x) = 50 * y','der(y) = -50 * x','z = DELAY(x, 60s)']}");
    rig_must(&t, rig_begin(&t, &TIGHT));
    assert_int_equal(rig_run(&t, 60), ERR_SIM_FAILED);
    assert_non_null(strstr(t.why.p, "more than 256 steps within a DELAY of 60 s"));
    assert_non_null(strstr(t.why.p, "behaviour d, statement 3"));
    rig_close(&t);
}

static void every_and_acts(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':1,'y':2,'n':0,'m':0,'state':'idle'");
    rig_twin(&t, "b", "Cell", "'on':true,'n':0,'m':0");
    rig_link(&t, "a", "feeds", "b", "");
    rig_behaviour(&t, "d",
                  "{'twin':'a','say':['every 10s from 5s do x = y, y = x, n = n + 1',"
                  "'when n >= 3 then state = `busy`, out.feeds.on = false, pump.speed = 4 else state = `idle`',"
                  "'when state = `busy` then m = m + 10 * PRE(n)']}");
    rig_behaviour(&t, "e", "{'model':'dtmi:t:Cell;1','say':['initially k = 7','hot = NOT on']}");
    rig_must(&t, rig_begin(&t, NULL));
    assert_true(rig_value(&t, "a", "k") == 7 && rig_value(&t, "b", "k") == 7);
    assert_true(str_eq(rig_text(&t, "a", "state"), STR("idle")));
    rig_must(&t, rig_run(&t, 24.9));
    assert_true(rig_value(&t, "a", "x") == 1 && rig_value(&t, "a", "n") == 2 && rig_value(&t, "b", "hot") == 0);
    rig_must(&t, rig_run(&t, 25));
    assert_true(rig_value(&t, "a", "x") == 2 && rig_value(&t, "a", "y") == 1 && rig_value(&t, "a", "n") == 3);
    assert_true(rig_value(&t, "b", "on") == 0 && rig_value(&t, "b", "hot") == 1);
    assert_true(rig_value(&t, "a", "pump.speed") == 4);
    assert_true(str_eq(rig_text(&t, "a", "state"), STR("busy")));
    assert_true(rig_value(&t, "a", "m") == 20); // n was 2 before this instant
    rig_close(&t);
}

static void temperature(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'temp':20,'set':25,'x':0,'power':0");
    rig_behaviour(&t, "d",
                  "{'model':'dtmi:t:Cell;1','parameters':{'U':'0.2 `kW/K`','C':'1 `kilowattHour/K`'},'say':["
                  "'der(temp) = (power - U * (temp - 10)) / C',"
                  "'when temp < set - 2 then power = 6 `kilowatt`',"
                  "'when temp > 25.5 then power = 0',"
                  "'y = UNIT(temp, `degreeFahrenheit`)']}");
    rig_must(&t, rig_begin(&t, &TIGHT));
    assert_true(rig_value(&t, "a", "power") == 6000);
    rig_must(&t, rig_run(&t, 600));
    double a = 10 + 30 - 20 * exp(-0.2 * 600 / 3600); // towards 40 degrees
    NEAR(rig_value(&t, "a", "temp") - 273.15, a, 1e-6);
    NEAR(rig_value(&t, "a", "y"), a * 1.8 + 32, 1e-5);
    rig_must(&t, rig_run(&t, 3600 * 5));
    assert_true(rig_value(&t, "a", "temp") - 273.15 > 22.99 && rig_value(&t, "a", "temp") - 273.15 < 25.51);
    rig_close(&t);
}

// ---- refusals -------------------------------------------------------------------------------------------------------

static void refused(Rig *t, const char *say, const char *part) {
    Diag d;
    Buf json = {0}, why = {0};
    buf_printf(&json, "{\"model\":\"dtmi:t:Cell;1\",\"parameters\":{\"p\":\"2 'W/K'\"},\"say\":[\"x = 1\",");
    buf_byte(&json, '"');
    for (const char *p = say; *p; p++) buf_byte(&json, *p == '`' ? '\'' : *p);
    buf_printf(&json, "\"]}");
    View v;
    view_begin(&v, t->lab.w);
    diag_init(&d);
    Err e = behaviour_check(v.catalog, STR("doc"), buf_str(&json), &d);
    diag_print(&d, &why);
    buf_byte(&why, 0);
    if (e == ERR_OK || !strstr(why.p, part)) print_message("%s\n  gave: %s\n  and not: %s\n", say, why.p, part);
    assert_true(e != ERR_OK);
    assert_non_null(strstr(why.p, part));
    assert_non_null(strstr(why.p, "behaviour doc"));
    diag_free(&d);
    view_end(&v);
    buf_free(&json);
    buf_free(&why);
}

static void refusals(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    refused(&t, "der(level) = flow", "der(level) is m/s, and this is litrePerSecond (m³/s)");
    refused(&t, "der(level) = flow", "statement 2, column 14");
    refused(&t, "level = area + span", "squareMetre (m²) and minute (s) do not go together");
    refused(&t, "when level > span then on = true", "do not go together");
    refused(&t, "pressure = level", "pressure is pascal (kg/(m·s²)), and this is centimetre (m)");
    refused(&t, "y = levle", "has no property levle; is it level?");
    refused(&t, "y = on", "y is a number, and this is true or false");
    refused(&t, "on = state", "on is true or false, and this is a text");
    refused(&t, "der(n) = 1", "type double or float");
    refused(&t, "der(x) = RANDOM_NORMAL(0, 1)", "drawn in assignments");
    refused(&t, "y = SUM(in.feeds.SUM(in.feeds.x))", "statement 2");
    refused(&t, "y = SUM(in.blows.x)", "no model has a relationship blows");
    refused(&t, "y = SUM(in.feeds.nothing)", "no model at the other end has a property nothing");
    refused(&t, "y = AVG(x, 1h)", "use DELAY");
    refused(&t, "y = LENGTH(state)", "no function LENGTH");
    refused(&t, "y = SIN(level)", "no dimension");
    refused(&t, "y = 3 `furlongs`", "no unit is called 'furlongs'");
    refused(&t, "every now do x = 1", "expected a span of time");
    refused(&t, "when x then y = 1", "a condition must be true or false");
    refused(&t, "in.feeds.x = 3", "the twin's own property");
    refused(&t, "y = TABLE(x, 1, 2, 1, 3)", "ascend");
    refused(&t, "y = DELAY(x, k)", "constant span");
    refused(&t, "y =", "statement 2, column");
    refused(&t, "temp = p * 3", "temp is degreeCelsius (K), and this is");
    rig_close(&t);
}

static void makes(Rig *t, const char *part) {
    Err e = rig_make(t, NULL);
    if (!part) {
        rig_must(t, e);
        return;
    }
    assert_int_equal(e, ERR_VALIDATION);
    if (!strstr(t->why.p, part)) print_message("%s\n", t->why.p);
    assert_non_null(strstr(t->why.p, part));
}

static void together(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':1");
    rig_twin(&t, "b", "Big", "'x':1,'extra':2");
    rig_behaviour(&t, "one", "{'model':'dtmi:t:Cell;1','say':['y = 1','z = 1']}");
    makes(&t, NULL);
    rig_behaviour(&t, "two", "{'model':'dtmi:t:Cell;1','say':['y = 2']}");
    makes(&t, "y is said already by behaviour one, statement 1");
    rig_behaviour(&t, "two", "{'model':'dtmi:t:Big;1','say':['y = 2']}");
    rig_behaviour(&t, "three", "{'twin':'b','say':['z = 3']}");
    rig_must(&t, rig_begin(&t, NULL));
    assert_true(rig_value(&t, "a", "y") == 1 && rig_value(&t, "b", "y") == 2);
    assert_true(rig_value(&t, "a", "z") == 1 && rig_value(&t, "b", "z") == 3);
    rig_behaviour(&t, "three", "{'model':'dtmi:t:Cell;1','say':['k = x','x = k + y']}");
    makes(&t, "definitions in a circle: k of dtmi:t:Cell;1 needs x of dtmi:t:Cell;1 needs k of dtmi:t:Cell;1");
    rig_behaviour(&t, "three", "{'model':'dtmi:t:Cell;1','say':['initially y = 3']}");
    makes(&t, "an assignment of some statement sets it too");
    rig_behaviour(&t, "three", "{'twin':'nobody','say':['k = 3']}");
    makes(&t, "there is no twin nobody");
    rig_close(&t);
}

static void endless(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'n':0,'on':false");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['when on then on = false else on = true']}");
    assert_int_equal(rig_begin(&t, NULL), ERR_SIM_FAILED);
    assert_non_null(strstr(t.why.p, "when on then"));
    rig_close(&t);
}

// ---- chance ---------------------------------------------------------------------------------------------------------

// Births at rate 3/s, deaths at 0.2/s each: in the long run Poisson with mean 15. Twins are independent.
static void birth_death(void **state) {
    (void)state;
    enum { TWINS = 250 };
    Rig t;
    char name[32];
    rig_open(&t);
    for (int i = 0; i < TWINS; i++) {
        snprintf(name, sizeof name, "c%d", i);
        rig_twin(&t, name, "Cell", "'n':15");
    }
    rig_behaviour(&t, "d",
                  "{'model':'dtmi:t:Cell;1','say':['at rate 3 `1/s` do n = n + 1','at rate 0.2 * n do n = n - 1']}");
    rig_must(&t, rig_make(&t, NULL));
    Sim *s = rig_sim(&t, 8, 99);
    rig_must(&t, rig_start_sim(&t, s));
    rig_must(&t, rig_run_sim(&t, s, 30)); // six time constants
    double sum = 0, sq = 0, n = TWINS * 8;
    for (int i = 0; i < TWINS; i++) {
        snprintf(name, sizeof name, "c%d", i);
        for (uint32_t lane = 0; lane < 8; lane++) {
            double v = rig_value_of(&t, s, name, "n", lane);
            sum += v;
            sq += (v - 15) * (v - 15);
        }
    }
    NEAR(sum / n, 15, 4 * sqrt(15 / n));
    NEAR(sq / n, 15, 4 * sqrt((15 + 2 * 15 * 15) / n));
    sim_free(s);
    rig_close(&t);
}

// A hazard that grows with a state, rate = t: the first event has P(T > t) = exp(-t^2 / 2), mean sqrt(pi / 2).
static void growing_hazard(void **state) {
    (void)state;
    enum { TWINS = 300 };
    Rig t;
    char name[32];
    rig_open(&t);
    for (int i = 0; i < TWINS; i++) {
        snprintf(name, sizeof name, "c%d", i);
        rig_twin(&t, name, "Cell", "'x':0,'n':0,'z':0");
    }
    rig_behaviour(&t, "d",
                  "{'model':'dtmi:t:Cell;1','say':['der(x) = 1','at rate x do n = n + 1, z = n = 0 ? UNIT(elapsed, "
                  "`second`) : z']}");
    rig_must(&t, rig_make(&t, NULL));
    Sim *s = rig_sim(&t, 8, 7);
    rig_must(&t, rig_start_sim(&t, s));
    rig_must(&t, rig_run_sim(&t, s, 6));
    double sum = 0, count = 0, n = TWINS * 8;
    for (int i = 0; i < TWINS; i++) {
        snprintf(name, sizeof name, "c%d", i);
        for (uint32_t lane = 0; lane < 8; lane++) {
            sum += rig_value_of(&t, s, name, "z", lane);
            count += rig_value_of(&t, s, name, "n", lane);
        }
    }
    NEAR(sum / n, sqrt(M_PI / 2), 4 * sqrt((2 - M_PI / 2) / n));
    NEAR(count / n, 18, 4 * sqrt(18 / n)); // Poisson of the integral of t up to 6
    sim_free(s);
    rig_close(&t);
}

// ---- the same whatever happens --------------------------------------------------------------------------------------

static void open_mixed(Rig *t) {
    char name[32];
    rig_open(t);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "c%d", i);
        char v[200];
        snprintf(v, sizeof v, "'x':%g,'y':0,'k':%g,'level':%d,'area':1,'n':0,'m':0,'state':'a','on':true,'z':0",
                 1 + 0.1 * i, 0.2 + 0.01 * i, 50 + i);
        rig_twin(t, name, i % 3 ? "Cell" : "Big", v);
    }
    for (int i = 0; i + 1 < 20; i++) {
        char a[32], b[32];
        snprintf(a, sizeof a, "c%d", i);
        snprintf(b, sizeof b, "c%d", i + 1);
        if (i % 5 != 4) rig_link(t, a, "feeds", b, "'w':0.02");
    }
    rig_behaviour(t, "d",
                  "{'model':'dtmi:t:Cell;1','say':['der(x) = y','der(y) = -k * x',"
                  "'flow = 1 `m²/s` * SUM(out.feeds.R.w) * (level - COALESCE(AVG(out.feeds.level), level))',"
                  "'der(level) = (SUM(in.feeds.flow) - flow) / area',"
                  "'when x < -0.5 then n = n + 1, y = y * RANDOM_UNIFORM(0.9, 1.1)',"
                  "'every 7s do z = z + RANDOM_NORMAL(0, 1), m = m + RANDOM_POISSON(3)',"
                  "'at rate 0.05 * (1 + x * x) do y = y + 0.1',"
                  "'when level > 60 then state = `high` else state = `low`','hot = m > 20']}");
}

static void same_values(const Rig *t, Sim *a, uint32_t la, Sim *b, uint32_t lb) {
    for (uint32_t i = 0; i < sim_columns(a); i++) {
        const sim_col *x = sim_column_at(a, i), *y = sim_column_at(b, i);
        for (uint32_t k = 0; k < x->n; k++) {
            double u = x->v[(size_t)k * x->lanes + la], v = y->v[(size_t)k * y->lanes + lb];
            if (memcmp(&u, &v, 8) != 0 && (u == u || v == v)) {
                Buf n = {0};
                sim_cell_name(a, i, k, &n);
                print_message("%.*s: %.17g, %.17g\n", STR_ARG(buf_str(&n)), u, v);
            }
            assert_true(memcmp(&u, &v, 8) == 0 || (u != u && v != v));
        }
    }
    (void)t;
}

static void lanes_and_stops(void **state) {
    (void)state;
    Rig t;
    open_mixed(&t);
    rig_must(&t, rig_make(&t, NULL));
    Sim *wide = rig_sim(&t, 8, 5), *stopped = rig_sim(&t, 8, 5);
    rig_must(&t, rig_start_sim(&t, wide));
    rig_must(&t, rig_start_sim(&t, stopped));
    rig_input(&t, wide, 11.5, "c3", "k", 0.7, 0xf0);
    rig_input(&t, stopped, 11.5, "c3", "k", 0.7, 0xf0);
    rig_must(&t, rig_run_sim(&t, wide, 30));
    for (int i = 1; i <= 70; i++) {
        double at = i == 70 ? 30 : 30.0 * i / 70 + 0.001 * (i % 7);
        if (at > 30) break;
        rig_must(&t, rig_run_sim(&t, stopped, at));
        if (i % 10 == 3) { // saved, and gone on in another
            Buf b = {0};
            Diag d;
            diag_init(&d);
            sim_save(stopped, &b);
            Sim *other = rig_sim(&t, 8, 5);
            assert_int_equal(sim_load(other, buf_str(&b), &d), ERR_OK);
            diag_free(&d);
            sim_free(stopped);
            stopped = other;
            buf_free(&b);
        }
        if (i % 10 == 7) {
            Sim *other = sim_fork(stopped);
            sim_free(stopped);
            stopped = other;
        }
    }
    assert_true(sim_now(wide) == sim_now(stopped));
    for (uint32_t lane = 0; lane < 8; lane++) same_values(&t, wide, lane, stopped, lane);
    assert_true(sim_hash(wide) == sim_hash(stopped));
    for (uint32_t lane = 0; lane < 8; lane += 3) { // the same scenario alone
        SimOpen o = {.graph = t.g, .epoch_ns = RIG_EPOCH, .seed = 5, .lanes = 1, .scenario = {lane}};
        Diag d;
        View v;
        diag_init(&d);
        Sim *one = sim_new(&o);
        assert_int_equal(rates_add(t.r, one, &d), ERR_OK);
        view_begin(&v, t.lab.w);
        assert_int_equal(sim_gather(one, &v, 1), ERR_OK);
        view_end(&v);
        rig_must(&t, rig_start_sim(&t, one));
        if (lane >= 4) rig_input(&t, one, 11.5, "c3", "k", 0.7, 1);
        rig_must(&t, rig_run_sim(&t, one, 30));
        same_values(&t, wide, lane, one, 0);
        diag_free(&d);
        sim_free(one);
    }
    double n = 0, z = 0;
    for (uint32_t lane = 0; lane < 8; lane++) {
        n += rig_value_of(&t, wide, "c3", "n", lane);
        z += fabs(rig_value_of(&t, wide, "c3", "z", lane));
    }
    assert_true(n > 8 && z > 0); // something happened
    sim_free(wide);
    sim_free(stopped);
    rig_close(&t);
}

// A state that the outside sets goes on from there.
static void outside(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':1,'k':1");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['der(x) = -k * x']}");
    rig_must(&t, rig_make(&t, &TIGHT));
    t.s = rig_sim(&t, 1, 1);
    rig_must(&t, rig_start_sim(&t, t.s));
    rig_input(&t, t.s, 1, "a", "x", 5, 1);
    rig_input(&t, t.s, 2, "a", "k", 0, 1);
    rig_must(&t, rig_run(&t, 0.999));
    NEAR(rig_value(&t, "a", "x"), exp(-0.999), 1e-8);
    rig_must(&t, rig_run(&t, 10));
    NEAR(rig_value(&t, "a", "x"), 5 * exp(-1), 1e-7);
    rig_close(&t);
}

// Begun anew late, with a state that is not quite 0: the first step is one that time can tell.
static void sawtooth_for_long(void **state) {
    (void)state;
    for (int i = 1; i <= 12; i++) {
        Rig t;
        char doc[200];
        rig_open(&t);
        rig_twin(&t, "a", "Cell", "'x':0,'n':0");
        snprintf(doc, sizeof doc,
                 "{'model':'dtmi:t:Cell;1','say':['der(x) = %d / 3600000','when x >= 1 then x = x - 1, n = n + 1']}",
                 7 * i);
        rig_behaviour(&t, "d", doc);
        rig_must(&t, rig_begin(&t, NULL));
        rig_must(&t, rig_run(&t, 1e7));
        NEAR(rig_value(&t, "a", "n") + rig_value(&t, "a", "x"), 7 * i * 1e7 / 3600000, 1e-5);
        rig_close(&t);
    }
}

// A Sim that begins at a given instant.
static void begin_at(Rig *t, const char *when) {
    SimOpen o = {.graph = NULL, .seed = 1, .lanes = 1};
    Diag d;
    View v;
    assert_true(time_parse(str_of(when), &o.epoch_ns));
    rig_must(t, rig_make(t, NULL));
    o.graph = t->g;
    diag_init(&d);
    t->s = sim_new(&o);
    rig_must(t, rig_why(t, rates_add(t->r, t->s, &d), &d));
    view_begin(&v, t->lab.w);
    assert_int_equal(sim_gather(t->s, &v, 0xff), ERR_OK);
    view_end(&v);
    rig_must(t, rig_start_sim(t, t->s));
}

// The world's clock: hour and weekday in a zone, and events at a time of day or of the week, whenever the run begins.
static void clock_and_zone(void **state) {
    (void)state;
    static const struct {
        const char *when;
        double hour, day, first, shifts; // in the zone; s to the first 06:00; 06:00s in a week
    } CASES[] = {
        {"2026-11-23T00:00:00Z", 1, 1, 5 * 3600, 7},               // a Monday
        {"2026-11-22T23:30:00Z", 0.5, 1, 5.5 * 3600, 7},           // Sunday in UTC
        {"2026-11-29T05:00:00.5Z", 6 + 0.5 / 3600, 7, 86399.5, 7}, // just behind it
        {"2026-11-28T05:00:00Z", 6, 6, 0, 8},                      // at once, and at the end
        {"1969-12-31T23:00:00Z", 0, 4, 6 * 3600, 7},               // before 1970
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Rig t;
        rig_open(&t);
        rig_twin(&t, "a", "Cell", "'n':0,'m':0");
        rig_behaviour(&t, "d",
                      "{'model':'dtmi:t:Cell;1','zone':'+01:00','say':['initially x = hour, y = weekday, z = -1',"
                      "'every 1d at 6h do n = n + 1, z = z < 0 ? UNIT(elapsed, `second`) : z, k = hour',"
                      "'every 1w at 126h do m = weekday * 100 + hour','on = hour >= 6 AND hour < 14']}");
        begin_at(&t, CASES[i].when);
        NEAR(rig_value(&t, "a", "x"), CASES[i].hour, 1e-9);
        assert_true(rig_value(&t, "a", "y") == CASES[i].day);
        rig_must(&t, rig_run(&t, CASES[i].first + 1));
        assert_true(rig_value(&t, "a", "z") == CASES[i].first);
        assert_true(rig_value(&t, "a", "k") == 6); // to the last bit
        assert_true(rig_value(&t, "a", "on") == 1);
        rig_must(&t, rig_run(&t, CASES[i].first + 8 * 3600));
        assert_true(rig_value(&t, "a", "on") == 0);
        rig_must(&t, rig_run(&t, 7 * 86400));
        assert_true(rig_value(&t, "a", "n") == CASES[i].shifts);
        assert_true(rig_value(&t, "a", "m") == 606); // Saturday, 06:00
        rig_close(&t);
    }
}

static void clock_refusals(void **state) {
    (void)state;
    static const char *const CASES[][2] = {
        {"'zone':'+15:00','say':['x = 1']", "zone"},
        {"'zone':'+1:00','say':['x = 1']", "zone"},
        {"'zone':'+01:60','say':['x = 1']", "zone"},
        {"'zone':1,'say':['x = 1']", "zone"},
        {"'say':['every 5h at 1h do x = 1']", "a week must be a whole number of spans"},
        {"'say':['every 1d at noon do x = 1']", "expected a span"},
        {"'say':['x = SUM(out.feeds, hour * R.w)']", "no model at the other end has a property hour"},
        {"'say':['level = hour']", "a number without dimension"},
    };
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char doc[300];
        snprintf(doc, sizeof doc, "{'model':'dtmi:t:Cell;1',%s}", CASES[i][0]);
        rig_behaviour(&t, "d", doc);
        assert_int_not_equal(rig_make(&t, NULL), ERR_OK);
        if (!strstr(t.why.p, CASES[i][1])) fail_msg("%s: %s", CASES[i][0], t.why.p);
    }
    rig_close(&t);
}

// ---- what is told ---------------------------------------------------------------------------------------------------

typedef struct Log {
    Sim *s;
    Buf text;
} Log;

static bool log_told(void *ctx, sim_time at, uint16_t lane, const SimCell *cells, uint32_t n) {
    Log *l = ctx;
    assert_int_equal(lane, 0);
    buf_printf(&l->text, "%.6g:", at);
    for (uint32_t i = 0; i < n; i++) {
        buf_printf(&l->text, " ");
        sim_cell_name(l->s, cells[i].column, cells[i].row, &l->text);
        buf_printf(&l->text, "=%.6g", cells[i].value);
    }
    buf_printf(&l->text, "\n");
    return true;
}

// What moves all the time is told at times of output, and by an event at which it begins anew, or which is its own;
// without times of output at each event.
static void told_where_it_turns(void **state) {
    (void)state;
    static const char *const want[] = {"3.5: a.x=3.5 b.y=7 a.on=1\n6: a.x=6 b.y=12 b.k=3\n10: a.x=10 b.y=24\n",
                                       "3.5: a.x=3.5 a.on=1\n5: a.x=5 b.y=10\n6: b.y=12 b.k=3\n10: a.x=10 b.y=24\n"};
    for (int pass = 0; pass < 2; pass++) {
        Rig t;
        Diag d;
        View v;
        Log log = {0};
        rig_open(&t);
        diag_init(&d);
        rig_twin(&t, "a", "Cell", "'x':0,'on':false");
        rig_twin(&t, "b", "Cell", "'y':0,'k':2");
        rig_behaviour(&t, "d", "{'twin':'a','say':['der(x) = 1','when x > 3.5 then on = true']}");
        rig_behaviour(&t, "e", "{'twin':'b','say':['der(y) = k']}");
        rig_must(&t, rig_make(&t, NULL));
        SimOpen o = {.graph = t.g, .epoch_ns = RIG_EPOCH, .seed = 5, .lanes = 1, .output_s = pass ? 5 : 0};
        log.s = t.s = sim_new(&o);
        rig_must(&t, rig_why(&t, rates_add(t.r, t.s, &d), &d));
        view_begin(&v, t.lab.w);
        assert_int_equal(sim_gather(t.s, &v, 0xff), ERR_OK);
        view_end(&v);
        rig_must(&t, rig_start_sim(&t, t.s));
        rig_input(&t, t.s, 6, "b", "k", 3, 1);
        SimSink sink = {.ctx = &log, .told = log_told};
        rig_must(&t, rig_why(&t, sim_run(t.s, 10, 0, &sink, NULL, &d), &d));
        if (!pass) (void)sim_tell(t.s, &sink);
        buf_byte(&log.text, 0);
        assert_string_equal(log.text.p, want[pass]);
        buf_free(&log.text);
        rig_close(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decay_and_definitions),
        cmocka_unit_test(oscillator),
        cmocka_unit_test(logistic),
        cmocka_unit_test(coupled_tanks),
        cmocka_unit_test(bergman),
        cmocka_unit_test(van_der_pol),
        cmocka_unit_test(stiff_stops),
        cmocka_unit_test(bouncing_ball),
        cmocka_unit_test(delay),
        cmocka_unit_test(delay_long),
        cmocka_unit_test(every_and_acts),
        cmocka_unit_test(temperature),
        cmocka_unit_test(refusals),
        cmocka_unit_test(together),
        cmocka_unit_test(endless),
        cmocka_unit_test(birth_death),
        cmocka_unit_test(growing_hazard),
        cmocka_unit_test(lanes_and_stops),
        cmocka_unit_test(outside),
        cmocka_unit_test(sawtooth_for_long),
        cmocka_unit_test(clock_and_zone),
        cmocka_unit_test(clock_refusals),
        cmocka_unit_test(told_where_it_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
