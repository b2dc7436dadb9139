// SPDX-License-Identifier: Apache-2.0
// HISTORY queries against lists made by hand: values and intervals merged by time, pages of any size, many values of
// one time, long pasts read in stretches, budgets, failures, and what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/time.h"
#include "query/test_run.h"

#define START TEST_GRAPH_NOW
#define POINTS 5000 // of the longest past
#define HOUR (3600 * NS_PER_S)

static TestGraph g;

// Three points a second, the third but one of seventeen a gap. No past: 0.
static int64_t length_of(uint64_t id, uint32_t column) {
    static const int64_t lengths[] = {0, 1, 40, 2000, POINTS};
    return lengths[(id * 7 + column * 3) % 5];
}

static int64_t time_of(uint64_t id, int64_t k) { return START + k / 3 * NS_PER_S + (int64_t)(id % 2) * NS_PER_MS; }

static ExprMoment moment(uint64_t id, bool real, int64_t k) {
    ExprMoment m = {.time = time_of(id, k), .valid = k % 17 != 15};
    double d = (double)k / 4;
    if (real) memcpy(&m.bits, &d, sizeof d);
    else m.bits = (uint64_t)k;
    return m;
}

static bool is_real(View *v, uint32_t column) {
    for (int32_t t = 0; t < v->catalog->table_count; t++) {
        const Table *tb = &v->catalog->tables[t];
        if (column >= tb->first && column < tb->first + (uint32_t)tb->model->field_count)
            return tb->model->fields[column - tb->first].cell == CELL_F64;
    }
    return false;
}

static Err failing;

static Err moments(void *ctx, View *v, const ExprReach *r, bool (*fn)(void *arg, const ExprMoment *m), void *arg) {
    bool real = is_real(v, r->column);
    int64_t n = length_of(r->id, r->column), stood = -1;
    (void)ctx;
    if (failing) return failing;
    for (int64_t k = 0; k < n && time_of(r->id, k) <= r->from; k++) stood = k;
    if (stood >= 0) {
        ExprMoment m = moment(r->id, real, stood);
        m.time = r->from;
        if (m.valid && !fn(arg, &m)) return ERR_OK;
    }
    for (int64_t k = stood + 1; k < n && time_of(r->id, k) <= r->to; k++) {
        ExprMoment m = moment(r->id, real, k);
        if (!fn(arg, &m)) return ERR_OK;
    }
    return ERR_OK;
}

static bool knows(void *ctx, Str name, bool fill) {
    (void)ctx;
    return fill ? str_eq(name, STR("null")) : str_eq(name, STR("count")) || str_eq(name, STR("max"));
}

// count and max of each interval; with a fill the empty ones too.
static Err intervals(void *ctx, View *v, const QueryIntervals *i,
                     bool (*fn)(void *arg, int64_t time, const ExprValue *values), void *arg, int64_t *looked) {
    (void)ctx;
    (void)v;
    int64_t n = length_of(i->reach.id, i->reach.column);
    *looked = n;
    for (int64_t at = i->reach.from; at < i->reach.to; at += i->step_ns) {
        ExprValue values[2] = {{.type = EXPR_I64}, {.type = EXPR_UNDEFINED}};
        for (int64_t k = 0; k < n; k++) {
            int64_t t = time_of(i->reach.id, k);
            if (t < at || t >= at + i->step_ns || t >= i->reach.to) continue;
            values[0].i++;
            values[1] = (ExprValue){.type = EXPR_I64, .i = k};
        }
        ExprValue first = i->fn_count && str_eq(i->fns[0], STR("count")) ? values[0] : values[1];
        ExprValue given[2] = {first, values[1]};
        if (values[0].i == 0 && !i->fill.n) continue;
        if (!fn(arg, at, given)) break;
    }
    return ERR_OK;
}

static const ExprPast PAST = {.moments = moments};
static const QueryPast STEPS = {.knows = knows, .intervals = intervals};
static const QueryOptions OPTIONS = {.now = START + HOUR, .past = &PAST, .steps = &STEPS};

static int open_world(void **state) {
    (void)state;
    test_graph_open(&g, 1);
    test_rooms(&g, 30);
    test_other(&g, "o1");
    return 0;
}

static int close_world(void **state) {
    (void)state;
    test_graph_close(&g);
    return 0;
}

// ---- by hand ------------------------------------------------------------------------------------------------------

// Numbers of the columns of a room.
static uint32_t column_of(View *v, TwinView *t, const char *name) {
    const Table *tb = &v->catalog->tables[t->table];
    for (int32_t i = 0; i < tb->model->field_count; i++)
        if (str_eq(tb->model->fields[i].path, str_of(name))) return tb->first + (uint32_t)i;
    fail_msg("no %s", name);
    return 0;
}

