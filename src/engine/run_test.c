// SPDX-License-Identifier: Apache-2.0
// Runs of forks: what closed forms say, the same outcome whether a run is stopped, taken up or looked at, and what
// others do meanwhile.
#include <math.h>
#include "base/thread.h"
#include "base/time.h"
#include "engine/test_kit.h"
// LABELS: threads

#define MODEL                                                                                                          \
    "[{\"@id\":\"dtmi:t:Tank;1\",\"@type\":\"Interface\",\"@context\":[\"dtmi:dtdl:context;3\","                       \
    "\"dtmi:dtdl:extension:quantitativeTypes;1\"],\"contents\":["                                                      \
    "{\"@type\":[\"Property\",\"Length\"],\"name\":\"level\",\"schema\":\"double\",\"unit\":\"metre\"},"               \
    "{\"@type\":[\"Property\",\"Length\"],\"name\":\"high\",\"schema\":\"double\",\"unit\":\"metre\"},"                \
    "{\"@type\":[\"Property\",\"VolumeFlowRate\"],\"name\":\"inflow\",\"schema\":\"double\","                          \
    "\"unit\":\"litrePerSecond\"},"                                                                                    \
    "{\"@type\":[\"Property\",\"Area\"],\"name\":\"area\",\"schema\":\"double\",\"unit\":\"squareMetre\"},"            \
    "{\"@type\":\"Property\",\"name\":\"alarm\",\"schema\":\"boolean\"},"                                              \
    "{\"@type\":\"Property\",\"name\":\"noise\",\"schema\":\"double\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"twice\",\"schema\":\"double\"},"                                               \
    "{\"@type\":\"Relationship\",\"name\":\"feeds\"}]}]"

#define BEHAVIOUR                                                                                                      \
    "{\"model\":\"dtmi:t:Tank;1\",\"say\":[\"der(level) = inflow / area\","                                            \
    "\"when level > high then alarm = true, inflow = 0 'litrePerSecond'\","                                            \
    "\"every 1m do noise = RANDOM_NORMAL(0, 1)\"]}"

static void tank_in(Kit *k, const char *world, const char *id, double inflow) {
    char body[300];
    snprintf(body, sizeof body,
             "{\"$metadata\":{\"$model\":\"dtmi:t:Tank;1\"},\"level\":1,\"high\":2,\"inflow\":%g,\"area\":4,"
             "\"alarm\":false,\"noise\":0}",
             inflow);
    assert_int_equal(kit_write_in(k, world, SOSIA_TWIN_PUT, id, "", body), SOSIA_OK);
}

static void scene(Kit *k, const char *path) {
    kit_open(k, &(SosiaOpen){.path = kit_str(path)});
    kit_do(k, SOSIA_MODELS_ADD, "", "", MODEL);
    tank_in(k, "", "a", 10);
    tank_in(k, "", "b", 1);
    kit_do(k, SOSIA_DEFINITION_PUT, "tank", "behaviours", BEHAVIOUR);
}

static void fork_it(Kit *k, const char *name) {
    SosiaFork f = {.from = kit_str("live"), .name = kit_str(name), .seed = 7, .seeded = true};
    assert_int_equal(sosia_world_fork(k->s, NULL, &f), SOSIA_OK);
}

#define HOUR INT64_C(3600000000000)

static SosiaErr begin(Kit *k, SosiaRun r) {
    if (!r.world.n) r.world = kit_str("f");
    if (!r.for_ns && !r.until_ns) r.for_ns = HOUR;
    return sosia_run(k->s, NULL, &r, &k->out);
}

// Until it stands; its status.
static const char *ended(Kit *k, const char *world) {
    do {
        assert_int_equal(sosia_run_status(k->s, NULL, kit_str(world), INT64_C(1000000000), &k->out), SOSIA_OK);
    } while (strstr(kit_body(k), "\"state\":\"running\"") || strstr(kit_body(k), "\"state\":\"starting\""));
    return kit_body(k);
}

