// SPDX-License-Identifier: Apache-2.0
// What messages become by rules: a table of rule, topic, payload and points; wrong rules; garbage.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/decimal.h"
#include "base/rng.h"
#include "base/time.h"
#include "connect/map_rule.h"

typedef struct Bench {
    Arena arena;
    Json doc;
    Mapping *map;
    Mapped mapped;
    MapOps ops;
    Buf out; // "twin.path=value@time;" and "!why;"
} Bench;

static void on_bad(void *ctx, Str why) {
    Bench *b = ctx;
    buf_printf(&b->out, "!%.*s;", STR_ARG(why));
}

// Fahrenheit to the Celsius of every property but "text".
static Err on_unit(void *ctx, Str twin, Str model, Str path, Str from, double value, double *out) {
    (void)ctx, (void)twin, (void)model;
    if (!str_eq(from, STR("degreeFahrenheit")) || str_eq(path, STR("text"))) return ERR_VALIDATION;
    *out = (value - 32) * 5 / 9;
    return ERR_OK;
}

static Err begin(Bench *b, const char *rules, Buf *why) {
    *b = (Bench){.ops = {on_bad, on_unit, b}};
    Diag d;
    diag_init(&d);
    arena_init(&b->arena, 0);
    mapped_init(&b->mapped);
    assert_int_equal(json_parse(str_of(rules), NULL, &b->arena, &b->doc, NULL), ERR_OK);
    Err err = mapping_new(&b->doc, &d, &b->map);
    if (why) diag_print(&d, why);
    diag_free(&d);
    return err;
}

static void end(Bench *b) {
    mapping_free(b->map);
    mapped_free(&b->mapped);
    arena_free(&b->arena);
    buf_free(&b->out);
}

static void put_value(const SosiaValue *v, Buf *out) {
    static const char letters[] = "-bidtj"; // SosiaKind
    buf_byte(out, letters[v->kind]);
    if (v->kind == SOSIA_BOOL) buf_printf(out, v->b ? "true" : "false");
    if (v->kind == SOSIA_I64) json_put_i64(out, v->i);
    if (v->kind == SOSIA_F64) json_put_f64(out, v->d);
    if (v->kind == SOSIA_TEXT || v->kind == SOSIA_JSON) buf_str_put(out, v->s);
}

static void apply(Bench *b, const char *topic, Str payload, bool retained) {
    mapped_reset(&b->mapped);
    buf_reset(&b->out);
    if (!mapping_apply(b->map, &b->ops, str_of(topic), payload, retained, 0, &b->mapped)) buf_printf(&b->out, "none");
    for (int64_t i = 0; i < b->mapped.count; i++) {
        const SosiaPoint *p = &b->mapped.points[i];
        buf_printf(&b->out, "%.*s.%.*s=", STR_ARG(p->twin), STR_ARG(p->path));
        put_value(&p->value, &b->out);
        if (p->source_time_ns) {
            buf_byte(&b->out, '@');
            time_print(p->source_time_ns, 3, &b->out);
        }
        if (p->model.n) buf_printf(&b->out, " (%.*s)", STR_ARG(p->model));
        buf_byte(&b->out, ';');
    }
}

typedef struct Case {
    const char *rules, *topic, *payload, *points;
} Case;

#define TP "[{\"topic\":\"plant/{twin}/{property}\""

