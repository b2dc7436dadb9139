// SPDX-License-Identifier: Apache-2.0
// Twins of a name, living and dead; where each lived; in which lanes the properties lie.
#include "engine/history_ask.h"
#include <stdlib.h>
#include "base/check.h"
#include "engine/places.h"
#include "expr/expr.h"
#include "world/lane.h"

// Where a twin lived, or a relationship (table: its kind).
typedef struct Stay {
    TwinPlace at;
    bool shared; // the row was another's too
} Stay;

typedef struct Life {
    uint64_t id;
    uint64_t link; // now
    uint32_t link_kind;
} Life;

typedef struct Lives {
    HistAsk *x;
    Life *lives;
    int32_t count, cap;
    Stay *stays;
    int32_t stay_count, stay_cap;
} Lives;

// Room for one more in an array of the arena.
#define GROW(arena, array, T, count, cap)                                                                              \
    do {                                                                                                               \
        if ((count) < (cap)) break;                                                                                    \
        int32_t more_ = (cap) ? 2 * (cap) : 8;                                                                         \
        T *grown_ = NEW(arena, T, more_);                                                                              \
        if (count) memcpy(grown_, array, (size_t)(count) * sizeof(T));                                                 \
        (array) = grown_;                                                                                              \
        (cap) = more_;                                                                                                 \
    } while (0)

// ---- who --------------------------------------------------------------------------------------------------------

static Life *life_add(Lives *l, uint64_t id) {
    for (int32_t i = 0; i < l->count; i++)
        if (l->lives[i].id == id) return &l->lives[i];
    GROW(&l->x->arena, l->lives, Life, l->count, l->cap);
    l->lives[l->count] = (Life){.id = id};
    return &l->lives[l->count++];
}

// The living one. Called again when the view was outrun.
static Err find_living(View *v, void *ctx) {
    Lives *l = ctx;
    HistAsk *x = l->x;
    if (x->catalog) catalog_unref(x->catalog);
    x->catalog = (Catalog *)(uintptr_t)v->catalog; // held, not written
    catalog_ref(x->catalog);
    l->count = 0;
    TwinId id = view_find_twin(v, x->h->id);
    if (!id.v) return ERR_OK;
    TwinView t = view_twin_place(v, id);
    if (!t.alive) return ERR_OK;
    Life *life = life_add(l, id.v);
    if (!x->h->link.n) return ERR_OK;
    LinkId link = view_find_link(v, id, x->h->link);
    life->link = link.v;
    if (link.v) life->link_kind = view_link(v, link).kind;
    return ERR_OK;
}

static bool find_dead(void *ctx, const StoreDead *d) {
    Lives *l = ctx;
    (void)life_add(l, d->twin);
    return hist_go_on(l->x);
}

// ---- where --------------------------------------------------------------------------------------------------------

static void stay_add(Lives *l, Stay s) {
    GROW(&l->x->arena, l->stays, Stay, l->stay_count, l->stay_cap);
    l->stays[l->stay_count++] = s;
}

// Places as they were known with the newest batch that counts.
static bool on_place(void *ctx, const TwinPlace *p) {
    Lives *l = ctx;
    Stay s = {.at = *p};
    if (p->seq_from > l->x->bound) return false;
    if (p->seq_to > l->x->bound) {
        s.at.seq_to = UINT64_MAX;
        s.at.moved_on = false;
    }
    stay_add(l, s);
    return hist_go_on(l->x);
}

static Err places(Lives *l, const Life *life) {
    HistAsk *x = l->x;
    int32_t first = l->stay_count;
    TRY(engine_twin_places(x->history, life->id, on_place, l));
    for (int32_t i = first; x->kept_from && i < l->stay_count; i++) {
        Stay *s = &l->stays[i];
        if (s->at.table >= (uint32_t)x->catalog->table_count) continue;
        TRY(engine_place_shared(x->history, x->catalog, life->id, &s->at, &s->shared));
    }
    return x->stopped ? ERR_CLOSED : ERR_OK;
}

// ---- properties ---------------------------------------------------------------------------------------------------

