// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "cli/ask.h"

static void fill(Grid *g, const char *rows) {
    Arena a;
    Json doc;
    arena_init(&a, 0);
    assert_int_equal(json_parse(str_of(rows), NULL, &a, &doc, NULL), ERR_OK);
    for (int32_t i = 0; i < doc.count; i++) assert_true(grid_add(g, &doc.items[i]));
    arena_free(&a); // the grid keeps what it needs
}

static void assert_text(Buf *b, const char *want) {
    buf_byte(b, 0);
    assert_string_equal(b->p, want);
    buf_free(b);
}

static Str units(void *ctx, Str model, Str path) {
    ++*(int *)ctx;
    if (str_eq(path, STR("speed"))) return STR("rpm");
    if (str_eq(path, STR("drive.temp"))) return str_ends(model, STR("Fan;1")) ? STR("°F") : STR("°C");
    return (Str){0};
}

static void assert_table(const char *rows, int32_t width, const char *want) {
    Grid g;
    Table t;
    Column columns[TABLE_COLUMNS_MAX];
    Buf out = {0};
    int asked = 0;
    grid_init(&g, false);
    fill(&g, rows);
    grid_units(&g, units, &asked, 8);
    grid_table(&g, &t, columns);
    table_print(&t, &(TablePrint){.width = width}, &out);
    assert_text(&out, want);
    table_free(&t);
    grid_free(&g);
}

#define PUMP(id, rest) "{\"$dtId\":\"" id "\",\"$etag\":\"e\"," rest ",\"$metadata\":{\"$model\":\"dtmi:x:y:Pump;1\"}}"
#define FAN(id, rest) "{\"$dtId\":\"" id "\"," rest ",\"$metadata\":{\"$model\":\"dtmi:x:Fan;1\"}}"
#define LINK                                                                                                           \
    "{\"$relationshipId\":\"r\",\"$sourceId\":\"a\",\"$targetId\":\"b\",\"$relationshipName\":\"feeds\",\"w\":2}"

static void test_projections(void **state) {
    (void)state;
    assert_table("[{\"name\":\"x\",\"n\":12},{\"name\":\"yy\",\"n\":-0.5},{\"n\":null},{\"name\":true}]", 0,
                 "name     n\n"
                 "────  ────\n"
                 "x       12\n"
                 "yy    -0.5\n"
                 "      null\n"
                 "true\n");
    assert_table("[{\"id\":1,\"w\":1},{\"id\":1,\"u\":2,\"v\":3,\"w\":4},{\"w\":1,\"x\":1},{\"y\":1}]", 0,
                 "id  u  v  w  x  y\n"
                 "──  ─  ─  ─  ─  ─\n"
                 " 1        1\n"
                 " 1  2  3  4\n"
                 "          1  1\n"
                 "                1\n");
    assert_table("[{\"COUNT\":148}]", 0, "COUNT\n─────\n  148\n");
    assert_table("[{\"avg\":1.0166666666666668},{\"avg\":12345678901234},{\"avg\":-2.5}]", 0,
                 "           avg\n──────────────\n   1.016666667\n12345678901234\n          -2.5\n");
    assert_table("[7,\"a\"]", 0, "value\n─────\n7\na\n");
    assert_table("[{\"text\":\"a\\u001b[31mb\"}]", 0, "text\n──────────\na\\x1b[31mb\n");
}

static void test_whole_twins(void **state) {
    (void)state;
    static const char want[] = "$dtId  $model  speed rpm  drive.temp °C  map\n"
                               "─────  ──────  ─────────  ─────────────  ───────\n"
                               "p-1    Pump         1450           40.5\n"
                               "p-2    Pump            7                 {\"a\":1}\n";
#define ROWS(w)                                                                                                        \
    "[" w(PUMP("p-1", "\"speed\":1450,\"drive\":{\"$metadata\":{},\"temp\":40.5}")) "," w(                             \
        PUMP("p-2", "\"speed\":7,\"map\":{\"a\":1,\"$metadata0\":2}")) "]"
#define BARE(x) x
#define NAMED(x) "{\"T\":" x "}"
    assert_table(ROWS(BARE), 0, want);
    assert_table(ROWS(NAMED), 0, want); // SELECT T is shown as SELECT *
    assert_table("[" LINK "]", 0,
                 "$sourceId  $relationshipName  $targetId  $relationshipId  w\n"
                 "─────────  ─────────────────  ─────────  ───────────────  ─\n"
                 "a          feeds              b          r                2\n");
}

static void test_units_that_differ_are_not_shown(void **state) {
    (void)state;
    Grid g;
    int asked = 0;
    grid_init(&g, false);
    fill(&g, "[" PUMP("p", "\"speed\":1,\"drive\":{\"$metadata\":{},\"temp\":1}") "," FAN(
                 "f", "\"speed\":1,\"drive\":{\"$metadata\":{},\"temp\":1},\"s\":\"x\"") "]");
    grid_units(&g, units, &asked, 8);
    assert_int_equal(asked, 4); // numbers only, once for each model
    assert_true(str_eq(g.columns[2].unit, STR("rpm")));
    assert_true(str_eq(g.columns[3].name, STR("drive.temp")) && g.columns[3].unit.n == 0);
    grid_units(&g, units, &asked, 1); // a model was not asked: no unit is sure
    assert_int_equal(g.columns[2].unit.n, 0);
    grid_free(&g);
}

