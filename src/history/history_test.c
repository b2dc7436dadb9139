// SPDX-License-Identifier: Apache-2.0
// History over random worlds by seed: what was ever told is there, once, as it was told; past worlds are what the world
// was; through sealing at any moment, tiny bounds, restarts, failing disks and power cuts.
//
//   SOSIA_SEED=n  the first seed        SOSIA_HISTORY_SEEDS=n  how many
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "history/test_lab.h"

#define VFS "history"

static uint64_t env(const char *name, uint64_t otherwise) {
    const char *v = getenv(name);
    return v ? strtoull(v, NULL, 10) : otherwise;
}

static uint64_t below(HistoryLab *l, uint64_t n) { return rng_below(&l->rng, n); }

static void bounds(HistoryLab *l) {
    static const int64_t heads[] = {0, 4096, 30000, 200000};
    l->open.head_bytes_max = heads[l->seed % 4];
    l->open.cache_bytes_max = l->seed % 3 ? 0 : 5000;
}

// A life between two openings: batches, turns of the work in the background, checkpoints, looks.
static void live(HistoryLab *l, int batches) {
    for (int i = 0; i < batches; i++) {
        assert_int_equal(history_lab_write(l, 1 + (int64_t)below(l, 30)), ERR_OK);
        for (uint64_t turns = below(l, 3); turns > 0; turns--) history_lab_turn(l);
        if (below(l, 6) == 0) history_lab_moment(l);
        if (below(l, 25) == 0) history_lab_checkpoint(l);
        if (below(l, 20) == 0) history_lab_check(l, 2);
    }
}

static void what_was_told_is_there(void **state) {
    (void)state;
    uint64_t first = env("SOSIA_SEED", 1), n = env("SOSIA_HISTORY_SEEDS", 2);
    for (uint64_t seed = first; seed < first + n; seed++) {
        HistoryLab l;
        TestVfs *disk = test_vfs_new(VFS);
        history_lab_init(&l, seed, STR("plant.sosia"), VFS);
        bounds(&l);
        for (int lives = 0; lives < 4; lives++) {
            assert_int_equal(history_lab_open(&l), ERR_OK);
            history_lab_check(&l, 4);
            live(&l, 60);
            if (lives == 2) history_lab_rest(&l);
            history_lab_check_all(&l);
            history_lab_close(&l);
        }
        history_lab_free(&l);
        test_vfs_free(disk);
    }
}

// ---- every kind of value ------------------------------------------------------------------------------------------

static uint64_t nasty(HistoryLab *l) {
    static const uint64_t list[] = {0,
                                    0x8000000000000000, // -0.0
                                    0x7ff0000000000000, // inf
                                    0x7ff8000000000000, // NaN
                                    0xfff800000000dead,
                                    0x7ff0000000000001, // signalling
                                    1,
                                    0x3fb999999999999a,
                                    0x40590000};
    return below(l, 3) ? list[below(l, sizeof list / sizeof *list)] : rng_u64(&l->rng) >> below(l, 64);
}

static Str text(HistoryLab *l) {
    static char room[40000];
    int n = (int)below(l, below(l, 20) ? 30 : sizeof room);
    memset(room, 'a' + (int)below(l, 26), (size_t)n);
    return (Str){room, n};
}

enum { F64_VEC = 70, STR_VEC, DOC_VEC, BOOL_VEC, I64_VEC, MARK_VEC };

static TrailPoint draw_point(HistoryLab *l, int64_t time) {
    static const uint8_t cells[] = {CELL_F64, CELL_STR, CELL_DOC, CELL_BOOL, CELL_I64, CELL_OBJECT};
    static const uint64_t rows[] = {0, 1, 1023, 1024, 5000, (uint64_t)1 << 35};
    TrailPoint p = {.row = rows[below(l, 6)] + below(l, 2), .kind = TRAIL_TELEMETRY, .vec = TRAIL_TELEMETRY_VEC + 3};
    uint64_t dice = below(l, 20);
    if (below(l, 2)) p.source_time = time - (int64_t)below(l, 4000);
    if (dice == 0) {
        p.text = text(l);
        return p;
    }
    p.source_time = dice > 3 ? p.source_time : 0;
    if (dice < 4) {
        p.vec = VECNO_LINK;
        p.word = dice == 1 ? 2 : 5;
        p.kind = dice == 1 ? TRAIL_TEXT : TRAIL_WORD;
        if (dice == 1) p.text = text(l);
        else p.bits = nasty(l);
        return p;
    }
    uint64_t which = below(l, 6);
    static const uint8_t kinds[] = {TRAIL_PUT,    TRAIL_PUT,   TRAIL_PUT, TRAIL_CLEAR,
                                    TRAIL_SOURCE, TRAIL_MOVED, TRAIL_LATE};
    p.vec = F64_VEC + (uint32_t)which;
    p.kind = kinds[below(l, 7)];
    if (p.kind == TRAIL_CLEAR) p.source_time = 0;
    if (p.kind == TRAIL_CLEAR || p.kind == TRAIL_SOURCE) return p;
    p.cell = cells[which];
    if (p.kind == TRAIL_MOVED) p.update_time = time - (int64_t)below(l, 100000);
    if (which == 1 || which == 2) p.text = text(l);
    else p.bits = which == 3 || which == 5 ? below(l, 2) : nasty(l);
    return p;
}

