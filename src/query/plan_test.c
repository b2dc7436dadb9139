// SPDX-License-Identifier: Apache-2.0
// LABELS: threads
// Which plan a question gets, seen through EXPLAIN and what it looked at; that threads do not show in answers; notes.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/time.h"
#include "query/cache.h"
#include "query/test_run.h"

enum { ROOMS = 9000, HUB_LINKS = 1500 };

// Rooms, a hub that many rooms are near to, and a few rare `inside` relationships among others.
static TestGraph g;

static int open_world(void **state) {
    char id[16];
    (void)state;
    test_graph_open(&g, 1);
    test_rooms(&g, ROOMS);
    for (int i = 0; i < 3; i++) {
        snprintf(id, sizeof id, "o%d", i);
        test_other(&g, id);
    }
    for (int i = 1; i <= HUB_LINKS; i++) {
        snprintf(id, sizeof id, "r%d", i);
        test_link(&g, id, "near", "r0");
    }
    test_link(&g, "r1", "has", "r2");
    test_link(&g, "r2", "has", "r3");
    test_link(&g, "o0", "inside", "o1");
    test_link(&g, "o1", "inside", "o2");
    test_link(&g, "o1", "has", "r9");
    return 0;
}

static int close_world(void **state) {
    (void)state;
    test_graph_close(&g);
    return 0;
}

static TestAnswer ask(const char *text) {
    TestAnswer a;
    test_ask(g.w, &(QueryOptions){.clock = time_mono_ns}, 1000, text, &a);
    if (a.err != ERR_OK) fail_msg("%s: %.*s", text, STR_ARG(buf_str(&a.message)));
    return a;
}

static bool has(const Buf *b, const char *part) { return str_find_str(buf_str(b), str_of(part)) >= 0; }

// The plan of the question says all of this; it looks at no more than so many twins and relationships.
static void expect(const char *text, const char *step, const char *detail, int64_t looks, const char *rows) {
    TestAnswer a = ask(text);
    char want[64];
    snprintf(want, sizeof want, "\"step\":\"%s\"", step);
    if (!has(&a.plan, want) || !has(&a.plan, detail)) fail_msg("%s\n%.*s", text, STR_ARG(buf_str(&a.plan)));
    if (a.stats.rows_looked_at > looks) fail_msg("%s\nlooked at %lld", text, (long long)a.stats.rows_looked_at);
    if (rows && !str_eq(buf_str(&a.rows), str_of(rows))) fail_msg("%s\n%.*s", text, STR_ARG(buf_str(&a.rows)));
    test_answer_free(&a);
}

static void test_fixed_twins(void **state) {
    (void)state;
    expect("SELECT T.$dtId FROM DIGITALTWINS T WHERE T.$dtId = 'r7' AND T.count = 0", "find", "1 twins by $dtId", 1,
           "{\"$dtId\":\"r7\"}\n");
    expect("SELECT T.$dtId FROM DIGITALTWINS T WHERE T.$dtId IN ['r8', 'nobody', 'r7']", "find", "2 twins by $dtId", 2,
           "{\"$dtId\":\"r7\"},{\"$dtId\":\"r8\"}\n");
    expect("SELECT T.$dtId FROM DIGITALTWINS T WHERE T.$dtId = 'r8' OR 'o0' = T.$dtId", "find", "2 twins by $dtId", 2,
           "{\"$dtId\":\"r8\"},{\"$dtId\":\"o0\"}\n");
    expect("SELECT T FROM DIGITALTWINS T WHERE T.$dtId = 'nobody'", "find", "no such twin", 0, "");
    expect("SELECT COUNT() FROM DIGITALTWINS T WHERE T.$dtId = 'nobody'", "find", "no such twin", 0, "{\"COUNT\":0}\n");
}

static void test_ends(void **state) {
    (void)state;
    expect("SELECT a.$dtId FROM DIGITALTWINS MATCH (a)-[:has]->(b)-[:has]->(c) WHERE c.$dtId = 'r3'", "expand",
           "c <-[:has]- b", 20, "{\"$dtId\":\"r1\"}\n");
    expect("SELECT c.$dtId FROM DIGITALTWINS MATCH (a)-[:has]->(b)-[:has]->(c) WHERE b.$dtId = 'r2'", "sort",
           "into the order of the text", 20, "{\"$dtId\":\"r3\"}\n");
    expect("SELECT R.$relationshipId FROM RELATIONSHIPS R WHERE R.$sourceId = 'o1' AND R.$relationshipName = 'has'",
           "list", "relationships leaving 1 twins", 10, "{\"$relationshipId\":\"o1-has-r9\"}\n");
}

