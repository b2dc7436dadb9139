// SPDX-License-Identifier: Apache-2.0
// Worlds: live and the forks, by name. Readers take references, so that dropping a world frees it behind the last one.
#include "engine/derive.h"
#include "engine/erase.h"
#include "engine/pasts.h"
#include "engine/ensemble.h"
#include "engine/run.h"
#include "engine/scenarios.h"
#include "base/check.h"
#include "base/log.h"
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
    atomic_store(&r->loaded, true);
    atomic_store(&r->ready, true);
    return r;
}

Realm *realm_new(Sosia *e, Str name, Str parent, World *w, int64_t ring_records) {
    Realm *r = realm_bare(e, name, parent, NULL, ring_records);
    if (w) realm_fill(r, w);
    atomic_store(&r->loaded, w != NULL);
    return r;
}

void realm_fill(Realm *r, World *w) {
    Sosia *e = r->engine;
    bool small = r->parent.n && e->feed_bytes_max > FORK_FEED_BYTES;
    r->world = w;
    r->hub = hub_new(r, small ? FORK_FEED_BYTES : e->feed_bytes_max);
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
    if (r->under) realm_unref(r->under);
    if (r->past.of) realm_unref(r->past.of);
    scenario_unref(r->scenario);
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

// May be seen, loaded or not. worlds_lock held.
static bool there(const Realm *r) { return atomic_load(&r->ready) && !(r->scenario && r->scenario->leaving); }

Err realm_open(Sosia *e, Str name, Realm **out) {
    Realm *r = is_live(name) ? realm_ref(e->live) : NULL;
    if (!r) {
        pthread_mutex_lock(&e->worlds_lock);
        int64_t i = table_find(e, name);
        if (i >= 0 && there(e->worlds[i])) r = realm_ref(e->worlds[i]);
        pthread_mutex_unlock(&e->worlds_lock);
    }
    if (!r) return ERR_WORLD_NOT_FOUND;
    Err err = atomic_load(&r->loaded) ? ERR_OK : scenario_load(e, r);
    if (err) realm_unref(r);
    else *out = r;
    return err;
}

Realm *realm_find(Sosia *e, Str name) {
    Realm *r;
    return realm_open(e, name, &r) ? NULL : r;
}

// The fork of that name, with a reference, loaded or not; NULL: there is none.
static Realm *fork_named(Sosia *e, Str name) {
    Realm *r = NULL;
    pthread_mutex_lock(&e->worlds_lock);
    int64_t i = table_find(e, name);
    if (i >= 0 && there(e->worlds[i])) r = realm_ref(e->worlds[i]);
    pthread_mutex_unlock(&e->worlds_lock);
    return r;
}

static Realm *if_made(Realm *r) {
    if (!r || atomic_load(&r->loaded)) return r;
    realm_unref(r);
    return NULL;
}

bool realm_known(Sosia *e, Str name) {
    Realm *r = is_live(name) ? NULL : fork_named(e, name);
    if (r) realm_unref(r);
    return r || is_live(name);
}

Realm *realm_made(Sosia *e, Str name) { return is_live(name) ? realm_ref(e->live) : if_made(fork_named(e, name)); }

Realm *realm_of(Sosia *e, const Scenario *s) {
    Realm *r = NULL;
    pthread_mutex_lock(&e->worlds_lock);
    for (int64_t i = 0; i < e->world_count && !r; i++)
        if (e->worlds[i]->scenario == s && there(e->worlds[i])) r = realm_ref(e->worlds[i]);
    pthread_mutex_unlock(&e->worlds_lock);
    return if_made(r);
}

bool realm_listed(Sosia *e, const Realm *r) {
    bool listed = false;
    pthread_mutex_lock(&e->worlds_lock);
    for (int64_t i = 0; i < e->world_count && !listed; i++) listed = e->worlds[i] == r && there(r);
    pthread_mutex_unlock(&e->worlds_lock);
    return listed;
}

History *realm_history(const Realm *r) {
    if (r->past.of) r = r->past.of;
    return r->scenario ? r->scenario->history : r->engine->history;
}

Err realm_get(Sosia *e, Str name, Realm **out, int64_t *at) {
    int64_t instant;
    if (pasts_named(name)) {
        TRY(pasts_find(e, name, out, &instant));
        if (at) *at = instant;
        return ERR_OK;
    }
    return realm_open(e, name, out);
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

// Take it out and return the table's reference, or NULL when it is not there.
static Realm *table_take(Sosia *e, const Realm *of) {
    Realm *r = NULL;
    pthread_mutex_lock(&e->worlds_lock);
    int64_t i = table_find(e, of->name);
    if (i >= 0 && e->worlds[i] == of) {
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

// Forks of forks' past come behind those, and hold them.
void worlds_free(Sosia *e) {
    for (int64_t i = e->world_count - 1; i >= 0; i--) {
        if (e->worlds[i]->hub) hub_close(e->worlds[i]->hub);
        CHECK(atomic_load(&e->worlds[i]->refs) == 1); // nobody reads any more
        realm_unref(e->worlds[i]);
    }
    mem_free(e->worlds);
    e->worlds = NULL;
    e->world_count = 0;
    scenarios_free(e);
}

static void kept_add(Sosia *e, Scenario *s) {
    Realm *r = realm_new(e, s->name, s->from, NULL, FORK_RING_RECORDS);
    r->scenario = scenario_ref(s);
    r->stored = true;
    atomic_store(&r->ready, true);
    if (table_add(e, r)) LOG(STORE_FAILED, e->path.p, "more worlds are kept than may be alive"); // or of one name
    realm_unref(r);
}

Err worlds_open(Sosia *e) { return scenarios_open(e, kept_add); }

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

// What is known of a fork but its number. What live does from now on is later than its instant.
static void fork_describe(Sosia *e, Scenario *x, Realm *from, Realm *under, int64_t at) {
    Scenario *up = from->scenario;
    World *w = under ? under->world : from->world;
    x->fork_seq = world_seq(w);
    x->clock = under ? at : up ? scenario_clock(from) : e->now(e->now_ctx);
    if (!under && x->clock < world_time(w)) x->clock = world_time(w);
    if (!up) pasts_after(e, x->clock);
    x->live_seq = up ? up->live_seq : world_seq(w);
    x->live_time = up ? up->live_time : world_time(w);
    x->up = up ? scenario_ref(up) : NULL;
    x->parent = up ? up->number : 0;
    x->depth = up ? up->depth + 1 : 1;
    x->created_ns = e->now(e->now_ctx);
}

static Realm *fork_realm(Sosia *e, Task *c, Realm *from) {
    int64_t ring = e->ring_records < FORK_RING_RECORDS ? e->ring_records : FORK_RING_RECORDS;
    World *w = c->under ? c->under->world : from->world;
    Realm *r = realm_new(e, c->name, c->scenario->from, world_fork(w, ring), ring);
    world_set_future(r->world, INT64_MAX); // the clock that matters is its own
    world_keep_trail(r->world, scenarios_kept(e));
    fork_describe(e, c->scenario, from, c->under, c->source_time);
    r->scenario = scenario_ref(c->scenario);
    r->base = world_fork(w, 0);
    r->own_since = c->under ? 0 : from->scenario ? from->own_since : world_born(r->world);
    Realm *under = c->under ? c->under : from->under;
    r->under = under ? realm_ref(under) : NULL;
    r->scenario->settled = world_seq(r->world);
    atomic_store(&r->scenario->durable, r->scenario->settled);
    atomic_store(&r->scenario->made, true);
    return r;
}

static Err fork_begin(Sosia *e, Task *c, Realm *from) {
    if (from->scenario && from->scenario->depth >= SCENARIO_DEPTH_MAX)
        return task_fail(c, ERR_LIMIT, "forks of forks go %d deep at most", SCENARIO_DEPTH_MAX), ERR_LIMIT;
    Realm *r = fork_realm(e, c, from);
    Err err = table_add(e, r);
    if (err == ERR_WORLD_EXISTS) task_fail(c, err, "there is a world \"%.*s\" already", STR_ARG(c->name));
    else if (err) task_fail(c, err, "%d worlds are the limit", WORLDS_MAX);
    if (err) {
        realm_unref(r);
        return err;
    }
    c->realm = r;
    r->stored = scenarios_kept(e) && (!from->scenario || from->stored);
    return ERR_OK;
}

// Errors are left in the task.
static Err fork_check(Sosia *e, Task *c, Realm *from) {
    if (is_live(c->name)) task_fail(c, ERR_WORLD_EXISTS, "\"live\" is there always");
    else if (!name_ok(c->name))
        task_fail(c, ERR_ARGUMENT,
                  "a world's name is 1 to %d letters, digits, '-', '_' and '.', and begins with one of the first two",
                  WORLD_NAME_MAX);
    else return fork_begin(e, c, from);
    return c->err;
}

static void fork_run(Sosia *e, Task *c, Realm *from) {
    if (!c->scenario) c->scenario = scenario_new(c->name, c->world.n ? c->world : STR("live"));
    if (fork_check(e, c, from)) {
        task_finish(e, c);
        return;
    }
    if (!c->realm->stored) {
        batch_after(e, from, c);
        return;
    }
    Err err = scenario_keep(e, c->scenario);
    if (!err) {
        batch_kept(e, c);
        return;
    }
    task_fail(c, err, NULL);
    world_fork_done(c, false);
    task_finish(e, c);
}

// What is forked, or whose past: that may have been dropped since it was found.
static Err fork_from(Sosia *e, const Task *c, Realm **out) {
    Realm *of = c->under ? c->under->past.of : NULL;
    if (!c->under) return realm_open(e, c->world, out);
    if (of && !realm_listed(e, of)) return ERR_WORLD_NOT_FOUND;
    *out = realm_ref(of ? of : e->live);
    return ERR_OK;
}

void world_task_fork(Sosia *e, Task *c) {
    Realm *from;
    Err err = fork_from(e, c, &from);
    if (err) {
        if (err == ERR_WORLD_NOT_FOUND) task_fail(c, err, "there is no world \"%.*s\"", STR_ARG(c->world));
        else task_fail(c, err, NULL);
        task_finish(e, c);
        return;
    }
    fork_run(e, c, from);
    realm_unref(from);
}

void world_fork_done(Task *c, bool ok) {
    if (!c->realm) return;
    Sosia *e = c->realm->engine;
    if (ok) {
        atomic_store(&c->realm->ready, true);
        return;
    }
    if (c->realm->stored) scenario_refused(e, c->realm->scenario);
    Realm *r = table_take(e, c->realm);
    if (r) realm_unref(r);
}

// Nobody finds it any more.
static void drop_now(Sosia *e, Realm *of) {
    Realm *r = table_take(e, of);
    if (!r) return;
    if (r->hub) hub_end(r->hub);
    desk_forget(e->desk, r);
    pasts_forget(e, r);
    realm_unref(r);
}

void world_drop_done(Task *c, bool ok) {
    if (!c->realm || !c->realm->stored) return;
    Sosia *e = c->realm->engine;
    scenario_dropped(e, c->realm->scenario, ok);
    if (ok) drop_now(e, c->realm);
}

void world_task_drop(Sosia *e, Task *c) {
    if (is_live(c->name)) task_fail(c, ERR_NOT_ALLOWED, "\"live\" cannot be dropped");
    else if (pasts_named(c->name)) task_fail(c, ERR_READ_ONLY, "a past world is nothing to be dropped");
    else if ((c->realm = fork_named(e, c->name)) == NULL)
        task_fail(c, ERR_WORLD_NOT_FOUND, "there is no world \"%.*s\"", STR_ARG(c->name));
    if (c->realm) run_abandon(c->realm);
    if (c->realm) ensemble_abandon(c->realm);
    if (!c->realm || !c->realm->stored) {
        if (c->realm) drop_now(e, c->realm);
        task_finish(e, c);
        return;
    }
    scenario_drop(e, c->realm->scenario);
    batch_kept(e, c);
}

// A sentence for a person. past: what is forked was not found.
static void why_not(Sosia *s, const SosiaFork *f, const Task *c, Err err, bool past) {
    if (!f->why) return;
    if (past) {
        pasts_why(s, f->from, err, f->why);
        return;
    }
    buf_reset(f->why);
    buf_str_put(f->why, c->message.n ? c->message : str_of(err_text(err)));
}

// *again: something was erased since the past was read.
static Err world_try(Sosia *s, int op, const SosiaCaller *who, const SosiaFork *f, bool *again) {
    Task *c = task_new(op, NULL, NULL, f->from.n + f->name.n + 64);
    c->world = arena_str(&c->arena, f->from);
    c->name = arena_str(&c->arena, f->name);
    if (who) c->source = arena_str(&c->arena, who->principal);
    Err err = ERR_OK;
    if (op == OP_FORK) {
        c->scenario = scenario_new(f->name, f->from.n ? f->from : STR("live"));
        scenario_ask(c->scenario, f);
        if (pasts_named(f->from)) err = erase_wait(s, &c->epoch);
        if (!err && pasts_named(f->from))
            err = pasts_find(s, f->from, &c->under, &c->source_time); // waits, as the writer cannot
        if (!err && pasts_named(f->from)) scenario_from(c->scenario, f->from, c->source_time);
    }
    bool past = err && pasts_named(f->from);
    if (!err) err = task_wait(s, c, true);
    if (!err) err = c->err;
    if (err) why_not(s, f, c, err, past);
    *again = err == ERR_BUSY && c->epoch && erase_since(s, c->epoch);
    task_free(c);
    return err;
}

static SosiaErr world_call(Sosia *s, int op, const SosiaCaller *who, const SosiaFork *f) {
    bool again = true;
    Err err = ERR_OK;
    for (int i = 0; again && i < ERASE_TRIES; i++) err = world_try(s, op, who, f, &again);
    return (SosiaErr)err;
}

SosiaErr sosia_fork(Sosia *s, const SosiaCaller *who, SosiaStr from, SosiaStr name) {
    return world_call(s, OP_FORK, who, &(SosiaFork){.from = from, .name = name});
}

SosiaErr sosia_world_fork(Sosia *s, const SosiaCaller *who, const SosiaFork *f) {
    if (f->purpose.n <= SCENARIO_PURPOSE_MAX) return world_call(s, OP_FORK, who, f);
    if (f->why) buf_reset(f->why);
    if (f->why) buf_printf(f->why, "what a world is for is said in at most %d bytes", SCENARIO_PURPOSE_MAX);
    return SOSIA_ARGUMENT;
}

bool sosia_world_waits(Sosia *s, SosiaStr world) {
    if (pasts_named(world)) return true;
    if (is_live(world)) return false;
    Realm *r = fork_named(s, world);
    if (!r) return false;
    bool waits = !atomic_load(&r->loaded) || r->under;
    realm_unref(r);
    return waits;
}

SosiaErr sosia_world_now(Sosia *s, SosiaStr world, bool wait, int64_t *now_ns) {
    Realm *r = pasts_named(world) ? NULL : realm_made(s, world);
    if (!r && !wait) return SOSIA_BUSY;
    if (!r) {
        Err err = realm_get(s, world, &r, now_ns);
        if (err) return (SosiaErr)err;
    }
    if (!r->past.is) *now_ns = r->scenario ? scenario_clock(r) : s->now(s->now_ctx);
    realm_unref(r);
    return SOSIA_OK;
}

SosiaErr sosia_drop(Sosia *s, const SosiaCaller *who, SosiaStr name) {
    Realm *r = fork_named(s, name);
    uint64_t number = r && r->scenario ? r->scenario->number : 0;
    if (r) realm_unref(r);
    SosiaErr err = world_call(s, OP_DROP, who, &(SosiaFork){.name = name});
    if (!err && number) run_forget(s, name, number);
    if (!err) ensembles_drop(s);
    return err;
}

void realm_ran(Sosia *e, Str name, uint64_t number, const struct RanBefore *ran) {
    pthread_mutex_lock(&e->worlds_lock);
    int64_t i = table_find(e, name);
    Scenario *s = i >= 0 ? e->worlds[i]->scenario : NULL;
    if (s && s->number == number) s->ran = *ran;
    pthread_mutex_unlock(&e->worlds_lock);
}

bool realm_ran_before(const Realm *r, struct RanBefore *out) {
    if (!r->scenario) return false;
    pthread_mutex_lock(&r->engine->worlds_lock);
    *out = r->scenario->ran;
    pthread_mutex_unlock(&r->engine->worlds_lock);
    return out->is;
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

static void sizes_show(const WorldSizes *s, Buf *out) {
    buf_printf(out, ",\"sequence\":%llu,\"time\":", (unsigned long long)s->seq);
    if (s->time) {
        buf_byte(out, '"');
        time_print(s->time, 7, out);
        buf_byte(out, '"');
    } else {
        buf_printf(out, "null");
    }
    buf_printf(out, ",\"twins\":%llu,\"relationships\":%llu", (unsigned long long)s->twins,
               (unsigned long long)s->links);
}

// sizes NULL: of a fork that is not made again yet.
static void world_show(Sosia *e, Realm *r, Str name, const WorldSizes *sizes, Buf *out) {
    Str rest = name, base = str_cut(&rest, '@'), parent = r->past.is ? base : r->parent;
    buf_printf(out, "{\"name\":");
    json_put_str(out, name);
    buf_printf(out, ",\"parent\":");
    if (parent.n) json_put_str(out, parent);
    else buf_printf(out, "null");
    if (sizes) sizes_show(sizes, out);
    if (r->scenario) scenario_show(e, r->scenario, sizes ? r->world : NULL, e->now(e->now_ctx), out);
    if (r->scenario) run_show(r, out);
    buf_byte(out, '}');
}

static void listed_show(Sosia *e, Realm *r, Buf *out) {
    WorldSizes s = {0};
    bool made = atomic_load(&r->loaded) && !engine_read_realm(r, NULL, sizes_view, &s, NULL);
    world_show(e, r, r->name, made ? &s : NULL, out);
}

Err world_show_one(Sosia *e, Str name, Buf *out, uint64_t *seq) {
    Realm *r;
    WorldSizes s;
    TRY(realm_get(e, name, &r, NULL));
    Err err = engine_read_realm(r, NULL, sizes_view, &s, seq);
    if (!err) world_show(e, r, r->past.is ? name : r->name, &s, out);
    realm_unref(r);
    return err;
}

// References to all forks that may be seen; their number. The caller drops them and frees the array.
static int64_t table_copy(Sosia *e, Realm ***out) {
    int64_t n = 0;
    pthread_mutex_lock(&e->worlds_lock);
    Realm **all = mem_alloc((size_t)e->world_count * sizeof *all);
    for (int64_t i = 0; i < e->world_count; i++)
        if (there(e->worlds[i])) all[n++] = realm_ref(e->worlds[i]);
    pthread_mutex_unlock(&e->worlds_lock);
    *out = all;
    return n;
}

void worlds_show(Sosia *e, Buf *out) {
    Realm **all;
    int64_t n = table_copy(e, &all);
    buf_byte(out, '[');
    listed_show(e, e->live, out);
    for (int64_t i = 0; i < n; i++) {
        buf_byte(out, ',');
        listed_show(e, all[i], out);
        realm_unref(all[i]);
    }
    buf_byte(out, ']');
    mem_free(all);
}
