// SPDX-License-Identifier: Apache-2.0
// Applying changes of twins: place, name, values. See core.h for the words.
#include "base/check.h"
#include "world/core.h"

typedef struct Place {
    uint32_t table;
    uint64_t row;
} Place;

static bool place_of(World *w, uint64_t id, Place *out) {
    uint64_t place = core_get(w, VECNO_HOT, id, HOT_PLACE);
    if (!place) return false;
    *out = (Place){(uint32_t)(place >> TABLE_SHIFT) - 1, place & (((uint64_t)1 << TABLE_SHIFT) - 1)};
    return true;
}

static const Catalog *catalog_of(World *w) { return atomic_load_explicit(&w->catalog, memory_order_relaxed); }

// A SET's time stands in its cells too, so no trail tells it.
static void touch_set(World *w, uint64_t id) { core_put(w, VECNO_HOT, VEC_HOT, id, HOT_TIME, (uint64_t)w->time); }

// Told also when the word is the same: it may be so by a SET of this batch, of which nothing stays.
static void touch(World *w, uint64_t id) {
    touch_set(w, id);
    if (!w->keep_trail) return;
    trail_tell(
        w, &(TrailPoint){.kind = TRAIL_WORD, .vec = VECNO_HOT, .word = HOT_TIME, .row = id, .bits = (uint64_t)w->time});
}

// ---- rows ----

static uint64_t row_take(World *w, uint32_t table, uint64_t id) {
    uint64_t used_at = 2 * (uint64_t)table, free_at = used_at + 1;
    uint64_t row, free = core_get(w, VECNO_TABLE, free_at, 0);
    const Table *t = &catalog_of(w)->tables[table];
    if (free) {
        row = free - 1;
        core_put(w, VECNO_TABLE, VEC_WORD, free_at, 0, core_get(w, t->rows, row, 0) & ~FREE_ROW);
    } else {
        row = core_get(w, VECNO_TABLE, used_at, 0);
        core_put(w, VECNO_TABLE, VEC_WORD, used_at, 0, row + 1);
    }
    core_put(w, t->rows, VEC_WORD, row, 0, id);
    return row;
}

static void row_give(World *w, Place at) {
    const Table *t = &catalog_of(w)->tables[at.table];
    uint64_t free_at = 2 * (uint64_t)at.table + 1;
    core_put(w, t->rows, VEC_WORD, at.row, 0, FREE_ROW | core_get(w, VECNO_TABLE, free_at, 0));
    core_put(w, VECNO_TABLE, VEC_WORD, free_at, 0, at.row + 1);
}

static void set_place(World *w, uint64_t id, uint32_t table, uint64_t row) {
    core_put(w, VECNO_HOT, VEC_HOT, id, HOT_PLACE, (uint64_t)(table + 1) << TABLE_SHIFT | row);
    touch(w, id);
}

// ---- cells ----

bool cell_clear(World *w, uint32_t col, VecShape shape, uint64_t row) {
    Page *p = core_page(w, col, row >> PAGE_SHIFT);
    uint32_t r = (uint32_t)(row & (PAGE_ROWS - 1)), valid = page_valid_word(r);
    if (!p || r >= p->cap) return false;
    if (!(atomic_load_explicit(&p->words[valid], memory_order_relaxed) >> (r & 63) & 1)) return false;
    Pen pen = pen_open(w, col, shape, row, false);
    p = pen.p;
    pen_put(&pen, valid, atomic_load_explicit(&p->words[valid], memory_order_relaxed) & ~((uint64_t)1 << (r & 63)));
    if (shape == VEC_TEXT) pen_put_text(&pen, page_cell_word(p, r), (Text){{0, 0}});
    else pen_put(&pen, page_cell_word(p, r), 0);
    pen_put(&pen, page_update_word(p, r), 0);
    if (p->b.sources) pen_put(&pen, page_source_word(p, r), 0);
    pen_close(&pen);
    if (w->keep_trail) trail_tell(w, &(TrailPoint){.kind = TRAIL_CLEAR, .vec = col, .row = row});
    return true;
}

static void tell_value(World *w, TrailKind kind, uint32_t col, uint64_t row, const Change *c) {
    TrailPoint p = {.kind = (uint8_t)kind,
                    .cell = c->cell,
                    .vec = col,
                    .row = row,
                    .bits = c->bits,
                    .text = c->text,
                    .source_time = c->source_time};
    trail_tell(w, &p);
}

