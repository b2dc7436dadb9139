// SPDX-License-Identifier: Apache-2.0
#include "engine/scenario_keep.h"
#include <stdlib.h>
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"

#define SIZE_KIND STR("sosia.world.size") // items: how large a fork was when the engine closed, by number
#define WAIT_NS (50 * NS_PER_MS)          // while something is erased, or the store has too much to do
#define PUT_BYTES ((int64_t)4 << 20)      // of parts in one put
#define SEAL_LOOK_NS (2 * NS_PER_MS)
#define SEAL_LOOKS_MAX 500
#define END_DIVISOR 8 // see KEEP_JOURNAL_BYTES

struct Keeper {
    Sosia *engine;
    Thread thread;
    pthread_mutex_t making; // one checkpoint is made, or all are deleted
    pthread_mutex_t lock;   // guards the rest
    pthread_cond_t more;
    Realm **due; // references
    int64_t due_count, due_cap;
    StoreKeep *gone; // heads to be deleted with their parts; seq 0: all of the world
    int64_t gone_count, gone_cap;
    bool stop;
};

Keeper *keeper_new(Sosia *e) {
    Keeper *k = mem_alloc(sizeof *k);
    k->engine = e;
    pthread_mutex_init(&k->making, NULL);
    pthread_mutex_init(&k->lock, NULL);
    cond_init_mono(&k->more);
    return k;
}

void keeper_free(Keeper *k) {
    if (!k) return;
    for (int64_t i = 0; i < k->due_count; i++) realm_unref(k->due[i]);
    mem_free(k->due);
    mem_free(k->gone);
    pthread_mutex_destroy(&k->making);
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->more);
    mem_free(k);
}

// ---- what is due --------------------------------------------------------------------------------------------------

static void due_add(Keeper *k, Realm *r) {
    pthread_mutex_lock(&k->lock);
    if (k->due_count == k->due_cap) {
        k->due_cap = k->due_cap ? 2 * k->due_cap : 16;
        k->due = mem_grow(k->due, (size_t)k->due_cap * sizeof *k->due);
    }
    if (!k->stop) k->due[k->due_count++] = realm_ref(r);
    pthread_cond_signal(&k->more);
    pthread_mutex_unlock(&k->lock);
}

static void look(Sosia *e, Realm *r, int64_t divisor) {
    Scenario *s = r->scenario;
    int64_t more = atomic_load(&s->bytes) - atomic_load(&s->kept_bytes);
    int64_t least =
        KEEP_JOURNAL_BYTES > 2 * atomic_load(&s->kept_packed) ? KEEP_JOURNAL_BYTES : 2 * atomic_load(&s->kept_packed);
    if (!e->keeper || !s->number || more < least / divisor) return;
    if (!atomic_exchange(&s->keep_due, true)) due_add(e->keeper, r);
}

void scenario_keep_look(Sosia *e, Realm *r) { look(e, r, 1); }
void scenario_keep_soon(Sosia *e, Realm *r) { look(e, r, END_DIVISOR); }

static void gone_add(Keeper *k, StoreKeep x) {
    pthread_mutex_lock(&k->lock);
    if (k->gone_count == k->gone_cap) {
        k->gone_cap = k->gone_cap ? 2 * k->gone_cap : 16;
        k->gone = mem_grow(k->gone, (size_t)k->gone_cap * sizeof *k->gone);
    }
    k->gone[k->gone_count++] = x;
    pthread_cond_signal(&k->more);
    pthread_mutex_unlock(&k->lock);
}

void scenario_keeps_gone(Sosia *e, uint64_t world) {
    if (e->keeper && world) gone_add(e->keeper, (StoreKeep){.world = world});
}

// ---- items --------------------------------------------------------------------------------------------------------

// Items to be put together, with their texts.
typedef struct Puts {
    SosiaItem *items;
    Buf *texts; // two of each
    int64_t count, cap, bytes;
} Puts;

