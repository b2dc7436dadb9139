// SPDX-License-Identifier: Apache-2.0
// Columns of a Sim: where they come from, their arrays, the symbols in them.
#include <math.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "model/units.h"
#include "sim/inner.h"
#include "world/scan.h"

enum { SORT_FEW = 8 }; // rows that are sorted in place

// ---- sets of rows --------------------------------------------------------------------------------------------------

void rowset_make(RowSet *s) {
    s->mask = mem_alloc(s->size ? s->size : 1);
    s->rows = mem_alloc((s->size ? s->size : 1) * sizeof *s->rows);
    s->n = 0;
}

static int by_row(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void rowset_sort(RowSet *s) {
    uint32_t i = 1;
    while (i < s->n && s->rows[i - 1] < s->rows[i]) i++;
    if (i >= s->n) return;
    if (s->n <= SORT_FEW) {
        for (i = 1; i < s->n; i++) {
            uint32_t row = s->rows[i], at = i;
            for (; at > 0 && s->rows[at - 1] > row; at--) s->rows[at] = s->rows[at - 1];
            s->rows[at] = row;
        }
        return;
    }
    if (s->n < s->size / 16) {
        qsort(s->rows, s->n, sizeof *s->rows, by_row);
        return;
    }
    s->n = 0;
    for (uint32_t r = 0; r < s->size; r++) {
        if (s->mask[r]) s->rows[s->n++] = r;
    }
}

void rowset_drop(RowSet *s, uint8_t lanes) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t r = s->rows[i];
        s->mask[r] &= (uint8_t)~lanes;
        s->rows[kept] = r;
        kept += s->mask[r] != 0;
    }
    s->n = kept;
}

void rowset_copy(RowSet *to, const RowSet *from) {
    rowset_drop(to, UINT8_MAX);
    to->size = from->size;
    if (from->n > from->size / 16) { // one stretch of memory is faster than many single rows
        if (!to->mask) rowset_make(to);
        memcpy(to->mask, from->mask, from->size);
        memcpy(to->rows, from->rows, from->n * sizeof *to->rows);
        to->n = from->n;
        return;
    }
    for (uint32_t i = 0; i < from->n; i++) rowset_add(to, from->rows[i], from->mask[from->rows[i]]);
}

void rowset_free(RowSet *s) {
    mem_free(s->mask);
    mem_free(s->rows);
    *s = (RowSet){.size = s->size};
}

// ---- arrays --------------------------------------------------------------------------------------------------------

static Array *array_room(uint32_t rows, uint32_t lanes) {
    Array *a = mem_alloc_page(sizeof *a + (size_t)rows * lanes * sizeof(double));
    atomic_init(&a->refs, 1);
    a->rows = rows;
    a->lanes = lanes;
    return a;
}

Array *array_new(uint32_t rows, uint32_t lanes) {
    Array *a = array_room(rows, lanes);
    for (size_t i = 0; i < (size_t)rows * lanes; i++) a->v[i] = NAN;
    return a;
}

Array *array_copy(const Array *a) {
    Array *c = array_room(a->rows, a->lanes);
    memcpy(c->v, a->v, (size_t)a->rows * a->lanes * sizeof(double));
    return c;
}

void array_unref(Array *a) {
    if (a && atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) == 1) mem_free(a);
}

// ---- columns -------------------------------------------------------------------------------------------------------

static uint8_t type_of(const Field *f) {
    if (f->cell == CELL_BOOL) return SIM_BOOL;
    if (f->cell == CELL_I64) return f->unit.n && unit_find(f->unit) ? SIM_NUMBER : SIM_COUNT;
    return f->cell == CELL_F64 ? SIM_NUMBER : SIM_SYMBOL;
}

