// SPDX-License-Identifier: Apache-2.0
// Out: values and commands to nodes and devices, and a look at what a connection would read.
#include "base/mem.h"
#include "base/thread.h"
#include "base/time.h"
#include "connect/command.h"
#include "connect/sparkplug.h"

#define TEST_MESSAGES_MAX 100
#define TEST_SECONDS_MAX 60

// ---- values --------------------------------------------------------------------------------------------------------

static Err publish(Sparkplug *s, Str topic, Str payload, Buf *why) {
    Err err = mqtt_publish(s->link, &(MqttOut){.topic = topic, .payload = payload});
    if (err) buf_printf(why, "it could not be published: %s", err_text(err));
    else atomic_fetch_add(&s->connection->stats.published, 1);
    return err;
}

// Values of a unit as a command; caller holds the lock.
static Err send_values(Sparkplug *s, const SpUnit *u, const Json *values, Buf *out, Buf *why) {
    Buf topic = {0}, payload = {0};
    Err err = sparkplug_command(u, values, time_now_ns(), &topic, &payload, why);
    if (!err) err = publish(s, buf_str(&topic), buf_str(&payload), why);
    if (!err && out) {
        buf_str_put(out, STR("{\"topic\":"));
        json_put_str(out, buf_str(&topic));
        buf_printf(out, ",\"metrics\":%d}", values->count);
    }
    buf_free(&topic), buf_free(&payload);
    return err;
}

static Err rebirth(Sparkplug *s, SpUnit *u, Buf *why) {
    if (!mqtt_is_up(s->link)) return buf_printf(why, "the broker is not there"), ERR_DEVICE_OFFLINE;
    sparkplug_host_rebirth(s->host, u->node, time_now_ns());
    return ERR_OK;
}

static Err write_values(Sparkplug *s, const Json *body, Buf *out, Buf *why) {
    const Json *twin = json_get(body, STR("twin")), *values = json_get(body, STR("values"));
    const Json *again = json_get(body, STR("rebirth"));
    if (!twin || twin->type != JSON_STRING || (!values && !again))
        return buf_printf(why,
                          "{\"twin\":ID,\"values\":{PROPERTY:VALUE}} or {\"twin\":ID,\"rebirth\":true} is expected"),
               ERR_ARGUMENT;
    SpUnit *u = sparkplug_host_unit(s->host, twin->s);
    if (!u) return buf_printf(why, "this connection has no node or device for that twin"), ERR_TWIN_NOT_FOUND;
    if (values) return send_values(s, u, values, out, why);
    if (again->type != JSON_TRUE) return buf_printf(why, "\"rebirth\" is true or not there"), ERR_ARGUMENT;
    TRY(rebirth(s, u, why));
    buf_str_put(out, STR("{\"rebirth\":true}"));
    return ERR_OK;
}

Err sparkplug_write(Connection *c, const Ask *ask, Buf *out, Buf *why) {
    Sparkplug *s = c->own;
    Arena arena;
    Json body;
    if (!s) return buf_printf(why, "the connection does not run"), ERR_DEVICE_OFFLINE;
    arena_init(&arena, 0);
    Err err = json_parse(ask->q->body, NULL, &arena, &body, NULL);
    if (err) buf_printf(why, "the body is no JSON");
    if (!err) {
        pthread_mutex_lock(&s->lock);
        err = write_values(s, &body, out, why);
        pthread_mutex_unlock(&s->lock);
    }
    arena_free(&arena);
    return err;
}

// ---- commands ------------------------------------------------------------------------------------------------------

static bool is_metric(const SpUnit *u, Str name) {
    for (int32_t i = 0; i < u->count; i++)
        if (u->slots[i].role == SP_METRIC && (str_eq(u->slots[i].name, name) || str_eq(u->slots[i].property, name)))
            return true;
    return false;
}

// A command is a metric of its name that is written (a Boolean without payload: true), or "rebirth" of a node.
// Sparkplug knows no answers: it is done when it is sent.
static Err invoke(Sparkplug *s, const Command *cmd, Arena *arena, Buf *why) {
    SpUnit *u = sparkplug_host_unit(s->host, cmd->twin);
    if (!u) return ERR_NO_ROUTE;
    bool metric = is_metric(u, cmd->name);
    if (!metric && str_eq_nocase(cmd->name, STR("rebirth"))) return rebirth(s, u, why);
    if (!metric) return ERR_NO_ROUTE;
    JsonMember *m = NEW(arena, JsonMember, 1);
    Json values = {.type = JSON_OBJECT, .count = 1, .members = m};
    m->key = cmd->name;
    m->value = (Json){.type = JSON_TRUE};
    if (cmd->payload.n) TRY(json_parse(cmd->payload, NULL, arena, &m->value, NULL));
    return send_values(s, u, &values, NULL, why);
}

