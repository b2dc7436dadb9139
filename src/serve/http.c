// SPDX-License-Identifier: Apache-2.0
// Starting and stopping: addresses, certificates, threads.
#include "serve/http.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/resource.h>
#include "serve/http_impl.h"
#include "base/check.h"
#include "base/mem.h"
#include "serve/url.h"

#define RETIRED_MAX 1024
#define FILES_WANTED 16384 // descriptors

static Err fail(Buf *why, Err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Err fail(Buf *why, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    if (why) buf_vprintf(why, fmt, ap);
    va_end(ap);
    return err;
}

static const char *errno_text(int e, char *room, size_t size) { return strerror_r(e, room, size); }

// ---- addresses ----

static bool is_loopback(const struct sockaddr *sa) {
    if (sa->sa_family == AF_INET) {
        return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
    }
    return sa->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

static Err look_up(Str address, struct addrinfo **out, Buf *why) {
    Str name, port;
    char host[256], service[8];
    if (!host_split(address, &name, &port) || port.n == 0 || name.n >= (int64_t)sizeof host) {
        return fail(why, ERR_ARGUMENT, "\"%.*s\" is not an address: give HOST:PORT, for instance 127.0.0.1:8080",
                    STR_ARG(address));
    }
    snprintf(host, sizeof host, "%.*s", STR_ARG(name));
    snprintf(service, sizeof service, "%.*s", STR_ARG(port));
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    bool any = str_eq(name, STR("*"));
    int e = getaddrinfo(any ? NULL : host, service, &hints, out);
    if (e != 0) return fail(why, ERR_ARGUMENT, "\"%s\": %s", host, gai_strerror(e));
    return ERR_OK;
}

static int bound_port(int fd) {
    struct sockaddr_storage sa;
    socklen_t size = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &size) != 0) return -1;
    if (sa.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)(void *)&sa)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&sa)->sin_port);
}

static Err bind_to(const struct addrinfo *ai, Str address, int *out, Buf *why) {
    char room[128];
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0) return fail(why, ERR_IO, "%.*s: %s", STR_ARG(address), errno_text(errno, room, sizeof room));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ai->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        int e = errno;
        close(fd);
        return fail(why, ERR_IO, "cannot listen on %.*s: %s", STR_ARG(address), errno_text(e, room, sizeof room));
    }
    *out = fd;
    return ERR_OK;
}

static Err open_socket(const HttpListen *listen, HttpListener *out, Buf *why) {
    struct addrinfo *found = NULL;
    TRY(look_up(listen->address, &found, why));
    Err err = ERR_OK;
    if (listen->loopback_only && !is_loopback(found->ai_addr)) {
        err = fail(why, ERR_FORBIDDEN,
                   "%.*s can be reached from other machines: without a token file only loopback addresses are allowed",
                   STR_ARG(listen->address));
    } else {
        err = bind_to(found, listen->address, &out->fd, why);
    }
    freeaddrinfo(found);
    if (err == ERR_OK) out->port = bound_port(out->fd);
    return err;
}

// ---- certificates ----

static Err tls_fail(SSL_CTX *ctx, const char *what, const char *file, Buf *why) {
    unsigned long first = ERR_peek_error();
    bool mismatch = ERR_GET_LIB(first) == ERR_LIB_X509 && ERR_GET_REASON(first) == X509_R_KEY_VALUES_MISMATCH;
    const char *text = ERR_SYSTEM_ERROR(first) ? strerrordesc_np(ERR_GET_REASON(first))
                       : mismatch              ? "it does not belong to the certificate"
                                               : "nothing usable in this file; PEM without a passphrase is wanted";
    ERR_clear_error();
    SSL_CTX_free(ctx);
    return fail(why, ERR_ARGUMENT, "%s %s: %s", what, file, text ? text : "cannot be read");
}

static Err open_tls(const char *cert, const char *key, SSL_CTX **out, Buf *why) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) return tls_fail(ctx, "TLS", "", why);
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) return tls_fail(ctx, "certificate", cert, why);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) return tls_fail(ctx, "key", key, why);
    if (SSL_CTX_check_private_key(ctx) != 1) return tls_fail(ctx, "key", key, why);
    *out = ctx;
    return ERR_OK;
}

static char *copy_z(const char *z) {
    size_t n = strlen(z) + 1;
    char *copy = mem_alloc(n);
    memcpy(copy, z, n);
    return copy;
}

static Err open_listener(const HttpListen *listen, HttpListener *out, Buf *why) {
    out->fd = -1;
    if (listen->cert) {
        SSL_CTX *ctx = NULL;
        if (!listen->key) return fail(why, ERR_ARGUMENT, "a certificate needs its key file");
        TRY(open_tls(listen->cert, listen->key, &ctx, why));
        atomic_store(&out->tls, ctx);
        out->cert = copy_z(listen->cert);
        out->key = copy_z(listen->key);
    }
    return open_socket(listen, out, why);
}

Err http_reload_certs(Http *h, Buf *why) {
    for (int32_t i = 0; i < h->listener_count; i++) {
        HttpListener *l = &h->listeners[i];
        SSL_CTX *fresh = NULL;
        if (!l->cert) continue;
        if (h->retired_count == RETIRED_MAX) return fail(why, ERR_LIMIT, "reloaded %d times: restart", RETIRED_MAX);
        TRY(open_tls(l->cert, l->key, &fresh, why));
        h->retired[h->retired_count++] = atomic_exchange(&l->tls, fresh);
    }
    return ERR_OK;
}

