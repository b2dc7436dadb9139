// SPDX-License-Identifier: Apache-2.0
// Requests, replies and streams on top of h2o.
#include "serve/http_impl.h"
#include <sys/socket.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"

#define BODY_COPY_MAX 1000  // shorter bodies are copied into the request's pool
#define BODY_KEEP_MAX 65536 // a connection keeps at most this much spare memory
#define STREAM_KERNEL_BYTES (256 << 10)
#define JSON_TYPE STR("application/json; charset=utf-8")

static const char *reason_of(int status) {
    switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 417: return "Expectation Failed";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 507: return "Insufficient Storage";
    default: return status < 500 ? "Error" : "Internal Server Error";
    }
}

// ---- views ----

const HttpView *http_view(const HttpReq *r) { return &r->view; }

Str http_header(const HttpReq *r, Str name) {
    const h2o_headers_t *headers = &r->h2o->headers;
    for (size_t i = 0; i < headers->size; i++) {
        const h2o_header_t *h = &headers->entries[i];
        if (h->name->len == (size_t)name.n && memcmp(h->name->base, name.p, (size_t)name.n) == 0) {
            return (Str){h->value.base, (int64_t)h->value.len};
        }
    }
    return (Str){0};
}

void *http_alloc(HttpReq *r, int64_t size) { return h2o_mem_alloc_pool(&r->h2o->pool, (size_t)size); }
int32_t http_thread(const HttpReq *r) { return r->conn->loop->index; }
bool http_stopping(const HttpReq *r) { return r->conn->loop->stopping; }
int64_t http_began_ns(const HttpReq *r) { return r->began_ns; }

static void fill_view(HttpReq *r) {
    h2o_req_t *q = r->h2o;
    Str target = {q->input.path.base, (int64_t)q->input.path.len};
    Str path = str_cut(&target, '?');
    // h2o supplies its own name when there is no Host header.
    bool named = q->input.authority.base != q->hostconf->authority.hostport.base;
    r->view = (HttpView){
        .method = {q->input.method.base, (int64_t)q->input.method.len},
        .path = path,
        .query = target,
        .host = named ? (Str){q->input.authority.base, (int64_t)q->input.authority.len} : (Str){0},
        .body = {q->entity.base, (int64_t)q->entity.len},
        .tls = r->conn->sock->ssl != NULL,
    };
    r->view.head = str_eq(r->view.method, STR("HEAD"));
}

// ---- the way in ----

static bool headers_too_long(const HttpReq *r) {
    const h2o_headers_t *headers = &r->h2o->headers;
    size_t n = r->h2o->input.path.len + r->h2o->input.method.len + r->h2o->input.authority.len + 12;
    for (size_t i = 0; i < headers->size; i++) n += headers->entries[i].name->len + headers->entries[i].value.len + 4;
    return (int64_t)n > r->conn->loop->http->config.limits.header_bytes_max;
}

static int on_req(h2o_handler_t *self, h2o_req_t *q) {
    (void)self;
    HttpConn *conn = conn_of(q);
    HttpLoop *loop = conn->loop;
    HttpReq *r = &conn->req;
    CHECK(conn->state == CONN_READING);
    conn->state = CONN_WORK;
    r->conn = conn;
    r->h2o = q;
    r->stream = NULL;
    r->post = NULL;
    r->gone = NULL;
    r->half_closed_ms = 0;
    r->began_ns = time_mono_ns();
    fill_view(r);
    loop->body_bytes += r->view.body.n;
    counter_add(&loop->requests, 1);
    counter_add(&loop->requests_total, 1);
    if (headers_too_long(r)) {
        req_refuse(r, ERR_LIMIT, 431, "The request line and headers are longer than this server takes.");
    } else if (loop->requests > loop->http->config.limits.requests_max) {
        req_refuse(r, ERR_BUSY, 503, "Too many requests are in work; try again.");
    } else if (loop->body_bytes > loop->http->config.limits.input_bytes_max) {
        req_refuse(r, ERR_BUSY, 503, "Too many long bodies are in work; try again.");
    } else {
        loop->http->config.handle(loop->http->config.ctx, r);
    }
    return 0;
}

