// SPDX-License-Identifier: Apache-2.0
// What-ifs that run: two worlds of one instant whatever is written meanwhile, names, and what leaves nothing behind.
#include <math.h>
#include <stdatomic.h>
#include "base/thread.h"
#include "engine/test_kit.h"
// LABELS: threads

#define MODEL                                                                                                          \
    "[{\"@id\":\"dtmi:t:Tank;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;3\",\"contents\":["          \
    "{\"@type\":\"Property\",\"name\":\"level\",\"schema\":\"double\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"inflow\",\"schema\":\"double\"},"                                              \
    "{\"@type\":\"Property\",\"name\":\"noise\",\"schema\":\"double\"}]}]"
#define BEHAVIOUR                                                                                                      \
    "{\"model\":\"dtmi:t:Tank;1\",\"say\":[\"der(level) = inflow\",\"every 1m do noise = RANDOM_NORMAL(0, 1)\"]}"
#define WHATIF                                                                                                         \
    "{\"for\":\"PT1H\",\"output\":\"PT10M\",\"seed\":3,\"changes\":[{\"at\":\"PT30M\",\"twin\":\"a\","                 \
    "\"property\":\"inflow\",\"value\":2}]}"

static void scene(Kit *k, const char *path) {
    kit_open(k, &(SosiaOpen){.path = kit_str(path)});
    kit_do(k, SOSIA_MODELS_ADD, "", "", MODEL);
    kit_do(k, SOSIA_TWIN_PUT, "a", "",
           "{\"$metadata\":{\"$model\":\"dtmi:t:Tank;1\"},\"level\":0,\"inflow\":1,\"noise\":0}");
    kit_do(k, SOSIA_DEFINITION_PUT, "tank", "behaviours", BEHAVIOUR);
    kit_do(k, SOSIA_DEFINITION_PUT, "w", "whatifs", WHATIF);
}

static SosiaErr try_it(Kit *k, SosiaWhatif w) {
    if (!w.name.n) w.name = kit_str("w");
    return sosia_whatif(k->s, NULL, &w, &k->out);
}

static void ended(Kit *k, const char *world) {
    do {
        assert_int_equal(sosia_run_status(k->s, NULL, kit_str(world), INT64_C(1000000000), &k->out), SOSIA_OK);
    } while (strstr(kit_body(k), "\"state\":\"running\"") || strstr(kit_body(k), "\"state\":\"starting\""));
    kit_has(kit_body(k), "\"state\":\"done\"");
}

static double value_of(Kit *k, const char *world, const char *path) {
    SosiaHandle at;
    SosiaValue v;
    SosiaBuf keep = {0};
    assert_int_equal(sosia_resolve(k->s, kit_str(world), kit_str("a"), kit_str(path), &at), SOSIA_OK);
    assert_int_equal(sosia_value(k->s, NULL, kit_str(world), at, &v, NULL, NULL, &keep), SOSIA_OK);
    sosia_buf_free(&keep);
    return v.d;
}

static bool exists(Kit *k, const char *world) {
    SosiaRead r = {.what = SOSIA_GET_WORLDS, .id = kit_str(world)};
    SosiaOut out = {0};
    SosiaErr err = sosia_read(k->s, NULL, &r, &out);
    sosia_out_free(&out);
    assert_true(err == SOSIA_OK || err == SOSIA_WORLD_NOT_FOUND);
    return err == SOSIA_OK;
}

typedef struct Writing {
    Kit *k;
    _Atomic bool over;
} Writing;

static void *write_on(void *arg) {
    Writing *w = arg;
    for (int i = 1; !atomic_load(&w->over); i++) {
        char body[100];
        snprintf(body, sizeof body, "[{\"op\":\"replace\",\"path\":\"/level\",\"value\":%d}]", i * 100000);
        SosiaWrite x = {.op = SOSIA_TWIN_PATCH, .id = kit_str("a"), .body = kit_str(body)};
        SosiaDone done;
        SosiaBuf keep = {0};
        assert_int_equal(sosia_write_wait(w->k->s, NULL, &x, &done, &keep), SOSIA_OK);
        sosia_buf_free(&keep);
    }
    return NULL;
}

// Both begin with the same level, although somebody writes to live all the time, and see the same chances.
static void one_instant(void **state) {
    (void)state;
    Kit k;
    Thread t;
    char path[64];
    kit_path(path);
    scene(&k, path);
    Writing w = {.k = &k};
    atomic_init(&w.over, false);
    assert_int_equal(thread_start(&t, "writes", write_on, &w), ERR_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(try_it(&k, (SosiaWhatif){.again = true}), SOSIA_OK);
        ended(&k, "w");
        ended(&k, "w.base");
        assert_true(fabs(value_of(&k, "w", "level") - value_of(&k, "w.base", "level") - 1800) < 1e-6);
        assert_true(fabs(fmod(value_of(&k, "w.base", "level"), 100000) - 3600) < 1e-6);
        assert_true(value_of(&k, "w", "noise") == value_of(&k, "w.base", "noise"));
    }
    atomic_store(&w.over, true);
    thread_join(&t);
    kit_close(&k);
    kit_unlink(path);
}