// ---- start and stop ----

static void default_i64(int64_t *v, int64_t otherwise) {
    if (*v <= 0) *v = otherwise;
}
static void default_i32(int32_t *v, int32_t otherwise) {
    if (*v <= 0) *v = otherwise;
}

static void set_defaults(HttpLimits *l) {
    default_i64(&l->body_bytes_max, INT64_C(16) << 20);
    default_i64(&l->header_bytes_max, 16 << 10);
    default_i64(&l->input_bytes_max, INT64_C(256) << 20);
    default_i32(&l->connections_max, 4096);
    default_i32(&l->requests_max, 4096);
    default_i32(&l->streams_max, 2560);
    default_i32(&l->read_timeout_ms, 60000);
    default_i32(&l->write_timeout_ms, 30000);
    default_i32(&l->leave_timeout_ms, 3000);
    default_i32(&l->stop_timeout_ms, 5000);
    default_i32(&l->ping_ms, 15000);
}

static void set_h2o(Http *h) {
    const HttpLimits *l = &h->config.limits;
    h2o_config_init(&h->conf);
    h->conf.server_name = h2o_iovec_init("", 0);
    h->conf.http1.upgrade_to_http2 = 0;
    h->conf.http1.req_timeout = (uint64_t)l->read_timeout_ms;
    h->conf.handshake_timeout = 10000;
    h->conf.max_request_entity_size = (size_t)l->body_bytes_max;
    h2o_socket_buffer_mmap_settings.threshold = SIZE_MAX; // long bodies stay in memory, not in files under /tmp
    req_register(h);
}

static void release(Http *h) {
    for (int32_t i = 0; i < h->listener_count; i++) {
        HttpListener *l = &h->listeners[i];
        if (l->fd >= 0) close(l->fd);
        SSL_CTX_free(atomic_load(&l->tls));
        mem_free(l->cert);
        mem_free(l->key);
    }
    for (int32_t i = 0; i < h->retired_count; i++) SSL_CTX_free(h->retired[i]);
    if (h->conf.hosts) h2o_config_dispose(&h->conf);
    mem_free(h->retired);
    mem_free(h->loops);
    mem_free(h);
}

// Thousands of connections need as many descriptors: take what the system allows us.
static void raise_files(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= FILES_WANTED) return;
    files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
    setrlimit(RLIMIT_NOFILE, &files);
}

// Requests may arrive from the first thread on: everything they can see is set before.
static Err start_threads(Http *h) {
    h->thread_count = h->config.threads;
    h->loops = mem_alloc(sizeof(HttpLoop) * (size_t)h->thread_count);
    for (int32_t i = 0; i < h->thread_count; i++) {
        h->loops[i].http = h;
        h->loops[i].index = i;
    }
    for (int32_t i = 0; i < h->thread_count; i++) TRY(loop_open(&h->loops[i]));
    return ERR_OK;
}

Err http_start(const HttpConfig *config, Http **out, Buf *why) {
    CHECK(config->listen_count >= 0 && config->listen_count <= HTTP_LISTENERS_MAX);
    CHECK(config->handle);
    Http *h = mem_alloc(sizeof *h);
    h->config = *config;
    h->retired = mem_alloc(RETIRED_MAX * sizeof *h->retired);
    memset(h->config.listen, 0, sizeof h->config.listen);
    default_i32(&h->config.threads, 1);
    if (h->config.threads > HTTP_THREADS_MAX) h->config.threads = HTTP_THREADS_MAX;
    set_defaults(&h->config.limits);
    Err err = ERR_OK;
    for (int32_t i = 0; i < config->listen_count && err == ERR_OK; i++) {
        h->listener_count = i + 1;
        err = open_listener(&config->listen[i], &h->listeners[i], why);
    }
    if (err != ERR_OK) {
        release(h);
        return err;
    }
    set_h2o(h);
    raise_files();
    *out = h;
    err = start_threads(h);
    if (err != ERR_OK) {
        fail(why, err, "cannot start an I/O thread");
        http_stop(h);
        *out = NULL;
    }
    return err;
}

int32_t http_port(const Http *h, int32_t i) {
    CHECK(i >= 0 && i < h->listener_count);
    return h->listeners[i].port;
}

void http_stats(const Http *h, HttpStats *out) {
    *out = (HttpStats){0};
    for (int32_t i = 0; i < h->thread_count; i++) {
        HttpLoop *l = &h->loops[i];
        out->connections += l->connections;
        out->connections_total += l->connections_total;
        out->connections_refused += l->connections_refused;
        out->requests += l->requests;
        out->requests_total += l->requests_total;
        out->streams += l->streams;
        out->cut_slow += l->cut_slow;
        out->cut_input += l->cut_input;
    }
}

void http_stop(Http *h) {
    if (!h) return;
    atomic_store(&h->stop, true);
    for (int32_t i = 0; i < h->thread_count; i++) {
        if (!h->loops[i].thread.running) continue;
        h2o_multithread_send_message(&h->loops[i].posts, NULL);
        sem_post(&h->loops[i].ready);
    }
    for (int32_t i = 0; i < h->thread_count; i++) {
        if (!h->loops[i].thread.running) continue;
        thread_join(&h->loops[i].thread);
        sem_destroy(&h->loops[i].ready);
    }
    release(h);
}
