// SPDX-License-Identifier: Apache-2.0
// Models as the store takes them: what they unfold to, what is refused and how it is told, who owns the memory.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "model/schema.h"

static Arena arena;
static Diag diag;

// Single quotes stand for double ones, so that models stay readable here.
static Json parse(const char *text) {
    Str s = arena_str(&arena, str_of(text));
    for (int64_t i = 0; i < s.n; i++)
        if (s.p[i] == '\'') ((char *)(uintptr_t)s.p)[i] = '"';
    Json v;
    assert_int_equal(json_parse(s, NULL, &arena, &v, NULL), ERR_OK);
    return v;
}

static Err add(const Schema *base, const char *text, Schema **out) {
    Json v = parse(text);
    diag_free(&diag);
    diag_init(&diag);
    return schema_add(base, &v, out, &diag);
}

// The schema of these models alone.
static Schema *schema_of(const char *text) {
    Schema *empty = schema_new(), *s = NULL;
    Err e = add(empty, text, &s);
    if (e != ERR_OK) {
        Buf b = {0};
        diag_print(&diag, &b);
        print_error("%.*s\n", STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
    assert_int_equal(e, ERR_OK);
    schema_unref(empty);
    return s;
}

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 0);
    diag_init(&diag);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    diag_free(&diag);
    return 0;
}

#define ROOM                                                                                                           \
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:ex:Room;1','@type':'Interface','displayName':'Room','contents':["   \
    "{'@type':'Property','name':'temperature','schema':'double','writable':true},"                                     \
    "{'@type':'Property','name':'address','schema':{'@type':'Object','fields':["                                       \
    "  {'name':'street','schema':'string'},"                                                                           \
    "  {'name':'geo','schema':{'@type':'Object','fields':[{'name':'lat','schema':'double'}]}},"                        \
    "  {'name':'zip','schema':'integer'}]}},"                                                                          \
    "{'@type':'Property','name':'tags','schema':{'@type':'Map','mapKey':{'name':'k','schema':'string'},"               \
    "  'mapValue':{'name':'v','schema':'boolean'}}},"                                                                  \
    "{'@type':'Property','name':'list','schema':{'@type':'Array','elementSchema':'integer'}},"                         \
    "{'@type':'Property','name':'mode','schema':{'@type':'Enum','valueSchema':'string','enumValues':["                 \
    "  {'name':'on','enumValue':'On'},{'name':'off','enumValue':'Off'}]}},"                                            \
    "{'@type':'Telemetry','name':'noise','schema':'float'},"                                                           \
    "{'@type':'Relationship','name':'contains','target':'dtmi:ex:Sensor;1','maxMultiplicity':5,'properties':["         \
    "  {'@type':'Property','name':'since','schema':'date'}]},"                                                         \
    "{'@type':'Component','name':'thermostat','schema':'dtmi:ex:Thermostat;1'}]}"
#define THERMOSTAT                                                                                                     \
    "{'@context':'dtmi:dtdl:context;2','@id':'dtmi:ex:Thermostat;1','@type':'Interface','contents':["                  \
    "{'@type':['Property','Temperature'],'name':'setPoint','schema':'double','unit':'degreeCelsius'},"                 \
    "{'@type':'Property','name':'range','schema':{'@type':'Object','fields':[{'name':'low','schema':'double'},"        \
    "  {'name':'high','schema':'double'}]}}]}"