static const Case cases[] = {
    {TP "}]", "plant/p1/temp", "21.5", "p1.temp=d21.5;"},
    {TP "}]", "plant/p1/temp", " true ", "p1.temp=btrue;"},
    {TP "}]", "plant/p1/name", "\"a\\u00e4\\\"\"", "p1.name=taä\";"},
    {TP "}]", "plant/p1/size", "{\"w\":1}", "p1.size=j{\"w\":1};"},
    {TP "}]", "plant/p1/temp", "null", ""},
    {TP ",\"null\":\"clear\"}]", "plant/p1/temp", "null", "p1.temp=-;"},
    {TP "}]", "plant/p1/temp", "", ""},
    {TP "}]", "plant/p1/temp", "21.5 x", "!It is no JSON: "},
    {TP "}]", "plant/p1", "1", "none"},
    {TP "}]", "plant/p1/a/b", "1", "none"},
    {TP "}]", "plan/p1/a", "1", "none"},
    {TP ",\"payload\":\"text\"}]", "plant/p1/name", "a b", "p1.name=ta b;"},
    {TP ",\"payload\":\"text\"}]", "plant/p1/name", "\xff", "!It is no text of UTF-8;"},
    {TP ",\"payload\":\"number\"}]", "plant/p1/temp", " 7\n", "p1.temp=i7;"},
    {TP ",\"payload\":\"number\"}]", "plant/p1/temp", "+.5", "p1.temp=d0.5;"},
    {TP ",\"payload\":\"number\"}]", "plant/p1/temp", "abc", "!It is no number;"},
    {TP ",\"model\":\"dtmi:x:{property};1\",\"create\":true}]", "plant/p1/t", "1", "p1.t=i1 (dtmi:x:t;1);"},
    {TP ",\"value\":\"/v\"}]", "plant/p1/t", "{\"u\":{\"v\":2},\"v\":1}", "p1.t=i1;"},
    {TP ",\"value\":\"/v\"}]", "plant/p1/t", "{\"u\":1}", "!The value is not in it;"},
    {TP ",\"value\":\"/v/1/w\"}]", "plant/p1/t", "{\"v\":[0,{\"w\":5}]}", "p1.t=i5;"},
    {TP ",\"value\":\"/a~1b\"}]", "plant/p1/t", "{\"a/b\":5}", "p1.t=i5;"},
    {TP ",\"value\":\"/a\"}]", "plant/p1/t", "{\"\\u0061\":5}", "p1.t=i5;"},
    // Times.
    {TP ",\"value\":\"/v\",\"time\":\"/ts\"}]", "plant/p1/t", "{\"v\":1,\"ts\":\"2026-11-22T08:00:00+01:00\"}",
     "p1.t=i1@2026-11-22T07:00:00.000Z;"},
    {TP ",\"value\":\"/v\",\"time\":\"/ts\"}]", "plant/p1/t", "{\"v\":1,\"ts\":1700000000}",
     "p1.t=i1@2023-11-14T22:13:20.000Z;"},
    {TP ",\"value\":\"/v\",\"time\":\"/ts\"}]", "plant/p1/t", "{\"v\":1,\"ts\":1700000000123}",
     "p1.t=i1@2023-11-14T22:13:20.123Z;"},
    {TP ",\"value\":\"/v\",\"time\":\"/ts\",\"timeFormat\":\"s\"}]", "plant/p1/t", "{\"v\":1,\"ts\":1700000000.25}",
     "p1.t=i1@2023-11-14T22:13:20.250Z;"},
    {TP ",\"value\":\"/v\",\"time\":\"/ts\",\"timeFormat\":\"us\"}]", "plant/p1/t",
     "{\"v\":1,\"ts\":\"1700000000123456\"}", "p1.t=i1@2023-11-14T22:13:20.123Z;"},
    {TP ",\"value\":\"/v\",\"time\":\"/ts\",\"timeFormat\":\"%d.%m.%Y %H:%M:%S.%f %z\"}]", "plant/p1/t",
     "{\"v\":1,\"ts\":\"14.11.2023 23:13:20.5 +0100\"}", "p1.t=i1@2023-11-14T22:13:20.500Z;"},
    {TP ",\"value\":\"/v\",\"time\":\"/ts\"}]", "plant/p1/t", "{\"v\":1}", "!There is no time in it;"},
    {TP ",\"value\":\"/v\",\"time\":\"/ts\"}]", "plant/p1/t", "{\"v\":1,\"ts\":\"soon\"}",
     "!\"soon\" is no time of the given format;"},
    // Arrays.
    {"[{\"topic\":\"a\",\"each\":\"/r\",\"twin\":\"{/id}\",\"property\":\"{/p}\",\"value\":\"/v\",\"time\":\"^/ts\"}]",
     "a", "{\"ts\":1,\"r\":[{\"id\":\"x\",\"p\":\"q\",\"v\":1},{\"id\":7,\"p\":\"q\",\"v\":2}]}",
     "x.q=i1@1970-01-01T00:00:01.000Z;7.q=i2@1970-01-01T00:00:01.000Z;"},
    {"[{\"topic\":\"a\",\"each\":\"\",\"twin\":\"{/id}\",\"property\":\"p\",\"value\":\"/v\"}]", "a",
     "[{\"id\":\"x\",\"v\":1},{\"v\":2},{\"id\":\"y\",\"v\":3}]",
     "!There is no text or number for the twin;x.p=i1;y.p=i3;"},
    {"[{\"topic\":\"a\",\"each\":\"/r\",\"twin\":\"t\",\"property\":\"p\"}]", "a", "{\"r\":{}}",
     "!There is no array in it where one is expected;"},
    {"[{\"topic\":\"a\",\"payload\":\"ndjson\",\"twin\":\"{/i}\",\"property\":\"p\",\"value\":\"/v\"}]", "a",
     "{\"i\":1,\"v\":1}\r\n\n{\"i\":2,\"v\":2}", "1.p=i1;2.p=i2;"},
    // Several values and whole objects.
    {"[{\"topic\":\"s/{twin}\",\"values\":[{\"property\":\"a\",\"value\":\"/x\"},{\"property\":\"b.c\",\"value\":"
     "\"/y\",\"expression\":\"(value - 32) * 5 / 9\"}]}]",
     "s/t", "{\"x\":1,\"y\":212}", "t.a=i1;t.b.c=d100;"},
    {"[{\"topic\":\"s/{twin}\",\"values\":[{\"property\":\"a\",\"value\":\"/x\"},{\"property\":\"b\",\"value\":\"/y\"}]"
     "}]",
     "s/t", "{\"y\":2}", "t.b=i2;"},
    {"[{\"topic\":\"s/+\",\"twin\":\"d-{/id}\",\"property\":\"*\",\"time\":\"/ts\",\"ignore\":[\"seq\"]}]", "s/x",
     "{\"id\":\"k\",\"ts\":1,\"seq\":4,\"a\":1.5,\"b\":\"x\",\"c\":null,\"d\":[1]}",
     "d-k.a=d1.5@1970-01-01T00:00:01.000Z;d-k.b=tx@1970-01-01T00:00:01.000Z;d-k.d=j[1]@1970-01-01T00:00:01.000Z;"},
    {"[{\"topic\":\"s/{twin}\",\"property\":\"*\",\"value\":\"/d\"}]", "s/x", "{\"d\":3}",
     "!An object is expected, not integer;"},
    // Units and expressions.
    {TP ",\"unit\":\"degreeFahrenheit\"}]", "plant/p/t", "32", "p.t=d0;"},
    {TP ",\"unit\":\"degreeFahrenheit\"}]", "plant/p/t", "\"x\"", "!A number of degreeFahrenheit is expected;"},
    {TP ",\"unit\":\"degreeFahrenheit\"}]", "plant/p/text", "1",
     "!A number of degreeFahrenheit cannot become \"text\" of \"p\";"},
    {TP ",\"expression\":\"payload.a + payload.b\"}]", "plant/p/t", "{\"a\":1,\"b\":2}", "p.t=i3;"},
    {TP ",\"expression\":\"value + 1\"}]", "plant/p/t", "\"x\"", "!The expression gives no value;"},
    {"[{\"topic\":\"{line}/{twin}\",\"property\":\"p\",\"expression\":\"line\"}]", "L1/t", "0", "t.p=tL1;"},
    // Topics.
    {"[{\"topic\":\"a/{rest+}\",\"twin\":\"{rest}\",\"property\":\"p\"}]", "a/b/c", "1", "b/c.p=i1;"},
    {"[{\"topic\":\"a/#\",\"twin\":\"t\",\"property\":\"p\"}]", "a", "1", "t.p=i1;"},
    {"[{\"topic\":\"#\",\"twin\":\"t\",\"property\":\"p\"}]", "$SYS/x", "1", "none"},
    {"[{\"topic\":\"+/x\",\"twin\":\"t\",\"property\":\"p\"}]", "$SYS/x", "1", "none"},
    {"[{\"topic\":\"$share/g/a/{twin}\",\"property\":\"p\"}]", "a/t", "1", "t.p=i1;"},
    {"[{\"topic\":\"a/+\",\"twin\":\"t\",\"property\":\"p\"},{\"topic\":\"+/b\",\"twin\":\"u\",\"property\":\"q\"}]",
     "a/b", "1", "t.p=i1;u.q=i1;"},
};

