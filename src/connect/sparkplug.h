// SPDX-License-Identifier: Apache-2.0
// Connections of kind "sparkplug": the host application (sparkplug_host.h) on a link (mqtt.h), its units as twins.
//
//   {"kind":"sparkplug","url":"mqtt://HOST:1883", members of mqtt.h, "hostId":"sosia","groups":["+"],"reorder":"2s",
//    "rebirth":true,"nodeTwin":"{group}-{node}","deviceTwin":"{group}-{node}-{device}",
//    "models":"auto" | {"GROUP/NODE[/DEVICE]":{"model":DTMI,"metrics":{METRIC:PROPERTY}}}}
//
// Threads: messages, births and points on the link's; commands on those of the pool. `lock` guards the host, the inlet
// and what was gathered; it is held while the engine is waited for (births of new models), so completions of the engine
// never take it: they have `count_lock`.
#pragma once
#include <pthread.h>
#include "connect/connect.h"
#include "connect/mqtt.h"
#include "connect/sparkplug_host.h"

#define SPARKPLUG_GROUPS_MAX 64
#define SPARKPLUG_RULES_MAX 256      // members of "models"
#define SPARKPLUG_GATHER_MAX 5000    // points put at once
#define SPARKPLUG_WAITING_MAX 200000 // points on their way: the link waits

// A fixed model for units whose name fits.
typedef struct SpRule {
    Str pattern; // "GROUP/NODE" or "GROUP/NODE/DEVICE", '*' for any text
    Str model;
    const Json *metrics; // object of metric -> property
} SpRule;

// What a document says; texts borrowed from it or in the arena.
typedef struct SpConfig {
    MqttConfig link;
    SpHostConfig host;
    Str groups[SPARKPLUG_GROUPS_MAX];
    int32_t group_count;
    SpRule rules[SPARKPLUG_RULES_MAX];
    int32_t rule_count; // 0: models are made
} SpConfig;

typedef struct Sparkplug {
    Connection *connection; // NULL: a test
    Sosia *engine;
    struct Shapes *shapes;
    SpConfig config;
    Mqtt *link;
    Thread ticker;
    pthread_mutex_t lock; // see above
    SpHost *host;
    SosiaInlet *inlet;
    Arena texts;  // of names kept for ever
    Map names;    // those, once each
    Map known;    // keys of units that are remembered for the next process
    Arena gather; // texts of points
    SosiaPoint *points;
    int64_t point_count, newest_ns; // gathered; newest source time of them
    int64_t will_ns, sampled_ns;    // time of the last CONNECT; of the last message shown
    bool must_settle;               // a message of this burst is acknowledged when it is durable
    pthread_mutex_t count_lock;     // guards what follows
    pthread_cond_t changed;
    int64_t puts, waiting; // batches and points on their way
    bool settle, stopping;
} Sparkplug;

// Read and check a document. Errors: ARGUMENT; messages name the member.
MUST Err sparkplug_config(const Json *doc, SpConfig *out, Arena *arena, Diag *d);
// The rule a unit falls under, or NULL.
const SpRule *sparkplug_rule(const SpConfig *c, const SpUnit *u);
// Make a unit's twin: model, properties of its slots, the relationship from its node. Waits for the engine. False: it
// was said why not. Caller holds `lock`.
bool sparkplug_twin(Sparkplug *s, SpUnit *u);
// Put what was gathered. Caller holds `lock`.
void sparkplug_flush(Sparkplug *s);
// One that lives as long as the connection.
Str sparkplug_keep(Sparkplug *s, Str text);
// Relate a node to its device. Caller holds `lock`.
void sparkplug_link(Sparkplug *s, const SpUnit *u, const SpUnit *node);
// A write that completes in the background; its errors are samples, EXISTS is none. Caller holds `lock`.
void sparkplug_send(Sparkplug *s, const SosiaWrite *w);
// Subscribe to all that edge nodes of the groups send. On the link's thread.
MUST Err sparkplug_subscribe(Mqtt *link, const SpConfig *c);

// kind->write and kind->command.
MUST Err sparkplug_write(Connection *c, const Ask *ask, Buf *out, Buf *why);
MUST Err sparkplug_invoke(Connection *c, Command *cmd);
// kind->test.
MUST Err sparkplug_test(SosiaConnect *k, const Json *doc, const Ask *ask, Buf *out, Buf *why);
