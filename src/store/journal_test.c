// SPDX-License-Identifier: Apache-2.0
// What a store keeps beyond recovery: the journal for readers, items; and files of format 1.
#include "store/test_rig.h"

// A journal row a batch; returns their bytes.
static int64_t rig_rows(Rig *r, int count) {
    int64_t n = 0;
    for (int i = 0; i < count; i++) {
        n += rig_write(r, 10);
        rig_settle(r);
    }
    return n;
}

static void checkpoint(Rig *r) {
    assert_true(rig_checkpoint(r));
    rig_settle(r);
}

static int setup_journal(void **state) {
    if (setup(state)) return 1;
    ((Rig *)*state)->journal_bytes_max = 1 << 20;
    return 0;
}

// ---- reading back -------------------------------------------------------------------------------------------------

typedef struct Got {
    Err err;
    uint64_t last;
    int64_t bytes, batches;
    int calls;
} Got;

static uint64_t expect_next; // of the slice being looked at

static void got_slice(void *arg, Err err, uint64_t last, Buf *bytes) {
    Got *g = arg;
    g->err = err;
    g->last = last;
    g->bytes = bytes->n;
    g->calls++;
    for (Cut c = cut_of(buf_str(bytes)); c.p < c.end; g->batches++) {
        BatchHead head;
        Change change;
        assert_int_equal(batch_decode(&c, &head), ERR_OK);
        for (int64_t i = 0; i < head.count; i++) assert_int_equal(change_decode(&c, &change), ERR_OK);
        assert_int_equal(head.seq, expect_next++);
    }
}

static Got read_slice(Rig *r, uint64_t after, int64_t max) {
    Got g = {0};
    expect_next = after + 1;
    store_journal_read(r->store, 0, after, max, got_slice, &g);
    store_drain(r->store);
    assert_int_equal(g.calls, 1);
    if (!g.err) assert_int_equal(g.last, after + (uint64_t)g.batches);
    return g;
}

// From `after` to the end; the number of slices.
static int read_all(Rig *r, uint64_t after, int64_t max) {
    int slices = 0;
    while (after < world_seq(r->world)) {
        Got g = read_slice(r, after, max);
        assert_int_equal(g.err, ERR_OK);
        assert_true(g.last > after);
        assert_true(g.bytes <= max || g.batches == 1);
        after = g.last;
        slices++;
    }
    return slices;
}

// Small slices and large ones, from every place, rows of one batch and rows of many.
static void reads_back(void **state) {
    Rig *r = *state;
    rig_open(r);
    assert_int_equal(store_journal_oldest(r->store), 0);
    assert_int_equal(read_slice(r, 0, 1000).last, 0); // nothing there, nothing wrong
    rig_rows(r, 20);
    for (int i = 0; i < 50; i++) rig_write(r, 10); // one row of fifty batches
    rig_settle(r);
    checkpoint(r);
    rig_rows(r, 20);
    for (int round = 0; round < 2; round++) {
        for (uint64_t at = 0; at < 90; at++) {
            assert_true(read_all(r, at, 700) > 1 || at > 80);
            read_all(r, at, 0);
            assert_int_equal(read_all(r, at, 1 << 20), 1);
        }
        assert_int_equal(read_slice(r, 90, 1000).last, 90);
        assert_true(rig_stats(r).reads > 270 && rig_stats(r).read_bytes > 0);
        assert_int_equal(read_slice(r, 95, 1000).last, 95);
        rig_reopen(r);
        assert_int_equal(store_journal_oldest(r->store), 0);
    }
    rig_close(r);
}

// ---- what is kept -------------------------------------------------------------------------------------------------

static void check_kept(Rig *r) {
    StoreStats s = rig_stats(r);
    int64_t rows = s.kept_rows + s.journal_rows, bytes = s.kept_bytes;
    rig_close(r);
    assert_int_equal(sql("SELECT count(*) FROM journal"), rows);
    assert_int_equal(sql("SELECT total(length(bytes)) FROM journal WHERE seq <= (SELECT seq FROM root)"), bytes);
    rig_open(r);
    s = rig_stats(r);
    assert_int_equal(s.kept_rows + s.journal_rows, rows);
    assert_int_equal(s.kept_bytes, bytes);
}

