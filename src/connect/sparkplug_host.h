// SPDX-License-Identifier: Apache-2.0
// The host application of Sparkplug B (3.0) as a state machine: topics and payloads in; twins to define, points and
// messages to publish out. No clock, broker or engine inside: `now` is an argument, the rest are the ops. One thread at
// a time.
//
// A node or device is a unit. Life of an edge node:
//
//                 NBIRTH                     NDEATH of the same bdSeq, or no answer to a rebirth request
//     unknown ------------> born (online) -------------------------------------------> stale
//        |  data: rebirth      ^    | a sequence number is missing for longer than `reorder`: rebirth request
//        +---- request --------+----+ NBIRTH
//
//   1. A unit's slots exist from its birth to its next birth; data finds them by alias (of the whole node) or by name.
//   2. seq_next is what the next message of a born node must carry; what comes early waits, in order, for `reorder`.
//   3. A rebirth is asked for at most once in REBIRTH_NS a node, doubling to REBIRTH_NS_MAX while nobody answers.
//   4. `online` and `staleSince` go by the host's clock, all other values by the source's.
#pragma once
#include "base/map.h"
#include "connect/sparkplug_doc.h"
#include "sosia/sosia.h"

#define SPARKPLUG_UNITS_MAX 100000          // nodes and devices of one connection
#define SPARKPLUG_METRICS_MAX 3990          // of one node or device: what a generated model holds
#define SPARKPLUG_EARLY_MAX 64              // messages of one node that wait for one before them
#define SPARKPLUG_EARLY_BYTES_MAX (4 << 20) // the same, in bytes
#define SPARKPLUG_REBIRTH_NS INT64_C(10000000000)
#define SPARKPLUG_REBIRTH_NS_MAX INT64_C(300000000000)
#define SPARKPLUG_CONFIRM_NS INT64_C(10000000000) // for nodes and devices to be born again, or be stale

typedef struct SpHost SpHost;
typedef struct SpNode SpNode;
typedef struct SpUnit SpUnit;

// Why a slot is there.
typedef enum SpRole { SP_METRIC, SP_ONLINE, SP_STALE_SINCE, SP_ID_GROUP, SP_ID_NODE, SP_ID_DEVICE } SpRole;

// One property of a unit. Texts live as long as the unit's birth.
typedef struct SpSlot {
    SpRole role;
    Str name;        // the metric's
    Str field;       // what the property is called after: the name, or "metric/online" where that would collide
    Str schema;      // DTDL
    Str description; // unit and range, or ""
    uint32_t type;   // SpType
    bool has_alias, writable;
    uint64_t alias;
    SpTree *tree;          // of a template
    const SpDataSet *like; // columns of a data set, or NULL
    // Of the connection: where values go; "" leaves the metric out.
    Str property;
    SosiaHandle at;
} SpSlot;

struct SpUnit {
    SpNode *node;
    Str group, name, device; // device "" for the node itself
    Str twin;
    bool born, online; // born: has slots that data may use
    int64_t stale_ns;  // when it went stale
    Arena arena;       // of the birth
    SpSlot *slots;
    int32_t count;
    Map by_name;  // of metrics
    Str template; // of the only template instance it was born with, else ""
    Str model;    // of the connection; lives as long as it sets it to
    void *own;    // of the connection
};

typedef struct SpHostOps {
    // A unit was born: its slots are there; set model and properties. False: values are not wanted (and it was said).
    bool (*born)(void *ctx, SpUnit *u);
    // All values of a device's birth were given: its twin and its node's may be linked. May be NULL.
    void (*linked)(void *ctx, SpUnit *u, SpUnit *node);
    // A value for slot->property (not "").
    void (*point)(void *ctx, SpUnit *u, SpSlot *slot, const SosiaValue *v, int64_t source_time_ns);
    // A message to publish with that QoS and retain flag.
    void (*publish)(void *ctx, Str topic, Str payload, int32_t qos, bool retain);
    // Something was wrong with a message; the flow goes on.
    void (*wrong)(void *ctx, Str topic, Str payload, const char *why);
} SpHostOps;

typedef struct SpHostConfig {
    Str host_id;
    Str node_twin, device_twin; // "{group}-{node}-{device}"
    int64_t reorder_ns;         // 0: messages out of order are a gap at once
    bool ask;                   // request rebirths
} SpHostConfig;

// What happened so far.
typedef struct SpHostStats {
    int64_t births, deaths, data, metrics, gaps, reordered, rebirths, unknown_metrics, before_birth, states;
} SpHostStats;

// Texts are copied. The ops get `ctx`.
SpHost *sparkplug_host_new(const SpHostConfig *c, const SpHostOps *ops, void *ctx);
// NULL is fine.
void sparkplug_host_free(SpHost *h);
// Append the payload of a STATE message.
void sparkplug_state(bool online, int64_t now, Buf *out);
// "spBv1.0/STATE/HOST" appended.
void sparkplug_state_topic(Str host_id, Buf *out);
// Connected, subscribed: tell that we are online by the time of the CONNECT's will, and ask nodes that were online to
// be born again.
void sparkplug_host_up(SpHost *h, int64_t will_time_ns, int64_t now);
void sparkplug_host_down(SpHost *h);
// One message. What is no Sparkplug, or not ours to read, is told with `wrong` or passed over.
void sparkplug_host_message(SpHost *h, Str topic, Str payload, bool retain, int64_t now);
// Time went by: windows of reordering end, rebirths are asked for again, units that did not answer go stale. Call it
// a few times a second.
void sparkplug_host_tick(SpHost *h, int64_t now);
// A unit known from before: the node is asked for its births once there is a link. The ops' `born` gets it with the
// roles alone and says whether its twin is online; such a one goes stale when it does not answer.
void sparkplug_host_remember(SpHost *h, Str group, Str node, Str device, int64_t now);
// The unit of a twin, or NULL. Cost: O(1).
SpUnit *sparkplug_host_unit(SpHost *h, Str twin);
// Ask a node for a rebirth now.
void sparkplug_host_rebirth(SpHost *h, SpNode *n, int64_t now);
const SpHostStats *sparkplug_host_stats(const SpHost *h);
// Nodes and devices known, and those online.
void sparkplug_host_count(const SpHost *h, int64_t *units, int64_t *online);

// Append a command (NCMD, DCMD) that writes values of a unit: `values` is an object of property -> value.
//   topic  appended, too
// Errors: VALIDATION (no such property, value does not fit), UNSUPPORTED, DEVICE_OFFLINE (not born); why tells.
MUST Err sparkplug_command(const SpUnit *u, const Json *values, int64_t now, Buf *topic, Buf *payload, Buf *why);
