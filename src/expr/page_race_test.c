// SPDX-License-Identifier: Apache-2.0
// Pages asked while they are written: every answer is of one sequence.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "expr/expr.h"

enum { TWINS = 200 };

typedef struct Lab {
    Domain *d;
    World *w;
    Rng rng;
    uint64_t twins[TWINS];
} Lab;

static uint64_t below(Lab *l, uint64_t n) { return rng_below(&l->rng, n); }
static void begin(World *w) { world_begin(w, world_seq(w) + 1, world_next_time(w, 0)); }
static void finish(World *w) {
    world_end(w);
    world_settle(w, world_seq(w));
}
static void must_do(World *w, const Change *c) { assert_int_equal(world_do(w, c), ERR_OK); }

static const char MODEL[] =
    "[{\"@context\":\"dtmi:dtdl:context;3\",\"@id\":\"dtmi:race:A;1\",\"@type\":\"Interface\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"k\",\"schema\":\"long\"},"
    "{\"@type\":\"Property\",\"name\":\"i\",\"schema\":\"long\"},"
    "{\"@type\":\"Property\",\"name\":\"s\",\"schema\":\"string\"}]}]";

typedef struct Race {
    Lab *l;
    _Atomic bool stop;
    _Atomic int64_t pages;
} Race;

// Batches set k and i of a twin to the same number and s to its digit: so it is in every row of every view.
static void *keep_asking(void *arg) {
    Race *race = arg;
    Arena arena;
    arena_init(&arena, 0);
    ExprPage *p = expr_page_new();
    ExprSource source = {.kind = EXPR_TWIN, .table = 0};
    while (!atomic_load(&race->stop)) {
        View v;
        Expr *e;
        Bound *b;
        uint16_t sel[PAGE_ROWS];
        view_begin(&v, race->l->w);
        ExprScope scope = {.catalog = v.catalog, .sources = &source, .count = 1};
        ExprRun run = {.view = &v, .scratch = &arena};
        CHECK(expr_parse(&arena, STR("i = k AND s = TO_STRING(k) AND STARTSWITH($dtId, 'race')"), &e, NULL) == ERR_OK);
        CHECK(expr_bind(&arena, &scope, e, &b, NULL) == ERR_OK);
        expr_page_at(p, &run, &source, 0);
        int32_t n = expr_page_live(p, sel), kept = expr_page_filter(b, p, sel, n);
        CHECK(v.overrun || (n == TWINS && kept == n));
        atomic_fetch_add_explicit(&race->pages, !v.overrun, memory_order_relaxed);
        view_end(&v);
        arena_reset(&arena);
    }
    expr_page_free(p);
    arena_free(&arena);
    return NULL;
}

static void set_three(Lab *l, const Table *t, uint64_t id, int64_t number) {
    char digit[2] = {(char)('0' + number), 0};
    for (int i = 0; i < 3; i++) {
        Change c = {.kind = CHANGE_SET, .id = id, .col = t->first + (uint32_t)i};
        c.cell = (uint8_t)t->model->fields[i].cell;
        if (i < 2) c.bits = (uint64_t)number;
        else c.text = str_of(digit);
        must_do(l->w, &c);
    }
}

static void test_beside_a_writer(void **state) {
    (void)state;
    Lab *l = mem_alloc(sizeof *l);
    *l = (Lab){.d = domain_new(), .rng = rng_make(5, 5)};
    l->w = world_new(l->d, 1 << 16);
    begin(l->w);
    must_do(l->w, &(Change){.kind = CHANGE_MODELS_ADD, .text = STR(MODEL)});
    for (int i = 0; i < TWINS; i++) {
        char name[32];
        View v = view_writer(l->w);
        snprintf(name, sizeof name, "race %d", i);
        l->twins[i] = world_take_twin_id(l->w).v;
        must_do(l->w, &(Change){.kind = CHANGE_TWIN_NEW, .id = l->twins[i], .col = 0, .text = str_of(name)});
        set_three(l, &v.catalog->tables[0], l->twins[i], i % 10);
    }
    finish(l->w);
    Race race = {.l = l};
    Thread reader = {0};
    assert_int_equal(thread_start(&reader, "asks", keep_asking, &race), ERR_OK);
    View v = view_writer(l->w);
    for (int i = 0; i < 2000 || atomic_load(&race.pages) < 50; i++) {
        begin(l->w);
        for (int k = 0; k < 5; k++)
            set_three(l, &v.catalog->tables[0], l->twins[below(l, TWINS)], (int64_t)below(l, 10));
        if (i % 4) finish(l->w);
        else world_rollback(l->w);
    }
    atomic_store(&race.stop, true);
    thread_join(&reader);
    world_free(l->w);
    domain_free(l->d);
    mem_free(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beside_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
