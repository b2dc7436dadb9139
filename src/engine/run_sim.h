// SPDX-License-Identifier: Apache-2.0
// Inside of runs: the Sim of a run and the way of its values to the world and back. The run's thread only, unless it
// says otherwise.
#pragma once
#include "engine/flow_trace.h"
#include "engine/kpi.h"
#include "engine/run.h"
#include "engine/scenarios.h"
#include "engine/sim_model.h"

struct Run {
    Run *next; // of the engine's, runs_lock
    _Atomic int32_t refs;
    Sosia *engine;
    Realm *realm; // reference
    // What was asked for; fixed.
    int64_t begin_ns, until_ns, output_ns, steps;
    double speed;
    RatesOptions solver;
    Str changes;   // JSON, owned
    Str kpi_names; // owned

    pthread_mutex_t lock;
    pthread_cond_t wake; // a batch was done; the state changed; it is to stop
    RunState state;
    bool stop, closing; // to stand; the engine closes: it goes on with the next start
    int64_t flight;     // batches on their way
    Err err;            // why it failed
    Buf why;
    Buf notes;             // JSON objects with commas between them: definitions that stand still, see rates_notes
    int64_t now_ns;        // how far it is
    int64_t wall_ns;       // spent on it
    int64_t begun_mono_ns; // of this stretch; 0: it stands
    SimStats stats;
    bool resumed;           // taken up: its planned changes are in the checkpoint
    bool anew;              // it was begun anew from the world as it is
    _Atomic bool renew;     // it is to be
    _Atomic bool abandoned; // its world is dropped: nothing is kept any more
    Kpis *kpis;             // NULL: not made yet; the thread makes and moves it
    Trace *trace;           // of items, or NULL; goes_on: this run adds to it
    uint32_t forgets;       // how often something of them was forgotten

    // The thread's own.
    SimModel model;
    Sim *sim;
    int64_t epoch_ns;
    int64_t pace_ns;  // where the pace began
    int64_t batch_ns; // time of the newest batch told
    int64_t skip_ns;  // batches up to here are in the world already
    uint64_t seen;    // what others wrote up to here is known
    int64_t kept_mono_ns;
};

// Make the Sim from the world as it is, the planned changes put in; not started when a checkpoint is to be loaded.
// Errors: told in `d`.
MUST Err run_prepare(Run *r, Diag *d);
void run_unprepare(Run *r);
// What others wrote since: values become inputs; *anew: more than values has changed. run_listen.c.
MUST Err run_listen(Run *r, bool *anew);
// A batch of values as they stand in the world, at the instant where the run is.
void run_put(Run *r, const Change *sets, int64_t n);
// The sink: told cells to the writer. ctx: the Run.
bool run_told(void *ctx, sim_time t, uint16_t lane, const SimCell *cells, uint32_t n);
// The world's clock to where the run stands.
void run_tick(Run *r);
// What is counted, as of now. point: a time of output.
void run_count(Run *r, bool point);
// The sink: a time of output. ctx: the Run.
void run_looked(void *ctx, sim_time t);
// The same for what was counted: made anew with the Sim, and what was before carried over. again: the Sim goes on from
// a checkpoint.
void run_kpis_begin(Run *r, Kpis *k, bool again);
// Wait until no batch is on its way. The error of the first that failed.
MUST Err run_land(Run *r);

// Keep it: state says whether it is to go on with the next start. Errors: those of items.
MUST Err run_keep(Run *r, RunState state);
// Keep what is asked for, before it begins (STARTING), or that it does not begin after all. Who has the answer finds
// the run again after a crash. Errors: those of items.
MUST Err run_ask(Run *r, RunState state);
// Is there a checkpoint of this world, which stands at (seq, time), and nobody else wrote behind it? Then epoch_ns,
// batch_ns and skip_ns are those of it.
bool run_find(Run *r, uint64_t seq, int64_t time);
// What was counted, as it was kept beside it; NULL: nothing.
Kpis *run_kept_kpis(const Realm *realm);
// The trace, as it was kept beside it; NULL: none.
Trace *run_kept_trace(const Realm *realm);
// Load it into r->sim. False: it is of another model, or damaged; r->sim is good for nothing.
bool run_load(Run *r);
// Take up a run that ended with the process, as it was asked for. begun: its planned changes are in the checkpoint.
void run_again(Sosia *e, Realm *realm, const SosiaRun *a, RatesSolver solver, int64_t begin_ns, bool begun);