static void put_value(const char *key, uint64_t id, bool real, int64_t k, Buf *out) {
    ExprMoment m = moment(id, real, k);
    buf_printf(out, ",\"%s\":", key);
    ExprValue value = {.type = real ? EXPR_F64 : EXPR_I64};
    if (real) memcpy(&value.d, &m.bits, sizeof value.d);
    else value.i = k;
    if (!m.valid) value.type = EXPR_UNDEFINED;
    expr_value_json(&value, out);
}

// The rows of one twin with values of count and temp in [from, to).
static void put_twin(View *v, const char *name, int64_t from, int64_t to, Buf *out) {
    TwinId id = view_find_twin(v, str_of(name));
    TwinView t = view_twin(v, id);
    int64_t n = length_of(id.v, column_of(v, &t, "count")), m = length_of(id.v, column_of(v, &t, "temp"));
    for (int64_t k = 0; k < n || k < m; k++) { // the same number is the same time
        int64_t time = time_of(id.v, k);
        if (time < from || time >= to) continue;
        buf_printf(out, "{\"$dtId\":\"%s\",\"time\":", name);
        expr_value_json(&(ExprValue){.type = EXPR_TIME, .i = time}, out);
        if (k < n) put_value("count", id.v, false, k, out);
        if (k < m) put_value("t", id.v, true, k, out);
        buf_str_put(out, STR("}\n"));
    }
}

static void one_line_each(Buf *rows) {
    for (int64_t i = 1; i + 1 < rows->n; i++)
        if (rows->p[i] == ',' && rows->p[i - 1] == '}' && rows->p[i + 1] == '{') rows->p[i] = '\n';
}

static void compare(const char *text, int64_t page, const QueryOptions *o, Str want) {
    TestAnswer a;
    test_ask(g.w, o, page, text, &a);
    if (a.err) fail_msg("%s: %.*s", text, STR_ARG(buf_str(&a.message)));
    one_line_each(&a.rows);
    if (!str_eq(buf_str(&a.rows), want)) {
        int64_t i = 0;
        while (i < want.n && i < a.rows.n && want.p[i] == a.rows.p[i]) i++;
        i = i > 200 ? i - 200 : 0;
        fail_msg("%s\npages of %lld, from byte %lld\nwanted %.400s\ngot    %.400s", text, (long long)page, (long long)i,
                 want.p + i, a.rows.p + i);
    }
    test_answer_free(&a);
}

static void values(void **state) {
    static const int64_t pages[] = {1, 3, 1000}, ends[] = {10, 500, 3600};
    (void)state;
    View v;
    view_begin(&v, g.w);
    for (int i = 0; i < 9; i++) {
        int64_t from = START + (i % 3 == 1 ? 5 * NS_PER_S : 0), to = START + ends[i / 3] * NS_PER_S;
        Buf want = {0};
        char text[400];
        for (int r = 29; r >= 20; r--) {
            char name[16];
            snprintf(name, sizeof name, "r%d", r);
            put_twin(&v, name, from, to, &want);
        }
        snprintf(text, sizeof text,
                 "SELECT $dtId, count, temp AS t FROM DIGITALTWINS WHERE area > 1.95 ORDER BY area DESC "
                 "HISTORY FROM '2026-01-01T00:00:%02dZ' TO TIME('2026-01-01T00:00:00Z') + %ds",
                 i % 3 == 1 ? 5 : 0, (int)ends[i / 3]);
        buf_byte(&want, 0);
        want.n--;
        compare(text, pages[i % 3], &OPTIONS, buf_str(&want));
        buf_free(&want);
    }
    view_end(&v);
}

// Everything up to now; TOP counts what is told; twins without the property give nothing.
static void ends(void **state) {
    (void)state;
    View v;
    Buf want = {0};
    view_begin(&v, g.w);
    put_twin(&v, "r3", 0, START + HOUR + 1, &want);
    buf_byte(&want, 0);
    want.n--;
    compare("SELECT T.$dtId, T.count, T.temp AS t FROM DIGITALTWINS T WHERE T.$dtId IN ['r3', 'nobody'] "
            "HISTORY TO NOW() + 1ns",
            1000, &OPTIONS, buf_str(&want));
    int64_t n = 0, lines = 0;
    for (; n < want.n && lines < 7; n++) lines += want.p[n] == '\n';
    want.n = n;
    compare("SELECT TOP(7) T.$dtId, T.count, T.temp AS t FROM DIGITALTWINS T WHERE T.$dtId = 'r3' "
            "HISTORY FROM '2025-01-01'",
            2, &OPTIONS, buf_str(&want));
    compare("SELECT T.area FROM DIGITALTWINS T WHERE T.$dtId = 'o1' HISTORY FROM '2025-01-01'", 5, &OPTIONS, STR(""));
    view_end(&v);
    buf_free(&want);
}

