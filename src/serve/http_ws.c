// SPDX-License-Identifier: Apache-2.0
// WebSockets on a socket that h2o has given up.
//
//   101 in flight --on_upgraded--> open --close frame of either side--> over, in flight --on_written--> lingering
//   Any of them ends with ws_gone, when the socket is closed: by the client, by an error or by the sweep.
//
// 1. One write is in flight at a time. Control frames wait in `control` and go first when it is done.
// 2. `closed` is called once: when a close frame is queued, or in ws_gone.
// 3. What is in `taking` may end the socket: nothing is touched after it without a look at `over`.
#include <sys/socket.h>
#include "serve/http_impl.h"
#include "base/check.h"
#include "base/mem.h"

#define CONTROL_BYTES_MAX 16384 // of pongs that wait: a client that pings and reads nothing is not read
#define UNWANTED_BYTES_MAX 4096 // of a message where none is taken
#define PING_MISSES 3           // of ping_ms without a byte: the peer is dead

// ---- asking -------------------------------------------------------------------------------------------------------

bool http_wants_socket(const HttpReq *r, bool *wrong) {
    const h2o_req_t *q = r->h2o;
    Str upgrade = {q->upgrade.base, (int64_t)q->upgrade.len};
    *wrong = false;
    if (!upgrade.p || !str_eq_nocase(str_trim(upgrade), STR("websocket"))) return false;
    Str key = str_trim(http_header(r, STR("sec-websocket-key")));
    bool known = str_eq(str_trim(http_header(r, STR("sec-websocket-version"))), STR("13"));
    *wrong = !known || key.n != WS_KEY_SIZE || !str_eq(r->view.method, STR("GET")) || q->version < 0x101;
    return !*wrong;
}

// ---- the end ------------------------------------------------------------------------------------------------------

static void tell_closed(HttpStream *s) {
    if (s->ws->over) return;
    s->ws->over = true;
    s->idle = false;
    s->ops->closed(s->arg);
}

void ws_gone(HttpConn *conn) {
    HttpStream *s = conn->req.stream;
    tell_closed(s);
    s->ws->open = false;
    s->conn = NULL;
    conn->req.stream = NULL;
    counter_add(&conn->loop->streams, -1);
    conn->state = CONN_READING;
    req_stream_unref(s);
}

static void drop(HttpStream *s) { h2o_socket_close(s->conn->sock); }

// Everything was written, the close frame too: say that nothing follows and wait for the client to do the same.
static void linger(HttpStream *s) {
    s->conn->state = CONN_LINGER;
    s->conn->progress_ms = (int64_t)h2o_now(s->loop->ev);
    shutdown(h2o_socket_get_fd(s->conn->sock), SHUT_WR);
}

// ---- out ----------------------------------------------------------------------------------------------------------

static void on_written(h2o_socket_t *sock, const char *err) {
    HttpStream *s = sock->data;
    if (err) {
        drop(s);
        return;
    }
    buf_wipe(&s->flight);
    s->ws->writing = false;
    if (s->ws->control.n > 0) {
        ws_send(s);
    } else if (s->ws->over) {
        linger(s);
    } else {
        s->idle = true;
        s->ops->ready(s->arg);
    }
}

// Write `flight`, or what waits in `control` when there is none.
void ws_send(HttpStream *s) {
    HttpSocket *ws = s->ws;
    if (!ws->open || ws->writing) return;
    if (s->flight.n == 0) {
        Buf spare = s->flight;
        s->flight = ws->control;
        ws->control = spare;
        buf_reset(&ws->control);
    }
    if (s->flight.n == 0) return;
    h2o_iovec_t bytes = h2o_iovec_init(s->flight.p, (size_t)s->flight.n);
    s->idle = false;
    ws->writing = true;
    req_start_sending(s->conn, CONN_STREAM);
    h2o_socket_write(s->conn->sock, &bytes, 1, on_written);
}

void http_socket_end(HttpStream *s, uint16_t code, Str reason) {
    CHECK(s->ws);
    if (s->ws->over) return;
    ws_put_close(&s->ws->control, code, reason);
    tell_closed(s);
    ws_send(s);
}

// ---- in -----------------------------------------------------------------------------------------------------------

static void take_event(HttpStream *s, const WsEvent *e) {
    HttpSocket *ws = s->ws;
    switch (e->what) {
    case WS_TEXT:
    case WS_BINARY:
        if (s->ops->message) s->ops->message(s->arg, e->bytes, e->what == WS_TEXT);
        else http_socket_end(s, WS_UNACCEPTABLE, STR("this socket takes no messages"));
        break;
    case WS_PING:
        ws_put_pong(&ws->control, e->bytes);
        ws_send(s);
        break;
    case WS_CLOSE: http_socket_end(s, e->code ? e->code : WS_NORMAL, (Str){0}); break;
    case WS_BAD: http_socket_end(s, e->code, str_of(e->why)); break;
    default: break;
    }
}

static void on_read(h2o_socket_t *sock, const char *err);

