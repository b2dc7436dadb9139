// SPDX-License-Identifier: Apache-2.0
// Records of one word or cell come in order; those of different ones in any: history gives a batch lane by lane. So a
// batch is looked at as a whole, and its changes are made in an order that always works:
//   models; relationships that go; twins that go; twins that come or change their model; relationships that come;
//   values that are taken away, values that are set. Telemetry stands before twins go.
// What both came and went within the batch is left out, and so are values of twins that went with it.
//
// Writes that follow from others are left out, as whoever applies the changes makes them again:
//   marker cells touched because of a value inside them; cells cleared because their twin or link went, or because what
//   they lie in was unset; cells that move with their twin to another table.
#include "world/unfold.h"
#include <stdlib.h>
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

// A record of a cell, by cell and order.
typedef struct CellRef {
    uint32_t vec;
    uint64_t row;
    const TrailPoint *p;
} CellRef;

// A twin or link that the batch touched: its place, or source and kind, before and after.
typedef struct Life {
    uint64_t id, before, after;
    bool placed; // a twin that moved, and perhaps came back
    Str name;
} Life;

typedef struct Lives {
    Life *items;
    int64_t count, cap;
    NumMap at; // id: number in items, + 1
} Lives;

struct Unfold {
    const World *base;
    Catalog *catalog; // as of the batch at hand
    Arena keep;
    NumMap rows;   // table << 40 | row, + 1: twin, 0 when free
    NumMap places; // twin: its word HOT_PLACE
    NumMap links;  // link: number in infos, + 1
    NumMap names;  // twins that came with the batches: number in new_names, + 1
    Str *new_names;
    int64_t name_count, name_cap;
    LinkInfo *infos;
    int64_t info_count, info_cap;
    // of the batch at hand
    View v;
    const TrailPoint *points;
    int64_t point_count;
    int64_t time;
    Lives twins, rels;
    NumMap old_rows; // rows that changed hands: the twin before, + 1
    CellRef *cells;
    int64_t cell_count, cell_cap;
    Buf *out;
    int64_t count;
    uint64_t said; // link named last
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

// The twin in a row, 0: none.
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

// The life of one that the batch touches, made with what was before.
static Life *life_of(Lives *l, uint64_t id, uint64_t before) {
    uint64_t at;
    if (num_get(&l->at, id, &at)) return &l->items[at - 1];
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->items = mem_grow(l->items, (size_t)l->cap * sizeof *l->items);
    }
    l->items[l->count++] = (Life){.id = id, .before = before, .after = before};
    num_put(&l->at, id, (uint64_t)l->count);
    return &l->items[l->count - 1];
}

static const Life *life_find(const Lives *l, uint64_t id) {
    uint64_t at;
    return num_get(&l->at, id, &at) ? &l->items[at - 1] : NULL;
}

static void lives_clear(Lives *l) {
    l->count = 0;
    num_clear(&l->at);
}

// ---- gathering ----------------------------------------------------------------------------------------------------

static void gather_link(Unfold *u, const TrailPoint *p) {
    LinkInfo *l = link_info(u, p->row);
    if (p->kind == TRAIL_WORD && p->word == LINK_SOURCE) {
        Life *x = life_of(&u->rels, p->row, l->source);
        x->after = p->bits & ID_MAX;
        if (!x->after) return;
        l->source = x->after;
        l->kind = (uint32_t)(p->bits >> TABLE_SHIFT);
    } else if (p->kind == TRAIL_WORD && p->word == LINK_TARGET && p->bits) {
        l->target = p->bits & ID_MAX;
    } else if (p->kind == TRAIL_TEXT && p->word == LINK_RID && p->text.n) {
        l->rid = arena_str(&u->keep, p->text);
    }
}

static void gather_row(Unfold *u, uint32_t table, const TrailPoint *p) {
    uint64_t key = row_key(table, p->row), was;
    if (!num_get(&u->old_rows, key, &was)) num_put(&u->old_rows, key, row_twin(u, table, p->row) + 1);
    num_put(&u->rows, key, p->bits & FREE_ROW ? 0 : p->bits);
}

