// SPDX-License-Identifier: Apache-2.0
// Erasing over random worlds by seed: afterwards everything that is told (series, last values, batches, rows as known,
// means) is what a plain list without what was erased tells, and every block that the file has is decoded and looked
// through for it; with points in heads, in young and merged blocks, before and after restarts.
//
//   SOSIA_SEED=n  the first seed        SOSIA_HISTORY_SEEDS=n  how many
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "base/mem.h"
#include "history/merge_inner.h"
#include "history/test_lab.h"
#include "world/forget.h"

#define VFS "erase"
#define US INT64_C(1000) // a batch takes one in the lab

static uint64_t env(const char *name, uint64_t otherwise) {
    const char *v = getenv(name);
    return v ? strtoull(v, NULL, 10) : otherwise;
}

static uint64_t below(HistoryLab *l, uint64_t n) { return rng_below(&l->rng, n); }

// ---- what is expected ---------------------------------------------------------------------------------------------

enum { SPANS = 60 };

typedef struct Plan {
    HistoryErase spans[SPANS];
    int64_t count;
} Plan;

static bool is_value(uint64_t lane) { return lane_vec(lane) >= VECNO_COLUMNS && lane != LANE_BATCHES; }

static bool is_name(uint64_t lane) { return lane == LANE_NAME || lane == LANE_LINK_RID; }

// Does the batch of point i clear its row behind it?
static bool cleared_behind(const HistoryLab *l, int64_t i) {
    const LabPoint *p = &l->points[i];
    for (int64_t k = i + 1; k < l->point_count && l->points[k].seq == p->seq; k++) {
        const LabPoint *x = &l->points[k];
        if (x->lane == p->lane && x->p.row == p->p.row && x->p.kind == TRAIL_CLEAR) return true;
    }
    return false;
}

static const HistoryErase *plan_find(const HistoryLab *l, const Plan *plan, int64_t i) {
    const LabPoint *p = &l->points[i];
    if (p->p.kind == TRAIL_DEAD) return NULL;
    for (int64_t k = 0; k < plan->count; k++) {
        const HistoryErase *e = &plan->spans[k];
        if (e->lane != p->lane || e->row != p->p.row) continue;
        if (p->time == e->from && p->p.kind == TRAIL_CLEAR) continue;
        if (p->time >= e->from && p->time < e->to) return e;
        if (p->time == e->to && cleared_behind(l, i)) return e;
    }
    return NULL;
}

// The lists as if it had never been.
static int64_t forget(HistoryLab *l, const Plan *plan) {
    int64_t kept = 0, changed = 0;
    const HistoryErase **fate = mem_alloc((size_t)l->point_count * sizeof *fate);
    for (int64_t i = 0; i < l->point_count; i++) fate[i] = plan_find(l, plan, i);
    for (int64_t b = 0; b < l->batch_count; b++) {
        LabBatch *batch = &l->batches[b];
        int64_t first = batch->first, n = batch->count;
        batch->first = kept;
        for (int64_t i = first; i < first + n; i++) {
            const HistoryErase *e = fate[i];
            changed += e != NULL;
            if (e && !e->instead.n) continue;
            l->points[kept] = l->points[i];
            if (e) l->points[kept].p.text = e->instead;
            kept++;
        }
        batch->count = kept - batch->first;
    }
    l->point_count = kept;
    mem_free(fate);
    return changed;
}

static void plan_make(HistoryLab *l, Plan *plan) {
    char room[32];
    plan->count = 0;
    for (int tries = 0; tries < 2000 && plan->count < SPANS; tries++) {
        const LabPoint *p = &l->points[below(l, (uint64_t)l->point_count)];
        if (p->p.kind == TRAIL_DEAD || (!is_value(p->lane) && !is_name(p->lane))) continue;
        HistoryErase e = {.lane = p->lane, .row = p->p.row, .to = INT64_MAX};
        if (is_name(p->lane)) {
            Str name = forget_name(p->p.row, room);
            e.instead = arena_str(&l->keep, name);
        } else if (below(l, 2)) {
            int64_t a = l->points[below(l, (uint64_t)l->point_count)].time, b = p->time + (int64_t)below(l, 2);
            e.from = a < b ? a : b;
            e.to = a < b ? b : a;
        }
        plan->spans[plan->count++] = e;
    }
}

// ---- rows as known ------------------------------------------------------------------------------------------------

