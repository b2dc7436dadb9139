// SPDX-License-Identifier: Apache-2.0
// Expressions over a small world: a table of expressions and their values as JSON, truth tables, numbers at their
// limits, units, times, geometry, neighbours.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "expr/test_pump.h"

// ---- values -------------------------------------------------------------------------------------------------------

static void paths(void **state) {
    static const Case cases[] = {
        {"temp", "20"},
        {"n", "-3"},
        {"on", "true"},
        {"s", "'Pump \xc3\xa4 1'"},
        {"big", "9223372036854775807"},
        {"f", "0.10000000149011612"},
        {"$dtId", "'p1'"},
        {"$metadata.$model", "'dtmi:x:Pump;1'"},
        {"thermo.setPoint", "21"},
        {"thermo.mode", "'HEAT'"},
        {"thermo.box.w", "2"},
        {"thermo.box", "{'w':2}"},
        {"pos", "{'x':1.5,'in':{'z':4}}"},
        {"pos.x", "1.5"},
        {"pos.in.z", "4"},
        {"pos.nope", "-"},
        {"pos.x.y", "-"},
        {"tags", "{'floor':'2','a b':'c'}"},
        {"tags.floor", "'2'"},
        {"tags.[[a b]]", "'c'"},
        {"tags.nope", "-"},
        {"tags[0]", "-"},
        {"list[1]", "2.5"},
        {"list[3]", "-"},
        {"list.x", "-"},
        {"words[0]", "'x'"},
        {"list", "[1,2.5,3]"},
        {"place.type", "'Point'"},
        {"place.coordinates[1]", "52.5"},
        {"nope", "-"},
        {"temp.x", "-"},
        {"serial", "-"},
        {"$sourceId", "-"},
        {"IS_DEFINED(thermo)", "true"},
        {"IS_OBJECT(thermo)", "true"},
        {"IS_OBJECT(place)", "true"},
        {"IS_ARRAY(list)", "true"},
        {"IS_OBJECT(list)", "false"},
        {"IS_PRIMITIVE(list)", "false"},
        {"IS_DEFINED(serial)", "false"},
        {"IS_DEFINED(nope)", "false"},
        {"IS_NUMBER(nope)", "false"},
        {"IS_NUMBER(n)", "true"},
        {"IS_STRING(s)", "true"},
        {"IS_STRING(at)", "true"},
        {"IS_BOOL(on)", "true"},
        {"IS_PRIMITIVE(n)", "true"},
        {"IS_NULL(n)", "false"},
        {"IS_NULL(NULL)", "true"},
        {"IS_DEFINED(NULL)", "true"},
        {"IS_OF_MODEL('dtmi:x:Pump;1')", "true"},
        {"IS_OF_MODEL('dtmi:lab:Base;1')", "true"},
        {"IS_OF_MODEL('dtmi:lab:Base;1', exact)", "false"},
        {"IS_OF_MODEL('dtmi:x:Pump;1', EXACT)", "true"},
        {"IS_OF_MODEL('dtmi:x:Big;1')", "false"},
        {"IS_OF_MODEL(P, 'dtmi:x:Pump;1', exact)", "true"},
        {"P.temp", "20"},
        {"P.thermo.setPoint", "21"},
        {"P.$dtId", "'p1'"},
        {"IS_DEFINED(P)", "true"},
        {"IS_OBJECT(P)", "true"},
        {"P.P", "-"},
    };
    Bench *b = *state;
    stand(b, 0, "P", "p1");
    GIVE_ALL(b, cases);
}