// A twin whose count has a past of 2,000 values: 667 seconds.
static const char *long_one(char name[16]) {
    View v;
    view_begin(&v, g.w);
    for (int r = 0; r < 30; r++) {
        snprintf(name, 16, "r%d", r);
        TwinId id = view_find_twin(&v, str_of(name));
        TwinView t = view_twin(&v, id);
        if (length_of(id.v, column_of(&v, &t, "count")) == 2000 && id.v % 2 == 0) break;
    }
    view_end(&v);
    return name;
}

static void steps(void **state) {
    (void)state;
    char name[16], text[300];
    long_one(name);
    snprintf(text, sizeof text,
             "SELECT count FROM DIGITALTWINS WHERE $dtId = '%s' HISTORY FROM '2026-01-01' TO '2026-01-01T01:00:00Z' "
             "STEP 5m",
             name);
    compare(text, 2, &OPTIONS,
            STR("{\"time\":\"2026-01-01T00:00:00.0000000Z\",\"count\":899}\n"
                "{\"time\":\"2026-01-01T00:05:00.0000000Z\",\"count\":1799}\n"
                "{\"time\":\"2026-01-01T00:10:00.0000000Z\",\"count\":1999}\n"));
    snprintf(text, sizeof text,
             "SELECT count FROM DIGITALTWINS WHERE $dtId = '%s' HISTORY FROM '2026-01-01T00:10:00Z' "
             "TO '2026-01-01T00:20:00Z' STEP DURATION('PT5M') FN count, max FILL null",
             name);
    compare(text, 1, &OPTIONS,
            STR("{\"time\":\"2026-01-01T00:10:00.0000000Z\",\"count.count\":200,\"count.max\":1999}\n"
                "{\"time\":\"2026-01-01T00:15:00.0000000Z\",\"count.count\":0,\"count.max\":null}\n"));
}

// ---- what goes wrong ----------------------------------------------------------------------------------------------

static void stops(const char *text, const QueryOptions *o, Err err, const char *part) {
    TestAnswer a;
    test_ask(g.w, o, 1000, text, &a);
    if (a.err != err) fail_msg("%s: %s", text, err_name(a.err));
    if (str_find_str(buf_str(&a.message), str_of(part)) < 0) fail_msg("%s: %.*s", text, STR_ARG(buf_str(&a.message)));
    test_answer_free(&a);
}

static void failures(void **state) {
    (void)state;
    const char *all = "SELECT count FROM DIGITALTWINS HISTORY FROM '2026-01-01'";
    QueryOptions o = OPTIONS;
    o.limits.rows = 3000;
    stops(all, &o, ERR_BUDGET, "may look at 3000");
    o = OPTIONS;
    o.limits.bytes = 20000;
    stops(all, &o, ERR_BUDGET, "bytes");
    o = (QueryOptions){.now = START};
    stops(all, &o, ERR_UNSUPPORTED, "no history is kept");
    o = (QueryOptions){.now = START + HOUR, .past = &PAST};
    stops("SELECT count FROM DIGITALTWINS HISTORY FROM '2026-01-01' STEP 1h", &o, ERR_UNSUPPORTED, "no intervals");
    failing = ERR_CORRUPT;
    stops(all, &OPTIONS, ERR_CORRUPT, err_text(ERR_CORRUPT));
    stops("SELECT $dtId FROM DIGITALTWINS WHERE AVG(count, 1h) > 1", &OPTIONS, ERR_CORRUPT, err_text(ERR_CORRUPT));
    stops("SELECT AVG(count, 1h) AS a FROM DIGITALTWINS ORDER BY a", &OPTIONS, ERR_CORRUPT, err_text(ERR_CORRUPT));
    failing = ERR_OK;
    o = OPTIONS;
    o.limits.rows = 300;
    stops("SELECT $dtId FROM DIGITALTWINS WHERE AVG(count, 1h) > 1", &o, ERR_BUDGET, "may look at 300");
    stops("SELECT count FROM DIGITALTWINS HISTORY FROM '2026-01-01' TO '2025-12-31'", &OPTIONS, ERR_SYNTAX,
          "FROM must be before TO");
    stops("SELECT count FROM DIGITALTWINS HISTORY FROM temp", &OPTIONS, ERR_SYNTAX, "nothing here that a name");
    stops("SELECT count FROM DIGITALTWINS HISTORY FROM 5", &OPTIONS, ERR_SYNTAX, "TIME wants a time");
    stops("SELECT count FROM DIGITALTWINS HISTORY FROM 'once' STEP 1h", &OPTIONS, ERR_SYNTAX, "a time");
    stops("SELECT count FROM DIGITALTWINS HISTORY FROM '2025-01-01' STEP 1s", &OPTIONS, ERR_LIMIT,
          "more than 100000 intervals");
    stops("SELECT count FROM DIGITALTWINS HISTORY FROM '2026-01-01' STEP 0s", &OPTIONS, ERR_SYNTAX, "longer than");
    stops("SELECT count FROM DIGITALTWINS HISTORY FROM '2026-01-01' STEP 1h FN mid", &OPTIONS, ERR_SYNTAX,
          "no function mid");
    stops("SELECT count FROM DIGITALTWINS HISTORY FROM '2026-01-01' STEP 1h FILL up", &OPTIONS, ERR_SYNTAX, "not up");
    stops("SELECT thermo FROM DIGITALTWINS HISTORY FROM '2026-01-01'", &OPTIONS, ERR_SYNTAX, "single value");
}

