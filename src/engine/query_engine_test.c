// SPDX-License-Identifier: Apache-2.0
// Questions through the engine: pages of one instant, tokens, cursors that end and go, limits, the pool, closing.
#include <pthread.h>
#include <stdatomic.h>
#include "base/log.h"
#include "base/thread.h"
#include "base/time.h"
#include "engine/query_desk.h"
#include "engine/test_kit.h"

#define ALL "SELECT * FROM DIGITALTWINS"
#define COUNT "SELECT COUNT() FROM DIGITALTWINS"
#define SCAN "SELECT COUNT() FROM DIGITALTWINS T WHERE T.temperature * T.count != -1" // looks at every twin

typedef struct Asking {
    Kit k;
    SosiaAnswer a;
    char token[96];
} Asking;

// A world with that many rooms, r0 ..., of temperature and count i.
static void fill(Kit *k, const char *world, int from, int to) {
    KitText t = {0};
    char line[256];
    for (int i = from; i < to; i++) {
        if (i == from) kit_add(&t, "{\"Section\":\"Twins\"}\n", 20);
        int n = snprintf(line, sizeof line,
                         "{\"$dtId\":\"r%d\",\"$metadata\":{\"$model\":\"dtmi:test:Room;1\"},\"temperature\":%d,"
                         "\"count\":%d,\"thermostat\":{\"$metadata\":{}}}\n",
                         i, i, i);
        kit_add(&t, line, (size_t)n);
    }
    SosiaErr err = kit_write_in(k, world, SOSIA_IMPORT, "", "", t.p);
    if (err) fail_msg("%s: %.*s", sosia_err_name(err), (int)k->done.message.n, k->done.message.p);
    kit_lacks(kit_result(k), "\"code\"");
    free(t.p);
}

static void begin(Asking *x, const SosiaOpen *o, int rooms) {
    *x = (Asking){0};
    kit_open(&x->k, o);
    kit_models(&x->k);
    if (rooms) fill(&x->k, "", 0, rooms);
}

static void end(Asking *x) {
    sosia_answer_free(&x->a);
    kit_close(&x->k);
}

static SosiaErr ask_in(Asking *x, const char *world, const char *text, const char *token, int32_t limit) {
    SosiaQuery q = {.world = kit_str(world), .text = kit_str(text), .token = kit_str(token), .limit = limit};
    SosiaErr err = sosia_query(x->k.s, NULL, &q, &x->a);
    memcpy(x->token, x->a.token, sizeof x->token);
    return err;
}

// A question that must be answered; the body, NUL-terminated.
static const char *ask(Asking *x, const char *text, const char *token, int32_t limit) {
    SosiaErr err = ask_in(x, "", text, token, limit);
    if (err) fail_msg("%s: %s: %.*s", text, sosia_err_name(err), (int)x->a.message.n, x->a.message.p);
    return kit_keep(&x->k, (SosiaStr){x->a.body.p, x->a.body.n});
}

static const char *said(Asking *x) { return kit_keep(&x->k, (SosiaStr){x->a.message.p, x->a.message.n}); }

static int64_t stat_of(Asking *x, const char *name) {
    char want[64];
    snprintf(want, sizeof want, "\"%s\":", name);
    const char *all = strstr(kit_get(&x->k, SOSIA_GET_STATS, "", ""), "\"queries\":");
    const char *at = all ? strstr(all, want) : NULL;
    if (!at) fail_msg("no %s in the statistics", name);
    return at ? strtoll(at + strlen(want), NULL, 10) : 0;
}

static void set_all(Asking *x, const char *value) {
    KitText t = {0};
    char line[128];
    for (int i = 0; i < 300; i++) {
        int n = snprintf(line, sizeof line, "{\"id\":\"r%d\",\"property\":\"temperature\",\"value\":%s}\n", i, value);
        kit_add(&t, line, (size_t)n);
    }
    kit_do(&x->k, SOSIA_INGEST, "", "", t.p);
    free(t.p);
}

// Every page of a question, appended; the world changes between them when `change`.
static int pages(Asking *x, const char *text, int32_t limit, bool change, KitText *all) {
    int n = 0;
    char token[96] = "";
    do {
        const char *body = ask(x, n ? "" : text, token, limit);
        kit_add(all, body, strlen(body));
        memcpy(token, x->token, sizeof token);
        n++;
        if (change) set_all(x, "9999");
    } while (token[0]);
    return n;
}

