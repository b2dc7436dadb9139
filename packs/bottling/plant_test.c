// SPDX-License-Identifier: Apache-2.0
// The emulated plant is deterministic, believable and hangs together.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/str.h"
#include "base/time.h"
#include "plant.h"
#include "plant_state.h"

#define MONDAY_7H "2026-11-23T06:00:00Z" // 07:00 at the plant

static int64_t at(const char *text) {
    int64_t ns;
    assert_true(time_parse(str_of(text), &ns));
    return ns;
}

static void run_for(Plant *p, int64_t seconds) {
    for (int64_t i = 0; i < seconds; i++) plant_step(p, 1);
}

// All readings of forty minutes as one number.
static uint64_t fingerprint(uint64_t seed, int64_t *readings) {
    Plant *p = plant_new(seed, at(MONDAY_7H));
    PlantValue v;
    uint64_t h = 0;
    *readings = 0;
    for (int i = 0; i < 2400; i++) {
        plant_step(p, 1);
        while (plant_next(p, &v)) {
            char line[256];
            int n = snprintf(line, sizeof line, "%s %s %.17g %lld %d %s %lld", v.twin, v.path, v.number,
                             (long long)v.count, v.flag, v.text ? v.text : "-", (long long)v.time_ns);
            h = h * 31 + str_hash((Str){line, n});
            ++*readings;
        }
    }
    plant_free(p);
    return h;
}

static void test_same_seed_same_values(void **state) {
    (void)state;
    int64_t a, b;
    uint64_t first = fingerprint(7, &a);
    assert_true(first == fingerprint(7, &b));
    assert_int_equal(a, b);
    assert_true(a > 400000); // some two hundred values a second
    assert_true(first != fingerprint(8, &b));
}

static void test_every_sensor_speaks_at_once(void **state) {
    (void)state;
    Plant *p = plant_new(1, at(MONDAY_7H));
    PlantValue v;
    int32_t n = 0;
    while (plant_next(p, &v)) n++;
    assert_int_equal(n, plant_sensors(p));
    assert_true(n > 600);
    assert_false(plant_next(p, &v)); // nothing new before time passes
    plant_free(p);
}

// Bounds that no reading of its kind may leave, by the end of its path.
static const struct {
    const char *path;
    double low, high;
} bounds[] = {
    {"level", 3, 100},
    {"humidity", 0, 100},
    {"power", 0, 1400},
    {"powerFactor", 0.7, 1},
    {"voltage", 10, 420},
    {"frequency", 49.7, 50.3},
    {"airTemperature", -20, 42},
    {"vibration", 0, 2.5},
    {"suctionPressure", 0, 5},
    {"battery", 10, 100},
    {"fuel", 5, 100},
    {"fill", 0, 105},
    {"current", 0, 2500},
    {"oilTemperature", 10, 95},
    {"availability", 0, 100},
    {"load", 0, 100},
    {"latitude", 44.2, 44.8},
    {"longitude", 10.5, 11.0},
    {"speed", 0, 40000},
    {"opening", 0, 100},
    {"rejectRate", 0, 8},
    {"waterDepth", 15, 30},
    {"ovenTemperature", 10, 130},
    {"beltSpeed", 0, 1.2},
};

static void assert_bounds(const PlantValue *v) {
    const char *dot = strrchr(v->path, '.'), *name = dot ? dot + 1 : v->path;
    double value = v->kind == PLANT_NUMBER ? v->number : (double)v->count;
    assert_true(isfinite(value));
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        if (strcmp(bounds[i].path, name) != 0) continue;
        if (value < bounds[i].low || value > bounds[i].high) {
            fail_msg("%s %s is %g, outside %g..%g", v->twin, v->path, value, bounds[i].low, bounds[i].high);
        }
    }
    if (v->kind == PLANT_COUNT && value < 0) fail_msg("%s %s counts %g", v->twin, v->path, value);
}

static void test_three_days_stay_believable(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        Plant *p = plant_new(seed, at("2026-06-04T21:10:00Z") + (int64_t)seed * 90 * 86400 * NS_PER_S);
        PlantValue v;
        for (int i = 0; i < 3 * 86400 / 5; i++) {
            plant_step(p, 5);
            if (i % 12) continue;
            while (plant_next(p, &v)) {
                if (v.kind == PLANT_NUMBER || v.kind == PLANT_COUNT) assert_bounds(&v);
            }
        }
        plant_free(p);
    }
}

