// SPDX-License-Identifier: Apache-2.0
// LABELS: threads
// After a scrub the file and its log hold nothing of what was erased: live rows are decoded and searched, free pages
// are zeros, the log is empty.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "base/time.h"
#include "store/scrub.h"
#include "store/store_inner.h"
#include "store/test_vfs.h"
#include "world/forget.h"

#define SECRET "Ada Lovelace, 1815-12-10, O negative"

#define VFS "scrub"

enum { TWINS = 300 };

static const char MODELS[] = "[{\"@id\":\"dtmi:test:P;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\","
                             "\"contents\":[{\"@type\":\"Property\",\"name\":\"s\",\"schema\":\"string\"}]}]";

typedef struct Rig {
    char folder[64], path[96];
    Domain *domain;
    Store *store;
    World *world;
    _Atomic uint64_t acked;
    uint64_t twins[TWINS];
    uint32_t col;
    Forget forget;
    Err err;
    int64_t rows, zeroed;
    _Atomic bool done;
    const char *vfs;
    bool hold; // what ends is not committed before more was submitted
} Rig;

static void on_commit(void *ctx, uint64_t last_seq) { ((Rig *)ctx)->acked = last_seq; }
static void on_fail(void *ctx, Err err, const char *why) { fail_msg("%p %d %s", ctx, (int)err, why); }

static void rig_open(Rig *r) {
    StoreOpen o = {.path = str_of(r->path),
                   .vfs = r->vfs,
                   .journal_bytes_max = 64 << 20,
                   .ctx = r,
                   .on_commit = on_commit,
                   .on_fail = on_fail};
    Buf why = {0};
    r->domain = domain_new();
    if (store_open(&o, r->domain, 1 << 16, &r->store, &r->world, &why)) fail_msg("%.*s", STR_ARG(buf_str(&why)));
}

static void rig_close(Rig *r) {
    store_close(r->store);
    world_free(r->world);
    domain_free(r->domain);
}

static void rig_begin(Rig *r) {
    World *w = r->world;
    world_begin(w, world_seq(w) + 1, world_next_time(w, world_time(w) + NS_PER_S));
}

static void rig_do(Rig *r, Change c) { assert_int_equal(world_do(r->world, &c), ERR_OK); }

static void rig_end(Rig *r) {
    Buf bytes = {0};
    BatchHead head = {.seq = world_seq(r->world), .time = world_time(r->world), .source = STR("test")};
    Str changes = world_batch(r->world, &head.count);
    batch_encode(&head, changes, &bytes);
    world_end(r->world);
    store_submit(r->store, head.seq, buf_str(&bytes));
    buf_free(&bytes);
    if (r->hold) return;
    store_drain(r->store);
    world_settle(r->world, r->acked);
}

static void rig_checkpoint(Rig *r) {
    assert_true(store_checkpoint(r->store, world_fork(r->world, 0), world_seq(r->world)));
    store_drain(r->store);
}

static void rig_people(Rig *r) {
    rig_begin(r);
    rig_do(r, (Change){.kind = CHANGE_MODELS_ADD, .text = STR(MODELS)});
    for (int i = 0; i < TWINS; i++) {
        char name[32];
        r->twins[i] = world_take_twin_id(r->world).v;
        snprintf(name, sizeof name, i ? "twin-%d" : "ada-lovelace-1815", i);
        rig_do(r, (Change){.kind = CHANGE_TWIN_NEW, .id = r->twins[i], .text = str_of(name)});
    }
    rig_end(r);
    r->col = view_writer(r->world).catalog->tables[0].first;
}

// Values of everybody, again and again, with roots in between: much is deleted from the file on the way.
static void rig_history(Rig *r) {
    for (int round = 0; round < 12; round++) {
        rig_begin(r);
        for (int i = 0; i < TWINS; i++) {
            char text[400];
            int n = i ? snprintf(text, sizeof text, "value %d of %d %*d", round, i, 200 + i % 100, i)
                      : snprintf(text, sizeof text, "%s (%d)", SECRET, round);
            rig_do(r,
                   (Change){.kind = CHANGE_SET, .cell = CELL_STR, .id = r->twins[i], .col = r->col, .text = {text, n}});
        }
        rig_end(r);
        if (round % 2) rig_checkpoint(r);
    }
}

