// SPDX-License-Identifier: Apache-2.0
// One I/O thread: accepting, the sweep over connections, and its orderly end.
#include "serve/http_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <linux/tcp.h>
#include "base/check.h"
#include "base/mem.h"

#define ACCEPTS_A_TURN 64
#define SWEEP_MS 100
#define TICK_MS 500
#define SOON_MS 10
#define LINGER_MS 2000 // for a WebSocket's client to close its side

#ifdef __SANITIZE_ADDRESS__
// h2o keeps recycled chunks in variables of its threads and never gives them back.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libh2o-evloop\n"; }
#endif

static void shut(HttpConn *conn) { shutdown(h2o_socket_get_fd(conn->sock), SHUT_RDWR); }

// ---- accepting ----

static void on_conn_close(void *data) {
    HttpConn *conn = data;
    if (conn->req.stream && conn->req.stream->ws) ws_gone(conn);
    CHECK(conn->state == CONN_READING);
    CHECK(conn->req.stream == NULL);
    counter_add(&conn->loop->connections, -1);
    h2o_linklist_unlink(&conn->link);
    buf_free(&conn->req.held);
    mem_free(conn);
}

#define TURNED_AWAY "{\"error\":{\"code\":\"ServiceBusy\",\"message\":\"Too many connections; try again.\"}}"
_Static_assert(sizeof TURNED_AWAY - 1 == 77, "the Content-Length below");

static void turn_away(HttpLoop *loop, h2o_socket_t *sock, bool tls) {
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
                               "Content-Type: application/json; charset=utf-8\r\nx-ms-error-code: ServiceBusy\r\n"
                               "Content-Length: 77\r\n\r\n" TURNED_AWAY;
    if (!tls) {
        ssize_t sent = send(h2o_socket_get_fd(sock), text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)sent; // a new socket takes this much; if not, closing says the same
    }
    counter_add(&loop->connections_refused, 1);
    HttpConfig *config = &loop->http->config;
    if (config->refused) config->refused(config->ctx, 503);
    shutdown(h2o_socket_get_fd(sock), SHUT_WR);
    h2o_socket_close(sock);
}

static void take_in(LoopListener *l, h2o_socket_t *sock) {
    HttpLoop *loop = l->loop;
    HttpConn *conn = mem_alloc(sizeof *conn);
    conn->loop = loop;
    conn->sock = sock;
    conn->req.conn = conn;
    h2o_linklist_insert(&loop->conns, &conn->link);
    sock->on_close.cb = on_conn_close;
    sock->on_close.data = conn;
    counter_add(&loop->connections, 1);
    counter_add(&loop->connections_total, 1);
    l->accept.ssl_ctx = atomic_load(&l->listener->tls);
    h2o_accept(&l->accept, sock);
}

static void set_accepting(HttpLoop *loop, bool on);

static void on_accept(h2o_socket_t *listener, const char *err) {
    LoopListener *l = listener->data;
    if (err) return;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        errno = 0;
        h2o_socket_t *sock = h2o_evloop_socket_accept(listener);
        if (!sock) {
            // Out of descriptors: the backlog waits until the sweep turns accepting on again.
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                set_accepting(l->loop, false);
            return;
        }
        if (l->loop->connections >= l->loop->http->config.limits.connections_max) {
            turn_away(l->loop, sock, l->listener->cert != NULL);
        } else {
            take_in(l, sock);
        }
    }
}

static void set_accepting(HttpLoop *loop, bool on) {
    if (loop->accepting == on) return;
    loop->accepting = on;
    for (int32_t i = 0; i < loop->http->listener_count; i++) {
        if (on) {
            h2o_socket_read_start(loop->listeners[i].sock, on_accept);
        } else {
            h2o_socket_read_stop(loop->listeners[i].sock);
        }
    }
}

// ---- the sweep ----

// Cut a connection whose peer took nothing for write_timeout_ms.
static void sweep_sending(HttpConn *conn, int64_t now_ms) {
    struct tcp_info info;
    memset(&info, 0, sizeof info);
    socklen_t size = sizeof info;
    if (getsockopt(h2o_socket_get_fd(conn->sock), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return;
    if (info.tcpi_bytes_acked != conn->acked) {
        conn->acked = info.tcpi_bytes_acked;
        conn->progress_ms = now_ms;
    } else if (now_ms - conn->progress_ms > conn->loop->http->config.limits.write_timeout_ms) {
        counter_add(&conn->loop->cut_slow, 1);
        conn->progress_ms = now_ms;
        shut(conn);
    }
}

// An idle stream is in no poll set, so a client that left shows only when asked for. True when it is still there.
static bool sweep_idle_stream(HttpConn *conn) {
    char byte;
    ssize_t n = recv(h2o_socket_get_fd(conn->sock), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))) return true;
    http_stream_end(conn->req.stream);
    return false;
}