void req_over(HttpConn *conn) {
    if (conn->state == CONN_READING) return;
    bool counted = conn->req.h2o != NULL;
    if (counted) conn->loop->body_bytes -= conn->req.view.body.n;
    if (conn->req.stream && conn->req.stream->ws) { // goes on without h2o
        conn->req.h2o = NULL;
        return;
    }
    if (conn->state == CONN_STREAM) {
        counter_add(&conn->loop->streams, -1);
    } else if (counted) {
        counter_add(&conn->loop->requests, -1);
    }
    conn->state = CONN_READING;
    conn->req.h2o = NULL;
    buf_wipe(&conn->req.held);
    if (conn->req.held.cap > BODY_KEEP_MAX) buf_free(&conn->req.held);
}

static void on_log(h2o_logger_t *self, h2o_req_t *q) {
    (void)self;
    req_over(conn_of(q));
}

// ---- replies ----

void http_reply_header(HttpReply *reply, Str name, Str value) {
    CHECK(reply->header_count < HTTP_REPLY_HEADERS_MAX);
    reply->headers[reply->header_count++] = (HttpHeader){name, value};
}

static void put_header(h2o_req_t *q, Str name, Str value) {
    h2o_add_header_by_str(&q->pool, &q->res.headers, name.p, (size_t)name.n, 0, NULL, value.p, (size_t)value.n);
}

void req_put_head(h2o_req_t *q, const HttpReply *reply, bool persistent) {
    q->res.status = reply->status;
    q->res.reason = reason_of(reply->status);
    if (reply->type.n > 0) put_header(q, STR("content-type"), reply->type);
    for (int32_t i = 0; i < reply->header_count; i++) put_header(q, reply->headers[i].name, reply->headers[i].value);
    if (!persistent) q->http1_is_persistent = 0;
}

// The bytes of the body in memory that lives until they are sent.
static Str keep_body(HttpReq *r, const HttpReply *reply) {
    Str body = reply->take ? buf_str(reply->take) : reply->body;
    if (reply->take && body.n > BODY_COPY_MAX) {
        Buf spare = r->held;
        buf_reset(&spare);
        r->held = *reply->take;
        *reply->take = spare;
        return buf_str(&r->held);
    }
    if (body.n == 0) return body;
    char *copy = h2o_mem_alloc_shared(&r->h2o->pool, (size_t)body.n, NULL); // freed, where the pool's own is kept
    memcpy(copy, body.p, (size_t)body.n);
    return (Str){copy, body.n};
}

static void put_part(h2o_iovec_t *bufs, size_t *count, Str part) {
    if (part.n > 0) bufs[(*count)++] = h2o_iovec_init(part.p, (size_t)part.n);
}

void req_start_sending(HttpConn *conn, ConnState state) {
    conn->state = state;
    conn->progress_ms = (int64_t)h2o_now(conn->loop->ev);
    conn->acked = 0;
}

void http_reply(HttpReq *r, const HttpReply *reply) {
    static h2o_generator_t plain = {NULL, NULL};
    CHECK(r->conn->state == CONN_WORK);
    h2o_req_t *q = r->h2o;
    req_put_head(q, reply, !reply->close && !r->conn->loop->stopping);
    Str body = keep_body(r, reply);
    h2o_iovec_t bufs[3];
    size_t count = 0;
    put_part(bufs, &count, reply->prefix);
    put_part(bufs, &count, body);
    put_part(bufs, &count, reply->suffix);
    q->res.content_length = (size_t)(reply->prefix.n + body.n + reply->suffix.n);
    req_start_sending(r->conn, CONN_SENDING);
    h2o_start_response(q, &plain);
    h2o_send(q, bufs, r->view.head ? 0 : count, H2O_SEND_STATE_FINAL);
}

static int64_t error_body(char *out, size_t cap, Err err, const char *text) {
    int n = snprintf(out, cap, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", err_wire(err), text);
    CHECK(n > 0 && (size_t)n < cap);
    return n;
}

void req_refuse(HttpReq *r, Err err, int status, const char *text) {
    char body[256];
    HttpConfig *config = &r->conn->loop->http->config;
    HttpReply reply = {.status = status, .type = JSON_TYPE, .body = {body, error_body(body, sizeof body, err, text)}};
    http_reply_header(&reply, STR("x-ms-error-code"), str_of(err_wire(err)));
    if (status == 503) http_reply_header(&reply, STR("retry-after"), STR("1"));
    if (config->refused) config->refused(config->ctx, status);
    http_reply(r, &reply);
}

void http_post(HttpReq *r, void (*fn)(HttpReq *r, void *arg), void *arg) {
    r->post = fn;
    r->post_arg = arg;
    h2o_multithread_send_message(&r->conn->loop->posts, &r->message);
}

void http_on_gone(HttpReq *r, void (*fn)(void *arg), void *arg) {
    CHECK(r->conn->state == CONN_WORK);
    r->gone = fn;
    r->gone_arg = arg;
}

void req_on_posts(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages) {
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        HttpReq *r = H2O_STRUCT_FROM_MEMBER(HttpReq, message.link, messages->next);
        h2o_linklist_unlink(&r->message.link);
        void (*fn)(HttpReq *, void *) = r->post;
        r->post = NULL;
        fn(r, r->post_arg);
    }
}

