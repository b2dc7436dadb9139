// SPDX-License-Identifier: Apache-2.0
// Batches: begun and ended by the writer, made visible by the store's thread, undone when the disk refuses them.
//
// Invariants
//  1. Tickets in the Fifo ascend: the submissions to the store, of the live world and of forks that are kept, in their
//     order. What is in it is not visible yet, or its turn to be completed has come.
//  2. world_publish(seq) happens before the Fifo lets go of an entry of seq. So when the writer finds the Fifo empty,
//     everything applied is visible.
//  3. After a failed commit the writer undoes everything after `durable`, in every world, before it lets the store go
//     on.
#include "engine/engine.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/derive.h"
#include "engine/pasts.h"
#include "engine/run.h"
#include "engine/scenario_keep.h"
#include "engine/scenarios.h"

#define ROOM_DIVISOR 2             // a batch may log this part of the ring
#define TAKE_MAX 64                // pending batches completed in one go
#define SETTLE_NS (20 * NS_PER_MS) // an idle writer lets go of undo memory after this

// ---- the pending batches ------------------------------------------------------------------------------------------

static void fifo_push(Fifo *f, Pending p) {
    if (f->count == f->cap) {
        int64_t cap = f->cap ? f->cap * 2 : 64;
        Pending *items = mem_alloc((size_t)cap * sizeof *items);
        for (int64_t i = 0; i < f->count; i++) items[i] = f->items[(f->head + i) & (f->cap - 1)];
        mem_free(f->items);
        *f = (Fifo){items, cap, 0, f->count};
    }
    f->items[(f->head + f->count++) & (f->cap - 1)] = p;
}

// A batch of a fork is durable.
static void publish_fork(const Pending *p) {
    if (!p->realm) return;
    world_publish(p->realm->world, p->seq);
    atomic_store(&p->realm->scenario->durable, p->seq);
}

// The next entries up to a ticket, at most TAKE_MAX; durable: their batches are.
static int64_t pending_take(Sosia *e, uint64_t ticket, bool durable, Pending *out) {
    Fifo *f = &e->pending;
    int64_t n = 0;
    pthread_mutex_lock(&e->pending_lock);
    while (n < TAKE_MAX && f->count && f->items[f->head].ticket <= ticket) {
        out[n++] = f->items[f->head];
        if (durable) publish_fork(&f->items[f->head]);
        f->head = (f->head + 1) & (f->cap - 1);
        f->count--;
    }
    pthread_mutex_unlock(&e->pending_lock);
    return n;
}

int64_t commit_pending(Sosia *e) {
    pthread_mutex_lock(&e->pending_lock);
    int64_t n = e->pending.count;
    pthread_mutex_unlock(&e->pending_lock);
    return n;
}

// False when nothing is pending: everything applied is visible, and the caller completes it.
static bool pending_add(Sosia *e, Pending p) {
    pthread_mutex_lock(&e->pending_lock);
    bool wait = p.batch || e->pending.count;
    if (wait) fifo_push(&e->pending, p);
    pthread_mutex_unlock(&e->pending_lock);
    return wait;
}

// Its result is visible (ok) or was undone.
static void complete(Sosia *e, Task *c, uint64_t seq, bool ok) {
    if (!c) return;
    c->seq = seq;
    if (c->op == OP_FORK) world_fork_done(c, ok);
    if (c->op == OP_DROP) world_drop_done(c, ok);
    task_finish(e, c);
}

// ---- batches: the writer ------------------------------------------------------------------------------------------

static void begin(Sosia *e, Realm *r, int64_t time) {
    derive_begin(r);
    if (r->scenario) derive_look_back(r, time); // no tick does it
    e->batch_time = time;
    e->batch_seq = world_seq(r->world) + 1;
    world_begin(r->world, e->batch_seq, e->batch_time);
    derive_guard(r);
}

