// SPDX-License-Identifier: Apache-2.0
// Engine: what stands behind sosia.h. Owns the worlds, their one writer, the feed and the store's callbacks.
//
// Who owns what, on which thread
//   caller     builds a Task (parses the body), puts it into the Inbox; reads worlds through engine_read.
//   worker     parses large bodies in the caller's stead, see workers.h.
//   query      answers large questions in the caller's stead and helps with parts of them, see query_desk.h. Threads of
//              their own, at a lower priority, so that no question however long holds up a write; one of them is kept
//              from long questions, so that a short one never waits for a long one to end.
//   writer     takes Tasks in order; the only one that writes worlds, makes batches, forks and undoes.
//   store      runs engine_on_commit and engine_on_fail: makes batches visible, publishes them, completes Tasks.
//
// Life of a write
//   sosia_write -> Inbox -> writer: world_begin, edit_*, result rendered, batch_encode, world_end
//     -> Fifo of pending batches -> store_submit -> [commit] -> world_publish -> Hub (feed) -> done(arg)
//   A world without a store (in memory, forks) is published by the writer at once.
//   A failed commit: the store thread raises `failed`; the writer undoes everything after `durable`, fails what is
//   pending and lets the store go on. Nothing undone was ever visible.
//
// Locks, in the order they may be nested: worlds_lock; hub->lock; inbox lock; fifo lock. None is held over a call into
// a world, the store or a callback, but for hub->lock over a feed's notify function. Those of questions stand alone.
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/thread.h"
#include "history/history.h"
#include "sosia/sosia.h"
#include "store/store.h"
#include "world/edit.h"
#include "world/show.h"
#include "world/world.h"

#define QUEUE_DEFAULT 4096
#define TIME_GRAIN 100 // times of batches are whole multiples of it
#define RING_DEFAULT (1 << 18)
#define RING_MIN 8192               // less, and no twin could be made: its name may split a part of the index
#define FORK_RING_RECORDS (1 << 16) // before-images a fork keeps
#define CHECKPOINT_INTERVAL_DEFAULT (30 * NS_PER_S)
#define CHECKPOINT_BYTES ((int64_t)256 << 20) // journalled since the last one: write the next before its time
#define FEED_BYTES_DEFAULT ((int64_t)64 << 20)
#define JOURNAL_BYTES_DEFAULT ((int64_t)256 << 20)
#define HOLDS_MAX 4096                     // durable cursors by name
#define FORK_FEED_BYTES ((int64_t)4 << 20) // batches a fork keeps for its feed
#define BODY_MAX ((int64_t)64 << 20)       // bytes of one body
#define WORLDS_MAX 4096                    // worlds alive at once
#define WORLD_NAME_MAX 64
#define LINES_PER_BATCH 5000 // import lines in one batch
#define PROBE_GROUP 64       // commands tried at a time while the disk is full
#define READ_TRIES 3         // fresh views before a read asks for a fork

typedef struct Hub Hub;
typedef struct Realm Realm;
typedef struct Task Task;
typedef struct Lines Lines;
typedef struct Points Points;

struct Scenario;
struct RanBefore;

// ---- worlds -------------------------------------------------------------------------------------------------------

// What the table of past worlds knows of one of them, guarded by its lock; see pasts.h.
typedef struct PastUse {
    bool is;          // a past world: nobody writes it, there is no hub
    struct Realm *of; // whose past it is: a fork, with a reference; NULL: live's
    bool listed;      // in the table
    uint64_t seq;     // of its newest batch
    int64_t from, to; // the instants known to be it
    int64_t bytes;    // when it was last looked at
    uint64_t used;    // tick of the last use
} PastUse;