// A connection in work is in no poll set either. poll tells a closed side even while bytes of a next request wait.
static void sweep_work(HttpConn *conn, int64_t now_ms) {
    HttpReq *r = &conn->req;
    struct pollfd p = {.fd = h2o_socket_get_fd(conn->sock), .events = POLLRDHUP};
    if (!r->gone || poll(&p, 1, 0) <= 0) return;
    bool broken = (p.revents & (POLLERR | POLLHUP)) != 0;
    if (!r->half_closed_ms) r->half_closed_ms = now_ms;
    if (!broken && now_ms - r->half_closed_ms < conn->loop->http->config.limits.leave_timeout_ms) return;
    void (*fn)(void *) = r->gone;
    r->gone = NULL;
    fn(r->gone_arg);
}

static void sweep_conn(HttpConn *conn, int64_t now_ms, bool tick) {
    HttpLoop *loop = conn->loop;
    bool late = loop->stopping && now_ms >= loop->stop_at_ms;
    HttpStream *stream = conn->req.stream;
    if (conn->state == CONN_LINGER) {
        if (late || now_ms - conn->progress_ms > LINGER_MS) shut(conn);
    } else if (conn->state == CONN_STREAM && stream && stream->ws && stream->idle) {
        if (loop->stopping) http_stream_end(stream);
        else if (ws_sweep(conn, now_ms) && tick) stream->ops->tick(stream->arg);
    } else if (conn->state == CONN_STREAM && stream && stream->idle) {
        if (loop->stopping) {
            http_stream_end(stream);
        } else if (sweep_idle_stream(conn) && tick) {
            stream->ops->tick(stream->arg);
        }
    } else if (conn->state == CONN_SENDING || conn->state == CONN_STREAM) {
        if (late) shut(conn);
        else sweep_sending(conn, now_ms);
        if (stream && stream->ws) ws_sweep(conn, now_ms);
    } else if (conn->state == CONN_WORK) {
        sweep_work(conn, now_ms);
    } else if (conn->state == CONN_READING && loop->stopping) {
        if (late || conn->sock->input->size == 0) shut(conn);
    }
}

// Bytes of what has not been received as a whole.
static size_t held_by(const HttpConn *conn) {
    const HttpStream *s = conn->req.stream;
    size_t parts = s && s->ws ? (size_t)s->ws->reader.parts.cap : 0;
    return parts + (conn->sock->input->bytes ? conn->sock->input->capacity : 0);
}

static bool may_cut(const HttpConn *conn) {
    const HttpStream *s = conn->req.stream;
    return conn->state == CONN_READING || (conn->state == CONN_STREAM && s && s->ws && s->ws->open);
}

// Cut the connection with the longest half-received request or message when all of them together hold too much.
static void sweep_input(HttpLoop *loop) {
    HttpConn *largest = NULL;
    size_t total = 0, most = 0;
    for (h2o_linklist_t *n = loop->conns.next; n != &loop->conns; n = n->next) {
        HttpConn *conn = H2O_STRUCT_FROM_MEMBER(HttpConn, link, n);
        size_t held = held_by(conn);
        total += held;
        if (may_cut(conn) && held > most) {
            most = held;
            largest = conn;
        }
    }
    if (!largest || (int64_t)total <= loop->http->config.limits.input_bytes_max) return;
    counter_add(&loop->cut_input, 1);
    shut(largest);
}

static void on_sweep(h2o_timeout_entry_t *entry) {
    HttpLoop *loop = H2O_STRUCT_FROM_MEMBER(HttpLoop, sweep_entry, entry);
    int64_t now_ms = (int64_t)h2o_now(loop->ev);
    bool tick = now_ms - loop->ticked_ms >= TICK_MS;
    if (tick) loop->ticked_ms = now_ms;
    for (h2o_linklist_t *n = loop->conns.next, *next; n != &loop->conns; n = next) {
        next = n->next;
        sweep_conn(H2O_STRUCT_FROM_MEMBER(HttpConn, link, n), now_ms, tick);
    }
    sweep_input(loop);
    if (!loop->stopping) set_accepting(loop, true);
    else if (now_ms >= loop->stop_at_ms && loop->http->config.late) loop->http->config.late(loop->http->config.ctx);
    h2o_timeout_link(loop->ev, &loop->sweep_timer, &loop->sweep_entry);
}

