// SPDX-License-Identifier: Apache-2.0
// Past worlds against forks taken at the time, for random worlds by seed: what a source that folds trails makes is the
// same, word for word and by every reader. A failure prints its seed.
// LABELS: threads
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include "world/test_scene.h"

// In another order each time, so that pages are first touched by different readers.
static void compare(Scene *x, const Moment *m, Fold *met) {
    Fold *fold;
    World *past = past_of(x, m, m->at + 17, &fold);
    met->moved += fold->moved, met->sources += fold->sources, met->dead += fold->dead;
    met->late += fold->late, met->telemetry += fold->telemetry;
    View f, p;
    view_begin(&f, m->fork);
    view_begin(&p, past);
    assert_int_equal(p.seq, m->seq);
    assert_int_equal(view_meta(&p, META_TIME), m->at + 17);
    uint64_t first = below(x, 5);
    for (uint64_t i = 0; i < 5; i++) {
        switch ((first + i) % 5) {
        case 0: compare_names(x, m, &f, &p); break;
        case 1: compare_shown(x, m, &f, &p); break;
        case 2: compare_printed(x, m, &f, &p); break;
        case 3: compare_models(x, m, &f, &p); break;
        default: compare_pages(x, m, &f, &p);
        }
    }
    assert_false(f.overrun || p.overrun);
    assert_int_equal(p.failed, ERR_OK);
    assert_true(world_past_bytes(past) > 0);
    view_end(&f);
    view_end(&p);
    world_verify(past);
    world_free(past);
}

static void past_worlds_are_forks(void **state) {
    (void)state;
    Scene *x = mem_alloc(sizeof *x);
    int64_t late = 0, rollbacks = 0, refused = 0, twins = 0;
    Fold met = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        scene_open(x, seed);
        scene_run(x, BATCHES);
        for (int i = 0; i < x->moment_count; i++) compare(x, &x->moments[i], &met);
        late += x->late, rollbacks += x->rollbacks, refused += x->refused, twins += x->twin_count;
        scene_close(x);
    }
    print_message("late %lld, rollbacks %lld, refused %lld, twins %lld\n", (long long)late, (long long)rollbacks,
                  (long long)refused, (long long)twins);
    assert_true(late > 0 && rollbacks > 0 && refused > 0 && twins > 1500 * SEEDS); // names split segments
    assert_true(met.moved > 0 && met.sources > 0 && met.dead > 0 && met.late > 0 && met.telemetry > 0);
    mem_free(x);
}

// ---- pages are made when they are touched, once ------------------------------------------------------------------

static void walk_all(const Scene *x, View *v, int64_t *alive, int64_t *hops) {
    *alive = *hops = 0;
    for (int64_t i = 0; i < x->twin_count; i++) {
        LinkId out, in;
        TwinView t = view_twin_place(v, (TwinId){x->twins[i]});
        *alive += t.alive;
        view_twin_links(v, (TwinId){x->twins[i]}, &out, &in);
        for (; out.v; ++*hops) {
            LinkView l = view_link(v, out);
            assert_true(view_twin_place(v, l.target).alive);
            out = l.next_out;
        }
    }
}

// Walking the graph makes no column; asking again asks the source nothing; what is not there is remembered.
static void touched_only_and_once(void **state) {
    (void)state;
    Scene *x = scene_with_end(99, 300);
    const Moment *m = &x->moments[FORKS - 1];
    Fold *fold;
    World *past = past_of(x, m, m->at, &fold);
    View f, p;
    view_begin(&f, m->fork);
    view_begin(&p, past);
    int64_t alive[2], hops[2];
    walk_all(x, &f, &alive[0], &hops[0]);
    walk_all(x, &p, &alive[1], &hops[1]);
    assert_true(alive[0] == alive[1] && hops[0] == hops[1] && hops[0] > 100);
    int64_t hot = (int64_t)(view_meta(&f, META_ID_MAX) >> PAGE_SHIFT) + 1;
    assert_true(atomic_load(&fold->groups) <= 3 * 16 * hot + 8); // place, links, the links themselves
    int64_t asked = atomic_load(&fold->asked), bytes = world_past_bytes(past);
    walk_all(x, &p, &alive[1], &hops[1]);
    assert_int_equal(atomic_load(&fold->asked), asked);
    compare_pages(x, m, &f, &p);
    asked = atomic_load(&fold->asked);
    assert_true(world_past_bytes(past) > bytes);
    compare_pages(x, m, &f, &p);
    compare_shown(x, m, &f, &p);
    assert_int_equal(atomic_load(&fold->asked), asked);
    view_end(&f);
    view_end(&p);
    world_free(past);
    scene_drop(x);
}