// A world with its name. Counted: the table holds one reference, every reader and cursor at work one more.
struct Realm {
    _Atomic int32_t refs;
    Sosia *engine;
    Str name, parent; // owned
    World *world;
    Hub *hub; // NULL: of a past world
    int64_t ring_records;
    bool stored;               // batches go through the store
    struct Scenario *scenario; // of a fork, see scenarios.h; NULL: live, and worlds that nobody names
    Realm *_Atomic under;      // of a fork that lies over a past world: that, with a reference; else NULL. The writer's
    _Atomic bool loaded;       // of a fork: world, hub, base and under are there; else realm_open makes them
    uint64_t own_since;        // of a fork: blocks of older epochs are not its own nor its parents', see world_pages
    World *base;               // of a fork: its parent as it was forked, frozen; NULL: ask the past for it
    struct Derive *derive;     // derived values, the writer's; NULL: none so far
    _Atomic bool ready;        // readers may find it: everything it was made from is visible
    // Questions; guarded by the desk's lock.
    bool dropped;                    // no cursor may be made
    uint64_t renewed;                // nor for a question that began before the newest desk_renew
    struct QueryCache *facts;        // made by the first question
    bool tending;                    // a thread looks after its indexes, or will
    int64_t tended_ns;               // when it was asked to last
    struct Snapshot *snapshot;       // the newest, while anyone holds it
    struct SnapshotWait *waiting[2]; // for the one under way; for the one after it
    bool snapshotting;
    PastUse past;
};

// The live or named world with a reference taken; one that was kept in the file is made when it is first asked for. Any
// thread but the store's. Errors: WORLD_NOT_FOUND, of scenario_load.
MUST Err realm_open(Sosia *e, Str name, Realm **out);
// The same, or NULL.
Realm *realm_find(Sosia *e, Str name);
// The same for reading: past worlds too. *at (may be NULL): the instant of a past world, untouched for others. May wait
// for the writer. Errors: WORLD_NOT_FOUND, those of pasts_find.
MUST Err realm_get(Sosia *e, Str name, Realm **out, int64_t *at);
Realm *realm_ref(Realm *r);
void realm_unref(Realm *r);
// Drop a reference unless it is the last one. True when it was dropped.
bool realm_unref_some(Realm *r);
// The history of a world: a fork's own over its parent's; of a past world, that of whose past it is. It is there as
// long as the realm. NULL: none is kept.
History *realm_history(const Realm *r);
// Of what is in the table, without making anything: is there a world of that name? The world, with a reference, when it
// is made, else NULL; the same of a scenario; is that one still there?
bool realm_known(Sosia *e, Str name);
Realm *realm_made(Sosia *e, Str name);
Realm *realm_of(Sosia *e, const struct Scenario *s);
bool realm_listed(Sosia *e, const Realm *r);
// Note how the last run of the scenario of that name and number ended, when the engine opens. What was noted of a
// realm's; false: nothing. Any thread.
void realm_ran(Sosia *e, Str name, uint64_t number, const struct RanBefore *ran);
bool realm_ran_before(const Realm *r, struct RanBefore *out);
// A realm around `w` with one reference, not in any table. w NULL: realm_fill gives it one.
Realm *realm_new(Sosia *e, Str name, Str parent, World *w, int64_t ring_records);
void realm_fill(Realm *r, World *w);
// The same around a world that nobody writes: no hub, no ring.
Realm *realm_frozen(Sosia *e, Str name, World *w);
// Writer: the commands of sosia_fork and sosia_drop.
void world_task_fork(Sosia *e, Task *c);
void world_task_drop(Sosia *e, Task *c);
// What a fork or drop command leaves to do once it is durable (ok), or was undone.
void world_fork_done(Task *c, bool ok);
void world_drop_done(Task *c, bool ok);
// Opening: forks that the file keeps are in the table, not made yet. Errors: STORAGE, CORRUPT.
MUST Err worlds_open(Sosia *e);
// Append the JSON of SOSIA_GET_WORLDS: all but past ones, or one. Any thread. Errors: those of realm_get, STORAGE.
void worlds_show(Sosia *e, Buf *out);
MUST Err world_show_one(Sosia *e, Str name, Buf *out, uint64_t *seq);
int64_t worlds_count(Sosia *e);
// Close: no hub answers any more, every realm is freed.
void worlds_free(Sosia *e);