static void refused(void **state) {
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"SELECT * FROM DIGITALTWINS HISTORY FROM '2026-01-01'", "name properties"},
        {"SELECT T FROM DIGITALTWINS T HISTORY FROM '2026-01-01'", "no single value"},
        {"SELECT $dtId FROM DIGITALTWINS HISTORY FROM '2026-01-01'", "wants a property"},
        {"SELECT count + 1 AS c FROM DIGITALTWINS HISTORY FROM '2026-01-01'", "wants a property"},
        {"SELECT COUNT(count) FROM DIGITALTWINS HISTORY FROM '2026-01-01'", "neither aggregates"},
        {"SELECT DISTINCT count FROM DIGITALTWINS HISTORY FROM '2026-01-01'", "DISTINCT"},
        {"SELECT count AS time FROM DIGITALTWINS HISTORY FROM '2026-01-01'", "use AS"},
        {"SELECT count FROM DIGITALTWINS HISTORY STEP 1h", "say FROM beside STEP"},
        {"SELECT count FROM DIGITALTWINS HISTORY FROM '2026-01-01' FN avg", "say STEP 1h before it"},
        {"SELECT count FROM DIGITALTWINS HISTORY FROM '2026-01-01' FROM '2026-01-02'", "said already"},
        {"SELECT count FROM DIGITALTWINS HISTORY FROM '2026-01-01' WHERE count > 1", "FROM, TO, STEP, FN or FILL"},
        {"SELECT count FROM DIGITALTWINS T WHERE count > 1 HISTORI FROM '2026-01-01'", "did you mean HISTORY"},
    };
    (void)state;
    Arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Query *q;
        Diag d;
        diag_init(&d);
        Err err = query_parse(&a, str_of(cases[i].text), &q, &d);
        if (err != ERR_SYNTAX) fail_msg("%s: %s", cases[i].text, err_name(err));
        if (str_find_str(d.messages[0].text, str_of(cases[i].part)) < 0)
            fail_msg("%s: %.*s", cases[i].text, STR_ARG(d.messages[0].text));
        diag_free(&d);
    }
    Query *q; // an alias may have the name
    assert_int_equal(query_parse(&a, STR("SELECT history.x FROM DIGITALTWINS history WHERE history.x > 1"), &q, NULL),
                     ERR_OK);
    assert_false(q->history.on);
    arena_free(&a);
}

// EXPLAIN tells of it; joins tell relationships too.
static void explained(void **state) {
    (void)state;
    TestAnswer a;
    test_ask(g.w, &OPTIONS, 1000,
             "SELECT T.count FROM DIGITALTWINS T WHERE T.$dtId = 'r1' HISTORY FROM '2026-01-01' STEP 1m FN max, count",
             &a);
    assert_int_equal(a.err, ERR_OK);
    assert_true(str_find_str(buf_str(&a.plan), STR("\"step\":\"history\"")) >= 0);
    assert_true(str_find_str(buf_str(&a.plan), STR("; max, count")) >= 0);
    test_answer_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),   cmocka_unit_test(ends),    cmocka_unit_test(steps),
        cmocka_unit_test(failures), cmocka_unit_test(refused), cmocka_unit_test(explained),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