static void whole_twin_and_etag(void **state) {
    Bench *b = *state;
    Buf want = {0};
    ExprType type;
    stand(b, 0, "P", "p1");
    show_twin(&b->view, (TwinId){b->rows[0].id}, NULL, &want);
    ExprValue self = value(b, "P", &type);
    assert_true(type == EXPR_DOC && str_eq(self.s, buf_str(&want)));
    ExprValue tag = value(b, "$etag", &type);
    Json doc;
    assert_int_equal(json_parse(buf_str(&want), NULL, &b->arena, &doc, NULL), ERR_OK);
    assert_true(str_eq(tag.s, json_get(&doc, STR("$etag"))->s));
    const Json *meta = json_get(&doc, STR("$metadata"));
    assert_true(str_eq(value(b, "$metadata.$lastUpdateTime", &type).s, json_get(meta, STR("$lastUpdateTime"))->s));
    const Json *s = json_get(meta, STR("s"));
    assert_true(str_eq(value(b, "$metadata.s.lastUpdateTime", &type).s, json_get(s, STR("lastUpdateTime"))->s));
    assert_true(str_eq(value(b, "$metadata.s.sourceTime", &type).s, json_get(s, STR("sourceTime"))->s));
    assert_int_equal(value(b, "$metadata.temp.sourceTime", &type).type, EXPR_UNDEFINED);
    assert_int_equal(value(b, "thermo.$metadata.setPoint.lastUpdateTime", &type).type, EXPR_STR);
    assert_int_equal(value(b, "thermo.$metadata.$lastUpdateTime", &type).type, EXPR_STR);
    gives(b, "$metadata.s.lastUpdateTime = UPDATED(s)", "true");
    gives(b, "$metadata.$lastUpdateTime = $metadata.s.lastUpdateTime", "true");
    gives(b, "$metadata.$lastUpdateTime >= '2026-01-01T00:00:00Z'", "true");
    gives(b, "$metadata.$lastUpdateTime >= '2026-01-01T02:00:00+02:00'", "true");
    gives(b, "$metadata.$lastUpdateTime > '2026'", "true");
    buf_free(&want);
}

static void links(void **state) {
    static const Case cases[] = {
        {"$relationshipId", "'a'"},
        {"$sourceId", "'p1'"},
        {"$targetId", "'p2'"},
        {"$relationshipName", "'feeds'"},
        {"w", "0.5"},
        {"R.w * 2", "1"},
        {"$dtId", "-"},
        {"nope", "-"},
        {"IS_DEFINED($etag)", "true"},
    };
    Bench *b = *state;
    stand_link(b, 0, "R", "p1", "a");
    GIVE_ALL(b, cases);
    Buf want = {0};
    ExprType type;
    show_link(&b->view, (LinkId){b->rows[0].id}, &want);
    assert_true(str_eq(value(b, "R", &type).s, buf_str(&want)));
    buf_free(&want);
}

static void several_sources(void **state) {
    Bench *b = *state;
    stand(b, 0, "A", "p1");
    stand(b, 1, "B", "p2");
    gives(b, "A.temp < B.temp", "true");
    gives(b, "A.power + B.power", "9");
    gives(b, "SUM(B->feeds.power)", "7");
    gives(b, "COUNT(A->any WHERE A.power > 3)", "2");
    b->scope.bare_first = true;
    gives(b, "temp < B.temp", "true");
    gives(b, "IS_OF_MODEL(B, 'dtmi:x:Pump;1')", "true");
}

static void numbers_wide(void **state) {
    static const Case cases[] = {
        {"u64", "18446744073709552000"},
        {"u64 > 9223372036854775807", "true"},
        {"dec", "'1.50'"},
        {"temp", "'warm'"},
        {"temp > 5", "-"},
        {"u64 + 1 > 0", "true"},
        {"IS_NUMBER(u64)", "true"},
    };
    Bench *b = *state;
    stand(b, 0, "", "w");
    GIVE_ALL(b, cases);
}

// ---- operators ----------------------------------------------------------------------------------------------------

