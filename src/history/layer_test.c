// SPDX-License-Identifier: Apache-2.0
// Histories of forks over random worlds by seed: parents, forks, forks of forks. Every reading function answers what a
// plain list of everything told to the fork and, up to where it began, to its parents says; through sealing, merging,
// erasing, drops, restarts from journals that were trimmed or not, and power cuts.
//
//   SOSIA_SEED=n  the first seed        SOSIA_HISTORY_SEEDS=n  how many
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/check.h"
#include "base/mem.h"
#include "history/test_lab.h"

#define VFS "layers"
enum { FORKS = 10, RING = 16384 };

static uint64_t env(const char *name, uint64_t otherwise) {
    const char *v = getenv(name);
    return v ? strtoull(v, NULL, 10) : otherwise;
}

// A fork: a lab of its own that has the family's store. Its lists begin with what its parents were told.
typedef struct Fork {
    HistoryLab lab;
    int parent; // place among forks; -1: live
    uint64_t world, fork_seq, sealed, newest;
    int64_t fork_time;
    bool gone;
} Fork;

typedef struct Family {
    HistoryLab live;
    Fork forks[FORKS];
    int count;
    uint64_t next_world;
    TestVfs *disk;
    char paths[40];
} Family;

static uint64_t below(Family *f, uint64_t n) { return rng_below(&f->live.rng, n); }

static HistoryLab *parent_of(Family *f, const Fork *x) { return x->parent < 0 ? &f->live : &f->forks[x->parent].lab; }

static bool dark(const Family *f) { return test_vfs_dead(f->disk); }

static void differ(const Family *f, const char *what, uint64_t a, uint64_t b) {
    fprintf(stderr, "seed %llu: %s: %llu %llu\n", (unsigned long long)f->live.seed, what, (unsigned long long)a,
            (unsigned long long)b);
    abort();
}

// ---- life ---------------------------------------------------------------------------------------------------------

static void open_handle(Family *f, Fork *x) {
    HistoryFork ask = {
        .parent = parent_of(f, x)->h, .world = x->world, .fork_seq = x->fork_seq, .fork_time = x->fork_time};
    assert_int_equal(history_fork(&ask, &x->lab.h), ERR_OK);
}

// All that the parent was told up to where the fork begins.
static void take_lists(Fork *x, const HistoryLab *from) {
    for (int64_t i = 0; i < from->batch_count; i++) {
        const LabBatch *b = &from->batches[i];
        Buf trail = {0};
        for (int64_t k = 0; k < b->count; k++) trail_put(&trail, &from->points[b->first + k].p);
        history_lab_keep(&x->lab, b->seq, b->time, b->source, buf_str(&trail));
        buf_free(&trail);
    }
}

static void fork_world(Family *f, Fork *x, World *from) {
    x->lab.domain = f->live.domain;
    x->lab.store = f->live.store;
    x->lab.world = world_fork(from, RING);
    world_keep_trail(x->lab.world, true);
}

static void fork_end(Fork *x) {
    if (x->gone || !x->lab.h) return;
    history_close(x->lab.h);
    world_free(x->lab.world);
    x->lab.h = NULL;
    x->lab.world = NULL;
    x->lab.store = NULL;
}

static void fork_make(Family *f) {
    Fork *x = &f->forks[f->count];
    *x = (Fork){.parent = (int)below(f, (uint64_t)f->count + 1) - 1, .world = ++f->next_world};
    if (x->parent >= 0 && f->forks[x->parent].gone) x->parent = -1;
    HistoryLab *from = parent_of(f, x);
    history_lab_init(&x->lab, f->live.seed * 100 + x->world, f->live.path, f->live.vfs);
    x->fork_seq = x->newest = x->sealed = world_seq(from->world);
    x->fork_time = world_time(from->world);
    open_handle(f, x);
    fork_world(f, x, from->world);
    take_lists(x, from);
    test_writer_look(&x->lab.writer, x->lab.world);
    store_world_put(f->live.store, x->world, STR("a fork"));
    history_lab_submitted(&f->live);
    if (dark(f)) { // nobody was told that it is
        fork_end(x);
        history_lab_free(&x->lab);
        return;
    }
    f->count++;
    if (x->fork_seq) history_lab_moment(&x->lab);
}