static void say_twin(void *ctx, TwinId id, bool before, bool after) {
    buf_printf(ctx, "t%llu %d%d\n", (unsigned long long)id.v, before, after);
}
static void say_link(void *ctx, LinkId id, bool before, bool after) {
    buf_printf(ctx, "l%llu %d%d\n", (unsigned long long)id.v, before, after);
}
static void say_value(void *ctx, TwinId twin, LinkId link, uint32_t col) {
    buf_printf(ctx, "v%llu/%llu %u\n", (unsigned long long)twin.v, (unsigned long long)link.v, col);
}

static void diff_into(World *a, World *b, Buf *out) {
    buf_free(out);
    assert_int_equal(world_diff(a, b, &(DiffSink){out, say_twin, say_link, say_value, NULL}), ERR_OK);
}

// What differs between two instants is the same for forks kept from then, worlds of the past, and one of each.
static void differences_of_instants(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        Scene *x = mem_alloc(sizeof *x);
        scene_open(x, seed);
        scene_run(x, 150);
        assert_true(x->moment_count >= 2);
        const Moment *m = &x->moments[0], *n = &x->moments[x->moment_count - 1];
        World *p = past_of(x, m, m->at, NULL), *q = past_of(x, n, n->at, NULL);
        Buf want = {0}, got = {0};
        diff_into(m->fork, n->fork, &want);
        assert_true(want.n > 0);
        World *pairs[3][2] = {{p, q}, {p, n->fork}, {m->fork, q}};
        for (int i = 0; i < 3; i++) {
            diff_into(pairs[i][0], pairs[i][1], &got);
            if (!str_eq(buf_str(&got), buf_str(&want))) fail_msg("seed %llu, pair %d", (unsigned long long)seed, i);
        }
        diff_into(p, m->fork, &got);
        assert_int_equal(got.n, 0);
        buf_free(&want), buf_free(&got);
        world_free(p), world_free(q);
        scene_drop(x);
    }
}

// One row makes one group of it, the third the rest; and a mark is given only when all are there.
static void a_group_at_a_time(void **state) {
    (void)state;
    Scene *x = scene_with_end(7, 400);
    const Moment *m = &x->moments[FORKS - 1];
    Fold *fold;
    World *past = past_of(x, m, m->at, &fold);
    View p;
    view_begin(&p, past);
    uint32_t rows = p.catalog->tables[1].rows;
    assert_true(view_table_rows(&p, 1) > (PAST_AHEAD + 1) * PAST_GROUP_ROWS);
    int64_t before = atomic_load(&fold->groups);
    (void)view_row_twin(&p, 1, 70);
    assert_int_equal(atomic_load(&fold->groups), before + 1);
    (void)view_row_twin(&p, 1, 127);
    assert_int_equal(atomic_load(&fold->groups), before + 1);
    assert_int_equal(view_page_mark(&p, rows, 0), 0);
    (void)view_row_twin(&p, 1, 0);
    assert_int_equal(atomic_load(&fold->groups), before + 2);
    int64_t asked = atomic_load(&fold->asked);
    for (uint64_t row = 128; row < PAGE_ROWS; row++) (void)view_row_twin(&p, 1, row);
    assert_int_equal(atomic_load(&fold->asked), asked + PAST_AHEAD - 2 + 1); // two are there; then what is left
    PageCopy copy = {0};
    view_page(&p, rows, 0, PAGE_CELLS, &copy);
    uint64_t mark = view_page_mark(&p, rows, 0);
    assert_true(mark != 0 && mark != PAGE_MARK_NONE);
    assert_int_equal(view_page_mark(&p, p.catalog->next_vec + 5, 0), PAGE_MARK_NONE);
    assert_int_equal(view_pages(&p, p.catalog->next_vec + 5), 0);
    page_copy_free(&copy);
    view_end(&p);
    world_free(past);
    scene_drop(x);
}