static void arithmetic(void **state) {
    static const Case cases[] = {
        {"1 + 2 * 3", "7"},
        {"7 / 2", "3.5"},
        {"6 / 2", "3"},
        {"7 % 3", "1"},
        {"-7 % 3", "-1"},
        {"7.5 % 2", "1.5"},
        {"1 / 0", "-"},
        {"1.0 / 0", "-"},
        {"1 % 0", "-"},
        {"n + 1", "-2"},
        {"-n", "3"},
        {"n * 0.5", "-1.5"},
        {"big + 1", "-"},
        {"big * 2", "-"},
        {"-big - 1", "-9223372036854775808"},
        {"-big - 2", "-"},
        {"-(-9223372036854775808)", "-"},
        {"-9223372036854775808 % -1", "0"},
        {"big + 0.0", "9223372036854776000"},
        {"9223372036854775807 + 1", "-"},
        {"1e308 * 10", "-"},
        {"-1e308 - 1e308", "-"},
        {"plain / 0", "-"},
        {"(plain - 5) / (plain - 5)", "-"},
        {"nope + 1", "-"},
        {"s + 1", "-"},
        {"serial + 1", "-"},
        {"-s", "-"},
        {"list[0] + list[1]", "3.5"},
        {"tags.floor + 1", "-"},
        {"place.coordinates[0] + 1", "14.4"},
        {"ABS(n)", "3"},
        {"ABS(-9223372036854775808)", "-"},
        {"CEILING(1.2)", "2"},
        {"CEIL(n)", "-3"},
        {"FLOOR(-1.2)", "-2"},
        {"ROUND(2.5)", "3"},
        {"ROUND(-2.5)", "-3"},
        {"ROUND(2.345, 2)", "2.35"},
        {"ROUND(1234, -2)", "1200"},
        {"ROUND(1e300, 5)", "1e+300"},
        {"SIGN(n)", "-1"},
        {"SQRT(16)", "4"},
        {"SQRT(-1)", "-"},
        {"POWER(2, 10)", "1024"},
        {"EXP(0)", "1"},
        {"EXP(1000)", "-"},
        {"LOG(0)", "-"},
        {"LOG(8, 2)", "3"},
        {"LOG10(1000)", "3"},
        {"ACOS(2)", "-"},
        {"ATAN2(0, 1)", "0"},
        {"SIN(0)", "0"},
        {"LEAST(3, 1.5, 2)", "1.5"},
        {"GREATEST(n, 2)", "2"},
        {"MAX2(1, 2)", "2"},
        {"LEAST('b', 'a')", "'a'"},
        {"CLAMP(5, 0, 3)", "3"},
        {"CLAMP(n, 0, 3)", "0"},
        {"CLAMP(1, 3, 0)", "-"},
        {"CLAMP(1, 0.5, 3)", "1"},
    };
    Bench *b = *state;
    stand(b, 0, "", "p1");
    GIVE_ALL(b, cases);
}

static void comparisons(void **state) {
    static const Case cases[] = {
        {"temp = 20", "true"},
        {"temp != 20", "false"},
        {"temp <> 21", "true"},
        {"n < -2", "true"},
        {"n >= -3", "true"},
        {"n = -3.0", "true"},
        {"big = 9223372036854775807", "true"},
        {"big < 9223372036854775808", "true"},
        {"big = 9223372036854775808", "false"},
        {"big > 9223372036854775806.0", "false"},
        {"9007199254740993 > 9007199254740992.0", "true"},
        {"f = 0.1", "true"},
        {"f > 0.1", "false"},
        {"f IN [0.1, 0.2]", "true"},
        {"s = 'Pump \xc3\xa4 1'", "true"},
        {"s < 'Q'", "true"},
        {"s > 'pump'", "false"},
        {"'a' < 'B'", "false"},
        {"'\xef\xbf\xbf' < '\xf0\x90\x80\x80'", "true"},
        {"temp = 'x'", "-"},
        {"temp != 'x'", "-"},
        {"s = 5", "-"},
        {"on = 1", "-"},
        {"on = TRUE", "true"},
        {"on != false", "true"},
        {"nope = 1", "-"},
        {"nope != 1", "-"},
        {"serial = serial", "-"},
        {"NULL = NULL", "true"},
        {"NULL != NULL", "false"},
        {"n = NULL", "false"},
        {"n != NULL", "true"},
        {"s != NULL", "true"},
        {"serial = NULL", "-"},
        {"serial != NULL", "-"},
        {"n < NULL", "-"},
        {"tags.floor = '2'", "true"},
        {"tags.floor > 1", "-"},
        {"list[0] = 1", "true"},
        {"place.coordinates[0] > 13", "true"},
        {"place.coordinates[0] = 'x'", "-"},
        {"place.nope = NULL", "-"},
        {"list = list", "true"},
        {"list < list", "-"},
        {"pos = pos", "true"},
        {"list = words", "false"},
        {"n IN [1, -3, 'x']", "true"},
        {"n IN [1, 2]", "false"},
        {"n IN [1, 'x']", "-"},
        {"n NIN [1, 2]", "true"},
        {"n NOT IN [-3]", "false"},
        {"n NIN [1, 'x']", "-"},
        {"serial IN ['x']", "-"},
        {"serial NIN ['x']", "-"},
        {"n IN [1, NULL]", "false"},
        {"NULL IN [1, NULL]", "true"},
        {"s IN ['b', 'a', 'a']", "false"},
        {"n IN [big, n]", "true"},
        {"tags.floor IN ['2', 3]", "true"},
        {"temp IN [20, 30.0]", "true"},
        {"temp IN [68 'degreeFahrenheit']", "true"},
        {"n IN [1 - 4]", "true"},
    };
    Bench *b = *state;
    stand(b, 0, "", "p1");
    GIVE_ALL(b, cases);
}