bool cell_put(World *w, uint32_t col, uint64_t row, const Change *c) {
    bool text = cell_is_text(c->cell);
    uint32_t r = (uint32_t)(row & (PAGE_ROWS - 1)), valid = page_valid_word(r);
    Text t = text ? text_make(w->domain, c->text) : (Text){{0, 0}};
    Pen pen = pen_open(w, col, cell_shape(c->cell), row, c->source_time != 0);
    Page *p = pen.p;
    uint64_t bits = atomic_load_explicit(&p->words[valid], memory_order_relaxed), bit = (uint64_t)1 << (r & 63);
    pen_put(&pen, valid, bits | bit);
    if (text) pen_put_text(&pen, page_cell_word(p, r), t);
    else pen_put(&pen, page_cell_word(p, r), c->bits);
    pen_put(&pen, page_update_word(p, r), (uint64_t)w->time);
    if (c->source_time) pen_put(&pen, page_source_word(p, r), (uint64_t)c->source_time);
    pen_close(&pen);
    if (w->keep_trail) tell_value(w, TRAIL_PUT, col, row, c);
    return !(bits & bit);
}

// The source time that stands in a cell, 0: none.
static int64_t source_of(World *w, uint32_t col, uint64_t row) {
    Page *p = core_page(w, col, row >> PAGE_SHIFT);
    uint32_t r = (uint32_t)(row & (PAGE_ROWS - 1));
    if (!p || r >= p->cap || !p->b.sources) return 0;
    return (int64_t)atomic_load_explicit(&p->words[page_source_word(p, r)], memory_order_relaxed);
}

// The markers around a field are present and as new as the write inside them.
static void touch_markers(World *w, const Table *t, const Field *f, uint64_t row, int64_t source_time) {
    for (int32_t i = f->parent; i >= 0; i = t->model->fields[i].parent) {
        uint32_t col = t->first + (uint32_t)i;
        Change mark = {.cell = (uint8_t)t->model->fields[i].cell, .bits = 1, .source_time = source_time};
        if (source_time && source_of(w, col, row) > source_time)
            mark.source_time = 0; // a neighbour inside knows something newer
        cell_put(w, col, row, &mark);
    }
}

// The row and field a change of a twin's value means.
static Err target(World *w, const Change *c, Place *at, const Table **t, const Field **f) {
    if (!place_of(w, c->id, at)) return ERR_TWIN_NOT_FOUND;
    *t = catalog_column(catalog_of(w), c->col, f);
    return *t && *t == &catalog_of(w)->tables[at->table] ? ERR_OK : ERR_STALE;
}

// The same value stands already.
static bool stands(World *w, const Change *c, uint64_t row) {
    View v = view_writer(w);
    CellView now = view_cell(&v, c->col, row);
    return now.valid && (cell_is_text(c->cell) ? text_eq(&now.text, c->text) : now.bits == c->bits);
}

// What becomes of a value by its source's clock: CHANGE_SET, CHANGE_LATE (history's, not now's) or 0, a duplicate.
static uint8_t set_fate(World *w, const Change *c, uint64_t row) {
    if (!c->source_time) return CHANGE_SET;
    int64_t now = source_of(w, c->col, row);
    if (now > c->source_time) return CHANGE_LATE;
    if (!c->stream) return CHANGE_SET;
    if (c->source_time > w->time && c->source_time - w->time > w->future_ns) return CHANGE_LATE;
    return now == c->source_time && stands(w, c, row) ? 0 : CHANGE_SET;
}

Err twin_set(World *w, const Change *c, Change *full) {
    Place at;
    const Table *t;
    const Field *f;
    TRY(target(w, c, &at, &t, &f));
    if (c->cell != f->cell) return ERR_STALE;
    full->kind = set_fate(w, c, at.row);
    full->fresh = false; // on replay it comes from the journal
    if (full->kind == CHANGE_LATE && w->keep_trail) tell_value(w, TRAIL_LATE, c->col, at.row, c);
    if (full->kind != CHANGE_SET) return ERR_OK;
    full->fresh = cell_put(w, c->col, at.row, c);
    if (f->parent >= 0) touch_markers(w, t, f, at.row, c->source_time);
    touch_set(w, c->id);
    return ERR_OK;
}

