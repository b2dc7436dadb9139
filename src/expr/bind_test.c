// SPDX-License-Identifier: Apache-2.0
// Binding: what is refused, with which words and where; limits; names that are known; the function table.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "expr/test_pump.h"

typedef struct Refusal {
    const char *text, *message;
    int64_t at, end;
} Refusal;

static void refuse(Bench *b, const Refusal *r) {
    Diag d;
    Bound *tree;
    diag_init(&d);
    if (bound(b, r->text, &tree, &d) != ERR_SYNTAX) {
        WRONG("%s is taken", r->text);
        return;
    }
    const DiagMessage *m = &d.messages[0];
    if (!str_eq(m->text, str_of(r->message)) || m->at != r->at || m->end != r->end)
        WRONG("%s: %lld..%lld %.*s", r->text, (long long)m->at, (long long)m->end, STR_ARG(m->text));
    diag_free(&d);
}

static void refused(void **state) {
    static const Refusal cases[] = {
        {"1 + STARTWITH(s, 'a')", "there is no function STARTWITH; did you mean STARTSWITH?", 4, 21},
        {"FOO(s)", "there is no function FOO", 0, 6},
        {"COUNT(s)", "COUNT here is over neighbours: name the relationship, as in COUNT(->contains.power)", 0, 8},
        {"STARTSWITH(s)", "STARTSWITH takes (text, part), and this has 1 argument", 0, 13},
        {"NOW(1)", "NOW takes (), and this has 1 argument", 0, 6},
        {"'a' + 1", "+ does not take a text and a number", 0, 7},
        {"'a' + 'b'", "+ does not take a text and a text; CONCAT(a, b) joins texts", 0, 9},
        {"n = 1 AND 'a' < 5", "a text and a number never compare by <", 10, 17},
        {"ABS('x')", "ABS wants a number here, and this is a text", 4, 7},
        {"STARTSWITH(s, 5)", "STARTSWITH wants a text here, and this is a number", 14, 15},
        {"NOT 'x'", "a text is no condition: compare it with something", 4, 7},
        {"temp > 5 'degreeCelcius'", "there is no unit 'degreeCelcius'; did you mean 'degreeCelsius'?", 7, 24},
        {"temp > 5 'furlong'", "there is no unit 'furlong'", 7, 18},
        {"temp > 5 'watt'", "degreeCelsius and watt do not go together", 0, 15},
        {"temp > power", "degreeCelsius and kilowatt do not go together", 0, 12},
        {"temp + power", "degreeCelsius and kilowatt do not go together", 0, 12},
        {"temp > plain",
         "a number in degreeCelsius and a number do not go together: one has a unit, the other has none", 0, 12},
        {"plain > 5 'watt'", "a number and a number in watt do not go together: one has a unit, the other has none", 0,
         16},
        {"power * temp > rated",
         "a number in a product or quotient of units goes together only with a plain literal or its like; take "
         "UNIT(x, 'unit') before",
         0, 20},
        {"(temp - tempF) > temp", "a difference of temperatures and a temperature do not go together", 0, 21},
        {"UNIT(plain, 'watt')", "the number has no unit to convert from", 5, 10},
        {"UNIT(temp, 'watt')", "degreeCelsius does not convert to watt", 0, 18},
        {"UNIT(temp, s)", "UNIT wants the name of a unit in quotes", 11, 12},
        {"TIME('yesterday')", "TIME wants a time such as '2026-01-31T12:00:00Z'", 5, 16},
        {"DURATION('soon')", "DURATION wants a text such as 'PT15M', or a number and a unit of time", 0, 16},
        {"DURATION(5, 'watt')", "watt is no unit of time", 12, 18},
        {"AGE(5)", "expected a property or an alias", 4, 5},
        {"AGE($dtId)", "expected a property or an alias", 4, 9},
        {"IS_OF_MODEL(s)", "IS_OF_MODEL wants the id of a model in quotes", 12, 13},
        {"IS_OF_MODEL(Q, 'dtmi:x:Pump;1')", "IS_OF_MODEL wants an alias here", 12, 13},
        {"AGE(temp) > 15", "a duration compares with a duration: write 15 'minute', or 'PT15M'", 0, 14},
        {"5 'watt' < AGE(temp)", "a duration compares with a duration: write 15 'minute', or 'PT15M'", 0, 20},
        {"SIN(temp)", "SIN wants an angle, and this is a number in degreeCelsius", 4, 8},
        {"WITHIN(place, place, 5 'watt')", "the radius is a length, and this is a number in watt", 21, 29},
        {"WITHIN(place, POINT(1, 2))", "WITHIN of a point wants a radius: WITHIN(place, centre, 500 'metre')", 0, 26},
        {"SUM(->feeds)", "SUM wants a value of the neighbours, as in SUM(->contains.power)", 0, 12},
        {"COUNT(Q->feeds)", "there is no alias Q", 0, 15},
        {"SUM(->feeds, NOPE(1))", "there is no function NOPE", 13, 20},
        {"MIN(->any, temp)",
         "models of neighbours measure this differently (no unit and degreeCelsius): choose one with WHERE "
         "IS_OF_MODEL('dtmi:...')",
         11, 15},
        {"IF(on, temp, power)", "degreeCelsius and kilowatt do not go together", 0, 19},
    };
    Bench *b = *state;
    stand(b, 0, "P", "p1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refuse(b, &cases[i]);
}

static void refused_in_strict_scopes(void **state) {
    static const Refusal cases[] = {
        {"tmep > 5", "no model has a property tmep; did you mean temp?", 0, 4},
        {"thermo.setpiont > 5", "no model has a property setpiont; did you mean setPoint?", 0, 15},
        {"pos.in.zz = 1", "no model has a property zz", 0, 9},
        {"pos.in.Z = 1", "no model has a property Z; did you mean z?", 0, 8},
        {"temp = 'x'", "a number in degreeCelsius and a text never compare by =", 0, 10},
        {"s IN [1]", "a text is never equal to a number", 6, 7},
        {"s", "a text is no condition: compare it with something", 4, 5},
        {"ANY(->feds, on)", "no model has a relationship feds; did you mean feeds?", 0, 15},
    };
    Bench *b = *state;
    stand(b, 0, "", "p1");
    b->scope.strict = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i != 6) refuse(b, &cases[i]);
    }
    refuse(b, &(Refusal){"NOT s", "a text is no condition: compare it with something", 4, 5});
    gives(b, "height > 5", "-"); // another model has it
    gives(b, "temp > 5", "true");
    stand_link(b, 0, "R", "p1", "a");
    b->scope.strict = true;
    refuse(b, &(Refusal){"R.ww = 1", "no relationship has a property ww", 0, 4});
    stand(b, 0, "A", "p1");
    stand(b, 1, "B", "p2");
    refuse(b, &(Refusal){"temp > 1", "there are several sources: say which one temp belongs to, as in A.temp", 0, 4});
    refuse(b, &(Refusal){"COUNT(->)", "there are several sources: say whose neighbours, as in COUNT(T->...)", 0, 9});
    stand_link(b, 1, "R", "p1", "a");
    refuse(b, &(Refusal){"COUNT(R->)", "a relationship has no neighbours", 0, 10});
    refuse(b, &(Refusal){"IS_OF_MODEL(R, 'x')", "a relationship has no model", 0, 19});
}

