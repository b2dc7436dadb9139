// SPDX-License-Identifier: Apache-2.0
// Store: one SQLite file. One thread of its own holds the write connection: it group-commits batches to the journal,
// and between commits writes checkpoints in slices of at most STORE_SLICE_BYTES. Any one thread at a time (the engine's
// writer) submits; completions run on the store's thread.
//
//   journal(seq INTEGER PRIMARY KEY = last sequence of the group, world, first, bytes BLOB, crc)   trimmed by checkpoints
//   page(id INTEGER PRIMARY KEY, bytes BLOB)  immutable blocks       root(world, seq, page)        newest checkpoint
//   meta(key, value)   format version, id counters
//
// Life of a batch: store_submit -> group -> COMMIT (WAL, synchronous=FULL) -> on_commit(last_seq).
// A failed commit: on_fail(err) once; every batch submitted since the last on_commit is refused and dropped. The
// engine undoes them, then calls store_resume; batches submitted in between are dropped too.
#pragma once
#include "base/err.h"
#include "world/world.h"

#define STORE_SLICE_BYTES (1 << 20)

typedef struct Store Store;

typedef struct StoreOpen {
    Str path;
    const char *vfs;           // NULL: default
    int64_t group_bytes_max;   // 0: 8 MiB a commit
    int64_t queue_bytes_max;   // 0: 64 MiB submitted and not committed; store_submit waits beyond
    void *ctx;
    // Everything up to last_seq is durable. Store thread; must not block for long.
    void (*on_commit)(void *ctx, uint64_t last_seq);
    // Writing failed with STORAGE_FULL or STORAGE; nothing after the last on_commit is durable.
    void (*on_fail)(void *ctx, Err err, const char *why);
} StoreOpen;

// Open or create, take the file's lock (a second process is refused with a clear message), recover: load the newest
// root, replay the journal behind it. Starts no thread yet.
//   world  out: the live world, everything in it visible     why: a sentence on failure; may be NULL
// Errors: STORAGE, CORRUPT (names the table and row), IO.
MUST Err store_open(const StoreOpen *o, Domain *d, int64_t ring_records, Store **out, World **world, Buf *why);
// Start the thread.
MUST Err store_start(Store *s);
// Hand over one encoded batch (batch_encode). Copies the bytes. Sequences ascend. Waits while the queue is over its limit.
void store_submit(Store *s, uint64_t seq, Str bytes);
// After on_fail and the undo: go on. Batches are accepted again.
void store_resume(Store *s);
// Try whether a commit would succeed now (full disk): writes and commits a small row. Store thread does it; the result
// comes as on_commit of nothing (last_seq unchanged) or on_fail.
void store_probe(Store *s);
// Write a checkpoint of `fork` (everything up to seq is in it) in the background, after the journal holds seq; then trim
// the journal and drop pages no root names. Takes the fork; frees it on the store's thread. One at a time: false when
// one is running.
bool store_checkpoint(Store *s, World *fork, uint64_t seq);
bool store_checkpointing(const Store *s);
// Wait until everything submitted is committed (or failed) and no checkpoint runs.
void store_drain(Store *s);
// Drain, stop the thread, close the file. NULL is fine.
void store_close(Store *s);

typedef struct StoreStats {
    int64_t commits, batches, bytes, fsync_ns; // since open
    int64_t checkpoints, checkpoint_pages, checkpoint_bytes;
    int64_t file_bytes, journal_rows;
    int64_t queue_bytes;
} StoreStats;
void store_stats(Store *s, StoreStats *out);
