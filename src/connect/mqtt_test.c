// SPDX-License-Identifier: Apache-2.0
// The link to a broker, against a real mosquitto: nothing is acknowledged before it is settled; links come back.
// LABELS: threads
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/thread.h"
#include "base/time.h"
#include "connect/mqtt.h"
#include "connect/test_broker.h"

typedef struct Link {
    Mqtt *mqtt;
    const char *filter;
    int qos;
    bool hold; // bursts are not settled by themselves
    _Atomic int ups, downs, messages, bursts, large, refused, kept;
    _Atomic int sent_ok, sent_failed;
    pthread_mutex_t lock;
    Buf seen; // "topic=payload;"
} Link;

static void on_up(void *ctx, bool present) {
    Link *l = ctx;
    l->kept += present;
    if (l->filter) assert_int_equal(mqtt_subscribe(l->mqtt, str_of(l->filter), l->qos), ERR_OK);
    l->ups++;
}

static void on_down(void *ctx, Str why, bool again) {
    Link *l = ctx;
    (void)again;
    print_message("down: %.*s\n", STR_ARG(why));
    assert_true(why.n > 0);
    l->downs++;
}

static void on_message(void *ctx, const MqttMessage *m) {
    Link *l = ctx;
    pthread_mutex_lock(&l->lock);
    if (l->seen.n < 4096) buf_printf(&l->seen, "%.*s=%.*s;", STR_ARG(m->topic), STR_ARG(m->payload));
    if (m->response_topic.n) buf_printf(&l->seen, "to %.*s %.*s;", STR_ARG(m->response_topic), STR_ARG(m->correlation));
    pthread_mutex_unlock(&l->lock);
    l->messages++;
}

static bool on_burst(void *ctx) {
    Link *l = ctx;
    l->bursts++;
    if (!l->hold) mqtt_settle(l->mqtt);
    return true;
}

static void on_large(void *ctx, Str topic, int64_t size) {
    Link *l = ctx;
    assert_true(topic.n > 0 && size > MQTT_PAYLOAD_MAX);
    l->large++;
}

static void on_refused(void *ctx, Str filter, Str why) {
    Link *l = ctx;
    assert_true(filter.n > 0 && why.n > 0);
    l->refused++;
}

static const MqttOps ops = {
    .up = on_up, .down = on_down, .message = on_message, .burst = on_burst, .large = on_large, .refused = on_refused};

static void link_open(Link *l, const Broker *b, MqttConfig c) {
    c.host = STR("127.0.0.1");
    c.port = b->port;
    if (!c.version) c.version = 5;
    if (!c.keep_alive_s) c.keep_alive_s = 30;
    pthread_mutex_init(&l->lock, NULL);
    assert_int_equal(mqtt_open(&c, &ops, l, &l->mqtt), ERR_OK);
}

static void link_close(Link *l) {
    mqtt_close(l->mqtt);
    buf_free(&l->seen);
    pthread_mutex_destroy(&l->lock);
    *l = (Link){0};
}

static void await(_Atomic int *counter, int least) {
    int64_t end = time_mono_ns() + 90 * NS_PER_S;
    while (atomic_load(counter) < least) {
        if (time_mono_ns() > end) fail_msg("%d instead of %d", atomic_load(counter), least);
        thread_sleep_ns(5 * NS_PER_MS);
    }
}

static void await_log(const Broker *b, const char *text) {
    int64_t end = time_mono_ns() + 60 * NS_PER_S;
    while (!broker_logged(b, text)) {
        if (time_mono_ns() > end) fail_msg("the broker does not log: %s", text);
        thread_sleep_ns(5 * NS_PER_MS);
    }
}

static bool has_seen(Link *l, const char *text) {
    pthread_mutex_lock(&l->lock);
    bool found = str_find_str(buf_str(&l->seen), str_of(text)) >= 0;
    pthread_mutex_unlock(&l->lock);
    return found;
}

static void on_sent(void *arg, Err err) {
    Link *l = arg;
    if (err) l->sent_failed++;
    else l->sent_ok++;
}

static void publish(Link *l, const char *topic, const char *payload, int qos) {
    MqttOut out = {.topic = str_of(topic), .payload = str_of(payload), .qos = qos, .sent = on_sent, .arg = l};
    assert_int_equal(mqtt_publish(l->mqtt, &out), ERR_OK);
}

#define NEED(b, options)                                                                                               \
    if (!broker_open(b, options)) {                                                                                    \
        print_message("SKIP: mosquitto is not installed\n");                                                           \
        skip();                                                                                                        \
    }

