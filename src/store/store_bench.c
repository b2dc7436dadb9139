// SPDX-License-Identifier: Apache-2.0
// The store on a real disk: durable updates behind a writer that never waits for a sync, how long a commit takes, what
// a checkpoint costs the commits beside it, and how soon a million twins are back. Files go to SOSIA_BENCH_DIR, or
// /var/tmp.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "store/store.h"

enum { PROPERTIES = 5, LINKS = 3, BATCH = 1000, RING = 1 << 18, GROUPS_MAX = 1 << 16 };

static const char model[] =
    "[{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"dtmi:bench:Meter;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"a\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"b\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"c\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"d\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"e\",\"schema\":\"long\"},{\"@type\":\"Relationship\",\"name\":\"feeds\"}]}]";

typedef struct Rig {
    char folder[256], path[300];
    Domain *domain;
    Store *store;
    World *w;
    uint64_t *ids;
    int64_t count;
    uint32_t first;
    Buf bytes;
    Rng rng;
    _Atomic uint64_t acked;
    // Store thread only while it runs: sizes of groups, and when the batch that opens a group was handed over.
    int64_t group_bytes[GROUPS_MAX];
    double group_ms[GROUPS_MAX];
    int64_t groups, last_bytes;
    _Atomic int64_t sent_ns[1 << 16]; // by sequence
} Rig;

static void must(Err e) { CHECK(e == ERR_OK); }

static void on_commit(void *ctx, uint64_t seq) {
    Rig *r = ctx;
    StoreStats s;
    store_stats(r->store, &s);
    if (r->groups < GROUPS_MAX) {
        uint64_t opened = atomic_load(&r->acked) + 1;
        r->group_ms[r->groups] = (double)(time_mono_ns() - atomic_load(&r->sent_ns[opened & 0xffff])) / 1e6;
        r->group_bytes[r->groups++] = s.bytes - r->last_bytes;
    }
    r->last_bytes = s.bytes;
    atomic_store(&r->acked, seq);
}

static void on_fail(void *ctx, Err err, const char *why) {
    (void)ctx;
    fprintf(stderr, "%s: %s\n", err_name(err), why);
    CHECK(!"the disk failed");
}

static double rig_open(Rig *r) {
    StoreOpen o = {.path = str_of(r->path), .ctx = r, .on_commit = on_commit, .on_fail = on_fail};
    Buf why = {0};
    int64_t t = time_mono_ns();
    r->domain = domain_new();
    Err e = store_open(&o, r->domain, RING, &r->store, &r->w, &why);
    double seconds = bench_seconds(t);
    if (e != ERR_OK) fprintf(stderr, "%.*s\n", STR_ARG(buf_str(&why)));
    must(e);
    must(store_start(r->store));
    r->acked = world_seq(r->w);
    r->last_bytes = r->groups = 0;
    return seconds;
}

static void rig_close(Rig *r) {
    store_close(r->store);
    world_free(r->w);
    domain_free(r->domain);
}

static Rig *rig_new(void) {
    Rig *r = mem_alloc(sizeof *r);
    const char *where = getenv("SOSIA_BENCH_DIR");
    snprintf(r->folder, sizeof r->folder, "%s/sosia-bench-XXXXXX", where ? where : "/var/tmp");
    CHECK(mkdtemp(r->folder));
    snprintf(r->path, sizeof r->path, "%s/bench.sosia", r->folder);
    r->rng = rng_make(1, 0);
    rig_open(r);
    return r;
}

static void rig_free(Rig *r) {
    rig_close(r);
    unlink(r->path);
    rmdir(r->folder);
    mem_free(r->ids);
    buf_free(&r->bytes);
    mem_free(r);
}

// ---- writing as the engine does -----------------------------------------------------------------------------------

static void begin(Rig *r) { world_begin(r->w, world_seq(r->w) + 1, world_next_time(r->w, 0)); }

static void settle(Rig *r) {
    world_settle(r->w, atomic_load(&r->acked));
    while (world_room(r->w) < RING / 2) {
        thread_sleep_ns(20000);
        world_settle(r->w, atomic_load(&r->acked));
    }
}

