// SPDX-License-Identifier: Apache-2.0
// Any bytes as a question. What parses is asked of a small world twice, by plan and by the oracle: the rows are the
// same, unless a limit stops one of them or one meets what does not bind.
#include "base/check.h"
#include "query/inner.h"
#include "query/test_graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static TestGraph graph;

static void open_graph(void) {
    if (graph.w) return;
    test_graph_open(&graph, 11);
    test_graph_grow(&graph, 14, 22);
    test_graph_write(&graph, 60);
}

// Sums of doubles may differ in their last bits between plans.
static bool is_exact(const Query *q) {
    for (int32_t i = 0; i < q->column_count + q->hidden_count; i++) {
        if (q->columns[i].agg == AGG_SUM || q->columns[i].agg == AGG_AVG) return false;
    }
    return true;
}

static bool take_row(void *ctx, Str json) {
    Buf *b = ctx;
    if (b->n) buf_byte(b, ',');
    buf_str_put(b, json);
    return true;
}

static Err ask_plan(const Query *q, View *v, Buf *out) {
    QueryOptions o = {.now = TEST_GRAPH_NOW, .limits = {.rows = 100000, .bytes = 64 << 20}, .past = &TEST_PAST};
    QueryCursor *c;
    Err e = query_open(q, v, &o, &c, NULL);
    if (e != ERR_OK) return e;
    int64_t rows;
    bool more = true;
    e = query_next(c, INT64_MAX, out, &rows, &more, NULL);
    CHECK(e != ERR_OK || !more);
    query_close(c);
    return e;
}

static Err ask_oracle(const Query *q, View *v, Buf *out) {
    QueryOptions o = {.now = TEST_GRAPH_NOW, .limits = {.rows = 600}, .past = &TEST_PAST};
    QuerySink sink = {out, take_row};
    return query_naive(q, v, &o, &sink, NULL, NULL);
}

// One value in each interval of a known function.
static bool knows(void *ctx, Str name, bool fill) {
    (void)ctx;
    return fill || str_eq(name, STR("avg"));
}

static Err intervals(void *ctx, View *v, const QueryIntervals *i,
                     bool (*fn)(void *arg, int64_t time, const ExprValue *values), void *arg, int64_t *looked) {
    ExprValue values[QUERY_FNS_MAX] = {{.type = EXPR_F64, .d = 1.5}};
    (void)ctx;
    (void)v;
    *looked = (i->reach.to - i->reach.from - 1) / i->step_ns + 1;
    CHECK(*looked > 0 && *looked <= QUERY_STEPS_MAX);
    for (int64_t k = 0; k < *looked; k++)
        if (!fn(arg, i->reach.from + k * i->step_ns, values)) break;
    return ERR_OK;
}

// No oracle tells the past: only that it runs.
static void ask_history(const Query *q) {
    const QueryPast steps = {.knows = knows, .intervals = intervals};
    QueryOptions o = {.now = TEST_GRAPH_NOW, .limits = {.rows = 20000, .bytes = 64 << 20}, .past = &TEST_PAST};
    Buf out = {0};
    View v = view_writer(graph.w);
    QueryCursor *c;
    o.steps = &steps;
    if (query_open(q, &v, &o, &c, NULL) != ERR_OK) return;
    int64_t rows;
    bool more = true;
    Err e = query_next(c, 500, &out, &rows, &more, NULL);
    CHECK(e == ERR_OK || e == ERR_BUDGET || e == ERR_SYNTAX);
    query_close(c);
    buf_free(&out);
}

static void ask(const Query *q) {
    if (q->history.on) {
        ask_history(q);
        return;
    }
    Buf plan = {0}, oracle = {0};
    View v = view_writer(graph.w);
    Err e = ask_oracle(q, &v, &oracle);
    if (e != ERR_BUDGET) {
        Err f = ask_plan(q, &v, &plan);
        CHECK(f == e || f == ERR_BUDGET || e == ERR_SYNTAX || f == ERR_SYNTAX);
        if (f == ERR_OK && e == ERR_OK && is_exact(q)) CHECK(str_eq(buf_str(&plan), buf_str(&oracle)));
    }
    buf_free(&plan);
    buf_free(&oracle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena a;
    Diag d;
    Buf message = {0};
    Query *q = NULL;
    Str text = {(const char *)data, (int64_t)size};
    open_graph();
    arena_init(&a, 0);
    diag_init(&d);
    Err e = query_parse(&a, text, &q, &d);
    if (e == ERR_OK) {
        ask(q);
    } else {
        CHECK(d.count == 1);
        CHECK(d.messages[0].at >= 0 && d.messages[0].at <= d.messages[0].end);
        CHECK(d.messages[0].end <= text.n);
        query_error_text(text, &d, &message);
    }
    buf_free(&message);
    diag_free(&d);
    arena_free(&a);
    return 0;
}
