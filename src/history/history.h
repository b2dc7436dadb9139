// SPDX-License-Identifier: Apache-2.0
// History: every value, life and link from the first change on, as points by lane and page (world/trail.h), and worlds
// as they were.
//
//   batches --history_add--> queue --history thread--> heads (memory, bounded) --sealed--> blocks (store, tier 0)
//                                                                                 --merged--> long blocks (tier 1, 2)
//                                                                                 --retention--> means, nothing
//
// Invariants
//  1. A point of a batch is in a head or in a block, never in neither (after the batch was taken from the queue), and a
//     reader that looks at heads first and blocks then, and leaves out what the blocks have, sees it exactly once.
//  2. A head is let go when the block made of it is durable. A block covers its page up to `last`: what recovery tells
//     again up to there is left out (store_history_ahead).
//  3. The root of a checkpoint at F waits until all heads are sealed up to F, so the journal behind the root has
//     everything that no block has.
//  4. Heads hold at most head_bytes_max; the largest are sealed first. When they cannot be sealed (full disk), the
//     queue fills and history_room tells the writer to wait.
//
// Forks: a fork's history is a layer over its parent's, see history_fork. It has heads and blocks of its own, and
// shares all else with the history it lies over in the end, the root (live's).
//
// Threads: one thread of its own for heads, sealing and merging, for all forks too; reads from any thread.
#pragma once
#include "codec/hblock.h"
#include "store/store.h"
#include "world/past.h"
#include "world/trail.h"

typedef struct History History;

typedef struct HistoryOpen {
    int64_t head_bytes_max;  // 0: 256 MiB
    int64_t queue_bytes_max; // batches not yet in heads; 0: 64 MiB
    int64_t cache_bytes_max; // decoded blocks for readers; 0: 64 MiB
} HistoryOpen;

// Before the store is opened: history_replay is its on_replay, with the History as part of its ctx.
History *history_new(const HistoryOpen *o);
// The store is open, its thread not started: begins to keep blocks. A file without history gets the state of `live` as
// its beginning. Errors: those of the store.
MUST Err history_open(History *h, Store *s, World *live, Buf *why);
MUST Err history_start(History *h);
// Seal nothing more, stop the thread, free; forks must have been closed before. The store is still open. Of a fork: let
// go of it, at once; nobody reads it any more. Any thread. NULL is fine.
void history_close(History *h);

// ---- forks --------------------------------------------------------------------------------------------------------

// The history of a fork over its parent's: what the parent had up to fork_seq, and what the fork was told itself. All
// functions below take it as they take live's, but for what they say; sequences and times of a fork continue those of
// its parent. Nothing is allocated beside the handle until its first own point.
//
//   fork made                                history_fork
//   a batch of it became visible             history_add                        (as live's)
//   made again after a start                 history_replay_begin, history_replay for each batch of its journal, _end
//   let go of in memory                      history_close                (points in no block: the journal has them)
//   dropped                                  history_close, store_world_del: its blocks go in the background
//
// A parent stays as long as children have it, whether it was closed or not; its journal too, so that it can be made
// again: history_fork with its number and replay up to where its child began, then the child's.
typedef struct HistoryFork {
    History *parent;   // live's, or a fork's
    uint64_t world;    // its number in the file (StoreBatch.world); at most HISTORY_WORLD_MAX
    uint64_t fork_seq; // newest batch of the parent that is part of it; 0: none is
    int64_t fork_time; // that batch's update time; those of the fork are later
} HistoryFork;
#define HISTORY_WORLD_MAX (((uint64_t)1 << 27) - 1)
// A number that is open already gives the same history, with all it was told, to be closed once more. After
// history_open of the root. Any thread; does not look at the disk. Errors: LIMIT (the number).
MUST Err history_fork(const HistoryFork *f, History **out);
// The journal of a fork is about to be told again by history_replay, ascending, from any of its batches on. What is in
// blocks, and what this handle was told before, is passed over. Errors: STORAGE, CORRUPT.
MUST Err history_replay_begin(History *fork);
void history_replay_end(History *fork);
// Everything the fork itself was told up to here is in blocks that are durable (fork_seq: nothing is known to be): its
// journal may go that far. Moves on after history_seal; stands still when the disk refuses. Any thread.
uint64_t history_sealed(History *fork);