// A hub is not walked through to find the one relationship between it and another twin, whichever end it is.
static void test_hub(void **state) {
    (void)state;
    expect("SELECT R.$relationshipId FROM DIGITALTWINS MATCH (a)-[R:near]->(b) WHERE a.$dtId = 'r5' AND b.$dtId = 'r0'",
           "find", "one of 1 twins", 20, "{\"$relationshipId\":\"r5-near-r0\"}\n");
    expect("SELECT R.$relationshipId FROM DIGITALTWINS MATCH (b)<-[R:near]-(a) WHERE a.$dtId = 'r5' AND b.$dtId = 'r0'",
           "find", "one of 1 twins", 20, "{\"$relationshipId\":\"r5-near-r0\"}\n");
    expect("SELECT R.$relationshipId FROM DIGITALTWINS MATCH (a)-[:has]->(b)<-[R]-(a) WHERE a.$dtId = 'r0'", "close",
           "", 2000, "");
}

static void test_rare_relationship(void **state) {
    (void)state;
    expect("SELECT a.$dtId AS a, c.$dtId AS c FROM DIGITALTWINS MATCH (a)-[:inside]->(b)-[:has]->(c)", "scan",
           "relationships :inside", 1600, "{\"a\":\"o0\",\"c\":\"r9\"}\n");
}

static void test_models(void **state) {
    (void)state;
    expect("SELECT COUNT() FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:t:Base;1')", "count", "live rows", 10000,
           "{\"COUNT\":9000}\n");
    expect("SELECT COUNT() FROM DIGITALTWINS T WHERE T.$metadata.$model = 'dtmi:t:Other;1' AND T.$dtId != 'o1'", "scan",
           "dtmi:t:Other;1", 3, "{\"COUNT\":2}\n");
    expect("SELECT COUNT() FROM DIGITALTWINS T WHERE T.count > 1 AND 1 = 2", "count", "", 0, "{\"COUNT\":0}\n");
    expect("SELECT COUNT() FROM RELATIONSHIPS", "count", "live rows", 10000, "{\"COUNT\":1505}\n");
}

static void test_streams(void **state) {
    (void)state;
    expect("SELECT TOP(2) T.$dtId FROM DIGITALTWINS T", "scan", "", PAGE_ROWS,
           "{\"$dtId\":\"r0\"},{\"$dtId\":\"r1\"}\n");
    expect("SELECT TOP(1) a.$dtId FROM DIGITALTWINS MATCH (a)-[]->(b)", "expand", "", PAGE_ROWS + 3100,
           "{\"$dtId\":\"r1\"}\n");
    expect("SELECT TOP(2) T.$dtId FROM DIGITALTWINS T ORDER BY T.temp DESC, T.$dtId", "sort", "by 2 expressions", 9003,
           "{\"$dtId\":\"r8999\"},{\"$dtId\":\"r8998\"}\n");
}

// A graph where every path of up to ten hops would take for ever.
static void test_breadth_first(void **state) {
    TestGraph was = g;
    (void)state;
    test_graph_open(&g, 2);
    test_complete(&g, 40);
    expect("SELECT DISTINCT b.$dtId FROM DIGITALTWINS MATCH (a)-[*..10]->(b) WHERE a.$dtId = 'k0' AND b.count = 6 "
           "ORDER BY b.$dtId DESC",
           "reach", "breadth first", 2000,
           "{\"$dtId\":\"k6\"},{\"$dtId\":\"k34\"},{\"$dtId\":\"k27\"},{\"$dtId\":\"k20\"},{\"$dtId\":\"k13\"}\n");
    expect("SELECT p.length AS n, p FROM DIGITALTWINS MATCH p = SHORTEST (a)-[*]->(b) WHERE a.$dtId = 'k3' AND b.$dtId "
           "= 'k9'",
           "shortest", "from both ends", 500,
           "{\"n\":1,\"p\":{\"length\":1,\"twins\":[\"k3\",\"k9\"],\"relationships\":[{\"$sourceId\":\"k3\","
           "\"$relationshipId\":\"k3-near-k9\"}]}}\n");
    test_graph_close(&g);
    g = was;
}

