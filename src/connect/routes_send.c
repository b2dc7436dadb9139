// SPDX-License-Identifier: Apache-2.0
// The thread of an endpoint: events from the feed through its filters into a window, out of it in order.
//
//   feed -> batch -> events -> filters -> window -> send -+-> delivered
//             ^                                            +-> again, after a while
//             |                                            +-> dead letter
//   the cursor follows when all of a batch is out of the window
#include <errno.h>
#include <stdio.h>
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "connect/routes.h"

#define HOLD_GAP_NS (100 * NS_PER_MS) // the cursor is told no more often
#define IDLE_NS (3600 * NS_PER_S)
#define PASS_BATCHES 1000 // looked at before the cursor is stored, when nothing matches

// ---- what others share --------------------------------------------------------------------------------------------

bool endpoint_stopping(Endpoint *e) {
    pthread_mutex_lock(&e->lock);
    bool stop = e->stop;
    pthread_mutex_unlock(&e->lock);
    return stop || atomic_load(&e->connect->closing);
}

void endpoint_wake(Endpoint *e, bool routes) {
    pthread_mutex_lock(&e->lock);
    if (routes) e->version++;
    e->kick = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
}

void endpoint_state(Endpoint *e, const char *state, Str why) {
    pthread_mutex_lock(&e->lock);
    bool worse = why.n && e->state != state;
    e->state = state;
    buf_reset(&e->trouble);
    buf_str_put(&e->trouble, why);
    pthread_mutex_unlock(&e->lock);
    if (worse) LOG(ENDPOINT_TROUBLE, e->name.p, (int)why.n, why.p);
}

bool endpoint_pause(Endpoint *e, int64_t ns) {
    struct timespec end = time_after(ns);
    pthread_mutex_lock(&e->lock);
    int err = 0;
    while (!e->stop && !e->kick && err != ETIMEDOUT) err = pthread_cond_timedwait(&e->wake, &e->lock, &end);
    e->kick = false;
    bool stop = e->stop;
    pthread_mutex_unlock(&e->lock);
    return !stop;
}

// Wait for anything to do.
static void idle(Endpoint *e) {
    struct timespec end = time_after(IDLE_NS);
    pthread_mutex_lock(&e->lock);
    int err = 0;
    while (!e->stop && !e->kick && !e->news && e->version == e->filters_version && !e->replay_count && err != ETIMEDOUT)
        err = pthread_cond_timedwait(&e->wake, &e->lock, &end);
    e->kick = false;
    pthread_mutex_unlock(&e->lock);
}

// From a thread of the engine.
static void on_news(void *arg) {
    Endpoint *e = arg;
    pthread_mutex_lock(&e->lock);
    e->news = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
}

// ---- windows ------------------------------------------------------------------------------------------------------

void window_reset(Window *w) {
    arena_reset(&w->arena);
    w->count = 0;
    w->bytes = 0;
}

void window_free(Window *w) {
    arena_free(&w->arena);
    mem_free(w->events);
    *w = (Window){0};
}

Outgoing *window_add(Window *w) {
    if (w->count == w->cap) {
        w->cap = w->cap ? 2 * w->cap : 64;
        w->events = mem_grow(w->events, (size_t)w->cap * sizeof *w->events);
    }
    Outgoing *o = &w->events[w->count++];
    *o = (Outgoing){0};
    return o;
}

static void add_event(Endpoint *e, const CloudEvent *ev, Str route, Str data, Str *body) {
    Window *w = &e->window;
    if (!body->p) { // the same text for all routes
        Buf text = {0};
        cloudevent_put(ev, data, &text);
        *body = arena_str(&w->arena, buf_str(&text));
        buf_free(&text);
    }
    *window_add(w) = (Outgoing){.body = *body,
                                .id = arena_str(&w->arena, ev->id),
                                .type = ev->type,
                                .subject = arena_str(&w->arena, ev->subject),
                                .source = arena_str(&w->arena, ev->source),
                                .twin = arena_str(&w->arena, ev->twin),
                                .route = arena_str(&w->arena, route)};
    w->bytes += body->n;
}

// ---- the feed -----------------------------------------------------------------------------------------------------

