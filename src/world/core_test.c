// SPDX-License-Identifier: Apache-2.0
// The parts of the world one by one: texts and reclamation, the ring, the index, pages as bytes, limits.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/mem.h"
#include "world/core.h"
#include "world/rig.h"

static World *world_with_models(Domain *d, int64_t ring) {
    World *w = world_new(d, ring);
    world_begin(w, 1, 1000);
    assert_int_equal(world_do(w, &(Change){.kind = CHANGE_MODELS_ADD, .text = rig_models()}), ERR_OK);
    world_end(w);
    world_settle(w, 1);
    return w;
}

static void begin(World *w) { world_begin(w, world_seq(w) + 1, world_next_time(w, 0)); }

static void finish(World *w) {
    world_end(w);
    world_settle(w, world_seq(w));
}

static uint64_t add_twin(World *w, Str name, uint32_t model) {
    uint64_t id = world_take_twin_id(w).v;
    assert_int_equal(world_do(w, &(Change){.kind = CHANGE_TWIN_NEW, .id = id, .col = model, .text = name}), ERR_OK);
    return id;
}

// Texts of every length around the inline limit and the slab classes come back as they went in, and leave nothing.
static void test_texts(void **state) {
    (void)state;
    Domain *d = domain_new();
    char bytes[400];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)('a' + i % 26);
    for (int64_t n = 0; n < 400; n++) {
        Text t = text_make(d, (Str){bytes, n});
        assert_int_equal(text_size(t), n);
        assert_int_equal(text_is_inline(t), n <= TEXT_INLINE);
        assert_true(str_eq(text_str(&t), (Str){bytes, n}));
        assert_true(text_eq(&t, (Str){bytes, n}));
        if (n) assert_false(text_eq(&t, (Str){bytes, n - 1}));
        text_ref(t);
        text_unref(d, t);
        text_unref(d, t);
    }
    assert_int_equal(domain_stats(d).blobs, 0);
    domain_free(d);
}

static void count_free(Domain *d, void *p) {
    (void)d;
    ++*(int *)p;
}

// What a reader may hold is freed only after it has left; what is retired later waits for later readers only.
static void test_reclaim(void **state) {
    (void)state;
    Domain *d = domain_new();
    int first = 0, second = 0;
    int32_t a = domain_enter(d);
    domain_retire(d, &first, count_free);
    int32_t b = domain_enter(d); // came after: does not hold it
    domain_retire(d, &second, count_free);
    domain_reclaim(d);
    assert_int_equal(first, 0);
    domain_leave(d, a);
    domain_reclaim(d);
    assert_int_equal(first, 1);
    assert_int_equal(second, 0);
    domain_leave(d, b);
    domain_reclaim(d);
    assert_int_equal(second, 1);
    domain_free(d);
}

// A view that the ring outran says so; a new one reads on.
static void test_overrun(void **state) {
    (void)state;
    Domain *d = domain_new();
    World *w = world_with_models(d, 1024);
    begin(w);
    uint64_t id = add_twin(w, STR("t"), 0);
    finish(w);
    View old;
    view_begin(&old, w);
    uint32_t col = old.catalog->tables[0].first;
    for (int i = 0; i < 600; i++) {
        begin(w);
        Change set = {.kind = CHANGE_SET, .cell = CELL_F64, .id = id, .col = col, .bits = bits_of(i)};
        assert_int_equal(world_do(w, &set), ERR_OK);
        finish(w);
    }
    (void)view_cell(&old, col, 0);
    assert_true(old.overrun);
    view_end(&old);
    View now;
    view_begin(&now, w);
    assert_true(double_of(view_cell(&now, col, 0).bits) == 599);
    assert_false(now.overrun);
    view_end(&now);
    world_free(w);
    domain_free(d);
}

// A batch that does not fit the ring is refused with LIMIT and leaves no trace after the rollback.
static void test_ring_limit(void **state) {
    (void)state;
    Domain *d = domain_new();
    World *w = world_with_models(d, 8192);
    begin(w);
    uint64_t id = add_twin(w, STR("kept"), 0);
    finish(w);
    Buf before = {0}, after = {0};
    View v = view_writer(w);
    rig_print_view(&v, &before);
    uint32_t col = v.catalog->tables[0].first;
    begin(w);
    Err e = ERR_OK;
    int64_t done = 0;
    for (; done < 100000 && e == ERR_OK; done++) {
        Change set = {.kind = CHANGE_SET, .cell = CELL_F64, .id = id, .col = col, .bits = bits_of((double)done)};
        e = world_do(w, &set);
    }
    assert_int_equal(e, ERR_LIMIT);
    assert_in_range(done, 1000, 9000);
    world_rollback(w);
    rig_print_view(&v, &after);
    assert_true(str_eq(buf_str(&before), buf_str(&after)));
    begin(w); // and the writer goes on
    add_twin(w, STR("next"), 0);
    finish(w);
    world_verify(w);
    buf_free(&before), buf_free(&after);
    world_free(w);
    domain_free(d);
}