// ---- pages ---------------------------------------------------------------------------------------------------------

// One page holds it: no token, nothing kept.
static void test_one_page(void **state) {
    (void)state;
    Asking x;
    begin(&x, &(SosiaOpen){0}, 10);
    const char *body = ask(&x, ALL, "", 100);
    assert_int_equal(body[0], '[');
    assert_int_equal(kit_count(body, "\"$dtId\":"), 10);
    assert_int_equal(x.a.rows, 10);
    assert_string_equal(x.token, "");
    assert_true(x.a.charge > 1 && x.a.charge < 2);
    assert_true(x.a.rows_looked_at >= 10);
    assert_string_equal(ask(&x, COUNT, "", 0), "[{\"COUNT\":10}]");
    assert_int_equal(stat_of(&x, "cursors"), 0);
    assert_int_equal(stat_of(&x, "snapshots"), 0);
    end(&x);
}

// Whatever happens between the pages, they show the world of the first, each twin once. With few rows the result is
// kept, with many a snapshot of the world.
static void test_pages_are_one_instant(void **state) {
    (void)state;
    static const int sizes[] = {300, 7000};
    for (int i = 0; i < 2; i++) {
        Asking x;
        KitText still = {0}, busy = {0};
        begin(&x, &(SosiaOpen){0}, sizes[i]);
        int n = pages(&x, ALL, 100, false, &still);
        assert_int_equal(n, sizes[i] / 100);
        assert_int_equal(kit_count(still.p, "\"$dtId\":"), sizes[i]);
        uint64_t seq = x.a.seq;
        assert_int_equal(pages(&x, ALL, 100, true, &busy), n);
        assert_string_equal(still.p, busy.p);
        assert_int_equal(x.a.seq, seq);
        kit_has(ask(&x, ALL, "", 1), "9999");
        assert_int_equal(stat_of(&x, "kept"), i ? 0 : 3);
        assert_int_equal(stat_of(&x, "snapshots") > 0, i);
        free(still.p);
        free(busy.p);
        end(&x);
    }
}

// A client that asks twice for a page gets it twice; a page long past is made again.
static void test_same_token_same_page(void **state) {
    (void)state;
    static const int sizes[] = {300, 7000};
    for (int i = 0; i < 2; i++) {
        Asking x;
        char tokens[3][96];
        char *texts[3];
        begin(&x, &(SosiaOpen){0}, sizes[i]);
        for (int p = 0; p < 3; p++) {
            texts[p] = strdup(ask(&x, p ? "" : ALL, p ? tokens[p - 1] : "", 50));
            memcpy(tokens[p], x.token, 96);
            set_all(&x, "7");
        }
        assert_string_not_equal(texts[1], texts[2]);
        static const int order[] = {2, 2, 1, 1, 2, 1};
        for (int k = 0; k < 6; k++) {
            int p = order[k];
            assert_string_equal(ask(&x, k % 2 ? ALL : "", tokens[p - 1], 50), texts[p]);
            assert_string_equal(x.token, tokens[p]);
        }
        // Other sizes cut the same rows elsewhere.
        kit_has(ask(&x, "", tokens[0], 7), "\"r50\"");
        assert_int_equal(x.a.rows, 7);
        kit_has(ask(&x, "", x.token, 7), "\"r57\"");
        for (int p = 0; p < 3; p++) free(texts[p]);
        end(&x);
    }
}

// The end of a result frees what it came from, but its last page can be had again.
static void test_end_of_result(void **state) {
    (void)state;
    Asking x;
    char before[96] = "";
    begin(&x, &(SosiaOpen){0}, 6001);
    ask(&x, ALL, "", 1000);
    while (x.token[0]) {
        memcpy(before, x.token, 96);
        ask(&x, "", before, 1000);
    }
    assert_int_equal(x.a.rows, 1);
    char *last = strdup(ask(&x, "", before, 1000));
    assert_int_equal(x.a.rows, 1);
    kit_has(last, "\"r6000\"");
    assert_string_equal(x.token, "");
    Realm *live = x.k.s->live;
    assert_null(live->snapshot);
    assert_int_equal(ask_in(&x, "", "", before, 999), SOSIA_TOKEN); // there is nothing left to cut it from
    free(last);
    end(&x);
}