// The next one; its key and value are to be appended to the texts.
static Buf *puts_next(Puts *p, Str kind, bool remove) {
    if (p->count == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 16;
        p->items = mem_grow(p->items, (size_t)p->cap * sizeof *p->items);
        p->texts = mem_grow(p->texts, (size_t)p->cap * 2 * sizeof *p->texts);
    }
    p->items[p->count] = (SosiaItem){.kind = kind, .remove = remove};
    Buf *text = &p->texts[2 * p->count++];
    text[0] = text[1] = (Buf){0};
    return text;
}

static void puts_free(Puts *p) {
    for (int64_t i = 0; i < 2 * p->count; i++) buf_free(&p->texts[i]);
    mem_free(p->items);
    mem_free(p->texts);
    *p = (Puts){0};
}

static bool stopped(Keeper *k) {
    pthread_mutex_lock(&k->lock);
    bool stop = k->stop;
    pthread_mutex_unlock(&k->lock);
    return stop;
}

// All in one transaction. Frees them.
static Err puts_put(Sosia *e, Puts *p) {
    Err err = ERR_OK;
    for (int64_t i = 0; i < p->count; i++) {
        p->items[i].key = buf_str(&p->texts[2 * i]);
        if (!p->items[i].value.n) p->items[i].value = buf_str(&p->texts[2 * i + 1]);
    }
    while (p->count && (err = (Err)sosia_items_put_wait(e, p->items, p->count)) == ERR_BUSY) {
        if (stopped(e->keeper)) break;
        thread_sleep_ns(WAIT_NS);
    }
    puts_free(p);
    return err;
}

static void put_head(Puts *p, const StoreKeep *k, bool remove) {
    Buf *text = puts_next(p, KEEP_KIND, remove);
    keep_encode(k, &text[0], &text[1]);
}

static void remove_parts(Puts *p, const StoreKeep *k) {
    for (uint32_t i = 0; i < k->parts; i++) keep_part_key(k, i, puts_next(p, KEEP_PART_KIND, true));
}

static void put_size(Puts *p, uint64_t number, const ScenarioOwn *own) {
    Buf *text = puts_next(p, SIZE_KIND, own == NULL);
    buf_printf(&text[0], "%016llx", (unsigned long long)number);
    if (!own) return;
    const int64_t words[] = {own->pages, own->bytes, own->batches, own->batch_bytes};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) buf_varint(&text[1], (uint64_t)words[i]);
}

static Err put_parts(Sosia *e, const StoreKeep *k, const KeepParts *parts) {
    Puts p = {0};
    Err err = ERR_OK;
    int64_t bytes = 0;
    for (uint32_t i = 0; i < parts->count && !err; i++) {
        keep_part_key(k, i, puts_next(&p, KEEP_PART_KIND, false));
        p.items[p.count - 1].value = buf_str(&parts->parts[i]);
        bytes += parts->parts[i].n;
        if (bytes < PUT_BYTES && i + 1 < parts->count) continue;
        err = puts_put(e, &p);
        bytes = 0;
    }
    puts_free(&p);
    return err;
}

// ---- which stay ---------------------------------------------------------------------------------------------------

static Scenario *table_find(const Sosia *e, uint64_t number) {
    for (int64_t i = 0; i < e->scenario_count; i++)
        if (e->scenarios[i]->number == number) return e->scenarios[i];
    return NULL;
}

// Is keeps[i] of s the one that a child begins with? worlds_lock held.
static bool needed(const Sosia *e, const Scenario *s, int32_t i) {
    if (i == s->keep_count - 1) return true;
    for (int64_t n = 0; n < e->scenario_count; n++) {
        const Scenario *x = e->scenarios[n];
        if (x->parent != s->number || x->going || x->fork_seq < s->keeps[i].seq) continue;
        if (x->fork_seq < s->keeps[i + 1].seq) return true;
    }
    return false;
}

static void keeps_take(Scenario *s, int32_t i) {
    memmove(&s->keeps[i], &s->keeps[i + 1], (size_t)(--s->keep_count - i) * sizeof *s->keeps);
}