static Str hold_name(Endpoint *e, char out[CONNECT_NAME_MAX + 16]) {
    int n = snprintf(out, CONNECT_NAME_MAX + 16, "endpoint/%.*s", STR_ARG(e->name));
    return (Str){out, n};
}

static void hold(Endpoint *e, bool now) {
    char name[CONNECT_NAME_MAX + 16];
    int64_t mono = time_mono_ns();
    if (e->gathered == e->held || (!now && mono - e->held_mono_ns < HOLD_GAP_NS)) return;
    if (sosia_feed_hold(e->connect->engine, hold_name(e, name), e->gathered) != SOSIA_OK) return;
    e->held = e->gathered;
    e->held_mono_ns = mono;
}

static void close_feed(Endpoint *e) {
    if (e->feed) sosia_feed_close(e->feed);
    e->feed = NULL;
    e->in_batch = false;
}

// Where the cursor stands: as stored, else where its first route begins.
static uint64_t start_of(Endpoint *e) {
    char name[CONNECT_NAME_MAX + 16];
    uint64_t seq = 0;
    if (e->gathered) return e->gathered;
    if (sosia_feed_held(e->connect->engine, hold_name(e, name), &seq) == SOSIA_OK && seq) return seq;
    seq = UINT64_MAX;
    for (int32_t i = 0; i < e->filter_count; i++) seq = e->filters[i].since < seq ? e->filters[i].since : seq;
    return seq;
}

static void count_gap(Endpoint *e, uint64_t from) {
    e->stats.gaps++;
    LOG(ENDPOINT_GAP, e->name.p, (unsigned long long)from);
}

static bool open_feed(Endpoint *e) {
    Sosia *s = e->connect->engine;
    uint64_t from = start_of(e);
    SosiaErr err = sosia_feed_open(s, NULL, (Str){0}, from ? from : SOSIA_FEED_OLDEST, &e->feed, NULL);
    if (err == SOSIA_GONE) {
        count_gap(e, from);
        err = sosia_feed_open(s, NULL, (Str){0}, SOSIA_FEED_OLDEST, &e->feed, NULL);
    }
    if (err) {
        e->feed = NULL;
        endpoint_state(e, "failed", str_of(err_text((Err)err)));
        return false;
    }
    e->gathered = from;
    atomic_store(&e->stats.cursor, from);
    sosia_feed_notify(e->feed, on_news, e);
    return true;
}

// The next batch; false when there is none now.
static bool next_batch(Endpoint *e) {
    pthread_mutex_lock(&e->lock);
    e->news = false;
    pthread_mutex_unlock(&e->lock);
    SosiaErr err = sosia_feed_next(e->feed, 0, &e->batch_at);
    if (err == SOSIA_GONE) { // it goes on with the oldest kept
        count_gap(e, e->gathered);
        close_feed(e);
        err = sosia_feed_open(e->connect->engine, NULL, (Str){0}, SOSIA_FEED_OLDEST, &e->feed, NULL);
        if (!err) sosia_feed_notify(e->feed, on_news, e);
        else e->feed = NULL;
        return !err && next_batch(e);
    }
    if (err) {
        if (err != SOSIA_OVERRUN) endpoint_state(e, "failed", str_of(err_text((Err)err)));
        endpoint_pause(e, err == SOSIA_OVERRUN ? 10 * NS_PER_MS : NS_PER_S);
        return false;
    }
    if (!e->batch_at.seq) return false;
    event_maker_batch(&e->maker, &e->batch_at);
    e->in_batch = true;
    return true;
}

static void filter_event(Endpoint *e, const CloudEvent *ev) {
    Str data = {0}, body = {0};
    for (int32_t i = 0; i < e->filter_count; i++) {
        const Filter *f = &e->filters[i];
        if (e->batch_at.seq <= f->since || !route_passes(f, &e->maker, ev, &data)) continue;
        if (!data.p) data = event_maker_data(&e->maker, ev);
        add_event(e, ev, f->id, data, &body);
    }
}

// Fill the window from where the feed stands.
static void gather(Endpoint *e) {
    CloudEvent ev;
    int32_t batches = 0;
    window_reset(&e->window);
    while (e->window.count < e->window.max && e->window.bytes < WINDOW_BYTES_MAX) {
        if (!e->in_batch && (batches++ == PASS_BATCHES || !e->feed || !next_batch(e))) break;
        if (event_maker_next(&e->maker, &ev)) {
            filter_event(e, &ev);
        } else {
            e->in_batch = false;
            e->gathered = e->batch_at.seq;
        }
    }
    if (batches > PASS_BATCHES) on_news(e); // there is more
}

