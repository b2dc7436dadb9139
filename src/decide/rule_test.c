// SPDX-License-Identifier: Apache-2.0
// Rules: what is read of them, what is refused and with which words, every bound, and the twin filled in.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "decide/rule.h"

static const char full[] =
    "{\"name\":\"jams\",\"title\":\"A filler jams\",\"about\":\"x\",\"model\":\"dtmi:a;1\",\"when\":\"fault = 'jam'\","
    "\"for\":\"PT30S\",\"again\":\"10m\",\"mostPerHour\":6,\"fresh\":\"PT2M\",\"mode\":\"auto\","
    "\"approval\":{\"within\":\"PT5M\",\"else\":\"act\",\"people\":2},\"ahead\":\"PT1H\",\"replications\":50,\"seed\":"
    "7,"
    "\"objective\":{\"kpi\":\"margin\"},\"limits\":[{\"kpi\":\"low\",\"min\":5},{\"kpi\":\"hot\",\"min\":-1,\"max\":8}]"
    ","
    "\"envelope\":[{\"command\":\"setSpeed\",\"pointer\":\"/speed\",\"min\":0,\"max\":36000}],"
    "\"actions\":[{\"name\":\"clear\",\"title\":\"Clear it\",\"cost\":12.5,\"changes\":["
    "{\"at\":\"PT5M\",\"twin\":\"$twin\",\"property\":\"fault\",\"value\":\"\"},"
    "{\"at\":\"PT1M\",\"twin\":\"b\",\"property\":\"speed\",\"value\":1},"
    "{\"at\":\"PT1M\",\"twin\":\"$twin\",\"property\":\"speed\",\"value\":null}],"
    "\"command\":{\"twin\":\"$twin\",\"component\":\"drive\",\"name\":\"setSpeed\",\"payload\":{ \"speed\" : 2e4 },"
    "\"timeout\":\"20s\"},\"undo\":{\"twin\":\"$twin\",\"name\":\"setSpeed\",\"payload\":{\"speed\":36000}}},"
    "{\"name\":\"look\"}],"
    "\"watch\":{\"kpi\":\"rate\",\"for\":\"PT30M\",\"patience\":4,\"margin\":2,\"rollback\":true}}";

typedef struct Read {
    Arena a;
    Json json;
    Rule rule;
    Diag d;
    Err err;
} Read;

static void read(Read *x, const char *text) {
    arena_init(&x->a, 0);
    diag_init(&x->d);
    assert_int_equal(json_parse(str_of(text), NULL, &x->a, &x->json, &x->d), ERR_OK);
    x->err = rule_of(&x->a, &x->json, STR("r"), &x->rule, &x->d);
}

static void done(Read *x) {
    diag_free(&x->d);
    arena_free(&x->a);
}

static void same(Str s, const char *z) {
    if (!str_eq(s, str_of(z))) fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), z);
}

static void all_of_it_is_read(void **state) {
    (void)state;
    Read x;
    read(&x, full);
    assert_int_equal(x.err, ERR_OK);
    const Rule *r = &x.rule;
    same(r->title, "A filler jams");
    same(r->when, "fault = 'jam'");
    assert_true(r->for_ns == 30000000000 && r->again_ns == 600000000000 && r->fresh_ns == 120000000000);
    assert_true(r->most_per_hour == 6 && r->mode == RULE_AUTO && r->within_ns == 300000000000);
    assert_true(r->else_act && r->people == 2 && r->replications == 50 && r->seed == 7);
    assert_true(r->ahead_ns == 3600000000000 && r->limit_count == 2 && r->bound_count == 1 && r->action_count == 2);
    assert_true(r->limits[0].min == 5 && isinf(r->limits[0].max) && r->limits[1].max == 8);
    const RuleAction *o = &r->actions[0];
    assert_true(o->cost == 12.5 && o->change_count == 3);
    same(o->changes[0].twin, "b"); // ascending by time, as said within one instant
    same(o->changes[1].property, "speed");
    same(o->changes[2].property, "fault");
    assert_int_equal(o->changes[1].value->type, JSON_NULL);
    same(o->command.payload, "{\"speed\":2e4}");
    same(o->command.component, "drive");
    assert_true(o->command.timeout_ns == 20000000000 && o->undo.timeout_ns == 10000000000);
    same(r->actions[1].title, "look");
    assert_true(!r->actions[1].command.name.n);
    assert_true(r->watch_for_ns == 1800000000000 && r->patience == 4 && r->margin == 2 && r->rollback);
    assert_true(rule_action(r, STR("nothing")) == 0 && rule_action(r, STR("look")) == 2);
    assert_int_equal(rule_action(r, STR("other")), -1);
    done(&x);
}

