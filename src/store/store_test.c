// SPDX-License-Identifier: Apache-2.0
// Stores as the engine uses them: open, commit, checkpoint, recover, refuse, wait.
#include <sys/wait.h>
#include "store/test_rig.h"

// What the engine does when a commit failed.
static void rig_undo(Rig *r) {
    world_undo_to(r->world, r->acked);
    world_settle(r->world, r->acked);
    test_writer_look(&r->writer, r->world);
    store_resume(r->store);
}

static Buf rig_dump(Rig *r) {
    Buf b = {0};
    world_verify(r->world);
    test_world_dump(r->world, &b);
    return b;
}

static void same_world(const Buf *before, const Buf *after) {
    Str a = buf_str(before), b = buf_str(after);
    while (a.n || b.n) {
        Str x = str_cut(&a, '\n'), y = str_cut(&b, '\n');
        if (!str_eq(x, y)) fail_msg("\n%.*s\n%.*s", STR_ARG(x), STR_ARG(y));
    }
}

// Close, open, compare.
static void reopen_same(Rig *r) {
    Buf before = rig_dump(r);
    rig_close(r);
    rig_open(r);
    Buf after = rig_dump(r);
    same_world(&before, &after);
    buf_free(&before);
    buf_free(&after);
}

// ---- life ---------------------------------------------------------------------------------------------------------

// Batches, checkpoints and reopenings in turn: the world that comes back is the one that was closed.
static void comes_back(void **state) {
    Rig *r = *state;
    rig_open(r);
    reopen_same(r); // nothing in it
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 20; i++) rig_write(r, 10);
        rig_settle(r);
        assert_int_equal(r->acked, world_seq(r->world));
        if (round % 3) assert_true(rig_checkpoint(r));
        if (round % 2) rig_write(r, 5);
        rig_settle(r);
        reopen_same(r);
    }
    StoreStats s = rig_stats(r);
    assert_int_equal(s.checkpoints_failed, 0);
    rig_close(r);
}

// Batches that wait together are committed together: one row, one callback.
static void groups(void **state) {
    Rig *r = *state;
    rig_open(r);
    for (int i = 0; i < 100; i++) rig_write(r, 3);
    rig_settle(r);
    assert_int_equal(r->commits, 1);
    assert_int_equal(r->acked, 100);
    StoreStats s = rig_stats(r);
    assert_int_equal(s.commits, 1);
    assert_int_equal(s.batches, 100);
    assert_int_equal(s.journal_rows, 1);
    assert_int_equal(s.queue_bytes, 0);
    reopen_same(r);
    rig_close(r);
    assert_int_equal(sql("SELECT count(*) FROM journal"), 1);
    assert_int_equal(sql("SELECT first * 1000 + seq FROM journal"), 1100);
}

// A large group is one commit of several rows, which follow each other.
static void groups_of_rows(void **state) {
    Rig *r = *state;
    r->row_bytes_max = 1000;
    rig_open(r);
    for (int i = 0; i < 100; i++) rig_write(r, 10);
    rig_settle(r);
    StoreStats s = rig_stats(r);
    assert_int_equal(r->commits, 1);
    assert_int_equal(r->acked, 100);
    assert_true(s.commits == 1 && s.batches == 100 && s.journal_rows > 10 && s.queue_bytes == 0);
    reopen_same(r);
    assert_int_equal(rig_stats(r).journal_rows, s.journal_rows);
    rig_close(r);
    assert_int_equal(sql("SELECT count(*) FROM journal"), s.journal_rows);
    assert_int_equal(sql("SELECT count(*) FROM journal a JOIN journal b ON b.prev = a.seq AND b.first = a.seq + 1"),
                     s.journal_rows - 1);
    assert_int_equal(sql("SELECT count(*) FROM journal WHERE length(bytes) > 1000 AND first < seq"), 0);
}

// A group is cut at its limit, and a batch over every limit still goes through.
static void limits(void **state) {
    Rig *r = *state;
    r->group_bytes_max = 500;
    r->queue_bytes_max = 3000; // submitting beyond runs the store, as there is no thread
    rig_open(r);
    for (int i = 0; i < 200; i++) rig_write(r, 3);
    rig_write(r, 2000);
    rig_settle(r);
    StoreStats s = rig_stats(r);
    assert_true(s.commits > 10);
    assert_true(s.commits < 200);
    assert_int_equal(s.batches, 201);
    reopen_same(r);
    rig_close(r);
    assert_true(sql("SELECT length(bytes) FROM journal ORDER BY seq LIMIT 1 OFFSET 3") <= 500);
}

