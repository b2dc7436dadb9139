// SPDX-License-Identifier: Apache-2.0
// Writable worlds over a past one against ordinary forks taken at the time with the same edits, for random worlds by
// seed: the same answers to every change, the same bytes, the same words by every reader, also when pages below cannot
// be made now and then. A failure prints its seed.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "world/test_scene.h"

enum { OVER_BATCHES = 40, OVER_RING = 1 << 16 };

// A fork taken at the time, a world over the past of then with the same edits, and one that replays the journal.
typedef struct Twofold {
    Scene *x;
    const Moment *m;
    Fold *fold;
    World *fork, *over, *copy;
    int64_t broken, rollbacks, done;
} Twofold;

static bool same_do(Twofold *t, const Change *c) {
    Err a = world_do(t->fork, c), b = world_do(t->over, c);
    if (b == ERR_STORAGE) { // a page below could not be made: nothing more is believed
        assert_int_equal(world_broken(t->over), ERR_STORAGE);
        assert_int_equal(world_do(t->over, c), ERR_STORAGE);
        t->broken++;
        return false;
    }
    if (a != b) differ(t->x, t->m, "done as", (uint64_t)a, (uint64_t)b);
    t->done += a == ERR_OK;
    return true;
}

static void both_replayed(Twofold *t, int64_t at) {
    BatchHead head = {.seq = world_seq(t->fork), .time = at}, other = head;
    Str changes = world_batch(t->fork, &head.count), again = world_batch(t->over, &other.count);
    if (head.count != other.count || !str_eq(changes, again)) differ(t->x, t->m, "batch", head.seq, 0);
    Buf bytes = {0};
    batch_encode(&head, changes, &bytes);
    Cut cut = cut_of(buf_str(&bytes));
    assert_int_equal(world_replay(t->copy, &cut, &head), ERR_OK);
    buf_free(&bytes);
}

// The same edits in both; now and then both are rolled back or undone.
static void both_batch(Twofold *t) {
    Scene *x = t->x;
    uint64_t seq = world_seq(t->fork) + 1, fate = below(x, 12);
    int64_t at = world_next_time(t->fork, x->now + (int64_t)seq * NS_PER_MS);
    assert_int_equal(at, world_next_time(t->over, x->now + (int64_t)seq * NS_PER_MS));
    world_begin(t->fork, seq, at);
    world_begin(t->over, seq, at);
    bool whole = true;
    for (uint64_t i = 1 + below(x, CHANGES); i > 0 && whole; i--) {
        Change c = draw(x);
        whole = same_do(t, &c);
    }
    if (!whole || world_broken(t->over) || fate == 0) {
        world_rollback(t->fork);
        world_rollback(t->over);
        t->rollbacks++;
        return;
    }
    world_end(t->fork);
    world_end(t->over);
    if (fate == 1) {
        world_undo_to(t->fork, seq - 1);
        world_undo_to(t->over, seq - 1);
        return;
    }
    both_replayed(t, at);
    world_settle(t->fork, seq);
    world_settle(t->over, seq);
}

static void both_same(const Twofold *t, World *a, World *b) {
    Scene *x = t->x;
    Moment m = {.fork = a, .seq = world_seq(a), .at = world_time(a)};
    View f, p;
    view_begin(&f, a);
    view_begin(&p, b);
    compare_names(x, &m, &f, &p);
    compare_shown(x, &m, &f, &p);
    compare_printed(x, &m, &f, &p);
    compare_models(x, &m, &f, &p);
    compare_pages(x, &m, &f, &p);
    assert_false(f.overrun || p.overrun);
    assert_int_equal(p.failed, ERR_OK);
    view_end(&f);
    view_end(&p);
}

static void log_twin(void *ctx, TwinId id, bool before, bool after) {
    buf_printf(ctx, "twin %llu %d%d\n", (unsigned long long)id.v, before, after);
}
static void log_link(void *ctx, LinkId id, bool before, bool after) {
    buf_printf(ctx, "link %llu %d%d\n", (unsigned long long)id.v, before, after);
}
static void log_value(void *ctx, TwinId twin, LinkId link, uint32_t col) {
    buf_printf(ctx, "value %llu %llu %u\n", (unsigned long long)twin.v, (unsigned long long)link.v, col);
}

