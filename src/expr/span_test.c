// SPDX-License-Identifier: Apache-2.0
// Functions of the past against a naive evaluation over plain lists of points: late ones, gaps, empty windows, one
// point, resets of counters, NaN, points of one time; what is refused, and what things are measured in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/rng.h"
#include "base/time.h"
#include "expr/test_pump.h"

#define NOW (LAB_START + 3600 * NS_PER_S)
#define POINTS_MAX 60

// One property's past, by own time, of one time by arrival.
typedef struct Point {
    int64_t time;
    bool valid;
    double d; // of doubles, also the others in another form
} Point;

typedef struct Past {
    Point points[POINTS_MAX];
    int32_t n;
    int64_t told;
    Err err;
} Past;

static const Field *field_of(View *v, uint32_t column) {
    for (int32_t t = 0; t < v->catalog->table_count; t++) {
        const Table *tb = &v->catalog->tables[t];
        if (column >= tb->first && column < tb->first + (uint32_t)tb->model->field_count)
            return &tb->model->fields[column - tb->first];
    }
    return NULL;
}

// The same list as a value of whatever the property is.
static ExprMoment moment_of(const Field *f, const Point *p, char text[32]) {
    ExprMoment m = {.time = p->time, .valid = p->valid};
    double whole = isnan(p->d) ? 0 : floor(p->d);
    if (f->cell == CELL_F64) m.bits = bits_of(p->d);
    else if (f->cell == CELL_I64) m.bits = (uint64_t)(int64_t)whole;
    else if (f->cell == CELL_BOOL) m.bits = whole > 3;
    else m.text = (Str){text, snprintf(text, 32, "t%d", (int)whole % 3)};
    return m;
}

static Err moments(void *ctx, View *v, const ExprReach *r, bool (*fn)(void *arg, const ExprMoment *m), void *arg) {
    Past *p = ctx;
    const Field *f = field_of(v, r->column);
    int32_t stood = -1;
    char text[32];
    assert_true(r->from <= r->to);
    if (p->err) return p->err;
    for (int32_t i = 0; i < p->n && p->points[i].time <= r->from; i++) stood = i;
    for (int32_t i = stood < 0 ? 0 : stood; i < p->n && p->points[i].time <= r->to; i++) {
        ExprMoment m = moment_of(f, &p->points[i], text);
        if (i == stood && !m.valid) continue;
        if (i == stood) m.time = r->from;
        p->told++;
        if (!fn(arg, &m)) break;
    }
    return ERR_OK;
}

static ExprValue eval(Bench *b, const char *text, const ExprPast *past, ExprRun *run, Bound **tree) {
    Diag d;
    diag_init(&d);
    Err err = bound(b, text, tree, &d);
    if (err) fail_msg("%s: %.*s", text, STR_ARG(d.messages[0].text));
    diag_free(&d);
    *run = (ExprRun){.view = &b->view, .now = NOW, .scratch = &b->scratch, .past = past};
    ExprValue v = expr_eval(*tree, run, b->rows);
    if (v.type != EXPR_UNDEFINED && (*tree)->type != EXPR_ANY) assert_int_equal(v.type, (*tree)->type);
    return v;
}

// ---- the naive way ------------------------------------------------------------------------------------------------

// What an answer is made of: the list with the value at the start first (or a gap), gaps marked.
typedef struct Naive {
    double v[POINTS_MAX + 1];
    bool some[POINTS_MAX + 1];
    int64_t at[POINTS_MAX + 1];
    int32_t n; // v[0] stood at the start
} Naive;

