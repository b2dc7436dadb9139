// SPDX-License-Identifier: Apache-2.0
// Connections of kind "mqtt", from the inside: mqtt_kind.c (documents, flow of points), mqtt_kind_try.c (test),
// mqtt_kind_command.c (commands).
//
// Flow: messages of a burst are mapped into the Put at hand. One with QoS 1 in it is handed to the engine and waited
// for: the acknowledgements leave when its points are durable, or refused for good. One of QoS 0 is handed over and not
// waited for, up to WAITING_MAX points; beyond that the link reads no more, and TCP holds the broker back. A full queue
// of the engine or a full disk only makes the link wait.
#pragma once
#include "connect/command_rule.h"
#include "connect/connect.h"
#include "connect/connect_doc.h"
#include "connect/map.h"
#include "connect/mqtt.h"

#define WAITING_MAX 100000   // points of QoS 0 put and not durable
#define PUT_POINTS_MAX 50000 // of one put
#define MQTT_COMMANDS_MAX 64 // rules of "commands"

// A topic or payload of a command with {twin} and the like.
typedef struct CommandRule {
    CommandMatch match;
    Str topic, response, payload;
    Str correlation_at, status_at, payload_at; // JSON pointers, or ""
    int32_t qos;
    bool retain;
} CommandRule;

typedef struct CommandRules {
    CommandRule items[MQTT_COMMANDS_MAX];
    int32_t count;
} CommandRules;

// The member "commands". Texts are borrowed from the document.
void commands_read(Doc *p, CommandRules *out);
// Subscribe where answers come. On the link's thread.
void commands_subscribe(const CommandRules *rules, Connection *c, Mqtt *mqtt);
// The message answers a command: it is taken. On the link's thread.
bool commands_message(const CommandRules *rules, SosiaConnect *k, const MqttMessage *m);
// ConnectKind.command.
Err commands_send(const CommandRules *rules, SosiaConnect *k, Mqtt *mqtt, const Command *cmd);
// The whole document; *map, *rules may be NULL. Errors: ARGUMENT.
MUST Err mqtt_document(const Json *doc, Diag *d, MqttConfig *config, Mapping **map, CommandRules *rules);
// The inlet the document asks for, source and caller by `name`. Errors: WORLD_NOT_FOUND, told in `why`.
MUST Err mqtt_inlet(SosiaConnect *k, const Json *doc, Str name, SosiaInlet **out, Buf *why);
// ConnectKind.test.
Err mqtt_try(SosiaConnect *k, const Json *doc, const Ask *ask, Buf *out, Buf *why);