// ---- checkpoints --------------------------------------------------------------------------------------------------

// After a checkpoint the journal holds what came later only, and a checkpoint within a group leaves no batch twice.
static void trims_the_journal(void **state) {
    Rig *r = *state;
    rig_open(r);
    for (int i = 0; i < 30; i++) {
        rig_write(r, 4);
        store_drain(r->store);
    }
    assert_int_equal(rig_stats(r).journal_rows, 30);
    for (int i = 0; i < 5; i++) rig_write(r, 4);
    assert_true(rig_checkpoint(r)); // at 35; the group goes to 40
    for (int i = 0; i < 5; i++) rig_write(r, 4);
    rig_settle(r);
    StoreStats s = rig_stats(r);
    assert_int_equal(s.checkpoints, 1);
    assert_int_equal(s.journal_rows, 1);
    reopen_same(r);
    assert_int_equal(world_seq(r->world), 40);
    assert_int_equal(rig_stats(r).journal_rows, 1);
    rig_close(r);
    assert_int_equal(sql("SELECT seq FROM root"), 35);
    assert_int_equal(sql("SELECT count(*) * 1000 + max(seq) FROM journal"), 1040);
}

// Page rows are those the root names and no other, round after round, and the file stops growing.
static void drops_pages(void **state) {
    Rig *r = *state;
    int64_t early = 0;
    rig_open(r);
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 10; i++) rig_write(r, 30);
        assert_true(rig_checkpoint(r));
        rig_settle(r);
        if (round % 7 == 3) reopen_same(r);
        if (round == 20) early = rig_stats(r).file_bytes;
    }
    int64_t named = r->store->live.count;
    assert_true(rig_stats(r).file_bytes < early * 3);
    rig_close(r);
    assert_int_equal(sql("SELECT count(*) FROM page"), named);
    assert_int_equal(sql("SELECT count(*) FROM root"), 1);
}

// Rows that a crash between slices leaves behind are gone soon after the next start, and their ids are not reused.
static void drops_orphans(void **state) {
    Rig *r = *state;
    rig_open(r);
    rig_write(r, 100);
    assert_true(rig_checkpoint(r));
    rig_settle(r);
    int64_t named = r->store->live.count;
    rig_close(r);
    sql("INSERT INTO page(id, bytes) SELECT 100000 + value, x'00' FROM (WITH RECURSIVE c(value) AS (SELECT 1 UNION ALL "
        "SELECT value + 1 FROM c LIMIT 500) SELECT value FROM c)");
    sql("INSERT INTO journal(seq, world, prev, first, crc, bytes) VALUES(1, 0, 0, 1, 0, x'00')");
    rig_open(r);
    assert_int_equal(r->store->page_next, 100501);
    assert_int_equal(store_start(r->store), ERR_OK);
    store_drain(r->store);
    rig_close(r);
    assert_int_equal(sql("SELECT count(*) FROM page"), named);
    assert_int_equal(sql("SELECT count(*) FROM journal"), 0);
}

// Pages that the root of another world names stay.
static void other_worlds_keep_pages(void **state) {
    Rig *r = *state;
    rig_open(r);
    rig_write(r, 100);
    assert_true(rig_checkpoint(r));
    rig_settle(r);
    uint64_t page = r->store->live.ids[0];
    Buf ids = {0};
    idset_encode(&(IdSet){&page, 1, 1}, &ids);
    uint32_t crc = root_check(7, 1, page, buf_str(&ids));
    rig_close(r);
    char text[256];
    int n = snprintf(text, sizeof text, "INSERT INTO root VALUES(7, 1, %llu, %u, x'", (unsigned long long)page, crc);
    for (int64_t i = 0; i < ids.n; i++) n += snprintf(text + n, sizeof text - (size_t)n, "%02x", (uint8_t)ids.p[i]);
    snprintf(text + n, sizeof text - (size_t)n, "')");
    buf_free(&ids);
    sql(text);
    rig_open(r);
    for (int i = 0; i < 200; i++) rig_write(r, 50); // every page changes
    assert_true(rig_checkpoint(r));
    rig_settle(r);
    assert_true(idset_find(&r->store->live, page) < 0);
    reopen_same(r);
    store_drain(r->store);
    int64_t named = r->store->live.count;
    rig_close(r);
    assert_int_equal(sql("SELECT count(*) FROM page"), named + 1);
}

