// SPDX-License-Identifier: Apache-2.0
// LABELS: threads
// Every plan against the oracle: random questions about random worlds, with and without what was learned from earlier
// ones, alone and with a crew, in pages of any size, while the worlds change between the questions.
// SOSIA_SEED=n runs that seed alone and tells its questions; SOSIA_CASES=n runs so many seeds.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "query/cache.h"
#include "query/inner.h"
#include "query/test_run.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLOW 1
#endif
#endif
#if defined(SLOW) || defined(__SANITIZE_THREAD__)
#define CASES 25 // seeds
#else
#define CASES 200
#endif
#define LOOKS_MAX 100000 // of the oracle; a question that needs more is left out

#define THREADS_MAX 4

// ---- one question -------------------------------------------------------------------------------------------------

typedef struct Case {
    uint64_t seed;
    TestGraph g;
    QueryCache *cache;
    QueryCrew crew;
    Arena arena;
    bool tell;
    int64_t asked, answered, rows, refused; // over budget
} Case;

static bool take_line(void *ctx, Str json) {
    buf_str_put(ctx, json);
    buf_byte(ctx, '\n');
    return true;
}

// One way of asking a question, and what comes out.
typedef struct Turn {
    Case *c;
    Str text, lines; // of the oracle
    const Query *q;
    QueryOptions o;
    int64_t page;
    const char *how;
    bool writes; // between pages; else the view is sometimes replaced by another one of the same sequence
} Turn;

// The rows, a page a line.
static Err answer(const Turn *t, View *v, Buf *out, Diag *d) {
    QueryCursor *c;
    TRY(query_open(t->q, v, &t->o, &c, d));
    Err e = ERR_OK;
    for (bool more = true; more && e == ERR_OK;) {
        int64_t rows = 0, before = out->n;
        e = query_next(c, t->page, out, &rows, &more, d);
        if (e != ERR_OK) break;
        assert_true(rows <= t->page);
        assert_true(rows == t->page || !more);
        if (rows == 0) assert_int_equal(out->n, before);
        else buf_byte(out, '\n');
        assert_false(v->overrun);
        if (t->writes) {
            if (out->n < 600) test_graph_write(&t->c->g, 2); // a long answer would outrun the ring
        } else if (out->n % 3 == 0) {
            view_end(v);
            view_begin(v, t->c->g.w);
            query_view(c, v);
        }
    }
    query_close(c);
    return e;
}

// The oracle's lines in pages of `page` rows, as `answer` writes them.
static void paged(Str lines, int64_t page, Buf *out) {
    for (int64_t n = 1; lines.n; n++) {
        buf_str_put(out, str_cut(&lines, '\n'));
        buf_byte(out, n % page && lines.n ? ',' : '\n');
    }
}

static void differ(const Case *c, Str text, const char *how, Str want, Str got) {
    fprintf(stderr, "SOSIA_SEED=%llu %s\n%.*s\n-- oracle\n%.*s-- answer\n%.*s", (unsigned long long)c->seed, how,
            STR_ARG(text), STR_ARG(want), STR_ARG(got));
    fail();
}

static void compare_at(const Turn *t, View *v) {
    Buf want = {0}, got = {0};
    Diag d;
    diag_init(&d);
    Err e = answer(t, v, &got, &d);
    assert_false(v->overrun);
    if (e != ERR_OK) {
        buf_printf(&got, "%s: ", err_name(e));
        diag_print(&d, &got);
    }
    paged(t->lines, t->page, &want);
    if (!str_eq(buf_str(&want), buf_str(&got))) differ(t->c, t->text, t->how, buf_str(&want), buf_str(&got));
    diag_free(&d);
    buf_free(&want);
    buf_free(&got);
}

static void compare(const Turn *t) {
    View v;
    view_begin(&v, t->c->g.w);
    compare_at(t, &v);
    view_end(&v);
}

static Err ask_oracle(Case *c, const Query *q, Buf *lines, Diag *d) {
    View v;
    QueryOptions o = {.now = TEST_GRAPH_NOW + 3600 * INT64_C(1000000000), .limits.rows = LOOKS_MAX, .past = &TEST_PAST};
    QuerySink sink = {lines, take_line};
    view_begin(&v, c->g.w);
    Err e = query_naive(q, &v, &o, &sink, NULL, d);
    view_end(&v);
    return e;
}

// A view stays what it is while the world moves on, also when the cache has learned of what came later.
static void compare_old(Turn t) {
    View old, new;
    Buf none = {0};
    view_begin(&old, t.c->g.w);
    test_graph_write(&t.c->g, 10);
    view_begin(&new, t.c->g.w);
    Err e = answer(&t, &new, &none, NULL);
    assert_int_equal(e, ERR_OK);
    view_end(&new);
    t.writes = true;
    t.how = "of an old view";
    compare_at(&t, &old);
    view_end(&old);
    buf_free(&none);
}