// Components and objects unfold to a preorder with the right parents, ends, paths and cells.
static void test_fields(void **state) {
    (void)state;
    static const struct {
        const char *path;
        CellKind cell;
        int parent, end;
    } WANT[] = {{"temperature", CELL_F64, -1, 1},
                {"address", CELL_OBJECT, -1, 6},
                {"address.street", CELL_STR, 1, 3},
                {"address.geo", CELL_OBJECT, 1, 5},
                {"address.geo.lat", CELL_F64, 3, 5},
                {"address.zip", CELL_I64, 1, 6},
                {"tags", CELL_DOC, -1, 7},
                {"list", CELL_DOC, -1, 8},
                {"mode", CELL_STR, -1, 9},
                {"thermostat", CELL_COMPONENT, -1, 14},
                {"thermostat.setPoint", CELL_F64, 9, 11},
                {"thermostat.range", CELL_OBJECT, 9, 14},
                {"thermostat.range.low", CELL_F64, 11, 13},
                {"thermostat.range.high", CELL_F64, 11, 14}};
    Schema *s = schema_of("[" ROOM "," THERMOSTAT "]");
    const Model *m = schema_find(s, STR("dtmi:ex:Room;1"));
    assert_int_equal(m->field_count, 14);
    for (int i = 0; i < m->field_count; i++) {
        const Field *f = &m->fields[i];
        assert_true(str_eq(f->path, str_of(WANT[i].path)));
        assert_int_equal(f->cell, WANT[i].cell);
        assert_int_equal(f->parent, WANT[i].parent);
        assert_int_equal(f->end, WANT[i].end);
        assert_ptr_equal(model_field(m, f->path), f);
        assert_ptr_equal(model_child(m, f->parent, f->name), f);
        assert_ptr_equal(fields_child(m->fields, m->field_count, f->parent, f->name), f);
    }
    assert_true(m->fields[0].writable && !m->fields[1].writable);
    assert_true(str_eq(m->fields[10].unit, STR("degreeCelsius")) && str_eq(m->fields[10].semantic, STR("Temperature")));
    assert_ptr_equal(m->fields[9].component, schema_find(s, STR("dtmi:ex:Thermostat;1")));
    assert_null(model_field(m, STR("address.town")));
    assert_null(model_child(m, -1, STR("address.zip")));
    const Rel *r = model_rel(m, STR("contains"));
    assert_true(r && str_eq(r->target, STR("dtmi:ex:Sensor;1")) && r->max_multiplicity == 5 && r->field_count == 1);
    assert_true(str_eq(r->fields[0].path, STR("since")) && r->owner == m);
    assert_non_null(model_telemetry(m, STR("noise")));
    assert_int_equal(m->dependency_count, 1);
    assert_true(m->display_count == 1 && str_eq(m->display[0].language, STR("en")));
    schema_unref(s);
}

// The first complaint as "where: text", or "" when there is none.
static const char *first_message(void) {
    Buf b = {0};
    if (diag.count) buf_printf(&b, "%.*s: %.*s", STR_ARG(diag.messages[0].where), STR_ARG(diag.messages[0].text));
    Str s = arena_str(&arena, buf_str(&b));
    buf_free(&b);
    return s.p;
}

static void refuse(const char *text, Err code, const char *part) {
    Schema *empty = schema_new(), *s = NULL;
    Err e = add(empty, text, &s);
    if (e != code || !strstr(first_message(), part))
        fail_msg("got %s, %s\n  wanted %s, ... %s ...", err_name(e), first_message(), err_name(code), part);
    assert_null(s);
    assert_int_equal(schema_count(empty), 0);
    schema_unref(empty);
}

#define HEAD(v, id) "{'@context':'dtmi:dtdl:context;" v "','@id':'dtmi:ex:" id ";1','@type':'Interface'"
#define PROP(name, schema) "{'@type':'Property','name':'" name "','schema':" schema "}"

