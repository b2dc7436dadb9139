// SPDX-License-Identifier: Apache-2.0
// Records are followed in order, so that a row means the twin that had it just then. What a batch says of a twin or
// link later on (its name, where it ends) is gathered before.
//
// Writes that follow from others are left out, as whoever applies the changes makes them again:
//   marker cells touched right behind a value inside them; cells cleared because their twin or link went, or because
//   what they lie in was unset; cells that move with their twin to another table.
#include "world/unfold.h"
#include "base/check.h"
#include "base/mem.h"
#include "world/core.h"

// ---- numbers to numbers -------------------------------------------------------------------------------------------

// Open addressing, power of two; key 0 is none.
typedef struct NumMap {
    uint64_t *keys, *values;
    uint64_t cap, count;
} NumMap;

static uint64_t num_slot(const NumMap *m, uint64_t key) {
    uint64_t i = (key * 0x9e3779b97f4a7c15u) >> 20 & (m->cap - 1);
    while (m->keys[i] && m->keys[i] != key) i = (i + 1) & (m->cap - 1);
    return i;
}

static bool num_get(const NumMap *m, uint64_t key, uint64_t *out) {
    if (!m->cap) return false;
    uint64_t i = num_slot(m, key);
    if (!m->keys[i]) return false;
    *out = m->values[i];
    return true;
}

static void num_put(NumMap *m, uint64_t key, uint64_t value) {
    if (2 * m->count >= m->cap) {
        NumMap more = {.cap = m->cap ? m->cap * 2 : 64, .count = m->count};
        more.keys = mem_alloc(more.cap * 8);
        more.values = mem_alloc(more.cap * 8);
        for (uint64_t i = 0; i < m->cap; i++) {
            if (!m->keys[i]) continue;
            uint64_t at = num_slot(&more, m->keys[i]);
            more.keys[at] = m->keys[i];
            more.values[at] = m->values[i];
        }
        mem_free(m->keys);
        mem_free(m->values);
        *m = more;
    }
    uint64_t i = num_slot(m, key);
    m->count += !m->keys[i];
    m->keys[i] = key;
    m->values[i] = value;
}

static void num_clear(NumMap *m) {
    if (m->count) memset(m->keys, 0, m->cap * 8);
    m->count = 0;
}

static void num_free(NumMap *m) {
    mem_free(m->keys);
    mem_free(m->values);
}

// ---- what is known ------------------------------------------------------------------------------------------------

typedef struct LinkInfo {
    uint64_t source, target; // 0: gone
    uint32_t kind;
    Str rid; // in `keep`
} LinkInfo;

typedef struct NewRow {
    uint64_t row, kind;
} NewRow;

struct Unfold {
    const World *base;
    Catalog *catalog; // as of the batch at hand
    Arena keep;
    NumMap rows;   // table << 40 | row, + 1: twin, 0 when free
    NumMap places; // twin: its word HOT_PLACE
    NumMap links;  // link: number in infos, + 1
    LinkInfo *infos;
    int64_t info_count, info_cap;
    // of the batch at hand
    View v;
    NumMap dead;   // twins and, from ID_MAX on, links that go
    NumMap moving; // twins on their way to another table
    Arena scratch;
    int64_t time;
    Buf *out;
    int64_t count;
    uint64_t said;       // link named last
    uint64_t model_kind; // of the model row at hand
    uint32_t skip_end;   // columns up to here lie in what was unset, of twin skip_twin
    uint64_t skip_twin;
    const Table *touched; // markers that follow the value before
    int32_t marker;       // field number, -1: none
    uint64_t marker_row;
};

static void emit(Unfold *u, const Change *c) {
    change_encode(c, u->out);
    u->count++;
}

static int32_t owner_of(const Unfold *u, uint32_t vec) {
    if (vec < VECNO_COLUMNS || vec >= u->catalog->next_vec) return INT32_MAX;
    return u->catalog->owner[vec - VECNO_COLUMNS];
}

static uint64_t row_key(uint32_t table, uint64_t row) { return ((uint64_t)table << 40 | row) + 1; }

// The twin in a row just now, 0: none.
static uint64_t row_twin(Unfold *u, uint32_t table, uint64_t row) {
    uint64_t id;
    if (num_get(&u->rows, row_key(table, row), &id)) return id;
    if (table >= (uint32_t)u->v.catalog->table_count) return 0; // a model younger than the base
    return view_row_twin(&u->v, table, row).v;
}

static uint64_t place_of(Unfold *u, uint64_t id) {
    uint64_t place;
    if (num_get(&u->places, id, &place)) return place;
    view_words(&u->v, VECNO_HOT, id, HOT_PLACE, 1, &place);
    return place;
}

// What is known of a link: from the batches so far, or the base.
static LinkInfo *link_info(Unfold *u, uint64_t id) {
    uint64_t at;
    if (num_get(&u->links, id, &at)) return &u->infos[at - 1];
    if (u->info_count == u->info_cap) {
        u->info_cap = u->info_cap ? u->info_cap * 2 : 64;
        u->infos = mem_grow(u->infos, (size_t)u->info_cap * sizeof *u->infos);
    }
    LinkView l = view_link(&u->v, (LinkId){id});
    LinkInfo *x = &u->infos[u->info_count++];
    *x = (LinkInfo){.source = l.source.v, .target = l.target.v, .kind = l.kind};
    if (l.alive) x->rid = arena_str(&u->keep, text_str(&l.rid));
    num_put(&u->links, id, (uint64_t)u->info_count);
    return x;
}

