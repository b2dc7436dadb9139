// SPDX-License-Identifier: Apache-2.0
// Readers of forks in threads, while live and forks are told, sealed and merged, and forks come, are dropped and leave
// children behind: whoever asks sees what its world was told, each point once. A failure prints its seed.
// LABELS: threads
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "history/test_lab.h"

enum { READERS = 2, BATCHES = 1500, POINTS = 20, ROWS = 1500, PLACES = 6 };

#define LANE trail_lane(80, 0)
#define TIME0 INT64_C(1000000)

// A place for a fork; the world of place 0 is live's.
typedef struct Place {
    pthread_rwlock_t lock; // readers of the handle; who changes the place
    History *h;            // NULL: nothing there
    uint64_t world, fork_seq;
    uint64_t worlds[BATCHES + 1]; // by sequence: in which world a batch was told
    _Atomic uint64_t told;
} Place;

typedef struct Crowd {
    HistoryLab lab;
    Place places[PLACES];
    _Atomic bool stop;
    _Atomic int64_t looks;
} Crowd;

typedef struct Reader {
    Crowd *x;
    Rng rng;
    const Place *place;
    uint64_t row, seq, told;
} Reader;

static bool sets(uint64_t seq, uint64_t row) {
    for (uint64_t k = 0; k < POINTS; k++)
        if ((7 * seq + 13 * k) % ROWS == row) return true;
    return false;
}

static uint64_t value_of(uint64_t seq, uint64_t world) { return world << 32 | seq; }

// ---- telling ------------------------------------------------------------------------------------------------------

static void tell(Place *p) {
    uint64_t seq = atomic_load(&p->told) + 1;
    Buf trail = {0};
    for (uint64_t k = 0; k < POINTS; k++) {
        const TrailPoint t = {.kind = TRAIL_PUT,
                              .cell = CELL_I64,
                              .vec = 80,
                              .row = (7 * seq + 13 * k) % ROWS,
                              .bits = value_of(seq, p->world)};
        trail_put(&trail, &t);
    }
    while (!history_room(p->h)) history_wait_room(p->h);
    p->worlds[seq] = p->world;
    history_add(p->h, seq, TIME0 + (int64_t)seq * 1000, STR("crowd"), &trail);
    atomic_store(&p->told, seq);
}

static void come(Crowd *x, Place *p, const Place *from, uint64_t world) {
    uint64_t seq = atomic_load(&from->told);
    const HistoryFork ask = {
        .parent = from->h, .world = world, .fork_seq = seq, .fork_time = TIME0 + (int64_t)seq * 1000};
    store_world_put(x->lab.store, world, STR("a fork"));
    history_lab_submitted(&x->lab);
    pthread_rwlock_wrlock(&p->lock);
    CHECK(history_fork(&ask, &p->h) == ERR_OK);
    p->world = world;
    p->fork_seq = seq;
    memcpy(p->worlds, from->worlds, sizeof p->worlds);
    atomic_store(&p->told, seq);
    pthread_rwlock_unlock(&p->lock);
}

static bool lies_over(const History *h, const History *what) {
    while (h && h->parent != what) h = h->parent;
    return h != NULL;
}

// Its children, if there are any, go on reading what they had of it: its row stays.
static void leave(Crowd *x, Place *p) {
    bool children = false;
    for (int i = 1; i < PLACES; i++) children |= lies_over(x->places[i].h, p->h);
    pthread_rwlock_wrlock(&p->lock);
    history_close(p->h);
    p->h = NULL;
    pthread_rwlock_unlock(&p->lock);
    if (children) return;
    store_world_del(x->lab.store, p->world);
    history_lab_submitted(&x->lab);
}

// ---- reading ------------------------------------------------------------------------------------------------------

static bool next_point(void *ctx, const HistoryPoint *p) {
    Reader *r = ctx;
    do r->seq++;
    while (!sets(r->seq, r->row));
    CHECK(p->seq == r->seq);
    if (r->seq > r->told) return false; // told meanwhile
    CHECK(p->bits == value_of(p->seq, r->place->worlds[p->seq]));
    return true;
}

static void look_series(Reader *r) {
    History *h = r->place->h;
    r->row = rng_below(&r->rng, ROWS);
    r->seq = 0;
    const HistorySeries s = {.lane = LANE, .row = r->row, .from = INT64_MIN, .to = INT64_MAX};
    CHECK(history_series(h, &s, next_point, r) == ERR_OK);
    for (uint64_t seq = r->seq + 1; seq <= r->told; seq++) CHECK(!sets(seq, r->row));
}

static void look_last(Reader *r) {
    uint64_t rows[8], at = 1 + rng_below(&r->rng, r->told);
    HistoryPoint out[8];
    Arena keep;
    arena_init(&keep, 0);
    for (int i = 0; i < 8; i++) rows[i] = rng_below(&r->rng, ROWS);
    CHECK(history_last(r->place->h, LANE, rows, 8, TIME0 + (int64_t)at * 1000, &keep, out) == ERR_OK);
    for (int i = 0; i < 8; i++) {
        uint64_t seq = at;
        while (seq && !sets(seq, rows[i])) seq--;
        CHECK(out[i].seq == seq);
        if (seq) CHECK(out[i].bits == value_of(seq, r->place->worlds[seq]));
    }
    arena_free(&keep);
}