static void fork_write(Family *f, Fork *x, int64_t changes) {
    HistoryLab *l = &x->lab;
    uint64_t seq = world_seq(l->world) + 1;
    Buf bytes = {0}, trail = {0};
    test_writer_batch(&l->writer, l->world, seq, changes, &bytes);
    if (!bytes.n) {
        assert_true(dark(f)); // pages of the world below cannot be read any more
        return;
    }
    world_take_trail(l->world, &trail);
    View v = view_writer(l->world);
    StoreBatch b = {
        .world = x->world, .prev = seq - 1, .seq = seq, .ids = view_meta(&v, META_ID_MAX), .bytes = buf_str(&bytes)};
    store_submit_to(f->live.store, &b);
    history_lab_submitted(&f->live);
    if (dark(f)) { // its journal will tell
        buf_free(&trail);
    } else {
        world_settle(l->world, seq);
        history_lab_tell(l, seq, world_time(l->world), STR("test"), &trail);
        x->newest = seq;
    }
    buf_free(&bytes);
}

// Until nothing moves any more, or the power is gone.
static void rest(Family *f) {
    History *h = f->live.h;
    for (bool busy = true; busy && !dark(f);) {
        busy = history_lab_turn(&f->live) || !seal_idle(h) || store_checkpointing(f->live.store);
        pthread_mutex_lock(&h->lock);
        busy |= h->flying > 0;
        pthread_mutex_unlock(&h->lock);
        if (busy) thread_sleep_ns(20000);
    }
    if (!dark(f)) store_drain(f->live.store);
}

// Of a fork all is durable up to here.
static void fork_seal(Family *f, Fork *x) {
    history_seal(x->lab.h, x->newest);
    rest(f);
    uint64_t to = history_sealed(x->lab.h);
    if (to < x->newest && !dark(f)) differ(f, "not sealed", to, x->newest);
    x->sealed = to;
}

static void family_close(Family *f) {
    for (int i = 0; i < f->count; i++) fork_end(&f->forks[i]);
    history_lab_close(&f->live);
}

// ---- after a start ------------------------------------------------------------------------------------------------

// The world as it was by a history, to go on from.
static void world_of_then(Family *f, Fork *x, History *h, uint64_t seq, int64_t at) {
    PastSource src = history_past(h);
    World *past;
    uint64_t found = 0;
    int64_t time;
    if (!seq) {
        past = world_new(f->live.domain, 0);
    } else {
        assert_int_equal(history_seq_at(h, at, &found, &time), ERR_OK);
        if (found != seq || time != at) differ(f, "a fork lies over another batch", found, seq);
        assert_int_equal(world_past(f->live.domain, &src, seq, at, NULL, &past), ERR_OK);
    }
    fork_world(f, x, past);
    world_free(past);
}

// What the journal says, behind where the world stands.
static void replay(Family *f, Fork *x) {
    HistoryLab *l = &x->lab;
    Buf bytes = {0};
    StoreReader *r;
    uint64_t after = x->fork_seq;
    assert_int_equal(store_reader_begin(f->live.store, &r), ERR_OK);
    assert_int_equal(store_world_journal(r, x->world, &after, INT64_MAX, &bytes), ERR_OK);
    store_reader_end(r);
    assert_int_equal(history_replay_begin(l->h), ERR_OK);
    for (Cut c = cut_of(buf_str(&bytes)); c.p < c.end;) {
        BatchHead head;
        Cut peek = c;
        assert_int_equal(batch_decode(&peek, &head), ERR_OK);
        if (head.seq <= world_seq(l->world)) { // the trimmed part of it
            Change change;
            for (int64_t i = 0; i < head.count; i++) assert_int_equal(change_decode(&peek, &change), ERR_OK);
            c = peek;
            continue;
        }
        assert_int_equal(world_replay(l->world, &c, &head), ERR_OK);
        Str trail = world_trail(l->world);
        history_replay(l->h, &head, trail);
        if (head.seq <= x->newest) continue;
        history_lab_keep(l, head.seq, head.time, head.source, trail); // a power cut left its fate open
        x->newest = head.seq;
    }
    history_replay_end(l->h);
    buf_free(&bytes);
    if (world_seq(l->world) < x->newest) differ(f, "a batch of a fork is lost", world_seq(l->world), x->newest);
}

