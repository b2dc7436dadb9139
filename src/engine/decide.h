// SPDX-License-Identifier: Apache-2.0
// The closed loop: rules of the live world, what they propose, what people say to it, what is sent and what comes of
// it. What a rule, a choice, a band and a record are is told in src/decide; here they meet the world.
//
//   live's feed --> rules (decide_rules.c) --held for long enough--> record "proposing" --> queue
//                                                                                             |
//   loop (decide.c) <-- tried -- trying thread (decide_try.c): snapshot live@T, ensemble, choose, seal
//     | put, then: wait for approval, guard, put "sending", command (decide_act.c)
//     | watch: live's KPI at each instant against the band (decide_live.c)
//
// Invariants
//  1. One thread, the loop, changes records; the trying thread has a record alone while it is `busy`. Others send mail
//     and wait for the answer, or look at what is durable under the lock.
//  2. What others see of a record is durable. A command leaves only behind the put of "sending" (of an undo: of when it
//     was asked for), so a process that died sends nothing twice: what it left as sending becomes unknown.
//  3. Nothing leaves but through act_leave, which asks the guard with the very bytes that are durable.
//  4. All is bounded: records, those under way, the queue of proposals.
//
// Locks: Decider.lock guards mail, the queue, and of each record what lists show; held for a few instructions, may be
// taken with a hub's lock held. Decider.send_lock is held while the commander runs, with nothing else.
#pragma once
#include "engine/engine.h"

#define DECISIONS_MAX 1000     // records kept
#define DECISIONS_OPEN_MAX 64  // not at their end
#define DECISION_QUEUE_MAX 16  // proposals that wait to be computed
#define DECISION_NOTE_MAX 1000 // bytes of what somebody says to an approval

typedef struct Decider Decider;

// Read the records and start both threads. Errors: IO, those of reading items.
MUST Err decider_start(Sosia *e, Decider **out);
// End with what is under way left for the next start. The writer still runs.
void decider_stop(Decider *x); // NULL is fine
void decider_free(Decider *x); // likewise
// Rules may have changed. Any thread; does not block.
void decider_poke(Decider *x); // NULL is fine
// A twin (property "": all of it), or a property of it, is erased: what is under way for the twin ends, and no record
// names it any more. Waits. Errors: those of items, CLOSED.
MUST Err decider_forget(Decider *x, Str twin, Str property); // x NULL is fine
// What a list shows of each record that is durable, in order of their numbers; their states as they were at `at_ns`
// (INT64_MAX: now). fn is called under the lock: texts are borrowed while it runs.
typedef struct DeedNote {
    uint64_t id;
    int64_t at_ns, sent_ns; // sent_ns 0: nothing was sent
    const char *state;
    Str rule, twin;
} DeedNote;
void decider_list(Sosia *e, int64_t at_ns, void (*fn)(void *ctx, const DeedNote *d), void *ctx);
// The JSON of one. Errors: DECISION_NOT_FOUND, those of reading items.
MUST Err decider_show(Sosia *e, uint64_t id, Buf *out);
// Append the members of "decisions" in SOSIA_GET_STATS.
void decider_stats(Decider *x, Buf *out);
