// SPDX-License-Identifier: Apache-2.0
// "Show me ten messages and what they would become": a link of its own, with a client id of its own and a clean start,
// for a few seconds. Shared subscriptions are asked for as plain ones, so that nothing is taken away from the members
// of the group.
#include "base/mem.h"
#include "base/time.h"
#include "connect/mqtt_kind.h"

#define SECONDS_MOST 60
#define MESSAGES_MOST 100
#define SHOWN_POINTS 100
#define SHOWN_BYTES 4096
#define LOOK_NS (200 * NS_PER_MS) // how often a wait looks whether the server stops

typedef struct Try {
    SosiaConnect *connect;
    const Json *doc;
    Mqtt *mqtt;
    Mapping *map;
    MapOps ops;
    Mapped mapped;
    Buf error; // of the message at hand
    SosiaInlet *inlet;
    Str refused[SHOWN_POINTS]; // of the message at hand: why a point would be; in `said`
    Arena said;
    int64_t most;
    // guards what follows
    pthread_mutex_t lock;
    pthread_cond_t news;
    Buf out, why;
    int64_t count;
    bool up, failed;
} Try;

static void signal_locked(Try *t) { pthread_cond_signal(&t->news); }

static void on_up(void *ctx, bool known) {
    Try *t = ctx;
    int32_t qos;
    (void)known;
    for (int32_t i = 0; i < mapping_rules(t->map); i++) {
        Str filter = mapping_filter(t->map, i, &qos);
        int64_t slash = str_starts(filter, STR("$share/")) ? str_find(filter, '/', 7) : -1;
        if (slash > 0) filter = str_sub(filter, slash + 1, filter.n);
        if (mqtt_subscribe(t->mqtt, filter, 0)) continue;
    }
    pthread_mutex_lock(&t->lock);
    t->up = true;
    pthread_mutex_unlock(&t->lock);
}

static void on_down(void *ctx, Str why, bool again) {
    Try *t = ctx;
    (void)again;
    pthread_mutex_lock(&t->lock);
    buf_reset(&t->why);
    buf_str_put(&t->why, why);
    t->failed = true;
    signal_locked(t);
    pthread_mutex_unlock(&t->lock);
}

static void on_refused(void *ctx, Str filter, Str why) {
    Try *t = ctx;
    pthread_mutex_lock(&t->lock);
    buf_reset(&t->why);
    buf_printf(&t->why, "The broker refuses to subscribe %.*s: %.*s", STR_ARG(filter), STR_ARG(why));
    t->failed = true;
    signal_locked(t);
    pthread_mutex_unlock(&t->lock);
}

static void on_bad(void *ctx, Str why) {
    Try *t = ctx;
    if (!t->error.n) buf_str_put(&t->error, why);
}

static Err on_unit(void *ctx, Str twin, Str model, Str path, Str from, double value, double *out) {
    Try *t = ctx;
    const Json *world = json_get(t->doc, STR("world"));
    Str name = world && world->type == JSON_STRING ? world->s : (Str){0};
    return (Err)sosia_unit_convert(t->connect->engine, name, twin, model, path, from, value, out);
}

static void put_value(const SosiaValue *v, Buf *out) {
    switch (v->kind) {
    case SOSIA_NONE: buf_printf(out, "null"); break;
    case SOSIA_BOOL: buf_printf(out, v->b ? "true" : "false"); break;
    case SOSIA_I64: json_put_i64(out, v->i); break;
    case SOSIA_F64: json_put_f64(out, v->d); break;
    case SOSIA_TEXT: json_put_str(out, v->s); break;
    case SOSIA_JSON: buf_str_put(out, v->s); break;
    }
}

static void put_point(const SosiaPoint *p, Str refused, Buf *out) {
    buf_printf(out, "{\"twin\":");
    json_put_str(out, p->twin);
    buf_printf(out, ",\"property\":");
    json_put_str(out, p->path);
    buf_printf(out, ",\"value\":");
    put_value(&p->value, out);
    if (p->source_time_ns) {
        buf_printf(out, ",\"time\":\"");
        time_print(p->source_time_ns, 9, out);
        buf_byte(out, '"');
    }
    if (p->model.n) {
        buf_printf(out, ",\"model\":");
        json_put_str(out, p->model);
    }
    if (refused.n) {
        buf_printf(out, ",\"error\":");
        json_put_str(out, refused);
    }
    buf_byte(out, '}');
}

static void on_refused_point(void *ctx, int64_t i, SosiaErr err, SosiaStr why) {
    Try *t = ctx;
    (void)err;
    t->refused[i] = arena_str(&t->said, why);
}

