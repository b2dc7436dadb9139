// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/rng.h"
#include "cli/words.h"

static Words words;
static Arena arena;

static const char pump[] =
    "{\"@id\":\"dtmi:x:Pump;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":[\"Property\",\"Temperature\"],\"name\":\"temperature\",\"schema\":\"double\",\"unit\":"
    "\"degreeCelsius\"},"
    "{\"@type\":\"Property\",\"name\":\"tension\",\"schema\":\"double\",\"unit\":\"newton\"},"
    "{\"@type\":\"Property\",\"name\":\"Group\",\"schema\":\"string\"},"
    "{\"@type\":\"Property\",\"name\":\"place\",\"schema\":{\"@type\":\"Object\",\"fields\":[{\"name\":\"floor\","
    "\"schema\":\"integer\"}]}},"
    "{\"@type\":\"Component\",\"name\":\"drive\",\"schema\":\"dtmi:x:Drive;1\"},"
    "{\"@type\":\"Telemetry\",\"name\":\"noise\",\"schema\":\"double\"},"
    "{\"@type\":\"Relationship\",\"name\":\"feeds\",\"properties\":[{\"@type\":\"Property\",\"name\":\"capacity\","
    "\"schema\":\"double\"}]},"
    "{\"@type\":\"Relationship\",\"name\":\"contains\"}]}";

static int setup(void **state) {
    (void)state;
    Json doc;
    words_init(&words);
    arena_init(&arena, 0);
    assert_int_equal(json_parse(STR(pump), NULL, &arena, &doc, NULL), ERR_OK);
    words_add_model(&words, &doc);
    words_add_model(&words, &doc); // once more changes nothing
    words_add(&words, WORD_MODEL, STR("dtmi:x:Drive;1"));
    words_add(&words, WORD_WORLD, STR("live"));
    words_add(&words, WORD_WORLD, STR("night-shift"));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    words_free(&words);
    arena_free(&arena);
    return 0;
}

// What the line becomes when Tab is pressed at its `^`, the cursor marked again; then the candidates.
static const char *tab(const char *line) {
    static char out[2048];
    Completion c;
    const char *mark = strchr(line, '^');
    char text[512];
    snprintf(text, sizeof text, "%.*s%s", (int)(mark - line), line, mark + 1);
    words_complete(&words, &arena, str_of(text), mark - line, &c);
    int n = snprintf(out, sizeof out, "%.*s%.*s^%s", (int)c.from, text, STR_ARG(c.insert), mark + 1);
    for (int32_t i = 0; i < c.count && c.count > 1; i++)
        n += snprintf(out + n, sizeof out - (size_t)n, " %.*s", STR_ARG(c.items[i]));
    return out;
}

static void test_words_of_the_language(void **state) {
    (void)state;
    assert_string_equal(tab("^"), "^ EXPLAIN SELECT");
    assert_string_equal(tab("S^"), "SELECT ^");
    assert_string_equal(tab("sel^"), "select ^");
    assert_string_equal(tab("EXPLAIN s^"), "EXPLAIN select ^");
    assert_string_equal(tab("SELECT * FROM d^"), "SELECT * FROM digitaltwins ^");
    assert_string_equal(tab("SELECT * FROM ^ WHERE"), "SELECT * FROM ^ WHERE DIGITALTWINS RELATIONSHIPS");
    assert_string_equal(tab("SELECT * FROM DIGITALTWINS WH^"), "SELECT * FROM DIGITALTWINS WHERE ^");
    assert_string_equal(tab("SELECT IS_OF^"), "SELECT IS_OF_MODEL(^");
    assert_string_equal(tab("SELECT starts^"), "SELECT startswith(^");
    assert_string_equal(tab("SELECT zzz^"), "SELECT zzz^");
    assert_string_equal(tab("SELECT * -- a comm^"), "SELECT * -- a comm^");
}

static void test_names_of_the_models(void **state) {
    (void)state;
    assert_string_equal(tab("SELECT T.te^"), "SELECT T.te^ temperature tension");
    assert_string_equal(tab("SELECT T.tem^ FROM"), "SELECT T.temperature^ FROM");
    assert_string_equal(tab("SELECT T.TEM^"), "SELECT T.temperature^");
    assert_string_equal(tab("SELECT T.drive.fl^"), "SELECT T.drive.floor^");
    assert_string_equal(tab("SELECT T.$dt^"), "SELECT T.$dtId^");
    assert_string_equal(tab("SELECT T.$metadata.$m^"), "SELECT T.$metadata.$model^");
    assert_string_equal(tab("SELECT T.$metadata.temperature.so^"), "SELECT T.$metadata.temperature.sourceTime^");
    assert_string_equal(tab("SELECT capa^"), "SELECT capacity^");
    assert_string_equal(tab("SELECT T.Gr^"), "SELECT T.Group^"); // behind a dot any word is a name
    assert_string_equal(tab("SELECT nois^"), "SELECT nois^");    // telemetry is not kept
    assert_string_equal(tab("WHERE IS_OF_MODEL(T, '^"), "WHERE IS_OF_MODEL(T, 'dtmi:x:^ dtmi:x:Drive;1 dtmi:x:Pump;1");
    assert_string_equal(tab("WHERE $metadata.$model = 'dtmi:x:P^"), "WHERE $metadata.$model = 'dtmi:x:Pump;1'^");
    assert_string_equal(tab("WHERE name = '^"), "WHERE name = '^");
    assert_string_equal(tab("WHERE temperature > 20 'de^"), "WHERE temperature > 20 'degreeCelsius'^");
    assert_string_equal(tab("WHERE t > 2.5e1 '^"), "WHERE t > 2.5e1 '^ degreeCelsius newton");
}

static void test_relationships(void **state) {
    (void)state;
    assert_string_equal(tab("FROM DIGITALTWINS T JOIN D RELATED T.^"),
                        "FROM DIGITALTWINS T JOIN D RELATED T.^ contains feeds");
    assert_string_equal(tab("MATCH (a)-[:f^]->(b)"), "MATCH (a)-[:feeds^]->(b)");
    assert_string_equal(tab("MATCH (a)<-[r:feeds|co^"), "MATCH (a)<-[r:feeds|contains^");
    assert_string_equal(tab("SELECT SUM(->^"), "SELECT SUM(->^ contains feeds");
    assert_string_equal(tab("SELECT COUNT(T<-c^)"), "SELECT COUNT(T<-contains^)");
    assert_string_equal(tab("SELECT ANY(->feeds, te^)"), "SELECT ANY(->feeds, te^) temperature tension");
}

static void test_commands(void **state) {
    (void)state;
    assert_string_equal(tab("\\^"), "\\^ \\csv \\explain \\help \\json \\models \\properties \\quit \\refresh \\table "
                                    "\\timing \\world");
    assert_string_equal(tab("\\ex^"), "\\explain ^");
    assert_string_equal(tab("\\explain SEL^"), "\\explain SELECT ^");
    assert_string_equal(tab("\\explain SELECT T.tem^"), "\\explain SELECT T.temperature^");
    assert_string_equal(tab("\\world n^"), "\\world night-shift^");
    assert_string_equal(tab("\\properties dtmi:x:P^"), "\\properties dtmi:x:Pump;1^");
    assert_string_equal(tab("\\json x^"), "\\json x^");
}

static void test_statement_end(void **state) {
    (void)state;
    assert_int_equal(statement_end(STR("SELECT 1; SELECT 2")), 8);
    assert_int_equal(statement_end(STR("SELECT 1")), -1);
    assert_int_equal(statement_end(STR("SELECT ';' ;")), 11);
    assert_int_equal(statement_end(STR("SELECT 'a\\';' ;")), 14);
    assert_int_equal(statement_end(STR("SELECT 'it''s;' ;")), 16);
    assert_int_equal(statement_end(STR("SELECT [[a;b]];")), 14);
    assert_int_equal(statement_end(STR("-- no; end\nSELECT \";\";")), 21);
    assert_int_equal(statement_end(STR("SELECT 'open;")), -1);
    assert_int_equal(statement_end(STR("")), -1);
}

static void assert_line(Str text, const char *want) {
    Buf b = {0};
    statement_line(text, &b);
    buf_byte(&b, 0);
    assert_string_equal(b.p, want);
    buf_free(&b);
}

static void test_one_line(void **state) {
    (void)state;
    assert_line(STR("SELECT *\n  FROM DIGITALTWINS -- all\n\n WHERE a = '  b --c'\n"),
                "SELECT * FROM DIGITALTWINS WHERE a = '  b --c'");
    assert_line(STR("  "), "");
    assert_line(STR("SELECT  a"), "SELECT a");
    assert_line(STR("-- only a comment"), "");
}

// Any text, any place: nothing is read beyond it, and what is inserted begins at a place before the cursor.
static void test_any_text(void **state) {
    (void)state;
    static const char *const parts[] = {"SELECT", " ",  "'", "\"", "[[", "]]", "-", ">", "<",  "[",  "]",  "(",
                                        ")",      "\\", ".", ":",  ";",  "|",  "7", "é", "--", "\n", "T.", "RELATED "};
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        Rng r = rng_make(seed, 0);
        Buf b = {0}, line = {0};
        Completion c;
        for (int i = 0; i < 12; i++) buf_str_put(&b, str_of(parts[rng_below(&r, 24)]));
        Str text = buf_str(&b);
        int64_t at = (int64_t)rng_below(&r, (uint64_t)text.n + 1), end = statement_end(text);
        words_complete(&words, &arena, text, at, &c);
        statement_line(text, &line);
        if (c.from < 0 || c.from > at || end >= text.n || line.n > text.n) fail_msg("seed %d", (int)seed);
        if (c.count == 0 && !str_eq(c.insert, str_sub(text, c.from, at))) fail_msg("seed %d", (int)seed);
        buf_free(&b);
        buf_free(&line);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_of_the_language),
        cmocka_unit_test(test_names_of_the_models),
        cmocka_unit_test(test_relationships),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_statement_end),
        cmocka_unit_test(test_one_line),
        cmocka_unit_test(test_any_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
