// SPDX-License-Identifier: Apache-2.0
// Shows: what is watched comes to what closed forms say, for what moves by events and for what moves between them; it
// does not depend on stops, lanes, saving and loading; and nothing that moves knows of it.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "sim/test_rates.h"

#define NEAR(a, b, tol)                                                                                                \
    do {                                                                                                               \
        double a_ = (a), b_ = (b);                                                                                     \
        if (!(fabs(a_ - b_) <= (tol))) print_message("%.17g is not %.17g\n", a_, b_);                                  \
        assert_true(fabs(a_ - b_) <= (tol));                                                                           \
    } while (0)

static const RatesOptions TIGHT = {.rtol = 1e-10, .atol = 1e-13};

static Err ask(Rig *t, const char *twin, RatesAsk a) {
    Diag d;
    View v;
    diag_init(&d);
    view_begin(&v, t->lab.w);
    a.twin = view_find_twin(&v, str_of(twin)).v;
    view_end(&v);
    if (!a.name.n) a.name = STR("k");
    return rig_why(t, rates_watch(t->r, &a, &d), &d);
}

// Watch texts of twins: "twin: expression".
static void watch(Rig *t, const char *const *texts, int n) {
    for (int i = 0; i < n; i++) {
        char twin[40];
        const char *colon = strchr(texts[i], ':');
        snprintf(twin, sizeof twin, "%.*s", (int)(colon - texts[i]), texts[i]);
        rig_must(t, ask(t, twin, (RatesAsk){.text = str_of(colon + 1), .extremes = true}));
    }
}

static void start(Rig *t, const RatesOptions *o, const char *const *texts, int n) {
    rig_must(t, rig_make(t, o));
    watch(t, texts, n);
    t->s = rig_sim(t, 1, 1);
    rig_must(t, rig_start_sim(t, t->s));
}

static RatesWatched of(const Rig *t, uint32_t watch) {
    RatesWatched w;
    rates_watched(t->r, t->s, watch, 0, &w);
    return w;
}

// A tank fills at 10 l/s until it is told 4 l/s at 30 s, and nothing from 50 s on.
static void by_events(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'flow':10,'on':true,'x':1");
    rig_behaviour(&t, "d", "{'twin':'a','say':['every 10s do on = NOT on']}");
    static const char *const TEXTS[] = {"a:flow", "a:on", "a:IF(on, 3, 1)", "a:k", "a:x / IF(on, 1, 0)"};
    start(&t, NULL, TEXTS, 5);
    rig_input(&t, t.s, 30, "a", "flow", 0.004, 1);
    rig_input(&t, t.s, 50, "a", "flow", (double)NAN, 1);
    rig_input(&t, t.s, 70, "a", "k", 5, 1);
    rig_must(&t, rig_run(&t, 95));
    RatesWatched flow = of(&t, 0), on = of(&t, 1), times = of(&t, 2), k = of(&t, 3), part = of(&t, 4);
    NEAR(flow.sum, 0.01 * 30 + 0.004 * 20, 1e-15);
    assert_true(flow.known == 50 && isnan(flow.now) && flow.least == 0.004 && flow.most == 0.01);
    assert_true(on.sum == 50 && on.known == 95); // 0-10, 20-30 ... 80-90 it is on, and not at 90-95
    assert_true(on.least == 0 && on.most == 1 && on.now == 0);
    assert_true(times.sum == 50 * 3 + 45 * 1);
    assert_true(k.sum == 125 && k.known == 25 && k.now == 5 && k.least == 5 && k.most == 5);
    assert_true(part.sum == 50 && part.known == 50); // undefined while it is off
    rig_close(&t);
}

