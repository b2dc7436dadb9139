// SPDX-License-Identifier: Apache-2.0
// The past that derived values look at, in memory: for each property of each twin that a definition looks back on, its
// values as far back as the longest span of any definition. Filled once from history, behind a tick; from then on the
// changes of each batch move it on. So settling a batch reads nothing but memory.
//
// Invariants
//  1. A window has every change from its `since` on, whether it is filled or not; filling brings what history has from
//     before. So nothing is missing and nothing is there twice, however far history is behind.
//  2. What a batch that was rolled back brought is taken away when the next one begins.
//  3. A window that is not filled says so (BUSY): the value that stands stays; a fork's is computed again with its next
//     batch. One that had to let values go says so
//     too (LIMIT): there is no value.
//
// Threads: the writer.
#pragma once
#include "engine/derive.h"

#define DERIVE_WINDOW_MAX 10000   // values of one property of one twin within its span
#define DERIVE_VALUES_MAX 2000000 // values of all windows of a world: 96 MB

typedef struct DerivePast DerivePast;

// Without windows.
DerivePast *derive_past_new(void);
void derive_past_free(DerivePast *p); // NULL is fine
// A batch is computed now, by this plan; `fresh`: the first id that no twin had before it.
void derive_past_begin(DerivePast *p, DerivePlan *plan, const World *w, uint64_t fresh);
// One of its changes.
void derive_past_change(DerivePast *p, const Change *c);
// Of a fork, which no tick looks after: windows that history can fill now are filled while this batch is computed, for
// some milliseconds.
void derive_past_at_once(DerivePast *p, Realm *r, int64_t now);
// It has ended, or batches were undone.
void derive_past_keep(DerivePast *p);
void derive_past_forget(DerivePast *p);
// For the evaluator, in place of history. Errors: BUSY, LIMIT (see above).
const ExprPast *derive_past_expr(DerivePast *p);
// Fill windows that were asked for, for some milliseconds, and let go of those of twins that are gone. No batch is
// open. What cannot be read stays unfilled.
void derive_past_fill(DerivePast *p, Realm *r, int64_t now);

typedef struct DerivePastStats {
    int64_t windows, filled, values;
} DerivePastStats;
// How much there is.
DerivePastStats derive_past_stats(const DerivePast *p);
