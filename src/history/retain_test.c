// SPDX-License-Identifier: Apache-2.0
// Merging and retention over random worlds by seed: merging changes nothing of what is told; retention lets go what the
// rules say and nothing else, and its means are those of a plain recomputation over everything that went; through
// restarts, power cuts and refused changes between slices.
//
//   SOSIA_SEED=n  the first seed        SOSIA_HISTORY_SEEDS=n  how many
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"
#include "history/merge_inner.h"
#include "history/test_lab.h"

#define VFS "retain"
#define US INT64_C(1000) // a batch takes one in the lab

static uint64_t env(const char *name, uint64_t otherwise) {
    const char *v = getenv(name);
    return v ? strtoull(v, NULL, 10) : otherwise;
}

static uint64_t below(HistoryLab *l, uint64_t n) { return rng_below(&l->rng, n); }

static void bounds(HistoryLab *l) {
    static const int64_t heads[] = {0, 30000, 200000};
    l->open.head_bytes_max = heads[l->seed % 3];
    l->open.cache_bytes_max = l->seed % 2 ? 0 : 5000;
}

// Until nothing is left to merge or to let go: a change may end between two looks of the lab.
static void rest(HistoryLab *l) {
    do history_lab_rest(l);
    while (l->h->merge->due_count || l->h->merge->under_way || l->h->merge->pass.running);
}

// ---- the shape of blocks ------------------------------------------------------------------------------------------

typedef struct PageShape {
    int64_t blocks, young_most, points;
    uint64_t lane, page, last;
    int64_t young, since_start, far; // far: blocks from one with a start
} PageShape;

static bool see_lane(void *ctx, const StoreLane *lane) {
    uint64_t *to = ctx;
    to[++to[0]] = lane->lane;
    return to[0] < 4000;
}

static bool see_block(void *ctx, const StoreHistory *row) {
    PageShape *s = ctx;
    assert_true(s->blocks == 0 || row->first > s->last);
    s->last = row->last;
    s->blocks++;
    s->young += row->tier == 0;
    s->since_start = row->start ? 0 : s->since_start + 1;
    if (s->since_start > s->far) s->far = s->since_start;
    return true;
}

// No page has many young blocks, or an instant far behind a block with a start.
static void check_shape(HistoryLab *l) {
    uint64_t *lanes = mem_alloc(4002 * sizeof *lanes), pages;
    StoreReader *r;
    assert_int_equal(store_reader_begin(l->store, &r), ERR_OK);
    assert_int_equal(store_history_lanes(r, see_lane, lanes), ERR_OK);
    for (uint64_t i = 1; i <= lanes[0]; i++) {
        assert_int_equal(store_history_pages(r, lanes[i], &pages), ERR_OK);
        for (uint64_t page = 0; page < pages; page++) {
            PageShape s = {.lane = lanes[i], .page = page};
            StoreHistoryAsk ask = {.lane = lanes[i], .page = page, .from = INT64_MIN, .to = INT64_MAX};
            assert_int_equal(store_history_rows(r, &ask, see_block, &s), ERR_OK);
            assert_true(s.young < MERGE_FAN);
            assert_true(s.far < 3 * MERGE_FAN);
        }
    }
    store_reader_end(r);
    mem_free(lanes);
}

// ---- merging ------------------------------------------------------------------------------------------------------

static void merging_changes_nothing(void **state) {
    (void)state;
    uint64_t first = env("SOSIA_SEED", 1), n = env("SOSIA_HISTORY_SEEDS", 1);
    for (uint64_t seed = first; seed < first + n; seed++) {
        HistoryLab l;
        TestVfs *disk = test_vfs_new(VFS);
        history_lab_init(&l, seed, STR("plant.sosia"), VFS);
        bounds(&l);
        int64_t merged = 0;
        for (int lives = 0; lives < 3; lives++) {
            assert_int_equal(history_lab_open(&l), ERR_OK);
            history_lab_check(&l, 2);
            for (int i = 0; i < 120; i++) {
                assert_int_equal(history_lab_write(&l, 1 + (int64_t)below(&l, 20)), ERR_OK);
                if (below(&l, 20) == 0) history_lab_moment(&l);
                if (below(&l, 2) == 0) history_lab_checkpoint(&l);
                for (uint64_t turns = below(&l, 12); turns > 0; turns--) history_lab_turn(&l);
                if (below(&l, 40) == 0) history_lab_check(&l, 2);
            }
            rest(&l);
            check_shape(&l);
            history_lab_check_all(&l);
            merged += atomic_load(&l.h->n.merged_blocks);
            history_lab_close(&l);
        }
        assert_true(merged > 500);
        history_lab_free(&l);
        test_vfs_free(disk);
    }
}

