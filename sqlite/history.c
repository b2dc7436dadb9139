// SPDX-License-Identifier: Apache-2.0
// A loadable SQLite extension: the history of a world file as rows, read in place, also while the file is served.
//
//     .load ./libsosia_history
//     SELECT time, value FROM sosia_history('pump-1', 'temperature', '2026-11-01', '2026-11-02');
//
// sosia_history(TWIN [, PROPERTY [, FROM [, TO]]]): values with own times (the source's, or arrival where it gave none)
// in [FROM, TO), by property, then by own time, those of one time by arrival. PROPERTY is a path as in
// "thermostat.setPoint", NULL all of them. Times are texts (ISO 8601) or integers (ns since 1970). A twin that was
// deleted is found by the name it had. What was not sealed yet (the last minutes of a file that is served) is not told.
//
//   time TEXT, property TEXT, value, unit TEXT, arrival TEXT, source TEXT, kind TEXT, ns INTEGER, seq INTEGER
//
// kind: 'value', 'late' (older by its own time than what stood), 'cleared' (no value from here on), 'start' (stood when
// the history begins; seq is 0).
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/time.h"
#include "blocks.h"
SQLITE_EXTENSION_INIT1

enum { COL_TIME, COL_PROPERTY, COL_VALUE, COL_UNIT, COL_ARRIVAL, COL_SOURCE, COL_KIND, COL_NS, COL_SEQ, COL_TWIN };
#define HIDDEN 4 // twin, property, from, to

typedef struct Item {
    int64_t time, arrival;
    uint64_t seq, bits;
    int64_t order;
    Str text, source;
    const char *kind;
    bool valid;
} Item;

typedef struct Place {
    uint32_t table;
    uint64_t row;
    int64_t from, to; // arrival: [from, to)
} Place;

typedef struct Vtab {
    sqlite3_vtab base; // first: SQLite's
    Blocks blocks;
} Vtab;

typedef struct Cursor {
    sqlite3_vtab_cursor base; // first: SQLite's
    Arena ask, keep;          // of one question; of one property
    Str property;             // wanted; p NULL: all
    int64_t from, to;
    World *past; // that a dead twin is in
    View view;
    bool viewing;
    Place *places;
    int64_t place_count, place_cap;
    const Model **models;
    int64_t model_count, model; // model: of the property being told
    int32_t field;              // of the model: told next
    const Field *told;
    Item *items;
    int64_t count, cap, at;
    const Place *place; // being read
} Cursor;

// ---- points -----------------------------------------------------------------------------------------------------

static void add_item(Cursor *c, const Item *item) {
    if (item->time < c->from || item->time >= c->to) return;
    if (c->count == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 256;
        c->items = mem_grow(c->items, (size_t)c->cap * sizeof *c->items);
    }
    c->items[c->count] = *item;
    c->items[c->count].order = c->count;
    c->count++;
}

static void add_point(Cursor *c, const HBlock *b, const HPoint *p) {
    const HBatch *batch = &b->batches[p->batch];
    if (p->kind == HPOINT_MOVED || p->kind == HPOINT_SOURCE) return;
    if (batch->time < c->place->from || batch->time >= c->place->to) return;
    add_item(c, &(Item){.time = p->source_time ? p->source_time : batch->time,
                        .arrival = batch->time,
                        .seq = batch->seq,
                        .bits = p->bits,
                        .text = p->text,
                        .source = b->sources[batch->source],
                        .kind = p->kind == HPOINT_CLEAR  ? "cleared"
                                : p->kind == HPOINT_LATE ? "late"
                                                         : "value",
                        .valid = p->kind != HPOINT_CLEAR});
}

static bool take_points(void *ctx, const HBlock *b, const HPoint *points, int64_t n, const HState *start) {
    Cursor *c = ctx;
    if (start && start->valid && c->place->from == INT64_MIN) {
        add_item(c, &(Item){.time = start->source_time ? start->source_time : start->update_time,
                            .arrival = start->update_time,
                            .bits = start->bits,
                            .text = start->text,
                            .kind = "start",
                            .valid = true});
    }
    for (int64_t i = 0; i < n; i++) add_point(c, b, &points[i]);
    return true;
}

