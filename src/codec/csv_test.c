// SPDX-License-Identifier: Apache-2.0
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "base/rng.h"
#include "codec/csv.h"

// Everything read from a text as one text: "line:field|field\n", "!line:why\n" for a bad record, "~" before ragged
// ones. Fed in chunks of `size` bytes.
static void read_all(Str text, int64_t size, const CsvOptions *o, Buf *out) {
    CsvReader r;
    CsvRow row;
    csv_reader_init(&r, o);
    for (int64_t at = 0;; at += size) {
        bool last = at + size >= text.n;
        // A copy of its own for each chunk: the reader must not look at earlier ones.
        Buf chunk = {0};
        buf_str_put(&chunk, str_sub(text, at < text.n ? at : text.n, last ? text.n : at + size));
        csv_reader_feed(&r, buf_str(&chunk), last);
        CsvGot got;
        while ((got = csv_reader_next(&r, &row)) != CSV_MORE && got != CSV_END) {
            if (got == CSV_BAD) {
                buf_printf(out, "!%lld:%s\n", (long long)r.line, r.why);
                if (r.err == ERR_LIMIT) break;
                continue;
            }
            buf_printf(out, "%s%lld:", got == CSV_RAGGED ? "~" : "", (long long)row.line);
            for (int32_t i = 0; i < row.count; i++) buf_printf(out, "%s%.*s", i ? "|" : "", STR_ARG(row.fields[i]));
            buf_byte(out, '\n');
        }
        buf_free(&chunk);
        if (got != CSV_MORE) break;
        assert_false(last);
    }
    csv_reader_free(&r);
}

static void check_o(Str text, const CsvOptions *o, const char *want) {
    Buf b = {0};
    for (int64_t size = 1; size <= 9; size++) {
        buf_reset(&b);
        read_all(text, size == 9 ? text.n + 1 : size, o, &b);
        buf_byte(&b, 0);
        assert_string_equal(b.p, want);
    }
    buf_free(&b);
}

static void check(const char *text, const char *want) { check_o(str_of(text), NULL, want); }

static void reads_rfc_4180(void **state) {
    (void)state;
    check("aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n", "1:aaa|bbb|ccc\n2:zzz|yyy|xxx\n");
    check("aaa,bbb,ccc\r\nzzz,yyy,xxx", "1:aaa|bbb|ccc\n2:zzz|yyy|xxx\n");
    check("\"aaa\",\"b \r\nbb\",\"ccc\"\r\nzzz,yyy,xxx", "1:aaa|b \r\nbb|ccc\n3:zzz|yyy|xxx\n");
    check("\"aaa\",\"b\"\"bb\",\"\"\"\",\"\"", "1:aaa|b\"bb|\"|\n");
    check(" a , b\n", "1: a | b\n");
    check(",\n,", "1:|\n2:|\n");
    check("a,\n", "1:a|\n");
    check("\"\"\n", "1:\n");
    check("", "");
    check("\n\r\n\n", "");
    check("a\n\n\r\nb\n", "1:a\n4:b\n");
    check("\xEF\xBB\xBF"
          "a,b\n",
          "1:a|b\n");
    check("\xEF\xBB\xBF\"a\",b\n", "1:a|b\n");
    check("\xC3\xA4,\xE2\x82\xAC\n", "1:\xC3\xA4|\xE2\x82\xAC\n");
}

static void tells_ragged_and_bad_records_by_line(void **state) {
    (void)state;
    check("a,b\n1\n1,2\n1,2,3\n", "1:a|b\n~2:1\n3:1|2\n~4:1|2|3\n");
    check("a,b\n\"x\"y,2\n3,4\n", "1:a|b\n!2:text follows a closing quote\n3:3|4\n");
    check("a,b\n\"x\ny\",2\n3\",\"4\n5,6\n",
          "1:a|b\n2:x\ny|2\n!4:a quote stands inside a field that does not start with one\n5:5|6\n");
    check("a\n\"b\nc\n", "1:a\n!2:a quote is never closed\n");
    check("a\n\xFF\nb", "1:a\n!2:the text is not valid UTF-8\n3:b\n");
}

static void takes_other_separators(void **state) {
    (void)state;
    check_o(STR("a;b,c\t;\"d;e\"\n"), &(CsvOptions){.separator = ';'}, "1:a|b,c\t|d;e\n");
    assert_int_equal(csv_guess_separator(STR("time;a;b\n1,2;3\n")), ';');
    assert_int_equal(csv_guess_separator(STR("time\ta\n")), '\t');
    assert_int_equal(csv_guess_separator(STR("\"a;b;c\",d|e,f\n")), ',');
    assert_int_equal(csv_guess_separator(STR("one\n;;;;")), ',');
    assert_int_equal(csv_guess_separator((Str){0}), ',');
}

static void limits_hold(void **state) {
    (void)state;
    CsvOptions o = {.fields_max = 3};
    check_o(STR("1,2,3\n"), &o, "1:1|2|3\n");
    check_o(STR("1,2,3,4\n5\n"), &o, "!1:a record has too many fields\n");
    o = (CsvOptions){.record_max = 10};
    check_o(STR("123456,890\nx\n"), &o, "1:123456|890\n~2:x\n");
    check_o(STR("x\n123456,8901\nx\n"), &o, "1:x\n!2:a record is too long\n");
    check_o(STR("x\n\"3456,8901\nx\n"), &o, "1:x\n!2:a record is too long\n");
}

static void random_field(Rng *r, Buf *b) {
    static const char *const pieces[] = {"a", "bc",       "\"",  ",", "\n",          "\r\n",
                                         " ", "\xC3\xA4", "1.5", ";", "\xEF\xBB\xBF"};
    for (uint64_t n = rng_below(r, 5); n; n--) {
        Str piece = str_of(pieces[rng_below(r, sizeof pieces / sizeof *pieces)]);
        buf_str_put(b, piece);
    }
}

// What csv_put_field writes, the reader gives back, whatever the chunks.
static void written_rows_come_back(void **state) {
    (void)state;
    Rng r = rng_make(5, 0);
    Buf text = {0}, want = {0}, got = {0}, field = {0};
    for (int round = 0; round < 5000; round++) {
        buf_reset(&text), buf_reset(&want), buf_reset(&got);
        int columns = 1 + (int)rng_below(&r, 5);
        int64_t line = 1;
        for (uint64_t rows = 1 + rng_below(&r, 6); rows; rows--) {
            buf_printf(&want, "%lld:", (long long)line);
            for (int i = 0; i < columns; i++) {
                buf_reset(&field);
                random_field(&r, &field);
                csv_put_field(&text, buf_str(&field), ',');
                if (i + 1 < columns) buf_byte(&text, ',');
                buf_printf(&want, "%s%.*s", i ? "|" : "", STR_ARG(buf_str(&field)));
                for (int64_t k = 0; k < field.n; k++) line += field.p[k] == '\n';
            }
            buf_printf(&text, rng_below(&r, 2) ? "\n" : "\r\n");
            buf_byte(&want, '\n');
            line++;
        }
        read_all(buf_str(&text), 1 + (int64_t)rng_below(&r, 20), NULL, &got);
        assert_true(str_eq(buf_str(&want), buf_str(&got)));
    }
    buf_free(&text), buf_free(&want), buf_free(&got), buf_free(&field);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_rfc_4180),         cmocka_unit_test(tells_ragged_and_bad_records_by_line),
        cmocka_unit_test(takes_other_separators), cmocka_unit_test(limits_hold),
        cmocka_unit_test(written_rows_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