void batch_begin(Sosia *e, Realm *r) {
    World *w = r->world;
    begin(e, r, r->scenario ? scenario_next_time(r, 0) : world_next_time(w, pasts_clock(e)));
}

Err batch_begin_at(Sosia *e, Realm *r, int64_t time) {
    if (!r->scenario || time != scenario_next_time(r, time)) return ERR_ARGUMENT; // not later, or not a whole one
    begin(e, r, time);
    return ERR_OK;
}

// The open batch as it goes to the journal and the feed.
static FeedBatch *batch_bytes(Sosia *e, World *w, Str source) {
    BatchHead head = {.seq = e->batch_seq, .source = source};
    Str changes = world_batch(w, &head.count);
    head.time = e->batch_time;
    buf_reset(&e->encode);
    batch_encode(&head, changes, &e->encode);
    CHECK(!e->encode.full);
    FeedBatch *b = mem_alloc(sizeof *b + (size_t)e->encode.n);
    atomic_init(&b->refs, 1);
    b->seq = head.seq;
    b->changes = head.count;
    b->size = e->encode.n;
    memcpy(b->bytes, e->encode.p, (size_t)e->encode.n);
    return b;
}

static void count_batch(Sosia *e, const FeedBatch *b) {
    atomic_fetch_add_explicit(&e->counters.batches, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&e->counters.updates, b->changes, memory_order_relaxed);
}

static void count_stream(Sosia *e, StreamTally t) {
    if (t.late) atomic_fetch_add_explicit(&e->counters.late, t.late, memory_order_relaxed);
    if (t.duplicates) atomic_fetch_add_explicit(&e->counters.duplicates, t.duplicates, memory_order_relaxed);
}

// A page that lies below could not be made: nothing of the batch stays.
static void end_broken(Sosia *e, Realm *r, Task *c) {
    Err err = world_broken(r->world);
    world_rollback(r->world);
    derive_forget(r);
    if (!c) return;
    task_fail(c, err, NULL);
    task_finish(e, c);
}

static void count_fork(Realm *r, const FeedBatch *b) {
    if (!r->scenario) return;
    atomic_store(&r->scenario->time, world_time(r->world));
    atomic_fetch_add_explicit(&r->scenario->batches, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->scenario->bytes, b->size, memory_order_relaxed);
}

// To the store, of a fork; it is settled when that is done.
static void end_fork(Sosia *e, Realm *r, FeedBatch *b, Task *c) {
    Scenario *s = r->scenario;
    if (!s->listed) {
        s->listed = true;
        s->next = e->unsettled;
        e->unsettled = realm_ref(r);
    }
    batch_ticket(e);
    Pending p = {.ticket = e->ticket, .seq = b->seq, .batch = b, .cmd = c, .realm = realm_ref(r)};
    world_take_trail(r->world, &p.trail);
    bool queued = pending_add(e, p);
    CHECK(queued);
    scenario_submit(e, r, b);
    scenario_keep_look(e, r);
}

void batch_ticket(Sosia *e) { e->ticket++; }

void batch_end(Sosia *e, Realm *r, Str source, Task *c) {
    int64_t count;
    count_stream(e, world_tally(r->world));
    world_batch(r->world, &count);
    CHECK(!count || derive_settled(r));
    if (world_broken(r->world)) {
        end_broken(e, r, c);
        return;
    }
    if (!count) {
        world_rollback(r->world);
        if (c) batch_after(e, r, c);
        return;
    }
    FeedBatch *b = batch_bytes(e, r->world, source);
    world_end(r->world);
    derive_keep(r);
    uint64_t seq = b->seq;
    count_fork(r, b);
    if (r->scenario && !str_eq(source, RUN_SOURCE)) atomic_store(&r->scenario->foreign, seq);
    if (!r->stored) {
        world_settle(r->world, seq);
        count_batch(e, b);
        hub_append(r->hub, b);
        complete(e, c, seq, true);
        hub_notify(r->hub);
        return;
    }
    if (r->scenario) {
        end_fork(e, r, b, c);
        return;
    }
    e->bytes_since_checkpoint += b->size;
    batch_ticket(e);
    Pending p = {.ticket = e->ticket, .seq = seq, .batch = b, .cmd = c};
    if (e->history) world_take_trail(r->world, &p.trail);
    bool queued = pending_add(e, p);
    CHECK(queued);
    // The Fifo may let go of `b` before the store has copied it only after the commit, so the bytes are still there.
    store_submit(e->store, seq, (Str){b->bytes, b->size});
}