static SimColumn describe(const SimGraph *g, uint32_t col) {
    const Catalog *c = g->catalog;
    CHECK(col >= VECNO_COLUMNS && col < c->next_vec);
    int32_t owner = c->owner[col - VECNO_COLUMNS];
    SimColumn s = {.col = col, .link = owner < 0, .factor = 1};
    s.owner = (uint32_t)(owner < 0 ? -1 - owner : owner);
    if (s.link) s.field = &c->kinds[s.owner].rel->fields[col - c->kinds[s.owner].first];
    else s.field = &c->tables[s.owner].model->fields[col - c->tables[s.owner].first];
    CHECK(s.field->cell < CELL_OBJECT);
    const uint32_t *first = s.link ? g->kind_first : g->table_first;
    s.first = first[s.owner];
    s.rows = first[s.owner + 1] - s.first;
    const Unit *u = unit_find(s.field->unit);
    if (u && (s.field->cell == CELL_F64 || s.field->cell == CELL_I64)) {
        s.factor = u->factor;
        s.offset = u->offset;
    }
    s.type = type_of(s.field);
    return s;
}

static uint32_t column_new(Sim *s, const SimColumn *what, Str name) {
    CHECK(!s->started && !s->wire->up);
    Wire *w = s->wire;
    uint32_t n = w->column_count++;
    if (n == s->column_cap) {
        s->column_cap = n ? n * 2 : 16;
        w->columns = mem_grow(w->columns, s->column_cap * sizeof *w->columns);
        s->columns = mem_grow(s->columns, s->column_cap * sizeof *s->columns);
        s->telling = mem_grow(s->telling, s->column_cap * sizeof *s->telling);
    }
    w->columns[n] = (ColumnWire){.what = *what, .writer = NO_WRITER};
    char *own = mem_alloc((size_t)name.n + 1);
    if (name.n) memcpy(own, name.p, (size_t)name.n);
    w->columns[n].name = (Str){own, name.n};
    Column *c = &s->columns[n];
    *c = (Column){.v = array_new(what->rows, s->open.lanes), .told = {.size = what->rows}};
    c->view = (sim_col){.v = c->v->v, .n = what->rows, .lanes = s->open.lanes, .type = what->type};
    return n;
}

uint32_t sim_column(Sim *s, uint32_t col) {
    for (uint32_t i = 0; i < s->wire->column_count; i++) {
        if (s->wire->columns[i].what.col == col) return i;
    }
    SimColumn what = describe(s->graph, col);
    return column_new(s, &what, (Str){0});
}

uint32_t sim_private(Sim *s, Str name, uint32_t rows, uint8_t type) {
    return column_new(s, &(SimColumn){.rows = rows, .factor = 1, .type = type}, name);
}

sim_col *sim_column_at(Sim *s, uint32_t column) {
    CHECK(column < s->wire->column_count);
    return &s->columns[column].view;
}

SimColumn sim_column_of(const Sim *s, uint32_t column) {
    CHECK(column < s->wire->column_count);
    return s->wire->columns[column].what;
}

uint32_t sim_columns(const Sim *s) { return s->wire->column_count; }

void sim_private_of(Sim *s, uint32_t column, bool link, const uint32_t *dense) {
    SimColumn *w = &s->wire->columns[column].what;
    CHECK(!w->col && !s->started);
    w->link = link;
    w->dense = dense;
}

uint32_t cell_owner(const Sim *s, uint32_t column, uint32_t row) {
    const SimColumn *w = &s->wire->columns[column].what;
    if (row >= w->rows) return UINT32_MAX;
    if (w->col) return w->first + row;
    return w->dense ? w->dense[row] : UINT32_MAX;
}

void owner_name(const Sim *s, uint32_t column, uint32_t row, Buf *out) {
    const SimGraph *g = s->graph;
    uint32_t dense = cell_owner(s, column, row);
    if (dense == UINT32_MAX) buf_printf(out, "?");
    else if (!s->wire->columns[column].what.link) buf_str_put(out, sim_graph_name(g, dense));
    else
        buf_printf(out, "%.*s -%.*s-> %.*s", STR_ARG(sim_graph_name(g, g->from[dense])),
                   STR_ARG(g->catalog->kinds[g->kind[dense]].rel->name), STR_ARG(sim_graph_name(g, g->to[dense])));
}

