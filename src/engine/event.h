// SPDX-License-Identifier: Apache-2.0
// Events: the changes of a journalled batch as embedders see them, with names instead of numbers. One thread at a time.
#pragma once
#include "engine/engine.h"

// Decoded changes of one batch; reused from batch to batch.
typedef struct EventList {
    Arena arena; // names and converted values
    SosiaChange *items;
    int64_t count, cap;
    int64_t used; // bytes of the batch
} EventList;

// Decode the bytes of batch_encode. Texts borrow from `bytes` and from the list. prev is left to the caller.
// Errors: CORRUPT, OVERRUN.
MUST Err events_decode(EventList *l, Realm *r, const SosiaCaller *who, Str bytes, SosiaBatch *out);
void events_free(EventList *l);
