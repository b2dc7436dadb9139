// SPDX-License-Identifier: Apache-2.0
// Inside of GET /watch: watch.c (the socket: reading the feed, sending), watch_interest.c (who wants what, and what
// waits). Everything here belongs to one I/O thread.
//
// 1. A watch has one cursor and up to WATCH_INTERESTS_MAX interests. Whatever happens is put into those that want it,
//    in place of what waits of the same thing: a page costs what differs, however often it changed.
// 2. An interest is sent when its interval is over and the client has taken what came before. What is too much to wait
//    is thrown away as a whole, and the client is told to read again (`lost`): nothing else is ever left out.
// 3. `since` of every message: whoever begins again behind it misses nothing of any interest.
#pragma once
#include "serve/changes.h"
#include "serve/watch_ask.h"

#define WATCH_LATEST_MAX 100000              // changes that wait in one interest
#define WATCH_LATEST_BYTES_MAX (24 << 20)    // bytes of them
#define WATCH_BYTES_MAX (INT64_C(256) << 20) // the same of all watches of an I/O thread
#define WATCH_MESSAGE_CHANGES_MAX 5000       // of one message; more come in several
#define WATCH_MESSAGE_BYTES_MAX (256 << 10)  // the same: a message ends behind the change that passes it

typedef struct Interest {
    Arena keep;
    WatchAsk ask;
    Map twins;       // of ask.twins
    SosiaTest *test; // of ask.where, NULL: none
    Latest latest;
    int64_t bytes;      // of `latest`, as they were counted
    uint64_t clean;     // `latest` has nothing of batches up to here
    int32_t flush_left; // of the flush under way
    uint64_t flush_pos; // the position when it began
    int64_t flushed_ns;
    bool lost; // something was thrown away, and was not told yet
} Interest;

// A batch while interests look at it: each change as JSON, made for the first who wants it.
typedef struct WatchBatch {
    const SosiaBatch *batch;
    Buf pieces;
    int64_t *starts; // place of change i in pieces, -1: not there
    int64_t *ends;
    int32_t *picked; // room for the number of each change
    int64_t cap;
} WatchBatch;

// Begin with a batch; the memory is used again. Then free it.
void watch_batch_begin(WatchBatch *x, const SosiaBatch *b);
void watch_batch_free(WatchBatch *x);

// An interest, with a copy of `ask`. Errors: of sosia_test_new, with a sentence in `why`.
MUST Err interest_new(Sosia *engine, Str world, const WatchAsk *ask, Interest **out, Buf *why);
void interest_free(Interest *it);
// Take what it wants of a batch. pos: of the batch before. False: the condition cannot be looked at, the world is gone.
bool interest_take(Interest *it, WatchBatch *x, Kins *kins, Sosia *engine, Str world, uint64_t pos);
// Throw away what waits; the client will be told.
void interest_lose(Interest *it);
