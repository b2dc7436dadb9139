// SPDX-License-Identifier: Apache-2.0
// LABELS: threads
// Questions about past worlds against the oracle on a fork of that instant: random questions about random worlds, alone
// or with a crew, with a cache that knows the present, in pages of any size, while parts are still being made.
// SOSIA_SEED=n runs that seed alone and tells its questions.
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
#define CASES 8 // seeds
#else
#define CASES 60
#endif
#define LOOKS_MAX 100000 // of the oracle; a question that needs more is left out

enum { MOMENTS = 3, QUESTIONS = 8 };

typedef struct Moment {
    World *fork;
    uint64_t seq;
    int64_t at;
    Fold *fold;
} Moment;

typedef struct Case {
    uint64_t seed;
    TestGraph g;
    TrailLog log;
    Moment moments[MOMENTS];
    QueryCache *cache;
    QueryCrew crew;
    Arena arena;
    bool tell;
    int64_t answered, rows, failed;
} Case;

static bool take_line(void *ctx, Str json) {
    buf_str_put(ctx, json);
    buf_byte(ctx, '\n');
    return true;
}

static QueryOptions options(void) {
    return (QueryOptions){.now = TEST_GRAPH_NOW + 3600 * INT64_C(1000000000), .past = &TEST_PAST};
}

// What the fork says, a row a line.
static Err ask_fork(World *fork, const Query *q, Buf *lines, Diag *d) {
    View v;
    QueryOptions o = options();
    o.limits.rows = LOOKS_MAX;
    QuerySink sink = {lines, take_line};
    view_begin(&v, fork);
    Err e = query_naive(q, &v, &o, &sink, NULL, d);
    view_end(&v);
    return e;
}

// The rows of a past world in pages, each followed by a newline; every page is read by a view of its own. False when
// the source failed.
static bool ask_past(World *past, const Query *q, const QueryOptions *o, int64_t page, Buf *out) {
    View v;
    QueryCursor *c = NULL;
    Diag d;
    diag_init(&d);
    view_begin(&v, past);
    Err e = query_open(q, &v, o, &c, &d);
    for (bool more = e == ERR_OK; more && e == ERR_OK && !v.overrun;) {
        int64_t rows = 0;
        e = query_next(c, page, out, &rows, &more, &d);
        if (rows) buf_byte(out, '\n');
        if (v.overrun) break;
        view_end(&v);
        view_begin(&v, past);
        query_view(c, &v);
    }
    bool whole = !v.overrun && v.failed == ERR_OK;
    if (e != ERR_OK) diag_print(&d, out);
    if (c) query_close(c);
    view_end(&v);
    diag_free(&d);
    return whole;
}

static void paged(Str lines, int64_t page, Buf *out) {
    for (int64_t n = 1; lines.n; n++) {
        buf_str_put(out, str_cut(&lines, '\n'));
        buf_byte(out, n % page && lines.n ? ',' : '\n');
    }
}

typedef struct Turn {
    Case *c;
    World *past;
    const Query *q;
    Str text, lines;
    const char *how;
    bool may_fail;
} Turn;

static void compare(const Turn *t, const QueryOptions *o, int64_t page) {
    Buf want = {0}, got = {0};
    bool whole = ask_past(t->past, t->q, o, page, &got);
    if (!whole) assert_true(t->may_fail);
    t->c->failed += !whole;
    paged(t->lines, page, &want);
    if (whole && !str_eq(buf_str(&want), buf_str(&got))) {
        fprintf(stderr, "SOSIA_SEED=%llu %s\n%.*s\n-- fork\n%.*s-- past\n%.*s", (unsigned long long)t->c->seed, t->how,
                STR_ARG(t->text), STR_ARG(buf_str(&want)), STR_ARG(buf_str(&got)));
        fail();
    }
    buf_free(&want);
    buf_free(&got);
}

static World *past_of(Case *c, const Moment *m) {
    World *past = NULL;
    PastSource src = {.ctx = m->fold, .rows = fold_rows, .pages = fold_pages}; // of many worlds
    assert_int_equal(world_past(c->g.d, &src, m->seq, m->at, c->g.w, &past), ERR_OK);
    return past;
}

