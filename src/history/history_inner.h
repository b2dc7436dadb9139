// SPDX-License-Identifier: Apache-2.0
// History, from the inside: its data and the verbs its files share. Included by src/history/*.c only.
//
//   history.c  thread, queue, puts        head.c   heads: points in memory by (lane, page)
//   seal.c     heads -> blocks            begin.c  recovery, the beginning of a file's history
//   read.c     series, last               page.c   rows of a page as known at an instant
//   batches.c  batches in order           cache.c  opened blocks for readers
//   erase.c    erasing                    layer.c  forks: their life, what of a parent counts
//   merge*.c, retain.c, means.c           merging, retention, means
//
// Who owns what
//   history thread  the table of heads, runs that are open, `seal`, `merge`, `coder`, `scratch`. It changes the table
//                   and the runs a head has under `lock`; appending to a run needs no lock, readers follow chunks by
//                   acquire loads.
//   readers         take references to runs under `lock`, then look at the store in a transaction of their own.
//   store's thread  put_done only: appends to `ended` under `lock`.
// `lock` is a leaf: held for a few instructions, never over a call into the store. `cache.lock` likewise; the two are
// never nested.
//
// Forks: a History each, with heads, dead and what was told of its own; all else is the root's (h->root), whose thread
// works for all. In the store, in merging and in erasing its lanes are store_lane(world, lane); in heads and in what
// readers ask they are the lane's own.
//
// Invariants
//  1. A head has at most one frozen run. It is on its way to a block; the open one behind it has later batches only. So
//     the blocks of a page become durable in order, whatever fails, and (first, last) of them do not overlap.
//  2. A run is frozen between batches only.
//  3. A frozen run is let go after its block is durable, by the history thread. A reader that took it leaves out what
//     is not after the `last` of the page's blocks.
//  4. The first block of a page of live has a start (nothing, or the state of a file that had no history); every block
//     that merging makes has one. Who lets the oldest block of a page go gives the next one a start. Blocks of forks
//     have none, but those of batches: what stood before is their parents'.
#pragma once
#include <stdatomic.h>
#include "base/map.h"
#include "base/thread.h"
#include "history/history.h"

// Lane of the batches: page 0, row 0, a point (HPOINT_PUT, no value) a batch, so that a block's table of batches is
// what there was, by time. Every block of it has a start. The t0 of the first is the beginning of history.
#define LANE_BATCHES ((uint64_t)0x7fffffff << 3)
#define LANE_IS_BATCHES(lane) (store_lane_own(lane) == LANE_BATCHES)
#define LANE_IS_TELEMETRY(lane) (lane_vec(lane) >= TRAIL_TELEMETRY_VEC && !LANE_IS_BATCHES(lane))

// ---- heads (head.c) -----------------------------------------------------------------------------------------------

typedef struct HeadChunk {
    _Atomic(struct HeadChunk *) next;
    _Atomic uint32_t used;
    uint32_t cap;
    uint8_t bytes[];
} HeadChunk;

// Points of one page in order of arrival, as bytes, see head.c.
typedef struct HeadRun {
    _Atomic uint32_t refs;
    _Atomic uint8_t cell; // HCell; 0: no point has told
    uint64_t lane, page;
    HeadChunk *first;
    // Of the history thread while open; fixed when frozen.
    HeadChunk *last;
    uint64_t seq_first, seq_last;
    int64_t time_first, time_last, source_last; // source_last: of the newest point that has one
    int64_t points, bytes;                      // bytes: of memory
} HeadRun;

// One page of a lane. A slot of the table; moves when the table grows.
typedef struct Head {
    uint64_t key; // lane << 28 | page, + 1; 0: free
    HeadRun *open, *frozen;
    uint8_t blocks; // HEAD_BLOCKS_*: does the store have blocks of this page?
    bool flying;    // frozen is in a put
} Head;
enum { HEAD_BLOCKS_UNKNOWN, HEAD_BLOCKS_NONE, HEAD_BLOCKS_SOME };

