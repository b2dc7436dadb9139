// SPDX-License-Identifier: Apache-2.0
#include "connect/sparkplug.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/time.h"
#include "connect/connect_doc.h"
#include "connect/shape.h"

#define TICK_NS (200 * NS_PER_MS)
#define STOP_NS (10 * NS_PER_S)
#define NAME_MAX_BYTES 256

// ---- documents -----------------------------------------------------------------------------------------------------

static const char *const members[] = {"kind", "name", "description", "paused", "hostId", "groups", "reorder", "rebirth",
                                      "nodeTwin", "deviceTwin", "models",
                                      // those of mqtt.h
                                      "url", "version", "clientId", "cleanStart", "sessionExpiry", "keepAlive",
                                      "username", "password", "tls", NULL};
static const char *const rule_members[] = {"model", "metrics", NULL};
static const char *const secrets[] = {"password", "tls.key", "tls.keyPassword", NULL};

// A word of a topic: nothing that MQTT or Sparkplug keep for themselves.
static bool is_word(Str s) {
    for (int64_t i = 0; i < s.n; i++)
        if (strchr("+#/", s.p[i]) || !s.p[i]) return false;
    return s.n > 0 && str_utf8_ok(s);
}

static void read_groups(Doc *p, SpConfig *c) {
    int64_t n;
    const Json *items = doc_array(p, "groups", SPARKPLUG_GROUPS_MAX, &n);
    for (int64_t i = 0; i < n; i++) {
        Str s = items[i].type == JSON_STRING ? items[i].s : (Str){0};
        if (!str_eq(s, STR("+")) && !is_word(s)) doc_bad(p, "groups", "a group is a text without +, # and /, or \"+\"");
        c->groups[c->group_count++] = s;
    }
    if (n == 0) c->groups[c->group_count++] = STR("+");
}

static void read_rules(Doc *p, SpConfig *c) {
    const Json *models = json_get(p->json, STR("models"));
    if (!models || (models->type == JSON_STRING && str_eq(models->s, STR("auto")))) return;
    if (models->type != JSON_OBJECT || models->count > SPARKPLUG_RULES_MAX) {
        doc_bad(p, "models", "\"auto\", or an object of at most %d fixed models", SPARKPLUG_RULES_MAX);
        return;
    }
    for (int32_t i = 0; i < models->count; i++) {
        const JsonMember *m = &models->members[i];
        Str where = arena_printf(p->arena, "models.%.*s", STR_ARG(m->key));
        Doc rule = doc_of(&m->value, where, rule_members, p->d, p->arena);
        doc_need(&rule, "model");
        const Json *metrics = rule.json ? json_get(rule.json, STR("metrics")) : NULL;
        bool good = !metrics || metrics->type == JSON_OBJECT;
        for (int32_t k = 0; good && metrics && k < metrics->count; k++)
            good = metrics->members[k].value.type == JSON_STRING;
        if (!good) doc_bad(&rule, "metrics", "an object of metric names to property names is expected");
        c->rules[c->rule_count++] = (SpRule){m->key, doc_str(&rule, "model", (Str){0}, 2048), metrics};
        doc_end(p, &rule);
    }
}

static void read_twins(Doc *p, SpHostConfig *c) {
    c->node_twin = doc_str(p, "nodeTwin", STR("{group}-{node}"), NAME_MAX_BYTES);
    c->device_twin = doc_str(p, "deviceTwin", STR("{group}-{node}-{device}"), NAME_MAX_BYTES);
    if (str_find_str(c->node_twin, STR("{node}")) < 0) doc_bad(p, "nodeTwin", "{node} is missing");
    if (str_find_str(c->device_twin, STR("{device}")) < 0) doc_bad(p, "deviceTwin", "{device} is missing");
}

