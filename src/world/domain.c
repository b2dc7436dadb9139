// SPDX-License-Identifier: Apache-2.0
#include "world/domain.h"
#include <sched.h>
#include "base/check.h"
#include "base/mem.h"

typedef struct Blob {
    _Atomic uint32_t refs;
    char bytes[];
} Blob;

typedef struct FreeBlob {
    struct FreeBlob *next;
} FreeBlob;

typedef struct Slab { // one run of equal blobs
    struct Slab *next;
    _Alignas(16) char bytes[];
} Slab;

typedef struct Retired {
    uint64_t tag;
    void *p;
    void (*fn)(Domain *, void *); // NULL: p is a blob of `size` bytes
    int64_t size;
} Retired;

struct Domain {
    ReaderSlot slots[READERS_MAX];
    _Alignas(64) _Atomic uint64_t epoch;
    _Atomic uint64_t next_id;
    _Atomic int64_t blocks, block_bytes;
    _Atomic int32_t writers;
    pthread_mutex_t heap_lock; // guards free, slabs, blobs, blob_bytes; a leaf lock
    FreeBlob *free[BLOB_CLASSES];
    Slab *slabs;
    int64_t blobs, blob_bytes;
    pthread_mutex_t retire_lock; // guards list, head, count, cap; a leaf lock
    Retired *list;               // a ring of cap entries
    int64_t head, count, cap;
};

#define FIRST_ID 1024
#define SLAB_BYTES 65536

Domain *domain_new(void) {
    Domain *d = mem_alloc_page(sizeof *d);
    memset(d, 0, sizeof *d);
    atomic_store(&d->epoch, 1);
    atomic_store(&d->next_id, FIRST_ID);
    pthread_mutex_init(&d->heap_lock, NULL);
    pthread_mutex_init(&d->retire_lock, NULL);
    return d;
}

// What was retired with a smaller tag than this no reader can hold: tags given out after the look are never below it.
static uint64_t reclaim_limit(Domain *d) {
    uint64_t min = atomic_load(&d->epoch);
    atomic_thread_fence(memory_order_seq_cst);
    for (int i = 0; i < READERS_MAX; i++) {
        uint64_t e = atomic_load(&d->slots[i].epoch);
        if (e && e < min) min = e;
    }
    return min;
}

void domain_free(Domain *d) {
    if (!d) return;
    for (int i = 0; i < READERS_MAX; i++) CHECK(atomic_load(&d->slots[i].epoch) == 0); // nobody is inside
    while (d->count) domain_reclaim(d); // freed nodes retire their children
    for (Slab *s = d->slabs; s;) {
        Slab *next = s->next;
        mem_free(s);
        s = next;
    }
    mem_free(d->list);
    pthread_mutex_destroy(&d->heap_lock);
    pthread_mutex_destroy(&d->retire_lock);
    mem_free(d);
}

// ---- readers ----

int32_t domain_enter(Domain *d) {
    char here; // threads have their stacks apart: start looking at different slots
    uint32_t i = (uint32_t)((uintptr_t)&here >> 12) * 2654435761u >> 24;
    for (uint32_t tries = 1;; i++, tries++) {
        if (tries % READERS_MAX == 0) sched_yield(); // all taken: readers are short
        ReaderSlot *s = &d->slots[i % READERS_MAX];
        uint64_t none = 0, e = atomic_load(&d->epoch);
        if (atomic_load_explicit(&s->epoch, memory_order_relaxed) != 0) continue;
        if (!atomic_compare_exchange_strong(&s->epoch, &none, e)) continue;
        atomic_thread_fence(memory_order_seq_cst);
        return (int32_t)(i % READERS_MAX);
    }
}

void domain_leave(Domain *d, int32_t slot) { atomic_exchange(&d->slots[slot].epoch, 0); }

static void retire_grow(Domain *d) {
    int64_t cap = d->cap ? d->cap * 2 : 256;
    Retired *list = mem_alloc((size_t)cap * sizeof *list);
    for (int64_t i = 0; i < d->count; i++) list[i] = d->list[(d->head + i) & (d->cap - 1)];
    mem_free(d->list);
    d->list = list;
    d->cap = cap;
    d->head = 0;
}

static void retire(Domain *d, void *p, void (*fn)(Domain *, void *), int64_t size) {
    pthread_mutex_lock(&d->retire_lock);
    if (d->count == d->cap) retire_grow(d);
    uint64_t tag = atomic_fetch_add(&d->epoch, 1);
    d->list[(d->head + d->count++) & (d->cap - 1)] = (Retired){tag, p, fn, size};
    pthread_mutex_unlock(&d->retire_lock);
}

void domain_retire(Domain *d, void *p, void (*fn)(Domain *, void *)) { retire(d, p, fn, 0); }

static void blob_free(Domain *d, void *blob, int64_t text_bytes);

// Takes up to `max` entries that nobody can hold any more.
static int take_retired(Domain *d, Retired *take, int max) {
    int n = 0;
    pthread_mutex_lock(&d->retire_lock);
    uint64_t limit = d->count ? reclaim_limit(d) : 0;
    for (; n < max && d->count && d->list[d->head].tag < limit; n++) {
        take[n] = d->list[d->head];
        d->head = (d->head + 1) & (d->cap - 1);
        d->count--;
    }
    pthread_mutex_unlock(&d->retire_lock);
    return n;
}

void domain_reclaim(Domain *d) {
    Retired take[64];
    for (int n; (n = take_retired(d, take, 64)) > 0;) { // freed nodes retire their children
        for (int i = 0; i < n; i++) {
            if (take[i].fn) take[i].fn(d, take[i].p);
            else blob_free(d, take[i].p, take[i].size);
        }
    }
}

