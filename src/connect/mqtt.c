// SPDX-License-Identifier: Apache-2.0
// Invariants
//  1. Only the link's thread touches `mosq`; others put into the outbox, set a flag, and wake it.
//  2. Between a burst with something to wait for and its settlement nothing is read or written: what libmosquitto has
//     queued meanwhile are the acknowledgements of that burst.
//  3. Each connection to the broker has a new `mosq`: nothing queued for an old one is ever sent on a new one.
//
//   connecting --CONNACK--> up --lost, refused, silent--> waiting (back-off) --> connecting
#include "connect/mqtt.h"
#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "base/time.h"
#include "connect/mqtt_tls.h"

#define BACKOFF_MIN_NS NS_PER_S
#define BACKOFF_LONGEST_NS (60 * NS_PER_S)
#define STEADY_NS (5 * NS_PER_S)         // up for so long: the next back-off begins anew
#define CONNECT_NS (15 * NS_PER_S)       // from the first packet to CONNACK
#define SETTLE_NS (10 * NS_PER_S)        // waited for at the end
#define FLUSH_NS (2 * NS_PER_S)          // the same, for what goes out
#define BURST_NS (20 * NS_PER_MS)        // a burst ends, however much follows
#define BURST_BYTES ((int64_t)8 << 20)   // the same
#define OUT_INFLIGHT 10000               // given to libmosquitto at a time
#define PACKET_BYTES ((int64_t)16 << 20) // the broker drops larger ones (version 5)

// One message on its way out.
typedef struct Out {
    struct Out *next;
    char *topic, *payload; // topic with a NUL
    int32_t size, qos, mid;
    int64_t bytes;
    bool retain;
    mosquitto_property *props;
    void (*sent)(void *arg, Err err);
    void *arg;
} Out;

typedef struct Asked {
    struct Asked *next;
    int mid;
    Str filter; // owned
} Asked;

struct Mqtt {
    Arena keep; // the texts of config
    MqttConfig config;
    MqttOps ops;
    void *ctx;
    Thread thread;
    int wake_fd;
    _Atomic bool up, closing, settled, woken;
    pthread_mutex_t lock; // guards the outbox
    Out *first, *last;
    int64_t out_bytes; // in outbox and in flight
    // The link's thread alone:
    struct mosquitto *mosq;
    Rng rng;
    Out *flying[65536]; // by message id
    int64_t flying_count;
    Asked *asked;
    int64_t seen, burst_messages, burst_bytes;
    int64_t since_ns; // connecting or up since
    int64_t misc_ns;  // keep-alive was looked at
    int64_t backoff_ns;
    bool lost;
    Buf why, noted; // why it is lost; what libmosquitto said last
};

static void wake(Mqtt *m) {
    uint64_t one = 1;
    if (write(m->wake_fd, &one, sizeof one) < 0) return; // it is awake already
}

static void drain(Mqtt *m) {
    uint64_t n;
    if (read(m->wake_fd, &n, sizeof n) < 0) return;
}

// Wait for the wake-up call or `fd` (-1: none).
static int wait_for(Mqtt *m, int fd, short events, int64_t wait_ns) {
    struct pollfd p[2] = {{.fd = m->wake_fd, .events = POLLIN}, {.fd = fd, .events = events}};
    int ms = (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS);
    if (poll(p, 2, ms < 0 ? 0 : ms) <= 0) return 0;
    if (p[0].revents) drain(m);
    return p[1].revents;
}

