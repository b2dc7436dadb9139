// SPDX-License-Identifier: Apache-2.0
// Inside of the page evaluator: lanes, the memory under them, and kernels over them. For src/expr/page*.c only.
//
// Invariants
// 1. Everything is numbered by row of the page (0 .. PAGE_ROWS - 1), never by place in the selection: columns are used
//    where they were copied, and all kernels go straight through words of 64 rows, skipping words without a selected
//    row. Rows are gathered by selection only at the very end (page.c).
// 2. Outside the selection, lanes hold anything: computed garbage, never bad memory, and nothing is followed there.
//    `valid` may have bits outside the selection; results are masked by what asks for them.
// 3. A lane's memory comes from the stack of its ExprPage: taken before the arguments are evaluated, so that theirs is
//    given back when the result is there (lane_release).
#pragma once
#include "expr/expr.h"
#include "world/scan.h"

#define LANE_WORDS (PAGE_ROWS / 64)

// Rows of a page, one bit each.
typedef struct Sel {
    uint64_t bits[LANE_WORDS];
} Sel;

typedef enum LaneKind {
    LANE_NONE,  // undefined in every row
    LANE_CONST, // `value` in every row
    LANE_BITS,  // BOOL
    LANE_I64,   // I64, TIME, DURATION
    LANE_F64,
    LANE_TEXT, // STR, DOC: cells of a copied page
    LANE_STR,  // STR, DOC
    LANE_ANY,  // whole values; those of undefined rows have type UNDEFINED
} LaneKind;

typedef struct Lane {
    LaneKind kind;
    ExprType type; // of the defined values; ANY: each has its own
    uint64_t valid[LANE_WORDS];
    union {
        uint64_t bits[LANE_WORDS];
        const int64_t *i;
        const double *d;
        const Text *text;
        const Str *s;
        const ExprValue *any;
        ExprValue value; // CONST
        void *p;         // taken from the stack, to be written
    };
} Lane;

// One column of the page, copied.
typedef struct PageColumn {
    uint32_t vec, what;
    PageCopy copy;
} PageColumn;

// Stacks of lane memory: 8, 16 and 24 bytes a row.
typedef struct LaneStack {
    void **slot;
    int32_t cap, used;
} LaneStack;
typedef struct LaneMark {
    int32_t used[3];
} LaneMark;

struct ExprPage {
    ExprRun *run;
    ExprSource source;
    uint64_t page_no;
    PageColumn **columns;
    int32_t column_count, column_cap; // those behind count keep their memory for the next page
    LaneStack stacks[3];
    Sel named;     // rows whose name is in `names`
    Text *names;   // PAGE_ROWS
    PageCopy cold; // a page of names, while they are loaded
};

// For each row r (uint32_t) of the bits: a loop statement.
#define EACH_ROW(sel_bits, r)                                                                                          \
    for (uint32_t w_ = 0; w_ < LANE_WORDS; w_++)                                                                       \
        for (uint64_t m_ = (sel_bits)[w_]; m_; m_ &= m_ - 1)                                                           \
            for (uint32_t r = w_ * 64 + (uint32_t)__builtin_ctzll(m_), once_ = 1; once_; once_ = 0)

// ---- memory (page_lane.c) ----

