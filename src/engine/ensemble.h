// SPDX-License-Identifier: Apache-2.0
// Ensembles: a world many times over, by other chances (replications) and with other changes (cases). Every replication
// of a case is a run as of engine/run.h that writes to no world; what is kept of it is what its KPIs came to, and a
// course of KPIs and of tracked values over time. So means have intervals, courses bands, and two cases are compared
// replication by replication: the r-th of each sees the same chances (common random numbers).
//
//   view --sim_model--> a Sim of 8 lanes, gathered --sim_replica--> group g: items 8 g ... 8 g + 7 --> samples
//   item = replication * cases + case                   any thread takes the next group
//
// Invariants
//  1. The same world, seed and ask give the same samples, for any number of threads: an item's place is its number, and
//     how many replications there are is decided by what all earlier ones came to.
//  2. Replication 0 of a case without changes is what a run of the world gives.
//  3. Memory is bounded: samples of all that may come must fit ENSEMBLE_BYTES_MAX before it begins. They go when it
//     ends; what is kept of it, also over a restart, is an EnsembleOutcome (engine/ensemble_outcome.h).
//  4. An ensemble of several worlds is one run for each, one after the other, with one seed: the r-th replications of
//     all worlds see the same chances.
//
// Lock: Ensemble.lock guards what others look at.
#pragma once
#include "engine/engine.h"
#include "engine/kpi.h"
#include "engine/sim_model.h"
#include "num/moments.h"

#define ENSEMBLES_MAX 16       // at work at once, of one engine
#define ENSEMBLES_KEPT_MAX 100 // at their end; then the oldest go
#define ENSEMBLES_KEPT_BYTES_MAX ((int64_t)256 << 20)
#define ENSEMBLE_CASES_MAX 1000 // of one
#define ENSEMBLE_REPLICATIONS_MAX 1000000
#define ENSEMBLE_TRACKS_MAX 100     // values whose course is kept
#define ENSEMBLE_INSTANTS_MAX 10000 // of a course
#define ENSEMBLE_BYTES_MAX (256 << 20)
#define ENSEMBLE_THREADS_MAX 64
#define ENSEMBLE_AXES_MAX 8     // of a sweep
#define ENSEMBLE_TITLE_MAX 4096 // bytes of a title, of what it is about

typedef struct EnsembleTrack {
    Str twin, property;
} EnsembleTrack;
typedef struct EnsembleCase {
    Str name;
    PlannedChange *changes; // ascending by time
    int32_t change_count;
    Str world; // it is tried on; "": the ensemble's. Of ensemble.c: one EnsembleRun has cases of one world
    Str *told; // what else was done in it, in words
    int32_t told_count;
} EnsembleCase;

// One side of a sweep: the values that a property has in the cases of its grid, from `at_ns` on.
typedef struct EnsembleAxis {
    Str twin, property, name;
    int64_t at_ns;
    const Json **values;
    int32_t count;
} EnsembleAxis;

// What is asked for; arrays and texts in the arena of whoever parsed it.
typedef struct EnsembleAsk {
    int64_t for_ns, output_ns; // output_ns 0: a hundredth of for_ns
    int32_t replications;      // at least so many of each case; 0: 30
    int32_t most;              // with a precision; 0: 10,000
    int32_t threads;           // 0: as many as there are processors
    Str kpis;                  // "a,b"; "": all
    bool kpis_only;            // others are not even watched: less work, the same figures
    EnsembleCase *cases;       // at least one
    int32_t case_count;
    EnsembleTrack *tracks;
    int32_t track_count;
    double level;         // of intervals; 0: 0.95
    Str precision;        // KPI whose half width is to be no more than,
    double half;          // in its unit, or
    double half_relative; // as a part of its mean
    uint64_t seed;
    bool seeded;              // else the world's own
    int32_t lanes;            // 1 or 8 side by side; 0: 8. Changes nothing but how fast it is
    Str title, about, whatif; // for people
    EnsembleAxis *axes;       // of a sweep,
    int32_t axis_count;       // whose cases,
    int32_t grid_from;        // from this one on, are its full grid; the last axis goes fastest
} EnsembleAsk;
// Read one: {"for","output","replications","seed","threads","level","kpis":[...],"track":[{"twin","property"}],
// "cases":[{"name","changes":[...],"world"}],"sweep":[{"twin","property","values":[...] or "from","to","count"}],
// "precision":{"kpi","half","relative","most"},"title","about"}. Errors: SYNTAX, ARGUMENT, LIMIT.
MUST Err ensemble_ask_of(Arena *a, const Json *v, EnsembleAsk *out, Diag *d);
// Of it the sweep: its cases behind those there are. Errors: ARGUMENT, LIMIT. (ensemble_sweep.c)
MUST Err ensemble_sweep_of(Arena *a, const Json *v, EnsembleAsk *out, Diag *d);

// ---- samples: ensemble_run.c, no locks of the engine ----------------------------------------------------------------

typedef struct EnsembleSamples {
    Kpis *kpis;
    int32_t case_count, series_count; // series: KPIs, then tracks
    int32_t instants;                 // 0 ... instants: times of the course, from the beginning to the end
    int64_t begin_ns, step_ns, until_ns;
    int32_t room;  // replications there is room for
    double *ends;  // [kpi][case][replication], in the KPI's unit
    float *course; // [series][instant][case][replication]
    Str *units;    // by series
} EnsembleSamples;

// One ensemble at work. ready: gathered and sim_ready, 8 lanes, its clock at begin_ns.
typedef struct EnsembleRun EnsembleRun;
// From a view: everything that all replications share. Errors: those of sim_model, kpis_make; LIMIT; told in `d`.
MUST Err ensemble_run_make(View *v, const SimRegistry *engines, const EnsembleAsk *ask, uint64_t seed, int64_t begin_ns,
                           EnsembleRun **out, Diag *d);
void ensemble_run_free(EnsembleRun *r); // NULL is fine
EnsembleSamples *ensemble_samples(EnsembleRun *r);
// Replications of all cases by `threads` threads, until what was asked for is there or *stop. Returns how many of each
// case there are in *replications: the first ones, without gaps; the same while it works. Errors: SIM_FAILED, SIM_LOOP.
MUST Err ensemble_run(EnsembleRun *r, int32_t threads, const _Atomic bool *stop, _Atomic int32_t *replications,
                      Diag *d);
// How many of each case there will be, as far as is known.
int32_t ensemble_goal(EnsembleRun *r);

// ---- ensembles of an engine: ensemble.c, ensemble_keep.c ------------------------------------------------------------

// The engine has opened: those that are kept are in the list. Errors: those of items.
MUST Err ensembles_open(Sosia *e);
// The engine closes: all end soon, and what they came to so far is kept. Waits.
void ensembles_end(Sosia *e);
// A world is dropped: its ensembles at work end soon, and nobody finds them. Any thread.
void ensemble_abandon(Realm *r);
// After that: nothing is kept of those that were abandoned. Waits for the store.
void ensembles_drop(Sosia *e);
// A twin is erased: ensembles that name it in a KPI, a track, a change or a text end soon, are told of no more and not
// kept. Waits for the store. Errors: those of items.
MUST Err ensembles_forget(Sosia *e, Str twin);
