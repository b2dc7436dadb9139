// SPDX-License-Identifier: Apache-2.0
// Grid: rows of an answer to a question, laid out in columns: for tables, for records below each other, for CSV. Knows
// twins, relationships and paths by their members and shows them short. One thread.
//
//   {"T":{a whole twin}}           $dtId, $model and its properties; members of components as `drive.temperature`
//   {"a":{twin},"b":{twin}}        a: "pump-1 (Pump)", b: ...
//   {"name":"x","power":3}         name, power
#pragma once
#include "base/map.h"
#include "cli/text.h"
#include "codec/json.h"

typedef struct GridColumn {
    Str name;
    Str unit;    // symbol; "" when there is none, or not the same in all rows
    bool number; // every value so far is a number
} GridColumn;

typedef struct GridCell {
    int32_t column;
    bool null;
    Str text;
} GridCell;

typedef struct GridRow {
    int64_t first; // cell
    int32_t count;
    Str model; // of a whole twin, else ""
} GridRow;

typedef struct Grid {
    bool exact; // for machines: whole model ids, nested values as JSON
    Arena keep;
    Map names; // of columns -> number + 1
    GridColumn *columns;
    int32_t *order; // of columns as shown: that of the rows' members, as far as they agree
    GridCell *cells;
    GridRow *rows;
    int32_t column_count;
    int64_t cell_count, row_count;
    Buf column_room, order_room, cell_room, row_room; // behind the arrays
} Grid;

// Start empty.
void grid_init(Grid *g, bool exact);
// A column, before any row has it: columns named in order come first and stand although no row has a value.
void grid_column(Grid *g, Str name);
// Add one row; what it says is copied. False when the grid holds more than it may (about 1 GiB): row not added.
bool grid_add(Grid *g, const Json *row);
// Forget rows and columns, keep the memory.
void grid_reset(Grid *g);
void grid_free(Grid *g);

// The unit of a property of a model, "" when it has none. Borrowed for as long as the grid.
typedef Str (*GridUnitFn)(void *ctx, Str model, Str path);

// Ask for the units of whole twins' properties: once for each model and column, for at most `models_max` models.
void grid_units(Grid *g, GridUnitFn fn, void *ctx, int32_t models_max);
// Fill an empty table with all rows. `columns` has room for column_count <= TABLE_COLUMNS_MAX entries and lives as long
// as the table; titles are "name unit".
void grid_table(Grid *g, Table *out, Column *columns);
// Append the rows as records, one value a line, for rows too wide for a table. `number`: of the first row, from 1.
void grid_records(const Grid *g, int64_t number, int32_t width, bool colour, Buf *out);
// Append as CSV (RFC 4180, lines end with \n): a header when asked for, then the rows; what a row lacks is empty.
void grid_csv(const Grid *g, bool header, Buf *out);
// "Pump" of "dtmi:sosia:bottling:Pump;1", "Pump;2" of version 2; the text itself when it is no DTMI.
Str model_short(Arena *a, Str dtmi);