// However much is committed, the log beside the file stays short, and so does the file once checkpoints trim it.
static void log_stays_short(void **state) {
    Rig *r = *state;
    int64_t log_max = 0;
    r->group_bytes_max = 200000;
    rig_open(r);
    for (int i = 0; i < 1500; i++) {
        rig_write(r, 300);
        if (i % 10 == 0) rig_settle(r);
        if (i % 300 == 0) assert_true(rig_checkpoint(r));
        const Buf *log = test_vfs_file(r->disk, FILE_NAME "-wal");
        if (log && log->n > log_max) log_max = log->n;
    }
    rig_settle(r);
    StoreStats s = rig_stats(r);
    assert_true(s.bytes > 2 * DB_LOG_BYTES);
    assert_true(log_max > DB_LOG_BYTES / 2);
    assert_true(log_max < 2 * DB_LOG_BYTES);
    reopen_same(r);
    rig_close(r);
}

// Enough blocks for the thread that unpacks ahead: the same world comes back, and damage is told all the same.
static void loads_ahead(void **state) {
    Rig *r = *state;
    rig_open(r);
    for (int i = 0; i < 300; i++) {
        rig_write(r, 400);
        if (i % 10 == 0) rig_settle(r);
    }
    assert_true(rig_checkpoint(r));
    rig_settle(r);
    assert_true(r->store->live.count > 90);
    reopen_same(r);
    rig_close(r);
    for (int id = 5; id < 80; id += 25) {
        char damage[128], words[32];
        snprintf(damage, sizeof damage, "UPDATE page SET bytes = CAST(bytes || x'55' AS BLOB) WHERE id = %d", id);
        snprintf(words, sizeof words, "page row %d ", id);
        sql(damage);
        Buf why = {0};
        assert_int_equal(rig_try_open(r, &why), ERR_CORRUPT);
        buf_byte(&why, 0);
        if (!strstr(why.p, words)) fail_msg("%s, expected %s", why.p, words);
        buf_free(&why);
        snprintf(damage, sizeof damage, "UPDATE page SET bytes = substr(bytes, 1, length(bytes) - 1) WHERE id = %d",
                 id);
        sql(damage);
    }
    rig_open(r);
    rig_close(r);
}

// ---- refusals -----------------------------------------------------------------------------------------------------

static void expect_refused(Rig *r, Err err, const char *words) {
    Buf why = {0};
    Err e = rig_try_open(r, &why);
    buf_byte(&why, 0);
    if (e != err || !strstr(why.p, words)) fail_msg("%s: %s, expected %s", err_name(e), why.p, words);
    buf_free(&why);
}

// The node over the first vectors with its child 6 made the same as child 5, both of one shape; 0: `block` is another.
static bool double_child(Str block, Buf *out) {
    Cut c = cut_of(block);
    if (cut_byte(&c) != 0xB1 || cut_byte(&c) != VEC_META || cut_byte(&c) != 0) return false;
    buf_put(out, block.p, 3);
    uint64_t ids[NODE_FAN];
    for (uint32_t i = 0; i < NODE_FAN; i++) ids[i] = cut_varint(&c);
    ids[VECNO_NAME_INFO] = ids[VECNO_NAME_DIR];
    for (uint32_t i = 0; i < NODE_FAN; i++) buf_varint(out, ids[i]);
    return !c.bad && ids[VECNO_NAME_DIR] && ids[VECNO_HOT];
}

