// SPDX-License-Identifier: Apache-2.0
// Questions over a million rows, a page at a time, in one thread; what of it is copying, and what machines can do.
#include <string.h>
#include "base/bench.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "expr/expr.h"
#include "world/scan.h"

enum { ROWS = 1000000, ROUNDS = 15 };

static const char MODEL[] =
    "[{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"dtmi:bench:A;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"x\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"y\",\"schema\":\"double\"},"
    "{\"@type\":\"Property\",\"name\":\"n\",\"schema\":\"long\"},"
    "{\"@type\":\"Property\",\"name\":\"s\",\"schema\":\"string\"}]}]";

typedef struct City {
    Domain *d;
    World *w;
    View view;
    ExprPage *page;
    Arena arena, scratch;
    double *x, *y; // the same as plain arrays
    uint32_t column;
} City;

static void must(Err e) { CHECK(e == ERR_OK); }

static void set(World *w, uint64_t id, uint32_t col, CellKind cell, uint64_t bits, Str text) {
    must(world_do(
        w, &(Change){.kind = CHANGE_SET, .id = id, .col = col, .cell = (uint8_t)cell, .bits = bits, .text = text}));
}

static uint64_t bits_of_f64(double d) {
    uint64_t bits;
    memcpy(&bits, &d, 8);
    return bits;
}

static void add_twin(City *c, Rng *rng, int64_t i) {
    static const char *const TEXTS[] = {"idle", "running", "stopped", "out of order since yesterday"};
    char name[32];
    snprintf(name, sizeof name, "twin-%lld", (long long)i);
    uint64_t id = world_take_twin_id(c->w).v;
    must(world_do(c->w, &(Change){.kind = CHANGE_TWIN_NEW, .id = id, .text = str_of(name)}));
    c->x[i] = rng_f64(rng);
    c->y[i] = rng_f64(rng);
    set(c->w, id, c->column, CELL_F64, bits_of_f64(c->x[i]), (Str){0});
    set(c->w, id, c->column + 1, CELL_F64, bits_of_f64(c->y[i]), (Str){0});
    set(c->w, id, c->column + 2, CELL_I64, rng_below(rng, 1000), (Str){0});
    set(c->w, id, c->column + 3, CELL_STR, 0, str_of(TEXTS[rng_below(rng, 4)]));
}

static void city_new(City *c) {
    *c = (City){.d = domain_new(), .page = expr_page_new()};
    c->w = world_new(c->d, 1 << 16);
    c->x = mem_alloc(ROWS * sizeof *c->x);
    c->y = mem_alloc(ROWS * sizeof *c->y);
    arena_init(&c->arena, 0);
    arena_init(&c->scratch, 0);
    Rng rng = rng_make(1, 1);
    for (int64_t i = -1; i < ROWS; i++) {
        if (i % 256 == 0 || i < 0) world_begin(c->w, world_seq(c->w) + 1, world_next_time(c->w, 0));
        if (i < 0) must(world_do(c->w, &(Change){.kind = CHANGE_MODELS_ADD, .text = STR(MODEL)}));
        else add_twin(c, &rng, i);
        View v = view_writer(c->w);
        c->column = v.catalog->tables[0].first;
        if (i >= 0 && i % 256 != 255 && i != ROWS - 1) continue;
        world_end(c->w);
        world_settle(c->w, world_seq(c->w));
    }
    view_begin(&c->view, c->w);
}

static void city_free(City *c) {
    view_end(&c->view);
    expr_page_free(c->page);
    world_free(c->w);
    domain_free(c->d);
    arena_free(&c->arena);
    arena_free(&c->scratch);
    mem_free(c->x);
    mem_free(c->y);
}

static const ExprSource SOURCE = {.kind = EXPR_TWIN};

static Bound *question(City *c, const char *text) {
    ExprScope scope = {.catalog = c->view.catalog, .sources = &SOURCE, .count = 1};
    Expr *e;
    Bound *b;
    must(expr_parse(&c->arena, str_of(text), &e, NULL));
    must(expr_bind(&c->arena, &scope, e, &b, NULL));
    return b;
}

// Rows for which b is true; with values: evaluate it for all rows instead. Returns ns a row.
static double scan(City *c, const Bound *b, bool values, int64_t *found) {
    ExprRun run = {.view = &c->view, .scratch = &c->scratch};
    uint16_t sel[PAGE_ROWS];
    ExprVec vec;
    *found = 0;
    int64_t t = time_mono_ns();
    for (uint64_t p = 0; p * PAGE_ROWS < ROWS; p++) {
        expr_page_at(c->page, &run, &SOURCE, p);
        int32_t n = expr_page_live(c->page, sel);
        if (values) expr_page_eval(b, c->page, sel, n, &vec);
        *found += values ? n : expr_page_filter(b, c->page, sel, n);
        arena_reset(&c->scratch);
    }
    double ns = (double)(time_mono_ns() - t) / ROWS;
    CHECK(!c->view.overrun);
    return ns;
}

