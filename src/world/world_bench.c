// SPDX-License-Identifier: Apache-2.0
// The world floor by itself: forks, first writes, resolved and named updates, readers beside the writer, memory.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "world/world.h"

enum { PROPERTIES = 5, LINKS = 3, BATCH = 1000, ROUNDS = 9, RING = 1 << 18 };

static const char model[] =
    "[{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"dtmi:bench:Meter;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"a\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"b\",\"schema\":"
    "\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"c\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"d\",\"schema\":"
    "\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"e\",\"schema\":\"long\"},{\"@type\":\"Relationship\",\"name\":\"feeds\"}]}]";

typedef struct City {
    Domain *domain;
    World *w;
    int64_t count;
    uint64_t *ids;
    uint32_t first; // column
} City;

static void begin(World *w) { world_begin(w, world_seq(w) + 1, world_next_time(w, 0)); }

static void finish(World *w) {
    world_end(w);
    world_settle(w, world_seq(w));
}

static void must(Err e) { CHECK(e == ERR_OK); }

static Change value(const City *c, int64_t twin, uint32_t property, double v) {
    bool whole = property == PROPERTIES - 1;
    return (Change){
        .kind = CHANGE_SET,
        .cell = whole ? CELL_I64 : CELL_F64,
        .id = c->ids[twin],
        .col = c->first + property,
        .bits = whole ? (uint64_t)(int64_t)v : bits_of(v),
    };
}

static void name_of(char *out, size_t room, int64_t i, bool guid) {
    snprintf(out, room, guid ? "%08llx-1d2c-4b3a-9f8e-%012llx" : "twin%08llu", (unsigned long long)i,
             (unsigned long long)i * 7919);
}

static void add_twin(City *c, int64_t i, bool guid) {
    char name[64];
    name_of(name, sizeof name, i, guid);
    c->ids[i] = world_take_twin_id(c->w).v;
    must(world_do(c->w, &(Change){.kind = CHANGE_TWIN_NEW, .id = c->ids[i], .text = str_of(name)}));
    for (uint32_t p = 0; p < PROPERTIES; p++) {
        Change set = value(c, i, p, (double)i + 0.5);
        must(world_do(c->w, &set));
    }
}

static void add_links(City *c, int64_t i, bool guid, Rng *rng) {
    char rid[64];
    for (int k = 0; k < LINKS; k++) {
        name_of(rid, sizeof rid, i * LINKS + k, guid);
        if (!guid) memcpy(rid, "link", 4);
        uint64_t to = c->ids[rng_below(rng, (uint64_t)c->count)];
        must(world_do(c->w, &(Change){.kind = CHANGE_LINK_NEW,
                                      .id = world_take_link_id(c->w).v,
                                      .other = c->ids[i],
                                      .target = to,
                                      .text = str_of(rid)}));
    }
}

static City city_new(int64_t count, bool links, bool guid) {
    City c = {.domain = domain_new(), .count = count, .ids = mem_alloc((size_t)count * sizeof(uint64_t))};
    Rng rng = rng_make(1, 0);
    c.w = world_new(c.domain, RING);
    begin(c.w);
    must(world_do(c.w, &(Change){.kind = CHANGE_MODELS_ADD, .text = str_of(model)}));
    finish(c.w);
    View v = view_writer(c.w);
    c.first = v.catalog->tables[0].first;
    for (int64_t i = 0; i < count; i += BATCH) {
        begin(c.w);
        for (int64_t k = i; k < i + BATCH && k < count; k++) add_twin(&c, k, guid);
        finish(c.w);
    }
    for (int64_t i = 0; links && i < count; i += BATCH) {
        begin(c.w);
        for (int64_t k = i; k < i + BATCH && k < count; k++) add_links(&c, k, guid, &rng);
        finish(c.w);
    }
    return c;
}

static void city_free(City *c) {
    world_free(c->w);
    domain_free(c->domain);
    mem_free(c->ids);
}

