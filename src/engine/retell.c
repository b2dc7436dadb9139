// SPDX-License-Identifier: Apache-2.0
// A replay makes the batches (replay.h); the caller's thread queues them, RETELL_AHEAD at a time; the writer does their
// changes by number, as a journal is replayed, but for what the fork derives: that is computed again.
#include "engine/retell.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/derive.h"
#include "engine/erase.h"
#include "engine/pasts.h"
#include "engine/replay.h"
#include "engine/scenarios.h"

#define WAIT_NS (100 * NS_PER_MS)

// ---- the writer ---------------------------------------------------------------------------------------------------

// Is it about the twin, or about a relationship that leaves it?
static bool about(World *w, const Change *c, uint64_t twin) {
    if (c->kind == CHANGE_LINK_NEW || c->kind == CHANGE_LINK_AT) return c->other == twin;
    if (c->kind < CHANGE_TWIN_NEW || c->kind == CHANGE_DOC || c->kind == CHANGE_TICK) return false;
    bool link = c->kind >= CHANGE_LINK_NEW && c->kind <= CHANGE_LINK_UNSET;
    if (!link && c->kind != CHANGE_LINK_WAS) return c->id == twin;
    View v = view_writer(w);
    return view_link(&v, (LinkId){c->id}).source.v == twin;
}

static bool of_value(const Change *c) {
    return c->kind == CHANGE_SET || c->kind == CHANGE_UNSET || c->kind == CHANGE_SOURCE_TIME || c->kind == CHANGE_LATE;
}

// The fork has no place for it: a twin that it deleted, another model.
static bool misfit(Err e) { return e != ERR_OK && e != ERR_LIMIT; }

// One change. Errors: LIMIT, why the world is broken.
static Err retell_one(Realm *r, const Change *c, int64_t *refused) {
    if (of_value(c) && world_guarded(r->world, c->id, c->col).n) {
        derive_again(r, c->id, c->col);
        return ERR_OK;
    }
    Err err = world_do(r->world, c);
    TRY(world_broken(r->world));
    if (!misfit(err)) return err;
    ++*refused;
    return ERR_OK;
}

static Err retell_all(Realm *r, Cut *cut, int64_t count, uint64_t only, int64_t *refused) {
    for (int64_t i = 0; i < count; i++) {
        Change c;
        TRY(change_decode(cut, &c));
        if (only && !about(r->world, &c, only)) continue;
        TRY(retell_one(r, &c, refused));
    }
    return ERR_OK;
}

static void fail(Sosia *e, Task *c, Err err, const Diag *d) {
    if (d && d->count) task_fail_diag(c, err, d);
    else task_fail(c, err, NULL);
    task_finish(e, c);
}

// c->set_count: out, changes done; c->time: out, of the batch; 0: it was passed over. c->source_time: out, refused.
void retell_task(Sosia *e, Realm *r, Task *c) {
    Cut cut = cut_of(buf_str(&c->items));
    BatchHead head;
    Diag d;
    uint64_t only = 0;
    if (c->id.n) {
        View v = view_writer(r->world);
        only = view_find_twin(&v, c->id).v;
    }
    Err err = batch_decode(&cut, &head);
    if (err || batch_begin_at(e, r, head.time)) { // not later than the fork's clock
        if (err) fail(e, c, err, NULL);
        else batch_after(e, r, c);
        return;
    }
    diag_init(&d);
    err = retell_all(r, &cut, head.count, c->id.n && !only ? UINT64_MAX : only, &c->source_time);
    if (!err) err = derive_settle(e, r, &d);
    if (world_broken(r->world)) err = world_broken(r->world);
    if (!err) {
        world_batch(r->world, &c->set_count);
        c->time = head.time;
        batch_end(e, r, head.source, c);
    } else {
        world_rollback(r->world);
        fail(e, c, err, &d);
    }
    diag_free(&d);
}

// ---- the caller ---------------------------------------------------------------------------------------------------

typedef struct Teller {
    Sosia *e;
    const SosiaRetell *what;
    Realm *realm;
    SosiaRetold *out;
    uint64_t epoch;       // of before it was read
    pthread_mutex_t lock; // guards the rest
    pthread_cond_t moved;
    int64_t under_way;
    Err err; // the first
} Teller;

