// SPDX-License-Identifier: Apache-2.0
#include "cli/grid.h"
#include "base/check.h"

void grid_init(Grid *g, bool exact) {
    *g = (Grid){.exact = exact};
    arena_init(&g->keep, 0);
}

void grid_reset(Grid *g) {
    map_free(&g->names);
    arena_reset(&g->keep);
    buf_reset(&g->column_room);
    buf_reset(&g->order_room);
    buf_reset(&g->cell_room);
    buf_reset(&g->row_room);
    g->column_count = 0;
    g->cell_count = g->row_count = 0;
}

void grid_free(Grid *g) {
    map_free(&g->names);
    arena_free(&g->keep);
    buf_free(&g->column_room);
    buf_free(&g->order_room);
    buf_free(&g->cell_room);
    buf_free(&g->row_room);
    *g = (Grid){0};
}

Str model_short(Arena *a, Str dtmi) {
    if (!str_starts(dtmi, STR("dtmi:"))) return dtmi;
    int64_t colon = 0, semi = str_find(dtmi, ';', 0);
    Str name = semi < 0 ? dtmi : str_sub(dtmi, 0, semi);
    for (int64_t i; (i = str_find(name, ':', colon)) >= 0;) colon = i + 1;
    name = str_sub(name, colon, name.n);
    if (semi < 0 || str_eq(str_sub(dtmi, semi, dtmi.n), STR(";1"))) return name;
    return arena_printf(a, "%.*s%.*s", STR_ARG(name), STR_ARG(str_sub(dtmi, semi, dtmi.n)));
}

// ---- what a value says --------------------------------------------------------------------------------------------

static bool is_twin(const Json *v) {
    const Json *meta = json_get(v, STR("$metadata"));
    return meta && meta->type == JSON_OBJECT && json_text(v, STR("$dtId")).n;
}

static bool is_link(const Json *v) {
    return json_text(v, STR("$relationshipId")).n && json_text(v, STR("$sourceId")).n;
}

static bool is_path(const Json *v) {
    const Json *twins = json_get(v, STR("twins")), *links = json_get(v, STR("relationships"));
    return v->type == JSON_OBJECT && v->count == 3 && json_get(v, STR("length")) && links && twins &&
           twins->type == JSON_ARRAY && links->type == JSON_ARRAY;
}

// JSON without the members that begin with $: people want the values.
static void put_plain(Buf *b, const Json *v) {
    if (v->type != JSON_OBJECT) {
        json_put(b, v);
        return;
    }
    int32_t n = 0;
    buf_byte(b, '{');
    for (int32_t i = 0; i < v->count; i++) {
        if (str_starts(v->members[i].key, STR("$"))) continue;
        if (n++) buf_byte(b, ',');
        json_put_str(b, v->members[i].key);
        buf_byte(b, ':');
        put_plain(b, &v->members[i].value);
    }
    buf_byte(b, '}');
}

static void put_path(Buf *b, const Json *twins) {
    for (int32_t i = 0; i < twins->count; i++) {
        if (i) buf_str_put(b, STR(" → "));
        if (twins->items[i].type == JSON_STRING) buf_str_put(b, twins->items[i].s);
    }
}

static Str text_of(Grid *g, const Json *v) {
    if (v->type == JSON_STRING) return arena_str(&g->keep, v->s);
    Buf b = {0};
    bool noisy = v->type == JSON_DOUBLE && v->raw.n > 12 && !g->exact; // 1.0166666666666668, of an average
    if (noisy) {
        buf_printf(&b, "%.10g", v->d);
    } else if (v->type != JSON_OBJECT || g->exact) {
        json_put(&b, v);
    } else if (is_twin(v)) {
        Str model = model_short(&g->keep, json_text(json_get(v, STR("$metadata")), STR("$model")));
        buf_printf(&b, "%.*s (%.*s)", STR_ARG(json_text(v, STR("$dtId"))), STR_ARG(model));
    } else if (is_link(v)) {
        buf_printf(&b, "%.*s -%.*s-> %.*s", STR_ARG(json_text(v, STR("$sourceId"))),
                   STR_ARG(json_text(v, STR("$relationshipName"))), STR_ARG(json_text(v, STR("$targetId"))));
    } else if (is_path(v)) {
        put_path(&b, json_get(v, STR("twins")));
    } else {
        put_plain(&b, v);
    }
    Str out = arena_str(&g->keep, buf_str(&b));
    buf_free(&b);
    return out;
}