void batch_after(Sosia *e, Realm *r, Task *c) {
    uint64_t seq = world_seq(r->world);
    if (!r->stored || !pending_add(e, (Pending){.ticket = e->ticket, .seq = seq, .cmd = c})) complete(e, c, seq, true);
}

void batch_kept(Sosia *e, Task *c) {
    pthread_mutex_lock(&e->pending_lock);
    bool wait = e->durable_ticket < e->ticket;
    if (wait) fifo_push(&e->pending, (Pending){.ticket = e->ticket, .cmd = c});
    pthread_mutex_unlock(&e->pending_lock);
    if (!wait) complete(e, c, 0, true);
}

// ---- commits: the store's thread ----------------------------------------------------------------------------------

static void commit_remember(Sosia *e, Pending *p) {
    Cut c = cut_of((Str){p->batch->bytes, p->batch->size});
    BatchHead head;
    CHECK(batch_decode(&c, &head) == ERR_OK);
    history_add(realm_history(p->realm ? p->realm : e->live), head.seq, head.time, head.source, &p->trail);
}

// History has them before the feed and whoever waits for the write.
static void commit_publish(Sosia *e, Pending *p, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (!p[i].batch) continue;
        if (e->history) commit_remember(e, &p[i]);
        count_batch(e, p[i].batch);
        hub_append(p[i].realm ? p[i].realm->hub : e->live->hub, p[i].batch);
    }
    for (int64_t i = 0; i < n; i++) {
        complete(e, p[i].cmd, p[i].seq, true);
        if (!p[i].realm) continue;
        hub_notify(p[i].realm->hub);
        realm_unref(p[i].realm);
    }
}

static void note_thread(Sosia *e) {
    if (atomic_load_explicit(&e->store_seen, memory_order_relaxed)) return;
    e->store_thread = pthread_self();
    atomic_store(&e->store_seen, true);
}

static void wake_writer(Sosia *e) {
    pthread_mutex_lock(&e->inbox.lock);
    e->inbox.commits++;
    if (e->inbox.waiting) pthread_cond_signal(&e->inbox.wake);
    pthread_mutex_unlock(&e->inbox.lock);
}

// False: nothing new.
static bool ticket_reached(Sosia *e, uint64_t ticket) {
    pthread_mutex_lock(&e->pending_lock);
    bool more = ticket > e->durable_ticket;
    if (more) e->durable_ticket = ticket;
    pthread_mutex_unlock(&e->pending_lock);
    return more;
}

void engine_on_commit(void *ctx, uint64_t last_seq, uint64_t ticket) {
    Sosia *e = ctx;
    note_thread(e);
    if (atomic_exchange(&e->degraded, false)) LOG(STORE_RESUMED, e->path.p);
    if (last_seq > atomic_load(&e->durable)) {
        world_publish(e->live->world, last_seq);
        atomic_store(&e->durable, last_seq);
    }
    if (!ticket_reached(e, ticket)) return;
    Pending p[TAKE_MAX];
    int64_t n, all = 0;
    while ((n = pending_take(e, ticket, true, p)) > 0) {
        commit_publish(e, p, n);
        all += n;
    }
    wake_writer(e);
    if (all) hub_notify(e->live->hub);
}