// Between two fixed twins, ways that lead elsewhere are not walked: in a tree whose leaves are tied in a ring, nearly
// every path of eight hops misses the target.
static void test_guided(void **state) {
    TestGraph was = g;
    char a[16], b[16];
    (void)state;
    test_graph_open(&g, 4);
    test_rooms(&g, 500);
    for (int i = 1; i < 500; i++) {
        snprintf(a, sizeof a, "r%d", (i - 1) / 3);
        snprintf(b, sizeof b, "r%d", i);
        test_link(&g, a, "has", b);
        if (i % 2) test_link(&g, b, "near", a);
    }
    static const char text[] =
        "SELECT COUNT() FROM DIGITALTWINS MATCH (a)-[*..8]->(b) WHERE a.$dtId = 'r0' AND b.$dtId = 'r31'";
    TestAnswer want;
    test_ask(g.w, &(QueryOptions){.naive = true}, 10, text, &want);
    assert_true(want.stats.rows_looked_at > 2000);
    buf_byte(&want.rows, 0);
    expect(text, "expand", "one of 1 twins", 1000, want.rows.p);
    test_answer_free(&want);
    test_graph_close(&g);
    g = was;
}

// Walks between fixed twins find what nested loops find, in every direction and range.
static void test_guided_oracle(void **state) {
    static const char *const edges[] = {"-[%s*%d..%d]->", "<-[%s*%d..%d]-", "-[%s*%d..%d]-"};
    static const char *const rels[] = {"", ":has", ":near"};
    int64_t rows = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        TestGraph small;
        test_graph_open(&small, seed);
        test_graph_grow(&small, 7, 13);
        for (int i = 0; i < 9; i++) {
            char edge[40], text[256];
            Rng *r = &small.rng;
            int m = (int)rng_below(r, 3), n = m + 1 + (int)rng_below(r, 4);
            snprintf(edge, sizeof edge, edges[i % 3], rels[rng_below(r, 3)], m, n);
            snprintf(
                text, sizeof text,
                "SELECT a.$dtId AS a, b.$dtId AS b FROM DIGITALTWINS MATCH (a)%s(b) WHERE a.$dtId IN ['t%d', 't%d'] "
                "AND b.$dtId IN ['t%d', 't%d', 't%d']",
                edge, (int)rng_below(r, 7), (int)rng_below(r, 7), (int)rng_below(r, 7), (int)rng_below(r, 7),
                (int)rng_below(r, 7));
            TestAnswer want, got;
            test_ask(small.w, &(QueryOptions){.naive = true}, 1000, text, &want);
            test_ask(small.w, &(QueryOptions){0}, 1000, text, &got);
            assert_int_equal(got.err, want.err);
            if (!str_eq(buf_str(&want.rows), buf_str(&got.rows)))
                fail_msg("seed %llu: %s\n%.*s\n%.*s", (unsigned long long)seed, text, STR_ARG(buf_str(&want.rows)),
                         STR_ARG(buf_str(&got.rows)));
            rows += want.rows.n;
            test_answer_free(&want);
            test_answer_free(&got);
        }
        test_graph_close(&small);
    }
    assert_true(rows > 10000);
}

// The same question often enough, and it is answered from an index.
static void test_index(void **state) {
    static const char text[] = "SELECT COUNT() FROM DIGITALTWINS T WHERE T.name = 'n42'";
    QueryCache *cache = query_cache_new(0);
    QueryOptions o = {.clock = time_mono_ns, .cache = cache};
    bool found = false;
    (void)state;
    for (int i = 0; i < 200 && !found; i++) {
        TestAnswer a;
        test_ask(g.w, &o, 100, text, &a);
        assert_string_equal(arena_str(&g.arena, buf_str(&a.rows)).p, "{\"COUNT\":90}\n");
        found = has(&a.plan, "by the index on name") && a.stats.rows_looked_at < 200;
        test_answer_free(&a);
        query_cache_tend(cache, g.w);
    }
    assert_true(found);
    query_cache_free(cache);
}

static void test_estimates(void **state) {
    TestAnswer few = ask("SELECT T FROM DIGITALTWINS T WHERE T.$dtId = 'r7'");
    TestAnswer many = ask("SELECT T FROM DIGITALTWINS T WHERE T.temp = 7");
    TestAnswer top = ask("SELECT TOP(1) T FROM DIGITALTWINS T");
    (void)state;
    assert_in_range(few.estimate, 0, 10);
    assert_in_range(many.estimate, 1, 12000);
    assert_in_range(top.estimate, 0, 100);
    test_answer_free(&few);
    test_answer_free(&many);
    test_answer_free(&top);
}

