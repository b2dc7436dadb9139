// SPDX-License-Identifier: Apache-2.0
#include "engine/places.h"
#include "world/trail.h"

typedef struct Walk {
    TwinPlace at;
    bool open, stopped;
    bool (*fn)(void *ctx, const TwinPlace *p);
    void *ctx;
} Walk;

static bool take(void *ctx, const HistoryPoint *p) {
    Walk *w = ctx;
    TwinPlace next = {.from = p->arrival, .to = INT64_MAX, .seq_from = p->seq, .seq_to = UINT64_MAX};
    bool lives = trail_place(p->bits, &next.table, &next.row), moves = lives && w->open;
    if (w->open) {
        w->at.to = p->arrival;
        w->at.seq_to = p->seq;
        w->at.moved_on = moves;
        w->stopped = !w->fn(w->ctx, &w->at);
    }
    next.moved_in = moves;
    w->at = next;
    w->open = lives;
    return !w->stopped;
}

// Where it stood when history began.
static Err begin(History *h, uint64_t twin, Walk *w) {
    Arena keep;
    HistoryPoint p;
    arena_init(&keep, 0);
    w->at = (TwinPlace){.to = INT64_MAX, .seq_to = UINT64_MAX};
    Err err = history_last(h, LANE_PLACE, &twin, 1, 0, &keep, &p);
    if (!err && p.kind == HPOINT_PUT) w->open = trail_place(p.bits, &w->at.table, &w->at.row);
    arena_free(&keep);
    return err;
}

Err engine_twin_places(History *h, uint64_t twin, bool (*fn)(void *ctx, const TwinPlace *p), void *ctx) {
    Walk w = {.fn = fn, .ctx = ctx};
    HistorySeries s = {
        .lane = LANE_PLACE, .row = twin, .from = INT64_MIN, .to = INT64_MAX, .arrival = true, .everything = true};
    TRY(begin(h, twin, &w));
    TRY(history_series(h, &s, take, &w));
    if (w.open && !w.stopped) fn(ctx, &w.at);
    return ERR_OK;
}

typedef struct Tenants {
    uint64_t twin;
    bool others;
} Tenants;

static bool take_tenant(void *ctx, const HistoryPoint *p) {
    Tenants *t = ctx;
    bool is_free = p->kind != HPOINT_PUT || p->bits & ~LANE_ID_MASK; // free rows have a mark there
    t->others = t->others || (!is_free && p->bits != t->twin);
    return !t->others;
}

Err engine_place_shared(History *h, const Catalog *c, uint64_t twin, const TwinPlace *p, bool *out) {
    Tenants t = {.twin = twin};
    HistorySeries s = {.lane = trail_lane(c->tables[p->table].rows, 0),
                       .row = p->row,
                       .from = INT64_MIN,
                       .to = INT64_MAX,
                       .arrival = true,
                       .everything = true};
    TRY(history_series(h, &s, take_tenant, &t));
    *out = t.others;
    return ERR_OK;
}
