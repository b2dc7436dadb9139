// SPDX-License-Identifier: Apache-2.0
// The thread reads a window of the stretch at a time (history must not be held while a slow client thinks), unfolds its
// batches, and hands them over when they are due: the first at once, each other as much later as it was then, divided
// by the speed.
#include "engine/replay.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/erase.h"
#include "world/unfold.h"
#include <errno.h>

#define WINDOW_MIN_NS (100 * NS_PER_MS)
#define WINDOW_MAX_NS (INT64_MAX / 4) // nothing happened for years: what is read is bounded by what there is
#define WINDOW_BYTES (1 << 20)        // about what a window should come to

typedef struct Made {
    struct Made *next;
    FeedBatch *batch;
    int64_t time;
} Made;

struct Replay {
    Replay *next; // of the engine
    Sosia *engine;
    SosiaReplay what;
    uint64_t epoch; // of before anything was read
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
    bool stop, ended;
    Err err;
    void (*notify)(void *arg);
    void *arg;
};

// ---- the thread ---------------------------------------------------------------------------------------------------

// Wait until the batch of `time` is due and there is room. False: stop.
static bool wait_due(Replay *r, int64_t time) {
    if (!r->first_ns) {
        r->first_ns = time;
        r->begun_mono_ns = time_mono_ns();
    }
    double behind = r->what.speed > 0 ? (double)(time - r->first_ns) / r->what.speed : 0;
    int64_t due = r->begun_mono_ns + (behind < 9e18 ? (int64_t)behind : INT64_MAX / 2);
    struct timespec until = {.tv_sec = due / NS_PER_S, .tv_nsec = due % NS_PER_S};
    pthread_mutex_lock(&r->lock);
    while (!r->stop && r->queued > REPLAY_BYTES_MAX) pthread_cond_wait(&r->moved, &r->lock);
    while (!r->stop && time_mono_ns() < due)
        if (pthread_cond_timedwait(&r->moved, &r->lock, &until) == ETIMEDOUT) break;
    bool go = !r->stop;
    pthread_mutex_unlock(&r->lock);
    return go;
}

static void hand_over(Replay *r, FeedBatch *b, int64_t time) {
    Made *m = mem_alloc(sizeof *m);
    *m = (Made){.batch = b, .time = time};
    pthread_mutex_lock(&r->lock);
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
    Err err = history_batches(r->engine->history, r->at, to, take_batch, w);
    if (!err) err = r->made_err;
    if (!err && w->bytes < 4 * WINDOW_BYTES) r->at = to;
    if (w->bytes < WINDOW_BYTES / 2 && r->window_ns < WINDOW_MAX_NS) r->window_ns *= 2;
    if (w->bytes > 2 * WINDOW_BYTES && r->window_ns > WINDOW_MIN_NS) r->window_ns /= 2;
    return err;
}

static Err run_window(Replay *r, bool *go) {
    Window w;
    Err err = read_window(r, &w);
    while (w.head && *go) {
        Made *m = w.head;
        *go = wait_due(r, m->time);
        if (!*go) break;
        w.head = m->next;
        hand_over(r, m->batch, m->time);
        mem_free(m);
    }
    window_free(w.head);
    return err;
}

static void *replay_main(void *arg) {
    Replay *r = arg;
    bool go = true;
    Err err = ERR_OK;
    while (go && !err && r->at < r->what.to_ns) err = run_window(r, &go);
    pthread_mutex_lock(&r->lock);
    r->ended = true;
    r->err = err;
    pthread_cond_broadcast(&r->moved);
    if (r->notify) r->notify(r->arg);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

// ---- from outside -------------------------------------------------------------------------------------------------

static Err look_over(Sosia *e, const SosiaReplay *r) {
    if (!e->history) return ERR_UNSUPPORTED;
    if (r->to_ns <= r->from_ns || !(r->speed >= 0)) return ERR_ARGUMENT;
    if (r->to_ns > e->now(e->now_ctx)) return ERR_ARGUMENT;
    int64_t known = history_from(e->history);
    return known && r->from_ns < known ? ERR_PAST_GONE : ERR_OK;
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

// The world right before the stretch: an empty one before the first batch there ever was. In a file whose history began
// with a world that was there, a stretch from that instant begins right behind it.
static Err make_base(Replay *r) {
    Sosia *e = r->engine;
    int64_t known = history_from(e->history), before = r->at - 1, time = 0;
    uint64_t seq = 0;
    if (known && before < known) {
        before = known;
        r->at = known + 1;
    }
    TRY(history_seq_at(e->history, before, &seq, &time));
    if (!seq) {
        r->base = world_new(e->domain, 0);
        return ERR_OK;
    }
    PastSource past = history_past(e->history);
    return world_past(e->domain, &past, seq, before, e->live->world, &r->base);
}

Err replay_start(Sosia *e, const SosiaReplay *what, Replay **out) {
    if (e->history) history_wait(e->history, atomic_load(&e->durable));
    TRY(look_over(e, what));
    uint64_t epoch;
    TRY(erase_epoch(e, &epoch));
    Replay *r = mem_alloc(sizeof *r);
    *r = (Replay){.engine = e, .what = *what, .epoch = epoch, .at = what->from_ns, .window_ns = NS_PER_S};
    Err err = make_base(r);
    if (err) {
        mem_free(r);
        return err;
    }
    r->unfold = unfold_new(r->base);
    pthread_mutex_init(&r->lock, NULL);
    cond_init_mono(&r->moved);
    err = enlist(e, r) ? thread_start(&r->thread, "sosia-replay", replay_main, r) : ERR_LIMIT;
    if (err) replay_free(r);
    else *out = r;
    return err;
}

Err replay_take(Replay *r, int64_t wait_ns, FeedBatch **out) {
    *out = NULL;
    if (r->engine && erase_since(r->engine, r->epoch)) return ERR_BUSY; // what was read ahead may tell of it
    struct timespec until = time_after(wait_ns);
    pthread_mutex_lock(&r->lock);
    while (!r->head && !r->ended && !r->stop && wait_ns > 0)
        if (pthread_cond_timedwait(&r->moved, &r->lock, &until) == ETIMEDOUT) break;
    Made *m = r->head;
    if (m) {
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
    unfold_free(r->unfold);
    world_free(r->base);
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