// ORDER TRAIL
static const uint8_t kinds[TRAIL_KIND_COUNT] = {
    0, HPOINT_PUT, HPOINT_PUT, HPOINT_PUT, HPOINT_CLEAR, HPOINT_SOURCE, HPOINT_MOVED, HPOINT_LATE, HPOINT_PUT, 0};

static HState plain_state(const HistoryLab *l, uint64_t lane, uint64_t row, int64_t at) {
    HState s = {0};
    for (int64_t i = 0; i < l->point_count && l->points[i].time <= at; i++) {
        const LabPoint *p = &l->points[i];
        if (p->lane != lane || p->p.row != row || p->p.kind == TRAIL_DEAD) continue;
        HPoint x = {.kind = kinds[p->p.kind],
                    .bits = p->p.bits,
                    .text = p->p.text,
                    .source_time = p->p.source_time,
                    .update_time = p->p.update_time};
        hstate_apply(&s, &x, p->time);
    }
    return s;
}

static void check_state(HistoryLab *l, uint64_t lane, uint64_t row, int64_t at) {
    if (LANE_IS_TELEMETRY(lane)) return;
    HState is, was = plain_state(l, lane, row, at);
    HistoryDesk *d = history_desk_take(l->h);
    uint32_t r = (uint32_t)(row & (PAGE_ROWS - 1));
    assert_int_equal(history_states(l->h, d, lane, row >> PAGE_SHIFT, at, r, r, &is), ERR_OK);
    bool cell = is_value(lane);
    bool same = is.valid == was.valid &&
                (!is.valid || (is.bits == was.bits && str_eq(is.text, was.text) &&
                               (!cell || (is.update_time == was.update_time && is.source_time == was.source_time))));
    if (!same)
        print_error("seed %llu, lane %llx, row %llu at %lld\n", (unsigned long long)l->seed, (unsigned long long)lane,
                    (unsigned long long)row, (long long)at);
    assert_true(same);
    history_desk_give(l->h, d);
}

static void check_states(HistoryLab *l, const Plan *plan) {
    for (int64_t i = 0; i < plan->count; i++) {
        const HistoryErase *e = &plan->spans[i];
        for (int k = 0; k < 4; k++)
            check_state(l, e->lane, e->row, l->batches[below(l, (uint64_t)l->batch_count)].time);
        check_state(l, e->lane, e->row, INT64_MAX);
    }
    for (int i = 0; i < 60; i++) {
        const LabPoint *p = &l->points[below(l, (uint64_t)l->point_count)];
        if (p->p.kind == TRAIL_DEAD || (!is_value(p->lane) && !is_name(p->lane))) continue;
        check_state(l, p->lane, p->p.row, l->batches[below(l, (uint64_t)l->batch_count)].time);
    }
}

// ---- every block --------------------------------------------------------------------------------------------------

typedef struct Every {
    HistoryLab *l;
    const Plan *plan;
    HWork *work;
    Arena arena;
    StoreReader *rows;
    int64_t blocks, merged;
} Every;

static void look_at(Every *x, const StoreHistory *row, const HPoint *p, const HBatch *b, const HState *start) {
    for (int64_t k = 0; k < x->plan->count; k++) {
        const HistoryErase *e = &x->plan->spans[k];
        if (e->lane != row->lane || e->row >> PAGE_SHIFT != row->page) continue;
        uint32_t r = (uint32_t)(e->row & (PAGE_ROWS - 1));
        if (p && p->row == r && b->time >= e->from && b->time < e->to && p->kind != HPOINT_CLEAR) {
            assert_true(e->instead.n > 0);
            assert_true(str_eq(p->text, e->instead));
        }
        if (!start) continue;
        HState was = plain_state(x->l, e->lane, e->row, row->t0 - 1);
        assert_int_equal(start[r].valid, was.valid);
        if (was.valid) assert_true(start[r].bits == was.bits && str_eq(start[r].text, was.text));
    }
}

