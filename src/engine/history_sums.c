// SPDX-License-Identifier: Apache-2.0
// What history takes on the disk, by model and property. Reads the directory of all blocks, none of their bytes.
#include <stdlib.h>
#include "base/mem.h"
#include "base/time.h"
#include "engine/engine.h"
#include "history/history.h"
#include "world/trail.h"

typedef struct Sum {
    Str model, relationship, property; // borrowed from the catalog, or static
    int64_t points, bytes, young_bytes, means_bytes, from, to;
} Sum;

typedef struct Sums {
    StoreLane *lanes; // ascending
    int64_t *young;   // bytes of young blocks, by place in lanes
    int64_t count, cap;
    Sum *list;
    int64_t list_count;
    StoreLane forks; // what they were told themselves
} Sums;

static bool take_lane(void *ctx, const StoreLane *l) {
    Sums *s = ctx;
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->lanes = mem_grow(s->lanes, (size_t)s->cap * sizeof *s->lanes);
    }
    s->lanes[s->count++] = *l;
    return true;
}

static int by_lane(const void *a, const void *b) {
    const StoreLane *x = a, *y = b;
    return (x->lane > y->lane) - (x->lane < y->lane);
}

static bool take_young(void *ctx, const StoreHistory *row) {
    Sums *s = ctx;
    StoreLane key = {.lane = row->lane};
    const StoreLane *l = s->count ? bsearch(&key, s->lanes, (size_t)s->count, sizeof key, by_lane) : NULL;
    if (l) s->young[l - s->lanes] += row->bytes.n;
    return true;
}

static Err read_lanes(Sosia *e, Sums *s) {
    StoreReader *r;
    TRY(store_reader_begin(e->store, &r));
    Err err = store_history_lanes(r, take_lane, s);
    if (s->count) qsort(s->lanes, (size_t)s->count, sizeof *s->lanes, by_lane);
    s->young = mem_alloc((size_t)(s->count + 1) * sizeof *s->young);
    if (!err) err = store_history_scan(r, 0, 0, take_young, s);
    if (!err) err = store_history_sum(r, 0, &s->forks);
    store_reader_end(r);
    return err;
}

// ---- what a lane is of --------------------------------------------------------------------------------------------

static Str part_of_world(uint32_t vec) {
    switch (vec) {
    case VECNO_HOT:
    case VECNO_COLD: return STR("$twins");
    case VECNO_LINK: return STR("$relationships");
    case VECNO_MODEL: return STR("$models");
    default: return STR("$index"); // names, tables, scalars, batches
    }
}

static void name_lane(const Catalog *c, uint64_t lane, Sum *out) {
    const Table *t;
    const LinkKind *k;
    uint32_t vec = lane_vec(lane);
    const Field *f = catalog_field(c, vec, &t, &k);
    if (f && t) out->model = t->model->id;
    if (f && k) {
        out->model = k->rel->owner->id;
        out->relationship = k->rel->name;
    }
    out->property = f ? f->path : part_of_world(vec);
    if (f || vec < TRAIL_TELEMETRY_VEC || vec - TRAIL_TELEMETRY_VEC >= (uint32_t)c->table_count) return;
    out->model = c->tables[vec - TRAIL_TELEMETRY_VEC].model->id;
    out->property = STR("$telemetry");
}

static int by_name(const void *a, const void *b) {
    const Sum *x = a, *y = b;
    int c = str_cmp(x->model, y->model);
    if (!c) c = str_cmp(x->relationship, y->relationship);
    return c ? c : str_cmp(x->property, y->property);
}

static void add(Sum *to, const Sum *s) {
    to->points += s->points;
    to->bytes += s->bytes;
    to->young_bytes += s->young_bytes;
    to->means_bytes += s->means_bytes;
    if (s->from < to->from) to->from = s->from;
    if (s->to > to->to) to->to = s->to;
}

