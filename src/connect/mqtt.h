// SPDX-License-Identifier: Apache-2.0
// Mqtt: one link to a broker over libmosquitto, with its own thread and loop. Used by MQTT connections, Sparkplug,
// MQTT endpoints and commands; nobody else includes mosquitto.h.
//
// QoS 1 in is acknowledged only when the owner says so. libmosquitto queues the acknowledgement before it hands the
// message over, but in external-loop mode (mosquitto_threaded_set) it goes out only with mosquitto_loop_write: the loop
// reads a burst, gives it to the owner, waits until the owner has settled it (mqtt_settle), then writes. QoS 0 traffic
// does not wait. Broker gone: reconnect with back-off (1 s doubling to 60 s, with jitter); half-open connections are
// found by keep-alive.
//
// Threads: callbacks run on the link's thread. mqtt_publish, mqtt_settle and mqtt_close may be called from any other.
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"

typedef struct Mqtt Mqtt;

// In documents, the members of a connection: {"url":"mqtts://host:8883","version":"5"|"3.1.1","clientId","cleanStart",
// "sessionExpiry","keepAlive","username","password","tls":{"ca","cert","key","keyPassword","insecure","serverName"}}
typedef struct MqttConfig {
    Str host;
    int32_t port;
    bool tls, insecure; // insecure: no look at the certificate
    int32_t version;    // 4: 3.1.1, 5
    Str client_id;      // "": sosia-<random>, clean start
    bool clean_start;
    int64_t session_expiry_s, keep_alive_s;
    Str username, password;
    Str ca, cert, key, key_password; // PEM texts or file paths ("/..."), read at each connect
    Str server_name;                 // the name the certificate must have and that is asked for; "": host
    int32_t receive_max;             // QoS 1 messages in flight towards us (v5); 0: 65,535
    Str will_topic, will_payload;    // "" none
    int32_t will_qos;
    bool will_retain;
} MqttConfig;

typedef struct MqttMessage {
    Str topic, payload;
    int32_t qos;
    bool retain, dup;
    Str response_topic, correlation; // v5, or ""
} MqttMessage;

typedef struct MqttOps {
    // Before every CONNECT: append the payload of its will (in place of will_payload). NULL: will_payload.
    void (*will)(void *ctx, Buf *payload);
    void (*up)(void *ctx, bool session_present);  // connected: subscribe here
    void (*down)(void *ctx, Str why, bool again); // lost or refused; again: it will be tried again
    void (*message)(void *ctx, const MqttMessage *m);
    // The burst of messages handed over is over: submit what was gathered. Messages with QoS > 0 in it stay
    // without acknowledgement, and nothing more is read, until mqtt_settle. Returns false when nothing is to be waited
    // for. Also called without new messages after mqtt_wake.
    bool (*burst)(void *ctx);
    // A message over MQTT_PAYLOAD_MAX, which is not handed over. May be NULL.
    void (*large)(void *ctx, Str topic, int64_t size);
    // The broker refused a subscription. May be NULL.
    void (*refused)(void *ctx, Str filter, Str why);
} MqttOps;

// The names of the members above and of those of "tls", each ends with NULL.
extern const char *const mqtt_members[], *const mqtt_tls_members[];
// Those members, checked; others are not looked at. Texts are borrowed from `doc`. Errors: ARGUMENT.
MUST Err mqtt_config(const Json *doc, MqttConfig *out, Diag *d);
// Start the thread; texts are copied. Errors: IO.
MUST Err mqtt_open(const MqttConfig *c, const MqttOps *ops, void *ctx, Mqtt **out);
// The burst is settled: durable, or refused for good. Any thread.
void mqtt_settle(Mqtt *m);
// Have `burst` called soon. Any thread.
void mqtt_wake(Mqtt *m);
// On the link's thread, from `up` or later. qos 2 is asked for as 1: what comes twice changes nothing, and nothing may
// be acknowledged before it is durable. Errors: IO, ARGUMENT (filter).
MUST Err mqtt_subscribe(Mqtt *m, Str filter, int32_t qos);
// Queue a message: at most MQTT_OUT_BYTES_MAX waiting. sent(arg, err) on the link's thread when the broker has it (QoS
// 0: written), may be NULL. Errors: BUSY, DEVICE_OFFLINE (not connected), ARGUMENT (topic).
typedef struct MqttOut {
    Str topic, payload;
    int32_t qos;
    bool retain;
    Str response_topic, correlation, content_type; // v5
    const SosiaStr *user_names, *user_values;      // v5 user properties
    int32_t user_count;
    void (*sent)(void *arg, Err err);
    void *arg;
} MqttOut;
MUST Err mqtt_publish(Mqtt *m, const MqttOut *out);
bool mqtt_is_up(const Mqtt *m);
// Settle what was received (at most 10 s), disconnect in order (no will; flush what waits, at most 2 s), end the
// thread. Other threads may still call mqtt_settle, mqtt_wake and mqtt_publish, in vain. Not from a callback.
void mqtt_leave(Mqtt *m);
// The same where it was not done, and free. NULL is fine.
void mqtt_close(Mqtt *m);

#define MQTT_OUT_BYTES_MAX (16 << 20)
#define MQTT_PAYLOAD_MAX (1 << 20) // a larger one is counted, sampled and dropped
#define MQTT_BURST_MAX 4096        // messages of one burst