Err sparkplug_invoke(Connection *c, Command *cmd) {
    Sparkplug *s = c->own;
    Arena arena;
    Buf why = {0};
    if (!s || cmd->component.n || (cmd->world.n && !str_eq(cmd->world, STR("live")))) return ERR_NO_ROUTE;
    arena_init(&arena, 0);
    pthread_mutex_lock(&s->lock);
    Err err = invoke(s, cmd, &arena, &why);
    pthread_mutex_unlock(&s->lock);
    if (err && err != ERR_NO_ROUTE)
        connection_error(c, cmd->twin, cmd->payload, "command %.*s: %.*s", STR_ARG(cmd->name), STR_ARG(buf_str(&why)));
    if (!err) (void)command_answer(c->connect, (Str){cmd->correlation, 32}, 200, (Str){0});
    buf_free(&why);
    arena_free(&arena);
    return err;
}

// ---- a look --------------------------------------------------------------------------------------------------------

typedef struct Look {
    SpConfig config;
    Mqtt *link;
    SpHost *host;
    pthread_mutex_t lock; // guards what follows
    pthread_cond_t changed;
    Buf out, points, error, trouble; // of all messages; of the present one; of the link
    int64_t count, max;
} Look;

// Properties as a generated model would most likely name them, or as the rules say.
static bool look_born(void *ctx, SpUnit *u) {
    Look *l = ctx;
    const SpRule *rule = sparkplug_rule(&l->config, u);
    for (int32_t i = 0; i < u->count; i++) {
        SpSlot *slot = &u->slots[i];
        Str key = slot->role == SP_METRIC ? slot->name : slot->field;
        const Json *p = rule && rule->metrics ? json_get(rule->metrics, key) : NULL;
        Buf b = {0};
        if (!rule) sparkplug_name(slot->field, &b);
        else if (p && p->type == JSON_STRING) buf_str_put(&b, p->s);
        slot->property = arena_str(&u->arena, buf_str(&b));
        buf_free(&b);
    }
    return true;
}

static void put_value(Buf *b, const SosiaValue *v) {
    switch (v->kind) {
    case SOSIA_NONE: buf_str_put(b, STR("null")); break;
    case SOSIA_BOOL: buf_str_put(b, v->b ? STR("true") : STR("false")); break;
    case SOSIA_I64: json_put_i64(b, v->i); break;
    case SOSIA_F64: json_put_f64(b, v->d); break;
    case SOSIA_TEXT: json_put_str(b, v->s); break;
    case SOSIA_JSON: buf_str_put(b, v->s); break;
    }
}

static void look_point(void *ctx, SpUnit *u, SpSlot *slot, const SosiaValue *v, int64_t time_ns) {
    Look *l = ctx;
    if (l->points.n > 1 << 20) return;
    buf_str_put(&l->points, l->points.n ? STR(",{\"twin\":") : STR("{\"twin\":"));
    json_put_str(&l->points, u->twin);
    buf_str_put(&l->points, STR(",\"property\":"));
    json_put_str(&l->points, slot->property);
    buf_str_put(&l->points, STR(",\"value\":"));
    put_value(&l->points, v);
    buf_str_put(&l->points, STR(",\"time\":\""));
    time_print(time_ns, 3, &l->points);
    buf_str_put(&l->points, STR("\"}"));
}

static void look_publish(void *ctx, Str topic, Str payload, int32_t qos, bool retain) {
    (void)ctx, (void)topic, (void)payload, (void)qos, (void)retain; // a look changes nothing
}

static void look_wrong(void *ctx, Str topic, Str payload, const char *why) {
    Look *l = ctx;
    (void)topic, (void)payload;
    if (l->error.n) buf_put(&l->error, "; ", 2);
    buf_str_put(&l->error, str_of(why));
}