// Every way on a past world of its own, so that each finds nothing made; then all again on one that has what the others
// made, or fails now and then.
static void compare_ways(Turn t, const Moment *m, World *shared) {
    static const int64_t pages[] = {1, 2, 3, 10, 100, 1000};
    static const char *const ways[] = {"alone", "with a crew", "with a cache", "with a cache and a crew"};
    Rng *r = &t.c->g.rng;
    for (int way = 0; way < 4; way++) {
        QueryOptions o = options();
        t.how = ways[way];
        if (way & 1) o.crew = &t.c->crew;
        if (way & 2) o.cache = t.c->cache;
        t.past = past_of(t.c, m);
        compare(&t, &o, pages[rng_below(r, 6)]);
        world_free(t.past);
        t.past = past_of(t.c, m);
        t.may_fail = true;
        atomic_store(&m->fold->fail_every, 2 + (int64_t)rng_below(r, 30));
        compare(&t, &o, 1000);
        compare(&t, &o, 1000);
        atomic_store(&m->fold->fail_every, 0);
        world_free(t.past);
        t.past = shared;
        t.may_fail = false;
        compare(&t, &o, pages[rng_below(r, 6)]);
        query_cache_tend(t.c->cache, t.c->g.w);
    }
}

static void ask(Case *c, const Moment *m, World *shared) {
    Buf text = {0}, lines = {0};
    Query *q = NULL;
    Diag d;
    diag_init(&d);
    bool large = c->g.named > 200; // too large for the oracle's joins
    TestQueryForm form = (TestQueryForm)rng_below(&c->g.rng, TEST_QUERY_FORMS);
    if (large || rng_below(&c->g.rng, 4) == 0) test_graph_lookup(&c->g.rng, TEST_QUERY_TWINS, &text);
    else test_graph_query(&c->g.rng, form, &text);
    if (c->tell) fprintf(stderr, "%.*s\n", STR_ARG(buf_str(&text)));
    Err e = query_parse(&c->arena, buf_str(&text), &q, &d);
    if (e == ERR_OK) e = ask_fork(m->fork, q, &lines, &d);
    if (e == ERR_OK) {
        compare_ways((Turn){.c = c, .q = q, .text = buf_str(&text), .lines = buf_str(&lines)}, m, shared);
        c->answered++;
        c->rows += lines.n > 0;
    }
    diag_free(&d);
    buf_free(&text);
    buf_free(&lines);
    arena_reset(&c->arena);
}

static void take_moment(Case *c, int i) {
    c->moments[i] = (Moment){.fork = world_fork(c->g.w, 0), .seq = world_seq(c->g.w), .at = c->g.now + 1};
}

// A world with moments on its way; afterwards each is asked.
static void one_world(Case *c, uint64_t seed) {
    c->seed = seed;
    c->crew = (QueryCrew){.ctx = &c->crew, .threads = 2 + (int32_t)(seed % 3), .run = test_crew_run};
    c->cache = query_cache_new(0);
    arena_init(&c->arena, 0);
    test_graph_open_kept(&c->g, seed, &c->log);
    Rng *r = &c->g.rng;
    for (int i = 0; i < MOMENTS; i++) {
        test_graph_grow(&c->g, (int64_t)rng_below(r, 10), (int64_t)rng_below(r, 16)); // paths grow with their square
        if (seed % 6 == 0) test_graph_bulk(&c->g, (int64_t)rng_below(r, 900), (int64_t)rng_below(r, 900));
        test_graph_write(&c->g, (int64_t)rng_below(r, 40));
        take_moment(c, i);
    }
    test_graph_write(&c->g, 20);
    for (int i = 0; i < MOMENTS; i++) {
        c->moments[i].fold = trails_source(&c->log, c->moments[i].seq).ctx;
        World *shared = past_of(c, &c->moments[i]);
        for (int k = 0; k < QUESTIONS; k++) ask(c, &c->moments[i], shared);
        world_verify(shared);
        world_free(shared);
        fold_free(c->moments[i].fold);
        world_free(c->moments[i].fork);
    }
    query_cache_free(c->cache);
    test_graph_close(&c->g);
    trails_free(&c->log);
    arena_free(&c->arena);
}

static void the_past_answers_as_it_was(void **state) {
    (void)state;
    const char *alone = getenv("SOSIA_SEED");
    int64_t from = 1;
    Case c = {.tell = alone && str_to_i64(str_of(alone), &from)};
    for (int64_t seed = from; seed < from + (c.tell ? 1 : CASES); seed++) one_world(&c, (uint64_t)seed);
    print_message("%lld answered, %lld with rows, %lld by sources that failed\n", (long long)c.answered,
                  (long long)c.rows, (long long)c.failed);
    if (c.tell) return;
    assert_true(c.answered > CASES * MOMENTS * QUESTIONS / 2);
    assert_true(c.rows * 4 >= c.answered && c.failed > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_past_answers_as_it_was)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