// ---- commands -----------------------------------------------------------------------------------------------------

enum {              // beside SosiaOp
    OP_APPLY = 100, // sets
    OP_POINTS,      // points
    OP_FORK,        // world -> name
    OP_DROP,        // name
    OP_SNAPSHOT,    // a fork for one reader
    OP_ITEMS,       // items, where there is no file
    OP_WAKE,        // nothing but a round of the writer
    OP_ERASE,       // what stands of id (sub: of one property) goes; see erase.h
    OP_FORGET,      // what is kept in memory of before goes; under: what the world lies over from now on
    OP_MERGE,       // merge, see merge.h
    OP_RUN,         // sets: what a run tells, see run.h
    OP_RETELL,      // items: an encoded batch of live; id: only of this twin; see retell.h
    OP_SETTLE, // everything applied so far visible, and later batches of later times; realm: of a fork; see pasts.h
};

// One queued write. Built and filled by the caller's thread, then owned by the writer, then by whoever completes it.
struct Task {
    Task *next;
    int op;      // SosiaOp or OP_*
    Arena arena; // owns every text below
    Str world, id, sub, if_match, if_none_match, message_id, source, body;
    int64_t source_time;
    bool no_times; // of the result body
    Json json;
    Lines *lines;   // IMPORT
    Points *points; // POINTS, INGEST, INGEST_CSV
    Change *sets;   // APPLY
    bool *checked;  // APPLY: sets[i] needs no further look at its type
    int64_t set_count;
    Str name;                  // FORK, DROP
    struct Scenario *scenario; // FORK: what was asked for
    Realm *under;              // FORK: of this past world; FORGET: see there
    // APPLY: the batch's; 0: the world's clock says. SNAPSHOT of live, not 0: it is live at that instant, or, then it
    // says which, a later one, and batches that follow are of later times.
    int64_t time;
    uint64_t epoch; // FORK of the past, RETELL, MERGE: erase_epoch before it was read; 0: of no concern
    Realm *realm;   // FORK: the new one; SNAPSHOT, SETTLE: of this one, whatever `world` says
    World *fork;    // SNAPSHOT: the result
    struct {
        int64_t batches, batch_bytes;
        uint64_t foreign;
    } tally;     // SNAPSHOT of a fork: what is counted of it up to there
    World *base; // SNAPSHOT, with_base: of a fork's base, NULL when it has none
    bool with_base;
    struct Merge *merge; // MERGE: of the caller, who waits
    Buf items;           // ITEMS: see items.c
    // result
    Err err;
    Str message, details; // in the arena
    Buf out;
    char etag[48];
    uint64_t seq;
    bool created;
    SosiaDoneFn done;
    void *arg;
    bool keep;   // the waiting caller frees it
    bool parsed; // by a worker
};

