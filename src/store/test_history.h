// SPDX-License-Identifier: Apache-2.0
// What the tests of history in the store share: a store with a world on a simulated disk or a real one, and rows.
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/store_inner.h"
#include "store/test_vfs.h"
#include "store/test_world.h"

#define KIT __attribute__((unused)) static

#define RING 65536
#define VFS "store_history"
#define FILE_NAME "plant.sosia"

typedef struct Rig {
    TestVfs *disk; // NULL: path is on the real one
    char folder[64], path[96];
    Domain *domain;
    Store *store;
    World *world;
    TestWriter writer;
    _Atomic uint64_t acked;
    bool no_history;
    uint64_t replayed_first, replayed_last; // told by recovery
    Buf trails;                             // of the batches replayed
} Rig;

// What is durable is acknowledged.
KIT void on_commit(void *ctx, uint64_t last_seq) { atomic_store(&((Rig *)ctx)->acked, last_seq); }
// The store has failed, and says why.
KIT void on_fail(void *ctx, Err err, const char *why) {
    (void)ctx, (void)err;
    fail_msg("%s", why);
}

// A batch that recovery replays: they come without a gap.
KIT void on_replay(void *ctx, const BatchHead *head, Str trail) {
    Rig *r = ctx;
    if (!r->replayed_first) r->replayed_first = head->seq;
    else assert_true(head->seq == r->replayed_last + 1);
    r->replayed_last = head->seq;
    buf_str_put(&r->trails, trail);
}

// Open the store with its world.
KIT void rig_open(Rig *r) {
    StoreOpen o = {.path = str_of(r->disk ? FILE_NAME : r->path),
                   .vfs = r->disk ? VFS : NULL,
                   .ctx = r,
                   .on_commit = on_commit,
                   .on_fail = on_fail,
                   .on_replay = r->no_history ? NULL : on_replay};
    Buf why = {0};
    r->domain = domain_new();
    r->replayed_first = r->replayed_last = 0;
    buf_reset(&r->trails);
    Err e = store_open(&o, r->domain, RING, &r->store, &r->world, &why);
    if (e) fail_msg("%.*s", STR_ARG(buf_str(&why)));
    atomic_store(&r->acked, world_seq(r->world));
    r->writer.rng = rng_make(5, r->acked);
    test_writer_look(&r->writer, r->world);
}

// Close both.
KIT void rig_close(Rig *r) {
    store_close(r->store);
    world_free(r->world);
    domain_free(r->domain);
    test_writer_free(&r->writer);
    r->writer = (TestWriter){0};
}

// Close and open again: recovery.
KIT void rig_reopen(Rig *r) {
    rig_close(r);
    rig_open(r);
}

// Write one batch of so many changes.
KIT void rig_write(Rig *r, int64_t changes) {
    Buf bytes = {0};
    uint64_t seq = world_seq(r->world) + 1;
    test_writer_batch(&r->writer, r->world, seq, changes, &bytes);
    store_submit(r->store, seq, buf_str(&bytes));
    buf_free(&bytes);
}

// Wait until all is durable.
KIT void rig_settle(Rig *r) {
    store_drain(r->store);
    world_settle(r->world, r->acked);
}

// Hand a fork to a checkpoint; false: the store took none.
KIT bool rig_checkpoint(Rig *r) {
    World *fork = world_fork(r->world, 0);
    bool taken = store_checkpoint(r->store, fork, world_seq(r->world));
    if (!taken) world_free(fork);
    return taken;
}

// The counters of the store.
KIT StoreStats rig_stats(Rig *r) {
    StoreStats s;
    store_stats(r->store, &s);
    return s;
}

// The first number of the answer of SQLite, on the file as it is.
KIT int64_t sql_on(const char *path, const char *vfs, const char *text) {
    sqlite3 *h;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, vfs), SQLITE_OK);
    if (sqlite3_prepare_v2(h, text, -1, &st, NULL) != SQLITE_OK) fail_msg("%s: %s", text, sqlite3_errmsg(h));
    int rc = sqlite3_step(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) fail_msg("%s: %s", text, sqlite3_errmsg(h));
    int64_t n = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    assert_int_equal(sqlite3_close(h), SQLITE_OK);
    return n;
}
// The same on the simulated disk.
KIT int64_t sql(const char *text) { return sql_on(FILE_NAME, VFS, text); }

