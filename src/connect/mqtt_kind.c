// SPDX-License-Identifier: Apache-2.0
#include "connect/mqtt_kind.h"
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

#define PUTS_OPEN 2                // of QoS 0: while so many are under way, small ones are gathered
#define PUT_POINTS_FEW 1000        // what small means
#define HEAD_BYTES 256             // of a payload, kept for samples of refused points
#define AGAIN_NS (200 * NS_PER_MS) // a full disk or queue is tried again
#define GIVE_UP_NS (8 * NS_PER_S)  // the same, when the connection is stopped

typedef struct Live Live;

// Where points came from.
typedef struct Origin {
    int64_t first; // point
    Str topic, head;
} Origin;

// Points handed over together. Owned by the link's thread, between put and done by the engine.
typedef struct Put {
    struct Put *next;
    Live *live;
    Mapped mapped;
    Origin *origins;
    int64_t origin_count, origin_cap;
    int64_t start_ns, newest_ns;
    bool acked; // has messages with QoS > 0
    bool ended; // guarded by Live.lock
    SosiaErr err;
} Put;

struct Live {
    Connection *c;
    Mqtt *mqtt;
    Mapping *map;
    SosiaInlet *inlet;
    Str world;
    CommandRules commands;
    MapOps map_ops;
    Put *now;             // being filled
    Str topic, payload;   // of the message being mapped
    bool sampled;         // a message of this burst was
    bool unsettled;       // points of this burst are neither durable nor refused
    int64_t clock_ns;     // of this burst
    pthread_mutex_t lock; // guards what follows; no other lock is taken under it
    pthread_cond_t ended;
    Put *spare;
    int64_t open, waiting; // puts, points
    bool stopping;
};

// ---- documents ----------------------------------------------------------------------------------------------------

static const char *const members[] = {
    "kind",       "paused",        "description", "url",           "version",  "clientId",
    "cleanStart", "sessionExpiry", "keepAlive",   "username",      "password", "tls",
    "receiveMax", "world",         "strict",      "subscriptions", "commands", NULL};

Err mqtt_document(const Json *doc, Diag *d, MqttConfig *config, Mapping **map, CommandRules *rules) {
    Arena arena;
    arena_init(&arena, 4096);
    Mapping *made = NULL;
    CommandRules commands;
    MqttConfig c;
    Doc p = doc_of(doc, (Str){0}, members, d, &arena);
    Err err = p.err;
    if (!err) err = mqtt_config(doc, &c, d);
    if (!err) {
        doc_bool(&p, "paused", false);
        doc_bool(&p, "strict", false);
        doc_str(&p, "description", (Str){0}, 4096);
        doc_str(&p, "world", (Str){0}, 64);
        c.receive_max = (int32_t)doc_int(&p, "receiveMax", 0, 1, 65535);
        commands_read(&p, &commands);
        err = p.err;
    }
    if (!err) err = mapping_new(json_get(doc, STR("subscriptions")), d, &made);
    if (!err && !mapping_rules(made) && !commands.count) {
        doc_bad(&p, "subscriptions", "this member is needed, or \"commands\"");
        err = p.err;
    }
    arena_free(&arena);
    if (!err && config) *config = c;
    if (!err && rules) *rules = commands;
    if (!err && map) *map = made;
    else mapping_free(made);
    return err;
}

static Err check(const Json *doc, Diag *d) { return mqtt_document(doc, d, NULL, NULL, NULL); }

// ---- puts ---------------------------------------------------------------------------------------------------------

static Put *put_take(Live *l) {
    pthread_mutex_lock(&l->lock);
    Put *p = l->spare;
    if (p) l->spare = p->next;
    pthread_mutex_unlock(&l->lock);
    if (!p) {
        p = mem_alloc(sizeof *p);
        p->live = l;
        mapped_init(&p->mapped);
    }
    mapped_reset(&p->mapped);
    p->origin_count = 0;
    p->acked = p->ended = false;
    p->newest_ns = 0;
    return p;
}

static void put_free(Put *p) {
    mapped_free(&p->mapped);
    mem_free(p->origins);
    mem_free(p);
}

static const Origin *origin_of(const Put *p, int64_t point) {
    int64_t low = 0, high = p->origin_count;
    while (high - low > 1) {
        int64_t mid = (low + high) / 2;
        if (p->origins[mid].first <= point) low = mid;
        else high = mid;
    }
    return p->origin_count ? &p->origins[low] : NULL;
}

// One of {"line":n,"code":"..","message":".."}.
static void sample_refused(Put *p, const Json *error) {
    const Json *line = json_get(error, STR("line")), *message = json_get(error, STR("message"));
    const Origin *o = line && line->type == JSON_INT ? origin_of(p, line->i) : NULL;
    Str text = message && message->type == JSON_STRING ? message->s : STR("The point was refused");
    connection_refused(p->live->c, o ? o->topic : (Str){0}, o ? o->head : (Str){0}, text);
}

