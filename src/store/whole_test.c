// SPDX-License-Identifier: Apache-2.0
// Whole files: a check that finds and names each kind of damage and nothing in a healthy file; copies of files that are
// in use and of files that are not.
// LABELS: threads
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/hblock.h"
#include "store/store_inner.h"
#include "store/test_world.h"

#define RING 65536
#define BLOCKS 6

typedef struct Rig {
    char folder[64], path[96], copy[96];
    Domain *domain;
    Store *store;
    World *world;
    TestWriter writer;
    _Atomic uint64_t acked;
} Rig;

static void on_commit(void *ctx, uint64_t last_seq) { atomic_store(&((Rig *)ctx)->acked, last_seq); }
static void on_fail(void *ctx, Err err, const char *why) {
    (void)ctx, (void)err;
    CHECK(!why);
}
static void on_replay(void *ctx, const BatchHead *head, Str trail) { (void)ctx, (void)head, (void)trail; }

static Err rig_try_open(Rig *r, const char *path, Buf *why) {
    StoreOpen o = {.path = str_of(path),
                   .ctx = r,
                   .journal_bytes_max = 1 << 20,
                   .on_commit = on_commit,
                   .on_fail = on_fail,
                   .on_replay = on_replay};
    r->domain = domain_new();
    Err e = store_open(&o, r->domain, RING, &r->store, &r->world, why);
    if (e != ERR_OK) {
        domain_free(r->domain);
        return e;
    }
    atomic_store(&r->acked, world_seq(r->world));
    r->writer.rng = rng_make(5, r->acked);
    test_writer_look(&r->writer, r->world);
    return e;
}

static void rig_open(Rig *r, const char *path) {
    Buf why = {0};
    if (rig_try_open(r, path, &why) != ERR_OK) fail_msg("%.*s", STR_ARG(buf_str(&why)));
    buf_free(&why);
}

static void rig_close(Rig *r) {
    store_close(r->store);
    world_free(r->world);
    domain_free(r->domain);
    test_writer_free(&r->writer);
    r->writer = (TestWriter){0};
}

static void rig_write(Rig *r, int64_t changes) {
    Buf bytes = {0};
    uint64_t seq = world_seq(r->world) + 1;
    test_writer_batch(&r->writer, r->world, seq, changes, &bytes);
    store_submit(r->store, seq, buf_str(&bytes));
    buf_free(&bytes);
}

static void rig_settle(Rig *r) {
    store_drain(r->store);
    world_settle(r->world, atomic_load(&r->acked));
}

static Buf dump(Rig *r) {
    Buf b = {0};
    test_world_dump(r->world, &b);
    return b;
}

static void rig_checkpoint(Rig *r) {
    store_history_sealed(r->store, world_seq(r->world));
    assert_true(store_checkpoint(r->store, world_fork(r->world, 0), world_seq(r->world)));
    rig_settle(r);
}

static void sql_on(const char *path, const char *text) {
    sqlite3 *h;
    char *why = NULL;
    assert_int_equal(sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_exec(h, text, NULL, NULL, &why) != SQLITE_OK) fail_msg("%s: %s", text, why);
    assert_int_equal(sqlite3_close(h), SQLITE_OK);
}

static void put_told(void *arg, Err err, const char *why) {
    (void)arg;
    CHECK(err == ERR_OK || !why);
}

// A block of two batches and three points.
static StoreHistory make_block(HWork *work, uint64_t page, uint64_t first, Buf *bytes) {
    HBatch batches[2] = {{first, (int64_t)first * 1000, 0}, {first + 1, (int64_t)first * 1000 + 500, 0}};
    Str source = STR("plc");
    HPoint points[3] = {{.batch = 0, .row = 1, .kind = HPOINT_PUT, .bits = 0x4034000000000000},
                        {.batch = 1, .row = 1, .kind = HPOINT_PUT, .bits = 0x4035000000000000},
                        {.batch = 1, .row = 7, .kind = HPOINT_LATE, .source_time = 77, .bits = 0x4036000000000000}};
    HBlockIn in = {.cell = HCELL_F64,
                   .batches = batches,
                   .batch_count = 2,
                   .sources = &source,
                   .source_count = 1,
                   .points = points,
                   .count = 3};
    hblock_encode(work, &in, bytes);
    return (StoreHistory){.lane = 520,
                          .page = page,
                          .first = first,
                          .last = first + 1,
                          .t0 = batches[0].time,
                          .t1 = batches[1].time,
                          .s0 = 77,
                          .s1 = batches[1].time,
                          .points = 3,
                          .late = 1,
                          .bytes = buf_str(bytes)};
}

