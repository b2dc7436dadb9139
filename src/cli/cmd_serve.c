// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sosia/connect.h>
#include <sosia/sosia.h>
#include "base/log.h"
#include "base/time.h"
#include "cli/command.h"
#include "codec/json.h"
#include "serve/http.h"
#include "serve/server.h"

#define HTTP_DEFAULT "127.0.0.1:7474"

typedef struct Serve {
    Str data, http, https, cert, key, token_file, log, slow_query, future;
    StrList engines, hosts;
    int64_t checkpoint_ns, retain_ns, journal_mb, io_threads, query_timeout_ns;
    bool memory, behind_proxy, paused, json;
} Serve;

static const Opt opts[] = {
    OPT(Serve, data, OPT_STR, 'd', "data", "FILE", "the world's file; made when it is not there"),
    OPT(Serve, memory, OPT_FLAG, 0, "memory", NULL, "no file: nothing survives the process"),
    OPT(Serve, http, OPT_STR, 0, "http", "ADDR", "listen here (" HTTP_DEFAULT "); port 0: any free one"),
    OPT(Serve, https, OPT_STR, 0, "https", "ADDR", "listen here with TLS; needs --cert and --key"),
    OPT(Serve, cert, OPT_STR, 0, "cert", "FILE", "certificate chain, PEM"),
    OPT(Serve, key, OPT_STR, 0, "key", "FILE", "private key, PEM"),
    OPT(Serve, token_file, OPT_STR, 0, "token-file", "FILE",
        "ask for one of these bearer tokens, one a line; without it only this machine is served"),
    OPT(Serve, hosts, OPT_LIST, 0, "host", "NAME", "a name that requests may carry besides the loopback ones"),
    OPT(Serve, behind_proxy, OPT_FLAG, 0, "behind-proxy", NULL, "believe X-Forwarded-Proto"),
    OPT_RANGE(Serve, io_threads, "io-threads", "N", "threads that serve connections (1)", 1, HTTP_THREADS_MAX),
    OPT(Serve, engines, OPT_LIST, 0, "engine", "FILE", "a shared object with an engine of simulations"),
    OPT(Serve, checkpoint_ns, OPT_DURATION, 0, "checkpoint", "TIME", "between checkpoints (30s)"),
    OPT(Serve, retain_ns, OPT_DURATION, 0, "retain", "TIME", "between looks for what retention lets go (60s)"),
    OPT(Serve, query_timeout_ns, OPT_DURATION, 0, "query-timeout", "TIME", "for one page of a question (60s)"),
    OPT(Serve, slow_query, OPT_STR, 0, "slow-query", "TIME",
        "log questions that take longer, with their text (1s); off: none"),
    OPT(Serve, future, OPT_STR, 0, "future", "TIME",
        "a value further ahead of the clock becomes history at once (5m); off: it stands"),
    OPT_RANGE(Serve, journal_mb, "journal-mb", "N", "MiB of past changes kept for subscribers that come back (256)", 1,
              1 << 20),
    OPT(Serve, paused, OPT_FLAG, 0, "paused", NULL, "leave all connections and event routes paused (for repair)"),
    OPT(Serve, log, OPT_STR, 0, "log", "LEVEL", "debug, info, warn (default) or error, to stderr"),
    OPT(Serve, json, OPT_FLAG, 'j', "json", NULL, "the ready line as JSON"),
    OPT_END,
};

static Err set_log(Str level) {
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int32_t i = 0; i < 4; i++) {
        if (!str_eq(level.n ? level : STR("warn"), str_of(names[i]))) continue;
        log_set_sink(log_stderr, NULL, (LogLevel)i);
        return ERR_OK;
    }
    return tell(ERR_ARGUMENT, "serve: --log takes debug, info, warn or error");
}

// 0: the engine's; negative: never. False when it is neither a time nor "off".
static bool read_time(Str text, int64_t *ns) {
    *ns = str_eq(text, STR("off")) ? -1 : 0;
    return !text.n || *ns < 0 || (time_parse_duration(text, ns) && *ns > 0);
}