// Each rule, twice: the second time its topic is known.
static void test_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Case *c = &cases[i];
        Bench b;
        Buf why = {0};
        if (begin(&b, c->rules, &why)) fail_msg("%s: %.*s", c->rules, STR_ARG(buf_str(&why)));
        for (int round = 0; round < 2; round++) {
            apply(&b, c->topic, str_of(c->payload), false);
            Str got = buf_str(&b.out), want = str_of(c->points);
            bool open = str_ends(want, STR(": ")); // the rest is the scanner's
            if (open ? !str_starts(got, want) : !str_eq(got, want))
                fail_msg("%s with %s: %.*s instead of %s", c->rules, c->payload, STR_ARG(got), c->points);
        }
        buf_free(&why);
        end(&b);
    }
}

static void test_filters(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"plant/{twin}/x/{a+}", "plant/+/x/#"}, {"$share/g/{twin}/+/#", "$share/g/+/+/#"}, {"a//{twin}", "a//+"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char rules[200];
        Bench b;
        int32_t qos;
        snprintf(rules, sizeof rules, "[{\"topic\":\"%s\",\"property\":\"p\",\"qos\":2}]", rows[i][0]);
        assert_int_equal(begin(&b, rules, NULL), ERR_OK);
        assert_true(str_eq(mapping_filter(b.map, 0, &qos), str_of(rows[i][1])));
        assert_int_equal(qos, 2);
        end(&b);
    }
}

