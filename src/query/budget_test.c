// SPDX-License-Identifier: Apache-2.0
// LABELS: threads
// What a question may cost: rows, memory, time; that it stops soon, says why, and gives its memory back.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include "base/thread.h"
#include "query/test_run.h"

enum { ROOMS = 5000, CROWD = 30 };

static TestGraph rooms, crowd; // many twins; few, each related to all others

static int open_worlds(void **state) {
    (void)state;
    test_graph_open(&rooms, 1);
    test_rooms(&rooms, ROOMS);
    test_graph_open(&crowd, 2);
    test_complete(&crowd, CROWD);
    return 0;
}

static int close_worlds(void **state) {
    (void)state;
    test_graph_close(&rooms);
    test_graph_close(&crowd);
    return 0;
}

// A clock that is a millisecond later at every look.
static _Atomic int64_t ticks;
static int64_t ticking(void) { return atomic_fetch_add(&ticks, 1000000); }

static void expect(const TestGraph *g, const QueryOptions *o, const char *text, Err err, const char *part) {
    TestAnswer a;
    test_ask(g->w, o, 1000, text, &a);
    if (a.err != err || str_find_str(buf_str(&a.message), str_of(part)) < 0)
        fail_msg("%s\n%s: %.*s", text, err_name(a.err), STR_ARG(buf_str(&a.message)));
    if (o->limits.rows && a.stats.rows_looked_at > o->limits.rows + 4 * PAGE_ROWS)
        fail_msg("%s\nlooked at %lld", text, (long long)a.stats.rows_looked_at);
    if (o->limits.bytes && a.stats.bytes_peak > 4 * o->limits.bytes + (1 << 16))
        fail_msg("%s\nheld %lld bytes", text, (long long)a.stats.bytes_peak);
    test_answer_free(&a);
}

static const char *const runaways[] = {
    "SELECT COUNT() FROM DIGITALTWINS MATCH (a)-[*..10]->(b)",
    "SELECT a, b FROM DIGITALTWINS MATCH (a)-[*..10]->(b) ORDER BY b.name",
    "SELECT b.name, COUNT() AS n FROM DIGITALTWINS MATCH (a)-[*..10]->(b)-[]->(c) GROUP BY b.name",
    "SELECT a.$dtId FROM DIGITALTWINS MATCH (a)-[*]-(b) WHERE a.$dtId = 'k3' AND b.$dtId = 'k4' AND a.count > b.count",
    "SELECT COUNT() FROM DIGITALTWINS A JOIN B RELATED A.near JOIN C RELATED B.near JOIN D RELATED C.near",
};

static void test_rows(void **state) {
    QueryOptions o = {.limits.rows = 20000};
    QueryCrew crew = {.ctx = &crew, .threads = 4, .run = test_crew_run};
    (void)state;
    for (size_t i = 0; i < sizeof runaways / sizeof *runaways; i++) {
        o.crew = NULL;
        expect(&crowd, &o, runaways[i], ERR_BUDGET, "may look at 20000 twins and relationships");
        o.crew = &crew;
        expect(&crowd, &o, runaways[i], ERR_BUDGET, "Add a filter");
    }
    o.limits.rows = 2000;
    expect(&rooms, &o, "SELECT T.$dtId FROM DIGITALTWINS T WHERE T.temp < 0", ERR_BUDGET, "raise the limit");
    o.limits.rows = ROOMS;
    expect(&rooms, &o, "SELECT T.$dtId FROM DIGITALTWINS T WHERE T.temp < 0", ERR_OK, "");
}

// Endless walks hold next to nothing, however far they get.
static void test_walks_hold_little(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof runaways / sizeof *runaways; i++) {
        TestAnswer a;
        if (i == 1) continue; // holds its rows
        test_ask(crowd.w, &(QueryOptions){.limits.rows = 300000}, 1000, runaways[i], &a);
        assert_int_equal(a.err, ERR_BUDGET);
        assert_true(a.stats.bytes_peak < 1 << 18);
        test_answer_free(&a);
    }
}

static void test_bytes(void **state) {
    QueryOptions o = {.limits.bytes = 1 << 17};
    (void)state;
    expect(&crowd, &o, runaways[1], ERR_BUDGET, "may hold 131072 bytes");
    expect(&rooms, &o, "SELECT T.$dtId FROM DIGITALTWINS T ORDER BY T.name", ERR_BUDGET, "TOP");
    expect(&rooms, &o, "SELECT DISTINCT T.$dtId FROM DIGITALTWINS T", ERR_BUDGET, "bytes");
    expect(&rooms, &o, "SELECT T.$dtId, COUNT() AS n FROM DIGITALTWINS T GROUP BY T.$dtId", ERR_BUDGET,
           "group by less");
    expect(&rooms, &o, "SELECT PERCENTILE(T.area, 50) AS p, COUNT() AS n FROM DIGITALTWINS T", ERR_OK, "");
    o.limits.bytes = 1 << 14;
    expect(&rooms, &o, "SELECT PERCENTILE(T.temp, 50) AS p FROM DIGITALTWINS T", ERR_BUDGET, "bytes");
}

// The best ten of many need room for few.
static void test_top_holds_little(void **state) {
    QueryOptions o = {.limits.bytes = 1 << 19};
    (void)state;
    expect(&rooms, &o, "SELECT TOP(10) T.$dtId FROM DIGITALTWINS T ORDER BY T.name, T.temp DESC", ERR_OK, "");
    expect(&rooms, &o, "SELECT TOP(10) DISTINCT T.temp FROM DIGITALTWINS T ORDER BY T.temp DESC", ERR_OK, "");
}