static Err check(const Serve *s) {
    if (!s->data.n && !s->memory) {
        tell(ERR_ARGUMENT, "serve: where shall the world live?");
        hint("sosia serve --data plant.sosia (or --memory to try something out)");
        return ERR_ARGUMENT;
    }
    if (s->data.n && s->memory) return tell(ERR_ARGUMENT, "serve: --data or --memory, not both");
    if (s->https.n && (!s->cert.n || !s->key.n)) return tell(ERR_ARGUMENT, "serve: --https needs --cert and --key");
    if (s->hosts.count > SERVE_HOSTS_MAX) {
        return tell(ERR_LIMIT, "serve: --host was given more than %d times", SERVE_HOSTS_MAX);
    }
    int64_t ns;
    if (!read_time(s->future, &ns)) return tell(ERR_ARGUMENT, "serve: --future takes a time, as 10m, or off");
    if (!read_time(s->slow_query, &ns)) return tell(ERR_ARGUMENT, "serve: --slow-query takes a time, as 500ms, or off");
    return set_log(s->log);
}

// As many open files as the system lets us have: each connection is one.
static void raise_file_limit(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0) return;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
}

static ServeConfig config_of(const Serve *s, Arena *keep) {
    ServeConfig c = {.http = s->http, .https = s->https};
    if (!c.http.n && !c.https.n) c.http = STR(HTTP_DEFAULT);
    if (s->cert.n) c.cert = arena_str(keep, s->cert).p;
    if (s->key.n) c.key = arena_str(keep, s->key).p;
    if (s->token_file.n) c.token_file = arena_str(keep, s->token_file).p;
    for (; c.host_count < s->hosts.count && c.host_count < SERVE_HOSTS_MAX; c.host_count++) {
        c.hosts[c.host_count] = s->hosts.items[c.host_count];
    }
    c.forwarded_proto = s->behind_proxy;
    c.log_requests = str_eq(s->log, STR("debug"));
    c.io_threads = (int32_t)s->io_threads;
    return c;
}

// "http://127.0.0.1:7474" of a configured address and the port that was bound.
static void put_url(const char *scheme, Str address, int32_t port, Buf *out) {
    int64_t colon = -1;
    for (int64_t i = str_find(address, ':', 0); i >= 0; i = str_find(address, ':', i + 1)) colon = i;
    Str host = colon < 0 ? address : str_sub(address, 0, colon);
    if (!host.n || str_eq(host, STR("*")) || str_eq(host, STR("0.0.0.0"))) host = STR("127.0.0.1");
    buf_printf(out, "%s://%.*s:%d", scheme, STR_ARG(host), port);
}

static Err say_ready(const Serve *s, const ServeConfig *c, const Server *server, int64_t took_ns) {
    Buf url = {0}, tls = {0}, out = {0};
    if (serve_port_http(server)) put_url("http", c->http, serve_port_http(server), &url);
    if (serve_port_https(server)) put_url("https", c->https, serve_port_https(server), &tls);
    if (s->json) {
        buf_printf(&out, "{\"url\":\"%.*s\",\"https\":\"%.*s\",\"pid\":%d,\"ready_ms\":%.1f}\n", STR_ARG(buf_str(&url)),
                   STR_ARG(buf_str(&tls)), (int)getpid(), (double)took_ns / 1e6);
    } else {
        buf_printf(&out, "sosia " SOSIA_VERSION " ready at %.*s%s%.*s (%.*s, %.0f ms)\n", STR_ARG(buf_str(&url)),
                   url.n && tls.n ? " and " : "", STR_ARG(buf_str(&tls)),
                   STR_ARG(s->memory ? STR("in memory") : s->data), (double)took_ns / 1e6);
    }
    Err err = say(buf_str(&out));
    buf_free(&url);
    buf_free(&tls);
    buf_free(&out);
    return err;
}

// Until SIGINT or SIGTERM; SIGHUP reads tokens and certificates again.
static void wait_for_end(Server *server, const sigset_t *signals) {
    for (int sig; sigwait(signals, &sig) == 0;) {
        if (sig != SIGHUP) return;
        Buf why = {0};
        Err err = serve_reload(server, &why);
        if (err != ERR_OK) tell(err, "reload: %.*s", STR_ARG(buf_str(&why)));
        buf_free(&why);
    }
}

