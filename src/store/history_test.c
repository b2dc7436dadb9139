// SPDX-License-Identifier: Apache-2.0
// History in the store: blocks that are put, replaced and damaged, survive and are told apart by what recovery replays;
// roots that wait for their history.
// LABELS: threads
#include "store/test_history.h"

// ---- the dead -----------------------------------------------------------------------------------------------------

typedef struct Dead {
    uint64_t twins[8];
    int count, stop;
} Dead;
static bool dead_seen(void *ctx, const StoreDead *d) {
    Dead *s = ctx;
    assert_true(str_eq(d->name, STR("pump")) || str_eq(d->name, STR("")));
    s->twins[s->count++] = d->twin;
    return s->count != s->stop;
}

static Dead dead_of(Store *s, Str name, int stop) {
    Dead d = {.stop = stop};
    StoreReader *r;
    assert_int_equal(store_reader_begin(s, &r), ERR_OK);
    assert_int_equal(store_history_dead(r, 0, name, dead_seen, &d), ERR_OK);
    store_reader_end(r);
    return d;
}

// Dead twins of a name come newest first; other names are not among them.
static void the_dead(void **state) {
    Rig *r = *state;
    Told t = {0};
    rig_open(r);
    StoreDead dead[] = {{.twin = 1024, .name = STR("pump"), .time = 100},
                        {.twin = 1030, .name = STR("pump"), .time = 300},
                        {.twin = 1027, .name = STR("pump"), .time = 200},
                        {.twin = 1025, .name = STR("pumps"), .time = 50},
                        {.twin = 1026, .name = STR(""), .time = 60}};
    StoreHistoryPut put = {.dead = dead, .dead_count = 5};
    assert_int_equal(store_history_put(r->store, &put, told, &t), ERR_OK);
    store_drain(r->store);
    for (int turn = 0; turn < 2; turn++) {
        Dead d = dead_of(r->store, STR("pump"), 0);
        assert_int_equal(d.count, 3);
        assert_true(d.twins[0] == 1030 && d.twins[1] == 1027 && d.twins[2] == 1024);
        assert_int_equal(dead_of(r->store, STR("pump"), 1).count, 1);
        assert_int_equal(dead_of(r->store, STR("pum"), 0).count, 0);
        assert_int_equal(dead_of(r->store, (Str){0}, 0).twins[0], 1026);
        rig_reopen(r);
    }
    rig_close(r);
    sql("UPDATE dead SET time = time + 1 WHERE id = 1027");
    rig_open(r);
    StoreReader *reader;
    Dead d = {0};
    assert_int_equal(store_reader_begin(r->store, &reader), ERR_OK);
    assert_int_equal(store_history_dead(reader, 0, STR("pump"), dead_seen, &d), ERR_CORRUPT);
    assert_non_null(strstr(store_reader_why(reader), "dead row 1027"));
    store_reader_end(reader);
    rig_close(r);
}

// ---- changes ------------------------------------------------------------------------------------------------------

static bool take_id(void *ctx, const StoreHistory *h) {
    int64_t *ids = ctx;
    ids[++ids[0]] = h->id;
    return true;
}

// Rows that are replaced go in the transaction that brings the new one; a second block of the same instant is refused,
// with everything it came with.
// Parts of a block are those of its bytes; what is behind its end is not there.
static void check_parts(StoreReader *reader, int64_t id, Str bytes) {
    for (int64_t at = 0; at <= bytes.n + 1; at += 1 + bytes.n / 7) {
        char part[] = "xxxxx";
        int64_t size = -1, n = bytes.n - at < 5 ? bytes.n - at : 5;
        assert_int_equal(store_history_part(reader, id, at, part, 5, &size), ERR_OK);
        assert_int_equal(size, bytes.n);
        for (int64_t i = 0; i < 5; i++) assert_int_equal(part[i], i < n ? bytes.p[at + i] : 'x');
    }
}

