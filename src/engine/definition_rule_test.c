// SPDX-License-Identifier: Apache-2.0
// Rules as definitions of a world: in and out, what is refused and why, and that live and forks have their own.
#include "engine/test_kit.h"

#define FILLER                                                                                                         \
    "[{\"@id\":\"dtmi:test:Drive;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["      \
    "{\"@type\":\"Command\",\"name\":\"stop\"}]},"                                                                     \
    "{\"@id\":\"dtmi:test:Filler;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["      \
    "{\"@type\":\"Property\",\"name\":\"fault\",\"schema\":\"string\"},"                                               \
    "{\"@type\":\"Property\",\"name\":\"rate\",\"schema\":\"double\"},"                                                \
    "{\"@type\":\"Component\",\"name\":\"drive\",\"schema\":\"dtmi:test:Drive;1\"},"                                   \
    "{\"@type\":\"Command\",\"name\":\"clearJam\"},"                                                                   \
    "{\"@type\":\"Command\",\"name\":\"setSpeed\",\"request\":{\"name\":\"speed\",\"schema\":\"integer\"}}]},"         \
    "{\"@id\":\"dtmi:test:BigFiller;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\","                 \
    "\"extends\":\"dtmi:test:Filler;1\",\"contents\":[]}]"

#define CHANGE "{\"twin\":\"$twin\",\"property\":\"fault\",\"value\":\"\"}"
#define SPEED(n) "{\"twin\":\"$twin\",\"name\":\"setSpeed\",\"payload\":" #n "}"
#define ACTION "{\"name\":\"clear\",\"changes\":[" CHANGE "],\"command\":" SPEED(20000) ",\"undo\":" SPEED(36000) "}"
#define RULE(model, when, kpi, rest)                                                                                   \
    "{" model ",\"when\":\"" when "\",\"ahead\":\"PT1H\",\"objective\":{\"kpi\":\"" kpi "\"}," rest "}"
#define FILLERS "\"model\":\"dtmi:test:Filler;1\""
#define JAM "fault = 'jam'"
#define ACTIONS(x) "\"actions\":[" x "]"

static SosiaErr put_in(Kit *k, const char *world, const char *name, const char *body) {
    return kit_write_in(k, world, SOSIA_DEFINITION_PUT, name, "rules", body);
}

static void refused(Kit *k, const char *body, SosiaErr err, const char *words) {
    SosiaErr got = put_in(k, "", "x", body);
    if (got != err) fail_msg("%s: %s instead of %s", body, sosia_err_name(got), sosia_err_name(err));
    kit_has(kit_message(k), words);
    assert_int_equal(kit_get_in(k, "", SOSIA_GET_DEFINITION, "x", "rules"), SOSIA_DEFINITION_NOT_FOUND);
}

static void opened(Kit *k) {
    kit_open(k, &(SosiaOpen){0});
    kit_do(k, SOSIA_MODELS_ADD, "", "", FILLER);
    kit_do(k, SOSIA_TWIN_PUT, "f", "",
           "{\"$metadata\":{\"$model\":\"dtmi:test:Filler;1\"},\"drive\":{\"$metadata\":{}}}");
    kit_do(k, SOSIA_DEFINITION_PUT, "margin", "kpis",
           "{\"twin\":\"f\",\"expression\":\"rate * 2\",\"of\":\"money\",\"better\":\"more\",\"unit\":\"\"}");
    kit_do(k, SOSIA_DEFINITION_PUT, "rate", "kpis", "{\"twin\":\"f\",\"expression\":\"rate\",\"better\":\"more\"}");
}

static void in_and_out(void **state) {
    (void)state;
    Kit k;
    opened(&k);
    static const char rule[] = RULE(FILLERS, JAM, "margin",
                                    ACTIONS(ACTION) ",\"for\":\"PT30S\",\"limits\":[{\"kpi\":\"rate\",\"min\":1}],"
                                                    "\"envelope\":[{\"command\":\"setSpeed\",\"max\":36000}],"
                                                    "\"watch\":{\"kpi\":\"rate\",\"rollback\":true}");
    if (put_in(&k, "", "jams", rule)) fail_msg("%s", kit_message(&k));
    kit_has(kit_result(&k), "{\"name\":\"jams\",\"model\":\"dtmi:test:Filler;1\",\"when\":\"fault = 'jam'\"");
    kit_has(kit_get(&k, SOSIA_GET_DEFINITION, "jams", "rules"), "\"payload\":20000}");
    // What was given with its name may be put back; a fork has its own.
    char *again = strdup(kit_body(&k));
    assert_int_equal(put_in(&k, "", "jams", again), SOSIA_OK);
    free(again);
    assert_int_equal(sosia_fork(k.s, NULL, kit_str("live"), kit_str("w")), SOSIA_OK);
    assert_int_equal(kit_write_in(&k, "w", SOSIA_DEFINITION_DELETE, "jams", "rules", ""), SOSIA_OK);
    assert_int_equal(kit_count(kit_get(&k, SOSIA_GET_DEFINITION, "", "rules"), "\"name\":\"jams\""), 1);
    kit_do(&k, SOSIA_DEFINITION_DELETE, "jams", "rules", "");
    assert_string_equal(kit_get(&k, SOSIA_GET_DEFINITION, "", "rules"), "[]");
    kit_close(&k);
}