static Naive naive_of(const Past *p, int64_t span, bool whole) {
    Naive x = {.n = 1};
    x.at[0] = NOW - span;
    for (int32_t i = 0; i < p->n; i++) {
        const Point *q = &p->points[i];
        int32_t k = q->time <= NOW - span ? 0 : x.n;
        if (q->time > NOW) continue;
        if (k) {
            x.n++;
            x.at[k] = q->time;
        }
        x.some[k] = q->valid && (whole || !isnan(q->d));
        x.v[k] = whole ? (isnan(q->d) ? 0 : floor(q->d)) : q->d;
    }
    return x;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// NaN: undefined.
static double naive_rank(const Naive *x, double percent) {
    double v[POINTS_MAX];
    int32_t n = 0;
    for (int32_t i = 1; i < x->n; i++)
        if (x->some[i]) v[n++] = x->v[i];
    if (!n) return NAN;
    qsort(v, (size_t)n, sizeof *v, by_size);
    double at = (n - 1) * percent / 100, low = floor(at), high = ceil(at);
    return v[(int)low] + (v[(int)high] - v[(int)low]) * (at - low);
}

static double naive_time(const Naive *x, bool test) {
    double area = 0, known = 0, last = NAN;
    for (int32_t i = 0; i < x->n; i++) {
        int64_t until = i + 1 < x->n ? x->at[i + 1] : NOW;
        double ns = (double)(until - x->at[i]), v = test ? x->v[i] > 3 : x->v[i];
        last = x->some[i] ? v : NAN;
        if (!x->some[i]) continue;
        area += v * ns;
        known += ns;
    }
    if (test) return known > 0 || !isnan(last) ? area : NAN;
    return known > 0 ? area / known : last;
}

static double naive(const char *f, const Naive *x) {
    double sum = 0, least = INFINITY, most = -INFINITY, first = NAN, last = NAN, up = 0, square = 0;
    int32_t n = 0, changes = 0;
    int64_t began = 0;
    for (int32_t i = 0; i < x->n; i++) {
        if (!x->some[i]) continue;
        double v = x->v[i];
        if (!isnan(last)) {
            up += v < last ? v : v - last;
            changes += v < last || v > last;
        }
        if (isnan(first)) first = v, began = x->at[i];
        last = v;
        if (i == 0) continue;
        sum += v;
        n++;
        least = fmin(least, v);
        most = fmax(most, v);
    }
    for (int32_t i = 1; i < x->n && n; i++)
        if (x->some[i]) square += (x->v[i] - sum / n) * (x->v[i] - sum / n);
    if (!strcmp(f, "AVG")) return n ? sum / n : NAN;
    if (!strcmp(f, "SUM")) return sum;
    if (!strcmp(f, "COUNT")) return n;
    if (!strcmp(f, "MIN")) return n ? least : NAN;
    if (!strcmp(f, "MAX")) return n ? most : NAN;
    if (!strcmp(f, "STDDEV")) return n > 1 ? sqrt(square / (n - 1)) : NAN;
    if (!strcmp(f, "MEDIAN")) return naive_rank(x, 50);
    if (!strcmp(f, "P95")) return naive_rank(x, 95);
    if (!strcmp(f, "P99")) return naive_rank(x, 99);
    if (!strcmp(f, "FIRST")) return first;
    if (!strcmp(f, "LAST")) return x->some[0] ? x->v[0] : NAN;
    if (!strcmp(f, "DELTA")) return last - first;
    if (!strcmp(f, "INCREASE")) return isnan(first) ? NAN : up;
    if (!strcmp(f, "RATE")) return isnan(first) || began == NOW ? NAN : up / ((double)(NOW - began) / 1e9);
    if (!strcmp(f, "CHANGES")) return changes;
    assert_string_equal(f, "TWA");
    return naive_time(x, false);
}

// ---- by seed ------------------------------------------------------------------------------------------------------

static const int64_t SPANS[] = {1, 60, 900, 3600, 86400};

static void draw_past(Rng *r, Past *p) {
    bool counter = rng_below(r, 2) == 0;
    double level = 0;
    *p = (Past){.n = (int32_t)rng_below(r, rng_below(r, 3) ? 6 : POINTS_MAX)};
    for (int32_t i = 0; i < p->n; i++) {
        int64_t back = (int64_t)rng_below(r, 7200 * 4) * (NS_PER_S / 4) / (int64_t)(1 + rng_below(r, 60));
        Point q = {.time = NOW + 60 * NS_PER_S - back, .valid = rng_below(r, 12) != 0};
        if (rng_below(r, 6) == 0) q.time = NOW - SPANS[rng_below(r, 5)] * NS_PER_S; // on the edge
        if (rng_below(r, 12) == 0) q.time = NOW;
        level = rng_below(r, 8) ? level + (double)rng_below(r, 5) : 0;
        q.d = counter ? level : (double)rng_below(r, 64) / 8;
        if (rng_below(r, 15) == 0) q.d = NAN;
        int32_t at = i; // those of one time by arrival
        for (; at > 0 && p->points[at - 1].time > q.time; at--) p->points[at] = p->points[at - 1];
        p->points[at] = q;
    }
}

static void close_to(uint64_t seed, const char *text, const ExprValue *v, double want) {
    double got = v->type == EXPR_F64                               ? v->d
                 : v->type == EXPR_I64 || v->type == EXPR_DURATION ? (double)v->i
                 : v->type == EXPR_UNDEFINED                       ? NAN
                                                                   : INFINITY;
    bool same = isnan(want) ? isnan(got) : fabs(got - want) <= 1e-9 * fmax(1, fabs(want));
    if (!same) WRONG("seed %llu: %s is %.17g, wanted %.17g", (unsigned long long)seed, text, got, want);
}

static void compare_seed(Bench *b, uint64_t seed) {
    static const char *const names[] = {"AVG", "SUM",   "COUNT", "MIN",   "MAX",      "STDDEV", "MEDIAN",  "P95",
                                        "P99", "FIRST", "LAST",  "DELTA", "INCREASE", "RATE",   "CHANGES", "TWA"};
    static Past p;
    const ExprPast past = {.ctx = &p, .moments = moments};
    Rng r = rng_make(seed, 11);
    ExprRun run;
    Bound *tree;
    char text[80];
    draw_past(&r, &p);
    int64_t span = SPANS[rng_below(&r, 5)];
    for (size_t i = 0; i < 2 * sizeof names / sizeof *names; i++) {
        const char *name = names[i / 2];
        bool whole = i % 2;
        snprintf(text, sizeof text, "%s(%s, %llds)", name, whole ? "n" : "plain", (long long)span);
        ExprValue v = eval(b, text, &past, &run, &tree);
        Naive x = naive_of(&p, span * NS_PER_S, whole);
        close_to(seed, text, &v, naive(name, &x));
        assert_true(run.visited <= p.n);
    }
    Naive x = naive_of(&p, span * NS_PER_S, false);
    snprintf(text, sizeof text, "TIME_TRUE(plain > 3, %llds)", (long long)span);
    ExprValue v = eval(b, text, &past, &run, &tree);
    close_to(seed, text, &v, naive_time(&x, true));
    snprintf(text, sizeof text, "LAST(plain, NOW() - %llds) = LAST(plain, %llds)", (long long)span, (long long)span);
    v = eval(b, text, &past, &run, &tree);
    if (x.some[0] ? !(v.type == EXPR_BOOL && v.b) : v.type != EXPR_UNDEFINED)
        WRONG("seed %llu: %s", (unsigned long long)seed, text);
    arena_reset(&b->scratch);
    arena_reset(&b->arena);
}

static void naive_evaluation(void **state) {
    Bench *b = *state;
    stand(b, 0, "", "p1");
    for (uint64_t seed = 0; seed < 3000; seed++) compare_seed(b, seed);
}

// ---- one by one ---------------------------------------------------------------------------------------------------

static Past some_points(void) {
    Past p = {.n = 5};
    p.points[0] = (Point){NOW - 7200 * NS_PER_S, true, 4};
    p.points[1] = (Point){NOW - 3000 * NS_PER_S, true, 7};
    p.points[2] = (Point){NOW - 2000 * NS_PER_S, true, 1};
    p.points[3] = (Point){NOW - 1000 * NS_PER_S, true, 5};
    p.points[4] = (Point){NOW + NS_PER_S, true, 9}; // ahead of now: not yet
    return p;
}

typedef struct Given {
    const char *text, *want;
} Given;

static void texts_and_others(void **state) {
    Bench *b = *state;
    Past p = some_points();
    const ExprPast past = {.ctx = &p, .moments = moments};
    const Given cases[] = {
        {"MAX(s, 1h)", "\"t2\""},
        {"FIRST(s, 1h)", "\"t1\""},
        {"AT(s, NOW() - 2500s)", "\"t1\""},
        {"LAST(s, 1h)", "\"t1\""},
        {"CHANGES(s, 1h)", "1"},
        {"COUNT(s, 1h)", "3"},
        {"LAST(on, 20m)", "false"},
        {"SECONDS(TIME_TRUE(on, 1h))", "2600"},
        {"LAST(plain, '2025-01-01')", "-"},
        {"DELTA(n, 1h)", "1"},
        {"INCREASE(n, 1h)", "8"},
        {"avg(plain, 1h) + 1", "5.333333333333333"},
        {"MAX(plain * 2, 1h)", "14"},
        {"PERCENTILE(plain, 25, DURATION('PT1H'))", "3"},
        {"SUM(n, 3600 'second')", "13"},
        {"COUNT(plain, 1000s)", "0"},
        {"SUM(plain, 10s)", "0"},
        {"MIN(plain, 1w)", "1"},
        {"MEDIAN(plain, 1d)", "4.5"},
        {"SUM(->feeds, AVG(plain, 1h)) > 4", "true"},
        {"COUNT(->feeds WHERE MAX(plain, 1h) > 6)", "2"},
    };
    stand(b, 0, "", "p1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Bound *tree;
        ExprRun run;
        Buf out = {0};
        ExprValue v = eval(b, cases[i].text, &past, &run, &tree);
        if (v.type == EXPR_UNDEFINED) buf_byte(&out, '-');
        else expr_value_json(&v, &out);
        if (!str_eq(buf_str(&out), str_of(cases[i].want)))
            WRONG("%s is %.*s, wanted %s", cases[i].text, STR_ARG(buf_str(&out)), cases[i].want);
        buf_free(&out);
    }
    gives(b, "AVG(plain, 1h)", "-"); // no past at all
}

// Units go where they belong.
static void units(void **state) {
    Bench *b = *state;
    Past p = some_points();
    const ExprPast past = {.ctx = &p, .moments = moments};
    static const struct {
        const char *text;
        double want;
    } cases[] = {
        {"UNIT(AVG(temp, 1h), 'degreeFahrenheit')", 13.0 / 3 * 9 / 5 + 32},
        {"UNIT(DELTA(temp, 1h), 'degreeFahrenheit')", 1.8},
        {"UNIT(MAX(power, 1h), 'watt')", 7000},
        {"RATE(power, 1h) * 3600", 8},
        {"temp - LAST(temp, 1h) > 15.9 'kelvin' ? 1 : 0", 1},
    };
    stand(b, 0, "", "p1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Bound *tree;
        ExprRun run;
        ExprValue v = eval(b, cases[i].text, &past, &run, &tree);
        close_to(i, cases[i].text, &v, cases[i].want);
    }
}

static void refused(void **state) {
    Bench *b = *state;
    static const struct {
        const char *text, *why;
        int64_t at, end;
    } cases[] = {
        {"AVG(plain)", "AVG here is over neighbours: name the relationship, as in AVG(->contains.power)", 0, 10},
        {"AVG(5, 1h)", "AVG wants a property here: its past is looked at", 4, 5},
        {"AVG(plain + n, 1h)", "AVG looks at one property, and this is another", 12, 13},
        {"AVG(plain, n)", "AVG wants a constant span of time here, such as 1h or DURATION('PT1H')", 11, 12},
        {"MIN(plain, n)", "MIN over time wants a span such as 1h; the least of several values is LEAST(a, b)", 11, 12},
        {"AVG(plain, 0s)", "the span must be longer than nothing", 11, 13},
        {"LAST(plain, 5)", "LAST wants a span or a time here, such as 1h or DURATION('PT1H')", 12, 13},
        {"PERCENTILE(plain, 101, 1h)", "expected a number from 0 to 100, as in PERCENTILE(x, 95, 1h)", 18, 21},
        {"SUM(MAX(plain, 1h), 1d)", "MAX cannot stand inside of SUM", 4, 18},
        {"COUNT(age(plain) > 1h, 1d)", "AGE cannot stand inside of COUNT", 6, 16},
        {"AVG(SUM(->feeds.plain), 1d)", "AVG looks at one property, not at neighbours", 4, 22},
        {"AVG(temp, 1h) > 3 'bar'", "degreeCelsius and bar do not go together", 0, 23},
        {"AVG(s, 1h)", "AVG wants a number here, and this is a text", 4, 5},
        {"TIME_TRUE(plain, 1h)", "TIME_TRUE wants a condition here, and this is a number", 10, 15},
        {"MAX(tags, 1h)", "MAX wants values that have an order, and this is an object or array", 4, 8},
        {"AVG(plan, 1h)", "no model has a property plan; did you mean plain?", 4, 8},
        {"AVG(thermo, 1h)", "AVG wants a property with a single value", 4, 10},
        {"FIRST($dtId, 1h)", "FIRST wants a property with a single value", 6, 11},
        {"DELTTA(plain, 1h)", "there is no function DELTTA; did you mean DELTA?", 0, 17},
    };
    stand(b, 0, "", "p1");
    b->scope.strict = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Bound *tree;
        Diag d;
        diag_init(&d);
        Err err = bound(b, cases[i].text, &tree, &d);
        if (err != ERR_SYNTAX) WRONG("%s: %s", cases[i].text, err_name(err));
        else if (!str_eq(d.messages[0].text, str_of(cases[i].why)))
            WRONG("%s: %.*s", cases[i].text, STR_ARG(d.messages[0].text));
        else if (d.messages[0].at != cases[i].at || d.messages[0].end != cases[i].end)
            WRONG("%s: at %d to %d", cases[i].text, (int)d.messages[0].at, (int)d.messages[0].end);
        diag_free(&d);
    }
}

