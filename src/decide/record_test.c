// SPDX-License-Identifier: Apache-2.0
// Records: out and in again, their bounds, the seal, verdicts, the log, and twins that are erased from them.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "decide/test_story.h"

static Str text_of(Story *s, const Decision *x) {
    Buf b = {0};
    decision_put(x, &b);
    Str t = arena_str(&s->a, buf_str(&b));
    buf_free(&b);
    return t;
}

static Err read(Story *s, Str text, Decision *out, Diag *d) {
    Json *v = NEW(&s->a, Json, 1);
    Err err = json_parse(text, NULL, &s->a, v, d);
    return err ? err : decision_of(&s->a, v, out, d);
}

static void same(Str s, const char *z) {
    if (!str_eq(s, str_of(z))) fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), z);
}

// As much of a life as there is.
static void live(Story *s) {
    Decision *x = &s->x;
    (void)decision_step(x, &s->a, STORY_AT + 4);
    if (x->state == DECISION_WAITING) {
        assert_int_equal(decision_verdict(x, &s->a, STR("eve"), STR("approve"), STR("go \"on\"\n"), STORY_AT + 5), 0);
        assert_int_equal(decision_verdict(x, &s->a, STR("bob"), STR("refuse"), (Str){0}, STORY_AT + 6), 0);
    }
    if (x->command.c.name.n) {
        story_send(s, STORY_AT + 7);
        decision_answered(&x->command, &s->a, STORY_AT + 8, 200, (Str){0}, STR("{\"ok\":true}"));
    }
    if (x->watch.count) band_begin(&x->watch, STORY_AT + 9);
    for (int i = 0; i < x->watch.count; i++) (void)band_see(&x->watch, i == 2 ? (double)NAN : 50.0 + i);
    x->rollback.c = x->command.c;
    x->rollback.asked_ns = STORY_AT + 10;
    x->rollback.by = STR("eve");
    decision_answered(&x->rollback, &s->a, STORY_AT + 11, 504, STR("DeviceTimeout"), (Str){0});
    x->state = DECISION_ROLLED_BACK;
    (void)decision_step(x, &s->a, STORY_AT + 12);
    x->ended_ns = STORY_AT + 12;
    decision_log(x, &s->a, STORY_AT + 12, "undone");
}

static void out_and_in_again(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        Story s;
        Decision y;
        Diag d;
        diag_init(&d);
        story_make(&s, seed);
        if (seed % 2) live(&s);
        Str once = text_of(&s, &s.x);
        if (read(&s, once, &y, &d))
            fail_msg("seed %d: %.*s\n%.*s", (int)seed, STR_ARG(d.messages[0].text), STR_ARG(once));
        Str twice = text_of(&s, &y);
        if (!str_eq(once, twice)) fail_msg("seed %d: %.*s\n%.*s", (int)seed, STR_ARG(once), STR_ARG(twice));
        assert_true(y.id == s.x.id && y.state == s.x.state && y.due_ns == s.x.due_ns && str_eq(y.hash, s.x.hash));
        assert_true(y.alternative_count == s.x.alternative_count && y.limit_count == s.x.limit_count);
        for (int i = 0; i < y.alternative_count; i++)
            for (int r = 0; r < y.replications; r++) {
                double p = y.alternatives[i].samples[r], q = s.x.alternatives[i].samples[r];
                assert_true(p == q || (isnan(p) && isnan(q)));
            }
        assert_true(y.watch.seen_count == s.x.watch.seen_count && y.watch.left_ns == s.x.watch.left_ns);
        assert_true(y.rollback.asked_ns == s.x.rollback.asked_ns || !y.rollback.c.name.n);
        diag_free(&d);
        story_free(&s);
    }
}

