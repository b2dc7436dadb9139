// SPDX-License-Identifier: Apache-2.0
// From the columns of a time series file to property values. Any thread; no state.
#pragma once
#include "codec/csv.h"

// One column that feeds one property.
typedef struct SeriesMap {
    int32_t column;
    Str twin, property;
} SeriesMap;

// The column of that name, or of that number from 1 ("3"), in a header record; -1 when there is none.
int32_t series_column(const CsvRow *header, Str name);
// A time: RFC 3339, "2014-04-01 00:00:00[.fff]" taken as UTC, or a Unix time in s, ms, us or ns by its size.
bool series_time(Str s, int64_t *out);
// Append a cell as a JSON value: a number exactly as written (in JSON's spelling), true, false, else a string.
//   as_text  always a string
void series_value(Str cell, bool as_text, Buf *out);