static void replaces(void **state) {
    Rig *r = *state;
    Told t = {0};
    char text[4][64];
    rig_open(r);
    StoreHistory rows[4];
    for (int i = 0; i < 4; i++) rows[i] = block(3, 0, 1 + (uint64_t)i * 10, 10 + (uint64_t)i * 10, text[i], 64);
    put_one(r->store, &rows[0], &t);
    put_one(r->store, &rows[1], &t);
    store_drain(r->store);
    int64_t ids[9] = {0};
    StoreReader *reader;
    assert_int_equal(store_reader_begin(r->store, &reader), ERR_OK);
    assert_int_equal(store_history_scan(reader, 0, 0, take_id, ids), ERR_OK);
    assert_int_equal(ids[0], 2);
    StoreHistory merged = rows[0];
    merged.last = rows[1].last, merged.t1 = rows[1].t1, merged.tier = 1;
    StoreHistoryPut put = {.gone = ids + 1, .gone_count = 2, .rows = &merged, .row_count = 1};
    assert_int_equal(store_history_put(r->store, &put, told, &t), ERR_OK);
    store_drain(r->store);
    assert_int_equal(t.ok, 3);
    int64_t n = 0; // the reader from before still sees both
    StoreHistoryAsk ask = {.lane = 3, .from = INT64_MIN, .to = INT64_MAX};
    assert_int_equal(store_history_rows(reader, &ask, count_row, &n), ERR_OK);
    assert_int_equal(n, 2);
    StoreHistory one;
    assert_int_equal(store_history_row(reader, ids[2], &one), ERR_OK);
    assert_true(same_row(&one, &rows[1]) && str_eq(one.bytes, rows[1].bytes) && one.id == ids[2]);
    assert_int_equal(store_history_row(reader, 99, &one), ERR_GONE);
    check_parts(reader, ids[2], rows[1].bytes);
    check_parts(reader, ids[1], rows[0].bytes);
    assert_int_equal(store_history_part(reader, 99, 0, (char[1]){0}, 1, &n), ERR_GONE);
    store_reader_end(reader);
    assert_int_equal(store_reader_begin(r->store, &reader), ERR_OK);
    assert_int_equal(store_history_row(reader, ids[2], &one), ERR_GONE);
    store_reader_end(reader);
    assert_int_equal(rows_of(r->store, 3, 0), 1);
    StoreHistory two[2] = {rows[2], rows[0]};
    put = (StoreHistoryPut){.rows = two, .row_count = 2};
    assert_int_equal(store_history_put(r->store, &put, told, &t), ERR_OK);
    store_drain(r->store);
    assert_int_equal(t.refused, 1);
    assert_non_null(strstr(t.why, "begins at the same instant"));
    assert_int_equal(rows_of(r->store, 3, 0), 1);
    merged.tier = STORE_TIER_MEANS; // a mean may cover what a block does
    put_one(r->store, &merged, &t);
    rig_write(r, 5); // and the store works on
    rig_settle(r);
    assert_int_equal(t.ok, 4);
    StoreStats s = rig_stats(r);
    assert_true(s.history_rows == 4 && s.history_gone == 2 && s.history_failed == 1 && s.history_bytes > 60);
    rig_close(r);
}

// The queue has a bound; one block that is larger still goes through.
static void queue_is_bounded(void **state) {
    Rig *r = *state;
    int64_t size = 9 << 20;
    char *bytes = mem_alloc((size_t)size * 8);
    Told t = {0};
    rig_open(r);
    int taken = 0;
    StoreHistory h = {.lane = 1, .first = 1, .last = 1, .t0 = 1, .t1 = 1, .bytes = {bytes, size * 8}};
    put_one(r->store, &h, &t); // alone over the bound
    StoreHistoryPut put = {.rows = &h, .row_count = 1};
    assert_int_equal(store_history_put(r->store, &put, told, &t), ERR_BUSY);
    store_drain(r->store);
    assert_int_equal(t.ok, 1);
    h.bytes.n = size;
    for (Err e = ERR_OK; e == ERR_OK && taken < 100; taken += e == ERR_OK) {
        h.t0++;
        e = store_history_put(r->store, &put, told, &t);
    }
    assert_int_equal(taken, 7);
    store_drain(r->store);
    assert_int_equal(t.ok, 8);
    mem_free(bytes);
    rig_close(r);
}

