// SPDX-License-Identifier: Apache-2.0
#include "connect/connect.h"
#include "base/mem.h"
#include "connect/command.h"
#include "connect/line.h"
#include "connect/routes.h"
#include "connect/shape.h"

static const ConnectKind *const kinds[] = {
    &kind_mqtt, &kind_sparkplug, &kind_line, &kind_http, NULL,
};

const ConnectKind *connect_kind(Str name) {
    for (const ConnectKind *const *kind = kinds; *kind; kind++)
        if (str_eq(name, str_of((*kind)->name))) return *kind;
    return NULL;
}

static Str str_own(Str s) {
    char *p = mem_alloc((size_t)s.n + 1);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

SosiaErr sosia_connect_start(const SosiaConnectOpen *o, Sosia *s, SosiaConnect **out, SosiaBuf *why) {
    SosiaConnect *k = mem_alloc(sizeof *k);
    k->engine = s;
    k->host = str_own(o->host.n ? o->host : STR("localhost"));
    k->paused = o->paused;
    pthread_mutex_init(&k->edit, NULL);
    pthread_mutex_init(&k->lock, NULL);
    queue_init(&k->asks, ASK_QUEUE_MAX);
    queue_init(&k->tests, TESTS_MAX);
    k->shapes = shapes_new(s);
    k->commands = commands_new(k);
    k->lines = intake_new(k);
    Err err = k->commands && k->lines ? connections_load(k, why) : ERR_IO;
    if (!err) err = routes_open(k, &k->routes, why);
    if (!err) err = asks_start(k);
    if (err) {
        sosia_connect_stop(k);
        return (SosiaErr)err;
    }
    sosia_commander(s, commands_of_engine, k);
    *out = k;
    return SOSIA_OK;
}

void sosia_connect_stop(SosiaConnect *k) {
    if (!k) return;
    sosia_commander(k->engine, NULL, NULL);
    asks_stop(k);
    intake_free(k->lines);
    routes_close(k->routes);
    connections_stop(k);
    commands_free(k->commands);
    shapes_free(k->shapes);
    queue_free(&k->asks);
    queue_free(&k->tests);
    pthread_mutex_destroy(&k->lock);
    pthread_mutex_destroy(&k->edit);
    mem_free((char *)k->host.p);
    mem_free(k);
}

void sosia_connect_hurry(SosiaConnect *k) {
    atomic_store(&k->closing, true);
    commands_hurry(k->commands);
}

// Sums over all connections.
typedef struct Totals {
    int64_t up, failed, paused, messages, bytes, points, accepted, rejected, late, duplicates, errors, published,
        commands, connects, drops, waiting;
} Totals;

static void add(Totals *t, Connection *c) {
    ConnStats *s = &c->stats;
    int state = atomic_load(&c->state);
    t->up += state == CONN_UP;
    t->failed += state == CONN_FAILED;
    t->paused += state == CONN_PAUSED;
    t->messages += s->messages;
    t->bytes += s->bytes;
    t->points += s->points;
    t->accepted += s->accepted;
    t->rejected += s->rejected;
    t->late += s->late;
    t->duplicates += s->duplicates;
    t->errors += s->errors;
    t->published += s->published;
    t->commands += s->commands;
    t->connects += s->connects;
    t->drops += s->drops;
    t->waiting += s->waiting;
}

void sosia_connect_stats(SosiaConnect *k, SosiaBuf *out) {
    Totals t = {0};
    pthread_mutex_lock(&k->lock);
    int64_t count = k->connection_count;
    for (int64_t i = 0; i < count; i++) add(&t, k->connections[i]);
    pthread_mutex_unlock(&k->lock);
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {{"connections", count},       {"up", t.up},
                {"failed", t.failed},         {"paused", t.paused},
                {"messages", t.messages},     {"bytes", t.bytes},
                {"points", t.points},         {"accepted", t.accepted},
                {"rejected", t.rejected},     {"late", t.late},
                {"duplicates", t.duplicates}, {"errors", t.errors},
                {"published", t.published},   {"commands", t.commands},
                {"connects", t.connects},     {"drops", t.drops},
                {"pointsWaiting", t.waiting}, {"requestsWaiting", queue_count(&k->asks)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buf_printf(out, "%c\"%s\":%lld", i ? ',' : '{', rows[i].name, (long long)rows[i].value);
    commands_stats(k->commands, out);
    intake_stats(k->lines, out);
    routes_stats(k->routes, out);
    buf_byte(out, '}');
}
