// SPDX-License-Identifier: Apache-2.0
// Replay: a stretch of the past made into batches again, for a feed. A thread of its own reads ahead of whoever takes
// them, bounded by REPLAY_BYTES_MAX, and keeps the pace.
#pragma once
#include "engine/engine.h"

#define REPLAY_BYTES_MAX ((int64_t)8 << 20) // batches made and not yet taken
#define REPLAYS_MAX 16                      // at once in one engine

typedef struct Replay Replay;

// Begin. Errors: UNSUPPORTED (no history), GONE (before what is known), ARGUMENT (to before from, in the future, a
// speed below 0), LIMIT, BUSY (something is being erased for long), CLOSED, IO, READ_ONLY (a past world), those of
// history and worlds.
MUST Err replay_start(Sosia *e, const SosiaReplay *r, Replay **out);
// The next batch, or *out NULL when none is due within wait_ns. Errors: CLOSED (that was all), STORAGE,
// CORRUPT, GONE. While something is being erased nothing is given.
MUST Err replay_take(Replay *r, int64_t wait_ns, FeedBatch **out);
// As sosia_feed_notify.
void replay_notify(Replay *r, void (*fn)(void *arg), void *arg);
// Stop and free. NULL is fine.
void replay_free(Replay *r);
// Something was erased: what all have read ahead goes. Waits for it. Not under a lock.
void replays_forget(Sosia *e);
// The engine closes: all end with CLOSED; they are still to be freed. Nobody else uses them meanwhile.
void replay_end_all(Sosia *e);