static double value_of(Kit *k, const char *world, const char *twin, const char *path) {
    SosiaHandle at;
    SosiaValue v;
    SosiaBuf keep = {0};
    assert_int_equal(sosia_resolve(k->s, kit_str(world), kit_str(twin), kit_str(path), &at), SOSIA_OK);
    assert_int_equal(sosia_value(k->s, NULL, kit_str(world), at, &v, NULL, NULL, &keep), SOSIA_OK);
    sosia_buf_free(&keep);
    return v.kind == SOSIA_F64 ? v.d : v.kind == SOSIA_BOOL ? v.b : NAN;
}

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-9 * fmax(1, fabs(want)))) fail_msg("%.17g instead of %.17g", got, want);
}

// 10 l/s into 4 m2 from 1 m: full at 400 s, when the inflow ends; the other one is at 1.9 m after an hour.
static void closed_form(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    fork_it(&k, "f");
    assert_int_equal(begin(&k, (SosiaRun){0}), SOSIA_OK);
    kit_has(ended(&k, "f"), "\"state\":\"done\"");
    kit_has(kit_body(&k), "\"progress\":1.0000");
    near(value_of(&k, "f", "a", "level"), 2);
    near(value_of(&k, "f", "a", "alarm"), 1);
    near(value_of(&k, "f", "a", "inflow"), 0);
    near(value_of(&k, "f", "b", "level"), 1.9);
    near(value_of(&k, "", "a", "level"), 1); // live stands where it was
    // It goes on from there, with what is changed and what is planned.
    assert_int_equal(
        begin(&k, (SosiaRun){.changes = kit_str("[{\"at\":\"PT30M\",\"twin\":\"b\",\"property\":\"inflow\","
                                                "\"value\":0}]")}),
        SOSIA_OK);
    kit_has(ended(&k, "f"), "\"state\":\"done\"");
    near(value_of(&k, "f", "b", "alarm"), 1); // at 2 m, 400 s into this hour: its own rule ends the inflow
    near(value_of(&k, "f", "b", "level"), 2);
    kit_close(&k);
}

// Planned changes come at their instants, and what computes itself in the world is left to it.
static void planned_and_derived(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    kit_do(&k, SOSIA_DERIVED_PUT, "d", "",
           "{\"model\":\"dtmi:t:Tank;1\",\"property\":\"twice\",\"expression\":\"noise * 2\"}");
    fork_it(&k, "f");
    assert_int_equal(
        begin(&k, (SosiaRun){.changes = kit_str("[{\"at\":\"PT20M\",\"twin\":\"b\",\"property\":\"inflow\","
                                                "\"value\":2}]")}),
        SOSIA_OK);
    kit_has(ended(&k, "f"), "\"state\":\"done\"");
    near(value_of(&k, "f", "b", "level"), 1 + (1200.0 + 2400 * 2 * 1) / 4000 > 2 ? 2 : 0);
    near(value_of(&k, "f", "b", "twice"), 2 * value_of(&k, "f", "b", "noise"));
    assert_true(value_of(&k, "f", "b", "noise") != 0);
    kit_close(&k);
}

#define SENSED_AT "2020-01-01T00:00:00Z"

// The device's clock says when.
static void sensed(Kit *k, const char *property) {
    char body[200];
    snprintf(body, sizeof body, "[{\"op\":\"add\",\"path\":\"/$metadata/%s/sourceTime\",\"value\":\"" SENSED_AT "\"}]",
             property);
    kit_do(k, SOSIA_TWIN_PATCH, "b", "", body);
}

static bool has_source(Kit *k, const char *world, const char *property) {
    SosiaHandle at;
    SosiaValue v;
    SosiaBuf keep = {0};
    int64_t source;
    assert_int_equal(sosia_resolve(k->s, kit_str(world), kit_str("b"), kit_str(property), &at), SOSIA_OK);
    assert_int_equal(sosia_value(k->s, NULL, kit_str(world), at, &v, NULL, &source, &keep), SOSIA_OK);
    sosia_buf_free(&keep);
    return source != 0;
}

// The same by its document, of an instant too.
static bool tells_source(Kit *k, const char *world, const char *property) {
    char member[32];
    snprintf(member, sizeof member, "\"%s\":{", property);
    assert_int_equal(kit_get_in(k, world, SOSIA_GET_TWIN, "b", ""), SOSIA_OK);
    const char *meta = strstr(kit_body(k), "$metadata"), *at = meta ? strstr(meta, member) : NULL;
    assert_non_null(at);
    const char *source = strstr(at, "sourceTime");
    return source && source < strchr(at, '}');
}

