// SPDX-License-Identifier: Apache-2.0
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "base/rng.h"
#include "codec/jsonl.h"

static void expect(JsonLines *l, const char *text, int64_t at, int64_t number) {
    JsonLine line;
    assert_true(jsonl_next(l, &line));
    assert_true(str_eq(line.text, str_of(text)));
    assert_int_equal(line.at, at);
    assert_int_equal(line.line, number);
}

static void lines_with_their_places(void **state) {
    (void)state;
    JsonLines l;
    JsonLine line = {.line = 99};
    jsonl_init(&l, STR("{}\n\n \t\r\n[1]\r\n  2 \n3"));
    expect(&l, "{}", 0, 1);
    expect(&l, "[1]", 8, 4);
    expect(&l, "  2 ", 13, 5);
    expect(&l, "3", 18, 6);
    assert_false(jsonl_next(&l, &line));
    assert_false(jsonl_next(&l, &line));
    assert_int_equal(line.line, 99); // untouched
}

static void empty_texts_have_no_lines(void **state) {
    (void)state;
    static const char *const texts[] = {"", "\n", "\r\n\r\n", "  \n\t", "\r"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        JsonLines l;
        JsonLine line;
        jsonl_init(&l, str_of(texts[i]));
        assert_false(jsonl_next(&l, &line));
    }
    JsonLines l;
    JsonLine line;
    jsonl_init(&l, (Str){0});
    assert_false(jsonl_next(&l, &line));
}

// Against a count byte by byte: every line that is not blank is given, with the number of LFs before it.
static void every_line_is_given(void **state) {
    (void)state;
    Rng r = rng_make(3, 0);
    for (int round = 0; round < 20000; round++) {
        char text[40];
        int64_t n = (int64_t)rng_below(&r, sizeof text);
        for (int64_t i = 0; i < n; i++) text[i] = "\n\n\r \tab"[rng_below(&r, 7)];
        JsonLines l;
        JsonLine line;
        jsonl_init(&l, (Str){text, n});
        int64_t number = 0;
        for (int64_t at = 0; at < n;) {
            int64_t end = at;
            while (end < n && text[end] != '\n') end++;
            number++;
            int64_t size = end - at - (end > at && text[end - 1] == '\r');
            bool blank = true;
            for (int64_t i = 0; i < size; i++) blank &= text[at + i] == ' ' || text[at + i] == '\t';
            if (!blank) {
                assert_true(jsonl_next(&l, &line));
                assert_true(line.at == at && line.line == number && line.text.n == size && line.text.p == text + at);
            }
            at = end + 1;
        }
        assert_false(jsonl_next(&l, &line));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_with_their_places),
        cmocka_unit_test(empty_texts_have_no_lines),
        cmocka_unit_test(every_line_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