// The newest bytes up to the limit stay, by whole rows; what is behind the root stays whatever the limit.
static void keeps_the_newest(void **state) {
    Rig *r = *state;
    r->journal_bytes_max = 20000;
    rig_open(r);
    for (int round = 0; round < 8; round++) {
        int64_t before = rig_stats(r).kept_bytes, more = rig_rows(r, 30);
        uint64_t oldest = store_journal_oldest(r->store);
        assert_int_equal(rig_stats(r).journal_rows, 30);
        assert_int_equal(rig_stats(r).kept_bytes, before); // no root, nothing to trim
        read_all(r, oldest, 3000);
        checkpoint(r);
        StoreStats s = rig_stats(r);
        assert_int_equal(s.journal_rows, 0);
        assert_true(s.kept_bytes <= 20000);
        bool cut = before + more > 20000;
        assert_int_equal(store_journal_oldest(r->store) > oldest, cut);
        if (cut) {
            assert_true(s.kept_bytes > 20000 - 3000); // not much more than needed was deleted
            assert_int_equal(read_slice(r, oldest, 100).err, ERR_GONE);
            assert_int_equal(read_slice(r, store_journal_oldest(r->store) - 1, 100).err, ERR_GONE);
        }
        read_all(r, store_journal_oldest(r->store), 3000);
        check_kept(r);
    }
    // Less is wanted: it goes without a checkpoint.
    r->journal_bytes_max = 6000;
    rig_reopen(r);
    store_drain(r->store);
    assert_true(rig_stats(r).kept_bytes <= 6000);
    read_all(r, store_journal_oldest(r->store), 3000);
    r->journal_bytes_max = 0;
    rig_reopen(r);
    store_drain(r->store);
    assert_int_equal(rig_stats(r).kept_rows, 0);
    assert_int_equal(store_journal_oldest(r->store), world_seq(r->world));
    check_kept(r);
    rig_close(r);
}

// A start reads what is behind the root and nothing of what is kept before it.
static void start_does_not_read_it(void **state) {
    Rig *r = *state;
    r->journal_bytes_max = 64 << 20;
    int64_t reads[2];
    for (int kept = 0; kept < 2; kept++) {
        if (kept) r->journal_bytes_max = 64 << 20;
        else r->journal_bytes_max = 0;
        rig_open(r);
        for (int i = 0; i < 400; i++) rig_write(r, 50), rig_settle(r);
        checkpoint(r);
        rig_close(r);
        test_vfs_break(r->disk, TEST_FAULT_NONE, TEST_READ, 0, 0);
        rig_open(r);
        reads[kept] = test_vfs_count(r->disk);
        rig_close(r);
    }
    // The second start finds twice the world; were the journal read, it would be far more.
    assert_true(sql("SELECT count(*) FROM journal") >= 400);
    assert_true(reads[1] < 3 * reads[0]);
}

// ---- damage and failures ------------------------------------------------------------------------------------------

// A damaged row that no start looks at: who reads it is told, all else goes on.
static void damaged_rows(void **state) {
    static const char *const damages[] = {
        "UPDATE journal SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'aa' AS BLOB) WHERE seq = 5",
        "UPDATE journal SET crc = crc + 1 WHERE seq = 5",
        "UPDATE journal SET first = first + 1 WHERE seq = 5",
        "DELETE FROM journal WHERE seq = 5",
    };
    Rig *r = *state;
    rig_open(r);
    rig_rows(r, 10);
    checkpoint(r);
    rig_close(r);
    TestVfs *sound = test_vfs_new("store_journal_sound");
    test_vfs_copy(r->disk, sound);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        test_vfs_copy(sound, r->disk);
        sql(damages[i]);
        rig_open(r);
        bool gone = i == 3;
        assert_int_equal(read_slice(r, 0, 1 << 20).err, ERR_CORRUPT);
        assert_int_equal(read_slice(r, 4, 1 << 20).err, gone ? ERR_GONE : ERR_CORRUPT);
        read_all(r, 5, 1 << 20);
        rig_rows(r, 3);
        assert_int_equal(r->fails, 0);
        checkpoint(r);
        rig_close(r);
    }
    test_vfs_free(sound);
}

// Every read of the file fails once while the journal is read: that reader is told, the next try succeeds.
static void reads_fail(void **state) {
    Rig *r = *state;
    rig_open(r);
    rig_rows(r, 40);
    checkpoint(r);
    int failed = 0;
    for (int64_t k = 1;; k++) {
        rig_reopen(r);
        db_forget(&r->store->db);
        test_vfs_break(r->disk, TEST_FAULT_IO, TEST_READ, k, 1);
        Got g = read_slice(r, 0, 1 << 20);
        bool more = test_vfs_count(r->disk) >= k;
        test_vfs_break(r->disk, TEST_FAULT_NONE, 0, 0, 0);
        if (g.err) {
            assert_int_equal(g.err, ERR_STORAGE);
            failed++;
        }
        read_all(r, 0, 1 << 20);
        rig_rows(r, 1);
        assert_int_equal(r->fails, 0);
        if (!more) break;
    }
    assert_true(failed > 3);
    rig_close(r);
}