// ---- what h2o refuses before the handler ----

typedef struct ErrorOut {
    h2o_ostream_t super;
    Str body;
} ErrorOut;

static void error_send(h2o_ostream_t *self, h2o_req_t *q, h2o_iovec_t *bufs, size_t count, h2o_send_state_t state) {
    ErrorOut *out = (ErrorOut *)(void *)self;
    h2o_iovec_t body = h2o_iovec_init(out->body.p, (size_t)out->body.n);
    (void)bufs;
    h2o_ostream_send_next(self, q, &body, count > 0 ? 1 : 0, state);
}

// Give h2o's own plain-text errors the shape of all others.
static void on_setup(h2o_filter_t *self, h2o_req_t *q, h2o_ostream_t **slot) {
    (void)self;
    HttpConn *conn = conn_of(q);
    if (conn->req.h2o == q) {
        h2o_setup_next_ostream(q, slot);
        return;
    }
    int status = q->res.status;
    Err err = status == 413 ? ERR_TOO_LARGE : ERR_SYNTAX;
    const char *text = status == 413   ? "The body is larger than this server takes."
                       : status == 417 ? "Only Expect: 100-continue is understood."
                                       : "The request is not well-formed HTTP.";
    char *body = h2o_mem_alloc_pool(&q->pool, 256);
    ErrorOut *out = (ErrorOut *)(void *)h2o_add_ostream(q, sizeof *out, slot);
    out->body = (Str){body, error_body(body, 256, err, text)};
    out->super.do_send = error_send;
    memset(&q->res.headers, 0, sizeof q->res.headers);
    put_header(q, STR("content-type"), JSON_TYPE);
    put_header(q, STR("x-ms-error-code"), str_of(err_wire(err)));
    q->res.reason = reason_of(status);
    q->res.content_length = (size_t)out->body.n;
    req_start_sending(conn, CONN_SENDING);
    HttpConfig *config = &conn->loop->http->config;
    if (config->refused) config->refused(config->ctx, status);
    h2o_setup_next_ostream(q, &out->super.next);
}

static void register_path(h2o_pathconf_t *path) {
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = on_req;
    h2o_create_filter(path, sizeof(h2o_filter_t))->on_setup_ostream = on_setup;
    h2o_create_logger(path, sizeof(h2o_logger_t))->log_access = on_log;
}

