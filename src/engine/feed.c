// SPDX-License-Identifier: Apache-2.0
// The feed: a bounded ring of visible batches per world, and cursors on it.
//
//   position:  first ............ next        kept batches have positions [first, next), at most bytes_max bytes
//   sequence:  base  < ascending              base: sequence of the last batch that was let go (or of the start)
//
// Writers only append. A cursor whose last sequence is before `base` reads the journal (a world without one: GONE), a
// slice at a time, until it has caught up with the ring. Everything in the ring is durable, so it is in the journal too
// unless it was trimmed, and both ascend by sequence: the cursor goes from one to the other at any batch.
//
//   slices:  (after, last] of the journal, read by the store's thread, shared by the cursors that are at them
//            LOADING -> READY or FAILED; freed with the last cursor that is at it
//
// hub->lock guards everything in a Hub, but the content of a READY slice, which nobody changes; it is held for a few
// instructions, never while a batch is decoded.
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/pasts.h"
#include "engine/replay.h"
#include "engine/scenarios.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include <errno.h>

#define WAIT_MAX_NS (86400 * NS_PER_S) // longer waits are cut to this
#define SLICE_BYTES (1 << 20)          // of the journal in memory for one cursor; a larger batch has a slice of its own
#define SLICE_NEAR 256                 // a slice that is loading and begins at most this before a cursor will do

typedef struct Slice {
    struct Slice *next, *before; // of the hub
    Hub *hub;                    // a reference
    int32_t refs;                // cursors at it, and the loading
    bool loading;
    bool stale;           // the journal was written again since: read once more
    Err err;              // FAILED
    uint64_t after, last; // last: READY
    Buf bytes;
} Slice;

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
    Slice *slices;
};

