// SPDX-License-Identifier: Apache-2.0
// Definitions for simulation: in and out, what is refused and why, and that they are part of a world.
#include "engine/test_kit.h"

static SosiaErr put_in(Kit *k, const char *world, const char *collection, const char *name, const char *body) {
    return kit_write_in(k, world, SOSIA_DEFINITION_PUT, name, collection, body);
}

static void refused(Kit *k, const char *collection, const char *body, SosiaErr err, const char *words) {
    SosiaErr got = put_in(k, "", collection, "x", body);
    if (got != err) fail_msg("%s: %s instead of %s", body, sosia_err_name(got), sosia_err_name(err));
    kit_has(kit_message(k), words);
    assert_int_equal(kit_get_in(k, "", SOSIA_GET_DEFINITION, "x", collection), SOSIA_DEFINITION_NOT_FOUND);
}

#define KPI "{\"twin\":\"a\",\"expression\":\"temperature * 2\",\"over\":\"mean\",\"unit\":\"degreeCelsius\"}"
#define WHATIF                                                                                                         \
    "{\"title\":\"Hot\",\"for\":\"PT8H\",\"output\":\"15m\",\"seed\":7,\"kpis\":[\"warm\"],\"changes\":["              \
    "{\"twin\":\"a\",\"property\":\"label\",\"value\":\"text\"},"                                                      \
    "{\"at\":\"PT2H\",\"twin\":\"a\",\"property\":\"temperature\",\"value\":null}]}"

static void opened(Kit *k) {
    kit_open(k, &(SosiaOpen){0});
    kit_models(k);
    kit_room(k, "a");
}

static void in_and_out(void **state) {
    (void)state;
    Kit k;
    opened(&k);
    assert_int_equal(put_in(&k, "", "kpis", "warm", KPI), SOSIA_OK);
    kit_has(kit_result(&k), "{\"name\":\"warm\",\"twin\":\"a\",\"expression\":\"temperature * 2\"");
    assert_int_equal(put_in(&k, "", "whatifs", "hot", WHATIF), SOSIA_OK);
    kit_has(kit_get(&k, SOSIA_GET_DEFINITION, "hot", "whatifs"), "\"for\":\"PT8H\"");
    // What was given with its name may be put back.
    char *again = strdup(kit_body(&k));
    assert_int_equal(put_in(&k, "", "whatifs", "hot", again), SOSIA_OK);
    free(again);
    assert_int_equal(kit_count(kit_get(&k, SOSIA_GET_DEFINITION, "", "kpis"), "\"name\""), 1);
    assert_int_equal(kit_write(&k, SOSIA_DEFINITION_DELETE, "warm", "kpis", ""), SOSIA_OK);
    assert_string_equal(kit_get(&k, SOSIA_GET_DEFINITION, "", "kpis"), "[]");
    assert_int_equal(kit_write(&k, SOSIA_DEFINITION_DELETE, "warm", "kpis", ""), SOSIA_DEFINITION_NOT_FOUND);
    kit_close(&k);
}

static void part_of_a_world(void **state) {
    (void)state;
    Kit k;
    opened(&k);
    assert_int_equal(put_in(&k, "", "kpis", "warm", KPI), SOSIA_OK);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("live"), kit_str("f")), SOSIA_OK);
    assert_int_equal(kit_write_in(&k, "f", SOSIA_DEFINITION_DELETE, "warm", "kpis", ""), SOSIA_OK);
    assert_int_equal(put_in(&k, "f", "kpis", "cold", KPI), SOSIA_OK);
    assert_int_equal(kit_get_in(&k, "f", SOSIA_GET_DEFINITION, "warm", "kpis"), SOSIA_DEFINITION_NOT_FOUND);
    assert_int_equal(kit_get_in(&k, "", SOSIA_GET_DEFINITION, "warm", "kpis"), SOSIA_OK);
    assert_int_equal(kit_get_in(&k, "", SOSIA_GET_DEFINITION, "cold", "kpis"), SOSIA_DEFINITION_NOT_FOUND);
    kit_close(&k);
}