// Kleene's tables, on values that are known only at run time, and on constants.
static void truth(void **state) {
    static const char *const run_time[] = {"on", "NOT on", "serial = 'x'"}, *const fixed[] = {"TRUE", "FALSE",
                                                                                              "(nope = 1)"};
    static const char *const and[3][3] = {{"true", "false", "-"}, {"false", "false", "false"}, {"-", "false", "-"}};
    static const char *const or [3][3] = {{"true", "true", "true"}, {"true", "false", "-"}, {"true", "-", "-"}};
    static const char *const not [3] = {"false", "true", "-"};
    Bench *b = *state;
    char text[200];
    stand(b, 0, "", "p1");
    for (int k = 0; k < 4; k++) {
        const char *const *x = k & 1 ? run_time : fixed, *const *y = k & 2 ? run_time : fixed;
        for (int i = 0; i < 3; i++) {
            snprintf(text, sizeof text, "NOT (%s)", x[i]);
            gives(b, text, not [i]);
            for (int j = 0; j < 3; j++) {
                snprintf(text, sizeof text, "(%s) AND (%s)", x[i], y[j]);
                gives(b, text, and[i][j]);
                snprintf(text, sizeof text, "(%s) OR (%s)", x[i], y[j]);
                gives(b, text, or [i][j]);
            }
        }
    }
}

static void choices(void **state) {
    static const Case cases[] = {
        {"on ? 'yes' : 'no'", "'yes'"},
        {"NOT on ? 'yes' : 'no'", "'no'"},
        {"serial = 'x' ? 1 : 2", "-"},
        {"IF(on, 1, 2.5)", "1"},
        {"IF(n > 0, 'a', 2)", "2"},
        {"COALESCE(serial, s)", "'Pump \xc3\xa4 1'"},
        {"COALESCE(serial, NULL)", "null"},
        {"COALESCE(serial, serial)", "-"},
        {"COALESCE(nope, 5)", "5"},
        {"IF(on, power, 0) = 7000 'watt'", "true"},
        {"COALESCE(rated, power)", "8000"},
        {"LEAST(power, rated)", "7"},
        {"CLAMP(50, 32 'degreeFahrenheit', 3 'degreeCelsius')", "37.4"},
        {"on", "true"},
        {"on AND temp > 5", "true"},
        {"s AND on", "-"},
        {"tags.floor OR on", "true"},
    };
    Bench *b = *state;
    stand(b, 0, "", "p1");
    GIVE_ALL(b, cases);
}

