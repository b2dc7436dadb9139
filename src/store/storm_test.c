// SPDX-License-Identifier: Apache-2.0
// Everything at once: live writes, forks that are written and dropped, readers of all of them, checkpoints every few
// milliseconds, models that come and go, and a disk that fails now and then. A reference world, fed with what was
// acknowledged, says what must stand after every undo and after opening again.
//
//   SOSIA_STORMS=n  lives, 4 when unset        SOSIA_SEED=n  the first one's seed
// LABELS: serial
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/store_inner.h"
#include "store/test_vfs.h"
#include "store/test_world.h"

#define RING 16384
#define VFS "storm"
#define FORKS 4
#define READERS 2
#define SENT_MAX 4096
#define CHECKPOINT_NS (5 * NS_PER_MS)

typedef struct Sent {
    uint64_t seq;
    Buf bytes;
} Sent;

typedef struct Fork {
    World *world;
    uint64_t base;
    int32_t readers;
    TestWriter writer;
} Fork;

typedef struct Storm {
    uint64_t seed;
    Rng rng;
    TestVfs *disk;
    Domain *domain;
    Store *store;
    World *world;
    TestWriter writer;
    _Atomic uint64_t acked;
    _Atomic bool failed, stop;
    _Atomic int64_t reads, overruns;
    int64_t undone, models, checkpoint_ns;
    pthread_mutex_t lock; // guards forks against readers
    Fork forks[FORKS];
    Domain *ref_domain;
    World *ref;
    Sent sent[SENT_MAX];
    int64_t sent_count;
} Storm;

// ---- the store's side ---------------------------------------------------------------------------------------------

static void on_commit(void *ctx, uint64_t last_seq) {
    Storm *s = ctx;
    world_publish(s->world, last_seq);
    atomic_store(&s->acked, last_seq);
}

static void on_fail(void *ctx, Err err, const char *why) {
    CHECK(err == ERR_STORAGE || err == ERR_STORAGE_FULL);
    CHECK(why[0]);
    atomic_store(&((Storm *)ctx)->failed, true);
}

static void storm_open(Storm *s) {
    StoreOpen o = {.path = STR("storm.sosia"),
                   .vfs = VFS,
                   .group_bytes_max = 4000,
                   .queue_bytes_max = 20000,
                   .ctx = s,
                   .on_commit = on_commit,
                   .on_fail = on_fail};
    Buf why = {0};
    s->domain = domain_new();
    Err e = store_open(&o, s->domain, RING, &s->store, &s->world, &why);
    if (e != ERR_OK) fail_msg("seed %llu: %.*s", (unsigned long long)s->seed, STR_ARG(buf_str(&why)));
    buf_free(&why);
    test_writer_look(&s->writer, s->world);
    atomic_store(&s->acked, world_seq(s->world));
}

static void storm_close(Storm *s) {
    store_close(s->store);
    world_free(s->world);
    domain_free(s->domain);
}

// ---- the reference ------------------------------------------------------------------------------------------------

static void catch_up(Storm *s, uint64_t seq) {
    int64_t left = 0;
    for (int64_t i = 0; i < s->sent_count; i++) {
        if (s->sent[i].seq > seq) {
            s->sent[left++] = s->sent[i];
            continue;
        }
        Cut c = cut_of(buf_str(&s->sent[i].bytes));
        BatchHead head;
        assert_int_equal(world_replay(s->ref, &c, &head), ERR_OK);
        buf_free(&s->sent[i].bytes);
    }
    s->sent_count = left;
}

static void forget_sent(Storm *s) {
    while (s->sent_count) buf_free(&s->sent[--s->sent_count].bytes);
}

static void same_world(Storm *s, const char *when) {
    Buf a = {0}, b = {0};
    test_world_dump(s->world, &a);
    test_world_dump(s->ref, &b);
    Str x = buf_str(&a), y = buf_str(&b);
    while (x.n || y.n) {
        Str p = str_cut(&x, '\n'), q = str_cut(&y, '\n');
        if (!str_eq(p, q))
            fail_msg("seed %llu, %s:\n%.*s\nexpected\n%.*s", (unsigned long long)s->seed, when, STR_ARG(p), STR_ARG(q));
    }
    buf_free(&a);
    buf_free(&b);
}

// ---- readers ------------------------------------------------------------------------------------------------------

