// SPDX-License-Identifier: Apache-2.0
// What readers, forks and undo must not see of each other: corners that random worlds meet rarely.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <pthread.h>
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"
#include "world/rig.h"

typedef struct Lab {
    Domain *d;
    World *w;
    uint64_t twin; // of model A
    uint32_t number, text;
} Lab;

static void begin(World *w) { world_begin(w, world_seq(w) + 1, world_next_time(w, 0)); }

static void finish(World *w) {
    world_end(w);
    world_settle(w, world_seq(w));
}

static uint64_t add_twin(World *w, Str name) {
    uint64_t id = world_take_twin_id(w).v;
    assert_int_equal(world_do(w, &(Change){.kind = CHANGE_TWIN_NEW, .id = id, .col = 1, .text = name}), ERR_OK);
    return id;
}

static void set_number(const Lab *l, World *w, double x) {
    Change c = {.kind = CHANGE_SET, .cell = CELL_F64, .id = l->twin, .col = l->number, .bits = bits_of(x)};
    assert_int_equal(world_do(w, &c), ERR_OK);
}

static void set_text(const Lab *l, World *w, Str s) {
    Change c = {.kind = CHANGE_SET, .cell = CELL_STR, .id = l->twin, .col = l->text, .text = s};
    assert_int_equal(world_do(w, &c), ERR_OK);
}

static Lab lab_new(int64_t ring) {
    Lab l = {.d = domain_new()};
    l.w = world_new(l.d, ring);
    begin(l.w);
    assert_int_equal(world_do(l.w, &(Change){.kind = CHANGE_MODELS_ADD, .text = rig_models()}), ERR_OK);
    l.twin = add_twin(l.w, STR("t"));
    View v = view_writer(l.w);
    l.number = v.catalog->tables[1].first;
    l.text = l.number + 2;
    set_number(&l, l.w, 1);
    set_text(&l, l.w, STR("a text longer than inline"));
    finish(l.w);
    return l;
}

static void lab_free(Lab *l) {
    world_free(l->w);
    domain_free(l->d);
}

static double number_in(const Lab *l, View *v) {
    TwinView t = view_twin(v, (TwinId){l->twin});
    return double_of(view_cell(v, l->number, t.row).bits);
}

static void write_number(const Lab *l, World *w, double x) {
    begin(w);
    set_number(l, w, x);
    finish(w);
}

// A view of one world, opened before a fork, never shows what the other world writes, whichever writes first.
static void test_fork_behind_a_view(void **state) {
    (void)state;
    for (int order = 0; order < 4; order++) {
        Lab l = lab_new(8192);
        World *f = world_fork(l.w, order & 2 ? 0 : 8192);
        View of_live, of_fork;
        view_begin(&of_live, l.w);
        view_begin(&of_fork, f);
        for (int i = 0; i < 3; i++) {
            write_number(&l, order & 1 ? f : l.w, 100 + i);
            write_number(&l, order & 1 ? l.w : f, 200 + i);
        }
        assert_true(number_in(&l, &of_live) == 1);
        if (!(order & 2)) assert_true(number_in(&l, &of_fork) == 1);
        assert_false(of_live.overrun);
        view_end(&of_live);
        view_end(&of_fork);
        world_verify(l.w);
        world_verify(f);
        world_free(f);
        lab_free(&l);
    }
}

// A text of which only one word could be brought back must not be followed: both words or none.
static void test_half_a_text(void **state) {
    (void)state;
    int overruns = 0;
    for (int filler = 0; filler < 24; filler++) {
        Lab l = lab_new(8192);
        begin(l.w);
        set_text(&l, l.w, STR("short"));
        finish(l.w);
        View v;
        view_begin(&v, l.w);
        begin(l.w);
        set_text(&l, l.w, STR("a text that lies in the heap once more"));
        finish(l.w);
        uint64_t head = atomic_load(&l.w->ring->head);
        double x = 2;
        while (atomic_load(&l.w->ring->head) - head < 8150) write_number(&l, l.w, x++);
        for (int i = 0; i < filler * 2; i++) { // one or two records each: step over the boundary
            begin(l.w);
            finish(l.w);
        }
        TwinView t = view_twin(&v, (TwinId){l.twin});
        CellView c = view_cell(&v, l.text, t.alive ? t.row : 0);
        Str s = text_str(&c.text);
        if (v.overrun) assert_true(s.n == 0 && !c.valid);
        else assert_true(str_eq(s, STR("short")));
        overruns += v.overrun;
        view_end(&v);
        lab_free(&l);
    }
    assert_in_range(overruns, 1, 23); // both sides of the boundary were met
}