// Sound rows that form no tree: a block below two parents is refused, as it could be below 64^15.
static void refuses_a_block_twice(void **state) {
    Rig *r = *state;
    rig_open(r);
    rig_write(r, 100);
    assert_true(rig_checkpoint(r));
    rig_settle(r);
    Store *s = r->store;
    sqlite3_stmt *get, *put;
    int changed = 0;
    assert_int_equal(sqlite3_prepare_v2(s->db.h, "SELECT id, bytes FROM page", -1, &get, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(s->db.h, "UPDATE page SET bytes = ?2 WHERE id = ?1", -1, &put, NULL),
                     SQLITE_OK);
    while (!changed && sqlite3_step(get) == SQLITE_ROW) {
        Buf block = {0}, twice = {0}, blob = {0};
        uint64_t id = (uint64_t)sqlite3_column_int64(get, 0);
        Str bytes = {sqlite3_column_blob(get, 1), sqlite3_column_bytes(get, 1)};
        assert_int_equal(blob_unpack(&s->zip, id, bytes, &block), ERR_OK);
        if (double_child(buf_str(&block), &twice)) {
            blob_pack(&s->zip, id, buf_str(&twice), &blob);
            sqlite3_bind_int64(put, 1, (int64_t)id);
            sqlite3_bind_blob(put, 2, blob.p, (int)blob.n, SQLITE_TRANSIENT);
            assert_int_equal(sqlite3_step(put), SQLITE_DONE);
            changed++;
        }
        buf_free(&block), buf_free(&twice), buf_free(&blob);
    }
    sqlite3_finalize(get);
    sqlite3_finalize(put);
    assert_int_equal(changed, 1);
    rig_close(r);
    expect_refused(r, ERR_CORRUPT, "does not hold what it should");
}

// Damage, table by table: the message names the row.
static void refuses_damage(void **state) {
    static const struct {
        const char *sql, *words;
    } cases[] = {
        {"UPDATE page SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'55' AS BLOB) WHERE id = 3",
         "page row 3"},
        {"UPDATE page SET bytes = x'00' WHERE id = 2", "page row 2"},
        {"UPDATE page SET bytes = (SELECT bytes FROM page WHERE id = 1) WHERE id = 2", "page row 2"},
        {"DELETE FROM page WHERE id = 2", "page row 2 is missing"},
        {"DELETE FROM page WHERE id = (SELECT page FROM root)", "is missing"},
        {"UPDATE journal SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'aa' AS BLOB) WHERE seq = 13",
         "journal row 13"},
        {"UPDATE journal SET crc = crc + 1 WHERE seq = 14", "journal row 14"},
        {"UPDATE journal SET seq = 113 WHERE seq = 15", "journal row 113"},
        {"DELETE FROM journal WHERE seq = 13", "before row 14 is missing"},
        {"DELETE FROM journal WHERE seq = 11", "before row 12 is missing"},
        {"UPDATE root SET seq = seq - 1", "root row 0"},
        {"UPDATE root SET page = page - 1", "root row 0"},
        {"UPDATE root SET ids = x'00'", "root row 0"},
        {"DROP TABLE meta", "a table is missing"},
        {"DROP TABLE item", "a table is missing"},
        {"PRAGMA user_version = 5", "written by a newer one"},
        {"PRAGMA application_id = 5", "not a Sosia store"},
    };
    Rig *r = *state;
    rig_open(r);
    for (int i = 0; i < 10; i++) rig_write(r, 20);
    assert_true(rig_checkpoint(r));
    rig_settle(r);
    for (int i = 0; i < 5; i++) {
        rig_write(r, 20);
        store_drain(r->store);
    }
    rig_close(r);
    TestVfs *sound = test_vfs_new("store_sound");
    test_vfs_copy(r->disk, sound);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_vfs_copy(sound, r->disk);
        sql(cases[i].sql);
        bool format = strncmp(cases[i].sql, "PRAGMA", 6) == 0;
        expect_refused(r, format ? ERR_STORAGE : ERR_CORRUPT, cases[i].words);
    }
    test_vfs_copy(sound, r->disk);
    rig_open(r);
    assert_int_equal(world_seq(r->world), 15);
    rig_close(r);
    test_vfs_free(sound);
}