static int by_time(const void *x, const void *y) {
    const Item *a = x, *b = y;
    if (a->time != b->time) return a->time < b->time ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

// ---- places -----------------------------------------------------------------------------------------------------

static void add_place(Cursor *c, uint64_t bits, int64_t from) {
    uint32_t table;
    uint64_t row;
    if (c->place_count && c->places[c->place_count - 1].to > from) c->places[c->place_count - 1].to = from;
    if (!lane_place(bits, &table, &row)) return;
    if (c->place_count == c->place_cap) {
        c->place_cap = c->place_cap ? 2 * c->place_cap : 4;
        c->places = mem_grow(c->places, (size_t)c->place_cap * sizeof *c->places);
    }
    c->places[c->place_count++] = (Place){table, row, from, INT64_MAX};
}

static bool take_places(void *ctx, const HBlock *b, const HPoint *points, int64_t n, const HState *start) {
    if (start && start->valid) add_place(ctx, start->bits, INT64_MIN);
    for (int64_t i = 0; i < n; i++) add_place(ctx, points[i].bits, b->batches[points[i].batch].time);
    return true;
}

// The twin's number; 0: there is, and was, none.
static Err find_twin(Vtab *t, Cursor *c, Str name, uint64_t *id) {
    int64_t died;
    *id = 0;
    if (!t->blocks.world) return ERR_OK;
    view_begin(&c->view, t->blocks.world);
    c->viewing = true;
    *id = view_find_twin(&c->view, name).v;
    if (c->view.failed) return c->view.failed;
    if (*id || !blocks_dead(&t->blocks, name, &died)) return ERR_OK;
    view_end(&c->view);
    c->viewing = false;
    TRY(blocks_world_at(&t->blocks, died - 1, &c->past));
    view_begin(&c->view, c->past);
    c->viewing = true;
    *id = view_find_twin(&c->view, name).v;
    return c->view.failed;
}

static Err find_places(Vtab *t, Cursor *c, uint64_t id) {
    const BlocksRow row = {.lane = LANE_PLACE, .row = id, .from = INT64_MIN, .to = INT64_MAX};
    c->place_count = 0;
    return blocks_row(&t->blocks, &row, &c->ask, take_places, c);
}

// ---- properties -------------------------------------------------------------------------------------------------

static const Model *model_of(const Cursor *c, uint32_t table) {
    return table < (uint32_t)c->view.catalog->table_count ? c->view.catalog->tables[table].model : NULL;
}

static bool is_value(const Field *f) { return f->cell != CELL_OBJECT && f->cell != CELL_COMPONENT; }

// Models of the places, each once, in the order the twin had them.
static void find_models(Cursor *c) {
    c->models = NEW(&c->ask, const Model *, c->place_count);
    c->model_count = 0;
    for (int64_t i = 0; i < c->place_count; i++) {
        const Model *m = model_of(c, c->places[i].table);
        int64_t k = 0;
        while (k < c->model_count && c->models[k] != m) k++;
        if (m && k == c->model_count) c->models[c->model_count++] = m;
    }
}

// Was the property told with a model before?
static bool told_before(const Cursor *c, const Field *f) {
    for (int64_t i = 0; i < c->model; i++) {
        if (model_field(c->models[i], f->path)) return true;
    }
    return false;
}

// The next property to tell; NULL: none is left.
static const Field *next_field(Cursor *c) {
    for (; c->model < c->model_count; c->model++, c->field = 0) {
        const Model *m = c->models[c->model];
        while (c->field < m->field_count) {
            const Field *f = &m->fields[c->field++];
            if (is_value(f) && (!c->property.p || str_eq(f->path, c->property)) && !told_before(c, f)) return f;
        }
    }
    return NULL;
}

// Read the points of a property from all places of the twin.
static Err read_field(Vtab *t, Cursor *c, const Field *field) {
    c->told = field;
    c->count = c->at = 0;
    arena_reset(&c->keep);
    for (int64_t i = 0; i < c->place_count; i++) {
        const Place *p = c->place = &c->places[i];
        const Model *m = model_of(c, p->table);
        const Field *f = m ? model_field(m, field->path) : NULL;
        if (!f || f->cell != field->cell) continue;
        uint32_t column = c->view.catalog->tables[p->table].first + (uint32_t)(f - m->fields);
        const BlocksRow row = {.lane = trail_lane(column, 0), .row = p->row, .from = c->from, .to = c->to};
        TRY(blocks_row(&t->blocks, &row, &c->keep, take_points, c));
    }
    if (c->count) qsort(c->items, (size_t)c->count, sizeof *c->items, by_time);
    return ERR_OK;
}

// ---- SQLite -----------------------------------------------------------------------------------------------------

static int fail(Vtab *t, Err e, const char *what) {
    sqlite3_free(t->base.zErrMsg);
    t->base.zErrMsg = sqlite3_mprintf("sosia_history: %s: %s", what, err_text(e));
    return e == ERR_CORRUPT ? SQLITE_CORRUPT_VTAB : SQLITE_ERROR;
}

static int table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **why) {
    (void)aux, (void)argc, (void)argv, (void)why;
    int rc = sqlite3_declare_vtab(
        db, "CREATE TABLE x(time TEXT, property TEXT, value, unit TEXT, arrival TEXT, source TEXT, kind TEXT,"
            " ns INTEGER, seq INTEGER, twin HIDDEN, of_property HIDDEN, from_time HIDDEN, to_time HIDDEN)");
    if (rc != SQLITE_OK) return rc;
    sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    Vtab *t = mem_alloc(sizeof *t);
    blocks_init(&t->blocks, db);
    *out = &t->base;
    return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *base) {
    Vtab *t = (Vtab *)base;
    blocks_free(&t->blocks);
    mem_free(t);
    return SQLITE_OK;
}