#define HEAD_RUN_BYTES_MAX (1 << 20) // a longer run is sealed whatever room there is

typedef struct HeadTable {
    Head *slots;
    int64_t cap, count; // cap: power of two
} HeadTable;

// One page more than the highest that was ever written, by lane.
typedef struct LanePages {
    uint64_t lane, pages;
} LanePages;

// Who sent a batch: a number among History.sources, or, when there are too many of them, SOURCE_IS_TEXT and its text.
typedef struct HistorySource {
    uint32_t number;
    Str text;
} HistorySource;
#define HISTORY_SOURCES_MAX 4096 // distinct ones kept by number
#define DEAD_MANY 65536          // more dead twins are not kept in memory
#define SOURCE_IS_TEXT HISTORY_SOURCES_MAX

// What a trail record is in a head. text borrowed.
typedef struct HeadPoint {
    uint64_t seq;
    int64_t time; // arrival
    HistorySource source;
    HPoint p; // batch is not set
} HeadPoint;

// Reads a run, at most up to batch `to`. The run is referenced meanwhile.
typedef struct HeadCursor {
    const HeadRun *run;
    const HeadChunk *chunk;
    const uint8_t *at, *end;
    uint64_t to;
    bool final; // end is the end of the chunk
    uint64_t seq;
    int64_t time, source_time;
    HistorySource source;
} HeadCursor;

// What of a page is in memory: taken under the lock, references to be dropped.
typedef struct HeadView {
    HeadRun *runs[2]; // older first
    int32_t count;
} HeadView;

// Drop all runs and the table.
void head_table_free(HeadTable *t);
// The head of a page, NULL when there is none. History thread, or with the lock.
Head *head_find(const HeadTable *t, uint64_t lane, uint64_t page);
// Append all records of a batch to their heads, and but for no_batch one of the batch itself. History thread.
void head_append(History *h, uint64_t seq, int64_t time, HistorySource source, Str trail, bool no_batch);
// Take what is in memory of a page. Any thread.
HeadView head_view(History *h, uint64_t lane, uint64_t page);
void head_view_free(HeadView *v);
// The same of all heads; *count of them. mem_free the array.
HeadView *head_views(History *h, int64_t *count);
void head_run_unref(HeadRun *r);
// Pages of a lane that are, or were, in heads; 0: none.
uint64_t head_pages(History *h, uint64_t lane);
HeadCursor head_cursor(const HeadRun *r, uint64_t to);
bool head_next(HeadCursor *c, HeadPoint *out);
// Take the points of batches up to `seq` out of a head that has no frozen run. History thread, or before it runs.
void head_drop(History *h, Head *head, uint64_t seq);
// Write a run that is not on its way again, with the points that keep() says, as it left them; it sees all, in order.
// Returns by how many bytes it grew. History thread.
int64_t head_sift(History *h, Head *head, bool frozen, bool (*keep)(void *ctx, HeadPoint *x), void *ctx);

// ---- puts (history.c) ---------------------------------------------------------------------------------------------

// What becomes of a put: on the history's thread.
typedef void (*HistoryPutFn)(History *h, void *arg, Err err);
// Hand a change of blocks to the store. `then` runs once, on the history's thread, when it is durable or refused; what
// is gone is forgotten by the cache before. History thread. Errors: BUSY; then does not run.
MUST Err history_put(History *h, const StoreHistoryPut *put, HistoryPutFn then, void *arg);
// The same and wait for it: while the history thread does not run (history_open), or in another thread than its own.
MUST Err history_put_now(History *h, const StoreHistoryPut *put);
// One turn of the history thread: puts that ended, batches, a piece of sealing or merging. False: nothing to do.
bool history_step(History *h);
// Somebody waits for batches that are in the queue, and heads have room for them: sealing and merging do less.
bool history_hurries(const History *h);

// ---- sealing (seal.c) ---------------------------------------------------------------------------------------------