static void test_speed_drives_counts_power_and_water(void **state) {
    (void)state;
    Plant *p = plant_new(3, at(MONDAY_7H));
    Line *l = &p->lines[0];
    while (l->fault_unit >= 0 || l->speed < 0.9 * l->target) plant_step(p, 1);
    double good = l->good, rejected = l->rejected, kw = l->power, water = l->water;
    double speed = l->speed;
    for (int i = 0; i < 60 && l->fault_unit < 0; i++) plant_step(p, 1);
    double made = l->good + l->rejected - good - rejected;
    assert_true(fabs(made - speed / 60) < speed / 60 * 0.05);
    while (!(plant_time(p) > at("2026-11-23T08:35:00Z"))) plant_step(p, 1); // 09:35: the break of line 1
    assert_string_equal(l->state, "idle");
    assert_true(l->speed < 1);
    assert_true(l->power < 0.3 * kw);
    assert_true(l->water < 0.2 * water);
    good = l->good;
    run_for(p, 60);
    assert_true(l->good == good);
    plant_free(p);
}

static void test_shifts_reset_counts(void **state) {
    (void)state;
    Plant *p = plant_new(2, at("2026-11-23T12:50:00Z"));
    Line *l = &p->lines[0];
    assert_string_equal(l->shift, "morning");
    assert_true(l->good > 100000);
    run_for(p, 15 * 60);
    assert_string_equal(l->shift, "afternoon");
    assert_true(l->good < 5000);
    plant_free(p);
}

static void test_water_balance(void **state) {
    (void)state;
    Plant *p = plant_new(5, at(MONDAY_7H));
    double before = p->raw.volume, in = p->intake_total, out = 0;
    for (int i = 0; i < 4 * 3600; i++) {
        plant_step(p, 1);
        out += p->treated * 1.03 / 3600;
    }
    assert_true(p->raw.volume > 1 && p->raw.volume < p->raw.capacity); // otherwise the clamp hides water
    assert_true(fabs(before + (p->intake_total - in) - out - p->raw.volume) < 0.01);
    assert_true(p->intake_total - in > 40); // the lines drank
    plant_free(p);
}

static void test_power_adds_up(void **state) {
    (void)state;
    Plant *p = plant_new(5, at(MONDAY_7H));
    double energy = p->meters[0].energy, sum = 0;
    for (int i = 0; i < 3600; i++) {
        plant_step(p, 1);
        sum += p->meters[0].power / 3600;
        double parts = p->meters[1].power + p->meters[2].power + p->meters[3].power;
        assert_true(p->meters[0].power > parts);
        assert_true(p->meters[0].power < parts + 120);
    }
    assert_true(fabs(p->meters[0].energy - energy - sum) < 0.01);
    plant_free(p);
}

// A fault begins, its machine says so, the machines before it block, those behind it starve, and it passes.
static void test_faults_come_and_pass(void **state) {
    (void)state;
    Plant *p = plant_new(11, at(MONDAY_7H));
    int jams = 0, cavitations = 0, left_open = 0;
    bool was = false, cav = false, open = false;
    for (int i = 0; i < 4 * 86400 / 3; i++) {
        plant_step(p, 3);
        Line *l = &p->lines[0];
        bool now = l->fault_unit == FILLER;
        if (now && strcmp(l->units[FILLER].state, "faulted") == 0) {
            assert_string_equal(l->units[RINSER].state, "blocked");
            assert_string_equal(l->units[CAPPER].state, "starved");
            assert_string_equal(l->units[FILLER].fault, "jam at infeed star");
        }
        jams += now && !was;
        was = now;
        bool c = p->pumps[0].fault[0] || p->pumps[1].fault[0] || p->pumps[2].fault[0];
        cavitations += c && !cav;
        cav = c;
        bool o = strcmp(p->rooms[1].alarm, "doorOpen") == 0;
        left_open += o && !open;
        open = o;
    }
    assert_true(jams >= 5 && jams < 200);
    assert_true(cavitations >= 2 && cavitations < 60);
    assert_true(left_open >= 1 && left_open < 30);
    plant_free(p);
}

static void test_open_door_warms_the_room(void **state) {
    (void)state;
    Plant *p = plant_new(4, at("2026-07-15T10:00:00Z"));
    Room *r = &p->rooms[0];
    run_for(p, 600);
    double before = r->temperature;
    r->open = true;
    r->open_left = 1500;
    run_for(p, 1400);
    assert_string_equal(r->alarm, "doorOpen");
    assert_true(r->open_min > 20);
    assert_true(r->temperature > before + 1);
    run_for(p, 4 * 3600);
    assert_true(fabs(r->temperature - r->set_point) < 2.5);
    plant_free(p);
}

static void test_trucks_make_their_tour(void **state) {
    (void)state;
    Plant *p = plant_new(6, at("2026-11-24T03:30:00Z"));
    double far = 0, km = p->trucks[0].odometer;
    bool delivered = false;
    for (int i = 0; i < 12 * 3600; i++) {
        plant_step(p, 1);
        double away = fabs(p->trucks[0].latitude - 44.3127);
        far = away > far ? away : far;
        delivered |= strcmp(p->trucks[0].state, "unloading") == 0 && p->trucks[0].leg == 1;
    }
    assert_true(far > 0.3);
    assert_true(delivered);
    assert_true(p->trucks[0].odometer - km > 100);
    plant_free(p);
}