Err sparkplug_config(const Json *doc, SpConfig *out, Arena *arena, Diag *d) {
    Doc p = doc_of(doc, (Str){0}, members, d, arena);
    memset(out, 0, sizeof *out);
    if (p.err) return p.err;
    TRY(mqtt_config(doc, &out->link, d));
    // As the specification says of hosts: nothing is kept for us by the broker, we ask for births.
    out->link.clean_start = true, out->link.session_expiry_s = 0;
    out->host.host_id = doc_str(&p, "hostId", STR("sosia"), NAME_MAX_BYTES);
    if (!is_word(out->host.host_id)) doc_bad(&p, "hostId", "a text without +, # and / is expected");
    out->host.ask = doc_bool(&p, "rebirth", true);
    Str reorder = doc_str(&p, "reorder", STR("2s"), 32);
    if (!time_parse_duration(reorder, &out->host.reorder_ns) || out->host.reorder_ns < 0 ||
        out->host.reorder_ns > 600 * NS_PER_S)
        doc_bad(&p, "reorder", "a time of at most 10 minutes is expected, like \"2s\"");
    read_groups(&p, out);
    read_twins(&p, &out->host);
    read_rules(&p, out);
    Buf topic = {0};
    sparkplug_state_topic(out->host.host_id, &topic);
    out->link.will_topic = arena_str(arena, buf_str(&topic));
    out->link.will_qos = 1, out->link.will_retain = true;
    buf_free(&topic);
    return p.err;
}

static Err check(const Json *doc, Diag *d) {
    Arena arena;
    SpConfig *c = mem_alloc(sizeof *c);
    arena_init(&arena, 0);
    Err err = sparkplug_config(doc, c, &arena, d);
    arena_free(&arena);
    mem_free(c);
    return err;
}

// ---- points to the engine ------------------------------------------------------------------------------------------

// One put, or one write, on its way.
typedef struct Batch {
    Sparkplug *s;
    int64_t points, newest_ns;
    Str id; // of a write, owned
} Batch;

static int64_t member(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && m->type == JSON_INT ? m->i : 0;
}

// The first refused points of a batch as samples.
static void say_refused(Connection *c, const Json *errors) {
    for (int32_t i = 0; errors && errors->type == JSON_ARRAY && i < errors->count && i < 4; i++) {
        const Json *m = json_get(&errors->items[i], STR("message"));
        if (m && m->type == JSON_STRING) connection_error(c, STR("points"), (Str){0}, "%.*s", STR_ARG(m->s));
    }
}

static void count_done(Connection *c, const Batch *b, const SosiaDone *done) {
    Arena a;
    Json v;
    arena_init(&a, 0);
    if (done->err) {
        atomic_fetch_add(&c->stats.rejected, b->points);
        connection_error(c, STR("points"), (Str){0}, "%.*s", STR_ARG(done->message));
    } else if (json_parse(done->body, NULL, &a, &v, NULL) == ERR_OK) {
        atomic_fetch_add(&c->stats.accepted, member(&v, STR("accepted")));
        atomic_fetch_add(&c->stats.rejected, member(&v, STR("rejected")));
        atomic_fetch_add(&c->stats.late, member(&v, STR("late")));
        atomic_fetch_add(&c->stats.duplicates, member(&v, STR("duplicates")));
        if (member(&v, STR("rejected"))) say_refused(c, json_get(&v, STR("errors")));
        if (b->newest_ns) atomic_store(&c->stats.lag_ns, time_now_ns() - b->newest_ns);
    }
    arena_free(&a);
}

// On a thread of the engine.
static void batch_done(void *arg, const SosiaDone *done) {
    Batch *b = arg;
    Sparkplug *s = b->s;
    if (b->points) count_done(s->connection, b, done);
    else if (done->err && done->err != SOSIA_EXISTS)
        connection_error(s->connection, b->id, (Str){0}, "%.*s", STR_ARG(done->message));
    pthread_mutex_lock(&s->count_lock);
    s->puts--;
    s->waiting -= b->points;
    atomic_fetch_sub(&s->connection->stats.waiting, b->points);
    if (s->settle && s->puts == 0) {
        s->settle = false;
        mqtt_settle(s->link);
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->count_lock);
    mem_free((void *)(uintptr_t)b->id.p);
    mem_free(b);
}

// Room for another batch; false when the connection ends. Not from a callback of the engine.
static bool await_room(Sparkplug *s) {
    pthread_mutex_lock(&s->count_lock);
    while (s->waiting >= SPARKPLUG_WAITING_MAX && !s->stopping) pthread_cond_wait(&s->changed, &s->count_lock);
    pthread_mutex_unlock(&s->count_lock);
    return true;
}

