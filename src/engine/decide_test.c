// SPDX-License-Identifier: Apache-2.0
// The closed loop from a condition to what came of it, with a device that is not there.
#include "engine/test_decide.h"
// LABELS: threads

static void opened(Hall *h, const char *rest) {
    *h = (Hall){0};
    hall_open(h, "");
    hall_make(h);
    char body[4000];
    snprintf(body, sizeof body, "{" HALL_HEAD HALL_ACTIONS "%s}", rest);
    hall_rule(h, "jams", body);
}

// A filler jams; somebody approves; the device obeys; it goes as foretold.
static void kept(void **state) {
    (void)state;
    Hall h;
    opened(&h, ",\"for\":\"PT30S\",\"again\":\"PT10M\"," HALL_WATCH);
    hall_put(&h, "f-1", "fault", "\"jam\"");
    hall_put(&h, "f-1", "rate", "0");
    hall_wait(&h, 29);
    kit_has(hall_list(&h, (SosiaDecisions){0}), "\"value\":[]");
    hall_wait(&h, 2); // batches of one instant are a little later each
    hall_until(&h, 1, "waiting");
    const char *r = hall_record(&h, 1);
    kit_has(r, "\"rule\":\"jams\"");
    kit_has(r, "\"twin\":\"f-1\"");
    kit_has(r, "{\"twin\":\"f-1\",\"property\":\"fault\",\"value\":\"jam\"");
    kit_has(r, "\"choice\":\"clear\"");
    kit_has(r, "EUR");
    kit_has(r, "\"dropped\":"); // push is too hot
    assert_int_equal(atomic_load(&h.calls), 0);
    hall_approve(&h, 1, "ann");
    hall_until(&h, 1, "watching");
    assert_int_equal(atomic_load(&h.calls), 1);
    assert_string_equal(h.twin, "f-1");
    assert_string_equal(h.command, "setSpeed");
    assert_string_equal(h.payload, "10");
    assert_int_equal(hall_decide(&h, 1, "approve", "bob"), SOSIA_DECISION_STATE);
    hall_put(&h, "f-1", "fault", "\"\"");
    hall_put(&h, "f-1", "rate", "10");
    for (int i = 0; i < 62; i++) {
        uint64_t before = hall_revision(&h);
        hall_wait(&h, 5);
        if (strstr(hall_record(&h, 1), "\"kept\"")) break;
        SosiaDecisions d = {.revision = before, .wait_ns = 10 * NS_PER_S, .limit = 1};
        assert_int_equal(sosia_decisions(h.k.s, NULL, &d, &h.k.out), SOSIA_OK);
    }
    hall_until(&h, 1, "kept");
    kit_lacks(hall_record(&h, 1), "\"left\"");
    assert_int_equal(hall_decide(&h, 1, "rollback", "ann"), SOSIA_OK); // somebody knows better
    hall_until(&h, 1, "rolledBack");
    assert_string_equal(h.payload, "5");
    hall_close(&h);
}

// With one action alone.
static void opened_with(Hall *h, const char *action, const char *rest) {
    *h = (Hall){0};
    hall_open(h, "");
    hall_make(h);
    char body[4000];
    snprintf(body, sizeof body, "{" HALL_HEAD "\"actions\":[%s]%s}", action, rest);
    hall_rule(h, "jams", body);
}

static void jam(Hall *h) {
    hall_put(h, "f-1", "fault", "\"jam\"");
    hall_put(h, "f-1", "rate", "0");
}

// It does not go as foretold: the line stands still. The rule undoes it by itself.
static void left_and_undone(void **state) {
    (void)state;
    Hall h;
    opened_with(&h, HALL_CLEAR,
                ",\"mode\":\"auto\",\"watch\":{\"kpi\":\"pace\",\"for\":\"PT5M\",\"patience\":2,\"rollback\":true}");
    jam(&h);
    hall_until(&h, 1, "watching");
    assert_string_equal(h.payload, "10");
    hall_wait(&h, 5);
    hall_wait(&h, 5);
    hall_until(&h, 1, "rolledBack");
    assert_int_equal(atomic_load(&h.calls), 2);
    assert_string_equal(h.payload, "5");
    kit_has(hall_record(&h, 1), "\"left\"");
    hall_close(&h);
}

