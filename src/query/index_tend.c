// SPDX-License-Identifier: Apache-2.0
// When indexes come and go. All costs are in rows of a scan.
//
//  1. A wish grows by what an up-to-date index would have saved a query; at BUILD_COST rows for every row of the
//     column, times `pain`, the index is due (as with skis: rent until the rent paid would have bought them).
//  2. A build that did not save its cost until the next one is due doubles `pain`; one that did halves it.
//  3. A newcomer drives out indexes worth less than it wishes to save (what they saved, halved at every build and
//     every refusal); when that is not enough, it is not built, and asks again after twice the pain.
//  4. An index that queries find too stale to use loses worth, and goes when it has none.
#include "query/cache_inner.h"

#define BUILD_COST 8.0 // for every row read and sorted
#define MERGE_COST 1.0 // for every row kept
#define PAIN_MAX 1048576.0
#define SPURNED_WORTH 0.9 // of what it was, when an index was of no use to a query

IndexKind query_index_kind(const QueryTest *t) {
    return t->cell == CELL_STR && query_test_is_equality(t) ? INDEX_HASH : INDEX_ORDER;
}

// ---- using ----

static int64_t count_rows(const Index *ix, const QueryTest *t) {
    int64_t rows = 0, from, to;
    for (int32_t i = 0; i < t->count; i++) {
        uint64_t key = t->ranges[i].hash >> KEY_HASH_DROPPED;
        bool hash = ix->kind == INDEX_HASH;
        query_index_find(ix, hash ? key : t->ranges[i].lo, hash ? key : t->ranges[i].hi, &from, &to);
        rows += to - from;
    }
    return rows;
}

Index *query_cache_best_index(QueryCache *c, const QueryTest *t, int64_t *rows) {
    Index *found[INDEX_KINDS] = {NULL};
    query_cache_lock(c);
    const Column *col = t->col < c->column_cap ? c->columns[t->col] : NULL;
    for (int k = 0; col && k < INDEX_KINDS; k++) {
        if (k == INDEX_HASH && query_index_kind(t) != INDEX_HASH) continue;
        found[k] = col->index[k];
        if (found[k]) found[k]->refs++;
    }
    query_cache_unlock(c);
    Index *best = NULL;
    for (int k = 0; k < INDEX_KINDS; k++) {
        if (!found[k]) continue;
        int64_t n = count_rows(found[k], t);
        Index *worse = best && n >= *rows ? found[k] : best;
        if (worse != found[k]) {
            best = found[k];
            *rows = n;
        }
        if (worse) query_cache_index_unref(c, worse);
    }
    return best;
}

// (locked)
static void unref(QueryCache *c, Index *ix) {
    if (--ix->refs) return;
    c->bytes -= query_index_bytes(ix);
    query_index_free(ix);
}

void query_cache_index_unref(QueryCache *c, Index *ix) {
    query_cache_lock(c);
    unref(c, ix);
    query_cache_unlock(c);
}

// ---- wishing ----

static double build_cost(const Column *col, IndexKind kind, uint64_t pages) {
    const Index *old = col->index[kind];
    double rows = (double)pages * PAGE_ROWS;
    if (!old) return rows * BUILD_COST;
    double again = (double)old->stale * PAGE_ROWS;
    return again * BUILD_COST + (double)old->count * MERGE_COST;
}

void query_cache_wish(QueryCache *c, Column *col, IndexKind kind, double rows, uint64_t pages) {
    Demand *d = &col->demand[kind];
    if (pages < INDEX_PAGES_LEAST || pages > INDEX_PAGES_MOST) return;
    col->pages = pages;
    d->wish += rows;
    if (d->wish < d->pain * build_cost(col, kind, pages)) return;
    if (c->due && c->due->demand[c->due_kind].wish > d->wish) return;
    c->due = col;
    c->due_kind = kind;
}

// ---- building ----

// (locked)
static void drop(QueryCache *c, Column *col, IndexKind kind) {
    unref(c, col->index[kind]);
    col->index[kind] = NULL;
    col->demand[kind] = (Demand){.pain = col->demand[kind].pain};
    c->index_count--;
    c->dropped++;
}

void query_cache_drop_indexes(QueryCache *c, Column *col) {
    for (int k = 0; k < INDEX_KINDS; k++)
        if (col->index[k]) drop(c, col, (IndexKind)k);
}

void query_cache_spurn(QueryCache *c, Column *col, IndexKind kind) {
    Demand *d = &col->demand[kind];
    d->worth *= SPURNED_WORTH;
    if (d->worth < 1 && col->index[kind]) drop(c, col, kind);
}