// ---- sending ------------------------------------------------------------------------------------------------------

// Half to all of FIRST * 2^attempts, at most MAX.
static int64_t backoff(Endpoint *e, int32_t attempts) {
    int64_t ns = attempts < 20 ? BACKOFF_FIRST_NS << attempts : BACKOFF_MAX_NS;
    if (ns > BACKOFF_MAX_NS) ns = BACKOFF_MAX_NS;
    return ns / 2 + (int64_t)rng_below(&e->rng, (uint64_t)(ns / 2));
}

// False: it is to stop, and they are not stored.
static bool give_up(Endpoint *e, const Outgoing *events, int32_t n, const SendResult *r, int32_t attempts) {
    e->stats.failed += n;
    if (events[0].letter) return true; // stays where it is
    if (e->keep_letters) return letters_add(e, events, n, r, attempts);
    e->stats.letters_dropped += n;
    return true;
}

static void mark_sent(Endpoint *e, Outgoing *events, int32_t n) {
    if (!n) return;
    for (int32_t i = 0; i < n; i++) events[i].sent = true;
    e->stats.delivered += n;
    atomic_store(&e->stats.last_delivery_ns, time_now_ns());
}

static int64_t wait_of(Endpoint *e, const SendResult *r, int32_t attempts) {
    int64_t ns = backoff(e, attempts), asked = r->retry_after_ns;
    if (asked > RETRY_AFTER_MAX_NS) asked = RETRY_AFTER_MAX_NS;
    return asked > ns ? asked : ns;
}

// Send all, in order: delivered, or given up. False: it is to stop before that.
static bool deliver(Endpoint *e, Outgoing *events, int32_t n, int32_t retries) {
    SendResult r;
    for (int32_t at = 0, attempts = 0; at < n;) {
        int32_t chunk = n - at < e->batch ? n - at : e->batch;
        r = (SendResult){0};
        e->kind->send(e, events + at, chunk, &r);
        CHECK(r.done >= 0 && r.done + r.refused <= chunk);
        mark_sent(e, events + at, r.done);
        at += r.done;
        if (r.done) attempts = 0;
        int32_t lost = r.kind == SEND_REFUSED ? r.refused : r.kind == SEND_AGAIN ? chunk - r.done : 0;
        if (r.kind == SEND_STOPPED) return false;
        if (r.kind == SEND_AGAIN && attempts < retries) {
            e->stats.retries++;
            endpoint_state(e, "retrying", str_of(r.why));
            if (!endpoint_pause(e, wait_of(e, &r, attempts++))) return false;
            continue;
        }
        if (lost) {
            endpoint_state(e, "failed", str_of(r.why));
            if (!give_up(e, events + at, lost, &r, attempts + 1)) return false;
            at += lost;
            attempts = 0;
        } else {
            endpoint_state(e, "active", (Str){0});
        }
    }
    return true;
}

// ---- dead letters again -------------------------------------------------------------------------------------------

int64_t endpoint_replay(Endpoint *e, const uint64_t *numbers, int64_t n) {
    pthread_mutex_lock(&e->lock);
    int64_t want = n < 0 ? e->letters.count : n, taken = 0;
    uint64_t *list = mem_alloc((size_t)(want + 1) * sizeof *list);
    for (int64_t i = 0; i < want; i++) {
        uint64_t no = n < 0 ? e->letters.at[i].no : numbers[i];
        bool there = n < 0;
        for (int64_t k = 0; k < e->letters.count && !there; k++) there = e->letters.at[k].no == no;
        if (there) list[taken++] = no;
    }
    mem_free(e->replay);
    e->replay = list;
    e->replay_count = taken;
    e->kick = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    return taken;
}

static int64_t take_replay(Endpoint *e, uint64_t **out) {
    pthread_mutex_lock(&e->lock);
    int64_t n = e->replay_count;
    *out = e->replay;
    e->replay = NULL;
    e->replay_count = 0;
    pthread_mutex_unlock(&e->lock);
    return n;
}

