// SPDX-License-Identifier: Apache-2.0
#include "site_door.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/time.h"

#define IDLE_NS (10 * NS_PER_S) // a client that says nothing for so long is let go

typedef struct Client {
    bool used;
    int fd;
    int64_t since_ns;
    Buf in;
} Client;

struct Door {
    int fd, port;
    Client clients[DOOR_CLIENTS_MAX];
};

// ---- requests -----------------------------------------------------------------------------------------------------

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// One segment of a path into the room, %XX decoded; false: a broken escape, or a byte that no name has.
static bool put_segment(Str s, Buf *room) {
    for (int64_t i = 0; i < s.n; i++) {
        int c = (unsigned char)s.p[i];
        if (c == '%') {
            if (i + 2 >= s.n || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0) return false;
            c = hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]);
            i += 2;
        }
        if (c < ' ') return false;
        buf_byte(room, (char)c);
    }
    return true;
}

static bool read_path(Str path, DoorRequest *out, Buf *room) {
    Str *const to[] = {&out->first, &out->id, &out->command};
    int64_t at[4] = {0};
    int count = 0;
    path = str_cut(&path, '?');
    if (!path.n || path.p[0] != '/') return false;
    path = str_sub(path, 1, path.n);
    while (path.n) {
        if (count == 3 || !put_segment(str_cut(&path, '/'), room)) return false;
        at[++count] = room->n;
    }
    for (int i = 0; i < count; i++) *to[i] = (Str){room->p + at[i], at[i + 1] - at[i]};
    return true;
}

// The body's size by its header; -1: none that is understood.
static int64_t content_length(Str head) {
    int64_t n = 0;
    (void)str_cut(&head, '\n');
    while (head.n) {
        Str line = str_cut(&head, '\n');
        Str name = str_cut(&line, ':');
        if (str_eq_nocase(name, STR("transfer-encoding"))) return -1;
        if (!str_eq_nocase(name, STR("content-length"))) continue;
        if (!str_to_i64(str_trim(line), &n) || n < 0 || n > DOOR_REQUEST_MAX) return -1;
    }
    return n;
}

int64_t door_parse(Str bytes, DoorRequest *out, int *status, Buf *room) {
    int64_t end = -1;
    for (int64_t i = 0; i + 3 < bytes.n && end < 0; i++)
        if (!memcmp(bytes.p + i, "\r\n\r\n", 4)) end = i;
    *out = (DoorRequest){0};
    *status = 431;
    if (end < 0) return bytes.n >= DOOR_REQUEST_MAX ? -1 : 0;
    Str head = {bytes.p, end}, line = str_cut(&head, '\r');
    Str method = str_cut(&line, ' '), path = str_cut(&line, ' ');
    head = (Str){bytes.p, end};
    int64_t size = content_length(head);
    *status = 400;
    if (!str_starts(line, STR("HTTP/1."))) return -1;
    *status = 405;
    if (!str_eq(method, STR("POST"))) return -1;
    *status = 413;
    if (size < 0 || end + 4 + size > DOOR_REQUEST_MAX) return -1;
    if (bytes.n < end + 4 + size) return 0;
    buf_reset(room);
    *status = 400;
    if (!buf_reserve(room, path.n) || !read_path(path, out, room)) return -1;
    out->body = str_sub(bytes, end + 4, end + 4 + size);
    return end + 4 + size;
}

// ---- clients ------------------------------------------------------------------------------------------------------

static void drop(Client *c) {
    close(c->fd);
    buf_free(&c->in);
    *c = (Client){0};
}

static const char *reason(int status) {
    return status == 200   ? "OK"
           : status == 400 ? "Bad Request"
           : status == 404 ? "Not Found"
           : status == 409 ? "Conflict"
                           : "Error";
}