// ---- batches in ---------------------------------------------------------------------------------------------------

// Recovery tells of a batch again, before history_open; of a fork's, between history_replay_begin and _end. Copies.
void history_replay(History *h, const BatchHead *head, Str trail);
// A batch has become visible. Takes the trail's buffer and leaves a zeroed one. The store's thread. Never blocks.
void history_add(History *h, uint64_t seq, int64_t time, Str source, Buf *trail);
// False: the queue is over its bound; the writer waits with history_wait_room.
bool history_room(const History *h);
void history_wait_room(History *h);
// Wait until everything up to seq is in heads, of forks their parents' part too. Any thread but the store's and the
// history's own.
void history_wait(History *h, uint64_t seq);
// A checkpoint at seq begins: seal everything up to it and tell the store; of a fork what is its own, and
// history_sealed tells. Does not wait.
void history_seal(History *h, uint64_t seq);
// Wait until nothing is left to seal, merge or let go. Tests, close, benches.
void history_drain(History *h);

// ---- reading ------------------------------------------------------------------------------------------------------

// The instant from which on everything is known, raw points having been let go before; 0: nothing was ever.
int64_t history_from(History *h);
// Newest batch at or before `at`: its sequence and time. 0 when there is none.
MUST Err history_seq_at(History *h, int64_t at, uint64_t *seq, int64_t *time);
// Is the world of `at` known? It is from history_from on, and before when nothing came between the two. Errors:
// PAST_GONE, those of history_seq_at.
MUST Err history_knows(History *h, int64_t at);
// Time of the oldest batch known, or of the state that history began with. 0 when there is none.
MUST Err history_begun(History *h, int64_t *time);

typedef struct HistoryPoint {
    uint8_t kind; // HPointKind
    uint16_t row;
    int64_t time;        // its own: source_time, or arrival when there is none
    int64_t arrival;     // update time of its batch
    int64_t source_time; // 0: none
    uint64_t seq;
    uint64_t bits;
    Str text;
    Str source; // who set it
} HistoryPoint;

// Points of one row of a lane with own times in [from, to), ascending by own time, those of one time by arrival. MOVED
// points are left out, SOURCE points too. fn false: stop. Texts live during the call of fn.
//   arrival  order and bounds by arrival instead
// Errors: STORAGE, CORRUPT.
typedef struct HistorySeries {
    uint64_t lane, row;
    int64_t from, to;
    bool arrival;
    bool everything; // MOVED and SOURCE points too
} HistorySeries;
MUST Err history_series(History *h, const HistorySeries *s, bool (*fn)(void *ctx, const HistoryPoint *p), void *ctx);
// The value that stood at `at` by its own time (a LATE one counts): the newest with own time <= at, one a row; kind
// CLEAR or 0: none. texts in `keep`. Rows of one lane, any pages; of very many pages a thread of its own looks at half.
MUST Err history_last(History *h, uint64_t lane, const uint64_t *rows, int64_t n, int64_t at, Arena *keep,
                      HistoryPoint *out);

// Aggregates where raw points were let go: see history_retain.
typedef struct HistoryMean {
    int64_t time, step_ns; // of the interval [time, time + step)
    double min, max, mean, first, last;
    int64_t count;
} HistoryMean;
MUST Err history_means(History *h, const HistorySeries *s, bool (*fn)(void *ctx, const HistoryMean *m), void *ctx);
// The newest of a row's points that were let go, as the state in which those that are kept begin tells it: a value, its
// times, no source. kind 0: none is known of (there was none, it took the value away, history began with it). Its text
// lives in `keep`.
MUST Err history_let_go(History *h, uint64_t lane, uint64_t row, Arena *keep, HistoryPoint *out);

// Every trail record with arrival in [from, to), in the order they were applied, for replay: batch by batch. `row` is
// page << 10 | row of the lane. Holds about as much memory as the longest stretch of one checkpoint interval.
typedef struct HistoryBatch {
    uint64_t seq;
    int64_t time;
    Str source;
    const TrailPoint *points;
    int64_t count;
} HistoryBatch;
MUST Err history_batches(History *h, int64_t from, int64_t to, bool (*fn)(void *ctx, const HistoryBatch *b), void *ctx);