// The same, undone by somebody; then there is nothing to undo any more.
static void undone_by_people(void **state) {
    (void)state;
    Hall h;
    opened(&h, ",\"mode\":\"auto\"," HALL_WATCH);
    jam(&h);
    hall_until(&h, 1, "watching");
    hall_wait(&h, 10);
    hall_until(&h, 1, "left");
    assert_int_equal(atomic_load(&h.calls), 1);
    h.err = SOSIA_DEVICE_OFFLINE; // nothing leaves: it may be asked for again
    assert_int_equal(hall_decide(&h, 1, "rollback", "ann"), SOSIA_DEVICE_OFFLINE);
    h.err = SOSIA_OK;
    assert_int_equal(hall_decide(&h, 1, "rollback", "ann"), SOSIA_OK);
    hall_until(&h, 1, "rolledBack");
    assert_string_equal(h.payload, "5");
    kit_has(hall_record(&h, 1), "\"by\":\"ann\"");
    assert_int_equal(hall_decide(&h, 1, "rollback", "ann"), SOSIA_DECISION_STATE);
    hall_close(&h);
}

// Nobody answers in time: refused, or done, as the rule says.
static void time_runs_out(void **state) {
    (void)state;
    static const char *const rests[] = {",\"approval\":{\"within\":\"PT5M\"}",
                                        ",\"approval\":{\"within\":\"PT5M\",\"else\":\"act\"}"};
    for (int i = 0; i < 2; i++) {
        Hall h;
        opened(&h, rests[i]);
        jam(&h);
        hall_until(&h, 1, "waiting");
        hall_wait(&h, 299);
        kit_has(hall_record(&h, 1), "\"waiting\"");
        hall_wait(&h, 1);
        hall_until(&h, 1, i ? "kept" : "expired"); // nothing is watched
        assert_int_equal(atomic_load(&h.calls), i);
        assert_int_equal(hall_decide(&h, 1, "approve", "ann"), SOSIA_DECISION_STATE);
        hall_close(&h);
    }
}

// Two people, and they must be two.
static void two_people(void **state) {
    (void)state;
    Hall h;
    opened(&h, ",\"approval\":{\"people\":2}");
    jam(&h);
    hall_until(&h, 1, "waiting");
    hall_approve(&h, 1, "ann");
    assert_int_equal(hall_decide(&h, 1, "approve", "ann"), SOSIA_DECISION_STATE);
    assert_int_equal(atomic_load(&h.calls), 0);
    kit_has(hall_record(&h, 1), "\"waiting\"");
    hall_approve(&h, 1, "bob");
    hall_until(&h, 1, "kept");
    assert_int_equal(atomic_load(&h.calls), 1);
    hall_close(&h);
}

static void refused(void **state) {
    (void)state;
    Hall h;
    opened(&h, "");
    jam(&h);
    hall_until(&h, 1, "waiting");
    assert_int_equal(hall_decide(&h, 2, "refuse", "ann"), SOSIA_DECISION_NOT_FOUND);
    assert_int_equal(hall_decide(&h, 1, "maybe", "ann"), SOSIA_ARGUMENT);
    assert_int_equal(hall_decide(&h, 1, "refuse", "ann"), SOSIA_OK);
    hall_until(&h, 1, "refused");
    assert_int_equal(atomic_load(&h.calls), 0);
    hall_close(&h);
}