// ---- rules --------------------------------------------------------------------------------------------------------

static const HistoryKeep keeps[] = {
    {.raw_ns = 0},
    {.raw_ns = 160 * US, .step_ns = 50 * US},
    {.raw_ns = 100 * US},
    {.raw_ns = 320 * US, .step_ns = 20 * US},
};

static HistoryKeep keep_of_row(uint64_t lane, uint64_t row) {
    uint64_t of = lane_vec(lane) % 5;
    if (lane_vec(lane) < VECNO_COLUMNS || lane == LANE_BATCHES) return keeps[0];
    return keeps[of < 4 ? of : row % 4];
}

static HistoryKeep rule_lane(void *ctx, uint64_t lane, bool *rows) {
    (void)ctx;
    *rows = lane_vec(lane) >= VECNO_COLUMNS && lane_vec(lane) % 5 == 4;
    return keep_of_row(lane, 0);
}

static HistoryKeep rule_row(void *ctx, uint64_t lane, uint64_t row) {
    (void)ctx;
    return keep_of_row(lane, row);
}

static const HistoryRules rules = {NULL, rule_lane, rule_row};

// ---- what is left -------------------------------------------------------------------------------------------------

typedef struct Left {
    HistoryLab *l;
    const LabPoint **points; // of the row, in order of arrival
    bool *there;
    int64_t count, at;
} Left;

static bool see_point(void *ctx, const HistoryPoint *p) {
    Left *x = ctx;
    while (x->at < x->count && x->points[x->at]->seq != p->seq) x->at++;
    assert_true(x->at < x->count); // nothing that was not told, nothing twice
    x->there[x->at++] = true;
    return true;
}

typedef struct Told {
    HistoryMean list[4096];
    int64_t count;
} Told;

static bool see_mean(void *ctx, const HistoryMean *m) {
    Told *t = ctx;
    assert_true(t->count < 4096);
    t->list[t->count++] = *m;
    return true;
}

static int64_t own(const LabPoint *p) { return p->p.source_time ? p->p.source_time : p->time; }

// The mean of the points of [time, time + step) that went.
static HistoryMean plain(const Left *x, int64_t time, int64_t step) {
    HistoryMean m = {.time = time, .step_ns = step};
    int64_t first = INT64_MAX, last = INT64_MIN;
    long double sum = 0;
    for (int64_t i = 0; i < x->count; i++) {
        const LabPoint *p = x->points[i];
        double v;
        HCell cell = p->p.cell == CELL_F64 ? HCELL_F64 : p->p.cell == CELL_BOOL ? HCELL_BOOL : HCELL_I64;
        if (x->there[i] || (p->p.kind != TRAIL_PUT && p->p.kind != TRAIL_LATE)) continue;
        if (own(p) < time || own(p) >= time + step || !means_value(cell, p->p.bits, &v)) continue;
        if (!m.count++) m.min = m.max = v;
        m.min = fmin(m.min, v);
        m.max = fmax(m.max, v);
        sum += v;
        if (own(p) < first) first = own(p), m.first = v;
        if (own(p) >= last) last = own(p), m.last = v;
    }
    m.mean = m.count ? (double)(sum / m.count) : 0;
    return m;
}

static bool close_to(double a, double b, double scale) {
    return a == b || fabs(a - b) <= 1e-9 * scale || (isnan(a) && isnan(b)) || !isfinite(scale);
}

