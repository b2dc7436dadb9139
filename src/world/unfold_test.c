// SPDX-License-Identifier: Apache-2.0
// What is unfolded from trails does to a copy of the world what the batches did to the world: random changes by seed. A
// failure prints its seed.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/time.h"
#include "world/rig.h"
#include "world/unfold.h"

enum { SEEDS = 200, BATCHES = 60, CHANGES = 6 };

typedef struct Scene {
    Domain *d;
    World *w, *base, *copy;
    Unfold *u;
    Ref ref;
    Rng rng;
    Arena arena;
    int64_t now;
    bool sorted; // records come lane by lane
} Scene;

static void one(Scene *x, Change c) {
    assert_int_equal(world_do(x->w, &c), ERR_OK);
    rig_apply(view_writer(x->w).catalog, &x->ref, &c, x->now);
}

static void begin(Scene *x) {
    x->now = world_next_time(x->w, x->now + NS_PER_S);
    world_begin(x->w, world_seq(x->w) + 1, x->now);
}

static void end(Scene *x) {
    world_end(x->w);
    world_settle(x->w, world_seq(x->w));
}

// An UNSET of nothing leaves no more than a newer time of its twin: nothing that could be unfolded.
static bool does_nothing(Scene *x, const Change *c) {
    View v = view_writer(x->w);
    if (c->kind == CHANGE_LINK_UNSET) return !view_cell(&v, c->col, c->id).valid;
    return c->kind == CHANGE_UNSET && !view_cell(&v, c->col, view_twin_place(&v, (TwinId){c->id}).row).valid;
}

// A twin changes its model once in a batch, see unfold.h.
static bool moved_already(const uint64_t *moved, int n, const Change *c) {
    for (int i = 0; i < n; i++)
        if (moved[i] == c->id) return true;
    return false;
}

static void random_batch(Scene *x) {
    uint64_t moved[CHANGES];
    int n = 0;
    begin(x);
    for (int i = 0; i < CHANGES; i++) {
        Change c;
        if (!rig_draw(x->w, &x->ref, &x->rng, &x->arena, &c) || does_nothing(x, &c)) continue;
        if (c.kind == CHANGE_TWIN_MODEL && moved_already(moved, n, &c)) continue;
        if (c.kind == CHANGE_TWIN_MODEL) moved[n++] = c.id;
        one(x, c);
    }
    end(x);
}

static void scene_open(Scene *x, uint64_t seed) {
    *x = (Scene){.d = domain_new(), .rng = rng_make(seed, 0), .now = 1000 * NS_PER_S};
    arena_init(&x->arena, 0);
    x->w = world_new(x->d, 1 << 14);
    begin(x);
    one(x, (Change){.kind = CHANGE_MODELS_ADD, .text = rig_models()});
    end(x);
    for (int i = 0; i < BATCHES / 4; i++) random_batch(x);
    x->base = world_fork(x->w, 0);
    x->copy = world_fork(x->w, 1 << 14);
    x->u = unfold_new(x->base);
    world_keep_trail(x->w, true);
}

static void scene_close(Scene *x) {
    unfold_free(x->u);
    world_free(x->copy);
    world_free(x->base);
    world_free(x->w);
    arena_free(&x->arena);
    domain_free(x->d);
}

// As history gives them: lane by lane, without names of the dead, cells by how they are stored.
static int by_lane(const void *a, const void *b) {
    const TrailPoint *x = *(const TrailPoint *const *)a, *y = *(const TrailPoint *const *)b;
    uint64_t i = trail_lane(x->vec, x->word), k = trail_lane(y->vec, y->word);
    return i != k ? (i < k ? -1 : 1) : x < y ? -1 : 1;
}

static void sort_lanes(TrailPoint *p, int64_t n, Arena *a) {
    const TrailPoint **order = NEW(a, const TrailPoint *, n + 1);
    TrailPoint *copy = NEW(a, TrailPoint, n + 1);
    for (int64_t i = 0; i < n; i++) copy[i] = p[i];
    for (int64_t i = 0; i < n; i++) order[i] = &copy[i];
    qsort(order, (size_t)n, sizeof(TrailPoint *), by_lane);
    for (int64_t i = 0; i < n; i++) p[i] = *order[i];
}

static int64_t as_stored(TrailPoint *p, int64_t n) {
    int64_t left = 0;
    for (int64_t i = 0; i < n; i++) {
        if (p[i].kind == TRAIL_DEAD) continue;
        if (p[i].cell == CELL_DOC) p[i].cell = CELL_STR;
        if (p[i].cell == CELL_OBJECT || p[i].cell == CELL_COMPONENT) p[i].cell = CELL_BOOL;
        p[left++] = p[i];
    }
    return left;
}

static int64_t points_of(Str trail, Arena *a, TrailPoint **out) {
    int64_t n = 0;
    TrailPoint p;
    for (Cut c = cut_of(trail); trail_next(&c, &p);) n++;
    *out = NEW(a, TrailPoint, n + 1);
    n = 0;
    for (Cut c = cut_of(trail); trail_next(&c, &p);) (*out)[n++] = p;
    return n;
}

// The batch that ended last, unfolded and applied to the copy.
static void follow(Scene *x) {
    TrailPoint *points;
    BatchHead head = {.seq = world_seq(x->w), .time = x->now};
    int64_t n = points_of(world_trail(x->w), &x->arena, &points);
    if (x->sorted) {
        sort_lanes(points, n, &x->arena);
        n = as_stored(points, n);
    }
    Buf changes = {0}, bytes = {0};
    assert_int_equal(unfold_batch(x->u, x->now, points, n, &changes, &head.count), ERR_OK);
    batch_encode(&head, buf_str(&changes), &bytes);
    Cut c = cut_of(buf_str(&bytes));
    assert_int_equal(world_replay(x->copy, &c, &head), ERR_OK);
    buf_free(&changes);
    buf_free(&bytes);
}

static void same(Scene *x, uint64_t seed, int batch) {
    Buf a = {0}, b = {0};
    View v = view_writer(x->w), c = view_writer(x->copy);
    rig_print_view(&v, &a);
    rig_print_view(&c, &b);
    if (!str_eq(buf_str(&a), buf_str(&b)))
        fail_msg("seed %llu, batch %d:\n%.*s\nunfolded:\n%.*s", (unsigned long long)seed, batch, (int)a.n, a.p,
                 (int)b.n, b.p);
    buf_free(&a);
    buf_free(&b);
}

static void what_is_unfolded_does_the_same(void **state) {
    (void)state;
    Scene *x = mem_alloc(sizeof *x);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        scene_open(x, seed);
        x->sorted = seed % 2;
        for (int i = 0; i < BATCHES; i++) {
            random_batch(x);
            follow(x);
            same(x, seed, i);
        }
        scene_close(x);
    }
    mem_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_unfolded_does_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