static void batch_begin(Sparkplug *s, const Batch *b) {
    pthread_mutex_lock(&s->count_lock);
    s->puts++;
    s->waiting += b->points;
    atomic_fetch_add(&s->connection->stats.waiting, b->points);
    pthread_mutex_unlock(&s->count_lock);
}

// The engine did not take it: as if it had been refused.
static void batch_refused(Batch *b, Err err) {
    batch_done(b, &(SosiaDone){.err = (SosiaErr)err, .message = str_of(err_text(err))});
}

void sparkplug_flush(Sparkplug *s) {
    if (!s->point_count) return;
    Batch *b = mem_alloc(sizeof *b);
    *b = (Batch){.s = s, .points = s->point_count, .newest_ns = s->newest_ns};
    await_room(s);
    batch_begin(s, b);
    SosiaErr err;
    while ((err = sosia_inlet_put(s->inlet, s->points, s->point_count, batch_done, b)) == SOSIA_BUSY)
        thread_sleep_ns(NS_PER_MS); // the link waits with us: the broker keeps what follows
    if (err) batch_refused(b, (Err)err);
    s->point_count = 0, s->newest_ns = 0;
    arena_reset(&s->gather);
}

void sparkplug_send(Sparkplug *s, const SosiaWrite *w) {
    Batch *b = mem_alloc(sizeof *b);
    char *id = mem_alloc((size_t)w->id.n + 1);
    memcpy(id, w->id.p, (size_t)w->id.n);
    *b = (Batch){.s = s, .id = {id, w->id.n}};
    batch_begin(s, b);
    SosiaErr err;
    while ((err = sosia_write(s->engine, NULL, w, batch_done, b)) == SOSIA_BUSY) thread_sleep_ns(NS_PER_MS);
    if (err) batch_refused(b, (Err)err);
}

// ---- what the host asks for ----------------------------------------------------------------------------------------

static void remember_unit(Sparkplug *s, const SpUnit *u);

static bool on_born(void *ctx, SpUnit *u) {
    Sparkplug *s = ctx;
    bool known = !u->born; // remembered
    if (!sparkplug_twin(s, u)) return false;
    if (!known) remember_unit(s, u);
    return true;
}

static void on_linked(void *ctx, SpUnit *u, SpUnit *node) {
    Sparkplug *s = ctx;
    if (u->own || sparkplug_rule(&s->config, node)) return; // a fixed model says itself what it contains
    u->own = s;                                             // once is enough
    sparkplug_flush(s);
    sparkplug_link(s, u, node);
}

static void on_point(void *ctx, SpUnit *u, SpSlot *slot, const SosiaValue *v, int64_t time_ns) {
    Sparkplug *s = ctx;
    SosiaPoint *p = &s->points[s->point_count++];
    if (!slot->at.twin && sosia_inlet_resolve(s->inlet, u->twin, slot->property, &slot->at) != SOSIA_OK)
        slot->at = (SosiaHandle){0};
    // With the names beside it a handle that went stale costs a look-up and no value.
    *p = (SosiaPoint){.at = slot->at, .twin = u->twin, .path = slot->property, .model = u->model};
    p->value = *v;
    p->source_time_ns = time_ns;
    if (v->kind == SOSIA_TEXT || v->kind == SOSIA_JSON) p->value.s = arena_str(&s->gather, v->s);
    if (time_ns > s->newest_ns) s->newest_ns = time_ns;
    atomic_fetch_add(&s->connection->stats.points, 1);
    if (s->point_count == SPARKPLUG_GATHER_MAX) sparkplug_flush(s);
}

static void on_publish(void *ctx, Str topic, Str payload, int32_t qos, bool retain) {
    Sparkplug *s = ctx;
    Err err = mqtt_publish(s->link, &(MqttOut){.topic = topic, .payload = payload, .qos = qos, .retain = retain});
    if (err) connection_error(s->connection, topic, payload, "it could not be published: %s", err_text(err));
    else atomic_fetch_add(&s->connection->stats.published, 1);
}

static void on_wrong(void *ctx, Str topic, Str payload, const char *why) {
    Sparkplug *s = ctx;
    connection_error(s->connection, topic, payload, "%s", why);
}

