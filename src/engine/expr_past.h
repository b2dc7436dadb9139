// SPDX-License-Identifier: Apache-2.0
// The past of one world for expressions and questions, out of its history: by own time, what the view sees and nothing
// else. Of a fork it is its parent's past up to the fork, and behind that its own.
#pragma once
#include "engine/engine.h"
#include "expr/expr.h"
#include "history/history.h"

typedef struct EnginePast {
    ExprPast expr; // ctx: this
    History *history;
    uint64_t before;      // batches before this one alone; 0: all that the view sees
    _Atomic uint64_t had; // history has everything up to here
    _Atomic bool meant;   // means were told in place of values that were let go
} EnginePast;

// For reading views of the realm's world, and of copies of it. NULL when no history is kept, else &p->expr. p must
// outlive all use and stay where it is. Any number of threads may read through it; it waits for the history's thread,
// so the store's must not.
const ExprPast *engine_past(EnginePast *p, const Realm *r);
// Add to a JSON array of sentences that means were told, if they were.
void engine_past_note(const EnginePast *p, Buf *notes);
// What now() is: of a past world its instant; else the clock, and never before what stands in the world.
int64_t engine_past_now(const Realm *r);
