// SPDX-License-Identifier: Apache-2.0
// Desk: where questions are answered. Inside of sosia_query and its kin, for src/engine/query*.c only.
//
// Life of a question
//   sosia_query        the caller's thread does all of it
//   sosia_query_start  the caller's thread when it is small, else a thread of the pool
//
//   Ask --parse--> Question --open on a view of the live world--> Run --> answer
//                                    |                             | more rows than the page holds
//                                    | outrun by the writer        +--> few: kept in a Cursor
//                                    v                             v
//                                  Snapshot (a frozen fork) ----> Run --> answer, and a Cursor for the next page
//
// Every page of a question is of one sequence: that of the view its rows were kept from, or of its snapshot. A snapshot
// holds everything that was acknowledged when it was asked for.
//
// Threads. Anyone may ask; the pool's threads answer what is large (at a lower priority than the writer, so that it
// gets the processor when it needs it) and help others with parts of theirs. A snapshot is taken by the writer and
// arrives on the store's thread, or the writer's. No thread of the pool waits for another one, nor for the writer.
// Desk.lock guards cursors, snapshots and what hangs on them in realms; the pool has its own. Neither is held over a
// call into query/ (but for reading its counters), a world, the other lock or a callback.
#pragma once
#include "base/time.h"
#include "engine/query_past.h"
#include "query/cache.h"
#include "query/query.h"

#define QUERY_TIMEOUT_DEFAULT (60 * NS_PER_S)
#define QUERY_BYTES_DEFAULT ((int64_t)256 << 20)
#define QUERY_SLOW_DEFAULT NS_PER_S
#define QUERY_CURSORS_MAX 256                       // open at once; the one idle for longest goes
#define QUERY_CURSOR_BYTES_MAX ((int64_t)256 << 20) // what they keep, snapshots not counted; the same
#define QUERY_SNAPSHOT_BYTES_MAX ((int64_t)1 << 30) // growth of all worlds while cursors are open; the same
#define QUERY_CURSOR_IDLE_NS (600 * NS_PER_S)       // a cursor nobody asks lives this long
#define QUERY_CURSOR_ENDED_NS (60 * NS_PER_S)       // one that gave its last page
#define QUERY_QUEUE_MAX 256                         // questions waiting for a thread of the pool
#define QUERY_THREADS_MAX 8
#define QUERY_SMALL_ROWS 2000                     // a question that expects to look at no more is answered at once
#define QUERY_SMALL_ROWS_MAX 20000                // and given up, to be run by the pool, when it comes to this
#define QUERY_SMALL_NS (20 * NS_PER_MS)           // or to this
#define QUERY_FREE_BYTES ((int64_t)1 << 20)       // what holds more is freed by the pool
#define QUERY_LARGE_ROWS 200000                   // from here on it is large: one thread of the pool is for others
#define QUERY_LARGE_ROWS_MAX 1000000              // what was not expected to be large begins again as large at this
#define QUERY_KEEP_ROWS 5000                      // rows of the rest of a result that is kept, and to look at for them
#define QUERY_KEEP_BYTES ((int64_t)1 << 20)       // its size
#define QUERY_CACHE_BYTES ((int64_t)64 << 20)     // facts kept of the live world
#define QUERY_FORK_CACHE_BYTES ((int64_t)8 << 20) // of a fork
#define QUERY_RENEW_NS (10 * NS_PER_S)            // an erasure waits so long for questions that began before
#define QUERY_SWEEP_NS (5 * NS_PER_S)             // between looks for idle cursors
#define QUERY_TEND_NS (20 * NS_PER_MS)            // between looks whether an index would pay
#define QUERY_TEND_ROWS 1000                      // questions that look at less do not ask for it

typedef struct Ask Ask;
typedef struct Cursor Cursor;
typedef struct Desk Desk;
typedef struct Pool Pool;

// ---- the pool (query_pool.c) ---------------------------------------------------------------------------------------

// Something for a thread of the pool to do; lives in what it is about. run: the job is its own again.
typedef struct Job Job;
struct Job {
    Job *next;
    void (*run)(Job *j);
    bool large; // one of the threads never takes these
};

// Start `threads` of them. idle: called now and then, between jobs too, while *watch is not 0. Errors: IO.
MUST Err pool_start(int32_t threads, void (*idle)(void *ctx), void *ctx, const _Atomic int64_t *watch, Pool **out);
// False when QUERY_QUEUE_MAX jobs wait; force: takes it all the same.
bool pool_push(Pool *p, Job *j, bool force);
// Jobs waiting.
int64_t pool_waiting(Pool *p);
// A thread in its sleep takes another look at `watch`.
void pool_wake(Pool *p);
// Several threads for one question: the caller's, and those of the pool that have nothing else to do. Never waits for a
// thread that has not begun, so it ends whatever the others do.
const QueryCrew *pool_crew(Pool *p);
// Finish what waits, stop the threads, free. NULL is fine.
void pool_free(Pool *p);

// ---- snapshots (query_snapshot.c) ----------------------------------------------------------------------------------

// A frozen copy of a realm's world, shared by everyone who wanted one of that moment.
typedef struct Snapshot {
    Job job;      // freeing it
    int32_t refs; // desk lock
    Realm *realm; // reference
    World *world;
    uint64_t seq;
} Snapshot;

// Somebody who waits for one. fn gets a reference, or NULL and why; it must not block.
typedef struct SnapshotWait SnapshotWait;
struct SnapshotWait {
    SnapshotWait *next;
    void (*fn)(SnapshotWait *w, Err err, Snapshot *s);
};