static void test_retained(void **state) {
    (void)state;
    Bench b;
    assert_int_equal(begin(&b, TP ",\"retained\":\"ignore\"}]", NULL), ERR_OK);
    apply(&b, "plant/a/b", STR("1"), true);
    assert_int_equal(b.mapped.count, 0);
    apply(&b, "plant/a/b", STR("1"), false);
    assert_int_equal(b.mapped.count, 1);
    end(&b);
}

// Complaints name the member.
static void test_refusals(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"{}", "subscriptions: an array"},
        {"[1]", "subscriptions[0]: an object"},
        {"[{}]", "subscriptions[0].topic: this member is needed"},
        {"[{\"topic\":\"a/b+\"}]", "[0].topic: +, # and {name} stand for whole levels"},
        {"[{\"topic\":\"#/a\"}]", "[0].topic: what stands for the rest comes last"},
        {"[{\"topic\":\"$share/g\"}]", "[0].topic: $share/GROUP/TOPIC"},
        {"[{\"topic\":\"{a}/{a}\"}]", "[0].topic: each {name} needs a name of its own"},
        {"[{\"topic\":\"{value}\"}]", "[0].topic: value, payload and topic"},
        {"[{\"topic\":\"a\"}]", "[0].twin: it is needed"},
        {"[{\"topic\":\"{twin}\"}]", "[0].property: it is needed"},
        {"[{\"topic\":\"{twin}\",\"property\":\"{x}\"}]", "[0].property: the topic has no {x}"},
        {"[{\"topic\":\"{twin}\",\"property\":\"{x\"}]", "[0].property: a '}' is missing"},
        {"[{\"topic\":\"{twin}\",\"property\":\"p\",\"value\":\"v\"}]", "[0].value: \"v\" is no JSON pointer"},
        {"[{\"topic\":\"{twin}\",\"property\":\"p\",\"payload\":\"text\",\"value\":\"/v\"}]",
         "[0].value: pointers need"},
        {"[{\"topic\":\"{twin}\",\"property\":\"p\",\"payload\":\"xml\"}]", "[0].payload: one of \"json\""},
        {"[{\"topic\":\"{twin}\",\"property\":\"p\",\"expression\":\"valu + 1\"}]", "[0].expression: "},
        {"[{\"topic\":\"{twin}\",\"property\":\"p\",\"timeFormat\":\"iso\"}]", "[0].timeFormat: "},
        {"[{\"topic\":\"{twin}\",\"property\":\"p\",\"timeFormat\":\"%d.%m.%Y %Q\"}]",
         "[0].timeFormat: there is no %Q"},
        {"[{\"topic\":\"{twin}\",\"property\":\"p\",\"create\":true}]", "[0].model: twins cannot be created"},
        {"[{\"topic\":\"{twin}\",\"values\":[]}]", "[0].values: at least one"},
        {"[{\"topic\":\"{twin}\",\"property\":\"p\",\"values\":[{\"property\":\"x\"}]}]",
         "[0].property: it belongs into"},
        {"[{\"topic\":\"{twin}\",\"values\":[{\"propertie\":\"x\"}]}]",
         "values[0].propertie: there is no such member; did "
         "you mean \"property\"?"},
        {"[{\"topic\":\"{twin}\",\"property\":\"p\",\"qos\":3}]", "[0].qos: a number from 0 to 2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Bench b;
        Buf why = {0};
        Err err = begin(&b, rows[i][0], &why);
        if (!err || str_find_str(buf_str(&why), str_of(rows[i][1])) < 0)
            fail_msg("%s: %.*s", rows[i][0], STR_ARG(buf_str(&why)));
        buf_free(&why);
        end(&b);
    }
}

static void repeat(Buf *b, const char *text, int n) {
    for (int i = 0; i < n; i++) buf_str_put(b, str_of(text));
}

