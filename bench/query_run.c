// SPDX-License-Identifier: Apache-2.0
// The questions of the city asked in this process, without server and network: parse, plan, run.
// usage: query_run_bench [districts] [threads] [NAME]     NAME: only questions whose name holds it, with their plans
#include <stdlib.h>
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/thread.h"
#include "city_world.h"
#include "query/cache.h"
#include "question.h"

enum { RING = 1 << 18, HANDS_MAX = 16 };

// ---- a crew -------------------------------------------------------------------------------------------------------

// Threads that wait for a task; the caller is one of them.
typedef struct Crew {
    QueryCrew face;
    Thread threads[HANDS_MAX];
    Queue tasks;
    pthread_mutex_t lock; // guards busy
    pthread_cond_t idle;
    int32_t busy;
    void (*fn)(void *arg, int32_t i);
    void *arg;
    int32_t n;
    _Atomic int32_t next;
} Crew;

static void take_tasks(Crew *c) {
    for (int32_t i; (i = c->next++) < c->n;) c->fn(c->arg, i);
}

static void *hand(void *arg) {
    Crew *c = arg;
    void *task;
    while (queue_pop(&c->tasks, &task, 1, -1) == 1) {
        take_tasks(c);
        pthread_mutex_lock(&c->lock);
        if (--c->busy == 0) pthread_cond_signal(&c->idle);
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

static void crew_run(void *ctx, int32_t n, void (*fn)(void *arg, int32_t i), void *arg) {
    Crew *c = ctx;
    c->fn = fn;
    c->arg = arg;
    c->n = n;
    c->next = 0;
    c->busy = c->face.threads - 1;
    for (int32_t i = 1; i < c->face.threads; i++) CHECK(queue_push(&c->tasks, c));
    take_tasks(c);
    pthread_mutex_lock(&c->lock);
    while (c->busy) pthread_cond_wait(&c->idle, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static void crew_open(Crew *c, int32_t threads) {
    c->face = (QueryCrew){.ctx = c, .threads = threads, .run = crew_run};
    queue_init(&c->tasks, HANDS_MAX);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->idle, NULL);
    for (int32_t i = 1; i < threads; i++) CHECK(thread_start(&c->threads[i], "crew", hand, c) == ERR_OK);
}

static void crew_close(Crew *c) {
    queue_close(&c->tasks);
    for (int32_t i = 1; i < c->face.threads; i++) thread_join(&c->threads[i]);
    queue_free(&c->tasks);
    pthread_cond_destroy(&c->idle);
    pthread_mutex_destroy(&c->lock);
}

// ---- asking -------------------------------------------------------------------------------------------------------

typedef struct Scene {
    const City *city;
    World *w;
    QueryCache *cache;
    Crew crew;
    bool explain;
} Scene;

static void ask(Scene *s, Str text, Buf *rows, bool explain) {
    Arena a;
    Query *q;
    QueryCursor *c;
    View v;
    Diag d;
    diag_init(&d);
    arena_init(&a, 4096);
    buf_reset(rows);
    QueryOptions o = {.now = 1, .clock = time_mono_ns, .crew = &s->crew.face, .cache = s->cache};
    Err e = query_parse(&a, text, &q, &d);
    CHECK(e == ERR_OK);
    view_begin(&v, s->w);
    e = query_open(q, &v, &o, &c, &d);
    CHECK(e == ERR_OK);
    int64_t n = 0;
    bool more = true;
    e = query_next(c, 1000, rows, &n, &more, &d);
    CHECK(e == ERR_OK);
    if (explain) {
        Buf plan = {0};
        query_explain(c, &plan);
        fprintf(stderr, "%.*s\n%.*s\n%.*s\n", STR_ARG(text), STR_ARG(buf_str(&plan)),
                (int)(rows->n < 300 ? rows->n : 300), rows->p ? rows->p : "");
        buf_free(&plan);
    }
    query_close(c);
    view_end(&v);
    arena_free(&a);
    diag_free(&d);
}

static void measure(Scene *s, const Question *q) {
    char name[64];
    Buf text = {0}, rows = {0};
    snprintf(name, sizeof name, "query.run.%s", q->name + strlen("query."));
    Bench b = {.name = name, .unit = "us", .less = true, .goal = q->per_row ? 0 : q->goal * 1000};
    for (int32_t round = 0; round < q->rounds; round++) {
        double sum = 0;
        for (int32_t n = 0; n < q->variants; n++) {
            QuestionIds ids = question_ids(s->city, q, n);
            buf_reset(&text);
            question_text(q, &ids, &text);
            int64_t at = time_mono_ns();
            ask(s, buf_str(&text), &rows, false);
            sum += bench_seconds(at) * 1e6;
            query_cache_tend(s->cache, s->w);
        }
        if (round) bench_add(&b, sum / q->variants);
    }
    if (s->explain) ask(s, buf_str(&text), &rows, true);
    if (b.rounds == 0) bench_add(&b, 0);
    bench_print(&b);
    buf_free(&text);
    buf_free(&rows);
}

static const Question more_questions[] = {
    {.name = "query.distinct5",
     .variants = 8,
     .rounds = 7,
     .vary = VARY_INTO,
     .sosia = "SELECT DISTINCT z.$dtId FROM DIGITALTWINS MATCH (z)-[*..5]->(b) WHERE b.$dtId = '{a}'"},
    {.name = "query.distinct_all",
     .variants = 1,
     .rounds = 7,
     .vary = VARY_CITY,
     .sosia = "SELECT TOP(5) DISTINCT b FROM DIGITALTWINS MATCH (a)-[:contains|has*..6]->(b) WHERE a.$dtId = '{a}'"},
    {.name = "query.order_top",
     .variants = 1,
     .rounds = 7,
     .sosia = "SELECT TOP(10) T.$dtId, T.load FROM DIGITALTWINS T ORDER BY T.load DESC"},
    {.name = "query.first_page", .variants = 1, .rounds = 31, .sosia = "SELECT TOP(100) * FROM DIGITALTWINS T"},
    {.name = "query.joins_all",
     .variants = 1,
     .rounds = 5,
     .sosia = "SELECT COUNT() FROM DIGITALTWINS MATCH (a)-[:feeds]->(b)-[:contains]->(c) WHERE c.load > 50"},
    {.name = "query.links",
     .variants = 1,
     .rounds = 5,
     .sosia = "SELECT R.$relationshipName AS name, COUNT() AS n FROM RELATIONSHIPS R GROUP BY R.$relationshipName"},
    {0}};

static void measure_all(Scene *s, const Question *list, const char *only) {
    for (const Question *q = list; q->name; q++)
        if (!only || strstr(q->name, only)) measure(s, q);
}

int main(int argc, char **argv) {
    City city = {.districts = argc > 1 ? atoi(argv[1]) : 40, .seed = 1};
    Scene s = {.city = &city, .cache = query_cache_new(0), .explain = argc > 3};
    Domain *d = domain_new();
    crew_open(&s.crew, argc > 2 ? atoi(argv[2]) : 2);
    int64_t at = time_mono_ns();
    s.w = city_world(&city, d, RING, NULL);
    fprintf(stderr, "city of %lld twins in %.1f s\n", (long long)city_twin_count(&city), bench_seconds(at));
    measure_all(&s, questions, argc > 3 ? argv[3] : NULL);
    measure_all(&s, depth_questions, argc > 3 ? argv[3] : NULL);
    measure_all(&s, more_questions, argc > 3 ? argv[3] : NULL);
    crew_close(&s.crew);
    query_cache_free(s.cache);
    world_free(s.w);
    domain_free(d);
    return 0;
}