// A view shows one sequence: its own number, as many twins and links as it counts, each found by its name.
static void look(Storm *s, const World *w, bool late) {
    View v;
    view_begin(&v, w);
    if (late) thread_sleep_ns(8 * NS_PER_MS); // meanwhile the world moves on
    uint64_t seq = view_meta(&v, META_SEQ), max = view_meta(&v, META_ID_MAX), twins = 0, links = 0;
    for (uint64_t id = 1024; id <= max && !v.overrun; id++) {
        TwinView t = view_twin(&v, (TwinId){id});
        twins += t.alive;
        if (t.alive && !v.overrun) CHECK(view_find_twin(&v, text_str(&t.name)).v == id || v.overrun);
        if (t.alive) CHECK(t.table < (uint32_t)v.catalog->table_count);
        LinkView l = view_link(&v, (LinkId){id});
        links += l.alive;
        if (l.alive) CHECK(view_find_link(&v, l.source, text_str(&l.rid)).v == id || v.overrun);
    }
    bool sound = seq == v.seq && twins == view_meta(&v, META_TWINS) && links == view_meta(&v, META_LINKS);
    CHECK(sound || v.overrun);
    atomic_fetch_add(&s->reads, 1);
    atomic_fetch_add(&s->overruns, v.overrun);
    view_end(&v);
}