static int64_t resident(void) {
    long pages = 0, skip;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0;
    if (fscanf(f, "%ld %ld", &skip, &pages) != 2) pages = 0;
    fclose(f);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

// ---- memory ----

// In a process of its own: a heap that was used before would hide part of the growth.
static void bench_memory(bool guid) {
    pid_t child = fork();
    if (child > 0) waitpid(child, NULL, 0);
    if (child != 0) return;
    int64_t before = resident();
    City c = city_new(1000000, true, guid);
    Bench b = {.name = guid ? "world.bytes_per_twin_guid" : "world.bytes_per_twin", .unit = "bytes", .less = true};
    b.goal = guid ? 560 : 480;
    b.peer = "the bare arrays: 5 values, 5 times, ids and ends of links";
    b.peer_value = 5 * 16 + (guid ? 36 : 12) + LINKS * ((guid ? 36 : 12) + 16);
    bench_add(&b, (double)(resident() - before - 8 * c.count) / (double)c.count);
    bench_print(&b);
    _exit(0);
}

// ---- forks ----

static void bench_fork(void) {
    City c = city_new(2000000, false, false);
    Bench fork = {.name = "world.fork_2m", .unit = "us", .goal = 50, .less = true, .peer = "memcpy of the page tables"};
    Bench bytes = {.name = "world.fork_bytes", .unit = "bytes", .goal = 1e6, .less = true};
    Bench first = {.name = "world.first_write", .unit = "us", .goal = 30, .less = true, .peer = "memcpy of the pages"};
    Rng rng = rng_make(2, 0);
    DomainStats s = domain_stats(c.domain);
    void *from = mem_alloc((size_t)s.blocks * 8), *to = mem_alloc((size_t)s.blocks * 8);
    int64_t t = time_mono_ns();
    for (int i = 0; i < 20; i++) memcpy((char *)to + i % 2, from, (size_t)s.blocks * 8 - 1);
    fork.peer_value = bench_seconds(t) / 20 * 1e6;
    char *page = mem_alloc(1 << 16), *copy = mem_alloc(1 << 16);
    t = time_mono_ns();
    for (int i = 0; i < 1000; i++) memcpy(copy + i % 2, page, 16384 + 128 + 16384), page[i] = copy[i];
    first.peer_value = bench_seconds(t) / 1000 * 1e6;
    enum { ALIVE = 1000 };
    World **alive = mem_alloc(ALIVE * sizeof *alive);
    int64_t rss = resident();
    for (int i = 0; i < ALIVE; i++) {
        t = time_mono_ns();
        alive[i] = world_fork(c.w, 0);
        if (i % 20 == 0) bench_add(&fork, bench_seconds(t) * 1e6);
        if (i % 20) continue;
        Change set = value(&c, (int64_t)rng_below(&rng, (uint64_t)c.count), 0, 1);
        begin(c.w);
        t = time_mono_ns();
        must(world_do(c.w, &set));
        bench_add(&first, bench_seconds(t) * 1e6);
        finish(c.w);
    }
    bench_add(&bytes, (double)(resident() - rss) / ALIVE);
    bench_print(&fork);
    bench_print(&bytes);
    bench_print(&first);
    for (int i = 0; i < ALIVE; i++) world_free(alive[i]);
    mem_free(alive), mem_free(from), mem_free(to), mem_free(page), mem_free(copy);
    city_free(&c);
}

// ---- updates ----

// The same random updates on bare arrays: value, time and the twin's time.
static double bare_arrays(const City *c, Rng *rng, int64_t updates) {
    double *values = mem_alloc((size_t)c->count * PROPERTIES * sizeof *values);
    int64_t *times = mem_alloc((size_t)c->count * PROPERTIES * sizeof *times);
    int64_t *touched = mem_alloc((size_t)c->count * sizeof *touched);
    int64_t t = time_mono_ns();
    for (int64_t i = 0; i < updates; i++) {
        uint64_t twin = rng_below(rng, (uint64_t)c->count), at = rng_below(rng, PROPERTIES) * (uint64_t)c->count + twin;
        values[at] = (double)i;
        times[at] = i;
        touched[twin] = i;
    }
    double rate = (double)updates / bench_seconds(t) / 1e6;
    mem_free(values), mem_free(times), mem_free(touched);
    return rate;
}

// Batches of resolved updates until `updates` are in; commits lag four batches behind, as they do with a store.
static double apply_rate(City *c, const Change *sets, int64_t total, int64_t updates) {
    int64_t t = time_mono_ns();
    for (int64_t done = 0; done < updates; done += BATCH) {
        begin(c->w);
        must(world_do_sets(c->w, sets + done % (total - BATCH + 1), BATCH, NULL));
        world_end(c->w);
        if (world_seq(c->w) > 4) world_settle(c->w, world_seq(c->w) - 4);
    }
    world_settle(c->w, world_seq(c->w));
    return (double)updates / bench_seconds(t) / 1e6;
}

typedef struct ReaderArg {
    City *c;
    _Atomic bool stop;
    _Atomic int64_t reads, overruns;
} ReaderArg;

// 1,000 short readers a second: each reads five values of twenty twins at the visible sequence.
static void *readers(void *arg) {
    ReaderArg *r = arg;
    Rng rng = rng_make(5, 0);
    for (int64_t next = time_mono_ns(); !atomic_load(&r->stop); next += NS_PER_MS) {
        View v;
        view_begin(&v, r->c->w);
        for (int i = 0; i < 20; i++) {
            TwinView t = view_twin_place(&v, (TwinId){r->c->ids[rng_below(&rng, (uint64_t)r->c->count)]});
            for (uint32_t p = 0; p < PROPERTIES; p++) (void)view_cell(&v, r->c->first + p, t.row);
        }
        atomic_fetch_add(&r->overruns, v.overrun);
        view_end(&v);
        atomic_fetch_add(&r->reads, 1);
        int64_t left = next + NS_PER_MS - time_mono_ns();
        if (left > 0) thread_sleep_ns(left);
    }
    return NULL;
}

static void bench_by_id(City *c, Rng *rng) {
    enum { NAMES = 1 << 20 };
    char(*text)[16] = mem_alloc(NAMES * sizeof *text);
    int64_t *twin = mem_alloc(NAMES * sizeof *twin);
    for (int64_t i = 0; i < NAMES; i++) {
        twin[i] = (int64_t)rng_below(rng, (uint64_t)c->count);
        name_of(text[i], sizeof text[i], twin[i], false);
    }
    Bench b = {.name = "world.apply_by_id", .unit = "M/s", .goal = 2, .peer = "the same updates by resolved handle"};
    for (int round = 0; round < ROUNDS; round++) {
        int64_t t = time_mono_ns();
        for (int64_t at = 0; at + BATCH <= NAMES; at += BATCH) {
            Str names[BATCH];
            TwinId ids[BATCH];
            Change sets[BATCH];
            for (int k = 0; k < BATCH; k++) names[k] = (Str){text[at + k], 12};
            View v = view_writer(c->w);
            view_find_twins(&v, names, BATCH, ids);
            for (int k = 0; k < BATCH; k++) {
                sets[k] = value(c, 0, (uint32_t)k % 4, (double)k + round);
                sets[k].id = ids[k].v;
            }
            begin(c->w);
            must(world_do_sets(c->w, sets, BATCH, NULL));
            finish(c->w);
        }
        bench_add(&b, NAMES / bench_seconds(t) / 1e6);
    }
    Change *resolved = mem_alloc(NAMES * sizeof *resolved);
    for (int64_t i = 0; i < NAMES; i++) resolved[i] = value(c, twin[i], (uint32_t)i % 4, (double)i);
    b.peer_value = apply_rate(c, resolved, NAMES, NAMES / BATCH * BATCH);
    bench_print(&b);
    mem_free(text), mem_free(twin), mem_free(resolved);
}

// The same updates with a trail and without, in turn.
static void bench_trail(City *c, const Change *sets, int64_t total, int64_t updates) {
    Bench b = {.name = "world.apply_with_trail", .unit = "ratio", .goal = 0.85, .peer = "ns a record"};
    double spent = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double without = apply_rate(c, sets, total, updates);
        world_keep_trail(c->w, true);
        double with = apply_rate(c, sets, total, updates);
        world_keep_trail(c->w, false);
        bench_add(&b, with / without);
        spent += (1 / with - 1 / without) * 1e3;
    }
    b.peer_value = spent / ROUNDS;
    bench_print(&b);
}