// Each complaint tells the model, the element, what is wrong and the rule.
static void test_messages(void **state) {
    (void)state;
    refuse("[" HEAD("3", "A") ",'contents':[" PROP("x", "'doubl'") "]}]", ERR_MODEL,
           "dtmi:ex:A;1: contents/x/schema: \"doubl\" is neither the name of a built-in nor an id");
    refuse("[" HEAD("3", "A") ",'contents':[" PROP("x", "'dtmi:ex:none;1'") "]}]", ERR_MODEL, "[undefinedReference]");
    refuse("[" HEAD("3", "A") ",'contents':[" PROP("x", "'double'") "," PROP("x", "'long'") "]}]", ERR_MODEL,
           "two values have the name \"x\"");
    refuse("[" HEAD("3", "A") ",'contents':[" PROP("9x", "'double'") "]}]", ERR_MODEL, "contents/9x/name: \"9x\"");
    refuse("[" HEAD("2", "A") ",'contents':[" PROP("x", "{'@type':'Array','elementSchema':'long'}") "]}]", ERR_MODEL,
           "[excludedType]");
    refuse("[" HEAD("5", "A") "}]", ERR_MODEL_VERSION, "use version 2, 3 or 4");
    refuse("[" HEAD("3", "A") ",'extends':'dtmi:ex:A;1'}]", ERR_MODEL, "[recursiveStructureNarrow]");
    refuse("[" HEAD("3", "A") "}," HEAD("3", "A") "}]", ERR_MODEL, "is defined twice");
    refuse("[" HEAD("3", "A") ",'contents':[{'@type':'Component','name':'c','schema':" HEAD("3", "B") "}}]}]",
           ERR_MODEL, "an interface cannot be defined within another");
    refuse("[" HEAD("2", "A") ",'extends':'dtmi:ex:B;1'}," HEAD("3", "B") "}]", ERR_MODEL,
           "written in DTDL v3, which cannot be used from v2");
    refuse("[" HEAD("2", "A") ",'contents':[{'@type':['Property','Temperature'],'name':'t','schema':'double',"
                              "'unit':'metre'}]}]",
           ERR_MODEL, "metre is a LengthUnit; Temperature takes a TemperatureUnit [wrongParent]");
    refuse("[]", ERR_ARGUMENT, "give at least one");
    refuse("[1]", ERR_ARGUMENT, "a model is a JSON object");
    refuse("7", ERR_ARGUMENT, "an array of models is wanted");
}

// One call names every fault of every model, and takes none of the models.
static void test_collects(void **state) {
    (void)state;
    Schema *empty = schema_new(), *s = NULL;
    Err e = add(empty,
                "[" HEAD("3", "A") ",'contents':[" PROP("x", "'a'") "," PROP("y", "'b'") "]}," HEAD(
                    "3", "Good") "}," HEAD("3", "B") ",'extends':['dtmi:ex:A;1','dtmi:ex:nowhere;1'],'foo':1}]",
                &s);
    assert_int_equal(e, ERR_MODEL);
    assert_int_equal(diag.total, 4);
    assert_true(str_eq(diag.messages[3].where, STR("dtmi:ex:B;1")));
    schema_unref(empty);
}

#define CONTENT(v, id, ext, name) "[" HEAD(v, id) ",'extends':" ext ",'contents':[" PROP(name, "'long'") "]}]"

#define BOTTOM                                                                                                         \
    HEAD("3", "Bottom") ",'extends':['dtmi:ex:Left;1','dtmi:ex:Right;1'],'contents':[" PROP("own", "'long'") "]}"
#define LEFT HEAD("3", "Left") ",'extends':'dtmi:ex:Top;1','contents':[" PROP("left", "'long'") "]}"
#define RIGHT HEAD("3", "Right") ",'extends':'dtmi:ex:Top;1','contents':[" PROP("right", "'long'") "]}"
#define OTHERS                                                                                                         \
    "{'@type':'Relationship','name':'r'},{'@type':'Telemetry','name':'t','schema':'long'},{'@type':'Command','name':'" \
    "c'}"
#define TOP HEAD("2", "Top") ",'contents':[" PROP("top", "'long'") "," OTHERS "]}"

