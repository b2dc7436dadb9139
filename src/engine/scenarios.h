// SPDX-License-Identifier: Apache-2.0
// Scenarios: what the engine knows of a fork beside its world, and how forks outlive the process.
//
//   file:  world (what a Scenario says), scenario (batches of it, whole)         see store.h, StoreBatch
//   made again:  the live world of then, lazily (world/past.h)  +  journals from the first parent down  +  its own
//
// Invariants
//  1. A fork that is kept has a row before it has a batch, and both are durable before they are acknowledged, in one
//     order with the live world's batches. So the file never has a fork without what it was forked of.
//  2. What a fork needs of others is there: dropped parents stay as rows while they have children, and retention lets
//     go of nothing at or behind the oldest instant a fork lies over.
//  3. While the process lives a fork of the present is an ordinary copy-on-write fork. Only what is read back from the
//     file lies over a past world.
//  4. A fork has its own clock: batches are later than the instant it was forked of and than each other, whatever the
//     wall clock says, unless whoever writes gives the time.
//  5. Its history is that of its parent up to fork_seq and of its own batches behind: told as they become visible, and
//     when it is made again, with the journals of its parents that are not made.
//
// Without a file or without history forks live in memory only, and say so.
#pragma once
#include "engine/engine.h"
#include "store/keep.h"

#define SCENARIO_DEPTH_MAX 64     // forks of forks of forks ...
#define SCENARIO_PURPOSE_MAX 4096 // bytes

#define SCENARIO_KEEPS_MAX 8 // checkpoints of one fork: the newest, and what its children begin with

// How large it is: what it wrote, in memory, and its journal.
typedef struct ScenarioOwn {
    int64_t pages, bytes, batches, batch_bytes;
} ScenarioOwn;

// Fixed when the fork is made, unless it says otherwise. Counted: the engine's table, the realm, who makes it.
// The last run of a fork, when it ended before the engine was opened.
typedef struct RanBefore {
    bool is;
    int32_t state; // RunState: paused or done
    int64_t begin_ns, now_ns, until_ns;
    double speed;
} RanBefore;

typedef struct Scenario {
    _Atomic int32_t refs;
    uint64_t number;     // in the file; 0: in memory only
    uint64_t parent;     // its number; 0: live
    struct Scenario *up; // the parent, with a reference; NULL: live
    History *history;    // over its parent's; NULL: none is kept, or nobody needed it yet. Made by the writer, or under
                         // Sosia.load_lock
    Str name, from;      // from: the parent's name, as it was asked for
    Str purpose;         // free text
    uint64_t fork_seq;   // sequence of the parent that it began with
    int64_t clock;       // the instant it was forked of: where its own clock begins
    uint64_t live_seq;   // it lies over live as it was then,
    int64_t live_time;   // the update time of that batch
    int64_t created_ns;  // wall clock
    int64_t until_ns;    // 0: not said
    uint64_t seed;
    bool seeded;
    int32_t depth;                       // parents up to live
    bool dropped;                        // only its rows are left, for children. worlds_lock
    bool leaving;                        // a drop of it is under way: nobody finds it. worlds_lock
    bool going;                          // its row too. worlds_lock
    StoreKeep keeps[SCENARIO_KEEPS_MAX]; // its checkpoints in the file, ascending. worlds_lock
    int32_t keep_count;
    RanBefore ran;                           // worlds_lock
    ScenarioOwn own;                         // as it was last noted in the file; zeros: it was not. worlds_lock
    _Atomic int64_t kept_bytes, kept_packed; // of its journal at the newest checkpoint; size of that
    _Atomic bool keep_due;                   // the keeper has it on its list
    // Of the realm.
    _Atomic bool made;              // there is, or was, a realm: history was told of all of its batches
    _Atomic int64_t time;           // of its newest batch, durable or not; 0: it has none
    _Atomic uint64_t durable;       // its batches up to here are
    _Atomic int64_t batches, bytes; // of its journal, durable or in memory
    _Atomic uint64_t foreign;       // newest batch that no run wrote
    // The writer's.
    uint64_t settled;
    bool listed; // in Sosia.unsettled
    Realm *next;
} Scenario;