void engine_on_fail(void *ctx, Err err, const char *why) {
    Sosia *e = ctx;
    note_thread(e);
    if (!atomic_exchange(&e->degraded, true)) {
        if (err == ERR_STORAGE_FULL) LOG(STORE_FULL, e->path.p);
        else LOG(STORE_FAILED, e->path.p, why ? why : "");
    }
    pthread_mutex_lock(&e->inbox.lock);
    e->inbox.failed = true;
    e->inbox.fail_err = err;
    buf_reset(&e->inbox.fail_why);
    buf_printf(&e->inbox.fail_why, "%s", why ? why : "");
    pthread_cond_signal(&e->inbox.wake);
    pthread_mutex_unlock(&e->inbox.lock);
}

// ---- commits: the writer ------------------------------------------------------------------------------------------

// Let go of what was needed to undo batches of forks that are durable now; forks that are all settled leave the list.
static void settle_forks(Sosia *e) {
    for (Realm **at = &e->unsettled; *at;) {
        Realm *r = *at;
        Scenario *s = r->scenario;
        uint64_t durable = atomic_load(&s->durable);
        if (durable > s->settled) world_settle(r->world, durable);
        s->settled = durable;
        if (durable != world_seq(r->world)) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        s->listed = false;
        realm_unref(r);
    }
}

static void undo_forks(Sosia *e) {
    for (Realm *r = e->unsettled; r; r = r->scenario->next) {
        uint64_t durable = atomic_load(&r->scenario->durable);
        if (durable == world_seq(r->world)) continue;
        world_undo_to(r->world, durable);
        atomic_store(&r->scenario->time, durable > r->scenario->fork_seq ? world_time(r->world) : 0);
        if (atomic_load(&r->scenario->foreign) > durable) atomic_store(&r->scenario->foreign, durable);
        derive_forget(r);
    }
}

// Undo what the disk refused and fail what waits for it.
static void commit_undo(Sosia *e, Err err, Str why) {
    uint64_t durable = atomic_load(&e->durable);
    world_undo_to(e->live->world, durable);
    derive_forget(e->live);
    undo_forks(e);
    e->fail_err = err;
    Pending p[TAKE_MAX];
    int64_t n;
    while ((n = pending_take(e, UINT64_MAX, false, p)) > 0) {
        for (int64_t i = 0; i < n; i++) {
            if (p[i].batch) feed_batch_unref(p[i].batch);
            buf_free(&p[i].trail);
            if (p[i].realm) realm_unref(p[i].realm);
            if (!p[i].cmd) continue;
            if (why.n) task_fail(p[i].cmd, err, "%s (%.*s)", err_text(err), STR_ARG(why));
            else task_fail(p[i].cmd, err, NULL);
            complete(e, p[i].cmd, 0, false);
        }
    }
    store_resume(e->store);
}

bool commit_poll(Sosia *e) {
    uint64_t durable = atomic_load(&e->durable);
    if (e->store && durable > e->settled) {
        world_settle(e->live->world, durable);
        e->settled = durable;
    }
    settle_forks(e);
    Buf why = {0};
    pthread_mutex_lock(&e->inbox.lock);
    bool failed = e->inbox.failed;
    Err err = e->inbox.fail_err;
    e->inbox.failed = false;
    if (failed) buf_str_put(&why, buf_str(&e->inbox.fail_why));
    pthread_mutex_unlock(&e->inbox.lock);
    if (failed) commit_undo(e, err, buf_str(&why));
    buf_free(&why);
    return failed;
}

// Commits so far, to be read before looking whether one must be waited for.
static int64_t commit_count(Sosia *e) {
    pthread_mutex_lock(&e->inbox.lock);
    int64_t n = e->inbox.commits;
    pthread_mutex_unlock(&e->inbox.lock);
    return n;
}