static void the_twin_is_filled_in(void **state) {
    (void)state;
    Read x;
    Rule r;
    read(&x, full);
    rule_for(&x.a, &x.rule, STR("f7"), &r);
    same(r.actions[0].changes[0].twin, "b");
    same(r.actions[0].changes[1].twin, "f7");
    same(r.actions[0].command.twin, "f7");
    same(r.actions[0].undo.twin, "f7");
    same(x.rule.actions[0].command.twin, "$twin"); // the rule itself stays
    assert_true(!r.actions[1].command.name.n);
    done(&x);
}

#define LEAST "\"twin\":\"a\",\"when\":\"x\",\"ahead\":\"PT1H\",\"objective\":{\"kpi\":\"m\"}"
#define ONE "\"actions\":[{\"name\":\"a\"}]"

static void what_is_not_said_has_a_meaning(void **state) {
    (void)state;
    Read x;
    read(&x, "{" LEAST "," ONE "}");
    assert_int_equal(x.err, ERR_OK);
    const Rule *r = &x.rule;
    same(r->title, "r");
    assert_true(r->mode == RULE_APPROVE && r->people == 1 && !r->else_act && r->within_ns == 900000000000);
    assert_true(r->replications == 30 && !r->seed && !r->again_ns && !r->for_ns && !r->most_per_hour);
    assert_true(!r->watch_kpi.n && !r->limit_count && !r->bound_count);
    done(&x);
}

static void refused(Err err, const char *text, const char *words) {
    Read x;
    Buf b = {0};
    read(&x, text);
    diag_print(&x.d, &b);
    buf_byte(&b, 0);
    if (x.err != err) fail_msg("%s: %s (%s)", text, err_name(x.err), b.p);
    if (!strstr(b.p, words)) fail_msg("%s: %s", text, b.p);
    buf_free(&b);
    done(&x);
}

#define REST(x) "{" LEAST "," ONE "," x "}"
#define ACTS(x) "{" LEAST ",\"actions\":[" x "]}"

