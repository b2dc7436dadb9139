// SPDX-License-Identifier: Apache-2.0
// Blocks and dead twins of worlds beside live's: told apart from live's by whoever asks, gone with their world, also
// when a crash came between, and left out when they come too late; a file of before has none; damage is found.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/check.h"
#include "base/mem.h"
#include "codec/hblock.h"
#include "store/store_inner.h"

enum { RING = 8192, PAGES = 5, BLOCKS = 20 };
#define LANE ((uint64_t)80 << 3)

typedef struct Rig {
    char dir[40], path[64];
    Domain *d;
    Store *s;
    World *live;
    HWork *work;
} Rig;

static void rig_open(Rig *r) {
    StoreOpen o = {.path = str_of(r->path)};
    r->d = domain_new();
    assert_int_equal(store_open(&o, r->d, RING, &r->s, &r->live, NULL), ERR_OK);
}

static void rig_close(Rig *r) {
    store_close(r->s);
    world_free(r->live);
    domain_free(r->d);
}

static int setup(void **state) {
    Rig *r = mem_alloc(sizeof *r);
    snprintf(r->dir, sizeof r->dir, "/tmp/sosia-worlds-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->path, sizeof r->path, "%s/s.sosia", r->dir);
    r->work = hwork_new();
    *state = r;
    return 0;
}

static int teardown(void **state) {
    Rig *r = *state;
    static const char *const ends[] = {"", "-wal", "-shm", ".lock", ".copy", ".copy.lock"};
    for (int i = 0; i < 6; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", r->path, ends[i]);
        unlink(name);
    }
    rmdir(r->dir);
    hwork_free(r->work);
    mem_free(r);
    return 0;
}

static int64_t sql(Rig *r, const char *text) {
    sqlite3 *h;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open_v2(r->path, &h, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(h, text, -1, &st, NULL), SQLITE_OK);
    int rc = sqlite3_step(st);
    assert_true(rc == SQLITE_ROW || rc == SQLITE_DONE);
    int64_t n = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    sqlite3_close(h);
    return n;
}

// One point of batch `seq` in a row of a page, as a block.
static void put_block(Rig *r, uint64_t world, uint64_t page, uint64_t seq) {
    Buf bytes = {0};
    const HBatch batch = {.seq = seq, .time = (int64_t)seq * 1000};
    const HPoint point = {.row = 7, .kind = HPOINT_PUT, .bits = seq};
    const Str nobody = {0};
    const HBlockIn in = {HCELL_I64, &batch, 1, &nobody, 1, &point, 1, NULL, 0};
    hblock_encode(r->work, &in, &bytes);
    StoreHistory row = {.lane = store_lane(world, LANE),
                        .page = page,
                        .first = seq,
                        .last = seq,
                        .t0 = batch.time,
                        .t1 = batch.time,
                        .s0 = batch.time,
                        .s1 = batch.time,
                        .points = 1,
                        .bytes = buf_str(&bytes)};
    const StoreDead dead = {.twin = 1024 + seq, .name = STR("pump"), .time = batch.time, .world = world};
    const StoreHistoryPut put = {.rows = &row, .row_count = 1, .dead = &dead, .dead_count = page == 0};
    assert_int_equal(store_history_put(r->s, &put, NULL, NULL), ERR_OK);
    buf_free(&bytes);
}

static void fill(Rig *r, uint64_t worlds) {
    for (uint64_t w = 1; w <= worlds; w++) store_world_put(r->s, w, STR("a fork"));
    store_drain(r->s);
    for (uint64_t w = 0; w <= worlds; w++)
        for (uint64_t seq = 1; seq <= BLOCKS; seq++)
            for (uint64_t page = 0; page < PAGES; page++) put_block(r, w, page, 10 * w + seq);
    store_drain(r->s);
}

// ---- who sees what ------------------------------------------------------------------------------------------------

typedef struct Seen {
    int64_t rows, points;
    uint64_t lanes, last, world;
} Seen;

static bool see_row(void *ctx, const StoreHistory *h) {
    Seen *s = ctx;
    assert_int_equal(store_lane_world(h->lane), s->world);
    assert_int_equal(store_lane_own(h->lane), LANE);
    s->rows++;
    return true;
}

static bool see_lane(void *ctx, const StoreLane *l) {
    Seen *s = ctx;
    assert_int_equal(l->lane, LANE);
    s->lanes++;
    s->points += l->points;
    return true;
}

static void see_end(void *ctx, uint64_t lane, uint64_t page, uint64_t last) {
    Seen *s = ctx;
    assert_int_equal(lane, LANE);
    assert_int_equal(page, s->lanes++);
    s->last = last;
}

static bool see_dead(void *ctx, const StoreDead *d) {
    Seen *s = ctx;
    assert_int_equal(d->world, s->world);
    assert_int_equal(d->twin, 1024 + (uint64_t)d->time / 1000);
    s->rows++;
    return true;
}

static StoreLane sum_of(Rig *r, uint64_t world) {
    StoreReader *reader;
    StoreLane sum;
    assert_int_equal(store_reader_begin(r->s, &reader), ERR_OK);
    assert_int_equal(store_history_sum(reader, world, &sum), ERR_OK);
    store_reader_end(reader);
    return sum;
}

static void look(Rig *r, uint64_t world) {
    StoreReader *reader;
    Seen rows = {.world = world}, lanes = {0}, ends = {0}, dead = {.world = world};
    uint64_t pages = 0;
    const StoreHistoryAsk ask = {.lane = store_lane(world, LANE), .page = 2, .from = INT64_MIN, .to = INT64_MAX};
    assert_int_equal(store_reader_begin(r->s, &reader), ERR_OK);
    assert_int_equal(store_history_world(reader, world, see_row, &rows), ERR_OK);
    assert_int_equal(rows.rows, BLOCKS * PAGES);
    assert_int_equal(store_history_rows(reader, &ask, see_row, &rows), ERR_OK);
    assert_int_equal(rows.rows, BLOCKS * PAGES + BLOCKS);
    assert_int_equal(store_history_lanes(reader, see_lane, &lanes), ERR_OK);
    assert_int_equal(lanes.lanes, 1); // live's alone
    assert_int_equal(lanes.points, BLOCKS * PAGES);
    assert_int_equal(store_history_pages(reader, ask.lane, &pages), ERR_OK);
    assert_int_equal(pages, PAGES);
    assert_int_equal(store_history_dead(reader, world, STR("pump"), see_dead, &dead), ERR_OK);
    assert_int_equal(dead.rows, BLOCKS);
    if (world) assert_int_equal(store_history_ends(reader, world, see_end, &ends), ERR_OK);
    if (world) assert_int_equal(ends.last, 10 * world + BLOCKS);
    store_reader_end(reader);
}

static void told_apart(void **state) {
    Rig *r = *state;
    rig_open(r);
    fill(r, 3);
    for (int round = 0; round < 2; round++) {
        for (uint64_t w = 0; w <= 3; w++) look(r, w);
        assert_int_equal(sum_of(r, 2).points, BLOCKS * PAGES);
        assert_int_equal(sum_of(r, 0).points, 3 * BLOCKS * PAGES);
        rig_close(r);
        rig_open(r);
    }
    rig_close(r);
}

// ---- gone with their world ----------------------------------------------------------------------------------------

static void gone_with_their_world(void **state) {
    Rig *r = *state;
    rig_open(r);
    fill(r, 3);
    store_world_del(r->s, 2);
    store_drain(r->s);
    assert_int_equal(sum_of(r, 2).rows, 0);
    put_block(r, 2, 0, 70); // it was on its way
    put_block(r, 9, 0, 70); // never was
    store_drain(r->s);
    assert_int_equal(sum_of(r, 2).rows, 0);
    assert_int_equal(sum_of(r, 9).rows, 0);
    rig_close(r);
    assert_int_equal(sql(r, "SELECT count(*) FROM dead WHERE id >> 36 IN (2, 9)"), 0);
    assert_int_equal(sql(r, "SELECT count(*) FROM dead WHERE id >> 36 = 3"), BLOCKS);
    rig_open(r);
    for (uint64_t w = 0; w <= 3; w++)
        if (w != 2) look(r, w);
    rig_close(r);
}

// The row of the world is gone, and the process died before anything else went.
static void gone_after_a_crash(void **state) {
    Rig *r = *state;
    rig_open(r);
    fill(r, 3);
    rig_close(r);
    sql(r, "DELETE FROM world WHERE id IN (1, 3)");
    rig_open(r);
    store_drain(r->s);
    assert_int_equal(sum_of(r, 1).rows, 0);
    assert_int_equal(sum_of(r, 3).rows, 0);
    look(r, 2);
    look(r, 0);
    rig_close(r);
    assert_int_equal(sql(r, "SELECT count(*) FROM dead WHERE id >> 36 IN (1, 3)"), 0);
}

// ---- whole files --------------------------------------------------------------------------------------------------

static void no_finding(void *ctx, Str where, Str what) {
    fail_msg("%.*s: %.*s%s", STR_ARG(where), STR_ARG(what), ctx ? "" : "!");
}

static void count_finding(void *ctx, Str where, Str what) {
    (void)where, (void)what;
    ++*(int *)ctx;
}

static void checked_and_copied(void **state) {
    Rig *r = *state;
    Buf why = {0};
    char copy[80];
    int findings = 0;
    snprintf(copy, sizeof copy, "%s.copy", r->path);
    rig_open(r);
    fill(r, 2);
    assert_int_equal(store_backup(str_of(r->path), str_of(copy), NULL, NULL, &why), ERR_OK);
    rig_close(r);
    StoreCheck c = {.ctx = r, .finding = no_finding};
    assert_int_equal(store_check(str_of(copy), &c, &why), ERR_OK);
    assert_int_equal(c.blocks, 3 * BLOCKS * PAGES);
    sql(r, "UPDATE history SET bytes = zeroblob(length(bytes)) WHERE lane >> 35 = 2 AND page = 3 AND first = 25");
    c = (StoreCheck){.ctx = &findings, .finding = count_finding};
    assert_int_equal(store_check(str_of(r->path), &c, &why), ERR_OK);
    assert_int_equal(findings, 1);
    buf_free(&why);
}

// Live's roots and what recovery leaves out know nothing of sequences of other worlds.
static void live_does_not_mind(void **state) {
    Rig *r = *state;
    rig_open(r);
    fill(r, 1);
    assert_int_equal(r->s->ahead.count, BLOCKS); // live's blocks alone: no root says that they are behind it
    rig_close(r);
    rig_open(r);
    assert_int_equal(r->s->ahead.count, BLOCKS);
    rig_close(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(gone_with_their_world, setup, teardown),
        cmocka_unit_test_setup_teardown(gone_after_a_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(checked_and_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(live_does_not_mind, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