static void same_diff(const Twofold *t) {
    Buf plain = {0}, over = {0};
    DiffSink a = {.ctx = &plain, .twin = log_twin, .link = log_link, .value = log_value}, b = a;
    b.ctx = &over;
    World *base = world_base(t->over);
    assert_int_equal(world_diff(t->m->fork, t->fork, &a), ERR_OK);
    assert_int_equal(world_diff(base, t->over, &b), ERR_OK);
    assert_true(plain.n > 0 && str_eq(buf_str(&plain), buf_str(&over)));
    buf_reset(&over);
    assert_int_equal(world_diff(t->m->fork, t->copy, &b), ERR_OK);
    assert_true(str_eq(buf_str(&plain), buf_str(&over)));
    buf_reset(&over);
    assert_int_equal(world_diff(t->fork, t->over, &b), ERR_OK);
    assert_int_equal(world_diff(t->copy, t->over, &b), ERR_OK);
    assert_int_equal(over.n, 0);
    buf_free(&plain);
    buf_free(&over);
}

static void one_twofold(Twofold *t, int fail_every) {
    World *past = past_of(t->x, t->m, t->m->at, &t->fold), *live = t->x->w;
    t->fork = world_fork(t->m->fork, OVER_RING);
    t->over = world_fork(past, OVER_RING);
    t->copy = world_fork(past, 0);
    assert_ptr_equal(world_base(t->over), past);
    assert_false(world_is_past(t->over));
    world_free(past);  // what lies over it keeps it
    t->x->w = t->fork; // what is drawn fits there
    atomic_store(&t->fold->fail_every, fail_every);
    for (int i = 0; i < OVER_BATCHES; i++) both_batch(t);
    atomic_store(&t->fold->fail_every, 0);
    World *kept = world_fork(t->fork, 0), *above = world_fork(t->over, 0);
    for (int i = 0; i < OVER_BATCHES / 4; i++) both_batch(t);
    t->x->w = live;
    both_same(t, t->fork, t->over);
    both_same(t, t->fork, t->copy);
    both_same(t, kept, above);
    same_diff(t);
    world_verify(t->over);
    world_verify(t->copy);
    world_verify(above);
    world_free(above);
    world_free(kept);
    world_free(t->over);
    world_free(t->copy);
    world_free(t->fork);
}

static void worlds_over_the_past_are_forks(void **state) {
    (void)state;
    int64_t broken = 0, rollbacks = 0, done = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        Scene *x = mem_alloc(sizeof *x);
        scene_open(x, 1000 + seed);
        scene_run(x, BATCHES / 4);
        for (int i = 0; i < x->moment_count; i++) {
            Twofold t = {.x = x, .m = &x->moments[i]};
            one_twofold(&t, seed % 2 ? 0 : 7);
            broken += t.broken, rollbacks += t.rollbacks, done += t.done;
        }
        scene_drop(x);
    }
    print_message("done %lld, rolled back %lld, broken %lld\n", (long long)done, (long long)rollbacks,
                  (long long)broken);
    assert_true(done > 1000 * SEEDS && rollbacks > SEEDS && broken > SEEDS);
}

// A write makes the pages it touches and no others; a second world over the same past finds them made.
static void over_makes_what_it_touches(void **state) {
    (void)state;
    Scene *x = scene_with_end(5, BATCHES);
    const Moment *m = &x->moments[FORKS - 1];
    Fold *fold;
    World *past = past_of(x, m, m->at, &fold);
    int64_t asked[2];
    for (int k = 0; k < 2; k++) {
        World *over = world_fork(past, OVER_RING);
        int64_t before = atomic_load(&fold->asked);
        uint64_t id = 0;
        View v = view_writer(over);
        for (int64_t i = 0; i < x->twin_count && !id; i++) {
            TwinView t = view_twin_place(&v, (TwinId){x->twins[i]});
            if (t.alive && v.catalog->tables[t.table].model->field_count) id = x->twins[i];
        }
        world_begin(over, world_seq(over) + 1, world_next_time(over, 0));
        TwinView t = view_twin_place(&v, (TwinId){id});
        const Table *table = &v.catalog->tables[t.table];
        Change c = {.kind = CHANGE_SET, .id = id, .col = table->first};
        draw_value(x, &table->model->fields[0], &c);
        assert_int_equal(world_do(over, &c), ERR_OK);
        world_end(over);
        world_settle(over, world_seq(over));
        asked[k] = atomic_load(&fold->asked) - before;
        world_free(over);
    }
    assert_true(asked[0] > 0 && asked[0] < 12); // META, places, the column, no more
    assert_int_equal(asked[1], 0);
    world_free(past);
    scene_drop(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worlds_over_the_past_are_forks),
        cmocka_unit_test(over_makes_what_it_touches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
