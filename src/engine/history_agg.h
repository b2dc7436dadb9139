// SPDX-License-Identifier: Apache-2.0
// Aggregates of values over time: one interval at a time, points in order of their own time. Pure; one thread uses an
// Agg. Values are numbers (whole ones stay whole where nothing is computed: first, last, min, max, mode), truth values
// (as 0 and 1 where numbers are wanted) or texts (count, first, last, mode and share only).
//
// Sums and means are compensated (Neumaier 1974), the variance is Welford's (1962), pNN interpolates linearly between
// the closest ranks, p = 0 the smallest and p = 100 the largest (type 7 of Hyndman and Fan, 1996). NaN does not count.
// A value stands from its time until the next one, or until it is cleared: twa and share weigh by that time and begin
// with what stood before. delta adds up increases from value to value; a fall is a counter that began anew at 0. Who
// clears a value ends a counter.
#pragma once
#include "base/arena.h"
#include "base/err.h"

#define AGG_FNS_MAX 16
#define AGG_VALUES_MAX ((int64_t)10000000) // values of one interval held for pNN, median
#define AGG_STATES_MAX 10000               // different values of one interval held for mode, share

// ORDER AGG
typedef enum AggKind {
    AGG_AVG,
    AGG_MIN,
    AGG_MAX,
    AGG_SUM,
    AGG_COUNT,
    AGG_FIRST,
    AGG_LAST,
    AGG_TWA,
    AGG_DELTA,
    AGG_RATE,
    AGG_STDDEV,
    AGG_VAR,
    AGG_MEDIAN,
    AGG_PERCENTILE,
    AGG_RANGE,
    AGG_MODE,
    AGG_SHARE,
    AGG_KIND_COUNT
} AggKind;

typedef struct AggFn {
    AggKind kind;
    double p; // PERCENTILE: 0..100
    Str name; // as it was asked for, lower case: "avg", "p99.9"
} AggFn;

typedef struct AggPlan {
    AggFn fns[AGG_FNS_MAX];
    int32_t count;
} AggPlan;

// "avg,min,p95". Names live in `a`. Errors: ARGUMENT, LIMIT; why gets a sentence.
MUST Err agg_parse(Str text, Arena *a, AggPlan *out, Buf *why);
// Whether the function has a meaning for texts; for what is no scalar (documents).
bool agg_for_text(AggKind k);
bool agg_for_doc(AggKind k);
// Whether it can be told from means alone.
bool agg_for_means(AggKind k);

typedef enum AggType { AGG_NONE, AGG_BOOL, AGG_INT, AGG_REAL, AGG_TEXT, AGG_DOC } AggType;
typedef struct AggValue {
    AggType type; // NONE: there is no value
    int64_t i;    // BOOL, INT
    double d;     // REAL
    Str s;        // TEXT; DOC: JSON
} AggValue;

// A value as a number; NaN for what is none.
double agg_number(const AggValue *v);

// Points that were let go, see history_means: those of [time, until).
typedef struct AggMean {
    int64_t time, until;
    double min, max, mean, first, last;
    int64_t count;
} AggMean;

typedef struct Agg Agg;

// plan: borrowed. agg_free: NULL is fine.
Agg *agg_new(const AggPlan *plan);
void agg_free(Agg *a);
// What stands before the first interval; NONE: nothing does. Forgets everything else.
void agg_reset(Agg *a, const AggValue *standing);
// An interval begins at `from`; what stood at the end of the one before stands.
void agg_begin(Agg *a, int64_t from);
// A point of the interval, not before the one told last. NONE: the value was cleared. Texts are copied. Errors: LIMIT.
MUST Err agg_add(Agg *a, int64_t time, const AggValue *v);
// Points that were let go: their mean stands until the end of their interval, then the last of them. Errors: PAST_GONE,
// when a function of the plan needs the points themselves.
MUST Err agg_add_mean(Agg *a, const AggMean *m);
// The same, of an interval that began before the first one: nothing but what stands.
void agg_stand_mean(Agg *a, const AggMean *m);
// How many values it has so far.
int64_t agg_count(const Agg *a);
// The interval ends at `to`: out[i] is what fns[i] says, texts in `keep`. What is not defined (nothing to speak of, one
// value for stddev) is NONE; count is 0 then.
void agg_end(Agg *a, int64_t to, Arena *keep, AggValue *out);
// What stands now. Its text lives until the next call.
AggValue agg_standing(const Agg *a);