// Parents' contents come first, a diamond brings its top once, and a clash of names is refused.
static void test_inheritance(void **state) {
    (void)state;
    static const char *const ORDER[] = {"top", "left", "right", "own"};
    Schema *s = schema_of("[" BOTTOM "," LEFT "," RIGHT "," TOP "]"), *next = NULL;
    const Model *m = schema_find(s, STR("dtmi:ex:Bottom;1"));
    assert_int_equal(m->field_count, 4);
    for (int i = 0; i < 4; i++) assert_true(str_eq(m->fields[i].path, str_of(ORDER[i])));
    assert_int_equal(m->base_count, 3);
    assert_true(model_is(m, STR("dtmi:ex:Top;1")) && model_is(m, m->id) && !model_is(m, STR("dtmi:ex:Other;1")));
    assert_ptr_equal(model_rel(m, STR("r")), model_rel(schema_find(s, STR("dtmi:ex:Top;1")), STR("r")));
    assert_int_equal(m->telemetry_count, 1);
    assert_int_equal(m->command_count, 1);
    assert_int_equal(add(s, CONTENT("3", "Clash", "'dtmi:ex:Bottom;1'", "top"), &next), ERR_MODEL);
    assert_non_null(strstr(first_message(), "\"top\" is inherited from dtmi:ex:Top;1 already"));
    assert_int_equal(add(s, CONTENT("3", "Other", "[]", "top"), &next), ERR_OK);
    schema_unref(s);
    s = next;
    assert_int_equal(add(s, "[" HEAD("3", "Both") ",'extends':['dtmi:ex:Top;1','dtmi:ex:Other;1']}]", &next),
                     ERR_MODEL);
    assert_non_null(strstr(first_message(), "[nonUniqueImportedPropertyValue]"));
    schema_unref(s);
}

static Str chain(int length) {
    Buf b = {0};
    for (int i = 0; i < length; i++) {
        buf_printf(&b, "%s{'@context':'dtmi:dtdl:context;3','@id':'dtmi:ex:L%d;1','@type':'Interface'", i ? "," : "[",
                   i);
        if (i + 1 < length) buf_printf(&b, ",'extends':'dtmi:ex:L%d;1'", i + 1);
        buf_byte(&b, '}');
    }
    buf_byte(&b, ']');
    Str s = arena_str(&arena, buf_str(&b));
    buf_free(&b);
    return s;
}

// A chain of extends may have ten levels; one far beyond is refused without going that deep.
static void test_depth(void **state) {
    (void)state;
    schema_unref(schema_of(chain(11).p));
    refuse(chain(12).p, ERR_MODEL, "[excessiveDepthNarrow]");
    refuse(chain(9000).p, ERR_MODEL, "[excessiveDepthNarrow]");
}

// A named schema is shared; one that contains itself (v4) unfolds once.
static void test_named_schemas(void **state) {
    (void)state;
    Schema *s = schema_of(
        "[" HEAD("4", "A") ",'schemas':[{'@type':'Object','@id':'dtmi:ex:Node;1','fields':["
                           "{'name':'value','schema':'short'},{'name':'next','schema':'dtmi:ex:Node;1'}]}],"
                           "'contents':[" PROP("a", "'dtmi:ex:Node;1'") "," PROP("b", "'dtmi:ex:Node;1'") "]}]");
    const Model *m = schema_at(s, 0);
    assert_int_equal(m->field_count, 6);
    assert_ptr_equal(m->fields[0].type, m->fields[3].type);
    assert_true(str_eq(m->fields[0].type->name, STR("dtmi:ex:Node;1")));
    assert_int_equal(model_field(m, STR("b.next"))->cell, CELL_DOC);
    Json v = parse("{'value':1,'next':{'value':2,'next':{'value':'x'}}}");
    assert_int_equal(type_check(m->fields[0].type, &v, STR("/a"), &diag), ERR_VALIDATION);
    assert_string_equal(first_message(), "/a/next/next/value: expected short, got string \"x\"");
    schema_unref(s);
    refuse("[" HEAD("3", "A") ",'schemas':[{'@type':'Array','@id':'dtmi:ex:N;1','elementSchema':'dtmi:ex:N;1'}]}]",
           ERR_MODEL, "[recursiveStructureWide]");
}

