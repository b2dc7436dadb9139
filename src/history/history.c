// SPDX-License-Identifier: Apache-2.0
// The queue of batches, the thread, puts to the store and back.
#include <errno.h>
#include <time.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "history/history_inner.h"

enum {
    TAKE_BATCHES = 64,    // in one turn
    TAKE_BYTES = 4 << 20, // likewise
    MERGE_TURNS = 64,     // merging has a turn after so many, however much else there is to do
    HURRY_TURNS = 4,      // sealing has a turn after so many, however much somebody waits for
};
#define HEADS_DEFAULT (INT64_C(256) << 20)
#define QUEUE_DEFAULT (INT64_C(64) << 20)
#define CACHE_DEFAULT (INT64_C(64) << 20)

// ---- life ----

static int64_t or_default(int64_t v, int64_t otherwise) { return v > 0 ? v : otherwise; }

History *history_new(const HistoryOpen *o) {
    History *h = mem_alloc(sizeof *h);
    h->root = h;
    h->o = (HistoryOpen){.head_bytes_max = or_default(o->head_bytes_max, HEADS_DEFAULT),
                         .queue_bytes_max = or_default(o->queue_bytes_max, QUEUE_DEFAULT),
                         .cache_bytes_max = or_default(o->cache_bytes_max, CACHE_DEFAULT)};
    pthread_mutex_init(&h->lock, NULL);
    cond_init_mono(&h->work);
    cond_init_mono(&h->moved);
    pthread_mutex_init(&h->cache.lock, NULL);
    arena_init(&h->scratch, 0);
    h->sources = mem_alloc(sizeof *h->sources);
    h->source_count = 1;
    h->seal = seal_new();
    h->merge = history_merge_new();
    h->coder = hwork_new();
    return h;
}

Err history_open(History *h, Store *s, World *live, Buf *why) {
    h->store = s;
    TRY(history_begin(h, live, why));
    return history_merge_open(h);
}

static void *run(void *arg);

Err history_start(History *h) { return thread_start(&h->thread, "history", run, h); }

static void item_free(QueueItem *i) {
    mem_free((void *)(uintptr_t)i->source.text.p);
    buf_free(&i->trail);
    mem_free(i);
}

static void free_queue(History *h) {
    for (QueueItem *i = h->head, *next; i; i = next) {
        next = i->next;
        item_free(i);
    }
}

static void desk_free(HistoryDesk *d) {
    hwork_free(d->work);
    arena_free(&d->arena);
    mem_free(d);
}

void history_desks_free(History *h) {
    pthread_mutex_lock(&h->lock);
    HistoryDesk *d = h->desks;
    h->desks = NULL;
    pthread_mutex_unlock(&h->lock);
    for (HistoryDesk *next; d; d = next) {
        next = d->next;
        desk_free(d);
    }
}

static bool take_ended(History *h);

// The store still has puts of ours: their ends come by its thread.
static void await_puts(History *h) {
    pthread_mutex_lock(&h->lock);
    while (h->flying > 0 && h->thread.running) pthread_cond_wait(&h->moved, &h->lock);
    bool left = h->flying > 0;
    pthread_mutex_unlock(&h->lock);
    if (left) store_drain(h->store);
}

void history_close(History *h) {
    if (!h) return;
    if (h->parent) {
        fork_close(h);
        return;
    }
    pthread_mutex_lock(&h->lock);
    h->stop = true;
    bool asked = h->seal_to != 0;
    pthread_cond_broadcast(&h->work);
    pthread_cond_broadcast(&h->moved);
    pthread_mutex_unlock(&h->lock);
    bool ran = h->thread.running;
    thread_join(&h->thread);
    h->thread.running = ran; // the store's thread runs as long as ours did
    if (asked) store_history_failed(h->store);
    await_puts(h);
    take_ended(h);
    free_queue(h);
    forks_free(h);
    history_desks_free(h);
    head_table_free(&h->heads);
    for (int64_t i = 1; i < h->source_count; i++) mem_free((void *)(uintptr_t)h->sources[i].p);
    for (int64_t i = 0; i < h->dead_count; i++) mem_free((void *)(uintptr_t)h->dead[i].name.p);
    map_free(&h->source_numbers);
    mem_free(h->sources);
    mem_free(h->dead);
    mem_free(h->lanes);
    seal_free(h->seal);
    history_merge_free(h->merge);
    hwork_free(h->coder);
    arena_free(&h->scratch);
    cached_free(&h->cache);
    pthread_mutex_destroy(&h->cache.lock);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->work);
    pthread_cond_destroy(&h->moved);
    mem_free(h);
}