// ---- texts ----

static int64_t blob_class(int64_t text_bytes) { return ((int64_t)sizeof(Blob) + text_bytes + 7) / 8 - 1; }

static void slab_open(Domain *d, int64_t class) {
    int64_t size = (class + 1) * 8;
    Slab *s = mem_grow(NULL, sizeof *s + SLAB_BYTES);
    s->next = d->slabs;
    d->slabs = s;
    for (int64_t at = SLAB_BYTES / size * size - size; at >= 0; at -= size) {
        FreeBlob *f = (FreeBlob *)(void *)(s->bytes + at);
        f->next = d->free[class];
        d->free[class] = f;
    }
}

static Blob *blob_new(Domain *d, int64_t text_bytes) {
    int64_t class = blob_class(text_bytes);
    pthread_mutex_lock(&d->heap_lock);
    d->blobs++;
    d->blob_bytes += (class + 1) * 8;
    Blob *b = NULL;
    if (class < BLOB_CLASSES) {
        if (!d->free[class]) slab_open(d, class);
        FreeBlob *f = d->free[class];
        d->free[class] = f->next;
        b = (Blob *)(void *)f;
    }
    pthread_mutex_unlock(&d->heap_lock);
    return b ? b : mem_grow(NULL, sizeof *b + (size_t)text_bytes);
}

// What nobody refers to any more shall not be found in memory either: it may have been erased.
static void blob_free(Domain *d, void *blob, int64_t text_bytes) {
    int64_t class = blob_class(text_bytes);
    explicit_bzero(((Blob *)blob)->bytes, (size_t)text_bytes);
    pthread_mutex_lock(&d->heap_lock);
    d->blobs--;
    d->blob_bytes -= (class + 1) * 8;
    if (class < BLOB_CLASSES) {
        FreeBlob *f = blob;
        f->next = d->free[class];
        d->free[class] = f;
    }
    pthread_mutex_unlock(&d->heap_lock);
    if (class >= BLOB_CLASSES) mem_free(blob);
}

static Blob *blob_of(Text t) { return (Blob *)(uintptr_t)t.w[1]; } // NOLINT: a handle is a pointer

Text text_make(Domain *d, Str s) {
    CHECK(s.n >= 0 && s.n <= INT32_MAX);
    Text t = {{(uint64_t)s.n, 0}};
    if (s.n) memcpy((char *)&t.w[0] + 4, s.p, (size_t)(s.n < 4 ? s.n : 4));
    if (s.n <= TEXT_INLINE) {
        if (s.n > 4) memcpy(&t.w[1], s.p + 4, (size_t)(s.n - 4));
        return t;
    }
    Blob *b = blob_new(d, s.n);
    atomic_init(&b->refs, 1);
    memcpy(b->bytes, s.p, (size_t)s.n);
    t.w[1] = (uint64_t)(uintptr_t)b;
    return t;
}

void text_ref(Text t) {
    if (!text_is_inline(t)) atomic_fetch_add_explicit(&blob_of(t)->refs, 1, memory_order_relaxed);
}

static bool text_drop(Text t) {
    return !text_is_inline(t) && atomic_fetch_sub_explicit(&blob_of(t)->refs, 1, memory_order_acq_rel) == 1;
}

void text_unref(Domain *d, Text t) {
    if (text_drop(t)) blob_free(d, blob_of(t), text_size(t));
}

void text_retire(Domain *d, Text t) {
    if (text_drop(t)) retire(d, blob_of(t), NULL, text_size(t));
}

Str text_str(const Text *t) {
    int64_t n = text_size(*t);
    return (Str){n <= TEXT_INLINE ? (const char *)t + 4 : blob_of(*t)->bytes, n};
}

bool text_eq(const Text *t, Str s) {
    if (text_size(*t) != s.n) return false;
    return s.n == 0 || memcmp(text_str(t).p, s.p, (size_t)s.n) == 0;
}

// ---- ids, accounts ----

uint64_t domain_take_ids(Domain *d) { return atomic_fetch_add(&d->next_id, 1024); }

void domain_reserve_ids(Domain *d, uint64_t first) {
    uint64_t want = (first + 1023) & ~(uint64_t)1023, now = atomic_load(&d->next_id);
    while (now < want && !atomic_compare_exchange_weak(&d->next_id, &now, want)) {}
}

uint64_t domain_next_epoch(Domain *d) { return atomic_fetch_add(&d->epoch, 1); }

void domain_count_writer(Domain *d, int32_t more) { atomic_fetch_add(&d->writers, more); }

int32_t domain_writers(Domain *d) { return atomic_load_explicit(&d->writers, memory_order_acquire); }

void domain_count_block(Domain *d, int64_t blocks, int64_t bytes) {
    atomic_fetch_add_explicit(&d->blocks, blocks, memory_order_relaxed);
    atomic_fetch_add_explicit(&d->block_bytes, bytes, memory_order_relaxed);
}

DomainStats domain_stats(Domain *d) {
    DomainStats s = {.blocks = atomic_load(&d->blocks), .block_bytes = atomic_load(&d->block_bytes)};
    pthread_mutex_lock(&d->heap_lock);
    s.blobs = d->blobs;
    s.blob_bytes = d->blob_bytes;
    pthread_mutex_unlock(&d->heap_lock);
    pthread_mutex_lock(&d->retire_lock);
    s.retired = d->count;
    pthread_mutex_unlock(&d->retire_lock);
    return s;
}
