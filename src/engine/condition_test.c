// SPDX-License-Identifier: Apache-2.0
// Conditions over twins by number: as a question would answer them, now; new models are seen, bad texts told.
#include "engine/test_kit.h"

static uint64_t number_of(Kit *k, const char *world, const char *id) {
    SosiaHandle h = {0};
    assert_int_equal(sosia_resolve(k->s, kit_str(world), kit_str(id), kit_str("temperature"), &h), SOSIA_OK);
    return h.twin;
}

static SosiaTest *test_of(Kit *k, const char *text) {
    SosiaTest *t = NULL;
    SosiaBuf why = {0};
    SosiaErr err = sosia_test_new(k->s, kit_str(""), kit_str(text), &t, &why);
    if (err) fail_msg("%s: %s: %.*s", text, sosia_err_name(err), (int)why.n, why.p);
    sosia_buf_free(&why);
    return t;
}

static bool passes(Kit *k, const char *text, uint64_t twin) {
    SosiaTest *t = test_of(k, text);
    bool out = false;
    assert_int_equal(sosia_test_twins(t, &twin, 1, &out), SOSIA_OK);
    sosia_test_free(t);
    return out;
}

static void set_temperature(Kit *k, const char *id, double v) {
    char patch[100];
    snprintf(patch, sizeof patch, "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":%g}]", v);
    kit_do(k, SOSIA_TWIN_PATCH, id, "", patch);
}

// A test is about the state of this moment, whatever it was before.
static void follows_the_state(void **state) {
    Kit *k = *state;
    kit_room(k, "a");
    kit_room(k, "b");
    uint64_t twins[3] = {number_of(k, "", "a"), number_of(k, "", "b"), 0};
    bool out[3] = {true, true, true};
    SosiaTest *t = test_of(k, "temperature > 20");
    assert_int_equal(sosia_test_twins(t, twins, 3, out), SOSIA_OK);
    assert_false(out[0] || out[1] || out[2]); // undefined is not true
    set_temperature(k, "a", 21);
    set_temperature(k, "b", 20);
    assert_int_equal(sosia_test_twins(t, twins, 3, out), SOSIA_OK);
    assert_true(out[0] && !out[1] && !out[2]);
    set_temperature(k, "a", 19);
    set_temperature(k, "b", 22);
    assert_int_equal(sosia_test_twins(t, twins, 3, out), SOSIA_OK);
    assert_true(!out[0] && out[1] && !out[2]);
    kit_do(k, SOSIA_TWIN_DELETE, "b", "", "");
    assert_int_equal(sosia_test_twins(t, twins, 3, out), SOSIA_OK);
    assert_true(!out[0] && !out[1] && !out[2]);
    sosia_test_free(t);
}

// What WHERE of a question can say: models, components, neighbours, times.
static void whole_language(void **state) {
    Kit *k = *state;
    kit_room(k, "c");
    kit_room(k, "d");
    set_temperature(k, "c", 30);
    kit_do(k, SOSIA_LINK_PUT, "c", "l", "{\"$relationshipName\":\"feeds\",\"$targetId\":\"d\"}");
    uint64_t c = number_of(k, "", "c"), d = number_of(k, "", "d");
    assert_true(passes(k, "IS_OF_MODEL('dtmi:test:Base;1')", c));
    assert_false(passes(k, "IS_OF_MODEL('dtmi:test:Base;1', exact)", c));
    assert_true(passes(k, "IS_OF_MODEL('dtmi:test:Room;1') AND temperature > 20 AND $dtId = 'c'", c));
    assert_true(passes(k, "COUNT(->feeds) = 1", c));
    assert_true(passes(k, "ANY(<-feeds, temperature > 20)", d));
    assert_false(passes(k, "ANY(<-feeds, temperature > 20)", c));
    assert_true(passes(k, "NOT IS_DEFINED(thermostat.setPoint)", d));
    assert_true(passes(k, "temperature >= 30 ? true : false", c));
    assert_false(passes(k, "temperature", c)); // a number is no test
}