// What a run writes, by behaviours or as planned, no device told: the time of one does not stand with it, here, in the
// past of the fork and after a restart; what it does not write keeps it, and so does live. A merge is no device either.
static void values_of_a_run_have_no_source_time(void **state) {
    (void)state;
    Kit k;
    char path[64];
    kit_path(path);
    scene(&k, path);
    const char *const sensors[] = {"level", "inflow", "area", "noise"};
    for (int i = 0; i < 4; i++) sensed(&k, sensors[i]);
    fork_it(&k, "f");
    assert_int_equal(
        begin(&k, (SosiaRun){.changes = kit_str("[{\"at\":\"PT30M\",\"twin\":\"b\",\"property\":\"inflow\","
                                                "\"value\":0.5}]")}),
        SOSIA_OK);
    kit_has(ended(&k, "f"), "\"state\":\"done\"");
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < 4; i++) {
            assert_true(has_source(&k, "", sensors[i]));
            assert_true(has_source(&k, "f", sensors[i]) == (i == 2));
            assert_true(tells_source(&k, "f@-1s", sensors[i]) == (i == 2));
        }
        sosia_close(k.s);
        assert_int_equal(sosia_open(&(SosiaOpen){.path = kit_str(path)}, &k.s, NULL), SOSIA_OK);
    }
    // A PATCH keeps it, as the dialect has it, unless it says otherwise.
    kit_do(&k, SOSIA_TWIN_PATCH, "b", "", "[{\"op\":\"replace\",\"path\":\"/noise\",\"value\":4}]");
    assert_true(has_source(&k, "", "noise"));
    assert_int_equal(sosia_merge(k.s, NULL, &(SosiaMerge){.world = kit_str("f"), .skip_conflicts = true}, &k.out),
                     SOSIA_OK);
    for (int i = 0; i < 4; i++) assert_true(has_source(&k, "", sensors[i]) == (i > 1)); // noise is a conflict
    kit_close(&k);
    kit_unlink(path);
}

// What a feed tells of a twin in one batch; derived values follow from the others in it.
typedef struct Seen {
    double level, twice, noise, alarm;
} Seen;

static int follow_derived(Kit *k, uint64_t after) {
    SosiaFeed *f;
    SosiaBatch b = {.seq = 1};
    Seen now = {.level = 1, .twice = 2};
    int looked = 0;
    assert_int_equal(sosia_feed_open(k->s, NULL, kit_str("f"), after, &f, NULL), SOSIA_OK);
    assert_int_equal(kit_get_in(k, "f", SOSIA_GET_TWIN, "b", ""), SOSIA_OK);
    uint64_t end = k->out.seq;
    while (b.seq < end) {
        bool noise = false;
        do {
            assert_int_equal(sosia_feed_next(f, INT64_C(1000000000), &b), SOSIA_OK);
        } while (!b.seq);
        for (int64_t i = 0; i < b.count; i++) {
            const SosiaChange *c = &b.changes[i];
            if (c->what != SOSIA_EV_SET || !str_eq(c->twin, STR("b"))) continue;
            if (str_eq(c->path, STR("level"))) now.level = c->value.d;
            if (str_eq(c->path, STR("twice"))) now.twice = c->value.d;
            if (str_eq(c->path, STR("noise"))) now.noise = c->value.d, noise = true;
        }
        near(now.twice, 2 * now.level);
        if (noise) near(now.noise, now.twice); // what a behaviour read of it is what the writer computed
        looked += noise;
    }
    sosia_feed_close(f);
    return looked;
}

