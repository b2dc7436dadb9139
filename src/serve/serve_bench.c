// SPDX-License-Identifier: Apache-2.0
// Requests a second over loopback with one I/O thread, driven by wrk. GET of one twin against a plain h2o server that
// sends as many bytes from memory; acknowledged durable PATCHes against redis with appendfsync always.
#include "base/bench.h"
#include <h2o.h>
#include <h2o/http1.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sosia/sosia.h>
#include "base/buf.h"
#include "base/check.h"
#include "serve/server.h"

#define TWINS 1000
#define ROUNDS 5
#define SECONDS 2
#define GET_PATH "/digitaltwins/twin500?api-version=2023-10-31"

static char folder[] = "/var/tmp/sosia-bench-XXXXXX";

// ---- the peer: h2o and nothing else -------------------------------------------------------------------------------

static char *fixed_body;
static size_t fixed_size;
static h2o_accept_ctx_t fixed_accept;

static int fixed_reply(h2o_handler_t *self, h2o_req_t *q) {
    static h2o_generator_t plain = {NULL, NULL};
    h2o_iovec_t body = h2o_iovec_init(fixed_body, fixed_size);
    (void)self;
    q->res.status = 200;
    q->res.content_length = fixed_size;
    h2o_add_header(&q->pool, &q->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, H2O_STRLIT("application/json"));
    h2o_start_response(q, &plain);
    h2o_send(q, &body, 1, H2O_SEND_STATE_FINAL);
    return 0;
}

static void fixed_on_accept(h2o_socket_t *listener, const char *err) {
    h2o_socket_t *sock = err ? NULL : h2o_evloop_socket_accept(listener);
    if (sock) h2o_accept(&fixed_accept, sock);
}

static void fixed_serve(int fd) {
    h2o_globalconf_t conf;
    h2o_context_t ctx;
    h2o_config_init(&conf);
    h2o_hostconf_t *host = h2o_config_register_host(&conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_create_handler(&host->fallback_path, sizeof(h2o_handler_t))->on_req = fixed_reply;
    h2o_context_init(&ctx, h2o_evloop_create(), &conf);
    fixed_accept = (h2o_accept_ctx_t){.ctx = &ctx, .hosts = conf.hosts};
    h2o_socket_read_start(h2o_evloop_socket_create(ctx.loop, fd, H2O_SOCKET_FLAG_DONT_READ), fixed_on_accept);
    while (h2o_evloop_run(ctx.loop, 1000) == 0) continue;
}

static int listen_anywhere(int *port) {
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&sa, size) == 0 && listen(fd, 1024) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&sa, &size) == 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

static pid_t start_fixed(size_t size, int *port) {
    int fd = listen_anywhere(port);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fixed_size = size;
        fixed_body = malloc(size);
        CHECK(fixed_body);
        memset(fixed_body, ' ', size);
        fixed_serve(fd);
        _exit(1);
    }
    close(fd);
    return pid;
}

// ---- tools --------------------------------------------------------------------------------------------------------

// What a command printed; empty when it failed.
static Str run(const char *command, char *room, size_t cap) {
    FILE *f = popen(command, "re");
    CHECK(f);
    size_t n = fread(room, 1, cap - 1, f);
    room[n] = 0;
    return pclose(f) == 0 ? (Str){room, (int64_t)n} : (Str){0};
}

// The number behind `mark`, in units of its suffix: ms when `ms`.
static double number_after(Str text, const char *mark, bool ms) {
    int64_t at = str_find_str(text, str_of(mark));
    if (at < 0) return 0;
    char *end;
    double v = strtod(text.p + at + strlen(mark), &end);
    if (!ms) return v;
    return *end == 'u' ? v / 1000 : *end == 's' ? v * 1000 : v;
}

typedef struct Load {
    double rate, p99_ms;
} Load;

