// SPDX-License-Identifier: Apache-2.0
// Forget: take what was erased out of encoded batches. What is left keeps its sequence and time, and whoever reads the
// batches for changes sees them as if the rest had never been. Any thread.
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "world/world.h"

// What is erased of a twin: values of columns, or everything.
typedef struct Forget {
    uint64_t twin;
    const uint32_t *columns; // ascending; those of the property, in every table the twin was in
    int64_t column_count;
    bool values;           // every value of the twin, whatever its column: which ones are meant is not known
    bool all;              // every value, the names of the twin and of its relationships, their values
    const uint64_t *links; // all: ascending; relationships of the twin, dead ones too. Those whose ends a batch names
                           // need not be among them
    int64_t link_count;
    Str telemetry;    // with columns: telemetry messages with this member go too; "": none
    uint64_t seq_max; // batches behind it stay as they are; 0: none do
} Forget;

// Does a JSON text have this member? One of the same name deeper inside counts too: rather one too many.
bool forget_tells(Str payload, Str member);
#define FORGET_NAME_HEAD "erased:"
// The name that stands in place of an erased one: "erased:ID". Worlds of the past find by it what is left.
Str forget_name(uint64_t id, char room[32]);
// The models that a world had, one after the other, without the world: those of `live` up to `time` (one reference
// more, to be dropped by catalog_unref). Errors: CORRUPT.
MUST Err forget_models_begin(View *live, int64_t time, Catalog **out);
// Then what batches up to `upto` say of models, each told to fn. Errors: CORRUPT.
MUST Err forget_models_next(Catalog **c, Str batches, uint64_t upto, void (*fn)(void *ctx, const Catalog *c),
                            void *ctx);
// Copy the batches in `bytes`, one after the other, to `out` without what is erased; *taken counts changes that were
// left out or renamed. Errors: CORRUPT.
MUST Err forget_batches(const Forget *f, Str bytes, Buf *out, int64_t *taken);