static void test_nested(void **state) {
    (void)state;
    assert_table("[{\"a\":" PUMP(
                     "p-1", "\"speed\":1") ",\"r\":" LINK
                                           ",\"p\":{\"length\":2,\"twins\":[\"a\",\"b\",\"c\"],\"relationships\":[]}}]",
                 0,
                 "a           r             p\n"
                 "──────────  ────────────  ─────────\n"
                 "p-1 (Pump)  a -feeds-> b  a → b → c\n");
}

static void test_cut_to_the_terminal(void **state) {
    (void)state;
    assert_table("[{\"name\":\"a very long name that nobody needs 冷库\",\"number\":123456789012}]", 30,
                 "name                    number\n"
                 "────────────────  ────────────\n"
                 "a very long nam…  123456789012\n");
}

static void test_records(void **state) {
    (void)state;
    Grid g;
    Buf out = {0};
    int asked = 0;
    grid_init(&g, false);
    fill(&g, "[" PUMP("p-1", "\"speed\":1450,\"label\":\"a long label of the pump\"") ",{\"n\":1}]");
    grid_units(&g, units, &asked, 8);
    grid_records(&g, 11, 30, false, &out);
    assert_text(&out, "row 11\n"
                      "  $dtId   p-1\n"
                      "  $model  Pump\n"
                      "  speed   1450 rpm\n"
                      "  label   a long label of the…\n"
                      "\n"
                      "row 12\n"
                      "  n  1\n");
    grid_free(&g);
}

static void test_csv(void **state) {
    (void)state;
    Grid g;
    Buf out = {0};
    grid_init(&g, true);
    fill(&g, "[" PUMP("p,1", "\"speed\":1.50,\"t\":\"say \\\"hi\\\"\\nyou\"") ",{\"T\":" FAN("f",
                                                                                             "\"m\":{\"a\":[1]}") "}]");
    grid_csv(&g, true, &out);
    assert_text(&out, "$dtId,$model,speed,t,m\n"
                      "\"p,1\",dtmi:x:y:Pump;1,1.50,\"say \"\"hi\"\"\nyou\",\n"
                      "f,dtmi:x:Fan;1,,,\"{\"\"a\"\":[1]}\"\n");
    grid_reset(&g);
    fill(&g, "[{\"x\":null,\"y\":true}]");
    grid_csv(&g, false, &out);
    assert_text(&out, ",true\n");
    grid_free(&g);
}

static void test_model_names(void **state) {
    (void)state;
    Arena a;
    arena_init(&a, 0);
    assert_true(str_eq(model_short(&a, STR("dtmi:sosia:bottling:Pump;1")), STR("Pump")));
    assert_true(str_eq(model_short(&a, STR("dtmi:x:Pump;12")), STR("Pump;12")));
    assert_true(str_eq(model_short(&a, STR("dtmi:x:Pump")), STR("Pump")));
    assert_true(str_eq(model_short(&a, STR("pump")), STR("pump")));
    arena_free(&a);
}

// ---- failures -----------------------------------------------------------------------------------------------------

static void test_place_of_a_mistake(void **state) {
    (void)state;
    int64_t line, position;
    Str text;
    assert_true(ask_place(STR("SQL query parse failed: SQL Parser Error, Line=2, Position=17, Message=expected FROM. "),
                          &line, &position, &text));
    assert_true(line == 2 && position == 17 && str_eq(text, STR("expected FROM.")));
    assert_false(ask_place(STR("no such thing"), &line, &position, &text));
    assert_false(ask_place(STR("Line=x, Position=1, Message=a"), &line, &position, &text));
}

static void assert_caret(const char *query, int64_t line, int64_t position, int32_t width, const char *want) {
    Buf out = {0};
    ask_caret(str_of(query), line, position, width, &out);
    assert_text(&out, want);
}

static void test_caret(void **state) {
    (void)state;
    assert_caret("SELECT * FORM DIGITALTWINS", 1, 9, 80, "  SELECT * FORM DIGITALTWINS\n           ^~~~\n");
    assert_caret("SELECT a.b, b.$c.", 1, 12, 80, "  SELECT a.b, b.$c.\n              ^~~~\n");
    assert_caret("SELECT *\r\n  FROM", 2, 2, 80, "    FROM\n    ^~~~\n");
    assert_caret("SELECT 'é冷' + §", 1, 14, 80, "  SELECT 'é冷' + §\n                 ^\n");
    assert_caret("SELECT a FROM", 1, 13, 80, "  SELECT a FROM\n               ^\n"); // at the end
    assert_caret("\tSELECT", 1, 1, 80, "  \\tSELECT\n    ^~~~~~\n");
    assert_caret("SELECT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, bad, bbbbbbbbbbbbbbbbbbbbbbbbbb FROM", 1, 48, 30,
                 "  …aaaaaaaaaaaaaa, bad, bbbbb…\n                   ^~~\n");
    assert_caret("x", 7, 0, 80, "");
}

static void test_times(void **state) {
    (void)state;
    Buf b = {0};
    ask_time(412000, &b);
    buf_byte(&b, ' ');
    ask_time(83400000, &b);
    buf_byte(&b, ' ');
    ask_time(1234000000, &b);
    assert_text(&b, "0.4 ms 83 ms 1.23 s");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_projections),
        cmocka_unit_test(test_whole_twins),
        cmocka_unit_test(test_units_that_differ_are_not_shown),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_cut_to_the_terminal),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_model_names),
        cmocka_unit_test(test_place_of_a_mistake),
        cmocka_unit_test(test_caret),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
