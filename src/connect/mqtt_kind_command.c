// SPDX-License-Identifier: Apache-2.0
// Commands over MQTT: a rule makes topic, payload and the topic of the answer. With version 5 response topic and
// correlation data go with the message; with 3.1.1 the correlation is in the topic or the payload.
#include "base/mem.h"
#include "connect/mqtt_kind.h"

#define TEXT_MAX RULE_TEXT_MAX

static const char *const rule_members[] = {"twin",        "command", "model",  "topic", "response", "payload",
                                           "correlation", "status",  "result", "qos",   "retain",   NULL};

// ---- documents ----------------------------------------------------------------------------------------------------

static Str read_pointer(Doc *p, const char *name) {
    Str s = doc_str(p, name, (Str){0}, TEXT_MAX);
    if (s.n && s.p[0] != '/') doc_bad(p, name, "a JSON pointer begins with '/'");
    return s;
}

static void read_rule(Doc *p, CommandRule *r) {
    doc_need(p, "topic");
    *r = (CommandRule){.match = {.twin = doc_str(p, "twin", STR("*"), TEXT_MAX),
                                 .name = doc_str(p, "command", STR("*"), TEXT_MAX),
                                 .model = doc_str(p, "model", (Str){0}, TEXT_MAX)},
                       .topic = doc_str(p, "topic", (Str){0}, TEXT_MAX),
                       .response = doc_str(p, "response", (Str){0}, TEXT_MAX),
                       .payload = doc_str(p, "payload", (Str){0}, RULE_PAYLOAD_MAX),
                       .correlation_at = read_pointer(p, "correlation"),
                       .status_at = read_pointer(p, "status"),
                       .payload_at = read_pointer(p, "result"),
                       .qos = (int32_t)doc_int(p, "qos", 1, 0, 2),
                       .retain = doc_bool(p, "retain", false)};
    if (str_find(r->topic, '+', 0) >= 0 || str_find(r->topic, '#', 0) >= 0)
        doc_bad(p, "topic", "+ and # are not possible where something is sent");
    if (str_find(r->response, '+', 0) >= 0 || str_find(r->response, '#', 0) >= 0)
        doc_bad(p, "response", "{twin}, {component}, {command} and {correlation} are possible, + and # are not");
}

void commands_read(Doc *p, CommandRules *out) {
    int64_t count;
    const Json *items = doc_array(p, "commands", MQTT_COMMANDS_MAX, &count);
    out->count = 0;
    for (int64_t i = 0; i < count; i++) {
        Doc below = doc_item(p, "commands", items, i, rule_members);
        if (below.json) read_rule(&below, &out->items[out->count++]);
        doc_end(p, &below);
    }
}

// ---- texts --------------------------------------------------------------------------------------------------------

// The topic fits the pattern of answers; *correlation gets that level, or "".
static bool answers(Str pattern, Str topic, Str *correlation) {
    *correlation = (Str){0};
    while (pattern.n || topic.n) {
        Str want = str_cut(&pattern, '/'), level = str_cut(&topic, '/');
        if (!pattern.n != !topic.n) return false;
        if (str_eq(want, STR("{correlation}"))) *correlation = level;
        else if (want.n > 2 && want.p[0] == '{' && want.p[want.n - 1] == '}') continue;
        else if (!str_eq(want, level)) return false;
    }
    return true;
}

// ---- answers ------------------------------------------------------------------------------------------------------

void commands_subscribe(const CommandRules *rules, Connection *c, Mqtt *mqtt) {
    for (int32_t i = 0; i < rules->count; i++) {
        if (!rules->items[i].response.n) continue;
        Buf filter = {0};
        command_expand(rules->items[i].response, NULL, RULE_FILTER, &filter);
        if (mqtt_subscribe(mqtt, buf_str(&filter), 1))
            connection_error(c, buf_str(&filter), (Str){0}, "It cannot be subscribed");
        buf_free(&filter);
    }
}