// Note that there is a newest one, and those that nobody needs any more, for `p`. False: the world is gone.
static bool keeps_put(Sosia *e, uint64_t world, const StoreKeep *k, Puts *p) {
    pthread_mutex_lock(&e->worlds_lock);
    Scenario *s = table_find(e, world);
    bool there = s && !s->going;
    if (there) {
        if (s->keep_count == SCENARIO_KEEPS_MAX) { // the oldest goes, needed or not
            put_head(p, &s->keeps[0], true);
            remove_parts(p, &s->keeps[0]);
            keeps_take(s, 0);
        }
        s->keeps[s->keep_count++] = *k;
        for (int32_t i = s->keep_count - 2; i >= 0; i--) {
            if (needed(e, s, i)) continue;
            put_head(p, &s->keeps[i], true);
            remove_parts(p, &s->keeps[i]);
            keeps_take(s, i);
        }
        s->own = (ScenarioOwn){k->pages, k->bytes, k->batches, k->batch_bytes};
        atomic_store(&s->kept_bytes, k->batch_bytes);
        atomic_store(&s->kept_packed, k->packed);
    }
    pthread_mutex_unlock(&e->worlds_lock);
    return there;
}

bool scenario_kept(Sosia *e, uint64_t world, uint64_t upto, StoreKeep *out) {
    bool found = false;
    pthread_mutex_lock(&e->worlds_lock);
    const Scenario *s = table_find(e, world);
    for (int32_t i = s ? s->keep_count - 1 : -1; i >= 0 && !found; i--) {
        found = s->keeps[i].seq <= upto;
        if (found) *out = s->keeps[i];
    }
    pthread_mutex_unlock(&e->worlds_lock);
    return found;
}

Err scenario_keep_load(Sosia *e, const StoreKeep *k, World *w) {
    StoreReader *r;
    TRY(store_reader_begin(e->store, &r));
    Err err = store_keep_load(r, k, w);
    store_reader_end(r); // before history is read for what lies below
    if (!err) err = world_pages_end(w);
    return !err && world_seq(w) != k->seq ? ERR_CORRUPT : err;
}

// ---- making one ---------------------------------------------------------------------------------------------------

// Write the parts between two heads. What it replaces goes with the second.
static Err write_keep(Sosia *e, StoreKeep *k, const KeepParts *parts) {
    Puts p = {0};
    put_head(&p, k, false);
    TRY(puts_put(e, &p));
    Err err = put_parts(e, k, parts);
    k->whole = !err;
    if (!err && keeps_put(e, k->world, k, &p)) {
        put_head(&p, k, false);
        err = puts_put(e, &p); // refused: it counts in memory only, and a start deletes it
        return err;
    }
    gone_add(e->keeper, *k);
    return err;
}

// What a checkpoint has will not be told to history again: it must be in blocks before, that of its parents too.
// Errors: BUSY (they are not written yet).
static Err seal_all(Keeper *k, Scenario *s, uint64_t upto) {
    for (; s; s = s->up) {
        if (upto > s->fork_seq) {
            history_wait(s->history, upto);
            history_seal(s->history, upto);
            for (int i = 0; history_sealed(s->history) < upto; i++) {
                if (stopped(k) || i == SEAL_LOOKS_MAX) return ERR_BUSY;
                thread_sleep_ns(SEAL_LOOK_NS);
            }
        }
        if (s->fork_seq < upto) upto = s->fork_seq;
    }
    return ERR_OK;
}

static Err make_of(Sosia *e, Realm *r, const Task *c) {
    Scenario *s = r->scenario;
    WorldOwn own = world_own(r->world);
    KeepParts parts;
    StoreKeep last, k = {.world = s->number,
                         .seq = world_seq(c->fork),
                         .pages = own.pages,
                         .bytes = own.bytes,
                         .batches = c->tally.batches,
                         .batch_bytes = c->tally.batch_bytes,
                         .foreign = c->tally.foreign};
    if (k.seq <= s->fork_seq || (scenario_kept(e, s->number, UINT64_MAX, &last) && last.seq >= k.seq)) return ERR_OK;
    int64_t start = time_mono_ns();
    TRY(seal_all(e->keeper, s, k.seq));
    Err err = keep_pack(c->fork, r->own_since, s->number, 0, &parts);
    k.parts = parts.count;
    k.packed = parts.packed;
    if (!err) err = write_keep(e, &k, &parts);
    keep_parts_free(&parts);
    if (err) return err;
    LOG(WORLD_CHECKPOINT, s->name.p, (long long)k.seq, (long long)k.pages, (long long)k.packed,
        (double)(time_mono_ns() - start) / (double)NS_PER_MS);
    return ERR_OK;
}