// Closed forms of what moves between events.
static void between_events(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':2,'k':0.5,'y':0,'on':false");
    rig_twin(&t, "b", "Cell", "'x':4,'k':0.25,'y':0,'on':false");
    rig_link(&t, "a", "feeds", "b", "'w':3");
    rig_behaviour(&t, "d",
                  "{'model':'dtmi:t:Cell;1','say':['der(x) = -k * x','z = x * x',"
                  "'when x < 1 then on = true']}");
    static const char *const TEXTS[] = {"a:x",
                                        "a:z",
                                        "a:x + SUM(out.feeds.x)",
                                        "a:IF(x > 1, 1, 0)",
                                        "a:SIN(elapsed / 1s)",
                                        "a:on",
                                        "a:ABS(x - 1)",
                                        "a:COUNT(out.feeds WHERE x > 2)",
                                        "a:SQRT(x - 1)",
                                        "a:TABLE(UNIT(elapsed, 'second'), 0, 0, 3, 6, 7, 1)"};
    start(&t, &TIGHT, TEXTS, 10);
    rig_must(&t, rig_run(&t, 10));
    double ln2 = log(2), t1 = 2 * ln2, e5 = exp(-5), area = 4 * (1 - e5); // x falls below 1 at 2 ln 2
    NEAR(of(&t, 0).sum, area, 1e-9);
    NEAR(of(&t, 0).most, 2, 0);
    NEAR(of(&t, 0).least, 2 * e5, 1e-9);
    NEAR(of(&t, 1).sum, 4 * (1 - exp(-10)), 1e-8);
    NEAR(of(&t, 2).sum, area + 16 * (1 - exp(-2.5)), 1e-8);
    NEAR(of(&t, 3).sum, t1, 1e-9);
    NEAR(of(&t, 4).sum, 1 - cos(10), 1e-9);
    NEAR(of(&t, 4).most, 1, 1e-9);
    NEAR(of(&t, 4).least, -1, 1e-9);
    NEAR(of(&t, 5).sum, 10 - t1, 1e-9);
    NEAR(of(&t, 6).sum, 4 * (1 - exp(-t1 / 2)) - t1 + (10 - t1) - 4 * (exp(-t1 / 2) - e5), 1e-7);
    NEAR(of(&t, 6).least, 0, 1e-7);
    NEAR(of(&t, 7).sum, 4 * ln2, 1e-6); // b halves in 4 ln 2
    NEAR(of(&t, 8).known, t1, 1e-6);    // of no value behind it
    NEAR(of(&t, 9).sum, 3 * 6 / 2.0 + 4 * 7 / 2.0 + 3, 1e-9);
    assert_true(of(&t, 0).known == 10 && of(&t, 4).known == 10);
    rig_close(&t);
}

// The top of a swing lies between looks.
static void extremes(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'x':0,'y':1");
    rig_behaviour(&t, "d", "{'model':'dtmi:t:Cell;1','say':['der(x) = y','der(y) = -x']}");
    static const char *const TEXTS[] = {"a:x", "a:x * x", "a:x + y"};
    start(&t, &TIGHT, TEXTS, 3);
    rig_must(&t, rig_run(&t, 1));
    NEAR(of(&t, 0).most, sin(1), 1e-9);
    rig_must(&t, rig_run(&t, 6));
    NEAR(of(&t, 0).most, 1, 1e-9);
    NEAR(of(&t, 0).least, -1, 1e-9);
    NEAR(of(&t, 1).sum, 3 - sin(12) / 4, 1e-8);
    NEAR(of(&t, 2).most, sqrt(2), 1e-9);
    rig_close(&t);
}

// ---- nothing depends on it ------------------------------------------------------------------------------------------

#define STORM                                                                                                          \
    "{'model':'dtmi:t:Cell;1','say':['der(x) = flow / 1 `litrePerSecond` - x * k','y = x * 2 + "                       \
    "COALESCE(SUM(in.near.z), 0)','z = x + SIN(elapsed / 7s)','when x > 3 then n = n + 1, x = 0.5',"                   \
    "'every 3s do k = RANDOM_UNIFORM(0.05, 0.3)','at rate 0.05 * x do m = m + 1','der(temp) = 0.01']}"