static void look_up(void *ctx, bool present) {
    Look *l = ctx;
    (void)present;
    pthread_mutex_lock(&l->lock); // until l->link is there
    pthread_mutex_unlock(&l->lock);
    if (sparkplug_subscribe(l->link, &l->config) != ERR_OK) look_wrong(l, (Str){0}, (Str){0}, "it could not subscribe");
}

static void look_down(void *ctx, Str why, bool again) {
    Look *l = ctx;
    (void)again;
    pthread_mutex_lock(&l->lock);
    buf_reset(&l->trouble);
    buf_str_put(&l->trouble, why);
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

static void look_message(void *ctx, const MqttMessage *m) {
    Look *l = ctx;
    const SpPayload *p;
    Arena a;
    Buf text = {0};
    arena_init(&a, 0);
    if (sparkplug_decode(m->payload, &a, &p, NULL) == ERR_OK) sparkplug_print(p, &a, &text);
    pthread_mutex_lock(&l->lock);
    if (l->count < l->max) {
        buf_reset(&l->points), buf_reset(&l->error);
        sparkplug_host_message(l->host, m->topic, m->payload, m->retain, time_now_ns());
        buf_printf(&l->out, "%s{\"topic\":", l->count++ ? "," : "");
        json_put_str(&l->out, m->topic);
        buf_str_put(&l->out, STR(",\"payload\":"));
        buf_str_put(&l->out, text.n ? buf_str(&text) : STR("null"));
        buf_printf(&l->out, ",\"points\":[%.*s]", STR_ARG(buf_str(&l->points)));
        if (l->error.n) buf_str_put(&l->out, STR(",\"error\":")), json_put_str(&l->out, buf_str(&l->error));
        buf_byte(&l->out, '}');
    }
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
    buf_free(&text);
    arena_free(&a);
}

static bool look_burst(void *ctx) {
    (void)ctx;
    return false;
}

static int64_t number(const Ask *ask, Str name, int64_t or_else, int64_t max, Arena *arena) {
    Str s = ask_param(ask, name, arena);
    int64_t n = or_else;
    return s.p && str_to_i64(s, &n) && n > 0 && n <= max ? n : or_else;
}

static Err look(Look *l, int64_t seconds, Buf *out, Buf *why) {
    static const SpHostOps host_ops = {look_born, NULL, look_point, look_publish, look_wrong};
    static const MqttOps link_ops = {.up = look_up, .down = look_down, .message = look_message, .burst = look_burst};
    int64_t end = time_mono_ns() + seconds * NS_PER_S;
    struct timespec until = {.tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S};
    l->config.link.client_id = l->config.link.will_topic = (Str){0}; // beside the connection itself
    l->config.host.ask = false;
    l->host = sparkplug_host_new(&l->config.host, &host_ops, l);
    pthread_mutex_lock(&l->lock);
    Err err = mqtt_open(&l->config.link, &link_ops, l, &l->link);
    while (!err && l->count < l->max && time_mono_ns() < end) {
        pthread_cond_timedwait(&l->changed, &l->lock, &until);
        if (l->trouble.n && !l->count) break;
    }
    pthread_mutex_unlock(&l->lock);
    if (!err) mqtt_close(l->link);
    if (!err && l->trouble.n && !l->count) err = ERR_UNREACHABLE;
    if (err) buf_printf(why, "%.*s", STR_ARG(l->trouble.n ? buf_str(&l->trouble) : str_of(err_text(err))));
    else buf_printf(out, "[%.*s]", STR_ARG(buf_str(&l->out)));
    sparkplug_host_free(l->host);
    return err;
}

Err sparkplug_test(SosiaConnect *k, const Json *doc, const Ask *ask, Buf *out, Buf *why) {
    (void)k;
    Look *l = mem_alloc(sizeof *l);
    Arena arena;
    Diag d;
    arena_init(&arena, 0);
    diag_init(&d);
    Err err = sparkplug_config(doc, &l->config, &arena, &d);
    if (err) diag_print(&d, why);
    diag_free(&d);
    pthread_mutex_init(&l->lock, NULL);
    cond_init_mono(&l->changed);
    l->max = number(ask, STR("messages"), 10, TEST_MESSAGES_MAX, &arena);
    if (!err) err = look(l, number(ask, STR("seconds"), 5, TEST_SECONDS_MAX, &arena), out, why);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->changed);
    buf_free(&l->out), buf_free(&l->points), buf_free(&l->error), buf_free(&l->trouble);
    mem_free(l);
    arena_free(&arena);
    return err;
}