// A message that was handed over and not settled is sent again to the same client; a settled one is not.
static void unsettled_comes_again(int version) {
    Broker b;
    NEED(&b, "");
    MqttConfig c = {.client_id = STR("keeper"), .version = version, .session_expiry_s = 3600};
    Link from = {0}, to = {.filter = "a/#", .qos = 1};
    link_open(&from, &b, (MqttConfig){.clean_start = true});
    link_open(&to, &b, c);
    await(&to.ups, 1);
    await(&from.ups, 1);
    await_log(&b, "Sending SUBACK to keeper");
    publish(&from, "a/settled", "1", 1);
    await(&from.sent_ok, 1);
    await(&to.messages, 1);
    link_close(&to);
    to = (Link){.filter = "a/#", .qos = 1, .hold = true};
    link_open(&to, &b, c);
    await(&to.ups, 1);
    assert_int_equal(to.kept, 1); // the broker knew us, and nothing waits in it
    publish(&from, "a/open", "2", 1);
    publish(&from, "a/open", "3", 1);
    await(&to.bursts, 1);
    assert_false(has_seen(&to, "a/settled"));
    assert_false(broker_logged(&b, "Received PUBACK from keeper (Mid: 2"));
    link_close(&to); // gives up after a while: the acknowledgement never left
    assert_false(broker_logged(&b, "Received PUBACK from keeper (Mid: 2"));
    to = (Link){.filter = "a/#", .qos = 1};
    link_open(&to, &b, c);
    await(&to.messages, 2);
    assert_true(has_seen(&to, "a/open=2;"));
    assert_true(has_seen(&to, "a/open=3;"));
    assert_false(has_seen(&to, "a/settled"));
    link_close(&to);
    link_close(&from);
    broker_close(&b);
}

static void test_unsettled_v5(void **state) {
    (void)state;
    unsettled_comes_again(5);
}

static void test_unsettled_v311(void **state) {
    (void)state;
    unsettled_comes_again(4);
}

// The broker dies and comes back: the link too, with its subscription.
static void test_broker_restarts(void **state) {
    (void)state;
    Broker b;
    NEED(&b, "");
    Link l = {.filter = "a/+", .qos = 0};
    link_open(&l, &b, (MqttConfig){.clean_start = true, .version = 4});
    await(&l.ups, 1);
    broker_signal(&b, SIGKILL);
    await(&l.downs, 1);
    assert_false(mqtt_is_up(l.mqtt));
    assert_int_equal(mqtt_publish(l.mqtt, &(MqttOut){.topic = STR("a/b")}), ERR_DEVICE_OFFLINE);
    broker_again(&b);
    await(&l.ups, 2);
    publish(&l, "a/b", "again", 0);
    await(&l.messages, 1);
    await(&l.sent_ok, 1);
    link_close(&l);
    broker_close(&b);
}

// A broker that says nothing any more is left within two keep-alives and found again.
static void test_half_open(void **state) {
    (void)state;
    Broker b;
    NEED(&b, "");
    Link l = {.filter = "a/+", .qos = 1};
    link_open(&l, &b, (MqttConfig){.clean_start = true, .keep_alive_s = 5});
    await(&l.ups, 1);
    broker_signal(&b, SIGSTOP);
    await(&l.downs, 1);
    broker_signal(&b, SIGCONT);
    await(&l.ups, 2);
    link_close(&l);
    broker_close(&b);
}

// What waits to go out when the link is lost fails, each exactly once.
static void test_out_fails(void **state) {
    (void)state;
    Broker b;
    NEED(&b, "");
    Link l = {0};
    link_open(&l, &b, (MqttConfig){.clean_start = true});
    await(&l.ups, 1);
    broker_signal(&b, SIGSTOP);
    for (int i = 0; i < 500; i++) publish(&l, "a/b", "text", 1);
    broker_signal(&b, SIGKILL);
    int64_t end = time_mono_ns() + 60 * NS_PER_S;
    while (l.sent_ok + l.sent_failed < 500 && time_mono_ns() < end) thread_sleep_ns(5 * NS_PER_MS);
    assert_int_equal(l.sent_ok, 0);
    assert_int_equal(l.sent_failed, 500);
    link_close(&l);
    broker_close(&b);
}

// At the limit of what may wait there is BUSY, not more memory.
static void test_out_is_bounded(void **state) {
    (void)state;
    Broker b;
    NEED(&b, "");
    Link l = {0};
    link_open(&l, &b, (MqttConfig){.clean_start = true});
    await(&l.ups, 1);
    broker_signal(&b, SIGSTOP);
    Buf big = {0};
    for (int i = 0; i < 1 << 16; i++) buf_str_put(&big, STR("0123456789abcdef"));
    MqttOut out = {.topic = STR("a"), .payload = buf_str(&big), .sent = on_sent, .arg = &l};
    int taken = 0;
    Err err = ERR_OK;
    for (; taken < 100 && !(err = mqtt_publish(l.mqtt, &out)); taken++) {}
    assert_int_equal(err, ERR_BUSY);
    assert_true(taken >= 15);
    broker_signal(&b, SIGCONT);
    await(&l.sent_ok, taken);
    buf_free(&big);
    link_close(&l);
    broker_close(&b);
}