// The record only; nothing best; everything too hot; a sensor that has not told for long.
static void nothing_is_sent(void **state) {
    (void)state;
    static const struct {
        const char *action, *rest, *state;
    } cases[] = {
        {HALL_CLEAR, ",\"mode\":\"shadow\"", "shadow"},
        {"{\"name\":\"dear\",\"cost\":100000,\"changes\":[{\"twin\":\"$twin\",\"property\":\"fault\",\"value\":\"\"}],"
         "\"command\":{\"twin\":\"$twin\",\"name\":\"setSpeed\",\"payload\":10}}",
         ",\"mode\":\"auto\"", "nothing"},
        {HALL_PUSH, ",\"mode\":\"auto\"", "nothing"}, // too hot is dropped
        {HALL_CLEAR, ",\"mode\":\"auto\",\"for\":\"PT5M\",\"fresh\":\"PT2M\"", "stale"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Hall h;
        opened_with(&h, cases[i].action, cases[i].rest);
        jam(&h);
        if (i == 3) hall_wait(&h, 301);
        hall_until(&h, 1, cases[i].state);
        assert_int_equal(atomic_load(&h.calls), 0);
        hall_close(&h);
    }
}

// A limit that "nothing" breaks too.
static void none_within(void **state) {
    (void)state;
    Hall h = {0};
    hall_open(&h, "");
    hall_make(&h);
    hall_put(&h, "f-1", "heat", "500");
    hall_rule(&h, "jams", HALL_RULE("\"mode\":\"auto\""));
    jam(&h);
    hall_until(&h, 1, "noneWithin");
    assert_int_equal(atomic_load(&h.calls), 0);
    hall_close(&h);
}

// Nobody carries commands; the device refuses; it says nothing; it cannot be reached.
static void devices_fail(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        Hall h;
        opened_with(&h, HALL_CLEAR, "");
        if (i == 0) sosia_commander(h.k.s, NULL, NULL);
        if (i == 1) h.answer = SOSIA_DEVICE_REFUSED, h.says = "{\"why\":\"the hood is open\"}";
        if (i == 2) h.mute = true;
        if (i == 3) h.err = SOSIA_DEVICE_OFFLINE;
        jam(&h);
        hall_until(&h, 1, "waiting");
        hall_approve(&h, 1, "ann");
        if (i == 2) hall_until(&h, 1, "sending");
        if (i == 2) hall_wait(&h, 20);
        hall_until(&h, 1, "failed");
        assert_int_equal(atomic_load(&h.calls), i > 0);
        if (i == 1) { // people read its words; what it said stays beside them
            kit_has(hall_record(&h, 1), ": the hood is open\"");
            kit_has(hall_record(&h, 1), "\"answer\":\"{\\\"why\\\":\\\"the hood is open\\\"}\"");
        }
        hall_close(&h);
    }
}

// While the kill switch is on nothing is sent, and it stays on over a restart.
static void stopped(void **state) {
    (void)state;
    char path[64];
    Hall h = {0};
    kit_path(path);
    hall_open(&h, path);
    hall_make(&h);
    hall_rule(&h, "jams", HALL_RULE("\"mode\":\"approve\""));
    assert_int_equal(sosia_decisions_stop(h.k.s, NULL, true), SOSIA_OK);
    jam(&h);
    hall_until(&h, 1, "waiting");
    kit_has(hall_list(&h, (SosiaDecisions){0}), "\"stopped\":true");
    assert_int_equal(hall_decide(&h, 1, "approve", "ann"), SOSIA_DECISION_STATE);
    SosiaBuf told = h.k.out.message;
    SosiaStr text = kit_str("sending is stopped: resume it first (sosia decisions resume)");
    assert_true(told.n == text.n && !memcmp(told.p, text.p, (size_t)text.n));
    kit_has(hall_record(&h, 1), "\"waiting\"");
    hall_close(&h);
    hall_open(&h, path);
    kit_has(hall_list(&h, (SosiaDecisions){0}), "\"stopped\":true");
    assert_int_equal(hall_decide(&h, 1, "approve", "ann"), SOSIA_DECISION_STATE);
    kit_has(hall_record(&h, 1), "\"waiting\"");
    assert_null(strstr(hall_record(&h, 1), "\"ann\"")); // no trace of what was not taken
    assert_int_equal(atomic_load(&h.calls), 0);
    assert_int_equal(sosia_decisions_stop(h.k.s, NULL, false), SOSIA_OK);
    kit_has(hall_list(&h, (SosiaDecisions){0}), "\"stopped\":false");
    hall_approve(&h, 1, "ann");
    hall_until(&h, 1, "kept");
    assert_int_equal(atomic_load(&h.calls), 1);
    hall_close(&h);
    kit_unlink(path);
}