static const SpHostOps host_ops = {on_born, on_linked, on_point, on_publish, on_wrong};

// ---- what the link says --------------------------------------------------------------------------------------------

static void on_will(void *ctx, Buf *payload) {
    Sparkplug *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->will_ns = time_now_ns();
    sparkplug_state(false, s->will_ns, payload);
    pthread_mutex_unlock(&s->lock);
}

// Every verb that edge nodes send, so that our own commands do not come back.
Err sparkplug_subscribe(Mqtt *link, const SpConfig *c) {
    static const struct {
        const char *rest;
        int32_t qos;
    } all[] = {{"NBIRTH/+", 0},   {"NDEATH/+", 1},   {"NDATA/+", 0},
               {"DBIRTH/+/+", 0}, {"DDEATH/+/+", 0}, {"DDATA/+/+", 0}};
    Buf filter = {0};
    Err err = ERR_OK;
    for (int32_t g = 0; g < c->group_count; g++)
        for (size_t i = 0; i < sizeof all / sizeof *all && !err; i++) {
            buf_reset(&filter);
            buf_printf(&filter, "spBv1.0/%.*s/%s", STR_ARG(c->groups[g]), all[i].rest);
            err = mqtt_subscribe(link, buf_str(&filter), all[i].qos);
        }
    buf_free(&filter);
    return err;
}

static void on_up(void *ctx, bool session_present) {
    Sparkplug *s = ctx;
    (void)session_present; // never: clean start
    pthread_mutex_lock(&s->lock);
    Err err = mqtt_subscribe(s->link, s->config.link.will_topic, 1);
    if (!err) err = sparkplug_subscribe(s->link, &s->config);
    if (err) connection_error(s->connection, (Str){0}, (Str){0}, "it could not subscribe: %s", err_text(err));
    sparkplug_host_up(s->host, s->will_ns, time_now_ns());
    pthread_mutex_unlock(&s->lock);
    atomic_fetch_add(&s->connection->stats.connects, 1);
    connection_state(s->connection, CONN_UP, (Str){0});
}

static void on_down(void *ctx, Str why, bool again) {
    Sparkplug *s = ctx;
    pthread_mutex_lock(&s->lock);
    sparkplug_host_down(s->host);
    pthread_mutex_unlock(&s->lock);
    connection_down(s->connection, again, why);
}

// A look at the traffic, a few times a second, as people read it.
static void sample(Sparkplug *s, const MqttMessage *m, int64_t now) {
    const SpPayload *p;
    Arena a;
    Buf text = {0};
    if (now - s->sampled_ns < 100 * NS_PER_MS) return;
    s->sampled_ns = now;
    arena_init(&a, 0);
    if (sparkplug_decode(m->payload, &a, &p, NULL) == ERR_OK) sparkplug_print(p, &a, &text);
    connection_message(s->connection, m->topic, text.n ? buf_str(&text) : m->payload);
    buf_free(&text);
    arena_free(&a);
}

static void on_message(void *ctx, const MqttMessage *m) {
    Sparkplug *s = ctx;
    int64_t now = time_now_ns();
    sample(s, m, now);
    atomic_fetch_add(&s->connection->stats.messages, 1);
    atomic_fetch_add(&s->connection->stats.bytes, m->payload.n);
    atomic_store(&s->connection->stats.last_message_ns, now);
    pthread_mutex_lock(&s->lock);
    // A retained STATE is what there is for us; anything else retained is old.
    sparkplug_host_message(s->host, m->topic, m->payload, m->retain, now);
    s->must_settle |= m->qos > 0;
    pthread_mutex_unlock(&s->lock);
}

static bool on_burst(void *ctx) {
    Sparkplug *s = ctx;
    pthread_mutex_lock(&s->lock);
    sparkplug_host_tick(s->host, time_now_ns());
    sparkplug_flush(s);
    bool must = s->must_settle;
    s->must_settle = false;
    pthread_mutex_unlock(&s->lock);
    if (!must) return false;
    pthread_mutex_lock(&s->count_lock);
    bool wait = s->puts > 0;
    s->settle = wait;
    pthread_mutex_unlock(&s->count_lock);
    return wait;
}

static void on_large(void *ctx, Str topic, int64_t size) {
    Sparkplug *s = ctx;
    connection_error(s->connection, topic, (Str){0}, "a payload of %lld bytes is too large", (long long)size);
}