static void test_notes(void **state) {
    TestAnswer a = ask("SELECT T.nme FROM DIGITALTWINS T JOIN B RELATED T.hass R WHERE T.$dtId = 'r1' AND B.count = 1");
    (void)state;
    assert_true(has(&a.notes, "no model has a property \\\"nme\\\"; did you mean \\\"name\\\"?"));
    assert_true(has(&a.notes, "no model has a relationship \\\"hass\\\"; did you mean \\\"has\\\"?"));
    test_answer_free(&a);
    a = ask("SELECT tags[1] FROM DIGITALTWINS WHERE IS_OF_MODEL('dtmi:ex:Nothing;1') AND COUNT(->hass) > 0");
    assert_true(has(&a.notes, "no model has a property \\\"tags[1]\\\""));
    assert_true(has(&a.notes, "there is no model \\\"dtmi:ex:Nothing;1\\\""));
    assert_true(has(&a.notes, "no model has a relationship \\\"hass\\\"; did you mean"));
    test_answer_free(&a);
    a = ask("SELECT T.name, $dtId, T.thermo.setPoint FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:t:Base;1', exact)");
    assert_string_equal(arena_str(&g.arena, buf_str(&a.notes)).p, "[]");
    test_answer_free(&a);
}

static void test_refused_at_open(void **state) {
    TestAnswer a;
    (void)state;
    test_ask(g.w, &(QueryOptions){0}, 100, "SELECT T FROM DIGITALTWINS T WHERE STARTWITH(T.name, 'n')", &a);
    assert_int_equal(a.err, ERR_SYNTAX);
    assert_true(has(&a.message, "STARTSWITH"));
    test_answer_free(&a);
}

// Sums of doubles that are not exact, groups, order and pages: all bytes are the same for any number of threads.
static void test_threads(void **state) {
    static const char *const texts[] = {
        "SELECT T.count AS c, SUM(T.area) AS s, AVG(T.temp) AS a, PERCENTILE(T.area, 90) AS p, COUNT() AS n, "
        "MIN(T.name) "
        "AS m FROM DIGITALTWINS T GROUP BY T.count",
        "SELECT SUM(T.area * 1.1) AS s FROM DIGITALTWINS T WHERE T.count < 5",
        "SELECT T.name AS n, COUNT() AS c FROM DIGITALTWINS T GROUP BY T.name HAVING c > 3 ORDER BY c DESC, n",
        "SELECT T.$dtId, T.temp FROM DIGITALTWINS T WHERE T.count IN [1, 3] AND T.temp > 100",
        "SELECT DISTINCT T.name FROM DIGITALTWINS T ORDER BY T.name DESC",
        "SELECT TOP(17) T.$dtId FROM DIGITALTWINS T ORDER BY T.count, T.area DESC",
        "SELECT COUNT() AS n, SUM(b.area) AS s FROM DIGITALTWINS MATCH (a)-[]->(b) WHERE a.count = 2",
        "SELECT b.$dtId, R.$relationshipId FROM DIGITALTWINS MATCH (a)-[R]-(b) WHERE a.count = 2 ORDER BY b.name",
        "SELECT R.$relationshipName AS n, COUNT() AS c FROM RELATIONSHIPS R GROUP BY R.$relationshipName",
        "SELECT R.$relationshipId FROM RELATIONSHIPS R WHERE R.$targetId = 'r0'",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        TestAnswer one = ask(texts[i]);
        assert_true(one.rows.n > 0);
        for (int32_t threads = 2; threads <= 4; threads++) {
            QueryCrew crew = {.ctx = &crew, .threads = threads, .run = test_crew_run};
            TestAnswer many;
            test_ask(g.w, &(QueryOptions){.crew = &crew}, 1000, texts[i], &many);
            assert_int_equal(many.err, ERR_OK);
            if (!str_eq(buf_str(&one.rows), buf_str(&many.rows)))
                fail_msg("%s\n%.*s\n%.*s", texts[i], STR_ARG(buf_str(&one.rows)), STR_ARG(buf_str(&many.rows)));
            test_answer_free(&many);
        }
        test_answer_free(&one);
    }
}