static HistProp *prop_at(HistAsk *x, Str path) {
    int64_t at;
    if (map_get(&x->by_path, path, &at)) return &x->props[at];
    GROW(&x->arena, x->props, HistProp, x->prop_count, x->prop_cap);
    HistProp *p = &x->props[x->prop_count];
    *p = (HistProp){.path = arena_str(&x->arena, path)};
    map_put(&x->by_path, p->path, x->prop_count++);
    return p;
}

static HistClass class_of(const Field *f) {
    switch (f->cell) {
    case CELL_BOOL:
    case CELL_I64:
    case CELL_F64: return HIST_NUMBER;
    case CELL_STR: return HIST_TEXT;
    default: return HIST_DOC;
    }
}

// Lanes come from the newest stay to the oldest: the first tells what the property is.
static void lane_add(HistAsk *x, HistProp *p, const HistLane *lane) {
    GROW(&x->arena, p->lanes, HistLane, p->lane_count, p->lane_cap);
    p->lanes[p->lane_count++] = *lane;
}

static void field_add(HistAsk *x, const Stay *s, uint32_t first, const Field *fields, int32_t i) {
    const Field *f = &fields[i];
    HistProp *p = prop_at(x, f->path);
    if (!p->lane_count) {
        p->class = class_of(f);
        p->schema = f->type ? f->type->name : (Str){0};
        p->unit = f->unit;
    } else if (p->class != class_of(f)) {
        p->class = HIST_MIXED;
    }
    HistLane lane = {.lane = trail_lane(first + (uint32_t)i, 0),
                     .row = s->at.row,
                     .seq_from = s->at.seq_from,
                     .seq_to = s->at.seq_to,
                     .from = s->shared ? s->at.from : INT64_MIN,
                     .to = s->shared ? s->at.to : INT64_MAX,
                     .moved_in = s->at.moved_in,
                     .moved_on = s->at.moved_on,
                     .field = f};
    lane_add(x, p, &lane);
}

static void telemetry_add(HistAsk *x, const Stay *s, Str component, const Telemetry *t) {
    Str path = component.n ? arena_printf(&x->arena, "%.*s.%.*s", STR_ARG(component), STR_ARG(t->name)) : t->name;
    HistProp *p = prop_at(x, path);
    if (!p->lane_count) {
        p->class = HIST_MIXED;
        p->schema = t->type->name;
        p->unit = t->unit;
    }
    HistLane lane = {.lane = trail_lane(TRAIL_TELEMETRY_VEC + s->at.table, 0),
                     .row = s->at.row,
                     .seq_from = s->at.seq_from,
                     .seq_to = s->at.seq_to,
                     .component = component,
                     .member = t->name};
    lane_add(x, p, &lane);
}

static bool is_marker(const Field *f) { return f->cell == CELL_OBJECT || f->cell == CELL_COMPONENT; }

// Is `path` the wanted one, or inside it?
static bool within(Str path, Str wanted) {
    return str_starts(path, wanted) && (path.n == wanted.n || path.p[wanted.n] == '.');
}

// Add what of the model has the path, or lies inside it; all of it when none is wanted.
static void model_add(HistAsk *x, const Stay *s, Str wanted) {
    const Table *t = &x->catalog->tables[s->at.table];
    const Model *m = t->model;
    const Field *one = wanted.n ? model_field(m, wanted) : NULL;
    int32_t from = one ? (int32_t)(one - m->fields) : 0, to = one ? one->end : wanted.n ? 0 : m->field_count;
    for (int32_t i = from; i < to; i++)
        if (!is_marker(&m->fields[i])) field_add(x, s, t->first, m->fields, i);
    for (int32_t i = 0; i < m->telemetry_count; i++)
        if (!wanted.n || str_eq(m->telemetries[i].name, wanted)) telemetry_add(x, s, (Str){0}, &m->telemetries[i]);
    for (int32_t f = 0; f < m->field_count; f++) {
        const Model *c = m->fields[f].component;
        for (int32_t i = 0; c && i < c->telemetry_count; i++) {
            Str path = m->fields[f].path;
            Str name = arena_printf(&x->arena, "%.*s.%.*s", STR_ARG(path), STR_ARG(c->telemetries[i].name));
            if (!wanted.n || within(name, wanted)) telemetry_add(x, s, path, &c->telemetries[i]);
        }
    }
}