// A fork's own model operations leave the catalogs of the world it came from alone, also those not yet settled.
static void test_fork_of_unsettled_models(void **state) {
    (void)state;
    Lab l = lab_new(8192);
    uint64_t durable = world_seq(l.w);
    Change remove = {.kind = CHANGE_MODEL_REMOVE, .text = STR("dtmi:rig:B;1")};
    begin(l.w);
    assert_int_equal(world_do(l.w, &remove), ERR_OK);
    world_end(l.w);
    World *f = world_fork(l.w, 8192);
    Change flag = {.kind = CHANGE_MODEL_FLAG, .text = STR("dtmi:rig:A;1"), .bits = 1};
    begin(f);
    assert_int_equal(world_do(f, &flag), ERR_OK);
    finish(f);
    View v;
    view_begin(&v, l.w); // still the catalog before
    assert_false(v.catalog->tables[2].removed);
    view_end(&v);
    world_free(f);
    world_undo_to(l.w, durable);
    view_begin(&v, l.w);
    assert_false(v.catalog->tables[2].removed);
    view_end(&v);
    world_verify(l.w);
    lab_free(&l);
}

// The catalog of a sequence that was let go while a reader looked for it: told, not followed into nothing.
static void test_catalog_of_the_past(void **state) {
    (void)state;
    Lab l = lab_new(8192);
    uint64_t before = world_seq(l.w);
    Change remove = {.kind = CHANGE_MODEL_REMOVE, .text = STR("dtmi:rig:B;1")};
    begin(l.w);
    assert_int_equal(world_do(l.w, &remove), ERR_OK);
    world_end(l.w);
    const Catalog *c = core_catalog(l.w, before);
    assert_non_null(c);
    assert_false(c->tables[2].removed);
    world_settle(l.w, world_seq(l.w));
    assert_null(core_catalog(l.w, before)); // what view_begin then tries again
    assert_true(core_catalog(l.w, world_seq(l.w))->tables[2].removed);
    lab_free(&l);
}

// Rolled back batches fill the ring over the records of a page that is rolled back in turn: its sequence stays sound.
static void test_sequence_of_a_lost_chain(void **state) {
    (void)state;
    Lab l = lab_new(8192);
    for (int round = 0; round < 3; round++) {
        begin(l.w);
        set_text(&l, l.w, STR("touch the text's page early"));
        for (int i = 0; core_room(l.w) > 200; i++) set_number(&l, l.w, i + 10 * round);
        world_rollback(l.w);
        world_verify(l.w);
    }
    World *f = world_fork(l.w, 8192);
    World *g = world_fork(f, 8192);
    for (int i = 0; i < 500; i++) write_number(&l, f, i);
    View v;
    view_begin(&v, g);
    assert_true(number_in(&l, &v) == 1);
    assert_false(v.overrun);
    view_end(&v);
    world_verify(f);
    world_free(g);
    world_free(f);
    lab_free(&l);
}