// Lanes of one name become one.
static Err name_lanes(View *v, void *ctx) {
    Sums *s = ctx;
    s->list = mem_grow(s->list, (size_t)(s->count + 1) * sizeof *s->list);
    for (int64_t i = 0; i < s->count; i++) {
        const StoreLane *l = &s->lanes[i];
        s->list[i] = (Sum){.points = l->points - l->means_points,
                           .bytes = l->bytes,
                           .young_bytes = s->young[i],
                           .means_bytes = l->means_bytes,
                           .from = l->t0 ? l->t0 : l->t1, // 0: the state of an empty world
                           .to = l->t1};
        name_lane(v->catalog, l->lane, &s->list[i]);
    }
    if (s->count) qsort(s->list, (size_t)s->count, sizeof *s->list, by_name);
    s->list_count = 0;
    for (int64_t i = 0; i < s->count; i++) {
        Sum *last = s->list_count ? &s->list[s->list_count - 1] : NULL;
        if (last && by_name(last, &s->list[i]) == 0) add(last, &s->list[i]);
        else s->list[s->list_count++] = s->list[i];
    }
    return ERR_OK;
}

// ---- the document -------------------------------------------------------------------------------------------------

static void put_numbers(const Sum *s, Buf *out) {
    int64_t raw = s->bytes - s->means_bytes;
    buf_printf(out, "\"points\":%lld,\"bytes\":%lld,\"bytesPerPoint\":%.3g,", (long long)s->points, (long long)s->bytes,
               s->points ? (double)raw / (double)s->points : 0);
    buf_printf(out, "\"youngBytes\":%lld,\"mergedBytes\":%lld,\"meansBytes\":%lld", (long long)s->young_bytes,
               (long long)(raw - s->young_bytes), (long long)s->means_bytes);
    if (s->from > s->to) return;
    buf_str_put(out, STR(",\"from\":\""));
    time_print(s->from, 7, out);
    buf_str_put(out, STR("\",\"to\":\""));
    time_print(s->to, 7, out);
    buf_byte(out, '"');
}

static void put_sum(const Sum *s, Buf *out) {
    buf_byte(out, '{');
    if (s->model.n) {
        buf_str_put(out, STR("\"model\":"));
        json_put_str(out, s->model);
        buf_byte(out, ',');
    }
    if (s->relationship.n) {
        buf_str_put(out, STR("\"relationship\":"));
        json_put_str(out, s->relationship);
        buf_byte(out, ',');
    }
    buf_str_put(out, STR("\"property\":"));
    json_put_str(out, s->property);
    buf_byte(out, ',');
    put_numbers(s, out);
    buf_byte(out, '}');
}

// Runs with the view open: names are the catalog's.
static Err show(View *v, void *ctx) {
    struct {
        Sums *sums;
        Buf *out;
    } *x = ctx;
    Sum total = {.from = INT64_MAX, .to = INT64_MIN};
    TRY(name_lanes(v, x->sums));
    buf_reset(x->out);
    buf_str_put(x->out, STR("{\"value\":["));
    for (int64_t i = 0; i < x->sums->list_count; i++) {
        if (i) buf_byte(x->out, ',');
        put_sum(&x->sums->list[i], x->out);
        add(&total, &x->sums->list[i]);
    }
    buf_str_put(x->out, STR("],\"total\":{"));
    put_numbers(&total, x->out);
    buf_byte(x->out, '}');
    return ERR_OK;
}

static void put_rest(Sosia *e, const Sums *s, Buf *out) {
    HistoryStats h = {0};
    int64_t from = history_from(e->history);
    history_stats(e->history, &h);
    buf_printf(out, ",\"headBytes\":%lld,\"heads\":%lld,\"queueBytes\":%lld", (long long)h.head_bytes,
               (long long)h.heads, (long long)h.queue_bytes);
    if (s->forks.rows)
        buf_printf(out, ",\"forks\":{\"points\":%lld,\"bytes\":%lld}", (long long)s->forks.points,
                   (long long)s->forks.bytes);
    if (from) {
        buf_str_put(out, STR(",\"known\":\""));
        time_print(from, 7, out);
        buf_byte(out, '"');
    }
    buf_byte(out, '}');
}

SosiaErr sosia_history_stats(Sosia *s, const SosiaCaller *who, SosiaOut *out) {
    Sums sums = {0};
    struct {
        Sums *sums;
        Buf *out;
    } x = {&sums, &out->body};
    buf_reset(&out->message);
    if (!s->history) {
        buf_printf(&out->message, "no history is kept");
        return SOSIA_UNSUPPORTED;
    }
    Err err = read_lanes(s, &sums);
    if (!err) err = engine_read(s, who, STR("live"), show, &x, &out->seq);
    if (!err) put_rest(s, &sums, &out->body);
    mem_free(sums.lanes);
    mem_free(sums.young);
    mem_free(sums.list);
    return (SosiaErr)err;
}