// 200,000 names, a third of them deleted again and some of those made anew: every one is found by both lookups as
// often as it should, old readers still find what they saw, and rows are reused.
static void test_index(void **state) {
    (void)state;
    enum { N = 200000 };
    Domain *d = domain_new();
    World *w = world_with_models(d, 1 << 18);
    uint64_t *ids = mem_alloc(N * sizeof *ids);
    char name[32];
    for (int i = 0; i < N; i++) {
        if (i % 500 == 0) begin(w);
        snprintf(name, sizeof name, "%s-%d", i % 2 ? "a" : "pump-station", i);
        ids[i] = add_twin(w, str_of(name), (uint32_t)i % 3);
        if (i % 500 == 499) finish(w);
    }
    View old;
    view_begin(&old, w);
    begin(w);
    for (int i = 0; i < 3000; i += 3)
        assert_int_equal(world_do(w, &(Change){.kind = CHANGE_TWIN_DEL, .id = ids[i]}), ERR_OK);
    finish(w);
    begin(w);
    for (int i = 0; i < 3000; i += 6) {
        snprintf(name, sizeof name, "%s-%d", i % 2 ? "a" : "pump-station", i);
        uint64_t id = add_twin(w, str_of(name), 1);
        assert_true(id > ids[N - 1]);
        ids[i] = id;
    }
    finish(w);
    View v;
    view_begin(&v, w);
    View own = view_writer(w);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "%s-%d", i % 2 ? "a" : "pump-station", i);
        Str s = str_of(name);
        TwinId many, want = {i < 3000 && i % 3 == 0 && i % 6 != 0 ? 0 : ids[i]};
        assert_int_equal(view_find_twin(&v, s).v, want.v);
        view_find_twins(&own, &s, 1, &many);
        assert_int_equal(many.v, want.v);
        if (i < 3000) assert_true(view_find_twin(&old, s).v != 0 || old.overrun);
    }
    assert_false(old.overrun);
    view_end(&old);
    view_end(&v);
    assert_int_equal(view_find_twin(&own, STR("nobody")).v, 0);
    world_verify(w);
    mem_free(ids);
    world_free(w);
    domain_free(d);
}

// A hub with 20,000 links in and out: lists in descending order, removal from the middle, rids found.
static void test_hub(void **state) {
    (void)state;
    enum { N = 20000 };
    Domain *d = domain_new();
    World *w = world_with_models(d, 1 << 18);
    begin(w);
    uint64_t hub = add_twin(w, STR("hub"), 1), other = add_twin(w, STR("other"), 1);
    finish(w);
    uint64_t *links = mem_alloc(N * sizeof *links);
    char rid[48];
    for (int i = 0; i < N; i++) {
        if (i % 500 == 0) begin(w);
        snprintf(rid, sizeof rid, "the-relationship-%d", i);
        links[i] = world_take_link_id(w).v;
        Change c = {
            .kind = CHANGE_LINK_NEW, .id = links[i], .other = i % 2 ? hub : other, .target = i % 2 ? other : hub};
        c.text = str_of(rid);
        assert_int_equal(world_do(w, &c), ERR_OK);
        if (i % 500 == 499) finish(w);
    }
    begin(w);
    assert_int_equal(world_do(w, &(Change){.kind = CHANGE_TWIN_DEL, .id = hub}), ERR_LINKS_LEFT);
    for (int i = 0; i < N; i += 7)
        assert_int_equal(world_do(w, &(Change){.kind = CHANGE_LINK_DEL, .id = links[i]}), ERR_OK);
    finish(w);
    world_verify(w);
    View v = view_writer(w);
    assert_int_equal(view_find_link(&v, (TwinId){hub}, STR("the-relationship-15")).v, links[15]);
    assert_int_equal(view_find_link(&v, (TwinId){other}, STR("the-relationship-15")).v, 0);
    assert_int_equal(view_find_link(&v, (TwinId){hub}, STR("the-relationship-7")).v, 0);
    mem_free(links);
    world_free(w);
    domain_free(d);
}