static int64_t number_at(const Json *doc, Str name) {
    const Json *v = json_get(doc, name);
    return v && v->type == JSON_INT ? v->i : 0;
}

// What the engine says became of them.
static void count(Put *p, const SosiaDone *done) {
    ConnStats *s = &p->live->c->stats;
    Arena arena;
    Json doc;
    arena_init(&arena, 4096);
    if (done->err) {
        atomic_fetch_add(&s->rejected, p->mapped.count);
        const Origin *o = origin_of(p, 0);
        connection_refused(p->live->c, o ? o->topic : (Str){0}, o ? o->head : (Str){0}, done->message);
    } else if (!json_parse(done->body, NULL, &arena, &doc, NULL)) {
        atomic_fetch_add(&s->accepted, number_at(&doc, STR("accepted")));
        atomic_fetch_add(&s->rejected, number_at(&doc, STR("rejected")));
        atomic_fetch_add(&s->late, number_at(&doc, STR("late")));
        atomic_fetch_add(&s->duplicates, number_at(&doc, STR("duplicates")));
        const Json *errors = json_get(&doc, STR("errors"));
        for (int32_t i = 0; errors && errors->type == JSON_ARRAY && i < errors->count; i++)
            sample_refused(p, &errors->items[i]);
    }
    arena_free(&arena);
    if (!done->err) atomic_store(&s->lag_ns, time_now_ns() - (p->newest_ns ? p->newest_ns : p->start_ns));
}

// The disk is full, or the engine in trouble: nothing is wrong with the points.
static bool is_passing(SosiaErr err) {
    return err == SOSIA_BUSY || err == SOSIA_STORAGE_FULL || err == SOSIA_STORAGE || err == SOSIA_IO ||
           err == SOSIA_OVERRUN || err == SOSIA_CLOSED;
}

// On a thread of the engine.
static void on_done(void *arg, const SosiaDone *done) {
    Put *p = arg;
    Live *l = p->live;
    bool again = p->acked && is_passing(done->err); // its acknowledgements wait: it is put once more
    if (!again) count(p, done);
    pthread_mutex_lock(&l->lock);
    p->err = done->err;
    p->ended = true;
    l->open--;
    l->waiting -= p->mapped.count;
    atomic_store(&l->c->stats.waiting, l->waiting);
    bool gathering = !p->acked && l->open < PUTS_OPEN;
    if (!p->acked) {
        p->next = l->spare;
        l->spare = p;
    }
    if (gathering && l->mqtt) mqtt_wake(l->mqtt); // the link is closed only after `open` is 0
    pthread_cond_broadcast(&l->ended);
    pthread_mutex_unlock(&l->lock);
}

static void wait_locked(Live *l, int64_t ns) {
    struct timespec until = time_after(ns);
    pthread_cond_timedwait(&l->ended, &l->lock, &until);
}

// False: the connection is being stopped, and it takes too long.
static bool may_go_on(Live *l, int64_t *stop_ns) {
    pthread_mutex_lock(&l->lock);
    bool stopping = l->stopping;
    pthread_mutex_unlock(&l->lock);
    if (stopping && !*stop_ns) *stop_ns = time_mono_ns() + GIVE_UP_NS;
    return !stopping || time_mono_ns() < *stop_ns;
}

// Hand it over, however long the engine's queue is full. False when it could not be.
static bool put_send(Live *l, Put *p, int64_t *stop_ns) {
    p->start_ns = l->clock_ns;
    p->ended = false;
    for (;;) {
        pthread_mutex_lock(&l->lock);
        l->open++;
        l->waiting += p->mapped.count;
        atomic_store(&l->c->stats.waiting, l->waiting);
        pthread_mutex_unlock(&l->lock);
        SosiaErr err = sosia_inlet_put(l->inlet, p->mapped.points, p->mapped.count, on_done, p);
        if (!err) return true;
        pthread_mutex_lock(&l->lock);
        l->open--;
        l->waiting -= p->mapped.count;
        p->err = err;
        pthread_mutex_unlock(&l->lock);
        if (!is_passing(err)) {
            count(p, &(SosiaDone){.err = err, .message = str_of(sosia_err_text(err))});
            return false;
        }
        if (!may_go_on(l, stop_ns)) return false;
        thread_sleep_ns(err == SOSIA_BUSY ? 2 * NS_PER_MS : AGAIN_NS);
    }
}

static void put_back(Live *l, Put *p) {
    pthread_mutex_lock(&l->lock);
    p->next = l->spare;
    l->spare = p;
    pthread_mutex_unlock(&l->lock);
}