// ---- damage -------------------------------------------------------------------------------------------------------

// Any column of a row that is not what it was is found: without reading its bytes, but for those.
static void damaged_rows(void **state) {
    static const char *const changes[] = {
        "id = 0",
        "tier = 2",
        "start = 1",
        "first = first + 1",
        "last = last + 1",
        "t1 = t1 + 1",
        "s0 = s0 - 1",
        "s1 = s1 + 1",
        "points = 9",
        "late = 1",
        "size = size + 1",
        "crc = crc + 1",
        "bytes = x'00'",
        "crc = crc + 4294967296",
        "bytes = CAST(substr(bytes, 1, length(bytes) - 1) || 'x' AS BLOB)",
    };
    Rig *r = *state;
    Told t = {0};
    char text[64];
    rig_open(r);
    StoreHistory h = block(1, 0, 1, 1, text, sizeof text);
    put_one(r->store, &h, &t);
    rig_write(r, 3);
    rig_settle(r);
    assert_true(rig_checkpoint(r));
    store_history_sealed(r->store, 10); // the row is before the root: opening does not look at it
    rig_settle(r);
    rig_close(r);
    TestVfs *sound = test_vfs_new("history_sound");
    test_vfs_copy(r->disk, sound);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char update[200];
        test_vfs_copy(sound, r->disk);
        snprintf(update, sizeof update, "UPDATE history SET %s", changes[i]);
        sql(update);
        rig_open(r);
        StoreReader *reader;
        int64_t n = 0;
        StoreHistoryAsk ask = {.lane = 1, .from = INT64_MIN, .to = INT64_MAX, .bytes = strstr(changes[i], "bytes")};
        assert_int_equal(store_reader_begin(r->store, &reader), ERR_OK);
        Err e = store_history_rows(reader, &ask, count_row, &n);
        bool bytes_only = strcmp(changes[i], "crc = crc + 1") == 0;
        if (bytes_only) {
            assert_int_equal(e, ERR_OK);
            ask.bytes = true;
            e = store_history_rows(reader, &ask, count_row, &n);
        }
        if (e != ERR_CORRUPT) fail_msg("%s: %s", changes[i], err_name(e));
        assert_non_null(strstr(store_reader_why(reader), "does not match its check"));
        assert_int_equal(store_history_rows(reader, &(StoreHistoryAsk){.lane = 2}, count_row, &n), ERR_OK);
        store_reader_end(reader);
        rig_close(r);
    }
    test_vfs_free(sound);
}

// ---- roots wait ---------------------------------------------------------------------------------------------------

