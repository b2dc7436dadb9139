// SPDX-License-Identifier: Apache-2.0
// The emulated hospital: the same seed gives the same values; nobody is lost; rooms and people are as many as patients
// have of them; the rota is kept; commands are obeyed, and wrong ones refused.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/time.h"
#include "house.h"

extern const char hospital_graph[], hospital_graph_end[], hospital_definitions[], hospital_definitions_end[];

#define START (1764028800LL * NS_PER_S) // 2025-11-25T00:00:00Z, a Tuesday

static House *open_house(uint64_t seed, int64_t start_ns) {
    return house_new((Str){hospital_graph, hospital_graph_end - hospital_graph},
                     (Str){hospital_definitions, hospital_definitions_end - hospital_definitions}, seed, start_ns);
}

static uint64_t told(House *h, int seconds) {
    uint64_t hash = 0;
    PlantValue v;
    for (int i = 0; i <= seconds; i++) {
        while (house_next(h, &v)) {
            char text[200];
            int n = snprintf(text, sizeof text, "%s %s %.17g %lld %d %s %lld", v.twin, v.path, v.number,
                             (long long)v.count, v.flag, v.text ? v.text : "", (long long)v.time_ns);
            hash = hash * 31 + str_hash((Str){text, n});
        }
        house_step(h, 1);
    }
    return hash;
}

static void test_same_seed_same_values(void **state) {
    (void)state;
    House *a = open_house(3, START), *b = open_house(3, START), *c = open_house(4, START);
    uint64_t first = told(a, 3000);
    assert_true(first == told(b, 3000));
    assert_true(first != told(c, 3000));
    house_free(a);
    house_free(b);
    house_free(c);
}

// Silence is silence: what stays as it is is told again.
static void test_values_are_told_again(void **state) {
    (void)state;
    House *h = open_house(3, START);
    PlantValue v;
    int first = 0, later = 0;
    while (house_next(h, &v)) first++;
    for (int i = 0; i < 19; i++) {
        house_step(h, 1);
        while (house_next(h, &v)) later++;
    }
    assert_true(first > 600 && later < first / 10);
    house_step(h, 1);
    while (house_next(h, &v)) later++;
    assert_true(later >= first);
    house_free(h);
}

static double sum(const House *h, const char *const *names, const char *path) {
    double v = 0;
    for (; *names; names++) v += house_value(h, *names, path);
    return v;
}

static const char *const cubicle_steps[] = {"majors-assess",  "majors-examine",  "majors-laboratory", "majors-imaging",
                                            "majors-observe", "majors-treat",    "majors-decide",     "majors-home",
                                            "majors-medical", "majors-surgical", "majors-critical",   NULL};
static const char *const bay_steps[] = {"resus-stabilise", "resus-imaging",  "resus-decide",   "resus-home",
                                        "resus-medical",   "resus-surgical", "resus-critical", NULL};
static const char *const others[] = {"reception",
                                     "triage",
                                     "ambulance-handover",
                                     "minors",
                                     "majors-place",
                                     "resus-place",
                                     "elective-lounge",
                                     "amu",
                                     "icu",
                                     "discharge-lounge",
                                     "ward-1",
                                     "ward-2",
                                     "ward-3",
                                     "ward-4",
                                     "ward-5",
                                     "ward-6",
                                     "ward-7",
                                     "ward-8",
                                     NULL};
static const char *const doors[] = {"walk-ins", "ambulances", "electives", NULL}, *const exits[] = {
                                                                                      "home", "left-unseen", NULL};

static double inside(const House *h) {
    return sum(h, others, "present") + sum(h, cubicle_steps, "present") + sum(h, bay_steps, "present");
}

// Quarter by quarter of an hour through a day, from its midnight on.
static void test_nobody_is_lost_and_rooms_are_theirs(void **state) {
    (void)state;
    House *h = open_house(7, START);
    double begin = inside(h);
    assert_true(begin > 200 && begin < 360);
    for (int k = 1; k < 96; k++) {
        for (int i = 0; i < 900; i++) house_step(h, 1);
        assert_true(inside(h) == begin + sum(h, doors, "left") - sum(h, exits, "left"));
        assert_true(house_value(h, "cubicles", "inUse") == sum(h, cubicle_steps, "present"));
        assert_true(house_value(h, "resus-bays", "inUse") == sum(h, bay_steps, "present"));
        assert_true(house_value(h, "cubicles", "inUse") <= 20 && house_value(h, "resus-bays", "inUse") <= 5);
        double hour = k / 4.0, nurses = hour >= 7 && hour < 22 ? 6 : 4;
        assert_true(house_value(h, "nurses", "onDuty") == nurses);
        assert_true(house_value(h, "majors-observe", "age") >= 0);
    }
    double came = sum(h, doors, "left");
    assert_true(came > 110 && came < 240);
    for (int i = 0; i < 1000; i++) house_step(h, 1);
    assert_true(sum(h, doors, "left") < 20); // counted from midnight
    house_free(h);
}

static int tell(House *h, const char *twin, const char *command, const char *payload) {
    Buf answer = {0};
    int status = house_command(h, str_of(twin), str_of(command), str_of(payload), &answer);
    buf_free(&answer);
    return status;
}

static void test_commands(void **state) {
    (void)state;
    House *h = open_house(7, START + 12 * 3600 * NS_PER_S);
    assert_int_equal(tell(h, "nurses", "setBank", " 2 "), 200);
    assert_true(house_value(h, "nurses", "onDuty") == 8);
    for (int i = 0; i < 12 * 3600; i++) house_step(h, 1);
    assert_true(house_value(h, "nurses", "onDuty") == 6); // at night, with the two
    assert_int_equal(tell(h, "nurses", "setBank", "-1"), 400);
    assert_int_equal(tell(h, "nurses", "setBank", "21"), 400);
    assert_int_equal(tell(h, "nurses", "setBank", "{}"), 400);
    assert_int_equal(tell(h, "nurses", "dismiss", ""), 404);
    assert_int_equal(tell(h, "nobody", "setBank", "1"), 404);
    assert_int_equal(tell(h, "amu", "setOpen", "false"), 404);
    assert_int_equal(tell(h, "amu-bed-1", "setOpen", "no"), 400);
    for (int n = 1; n <= 20; n++) {
        char bed[20];
        snprintf(bed, sizeof bed, "cubicle-%d", n);
        assert_int_equal(tell(h, bed, "setOpen", "false"), 200);
        assert_int_equal(tell(h, bed, "setOpen", "false"), 200); // as it is
    }
    for (int i = 0; i < 36 * 3600; i++) house_step(h, 1);
    assert_true(house_value(h, "cubicles", "inUse") == 0);
    assert_true(house_value(h, "majors-place", "waiting") > 5);
    assert_int_equal(tell(h, "cubicle-3", "setOpen", "true"), 200);
    house_step(h, 1);
    assert_true(house_value(h, "cubicles", "inUse") == 1);
    assert_true(isnan(house_value(h, "nobody", "present")));
    house_free(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_values),
        cmocka_unit_test(test_values_are_told_again),
        cmocka_unit_test(test_nobody_is_lost_and_rooms_are_theirs),
        cmocka_unit_test(test_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