static void gather_cell(Unfold *u, const TrailPoint *p) {
    int32_t owner = owner_of(u, p->vec);
    if (owner == INT32_MAX) return;
    if (owner >= 0 && p->vec == u->catalog->tables[owner].rows) {
        gather_row(u, (uint32_t)owner, p);
        return;
    }
    if (u->cell_count == u->cell_cap) {
        u->cell_cap = u->cell_cap ? u->cell_cap * 2 : 256;
        u->cells = mem_grow(u->cells, (size_t)u->cell_cap * sizeof *u->cells);
    }
    u->cells[u->cell_count++] = (CellRef){p->vec, p->row, p};
}

static int by_cell(const void *a, const void *b) {
    const CellRef *x = a, *y = b;
    if (x->vec != y->vec) return x->vec < y->vec ? -1 : 1;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return x->p < y->p ? -1 : x->p > y->p;
}

static void gather(Unfold *u, const TrailPoint *p) {
    if (p->kind == TRAIL_DEAD || p->kind == TRAIL_TELEMETRY) return;
    if (p->vec == VECNO_HOT && p->word == HOT_PLACE) {
        Life *x = life_of(&u->twins, p->row, place_of(u, p->row));
        x->after = p->bits;
        x->placed = true;
        num_put(&u->places, p->row, p->bits);
    } else if (p->vec == VECNO_COLD && p->kind == TRAIL_TEXT && p->word == COLD_NAME && p->text.n) {
        life_of(&u->twins, p->row, place_of(u, p->row))->name = p->text;
    } else if (p->vec == VECNO_LINK) {
        gather_link(u, p);
    } else if (p->vec >= VECNO_COLUMNS) {
        gather_cell(u, p);
    }
}

// Models first: what columns mean follows from them. The words of a row of the model log come before its text.
static Err models(Unfold *u) {
    for (int64_t i = 0; i < u->point_count; i++) {
        const TrailPoint *p = &u->points[i];
        if (p->vec != VECNO_MODEL || p->kind != TRAIL_TEXT) continue;
        uint64_t kind = 0;
        for (int64_t k = 0; k < u->point_count; k++) {
            const TrailPoint *q = &u->points[k];
            if (q->vec == VECNO_MODEL && q->kind == TRAIL_WORD && q->word == MODEL_KIND && q->row == p->row)
                kind = q->bits;
        }
        Change c = {.kind = (uint8_t)kind, .bits = kind >> 8 & 0xff, .text = p->text};
        Catalog *next;
        TRY(catalog_next(u->catalog, c.kind, c.text, c.bits != 0, u->time, &next));
        catalog_unref(u->catalog);
        u->catalog = next;
        emit(u, &c);
    }
    return ERR_OK;
}

// ---- lives --------------------------------------------------------------------------------------------------------

static void telemetry(Unfold *u) {
    for (int64_t i = 0; i < u->point_count; i++) {
        const TrailPoint *p = &u->points[i];
        if (p->kind != TRAIL_TELEMETRY) continue;
        uint32_t table = p->vec - TRAIL_TELEMETRY_VEC;
        uint64_t id = row_twin(u, table, p->row), was;
        if (num_get(&u->old_rows, row_key(table, p->row), &was) && was > 1) id = was - 1;
        const Life *x = life_find(&u->twins, id);
        if (!id || (x && !x->before && !x->after)) continue;
        Change c = {.kind = CHANGE_TELEMETRY, .id = id, .text = p->text, .source_time = p->source_time};
        emit(u, &c);
    }
}

static void link_end(Unfold *u, const Life *x) {
    LinkInfo *l = link_info(u, x->id);
    bool gone = x->before && !x->after, born = !x->before && x->after;
    if (!gone && !born) return;
    emit(u, &(Change){.kind = gone ? CHANGE_LINK_DEL : CHANGE_LINK_NEW,
                      .id = x->id,
                      .other = gone ? x->before : l->source,
                      .target = l->target,
                      .col = l->kind,
                      .text = l->rid});
    if (gone) l->source = 0;
}

static void name_keep(Unfold *u, uint64_t id, Str name) {
    if (u->name_count == u->name_cap) {
        u->name_cap = u->name_cap ? u->name_cap * 2 : 64;
        u->new_names = mem_grow(u->new_names, (size_t)u->name_cap * sizeof *u->new_names);
    }
    u->new_names[u->name_count++] = arena_str(&u->keep, name);
    num_put(&u->names, id, (uint64_t)u->name_count);
}

