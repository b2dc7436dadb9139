// SPDX-License-Identifier: Apache-2.0
// The feed from socket to socket: a sensor writes through one WebSocket at 100,000 updates a second, durable, to a
// server process of our own, and subscribers hear of it through others. Values are the microsecond at which they were
// due, so a sender that is late counts as latency. The peer is redis with a log that is synced before anything leaves.
//   feed_bench [--no-peers] [NAME...]   only figures whose name holds one of the NAMEs
// SOSIA_BIN: the command (beside this program when not set).
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ask.h"
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"

#define TWINS 1000
#define MESSAGE_UPDATES 100
#define TICK_NS NS_PER_MS // a message each: 100,000 updates a second
#define RUN_TICKS 4000
#define WARM_TICKS 500 // not counted
#define ROUNDS 3
#define ONE_CHANGES 1000000
#define SAMPLES_MAX 2000000
#define STALLED 1000
#define STALL_MESSAGES 5000

static char **wanted; // NULL-terminated
static bool peers = true;
static int64_t epoch_ns;

static bool is_wanted(const char *name) {
    for (char **w = wanted; *w; w++)
        if (strstr(name, *w)) return true;
    return !*wanted;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now_us(void) { return (time_mono_ns() - epoch_ns) / 1000; }

// ---- sockets ------------------------------------------------------------------------------------------------------

static int connect_to(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) die("socket");
    if (connect(fd, (struct sockaddr *)(void *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_all(int fd, const char *p, int64_t n) {
    while (n > 0) {
        ssize_t k = send(fd, p, (size_t)n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) die("send");
        p += k;
        n -= k;
    }
}

// A WebSocket to the server, behind its 101; blocking.
static int ws_open(int port, const char *path) {
    char text[500], c[1];
    int fd = connect_to(port), end = 0;
    if (fd < 0) die("connect");
    int n = snprintf(text, sizeof text,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                     path);
    send_all(fd, text, n);
    for (n = 0; end < 4; n++) {
        if (recv(fd, c, 1, 0) != 1) die(path);
        if (n == 9 && *c != '1') die("not upgraded");
        end = *c == (end & 1 ? '\n' : '\r') ? end + 1 : 0;
    }
    return fd;
}

// A text frame whose mask is zero.
static void put_frame(Buf *out, Str text) {
    CHECK(text.n >= 126 && text.n < 65536);
    buf_put(out, "\x81\xfe", 2);
    buf_byte(out, (char)(text.n >> 8));
    buf_byte(out, (char)text.n);
    buf_put(out, "\0\0\0\0", 4);
    buf_str_put(out, text);
}

// ---- those who listen ---------------------------------------------------------------------------------------------

typedef struct Ear {
    int fd;
    Buf in;
} Ear;

// One thread that hears all sockets: finds values in what comes, and how late they are.
typedef struct Ears {
    int epoll;
    Ear *items;
    int32_t count;
    Str mark; // stands before each value
    pthread_t thread;
    atomic_bool stop;
    _Atomic int64_t heard;
    int64_t from_us; // values before are not counted
    double *late_ms;
    int64_t samples;
} Ears;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static void take_values(Ears *e, Ear *ear, int64_t now) {
    const char *p = ear->in.p, *end = p + ear->in.n;
    for (;;) {
        const char *at = memmem(p, (size_t)(end - p), e->mark.p, (size_t)e->mark.n);
        if (!at) {
            p = end - p < e->mark.n ? p : end - e->mark.n + 1;
            break;
        }
        const char *digit = at + e->mark.n;
        int64_t us = 0;
        for (; digit < end && is_digit(*digit); digit++) us = us * 10 + (*digit - '0');
        p = at;
        if (digit == end) break; // the number may not be whole
        p = digit;
        atomic_fetch_add(&e->heard, 1);
        if (us >= e->from_us && e->samples < SAMPLES_MAX) e->late_ms[e->samples++] = (double)(now - us) / 1000;
    }
    memmove(ear->in.p, p, (size_t)(end - p));
    ear->in.n = end - p;
}

static void *listen_all(void *arg) {
    Ears *e = arg;
    struct epoll_event events[256];
    static char room[1 << 16];
    while (!atomic_load(&e->stop)) {
        int n = epoll_wait(e->epoll, events, 256, 100);
        for (int i = 0; i < n; i++) {
            Ear *ear = events[i].data.ptr;
            ssize_t k = recv(ear->fd, room, sizeof room, MSG_DONTWAIT);
            if (k <= 0) continue;
            buf_put(&ear->in, room, k);
            take_values(e, ear, now_us());
        }
    }
    return NULL;
}

static void ears_begin(Ears *e, int32_t count, Str mark) {
    *e = (Ears){.epoll = epoll_create1(0), .count = count, .mark = mark};
    e->items = mem_alloc((size_t)count * sizeof *e->items);
    e->late_ms = mem_alloc(SAMPLES_MAX * sizeof *e->late_ms);
}

static void ears_add(Ears *e, int32_t i, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &e->items[i]};
    e->items[i].fd = fd;
    if (epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll");
}

static void ears_start(Ears *e) {
    if (pthread_create(&e->thread, NULL, listen_all, e) != 0) die("thread");
}

static void ears_end(Ears *e) {
    atomic_store(&e->stop, true);
    pthread_join(e->thread, NULL);
    for (int32_t i = 0; i < e->count; i++) {
        close(e->items[i].fd);
        buf_free(&e->items[i].in);
    }
    close(e->epoll);
    mem_free(e->items);
    mem_free(e->late_ms);
}

static double part_of(Ears *e, double q) {
    if (e->samples == 0) return 0;
    qsort(e->late_ms, (size_t)e->samples, sizeof *e->late_ms, bench_by_value);
    return e->late_ms[(int64_t)(q * (double)(e->samples - 1))];
}

// ---- those who speak ----------------------------------------------------------------------------------------------

// What one message says: updates of 100 twins in turn, due at `us`.
typedef void (*SayFn)(Buf *out, int64_t tick, int64_t us);

static void drain(int fd) {
    char room[65536];
    while (recv(fd, room, sizeof room, MSG_DONTWAIT) > 0) continue;
}

// A message a millisecond, answers read on the way.
static void speak(int fd, SayFn say, int64_t ticks) {
    Buf out = {0};
    int64_t start = time_mono_ns();
    for (int64_t t = 0; t < ticks; t++) {
        int64_t due = start + t * TICK_NS;
        struct timespec at = {due / NS_PER_S, due % NS_PER_S};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) continue;
        buf_reset(&out);
        say(&out, t, (due - epoch_ns) / 1000);
        send_all(fd, out.p, out.n);
        drain(fd);
    }
    buf_free(&out);
}

static void say_to_sosia(Buf *out, int64_t tick, int64_t us) {
    Buf text = {0};
    for (int64_t i = 0; i < MESSAGE_UPDATES; i++) {
        buf_printf(&text, "{\"id\":\"t%lld\",\"property\":\"v\",\"value\":%lld}\n",
                   (long long)((tick * MESSAGE_UPDATES + i) % TWINS), (long long)us);
    }
    put_frame(out, buf_str(&text));
    buf_free(&text);
}

static void say_to_redis(Buf *out, int64_t tick, int64_t us) {
    for (int64_t i = 0; i < MESSAGE_UPDATES; i++) {
        buf_printf(out, "XADD t%lld MAXLEN ~ 100 * v %lld\r\n", (long long)((tick * MESSAGE_UPDATES + i) % TWINS),
                   (long long)us);
    }
    buf_printf(out, "PUBLISH p value:%lld\r\n", (long long)us);
}

// ---- Sosia --------------------------------------------------------------------------------------------------------

static const char MODEL[] = "[{\"@id\":\"dtmi:f:T;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\","
                            "\"contents\":[{\"@type\":\"Property\",\"name\":\"v\",\"schema\":\"double\"}]}]";

static void make_world(int port) {
    Ask ask = {0};
    Str reply;
    Buf body = {0};
    ask_open(&ask, port);
    CHECK(ask_post(&ask, "/models?api-version=2023-10-31", "application/json", STR(MODEL), &reply) == 201);
    buf_str_put(&body,
                STR("{\"Section\":\"Header\"}\n{\"fileVersion\":\"1.0.0\",\"author\":\"b\",\"organization\":\"b\"}\n"
                    "{\"Section\":\"Twins\"}\n"));
    for (int32_t i = 0; i < TWINS; i++)
        buf_printf(&body, "{\"$dtId\":\"t%d\",\"$metadata\":{\"$model\":\"dtmi:f:T;1\"}}\n", (int)i);
    CHECK(ask_post(&ask, "/import", "application/x-ndjson", buf_str(&body), &reply) == 200);
    CHECK(str_find_str(reply, STR("\"rejected\":0")) >= 0);
    ask_close(&ask);
    buf_free(&body);
}

// Late values of `count` subscribers, each with a twin of its own, in rounds; count 1: one twin in a thousand.
static void run_latency(int port, int32_t count, Bench *p50, Bench *p99, Bench *most) {
    Ears e;
    char path[100];
    ears_begin(&e, count, STR("\"value\":"));
    for (int32_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/changes?twin=t%d&property=v", count == 1 ? 7 : (int)i);
        ears_add(&e, i, ws_open(port, path));
    }
    int fd = ws_open(port, "/ingest");
    ears_start(&e);
    for (int r = 0; r < ROUNDS; r++) {
        e.from_us = INT64_MAX;
        speak(fd, say_to_sosia, WARM_TICKS);
        e.samples = 0;
        e.from_us = now_us();
        speak(fd, say_to_sosia, RUN_TICKS);
        usleep(300000);
        e.from_us = INT64_MAX;
        usleep(100000);
        int64_t want = (int64_t)RUN_TICKS * MESSAGE_UPDATES / TWINS * count;
        if (e.samples < want * 99 / 100)
            fprintf(stderr, "bench: %lld of %lld changes came in time\n", (long long)e.samples, (long long)want);
        bench_add(p50, part_of(&e, 0.5));
        bench_add(p99, part_of(&e, 0.99));
        bench_add(most, part_of(&e, 1));
    }
    close(fd);
    ears_end(&e);
}

// Write many changes, then read them from the beginning as fast as they come.
static void run_one(int port, Bench *b) {
    Ask ask = {0};
    Str reply;
    Buf body = {0};
    ask_open(&ask, port);
    for (int64_t k = 0; k < ONE_CHANGES;) {
        buf_reset(&body);
        for (int64_t end = k + 10000; k < end; k++)
            buf_printf(&body, "{\"id\":\"t%d\",\"property\":\"v\",\"value\":%lld.5}\n", (int)(k % TWINS), (long long)k);
        CHECK(ask_post(&ask, "/ingest", "application/x-ndjson", buf_str(&body), &reply) == 200);
    }
    ask_close(&ask);
    buf_free(&body);
    for (int r = 0; r < ROUNDS; r++) {
        Ears e;
        ears_begin(&e, 1, STR("\"value\":"));
        ears_add(&e, 0, ws_open(port, "/changes?op=set&since=1"));
        e.from_us = INT64_MAX;
        int64_t start = time_mono_ns(), patience = 0;
        ears_start(&e);
        while (atomic_load(&e.heard) < ONE_CHANGES && patience++ < 60000) usleep(1000);
        double seconds = bench_seconds(start);
        if (atomic_load(&e.heard) < ONE_CHANGES) fprintf(stderr, "bench: %lld came\n", (long long)e.heard);
        bench_add(b, (double)atomic_load(&e.heard) / seconds / 1000);
        ears_end(&e);
    }
}

// ---- the writer beside those who stall ----------------------------------------------------------------------------

// Answers in what came; the start of one that is not whole stays in `rest`.
static int64_t take_answers(int fd, Buf *rest, int flags) {
    static char room[1 << 16];
    const Str mark = STR("\"accepted\":");
    int64_t found = 0;
    ssize_t k = recv(fd, room, sizeof room, flags);
    if (k <= 0) return 0;
    buf_put(rest, room, k);
    const char *p = rest->p, *end = p + rest->n;
    for (const char *at; (at = memmem(p, (size_t)(end - p), mark.p, (size_t)mark.n)); found++) p = at + mark.n;
    int64_t keep = end - p < mark.n ? end - p : mark.n - 1;
    memmove(rest->p, end - keep, (size_t)keep);
    rest->n = keep;
    return found;
}

// Thousand updates a second that one socket gets in, each message acknowledged.
static double write_rate(int port) {
    Buf out = {0}, rest = {0};
    int fd = ws_open(port, "/ingest");
    int64_t answers = 0, start = time_mono_ns();
    for (int64_t t = 0; t < STALL_MESSAGES; t++) {
        buf_reset(&out);
        say_to_sosia(&out, t, now_us() + 1000000);
        send_all(fd, out.p, out.n);
        answers += take_answers(fd, &rest, MSG_DONTWAIT);
    }
    while (answers < STALL_MESSAGES) answers += take_answers(fd, &rest, 0);
    double seconds = bench_seconds(start);
    close(fd);
    buf_free(&out);
    buf_free(&rest);
    return (double)(STALL_MESSAGES * MESSAGE_UPDATES) / seconds / 1000;
}

// The same before and beside a thousand subscribers of everything who never read.
static void stall(int port) {
    Bench alone = {.name = "alone"};
    Bench b = {.name = "feed.writer_beside_stalled", .unit = "k/s", .peer = "the same without subscribers, k/s"};
    static int ears[STALLED];
    write_rate(port); // warm
    for (int i = 0; i < ROUNDS; i++) bench_add(&alone, write_rate(port));
    for (int i = 0; i < STALLED; i++) ears[i] = ws_open(port, "/changes?slow=cut");
    write_rate(port); // their buffers fill
    for (int i = 0; i < ROUNDS; i++) bench_add(&b, write_rate(port));
    for (int i = 0; i < STALLED; i++) close(ears[i]);
    b.peer_value = bench_median(alone.value, alone.rounds);
    bench_print(&b);
}

static void with_server(const char *folder, const char *name, void (*fn)(int port)) {
    char file[200];
    const char *bin = getenv("SOSIA_BIN");
    char beside[4096] = "";
    if (!bin) {
        ssize_t n = readlink("/proc/self/exe", beside, sizeof beside - 10);
        CHECK(n > 0);
        beside[n] = 0;
        memcpy(strrchr(beside, '/'), "/sosia", 7);
        bin = beside;
    }
    snprintf(file, sizeof file, "%s/%s.sosia", folder, name);
    ServerProcess s = server_start(bin, file);
    make_world(s.port);
    fn(s.port);
    server_stop(&s);
}

// ---- the peer -----------------------------------------------------------------------------------------------------

static pid_t redis_start(const char *folder, int port) {
    char number[8];
    snprintf(number, sizeof number, "%d", port);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, STDOUT_FILENO);
        execlp("redis-server", "redis-server", "--port", number, "--bind", "127.0.0.1", "--dir", folder, "--appendonly",
               "yes", "--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", "0", (char *)NULL);
        _exit(127);
    }
    return pid;
}

// p99 of the same values through redis; 0 when there is none.
static double redis_p99(const char *folder) {
    int port = 20000 + (int)(getpid() % 20000), fd = -1;
    pid_t pid = redis_start(folder, port);
    for (int i = 0; i < 100 && fd < 0; i++) {
        usleep(50000);
        if (waitpid(pid, NULL, WNOHANG) == pid) return 0;
        fd = connect_to(port);
    }
    double p99 = 0;
    if (fd >= 0) {
        Ears e;
        ears_begin(&e, 1, STR("value:"));
        int ear = connect_to(port);
        if (ear < 0) die("redis");
        send_all(ear, "SUBSCRIBE p\r\n", 13);
        ears_add(&e, 0, ear);
        e.from_us = INT64_MAX;
        ears_start(&e);
        speak(fd, say_to_redis, WARM_TICKS);
        e.from_us = now_us();
        speak(fd, say_to_redis, RUN_TICKS);
        usleep(300000);
        e.from_us = INT64_MAX;
        usleep(100000);
        p99 = part_of(&e, 0.99);
        fprintf(stderr, "bench: redis: p50 %.2f ms, p99 %.2f ms, max %.2f ms of %lld\n", part_of(&e, 0.5), p99,
                part_of(&e, 1), (long long)e.samples);
        ears_end(&e);
        close(fd);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return p99;
}

// ---- figures ------------------------------------------------------------------------------------------------------

static Bench p50 = {.name = "feed.latency_p50", .unit = "ms", .less = true};
static Bench p99 = {.name = "feed.latency_p99", .unit = "ms", .goal = 5, .less = true};
static Bench most = {.name = "feed.latency_max", .unit = "ms", .less = true};
static Bench one = {.name = "feed.one", .unit = "k/s", .goal = 500};
static Bench many = {.name = "feed.thousand_p99", .unit = "ms", .goal = 20, .less = true};

static void latency(int port) {
    Bench t50 = {.name = "feed.thousand_p50", .unit = "ms", .less = true};
    Bench all = {.name = "feed.thousand_total_p99", .unit = "ms", .less = true};
    Bench tmax = {.name = "feed.thousand_max", .unit = "ms", .less = true};
    run_latency(port, 1, &p50, &p99, &most);
    double alone = bench_median(p99.value, p99.rounds);
    if (!is_wanted("feed.thousand_p99")) return;
    run_latency(port, TWINS, &t50, &all, &tmax);
    for (int i = 0; i < all.rounds; i++) bench_add(&many, all.value[i] > alone ? all.value[i] - alone : 0);
    bench_print(&many);
    bench_print(&t50);
    bench_print(&all);
    bench_print(&tmax);
}

static void throughput(int port) { run_one(port, &one); }

int main(int argc, char **argv) {
    char folder[] = "/tmp/sosia-feed-XXXXXX", command[80];
    struct rlimit files;
    epoch_ns = time_mono_ns();
    wanted = argv + 1;
    if (argc > 1 && strcmp(argv[1], "--no-peers") == 0) peers = false, wanted++;
    if (!mkdtemp(folder)) die("folder");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (is_wanted("feed.latency_p99") || is_wanted("feed.thousand_p99")) {
        double peer = peers ? redis_p99(folder) : 0;
        with_server(folder, "latency", latency);
        if (peer > 0) {
            p99.peer = "redis XADD and PUBLISH, appendfsync always";
            p99.peer_value = peer;
        }
        bench_print(&p99);
        bench_print(&p50);
        bench_print(&most);
    }
    if (is_wanted("feed.one")) {
        with_server(folder, "one", throughput);
        bench_print(&one);
    }
    if (is_wanted("feed.writer_beside_stalled")) with_server(folder, "stall", stall);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0 ? 0 : 1;
}