static void a_short_form_for_lists(void **state) {
    (void)state;
    Story s;
    Buf b = {0};
    Json v;
    uint64_t seed = 1;
    for (story_make(&s, seed); s.end != CHOSE_ACTION || s.x.state != DECISION_WAITING; story_make(&s, ++seed))
        story_free(&s);
    decision_put_short(&s.x, &b);
    assert_int_equal(json_parse(buf_str(&b), NULL, &s.a, &v, NULL), ERR_OK);
    same(json_get(&v, STR("state"))->s, "waiting");
    assert_true(json_f64(json_get(&v, STR("gain"))) > 0);
    assert_non_null(json_get(&v, STR("due")));
    assert_null(json_get(&v, STR("alternatives")));
    buf_free(&b);
    story_free(&s);
}

static void refused(const char *text, Err err, const char *words) {
    Story s;
    Decision y;
    Diag d;
    diag_init(&d);
    story_make(&s, 1);
    Err got = read(&s, str_of(text), &y, &d);
    if (got != err || !d.count || str_find_str(d.messages[0].text, str_of(words)) < 0)
        fail_msg("%s: %s %.*s", text, err_name(got), STR_ARG(d.messages[0].text));
    diag_free(&d);
    story_free(&s);
}

#define HEAD "\"state\":\"waiting\",\"mode\":\"auto\",\"trigger\":{}"

static void what_is_damaged_is_refused(void **state) {
    (void)state;
    refused("[]", ERR_ARGUMENT, "object");
    refused("{}", ERR_ARGUMENT, "\"state\"");
    refused("{\"state\":\"kept\"}", ERR_ARGUMENT, "\"mode\"");
    refused("{\"state\":\"kept\",\"mode\":\"auto\"}", ERR_ARGUMENT, "\"trigger\"");
    refused("{" HEAD ",\"id\":-1}", ERR_ARGUMENT, "\"id\"");
    refused("{" HEAD ",\"definition\":[]}", ERR_ARGUMENT, "\"definition\"");
    refused("{" HEAD ",\"ended\":\"now\"}", ERR_ARGUMENT, "instant");
    refused("{" HEAD ",\"other\":1}", ERR_ARGUMENT, "no member \"other\"");
    refused("{" HEAD ",\"objective\":{\"better\":\"worse\"}}", ERR_ARGUMENT, "more or less");
    refused("{" HEAD ",\"replications\":2,\"alternatives\":[{\"samples\":[1]}]}", ERR_ARGUMENT, "list of 2 numbers");
    refused("{" HEAD ",\"replications\":1,\"alternatives\":[{\"samples\":[\"1\"]}]}", ERR_ARGUMENT, "number");
    refused("{" HEAD ",\"alternatives\":[{\"limits\":[{}]},{}]}", ERR_ARGUMENT, "different numbers");
    refused("{" HEAD ",\"approval\":{\"by\":[{\"verdict\":\"perhaps\"}]}}", ERR_ARGUMENT, "approve or refuse");
    refused("{" HEAD ",\"command\":{}}", ERR_ARGUMENT, "\"name\"");
    refused("{" HEAD ",\"watch\":{}}", ERR_ARGUMENT, "\"times\"");
    refused("{" HEAD ",\"watch\":{\"times\":[\"2026-01-01T00:00:00Z\",\"2026-01-01T00:00:00Z\"]}}", ERR_ARGUMENT,
            "ascend");
    refused("{" HEAD ",\"watch\":{\"times\":[\"2026-01-01T00:00:00Z\"],\"low\":[1],\"high\":[1],\"mean\":[1],"
            "\"seen\":[1,2]}}",
            ERR_LIMIT, "\"seen\"");
    refused("{" HEAD ",\"log\":[{\"at\":5}]}", ERR_ARGUMENT, "instant");
}

// Each bound of a record: what has it is read, one more is refused.
static void bounded(const char *before, int n, const char *item, const char *after) {
    for (int over = 0; over < 2; over++) {
        Story s;
        Decision y;
        Buf b = {0};
        story_make(&s, 1);
        buf_printf(&b, "{" HEAD ",%s", before);
        for (int i = 0; i < n + over; i++) buf_printf(&b, "%s%s", i ? "," : "", item);
        buf_printf(&b, "%s}", after);
        Err err = read(&s, buf_str(&b), &y, NULL);
        assert_int_equal(err, over ? ERR_LIMIT : ERR_OK);
        buf_free(&b);
        story_free(&s);
    }
}

