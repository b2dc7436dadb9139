// SPDX-License-Identifier: Apache-2.0
// Forks: a History over its parent's.
//
//   history_fork -> (replay) -> history_add ... -> history_close -> nobody has it -> the history thread lets go of it
//
// Invariants
//  1. A fork is in root->forks from history_fork until the history thread frees it. Who opens its number meanwhile gets
//     the same one, with all it was told.
//  2. It is freed when nobody has it (neither who opened it nor a child), nothing of it is in the queue or in a put.
//     Its points that are in no block go then: the journal has them.
//  3. Batches come once: what was told before, and what blocks have, is passed over when a journal is told again. The
//     blocks of a page have all of its points up to the last of them (sealing is in order), so one sequence a page says
//     which those are.
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "history/history_inner.h"

#define SLOTS_FIRST 64

// ---- layers -------------------------------------------------------------------------------------------------------

Layer layer_first(History *h) { return (Layer){.of = h, .to = UINT64_MAX, .at = INT64_MAX}; }

bool layer_next(Layer *l) {
    const History *h = l->of;
    if (!h->parent || !h->f.fork_seq) return false;
    if (h->f.fork_seq < l->to) l->to = h->f.fork_seq;
    if (h->f.fork_time < l->at) l->at = h->f.fork_time;
    l->of = h->parent;
    return true;
}

uint64_t layer_lane(const Layer *l, uint64_t lane) { return store_lane(l->of->f.world, lane); }

uint64_t layer_taken(const Layer *l) {
    uint64_t taken = atomic_load_explicit(&l->of->taken, memory_order_acquire);
    return taken < l->to ? taken : l->to;
}

void layer_views(History *h, uint64_t lane, uint64_t page, LayerViews *out) {
    int32_t n = 1, i = 0;
    for (Layer l = layer_first(h); layer_next(&l);) n++;
    *out = (LayerViews){.count = n};
    out->views = n == 1 ? &out->one : mem_alloc((size_t)n * sizeof *out->views);
    Layer l = layer_first(h);
    do {
        LayerView *v = &out->views[i++];
        *v = (LayerView){.layer = l, .heads = head_view(l.of, lane, page), .taken = layer_taken(&l)};
    } while (layer_next(&l));
}

void layer_views_free(LayerViews *v) {
    for (int32_t i = 0; i < v->count; i++) head_view_free(&v->views[i].heads);
    if (v->views != &v->one) mem_free(v->views);
    *v = (LayerViews){.count = 0};
}

// ---- the table of forks: under the lock ---------------------------------------------------------------------------

static History **slot_of(const History *root, uint64_t world) {
    return &root->forks[world * UINT64_C(0x9e3779b97f4a7c15) >> 20 & (uint64_t)(root->fork_slots - 1)];
}

static History *find(const History *root, uint64_t world) {
    History *h = root->fork_slots ? *slot_of(root, world) : NULL;
    while (h && h->f.world != world) h = h->f.next;
    return h;
}

bool fork_is_open(History *root, uint64_t world) {
    pthread_mutex_lock(&root->lock);
    bool open = find(root, world) != NULL;
    pthread_mutex_unlock(&root->lock);
    return open;
}

static void grow(History *root) {
    History **was = root->forks;
    int64_t n = root->fork_slots;
    root->fork_slots = n ? n * 2 : SLOTS_FIRST;
    root->forks = mem_alloc((size_t)root->fork_slots * sizeof *root->forks);
    for (int64_t i = 0; i < n; i++) {
        for (History *h = was[i], *next; h; h = next) {
            next = h->f.next;
            History **at = slot_of(root, h->f.world);
            h->f.next = *at;
            *at = h;
        }
    }
    mem_free(was);
}

static void put(History *root, History *h) {
    if (root->fork_count == root->fork_slots) grow(root);
    History **at = slot_of(root, h->f.world);
    h->f.next = *at;
    *at = h;
    root->fork_count++;
}

static void take(History *root, const History *h) {
    History **at = slot_of(root, h->f.world);
    while (*at != h) at = &(*at)->f.next;
    *at = h->f.next;
    root->fork_count--;
}