static void of_one_twin(void **state) {
    (void)state;
    Kit k;
    opened(&k);
    if (put_in(&k, "", "f", RULE("\"twin\":\"f\"", "rate < 5 AND fault = ''", "margin", ACTIONS(ACTION))))
        fail_msg("%s", kit_message(&k));
    // A command of a component, and an action that can only be recommended.
    const char *drive = "{\"name\":\"halt\",\"command\":{\"twin\":\"f\",\"component\":\"drive\",\"name\":\"stop\"}},"
                        "{\"name\":\"look\"}";
    char body[512];
    snprintf(body, sizeof body, RULE("\"twin\":\"f\"", "rate < 5", "margin", ACTIONS("%s")), drive);
    if (put_in(&k, "", "g", body)) fail_msg("%s", kit_message(&k));
    kit_close(&k);
}

#define REFUSED(k, actions, err, words) refused(k, RULE(FILLERS, JAM, "margin", ACTIONS(actions)), err, words)

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    Kit k;
    opened(&k);
    refused(&k, "{}", SOSIA_ARGUMENT, "\"model\" or for a \"twin\"");
    refused(&k, RULE("\"model\":\"dtmi:test:None;1\"", JAM, "margin", ACTIONS(ACTION)), SOSIA_MODEL_NOT_FOUND, "None");
    refused(&k, RULE("\"twin\":\"none\"", JAM, "margin", ACTIONS(ACTION)), SOSIA_TWIN_NOT_FOUND, "none");
    refused(&k, RULE(FILLERS, "fault =", "margin", ACTIONS(ACTION)), SOSIA_SYNTAX, "expected");
    refused(&k, RULE(FILLERS, "faults = ''", "margin", ACTIONS(ACTION)), SOSIA_SYNTAX, "faults");
    refused(&k, RULE(FILLERS, "rate + 1", "margin", ACTIONS(ACTION)), SOSIA_ARGUMENT, "true or false");
    refused(&k, RULE(FILLERS, JAM, "none", ACTIONS(ACTION)), SOSIA_DEFINITION_NOT_FOUND, "KPI \"none\"");
    refused(&k, RULE(FILLERS, JAM, "rate", ACTIONS(ACTION)), SOSIA_ARGUMENT, "\"money\"");
    refused(&k, RULE(FILLERS, JAM, "margin", ACTIONS(ACTION) ",\"limits\":[{\"kpi\":\"none\",\"min\":1}]"),
            SOSIA_DEFINITION_NOT_FOUND, "none");
    refused(&k, RULE(FILLERS, JAM, "margin", ACTIONS(ACTION) ",\"watch\":{\"kpi\":\"none\"}"),
            SOSIA_DEFINITION_NOT_FOUND, "none");
    REFUSED(&k, "{\"name\":\"a\",\"changes\":[{\"twin\":\"no\",\"property\":\"fault\",\"value\":\"\"}]}",
            SOSIA_TWIN_NOT_FOUND, "\"no\"");
    REFUSED(&k, "{\"name\":\"a\",\"changes\":[{\"twin\":\"f\",\"property\":\"no\",\"value\":\"\"}]}", SOSIA_VALIDATION,
            "\"no\"");
    REFUSED(&k, "{\"name\":\"a\",\"changes\":[{\"twin\":\"$twin\",\"property\":\"rate\",\"value\":\"x\"}]}",
            SOSIA_VALIDATION, "rate");
    REFUSED(&k, "{\"name\":\"a\",\"command\":{\"twin\":\"f\",\"name\":\"none\"}}", SOSIA_COMMAND_NOT_FOUND, "none");
    REFUSED(&k, "{\"name\":\"a\",\"command\":{\"twin\":\"f\",\"component\":\"rate\",\"name\":\"stop\"}}",
            SOSIA_COMPONENT_NOT_FOUND, "rate");
    REFUSED(&k, "{\"name\":\"a\",\"command\":{\"twin\":\"f\",\"name\":\"clearJam\",\"payload\":1}}", SOSIA_VALIDATION,
            "takes no");
    REFUSED(&k, "{\"name\":\"a\",\"command\":{\"twin\":\"f\",\"name\":\"setSpeed\"}}", SOSIA_VALIDATION, "wants");
    REFUSED(&k, "{\"name\":\"a\",\"command\":" SPEED("fast") "}", SOSIA_VALIDATION, "");
    REFUSED(&k, "{\"name\":\"a\",\"command\":" SPEED(1) ",\"undo\":{\"twin\":\"f\",\"name\":\"none\"}}",
            SOSIA_COMMAND_NOT_FOUND, "none");
    kit_close(&k);
}