static bool see_block(void *ctx, const StoreHistory *at) {
    Every *x = ctx;
    StoreHistory row;
    HBlock b;
    const HPoint *points;
    int64_t n, used = 0;
    Err err = store_history_row(x->rows, at->id, &row);
    if (err == ERR_GONE) return true; // merged between the begins of the two readers
    assert_int_equal(err, ERR_OK);
    arena_reset(&x->arena);
    assert_int_equal(hblock_open(x->work, row.bytes, &x->arena, &b), ERR_OK);
    HState *start = b.has_start ? NEW(&x->arena, HState, HBLOCK_ROWS) : NULL;
    assert_int_equal(hblock_rows(x->work, &b, 0, HBLOCK_ROWS - 1, &x->arena, &points, &n, start), ERR_OK);
    for (int64_t i = 0; i < n; i++) look_at(x, &row, &points[i], &b.batches[points[i].batch], NULL);
    if (!LANE_IS_TELEMETRY(row.lane)) look_at(x, &row, NULL, NULL, start);
    assert_int_equal(row.points, n);
    bool *batch = NEW(&x->arena, bool, b.batch_count + 1); // a batch that has nothing left tells nothing
    for (int64_t i = 0; i < n; i++) used += !batch[points[i].batch], batch[points[i].batch] = true;
    assert_int_equal(used, b.batch_count);
    x->blocks++;
    x->merged += row.tier > 0;
    return true;
}

static int64_t check_blocks(HistoryLab *l, const Plan *plan) {
    Every x = {.l = l, .plan = plan, .work = hwork_new()};
    StoreReader *r;
    arena_init(&x.arena, 0);
    assert_int_equal(store_reader_begin(l->store, &r), ERR_OK);
    assert_int_equal(store_reader_begin(l->store, &x.rows), ERR_OK);
    assert_int_equal(store_history_scan(r, 0, STORE_TIER_MEANS - 1, see_block, &x), ERR_OK);
    store_reader_end(x.rows);
    store_reader_end(r);
    hwork_free(x.work);
    arena_free(&x.arena);
    return x.merged;
}

// ---- lives --------------------------------------------------------------------------------------------------------

static void write_some(HistoryLab *l, int batches) {
    for (int i = 0; i < batches; i++) {
        assert_int_equal(history_lab_write(l, 1 + (int64_t)below(l, 20)), ERR_OK);
        if (below(l, 3) == 0) history_lab_checkpoint(l);
        for (uint64_t turns = below(l, 12); turns > 0; turns--) history_lab_turn(l);
    }
}

static void keep_moments_out(HistoryLab *l) { // worlds of then are not what they were
    for (int i = 0; i < l->moment_count; i++) buf_free(&l->moments[i].dump);
    l->moment_count = 0;
}

static void check_everything(HistoryLab *l, const Plan *plan) {
    check_states(l, plan);
    history_lab_check_all(l);
}

static void erase_some(HistoryLab *l, Plan *plan) {
    int64_t points = 0, again = 0;
    plan_make(l, plan);
    history_lab_check(l, 1); // everything is in heads
    for (int64_t i = 0; i < plan->count; i++) check_state(l, plan->spans[i].lane, plan->spans[i].row, INT64_MAX);
    int64_t expect = forget(l, plan);
    assert_int_equal(history_erase(l->h, plan->spans, plan->count, &points), ERR_OK);
    if (points > expect)
        print_error("seed %llu: %lld of %lld\n", (unsigned long long)l->seed, (long long)points, (long long)expect);
    assert_true(points > 0 && points <= expect); // a name may stand there already
    check_everything(l, plan);
    assert_int_equal(history_erase(l->h, plan->spans, plan->count, &again), ERR_OK);
    assert_int_equal(again, 0);
}

static void one_seed(uint64_t seed) {
    HistoryLab l;
    TestVfs *disk = test_vfs_new(VFS);
    history_lab_init(&l, seed, STR("plant.sosia"), VFS);
    l.threads = seed % 2;
    l.open.head_bytes_max = seed % 2 ? 0 : 30000;
    l.open.cache_bytes_max = seed % 3 ? 0 : 5000;
    int64_t merged = 0;
    Plan plan;
    for (int life = 0; life < 3; life++) {
        assert_int_equal(history_lab_open(&l), ERR_OK);
        write_some(&l, 100);
        history_lab_check(&l, 2); // fills the cache
        erase_some(&l, &plan);
        write_some(&l, 30);
        erase_some(&l, &plan);
        history_lab_checkpoint(&l);
        history_lab_rest(&l);
        history_lab_checkpoint(&l); // the root is of now: no batch of the journal is told again
        history_lab_rest(&l);
        merged += check_blocks(&l, &plan);
        check_everything(&l, &plan);
        keep_moments_out(&l);
        history_lab_close(&l);
    }
    assert_int_equal(history_lab_open(&l), ERR_OK);
    check_everything(&l, &plan);
    history_lab_close(&l);
    assert_true(merged > 0);
    history_lab_free(&l);
    test_vfs_free(disk);
}

