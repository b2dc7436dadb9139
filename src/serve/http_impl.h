// SPDX-License-Identifier: Apache-2.0
// What http.c, http_loop.c and http_req.c share: the h2o side of the facade. Included by those files only.
//
// h2o 2.2 facts this code stands on:
// 1. While a request is in work the connection neither reads nor has a timer, so nothing can free it before the reply.
// 2. A reply's headers are flattened inside h2o_send, so their values need not live longer than that call.
// 3. Write callbacks run from the loop, never inside h2o_send, except for a final send without a byte to write.
// 4. Nothing ends a write that the peer does not take: the sweep does, by shutting the socket down, which makes the
//    pending write or read fail and h2o close the connection.
// 5. Errors found before the handler runs (413, 400 on a bad chunk, 417) pass the filters of the fallback path.
// 6. An upgraded connection leaves h2o when its 101 was written: the socket stays, with what is behind the request in
//    its input, and h2o's request is gone.
#pragma once
#include <semaphore.h>
#include <stdatomic.h>
#include <h2o.h>
#include <h2o/http1.h>
#include "base/thread.h"
#include "serve/http.h"
#include "serve/ws.h"

// ORDER STATE: where a connection stands, for the sweep.
typedef enum ConnState {
    CONN_READING, // handshake, idle, or a request on its way in: h2o's timer runs
    CONN_WORK,    // a handler owes the reply
    CONN_SENDING, // the reply is on its way
    CONN_STREAM,
    CONN_LINGER, // a WebSocket is closed; until the client closes, too
} ConnState;

typedef struct HttpLoop HttpLoop;
typedef struct HttpConn HttpConn;
typedef struct HttpSocket HttpSocket;

struct HttpReq {
    h2o_multithread_message_t message; // first: a post is the request itself
    void (*post)(HttpReq *r, void *arg);
    void *post_arg;
    void (*gone)(void *arg); // NULL: nobody wants to know, or was told
    void *gone_arg;
    int64_t half_closed_ms; // when the sweep found the client's side closed; 0: it is open
    HttpConn *conn;
    h2o_req_t *h2o;
    HttpView view;
    int64_t began_ns;
    HttpStream *stream;
    Buf held; // memory of a long body until it is sent; kept as a spare between requests
};

struct HttpConn {
    h2o_linklist_t link; // in HttpLoop.conns
    HttpLoop *loop;
    h2o_socket_t *sock;
    ConnState state;
    int64_t progress_ms; // when the peer last took a byte of what is being sent
    uint64_t acked;      // bytes it had taken by then
    HttpReq req;
};

// What a stream has when it is a WebSocket.
struct HttpSocket {
    WsReader reader;
    Buf control;  // pings, pongs and the close frame that wait
    bool open;    // the 101 was written
    bool writing; // `flight` is on its way
    bool over;    // `closed` was called
    bool paused, taking;
    int64_t heard_ms, pinged_ms;
};

struct HttpWaker {
    h2o_multithread_message_t message; // first: a wake is the waker itself
    h2o_timeout_entry_t soon;
    HttpLoop *loop;
    void (*fn)(void *arg);
    void *arg;
    atomic_bool queued;
    atomic_int refs; // the owner's and that of a wake on its way
};

struct HttpStream {
    h2o_multithread_message_t message; // first: a wake is the stream itself
    h2o_generator_t generator;
    HttpLoop *loop;
    HttpConn *conn; // NULL once closed
    const HttpStreamOps *ops;
    void *arg;
    Buf flight, spare;
    bool idle;
    HttpSocket *ws;     // NULL: a reply
    atomic_bool queued; // a wake is on its way
    atomic_int refs;    // the loop's and that of a wake on its way
};

typedef struct HttpListener {
    int fd, port;
    char *cert, *key;
    _Atomic(SSL_CTX *) tls;
} HttpListener;

// What one I/O thread has of one listener.
typedef struct LoopListener {
    h2o_socket_t *sock;
    h2o_accept_ctx_t accept;
    HttpLoop *loop;
    HttpListener *listener;
} LoopListener;

struct HttpLoop {
    Http *http;
    int32_t index;
    Thread thread;
    sem_t ready; // posted once `posts` can receive
    h2o_evloop_t *ev;
    h2o_context_t ctx;
    h2o_linklist_t conns;
    LoopListener listeners[HTTP_LISTENERS_MAX];
    h2o_multithread_receiver_t posts, wakes, calls;
    h2o_timeout_t sweep_timer, soon_timer;
    h2o_timeout_entry_t sweep_entry;
    bool accepting, stopping;
    int64_t stop_at_ms, ticked_ms;
    int64_t body_bytes; // of requests in work
    // Written by this thread only, read by any.
    _Atomic int64_t connections, connections_total, connections_refused, requests, requests_total, streams, cut_slow,
        cut_input;
};

struct Http {
    HttpConfig config; // without the strings of `listen`
    h2o_globalconf_t conf;
    HttpListener listeners[HTTP_LISTENERS_MAX];
    int32_t listener_count, thread_count;
    HttpLoop *loops;
    atomic_bool stop;
    SSL_CTX **retired; // replaced certificates: a thread may still be about to use one
    int32_t retired_count;
};

// The one writer of a counter adds to it.
static inline void counter_add(_Atomic int64_t *c, int64_t n) {
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

// The I/O thread of an h2o context.
static inline HttpLoop *loop_of(h2o_context_t *ctx) { return H2O_STRUCT_FROM_MEMBER(HttpLoop, ctx, ctx); }

// The connection that a request came in on.
static inline HttpConn *conn_of(h2o_req_t *req) {
    return (HttpConn *)req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

// ---- http_loop.c ----
// Start an I/O thread and wait until it can be sent messages. `http` and `index` are set.
MUST Err loop_open(HttpLoop *loop);

// ---- http_req.c ----
// Register handler, filter and logger with the one host of `conf`.
void req_register(Http *h);
// A request or its connection is over: settle the books. Called once per request that reached the handler.
void req_over(HttpConn *conn);
// Reply with the error shape of the REST dialect; for what the facade refuses itself.
void req_refuse(HttpReq *r, Err err, int status, const char *text);
// Receivers of the two queues into an I/O thread.
void req_on_posts(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages);
void req_on_wakes(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages);
void req_on_calls(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages);
// Headers and status of a reply.
void req_put_head(h2o_req_t *q, const HttpReply *reply, bool persistent);
// The connection sends from now on, for the sweep.
void req_start_sending(HttpConn *conn, ConnState state);
// A stream of the request, counted; NULL when there are too many.
HttpStream *req_stream_new(HttpReq *r, const HttpStreamOps *ops, void *arg);
void req_stream_unref(HttpStream *s);

// ---- http_ws.c ----
void ws_send(HttpStream *s);
// The socket of a WebSocket is closed.
void ws_gone(HttpConn *conn);
// Somebody woke the stream: take what waits when it was paused.
void ws_woken(HttpStream *s);
// Look after it: pings, dead peers, ends. False: it was taken care of; true: nothing in flight and all is well.
bool ws_sweep(HttpConn *conn, int64_t now_ms);