// Refusing goes on while it is on; what would be done without people ends as stopped.
static void stopped_for_all(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        Hall h;
        opened(&h, ",\"approval\":{\"within\":\"PT5M\",\"else\":\"act\"}");
        assert_int_equal(sosia_decisions_stop(h.k.s, NULL, true), SOSIA_OK);
        jam(&h);
        hall_until(&h, 1, "waiting");
        if (i) assert_int_equal(hall_decide(&h, 1, "refuse", "ann"), SOSIA_OK);
        else hall_wait(&h, 300);
        hall_until(&h, 1, i ? "refused" : "stopped");
        assert_int_equal(atomic_load(&h.calls), 0);
        hall_close(&h);
    }
}

// By hand, without the condition, and always asked.
static void by_hand(void **state) {
    (void)state;
    Hall h;
    opened(&h, ",\"mode\":\"auto\"");
    SosiaCaller ann = {.principal = kit_str("ann")};
    Sosia *s = h.k.s;
    assert_int_equal(sosia_propose(s, &ann, kit_str("none"), kit_str("f-1"), &h.k.out), SOSIA_DEFINITION_NOT_FOUND);
    assert_int_equal(sosia_propose(s, &ann, kit_str("jams"), kit_str("none"), &h.k.out), SOSIA_TWIN_NOT_FOUND);
    assert_int_equal(sosia_propose(s, &ann, kit_str("jams"), kit_str("f-1"), &h.k.out), SOSIA_OK);
    kit_has(kit_body(&h.k), "\"id\":1");
    hall_until(&h, 1, "nothing"); // it is not jammed
    jam(&h);
    hall_until(&h, 2, "kept"); // the rule itself
    assert_int_equal(sosia_propose(s, &ann, kit_str("jams"), kit_str("f-1"), &h.k.out), SOSIA_OK);
    hall_until(&h, 3, "waiting");
    kit_has(hall_record(&h, 3), "\"by\":\"ann\"");
    assert_int_equal(atomic_load(&h.calls), 1);
    hall_close(&h);
}

// What cannot be computed says why.
static void cannot_be_computed(void **state) {
    (void)state;
    Hall h;
    opened(&h, "");
    kit_do(&h.k, SOSIA_DEFINITION_DELETE, "heat", "kpis", "");
    jam(&h);
    hall_until(&h, 1, "failed");
    kit_has(hall_record(&h, 1), "there is no KPI");
    hall_close(&h);
}

// Rules that are put, changed and taken away while it goes on; not again before `again`.
static void rules_come_and_go(void **state) {
    (void)state;
    Hall h = {0};
    hall_open(&h, "");
    hall_make(&h);
    jam(&h);
    hall_rule(&h, "jams", HALL_RULE("\"mode\":\"shadow\",\"again\":\"PT10M\""));
    hall_until(&h, 1, "shadow"); // it held before
    hall_wait(&h, 599);
    hall_rule(&h, "other", HALL_RULE("\"mode\":\"shadow\",\"for\":\"PT1S\""));
    for (int i = 0; i < 100 && !strstr(hall_list(&h, (SosiaDecisions){0}), "\"id\":3"); i++) hall_wait(&h, 1);
    hall_until(&h, 2, "shadow");
    hall_until(&h, 3, "shadow");
    const char *one = "\"rule\":\"jams\"";
    assert_int_equal(kit_count(hall_list(&h, (SosiaDecisions){.rule = kit_str("jams")}), one), 2);
    kit_do(&h.k, SOSIA_DEFINITION_DELETE, "jams", "rules", "");
    kit_do(&h.k, SOSIA_DEFINITION_DELETE, "other", "rules", "");
    hall_wait(&h, 3600);
    hall_rule(&h, "third", HALL_RULE("\"mode\":\"shadow\""));
    hall_until(&h, 4, "shadow");
    assert_int_equal(kit_count(hall_list(&h, (SosiaDecisions){0}), "\"id\":"), 4);
    hall_close(&h);
}

