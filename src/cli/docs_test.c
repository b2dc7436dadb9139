// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "cli/docs.h"

static Docs docs;

static int begin(void **state) {
    (void)state;
    docs_init(&docs);
    return 0;
}

static int end(void **state) {
    (void)state;
    docs_free(&docs);
    return 0;
}

static void assert_counts(int64_t models, int64_t twins, int64_t links, int64_t errors) {
    assert_int_equal(docs.list[DOC_MODEL].count, models);
    assert_int_equal(docs.list[DOC_TWIN].count, twins);
    assert_int_equal(docs.list[DOC_LINK].count, links);
    assert_int_equal(docs.error_total, errors);
}

static void assert_doc(DocKind kind, int64_t i, const char *id, int64_t line) {
    const Doc *d = &docs.list[kind].items[i];
    assert_true(str_eq(d->id, str_of(id)));
    assert_int_equal(d->line, line);
}

static void test_bulk_format(void **state) {
    (void)state;
    docs_read_text(
        &docs, STR("g.ndjson"),
        STR("{\"Section\": \"Header\"}\n{\"fileVersion\":\"1.0.0\"}\n\n{\"Section\":\"Models\"}\n"
            "{\"@id\":\"dtmi:a;1\",\"@type\":\"Interface\"}\r\n{\"Section\":\"Twins\"}\n"
            "{\"$dtId\":\"t1\",\"$metadata\":{\"$model\":\"dtmi:a;1\"}, \"v\": 1.10}\n{\"$dtId\":\n"
            "{\"Section\":\"Relationships\"}\n"
            "{\"$dtId\":\"t1\",\"$relationshipId\":\"r\",\"$targetId\":\"t2\",\"$relationshipName\":\"has\"}"));
    assert_counts(1, 1, 1, 1);
    assert_doc(DOC_MODEL, 0, "dtmi:a;1", 5);
    assert_doc(DOC_TWIN, 0, "t1", 7);
    assert_doc(DOC_LINK, 0, "r", 10);
    assert_int_equal(docs.errors[0].line, 8);
    assert_true(str_starts(docs.errors[0].text, STR("column 10: "))); // the line is told once
    Str want = STR("{\"$dtId\":\"t1\",\"$metadata\":{\"$model\":\"dtmi:a;1\"},\"v\":1.10}");
    assert_true(str_eq(docs.list[DOC_TWIN].items[0].text, want)); // compact, numbers untouched
}

static void test_lines_without_sections(void **state) {
    (void)state;
    docs_read_text(&docs, STR("x"),
                   STR("{\"$dtId\":\"t1\"}\n{\"$dtId\":\"t2\"}\n{\"@id\":\"dtmi:a;1\"}\n"
                       "{\"$relationshipId\":\"r\",\"$targetId\":\"t\"}\n{\"what\":1}\n7\n"));
    assert_counts(1, 2, 1, 2);
    assert_doc(DOC_TWIN, 1, "t2", 2);
    assert_int_equal(docs.errors[0].line, 5);
    assert_int_equal(docs.errors[1].line, 6);
}

static void test_array_of_documents(void **state) {
    (void)state;
    docs_read_text(&docs, STR("x"), STR("\xEF\xBB\xBF[\n {\"@id\": \"dtmi:a;1\"},\n\n {\"$dtId\":\n\"t1\"},\n 5]"));
    assert_counts(1, 1, 0, 1);
    assert_doc(DOC_MODEL, 0, "dtmi:a;1", 2);
    assert_doc(DOC_TWIN, 0, "t1", 4);
    assert_int_equal(docs.errors[0].line, 6);
}

static void test_single_model_over_lines(void **state) {
    (void)state;
    docs_read_text(&docs, STR("x"), STR("{\n \"@id\": \"dtmi:a;1\",\n \"@type\": \"Interface\"\n}\n"));
    assert_counts(1, 0, 0, 0);
}