static void every_kind_of_value(void **state) {
    (void)state;
    uint64_t first = env("SOSIA_SEED", 1), n = env("SOSIA_HISTORY_SEEDS", 3);
    for (uint64_t seed = first; seed < first + n; seed++) {
        HistoryLab l;
        TestVfs *disk = test_vfs_new(VFS);
        history_lab_init(&l, seed, STR("values.sosia"), VFS);
        bounds(&l);
        assert_int_equal(history_lab_open(&l), ERR_OK);
        for (uint64_t seq = 1; seq < 200; seq++) {
            Buf trail = {0};
            char name[40];
            int64_t time = 1000000 + (int64_t)seq * 1000;
            for (uint64_t k = below(&l, 40); k > 0; k--) {
                TrailPoint p = draw_point(&l, time);
                trail_put(&trail, &p);
            }
            // A few sources, or so many that they are not numbered any more.
            int size = snprintf(name, sizeof name, "source %llu", (unsigned long long)(seed % 2 ? seq : seq % 3));
            for (int k = 0; k < 50 && seed % 2; k++) {
                char more[40];
                int m = snprintf(more, sizeof more, "%llu/%d", (unsigned long long)seq, k);
                history_source(l.h, (Str){more, m});
            }
            history_lab_tell(&l, seq, time, (Str){name, seq % 7 ? size : 0}, &trail);
            if (below(&l, 3) == 0) history_lab_turn(&l);
            if (below(&l, 30) == 0) history_seal(l.h, seq);
            if (below(&l, 40) == 0) history_lab_check(&l, 10);
        }
        history_lab_check_all(&l);
        history_seal(l.h, 199);
        history_lab_rest(&l);
        history_lab_check_all(&l);
        history_lab_close(&l);
        history_lab_free(&l);
        test_vfs_free(disk);
    }
}

static void tell_pages(HistoryLab *l, uint64_t seq) {
    Buf trail = {0};
    int64_t time = 1000000 + (int64_t)seq * 1000;
    for (uint64_t page = 0; page < 40; page++) {
        TrailPoint p = {.kind = TRAIL_PUT, .cell = CELL_F64, .vec = F64_VEC, .row = page * 1024 + below(l, 1024)};
        p.bits = nasty(l);
        p.source_time = time;
        trail_put(&trail, &p);
    }
    history_lab_tell(l, seq, time, STR("s"), &trail);
}

static int64_t seal_ns(HistoryLab *l) {
    HistoryStats s;
    history_stats(l->h, &s);
    return s.seal_ns;
}

// While somebody waits for what is in the queue, sealing is put off for some turns, but not for ever.
static void who_waits_goes_first(void **state) {
    (void)state;
    HistoryLab l;
    TestVfs *disk = test_vfs_new(VFS);
    history_lab_init(&l, 1, STR("hurry.sosia"), VFS);
    assert_int_equal(history_lab_open(&l), ERR_OK);
    uint64_t seq = 0;
    while (seq < 10) tell_pages(&l, ++seq);
    while (atomic_load(&l.h->taken) < seq) history_step(l.h);
    int64_t before = seal_ns(&l);
    while (seq < 1000) tell_pages(&l, ++seq);
    history_seal(l.h, 10);
    atomic_store(&l.h->waiting, 1);
    int turns = 0;
    for (; seal_ns(&l) == before && turns < 100; turns++) {
        uint64_t taken = atomic_load(&l.h->taken);
        assert_true(history_step(l.h));
        assert_true(atomic_load(&l.h->taken) > taken);
    }
    assert_int_equal(turns, 5);
    atomic_store(&l.h->waiting, 0);
    while (atomic_load(&l.h->taken) < seq) history_step(l.h);
    history_lab_check_all(&l);
    history_lab_close(&l);
    history_lab_free(&l);
    test_vfs_free(disk);
}