// ---- tokens --------------------------------------------------------------------------------------------------------

static void test_tokens_that_do_not_fit(void **state) {
    (void)state;
    Asking x;
    char token[96], bad[96];
    begin(&x, &(SosiaOpen){0}, 300);
    ask(&x, ALL, "", 100);
    memcpy(token, x.token, 96);
    static const char *const none[] = {"x",
                                       "q",
                                       "t-1-12345678",
                                       "q00000000000000000000000000000000-64",
                                       "q00000000000000000000000000000000-",
                                       "q000000000000000000000000000000000000"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_int_equal(ask_in(&x, "", ALL, none[i], 100), SOSIA_TOKEN);
        kit_has(said(&x), "gone");
        assert_string_equal(x.token, "");
        assert_int_equal(x.a.body.n, 0);
    }
    assert_int_equal(ask_in(&x, "", COUNT, token, 100), SOSIA_TOKEN);
    kit_has(said(&x), "another question");
    snprintf(bad, sizeof bad, "%.34sfff", token); // further than any page went
    assert_int_equal(ask_in(&x, "", "", bad, 100), SOSIA_TOKEN);
    snprintf(bad, sizeof bad, "%.34s1", token); // and before the first
    assert_int_equal(ask_in(&x, "", "", bad, 100), SOSIA_TOKEN);
    SosiaQuery q = {.token = kit_str(token), .limit = 100};
    SosiaCaller other = {.principal = kit_str("somebody else")};
    assert_int_equal(sosia_query(x.k.s, &other, &q, &x.a), SOSIA_TOKEN);
    q.explain = true;
    assert_int_equal(sosia_query(x.k.s, NULL, &q, &x.a), SOSIA_ARGUMENT);
    assert_int_equal(ask_in(&x, "", "", token, -1), SOSIA_ARGUMENT);
    kit_has(ask(&x, ALL, token, 100), "\"r100\"");
    end(&x);
}

// A token belongs to its world, and goes with it.
static void test_worlds(void **state) {
    (void)state;
    static const int sizes[] = {300, 7000};
    for (int i = 0; i < 2; i++) {
        Asking x;
        char token[96];
        begin(&x, &(SosiaOpen){0}, sizes[i]);
        assert_int_equal(sosia_fork(x.k.s, NULL, kit_str("live"), kit_str("f")), SOSIA_OK);
        fill(&x.k, "f", sizes[i], sizes[i] + 5);
        assert_int_equal(ask_in(&x, "f", COUNT, "", 0), SOSIA_OK);
        kit_has(kit_keep(&x.k, (SosiaStr){x.a.body.p, x.a.body.n}), i ? "7005" : "305");
        kit_has(ask(&x, COUNT, "", 0), i ? "7000" : "300");
        assert_int_equal(ask_in(&x, "f", ALL, "", 100), SOSIA_OK);
        memcpy(token, x.token, 96);
        assert_int_equal(ask_in(&x, "live", "", token, 100), SOSIA_TOKEN);
        assert_int_equal(ask_in(&x, "f", "", token, 100), SOSIA_OK);
        memcpy(token, x.token, 96);
        assert_int_equal(sosia_drop(x.k.s, NULL, kit_str("f")), SOSIA_OK);
        assert_int_equal(stat_of(&x, "cursors"), 0);
        assert_int_equal(ask_in(&x, "f", "", token, 100), SOSIA_TOKEN);
        assert_int_equal(ask_in(&x, "f", ALL, "", 100), SOSIA_WORLD_NOT_FOUND);
        kit_has(said(&x), "\"f\"");
        assert_int_equal(sosia_fork(x.k.s, NULL, kit_str("live"), kit_str("f")), SOSIA_OK); // another one
        assert_int_equal(ask_in(&x, "f", "", token, 100), SOSIA_TOKEN);
        end(&x);
    }
}

// ---- bounds --------------------------------------------------------------------------------------------------------