static void every_bound(void **state) {
    (void)state;
    bounded("\"log\":[", DECISION_LOG_MAX, "{\"at\":\"2026-01-01T00:00:00Z\",\"what\":\"x\"}", "]");
    bounded("\"approval\":{\"by\":[", DECISION_VERDICTS_MAX, "{\"who\":\"x\",\"verdict\":\"approve\"}", "]}");
    bounded("\"alternatives\":[", RULE_ACTIONS_MAX + 1, "{}", "]");
    bounded("\"alternatives\":[{\"limits\":[", RULE_LIMITS_MAX, "{}", "]}]");
    refused("{" HEAD ",\"trigger\":{}}", ERR_ARGUMENT, "comes twice");
    Story s;
    story_make(&s, 3);
    char big[5000];
    memset(big, 'x', sizeof big);
    memcpy(big + DECISION_ANSWER_MAX - 1, "\xC3\xA4", 2); // not cut within a character
    decision_answered(&s.x.command, &s.a, 1, 200, (Str){0}, (Str){big, sizeof big});
    assert_int_equal(s.x.command.answer.n, DECISION_ANSWER_MAX - 1);
    int32_t was = s.x.log_count;
    for (int i = 0; i < 500; i++) decision_log(&s.x, &s.a, i, "entry %d", i);
    assert_int_equal(s.x.log_count, DECISION_LOG_MAX);
    same(s.x.log[was + 3].what, "entry 3");
    same(s.x.log[DECISION_LOG_MAX - 1].what, "more happened that is not kept");
    story_free(&s);
}

// It was in one state from one step to the next, before the first in the first.
static void steps_tell_what_it_was_then(void **state) {
    (void)state;
    Story s;
    story_make(&s, 3);
    Decision *x = &s.x;
    assert_int_equal(decision_state_at(x->steps, x->step_count, 5, DECISION_KEPT), DECISION_KEPT); // none are known
    x->state = DECISION_WAITING;
    assert_true(decision_step(x, &s.a, 10));
    assert_false(decision_step(x, &s.a, 15));
    x->state = DECISION_APPROVED;
    assert_true(decision_step(x, &s.a, 20));
    x->state = DECISION_KEPT;
    assert_true(decision_step(x, &s.a, 12)); // the clock was set back
    assert_int_equal(x->step_count, 3);
    static const DecisionState want[] = {DECISION_WAITING, DECISION_WAITING, DECISION_WAITING, DECISION_KEPT};
    static const int64_t at[] = {9, 10, 19, 20};
    for (int i = 0; i < 4; i++)
        assert_int_equal(decision_state_at(x->steps, x->step_count, at[i], DECISION_STALE), want[i]);
    for (int64_t t = 30; t < 100; t++) {
        x->state = t % 2 ? DECISION_SENDING : DECISION_APPROVED;
        assert_true(decision_step(x, &s.a, t));
    }
    assert_int_equal(x->step_count, DECISION_STEPS_MAX);
    assert_int_equal(x->steps[DECISION_STEPS_MAX - 1].state, DECISION_SENDING);
    refused("{" HEAD ",\"steps\":[{\"at\":\"2026-01-01T00:00:00Z\",\"state\":\"lost\"}]}", ERR_ARGUMENT, "state");
    refused("{" HEAD ",\"steps\":[{\"at\":\"2026-01-02T00:00:00Z\",\"state\":\"waiting\"},"
            "{\"at\":\"2026-01-01T00:00:00Z\",\"state\":\"kept\"}]}",
            ERR_ARGUMENT, "ascend");
    bounded("\"steps\":[", DECISION_STEPS_MAX, "{\"at\":\"2026-01-01T00:00:00Z\",\"state\":\"kept\"}", "]");
    story_free(&s);
}