// ---- the look ahead -----------------------------------------------------------------------------------------------

static void look_ahead(Unfold *u, const TrailPoint *p) {
    if (p->kind == TRAIL_DEAD) num_put(&u->dead, p->row, 1);
    if (p->vec != VECNO_LINK) return;
    if (p->kind == TRAIL_WORD && p->word == LINK_SOURCE) {
        if (!p->bits) num_put(&u->dead, ID_MAX + p->row, 1);
        else if (!link_info(u, p->row)->rid.n) link_info(u, p->row)->kind = (uint32_t)(p->bits >> TABLE_SHIFT);
    } else if (p->kind == TRAIL_WORD && p->word == LINK_TARGET && p->bits) {
        link_info(u, p->row)->target = p->bits & ID_MAX;
    } else if (p->kind == TRAIL_TEXT && p->word == LINK_RID && p->text.n) {
        link_info(u, p->row)->rid = arena_str(&u->keep, p->text);
    }
}

// ---- twins --------------------------------------------------------------------------------------------------------

// A row was taken or given: with a twin that stands elsewhere, it is on its way here.
static void row_changed(Unfold *u, uint32_t table, const TrailPoint *p) {
    uint64_t id = p->bits & FREE_ROW ? 0 : p->bits;
    num_put(&u->rows, row_key(table, p->row), id);
    uint64_t place = id ? place_of(u, id) : 0;
    if (!place || place == ((uint64_t)(table + 1) << TABLE_SHIFT | p->row)) return;
    num_put(&u->moving, id, 1);
    emit(u, &(Change){.kind = CHANGE_TWIN_MODEL, .id = id, .col = table});
}

static void hot_changed(Unfold *u, const TrailPoint *p) {
    if (p->word != HOT_PLACE) return;
    num_put(&u->places, p->row, p->bits);
    num_put(&u->moving, p->row, 0);
}

static void twin_named(Unfold *u, const TrailPoint *p) {
    if (p->kind != TRAIL_TEXT || p->word != COLD_NAME || !p->text.n) return;
    uint64_t place = place_of(u, p->row);
    Change c = {.kind = place ? CHANGE_TWIN_NEW : CHANGE_ERASED, .id = p->row, .text = p->text};
    if (place) c.col = (uint32_t)(place >> TABLE_SHIFT) - 1;
    emit(u, &c);
}

// ---- cells --------------------------------------------------------------------------------------------------------

// A marker that was touched because of the value right before it?
static bool follows(Unfold *u, const Table *t, int32_t field, uint64_t row) {
    bool yes = u->touched == t && u->marker == field && u->marker_row == row;
    if (yes) u->marker = t->model->fields[field].parent;
    return yes;
}

static void expect_markers(Unfold *u, const Table *t, int32_t field, uint64_t row) {
    u->touched = t;
    u->marker = t->model->fields[field].parent;
    u->marker_row = row;
}

static Change cell_change(const TrailPoint *p, uint8_t kind, uint64_t id) {
    return (Change){.kind = kind,
                    .cell = p->cell,
                    .col = p->vec,
                    .id = id,
                    .bits = p->bits,
                    .text = p->text,
                    .source_time = p->source_time};
}

static void twin_clear(Unfold *u, const Table *t, int32_t field, const TrailPoint *p, uint64_t id) {
    uint64_t gone = 0;
    if (num_get(&u->dead, id, &gone) || (u->skip_twin == id && p->vec < u->skip_end)) return;
    u->skip_twin = id;
    u->skip_end = t->first + (uint32_t)t->model->fields[field].end;
    expect_markers(u, t, field, p->row);
    emit(u, &(Change){.kind = CHANGE_UNSET, .id = id, .col = p->vec});
}

static void twin_cell(Unfold *u, const Table *t, const TrailPoint *p) {
    uint64_t id = row_twin(u, (uint32_t)(t - u->catalog->tables), p->row), moving = 0;
    int32_t field = (int32_t)(p->vec - t->first);
    if (!id || p->kind == TRAIL_MOVED || (num_get(&u->moving, id, &moving) && moving)) return;
    if (p->kind == TRAIL_CLEAR) {
        twin_clear(u, t, field, p, id);
        return;
    }
    u->skip_twin = 0;
    if (p->kind == TRAIL_PUT) {
        if (follows(u, t, field, p->row)) return;
        expect_markers(u, t, field, p->row);
    }
    uint8_t kind = p->kind == TRAIL_PUT ? CHANGE_SET : p->kind == TRAIL_LATE ? CHANGE_LATE : CHANGE_SOURCE_TIME;
    Change c = cell_change(p, kind, id);
    emit(u, &c);
}

