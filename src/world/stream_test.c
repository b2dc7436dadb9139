// SPDX-License-Identifier: Apache-2.0
// The rules of a source's clock against a naive model, by seed: arrival in any order, duplicates, values of the same
// time, values of the future, values without a time; batch for batch, rolled back now and then, and replayed. A failure
// prints its seed.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/rng.h"
#include "base/time.h"
#include "world/world.h"

enum { TWINS = 5, COLUMNS = 3, CELLS = TWINS * COLUMNS, CHANGES_MAX = 40, SEEDS = 300, BATCHES = 30 };

static const char MODELS[] =
    "[{\"@id\":\"dtmi:test:A;1\",\"@type\":\"Interface\",\"@context\":\"dtmi:dtdl:context;2\",\"contents\":["
    "{\"@type\":\"Property\",\"name\":\"d\",\"schema\":\"double\"},{\"@type\":\"Property\",\"name\":\"t\",\"schema\":"
    "\"string\"},{\"@type\":\"Property\",\"name\":\"n\",\"schema\":\"long\"}]}]";
static const char *const TEXTS[] = {"", "short", "a text that is too long to lie in its cell"};

typedef struct Cell {
    bool valid;
    int value; // 0 to 2: a double, a text, a number by its column
    int64_t time;
} Cell;

typedef struct Scene {
    uint64_t seed;
    Rng rng;
    World *w;
    uint32_t first; // column of d
    uint64_t twins[TWINS];
    Cell cells[CELLS]; // as the naive model has them
    int64_t now;
} Scene;

static void begin(Scene *x) {
    x->now = world_next_time(x->w, x->now + (int64_t)rng_below(&x->rng, 20) * NS_PER_S);
    world_begin(x->w, world_seq(x->w) + 1, x->now);
}

static void end(Scene *x) {
    world_end(x->w);
    world_settle(x->w, world_seq(x->w));
}

static void do_one(Scene *x, Change c) { assert_int_equal(world_do(x->w, &c), ERR_OK); }

static void scene_open(Scene *x, Domain *d, uint64_t seed) {
    *x = (Scene){.seed = seed, .rng = rng_make(seed, 0), .w = world_new(d, 1 << 14), .now = 1000 * NS_PER_S};
    begin(x);
    do_one(x, (Change){.kind = CHANGE_MODELS_ADD, .text = STR(MODELS)});
    for (int i = 0; i < TWINS; i++) {
        char name[] = {(char)('a' + i)};
        x->twins[i] = world_take_twin_id(x->w).v;
        do_one(x, (Change){.kind = CHANGE_TWIN_NEW, .id = x->twins[i], .text = {name, 1}});
    }
    end(x);
    View v = view_writer(x->w);
    x->first = v.catalog->tables[0].first;
}

static Change change_of(const Scene *x, int cell, int value, int64_t time, bool stream) {
    static const CellKind kinds[] = {CELL_F64, CELL_STR, CELL_I64};
    int column = cell % COLUMNS;
    Change c = {.kind = CHANGE_SET, .stream = stream, .col = x->first + (uint32_t)column, .source_time = time};
    c.id = x->twins[cell / COLUMNS];
    c.cell = (uint8_t)kinds[column];
    if (column == 1) c.text = str_of(TEXTS[value]);
    else c.bits = column ? (uint64_t)value : bits_of(value * 0.5);
    return c;
}

// A time: none, what stands, around now, far ahead.
static int64_t draw_time(Scene *x, int cell) {
    switch (rng_below(&x->rng, 8)) {
    case 0: return 0;
    case 1:
    case 2: return x->cells[cell].time;
    case 3: return x->now + WORLD_FUTURE_NS + 1 - (int64_t)rng_below(&x->rng, 2);
    case 4: return INT64_MAX - (int64_t)rng_below(&x->rng, 2);
    default: return x->now + ((int64_t)rng_below(&x->rng, 13) - 9) * NS_PER_S;
    }
}

// The rules, said once more and slowly. What the change becomes; 0: nothing.
static uint8_t judge(Scene *x, int cell, int value, int64_t time, bool stream) {
    Cell *c = &x->cells[cell];
    uint8_t fate = CHANGE_SET;
    if (time && c->valid && c->time > time) fate = CHANGE_LATE;
    else if (time && stream && (uint64_t)time > (uint64_t)x->now + (uint64_t)WORLD_FUTURE_NS) fate = CHANGE_LATE;
    else if (time && stream && c->valid && c->time == time && c->value == value) fate = 0;
    if (fate == CHANGE_SET) {
        c->valid = true;
        c->value = value;
        if (time) c->time = time; // without one the time of the value before stays
    }
    return fate;
}