static const Json *at_pointer(const Json *doc, Str pointer, Arena *arena) {
    Str token;
    while (doc && pointer.n && json_pointer_next(&pointer, arena, &token)) {
        int64_t i;
        if (doc->type == JSON_OBJECT) doc = json_get(doc, token);
        else if (doc->type == JSON_ARRAY && str_to_i64(token, &i) && i >= 0 && i < doc->count) doc = &doc->items[i];
        else doc = NULL;
    }
    return pointer.n ? NULL : doc;
}

static void take_answer(const CommandRule *r, SosiaConnect *k, const MqttMessage *m, Str correlation) {
    Arena arena;
    Json doc;
    arena_init(&arena, 4096);
    int status = 200;
    Str payload = m->payload;
    bool wanted = r->correlation_at.n || r->status_at.n || r->payload_at.n;
    if (wanted && !json_parse(m->payload, NULL, &arena, &doc, NULL)) {
        const Json *id = r->correlation_at.n ? at_pointer(&doc, r->correlation_at, &arena) : NULL;
        const Json *code = r->status_at.n ? at_pointer(&doc, r->status_at, &arena) : NULL;
        const Json *result = r->payload_at.n ? at_pointer(&doc, r->payload_at, &arena) : NULL;
        if (id && id->type == JSON_STRING) correlation = id->s;
        if (code && code->type == JSON_INT && code->i >= 0 && code->i < 1000) status = (int)code->i;
        if (result) payload = result->raw;
        else if (r->payload_at.n) payload = (Str){0};
    }
    if (m->correlation.n) correlation = m->correlation;
    command_answer(k, correlation, status, payload);
    arena_free(&arena);
}

bool commands_message(const CommandRules *rules, SosiaConnect *k, const MqttMessage *m) {
    Str correlation;
    for (int32_t i = 0; i < rules->count; i++) {
        const CommandRule *r = &rules->items[i];
        if (!r->response.n || !answers(r->response, m->topic, &correlation)) continue;
        take_answer(r, k, m, correlation);
        return true;
    }
    return false;
}

// ---- sending ------------------------------------------------------------------------------------------------------

static const CommandRule *find_rule(const CommandRules *rules, SosiaConnect *k, const Command *cmd) {
    for (int32_t i = 0; i < rules->count; i++) {
        if (command_match(&rules->items[i].match, k, cmd)) return &rules->items[i];
    }
    return NULL;
}

typedef struct Sent {
    SosiaConnect *connect;
    char correlation[33];
    bool enough; // nobody answers: that the broker has it is the answer
} Sent;

static void on_sent(void *arg, Err err) {
    Sent *s = arg;
    if (err) command_answer(s->connect, str_of(s->correlation), 503, STR("\"the broker did not take the command\""));
    else if (s->enough) command_answer(s->connect, str_of(s->correlation), 200, (Str){0});
    mem_free(s);
}

Err commands_send(const CommandRules *rules, SosiaConnect *k, Mqtt *mqtt, const Command *cmd) {
    const CommandRule *r = find_rule(rules, k, cmd);
    if (!r) return ERR_NO_ROUTE;
    Buf topic = {0}, response = {0}, payload = {0};
    command_expand(r->topic, cmd, RULE_PLAIN, &topic);
    command_expand(r->response, cmd, RULE_PLAIN, &response);
    if (r->payload.n) command_expand(r->payload, cmd, RULE_PLAIN, &payload);
    else buf_str_put(&payload, cmd->payload);
    Sent *s = mem_alloc(sizeof *s);
    *s = (Sent){.connect = k, .enough = !r->response.n};
    memcpy(s->correlation, cmd->correlation, sizeof s->correlation);
    MqttOut out = {.topic = buf_str(&topic),
                   .payload = buf_str(&payload),
                   .qos = r->qos > 1 ? 1 : r->qos,
                   .retain = r->retain,
                   .response_topic = buf_str(&response),
                   .correlation = str_of(cmd->correlation),
                   .content_type = STR("application/json"),
                   .sent = on_sent,
                   .arg = s};
    Err err = mqtt_publish(mqtt, &out);
    if (err) mem_free(s);
    buf_free(&topic);
    buf_free(&response);
    buf_free(&payload);
    return err;
}