// ---- rows ---------------------------------------------------------------------------------------------------------

// The column's place in the order; their number when there is no such column.
static int32_t place_of(const Grid *g, int32_t column) {
    int32_t at = 0;
    while (at < g->column_count && g->order[at] != column) at++;
    return at;
}

// Put the newest column at a place of the order.
static void put_in_order(Grid *g, int32_t place) {
    int32_t column = g->column_count - 1;
    buf_put(&g->order_room, &column, (int64_t)sizeof column);
    CHECK(!g->order_room.full);
    g->order = (int32_t *)(void *)g->order_room.p;
    memmove(g->order + place + 1, g->order + place, sizeof column * (size_t)(column - place));
    g->order[place] = column;
}

static int32_t column_in(Grid *g, Str name, int32_t place) {
    int64_t at;
    if (map_get(&g->names, name, &at)) return (int32_t)at - 1;
    GridColumn c = {.name = arena_str(&g->keep, name), .number = true};
    buf_put(&g->column_room, &c, (int64_t)sizeof c);
    CHECK(!g->column_room.full);
    g->columns = (GridColumn *)(void *)g->column_room.p;
    map_put(&g->names, c.name, ++g->column_count);
    put_in_order(g, place);
    return g->column_count - 1;
}

static int32_t column_at(Grid *g, Str name) { return column_in(g, name, g->column_count); }

// Where the member i of a row would stand: before the next one that is known, else behind the one before.
static int32_t place_in_row(const Grid *g, const Json *row, int32_t i) {
    int64_t at;
    for (int32_t k = i + 1; k < row->count; k++) {
        if (map_get(&g->names, row->members[k].key, &at)) return place_of(g, (int32_t)at - 1);
    }
    if (i && map_get(&g->names, row->members[i - 1].key, &at)) return place_of(g, (int32_t)at - 1) + 1;
    return g->column_count;
}

void grid_column(Grid *g, Str name) { column_at(g, name); }

static void put_text(Grid *g, Str name, Str text) {
    int32_t column = column_at(g, name);
    g->columns[column].number = false;
    GridCell cell = {.column = column, .text = arena_str(&g->keep, text)};
    buf_put(&g->cell_room, &cell, (int64_t)sizeof cell);
}

static void put_value(Grid *g, Str name, const Json *v) {
    GridCell cell = {.column = column_at(g, name), .null = v->type == JSON_NULL, .text = text_of(g, v)};
    if (!json_is_number(v) && !cell.null) g->columns[cell.column].number = false;
    buf_put(&g->cell_room, &cell, (int64_t)sizeof cell);
}

// Properties of a twin, a component or a relationship; members of components below their name.
static void put_members(Grid *g, Str prefix, const Json *object) {
    for (int32_t i = 0; i < object->count; i++) {
        const JsonMember *m = &object->members[i];
        if (str_starts(m->key, STR("$"))) continue;
        Str name = prefix.n ? arena_printf(&g->keep, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(m->key)) : m->key;
        if (json_get(&m->value, STR("$metadata"))) put_members(g, name, &m->value);
        else put_value(g, name, &m->value);
    }
}

static void put_twin(Grid *g, const Json *twin, GridRow *row) {
    Str model = json_text(json_get(twin, STR("$metadata")), STR("$model"));
    row->model = arena_str(&g->keep, model);
    put_text(g, STR("$dtId"), json_text(twin, STR("$dtId")));
    put_text(g, STR("$model"), g->exact ? model : model_short(&g->keep, model));
    put_members(g, (Str){0}, twin);
}