static void slice_read(void *arg, Err err, uint64_t last, Buf *bytes) {
    (void)last, (void)bytes;
    assert_int_equal(err, ERR_OK);
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void until(Rig *r, uint64_t seq) {
    while (atomic_load(&r->acked) < seq) thread_sleep_ns(200000);
}

// While a root waits for its history, batches are committed, items put and read, the journal read, history written,
// probes made; then it is written. When the history fails, the checkpoint is given up and the next one works.
static void root_waits(void **state) {
    Rig *r = *state;
    Told t = {0};
    char text[2][64];
    rig_open(r);
    assert_int_equal(store_start(r->store), ERR_OK);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++) rig_write(r, 10);
        assert_true(rig_checkpoint(r));
        uint64_t at = world_seq(r->world);
        for (int i = 0; i < 20; i++) rig_write(r, 10);
        until(r, at + 20);
        atomic_int reads = 0;
        Told put = {0};
        store_journal_read(r->store, 0, at, 1000, slice_read, &reads);
        StoreItem item = {STR("k"), STR("a"), STR("v"), false};
        assert_int_equal(store_items_put(r->store, &item, 1, told, &put), ERR_OK);
        StoreHistory h = block(1, (uint64_t)round, 1, at, text[0], 64);
        put_one(r->store, &h, &put);
        while (!atomic_load(&reads) || atomic_load(&put.ok) < 2) thread_sleep_ns(200000);
        Buf scan = {0};
        bool more;
        assert_int_equal(store_items_scan(r->store, STR("k"), (Str){0}, 0, &scan, &more), ERR_OK);
        assert_true(scan.n > 0);
        buf_free(&scan);
        uint64_t acked = atomic_load(&r->acked);
        store_probe(r->store);
        rig_write(r, 3);
        until(r, acked + 1);
        assert_true(store_checkpointing(r->store));
        assert_int_equal(rig_stats(r).checkpoints, round > 1);
        if (round == 0) store_history_failed(r->store);
        else store_history_sealed(r->store, at - 1); // not enough
        if (round) assert_true(store_checkpointing(r->store));
        if (round) store_history_sealed(r->store, at);
        store_drain(r->store);
        assert_false(store_checkpointing(r->store));
        assert_int_equal(rig_stats(r).checkpoints, round);
        assert_int_equal(rig_stats(r).checkpoints_failed, 1);
        world_settle(r->world, r->acked);
    }
    // A history that was not told to seal any more does not keep the store from closing.
    rig_write(r, 10);
    assert_true(rig_checkpoint(r));
    rig_close(r);
    rig_open(r);
    store_drain(r->store);
    assert_int_equal(sql("SELECT count(*) FROM root"), 1);
    rig_close(r);
    (void)t;
}

// Without history nothing waits.
static void no_history_no_wait(void **state) {
    Rig *r = *state;
    r->replays = false;
    rig_open(r);
    rig_write(r, 10);
    assert_true(rig_checkpoint(r));
    rig_settle(r);
    assert_int_equal(rig_stats(r).checkpoints, 1);
    rig_close(r);
}

// ---- recovery -----------------------------------------------------------------------------------------------------

typedef struct Ends {
    uint64_t last[8][8];
    int64_t count;
} Ends;
static void end_seen(void *ctx, uint64_t lane, uint64_t page, uint64_t last) {
    Ends *e = ctx;
    assert_true(!e->last[lane][page]);
    e->last[lane][page] = last;
    e->count++;
}

static void check_ends(Rig *r, const Ends *want, uint64_t root) {
    Ends is = {0};
    assert_int_equal(store_history_ahead(r->store, end_seen, &is), ERR_OK);
    for (int lane = 0; lane < 8; lane++)
        for (int page = 0; page < 8; page++)
            assert_int_equal(is.last[lane][page], want->last[lane][page] > root ? want->last[lane][page] : 0);
}