static bool alive(Sosia *e, const Scenario *s) {
    pthread_mutex_lock(&e->worlds_lock);
    bool there = !s->leaving && !s->dropped && !s->going;
    pthread_mutex_unlock(&e->worlds_lock);
    return there;
}

static Err make(Sosia *e, Realm *r) {
    Task *c = task_new(OP_SNAPSHOT, NULL, NULL, 0);
    c->realm = realm_ref(r);
    Err err = task_wait(e, c, true);
    if (!err) err = c->err;
    if (!err && alive(e, r->scenario)) err = make_of(e, r, c);
    task_free(c);
    return err;
}

Err scenario_keep_now(Sosia *e, Realm *r) {
    Keeper *k = e->keeper;
    if (!k || !r->scenario || !r->scenario->number) return ERR_UNSUPPORTED;
    pthread_mutex_lock(&k->making);
    bool erasing = atomic_load(&e->erasures) & 1;
    atomic_store(&r->scenario->keep_due, false); // what comes from now on may ask for another
    Err err = erasing ? ERR_BUSY : make(e, r);
    pthread_mutex_unlock(&k->making);
    return err;
}

static void make_when_quiet(Keeper *k, Realm *r) {
    Err err;
    while ((err = scenario_keep_now(k->engine, r)) == ERR_BUSY && !stopped(k)) thread_sleep_ns(WAIT_NS);
    if (!err || err == ERR_CLOSED || err == ERR_BUSY) return;
    atomic_store(&r->scenario->kept_bytes, atomic_load(&r->scenario->bytes)); // as much again, and it is tried again
    LOG(STORE_FAILED, "checkpoint of a fork", err_text(err));
}

// ---- deleting -----------------------------------------------------------------------------------------------------

typedef struct Finding {
    uint64_t world; // 0: of all
    StoreKeep *keeps;
    int64_t count, cap;
} Finding;

static bool take_keep(void *ctx, const StoreKeep *k) {
    Finding *f = ctx;
    if (f->world && k->world != f->world) return true;
    if (f->count == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 16;
        f->keeps = mem_grow(f->keeps, (size_t)f->cap * sizeof *f->keeps);
    }
    f->keeps[f->count++] = *k;
    return true;
}

static Err find(Sosia *e, Finding *f) {
    StoreReader *r;
    TRY(store_reader_begin(e->store, &r));
    Err err = store_keeps(r, take_keep, f);
    store_reader_end(r);
    return err;
}

static Err delete_keep(Sosia *e, const StoreKeep *k) {
    Puts p = {0};
    put_head(&p, k, true);
    remove_parts(&p, k);
    return puts_put(e, &p);
}

// What stays behind when the disk refuses is found by the next start.
static void delete_gone(Sosia *e, const StoreKeep *x) {
    Finding f = {.world = x->world};
    Puts p = {0};
    if (x->seq) {
        (void)!delete_keep(e, x);
        return;
    }
    Err err = find(e, &f);
    for (int64_t i = 0; i < f.count && !err; i++) err = delete_keep(e, &f.keeps[i]);
    put_size(&p, x->world, NULL);
    if (!err) err = puts_put(e, &p);
    puts_free(&p);
    mem_free(f.keeps);
}

// Their journals are long: another one, when they are made.
static void ask_again(Sosia *e) {
    pthread_mutex_lock(&e->worlds_lock);
    for (int64_t i = 0; i < e->scenario_count; i++) {
        Scenario *s = e->scenarios[i];
        s->keep_count = 0;
        atomic_store(&s->kept_bytes, 0);
    }
    pthread_mutex_unlock(&e->worlds_lock);
}

Err scenario_keeps_forget(Sosia *e) {
    Keeper *k = e->keeper;
    Finding f = {0};
    if (!k) return ERR_OK;
    pthread_mutex_lock(&k->making);
    ask_again(e);
    Err err = find(e, &f);
    for (int64_t i = 0; i < f.count && !err; i++) err = delete_keep(e, &f.keeps[i]);
    pthread_mutex_unlock(&k->making);
    mem_free(f.keeps);
    return err;
}

