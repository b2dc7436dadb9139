// SPDX-License-Identifier: Apache-2.0
// The thread reads a window of the stretch at a time (history must not be held while a slow client thinks), unfolds its
// batches, and hands them over when they are due: the first at once, each other as much later as it was then, divided
// by the speed.
//
// When something was erased meanwhile, all that was read ahead is let go of, and reading goes on behind the batch that
// was taken last, from the history of now.
#include "engine/replay.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/erase.h"
#include "engine/pasts.h"
#include "engine/scenarios.h"
#include "world/unfold.h"
#include <errno.h>

#define WINDOW_MIN_NS (100 * NS_PER_MS)
#define WINDOW_MAX_NS (INT64_MAX / 4) // nothing happened for years: what is read is bounded by what there is
#define WINDOW_BYTES (1 << 20)        // about what a window should come to
#define LOOK_NS (50 * NS_PER_MS)      // between looks whether an erasure has ended
#define FORGET_NS (10 * NS_PER_S)     // an erasure waits so long for replays to let go of what they read

typedef struct Made {
    struct Made *next;
    FeedBatch *batch;
    int64_t time;
} Made;

struct Replay {
    Replay *next; // of the engine
    Sosia *engine;
    Realm *realm;           // a reference
    SosiaReplay what;       // world is not looked at any more
    _Atomic uint64_t epoch; // of erasing, before anything was read
    Thread thread;
    World *base;
    Unfold *unfold;
    Buf changes, bytes;
    int64_t window_ns, window_bytes, begun_mono_ns, first_ns;
    int64_t at; // begin of the window
    Err made_err;

    // `lock` guards what follows.
    pthread_mutex_t lock;
    pthread_cond_t moved; // more, fewer, stop
    Made *head, *tail;
    int64_t queued;
    int64_t taken_ns; // of the batch that was taken last; nothing was: right before the stretch
    bool stop, ended;
    Err err;
    void (*notify)(void *arg);
    void *arg;
};

// ---- the thread ---------------------------------------------------------------------------------------------------

static bool stale(const Replay *r) { return erase_since(r->engine, atomic_load(&r->epoch)); }

// Wait until the batch of `time` is due and there is room. False: stop, or what was read is stale.
static bool wait_due(Replay *r, int64_t time) {
    if (!r->first_ns) {
        r->first_ns = time;
        r->begun_mono_ns = time_mono_ns();
    }
    double behind = r->what.speed > 0 ? (double)(time - r->first_ns) / r->what.speed : 0;
    int64_t due = r->begun_mono_ns + (behind < 9e18 ? (int64_t)behind : INT64_MAX / 2);
    struct timespec until = {.tv_sec = due / NS_PER_S, .tv_nsec = due % NS_PER_S};
    pthread_mutex_lock(&r->lock);
    while (!r->stop && !stale(r) && r->queued > REPLAY_BYTES_MAX) pthread_cond_wait(&r->moved, &r->lock);
    while (!r->stop && !stale(r) && time_mono_ns() < due)
        if (pthread_cond_timedwait(&r->moved, &r->lock, &until) == ETIMEDOUT) break;
    bool go = !r->stop && !stale(r);
    pthread_mutex_unlock(&r->lock);
    return go;
}

static void hand_over(Replay *r, FeedBatch *b, int64_t time) {
    Made *m = mem_alloc(sizeof *m);
    *m = (Made){.batch = b, .time = time};
    pthread_mutex_lock(&r->lock); // what became stale meanwhile is let go of by replay_renew
    if (r->tail) r->tail->next = m;
    else r->head = m;
    r->tail = m;
    r->queued += b->size;
    pthread_cond_broadcast(&r->moved);
    if (r->notify) r->notify(r->arg);
    pthread_mutex_unlock(&r->lock);
}

typedef struct Window {
    Replay *r;
    Made *head, *tail;
    int64_t bytes;
} Window;

static FeedBatch *batch_of(Replay *r, const HistoryBatch *b, int64_t count) {
    BatchHead head = {.seq = b->seq, .time = b->time, .source = b->source, .count = count};
    buf_reset(&r->bytes);
    batch_encode(&head, buf_str(&r->changes), &r->bytes);
    CHECK(!r->bytes.full);
    FeedBatch *f = mem_alloc(sizeof *f + (size_t)r->bytes.n);
    atomic_init(&f->refs, 1);
    f->seq = b->seq;
    f->changes = count;
    f->size = r->bytes.n;
    memcpy(f->bytes, r->bytes.p, (size_t)r->bytes.n);
    return f;
}

// One batch of a window; the window ends early when it has come to much.
static bool take_batch(void *ctx, const HistoryBatch *b) {
    Window *w = ctx;
    Replay *r = w->r;
    int64_t count = 0;
    buf_reset(&r->changes);
    r->made_err = unfold_batch(r->unfold, b->time, b->points, b->count, &r->changes, &count);
    if (r->made_err) return false;
    r->at = b->time + 1;
    if (!count) return true;
    Made *m = mem_alloc(sizeof *m);
    *m = (Made){.batch = batch_of(r, b, count), .time = b->time};
    if (w->tail) w->tail->next = m;
    else w->head = m;
    w->tail = m;
    w->bytes += m->batch->size;
    return w->bytes < 4 * WINDOW_BYTES;
}