// Valid while the view is open.
static Str name_of(Unfold *u, uint64_t id, TwinView *room) {
    uint64_t at;
    if (num_get(&u->names, id, &at)) return u->new_names[at - 1];
    *room = view_twin(&u->v, (TwinId){id});
    return text_str(&room->name);
}

static void twin_goes(Unfold *u, const Life *x) {
    TwinView room;
    if (x->before && !x->after)
        emit(u, &(Change){.kind = CHANGE_TWIN_DEL, .id = x->id, .text = name_of(u, x->id, &room)});
    if (!x->after && x->name.n && (x->before || !x->placed)) // and not one that came only to go
        emit(u, &(Change){.kind = CHANGE_ERASED, .id = x->id, .text = x->name});
}

static void twin_comes(Unfold *u, const Life *x) {
    uint32_t table = (uint32_t)(x->after >> TABLE_SHIFT) - 1;
    if (!x->after || !x->placed) return;
    if (!x->before) name_keep(u, x->id, x->name);
    emit(u, &(Change){.kind = x->before ? CHANGE_TWIN_MODEL : CHANGE_TWIN_NEW,
                      .id = x->id,
                      .col = table,
                      .text = x->before ? (Str){0} : x->name});
}

static void lives(Unfold *u) {
    telemetry(u);
    for (int64_t i = 0; i < u->rels.count; i++)
        if (!u->rels.items[i].after) link_end(u, &u->rels.items[i]);
    for (int64_t i = 0; i < u->twins.count; i++) twin_goes(u, &u->twins.items[i]);
    for (int64_t i = 0; i < u->twins.count; i++) twin_comes(u, &u->twins.items[i]);
    for (int64_t i = 0; i < u->rels.count; i++)
        if (u->rels.items[i].after) link_end(u, &u->rels.items[i]);
}

// ---- cells --------------------------------------------------------------------------------------------------------

// The records of one cell in the batch.
static const CellRef *cell_find(const Unfold *u, uint32_t vec, uint64_t row, int64_t *n) {
    int64_t lo = 0, hi = u->cell_count;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        const CellRef *c = &u->cells[mid];
        if (c->vec < vec || (c->vec == vec && c->row < row)) lo = mid + 1;
        else hi = mid;
    }
    for (*n = 0; lo + *n < u->cell_count && u->cells[lo + *n].vec == vec && u->cells[lo + *n].row == row;) ++*n;
    return &u->cells[lo];
}

// The first record that counts: what was set before it was taken away again is left out.
static int64_t behind_clears(const CellRef *c, int64_t n) {
    while (n > 0 && c[n - 1].p->kind != TRAIL_CLEAR) n--;
    return n;
}

static bool cleared(const Unfold *u, uint32_t vec, uint64_t row) {
    int64_t n;
    const CellRef *c = cell_find(u, vec, row, &n);
    return behind_clears(c, n) > 0;
}

static bool cleared_around(const Unfold *u, const Field *fields, int32_t field, uint32_t first, uint64_t row) {
    for (int32_t i = fields[field].parent; i >= 0; i = fields[i].parent)
        if (cleared(u, first + (uint32_t)i, row)) return true;
    return false;
}

// A change of a value inside a marker's field will be told, which touches the marker.
static bool touched_inside(const Unfold *u, const Field *fields, int32_t marker, uint32_t first, uint64_t row) {
    for (int32_t i = marker + 1; i < fields[marker].end; i++) {
        int64_t n;
        const CellRef *c = cell_find(u, first + (uint32_t)i, row, &n);
        int64_t from = behind_clears(c, n);
        if (from && !cleared_around(u, fields, i, first, row)) return true;
        for (int64_t k = from; k < n; k++)
            if (c[k].p->kind == TRAIL_PUT) return true;
    }
    return false;
}

// What the records of one cell are about.
typedef struct CellOf {
    const Field *fields;
    int32_t field;
    uint32_t first; // column of field 0
    uint64_t id;    // of the twin or link
    bool link;
    bool fresh; // the row changed hands: what was cleared was another's
} CellOf;