typedef struct Seal Seal;
// What sealing keeps between its pieces.
Seal *seal_new(void);
// Give its working memory back. History thread.
void seal_tidy(Seal *s);
// Free it; nothing is on its way.
void seal_free(Seal *s);
// Do a piece of sealing (about a slice): what history_seal asked for, what makes heads pass 3/4 of their bound, what
// the disk refused some time ago. True when something was done. History thread.
bool seal_step(History *h);
// Nanoseconds until what the disk refused is tried again; < 0: nothing waits.
int64_t seal_wait_ns(const History *h);
// The frozen runs hold so many bytes more. History thread.
void seal_frozen_add(History *h, int64_t bytes);
// A fork is going: nothing of it is sealed any more. None of its heads is on its way. History thread.
void seal_forget(History *root, const History *fork);
// Names of the dead are on their way. History thread.
bool seal_has_dead(const History *h);
// Nothing is being sealed or waits for it.
bool seal_idle(const History *h);

// ---- forks (layer.c) ----------------------------------------------------------------------------------------------

// A history as one of those below sees it: what it had up to batch `to`, which came at or before `at`.
typedef struct Layer {
    History *of;
    uint64_t to;
    int64_t at;
} Layer;
// The history itself: all it has. Then what lies below it, down to the root.
Layer layer_first(History *h);
// The layer below; false: there is none, or nothing of it counts.
bool layer_next(Layer *l);
// Up to which batch heads of the layer are looked at.
uint64_t layer_taken(const Layer *l);
// The number of a lane of the layer in the store.
uint64_t layer_lane(const Layer *l, uint64_t lane);

// What of a page is in memory, layer by layer from the history's own on: taken before the store is asked.
typedef struct LayerView {
    Layer layer;
    uint64_t taken; // see layer_taken
    HeadView heads;
} LayerView;
typedef struct LayerViews {
    LayerView *views, one;
    int32_t count;
} LayerViews;
void layer_views(History *h, uint64_t lane, uint64_t page, LayerViews *out);
void layer_views_free(LayerViews *v); // again is fine

// What is in blocks of a fork counts as taken: readers and who seals must know of it first. Asks the store once for
// each fork. Of the root: nothing to do. Any thread but the store's. Errors: STORAGE, CORRUPT.
MUST Err fork_learn(History *h);
// Is that number open?
bool fork_is_open(History *root, uint64_t world);
// A batch of it has come: its heads are looked at from now on. History thread.
void fork_active(History *h);
// Let go of forks that nobody has any more. True when one went. History thread.
bool forks_step(History *root);
// All of them, whoever has them. The history thread is gone.
void forks_free(History *root);
// history_close of a fork.
void fork_close(History *h);
// history_replay of a fork.
void fork_replay(History *h, const BatchHead *head, Str trail);
// Hand a batch to the root's thread. no_batch: blocks have its record of the batch itself.
void history_queue(History *h, uint64_t seq, int64_t time, Str source, Buf *trail, bool no_batch);

// ---- begin (begin.c) ----------------------------------------------------------------------------------------------

// Look what the file has: drop from heads what blocks have, or begin its history with the state of `live`.
MUST Err history_begin(History *h, World *live, Buf *why);

// ---- readers ------------------------------------------------------------------------------------------------------

// What one reading thread works with; from a list, so that zstd contexts are used again.
typedef struct HistoryDesk {
    struct HistoryDesk *next;
    HWork *work;
    Arena arena;     // reset when taken
    uint64_t erased; // the cache's when it was taken
} HistoryDesk;
HistoryDesk *history_desk_take(History *h);
void history_desk_give(History *h, HistoryDesk *d);