Err twin_late(World *w, const Change *c) {
    Place at;
    const Table *t;
    const Field *f;
    TRY(target(w, c, &at, &t, &f));
    if (c->cell != f->cell) return ERR_STALE;
    if (w->keep_trail) tell_value(w, TRAIL_LATE, c->col, at.row, c);
    return ERR_OK;
}

Err twin_unset(World *w, const Change *c) {
    Place at;
    const Table *t;
    const Field *f;
    TRY(target(w, c, &at, &t, &f));
    for (int32_t i = (int32_t)(c->col - t->first), end = f->end; i < end; i++)
        cell_clear(w, t->first + (uint32_t)i, cell_shape(t->model->fields[i].cell), at.row);
    if (f->parent >= 0) touch_markers(w, t, f, at.row, 0);
    touch(w, c->id);
    return ERR_OK;
}

Err twin_source_time(World *w, const Change *c) {
    Place at;
    const Table *t;
    const Field *f;
    TRY(target(w, c, &at, &t, &f));
    Page *p = core_page(w, c->col, at.row >> PAGE_SHIFT);
    uint32_t r = (uint32_t)(at.row & (PAGE_ROWS - 1));
    if (!p || r >= p->cap ||
        !(atomic_load_explicit(&p->words[page_valid_word(r)], memory_order_relaxed) >> (r & 63) & 1))
        return ERR_VALIDATION;
    Pen pen = pen_open(w, c->col, cell_shape(f->cell), at.row, true);
    pen_put(&pen, page_source_word(pen.p, r), (uint64_t)c->source_time);
    pen_close(&pen);
    if (w->keep_trail) {
        trail_tell(w, &(TrailPoint){.kind = TRAIL_SOURCE, .vec = c->col, .row = at.row, .source_time = c->source_time});
    }
    touch(w, c->id);
    return ERR_OK;
}

Err world_drop_source(World *w, uint64_t twin, uint32_t col) {
    Place at;
    const Field *f;
    const Table *t = catalog_column(catalog_of(w), col, &f);
    if (!t || !place_of(w, twin, &at) || t != &catalog_of(w)->tables[at.table]) return ERR_OK;
    for (int32_t i = (int32_t)(col - t->first); i >= 0; i = t->model->fields[i].parent) {
        uint8_t cell = (uint8_t)t->model->fields[i].cell;
        Change c = {.kind = CHANGE_SOURCE_TIME, .cell = cell, .col = t->first + (uint32_t)i, .id = twin};
        if (cell != CELL_COMPONENT && source_of(w, c.col, at.row)) TRY(world_do(w, &c));
    }
    return ERR_OK;
}

Err twin_telemetry(World *w, const Change *c) {
    Place at;
    if (!place_of(w, c->id, &at)) return ERR_TWIN_NOT_FOUND;
    if (!w->keep_trail) return ERR_OK;
    trail_tell(w, &(TrailPoint){.kind = TRAIL_TELEMETRY,
                                .vec = TRAIL_TELEMETRY_VEC + at.table,
                                .row = at.row,
                                .text = c->text,
                                .source_time = c->source_time});
    return ERR_OK;
}

// ---- life ----

static bool same_name(View *v, uint64_t id, const void *key) {
    Text t;
    view_words(v, VECNO_COLD, id, COLD_NAME, 2, t.w);
    return text_eq(&t, *(const Str *)key);
}

Err twin_new(World *w, const Change *c) {
    uint64_t hash = str_hash(c->text);
    View v = view_writer(w);
    Place at;
    if (c->col >= (uint32_t)catalog_of(w)->table_count || c->id == 0) return ERR_STALE;
    if (c->id > ID_MAX) return ERR_LIMIT;
    if (place_of(w, c->id, &at) || index_find(&v, &index_names, hash, same_name, &c->text)) return ERR_EXISTS;
    uint64_t row = row_take(w, c->col, c->id);
    set_place(w, c->id, c->col, row);
    core_put_text(w, VECNO_COLD, VEC_COLD, c->id, COLD_NAME, text_make(w->domain, c->text));
    index_insert(w, &index_names, hash, c->id);
    meta_put(w, META_TWINS, meta_get(w, META_TWINS) + 1);
    if (c->id > meta_get(w, META_ID_MAX)) meta_put(w, META_ID_MAX, c->id);
    return ERR_OK;
}