// The present catalog is used while no model operation lies between, else that of then is built.
static void catalogs_of_then(void **state) {
    (void)state;
    Scene *x = scene_with_end(5, 60);
    const Moment *m = &x->moments[FORKS - 1];
    World *past = past_of(x, m, m->at, NULL);
    View v = view_writer(past), live = view_writer(x->w);
    assert_ptr_equal(v.catalog, live.catalog);
    begin(x);
    do_one(x, (Change){.kind = CHANGE_DOC, .text = (Str){"rules\0new\0{}", 12}});
    world_end(x->w);
    world_settle(x->w, world_seq(x->w));
    trails_add(&x->log, x->w);
    World *other = past_of(x, m, m->at, NULL);
    View u = view_writer(other), fork = view_writer(m->fork);
    live = view_writer(x->w);
    assert_ptr_not_equal(u.catalog, live.catalog);
    compare_models(x, m, &fork, &u);
    compare_models(x, m, &fork, &v); // the world that shared it still has it
    assert_null(catalog_doc(u.catalog, STR("rules"), STR("new")));
    assert_non_null(catalog_doc(live.catalog, STR("rules"), STR("new")));
    world_free(past);
    world_free(other);
    scene_drop(x);
}

// Before the first batch there was nothing.
static void before_everything(void **state) {
    (void)state;
    Scene *x = scene_with_end(3, 20);
    Moment m = {.seq = 0, .at = 5};
    World *past = past_of(x, &m, 5, NULL);
    View v;
    view_begin(&v, past);
    assert_int_equal(v.catalog->table_count, 0);
    assert_int_equal(view_find_twin(&v, STR("twin-1025")).v, 0);
    assert_false(view_twin(&v, (TwinId){x->twins[0]}).alive);
    assert_int_equal(view_meta(&v, META_TWINS), 0);
    assert_int_equal(view_pages(&v, VECNO_HOT), 0);
    assert_false(v.overrun);
    view_end(&v);
    world_verify(past);
    world_free(past);
    scene_drop(x);
}

// ---- sources that fail -------------------------------------------------------------------------------------------

static bool print_or_fail(World *past, Buf *out) {
    View v;
    view_begin(&v, past);
    buf_reset(out);
    rig_print_view(&v, out);
    bool ok = v.failed == ERR_OK;
    assert_int_equal(v.overrun, !ok);
    if (!ok) assert_int_equal(v.failed, ERR_STORAGE);
    if (!ok) assert_false(view_twin_place(&v, (TwinId){1024}).alive); // nothing any more
    view_end(&v);
    return ok;
}

// A failure is told by the view, and never kept: each try gets further, and at last everything is right.
static void failures_are_not_kept(void **state) {
    (void)state;
    Scene *x = scene_with_end(21, 200);
    const Moment *m = &x->moments[FORKS - 1];
    Buf want = {0}, got_text = {0};
    View f = view_writer(m->fork);
    rig_print_view(&f, &want);
    for (int every = 2; every < 40; every += 5) {
        Fold *fold;
        World *past = past_of(x, m, m->at, &fold);
        atomic_store(&fold->fail_every, every);
        int tries = 1;
        while (!print_or_fail(past, &got_text)) tries++;
        assert_true(tries > 1);
        assert_true(str_eq(buf_str(&got_text), buf_str(&want)));
        world_free(past);
    }
    Fold *fold;
    PastSource src = trails_source(&x->log, m->seq);
    fold = src.ctx;
    atomic_store(&fold->fail_every, 1);
    World *none = NULL;
    assert_int_equal(world_past(x->d, &src, m->seq, m->at, x->w, &none), ERR_STORAGE);
    assert_null(none);
    buf_free(&want);
    buf_free(&got_text);
    scene_drop(x);
}

