// SPDX-License-Identifier: Apache-2.0
// The lines of an NDJSON text: LF or CRLF ends a line, the last one may lack it, blank lines are skipped. Does not look
// inside the lines. One thread; lines borrow from the text.
#pragma once
#include "base/str.h"

typedef struct JsonLines {
    Str text;
    int64_t at;   // offset of what is not read yet
    int64_t line; // number of the line read last, 0: none yet
} JsonLines;

typedef struct JsonLine {
    Str text;     // without line end; blanks at both ends are left as they are
    int64_t at;   // offset of its first byte in the whole text
    int64_t line; // from 1; blank lines count
} JsonLine;

// Start before the first line.
void jsonl_init(JsonLines *l, Str text);
// The next line that is not blank; false at the end, *out is untouched then. Cost: one memchr.
bool jsonl_next(JsonLines *l, JsonLine *out);