// A rig on the simulated disk, not open yet.
KIT int setup(void **state) {
    Rig *r = mem_alloc(sizeof *r);
    r->disk = test_vfs_new(VFS);
    *state = r;
    return 0;
}
// It ends.
KIT int teardown(void **state) {
    Rig *r = *state;
    test_vfs_free(r->disk);
    buf_free(&r->trails);
    mem_free(r);
    return 0;
}

// A rig on the real disk, not open yet.
KIT int setup_real(void **state) {
    Rig *r = mem_alloc(sizeof *r);
    snprintf(r->folder, sizeof r->folder, "/tmp/sosia-history-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    snprintf(r->path, sizeof r->path, "%s/%s", r->folder, FILE_NAME);
    *state = r;
    return 0;
}
// It ends, and its folder.
KIT int teardown_real(void **state) {
    Rig *r = *state;
    assert_int_equal(unlink(r->path), 0);
    assert_int_equal(rmdir(r->folder), 0); // neither log nor lock is left beside the file
    buf_free(&r->trails);
    mem_free(r);
    return 0;
}

// ---- putting ------------------------------------------------------------------------------------------------------

typedef struct Told {
    atomic_int ok, refused;
    char why[200];
} Told;

// The answer to a put.
KIT void told(void *arg, Err err, const char *why) {
    Told *t = arg;
    if (err == ERR_OK) assert_null(why);
    else snprintf(t->why, sizeof t->why, "%s", why);
    atomic_fetch_add(err == ERR_OK ? &t->ok : &t->refused, 1);
}

// Put one block, and wait for the answer.
KIT void put_one(Store *s, const StoreHistory *h, Told *t) {
    assert_int_equal(store_history_put(s, &(StoreHistoryPut){.rows = h, .row_count = 1}, told, t), ERR_OK);
}

// A block whose bytes tell its numbers.
KIT StoreHistory block(uint64_t lane, uint64_t page, uint64_t first, uint64_t last, char *text, size_t n) {
    int len = snprintf(text, n, "lane %llu page %llu first %llu", (unsigned long long)lane, (unsigned long long)page,
                       (unsigned long long)first);
    return (StoreHistory){.lane = lane,
                          .page = page,
                          .first = first,
                          .last = last,
                          .t0 = (int64_t)first * 1000,
                          .t1 = (int64_t)last * 1000,
                          .s0 = (int64_t)first * 1000,
                          .s1 = (int64_t)last * 1000,
                          .points = (int64_t)(last - first + 1),
                          .bytes = {text, len}};
}

// ---- looking -----------------------------------------------------------------------------------------------------

// The same but for its bytes.
KIT bool same_row(const StoreHistory *a, const StoreHistory *b) {
    return a->lane == b->lane && a->page == b->page && a->tier == b->tier && a->first == b->first &&
           a->last == b->last && a->t0 == b->t0 && a->t1 == b->t1 && a->s0 == b->s0 && a->s1 == b->s1 &&
           a->points == b->points && a->late == b->late && a->start == b->start;
}

// Counts.
KIT bool count_row(void *ctx, const StoreHistory *h) {
    (void)h;
    ++*(int64_t *)ctx;
    return true;
}

// Blocks of a page of a lane; -1: they cannot be read.
KIT int64_t rows_of(Store *s, uint64_t lane, uint64_t page) {
    StoreReader *r;
    int64_t n = 0;
    StoreHistoryAsk ask = {.lane = lane, .page = page, .bytes = true, .from = INT64_MIN, .to = INT64_MAX};
    assert_int_equal(store_reader_begin(s, &r), ERR_OK);
    Err e = store_history_rows(r, &ask, count_row, &n);
    store_reader_end(r);
    return e == ERR_OK ? n : -1;
}