static void test_explorer_export(void **state) {
    (void)state;
    docs_read_text(&docs, STR("x"),
                   STR("{\"digitalTwinsFileInfo\":{\"fileVersion\":\"1.0.0\"},\"digitalTwinsGraph\":{\"digitalTwins\":["
                       "{\"$dtId\":\"t1\"},{\"$dtId\":\"t2\"}],\"relationships\":[{\"$relationshipId\":\"r\"}]},"
                       "\"digitalTwinsModels\":[{\"@id\":\"dtmi:a;1\"}]}"));
    assert_counts(1, 2, 1, 0);
}

static void test_plain_lists(void **state) {
    (void)state;
    docs_read_text(&docs, STR("x"), STR("{\"models\":[{\"@id\":\"dtmi:a;1\"}],\n\"twins\":[{\"$dtId\":\"t\"}]}"));
    assert_counts(1, 1, 0, 0);
    assert_doc(DOC_TWIN, 0, "t", 2);
}

static void test_broken_files(void **state) {
    (void)state;
    docs_read_text(&docs, STR("a"), STR(" \n"));
    docs_read_text(&docs, STR("b"), STR("[{\"@id\":\"dtmi:a;1\"},\n{]"));
    docs_read_text(&docs, STR("c"), STR("{\"Section\":\"Nonsense\"}\n{\"$dtId\":\"t\"}"));
    assert_counts(0, 1, 0, 3);
    assert_int_equal(docs.errors[1].file, 1);
    assert_int_equal(docs.errors[1].line, 2);
    Buf b = {0};
    docs_place(&docs, docs.errors[1].file, docs.errors[1].line, &b);
    assert_true(str_eq(buf_str(&b), STR("b:2")));
    buf_free(&b);
}

static int64_t position(const char *id) {
    for (int64_t i = 0; i < docs.list[DOC_MODEL].count; i++) {
        if (str_eq(docs.list[DOC_MODEL].items[i].id, str_of(id))) return i;
    }
    return -1;
}

static void test_models_in_order(void **state) {
    (void)state;
    docs_read_text(&docs, STR("x"),
                   STR("[{\"@id\":\"dtmi:leaf;1\",\"extends\":[\"dtmi:mid;1\",\"dtmi:absent;1\"]},"
                       "{\"@id\":\"dtmi:mid;1\",\"extends\":\"dtmi:root;1\",\"contents\":["
                       "{\"@type\":[\"Component\",\"X\"],\"schema\":\"dtmi:part;1\"},"
                       "{\"@type\":\"Relationship\",\"target\":\"dtmi:leaf;1\"}]},"
                       "{\"@id\":\"dtmi:part;1\"},{\"@id\":\"dtmi:root;1\"},"
                       "{\"@id\":\"dtmi:ring1;1\",\"extends\":\"dtmi:ring2;1\"},"
                       "{\"@id\":\"dtmi:ring2;1\",\"extends\":\"dtmi:ring1;1\"}]"));
    docs_order_models(&docs);
    assert_counts(6, 0, 0, 0);
    assert_true(position("dtmi:root;1") < position("dtmi:mid;1"));
    assert_true(position("dtmi:part;1") < position("dtmi:mid;1"));
    assert_true(position("dtmi:mid;1") < position("dtmi:leaf;1"));
    assert_true(position("dtmi:ring1;1") >= 0 && position("dtmi:ring2;1") >= 0);
}

static void test_endless_chain(void **state) {
    (void)state;
    Buf b = {0};
    buf_byte(&b, '[');
    for (int i = 0; i < 100000; i++) {
        buf_printf(&b, "%s{\"@id\":\"dtmi:m%d;1\",\"extends\":\"dtmi:m%d;1\"}", i ? "," : "", i, i + 1);
    }
    buf_byte(&b, ']');
    docs_read_text(&docs, STR("x"), buf_str(&b));
    docs_order_models(&docs);
    assert_counts(100000, 0, 0, 0);
    buf_free(&b);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_bulk_format),        CASE(test_lines_without_sections),
        CASE(test_array_of_documents), CASE(test_single_model_over_lines),
        CASE(test_explorer_export),    CASE(test_plain_lists),
        CASE(test_broken_files),       CASE(test_models_in_order),
        CASE(test_endless_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