void req_register(Http *h) {
    h2o_hostconf_t *host = h2o_config_register_host(&h->conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    register_path(&host->fallback_path);
}

// ---- streams ----

void req_stream_unref(HttpStream *s) {
    if (atomic_fetch_sub(&s->refs, 1) != 1) return;
    buf_free(&s->flight);
    buf_free(&s->spare);
    if (s->ws) {
        ws_reader_free(&s->ws->reader);
        buf_free(&s->ws->control);
        mem_free(s->ws);
    }
    mem_free(s);
}

static void stream_closed(HttpStream *s) {
    if (!s->conn) return;
    s->conn->req.stream = NULL;
    s->conn = NULL;
    s->idle = false;
    s->ops->closed(s->arg);
    req_stream_unref(s);
}

static void on_proceed(h2o_generator_t *self, h2o_req_t *q) {
    HttpStream *s = H2O_STRUCT_FROM_MEMBER(HttpStream, generator, self);
    (void)q;
    buf_wipe(&s->flight); // what was sent shall not stay with who listens
    s->idle = true;
    s->ops->ready(s->arg);
}

static void on_stop(h2o_generator_t *self, h2o_req_t *q) {
    (void)q;
    stream_closed(H2O_STRUCT_FROM_MEMBER(HttpStream, generator, self));
}

static void stream_put(HttpStream *s) {
    h2o_iovec_t bytes = h2o_iovec_init(s->flight.p, (size_t)s->flight.n);
    s->idle = false;
    req_start_sending(s->conn, CONN_STREAM);
    h2o_send(s->conn->req.h2o, &bytes, 1, H2O_SEND_STATE_IN_PROGRESS);
}

// What the kernel holds for a stream is bounded as what we hold: thousands of them may stall.
static void bound_kernel(HttpConn *conn) {
    int size = STREAM_KERNEL_BYTES;
    setsockopt(h2o_socket_get_fd(conn->sock), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

HttpStream *req_stream_new(HttpReq *r, const HttpStreamOps *ops, void *arg) {
    HttpLoop *loop = r->conn->loop;
    CHECK(r->conn->state == CONN_WORK);
    if (loop->streams >= loop->http->config.limits.streams_max || loop->stopping) return NULL;
    HttpStream *s = mem_alloc(sizeof *s);
    s->generator = (h2o_generator_t){on_proceed, on_stop};
    s->loop = loop;
    s->conn = r->conn;
    s->ops = ops;
    s->arg = arg;
    atomic_store(&s->refs, 1);
    r->stream = s;
    counter_add(&loop->requests, -1);
    counter_add(&loop->streams, 1);
    bound_kernel(r->conn);
    return s;
}

HttpStream *http_stream_open(HttpReq *r, const HttpReply *head, Str first, const HttpStreamOps *ops, void *arg) {
    CHECK(first.n > 0);
    HttpStream *s = req_stream_new(r, ops, arg);
    if (!s) return NULL;
    req_put_head(r->h2o, head, true);
    h2o_start_response(r->h2o, &s->generator);
    buf_str_put(&s->flight, first);
    stream_put(s);
    return s;
}

bool http_stream_idle(const HttpStream *s) { return s->idle; }

void http_stream_send(HttpStream *s, Buf *data) {
    CHECK(s->idle);
    if (data->n == 0) return;
    Buf spare = s->flight;
    buf_reset(&spare);
    s->flight = *data;
    *data = spare;
    if (s->ws) ws_send(s);
    else stream_put(s);
}

void http_stream_end(HttpStream *s) {
    CHECK(s->idle);
    if (s->ws) {
        http_socket_end(s, WS_GOING_AWAY, (Str){0});
        return;
    }
    h2o_req_t *q = s->conn->req.h2o;
    q->http1_is_persistent = 0;
    req_start_sending(s->conn, CONN_STREAM);
    stream_closed(s);
    h2o_send(q, NULL, 0, H2O_SEND_STATE_FINAL);
}

void http_stream_wake(HttpStream *s) {
    if (atomic_exchange(&s->queued, true)) return;
    atomic_fetch_add(&s->refs, 1);
    h2o_multithread_send_message(&s->loop->wakes, &s->message);
}

void req_on_wakes(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages) {
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        HttpStream *s = H2O_STRUCT_FROM_MEMBER(HttpStream, message.link, messages->next);
        h2o_linklist_unlink(&s->message.link);
        atomic_store(&s->queued, false);
        if (s->ws) ws_woken(s);
        if (s->idle) s->ops->ready(s->arg);
        req_stream_unref(s);
    }
}

// ---- wakers ----

static void waker_unref(HttpWaker *w) {
    if (atomic_fetch_sub(&w->refs, 1) == 1) mem_free(w);
}

static void on_soon(h2o_timeout_entry_t *entry) {
    HttpWaker *w = H2O_STRUCT_FROM_MEMBER(HttpWaker, soon, entry);
    w->fn(w->arg);
}

HttpWaker *http_waker_new(HttpReq *r, void (*fn)(void *arg), void *arg) {
    HttpWaker *w = mem_alloc(sizeof *w);
    w->loop = r->conn->loop;
    w->fn = fn;
    w->arg = arg;
    w->soon.cb = on_soon;
    atomic_store(&w->refs, 1);
    return w;
}

void http_waker_wake(HttpWaker *w) {
    if (atomic_exchange(&w->queued, true)) return;
    atomic_fetch_add(&w->refs, 1);
    h2o_multithread_send_message(&w->loop->calls, &w->message);
}

void http_waker_soon(HttpWaker *w) {
    if (!h2o_timeout_is_linked(&w->soon)) h2o_timeout_link(w->loop->ev, &w->loop->soon_timer, &w->soon);
}

void http_waker_free(HttpWaker *w) {
    h2o_timeout_unlink(&w->soon);
    w->fn = NULL;
    waker_unref(w);
}

void req_on_calls(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages) {
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        HttpWaker *w = H2O_STRUCT_FROM_MEMBER(HttpWaker, message.link, messages->next);
        h2o_linklist_unlink(&w->message.link);
        atomic_store(&w->queued, false);
        if (w->fn) w->fn(w->arg);
        waker_unref(w);
    }
}