static void names(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    assert_int_equal(try_it(&k, (SosiaWhatif){0}), SOSIA_OK);
    kit_has(kit_body(&k),
            "\"world\":\"w\",\"from\":\"live\",\"baseline\":\"w.base\",\"compare\":\"/compare?worlds=w.base,w\"");
    ended(&k, "w");
    // A name that is free only by half is not taken.
    assert_int_equal(sosia_drop(k.s, NULL, kit_str("w")), SOSIA_OK);
    assert_int_equal(try_it(&k, (SosiaWhatif){.alone = true}), SOSIA_OK);
    kit_has(kit_body(&k), "\"world\":\"w\"");
    assert_int_equal(try_it(&k, (SosiaWhatif){0}), SOSIA_OK);
    kit_has(kit_body(&k), "\"world\":\"w-2\"");
    assert_int_equal(try_it(&k, (SosiaWhatif){.as = kit_str("w-2")}), SOSIA_WORLD_EXISTS);
    assert_int_equal(try_it(&k, (SosiaWhatif){.as = kit_str("x y")}), SOSIA_ARGUMENT);
    kit_has(kit_keep(&k, (SosiaStr){k.out.message.p, k.out.message.n}), "a world's name is");
    // Another's world of the name, also of the changed one's name alone: nothing of it goes.
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("live"), kit_str("mine")), SOSIA_OK);
    assert_int_equal(try_it(&k, (SosiaWhatif){.as = kit_str("mine"), .again = true}), SOSIA_WORLD_EXISTS);
    assert_true(exists(&k, "mine"));
    assert_false(exists(&k, "mine.base"));
    kit_close(&k);
}

static void nothing_is_left(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("live"), kit_str("empty")), SOSIA_OK);
    assert_int_equal(kit_write_in(&k, "empty", SOSIA_TWIN_DELETE, "a", "", ""), SOSIA_OK);
    kit_do(&k, SOSIA_DEFINITION_PUT, "there", "whatifs",
           "{\"for\":\"PT1H\",\"from\":\"empty\",\"changes\":[{\"at\":\"PT1M\",\"twin\":\"a\",\"property\":\"inflow\","
           "\"value\":2}]}");
    for (int alone = 0; alone < 2; alone++) {
        assert_int_equal(try_it(&k, (SosiaWhatif){.name = kit_str("there"), .alone = alone}), SOSIA_TWIN_NOT_FOUND);
        kit_has(kit_keep(&k, (SosiaStr){k.out.message.p, k.out.message.n}), "\"there\" does not fit empty");
        assert_false(exists(&k, "there"));
        assert_false(exists(&k, "there.base"));
    }
    // What went after it was defined is told as well.
    kit_do(&k, SOSIA_DEFINITION_PUT, "full", "kpis", "{\"twin\":\"a\",\"expression\":\"level\"}");
    kit_do(&k, SOSIA_DEFINITION_PUT, "counts", "whatifs", "{\"for\":\"PT1H\",\"kpis\":[\"full\"]}");
    kit_do(&k, SOSIA_DEFINITION_DELETE, "full", "kpis", "");
    assert_int_equal(try_it(&k, (SosiaWhatif){.name = kit_str("counts")}), SOSIA_DEFINITION_NOT_FOUND);
    kit_has(kit_keep(&k, (SosiaStr){k.out.message.p, k.out.message.n}), "kpis[0]: there is no KPI \"full\"");
    assert_false(exists(&k, "counts"));
    assert_int_equal(try_it(&k, (SosiaWhatif){.name = kit_str("none")}), SOSIA_DEFINITION_NOT_FOUND);
    assert_int_equal(try_it(&k, (SosiaWhatif){.world = kit_str("none")}), SOSIA_WORLD_NOT_FOUND);
    kit_close(&k);
}

// What was made before stays when what is to take its place does not fit, or cannot have both names.
static void what_was_stays(void **state) {
    (void)state;
    Kit k;
    scene(&k, "");
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("live"), kit_str("plan")), SOSIA_OK);
    kit_do(&k, SOSIA_DEFINITION_PUT, "later", "whatifs",
           "{\"for\":\"PT1H\",\"from\":\"plan\",\"changes\":[{\"at\":\"PT1M\",\"twin\":\"a\",\"property\":\"inflow\","
           "\"value\":2}]}");
    const SosiaWhatif again = {.name = kit_str("later"), .again = true};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(try_it(&k, again), SOSIA_OK);
        ended(&k, "later");
        ended(&k, "later.base");
    }
    assert_int_equal(kit_write_in(&k, "plan", SOSIA_TWIN_DELETE, "a", "", ""), SOSIA_OK);
    assert_int_equal(try_it(&k, again), SOSIA_TWIN_NOT_FOUND);
    kit_has(kit_keep(&k, (SosiaStr){k.out.message.p, k.out.message.n}), "\"later\" does not fit plan");
    assert_true(exists(&k, "later") && exists(&k, "later.base"));
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("live"), kit_str("half.base")), SOSIA_OK);
    for (int i = 0; i < 2; i++) // alone it does not need the other name
        assert_int_equal(try_it(&k, (SosiaWhatif){.as = kit_str("half"), .alone = true, .again = true}), SOSIA_OK);
    ended(&k, "half");
    assert_int_equal(try_it(&k, (SosiaWhatif){.as = kit_str("half"), .again = true}), SOSIA_WORLD_EXISTS);
    assert_true(exists(&k, "half") && exists(&k, "half.base"));
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_instant),
        cmocka_unit_test(names),
        cmocka_unit_test(nothing_is_left),
        cmocka_unit_test(what_was_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