static const char *const STORM_TEXTS[] = {"c0:x",
                                          "c1:y * x",
                                          "c2:n",
                                          "c3:SUM(out.feeds.x)",
                                          "c4:MAX(in.feeds.y) - temp / 1 'kelvin'",
                                          "c0:IF(x > 1, 1, 0)",
                                          "c5:AVG(out.feeds.z WHERE on)",
                                          "c6:m + n",
                                          "c2:SIN(elapsed / 5s)",
                                          "c8:extra + x",
                                          "c1:SUM(out.feeds.pump.speed)",
                                          "c0:IF(hot, 1, 0) + n",
                                          "c3:pump.speed / (1 + m)",
                                          "c2:set - temp",
                                          "c4:COUNT(in.feeds WHERE hot)",
                                          "c6:COUNT(out.feeds WHERE pump.on)",
                                          "c5:pump.on"};
// Derived values that watches alone read.
static const char *const STORM_DERIVED[][2] = {
    {"extra", "{'model':'dtmi:t:Big;1','property':'extra','expression':'SUM(in.feeds.pump.speed)'}"},
    {"hot", "{'model':'dtmi:t:Cell;1','property':'hot','expression':'pump.speed > 2'}"},
    {"on", "{'model':'dtmi:t:Cell;1','property':'pump.on','expression':'n > m'}"},
    {"set", "{'model':'dtmi:t:Cell;1','property':'set','expression':'temp'}"},
    {"speed", "{'model':'dtmi:t:Cell;1','property':'pump.speed','expression':'x + SUM(out.feeds.k)'}"},
    {"speed3", "{'twin':'c3','property':'pump.speed','expression':'n * 2'}"}};
#define STORM_COUNT ((int)(sizeof STORM_TEXTS / sizeof *STORM_TEXTS))

static uint64_t next_random(uint64_t *s) {
    *s ^= *s << 13;
    *s ^= *s >> 7;
    return *s ^= *s << 17;
}

static void storm(Rig *t) {
    rig_open(t);
    for (int i = 0; i < 9; i++) {
        char name[16], values[200];
        snprintf(name, sizeof name, "c%d", i);
        snprintf(values, sizeof values, "'x':%g,'k':0.1,'flow':%g,'n':0,'m':0,'temp':20%s", 0.3 * i, 0.2 + 0.1 * i,
                 i % 2 ? ",'on':true" : "");
        rig_twin(t, name, i == 8 ? "Big" : "Cell", values);
    }
    for (int i = 0; i < 8; i++) {
        char from[16], to[16];
        snprintf(from, sizeof from, "c%d", i);
        snprintf(to, sizeof to, "c%d", (i * 5 + 4) % 9);
        rig_link(t, from, "feeds", to, "'w':1");
        if (i < 3) rig_link(t, from, "near", to, "");
    }
    rig_behaviour(t, "d", STORM);
    for (size_t i = 0; i < sizeof STORM_DERIVED / sizeof *STORM_DERIVED; i++)
        rig_document(t, "derived", STORM_DERIVED[i][0], STORM_DERIVED[i][1]);
}

// All that was told, as bytes.
typedef struct Told {
    Buf bytes;
    Sim *s;
} Told;

static bool keep_told(void *ctx, sim_time at, uint16_t lane, const SimCell *cells, uint32_t n) {
    Told *k = ctx;
    buf_put(&k->bytes, &at, sizeof at);
    buf_put(&k->bytes, &lane, sizeof lane);
    for (uint32_t i = 0; i < n; i++) {
        SimColumn c = sim_column_of(k->s, cells[i].column);
        buf_put(&k->bytes, &c.col, sizeof c.col);
        buf_put(&k->bytes, &cells[i].row, sizeof cells[i].row);
        buf_put(&k->bytes, &cells[i].value, sizeof cells[i].value);
    }
    return true;
}

static Sim *storm_sim(Rig *t, uint16_t lanes) {
    SimOpen o = {.graph = t->g, .epoch_ns = RIG_EPOCH, .seed = 5, .lanes = lanes, .output_s = 2.5};
    Diag d;
    View v;
    diag_init(&d);
    for (uint16_t i = 0; i < lanes; i++) o.scenario[i] = i;
    Sim *s = sim_new(&o);
    rig_must(t, rig_why(t, rates_add(t->r, s, &d), &d));
    view_begin(&v, t->lab.w);
    assert_int_equal(sim_gather(s, &v, 0xff), ERR_OK);
    view_end(&v);
    return s;
}