// ---- life ---------------------------------------------------------------------------------------------------------

static History *fork_new(const HistoryFork *f) {
    History *h = mem_alloc(sizeof *h);
    h->root = f->parent->root;
    h->parent = f->parent;
    h->store = h->root->store;
    h->f.world = f->world;
    h->f.fork_seq = f->fork_seq;
    h->f.fork_time = f->fork_time;
    h->f.refs = 1;
    h->told = f->fork_seq;
    atomic_init(&h->taken, f->fork_seq);
    atomic_init(&h->f.sealed, f->fork_seq);
    return h;
}

Err history_fork(const HistoryFork *f, History **out) {
    History *root = f->parent->root;
    CHECK(f->world && root->store);
    if (f->world > HISTORY_WORLD_MAX) return ERR_LIMIT;
    pthread_mutex_lock(&root->lock);
    History *h = find(root, f->world);
    if (h) {
        CHECK(h->parent == f->parent && h->f.fork_seq == f->fork_seq);
        h->f.refs++;
    } else {
        h = fork_new(f);
        put(root, h);
        if (h->parent != root) h->parent->f.refs++;
    }
    pthread_mutex_unlock(&root->lock);
    *out = h;
    return ERR_OK;
}

// One less has it. The lock is held.
static void unref(History *h) {
    History *root = h->root;
    CHECK(h->f.refs > 0);
    if (--h->f.refs || h->f.closing) return;
    h->f.closing = true;
    h->f.next_close = root->closing;
    root->closing = h;
    root->poked = true;
    root->idle = false;
    pthread_cond_signal(&root->work);
}

void fork_close(History *h) {
    History *root = h->root;
    pthread_mutex_lock(&root->lock);
    unref(h);
    pthread_mutex_unlock(&root->lock);
}

static void fork_free(History *h) {
    head_table_free(&h->heads);
    for (int64_t i = 0; i < h->dead_count; i++) mem_free((void *)(uintptr_t)h->dead[i].name.p);
    mem_free(h->dead);
    mem_free(h->lanes);
    mem_free(h->f.had);
    mem_free(h);
}

// Its runs leave memory.
static void let_go(History *root, History *h) {
    int64_t bytes = 0;
    for (int64_t i = 0; i < h->heads.cap; i++) {
        const Head *s = &h->heads.slots[i];
        bytes += (s->open ? s->open->bytes : 0) + (s->frozen ? s->frozen->bytes : 0);
    }
    seal_forget(root, h);
    atomic_fetch_sub_explicit(&root->head_bytes, bytes, memory_order_relaxed);
    for (int64_t i = 0; h->f.active && i < root->active_count; i++)
        if (root->active[i] == h) root->active[i--] = root->active[--root->active_count];
    fork_free(h);
}

// Of those that wait to go, one that can: out of all tables. Others that somebody has again leave the list.
static History *take_closing(History *root) {
    History *gone = NULL;
    pthread_mutex_lock(&root->lock);
    for (History **at = &root->closing, *h; (h = *at) && !gone;) {
        bool queued = atomic_load_explicit(&h->f.queued, memory_order_acquire) > 0;
        if (!h->f.refs && (queued || h->f.flying)) {
            at = &h->f.next_close;
            continue;
        }
        *at = h->f.next_close;
        h->f.closing = false;
        if (!h->f.refs) gone = h;
    }
    if (gone) {
        take(root, gone);
        if (gone->parent != root) unref(gone->parent);
    }
    pthread_cond_broadcast(&root->moved);
    pthread_mutex_unlock(&root->lock);
    return gone;
}

bool forks_step(History *root) {
    bool any = false;
    for (History *h; (h = take_closing(root)); any = true) let_go(root, h);
    return any;
}

void forks_free(History *root) {
    for (int64_t i = 0; i < root->fork_slots; i++) {
        for (History *h = root->forks[i], *next; h; h = next) {
            next = h->f.next;
            fork_free(h);
        }
    }
    mem_free(root->forks);
    mem_free(root->active);
}