// An opened block, from the cache or the store. Held until history_block_drop.
typedef struct CachedBlock CachedBlock;
struct CachedBlock {
    int64_t id;
    StoreHistory row; // as it was listed; bytes are block.bytes
    HBlock block;
    // of the cache
    Arena keep;
    Buf bytes;
    int64_t size, fixed_size; // fixed: without what stays decoded
    int32_t refs;
    bool cached;
    CachedBlock *newer, *older, *chain;
};
// The block of a row as store_history_rows gave it in the transaction of `r`, which its frames are read in by the desk,
// until the next one is asked for. Errors: STORAGE, CORRUPT.
MUST Err history_block(History *h, StoreReader *r, HistoryDesk *d, const StoreHistory *row, CachedBlock **out);
void history_block_drop(History *h, CachedBlock *b);
// Rows that are gone from the store.
void history_forget(History *h, const int64_t *ids, int64_t n);

typedef struct Cache {
    pthread_mutex_t lock; // all below and CachedBlock.refs
    CachedBlock **slots;  // by id
    int64_t cap, count, bytes, hits, misses;
    uint64_t erased; // erasures so far: what a reader began with before one is not kept for others
    CachedBlock *newest, *oldest;
} Cache;
// Free all blocks, and be empty; nobody holds one.
void cached_free(Cache *c);
// Something was erased, durably: no block of the world's pages of `what` (by_place, see erase.c) is found any more, and
// readers under way leave nothing behind. Who holds such a block frees it.
void cached_erase(History *h, uint64_t world, const HistoryErase *what, int64_t n);
// The working memory that idle readers left. Any thread.
void history_desks_free(History *h);

// Is it a point of a cell? Not of a word, telemetry or batches. Lanes of cells hold HCELL_WORD only where there never
// was a value, and then no PUT.
bool history_is_cell(uint64_t lane, HCell cell, uint8_t kind);
// Rows [first, last] of a page as known at `at`, heads up to batch `to` and blocks; texts in the desk's arena.
MUST Err history_states(History *h, HistoryDesk *d, uint64_t lane, uint64_t page, int64_t at, uint32_t first,
                        uint32_t last, HState *out);

// ---- merging and retention (merge*.c, retain.c) -------------------------------------------------------------------
// On the history thread, between batches and seals: h->coder and h->scratch are free to use in a step (reset scratch at
// its begin). Rows are read through store_reader_begin like anybody does; replacements go through history_put with the
// rows they replace in `gone`, one put with all of them. Nobody else touches rows that are in the store, but erasing.
// Rows sealed meanwhile are behind those read: they never overlap.

typedef struct Merge Merge;
// What merging keeps between its pieces.
Merge *history_merge_new(void);
// Free it; nothing is on its way.
void history_merge_free(Merge *m);
// The store is open: look what waits. Before the history thread runs.
MUST Err history_merge_open(History *h);
// Do one piece, a few ms. False: nothing to do now. Called when the queue is empty and nothing is to be sealed, and now
// and then when there always is something.
bool history_merge_step(History *h);
// Blocks of tier 0 became durable, one call each.
void history_merge_sealed(History *h, uint64_t lane, uint64_t page, int64_t points, int64_t bytes);

// ---- erasing (erase.c) --------------------------------------------------------------------------------------------

typedef struct EraseJob EraseJob;
// Do a piece of the job there is (h->erase). False: nothing to do now. History thread, no change of merging under way.
bool erase_step(History *h);
// The history's thread ends: who waits is told CLOSED.
void erase_give_up(History *h);

// ---- the history --------------------------------------------------------------------------------------------------

typedef struct QueueItem {
    struct QueueItem *next;
    History *of;
    bool no_batch; // see history_queue
    uint64_t seq;
    int64_t time;
    HistorySource source; // text owned
    Buf trail;
} QueueItem;

typedef struct PutEnd { // a put on its way to the store and back
    struct PutEnd *next;
    History *h;
    HistoryPutFn then; // NULL: history_put_now waits for `ended`
    void *arg;
    Err err;
    bool ended;
    int64_t *gone;
    int64_t gone_count;
} PutEnd;

// A dead twin that is not in the store yet.
typedef struct DeadTwin {
    uint64_t twin, seq;
    Str name; // owned
    int64_t time;
} DeadTwin;

// What recovery told of a fork before, see history_replay_begin.
typedef struct ForkHad {
    uint64_t lane, page, last;
} ForkHad;