static void run_told(Rig *t, Sim *s, double until, Told *told) {
    Diag d;
    diag_init(&d);
    told->s = s;
    rig_must(t, rig_why(t, sim_run(s, until, 0, &(SimSink){.ctx = told, .told = keep_told}, NULL, &d), &d));
}

// With and without watches the same cells are told at the same times, to the last bit, in 1 and 8 lanes.
static void unseen(void **state) {
    (void)state;
    for (uint16_t lanes = 1; lanes <= 8; lanes += 7) {
        Rig t;
        Told plain = {0}, seen = {0};
        storm(&t);
        for (int pass = 0; pass < 2; pass++) {
            rig_must(&t, rig_make(&t, NULL));
            if (pass) watch(&t, STORM_TEXTS, STORM_COUNT);
            Sim *s = storm_sim(&t, lanes);
            rig_must(&t, rig_start_sim(&t, s));
            run_told(&t, s, 60, pass ? &seen : &plain);
            sim_free(s);
        }
        assert_true(plain.bytes.n > 1000);
        assert_int_equal(plain.bytes.n, seen.bytes.n);
        assert_memory_equal(plain.bytes.p, seen.bytes.p, (size_t)plain.bytes.n);
        buf_free(&plain.bytes);
        buf_free(&seen.bytes);
        rig_close(&t);
    }
}

static void same_watched(const Rig *t, const Sim *a, uint16_t la, const Sim *b, uint16_t lb, uint64_t seed) {
    for (uint32_t w = 0; w < rates_watches(t->r); w++) {
        RatesWatched x, y;
        rates_watched(t->r, a, w, la, &x);
        rates_watched(t->r, b, w, lb, &y);
        if (memcmp(&x, &y, sizeof x) == 0) continue;
        fail_msg("seed %llu, watch %u: %.17g %.17g %.17g %.17g, %.17g %.17g %.17g %.17g", (unsigned long long)seed, w,
                 x.sum, x.known, x.least, x.most, y.sum, y.known, y.least, y.most);
    }
}

// Stopped anywhere, saved and loaded anywhere, alone or with others in lanes: the same to the last bit.
static void whole_and_pieces(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        uint64_t rnd = seed * 77777;
        Rig t;
        Told told = {0};
        storm(&t);
        rig_must(&t, rig_make(&t, NULL));
        watch(&t, STORM_TEXTS, STORM_COUNT);
        Sim *whole = storm_sim(&t, 1), *pieces = storm_sim(&t, 1), *many = storm_sim(&t, 8);
        rig_must(&t, rig_start_sim(&t, whole));
        rig_must(&t, rig_start_sim(&t, pieces));
        rig_must(&t, rig_start_sim(&t, many));
        run_told(&t, whole, 40, &told);
        run_told(&t, many, 40, &told);
        for (double at = 0; at < 40;) {
            at = fmin(40, at + (double)(next_random(&rnd) % 1000) / 250);
            run_told(&t, pieces, at, &told);
            if (next_random(&rnd) % 3) continue;
            Buf bytes = {0};
            Diag d;
            diag_init(&d);
            sim_save(pieces, &bytes);
            sim_free(pieces);
            pieces = storm_sim(&t, 1);
            rig_must(&t, rig_why(&t, sim_load(pieces, buf_str(&bytes), &d), &d));
            buf_free(&bytes);
        }
        same_watched(&t, whole, 0, pieces, 0, seed);
        same_watched(&t, whole, 0, many, 0, seed);
        assert_true(sim_hash(whole) == sim_hash(pieces));
        buf_free(&told.bytes);
        sim_free(whole);
        sim_free(pieces);
        sim_free(many);
        rig_close(&t);
    }
}