// Sleep until there was a commit more than `seen`, or one failed.
static void commit_wait(Sosia *e, int64_t seen) {
    Inbox *in = &e->inbox;
    pthread_mutex_lock(&in->lock);
    in->waiting = true;
    while (!in->failed && in->commits == seen) pthread_cond_wait(&in->wake, &in->lock);
    in->waiting = false;
    pthread_mutex_unlock(&in->lock);
}

bool batch_room(Sosia *e, Realm *r) {
    bool ok = true;
    if (!r->stored) return ok;
    if (e->history && !history_room(e->history)) history_wait_room(e->history);
    int64_t need = r->ring_records / ROOM_DIVISOR;
    for (;;) {
        int64_t seen = commit_count(e);
        bool pending = commit_pending(e) > 0; // before the look, so that none means: all is settled below
        if (commit_poll(e)) ok = false;
        int64_t room = world_room(r->world);
        if (r == e->live) atomic_store_explicit(&e->room, room, memory_order_relaxed);
        if (room >= need || !pending) return ok;
        commit_wait(e, seen);
    }
}

void commit_drain(Sosia *e) {
    for (;;) {
        int64_t seen = commit_count(e);
        commit_poll(e);
        if (!e->store || !commit_pending(e)) return;
        commit_wait(e, seen);
    }
}

// ---- checkpoints --------------------------------------------------------------------------------------------------

static bool checkpoint_due(const Sosia *e, int64_t now_ns) {
    uint64_t wanted = atomic_load(&e->checkpoint_wanted);
    if (wanted && wanted > e->checkpoint_seq) return true;
    if (e->checkpoint_interval_ns < 0) return false;
    return now_ns - e->checkpoint_mono_ns >= e->checkpoint_interval_ns || e->bytes_since_checkpoint >= CHECKPOINT_BYTES;
}

// The newest one came to nothing: the journal still holds everything, so another is due.
static void checkpoint_look_back(Sosia *e) {
    StoreStats st;
    store_stats(e->store, &st);
    if (st.checkpoints_failed > e->checkpoints_failed) e->checkpoint_seq = 0;
    e->checkpoints_failed = st.checkpoints_failed;
}

static void checkpoint_start(Sosia *e, int64_t now_ns) {
    World *w = e->live->world;
    uint64_t seq = world_seq(w);
    World *fork = world_fork(w, 0);
    if (!store_checkpoint(e->store, fork, seq)) {
        world_free(fork);
        return;
    }
    if (e->history) history_seal(e->history, seq);
    e->checkpoint_seq = seq;
    e->checkpoint_mono_ns = now_ns;
    e->bytes_since_checkpoint = 0;
}

// While the disk is full and nobody writes: try now and then.
static void probe_poll(Sosia *e, int64_t now_ns) {
    if (now_ns - e->probe_mono_ns < NS_PER_S || commit_pending(e)) return;
    e->probe_mono_ns = now_ns;
    store_probe(e->store);
}

int64_t checkpoint_poll(Sosia *e, bool force) {
    int64_t wait = e->checkpoint_interval_ns > 0 ? e->checkpoint_interval_ns : 3600 * NS_PER_S;
    if (!e->store) return wait;
    int64_t now = time_mono_ns();
    bool degraded = atomic_load(&e->degraded);
    if (atomic_load(&e->checkpoint_wanted)) checkpoint_look_back(e); // one that failed is made again
    bool due = force || checkpoint_due(e, now);
    if (force) store_drain(e->store);
    if (due) checkpoint_look_back(e);
    bool changed = world_seq(e->live->world) > e->checkpoint_seq;
    if (due && changed && !degraded && !store_checkpointing(e->store)) checkpoint_start(e, now);
    if (degraded) probe_poll(e, now);
    if (degraded && wait > NS_PER_S) wait = NS_PER_S;
    bool unsettled = e->settled < world_seq(e->live->world) || e->unsettled;
    if (unsettled && wait > SETTLE_NS) wait = SETTLE_NS;
    return wait;
}