static int64_t time_of(const HistoryLab *l, uint64_t seq) {
    for (int64_t i = l->batch_count - 1; i >= 0; i--)
        if (l->batches[i].seq == seq) return l->batches[i].time;
    return 0;
}

static void wait_for(Family *f, HistoryLab *l, uint64_t seq) {
    if (f->live.threads) history_wait(l->h, seq);
    else
        while (history_step(f->live.h)) {}
}

static void fork_reopen(Family *f, Fork *x) {
    if (x->gone) return;
    HistoryLab *from = parent_of(f, x);
    open_handle(f, x);
    bool trimmed = x->sealed > x->fork_seq && below(f, 2);
    wait_for(f, from, x->fork_seq);
    if (trimmed) world_of_then(f, x, x->lab.h, x->sealed, time_of(&x->lab, x->sealed));
    else world_of_then(f, x, from->h, x->fork_seq, x->fork_time);
    replay(f, x);
    wait_for(f, &x->lab, x->newest);
    test_writer_look(&x->lab.writer, x->lab.world);
}

static Err family_open(Family *f) {
    Err err = history_lab_open(&f->live);
    if (err) return err;
    StoreReader *r;
    uint64_t world, ids;
    err = store_reader_begin(f->live.store, &r);
    if (!err) err = store_worlds_highest(r, &world, &ids);
    if (!err) store_reader_end(r);
    if (err) return err;
    View v = view_writer(f->live.world);
    uint64_t most = view_meta(&v, META_ID_MAX);
    domain_reserve_ids(f->live.domain, (ids > most ? ids : most) + 1);
    for (int i = 0; i < f->count && !dark(f); i++) fork_reopen(f, &f->forks[i]);
    return ERR_OK;
}

// ---- comparing what the lab does not ------------------------------------------------------------------------------

typedef struct Found {
    uint8_t rows[1 << 16];
} Found;

static bool see_row(void *ctx, uint64_t row) {
    ((Found *)ctx)->rows[row & 0xffff] = 1;
    return true;
}

static bool tells_value(const TrailPoint *p) {
    return p->kind != TRAIL_CLEAR && p->kind != TRAIL_SOURCE && p->kind != TRAIL_DEAD;
}

// Rows that ever had the value of some point.
static void check_find(Family *f, HistoryLab *l) {
    if (!l->point_count) return;
    const LabPoint *some = &l->points[below(f, (uint64_t)l->point_count)];
    Found *is = mem_alloc(sizeof *is), *was = mem_alloc(sizeof *was);
    for (int64_t i = 0; i < l->point_count; i++) {
        const LabPoint *p = &l->points[i];
        if (p->lane == some->lane && tells_value(&p->p) && p->p.bits == some->p.bits) was->rows[p->p.row & 0xffff] = 1;
    }
    assert_int_equal(history_find(l->h, some->lane, UINT64_MAX, some->p.bits, see_row, is), ERR_OK);
    if (memcmp(is, was, sizeof *is) != 0) differ(f, "rows that had a value", some->lane, some->p.bits);
    mem_free(is);
    mem_free(was);
}

static void check_times(Family *f, HistoryLab *l) {
    uint64_t seq = 0, expect = 0;
    int64_t time = 0, begun = 0, at = 0;
    if (!l->batch_count) return;
    const LabBatch *some = &l->batches[below(f, (uint64_t)l->batch_count)];
    at = some->time + (int64_t)below(f, 3) - 1;
    for (int64_t i = 0; i < l->batch_count; i++)
        if (l->batches[i].time <= at) expect = l->batches[i].seq;
    assert_int_equal(history_seq_at(l->h, at, &seq, &time), ERR_OK);
    if (seq != expect) differ(f, "the batch at an instant", seq, expect);
    assert_int_equal(history_begun(l->h, &begun), ERR_OK);
    if (begun != l->batches[0].time) differ(f, "the beginning", (uint64_t)begun, (uint64_t)l->batches[0].time);
    assert_int_equal(history_knows(l->h, at), ERR_OK);
}