// A frozen world: each page is read through a view of its own.
static void test_another_view(void **state) {
    static const char *const texts[] = {
        "SELECT T.$dtId FROM DIGITALTWINS T WHERE T.count = 3",
        "SELECT b.$dtId FROM DIGITALTWINS MATCH (a)-[:near]->(b)<-[:near]-(c) WHERE a.$dtId = 'r5'",
        "SELECT T.$dtId FROM DIGITALTWINS T WHERE T.count = 3 ORDER BY T.area DESC",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        TestAnswer want = ask(texts[i]);
        Arena a;
        Query *q;
        QueryCursor *c;
        View v;
        Buf got = {0};
        bool more = true;
        QueryOptions o = {.now = TEST_GRAPH_NOW};
        arena_init(&a, 0);
        assert_int_equal(query_parse(&a, str_of(texts[i]), &q, NULL), ERR_OK);
        view_begin(&v, g.w);
        assert_int_equal(query_open(q, &v, &o, &c, NULL), ERR_OK);
        view_end(&v);
        while (more) {
            View now;
            int64_t rows, before = got.n;
            view_begin(&now, g.w);
            query_view(c, &now);
            assert_int_equal(query_next(c, 7, &got, &rows, &more, NULL), ERR_OK);
            if (got.n > before) buf_byte(&got, more ? ',' : '\n');
            view_end(&now);
            memset(&now, 0xee, sizeof now);
        }
        query_close(c);
        // `ask` has pages of 1,000 rows.
        for (int64_t k = 0; k < want.rows.n - 1; k++)
            if (want.rows.p[k] == '\n') want.rows.p[k] = ',';
        assert_true(str_eq(buf_str(&want.rows), buf_str(&got)));
        buf_free(&got);
        arena_free(&a);
        test_answer_free(&want);
    }
}

// Overwrite the ring: every view that is open now is outrun.
static void outrun(TestGraph *graph) {
    View v = view_writer(graph->w);
    uint32_t room = 0;
    while (!str_eq(v.catalog->tables[room].model->id, STR("dtmi:t:Room;1"))) room++;
    const Table *t = &v.catalog->tables[room];
    uint32_t field = (uint32_t)(model_field(t->model, STR("temp")) - t->model->fields);
    uint64_t rows = view_table_rows(&v, room);
    for (uint64_t i = 0; i < 1 << 16; i++) {
        if (i % 1000 == 0) world_begin(graph->w, ++graph->seq, world_next_time(graph->w, graph->now));
        Change c = {.kind = CHANGE_SET, .cell = CELL_F64, .col = t->first + field, .bits = bits_of((double)i)};
        c.id = view_row_twin(&v, room, i % rows).v;
        assert_int_equal(world_do(graph->w, &c), ERR_OK);
        if (i % 1000 != 999 && i + 1 < 1 << 16) continue;
        world_end(graph->w);
        world_settle(graph->w, graph->seq);
    }
}

// A view that was outrun shows nothing: the question ends soon, without an error, and says so by the view.
static void test_overrun(void **state) {
    static const char *const texts[] = {
        "SELECT T FROM DIGITALTWINS T WHERE T.temp > 3",
        "SELECT T.name, AVG(T.temp) AS a FROM DIGITALTWINS T GROUP BY T.name",
        "SELECT T.$dtId FROM DIGITALTWINS T ORDER BY T.temp",
        "SELECT a, b FROM DIGITALTWINS MATCH (a)-[*..4]->(b) WHERE a.$dtId = 'k1' AND b.temp > 0",
        "SELECT DISTINCT b FROM DIGITALTWINS MATCH (a)-[*..4]->(b) WHERE b.temp > 0",
        "SELECT p FROM DIGITALTWINS MATCH p = SHORTEST (a)-[*]->(b) WHERE a.temp > 1",
    };
    TestGraph small;
    QueryCrew crew = {.ctx = &crew, .threads = 3, .run = test_crew_run};
    (void)state;
    test_graph_open(&small, 3);
    test_complete(&small, 20);
    for (size_t i = 0; i < 2 * sizeof texts / sizeof *texts; i++) {
        Arena a;
        Query *q;
        QueryCursor *c;
        View v;
        Buf rows = {0};
        int64_t n;
        bool more = true;
        QueryOptions o = {.now = TEST_GRAPH_NOW, .crew = i % 2 ? &crew : NULL};
        arena_init(&a, 0);
        assert_int_equal(query_parse(&a, str_of(texts[i / 2]), &q, NULL), ERR_OK);
        view_begin(&v, small.w);
        assert_int_equal(query_open(q, &v, &o, &c, NULL), ERR_OK);
        outrun(&small);
        while (more && !v.overrun) assert_int_equal(query_next(c, 100, &rows, &n, &more, NULL), ERR_OK);
        assert_true(v.overrun);
        query_close(c);
        view_end(&v);
        buf_free(&rows);
        arena_free(&a);
    }
    test_graph_close(&small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_twins),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_hub),
        cmocka_unit_test(test_rare_relationship),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_breadth_first),
        cmocka_unit_test(test_guided),
        cmocka_unit_test(test_guided_oracle),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_estimates),
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_refused_at_open),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_another_view),
        cmocka_unit_test(test_overrun),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