static void refusals_say_why(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"[]", "a rule is an object"},
        {"{}", "\"model\" or for a \"twin\""},
        {"{\"model\":\"m\"," LEAST "}", "\"model\" or for a \"twin\""},
        {"{\"twin\":\"a\",\"when\":\" \"}", "condition"},
        {"{\"twin\":\"a\",\"when\":5}", "\"when\" is a text"},
        {"{\"twin\":\"a\",\"when\":\"x\"}", "\"ahead\""},
        {"{\"twin\":\"a\",\"when\":\"x\",\"ahead\":\"PT1H\"}", "\"objective\""},
        {"{\"twin\":\"a\",\"when\":\"x\",\"ahead\":\"PT0S\"}", "\"ahead\" is 1 to"},
        {"{" LEAST "}", "\"actions\" is a list of 1 to 16"},
        {"{" LEAST ",\"actions\":[]}", "\"actions\" is a list of 1 to 16"},
        {REST("\"color\":1"), "no member \"color\""},
        {REST("\"seed\":1,\"seed\":2"), "comes twice"},
        {REST("\"seed\":-1"), "\"seed\" is"},
        {REST("\"seed\":1.5"), "whole number"},
        {REST("\"for\":\"soon\""), "PT30S"},
        {REST("\"for\":\"-5s\""), "\"for\" is"},
        {REST("\"again\":\"P9999D\""), "\"again\" is 0 to"},
        {REST("\"mostPerHour\":0"), "1 to 3600"},
        {REST("\"mostPerHour\":3601"), "1 to 3600"},
        {REST("\"replications\":1"), "2 to 1000"},
        {REST("\"mode\":\"bold\""), "shadow, approve or auto"},
        {REST("\"approval\":{\"people\":3}"), "1 to 2"},
        {REST("\"approval\":{\"else\":\"wait\"}"), "refuse or act"},
        {REST("\"approval\":{\"within\":\"PT0S\"}"), "\"within\""},
        {REST("\"approval\":[]"), "\"approval\" is an object"},
        {REST("\"limits\":[{\"kpi\":\"a\"}]"), "\"min\" or a \"max\""},
        {REST("\"limits\":[{\"min\":1}]"), "needs a \"kpi\""},
        {REST("\"limits\":[{\"kpi\":\"a\",\"min\":2,\"max\":1}]"), "above its"},
        {REST("\"limits\":{}"), "\"limits\" is a list"},
        {REST("\"envelope\":[{\"min\":1}]"), "needs a \"command\""},
        {REST("\"envelope\":[{\"command\":\"c\"}]"), "\"min\" or a \"max\""},
        {REST("\"envelope\":[{\"command\":\"c\",\"max\":1}]"), "no action has the command \"c\""},
        {REST("\"watch\":{}"), "needs a \"kpi\""},
        {REST("\"watch\":{\"kpi\":\"k\",\"for\":\"PT2H\"}"), "within \"ahead\""},
        {"{" LEAST ",\"actions\":[{\"name\":\"late\",\"changes\":[{\"at\":\"PT1H\",\"twin\":\"a\",\"property\":\"p\","
         "\"value\":1}]}]}",
         "\"late\" changes something that is not tried any more"},
        {REST("\"watch\":{\"kpi\":\"k\",\"margin\":-1}"), "\"margin\""},
        {REST("\"watch\":{\"kpi\":\"k\",\"rollback\":1}"), "true or false"},
        {ACTS("{}"), "letters"},
        {ACTS("{\"name\":\"a b\"}"), "letters"},
        {ACTS("{\"name\":\"nothing\"}"), "tried anyway"},
        {ACTS("{\"name\":\"a\"},{\"name\":\"a\"}"), "two actions \"a\""},
        {ACTS("{\"name\":\"a\",\"cost\":\"1\"}"), "\"cost\" is a number"},
        {ACTS("{\"name\":\"a\",\"changes\":[{\"twin\":\"t\"}]}"), "\"property\""},
        {ACTS("{\"name\":\"a\",\"changes\":5}"), "\"changes\" is a list"},
        {ACTS("{\"name\":\"a\",\"command\":{\"name\":\"c\"}}"), "a command needs a \"twin\""},
        {ACTS("{\"name\":\"a\",\"undo\":{\"twin\":\"t\",\"name\":\"c\"}}"), "nothing to \"undo\""},
        {ACTS("{\"name\":\"a\",\"command\":{\"twin\":\"t\",\"name\":\"c\",\"timeout\":\"PT6M\"}}"), "\"timeout\""},
        {ACTS("{\"name\":\"a\",\"command\":{\"twin\":\"t\",\"name\":\"c\",\"payload\":{\"x\":1,\"x\":2}}}"), "twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refused(ERR_ARGUMENT, cases[i][0], cases[i][1]);
    refused(ERR_ARGUMENT,
            "{" LEAST ",\"watch\":{\"kpi\":\"k\",\"rollback\":true},"
            "\"actions\":[{\"name\":\"a\",\"command\":{\"twin\":\"t\",\"name\":\"c\"}}]}",
            "needs an \"undo\" of the action \"a\"");
}

#define CHANGES(x) "{\"name\":\"a\",\"changes\":[" x "]}"
#define COMMAND "\"command\":{\"twin\":\"t\",\"name\":\"c\",\"payload\":5}"
#define FINE "{\"twin\":\"a\",\"property\":\"p\",\"value\":[1,{\"at\":2}]}"