static void link_add(HistAsk *x, const Stay *s, Str wanted) {
    const LinkKind *k = &x->catalog->kinds[s->at.table];
    for (int32_t i = 0; i < k->rel->field_count; i++) {
        const Field *f = &k->rel->fields[i];
        if (!is_marker(f) && (!wanted.n || within(f->path, wanted))) field_add(x, s, k->first, k->rel->fields, i);
    }
}

static void add(HistAsk *x, const Stay *s, Str wanted) {
    if (x->h->link.n) link_add(x, s, wanted);
    else if (s->at.table < (uint32_t)x->catalog->table_count) model_add(x, s, wanted);
}

static void names_of(HistAsk *x, const Stay *s, Str **names, int32_t *n, int32_t *cap) {
    const LinkKind *k = x->h->link.n ? &x->catalog->kinds[s->at.table] : NULL;
    const Model *m = k ? NULL : x->catalog->tables[s->at.table].model;
    int32_t count = k ? k->rel->field_count : m->field_count;
    for (int32_t i = 0; i < count; i++) {
        GROW(&x->arena, *names, Str, *n, *cap);
        (*names)[(*n)++] = k ? k->rel->fields[i].path : m->fields[i].path;
    }
    for (int32_t i = 0; m && i < m->telemetry_count; i++) {
        GROW(&x->arena, *names, Str, *n, *cap);
        (*names)[(*n)++] = m->telemetries[i].name;
    }
}

static Err unknown(Lives *l, Str path) {
    HistAsk *x = l->x;
    Str *names = NULL;
    int32_t n = 0, cap = 0;
    for (int32_t i = 0; i < l->stay_count; i++) names_of(x, &l->stays[i], &names, &n, &cap);
    Str near = expr_nearest(path, names, n);
    const char *what = x->h->link.n ? "relationship" : "twin";
    Str id = x->h->link.n ? x->h->link : x->h->id;
    if (near.n)
        return hist_fail(x, ERR_ARGUMENT, "properties: %s \"%.*s\" never had \"%.*s\"; is it \"%.*s\"?", what,
                         STR_ARG(id), STR_ARG(path), STR_ARG(near));
    return hist_fail(x, ERR_ARGUMENT, "properties: %s \"%.*s\" never had \"%.*s\"", what, STR_ARG(id), STR_ARG(path));
}

static void add_all(Lives *l, Str wanted) {
    for (int32_t i = l->stay_count - 1; i >= 0; i--) add(l->x, &l->stays[i], wanted);
}

static Err name_props(Lives *l) {
    HistAsk *x = l->x;
    for (int32_t i = 0; i < x->h->property_count; i++) {
        int32_t before = x->prop_count;
        Str path = x->h->properties[i];
        int64_t at;
        if (map_get(&x->by_path, path, &at)) continue; // named twice, or inside what was named
        add_all(l, path);
        if (x->prop_count == before) return unknown(l, path);
        for (int32_t k = before; k < x->prop_count; k++) x->props[k].named = true;
    }
    if (!x->h->property_count) add_all(l, (Str){0});
    return ERR_OK;
}

static void lanes_turn(HistProp *p) {
    for (int32_t a = 0, b = p->lane_count - 1; a < b; a++, b--) {
        HistLane t = p->lanes[a];
        p->lanes[a] = p->lanes[b];
        p->lanes[b] = t;
    }
}

// ---- links --------------------------------------------------------------------------------------------------------

typedef struct Naming {
    HistAsk *x;
    bool match, known;
    uint32_t kind;
    bool has_kind;
} Naming;

static bool on_rid(void *ctx, const HistoryPoint *p) {
    Naming *n = ctx;
    if (p->kind != HPOINT_PUT || !p->text.n) return true;
    n->known = true;
    n->match = p->seq <= n->x->bound && str_eq(p->text, n->x->h->link);
    return false;
}

static bool on_kind(void *ctx, const HistoryPoint *p) {
    Naming *n = ctx;
    n->has_kind = p->kind == HPOINT_PUT && lane_link_kind(p->bits, &n->kind);
    return !n->has_kind;
}

typedef struct Heads {
    HistAsk *x;
    uint64_t *ids;
    int32_t count, cap;
    Map seen;
} Heads;