// Behaviours read derived values as they move, and what they read is what is stored, at every instant that is told;
// what cannot be taken along is named.
static void derived_within_a_run(void **state) {
    (void)state;
    Kit k;
    char path[64];
    kit_path(path);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path), .tick_ns = -1});
    kit_do(&k, SOSIA_MODELS_ADD, "", "", MODEL);
    tank_in(&k, "", "a", 10);
    tank_in(&k, "", "b", 1);
    kit_do(&k, SOSIA_DERIVED_PUT, "double-level", "",
           "{\"model\":\"dtmi:t:Tank;1\",\"property\":\"twice\",\"expression\":\"UNIT(level, 'metre') * 2\"}");
    kit_do(&k, SOSIA_DEFINITION_PUT, "tank", "behaviours",
           "{\"model\":\"dtmi:t:Tank;1\",\"say\":[\"der(level) = inflow / area\","
           "\"when twice > 3 then alarm = true, inflow = 0 'litrePerSecond'\",\"every 1m do noise = twice\"]}");
    fork_it(&k, "f");
    uint64_t at = 0;
    assert_int_equal(kit_get_in(&k, "f", SOSIA_GET_TWIN, "b", ""), SOSIA_OK);
    at = k.out.seq;
    assert_int_equal(begin(&k, (SosiaRun){.output_ns = HOUR / 120}), SOSIA_OK);
    const char *body = ended(&k, "f");
    kit_has(body, "\"state\":\"done\"");
    kit_lacks(body, "\"notes\"");
    near(value_of(&k, "f", "a", "alarm"), 1);
    near(value_of(&k, "f", "a", "level"), 1.5); // 200 s after the beginning, between two outputs
    near(value_of(&k, "f", "a", "twice"), 3);
    assert_true(follow_derived(&k, at) >= 33); // the level stands from 2,000 s on
    // One that looks back stands still, and the run says so.
    kit_do(&k, SOSIA_DERIVED_PUT, "double-level", "",
           "{\"model\":\"dtmi:t:Tank;1\",\"property\":\"twice\",\"expression\":\"AVG(noise, 1h)\"}");
    fork_it(&k, "g");
    assert_int_equal(begin(&k, (SosiaRun){.world = kit_str("g")}), SOSIA_OK);
    body = ended(&k, "g");
    kit_has(body, "\"state\":\"done\"");
    kit_has(body, "\"notes\":[{\"derived\":\"double-level\",\"text\":");
    kit_close(&k);
    kit_unlink(path);
}

// A time in a status.
static int64_t time_in(const char *body, const char *name) {
    char member[24];
    int64_t ns;
    snprintf(member, sizeof member, "\"%s\":\"", name);
    const char *at = strstr(body, member);
    assert_non_null(at);
    at += strlen(member);
    assert_true(time_parse((Str){at, strchr(at, '"') - at}, &ns));
    return ns;
}

// One run, and the same in pieces: some steps at a time, with the engine closed and opened in between.
static void pieces_are_the_whole(void **state) {
    (void)state;
    char path[64];
    Kit k;
    kit_path(path);
    scene(&k, path);
    fork_it(&k, "f");
    fork_it(&k, "g");
    assert_int_equal(begin(&k, (SosiaRun){0}), SOSIA_OK);
    kit_has(ended(&k, "f"), "\"state\":\"done\"");
    int64_t until = 0;
    for (int round = 0; round < 100; round++) {
        SosiaRun r = {.world = kit_str("g"), .steps = 7, .until_ns = until};
        if (begin(&k, r)) break; // past its end
        if (!until) until = time_in(kit_body(&k), "until");
        ended(&k, "g");
        if (round % 3 < 2) continue;
        kit_close(&k);
        kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    }
    kit_get_in(&k, "", SOSIA_GET_WORLDS, "g", "");
    assert_true(time_in(kit_body(&k), "time") == until);
    for (int i = 0; i < 2; i++) {
        const char *twin = i ? "b" : "a";
        assert_true(value_of(&k, "g", twin, "level") == value_of(&k, "f", twin, "level"));
        assert_true(value_of(&k, "g", twin, "alarm") == value_of(&k, "f", twin, "alarm"));
        assert_true(value_of(&k, "g", twin, "noise") == value_of(&k, "f", twin, "noise"));
    }
    kit_close(&k);
    kit_unlink(path);
}