// The first thing that a message says is where: member by member, with the index in a list.
static void refusals_say_where(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {REST("\"color\":1"), "color: "},
        {REST("\"for\":\"soon\""), "for: \"for\" is a length"},
        {REST("\"mode\":\"bold\""), "mode: "},
        {"{\"twin\":\"a\",\"when\":\" \"}", "when: a rule needs"},
        {REST("\"approval\":{\"within\":\"5m\",\"people\":3}"), "approval.people: "},
        {REST("\"approval\":{\"within\":\"5m\",\"else\":\"wait\"}"), "approval.else: "},
        {"{\"twin\":\"a\",\"when\":\"x\",\"ahead\":\"PT1H\",\"objective\":{}," ONE "}", "objective: "},
        {REST("\"limits\":{}"), "limits: "},
        {REST("\"limits\":[{\"kpi\":\"a\",\"min\":1},{\"min\":1}]"), "limits[1]: a limit needs a \"kpi\""},
        {REST("\"limits\":[{\"kpi\":\"a\",\"min\":1},{\"kpi\":\"b\"}]"), "limits[1]: a limit needs a \"min\""},
        {REST("\"limits\":[{\"kpi\":\"a\",\"min\":1},{\"kpi\":\"b\",\"min\":\"2\"}]"), "limits[1].min: "},
        {REST("\"limits\":[{\"kpi\":\"a\",\"least\":1}]"), "limits[0].least: "},
        {"{" LEAST ",\"actions\":[{\"name\":\"a\"," COMMAND "}],\"envelope\":[{\"command\":\"c\",\"min\":5},"
         "{\"command\":\"c\",\"max\":4}]}",
         "envelope[1]: 5 of \"a\""},
        {ACTS("{\"name\":\"a\"},{\"name\":\"b\"},5"), "actions[2]: "},
        {ACTS("{\"name\":\"a\"},{}"), "actions[1]: "},
        {ACTS("{\"name\":\"a\"},{\"name\":\"b c\"}"), "actions[1].name: "},
        {ACTS("{\"name\":\"a\"},{\"name\":\"a\"}"), "actions[1].name: "},
        {ACTS("{\"name\":\"a\"},{\"name\":\"b\",\"cost\":-0.5}"), "actions[1].cost: \"cost\" is 0 to 1000000000000"},
        {ACTS("{\"name\":\"a\",\"cost\":1000000000001}"), "actions[0].cost: "},
        {ACTS(CHANGES(FINE ",{\"twin\":\"t\"}")), "actions[0].changes[1]: a change needs"},
        {ACTS("{\"name\":\"b\"}," CHANGES(FINE "," FINE ",{\"at\":\"now\"}")), "actions[1].changes[2].at: "},
        {ACTS(CHANGES("{\"at\":\"PT2H\",\"twin\":\"a\",\"property\":\"p\",\"value\":1}," FINE)),
         "actions[0].changes[0].at: \"a\" changes something"},
        {ACTS("{\"name\":\"a\",\"changes\":5}"), "actions[0].changes: "},
        {ACTS("{\"name\":\"a\",\"command\":{\"name\":\"c\"}}"), "actions[0].command: "},
        {ACTS("{\"name\":\"a\",\"command\":{\"twin\":\"t\",\"name\":\"c\",\"timeout\":\"PT6M\"}}"),
         "actions[0].command.timeout: "},
        {ACTS("{\"name\":\"a\",\"command\":{\"twin\":\"t\",\"name\":\"c\",\"payload\":{\"x\":1,\"x\":2}}}"),
         "actions[0].command.payload: "},
        {ACTS("{\"name\":\"a\"," COMMAND ",\"undo\":{}}"), "actions[0].undo: "},
        {REST("\"watch\":{\"kpi\":\"k\",\"for\":\"PT2H\"}"), "watch.for: "},
        {REST("\"watch\":{\"patience\":1}"), "watch: "},
        {"{" LEAST ",\"actions\":[{\"name\":\"a\"," COMMAND "}],\"watch\":{\"kpi\":\"k\",\"rollback\":true}}",
         "watch.rollback: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Read x;
        read(&x, cases[i][0]);
        assert_int_equal(x.err, ERR_ARGUMENT);
        assert_int_equal(x.d.count, 1);
        if (!str_starts(x.d.messages[0].text, str_of(cases[i][1])))
            fail_msg("%s: \"%.*s\" does not begin with \"%s\"", cases[i][0], STR_ARG(x.d.messages[0].text),
                     cases[i][1]);
        done(&x);
    }
}

static void costs_are_bounded(void **state) {
    (void)state;
    static const char *const fine[] = {"0", "1e12", "1000000000000"};
    char text[256];
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        Read x;
        snprintf(text, sizeof text, "{" LEAST ",\"actions\":[{\"name\":\"a\",\"cost\":%s}]}", fine[i]);
        read(&x, text);
        assert_int_equal(x.err, ERR_OK);
        assert_true(x.rule.actions[0].cost == (i ? RULE_COST_MAX : 0));
        done(&x);
    }
    refused(ERR_ARGUMENT, ACTS("{\"name\":\"a\",\"cost\":-1}"), "\"cost\" is 0 to");
    refused(ERR_ARGUMENT, ACTS("{\"name\":\"a\",\"cost\":1e300}"), "\"cost\" is 0 to");
}