// A full table refuses nobody: the cursor that was idle for longest goes.
static void test_full_table(void **state) {
    (void)state;
    Asking x;
    char first[96], second[96];
    begin(&x, &(SosiaOpen){0}, 10);
    ask(&x, ALL, "", 3);
    memcpy(first, x.token, 96);
    ask(&x, ALL, "", 3);
    memcpy(second, x.token, 96);
    for (int i = 0; i < QUERY_CURSORS_MAX - 1; i++) {
        ask(&x, "", first, 3); // in use, so not the one to go
        ask(&x, ALL, "", 3);
        assert_string_not_equal(x.token, "");
    }
    assert_int_equal(stat_of(&x, "cursors"), QUERY_CURSORS_MAX);
    assert_int_equal(ask_in(&x, "", "", second, 3), SOSIA_TOKEN);
    kit_has(ask(&x, "", first, 3), "\"r3\"");
    end(&x);
}

// Keeps the only thread of a pool busy, so that nothing happens but what the test does.
typedef struct Blocker {
    Job job;
    _Atomic bool begun, go;
} Blocker;

static void stand_in_the_way(Job *j) {
    Blocker *b = (Blocker *)j;
    atomic_store(&b->begun, true);
    while (!atomic_load(&b->go)) thread_sleep_ns(NS_PER_MS);
}

static void block(Asking *x, Blocker *b) {
    *b = (Blocker){.job = {.run = stand_in_the_way}};
    assert_true(pool_push(x->k.s->desk->pool, &b->job, false));
    while (!atomic_load(&b->begun)) thread_sleep_ns(NS_PER_MS);
}

static void unblock(Blocker *b) { atomic_store(&b->go, true); }

// Make every cursor look as if nobody had asked for that long, and have them looked at.
static void age(Asking *x, int64_t ns) {
    Desk *d = x->k.s->desk;
    pthread_mutex_lock(&d->lock);
    for (int32_t i = 0; i < d->cursor_count; i++) d->cursors[i]->used_ns -= ns;
    pthread_mutex_unlock(&d->lock);
    cursors_sweep(d);
}

// A cursor that nobody asks for goes after ten minutes, one that gave its last page after one.
static void test_idle(void **state) {
    (void)state;
    Asking x;
    Blocker b;
    char first[96], second[96];
    begin(&x, &(SosiaOpen){.query_threads = 1}, 20);
    block(&x, &b);
    ask(&x, ALL, "", 15);
    memcpy(first, x.token, 96);
    ask(&x, "", first, 15); // the last page
    ask(&x, ALL, "", 15);
    memcpy(second, x.token, 96);
    age(&x, QUERY_CURSOR_ENDED_NS + NS_PER_S);
    assert_int_equal(stat_of(&x, "cursors"), 1);
    assert_int_equal(ask_in(&x, "", "", first, 15), SOSIA_TOKEN);
    kit_has(ask(&x, "", second, 3), "\"r15\""); // used: young again
    age(&x, QUERY_CURSOR_IDLE_NS - 200 * NS_PER_S);
    assert_int_equal(stat_of(&x, "cursors"), 1);
    age(&x, 200 * NS_PER_S);
    assert_int_equal(stat_of(&x, "cursors"), 0);
    assert_int_equal(stat_of(&x, "cursorBytes"), 0);
    unblock(&b);
    end(&x);
}

// When the worlds have grown much, cursors with snapshots go, the oldest first; kept results stay.
static void test_heavy_snapshots(void **state) {
    (void)state;
    Asking x;
    Blocker b;
    char kept[96], old[96], young[96];
    begin(&x, &(SosiaOpen){.query_threads = 1}, 7000);
    block(&x, &b);
    ask(&x, "SELECT TOP(200) * FROM DIGITALTWINS", "", 100);
    memcpy(kept, x.token, 96);
    ask(&x, ALL, "", 100);
    memcpy(old, x.token, 96);
    set_all(&x, "1");
    ask(&x, ALL, "", 100);
    memcpy(young, x.token, 96);
    Desk *d = x.k.s->desk;
    pthread_mutex_lock(&d->lock);
    d->blocks_before -= 2 * QUERY_SNAPSHOT_BYTES_MAX; // as if
    pthread_mutex_unlock(&d->lock);
    cursors_sweep(d);
    assert_int_equal(ask_in(&x, "", "", old, 100), SOSIA_TOKEN);
    ask(&x, "", young, 100);
    ask(&x, "", kept, 100);
    cursors_sweep(d);
    assert_int_equal(ask_in(&x, "", "", young, 100), SOSIA_TOKEN);
    cursors_sweep(d); // none left: the growth is somebody else's, and the mark moves
    ask(&x, ALL, "", 100);
    cursors_sweep(d);
    memcpy(young, x.token, 96);
    ask(&x, "", young, 100);
    unblock(&b);
    end(&x);
}