// Any byte of the file may be wrong: the store is refused, or what it holds is what was written.
static void survives_any_flip(void **state) {
    Rig *r = *state;
    rig_open(r);
    for (int i = 0; i < 10; i++) rig_write(r, 20);
    assert_true(rig_checkpoint(r));
    rig_settle(r);
    rig_write(r, 20);
    rig_settle(r);
    Buf whole = rig_dump(r);
    rig_close(r);
    TestVfs *sound = test_vfs_new("store_sound");
    test_vfs_copy(r->disk, sound);
    Rng rng = rng_make(5, 5);
    int refused = 0, same = 0;
    for (int i = 0; i < 2000; i++) {
        test_vfs_copy(sound, r->disk);
        Buf *file = test_vfs_file(r->disk, FILE_NAME);
        int64_t at = (int64_t)rng_below(&rng, (uint64_t)file->n);
        file->p[at] = (char)(file->p[at] ^ (1 << rng_below(&rng, 8)));
        Buf why = {0};
        if (rig_try_open(r, &why) == ERR_OK) {
            Buf now = {0};
            test_world_dump(r->world, &now);
            if (!str_eq(buf_str(&now), buf_str(&whole))) fail_msg("flip at %lld gave another world", (long long)at);
            same++;
            buf_free(&now);
            rig_close(r);
        } else {
            assert_true(why.n > 0);
            refused++;
        }
        buf_free(&why);
    }
    print_message("of 2000 flips %d were refused, %d did no harm\n", refused, same);
    assert_true(refused > 50);
    buf_free(&whole);
    test_vfs_free(sound);
}

