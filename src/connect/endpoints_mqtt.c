// SPDX-License-Identifier: Apache-2.0
// Endpoints of kind "mqtt": events as messages over a link of their own, also where the broker is that of a connection:
// the connection lends its address and its secrets. A window is on its way at once; QoS 1 is delivered when the broker
// says so. When the link breaks, all that was not acknowledged goes out again, in order.
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "connect/endpoints.h"
#include "connect/mqtt.h"

#define TOPIC_MAX 1024
#define TOPIC_DEFAULT STR("events/{type}/{twin}")
#define LOOK_NS (200 * NS_PER_MS) // how often a wait looks whether it is to stop
#define UP_WAIT_NS (5 * NS_PER_S) // for the first connection

static const char *const MEMBERS[] = {"kind",       "description",   "paused",     "connection", "topic",    "qos",
                                      "retain",     "retries",       "deadLetter", "url",        "version",  "clientId",
                                      "cleanStart", "sessionExpiry", "keepAlive",  "username",   "password", "tls",
                                      NULL};

// Messages on their way; freed when the last one is settled and the sender has gone on.
typedef struct Flight {
    pthread_mutex_t lock;
    pthread_cond_t landed;
    int32_t count, left, refs;
    struct {
        struct Flight *flight;
        Err err;
        bool ended;
    } at[MQTT_WINDOW];
} Flight;

typedef struct Sender {
    Mqtt *link;
    Connection *lender; // lives as long as its texts are used
    Str topic;
    int32_t qos;
    bool retain;
    pthread_mutex_t lock;
    Buf down; // why it is not up
    Buf name;
    Arena arena;
} Sender;

// ---- topics -------------------------------------------------------------------------------------------------------

static const char *const FIELDS[] = {"type", "subject", "source", "id", "route", "twin"};

static Str field_of(const Outgoing *o, size_t i) {
    const Str values[] = {o->type, o->subject, o->source, o->id, o->route, o->twin};
    return values[i];
}

// The field that begins at text[at] as "{name}", its size in *n; -1: none.
static int field_at(Str text, int64_t at, int64_t *n) {
    for (int i = 0; i < (int)(sizeof FIELDS / sizeof *FIELDS); i++) {
        int64_t size = (int64_t)strlen(FIELDS[i]);
        if (at + size + 2 > text.n || text.p[at + size + 1] != '}') continue;
        if (memcmp(text.p + at + 1, FIELDS[i], (size_t)size) != 0) continue;
        *n = size + 2;
        return i;
    }
    return -1;
}

static void put_level(Buf *b, Str value) {
    if (!value.n) buf_byte(b, '_');
    for (int64_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        buf_byte(b, c < ' ' || c == '+' || c == '#' || c == 127 ? '_' : (char)c);
    }
}

static void put_topic(Str pattern, const Outgoing *o, Buf *b) {
    int64_t n = 0;
    buf_reset(b);
    for (int64_t i = 0; i < pattern.n;) {
        int field = pattern.p[i] == '{' ? field_at(pattern, i, &n) : -1;
        if (field < 0) {
            buf_byte(b, pattern.p[i++]);
            continue;
        }
        put_level(b, field_of(o, (size_t)field));
        i += n;
    }
}

static bool pattern_ok(Str pattern) {
    int64_t n;
    for (int64_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        if ((unsigned char)c < ' ' || c == '+' || c == '#' || c == '}') return false;
        if (c != '{') continue;
        if (field_at(pattern, i, &n) < 0) return false;
        i += n - 1;
    }
    return pattern.n > 0 && pattern.p[0] != '$';
}

// ---- the document -------------------------------------------------------------------------------------------------

