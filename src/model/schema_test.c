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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
