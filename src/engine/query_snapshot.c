// SPDX-License-Identifier: Apache-2.0
// Snapshots: frozen forks that the writer makes and questions share.
//
// A live snapshot makes the writer copy each page at its next change, so there should be few, and they should not live
// long. Whoever needs one takes the newest when nothing became visible since; else one is asked for, and everybody who
// comes while it is under way shares the next one: at most one is under way for a realm.
#include "engine/query_desk.h"
#include "base/check.h"
#include "base/mem.h"

#define SNAPSHOT_TRIES 3 // the disk refused a batch the snapshot would have shown: another one will do

// A snapshot under way.
typedef struct Making {
    Desk *desk;
    Realm *realm; // reference
    Task *task;
    int tries;
} Making;

static void snapshot_ask(Making *m);

// ---- references ----------------------------------------------------------------------------------------------------

static void snapshot_free(Job *j) {
    Snapshot *s = (Snapshot *)j;
    if (s->world != s->realm->world) world_free(s->world);
    realm_unref(s->realm);
    mem_free(s);
}

Snapshot *snapshot_ref(Desk *d, Snapshot *s) {
    pthread_mutex_lock(&d->lock);
    s->refs++;
    pthread_mutex_unlock(&d->lock);
    return s;
}

void snapshot_unref(Desk *d, Snapshot *s) {
    if (!s) return;
    pthread_mutex_lock(&d->lock);
    bool last = --s->refs == 0;
    if (last && s->realm->snapshot == s) s->realm->snapshot = NULL;
    pthread_mutex_unlock(&d->lock);
    if (last) pool_push(d->pool, &s->job, true); // pages that only it held: perhaps many
}

// A world of the past is its own snapshot: nobody writes it.
static Snapshot *snapshot_frozen(Desk *d, Realm *r) {
    pthread_mutex_lock(&d->lock);
    Snapshot *s = r->snapshot;
    if (!s) {
        s = r->snapshot = mem_alloc(sizeof *s);
        *s = (Snapshot){.job = {.run = snapshot_free}, .realm = realm_ref(r), .world = r->world, .seq = r->past.seq};
    }
    s->refs++;
    pthread_mutex_unlock(&d->lock);
    return s;
}

Snapshot *snapshot_of(Desk *d, Realm *r, uint64_t seq) {
    if (r->past.is) return snapshot_frozen(d, r);
    pthread_mutex_lock(&d->lock);
    Snapshot *s = r->snapshot && r->snapshot->seq == seq ? r->snapshot : NULL;
    if (s) s->refs++;
    pthread_mutex_unlock(&d->lock);
    return s;
}

// ---- making one ----------------------------------------------------------------------------------------------------

static Snapshot *snapshot_new(Making *m, World *w) {
    Snapshot *s = mem_alloc(sizeof *s);
    *s = (Snapshot){.job = {.run = snapshot_free}, .realm = realm_ref(m->realm), .world = w, .seq = world_seq(w)};
    atomic_fetch_add_explicit(&m->desk->counters.snapshots, 1, memory_order_relaxed);
    return s;
}

// Give it to all who wait for this one. True when others wait for the next.
static bool snapshot_give(Making *m, Err err, Snapshot *s) {
    Desk *d = m->desk;
    Realm *r = m->realm;
    pthread_mutex_lock(&d->lock);
    SnapshotWait *all = r->waiting[0];
    r->waiting[0] = r->waiting[1];
    r->waiting[1] = NULL;
    bool more = r->snapshotting = r->waiting[0] != NULL;
    if (s) {
        for (SnapshotWait *w = all; w; w = w->next) s->refs++;
        r->snapshot = s;
    }
    pthread_mutex_unlock(&d->lock);
    CHECK(all);
    while (all) {
        SnapshotWait *w = all;
        all = w->next; // the waiter may be gone afterwards
        w->fn(w, err, s);
    }
    return more;
}

// On the writer's or the store's thread, or in snapshot_ask.
static void snapshot_made(Making *m, Err err, World *w) {
    bool again = err && err != ERR_CLOSED && ++m->tries < SNAPSHOT_TRIES;
    if (!again) {
        Snapshot *s = err ? NULL : snapshot_new(m, w);
        again = snapshot_give(m, err, s);
        m->tries = 0;
    }
    if (again) {
        snapshot_ask(m);
    } else {
        realm_unref(m->realm);
        mem_free(m);
    }
}

static void on_task(void *arg, const SosiaDone *done) {
    Making *m = arg;
    World *w = m->task->fork;
    m->task->fork = NULL;
    if (done->err && w) world_free(w);
    snapshot_made(m, (Err)done->err, w);
}

static void snapshot_ask(Making *m) {
    m->task = task_new(OP_SNAPSHOT, on_task, m, 0);
    m->task->realm = realm_ref(m->realm);
    Task *c = m->task;
    Err err = task_queue(m->desk->engine, c, true);
    if (!err) return;
    task_free(c);
    snapshot_made(m, err, NULL);
}

void snapshot_get(Desk *d, Realm *r, SnapshotWait *w) {
    if (r->past.is) {
        w->fn(w, ERR_OK, snapshot_frozen(d, r));
        return;
    }
    uint64_t visible = world_visible(r->world);
    Snapshot *s = NULL;
    bool ask = false;
    w->next = NULL;
    pthread_mutex_lock(&d->lock);
    if (r->snapshot && r->snapshot->seq >= visible) {
        s = r->snapshot;
        s->refs++;
    } else {
        SnapshotWait **list = &r->waiting[r->snapshotting];
        w->next = *list;
        *list = w;
        ask = !r->snapshotting;
        r->snapshotting = true;
    }
    pthread_mutex_unlock(&d->lock);
    if (s) w->fn(w, ERR_OK, s);
    if (!ask) return;
    Making *m = mem_alloc(sizeof *m);
    *m = (Making){.desk = d, .realm = realm_ref(r)};
    snapshot_ask(m);
}
