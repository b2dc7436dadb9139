// SPDX-License-Identifier: Apache-2.0
#include "engine/pasts.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "history/history.h"
#include "query/cache.h"

#define TIME_GRAIN 100 // times of batches are whole multiples of it

struct Pasts {
    int64_t bytes_max;
    _Atomic int64_t settled; // no batch up to this instant is under way or will come
    _Atomic int64_t bytes;   // of all
    pthread_mutex_t lock;
    Realm *items[PAST_WORLDS_MAX + 1]; // a reference each
    int64_t count;
    uint64_t tick;
    int64_t made, found, dropped;
};

Pasts *pasts_new(int64_t bytes_max) {
    Pasts *p = mem_alloc(sizeof *p);
    p->bytes_max = bytes_max > 0 ? bytes_max : PAST_BYTES_DEFAULT;
    atomic_init(&p->settled, INT64_MIN);
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void pasts_free(Pasts *p) {
    if (!p) return;
    for (int64_t i = 0; i < p->count; i++) {
        CHECK(atomic_load(&p->items[i]->refs) == 1); // nobody reads any more
        p->items[i]->past.listed = false;
        realm_unref(p->items[i]);
    }
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

// ---- names --------------------------------------------------------------------------------------------------------

bool pasts_named(Str name) { return str_find(name, '@', 0) >= 0; }

bool pasts_parse(Str name, int64_t *at) {
    Str rest = name, base = str_cut(&rest, '@');
    bool absolute = rest.n && rest.p[0] >= '0' && rest.p[0] <= '9'; // one that means the same at every call
    return pasts_named(name) && str_eq(base, STR("live")) && absolute && time_parse_when(rest, 0, at);
}

Err pasts_refuse(Str name) {
    int64_t at;
    if (!pasts_named(name)) return ERR_OK;
    return pasts_parse(name, &at) ? ERR_READ_ONLY : ERR_WORLD_NOT_FOUND;
}

static void put_time(Buf *out, int64_t at) {
    bool whole = at % NS_PER_S == 0;
    time_print(at, whole ? 0 : 9, out);
}

static void why_gone(Sosia *e, Buf *out) {
    int64_t from = e->history ? history_from(e->history) : 0, begun = 0;
    buf_printf(out, "nothing is known of this world at that instant");
    bool told = from || (e->history && history_begun(e->history, &begun) == ERR_OK && begun);
    if (!told) return;
    buf_printf(out, from ? ": everything is known from " : ": it began at ");
    put_time(out, from ? from : begun);
    if (from) buf_printf(out, " on");
}

static bool is_fork(Sosia *e, Str name) {
    Realm *r = realm_find(e, name);
    bool yes = r && r->parent.n;
    if (r) realm_unref(r);
    return yes;
}

void pasts_why(Sosia *e, Str name, Err err, Buf *out) {
    int64_t at;
    bool parsed = pasts_parse(name, &at);
    buf_reset(out);
    Str base = str_sub(name, 0, pasts_named(name) ? str_find(name, '@', 0) : name.n);
    if (err == ERR_WORLD_NOT_FOUND && pasts_named(name) && is_fork(e, base))
        buf_printf(out,
                   "there is no world \"%.*s\": forks keep no past of their own; of their parent ask live@ and the "
                   "instant",
                   STR_ARG(name));
    else if (err == ERR_WORLD_NOT_FOUND && pasts_named(name) && !parsed)
        buf_printf(out,
                   "there is no world \"%.*s\": an instant of the past is live@ and a time with a zone or an offset, "
                   "as in live@2026-11-01T08:00:00Z",
                   STR_ARG(name));
    else if (err == ERR_WORLD_NOT_FOUND) buf_printf(out, "there is no world \"%.*s\"", STR_ARG(name));
    else if (err == ERR_READ_ONLY) buf_printf(out, "\"%.*s\" is the past: it can be read, not written", STR_ARG(name));
    else if (err == ERR_ARGUMENT && parsed) buf_printf(out, "the instant of \"%.*s\" has not come yet", STR_ARG(name));
    else if (err == ERR_PAST_GONE && parsed) why_gone(e, out);
    else if (err == ERR_UNSUPPORTED && parsed && !e->history)
        buf_printf(out, "no history is kept here, so there are no past worlds");
    else buf_printf(out, "%s", err_text(err));
}

// ---- the table ----------------------------------------------------------------------------------------------------

static int64_t realm_bytes(const Realm *r) {
    return (int64_t)sizeof *r + world_past_bytes(r->world) + query_cache_stats(r->facts).bytes;
}

// Its size may have changed. Lock held.
static void table_weigh(Pasts *p, Realm *r) {
    int64_t bytes = realm_bytes(r);
    atomic_fetch_add(&p->bytes, bytes - r->past.bytes);
    r->past.bytes = bytes;
}

// Take entry i out; the table's reference is the caller's. Lock held.
static Realm *table_take(Pasts *p, int64_t i) {
    Realm *r = p->items[i];
    p->items[i] = p->items[--p->count];
    atomic_fetch_sub(&p->bytes, r->past.bytes);
    r->past.listed = false;
    return r;
}

// With a reference, or NULL. Lock held.
static Realm *table_use(Pasts *p, Realm *r) {
    r->past.used = ++p->tick;
    p->found++;
    return realm_ref(r);
}

// The realm of an instant, with a reference, or NULL.
static Realm *table_at(Pasts *p, int64_t at) {
    Realm *r = NULL;
    pthread_mutex_lock(&p->lock);
    for (int64_t i = 0; i < p->count && !r; i++)
        if (p->items[i]->past.from <= at && at <= p->items[i]->past.to) r = table_use(p, p->items[i]);
    pthread_mutex_unlock(&p->lock);
    return r;
}

// The realm of a sequence, which is that of the instant `at` too. Lock held.
static Realm *table_of(Pasts *p, uint64_t seq, int64_t at) {
    for (int64_t i = 0; i < p->count; i++) {
        Realm *r = p->items[i];
        if (r->past.seq != seq) continue;
        if (r->past.to < at) r->past.to = at;
        return table_use(p, r);
    }
    return NULL;
}

// The one that goes next: nobody uses it, and all others that nobody uses were used since. -1: none. Lock held.
static int64_t table_idle(const Pasts *p) {
    int64_t oldest = -1;
    for (int64_t i = 0; i < p->count; i++) {
        if (atomic_load(&p->items[i]->refs) > 1) continue; // and no new one while the lock is held
        if (oldest < 0 || p->items[i]->past.used < p->items[oldest]->past.used) oldest = i;
    }
    return oldest;
}

// One that must go, or NULL.
static Realm *table_excess(Pasts *p) {
    Realm *r = NULL;
    pthread_mutex_lock(&p->lock);
    if (atomic_load(&p->bytes) > p->bytes_max || p->count > PAST_WORLDS_MAX) {
        int64_t i = table_idle(p);
        if (i >= 0) {
            r = table_take(p, i);
            p->dropped++;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return r;
}

void pasts_trim(Sosia *e) {
    Realm *r;
    while ((r = table_excess(e->pasts)) != NULL) realm_unref(r);
}

void pasts_used(Realm *r) {
    Pasts *p = r->engine->pasts;
    pthread_mutex_lock(&p->lock);
    if (r->past.listed) table_weigh(p, r);
    pthread_mutex_unlock(&p->lock);
}

bool pasts_heavy(Sosia *e) { return atomic_load(&e->pasts->bytes) > e->pasts->bytes_max; }

void pasts_forget(Sosia *e) {
    Pasts *p = e->pasts;
    Realm *r;
    do {
        pthread_mutex_lock(&p->lock);
        r = p->count ? table_take(p, p->count - 1) : NULL;
        pthread_mutex_unlock(&p->lock);
        if (!r) continue;
        desk_forget(e->desk, r);
        realm_unref(r);
    } while (r);
}

// ---- making one ---------------------------------------------------------------------------------------------------

// Put a new realm into the table, or find that somebody was faster. The result has a reference for the caller.
static Realm *table_add(Pasts *p, Realm *made) {
    pthread_mutex_lock(&p->lock);
    Realm *r = table_of(p, made->past.seq, made->past.to);
    bool room = p->count <= PAST_WORLDS_MAX;
    if (!r && room) {
        p->items[p->count++] = realm_ref(made);
        made->past.listed = true;
        made->past.used = ++p->tick;
        p->made++;
        table_weigh(p, made);
    }
    pthread_mutex_unlock(&p->lock);
    if (!r) return made;
    realm_unref(made);
    return r;
}

static Err realm_make(Sosia *e, uint64_t seq, int64_t time, int64_t at, Realm **out) {
    PastSource src = history_past(e->history);
    World *w;
    TRY(world_past(e->domain, &src, seq, time, e->live->world, &w));
    Buf name = {0};
    buf_str_put(&name, STR("live@"));
    put_time(&name, at);
    Realm *r = realm_frozen(e, buf_str(&name), w);
    buf_free(&name);
    r->facts = query_cache_new(PAST_CACHE_BYTES);
    r->past = (PastUse){.is = true, .seq = seq, .from = time, .to = at};
    *out = table_add(e->pasts, r);
    pasts_trim(e);
    return ERR_OK;
}

// ---- instants -----------------------------------------------------------------------------------------------------

static Err time_view(View *v, void *ctx) {
    *(int64_t *)ctx = (int64_t)view_meta(v, META_TIME);
    return ERR_OK;
}

// Has everything up to `at` become visible, and can nothing join it?
static bool settled(Sosia *e, int64_t at) {
    if (at <= atomic_load(&e->pasts->settled)) return true;
    int64_t time = INT64_MIN;
    return !engine_read_realm(e->live, NULL, time_view, &time, NULL) && at <= time;
}

static void settle(Pasts *p, int64_t at) {
    int64_t was = atomic_load(&p->settled);
    while (was < at && !atomic_compare_exchange_weak(&p->settled, &was, at)) {}
}

bool pasts_waits(Sosia *e, Str name) {
    int64_t at;
    return pasts_parse(name, &at) && e->history && at <= e->now(e->now_ctx) && !settled(e, at);
}

// The round trip of one caller: its instant, and whom to tell.
typedef struct Settling {
    Pasts *past;
    int64_t at;
    SosiaDoneFn fn;
    void *arg;
} Settling;

static void on_settled(void *arg, const SosiaDone *done) {
    Settling s = *(Settling *)arg;
    mem_free(arg);
    if (done->err != SOSIA_CLOSED) settle(s.past, s.at); // whatever was refused was undone, and is not of that time
    s.fn(s.arg, done);
}

Err pasts_settle(Sosia *e, Str name, SosiaDoneFn fn, void *arg) {
    int64_t at;
    CHECK(pasts_parse(name, &at));
    Settling *s = mem_alloc(sizeof *s);
    *s = (Settling){e->pasts, at, fn, arg};
    Task *c = task_new(OP_SETTLE, on_settled, s, 0);
    c->source_time = at;
    Err err = task_queue(e, c, true);
    if (!err) return ERR_OK;
    task_free(c);
    mem_free(s);
    return err;
}

void pasts_task(Sosia *e, Task *c) {
    if (e->past_time < c->source_time) e->past_time = c->source_time;
    batch_after(e, e->live, c);
}

int64_t pasts_clock(Sosia *e) {
    int64_t now = e->now(e->now_ctx), later = e->past_time + TIME_GRAIN;
    now -= now % e->clock_grain;
    return now >= later ? now : later;
}

static Err settle_wait(Sosia *e, int64_t at) {
    if (engine_own_thread(e)) return ERR_BUSY;
    Task *c = task_new(OP_SETTLE, NULL, NULL, 0);
    c->source_time = at;
    Err err = task_wait(e, c, true);
    task_free(c);
    if (!err) settle(e->pasts, at);
    return err;
}

// The newest batch at or before `at`, which has passed and is in the history. Errors: PAST_GONE, those of the history.
static Err batch_at(Sosia *e, int64_t at, uint64_t *seq, int64_t *time) {
    history_wait(e->history, world_visible(e->live->world));
    TRY(history_knows(e->history, at));
    TRY(history_seq_at(e->history, at, seq, time));
    return *seq ? ERR_OK : ERR_PAST_GONE;
}

Err pasts_find(Sosia *e, Str name, Realm **out, int64_t *at) {
    if (!pasts_parse(name, at)) return ERR_WORLD_NOT_FOUND;
    return pasts_at(e, *at, out);
}

Err pasts_at(Sosia *e, int64_t at, Realm **out) {
    uint64_t seq;
    int64_t time, now;
    if (!e->history) return ERR_UNSUPPORTED;
    TRY(history_knows(e->history, at));
    if ((*out = table_at(e->pasts, at)) != NULL) return ERR_OK;
    if (!settled(e, at)) {
        now = e->now(e->now_ctx);
        if (at > now) return ERR_ARGUMENT;
        TRY(settle_wait(e, at));
    }
    TRY(batch_at(e, at, &seq, &time));
    pthread_mutex_lock(&e->pasts->lock);
    *out = table_of(e->pasts, seq, at);
    pthread_mutex_unlock(&e->pasts->lock);
    return *out ? ERR_OK : realm_make(e, seq, time, at, out);
}

// ---- measures -----------------------------------------------------------------------------------------------------

void pasts_stats(Sosia *e, Buf *out) {
    Pasts *p = e->pasts;
    pthread_mutex_lock(&p->lock);
    buf_printf(out, "\"worlds\":%lld,\"bytes\":%lld,\"made\":%lld,\"found\":%lld,\"dropped\":%lld", (long long)p->count,
               (long long)atomic_load(&p->bytes), (long long)p->made, (long long)p->found, (long long)p->dropped);
    pthread_mutex_unlock(&p->lock);
}
