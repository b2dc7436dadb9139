// SPDX-License-Identifier: Apache-2.0
// The feed: a bounded ring of visible batches per world, and cursors on it.
//
//   position:  first ............ next        kept batches have positions [first, next), at most bytes_max bytes
//   sequence:  base  < ascending              base: sequence of the last batch that was let go (or of the start)
//
// Writers only append; a slow cursor finds itself behind `first` and is told GONE. hub->lock guards everything in a
// Hub; it is held for a few instructions, never while a batch is decoded.
#include "engine/engine.h"
#include "engine/event.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include <errno.h>

#define WAIT_MAX_NS (86400 * NS_PER_S) // longer waits are cut to this

struct Hub {
    _Atomic int32_t refs;
    Realm *realm; // owns this hub; valid until closed and not busy
    pthread_mutex_t lock;
    pthread_cond_t more; // new batches, closed, not busy any more
    FeedBatch **kept;    // ring of cap entries, power of two
    uint64_t cap, first, next;
    uint64_t base;
    int64_t bytes, bytes_max;
    int32_t busy; // cursors looking at the realm
    bool closed;
    SosiaFeed *feeds;
};

struct SosiaFeed {
    SosiaFeed *next, *before;
    Hub *hub;
    SosiaCaller who; // texts owned
    uint64_t at;     // position of the next batch
    uint64_t prev;   // sequence delivered last
    void (*notify)(void *arg);
    void *arg;
    FeedBatch *batch; // delivered last
    EventList events;
};

// ---- batches ------------------------------------------------------------------------------------------------------

static FeedBatch *batch_ref(FeedBatch *b) {
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void feed_batch_unref(FeedBatch *b) {
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) mem_free(b);
}

// ---- hubs ---------------------------------------------------------------------------------------------------------

Hub *hub_new(Realm *r, int64_t bytes_max) {
    Hub *h = mem_alloc(sizeof *h);
    atomic_init(&h->refs, 1);
    h->realm = r;
    h->bytes_max = bytes_max;
    h->base = world_seq(r->world);
    pthread_mutex_init(&h->lock, NULL);
    cond_init_mono(&h->more);
    return h;
}

// What keeping a batch costs: its bytes, its head, the allocator's and the slot in the ring.
static int64_t batch_cost(const FeedBatch *b) { return b->size + (int64_t)(sizeof *b + 16 + sizeof(FeedBatch *)); }

// Let the oldest batch go. Lock held.
static void hub_drop_first(Hub *h) {
    FeedBatch *b = h->kept[h->first++ & (h->cap - 1)];
    h->base = b->seq;
    h->bytes -= batch_cost(b);
    feed_batch_unref(b);
}

void hub_unref(Hub *h) {
    if (atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1) return;
    while (h->first < h->next) hub_drop_first(h);
    mem_free(h->kept);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->more);
    mem_free(h);
}

static void hub_grow(Hub *h) {
    uint64_t cap = h->cap ? h->cap * 2 : 64;
    FeedBatch **kept = mem_alloc(cap * sizeof *kept);
    for (uint64_t i = h->first; i < h->next; i++) kept[i & (cap - 1)] = h->kept[i & (h->cap - 1)];
    mem_free(h->kept);
    h->kept = kept;
    h->cap = cap;
}

void hub_append(Hub *h, FeedBatch *b) {
    pthread_mutex_lock(&h->lock);
    if (h->next - h->first == h->cap) hub_grow(h);
    h->kept[h->next++ & (h->cap - 1)] = b;
    h->bytes += batch_cost(b);
    while (h->bytes > h->bytes_max && h->first < h->next) hub_drop_first(h);
    pthread_mutex_unlock(&h->lock);
}

void hub_notify(Hub *h) {
    pthread_mutex_lock(&h->lock);
    pthread_cond_broadcast(&h->more);
    for (SosiaFeed *f = h->feeds; f; f = f->next)
        if (f->notify) f->notify(f->arg);
    pthread_mutex_unlock(&h->lock);
}

void hub_close(Hub *h) {
    pthread_mutex_lock(&h->lock);
    h->closed = true;
    while (h->busy) pthread_cond_wait(&h->more, &h->lock);
    pthread_mutex_unlock(&h->lock);
    hub_notify(h);
}

void hub_end(Hub *h) {
    pthread_mutex_lock(&h->lock);
    h->closed = true;
    pthread_mutex_unlock(&h->lock);
    hub_notify(h);
}

int64_t hub_bytes(Hub *h) {
    pthread_mutex_lock(&h->lock);
    int64_t n = h->bytes;
    pthread_mutex_unlock(&h->lock);
    return n;
}

// ---- cursors ------------------------------------------------------------------------------------------------------