static void look_states(Reader *r) {
    History *h = r->place->h;
    uint64_t at = 1 + rng_below(&r->rng, r->told), seq = 0;
    int64_t time = 0;
    HistoryDesk *d = history_desk_take(h);
    HState *states = NEW(&d->arena, HState, 64);
    uint32_t first = (uint32_t)rng_below(&r->rng, 15) * 64;
    CHECK(history_states(h, d, LANE, 0, TIME0 + (int64_t)at * 1000, first, first + 63, states) == ERR_OK);
    for (uint32_t i = 0; i < 64; i++) {
        uint64_t last = at;
        while (last && !sets(last, first + i)) last--;
        CHECK(states[i].valid == (last > 0));
        CHECK(states[i].bits == (last ? value_of(last, r->place->worlds[last]) : 0));
    }
    history_desk_give(h, d);
    CHECK(history_seq_at(h, TIME0 + (int64_t)at * 1000 + 5, &seq, &time) == ERR_OK);
    CHECK(seq == at);
}

static void look(Reader *r, Place *p) {
    r->place = p;
    r->told = atomic_load(&p->told);
    history_wait(p->h, r->told);
    if (!r->told) return;
    switch (rng_below(&r->rng, 3)) {
    case 0: look_series(r); break;
    case 1: look_last(r); break;
    default: look_states(r);
    }
    atomic_fetch_add(&r->x->looks, 1);
}

static void *read_on(void *arg) {
    Reader *r = arg;
    while (!atomic_load(&r->x->stop)) {
        Place *p = &r->x->places[rng_below(&r->rng, PLACES)];
        pthread_rwlock_rdlock(&p->lock);
        if (p->h) look(r, p);
        pthread_rwlock_unlock(&p->lock);
    }
    return NULL;
}

// ---- all of it ----------------------------------------------------------------------------------------------------

static void turn(Crowd *x, Rng *rng, uint64_t n) {
    Place *p = &x->places[rng_below(rng, PLACES)];
    if (!p->h) {
        Place *from = &x->places[rng_below(rng, PLACES)];
        come(x, p, from->h ? from : &x->places[0], n);
    }
    if (atomic_load(&p->told) < BATCHES) tell(p);
    uint64_t dice = rng_below(rng, 60);
    if (dice < 8) history_seal(p->h, atomic_load(&p->told));
    if (dice == 8 && p != x->places) leave(x, p);
    if (dice < 20) thread_sleep_ns(100000);
}

static void crowd_open(Crowd *x, uint64_t seed) {
    history_lab_init(&x->lab, seed, STR("crowd.sosia"), "crowd");
    x->lab.open.head_bytes_max = 40000;
    x->lab.open.cache_bytes_max = 20000;
    x->lab.open.queue_bytes_max = 50000;
    x->lab.threads = true;
    assert_int_equal(history_lab_open(&x->lab), ERR_OK);
    for (int i = 0; i < PLACES; i++) pthread_rwlock_init(&x->places[i].lock, NULL);
    x->places[0].h = x->lab.h;
}

static void crowd_close(Crowd *x) {
    for (int i = 0; i < PLACES; i++) {
        if (i) history_close(x->places[i].h);
        pthread_rwlock_destroy(&x->places[i].lock);
    }
    history_lab_close(&x->lab);
    history_lab_free(&x->lab);
}

static void readers_of_forks_see_each_point_once(void **state) {
    (void)state;
    const char *v = getenv("SOSIA_SEED");
    uint64_t seed = v ? strtoull(v, NULL, 10) : 1;
    Rng rng = rng_make(seed, 99);
    TestVfs *disk = test_vfs_new("crowd");
    Crowd *x = mem_alloc(sizeof *x);
    Reader readers[READERS];
    Thread threads[READERS] = {0};
    crowd_open(x, seed);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (Reader){.x = x, .rng = rng_make(seed, (uint64_t)i)};
        assert_int_equal(thread_start(&threads[i], "reader", read_on, &readers[i]), ERR_OK);
    }
    for (uint64_t n = 1; n <= BATCHES || atomic_load(&x->looks) < 300; n++) turn(x, &rng, n);
    atomic_store(&x->stop, true);
    for (int i = 0; i < READERS; i++) thread_join(&threads[i]);
    history_drain(x->lab.h);
    HistoryStats stats = {0};
    history_stats(x->lab.h, &stats);
    print_message("seed %llu: %lld looks, %lld sealed, %lld merged\n", (unsigned long long)seed,
                  (long long)atomic_load(&x->looks), (long long)stats.sealed_blocks, (long long)stats.merged_blocks);
    assert_true(stats.sealed_blocks > 10 && stats.merged_blocks > 10);
    crowd_close(x);
    mem_free(x);
    test_vfs_free(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(readers_of_forks_see_each_point_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