static void begins(Kit *k, const char *body, const char *place) {
    assert_int_not_equal(put_in(k, "", "x", body), SOSIA_OK);
    if (strncmp(kit_message(k), place, strlen(place)))
        fail_msg("%s: \"%s\" does not begin with \"%s\"", body, kit_message(k), place);
}

// What does not fit the world is told with its place too. The second action's changes are not said in order of time.
static void refusals_say_where(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"name\":\"b\",\"changes\":[" CHANGE ",{\"twin\":\"no\",\"property\":\"fault\",\"value\":\"\"}]}",
         "actions[1].changes[1].twin: "},
        {"{\"name\":\"b\",\"changes\":[{\"at\":\"5m\",\"twin\":\"f\",\"property\":\"no\",\"value\":\"\"}," CHANGE "]}",
         "actions[1].changes[0].property: "},
        {"{\"name\":\"b\",\"changes\":[{\"at\":\"5m\",\"twin\":\"f\",\"property\":\"rate\",\"value\":\"x\"}," CHANGE
         "]}",
         "actions[1].changes[0].value: "},
        {"{\"name\":\"b\",\"command\":{\"twin\":\"no\",\"name\":\"stop\"}}", "actions[1].command.twin: "},
        {"{\"name\":\"b\",\"command\":{\"twin\":\"f\",\"component\":\"rate\",\"name\":\"stop\"}}",
         "actions[1].command.component: "},
        {"{\"name\":\"b\",\"command\":{\"twin\":\"f\",\"name\":\"none\"}}", "actions[1].command.name: "},
        {"{\"name\":\"b\",\"command\":" SPEED("fast") "}", "actions[1].command.payload: "},
        {"{\"name\":\"b\",\"command\":" SPEED(1) ",\"undo\":{\"twin\":\"f\",\"name\":\"clearJam\",\"payload\":1}}",
         "actions[1].undo.payload: "},
    };
    Kit k;
    char body[1024];
    opened(&k);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(body, sizeof body, RULE(FILLERS, JAM, "margin", ACTIONS(ACTION ",%s")), cases[i][0]);
        begins(&k, body, cases[i][1]);
    }
    begins(&k, RULE(FILLERS, JAM, "margin", ACTIONS("{\"name\":\"a\",\"cost\":-1}")), "actions[0].cost: ");
    begins(&k, RULE("\"model\":\"dtmi:test:None;1\"", JAM, "margin", ACTIONS(ACTION)), "model: ");
    begins(&k, RULE("\"twin\":\"none\"", JAM, "margin", ACTIONS(ACTION)), "twin: ");
    begins(&k, RULE(FILLERS, "rate + 1", "margin", ACTIONS(ACTION)), "when: ");
    begins(&k, RULE(FILLERS, JAM, "none", ACTIONS(ACTION)), "objective.kpi: ");
    begins(&k, RULE(FILLERS, JAM, "rate", ACTIONS(ACTION)), "objective.kpi: ");
    begins(&k,
           RULE(FILLERS, JAM, "margin",
                ACTIONS(ACTION) ",\"limits\":[{\"kpi\":\"rate\",\"min\":1},{\"kpi\":\"none\",\"min\":1}]"),
           "limits[1].kpi: ");
    begins(&k, RULE(FILLERS, JAM, "margin", ACTIONS(ACTION) ",\"watch\":{\"kpi\":\"none\"}"), "watch.kpi: ");
    begins(&k, RULE(FILLERS, "rate > 1 AND faults = ''", "margin", ACTIONS(ACTION)), "when: ");
    kit_has(kit_message(&k), " at byte 13");
    begins(&k, RULE(FILLERS, "fault =", "margin", ACTIONS(ACTION)), "when: ");
    kit_has(kit_message(&k), " at byte 7");
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_and_out),
        cmocka_unit_test(of_one_twin),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(refusals_say_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