static Load wrk(const char *script, const char *scheme, int port, const char *path) {
    char command[1024], room[8192];
    snprintf(command, sizeof command, "wrk -t1 -c64 -d%d --latency %s %s '%s://127.0.0.1:%d%s'", SECONDS,
             script ? "-s" : "", script ? script : "", scheme, port, path);
    Str text = run(command, room, sizeof room);
    if (str_find_str(text, STR("Non-2xx")) >= 0)
        fprintf(stderr, "serve_bench: refused requests:\n%.*s\n", STR_ARG(text));
    return (Load){number_after(text, "Requests/sec:", false), number_after(text, "99%", true)};
}

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "we");
    CHECK(f && fputs(text, f) >= 0);
    fclose(f);
}

// ---- our side -----------------------------------------------------------------------------------------------------

static const char MODEL[] =
    "[{\"@id\":\"dtmi:b:M;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"a\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"b\",\"schema\":"
    "\"double\"},{\"@type\":\"Property\",\"name\":\"c\",\"schema\":\"integer\"},{\"@type\":\"Property\",\"name\":\"d\","
    "\"schema\":\"boolean\"},{\"@type\":\"Property\",\"name\":\"e\",\"schema\":\"string\"}]}]";

static void must_write(Sosia *s, SosiaOp op, const char *id, const char *body) {
    SosiaDone done;
    Buf keep = {0};
    SosiaWrite w = {.op = op, .id = str_of(id), .body = str_of(body)};
    CHECK(sosia_write_wait(s, NULL, &w, &done, &keep) == SOSIA_OK);
    buf_free(&keep);
}

static Sosia *fill(const char *path) {
    Sosia *s = NULL;
    CHECK(sosia_open(&(SosiaOpen){.path = str_of(path)}, &s, NULL) == SOSIA_OK);
    must_write(s, SOSIA_MODELS_ADD, "", MODEL);
    for (int i = 0; i < TWINS; i++) {
        char id[32];
        snprintf(id, sizeof id, "twin%d", i);
        must_write(
            s, SOSIA_TWIN_PUT, id,
            "{\"$metadata\":{\"$model\":\"dtmi:b:M;1\"},\"a\":21.5,\"b\":0.25,\"c\":7,\"d\":true,\"e\":\"ready\"}");
    }
    return s;
}

static size_t twin_size(Sosia *s) {
    SosiaOut out = {0};
    SosiaRead r = {.what = SOSIA_GET_TWIN, .id = STR("twin500")};
    CHECK(sosia_read(s, NULL, &r, &out) == SOSIA_OK);
    size_t n = (size_t)out.body.n;
    sosia_out_free(&out);
    return n;
}

static void bench_get(int port, int fixed_port) {
    Bench rate = {.name = "serve.get", .unit = "req/s", .goal = 60000, .peer = "plain h2o, as many bytes, req/s"};
    Bench p99 = {
        .name = "serve.get_p99", .unit = "ms", .goal = 3, .less = true, .peer = "plain h2o, as many bytes, ms"};
    Bench fixed = {0}, fixed_p99 = {0};
    wrk(NULL, "http", port, GET_PATH);
    for (int i = 0; i < ROUNDS; i++) {
        Load peer = wrk(NULL, "http", fixed_port, "/"), own = wrk(NULL, "http", port, GET_PATH);
        bench_add(&rate, own.rate);
        bench_add(&p99, own.p99_ms);
        bench_add(&fixed, peer.rate);
        bench_add(&fixed_p99, peer.p99_ms);
    }
    rate.peer_value = bench_median(fixed.value, fixed.rounds);
    p99.peer_value = bench_median(fixed_p99.value, fixed_p99.rounds);
    bench_print(&rate);
    bench_print(&p99);
}

static void bench_tls(int port) {
    Bench rate = {.name = "serve.get_tls", .unit = "req/s"};
    for (int i = 0; i < 3; i++) bench_add(&rate, wrk(NULL, "https", port, GET_PATH).rate);
    bench_print(&rate);
}