static void the_seal_covers_what_was_decided(void **state) {
    (void)state;
    Story s;
    story_make(&s, 5);
    Str before = s.x.hash;
    assert_int_equal(before.n, 64);
    // What comes later is not part of it.
    s.x.state = DECISION_KEPT;
    s.x.ended_ns = 7;
    s.x.command.sent_ns = s.x.command.c.name.n ? 5 : 0;
    decision_log(&s.x, &s.a, 9, "later");
    (void)decision_step(&s.x, &s.a, 9);
    decision_seal(&s.x, &s.a);
    assert_true(str_eq(before, s.x.hash));
    // The rest is, to the last sample.
    Decision y = s.x;
#define SEALED(change)                                                                                                 \
    y = s.x;                                                                                                           \
    change;                                                                                                            \
    decision_seal(&y, &s.a);                                                                                           \
    assert_false(str_eq(before, y.hash))
    SEALED(y.world = STR("live@2026-11-23T05:00:01Z"));
    SEALED(y.sequence++);
    SEALED(y.rule = STR("q"));
    SEALED(y.twin = STR("f8"));
    SEALED(y.mode = s.x.mode == RULE_AUTO ? RULE_SHADOW : RULE_AUTO);
    SEALED(y.by = STR("mallory"));
    SEALED(y.at_ns++);
    SEALED(y.definition = STR("{}"));
    SEALED(y.seed++);
    SEALED(y.choice = STR("other"));
    SEALED(y.why = STR("other"));
    SEALED(y.command.c = ((RuleCommand){.twin = STR("f7"), .name = STR("cX")}));
    double *v = &s.x.alternatives[1].samples[0];
    *v = nextafter(*v, 1e9);
    SEALED(y.id++);
    story_free(&s);
}

static Err verdict(Story *s, const char *who, const char *what, int64_t at) {
    return decision_verdict(&s->x, &s->a, str_of(who), str_of(what), (Str){0}, at);
}

static void verdicts(void **state) {
    (void)state;
    Story s;
    story_make(&s, 5);
    s.x.state = DECISION_WAITING;
    s.x.due_ns = STORY_AT + 100;
    assert_int_equal(decision_approvals(&s.x), 0);
    assert_int_equal(verdict(&s, "eve", "perhaps", STORY_AT), ERR_ARGUMENT);
    assert_int_equal(verdict(&s, "eve", "approve", STORY_AT + 101), ERR_NOT_ALLOWED);
    assert_int_equal(verdict(&s, "eve", "approve", STORY_AT + 1), ERR_OK);
    assert_int_equal(verdict(&s, "eve", "approve", STORY_AT + 2), ERR_NOT_ALLOWED);
    assert_int_equal(decision_approvals(&s.x), 1);
    assert_int_equal(verdict(&s, "bob", "approve", STORY_AT + 100), ERR_OK);
    assert_int_equal(decision_approvals(&s.x), 2);
    // Bound to what they saw.
    Str hash = s.x.hash;
    s.x.hash = STR("another");
    assert_int_equal(decision_approvals(&s.x), 0);
    s.x.hash = hash;
    s.x.verdicts[1].at_ns = s.x.due_ns + 1; // read so
    assert_int_equal(decision_approvals(&s.x), 1);
    s.x.verdicts[1].at_ns = s.x.due_ns;
    s.x.verdicts[1].who = s.x.verdicts[0].who;
    assert_int_equal(decision_approvals(&s.x), 1);
    s.x.verdicts[1].who = STR("bob");
    for (int i = 2; i < DECISION_VERDICTS_MAX; i++) {
        char who[16];
        snprintf(who, sizeof who, "p%d", i);
        assert_int_equal(verdict(&s, who, "approve", STORY_AT + 3), ERR_OK);
    }
    assert_int_equal(verdict(&s, "one-more", "approve", STORY_AT + 3), ERR_LIMIT);
    s.x.verdicts[3].verdict = STR("refuse");
    assert_int_equal(decision_approvals(&s.x), -1);
    s.x.state = DECISION_APPROVED;
    assert_int_equal(verdict(&s, "late", "approve", STORY_AT + 3), ERR_NOT_ALLOWED);
    story_free(&s);
}