// Points whose messages are to be acknowledged: until they are durable or refused. False: they are neither.
static bool put_whole(Live *l, Put *p) {
    int64_t stop_ns = 0;
    for (;;) {
        bool sent = put_send(l, p, &stop_ns);
        if (!sent) return !is_passing(p->err);
        pthread_mutex_lock(&l->lock);
        while (!p->ended) wait_locked(l, NS_PER_S);
        pthread_mutex_unlock(&l->lock);
        if (!p->err || !is_passing(p->err)) return true;
        if (!may_go_on(l, &stop_ns)) return false;
        thread_sleep_ns(AGAIN_NS);
    }
}

// Wait until few enough points are under way.
static void hold_back(Live *l) {
    int64_t stop_ns = 0;
    pthread_mutex_lock(&l->lock);
    while (l->waiting > WAITING_MAX && (!l->stopping || !stop_ns || time_mono_ns() < stop_ns)) {
        wait_locked(l, NS_PER_S);
        if (l->stopping && !stop_ns) stop_ns = time_mono_ns() + GIVE_UP_NS;
    }
    pthread_mutex_unlock(&l->lock);
}

// ---- the link -----------------------------------------------------------------------------------------------------

static void on_up(void *ctx, bool known) {
    Live *l = ctx;
    (void)known;
    int32_t qos;
    atomic_fetch_add(&l->c->stats.connects, 1);
    for (int32_t i = 0; i < mapping_rules(l->map); i++) {
        Str filter = mapping_filter(l->map, i, &qos);
        if (mqtt_subscribe(l->mqtt, filter, qos)) connection_error(l->c, filter, (Str){0}, "It cannot be subscribed");
    }
    commands_subscribe(&l->commands, l->c, l->mqtt);
    connection_state(l->c, CONN_UP, (Str){0});
}

static void on_down(void *ctx, Str why, bool again) {
    Live *l = ctx;
    connection_down(l->c, again, why);
}

static void on_bad(void *ctx, Str why) {
    Live *l = ctx;
    connection_error(l->c, l->topic, l->payload, "%.*s", STR_ARG(why));
}

static Err on_unit(void *ctx, Str twin, Str model, Str path, Str from, double value, double *out) {
    Live *l = ctx;
    return (Err)sosia_unit_convert(l->c->connect->engine, l->world, twin, model, path, from, value, out);
}

static void add_origin(Put *p, Str topic, Str payload) {
    if (p->origin_count == p->origin_cap) {
        p->origin_cap = p->origin_cap ? p->origin_cap * 2 : 256;
        p->origins = mem_grow(p->origins, (size_t)p->origin_cap * sizeof *p->origins);
    }
    Str head = str_sub(payload, 0, payload.n < HEAD_BYTES ? payload.n : HEAD_BYTES);
    p->origins[p->origin_count++] =
        (Origin){p->mapped.count, arena_str(&p->mapped.keep, topic), arena_str(&p->mapped.keep, head)};
}

// Without anybody to wait for it.
static void submit_free(Live *l) {
    int64_t stop_ns = 0;
    Put *p = l->now;
    l->now = put_take(l);
    if (!put_send(l, p, &stop_ns)) put_back(l, p);
    hold_back(l);
}

// Hand over what was gathered.
static void submit(Live *l) {
    if (!l->now->acked) {
        submit_free(l);
        return;
    }
    l->unsettled |= !put_whole(l, l->now);
    put_back(l, l->now);
    l->now = put_take(l);
}

static void on_message(void *ctx, const MqttMessage *m) {
    Live *l = ctx;
    ConnStats *s = &l->c->stats;
    if (!l->sampled) {
        l->sampled = true;
        l->clock_ns = time_now_ns();
        atomic_store(&s->last_message_ns, l->clock_ns);
        connection_message(l->c, m->topic, m->payload);
    }
    atomic_fetch_add(&s->messages, 1);
    atomic_fetch_add(&s->bytes, m->payload.n);
    if (l->commands.count && commands_message(&l->commands, l->c->connect, m)) return;
    l->topic = m->topic;
    l->payload = m->payload;
    Put *p = l->now;
    int64_t before = p->mapped.count;
    add_origin(p, m->topic, m->payload);
    bool known = mapping_apply(l->map, &l->map_ops, m->topic, m->payload, m->retain, l->clock_ns, &p->mapped);
    if (!known) connection_error(l->c, m->topic, m->payload, "No subscription of this connection has this topic");
    if (p->mapped.count == before) {
        p->origin_count--;
        return;
    }
    p->acked |= m->qos > 0;
    atomic_fetch_add(&s->points, p->mapped.count - before);
    for (int64_t i = before; i < p->mapped.count; i++)
        if (p->mapped.points[i].source_time_ns > p->newest_ns) p->newest_ns = p->mapped.points[i].source_time_ns;
    if (p->mapped.count >= PUT_POINTS_MAX) submit(l);
}

