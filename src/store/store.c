// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/scrub_inner.h"
#include "store/store_inner.h"

#define GROUP_BYTES_DEFAULT (8 << 20)
#define QUEUE_BYTES_DEFAULT (64 << 20)
// A chunk whose buffer grew past this is not kept for reuse.
#define SPARE_BYTES_MAX (1 << 20)
#define PROBE_BYTES_MIN (64 << 10)
#define PROBE_BYTES_MAX (1 << 20)

// ---- chunks: caller holds the lock --------------------------------------------------------------------------------

static Chunk *chunk_new(Store *s) {
    Chunk *c = s->spare;
    if (!c) return mem_alloc(sizeof *c);
    s->spare = c->next;
    Buf bytes = c->bytes;
    buf_reset(&bytes);
    *c = (Chunk){.bytes = bytes};
    return c;
}

static void chunk_free(Chunk *c) {
    buf_free(&c->bytes);
    mem_free(c);
}

static void chunk_recycle(Store *s, Chunk *c) {
    bool keep = c->bytes.cap <= SPARE_BYTES_MAX && !(s->spare && s->spare->next);
    if (!keep) {
        chunk_free(c);
        return;
    }
    c->next = s->spare;
    s->spare = c;
}

Chunk *chunk_for(Store *s, ChunkKind kind, uint64_t world, int64_t bytes) {
    Chunk *c = s->tail;
    bool batches = kind == CHUNK_LIVE || kind == CHUNK_SCENARIO;
    bool same = c && batches && c->kind == (uint8_t)kind && c->world == world;
    if (!same || c->bytes.n + bytes > s->o.row_bytes_max) {
        c = chunk_new(s);
        c->kind = (uint8_t)kind;
        c->world = world;
        if (s->tail) s->tail->next = c;
        else s->head = c;
        s->tail = c;
    }
    c->ticket = s->tickets;
    s->queue_bytes += bytes;
    return c;
}

static void chunk_append(Store *s, uint64_t seq, Str bytes) {
    Chunk *c = chunk_for(s, CHUNK_LIVE, STORE_WORLD_LIVE, bytes.n);
    if (!c->batches) c->first = seq;
    buf_put(&c->bytes, bytes.p, bytes.n);
    CHECK(!c->bytes.full);
    c->last = seq;
    c->batches++;
    s->submitted = seq;
}

// The next group, off the list; NULL when nothing waits.
static Chunk *group_take(Store *s) {
    Chunk *first = s->head, *last = NULL;
    for (int64_t bytes = 0; s->head && (!last || bytes + s->head->bytes.n <= s->o.group_bytes_max);) {
        last = s->head;
        bytes += last->bytes.n;
        s->head = last->next;
    }
    if (!s->head) s->tail = NULL;
    if (last) last->next = NULL;
    return first;
}

static void group_recycle(Store *s, Chunk *group) {
    for (Chunk *c; (c = group);) {
        group = c->next;
        chunk_recycle(s, c);
    }
}

// ---- failing ------------------------------------------------------------------------------------------------------

// Drop everything that is not committed and tell the engine.
static void fail(Store *s, Err err) {
    pthread_mutex_lock(&s->lock);
    s->failed = true;
    for (Chunk *c; (c = group_take(s));) group_recycle(s, c);
    s->queue_bytes = 0;
    s->submitted = s->committed;
    World *fork = s->fork && s->fork_seq > s->committed ? s->fork : NULL; // holds what is about to be undone
    if (fork) {
        s->fork = NULL;
        s->checkpointing = false;
        s->stats.checkpoints_failed++;
    }
    pthread_cond_broadcast(&s->room);
    pthread_mutex_unlock(&s->lock);
    if (fork) world_free(fork);
    if (s->o.on_fail) s->o.on_fail(s->o.ctx, err, s->db.why);
}

// ---- the store thread ---------------------------------------------------------------------------------------------