// Have fn called with a snapshot that holds everything acknowledged by now: at once when there is one, else from
// another thread. While one is under way everybody else waits for one common other, so that the writer makes one at a
// time.
void snapshot_get(Desk *d, Realm *r, SnapshotWait *w);
// A snapshot of exactly this sequence when there is one, with a reference, or NULL.
Snapshot *snapshot_of(Desk *d, Realm *r, uint64_t seq);
// One more reference.
Snapshot *snapshot_ref(Desk *d, Snapshot *s);
// The last reference: a thread of the pool frees it. NULL is fine.
void snapshot_unref(Desk *d, Snapshot *s);

// ---- questions and runs (query.c) ----------------------------------------------------------------------------------

// What was asked. Immutable; counted.
typedef struct Question {
    _Atomic int32_t refs;
    Arena arena;
    Str text, principal;
    Query *query;
    Realm *realm;     // reference
    uint64_t renewed; // the realm's when it began
    int64_t now;      // wall clock: the same for all pages
    EnginePast past;
    const ExprPast *expr_past; // of it, or NULL
    QueryPast steps;           // of it
    bool no_times;
} Question;

// One more reference; drop one (NULL is fine).
Question *question_ref(Question *q);
void question_unref(Question *q);

// The executor at work on a question; on a snapshot it may be put aside between pages.
typedef struct Run {
    Job job; // freeing it
    Desk *desk;
    Question *question; // reference
    Snapshot *snapshot; // reference; NULL: on a view of the live world
    QueryOptions options;
    View view; // open only while a page is made
    bool open;
    QueryCursor *cursor;
    int64_t at;     // rows given so far
    int64_t looked; // rows looked at for them
    bool spoiled;   // it gave rows that nobody kept
} Run;

// NULL is fine. One that holds much is freed by a thread of the pool.
void run_close(Desk *d, Run *r);

// ---- cursors (query_cursor.c) --------------------------------------------------------------------------------------

// What a continuation token names. All fields are guarded by the desk's lock.
struct Cursor {
    int32_t refs;   // the table's and those of asks
    uint64_t id[2]; // random
    bool listed;    // in the table
    bool ended;     // its last page was given
    Question *question;
    Snapshot *snapshot; // NULL: the rows are kept, or it has ended
    Run *run;           // put aside until the next page; NULL: somebody is on it
    int64_t given;      // rows given: no token goes further
    int64_t looked;     // rows looked at for the newest page
    uint64_t seq;
    // the newest page, for clients that ask again
    int64_t page_from, page_to, page_limit;
    Buf page;
    bool page_more;
    // a kept result: all rows behind page_to with commas between, row i ends at ends[i]
    bool keeps;
    Buf kept;
    int64_t *ends, kept_rows;
    int64_t bytes, used_ns;
};

// A new cursor in the table, its reference the caller's; takes the references of `run` and `snapshot` over. NULL when
// the world was dropped meanwhile, or something was erased from it; nothing is taken then.
Cursor *cursor_new(Desk *d, const Cursor *from, bool *dropped);
// The cursor and offset of a token, or NULL: not one of ours, or gone.
Cursor *cursor_find(Desk *d, Str token, int64_t *at);
// The token for the rows behind `at`.
void cursor_token(const Cursor *c, int64_t at, char out[96]);
// NULL is fine.
void cursor_unref(Desk *d, Cursor *c);
// How much it keeps may have changed, and it was used now. Lock held.
void cursor_touch(Desk *d, Cursor *c);
// Let go of cursors nobody has asked for long, and of the oldest while there are too many.
void cursors_sweep(Desk *d);
// Forget all cursors of a realm; NULL: of all.
void cursors_forget(Desk *d, const Realm *r);

// ---- the desk ------------------------------------------------------------------------------------------------------

typedef struct QueryCounters {
    _Atomic int64_t total, failed, refused, slow, looked, time_ns;
    _Atomic int64_t pooled, again;   // answered by the pool; runs thrown away
    _Atomic int64_t kept, snapshots; // results kept whole; taken
} QueryCounters;

struct Desk {
    Sosia *engine;
    int64_t timeout_ns, rows_max, bytes_max, slow_ns;
    Pool *pool;
    QueryCounters counters;
    _Atomic bool closing; // nobody enters any more
    pthread_mutex_t lock;
    pthread_cond_t none; // fewer are running
    uint64_t entered;    // so many asks so far
    Ask *asks;           // under way
    int64_t running;
    Cursor *cursors[QUERY_CURSORS_MAX]; // ascending by used_ns
    int32_t cursor_count;
    _Atomic int64_t cursors_open; // the same, to be read without the lock
    int64_t cursor_bytes;
    int64_t blocks_before; // bytes of all worlds when no cursor was open
};

// A question about the realm looked at so many rows: have a thread of the pool see, now and then, whether an index
// would pay or has become old. Any thread.
void desk_tend(Desk *d, Realm *r, int64_t looked);
// Cancel the questions started with fn and arg; NULL: whatever it was. Any thread.
void asks_cancel(Desk *d, SosiaAnswerFn fn, void *arg);
// Wait until those under way have ended; what takes longer than QUERY_RENEW_NS is cancelled. Not a thread of the desk.
void asks_outlive(Desk *d);
// Log a question that took long; c may be NULL. Any thread.
void query_log_slow(const Question *q, QueryCursor *c, int64_t time_ns, int64_t looked);