static bool on_burst(void *ctx) {
    Live *l = ctx;
    Put *p = l->now;
    l->sampled = false;
    pthread_mutex_lock(&l->lock);
    bool gather = !p->acked && l->open >= PUTS_OPEN && p->mapped.count < PUT_POINTS_FEW;
    pthread_mutex_unlock(&l->lock);
    if (p->mapped.count && !gather) submit(l);
    if (!l->now->mapped.count) mapping_rest(l->map);
    bool never = l->unsettled; // nothing is acknowledged: the broker keeps it all
    l->unsettled = false;
    return never;
}

static void on_large(void *ctx, Str topic, int64_t size) {
    Live *l = ctx;
    atomic_fetch_add(&l->c->stats.messages, 1);
    connection_error(l->c, topic, (Str){0}, "It has %lld bytes, %d are possible", (long long)size, MQTT_PAYLOAD_MAX);
}

static void on_refused(void *ctx, Str filter, Str why) {
    Live *l = ctx;
    connection_error(l->c, filter, (Str){0}, "The broker refuses the subscription: %.*s", STR_ARG(why));
}

static const MqttOps ops = {
    .up = on_up, .down = on_down, .message = on_message, .burst = on_burst, .large = on_large, .refused = on_refused};

// ---- life ---------------------------------------------------------------------------------------------------------

static void live_free(Live *l) {
    if (l->now) put_free(l->now);
    for (Put *p = l->spare, *next; p; p = next) {
        next = p->next;
        put_free(p);
    }
    sosia_inlet_close(l->inlet);
    mapping_free(l->map);
    pthread_cond_destroy(&l->ended);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

static Str text_at(const Json *doc, Str name) {
    const Json *v = json_get(doc, name);
    return v && v->type == JSON_STRING ? v->s : (Str){0};
}

Err mqtt_inlet(SosiaConnect *k, const Json *doc, Str name, SosiaInlet **out, Buf *why) {
    const Json *strict = json_get(doc, STR("strict"));
    SosiaInletOpen o = {.who = {.principal = name, .purpose = STR("mqtt")},
                        .world = text_at(doc, STR("world")),
                        .source = name,
                        .lenient = !strict || strict->type != JSON_TRUE};
    Err err = (Err)sosia_inlet_open(k->engine, &o, out);
    if (err) buf_printf(why, "world: %s", err_text(err));
    return err;
}

static Err start(Connection *c, Buf *why) {
    Live *l = mem_alloc(sizeof *l);
    MqttConfig config;
    Diag d;
    diag_init(&d);
    pthread_mutex_init(&l->lock, NULL);
    cond_init_mono(&l->ended);
    l->c = c;
    l->world = text_at(&c->doc, STR("world"));
    l->map_ops = (MapOps){.bad = on_bad, .unit = on_unit, .ctx = l};
    l->now = put_take(l);
    Err err = mqtt_document(&c->doc, &d, &config, &l->map, &l->commands);
    if (err) diag_print(&d, why);
    diag_free(&d);
    if (!err) err = mqtt_inlet(c->connect, &c->doc, c->name, &l->inlet, why);
    c->own = l;
    if (!err) err = mqtt_open(&config, &ops, l, &l->mqtt);
    if (!err) return ERR_OK;
    c->own = NULL;
    live_free(l);
    return err;
}

static void stop(Connection *c) {
    Live *l = c->own;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->ended);
    pthread_mutex_unlock(&l->lock);
    mqtt_leave(l->mqtt);
    int64_t stop_ns = time_mono_ns() + GIVE_UP_NS;
    if (l->now->mapped.count && !l->now->acked) { // of QoS 0, gathered
        Put *p = l->now;
        l->now = put_take(l);
        if (!put_send(l, p, &stop_ns)) put_back(l, p);
    }
    pthread_mutex_lock(&l->lock);
    while (l->open) wait_locked(l, NS_PER_S);
    pthread_mutex_unlock(&l->lock);
    mqtt_close(l->mqtt);
    c->own = NULL;
    live_free(l);
}

static Err command(Connection *c, Command *cmd) {
    Live *l = c->own;
    return commands_send(&l->commands, c->connect, l->mqtt, cmd);
}

static const char *const secrets[] = {"password", "tls.key", "tls.keyPassword", NULL};

const ConnectKind kind_mqtt = {.name = "mqtt",
                               .check = check,
                               .secrets = secrets,
                               .start = start,
                               .stop = stop,
                               .test = mqtt_try,
                               .command = command};