// Properties of version 5 arrive; large messages are told of; bad topics are refused; bad subscriptions, too.
static void test_details(void **state) {
    (void)state;
    Broker b;
    NEED(&b, "");
    Link l = {.filter = "a/#", .qos = 2};
    link_open(&l, &b, (MqttConfig){.clean_start = true});
    await(&l.ups, 1);
    MqttOut out = {
        .topic = STR("a/b"), .payload = STR("x"), .qos = 1, .response_topic = STR("r/t"), .correlation = STR("c1")};
    assert_int_equal(mqtt_publish(l.mqtt, &out), ERR_OK);
    await(&l.messages, 1);
    assert_true(has_seen(&l, "a/b=x;to r/t c1;"));
    Buf big = {0};
    for (int i = 0; i < 1 << 17; i++) buf_str_put(&big, STR("0123456789"));
    out.payload = buf_str(&big);
    assert_int_equal(mqtt_publish(l.mqtt, &out), ERR_OK);
    await(&l.large, 1);
    out.topic = STR("a/+");
    assert_int_equal(mqtt_publish(l.mqtt, &out), ERR_ARGUMENT);
    out.topic = STR("");
    assert_int_equal(mqtt_publish(l.mqtt, &out), ERR_ARGUMENT);
    buf_free(&big);
    link_close(&l);
    broker_close(&b);
}

// A flood of QoS 1 arrives whole.
static void test_flood(void **state) {
    (void)state;
    Broker b;
    NEED(&b, "max_inflight_messages 0");
    Link from = {0}, to = {.filter = "f/#", .qos = 1};
    link_open(&to, &b, (MqttConfig){.clean_start = true, .client_id = STR("reader")});
    link_open(&from, &b, (MqttConfig){.clean_start = true, .version = 4});
    await_log(&b, "Sending SUBACK to reader");
    await(&from.ups, 1);
    int count = 20000;
    for (int i = 0; i < count; i++) {
        MqttOut out = {.topic = STR("f/1"), .payload = STR("42"), .qos = 1, .sent = on_sent, .arg = &from};
        Err err;
        while ((err = mqtt_publish(from.mqtt, &out)) == ERR_BUSY) thread_sleep_ns(NS_PER_MS);
        assert_int_equal(err, ERR_OK);
    }
    await(&from.sent_ok, count);
    await(&to.messages, count);
    assert_int_equal(to.messages, count);
    link_close(&to);
    link_close(&from);
    broker_close(&b);
}

static Err parse(const char *text, MqttConfig *c, Buf *why) {
    Arena arena;
    Diag d;
    Json doc;
    arena_init(&arena, 0);
    diag_init(&d);
    assert_int_equal(json_parse(str_of(text), NULL, &arena, &doc, NULL), ERR_OK);
    Err err = mqtt_config(&doc, c, &d);
    buf_reset(why);
    diag_print(&d, why);
    diag_free(&d);
    arena_free(&arena);
    return err;
}

// Complaints name the member.
static void test_config(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"{}", "url: this member is needed"},
        {"{\"url\":\"http://x\"}", "url: "},
        {"{\"url\":\"mqtt://\"}", "url: "},
        {"{\"url\":\"mqtt://h:0\"}", "url: "},
        {"{\"url\":\"mqtt://h:70000\"}", "url: "},
        {"{\"url\":\"mqtt://u:p@h\"}", "username and password"},
        {"{\"url\":\"mqtt://h\",\"version\":\"4\"}", "version: one of \"5\", \"3.1.1\""},
        {"{\"url\":\"mqtt://h\",\"keepAlive\":1}", "keepAlive: a number from 5"},
        {"{\"url\":\"mqtt://h\",\"cleanStart\":false}", "clientId: "},
        {"{\"url\":\"mqtt://h\",\"cleanStart\":1}", "cleanStart: true or false"},
        {"{\"url\":\"mqtt://h\",\"password\":\"x\"}", "username: "},
        {"{\"url\":\"mqtt://h\",\"tls\":{}}", "tls: "},
        {"{\"url\":\"mqtts://h\",\"tls\":{\"ca\":\"x\"}}", "tls.ca: a PEM text"},
        {"{\"url\":\"mqtts://h\",\"tls\":{\"ca\":\"-----BEGIN x\"}}", "tls.ca: there is no certificate"},
        {"{\"url\":\"mqtts://h\",\"tls\":{\"cert\":\"/x\"}}", "tls.key: "},
        {"{\"url\":\"mqtts://h\",\"tls\":{\"serverNam\":\"/x\"}}", "did you mean \"serverName\"?"},
    };
    MqttConfig c;
    Buf why = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse(bad[i].text, &c, &why), ERR_ARGUMENT);
        if (str_find_str(buf_str(&why), str_of(bad[i].says)) < 0)
            fail_msg("%s: %.*s", bad[i].text, STR_ARG(buf_str(&why)));
    }
    assert_int_equal(parse("{\"url\":\"mqtt://[::1]:99\",\"other\":1}", &c, &why), ERR_OK);
    assert_int_equal(c.port, 99);
    assert_true(c.clean_start);
    assert_int_equal(parse("{\"url\":\"mqtts://h/\",\"clientId\":\"c\",\"version\":\"3.1.1\"}", &c, &why), ERR_OK);
    assert_int_equal(c.port, 8883);
    assert_true(c.tls && !c.clean_start && c.version == 4);
    buf_free(&why);
}