static bool may_read(const HttpSocket *ws) { return !ws->paused && ws->control.n < CONTROL_BYTES_MAX; }

// Take frames from the socket's input until it is used up, paused or over.
static void take_input(HttpStream *s) {
    HttpSocket *ws = s->ws;
    h2o_socket_t *sock = s->conn->sock;
    int64_t done = 0, used = 0, total = (int64_t)sock->input->size;
    ws->taking = true;
    while (!ws->over && may_read(ws)) {
        WsEvent e = ws_next(&ws->reader, sock->input->bytes + done, total - done, &used);
        done += used;
        if (e.what == WS_MORE) break;
        take_event(s, &e);
    }
    ws->taking = false;
    h2o_buffer_consume(&sock->input, ws->over ? sock->input->size : (size_t)done);
    if (ws->over || may_read(ws)) {
        if (!h2o_socket_is_reading(sock)) h2o_socket_read_start(sock, on_read);
    } else {
        h2o_socket_read_stop(sock);
    }
}

static void on_read(h2o_socket_t *sock, const char *err) {
    HttpStream *s = sock->data;
    if (err) {
        drop(s);
        return;
    }
    s->ws->heard_ms = (int64_t)h2o_now(s->loop->ev);
    take_input(s);
}

void http_socket_pause(HttpStream *s, bool paused) {
    CHECK(s->ws);
    if (s->ws->paused == paused) return;
    s->ws->paused = paused;
    if (!paused) http_stream_wake(s); // reads on in ws_woken: the caller may be in the middle of something
    else if (!s->ws->taking && s->ws->open) h2o_socket_read_stop(s->conn->sock);
}

void ws_woken(HttpStream *s) {
    if (!s->ws->open || s->ws->over || h2o_socket_is_reading(s->conn->sock) || !may_read(s->ws)) return;
    s->ws->heard_ms = (int64_t)h2o_now(s->loop->ev);
    take_input(s);
}

// ---- the sweep ----------------------------------------------------------------------------------------------------

static void shut(HttpConn *conn) { shutdown(h2o_socket_get_fd(conn->sock), SHUT_RDWR); }

bool ws_sweep(HttpConn *conn, int64_t now_ms) {
    HttpStream *s = conn->req.stream;
    HttpSocket *ws = s->ws;
    int64_t ping_ms = conn->loop->http->config.limits.ping_ms;
    if (!ws->open || ws->over) return false;
    ws_woken(s);
    if (ws->over) return false;
    if (!h2o_socket_is_reading(conn->sock)) return s->idle; // nothing can be heard from it
    if (now_ms - ws->heard_ms > PING_MISSES * ping_ms) {
        counter_add(&conn->loop->cut_slow, 1);
        shut(conn);
        return false;
    }
    if (now_ms - ws->heard_ms > ping_ms && now_ms - ws->pinged_ms > ping_ms) {
        ws->pinged_ms = now_ms;
        ws_put_ping(&ws->control);
        ws_send(s);
    }
    return s->idle;
}

// ---- the beginning ------------------------------------------------------------------------------------------------

static void on_upgraded(void *data, h2o_socket_t *sock, size_t reqsize) {
    HttpStream *s = data;
    HttpSocket *ws = s->ws;
    if (sock) {
        sock->data = s;
        h2o_buffer_consume(&sock->input, reqsize);
        buf_wipe(&s->flight);
        ws->open = true;
        ws->heard_ms = (int64_t)h2o_now(s->loop->ev);
        s->idle = !ws->over;
        take_input(s);
        if (s->idle) s->ops->ready(s->arg);
        else ws_send(s);
    } // else ws_gone was called
    req_stream_unref(s);
}

HttpStream *http_socket_open(HttpReq *r, const HttpReply *head, Str first, const HttpStreamOps *ops, void *arg) {
    char accept[WS_ACCEPT_SIZE + 1];
    h2o_req_t *q = r->h2o;
    ws_accept(str_trim(http_header(r, STR("sec-websocket-key"))), accept);
    HttpStream *s = req_stream_new(r, ops, arg);
    if (!s) return NULL;
    s->ws = mem_alloc(sizeof *s->ws);
    s->ws->reader.max = ops->message ? r->conn->loop->http->config.limits.body_bytes_max : UNWANTED_BYTES_MAX;
    atomic_fetch_add(&s->refs, 1); // on_upgraded's
    HttpReply reply = *head;
    reply.status = 101;
    http_reply_header(&reply, STR("upgrade"), STR("websocket"));
    http_reply_header(&reply, STR("sec-websocket-accept"), (Str){accept, WS_ACCEPT_SIZE});
    req_put_head(q, &reply, true);
    buf_str_put(&s->flight, first);
    h2o_iovec_t bytes = h2o_iovec_init(s->flight.p, (size_t)s->flight.n);
    req_start_sending(r->conn, CONN_STREAM);
    h2o_http1_upgrade(q, &bytes, first.n > 0 ? 1 : 0, on_upgraded, s);
    return s;
}