// Lists: by state, rule and twin, page by page, and who waits hears of it.
static void lists(void **state) {
    (void)state;
    Hall h;
    opened(&h, ",\"mode\":\"shadow\"");
    Sosia *s = h.k.s;
    for (int i = 0; i < 5; i++)
        assert_int_equal(sosia_propose(s, NULL, kit_str("jams"), kit_str(i % 2 ? "f-2" : "f-1"), &h.k.out), SOSIA_OK);
    for (uint64_t i = 1; i <= 5; i++) hall_until(&h, i, "nothing");
    assert_int_equal(kit_count(hall_list(&h, (SosiaDecisions){.state = kit_str("nothing")}), "\"id\":"), 5);
    assert_int_equal(kit_count(hall_list(&h, (SosiaDecisions){.state = kit_str("open")}), "\"id\":"), 0);
    assert_int_equal(kit_count(hall_list(&h, (SosiaDecisions){.twin = kit_str("f-2")}), "\"id\":"), 2);
    const char *page = hall_list(&h, (SosiaDecisions){.limit = 2});
    kit_has(page, "\"more\":true");
    kit_has(page, "\"id\":5");
    page = hall_list(&h, (SosiaDecisions){.limit = 2, .after = 2});
    kit_has(page, "\"more\":false");
    assert_int_equal(kit_count(page, "\"id\":"), 1);
    SosiaDecisions bad = {.state = kit_str("no")};
    assert_int_equal(sosia_decisions(s, NULL, &bad, &h.k.out), SOSIA_ARGUMENT);
    bad = (SosiaDecisions){.limit = 1001};
    assert_int_equal(sosia_decisions(s, NULL, &bad, &h.k.out), SOSIA_ARGUMENT);
    assert_int_equal(sosia_decision(s, NULL, 6, &h.k.out), SOSIA_DECISION_NOT_FOUND);
    hall_close(&h);
}

// ---- what looks at more than one twin, and at the time --------------------------------------------------------------

#define HALLS                                                                                                          \
    "[{\"@id\":\"dtmi:t:Hall;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;3\",\"contents\":["          \
    "{\"@type\":\"Property\",\"name\":\"note\",\"schema\":\"string\"},"                                                \
    "{\"@type\":\"Command\",\"name\":\"call\"},{\"@type\":\"Relationship\",\"name\":\"has\",\"target\":\"dtmi:t:"      \
    "Filler;1\"}]}]"
#define HALL_OTHER(when)                                                                                               \
    "{\"model\":\"dtmi:t:Hall;1\",\"when\":\"" when "\",\"ahead\":\"PT10M\",\"replications\":4,\"mode\":\"auto\","     \
    "\"objective\":{\"kpi\":\"margin\"},\"actions\":[{\"name\":\"call\",\"changes\":[{\"twin\":\"f-1\","               \
    "\"property\":\"fault\",\"value\":\"\"}],\"command\":{\"twin\":\"$twin\",\"name\":\"call\"}}]}"

static void other_twins_and_time(void **state) {
    (void)state;
    static const char *const rules[] = {HALL_OTHER("ANY(->has, fault = 'jam')"),
                                        HALL_OTHER("age(note) > 60s AND ANY(->has, fault = 'jam')")};
    for (int i = 0; i < 2; i++) {
        Hall h = {0};
        hall_open(&h, "");
        hall_make(&h);
        kit_do(&h.k, SOSIA_MODELS_ADD, "", "", HALLS);
        kit_do(&h.k, SOSIA_TWIN_PUT, "hall", "", "{\"$metadata\":{\"$model\":\"dtmi:t:Hall;1\"},\"note\":\"x\"}");
        kit_do(&h.k, SOSIA_LINK_PUT, "hall", "1", "{\"$targetId\":\"f-1\",\"$relationshipName\":\"has\"}");
        hall_rule(&h, "other", rules[i]);
        if (i) jam(&h);
        hall_wait(&h, 10);
        kit_has(hall_list(&h, (SosiaDecisions){0}), "\"value\":[]");
        if (!i) jam(&h);
        hall_wait(&h, 60);
        hall_until(&h, 1, "kept");
        assert_string_equal(h.twin, "hall");
        assert_string_equal(h.command, "call");
        assert_string_equal(h.payload, "");
        kit_has(hall_record(&h, 1), "{\"twin\":\"f-1\",\"property\":\"fault\",\"value\":\"jam\"");
        hall_close(&h);
    }
}

// ---- bounds ---------------------------------------------------------------------------------------------------------

