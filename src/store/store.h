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
//   history(id INTEGER PRIMARY KEY, lane, page, tier, start, first, last, t0, t1, s0, s1, points, late, size, crc,
//           bytes BLOB)                                                blocks of codec/hblock.h, see StoreHistory
//     by (lane, page, t0) of points, the same of means                 of points unique; lane: world << 35 | lane
//   dead(id INTEGER PRIMARY KEY = world << 36 | twin, name BLOB, time, crc), by name      twins that were deleted
//   world(id INTEGER PRIMARY KEY, crc, bytes BLOB)                     the other worlds that are kept, see StoreBatch
//   scenario(id INTEGER PRIMARY KEY, world, seq, prev, first, ids, crc, bytes BLOB)   their journals, whole
//   meta(key, value)                                                   application_id and user_version tell the format
//
// Other connections and processes may read the file while it is open (WAL); a lock on PATH.lock keeps writers out.
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
    // Instead of on_commit, when it is set: everything up to the submission of number `ticket` is durable, be it of the
    // live world (up to last_seq) or of others. Submissions are counted from 1 since opening, refused ones too.
    void (*on_group)(void *ctx, uint64_t last_seq, uint64_t ticket);
    // Writing failed with STORAGE_FULL or STORAGE; nothing after the last on_commit is durable. why: a sentence, valid
    // during the call. Same thread and limits.
    void (*on_fail)(void *ctx, Err err, const char *why);
    // History is kept: the world keeps a trail, and recovery tells of every batch it replays behind the newest root, in
    // order (the opener's thread). NULL: no history.
    void (*on_replay)(void *ctx, const BatchHead *head, Str trail);
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

// Other worlds: their journals are kept whole, until the world goes. Like store_submit these are submissions: durable
// in their order with the live world's, refused and dropped with them. The store knows nothing of what such worlds are.
//
// A batch of another world. prev: sequence of the batch of that world before it, or where the world began; ids: no id
// of a twin or link in it, or in any before it, is higher.
typedef struct StoreBatch {
    uint64_t world; // its number, > 0
    uint64_t prev, seq, ids;
    Str bytes;
} StoreBatch;
void store_submit_to(Store *s, const StoreBatch *b);
#define STORE_WORLD_BYTES_MAX (1 << 16) // kept of a world beside its journal
// Keep `bytes` of a world, in place of what was kept.
void store_world_put(Store *s, uint64_t world, Str bytes);
// The world is no more: what was kept goes, its journal and its history, in the background.
void store_world_del(Store *s, uint64_t world);
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
// With history (on_replay), the root of a checkpoint is written when everything up to its sequence is in history
// blocks: when store_history_sealed(seq) was called, or given up when store_history_failed was.
// One is waiting or being written. Any thread.
bool store_checkpointing(const Store *s);
// Wait until everything submitted is committed (or failed), no checkpoint runs and nothing is left to delete.
void store_drain(Store *s);
// Before store_start: do a piece of the store's work, for who waits for one thing only. Later: nothing.
void store_help(Store *s);
// Drain, stop the thread, close the file. NULL is fine.
void store_close(Store *s);

// ---- reading the journal back ---------------------------------------------------------------------------------------

// What was read: `bytes` holds the encoded batches with sequences in (after, last] asked for, none of them left out; no
// bytes and last = after when nothing is there yet. fn may take the buffer and leave a zeroed one. Store thread; must
// not block, may ask for more. Errors: GONE (not kept any more), CORRUPT, STORAGE.
typedef void (*StoreReadFn)(void *arg, Err err, uint64_t last, Buf *bytes);

// Read batches behind `after` of the live world (world 0), or of another: about bytes_max bytes, one batch at least.
// Between commits, by the store thread. `fn` runs exactly once. Any thread.
void store_journal_read(Store *s, uint64_t world, uint64_t after, int64_t bytes_max, StoreReadFn fn, void *arg);
// The smallest `after` of which everything behind is in the journal of the live world. Any thread.
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

// ---- history ------------------------------------------------------------------------------------------------------

// One block: points of the rows of one page of a lane that came in batches first..last, and no others of that page came
// in those. Rows of one page do not overlap in (first, last), but that a mean (tier >= STORE_TIER_MEANS) may cover what
// raw blocks do. s0, s1: smallest and largest own time of its points.
#define STORE_TIER_MEANS 16 // tier 0: as sealed; 1, 2 ...: merged; from here on down-sampled, see history/history.h
typedef struct StoreHistory {
    int64_t id; // 0: give one
    uint64_t lane, page;
    int32_t tier;
    uint64_t first, last;   // sequences
    int64_t t0, t1, s0, s1; // ns: arrival of the first and last batch; own times
    int64_t points, late;
    bool start; // it has the state at its start
    Str bytes;
} StoreHistory;