// The same of lives alone: points of LANE_PLACE and LANE_NAME, of all batches that have such; nothing of them was ever
// let go, so any `from` will do. Reads the blocks of these lanes only.
MUST Err history_lives(History *h, int64_t from, int64_t to, bool (*fn)(void *ctx, const HistoryBatch *b), void *ctx);

// What a past world is made of. `at` as in world_past.
PastSource history_past(History *h);
// Dead twins of a name, newest first, those of unsealed batches too.
MUST Err history_dead(History *h, Str name, bool (*fn)(void *ctx, const StoreDead *d), void *ctx);

// All dead twins of this world alone, not of those below it, with numbers behind `after`, ascending by number; `limit`
// of them at most.
MUST Err history_dead_list(History *h, uint64_t after, int64_t limit, bool (*fn)(void *ctx, const StoreDead *d),
                           void *ctx);

// The name that a dead twin had, of this world or of those below it; "": it is not dead. In `keep`.
MUST Err history_dead_name(History *h, uint64_t twin, Arena *keep, Str *name);

// ---- retention ----------------------------------------------------------------------------------------------------

// What is kept of a lane (or of single rows of it): raw points for raw_ns, then means of step_ns for means_ns.
typedef struct HistoryKeep {
    int64_t raw_ns;            // 0: for ever
    int64_t hold_ns;           // an instant: raw points that arrived then or later stay all the same; 0: none
    int64_t step_ns, means_ns; // 0: none; 0: for ever
} HistoryKeep;
// The engine tells what is to be kept, as its policies say it: keep() is asked by lane and row from the history's
// thread.
// rows: false when all rows of the lane are kept alike (then row is 0).
typedef struct HistoryRules {
    void *ctx;
    HistoryKeep (*lane)(void *ctx, uint64_t lane, bool *rows);
    HistoryKeep (*row)(void *ctx, uint64_t lane, uint64_t row);
} HistoryRules;
void history_rules(History *h, const HistoryRules *rules);
// Carry retention out as of `now`, in the background, in slices.
void history_retain(History *h, int64_t now);

// ---- erasing ------------------------------------------------------------------------------------------------------

// Take points of rows of lanes out of heads, blocks, means and caches, as if they had never been: those that arrived in
// [from, to). A row means another twin at another time, so spans matter: what clears the row at `from` stays, it is of
// who had it before; what the batch at `to` did to the row before it clears it goes too. Means of a row that were made
// of points of a span go as a whole, other twins' with them.
// Waits until that is durable; what is told meanwhile may stay. Doing it again does no harm. Any thread but
// the store's and the history's own. points: what went or was written over. Errors: STORAGE, STORAGE_FULL, CORRUPT,
// BUSY, CLOSED. Of a fork's history only what is its own goes, of live's only live's.
typedef struct HistoryErase {
    uint64_t lane, row;
    int64_t from, to;
    Str member;  // telemetry lanes: only messages that have this member; "": all
    Str instead; // text lanes: stands in place of every text there was; "": the points go
} HistoryErase;
MUST Err history_erase(History *h, const HistoryErase *what, int64_t n, int64_t *points);
// Let go of the names of dead twins: "erased:ID" stands in their place. Errors: as above.
MUST Err history_erase_dead(History *h, const uint64_t *twins, int64_t n);
// Rows of a lane that ever had `value` in the bits of `mask`: fn(ctx, row), in no order, perhaps more than once. Looks
// at every block of the lane.
MUST Err history_find(History *h, uint64_t lane, uint64_t mask, uint64_t value, bool (*fn)(void *ctx, uint64_t row),
                      void *ctx);

// ---- measures -----------------------------------------------------------------------------------------------------

typedef struct HistoryStats {
    // Of all worlds, but `heads`: pages in memory of the history asked.
    int64_t points, head_bytes, heads, queue_bytes, sealed_blocks, merged_blocks, blocks_let_go;
    int64_t seal_ns, merge_ns; // processor time of the history's thread
    int64_t cache_hits, cache_misses;
    int64_t failed;       // changes that the disk refused
    int64_t merge_behind; // pages with young blocks to merge
    int64_t merged_points;
    int64_t points_let_go, means_made, retain_ns; // retention
    int64_t corrupt;                              // pages left alone because a block of theirs cannot be read
} HistoryStats;
// Any thread.
void history_stats(History *h, HistoryStats *out);