// What an innocent-looking document unfolds to is bounded.
static void test_unfold_limit(void **state) {
    (void)state;
    Buf b = {0};
    buf_printf(&b, "[" HEAD("3", "A") ",'schemas':[");
    for (int level = 0; level < 5; level++) {
        buf_printf(&b, "%s{'@type':'Object','@id':'dtmi:ex:S%d;1','fields':[", level ? "," : "", level);
        for (int i = 0; i < 30; i++)
            buf_printf(&b, level < 4 ? "%s{'name':'f%d','schema':'dtmi:ex:S%d;1'}" : "%s{'name':'f%d','schema':'long'}",
                       i ? "," : "", i, level + 1);
        buf_printf(&b, "]}");
    }
    buf_printf(&b, "],'contents':[" PROP("x", "'dtmi:ex:S0;1'") "]}]");
    buf_byte(&b, 0);
    refuse(b.p, ERR_LIMIT, "unfolds to more than");
    buf_free(&b);
}

// A model that is needed stays, one that is not goes; places of removed models stay empty.
static void test_remove(void **state) {
    (void)state;
    Schema *a = schema_of("[" ROOM "," THERMOSTAT "]"), *b = NULL, *c = NULL;
    assert_int_equal(schema_remove(a, STR("dtmi:ex:Thermostat;1"), &b, &diag), ERR_MODEL_IN_USE);
    assert_int_equal(schema_remove(a, STR("dtmi:ex:None;1"), &b, &diag), ERR_MODEL_NOT_FOUND);
    assert_int_equal(schema_remove(a, STR("dtmi:ex:Room;1"), &b, &diag), ERR_OK);
    assert_non_null(schema_find(a, STR("dtmi:ex:Room;1")));
    schema_unref(a);
    assert_null(schema_find(b, STR("dtmi:ex:Room;1")));
    assert_null(schema_at(b, 0));
    assert_int_equal(schema_count(b), 2);
    assert_int_equal(schema_remove(b, STR("dtmi:ex:Thermostat;1"), &c, &diag), ERR_OK);
    schema_unref(b);
    assert_int_equal(add(c, "[" THERMOSTAT "]", &b), ERR_OK);
    assert_int_equal(schema_find(b, STR("dtmi:ex:Thermostat;1"))->index, 2);
    schema_unref(b);
    schema_unref(c);
}

static bool decommissioned(const Schema *s, Str id) { return schema_find(s, id)->decommissioned; }

// The flag belongs to a schema, not to the model; dependants first; models point at memory that stays.
static void test_decommission(void **state) {
    (void)state;
    const Str room = STR("dtmi:ex:Room;1"), thermostat = STR("dtmi:ex:Thermostat;1");
    Schema *s[6];
    s[0] = schema_of("[" ROOM "," THERMOSTAT "]");
    assert_int_equal(schema_decommission(s[0], thermostat, true, &s[1], &diag), ERR_MODEL_ACTIVE_REFS);
    assert_int_equal(schema_decommission(s[0], room, true, &s[1], &diag), ERR_OK);
    assert_int_equal(schema_decommission(s[1], thermostat, true, &s[2], &diag), ERR_OK);
    assert_int_equal(schema_decommission(s[2], thermostat, false, &s[3], &diag), ERR_OK);
    assert_true(!decommissioned(s[0], room) && decommissioned(s[1], room) && decommissioned(s[3], room));
    assert_true(decommissioned(s[2], thermostat) && !decommissioned(s[3], thermostat));
    assert_int_equal(schema_find(s[3], room)->index, 0);
    assert_int_equal(add(s[2], "[" HEAD("3", "Hot") ",'extends':'dtmi:ex:Thermostat;1'}]", &s[4]), ERR_OK);
    for (int i = 0; i < 4; i++) schema_unref(s[i]);
    assert_int_equal(schema_decommission(s[4], thermostat, false, &s[5], &diag), ERR_OK);
    schema_unref(s[4]);
    const Model *hot = schema_find(s[5], STR("dtmi:ex:Hot;1"));
    assert_true(str_eq(hot->bases[0]->id, thermostat) && hot->field_count == 4);
    assert_non_null(model_field(schema_find(s[5], room), STR("thermostat.range.low")));
    schema_unref(s[5]);
}

