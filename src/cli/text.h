// SPDX-License-Identifier: Apache-2.0
// Text for people: widths on a terminal, safe printing of foreign text, ages and numbers in words, tables. Any thread;
// no state. Colours appear only where the caller says so.
#pragma once
#include "base/buf.h"
#include "base/arena.h"

// How a piece of text looks. ORDER STYLE
typedef enum Style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_GREEN, STYLE_YELLOW, STYLE_CYAN } Style;

// Columns that UTF-8 text takes on a terminal: combining marks 0, East Asian wide and emoji 2 (Unicode TR 11).
int32_t text_width(Str s);
// Append s so that it cannot steer a terminal: control characters as \n, \t or \xNN, marks that turn the
// writing direction as \uNNNN, broken UTF-8 as U+FFFD.
void text_clean(Str s, Buf *out);
// Append the longest head of s that fits `width` columns, with "…" as its last column when something was cut.
void text_fit(Str s, int32_t width, Buf *out);
// Escape sequence that begins a style; "" for STYLE_PLAIN or when colour is off. Static memory.
const char *style_on(Style style, bool colour);
const char *style_off(Style style, bool colour);

// Append an age or duration in one unit: "now" below a second, "12 s", "3 min", "5 h", "2 d"; negative: "in 3 s".
void text_age(int64_t ns, Buf *out);
// Append a duration for progress lines: "0:07", "12:30", "1:02:03".
void text_clock(int64_t ns, Buf *out);
// Append a count with blanks between thousands: "1 234 567".
void text_count(int64_t n, Buf *out);
// Append a short rate or size: "950", "12.3 k", "4.56 M".
void text_short(double v, Buf *out);

// ---- tables -------------------------------------------------------------------------------------------------------

typedef struct Column {
    const char *title;
    bool right;    // align right (numbers)
    bool flexible; // may be cut when the table is wider than the terminal; the widest one is cut first
} Column;

typedef struct Cell {
    Str text; // cleaned, owned by the table
    int32_t width;
    Style style;
} Cell;

#define TABLE_COLUMNS_MAX 64

// A table is filled cell by cell, row by row, then printed as often as wanted.
typedef struct Table {
    const Column *columns;
    int32_t column_count;
    Arena keep;
    Cell *cells; // row-major, in `store`
    Buf store;
    int64_t count; // cells
} Table;

typedef struct TablePrint {
    int32_t width; // terminal columns; 0: never cut
    bool colour;
    bool no_header;
    int64_t first, rows;   // slice of the rows; rows 0: all
    const int32_t *widths; // one a column, from table_widths; NULL: as the rows want
} TablePrint;

// Start empty. `columns` is borrowed.
void table_init(Table *t, const Column *columns, int32_t column_count);
// Append one cell; the text is copied and cleaned.
void table_put(Table *t, Style style, Str text);
// Append one printf cell.
void table_printf(Table *t, Style style, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// Rows that are complete.
int64_t table_rows(const Table *t);
// Widths of the columns in `width` terminal columns (0: no bound), none below least[c] (NULL: none); returns the sum
// with the gaps, which is more than `width` when the flexible columns could not be cut enough. Cost: O(cells).
int32_t table_widths(const Table *t, int32_t width, const int32_t *least, int32_t *widths);
// The rows fit into `width` terminal columns, flexible columns cut as far as they may be. Cost: O(cells).
bool table_fits(const Table *t, int32_t width);
// Append the table as text: title line, rule, rows. Column widths follow from all rows, not only the slice.
void table_print(const Table *t, const TablePrint *how, Buf *out);
// Forget the rows, keep the memory.
void table_reset(Table *t);
void table_free(Table *t);