// Arguments are equalities with the hidden columns; idxNum has a bit for each that is given, in their order.
static int table_best(sqlite3_vtab *base, sqlite3_index_info *info) {
    (void)base;
    int at[HIDDEN] = {-1, -1, -1, -1}, n = 0;
    for (int i = 0; i < info->nConstraint; i++) {
        int column = info->aConstraint[i].iColumn - COL_TWIN;
        if (column < 0 || column >= HIDDEN || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
        if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
        at[column] = i;
    }
    if (at[0] < 0) return SQLITE_CONSTRAINT; // a twin must be named
    for (int k = 0; k < HIDDEN; k++) {
        if (at[k] < 0) continue;
        info->idxNum |= 1 << k;
        info->aConstraintUsage[at[k]].argvIndex = ++n;
        info->aConstraintUsage[at[k]].omit = 1;
    }
    info->estimatedCost = at[1] < 0 ? 100000 : 10000;
    info->estimatedRows = 10000;
    return SQLITE_OK;
}

static int cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out) {
    (void)base;
    Cursor *c = mem_alloc(sizeof *c);
    arena_init(&c->ask, 0);
    arena_init(&c->keep, 1 << 20);
    *out = &c->base;
    return SQLITE_OK;
}

static void let_go(Cursor *c) {
    if (c->viewing) view_end(&c->view);
    if (c->past) world_free(c->past);
    c->viewing = false;
    c->past = NULL;
    c->told = NULL;
    c->model = c->model_count = 0;
    c->field = 0;
    c->count = c->at = c->place_count = 0;
    arena_reset(&c->ask);
    arena_reset(&c->keep);
}

static int cursor_close(sqlite3_vtab_cursor *base) {
    Cursor *c = (Cursor *)base;
    let_go(c);
    mem_free(c->items);
    mem_free(c->places);
    arena_free(&c->ask);
    arena_free(&c->keep);
    mem_free(c);
    return SQLITE_OK;
}

static Str text_of(sqlite3_value *v) {
    const char *p = (const char *)sqlite3_value_text(v);
    return (Str){p, sqlite3_value_bytes(v)};
}

// False: it is no time. NULL leaves *out.
static bool time_of(sqlite3_value *v, int64_t *out) {
    if (sqlite3_value_type(v) == SQLITE_NULL) return true;
    if (sqlite3_value_type(v) == SQLITE_INTEGER) {
        *out = sqlite3_value_int64(v);
        return true;
    }
    Str s = text_of(v);
    if (time_parse(s, out)) return true;
    char full[40]; // as SQLite's own functions write them: a date, or date and time in UTC
    if (s.n < 10 || s.n > 29) return false;
    int n = snprintf(full, sizeof full, "%.*s%s", STR_ARG(s), s.n == 10 ? "T00:00:00Z" : "Z");
    full[10] = 'T';
    return time_parse((Str){full, n}, out);
}

// On to the next property while there is nothing to tell of this one.
static int advance(Vtab *t, Cursor *c) {
    while (c->at >= c->count) {
        const Field *f = next_field(c);
        c->told = f;
        if (!f) return SQLITE_OK;
        Err e = read_field(t, c, f);
        if (e != ERR_OK) return fail(t, e, "a property cannot be read");
    }
    return SQLITE_OK;
}