// How a run ended is known when the engine opens again, of forks that nobody asked for too; a new run hides it.
static void known_after_a_close(void **state) {
    (void)state;
    char path[64];
    Kit k;
    kit_path(path);
    scene(&k, path);
    fork_it(&k, "f");
    fork_it(&k, "g");
    fork_it(&k, "h");
    assert_int_equal(begin(&k, (SosiaRun){0}), SOSIA_OK);
    ended(&k, "f");
    int64_t from = time_in(kit_body(&k), "begin"), until = time_in(kit_body(&k), "until");
    assert_int_equal(begin(&k, (SosiaRun){.world = kit_str("g"), .steps = 3}), SOSIA_OK);
    kit_has(ended(&k, "g"), "\"state\":\"paused\"");
    int64_t stood = time_in(kit_body(&k), "now"), end = time_in(kit_body(&k), "until");
    for (int i = 0; i < 2; i++) { // and once more: it is not forgotten by being asked for
        kit_close(&k);
        kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
        kit_get_in(&k, "", SOSIA_GET_WORLDS, "", "");
        kit_has(kit_body(&k), "\"status\":\"done\",\"run\":{\"state\":\"done\"");
        kit_has(kit_body(&k), "\"status\":\"paused\",\"run\":{\"state\":\"paused\"");
        kit_has(kit_body(&k), "\"status\":\"idle\"");
        kit_has(ended(&k, "f"), "\"progress\":1.0000");
        assert_true(time_in(kit_body(&k), "begin") == from && time_in(kit_body(&k), "now") == until);
        ended(&k, "g");
        assert_true(time_in(kit_body(&k), "now") == stood);
        kit_has(ended(&k, "h"), "\"state\":\"idle\"");
    }
    assert_int_equal(begin(&k, (SosiaRun){.world = kit_str("g"), .until_ns = end}), SOSIA_OK);
    kit_has(ended(&k, "g"), "\"state\":\"done\"");
    assert_true(value_of(&k, "g", "b", "noise") == value_of(&k, "f", "b", "noise"));
    // Another world of its name has none of it.
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("f")), SOSIA_OK);
    fork_it(&k, "f");
    kit_has(ended(&k, "f"), "\"state\":\"idle\"");
    kit_close(&k);
    kit_unlink(path);
}

// The engine closes in the middle: the run goes on when it opens again, to the same end.
static void taken_up_after_a_close(void **state) {
    (void)state;
    char path[64];
    Kit k;
    kit_path(path);
    scene(&k, path);
    fork_it(&k, "f");
    fork_it(&k, "g");
    assert_int_equal(begin(&k, (SosiaRun){.output_ns = HOUR / 3600}), SOSIA_OK);
    kit_has(ended(&k, "f"), "\"state\":\"done\"");
    assert_int_equal(begin(&k, (SosiaRun){.world = kit_str("g"), .output_ns = HOUR / 3600, .speed = 20000}), SOSIA_OK);
    while (!strstr(kit_body(&k), "\"state\":\"running\""))
        assert_int_equal(sosia_run_status(k.s, NULL, kit_str("g"), 0, &k.out), SOSIA_OK);
    kit_close(&k);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    kit_has(ended(&k, "g"), "\"state\":\"done\"");
    for (int i = 0; i < 2; i++) {
        const char *twin = i ? "b" : "a";
        assert_true(value_of(&k, "g", twin, "level") == value_of(&k, "f", twin, "level"));
        assert_true(value_of(&k, "g", twin, "noise") == value_of(&k, "f", twin, "noise"));
    }
    kit_close(&k);
    kit_unlink(path);
}

// What others write while it runs is input.
static void others_write_meanwhile(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    fork_it(&k, "f");
    assert_int_equal(begin(&k, (SosiaRun){.for_ns = 1000 * HOUR, .speed = 3600, .output_ns = HOUR / 60}), SOSIA_OK);
    while (!strstr(kit_body(&k), "\"state\":\"running\""))
        assert_int_equal(sosia_run_status(k.s, NULL, kit_str("f"), 0, &k.out), SOSIA_OK);
    assert_int_equal(begin(&k, (SosiaRun){0}), SOSIA_WORLD_RUNNING);
    assert_int_equal(
        kit_write_in(&k, "f", SOSIA_TWIN_PATCH, "b", "", "[{\"op\":\"replace\",\"path\":\"/high\",\"value\":1000}]"),
        SOSIA_OK);
    assert_int_equal(
        kit_write_in(&k, "f", SOSIA_TWIN_PATCH, "b", "", "[{\"op\":\"replace\",\"path\":\"/inflow\",\"value\":100}]"),
        SOSIA_OK);
    while (value_of(&k, "f", "b", "level") < 5) thread_sleep_ns(2000000);
    // Another twin: the run begins anew, and moves it too.
    tank_in(&k, "f", "c", 10);
    while (value_of(&k, "f", "c", "level") < 1.5) thread_sleep_ns(2000000);
    assert_int_equal(sosia_run_pause(k.s, NULL, kit_str("f"), &k.out), SOSIA_OK);
    kit_has(kit_body(&k), "\"state\":\"paused\"");
    kit_has(kit_body(&k), "\"begunAnew\":true");
    kit_close(&k);
}

