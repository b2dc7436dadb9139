// SPDX-License-Identifier: Apache-2.0
// Past worlds by name: "live@2026-11-01T08:00:00Z" finds the live world as it was known then, "FORK@..." a fork.
//
//   name --parse--> whose, instant --is it behind us?--> everything up to it is in the history --> sequence --> realm
//
// Invariants
//  1. What was once answered of an instant stays so: when nothing newer than it is visible yet, the writer is asked
//     first, and no batch that begins afterwards has a time at or before it. A fork has a clock of its own: what lies
//     behind its newest batch has not come yet.
//  2. Instants between two batches are one world: realms are by sequence, each for a stretch [from, to] of instants.
//     Up to the instant it was forked of the past of a fork is its parent's, the very same realms.
//  3. A realm in use stays, and the fork whose past it is. Of those nobody uses the oldest go while all together hold
//     more than bytes_max, and those of a fork when it is dropped.
//
// Realms of the past are not in the table of worlds: they have no hub, no derived values, no writer, no parent.
//
// Lock: Pasts.lock guards the table; held for a search, never over a call into the history, a world or query/ (but for
// counting bytes). It may be taken with no other lock of the engine held.
#pragma once
#include "engine/engine.h"

#define PAST_BYTES_DEFAULT ((int64_t)512 << 20)
#define PAST_WORLDS_MAX 1024                // past worlds kept, those in use not counted
#define PAST_CACHE_BYTES ((int64_t)4 << 20) // facts kept of one of them for questions

typedef struct Pasts Pasts;

// bytes_max 0: PAST_BYTES_DEFAULT.
Pasts *pasts_new(int64_t bytes_max);
// Nobody reads any more; the history is still there. NULL is fine.
void pasts_free(Pasts *p);

// Does a name carry an instant (has it a '@')?
bool pasts_named(Str name);
// The world of such a name, and the instant, which may be relative to `now` (0: it must not). False: no instant.
bool pasts_parse(Str name, int64_t now, Str *base, int64_t *at);
// Why such a name cannot be written: READ_ONLY, or WORLD_NOT_FOUND when it is none. OK for other names.
MUST Err pasts_refuse(Sosia *e, Str name);
// The realm of a name, with a reference, and its instant; of a fork it may be relative to its clock. May wait for the
// writer and for the history.
// Errors: WORLD_NOT_FOUND, UNSUPPORTED (no history is kept), PAST_GONE, ARGUMENT (it has not come yet), BUSY (the
// writer or the store asks, who cannot wait), CLOSED, and those of world_past.
MUST Err pasts_find(Sosia *e, Str name, Realm **out, int64_t *at);
// The same for an instant of live, or of a fork.
MUST Err pasts_at(Sosia *e, Realm *of, int64_t at, Realm **out);
// Would pasts_find wait for the writer?
bool pasts_waits(Sosia *e, Str name);
// Have fn called, perhaps before this returns, when pasts_find would no longer wait for the writer. fn must not block.
// Errors: CLOSED (fn will not run).
MUST Err pasts_settle(Sosia *e, Str name, SosiaDoneFn fn, void *arg);
// Writer: the command of the two. Later batches get later times.
void pasts_task(Sosia *e, Task *c);
// Writer: batches of live are later than `at` from now on.
void pasts_after(Sosia *e, int64_t at);
// Writer: the clock, but later than every instant that was asked for.
int64_t pasts_clock(Sosia *e);
// Append a sentence for a person about a failed pasts_find, or about what a past world cannot do (READ_ONLY).
void pasts_why(Sosia *e, Str name, Err err, Buf *out);
// Forget all that nobody uses and find none of the others again: their contents were erased, or let go. of: only the
// past of this fork, which was dropped; NULL: all.
void pasts_forget(Sosia *e, const Realm *of);
// A reader of a past realm has finished; its reference is dropped next. Then, when there is too much: pasts_trim.
void pasts_used(Realm *r);
// Do past worlds hold more than they may?
bool pasts_heavy(Sosia *e);
// Let go of the oldest ones while there is too much.
void pasts_trim(Sosia *e);
// Append the members of "past" in SOSIA_GET_STATS.
void pasts_stats(Sosia *e, Buf *out);