static void check_lab(Family *f, HistoryLab *l, int n) {
    history_lab_check(l, n);
    check_find(f, l);
    check_times(f, l);
}

static void check_some(Family *f, int n) {
    if (f->count && !f->forks[f->count - 1].gone) check_lab(f, &f->forks[f->count - 1].lab, n);
    Fork *x = f->count ? &f->forks[below(f, (uint64_t)f->count)] : NULL;
    if (x && !x->gone) check_lab(f, &x->lab, n);
    check_lab(f, &f->live, n);
}

static void check_all(Family *f) {
    history_lab_check_all(&f->live);
    for (int i = 0; i < f->count; i++) {
        if (f->forks[i].gone) continue;
        history_lab_check_all(&f->forks[i].lab);
        check_find(f, &f->forks[i].lab);
        check_times(f, &f->forks[i].lab);
    }
}

// ---- lives --------------------------------------------------------------------------------------------------------

static void family_init(Family *f, uint64_t seed, TestVfs *disk) {
    static const int64_t heads[] = {0, 4096, 30000, 200000};
    *f = (Family){.disk = disk};
    history_lab_init(&f->live, seed, STR("family.sosia"), VFS);
    f->live.disk = disk;
    f->live.open.head_bytes_max = heads[seed % 4];
    f->live.open.cache_bytes_max = seed % 3 ? 0 : 5000;
}

static void family_free(Family *f) {
    for (int i = 0; i < f->count; i++) history_lab_free(&f->forks[i].lab);
    history_lab_free(&f->live);
}

static void turns(Family *f) {
    for (uint64_t n = below(f, 4); n > 0; n--) history_lab_turn(&f->live);
}

static Fork *some_fork(Family *f) {
    Fork *x = f->count ? &f->forks[below(f, (uint64_t)f->count)] : NULL;
    return x && !x->gone ? x : NULL;
}

static bool has_children(const Family *f, const Fork *x) {
    for (int i = 0; i < f->count; i++)
        if (!f->forks[i].gone && f->forks[i].parent == (int)(x - f->forks)) return true;
    return false;
}

static void step(Family *f) {
    Fork *x = some_fork(f);
    uint64_t dice = below(f, 100);
    if (!x || dice < 40) {
        if (history_lab_write(&f->live, 1 + (int64_t)below(f, 20)) != ERR_OK) return;
        if (dice < 5) history_lab_moment(&f->live);
    } else if (dice < 92) {
        fork_write(f, x, 1 + (int64_t)below(f, 20));
        if (dice < 48 && !dark(f)) history_lab_moment(&x->lab);
    } else if (dice < 95) history_lab_checkpoint(&f->live);
    else if (dice < 98) fork_seal(f, x);
    if (f->count < FORKS && below(f, 12) == 0 && !dark(f)) fork_make(f);
    turns(f);
}

static void seeds(uint64_t n, void (*fn)(uint64_t seed, TestVfs *disk)) {
    uint64_t first = env("SOSIA_SEED", 1);
    n = env("SOSIA_HISTORY_SEEDS", n);
    for (uint64_t seed = first; seed < first + n; seed++) {
        TestVfs *disk = test_vfs_new(VFS);
        fn(seed, disk);
        test_vfs_free(disk);
    }
}

static void lives_of(uint64_t seed, TestVfs *disk) {
    Family *f = mem_alloc(sizeof *f);
    family_init(f, seed, disk);
    for (int lives = 0; lives < 3; lives++) {
        assert_int_equal(family_open(f), ERR_OK);
        check_some(f, 3);
        for (int i = 0; i < 60; i++) {
            step(f);
            if (below(f, 25) == 0) check_some(f, 2);
        }
        if (lives == 2) rest(f);
        check_all(f);
        family_close(f);
    }
    family_free(f);
    mem_free(f);
}

static void what_forks_were_told_is_there(void **state) {
    (void)state;
    seeds(2, lives_of);
}

// ---- power cuts ---------------------------------------------------------------------------------------------------

static int cuts;