static void answer(const Client *c, int status, Str body) {
    Buf b = {0};
    buf_printf(&b,
               "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %lld\r\n%sConnection: close\r\n",
               status, reason(status), (long long)body.n, status == 405 ? "Allow: POST\r\n" : "");
    buf_str_put(&b, STR("\r\n"));
    buf_str_put(&b, body);
    for (int64_t at = 0; at < b.n;) { // small, and the socket's buffer is not
        ssize_t n = send(c->fd, b.p + at, (size_t)(b.n - at), MSG_NOSIGNAL);
        if (n <= 0) break;
        at += n;
    }
    buf_free(&b);
}

static void serve(Client *c, DoorFn fn, void *ctx) {
    char bytes[4096];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n <= 0) {
        drop(c);
        return;
    }
    buf_put(&c->in, bytes, n);
    DoorRequest r;
    Buf room = {0}, out = {0};
    int status;
    int64_t size = door_parse(buf_str(&c->in), &r, &status, &room);
    if (size > 0) status = fn(ctx, &r, &out);
    if (size) {
        answer(c, status, buf_str(&out));
        drop(c);
    }
    buf_free(&room);
    buf_free(&out);
}

static void let_in(Door *d) {
    int fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return;
    struct timeval wait = {.tv_sec = 2};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    for (int i = 0; i < DOOR_CLIENTS_MAX; i++) {
        if (d->clients[i].used) continue;
        d->clients[i] = (Client){.used = true, .fd = fd, .since_ns = time_mono_ns()};
        return;
    }
    close(fd);
}

// ---- the door -----------------------------------------------------------------------------------------------------

static bool read_address(Str address, struct sockaddr_in *out) {
    int64_t port;
    char host[64];
    Str h = address;
    for (int64_t i = address.n - 1; i >= 0; i--) {
        if (address.p[i] != ':') continue;
        h = str_sub(address, 0, i);
        address = str_sub(address, i + 1, address.n);
        break;
    }
    if (h.n >= (int64_t)sizeof host || !str_to_i64(address, &port) || port < 0 || port > 65535) return false;
    memcpy(host, h.p, (size_t)h.n);
    host[h.n] = 0;
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, host, &out->sin_addr) == 1;
}

Err door_open(Str address, Door **out) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int one = 1;
    if (!read_address(address, &at)) return ERR_ARGUMENT;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return ERR_IO;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool ok = bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, DOOR_CLIENTS_MAX) == 0 &&
              getsockname(fd, (struct sockaddr *)&at, &size) == 0;
    if (!ok) {
        close(fd);
        return ERR_IO;
    }
    Door *d = mem_alloc(sizeof *d);
    d->fd = fd;
    d->port = ntohs(at.sin_port);
    *out = d;
    return ERR_OK;
}

void door_close(Door *d) {
    if (!d) return;
    for (int i = 0; i < DOOR_CLIENTS_MAX; i++)
        if (d->clients[i].used) drop(&d->clients[i]);
    close(d->fd);
    mem_free(d);
}

int door_port(const Door *d) { return d->port; }

// One look at all of them; false: nothing came within `ms`.
static bool look(Door *d, int ms, DoorFn fn, void *ctx) {
    struct pollfd p[DOOR_CLIENTS_MAX + 1] = {{.fd = d->fd, .events = POLLIN}};
    int64_t now = time_mono_ns();
    for (int i = 0; i < DOOR_CLIENTS_MAX; i++) {
        Client *c = &d->clients[i];
        if (c->used && now - c->since_ns > IDLE_NS) drop(c);
        p[i + 1] = (struct pollfd){.fd = c->used ? c->fd : -1, .events = POLLIN};
    }
    if (poll(p, DOOR_CLIENTS_MAX + 1, ms) <= 0) return false;
    for (int i = 0; i < DOOR_CLIENTS_MAX; i++)
        if (p[i + 1].revents) serve(&d->clients[i], fn, ctx);
    if (p[0].revents) let_in(d);
    return true;
}

void door_serve(Door *d, int64_t ns, DoorFn fn, void *ctx) {
    int64_t end = time_mono_ns() + ns, left = ns;
    while (look(d, (int)(left / NS_PER_MS), fn, ctx) || left > NS_PER_MS) {
        left = end - time_mono_ns();
        if (left < 0) return;
    }
}