static void test_limits(void **state) {
    (void)state;
    Asking x;
    begin(&x, &(SosiaOpen){0}, 3000);
    SosiaQuery q = {.text = kit_str(SCAN), .rows_max = 2000};
    assert_int_equal(sosia_query(x.k.s, NULL, &q, &x.a), SOSIA_BUDGET);
    assert_true(x.a.message.n > 0);
    assert_int_equal(x.a.body.n, 0);
    q.rows_max = 0;
    q.timeout_ns = 1;
    assert_int_equal(sosia_query(x.k.s, NULL, &q, &x.a), SOSIA_TIMEOUT);
    assert_true(x.a.message.n > 0);
    q = (SosiaQuery){.text = kit_str(ALL), .limit = 5000};
    assert_int_equal(sosia_query(x.k.s, NULL, &q, &x.a), SOSIA_OK);
    assert_int_equal(x.a.rows, 1000);
    q.limit = 0;
    assert_int_equal(sosia_query(x.k.s, NULL, &q, &x.a), SOSIA_OK);
    assert_int_equal(x.a.rows, 100);
    q.bytes_max = 1 << 12;
    assert_int_equal(sosia_query(x.k.s, NULL, &q, &x.a), SOSIA_LIMIT);
    kit_has(said(&x), "fewer rows");
    q.limit = 10;
    assert_int_equal(sosia_query(x.k.s, NULL, &q, &x.a), SOSIA_OK);
    assert_int_equal(x.a.rows, 10);
    end(&x);
    begin(&x, &(SosiaOpen){.query_rows_max = 10, .query_timeout_ns = -1, .query_bytes_max = -1}, 30);
    assert_int_equal(ask_in(&x, "", SCAN, "", 0), SOSIA_BUDGET);
    end(&x);
}

// Temperatures in an order of their own: no page holds only near ones.
static void scatter(Asking *x, int rooms) {
    KitText t = {0};
    char line[128];
    for (int i = 0; i < rooms; i++) {
        int value = (int)((int64_t)i * 7919 % rooms);
        int n = snprintf(line, sizeof line, "{\"id\":\"r%d\",\"property\":\"temperature\",\"value\":%d}\n", i, value);
        kit_add(&t, line, (size_t)n);
    }
    kit_do(&x->k, SOSIA_INGEST, "", "", t.p);
    free(t.p);
}

// A question asked often enough gets an index behind its answer; an acknowledged write is seen through it at once.
static void test_index(void **state) {
    (void)state;
    enum { ROOMS = 9000 };
    static const char where[] = "SELECT T.$dtId FROM DIGITALTWINS T WHERE T.temperature = 4711";
    Asking x;
    begin(&x, &(SosiaOpen){0}, ROOMS);
    scatter(&x, ROOMS);
    int64_t until = time_mono_ns() + 60 * NS_PER_S;
    while (stat_of(&x, "cacheBuilt") == 0) { // by a thread of its own, sooner or later
        assert_int_equal(kit_count(ask(&x, where, "", 100), "\"$dtId\":"), 1);
        assert_true(time_mono_ns() < until);
    }
    int64_t hits = stat_of(&x, "cacheHits");
    assert_int_equal(kit_count(ask(&x, where, "", 100), "\"$dtId\":"), 1);
    assert_int_equal(stat_of(&x, "cacheHits"), hits + 1);
    for (int i = 1; i < 6; i++) {
        char line[128];
        snprintf(line, sizeof line, "{\"id\":\"r%d\",\"property\":\"temperature\",\"value\":4711}\n", i * 1500);
        kit_do(&x.k, SOSIA_INGEST, "", "", line);
        assert_int_equal(kit_count(ask(&x, where, "", 100), "\"$dtId\":"), 1 + i);
    }
    end(&x);
}