static void on_refused(void *ctx, Str filter, Str why) {
    Sparkplug *s = ctx;
    connection_error(s->connection, filter, (Str){0}, "the broker refused the subscription: %.*s", STR_ARG(why));
}

static const MqttOps link_ops = {.will = on_will,
                                 .up = on_up,
                                 .down = on_down,
                                 .message = on_message,
                                 .burst = on_burst,
                                 .large = on_large,
                                 .refused = on_refused};

// ---- what was known before -----------------------------------------------------------------------------------------

// Key of a unit among the items: "NAME/GROUP/NODE[/DEVICE]".
static void put_key(Buf *b, const Sparkplug *s, const SpUnit *u) {
    buf_printf(b, "%.*s/%.*s/%.*s", STR_ARG(s->connection->name), STR_ARG(u->group), STR_ARG(u->name));
    if (u->device.n) buf_printf(b, "/%.*s", STR_ARG(u->device));
}

// A unit that was born is asked after, when the next process starts.
static void remember_unit(Sparkplug *s, const SpUnit *u) {
    Buf key = {0};
    put_key(&key, s, u);
    if (!map_get(&s->known, buf_str(&key), &(int64_t){0})) {
        map_put(&s->known, sparkplug_keep(s, buf_str(&key)), 1);
        SosiaItem item = {.kind = STR("sparkplug"), .key = buf_str(&key), .value = u->twin};
        // Nobody waits for it: at worst a unit is not asked after.
        Batch *b = mem_alloc(sizeof *b);
        *b = (Batch){.s = s};
        batch_begin(s, b);
        SosiaErr err = sosia_items_put(s->engine, &item, 1, batch_done, b);
        if (err) batch_refused(b, (Err)err);
    }
    buf_free(&key);
}

// The store's thread may be the one that calls: keys are only gathered.
static bool on_known(void *ctx, SosiaStr key, SosiaStr value) {
    Sparkplug *s = ctx;
    (void)value;
    if (!str_starts(key, s->connection->name) || key.p[s->connection->name.n] != '/') return false;
    map_put(&s->known, sparkplug_keep(s, key), 1);
    return true;
}

// Ask after the units of earlier processes, once there is a link.
static Err remember_all(Sparkplug *s) {
    Str after = arena_printf(&s->texts, "%.*s/", STR_ARG(s->connection->name));
    TRY((Err)sosia_items_scan(s->engine, STR("sparkplug"), after, 0, on_known, s));
    for (int64_t i = 0; i < s->known.cap; i++) {
        if (!s->known.slots[i].used) continue;
        Str key = s->known.slots[i].key, rest = str_sub(key, after.n, key.n);
        Str group = str_cut(&rest, '/'), node = str_cut(&rest, '/');
        if (group.n && node.n) sparkplug_host_remember(s->host, group, node, rest, time_now_ns());
    }
    return ERR_OK;
}

// ---- life ----------------------------------------------------------------------------------------------------------

static void *tick(void *arg) {
    Sparkplug *s = arg;
    int64_t at = time_mono_ns() + TICK_NS;
    pthread_mutex_lock(&s->count_lock);
    while (!s->stopping) {
        struct timespec t = {.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S};
        pthread_cond_timedwait(&s->changed, &s->count_lock, &t);
        if (time_mono_ns() < at) continue; // a completion
        at = time_mono_ns() + TICK_NS;
        pthread_mutex_unlock(&s->count_lock);
        mqtt_wake(s->link);
        pthread_mutex_lock(&s->count_lock);
    }
    pthread_mutex_unlock(&s->count_lock);
    return NULL;
}

static Sparkplug *make(Connection *c) {
    Sparkplug *s = mem_alloc(sizeof *s);
    s->connection = c;
    s->engine = c->connect->engine, s->shapes = c->connect->shapes;
    arena_init(&s->texts, 0), arena_init(&s->gather, 0);
    s->points = mem_alloc(SPARKPLUG_GATHER_MAX * sizeof *s->points);
    pthread_mutex_init(&s->lock, NULL), pthread_mutex_init(&s->count_lock, NULL);
    cond_init_mono(&s->changed);
    return s;
}