// Trimming fails at each of its operations; the journal stays readable and is trimmed later.
static void trims_fail(void **state) {
    Rig *r = *state;
    r->journal_bytes_max = 5000;
    rig_open(r);
    for (int64_t k = 1;; k++) {
        while (rig_stats(r).kept_bytes + rig_stats(r).journal_rows * 400 < 12000) rig_rows(r, 5);
        // The checkpoint on a sound disk, but for the trimming: step by step until the root is there.
        uint64_t seq = world_seq(r->world);
        int64_t before = rig_stats(r).checkpoints;
        assert_true(store_checkpoint(r->store, world_fork(r->world, 0), seq));
        while (rig_stats(r).checkpoints == before) {
            assert_int_equal(rig_stats(r).checkpoints_failed, 0);
            store_step(r->store);
        }
        test_vfs_break(r->disk, TEST_FAULT_IO, TEST_CHANGE, k, 1);
        store_drain(r->store);
        bool more = test_vfs_count(r->disk) >= k;
        test_vfs_break(r->disk, TEST_FAULT_NONE, 0, 0, 0);
        read_all(r, store_journal_oldest(r->store), 3000);
        check_kept(r); // a start tries again
        store_drain(r->store);
        assert_true(rig_stats(r).kept_bytes <= 5000);
        read_all(r, store_journal_oldest(r->store), 3000);
        if (!more) {
            assert_true(k > 3);
            break;
        }
    }
    rig_close(r);
}

// ---- items --------------------------------------------------------------------------------------------------------

typedef struct Told {
    int ok, failed;
    Err err;
} Told;

static void told(void *arg, Err err, const char *why) {
    Told *t = arg;
    assert_true(err == ERR_OK || why[0]);
    if (err) t->failed++;
    else t->ok++;
    t->err = err;
}

static void put(Rig *r, const char *key, const char *value, Told *t) {
    StoreItem it = {STR("kind"), str_of(key), str_of(value), false};
    assert_int_equal(store_items_put(r->store, &it, 1, told, t), ERR_OK);
}

static void value_is(Rig *r, const char *key, const char *want) {
    Buf out = {0};
    bool more;
    Str k, v = {0};
    assert_int_equal(store_items_scan(r->store, STR("kind"), (Str){0}, 0, &out, &more), ERR_OK);
    bool found = false;
    for (Cut c = cut_of(buf_str(&out)); !found && store_item_next(&c, &k, &v);) found = str_eq(k, str_of(key));
    assert_int_equal(found, want != NULL);
    if (found) assert_true(str_eq(v, str_of(want)));
    buf_free(&out);
}

// Items and batches that wait together cost one transaction, not two.
static void items_ride_along(void **state) {
    Rig *r = *state;
    rig_open(r);
    rig_rows(r, 2);
    Told t = {0};
    test_vfs_break(r->disk, TEST_FAULT_NONE, TEST_SYNC, 0, 0);
    rig_rows(r, 1);
    int64_t alone = test_vfs_count(r->disk);
    test_vfs_break(r->disk, TEST_FAULT_NONE, TEST_SYNC, 0, 0);
    for (int i = 0; i < 10; i++) put(r, "a", "1", &t);
    rig_rows(r, 1);
    assert_int_equal(test_vfs_count(r->disk), alone);
    assert_int_equal(t.ok, 10);
    rig_close(r);
}

// Each operation of a put fails once: refused whole and told, and nobody else suffers.
static void items_fail(void **state) {
    Rig *r = *state;
    rig_open(r);
    rig_rows(r, 1);
    Told t = {0};
    put(r, "a", "old", &t);
    store_drain(r->store);
    int failed = 0;
    for (int64_t k = 1;; k++) {
        Told now = {0};
        test_vfs_break(r->disk, k % 2 ? TEST_FAULT_IO : TEST_FAULT_FULL, TEST_CHANGE, (k + 1) / 2, 1);
        put(r, "a", "new", &now);
        put(r, "b", "new", &now);
        store_drain(r->store);
        bool more = test_vfs_count(r->disk) >= (k + 1) / 2;
        test_vfs_break(r->disk, TEST_FAULT_NONE, 0, 0, 0);
        assert_int_equal(now.ok + now.failed, 2);
        assert_true(now.ok == 0 || now.failed == 0); // they were one transaction
        value_is(r, "a", now.ok ? "new" : "old");
        value_is(r, "b", now.ok ? "new" : NULL);
        failed += now.failed > 0;
        rig_rows(r, 1); // commits are not touched by it
        assert_int_equal(r->fails, 0);
        StoreItem undo[] = {{STR("kind"), STR("a"), STR("old"), false}, {STR("kind"), STR("b"), {0}, true}};
        assert_int_equal(store_items_put(r->store, undo, 2, told, &t), ERR_OK);
        store_drain(r->store);
        if (!more) break;
    }
    assert_true(failed > 0);
    rig_close(r);
}

