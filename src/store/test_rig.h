// SPDX-License-Identifier: Apache-2.0
// What tests of the store share: a store with its world, as an engine holds them, on a simulated disk or a real one.
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/mem.h"
#include "store/store_inner.h"
#include "store/test_vfs.h"
#include "store/test_world.h"

#define KIT __attribute__((unused)) static

#define RING 65536
#define VFS "store_rig"
#define FILE_NAME "plant.sosia"

typedef struct Rig {
    TestVfs *disk; // NULL: path is on the real one
    char folder[64], path[96];
    int64_t journal_bytes_max, group_bytes_max, row_bytes_max, queue_bytes_max; // 0: as they are
    bool replays; // recovery tells what it replays: there is a history
    bool sound;   // a store that fails ends the test
    Domain *domain;
    Store *store;
    World *world;
    TestWriter writer;
    _Atomic uint64_t acked;
    atomic_int commits, fails;
    Err err; // of the last failure
    char why[512];
    uint64_t replayed_first, replayed_last; // told by recovery
    Buf trails;                             // of the batches replayed
} Rig;

// ---- what the store tells -----------------------------------------------------------------------------------------

// What is durable is acknowledged.
KIT void on_commit(void *ctx, uint64_t last_seq) {
    Rig *r = ctx;
    atomic_store(&r->acked, last_seq);
    atomic_fetch_add(&r->commits, 1);
}

// The store has failed, and says why.
KIT void on_fail(void *ctx, Err err, const char *why) {
    Rig *r = ctx;
    assert_true(err != ERR_OK && why[0]);
    if (r->sound) fail_msg("%s", why);
    r->err = err;
    snprintf(r->why, sizeof r->why, "%s", why);
    atomic_fetch_add(&r->fails, 1);
}

// A batch that recovery replays: they come without a gap.
KIT void on_replay(void *ctx, const BatchHead *head, Str trail) {
    Rig *r = ctx;
    if (!r->replayed_first) r->replayed_first = head->seq;
    else assert_true(head->seq == r->replayed_last + 1);
    r->replayed_last = head->seq;
    buf_str_put(&r->trails, trail);
}

// ---- open and close -----------------------------------------------------------------------------------------------

// Open the store with its world.
KIT Err rig_try_open(Rig *r, Buf *why) {
    StoreOpen o = {.path = str_of(r->path[0] ? r->path : FILE_NAME),
                   .vfs = r->disk ? VFS : NULL,
                   .journal_bytes_max = r->journal_bytes_max,
                   .group_bytes_max = r->group_bytes_max,
                   .row_bytes_max = r->row_bytes_max,
                   .queue_bytes_max = r->queue_bytes_max,
                   .ctx = r,
                   .on_commit = on_commit,
                   .on_fail = on_fail,
                   .on_replay = r->replays ? on_replay : NULL};
    r->domain = domain_new();
    r->replayed_first = r->replayed_last = 0;
    buf_reset(&r->trails);
    Err e = store_open(&o, r->domain, RING, &r->store, &r->world, why);
    if (e != ERR_OK) {
        domain_free(r->domain);
        r->domain = NULL;
        return e;
    }
    atomic_store(&r->acked, world_seq(r->world));
    r->writer.rng = rng_make(5, atomic_load(&r->acked));
    test_writer_look(&r->writer, r->world);
    return e;
}

// The same; it must open.
KIT void rig_open(Rig *r) {
    Buf why = {0};
    if (rig_try_open(r, &why) != ERR_OK) fail_msg("%.*s", STR_ARG(buf_str(&why)));
    buf_free(&why);
}

// Close both.
KIT void rig_close(Rig *r) {
    store_close(r->store);
    world_free(r->world);
    domain_free(r->domain);
    test_writer_free(&r->writer);
    r->writer = (TestWriter){0};
    r->store = NULL;
}

// Close and open again: recovery.
KIT void rig_reopen(Rig *r) {
    rig_close(r);
    rig_open(r);
}

// ---- what an engine does ------------------------------------------------------------------------------------------

// Hand over one random batch of so many changes. Returns its bytes.
KIT int64_t rig_write(Rig *r, int64_t changes) {
    Buf bytes = {0};
    uint64_t seq = world_seq(r->world) + 1;
    test_writer_batch(&r->writer, r->world, seq, changes, &bytes);
    int64_t n = bytes.n;
    store_submit(r->store, seq, buf_str(&bytes));
    buf_free(&bytes);
    return n;
}

// Wait until all is durable.
KIT void rig_settle(Rig *r) {
    store_drain(r->store);
    world_settle(r->world, atomic_load(&r->acked));
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

// ---- the file behind the store's back -----------------------------------------------------------------------------

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

// ---- beginning and end of a test ----------------------------------------------------------------------------------

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

// A folder on the real disk for the file of a rig, which is not open yet.
KIT void rig_folder(Rig *r) {
    snprintf(r->folder, sizeof r->folder, "/tmp/sosia-store-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    snprintf(r->path, sizeof r->path, "%s/%s", r->folder, FILE_NAME);
}
// File and folder go: neither log nor lock is left beside the file.
KIT void rig_folder_free(Rig *r) {
    assert_int_equal(unlink(r->path), 0);
    assert_int_equal(rmdir(r->folder), 0);
}

// A rig on the real disk, not open yet.
KIT int setup_real(void **state) {
    Rig *r = mem_alloc(sizeof *r);
    rig_folder(r);
    *state = r;
    return 0;
}
// It ends, and its folder.
KIT int teardown_real(void **state) {
    Rig *r = *state;
    rig_folder_free(r);
    buf_free(&r->trails);
    mem_free(r);
    return 0;
}
