// SPDX-License-Identifier: Apache-2.0
// CSV (RFC 4180) as a pull reader over a text in memory, and the mapping of its columns to properties. One thread.
#pragma once
#include "base/arena.h"
#include "base/err.h"

#define CSV_COLUMNS_MAX 1024

// Walks one text. Fields may be quoted; "" inside quotes is one quote; records end with LF, CRLF or the end of text.
typedef struct Csv {
    Str text;
    int64_t at;
    int64_t line;      // line on which the current record began, from 1
    int64_t next_line; // line behind it
    char separator;
    Str fields[CSV_COLUMNS_MAX];
    int32_t count;
} Csv;

// Start. separator 0: guessed from the first line: the most frequent of ',', ';', tab. A UTF-8 BOM is skipped.
void csv_init(Csv *c, Str text, char separator);
// Read the next record into c->fields (unquoted; into the arena only where "" had to be undone). Empty lines are
// skipped. False at the end, or with *err: SYNTAX (text behind a closing quote, quote never closed), LIMIT.
bool csv_next(Csv *c, Arena *keep, Err *err);

// ---- a time series file -> updates --------------------------------------------------------------------------------

// One column that feeds one property.
typedef struct CsvMap {
    int32_t column;
    Str twin, property;
} CsvMap;

// The column of that name, or of that number from 1 ("3"), in a header record; -1 when there is none.
int32_t csv_column(const Csv *header, Str name);
// A time: RFC 3339, "2014-04-01 00:00:00[.fff]" taken as UTC, or a Unix time in s, ms, us or ns by its size.
bool csv_time(Str s, int64_t *out);
// Append a cell as a JSON value: a number exactly as written (in JSON's spelling), true, false, else a string.
//   as_text  always a string
void csv_value(Str cell, bool as_text, Buf *out);
