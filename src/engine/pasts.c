// SPDX-License-Identifier: Apache-2.0
#include "engine/pasts.h"
#include "engine/scenarios.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "history/history.h"
#include "query/cache.h"

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

bool pasts_parse(Str name, int64_t now, Str *base, int64_t *at) {
    Str rest = name;
    *base = str_cut(&rest, '@');
    bool absolute = rest.n && rest.p[0] >= '0' && rest.p[0] <= '9'; // one that means the same at every call
    return pasts_named(name) && base->n && (absolute || now) && time_parse_when(rest, now, at);
}

Err pasts_refuse(Sosia *e, Str name) {
    int64_t at;
    Str base;
    if (!pasts_named(name)) return ERR_OK;
    return pasts_parse(name, 1, &base, &at) && realm_known(e, base) ? ERR_READ_ONLY : ERR_WORLD_NOT_FOUND;
}

static void put_time(Buf *out, int64_t at) {
    bool whole = at % NS_PER_S == 0;
    time_print(at, whole ? 0 : 9, out);
}

// History begins with live's; so does that of a fork.
static void why_gone(Sosia *e, Buf *out) {
    int64_t from = e->history ? history_from(e->history) : 0, begun = 0;
    buf_printf(out, "nothing is known of this world at that instant");
    bool told = from || (e->history && history_begun(e->history, &begun) == ERR_OK && begun);
    if (!told) return;
    buf_printf(out, from ? ": everything is known from " : ": it began at ");
    put_time(out, from ? from : begun);
    if (from) buf_printf(out, " on");
}

static void why_none(Sosia *e, Str name, Str base, bool parsed, Buf *out) {
    buf_printf(out, "there is no world \"%.*s\"", STR_ARG(name));
    if (!pasts_named(name)) return;
    if (!realm_known(e, base)) buf_printf(out, ": there is no \"%.*s\"", STR_ARG(base));
    else if (!parsed)
        buf_printf(out,
                   ": an instant of the past is %.*s@ and a time with a zone or an offset, as in "
                   "%.*s@2026-11-01T08:00:00Z",
                   STR_ARG(base), STR_ARG(base));
}

static void why_future(Sosia *e, Str name, Str base, Buf *out) {
    buf_printf(out, "the instant of \"%.*s\" has not come yet", STR_ARG(name));
    Realm *r = realm_find(e, base);
    if (!r) return;
    if (r->scenario) {
        buf_printf(out, ": the clock of \"%.*s\" stands at ", STR_ARG(base));
        time_print(scenario_clock(r), 9, out);
    }
    realm_unref(r);
}