// (locked) Drive out indexes worth less than `wish`, the least useful first, until `need` bytes are free.
static bool make_room(QueryCache *c, const Column *keep, int64_t need, double wish) {
    while (c->bytes + need > c->bytes_max) {
        Column *victim = NULL;
        int kind = 0;
        for (uint32_t i = 0; i < c->column_cap; i++) {
            for (int k = 0; c->columns[i] && k < INDEX_KINDS; k++) {
                Column *col = c->columns[i];
                if (!col->index[k] || col == keep || col->demand[k].worth >= wish) continue;
                if (victim && col->demand[k].worth >= victim->demand[kind].worth) continue;
                victim = col;
                kind = k;
            }
        }
        if (!victim) return false;
        drop(c, victim, (IndexKind)kind);
    }
    return true;
}

// (locked) What indexes saved long ago counts less and less.
static void age_all(QueryCache *c) {
    for (uint32_t i = 0; i < c->column_cap; i++) {
        for (int k = 0; c->columns[i] && k < INDEX_KINDS; k++) c->columns[i]->demand[k].worth /= 2;
    }
}

// (locked) Most bytes a build may take: its entries and as much again for sorting or merging, and marks.
static int64_t bytes_needed(const Column *col, IndexKind kind) {
    double share = col->sample.keys && col->sample.defined < 1 ? col->sample.defined : 1;
    double rows = (double)col->pages * PAGE_ROWS * (share * 1.1 < 1 ? share * 1.1 : 1);
    if (col->index[kind] && (double)col->index[kind]->count > rows) rows = (double)col->index[kind]->count;
    return (int64_t)((rows + 2 * PAGE_ROWS) * 2 * 12) + (int64_t)col->pages * 8;
}

// One build, from being due to being there.
typedef struct Work {
    Column *col;
    IndexKind kind;
    CellKind cell;
    uint32_t vec;
    Index *old; // with one more user, NULL: none
    int64_t room;
    int64_t forgets; // the cache's when it began
} Work;

static void worsen(Demand *d) {
    d->wish = 0;
    if (d->pain < PAIN_MAX) d->pain *= 2;
}

// (locked) Did the last build pay? It is asked when the next one is due.
static void judge(Demand *d) {
    if (d->cost <= 0) return;
    if (d->saved < d->cost && d->pain < PAIN_MAX) d->pain *= 2;
    if (d->saved >= d->cost && d->pain > 1) d->pain /= 2;
}

static bool work_begin(QueryCache *c, Work *work) {
    query_cache_lock(c);
    Column *col = c->tending ? NULL : c->due;
    if (!col) {
        query_cache_unlock(c);
        return false;
    }
    c->due = NULL;
    *work = (Work){.col = col,
                   .kind = c->due_kind,
                   .cell = col->cell,
                   .vec = col->vec,
                   .old = col->index[c->due_kind],
                   .forgets = c->forgets};
    Demand *d = &col->demand[work->kind];
    judge(d);
    work->room = bytes_needed(col, work->kind);
    bool due = d->wish >= d->pain * build_cost(col, work->kind, col->pages);
    bool room = due && make_room(c, col, work->room, d->wish);
    if (due && !room) {
        worsen(d);
        age_all(c);
    }
    if (room) {
        c->bytes += work->room;
        c->tending = true;
        if (work->old) work->old->refs++;
    }
    query_cache_unlock(c);
    return room;
}

static void work_end(QueryCache *c, Work *work, Index *ix) {
    query_cache_lock(c);
    Column *col = work->col;
    Demand *d = &col->demand[work->kind];
    c->bytes -= work->room;
    c->tending = false;
    if (ix && work->forgets != c->forgets) { // it may have what is to be forgotten
        query_index_free(ix);
        ix = NULL;
    }
    if (ix) {
        d->cost = build_cost(col, work->kind, col->pages);
        if (col->index[work->kind]) unref(c, col->index[work->kind]);
        else c->index_count++;
        age_all(c);
        d->worth += d->wish;
        d->wish = d->saved = 0;
        col->index[work->kind] = ix;
        c->bytes += query_index_bytes(ix);
        c->built++;
    } else {
        worsen(d);
    }
    if (work->old) unref(c, work->old);
    query_cache_unlock(c);
}

void query_cache_tend(QueryCache *c, const World *w) {
    Work work;
    if (!work_begin(c, &work)) return;
    work_end(c, &work, query_index_build(w, work.vec, work.cell, work.kind, work.old, work.room));
}
