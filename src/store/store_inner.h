// SPDX-License-Identifier: Apache-2.0
// Store, from the inside: its data and the verbs its files share. Included by src/store/*.c only.
//
// Invariants
//  1. The file's state after any commit is: root row -> pages it names -> journal rows behind its sequence. A root is
//     written after its pages, in a transaction of its own; everything else is dropped after it (trim_to, garbage).
//     Journal rows before the root are kept for readers: how many and how large they are stands in meta ("kept"), which
//     changes in the transactions that change it, so that a start need not look at them.
//  2. journal rows form a chain: prev of a row is the seq of the row before it.
//  3. One chunk is one journal row; the chunks of one transaction are a group. The store thread owns a chunk from the
//     moment it is off the list.
//  4. `failed` is set before on_fail is called and cleared by store_resume only; while it is set nothing is queued.
//  5. Page ids are never used twice while the file is open; after reopening they start behind the highest row.
#pragma once
#include "base/thread.h"
#include "store/blob.h"
#include "store/db.h"
#include "store/idset.h"
#include "store/store.h"

#define STORE_WORLD_LIVE 0

// Batches that will be, or are, one journal row: at most row_bytes_max, or one larger batch. Rows are what readers
// get, so that a slice need not be cut out of a larger one.
typedef struct Chunk {
    struct Chunk *next;
    Buf bytes;
    uint64_t first, last; // sequences of its first and last batch
    int64_t batches;
    uint64_t ticket; // of the last submission in it
    uint8_t kind;    // ChunkKind
    uint64_t world;  // all but CHUNK_LIVE
    uint64_t prev;   // SCENARIO: sequence of the world's batch before it
    uint64_t ids;    // SCENARIO: see StoreBatch
} Chunk;

typedef enum ChunkKind {
    CHUNK_LIVE,      // batches of the live world
    CHUNK_SCENARIO,  // of another
    CHUNK_WORLD,     // bytes: what to keep of a world
    CHUNK_WORLD_GONE // it is no more
} ChunkKind;

// A journal row by what it needs.
typedef struct RowSize {
    uint64_t seq;
    int64_t bytes;
} RowSize;

// Rows behind the root, oldest first.
typedef struct RowSizes {
    RowSize *rows;
    int64_t head, count, cap; // cap: power of two
} RowSizes;

typedef struct Kept {
    int64_t rows, bytes;
} Kept;

// Somebody wants to read the journal.
typedef struct JournalRead {
    struct JournalRead *next;
    uint64_t world, after; // world 0: live
    int64_t bytes_max;
    StoreReadFn fn;
    void *arg;
} JournalRead;

// A put of items on its way: flag, kind, key and value one after the other.
typedef struct ItemPut {
    struct ItemPut *next;
    Buf bytes;
    StoreItemsFn done;
    void *arg;
} ItemPut;

// A put of history on its way.
typedef struct HistoryPut HistoryPut;

// Blocks that end behind the newest root, and later than every one before them.
typedef struct AheadRow {
    int64_t id;
    uint64_t last;
} AheadRow;
typedef struct HistoryAhead {
    AheadRow *rows; // ascending by both
    int64_t count, cap;
} HistoryAhead;

// Connections that read; `lock` of the store guards all but hold_after.
typedef struct Readers {
    StoreReader *idle;
    int active;
    bool hold;            // nobody begins: the log has become long
    pthread_cond_t moved; // one has ended, or hold has
    int64_t hold_after;   // of the log; the working thread's
} Readers;

// Somebody waits for something to be read; lives on the waiter's stack.
typedef struct ItemScan {
    struct ItemScan *next;
    Str kind, after;
    int64_t limit;
    Buf *out;
    bool more, ended;
    Err err;
} ItemScan;

struct Store {
    StoreOpen o; // limits are filled in; path is not kept
    Domain *domain;
    Thread thread;

    // Of the working thread: the opener's until store_start, then the store's own, then the closer's.
    Db db;
    Zip zip;
    Buf blob;         // one packed block
    IdSet live;       // blocks the live world's root names
    IdSet others;     // blocks other worlds' roots name
    IdSet garbage;    // page rows no root names, to be deleted
    uint64_t trim_to; // journal rows up to here may be deleted; 0: looked at
    RowSizes behind;  // journal rows behind the newest root
    Kept kept;        // journal rows before it
    uint64_t page_next;
    uint64_t *gone; // worlds that are no more, whose journals are to be deleted
    int64_t gone_count, gone_cap;
    bool gc_stuck;        // deleting failed: wait for a sign that writing works
    int64_t history_next; // id of the next block of history
    HistoryAhead ahead;

    // `lock` guards what follows. Taken by any thread for a few instructions or one memcpy; no callback runs under it.
    pthread_mutex_t lock;
    pthread_cond_t work;   // something for the store thread
    pthread_cond_t room;   // the queue got shorter, or the store thread has nothing to do
    Chunk *head, *tail;    // waiting; submit appends to tail
    Chunk *spare;          // for reuse
    int64_t queue_bytes;   // in waiting chunks and the one being committed
    int64_t refused_bytes; // size of the newest group that failed
    uint64_t submitted, committed;
    uint64_t tickets, tickets_done; // submissions so far; the last of the newest group that is on the disk
    bool failed, probe, stop, busy;
    bool checkpointing;
    World *fork; // checkpoint that has not begun
    uint64_t fork_seq;
    ItemPut *items, *items_last; // waiting
    int64_t item_bytes;          // in them
    ItemScan *scans, *scans_last;
    JournalRead *reads, *reads_last;
    uint64_t oldest;                    // see store_journal_oldest
    HistoryPut *history, *history_last; // waiting
    int64_t history_bytes;              // in them
    uint64_t sealed;                    // everything up to it is in blocks
    bool seal_failed, closing;
    struct Scrub *scrubs; // see scrub.c; the list under the lock, what is in them the working thread's
    int64_t mark;         // see history.c; the working thread alone changes it and root_seq
    uint64_t root_seq;    // of the newest root
    Readers readers;
    StoreStats stats;
};