// Blocks of other worlds stand among live's, by lanes of their own: the world's number (less than 2^27) above the lane.
// Their sequences are the world's. Put while the world's row is not there, they are left out: a world that goes takes
// its history along.
#define STORE_LANE_BITS 35
// The lane of a world (0: live), and back.
static inline uint64_t store_lane(uint64_t world, uint64_t lane) { return world << STORE_LANE_BITS | lane; }
// Its world.
static inline uint64_t store_lane_world(uint64_t lane) { return lane >> STORE_LANE_BITS; }
// Its own number in that world.
static inline uint64_t store_lane_own(uint64_t lane) { return lane & (((uint64_t)1 << STORE_LANE_BITS) - 1); }

typedef struct StoreDead {
    uint64_t twin;
    Str name;
    int64_t time;   // of its deletion
    uint64_t world; // in which; 0: live
} StoreDead;

// What becomes of a change of the history: rows to delete by id, then rows to put, then the dead, all in one
// transaction of at most about STORE_SLICE_BYTES where the caller keeps to it. done: durable or refused, store thread,
// must not block. Copies. Any thread. Works before store_start. Errors: BUSY (64 MiB wait); done does not run then.
typedef void (*StoreHistoryFn)(void *arg, Err err, const char *why);
typedef struct StoreHistoryPut {
    const int64_t *gone;
    int64_t gone_count;
    const StoreHistory *rows;
    int64_t row_count;
    const StoreDead *dead;
    int64_t dead_count;
} StoreHistoryPut;
MUST Err store_history_put(Store *s, const StoreHistoryPut *put, StoreHistoryFn done, void *arg);
// Everything up to seq is in blocks that are durable; it could not be done. Any thread.
void store_history_sealed(Store *s, uint64_t seq);
void store_history_failed(Store *s);
// After store_open: the largest `last` of each of live's (lane, page) that has a block which ends behind the newest
// root: what replay tells again up to there is in them already. Errors: STORAGE, CORRUPT.
MUST Err store_history_ahead(Store *s, void (*fn)(void *ctx, uint64_t lane, uint64_t page, uint64_t last), void *ctx);

// A reader: a connection of its own, taken from a pool (at most STORE_READERS_MAX at once; one more waits). Everything
// read between begin and end is of one instant of the file. Any thread but the store's; short, and one at a time a
// thread: who holds one while it waits for another keeps the log from being moved.
#define STORE_READERS_MAX 8
typedef struct StoreReader StoreReader;
// Errors: STORAGE. Cost: about 10 us, the first time of each the opening of a connection.
MUST Err store_reader_begin(Store *s, StoreReader **out);
// Give it back. NULL is fine.
void store_reader_end(StoreReader *r);
// Why its newest call failed.
const char *store_reader_why(const StoreReader *r);
// Rows of (lane, page), ascending by t0; bytes only when `bytes`: they live during fn, and those of the last row it is
// given until the next call on the reader when it stops there. fn false: stop. Errors: STORAGE, CORRUPT (a row does not
// match its check).
typedef struct StoreHistoryAsk {
    uint64_t lane, page;
    bool bytes;
    bool means;       // those of the tiers of means instead of raw ones
    bool known;       // only what is needed to know the page at `at`: from the newest row with a start and t0 <= at
    int64_t at;       // known
    int64_t from, to; // otherwise: rows with s1 >= from and s0 < to
} StoreHistoryAsk;
MUST Err store_history_rows(StoreReader *r, const StoreHistoryAsk *ask, bool (*fn)(void *ctx, const StoreHistory *h),
                            void *ctx);
// One row by its id, with bytes, which live until the next call on the reader. Ids are not used again while the file is
// open. Errors: GONE (there is none), STORAGE, CORRUPT.
MUST Err store_history_row(StoreReader *r, int64_t id, StoreHistory *out);
// Up to n bytes of a row's block from `at` on, *size: of all of it. Its check is not looked at: a block has checks of
// its own. Much cheaper than all of a long one. Errors: GONE, STORAGE, CORRUPT.
MUST Err store_history_part(StoreReader *r, int64_t id, int64_t at, char *to, int64_t n, int64_t *size);
// The pages a lane has rows of: highest number + 1. And live's lanes, with sums, for statistics.
MUST Err store_history_pages(StoreReader *r, uint64_t lane, uint64_t *count);
typedef struct StoreLane {
    uint64_t lane;
    int64_t rows, points, bytes, t0, t1;
    int64_t means_points, means_bytes; // part of points and bytes: tiers of means
} StoreLane;
MUST Err store_history_lanes(StoreReader *r, bool (*fn)(void *ctx, const StoreLane *l), void *ctx);
// Sums of all lanes of another world; 0: of all of them.
MUST Err store_history_sum(StoreReader *r, uint64_t world, StoreLane *out);
// Rows of points of a world, by lane, page and time, without bytes; of live as store_history_scan gives them.
MUST Err store_history_world(StoreReader *r, uint64_t world, bool (*fn)(void *ctx, const StoreHistory *h), void *ctx);
// The newest batch in any block of points of each page of another world, ascending by lane and page.
MUST Err store_history_ends(StoreReader *r, uint64_t world,
                            void (*fn)(void *ctx, uint64_t lane, uint64_t page, uint64_t last), void *ctx);