static void check_means(const Left *x, const HistorySeries *s, int64_t step) {
    static Told told;
    told.count = 0;
    assert_int_equal(history_means(x->l->h, s, see_mean, &told), ERR_OK);
    int64_t sum = 0, want = 0;
    for (int64_t i = 0; i < told.count; i++) {
        const HistoryMean *m = &told.list[i];
        HistoryMean p = plain(x, m->time, m->step_ns);
        assert_int_equal(m->step_ns, step);
        assert_true(i == 0 || m->time > m[-1].time);
        bool same = p.count == m->count && p.min == m->min && p.max == m->max && p.first == m->first &&
                    p.last == m->last && close_to(p.mean, m->mean, fmax(fabs(m->min), fabs(m->max)));
        if (!same)
            print_error("seed %llu, lane %llx, row %llu, mean at %lld: %lld %g %g %g %g, not %lld %g %g %g %g\n",
                        (unsigned long long)x->l->seed, (unsigned long long)s->lane, (unsigned long long)s->row,
                        (long long)m->time, (long long)m->count, m->min, m->max, m->first, m->last, (long long)p.count,
                        p.min, p.max, p.first, p.last);
        assert_true(same);
        sum += m->count;
    }
    for (int64_t i = 0; i < x->count && step; i++) want += !x->there[i];
    for (int64_t i = 0; i < x->count && step; i++) {
        const LabPoint *p = x->points[i];
        double v;
        HCell cell = p->p.cell == CELL_F64 ? HCELL_F64 : HCELL_I64;
        bool counts = (p->p.kind == TRAIL_PUT || p->p.kind == TRAIL_LATE) && !cell_is_text((CellKind)p->p.cell) &&
                      means_value(cell, p->p.bits, &v);
        want -= !x->there[i] && !counts;
    }
    assert_int_equal(sum, want); // every point that went is in one
}

// One row: nothing young went; when `let_go`, nothing old is left.
static int64_t check_row(HistoryLab *l, uint64_t lane, uint64_t row, int64_t now, bool let_go) {
    Left x = {.l = l, .points = mem_alloc((size_t)l->point_count * sizeof *x.points)};
    x.there = mem_alloc((size_t)l->point_count);
    for (int64_t i = 0; i < l->point_count; i++)
        if (l->points[i].lane == lane && l->points[i].p.row == row && l->points[i].p.kind != TRAIL_DEAD)
            x.points[x.count++] = &l->points[i];
    HistorySeries s = {
        .lane = lane, .row = row, .from = INT64_MIN, .to = INT64_MAX, .arrival = true, .everything = true};
    assert_int_equal(history_series(l->h, &s, see_point, &x), ERR_OK);
    HistoryKeep keep = keep_of_row(lane, row);
    int64_t gone = 0;
    for (int64_t i = 0; i < x.count; i++) {
        int64_t age = now - x.points[i]->time;
        if (!keep.raw_ns || age <= keep.raw_ns) assert_true(x.there[i]);
        if (let_go && keep.raw_ns && age > keep.raw_ns + keep.raw_ns / RETAIN_SLACK + keep.step_ns)
            assert_false(x.there[i]);
        gone += !x.there[i];
    }
    s.arrival = s.everything = false;
    if (x.count) check_means(&x, &s, keep.step_ns);
    mem_free(x.points);
    mem_free(x.there);
    return gone;
}

static int64_t check_rows(HistoryLab *l, int n, int64_t now, bool let_go) {
    int64_t gone = 0;
    while (atomic_load(&l->h->taken) < world_visible(l->world)) history_step(l->h);
    for (int i = 0; i < n; i++) {
        const LabPoint *p = &l->points[below(l, (uint64_t)l->point_count)];
        gone += check_row(l, p->lane, p->p.row, now, let_go);
    }
    return gone;
}

// Worlds of instants from history_from on are what they were; before there is an error.
static void check_worlds(HistoryLab *l) {
    int n = 0;
    int64_t from = history_from(l->h);
    for (int i = 0; i < l->moment_count; i++) {
        if (l->moments[i].at >= from) l->moments[n++] = l->moments[i];
        else buf_free(&l->moments[i].dump);
    }
    for (int i = n; i < l->moment_count; i++) l->moments[i].dump = (Buf){0};
    l->moment_count = n;
    history_lab_check_moments(l);
}