static void test_errors(void **state) {
    (void)state;
    Asking x;
    begin(&x, &(SosiaOpen){0}, 1);
    assert_int_equal(ask_in(&x, "", "SELEC * FROM DIGITALTWINS", "", 0), SOSIA_QUERY);
    kit_has(said(&x), "SQL query parse failed: SQL Parser Error, Line=1, Position=0, Message=");
    assert_int_equal(ask_in(&x, "", "", "", 0), SOSIA_QUERY);
    assert_int_equal(ask_in(&x, "none", ALL, "", 0), SOSIA_WORLD_NOT_FOUND);
    assert_int_equal(stat_of(&x, "failed"), 3);
    assert_int_equal(stat_of(&x, "total"), 3);
    end(&x);
}

static void test_explain(void **state) {
    (void)state;
    Asking x;
    begin(&x, &(SosiaOpen){0}, 300);
    SosiaQuery q = {.text = kit_str(ALL), .explain = true};
    assert_int_equal(sosia_query(x.k.s, NULL, &q, &x.a), SOSIA_OK);
    assert_memory_equal(x.a.body.p, "[]", 2);
    kit_has(kit_keep(&x.k, (SosiaStr){x.a.plan.p, x.a.plan.n}), "\"step\":");
    assert_int_equal(x.a.token[0], 0);
    assert_true(x.a.rows_looked_at >= 300);
    ask(&x, ALL, "", 0);
    assert_int_equal(x.a.plan.n, 0);
    end(&x);
}

// ---- the slow log --------------------------------------------------------------------------------------------------

typedef struct Lines {
    pthread_mutex_t lock;
    char text[8192];
} LogLines;

static void keep_line(void *ctx, LogId id, LogLevel level, const char *name, const char *text) {
    (void)level, (void)name;
    LogLines *l = ctx;
    if (id != LOG_ID_QUERY_SLOW) return;
    pthread_mutex_lock(&l->lock);
    snprintf(l->text + strlen(l->text), sizeof l->text - strlen(l->text), "%s\n", text);
    pthread_mutex_unlock(&l->lock);
}

static void test_slow_log(void **state) {
    (void)state;
    Asking x;
    LogLines lines = {.lock = PTHREAD_MUTEX_INITIALIZER};
    log_set_sink(keep_line, &lines, LOG_INFO);
    begin(&x, &(SosiaOpen){.query_slow_ns = 1}, 10);
    ask(&x, "SELECT *\n\t FROM DIGITALTWINS", "", 100);
    kit_has(lines.text, "SELECT * FROM DIGITALTWINS");
    kit_has(lines.text, "world live");
    assert_int_equal(stat_of(&x, "slow"), 1);
    ask(&x, ALL, "", 3);
    assert_int_equal(stat_of(&x, "slow"), 2);
    ask(&x, "SELECT * FROM DIGITALTWINS T WHERE T.count = 1 AND '\x1b[2J' != '\xc2\x9b' AND '\xc3\xa4' != ''", "", 3);
    kit_has(lines.text, "' [2J' != ' ' AND '\xc3\xa4'");
    end(&x);
    lines.text[0] = 0;
    begin(&x, &(SosiaOpen){.query_slow_ns = -1}, 10);
    ask(&x, ALL, "", 100);
    assert_string_equal(lines.text, "");
    end(&x);
    log_set_sink(NULL, NULL, LOG_INFO);
}

// ---- without waiting -----------------------------------------------------------------------------------------------

typedef struct Got {
    _Atomic int done;
    SosiaErr err;
    int64_t rows;
    char token[96];
    pthread_t thread;
} Got;

static void on_answer(void *arg, SosiaErr err, SosiaAnswer *a) {
    Got *g = arg;
    g->err = err;
    g->rows = a->rows;
    g->thread = pthread_self();
    memcpy(g->token, a->token, 96);
    atomic_store(&g->done, 1);
}

static void await_got(Got *g) {
    while (!atomic_load(&g->done)) thread_sleep_ns(NS_PER_MS / 10);
}