// A past that cannot be read fails the run; one that is too long is given up.
static bool never(void *ctx) {
    (void)ctx;
    return false;
}

static void failures(void **state) {
    Bench *b = *state;
    Past p = some_points();
    const ExprPast past = {.ctx = &p, .moments = moments};
    ExprRun run;
    Bound *tree;
    stand(b, 0, "", "p1");
    p.err = ERR_CORRUPT;
    assert_int_equal(eval(b, "AVG(plain, 1h)", &past, &run, &tree).type, EXPR_UNDEFINED);
    assert_int_equal(run.failed, ERR_CORRUPT);
    p.err = ERR_OK;
    run = (ExprRun){.view = &b->view, .now = NOW, .scratch = &b->scratch, .past = &past, .visited_max = 2};
    p.told = 0;
    assert_int_equal(expr_eval(tree, &run, b->rows).type, EXPR_F64); // worthless
    assert_true(run.stopped && run.visited == 3 && p.told == 3);
    assert_int_equal(expr_eval(tree, &run, b->rows).type, EXPR_UNDEFINED); // not begun anew
    run = (ExprRun){.view = &b->view, .now = NOW, .scratch = &b->scratch, .past = &past, .goes = never, .visited = 256};
    assert_int_equal(expr_eval(tree, &run, b->rows).type, EXPR_UNDEFINED);
    assert_true(run.stopped);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(naive_evaluation, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_and_others, setup, teardown),
        cmocka_unit_test_setup_teardown(units, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
        cmocka_unit_test_setup_teardown(failures, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