// What stands beside IS_OF_MODEL need not fit the models that it excludes; a misspelt function is one everywhere.
static void models_that_are_excluded(void **state) {
    Bench *b = *state;
    stand(b, 0, "P", "p1");
    gives(b, "IS_OF_MODEL('dtmi:x:Big;1') AND temp > 5 'watt'", "false");
    gives(b, "temp > 5 'watt' AND n > 5 AND IS_OF_MODEL(P, 'dtmi:x:Big;1')", "false");
    gives(b, "NOT IS_OF_MODEL('dtmi:x:Pump;1') AND temp > 5 'watt'", "false");
    gives(b, "(IS_OF_MODEL('dtmi:x:Big;1') OR IS_OF_MODEL('dtmi:x:Wide;1')) AND temp > 5 'watt'", "false");
    gives(b, "IS_OF_MODEL('dtmi:x:Big;1') AND temp > 5 'watt' OR n = -3", "true");
    gives(b, "ANY(->feeds, power > 5 'degreeCelsius' AND IS_OF_MODEL('dtmi:x:Wide;1'))", "false");
    refuse(b, &(Refusal){"IS_OF_MODEL('dtmi:x:Pump;1') AND temp > 5 'watt'",
                         "degreeCelsius and watt do not go together", 33, 48});
    refuse(b, &(Refusal){"IS_OF_MODEL('dtmi:x:Big;1') AND ABBS(n) > 5", "there is no function ABBS; did you mean ABS?",
                         32, 39});
}

