// SPDX-License-Identifier: Apache-2.0
#include "query/test_run.h"
#include <stdio.h>
#include "base/check.h"
#include "base/thread.h"

// ---- a crew -------------------------------------------------------------------------------------------------------

#define HANDS_MAX 8

typedef struct Task {
    void (*fn)(void *arg, int32_t i);
    void *arg;
    int32_t n;
    _Atomic int32_t next;
} Task;

static void *hand(void *arg) {
    Task *t = arg;
    for (int32_t i; (i = t->next++) < t->n;) t->fn(t->arg, i);
    return NULL;
}

void test_crew_run(void *ctx, int32_t n, void (*fn)(void *arg, int32_t i), void *arg) {
    const QueryCrew *crew = ctx;
    Task task = {.fn = fn, .arg = arg, .n = n};
    Thread threads[HANDS_MAX] = {0};
    for (int32_t i = 1; i < crew->threads && i < n; i++)
        CHECK(thread_start(&threads[i], "crew", hand, &task) == ERR_OK);
    hand(&task);
    for (int32_t i = 1; i < crew->threads; i++) thread_join(&threads[i]);
}

// ---- asking -------------------------------------------------------------------------------------------------------

static Err run(QueryCursor *c, int64_t page, TestAnswer *out, Diag *d) {
    bool more = true;
    while (more) {
        int64_t rows = 0;
        Err e = query_next(c, page, &out->rows, &rows, &more, d);
        if (e != ERR_OK) return e;
        if (rows) buf_byte(&out->rows, '\n');
    }
    return ERR_OK;
}

void test_ask(World *w, const QueryOptions *o, int64_t page, const char *text, TestAnswer *out) {
    Arena a;
    Diag d;
    View v;
    Query *q;
    QueryCursor *c;
    QueryOptions options = *o;
    *out = (TestAnswer){0};
    arena_init(&a, 0);
    diag_init(&d);
    view_begin(&v, w);
    if (!options.now) options.now = TEST_GRAPH_NOW;
    out->err = query_parse(&a, str_of(text), &q, &d);
    CHECK(out->err == ERR_OK);
    out->err = query_open(q, &v, &options, &c, &d);
    if (out->err == ERR_OK) {
        out->estimate = query_estimate(c, 100);
        out->err = run(c, page, out, &d);
        out->stats = query_stats(c);
        query_explain(c, &out->plan);
        query_notes(c, &out->notes);
        query_close(c);
    }
    diag_print(&d, &out->message);
    CHECK(!v.overrun);
    view_end(&v);
    diag_free(&d);
    arena_free(&a);
}

void test_answer_free(TestAnswer *a) {
    buf_free(&a->rows);
    buf_free(&a->plan);
    buf_free(&a->notes);
    buf_free(&a->message);
}

// ---- worlds -------------------------------------------------------------------------------------------------------

static void put(TestGraph *g, bool link, const char *json) { CHECK(test_graph_put(g, link, json) == ERR_OK); }

static void put_room(TestGraph *g, const char *id, int32_t i) {
    char json[256];
    snprintf(json, sizeof json,
             "{'$dtId':'%s','$metadata':{'$model':'dtmi:t:Room;1'},'count':%d,'temp':%.1f,'name':'n%d','area':%.1f,"
             "'thermo':{'$metadata':{}}}",
             id, i % 7, i / 10.0, i % 100, i * 0.1);
    put(g, false, json);
}

void test_rooms(TestGraph *g, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%d", i);
        put_room(g, id, i);
    }
}

void test_other(TestGraph *g, const char *id) {
    char json[128];
    snprintf(json, sizeof json, "{'$dtId':'%s','$metadata':{'$model':'dtmi:t:Other;1'}}", id);
    put(g, false, json);
}

void test_link(TestGraph *g, const char *source, const char *rel, const char *target) {
    char json[256];
    snprintf(json, sizeof json,
             "{'$relationshipId':'%s-%s-%s','$sourceId':'%s','$relationshipName':'%s','$targetId':'%s'}", source, rel,
             target, source, rel, target);
    put(g, true, json);
}

void test_complete(TestGraph *g, int32_t n) {
    char from[16], to[16];
    for (int32_t i = 0; i < n; i++) {
        snprintf(from, sizeof from, "k%d", i);
        put_room(g, from, i);
    }
    for (int32_t i = 0; i < n; i++) {
        for (int32_t k = 0; k < n; k++) {
            snprintf(from, sizeof from, "k%d", i);
            snprintf(to, sizeof to, "k%d", k);
            if (i != k) test_link(g, from, "near", to);
        }
    }
}