static void put_history(Rig *r) {
    HWork *work = hwork_new();
    Buf bytes[BLOCKS] = {0};
    StoreHistory rows[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) rows[i] = make_block(work, (uint64_t)i % 2, 1 + 2 * (uint64_t)i, &bytes[i]);
    StoreDead dead[] = {{.twin = 999999, .name = STR("gone"), .time = 5}};
    StoreHistoryPut put = {.rows = rows, .row_count = BLOCKS, .dead = dead, .dead_count = 1};
    assert_int_equal(store_history_put(r->store, &put, put_told, NULL), ERR_OK);
    store_drain(r->store);
    for (int i = 0; i < BLOCKS; i++) buf_free(&bytes[i]);
    hwork_free(work);
}

// A file with something of everything: journal kept before its root at 20 and behind it to 25, items, blocks, the dead.
static void fill(Rig *r) {
    rig_open(r, r->path);
    for (int i = 0; i < 20; i++) {
        rig_write(r, 20);
        rig_settle(r);
    }
    StoreItem items[] = {{STR("kind"), STR("a"), STR("one"), false}, {STR("kind"), STR("b"), STR("two"), false}};
    assert_int_equal(store_items_put(r->store, items, 2, put_told, NULL), ERR_OK);
    put_history(r);
    rig_checkpoint(r);
    for (int i = 0; i < 5; i++) {
        rig_write(r, 20);
        rig_settle(r);
    }
}