// Puts that fit into one transaction, off the list; NULL when there is none. Caller holds the lock.
ItemPut *items_take(Store *s);
// Write them into the open transaction. On failure it is rolled back.
MUST Err items_write(Store *s, const ItemPut *list);
// Tell those who put them, and free them. No lock held.
void items_end(Store *s, ItemPut *list, Err err);
// Answer one scan. True when there was one.
bool items_serve(Store *s);
// Answer one reader of the journal. True when there was one.
bool journal_serve(Store *s);

// Write one slice of history. True when there was something.
bool history_serve(Store *s);
// Wait until everything up to seq is in blocks, doing meanwhile what comes. Errors: STORAGE (given up).
MUST Err history_await(Store *s, uint64_t seq);
// The root moves to seq: write how far blocks are behind it into the open transaction; it has moved. On failure the
// transaction is rolled back.
MUST Err history_mark_put(Store *s, uint64_t seq);
void history_root_moved(Store *s, uint64_t seq);
// Learn from the file what is ahead of its root. Errors: CORRUPT, STORAGE.
MUST Err history_load(Store *s, uint64_t root_seq);
// Drop what waits.
void history_free(Store *s);
// The row a statement stands at, columns as in HISTORY_ROW. False: it does not match its check.
bool history_row(sqlite3_stmt *st, StoreHistory *out);
// The checks of rows; the size is that of the bytes.
int64_t history_check(const StoreHistory *h);
uint32_t dead_check(const StoreDead *d);
// The number of a row of `dead`, and what it says.
uint64_t dead_id(const StoreDead *d);
StoreDead dead_by_id(uint64_t id);

// Take or make the chunk that the next bytes of that kind and world go to. Caller holds the lock and has made sure that
// nothing failed.
Chunk *chunk_for(Store *s, ChunkKind kind, uint64_t world, int64_t bytes);
// Write a chunk that is not the live world's into the open transaction.
MUST Err others_write(Store *s, const Chunk *c);
// It is on the disk.
void others_written(Store *s, const Chunk *c);
// After opening: find what is left of worlds that are no more. Errors: STORAGE, CORRUPT.
MUST Err others_load(Store *s);
// Delete some of it, in one transaction. Errors: STORAGE.
MUST Err others_delete(Store *s);
// A row of the journals of other worlds, as DB_SCENARIO_SCAN gives it. False: it does not match its check.
typedef struct ScenarioRow {
    int64_t id;
    uint64_t world, seq, prev, first, ids;
    Str bytes;
} ScenarioRow;
bool others_row(sqlite3_stmt *st, ScenarioRow *out);
uint32_t others_check(const ScenarioRow *r);
uint32_t world_row_check(uint64_t world, Str bytes);
// The connection of a reader, for the files that ask through one; no statement of it is left open, and they leave none.
Db *reader_db(StoreReader *r);

// Nobody reads yet.
void readers_init(Store *s);
// Close them; none is at work.
void readers_free(Store *s);
// Idle ones give back what SQLite caches for them. Store thread.
void readers_forget(Store *s);
// Move the log into the file when it is long enough.
void store_move_log(Store *s);

// A journal row has come; rows up to seq are before the root now.
void rows_push(RowSizes *r, uint64_t seq, int64_t bytes);
void rows_drop(RowSizes *r, uint64_t seq);
void rows_resize(RowSizes *r, uint64_t seq, int64_t bytes);
// What is kept when the root has moved to seq.
Kept rows_kept(const Store *s, uint64_t seq);
// Write `kept` into the open transaction. On failure it is rolled back.
MUST Err kept_put(Store *s, Kept kept);
// Set s->kept and s->oldest from the file. root_seq: the newest root's.
MUST Err kept_load(Store *s, uint64_t root_seq);
// s->kept is `kept`; tell the measures.
void kept_set(Store *s, Kept kept);

// Commit the oldest waiting group and what waits of items, if any, and tell the engine; answer one of everybody who
// asks; write a slice of history; probe; move the log. True when there was something.
bool store_serve(Store *s);
// There is something for store_serve. Caller holds the lock.
bool store_serve_waits(const Store *s);
// Do one piece of everything that waits: a group, a probe, a checkpoint, a slice of deleting. True when there was
// something. The store thread's loop; tests call it instead of store_start to run without a thread.
bool store_step(Store *s);

// Wait for the store thread to get on, or do its work here when it has not been started. Caller holds the lock.
void store_wait(Store *s);

// Write the blocks and the root of `fork`, serving journal groups between slices. Frees the fork.
void checkpoint_run(Store *s, World *fork, uint64_t seq);
// Rows to delete are left and deleting is not stuck.
bool gc_pending(const Store *s);
// Is anything not deleted yet, also what waits for another try?
bool gc_left(const Store *s);
// Delete some journal rows or page rows no root needs, in one transaction.
void gc_slice(Store *s);

// Rebuild the live world from the newest root and the journal. s->db.why tells about a failure.
// Errors: CORRUPT, STORAGE.
MUST Err recover(Store *s, int64_t ring_records, World **world);
// Checks of a row of the journal, of item, of root.
uint32_t journal_check(uint64_t seq, uint64_t prev, uint64_t first, Str bytes);
uint32_t item_check(Str kind, Str key, Str value);
uint32_t root_check(uint64_t world, uint64_t seq, uint64_t page, Str ids);