// ---- sources ----

static Str own_text(Str s) {
    char *p = mem_alloc((size_t)s.n + 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

HistorySource history_source(History *h, Str source) {
    int64_t n = 0;
    h = h->root;
    if (source.n == 0) return (HistorySource){0};
    pthread_mutex_lock(&h->lock);
    if (!map_get(&h->source_numbers, source, &n) && h->source_count < HISTORY_SOURCES_MAX) {
        n = h->source_count++;
        h->sources = mem_grow(h->sources, (size_t)h->source_count * sizeof(Str));
        h->sources[n] = own_text(source);
        map_put(&h->source_numbers, h->sources[n], n);
    }
    pthread_mutex_unlock(&h->lock);
    return n ? (HistorySource){.number = (uint32_t)n} : (HistorySource){.number = SOURCE_IS_TEXT, .text = source};
}

Str history_source_text(History *h, HistorySource source) {
    if (source.number == SOURCE_IS_TEXT) return source.text;
    h = h->root;
    pthread_mutex_lock(&h->lock);
    Str s = h->sources[source.number];
    pthread_mutex_unlock(&h->lock);
    return s;
}

// ---- batches in ----

// There is something for the thread to look at. Caller holds the lock.
static void poke(History *h) {
    h->poked = true;
    h->idle = false;
    pthread_cond_signal(&h->work);
}

void history_replay(History *h, const BatchHead *head, Str trail) {
    if (h->parent) {
        fork_replay(h, head, trail);
        return;
    }
    CHECK(!h->store);
    if (!h->replayed) h->replayed = head->seq;
    head_append(h, head->seq, head->time, history_source(h, head->source), trail, false);
}

void history_queue(History *h, uint64_t seq, int64_t time, Str source, Buf *trail, bool no_batch) {
    History *root = h->root;
    QueueItem *item = mem_alloc(sizeof *item);
    *item = (QueueItem){.of = h, .no_batch = no_batch, .seq = seq, .time = time, .trail = *trail};
    item->source = history_source(root, source);
    *trail = (Buf){0};
    atomic_fetch_add_explicit(&h->f.queued, 1, memory_order_relaxed);
    if (item->source.text.n) item->source.text = own_text(item->source.text);
    atomic_fetch_add_explicit(&root->queue_bytes, item->trail.cap, memory_order_relaxed);
    pthread_mutex_lock(&root->lock);
    *(root->head ? &root->tail->next : &root->head) = item;
    root->tail = item;
    h->told = seq;
    root->queue_told++;
    poke(root);
    pthread_mutex_unlock(&root->lock);
}

void history_add(History *h, uint64_t seq, int64_t time, Str source, Buf *trail) {
    history_queue(h, seq, time, source, trail, false);
}

bool history_room(const History *h) {
    h = h->root;
    int64_t over = atomic_load_explicit(&h->head_bytes, memory_order_relaxed) - h->o.head_bytes_max;
    int64_t queue = atomic_load_explicit(&h->queue_bytes, memory_order_relaxed);
    return queue + (over > 0 ? over : 0) <= h->o.queue_bytes_max;
}

void history_wait_room(History *h) {
    h = h->root;
    pthread_mutex_lock(&h->lock);
    while (!h->stop && !history_room(h)) pthread_cond_wait(&h->moved, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

void history_wait(History *h, uint64_t seq) {
    History *root = h->root;
    while (h->parent && seq <= h->f.fork_seq) h = h->parent; // what it has of its own came later
    if (atomic_load_explicit(&h->taken, memory_order_acquire) >= seq) return;
    if (fork_learn(h)) return; // who reads is told so
    pthread_mutex_lock(&root->lock);
    atomic_fetch_add_explicit(&root->waiting, 1, memory_order_relaxed);
    while (!root->stop && atomic_load_explicit(&h->taken, memory_order_acquire) < seq)
        pthread_cond_wait(&root->moved, &root->lock);
    atomic_fetch_sub_explicit(&root->waiting, 1, memory_order_relaxed);
    pthread_mutex_unlock(&root->lock);
}

void history_seal(History *h, uint64_t seq) {
    History *root = h->root;
    if (!seq) return;
    pthread_mutex_lock(&root->lock);
    if (h->parent && !h->seal_to) {
        h->next_ask = root->asked;
        root->asked = h;
    }
    if (h->seal_to < seq) h->seal_to = seq;
    poke(root);
    pthread_mutex_unlock(&root->lock);
}

void history_drain(History *h) {
    h = h->root;
    pthread_mutex_lock(&h->lock);
    poke(h);
    while (!h->stop && !h->idle) pthread_cond_wait(&h->moved, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

// ---- puts ----

// The store's thread, or who does its work.
static void put_done(void *arg, Err err, const char *why) {
    (void)why;
    PutEnd *e = arg;
    History *h = e->h;
    pthread_mutex_lock(&h->lock);
    e->err = err;
    e->ended = true;
    h->flying--;
    if (e->then) {
        *(h->ended ? &h->ended_last->next : &h->ended) = e;
        h->ended_last = e;
        poke(h);
    }
    pthread_cond_broadcast(&h->moved);
    pthread_mutex_unlock(&h->lock);
}

static PutEnd *end_new(History *h, const StoreHistoryPut *put, HistoryPutFn then, void *arg) {
    PutEnd *e = mem_alloc(sizeof *e);
    *e = (PutEnd){.h = h, .then = then, .arg = arg, .gone_count = put->gone_count};
    e->gone = mem_alloc((size_t)put->gone_count * sizeof *e->gone);
    if (put->gone_count) memcpy(e->gone, put->gone, (size_t)put->gone_count * sizeof *e->gone);
    return e;
}

static void end_free(PutEnd *e) {
    mem_free(e->gone);
    mem_free(e);
}

static void count_flying(History *h, int64_t n) {
    pthread_mutex_lock(&h->lock);
    h->flying += n;
    pthread_mutex_unlock(&h->lock);
}

static Err put_send(History *h, const StoreHistoryPut *put, PutEnd *e) {
    count_flying(h, 1);
    Err err = store_history_put(h->store, put, put_done, e);
    if (err == ERR_OK) return ERR_OK;
    count_flying(h, -1);
    end_free(e);
    return err;
}

Err history_put(History *h, const StoreHistoryPut *put, HistoryPutFn then, void *arg) {
    return put_send(h, put, end_new(h, put, then, arg));
}

Err history_put_now(History *h, const StoreHistoryPut *put) {
    PutEnd *e = end_new(h, put, NULL, NULL);
    TRY(put_send(h, put, e));
    pthread_mutex_lock(&h->lock);
    while (!e->ended && !h->thread.running) { // perhaps the store has no thread either
        pthread_mutex_unlock(&h->lock);
        store_help(h->store);
        pthread_mutex_lock(&h->lock);
        struct timespec until = time_after(NS_PER_MS);
        if (!e->ended) pthread_cond_timedwait(&h->moved, &h->lock, &until);
    }
    while (!e->ended) pthread_cond_wait(&h->moved, &h->lock);
    pthread_mutex_unlock(&h->lock);
    Err err = e->err;
    if (err == ERR_OK) history_forget(h, e->gone, e->gone_count);
    end_free(e);
    return err;
}

static bool take_ended(History *h) {
    pthread_mutex_lock(&h->lock);
    PutEnd *e = h->ended;
    h->ended = h->ended_last = NULL;
    pthread_mutex_unlock(&h->lock);
    bool any = e != NULL;
    for (PutEnd *next; e; e = next) {
        next = e->next;
        if (e->err == ERR_OK) history_forget(h, e->gone, e->gone_count);
        e->then(h, e->arg, e->err);
        end_free(e);
    }
    return any;
}

// ---- the thread ----

// Up to TAKE_BATCHES from the queue.
static QueueItem *take_items(History *h) {
    int64_t n = 0, bytes = 0;
    pthread_mutex_lock(&h->lock);
    QueueItem *first = h->head, *last = NULL;
    for (QueueItem *i = first; i && n < TAKE_BATCHES && bytes < TAKE_BYTES; i = i->next) {
        last = i;
        n++;
        bytes += i->trail.n;
    }
    if (last) {
        h->head = last->next;
        last->next = NULL;
    }
    pthread_mutex_unlock(&h->lock);
    return first;
}

void history_taken(History *h, uint64_t seq) {
    uint64_t had = atomic_load_explicit(&h->taken, memory_order_relaxed);
    while (had < seq &&
           !atomic_compare_exchange_weak_explicit(&h->taken, &had, seq, memory_order_release, memory_order_relaxed)) {}
}

static bool take_batches(History *h) {
    QueueItem *i = take_items(h);
    if (!i) return false;
    for (QueueItem *next; i; i = next) {
        next = i->next;
        if (i->of->parent) fork_active(i->of);
        head_append(i->of, i->seq, i->time, i->source, buf_str(&i->trail), i->no_batch);
        history_taken(i->of, i->seq);
        atomic_fetch_sub_explicit(&i->of->f.queued, 1, memory_order_release);
        atomic_fetch_add_explicit(&h->queue_taken, 1, memory_order_release);
        atomic_fetch_sub_explicit(&h->queue_bytes, i->trail.cap, memory_order_relaxed);
        item_free(i);
    }
    pthread_mutex_lock(&h->lock);
    pthread_cond_broadcast(&h->moved);
    pthread_mutex_unlock(&h->lock);
    return true;
}

static bool merge_turn(History *h) {
    int64_t begin = time_mono_ns();
    bool did = history_merge_step(h);
    atomic_fetch_add_explicit(&h->n.merge_ns, time_mono_ns() - begin, memory_order_relaxed);
    return did;
}

bool history_hurries(const History *h) {
    return atomic_load_explicit(&h->waiting, memory_order_relaxed) &&
           atomic_load_explicit(&h->queue_bytes, memory_order_relaxed) > 0 &&
           atomic_load_explicit(&h->head_bytes, memory_order_relaxed) < h->o.head_bytes_max;
}

bool history_step(History *h) {
    bool did = take_ended(h);
    did |= take_batches(h);
    did |= forks_step(h);
    bool put_off = history_hurries(h) && h->hurried < HURRY_TURNS;
    h->hurried = put_off ? h->hurried + 1 : 0;
    did |= put_off || seal_step(h);
    return did;
}

// Wait for a poke, at most until sealing is to be tried again.
static void await_work(History *h) {
    int64_t wait_ns = seal_wait_ns(h);
    struct timespec until = time_after(wait_ns);
    bool rests = seal_idle(h);
    pthread_mutex_lock(&h->lock);
    h->idle = rests && h->flying == 0 && !h->poked;
    if (h->idle) pthread_cond_broadcast(&h->moved);
    for (int e = 0; !h->stop && !h->poked && e != ETIMEDOUT;) {
        if (wait_ns < 0) pthread_cond_wait(&h->work, &h->lock);
        else e = pthread_cond_timedwait(&h->work, &h->lock, &until);
    }
    h->idle = false;
    pthread_mutex_unlock(&h->lock);
}

// A turn begins: whatever is poked from now on is seen in it or in the next. False: stop.
static bool begin_turn(History *h) {
    pthread_mutex_lock(&h->lock);
    h->poked = false;
    bool go = !h->stop;
    pthread_mutex_unlock(&h->lock);
    return go;
}

static void *run(void *arg) {
    History *h = arg;
    for (int64_t turns = 1; begin_turn(h); turns++) {
        bool did = history_step(h);
        if (!did || turns % MERGE_TURNS == 0) did |= merge_turn(h);
        if (!did) await_work(h);
    }
    erase_give_up(h);
    return NULL;
}

// ---- readers' desks ----

static uint64_t erasures(History *h) {
    pthread_mutex_lock(&h->cache.lock);
    uint64_t n = h->cache.erased;
    pthread_mutex_unlock(&h->cache.lock);
    return n;
}

HistoryDesk *history_desk_take(History *h) {
    h = h->root;
    uint64_t erased = erasures(h); // before the reader looks at the store
    pthread_mutex_lock(&h->lock);
    HistoryDesk *d = h->desks;
    if (d) h->desks = d->next;
    pthread_mutex_unlock(&h->lock);
    if (!d) {
        d = mem_alloc(sizeof *d);
        d->work = hwork_new();
        arena_init(&d->arena, 0);
    }
    d->erased = erased;
    return d;
}

void history_desk_give(History *h, HistoryDesk *d) {
    h = h->root;
    if (d->erased != erasures(h)) { // what it read was erased meanwhile
        desk_free(d);
        return;
    }
    arena_reset(&d->arena);
    pthread_mutex_lock(&h->lock);
    d->next = h->desks;
    h->desks = d;
    pthread_mutex_unlock(&h->lock);
}

int64_t history_from(History *h) { return atomic_load_explicit(&h->root->from, memory_order_acquire); }