static void check(Doc *p) {
    static const char *const own[] = {"url",       "version",  "clientId", "cleanStart", "sessionExpiry",
                                      "keepAlive", "username", "password", "tls"};
    MqttConfig config;
    Str connection = doc_str(p, "connection", (Str){0}, CONNECT_NAME_MAX);
    Str topic = doc_str(p, "topic", TOPIC_DEFAULT, TOPIC_MAX);
    doc_str(p, "description", (Str){0}, 1024);
    doc_bool(p, "paused", false);
    doc_bool(p, "retain", false);
    doc_bool(p, "deadLetter", true);
    doc_int(p, "qos", 1, 0, 1);
    doc_int(p, "retries", RETRIES_DEFAULT, 0, RETRIES_MAX);
    if (!pattern_ok(topic))
        doc_bad(p, "topic", "levels of text and {type}, {subject}, {source}, {id}, {route}, {twin} are expected");
    for (size_t i = 0; connection.n && i < sizeof own / sizeof *own; i++)
        if (json_get(p->json, str_of(own[i]))) doc_bad(p, own[i], "the connection says that");
    if (connection.n || p->err) return;
    if (!json_get(p->json, STR("url"))) doc_bad(p, "url", "an url is needed, or the name of a connection");
    else p->err = mqtt_config(p->json, &config, p->d);
}

// ---- the link -----------------------------------------------------------------------------------------------------

static void on_up(void *ctx, bool session_present) {
    (void)session_present;
    endpoint_wake(ctx, false);
}

static void on_down(void *ctx, Str why, bool again) {
    Endpoint *e = ctx;
    Sender *s = e->own;
    (void)again;
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    buf_reset(&s->down);
    buf_str_put(&s->down, why);
    pthread_mutex_unlock(&s->lock);
}

static void on_message(void *ctx, const MqttMessage *m) {
    (void)ctx;
    (void)m;
}

static bool on_burst(void *ctx) {
    (void)ctx;
    return false;
}

// Whose broker it is.
static Err lend(Endpoint *e, Sender *s, MqttConfig *c, Buf *why) {
    Doc p = endpoint_doc(e);
    Diag d;
    Str name = doc_str(&p, "connection", (Str){0}, CONNECT_NAME_MAX);
    if (name.n) {
        s->lender = connection_find(e->connect, name);
        if (!s->lender || !s->lender->kind) {
            buf_printf(why, "there is no connection \"%.*s\" that could be used", STR_ARG(name));
            return ERR_CONNECTION_NOT_FOUND;
        }
    }
    diag_init(&d);
    Err err = mqtt_config(s->lender ? &s->lender->doc : &e->doc, c, &d);
    if (err) diag_print(&d, why);
    diag_free(&d);
    if (err) return err;
    if (s->lender && c->client_id.n)
        c->client_id = arena_printf(&s->arena, "%.*s-%.*s", STR_ARG(c->client_id), STR_ARG(e->name));
    if (e->trial) c->client_id = (Str){0};
    if (s->lender || e->trial) c->clean_start = true;
    if (c->clean_start) c->session_expiry_s = 0;
    return ERR_OK;
}

static void close_sender(Endpoint *e) {
    Sender *s = e->own;
    if (s->link) mqtt_close(s->link);
    connection_unref(s->lender);
    buf_free(&s->down);
    buf_free(&s->name);
    arena_free(&s->arena);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
    e->own = NULL;
}

static Err open_sender(Endpoint *e, Buf *why) {
    static const MqttOps ops = {.up = on_up, .down = on_down, .message = on_message, .burst = on_burst};
    Sender *s = mem_alloc(sizeof *s);
    Doc p = endpoint_doc(e);
    MqttConfig c = {0};
    s->topic = doc_str(&p, "topic", TOPIC_DEFAULT, TOPIC_MAX);
    s->qos = (int32_t)doc_int(&p, "qos", 1, 0, 1);
    s->retain = doc_bool(&p, "retain", false);
    pthread_mutex_init(&s->lock, NULL);
    arena_init(&s->arena, 256);
    e->own = s;
    Err err = lend(e, s, &c, why);
    if (!err) err = mqtt_open(&c, &ops, e, &s->link);
    if (err) {
        close_sender(e);
        return err;
    }
    int64_t end = time_mono_ns() + UP_WAIT_NS;
    while (!mqtt_is_up(s->link) && time_mono_ns() < end && endpoint_pause(e, LOOK_NS)) continue;
    return ERR_OK;
}

// ---- messages -----------------------------------------------------------------------------------------------------

static void flight_unref(Flight *f) {
    bool last = --f->refs == 0;
    pthread_mutex_unlock(&f->lock);
    if (!last) return;
    pthread_cond_destroy(&f->landed);
    pthread_mutex_destroy(&f->lock);
    mem_free(f);
}