static void limits(void **state) {
    Bench *b = *state;
    Diag d;
    Bound *tree;
    diag_init(&d);
    stand(b, 0, "", "p1");
    gives(b, "SUM(->,SUM(->,SUM(->,SUM(->,SUM(->feeds,SUM(->feeds,SUM(->feeds,COUNT(->feeds))))))))", "4");
    assert_int_equal(bound(b, "SUM(->,SUM(->,SUM(->,SUM(->,SUM(->,SUM(->,SUM(->,SUM(->,COUNT(->)))))))))", &tree, &d),
                     ERR_LIMIT);
    diag_free(&d);
}

// As long as the limits allow, one operator behind the other: trees as deep as there are operators.
static void long_chains(void **state) {
    static const struct {
        const char *first, *more, *want;
        int times;
    } cases[] = {{"n", "+n", "-6000", 1999},       {"n", "-n", "5994", 1999},        {"on", " OR on", "true", 1300},
                 {"on", " AND on", "true", 1100},  {"n=1", " OR n=1", "false", 999}, {"plain", "*1", "5", 1999},
                 {"NOT on", " OR on", "true", 999}};
    Bench *b = *state;
    stand(b, 0, "", "p1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Buf text = {0};
        buf_str_put(&text, str_of(cases[i].first));
        for (int k = 0; k < cases[i].times; k++) buf_str_put(&text, str_of(cases[i].more));
        buf_byte(&text, 0);
        gives(b, text.p, cases[i].want);
        buf_free(&text);
    }
}

static void known(void **state) {
    static const struct {
        const char *path;
        bool known;
        const char *near;
    } cases[] = {
        {"temp", true, ""},
        {"P.temp", true, ""},
        {"height", true, ""},
        {"tmep", false, "temp"},
        {"P.thermo.setPonit", false, "setPoint"},
        {"tags.whatever", true, ""},
        {"pos.in.z", true, ""},
        {"pos.in.q", false, ""},
        {"$dtId", true, ""},
        {"$dtid", false, "$dtId"},
        {"$metadata.$model", true, ""},
        {"$metadata.temp.lastUpdateTime", true, ""},
        {"temp.x", false, ""},
        {"$metadata", true, ""},
        {"$metadata.temp", true, ""},
        {"$metadata.tepm", false, "temp"},
        {"place.coordinates[0]", true, ""},
        {"P", true, ""},
    };
    Bench *b = *state;
    stand(b, 0, "P", "p1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Expr *e;
        Str near;
        assert_int_equal(expr_parse(&b->arena, str_of(cases[i].path), &e, NULL), ERR_OK);
        bool is = expr_known(&b->scope, e, &near);
        if (is != cases[i].known || !str_eq(near, str_of(cases[i].near)))
            WRONG("%s: %d, near %.*s", cases[i].path, is, STR_ARG(near));
    }
}

// Every row of func.def has an example that parses and names the function, and a sentence about it.
static void function_table(void **state) {
    (void)state;
    Arena a;
    arena_init(&a, 0);
    for (int32_t i = 0; i < expr_func_count(); i++) {
        ExprFunc f = expr_func_at(i);
        Expr *e;
        if (expr_parse(&a, str_of(f.example), &e, NULL) != ERR_OK) fail_msg("%s: %s", f.name, f.example);
        assert_true(str_find_str(str_of(f.example), str_of(f.name)) >= 0);
        assert_true(f.min <= f.max && f.doc[0] && f.doc[strlen(f.doc) - 1] == '.');
    }
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_in_strict_scopes, setup, teardown),
        cmocka_unit_test_setup_teardown(models_that_are_excluded, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
        cmocka_unit_test_setup_teardown(long_chains, setup, teardown),
        cmocka_unit_test_setup_teardown(known, setup, teardown),
        cmocka_unit_test(function_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