static bool on_head(void *ctx, const HistoryPoint *p) {
    Heads *h = ctx;
    if (p->kind != HPOINT_PUT || !p->bits) return true;
    int64_t at;
    if (map_get(&h->seen, (Str){(const char *)&p->bits, 8}, &at)) return true;
    GROW(&h->x->arena, h->ids, uint64_t, h->count, h->cap);
    h->ids[h->count++] = p->bits;
    map_put(&h->seen, arena_str(&h->x->arena, (Str){(const char *)&p->bits, 8}), 1);
    return hist_go_on(h->x);
}

static HistorySeries whole(uint64_t lane, uint64_t row) {
    return (HistorySeries){.lane = lane, .row = row, .from = INT64_MIN, .to = INT64_MAX, .arrival = true};
}

static Stay link_stay(uint32_t kind, uint64_t id) {
    return (Stay){.at = {.table = kind, .row = id, .to = INT64_MAX, .seq_to = UINT64_MAX}};
}

// A link that stood at the head of the twin's list once: is it of the name?
static Err link_try(Lives *l, uint64_t id) {
    HistAsk *x = l->x;
    Naming n = {.x = x};
    HistorySeries rid = whole(LANE_LINK_RID, id), kind = whole(LANE_LINK_KIND, id);
    TRY(history_series(x->history, &rid, on_rid, &n));
    if (!n.match) return ERR_OK;
    TRY(history_series(x->history, &kind, on_kind, &n));
    if (n.has_kind && n.kind < (uint32_t)x->catalog->kind_count) stay_add(l, link_stay(n.kind, id));
    return ERR_OK;
}

static int by_row(const void *a, const void *b) {
    const Stay *x = a, *y = b;
    return x->at.row < y->at.row ? -1 : x->at.row > y->at.row;
}

static Err links_of(Lives *l, const Life *life) {
    HistAsk *x = l->x;
    Heads h = {.x = x};
    HistorySeries s = whole(LANE_FIRST_OUT, life->id);
    int32_t first = l->stay_count;
    Err err = history_series(x->history, &s, on_head, &h);
    for (int32_t i = 0; !err && i < h.count; i++) {
        if (h.ids[i] == life->link) continue;
        err = hist_go_on(x) ? link_try(l, h.ids[i]) : ERR_CLOSED;
    }
    map_free(&h.seen);
    if (!err && life->link) stay_add(l, link_stay(life->link_kind, life->link));
    if (l->stay_count > first) qsort(&l->stays[first], (size_t)(l->stay_count - first), sizeof *l->stays, by_row);
    return err;
}

// ---- all of it ----------------------------------------------------------------------------------------------------

static int by_id(const void *a, const void *b) {
    const Life *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static Err find_lives(Lives *l) {
    HistAsk *x = l->x;
    // Of live's past the twins that live now, and those that died, are all there were. Of a fork's past those of then,
    // and those that died: what was made since has no batch that counts.
    const Realm *r = x->realm;
    TRY(engine_read_realm(r->past.is && !r->past.of ? x->engine->live : x->realm, x->who, find_living, l, NULL));
    TRY(history_dead(x->history, x->h->id, find_dead, l));
    if (l->count) qsort(l->lives, (size_t)l->count, sizeof *l->lives, by_id);
    return ERR_OK;
}

static Err never(HistAsk *x, Err err) {
    if (err == ERR_TWIN_NOT_FOUND) hist_fail(x, err, "there never was a twin \"%.*s\"", STR_ARG(x->h->id));
    else hist_fail(x, err, "twin \"%.*s\" never had a relationship \"%.*s\"", STR_ARG(x->h->id), STR_ARG(x->h->link));
    return err;
}

Err hist_lanes(HistAsk *x) {
    Lives l = {.x = x};
    TRY(find_lives(&l));
    for (int32_t i = 0; i < l.count; i++) TRY(places(&l, &l.lives[i]));
    if (!l.stay_count) return never(x, ERR_TWIN_NOT_FOUND);
    if (x->h->link.n) {
        l.stay_count = 0;
        for (int32_t i = 0; i < l.count; i++) TRY(links_of(&l, &l.lives[i]));
        if (!l.stay_count) return never(x, ERR_LINK_NOT_FOUND);
    }
    TRY(name_props(&l));
    for (int32_t i = 0; i < x->prop_count; i++) lanes_turn(&x->props[i]);
    return x->stopped ? ERR_CLOSED : ERR_OK;
}