static void cuts_of(uint64_t seed, TestVfs *disk) {
    Family *f = mem_alloc(sizeof *f);
    family_init(f, seed, disk);
    for (int lives = 0; lives < 10; lives++) {
        assert_int_equal(family_open(f), ERR_OK);
        check_some(f, 2);
        test_vfs_break(disk, TEST_FAULT_POWER, TEST_CHANGE, 1 + (int64_t)below(f, 400), 1);
        for (int i = 0; i < 40 && !dark(f); i++) step(f);
        family_close(f);
        test_vfs_break(disk, TEST_FAULT_NONE, 0, 0, 0);
        if (!dark(f)) continue;
        test_vfs_power_on(disk, seed * 100 + (uint64_t)lives);
        cuts++;
    }
    assert_int_equal(family_open(f), ERR_OK);
    check_all(f);
    family_close(f);
    family_free(f);
    mem_free(f);
}

static void power_cuts(void **state) {
    (void)state;
    seeds(1, cuts_of);
    print_message("%d power cuts\n", cuts);
}

// ---- erasing ------------------------------------------------------------------------------------------------------

// The points of a row that a fork was told itself leave a list.
static void forget_row(HistoryLab *l, uint64_t lane, uint64_t row, uint64_t after, uint64_t to) {
    int64_t n = 0;
    for (int64_t i = 0; i < l->batch_count; i++) {
        LabBatch *b = &l->batches[i];
        int64_t first = n;
        for (int64_t k = b->first; k < b->first + b->count; k++) {
            LabPoint p = l->points[k];
            bool goes = p.lane == lane && p.p.row == row && p.p.kind != TRAIL_DEAD && b->seq > after && b->seq <= to;
            p.order = n;
            if (!goes) l->points[n++] = p;
        }
        b->first = first;
        b->count = n - first;
    }
    l->point_count = n;
}

static void erase_row(Family *f, Fork *x) {
    HistoryLab *l = &x->lab;
    if (!l->point_count) return;
    const LabPoint *some = &l->points[l->point_count - 1 - (int64_t)below(f, (uint64_t)l->point_count) / 2];
    if (some->p.kind == TRAIL_DEAD || lane_vec(some->lane) < VECNO_COLUMNS) return;
    uint64_t lane = some->lane, row = some->p.row;
    int64_t points = 0;
    HistoryErase what = {.lane = lane, .row = row, .from = INT64_MIN, .to = INT64_MAX};
    assert_int_equal(history_erase(l->h, &what, 1, &points), ERR_OK);
    forget_row(l, lane, row, x->fork_seq, UINT64_MAX);
    for (int i = 0; i < f->count; i++) { // who has it of it
        uint64_t to = UINT64_MAX;
        const Fork *up = &f->forks[i];
        if (up->gone) continue;
        while (up != x && up->parent >= 0) {
            to = up->fork_seq < to ? up->fork_seq : to;
            up = &f->forks[up->parent];
        }
        if (up == x && &f->forks[i] != x) forget_row(&f->forks[i].lab, lane, row, x->fork_seq, to);
    }
}

static void erased_of(uint64_t seed, TestVfs *disk) {
    Family *f = mem_alloc(sizeof *f);
    family_init(f, seed, disk);
    assert_int_equal(family_open(f), ERR_OK);
    for (int i = 0; i < 150; i++) step(f);
    for (int i = 0; i < f->count; i++) { // worlds as they were have what is erased
        for (int k = 0; k < f->forks[i].lab.moment_count; k++) buf_free(&f->forks[i].lab.moments[k].dump);
        f->forks[i].lab.moment_count = 0;
    }
    for (int i = 0; i < 60; i++) {
        Fork *x = some_fork(f);
        if (x) erase_row(f, x);
        turns(f);
        if (below(f, 10) == 0) check_some(f, 4);
    }
    rest(f);
    check_all(f);
    family_close(f);
    family_free(f);
    mem_free(f);
}

static void erasing_a_fork_leaves_others(void **state) {
    (void)state;
    seeds(2, erased_of);
}

// ---- drops --------------------------------------------------------------------------------------------------------

static StoreLane sum_of(Family *f, const Fork *x) {
    StoreReader *r;
    StoreLane sum;
    assert_int_equal(store_reader_begin(f->live.store, &r), ERR_OK);
    assert_int_equal(store_history_sum(r, x->world, &sum), ERR_OK);
    store_reader_end(r);
    return sum;
}