// Small ones are answered before the call returns, large ones by a thread of the pool, with the same answers.
static void test_start(void **state) {
    (void)state;
    Asking x;
    begin(&x, &(SosiaOpen){0}, 7000);
    Got g = {0};
    SosiaQuery q = {.text = kit_str("SELECT * FROM DIGITALTWINS"), .limit = 100};
    static const SosiaErr want[] = {SOSIA_OK, SOSIA_QUERY, SOSIA_WORLD_NOT_FOUND, SOSIA_TOKEN};
    for (int i = 1; i < 4; i++) { // refusals are small
        Got bad = {0};
        SosiaQuery b = q;
        if (i == 1) b.text = kit_str("nothing");
        if (i == 2) b.world = kit_str("nowhere");
        if (i == 3) b.token = kit_str("nothing");
        assert_int_equal(sosia_query_start(x.k.s, NULL, &b, on_answer, &bad), SOSIA_OK);
        assert_int_equal(atomic_load(&bad.done), 1);
        assert_int_equal(bad.err, want[i]);
    }
    q.text = kit_str(SCAN);
    assert_int_equal(sosia_query_start(x.k.s, NULL, &q, on_answer, &g), SOSIA_OK);
    await_got(&g);
    assert_int_equal(g.err, SOSIA_OK);
    assert_false(pthread_equal(g.thread, pthread_self()));
    q.text = kit_str(ALL);
    int64_t rows = 0;
    int pages = 0, here = 0;
    char token[96] = "";
    do {
        g = (Got){0};
        q.token = kit_str(token);
        assert_int_equal(sosia_query_start(x.k.s, NULL, &q, on_answer, &g), SOSIA_OK);
        here += atomic_load(&g.done);
        await_got(&g);
        assert_int_equal(g.err, SOSIA_OK);
        rows += g.rows;
        pages++;
        memcpy(token, g.token, 96);
    } while (token[0]);
    assert_int_equal(rows, 7000);
    assert_int_equal(pages, 70);
    assert_true(here > 0);
    end(&x);
}

typedef struct Tally {
    _Atomic int64_t done, closed, ok, other;
} Tally;

static void on_tally(void *arg, SosiaErr err, SosiaAnswer *a) {
    Tally *t = arg;
    (void)a;
    if (err == SOSIA_OK) atomic_fetch_add(&t->ok, 1);
    else if (err == SOSIA_CLOSED) atomic_fetch_add(&t->closed, 1);
    else atomic_fetch_add(&t->other, 1);
    atomic_fetch_add(&t->done, 1);
}

// More large questions than may wait are refused at once; each of the others is answered once, also when the engine
// closes in the middle, which does not wait for them to end by themselves. Cursors may be open.
static void test_close_in_the_middle(void **state) {
    (void)state;
    Asking x;
    Tally t = {0};
    begin(&x, &(SosiaOpen){.query_threads = 2}, 50000);
    SosiaQuery q = {.text = kit_str(SCAN)}, all = {.text = kit_str(ALL)};
    int64_t taken = 0, busy = 0;
    for (int i = 0; i < 100000 && !busy; i++) {
        SosiaErr err = sosia_query_start(x.k.s, NULL, i % 10 ? &q : &all, on_tally, &t);
        assert_true(err == SOSIA_OK || err == SOSIA_BUSY);
        taken += err == SOSIA_OK;
        busy += err == SOSIA_BUSY;
    }
    assert_int_equal(busy, 1);
    assert_true(stat_of(&x, "refused") >= 1);
    end(&x);
    assert_int_equal(atomic_load(&t.done), taken);
    assert_int_equal(atomic_load(&t.other), 0);
}

// A question that was cancelled ends with CLOSED; others go on.
static void test_cancel(void **state) {
    (void)state;
    Asking x;
    Tally t = {0}, other = {0};
    Blocker b;
    begin(&x, &(SosiaOpen){.query_threads = 1}, 7000);
    block(&x, &b);
    SosiaQuery q = {.text = kit_str(SCAN)};
    int64_t taken = 0;
    for (int i = 0; i < 100; i++) taken += sosia_query_start(x.k.s, NULL, &q, on_tally, &t) == SOSIA_OK;
    assert_int_equal(sosia_query_start(x.k.s, NULL, &q, on_tally, &other), SOSIA_OK);
    sosia_query_cancel(x.k.s, on_tally, &t);
    unblock(&b);
    while (atomic_load(&t.done) < taken || !atomic_load(&other.done)) thread_sleep_ns(NS_PER_MS);
    assert_int_equal(atomic_load(&t.closed), taken);
    assert_int_equal(atomic_load(&other.ok), 1);
    end(&x);
}