static void hand_over(Rig *r) {
    BatchHead head = {.seq = world_seq(r->w), .time = world_time(r->w)};
    Str changes = world_batch(r->w, &head.count);
    buf_reset(&r->bytes);
    batch_encode(&head, changes, &r->bytes);
    world_end(r->w);
    atomic_store(&r->sent_ns[head.seq & 0xffff], time_mono_ns());
    store_submit(r->store, head.seq, buf_str(&r->bytes));
    settle(r);
}

static Change value(const Rig *r, int64_t twin, uint32_t property, double v) {
    bool whole = property == PROPERTIES - 1;
    return (Change){.kind = CHANGE_SET,
                    .cell = whole ? CELL_I64 : CELL_F64,
                    .id = r->ids[twin],
                    .col = r->first + property,
                    .bits = whole ? (uint64_t)(int64_t)v : bits_of(v)};
}

static void add_twin(Rig *r, int64_t i) {
    char name[64];
    snprintf(name, sizeof name, "twin%08lld", (long long)i);
    r->ids[i] = world_take_twin_id(r->w).v;
    must(world_do(r->w, &(Change){.kind = CHANGE_TWIN_NEW, .id = r->ids[i], .text = str_of(name)}));
    for (uint32_t p = 0; p < PROPERTIES; p++) {
        Change set = value(r, i, p, rng_normal(&r->rng) * 10 + 20);
        must(world_do(r->w, &set));
    }
}

static void add_links(Rig *r, int64_t i) {
    char rid[64];
    for (int k = 0; k < LINKS; k++) {
        snprintf(rid, sizeof rid, "link%08lld", (long long)i * LINKS + k);
        must(world_do(r->w, &(Change){.kind = CHANGE_LINK_NEW,
                                      .id = world_take_link_id(r->w).v,
                                      .other = r->ids[i],
                                      .target = r->ids[rng_below(&r->rng, (uint64_t)r->count)],
                                      .text = str_of(rid)}));
    }
}

static void populate(Rig *r, int64_t count, bool links) {
    r->count = count;
    r->ids = mem_alloc((size_t)count * sizeof(uint64_t));
    begin(r);
    must(world_do(r->w, &(Change){.kind = CHANGE_MODELS_ADD, .text = str_of(model)}));
    hand_over(r);
    View v = view_writer(r->w);
    r->first = v.catalog->tables[0].first;
    for (int64_t i = 0; i < count; i += BATCH) {
        begin(r);
        for (int64_t k = i; k < i + BATCH && k < count; k++) add_twin(r, k);
        hand_over(r);
    }
    for (int64_t i = 0; links && i < count; i += BATCH) {
        begin(r);
        for (int64_t k = i; k < i + BATCH && k < count; k++) add_links(r, k);
        hand_over(r);
    }
    store_drain(r->store);
}

static void write_batch(Rig *r) {
    Change sets[BATCH];
    for (int i = 0; i < BATCH; i++)
        sets[i] =
            value(r, (int64_t)rng_below(&r->rng, (uint64_t)r->count), (uint32_t)i % PROPERTIES, 20 + rng_f64(&r->rng));
    begin(r);
    must(world_do_sets(r->w, sets, BATCH, NULL));
    hand_over(r);
}

static void checkpoint(Rig *r) {
    World *fork = world_fork(r->w, 0);
    if (!store_checkpoint(r->store, fork, world_seq(r->w))) world_free(fork);
}

// ---- durable updates ----------------------------------------------------------------------------------------------

// M updates a second from the first batch to the last acknowledgement.
static double durable_round(Rig *r, int64_t batches, bool checkpoints) {
    store_drain(r->store);
    r->groups = 0;
    int64_t t = time_mono_ns();
    for (int64_t i = 0; i < batches; i++) {
        write_batch(r);
        if (checkpoints && i % 50 == 0 && !store_checkpointing(r->store)) checkpoint(r);
    }
    while (atomic_load(&r->acked) < world_seq(r->w)) thread_sleep_ns(50000);
    double rate = (double)(batches * BATCH) / bench_seconds(t) / 1e6;
    store_drain(r->store);
    return rate;
}

