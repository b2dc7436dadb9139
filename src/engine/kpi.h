// SPDX-License-Identifier: Apache-2.0
// What is counted over a run: the KPIs of its world, what they came to so far, and a series of that. The run's thread
// makes and moves it; others look at it under the run's lock. It outlives the process beside the run's checkpoint.
//
// KPIs count from the first run of a fork on, over pauses and changes; one whose definition changed begins anew. What
// happened between two runs (others wrote; the process died behind a checkpoint that cannot be used) is not counted:
// `known` is less than the time then.
#pragma once
#include "engine/definition.h"
#include "sim/behaviour.h"

#define KPI_POINTS_MAX 2000            // of the series of one KPI; then every second goes, and half as many come
#define KPI_POINTS_ALL_MAX 500000      // of all of a run
#define KPI_KIND STR("sosia.run.kpis") // items: by world

// In SI, over the time that it was known.
typedef struct KpiSum {
    double sum, known, least, most;
} KpiSum;

typedef struct KpiRow {
    Str json; // the definition
    Kpi k;
    Str unit; // of value: as it was asked for, or the expression's own
    double factor, offset;
    int64_t since_ns; // counted from here on
    uint32_t watch;   // of the Rates; UINT32_MAX: it cannot be counted,
    Str why;          // as this says
    KpiSum before;    // of earlier stretches than that of the Sim
    KpiSum total;
    double now;     // SI; NaN: undefined
    double *values; // by point, in its unit; NaN: none
} KpiRow;

typedef struct Kpis {
    Arena keep;
    KpiRow *rows; // by name
    int32_t count;
    int state;       // RunState, when it was kept
    uint64_t number; // of the scenario
    int64_t begin_ns, now_ns, until_ns;
    Str changes;           // planned, JSON or ""
    int64_t looks, stride; // times of output so far; every stride-th is a point
    int32_t points, points_max;
    int64_t *times;
} Kpis;

// Is each of the names ("a,b"; "": none) that of a KPI of the world? Errors: ARGUMENT, with the name.
MUST Err kpis_check(const View *v, Str names, Diag *d);
// Those of the world, watched by `r` (made, not added yet). names: separated by commas, "": all. One that does not fit
// is kept with the reason, unless it is named. Errors: ARGUMENT (none is called that), those of rates_watch.
MUST Err kpis_make(View *v, Rates *r, Str names, Kpis **out, Diag *d);
// The same, and no others are watched: for Sims that are not kept.
MUST Err kpis_make_only(View *v, Rates *r, Str names, Kpis **out, Diag *d);
void kpis_free(Kpis *k); // NULL is fine
// What was counted before, of definitions that are the same. again: the Sim is the one of then, and has the last
// stretch itself. Takes nothing from `old`.
void kpis_carry(Kpis *k, const Kpis *old, bool again);
// The world's clock is at now_ns. point: a time of output.
void kpis_look(Kpis *k, const Rates *r, const Sim *s, int64_t now_ns, bool point);
// Without those of a twin: it was erased. True when there were any.
bool kpis_forget(Kpis *k, Str twin);

// What one came to, in its unit; NaN: nothing known.
double kpi_value(const KpiRow *row);
// Seconds of the time counted that it was known.
double kpi_known(const KpiRow *row);

// As bytes, and back. NULL: damaged.
void kpis_encode(const Kpis *k, Buf *out);
Kpis *kpis_decode(Str bytes);

// Append {"name":...} of each as an array; points: of each series at most, 0: no series.
void kpis_show(const Kpis *k, Str names, int32_t points, Buf *out);
// Append {"name":...,"over":... of one, without the '}'; and ,"times":[...],"values":[...].
void kpi_show_head(const KpiRow *row, Buf *out);
void kpi_show_series(const Kpis *k, const KpiRow *row, int32_t points, Buf *out);
// Is a name among those asked for ("a,b"; "": all are)?
bool kpi_named(Str names, Str name);
