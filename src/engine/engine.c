// SPDX-License-Identifier: Apache-2.0
// Opening, closing and the writer's loop.
#include "engine/workers.h"
#include <errno.h>
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/command_log.h"
#include "engine/decide.h"
#include "engine/derive.h"
#include "engine/erase.h"
#include "engine/pasts.h"
#include "engine/replay.h"
#include "engine/ensemble.h"
#include "engine/run.h"
#include "engine/retention.h"
#include "engine/scenario_keep.h"
#include "engine/scenarios.h"
#include "flow/engine.h"

const char *sosia_version(void) { return SOSIA_VERSION; }
const char *sosia_err_name(SosiaErr e) { return err_name((Err)e); }
const char *sosia_err_wire(SosiaErr e) { return err_wire((Err)e); }
int sosia_err_http(SosiaErr e) { return err_http((Err)e); }
int sosia_err_exit(SosiaErr e) { return err_exit((Err)e); }
const char *sosia_err_text(SosiaErr e) { return err_text((Err)e); }
void sosia_buf_free(SosiaBuf *b) { buf_free(b); }

// ---- the writer ---------------------------------------------------------------------------------------------------

// Take every waiting command; with none, sleep until something happens or wait_ns is over.
// *closing: none will follow.
static Task *inbox_take(Inbox *in, int64_t wait_ns, bool *closing) {
    pthread_mutex_lock(&in->lock);
    if (!in->first && !in->failed && !in->closing && wait_ns > 0) {
        struct timespec until = time_after(wait_ns);
        while (!in->first && !in->failed && !in->closing)
            if (pthread_cond_timedwait(&in->wake, &in->lock, &until) == ETIMEDOUT) break;
    }
    Task *c = in->first;
    in->first = in->last = NULL;
    *closing = in->closing;
    pthread_mutex_unlock(&in->lock);
    return c;
}

// One command has left the inbox and was carried out.
static void inbox_done_one(Inbox *in) {
    pthread_mutex_lock(&in->lock);
    in->count--;
    pthread_mutex_unlock(&in->lock);
}

// Carry out a list of commands. While the disk is full only PROBE_GROUP of them are under way at a time.
static void run_list(Sosia *e, Task *c) {
    for (int64_t n = 1; c; n++) {
        Task *next = c->next;
        c->next = NULL;
        inbox_done_one(&e->inbox);
        task_run(e, c);
        if (atomic_load(&e->degraded) && n % PROBE_GROUP == 0) commit_drain(e);
        c = next;
    }
    if (atomic_load(&e->degraded)) commit_drain(e);
}

static void *writer_main(void *arg) {
    Sosia *e = arg;
    bool closing = false;
    Err err = derive_resume(e, e->live);
    if (err) LOG(STORE_FAILED, e->path.p, err_text(err)); // the next write tries again
    while (!closing) {
        commit_poll(e);
        int64_t wait = checkpoint_poll(e, false), hold = holds_poll(e, false);
        if (hold < wait) wait = hold;
        int64_t tick = derive_tick_poll(e), retain = retention_poll(e);
        if (tick < wait) wait = tick;
        if (retain < wait) wait = retain;
        run_list(e, inbox_take(&e->inbox, wait, &closing));
    }
    run_list(e, inbox_take(&e->inbox, 0, &closing)); // what came between the last look and the flag
    commit_drain(e);
    commit_poll(e);
    holds_poll(e, true);
    checkpoint_poll(e, true);
    return NULL;
}

// ---- open and close -----------------------------------------------------------------------------------------------

// Digits of a nanosecond behind that of a microsecond are noise of this machine, which history would have to keep.
#define CLOCK_GRAIN 1000

static int64_t wall_clock(void *ctx) {
    (void)ctx;
    return time_now_ns();
}

static Err why_put(SosiaBuf *why, Err err, const char *text) {
    if (why) buf_printf(why, "%s", text);
    return err;
}

static Err options_check(const SosiaOpen *o, SosiaBuf *why) {
    int64_t ring = o->ring_records;
    if (o->queue_max < 0) return why_put(why, ERR_ARGUMENT, "queue_max must not be negative");
    if (ring < 0 || (ring & (ring - 1))) return why_put(why, ERR_ARGUMENT, "ring_records must be a power of two");
    if (ring && (ring < RING_MIN || ring > (INT64_C(1) << 31)))
        return why_put(why, ERR_ARGUMENT, "ring_records must lie between 8,192 and 2^31");
    if (o->feed_bytes_max < 0) return why_put(why, ERR_ARGUMENT, "feed_bytes_max must not be negative");
    if (o->query_threads < 0) return why_put(why, ERR_ARGUMENT, "query_threads must not be negative");
    return ERR_OK;
}