static void clear_row(World *w, Place at) {
    const Table *t = &catalog_of(w)->tables[at.table];
    for (int32_t i = 0; i < t->model->field_count; i++)
        cell_clear(w, t->first + (uint32_t)i, cell_shape(t->model->fields[i].cell), at.row);
    row_give(w, at);
}

Err twin_del(World *w, const Change *c, Change *full) {
    Place at;
    if (!place_of(w, c->id, &at)) return ERR_TWIN_NOT_FOUND;
    if (core_get(w, VECNO_COLD, c->id, COLD_OUT) || core_get(w, VECNO_COLD, c->id, COLD_IN)) return ERR_LINKS_LEFT;
    Page *cold = core_page(w, VECNO_COLD, c->id >> PAGE_SHIFT);
    TRY(world_broken(w));
    const Text *name =
        (const Text *)(const void *)&cold->words[page_cell_word(cold, (uint32_t)(c->id & (PAGE_ROWS - 1)))];
    full->text = text_str(name); // the name stays: feeds and history speak of dead twins
    clear_row(w, at);
    index_remove(w, &index_names, str_hash(full->text), c->id);
    core_put(w, VECNO_HOT, VEC_HOT, c->id, HOT_PLACE, 0);
    touch(w, c->id);
    meta_put(w, META_TWINS, meta_get(w, META_TWINS) - 1);
    if (w->keep_trail) trail_tell(w, &(TrailPoint){.kind = TRAIL_DEAD, .row = c->id, .text = full->text});
    return ERR_OK;
}

// Copy one value with its times to another column and row.
static void move_cell(World *w, uint32_t from, uint64_t from_row, uint32_t to, uint64_t to_row, CellKind cell) {
    View v = view_writer(w);
    CellView x = view_cell(&v, from, from_row);
    if (!x.valid) return;
    uint32_t r = (uint32_t)(to_row & (PAGE_ROWS - 1)), valid = page_valid_word(r);
    Pen pen = pen_open(w, to, cell_shape(cell), to_row, x.source_time != 0);
    pen_put(&pen, valid, atomic_load_explicit(&pen.p->words[valid], memory_order_relaxed) | (uint64_t)1 << (r & 63));
    if (cell_is_text(cell)) {
        text_ref(x.text);
        pen_put_text(&pen, page_cell_word(pen.p, r), x.text);
    } else {
        pen_put(&pen, page_cell_word(pen.p, r), x.bits);
    }
    pen_put(&pen, page_update_word(pen.p, r), (uint64_t)x.update_time);
    if (pen.p->b.sources) pen_put(&pen, page_source_word(pen.p, r), (uint64_t)x.source_time);
    pen_close(&pen);
    if (!w->keep_trail) return;
    trail_tell(w, &(TrailPoint){.kind = TRAIL_MOVED,
                                .cell = (uint8_t)cell,
                                .vec = to,
                                .row = to_row,
                                .bits = x.bits,
                                .text = text_str(&x.text),
                                .source_time = x.source_time,
                                .update_time = x.update_time});
}

Err twin_model(World *w, const Change *c) {
    Place from;
    if (!place_of(w, c->id, &from)) return ERR_TWIN_NOT_FOUND;
    const Catalog *cat = catalog_of(w);
    if (c->col >= (uint32_t)cat->table_count) return ERR_STALE;
    const Table *a = &cat->tables[from.table], *b = &cat->tables[c->col];
    uint64_t row = row_take(w, c->col, c->id);
    for (int32_t i = 0; i < b->model->field_count; i++) {
        const Field *f = &b->model->fields[i], *g = model_field(a->model, f->path);
        if (!g || g->cell != f->cell) continue;
        move_cell(w, a->first + (uint32_t)(g - a->model->fields), from.row, b->first + (uint32_t)i, row, f->cell);
    }
    clear_row(w, from);
    set_place(w, c->id, c->col, row);
    return ERR_OK;
}

Err twin_erased(World *w, const Change *c) {
    Place at;
    if (c->id == 0 || c->id > ID_MAX || place_of(w, c->id, &at)) return ERR_STALE;
    if (!core_get(w, VECNO_COLD, c->id, COLD_NAME)) return ERR_TWIN_NOT_FOUND; // there never was one
    core_put_text(w, VECNO_COLD, VEC_COLD, c->id, COLD_NAME, text_make(w->domain, c->text));
    return ERR_OK;
}
