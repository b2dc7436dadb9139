// SPDX-License-Identifier: Apache-2.0
// Erase for privacy: take every value that ever was of a twin, or of one property of it, out of every place.
//
//   ASKED   an item "sosia.erase" says what is to be erased: a crash goes on with it at the next start
//   GONE    from live and from every fork: ordinary batches; durable at sequence E
//   CHECKED a root at E or behind it: no page of the world holds anything
//   BLOCKS  history: blocks, means, heads, caches; past worlds are made again
//   JOURNAL batches up to E are written again without it; the feed lets go of what it kept in memory
//   SCRUBBED free pages of the file are zeros, the write-ahead log is empty
//   DONE    the item is a receipt, which names nothing
//
// What was derived from the values (roll-ups of others, means of others) stays; a twin that is erased whole leaves its
// place in past graphs, without a name ("erased:ID") and without values.
//
// Threads: one of its own, for one erasure after the other; the writer's part is erase_task.
#pragma once
#include "engine/engine.h"

#define ERASES_MAX 64 // waiting and under way

typedef struct Eraser Eraser;

// Start the thread when there is a file; goes on with what was not finished. Errors: IO, those of reading items.
MUST Err eraser_start(Sosia *e, Eraser **out);
// End with what is under way left for the next start: who waits is told CLOSED. The writer still runs.
void eraser_stop(Eraser *x);
void eraser_free(Eraser *x); // NULL is fine

// Writer: OP_ERASE. id: the twin's name; sub: a property, "": everything; items: numbers of dead twins of that name.
void erase_task(Sosia *e, Realm *r, Task *c);
