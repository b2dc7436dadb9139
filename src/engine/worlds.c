// SPDX-License-Identifier: Apache-2.0
// Worlds: live and the forks, by name. Readers take references, so that dropping a world frees it behind the last one.
#include "engine/derive.h"
#include "engine/pasts.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

static Str str_own(Str s) {
    char *p = mem_alloc((size_t)s.n + 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

// ---- realms -------------------------------------------------------------------------------------------------------

static Realm *realm_bare(Sosia *e, Str name, Str parent, World *w, int64_t ring_records) {
    Realm *r = mem_alloc(sizeof *r);
    atomic_init(&r->refs, 1);
    atomic_init(&r->ready, false);
    r->engine = e;
    r->name = str_own(name);
    r->parent = str_own(parent);
    r->world = w;
    r->ring_records = ring_records;
    return r;
}

Realm *realm_frozen(Sosia *e, Str name, World *w) {
    Realm *r = realm_bare(e, name, (Str){0}, w, 0);
    atomic_store(&r->ready, true);
    return r;
}

Realm *realm_new(Sosia *e, Str name, Str parent, World *w, int64_t ring_records) {
    Realm *r = realm_bare(e, name, parent, w, ring_records);
    bool small = parent.n && e->feed_bytes_max > FORK_FEED_BYTES;
    r->hub = hub_new(r, small ? FORK_FEED_BYTES : e->feed_bytes_max);
    return r;
}

Realm *realm_ref(Realm *r) {
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

static void realm_free(Realm *r) {
    if (r->hub) {
        hub_close(r->hub);
        hub_unref(r->hub);
    }
    desk_realm_free(r);
    derive_free(r);
    if (r->base) world_free(r->base);
    world_free(r->world);
    mem_free((void *)r->name.p);
    mem_free((void *)r->parent.p);
    mem_free(r);
}

void realm_unref(Realm *r) {
    Sosia *e = r->engine;
    bool past = r->past.is;
    if (past) pasts_used(r);
    if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1) realm_free(r);
    else if (past && pasts_heavy(e)) pasts_trim(e);
}

bool realm_unref_some(Realm *r) {
    int32_t n = atomic_load(&r->refs);
    while (n > 1 && !atomic_compare_exchange_weak(&r->refs, &n, n - 1)) {}
    return n > 1;
}

static bool is_live(Str name) { return !name.n || str_eq(name, STR("live")); }

// Index in the table, or -1. worlds_lock held.
static int64_t table_find(const Sosia *e, Str name) {
    for (int64_t i = 0; i < e->world_count; i++)
        if (str_eq(e->worlds[i]->name, name)) return i;
    return -1;
}

Realm *realm_find(Sosia *e, Str name) {
    if (is_live(name)) return realm_ref(e->live);
    Realm *r = NULL;
    pthread_mutex_lock(&e->worlds_lock);
    int64_t i = table_find(e, name);
    if (i >= 0 && atomic_load(&e->worlds[i]->ready)) r = realm_ref(e->worlds[i]);
    pthread_mutex_unlock(&e->worlds_lock);
    return r;
}

Err realm_get(Sosia *e, Str name, Realm **out, int64_t *at) {
    int64_t instant;
    if (pasts_named(name)) {
        TRY(pasts_find(e, name, out, &instant));
        if (at) *at = instant;
        return ERR_OK;
    }
    *out = realm_find(e, name);
    return *out ? ERR_OK : ERR_WORLD_NOT_FOUND;
}

// ---- the table ----------------------------------------------------------------------------------------------------

// Errors: WORLD_EXISTS, LIMIT. The table takes a reference.
static Err table_add(Sosia *e, Realm *r) {
    Err err = ERR_OK;
    pthread_mutex_lock(&e->worlds_lock);
    if (table_find(e, r->name) >= 0) err = ERR_WORLD_EXISTS;
    else if (e->world_count >= WORLDS_MAX) err = ERR_LIMIT;
    else {
        if (e->world_count == e->world_cap) {
            e->world_cap = e->world_cap ? e->world_cap * 2 : 16;
            e->worlds = mem_grow(e->worlds, (size_t)e->world_cap * sizeof(Realm *));
        }
        e->worlds[e->world_count++] = realm_ref(r);
    }
    pthread_mutex_unlock(&e->worlds_lock);
    return err;
}

// Take it out and return the table's reference, or NULL when it is not there. ready: only when readers may find it.
static Realm *table_take(Sosia *e, Str name, bool ready) {
    Realm *r = NULL;
    pthread_mutex_lock(&e->worlds_lock);
    int64_t i = table_find(e, name);
    if (i >= 0 && (!ready || atomic_load(&e->worlds[i]->ready))) {
        r = e->worlds[i];
        e->world_count--;
        memmove(&e->worlds[i], &e->worlds[i + 1], (size_t)(e->world_count - i) * sizeof(Realm *));
    }
    pthread_mutex_unlock(&e->worlds_lock);
    return r;
}

int64_t worlds_count(Sosia *e) {
    pthread_mutex_lock(&e->worlds_lock);
    int64_t n = e->world_count + 1;
    pthread_mutex_unlock(&e->worlds_lock);
    return n;
}

void worlds_free(Sosia *e) {
    for (int64_t i = 0; i < e->world_count; i++) {
        hub_close(e->worlds[i]->hub);
        CHECK(atomic_load(&e->worlds[i]->refs) == 1); // nobody reads any more
        realm_unref(e->worlds[i]);
    }
    mem_free(e->worlds);
    hub_close(e->live->hub);
    CHECK(atomic_load(&e->live->refs) == 1);
    realm_unref(e->live);
}

// ---- fork and drop ------------------------------------------------------------------------------------------------

// Letters, digits, '-', '_' and '.', beginning with a letter or digit. '@' is kept for instants.
static bool name_ok(Str s) {
    if (s.n < 1 || s.n > WORLD_NAME_MAX) return false;
    for (int64_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        bool alnum = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
        if (!alnum && (i == 0 || !strchr("-_.", ch) || !ch)) return false;
    }
    return true;
}

static Err fork_begin(Sosia *e, Task *c, Realm *from) {
    int64_t ring = e->ring_records < FORK_RING_RECORDS ? e->ring_records : FORK_RING_RECORDS;
    Realm *r = realm_new(e, c->name, from->name, world_fork(from->world, ring), ring);
    r->past_seq = from->parent.n ? from->past_seq : world_seq(from->world);
    r->past_time = from->parent.n ? from->past_time : world_time(from->world);
    r->base = world_fork(from->world, 0);
    Err err = table_add(e, r);
    if (err == ERR_WORLD_EXISTS) task_fail(c, err, "there is a world \"%.*s\" already", STR_ARG(c->name));
    else if (err) task_fail(c, err, "%d worlds are the limit", WORLDS_MAX);
    if (err) realm_unref(r);
    else c->realm = r;
    if (!err && from->derive && from->derive->now && from->derive->now->clock) derive_begin(r); // it has ticks too
    return err;
}

// Errors are left in the task.
static Err fork_check(Sosia *e, Task *c, Realm *from) {
    Err past = pasts_refuse(c->world);
    if (past == ERR_READ_ONLY)
        task_fail(c, ERR_UNSUPPORTED, "a past world cannot be forked yet: its pages are not kept");
    else if (!from) task_fail(c, ERR_WORLD_NOT_FOUND, "there is no world \"%.*s\"", STR_ARG(c->world));
    else if (is_live(c->name)) task_fail(c, ERR_WORLD_EXISTS, "\"live\" is there always");
    else if (!name_ok(c->name))
        task_fail(c, ERR_ARGUMENT, "a world's name is 1 to %d letters, digits, '-', '_' and '.'", WORLD_NAME_MAX);
    else return fork_begin(e, c, from);
    return c->err;
}

void world_task_fork(Sosia *e, Task *c) {
    Realm *from = realm_find(e, c->world);
    if (fork_check(e, c, from)) task_finish(e, c);
    else batch_after(e, from, c);
    if (from) realm_unref(from);
}

void world_fork_done(Task *c, bool ok) {
    if (!c->realm) return;
    if (ok) {
        atomic_store(&c->realm->ready, true);
        return;
    }
    Realm *r = table_take(c->realm->engine, c->realm->name, false);
    if (r) realm_unref(r);
}

void world_task_drop(Sosia *e, Task *c) {
    Realm *r = NULL;
    if (is_live(c->name)) task_fail(c, ERR_NOT_ALLOWED, "\"live\" cannot be dropped");
    else if (pasts_refuse(c->name)) task_fail(c, ERR_READ_ONLY, "a past world is nothing to be dropped");
    else if ((r = table_take(e, c->name, true)) == NULL)
        task_fail(c, ERR_WORLD_NOT_FOUND, "there is no world \"%.*s\"", STR_ARG(c->name));
    if (r) {
        hub_end(r->hub);
        desk_forget(e->desk, r);
        realm_unref(r);
    }
    task_finish(e, c);
}

static SosiaErr world_call(Sosia *s, int op, const SosiaCaller *who, Str from, Str name) {
    Task *c = task_new(op, NULL, NULL, from.n + name.n + 64);
    c->world = arena_str(&c->arena, from);
    c->name = arena_str(&c->arena, name);
    if (who) c->source = arena_str(&c->arena, who->principal);
    Err err = task_wait(s, c, true);
    if (!err) err = c->err;
    task_free(c);
    return (SosiaErr)err;
}

SosiaErr sosia_fork(Sosia *s, const SosiaCaller *who, SosiaStr from, SosiaStr name) {
    return world_call(s, OP_FORK, who, from, name);
}

SosiaErr sosia_drop(Sosia *s, const SosiaCaller *who, SosiaStr name) {
    return world_call(s, OP_DROP, who, (Str){0}, name);
}

// ---- the list -----------------------------------------------------------------------------------------------------

typedef struct WorldSizes {
    uint64_t seq, twins, links;
    int64_t time;
} WorldSizes;

static Err sizes_view(View *v, void *ctx) {
    *(WorldSizes *)ctx =
        (WorldSizes){v->seq, view_meta(v, META_TWINS), view_meta(v, META_LINKS), (int64_t)view_meta(v, META_TIME)};
    return ERR_OK;
}

static void sizes_show(Str name, Str parent, const WorldSizes *s, Buf *out) {
    buf_printf(out, "{\"name\":");
    json_put_str(out, name);
    buf_printf(out, ",\"parent\":");
    if (parent.n) json_put_str(out, parent);
    else buf_printf(out, "null");
    buf_printf(out, ",\"sequence\":%llu,\"time\":", (unsigned long long)s->seq);
    if (s->time) {
        buf_byte(out, '"');
        time_print(s->time, 7, out);
        buf_byte(out, '"');
    } else {
        buf_printf(out, "null");
    }
    buf_printf(out, ",\"twins\":%llu,\"relationships\":%llu}", (unsigned long long)s->twins,
               (unsigned long long)s->links);
}

static void world_show(Realm *r, Buf *out) {
    WorldSizes s = {0};
    if (engine_read_realm(r, NULL, sizes_view, &s, NULL)) s = (WorldSizes){0};
    sizes_show(r->name, r->parent, &s, out);
}

Err world_show_one(Sosia *e, Str name, Buf *out, uint64_t *seq) {
    Realm *r;
    WorldSizes s;
    TRY(realm_get(e, name, &r, NULL));
    Err err = engine_read_realm(r, NULL, sizes_view, &s, seq);
    if (!err) sizes_show(r->past.is ? name : r->name, r->past.is ? STR("live") : r->parent, &s, out);
    realm_unref(r);
    return err;
}

// References to all forks that may be seen; their number. The caller drops them and frees the array.
static int64_t table_copy(Sosia *e, Realm ***out) {
    int64_t n = 0;
    pthread_mutex_lock(&e->worlds_lock);
    Realm **all = mem_alloc((size_t)e->world_count * sizeof *all);
    for (int64_t i = 0; i < e->world_count; i++)
        if (atomic_load(&e->worlds[i]->ready)) all[n++] = realm_ref(e->worlds[i]);
    pthread_mutex_unlock(&e->worlds_lock);
    *out = all;
    return n;
}

void worlds_show(Sosia *e, Buf *out) {
    Realm **all;
    int64_t n = table_copy(e, &all);
    buf_byte(out, '[');
    world_show(e->live, out);
    for (int64_t i = 0; i < n; i++) {
        buf_byte(out, ',');
        world_show(all[i], out);
        realm_unref(all[i]);
    }
    buf_byte(out, ']');
    mem_free(all);
}