static int setup(void **state) {
    Rig *r = mem_alloc(sizeof *r);
    snprintf(r->folder, sizeof r->folder, "/tmp/sosia-whole-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    snprintf(r->path, sizeof r->path, "%s/plant.sosia", r->folder);
    snprintf(r->copy, sizeof r->copy, "%s/copy of it?#.sosia", r->folder); // a name that must be quoted
    *state = r;
    return 0;
}
static int teardown(void **state) {
    Rig *r = *state;
    unlink(r->path);
    unlink(r->copy);
    assert_int_equal(rmdir(r->folder), 0); // nothing is left beside them
    mem_free(r);
    return 0;
}

static void copy_file(const char *from, const char *to) {
    char bytes[65536];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(in >= 0 && out >= 0);
    for (ssize_t n; (n = read(in, bytes, sizeof bytes)) > 0;) assert_int_equal(write(out, bytes, (size_t)n), n);
    close(in);
    close(out);
}

// ---- check --------------------------------------------------------------------------------------------------------

static void gather(void *ctx, Str where, Str what) {
    assert_true(where.n > 0 && what.n > 0);
    buf_printf(ctx, "%.*s: %.*s\n", STR_ARG(where), STR_ARG(what));
}

static StoreCheck check(const char *path, Buf *out) {
    StoreCheck c = {.ctx = out, .finding = gather};
    Buf why = {0};
    Err e = store_check(str_of(path), &c, &why);
    if (e != ERR_OK) fail_msg("%s: %.*s", err_name(e), STR_ARG(buf_str(&why)));
    buf_free(&why);
    return c;
}

static StoreCheck expect_sound(const char *path) {
    Buf out = {0};
    StoreCheck c = check(path, &out);
    if (c.findings) fail_msg("%.*s", STR_ARG(buf_str(&out)));
    assert_int_equal(out.n, 0);
    buf_free(&out);
    return c;
}

// In a healthy file nothing is found, while it is open and afterwards, and everything was looked at.
static void healthy(void **state) {
    Rig *r = *state;
    rig_open(r, r->path);
    expect_sound(r->path); // empty
    rig_close(r);
    expect_sound(r->path);
    fill(r);
    for (int open = 1; open >= 0; open--) {
        StoreCheck c = expect_sound(r->path);
        View v = {0};
        if (open) v = view_writer(r->world);
        if (open) assert_int_equal(c.twins, view_meta(&v, META_TWINS));
        if (open) assert_int_equal(c.links, view_meta(&v, META_LINKS));
        assert_true(c.twins > 5 && c.pages > 5);
        assert_int_equal(c.journal_rows, 25);
        assert_int_equal(c.batches, 25);
        assert_int_equal(c.blocks, BLOCKS);
        assert_int_equal(c.points, 3 * BLOCKS);
        if (open) rig_close(r);
    }
    sql_on(r->path, "DROP TABLE history; DROP TABLE dead; DELETE FROM meta WHERE key = 'history';"
                    "PRAGMA user_version = 2"); // older formats
    expect_sound(r->path);
    sql_on(r->path, "DROP TABLE item; PRAGMA user_version = 1");
    expect_sound(r->path);
}

#define LAST_BYTE(t) "UPDATE " t " SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'a5' AS BLOB) WHERE "
// Damage done behind the back of a row's check: as a program with a bug would.
#define RENUMBER(set) "UPDATE history SET " set " WHERE id = 3"

// Each kind of damage is found and named, and nothing else is said of the rows beside it.
static void damage(void **state) {
    static const struct {
        const char *sql, *words;
        int findings; // 0: as many as there are
    } cases[] = {
        {LAST_BYTE("page") "id = 3", "page row 3: does not match its check", 1},
        {"DELETE FROM page WHERE id = 4", "page row 4: is missing", 1},
        {"DELETE FROM page WHERE id = (SELECT page FROM root)", "is missing", 1},
        {"INSERT INTO page(id, bytes) VALUES(5000, x'00')", "page row 5000: does not match its check; no root", 1},
        {LAST_BYTE("journal") "seq = 22", "journal row 22: does not match its check", 1},
        {LAST_BYTE("journal") "seq = 7", "journal row 7: does not match its check", 1},
        {"UPDATE journal SET crc = crc + 1 WHERE seq = 25", "journal row 25: does not match", 1},
        {"DELETE FROM journal WHERE seq = 22", "journal row 23: does not follow the row before it, 21: 22 is missing",
         1},
        {"DELETE FROM journal WHERE seq = 7", "journal row 8: does not follow", 2}, // and fewer are kept
        {"UPDATE journal SET prev = 19 WHERE seq = 24", "journal row 24: does not follow", 2},
        {"DELETE FROM journal WHERE seq <= 20", "counts 20 rows of the journal before the root, there are 0", 1},
        {"UPDATE root SET seq = 19", "root row 0: does not match its check", 0},
        {"UPDATE root SET ids = x'00'", "root row 0: does not match its check", 0},
        {"DELETE FROM root", "counts 20 rows of the journal before the root, there are 0", 1}, // the rest is all there
        {"UPDATE item SET value = x'00' WHERE key = x'61'", "item row 1: (kind, a) does not match its check", 1},
        {"UPDATE meta SET value = x'00' WHERE key = 'kept'", "meta: row kept does not hold", 1},
        {LAST_BYTE("history") "id = 3", "history row 3: does not match its check", 1},
        {RENUMBER("lane = 521"), "history row 3: does not match its check", 1},
        {RENUMBER("t1 = t1 + 1"), "history row 3: does not match its check", 1},
        {"UPDATE dead SET name = x'41'", "dead row 999999: does not match its check", 1},
        {"DROP TABLE item", "item: the table, or a column of it, is missing", 1},
        {"DROP TABLE dead", "dead: the table, or a column of it, is missing", 1},
        {"ALTER TABLE history DROP COLUMN late", "history: the table, or a column of it, is missing", 1},
    };
    Rig *r = *state;
    fill(r);
    rig_close(r);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        copy_file(r->path, r->copy);
        sql_on(r->copy, cases[i].sql);
        Buf out = {0};
        StoreCheck c = check(r->copy, &out);
        buf_byte(&out, 0);
        if (!strstr(out.p, cases[i].words)) fail_msg("%s:\n%sexpected %s", cases[i].sql, out.p, cases[i].words);
        if (cases[i].findings && c.findings != cases[i].findings) fail_msg("%s:\n%s", cases[i].sql, out.p);
        buf_free(&out);
    }
    expect_sound(r->path);
}