static void many(Hall *h, int n) {
    KitText t = {0};
    char line[300];
    static const char head[] = "{\"Section\":\"Header\"}\n{\"fileVersion\":\"1.0.0\"}\n{\"Section\":\"Twins\"}\n";
    kit_add(&t, head, sizeof head - 1);
    for (int i = 0; i < n; i++) {
        int k = snprintf(line, sizeof line,
                         "{\"$dtId\":\"m-%d\",\"$metadata\":{\"$model\":\"dtmi:t:Filler;1\"},\"fault\":\"jam\","
                         "\"speed\":1,\"rate\":0,\"heat\":0,\"money\":0}\n",
                         i);
        kit_add(&t, line, (size_t)k);
    }
    kit_do(&h->k, SOSIA_IMPORT, "", "", t.p);
    free(t.p);
}

static int listed(Hall *h, const char *what) {
    SosiaDecisions d = {.state = kit_str(what), .limit = 1000};
    return kit_count(hall_list(h, d), "\"id\":");
}

// More come at once than can be computed: they are on record as refused. Of 1,000 records the oldest at their end go,
// but not what sent a command.
static void too_many(void **state) {
    (void)state;
    Hall h;
    char body[4000];
    opened_with(&h, HALL_CLEAR, ",\"mode\":\"auto\"");
    jam(&h);
    hall_until(&h, 1, "kept");
    snprintf(body, sizeof body, "{" HALL_HEAD "\"actions\":[" HALL_CLEAR "],\"mode\":\"shadow\"}");
    hall_rule(&h, "jams", body);
    kit_do(&h.k, SOSIA_DEFINITION_PUT, "fillers", "behaviours", // without chance: there are many
           "{\"model\":\"dtmi:t:Filler;1\",\"say\":[\"rate = fault = '' ? speed : 0\",\"der(money) = rate\"]}");
    many(&h, 1100);
    while (listed(&h, "open") || listed(&h, "") < 1000) {
        SosiaDecisions d = {.revision = hall_revision(&h), .wait_ns = NS_PER_S};
        (void)sosia_decisions(h.k.s, NULL, &d, &h.k.out);
    }
    assert_int_equal(listed(&h, ""), 1000);
    int refusals = listed(&h, "refused"), nothing = listed(&h, "nothing");
    assert_true(refusals >= 900 && refusals + nothing == 999);
    kit_has(hall_record(&h, 1), "\"kept\"");
    assert_int_equal(sosia_decision(h.k.s, NULL, 100, &h.k.out), SOSIA_DECISION_NOT_FOUND);
    kit_has(hall_record(&h, 1101), "refused for being busy");
    hall_close(&h);
}

// 64 that wait for people, and no more.
static void too_many_wait(void **state) {
    (void)state;
    Hall h;
    opened_with(&h, HALL_CLEAR, "");
    jam(&h);
    hall_until(&h, 1, "waiting");
    for (uint64_t id = 2; id <= 64; id++) {
        assert_int_equal(sosia_propose(h.k.s, NULL, kit_str("jams"), kit_str("f-1"), &h.k.out), SOSIA_OK);
        hall_until(&h, id, "waiting");
    }
    assert_int_equal(sosia_propose(h.k.s, NULL, kit_str("jams"), kit_str("f-1"), &h.k.out), SOSIA_BUSY);
    assert_int_equal(hall_decide(&h, 7, "refuse", "ann"), SOSIA_OK);
    assert_int_equal(sosia_propose(h.k.s, NULL, kit_str("jams"), kit_str("f-1"), &h.k.out), SOSIA_OK);
    char note[1001];
    memset(note, 'x', sizeof note);
    SosiaStr long_note = {note, sizeof note};
    assert_int_equal(sosia_decide(h.k.s, NULL, 8, kit_str("refuse"), long_note, &h.k.out), SOSIA_ARGUMENT);
    hall_close(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept),
        cmocka_unit_test(left_and_undone),
        cmocka_unit_test(undone_by_people),
        cmocka_unit_test(time_runs_out),
        cmocka_unit_test(two_people),
        cmocka_unit_test(refused),
        cmocka_unit_test(nothing_is_sent),
        cmocka_unit_test(none_within),
        cmocka_unit_test(devices_fail),
        cmocka_unit_test(stopped),
        cmocka_unit_test(stopped_for_all),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(cannot_be_computed),
        cmocka_unit_test(rules_come_and_go),
        cmocka_unit_test(lists),
        cmocka_unit_test(other_twins_and_time),
        cmocka_unit_test(too_many),
        cmocka_unit_test(too_many_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