static void window_free(Made *m) {
    for (Made *next; m; m = next) {
        next = m->next;
        feed_batch_unref(m->batch);
        mem_free(m);
    }
}

// Read the next window; its size follows what came of the last.
static Err read_window(Replay *r, Window *w) {
    int64_t to = r->what.to_ns - r->at > r->window_ns ? r->at + r->window_ns : r->what.to_ns;
    *w = (Window){.r = r};
    r->made_err = ERR_OK;
    Err err = history_batches(realm_history(r->realm), r->at, to, take_batch, w);
    if (!err) err = r->made_err;
    if (!err && w->bytes < 4 * WINDOW_BYTES) r->at = to;
    if (w->bytes < WINDOW_BYTES / 2 && r->window_ns < WINDOW_MAX_NS) r->window_ns *= 2;
    if (w->bytes > 2 * WINDOW_BYTES && r->window_ns > WINDOW_MIN_NS) r->window_ns /= 2;
    return err;
}

static Err run_window(Replay *r) {
    Window w;
    Err err = read_window(r, &w);
    while (w.head && wait_due(r, w.head->time)) {
        Made *m = w.head;
        w.head = m->next;
        hand_over(r, m->batch, m->time);
        mem_free(m);
    }
    window_free(w.head);
    return err;
}

static bool stopped(Replay *r) {
    pthread_mutex_lock(&r->lock);
    bool stop = r->stop;
    pthread_mutex_unlock(&r->lock);
    return stop;
}

