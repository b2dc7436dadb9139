// SPDX-License-Identifier: Apache-2.0
// Durable cursors: a name and the sequence its consumer has dealt with. In memory at once; items of the store within
// HOLD_WRITE_NS, all that changed in one put, one put at a time.
#include "engine/engine.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

#define HOLD_KIND "sosia.hold"
#define HOLD_WRITE_NS NS_PER_S

typedef struct Hold {
    Str name;     // owned
    uint64_t seq; // 0: forgotten, to be removed
    bool dirty;   // not written, nor on its way
} Hold;

struct Holds {
    pthread_mutex_t lock; // guards the rest; held for a search
    Hold *items;          // ascending by name
    int64_t count, cap;
    int64_t dirty;
    bool writing;
    int64_t written_mono_ns; // when the newest put began
};

// ---- the table: lock held -----------------------------------------------------------------------------------------

static int64_t hold_place(const Holds *h, Str name) {
    int64_t lo = 0, hi = h->count;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (str_cmp(h->items[mid].name, name) < 0) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static Hold *hold_find(Holds *h, Str name) {
    int64_t i = hold_place(h, name);
    return i < h->count && str_eq(h->items[i].name, name) ? &h->items[i] : NULL;
}

static Hold *hold_add(Holds *h, Str name) {
    int64_t i = hold_place(h, name);
    if (h->count == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->items = mem_grow(h->items, (size_t)h->cap * sizeof(Hold));
    }
    memmove(&h->items[i + 1], &h->items[i], (size_t)(h->count++ - i) * sizeof(Hold));
    char *p = mem_alloc((size_t)name.n + 1);
    memcpy(p, name.p, (size_t)name.n);
    h->items[i] = (Hold){.name = {p, name.n}};
    return &h->items[i];
}

static void hold_remove(Holds *h, int64_t i) {
    mem_free((void *)h->items[i].name.p);
    memmove(&h->items[i], &h->items[i + 1], (size_t)(--h->count - i) * sizeof(Hold));
}

// ---- opening ------------------------------------------------------------------------------------------------------

static Err holds_load(Sosia *e, Holds *h) {
    Buf slice = {0}, last = {0};
    Err err = ERR_OK;
    for (bool more = e->store != NULL; more && !err;) {
        buf_reset(&slice);
        err = store_items_scan(e->store, STR(HOLD_KIND), buf_str(&last), 0, &slice, &more);
        Cut c = cut_of(buf_str(&slice));
        for (Str key, value; !err && store_item_next(&c, &key, &value);) {
            int64_t seq;
            if (str_to_i64(value, &seq) && seq > 0) hold_add(h, key)->seq = (uint64_t)seq;
            buf_reset(&last);
            buf_str_put(&last, key);
        }
    }
    buf_free(&slice);
    buf_free(&last);
    return err;
}

Err holds_open(Sosia *e, Holds **out) {
    Holds *h = mem_alloc(sizeof *h);
    pthread_mutex_init(&h->lock, NULL);
    *out = h;
    return holds_load(e, h);
}

void holds_free(Holds *h) {
    if (!h) return;
    while (h->count) hold_remove(h, h->count - 1);
    mem_free(h->items);
    pthread_mutex_destroy(&h->lock);
    mem_free(h);
}

// ---- writing ------------------------------------------------------------------------------------------------------

// One put: what it says, so that a failed one can be said again.
typedef struct HoldPut {
    Holds *h;
    int64_t count;
    StoreItem *items; // the texts follow
    Buf texts;
} HoldPut;

static void put_end(void *arg, Err err, const char *why) {
    (void)why; // the next try tells, or the commits do
    HoldPut *p = arg;
    Holds *h = p->h;
    pthread_mutex_lock(&h->lock);
    for (int64_t i = 0; i < p->count; i++) {
        Hold *x = hold_find(h, p->items[i].key);
        if (!x || x->dirty) continue; // said anew since
        if (err) {
            x->dirty = true;
            h->dirty++;
        } else if (!x->seq) hold_remove(h, x - h->items);
    }
    h->writing = false;
    pthread_mutex_unlock(&h->lock);
    mem_free(p->items);
    buf_free(&p->texts);
    mem_free(p);
}

// What is dirty as a put. Lock held.
static HoldPut *put_new(Holds *h) {
    HoldPut *p = mem_alloc(sizeof *p);
    p->h = h;
    p->items = mem_alloc((size_t)h->dirty * sizeof *p->items);
    int64_t room = 0;
    for (int64_t i = 0; i < h->count; i++)
        if (h->items[i].dirty) room += h->items[i].name.n + 24;
    CHECK(buf_reserve(&p->texts, room)); // so that the texts stay where they are
    for (int64_t i = 0; i < h->count; i++) {
        Hold *x = &h->items[i];
        if (!x->dirty) continue;
        const char *at = p->texts.p + p->texts.n;
        buf_str_put(&p->texts, x->name);
        buf_printf(&p->texts, "%llu", (unsigned long long)x->seq);
        Str value = {at + x->name.n, p->texts.p + p->texts.n - at - x->name.n};
        p->items[p->count++] = (StoreItem){STR(HOLD_KIND), {at, x->name.n}, value, x->seq == 0};
        x->dirty = false;
    }
    h->dirty = 0;
    h->writing = true;
    return p;
}

int64_t holds_poll(Sosia *e, bool force) {
    Holds *h = e->holds;
    HoldPut *p = NULL;
    int64_t now = time_mono_ns(), wait = 3600 * NS_PER_S;
    if (!e->store) return wait;
    pthread_mutex_lock(&h->lock);
    int64_t left = h->written_mono_ns + HOLD_WRITE_NS - now;
    bool due = h->dirty && ((left <= 0 && !h->writing) || force);
    if (due) {
        p = put_new(h);
        h->written_mono_ns = now;
    } else if (h->dirty) wait = left > NS_PER_MS ? left : NS_PER_MS;
    if (h->writing && !force) wait = h->dirty ? HOLD_WRITE_NS / 20 : HOLD_WRITE_NS; // its end wakes nobody
    pthread_mutex_unlock(&h->lock);
    if (!p) return wait;
    Err err = store_items_put(e->store, p->items, p->count, put_end, p);
    if (err) put_end(p, err, NULL);
    return HOLD_WRITE_NS;
}

// ---- the calls ----------------------------------------------------------------------------------------------------

// Set it. *wake: the writer may be asleep. Errors: LIMIT.
static Err hold_set(Holds *h, Str name, uint64_t seq, bool *wake) {
    Hold *x = hold_find(h, name);
    *wake = false;
    if (!x && !seq) return ERR_OK;
    if (!x && h->count >= HOLDS_MAX) return ERR_LIMIT;
    if (!x) x = hold_add(h, name);
    if (x->seq == seq) return ERR_OK;
    *wake = h->dirty == 0;
    h->dirty += !x->dirty;
    x->dirty = true;
    x->seq = seq;
    return ERR_OK;
}

SosiaErr sosia_feed_hold(Sosia *s, SosiaStr name, uint64_t seq) {
    if (name.n < 1 || name.n > STORE_ITEM_NAME_MAX || seq > INT64_MAX) return SOSIA_ARGUMENT;
    bool wake;
    pthread_mutex_lock(&s->holds->lock);
    Err err = hold_set(s->holds, name, seq, &wake);
    if (!seq && !s->store && hold_find(s->holds, name)) hold_remove(s->holds, hold_place(s->holds, name));
    pthread_mutex_unlock(&s->holds->lock);
    if (err || !wake || !s->store) return (SosiaErr)err;
    Task *c = task_new(OP_WAKE, NULL, NULL, 0);
    if (task_queue(s, c, true)) task_free(c); // closing: the writer comes by anyway
    return SOSIA_OK;
}

SosiaErr sosia_feed_held(Sosia *s, SosiaStr name, uint64_t *seq) {
    if (name.n < 1 || name.n > STORE_ITEM_NAME_MAX) return SOSIA_ARGUMENT;
    pthread_mutex_lock(&s->holds->lock);
    Hold *x = hold_find(s->holds, name);
    *seq = x ? x->seq : 0;
    pthread_mutex_unlock(&s->holds->lock);
    return SOSIA_OK;
}
