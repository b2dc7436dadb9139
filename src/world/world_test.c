// SPDX-License-Identifier: Apache-2.0
// Model-based property tests of the world against the naive reference of rig.h. A failure prints its seed.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/thread.h"
#include "world/rig.h"

// A world with its reference, and the reference of every applied batch that is not settled.
typedef struct Rig {
    World *w;
    Ref now;
    Ref *unsettled; // of batch visible + 1 + i
    int64_t unsettled_count;
    int64_t clock;
} Rig;

enum { UNSETTLED_MAX = 8 };

static void rig_init(Rig *r, Domain *d) {
    *r = (Rig){.w = world_new(d, 1 << 16), .unsettled = mem_alloc(UNSETTLED_MAX * sizeof(Ref))};
    world_begin(r->w, 1, r->clock = 1000);
    Change c = {.kind = CHANGE_MODELS_ADD, .text = rig_models()};
    assert_int_equal(world_do(r->w, &c), ERR_OK);
    world_end(r->w);
    world_settle(r->w, 1);
}

static void rig_fork(Rig *to, Rig *from) {
    *to = (Rig){.w = world_fork(from->w, 1 << 16), .now = from->now, .clock = from->clock};
    to->unsettled = mem_alloc(UNSETTLED_MAX * sizeof(Ref));
}

static void rig_free(Rig *r) {
    world_free(r->w);
    mem_free(r->unsettled);
}

static void expect_same(Str got, Str want, const char *what, uint64_t seed) {
    if (str_eq(got, want)) return;
    fprintf(stderr, "seed %llu: %s\n--- got\n%.*s--- want\n%.*s", (unsigned long long)seed, what, STR_ARG(got),
            STR_ARG(want));
    fail();
}

// What a view at the visible sequence shows is the reference of that batch; what the writer sees is the newest.
static void compare(Rig *r, uint64_t seed) {
    Buf got = {0}, want = {0};
    View v = view_writer(r->w);
    rig_print_view(&v, &got);
    rig_print_ref(v.catalog, &r->now, &want);
    expect_same(buf_str(&got), buf_str(&want), "writer's view", seed);
    buf_reset(&got);
    buf_reset(&want);
    view_begin(&v, r->w);
    rig_print_view(&v, &got);
    assert_false(v.overrun);
    rig_print_ref(v.catalog, r->unsettled_count ? &r->unsettled[0] : &r->now, &want);
    expect_same(buf_str(&got), buf_str(&want), "view at the visible sequence", seed);
    view_end(&v);
    buf_free(&got);
    buf_free(&want);
}

static Str read_all(Rig *r, Buf *out) {
    View v = view_writer(r->w);
    rig_print_view(&v, out);
    return buf_str(out);
}

// One batch of random changes; now and then it is rolled back.
static void step(Rig *r, Rng *rng) {
    Arena arena = {0};
    Ref before = r->now;
    world_begin(r->w, world_seq(r->w) + 1, world_next_time(r->w, r->clock += 100));
    uint64_t n = 1 + rng_below(rng, 12);
    for (uint64_t i = 0; i < n; i++) {
        Change c;
        if (!rig_draw(r->w, &r->now, rng, &arena, &c)) continue;
        Err e = world_do(r->w, &c);
        if (e != ERR_OK) fprintf(stderr, "kind %d: %s\n", c.kind, err_name(e));
        assert_int_equal(e, ERR_OK);
        View v = view_writer(r->w);
        rig_apply(v.catalog, &r->now, &c, world_time(r->w));
    }
    if (rng_below(rng, 6) == 0) {
        world_rollback(r->w);
        r->now = before;
    } else {
        world_end(r->w);
        r->unsettled[r->unsettled_count++] = before; // what readers see until this batch settles
    }
    arena_free(&arena);
}

static void settle_some(Rig *r, Rng *rng) {
    uint64_t visible = world_visible(r->w);
    uint64_t n = r->unsettled_count == UNSETTLED_MAX ? 1 + rng_below(rng, UNSETTLED_MAX) : rng_below(rng, 3);
    if (n > (uint64_t)r->unsettled_count) n = (uint64_t)r->unsettled_count;
    world_settle(r->w, visible + n);
    r->unsettled_count -= (int64_t)n;
    memmove(r->unsettled, r->unsettled + n, (size_t)r->unsettled_count * sizeof(Ref));
}