static void as_if_it_had_never_been(void **state) {
    (void)state;
    uint64_t first = env("SOSIA_SEED", 1), n = env("SOSIA_HISTORY_SEEDS", 2);
    for (uint64_t seed = first; seed < first + n; seed++) one_seed(seed);
}

// ---- means and states that retention made -------------------------------------------------------------------------

static HistoryKeep rule_lane(void *ctx, uint64_t lane, bool *rows) {
    (void)ctx;
    *rows = false;
    return is_value(lane) && !LANE_IS_TELEMETRY(lane) ? (HistoryKeep){.raw_ns = 40 * US, .step_ns = 10 * US}
                                                      : (HistoryKeep){0};
}

static bool count_mean(void *ctx, const HistoryMean *m) {
    *(int64_t *)ctx += m->count;
    return true;
}

static int64_t means_of(HistoryLab *l, uint64_t lane, uint64_t row) {
    int64_t n = 0;
    HistorySeries s = {.lane = lane, .row = row, .from = INT64_MIN, .to = INT64_MAX};
    assert_int_equal(history_means(l->h, &s, count_mean, &n), ERR_OK);
    return n;
}

static bool any_point(void *ctx, const HistoryPoint *p) {
    (void)p;
    *(bool *)ctx = true;
    return true;
}

// A row of which only a state and means are left, and its neighbours.
static void nothing_of_a_row_is_left(void **state) {
    (void)state;
    HistoryLab l;
    TestVfs *disk = test_vfs_new(VFS);
    history_lab_init(&l, env("SOSIA_SEED", 3), STR("plant.sosia"), VFS);
    const HistoryRules rules = {NULL, rule_lane, NULL};
    assert_int_equal(history_lab_open(&l), ERR_OK);
    history_rules(l.h, &rules);
    write_some(&l, 200);
    history_lab_checkpoint(&l);
    history_lab_rest(&l);
    history_retain(l.h, world_time(l.world));
    history_lab_rest(&l);
    int erased = 0, others = 0;
    for (int tries = 0; tries < 400 && erased < 20; tries++) {
        const LabPoint *p = &l.points[below(&l, (uint64_t)l.point_count)];
        if (!is_value(p->lane) || LANE_IS_TELEMETRY(p->lane) || !means_of(&l, p->lane, p->p.row)) continue;
        const LabPoint *o = p;
        for (int k = 0; k < 500 && (o->lane != p->lane || o->p.row == p->p.row); k++)
            o = &l.points[below(&l, (uint64_t)l.point_count)];
        bool other = o->lane == p->lane && o->p.row != p->p.row;
        int64_t before = other ? means_of(&l, o->lane, o->p.row) : 0, points;
        HistoryErase e = {.lane = p->lane, .row = p->p.row, .to = INT64_MAX};
        assert_int_equal(history_erase(l.h, &e, 1, &points), ERR_OK);
        assert_int_equal(means_of(&l, p->lane, p->p.row), 0);
        if (other) assert_int_equal(means_of(&l, o->lane, o->p.row), before);
        others += other && before > 0;
        HState is;
        HistoryDesk *d = history_desk_take(l.h);
        uint32_t r = (uint32_t)(p->p.row & (PAGE_ROWS - 1));
        for (int64_t at = history_from(l.h); at <= world_time(l.world); at += 7 * US) {
            assert_int_equal(history_states(l.h, d, p->lane, p->p.row >> PAGE_SHIFT, at, r, r, &is), ERR_OK);
            assert_false(is.valid);
        }
        history_desk_give(l.h, d);
        bool any = false;
        HistorySeries s = {.lane = e.lane, .row = e.row, .from = INT64_MIN, .to = INT64_MAX, .everything = true};
        assert_int_equal(history_series(l.h, &s, any_point, &any), ERR_OK);
        assert_false(any);
        erased++;
    }
    assert_true(erased > 5);
    assert_true(others > 0);
    history_lab_close(&l);
    history_lab_free(&l);
    test_vfs_free(disk);
}

// ---- finding, names of the dead -----------------------------------------------------------------------------------

typedef struct Found {
    uint64_t rows[4096];
    int64_t count;
} Found;

static bool see_row(void *ctx, uint64_t row) {
    Found *f = ctx;
    for (int64_t i = 0; i < f->count; i++)
        if (f->rows[i] == row) return true;
    assert_true(f->count < 4096);
    f->rows[f->count++] = row;
    return true;
}