static void texts(void **state) {
    static const Case cases[] = {
        {"STARTSWITH(s, 'Pump')", "true"},
        {"STARTS_WITH(s, 'pump')", "false"},
        {"ENDSWITH(s, '1')", "true"},
        {"ENDS_WITH(s, '')", "true"},
        {"CONTAINS(s, '\xc3\xa4')", "true"},
        {"CONTAINS(s, 'x')", "false"},
        {"CONTAINS(n, 'x')", "-"},
        {"CONTAINS(nope, 'x')", "-"},
        {"CONTAINS(tags.floor, '2')", "true"},
        {"LIKE(s, 'Pump _ 1')", "true"},
        {"LIKE(s, 'P%1')", "true"},
        {"LIKE(s, '%')", "true"},
        {"LIKE(s, 'P%2')", "false"},
        {"LIKE('50%', '50\\%')", "true"},
        {"LIKE('500', '50\\%')", "false"},
        {"LIKE('aXbXc', '%X_')", "true"},
        {"LIKE('', '%')", "true"},
        {"LIKE('', '_')", "false"},
        {"LIKE('\xc3\xa4\xc3\xb6', '__')", "true"},
        {"LENGTH(s)", "8"},
        {"LENGTH(list)", "3"},
        {"LENGTH(tags)", "2"},
        {"LENGTH(n)", "-"},
        {"LOWER('\xc3\x84 \xce\xa9 \xd0\x96 Z')", "'\xc3\xa4 \xcf\x89 \xd0\xb6 z'"},
        {"UPPER('\xc3\xa4 \xcf\x89 \xd0\xb6 z \xc3\x9f')", "'\xc3\x84 \xce\xa9 \xd0\x96 Z \xc3\x9f'"},
        {"TRIM('  a b\t')", "'a b'"},
        {"SUBSTRING(s, 5)", "'\xc3\xa4 1'"},
        {"SUBSTRING(s, 5, 1)", "'\xc3\xa4'"},
        {"SUBSTRING(s, 50)", "''"},
        {"SUBSTRING(s, -1)", "-"},
        {"SUBSTRING(s, 0.5)", "-"},
        {"SUBSTRING(s, 0, 4.0)", "'Pump'"},
        {"CONCAT('a', n, on, list)", "'a-3true[1,2.5,3]'"},
        {"CONCAT(s, serial)", "-"},
        {"REPLACE('a.b.c', '.', '--')", "'a--b--c'"},
        {"REPLACE('abc', '', 'x')", "'abc'"},
        {"INDEX_OF(s, '1')", "7"},
        {"INDEX_OF(s, 'x')", "-1"},
        {"TO_STRING(1.5)", "'1.5'"},
        {"TO_STRING(NULL)", "'null'"},
        {"TO_NUMBER('12')", "12"},
        {"TO_NUMBER(' 1.5 ')", "1.5"},
        {"TO_NUMBER('x')", "-"},
        {"TO_NUMBER(tags.floor) + 1", "3"},
        {"ARRAY_CONTAINS(list, 2.5)", "true"},
        {"ARRAY_CONTAINS(list, 3)", "true"},
        {"ARRAY_CONTAINS(words, 'z')", "false"},
        {"ARRAY_CONTAINS(tags, 'x')", "-"},
        {"ARRAY_CONTAINS(nope, 1)", "-"},
    };
    Bench *b = *state;
    stand(b, 0, "", "p1");
    GIVE_ALL(b, cases);
}

// A text that grows beyond the bound is undefined, not a gigabyte.
static void texts_are_bounded(void **state) {
    Bench *b = *state;
    stand(b, 0, "", "p1");
    gives(
        b,
        "LENGTH(REPLACE(REPLACE('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',"
        "'a','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"
        "),"
        "'a','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'))",
        "-");
}

// ---- units, times, geometry ---------------------------------------------------------------------------------------