// ---- beginning and end ----

static void loop_begin(HttpLoop *loop) {
    Http *h = loop->http;
    loop->ev = h2o_evloop_create();
    h2o_context_init(&loop->ctx, loop->ev, &h->conf);
    h2o_linklist_init_anchor(&loop->conns);
    h2o_multithread_register_receiver(loop->ctx.queue, &loop->posts, req_on_posts);
    h2o_multithread_register_receiver(loop->ctx.queue, &loop->wakes, req_on_wakes);
    h2o_multithread_register_receiver(loop->ctx.queue, &loop->calls, req_on_calls);
    h2o_timeout_init(loop->ev, &loop->sweep_timer, SWEEP_MS);
    h2o_timeout_init(loop->ev, &loop->soon_timer, SOON_MS);
    loop->sweep_entry.cb = on_sweep;
    h2o_timeout_link(loop->ev, &loop->sweep_timer, &loop->sweep_entry);
    for (int32_t i = 0; i < h->listener_count; i++) {
        LoopListener *l = &loop->listeners[i];
        int fd = fcntl(h->listeners[i].fd, F_DUPFD_CLOEXEC, 0);
        CHECK(fd >= 0);
        l->loop = loop;
        l->listener = &h->listeners[i];
        l->accept = (h2o_accept_ctx_t){.ctx = &loop->ctx, .hosts = h->conf.hosts};
        l->sock = h2o_evloop_socket_create(loop->ev, fd, H2O_SOCKET_FLAG_DONT_READ);
        l->sock->data = l;
    }
    set_accepting(loop, true);
}

static void begin_stop(HttpLoop *loop) {
    loop->stopping = true;
    loop->stop_at_ms = (int64_t)h2o_now(loop->ev) + loop->http->config.limits.stop_timeout_ms;
    set_accepting(loop, false);
    for (int32_t i = 0; i < loop->http->listener_count; i++) h2o_socket_close(loop->listeners[i].sock);
    loop->ctx.shutdown_requested = 1; // its function would start a timer for HTTP/2 as well
    h2o_timeout_unlink(&loop->sweep_entry);
    on_sweep(&loop->sweep_entry);
}

// h2o's queue and epoll descriptor outlive their destroy functions in this version.
static void loop_end(HttpLoop *loop) {
    struct {
        h2o_evloop_t super;
        int ep;
    } *epoll = (void *)loop->ev;
    int ep = epoll->ep;
    void *queue = loop->ctx.queue;
    for (int i = 0; i < 3; i++) h2o_evloop_run(loop->ev, 0); // the last wakes
    h2o_timeout_unlink(&loop->sweep_entry);
    h2o_timeout_dispose(loop->ev, &loop->sweep_timer);
    h2o_timeout_dispose(loop->ev, &loop->soon_timer);
    h2o_multithread_unregister_receiver(loop->ctx.queue, &loop->posts);
    h2o_multithread_unregister_receiver(loop->ctx.queue, &loop->wakes);
    h2o_multithread_unregister_receiver(loop->ctx.queue, &loop->calls);
    h2o_context_dispose(&loop->ctx);
    h2o_evloop_destroy(loop->ev);
    mem_free(queue);
    close(ep);
}

static void *loop_run(void *arg) {
    HttpLoop *loop = arg;
    loop_begin(loop);
    sem_post(&loop->ready);
    while (!(loop->stopping && h2o_linklist_is_empty(&loop->conns))) {
        h2o_evloop_run(loop->ev, 1000);
        if (!loop->stopping && atomic_load(&loop->http->stop)) begin_stop(loop);
    }
    while (sem_wait(&loop->ready) != 0) continue; // http_stop may still hold the queue's lock
    loop_end(loop);
    return NULL;
}

Err loop_open(HttpLoop *loop) {
    char name[16];
    snprintf(name, sizeof name, "http-%d", (int)loop->index);
    sem_init(&loop->ready, 0, 0);
    Err err = thread_start(&loop->thread, name, loop_run, loop);
    while (err == ERR_OK && sem_wait(&loop->ready) != 0) continue;
    return err;
}