static void bench_apply(void) {
    enum { SETS = 1 << 20, UPDATES = 2000000 };
    City c = city_new(1000000, false, false);
    Rng rng = rng_make(3, 0);
    Change *sets = mem_alloc(SETS * sizeof *sets);
    for (int64_t i = 0; i < SETS; i++)
        sets[i] =
            value(&c, (int64_t)rng_below(&rng, (uint64_t)c.count), (uint32_t)rng_below(&rng, PROPERTIES), (double)i);
    Bench plain = {.name = "world.apply_resolved", .unit = "M/s", .goal = 5, .peer = "random writes to bare arrays"};
    plain.peer_value = bare_arrays(&c, &rng, UPDATES);
    Bench ratio = {
        .name = "world.apply_with_readers", .unit = "ratio", .goal = 0.8, .peer = "1,000 readers/s asked, got"};
    ReaderArg arg = {.c = &c};
    int64_t readers_ns = 0;
    for (int round = 0; round < ROUNDS; round++) {
        Thread thread = {0};
        double alone = apply_rate(&c, sets, SETS, UPDATES);
        atomic_store(&arg.stop, false);
        must(thread_start(&thread, "readers", readers, &arg));
        int64_t t = time_mono_ns();
        double beside = apply_rate(&c, sets, SETS, UPDATES);
        readers_ns += time_mono_ns() - t;
        atomic_store(&arg.stop, true);
        thread_join(&thread);
        bench_add(&plain, alone);
        bench_add(&ratio, beside / alone);
    }
    ratio.peer_value = (double)atomic_load(&arg.reads) / ((double)readers_ns / 1e9);
    fprintf(stderr, "readers: %lld, overruns: %lld\n", (long long)arg.reads, (long long)arg.overruns);
    bench_print(&plain);
    bench_trail(&c, sets, SETS, UPDATES);
    bench_by_id(&c, &rng);
    bench_print(&ratio);
    mem_free(sets);
    city_free(&c);
}

int main(void) {
    bench_memory(false);
    bench_memory(true);
    bench_fork();
    bench_apply();
    return 0;
}