static void refusals_say_why(void **state) {
    (void)state;
    Kit k;
    opened(&k);
    refused(&k, "kpis", "{}", SOSIA_ARGUMENT, "needs a \"twin\"");
    refused(&k, "kpis", "[]", SOSIA_ARGUMENT, "object");
    refused(&k, "kpis", "{\"twin\":\"a\",\"expression\":\"1\",\"over\":\"some\"}", SOSIA_ARGUMENT, "integral");
    refused(&k, "kpis", "{\"twin\":\"a\",\"expression\":\"1\",\"more\":\"x\"}", SOSIA_ARGUMENT, "\"more\"");
    refused(&k, "kpis", "{\"twin\":\"no\",\"expression\":\"1\"}", SOSIA_TWIN_NOT_FOUND, "\"no\"");
    refused(&k, "kpis", "{\"twin\":\"a\",\"expression\":\"1 +\"}", SOSIA_SYNTAX, "expected");
    refused(&k, "kpis", "{\"twin\":\"a\",\"expression\":\"label\"}", SOSIA_VALIDATION, "number");
    refused(&k, "whatifs", "{}", SOSIA_ARGUMENT, "how long");
    refused(&k, "whatifs", "{\"for\":\"long\"}", SOSIA_ARGUMENT, "P7D");
    refused(&k, "whatifs", "{\"for\":\"P1D\",\"seed\":-1}", SOSIA_ARGUMENT, "seed");
    refused(&k, "whatifs", "{\"for\":\"P1D\",\"changes\":[{\"twin\":\"a\"}]}", SOSIA_ARGUMENT, "\"property\"");
    refused(&k, "whatifs", "{\"for\":\"P1D\",\"changes\":[{\"twin\":\"a\",\"property\":\"none\",\"value\":1}]}",
            SOSIA_VALIDATION, "\"none\"");
    refused(&k, "whatifs", "{\"for\":\"P1D\",\"changes\":[{\"twin\":\"no\",\"property\":\"label\",\"value\":\"\"}]}",
            SOSIA_TWIN_NOT_FOUND, "changes[0].twin: there is no twin with the id \"no\"");
    refused(&k, "whatifs",
            "{\"for\":\"P1D\",\"changes\":[{\"at\":\"PT1H\",\"twin\":\"a\",\"property\":\"label\",\"value\":\"x\"},"
            "{\"twin\":\"a\",\"property\":\"temperature\",\"value\":1},"
            "{\"twin\":\"a\",\"property\":\"label\",\"value\":5}]}",
            SOSIA_VALIDATION, "changes[2].value: ");
    refused(&k, "whatifs", "{\"for\":\"P1D\",\"changes\":[{\"twin\":\"a\",\"property\":\"tags\",\"value\":{}}]}",
            SOSIA_VALIDATION, "changes[0].property: \"tags\" holds a document");
    assert_int_equal(put_in(&k, "", "kpis", "warm", KPI), SOSIA_OK);
    refused(&k, "whatifs", "{\"for\":\"P1D\",\"kpis\":[\"warm\",\"cold\"]}", SOSIA_DEFINITION_NOT_FOUND,
            "kpis[1]: there is no KPI \"cold\"");
    refused(&k, "whatifs", "{\"for\":\"P1D\",\"kpis\":[5]}", SOSIA_ARGUMENT, "names");
    assert_int_equal(put_in(&k, "", "kpis", "no name", KPI), SOSIA_ARGUMENT);
    assert_int_equal(put_in(&k, "", "nothings", "x", "{}"), SOSIA_ARGUMENT);
    assert_int_equal(kit_get_in(&k, "", SOSIA_GET_DEFINITION, "", "nothings"), SOSIA_ARGUMENT);
    kit_close(&k);
}

static void say(KitText *t, const char *z) { kit_add(t, z, strlen(z)); }

// Every bound, and that what is there goes on.
static void bounds(void **state) {
    (void)state;
    Kit k;
    opened(&k);
    KitText t = {0};
    say(&t, "{\"title\":\"");
    for (int i = 0; i < 7000; i++) say(&t, "0123456789");
    say(&t, "\",\"twin\":\"a\",\"expression\":\"1\"}");
    assert_int_equal(put_in(&k, "", "kpis", "x", t.p), SOSIA_LIMIT);
    t.n = 0;
    say(&t, "{\"for\":\"P1D\",\"changes\":[1");
    for (int i = 0; i < 10000; i++) say(&t, ",1");
    say(&t, "]}");
    assert_int_equal(put_in(&k, "", "whatifs", "x", t.p), SOSIA_ARGUMENT);
    kit_has(kit_message(&k), "at most 10000");
    free(t.p);
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "k%d", i);
        assert_int_equal(put_in(&k, "", "kpis", name, KPI), SOSIA_OK);
    }
    assert_int_equal(put_in(&k, "", "kpis", "one-more", KPI), SOSIA_LIMIT);
    assert_int_equal(put_in(&k, "", "kpis", "k5", KPI), SOSIA_OK);
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_and_out),
        cmocka_unit_test(part_of_a_world),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
