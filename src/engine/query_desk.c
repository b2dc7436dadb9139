// SPDX-License-Identifier: Apache-2.0
// The desk itself: opening, closing, what it counts and what it logs.
#include "engine/query_desk.h"
#include <sched.h>
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"

#define LOG_TEXT_MAX 400 // bytes of a question in the log
#define LOG_PLAN_MAX 300

// ---- open and close ------------------------------------------------------------------------------------------------

static int32_t thread_count(int32_t asked) {
    cpu_set_t set;
    int n = asked;
    if (!n) n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 2;
    if (!asked && n < 2) n = 2;
    return n > QUERY_THREADS_MAX ? QUERY_THREADS_MAX : n;
}

static void on_idle(void *ctx) { cursors_sweep(ctx); }

Err desk_start(Sosia *e, const SosiaOpen *o) {
    Desk *d = mem_alloc(sizeof *d);
    d->engine = e;
    d->timeout_ns = o->query_timeout_ns ? o->query_timeout_ns : QUERY_TIMEOUT_DEFAULT;
    d->rows_max = o->query_rows_max;
    d->bytes_max = o->query_bytes_max ? o->query_bytes_max : QUERY_BYTES_DEFAULT;
    d->slow_ns = o->query_slow_ns ? o->query_slow_ns : QUERY_SLOW_DEFAULT;
    pthread_mutex_init(&d->lock, NULL);
    cond_init_mono(&d->none);
    e->desk = d;
    return pool_start(thread_count(o->query_threads), on_idle, d, &d->cursors_open, &d->pool);
}

void desk_stop(Desk *d) {
    pthread_mutex_lock(&d->lock);
    atomic_store(&d->closing, true); // nobody enters any more
    pthread_mutex_unlock(&d->lock);
    asks_cancel(d, NULL, NULL);
    pthread_mutex_lock(&d->lock);
    while (d->running) pthread_cond_wait(&d->none, &d->lock);
    pthread_mutex_unlock(&d->lock);
    cursors_forget(d, NULL);
    pool_free(d->pool);
    d->pool = NULL;
}

void desk_free(Desk *d) {
    if (!d) return;
    pool_free(d->pool);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->none);
    mem_free(d);
}

void desk_forget(Desk *d, Realm *r) {
    pthread_mutex_lock(&d->lock);
    r->dropped = true;
    pthread_mutex_unlock(&d->lock);
    cursors_forget(d, r);
}

void desk_renew(Desk *d, Realm *r) {
    pthread_mutex_lock(&d->lock);
    r->renewed++;
    pthread_mutex_unlock(&d->lock);
    cursors_forget(d, r);
}

void desk_tidy(Desk *d, Realm *r) {
    pthread_mutex_lock(&d->lock);
    QueryCache *facts = r->facts; // stays as long as the realm
    pthread_mutex_unlock(&d->lock);
    if (facts) query_cache_forget(facts);
}

void desk_outlive(Desk *d) { asks_outlive(d); }

void desk_realm_free(Realm *r) {
    CHECK(!r->snapshot && !r->snapshotting);
    if (r->facts) query_cache_free(r->facts);
}

// ---- facts --------------------------------------------------------------------------------------------------------

typedef struct Tending {
    Job job;
    Desk *desk;
    Realm *realm; // reference
} Tending;

static void tend(Job *j) {
    Tending *t = (Tending *)j;
    Realm *r = t->realm;
    query_cache_tend(r->facts, r->world); // a question was answered with it, so it is there
    pthread_mutex_lock(&t->desk->lock);
    r->tending = false;
    pthread_mutex_unlock(&t->desk->lock);
    realm_unref(r);
    mem_free(t);
}

void desk_tend(Desk *d, Realm *r, int64_t looked) {
    if (looked < QUERY_TEND_ROWS) return;
    int64_t now = time_mono_ns();
    pthread_mutex_lock(&d->lock);
    bool due = r->facts && !r->tending && now - r->tended_ns >= QUERY_TEND_NS;
    if (due) {
        r->tending = true;
        r->tended_ns = now;
    }
    pthread_mutex_unlock(&d->lock);
    if (!due) return;
    Tending *t = mem_alloc(sizeof *t);
    *t = (Tending){{.run = tend, .large = true}, d, realm_ref(r)};
    pool_push(d->pool, &t->job, true);
}

// ---- counters ------------------------------------------------------------------------------------------------------

static void put(Buf *b, const char *name, int64_t value) {
    char last = b->n ? b->p[b->n - 1] : '{';
    buf_printf(b, "%s\"%s\":%lld", last == '{' ? "" : ",", name, (long long)value);
}