static void compare_ways(Turn t) {
    static const int64_t pages[] = {1, 2, 3, 10, 100, 1000};
    Case *c = t.c;
    int64_t page = pages[rng_below(&c->g.rng, sizeof pages / sizeof *pages)];
    t.o = (QueryOptions){.now = TEST_GRAPH_NOW + 3600 * INT64_C(1000000000), .past = &TEST_PAST};
    t.page = page;
    t.how = "alone";
    compare(&t);
    t.o.crew = &c->crew;
    t.page = 1000;
    t.how = "with a crew";
    compare(&t);
    t.o.cache = c->cache;
    t.page = page;
    t.how = "with a cache and a crew";
    compare(&t);
    t.o.crew = NULL;
    t.page = 1000;
    t.how = "with a cache";
    compare(&t);
    query_cache_tend(c->cache, c->g.w);
    t.page = page;
    if (rng_below(&c->g.rng, 4) == 0) compare_old(t);
}

static void ask(Case *c, TestQueryForm form, void (*draw)(Rng *, TestQueryForm, Buf *)) {
    Buf text = {0}, lines = {0};
    Query *q = NULL;
    Diag d;
    diag_init(&d);
    draw(&c->g.rng, form, &text);
    if (c->tell) fprintf(stderr, "%.*s\n", STR_ARG(buf_str(&text)));
    c->asked++;
    Err e = query_parse(&c->arena, buf_str(&text), &q, &d);
    if (e == ERR_OK) e = ask_oracle(c, q, &lines, &d);
    bool sums_texts = e == ERR_SYNTAX && str_starts(d.messages[0].text, STR("this is no number: SUM"));
    if (e == ERR_BUDGET || sums_texts) {
        c->refused++;
    } else if (e != ERR_OK) {
        differ(c, buf_str(&text), "is refused", STR("\n"), d.messages[0].text);
    } else {
        compare_ways((Turn){.c = c, .text = buf_str(&text), .lines = buf_str(&lines), .q = q});
        c->answered++;
        c->rows += lines.n > 0;
    }
    diag_free(&d);
    buf_free(&text);
    buf_free(&lines);
    arena_reset(&c->arena);
}

// ---- worlds -------------------------------------------------------------------------------------------------------

static void open_case(Case *c, uint64_t seed) {
    c->seed = seed;
    c->crew = (QueryCrew){.ctx = &c->crew, .threads = 2 + (int32_t)(seed % 3), .run = test_crew_run};
    c->cache = query_cache_new(seed % 5 || seed > 2000000 ? 0 : 4096); // sometimes hardly any room
    arena_init(&c->arena, 0);
    test_graph_open(&c->g, seed);
}

static void close_case(Case *c) {
    query_cache_free(c->cache);
    test_graph_close(&c->g);
    arena_free(&c->arena);
}

// Small worlds take every form of question, with writes between them.
static void small_world(Case *c, uint64_t seed) {
    open_case(c, seed);
    Rng *r = &c->g.rng;
    test_graph_grow(&c->g, (int64_t)rng_below(r, 25), (int64_t)rng_below(r, 45));
    for (int i = 0; i < 20; i++) {
        ask(c, (TestQueryForm)rng_below(r, TEST_QUERY_FORMS), test_graph_query);
        test_graph_write(&c->g, (int64_t)rng_below(r, 4) * (int64_t)rng_below(r, 6));
    }
    close_case(c);
}

// Worlds where there is something to choose: more twins than links, or fewer.
static void middle_world(Case *c, uint64_t seed) {
    static const TestQueryForm forms[] = {TEST_QUERY_TWINS, TEST_QUERY_MATCH, TEST_QUERY_LINKS, TEST_QUERY_JOIN};
    open_case(c, seed);
    Rng *r = &c->g.rng;
    bool sparse = seed % 3 == 0;
    test_graph_grow(&c->g, 20 + (int64_t)rng_below(r, 600), (int64_t)rng_below(r, sparse ? 60 : 600));
    test_graph_bulk(&c->g, (int64_t)rng_below(r, 1500), sparse ? 0 : (int64_t)rng_below(r, 2000));
    for (int i = 0; i < 40; i++) {
        ask(c, forms[i % 4], i % 3 ? test_graph_query : test_graph_lookup);
        test_graph_write(&c->g, (int64_t)rng_below(r, 30));
    }
    close_case(c);
}