// A failed commit: everything not visible is undone.
static void fail_commit(Rig *r) {
    if (r->unsettled_count) r->now = r->unsettled[0];
    world_undo_to(r->w, world_visible(r->w));
    r->unsettled_count = 0;
}

static void settle_all(Rig *r) {
    world_settle(r->w, world_seq(r->w));
    r->unsettled_count = 0;
}

static void one_seed(uint64_t seed) {
    Rng rng = rng_make(seed, 0);
    Domain *d = domain_new();
    Rig rigs[6];
    int64_t count = 1;
    rig_init(&rigs[0], d);
    for (int i = 0; i < 60; i++) {
        Rig *r = &rigs[rng_below(&rng, (uint64_t)count)];
        step(r, &rng);
        if (rng_below(&rng, 3) == 0) compare(r, seed);
        if (r->unsettled_count == UNSETTLED_MAX || rng_below(&rng, 3) == 0) settle_some(r, &rng);
        if (rng_below(&rng, 12) == 0) fail_commit(r);
        if (rng_below(&rng, 10) == 0 && count < 6) {
            rig_fork(&rigs[count++], r);
        } else if (rng_below(&rng, 14) == 0 && count > 1) {
            int64_t gone = 1 + (int64_t)rng_below(&rng, (uint64_t)count - 1);
            rig_free(&rigs[gone]);
            rigs[gone] = rigs[--count];
        }
    }
    for (int64_t i = 0; i < count; i++) {
        compare(&rigs[i], seed);
        world_verify(rigs[i].w);
    }
    for (int64_t i = 0; i < count; i++) rig_free(&rigs[i]);
    domain_reclaim(d);
    DomainStats s = domain_stats(d);
    assert_int_equal(s.blocks, 0);
    domain_free(d);
}

// Random batches, rollbacks, failed commits, model changes, re-creations under the same name, forks of forks and frees
// give what the reference gives, for the writer and for readers at the visible sequence; nothing leaks.
static void test_random_worlds(void **state) {
    (void)state;
    const char *more = getenv("SOSIA_SEEDS");
    uint64_t seeds = more ? strtoull(more, NULL, 10) : 300;
    for (uint64_t seed = 1; seed <= seeds; seed++) one_seed(seed);
}

// ---- diff ----

typedef struct DiffLog {
    Buf twins, links, values;
    World *b;
} DiffLog;

static void on_twin(void *ctx, TwinId id, bool before, bool after) {
    buf_printf(&((DiffLog *)ctx)->twins, "%llu %d%d\n", (unsigned long long)id.v, before, after);
}

static void on_link(void *ctx, LinkId id, bool before, bool after) {
    buf_printf(&((DiffLog *)ctx)->links, "%llu %d%d\n", (unsigned long long)id.v, before, after);
}

static void on_value(void *ctx, TwinId twin, LinkId link, uint32_t col) {
    buf_printf(&((DiffLog *)ctx)->values, "%llu %llu %u\n", (unsigned long long)twin.v, (unsigned long long)link.v,
               col);
}

static const RefTwin *find_twin(const Ref *r, uint64_t id) {
    for (int i = 0; i < RIG_TWINS; i++) {
        if (r->twins[i].alive && r->twins[i].id == id) return &r->twins[i];
    }
    return NULL;
}

static const RefLink *find_link(const Ref *r, uint64_t id) {
    for (int i = 0; i < RIG_LINKS; i++) {
        if (r->links[i].alive && r->links[i].id == id) return &r->links[i];
    }
    return NULL;
}

static bool cell_differs(const RefCell *a, const RefCell *b) {
    return a->valid != b->valid || (a->valid && (a->bits != b->bits || strcmp(a->text, b->text) != 0));
}