static void rig_erase(Rig *r) {
    char room[32];
    rig_begin(r);
    rig_do(r, (Change){.kind = CHANGE_TWIN_DEL, .id = r->twins[0]});
    rig_do(r, (Change){.kind = CHANGE_ERASED, .id = r->twins[0], .text = forget_name(r->twins[0], room)});
    rig_end(r);
    r->forget = (Forget){.twin = r->twins[0], .all = true};
}

static Err forget(void *ctx, uint64_t world, Str bytes, Buf *out) {
    (void)world;
    int64_t taken;
    Err err = forget_batches(&((Rig *)ctx)->forget, bytes, out, &taken);
    if (!taken) buf_reset(out);
    return err;
}

static void on_scrubbed(void *arg, Err err, int64_t rows, int64_t zeroed) {
    Rig *r = arg;
    r->err = err;
    r->rows = rows;
    r->zeroed = zeroed;
    atomic_store(&r->done, true);
}

// ---- looking for it -----------------------------------------------------------------------------------------------

static bool holds(Str s, const char *what) { return memmem(s.p, (size_t)s.n, what, strlen(what)) != NULL; }

static void check_clean(Str s, const char *where) {
    if (holds(s, "Lovelace") || holds(s, "lovelace") || holds(s, "O negative")) fail_msg("%s still tells", where);
}

static Buf file_of(const char *path) {
    Buf b = {0};
    FILE *f = fopen(path, "rb");
    char block[65536];
    for (size_t n; f && (n = fread(block, 1, sizeof block, f)) > 0;) buf_put(&b, block, (int64_t)n);
    if (f) fclose(f);
    return b;
}