// Worlds of many pages: what is asked again and again gets an index.
static void large_world(Case *c, uint64_t seed) {
    open_case(c, seed);
    Rng *r = &c->g.rng;
    test_graph_grow(&c->g, 300, 200);
    test_graph_bulk(&c->g, 9000 + (int64_t)rng_below(r, 2000), 9500);
    for (int i = 0; i < 120; i++) {
        ask(c, i % 6 ? TEST_QUERY_TWINS : TEST_QUERY_LINKS, test_graph_lookup);
        test_graph_write(&c->g, i % 10 ? (int64_t)rng_below(r, 3) : 60);
    }
    QueryCacheStats s = query_cache_stats(c->cache);
    if (s.built == 0) fail_msg("seed %llu built no index", (unsigned long long)seed);
    close_case(c);
}

static uint64_t setting(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    int64_t n;
    return text && str_to_i64(str_of(text), &n) ? (uint64_t)n : otherwise;
}

static void run_seeds(void (*world)(Case *, uint64_t), uint64_t from, uint64_t n) {
    uint64_t seed = setting("SOSIA_SEED", 0);
    Case c = {.tell = seed != 0};
    if (seed && (seed < from || seed >= from + 1000000)) return;
    if (seed) from = seed, n = 1;
    for (seed = from; seed < from + n; seed++) world(&c, seed);
    print_message("%lld questions, %lld answered, %lld with rows, %lld too large\n", (long long)c.asked,
                  (long long)c.answered, (long long)c.rows, (long long)c.refused);
    assert_true(c.answered * 10 >= c.asked * 9);
    if (n > 10) assert_true(c.rows * 4 >= c.asked);
}

static void test_small_worlds(void **state) {
    (void)state;
    run_seeds(small_world, 1, setting("SOSIA_CASES", CASES));
}

static void test_middle_worlds(void **state) {
    (void)state;
    run_seeds(middle_world, 1000001, 1 + setting("SOSIA_CASES", CASES) / 20);
}

static void test_large_worlds(void **state) {
    (void)state;
    run_seeds(large_world, 2000001, 1 + setting("SOSIA_CASES", CASES) / 250);
}

// Sums of doubles that are not exact: not a bit of them depends on the number of threads.
static void test_sums_and_threads(void **state) {
    static const char *const texts[] = {
        "SELECT SUM(temp / 3), AVG(temp * 0.1) FROM DIGITALTWINS",
        "SELECT name, SUM(temp / 7) AS s, AVG(count / 3.0) FROM DIGITALTWINS GROUP BY name ORDER BY s",
        "SELECT SUM(a.count / 3.0 + r.weight / 7.0) FROM DIGITALTWINS MATCH (a)-[r:near]->(b)",
        "SELECT SUM(weight / 7.0) FROM RELATIONSHIPS WHERE weight > 3",
    };
    (void)state;
    Case c = {0};
    open_case(&c, 3000001);
    test_graph_bulk(&c.g, 9000, 3000);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Query *q;
        Buf alone = {0};
        View v;
        assert_int_equal(query_parse(&c.arena, str_of(texts[i]), &q, NULL), ERR_OK);
        Turn t = {.c = &c, .text = str_of(texts[i]), .q = q, .page = 1, .how = "with a crew"};
        t.o.now = TEST_GRAPH_NOW;
        view_begin(&v, c.g.w);
        Err e = answer(&t, &v, &alone, NULL);
        assert_int_equal(e, ERR_OK);
        view_end(&v);
        t.lines = buf_str(&alone);
        t.o.crew = &c.crew;
        for (c.crew.threads = 1; c.crew.threads <= THREADS_MAX; c.crew.threads++) compare(&t);
        buf_free(&alone);
    }
    close_case(&c);
}

// query_open runs the oracle when it is asked to, in pages as any other plan.
static void test_naive_option(void **state) {
    (void)state;
    Case c = {0};
    open_case(&c, 5);
    test_graph_grow(&c.g, 20, 30);
    Query *q;
    Buf lines = {0};
    Str text = STR("SELECT T.$dtId, R FROM DIGITALTWINS T JOIN B RELATED T.has R ORDER BY T.count DESC");
    assert_int_equal(query_parse(&c.arena, text, &q, NULL), ERR_OK);
    assert_int_equal(ask_oracle(&c, q, &lines, NULL), ERR_OK);
    assert_true(lines.n > 0);
    compare(&(Turn){
        .c = &c, .text = text, .lines = buf_str(&lines), .q = q, .o = {.naive = true}, .page = 3, .how = "naive"});
    buf_free(&lines);
    close_case(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_naive_option), cmocka_unit_test(test_sums_and_threads),
        cmocka_unit_test(test_small_worlds), cmocka_unit_test(test_middle_worlds),
        cmocka_unit_test(test_large_worlds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