// With one reference, nothing else said of it yet.
Scenario *scenario_new(Str name, Str from);
// It is of that instant: a relative one is told as it was taken.
void scenario_from(Scenario *s, Str from, int64_t at);
// What the caller wants to have said of it.
void scenario_ask(Scenario *s, const SosiaFork *f);
Scenario *scenario_ref(Scenario *s);
void scenario_unref(Scenario *s); // NULL is fine

// Does the engine keep forks?
bool scenarios_kept(const Sosia *e);
// Its history, also of one that cannot be made or was dropped; it is there as long as the scenario. NULL: none is kept.
// Any thread but the store's and the writer. Errors: those of history_fork.
MUST Err scenario_history(Sosia *e, Scenario *s, History **out);
// Tell of the models that a fork of the file, or one that was dropped, had one after the other, from the first on: by
// live's and the journals of its parents and its own, whether it can be made or not. Errors: STORAGE, CORRUPT.
MUST Err scenario_models(Sosia *e, Scenario *s, void (*fn)(void *ctx, const Catalog *c), void *ctx);
// References to all forks that the file has something of, dropped ones too. The caller drops them and frees the array.
Scenario **scenarios_all(Sosia *e, int64_t *count);
// What a fork began with, made again: its parent as it was then. *under: what that lies over, with a reference, or
// NULL. Any thread but the store's. Errors: those of scenario_load.
MUST Err scenario_base(Sosia *e, Scenario *s, Realm **under, World **out);
// Make the world of a fork that the file keeps, unless somebody was faster. Any thread but the store's. Errors: GONE
// (what it lies over was let go), CORRUPT, STORAGE.
MUST Err scenario_load(Sosia *e, Realm *r);
// The world of a fork that the file keeps, made of journals alone, whatever checkpoints there are: for tests.
// under: a reference to what it lies over, NULL: nothing; it must outlive the world. Errors: as scenario_load.
MUST Err scenario_replay(Sosia *e, Scenario *s, Realm **under, World **out);
// Writer: number it, and have its row written. batch_kept completes what waits for it. Errors: those of history_fork.
MUST Err scenario_keep(Sosia *e, Scenario *s);
// Writer: have its row deleted, or kept for children; parents that nobody needs any more go with it.
void scenario_drop(Sosia *e, Scenario *s);
// Its row was refused. What scenario_drop began is durable (ok), or was refused. Any thread, worlds_lock not held.
void scenario_refused(Sosia *e, Scenario *s);
void scenario_dropped(Sosia *e, Scenario *s, bool ok);
// Writer: a batch of a fork ended: to the store.
void scenario_submit(Sosia *e, Realm *r, const FeedBatch *b);
// Rows of all forks into the table of worlds and of scenarios. Before any thread runs. Errors: STORAGE, CORRUPT.
MUST Err scenarios_open(Sosia *e, void (*add)(Sosia *e, Scenario *s));
void scenarios_free(Sosia *e);
// Append the members of a fork in GET /worlds behind the usual ones; w NULL: it is not made.
void scenario_show(Sosia *e, const Scenario *s, const World *w, int64_t now_ns, Buf *out);
// The clock of a fork: where its now() stands, whatever the wall clock says. Any thread.
int64_t scenario_clock(const Realm *r);
// Writer: the time of its next batch when it is to be `time`: later than the instant it was forked of, which stays what
// it was, and than what it has.
int64_t scenario_next_time(const Realm *r, int64_t time);
// Who holds that instant: the name of the first of the oldest forks is appended; *worlds: forks that lie over live as
// it was. Returns the instant, 0: none. Any thread.
int64_t scenarios_holder(Sosia *e, Buf *name, int64_t *worlds);
// Retention: the oldest instant a fork needs raw values from; INT64_MAX: none. The writer.
void scenarios_floor(Sosia *e);