static void states_have_names(void **state) {
    (void)state;
    for (int i = 0; i < DECISION_STATES; i++) {
        DecisionState back;
        assert_true(decision_state_of(str_of(decision_state_name((DecisionState)i)), &back));
        assert_int_equal(back, i);
    }
    DecisionState none;
    assert_false(decision_state_of(STR("gone"), &none));
    assert_true(!decision_ended(DECISION_WATCHING) && decision_ended(DECISION_KEPT));
    same(str_of(decision_state_name(DECISION_STOPPED)), "stopped");
}

// Every place where a twin can be named, and none where its name is another word.
static void a_twin_is_erased(void **state) {
    (void)state;
    static const char record[] =
        "{\"id\":1,\"rule\":\"kept\",\"state\":\"kept\",\"twin\":\"kept\",\"mode\":\"auto\","
        "\"trigger\":{\"values\":[{\"twin\":\"kept\",\"property\":\"a\",\"value\":5,"
        "\"time\":\"2026-01-01T00:00:00Z\"},{\"twin\":\"b\",\"property\":\"a\",\"value\":\"kept\","
        "\"time\":\"2026-01-01T00:00:00Z\"}]},\"definition\":{\"when\":\"$dtId = 'kept' OR x = 'kept-2'\",\"actions\":["
        "{\"name\":\"kept\",\"changes\":[{\"twin\":\"kept\",\"value\":{\"kept\":[\"kept\",\"kept.\",7]}}]}]},"
        "\"why\":\"of kept, unkept and kept_too\",\"command\":{\"twin\":\"b\",\"name\":\"c\",\"payload\":\"kept\"},"
        "\"steps\":[{\"at\":\"2026-01-01T00:00:00Z\",\"state\":\"kept\"}],"
        "\"log\":[{\"at\":\"2026-01-01T00:00:00Z\",\"what\":\"kept\"}]}";
    static const char want[] =
        "{\"id\":1,\"rule\":\"kept\",\"state\":\"kept\",\"twin\":\"\",\"mode\":\"auto\","
        "\"trigger\":{\"values\":[{\"twin\":\"b\",\"property\":\"a\",\"value\":\"\","
        "\"time\":\"2026-01-01T00:00:00Z\"}]},\"definition\":{\"when\":\"$dtId = '(erased)' OR x = "
        "'kept-2'\",\"actions\":["
        "{\"name\":\"kept\",\"changes\":[{\"twin\":\"\",\"value\":{\"\":[\"\",\"(erased).\",7]}}]}]},"
        "\"why\":\"of (erased), unkept and kept_too\",\"command\":{\"twin\":\"b\",\"name\":\"c\",\"payload\":\"\"},"
        "\"steps\":[{\"at\":\"2026-01-01T00:00:00Z\",\"state\":\"kept\"}],"
        "\"log\":[{\"at\":\"2026-01-01T00:00:00Z\",\"what\":\"\"}]}";
    Story s;
    Json v, w;
    Decision y;
    Buf b = {0};
    story_make(&s, 1);
    assert_int_equal(json_parse(str_of(record), NULL, &s.a, &v, NULL), ERR_OK);
    assert_true(decision_names(&v, STR("kept")));
    assert_true(decision_names(&v, STR("b")));
    assert_false(decision_names(&v, STR("unkep")));
    assert_false(decision_names(&v, STR("auto"))); // a word of ours
    decision_forget(&v, STR("kept"), &b);
    same(buf_str(&b), want);
    assert_int_equal(json_parse(buf_str(&b), NULL, &s.a, &w, NULL), ERR_OK);
    assert_false(decision_names(&w, STR("kept")));
    assert_int_equal(decision_of(&s.a, &w, &y, NULL), ERR_OK); // and can still be read
    buf_free(&b);
    story_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_and_in_again),
        cmocka_unit_test(a_short_form_for_lists),
        cmocka_unit_test(what_is_damaged_is_refused),
        cmocka_unit_test(every_bound),
        cmocka_unit_test(steps_tell_what_it_was_then),
        cmocka_unit_test(the_seal_covers_what_was_decided),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(a_twin_is_erased),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