uint32_t journal_check(uint64_t seq, uint64_t prev, uint64_t first, Str bytes) {
    uint64_t head[4] = {seq, prev, first, STORE_WORLD_LIVE};
    return crc32c(crc32c(0, head, sizeof head), bytes.p, bytes.n);
}

static Err journal_put(Store *s, const Chunk *c, uint64_t prev) {
    sqlite3_stmt *st = db_use(&s->db, DB_JOURNAL_PUT);
    sqlite3_bind_int64(st, 1, (int64_t)c->last);
    sqlite3_bind_int64(st, 2, STORE_WORLD_LIVE);
    sqlite3_bind_int64(st, 3, (int64_t)prev);
    sqlite3_bind_int64(st, 4, (int64_t)c->first);
    sqlite3_bind_int64(st, 5, journal_check(c->last, prev, c->first, buf_str(&c->bytes)));
    sqlite3_bind_blob64(st, 6, c->bytes.p, (uint64_t)c->bytes.n, SQLITE_STATIC);
    return db_run(&s->db, DB_JOURNAL_PUT);
}

static void count_commit(Store *s, const Chunk *group, int64_t ns, int64_t file_bytes) {
    for (const Chunk *c = group; c; c = c->next) {
        if (c->kind == CHUNK_LIVE) s->committed = c->last;
        s->tickets_done = c->ticket;
        s->queue_bytes -= c->bytes.n;
        s->stats.batches += c->batches;
        s->stats.bytes += c->bytes.n;
    }
    s->stats.commits++;
    s->stats.fsync_ns += ns;
    s->stats.journal_rows = s->behind.count;
    s->stats.file_bytes = file_bytes;
}

// A group, items, or both, in one transaction.
static Err write_group(Store *s, const Chunk *group, uint64_t prev, const ItemPut *items) {
    if (!items && !group->next && group->kind == CHUNK_LIVE) return journal_put(s, group, prev);
    TRY(db_run(&s->db, DB_BEGIN));
    for (const Chunk *c = group; c; c = c->next) {
        bool live = c->kind == CHUNK_LIVE;
        TRY(live ? journal_put(s, c, prev) : others_write(s, c));
        if (live) prev = c->last;
    }
    TRY(items_write(s, items));
    return db_run(&s->db, DB_COMMIT);
}

// Only this thread changes what is told.
static void tell_commit(Store *s) {
    if (s->o.on_group) s->o.on_group(s->o.ctx, s->committed, s->tickets_done);
    else if (s->o.on_commit) s->o.on_commit(s->o.ctx, s->committed);
}

// The group is on the disk, or was refused.
static void group_end(Store *s, Chunk *group, int64_t ns, Err e) {
    int64_t file_bytes = e == ERR_OK ? db_file_bytes(&s->db) : 0, bytes = 0;
    for (const Chunk *c = group; c; c = c->next) {
        bytes += c->bytes.n;
        if (e != ERR_OK) continue;
        if (c->kind == CHUNK_LIVE) rows_push(&s->behind, c->last, c->bytes.n);
        else others_written(s, c);
    }
    pthread_mutex_lock(&s->lock);
    if (e == ERR_OK) count_commit(s, group, ns, file_bytes);
    else s->refused_bytes = bytes;
    group_recycle(s, group);
    pthread_cond_broadcast(&s->room);
    pthread_mutex_unlock(&s->lock);
    if (e != ERR_OK) fail(s, e);
    else tell_commit(s);
}

static bool commit_next(Store *s) {
    pthread_mutex_lock(&s->lock);
    Chunk *group = group_take(s);
    ItemPut *items = items_take(s);
    uint64_t prev = s->committed;
    pthread_mutex_unlock(&s->lock);
    if (!group && !items) return false;
    int64_t start = time_mono_ns();
    Err e = write_group(s, group, prev, items);
    if (group) group_end(s, group, time_mono_ns() - start, e);
    if (items) items_end(s, items, e);
    return true;
}

