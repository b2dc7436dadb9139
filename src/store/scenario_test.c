// SPDX-License-Identifier: Apache-2.0
// Journals of other worlds: durable in the order they were submitted, read back in slices, whole after a restart, gone
// when their world is; damage is found.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>
#include "base/check.h"
#include "store/scrub.h"
#include "store/store_inner.h"

#define RING 8192

typedef struct Rig {
    char dir[32], path[48];
    Domain *d;
    Store *s;
    World *live;
    uint64_t seq, ticket; // told by on_group
} Rig;

static void on_group(void *ctx, uint64_t last_seq, uint64_t ticket) {
    Rig *r = ctx;
    assert_true(last_seq >= r->seq && ticket > r->ticket);
    r->seq = last_seq;
    r->ticket = ticket;
}

static void rig_open(Rig *r) {
    StoreOpen o = {.path = str_of(r->path), .ctx = r, .on_group = on_group, .journal_bytes_max = 1 << 20};
    r->d = domain_new();
    r->seq = r->ticket = 0;
    assert_int_equal(store_open(&o, r->d, RING, &r->s, &r->live, NULL), ERR_OK);
}

static void rig_close(Rig *r) {
    store_close(r->s);
    world_free(r->live);
    domain_free(r->d);
}

static int setup(void **state) {
    Rig *r = calloc(1, sizeof *r);
    snprintf(r->dir, sizeof r->dir, "/tmp/sosia-test-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->path, sizeof r->path, "%s/s.sosia", r->dir);
    *state = r;
    return 0;
}

static int teardown(void **state) {
    Rig *r = *state;
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", r->path, ends[i]);
        unlink(name);
    }
    rmdir(r->dir);
    free(r);
    return 0;
}

// A batch that does nothing, from a source with a name of about `size` bytes.
static Buf batch(uint64_t seq, int size) {
    Buf changes = {0}, out = {0}, source = {0};
    Change tick = {.kind = CHANGE_TICK};
    for (int i = 0; i < size; i++) buf_byte(&source, 'x');
    change_encode(&tick, &changes);
    BatchHead head = {.seq = seq, .time = (int64_t)seq * 1000, .source = buf_str(&source), .count = 1};
    batch_encode(&head, buf_str(&changes), &out);
    buf_free(&changes);
    buf_free(&source);
    return out;
}

static void submit(Rig *r, uint64_t world, uint64_t seq, int size) {
    Buf b = batch(seq, size);
    if (!world) store_submit(r->s, seq, buf_str(&b));
    else {
        StoreBatch to = {.world = world, .prev = seq - 1, .seq = seq, .ids = 100 * world + seq, .bytes = buf_str(&b)};
        store_submit_to(r->s, &to);
    }
    buf_free(&b);
}

// How many batches of a world are there, read by slices; -1: damage is told.
static int count(Rig *r, uint64_t world, uint64_t after, int64_t slice) {
    StoreReader *reader;
    int n = 0;
    uint64_t at = after;
    for (;;) {
        Buf bytes = {0};
        assert_int_equal(store_reader_begin(r->s, &reader), ERR_OK);
        Err e = store_world_journal(reader, world, &after, slice, &bytes);
        store_reader_end(reader);
        if (e) assert_int_equal(e, ERR_CORRUPT);
        bool end = e || !bytes.n;
        for (Cut c = cut_of(buf_str(&bytes)); !end && c.p < c.end; n++) {
            BatchHead head;
            Change change;
            assert_int_equal(batch_decode(&c, &head), ERR_OK);
            assert_int_equal(head.seq, ++at);
            assert_int_equal(change_decode(&c, &change), ERR_OK);
        }
        buf_free(&bytes);
        if (e) return -1;
        if (end) return n;
    }
}

static bool take_name(void *ctx, uint64_t world, Str bytes) {
    buf_printf(ctx, "%llu=%.*s ", (unsigned long long)world, STR_ARG(bytes));
    return true;
}

static void expect_worlds(Rig *r, const char *want) {
    StoreReader *reader;
    Buf out = {0};
    assert_int_equal(store_reader_begin(r->s, &reader), ERR_OK);
    assert_int_equal(store_worlds(reader, take_name, &out), ERR_OK);
    store_reader_end(reader);
    buf_byte(&out, 0);
    assert_string_equal(out.p, want);
    buf_free(&out);
}

// Three worlds and the live one, in turns.
static void fill(Rig *r, int batches) {
    for (uint64_t w = 1; w <= 3; w++) {
        char name[] = {(char)('a' + (int)w - 1), 0};
        store_world_put(r->s, w, str_of(name));
    }
    for (int i = 1; i <= batches; i++)
        for (uint64_t w = 0; w <= 3; w++) submit(r, w, (w ? 10 * w : 0) + (uint64_t)i, 200);
    store_drain(r->s);
}

static void in_order_and_again(void **state) {
    Rig *r = *state;
    rig_open(r);
    fill(r, 50);
    assert_int_equal(r->ticket, 3 + 200);
    assert_int_equal(r->seq, 50);
    for (int round = 0; round < 2; round++) {
        uint64_t world = 0, ids = 0;
        StoreReader *reader;
        expect_worlds(r, "1=a 2=b 3=c ");
        for (uint64_t w = 1; w <= 3; w++) {
            assert_int_equal(count(r, w, 10 * w, 1), 50);
            assert_int_equal(count(r, w, 10 * w, 1 << 20), 50);
        }
        assert_int_equal(store_reader_begin(r->s, &reader), ERR_OK);
        assert_int_equal(store_worlds_highest(reader, &world, &ids), ERR_OK);
        store_reader_end(reader);
        assert_int_equal(world, 3);
        assert_int_equal(ids, 300 + 80);
        rig_close(r);
        StoreCheck c = {0};
        assert_int_equal(store_check(str_of(r->path), &c, NULL), ERR_OK);
        assert_int_equal(c.findings, 0);
        rig_open(r);
        assert_int_equal(world_seq(r->live), 50);
    }
    store_world_put(r->s, 2, STR("other"));
    store_world_del(r->s, 1);
    store_drain(r->s);
    expect_worlds(r, "2=other 3=c ");
    assert_int_equal(count(r, 1, 10, 1 << 20), 0);
    assert_int_equal(count(r, 3, 30, 1 << 20), 50);
    rig_close(r);
}

