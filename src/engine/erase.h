// SPDX-License-Identifier: Apache-2.0
// Erase for privacy: take every value that ever was of a twin, or of one property of it, out of every place.
//
//   ASKED    an item "sosia.erase" says what is to be erased, and of which twins: those that have or had the name
//            -> from live and from every fork, by ordinary batches
//   GONE     durable at sequence E, so the item says
//            -> history: blocks, means, heads; a root at E or behind it; the journal up to E; free pages, the log;
//               batches, answers, past worlds in memory
//   WASH     nothing tells of it but the item: that names nothing any more
//            -> free pages and the log once more
//   receipt  an item "erasure", in place of the other
//
// After a crash it goes on where it was. What the disk refused is tried again after a while.
//
// What was derived from the values (roll-ups of others, means of others) stays; a twin that is erased whole leaves its
// place in past graphs, without a name ("erased:ID") and without values.
//
// Threads: one of its own, for one erasure after the other; the writer's part is erase_task.
#pragma once
#include "engine/engine.h"

#define ERASES_MAX 64                        // waiting and under way
#define ERASE_WAIT_NS (30 * NS_PER_S)        // who carries something from world to world waits for an erasure
#define ERASE_TRIES 3                        // and begins anew when one came in between
#define ERASE_AGAIN_NS (30 * NS_PER_S)       // to the second try of what could not be done, then twice as long, up to
#define ERASE_AGAIN_MAX_NS (3600 * NS_PER_S) // this

typedef struct Eraser Eraser;

// Start the thread when there is a file; goes on with what was not finished. Errors: IO, those of reading items.
MUST Err eraser_start(Sosia *e, Eraser **out);
// End with what is under way left for the next start: who waits is told CLOSED. The writer still runs.
void eraser_stop(Eraser *x);
void eraser_free(Eraser *x); // NULL is fine

// What is read of one world, or of the past, to be written to another one: *out before it is read, erase_since when it
// is written. Else what was erased meanwhile would come back. Errors: BUSY (an erasure is under way).
MUST Err erase_epoch(const Sosia *e, uint64_t *out);
// The same, waiting for the erasure under way to come so far, ERASE_WAIT_NS at most. Not a thread of the engine's.
// Errors: BUSY, CLOSED.
MUST Err erase_wait(Sosia *e, uint64_t *out);
bool erase_since(const Sosia *e, uint64_t epoch);

typedef struct EraseStats {
    int64_t pending, standing; // not over; of those, such that wait for another try
    int64_t done, failed;      // since the start: receipts; tries that came to nothing
} EraseStats;
// Any thread. x NULL: zeros.
void eraser_stats(Eraser *x, EraseStats *out);

// Writer: OP_ERASE. id: the twin's name; sub: a property, "": everything; items: numbers of dead twins of that name.
void erase_task(Sosia *e, Realm *r, Task *c);
// Writer: OP_FORGET. Before-images, windows of derived values and working memory go; c->under (may be NULL) takes the
// place of the past world below, which is handed back there.
void erase_forget_task(Sosia *e, Realm *r, Task *c);