static void check_rows(const Rig *r, const char *sql, bool packed) {
    sqlite3 *h;
    sqlite3_stmt *st;
    Zip zip = {0};
    Buf out = {0};
    assert_int_equal(sqlite3_open_v2(r->path, &h, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(h, sql, -1, &st, NULL), SQLITE_OK);
    int rows = 0;
    for (; sqlite3_step(st) == SQLITE_ROW; rows++) {
        Str blob = {sqlite3_column_blob(st, 1), sqlite3_column_bytes(st, 1)};
        buf_reset(&out);
        if (packed) assert_int_equal(blob_unpack(&zip, (uint64_t)sqlite3_column_int64(st, 0), blob, &out), ERR_OK);
        check_clean(packed ? buf_str(&out) : blob, sql);
    }
    assert_true(rows > 0);
    sqlite3_finalize(st);
    sqlite3_close(h);
    zip_free(&zip);
    buf_free(&out);
}

static uint32_t be32(const char *p) {
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static int64_t filled(const char *p, int64_t n) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += p[i] != 0;
    return count;
}

// SQLite file format, section 1.5: trunk pages list leaf pages. Rows of zeros leave zeros, and next to nothing of the
// tables they were in: heads, and rows that were moved together when others went, which are still in the file.
// Returns how many pages are free.
static int64_t check_free_pages(Str file) {
    int64_t n = 0, left = 0;
    for (uint32_t trunk = be32(file.p + 32); trunk; n++) {
        const char *t = file.p + (int64_t)(trunk - 1) * DB_PAGE_BYTES;
        uint32_t leaves = be32(t + 4);
        for (uint32_t i = 0; i < leaves; i++, n++) {
            const char *leaf = file.p + (int64_t)(be32(t + 8 + 4 * i) - 1) * DB_PAGE_BYTES;
            left += filled(leaf, DB_PAGE_BYTES);
        }
        trunk = be32(t);
    }
    if (left > n * DB_PAGE_BYTES / 50) fail_msg("%lld free pages hold %lld bytes", (long long)n, (long long)left);
    return n;
}

static void rig_folder(Rig *r) {
    snprintf(r->folder, sizeof r->folder, "/tmp/sosia-scrub-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    snprintf(r->path, sizeof r->path, "%s/world.sosia", r->folder);
}

static void rig_remove(Rig *r) {
    char command[160];
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    for (int i = 0; i < 4; i++) {
        snprintf(command, sizeof command, "%s%s", r->path, ends[i]);
        unlink(command);
    }
    rmdir(r->folder);
}

static void nothing_of_what_was_erased_is_left(void **state) {
    (void)state;
    Rig r = {0};
    char log[160];
    rig_folder(&r);
    rig_open(&r);
    rig_people(&r);
    rig_history(&r);
    Buf before = file_of(r.path);
    snprintf(log, sizeof log, "%s-wal", r.path);
    Buf log_before = file_of(log);
    assert_true(holds(buf_str(&before), "Lovelace") || holds(buf_str(&log_before), "Lovelace"));
    rig_erase(&r);
    store_scrub(r.store, world_seq(r.world), forget, &r, on_scrubbed, &r);
    for (int i = 0; i < 50; i++) store_step(r.store);
    assert_false(r.done); // no root holds the erasure
    rig_checkpoint(&r);
    for (int i = 0; i < 10000 && !r.done; i++)
        if (!store_step(r.store)) usleep(1000);
    assert_true(r.done);
    assert_int_equal(r.err, ERR_OK);
    assert_true(r.rows >= 12);
    assert_true(r.zeroed > 0);
    struct stat st;
    assert_true(stat(log, &st) != 0 || st.st_size == 0);
    Buf after = file_of(r.path);
    check_clean(buf_str(&after), "the file");
    assert_true(check_free_pages(buf_str(&after)) > 0);
    check_rows(&r, "SELECT id, bytes FROM page", true);
    check_rows(&r, "SELECT seq, bytes FROM journal", false);
    rig_close(&r);
    rig_open(&r); // and it is a sound file
    View v = view_writer(r.world);
    assert_int_equal(view_find_twin(&v, STR("ada-lovelace-1815")).v, 0);
    assert_int_equal(view_meta(&v, META_TWINS), TWINS - 1);
    rig_close(&r);
    rig_remove(&r);
    buf_free(&before);
    buf_free(&log_before);
    buf_free(&after);
}

// A deletion that the disk refused is done first, or there is no end that says OK.
static void what_could_not_be_deleted_is_deleted(void **state) {
    (void)state;
    Rig r = {.vfs = VFS};
    TestVfs *disk = test_vfs_new(VFS);
    snprintf(r.path, sizeof r.path, "plant.sosia");
    rig_open(&r);
    rig_people(&r);
    rig_history(&r);
    rig_erase(&r);
    assert_true(store_checkpoint(r.store, world_fork(r.world, 0), world_seq(r.world)));
    store_step(r.store);
    r.store->gc_stuck = true; // as a full disk leaves it
    assert_true(r.store->garbage.count > 0);
    store_scrub(r.store, world_seq(r.world), forget, &r, on_scrubbed, &r);
    for (int i = 0; i < 10000 && !r.done; i++)
        if (!store_step(r.store)) usleep(1000);
    assert_true(r.done);
    assert_int_equal(r.err, ERR_OK);
    assert_int_equal(r.store->garbage.count, 0);
    rig_close(&r);
    test_vfs_free(disk);
}

// One commit had what was erased, the root's sequence and more: one row of the journal, which ends behind the root.
static void a_row_that_ends_behind_the_root(void **state) {
    (void)state;
    TestVfs *disk = test_vfs_new(VFS);
    Rig r = {.path = "plant.sosia", .vfs = VFS};
    rig_open(&r);
    rig_people(&r);
    r.hold = true;
    rig_begin(&r);
    rig_do(&r, (Change){.kind = CHANGE_SET, .cell = CELL_STR, .id = r.twins[0], .col = r.col, .text = STR(SECRET)});
    rig_end(&r);
    rig_erase(&r);
    uint64_t erased = world_seq(r.world);
    World *fork = world_fork(r.world, 0);
    for (int i = 0; i < 3; i++) {
        rig_begin(&r);
        rig_do(&r,
               (Change){.kind = CHANGE_SET, .cell = CELL_STR, .id = r.twins[1], .col = r.col, .text = STR("later")});
        rig_end(&r);
    }
    assert_true(store_checkpoint(r.store, fork, erased));
    r.hold = false;
    store_drain(r.store);
    r.forget.seq_max = erased;
    store_scrub(r.store, erased, forget, &r, on_scrubbed, &r);
    for (int i = 0; i < 10000 && !r.done; i++)
        if (!store_step(r.store)) usleep(1000);
    assert_true(r.done);
    assert_int_equal(r.err, ERR_OK);
    assert_true(r.rows > 0);
    assert_false(holds(buf_str(test_vfs_file(disk, "plant.sosia")), "Lovelace"));
    rig_checkpoint(&r);
    StoreStats st;
    store_stats(r.store, &st);
    int64_t kept = st.kept_bytes;
    rig_close(&r);
    rig_open(&r);
    View v = view_writer(r.world);
    CellView later = view_cell(&v, r.col, view_twin_place(&v, (TwinId){r.twins[1]}).row);
    assert_true(text_eq(&later.text, STR("later")));
    store_stats(r.store, &st);
    assert_int_equal(st.kept_bytes, kept);
    rig_close(&r);
    test_vfs_free(disk);
}

static void a_store_that_closes_first_says_so(void **state) {
    (void)state;
    Rig r = {0};
    rig_folder(&r);
    rig_open(&r);
    rig_people(&r);
    store_scrub(r.store, world_seq(r.world) + 1, forget, &r, on_scrubbed, &r);
    rig_close(&r);
    assert_true(r.done);
    assert_int_equal(r.err, ERR_CLOSED);
    rig_remove(&r);
}

// ---- readers meanwhile --------------------------------------------------------------------------------------------

typedef struct Crowd {
    Store *store;
    _Atomic bool stop;
    _Atomic int64_t begun;
    _Atomic int failed;
} Crowd;

static void *read_again_and_again(void *arg) {
    Crowd *x = arg;
    while (!atomic_load(&x->stop)) {
        StoreReader *r;
        uint64_t pages;
        Err err = store_reader_begin(x->store, &r);
        if (!err) err = store_history_pages(r, 1, &pages);
        if (err) atomic_store(&x->failed, (int)err);
        else store_reader_end(r);
        atomic_fetch_add(&x->begun, 1);
    }
    return NULL;
}

// Whoever begins to read while the log is being emptied waits for its turn, and is not refused.
static void readers_come_at_any_moment(void **state) {
    (void)state;
    enum { THREADS = 3 };
    TestVfs *disk = test_vfs_new(VFS);
    Rig r = {.path = "plant.sosia", .vfs = VFS};
    rig_open(&r);
    assert_int_equal(store_start(r.store), ERR_OK);
    rig_people(&r);
    Crowd x = {.store = r.store};
    Thread threads[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(thread_start(&threads[i], "reader", read_again_and_again, &x), ERR_OK);
    for (int i = 0; i < 400; i++) {
        rig_begin(&r);
        rig_do(&r, (Change){.kind = CHANGE_SET, .cell = CELL_STR, .id = r.twins[1], .col = r.col, .text = STR("x")});
        rig_end(&r);
        atomic_store(&r.done, false);
        store_scrub(r.store, 0, NULL, &r, on_scrubbed, &r);
        while (!atomic_load(&r.done)) usleep(50);
        assert_int_equal(r.err, ERR_OK);
    }
    atomic_store(&x.stop, true);
    for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
    assert_true(atomic_load(&x.begun) > 300);
    assert_int_equal(atomic_load(&x.failed), ERR_OK);
    rig_close(&r);
    test_vfs_free(disk);
}

// ---- unused bytes of pages in use ---------------------------------------------------------------------------------

enum { NAMES = 3000 };

static int dead_name(char out[400], int i) { return snprintf(out, 400, "tag-%06d-%*d", i, 5 + i * 37 % 300, i); }

static void on_put(void *arg, Err err, const char *why) {
    (void)why;
    assert_int_equal(err, ERR_OK);
    *(bool *)arg = true;
}

static void put_name(Rig *r, uint64_t twin, Str name) {
    bool done = false;
    StoreDead d = {.twin = twin, .name = name, .time = (int64_t)twin};
    assert_int_equal(store_history_put(r->store, &(StoreHistoryPut){.dead = &d, .dead_count = 1}, on_put, &done), 0);
    store_drain(r->store);
    assert_true(done);
}

enum { BLOCKS = 150, BLOCK_MAX = 40000 };

static Str some_bytes(Rng *rng, const char *tag, char *room) {
    int64_t n = 2000 + (int64_t)rng_below(rng, BLOCK_MAX - 2000), step = (int64_t)strlen(tag);
    for (int64_t i = 0; i < n; i++) room[i] = tag[i % step];
    return (Str){room, n};
}

static bool see_id(void *ctx, const StoreHistory *h) {
    ((int64_t *)ctx)[h->page] = h->id;
    return true;
}

static void put_block(Rig *r, uint64_t page, Str bytes, int64_t gone) {
    bool done = false;
    StoreHistory h = {.lane = 8, .page = page, .first = 1, .last = 1, .t0 = 1, .t1 = 1, .points = 1, .bytes = bytes};
    StoreHistoryPut put = {.gone = &gone, .gone_count = gone != 0, .rows = &h, .row_count = 1};
    assert_int_equal(store_history_put(r->store, &put, on_put, &done), 0);
    store_drain(r->store);
    assert_true(done);
}

// A long row that takes the pages of another in the same transaction does not fill its last page.
static void what_is_behind_the_end_of_a_row_goes(void **state) {
    (void)state;
    static char bytes[BLOCK_MAX];
    int64_t ids[BLOCKS];
    TestVfs *disk = test_vfs_new(VFS);
    Rng rng = rng_make(6, 1);
    Rig r = {.path = "plant.sosia", .vfs = VFS};
    StoreReader *reader;
    rig_open(&r);
    for (uint64_t i = 0; i < BLOCKS; i++) put_block(&r, i, some_bytes(&rng, "hush-hush ", bytes), 0);
    assert_int_equal(store_reader_begin(r.store, &reader), 0);
    assert_int_equal(store_history_scan(reader, 0, 0, see_id, ids), 0);
    store_reader_end(reader);
    for (uint64_t i = 0; i < BLOCKS; i++) put_block(&r, i, some_bytes(&rng, "x", bytes), ids[i]);
    store_scrub(r.store, 0, NULL, &r, on_scrubbed, &r);
    for (int i = 0; i < 10000 && !r.done; i++)
        if (!store_step(r.store)) usleep(1000);
    assert_true(r.done);
    assert_int_equal(r.err, ERR_OK);
    put_block(&r, BLOCKS, some_bytes(&rng, "y", bytes), 0); // nor does what is written from now on
    Str file = buf_str(test_vfs_file(disk, "plant.sosia")), log = buf_str(test_vfs_file(disk, "plant.sosia-wal"));
    assert_false(holds(file, "hush"));
    assert_false(holds(log, "hush"));
    rig_close(&r);
    rig_open(&r);
    assert_int_equal(store_reader_begin(r.store, &reader), 0);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        StoreHistoryAsk ask = {.lane = 8, .page = i, .bytes = true, .from = INT64_MIN, .to = INT64_MAX};
        assert_int_equal(store_history_rows(reader, &ask, see_id, ids), 0); // each matches its check
    }
    store_reader_end(reader);
    rig_close(&r);
    test_vfs_free(disk);
}

// Rows of all sizes come and go, so that SQLite moves them between pages; then most names go.
static void a_page_in_use_tells_nothing_either(void **state) {
    (void)state;
    static uint64_t twins[NAMES];
    TestVfs *disk = test_vfs_new(VFS);
    Rng rng = rng_make(5, 1);
    Rig r = {.path = "plant.sosia", .vfs = VFS};
    char name[400], room[32];
    rig_open(&r);
    for (int i = 0; i < NAMES; i++) {
        twins[i] = 1 + rng_below(&rng, (uint64_t)1 << 36);
        put_name(&r, twins[i], (Str){name, dead_name(name, i)});
        int old = (int)rng_below(&rng, (uint64_t)i + 1);
        if (i % 3 == 0) put_name(&r, twins[old], forget_name(twins[old], room));
    }
    for (int i = 0; i < NAMES; i++)
        if (i % 10) put_name(&r, twins[i], forget_name(twins[i], room));
    store_scrub(r.store, 0, NULL, &r, on_scrubbed, &r);
    for (int i = 0; i < 10000 && !r.done; i++)
        if (!store_step(r.store)) usleep(1000);
    assert_true(r.done);
    put_name(&r, twins[1], forget_name(twins[1], room)); // nor does what is written from now on
    Str file = buf_str(test_vfs_file(disk, "plant.sosia")), log = buf_str(test_vfs_file(disk, "plant.sosia-wal"));
    int left = 0;
    for (int i = 0; i < NAMES; i++) {
        if (i % 10 == 0) continue;
        snprintf(name, sizeof name, "tag-%06d-", i);
        left += holds(file, name) || (log.n && holds(log, name));
    }
    assert_int_equal(left, 0);
    rig_close(&r);
    test_vfs_free(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_what_was_erased_is_left), cmocka_unit_test(what_could_not_be_deleted_is_deleted),
        cmocka_unit_test(a_row_that_ends_behind_the_root),    cmocka_unit_test(a_store_that_closes_first_says_so),
        cmocka_unit_test(a_page_in_use_tells_nothing_either), cmocka_unit_test(what_is_behind_the_end_of_a_row_goes),
        cmocka_unit_test(readers_come_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