static void check_find(HistoryLab *l, uint64_t lane, uint64_t mask, uint64_t value) {
    static Found is, was;
    is.count = was.count = 0;
    for (int64_t i = 0; i < l->point_count; i++) {
        const LabPoint *p = &l->points[i];
        if (p->lane == lane && p->p.kind == TRAIL_WORD && (p->p.bits & mask) == value) see_row(&was, p->p.row);
    }
    assert_int_equal(history_find(l->h, lane, mask, value, see_row, &is), ERR_OK);
    assert_int_equal(is.count, was.count);
    for (int64_t i = 0; i < was.count; i++) see_row(&is, was.rows[i]);
    assert_int_equal(is.count, was.count);
}

static bool see_dead(void *ctx, const StoreDead *d) {
    Found *f = ctx;
    f->rows[f->count++] = d->twin;
    return true;
}

static bool has_dead(HistoryLab *l, Str name, uint64_t twin) {
    static Found f;
    f.count = 0;
    assert_int_equal(history_dead(l->h, name, see_dead, &f), ERR_OK);
    for (int64_t i = 0; i < f.count; i++)
        if (f.rows[i] == twin) return true;
    return false;
}

static void rows_are_found_and_names_go(void **state) {
    (void)state;
    HistoryLab l;
    char room[32];
    TestVfs *disk = test_vfs_new(VFS);
    history_lab_init(&l, env("SOSIA_SEED", 5), STR("plant.sosia"), VFS);
    l.threads = true;
    int gone = 0, links = 0;
    for (int life = 0; life < 2; life++) {
        assert_int_equal(history_lab_open(&l), ERR_OK);
        write_some(&l, 120);
        for (int64_t i = 0; i < l.point_count; i++) {
            const LabPoint *p = &l.points[i];
            if (p->lane == LANE_LINK_SOURCE && p->p.bits && links < 20 && below(&l, 4) == 0) {
                check_find(&l, LANE_LINK_SOURCE, LANE_ID_MASK, p->p.bits & LANE_ID_MASK);
                links++;
            }
            if (p->p.kind != TRAIL_DEAD || below(&l, 2)) continue;
            Str now = forget_name(p->p.row, room);
            if (has_dead(&l, now, p->p.row)) continue;
            assert_true(has_dead(&l, p->p.text, p->p.row));
            assert_int_equal(history_erase_dead(l.h, &p->p.row, 1), ERR_OK);
            assert_false(has_dead(&l, p->p.text, p->p.row));
            assert_true(has_dead(&l, now, p->p.row));
            gone++;
        }
        history_lab_checkpoint(&l);
        history_lab_rest(&l);
        history_lab_close(&l);
    }
    assert_true(gone > 3);
    assert_true(links > 3);
    history_lab_free(&l);
    test_vfs_free(disk);
}

// A root waits for what nobody seals, for there is no thread; names go all the same.
static void names_go_while_a_checkpoint_waits(void **state) {
    (void)state;
    HistoryLab l;
    char room[32];
    TestVfs *disk = test_vfs_new(VFS);
    history_lab_init(&l, env("SOSIA_SEED", 7), STR("plant.sosia"), VFS);
    assert_int_equal(history_lab_open(&l), ERR_OK);
    const LabPoint *dead = NULL;
    for (int i = 0; i < 400 && !dead; i++) {
        assert_int_equal(history_lab_write(&l, 20), ERR_OK);
        for (int64_t k = 0; k < l.point_count; k++)
            if (l.points[k].p.kind == TRAIL_DEAD) dead = &l.points[k];
    }
    assert_non_null(dead);
    uint64_t twin = dead->p.row;
    Str name = arena_str(&l.keep, dead->p.text);
    history_lab_check(&l, 1); // it is in heads
    history_lab_checkpoint(&l);
    assert_true(store_checkpointing(l.store));
    assert_int_equal(history_erase_dead(l.h, &twin, 1), ERR_OK);
    assert_true(has_dead(&l, forget_name(twin, room), twin));
    assert_false(has_dead(&l, name, twin));
    history_lab_rest(&l);
    assert_true(has_dead(&l, forget_name(twin, room), twin));
    history_lab_close(&l);
    history_lab_free(&l);
    test_vfs_free(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_if_it_had_never_been),
        cmocka_unit_test(nothing_of_a_row_is_left),
        cmocka_unit_test(rows_are_found_and_names_go),
        cmocka_unit_test(names_go_while_a_checkpoint_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