void sim_cell_name(const Sim *s, uint32_t column, uint32_t row, Buf *out) {
    const ColumnWire *w = &s->wire->columns[column];
    if (w->what.col || w->what.dense) owner_name(s, column, row, out);
    if (w->what.col) buf_printf(out, ".%.*s", STR_ARG(w->what.field->path));
    else if (w->what.dense) buf_printf(out, " (%.*s)", STR_ARG(w->name));
    else buf_printf(out, "%.*s[%u]", STR_ARG(w->name), row);
}

// ---- writing from outside ------------------------------------------------------------------------------------------

void column_own(Sim *s, uint32_t column) {
    Column *c = &s->columns[column];
    if (atomic_load_explicit(&c->v->refs, memory_order_acquire) == 1) return;
    Array *mine = array_copy(c->v);
    array_unref(c->v);
    c->v = mine;
    c->view.v = mine->v;
    const ColumnWire *w = &s->wire->columns[column];
    for (uint32_t i = 0; s->insts && i < w->whole_count; i++) {
        const Reader *r = &w->whole[i];
        if (s->insts[r->inst].wire->roles[r->role].whole) s->insts[r->inst].cols[r->role].v = mine->v;
    }
}

void column_put(Sim *s, const Item *item) {
    Column *c = &s->columns[item->of];
    uint8_t moved = 0;
    for (uint32_t l = 0; l < s->open.lanes; l++) {
        size_t at = place(s, item->row, l);
        if (!(item->lanes >> l & 1) || same_value(c->v->v[at], item->value)) continue;
        if (!moved) column_own(s, item->of);
        c->v->v[at] = item->value;
        if (c->seen) c->seen->v[at] = item->value;
        moved |= (uint8_t)(1u << l);
    }
    if (moved) cell_moved(s, item->of, item->row, moved, NO_WRITER, 0);
    if (moved && !item->known) column_tell(s, item->of, item->row, moved);
}

// ---- symbols -------------------------------------------------------------------------------------------------------

static uint32_t symbol_slot(const Symbols *y, uint32_t number) {
    uint32_t at = number & y->mask;
    while (y->text[at].p && y->number[at] != number) at = (at + 1) & y->mask;
    return at;
}

static void symbols_room(Symbols *y, uint32_t slots) {
    uint32_t *number = y->number, old = y->text ? y->mask + 1 : 0;
    Str *text = y->text;
    y->number = mem_alloc(slots * sizeof *y->number);
    y->text = mem_alloc(slots * sizeof *y->text);
    y->mask = slots - 1;
    for (uint32_t i = 0; i < old; i++) {
        if (!text[i].p) continue;
        uint32_t at = symbol_slot(y, number[i]);
        y->number[at] = number[i];
        y->text[at] = text[i];
    }
    mem_free(number);
    mem_free(text);
}

Symbols *symbols_new(void) {
    Symbols *y = mem_alloc(sizeof *y);
    y->refs = 1;
    arena_init(&y->keep, 4096);
    symbols_room(y, 16);
    return y;
}

void symbols_put(Symbols *y, uint32_t number, Str text) {
    if (y->count * 2 > y->mask) symbols_room(y, (y->mask + 1) * 2);
    uint32_t at = symbol_slot(y, number);
    if (!y->text[at].p) y->count++;
    y->number[at] = number;
    y->text[at] = arena_str(&y->keep, text);
}

Str symbols_get(const Symbols *y, uint32_t number) { return y->text[symbol_slot(y, number)]; }

Symbols *symbols_copy(const Symbols *from) {
    Symbols *y = symbols_new();
    for (uint32_t i = 0; i <= from->mask; i++) {
        if (from->text[i].p) symbols_put(y, from->number[i], from->text[i]);
    }
    return y;
}

void symbols_unref(Symbols *y) {
    if (!y || atomic_fetch_sub_explicit(&y->refs, 1, memory_order_acq_rel) > 1) return;
    mem_free(y->number);
    mem_free(y->text);
    arena_free(&y->keep);
    mem_free(y);
}