static void *reader(void *arg) {
    Storm *s = arg;
    for (uint32_t turn = 0; !atomic_load(&s->stop); turn++) {
        Fork *f = &s->forks[turn % FORKS];
        look(s, s->world, turn % 8 == 1);
        pthread_mutex_lock(&s->lock);
        World *w = f->world;
        if (w) f->readers++;
        pthread_mutex_unlock(&s->lock);
        if (!w) continue;
        look(s, w, turn % 8 == 5);
        pthread_mutex_lock(&s->lock);
        f->readers--;
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

// ---- the writer ---------------------------------------------------------------------------------------------------

static uint64_t below(Storm *s, uint64_t n) { return rng_below(&s->rng, n); }

static void send(Storm *s, Buf bytes) {
    assert_true(s->sent_count < SENT_MAX);
    s->sent[s->sent_count++] = (Sent){world_seq(s->world), bytes};
    store_submit(s->store, world_seq(s->world), buf_str(&bytes));
}

// A batch that adds a model, or removes the one added last.
static void write_model(Storm *s) {
    char text[300];
    bool add = s->models % 2 == 0;
    View v = view_writer(s->world);
    if (!view_model_rows(&v)) return; // the first batch loads the others
    int n = snprintf(text, sizeof text,
                     add ? "[{\"@context\":\"dtmi:dtdl:context;2\",\"@id\":\"dtmi:test:Extra;%d\","
                           "\"@type\":\"Interface\",\"contents\":[{\"@type\":\"Property\","
                           "\"name\":\"note\",\"schema\":\"string\"}]}]"
                         : "dtmi:test:Extra;%d",
                     (int)(s->models / 2 + 1));
    Change c = {.kind = add ? CHANGE_MODELS_ADD : CHANGE_MODEL_REMOVE, .text = {text, n}};
    uint64_t seq = world_seq(s->world) + 1;
    world_begin(s->world, seq, world_next_time(s->world, (int64_t)seq * 1000));
    Err e = world_do(s->world, &c);
    s->models++;
    if (e != ERR_OK) { // the one to be removed was undone
        world_rollback(s->world);
        return;
    }
    if (below(s, 8) == 0) { // a command that fails later on
        world_rollback(s->world);
        s->models--;
        return;
    }
    Buf bytes = {0};
    BatchHead head = {.seq = seq, .time = world_time(s->world), .source = STR("test")};
    Str changes = world_batch(s->world, &head.count);
    batch_encode(&head, changes, &bytes);
    world_end(s->world);
    send(s, bytes);
}

static void write_live(Storm *s) {
    Buf bytes = {0};
    test_writer_batch(&s->writer, s->world, world_seq(s->world) + 1, 1 + (int64_t)below(s, below(s, 9) ? 9 : 120),
                      &bytes);
    send(s, bytes);
}

static void drop_fork(Storm *s, Fork *f) {
    pthread_mutex_lock(&s->lock);
    World *w = f->world;
    f->world = NULL;
    while (f->readers) {
        pthread_mutex_unlock(&s->lock);
        thread_sleep_ns(10000);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    if (!w) return;
    world_verify(w);
    world_free(w);
    test_writer_free(&f->writer);
}

// A fork is made, written or dropped; now and then it is a fork of a fork.
static void play_fork(Storm *s) {
    Fork *f = &s->forks[below(s, FORKS)], *from = &s->forks[below(s, FORKS)];
    if (!f->world) {
        bool deep = from->world && below(s, 3) == 0;
        Fork made = {.world = world_fork(deep ? from->world : s->world, 8192)};
        made.base = deep ? from->base : world_seq(s->world);
        made.writer.rng = rng_make(s->seed, below(s, 1000));
        test_writer_look(&made.writer, made.world);
        pthread_mutex_lock(&s->lock);
        *f = made;
        pthread_mutex_unlock(&s->lock);
    } else if (below(s, 12) == 0) {
        drop_fork(s, f);
    } else {
        Buf bytes = {0};
        test_writer_batch(&f->writer, f->world, world_seq(f->world) + 1, 1 + (int64_t)below(s, 20), &bytes);
        world_settle(f->world, world_seq(f->world));
        buf_free(&bytes);
    }
}

static void checkpoint(Storm *s) {
    if (time_mono_ns() - s->checkpoint_ns < CHECKPOINT_NS) return;
    s->checkpoint_ns = time_mono_ns();
    World *fork = world_fork(s->world, 0);
    if (!store_checkpoint(s->store, fork, world_seq(s->world))) world_free(fork);
}

static void break_disk(Storm *s) {
    static const int kinds[] = {TEST_WRITE, TEST_SYNC, TEST_CHANGE};
    TestFault fault = below(s, 2) ? TEST_FAULT_IO : TEST_FAULT_FULL;
    int kind = fault == TEST_FAULT_FULL ? TEST_WRITE : kinds[below(s, 3)];
    test_vfs_break(s->disk, fault, kind, 1 + (int64_t)below(s, 40), 1 + (int64_t)below(s, 3));
}

// What the engine does after on_fail; then the world must be what was acknowledged.
static void undo(Storm *s) {
    uint64_t acked = atomic_load(&s->acked);
    atomic_store(&s->failed, false);
    world_settle(s->world, acked);
    world_undo_to(s->world, acked);
    world_verify(s->world);
    for (int i = 0; i < FORKS; i++)
        if (s->forks[i].world && s->forks[i].base > acked) drop_fork(s, &s->forks[i]);
    catch_up(s, acked);
    forget_sent(s);
    assert_int_equal(world_seq(s->ref), acked);
    same_world(s, "after an undo");
    test_writer_look(&s->writer, s->world);
    s->undone++;
    store_resume(s->store);
}

static void step(Storm *s) {
    if (atomic_load(&s->failed)) undo(s);
    if (world_room(s->world) < RING / 2) {
        store_drain(s->store);
        if (!atomic_load(&s->failed)) world_settle(s->world, atomic_load(&s->acked));
        return;
    }
    uint64_t dice = below(s, 100);
    if (dice < 50) write_live(s);
    else if (dice < 54) write_model(s);
    else if (dice < 80) play_fork(s);
    else if (dice < 90) world_settle(s->world, atomic_load(&s->acked));
    else if (dice < 91) break_disk(s);
    else if (dice < 92) store_probe(s->store);
    if (s->sent_count > SENT_MAX / 2) catch_up(s, atomic_load(&s->acked));
    checkpoint(s);
}

// The disk is sound again: what is under way goes through or is undone once more.
static void calm(Storm *s) {
    test_vfs_break(s->disk, TEST_FAULT_NONE, 0, 0, 0);
    store_drain(s->store);
    if (atomic_load(&s->failed)) undo(s);
    write_live(s);
    store_drain(s->store);
    assert_false(atomic_load(&s->failed));
    assert_int_equal(atomic_load(&s->acked), world_seq(s->world));
    world_settle(s->world, world_seq(s->world));
    catch_up(s, world_seq(s->world));
    world_verify(s->world);
    same_world(s, "in the end");
}

static void live(Storm *s, uint64_t seed, int64_t steps) {
    pthread_t threads[READERS];
    *s = (Storm){.seed = seed, .rng = rng_make(seed, 0), .disk = test_vfs_new(VFS)};
    s->writer.rng = rng_make(seed, 1);
    s->ref_domain = domain_new();
    s->ref = world_new(s->ref_domain, 0);
    pthread_mutex_init(&s->lock, NULL);
    storm_open(s);
    assert_int_equal(store_start(s->store), ERR_OK);
    for (int i = 0; i < READERS; i++) assert_int_equal(pthread_create(&threads[i], NULL, reader, s), 0);
    for (int64_t i = 0; i < steps; i++) step(s);
    calm(s);
    atomic_store(&s->stop, true);
    for (int i = 0; i < READERS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < FORKS; i++) drop_fork(s, &s->forks[i]);
    StoreStats st;
    store_stats(s->store, &st);
    storm_close(s);
    storm_open(s); // and what was acknowledged is there
    world_verify(s->world);
    same_world(s, "opened again");
    storm_close(s);
    print_message("seed %llu: %lld commits, %lld undone, %lld checkpoints and %lld failed, %lld reads, %lld outrun\n",
                  (unsigned long long)seed, (long long)st.commits, (long long)s->undone, (long long)st.checkpoints,
                  (long long)st.checkpoints_failed, (long long)s->reads, (long long)s->overruns);
    world_free(s->ref);
    domain_free(s->ref_domain);
    test_writer_free(&s->writer);
    test_vfs_free(s->disk);
    pthread_mutex_destroy(&s->lock);
}

static void test_storm(void **state) {
    (void)state;
    const char *want = getenv("SOSIA_STORMS"), *seeded = getenv("SOSIA_SEED");
    int64_t lives = 4, seed = 1;
    if (want) assert_true(str_to_i64(str_of(want), &lives));
    if (seeded) assert_true(str_to_i64(str_of(seeded), &seed));
    Storm *s = mem_alloc(sizeof *s);
    for (int64_t i = 0; i < lives; i++) live(s, (uint64_t)(seed + i), 2500);
    mem_free(s);
}

// ---- a checkpoint of what is then undone ----------------------------------------------------------------------------

// One life without threads: batches that are acknowledged, batches that are not, a checkpoint in between, and a disk
// that fails at the at-th write. Afterwards the file, closed or torn from the socket, holds what was acknowledged.
static bool checkpoint_and_undo(Storm *s, uint64_t seed, int64_t at, int64_t times) {
    *s = (Storm){.seed = seed, .rng = rng_make(seed, 0), .disk = test_vfs_new(VFS)};
    s->writer.rng = rng_make(seed, 1);
    s->ref_domain = domain_new();
    s->ref = world_new(s->ref_domain, 0);
    storm_open(s);
    for (int i = 0; i < 4; i++) write_live(s);
    store_drain(s->store);
    s->checkpoint_ns = -CHECKPOINT_NS;
    if (seed & 1) checkpoint(s), store_drain(s->store); // with and without a root before
    world_settle(s->world, atomic_load(&s->acked));
    test_vfs_break(s->disk, TEST_FAULT_IO, TEST_CHANGE, at, times);
    for (int i = 0; i < 6; i++) {
        write_live(s);
        s->checkpoint_ns = -CHECKPOINT_NS;
        if (i == 1 || i == 4) checkpoint(s); // nothing of these batches is settled
        if (below(s, 3) == 0) store_step(s->store);
        if (atomic_load(&s->failed) && below(s, 2)) undo(s);
    }
    store_drain(s->store);
    bool broke = test_vfs_count(s->disk) >= at;
    test_vfs_break(s->disk, TEST_FAULT_NONE, 0, 0, 0);
    if (atomic_load(&s->failed)) undo(s);
    world_settle(s->world, atomic_load(&s->acked));
    catch_up(s, atomic_load(&s->acked));
    same_world(s, "before closing");
    if (below(s, 2)) checkpoint(s);
    store_drain(s->store);
    storm_close(s);
    storm_open(s);
    world_verify(s->world);
    same_world(s, "opened again");
    write_live(s); // and it can be written and stored again
    s->checkpoint_ns = -CHECKPOINT_NS;
    checkpoint(s);
    store_drain(s->store);
    StoreStats st;
    store_stats(s->store, &st);
    assert_int_equal(st.checkpoints, 1);
    storm_close(s);
    forget_sent(s);
    world_free(s->ref);
    domain_free(s->ref_domain);
    test_writer_free(&s->writer);
    test_vfs_free(s->disk);
    return broke;
}

static void test_checkpoint_and_undo(void **state) {
    (void)state;
    Storm *s = mem_alloc(sizeof *s);
    int64_t runs = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        for (int64_t at = 1; checkpoint_and_undo(s, seed, at, 1 + at % 4); at += 1 + at / 30) runs++;
    }
    print_message("%lld places to fail\n", (long long)runs);
    assert_true(runs > 60);
    mem_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checkpoint_and_undo),
        cmocka_unit_test(test_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
