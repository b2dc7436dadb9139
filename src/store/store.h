// SPDX-License-Identifier: Apache-2.0
// Store: one SQLite file. One thread of its own holds the connection: it group-commits batches to the journal, and
// between commits writes checkpoints, reads the journal back and deletes, in slices of about STORE_SLICE_BYTES. One
// thread at a time (the engine's writer) submits; callbacks run on the store's thread.
//
//   journal(seq INTEGER PRIMARY KEY = last sequence of the row, world, prev = seq of the row before, first,
//           crc, bytes BLOB = encoded batches)                         all behind the root, and some before it
//   page(id INTEGER PRIMARY KEY, bytes BLOB)                           immutable blocks, see blob.h
//   root(world, seq, page, crc, ids BLOB)                              newest checkpoint, and every page it names
//   item(kind BLOB, key BLOB, crc, value BLOB)                         small documents beside the world
//   meta(key, value)                                                   application_id and user_version tell the format
//
// Life of a batch: store_submit -> group -> COMMIT (WAL, synchronous=FULL) -> on_commit(last_seq).
// A failed commit: on_fail(err) once; every batch submitted since the last on_commit is refused and dropped. The
// engine undoes them, then calls store_resume; batches submitted in between are dropped too.
//
// Power loss at any moment: every batch told to on_commit is there, no batch by half. A batch that was refused because
// the disk failed to sync may be there if the power goes before the next commit; nobody can know what that disk did.
#pragma once
#include "base/err.h"
#include "world/world.h"

#define STORE_SLICE_BYTES (1 << 20)

typedef struct Store Store;

typedef struct StoreOpen {
    Str path;
    const char *vfs;           // NULL: default
    int64_t group_bytes_max;   // 0: 8 MiB a commit; a single larger batch makes a group of its own
    int64_t row_bytes_max;     // 0: STORE_SLICE_BYTES a row of the journal, of which a group has several; likewise
    int64_t queue_bytes_max;   // 0: 64 MiB submitted and not committed; store_submit waits beyond
    int64_t journal_bytes_max; // journal kept behind the newest root; 0: none
    void *ctx;
    // Everything up to last_seq is durable. Store thread; must not block for long. It may call store_probe,
    // store_resume, store_stats, nothing else of the store.
    void (*on_commit)(void *ctx, uint64_t last_seq);
    // Writing failed with STORAGE_FULL or STORAGE; nothing after the last on_commit is durable. why: a sentence, valid
    // during the call. Same thread and limits.
    void (*on_fail)(void *ctx, Err err, const char *why);
} StoreOpen;

// Open or create, take the file's lock (a second process is refused with a clear message), recover: load the newest
// root, replay the journal behind it. Starts no thread yet; until store_start, waiting functions do the store's work
// themselves.
//   world  out: the live world, everything in it visible     why: a sentence on failure; may be NULL
// Errors: STORAGE (in use, not a store, another format, cannot be read), CORRUPT (names the table and row),
// STORAGE_FULL. On failure *out and *world are untouched.
MUST Err store_open(const StoreOpen *o, Domain *d, int64_t ring_records, Store **out, World **world, Buf *why);
// Start the thread. Errors: IO.
MUST Err store_start(Store *s);
// Hand over one encoded batch (batch_encode). Copies the bytes. Sequences ascend. Waits while the queue is over its
// limit. Cost: one memcpy.
void store_submit(Store *s, uint64_t seq, Str bytes);
// After on_fail and the undo: go on. Batches are accepted again.
void store_resume(Store *s);
// Try whether a commit would succeed now (full disk): write and commit about as much as was refused, at most 1 MiB, and
// drop it again. The store thread does it; the result comes as on_commit of nothing (last_seq unchanged) or on_fail.
// Nothing happens, and nothing comes, while a failure waits for store_resume.
void store_probe(Store *s);
// Write a checkpoint of `fork` (everything up to seq, and nothing later, is in it) in the background, after the journal
// holds seq; then trim the journal to what is kept and drop pages no root names. Takes the fork; frees it on the
// store's thread. False, and the fork stays the caller's, when one is running or when seq is not on its way to the
// journal (a commit has just failed). A checkpoint that fails is dropped and counted; commits go on, and the next one
// may succeed.
bool store_checkpoint(Store *s, World *fork, uint64_t seq);
// One is waiting or being written. Any thread.
bool store_checkpointing(const Store *s);
// Wait until everything submitted is committed (or failed), no checkpoint runs and nothing is left to delete.
void store_drain(Store *s);
// Drain, stop the thread, close the file. NULL is fine.
void store_close(Store *s);

// ---- reading the journal back ---------------------------------------------------------------------------------------

// What was read: `bytes` holds the encoded batches with sequences in (after, last] asked for, none of them left out; no
// bytes and last = after when nothing is there yet. fn may take the buffer and leave a zeroed one. Store thread; must
// not block, may ask for more. Errors: GONE (not kept any more), CORRUPT, STORAGE.
typedef void (*StoreReadFn)(void *arg, Err err, uint64_t last, Buf *bytes);

// Read batches behind `after`: about bytes_max bytes, one batch at least. Between commits, by the store thread. `fn`
// runs exactly once. Any thread.
void store_journal_read(Store *s, uint64_t after, int64_t bytes_max, StoreReadFn fn, void *arg);
// The smallest `after` of which everything behind is in the journal. Any thread.
uint64_t store_journal_oldest(Store *s);

// ---- items --------------------------------------------------------------------------------------------------------

#define STORE_ITEM_NAME_MAX 512         // bytes of a kind, of a key
#define STORE_ITEM_VALUE_MAX (16 << 20) // bytes of a value

// A row (kind, key) -> value.
typedef struct StoreItem {
    Str kind, key, value;
    bool remove;
} StoreItem;

// What became of a put. Store thread; must not block. It may put more items. why: a sentence when err is set.
typedef void (*StoreItemsFn)(void *arg, Err err, const char *why);

// Put or remove items, all in one transaction: that of the next group of batches when they are small. Copies. Puts take
// effect in their order. `done` runs exactly once, when they are durable or refused; a refused put changes nothing and
// stops nobody (no on_fail unless batches were refused with it). Any thread. Errors: ARGUMENT (no or too long a kind or
// key, too long a value), BUSY (64 MiB are waiting); done does not run then.
MUST Err store_items_put(Store *s, const StoreItem *items, int64_t n, StoreItemsFn done, void *arg);
// Append items of a kind with keys > after, ascending by bytes, as store_item_next reads them: at most `limit` of them
// (0: any number) and about STORE_SLICE_BYTES, but one at least. *more: there may be others. Waits for the store
// thread. Any other thread. Errors: STORAGE, CORRUPT.
MUST Err store_items_scan(Store *s, Str kind, Str after, int64_t limit, Buf *out, bool *more);
// Append one as a scan does.
void store_item_encode(Str key, Str value, Buf *out);
// The next one of a scan's bytes; false when none is left.
bool store_item_next(Cut *c, Str *key, Str *value);

// ---- measures -----------------------------------------------------------------------------------------------------

typedef struct StoreStats {
    int64_t commits, batches, bytes, fsync_ns; // since open; fsync_ns: all of the commit
    int64_t checkpoints, checkpoints_failed, checkpoint_pages, checkpoint_bytes;
    int64_t file_bytes;
    int64_t journal_rows;          // behind the newest root's sequence: what a start replays
    int64_t kept_rows, kept_bytes; // before it, for readers
    int64_t reads, read_bytes;     // of the journal
    int64_t queue_bytes;
} StoreStats;
// Any thread.
void store_stats(Store *s, StoreStats *out);
