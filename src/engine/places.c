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
    if (w->open) {
        w->at.to = p->arrival;
        if (!w->fn(w->ctx, &w->at)) {
            w->stopped = true;
            return false;
        }
    }
    w->at = (TwinPlace){.from = p->arrival};
    w->open = trail_place(p->bits, &w->at.table, &w->at.row);
    return true;
}

// Where it stood when history began.
static Err begin(History *h, uint64_t twin, Walk *w) {
    Arena keep;
    HistoryPoint p;
    arena_init(&keep, 0);
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
    w.at.to = INT64_MAX;
    if (w.open && !w.stopped) fn(ctx, &w.at);
    return ERR_OK;
}