// Eight lanes that are stopped after some instants: in each of them it is counted up to there, and it goes on the same.
static void lanes_stopped(void **state) {
    (void)state;
    uint64_t rnd = 99;
    Rig t;
    Told told = {0};
    Diag d;
    storm(&t);
    diag_init(&d);
    rig_must(&t, rig_make(&t, NULL));
    watch(&t, STORM_TEXTS, STORM_COUNT);
    Sim *whole = storm_sim(&t, 8), *steps = storm_sim(&t, 8);
    rig_must(&t, rig_start_sim(&t, whole));
    rig_must(&t, rig_start_sim(&t, steps));
    while (sim_now(steps) < 20) {
        SimSink sink = {.ctx = &told, .told = keep_told};
        told.s = steps;
        int64_t most = 1 + (int64_t)(next_random(&rnd) % 9);
        rig_must(&t, rig_why(&t, sim_run(steps, 40, most, &sink, NULL, &d), &d));
        run_told(&t, whole, sim_now(steps), &told);
        for (uint16_t lane = 0; lane < 8; lane++) same_watched(&t, whole, lane, steps, lane, 99);
    }
    assert_true(sim_hash(whole) == sim_hash(steps));
    buf_free(&told.bytes);
    sim_free(whole);
    sim_free(steps);
    rig_close(&t);
}

// Of what is wanted as of the end, a brief count knows that alone: the same as the long one does.
static void brief(void **state) {
    (void)state;
    RatesWatched all[2][STORM_COUNT];
    for (int pass = 0; pass < 2; pass++) {
        Rig t;
        Told told = {0};
        storm(&t);
        rig_must(&t, rig_make(&t, &(RatesOptions){.brief = pass}));
        for (int i = 0; i < STORM_COUNT; i++) {
            char twin[40];
            const char *colon = strchr(STORM_TEXTS[i], ':');
            snprintf(twin, sizeof twin, "%.*s", (int)(colon - STORM_TEXTS[i]), STORM_TEXTS[i]);
            rig_must(&t, ask(&t, twin, (RatesAsk){.text = str_of(colon + 1), .present = i % 2}));
        }
        Sim *s = storm_sim(&t, 8);
        rig_must(&t, rig_start_sim(&t, s));
        run_told(&t, s, 33, &told);
        for (uint32_t i = 0; i < STORM_COUNT; i++) rates_watched(t.r, s, i, 3, &all[pass][i]);
        buf_free(&told.bytes);
        sim_free(s);
        rig_close(&t);
    }
    for (int i = 0; i < STORM_COUNT; i++) {
        assert_memory_equal(&all[0][i].now, &all[1][i].now, sizeof all[0][i].now);
        if (i % 2 == 0) assert_memory_equal(&all[0][i], &all[1][i], sizeof all[0][i]);
    }
}

// Nothing is counted of what moves but the time with a value, from instant to instant.
static void brief_known(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'on':true,'x':1");
    rig_behaviour(&t, "d", "{'twin':'a','say':['der(x) = 1','every 10s do on = NOT on']}");
    rig_must(&t, rig_make(&t, &(RatesOptions){.brief = true}));
    rig_must(&t, ask(&t, "a", (RatesAsk){.text = STR("x / IF(on, 1, 0)"), .present = true}));
    t.s = rig_sim(&t, 1, 1);
    rig_must(&t, rig_start_sim(&t, t.s));
    rig_must(&t, rig_run(&t, 75));
    assert_true(of(&t, 0).known == 40 && isnan(of(&t, 0).now)); // 0-10, 20-30, 40-50, 60-70
    rig_must(&t, rig_run(&t, 83));
    NEAR(of(&t, 0).now, 84, 1e-9);
    assert_true(of(&t, 0).known == 43);
    rig_close(&t);
}

// ---- units ----------------------------------------------------------------------------------------------------------

static void refused(Rig *t, RatesAsk a, Err want, const char *part) {
    assert_int_equal(ask(t, "a", a), want);
    if (!strstr(t->why.p, part)) fail_msg("\"%s\" is not in: %s", part, t->why.p);
}

