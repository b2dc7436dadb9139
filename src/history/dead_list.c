// SPDX-License-Identifier: Apache-2.0
// The dead by number: those in the store and those that are not there yet.
#include <stdlib.h>
#include "history/history_inner.h"

typedef struct Listing {
    Arena *keep;
    StoreDead *items;
    int64_t count, cap;
} Listing;

static bool add(void *ctx, const StoreDead *d) {
    Listing *l = ctx;
    if (l->count == l->cap) {
        StoreDead *more = NEW(l->keep, StoreDead, l->cap ? 2 * l->cap : 64);
        if (l->count) memcpy(more, l->items, (size_t)l->count * sizeof *more);
        l->items = more;
        l->cap = l->cap ? 2 * l->cap : 64;
    }
    l->items[l->count] = *d;
    l->items[l->count++].name = arena_str(l->keep, d->name);
    return true;
}

static int by_twin(const void *a, const void *b) {
    const StoreDead *x = a, *y = b;
    return (x->twin > y->twin) - (x->twin < y->twin);
}

// Memory first: what leaves it meanwhile is in the store.
static Err gather(History *h, uint64_t after, int64_t limit, Listing *l) {
    StoreReader *r;
    pthread_mutex_lock(&h->root->lock);
    for (int64_t i = 0; i < h->dead_count; i++) {
        const DeadTwin *d = &h->dead[i];
        if (d->twin > after)
            (void)add(l, &(StoreDead){.twin = d->twin, .name = d->name, .time = d->time, .world = h->f.world});
    }
    pthread_mutex_unlock(&h->root->lock);
    TRY(store_reader_begin(h->store, &r));
    Err err = store_history_dead_list(r, h->f.world, after, limit, add, l);
    store_reader_end(r);
    return err;
}

Err history_dead_list(History *h, uint64_t after, int64_t limit, bool (*fn)(void *ctx, const StoreDead *d), void *ctx) {
    HistoryDesk *d = history_desk_take(h);
    Listing l = {.keep = &d->arena};
    Err err = gather(h, after, limit, &l);
    if (!err && l.count) qsort(l.items, (size_t)l.count, sizeof *l.items, by_twin);
    int64_t told = 0;
    bool more = true;
    for (int64_t i = 0; i < l.count && !err && more && told < limit; i++) {
        if (i && l.items[i].twin == l.items[i - 1].twin) continue; // in both
        more = fn(ctx, &l.items[i]);
        told++;
    }
    history_desk_give(h, d);
    return err;
}

typedef struct Naming {
    uint64_t twin;
    Arena *keep;
    Str name;
} Naming;

static bool take_name(void *ctx, const StoreDead *d) {
    Naming *x = ctx;
    if (d->twin == x->twin) x->name = arena_str(x->keep, d->name);
    return false;
}

Err history_dead_name(History *h, uint64_t twin, Arena *keep, Str *name) {
    Naming x = {.twin = twin, .keep = keep};
    Layer l = layer_first(h);
    do TRY(history_dead_list(l.of, twin - 1, 1, take_name, &x));
    while (!x.name.n && layer_next(&l));
    *name = x.name;
    return ERR_OK;
}
