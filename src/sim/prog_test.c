// SPDX-License-Identifier: Apache-2.0
// Shows: a program gives, element by element, what the row evaluator of expressions gives for the same expression; for
// random expressions over random values, many of them missing, in stretches, lists of rows and single lanes.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "base/mem.h"
#include "base/rng.h"
#include "sim/rates_inner.h"
#include "sim/test_rates.h"

enum { TWINS = 40, EXPRESSIONS = 400 };

static void number(Buf *b, Rng *r, int depth);

static void truth(Buf *b, Rng *r, int depth) {
    static const char *const REL[] = {"<", ">", "<=", ">=", "=", "!="};
    switch (depth > 0 ? rng_below(r, 7) : 5 + rng_below(r, 2)) {
    case 0:
    case 1:
        buf_byte(b, '(');
        number(b, r, depth - 1);
        buf_printf(b, " %s ", REL[rng_below(r, 6)]);
        number(b, r, depth - 1);
        buf_byte(b, ')');
        break;
    case 2:
    case 3:
        buf_byte(b, '(');
        truth(b, r, depth - 1);
        buf_printf(b, rng_below(r, 2) ? " AND " : " OR ");
        truth(b, r, depth - 1);
        buf_byte(b, ')');
        break;
    case 4:
        buf_printf(b, "(NOT ");
        truth(b, r, depth - 1);
        buf_byte(b, ')');
        break;
    default: buf_printf(b, rng_below(r, 2) ? "on" : "hot");
    }
}

static void call(Buf *b, Rng *r, int depth) {
    static const char *const NAMES[] = {"ABS", "SQRT", "FLOOR", "CEILING", "ROUND", "SIGN", "EXP", "SIN", "LN"};
    static const char *const TWO[] = {"LEAST", "GREATEST", "COALESCE", "ATAN2"};
    static const char *const AGG[] = {
        "SUM(out.feeds.y)", "AVG(in.feeds.x)",  "MIN(->feeds, x * 2)",        "MAX(in.feeds.R.w)",
        "COUNT(<-near)",    "COUNT(->near, y)", "SUM(->feeds.x WHERE y > 0)", "SUM(<->near, x + y WHERE on)"};
    switch (rng_below(r, 4)) {
    case 0:
        buf_printf(b, "%s(", NAMES[rng_below(r, 9)]);
        number(b, r, depth - 1);
        break;
    case 1:
        buf_printf(b, "%s(", TWO[rng_below(r, 4)]);
        number(b, r, depth - 1);
        buf_byte(b, ',');
        number(b, r, depth - 1);
        break;
    case 2:
        buf_printf(b, "CLAMP(");
        for (int i = 0; i < 3; i++) {
            if (i) buf_byte(b, ',');
            number(b, r, depth - 1);
        }
        break;
    default: buf_printf(b, "(%s", AGG[rng_below(r, 8)]);
    }
    buf_byte(b, ')');
}

static void number(Buf *b, Rng *r, int depth) {
    static const char *const LEAF[] = {"x", "y", "k", "n", "m", "2", "0.5", "-3", "0"};
    switch (depth > 0 ? rng_below(r, 7) : 6) {
    case 0:
    case 1:
    case 2:
        buf_byte(b, '(');
        number(b, r, depth - 1);
        buf_printf(b, " %c ", "+-*/"[rng_below(r, 4)]);
        number(b, r, depth - 1);
        buf_byte(b, ')');
        break;
    case 3:
        buf_byte(b, '(');
        truth(b, r, depth - 1);
        buf_printf(b, " ? ");
        number(b, r, depth - 1);
        buf_printf(b, " : ");
        number(b, r, depth - 1);
        buf_byte(b, ')');
        break;
    case 4:
    case 5: call(b, r, depth); break;
    default: buf_printf(b, "%s", LEAF[rng_below(r, 9)]);
    }
}

static void put_random(Rig *t, Rng *r) {
    char name[32], other[32], v[300];
    for (int i = 0; i < TWINS; i++) {
        int n = 0;
        snprintf(name, sizeof name, "c%d", i);
        v[0] = 0;
#define SOME(fmt, ...)                                                                                                 \
    if (rng_below(r, 4)) n += snprintf(v + n, sizeof v - (size_t)n, fmt, __VA_ARGS__)
        SOME("%s'x':%g", n ? "," : "", floor(rng_f64(r) * 16 - 8) / 2);
        SOME("%s'y':%g", n ? "," : "", rng_f64(r) * 10 - 5);
        SOME("%s'k':%g", n ? "," : "", rng_f64(r));
        SOME("%s'n':%d", n ? "," : "", (int)rng_below(r, 9) - 4);
        SOME("%s'm':%d", n ? "," : "", (int)rng_below(r, 3));
        SOME("%s'on':%s", n ? "," : "", rng_below(r, 2) ? "true" : "false");
        SOME("%s'hot':%s", n ? "," : "", rng_below(r, 2) ? "true" : "false");
        rig_twin(t, name, rng_below(r, 3) ? "Cell" : "Big", v);
    }
    for (int i = 0; i < 2 * TWINS; i++) {
        int a = (int)rng_below(r, TWINS), b = (a + 1 + (int)rng_below(r, TWINS - 1)) % TWINS;
        snprintf(name, sizeof name, "c%d", a);
        snprintf(other, sizeof other, "c%d", b);
        snprintf(v, sizeof v, "'w':%g", rng_f64(r));
        rig_link(t, name, rng_below(r, 2) ? "near" : "feeds", other, "");
        rig_link(t, name, "feeds", other, v);
    }
}