static void put_facts(Desk *d, Buf *out) {
    pthread_mutex_lock(&d->lock);
    QueryCache *facts = d->engine->live->facts;
    pthread_mutex_unlock(&d->lock);
    QueryCacheStats st = {0};
    if (facts) st = query_cache_stats(facts);
    put(out, "cacheBytes", st.bytes);
    put(out, "cacheIndexes", st.indexes);
    put(out, "cacheBuilt", st.built);
    put(out, "cacheDropped", st.dropped);
    put(out, "cacheHits", st.hits);
}

void desk_stats(Desk *d, Buf *out) {
    const QueryCounters *c = &d->counters;
    put(out, "total", atomic_load(&c->total));
    put(out, "failed", atomic_load(&c->failed));
    put(out, "refused", atomic_load(&c->refused));
    put(out, "slow", atomic_load(&c->slow));
    put(out, "pooled", atomic_load(&c->pooled));
    put(out, "again", atomic_load(&c->again));
    put(out, "kept", atomic_load(&c->kept));
    put(out, "snapshots", atomic_load(&c->snapshots));
    put(out, "rowsLookedAt", atomic_load(&c->looked));
    put(out, "timeNs", atomic_load(&c->time_ns));
    pthread_mutex_lock(&d->lock);
    int64_t running = d->running, cursors = d->cursor_count, bytes = d->cursor_bytes;
    pthread_mutex_unlock(&d->lock);
    put(out, "running", running);
    put(out, "waiting", d->pool ? pool_waiting(d->pool) : 0);
    put(out, "cursors", cursors);
    put(out, "cursorBytes", bytes);
    put_facts(d, out);
}

// ---- the log -------------------------------------------------------------------------------------------------------

// Bytes of the control character that stands at the beginning, also one of U+0080 to U+009F; 0: none.
static int64_t control_size(Str s) {
    unsigned char c = (unsigned char)s.p[0], next = s.n > 1 ? (unsigned char)s.p[1] : 0;
    if (c == 0xc2 && next >= 0x80 && next <= 0x9f) return 2;
    return c <= ' ' || c == 0x7f;
}

// One line: control characters and runs of blanks become one blank.
static void put_line(Buf *out, Str s, int64_t max) {
    int64_t start = out->n;
    bool blank = false;
    for (int64_t i = 0, skip; i < s.n && out->n - start < max; i += skip ? skip : 1) {
        skip = control_size(str_sub(s, i, s.n));
        if (!skip) {
            if (blank && out->n > start) buf_byte(out, ' ');
            buf_byte(out, s.p[i]);
        }
        blank = skip > 0;
    }
    while (out->n > start && str_utf8_size(out->p + out->n - 1, out->p + out->n) != 1 &&
           !str_utf8_ok(str_sub(buf_str(out), start, out->n)))
        out->n--; // cut inside a character
    if (out->n - start >= max) buf_str_put(out, STR("..."));
}

// "scan Room, filter, project" of the plan's JSON.
static void put_plan(Buf *out, QueryCursor *c) {
    Buf plan = {0}, line = {0};
    Arena arena;
    Json v;
    arena_init(&arena, 0);
    if (c) query_explain(c, &plan);
    const Json *steps = c && !json_parse(buf_str(&plan), NULL, &arena, &v, NULL) ? json_get(&v, STR("plan")) : NULL;
    for (int32_t i = 0; steps && steps->type == JSON_ARRAY && i < steps->count; i++) {
        const Json *step = json_get(&steps->items[i], STR("step")), *detail = json_get(&steps->items[i], STR("detail"));
        if (i) buf_str_put(&line, STR(", "));
        if (step && step->type == JSON_STRING) buf_str_put(&line, step->s);
        if (detail && detail->type == JSON_STRING && detail->s.n) buf_printf(&line, " %.*s", STR_ARG(detail->s));
    }
    put_line(out, buf_str(&line), LOG_PLAN_MAX);
    buf_free(&line);
    buf_free(&plan);
    arena_free(&arena);
}

void query_log_slow(const Question *q, QueryCursor *c, int64_t time_ns, int64_t looked) {
    Buf text = {0}, plan = {0}, world = {0};
    put_line(&text, q->text, LOG_TEXT_MAX);
    put_plan(&plan, c);
    buf_str_put(&world, q->realm->name);
    buf_byte(&text, 0);
    buf_byte(&plan, 0);
    buf_byte(&world, 0);
    LOG(QUERY_SLOW, world.p, (double)time_ns / 1e6, (long long)looked, text.p, plan.p);
    buf_free(&text);
    buf_free(&plan);
    buf_free(&world);
}