void pasts_why(Sosia *e, Str name, Err err, Buf *out) {
    int64_t at;
    Str base;
    bool parsed = pasts_parse(name, 1, &base, &at);
    buf_reset(out);
    if (err == ERR_WORLD_NOT_FOUND) why_none(e, name, base, parsed, out);
    else if (err == ERR_READ_ONLY) buf_printf(out, "\"%.*s\" is the past: it can be read, not written", STR_ARG(name));
    else if (err == ERR_ARGUMENT && parsed) why_future(e, name, base, out);
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
static Realm *table_at(Pasts *p, const Realm *of, int64_t at) {
    Realm *r = NULL;
    pthread_mutex_lock(&p->lock);
    for (int64_t i = 0; i < p->count && !r; i++) {
        const PastUse *u = &p->items[i]->past;
        if (u->of == of && u->from <= at && at <= u->to) r = table_use(p, p->items[i]);
    }
    pthread_mutex_unlock(&p->lock);
    return r;
}

// The realm of a sequence, which is that of the instant `at` too. Lock held.
static Realm *table_of(Pasts *p, const Realm *of, uint64_t seq, int64_t at) {
    for (int64_t i = 0; i < p->count; i++) {
        Realm *r = p->items[i];
        if (r->past.of != of || r->past.seq != seq) continue;
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

// One of the fork (NULL: of any), or NULL. Lock held.
static Realm *table_next(Pasts *p, const Realm *of) {
    for (int64_t i = p->count - 1; i >= 0; i--)
        if (!of || p->items[i]->past.of == of) return table_take(p, i);
    return NULL;
}

void pasts_forget(Sosia *e, const Realm *of) {
    Pasts *p = e->pasts;
    Realm *r;
    do {
        pthread_mutex_lock(&p->lock);
        r = table_next(p, of);
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
    Realm *r = table_of(p, made->past.of, made->past.seq, made->past.to);
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

// Whose past it is: a fork, or live.
static Realm *whose(Sosia *e, Realm *of) { return of ? of : e->live; }

static Err realm_make(Sosia *e, Realm *of, uint64_t seq, int64_t time, int64_t at, Realm **out) {
    PastSource src = history_past(realm_history(whose(e, of)));
    World *w;
    TRY(world_past(e->domain, &src, seq, time, whose(e, of)->world, &w));
    Buf name = {0};
    buf_printf(&name, "%.*s@", STR_ARG(whose(e, of)->name));
    put_time(&name, at);
    Realm *r = realm_frozen(e, buf_str(&name), w);
    buf_free(&name);
    r->facts = query_cache_new(PAST_CACHE_BYTES);
    r->past = (PastUse){.is = true, .of = of ? realm_ref(of) : NULL, .seq = seq, .from = time, .to = at};
    *out = table_add(e->pasts, r);
    if (of && !realm_listed(e, of)) pasts_forget(e, of); // it was dropped meanwhile
    pasts_trim(e);
    return ERR_OK;
}

// ---- instants -----------------------------------------------------------------------------------------------------

static Err time_view(View *v, void *ctx) {
    *(int64_t *)ctx = (int64_t)view_meta(v, META_TIME);
    return ERR_OK;
}

// Whose past is that instant of a world: up to the one it was forked of, its parent's. With a reference; NULL: live's.
// Of a parent that is not there any more its child has the past too.
static Realm *owner_at(Sosia *e, Realm *r, int64_t at) {
    const Scenario *s = r->scenario;
    Realm *owner = s ? realm_ref(r) : NULL;
    for (; s && at <= s->clock; s = s->up) {
        Realm *up = s->up ? realm_of(e, s->up) : NULL;
        if (s->up && !up) continue;
        realm_unref(owner);
        owner = up;
    }
    return owner;
}

// Has everything up to `at` become visible, and can nothing join it?
static bool settled(Sosia *e, Realm *of, int64_t at) {
    if (at <= (of ? of->scenario->clock : atomic_load(&e->pasts->settled))) return true;
    int64_t time = INT64_MIN;
    return !engine_read_realm(whose(e, of), NULL, time_view, &time, NULL) && at <= time;
}

// It has not come yet: of a fork, nothing that was written is of that time or later.
static bool to_come(Sosia *e, const Realm *of, int64_t at) {
    return at > (of ? scenario_clock(of) : e->now(e->now_ctx));
}

static void settle(Pasts *p, int64_t at) {
    int64_t was = atomic_load(&p->settled);
    while (was < at && !atomic_compare_exchange_weak(&p->settled, &was, at)) {}
}

// Whose past a name is, when it would have to wait. False: nothing is to be waited for. *of may have a reference.
static bool unsettled(Sosia *e, Str name, Realm **of, int64_t *at) {
    Str base;
    if (!e->history || !pasts_parse(name, 0, &base, at)) return false;
    Realm *r = realm_made(e, base);
    if (!r) return false;
    *of = owner_at(e, r, *at);
    realm_unref(r);
    if (!to_come(e, *of, *at) && !settled(e, *of, *at)) return true;
    if (*of) realm_unref(*of);
    return false;
}

bool pasts_waits(Sosia *e, Str name) {
    Realm *of;
    int64_t at;
    bool waits = unsettled(e, name, &of, &at);
    if (waits && of) realm_unref(of);
    return waits;
}

// The round trip of one caller: its instant, and whom to tell.
typedef struct Settling {
    Pasts *past;
    bool live;
    int64_t at;
    SosiaDoneFn fn;
    void *arg;
} Settling;

static void on_settled(void *arg, const SosiaDone *done) {
    Settling s = *(Settling *)arg;
    mem_free(arg);
    // Whatever was refused was undone, and is not of that time.
    if (s.live && done->err != SOSIA_CLOSED) settle(s.past, s.at);
    s.fn(s.arg, done);
}

Err pasts_settle(Sosia *e, Str name, SosiaDoneFn fn, void *arg) {
    int64_t at;
    Realm *of;
    if (!unsettled(e, name, &of, &at)) { // it was settled meanwhile, or dropped
        fn(arg, &(SosiaDone){0});
        return ERR_OK;
    }
    Settling *s = mem_alloc(sizeof *s);
    *s = (Settling){e->pasts, !of, at, fn, arg};
    Task *c = task_new(OP_SETTLE, on_settled, s, 0);
    c->source_time = at;
    c->realm = of;
    Err err = task_queue(e, c, true);
    if (!err) return ERR_OK;
    task_free(c);
    mem_free(s);
    return err;
}

void pasts_task(Sosia *e, Task *c) {
    if (!c->realm) pasts_after(e, c->source_time);
    batch_after(e, whose(e, c->realm), c);
}

void pasts_after(Sosia *e, int64_t at) {
    if (e->past_time < at) e->past_time = at;
}

int64_t pasts_clock(Sosia *e) {
    int64_t now = e->now(e->now_ctx), later = e->past_time + TIME_GRAIN;
    now -= now % e->clock_grain;
    return now >= later ? now : later;
}

static Err settle_wait(Sosia *e, Realm *of, int64_t at) {
    if (engine_own_thread(e)) return ERR_BUSY;
    Task *c = task_new(OP_SETTLE, NULL, NULL, 0);
    c->source_time = at;
    c->realm = of ? realm_ref(of) : NULL;
    Err err = task_wait(e, c, true);
    task_free(c);
    if (!err && !of) settle(e->pasts, at);
    // What a fork was to have of that time the disk refused.
    return err || !of || settled(e, of, at) ? err : ERR_ARGUMENT;
}

// The newest batch at or before `at`, which has passed and is in the history. Errors: PAST_GONE, those of the history.
static Err batch_at(History *h, const World *w, int64_t at, uint64_t *seq, int64_t *time) {
    history_wait(h, world_visible(w));
    TRY(history_knows(h, at));
    TRY(history_seq_at(h, at, seq, time));
    return *seq ? ERR_OK : ERR_PAST_GONE;
}

Err pasts_find(Sosia *e, Str name, Realm **out, int64_t *at) {
    Str base;
    if (!pasts_parse(name, 1, &base, at)) return ERR_WORLD_NOT_FOUND;
    Realm *r;
    TRY(realm_open(e, base, &r));
    bool ok = pasts_parse(name, r->scenario ? scenario_clock(r) : 0, &base, at);
    Err err = ok ? pasts_at(e, r, *at, out) : ERR_WORLD_NOT_FOUND;
    realm_unref(r);
    return err;
}

static Err find_of(Sosia *e, Realm *of, int64_t at, Realm **out) {
    uint64_t seq;
    int64_t time;
    History *h = realm_history(whose(e, of));
    if (!h) return ERR_UNSUPPORTED;
    TRY(history_knows(h, at));
    if ((*out = table_at(e->pasts, of, at)) != NULL) return ERR_OK;
    if (!settled(e, of, at)) {
        if (to_come(e, of, at)) return ERR_ARGUMENT;
        TRY(settle_wait(e, of, at));
    }
    TRY(batch_at(h, whose(e, of)->world, at, &seq, &time));
    pthread_mutex_lock(&e->pasts->lock);
    *out = table_of(e->pasts, of, seq, at);
    pthread_mutex_unlock(&e->pasts->lock);
    return *out ? ERR_OK : realm_make(e, of, seq, time, at, out);
}

Err pasts_at(Sosia *e, Realm *r, int64_t at, Realm **out) {
    Realm *of = owner_at(e, r, at);
    Err err = find_of(e, of, at, out);
    if (of) realm_unref(of);
    return err;
}

// ---- measures -----------------------------------------------------------------------------------------------------

void pasts_stats(Sosia *e, Buf *out) {
    Pasts *p = e->pasts;
    pthread_mutex_lock(&p->lock);
    buf_printf(out, "\"worlds\":%lld,\"bytes\":%lld,\"made\":%lld,\"found\":%lld,\"dropped\":%lld", (long long)p->count,
               (long long)atomic_load(&p->bytes), (long long)p->made, (long long)p->found, (long long)p->dropped);
    pthread_mutex_unlock(&p->lock);
}
