// SPDX-License-Identifier: Apache-2.0
// Opened blocks for readers: by id, the least recently used leave first; what somebody holds stays. Of long blocks the
// head is read, and frames when somebody needs them.
#include "base/check.h"
#include "base/mem.h"
#include "history/history_inner.h"

enum {
    SLOTS_FIRST = 256,
    BLOCK_ARENA = 1024,
    BLOCK_FIRST = 16 << 10, // bytes of a block that are read first
    BLOCK_WHOLE = 32 << 10, // shorter ones are read as a whole
};

static CachedBlock **slot_of(const Cache *c, int64_t id) {
    uint64_t i = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15) >> 20 & (uint64_t)(c->cap - 1);
    return &c->slots[i];
}

static void cached_delete(CachedBlock *b) {
    hkept_free(b->block.kept);
    arena_free(&b->keep);
    buf_free(&b->bytes);
    mem_free(b);
}

// ---- the list, under the lock ----

static void unlink(Cache *c, CachedBlock *b) {
    *(b->newer ? &b->newer->older : &c->newest) = b->older;
    *(b->older ? &b->older->newer : &c->oldest) = b->newer;
    b->newer = b->older = NULL;
}

static void link_newest(Cache *c, CachedBlock *b) {
    b->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = b;
    c->newest = b;
}

static void grow(Cache *c) {
    Cache old = *c;
    c->cap = old.cap ? old.cap * 2 : SLOTS_FIRST;
    c->slots = mem_alloc((size_t)c->cap * sizeof(CachedBlock *));
    for (CachedBlock *b = c->newest; b; b = b->older) {
        CachedBlock **s = slot_of(c, b->id);
        b->chain = *s;
        *s = b;
    }
    mem_free(old.slots);
}

static CachedBlock *find(const Cache *c, int64_t id) {
    CachedBlock *b = c->cap ? *slot_of(c, id) : NULL;
    while (b && b->id != id) b = b->chain;
    return b;
}

// Out of the cache; freed now, or by who holds it last.
static void take_out(Cache *c, CachedBlock *b) {
    CachedBlock **at = slot_of(c, b->id);
    while (*at != b) at = &(*at)->chain;
    *at = b->chain;
    unlink(c, b);
    c->count--;
    c->bytes -= b->size;
    b->cached = false;
    if (b->refs == 0) cached_delete(b);
}

static void shrink(Cache *c, int64_t bytes_max) {
    for (CachedBlock *old = c->oldest, *newer; old && c->bytes > bytes_max; old = newer) {
        newer = old->newer;
        if (old->refs == 0) take_out(c, old);
    }
}

static void insert(Cache *c, CachedBlock *b, int64_t bytes_max) {
    if (c->count >= c->cap) grow(c);
    CachedBlock **s = slot_of(c, b->id);
    b->chain = *s;
    *s = b;
    link_newest(c, b);
    c->count++;
    c->bytes += b->size;
    b->cached = true;
    shrink(c, bytes_max);
}

// More of it may have been decoded since.
static void weigh(Cache *c, CachedBlock *b, int64_t bytes_max) {
    int64_t size = b->fixed_size + hkept_bytes(b->block.kept);
    if (size == b->size) return;
    c->bytes += size - b->size;
    b->size = size;
    shrink(c, bytes_max);
}

// ---- blocks ----

static CachedBlock *look(History *h, int64_t id) {
    Cache *c = &h->cache;
    pthread_mutex_lock(&c->lock);
    CachedBlock *b = find(c, id);
    if (b) {
        b->refs++;
        unlink(c, b);
        link_newest(c, b);
    }
    c->hits += b != NULL;
    c->misses += b == NULL;
    pthread_mutex_unlock(&c->lock);
    return b;
}

// Bytes of the row from what is there up to `end`.
static Err read_to(StoreReader *r, CachedBlock *b, int64_t end, int64_t *size) {
    int64_t at = b->bytes.n, n = end - at;
    if (n <= 0) return ERR_OK;
    if (!buf_reserve(&b->bytes, n)) return ERR_CORRUPT;
    TRY(store_history_part(r, b->id, at, b->bytes.p + at, n, size));
    b->bytes.n = end < *size ? end : *size;
    return ERR_OK;
}

