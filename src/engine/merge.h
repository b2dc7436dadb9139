// SPDX-License-Identifier: Apache-2.0
// Merging: what a fork changed since it was forked goes into another world as one batch. Three-way: a value moves only
// where the other world still has what the fork began with.
//
//   caller: differ (base, fork) -> choose -> task -> writer: each change against the world as it is -> outcomes
#pragma once
#include "engine/differ.h"

// What became of a change. LEFT: it was not chosen.
typedef enum MergeOutcome { MERGE_LEFT, MERGE_DONE, MERGE_SAME, MERGE_DERIVED, MERGE_CONFLICT } MergeOutcome;

typedef struct MergeResult {
    MergeOutcome outcome;
    const char *why; // CONFLICT; static memory
    DiffCell there;  // CONFLICT of a value: what stands there; text in the merge's arena
    bool has_there;
} MergeResult;

// A merge under way: the caller's, who waits, and the writer's meanwhile.
struct Merge {
    const DiffChange *changes;
    MergeResult *results;
    int64_t count, conflicts;
    DiffAsk ask;    // tolerances
    uint64_t epoch; // see erase_epoch
    bool dry_run, skip_conflicts;
    Arena arena;
};

// Writer: into the open batch. Errors: WORLD_CONFLICT (conflicts and not to be skipped, or a dry run: nothing is to be
// kept), LIMIT, and those of edits.
MUST Err merge_edit(World *w, struct Merge *m, Diag *d);