typedef struct Told {
    Teller *t;
    Task *c;
} Told;

static void on_told(void *arg, const SosiaDone *done) {
    Told *x = arg;
    Teller *t = x->t;
    pthread_mutex_lock(&t->lock);
    if (done->err && !t->err) t->err = (Err)done->err;
    if (!done->err && x->c->time) {
        t->out->batches++;
        t->out->changes += x->c->set_count;
        t->out->time_ns = x->c->time;
        t->out->seq = done->seq;
    }
    if (!done->err) t->out->refused += x->c->source_time;
    t->under_way--;
    pthread_cond_signal(&t->moved);
    pthread_mutex_unlock(&t->lock);
    mem_free(x);
}

// Queue one batch when there is room. Errors: those of a batch before it, CLOSED.
static Err tell(Teller *t, const FeedBatch *b) {
    pthread_mutex_lock(&t->lock);
    while (t->under_way >= RETELL_AHEAD) pthread_cond_wait(&t->moved, &t->lock);
    Err err = t->err;
    t->under_way += !err;
    pthread_mutex_unlock(&t->lock);
    TRY(err);
    Told *x = mem_alloc(sizeof *x);
    Task *c = task_new(OP_RETELL, on_told, x, 256);
    *x = (Told){t, c};
    c->realm = realm_ref(t->realm);
    c->epoch = t->epoch;
    c->id = arena_str(&c->arena, t->what->twin);
    buf_put(&c->items, b->bytes, b->size);
    err = task_queue(t->e, c, true);
    if (!err) return ERR_OK;
    task_free(c);
    mem_free(x);
    pthread_mutex_lock(&t->lock);
    t->under_way--;
    pthread_mutex_unlock(&t->lock);
    return err;
}

static Err tell_all(Teller *t, Replay *r) {
    for (;;) {
        FeedBatch *b;
        Err err = replay_take(r, WAIT_NS, &b);
        if (err) return err == ERR_CLOSED ? ERR_OK : err;
        if (!b) continue;
        err = tell(t, b);
        feed_batch_unref(b);
        TRY(err);
    }
}

// From `from` on. *again: something was erased meanwhile, and what was not told yet may tell of it.
static Err retell_from(Sosia *s, const SosiaRetell *what, int64_t from, Realm *realm, SosiaRetold *out, bool *again) {
    Replay *r;
    SosiaReplay stretch = {.from_ns = from, .to_ns = what->to_ns, .world = what->source};
    Teller t = {.e = s, .what = what, .realm = realm, .out = out};
    TRY(erase_wait(s, &t.epoch));
    TRY(replay_start(s, &stretch, &r));
    pthread_mutex_init(&t.lock, NULL);
    pthread_cond_init(&t.moved, NULL);
    Err err = tell_all(&t, r);
    replay_free(r);
    pthread_mutex_lock(&t.lock);
    while (t.under_way) pthread_cond_wait(&t.moved, &t.lock);
    if (t.err) err = t.err;
    pthread_mutex_unlock(&t.lock);
    pthread_mutex_destroy(&t.lock);
    pthread_cond_destroy(&t.moved);
    *again = err == ERR_BUSY && erase_since(s, t.epoch);
    return err;
}

// Batches are done in order: what comes behind the newest one that was done was not.
static Err retell(Sosia *s, const SosiaRetell *what, Realm *realm, SosiaRetold *out) {
    bool again = true;
    Err err = ERR_OK;
    for (int i = 0; again && i < ERASE_TRIES; i++) {
        again = false;
        err = retell_from(s, what, out->time_ns ? out->time_ns + 1 : what->from_ns, realm, out, &again);
    }
    return err;
}

SosiaErr sosia_retell(Sosia *s, const SosiaCaller *who, const SosiaRetell *what, SosiaRetold *out) {
    (void)who;
    Realm *r;
    *out = (SosiaRetold){0};
    Err err = pasts_refuse(s, what->world);
    if (!err) err = realm_open(s, what->world, &r);
    if (err) return (SosiaErr)err;
    err = r->scenario ? retell(s, what, r, out) : ERR_ARGUMENT;
    realm_unref(r);
    return (SosiaErr)err;
}