// All is read, or it cannot be: until the rest was taken, or is stale.
static void stand(Replay *r, Err err) {
    pthread_mutex_lock(&r->lock);
    r->ended = true;
    r->err = err;
    pthread_cond_broadcast(&r->moved);
    if (r->notify) r->notify(r->arg);
    while (!r->stop && r->head && !stale(r)) pthread_cond_wait(&r->moved, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static Err make_base(Replay *r);

// Once nothing is being erased any more: begin anew behind the batch that was taken last. Errors: those of history.
static Err replay_renew(Replay *r) {
    uint64_t epoch;
    pthread_mutex_lock(&r->lock);
    while (!r->stop && erase_epoch(r->engine, &epoch)) {
        struct timespec until = time_after(LOOK_NS);
        pthread_cond_timedwait(&r->moved, &r->lock, &until);
    }
    window_free(r->head);
    r->head = r->tail = NULL;
    r->queued = 0;
    r->ended = false;
    r->at = r->taken_ns + 1;
    bool stop = r->stop;
    pthread_mutex_unlock(&r->lock);
    unfold_free(r->unfold);
    world_free(r->base);
    buf_free(&r->changes);
    buf_free(&r->bytes);
    r->unfold = NULL;
    r->base = NULL;
    if (stop) return ERR_OK;
    Err err = make_base(r);
    if (!err) r->unfold = unfold_new(r->base);
    atomic_store(&r->epoch, epoch);
    return err;
}

static void *replay_main(void *arg) {
    Replay *r = arg;
    Err err = ERR_OK;
    for (;;) {
        while (!stopped(r) && !stale(r) && !err && r->at < r->what.to_ns) err = run_window(r);
        if (!stopped(r) && !stale(r)) stand(r, err);
        if (stopped(r) || !stale(r)) return NULL;
        err = replay_renew(r);
    }
}

// ---- from outside -------------------------------------------------------------------------------------------------

// What a fork has is all of its time: a stretch that goes on ends there.
static Err look_over(Replay *r) {
    SosiaReplay *w = &r->what;
    const Realm *of = r->realm;
    if (w->to_ns <= w->from_ns || !(w->speed >= 0)) return ERR_ARGUMENT;
    int64_t now = of->scenario ? scenario_clock(of) : r->engine->now(r->engine->now_ctx);
    if (of->scenario && w->to_ns > now + 1) w->to_ns = now + 1 > w->from_ns ? now + 1 : w->from_ns;
    if (!of->scenario && w->to_ns > now) return ERR_ARGUMENT;
    int64_t known = history_from(realm_history(of));
    return known && w->from_ns < known ? ERR_PAST_GONE : ERR_OK;
}

static bool enlist(Sosia *e, Replay *r) {
    int n = 0;
    pthread_mutex_lock(&e->worlds_lock);
    for (Replay *x = e->replays; x; x = x->next) n++;
    bool room = n < REPLAYS_MAX;
    if (room) {
        r->next = e->replays;
        e->replays = r;
    }
    pthread_mutex_unlock(&e->worlds_lock);
    return room;
}

static void strike(Replay *r) {
    pthread_mutex_lock(&r->engine->worlds_lock);
    Replay **at = &r->engine->replays;
    while (*at && *at != r) at = &(*at)->next;
    if (*at) *at = r->next;
    pthread_mutex_unlock(&r->engine->worlds_lock);
}

void replays_forget(Sosia *e) {
    int64_t until = time_mono_ns() + FORGET_NS;
    for (bool more = true; more && time_mono_ns() < until;) {
        more = false;
        pthread_mutex_lock(&e->worlds_lock);
        for (Replay *r = e->replays; r; r = r->next) {
            pthread_mutex_lock(&r->lock);
            more |= stale(r) && !r->stop && !(r->ended && !r->head);
            pthread_cond_broadcast(&r->moved);
            pthread_mutex_unlock(&r->lock);
        }
        pthread_mutex_unlock(&e->worlds_lock);
        if (more) thread_sleep_ns(NS_PER_MS);
    }
}

// The world right before the stretch: an empty one before the first batch there ever was. In a file whose history began
// with a world that was there, a stretch from that instant begins right behind it.
static Err make_base(Replay *r) {
    Sosia *e = r->engine;
    History *h = realm_history(r->realm);
    int64_t known = history_from(h), before = r->at - 1, time = 0;
    uint64_t seq = 0;
    if (known && before < known) {
        before = known;
        r->at = known + 1;
    }
    TRY(history_seq_at(h, before, &seq, &time));
    if (!seq) {
        r->base = world_new(e->domain, 0);
        return ERR_OK;
    }
    PastSource past = history_past(h);
    return world_past(e->domain, &past, seq, before, r->realm->world, &r->base);
}

static Err prepare(Replay *r) {
    uint64_t visible = r->realm->scenario ? world_visible(r->realm->world) : atomic_load(&r->engine->durable);
    history_wait(realm_history(r->realm), visible);
    TRY(look_over(r));
    return make_base(r);
}

Err replay_start(Sosia *e, const SosiaReplay *what, Replay **out) {
    Realm *realm;
    uint64_t epoch;
    if (!e->history) return ERR_UNSUPPORTED;
    TRY(pasts_refuse(e, what->world));
    TRY(erase_wait(e, &epoch));
    TRY(realm_open(e, what->world, &realm));
    Replay *r = mem_alloc(sizeof *r);
    *r = (Replay){.engine = e, .realm = realm, .what = *what, .at = what->from_ns, .window_ns = NS_PER_S};
    atomic_init(&r->epoch, epoch);
    r->taken_ns = what->from_ns - 1;
    Err err = prepare(r);
    if (err) {
        realm_unref(realm);
        mem_free(r);
        return err;
    }
    r->what.world = (Str){0};
    r->unfold = unfold_new(r->base);
    pthread_mutex_init(&r->lock, NULL);
    cond_init_mono(&r->moved);
    err = enlist(e, r) ? thread_start(&r->thread, "sosia-replay", replay_main, r) : ERR_LIMIT;
    if (err) replay_free(r);
    else *out = r;
    return err;
}

// There is nothing to be given yet. Lock held.
static bool waits(const Replay *r) {
    if (r->stop) return false;
    bool over = r->ended && !r->head;
    return !over && (!r->head || stale(r));
}

Err replay_take(Replay *r, int64_t wait_ns, FeedBatch **out) {
    *out = NULL;
    struct timespec until = time_after(wait_ns);
    pthread_mutex_lock(&r->lock);
    while (waits(r) && wait_ns > 0)
        if (pthread_cond_timedwait(&r->moved, &r->lock, &until) == ETIMEDOUT) break;
    if (waits(r)) { // or what was read ahead may tell of what was erased
        pthread_mutex_unlock(&r->lock);
        return ERR_OK;
    }
    Made *m = r->head;
    if (m) {
        r->taken_ns = m->time;
        r->head = m->next;
        if (!r->head) r->tail = NULL;
        r->queued -= m->batch->size;
        pthread_cond_broadcast(&r->moved);
    }
    Err err = m ? ERR_OK : r->ended && r->err ? r->err : r->ended || r->stop ? ERR_CLOSED : ERR_OK;
    pthread_mutex_unlock(&r->lock);
    if (m) *out = m->batch;
    mem_free(m);
    return err;
}

void replay_notify(Replay *r, void (*fn)(void *arg), void *arg) {
    pthread_mutex_lock(&r->lock);
    r->notify = fn;
    r->arg = arg;
    pthread_mutex_unlock(&r->lock);
}

static void replay_stop(Replay *r) {
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->moved);
    if (r->notify) r->notify(r->arg);
    pthread_mutex_unlock(&r->lock);
}

// What hangs on the engine.
static void replay_leave(Replay *r) {
    replay_stop(r);
    thread_join(&r->thread);
    unfold_free(r->unfold); // NULL is fine, as for the base
    world_free(r->base);
    realm_unref(r->realm);
    r->engine = NULL;
}

void replay_free(Replay *r) {
    if (!r) return;
    if (r->engine) {
        strike(r);
        replay_leave(r);
    }
    window_free(r->head);
    buf_free(&r->changes);
    buf_free(&r->bytes);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->moved);
    mem_free(r);
}

void replay_end_all(Sosia *e) {
    while (e->replays) {
        Replay *r = e->replays;
        strike(r);
        replay_leave(r);
    }
}