// ---- a disk that fails --------------------------------------------------------------------------------------------

// Writes as long as they are taken; with faults now and then.
static void live_badly(HistoryLab *l, TestVfs *disk, int batches) {
    for (int i = 0; i < batches && !test_vfs_dead(disk); i++) {
        if (below(l, 12) == 0) {
            TestFault fault = below(l, 2) ? TEST_FAULT_FULL : TEST_FAULT_IO;
            int kinds = fault == TEST_FAULT_FULL ? TEST_WRITE : TEST_WRITE | TEST_SYNC;
            test_vfs_break(disk, fault, kinds, 1 + (int64_t)below(l, 30), 1 + (int64_t)below(l, 10));
        }
        if (history_lab_write(l, 1 + (int64_t)below(l, 20)) != ERR_OK) test_vfs_break(disk, TEST_FAULT_NONE, 0, 0, 0);
        for (uint64_t turns = below(l, 4); turns > 0; turns--) history_lab_turn(l);
        if (below(l, 8) == 0) history_lab_moment(l);
        if (below(l, 15) == 0) history_lab_checkpoint(l);
    }
}

// What a full or failing disk refused is written later; nothing is lost, nothing is there twice.
static void disks_that_fail(void **state) {
    (void)state;
    uint64_t first = env("SOSIA_SEED", 1), n = env("SOSIA_HISTORY_SEEDS", 4), failed = 0;
    for (uint64_t seed = first; seed < first + n; seed++) {
        HistoryLab l;
        TestVfs *disk = test_vfs_new(VFS);
        history_lab_init(&l, seed, STR("bad.sosia"), VFS);
        bounds(&l);
        for (int lives = 0; lives < 3; lives++) {
            assert_int_equal(history_lab_open(&l), ERR_OK);
            live_badly(&l, disk, 60);
            test_vfs_break(disk, TEST_FAULT_NONE, 0, 0, 0);
            history_lab_check(&l, 10);
            if (lives == 1) history_lab_rest(&l);
            history_lab_check_all(&l);
            failed += (uint64_t)atomic_load(&l.h->n.failed);
            history_lab_close(&l);
        }
        history_lab_free(&l);
        test_vfs_free(disk);
    }
    print_message("%llu puts of history failed\n", (unsigned long long)failed);
    assert_true(failed > 0 || n < 4);
}

// ---- power cuts ---------------------------------------------------------------------------------------------------

static void power_cuts(void **state) {
    (void)state;
    uint64_t first = env("SOSIA_SEED", 1), n = env("SOSIA_HISTORY_SEEDS", 3), cuts = 0;
    for (uint64_t seed = first; seed < first + n; seed++) {
        HistoryLab l;
        TestVfs *disk = test_vfs_new(VFS);
        history_lab_init(&l, seed, STR("dark.sosia"), VFS);
        l.disk = disk;
        bounds(&l);
        for (int lives = 0; lives < 12; lives++) {
            if (below(&l, 4) == 0) test_vfs_break(disk, TEST_FAULT_POWER, TEST_CHANGE, 1 + (int64_t)below(&l, 40), 1);
            Err e = history_lab_open(&l);
            test_vfs_break(disk, TEST_FAULT_NONE, 0, 0, 0);
            if (e == ERR_OK) {
                if (!test_vfs_dead(disk)) history_lab_check(&l, 4);
                if (!test_vfs_dead(disk))
                    test_vfs_break(disk, TEST_FAULT_POWER, TEST_CHANGE, 1 + (int64_t)below(&l, 300), 1);
                for (int i = 0; i < 40 && !test_vfs_dead(disk); i++) {
                    if (history_lab_write(&l, 1 + (int64_t)below(&l, 20)) != ERR_OK) break;
                    for (uint64_t turns = below(&l, 4); turns > 0; turns--) history_lab_turn(&l);
                    if (below(&l, 8) == 0) history_lab_moment(&l);
                    if (below(&l, 15) == 0) history_lab_checkpoint(&l);
                }
                history_lab_close(&l);
            } else assert_true(test_vfs_dead(disk));
            test_vfs_break(disk, TEST_FAULT_NONE, 0, 0, 0);
            if (!test_vfs_dead(disk)) continue;
            test_vfs_power_on(disk, seed * 100 + (uint64_t)lives);
            cuts++;
        }
        assert_int_equal(history_lab_open(&l), ERR_OK);
        history_lab_check_all(&l);
        history_lab_close(&l);
        history_lab_free(&l);
        test_vfs_free(disk);
    }
    print_message("%llu power cuts\n", (unsigned long long)cuts);
}

