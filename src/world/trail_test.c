// SPDX-License-Identifier: Apache-2.0
// Trails: every kind of record comes back as it was put; what is kept, when, and what leaves none. That a trail tells
// everything is shown by past_test.c.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/mem.h"
#include "world/core.h"
#include "world/rig.h"

static void same_point(const TrailPoint *a, const TrailPoint *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->cell, b->cell);
    assert_int_equal(a->word, b->word);
    assert_int_equal(a->vec, b->vec);
    assert_int_equal(a->row, b->row);
    assert_int_equal(a->bits, b->bits);
    assert_true(str_eq(a->text, b->text));
    assert_int_equal(a->source_time, b->source_time);
    assert_int_equal(a->update_time, b->update_time);
}

static TrailPoint draw_point(Rng *rng) {
    static const char text[] = "a text of some length, of which records have a part, or nothing at all";
    static const CellKind cells[] = {CELL_F64, CELL_I64, CELL_STR, CELL_DOC};
    TrailPoint p = {.kind = (uint8_t)(1 + rng_below(rng, TRAIL_KIND_COUNT - 1)),
                    .word = (uint8_t)rng_below(rng, 8),
                    .vec = (uint32_t)rng_u64(rng),
                    .row = rng_u64(rng) >> 24,
                    .source_time = rng_below(rng, 2) ? (int64_t)rng_u64(rng) : 0};
    bool value = p.kind == TRAIL_PUT || p.kind == TRAIL_MOVED || p.kind == TRAIL_LATE;
    if (value) p.cell = (uint8_t)cells[rng_below(rng, 4)];
    bool whole = p.kind == TRAIL_TEXT || p.kind == TRAIL_TELEMETRY || p.kind == TRAIL_DEAD;
    if (whole || (value && cell_is_text((CellKind)p.cell))) p.text = (Str){text, (int64_t)rng_below(rng, sizeof text)};
    else if (value || p.kind == TRAIL_WORD) p.bits = rng_u64(rng);
    if (p.kind == TRAIL_MOVED) p.update_time = (int64_t)rng_u64(rng);
    return p;
}

static void records_come_back(void **state) {
    enum { POINTS = 20000 };
    (void)state;
    Rng rng = rng_make(11, 0);
    TrailPoint *points = mem_alloc(POINTS * sizeof *points), got;
    Buf b = {0};
    for (int i = 0; i < POINTS; i++) {
        points[i] = draw_point(&rng);
        trail_put(&b, &points[i]);
    }
    Cut c = cut_of(buf_str(&b));
    for (int i = 0; i < POINTS; i++) {
        assert_true(trail_next(&c, &got));
        same_point(&points[i], &got);
    }
    assert_false(trail_next(&c, &got));
    Cut none = cut_of((Str){0});
    assert_false(trail_next(&none, &got));
    buf_free(&b);
    mem_free(points);
}

// A buffer that is full takes no half of a record.
static void a_full_buffer_keeps_whole_records(void **state) {
    (void)state;
    Buf b = {.max = 100};
    TrailPoint p = {.kind = TRAIL_TEXT, .text = STR("twenty bytes of text")}, got;
    for (int i = 0; i < 3; i++) trail_put(&b, &p);
    assert_true(b.full);
    Cut c = cut_of(buf_str(&b));
    assert_true(trail_next(&c, &got));
    assert_false(trail_next(&c, &got));
    buf_free(&b);
}

typedef struct Lab {
    Domain *d;
    World *w;
    uint64_t twin;
    uint32_t col;
} Lab;

static void begin(World *w) { world_begin(w, world_seq(w) + 1, world_next_time(w, 0)); }

static void end(World *w) {
    world_end(w);
    world_settle(w, world_seq(w));
}

static void set(const Lab *l, World *w, uint64_t bits) {
    Change c = {.kind = CHANGE_SET, .cell = CELL_I64, .id = l->twin, .col = l->col, .bits = bits};
    assert_int_equal(world_do(w, &c), ERR_OK);
}

static Lab lab_new(void) {
    Lab l = {.d = domain_new()};
    l.w = world_new(l.d, 4096);
    begin(l.w);
    assert_int_equal(world_do(l.w, &(Change){.kind = CHANGE_MODELS_ADD, .text = rig_models()}), ERR_OK);
    l.twin = world_take_twin_id(l.w).v;
    assert_int_equal(world_do(l.w, &(Change){.kind = CHANGE_TWIN_NEW, .id = l.twin, .col = 1, .text = STR("t")}),
                     ERR_OK);
    end(l.w);
    l.col = view_writer(l.w).catalog->tables[1].first + 1;
    return l;
}

static void lab_free(Lab *l) {
    world_free(l->w);
    domain_free(l->d);
}

static void kept_when_asked(void **state) {
    (void)state;
    Lab l = lab_new();
    assert_int_equal(world_trail(l.w).n, 0);
    world_keep_trail(l.w, true);
    begin(l.w);
    set(&l, l.w, 7);
    end(l.w);
    Cut c = cut_of(world_trail(l.w));
    TrailPoint p;
    assert_true(trail_next(&c, &p)); // neither META nor the time of the twin: one record a SET
    assert_int_equal(p.kind, TRAIL_PUT);
    assert_int_equal(p.cell, CELL_I64);
    assert_int_equal(p.vec, l.col);
    assert_int_equal(p.bits, 7);
    assert_false(trail_next(&c, &p));
    World *fork = world_fork(l.w, 4096);
    begin(fork);
    set(&l, fork, 8);
    end(fork);
    assert_int_equal(world_trail(fork).n, 0); // forks keep none
    world_free(fork);
    begin(l.w);
    assert_int_equal(world_trail(l.w).n, 0); // a new batch, a new trail
    end(l.w);
    world_keep_trail(l.w, false);
    begin(l.w);
    set(&l, l.w, 9);
    end(l.w);
    assert_int_equal(world_trail(l.w).n, 0);
    lab_free(&l);
}

static void undone_leaves_none(void **state) {
    (void)state;
    Lab l = lab_new();
    world_keep_trail(l.w, true);
    begin(l.w);
    set(&l, l.w, 1);
    world_rollback(l.w);
    assert_int_equal(world_trail(l.w).n, 0);
    begin(l.w);
    set(&l, l.w, 2);
    world_end(l.w);
    assert_true(world_trail(l.w).n > 0);
    world_undo_to(l.w, world_seq(l.w) - 1);
    assert_int_equal(world_trail(l.w).n, 0);
    lab_free(&l);
}

static void taken_to_own(void **state) {
    (void)state;
    Lab l = lab_new();
    world_keep_trail(l.w, true);
    Buf mine = {0};
    for (uint64_t i = 1; i < 5; i++) { // two buffers go to and fro
        begin(l.w);
        set(&l, l.w, i);
        end(l.w);
        world_take_trail(l.w, &mine);
        assert_int_equal(world_trail(l.w).n, 0);
        TrailPoint p;
        Cut c = cut_of(buf_str(&mine));
        assert_true(trail_next(&c, &p) && p.bits == i);
    }
    buf_free(&mine);
    lab_free(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back), cmocka_unit_test(a_full_buffer_keeps_whole_records),
        cmocka_unit_test(kept_when_asked),   cmocka_unit_test(undone_leaves_none),
        cmocka_unit_test(taken_to_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