void fork_active(History *h) {
    History *root = h->root;
    if (h->f.active) return;
    if (root->active_count == root->active_cap) {
        root->active_cap = root->active_cap ? root->active_cap * 2 : 64;
        root->active = mem_grow(root->active, (size_t)root->active_cap * sizeof *root->active);
    }
    root->active[root->active_count++] = h;
    h->f.active = true;
}

uint64_t history_sealed(History *h) {
    CHECK(h->parent);
    return atomic_load_explicit(&h->f.sealed, memory_order_acquire);
}

// ---- what blocks have ---------------------------------------------------------------------------------------------

static bool newest_row(void *ctx, const StoreHistory *row) {
    *(uint64_t *)ctx = row->last;
    return true;
}

Err fork_learn(History *h) {
    if (!h->parent || atomic_load_explicit(&h->f.learnt, memory_order_acquire)) return ERR_OK;
    StoreReader *r;
    uint64_t last = 0;
    const StoreHistoryAsk ask = {
        .lane = store_lane(h->f.world, LANE_BATCHES), .known = true, .at = INT64_MAX}; // each has a start: the newest
    TRY(store_reader_begin(h->store, &r));
    Err err = store_history_rows(r, &ask, newest_row, &last);
    store_reader_end(r);
    TRY(err);
    history_taken(h, last);
    atomic_store_explicit(&h->f.learnt, true, memory_order_release);
    return ERR_OK;
}

// ---- a journal told again -----------------------------------------------------------------------------------------

static void keep_had(void *ctx, uint64_t lane, uint64_t page, uint64_t last) {
    HistoryForked *f = ctx;
    if (f->had_count == f->had_cap) {
        f->had_cap = f->had_cap ? f->had_cap * 2 : 64;
        f->had = mem_grow(f->had, (size_t)f->had_cap * sizeof *f->had);
    }
    f->had[f->had_count++] = (ForkHad){lane, page, last};
    if (last > f->had_last) f->had_last = last;
}

Err history_replay_begin(History *h) {
    StoreReader *r;
    CHECK(h->parent && !h->f.replaying);
    TRY(fork_learn(h));
    TRY(store_reader_begin(h->store, &r));
    Err err = store_history_ends(r, h->f.world, keep_had, &h->f);
    store_reader_end(r);
    h->f.replaying = !err;
    if (err) history_replay_end(h);
    return err;
}

void history_replay_end(History *h) {
    mem_free(h->f.had);
    h->f.had = NULL;
    h->f.had_count = h->f.had_cap = 0;
    h->f.had_last = 0;
    h->f.replaying = false;
}

// Up to which batch blocks have the points of a page.
static uint64_t had_of(const HistoryForked *f, uint64_t lane, uint64_t page) {
    int64_t lo = 0, hi = f->had_count;
    while (lo < hi) {
        int64_t mid = (lo + hi) / 2;
        const ForkHad *x = &f->had[mid];
        if (x->lane == lane && x->page == page) return x->last;
        if (x->lane != lane ? x->lane > lane : x->page > page) hi = mid;
        else lo = mid + 1;
    }
    return 0;
}

// The records of a trail that no block has. A dead twin's name is put again, which does no harm.
static void pass_over(const HistoryForked *f, uint64_t seq, Str trail, Buf *out) {
    TrailPoint p;
    for (Cut c = cut_of(trail); trail_next(&c, &p);) {
        bool dead = p.kind == TRAIL_DEAD;
        if (dead || had_of(f, trail_lane(p.vec, p.word), p.row >> PAGE_SHIFT) < seq) trail_put(out, &p);
    }
}

// Who tells faster than the history's thread takes waits.
static void await_room(History *root) {
    if (root->thread.running) history_wait_room(root);
    else
        while (!history_room(root) && history_step(root)) {}
}

void fork_replay(History *h, const BatchHead *head, Str trail) {
    const HistoryForked *f = &h->f;
    Buf left = {0};
    CHECK(f->replaying);
    if (head->seq <= h->told) return;
    if (head->seq > f->had_last) buf_str_put(&left, trail);
    else pass_over(f, head->seq, trail, &left);
    await_room(h->root);
    history_queue(h, head->seq, head->time, head->source, &left, had_of(f, LANE_BATCHES, 0) >= head->seq);
}