uint32_t sim_symbol(Sim *s, Str text) {
    uint64_t h = str_hash(text);
    for (uint32_t number = (uint32_t)(h ^ h >> 32);; number++) {
        uint32_t at = symbol_slot(s->symbols, number);
        if (s->symbols->text[at].p && str_eq(s->symbols->text[at], text)) return number;
        if (s->symbols->text[at].p) continue;
        if (atomic_load_explicit(&s->symbols->refs, memory_order_acquire) > 1) {
            Symbols *mine = symbols_copy(s->symbols);
            symbols_unref(s->symbols);
            s->symbols = mine;
        }
        symbols_put(s->symbols, number, text);
        return number;
    }
}

Str sim_symbol_text(const Sim *s, uint32_t symbol) { return symbols_get(s->symbols, symbol); }

// ---- gathering -----------------------------------------------------------------------------------------------------

static void put_lanes(Sim *s, Column *c, uint32_t row, uint8_t lanes, double value) {
    for (uint32_t l = 0; l < s->open.lanes; l++) {
        if (lanes >> l & 1) c->v->v[place(s, row, l)] = value;
    }
}

static double value_of_page(Sim *s, uint32_t column, const PageCopy *p, uint32_t r) {
    bool text = cell_is_text(s->wire->columns[column].what.field->cell);
    bool valid = r < p->rows && (p->valid[r >> 6] >> (r & 63) & 1);
    if (!valid) return NAN;
    Text t = text ? (Text){{p->cells[2 * r], p->cells[2 * r + 1]}} : (Text){{0, 0}};
    return sim_value_in(s, column, true, text ? 0 : p->cells[r], text ? text_str(&t) : (Str){0});
}

static void gather_column(Sim *s, View *v, uint32_t column, uint8_t lanes) {
    const SimColumn *what = &s->wire->columns[column].what;
    PageCopy p = {0};
    uint64_t at = UINT64_MAX;
    for (uint32_t i = 0; i < what->rows && !v->overrun; i++) {
        uint64_t row = what->link ? s->graph->link_id[what->first + i] : s->graph->row[what->first + i];
        if (row >> PAGE_SHIFT != at) view_page(v, what->col, at = row >> PAGE_SHIFT, PAGE_CELLS, &p);
        double value = value_of_page(s, column, &p, (uint32_t)(row & (PAGE_ROWS - 1)));
        put_lanes(s, &s->columns[column], i, lanes, value);
    }
    page_copy_free(&p);
}

Err sim_gather(Sim *s, View *v, uint16_t lane_mask) {
    CHECK(!s->started);
    for (uint32_t i = 0; i < s->wire->column_count; i++) {
        if (s->wire->columns[i].what.col) gather_column(s, v, i, (uint8_t)lane_mask & lanes_all(s));
    }
    if (v->failed != ERR_OK) return v->failed;
    return v->overrun ? ERR_OVERRUN : ERR_OK;
}

// ---- a Sim ---------------------------------------------------------------------------------------------------------

Sim *sim_new(const SimOpen *o) {
    CHECK(o->lanes == 1 || o->lanes == SIM_LANES_MAX);
    CHECK(o->output_s >= 0);
    Sim *s = mem_alloc(sizeof *s);
    s->open = *o;
    s->graph = sim_graph_ref(o->graph);
    if (s->open.micro_max <= 0) s->open.micro_max = SIM_MICRO_MAX;
    s->wire = mem_alloc(sizeof *s->wire);
    s->wire->refs = 1;
    s->symbols = symbols_new();
    return s;
}

void sim_free(Sim *s) {
    if (!s) return;
    for (uint32_t i = 0; s->insts && i < s->wire->inst_count; i++) inst_free(&s->insts[i]);
    for (uint32_t i = 0; i < s->wire->column_count; i++) {
        array_unref(s->columns[i].v);
        array_unref(s->columns[i].seen);
        rowset_free(&s->columns[i].told);
    }
    mem_free(s->insts);
    mem_free(s->columns);
    mem_free(s->telling);
    mem_free(s->calendar.items);
    mem_free(s->cells);
    mem_free(s->trace);
    accel_drop(s);
    symbols_unref(s->symbols);
    wire_unref(s->wire);
    sim_graph_unref(s->graph);
    mem_free(s);
}