static int tell(Plant *p, const char *twin, const char *command, const char *payload, const char *part) {
    Buf b = {0};
    int status = plant_command(p, str_of(twin), str_of(command), str_of(payload), &b);
    buf_byte(&b, 0);
    if (!strstr(b.p, part)) fail_msg("%d %s has no %s", status, b.p, part);
    buf_free(&b);
    return status;
}

// A jam that nobody clears stands for hours, over breaks and shifts; one that is cleared is over in half a minute.
static void test_a_jam_waits_for_somebody(void **state) {
    (void)state;
    Plant *p = plant_new(3, at(MONDAY_7H));
    Line *l = &p->lines[0];
    Buf b = {0};
    run_for(p, 60);
    assert_int_equal(plant_jam(p, STR("line-1"), &b), 200);
    assert_int_equal(plant_jam(p, STR("line-4"), &b), 404);
    buf_free(&b);
    run_for(p, 156 * 60); // the crew of line 1 has its break
    assert_string_equal(l->units[FILLER].state, "faulted");
    assert_string_equal(l->units[CAPPER].state, "idle");
    run_for(p, 144 * 60);
    assert_string_equal(l->units[FILLER].fault, "jam at infeed star");
    assert_string_equal(l->units[FILLER].state, "faulted");
    assert_string_equal(l->units[CAPPER].state, "starved");
    assert_true(l->speed == 0);
    assert_int_equal(tell(p, "line-1-filler", "reset", "", "clear the jam"), 409);
    assert_int_equal(tell(p, "line-1-filler", "clearJam", "{\"speed\":20000}", "\"seconds\":30,\"speed\":20000"), 200);
    run_for(p, 20);
    assert_int_equal(tell(p, "line-1-filler", "clearJam", "", "\"seconds\":10"), 200); // at it already
    assert_string_equal(l->units[FILLER].state, "faulted");
    run_for(p, 12);
    assert_string_equal(l->units[FILLER].fault, "");
    run_for(p, 60);
    assert_true(l->speed > 19000 && l->speed < 20500);
    assert_int_equal(tell(p, "line-1-filler", "clearJam", "{}", "no jam"), 409);
    assert_int_equal(tell(p, "line-1-filler", "setSpeed", "99999", "36000"), 200);
    run_for(p, 60);
    assert_true(l->fault_unit >= 0 || l->speed > 34000);
    plant_free(p);
}

// The filler tells for hours that something gathers in its star, then it jams as planned. Nobody comes for six hours.
static void test_a_filler_fouls_until_it_jams(void **state) {
    (void)state;
    int64_t start = at(MONDAY_7H), jam = at("2026-11-23T10:00:00Z");
    Plant *p = plant_new(3, start), *calm = plant_new(3, start);
    Line *l = &p->lines[0];
    plant_story(p, jam);
    run_for(p, 4 * 3600 - 60);
    run_for(calm, 4 * 3600 - 60);
    const Motor *m = &l->units[FILLER].motor, *quiet = &calm->lines[0].units[FILLER].motor;
    assert_string_equal(l->units[FILLER].state, "running");
    assert_true(m->vibration > quiet->vibration + 0.3);
    assert_true(m->temperature > quiet->temperature + 8);
    assert_true(m->current > 1.05 * quiet->current);
    assert_true(l->speed < 0.93 * calm->lines[0].speed);
    assert_true(l->reject_rate > calm->lines[0].reject_rate);
    assert_true(l->units[CAPPER].motor.vibration == calm->lines[0].units[CAPPER].motor.vibration ||
                l->units[CAPPER].motor.vibration < m->vibration);
    run_for(p, 120);
    assert_string_equal(l->units[FILLER].fault, "jam at infeed star");
    assert_string_equal(l->units[FILLER].state, "faulted");
    run_for(p, 6 * 3600 - 120); // over the break and the change of shifts
    assert_string_equal(l->units[FILLER].state, "faulted");
    run_for(p, 120);
    assert_string_equal(l->units[FILLER].fault, "");
    int64_t waited = 0; // a short stop of another machine may come
    for (; waited < 1200 && l->speed < 34000; waited++) run_for(p, 1);
    assert_true(waited < 1200);
    run_for(p, 30);
    assert_true(m->vibration < 0.3);
    plant_free(calm);
    plant_free(p);
}