// Walks that turn out to be endless, whatever was expected of them, leave a thread to questions that are not.
static void test_runaways_leave_a_thread(void **state) {
    (void)state;
    Asking x;
    Tally runaways = {0}, others = {0};
    begin(&x, &(SosiaOpen){.query_threads = 2}, 50000);
    KitText t = {0};
    kit_add(&t, "{\"Section\":\"Relationships\"}\n", 28);
    for (int i = 0; i < 400; i++) { // r0 to r19, each to each
        char line[160];
        int n = snprintf(line, sizeof line,
                         "{\"$dtId\":\"r%d\",\"$relationshipId\":\"n%d\",\"$targetId\":\"r%d\","
                         "\"$relationshipName\":\"near\"}\n",
                         i / 20, i, i % 20);
        if (i / 20 != i % 20) kit_add(&t, line, (size_t)n);
    }
    assert_int_equal(kit_write_in(&x.k, "", SOSIA_IMPORT, "", "", t.p), SOSIA_OK);
    kit_lacks(kit_result(&x.k), "\"code\"");
    free(t.p);
    SosiaQuery walk = {
        .text = kit_str("SELECT COUNT() FROM DIGITALTWINS MATCH (a)-[:near*..20]->(b) WHERE a.$dtId = 'r1'")};
    SosiaQuery scan = {.text = kit_str(SCAN)};
    for (int i = 0; i < 4; i++) assert_int_equal(sosia_query_start(x.k.s, NULL, &walk, on_tally, &runaways), SOSIA_OK);
    for (int64_t i = 0; i < 20; i++) {
        assert_int_equal(sosia_query_start(x.k.s, NULL, &scan, on_tally, &others), SOSIA_OK);
        while (atomic_load(&others.done) <= i && !atomic_load(&runaways.done)) thread_sleep_ns(NS_PER_MS);
    }
    assert_int_equal(atomic_load(&others.ok), 20);
    assert_int_equal(atomic_load(&runaways.done), 0);
    sosia_query_cancel(x.k.s, on_tally, &runaways);
    while (atomic_load(&runaways.done) < 4) thread_sleep_ns(NS_PER_MS);
    assert_int_equal(atomic_load(&runaways.closed), 4);
    end(&x);
}

// ---- many at once --------------------------------------------------------------------------------------------------

#define CLIENTS 6

typedef struct Client {
    pthread_t thread;
    Sosia *s;
    const _Atomic bool *stop;
    int64_t walks;
    bool bad;
} Client;

// Walks through all pages again and again; every walk sees each twin once, and one value in all of them.
static void *walk(void *arg) {
    Client *c = arg;
    Asking x = {.k = {.s = c->s}};
    while (!c->bad && (!atomic_load(c->stop) || !c->walks)) {
        KitText all = {0};
        pages(&x, ALL, 500, false, &all);
        const char *at = strstr(all.p, "\"temperature\":");
        char want[64];
        snprintf(want, sizeof want, "%.*s,", (int)strcspn(at, ",}"), at);
        if (kit_count(all.p, "\"$dtId\":") != 300 || kit_count(all.p, want) != 300) c->bad = true;
        c->walks++;
        free(all.p);
    }
    sosia_answer_free(&x.a);
    kit_free(&x.k);
    return NULL;
}

static void test_walks_while_writing(void **state) {
    (void)state;
    Asking x;
    _Atomic bool stop = false;
    Client clients[CLIENTS];
    begin(&x, &(SosiaOpen){0}, 300);
    set_all(&x, "0");
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (Client){.s = x.k.s, .stop = &stop};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, walk, &clients[i]), 0);
    }
    char value[16];
    for (int i = 1; i < 100; i++) {
        snprintf(value, sizeof value, "%d", i);
        set_all(&x, value);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        assert_false(clients[i].bad);
        assert_true(clients[i].walks > 0);
    }
    end(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_page),
        cmocka_unit_test(test_pages_are_one_instant),
        cmocka_unit_test(test_same_token_same_page),
        cmocka_unit_test(test_end_of_result),
        cmocka_unit_test(test_tokens_that_do_not_fit),
        cmocka_unit_test(test_worlds),
        cmocka_unit_test(test_full_table),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_heavy_snapshots),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_slow_log),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_close_in_the_middle),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_runaways_leave_a_thread),
        cmocka_unit_test(test_walks_while_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