// Position of the first kept batch behind `since`. Lock held.
static uint64_t hub_find(const Hub *h, uint64_t since) {
    uint64_t lo = h->first, hi = h->next;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (h->kept[mid & (h->cap - 1)]->seq <= since) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static uint64_t hub_newest(const Hub *h) {
    return h->first < h->next ? h->kept[(h->next - 1) & (h->cap - 1)]->seq : h->base;
}

// Set the cursor. Errors: GONE (too old, or of a future this world never had).
static Err feed_place(SosiaFeed *f, uint64_t since, uint64_t *oldest) {
    Hub *h = f->hub;
    Err err = ERR_OK;
    pthread_mutex_lock(&h->lock);
    if (!since) since = hub_newest(h);
    if (oldest) *oldest = h->base;
    if (h->closed) err = ERR_CLOSED;
    else if (since < h->base || since > hub_newest(h)) err = ERR_GONE;
    else {
        f->at = hub_find(h, since);
        f->prev = since;
        f->next = h->feeds;
        if (f->next) f->next->before = f;
        h->feeds = f;
    }
    pthread_mutex_unlock(&h->lock);
    return err;
}

static void feed_free(SosiaFeed *f) {
    feed_batch_unref(f->batch);
    events_free(&f->events);
    hub_unref(f->hub);
    mem_free((void *)f->who.principal.p);
    mem_free((void *)f->who.purpose.p);
    mem_free(f);
}

static Str str_own(Str s) {
    char *p = mem_alloc((size_t)s.n + 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

SosiaErr sosia_feed_open(Sosia *s, const SosiaCaller *who, SosiaStr world, uint64_t since, SosiaFeed **out,
                         uint64_t *oldest) {
    Realm *r = realm_find(s, world);
    if (!r) return SOSIA_WORLD_NOT_FOUND;
    SosiaFeed *f = mem_alloc(sizeof *f);
    f->hub = r->hub;
    atomic_fetch_add_explicit(&f->hub->refs, 1, memory_order_relaxed);
    f->who = (SosiaCaller){str_own(who ? who->principal : (Str){0}), str_own(who ? who->purpose : (Str){0})};
    Err err = feed_place(f, since, oldest);
    realm_unref(r);
    if (err) feed_free(f);
    else *out = f;
    return (SosiaErr)err;
}

void sosia_feed_close(SosiaFeed *f) {
    if (!f) return;
    Hub *h = f->hub;
    pthread_mutex_lock(&h->lock);
    if (f->before) f->before->next = f->next;
    else h->feeds = f->next;
    if (f->next) f->next->before = f->before;
    pthread_mutex_unlock(&h->lock);
    feed_free(f);
}

void sosia_feed_notify(SosiaFeed *f, void (*fn)(void *arg), void *arg) {
    pthread_mutex_lock(&f->hub->lock);
    f->notify = fn;
    f->arg = arg;
    pthread_mutex_unlock(&f->hub->lock);
}

// ---- the next batch -----------------------------------------------------------------------------------------------

// The batch at the cursor with a reference, NULL when there is none yet; the realm stays until feed_release.
static Err feed_take(SosiaFeed *f, int64_t wait_ns, FeedBatch **out) {
    Hub *h = f->hub;
    Err err = ERR_OK;
    struct timespec until = time_after(wait_ns < WAIT_MAX_NS ? wait_ns : WAIT_MAX_NS);
    *out = NULL;
    pthread_mutex_lock(&h->lock);
    while (wait_ns > 0 && !h->closed && f->at >= h->next)
        if (pthread_cond_timedwait(&h->more, &h->lock, &until) == ETIMEDOUT) break;
    if (h->closed) err = ERR_CLOSED;
    else if (f->at < h->first) err = ERR_GONE;
    else if (f->at < h->next) {
        *out = batch_ref(h->kept[f->at++ & (h->cap - 1)]);
        h->busy++;
        realm_ref(h->realm);
    }
    pthread_mutex_unlock(&h->lock);
    return err;
}

// The last one of a dropped world frees it; the cursor keeps the hub.
static void feed_release(Hub *h) {
    Realm *r = h->realm;
    pthread_mutex_lock(&h->lock);
    bool last = !realm_unref_some(r); // else before busy falls: who waits for that holds the others
    if (--h->busy == 0 && h->closed) pthread_cond_broadcast(&h->more);
    pthread_mutex_unlock(&h->lock);
    if (last) realm_unref(r);
}

SosiaErr sosia_feed_next(SosiaFeed *f, int64_t wait_ns, SosiaBatch *out) {
    *out = (SosiaBatch){0};
    FeedBatch *b;
    Err err = feed_take(f, wait_ns, &b);
    if (err || !b) return (SosiaErr)err;
    feed_batch_unref(f->batch);
    f->batch = b;
    err = events_decode(&f->events, f->hub->realm, &f->who, (Str){b->bytes, b->size}, out);
    feed_release(f->hub);
    if (err == ERR_WORLD_NOT_FOUND) err = ERR_CLOSED; // dropped while the batch was looked at
    if (err) return (SosiaErr)err;
    out->prev = f->prev;
    f->prev = b->seq;
    return SOSIA_OK;
}