static Err probe_put(Store *s, int64_t n) {
    sqlite3_stmt *st = db_use(&s->db, DB_META_PUT);
    sqlite3_bind_text(st, 1, "probe", -1, SQLITE_STATIC);
    sqlite3_bind_zeroblob64(st, 2, (uint64_t)n);
    return db_run(&s->db, DB_META_PUT);
}

// Write and drop about as much as was refused.
static void probe(Store *s, int64_t n) {
    n = n < PROBE_BYTES_MIN ? PROBE_BYTES_MIN : n > PROBE_BYTES_MAX ? PROBE_BYTES_MAX : n;
    Err e = probe_put(s, n);
    if (e == ERR_OK) e = probe_put(s, 0);
    if (e != ERR_OK) {
        fail(s, e);
        return;
    }
    s->gc_stuck = false;
    tell_commit(s);
}

static bool probe_serve(Store *s) {
    pthread_mutex_lock(&s->lock);
    // A second failure before the engine has answered the first would be told after its answer, when batches are queued
    // again that on_fail did not drop.
    bool probing = s->probe && !s->failed;
    int64_t refused = s->refused_bytes;
    s->probe = false;
    pthread_mutex_unlock(&s->lock);
    if (probing) probe(s, refused);
    return probing;
}

bool store_serve_waits(const Store *s) {
    bool log_waits = s->readers.hold && !s->readers.active;
    return s->head || s->items || s->scans || s->reads || s->history || s->probe || log_waits;
}

bool store_serve(Store *s) {
    bool did = commit_next(s);
    did |= items_serve(s);
    did |= journal_serve(s);
    did |= history_serve(s);
    did |= probe_serve(s);
    store_move_log(s);
    return did;
}

bool store_step(Store *s) {
    bool did = store_serve(s);
    pthread_mutex_lock(&s->lock);
    World *fork = s->fork && s->fork_seq <= s->committed ? s->fork : NULL;
    if (fork) s->fork = NULL;
    uint64_t seq = s->fork_seq;
    pthread_mutex_unlock(&s->lock);
    if (fork) checkpoint_run(s, fork, seq);
    else if (gc_pending(s)) gc_slice(s), did = true;
    did |= scrub_serve(s);
    store_move_log(s);
    return did || fork;
}

static bool has_work(const Store *s) {
    return store_serve_waits(s) || (s->fork && s->fork_seq <= s->committed) || gc_pending(s) ||
           scrub_wait_ns(s, time_mono_ns()) == 0;
}

// Until there is something to do. Caller holds the lock.
static void sleep_idle(Store *s) {
    int64_t wait = scrub_wait_ns(s, time_mono_ns());
    if (wait < 0) {
        pthread_cond_wait(&s->work, &s->lock);
    } else {
        struct timespec until = time_after(wait);
        pthread_cond_timedwait(&s->work, &s->lock, &until);
    }
}

