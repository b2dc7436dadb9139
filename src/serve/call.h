// SPDX-License-Identifier: Apache-2.0
// One request on its way through an operation: what handlers see and the ways they answer. All functions belong to the
// request's I/O thread.
#pragma once
#include <sosia/sosia.h>
#include <stdatomic.h>
#include "base/thread.h"
#include "serve/guard.h"
#include "serve/http.h"
#include "serve/metrics.h"
#include "serve/route.h"
#include "serve/server.h"

#define SERVE_READERS 2
struct Server {
    ServeConfig config; // strings belong to `keep`
    Arena keep;
    Sosia *engine;
    Http *http;
    Guard guard;
    int64_t session_life_ns;
    Metrics metrics;
    SosiaOut outs[HTTP_THREADS_MAX];    // scratch of each I/O thread
    struct Fan *fans[HTTP_THREADS_MAX]; // of subscriptions; each thread's own
    Queue jobs;                         // calls for the worker: what would hold up an I/O thread
    Thread worker;
    Queue reads; // calls for the readers: what looks at much and changes nothing
    Thread readers[SERVE_READERS];
    _Atomic bool hurry;                    // the server stops: what nobody waits for any more ends
    struct Erasures *erasures;             // the key of receipts, and who waits for one; see own.h
    struct Deciders *deciders;             // who waits for news of decisions
    int64_t watch_bytes[HTTP_THREADS_MAX]; // that wait in watches; each thread's own
    const struct Asset *assets;            // of the browser app
    int32_t asset_count;
    int32_t port_http, port_https;
    char address[64]; // for links when there is no Host header
};

#define JSON_TYPE STR("application/json; charset=utf-8")

typedef struct Call Call;
struct Call {
    Server *server;
    HttpReq *req;
    const HttpView *view;
    Str body;           // of the request; after call_unpack what was packed in it
    Buf unpacked;       // freed with the answer
    const Route *route; // NULL: none matched
    int32_t route_index;
    SosiaCaller who;
    Str world;         // decoded; "" is the live world; of the past with an instant that means the same at any time
    Str prefix;        // "/worlds/NAME" as the client wrote it, but for times like -1h; or ""
    bool past;         // the world is of the past
    Str id, sub, part; // decoded
    Str api_version;
    char principal[16];
    int success;          // status of a write that succeeds
    void (*job)(Call *c); // what the worker or a post runs
    void *job_arg;
};

// Entry point: the handler of the facade.
void call_handle(void *server, HttpReq *r);

// ---- what was asked ----

// The first query parameter of that name, decoded; p is NULL when there is none, it cannot be decoded, or params.h does
// not have it for this route.
Str call_param(Call *c, Str name);
// Step through all parameters of a name. *rest begins as call's raw query. False at the end.
bool call_param_next(Call *c, Str *rest, Str name, Str *value);
// "true" (any case) or "1".
bool call_param_bool(Call *c, Str name);
// A read of this call's world, id and sub, with the dialect's version and base URL filled in.
SosiaRead call_read(Call *c, SosiaGet what);
// A write likewise, with body, If-Match and If-None-Match; false when a header is not valid: then it was answered.
bool call_conditions(Call *c, SosiaWrite *w);
SosiaWrite call_writing(Call *c, SosiaOp op);
// The header max-items-per-page, at most 1,000; *limit is untouched without it. False when it is not valid: then it was
// answered.
bool call_page_size(Call *c, int32_t *limit);
// The world of this call, by its decoded name.
void call_world(Call *c, Str name);
// "http://host:port/worlds/NAME", in memory of the request.
Str call_base_url(Call *c);

// Did the client come through TLS, as far as can be told (behind a proxy: as that says)?
bool call_is_https(Call *c);

// Append this request's URL with another continuation token, as a JSON string.
void call_next_link(Call *c, Str token, Buf *out);

// Run fn(c) with c->body as it was before the client packed it (Content-Encoding: gzip); unpacking is the worker's.
// Answers NotSupported for other encodings, 400 for a body that is no gzip, 413 for one too large.
void call_unpack(Call *c, void (*fn)(Call *c));

// ---- answering; each exactly once ----

// An error with its code, status, message (err_text when empty) and details (a JSON array or "").
void call_fail(Call *c, Err err, Str message, Str details);
// The same with a printf message.
void call_failf(Call *c, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// 426: the resource wants a WebSocket, or another version of it.
void call_upgrade(Call *c);
// A status without a body; etag may be "".
void call_empty(Call *c, int status, Str etag, uint64_t seq);
// A JSON body, taken from *body; etag may be "".
void call_json(Call *c, int status, Str etag, Buf *body);
// Any reply: adds the common headers, counts and sends it.
void call_reply(Call *c, HttpReply *reply);
// The common headers of a reply that becomes a stream, and the books.
void call_stream_head(Call *c, HttpReply *reply);

// Read one document and answer it, or the error. 200.
void call_get(Call *c, const SosiaRead *r);
// Read one page of a list and answer {"value":[...],"nextLink":...}; takes page size and token from the request.
void call_list(Call *c, SosiaRead *r);
// Queue a write; answer `status` when it is done: with the result body when status is not 204.
void call_write(Call *c, const SosiaWrite *w, int status);

// How a write ended, in memory of the request.
typedef struct CallDone {
    Err err;
    Buf message, details, body;
    char etag[64];
    uint64_t seq;
    bool created;
} CallDone;

// Queue a write and have fn(c, done) called; the buffers of done are freed afterwards.
void call_write_then(Call *c, const SosiaWrite *w, void (*fn)(Call *c, CallDone *done));
// Run fn on the worker thread, which ends with call_post. Answers BUSY when too much waits there.
void call_work(Call *c, void (*fn)(Call *c));
// The same on one of the readers, for long reads. False: too much waits there, and BUSY was answered.
bool call_reader(Call *c, void (*fn)(Call *c));
// From the worker or a reader: run fn(c) on the I/O thread.
void call_post(Call *c, void (*fn)(Call *c));
