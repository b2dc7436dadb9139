// SPDX-License-Identifier: Apache-2.0
// Readers in threads while batches come, heads are sealed and blocks are merged: whoever asks sees what was told up to
// then, each point once, and past worlds stay what they were. A failure prints its seed.
// LABELS: threads
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "history/test_lab.h"

enum { READERS = 3, BATCHES = 400, POINTS = 60, ROWS = 2000 };

typedef struct Crowd {
    HistoryLab lab;
    _Atomic uint64_t told; // batches readers may ask for
    _Atomic bool stop;
    _Atomic int64_t looks;
} Crowd;

typedef struct Reader {
    Crowd *x;
    Rng rng;
    uint64_t row, seq, told, expected, count;
} Reader;

#define LANE trail_lane(80, 0)
#define TIME0 INT64_C(1000000)

// Batch `seq` sets rows (7 seq + 13 k) mod ROWS, k < POINTS, to seq.
static bool sets(uint64_t seq, uint64_t row) {
    for (uint64_t k = 0; k < POINTS; k++) {
        if ((7 * seq + 13 * k) % ROWS == row) return true;
    }
    return false;
}

static void tell(Crowd *x, uint64_t seq) {
    Buf trail = {0};
    for (uint64_t k = 0; k < POINTS; k++) {
        const TrailPoint p = {
            .kind = TRAIL_PUT, .cell = CELL_I64, .vec = 80, .row = (7 * seq + 13 * k) % ROWS, .bits = seq};
        trail_put(&trail, &p);
    }
    history_add(x->lab.h, seq, TIME0 + (int64_t)seq * 1000, STR("crowd"), &trail);
}

static bool next_point(void *ctx, const HistoryPoint *p) {
    Reader *r = ctx;
    // Every batch up to the newest told that sets the row, in order, once; newer ones may follow.
    do r->seq++;
    while (!sets(r->seq, r->row));
    CHECK(p->seq == r->seq);
    CHECK(p->bits == r->seq);
    CHECK(p->arrival == TIME0 + (int64_t)r->seq * 1000);
    r->count++;
    return true;
}

static void look_series(Reader *r) {
    History *h = r->x->lab.h;
    r->told = atomic_load(&r->x->told);
    r->row = rng_below(&r->rng, ROWS);
    r->seq = r->count = 0;
    history_wait(h, r->told);
    const HistorySeries s = {.lane = LANE, .row = r->row, .from = INT64_MIN, .to = INT64_MAX};
    CHECK(history_series(h, &s, next_point, r) == ERR_OK);
    for (uint64_t seq = r->seq + 1; seq <= r->told; seq++) CHECK(!sets(seq, r->row));
}

static void look_last(Reader *r) {
    History *h = r->x->lab.h;
    uint64_t told = atomic_load(&r->x->told), rows[8];
    HistoryPoint out[8];
    Arena keep;
    arena_init(&keep, 0);
    history_wait(h, told);
    for (int i = 0; i < 8; i++) rows[i] = rng_below(&r->rng, ROWS);
    CHECK(history_last(h, LANE, rows, 8, TIME0 + (int64_t)told * 1000, &keep, out) == ERR_OK);
    for (int i = 0; i < 8; i++) {
        uint64_t seq = told;
        while (seq && !sets(seq, rows[i])) seq--;
        CHECK(out[i].seq == seq);
    }
    arena_free(&keep);
}

static void look_states(Reader *r) {
    History *h = r->x->lab.h;
    uint64_t told = atomic_load(&r->x->told), at = told ? 1 + rng_below(&r->rng, told) : 0,
             page = rng_below(&r->rng, 2);
    uint64_t seq = 0;
    int64_t time = 0;
    if (!at) return;
    history_wait(h, told);
    HistoryDesk *d = history_desk_take(h);
    HState *states = NEW(&d->arena, HState, 64);
    uint32_t first = (uint32_t)rng_below(&r->rng, 15) * 64;
    CHECK(history_states(h, d, LANE, page, TIME0 + (int64_t)at * 1000, first, first + 63, states) == ERR_OK);
    for (uint32_t i = 0; i < 64; i++) {
        uint64_t last = at;
        while (last && !sets(last, page * 1024 + first + i)) last--;
        CHECK(states[i].valid == (last > 0));
        CHECK(states[i].bits == last);
    }
    history_desk_give(h, d);
    CHECK(history_seq_at(h, TIME0 + (int64_t)at * 1000 + 5, &seq, &time) == ERR_OK);
    CHECK(seq == at);
}