static Str str_own(Str s) {
    char *p = mem_alloc((size_t)s.n + 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

static Sosia *engine_new(const SosiaOpen *o) {
    Sosia *e = mem_alloc(sizeof *e);
    e->path = str_own(o->path);
    e->queue_max = o->queue_max ? o->queue_max : QUEUE_DEFAULT;
    e->ring_records = o->ring_records ? o->ring_records : RING_DEFAULT;
    e->checkpoint_interval_ns = o->checkpoint_interval_ns ? o->checkpoint_interval_ns : CHECKPOINT_INTERVAL_DEFAULT;
    e->feed_bytes_max = o->feed_bytes_max ? o->feed_bytes_max : FEED_BYTES_DEFAULT;
    e->tick_ns = o->tick_ns;
    e->retain_interval_ns = o->retain_interval_ns;
    e->now = o->now ? o->now : wall_clock;
    e->now_ctx = o->now_ctx;
    e->clock_grain = o->now ? 1 : CLOCK_GRAIN;
    e->opened_mono_ns = e->checkpoint_mono_ns = e->retention_mono_ns = time_mono_ns();
    pthread_mutex_init(&e->inbox.lock, NULL);
    cond_init_mono(&e->inbox.wake);
    pthread_mutex_init(&e->worlds_lock, NULL);
    pthread_mutex_init(&e->pending_lock, NULL);
    pthread_mutex_init(&e->load_lock, NULL);
    pthread_mutex_init(&e->runs_lock, NULL);
    cond_init_mono(&e->runs_wake);
    pthread_mutex_init(&e->ensembles_lock, NULL);
    cond_init_mono(&e->ensembles_wake);
    e->registry = sim_registry_new();
    CHECK(sim_registry_add(e->registry, &flow_engine, NULL) == ERR_OK);
    e->domain = domain_new();
    e->pasts = pasts_new(o->past_bytes_max);
    return e;
}

static void live_free(Sosia *e) {
    hub_close(e->live->hub);
    CHECK(atomic_load(&e->live->refs) == 1);
    realm_unref(e->live);
}

// Threads are gone. Frees what was made, however far open came.
static void engine_free(Sosia *e) {
    desk_free(e->desk);
    workers_free(e->workers);
    keeper_free(e->keeper);    // it may hold worlds
    worlds_free(e);            // before the past worlds they lie over
    pasts_free(e->pasts);      // before the history, which its worlds read
    history_close(e->history); // its thread looks at the live world for policies
    retention_free(e->retention);
    if (e->live) live_free(e);
    store_close(e->store);
    items_free(e->items);
    decider_free(e->decider);
    command_log_close(e);
    eraser_free(e->eraser); // scrubs end when the store closes
    holds_free(e->holds);   // puts of the store end when it closes
    domain_free(e->domain);
    pthread_mutex_destroy(&e->inbox.lock);
    pthread_cond_destroy(&e->inbox.wake);
    pthread_mutex_destroy(&e->worlds_lock);
    pthread_mutex_destroy(&e->pending_lock);
    pthread_mutex_destroy(&e->runs_lock);
    pthread_cond_destroy(&e->runs_wake);
    pthread_mutex_destroy(&e->ensembles_lock);
    pthread_cond_destroy(&e->ensembles_wake);
    sim_registry_free(e->registry);
    pthread_mutex_destroy(&e->load_lock);
    buf_free(&e->inbox.fail_why);
    buf_free(&e->encode);
    mem_free(e->pending.items);
    mem_free((void *)e->path.p);
    mem_free(e);
}

static void on_replay(void *ctx, const BatchHead *head, Str trail) {
    history_replay(((Sosia *)ctx)->history, head, trail);
}

static bool there_is(void *ctx, const StoreHistory *h) {
    (void)h;
    *(bool *)ctx = true;
    return false;
}

// A file that keeps history must not be written without: there would be a gap that nobody could see.
static Err refuse_gap(Sosia *e, World *w, SosiaBuf *why) {
    bool any = false;
    StoreReader *r;
    Err err = store_reader_begin(e->store, &r);
    if (!err) {
        err = store_history_scan(r, 0, INT32_MAX, there_is, &any);
        store_reader_end(r);
    }
    if (!err && any) err = why_put(why, ERR_ARGUMENT, "this file keeps history: it cannot be opened without");
    if (err) world_free(w);
    return err;
}

static Err open_engines(Sosia *e, const SosiaOpen *o, SosiaBuf *why) {
    Diag d;
    Err err = ERR_OK;
    diag_init(&d);
    for (int32_t i = 0; i < o->engine_count && !err; i++) err = sim_plugin_open(e->registry, o->engines[i], &d);
    if (err && why && d.count) task_message_put(why, &d.messages[0]);
    diag_free(&d);
    return err;
}

// Frees the world when it fails.
static Err open_history(Sosia *e, World *w, SosiaBuf *why) {
    Err err = history_open(e->history, e->store, w, why);
    if (err) world_free(w);
    return err;
}

static Err load_world(Sosia *e, const SosiaOpen *o, World **out, SosiaBuf *why) {
    if (!e->path.n) {
        e->items = items_new();
        *out = world_new(e->domain, e->ring_records);
        return ERR_OK;
    }
    if (!o->no_history) e->history = history_new(&(HistoryOpen){.head_bytes_max = o->history_head_bytes});
    int64_t journal = o->journal_bytes_max ? o->journal_bytes_max : JOURNAL_BYTES_DEFAULT;
    StoreOpen so = {.path = e->path,
                    .vfs = o->vfs,
                    .journal_bytes_max = journal > 0 ? journal : 0,
                    .ctx = e,
                    .on_group = engine_on_commit,
                    .on_fail = engine_on_fail,
                    .on_replay = e->history ? on_replay : NULL};
    int64_t start = time_mono_ns();
    TRY(store_open(&so, e->domain, e->ring_records, &e->store, out, why));
    TRY(e->history ? open_history(e, *out, why) : refuse_gap(e, *out, why));
    View v = view_writer(*out);
    LOG(STORE_OPEN, e->path.p, (long long)world_seq(*out), (long long)view_meta(&v, META_TWINS),
        (double)(time_mono_ns() - start) / 1e6);
    return ERR_OK;
}

// The sequence of the newest checkpoint, as far as it matters: 0 when the journal holds anything behind it.
static uint64_t checkpoint_of(Sosia *e) {
    if (!e->store) return e->settled;
    StoreStats st;
    store_stats(e->store, &st);
    return st.journal_rows ? 0 : e->settled;
}

SosiaErr sosia_open(const SosiaOpen *open, Sosia **out, SosiaBuf *why) {
    Err err = options_check(open, why);
    if (err) return (SosiaErr)err;
    Sosia *e = engine_new(open);
    World *w;
    err = open_engines(e, open, why);
    if (err) goto fail;
    err = load_world(e, open, &w, why);
    if (err) goto fail;
    if (open->future_ns) world_set_future(w, open->future_ns < 0 ? INT64_MAX : open->future_ns);
    e->settled = world_seq(w);
    e->checkpoint_seq = checkpoint_of(e);
    atomic_store(&e->durable, e->settled);
    e->live = realm_new(e, STR("live"), (Str){0}, w, e->ring_records);
    e->live->stored = e->store != NULL;
    atomic_store(&e->live->ready, true);
    retention_open(e);
    if (scenarios_kept(e)) e->keeper = keeper_new(e);
    err = worlds_open(e);
    if (err) why_put(why, err, "the worlds that were forked cannot be read");
    if (err) goto fail;
    err = holds_open(e, &e->holds);
    if (err) why_put(why, err, "what is stored beside the world cannot be read");
    if (err) goto fail;
    if (e->store) err = store_start(e->store);
    if (!err && e->history) err = history_start(e->history);
    if (!err) err = workers_start(e, &e->workers);
    if (!err) err = desk_start(e, open);
    if (!err) err = thread_start(&e->writer, "sosia-writer", writer_main, e);
    if (!err) {
        err = command_log_open(e);
        if (!err) err = decider_start(e, &e->decider); // what is erased is taken from both too
        if (err) why_put(why, err, "decisions or commands cannot be read");
        if (err) sosia_close(e);
        if (err) return (SosiaErr)err;
    }
    if (!err && e->history) {
        err = eraser_start(e, &e->eraser);
        if (err) why_put(why, err, "what was to be erased cannot be read");
        if (err) sosia_close(e);
        if (err) return (SosiaErr)err;
    }
    if (!err && e->keeper) {
        err = keeper_start(e->keeper);
        if (err) sosia_close(e);
        if (err) return (SosiaErr)why_put(why, err, "a thread could not be started");
    }
    if (!err) {
        err = ensembles_open(e);
        if (err) why_put(why, err, "the ensembles that are kept cannot be read");
        if (err) sosia_close(e);
        if (err) return (SosiaErr)err;
        runs_resume(e);
        *out = e;
        return SOSIA_OK;
    }
    why_put(why, err, "a thread could not be started");
fail:
    engine_free(e);
    return (SosiaErr)err;
}

void sosia_close(Sosia *e) {
    if (!e) return;
    decider_stop(e->decider);
    ensembles_end(e);
    runs_end(e);              // the writer still takes what they tell
    eraser_stop(e->eraser);   // the writer still works for it
    keeper_stop(e->keeper);   // the writer still makes its snapshots
    desk_stop(e->desk);       // the writer still makes the snapshots they wait for
    workers_stop(e->workers); // the writer still takes what they have
    pthread_mutex_lock(&e->inbox.lock);
    e->inbox.closing = true;
    pthread_cond_signal(&e->inbox.wake);
    pthread_mutex_unlock(&e->inbox.lock);
    thread_join(&e->writer);
    replay_end_all(e);
    if (e->store) store_drain(e->store);
    pasts_forget(e, NULL); // those of forks hold them
    engine_free(e);
}

bool engine_own_thread(Sosia *e) {
    pthread_t me = pthread_self();
    if (e->writer.running && pthread_equal(me, e->writer.id)) return true;
    return atomic_load(&e->store_seen) && pthread_equal(me, e->store_thread);
}