// Does the log hold exactly these lines, in any order?
static int64_t lines(Str s) {
    int64_t n = 0;
    while (s.n) n += str_cut(&s, '\n').n > 0;
    return n;
}

static void expect_line(const Buf *log, Str line, int64_t *count) {
    Str rest = buf_str(log);
    while (rest.n) {
        if (str_eq(str_cut(&rest, '\n'), line)) {
            ++*count;
            return;
        }
    }
    fprintf(stderr, "diff misses: %.*s\n", STR_ARG(line));
    fail();
}

static void expect_values(const Catalog *c, const Ref *a, const Ref *b, const DiffLog *log) {
    int64_t count = 0;
    Arena arena = {0};
    for (uint64_t id = 1; id < 100000; id++) {
        const RefTwin *x = find_twin(a, id), *y = find_twin(b, id);
        if (!x || !y) continue;
        const Table *ta = &c->tables[x->model], *tb = &c->tables[y->model];
        for (int32_t i = 0; i < tb->model->field_count; i++) {
            const Field *f = &tb->model->fields[i], *g = model_field(ta->model, f->path);
            RefCell none = {0};
            const RefCell *from = g && g->cell == f->cell ? &x->cells[g - ta->model->fields] : &none;
            if (!cell_differs(from, &y->cells[i])) continue;
            expect_line(&log->values,
                        arena_printf(&arena, "%llu 0 %u", (unsigned long long)id, tb->first + (uint32_t)i), &count);
        }
    }
    for (uint64_t id = 1; id < 100000; id++) {
        const RefLink *x = find_link(a, id), *y = find_link(b, id);
        if (!x || !y) continue;
        const LinkKind *k = &c->kinds[y->kind];
        for (int32_t i = 0; i < k->rel->field_count; i++) {
            if (!cell_differs(&x->cells[i], &y->cells[i])) continue;
            expect_line(&log->values, arena_printf(&arena, "0 %llu %u", (unsigned long long)id, k->first + (uint32_t)i),
                        &count);
        }
    }
    assert_int_equal(count, lines(buf_str(&log->values)));
    arena_free(&arena);
}

static void expect_lives(const Ref *a, const Ref *b, const DiffLog *log) {
    int64_t twins = 0, links = 0;
    Arena arena = {0};
    for (uint64_t id = 1; id < 100000; id++) {
        bool x = find_twin(a, id) != NULL, y = find_twin(b, id) != NULL;
        if (x != y) expect_line(&log->twins, arena_printf(&arena, "%llu %d%d", (unsigned long long)id, x, y), &twins);
        x = find_link(a, id) != NULL, y = find_link(b, id) != NULL;
        if (x != y) expect_line(&log->links, arena_printf(&arena, "%llu %d%d", (unsigned long long)id, x, y), &links);
    }
    assert_int_equal(twins, lines(buf_str(&log->twins)));
    assert_int_equal(links, lines(buf_str(&log->links)));
    arena_free(&arena);
}

// The diff of a fork and its parent after both went on names exactly what differs in the references.
static void test_diff(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        Rng rng = rng_make(seed, 1);
        Domain *d = domain_new();
        Rig a, b;
        rig_init(&a, d);
        for (int i = 0; i < 20; i++) step(&a, &rng), settle_all(&a);
        rig_fork(&b, &a);
        uint64_t more = rng_below(&rng, 6);
        for (uint64_t i = 0; i < more; i++) {
            step(&a, &rng), settle_all(&a);
            step(&b, &rng), settle_all(&b);
        }
        DiffLog log = {.b = b.w};
        assert_int_equal(world_diff(a.w, b.w, &(DiffSink){&log, on_twin, on_link, on_value, NULL}), ERR_OK);
        View v = view_writer(b.w);
        expect_lives(&a.now, &b.now, &log);
        expect_values(v.catalog, &a.now, &b.now, &log);
        buf_free(&log.twins), buf_free(&log.links), buf_free(&log.values);
        rig_free(&a), rig_free(&b);
        domain_free(d);
    }
}

// ---- journal and checkpoint ----

typedef struct MemStore {
    Buf *blocks; // by id
    int64_t count, kept;
} MemStore;