// A journal written with a large ring is replayed with a small one.
static void test_replay_with_a_small_ring(void **state) {
    (void)state;
    Lab l = lab_new(1 << 16);
    Buf journal = {0};
    Domain *d = domain_new();
    World *w = world_new(d, 8192);
    begin(w);
    assert_int_equal(world_do(w, &(Change){.kind = CHANGE_MODELS_ADD, .text = rig_models()}), ERR_OK);
    finish(w);
    begin(l.w);
    char name[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "one of many twins %d", i);
        add_twin(l.w, str_of(name));
    }
    BatchHead head = {.seq = world_seq(l.w), .time = world_time(l.w), .source = STR("s")};
    Str changes = world_batch(l.w, &head.count);
    batch_encode(&head, changes, &journal);
    finish(l.w);
    Cut c = cut_of(buf_str(&journal));
    assert_int_equal(world_replay(w, &c, &head), ERR_OK);
    begin(w);
    add_twin(w, STR("and then as ever"));
    world_rollback(w);
    world_verify(w);
    View v = view_writer(w);
    assert_int_equal(view_meta(&v, META_TWINS), 3000);
    buf_free(&journal);
    world_free(w);
    domain_free(d);
    lab_free(&l);
}

// ---- the index ----------------------------------------------------------------------------------------------------

static uint64_t random_hash(Rng *rng, int skew) {
    uint64_t h = rng_u64(rng);
    return skew ? h >> skew : h; // many with the same leading bits
}

// What an insertion logs is never more than was said before, and is said to be impossible before it is.
static void test_index_cost(void **state) {
    (void)state;
    for (int skew = 0; skew <= 20; skew += 4) {
        Domain *d = domain_new();
        World *w = world_new(d, 1 << 21);
        Rng rng = rng_make(7, (uint64_t)skew);
        bool stuck = false;
        begin(w);
        for (uint64_t id = 1024; id < 9000 && !stuck; id++) {
            uint64_t h = random_hash(&rng, skew), head = atomic_load(&w->ring->head);
            int64_t cost = index_cost_max(w, &index_names, h);
            stuck = cost == INT64_MAX;
            if (stuck) break;
            index_insert(w, &index_names, h, id);
            int64_t logged = (int64_t)(atomic_load(&w->ring->head) - head);
            assert_true(logged <= cost);
            if ((id & 511) == 0) {
                finish(w);
                begin(w);
            }
        }
        assert_int_equal(stuck, skew >= 16); // 8,000 tags of two bits or none in the directory
        world_rollback(w);
        world_free(w);
        domain_free(d);
    }
}

// ---- stored worlds ------------------------------------------------------------------------------------------------

typedef struct Shelf {
    Buf blocks[512]; // by id
    uint64_t count;
} Shelf;

static Err shelf_put(void *ctx, Str bytes, uint64_t *id) {
    Shelf *s = ctx;
    *id = ++s->count;
    assert_true(s->count < 512);
    buf_str_put(&s->blocks[s->count], bytes);
    return ERR_OK;
}

static Err shelf_get(void *ctx, uint64_t id, Buf *out) {
    Shelf *s = ctx;
    if (id > s->count) return ERR_CORRUPT;
    buf_str_put(out, buf_str(&s->blocks[id]));
    return ERR_OK;
}

static void shelf_keep(void *ctx, uint64_t id) { (void)ctx, (void)id; }

// Exchange two children of a stored node.
static void swap_children(Buf *block, uint32_t i, uint32_t j) {
    uint64_t ids[NODE_FAN];
    Cut c = cut_of((Str){block->p + 3, block->n - 3});
    for (uint32_t k = 0; k < NODE_FAN; k++) ids[k] = cut_varint(&c);
    assert_false(c.bad);
    uint64_t keep = ids[i];
    ids[i] = ids[j], ids[j] = keep;
    block->n = 3;
    for (uint32_t k = 0; k < NODE_FAN; k++) buf_varint(block, ids[k]);
}