// An empty command; room: bytes its texts will need, about.
Task *task_new(int op, SosiaDoneFn done, void *arg, int64_t room);
void task_free(Task *c);
// Whether the inbox takes more, before anything is spent on a body. Errors: BUSY, CLOSED.
MUST Err inbox_look(Sosia *e);
// Put it into the inbox. internal: may pass queue_max. Errors: BUSY, CLOSED; the command is then still the caller's.
MUST Err task_queue(Sosia *e, Task *c, bool internal);
// Queue and wait; the command is the caller's again.
MUST Err task_wait(Sosia *e, Task *c, bool internal);
// Set its failure; fmt NULL: the meaning of `err`.
void task_fail(Task *c, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// Append one message: "where: text", or the text alone when it names the place already.
void task_message_put(Buf *b, const DiagMessage *m);
// Its failure from a Diag (its messages become message and details).
void task_fail_diag(Task *c, Err err, const Diag *d);
// Run its callback; frees it unless a caller waits for it.
void task_finish(Sosia *e, Task *c);
// Writer: carry it out.
void task_run(Sosia *e, Task *c);
// Caller: parse the body of a SOSIA_* command; failures are kept in the command.
void task_parse(Sosia *e, Task *c);

// ---- import ------------------------------------------------------------------------------------------------------

// Prepared lines of an IMPORT body, in the command's arena. Caller's thread.
void lines_parse(Task *c);
void lines_free(Lines *l); // NULL is fine
// Writer: apply them in as many batches as needed.
void lines_run(Sosia *e, Realm *r, Task *c);

// ---- batches and commits ------------------------------------------------------------------------------------------

// One visible batch as the feed keeps it: the bytes of batch_encode.
typedef struct FeedBatch {
    _Atomic int32_t refs;
    uint64_t seq;
    int64_t changes, size;
    char bytes[];
} FeedBatch;

// Drop a reference; the last frees. NULL is fine.
void feed_batch_unref(FeedBatch *b);

// A batch on its way to the disk, and the command to complete with it; either may be NULL.
typedef struct Pending {
    uint64_t ticket; // of the submission to the store it waits for
    Realm *realm;    // of a fork's batch, with a reference; NULL: the live world's
    uint64_t seq;
    FeedBatch *batch;
    Task *cmd;
    Buf trail; // with history: what the batch did
} Pending;

typedef struct Fifo {
    Pending *items;
    int64_t cap, head, count; // cap: power of two
} Fifo;

// Writer: wait until the realm has room for one more batch. False when a commit failed while it waited, and everything
// not durable was undone.
MUST bool batch_room(Sosia *e, Realm *r);
void batch_begin(Sosia *e, Realm *r);
// The same at a time. Errors: ARGUMENT (not a fork, or not later than what it has); then no batch is open.
MUST Err batch_begin_at(Sosia *e, Realm *r, int64_t time);
// Its derived values are settled (derive_settle). Finish the open batch (nothing in it: it is dropped) and complete `c`
// (may be NULL) when it is visible.
void batch_end(Sosia *e, Realm *r, Str source, Task *c);
// Complete `c` when everything applied in the realm so far is visible.
void batch_after(Sosia *e, Realm *r, Task *c);
// Complete `c` when everything submitted to the store so far is durable. There is a store, and c was counted by
// batch_ticket before something was submitted.
void batch_kept(Sosia *e, Task *c);
// One more submission to the store.
void batch_ticket(Sosia *e);
// Writer: release what durable batches needed for undo, and deal with a failed commit. True when one failed.
bool commit_poll(Sosia *e);
// Writer: wait until nothing is pending.
void commit_drain(Sosia *e);
int64_t commit_pending(Sosia *e);
// Writer: write a checkpoint when it is due; force: whatever the clock says. Returns ns until the next look.
int64_t checkpoint_poll(Sosia *e, bool force);
// Callbacks of the store, its thread.
void engine_on_commit(void *ctx, uint64_t last_seq, uint64_t ticket);
void engine_on_fail(void *ctx, Err err, const char *why);

// ---- the feed -----------------------------------------------------------------------------------------------------

// The feed of a realm, which holds the one reference. Cursors hold more.
Hub *hub_new(Realm *r, int64_t bytes_max);
void hub_unref(Hub *h);
// A batch has become visible; takes the reference. hub_notify tells the cursors.
void hub_append(Hub *h, FeedBatch *b);
void hub_notify(Hub *h);
// Answer CLOSED from now on; waits until no cursor looks at the world. Not for the writer while it runs: a cursor may
// be waiting for it.
void hub_close(Hub *h);
// The same without waiting: cursors at work hold references to the realm.
void hub_end(Hub *h);
// The journal was written again: what was read of it before is not given any more, and batches in memory are what
// fn(ctx, bytes, out) leaves of them (out empty: all). Errors: those of fn.
MUST Err hub_forget(Hub *h, Err (*fn)(void *ctx, Str bytes, Buf *out), void *ctx);
int64_t hub_bytes(Hub *h);

typedef struct Holds Holds;

// Durable cursors: names with sequences. Reads what the store has of them; before its thread runs. Errors: those of
// store_items_scan.
MUST Err holds_open(Sosia *e, Holds **out);
void holds_free(Holds *h); // NULL is fine
// Writer: have what changed written when it is due; force: now. Returns ns until the next look.
int64_t holds_poll(Sosia *e, bool force);

// ---- items --------------------------------------------------------------------------------------------------------

typedef struct ItemTable ItemTable;

// Items of an engine without a file.
ItemTable *items_new(void);
void items_free(ItemTable *t); // NULL is fine
// Writer: the command of sosia_items_put.
void items_task(Sosia *e, Task *c);

// ---- reading ------------------------------------------------------------------------------------------------------

// One read of a consistent view. Called again with a fresh view when the ring was outrun: it must start over.
typedef Err (*ReadFn)(View *v, void *ctx);

// The one way to read: find the world, look at its visible sequence, retry when outrun, at last on a fork.
//   seq  out, may be NULL: the sequence read at
// Errors: WORLD_NOT_FOUND, OVERRUN, and those of fn.
MUST Err engine_read(Sosia *e, const SosiaCaller *who, Str world, ReadFn fn, void *ctx, uint64_t *seq);
// The same on a realm the caller holds.
MUST Err engine_read_realm(Realm *r, const SosiaCaller *who, ReadFn fn, void *ctx, uint64_t *seq);
// Where a column lies: its table's field, or a relationship's. NULL when there is none.
const Field *catalog_field(const Catalog *c, uint32_t col, const Table **table, const LinkKind **kind);
// A stored value as the API shows it; text is borrowed from `text`.
SosiaValue value_of_cell(const Field *f, bool valid, uint64_t bits, Str text);

// Continuation tokens: url-safe text "k-id-check"; `scope` binds one to the list it belongs to.
void token_print(char kind, uint64_t id, Str scope, Str more, char out[96]);
MUST Err token_parse(Str token, char kind, Str scope, Str more, uint64_t *id);

// ---- questions ----------------------------------------------------------------------------------------------------

typedef struct Desk Desk;

// Start answering. Errors: IO.
MUST Err desk_start(Sosia *e, const SosiaOpen *o);
// Refuse and cancel all questions and wait until they have ended; the writer still runs.
void desk_stop(Desk *d);
// NULL is fine.
void desk_free(Desk *d);
// A world is dropped: what continues questions about it is gone. Any thread.
void desk_forget(Desk *d, Realm *r);
// Something was erased from a world: what continues questions about it is gone, and those under way leave nothing to
// continue. Any thread.
void desk_renew(Desk *d, Realm *r);
// What was learnt of its values is let go of. Any thread; behind desk_outlive nothing of before comes back.
void desk_tidy(Desk *d, Realm *r);
// Wait until the questions under way have ended; one that takes very long is cancelled. Not a thread of the engine's
// that answers them, nor the writer.
void desk_outlive(Desk *d);
// Free what the desk keeps with a realm that nobody uses any more.
void desk_realm_free(Realm *r);
// Append the members of "queries" in SOSIA_GET_STATS.
void desk_stats(Desk *d, Buf *out);

// Append the JSON of SOSIA_GET_STATS.
void stats_show(Sosia *e, Buf *out);

// ---- the engine ---------------------------------------------------------------------------------------------------

// Tasks waiting for the writer. Guarded by `lock`: callers append, the writer takes all.
typedef struct Inbox {
    pthread_mutex_t lock;
    pthread_cond_t wake; // the writer: commands, commits it waits for, failure, close
    Task *first, *last;
    int64_t count;
    bool closing;
    bool waiting;    // the writer waits for a commit
    int64_t commits; // commits seen, for that wait
    bool failed;     // a commit failed; see fail_err
    Err fail_err;
    Buf fail_why;
} Inbox;

typedef struct Counters {
    _Atomic int64_t late, duplicates; // values of sources, see world_do
    _Atomic int64_t commands, failed, updates, batches;
    _Atomic int64_t overruns, read_forks; // views thrown away; reads that ended on a fork
} Counters;

struct Sosia {
    // set at open
    Domain *domain;
    Store *store;     // NULL: in memory
    History *history; // NULL: none is kept
    Str path;         // owned
    int64_t queue_max, ring_records, checkpoint_interval_ns, feed_bytes_max, tick_ns;
    int64_t (*now)(void *ctx);
    void *now_ctx;
    int64_t clock_grain; // ns: times of batches are whole ones of it, unless they would be too early
    int64_t opened_mono_ns;
    Realm *live; // own reference
    Thread writer;
    struct Workers *workers;
    ItemTable *items; // without a store
    Holds *holds;
    Desk *desk;
    struct Pasts *pasts;
    struct Decider *decider;        // of the closed loop
    struct CommandLog *command_log; // of people
    struct Keeper *keeper;          // of checkpoints of forks; NULL: forks are not kept
    struct Eraser *eraser;          // NULL: no history
    int64_t erase_again_ns;         // to the second try of an erasure; 0: ERASE_AGAIN_NS
    _Atomic uint64_t erasures;      // begun and ended; odd: worlds and history still differ in what is erased
    struct Retention *retention;    // what policies say; the history's thread
    _Atomic bool retention_stale;   // a round has begun: make it again
    int64_t retain_interval_ns;

    Inbox inbox;
    Counters counters;

    // The table of worlds but live. worlds_lock: any thread for looking, the writer for changing.
    pthread_mutex_t worlds_lock;
    Realm **worlds;
    int64_t world_count, world_cap;
    struct Scenario **scenarios; // that the file keeps, dropped ones that others need too; the same lock
    int64_t scenario_count, scenario_cap;
    pthread_mutex_t load_lock; // one fork is made at a time; nothing of the engine is taken inside but worlds_lock
    struct Run *runs;          // the newest of each world
    int32_t runs_at_work;      // threads
    bool runs_closing;         // no run begins any more
    pthread_mutex_t runs_lock; // of the three; Run.lock and worlds_lock may be taken inside
    pthread_cond_t runs_wake;
    struct Ensemble *ensembles;     // newest first
    uint64_t ensemble_last;         // the highest number of one
    int32_t ensembles_at_work;      // threads
    bool ensembles_closing;         // none begins any more
    pthread_mutex_t ensembles_lock; // of the four; Ensemble.lock and worlds_lock may be taken inside
    pthread_cond_t ensembles_wake;
    struct SimRegistry *registry; // engines that mappings may name
    struct Replay *replays;       // under way; the same lock

    // Batches not yet durable. pending_lock: the writer appends, the store thread takes from the front.
    pthread_mutex_t pending_lock;
    Fifo pending;
    _Atomic uint64_t durable;           // last sequence on the disk
    uint64_t durable_ticket;            // the store's thread
    _Atomic int64_t retain_floor;       // raw values from this instant on are needed by forks; INT64_MAX: none
    _Atomic uint64_t checkpoint_wanted; // one at this sequence or behind it, as soon as may be
    _Atomic bool degraded;              // the last commit failed
    _Atomic int64_t room;               // before-images that fit, when the writer looked last
    _Atomic bool store_seen;            // store_thread is set
    pthread_t store_thread;

    // The writer's own.
    uint64_t ticket;       // submissions to the store so far
    uint64_t world_number; // the highest that the file knows
    Realm *unsettled;      // forks with batches that are not settled, each with a reference
    uint64_t settled;      // world_settle was called up to here
    Err fail_err;          // why the last commit failed
    uint64_t batch_seq;    // of the open batch
    int64_t batch_time;
    int64_t past_time;         // instants up to here were asked for: batches are later
    int64_t tick_mono_ns;      // of the last tick
    int64_t retention_mono_ns; // of the last round
    Buf encode;                // bytes of the batch at hand
    uint64_t checkpoint_seq;   // sequence of the newest checkpoint
    int64_t checkpoint_mono_ns, probe_mono_ns, bytes_since_checkpoint, checkpoints_failed;
};

// One of the engine's threads: it must not wait for another of them.
bool engine_own_thread(Sosia *e);