static void drops_of(uint64_t seed, TestVfs *disk) {
    Family *f = mem_alloc(sizeof *f);
    family_init(f, seed, disk);
    assert_int_equal(family_open(f), ERR_OK);
    for (int i = 0; i < 200; i++) step(f);
    for (int i = f->count - 1; i >= 0; i--) {
        Fork *x = &f->forks[i];
        if (has_children(f, x)) {
            // Its handle goes; children still read of it. Opened again it has what it was told.
            History *h = x->lab.h;
            history_close(h);
            turns(f);
            check_all(f);
            open_handle(f, x);
            assert_ptr_equal(h, x->lab.h);
            continue;
        }
        if (below(f, 2)) fork_seal(f, x);
        world_free(x->lab.world);
        history_close(x->lab.h);
        store_world_del(f->live.store, x->world);
        history_lab_submitted(&f->live);
        x->gone = true;
        x->lab.h = NULL;
        for (int k = 0; k < 3; k++) turns(f);
        rest(f);
        assert_int_equal(sum_of(f, x).rows, 0);
        check_some(f, 2);
    }
    rest(f);
    for (int i = 0; i < f->count; i++)
        if (f->forks[i].gone) assert_int_equal(sum_of(f, &f->forks[i]).rows, 0);
    check_all(f);
    family_close(f);
    family_free(f);
    mem_free(f);
}

static void dropped_forks_leave_nothing(void **state) {
    (void)state;
    seeds(1, drops_of);
}

// ---- a thousand ---------------------------------------------------------------------------------------------------

// Ten values in each, far from each other: what that takes stays within bounds; forks that were told nothing take
// their handle.
static void a_thousand_forks_are_small(void **state) {
    (void)state;
    enum { MANY = 1000, VALUES = 10, KEPT_MAX = 6 << 20 };
    TestVfs *disk = test_vfs_new(VFS);
    HistoryLab l;
    History *forks[MANY];
    HistoryStats stats = {0};
    history_lab_init(&l, 1, STR("many.sosia"), VFS);
    assert_int_equal(history_lab_open(&l), ERR_OK);
    assert_int_equal(history_lab_write(&l, 5), ERR_OK);
    while (history_lab_turn(&l)) {}
    for (uint64_t i = 0; i < MANY; i++) {
        HistoryFork f = {.parent = l.h, .world = i + 1, .fork_seq = 1, .fork_time = world_time(l.world)};
        assert_int_equal(history_fork(&f, &forks[i]), ERR_OK);
    }
    history_stats(l.h, &stats);
    int64_t idle = stats.head_bytes;
    assert_true(sizeof(History) < 1500);
    for (int i = 0; i < MANY; i++) {
        Buf trail = {0};
        for (uint64_t k = 0; k < VALUES; k++) {
            TrailPoint p = {.kind = TRAIL_PUT, .cell = CELL_F64, .vec = 80, .row = k * 4096, .bits = bits_of(1.5)};
            trail_put(&trail, &p);
        }
        history_add(forks[i], 2, world_time(l.world) + 1000, STR("test"), &trail);
    }
    while (history_lab_turn(&l)) {}
    history_stats(l.h, &stats);
    int64_t slots = 0;
    for (int i = 0; i < MANY; i++)
        slots += forks[i]->heads.cap * (int64_t)sizeof(Head) + forks[i]->lane_cap * (int64_t)sizeof(LanePages);
    int64_t kept = stats.head_bytes - idle + slots + MANY * (VALUES + 1) * (int64_t)sizeof(HeadRun);
    print_message("a handle takes %zu bytes; ten values in %d forks %lld KiB\n", sizeof(History), MANY,
                  (long long)kept >> 10);
    assert_true(kept < KEPT_MAX);
    for (int i = 0; i < MANY; i++) history_close(forks[i]);
    while (history_lab_turn(&l)) {}
    history_stats(l.h, &stats);
    assert_int_equal(stats.head_bytes, idle);
    history_lab_close(&l);
    history_lab_free(&l);
    test_vfs_free(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_forks_were_told_is_there), cmocka_unit_test(power_cuts),
        cmocka_unit_test(erasing_a_fork_leaves_others),  cmocka_unit_test(dropped_forks_leave_nothing),
        cmocka_unit_test(a_thousand_forks_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
