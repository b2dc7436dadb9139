// SPDX-License-Identifier: Apache-2.0
#include "ask.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/check.h"

#define READ_SIZE 65536

static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static bool connected(int fd, int port) {
    struct sockaddr_in sa = loopback(port);
    return connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0;
}

void ask_open(Ask *a, int port) {
    int on = 1;
    *a = (Ask){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CHECK(a->fd >= 0 && connected(a->fd, port));
    CHECK(setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
}

void ask_close(Ask *a) {
    close(a->fd);
    buf_free(&a->out);
    buf_free(&a->in);
    buf_free(&a->text);
}

static void send_all(int fd, const Buf *b) {
    for (int64_t at = 0; at < b->n;) {
        ssize_t n = send(fd, b->p + at, (size_t)(b->n - at), MSG_NOSIGNAL);
        CHECK(n > 0);
        at += n;
    }
}

// Read until there are at least `size` bytes of the answer.
static void fill(Ask *a, int64_t size) {
    while (a->in.n < size) {
        CHECK(buf_reserve(&a->in, READ_SIZE));
        ssize_t n = recv(a->fd, a->in.p + a->in.n, READ_SIZE, 0);
        CHECK(n > 0);
        a->in.n += n;
    }
}

// Bytes up to and with the next `mark` from `at` on.
static int64_t fill_to(Ask *a, int64_t at, Str mark) {
    for (;;) {
        int64_t found = str_find_str(str_sub(buf_str(&a->in), at, a->in.n), mark);
        if (found >= 0) return at + found + mark.n;
        fill(a, a->in.n + 1);
    }
}

// The value of a header in lower or usual case, "" when it is not there.
static Str header(Str head, Str name) {
    for (Str line; head.n;) {
        line = str_cut(&head, '\n');
        if (line.n > name.n && line.p[name.n] == ':' && str_eq_nocase(str_sub(line, 0, name.n), name))
            return str_trim(str_sub(line, name.n + 1, line.n));
    }
    return (Str){0};
}

static Str chunks(Ask *a, int64_t at) {
    buf_reset(&a->text);
    for (;;) {
        int64_t begin = fill_to(a, at, STR("\r\n"));
        int64_t size = strtoll(a->in.p + at, NULL, 16);
        fill(a, begin + size + 2);
        if (size == 0) return buf_str(&a->text);
        buf_put(&a->text, a->in.p + begin, size);
        at = begin + size + 2;
    }
}

int ask_post(Ask *a, const char *path, const char *type, Str body, Str *reply) {
    buf_reset(&a->out);
    buf_reset(&a->in);
    buf_printf(&a->out,
               "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %lld\r\n"
               "max-items-per-page: 1000\r\n\r\n",
               path, type, (long long)body.n);
    buf_str_put(&a->out, body);
    send_all(a->fd, &a->out);
    int64_t begin = fill_to(a, 0, STR("\r\n\r\n")), n = 0;
    Str head = str_sub(buf_str(&a->in), 0, begin);
    int status = (int)strtol(head.p + sizeof "HTTP/1.1", NULL, 10);
    if (str_eq_nocase(header(head, STR("transfer-encoding")), STR("chunked"))) {
        *reply = chunks(a, begin);
        return status;
    }
    Str size = header(head, STR("content-length"));
    CHECK(str_to_i64(size, &n));
    fill(a, begin + n);
    *reply = str_sub(buf_str(&a->in), begin, begin + n);
    return status;
}

// ---- the server ---------------------------------------------------------------------------------------------------

static int free_port(void) {
    struct sockaddr_in sa = loopback(0);
    socklen_t size = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&sa, size) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&sa, &size) == 0);
    close(fd);
    return ntohs(sa.sin_port);
}

static void wait_for(const ServerProcess *s) {
    for (bool ready = false; !ready;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ready = connected(fd, s->port);
        close(fd);
        if (waitpid(s->pid, NULL, WNOHANG) != 0) {
            fprintf(stderr, "the server to be measured did not start\n");
            exit(1);
        }
        usleep(1000);
    }
}

ServerProcess server_start(const char *command, const char *path) {
    ServerProcess s = {.port = free_port()};
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", s.port);
    s.pid = fork();
    CHECK(s.pid >= 0);
    if (s.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execlp(command, command, "serve", "--data", path, "--http", address, (char *)NULL);
        _exit(127);
    }
    wait_for(&s);
    return s;
}

double server_cpu_ms(const ServerProcess *s) {
    clockid_t clock;
    struct timespec t;
    CHECK(clock_getcpuclockid(s->pid, &clock) == 0 && clock_gettime(clock, &t) == 0);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

void server_stop(ServerProcess *s) {
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
}