// Models that come later are known at once; a twin may change its model.
static void models_change(void **state) {
    Kit *k = *state;
    kit_room(k, "e");
    uint64_t e = number_of(k, "", "e");
    SosiaTest *t = test_of(k, "pressure > 1");
    bool out = true;
    assert_int_equal(sosia_test_twins(t, &e, 1, &out), SOSIA_OK);
    assert_false(out);
    kit_do(k, SOSIA_MODELS_ADD, "", "",
           "[{\"@id\":\"dtmi:test:Tank;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\","
           "\"extends\":\"dtmi:test:Room;1\",\"contents\":["
           "{\"@type\":\"Property\",\"name\":\"pressure\",\"schema\":\"double\"}]}]");
    kit_do(k, SOSIA_TWIN_PATCH, "e", "",
           "[{\"op\":\"replace\",\"path\":\"/$metadata/$model\",\"value\":\"dtmi:test:Tank;1\"},"
           "{\"op\":\"add\",\"path\":\"/pressure\",\"value\":2}]");
    assert_int_equal(sosia_test_twins(t, &e, 1, &out), SOSIA_OK);
    assert_true(out);
    sosia_test_free(t);
}

static void refusals(void **state) {
    Kit *k = *state;
    SosiaTest *t = NULL;
    SosiaBuf why = {0};
    assert_int_equal(sosia_test_new(k->s, kit_str(""), kit_str("temperature >"), &t, &why), SOSIA_SYNTAX);
    kit_has(kit_keep(k, (SosiaStr){why.p, why.n}), "column 14");
    sosia_buf_free(&why);
    assert_int_equal(sosia_test_new(k->s, kit_str(""), kit_str("SQUARE(temperature) > 1"), &t, &why), SOSIA_SYNTAX);
    kit_has(kit_keep(k, (SosiaStr){why.p, why.n}), "SQUARE");
    sosia_buf_free(&why);
    assert_int_equal(sosia_test_new(k->s, kit_str("nowhere"), kit_str("true"), &t, &why), SOSIA_WORLD_NOT_FOUND);
    sosia_buf_free(&why);
    assert_null(t);
    sosia_test_free(NULL);
}

// A fork has its own state; when it is dropped the test says so.
static void worlds(void **state) {
    Kit *k = *state;
    bool out = false;
    SosiaTest *t = NULL;
    kit_room(k, "w");
    assert_int_equal(sosia_fork(k->s, NULL, kit_str(""), kit_str("branch")), SOSIA_OK);
    uint64_t w = number_of(k, "branch", "w");
    assert_int_equal(sosia_test_new(k->s, kit_str("branch"), kit_str("temperature = 5"), &t, NULL), SOSIA_OK);
    set_temperature(k, "w", 5);
    assert_int_equal(sosia_test_twins(t, &w, 1, &out), SOSIA_OK);
    assert_false(out);
    assert_int_equal(kit_write_in(k, "branch", SOSIA_TWIN_PATCH, "w", "",
                                  "[{\"op\":\"add\",\"path\":\"/temperature\",\"value\":5}]"),
                     SOSIA_OK);
    assert_int_equal(sosia_test_twins(t, &w, 1, &out), SOSIA_OK);
    assert_true(out);
    assert_int_equal(sosia_drop(k->s, NULL, kit_str("branch")), SOSIA_OK);
    assert_int_equal(sosia_test_twins(t, &w, 1, &out), SOSIA_WORLD_NOT_FOUND);
    sosia_test_free(t);
}

static Kit kit;

static int begin(void **state) {
    kit_open(&kit, &(SosiaOpen){0});
    kit_models(&kit);
    *state = &kit;
    return 0;
}

static int end(void **state) {
    (void)state;
    kit_close(&kit);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_state), cmocka_unit_test(whole_language), cmocka_unit_test(models_change),
        cmocka_unit_test(refusals),          cmocka_unit_test(worlds),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
