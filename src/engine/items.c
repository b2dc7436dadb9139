// SPDX-License-Identifier: Apache-2.0
// Items: small documents beside the world. With a file they are the store's; without one a table sorted by kind and
// key, which the writer changes and anyone reads under its lock.
#include "engine/engine.h"
#include "base/check.h"
#include "base/mem.h"

#define ITEMS_OWN "sosia." // kinds of the engine itself

typedef struct Entry {
    Str kind, key, value; // owned, in one piece at kind.p
} Entry;

struct ItemTable {
    pthread_mutex_t lock; // guards the rest; held for a search and the copy of a slice
    Entry *entries;
    int64_t count, cap;
};

// ---- the table ----------------------------------------------------------------------------------------------------

ItemTable *items_new(void) {
    ItemTable *t = mem_alloc(sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void items_free(ItemTable *t) {
    if (!t) return;
    for (int64_t i = 0; i < t->count; i++) mem_free((void *)t->entries[i].kind.p);
    mem_free(t->entries);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

static int entry_cmp(const Entry *e, Str kind, Str key) {
    int c = str_cmp(e->kind, kind);
    return c ? c : str_cmp(e->key, key);
}

// Index of the first entry not before (kind, key). Lock held.
static int64_t table_place(const ItemTable *t, Str kind, Str key) {
    int64_t lo = 0, hi = t->count;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (entry_cmp(&t->entries[mid], kind, key) < 0) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static Str piece(char **at, Str s) {
    char *p = *at;
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    *at += s.n;
    return (Str){p, s.n};
}

static Entry entry_own(Str kind, Str key, Str value) {
    char *at = mem_alloc((size_t)(kind.n + key.n + value.n) + 1);
    Entry e;
    e.kind = piece(&at, kind);
    e.key = piece(&at, key);
    e.value = piece(&at, value);
    return e;
}

static void table_put(ItemTable *t, bool remove, Str kind, Str key, Str value) {
    int64_t i = table_place(t, kind, key);
    bool there = i < t->count && entry_cmp(&t->entries[i], kind, key) == 0;
    if (there) mem_free((void *)t->entries[i].kind.p);
    size_t behind = (size_t)(t->count - i) * sizeof(Entry);
    if (remove) {
        if (!there) return;
        memmove(&t->entries[i], &t->entries[i + 1], behind - sizeof(Entry));
        t->count--;
        return;
    }
    if (!there) {
        if (t->count == t->cap) {
            t->cap = t->cap ? t->cap * 2 : 64;
            t->entries = mem_grow(t->entries, (size_t)t->cap * sizeof(Entry));
        }
        memmove(&t->entries[i + 1], &t->entries[i], behind);
        t->count++;
    }
    t->entries[i] = entry_own(kind, key, value);
}

// As store_items_scan.
static void table_scan(ItemTable *t, Str kind, Str after, int64_t limit, Buf *out, bool *more) {
    *more = false;
    pthread_mutex_lock(&t->lock);
    int64_t n = 0;
    for (int64_t i = table_place(t, kind, after); i < t->count && !*more; i++) {
        const Entry *e = &t->entries[i];
        if (!str_eq(e->kind, kind)) break;
        if (str_eq(e->key, after)) continue;
        store_item_encode(e->key, e->value, out);
        *more = ++n == limit || out->n >= STORE_SLICE_BYTES;
    }
    pthread_mutex_unlock(&t->lock);
}

// ---- puts without a file ------------------------------------------------------------------------------------------

static void text_put(Buf *out, Str s) {
    buf_varint(out, (uint64_t)s.n);
    buf_str_put(out, s);
}

static Str text_take(Cut *c) {
    int64_t n = (int64_t)cut_varint(c);
    return cut_bytes(c, n);
}

void items_task(Sosia *e, Task *c) {
    Cut cut = cut_of(buf_str(&c->items));
    pthread_mutex_lock(&e->items->lock);
    while (cut.p < cut.end) {
        bool remove = cut_byte(&cut);
        Str kind = text_take(&cut), key = text_take(&cut), value = text_take(&cut);
        CHECK(!cut.bad); // our own bytes
        table_put(e->items, remove, kind, key, value);
    }
    pthread_mutex_unlock(&e->items->lock);
    task_finish(e, c);
}

static bool items_fit(const SosiaItem *items, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const SosiaItem *it = &items[i];
        if (it->kind.n < 1 || it->kind.n > STORE_ITEM_NAME_MAX) return false;
        if (it->key.n < 1 || it->key.n > STORE_ITEM_NAME_MAX) return false;
        if (it->value.n < 0 || it->value.n > STORE_ITEM_VALUE_MAX) return false;
    }
    return n > 0;
}

static Task *items_command(const SosiaItem *items, int64_t n, SosiaDoneFn done, void *arg) {
    Task *c = task_new(OP_ITEMS, done, arg, 64);
    for (int64_t i = 0; i < n; i++) {
        buf_byte(&c->items, items[i].remove);
        text_put(&c->items, items[i].kind);
        text_put(&c->items, items[i].key);
        text_put(&c->items, items[i].remove ? (Str){0} : items[i].value);
    }
    return c;
}

static Err memory_put(Sosia *e, const SosiaItem *items, int64_t n, SosiaDoneFn done, void *arg) {
    Task *c = items_command(items, n, done, arg);
    Err err = c->items.full ? ERR_BUSY : task_queue(e, c, false);
    if (err) task_free(c);
    return err;
}

// ---- puts with a file ---------------------------------------------------------------------------------------------

typedef struct PutDone {
    SosiaDoneFn done;
    void *arg;
} PutDone;

static void put_done(void *arg, Err err, const char *why) {
    PutDone d = *(PutDone *)arg;
    mem_free(arg);
    Str message = why ? str_of(why) : (Str){0};
    if (d.done) d.done(d.arg, &(SosiaDone){.err = (SosiaErr)err, .message = message});
}

static bool closing(Sosia *e) {
    pthread_mutex_lock(&e->inbox.lock);
    bool closing = e->inbox.closing;
    pthread_mutex_unlock(&e->inbox.lock);
    return closing;
}

static Err store_put(Sosia *e, const SosiaItem *items, int64_t n, SosiaDoneFn done, void *arg) {
    if (closing(e)) return ERR_CLOSED;
    StoreItem *list = mem_alloc((size_t)n * sizeof *list);
    for (int64_t i = 0; i < n; i++) list[i] = (StoreItem){items[i].kind, items[i].key, items[i].value, items[i].remove};
    PutDone *d = mem_alloc(sizeof *d);
    *d = (PutDone){done, arg};
    Err err = store_items_put(e->store, list, n, put_done, d);
    if (err) mem_free(d);
    mem_free(list);
    return err;
}

// ---- the calls ----------------------------------------------------------------------------------------------------

SosiaErr sosia_items_put(Sosia *s, const SosiaItem *items, int64_t n, SosiaDoneFn done, void *arg) {
    if (!items_fit(items, n)) return SOSIA_ARGUMENT;
    return (SosiaErr)(s->store ? store_put(s, items, n, done, arg) : memory_put(s, items, n, done, arg));
}

// One waiting call. lock guards the rest.
typedef struct PutWait {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool ended;
    SosiaErr err;
} PutWait;

static void wait_end(void *arg, const SosiaDone *done) {
    PutWait *w = arg;
    pthread_mutex_lock(&w->lock);
    w->err = done->err;
    w->ended = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

SosiaErr sosia_items_put_wait(Sosia *s, const SosiaItem *items, int64_t n) {
    CHECK(!engine_own_thread(s)); // it would wait for itself
    PutWait w = {.ended = false};
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.cond, NULL);
    SosiaErr err = sosia_items_put(s, items, n, wait_end, &w);
    if (!err) {
        pthread_mutex_lock(&w.lock);
        while (!w.ended) pthread_cond_wait(&w.cond, &w.lock);
        pthread_mutex_unlock(&w.lock);
        err = w.err;
    }
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.cond);
    return err;
}

// Call fn for what one slice holds; `limit` counts down, the last key goes to `last`. False: stop.
static bool slice_tell(Str bytes, Buf *last, int64_t *limit, bool (*fn)(void *, SosiaStr, SosiaStr), void *ctx) {
    Cut c = cut_of(bytes);
    Str key = {0}, value;
    while (store_item_next(&c, &key, &value)) {
        if (!fn(ctx, key, value)) return false;
        if (*limit && --*limit == 0) return false;
    }
    buf_reset(last);
    buf_str_put(last, key);
    return true;
}

SosiaErr sosia_items_scan(Sosia *s, SosiaStr kind, SosiaStr after, int64_t limit,
                          bool (*fn)(void *ctx, SosiaStr key, SosiaStr value), void *ctx) {
    CHECK(!engine_own_thread(s)); // it would wait for itself
    if (kind.n < 1 || kind.n > STORE_ITEM_NAME_MAX || after.n > STORE_ITEM_NAME_MAX || limit < 0) return SOSIA_ARGUMENT;
    Buf slice = {0}, last = {0};
    buf_str_put(&last, after);
    Err err = ERR_OK;
    for (bool more = true; more && !err;) {
        buf_reset(&slice);
        if (s->store) err = store_items_scan(s->store, kind, buf_str(&last), limit, &slice, &more);
        else table_scan(s->items, kind, buf_str(&last), limit, &slice, &more);
        if (!err && more) more = slice.n > 0;
        if (!err && !slice_tell(buf_str(&slice), &last, &limit, fn, ctx)) break;
    }
    buf_free(&slice);
    buf_free(&last);
    return (SosiaErr)err;
}