// False: of nobody who is there after the batch.
static bool cell_owner(Unfold *u, const CellRef *c, CellOf *out) {
    int32_t owner = owner_of(u, c->vec);
    if (owner < 0) {
        const LinkKind *k = &u->catalog->kinds[-1 - owner];
        *out = (CellOf){k->rel->fields, (int32_t)(c->vec - k->first), k->first, c->row, true, false};
        const Life *x = life_find(&u->rels, c->row);
        return x ? x->after != 0 : link_info(u, c->row)->source != 0;
    }
    const Table *t = &u->catalog->tables[owner];
    uint64_t was = 0, id = row_twin(u, (uint32_t)owner, c->row);
    *out = (CellOf){t->model->fields, (int32_t)(c->vec - t->first), t->first, id, false, false};
    out->fresh = num_get(&u->old_rows, row_key((uint32_t)owner, c->row), &was) && was > 1 && was != id + 1;
    return id != 0;
}

static void say_link(Unfold *u, uint64_t id) {
    const LinkInfo *l = link_info(u, id);
    const Life *x = life_find(&u->rels, id);
    if (u->said != id && !(x && !x->before))
        emit(u, &(Change){.kind = CHANGE_LINK_AT,
                          .id = id,
                          .other = l->source,
                          .target = l->target,
                          .col = l->kind,
                          .text = l->rid});
    u->said = id;
}

static void put_value(Unfold *u, const CellOf *o, const TrailPoint *p) {
    uint8_t kind = p->kind == TRAIL_LATE ? CHANGE_LATE : p->kind == TRAIL_SOURCE ? CHANGE_SOURCE_TIME : CHANGE_SET;
    if (o->link) {
        say_link(u, o->id);
        kind = CHANGE_LINK_SET;
    }
    emit(u, &(Change){.kind = kind,
                      .cell = (uint8_t)o->fields[o->field].cell,
                      .col = p->vec,
                      .id = o->id,
                      .bits = p->bits,
                      .text = p->text,
                      .source_time = p->source_time});
}

// A value came along with a twin that moved to this row.
static bool came(const CellRef *c, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (c[i].p->kind == TRAIL_MOVED) return true;
    return false;
}

static void cell_goes(Unfold *u, const CellRef *c, int64_t n) {
    CellOf o;
    int64_t from = behind_clears(c, n);
    bool back = from < n && c[from].p->kind == TRAIL_MOVED; // to the row that its twin had left
    if (!from || back || !cell_owner(u, c, &o) || (o.fresh && !came(c, from))) return;
    if (cleared_around(u, o.fields, o.field, o.first, c->row)) return;
    if (o.link) say_link(u, o.id);
    emit(u, &(Change){.kind = o.link ? CHANGE_LINK_UNSET : CHANGE_UNSET, .id = o.id, .col = c->vec});
}

// A marker that is touched from inside all the same has a time that somebody gave it.
static void put_stamp(Unfold *u, const CellOf *o, const CellRef *c, int64_t n) {
    const TrailPoint *last = NULL;
    for (int64_t i = behind_clears(c, n); i < n; i++)
        if (c[i].p->kind == TRAIL_PUT && c[i].p->source_time) last = c[i].p;
    if (last) put_value(u, o, last);
}

static void cell_values(Unfold *u, const CellRef *c, int64_t n) {
    CellOf o;
    if (!cell_owner(u, c, &o)) return;
    const Field *f = &o.fields[o.field];
    bool marker = f->cell == CELL_OBJECT || f->cell == CELL_COMPONENT;
    if (marker && touched_inside(u, o.fields, o.field, o.first, c->row)) {
        put_stamp(u, &o, c, n);
        return;
    }
    for (int64_t i = behind_clears(c, n); i < n; i++) {
        const TrailPoint *p = c[i].p;
        if (p->kind != TRAIL_MOVED || p->update_time == u->time) put_value(u, &o, p);
        else if (p->source_time)
            emit(u, &(Change){.kind = CHANGE_SOURCE_TIME, .id = o.id, .col = p->vec, .source_time = p->source_time});
    }
}