// ---- files that were there before ---------------------------------------------------------------------------------

static void no_fail(void *ctx, Err err, const char *why) {
    (void)ctx, (void)err, (void)why;
    abort();
}
static void no_commit(void *ctx, uint64_t last_seq) { (void)ctx, (void)last_seq; }

// The file is written as by a Sosia that keeps no history.
static void live_without_history(HistoryLab *l, int batches) {
    const StoreOpen o = {.path = l->path, .vfs = l->vfs, .on_commit = no_commit, .on_fail = no_fail};
    Buf why = {0}, bytes = {0};
    Domain *d = domain_new();
    Store *s;
    World *w;
    assert_int_equal(store_open(&o, d, 16384, &s, &w, &why), ERR_OK);
    test_writer_look(&l->writer, w);
    for (int i = 0; i < batches; i++) {
        buf_reset(&bytes);
        test_writer_batch(&l->writer, w, world_seq(w) + 1, 40, &bytes);
        store_submit(s, world_seq(w), buf_str(&bytes));
        store_drain(s);
        world_settle(w, world_seq(w));
        if (i == batches / 2) assert_true(store_checkpoint(s, world_fork(w, 0), world_seq(w)));
    }
    store_close(s);
    world_free(w);
    domain_free(d);
    buf_free(&bytes);
    buf_free(&why);
}

// History begins with the world as it is, and again where somebody wrote the file without it; a beginning that was cut
// short by a power cut is none.
static void files_without_history(void **state) {
    (void)state;
    uint64_t first = env("SOSIA_SEED", 1), n = env("SOSIA_HISTORY_SEEDS", 4);
    for (uint64_t seed = first; seed < first + n; seed++) {
        HistoryLab l;
        TestVfs *disk = test_vfs_new(VFS);
        history_lab_init(&l, seed, STR("old.sosia"), VFS);
        bounds(&l);
        for (int gaps = 0; gaps < 2; gaps++) {
            live_without_history(&l, 30);
            // Batches that history was not told of: no lists, only moments from here on.
            l.batch_count = l.point_count = 0;
            for (uint64_t at = 1; at < 6 && gaps == 0; at++) {
                test_vfs_break(disk, TEST_FAULT_POWER, TEST_CHANGE, (int64_t)(at * at), 1);
                if (history_lab_open(&l) == ERR_OK) history_lab_close(&l);
                test_vfs_break(disk, TEST_FAULT_NONE, 0, 0, 0);
                if (test_vfs_dead(disk)) test_vfs_power_on(disk, seed + at);
            }
            for (int lives = 0; lives < 2; lives++) {
                assert_int_equal(history_lab_open(&l), ERR_OK);
                int64_t begin = world_time(l.world);
                if (lives == 0 && gaps == 0) assert_int_equal(history_from(l.h), begin);
                history_lab_moment(&l);
                for (int i = 0; i < 30; i++) {
                    assert_int_equal(history_lab_write(&l, 20), ERR_OK);
                    for (uint64_t turns = below(&l, 3); turns > 0; turns--) history_lab_turn(&l);
                    if (below(&l, 5) == 0) history_lab_moment(&l);
                    if (below(&l, 12) == 0) history_lab_checkpoint(&l);
                }
                history_lab_check_moments(&l);
                // What is in heads alone is in the journal, and whoever writes without history lets go of that.
                if (lives == 1) history_seal(l.h, world_seq(l.world));
                history_lab_rest(&l);
                history_lab_check_moments(&l);
                history_lab_close(&l);
            }
        }
        history_lab_free(&l);
        test_vfs_free(disk);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_is_there), cmocka_unit_test(every_kind_of_value),
        cmocka_unit_test(disks_that_fail),        cmocka_unit_test(power_cuts),
        cmocka_unit_test(files_without_history),  cmocka_unit_test(who_waits_goes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