static void link_cell(Unfold *u, const TrailPoint *p) {
    uint64_t gone;
    bool clear = p->kind == TRAIL_CLEAR;
    if (clear && num_get(&u->dead, ID_MAX + p->row, &gone)) return;
    const LinkInfo *l = link_info(u, p->row);
    if (u->said != p->row)
        emit(u, &(Change){.kind = CHANGE_LINK_AT,
                          .id = p->row,
                          .other = l->source,
                          .target = l->target,
                          .col = l->kind,
                          .text = l->rid});
    u->said = p->row;
    Change c = cell_change(p, clear ? CHANGE_LINK_UNSET : CHANGE_LINK_SET, p->row);
    if (clear) c.text = (Str){0};
    emit(u, &c);
}

// ---- links, models, telemetry -------------------------------------------------------------------------------------

static void link_changed(Unfold *u, const TrailPoint *p) {
    if (p->kind != TRAIL_WORD || p->word != LINK_SOURCE) return;
    LinkInfo *l = link_info(u, p->row);
    Change c = {.kind = p->bits ? CHANGE_LINK_NEW : CHANGE_LINK_DEL, .id = p->row};
    if (p->bits) {
        if (l->source) return; // no new link: the other half of the word moved
        l->source = p->bits & ID_MAX;
        l->kind = (uint32_t)(p->bits >> TABLE_SHIFT);
    }
    c.other = l->source;
    c.target = l->target;
    c.col = l->kind;
    c.text = l->rid;
    u->said = p->bits ? p->row : 0;
    if (!p->bits) l->source = 0;
    emit(u, &c);
}

static Err model_changed(Unfold *u, const TrailPoint *p) {
    if (p->kind == TRAIL_WORD && p->word == MODEL_KIND) u->model_kind = p->bits;
    if (p->kind != TRAIL_TEXT) return ERR_OK;
    Change c = {.kind = (uint8_t)u->model_kind, .bits = u->model_kind >> 8 & 0xff, .text = p->text};
    Catalog *next;
    TRY(catalog_next(u->catalog, c.kind, c.text, c.bits != 0, u->time, &next));
    catalog_unref(u->catalog);
    u->catalog = next;
    u->touched = NULL;
    emit(u, &c);
    return ERR_OK;
}

static void telemetry(Unfold *u, const TrailPoint *p) {
    uint64_t id = row_twin(u, p->vec - TRAIL_TELEMETRY_VEC, p->row);
    if (!id) return;
    emit(u, &(Change){.kind = CHANGE_TELEMETRY, .id = id, .text = p->text, .source_time = p->source_time});
}

// ---- one batch ----------------------------------------------------------------------------------------------------

static void column_changed(Unfold *u, const TrailPoint *p) {
    int32_t owner = owner_of(u, p->vec);
    if (owner == INT32_MAX) return;
    if (owner < 0) {
        link_cell(u, p);
        return;
    }
    const Table *t = &u->catalog->tables[owner];
    if (p->vec == t->rows) row_changed(u, (uint32_t)owner, p);
    else twin_cell(u, t, p);
}

static Err follow(Unfold *u, const TrailPoint *p) {
    switch (p->vec) {
    case VECNO_HOT: hot_changed(u, p); return ERR_OK;
    case VECNO_COLD: twin_named(u, p); return ERR_OK;
    case VECNO_LINK: link_changed(u, p); return ERR_OK;
    case VECNO_MODEL: return model_changed(u, p);
    default: break;
    }
    if (p->kind == TRAIL_TELEMETRY) telemetry(u, p);
    else if (p->vec >= VECNO_COLUMNS) column_changed(u, p);
    return ERR_OK;
}

Err unfold_batch(Unfold *u, int64_t time, const TrailPoint *points, int64_t n, Buf *out, int64_t *count) {
    view_begin(&u->v, u->base);
    u->time = time;
    u->out = out;
    u->count = 0;
    u->said = u->skip_twin = 0;
    u->touched = NULL;
    num_clear(&u->dead);
    num_clear(&u->moving);
    for (int64_t i = 0; i < n; i++) look_ahead(u, &points[i]);
    Err err = ERR_OK;
    for (int64_t i = 0; i < n && !err; i++) {
        if (points[i].kind != TRAIL_DEAD) err = follow(u, &points[i]);
        else emit(u, &(Change){.kind = CHANGE_TWIN_DEL, .id = points[i].row, .text = points[i].text});
    }
    if (!err) err = u->v.failed;
    view_end(&u->v);
    *count = u->count;
    return err;
}

Unfold *unfold_new(const World *base) {
    Unfold *u = mem_alloc(sizeof *u);
    u->base = base;
    arena_init(&u->keep, 0);
    u->catalog = atomic_load(&((World *)(uintptr_t)base)->catalog); // NOLINT: a reference is no part of the world
    catalog_ref(u->catalog);
    return u;
}

void unfold_free(Unfold *u) {
    if (!u) return;
    catalog_unref(u->catalog);
    arena_free(&u->keep);
    num_free(&u->rows);
    num_free(&u->places);
    num_free(&u->links);
    num_free(&u->dead);
    num_free(&u->moving);
    mem_free(u->infos);
    mem_free(u);
}
