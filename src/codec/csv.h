// SPDX-License-Identifier: Apache-2.0
// CSV (RFC 4180) in chunks of any size, or over one text fed at once. One thread per reader.
// Strict: quotes only around a whole field, "" for one inside. Lenient: LF as well as CRLF ends a record, the last
// record may lack its end, empty lines are skipped, a UTF-8 BOM is skipped. Texts must be UTF-8.
//
//     csv_reader_init(&r, NULL);
//     do {
//         csv_reader_feed(&r, chunk, is_last);           // the chunk stays where it is until CSV_MORE
//         while ((got = csv_reader_next(&r, &row)) == CSV_ROW || got == CSV_RAGGED) use(row);
//     } while (got == CSV_MORE);
//     if (got == CSV_BAD) complain(r.line, r.why);
//     csv_reader_free(&r);
#pragma once
#include "base/buf.h"
#include "base/err.h"

typedef struct CsvOptions {
    char separator;     // 0: ','
    int32_t fields_max; // of one record; 0: CSV_FIELDS_MAX
    int64_t record_max; // bytes of one record; 0: CSV_RECORD_MAX
} CsvOptions;

#define CSV_FIELDS_MAX 4096
#define CSV_RECORD_MAX ((int64_t)1 << 20)

typedef enum CsvGot {
    CSV_ROW,
    CSV_RAGGED, // a row whose number of fields differs from the first row's
    CSV_MORE,   // the rest of what was fed is kept: feed the next chunk
    CSV_END,    // nothing is left and the last chunk was fed
    CSV_BAD,    // r->err: SYNTAX: that record is skipped and the next call goes on; LIMIT: nothing more is read
} CsvGot;

typedef struct CsvRow {
    Str *fields;   // borrowed, until the next call with this reader
    int32_t count; // at least 1
    int64_t line;  // on which the record starts, from 1
} CsvRow;

typedef struct CsvReader {
    CsvOptions options;
    int64_t line;    // of the record read last, also after CSV_BAD
    Err err;         // of the last CSV_BAD
    const char *why; // sentence for a person, static memory
    int32_t columns; // fields of the first row; 0 before it
    int64_t next_line;
    Str in;           // what is being read: the chunk itself, or `carry`
    int64_t at, scan; // in `in`: start of the current record; where the search for its end goes on
    bool quote_open, quotes_seen, last;
    Buf carry;    // start of a record from earlier chunks
    Buf unquoted; // fields of the current row that held ""
    Str *fields;
    int32_t fields_cap;
} CsvReader;

// options  NULL: defaults. Nothing is allocated before the first row.
void csv_reader_init(CsvReader *r, const CsvOptions *options);
void csv_reader_free(CsvReader *r);
// Give the next bytes: at the start and after CSV_MORE. chunk is borrowed until CSV_MORE or CSV_END.
void csv_reader_feed(CsvReader *r, Str chunk, bool last);
// Cost: O(bytes of the row).
CsvGot csv_reader_next(CsvReader *r, CsvRow *row);
// The most frequent of ',' ';' tab '|' in the first line outside quotes; ',' when there is none.
char csv_guess_separator(Str head);
// One field, quoted when it needs to be. The caller puts separators and line ends.
void csv_put_field(Buf *b, Str field, char separator);