// ---- the thread ---------------------------------------------------------------------------------------------------

// Something to do. False: nothing is left, and it is to stop.
static bool take(Keeper *k, Realm **r, StoreKeep *gone) {
    *r = NULL;
    pthread_mutex_lock(&k->lock);
    while (!k->stop && !k->due_count && !k->gone_count) pthread_cond_wait(&k->more, &k->lock);
    bool any = k->due_count || k->gone_count;
    if (k->gone_count) *gone = k->gone[--k->gone_count];
    else if (k->due_count) {
        *r = k->due[0];
        memmove(k->due, k->due + 1, (size_t)--k->due_count * sizeof *k->due);
    }
    pthread_mutex_unlock(&k->lock);
    return any;
}

static void *keeper_main(void *arg) {
    Keeper *k = arg;
    Realm *r;
    StoreKeep gone;
    while (take(k, &r, &gone)) {
        if (!r) {
            delete_gone(k->engine, &gone);
            continue;
        }
        make_when_quiet(k, r);
        realm_unref(r);
    }
    return NULL;
}

Err keeper_start(Keeper *k) { return thread_start(&k->thread, "sosia-keep", keeper_main, k); }

// How large those are that are made, for who asks before they are made again.
static void note_sizes(Sosia *e) {
    Puts p = {0};
    pthread_mutex_lock(&e->worlds_lock);
    for (int64_t i = 0; i < e->world_count; i++) {
        Realm *r = e->worlds[i];
        Scenario *s = r->scenario;
        if (!s || !s->number || !atomic_load(&r->loaded) || s->leaving) continue;
        WorldOwn w = world_own(r->world);
        ScenarioOwn own = {w.pages, w.bytes, atomic_load(&s->batches), atomic_load(&s->bytes)};
        if (memcmp(&own, &s->own, sizeof own) != 0) put_size(&p, s->number, &own);
    }
    pthread_mutex_unlock(&e->worlds_lock);
    (void)!puts_put(e, &p);
}

void keeper_stop(Keeper *k) {
    if (!k) return;
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_signal(&k->more);
    pthread_mutex_unlock(&k->lock);
    if (!k->thread.running) return;
    thread_join(&k->thread);
    note_sizes(k->engine);
}

// ---- opening ------------------------------------------------------------------------------------------------------

static bool open_keep(void *ctx, const StoreKeep *k) {
    Sosia *e = ctx;
    Scenario *s = table_find(e, k->world);
    if (k->world > e->world_number) e->world_number = k->world; // its number is not given again while it is there
    if (!s || !k->whole || s->keep_count == SCENARIO_KEEPS_MAX) {
        gone_add(e->keeper, *k);
        return true;
    }
    s->keeps[s->keep_count++] = *k;
    s->own = (ScenarioOwn){k->pages, k->bytes, k->batches, k->batch_bytes};
    atomic_store(&s->kept_bytes, k->batch_bytes);
    atomic_store(&s->kept_packed, k->packed);
    return true;
}

static bool open_size(void *ctx, Str key, Str value) {
    Sosia *e = ctx;
    char text[17] = {0};
    Cut c = cut_of(value);
    if (key.n == 16) memcpy(text, key.p, 16);
    uint64_t number = strtoull(text, NULL, 16);
    Scenario *s = table_find(e, number);
    ScenarioOwn own = {(int64_t)cut_varint(&c), 0, 0, 0};
    own.bytes = (int64_t)cut_varint(&c);
    own.batches = (int64_t)cut_varint(&c);
    own.batch_bytes = (int64_t)cut_varint(&c);
    if (!s) gone_add(e->keeper, (StoreKeep){.world = number});
    else if (!c.bad && own.batches >= s->own.batches) s->own = own;
    return true;
}

Err scenario_keeps_open(Sosia *e, StoreReader *r) {
    TRY(store_keeps(r, open_keep, e));
    return store_reader_items(r, SIZE_KIND, (Str){0}, open_size, e);
}