// A damaged item is told of, and only to who asks for it.
static void items_damaged(void **state) {
    Rig *r = *state;
    Told t = {0};
    rig_open(r);
    put(r, "a", "1", &t);
    put(r, "b", "2", &t);
    rig_close(r);
    sql("UPDATE item SET value = x'33' WHERE key = x'62'");
    rig_open(r);
    Buf out = {0};
    bool more;
    assert_int_equal(store_items_scan(r->store, STR("kind"), (Str){0}, 0, &out, &more), ERR_CORRUPT);
    assert_int_equal(store_items_scan(r->store, STR("kind"), STR("b"), 0, &out, &more), ERR_OK);
    buf_free(&out);
    rig_rows(r, 1);
    rig_close(r);
}

// The queue is bounded; what is in it is not lost.
static void items_queue(void **state) {
    Rig *r = *state;
    rig_open(r);
    int64_t size = 8 << 20;
    char *text = mem_alloc((size_t)size);
    Told t = {0};
    int taken = 0;
    for (Err e = ERR_OK; !e && taken < 100;) {
        StoreItem it = {STR("kind"), STR("k"), {text, size}, false};
        e = store_items_put(r->store, &it, 1, told, &t);
        if (!e) taken++;
        else assert_int_equal(e, ERR_BUSY);
    }
    assert_in_range(taken, 7, 8);
    store_drain(r->store);
    assert_int_equal(t.ok, taken);
    mem_free(text);
    rig_close(r);
}

// ---- format 1 -----------------------------------------------------------------------------------------------------

static void make_format_1(void) {
    sql("DROP TABLE item");
    sql("DROP TABLE history");
    sql("DROP TABLE dead");
    sql("DROP TABLE world");
    sql("DROP TABLE scenario");
    sql("DELETE FROM meta WHERE key = 'kept'");
    sql("PRAGMA user_version = 1");
}

static void check_migrated(Rig *r, const Buf *before) {
    rig_open(r);
    Buf after = {0};
    test_world_dump(r->world, &after);
    assert_true(str_eq(buf_str(before), buf_str(&after)));
    buf_free(&after);
    read_all(r, store_journal_oldest(r->store), 2000);
    Told t = {0};
    put(r, "a", "1", &t);
    store_drain(r->store);
    assert_int_equal(t.ok, 1);
    rig_close(r);
    assert_int_equal(sql("PRAGMA user_version"), 4);
    rig_open(r);
    value_is(r, "a", "1");
    check_kept(r);
    rig_close(r);
}

// A file of format 1 opens, holds what it held and takes items; a failure on the way leaves it as it was.
static void format_1(void **state) {
    Rig *r = *state;
    rig_open(r);
    rig_rows(r, 20);
    checkpoint(r);
    rig_rows(r, 10);
    Buf before = {0};
    test_world_dump(r->world, &before);
    rig_close(r);
    make_format_1();
    TestVfs *old = test_vfs_new("store_journal_old");
    test_vfs_copy(r->disk, old);
    check_migrated(r, &before);
    int refused = 0;
    for (int64_t k = 1;; k++) {
        test_vfs_copy(old, r->disk);
        test_vfs_break(r->disk, TEST_FAULT_POWER, TEST_CHANGE, k, 1);
        StoreOpen o = {.path = STR(FILE_NAME), .vfs = VFS, .journal_bytes_max = r->journal_bytes_max};
        Domain *d = domain_new();
        Store *s;
        World *w;
        Err e = store_open(&o, d, RING, &s, &w, NULL);
        if (!e) {
            store_close(s);
            world_free(w);
        }
        domain_free(d);
        bool more = test_vfs_dead(r->disk);
        refused += e != ERR_OK;
        test_vfs_power_on(r->disk, (uint64_t)k);
        check_migrated(r, &before);
        if (!more) break;
    }
    assert_true(refused > 3);
    test_vfs_free(old);
    buf_free(&before);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup_journal, teardown)
    const struct CMUnitTest tests[] = {
        T(reads_back),       T(keeps_the_newest), T(start_does_not_read_it),
        T(damaged_rows),     T(reads_fail),       T(trims_fail),
        T(items_ride_along), T(items_fail),       T(items_damaged),
        T(items_queue),      T(format_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