static void units(void **state) {
    (void)state;
    Rig t;
    rig_open(&t);
    rig_twin(&t, "a", "Cell", "'level':150,'power':2,'temp':20,'on':true");
    rig_must(&t, rig_make(&t, NULL));
    const struct {
        const char *text, *unit;
        bool integral;
        double factor, offset;
        const char *told;
    } good[] = {{"level", "", false, 0.01, 0, "centimetre"},
                {"level * 2", "metre", false, 1, 0, "metre"},
                {"power", "kilowattHour", true, 3.6e6, 0, "kilowattHour"},
                {"power", "", true, 1, 0, "kg·m²/s²"},
                {"temp", "degreeCelsius", false, 1, 273.15, "degreeCelsius"},
                {"temp - set", "kelvin", false, 1, 0, "kelvin"},
                {"IF(on, 1, 0)", "hour", true, 3600, 0, "hour"},
                {"IF(on, 1, 0)", "percent", false, 0.01, 0, "percent"},
                {"UNIT(power, 'kilowatt') * 0.2", "EUR", false, 1, 0, "EUR"},
                {"UNIT(power, 'kilowatt') / 3600 * 0.2", "EUR", true, 1, 0, "EUR"},
                {"flow", "m³", true, 1, 0, "m³"},
                {"n", "pieces", false, 1, 0, "pieces"},
                {"x * 2", "kilowatt", false, 1, 0, "kilowatt"}};
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        Err e =
            ask(&t, "a",
                (RatesAsk){.text = str_of(good[i].text), .unit = str_of(good[i].unit), .integral = good[i].integral});
        rig_must(&t, e);
        const RatesMeasure *m = rates_measure(t.r, n++);
        NEAR(m->factor, good[i].factor, 1e-12 * good[i].factor);
        NEAR(m->offset, good[i].offset, 0);
        assert_true(str_eq(m->unit, str_of(good[i].told)));
    }
    assert_int_equal(rates_watches(t.r), n);
    refused(&t, (RatesAsk){.text = STR("level"), .unit = STR("kilowatt")}, ERR_VALIDATION, "kilowatt");
    refused(&t, (RatesAsk){.text = STR("power"), .unit = STR("kilowatt"), .integral = true}, ERR_VALIDATION,
            "integral");
    refused(&t, (RatesAsk){.text = STR("x"), .unit = STR("kilowattHour"), .integral = true}, ERR_VALIDATION,
            "integral");
    refused(&t, (RatesAsk){.text = STR("power"), .unit = STR("EUR")}, ERR_VALIDATION, "UNIT(x");
    refused(&t, (RatesAsk){.text = STR("level + power")}, ERR_VALIDATION, "column 9");
    refused(&t, (RatesAsk){.text = STR("state")}, ERR_VALIDATION, "text");
    refused(&t, (RatesAsk){.text = STR("nothing")}, ERR_VALIDATION, "nothing");
    refused(&t, (RatesAsk){.text = STR("level +")}, ERR_SYNTAX, "KPI k");
    refused(&t, (RatesAsk){.text = STR("DELAY(level, 5s)")}, ERR_VALIDATION, "DELAY");
    refused(&t, (RatesAsk){.text = STR("RANDOM_UNIFORM(0, 1)")}, ERR_VALIDATION, "random");
    assert_int_equal(rates_watches(t.r), n);
    t.s = rig_sim(&t, 1, 1);
    rig_must(&t, rig_start_sim(&t, t.s));
    rig_must(&t, rig_run(&t, 1800));
    NEAR(of(&t, 2).sum / 3.6e6, 1, 1e-12);
    NEAR(of(&t, 6).sum / 3600, 0.5, 1e-12);
    rig_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_events),        cmocka_unit_test(between_events),
        cmocka_unit_test(extremes),         cmocka_unit_test(unseen),
        cmocka_unit_test(whole_and_pieces), cmocka_unit_test(units),
        cmocka_unit_test(lanes_stopped),    cmocka_unit_test(brief),
        cmocka_unit_test(brief_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