// The same groups with plain write and fdatasync, to a file that grows.
static double plain_round(Rig *r, int64_t updates) {
    char path[300];
    snprintf(path, sizeof path, "%s/plain", r->folder);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    CHECK(fd >= 0);
    char *bytes = mem_alloc(64 << 20);
    for (int i = 0; i < 64 << 20; i += 8) memcpy(bytes + i, &(uint64_t){rng_u64(&r->rng)}, 8);
    int64_t t = time_mono_ns();
    for (int64_t i = 0; i < r->groups; i++) {
        CHECK(r->group_bytes[i] <= 64 << 20);
        for (int64_t at = 0; at < r->group_bytes[i];) {
            ssize_t n = write(fd, bytes + at, (size_t)(r->group_bytes[i] - at));
            CHECK(n > 0);
            at += n;
        }
        CHECK(fdatasync(fd) == 0);
    }
    double rate = (double)updates / bench_seconds(t) / 1e6;
    close(fd);
    unlink(path);
    mem_free(bytes);
    return rate;
}

static void bench_durable(Rig *r) {
    enum { ROUNDS = 5, BATCHES = 2000 };
    Bench durable = {.name = "store.durable", .unit = "M/s", .goal = 1};
    Bench beside = {.name = "store.durable_with_checkpoints", .unit = "M/s"};
    Bench plain = {.name = "store.plain_file", .unit = "M/s"};
    Bench batch = {.name = "store.batches_per_group", .unit = "batches"};
    for (int i = 0; i < ROUNDS; i++) {
        bench_add(&durable, durable_round(r, BATCHES, false));
        bench_add(&batch, (double)BATCHES / (double)r->groups);
        bench_add(&plain, plain_round(r, BATCHES * BATCH));
        checkpoint(r); // trims the journal
        store_drain(r->store);
        bench_add(&beside, durable_round(r, BATCHES, true));
    }
    durable.peer = "write and fdatasync of the same groups";
    durable.peer_value = bench_median(plain.value, plain.rounds);
    bench_print(&durable);
    bench_print(&plain);
    bench_print(&batch);
    bench_print(&beside);
}

// ---- latency ------------------------------------------------------------------------------------------------------

// p50, p99 and the worst time in ms from handing a batch over to its acknowledgement, at 200 batches a second.
static void latency_round(Rig *r, bool checkpoints, double out[3]) {
    enum { BATCHES = 800 };
    store_drain(r->store);
    r->groups = 0;
    int64_t start = time_mono_ns();
    for (int64_t i = 0; i < BATCHES; i++) {
        write_batch(r);
        if (checkpoints && !store_checkpointing(r->store)) checkpoint(r);
        int64_t wait = start + (i + 1) * 5 * NS_PER_MS - time_mono_ns();
        if (wait > 0) thread_sleep_ns(wait);
    }
    store_drain(r->store);
    bench_median(r->group_ms, (int)r->groups);
    out[0] = r->group_ms[r->groups / 2];
    out[1] = r->group_ms[r->groups * 99 / 100];
    out[2] = r->group_ms[r->groups - 1];
}

static void bench_latency(Rig *r, bool checkpoints) {
    Bench p50 = {
        .name = checkpoints ? "store.commit_p50_with_checkpoints" : "store.commit_p50", .unit = "ms", .less = true};
    Bench p99 = {
        .name = checkpoints ? "store.commit_p99_with_checkpoints" : "store.commit_p99", .unit = "ms", .less = true};
    Bench max = {
        .name = checkpoints ? "store.commit_max_with_checkpoints" : "store.commit_max", .unit = "ms", .less = true};
    for (int i = 0; i < 3; i++) {
        double ms[3];
        latency_round(r, checkpoints, ms);
        bench_add(&p50, ms[0]);
        bench_add(&p99, ms[1]);
        bench_add(&max, ms[2]);
    }
    bench_print(&p50);
    bench_print(&p99);
    bench_print(&max);
}

// ---- redis ---------------------------------------------------------------------------------------------------------

static int redis_connect(const char *path) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    CHECK(strlen(path) < sizeof at.sun_path);
    memcpy(at.sun_path, path, strlen(path) + 1);
    for (int i = 0; i < 200; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0) return fd;
        close(fd);
        thread_sleep_ns(20 * NS_PER_MS);
    }
    return -1;
}