// A payload beyond the envelope, or without the number that it bounds, is not even kept.
static void payloads_lie_within_the_envelope(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"5", "{\"command\":\"c\",\"min\":6}", "outside"},
        {"5", "{\"command\":\"c\",\"max\":4.9}", "outside"},
        {"\"5\"", "{\"command\":\"c\",\"max\":9}", "no number at"},
        {"{\"a\":[1,20]}", "{\"command\":\"c\",\"pointer\":\"/a/1\",\"max\":10}", "20 of"},
        {"{\"a\":[1,20]}", "{\"command\":\"c\",\"pointer\":\"/a/2\",\"max\":10}", "no number at \"/a/2\""},
        {"{\"a\":[1,20]}", "{\"command\":\"c\",\"pointer\":\"/a/01\",\"max\":10}", "no number"},
        {"{\"a\":[1,20]}", "{\"command\":\"c\",\"pointer\":\"a\",\"max\":10}", "no number"},
    };
    char text[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text,
                 "{" LEAST ",\"actions\":[{\"name\":\"a\",\"command\":{\"twin\":\"t\",\"name\":\"c\",\"payload\":%s}}],"
                 "\"envelope\":[%s]}",
                 cases[i][0], cases[i][1]);
        refused(ERR_ARGUMENT, text, cases[i][2]);
    }
    // The undo too.
    refused(ERR_ARGUMENT,
            "{" LEAST ",\"actions\":[{\"name\":\"a\",\"command\":{\"twin\":\"t\",\"name\":\"c\",\"payload\":1},"
            "\"undo\":{\"twin\":\"t\",\"name\":\"c\",\"payload\":99}}],\"envelope\":[{\"command\":\"c\",\"max\":10}]}",
            "99 of");
}

// n times `item` with a comma between; %d is its number.
static void many(Buf *b, int n, const char *item) {
    char one[128];
    for (int i = 0; i < n; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(one, sizeof one, item, i);
#pragma GCC diagnostic pop
        buf_printf(b, "%s%s", i ? "," : "", one);
    }
}

static void bounded(const char *before, int n, const char *item, const char *after, const char *words) {
    for (int over = 0; over < 2; over++) {
        Buf b = {0};
        buf_printf(&b, "%s", before);
        many(&b, n + over, item);
        buf_printf(&b, "%s", after);
        buf_byte(&b, 0);
        if (over) {
            refused(ERR_LIMIT, b.p, words);
        } else {
            Read x;
            read(&x, b.p);
            if (x.err) fail_msg("%s: %.*s", b.p, STR_ARG(x.d.messages[0].text));
            done(&x);
        }
        buf_free(&b);
    }
}

static void every_bound(void **state) {
    (void)state;
    bounded("{" LEAST ",\"actions\":[", RULE_ACTIONS_MAX, "{\"name\":\"a%d\"}", "]}", "list of 1 to 16");
    bounded("{" LEAST "," ONE ",\"limits\":[", RULE_LIMITS_MAX, "{\"kpi\":\"k%d\",\"min\":1}", "]}", "0 to 32");
    bounded("{" LEAST ",\"actions\":[{\"name\":\"a\",\"command\":{\"twin\":\"t\",\"name\":\"c\",\"payload\":1}}],"
            "\"envelope\":[",
            RULE_ENVELOPE_MAX, "{\"command\":\"c\",\"max\":1%d}", "]}", "0 to 64");
    bounded("{" LEAST ",\"actions\":[{\"name\":\"a\",\"changes\":[", RULE_CHANGES_MAX,
            "{\"twin\":\"t%d\",\"property\":\"p\",\"value\":1}", "]}]}", "0 to 100");
    // 2 alternatives * 10 tables * 1,000 replications are 20,000 samples, 11 tables are more.
    bounded("{" LEAST "," ONE ",\"replications\":1000,\"limits\":[", 9, "{\"kpi\":\"k%d\",\"min\":1}", "]}",
            "over 20000 values");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_is_read),
        cmocka_unit_test(the_twin_is_filled_in),
        cmocka_unit_test(what_is_not_said_has_a_meaning),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(refusals_say_where),
        cmocka_unit_test(costs_are_bounded),
        cmocka_unit_test(payloads_lie_within_the_envelope),
        cmocka_unit_test(every_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
