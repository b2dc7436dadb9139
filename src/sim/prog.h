// SPDX-License-Identifier: Apache-2.0
// Prog: an expression as a program over columns. A stack machine whose stack cells are arrays of up to PROG_CHUNK
// elements: every operation is one loop, and a property of consecutive rows is no copy but the column itself. Numbers
// are in SI units, truth is 1 and 0, a text its symbol, no value NaN; a result that is not finite is no value. What a
// program gives for an element does not depend on how the elements are cut into chunks or which others are asked for.
// Only src/sim includes this. A Prog is immutable; any thread.
#pragma once
#include <sosia/sosia_engine.h>
#include "base/arena.h"

#define PROG_CHUNK 256 // elements of one loop
#define PROG_ELEMENTS (-2)
#define PROG_DEPTH_MAX 24 // nested operations of one expression

// ORDER PROG_OP: prog.c ARGS
typedef enum ProgOp {
    PO_CONST,   // c
    PO_SYMBOL,  // literal text `arg`
    PO_CELL,    // role `arg` of the element's row
    PO_PRE,     // the same before this instant: shadow `arg`
    PO_LEAF,    // leaf `arg` of the aggregate around: of the neighbour or the link
    PO_ELAPSED, // seconds since the run began
    PO_CLOCK,   // seconds since a Monday 00:00 where the clock is `c` seconds ahead of UTC
    PO_AGG,     // aggregate `arg`
    PO_NEG,
    PO_NOT,
    PO_ABS,
    PO_CEIL,
    PO_FLOOR,
    PO_ROUND,
    PO_SIGN,
    PO_SQRT,
    PO_EXP,
    PO_LN,
    PO_LOG10,
    PO_SIN,
    PO_COS,
    PO_TAN,
    PO_ASIN,
    PO_ACOS,
    PO_ATAN,
    PO_DEFINED,
    PO_TABLE, // table `arg`
    PO_DELAY, // delay `arg`: the operand is what it was at the start
    PO_ADD,
    PO_SUB,
    PO_MUL,
    PO_DIV,
    PO_MOD,
    PO_POW,
    PO_ROUND_TO,
    PO_ATAN2,
    PO_LEAST,
    PO_GREATEST,
    PO_COALESCE,
    PO_EQ,
    PO_NE,
    PO_LT,
    PO_GT,
    PO_LE,
    PO_GE, // relations: root `arg` - 1 when arg > 0
    PO_AND,
    PO_OR,
    PO_UNIFORM, // random, stream `arg`
    PO_NORMAL,
    PO_EXPONENTIAL, // one operand
    PO_POISSON,     // one operand
    PO_COND,        // three: test, then, else
    PO_CLAMP,
    PO_COUNT
} ProgOp;

typedef struct ProgStep {
    uint8_t op;
    uint32_t arg;
    double c;
} ProgStep;

typedef struct Prog {
    ProgStep *steps;
    int32_t count;
    int32_t roots; // relations whose difference is told
} Prog;

// A property of neighbours or links, by edge of the aggregate: role UINT32_MAX: the model there has none.
typedef struct ProgLeaf {
    const uint32_t *row;
    const uint32_t *role; // by edge; NULL: `all` for all of them
    uint32_t all;
} ProgLeaf;

typedef enum AggOp { AGG_SUM, AGG_AVG, AGG_MIN, AGG_MAX, AGG_COUNT, AGG_ANY, AGG_ALL } AggOp;

// A fold over the edges of a row: edges ptr[row] to ptr[row + 1].
typedef struct ProgAgg {
    AggOp op;
    bool has_value, has_where;
    const uint32_t *ptr; // rows + 1
    Prog value, where;
    ProgLeaf *leaves;
    int32_t leaf_count;
} ProgAgg;

// Piecewise linear: n points ascending in x.
typedef struct ProgTable {
    const double *x, *y;
    int32_t n;
} ProgTable;

typedef struct ProgUnit { // what a program refers to by number
    const ProgAgg *aggs;
    const ProgTable *tables;
} ProgUnit;

// Which elements: row * lanes + lane of a table.
typedef struct ProgSel {
    uint32_t first, n;    // n elements, from element `first` on; with lane >= 0 n rows from row `first` on
    const uint32_t *rows; // NULL: consecutive; else these rows: n / lanes of them, or n with lane >= 0
    int16_t lane;         // < 0: all lanes of each row; PROG_ELEMENTS: `rows` are elements
} ProgSel;

typedef struct ProgRun ProgRun;
struct ProgRun {
    const ProgUnit *unit;
    const sim_col *col;
    uint32_t lanes;
    const double *symbol;
    const double *t; // by lane; by position in the selection when t_each
    bool t_each;
    double week;                 // seconds from a Monday 00:00 UTC to time 0
    const double *const *shadow; // PRE: by shadow
    // DELAY: n values for elements elem[] (at position pos of the selection); init[] where it has none yet.
    void (*delayed)(const ProgRun *r, uint32_t delay, const uint32_t *elem, uint32_t pos, uint32_t n,
                    const double *init, double *out);
    // Random numbers: one value for an element.
    double (*draw)(const ProgRun *r, ProgOp op, uint32_t stream, uint32_t elem, double a, double b);
    void *ctx;
    double *roots; // relation k of position p at roots[k * sel.n + p]; NULL: not wanted
};

// Evaluate: out[p] for position p of the selection; or, where out is NULL, into the elements of `into`, a column.
void prog_run(const Prog *p, const ProgRun *r, const ProgSel *sel, double *out, double *into);
// The elements of positions [from, from + n).
void prog_elements(const ProgSel *sel, uint32_t lanes, uint32_t from, uint32_t n, uint32_t *out);
// Are they one stretch of a column? Then *first is where it begins.
bool prog_stretch(const ProgSel *sel, uint32_t lanes, uint32_t *first);
// How many operands an operation takes.
int32_t prog_args(ProgOp op);
// Value of a table.
double prog_table(const ProgTable *t, double x);