// The same page again and again: no copying.
static double kernels(City *c, const Bound *b) {
    ExprRun run = {.view = &c->view, .scratch = &c->scratch};
    uint16_t all[PAGE_ROWS], sel[PAGE_ROWS];
    expr_page_at(c->page, &run, &SOURCE, 7);
    int32_t n = expr_page_live(c->page, all);
    int64_t t = time_mono_ns(), rows = 0;
    for (int i = 0; i < 1000; i++, rows += n) {
        memcpy(sel, all, sizeof sel);
        expr_page_filter(b, c->page, sel, n);
    }
    return (double)(time_mono_ns() - t) / (double)rows;
}

// The columns and the row vector alone.
static double copies(City *c, int columns) {
    PageCopy copy = {0};
    int64_t t = time_mono_ns();
    for (uint64_t p = 0; p * PAGE_ROWS < ROWS; p++) {
        view_page(&c->view, c->view.catalog->tables[0].rows, p, PAGE_CELLS, &copy);
        for (int i = 0; i < columns; i++) view_page(&c->view, c->column + (uint32_t)i, p, PAGE_CELLS, &copy);
    }
    double ns = (double)(time_mono_ns() - t) / ROWS;
    page_copy_free(&copy);
    return ns;
}

static double plain_arrays(const City *c, int64_t *found) {
    int64_t t = time_mono_ns(), n = 0;
    for (int64_t i = 0; i < ROWS; i++) n += (c->x[i] > 0.5) & (c->y[i] < 0.25);
    *found = n;
    return (double)(time_mono_ns() - t) / ROWS;
}

static double plain_memcpy(const City *c, double *to) {
    int64_t t = time_mono_ns();
    memcpy(to, c->x, ROWS * sizeof *to);
    memcpy(to, c->y, ROWS * sizeof *to);
    return (double)(time_mono_ns() - t) / ROWS;
}

static void bench_filter(City *c) {
    Bench filter = {.name = "expr.filter2", .unit = "ns/row", .goal = 5, .less = true, .peer = "plain double arrays"};
    Bench copy = {.name = "expr.filter2_copies", .unit = "ns/row", .less = true, .peer = "memcpy of both columns"};
    Bench loop = {.name = "expr.filter2_kernels", .unit = "ns/row", .less = true};
    Bound *b = question(c, "x > 0.5 AND y < 0.25");
    double plain[ROUNDS], moved[ROUNDS], *to = mem_alloc(ROWS * sizeof *to);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t found, want;
        plain[i] = plain_arrays(c, &want);
        moved[i] = plain_memcpy(c, to);
        bench_add(&filter, scan(c, b, false, &found));
        bench_add(&copy, copies(c, 2));
        bench_add(&loop, kernels(c, b));
        CHECK(found == want);
    }
    filter.peer_value = bench_median(plain, ROUNDS);
    copy.peer_value = bench_median(moved, ROUNDS);
    bench_print(&filter);
    bench_print(&copy);
    bench_print(&loop);
    mem_free(to);
}

static void bench_one(City *c, const char *name, const char *text, bool values, double goal) {
    Bench b = {.name = name, .unit = "ns/row", .goal = goal, .less = true, .peer = "the same row by row"};
    Bound *q = question(c, text);
    int64_t found;
    for (int i = 0; i < ROUNDS; i++) bench_add(&b, scan(c, q, values, &found));
    ExprRun run = {.view = &c->view, .scratch = &c->scratch};
    int64_t t = time_mono_ns(), step = 10, kept = 0;
    for (uint64_t row = 0; row < ROWS; row += (uint64_t)step) {
        kept +=
            expr_eval(q, &run, &(ExprRow){.id = view_row_twin(&c->view, 0, row).v, .row = row}).type != EXPR_UNDEFINED;
        arena_reset(&c->scratch);
    }
    CHECK(kept > 0);
    b.peer_value = (double)(time_mono_ns() - t) / ROWS * (double)step;
    bench_print(&b);
}

int main(void) {
    City c;
    city_new(&c);
    bench_filter(&c);
    bench_one(&c, "expr.arith", "(x + y) * 2 - x / 3", true, 10);
    bench_one(&c, "expr.mixed", "n * 3 + 1 > 600 AND NOT (x < y)", false, 10);
    bench_one(&c, "expr.string_eq", "s = 'running'", false, 5);
    bench_one(&c, "expr.string_eq_long", "s = 'out of order since yesterday'", false, 0);
    bench_one(&c, "expr.string_in", "s IN ['a','b','c','d','e','f','g','running','idle']", false, 0);
    bench_one(&c, "expr.name_starts", "STARTSWITH($dtId, 'twin-99')", false, 0);
    bench_one(&c, "expr.defined", "IS_DEFINED(s) AND NOT IS_NULL(x)", false, 0);
    bench_one(&c, "expr.number_in", "n IN [1,2,3,5,7,11,13,17,19,23,29,31,37,41,43,47,53,59,61,67]", false, 0);
    bench_one(&c, "expr.texts_out", "s", true, 0);
    bench_one(&c, "expr.age", "AGE(x) > 5 'minute'", false, 0);
    city_free(&c);
    return 0;
}
