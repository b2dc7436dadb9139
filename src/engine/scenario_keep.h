// SPDX-License-Identifier: Apache-2.0
// Checkpoints of forks (store/keep.h): made in the background by a thread of their own, so that opening a fork again
// need not replay all it ever did.
//
//   fork again = what it lies over  +  pages of its newest checkpoint  +  the journal behind that
//
// Invariants
//  1. A checkpoint holds batches that are durable, and all of them up to its sequence: the snapshot it is made of
//     (OP_SNAPSHOT) is given when everything in it is.
//  2. What it holds, its parents' part too, is in blocks of history: opening a fork from it tells none of it again.
//  3. The journal stays whole. A checkpoint that is missing or damaged costs time and nothing else; whoever erases
//     deletes them all.
//  4. One at a time is made, under `making`; an erasure takes it to delete them (scenario_keeps_forget), after every
//     fork has had its batch of erasing. So none that is made before such a batch outlives it.
//  5. Of a world the newest one is kept, and for each child the newest that is not newer than the child.
//
// Lock: Keeper.lock guards the queue, `making` the making; worlds_lock may be taken inside either.
#pragma once
#include "engine/scenarios.h"

// One is due when its journal since the last one is longer than this and than twice that one; at the end of a run
// already when it is longer than an eighth.
#define KEEP_JOURNAL_BYTES ((int64_t)2 << 20)

typedef struct Keeper Keeper;

// Before any thread runs; then the thread. Errors: IO.
Keeper *keeper_new(Sosia *e);
MUST Err keeper_start(Keeper *k);
// Make what is due, note how large forks are, end the thread. The writer still runs. NULL is fine.
void keeper_stop(Keeper *k);
void keeper_free(Keeper *k); // NULL is fine

// Writer: a batch of the fork was submitted. Cost: a compare.
void scenario_keep_look(Sosia *e, Realm *r);
// A run of it ended: soon, when it did much. Any thread.
void scenario_keep_soon(Sosia *e, Realm *r);
// Make one now, whether it is due or not; nothing when the newest one has everything. Not the writer nor the store's
// thread. Errors: UNSUPPORTED (the world is not kept), BUSY (something is being erased), LIMIT (KEEP_BYTES_MAX),
// STORAGE, those of a commit that failed.
MUST Err scenario_keep_now(Sosia *e, Realm *r);
// The world is no more: its checkpoints go. Any thread, worlds_lock may be held.
void scenario_keeps_gone(Sosia *e, uint64_t world);
// Something was erased, from every fork: delete all checkpoints there are. Errors: those of items.
MUST Err scenario_keeps_forget(Sosia *e);

// The newest checkpoint of the world of number `world` up to `upto`. False: there is none.
bool scenario_kept(Sosia *e, uint64_t world, uint64_t upto, StoreKeep *out);
// Fill a world that was just made with it. Errors: those of store_keep_load and world_pages_end.
MUST Err scenario_keep_load(Sosia *e, const StoreKeep *k, World *w);
// What the file has of checkpoints, to the forks of the table; deletes what belongs to none when the thread starts.
// Errors: STORAGE.
MUST Err scenario_keeps_open(Sosia *e, StoreReader *r);