// Rows of all worlds of at most `tier` with id > after, ascending, without bytes: for merging and retention.
MUST Err store_history_scan(StoreReader *r, int64_t after, int32_t tier, bool (*fn)(void *ctx, const StoreHistory *h),
                            void *ctx);
// Dead twins of a world with numbers behind `after`, ascending, `limit` of them at most.
MUST Err store_history_dead_list(StoreReader *r, uint64_t world, uint64_t after, int64_t limit,
                                 bool (*fn)(void *ctx, const StoreDead *d), void *ctx);
// Dead twins of a name in a world, newest first.
MUST Err store_history_dead(StoreReader *r, uint64_t world, Str name, bool (*fn)(void *ctx, const StoreDead *d),
                            void *ctx);

// Items of a kind with keys > after, ascending; key and value live during fn. fn false: stop. Errors: STORAGE, CORRUPT
// (a row does not match its check).
MUST Err store_reader_items(StoreReader *r, Str kind, Str after, bool (*fn)(void *ctx, Str key, Str value), void *ctx);

// ---- other worlds ---------------------------------------------------------------------------------------------------

// What is kept of each, ascending by number. fn false: stop. Errors: STORAGE, CORRUPT (a row does not match its check).
MUST Err store_worlds(StoreReader *r, bool (*fn)(void *ctx, uint64_t world, Str bytes), void *ctx);
// Append about bytes_max bytes of the journal of one behind `after`, at least one row when there is any: whole rows of
// encoded batches, so the first may begin with batches up to `after`. *after: the last of them. Errors: STORAGE,
// CORRUPT (a row does not match its check, or the one before it is missing).
MUST Err store_world_journal(StoreReader *r, uint64_t world, uint64_t *after, int64_t bytes_max, Buf *out);
// The highest number of a world that there is anything of, and the highest of all StoreBatch.ids. Errors: STORAGE.
MUST Err store_worlds_highest(StoreReader *r, uint64_t *world, uint64_t *ids);

// ---- whole files --------------------------------------------------------------------------------------------------

// A consistent copy of the file at `path` while it is open or not, by anybody: to a new file `to`, then opened and
// checked. progress(done, total) may be NULL; false stops. Errors: STORAGE, STORAGE_FULL, CORRUPT, EXISTS.
MUST Err store_backup(Str path, Str to, bool (*progress)(void *ctx, int64_t done, int64_t total), void *ctx, Buf *why);
// Look through a whole stored world, read-only: SQLite's own check, formats, checks of every row, blocks a root names,
// invariants of the world it loads (world_verify's, told instead of CHECKed), journal chain, history blocks decoded and
// in order. fn: one sentence a finding. progress: what is looked at. Errors: STORAGE (cannot be read at all).
typedef struct StoreCheck {
    void *ctx;
    void (*finding)(void *ctx, Str where, Str what);
    bool (*progress)(void *ctx, Str what, int64_t done, int64_t total);
    int64_t pages, journal_rows, batches, blocks, points, twins, links; // out: what was looked at
    int64_t findings;
} StoreCheck;
MUST Err store_check(Str path, StoreCheck *c, Buf *why);

// ---- measures -----------------------------------------------------------------------------------------------------

typedef struct StoreStats {
    int64_t commits, batches, bytes, fsync_ns; // since open; fsync_ns: all of the commit
    int64_t checkpoints, checkpoints_failed, checkpoint_pages, checkpoint_bytes;
    int64_t file_bytes;
    int64_t journal_rows;          // behind the newest root's sequence: what a start replays
    int64_t kept_rows, kept_bytes; // before it, for readers
    int64_t reads, read_bytes;     // of the journal
    int64_t queue_bytes;
    int64_t history_rows, history_bytes, history_gone; // blocks put, their bytes, and blocks deleted, since open
    int64_t history_failed;                            // transactions of history that were refused
    int64_t history_queue_bytes;                       // waiting to be written
    int64_t readers;                                   // at work now
} StoreStats;
// Any thread.
void store_stats(Store *s, StoreStats *out);