static void check_cells(Scene *x, World *w) {
    View v = view_writer(w);
    for (int i = 0; i < CELLS; i++) {
        const Cell *want = &x->cells[i];
        TwinView t = view_twin_place(&v, (TwinId){x->twins[i / COLUMNS]});
        CellView got = view_cell(&v, x->first + (uint32_t)(i % COLUMNS), t.row);
        Change as = change_of(x, i, want->value, 0, false);
        bool same = got.valid == want->valid && (!want->valid || got.source_time == want->time);
        if (same && want->valid) same = i % COLUMNS == 1 ? text_eq(&got.text, as.text) : got.bits == as.bits;
        if (!same) fail_msg("seed %llu: cell %d", (unsigned long long)x->seed, i);
    }
}

// The open batch holds exactly these changes.
static void check_batch(Scene *x, const Change *want, int64_t n) {
    Buf bytes = {0};
    int64_t count;
    Str got = world_batch(x->w, &count);
    for (int64_t i = 0; i < n; i++) change_encode(&want[i], &bytes);
    if (count != n || !str_eq(got, buf_str(&bytes)))
        fail_msg("seed %llu: the batch has %lld changes, not these %lld", (unsigned long long)x->seed, (long long)count,
                 (long long)n);
    buf_free(&bytes);
}

static void one_batch(Scene *x) {
    Change kept[CHANGES_MAX];
    StreamTally want = {0};
    Cell before[CELLS];
    int64_t n = 0, all = 1 + (int64_t)rng_below(&x->rng, CHANGES_MAX);
    memcpy(before, x->cells, sizeof before);
    begin(x);
    for (int64_t i = 0; i < all; i++) {
        int cell = (int)rng_below(&x->rng, CELLS), value = (int)rng_below(&x->rng, 3);
        bool stream = rng_below(&x->rng, 5) > 0;
        int64_t time = draw_time(x, cell);
        Change c = change_of(x, cell, value, time, stream);
        do_one(x, c);
        c.fresh = !x->cells[cell].valid;
        c.kind = judge(x, cell, value, time, stream);
        want.late += c.kind == CHANGE_LATE;
        want.duplicates += c.kind == 0;
        if (c.kind) kept[n++] = c;
    }
    check_batch(x, kept, n);
    assert_int_equal(world_tally(x->w).late, want.late);
    assert_int_equal(world_tally(x->w).duplicates, want.duplicates);
    if (rng_below(&x->rng, 6) == 0) {
        world_rollback(x->w);
        memcpy(x->cells, before, sizeof before);
    } else {
        end(x);
    }
    check_cells(x, x->w);
}

static void test_model(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        Domain *d = domain_new();
        Scene x;
        scene_open(&x, d, seed);
        for (int i = 0; i < BATCHES; i++) one_batch(&x);
        world_verify(x.w);
        world_free(x.w);
        domain_free(d);
    }
}

// Batches replayed from their bytes give the same values and the same bytes: what was late stays late.
static void test_replay(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        Domain *d = domain_new(), *d2 = domain_new();
        Scene x;
        World *again = world_new(d2, 1 << 14);
        Buf bytes = {0};
        scene_open(&x, d, seed);
        for (int i = -1; i < BATCHES; i++) {
            if (i >= 0) one_batch(&x);
            BatchHead head = {.seq = world_seq(x.w), .time = world_time(x.w)};
            if (head.seq <= world_seq(again)) continue; // it was rolled back
            Str changes = world_batch(x.w, &head.count);
            buf_reset(&bytes);
            batch_encode(&head, changes, &bytes);
            Cut cut = cut_of(buf_str(&bytes));
            assert_int_equal(world_replay(again, &cut, &head), ERR_OK);
            int64_t count;
            assert_true(str_eq(world_batch(again, &count), changes));
            check_cells(&x, again);
        }
        buf_free(&bytes);
        world_free(x.w);
        world_free(again);
        domain_free(d);
        domain_free(d2);
    }
}

// Points with times of their own, each sent one to three times, in any order and any batches: the newest stands.
static void test_any_order(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        Domain *d = domain_new();
        Scene x;
        scene_open(&x, d, seed);
        enum { POINTS = 60 };
        int order[3 * POINTS], n = 0;
        for (int i = 0; i < POINTS; i++)
            for (uint64_t k = rng_below(&x.rng, 3) + 1; k > 0; k--) order[n++] = i;
        for (int i = n - 1; i > 0; i--) {
            int k = (int)rng_below(&x.rng, (uint64_t)i + 1), t = order[i];
            order[i] = order[k];
            order[k] = t;
        }
        begin(&x);
        for (int i = 0; i < n; i++) {
            int point = order[i], cell = point % CELLS;
            do_one(&x, change_of(&x, cell, point / CELLS % 3, (1 + point) * NS_PER_S, true));
            if (rng_below(&x.rng, 4)) continue;
            end(&x);
            begin(&x);
        }
        end(&x);
        for (int i = 0; i < POINTS; i++) x.cells[i % CELLS] = (Cell){true, i / CELLS % 3, (1 + i) * NS_PER_S};
        check_cells(&x, x.w);
        world_free(x.w);
        domain_free(d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_replay),
                                       cmocka_unit_test(test_any_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