static void *read_on(void *arg) {
    Reader *r = arg;
    while (!atomic_load(&r->x->stop)) {
        switch (rng_below(&r->rng, 3)) {
        case 0: look_series(r); break;
        case 1: look_last(r); break;
        default: look_states(r);
        }
        atomic_fetch_add(&r->x->looks, 1);
    }
    return NULL;
}

static void readers_see_each_point_once(void **state) {
    (void)state;
    const char *v = getenv("SOSIA_SEED");
    uint64_t seed = v ? strtoull(v, NULL, 10) : 1;
    TestVfs *disk = test_vfs_new("crowd");
    Crowd *x = mem_alloc(sizeof *x);
    Reader readers[READERS];
    Thread threads[READERS] = {0};
    history_lab_init(&x->lab, seed, STR("crowd.sosia"), "crowd");
    x->lab.open.head_bytes_max = 20000;
    x->lab.open.cache_bytes_max = 20000;
    x->lab.open.queue_bytes_max = 50000; // readers wait for what was told before they look
    x->lab.threads = true;
    assert_int_equal(history_lab_open(&x->lab), ERR_OK);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (Reader){.x = x, .rng = rng_make(seed, (uint64_t)i)};
        assert_int_equal(thread_start(&threads[i], "reader", read_on, &readers[i]), ERR_OK);
    }
    for (uint64_t seq = 1; seq <= BATCHES || atomic_load(&x->looks) < 300; seq++) {
        while (!history_room(x->lab.h)) history_wait_room(x->lab.h);
        tell(x, seq);
        atomic_store(&x->told, seq);
        if (seq % 50 == 0) history_seal(x->lab.h, seq);
        if (seq % 3 == 0) thread_sleep_ns(200000);
    }
    atomic_store(&x->stop, true);
    for (int i = 0; i < READERS; i++) thread_join(&threads[i]);
    history_drain(x->lab.h);
    HistoryStats stats = {0};
    history_stats(x->lab.h, &stats);
    print_message("%lld looks, %lld sealed, %lld merged\n", (long long)atomic_load(&x->looks),
                  (long long)stats.sealed_blocks, (long long)stats.merged_blocks);
    assert_true(stats.sealed_blocks > 10);
    history_lab_close(&x->lab);
    history_lab_free(&x->lab);
    mem_free(x);
    test_vfs_free(disk);
}

// One value of each of many series spread over more pages than there is room for: points in memory stay within their
// bound and that of the queue, whoever is faster.
static void heads_of_many_series_stay_in_bounds(void **state) {
    (void)state;
    enum { LANES = 4, PAGES = 300, EACH = 2000, ROUNDS = 120, HEADS = 1 << 20, QUEUE = 1 << 18 };
    TestVfs *disk = test_vfs_new("many");
    HistoryLab *l = mem_alloc(sizeof *l);
    HistoryStats stats = {0};
    int64_t most = 0;
    history_lab_init(l, 1, STR("many.sosia"), "many");
    l->open.head_bytes_max = HEADS;
    l->open.queue_bytes_max = QUEUE;
    l->threads = true;
    assert_int_equal(history_lab_open(l), ERR_OK);
    for (uint64_t seq = 1, at = 0; seq <= ROUNDS; seq++) {
        Buf trail = {0};
        for (int i = 0; i < EACH; i++, at++) {
            const TrailPoint p = {.kind = TRAIL_PUT,
                                  .cell = CELL_I64,
                                  .vec = 80 + (uint32_t)(at % LANES),
                                  .row = at * 7919 % (PAGES * 1024),
                                  .bits = at};
            trail_put(&trail, &p);
        }
        while (!history_room(l->h)) history_wait_room(l->h); // as the writer does
        history_add(l->h, seq, TIME0 + (int64_t)seq * 1000, STR("many"), &trail);
        history_stats(l->h, &stats);
        if (stats.head_bytes > most) most = stats.head_bytes;
    }
    print_message("%lld bytes in heads at most, %lld blocks\n", (long long)most, (long long)stats.sealed_blocks);
    assert_true(most > HEADS / 2);  // the bound was felt
    assert_true(most <= 4 * HEADS); // a point of a page of its own takes more there than in the queue
    history_drain(l->h);
    history_stats(l->h, &stats);
    assert_true(stats.head_bytes <= HEADS);
    assert_true(stats.sealed_blocks > LANES * PAGES);
    history_lab_close(l);
    history_lab_free(l);
    mem_free(l);
    test_vfs_free(disk);
}