// A time that a marker was given after what lies in it was set.
static void marker_times(Unfold *u, const CellRef *c, int64_t n) {
    CellOf o;
    const TrailPoint *last = NULL;
    for (int64_t i = behind_clears(c, n); i < n; i++)
        if (c[i].p->kind == TRAIL_SOURCE || (c[i].p->kind == TRAIL_PUT && c[i].p->source_time)) last = c[i].p;
    if (!last || last->kind != TRAIL_SOURCE || !cell_owner(u, c, &o)) return;
    if (touched_inside(u, o.fields, o.field, o.first, c->row)) put_value(u, &o, last);
}

static void each_cell(Unfold *u, void (*fn)(Unfold *u, const CellRef *c, int64_t n)) {
    for (int64_t i = 0, n; i < u->cell_count; i += n) {
        const CellRef *c = cell_find(u, u->cells[i].vec, u->cells[i].row, &n);
        fn(u, c, n);
    }
}

typedef struct Move {
    const Table *from, *to;
    uint64_t row, to_row;
} Move;

// Was the value of field i of the new model taken away before the twin moved? Its cell was cleared in the row left
// behind, and no record says that it moved, or it was cleared once more than the move does.
static bool lost(const Unfold *u, const Move *m, int32_t i) {
    const Field *f = &m->to->model->fields[i], *g = model_field(m->from->model, f->path);
    int64_t n, clears = 0;
    if (!g || g->cell != f->cell) return false;
    const CellRef *c = cell_find(u, m->from->first + (uint32_t)(g - m->from->model->fields), m->row, &n);
    for (int64_t k = 0; k < n; k++) clears += c[k].p->kind == TRAIL_CLEAR;
    (void)cell_find(u, m->to->first + (uint32_t)i, m->to_row, &n);
    return clears > 1 || (clears && n == 0);
}

static void lost_on_the_way(Unfold *u, const Life *x) {
    uint64_t mask = ((uint64_t)1 << TABLE_SHIFT) - 1;
    Move m = {.from = &u->catalog->tables[(x->before >> TABLE_SHIFT) - 1],
              .to = &u->catalog->tables[(x->after >> TABLE_SHIFT) - 1],
              .row = x->before & mask,
              .to_row = x->after & mask};
    for (int32_t i = 0; i < m.to->model->field_count; i++) {
        int32_t around = m.to->model->fields[i].parent;
        if (!lost(u, &m, i) || (around >= 0 && lost(u, &m, around))) continue;
        emit(u, &(Change){.kind = CHANGE_UNSET, .id = x->id, .col = m.to->first + (uint32_t)i});
    }
}

static void cells(Unfold *u) {
    if (u->cell_count) qsort(u->cells, (size_t)u->cell_count, sizeof *u->cells, by_cell);
    for (int64_t i = 0; i < u->twins.count; i++) {
        const Life *x = &u->twins.items[i];
        if (x->before && x->after && x->before != x->after) lost_on_the_way(u, x);
    }
    each_cell(u, cell_goes);
    each_cell(u, cell_values);
    each_cell(u, marker_times);
}

// ---- one batch ----------------------------------------------------------------------------------------------------

Err unfold_batch(Unfold *u, int64_t time, const TrailPoint *points, int64_t n, Buf *out, int64_t *count) {
    view_begin(&u->v, u->base);
    u->points = points;
    u->point_count = n;
    u->time = time;
    u->out = out;
    u->count = 0;
    u->said = 0;
    u->cell_count = 0;
    lives_clear(&u->twins);
    lives_clear(&u->rels);
    num_clear(&u->old_rows);
    Err err = models(u);
    for (int64_t i = 0; i < n && !err; i++) gather(u, &points[i]);
    if (!err) {
        lives(u);
        cells(u);
        err = u->v.failed;
    }
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

static void lives_free(Lives *l) {
    mem_free(l->items);
    num_free(&l->at);
}

void unfold_free(Unfold *u) {
    if (!u) return;
    catalog_unref(u->catalog);
    arena_free(&u->keep);
    num_free(&u->rows);
    num_free(&u->places);
    num_free(&u->links);
    num_free(&u->names);
    mem_free(u->new_names);
    num_free(&u->old_rows);
    lives_free(&u->twins);
    lives_free(&u->rels);
    mem_free(u->infos);
    mem_free(u->cells);
    mem_free(u);
}