static void units(void **state) {
    static const Case cases[] = {
        {"temp = 68 'degreeFahrenheit'", "true"},
        {"temp > 68 'degreeFahrenheit'", "false"},
        {"tempF = 20 'degreeCelsius'", "true"},
        {"temp = tempF", "true"},
        {"temp = 293.15 'kelvin'", "true"},
        {"20 'degreeFahrenheit' < temp", "true"},
        {"temp > 19", "true"},
        {"temp = 68 '\xc2\xb0"
         "F'",
         "true"},
        {"32 'degreeFahrenheit' = 0 'degreeCelsius'", "true"},
        {"power > 6999 'watt'", "true"},
        {"power = 7000 'watt'", "true"},
        {"power < rated", "true"},
        {"power + rated", "15"},
        {"rated - power", "1000"},
        {"rated - power > 0.5 'kilowatt'", "true"},
        {"power * 2 = 14000 'watt'", "true"},
        {"power / rated > 0.8", "true"},
        {"ROUND(power / rated, 3)", "0.875"},
        {"power * runtime > 600", "true"},
        {"temp - 59 'degreeFahrenheit'", "5"},
        {"temp + 9 'degreeFahrenheit'", "25"},
        {"temp - tempF", "0"},
        {"temp - tempF < 1 'kelvin'", "true"},
        {"(temp - tempF) < 1 'degreeFahrenheit'", "true"},
        {"temp + (temp - tempF)", "20"},
        {"ABS(temp - 77 'degreeFahrenheit') > 4.9 'kelvin'", "true"},
        {"UNIT(temp, 'degreeFahrenheit')", "68"},
        {"UNIT(power, 'watt') = 7000", "true"},
        {"UNIT(power, 'watt') > plain", "true"},
        {"UNIT(5, 'watt')", "5"},
        {"SIN(heading)", "1"},
        {"ROUND(COS(heading), 12)", "0"},
        {"-temp < 0", "true"},
        {"reach > 1400 'metre'", "true"},
        {"GREATEST(rated, power) = 8 'kilowatt'", "true"},
        {"power > 6 'kW'", "true"},
        {"runtime > 1 'hour'", "true"},
        {"runtime = 90", "true"},
        {"SQRT(rated) > 80", "true"},
    };
    Bench *b = *state;
    stand(b, 0, "", "p1");
    GIVE_ALL(b, cases);
}

static void times(void **state) {
    static const Case cases[] = {
        {"NOW()", "'2026-01-01T01:00:00.0000000Z'"},
        {"NOW() - 1 'hour'", "'2026-01-01T00:00:00.0000000Z'"},
        {"AGE(s)", "'PT1H59M59.876543211S'"},
        {"AGE(s) > 115 'minute'", "true"},
        {"AGE(s) < 'PT2H'", "true"},
        {"AGE(s) > DURATION('PT2H')", "false"},
        {"AGE(temp) > 30 'minute'", "true"},
        {"AGE(thermo.setPoint) > 2 'hour'", "false"},
        {"AGE(P) < 1 'hour'", "true"},
        {"AGE(nope) > 1 'hour'", "-"},
        {"AGE(serial) > 1 'hour'", "-"},
        {"UPDATED(temp) > TIME('2026-01-01T00:00:00Z')", "true"},
        {"UPDATED(temp) > TIME('2027-01-01')", "false"},
        {"UPDATED(temp) > '2025-12-31T00:00:00Z'", "true"},
        {"at = '2026-01-01T00:00:00Z'", "true"},
        {"at = '2026-01-01'", "false"},
        {"at > '2026'", "true"},
        {"at < at2", "true"},
        {"at2 - at", "'PT0.5S'"},
        {"at < NOW()", "true"},
        {"day > at", "true"},
        {"day = '2026-01-02'", "true"},
        {"day > NOW()", "true"},
        {"NOW() > day", "false"},
        {"at + 1 'day'", "'2026-01-02T00:00:00.0000000Z'"},
        {"at + DURATION(2, 'hour') > NOW()", "true"},
        {"at IN ['2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z']", "true"},
        {"at IN ['2026-01-01T00:00:00Z', 'x']", "true"},
        {"dur", "'PT1H30M'"},
        {"dur > 15 'minute'", "true"},
        {"dur = 'PT90M'", "true"},
        {"runtime = DURATION('PT90M')", "true"},
        {"dur = runtime", "true"},
        {"SECONDS(dur)", "5400"},
        {"SECONDS(runtime)", "5400"},
        {"dur / 2", "-"},
        {"DURATION(dur) / 2", "'PT45M'"},
        {"2 * DURATION('PT45M') = dur", "true"},
        {"DURATION('P1D') / 1 'hour'", "24"},
        {"DURATION('PT90M') % DURATION('PT1H')", "'PT30M'"},
        {"DURATION('P1DT2H3M4.5S')", "'P1DT2H3M4.5S'"},
        {"DURATION('-PT5S')", "'-PT5S'"},
        {"DURATION('PT0S')", "'PT0S'"},
        {"DURATION('90s')", "'PT1M30S'"},
        {"DURATION(plain, 'second')", "'PT5S'"},
        {"DURATION('P1W')", "'P7D'"},

        {"TIME('2024-02-29T12:34:56.789Z')", "'2024-02-29T12:34:56.7890000Z'"},
        {"TIME(s)", "-"},
        {"TIME(at) = at", "true"},
        {"YEAR('2024-02-29T12:34:56Z')", "2024"},
        {"MONTH(day)", "1"},
        {"DAY(day)", "2"},
        {"HOUR('2024-02-29T12:34:56Z')", "12"},
        {"MINUTE('2024-02-29T12:34:56Z')", "34"},
        {"SECOND('2024-02-29T12:34:56Z')", "56"},
        {"WEEKDAY('2024-02-29')", "4"},
        {"WEEKDAY('1969-12-28')", "7"},
        {"HOUR('1969-12-31T23:59:59.5Z')", "23"},
        {"DAY('1969-12-31T23:59:59.5Z')", "31"},
        {"TIME('2261-12-31T00:00:00Z') + 300 'day'", "-"},
        {"NOW() - at > 'PT30M'", "true"},
        {"LEAST(at, NOW()) = at", "true"},
        {"TO_NUMBER(DURATION('PT2S'))", "2"},
        {"TO_STRING(TIME('2026-01-01'))", "'2026-01-01T00:00:00.0000000Z'"},
    };
    Bench *b = *state;
    stand(b, 0, "P", "p1");
    GIVE_ALL(b, cases);
}