// Blocks are sealed at random, behind and ahead of roots: what recovery replays and what is in blocks already adds up.
static void ahead(void **state) {
    Rig *r = *state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        Rng rng = rng_make(seed, 9);
        Ends ends = {0};
        Told t = {0};
        uint64_t root = 0;
        Buf trails = {0}; // of the batches behind the root
        rig_open(r);
        if (world_seq(r->world) == 0) world_keep_trail(r->world, true);
        root = r->store->root_seq;
        sql_on(FILE_NAME, VFS, "SELECT 1");
        Err e = ERR_OK;
        Ends old = {0};
        e = store_history_ahead(r->store, end_seen, &old);
        assert_int_equal(e, ERR_OK);
        ends = old;
        buf_str_put(&trails, buf_str(&r->trails));
        for (int step = 0; step < 60; step++) {
            uint64_t dice = rng_below(&rng, 10);
            if (dice < 4) {
                rig_write(r, 5);
                buf_str_put(&trails, world_trail(r->world));
                rig_settle(r);
            } else if (dice < 8) {
                uint64_t lane = 1 + rng_below(&rng, 3), page = rng_below(&rng, 3), seq = world_seq(r->world);
                char text[64];
                StoreHistory h = block(lane, page, seed * 100000 + (uint64_t)step, seq, text, sizeof text);
                if (ends.last[lane][page] >= seq) continue;
                put_one(r->store, &h, &t);
                store_drain(r->store);
                ends.last[lane][page] = seq;
            } else if (dice < 9 && world_seq(r->world)) {
                store_history_sealed(r->store, world_seq(r->world));
                assert_true(rig_checkpoint(r));
                rig_settle(r);
                root = world_seq(r->world);
                buf_reset(&trails);
            } else {
                rig_reopen(r);
                if (world_seq(r->world) > root) {
                    assert_int_equal(r->replayed_first, root + 1);
                    assert_int_equal(r->replayed_last, world_seq(r->world));
                } else assert_int_equal(r->replayed_first, 0);
                assert_true(str_eq(buf_str(&trails), buf_str(&r->trails)));
            }
            check_ends(r, &ends, root);
        }
        assert_int_equal(t.refused, 0);
        rig_close(r);
        buf_free(&trails);
    }
}

// ---- format 2 -----------------------------------------------------------------------------------------------------

static void make_format_2(void) {
    sql("DROP TABLE history");
    sql("DROP TABLE dead");
    sql("DROP TABLE world");
    sql("DROP TABLE scenario");
    sql("DELETE FROM meta WHERE key = 'history'");
    sql("PRAGMA user_version = 2");
}

static void check_migrated(Rig *r, uint64_t seq) {
    Told t = {0};
    char text[64];
    rig_open(r);
    assert_int_equal(world_seq(r->world), seq);
    Ends none = {0};
    check_ends(r, &none, 0);
    StoreHistory h = block(1, 0, 1, seq, text, sizeof text);
    put_one(r->store, &h, &t);
    store_drain(r->store);
    assert_int_equal(t.ok, 1);
    assert_int_equal(rows_of(r->store, 1, 0), 1);
    rig_close(r);
    assert_int_equal(sql("PRAGMA user_version"), 4);
    assert_int_equal(sql("SELECT count(*) FROM item"), 1);
}

// A file of format 2 opens, holds what it held and takes history; cut on the way, it is what it was or what it becomes.
static void format_2(void **state) {
    Rig *r = *state;
    Told t = {0};
    r->replays = false;
    rig_open(r);
    for (int i = 0; i < 5; i++) rig_write(r, 10);
    StoreItem item = {STR("k"), STR("a"), STR("v"), false};
    assert_int_equal(store_items_put(r->store, &item, 1, told, &t), ERR_OK);
    rig_settle(r);
    assert_true(rig_checkpoint(r));
    rig_write(r, 10);
    rig_settle(r);
    rig_close(r);
    r->replays = true;
    make_format_2();
    TestVfs *old = test_vfs_new("history_old");
    test_vfs_copy(r->disk, old);
    check_migrated(r, 6);
    int refused = 0;
    for (int64_t k = 1;; k++) {
        test_vfs_copy(old, r->disk);
        test_vfs_break(r->disk, TEST_FAULT_POWER, TEST_CHANGE, k, 1);
        StoreOpen o = {.path = STR(FILE_NAME), .vfs = VFS};
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
        check_migrated(r, 6);
        if (!more) break;
    }
    assert_true(refused > 3);
    test_vfs_free(old);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup_history, teardown)
    const struct CMUnitTest tests[] = {
        T(the_dead),           T(replaces), T(queue_is_bounded), T(damaged_rows), T(root_waits),
        T(no_history_no_wait), T(ahead),    T(format_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
