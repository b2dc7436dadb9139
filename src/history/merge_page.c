// SPDX-License-Identifier: Apache-2.0
// Merging: the blocks of a page that are due become one.
#include "base/check.h"
#include "history/merge_inner.h"

#define LEVEL_SHORT 3 // of zstd: blocks that will be merged again
#define LEVEL_LONG 6

typedef struct Joining {
    Merge *m;
    int64_t count; // joined
} Joining;

static Err join_row(void *ctx, const StoreHistory *h, bool *go_on) {
    Joining *j = ctx;
    *go_on = !j->count || j->m->splice.count + h->points <= HBLOCK_POINTS_MAX;
    if (!*go_on) return ERR_OK;
    TRY(splice_add(&j->m->splice, h, go_on));
    j->count += *go_on;
    return ERR_OK;
}

// Whether the block might get a start, so that the state must be known.
static bool wants_start(const MergePlan *p, const StoreHistory *rows) {
    int64_t points = 0, bytes = 0;
    if (store_lane_world(rows->lane)) return false; // what stood before is its parents'
    for (int64_t i = p->first; i < p->first + p->count; i++) {
        points += rows[i].points;
        bytes += rows[i].bytes.n;
    }
    return p->tier >= MERGE_TIER_START - 1 || merge_tier(p->tier, points, bytes) == MERGE_TIER_LONG;
}

static Err merge_read(Merge *m, StoreReader *r, const StoreHistory *rows, const MergePlan *p, int64_t *joined) {
    const StoreHistory *first = &rows[p->first];
    Joining j = {m, 0};
    splice_begin(&m->splice, merge_kind(first->lane));
    if (!first->start && wants_start(p, rows)) TRY(merge_state_before(m, r, first));
    TRY(merge_fetch(r, first, p->count, STORE_SLICE_BYTES, join_row, &j));
    *joined = j.count;
    return ERR_OK;
}

// A block that had the state at its start keeps it.
static bool keeps_start(const Merge *m, const StoreHistory *first, int32_t tier) {
    const Splice *s = &m->splice;
    if (!s->known) return false;
    if (store_lane_world(first->lane)) return first->start;
    return first->start || merge_start(tier, s->count, splice_states(s));
}

static Err merge_write(History *h, const StoreHistory *rows, const MergePlan *p, int64_t joined) {
    Merge *m = h->merge;
    const StoreHistory *first = &rows[p->first];
    StoreHistory out = {.lane = first->lane, .page = first->page};
    int64_t *gone = NEW(&m->list, int64_t, joined);
    for (int64_t i = 0; i < joined; i++) gone[i] = first[i].id;
    int32_t tier = merge_tier(p->tier, m->splice.count, 0);
    int level = tier == MERGE_TIER_LONG ? LEVEL_LONG : LEVEL_SHORT;
    buf_reset(&m->bytes);
    TRY(splice_end(&m->splice, keeps_start(m, first, tier), level, &out, &m->bytes));
    out.tier = merge_tier(tier, out.points, out.bytes.n);
    out.t0 = first->t0; // of a block whose first points were let go
    out.first = first->first;
    TRY(merge_put(h, &(StoreHistoryPut){.gone = gone, .gone_count = joined, .rows = &out, .row_count = 1}));
    atomic_fetch_add(&h->n.merged_blocks, joined);
    atomic_fetch_add(&m->n.merged_points, out.points);
    return ERR_OK;
}

static void recount(Merge *m, const Rows *rows, uint64_t lane, uint64_t page) {
    Place *p = merge_place(m, lane, page);
    p->young = 0;
    p->points = 0;
    for (int64_t i = 0; i < rows->count; i++) {
        if (rows->items[i].tier) continue;
        p->young++;
        p->points += rows->items[i].points;
    }
}

Err merge_page(History *h, uint64_t lane, uint64_t page, bool *more) {
    Merge *m = h->merge;
    StoreReader *r;
    MergePlan plan;
    int64_t joined = 0;
    arena_reset(&m->list);
    Rows rows = {.keep = &m->list};
    TRY(store_reader_begin(h->store, &r));
    Err err = merge_rows(r, lane, page, false, &rows);
    *more = !err && merge_plan(rows.items, rows.count, &plan);
    if (*more) err = merge_read(m, r, rows.items, &plan, &joined);
    store_reader_end(r);
    if (err) return err;
    recount(m, &rows, lane, page);
    if (!*more) return ERR_OK;
    CHECK(joined > 0);
    return merge_write(h, rows.items, &plan, joined);
}