static int cursor_filter(sqlite3_vtab_cursor *base, int given, const char *name, int argc, sqlite3_value **argv) {
    (void)name, (void)argc;
    Cursor *c = (Cursor *)base;
    Vtab *t = (Vtab *)base->pVtab;
    sqlite3_value *arg[HIDDEN] = {NULL};
    uint64_t id;
    let_go(c);
    for (int k = 0, n = 0; k < HIDDEN; k++) arg[k] = given >> k & 1 ? argv[n++] : NULL;
    c->from = INT64_MIN, c->to = INT64_MAX;
    c->property = arg[1] && sqlite3_value_type(arg[1]) != SQLITE_NULL ? arena_str(&c->ask, text_of(arg[1])) : (Str){0};
    if ((arg[2] && !time_of(arg[2], &c->from)) || (arg[3] && !time_of(arg[3], &c->to)))
        return fail(t, ERR_ARGUMENT, "from and to are times as in 2026-11-01T08:00:00Z, or nanoseconds");
    Err e = blocks_refresh(&t->blocks);
    if (e == ERR_OK) e = find_twin(t, c, arena_str(&c->ask, text_of(arg[0])), &id);
    if (e == ERR_OK && id) e = find_places(t, c, id);
    if (e == ERR_OK) find_models(c);
    return e == ERR_OK ? advance(t, c) : fail(t, e, "the history of this file cannot be read");
}

static int cursor_next(sqlite3_vtab_cursor *base) {
    Cursor *c = (Cursor *)base;
    c->at++;
    return advance((Vtab *)base->pVtab, c);
}

static int cursor_eof(sqlite3_vtab_cursor *base) { return ((Cursor *)base)->told == NULL; }

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out) {
    *out = ((Cursor *)base)->at;
    return SQLITE_OK;
}

static void put_text(sqlite3_context *to, Str s) {
    sqlite3_result_text64(to, s.p ? s.p : "", (sqlite3_uint64)s.n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void put_time(sqlite3_context *to, int64_t ns) {
    Buf b = {0};
    int digits = ns % NS_PER_S == 0 ? 0 : ns % NS_PER_MS == 0 ? 3 : ns % 1000 == 0 ? 6 : 9;
    time_print(ns, digits, &b);
    put_text(to, buf_str(&b));
    buf_free(&b);
}

static void put_value(sqlite3_context *to, const Field *f, const Item *i) {
    double d;
    if (!i->valid) return;
    switch (f->cell) {
    case CELL_F64:
        memcpy(&d, &i->bits, 8);
        sqlite3_result_double(to, d);
        return;
    case CELL_STR:
    case CELL_DOC: put_text(to, i->text); return;
    default: sqlite3_result_int64(to, (int64_t)i->bits);
    }
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *to, int column) {
    const Cursor *c = (const Cursor *)base;
    const Item *i = &c->items[c->at];
    switch (column) {
    case COL_TIME: put_time(to, i->time); break;
    case COL_PROPERTY: put_text(to, c->told->path); break;
    case COL_VALUE: put_value(to, c->told, i); break;
    case COL_UNIT:
        if (c->told->unit.n) put_text(to, c->told->unit);
        break;
    case COL_ARRIVAL: put_time(to, i->arrival); break;
    case COL_SOURCE:
        if (i->source.n) put_text(to, i->source);
        break;
    case COL_KIND: put_text(to, str_of(i->kind)); break;
    case COL_NS: sqlite3_result_int64(to, i->time); break;
    case COL_SEQ: sqlite3_result_int64(to, (int64_t)i->seq); break;
    default: break;
    }
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .xConnect = table_connect,
    .xBestIndex = table_best,
    .xDisconnect = table_disconnect,
    .xOpen = cursor_open,
    .xClose = cursor_close,
    .xFilter = cursor_filter,
    .xNext = cursor_next,
    .xEof = cursor_eof,
    .xColumn = cursor_column,
    .xRowid = cursor_rowid,
};

__attribute__((visibility("default"))) int sqlite3_sosiahistory_init(sqlite3 *db, char **why,
                                                                     const sqlite3_api_routines *api);

int sqlite3_sosiahistory_init(sqlite3 *db, char **why, const sqlite3_api_routines *api) {
    (void)why;
    SQLITE_EXTENSION_INIT2(api);
    return sqlite3_create_module(db, "sosia_history", &module, NULL);
}