static void *run(void *arg) {
    Store *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        if (has_work(s)) {
            pthread_mutex_unlock(&s->lock);
            store_step(s);
            pthread_mutex_lock(&s->lock);
            continue;
        }
        s->busy = false;
        pthread_cond_broadcast(&s->room);
        if (s->stop) break;
        sleep_idle(s);
        s->busy = true;
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

// ---- the engine's side --------------------------------------------------------------------------------------------

void store_wait(Store *s) {
    if (s->thread.running) {
        pthread_cond_wait(&s->room, &s->lock);
        return;
    }
    pthread_mutex_unlock(&s->lock);
    store_step(s);
    pthread_mutex_lock(&s->lock);
}

void store_submit(Store *s, uint64_t seq, Str bytes) {
    CHECK(bytes.n > 0);
    pthread_mutex_lock(&s->lock);
    s->tickets++;
    while (!s->failed && s->queue_bytes && s->queue_bytes + bytes.n > s->o.queue_bytes_max) store_wait(s);
    if (!s->failed) {
        CHECK(seq > s->submitted);
        chunk_append(s, seq, bytes);
        if (!s->busy) pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
}

void store_resume(Store *s) {
    pthread_mutex_lock(&s->lock);
    s->failed = false;
    pthread_mutex_unlock(&s->lock);
}

void store_probe(Store *s) {
    pthread_mutex_lock(&s->lock);
    s->probe = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

bool store_checkpoint(Store *s, World *fork, uint64_t seq) {
    pthread_mutex_lock(&s->lock);
    bool take = !s->checkpointing && seq <= s->submitted;
    if (take) {
        s->checkpointing = true;
        s->fork = fork;
        s->fork_seq = seq;
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
    return take;
}

bool store_checkpointing(const Store *s) {
    Store *m = (Store *)(uintptr_t)s; // the lock only
    pthread_mutex_lock(&m->lock);
    bool running = s->checkpointing;
    pthread_mutex_unlock(&m->lock);
    return running;
}

void store_drain(Store *s) {
    pthread_mutex_lock(&s->lock);
    // busy stays true while the store thread has anything to do; what it has not seen yet is in the others.
    while (s->busy || s->checkpointing || store_serve_waits(s) || (!s->thread.running && has_work(s))) store_wait(s);
    pthread_mutex_unlock(&s->lock);
}

void store_help(Store *s) {
    if (!s->thread.running) store_step(s);
}

void store_stats(Store *s, StoreStats *out) {
    pthread_mutex_lock(&s->lock);
    *out = s->stats;
    out->queue_bytes = s->queue_bytes;
    out->history_queue_bytes = s->history_bytes;
    out->readers = s->readers.active;
    pthread_mutex_unlock(&s->lock);
}

// ---- opening and closing ------------------------------------------------------------------------------------------

static void release(Store *s) {
    scrub_refuse_all(s);
    readers_free(s); // first, so that closing the writer is what ends the log
    db_close(&s->db);
    history_free(s);
    zip_free(&s->zip);
    buf_free(&s->blob);
    idset_free(&s->live);
    idset_free(&s->others);
    idset_free(&s->garbage);
    mem_free(s->behind.rows);
    mem_free(s->gone);
    if (s->fork) world_free(s->fork);
    for (Chunk *c; (c = s->head);) {
        s->head = c->next;
        chunk_free(c);
    }
    for (Chunk *c; (c = s->spare);) {
        s->spare = c->next;
        chunk_free(c);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->room);
    mem_free(s);
}

Err store_open(const StoreOpen *o, Domain *d, int64_t ring_records, Store **out, World **world, Buf *why) {
    CHECK(o->path.n > 0);
    Store *s = mem_alloc(sizeof *s);
    s->o = *o;
    s->o.path = (Str){0};
    if (!s->o.group_bytes_max) s->o.group_bytes_max = GROUP_BYTES_DEFAULT;
    if (!s->o.row_bytes_max) s->o.row_bytes_max = STORE_SLICE_BYTES;
    if (s->o.row_bytes_max > s->o.group_bytes_max) s->o.row_bytes_max = s->o.group_bytes_max;
    if (!s->o.queue_bytes_max) s->o.queue_bytes_max = QUEUE_BYTES_DEFAULT;
    s->domain = d;
    pthread_mutex_init(&s->lock, NULL);
    cond_init_mono(&s->work);
    pthread_cond_init(&s->room, NULL);
    readers_init(s);
    Err e = db_open(&s->db, o->path, o->vfs);
    if (e == ERR_OK) e = recover(s, ring_records, world);
    if (e != ERR_OK) {
        if (why) buf_printf(why, "%s", s->db.why);
        release(s);
        return e;
    }
    s->stats.file_bytes = db_file_bytes(&s->db);
    *out = s;
    return ERR_OK;
}

Err store_start(Store *s) {
    CHECK(!s->thread.running);
    s->busy = true;
    Err e = thread_start(&s->thread, "store", run, s);
    if (e != ERR_OK) s->busy = false;
    return e;
}

void store_close(Store *s) {
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    s->closing = true; // nobody seals any more
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    store_drain(s);
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    thread_join(&s->thread);
    release(s);
}