// Rows whose checks are right and which are wrong all the same.
typedef struct Wrong {
    const char *words;
    void (*change)(StoreHistory *h);
} Wrong;
static void overlap(StoreHistory *h) { h->first = 3, h->t0 = 3100; }
static void unordered(StoreHistory *h) { h->t0 = 1; }
static void beyond(StoreHistory *h) { h->last = 500; }
static void other_points(StoreHistory *h) { h->points = 4; }
static void other_late(StoreHistory *h) { h->late = 0; }
static void other_start(StoreHistory *h) { h->start = true; }
static void other_times(StoreHistory *h) { h->s1 = h->s0; }
static void reversed(StoreHistory *h) { h->first = h->last + 1; }
static void no_block(StoreHistory *h) { h->bytes = STR("no block at all"); }

static void wrong_history(void **state) {
    static const Wrong wrongs[] = {
        {"history row 4: has batches that row 2 has too (lane 520, page 1, up to 4)", overlap},
        {"begins before row", unordered},
        {"has batches up to 500, the newest is 25", beyond},
        {"tells of another number of points than", other_points},
        {"tells of another number of late points", other_late},
        {"tells of a start where there is none", other_start},
        {"tells of other times of its points", other_times},
        {"ends before it begins", reversed},
        {"the block cannot be read", no_block},
    };
    Rig *r = *state;
    HWork *work = hwork_new();
    fill(r);
    rig_close(r);
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        copy_file(r->path, r->copy);
        sql_on(r->copy, "DELETE FROM history WHERE id = 4");
        Rig other = {0};
        Buf bytes = {0}, out = {0};
        StoreHistory h = make_block(work, 1, 7, &bytes);
        h.id = 4;
        wrongs[i].change(&h);
        rig_open(&other, r->copy);
        assert_int_equal(store_history_put(other.store, &(StoreHistoryPut){.rows = &h, .row_count = 1}, put_told, NULL),
                         ERR_OK);
        store_drain(other.store);
        rig_close(&other);
        StoreCheck c = check(r->copy, &out);
        buf_byte(&out, 0);
        if (!strstr(out.p, wrongs[i].words)) fail_msg("%s\nexpected %s", out.p, wrongs[i].words);
        assert_true(c.findings >= 1 && c.findings <= 3);
        buf_free(&bytes);
        buf_free(&out);
    }
    hwork_free(work);
}

// Any byte of the file may be wrong: the check ends, and when the world that opens is another one, it has said so.
static void any_flip(void **state) {
    Rig *r = *state;
    fill(r);
    Buf whole = dump(r);
    rig_close(r);
    Rng rng = rng_make(7, 7);
    struct stat st;
    assert_int_equal(stat(r->path, &st), 0);
    int found = 0, refused = 0;
    for (int i = 0; i < 400; i++) {
        copy_file(r->path, r->copy);
        int fd = open(r->copy, O_RDWR);
        char byte;
        off_t at = (off_t)rng_below(&rng, (uint64_t)st.st_size);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte = (char)(byte ^ (1 << rng_below(&rng, 8)));
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
        Buf out = {0}, why = {0};
        StoreCheck c = {.ctx = &out, .finding = gather};
        Err e = store_check(str_of(r->copy), &c, &why);
        assert_true(e == ERR_OK || why.n > 0);
        refused += e != ERR_OK;
        found += c.findings > 0;
        Rig other = {0};
        Buf now = {0};
        bool opens = rig_try_open(&other, r->copy, NULL) == ERR_OK;
        if (opens) test_world_dump(other.world, &now);
        bool same = opens && str_eq(buf_str(&now), buf_str(&whole));
        if (opens) rig_close(&other);
        if (!same && e == ERR_OK && !c.findings) fail_msg("byte %lld: nothing was found", (long long)at);
        buf_free(&now);
        buf_free(&out);
        buf_free(&why);
    }
    print_message("of 400 flips %d were found, %d files could not be read at all\n", found, refused);
    assert_true(found > 40);
    buf_free(&whole);
}

