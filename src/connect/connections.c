// SPDX-License-Identifier: Apache-2.0
#include "connect/connections.h"
#include <stdio.h>
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"

#define SAMPLE_GAP_NS (10 * NS_PER_MS)

// ---- life ---------------------------------------------------------------------------------------------------------

static Str str_own(Str s) {
    char *p = mem_alloc((size_t)s.n + 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

static Connection *connection_ref(Connection *c) {
    atomic_fetch_add(&c->refs, 1);
    return c;
}

static void sample_free(Sample *s) {
    mem_free((char *)s->topic.p);
    mem_free((char *)s->payload.p);
    mem_free((char *)s->why.p);
    *s = (Sample){0};
}

void connection_unref(Connection *c) {
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1) return;
    CHECK(!c->running);
    for (int i = 0; i < SAMPLES_MAX; i++) {
        sample_free(&c->errors[i]);
        sample_free(&c->messages[i]);
    }
    buf_free(&c->text);
    buf_free(&c->trouble);
    arena_free(&c->arena);
    pthread_mutex_destroy(&c->sample_lock);
    pthread_rwlock_destroy(&c->life);
    mem_free((char *)c->name.p);
    mem_free(c);
}

static void set_trouble(Connection *c, Str why) {
    pthread_mutex_lock(&c->sample_lock);
    buf_reset(&c->trouble);
    buf_str_put(&c->trouble, why);
    pthread_mutex_unlock(&c->sample_lock);
}

void connection_state(Connection *c, ConnState state, Str why) {
    int was = atomic_exchange(&c->state, (int)state);
    set_trouble(c, why);
    if (state == CONN_UP && was != CONN_UP) LOG(CONNECTION_UP, c->name.p);
    if (state != CONN_UP && state != CONN_PAUSED && why.n && was != (int)state)
        LOG(CONNECTION_DOWN, c->name.p, (int)why.n, why.p);
}

static void fail_diag(Connection *c, const Diag *d) {
    Buf text = {0};
    diag_print(d, &text);
    connection_state(c, CONN_FAILED, str_trim(buf_str(&text)));
    buf_free(&text);
}

// Read the document into c->doc, secrets filled in.
static Err read_document(Connection *c, Diag *d) {
    TRY(json_parse(buf_str(&c->text), NULL, &c->arena, &c->doc, d));
    const Json *kind = json_get(&c->doc, STR("kind")), *paused = json_get(&c->doc, STR("paused"));
    c->paused = paused && paused->type == JSON_TRUE;
    const ConnectKind *found = kind && kind->type == JSON_STRING ? connect_kind(kind->s) : NULL;
    if (!found) return diag_add(d, ERR_ARGUMENT, -1, -1, STR("kind"), "this server knows no such kind of connection");
    c->kind = found;
    Secrets secrets;
    TRY(secrets_read(c->connect, c->name, found, &c->arena, &secrets));
    TRY(secrets_take(&c->doc, &secrets, &c->arena, d));
    return found->check(&c->doc, d);
}

Connection *connection_make(SosiaConnect *k, Str name, Str text) {
    Connection *c = mem_alloc(sizeof *c);
    atomic_store(&c->refs, 1);
    c->connect = k;
    c->name = str_own(name);
    arena_init(&c->arena, 4096);
    buf_str_put(&c->text, text);
    pthread_mutex_init(&c->sample_lock, NULL);
    pthread_rwlock_init(&c->life, NULL);
    Diag d;
    diag_init(&d);
    Err err = read_document(c, &d);
    if (err && !d.count) diag_add(&d, err, -1, -1, (Str){0}, "%s", err_text(err));
    if (err) {
        c->kind = NULL;
        fail_diag(c, &d);
    }
    diag_free(&d);
    return c;
}

static void run(Connection *c) {
    if (!c->kind) return;
    if (c->paused || c->connect->paused || !c->kind->start) {
        connection_state(c, c->kind->start || c->paused ? CONN_PAUSED : CONN_UP, (Str){0});
        return;
    }
    Buf why = {0};
    pthread_rwlock_wrlock(&c->life);
    connection_state(c, CONN_CONNECTING, (Str){0});
    Err err = c->kind->start(c, &why);
    c->running = err == ERR_OK;
    if (err && !why.n) buf_printf(&why, "%s", err_text(err));
    if (err) connection_down(c, false, buf_str(&why));
    pthread_rwlock_unlock(&c->life);
    buf_free(&why);
}

static void halt(Connection *c) {
    pthread_rwlock_wrlock(&c->life);
    if (c->running) c->kind->stop(c);
    c->running = false;
    connection_state(c, CONN_PAUSED, (Str){0});
    pthread_rwlock_unlock(&c->life);
}

// ---- the table ----------------------------------------------------------------------------------------------------

// The place of `name`, or where it belongs. Caller holds the lock.
static int64_t place_locked(SosiaConnect *k, Str name, bool *found) {
    int64_t low = 0, high = k->connection_count;
    *found = false;
    while (low < high) {
        int64_t mid = (low + high) / 2;
        int order = str_cmp(k->connections[mid]->name, name);
        if (order == 0) *found = true;
        if (order < 0) low = mid + 1;
        else high = mid;
    }
    return low;
}

Connection *connection_find(SosiaConnect *k, Str name) {
    bool found;
    pthread_mutex_lock(&k->lock);
    int64_t at = place_locked(k, name, &found);
    Connection *c = found ? connection_ref(k->connections[at]) : NULL;
    pthread_mutex_unlock(&k->lock);
    return c;
}

// Take it out; the table's reference is the caller's then.
static Connection *take_out(SosiaConnect *k, Str name) {
    bool found;
    pthread_mutex_lock(&k->lock);
    int64_t at = place_locked(k, name, &found);
    Connection *c = found ? k->connections[at] : NULL;
    if (found) {
        k->connection_count--;
        memmove(k->connections + at, k->connections + at + 1,
                (size_t)(k->connection_count - at) * sizeof *k->connections);
    }
    pthread_mutex_unlock(&k->lock);
    return c;
}

static void put_in(SosiaConnect *k, Connection *c) {
    bool found;
    pthread_mutex_lock(&k->lock);
    if (k->connection_count == k->connection_cap) {
        k->connection_cap = k->connection_cap ? k->connection_cap * 2 : 16;
        k->connections = mem_grow(k->connections, (size_t)k->connection_cap * sizeof *k->connections);
    }
    int64_t at = place_locked(k, c->name, &found);
    CHECK(!found);
    memmove(k->connections + at + 1, k->connections + at, (size_t)(k->connection_count - at) * sizeof *k->connections);
    k->connections[at] = c;
    k->connection_count++;
    pthread_mutex_unlock(&k->lock);
}

// Counters go on over a change of the document; what is under way does not.
static void stats_carry(ConnStats *to, const ConnStats *from) {
    to->messages = from->messages;
    to->bytes = from->bytes;
    to->points = from->points;
    to->accepted = from->accepted;
    to->rejected = from->rejected;
    to->late = from->late;
    to->duplicates = from->duplicates;
    to->errors = from->errors;
    to->published = from->published;
    to->commands = from->commands;
    to->connects = from->connects;
    to->drops = from->drops;
    to->last_message_ns = from->last_message_ns;
}

void connection_install(SosiaConnect *k, Connection *c) {
    Connection *old = take_out(k, c->name);
    if (old) {
        halt(old);
        stats_carry(&c->stats, &old->stats);
        connection_unref(old);
    }
    put_in(k, c);
    run(c);
}

bool connection_remove(SosiaConnect *k, Str name) {
    Connection *old = take_out(k, name);
    if (!old) return false;
    halt(old);
    connection_unref(old);
    return true;
}

Connection **connections_all(SosiaConnect *k, Arena *arena, int64_t *count) {
    pthread_mutex_lock(&k->lock);
    *count = k->connection_count;
    Connection **all = NEW(arena, Connection *, *count);
    for (int64_t i = 0; i < *count; i++) all[i] = connection_ref(k->connections[i]);
    pthread_mutex_unlock(&k->lock);
    return all;
}

Err connection_each(SosiaConnect *k, Err (*fn)(Connection *c, void *ctx), void *ctx) {
    Arena arena;
    arena_init(&arena, 4096);
    int64_t count;
    Connection **all = connections_all(k, &arena, &count);
    Err err = ERR_NO_ROUTE;
    for (int64_t i = 0; i < count; i++) {
        Connection *c = all[i];
        if (err == ERR_NO_ROUTE && !pthread_rwlock_tryrdlock(&c->life)) {
            if (c->running) err = fn(c, ctx);
            pthread_rwlock_unlock(&c->life);
        }
        connection_unref(c);
    }
    arena_free(&arena);
    return err;
}

typedef struct Loading {
    Arena *arena;
    SosiaItem *items;
    int64_t count, cap;
} Loading;

static bool keep_item(void *ctx, SosiaStr key, SosiaStr value) {
    Loading *l = ctx;
    if (l->count == l->cap) {
        SosiaItem *more = NEW(l->arena, SosiaItem, l->cap ? l->cap * 2 : 16);
        if (l->count) memcpy(more, l->items, (size_t)l->count * sizeof *more);
        l->items = more;
        l->cap = l->cap ? l->cap * 2 : 16;
    }
    l->items[l->count++] = (SosiaItem){.key = arena_str(l->arena, key), .value = arena_str(l->arena, value)};
    return true;
}

Err connections_load(SosiaConnect *k, Buf *why) {
    Arena arena;
    arena_init(&arena, 0);
    Loading l = {.arena = &arena};
    Err err = (Err)sosia_items_scan(k->engine, STR("connection"), (Str){0}, 0, keep_item, &l);
    if (err && why) buf_printf(why, "The stored connections could not be read: %s.", err_text(err));
    pthread_mutex_lock(&k->edit);
    for (int64_t i = 0; !err && i < l.count; i++)
        connection_install(k, connection_make(k, l.items[i].key, l.items[i].value));
    pthread_mutex_unlock(&k->edit);
    arena_free(&arena);
    return err;
}

typedef struct Stopping {
    Connection *connection;
    Thread thread;
} Stopping;

static void *stop_main(void *arg) {
    Stopping *s = arg;
    halt(s->connection);
    connection_unref(s->connection);
    return NULL;
}

// All at once: each may wait for a broker that is dead.
void connections_stop(SosiaConnect *k) {
    int64_t count = 0;
    pthread_mutex_lock(&k->edit);
    Stopping *all = mem_alloc(((size_t)k->connection_count + 1) * sizeof *all);
    while (k->connection_count) {
        Stopping *s = &all[count++];
        *s = (Stopping){.connection = take_out(k, k->connections[k->connection_count - 1]->name)};
        if (thread_start(&s->thread, "stop", stop_main, s)) (void)stop_main(s);
    }
    for (int64_t i = 0; i < count; i++) thread_join(&all[i].thread);
    mem_free(all);
    mem_free(k->connections);
    k->connections = NULL;
    pthread_mutex_unlock(&k->edit);
}

// ---- samples and status -------------------------------------------------------------------------------------------

// A copy for people: cut, and in hex when it is no text.
static Str sample_text(Str s) {
    Str head = str_sub(s, 0, s.n < SAMPLE_BYTES_MAX ? s.n : SAMPLE_BYTES_MAX);
    for (int cut = 0; cut < 4 && head.n && head.n < s.n && !str_utf8_ok(head); cut++) head.n--;
    if (str_utf8_ok(head)) return str_own(head);
    int64_t bytes = s.n < SAMPLE_BYTES_MAX / 2 - 1 ? s.n : SAMPLE_BYTES_MAX / 2 - 1;
    char *p = mem_alloc((size_t)bytes * 2 + 3);
    memcpy(p, "0x", 2);
    for (int64_t i = 0; i < bytes; i++) snprintf(p + 2 + i * 2, 3, "%02x", (unsigned char)s.p[i]);
    return (Str){p, bytes * 2 + 2};
}

// Whether one more sample is wanted now; counts it in any case. Caller holds sample_lock.
static Sample *sample_locked(Sample *ring, int64_t *count, int64_t *next, int64_t now) {
    ++*count;
    Sample *newest = *next ? &ring[(*next - 1) % SAMPLES_MAX] : NULL;
    if (newest && *next >= SAMPLES_MAX && now - newest->time_ns < SAMPLE_GAP_NS) return NULL;
    Sample *s = &ring[(*next)++ % SAMPLES_MAX];
    sample_free(s);
    s->time_ns = now;
    return s;
}

static void sample_error(Connection *c, Str topic, Str payload, const char *fmt, va_list ap) {
    pthread_mutex_lock(&c->sample_lock);
    Sample *s = sample_locked(c->errors, &c->error_count, &c->error_next, time_now_ns());
    if (s) {
        Buf text = {0};
        buf_vprintf(&text, fmt, ap);
        s->topic = sample_text(topic);
        s->payload = sample_text(payload);
        s->why = sample_text(buf_str(&text));
        buf_free(&text);
    }
    pthread_mutex_unlock(&c->sample_lock);
}

void connection_error(Connection *c, Str topic, Str payload, const char *fmt, ...) {
    atomic_fetch_add(&c->stats.errors, 1);
    va_list ap;
    va_start(ap, fmt);
    sample_error(c, topic, payload, fmt, ap);
    va_end(ap);
}

static void sample_refused(Connection *c, Str topic, Str payload, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    sample_error(c, topic, payload, fmt, ap);
    va_end(ap);
}

void connection_refused(Connection *c, Str topic, Str payload, Str why) {
    sample_refused(c, topic, payload, "%.*s", STR_ARG(why));
}

void connection_down(Connection *c, bool again, Str why) {
    if (atomic_load(&c->state) == CONN_UP) {
        atomic_fetch_add(&c->stats.drops, 1);
        connection_refused(c, (Str){0}, (Str){0}, why);
    } else {
        connection_error(c, (Str){0}, (Str){0}, "%.*s", STR_ARG(why));
    }
    connection_state(c, again ? CONN_CONNECTING : CONN_FAILED, why);
}

void connection_message(Connection *c, Str topic, Str payload) {
    pthread_mutex_lock(&c->sample_lock);
    Sample *s = sample_locked(c->messages, &c->message_count, &c->message_next, time_now_ns());
    if (s) {
        s->topic = sample_text(topic);
        s->payload = sample_text(payload);
    }
    pthread_mutex_unlock(&c->sample_lock);
}

static void put_member(Buf *out, const char *name, Str text) {
    buf_printf(out, ",\"%s\":", name);
    json_put_str(out, text);
}

void connection_samples(Connection *c, bool errors, Buf *out) {
    pthread_mutex_lock(&c->sample_lock);
    const Sample *ring = errors ? c->errors : c->messages;
    int64_t next = errors ? c->error_next : c->message_next;
    buf_printf(out, "{\"count\":%lld,\"value\":[", (long long)(errors ? c->error_count : c->message_count));
    for (int64_t i = next - 1; i >= 0 && i >= next - SAMPLES_MAX; i--) {
        const Sample *s = &ring[i % SAMPLES_MAX];
        buf_printf(out, "%s{\"time\":\"", i < next - 1 ? "," : "");
        time_print(s->time_ns, 3, out);
        buf_byte(out, '"');
        put_member(out, "topic", s->topic);
        put_member(out, "payload", s->payload);
        if (errors) put_member(out, "error", s->why);
        buf_byte(out, '}');
    }
    buf_printf(out, "]}");
    pthread_mutex_unlock(&c->sample_lock);
}

// The newest of what went wrong, null when nothing did. Caller holds sample_lock.
static void put_last_error_locked(const Connection *c, Buf *out) {
    const Sample *s = c->error_next ? &c->errors[(c->error_next - 1) % SAMPLES_MAX] : NULL;
    buf_printf(out, ",\"lastError\":%s", s ? "{\"time\":\"" : "null");
    if (!s) return;
    time_print(s->time_ns, 3, out);
    buf_byte(out, '"');
    put_member(out, "error", s->why);
    buf_byte(out, '}');
}

void connection_status(Connection *c, Buf *out) {
    static const char *const states[] = {"paused", "connecting", "up", "failed"};
    ConnStats *s = &c->stats;
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {{"messages", s->messages}, {"bytes", s->bytes},           {"points", s->points},
                {"accepted", s->accepted}, {"rejected", s->rejected},     {"late", s->late},
                {"errors", s->errors},     {"duplicates", s->duplicates}, {"published", s->published},
                {"commands", s->commands}, {"connects", s->connects},     {"drops", s->drops},
                {"waiting", s->waiting},   {"lagNs", s->lag_ns}};
    buf_printf(out, "\"state\":\"%s\"", states[atomic_load(&c->state)]);
    pthread_mutex_lock(&c->sample_lock);
    put_member(out, "trouble", buf_str(&c->trouble));
    put_last_error_locked(c, out);
    pthread_mutex_unlock(&c->sample_lock);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buf_printf(out, ",\"%s\":%lld", rows[i].name, (long long)rows[i].value);
    int64_t last = s->last_message_ns;
    buf_printf(out, ",\"lastMessage\":");
    if (last) {
        buf_byte(out, '"');
        time_print(last, 3, out);
        buf_byte(out, '"');
    } else {
        buf_printf(out, "null");
    }
}
