// SPDX-License-Identifier: Apache-2.0
// The server: an engine behind HTTP and HTTPS. It speaks the Azure Digital Twins REST dialect and its own resources,
// for the live world at "/" and for every world at "/worlds/NAME/".
// Any thread may call these functions; calls for one server must not overlap.
#pragma once
#include <sosia/connect.h>
#include <sosia/sosia.h>
#include "base/err.h"
#include "serve/http.h"

struct Asset;

typedef struct Server Server;

#define SERVE_HOSTS_MAX 16

typedef struct ServeConfig {
    Str http;               // "127.0.0.1:8080"; empty: no plain HTTP
    Str https;              // "127.0.0.1:8443"; empty: no TLS
    const char *cert, *key; // PEM files for https
    const char *token_file; // one opaque bearer token a line, '#' begins a comment; NULL: loopback only, no token asked
    Str hosts[SERVE_HOSTS_MAX]; // names besides the loopback ones that a Host header may carry without a token file
    int32_t host_count;
    bool forwarded_proto;       // behind a proxy: take the scheme of links from X-Forwarded-Proto
    bool log_requests;          // LOG(REQUEST) for each
    int32_t io_threads;         // 0: 1
    HttpLimits limits;          // zero: defaults of http.h
    const struct Asset *assets; // files of the browser app (assets.h), for tests; NULL: those that were built in
    int32_t asset_count;
    int64_t session_idle_ns, session_life_ns; // of sessions of browsers; 0: 12 hours, 7 days
    // Who answers for /connections, /endpoints, /eventroutes, /write and commands: sosia_connect_ask with its first
    // argument; outlives the server. NULL: those answer NotSupported.
    SosiaConnect *connect;
    void (*connect_ask)(SosiaConnect *c, const SosiaCaller *who, const SosiaAsk *ask, SosiaToldFn fn, void *arg);
    void (*connect_hurry)(SosiaConnect *c); // after limits.stop_timeout_ms of stopping; NULL: nobody is told
    void (*connect_stats)(SosiaConnect *c, SosiaBuf *out); // for /metrics
} ServeConfig;

// Bind and serve. The engine stays the caller's and must outlive the server.
//   why  gets a sentence when it fails; may be NULL
// Errors: ARGUMENT, FORBIDDEN (an address that others can reach, without a token file), IO.
MUST Err serve_start(const ServeConfig *config, Sosia *engine, Server **out, Buf *why);
// The ports that were bound, 0 where there is no listener.
int32_t serve_port_http(const Server *s);
int32_t serve_port_https(const Server *s);
// Read token file, certificate and key again (for SIGHUP). On failure everything stays as it was.
MUST Err serve_reload(Server *s, Buf *why);
// Stop accepting, finish requests in work (bounded by limits.stop_timeout_ms), free. NULL is fine.
void serve_stop(Server *s);
