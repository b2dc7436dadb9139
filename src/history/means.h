// SPDX-License-Identifier: Apache-2.0
// Means: what is kept of points that were let go: by row and interval of own time [k step, (k + 1) step) how many they
// were, the smallest, the largest, the mean, the first and the last. Numbers only; NaN is not counted. Means of one
// interval that were made at different times are put together as if all points had been there at once.
//
// Stored as a block of codec/hblock: eight batches, one a field, whose times say the step; a point an interval and
// field, whose source time is the interval's begin (+ 1, because 0 would be none). One thread.
#pragma once
#include "codec/hblock.h"

#define MEANS_STEP_MAX (90 * INT64_C(86400000000000)) // times within an interval are kept as doubles, to the ns

typedef struct Mean {
    int64_t start;
    uint16_t row;
    double count, min, max, sum, rest, first, last; // sum + rest: Neumaier 1974
    double first_at, last_at;                       // ns behind start
} Mean;

typedef struct Means {
    int64_t step;
    Mean *items; // ascending by (row, start) after means_settle
    int64_t count, cap;
    bool settled;
} Means;

// Empty, of intervals of `step` ns in (0, MEANS_STEP_MAX].
void means_begin(Means *m, int64_t step);
void means_free(Means *m);
// Begin of the interval that holds `time`.
int64_t means_floor(int64_t time, int64_t step);
// One point that goes; points of a row in order of arrival. Cost: some ns when times ascend.
void means_add(Means *m, uint16_t row, int64_t time, double value);
// The number in the bits of a cell; false: there is none (texts, NaN).
bool means_value(HCell cell, uint64_t bits, double *out);
// Put the intervals in order, one entry each.
void means_settle(Means *m);
// Forget intervals that end before `time`. Returns how many.
int64_t means_forget(Means *m, int64_t time);
double means_mean(const Mean *x);
// Own times of the first interval's begin and the last one's end - 1. Settled, not empty.
void means_span(const Means *m, int64_t *from, int64_t *to);
// Settled means as a block; not empty.
void means_encode(HWork *w, const Means *m, Buf *out);
// Add the means of a block, behind what is there already; of another step than m's when m is empty only. Rows
// [first, last]. Errors: CORRUPT.
MUST Err means_decode(HWork *w, Str bytes, uint32_t first, uint32_t last, Arena *scratch, Means *m);
// The step of a block of means. Errors: CORRUPT.
MUST Err means_step(HWork *w, Str bytes, Arena *scratch, int64_t *step);