// Where the stacks stand, and back to there: everything taken since is free.
LaneMark lane_mark(const ExprPage *p);
// See lane_mark.
void lane_release(ExprPage *p, LaneMark mark);
// An empty lane for values of a static type, its memory taken; fill it with lane_put or by kernel.
void lane_begin(ExprPage *p, ExprType type, Lane *out);
void lane_none(Lane *out);
// A constant; undefined makes it LANE_NONE.
void lane_const(Lane *out, ExprValue v);
// One row: undefined clears its bit. The value is of the lane's type, or UNDEFINED.
void lane_put(Lane *l, uint32_t row, const ExprValue *v);
ExprValue lane_get(const Lane *l, uint32_t row);
// A text of a STR or DOC lane's defined row.
Str lane_str(const Lane *l, uint32_t row);
// Rows where the lane is true, and where it is false.
void lane_truth(const Lane *l, uint64_t yes[LANE_WORDS], uint64_t no[LANE_WORDS]);
// Numbers of a lane as kernels take them: row r at p[(r / 64) * step + r % 64]. A constant is one word of 64, step 0.
typedef struct Doubles {
    const double *p; // NULL: not numbers
    uint32_t step;
} Doubles;
typedef struct Ints {
    const int64_t *p;
    uint32_t step;
} Ints;
// Of a number lane; whole ones are converted.
Doubles lane_doubles(ExprPage *p, const Lane *l, const Sel *sel);
// Of an I64, TIME or DURATION lane.
Ints lane_ints(ExprPage *p, const Lane *l);
// A column of the page, copied once. what: one of PAGE_CELLS, PAGE_UPDATE, PAGE_SOURCE, or 0 for validity alone.
const PageCopy *lane_column(ExprPage *p, uint32_t vec, uint32_t what);
// The row or link vector's page.
const PageCopy *lane_rows(ExprPage *p);
// Twin or link id of a row, 0 when it is free.
uint64_t lane_row_id(ExprPage *p, uint32_t row);
// Names of the selected rows' twins or links: LANE_TEXT.
void lane_names(ExprPage *p, const Sel *sel, Lane *out);
static inline ExprType lane_type(const Lane *l) { return l->kind == LANE_CONST ? l->value.type : l->type; }

// ---- kernels (page_kernel.c): words with a selected row only; out, valid: written there, cleared elsewhere ----

// Relations as bits. ORDER RELATION: BOUND_EQ ... BOUND_GE.
void kernel_f64(BoundOp op, const double *a, const double *b, const Sel *sel, uint64_t out[LANE_WORDS]);
void kernel_f64_c(BoundOp op, const double *a, double c, const Sel *sel, uint64_t out[LANE_WORDS]);
void kernel_i64(BoundOp op, const int64_t *a, const int64_t *b, const Sel *sel, uint64_t out[LANE_WORDS]);
void kernel_i64_c(BoundOp op, const int64_t *a, int64_t c, const Sel *sel, uint64_t out[LANE_WORDS]);
// a op b into out; ok: rows where the result is finite.
void kernel_arith_f64(BoundOp op, Doubles a, Doubles b, const Sel *sel, double *out, uint64_t ok[LANE_WORDS]);
// ADD, SUB, MUL; ok: rows that did not overflow.
void kernel_arith_i64(BoundOp op, Ints a, Ints b, const Sel *sel, int64_t *out, uint64_t ok[LANE_WORDS]);
// a * factor + offset.
void kernel_scale(const double *a, double factor, double offset, const Sel *sel, double *out, uint64_t ok[LANE_WORDS]);
void kernel_to_f64(const int64_t *a, const Sel *sel, double *out);
// -x, and x without its sign (-0 stays, as expr_func_call has it).
void kernel_neg(const double *a, const Sel *sel, double *out);
void kernel_abs(const double *a, const Sel *sel, double *out);
// Rows of the selected words that are finite, where `valid` says they are anything; mostly all.
void kernel_finite(const double *a, const Sel *sel, uint64_t valid[LANE_WORDS]);
// Bits of the cells that are not 0.
void kernel_nonzero(const int64_t *a, const Sel *sel, uint64_t out[LANE_WORDS]);

// ---- texts (page_text.c) ----

// a = s as bits, for cells and strings alike; bits of undefined rows say nothing.
void text_rows_equal(const Lane *a, Str s, const Sel *sel, uint64_t out[LANE_WORDS]);
// STARTSWITH, ENDSWITH, CONTAINS of constant parts.
typedef enum TextPlace { TEXT_AT_START, TEXT_AT_END, TEXT_INSIDE } TextPlace;
void text_rows_have(const Lane *a, Str part, TextPlace where, const Sel *sel, uint64_t out[LANE_WORDS]);
// a OP b for two STR lanes, one of them perhaps constant.
void text_rows_relate(BoundOp op, const Lane *a, const Lane *b, const Sel *sel, uint64_t out[LANE_WORDS]);
// a IN the STR constants of args[1..] of b.
void text_rows_in(const Bound *b, const Lane *a, const Sel *sel, uint64_t out[LANE_WORDS]);

// ---- evaluation (page_eval.c) ----

// Values of b where sel says so.
void lane_eval(ExprPage *p, const Bound *b, const Sel *sel, Lane *out);
// The rows of sel where b is true (want) or false (!want).
void lane_test(ExprPage *p, const Bound *b, const Sel *sel, bool want, Sel *out);