// Batches on their way to what was taken away meanwhile end no run.
static void twins_go_meanwhile(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    fork_it(&k, "f");
    assert_int_equal(begin(&k, (SosiaRun){.for_ns = 100000 * HOUR, .output_ns = HOUR / 3600}), SOSIA_OK);
    for (int i = 0; i < 30; i++) {
        tank_in(&k, "f", "c", 0.001);
        do {
            assert_int_equal(sosia_run_status(k.s, NULL, kit_str("f"), 0, &k.out), SOSIA_OK);
            kit_lacks(kit_body(&k), "\"state\":\"failed\"");
        } while (value_of(&k, "f", "c", "level") == 1);
        assert_int_equal(kit_write_in(&k, "f", SOSIA_TWIN_DELETE, "c", "", ""), SOSIA_OK);
    }
    assert_int_equal(sosia_run_pause(k.s, NULL, kit_str("f"), &k.out), SOSIA_OK);
    kit_has(kit_body(&k), "\"state\":\"paused\"");
    kit_close(&k);
}

static void refusals_and_failures(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    fork_it(&k, "f");
    assert_int_equal(begin(&k, (SosiaRun){.world = kit_str("live")}), SOSIA_UNSUPPORTED);
    assert_int_equal(begin(&k, (SosiaRun){.world = kit_str("no")}), SOSIA_WORLD_NOT_FOUND);
    assert_int_equal(begin(&k, (SosiaRun){.world = kit_str("live@2026-01-01T00:00:00Z")}), SOSIA_READ_ONLY);
    assert_int_equal(begin(&k, (SosiaRun){.until_ns = 5}), SOSIA_ARGUMENT);
    assert_int_equal(begin(&k, (SosiaRun){.for_ns = INT64_MAX}), SOSIA_ARGUMENT);
    kit_has(kit_keep(&k, (SosiaStr){k.out.message.p, k.out.message.n}), "longer than clocks go");
    assert_int_equal(begin(&k, (SosiaRun){.speed = -1}), SOSIA_ARGUMENT);
    assert_int_equal(begin(&k, (SosiaRun){.solver = kit_str("euler")}), SOSIA_ARGUMENT);
    assert_int_equal(begin(&k, (SosiaRun){.changes = kit_str("[1]")}), SOSIA_ARGUMENT);
    assert_int_equal(sosia_run(k.s, NULL, &(SosiaRun){.world = kit_str("f")}, &k.out), SOSIA_ARGUMENT);
    assert_int_equal(begin(&k, (SosiaRun){.kpis = kit_str("none")}), SOSIA_ARGUMENT);
    assert_true(str_find_str(buf_str(&k.out.message), STR("there is no KPI \"none\"")) >= 0);
    assert_int_equal(sosia_run_status(k.s, NULL, kit_str("f"), 0, &k.out), SOSIA_OK);
    kit_has(kit_body(&k), "\"state\":\"idle\"");
    // What cannot go on says why, and where.
    assert_int_equal(
        begin(&k, (SosiaRun){.changes = kit_str("[{\"twin\":\"nobody\",\"property\":\"level\",\"value\":1}]")}),
        SOSIA_TWIN_NOT_FOUND);
    kit_has(kit_keep(&k, (SosiaStr){k.out.message.p, k.out.message.n}), "changes[0].twin: there is no twin");
    assert_int_equal(begin(&k, (SosiaRun){.changes = kit_str("[{\"twin\":\"a\",\"property\":\"alarm\",\"value\":1}]")}),
                     SOSIA_VALIDATION);
    kit_has(kit_keep(&k, (SosiaStr){k.out.message.p, k.out.message.n}), "changes[0].value: ");
    assert_int_equal(sosia_run_status(k.s, NULL, kit_str("f"), 0, &k.out), SOSIA_OK);
    kit_has(kit_body(&k), "\"state\":\"idle\"");
    assert_int_equal(
        begin(&k, (SosiaRun){.changes =
                                 kit_str("[{\"at\":\"P290Y\",\"twin\":\"a\",\"property\":\"inflow\",\"value\":1}]")}),
        SOSIA_OK);
    kit_has(ended(&k, "f"), "\"state\":\"done\"");
    kit_do(&k, SOSIA_DEFINITION_PUT, "more", "behaviours",
           "{\"twin\":\"b\",\"say\":[\"when level > 1.5 'metre' then level = -1\"]}");
    fork_it(&k, "g");
    assert_int_equal(kit_write_in(&k, "", SOSIA_DEFINITION_PUT, "bad", "behaviours",
                                  "{\"model\":\"dtmi:t:Tank;1\",\"say\":[\"der(level) = inflow\"]}"),
                     SOSIA_VALIDATION);
    kit_has(kit_message(&k), "der(level)");
    kit_close(&k);
}

