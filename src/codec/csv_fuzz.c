// SPDX-License-Identifier: Apache-2.0
// Bytes in, rows out. The first byte is the size of the chunks: rows and complaints are the same as for one piece; what
// was read, written and read again is the same.
#include "base/check.h"
#include "base/mem.h"
#include "codec/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Unambiguous text of all that the reader says. `rows` (may be NULL) gets the good rows as CSV.
static void read_all(Str text, int64_t size, Buf *said, Buf *rows) {
    CsvReader r;
    CsvRow row;
    CsvGot got = CSV_MORE;
    csv_reader_init(&r, &(CsvOptions){.record_max = 300, .fields_max = 40});
    for (int64_t at = 0; got == CSV_MORE; at += size) {
        bool last = size >= text.n - at;
        Str part = str_sub(text, at, last ? text.n : at + size);
        char *chunk = mem_alloc((size_t)part.n); // of its own: later reads beyond it are seen
        if (part.n) memcpy(chunk, part.p, (size_t)part.n);
        csv_reader_feed(&r, (Str){chunk, part.n}, last);
        while ((got = csv_reader_next(&r, &row)) != CSV_MORE && got != CSV_END) {
            buf_printf(said, "%d %lld", got, (long long)r.line);
            if (got == CSV_BAD && r.err == ERR_LIMIT) break;
            for (int32_t i = 0; got != CSV_BAD && i < row.count; i++) {
                CHECK(str_utf8_ok(row.fields[i]));
                buf_printf(said, " %lld:", (long long)row.fields[i].n);
                buf_str_put(said, row.fields[i]);
                if (rows && i) buf_byte(rows, ',');
                if (rows) csv_put_field(rows, row.fields[i], ',');
            }
            if (rows && got != CSV_BAD) buf_byte(rows, '\n');
            buf_byte(said, '\n');
        }
        mem_free(chunk);
    }
    csv_reader_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 4096) return 0;
    Str text = {(const char *)data + 1, (int64_t)size - 1};
    Buf whole = {0}, parts = {0}, rows = {0}, rows_again = {0}, said = {0};
    read_all(text, INT64_MAX / 2, &whole, &rows);
    read_all(text, 1 + data[0] % 64, &parts, NULL);
    CHECK(str_eq(buf_str(&whole), buf_str(&parts)));
    if (rows.n <= 250) { // below every limit, quotes included
        read_all(buf_str(&rows), 7, &said, &rows_again);
        CHECK(str_eq(buf_str(&rows), buf_str(&rows_again)));
    }
    buf_free(&whole), buf_free(&parts), buf_free(&rows), buf_free(&rows_again), buf_free(&said);
    (void)csv_guess_separator(text);
    return 0;
}