static void put_link(Grid *g, const Json *link) {
    static const Str fields[] = {
        {"$sourceId", 9}, {"$relationshipName", 17}, {"$targetId", 9}, {"$relationshipId", 15}};
    for (int32_t i = 0; i < 4; i++) put_text(g, fields[i], json_text(link, fields[i]));
    put_members(g, (Str){0}, link);
}

bool grid_add(Grid *g, const Json *row) {
    if (g->cell_room.full || g->row_room.full) return false;
    const Json *v = row->type == JSON_OBJECT && row->count == 1 ? &row->members[0].value : row;
    GridRow out = {.first = g->cell_room.n / (int64_t)sizeof(GridCell)};
    if (is_twin(v)) {
        put_twin(g, v, &out);
    } else if (is_link(v)) {
        put_link(g, v);
    } else if (row->type == JSON_OBJECT) {
        for (int32_t i = 0; i < row->count; i++) {
            column_in(g, row->members[i].key, place_in_row(g, row, i));
            put_value(g, row->members[i].key, &row->members[i].value);
        }
    } else {
        put_value(g, STR("value"), row);
    }
    if (g->cell_room.full) return false;
    g->cells = (GridCell *)(void *)g->cell_room.p;
    g->cell_count = g->cell_room.n / (int64_t)sizeof(GridCell);
    out.count = (int32_t)(g->cell_count - out.first);
    buf_put(&g->row_room, &out, (int64_t)sizeof out);
    if (g->row_room.full) return false;
    g->rows = (GridRow *)(void *)g->row_room.p;
    g->row_count++;
    return true;
}

// ---- units --------------------------------------------------------------------------------------------------------

static bool first_of_model(const Grid *g, int64_t row) {
    for (int64_t r = 0; r < row; r++) {
        if (str_eq(g->rows[r].model, g->rows[row].model)) return false;
    }
    return g->rows[row].model.n > 0;
}

void grid_units(Grid *g, GridUnitFn fn, void *ctx, int32_t models_max) {
    bool *known = NEW(&g->keep, bool, g->column_count + 1);
    for (int64_t r = 0; r < g->row_count; r++) {
        if (!first_of_model(g, r)) continue;
        if (models_max-- == 0) break;
        for (int32_t i = 0; i < g->rows[r].count; i++) {
            const GridCell *cell = &g->cells[g->rows[r].first + i];
            GridColumn *c = &g->columns[cell->column];
            Str unit = c->number ? fn(ctx, g->rows[r].model, c->name) : (Str){0};
            if (known[cell->column] && !str_eq(c->unit, unit)) unit = (Str){0};
            c->unit = arena_str(&g->keep, unit);
            known[cell->column] = true;
        }
    }
    if (models_max >= 0) return;
    for (int32_t c = 0; c < g->column_count; c++) g->columns[c].unit = (Str){0}; // some models were not asked
}

// ---- printing -----------------------------------------------------------------------------------------------------

static const GridCell *cell_at(const Grid *g, const GridRow *row, int32_t column) {
    for (int32_t i = 0; i < row->count; i++) {
        if (g->cells[row->first + i].column == column) return &g->cells[row->first + i];
    }
    return NULL;
}

static Style style_of(const Grid *g, const GridCell *cell) {
    Str name = g->columns[cell->column].name;
    if (cell->null || str_eq(name, STR("$model"))) return STYLE_DIM;
    return str_eq(name, STR("$dtId")) ? STYLE_BOLD : STYLE_PLAIN;
}