static Err mem_put(void *ctx, Str bytes, uint64_t *id) {
    MemStore *m = ctx;
    m->blocks = mem_grow(m->blocks, (size_t)(m->count + 2) * sizeof(Buf));
    Buf *b = &m->blocks[++m->count];
    *b = (Buf){0};
    buf_str_put(b, bytes);
    *id = (uint64_t)m->count;
    return ERR_OK;
}

static Err mem_get(void *ctx, uint64_t id, Buf *out) {
    MemStore *m = ctx;
    if (id > (uint64_t)m->count) return ERR_CORRUPT;
    buf_str_put(out, buf_str(&m->blocks[id]));
    return ERR_OK;
}

static void mem_keep(void *ctx, uint64_t id) {
    (void)id;
    ((MemStore *)ctx)->kept++;
}

// A world stored by increments and loaded again, and one rebuilt by replaying its journal, equal the original and
// each other, byte for byte of their canonical text; a second checkpoint writes only what changed.
static void test_store_and_replay(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        Rng rng = rng_make(seed, 2);
        Domain *d = domain_new(), *d2 = domain_new();
        MemStore m = {0};
        BlockStore bs = {&m, mem_put, mem_get, mem_keep};
        Rig r;
        Buf journal = {0}, want = {0}, got = {0};
        uint64_t root = 0;
        rig_init(&r, d);
        for (int i = 0; i < 30; i++) {
            Arena arena = {0};
            world_begin(r.w, world_seq(r.w) + 1, world_next_time(r.w, r.clock += 100));
            for (int k = 0; k < 6; k++) {
                Change c;
                if (!rig_draw(r.w, &r.now, &rng, &arena, &c)) continue;
                assert_int_equal(world_do(r.w, &c), ERR_OK);
                View v = view_writer(r.w);
                rig_apply(v.catalog, &r.now, &c, world_time(r.w));
            }
            BatchHead head = {.seq = world_seq(r.w), .time = world_time(r.w), .source = STR("test")};
            Str changes = world_batch(r.w, &head.count);
            batch_encode(&head, changes, &journal);
            world_end(r.w);
            world_settle(r.w, world_seq(r.w));
            if (i % 10 == 5) {
                World *f = world_fork(r.w, 0);
                assert_int_equal(world_store(f, &bs, &root), ERR_OK);
                buf_reset(&journal);
                world_free(f);
            }
            arena_free(&arena);
        }
        World *loaded;
        assert_int_equal(world_load(d2, &bs, root, 1 << 14, &loaded), ERR_OK);
        world_verify(loaded);
        for (Cut c = cut_of(buf_str(&journal)); c.p < c.end;) {
            BatchHead head;
            assert_int_equal(world_replay(loaded, &c, &head), ERR_OK);
        }
        world_verify(loaded);
        View v = view_writer(loaded);
        rig_print_view(&v, &got);
        expect_same(buf_str(&got), read_all(&r, &want), "loaded and replayed", seed);
        assert_true(m.kept > 0);
        world_free(loaded);
        rig_free(&r);
        domain_free(d), domain_free(d2);
        for (int64_t i = 1; i <= m.count; i++) buf_free(&m.blocks[i]);
        mem_free(m.blocks);
        buf_free(&journal), buf_free(&want), buf_free(&got);
    }
}

// Damaged blocks are refused or give a world that passes every check; they never crash.
static void test_corrupt_blocks(void **state) {
    (void)state;
    Rng rng = rng_make(7, 3);
    Domain *d = domain_new();
    MemStore m = {0};
    BlockStore bs = {&m, mem_put, mem_get, mem_keep};
    Rig r;
    uint64_t root;
    rig_init(&r, d);
    for (int i = 0; i < 20; i++) step(&r, &rng), settle_all(&r);
    assert_int_equal(world_store(r.w, &bs, &root), ERR_OK);
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        Buf *b = &m.blocks[1 + rng_below(&rng, (uint64_t)m.count)];
        int64_t n = b->n, at = (int64_t)rng_below(&rng, (uint64_t)(n < 40 ? n : 40));
        char old = b->p[at];
        if (i % 2) b->p[at] = (char)rng_u32(&rng);
        else b->n = at;
        World *w;
        Err e = world_load(d, &bs, root, 1 << 14, &w);
        refused += e != ERR_OK;
        if (e == ERR_OK) world_free(w);
        b->n = n;
        b->p[at] = old;
    }
    assert_true(refused > 1000);
    rig_free(&r);
    domain_free(d);
    for (int64_t i = 1; i <= m.count; i++) buf_free(&m.blocks[i]);
    mem_free(m.blocks);
}