// What is no store, or not there, is an error and not a finding.
static void no_store(void **state) {
    Rig *r = *state;
    StoreCheck c = {0};
    Buf why = {0};
    assert_int_equal(store_check(str_of(r->path), &c, &why), ERR_STORAGE);
    assert_true(str_find_str(buf_str(&why), STR("unable to open")) >= 0);
    struct stat st;
    assert_int_not_equal(stat(r->path, &st), 0); // and it was not made
    FILE *f = fopen(r->path, "w");
    for (int i = 0; i < 1000; i++) fputs("not a database\n", f);
    fclose(f);
    buf_reset(&why);
    assert_int_equal(store_check(str_of(r->path), &c, &why), ERR_STORAGE);
    assert_true(str_find_str(buf_str(&why), STR("not a Sosia store")) >= 0);
    buf_reset(&why);
    assert_int_equal(store_backup(str_of(r->path), str_of(r->copy), NULL, NULL, &why), ERR_STORAGE);
    assert_true(str_find_str(buf_str(&why), STR("not a Sosia store")) >= 0);
    f = fopen(r->path, "w"); // an empty file
    fclose(f);
    assert_int_equal(store_check(str_of(r->path), &c, NULL), ERR_STORAGE);
    buf_free(&why);
}

static bool stop_at_once(void *ctx, Str what, int64_t done, int64_t total) {
    (void)ctx, (void)what, (void)done, (void)total;
    return false;
}