// What a fork's History has beside its own.
typedef struct HistoryForked {
    uint64_t world, fork_seq;
    int64_t fork_time;
    History *next;          // of the same slot of root->forks. The lock
    History *next_close;    // of root->closing. The lock
    int32_t refs;           // who opened it, and children. The lock
    bool closing;           // it is in root->closing. The lock
    bool active;            // it is in root->active
    _Atomic int64_t queued; // batches of it on their way to heads
    int64_t flying;         // of its heads and dead, how many are in puts. History thread
    _Atomic bool learnt;
    _Atomic uint64_t sealed; // see history_sealed
    // Between history_replay_begin and _end; of who replays.
    bool replaying;
    ForkHad *had; // ascending by lane, page
    int64_t had_count, had_cap;
    uint64_t had_last; // the latest of them
} HistoryForked;

struct History {
    History *root;   // who has the thread, the queue, the store; live's: itself
    History *parent; // NULL: it is the root
    HistoryForked f; // of forks

    HistoryOpen o; // limits filled in
    Store *store;  // NULL before history_open; a fork's is the root's
    Thread thread;

    pthread_mutex_t lock;
    pthread_cond_t work;  // for the history thread
    pthread_cond_t moved; // for who waits: taken, room, idle, ended
    // Under the lock.
    QueueItem *head, *tail; // batches not yet in heads
    PutEnd *ended, *ended_last;
    bool stop, idle, poked; // poked: something is new for the history thread
    uint64_t told;          // newest batch told
    uint64_t queue_told;    // batches ever put into the queue
    uint64_t seal_to;       // asked for by history_seal; 0: nothing
    History *next_ask;      // forks asked to seal, from `asked` on
    History *asked;
    History **forks; // by number; fork_slots: power of two
    int64_t fork_slots, fork_count;
    History *closing; // forks that nobody has any more
    bool many_dead;   // somewhere more than DEAD_MANY wait
    int64_t flying;   // puts on their way
    HistoryDesk *desks;
    Str *sources; // by number; 0: ""
    int64_t source_count;
    Map source_numbers;
    DeadTwin *dead; // ascending by seq
    int64_t dead_count, dead_cap;
    LanePages *lanes; // open addressing by lane
    int64_t lane_cap, lane_count;
    HistoryRules rules; // of retention
    int64_t retain_now; // history_retain was called with it; 0: no

    _Atomic uint64_t queue_taken; // batches ever taken from it
    _Atomic uint64_t taken;       // everything up to it is in heads
    _Atomic int64_t queue_bytes, head_bytes;
    _Atomic int32_t waiting; // in history_wait; under the lock
    _Atomic int64_t from;    // see history_from

    // Of the history thread; before it runs, of who opens.
    int32_t hurried;  // turns that sealing was put off
    HeadTable heads;  // changed under the lock
    uint64_t sealing; // up to where sealing was taken up; 0: nothing was
    int64_t dead_flying;
    bool awaits;      // something to be sealed is on its way
    History **active; // forks that have, or had, heads
    int64_t active_count, active_cap;
    Seal *seal;
    Merge *merge;
    HWork *coder;
    Arena scratch;
    uint64_t replayed;         // first batch told by recovery; 0: none
    bool long_run;             // some run is over HEAD_RUN_BYTES_MAX
    _Atomic(EraseJob *) erase; // set under the lock; NULL: nothing is to be erased

    Cache cache;
    struct {
        _Atomic int64_t points, sealed_blocks, merged_blocks, blocks_let_go, seal_ns, merge_ns, failed;
    } n; // measures
};

// Everything up to seq is in heads or blocks; of a fork it may be more: blocks have more than its journal told again so
// far. Any thread.
void history_taken(History *h, uint64_t seq);
// A batch's source by its number (or its text, borrowed), and back. Any thread; takes the lock.
HistorySource history_source(History *h, Str source);
Str history_source_text(History *h, HistorySource source);
