// SPDX-License-Identifier: Apache-2.0
// History in the store, read: asked for, against a list; readers that are bounded and stand beside the writer, within
// the process and beside it.
// LABELS: threads
#include "store/test_history.h"

#define ROWS 600

// ---- asking: against a list -----------------------------------------------------------------------------------------

typedef struct List {
    StoreHistory rows[ROWS];
    char text[ROWS][64];
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
    static StoreHistory want[ROWS];
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
    m->count = ROWS;
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

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup_history, teardown)
#define R(f) cmocka_unit_test_setup_teardown(f, setup_real_history, teardown_real)
    const struct CMUnitTest tests[] = {
        T(asks), T(asks_by_index), T(readers_are_bounded), R(readers_beside_the_writer), R(others_may_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
