// SPDX-License-Identifier: Apache-2.0
#include "serve/server.h"
#include <stdio.h>
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "serve/adt/adt.h"
#include "serve/assets.h"
#include "serve/own.h"

#define JOBS_MAX 256
#define READS_MAX 1024

static void run_jobs(Queue *q) {
    void *item;
    while (queue_pop(q, &item, 1, -1) == 1) {
        Call *c = item;
        c->job(c);
    }
}

static void *run_worker(void *arg) {
    run_jobs(&((Server *)arg)->jobs);
    return NULL;
}

static void *run_reader(void *arg) {
    run_jobs(&((Server *)arg)->reads);
    return NULL;
}

static void on_refused(void *ctx, int status) { metrics_refused(&((Server *)ctx)->metrics, status); }

// What takes longer than a stopping server may wait for.
static void on_late(void *ctx) {
    const ServeConfig *c = &((Server *)ctx)->config;
    adt_query_stop(ctx);
    atomic_store(&((Server *)ctx)->hurry, true);
    erasures_hurry(((Server *)ctx)->erasures);
    if (c->connect && c->connect_hurry) c->connect_hurry(c->connect);
}

static const char *keep_z(Arena *keep, const char *z) { return z ? arena_str(keep, str_of(z)).p : NULL; }

static void keep_config(Server *s, const ServeConfig *config) {
    arena_init(&s->keep, 4096);
    s->config = *config;
    s->config.http = arena_str(&s->keep, config->http);
    s->config.https = arena_str(&s->keep, config->https);
    s->config.cert = keep_z(&s->keep, config->cert);
    s->config.key = keep_z(&s->keep, config->key);
    s->config.token_file = keep_z(&s->keep, config->token_file);
    for (int32_t i = 0; i < config->host_count; i++) s->config.hosts[i] = arena_str(&s->keep, config->hosts[i]);
    s->guard.hosts = s->config.hosts;
    s->guard.host_count = config->host_count;
}

static Err start_http(Server *s, Buf *why) {
    const ServeConfig *c = &s->config;
    HttpConfig h = {.threads = c->io_threads,
                    .limits = c->limits,
                    .handle = call_handle,
                    .refused = on_refused,
                    .late = on_late,
                    .ctx = s};
    bool loopback = c->token_file == NULL;
    if (c->http.n > 0) h.listen[h.listen_count++] = (HttpListen){.address = c->http, .loopback_only = loopback};
    if (c->https.n > 0) {
        if (!c->cert || !c->key) {
            if (why) buf_printf(why, "https needs a certificate and its key");
            return ERR_ARGUMENT;
        }
        h.listen[h.listen_count++] =
            (HttpListen){.address = c->https, .cert = c->cert, .key = c->key, .loopback_only = loopback};
    }
    if (h.listen_count == 0) {
        if (why) buf_printf(why, "no address to listen on");
        return ERR_ARGUMENT;
    }
    TRY(http_start(&h, &s->http, why));
    if (c->http.n > 0) s->port_http = http_port(s->http, 0);
    if (c->https.n > 0) s->port_https = http_port(s->http, h.listen_count - 1);
    return ERR_OK;
}

static void join_workers(Server *s) {
    queue_close(&s->jobs);
    queue_close(&s->reads);
    thread_join(&s->worker);
    for (int i = 0; i < SERVE_READERS; i++) thread_join(&s->readers[i]);
}

static void free_server(Server *s) {
    for (int32_t i = 0; i < HTTP_THREADS_MAX; i++) sosia_out_free(&s->outs[i]);
    guard_free(&s->guard);
    sessions_free(s->guard.sessions);
    erasures_free(s->erasures);
    deciders_free(s->deciders);
    queue_free(&s->jobs);
    queue_free(&s->reads);
    arena_free(&s->keep);
    mem_free(s);
}

static void log_listen(Str address, int32_t port, const char *scheme) {
    char text[300];
    if (address.n == 0) return;
    snprintf(text, sizeof text, "%s %.*s (port %d)", scheme, STR_ARG(address), (int)port);
    LOG(LISTEN, text);
}

Err serve_start(const ServeConfig *config, Sosia *engine, Server **out, Buf *why) {
    CHECK(engine);
    CHECK(config->host_count >= 0 && config->host_count <= SERVE_HOSTS_MAX);
    Server *s = mem_alloc(sizeof *s);
    s->engine = engine;
    s->metrics.started_ns = time_now_ns();
    s->erasures = erasures_new();
    s->deciders = deciders_new(engine);
    queue_init(&s->jobs, JOBS_MAX);
    queue_init(&s->reads, READS_MAX);
    keep_config(s, config);
    s->session_life_ns = config->session_life_ns ? config->session_life_ns : SESSION_LIFE_S * NS_PER_S;
    s->guard.sessions = sessions_new(config->session_idle_ns, s->session_life_ns);
    s->assets = config->assets ? config->assets : assets;
    s->asset_count = config->assets ? config->asset_count : assets_count;
    snprintf(s->address, sizeof s->address, "localhost");
    Err err = config->token_file ? guard_load(&s->guard, config->token_file, why) : ERR_OK;
    if (err == ERR_OK) err = thread_start(&s->worker, "serve-worker", run_worker, s);
    for (int i = 0; err == ERR_OK && i < SERVE_READERS; i++)
        err = thread_start(&s->readers[i], "serve-reader", run_reader, s);
    if (err == ERR_OK) err = start_http(s, why);
    if (err != ERR_OK) {
        join_workers(s);
        free_server(s);
        return err;
    }
    log_listen(s->config.http, s->port_http, "http");
    log_listen(s->config.https, s->port_https, "https");
    *out = s;
    return ERR_OK;
}

int32_t serve_port_http(const Server *s) { return s->port_http; }
int32_t serve_port_https(const Server *s) { return s->port_https; }

Err serve_reload(Server *s, Buf *why) {
    if (s->config.token_file) TRY(guard_load(&s->guard, s->config.token_file, why));
    return http_reload_certs(s->http, why);
}

void serve_stop(Server *s) {
    if (!s) return;
    deciders_hurry(s->deciders);
    http_stop(s->http); // waits for what the worker and the engine still owe
    join_workers(s);
    free_server(s);
}