// ---- sources that are wrong --------------------------------------------------------------------------------------

typedef struct Liar {
    Fold *fold;
    uint32_t vec;
    int lie, truths; // so many answers before the first lie
} Liar;

static Err liar_rows(void *ctx, int64_t at, uint32_t vec, uint64_t page_no, uint16_t groups, PastRows *to) {
    Liar *l = ctx;
    TRY(fold_rows(l->fold, at, vec, page_no, groups, to));
    if (vec != l->vec || l->truths-- > 0) return ERR_OK;
    uint32_t row = 0;
    while (!(groups >> row / PAST_GROUP_ROWS & 1)) row += PAST_GROUP_ROWS;
    switch (l->lie) {
    case 0: past_put_word(to, row, 0, (uint64_t)1 << 60); break; // no such table, no such kind
    case 1: past_put_word(to, PAGE_ROWS, 0, 1); break;
    case 2: past_put_word(to, row, 8, 1); break;
    case 3: past_put_text(to, row, 1, STR("not a text's word")); break;
    case 4: past_put_cell(to, row, 1, STR("no cell of that"), 1, 0); break;
    default: past_put_word(to, UINT32_MAX, 0, 1); break;
    }
    return ERR_OK;
}

static Err liar_pages(void *ctx, uint32_t vec, uint64_t *count) { return fold_pages(((Liar *)ctx)->fold, vec, count); }

static Err print_past(World *past, Buf *out) {
    View v;
    view_begin(&v, past);
    buf_reset(out);
    rig_print_view(&v, out);
    view_end(&v);
    return v.failed;
}

// What cannot be is told as CORRUPT, by the call or by the view; when the source tells the truth then, nothing is left
// of the lie.
static void one_lie(const Scene *x, const Moment *m, Str want, uint32_t vec, int lie, int truths) {
    PastSource src = trails_source(&x->log, m->seq);
    Liar liar = {src.ctx, vec, lie, truths};
    src = (PastSource){.ctx = &liar, .rows = liar_rows, .pages = liar_pages};
    World *past = NULL;
    Buf out = {0};
    Err e = world_past(x->d, &src, m->seq, m->at, NULL, &past);
    if (e == ERR_OK) {
        e = print_past(past, &out);
        liar.vec = UINT32_MAX;
        assert_int_equal(print_past(past, &out), ERR_OK);
        assert_true(str_eq(buf_str(&out), want));
        world_free(past);
    }
    if (e != ERR_CORRUPT) fail_msg("lie %d of vector %u: %d", lie, vec, (int)e);
    fold_free(liar.fold);
    buf_free(&out);
}

static void lies_are_corrupt(void **state) {
    (void)state;
    Scene *x = scene_with_end(31, 60);
    const Moment *m = &x->moments[FORKS - 1];
    static const uint32_t vecs[] = {VECNO_META, VECNO_HOT, VECNO_COLD, VECNO_LINK, VECNO_MODEL, VECNO_TABLE};
    Buf want = {0};
    View f = view_writer(m->fork);
    rig_print_view(&f, &want);
    for (int lie = 0; lie < 6; lie++) {
        for (size_t i = 0; i < sizeof vecs / sizeof *vecs; i++) {
            if (lie == 0 && vecs[i] != VECNO_HOT && vecs[i] != VECNO_LINK) continue;
            one_lie(x, m, buf_str(&want), vecs[i], lie, 0);
        }
    }
    one_lie(x, m, buf_str(&want), VECNO_HOT, 0, 1); // into a page that has groups, where nothing is
    buf_free(&want);
    scene_drop(x);
}