// Whoever can write the token file can let himself in. Said with --json too: stdout has the ready line alone.
static void warn_of_open_tokens(const char *file) {
    struct stat st;
    if (!file || stat(file, &st) != 0 || !(st.st_mode & (S_IWGRP | S_IWOTH))) return;
    fprintf(stderr, "sosia: warning: %s can write the token file %s; close it with: chmod go-w %s\n",
            st.st_mode & S_IWOTH ? "everybody" : "its group", file, file);
}

static Err serve(const Serve *s, Sosia *engine, SosiaConnect *connect, int64_t start_ns, const sigset_t *signals) {
    Arena keep;
    Buf why = {0};
    Server *server;
    arena_init(&keep, 0);
    ServeConfig config = config_of(s, &keep);
    config.connect = connect;
    config.connect_ask = sosia_connect_ask;
    config.connect_hurry = sosia_connect_hurry;
    config.connect_stats = sosia_connect_stats;
    Err err = serve_start(&config, engine, &server, &why);
    if (err == ERR_OK) {
        warn_of_open_tokens(config.token_file);
        err = say_ready(s, &config, server, time_mono_ns() - start_ns);
        if (err == ERR_OK) wait_for_end(server, signals);
        serve_stop(server);
    } else {
        tell(err, "serve: %.*s", STR_ARG(buf_str(&why)));
    }
    buf_free(&why);
    arena_free(&keep);
    return err;
}

// Between engine and server lie the connections: they start before the first request and stop after the last.
static Err run_connected(const Serve *s, Sosia *engine, int64_t start_ns, const sigset_t *signals) {
    Buf why = {0};
    SosiaConnect *connect = NULL;
    SosiaConnectOpen open = {.host = s->hosts.count ? s->hosts.items[0] : (Str){0}, .paused = s->paused};
    Err err = (Err)sosia_connect_start(&open, engine, &connect, &why);
    if (err == ERR_OK) err = serve(s, engine, connect, start_ns, signals);
    else tell(err, "serve: connections: %.*s", STR_ARG(why.n ? buf_str(&why) : str_of(err_text(err))));
    sosia_connect_stop(connect);
    buf_free(&why);
    return err;
}

static Err run(void *fields, const Args *args) {
    (void)args;
    const Serve *s = fields;
    int64_t start = time_mono_ns();
    TRY(check(s));
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    raise_file_limit();
    Sosia *engine;
    Buf why = {0};
    SosiaOpen open = {.path = s->data,
                      .checkpoint_interval_ns = s->checkpoint_ns,
                      .retain_interval_ns = s->retain_ns,
                      .query_timeout_ns = s->query_timeout_ns,
                      .engines = s->engines.items,
                      .engine_count = s->engines.count};
    open.journal_bytes_max = s->journal_mb << 20;
    read_time(s->future, &open.future_ns);
    read_time(s->slow_query, &open.query_slow_ns);
    Err err = (Err)sosia_open(&open, &engine, &why);
    if (err != ERR_OK) {
        tell(err, "serve: %.*s", STR_ARG(why.n ? buf_str(&why) : str_of(err_text(err))));
        buf_free(&why);
        return err;
    }
    err = run_connected(s, engine, start, &signals);
    sosia_close(engine);
    buf_free(&why);
    return err;
}

const Command cmd_serve = {
    .heading = "Run",
    .name = "serve",
    .arguments = "",
    .summary = "start the server",
    .about = "One file holds the world: models, twins, relationships, values. SIGINT or SIGTERM stop it in order; kill "
             "-9 or\n"
             "a power cut lose nothing that was acknowledged. SIGHUP reads token file and certificate again.",
    .examples = "  sosia serve --data plant.sosia\n"
                "  sosia serve --data plant.sosia --http 127.0.0.1:8080\n"
                "  sosia serve --data plant.sosia --https 0.0.0.0:8443 --cert c.pem --key k.pem --token-file tokens\n"
                "  sosia serve --memory --http 127.0.0.1:0 --json",
    .opts = opts,
    .size = sizeof(Serve),
    .run = run,
};