// ---- concurrent readers ----

enum { KEPT = 64 };

typedef struct Shared {
    World *w;
    pthread_mutex_t lock; // guards want
    struct {
        uint64_t seq;
        Buf text;
    } want[KEPT];
    _Atomic bool stop;
    _Atomic int64_t compared, overruns, wrong;
} Shared;

static void *reader(void *arg) {
    Shared *s = arg;
    Buf got = {0};
    while (!atomic_load(&s->stop)) {
        View v;
        view_begin(&v, s->w);
        buf_reset(&got);
        rig_print_view(&v, &got);
        uint64_t seq = v.seq;
        bool overrun = v.overrun;
        view_end(&v);
        if (overrun) {
            atomic_fetch_add(&s->overruns, 1);
            continue;
        }
        pthread_mutex_lock(&s->lock);
        if (s->want[seq % KEPT].seq == seq) {
            atomic_fetch_add(&s->compared, 1);
            if (!str_eq(buf_str(&got), buf_str(&s->want[seq % KEPT].text))) atomic_fetch_add(&s->wrong, 1);
        }
        pthread_mutex_unlock(&s->lock);
    }
    buf_free(&got);
    return NULL;
}

static void remember_seq(Shared *s, Rig *r) {
    pthread_mutex_lock(&s->lock);
    uint64_t seq = world_seq(r->w);
    Buf *b = &s->want[seq % KEPT].text;
    buf_reset(b);
    s->want[seq % KEPT].seq = seq;
    View v = view_writer(r->w);
    rig_print_ref(v.catalog, &r->now, b);
    pthread_mutex_unlock(&s->lock);
}

// Readers on other threads see exactly the state of their sequence while the writer goes on, forks, undoes and settles.
static void test_concurrent_readers(void **state) {
    (void)state;
    Rng rng = rng_make(11, 4);
    Domain *d = domain_new();
    Rig r, fork = {0};
    rig_init(&r, d);
    Shared s = {.w = r.w};
    pthread_mutex_init(&s.lock, NULL);
    remember_seq(&s, &r);
    Thread threads[2] = {0};
    for (int i = 0; i < 2; i++) assert_int_equal(thread_start(&threads[i], "reader", reader, &s), ERR_OK);
    for (int i = 0; i < 1500 || atomic_load(&s.compared) < 50; i++) {
        step(&r, &rng);
        remember_seq(&s, &r); // before it can become visible; a rolled-back batch remembers its predecessor again
        if (r.unsettled_count == UNSETTLED_MAX || rng_below(&rng, 3) == 0) settle_some(&r, &rng);
        if (rng_below(&rng, 50) == 0) fail_commit(&r);
        if (i % 100 == 50) rig_fork(&fork, &r);
        if (i % 100 == 80) rig_free(&fork);
        if (i % 8 == 0) thread_sleep_ns(50000);
    }
    atomic_store(&s.stop, true);
    for (int i = 0; i < 2; i++) thread_join(&threads[i]);
    assert_int_equal(atomic_load(&s.wrong), 0);
    assert_true(atomic_load(&s.compared) >= 50);
    for (int i = 0; i < KEPT; i++) buf_free(&s.want[i].text);
    pthread_mutex_destroy(&s.lock);
    rig_free(&r);
    domain_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_worlds),      cmocka_unit_test(test_diff),
        cmocka_unit_test(test_store_and_replay),   cmocka_unit_test(test_corrupt_blocks),
        cmocka_unit_test(test_concurrent_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