// ---- many readers ------------------------------------------------------------------------------------------------

typedef struct Crowd {
    Scene *x;
    const Moment *m;
    World *past;
    Str want;
    uint64_t pages_hash[VECNO_TABLE + 1];
    _Atomic int64_t failed, done;
} Crowd;

static uint64_t hash_pages(View *v, uint32_t vec) {
    PageCopy c = {0};
    uint64_t h = 0;
    for (uint64_t page = 0, n = view_pages(v, vec); page < n; page++) {
        view_page(v, vec, page, PAGE_CELLS, &c);
        const VecLayout *l = &vec_layout[shape_of_vec(vec)];
        for (uint32_t i = 0; i < c.rows * l->words; i++) {
            if (l->text_mask || (vec == VECNO_HOT && i % 2)) continue; // handles differ; times are not told
            if (c.cells[i]) h = (h ^ c.cells[i] ^ (page << PAGE_SHIFT | i)) * 0x9E3779B97F4A7C15u + (h >> 29);
        }
    }
    page_copy_free(&c);
    return h;
}

static bool reads_right(Crowd *c, Rng *rng, Buf *out) {
    View v;
    view_begin(&v, c->past);
    bool right = true;
    uint32_t vec = (uint32_t)rng_below(rng, VECNO_TABLE + 1);
    if (rng_below(rng, 3) == 0) {
        buf_reset(out);
        rig_print_view(&v, out);
        right = str_eq(buf_str(out), c->want);
    } else if (vec != VECNO_META) {
        right = hash_pages(&v, vec) == c->pages_hash[vec];
    }
    bool failed = v.failed != ERR_OK;
    view_end(&v);
    atomic_fetch_add(failed ? &c->failed : &c->done, 1);
    return right || failed;
}

static void *reader(void *arg) {
    Crowd *c = arg;
    Rng rng = rng_make(c->x->seed, (uint64_t)(uintptr_t)&rng >> 12);
    Buf out = {0};
    bool right = true;
    for (int i = 0; i < 12 && right; i++) right = reads_right(c, &rng, &out);
    buf_free(&out);
    return right ? NULL : c;
}

// Threads who touch the same pages at once see one world, also when the source fails now and then.
static void many_read_one(void **state) {
    (void)state;
    Scene *x = scene_with_end(77, 150);
    const Moment *m = &x->moments[FORKS - 1];
    Buf want = {0};
    View f = view_writer(m->fork);
    rig_print_view(&f, &want);
    for (int round = 0; round < 8; round++) {
        Fold *fold;
        Crowd c = {.x = x, .m = m, .past = past_of(x, m, m->at, &fold), .want = buf_str(&want)};
        for (uint32_t vec = 0; vec <= VECNO_TABLE; vec++) c.pages_hash[vec] = hash_pages(&f, vec);
        if (round % 2) atomic_store(&fold->fail_every, 60);
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, reader, &c), 0);
        for (int i = 0; i < THREADS; i++) {
            void *wrong;
            pthread_join(threads[i], &wrong);
            assert_null(wrong);
        }
        assert_true(atomic_load(&c.done) > 0);
        if (!(round % 2)) assert_int_equal(atomic_load(&c.failed), 0);
        atomic_store(&fold->fail_every, 0);
        world_verify(c.past);
        world_free(c.past);
    }
    buf_free(&want);
    scene_drop(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(past_worlds_are_forks),   cmocka_unit_test(touched_only_and_once),
        cmocka_unit_test(a_group_at_a_time),       cmocka_unit_test(catalogs_of_then),
        cmocka_unit_test(before_everything),       cmocka_unit_test(failures_are_not_kept),
        cmocka_unit_test(differences_of_instants), cmocka_unit_test(lies_are_corrupt),
        cmocka_unit_test(many_read_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