// Pipeline SETs of numbers with up to 16 batches on their way; M acknowledged a second.
static double redis_round(Rig *r, int fd, int64_t batches) {
    enum { AHEAD = 16, REPLY = 5 }; // "+OK\r\n"
    Buf b = {0};
    char reply[1 << 16];
    int64_t got = 0, sent = 0, total = batches * BATCH * REPLY, t = time_mono_ns();
    for (int64_t i = 0; got < total;) {
        if (b.n == 0 && i < batches && sent - got / REPLY < AHEAD * BATCH) {
            for (int k = 0; k < BATCH; k++) {
                char key[32], v[32];
                int kn = snprintf(key, sizeof key, "k%llu", (unsigned long long)rng_below(&r->rng, 500000));
                int vn = snprintf(v, sizeof v, "%.17g", 20 + rng_f64(&r->rng));
                buf_printf(&b, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", kn, key, vn, v);
            }
            sent += BATCH;
            i++;
        }
        struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (b.n ? POLLOUT : 0))};
        poll(&p, 1, 1000);
        if (p.revents & POLLOUT) {
            ssize_t n = send(fd, b.p, (size_t)b.n, MSG_DONTWAIT);
            if (n > 0) memmove(b.p, b.p + n, (size_t)(b.n - n)), b.n -= n;
        }
        if (p.revents & POLLIN) {
            ssize_t n = recv(fd, reply, sizeof reply, MSG_DONTWAIT);
            CHECK(n > 0);
            got += n;
        }
    }
    buf_free(&b);
    return (double)(batches * BATCH) / bench_seconds(t) / 1e6;
}

static void bench_redis(Rig *r) {
    char path[300];
    snprintf(path, sizeof path, "%s/redis", r->folder);
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--dir", r->folder, "--appendonly",
               "yes", "--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", "0", (char *)NULL);
        _exit(127);
    }
    Bench redis = {.name = "store.redis_aof_always", .unit = "M/s"};
    int status, fd = waitpid(child, &status, WNOHANG) == 0 ? redis_connect(path) : -1;
    if (fd < 0) fprintf(stderr, "SKIP store.redis_aof_always: no redis-server\n");
    for (int i = 0; fd >= 0 && i < 3; i++) bench_add(&redis, redis_round(r, fd, 500));
    if (fd >= 0) close(fd);
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    bench_print(&redis);
    char clean[600];
    snprintf(clean, sizeof clean, "rm -rf '%s/appendonlydir' '%s'", r->folder, path);
    CHECK(system(clean) == 0);
}

// ---- start --------------------------------------------------------------------------------------------------------

static double read_file(const char *path, int64_t *bytes) {
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    char *b = mem_alloc(1 << 20);
    int64_t t = time_mono_ns();
    *bytes = 0;
    for (ssize_t n; (n = read(fd, b, 1 << 20)) > 0;) *bytes += n;
    double seconds = bench_seconds(t);
    close(fd);
    mem_free(b);
    return seconds;
}

static void bench_start(void) {
    Rig *r = rig_new();
    Bench start = {.name = "store.start_1m", .unit = "s", .goal = 2, .less = true};
    Bench size = {.name = "store.file_bytes_1m", .unit = "bytes", .less = true};
    Bench write = {.name = "store.checkpoint_1m", .unit = "s", .less = true};
    populate(r, 1000000, true);
    int64_t t = time_mono_ns();
    checkpoint(r);
    while (store_checkpointing(r->store)) thread_sleep_ns(NS_PER_MS);
    bench_add(&write, bench_seconds(t));
    for (int i = 0; i < 5; i++) {
        rig_close(r);
        bench_add(&start, rig_open(r));
        View v = view_writer(r->w);
        CHECK(view_meta(&v, META_TWINS) == 1000000);
        CHECK(view_meta(&v, META_LINKS) == 1000000 * LINKS);
    }
    int64_t bytes;
    start.peer = "reading the file's bytes";
    start.peer_value = read_file(r->path, &bytes);
    bench_add(&size, (double)bytes);
    bench_print(&start);
    bench_print(&write);
    bench_print(&size);
    rig_free(r);
}

int main(void) {
    Rig *r = rig_new();
    populate(r, 200000, false);
    checkpoint(r);
    bench_durable(r);
    bench_latency(r, false);
    bench_latency(r, true);
    bench_redis(r);
    rig_free(r);
    bench_start();
    return 0;
}