// One try each; what was delivered is removed. A send that fails ends it.
static void replay(Endpoint *e) {
    uint64_t *numbers;
    int64_t n = take_replay(e, &numbers);
    Window w = {0};
    for (int64_t at = 0; at < n;) {
        window_reset(&w);
        while (at < n && w.count < e->batch) (void)!letters_take(e, numbers[at++], &w);
        if (!w.count) continue;
        bool went = deliver(e, w.events, w.count, 0);
        uint64_t *gone = NEW(&w.arena, uint64_t, w.count);
        int64_t sent = 0;
        for (int32_t i = 0; i < w.count; i++)
            if (w.events[i].sent) gone[sent++] = w.events[i].letter;
        if (sent && letters_remove(e, gone, sent) != ERR_OK) break; // they will be sent again: at least once
        if (!went || sent < w.count) break;
    }
    window_free(&w);
    mem_free(numbers);
}

// ---- the thread ---------------------------------------------------------------------------------------------------

static void free_filters(Endpoint *e) {
    for (int32_t i = 0; i < e->filter_count; i++) {
        sosia_formula_free(e->filters[i].formula);
        mem_free((char *)e->filters[i].id.p);
    }
    mem_free(e->filters);
    e->filters = NULL;
    e->filter_count = 0;
}

static void take_routes(Endpoint *e) {
    char name[CONNECT_NAME_MAX + 16];
    pthread_mutex_lock(&e->lock);
    uint64_t version = e->version;
    pthread_mutex_unlock(&e->lock);
    if (version == e->filters_version) return;
    free_filters(e);
    e->filter_count = routes_filters(e->connect->routes, e, &e->filters);
    e->filters_version = version;
    if (e->filter_count) return;
    close_feed(e);
    e->gathered = e->held = 0;
    (void)!sosia_feed_hold(e->connect->engine, hold_name(e, name), 0);
    endpoint_state(e, "idle", (Str){0});
}

// The way out is open; else it was told why, and it waited.
static bool open_way(Endpoint *e, int32_t *attempts) {
    Buf why = {0};
    if (e->own) return true;
    Err err = e->kind->open(e, &why);
    if (err) {
        endpoint_state(e, "failed", why.n ? buf_str(&why) : str_of(err_text(err)));
        endpoint_pause(e, backoff(e, (*attempts)++));
    } else {
        *attempts = 0;
        endpoint_state(e, "active", (Str){0});
    }
    buf_free(&why);
    return err == ERR_OK;
}

static bool has_work(Endpoint *e) {
    pthread_mutex_lock(&e->lock);
    bool work = e->filter_count > 0 || e->replay_count > 0;
    pthread_mutex_unlock(&e->lock);
    return work;
}

static void step(Endpoint *e, int32_t *attempts) {
    take_routes(e);
    if (!has_work(e)) {
        idle(e);
        return;
    }
    if (!open_way(e, attempts)) return;
    replay(e);
    if (!e->filter_count) return;
    if (!e->feed && !open_feed(e)) {
        endpoint_pause(e, NS_PER_S);
        return;
    }
    gather(e);
    if (e->window.count && !deliver(e, e->window.events, e->window.count, e->retries)) {
        e->gathered = e->held; // what is in the window comes again
        return;
    }
    atomic_store(&e->stats.cursor, e->gathered);
    hold(e, e->window.count == 0);
    if (!e->window.count) idle(e);
}

static void *endpoint_main(void *arg) {
    Endpoint *e = arg;
    int32_t attempts = 0;
    while (!endpoint_stopping(e)) step(e, &attempts);
    hold(e, true);
    close_feed(e);
    if (e->own) e->kind->close(e);
    e->own = NULL;
    free_filters(e);
    return NULL;
}

Err endpoint_start(Endpoint *e) {
    e->window.max = e->batch < 64 ? 64 : e->batch;
    event_maker_init(&e->maker, e->connect->engine, e->connect->host, e->connect->routes->instance);
    e->version = 1;
    e->rng = rng_make((uint64_t)time_now_ns(), str_hash(e->name));
    return thread_start(&e->thread, "endpoint", endpoint_main, e);
}

void endpoint_stop(Endpoint *e) {
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    thread_join(&e->thread);
    event_maker_free(&e->maker);
    window_free(&e->window);
}