// Berlin to Paris and to the antipode by the same radius, from the formula in another form (the angle between vectors);
// tolerance a metre.
static void geometry(void **state) {
    static const Case cases[] = {
        {"POINT(13.4, 52.5)", "{'type':'Point','coordinates':[13.4,52.5]}"},
        {"POINT(0, 91)", "-"},
        {"place = POINT(13.4, 52.5)", "true"},
        {"DISTANCE(place, POINT(13.4, 52.5))", "0"},
        {"ABS(DISTANCE(POINT(0, 0), POINT(180, 0)) - 20015114.4) < 1", "true"},
        {"ABS(DISTANCE(POINT(13.405, 52.52), POINT(2.3522, 48.8566)) - 877465) < 500", "true"},
        {"DISTANCE(place, POINT(13.41, 52.5)) < 1 'kilometre'", "true"},
        {"DISTANCE(place, POINT(13.5, 52.5)) > reach", "true"},
        {"DISTANCE(place, s)", "-"},
        {"DISTANCE(place, nope)", "-"},
        {"WITHIN(place, POINT(13.4, 52.5), 1 'metre')", "true"},
        {"WITHIN(place, POINT(13.41, 52.5), 500)", "false"},
        {"WITHIN(place, POINT(13.41, 52.5), 1 'kilometre')", "true"},
        {"WITHIN(place, area)", "false"},
        {"WITHIN(POINT(1, 1), area)", "true"},
        {"WITHIN(POINT(5, 5), area)", "false"},
        {"WITHIN(POINT(3.9, 5), area)", "true"},
        {"WITHIN(POINT(11, 5), area)", "false"},
        {"WITHIN(POINT(1, 1), place)", "-"},
        {"WITHIN(POINT(0.5, 1), '{\"type\":\"MultiPolygon\",\"coordinates\":[[[[0,0],[2,0],[2,2],[0,0]]]]}')", "false"},
        {"WITHIN(POINT(1.5, 1), '{\"type\":\"MultiPolygon\",\"coordinates\":[[[[0,0],[2,0],[2,2],[0,0]]]]}')", "true"},
    };
    Bench *b = *state;
    stand(b, 0, "", "p1");
    GIVE_ALL(b, cases);
}

// ---- neighbours ---------------------------------------------------------------------------------------------------