// A payload of a MiB with deep nesting is an error; one that makes too many points makes the most allowed.
static void test_limits(void **state) {
    (void)state;
    Bench b;
    Buf text = {0};
    assert_int_equal(begin(&b, TP ",\"value\":\"/v\"}]", NULL), ERR_OK);
    repeat(&text, "[", 1 << 20);
    apply(&b, "plant/a/b", buf_str(&text), false);
    assert_int_equal(b.mapped.count, 0);
    assert_true(str_starts(buf_str(&b.out), STR("!It is no JSON")));
    end(&b);
    assert_int_equal(begin(&b, "[{\"topic\":\"a\",\"each\":\"\",\"twin\":\"t\",\"property\":\"p\"}]", NULL), ERR_OK);
    buf_reset(&text);
    buf_byte(&text, '[');
    repeat(&text, "1,", MAP_POINTS_MAX + 5);
    buf_str_put(&text, STR("1]"));
    apply(&b, "a", buf_str(&text), false);
    assert_int_equal(b.mapped.count, MAP_POINTS_MAX);
    assert_true(str_starts(buf_str(&b.out), STR("!One message makes at most")));
    buf_free(&text);
    end(&b);
}

// Topics without end are forgotten and learned again.
static void test_many_topics(void **state) {
    (void)state;
    Bench b;
    assert_int_equal(begin(&b, TP "}]", NULL), ERR_OK);
    char topic[64];
    for (int i = 0; i < MAP_TOPICS_MAX + 1000; i++) {
        snprintf(topic, sizeof topic, "plant/p%d/t", i);
        mapped_reset(&b.mapped);
        assert_true(mapping_apply(b.map, &b.ops, str_of(topic), STR("1"), false, 0, &b.mapped));
        assert_int_equal(b.mapped.count, 1);
        mapping_rest(b.map);
        assert_true(b.map->topic_count <= MAP_TOPICS_MAX);
    }
    apply(&b, "plant/p5/t", STR("2"), false);
    assert_true(str_eq(buf_str(&b.out), STR("p5.t=i2;")));
    end(&b);
}

// Times by text: what the format does not say is refused.
static void test_time_text(void **state) {
    (void)state;
    static const struct {
        const char *format, *text, *want;
    } rows[] = {{"%Y-%m-%d", "2024-02-29", "2024-02-29T00:00:00.000Z"},
                {"%Y-%m-%d", "2024-13-01", NULL},
                {"%Y-%m-%d", "2024-02-29 ", NULL},
                {"%d %b %y %I:%M %p", "05 Mar 24 12:30 AM", "2024-03-05T00:30:00.000Z"},
                {"%d %b %y %I:%M %p", "05 Mar 24 01:30 pm", "2024-03-05T13:30:00.000Z"},
                {"%Y%j", "2024060", "2024-02-29T00:00:00.000Z"},
                {"%s", "1700000000", "2023-11-14T22:13:20.000Z"},
                {"%s", "999999999999", NULL},
                {"%H:%M", "24:00", NULL},
                {"%Y-%m-%dT%H:%M:%S%z", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000Z"},
                {"%Y-%m-%dT%H:%M:%S%z", "2024-01-01T00:00:00-05:30", "2024-01-01T05:30:00.000Z"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ns;
        Buf got = {0};
        bool ok = map_time_text(str_of(rows[i].format), str_of(rows[i].text), &ns);
        if (ok) time_print(ns, 3, &got);
        if (ok != (rows[i].want != NULL) || (ok && !str_eq(buf_str(&got), str_of(rows[i].want))))
            fail_msg("%s with %s: %.*s", rows[i].text, rows[i].format, STR_ARG(buf_str(&got)));
        buf_free(&got);
    }
}

// Payloads cut and changed at random never make more than errors.
static void test_garbage(void **state) {
    (void)state;
    const uint64_t seed = 20261122;
    Rng rng = rng_make(seed, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Bench b;
        assert_int_equal(begin(&b, cases[i].rules, NULL), ERR_OK);
        for (int round = 0; round < 300; round++) {
            char text[256];
            size_t n = strlen(cases[i].payload);
            assert_true(n < sizeof text);
            memcpy(text, cases[i].payload, n);
            for (int k = 0; n && k < 1 + round % 3; k++) text[rng_below(&rng, n)] = (char)rng_u32(&rng);
            apply(&b, cases[i].topic, (Str){text, (int64_t)rng_below(&rng, n + 1)}, false);
        }
        end(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),     cmocka_unit_test(test_filters), cmocka_unit_test(test_retained),
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_limits),  cmocka_unit_test(test_many_topics),
        cmocka_unit_test(test_time_text), cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