// The link is lost, and why; the first reason stands.
static void lose(Mqtt *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// ---- out ----------------------------------------------------------------------------------------------------------

static void out_end(Mqtt *m, Out *o, Err err) {
    pthread_mutex_lock(&m->lock);
    m->out_bytes -= o->bytes;
    pthread_mutex_unlock(&m->lock);
    if (o->sent) o->sent(o->arg, err);
    mosquitto_property_free_all(&o->props);
    mem_free(o->topic);
    mem_free(o->payload);
    mem_free(o);
}

static Out *outbox_take(Mqtt *m, bool all) {
    pthread_mutex_lock(&m->lock);
    Out *o = m->first;
    m->first = o && !all ? o->next : NULL;
    if (!m->first) m->last = NULL;
    pthread_mutex_unlock(&m->lock);
    return o;
}

static bool outbox_empty(Mqtt *m) {
    pthread_mutex_lock(&m->lock);
    bool empty = !m->first;
    pthread_mutex_unlock(&m->lock);
    return empty;
}

static void outbox_send(Mqtt *m) {
    while (m->flying_count < OUT_INFLIGHT) {
        Out *o = outbox_take(m, false);
        if (!o) return;
        int rc = mosquitto_publish_v5(m->mosq, &o->mid, o->topic, o->size, o->payload, o->qos, o->retain, o->props);
        if (rc) {
            out_end(m, o, rc == MOSQ_ERR_NO_CONN ? ERR_DEVICE_OFFLINE : ERR_ARGUMENT);
            continue;
        }
        Out **slot = &m->flying[o->mid & 0xffff];
        if (*slot) { // the broker owes the answer to one while it answered 65,534 after it
            out_end(m, o, ERR_DEVICE_OFFLINE);
            lose(m, "The broker does not acknowledge a message");
            return;
        }
        *slot = o;
        m->flying_count++;
    }
}

static void on_publish(struct mosquitto *mosq, void *ctx, int mid, int reason, const mosquitto_property *props) {
    Mqtt *m = ctx;
    (void)mosq, (void)props;
    Out **slot = &m->flying[mid & 0xffff], *o = *slot;
    if (!o) return;
    *slot = NULL;
    m->flying_count--;
    out_end(m, o, reason >= 128 ? ERR_FORBIDDEN : ERR_OK);
}

// Nothing of this connection will be told of any more.
static void out_fail(Mqtt *m, Err err) {
    for (int i = 0; m->flying_count && i < 65536; i++) {
        Out *o = m->flying[i];
        if (!o) continue;
        m->flying[i] = NULL;
        m->flying_count--;
        out_end(m, o, err);
    }
    for (Out *o = outbox_take(m, true), *next; o; o = next) {
        next = o->next;
        out_end(m, o, err);
    }
}

static char *text_own(Str s) {
    char *p = mem_alloc((size_t)s.n + 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return p;
}

// A property with a NUL-terminated text.
static void add_text(mosquitto_property **list, int what, Str s) {
    if (!s.n) return;
    char *z = text_own(s);
    mosquitto_property_add_string(list, what, z);
    mem_free(z);
}

static void add_pair(mosquitto_property **list, Str name, Str value) {
    char *n = text_own(name), *v = text_own(value);
    mosquitto_property_add_string_pair(list, MQTT_PROP_USER_PROPERTY, n, v);
    mem_free(n);
    mem_free(v);
}

static mosquitto_property *properties_of(const MqttOut *out) {
    mosquitto_property *list = NULL;
    add_text(&list, MQTT_PROP_CONTENT_TYPE, out->content_type);
    add_text(&list, MQTT_PROP_RESPONSE_TOPIC, out->response_topic);
    if (out->correlation.n)
        mosquitto_property_add_binary(&list, MQTT_PROP_CORRELATION_DATA, out->correlation.p,
                                      (uint16_t)out->correlation.n);
    for (int32_t i = 0; i < out->user_count; i++) add_pair(&list, out->user_names[i], out->user_values[i]);
    return list;
}

static bool has_zero(Str s) { return s.n && memchr(s.p, 0, (size_t)s.n); }

static Err check_out(const MqttOut *out) {
    bool bad = !out->topic.n || out->topic.n > 65535 || has_zero(out->topic) || out->correlation.n > 65535 ||
               out->qos < 0 || out->qos > 2;
    if (bad || mosquitto_pub_topic_check2(out->topic.p, (size_t)out->topic.n)) return ERR_ARGUMENT;
    return out->payload.n > MQTT_OUT_BYTES_MAX ? ERR_TOO_LARGE : ERR_OK;
}

Err mqtt_publish(Mqtt *m, const MqttOut *out) {
    TRY(check_out(out));
    int64_t bytes = out->topic.n + out->payload.n + (int64_t)sizeof(Out);
    pthread_mutex_lock(&m->lock);
    bool up = atomic_load(&m->up), full = m->out_bytes + bytes > MQTT_OUT_BYTES_MAX + (int64_t)65536;
    if (up && !full) m->out_bytes += bytes;
    pthread_mutex_unlock(&m->lock);
    if (!up) return ERR_DEVICE_OFFLINE;
    if (full) return ERR_BUSY;
    Out *o = mem_alloc(sizeof *o);
    *o = (Out){.topic = text_own(out->topic),
               .payload = text_own(out->payload),
               .size = (int32_t)out->payload.n,
               .qos = out->qos,
               .bytes = bytes,
               .retain = out->retain,
               .props = m->config.version == 5 ? properties_of(out) : NULL,
               .sent = out->sent,
               .arg = out->arg};
    pthread_mutex_lock(&m->lock);
    up = atomic_load(&m->up); // `up` goes under this lock: what is in the outbox then, is failed
    if (up && m->last) m->last->next = o;
    else if (up) m->first = o;
    if (up) m->last = o;
    pthread_mutex_unlock(&m->lock);
    if (up) {
        wake(m);
        return ERR_OK;
    }
    o->sent = NULL;
    out_end(m, o, ERR_DEVICE_OFFLINE);
    return ERR_DEVICE_OFFLINE;
}

// ---- what libmosquitto tells --------------------------------------------------------------------------------------

static const char *error_text(int error) {
    const char *text = strerrordesc_np(error);
    return text ? text : "an unknown error";
}

static void lose(Mqtt *m, const char *fmt, ...) {
    if (m->lost) return;
    m->lost = true;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&m->why, fmt, ap);
    va_end(ap);
    if (m->noted.n) buf_printf(&m->why, " (%.*s)", STR_ARG(str_trim(buf_str(&m->noted))));
}

static void on_log(struct mosquitto *mosq, void *ctx, int level, const char *text) {
    Mqtt *m = ctx;
    (void)mosq;
    if (level != MOSQ_LOG_ERR) return;
    buf_reset(&m->noted);
    buf_printf(&m->noted, "%.300s", text);
}

static void on_connect(struct mosquitto *mosq, void *ctx, int rc, int flags, const mosquitto_property *props) {
    Mqtt *m = ctx;
    (void)mosq, (void)props;
    if (rc) {
        const char *text = m->config.version == 5 ? mosquitto_reason_string(rc) : mosquitto_connack_string(rc);
        lose(m, "The broker refuses the connection: %s", text);
        return;
    }
    m->since_ns = time_mono_ns();
    atomic_store(&m->up, true);
    m->ops.up(m->ctx, flags & 1);
}

static void on_disconnect(struct mosquitto *mosq, void *ctx, int rc, const mosquitto_property *props) {
    Mqtt *m = ctx;
    int error = errno;
    (void)mosq, (void)props;
    if (rc == MOSQ_ERR_ERRNO) lose(m, "The connection to the broker failed: %s", error_text(error));
    else if (rc == MOSQ_ERR_KEEPALIVE) lose(m, "The broker is silent");
    else if (rc >= 128) lose(m, "The broker ended the connection: %s", mosquitto_reason_string(rc));
    else lose(m, "The connection to the broker was lost: %s", rc ? mosquitto_strerror(rc) : "it was closed");
}

// The texts of version 5 that who asks needs; *text stays until the next call.
static void read_properties(const mosquitto_property *props, MqttMessage *out, char **topic, void **data) {
    uint16_t n = 0;
    *topic = NULL;
    *data = NULL;
    if (!props) return;
    mosquitto_property_read_string(props, MQTT_PROP_RESPONSE_TOPIC, topic, false);
    mosquitto_property_read_binary(props, MQTT_PROP_CORRELATION_DATA, data, &n, false);
    out->response_topic = str_of(*topic);
    if (*data) out->correlation = (Str){*data, n};
}

static void on_message(struct mosquitto *mosq, void *ctx, const struct mosquitto_message *msg,
                       const mosquitto_property *props) {
    Mqtt *m = ctx;
    (void)mosq;
    m->seen++;
    m->burst_messages++;
    m->burst_bytes += msg->payloadlen;
    Str topic = str_of(msg->topic);
    if (msg->payloadlen > MQTT_PAYLOAD_MAX) {
        if (m->ops.large) m->ops.large(m->ctx, topic, msg->payloadlen);
        return;
    }
    MqttMessage out = {
        .topic = topic, .payload = {msg->payload, msg->payloadlen}, .qos = msg->qos, .retain = msg->retain};
    char *response;
    void *data;
    read_properties(props, &out, &response, &data);
    m->ops.message(m->ctx, &out);
    mem_free(response);
    mem_free(data);
}

static void on_subscribe(struct mosquitto *mosq, void *ctx, int mid, int count, const int *granted,
                         const mosquitto_property *props) {
    Mqtt *m = ctx;
    (void)mosq, (void)props;
    for (Asked **at = &m->asked; *at; at = &(*at)->next) {
        Asked *a = *at;
        if (a->mid != mid) continue;
        bool no = count > 0 && granted[0] >= 128;
        const char *why = m->config.version == 5 && no ? mosquitto_reason_string(granted[0]) : "refused";
        if (no && m->ops.refused) m->ops.refused(m->ctx, a->filter, str_of(why));
        *at = a->next;
        mem_free((char *)a->filter.p);
        mem_free(a);
        return;
    }
}

Err mqtt_subscribe(Mqtt *m, Str filter, int32_t qos) {
    if (!filter.n || filter.n > 65535 || has_zero(filter) || mosquitto_sub_topic_check2(filter.p, (size_t)filter.n))
        return ERR_ARGUMENT;
    Asked *a = mem_alloc(sizeof *a);
    *a = (Asked){.next = m->asked, .filter = {text_own(filter), filter.n}};
    m->asked = a;
    int rc = mosquitto_subscribe_v5(m->mosq, &a->mid, a->filter.p, qos > 1 ? 1 : qos, 0, NULL);
    return rc ? ERR_IO : ERR_OK;
}

static void forget_asked(Mqtt *m) {
    for (Asked *a = m->asked, *next; a; a = next) {
        next = a->next;
        mem_free((char *)a->filter.p);
        mem_free(a);
    }
    m->asked = NULL;
}

// ---- connecting ---------------------------------------------------------------------------------------------------

static int set_tls(Mqtt *m) {
    SSL_CTX *ctx = NULL;
    Buf why = {0};
    int rc = MOSQ_ERR_TLS;
    if (mqtt_tls_make(&m->config, &ctx, &why)) {
        lose(m, "%.*s", STR_ARG(buf_str(&why)));
    } else {
        rc = mosquitto_int_option(m->mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
        if (!rc) rc = mosquitto_void_option(m->mosq, MOSQ_OPT_SSL_CTX, ctx);
        SSL_CTX_free(ctx);
    }
    buf_free(&why);
    return rc;
}

static int set_will(Mqtt *m) {
    const MqttConfig *c = &m->config;
    if (!c->will_topic.n) return 0;
    Buf made = {0};
    if (m->ops.will) m->ops.will(m->ctx, &made);
    Str text = m->ops.will ? buf_str(&made) : c->will_payload;
    int rc = mosquitto_will_set(m->mosq, c->will_topic.p, (int)text.n, text.p, c->will_qos, c->will_retain);
    buf_free(&made);
    return rc;
}

static int set_options(Mqtt *m) {
    const MqttConfig *c = &m->config;
    struct mosquitto *q = m->mosq;
    mosquitto_connect_v5_callback_set(q, on_connect);
    mosquitto_disconnect_v5_callback_set(q, on_disconnect);
    mosquitto_message_v5_callback_set(q, on_message);
    mosquitto_publish_v5_callback_set(q, on_publish);
    mosquitto_subscribe_v5_callback_set(q, on_subscribe);
    mosquitto_log_callback_set(q, on_log);
    mosquitto_threaded_set(q, true);
    int rc =
        mosquitto_int_option(q, MOSQ_OPT_PROTOCOL_VERSION, c->version == 5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    if (!rc) rc = mosquitto_int_option(q, MOSQ_OPT_RECEIVE_MAXIMUM, c->receive_max ? c->receive_max : 65535);
    if (!rc) rc = mosquitto_int_option(q, MOSQ_OPT_SEND_MAXIMUM, 1000);
    if (!rc) rc = mosquitto_int_option(q, MOSQ_OPT_TCP_NODELAY, 1);
    if (!rc && c->username.n) rc = mosquitto_username_pw_set(q, c->username.p, c->password.n ? c->password.p : NULL);
    if (!rc) rc = set_will(m);
    if (!rc && c->tls) rc = set_tls(m);
    return rc;
}

// Properties can only be given to the call that waits for the network; without a host it keeps them and does no more.
static void keep_properties(Mqtt *m) {
    if (m->config.version != 5) return;
    mosquitto_property *list = NULL;
    mosquitto_property_add_int32(&list, MQTT_PROP_SESSION_EXPIRY_INTERVAL, (uint32_t)m->config.session_expiry_s);
    mosquitto_property_add_int32(&list, MQTT_PROP_MAXIMUM_PACKET_SIZE, (uint32_t)PACKET_BYTES);
    mosquitto_connect_bind_v5(m->mosq, NULL, 0, (int)m->config.keep_alive_s, NULL, list);
    mosquitto_property_free_all(&list);
}

static void connect_begin(Mqtt *m) {
    const MqttConfig *c = &m->config;
    m->lost = false;
    buf_reset(&m->why);
    buf_reset(&m->noted);
    m->mosq = mosquitto_new(c->client_id.p, c->clean_start, m);
    CHECK(m->mosq);
    m->since_ns = m->misc_ns = time_mono_ns();
    int rc = set_options(m);
    if (!rc) keep_properties(m);
    errno = 0;
    if (!rc) rc = mosquitto_connect_async(m->mosq, c->host.p, c->port, (int)c->keep_alive_s);
    if (rc > 0)
        lose(m, "The broker cannot be reached: %s", rc == MOSQ_ERR_ERRNO ? error_text(errno) : mosquitto_strerror(rc));
}

static void connect_end(Mqtt *m) {
    pthread_mutex_lock(&m->lock);
    bool was = atomic_exchange(&m->up, false);
    pthread_mutex_unlock(&m->lock);
    if (was && time_mono_ns() - m->since_ns > STEADY_NS) m->backoff_ns = 0;
    out_fail(m, ERR_DEVICE_OFFLINE);
    forget_asked(m);
    mosquitto_destroy(m->mosq);
    m->mosq = NULL;
}

// ---- the loop -----------------------------------------------------------------------------------------------------

static bool tls_pending(Mqtt *m) {
    SSL *ssl = m->config.tls ? mosquitto_ssl_get(m->mosq) : NULL;
    return ssl && SSL_pending(ssl) > 0;
}

// Everything queued in as few packets as possible.
static void write_all(Mqtt *m) {
    int fd = mosquitto_socket(m->mosq), on = 1, off = 0;
    if (fd < 0) return;
    if (!m->config.tls) setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    int rc = mosquitto_loop_write(m->mosq, 1);
    if (rc) lose(m, "The connection to the broker was lost: %s", mosquitto_strerror(rc));
    fd = mosquitto_socket(m->mosq);
    if (fd >= 0 && !m->config.tls) setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
}

// Wait for the owner. The broker may well be gone when it is done.
static void wait_settled(Mqtt *m) {
    int64_t end = 0;
    while (!atomic_load(&m->settled)) {
        if (atomic_load(&m->closing) && !end) end = time_mono_ns() + SETTLE_NS;
        if (end && time_mono_ns() > end) {
            lose(m, "The last messages were not settled in time"); // without acknowledgement the broker keeps them
            return;
        }
        wait_for(m, -1, 0, NS_PER_S);
    }
}

static void end_burst(Mqtt *m) {
    atomic_store(&m->settled, false);
    atomic_store(&m->woken, false);
    if (m->ops.burst(m->ctx)) wait_settled(m);
}

// Read until nothing is there or enough is.
static void read_burst(Mqtt *m) {
    m->burst_messages = m->burst_bytes = 0;
    int64_t start = time_mono_ns();
    int quiet = 0; // packets in a row that were no message
    while (m->burst_messages < MQTT_BURST_MAX && m->burst_bytes < BURST_BYTES) {
        int64_t before = m->seen;
        errno = 0;
        int rc = mosquitto_loop_read(m->mosq, 1);
        if (rc) lose(m, "The connection to the broker was lost: %s", mosquitto_strerror(rc));
        if (rc || m->lost) break;
        quiet = m->seen == before ? quiet + 1 : 0;
        if (quiet > 16 || (quiet && errno == EAGAIN && !tls_pending(m))) break;
        if ((m->seen & 63) == 0 && time_mono_ns() - start > BURST_NS) break;
    }
    if (m->burst_messages) end_burst(m);
}

static void look_after(Mqtt *m) {
    int64_t now = time_mono_ns();
    if (!atomic_load(&m->up) && now - m->since_ns > CONNECT_NS) lose(m, "The broker does not answer");
    if (now - m->misc_ns < NS_PER_S) return;
    m->misc_ns = now;
    mosquitto_loop_misc(m->mosq); // calls on_disconnect when the broker is silent
}

// One turn: wait, write, read.
static void turn(Mqtt *m) {
    int fd = mosquitto_socket(m->mosq);
    if (fd < 0) {
        lose(m, "The connection to the broker was lost");
        return;
    }
    bool write_wanted = mosquitto_want_write(m->mosq);
    int events = tls_pending(m) ? POLLIN : wait_for(m, fd, (short)(POLLIN | (write_wanted ? POLLOUT : 0)), NS_PER_S);
    if (events & (POLLERR | POLLHUP) && !(events & POLLIN)) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        lose(m, "The broker cannot be reached: %s", error_text(error ? error : ECONNRESET));
        return;
    }
    if (events & POLLIN) read_burst(m);
    if (!m->lost && atomic_load(&m->woken)) end_burst(m);
    if (m->lost) return;
    if (atomic_load(&m->up)) outbox_send(m);
    if (mosquitto_want_write(m->mosq)) write_all(m);
    if (!m->lost) look_after(m);
}

// Send what waits, then DISCONNECT.
static void leave(Mqtt *m) {
    int64_t end = time_mono_ns() + FLUSH_NS;
    while (!m->lost && (m->flying_count || !outbox_empty(m)) && time_mono_ns() < end) {
        outbox_send(m);
        turn(m);
    }
    if (m->lost || !atomic_load(&m->up)) return;
    mosquitto_disconnect(m->mosq);
    while (!m->lost && mosquitto_socket(m->mosq) >= 0 && mosquitto_want_write(m->mosq) && time_mono_ns() < end) {
        write_all(m);
        if (mosquitto_want_write(m->mosq)) wait_for(m, mosquitto_socket(m->mosq), POLLOUT, 100 * NS_PER_MS);
    }
}

static void serve(Mqtt *m) {
    connect_begin(m);
    while (!m->lost && !atomic_load(&m->closing)) turn(m);
    bool closing = atomic_load(&m->closing);
    if (closing) leave(m);
    connect_end(m);
    if (!closing) m->ops.down(m->ctx, buf_str(&m->why), true);
}

// 1 s, 2 s, ... 60 s, each up to a quarter shorter, so that not all come back at once.
static void rest(Mqtt *m) {
    m->backoff_ns = m->backoff_ns ? m->backoff_ns * 2 : BACKOFF_MIN_NS;
    if (m->backoff_ns > BACKOFF_LONGEST_NS) m->backoff_ns = BACKOFF_LONGEST_NS;
    int64_t end = time_mono_ns() + m->backoff_ns - (int64_t)((double)m->backoff_ns * rng_f64(&m->rng) / 4);
    while (!atomic_load(&m->closing) && time_mono_ns() < end) {
        wait_for(m, -1, 0, end - time_mono_ns());
        if (atomic_load(&m->woken)) end_burst(m);
    }
}

static void *loop_main(void *arg) {
    Mqtt *m = arg;
    while (!atomic_load(&m->closing)) {
        serve(m);
        rest(m);
    }
    return NULL;
}

// ---- life ---------------------------------------------------------------------------------------------------------

static void init_library(void) { mosquitto_lib_init(); }

static void copy_texts(Mqtt *m) {
    MqttConfig *c = &m->config;
    Str *const texts[] = {&c->host, &c->client_id,    &c->username,    &c->password,   &c->ca,          &c->cert,
                          &c->key,  &c->key_password, &c->server_name, &c->will_topic, &c->will_payload};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) *texts[i] = arena_str(&m->keep, *texts[i]);
}

static void mqtt_free(Mqtt *m) {
    close(m->wake_fd);
    buf_free(&m->why);
    buf_free(&m->noted);
    pthread_mutex_destroy(&m->lock);
    arena_free(&m->keep);
    mem_free(m);
}

Err mqtt_open(const MqttConfig *c, const MqttOps *ops, void *ctx, Mqtt **out) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Atomic uint64_t links;
    pthread_once(&once, init_library);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) return ERR_IO;
    Mqtt *m = mem_alloc(sizeof *m);
    m->wake_fd = fd;
    m->config = *c;
    m->ops = *ops;
    m->ctx = ctx;
    arena_init(&m->keep, 1024);
    pthread_mutex_init(&m->lock, NULL);
    m->rng = rng_make((uint64_t)time_now_ns() ^ (uint64_t)getpid() << 40, atomic_fetch_add(&links, 1));
    copy_texts(m);
    if (!c->client_id.n) {
        m->config.client_id = arena_printf(&m->keep, "sosia-%016llx", (unsigned long long)rng_u64(&m->rng));
        m->config.clean_start = true;
    }
    *out = m; // callbacks may look at it before this returns
    Err err = thread_start(&m->thread, "mqtt", loop_main, m);
    if (err) mqtt_free(m);
    return err;
}

void mqtt_settle(Mqtt *m) {
    atomic_store(&m->settled, true);
    wake(m);
}

void mqtt_wake(Mqtt *m) {
    atomic_store(&m->woken, true);
    wake(m);
}

bool mqtt_is_up(const Mqtt *m) { return atomic_load(&m->up); }

void mqtt_leave(Mqtt *m) {
    atomic_store(&m->closing, true);
    wake(m);
    thread_join(&m->thread);
}

void mqtt_close(Mqtt *m) {
    if (!m) return;
    mqtt_leave(m);
    mqtt_free(m);
}