static void neighbours(void **state) {
    static const Case cases[] = {
        {"COUNT(->)", "4"},
        {"COUNT(->feeds)", "2"},
        {"COUNT(<-feeds)", "1"},
        {"COUNT(<->)", "5"},
        {"COUNT(->feeds|any)", "4"},
        {"COUNT(->nope)", "0"},
        {"SUM(->feeds.power)", "7"},
        {"SUM(->feeds.power) = 7000 'watt'", "true"},
        {"SUM(->, power)", "9"},
        {"AVG(->feeds.power)", "3.5"},
        {"MIN(->feeds.power)", "2"},
        {"MAX(->feeds.power)", "5"},
        {"MAX(->feeds.temp)", "30"},
        {"SUM(->nope.power)", "0"},
        {"AVG(->nope.power)", "-"},
        {"MIN(->nope.power)", "-"},
        {"ANY(->nope, on)", "false"},
        {"ALL(->nope, on)", "true"},
        {"ANY(->feeds)", "true"},
        {"COUNT(->feeds, on)", "1"},
        {"COUNT(->feeds, temp)", "1"},
        {"ANY(->feeds, power > 4)", "true"},
        {"ALL(->feeds, power > 4)", "false"},
        {"ALL(->feeds, power > 1)", "true"},
        {"ANY(->feeds, on)", "-"},
        {"ALL(->feeds, on)", "false"},
        {"ANY(->feeds.on)", "-"},
        {"ALL(->feeds, on WHERE IS_DEFINED(on))", "false"},
        {"COUNT(->feeds WHERE power > 2)", "1"},
        {"COUNT(->feeds WHERE R.w > 1)", "1"},
        {"SUM(->feeds, power * R.w)", "11"},
        {"COUNT(-> WHERE R.$relationshipName = 'any')", "2"},
        {"COUNT(-> WHERE R.$targetId = 'p2')", "2"},
        {"COUNT(->, R.w)", "2"},
        {"SUM(->feeds, power WHERE $dtId = 'p3')", "5"},
        {"COUNT(-> WHERE IS_OF_MODEL('dtmi:x:Big;1'))", "1"},
        {"SUM(->feeds, power WHERE power > P.power)", "0"},
        {"SUM(->feeds, COUNT(->feeds))", "1"},
        {"SUM(->feeds, SUM(->feeds.power))", "7"},
        {"SUM(->feeds, SUM(<-feeds.power))", "14"},
        {"MAX(->feeds.$dtId)", "'p3'"},

        {"MIN(->any.temp WHERE IS_OF_MODEL('dtmi:x:Pump;1'))", "30"},
        {"MAX(->feeds, UPDATED(power)) > TIME('2026-01-01')", "true"},
        {"MAX(->feeds, AGE(power)) > 30 'minute'", "true"},
        {"SUM(->feeds, AGE(power)) > 1 'hour'", "true"},
        {"AVG(->feeds, AGE(power)) > 30 'minute'", "true"},
    };
    Bench *b = *state;
    stand(b, 0, "P", "p1");
    GIVE_ALL(b, cases);
    stand(b, 0, "", "p2");
    gives(b, "SUM(->feeds, SUM(->feeds, R.w))", "2.5"); // the inner relationship
    gives(b, "SUM(->feeds, COUNT(->feeds WHERE IS_DEFINED(R.w)) WHERE NOT IS_DEFINED(R.w))", "2");
    stand_link(b, 1, "R", "p1", "a");
    b->scope.bare_first = true;
    gives(b, "SUM(->feeds, SUM(->feeds, R.w))", "1"); // the alias
    stand(b, 0, "", "w");
    gives(b, "COUNT(<-)", "1");
    gives(b, "SUM(<-any.power)", "7");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(paths, setup, teardown),
        cmocka_unit_test_setup_teardown(whole_twin_and_etag, setup, teardown),
        cmocka_unit_test_setup_teardown(links, setup, teardown),
        cmocka_unit_test_setup_teardown(several_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_wide, setup, teardown),
        cmocka_unit_test_setup_teardown(arithmetic, setup, teardown),
        cmocka_unit_test_setup_teardown(comparisons, setup, teardown),
        cmocka_unit_test_setup_teardown(truth, setup, teardown),
        cmocka_unit_test_setup_teardown(choices, setup, teardown),
        cmocka_unit_test_setup_teardown(texts, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(units, setup, teardown),
        cmocka_unit_test_setup_teardown(times, setup, teardown),
        cmocka_unit_test_setup_teardown(geometry, setup, teardown),
        cmocka_unit_test_setup_teardown(neighbours, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