// Changes that do not fit are refused with the right code and change nothing.
static void test_refusals(void **state) {
    (void)state;
    Domain *d = domain_new();
    World *w = world_with_models(d, 1 << 14);
    begin(w);
    uint64_t a = add_twin(w, STR("a"), 0), b = add_twin(w, STR("b"), 1);
    View v = view_writer(w);
    uint32_t of_a = v.catalog->tables[0].first, of_b = v.catalog->tables[1].first;
    const struct {
        Change c;
        Err want;
    } cases[] = {
        {{.kind = CHANGE_SET, .cell = CELL_F64, .id = a, .col = of_b}, ERR_STALE},
        {{.kind = CHANGE_SET, .cell = CELL_I64, .id = a, .col = of_a}, ERR_STALE},
        {{.kind = CHANGE_SET, .cell = CELL_F64, .id = 5, .col = of_a}, ERR_TWIN_NOT_FOUND},
        {{.kind = CHANGE_SET, .cell = CELL_F64, .id = a, .col = 3}, ERR_STALE},
        {{.kind = CHANGE_SET, .cell = CELL_F64, .id = a, .col = 1 << 30}, ERR_STALE},
        {{.kind = CHANGE_TWIN_NEW, .id = 7, .col = 99, .text = STR("x")}, ERR_STALE},
        {{.kind = CHANGE_TWIN_NEW, .id = ID_MAX + 1, .text = STR("x")}, ERR_LIMIT},
        {{.kind = CHANGE_LINK_NEW, .id = ID_MAX + 1, .other = b, .target = a, .text = STR("r")}, ERR_LIMIT},
        {{.kind = CHANGE_TWIN_NEW, .id = 7, .text = STR("a")}, ERR_EXISTS},
        {{.kind = CHANGE_TWIN_NEW, .id = a, .text = STR("x")}, ERR_EXISTS},
        {{.kind = CHANGE_TWIN_DEL, .id = 7}, ERR_TWIN_NOT_FOUND},
        {{.kind = CHANGE_TWIN_MODEL, .id = a, .col = 77}, ERR_STALE},
        {{.kind = CHANGE_LINK_NEW, .id = 9, .other = 7, .target = b, .text = STR("r")}, ERR_TWIN_NOT_FOUND},
        {{.kind = CHANGE_LINK_NEW, .id = 9, .other = b, .target = 7, .text = STR("r")}, ERR_TARGET_NOT_FOUND},
        {{.kind = CHANGE_LINK_DEL, .id = 9}, ERR_LINK_NOT_FOUND},
        {{.kind = CHANGE_LINK_SET, .id = 9, .col = 80}, ERR_LINK_NOT_FOUND},
        {{.kind = CHANGE_SOURCE_TIME, .id = a, .col = of_a, .source_time = 5}, ERR_VALIDATION},
        {{.kind = CHANGE_MODEL_REMOVE, .text = STR("dtmi:none;1")}, ERR_MODEL_NOT_FOUND},
        {{.kind = CHANGE_MODEL_REMOVE, .text = STR("dtmi:rig:Part;1")}, ERR_MODEL_IN_USE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_int_equal(world_do(w, &cases[i].c), cases[i].want);
    finish(w);
    world_verify(w);
    world_free(w);
    domain_free(d);
}

// A removed model's twins stay readable and can be deleted; a rollback brings models back as well.
static void test_models(void **state) {
    (void)state;
    Domain *d = domain_new();
    World *w = world_with_models(d, 1 << 14);
    begin(w);
    uint64_t id = add_twin(w, STR("b"), 2);
    finish(w);
    begin(w);
    assert_int_equal(world_do(w, &(Change){.kind = CHANGE_MODEL_REMOVE, .text = STR("dtmi:rig:B;1")}), ERR_OK);
    View v = view_writer(w);
    assert_true(v.catalog->tables[2].removed);
    world_rollback(w);
    v = view_writer(w);
    assert_false(v.catalog->tables[2].removed);
    begin(w);
    assert_int_equal(world_do(w, &(Change){.kind = CHANGE_MODEL_REMOVE, .text = STR("dtmi:rig:B;1")}), ERR_OK);
    world_end(w);
    View reader; // not yet settled: the old catalog
    view_begin(&reader, w);
    assert_false(reader.catalog->tables[2].removed);
    view_end(&reader);
    world_settle(w, world_seq(w));
    view_begin(&reader, w);
    assert_true(reader.catalog->tables[2].removed);
    assert_true(view_twin(&reader, (TwinId){id}).alive);
    view_end(&reader);
    begin(w);
    assert_int_equal(world_do(w, &(Change){.kind = CHANGE_TWIN_DEL, .id = id}), ERR_OK);
    finish(w);
    world_free(w);
    domain_free(d);
}

typedef struct Sum {
    uint64_t hash, count;
} Sum;

static Err sum_put(void *ctx, Str bytes, uint64_t *id) {
    Sum *s = ctx;
    s->hash = s->hash * 0x9E3779B97F4A7C15u + str_hash(bytes);
    *id = ++s->count;
    return ERR_OK;
}

static void sum_keep(void *ctx, uint64_t id) { (void)ctx, (void)id; }

static Sum replay_sum(Str journal) {
    Domain *d = domain_new();
    World *w = world_new(d, 1 << 14);
    for (Cut c = cut_of(journal); c.p < c.end;) {
        BatchHead head;
        assert_int_equal(world_replay(w, &c, &head), ERR_OK);
    }
    Sum s = {0};
    uint64_t root;
    assert_int_equal(world_store(w, &(BlockStore){&s, sum_put, NULL, sum_keep}, &root), ERR_OK);
    world_free(w);
    domain_free(d);
    return s;
}

// The same batches give the same bytes.
static void test_deterministic(void **state) {
    (void)state;
    Domain *d = domain_new();
    World *w = world_new(d, 1 << 16);
    Rng rng = rng_make(21, 0);
    Ref *ref = mem_alloc(sizeof *ref);
    Buf journal = {0};
    Arena arena = {0};
    for (int i = 0; i < 200; i++) {
        world_begin(w, world_seq(w) + 1, world_next_time(w, 1000));
        if (i == 0) assert_int_equal(world_do(w, &(Change){.kind = CHANGE_MODELS_ADD, .text = rig_models()}), ERR_OK);
        for (int k = 0; i && k < 5; k++) {
            Change c;
            if (!rig_draw(w, ref, &rng, &arena, &c)) continue;
            assert_int_equal(world_do(w, &c), ERR_OK);
            View v = view_writer(w);
            rig_apply(v.catalog, ref, &c, world_time(w));
        }
        BatchHead head = {.seq = world_seq(w), .time = world_time(w), .source = STR("s")};
        Str changes = world_batch(w, &head.count);
        batch_encode(&head, changes, &journal);
        finish(w);
    }
    Sum a = replay_sum(buf_str(&journal)), b = replay_sum(buf_str(&journal));
    assert_int_equal(a.hash, b.hash);
    assert_int_equal(a.count, b.count);
    assert_true(a.count > 20);
    arena_free(&arena);
    buf_free(&journal);
    mem_free(ref);
    world_free(w);
    domain_free(d);
}

// Every kind of change survives its bytes; cut bytes are refused.
static void test_change_bytes(void **state) {
    (void)state;
    Change c = {.col = 70000,
                .id = 1 << 20,
                .other = 5,
                .target = 6,
                .bits = (uint64_t)-3,
                .text = STR("some text"),
                .source_time = -9};
    for (uint8_t kind = 1; kind < CHANGE_KIND_COUNT; kind++) {
        for (uint8_t cell = 0; cell <= CELL_COMPONENT; cell++) {
            Buf one = {0}, two = {0};
            Change back;
            c.kind = kind, c.cell = cell;
            change_encode(&c, &one);
            Cut cut = cut_of(buf_str(&one));
            assert_int_equal(change_decode(&cut, &back), ERR_OK);
            assert_true(cut.p == cut.end);
            change_encode(&back, &two);
            assert_true(str_eq(buf_str(&one), buf_str(&two)));
            for (int64_t n = 0; n < one.n; n++) {
                Cut part = cut_of((Str){one.p, n});
                assert_int_equal(change_decode(&part, &back), ERR_CORRUPT);
            }
            buf_free(&one), buf_free(&two);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),         cmocka_unit_test(test_reclaim), cmocka_unit_test(test_overrun),
        cmocka_unit_test(test_ring_limit),    cmocka_unit_test(test_index),   cmocka_unit_test(test_hub),
        cmocka_unit_test(test_refusals),      cmocka_unit_test(test_models),  cmocka_unit_test(test_change_bytes),
        cmocka_unit_test(test_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
