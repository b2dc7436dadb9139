// SPDX-License-Identifier: Apache-2.0
// What an ensemble came to: of each KPI in each case its moments, quantiles and the paired differences to the first
// case; of each course a band. Made of samples (ensemble_outcome.c), then as bytes of an item, as JSON
// (ensemble_show.c), in sentences (ensemble_say.c), as a page and as charts (ensemble_page.c). An outcome says the same
// before and after a restart: what is kept is all there is.
//
// Any thread; one at a time uses an outcome. Everything in it lives in `keep`.
#pragma once
#include "engine/ensemble.h"

#define ENSEMBLE_CELLS_MAX 50000            // KPIs times cases of one
#define ENSEMBLE_COURSE_BYTES_MAX (4 << 20) // of the bands of all its courses; then every n-th instant is kept
#define ENSEMBLE_ENDS_BYTES_MAX (2 << 20)   // of what each replication came to; beyond, only moments are kept
#define ENSEMBLE_TOLD_MAX 20                // changes of a case that are told

typedef enum EnsembleState {
    ENSEMBLE_STARTING,
    ENSEMBLE_RUNNING,
    ENSEMBLE_DONE,
    ENSEMBLE_STOPPED,
    ENSEMBLE_FAILED
} EnsembleState;
// "starting" ...: static memory.
const char *ensemble_state_name(EnsembleState s);
static inline bool ensemble_at_work(EnsembleState s) { return s <= ENSEMBLE_RUNNING; }

// A world that it was tried on, and the number of its scenario; 0: live, or in memory only.
typedef struct EnsembleWorld {
    Str name; // "live@2026-...": of the past
    uint64_t number;
} EnsembleWorld;

// What is known of every ensemble, also of those that are at work. Small: a list has all of them in memory.
typedef struct EnsembleHead {
    uint64_t id;
    Str title, about, whatif;
    EnsembleWorld *worlds;
    int32_t world_count;
    EnsembleState state;
    Err err;
    Str why;
    int64_t begun_ns; // wall clock
    int64_t spent_ns;
    int64_t begin_ns, for_ns; // on the world's clock
    uint64_t seed;
    double level;
    int32_t replications, goal; // of each case
    int32_t case_count, kpi_count;
    Str sentence;  // what it came to; ""
    int64_t bytes; // of its outcome
    Str *names;    // twins that it is about
    int32_t name_count;
    Str *texts; // in which a twin may be named
    int32_t text_count;
} EnsembleHead;

// One KPI in one case, in the KPI's unit. NaN: not known.
typedef struct EnsembleStat {
    uint64_t n;
    double mean, half, sd, min, p05, p50, p95, max;
    uint64_t pairs; // against the first case, replication by replication
    double by, by_half;
} EnsembleStat;

typedef enum EnsembleVerdict {
    VERDICT_NONE,   // nothing is known, or it is the first case
    VERDICT_SAME,   // every pair is the same
    VERDICT_UNSURE, // the interval has 0 in it
    VERDICT_MORE,
    VERDICT_LESS,
    VERDICT_BETTER,
    VERDICT_WORSE
} EnsembleVerdict;

typedef struct EnsembleKpi {
    Str name, title, unit, of, why;
    int32_t over, better; // KpiOver; 1: more, -1: less, 0: nothing is said
    EnsembleStat *cases;
} EnsembleKpi;

typedef struct EnsembleCaseTold {
    Str name, world; // world "": the ensemble's
    int32_t changes;
    Str *told; // "after 2 h: tank-1.inflow = 20"
    int32_t told_count;
} EnsembleCaseTold;

typedef struct EnsembleAxisTold {
    Str twin, property, name;
    Str *values;     // as they are read
    double *numbers; // NaN: it is none
    int32_t count;
} EnsembleAxisTold;

// What is kept of a course at each instant: mean with its interval, quantiles of the replications (P025: 0.025). Files
// have them in this order; those of before end with BANDS_FIRST.
enum {
    BAND_MEAN,
    BAND_LOW,
    BAND_HIGH,
    BAND_P05,
    BAND_P50,
    BAND_P95,
    BANDS_FIRST,
    BAND_P025 = BANDS_FIRST,
    BAND_P10,
    BAND_P25,
    BAND_P75,
    BAND_P90,
    BAND_P975,
    BANDS
};

typedef struct EnsembleSeries {
    int32_t kpi; // -1: a tracked value
    Str twin, property, unit;
    float *bands; // [case][band][instant]; NaN: not known
} EnsembleSeries;

typedef struct EnsembleOutcome {
    Arena keep;
    EnsembleCaseTold *cases;
    EnsembleKpi *kpis;
    EnsembleSeries *series;
    int64_t *times; // of courses, since the beginning
    EnsembleAxisTold *axes;
    double *ends; // [kpi][case][replication]; NULL: not kept
    int32_t case_count, kpi_count, series_count, instants, axis_count;
    int32_t grid_from;    // the first case of the grid of axes; the last axis goes fastest
    int32_t replications; // in ends
} EnsembleOutcome;

// One of the worlds of an ensemble, and its run.
typedef struct EnsemblePart {
    EnsembleAsk ask; // its cases
    EnsembleRun *run;
    Realm *realm;
    EnsembleWorld world;
    uint64_t seed; // of that fork; 0: it is none
    int64_t begin_ns;
    _Atomic int32_t replications;
} EnsemblePart;

// Of the first n replications of all cases; courses: with what they were over time. which[c], within[c]: the part of
// case c, and its number in there.
EnsembleOutcome *ensemble_outcome(const EnsembleAsk *ask, const EnsemblePart *parts, const int32_t *which,
                                  const int32_t *within, int32_t n, bool courses);
void ensemble_outcome_free(EnsembleOutcome *o); // NULL is fine

// As bytes, and back: NULL or false, when damaged. A head's texts are copied to `a`.
void ensemble_outcome_encode(const EnsembleOutcome *o, Buf *out);
EnsembleOutcome *ensemble_outcome_decode(Str bytes);
void ensemble_head_encode(const EnsembleHead *h, Buf *out);
bool ensemble_head_decode(Arena *a, Str bytes, EnsembleHead *out);
// Is a twin what it is about, or named in a text of it?
bool ensemble_head_names(const EnsembleHead *h, Str twin);

// ---- in words -----------------------------------------------------------------------------------------------------

// Of a KPI in a case, against the first case.
EnsembleVerdict ensemble_verdict(const EnsembleKpi *k, int32_t which);
// "better", "no difference is shown" ...; "" of VERDICT_NONE.
const char *ensemble_verdict_name(EnsembleVerdict v);
// What it came to, in some sentences. Of KPIs that matter alike the first one counts.
void ensemble_say(const EnsembleHead *h, const EnsembleOutcome *o, Buf *out);

// ---- as documents -------------------------------------------------------------------------------------------------

// Append "id","title",... of one, without braces.
void ensemble_head_show(const EnsembleHead *h, Buf *out);
// Append ,"cases" and ,"times","series"; samples: what each replication came to as well.
void ensemble_show(const EnsembleHead *h, const EnsembleOutcome *o, bool samples, Buf *out);
// o NULL: there is nothing yet. As runs side by side, see SOSIA_COMPARE_RUNS; as a page; as charts.
void ensemble_runs_show(const EnsembleHead *h, const EnsembleOutcome *o, Buf *out);
void ensemble_page(const EnsembleHead *h, const EnsembleOutcome *o, Buf *out);
void ensemble_svg(const EnsembleHead *h, const EnsembleOutcome *o, Buf *out);