struct SosiaFeed {
    SosiaFeed *next, *before;
    Hub *hub;
    SosiaCaller who; // texts owned
    uint64_t prev;   // sequence delivered last
    bool ring;       // `at` is the position of the next batch, unless that was let go
    uint64_t at;
    Slice *slice; // what comes next is in it
    int64_t pos;  // and begins here, or behind a few delivered before
    bool oldest;  // nothing was delivered since SOSIA_FEED_OLDEST
    void (*notify)(void *arg);
    void *arg;
    FeedBatch *batch; // delivered last
    EventList events;
    Replay *replay; // what it gives instead of what happens; NULL: a cursor
    bool again;     // the batch could not be decoded: it is still next
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

// Another batch in place of the one at a position, unless that was let go meanwhile. Takes both references.
static void hub_replace(Hub *h, uint64_t at, FeedBatch *was, FeedBatch *now) {
    pthread_mutex_lock(&h->lock);
    bool there = at >= h->first && at < h->next && h->kept[at & (h->cap - 1)] == was;
    if (there) {
        h->kept[at & (h->cap - 1)] = now;
        h->bytes += batch_cost(now) - batch_cost(was);
    }
    pthread_mutex_unlock(&h->lock);
    feed_batch_unref(there ? was : now); // the ring's
    feed_batch_unref(was);
}

static FeedBatch *batch_of(const FeedBatch *from, Str bytes) {
    FeedBatch *b = mem_alloc(sizeof *b + (size_t)bytes.n);
    atomic_init(&b->refs, 1);
    b->seq = from->seq;
    b->changes = from->changes; // how many there were
    b->size = bytes.n;
    memcpy(b->bytes, bytes.p, (size_t)bytes.n);
    return b;
}

Err hub_forget(Hub *h, Err (*fn)(void *ctx, Str bytes, Buf *out), void *ctx) {
    Buf out = {0};
    Err err = ERR_OK;
    pthread_mutex_lock(&h->lock);
    for (Slice *s = h->slices; s; s = s->next) s->stale = true;
    uint64_t at = h->first, end = h->next;
    pthread_mutex_unlock(&h->lock);
    for (; at < end && !err; at++) {
        FeedBatch *b = NULL;
        pthread_mutex_lock(&h->lock);
        if (at < h->first) at = h->first;
        if (at < end) b = batch_ref(h->kept[at & (h->cap - 1)]);
        pthread_mutex_unlock(&h->lock);
        if (!b) break;
        buf_reset(&out);
        err = fn(ctx, (Str){b->bytes, b->size}, &out);
        if (!err && out.n) hub_replace(h, at, b, batch_of(b, buf_str(&out)));
        else feed_batch_unref(b);
    }
    buf_free(&out);
    return err;
}

int64_t hub_bytes(Hub *h) {
    pthread_mutex_lock(&h->lock);
    int64_t n = h->bytes;
    pthread_mutex_unlock(&h->lock);
    return n;
}

// What the oldest batch that the journal of a world has follows; UINT64_MAX: there is no journal. A fork's is whole.
static uint64_t journal_oldest(const Realm *r) {
    if (!r->stored) return UINT64_MAX;
    return r->scenario ? r->scenario->fork_seq : store_journal_oldest(r->engine->store);
}

// ---- slices of the journal ----------------------------------------------------------------------------------------

// The journal of a world, or NULL. The world is there.
static Store *hub_store(const Hub *h) { return h->realm->stored ? h->realm->engine->store : NULL; }

// A slice that has what follows `prev`, or will probably, with a reference; else NULL. Lock held.
static Slice *slice_find(Hub *h, uint64_t prev) {
    for (Slice *s = h->slices; s; s = s->next) {
        if (s->err || s->stale || s->after > prev) continue;
        if (s->loading ? prev - s->after > SLICE_NEAR : s->last <= prev) continue;
        s->refs++;
        return s;
    }
    return NULL;
}

// One to be loaded, with a reference for the caller and one for the loading. Lock held.
static Slice *slice_new(Hub *h, uint64_t after) {
    Slice *s = mem_alloc(sizeof *s);
    *s = (Slice){.next = h->slices, .hub = h, .refs = 2, .loading = true, .after = after};
    if (s->next) s->next->before = s;
    h->slices = s;
    atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
    return s;
}

// Drop a reference; true when it was the last: the caller frees it by slice_free when the lock is released. Lock held.
static bool slice_drop(Slice *s) {
    if (--s->refs) return false;
    if (s->before) s->before->next = s->next;
    else s->hub->slices = s->next;
    if (s->next) s->next->before = s->before;
    s->next = NULL;
    return true;
}

// Free a list of slices that nobody is at.
static void slice_free(Slice *s) {
    for (Slice *next; s; s = next) {
        next = s->next;
        hub_unref(s->hub);
        buf_free(&s->bytes);
        mem_free(s);
    }
}

static void slice_loaded(void *arg, Err err, uint64_t last, Buf *bytes) {
    Slice *s = arg;
    Hub *h = s->hub;
    pthread_mutex_lock(&h->lock);
    s->loading = false;
    s->err = !err && !bytes->n ? ERR_GONE : err; // what the ring let go is durable: if it is not there, it was trimmed
    s->last = last;
    s->bytes = *bytes;
    *bytes = (Buf){0};
    for (SosiaFeed *f = h->feeds; f; f = f->next)
        if (f->slice == s && f->notify) f->notify(f->arg);
    pthread_cond_broadcast(&h->more);
    bool end = slice_drop(s);
    pthread_mutex_unlock(&h->lock);
    if (end) slice_free(s);
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

// Set the cursor. journal: what the journal's oldest row follows, UINT64_MAX without one. visible: what readers see, a
// moment before it comes here.
// Errors: GONE (too old, or of a future this world never had).
static Err feed_place(SosiaFeed *f, uint64_t since, uint64_t journal, uint64_t visible, uint64_t *oldest) {
    Hub *h = f->hub;
    Err err = ERR_OK;
    pthread_mutex_lock(&h->lock);
    uint64_t first = journal < h->base ? journal : h->base;
    f->oldest = since == SOSIA_FEED_OLDEST;
    if (!since) since = hub_newest(h);
    else if (f->oldest) since = first;
    if (oldest) *oldest = first;
    if (h->closed) err = ERR_CLOSED;
    else if (since < first || (since > visible && since > hub_newest(h))) err = ERR_GONE;
    else {
        f->prev = since;
        f->next = h->feeds;
        if (f->next) f->next->before = f;
        h->feeds = f;
    }
    pthread_mutex_unlock(&h->lock);
    return err;
}

static void feed_free(SosiaFeed *f) {
    replay_free(f->replay);
    feed_batch_unref(f->batch);
    events_free(&f->events);
    slice_free(f->slice);
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
    Err past = pasts_refuse(s, world);
    if (past) return past == ERR_READ_ONLY ? SOSIA_UNSUPPORTED : (SosiaErr)past;
    Realm *r = realm_find(s, world);
    if (!r) return SOSIA_WORLD_NOT_FOUND;
    SosiaFeed *f = mem_alloc(sizeof *f);
    f->hub = r->hub;
    atomic_fetch_add_explicit(&f->hub->refs, 1, memory_order_relaxed);
    f->who = (SosiaCaller){str_own(who ? who->principal : (Str){0}), str_own(who ? who->purpose : (Str){0})};
    Err err = feed_place(f, since, journal_oldest(r), world_visible(r->world), oldest);
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
    if (f->slice && !slice_drop(f->slice)) f->slice = NULL;
    pthread_mutex_unlock(&h->lock);
    feed_free(f);
}

void sosia_feed_notify(SosiaFeed *f, void (*fn)(void *arg), void *arg) {
    pthread_mutex_lock(&f->hub->lock);
    f->notify = fn;
    f->arg = arg;
    pthread_mutex_unlock(&f->hub->lock);
    if (f->replay) replay_notify(f->replay, fn, arg);
}

SosiaErr sosia_feed_replay(Sosia *s, const SosiaCaller *who, const SosiaReplay *r, SosiaFeed **out) {
    SosiaFeed *f;
    Err err = (Err)sosia_feed_open(s, who, r->world, 0, &f, NULL);
    if (err) return (SosiaErr)err;
    err = replay_start(s, r, &f->replay);
    f->prev = 0;
    if (err) sosia_feed_close(f);
    else *out = f;
    return (SosiaErr)err;
}

// ---- the next batch -----------------------------------------------------------------------------------------------

// Where the next batch is.
typedef enum Place { PLACE_NONE, PLACE_RING, PLACE_SLICE, PLACE_JOURNAL } Place;

// Leave the slice, if any. Lock held; the list *end is to be freed without it.
static void feed_leave(SosiaFeed *f, Slice **end) {
    if (f->slice && slice_drop(f->slice)) {
        f->slice->next = *end;
        *end = f->slice;
    }
    f->slice = NULL;
}

static Err place_in_journal(SosiaFeed *f, Place *out, Slice **end) {
    Hub *h = f->hub;
    Slice *s = f->slice;
    f->ring = false;
    if (s && !s->loading && !s->err && !s->stale && s->last > f->prev) {
        *out = PLACE_SLICE;
        return ERR_OK;
    }
    if (s && s->loading) return ERR_OK;
    Err err = s && !s->stale ? s->err : ERR_OK;
    feed_leave(f, end);
    if (err) return err;
    if (!hub_store(h)) return ERR_GONE;
    f->pos = 0;
    f->slice = slice_find(h, f->prev);
    *out = PLACE_JOURNAL;
    if (f->slice && !f->slice->loading) *out = PLACE_SLICE;
    else if (f->slice) *out = PLACE_NONE;
    return ERR_OK;
}

// Lock held. Errors: CLOSED, GONE, and those of reading the journal.
static Err feed_look(SosiaFeed *f, Place *out, Slice **end) {
    Hub *h = f->hub;
    *out = PLACE_NONE;
    if (h->closed) return ERR_CLOSED;
    if (f->prev < h->base) return place_in_journal(f, out, end);
    feed_leave(f, end);
    if (!f->ring) f->at = hub_find(h, f->prev);
    f->ring = true;
    // Begun behind what was to be seen before it came here: see feed_place.
    while (f->at < h->next && h->kept[f->at & (h->cap - 1)]->seq <= f->prev) f->at++;
    if (f->at < h->next) *out = PLACE_RING;
    return ERR_OK;
}

// Keep the realm while something is done without the lock. Lock held.
static void feed_hold_realm(Hub *h) {
    h->busy++;
    realm_ref(h->realm);
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

// Have what follows the cursor read. Lock held; it is released meanwhile.
static void feed_load(SosiaFeed *f) {
    Hub *h = f->hub;
    Slice *s = f->slice = slice_new(h, f->prev);
    Store *store = hub_store(h);
    uint64_t world = h->realm->scenario ? h->realm->scenario->number : 0;
    feed_hold_realm(h);
    pthread_mutex_unlock(&h->lock);
    store_journal_read(store, world, s->after, SLICE_BYTES, slice_loaded, s);
    feed_release(h);
    pthread_mutex_lock(&h->lock);
}

// Look until there is a batch, or the time is over; load what must be loaded. Lock held.
static Err feed_await(SosiaFeed *f, int64_t wait_ns, Place *out, Slice **end) {
    struct timespec until = time_after(wait_ns < WAIT_MAX_NS ? wait_ns : WAIT_MAX_NS);
    for (bool over = wait_ns <= 0;;) {
        TRY(feed_look(f, out, end));
        if (*out == PLACE_JOURNAL) {
            feed_load(f);
            continue;
        }
        if (*out != PLACE_NONE || over) return ERR_OK;
        over = pthread_cond_timedwait(&f->hub->more, &f->hub->lock, &until) == ETIMEDOUT;
    }
}

// The place of the next batch. *batch has a reference when it is in the ring; the realm stays until feed_release when
// there is a batch.
static Err feed_take(SosiaFeed *f, int64_t wait_ns, Place *out, FeedBatch **batch) {
    Hub *h = f->hub;
    Slice *end = NULL;
    pthread_mutex_lock(&h->lock);
    Err err = feed_await(f, wait_ns, out, &end);
    if (!err && *out != PLACE_NONE) feed_hold_realm(h);
    if (!err && *out == PLACE_RING) *batch = batch_ref(h->kept[f->at++ & (h->cap - 1)]);
    pthread_mutex_unlock(&h->lock);
    slice_free(end);
    return err;
}

// Pass over what was delivered before: a slice that others are at begins where they were.
static Err slice_seek(SosiaFeed *f, Str *out) {
    const Buf *b = &f->slice->bytes;
    Cut c = cut_of((Str){b->p + f->pos, b->n - f->pos});
    for (;;) {
        Cut at = c;
        BatchHead head;
        TRY(batch_decode(&c, &head));
        if (head.seq > f->prev) {
            *out = (Str){(const char *)at.p, at.end - at.p};
            return ERR_OK;
        }
        Change change;
        for (int64_t i = 0; i < head.count; i++) TRY(change_decode(&c, &change));
        f->pos = b->n - (c.end - c.p);
    }
}

static Err feed_decode(SosiaFeed *f, Place place, FeedBatch *batch, SosiaBatch *out) {
    Str bytes;
    if (place == PLACE_SLICE) TRY(slice_seek(f, &bytes));
    else bytes = (Str){batch->bytes, batch->size};
    TRY(events_decode(&f->events, f->hub->realm, &f->who, bytes, out));
    if (place == PLACE_SLICE) f->pos += f->events.used;
    return ERR_OK;
}

// A cursor that began at the oldest batch and was outrun before it had any begins again; else GONE.
static bool feed_again(SosiaFeed *f, Err err) {
    if (err != ERR_GONE || !f->oldest) return false;
    Hub *h = f->hub;
    pthread_mutex_lock(&h->lock);
    Store *store = h->closed ? NULL : hub_store(h);
    uint64_t base = h->base;
    if (store) feed_hold_realm(h);
    pthread_mutex_unlock(&h->lock);
    if (store) {
        uint64_t journal = journal_oldest(h->realm);
        if (journal < base) base = journal;
        feed_release(h);
    }
    bool moved = base > f->prev;
    f->prev = base;
    return moved;
}

// Keep the realm if the world is still there.
static bool feed_enter(Hub *h) {
    pthread_mutex_lock(&h->lock);
    bool open = !h->closed;
    if (open) feed_hold_realm(h);
    pthread_mutex_unlock(&h->lock);
    return open;
}

static Err next_replayed(SosiaFeed *f, int64_t wait_ns, SosiaBatch *out) {
    if (!f->again) {
        FeedBatch *b;
        TRY(replay_take(f->replay, wait_ns, &b));
        if (!b) return ERR_OK;
        feed_batch_unref(f->batch);
        f->batch = b;
    }
    f->again = true;
    if (!feed_enter(f->hub)) return ERR_CLOSED;
    Err err = events_decode(&f->events, f->hub->realm, &f->who, (Str){f->batch->bytes, f->batch->size}, out);
    feed_release(f->hub);
    TRY(err);
    f->again = false;
    out->prev = f->prev;
    f->prev = out->seq;
    return ERR_OK;
}

SosiaErr sosia_feed_next(SosiaFeed *f, int64_t wait_ns, SosiaBatch *out) {
    *out = (SosiaBatch){0};
    if (f->replay) return (SosiaErr)next_replayed(f, wait_ns, out);
    Place place = PLACE_NONE;
    FeedBatch *b = NULL;
    Err err;
    do err = feed_take(f, wait_ns, &place, &b);
    while (err && feed_again(f, err));
    if (err || place == PLACE_NONE) return (SosiaErr)err;
    if (b) {
        feed_batch_unref(f->batch);
        f->batch = b;
    }
    err = feed_decode(f, place, b, out);
    feed_release(f->hub);
    if (err == ERR_WORLD_NOT_FOUND) err = ERR_CLOSED; // dropped while the batch was looked at
    f->ring &= !err;                                  // it comes again
    if (err) return (SosiaErr)err;
    out->prev = f->prev;
    f->prev = out->seq;
    f->oldest = false;
    return SOSIA_OK;
}