// It fails while the line is to run, whenever that is asked for.
static void test_a_story_fits_the_calendar(void **state) {
    (void)state;
    for (int hour = 0; hour < 7 * 24; hour += 5) {
        int64_t start = at(MONDAY_7H) + hour * 3600 * NS_PER_S, jam = start + 3 * 3600 * NS_PER_S;
        Plant *p = plant_new(1, start);
        Line *l = &p->lines[0];
        plant_story(p, jam);
        double when = l->jams_at;
        assert_true(when <= 3 * 3600 && when > 2 * 3600);
        run_for(p, (int64_t)when - 1);
        assert_true(strcmp(l->state, "running") == 0 || l->fault_unit >= 0);
        run_for(p, 3);
        assert_string_equal(l->units[FILLER].state, "faulted");
        plant_free(p);
    }
}

// Who comes in the middle of a story meets one thing at a time; before and behind it is a plant like others.
static void test_a_story_is_told_in_calm(void **state) {
    (void)state;
    int elsewhere[3] = {0};
    for (uint64_t seed = 1; seed <= 8; seed++) {
        Plant *p = plant_new(seed, at(MONDAY_7H));
        plant_story(p, at(MONDAY_7H) + 3600 * NS_PER_S);
        for (int s = 0; s < 3 * 3600; s += 5) {
            bool had[2] = {p->lines[1].fault_unit >= 0, p->lines[2].fault_unit >= 0};
            run_for(p, 5);
            int part = s < 3600 + 25 * 60 ? 0 : s < 2 * 3600 ? 1 : 2;
            for (int i = 1; i <= 2; i++) elsewhere[part] += p->lines[i].fault_unit >= 0 && !had[i - 1];
        }
        plant_free(p);
    }
    assert_int_equal(elsewhere[1], 0);
    assert_true(elsewhere[0] > 5 && elsewhere[2] > 5);
}

// Its signs are not covered: a short stop of the line, and there are many, never lies in the last twenty minutes.
static void test_a_jam_is_announced(void **state) {
    (void)state;
    int stops = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        Plant *p = plant_new(seed, at(MONDAY_7H));
        const Line *l = &p->lines[0];
        plant_story(p, at(MONDAY_7H) + 3 * 3600 * NS_PER_S);
        int64_t jam = (int64_t)l->jams_at;
        for (int64_t s = 0; s < jam - 20 * 60; s += 10, run_for(p, 10)) stops += l->fault_unit >= 0;
        for (; l->jams_at < INFINITY; run_for(p, 1)) {
            bool shakes = l->units[FILLER].motor.vibration > 0.4; // 0.24 as a rule
            if (l->fault_unit >= 0 || !shakes) fail_msg("seed %d: covered", (int)seed);
        }
        plant_free(p);
    }
    assert_true(stops > 100);
}

static void test_commands_that_do_not_fit(void **state) {
    (void)state;
    Plant *p = plant_new(3, at(MONDAY_7H));
    assert_int_equal(tell(p, "line-1-filler", "clearJam", "{", "no JSON"), 400);
    assert_int_equal(tell(p, "line-1-filler", "clearJam", "{\"speed\":-1}", "bottles"), 400);
    assert_int_equal(tell(p, "line-1-filler", "setSpeed", "", "expected"), 400);
    assert_int_equal(tell(p, "line-1-filler", "setSpeed", "\"fast\"", "expected"), 400);
    assert_int_equal(tell(p, "line-1-capper", "setSpeed", "1", "no such command"), 404);
    assert_int_equal(tell(p, "line-3-blower", "reset", "", "nothing of that name"), 404); // it has a depalletiser
    assert_int_equal(tell(p, "line-3-depalletiser", "reset", "", "no fault"), 409);
    assert_int_equal(tell(p, "pump-4", "reset", "", "nothing of that name"), 404);
    assert_int_equal(tell(p, "pump-1", "reset", "", ""), 200);
    plant_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_values),
        cmocka_unit_test(test_every_sensor_speaks_at_once),
        cmocka_unit_test(test_three_days_stay_believable),
        cmocka_unit_test(test_speed_drives_counts_power_and_water),
        cmocka_unit_test(test_shifts_reset_counts),
        cmocka_unit_test(test_water_balance),
        cmocka_unit_test(test_power_adds_up),
        cmocka_unit_test(test_faults_come_and_pass),
        cmocka_unit_test(test_a_jam_waits_for_somebody),
        cmocka_unit_test(test_a_filler_fouls_until_it_jams),
        cmocka_unit_test(test_a_story_fits_the_calendar),
        cmocka_unit_test(test_a_story_is_told_in_calm),
        cmocka_unit_test(test_a_jam_is_announced),
        cmocka_unit_test(test_commands_that_do_not_fit),
        cmocka_unit_test(test_open_door_warms_the_room),
        cmocka_unit_test(test_trucks_make_their_tour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