void grid_table(Grid *g, Table *out, Column *columns) {
    CHECK(g->column_count <= TABLE_COLUMNS_MAX);
    for (int32_t c = 0; c < g->column_count; c++) {
        const GridColumn *column = &g->columns[g->order[c]];
        Buf title = {0};
        text_clean(column->name, &title);
        if (column->unit.n) buf_byte(&title, ' ');
        text_clean(column->unit, &title);
        columns[c] = (Column){.title = arena_str(&g->keep, buf_str(&title)).p, .right = column->number};
        columns[c].flexible = !columns[c].right;
        buf_free(&title);
    }
    table_init(out, columns, g->column_count);
    for (int64_t r = 0; r < g->row_count; r++) {
        for (int32_t c = 0; c < g->column_count; c++) {
            const GridCell *cell = cell_at(g, &g->rows[r], g->order[c]);
            if (cell) table_put(out, style_of(g, cell), cell->text);
            else table_put(out, STYLE_PLAIN, (Str){0});
        }
    }
}

static int32_t name_width(const Grid *g, const GridRow *row) {
    int32_t widest = 0;
    for (int32_t i = 0; i < row->count; i++) {
        int32_t w = text_width(g->columns[g->cells[row->first + i].column].name);
        if (w > widest) widest = w;
    }
    return widest > 40 ? 40 : widest;
}

static void print_record(const Grid *g, const GridRow *row, int32_t width, bool colour, Buf *out) {
    int32_t names = name_width(g, row);
    for (int32_t i = 0; i < row->count; i++) {
        const GridCell *cell = &g->cells[row->first + i];
        const GridColumn *c = &g->columns[cell->column];
        Style style = style_of(g, cell);
        Buf name = {0}, text = {0};
        text_clean(c->name, &name);
        text_clean(cell->text, &text);
        buf_printf(out, "  %s%.*s%s%*s  %s", style_on(STYLE_DIM, colour), STR_ARG(buf_str(&name)),
                   style_off(STYLE_DIM, colour),
                   names > text_width(buf_str(&name)) ? names - text_width(buf_str(&name)) : 0, "",
                   style_on(style, colour));
        int32_t room = width - names - 4 - (c->unit.n ? text_width(c->unit) + 1 : 0);
        if (width) text_fit(buf_str(&text), room < 10 ? 10 : room, out);
        else buf_str_put(out, buf_str(&text));
        buf_printf(out, "%s%s%.*s\n", style_off(style, colour), c->unit.n ? " " : "", STR_ARG(c->unit));
        buf_free(&name);
        buf_free(&text);
    }
}

void grid_records(const Grid *g, int64_t number, int32_t width, bool colour, Buf *out) {
    for (int64_t r = 0; r < g->row_count; r++) {
        if (r) buf_byte(out, '\n');
        buf_printf(out, "%srow %lld%s\n", style_on(STYLE_BOLD, colour), (long long)(number + r),
                   style_off(STYLE_BOLD, colour));
        print_record(g, &g->rows[r], width, colour, out);
    }
}

static void csv_put(Buf *out, Str s) {
    bool plain = true;
    for (int64_t i = 0; i < s.n && plain; i++)
        plain = s.p[i] != ',' && s.p[i] != '"' && s.p[i] != '\n' && s.p[i] != '\r';
    if (plain) {
        buf_str_put(out, s);
        return;
    }
    buf_byte(out, '"');
    for (int64_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') buf_byte(out, '"');
        buf_byte(out, s.p[i]);
    }
    buf_byte(out, '"');
}

void grid_csv(const Grid *g, bool header, Buf *out) {
    for (int32_t c = 0; header && c < g->column_count; c++) {
        if (c) buf_byte(out, ',');
        csv_put(out, g->columns[g->order[c]].name);
    }
    if (header && g->column_count) buf_byte(out, '\n');
    for (int64_t r = 0; r < g->row_count; r++) {
        for (int32_t c = 0; c < g->column_count; c++) {
            const GridCell *cell = cell_at(g, &g->rows[r], g->order[c]);
            if (c) buf_byte(out, ',');
            if (cell && !cell->null) csv_put(out, cell->text);
        }
        buf_byte(out, '\n');
    }
}
