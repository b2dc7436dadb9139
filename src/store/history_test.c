// SPDX-License-Identifier: Apache-2.0
// History in the store: blocks that are put, asked for, survive and are told apart by what recovery replays; readers
// beside the writer; roots that wait for their history.
// LABELS: threads
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

#define RING 65536
#define VFS "store_history"
#define FILE_NAME "plant.sosia"
#define ROWS_MAX 600

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

static void on_commit(void *ctx, uint64_t last_seq) { atomic_store(&((Rig *)ctx)->acked, last_seq); }
static void on_fail(void *ctx, Err err, const char *why) {
    (void)ctx, (void)err;
    fail_msg("%s", why);
}

static void on_replay(void *ctx, const BatchHead *head, Str trail) {
    Rig *r = ctx;
    if (!r->replayed_first) r->replayed_first = head->seq;
    else assert_true(head->seq == r->replayed_last + 1);
    r->replayed_last = head->seq;
    buf_str_put(&r->trails, trail);
}

static void rig_open(Rig *r) {
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

static void rig_close(Rig *r) {
    store_close(r->store);
    world_free(r->world);
    domain_free(r->domain);
    test_writer_free(&r->writer);
    r->writer = (TestWriter){0};
}

static void rig_reopen(Rig *r) {
    rig_close(r);
    rig_open(r);
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
    world_settle(r->world, r->acked);
}

static bool rig_checkpoint(Rig *r) {
    World *fork = world_fork(r->world, 0);
    bool taken = store_checkpoint(r->store, fork, world_seq(r->world));
    if (!taken) world_free(fork);
    return taken;
}

static StoreStats rig_stats(Rig *r) {
    StoreStats s;
    store_stats(r->store, &s);
    return s;
}

static int64_t sql_on(const char *path, const char *vfs, const char *text) {
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
static int64_t sql(const char *text) { return sql_on(FILE_NAME, VFS, text); }

static int setup(void **state) {
    Rig *r = mem_alloc(sizeof *r);
    r->disk = test_vfs_new(VFS);
    *state = r;
    return 0;
}
static int teardown(void **state) {
    Rig *r = *state;
    test_vfs_free(r->disk);
    buf_free(&r->trails);
    mem_free(r);
    return 0;
}

static int setup_real(void **state) {
    Rig *r = mem_alloc(sizeof *r);
    snprintf(r->folder, sizeof r->folder, "/tmp/sosia-history-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    snprintf(r->path, sizeof r->path, "%s/%s", r->folder, FILE_NAME);
    *state = r;
    return 0;
}
static int teardown_real(void **state) {
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

static void told(void *arg, Err err, const char *why) {
    Told *t = arg;
    if (err == ERR_OK) assert_null(why);
    else snprintf(t->why, sizeof t->why, "%s", why);
    atomic_fetch_add(err == ERR_OK ? &t->ok : &t->refused, 1);
}

static void put_one(Store *s, const StoreHistory *h, Told *t) {
    assert_int_equal(store_history_put(s, &(StoreHistoryPut){.rows = h, .row_count = 1}, told, t), ERR_OK);
}

// A block whose bytes tell its numbers.
static StoreHistory block(uint64_t lane, uint64_t page, uint64_t first, uint64_t last, char *text, size_t n) {
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

// ---- asking: against a list -----------------------------------------------------------------------------------------

typedef struct List {
    StoreHistory rows[ROWS_MAX];
    char text[ROWS_MAX][64];
    int64_t count;
} List;

static int by_time(const void *a, const void *b) {
    const StoreHistory *x = a, *y = b;
    if (x->t0 != y->t0) return x->t0 < y->t0 ? -1 : 1;
    return x->tier - y->tier;
}

// What an ask must give, in order.
static int64_t expect(const List *m, const StoreHistoryAsk *ask, StoreHistory *out) {
    int64_t n = 0, from = INT64_MIN;
    for (int64_t i = 0; i < m->count; i++) {
        const StoreHistory *h = &m->rows[i];
        bool here = h->lane == ask->lane && h->page == ask->page && h->tier < STORE_TIER_MEANS;
        if (here && h->start && h->t0 <= ask->at && h->t0 > from) from = h->t0;
    }
    for (int64_t i = 0; i < m->count; i++) {
        const StoreHistory *h = &m->rows[i];
        if (h->lane != ask->lane || h->page != ask->page || (h->tier >= STORE_TIER_MEANS) != ask->means) continue;
        bool in = ask->known ? h->t0 <= ask->at && h->t0 >= from : h->s1 >= ask->from && h->s0 < ask->to;
        if (in) out[n++] = *h;
    }
    qsort(out, (size_t)n, sizeof *out, by_time);
    return n;
}

typedef struct Got {
    const StoreHistory *want;
    int64_t count, at, stop;
    bool bytes;
} Got;

static bool same_row(const StoreHistory *a, const StoreHistory *b) {
    return a->lane == b->lane && a->page == b->page && a->tier == b->tier && a->first == b->first &&
           a->last == b->last && a->t0 == b->t0 && a->t1 == b->t1 && a->s0 == b->s0 && a->s1 == b->s1 &&
           a->points == b->points && a->late == b->late && a->start == b->start;
}

static bool got(void *ctx, const StoreHistory *h) {
    Got *g = ctx;
    assert_true(g->at < g->count);
    const StoreHistory *want = &g->want[g->at++];
    assert_true(same_row(h, want));
    assert_true(h->id > 0);
    assert_true(g->bytes ? str_eq(h->bytes, want->bytes) : !h->bytes.p);
    return g->at != g->stop;
}

static void check_ask(StoreReader *r, const List *m, const StoreHistoryAsk *ask, int64_t stop) {
    static StoreHistory want[ROWS_MAX];
    Got g = {.want = want, .count = expect(m, ask, want), .stop = stop, .bytes = ask->bytes};
    assert_int_equal(store_history_rows(r, ask, got, &g), ERR_OK);
    assert_int_equal(g.at, stop && stop < g.count ? stop : g.count);
}

static bool lane_seen(void *ctx, const StoreLane *l) {
    List *m = ((void **)ctx)[0];
    uint64_t *at = ((void **)ctx)[1];
    assert_true(l->lane >= *at);
    *at = l->lane + 1;
    StoreLane want = {.lane = l->lane, .t0 = INT64_MAX, .t1 = INT64_MIN};
    for (int64_t i = 0; i < m->count; i++) {
        const StoreHistory *h = &m->rows[i];
        if (h->lane != l->lane) continue;
        want.rows++;
        want.points += h->points;
        want.bytes += h->bytes.n;
        if (h->t0 < want.t0) want.t0 = h->t0;
        if (h->t1 > want.t1) want.t1 = h->t1;
    }
    assert_true(want.rows == l->rows && want.points == l->points && want.bytes == l->bytes);
    assert_true(want.t0 == l->t0 && want.t1 == l->t1);
    return true;
}

// Rows of at most a tier come by id: the order they were put in.
typedef struct Scan {
    const List *m;
    int64_t at, id;
    int32_t tier;
} Scan;
static bool scanned(void *ctx, const StoreHistory *h) {
    Scan *s = ctx;
    while (s->at < s->m->count && s->m->rows[s->at].tier > s->tier) s->at++;
    assert_true(s->at < s->m->count && same_row(h, &s->m->rows[s->at++]));
    assert_true(h->id > s->id && !h->bytes.p);
    s->id = h->id;
    return true;
}

static void check_all(Store *s, const List *m, Rng *rng) {
    StoreReader *r;
    assert_int_equal(store_reader_begin(s, &r), ERR_OK);
    for (int i = 0; i < 40; i++) {
        StoreHistoryAsk ask = {.lane = 1 + rng_below(rng, 4), .page = rng_below(rng, 4), .bytes = rng_below(rng, 2)};
        uint64_t kind = rng_below(rng, 3);
        ask.known = kind == 0;
        ask.means = kind == 1;
        ask.at = (int64_t)rng_below(rng, 200) * 1000;
        ask.from = (int64_t)rng_below(rng, 200) * 1000 - 5000;
        ask.to = ask.from + (int64_t)rng_below(rng, 100000);
        check_ask(r, m, &ask, rng_below(rng, 3) ? 0 : 1 + (int64_t)rng_below(rng, 3));
    }
    for (uint64_t lane = 0; lane < 6; lane++) {
        uint64_t pages, want = 0;
        for (int64_t i = 0; i < m->count; i++)
            if (m->rows[i].lane == lane && m->rows[i].page >= want) want = m->rows[i].page + 1;
        assert_int_equal(store_history_pages(r, lane, &pages), ERR_OK);
        assert_int_equal(pages, want);
    }
    uint64_t next_lane = 0;
    const void *ctx[2] = {m, &next_lane};
    assert_int_equal(store_history_lanes(r, lane_seen, ctx), ERR_OK);
    for (int32_t tier = 0; tier <= 17; tier += tier < 3 ? 1 : 14) {
        Scan scan = {.m = m, .tier = tier};
        assert_int_equal(store_history_scan(r, 0, tier, scanned, &scan), ERR_OK);
        while (scan.at < m->count && m->rows[scan.at].tier > tier) scan.at++;
        assert_int_equal(scan.at, m->count);
    }
    store_reader_end(r);
}

static void fill(List *m, Rng *rng) {
    uint64_t next[5][5] = {0};
    m->count = ROWS_MAX;
    for (int64_t i = 0; i < m->count; i++) {
        uint64_t lane = 1 + rng_below(rng, 4), page = rng_below(rng, 4), first = next[lane][page] + 1;
        StoreHistory h = block(lane, page, first, first + rng_below(rng, 5), m->text[i], sizeof m->text[i]);
        next[lane][page] = h.last;
        h.tier = rng_below(rng, 5) == 0 ? (int32_t)(STORE_TIER_MEANS + rng_below(rng, 2)) : (int32_t)rng_below(rng, 3);
        h.start = rng_below(rng, 6) == 0;
        h.late = (int64_t)rng_below(rng, 3);
        if (rng_below(rng, 4) == 0) h.s0 -= (int64_t)rng_below(rng, 50000); // points that came late
        m->rows[i] = h;
    }
}

// Everything that can be asked, against a plain list, by seed.
static void asks(void **state) {
    Rig *r = *state;
    List *m = mem_alloc(sizeof *m);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        Rng rng = rng_make(seed, 3);
        Told t = {0};
        rig_open(r);
        fill(m, &rng);
        for (int64_t i = 0; i < m->count;) { // several rows a put
            int64_t n = 1 + (int64_t)rng_below(&rng, 5);
            if (n > m->count - i) n = m->count - i;
            StoreHistoryPut put = {.rows = &m->rows[i], .row_count = n};
            assert_int_equal(store_history_put(r->store, &put, told, &t), ERR_OK);
            i += n;
        }
        store_drain(r->store);
        assert_int_equal(t.refused, 0);
        assert_true(t.ok > 0);
        assert_int_equal(rig_stats(r).history_rows, m->count);
        assert_int_equal(rig_stats(r).history_queue_bytes, 0);
        check_all(r->store, m, &rng);
        rig_reopen(r);
        check_all(r->store, m, &rng);
        rig_close(r);
        sql("DELETE FROM history");
    }
    mem_free(m);
}

// What an ask costs: the ranges are read from an index, without touching rows that do not answer.
static void asks_by_index(void **state) {
    Rig *r = *state;
    rig_open(r);
    for (DbStatement i = DB_HISTORY_RANGE; i <= DB_DEAD_SCAN; i++) {
        if (i == DB_HISTORY_SCAN || i == DB_HISTORY_ENDS || i == DB_HISTORY_YOUNG) continue;
        Buf text = {0};
        buf_printf(&text, "EXPLAIN QUERY PLAN %s", sqlite3_sql(r->store->db.st[i]));
        buf_byte(&text, 0);
        sqlite3_stmt *st;
        assert_int_equal(sqlite3_prepare_v2(r->store->db.h, text.p, -1, &st, NULL), SQLITE_OK);
        while (sqlite3_step(st) == SQLITE_ROW) {
            const char *plan = (const char *)sqlite3_column_text(st, 3);
            bool whole = strstr(plan, "SCAN history") && !strstr(plan, "COVERING");
            if (whole || (i != DB_HISTORY_LANES && strstr(plan, "TEMP B-TREE"))) fail_msg("%s: %s", text.p, plan);
        }
        sqlite3_finalize(st);
        buf_free(&text);
    }
    rig_close(r);
}

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

static int64_t rows_of(Store *s, uint64_t lane, uint64_t page);
static bool count_row(void *ctx, const StoreHistory *h) {
    (void)h;
    ++*(int64_t *)ctx;
    return true;
}
static int64_t rows_of(Store *s, uint64_t lane, uint64_t page) {
    StoreReader *r;
    int64_t n = 0;
    StoreHistoryAsk ask = {.lane = lane, .page = page, .bytes = true, .from = INT64_MIN, .to = INT64_MAX};
    assert_int_equal(store_reader_begin(s, &r), ERR_OK);
    Err e = store_history_rows(r, &ask, count_row, &n);
    store_reader_end(r);
    return e == ERR_OK ? n : -1;
}

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
    r->no_history = true;
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

// ---- readers ------------------------------------------------------------------------------------------------------

static void *reads_later(void *arg) {
    Rig *r = arg;
    assert_int_equal(rows_of(r->store, 1, 0), 0);
    atomic_store(&r->acked, 1000);
    return NULL;
}

// The pool is bounded: one more waits until one is given back.
static void readers_are_bounded(void **state) {
    Rig *r = *state;
    StoreReader *all[STORE_READERS_MAX];
    rig_open(r);
    for (int i = 0; i < STORE_READERS_MAX; i++) assert_int_equal(store_reader_begin(r->store, &all[i]), ERR_OK);
    assert_int_equal(rig_stats(r).readers, STORE_READERS_MAX);
    Thread t = {0};
    assert_int_equal(thread_start(&t, "later", reads_later, r), ERR_OK);
    thread_sleep_ns(20 * NS_PER_MS);
    assert_int_equal(atomic_load(&r->acked), 0);
    store_reader_end(all[3]);
    thread_join(&t);
    assert_int_equal(atomic_load(&r->acked), 1000);
    for (int i = 0; i < STORE_READERS_MAX; i++)
        if (i != 3) store_reader_end(all[i]);
    assert_int_equal(rig_stats(r).readers, 0);
    store_reader_end(NULL);
    rig_close(r);
}

typedef struct Crowd {
    Store *s;
    _Atomic bool stop;
    atomic_int reads;
} Crowd;

static bool crowd_row(void *ctx, const StoreHistory *h) {
    uint64_t *last = ctx;
    CHECK(h->first == *last + 1); // one instant: no gap, none twice
    *last = h->last;
    return true;
}

static void *read_on(void *arg) {
    Crowd *c = arg;
    while (!atomic_load(&c->stop)) {
        StoreReader *r;
        CHECK(store_reader_begin(c->s, &r) == ERR_OK);
        StoreHistoryAsk ask = {.lane = 1, .from = INT64_MIN, .to = INT64_MAX, .bytes = true};
        for (int i = 0; i < 3; i++) { // so long that another one has begun when it ends
            uint64_t last = 0;
            CHECK(store_history_rows(r, &ask, crowd_row, &last) == ERR_OK);
        }
        store_reader_end(r);
        atomic_fetch_add(&c->reads, 1);
    }
    return NULL;
}

// Readers on the real disk that overlap for ever, beside commits and puts: each sees one instant, and the log is moved
// into the file all the same.
static void readers_beside_the_writer(void **state) {
    enum { THREADS = 4 };
    Rig *r = *state;
    Told t = {0};
    Thread threads[THREADS] = {0};
    char log[128];
    int64_t log_max = 0, size = 200000;
    char *bytes = mem_alloc((size_t)size);
    rig_open(r);
    assert_int_equal(store_start(r->store), ERR_OK);
    Crowd c = {.s = r->store};
    for (int i = 0; i < THREADS; i++) assert_int_equal(thread_start(&threads[i], "reads", read_on, &c), ERR_OK);
    snprintf(log, sizeof log, "%s-wal", r->path);
    int64_t puts = 0, gone = 0;
    for (; puts < 400; puts++) {
        StoreHistory h = {.lane = 1, .first = 1 + (uint64_t)puts, .last = 1 + (uint64_t)puts, .t0 = puts, .t1 = puts};
        h.bytes = (Str){bytes, size};
        put_one(r->store, &h, &t);
        if (puts % 20 == 19) { // what is read stays short: as merging does
            StoreHistory all = {.lane = 1, .first = 1, .last = 1 + (uint64_t)puts, .t1 = puts, .tier = 1};
            int64_t ids[64];
            int n = 0;
            for (int64_t id = gone + 1; id <= puts + 1 + puts / 20; id++) ids[n++] = id;
            gone += n;
            StoreHistoryPut put = {.gone = ids, .gone_count = n, .rows = &all, .row_count = 1};
            assert_int_equal(store_history_put(r->store, &put, told, &t), ERR_OK);
        }
        if (puts % 5 == 0) {
            rig_write(r, 10);
            store_drain(r->store);
            world_settle(r->world, atomic_load(&r->acked));
            struct stat st;
            if (stat(log, &st) == 0 && st.st_size > log_max) log_max = st.st_size;
        }
    }
    store_drain(r->store);
    atomic_store(&c.stop, true);
    for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
    assert_int_equal(t.refused, 0);
    assert_true(atomic_load(&c.reads) > 10);
    print_message("%lld MB written, %d reads, the log had %lld MB at most\n", (long long)(puts * size >> 20),
                  atomic_load(&c.reads), (long long)(log_max >> 20));
    assert_true(log_max < 32 << 20);
    mem_free(bytes);
    rig_close(r);
}

// Another connection, as another process has: it reads while the store is open, with the log as private as the file.
static void others_may_read(void **state) {
    Rig *r = *state;
    static const char *const beside[] = {"", "-wal", "-shm", ".lock"};
    umask(0);
    rig_open(r);
    for (int i = 0; i < 5; i++) rig_write(r, 10);
    rig_settle(r);
    assert_int_equal(sql_on(r->path, NULL, "SELECT max(seq) FROM journal"), 5);
    for (int i = 0; i < 4; i++) {
        char name[128];
        struct stat st;
        snprintf(name, sizeof name, "%s%s", r->path, beside[i]);
        if (stat(name, &st) != 0) fail_msg("%s is not there", name);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    sqlite3 *h; // holds what it sees, and what comes goes on
    assert_int_equal(sqlite3_open_v2(r->path, &h, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, "BEGIN; SELECT * FROM meta", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 5; i++) rig_write(r, 10);
    store_history_sealed(r->store, 10);
    assert_true(rig_checkpoint(r));
    rig_settle(r);
    assert_int_equal(r->acked, 10);
    assert_int_equal(rig_stats(r).checkpoints, 1);
    assert_int_equal(sqlite3_exec(h, "SELECT * FROM journal", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(h), SQLITE_OK);
    rig_reopen(r);
    assert_int_equal(world_seq(r->world), 10);
    rig_close(r);
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
    r->no_history = true;
    rig_open(r);
    for (int i = 0; i < 5; i++) rig_write(r, 10);
    StoreItem item = {STR("k"), STR("a"), STR("v"), false};
    assert_int_equal(store_items_put(r->store, &item, 1, told, &t), ERR_OK);
    rig_settle(r);
    assert_true(rig_checkpoint(r));
    rig_write(r, 10);
    rig_settle(r);
    rig_close(r);
    r->no_history = false;
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
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define R(f) cmocka_unit_test_setup_teardown(f, setup_real, teardown_real)
    const struct CMUnitTest tests[] = {
        T(asks),
        T(asks_by_index),
        T(the_dead),
        T(replaces),
        T(queue_is_bounded),
        T(damaged_rows),
        T(root_waits),
        T(no_history_no_wait),
        T(ahead),
        T(readers_are_bounded),
        R(readers_beside_the_writer),
        R(others_may_read),
        T(format_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
