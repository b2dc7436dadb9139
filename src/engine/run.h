// SPDX-License-Identifier: Apache-2.0
// Runs: a fork that moves by its behaviours, faster than real time or at a pace. A thread of its own gathers the world
// into a Sim (sim/sim.h), lets it run, and sends what moved to the writer as batches of the world's own times: the
// outcome is ordinary history of that world, its feed and its readers see it as it comes.
//
//   sosia_run -> thread: snapshot -> graph, rates, columns -> sim_run --told--> OP_RUN tasks --> writer
//                          ^                                                          |
//                          +------ what others wrote meanwhile (its feed) <-----------+
//
// Invariants
//  1. A world has one run at a time; it holds a reference to its realm, so a dropped world lives until its run ended.
//  2. At most RUN_FLIGHT_MAX batches are on their way to the writer: a run never outruns the disk.
//  3. The same world, seed and changes give the same batches, also when the run was paused, or ended by a crash and
//     taken up from its checkpoint: batches that the world has already are made again and left out. Where somebody else
//     wrote after the checkpoint, the run begins anew from the world as it is.
//  4. What others write while it runs is input at the next slice, and stands (run_listen.c); when they change twins,
//     relationships, models or definitions, the run begins anew from the world as it is, at the instant where it
//     stands.
//
// Lock: Run.lock guards what others look at; held for a few instructions.
#pragma once
#include "engine/definition.h"
#include "engine/engine.h"
#include "sim/behaviour.h"
#include "sim/mapping.h"

#define RUNS_MAX 64       // runs at work in one engine
#define RUN_FLIGHT_MAX 64 // batches on their way
#define RUN_OUTPUT_DEFAULT_NS INT64_C(60000000000)
#define RUN_CHECKPOINT_NS INT64_C(10000000000) // of wall time, between two checkpoints
#define RUN_PIECE_BYTES (8 << 20)              // of a checkpoint, in one item
#define RUN_SOURCE STR("simulation")           // of its batches
#define RUN_KIND STR("sosia.run")              // items: what was asked for and how far it is, by world
#define RUN_STATE_KIND STR("sosia.run.state")  // items: WORLD/number, the Sim in pieces

typedef enum RunState { RUN_STARTING, RUN_RUNNING, RUN_PAUSED, RUN_DONE, RUN_FAILED } RunState;

typedef struct Run Run;

// Writer: the batch of an OP_RUN; values that the world derives are left to it. Errors: those of world_do.
MUST Err run_edit(World *w, const Task *c);
// Append the members "status" and, when there is or was a run, "run" of a fork, with a comma before. Any thread.
void run_show(Realm *r, Buf *out);
// What a run of that world counted so far, as of now or as it was kept: a copy, free it with kpis_free. NULL: there was
// no run. *state: its name as in its status. Any thread.
struct Kpis *run_counted(const Realm *r, const char **state);
// The trace of a run of that world: a copy, free it with flow_trace_free; NULL: there is none. Any thread.
struct Trace *run_traced(const Realm *r);
// Its world is dropped: end it soon. Any thread.
void run_abandon(Realm *r);
// The engine has opened: take up what ran when it ended; what cannot be read is left alone.
void runs_resume(Sosia *e);
// Nothing is kept of a run any more: its world, the scenario of that number, is dropped. What is kept by that name of a
// later world stays. Waits for the store; not for the writer.
void run_forget(Sosia *e, Str world, uint64_t number);
// Something was erased from its world: the state that is kept goes, so that a run begins anew from the world as it is,
// which it does anyhow when others wrote to it; and what was counted of the twin (its KPIs). Errors: those of items.
MUST Err run_state_forget(Sosia *e, Str world, Str twin);
// The same of a run that is in memory; any thread.
void run_counted_forget(Sosia *e, Str world, Str twin);
// What a run of the world holds in memory was erased: it begins anew from the world as it is. Any thread.
void run_renew(Realm *r);
// The engine closes: all end at their next instant, with a checkpoint. Waits. The writer still runs.
void runs_end(Sosia *e);
