// SPDX-License-Identifier: Apache-2.0
// Shared by ensemble.c (the list, the threads, the calls) and ensemble_keep.c (items).
#pragma once
#include "engine/ensemble_outcome.h"

#define ENSEMBLE_KIND STR("sosia.ensemble")                 // items: heads, by the id in 16 hex digits
#define ENSEMBLE_OUTCOME_KIND STR("sosia.ensemble.outcome") // items: outcomes
#define ENSEMBLE_KEY_SIZE 17

// One in the list of an engine: at work with parts, or at its end with a head, whose outcome is in an item.
// Invariant: of those in the list each holds a reference, its thread another.
typedef struct Ensemble Ensemble;
struct Ensemble {
    Ensemble *next; // newest first; Sosia.ensembles_lock
    _Atomic int32_t refs;
    Sosia *engine;
    Arena keep;
    EnsembleAsk ask;
    EnsemblePart *parts;
    int32_t *which, *within; // by case
    int32_t part_count;      // 0: it is at its end
    _Atomic bool stop;
    int64_t begun_mono_ns;

    pthread_mutex_t lock; // of what follows
    pthread_cond_t wake;
    EnsembleHead head;        // texts are in `keep`, and stay
    EnsembleOutcome *outcome; // at its end, where it could not be kept
    bool forgotten;           // nobody finds it, and nothing is kept
    bool keeping;             // items of it are on their way

    pthread_mutex_t runs_lock; // held while samples are looked at, and when they are freed; no other lock inside
};

// The key of its items.
void ensemble_key(uint64_t id, char out[ENSEMBLE_KEY_SIZE]);
// Append the bytes of an outcome that is kept. Errors: ENSEMBLE_NOT_FOUND (it is not), those of items.
MUST Err ensemble_outcome_find(Sosia *e, uint64_t id, Buf *out);
// Keep both, or, outcome empty, a head alone. Errors: those of items.
MUST Err ensemble_put(Sosia *e, uint64_t id, Str head, Str outcome);
// A head on its way, without waiting for it.
void ensemble_put_soon(Sosia *e, uint64_t id, Str head);
// Take both away. Errors: those of items.
MUST Err ensemble_take(Sosia *e, uint64_t id);
// Call fn for every head that is kept, by id. Errors: those of items.
MUST Err ensemble_heads(Sosia *e, bool (*fn)(void *ctx, SosiaStr key, SosiaStr value), void *ctx);