// Whole blocks in the wrong place: a vector of another shape than its number says is refused, not read past its end
// nor taken for pointers to texts.
static void test_vectors_of_the_wrong_shape(void **state) {
    (void)state;
    static const uint32_t vecs[] = {VECNO_META, VECNO_HOT, VECNO_COLD, VECNO_MODEL, VECNO_NAME_DIR, VECNO_NAME_SLOTS};
    enum { N = sizeof vecs / sizeof *vecs };
    static Shelf shelf;
    BlockStore bs = {&shelf, shelf_put, shelf_get, shelf_keep};
    Lab l = lab_new(8192);
    uint64_t root, tops = 0, pairs = 0;
    World *f = world_fork(l.w, 0), *loaded;
    assert_int_equal(world_store(f, &bs, &root), ERR_OK);
    world_free(f);
    for (uint64_t id = 1; id <= shelf.count; id++) {
        Buf *b = &shelf.blocks[id];
        if ((uint8_t)b->p[0] != 0xB1 || b->p[1] != VEC_META || b->p[2] != 0 || id == 2) continue;
        bool columns = ++tops == 2; // vectors 0 to 63, vectors from 64; block 2 is the root of vector META
        for (uint32_t i = 0; i < N && tops == 1; i++) {
            for (uint32_t j = 0; j < i; j++, pairs++) {
                if (shape_of_vec(vecs[i]) == shape_of_vec(vecs[j])) continue;
                swap_children(b, vecs[i], vecs[j]);
                assert_int_equal(world_load(l.d, &bs, root, 8192, &loaded), ERR_CORRUPT);
                swap_children(b, vecs[i], vecs[j]);
            }
        }
        if (!columns) continue;
        swap_children(b, l.number - VECNO_COLUMNS, l.text - VECNO_COLUMNS);
        assert_int_equal(world_load(l.d, &bs, root, 8192, &loaded), ERR_CORRUPT);
        swap_children(b, l.number - VECNO_COLUMNS, l.text - VECNO_COLUMNS);
    }
    assert_int_equal(pairs, N * (N - 1) / 2);
    assert_true(tops >= 2);
    assert_int_equal(world_load(l.d, &bs, root, 8192, &loaded), ERR_OK);
    world_verify(loaded);
    world_free(loaded);
    for (uint64_t id = 1; id <= shelf.count; id++) buf_free(&shelf.blocks[id]);
    lab_free(&l);
}

// ---- readers while models come and go -----------------------------------------------------------------------------

typedef struct Race {
    World *w;
    _Atomic bool stop;
    _Atomic int64_t views;
} Race;

static void *read_catalogs(void *arg) {
    Race *r = arg;
    while (!atomic_load(&r->stop)) {
        View v;
        view_begin(&v, r->w);
        CHECK(v.catalog->since <= v.seq && v.catalog->table_count == 3);
        bool removed = view_model_rows(&v) % 2 == 0;
        CHECK(v.overrun || v.catalog->tables[2].removed == removed);
        view_end(&v);
        atomic_fetch_add_explicit(&r->views, 1, memory_order_relaxed);
    }
    return NULL;
}

// Every view has the catalog of its own sequence while models are flagged, settled, undone and rolled back.
static void test_readers_of_catalogs(void **state) {
    (void)state;
    Lab l = lab_new(8192);
    Race r = {.w = l.w};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_catalogs, &r), 0);
    Change remove = {.kind = CHANGE_MODEL_REMOVE, .text = STR("dtmi:rig:B;1")};
    for (int i = 0; i < 3000; i++) {
        begin(l.w);
        assert_int_equal(world_do(l.w, &remove), ERR_OK);
        if (i % 3 == 0) {
            world_rollback(l.w);
        } else {
            world_end(l.w);
            world_undo_to(l.w, world_visible(l.w));
        }
    }
    begin(l.w);
    assert_int_equal(world_do(l.w, &remove), ERR_OK);
    finish(l.w);
    while (!atomic_load(&r.views)) sched_yield(); // a busy machine may not have started them yet
    atomic_store(&r.stop, true);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    world_verify(l.w);
    lab_free(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork_behind_a_view),
        cmocka_unit_test(test_half_a_text),
        cmocka_unit_test(test_fork_of_unsettled_models),
        cmocka_unit_test(test_catalog_of_the_past),
        cmocka_unit_test(test_sequence_of_a_lost_chain),
        cmocka_unit_test(test_replay_with_a_small_ring),
        cmocka_unit_test(test_index_cost),
        cmocka_unit_test(test_vectors_of_the_wrong_shape),
        cmocka_unit_test(test_readers_of_catalogs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