// A TOP beyond all rows is no TOP.
static void test_top_of_all(void **state) {
    (void)state;
    expect(&rooms, &(QueryOptions){0},
           "SELECT TOP(9223372036854775807) T.$dtId FROM DIGITALTWINS T ORDER BY T.name, T.temp DESC", ERR_OK, "");
    expect(&rooms, &(QueryOptions){0}, "SELECT TOP(5000000000000000000) DISTINCT T.temp FROM DIGITALTWINS T", ERR_OK,
           "");
}

static void test_time(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof runaways / sizeof *runaways; i++) {
        QueryOptions o = {.clock = ticking};
        ticks = 0;
        o.limits.until_ns = 50000000;
        expect(&crowd, &o, runaways[i], ERR_TIMEOUT, "took longer than allowed");
        assert_true(ticks < 200000000);
    }
}

// Conditions are bound for each model before anything is looked at: that is on the bill as well.
static void test_plan(void **state) {
    const QueryLimits limits[] = {{.bytes = 1}, {.until_ns = 1}};
    (void)state;
    for (int i = 0; i < 2; i++) {
        Arena a;
        Query *q;
        QueryCursor *c = NULL;
        View v;
        QueryOptions o = {.now = TEST_GRAPH_NOW, .clock = ticking, .limits = limits[i]};
        ticks = 2;
        arena_init(&a, 0);
        view_begin(&v, rooms.w);
        assert_int_equal(query_parse(&a, STR("SELECT T.$dtId FROM DIGITALTWINS T WHERE T.temp < 0"), &q, NULL), ERR_OK);
        assert_int_equal(query_open(q, &v, &o, &c, NULL), i ? ERR_TIMEOUT : ERR_BUDGET);
        assert_null(c);
        view_end(&v);
        arena_free(&a);
    }
}

static void test_cancel(void **state) {
    _Atomic bool cancel = true;
    QueryOptions o = {.limits.cancel = &cancel};
    (void)state;
    expect(&crowd, &o, runaways[0], ERR_BUDGET, "cancelled");
}

// Filters that look at neighbours are part of the bill.
static void test_neighbours(void **state) {
    QueryOptions o = {.limits.rows = 500};
    (void)state;
    expect(&crowd, &o, "SELECT T.$dtId FROM DIGITALTWINS T WHERE COUNT(T->near) > 3", ERR_BUDGET, "may look at 500");
    o.limits.rows = 5000;
    expect(&crowd, &o, "SELECT T.$dtId FROM DIGITALTWINS T WHERE COUNT(T->near) > 3", ERR_OK, "");
}

// One value may look at more neighbours than there is time for: the clock and the switch are looked at on the way.
static void test_neighbours_of_neighbours(void **state) {
    static const char text[] = "SELECT COUNT(T->near WHERE COUNT(->near WHERE COUNT(->near WHERE COUNT(->near WHERE "
                               "COUNT(->near WHERE COUNT(->near) > 99) > 99) > 99) > 99) > 99) AS n "
                               "FROM DIGITALTWINS T WHERE T.$dtId = 'k3'";
    QueryOptions o = {.clock = ticking, .limits.until_ns = 50000000};
    _Atomic bool cancel = true;
    (void)state;
    ticks = 0;
    expect(&crowd, &o, text, ERR_TIMEOUT, "took longer than allowed");
    expect(&crowd, &(QueryOptions){.limits.cancel = &cancel}, text, ERR_BUDGET, "cancelled");
    expect(&crowd, &(QueryOptions){.limits.rows = 500}, text, ERR_BUDGET, "may look at 500");
}

// Texts made on the way to a row are not held for a whole page of rows.
static void test_texts_made(void **state) {
    Buf text = {0};
    struct rusage before, after;
    (void)state;
    buf_str_put(&text, STR("SELECT COUNT() AS n FROM DIGITALTWINS T WHERE LENGTH(REPLACE('"));
    for (int i = 0; i < 900; i++) buf_byte(&text, 'a');
    buf_str_put(&text, STR("', 'a', CONCAT(T.name, '"));
    for (int i = 0; i < 900; i++) buf_byte(&text, 'b');
    buf_str_put(&text, STR("'))) > 1000"));
    buf_byte(&text, 0);
    QueryOptions o = {.limits.bytes = 16 << 20};
    getrusage(RUSAGE_SELF, &before);
    expect(&rooms, &o, text.p, ERR_OK, "");
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 600 << 10);
    buf_free(&text);
}

// Every page has a budget of its own.
static void test_pages(void **state) {
    Arena a;
    Query *q;
    QueryCursor *c;
    View v;
    bool more = true;
    int64_t rows, all = 0;
    QueryOptions o = {.now = TEST_GRAPH_NOW, .limits.rows = 3000};
    (void)state;
    arena_init(&a, 0);
    assert_int_equal(query_parse(&a, STR("SELECT T.$dtId FROM DIGITALTWINS T"), &q, NULL), ERR_OK);
    view_begin(&v, rooms.w);
    assert_int_equal(query_open(q, &v, &o, &c, NULL), ERR_OK);
    for (; more; all += rows) {
        query_limits(c, &o.limits);
        assert_int_equal(query_next(c, 1000, NULL, &rows, &more, NULL), ERR_OK);
    }
    assert_int_equal(all, ROOMS);
    assert_int_equal(query_stats(c).rows_out, ROOMS);
    query_close(c);
    view_end(&v);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_walks_hold_little),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_top_holds_little),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_neighbours_of_neighbours),
        cmocka_unit_test(test_texts_made),
        cmocka_unit_test(test_top_of_all),
        cmocka_unit_test(test_plan),
    };
    return cmocka_run_group_tests(tests, open_worlds, close_worlds);
}