// The head, and of a short block the rest too.
static Err fetch(StoreReader *r, HistoryDesk *d, CachedBlock *b) {
    int64_t size = 0;
    TRY(read_to(r, b, BLOCK_FIRST, &size));
    int64_t head = hblock_head_size(buf_str(&b->bytes));
    if (head < 0 || head > size) return ERR_CORRUPT;
    TRY(read_to(r, b, size <= BLOCK_WHOLE ? size : head, &size));
    Str bytes = {b->bytes.p, size <= BLOCK_WHOLE ? size : head};
    TRY(hblock_open_head(d->work, bytes, size, &b->keep, &b->block));
    b->block.kept = hkept_new(&b->block);
    b->row.bytes = bytes;
    b->fixed_size = b->bytes.cap + b->keep.used + (int64_t)sizeof *b;
    b->size = b->fixed_size + hkept_bytes(b->block.kept);
    return ERR_OK;
}

// A part of a block, for who decodes it.
static Err read_part(void *ctx, const HBlock *block, int64_t at, int64_t n, char *to) {
    const CachedBlock *b = (const CachedBlock *)(const void *)((const char *)block - offsetof(CachedBlock, block));
    int64_t size;
    Err e = store_history_part(ctx, b->id, at, to, n, &size);
    return e == ERR_OK && size != block->size ? ERR_CORRUPT : e;
}

Err history_block(History *h, StoreReader *r, HistoryDesk *d, const StoreHistory *row, CachedBlock **out) {
    h = h->root;
    hwork_reader(d->work, read_part, r);
    *out = look(h, row->id);
    if (*out) return ERR_OK;
    CachedBlock *b = mem_alloc(sizeof *b);
    *b = (CachedBlock){.id = row->id, .row = *row, .refs = 1};
    arena_init(&b->keep, BLOCK_ARENA);
    Err e = fetch(r, d, b);
    if (e != ERR_OK) {
        cached_delete(b);
        return e == ERR_GONE ? ERR_CORRUPT : e; // the reader's transaction has seen it
    }
    pthread_mutex_lock(&h->cache.lock);
    CachedBlock *other = find(&h->cache, b->id);
    if (other) other->refs++;
    else if (d->erased == h->cache.erased) insert(&h->cache, b, h->o.cache_bytes_max);
    pthread_mutex_unlock(&h->cache.lock);
    if (other) cached_delete(b);
    *out = other ? other : b;
    return ERR_OK;
}

void history_block_drop(History *h, CachedBlock *b) {
    if (!b) return;
    h = h->root;
    pthread_mutex_lock(&h->cache.lock);
    CHECK(b->refs > 0);
    bool last = --b->refs == 0 && !b->cached;
    if (b->cached) weigh(&h->cache, b, h->o.cache_bytes_max); // may free it
    pthread_mutex_unlock(&h->cache.lock);
    if (last) cached_delete(b);
}

void history_forget(History *h, const int64_t *ids, int64_t n) {
    pthread_mutex_lock(&h->cache.lock);
    for (int64_t i = 0; i < n; i++) {
        CachedBlock *b = find(&h->cache, ids[i]);
        if (b) take_out(&h->cache, b);
    }
    pthread_mutex_unlock(&h->cache.lock);
}

// Is it of a page of `what`, which ascends by lane and row?
static bool is_of(const StoreHistory *row, uint64_t world, const HistoryErase *what, int64_t n) {
    uint64_t lane = store_lane_own(row->lane);
    if (store_lane_world(row->lane) != world) return false;
    int64_t lo = 0, hi = n;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        const HistoryErase *e = &what[mid];
        uint64_t page = e->row >> PAGE_SHIFT;
        if (e->lane < lane || (e->lane == lane && page < row->page)) lo = mid + 1;
        else hi = mid;
    }
    return lo < n && what[lo].lane == lane && what[lo].row >> PAGE_SHIFT == row->page;
}

void cached_erase(History *h, uint64_t world, const HistoryErase *what, int64_t n) {
    Cache *c = &h->cache;
    pthread_mutex_lock(&c->lock);
    c->erased++;
    for (CachedBlock *b = c->newest, *older; b; b = older) {
        older = b->older;
        if (is_of(&b->row, world, what, n)) take_out(c, b);
    }
    pthread_mutex_unlock(&c->lock);
    history_desks_free(h);
}

void cached_free(Cache *c) {
    for (CachedBlock *b = c->newest, *older; b; b = older) {
        older = b->older;
        CHECK(b->refs == 0);
        cached_delete(b);
    }
    mem_free(c->slots);
    c->slots = NULL;
    c->newest = c->oldest = NULL;
    c->cap = c->count = c->bytes = 0;
}