// Texts of rows on many pages: half of them is looked at by a thread of its own. Batch `seq` sets the rows of every
// seq-th page.
static void last_values_of_many_pages(void **state) {
    (void)state;
    enum { PAGES = 90, EACH = 5, BATCHES_OF_TEXT = 6, N = PAGES * EACH };
    TestVfs *disk = test_vfs_new("pages");
    HistoryLab *l = mem_alloc(sizeof *l);
    history_lab_init(l, 1, STR("pages.sosia"), "pages");
    l->threads = true;
    assert_int_equal(history_lab_open(l), ERR_OK);
    for (uint64_t seq = 1; seq <= BATCHES_OF_TEXT; seq++) {
        Buf trail = {0};
        for (uint64_t i = 0; i < N; i++) {
            char text[40];
            if (i / EACH % seq != 0) continue;
            snprintf(text, sizeof text, "row %llu of batch %llu", (unsigned long long)i, (unsigned long long)seq);
            const TrailPoint p = {.kind = TRAIL_PUT,
                                  .cell = CELL_STR,
                                  .vec = 80,
                                  .row = i / EACH * 1024 + i % EACH * 100,
                                  .text = str_of(text)};
            trail_put(&trail, &p);
        }
        history_add(l->h, seq, TIME0 + (int64_t)seq * 1000, STR("pages"), &trail);
        if (seq == 3) history_drain(l->h);
    }
    history_wait(l->h, BATCHES_OF_TEXT);
    uint64_t rows[N];
    HistoryPoint out[N];
    for (uint64_t i = 0; i < N; i++) rows[(i * 7) % N] = i / EACH * 1024 + i % EACH * 100; // in no order
    for (uint64_t at = 0; at <= BATCHES_OF_TEXT; at++) {
        Arena keep;
        arena_init(&keep, 0);
        assert_int_equal(history_last(l->h, LANE, rows, N, TIME0 + (int64_t)at * 1000, &keep, out), ERR_OK);
        for (uint64_t i = 0; i < N; i++) {
            char want[40];
            uint64_t page = rows[i] / 1024, seq = at;
            while (seq && page % seq != 0) seq--;
            assert_int_equal(out[i].seq, seq);
            snprintf(want, sizeof want, "row %llu of batch %llu",
                     (unsigned long long)(page * EACH + rows[i] % 1024 / 100), (unsigned long long)seq);
            if (seq) assert_true(str_eq(out[i].text, str_of(want)) && str_eq(out[i].source, STR("pages")));
            else assert_int_equal(out[i].kind, 0);
        }
        arena_free(&keep);
    }
    history_lab_close(l);
    history_lab_free(l);
    mem_free(l);
    test_vfs_free(disk);
}

// A world that lives, with a thread of history of its own.
static void a_life_with_threads(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        TestVfs *disk = test_vfs_new("alive");
        HistoryLab *l = mem_alloc(sizeof *l);
        history_lab_init(l, seed, STR("alive.sosia"), "alive");
        l->threads = true;
        l->open.head_bytes_max = seed == 1 ? 50000 : 0;
        for (int lives = 0; lives < 3; lives++) {
            assert_int_equal(history_lab_open(l), ERR_OK);
            for (int i = 0; i < 60; i++) {
                assert_int_equal(history_lab_write(l, 20), ERR_OK);
                if (i % 9 == 0) history_lab_moment(l);
                if (i % 25 == 7) history_lab_checkpoint(l);
                if (i % 20 == 3) history_lab_check(l, 2);
            }
            if (lives == 1) history_lab_rest(l);
            history_lab_check_all(l);
            history_lab_close(l);
        }
        history_lab_free(l);
        mem_free(l);
        test_vfs_free(disk);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_each_point_once),
        cmocka_unit_test(heads_of_many_series_stay_in_bounds),
        cmocka_unit_test(last_values_of_many_pages),
        cmocka_unit_test(a_life_with_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
