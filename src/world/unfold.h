// SPDX-License-Identifier: Apache-2.0
// Unfold: from the trail of a batch back to changes as a client meant them: twins, values, links, models, telemetry.
// What they do to a world is what the batch did, but that an UNSET of what was not there does not touch its twin, and
// that a twin that changed its model several times in one batch may keep values that a model in between did not have.
// One thread at a time.
#pragma once
#include "world/trail.h"

typedef struct Unfold Unfold;

// base: the world right before the first batch, a past one or a frozen fork; borrowed.
Unfold *unfold_new(const World *base);
void unfold_free(Unfold *u); // NULL is fine
// The changes of the next batch, encoded (change_encode), appended to `out`; *count of them. Batches come in order,
// none left out; the records of a batch as the world wrote them or lane by lane, those of one lane in order.
// Errors: those of View.failed (a page of the base cannot be made), CORRUPT.
MUST Err unfold_batch(Unfold *u, int64_t time, const TrailPoint *points, int64_t n, Buf *out, int64_t *count);