// A crash leaves a log beside the file: looking at it changes neither.
static void leaves_things_alone(void **state) {
    Rig *r = *state;
    char log[128], index[128], lock[128];
    snprintf(log, sizeof log, "%s-wal", r->path);
    snprintf(index, sizeof index, "%s-shm", r->path);
    snprintf(lock, sizeof lock, "%s.lock", r->path);
    pid_t child = fork();
    if (child == 0) {
        fill(r);
        _exit(0); // nothing is closed
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct stat before[2], after[2];
    assert_int_equal(stat(r->path, &before[0]) | stat(log, &before[1]), 0);
    assert_true(before[1].st_size > 100000);
    StoreCheck c = expect_sound(r->path);
    assert_int_equal(c.batches, 25);
    assert_int_equal(store_backup(str_of(r->path), str_of(r->copy), NULL, NULL, NULL), ERR_OK);
    assert_int_equal(stat(r->path, &after[0]) | stat(log, &after[1]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(before[i].st_size, after[i].st_size);
        assert_int_equal(before[i].st_mtim.tv_nsec, after[i].st_mtim.tv_nsec);
    }
    c = expect_sound(r->copy);
    assert_int_equal(c.batches, 25);
    assert_int_equal(unlink(log) | unlink(index) | unlink(lock), 0);
    StoreCheck stopped = {.progress = stop_at_once};
    assert_int_equal(store_check(str_of(r->copy), &stopped, NULL), ERR_CLOSED);
}

// ---- backup -------------------------------------------------------------------------------------------------------

static void backup_ok(Rig *r) {
    Buf why = {0};
    Err e = store_backup(str_of(r->path), str_of(r->copy), NULL, NULL, &why);
    if (e != ERR_OK) fail_msg("%s: %.*s", err_name(e), STR_ARG(buf_str(&why)));
    buf_free(&why);
}

static void backup_refused(Rig *r, Err err, const char *words) {
    Buf why = {0};
    Err e = store_backup(str_of(r->path), str_of(r->copy), NULL, NULL, &why);
    if (e != err || str_find_str(buf_str(&why), str_of(words)) < 0)
        fail_msg("%s: %.*s", err_name(e), STR_ARG(buf_str(&why)));
    buf_free(&why);
}

// The copy of an open store, and of a closed one, is the world of that moment, for its owner alone, and a store.
static void copies(void **state) {
    Rig *r = *state, copy = {0};
    umask(0);
    fill(r);
    for (int open = 1; open >= 0; open--) {
        Buf then = {0}, now;
        if (!open) rig_close(r);
        if (open) then = dump(r);
        backup_ok(r);
        struct stat st;
        assert_int_equal(stat(r->copy, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        backup_refused(r, ERR_EXISTS, "it exists already");
        StoreCheck c = expect_sound(r->copy);
        assert_int_equal(c.blocks, BLOCKS);
        if (open) { // it goes on, the copy does not know
            for (int i = 0; i < 20; i++) rig_write(r, 20);
            rig_settle(r);
        }
        rig_open(&copy, r->copy);
        if (open) {
            now = dump(&copy);
            assert_true(str_eq(buf_str(&then), buf_str(&now)));
            buf_free(&now);
        } else assert_int_equal(world_seq(copy.world), 45);
        rig_write(&copy, 10); // and it can be written
        rig_settle(&copy);
        if (open) backup_refused(r, ERR_EXISTS, "it exists already");
        rig_close(&copy);
        buf_free(&then);
        assert_int_equal(unlink(r->copy), 0);
    }
}

// A log beside the target's name would become part of the copy; a file of a damaged store is not handed on as sound.
static void refuses(void **state) {
    Rig *r = *state;
    char log[128];
    fill(r);
    rig_close(r);
    snprintf(log, sizeof log, "%s-wal", r->copy);
    copy_file(r->path, log);
    backup_refused(r, ERR_EXISTS, "its log (-wal) is there");
    assert_int_equal(unlink(log), 0);
    sql_on(r->path, LAST_BYTE("journal") "seq = 22");
    backup_refused(r, ERR_CORRUPT, "journal row 22 does not match its check");
    struct stat st;
    assert_int_not_equal(stat(r->copy, &st), 0);
}

static bool stop_half(void *ctx, int64_t done, int64_t total) {
    assert_true(done > 0 && done <= total);
    ++*(int *)ctx;
    return done * 2 < total;
}

// Stopping a copy leaves nothing.
static void stops(void **state) {
    Rig *r = *state;
    rig_open(r, r->path);
    static char zeros[4 << 20]; // so that it takes several steps
    StoreItem item = {STR("k"), STR("large"), {zeros, sizeof zeros}, false};
    assert_int_equal(store_items_put(r->store, &item, 1, put_told, NULL), ERR_OK);
    store_drain(r->store);
    rig_close(r);
    int calls = 0;
    Buf why = {0};
    assert_int_equal(store_backup(str_of(r->path), str_of(r->copy), stop_half, &calls, &why), ERR_CLOSED);
    assert_true(calls > 1);
    assert_true(str_find_str(buf_str(&why), STR("stopped")) >= 0);
    buf_free(&why);
}

typedef struct Writer {
    Rig *r;
    _Atomic bool stop;
} Writer;

static void *write_on(void *arg) {
    Writer *w = arg;
    while (!atomic_load(&w->stop)) {
        rig_write(w->r, 30);
        if (world_seq(w->r->world) % 10 == 0) rig_settle(w->r);
        if (world_seq(w->r->world) % 100 == 0) {
            World *fork = world_fork(w->r->world, 0);
            store_history_sealed(w->r->store, world_seq(w->r->world));
            if (!store_checkpoint(w->r->store, fork, world_seq(w->r->world))) world_free(fork);
        }
    }
    return NULL;
}

// Copies while batches and checkpoints come as fast as they can: each is sound, and has what was acknowledged before.
static void copies_beside_the_writer(void **state) {
    Rig *r = *state;
    rig_open(r, r->path);
    assert_int_equal(store_start(r->store), ERR_OK);
    Writer w = {.r = r};
    Thread t = {0};
    assert_int_equal(thread_start(&t, "writes", write_on, &w), ERR_OK);
    for (int i = 0; i < 6; i++) {
        uint64_t acked = atomic_load(&r->acked);
        while (atomic_load(&r->acked) < acked + 100) thread_sleep_ns(NS_PER_MS);
        acked = atomic_load(&r->acked);
        backup_ok(r);
        expect_sound(r->copy);
        Rig copy = {0};
        rig_open(&copy, r->copy);
        assert_true(world_seq(copy.world) >= acked);
        rig_close(&copy);
        assert_int_equal(unlink(r->copy), 0);
    }
    atomic_store(&w.stop, true);
    thread_join(&t);
    rig_settle(r);
    rig_close(r);
    expect_sound(r->path);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(healthy),       T(damage),
        T(wrong_history), T(any_flip),
        T(no_store),      T(leaves_things_alone),
        T(copies),        T(refuses),
        T(stops),         T(copies_beside_the_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
