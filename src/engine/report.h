// SPDX-License-Identifier: Apache-2.0
// Report: what became of the lines or points of one body, counted and told as JSON. One thread at a time.
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define LINE_ERRORS_MAX 100 // reported; all are counted
#define REPORT_KINDS 4

typedef struct LineError {
    int64_t line;
    Err err;
    Str message;
} LineError;

typedef struct Report {
    int64_t accepted, rejected;
    int64_t late, duplicates;    // of the accepted ones
    int64_t kinds[REPORT_KINDS]; // the accepted ones, by what they are to the caller
    int64_t error_count;
    LineError errors[LINE_ERRORS_MAX];
} Report;

// What a report counts, to go back to when a batch is rolled back.
typedef struct Tally {
    int64_t accepted, rejected, late, duplicates, error_count;
    int64_t kinds[REPORT_KINDS];
} Tally;

// One line is refused. message: copied into `keep`.
void report_reject(Report *r, Arena *keep, int64_t line, Err err, Str message);
// The same with one of a Diag's messages.
void report_reject_message(Report *r, Arena *keep, int64_t line, Err err, const DiagMessage *m);
// The same with its first one; without any, the meaning of `err`.
void report_reject_diag(Report *r, Arena *keep, int64_t line, Err err, const Diag *d);
// What these say: the first message of `d` (may be NULL), else the meaning of `err`. Kept in `a`.
Str report_message(Arena *a, Err err, const Diag *d);
Tally report_tally(const Report *r);
void report_back(Report *r, const Tally *t);
// Append {"accepted":n,"rejected":n MORE ,"errors":[...]}; more: members in between, as ",\"late\":0", or "".
void report_put(const Report *r, Str more, Buf *out);