// Which of the first n points the model would refuse.
static void check_points(Try *t, int64_t n) {
    arena_reset(&t->said);
    memset(t->refused, 0, sizeof t->refused);
    Err err = (Err)sosia_inlet_check(t->inlet, t->mapped.points, n, on_refused_point, t);
    for (int64_t i = 0; i < n && err; i++) t->refused[i] = str_of(err_text(err));
}

static void on_message(void *ctx, const MqttMessage *m) {
    Try *t = ctx;
    mapped_reset(&t->mapped);
    buf_reset(&t->error);
    if (!mapping_apply(t->map, &t->ops, m->topic, m->payload, m->retain, time_now_ns(), &t->mapped)) return;
    int64_t shown = t->mapped.count < SHOWN_POINTS ? t->mapped.count : SHOWN_POINTS;
    check_points(t, shown);
    pthread_mutex_lock(&t->lock);
    if (t->count < t->most) {
        Buf *out = &t->out;
        buf_printf(out, "%s{\"topic\":", t->count++ ? "," : "");
        json_put_str(out, m->topic);
        buf_printf(out, ",\"payload\":");
        json_put_str(out, str_sub(m->payload, 0, m->payload.n < SHOWN_BYTES ? m->payload.n : SHOWN_BYTES));
        buf_printf(out, ",\"points\":[");
        for (int64_t i = 0; i < shown; i++) {
            if (i) buf_byte(out, ',');
            put_point(&t->mapped.points[i], t->refused[i], out);
        }
        buf_printf(out, "],\"error\":");
        if (t->error.n) json_put_str(out, buf_str(&t->error));
        else buf_printf(out, "null");
        buf_byte(out, '}');
        if (t->count == t->most) signal_locked(t);
    }
    pthread_mutex_unlock(&t->lock);
    mapping_rest(t->map);
}

static bool on_burst(void *ctx) {
    (void)ctx;
    return false;
}

static const MqttOps ops = {
    .up = on_up, .down = on_down, .message = on_message, .burst = on_burst, .refused = on_refused};

static int64_t number_of(const Ask *a, Str name, int64_t or_else, int64_t most, Arena *arena) {
    Str s = ask_param(a, name, arena);
    int64_t v;
    if (!s.n || !str_to_i64(s, &v) || v < 1) return or_else;
    return v < most ? v : most;
}

// Until there are enough, time is up, the link fails, or the server stops.
static void collect(Try *t, int64_t seconds) {
    int64_t end = time_mono_ns() + seconds * NS_PER_S;
    pthread_mutex_lock(&t->lock);
    while (t->count < t->most && !t->failed && time_mono_ns() < end && !atomic_load(&t->connect->closing)) {
        struct timespec until = time_after(LOOK_NS);
        pthread_cond_timedwait(&t->news, &t->lock, &until);
    }
    pthread_mutex_unlock(&t->lock);
}

static Err run(Try *t, const MqttConfig *config, int64_t seconds, Buf *out, Buf *why) {
    TRY(mqtt_open(config, &ops, t, &t->mqtt));
    collect(t, seconds);
    mqtt_close(t->mqtt);
    if (!t->count && (t->failed || !t->up)) {
        buf_str_put(why, t->failed ? buf_str(&t->why) : STR("The broker does not answer"));
        return ERR_UNREACHABLE;
    }
    buf_byte(out, '[');
    buf_str_put(out, buf_str(&t->out));
    buf_byte(out, ']');
    return ERR_OK;
}

Err mqtt_try(SosiaConnect *k, const Json *doc, const Ask *ask, Buf *out, Buf *why) {
    Arena arena;
    MqttConfig config;
    Try t = {.connect = k, .doc = doc};
    TRY(mqtt_document(doc, NULL, &config, &t.map, NULL));
    config.client_id = (Str){0};
    config.clean_start = true;
    config.session_expiry_s = 0;
    arena_init(&arena, 256);
    t.most = number_of(ask, STR("messages"), 10, MESSAGES_MOST, &arena);
    int64_t seconds = number_of(ask, STR("seconds"), 5, SECONDS_MOST, &arena);
    arena_free(&arena);
    t.ops = (MapOps){.bad = on_bad, .unit = on_unit, .ctx = &t};
    mapped_init(&t.mapped);
    pthread_mutex_init(&t.lock, NULL);
    cond_init_mono(&t.news);
    arena_init(&t.said, 1024);
    Err err = mqtt_inlet(k, doc, STR("test"), &t.inlet, why);
    if (!err) err = run(&t, &config, seconds, out, why);
    sosia_inlet_close(t.inlet);
    arena_free(&t.said);
    pthread_cond_destroy(&t.news);
    pthread_mutex_destroy(&t.lock);
    mapped_free(&t.mapped);
    mapping_free(t.map);
    buf_free(&t.error);
    buf_free(&t.out);
    buf_free(&t.why);
    return err;
}