// ---- a broker that forgets one ------------------------------------------------------------------------------------

typedef struct Forgetful {
    int listener;
    Thread thread;
} Forgetful;

// The rest of a packet: its size; -1 at the end. `body` gets the first bytes.
static int64_t packet_rest(FILE *in, uint8_t *body, size_t cap) {
    int64_t size = 0;
    for (int shift = 0, c = 128; c & 128; shift += 7) {
        if ((c = fgetc(in)) == EOF) return -1;
        size |= (int64_t)(c & 127) << shift;
    }
    for (int64_t i = 0; i < size; i++) {
        int c = fgetc(in);
        if (c == EOF) return -1;
        if (i < (int64_t)cap) body[i] = (uint8_t)c;
    }
    return size;
}

// One link: everything is acknowledged but the first message.
static void forget_first(int fd) {
    FILE *in = fdopen(fd, "rb");
    bool first = true;
    uint8_t b[64];
    for (int type; (type = fgetc(in)) != EOF && packet_rest(in, b, sizeof b) >= 0;) {
        const uint8_t *mid = b + 2 + b[1]; // behind a short topic
        uint8_t hello[] = {0x20, 2, 0, 0}, pong[] = {0xd0, 0}, ack[] = {0x40, 2, mid[0], mid[1]};
        ssize_t sent = 0;
        if (type == 0x10) sent = send(fd, hello, sizeof hello, MSG_NOSIGNAL);
        else if (type == 0xc0) sent = send(fd, pong, sizeof pong, MSG_NOSIGNAL);
        else if (type >> 4 == 3 && !first) sent = send(fd, ack, sizeof ack, MSG_NOSIGNAL);
        first &= type >> 4 != 3;
        if (sent < 0 || type == 0xe0) break;
    }
    fclose(in);
}

static void *forgetful_main(void *arg) {
    Forgetful *f = arg;
    for (int fd; (fd = accept(f->listener, NULL, NULL)) >= 0;) forget_first(fd);
    return NULL;
}

static int forgetful_open(Forgetful *f) {
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof sa;
    f->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(f->listener, 4), 0);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&sa, &size), 0);
    assert_int_equal(thread_start(&f->thread, "broker", forgetful_main, f), ERR_OK);
    return ntohs(sa.sin_port);
}

// Ids of messages are 16 bits: when one comes round that still waits, the link is made anew.
static void test_unacknowledged_for_ever(void **state) {
    (void)state;
    Forgetful f = {0};
    Broker b = {.port = forgetful_open(&f)};
    Link l = {0};
    link_open(&l, &b, (MqttConfig){.version = 4, .clean_start = true});
    await(&l.ups, 1);
    MqttOut out = {.topic = STR("t"), .payload = STR("1"), .qos = 1, .sent = on_sent, .arg = &l};
    for (int i = 0; i < 70000;) {
        Err err = mqtt_publish(l.mqtt, &out);
        if (err == ERR_DEVICE_OFFLINE) break;
        if (err == ERR_BUSY) thread_sleep_ns(NS_PER_MS);
        else i++;
    }
    await(&l.downs, 1);
    await(&l.sent_failed, 1);
    await(&l.sent_ok, 50000);
    await(&l.ups, 2);
    link_close(&l);
    shutdown(f.listener, SHUT_RDWR);
    thread_join(&f.thread);
    close(f.listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config),          cmocka_unit_test(test_details),
        cmocka_unit_test(test_unsettled_v5),    cmocka_unit_test(test_unsettled_v311),
        cmocka_unit_test(test_broker_restarts), cmocka_unit_test(test_half_open),
        cmocka_unit_test(test_out_fails),       cmocka_unit_test(test_out_is_bounded),
        cmocka_unit_test(test_flood),           cmocka_unit_test(test_unacknowledged_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