static void drop(Sparkplug *s) {
    sparkplug_host_free(s->host);
    sosia_inlet_close(s->inlet);
    map_free(&s->names), map_free(&s->known);
    arena_free(&s->texts), arena_free(&s->gather);
    mem_free(s->points);
    pthread_mutex_destroy(&s->lock), pthread_mutex_destroy(&s->count_lock);
    pthread_cond_destroy(&s->changed);
    mem_free(s);
}

static void await_all(Sparkplug *s) {
    struct timespec t = time_after(STOP_NS);
    pthread_mutex_lock(&s->count_lock);
    while (s->puts > 0) // callbacks name `s`: it may not go before them
        if (pthread_cond_timedwait(&s->changed, &s->count_lock, &t) != 0) t.tv_sec += STOP_NS / NS_PER_S;
    pthread_mutex_unlock(&s->count_lock);
}

static Err start(Connection *c, Buf *why) {
    Sparkplug *s = make(c);
    Diag d;
    diag_init(&d);
    Err err = sparkplug_config(&c->doc, &s->config, &s->texts, &d);
    if (err) diag_print(&d, why);
    diag_free(&d);
    SosiaInletOpen in = {.source = c->name, .lenient = true};
    if (!err) err = (Err)sosia_inlet_open(s->engine, &in, &s->inlet);
    if (!err) {
        s->host = sparkplug_host_new(&s->config.host, &host_ops, s);
        pthread_mutex_lock(&s->lock);
        err = remember_all(s);
        pthread_mutex_unlock(&s->lock);
    }
    if (!err) {
        connection_state(c, CONN_CONNECTING, (Str){0});
        pthread_mutex_lock(&s->lock); // callbacks wait until s->link is there
        err = mqtt_open(&s->config.link, &link_ops, s, &s->link);
        pthread_mutex_unlock(&s->lock);
    }
    if (!err) err = thread_start(&s->ticker, "sparkplug", tick, s);
    if (err && s->link) mqtt_close(s->link);
    if (err) {
        if (!why->n) buf_printf(why, "%s", err_text(err));
        await_all(s);
        drop(s);
        return err;
    }
    c->own = s;
    return ERR_OK;
}

// As the specification wants it: tell that we go, then disconnect.
static void stop(Connection *c) {
    Sparkplug *s = c->own;
    Buf payload = {0};
    pthread_mutex_lock(&s->count_lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->count_lock);
    thread_join(&s->ticker);
    sparkplug_state(false, time_now_ns(), &payload);
    pthread_mutex_lock(&s->lock);
    sparkplug_host_down(s->host); // our own message is not answered
    on_publish(s, s->config.link.will_topic, buf_str(&payload), 1, true);
    pthread_mutex_unlock(&s->lock);
    mqtt_close(s->link);
    buf_free(&payload);
    pthread_mutex_lock(&s->lock);
    sparkplug_flush(s);
    pthread_mutex_unlock(&s->lock);
    await_all(s);
    drop(s);
    c->own = NULL;
}

static void show(Connection *c, Buf *out) {
    Sparkplug *s = c->own;
    int64_t units, online;
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    SpHostStats t = *sparkplug_host_stats(s->host);
    sparkplug_host_count(s->host, &units, &online);
    pthread_mutex_unlock(&s->lock);
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {{"units", units},
                {"online", online},
                {"births", t.births},
                {"deaths", t.deaths},
                {"data", t.data},
                {"metrics", t.metrics},
                {"gaps", t.gaps},
                {"reordered", t.reordered},
                {"rebirthRequests", t.rebirths},
                {"unknownMetrics", t.unknown_metrics},
                {"beforeBirth", t.before_birth}};
    buf_str_put(out, STR(",\"sparkplug\":{"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buf_printf(out, "%s\"%s\":%lld", i ? "," : "", rows[i].name, (long long)rows[i].value);
    buf_byte(out, '}');
}

const ConnectKind kind_sparkplug = {.name = "sparkplug",
                                    .check = check,
                                    .secrets = secrets,
                                    .start = start,
                                    .stop = stop,
                                    .test = sparkplug_test,
                                    .command = sparkplug_invoke,
                                    .write = sparkplug_write,
                                    .show = show};