// Files that are not ours are refused and left as they are.
static void refuses_strangers(void **state) {
    (void)state;
    Rig r = {.disk = NULL};
    rig_folder(&r);
    FILE *f = fopen(r.path, "w");
    for (int i = 0; i < 1000; i++) fputs("not a database\n", f);
    fclose(f);
    expect_refused(&r, ERR_STORAGE, "not a Sosia store");

    sqlite3 *h;
    assert_int_equal(unlink(r.path), 0);
    assert_int_equal(sqlite3_open(r.path, &h), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, "CREATE TABLE t(x); INSERT INTO t VALUES(1)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(h);
    expect_refused(&r, ERR_STORAGE, "not a Sosia store");
    assert_int_equal(sqlite3_open(r.path, &h), SQLITE_OK);
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_prepare_v2(h, "PRAGMA journal_mode", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(st, 0), "delete");
    sqlite3_finalize(st);
    sqlite3_close(h);
    rig_folder_free(&r);

    snprintf(r.path, sizeof r.path, "/nowhere/at/all.sosia");
    expect_refused(&r, ERR_STORAGE, "unable to open");
}

// One process at a time, also when the other one dies without closing.
static void refuses_a_second(void **state) {
    (void)state;
    Rig r = {.disk = NULL}, second = {.disk = NULL};
    rig_folder(&r);
    memcpy(second.path, r.path, sizeof second.path);
    int ready[2], leave[2];
    char c = 0;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(leave), 0);
    pid_t child = fork(); // before this process has the file open
    assert_true(child >= 0);
    if (child == 0) {
        rig_open(&r);
        rig_write(&r, 10);
        store_drain(r.store);
        if (write(ready[1], "r", 1) != 1 || read(leave[0], &c, 1) != 1) _exit(1);
        _exit(0); // as a kill would: nothing is closed
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    expect_refused(&r, ERR_STORAGE, "another process has the store open");
    assert_int_equal(write(leave[1], "l", 1), 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    rig_open(&r);
    assert_int_equal(world_seq(r.world), 1);
    expect_refused(&second, ERR_STORAGE, "another process has the store open");
    reopen_same(&r);
    rig_close(&r);
    for (int i = 0; i < 2; i++) close(ready[i]), close(leave[i]);
    rig_folder_free(&r);
}

// ---- trouble ------------------------------------------------------------------------------------------------------

// The disk fills up: the batches since the last commit are refused, reads go on, and there is a way back.
static void full_disk(void **state) {
    Rig *r = *state;
    rig_open(r);
    for (int i = 0; i < 5; i++) rig_write(r, 20);
    rig_settle(r);
    Buf before = rig_dump(r);
    test_vfs_room(r->disk, test_vfs_used(r->disk) + 20000);
    int64_t first = 0;
    while (!r->fails) {
        if (!first) first = (int64_t)r->acked;
        rig_write(r, 200);
        rig_write(r, 200);
        store_drain(r->store);
        if (!r->fails) {
            world_settle(r->world, r->acked);
            buf_free(&before);
            before = rig_dump(r);
        }
    }
    assert_int_equal(r->err, ERR_STORAGE_FULL);
    assert_non_null(strstr(r->why, "the disk is full"));
    rig_write(r, 5);       // dropped: the engine has not answered yet
    store_probe(r->store); // not told twice either: the answer to the first would be taken for that to the second
    store_drain(r->store);
    assert_int_equal(r->fails, 1);
    rig_undo(r);
    Buf after = rig_dump(r);
    assert_true(str_eq(buf_str(&before), buf_str(&after)));
    store_probe(r->store);
    store_drain(r->store);
    assert_int_equal(r->fails, 2); // still full
    rig_undo(r);
    test_vfs_room(r->disk, 0);
    int commits = r->commits;
    uint64_t acked = r->acked;
    store_probe(r->store);
    store_drain(r->store);
    assert_int_equal(r->fails, 2);
    assert_int_equal(r->commits, commits + 1);
    assert_int_equal(r->acked, acked);
    for (int i = 0; i < 5; i++) rig_write(r, 20);
    rig_settle(r);
    assert_int_equal(r->acked, acked + 5);
    reopen_same(r);
    rig_close(r);
    buf_free(&before);
    buf_free(&after);
}

// A checkpoint that finds no room costs nothing: commits go on, its rows are dropped, the next one succeeds.
static void checkpoint_on_a_full_disk(void **state) {
    Rig *r = *state;
    rig_open(r);
    for (int i = 0; i < 40; i++) rig_write(r, 100);
    rig_settle(r);
    test_vfs_break(r->disk, TEST_FAULT_FULL, TEST_WRITE, 3, 1);
    assert_true(rig_checkpoint(r));
    store_drain(r->store);
    assert_false(store_checkpointing(r->store));
    assert_int_equal(rig_stats(r).checkpoints_failed, 1);
    assert_int_equal(r->fails, 0);
    rig_write(r, 10);
    rig_settle(r);
    assert_int_equal(r->acked, 41);
    assert_true(rig_checkpoint(r));
    rig_settle(r);
    assert_int_equal(rig_stats(r).checkpoints, 1);
    reopen_same(r);
    int64_t named = r->store->live.count;
    rig_close(r);
    assert_int_equal(sql("SELECT count(*) FROM page"), named);
}

// A checkpoint whose batches are refused is dropped with them, and none is taken while a refusal is open.
static void checkpoint_of_refused_batches(void **state) {
    Rig *r = *state;
    rig_open(r);
    rig_write(r, 20);
    rig_settle(r);
    test_vfs_break(r->disk, TEST_FAULT_IO, TEST_WRITE, 1, 1);
    rig_write(r, 20);
    assert_true(rig_checkpoint(r));
    store_drain(r->store);
    assert_int_equal(r->fails, 1);
    assert_int_equal(r->err, ERR_STORAGE);
    assert_false(store_checkpointing(r->store));
    World *fork = world_fork(r->world, 0);
    assert_false(store_checkpoint(r->store, fork, world_seq(r->world)));
    world_free(fork);
    rig_undo(r);
    rig_write(r, 20);
    assert_true(rig_checkpoint(r));
    rig_settle(r);
    assert_int_equal(r->acked, 2);
    reopen_same(r);
    rig_close(r);
}

// Every read of an opening fails once: a clear error, nothing leaks, and the next try works.
static void reads_fail(void **state) {
    Rig *r = *state;
    rig_open(r);
    for (int i = 0; i < 20; i++) rig_write(r, 50);
    assert_true(rig_checkpoint(r));
    rig_write(r, 50);
    rig_settle(r);
    Buf whole = rig_dump(r);
    rig_close(r);
    int refused = 0;
    for (int64_t k = 1;; k++) {
        test_vfs_break(r->disk, TEST_FAULT_IO, TEST_READ, k, 1);
        Buf why = {0};
        Err e = rig_try_open(r, &why);
        bool hit = test_vfs_count(r->disk) >= k;
        test_vfs_break(r->disk, TEST_FAULT_NONE, 0, 0, 0);
        if (e == ERR_OK) {
            Buf now = rig_dump(r);
            assert_true(str_eq(buf_str(&now), buf_str(&whole)));
            buf_free(&now);
            rig_close(r);
        } else {
            assert_true(why.n > 0);
            refused++;
        }
        buf_free(&why);
        if (!hit) break;
    }
    assert_true(refused > 5);
    buf_free(&whole);
}

// ---- threads ------------------------------------------------------------------------------------------------------

typedef struct Gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool open;
    int waiting;
    uint64_t acked;
} Gate;

static void gate_commit(void *ctx, uint64_t seq) {
    Gate *g = ctx;
    pthread_mutex_lock(&g->lock);
    g->waiting++;
    pthread_cond_broadcast(&g->moved);
    while (!g->open) pthread_cond_wait(&g->moved, &g->lock);
    g->acked = seq;
    pthread_mutex_unlock(&g->lock);
}

typedef struct Pusher {
    Store *s;
    World *w;
    _Atomic uint64_t submitted;
} Pusher;

static void *push_all(void *arg) {
    Pusher *p = arg;
    TestWriter writer = {.rng = rng_make(2, 2)};
    Buf bytes = {0};
    for (uint64_t seq = 1; seq <= 50; seq++) {
        buf_reset(&bytes);
        test_writer_batch(&writer, p->w, seq, 20, &bytes);
        store_submit(p->s, seq, buf_str(&bytes));
        atomic_store(&p->submitted, seq);
    }
    buf_free(&bytes);
    test_writer_free(&writer);
    return NULL;
}

// With the queue full the writer waits, and goes on when the store does.
static void submit_waits(void **state) {
    Rig *r = *state;
    Gate g = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    StoreOpen o = {.path = STR(FILE_NAME), .vfs = VFS, .queue_bytes_max = 6000, .ctx = &g, .on_commit = gate_commit};
    Domain *d = domain_new();
    Pusher p = {0};
    assert_int_equal(store_open(&o, d, RING, &p.s, &p.w, NULL), ERR_OK);
    assert_int_equal(store_start(p.s), ERR_OK);
    Thread t = {0};
    assert_int_equal(thread_start(&t, "pusher", push_all, &p), ERR_OK);
    pthread_mutex_lock(&g.lock);
    while (!g.waiting) pthread_cond_wait(&g.moved, &g.lock);
    pthread_mutex_unlock(&g.lock);
    StoreStats stats = {0};
    for (uint64_t was = 0, now; (now = atomic_load(&p.submitted)) != was || stats.queue_bytes < 4000; was = now) {
        thread_sleep_ns(20000000); // until it stands
        store_stats(p.s, &stats);
    }
    assert_true(atomic_load(&p.submitted) < 50);
    assert_true(stats.queue_bytes <= 6000);
    pthread_mutex_lock(&g.lock);
    g.open = true;
    pthread_cond_broadcast(&g.moved);
    pthread_mutex_unlock(&g.lock);
    thread_join(&t);
    store_drain(p.s);
    assert_int_equal(g.acked, 50);
    store_close(p.s);
    world_free(p.w);
    domain_free(d);
    (void)r;
}

// The store's own thread at work: commits, checkpoints and deleting behind a writer that does not wait.
static void threaded(void **state) {
    Rig *r = *state;
    rig_open(r);
    for (int round = 0; round < 4; round++) {
        assert_int_equal(store_start(r->store), ERR_OK);
        for (int i = 0; i < 300; i++) {
            rig_write(r, 10);
            world_settle(r->world, atomic_load(&r->acked));
            if (i % 10 == 5) {
                uint64_t seq = world_seq(r->world);
                World *fork = world_fork(r->world, 0);
                if (!store_checkpoint(r->store, fork, seq)) world_free(fork);
            }
            StoreStats s = rig_stats(r);
            assert_true(s.queue_bytes >= 0);
        }
        rig_settle(r);
        assert_int_equal(r->acked, world_seq(r->world));
        assert_true(rig_stats(r).checkpoints > 0);
        assert_int_equal(rig_stats(r).checkpoints_failed, 0);
        reopen_same(r);
    }
    int64_t named = r->store->live.count;
    rig_close(r);
    assert_int_equal(r->fails, 0);
    assert_int_equal(sql("SELECT count(*) FROM page"), named);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(comes_back),
        T(groups),
        T(groups_of_rows),
        T(limits),
        T(trims_the_journal),
        T(drops_pages),
        T(drops_orphans),
        T(other_worlds_keep_pages),
        T(log_stays_short),
        T(loads_ahead),
        T(refuses_damage),
        T(refuses_a_block_twice),
        T(survives_any_flip),
        T(refuses_strangers),
        T(refuses_a_second),
        T(full_disk),
        T(checkpoint_on_a_full_disk),
        T(checkpoint_of_refused_batches),
        T(reads_fail),
        T(submit_waits),
        T(threaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