// A stored id is refused whatever the document says; the message is about that id.
static void test_exists(void **state) {
    (void)state;
    Schema *s = schema_of("[" THERMOSTAT "]"), *next = NULL;
    assert_int_equal(add(s, "[" ROOM "," THERMOSTAT "]", &next), ERR_MODEL_EXISTS);
    assert_true(str_eq(diag.messages[0].where, STR("dtmi:ex:Thermostat;1")));
    assert_int_equal(add(s, "[" ROOM "]", &next), ERR_OK);
    schema_unref(s);
    assert_non_null(model_field(schema_find(next, STR("dtmi:ex:Room;1")), STR("thermostat.setPoint")));
    schema_unref(next);
}

static void check_value(const Model *m, const char *field, const char *json, const char *message) {
    Json v = parse(json);
    diag_free(&diag);
    diag_init(&diag);
    const Type *t = model_field(m, str_of(field))->type;
    Str path = arena_printf(&arena, "/%s", field);
    assert_int_equal(type_check(t, &v, path, &diag), *message ? ERR_VALIDATION : ERR_OK);
    assert_string_equal(first_message(), message);
}

// Values: what is taken, and how a refusal names the place.
static void test_values(void **state) {
    (void)state;
    Schema *s = schema_of("[" ROOM "," THERMOSTAT "]");
    const Model *m = schema_find(s, STR("dtmi:ex:Room;1"));
    check_value(m, "temperature", "5", "");
    check_value(m, "temperature", "'5'", "/temperature: expected double, got string \"5\"");
    check_value(m, "address", "{'street':'Main','geo':{'lat':1.5}}", "");
    check_value(m, "address", "{'street':5}", "/address/street: expected string, got number 5");
    check_value(m, "address", "{'geo':{'lon':1}}", "/address/geo: the object has no field \"lon\"");
    check_value(m, "address", "{'geo':null}", "/address/geo: expected object, got null");
    check_value(m, "address.zip", "5.0", "/address.zip: expected integer without a fraction and within range, got 5.0");
    check_value(m, "address.zip", "2147483648",
                "/address.zip: 2147483648 is outside the range of integer, -2147483648 to 2147483647");
    check_value(m, "tags", "{'a':true,'b':false}", "");
    check_value(m, "tags", "{'a':1}", "/tags/a: expected boolean, got number 1");
    check_value(m, "list", "[1,2,3]", "");
    check_value(m, "list", "[1,'x']", "/list/1: expected integer, got string \"x\"");
    check_value(m, "mode", "'On'", "");
    check_value(m, "mode", "'on'", "/mode: expected one of \"On\", \"Off\", got string \"on\"");
    schema_unref(s);
}

// The text form of scalars follows the same rules.
static void test_value_texts(void **state) {
    (void)state;
    Schema *s = schema_of("[" ROOM "," THERMOSTAT "]");
    const Model *m = schema_find(s, STR("dtmi:ex:Room;1"));
    const Type *number = m->fields[0].type, *zip = model_field(m, STR("address.zip"))->type, *mode = m->fields[8].type;
    assert_int_equal(type_check_text(number, STR("21.5"), STR(""), NULL), ERR_OK);
    assert_int_equal(type_check_text(number, STR("warm"), STR(""), NULL), ERR_VALIDATION);
    assert_int_equal(type_check_text(number, STR(""), STR(""), NULL), ERR_VALIDATION);
    assert_int_equal(type_check_text(zip, STR("80331"), STR(""), NULL), ERR_OK);
    assert_int_equal(type_check_text(zip, STR("80331.0"), STR(""), NULL), ERR_VALIDATION);
    assert_int_equal(type_check_text(zip, STR("3000000000"), STR(""), NULL), ERR_VALIDATION);
    assert_int_equal(type_check_text(mode, STR("Off"), STR(""), NULL), ERR_OK);
    assert_int_equal(type_check_text(mode, STR("off"), STR(""), NULL), ERR_VALIDATION);
    assert_int_equal(type_check_text(m->fields[7].type, STR("[1]"), STR(""), NULL), ERR_VALIDATION);
    schema_unref(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_collects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inheritance, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_named_schemas, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unfold_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decommission, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_value_texts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