// On the link's thread.
static void on_sent(void *arg, Err err) {
    __typeof__(((Flight *)0)->at[0]) *seat = arg;
    Flight *f = seat->flight;
    pthread_mutex_lock(&f->lock);
    seat->err = err;
    seat->ended = true;
    f->left--;
    pthread_cond_signal(&f->landed);
    flight_unref(f);
}

static Flight *flight_new(void) {
    Flight *f = mem_alloc(sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    cond_init_mono(&f->landed);
    f->refs = 1;
    return f;
}

// Wait until one more has landed, or a moment. False: the endpoint is to stop. Lock not held.
static bool wait_some(Endpoint *e, Flight *f, int32_t until) {
    struct timespec t;
    pthread_mutex_lock(&f->lock);
    while (f->left > until) {
        t = time_after(LOOK_NS);
        pthread_cond_timedwait(&f->landed, &f->lock, &t);
        if (f->left <= until) break;
        pthread_mutex_unlock(&f->lock);
        if (endpoint_stopping(e)) return false;
        pthread_mutex_lock(&f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    return true;
}

// Give one message to the link. A full outbox: wait until something has left it.
static Err launch(Endpoint *e, Flight *f, const Outgoing *o) {
    Sender *s = e->own;
    put_topic(s->topic, o, &s->name);
    for (;;) {
        pthread_mutex_lock(&f->lock);
        int32_t i = f->count;
        f->at[i].flight = f;
        f->refs++;
        f->left++;
        f->count++;
        pthread_mutex_unlock(&f->lock);
        Err err = mqtt_publish(s->link, &(MqttOut){.topic = buf_str(&s->name),
                                                   .payload = o->body,
                                                   .qos = s->qos,
                                                   .retain = s->retain,
                                                   .content_type = STR("application/cloudevents+json"),
                                                   .sent = on_sent,
                                                   .arg = &f->at[i]});
        if (!err) return ERR_OK;
        pthread_mutex_lock(&f->lock);
        f->count--;
        f->left--;
        int32_t left = f->left;
        flight_unref(f);
        if (err != ERR_BUSY) return err;
        if (!left) return ERR_LIMIT; // it alone is too large
        if (!wait_some(e, f, left - 1)) return ERR_CLOSED;
    }
}

static void tell_down(Sender *s, SendResult *out) {
    pthread_mutex_lock(&s->lock);
    snprintf(out->why, sizeof out->why, "not connected%s%.*s", s->down.n ? ": " : "", (int)s->down.n,
             s->down.p ? s->down.p : "");
    pthread_mutex_unlock(&s->lock);
}

static void send_events(Endpoint *e, const Outgoing *events, int32_t n, SendResult *out) {
    Sender *s = e->own;
    Flight *f = flight_new();
    Err err = ERR_OK;
    int32_t launched = 0;
    CHECK(n <= MQTT_WINDOW);
    while (launched < n && !err) {
        err = launch(e, f, &events[launched]);
        if (!err) launched++;
    }
    bool all = err != ERR_CLOSED && wait_some(e, f, 0);
    pthread_mutex_lock(&f->lock);
    while (out->done < launched && f->at[out->done].ended && !f->at[out->done].err) out->done++;
    Err failed = out->done < launched ? f->at[out->done].err : err;
    flight_unref(f);
    out->kind = !all ? SEND_STOPPED : out->done == n ? SEND_OK : SEND_AGAIN;
    if (out->kind != SEND_AGAIN) return;
    if (failed == ERR_ARGUMENT || failed == ERR_LIMIT || failed == ERR_TOO_LARGE) {
        out->kind = SEND_REFUSED;
        out->refused = 1;
        snprintf(out->why, sizeof out->why, "%s",
                 failed == ERR_ARGUMENT ? "the topic is not possible" : "the message is too large");
    } else {
        tell_down(s, out);
    }
}

const EndpointKind endpoint_mqtt = {
    .name = "mqtt",
    .members = MEMBERS,
    .check = check,
    .open = open_sender,
    .close = close_sender,
    .send = send_events,
};