// ---- retention ----------------------------------------------------------------------------------------------------

// False: the power went.
static bool live(HistoryLab *l, int batches, int64_t *now) {
    for (int i = 0; i < batches; i++) {
        if (history_lab_write(l, 1 + (int64_t)below(l, 20)) != ERR_OK) return false;
        if (below(l, 20) == 0) history_lab_moment(l);
        if (below(l, 4) == 0) history_lab_checkpoint(l);
        if (below(l, 15) == 0) history_retain(l->h, *now = world_time(l->world));
        for (uint64_t turns = below(l, 12); turns > 0; turns--) history_lab_turn(l);
        if (below(l, 30) == 0 && !l->dying) check_rows(l, 2, *now, false);
    }
    return true;
}

static void let_all_go(HistoryLab *l, int64_t *now) {
    history_lab_checkpoint(l);
    rest(l);
    history_retain(l->h, *now = world_time(l->world));
    rest(l);
}

static void open_lab(HistoryLab *l) {
    assert_int_equal(history_lab_open(l), ERR_OK);
    history_rules(l->h, &rules);
}

static void one_life_after_another(uint64_t seed) {
    HistoryLab l;
    int64_t now = 0, gone = 0;
    TestVfs *disk = test_vfs_new(VFS);
    history_lab_init(&l, seed, STR("plant.sosia"), VFS);
    bounds(&l);
    for (int lives = 0; lives < 4; lives++) {
        open_lab(&l);
        if (l.point_count) check_rows(&l, 5, now, false);
        assert_true(live(&l, 220, &now));
        if (lives % 2) {
            let_all_go(&l, &now);
            gone += check_rows(&l, 40, now, true);
            check_shape(&l);
        }
        check_worlds(&l);
        history_lab_close(&l);
    }
    assert_true(gone > 0);
    history_lab_free(&l);
    test_vfs_free(disk);
}

// The power goes at any moment, between slices and within the change of one.
static void nothing_goes_twice_or_by_half(uint64_t seed) {
    HistoryLab l;
    int64_t now = 0, gone = 0;
    TestVfs *disk = test_vfs_new(VFS);
    history_lab_init(&l, seed, STR("plant.sosia"), VFS);
    bounds(&l);
    for (int lives = 0; lives < 6; lives++) {
        open_lab(&l);
        if (l.point_count) gone += check_rows(&l, 10, now, false);
        test_vfs_break(disk, TEST_FAULT_POWER, TEST_CHANGE, 100 + (int64_t)below(&l, 3000), 1);
        l.dying = true;
        (void)live(&l, 120, &now);
        l.dying = false;
        bool dead = test_vfs_dead(disk);
        test_vfs_break(disk, TEST_FAULT_NONE, 0, 0, 0);
        history_lab_close(&l);
        if (dead) test_vfs_power_on(disk, seed + (uint64_t)lives);
    }
    open_lab(&l);
    let_all_go(&l, &now);
    gone += check_rows(&l, 40, now, true);
    check_worlds(&l);
    assert_true(gone > 0);
    history_lab_close(&l);
    history_lab_free(&l);
    test_vfs_free(disk);
}

static void power_cuts(void **state) {
    (void)state;
    uint64_t first = env("SOSIA_SEED", 1), n = env("SOSIA_HISTORY_SEEDS", 1);
    for (uint64_t seed = first; seed < first + n; seed++) nothing_goes_twice_or_by_half(seed);
}

static void what_is_old_becomes_means(void **state) {
    (void)state;
    uint64_t first = env("SOSIA_SEED", 1), n = env("SOSIA_HISTORY_SEEDS", 1);
    for (uint64_t seed = first; seed < first + n; seed++) one_life_after_another(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merging_changes_nothing),
        cmocka_unit_test(what_is_old_becomes_means),
        cmocka_unit_test(power_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