static bool alike(double a, const ExprValue *v) {
    double b = v->type == EXPR_F64 ? v->d : v->type == EXPR_I64 ? (double)v->i : (double)NAN;
    if (a != a || b != b) return a != a && b != b;
    return fabs(a - b) <= 1e-12 * fmax(fabs(a), fabs(b)) || fabs(a - b) <= 1e-300;
}

// Every instance of `z = expression` against the row evaluator.
static void compare(Rig *t, const char *text, uint64_t seed) {
    const Rates *r = t->r;
    Sim *s = rig_sim(t, 8, 1);
    sim_col *col = mem_alloc((r->role_count + 1) * sizeof *col);
    for (uint32_t i = 0; i < r->role_count; i++) col[i] = *sim_column_at(s, sim_column(s, r->roles[i].col));
    ProgUnit unit = {.aggs = r->aggs, .tables = r->tables};
    double now[8] = {0};
    ProgRun run = {.unit = &unit, .col = col, .lanes = 8, .t = now};
    Arena a;
    View v;
    arena_init(&a, 0);
    view_begin(&v, t->lab.w);
    for (uint32_t i = 0; i < r->inst_count; i++) {
        const RatesInst *in = &r->insts[i];
        uint32_t n = in->row_count, first = t->g->table_first[in->table];
        double *whole = mem_alloc(n * 64), *some = mem_alloc(n * 64), *one = mem_alloc(n * 8);
        uint32_t *rows = mem_alloc(n * 4), count = 0;
        for (uint32_t k = 0; k < n; k += 1 + k % 3) rows[count++] = k;
        prog_run(&in->expr, &run, &(ProgSel){.n = n * 8, .lane = -1}, whole, NULL);
        prog_run(&in->expr, &run, &(ProgSel){.n = count * 8, .rows = rows, .lane = -1}, some, NULL);
        prog_run(&in->expr, &run, &(ProgSel){.n = n, .lane = 3}, one, NULL);
        for (uint32_t k = 0; k < count * 8; k++) {
            assert_memory_equal(&some[k], &whole[rows[k / 8] * 8 + k % 8], 8);
        }
        ExprSource source = {.kind = EXPR_TWIN, .table = in->table};
        ExprScope scope = {.catalog = v.catalog, .sources = &source, .count = 1};
        Bound *b;
        Diag d;
        diag_init(&d);
        assert_int_equal(expr_bind(&a, &scope, in->doc->says[in->number].expr, &b, &d), ERR_OK);
        diag_free(&d);
        for (uint32_t k = 0; k < n; k++) {
            ExprRun er = {.view = &v, .now = RIG_EPOCH, .scratch = &a};
            ExprRow row = {.id = t->g->twin_id[first + k], .row = t->g->row[first + k]};
            ExprValue e = expr_eval(b, &er, &row);
            if (!alike(whole[k * 8], &e) || memcmp(&one[k], &whole[k * 8 + 3], 8) != 0) {
                print_message("seed %llu: %s, row %u: %.17g, type %d %.17g\n", (unsigned long long)seed, text, k,
                              whole[k * 8], (int)e.type, e.type == EXPR_F64 ? e.d : (double)e.i);
                fail();
            }
        }
        mem_free(whole);
        mem_free(some);
        mem_free(one);
        mem_free(rows);
    }
    view_end(&v);
    arena_free(&a);
    mem_free(col);
    sim_free(s);
}

static void random_expressions(void **state) {
    (void)state;
    Rig t;
    Rng r = rng_make(20260101, 5);
    rig_open(&t);
    put_random(&t, &r);
    int made = 0;
    for (uint64_t i = 0; i < EXPRESSIONS; i++) {
        Buf text = {0}, doc = {0};
        Rng e = rng_make(i, 6);
        number(&text, &e, 4);
        buf_byte(&text, 0);
        buf_printf(&doc, "{'model':'dtmi:t:Cell;1','say':['z = %s']}%c", text.p, 0);
        rig_behaviour(&t, "d", doc.p);
        Err err = rig_make(&t, NULL);
        if (err != ERR_OK) print_message("%s\n%s\n", text.p, t.why.p);
        assert_int_equal(err, ERR_OK);
        compare(&t, text.p, i);
        made += t.r->inst_count > 0;
        buf_free(&text);
        buf_free(&doc);
    }
    assert_true(made == EXPRESSIONS);
    rig_close(&t);
}

static void tables(void **state) {
    (void)state;
    const double x[] = {0, 1, 4}, y[] = {2, 4, -2};
    ProgTable t = {.x = x, .y = y, .n = 3};
    assert_true(prog_table(&t, -1) == 2 && prog_table(&t, 0.5) == 3 && prog_table(&t, 1) == 4);
    assert_true(prog_table(&t, 2) == 2 && prog_table(&t, 9) == -2 && isnan(prog_table(&t, (double)NAN)));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_expressions), cmocka_unit_test(tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