static bool count_item(void *arg, SosiaStr key, SosiaStr value) {
    (void)key;
    (void)value;
    ++*(int *)arg;
    return true;
}

// Worlds that go while they run leave nothing of their runs in the file.
static void dropped_leave_nothing(void **state) {
    (void)state;
    static const char *const kinds[] = {"sosia.run", "sosia.run.state", "sosia.run.kpis"};
    Kit k;
    char path[64], name[16];
    int left = 0;
    kit_path(path);
    scene(&k, path);
    kit_do(&k, SOSIA_DEFINITION_PUT, "level", "kpis", "{\"twin\":\"a\",\"expression\":\"level\"}");
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "w%d", i);
        fork_it(&k, name);
        assert_int_equal(begin(&k, (SosiaRun){.world = kit_str(name), .for_ns = 480 * HOUR}), SOSIA_OK);
        assert_int_equal(sosia_run_status(k.s, NULL, kit_str(name), INT64_C(1000000) * (i % 8), &k.out), SOSIA_OK);
        assert_int_equal(sosia_drop(k.s, NULL, kit_str(name)), SOSIA_OK);
    }
    kit_close(&k); // waits for all of them
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    for (int i = 0; i < 3; i++)
        assert_int_equal(sosia_items_scan(k.s, kit_str(kinds[i]), kit_str(""), 0, count_item, &left), SOSIA_OK);
    assert_int_equal(left, 0);
    kit_close(&k);
    kit_unlink(path);
}

// A world may go while it runs; a run may be under way when the engine closes.
static void dropped_and_closed(void **state) {
    (void)state;
    char path[64];
    Kit k;
    kit_path(path);
    scene(&k, path);
    for (int i = 0; i < 8; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        fork_it(&k, name);
        assert_int_equal(begin(&k, (SosiaRun){.world = kit_str(name), .for_ns = 100000 * HOUR}), SOSIA_OK);
        if (i % 2) assert_int_equal(sosia_drop(k.s, NULL, kit_str(name)), SOSIA_OK);
    }
    kit_close(&k);
    kit_open(&k, &(SosiaOpen){.path = kit_str(path)});
    assert_int_equal(sosia_run_status(k.s, NULL, kit_str("w1"), 0, &k.out), SOSIA_WORLD_NOT_FOUND);
    assert_int_equal(sosia_run_status(k.s, NULL, kit_str("w0"), 0, &k.out), SOSIA_OK);
    kit_lacks(kit_body(&k), "idle");
    for (int i = 0; i < 8; i += 2) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        assert_int_equal(sosia_drop(k.s, NULL, kit_str(name)), SOSIA_OK);
    }
    kit_close(&k);
    kit_unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_form),
        cmocka_unit_test(planned_and_derived),
        cmocka_unit_test(values_of_a_run_have_no_source_time),
        cmocka_unit_test(derived_within_a_run),
        cmocka_unit_test(pieces_are_the_whole),
        cmocka_unit_test(known_after_a_close),
        cmocka_unit_test(taken_up_after_a_close),
        cmocka_unit_test(others_write_meanwhile),
        cmocka_unit_test(twins_go_meanwhile),
        cmocka_unit_test(refusals_and_failures),
        cmocka_unit_test(dropped_leave_nothing),
        cmocka_unit_test(dropped_and_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