static int take_count(void *to, int n, char **values, char **names) {
    (void)n;
    (void)names;
    *(int *)to = atoi(values[0]);
    return 0;
}

// A row holds what was committed together; what is asked for may begin within one.
static void from_within_a_row(void **state) {
    Rig *r = *state;
    rig_open(r);
    store_world_put(r->s, 1, STR("a"));
    for (uint64_t seq = 11; seq <= 60; seq++) submit(r, 1, seq, 200);
    store_drain(r->s);
    sqlite3 *h;
    int rows = 0;
    assert_int_equal(sqlite3_open(r->path, &h), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, "SELECT COUNT(*) FROM scenario", take_count, &rows, NULL), SQLITE_OK);
    sqlite3_close(h);
    assert_in_range(rows, 1, 49);
    for (uint64_t from = 10; from < 60; from++) {
        StoreReader *reader;
        Buf bytes = {0};
        BatchHead head = {0};
        uint64_t after = from, seen = 0;
        assert_int_equal(store_reader_begin(r->s, &reader), ERR_OK);
        assert_int_equal(store_world_journal(reader, 1, &after, 1 << 20, &bytes), ERR_OK);
        store_reader_end(reader);
        assert_int_equal(after, 60);
        for (Cut c = cut_of(buf_str(&bytes)); c.p < c.end; seen = head.seq) {
            Change change;
            assert_int_equal(batch_decode(&c, &head), ERR_OK);
            assert_true(seen ? head.seq == seen + 1 : head.seq <= from + 1);
            assert_int_equal(change_decode(&c, &change), ERR_OK);
        }
        assert_int_equal(seen, 60);
        buf_free(&bytes);
    }
    rig_close(r);
}

static void sql(const Rig *r, const char *text) {
    sqlite3 *h;
    assert_int_equal(sqlite3_open(r->path, &h), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(h);
}

// Rows of a world that has no row of its own were left by a crash.
static void what_a_crash_left(void **state) {
    Rig *r = *state;
    rig_open(r);
    fill(r, 100);
    rig_close(r);
    sql(r, "DELETE FROM world WHERE id = 2");
    rig_open(r);
    store_drain(r->s);
    assert_int_equal(count(r, 2, 20, 1 << 20), 0);
    assert_int_equal(count(r, 1, 10, 1 << 20), 100);
    rig_close(r);
}

static void damage_is_found(void **state) {
    static const struct {
        const char *sql;
        int read; // what reading world 2 gives
    } cases[] = {
        {"UPDATE scenario SET bytes = x'00' WHERE world = 2 AND seq = (SELECT min(seq) FROM scenario WHERE world = 2)",
         -1},
        {"UPDATE scenario SET ids = ids + 1 WHERE world = 2", -1},
        {"UPDATE world SET bytes = x'41' WHERE id = 2", 40},
    };
    Rig *r = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unlink(r->path);
        rig_open(r);
        fill(r, 40);
        rig_close(r);
        sql(r, cases[i].sql);
        StoreCheck c = {0};
        assert_int_equal(store_check(str_of(r->path), &c, NULL), ERR_OK);
        assert_true(c.findings >= 1);
        rig_open(r);
        assert_int_equal(count(r, 2, 20, 1), cases[i].read);
        assert_int_equal(count(r, 3, 30, 1), 40);
        rig_close(r);
    }
}

// ---- scrubbing ----------------------------------------------------------------------------------------------------

static Err forget(void *ctx, uint64_t world, Str bytes, Buf *out) {
    (void)ctx, (void)world;
    for (Cut c = cut_of(bytes); c.p < c.end;) { // the source goes
        BatchHead head;
        Change change;
        TRY(batch_decode(&c, &head));
        TRY(change_decode(&c, &change));
        Buf changes = {0};
        change_encode(&change, &changes);
        head.source = (Str){0};
        batch_encode(&head, buf_str(&changes), out);
        buf_free(&changes);
    }
    return ERR_OK;
}

static void scrubbed(void *arg, Err err, int64_t rows, int64_t zeroed) {
    (void)zeroed;
    assert_int_equal(err, ERR_OK);
    *(int64_t *)arg = rows;
}

// Rows of all worlds are written again.
static void scrubs_take_all_journals(void **state) {
    Rig *r = *state;
    int64_t rows = -1;
    rig_open(r);
    fill(r, 30);
    assert_true(store_checkpoint(r->s, world_fork(r->live, 0), world_seq(r->live)));
    store_drain(r->s);
    store_scrub(r->s, 0, forget, NULL, scrubbed, &rows);
    while (rows < 0) store_step(r->s);
    assert_true(rows >= 3);
    for (uint64_t w = 1; w <= 3; w++) assert_int_equal(count(r, w, 10 * w, 1), 30);
    rig_close(r);
    StoreCheck c = {0};
    assert_int_equal(store_check(str_of(r->path), &c, NULL), ERR_OK);
    assert_int_equal(c.findings, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_order_and_again, setup, teardown),
        cmocka_unit_test_setup_teardown(from_within_a_row, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_crash_left, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(scrubs_take_all_journals, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