static pid_t start_redis(int *port) {
    char port_text[8];
    close(listen_anywhere(port));
    snprintf(port_text, sizeof port_text, "%d", *port);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!freopen("/dev/null", "w", stdout)) _exit(127);
        execlp("redis-server", "redis-server", "--port", port_text, "--bind", "127.0.0.1", "--dir", folder,
               "--appendonly", "yes", "--appendfsync", "always", "--save", "", (char *)NULL);
        _exit(127);
    }
    sleep(1);
    return pid;
}

static double redis_sets(int port) {
    char command[256], room[8192];
    snprintf(command, sizeof command,
             "redis-benchmark -p %d -t set -c 64 -n 40000 -r 1000 -d 40 -q 2>/dev/null | tr '\\r' '\\n'", port);
    Str text = run(command, room, sizeof room);
    double rate = 0;
    for (int64_t at; (at = str_find_str(text, STR("SET: "))) >= 0; text = str_sub(text, at + 5, text.n)) {
        double v = strtod(text.p + at + 5, NULL);
        if (v > 0) rate = v;
    }
    return rate;
}

static void bench_patch(int port) {
    char script[256];
    snprintf(script, sizeof script, "%s/patch.lua", folder);
    write_file(script,
               "local n = 0\n"
               "request = function()\n"
               "  n = n + 1\n"
               "  return wrk.format('PATCH', '/digitaltwins/twin' .. (n * 7919 % 1000) .. '?api-version=2023-10-31',\n"
               "    {['Content-Type'] = 'application/json-patch+json'},\n"
               "    '[{\"op\":\"replace\",\"path\":\"/a\",\"value\":' .. n .. '.5}]')\n"
               "end\n");
    Bench rate = {
        .name = "serve.patch", .unit = "durable/s", .goal = 20000, .peer = "redis SET, appendfsync always, 64 clients"};
    Bench p99 = {.name = "serve.patch_p99", .unit = "ms", .less = true};
    Bench redis = {0};
    int redis_port = 0;
    pid_t pid = start_redis(&redis_port);
    for (int i = 0; i < ROUNDS; i++) {
        double peer = redis_sets(redis_port);
        Load own = wrk(script, "http", port, "/");
        bench_add(&rate, own.rate);
        bench_add(&p99, own.p99_ms);
        if (peer > 0) bench_add(&redis, peer);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (redis.rounds > 0) rate.peer_value = bench_median(redis.value, redis.rounds);
    else rate.peer = NULL;
    bench_print(&rate);
    bench_print(&p99);
}

int main(void) {
    char path[256], cert[256], key[256], command[1024], room[4096];
    CHECK(mkdtemp(folder));
    if (run("wrk --version 2>&1; true", room, sizeof room).n == 0) return 1;
    snprintf(path, sizeof path, "%s/bench.sosia", folder);
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(
        command, sizeof command,
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout %s "
        "-out %s 2>&1",
        key, cert);
    run(command, room, sizeof room);
    int fixed_port = 0;
    pid_t fixed = start_fixed(507, &fixed_port); // before there are threads; the size is checked below
    Sosia *engine = fill(path);
    fprintf(stderr, "serve_bench: a twin has %zu bytes\n", twin_size(engine));
    ServeConfig config = {.http = STR("127.0.0.1:0"), .https = STR("127.0.0.1:0"), .cert = cert, .key = key};
    Server *server = NULL;
    Buf why = {0};
    if (serve_start(&config, engine, &server, &why) != ERR_OK) {
        fprintf(stderr, "serve_bench: %.*s\n", STR_ARG(buf_str(&why)));
        return 1;
    }
    bench_get(serve_port_http(server), fixed_port);
    bench_tls(serve_port_https(server));
    bench_patch(serve_port_http(server));
    serve_stop(server);
    sosia_close(engine);
    kill(fixed, SIGKILL);
    waitpid(fixed, NULL, 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    run(command, room, sizeof room);
    return 0;
}
