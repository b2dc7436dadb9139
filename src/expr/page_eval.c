// SPDX-License-Identifier: Apache-2.0
// Bound trees over a page. One case an operator: kernels where the types are plain, else the functions of single
// values (func.h) row by row, else, for what needs more than values, expr_eval itself. All of them give what expr_eval
// gives; page_test.c holds them to it.
#include <math.h>
#include <string.h>
#include "base/check.h"
#include "expr/eval.h"
#include "expr/page_lane.h"

static void and_words(uint64_t to[LANE_WORDS], const uint64_t a[LANE_WORDS], const uint64_t b[LANE_WORDS]) {
    for (uint32_t w = 0; w < LANE_WORDS; w++) to[w] = a[w] & b[w];
}

static bool is_empty(const Sel *sel) {
    uint64_t any = 0;
    for (uint32_t w = 0; w < LANE_WORDS; w++) any |= sel->bits[w];
    return any == 0;
}

// ---- row by row ----

// What the tables of a page cannot tell: graphs, documents made of a twin, rare fields.
static void eval_rows(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    lane_begin(p, b->type, out);
    EACH_ROW(sel->bits, r) {
        uint64_t number = p->page_no * PAGE_ROWS + r;
        ExprRow row = {.id = p->source.kind == EXPR_TWIN ? lane_row_id(p, r) : number, .row = number};
        ExprValue v = expr_eval(b, p->run, &row);
        if (out->kind != LANE_NONE) lane_put(out, r, &v);
    }
}

typedef ExprValue OfOne(const Bound *b, const ExprRun *run, const ExprValue *a);
typedef ExprValue OfTwo(const Bound *b, const ExprRun *run, const ExprValue *x, const ExprValue *y);

// A function of one or two values for every row; `out` was begun.
static void each_one(ExprPage *p, const Bound *b, const Sel *sel, OfOne *fn, const Lane *a, Lane *out) {
    EACH_ROW(sel->bits, r) {
        ExprValue x = lane_get(a, r), v = fn(b, p->run, &x);
        if (out->kind != LANE_NONE) lane_put(out, r, &v);
    }
}

static void each_two(ExprPage *p, const Bound *b, const Sel *sel, OfTwo *fn, const Lane *a, const Lane *c, Lane *out) {
    EACH_ROW(sel->bits, r) {
        ExprValue x = lane_get(a, r), y = lane_get(c, r), v = fn(b, p->run, &x, &y);
        if (out->kind != LANE_NONE) lane_put(out, r, &v);
    }
}

static ExprValue relate_two(const Bound *b, const ExprRun *run, const ExprValue *x, const ExprValue *y) {
    (void)run;
    return expr_value_relate(b->op, x, y);
}
static ExprValue arith_two(const Bound *b, const ExprRun *run, const ExprValue *x, const ExprValue *y) {
    (void)run;
    return expr_value_arith(b->op, x, y);
}
static ExprValue neg_one(const Bound *b, const ExprRun *run, const ExprValue *x) {
    (void)run;
    return expr_value_arith(b->op, x, x);
}
static ExprValue cast_one(const Bound *b, const ExprRun *run, const ExprValue *x) {
    return expr_value_cast(x, b->type, run->scratch);
}
static ExprValue scale_one(const Bound *b, const ExprRun *run, const ExprValue *x) {
    (void)run;
    return expr_value_scale(x, b->factor, b->offset);
}
static ExprValue member_one(const Bound *b, const ExprRun *run, const ExprValue *x) {
    return expr_value_member(x, &b->seg, b->type, run->scratch);
}
static ExprValue in_one(const Bound *b, const ExprRun *run, const ExprValue *x) {
    (void)run;
    return expr_value_in(b, x);
}

// ---- columns ----

// Unsigned numbers beyond the signed ones are doubles (expr_value_of_bits).
static void eval_unsigned(ExprPage *p, const Bound *b, const PageCopy *c, const Sel *sel, Lane *out) {
    uint64_t large[LANE_WORDS], any = 0;
    kernel_i64_c(BOUND_LT, (const int64_t *)c->cells, 0, sel, large);
    for (uint32_t w = 0; w < LANE_WORDS; w++) any |= large[w] & sel->bits[w] & c->valid[w];
    out->kind = LANE_I64;
    out->type = EXPR_I64;
    out->i = (const int64_t *)c->cells;
    if (!any) return;
    lane_begin(p, EXPR_ANY, out);
    EACH_ROW(sel->bits, r) {
        bool there = c->valid[r >> 6] >> (r & 63) & 1;
        ExprValue v = there ? expr_value_of_bits(b->leaf, c->cells[r]) : (ExprValue){.type = EXPR_UNDEFINED};
        lane_put(out, r, &v);
    }
}

static void eval_cell(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    const PageCopy *c = lane_column(p, b->column, PAGE_CELLS);
    if (!c->rows) {
        lane_none(out);
        return;
    }
    memcpy(out->valid, c->valid, sizeof out->valid);
    out->type = b->type;
    switch (b->leaf->cell) {
    case CELL_BOOL:
        out->kind = LANE_BITS;
        kernel_nonzero((const int64_t *)c->cells, sel, out->bits);
        return;
    case CELL_I64:
        if (b->leaf->type->shape == SHAPE_ULONG) {
            eval_unsigned(p, b, c, sel, out);
            return;
        }
        out->kind = LANE_I64;
        out->i = (const int64_t *)c->cells;
        return;
    case CELL_F64:
        out->kind = LANE_F64;
        out->d = (const double *)(const void *)c->cells;
        kernel_finite(out->d, sel, out->valid);
        return;
    case CELL_STR:
    case CELL_DOC:
        out->kind = LANE_TEXT;
        out->text = (const Text *)(const void *)c->cells;
        return;
    default: eval_rows(p, b, sel, out);
    }
}

// Update or source times of a column; a source time of 0 is none.
static void eval_time(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    bool source = b->op == BOUND_CELL_SOURCE;
    const PageCopy *c = lane_column(p, b->column, source ? PAGE_SOURCE : PAGE_UPDATE);
    const int64_t *times = source ? c->source : c->update;
    if (!times) {
        lane_none(out);
        return;
    }
    out->kind = LANE_I64;
    out->type = EXPR_TIME;
    out->i = times;
    memcpy(out->valid, c->valid, sizeof out->valid);
    if (!source) return;
    uint64_t some[LANE_WORDS];
    kernel_nonzero(times, sel, some);
    and_words(out->valid, out->valid, some);
}

// ---- relations ----

static BoundOp mirrored(BoundOp op) {
    switch (op) {
    case BOUND_LT: return BOUND_GT;
    case BOUND_GT: return BOUND_LT;
    case BOUND_LE: return BOUND_GE;
    case BOUND_GE: return BOUND_LE;
    default: return op;
    }
}

// Whole numbers against a constant that need not be whole: exact, by what lies below it.
static void i64_against(BoundOp op, const int64_t *a, double d, const Sel *sel, uint64_t out[LANE_WORDS]) {
    bool above = op == BOUND_GT || op == BOUND_GE, below = op == BOUND_LT || op == BOUND_LE;
    if (d >= 0x1p63 || d < -0x1p63) {
        bool yes = op == BOUND_NE || (d < 0 ? above : below);
        memset(out, yes ? 0xff : 0, LANE_WORDS * 8);
        return;
    }
    double floored = floor(d);
    if (floored == d) kernel_i64_c(op, a, (int64_t)d, sel, out);
    else if (above || below) kernel_i64_c(above ? BOUND_GT : BOUND_LE, a, (int64_t)floored, sel, out);
    else memset(out, op == BOUND_NE ? 0xff : 0, LANE_WORDS * 8);
}

// A lane of plain numbers or times against a constant of a type that goes with it; false: not this way.
static bool relate_const(BoundOp op, const Lane *a, const ExprValue *c, const Sel *sel, uint64_t out[LANE_WORDS]) {
    enum { EXACT_BITS = 53 };
    int64_t exact = (int64_t)1 << EXACT_BITS;
    if (a->kind == LANE_F64 && c->type == EXPR_F64) kernel_f64_c(op, a->d, c->d, sel, out);
    else if (a->kind == LANE_F64 && c->type == EXPR_I64 && c->i >= -exact && c->i <= exact)
        kernel_f64_c(op, a->d, (double)c->i, sel, out);
    else if (a->kind == LANE_I64 && a->type == c->type) kernel_i64_c(op, a->i, c->i, sel, out);
    else if (a->kind == LANE_I64 && a->type == EXPR_I64 && c->type == EXPR_F64) i64_against(op, a->i, c->d, sel, out);
    else return false;
    return true;
}

// Kernels for lanes that hold plain values of one type; false: there is none.
static bool relate_lanes(BoundOp op, const Lane *a, const Lane *b, const Sel *sel, uint64_t out[LANE_WORDS]) {
    bool equality = op == BOUND_EQ || op == BOUND_NE;
    if (b->kind == LANE_CONST && relate_const(op, a, &b->value, sel, out)) return true;
    if (a->kind == LANE_CONST && relate_const(mirrored(op), b, &a->value, sel, out)) return true;
    if (a->kind == LANE_ANY || b->kind == LANE_ANY) return false;
    ExprType x = lane_type(a), y = lane_type(b);
    if (equality && (x == EXPR_NULL || y == EXPR_NULL) && x != y) {
        memset(out, op == BOUND_NE ? 0xff : 0, LANE_WORDS * 8);
        return true;
    }
    if (x != y) return false;
    if (x == EXPR_STR) {
        text_rows_relate(op, a, b, sel, out);
        return true;
    }
    if (a->kind != b->kind) return false;
    if (a->kind == LANE_F64) kernel_f64(op, a->d, b->d, sel, out);
    else if (a->kind == LANE_I64) kernel_i64(op, a->i, b->i, sel, out);
    else if (a->kind == LANE_BITS && equality)
        for (uint32_t w = 0; w < LANE_WORDS; w++)
            out[w] = op == BOUND_NE ? a->bits[w] ^ b->bits[w] : ~(a->bits[w] ^ b->bits[w]);
    else return false;
    return true;
}

static void eval_relation(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    LaneMark mark = lane_mark(p);
    Lane x, y;
    lane_eval(p, b->args[0], sel, &x);
    Sel rest = *sel;
    and_words(rest.bits, rest.bits, x.valid);
    lane_begin(p, EXPR_BOOL, out);
    if (!is_empty(&rest)) {
        lane_eval(p, b->args[1], &rest, &y);
        and_words(rest.bits, rest.bits, y.valid);
        if (y.kind == LANE_NONE) memset(rest.bits, 0, sizeof rest.bits);
        else if (relate_lanes(b->op, &x, &y, &rest, out->bits)) memcpy(out->valid, rest.bits, sizeof out->valid);
        else each_two(p, b, &rest, relate_two, &x, &y, out);
    }
    lane_release(p, mark);
}

// ---- lists ----

// Where x would stand among n ascending numbers: the last that is not above it, or the first. Without branches that
// depend on the data.
#define LAST_NOT_ABOVE(list, n, x)                                                                                     \
    int32_t at = 0;                                                                                                    \
    for (int32_t left = n, half; left > 1; left -= half) {                                                             \
        half = left / 2;                                                                                               \
        at += (list)[at + half] <= (x) ? half : 0;                                                                     \
    }

static uint64_t is_double_in(const double *list, int32_t n, double x) {
    LAST_NOT_ABOVE(list, n, x);
    return list[at] == x;
}

static uint64_t is_int_in(const int64_t *list, int32_t n, int64_t x) {
    LAST_NOT_ABOVE(list, n, x);
    return list[at] == x;
}

static void numbers_in(ExprPage *p, const Bound *b, const Lane *a, const Sel *sel, uint64_t out[LANE_WORDS]) {
    enum { FEW = 8 };
    int32_t n = b->arg_count - 1;
    memset(out, 0, LANE_WORDS * 8);
    for (int32_t i = 1; i <= n && n <= FEW; i++) {
        uint64_t same[LANE_WORDS];
        CHECK(relate_const(BOUND_EQ, a, &b->args[i]->value, sel, same));
        for (uint32_t w = 0; w < LANE_WORDS; w++) out[w] |= same[w];
    }
    if (n <= FEW) return;
    Lane list; // its memory
    _Static_assert(EXPR_IN_MAX <= PAGE_ROWS, "a list fits a lane");
    CHECK(n <= (int32_t)PAGE_ROWS);
    lane_begin(p, a->type, &list);
    for (int32_t i = 0; i < n; i++) ((int64_t *)list.p)[i] = b->args[i + 1]->value.i; // a double's bits as well
    EACH_ROW(sel->bits, r) {
        uint64_t in = a->kind == LANE_F64 ? is_double_in(list.d, n, a->d[r]) : is_int_in(list.i, n, a->i[r]);
        out[r >> 6] |= in << (r & 63);
    }
}

static void eval_in(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    LaneMark mark = lane_mark(p);
    Lane a;
    lane_eval(p, b->args[0], sel, &a);
    lane_begin(p, EXPR_BOOL, out);
    Sel rows = *sel;
    and_words(rows.bits, rows.bits, a.valid);
    bool plain = b->sorted && b->arg_count > 1 && b->arg_count <= EXPR_IN_MAX + 1 && a.type == b->args[1]->value.type;
    bool text = plain && (a.kind == LANE_TEXT || a.kind == LANE_STR) && a.type == EXPR_STR;
    bool number = plain && ((a.kind == LANE_F64) || (a.kind == LANE_I64 && a.type == EXPR_I64));
    if (text) text_rows_in(b, &a, &rows, out->bits);
    else if (number) numbers_in(p, b, &a, &rows, out->bits);
    else if (a.kind != LANE_NONE) each_one(p, b, &rows, in_one, &a, out);
    if (text || number) {
        memcpy(out->valid, rows.bits, sizeof out->valid);
        for (uint32_t w = 0; w < LANE_WORDS && b->op == BOUND_NIN; w++) out->bits[w] = ~out->bits[w];
    }
    lane_release(p, mark);
}

// ---- arithmetic ----

// The type of x op y when int64 arithmetic gives it, else UNDEFINED.
static ExprType whole_type(BoundOp op, ExprType x, ExprType y) {
    bool sum = op == BOUND_ADD || op == BOUND_SUB;
    if (x == EXPR_I64 && y == EXPR_I64) return sum || op == BOUND_MUL ? EXPR_I64 : EXPR_UNDEFINED;
    if (x == EXPR_TIME && y == EXPR_TIME) return op == BOUND_SUB ? EXPR_DURATION : EXPR_UNDEFINED;
    if (x == EXPR_TIME && y == EXPR_DURATION && sum) return EXPR_TIME;
    if (x == EXPR_DURATION && y == EXPR_TIME && op == BOUND_ADD) return EXPR_TIME;
    return x == EXPR_DURATION && y == EXPR_DURATION && sum ? EXPR_DURATION : EXPR_UNDEFINED;
}

static bool is_plain(const Lane *l) { return l->kind == LANE_I64 || l->kind == LANE_F64 || l->kind == LANE_CONST; }

static void arith_lanes(ExprPage *p, const Bound *b, const Sel *sel, const Lane *x, const Lane *y, Lane *out) {
    ExprType tx = lane_type(x), ty = lane_type(y);
    bool lanes = is_plain(x) && is_plain(y) && (x->kind != LANE_CONST || y->kind != LANE_CONST);
    bool whole = lanes && whole_type(b->op, tx, ty) != EXPR_UNDEFINED && whole_type(b->op, tx, ty) == b->type;
    bool broken = lanes && b->type == EXPR_F64 && b->op != BOUND_MOD && expr_is_number(tx) && expr_is_number(ty);
    if (whole) {
        kernel_arith_i64(b->op, lane_ints(p, x), lane_ints(p, y), sel, out->p, out->valid);
    } else if (broken) {
        kernel_arith_f64(b->op, lane_doubles(p, x, sel), lane_doubles(p, y, sel), sel, out->p, out->valid);
    } else {
        each_two(p, b, sel, arith_two, x, y, out);
        return;
    }
    and_words(out->valid, out->valid, sel->bits);
}

static void eval_arith(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    lane_begin(p, b->type, out);
    if (out->kind == LANE_NONE) return;
    LaneMark mark = lane_mark(p);
    Lane x, y;
    Sel rest = *sel;
    lane_eval(p, b->args[0], sel, &x);
    and_words(rest.bits, rest.bits, x.valid);
    if (!is_empty(&rest)) {
        lane_eval(p, b->args[1], &rest, &y);
        and_words(rest.bits, rest.bits, y.valid);
        if (y.kind != LANE_NONE) arith_lanes(p, b, &rest, &x, &y, out);
    }
    lane_release(p, mark);
}

static void eval_neg(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    static const int64_t zeros[64];
    lane_begin(p, b->type, out);
    LaneMark mark = lane_mark(p);
    Lane x;
    Sel rows = *sel;
    lane_eval(p, b->args[0], sel, &x);
    and_words(rows.bits, rows.bits, x.valid);
    if (x.kind == LANE_F64 && b->type == EXPR_F64) {
        kernel_neg(x.d, &rows, out->p);
        memcpy(out->valid, rows.bits, sizeof out->valid);
    } else if (x.kind == LANE_I64 && x.type == b->type && b->type != EXPR_TIME) {
        kernel_arith_i64(BOUND_SUB, (Ints){zeros, 0}, (Ints){x.i, 64}, &rows, out->p, out->valid);
        and_words(out->valid, out->valid, rows.bits);
    } else if (x.kind != LANE_NONE) {
        each_one(p, b, &rows, neg_one, &x, out);
    }
    lane_release(p, mark);
}

// CAST, SCALE, DOC: functions of one value.
static void eval_unary(ExprPage *p, const Bound *b, const Sel *sel, OfOne *fn, Lane *out) {
    lane_begin(p, b->type, out);
    LaneMark mark = lane_mark(p);
    Lane x;
    Sel rows = *sel;
    lane_eval(p, b->args[0], sel, &x);
    and_words(rows.bits, rows.bits, x.valid);
    bool numbers = (x.kind == LANE_I64 && x.type == EXPR_I64) || x.kind == LANE_F64;
    if (b->op == BOUND_CAST && b->type == EXPR_F64 && x.kind == LANE_I64 && x.type == EXPR_I64) {
        kernel_to_f64(x.i, &rows, out->p);
        memcpy(out->valid, rows.bits, sizeof out->valid);
    } else if (b->op == BOUND_SCALE && numbers && b->type == EXPR_F64) {
        kernel_scale(lane_doubles(p, &x, &rows).p, b->factor, b->offset, &rows, out->p, out->valid);
        and_words(out->valid, out->valid, rows.bits);
    } else if (x.kind != LANE_NONE) {
        each_one(p, b, &rows, fn, &x, out);
    }
    lane_release(p, mark);
}

// ---- logic ----

// AND, OR: the second argument only where the first does not decide.
static void eval_logic(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    bool or = b->op == BOUND_OR;
    uint64_t yes[LANE_WORDS], no[LANE_WORDS], yes2[LANE_WORDS], no2[LANE_WORDS];
    LaneMark mark = lane_mark(p);
    Lane x;
    lane_eval(p, b->args[0], sel, &x);
    lane_truth(&x, yes, no);
    lane_begin(p, EXPR_BOOL, out);
    for (int32_t i = 1; i < b->arg_count; i++) {
        Sel rest = *sel;
        for (uint32_t w = 0; w < LANE_WORDS; w++) rest.bits[w] &= or ? ~yes[w] : ~no[w];
        if (is_empty(&rest)) break;
        lane_eval(p, b->args[i], &rest, &x);
        lane_truth(&x, yes2, no2);
        for (uint32_t w = 0; w < LANE_WORDS; w++) {
            uint64_t keep = ~rest.bits[w]; // decided before
            yes[w] = or ? yes[w] | (yes2[w] & rest.bits[w]) : (yes[w] & (yes2[w] | keep));
            no[w] = or ? (no[w] & (no2[w] | keep)) : no[w] | (no2[w] & rest.bits[w]);
        }
    }
    for (uint32_t w = 0; w < LANE_WORDS; w++) {
        out->bits[w] = yes[w];
        out->valid[w] = (yes[w] | no[w]) & sel->bits[w];
    }
    lane_release(p, mark);
}

static void eval_not(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    uint64_t yes[LANE_WORDS], no[LANE_WORDS];
    LaneMark mark = lane_mark(p);
    Lane x;
    lane_eval(p, b->args[0], sel, &x);
    lane_truth(&x, yes, no);
    lane_release(p, mark);
    lane_begin(p, EXPR_BOOL, out);
    for (uint32_t w = 0; w < LANE_WORDS; w++) {
        out->bits[w] = no[w];
        out->valid[w] = (yes[w] | no[w]) & sel->bits[w];
    }
}

// Rows `from` of a lane into one that was begun.
static void blend(const Lane *from, const Sel *rows, Lane *out) {
    if (from->kind == LANE_NONE || out->kind == LANE_NONE) return;
    if (out->kind == LANE_F64 && from->kind == LANE_F64) {
        EACH_ROW(rows->bits, r)((double *)out->p)[r] = from->d[r];
    } else if (out->kind == LANE_I64 && from->kind == LANE_I64 && from->type == out->type) {
        EACH_ROW(rows->bits, r)((int64_t *)out->p)[r] = from->i[r];
    } else {
        EACH_ROW(rows->bits, r) {
            ExprValue v = lane_get(from, r);
            lane_put(out, r, &v);
        }
        return;
    }
    for (uint32_t w = 0; w < LANE_WORDS; w++) out->valid[w] |= from->valid[w] & rows->bits[w];
}

static void eval_cond(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    lane_begin(p, b->type, out);
    LaneMark mark = lane_mark(p);
    Lane x;
    Sel rows[2];
    lane_eval(p, b->args[0], sel, &x);
    lane_truth(&x, rows[0].bits, rows[1].bits);
    for (int i = 0; i < 2; i++) {
        and_words(rows[i].bits, rows[i].bits, sel->bits);
        if (is_empty(&rows[i])) continue;
        lane_eval(p, b->args[1 + i], &rows[i], &x);
        blend(&x, &rows[i], out);
    }
    lane_release(p, mark);
}

// ---- calls ----

static bool type_fits(int32_t func, ExprType t) {
    switch (func) {
    case FUNC_IS_DEFINED: return true;
    case FUNC_IS_NULL: return t == EXPR_NULL;
    case FUNC_IS_BOOL: return t == EXPR_BOOL;
    case FUNC_IS_NUMBER: return expr_is_number(t);
    case FUNC_IS_STRING: return t == EXPR_STR;
    case FUNC_IS_PRIMITIVE: return t == EXPR_NULL || t == EXPR_BOOL || t == EXPR_STR || expr_is_number(t);
    default: return false; // IS_OBJECT, IS_ARRAY of anything but a DOC
    }
}

// IS_*: defined in every row. False: the lane's type does not tell.
static bool type_call(const Bound *b, const Lane *a, const Sel *sel, Lane *out) {
    bool shape = b->func == FUNC_IS_OBJECT || b->func == FUNC_IS_ARRAY;
    if (a->kind == LANE_ANY && b->func != FUNC_IS_DEFINED) return false;
    if (shape && lane_type(a) == EXPR_DOC) return false;
    bool fits = a->kind != LANE_NONE && type_fits(b->func, lane_type(a));
    for (uint32_t w = 0; w < LANE_WORDS; w++) out->bits[w] = fits ? a->valid[w] : 0;
    memcpy(out->valid, sel->bits, sizeof out->valid);
    return true;
}

static bool place_of(int32_t func, TextPlace *where) {
    *where = func == FUNC_STARTSWITH ? TEXT_AT_START : func == FUNC_ENDSWITH ? TEXT_AT_END : TEXT_INSIDE;
    return func == FUNC_STARTSWITH || func == FUNC_ENDSWITH || func == FUNC_CONTAINS;
}

// Calls with a kernel of their own; false: there is none for these lanes.
static bool quick_call(const Bound *b, const Lane *a, const Sel *sel, Lane *out) {
    TextPlace where;
    if (b->func >= FUNC_IS_DEFINED && b->func <= FUNC_IS_PRIMITIVE) return type_call(b, &a[0], sel, out);
    if (place_of(b->func, &where) && a[0].type == EXPR_STR && (a[0].kind == LANE_TEXT || a[0].kind == LANE_STR) &&
        a[1].kind == LANE_CONST && a[1].value.type == EXPR_STR) {
        text_rows_have(&a[0], a[1].value.s, where, sel, out->bits);
        and_words(out->valid, a[0].valid, sel->bits);
        return true;
    }
    if (b->func == FUNC_ABS && a[0].kind == LANE_F64 && b->type == EXPR_F64) {
        kernel_abs(a[0].d, sel, out->p);
        and_words(out->valid, a[0].valid, sel->bits);
        return true;
    }
    return false;
}

static void call_rows(ExprPage *p, const Bound *b, const Lane *a, const Sel *sel, Lane *out) {
    ExprValue values[FUNC_ARGS_MAX];
    EACH_ROW(sel->bits, r) {
        for (int32_t i = 0; i < b->arg_count; i++) values[i] = lane_get(&a[i], r);
        ExprValue v = expr_func_call(b->func, values, b->arg_count, p->run);
        if (out->kind != LANE_NONE) lane_put(out, r, &v);
    }
}

// IS_* of an object or component, and of the twin itself: by the marker, without writing it out. IS_DEFINED of a cell:
// no need to copy the values.
static bool object_call(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    bool kind = b->func == FUNC_IS_DEFINED || b->func == FUNC_IS_OBJECT;
    if (b->func < FUNC_IS_DEFINED || b->func > FUNC_IS_PRIMITIVE) return false;
    const Bound *a = b->args[0];
    bool self = a->op == BOUND_FIELD && a->field == FIELD_SELF;
    bool there = a->op == BOUND_CELL && a->leaf->cell != CELL_F64 && b->func == FUNC_IS_DEFINED;
    if (!self && !there && a->op != BOUND_OBJECT) return false;
    memcpy(out->valid, sel->bits, sizeof out->valid);
    if (kind) memcpy(out->bits, self ? sel->bits : lane_column(p, a->column, 0)->valid, sizeof out->bits);
    return true;
}

// Each argument only where those before it are undefined or null; the last one whatever it is.
static void eval_coalesce(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    lane_begin(p, b->type, out);
    LaneMark mark = lane_mark(p);
    Sel rest = *sel;
    for (int32_t i = 0; i < b->arg_count && !is_empty(&rest); i++, lane_release(p, mark)) {
        Lane a;
        lane_eval(p, b->args[i], &rest, &a);
        bool last = i == b->arg_count - 1, null = a.kind == LANE_CONST && a.value.type == EXPR_NULL;
        Sel rows = rest;
        if (!last) and_words(rows.bits, rest.bits, a.valid);
        if (!last && null) memset(&rows, 0, sizeof rows);
        EACH_ROW(a.kind == LANE_ANY && !last ? rows.bits : (const uint64_t[LANE_WORDS]){0}, r) {
            if (a.any[r].type == EXPR_NULL) rows.bits[r >> 6] &= ~((uint64_t)1 << (r & 63));
        }
        blend(&a, &rows, out);
        for (uint32_t w = 0; w < LANE_WORDS; w++) rest.bits[w] &= ~rows.bits[w];
    }
}

static void eval_call(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    enum { FEW = 3 };
    Lane few[FEW], *a = few;
    if (b->func == FUNC_NOW) {
        lane_const(out, (ExprValue){.type = EXPR_TIME, .i = p->run->now});
        return;
    }
    if (b->func == FUNC_COALESCE) {
        eval_coalesce(p, b, sel, out);
        return;
    }
    lane_begin(p, b->type, out);
    LaneMark mark = lane_mark(p);
    if (b->arg_count > FEW) a = NEW(p->run->scratch, Lane, b->arg_count);
    if (object_call(p, b, sel, out)) return;
    for (int32_t i = 0; i < b->arg_count; i++) lane_eval(p, b->args[i], sel, &a[i]);
    if (!quick_call(b, a, sel, out)) call_rows(p, b, a, sel, out);
    lane_release(p, mark);
}

// ---- all ----

void lane_eval(ExprPage *p, const Bound *b, const Sel *sel, Lane *out) {
    switch (b->op) {
    case BOUND_CONST: lane_const(out, b->value); return;
    case BOUND_SLOT: lane_const(out, p->run->slots[b->value.i]); return;
    case BOUND_CELL: eval_cell(p, b, sel, out); return;
    case BOUND_CELL_UPDATE:
    case BOUND_CELL_SOURCE: eval_time(p, b, sel, out); return;
    case BOUND_FIELD:
        if (b->field == FIELD_ID) lane_names(p, sel, out);
        else eval_rows(p, b, sel, out);
        return;
    case BOUND_OBJECT:
    case BOUND_MOMENT:
    case BOUND_SPAN:
    case BOUND_GRAPH: eval_rows(p, b, sel, out); return;
    case BOUND_DOC: eval_unary(p, b, sel, member_one, out); return;
    case BOUND_CAST: eval_unary(p, b, sel, cast_one, out); return;
    case BOUND_SCALE: eval_unary(p, b, sel, scale_one, out); return;
    case BOUND_CALL: eval_call(p, b, sel, out); return;
    case BOUND_COND: eval_cond(p, b, sel, out); return;
    case BOUND_OR:
    case BOUND_AND: eval_logic(p, b, sel, out); return;
    case BOUND_NOT: eval_not(p, b, sel, out); return;
    case BOUND_EQ:
    case BOUND_NE:
    case BOUND_LT:
    case BOUND_GT:
    case BOUND_LE:
    case BOUND_GE: eval_relation(p, b, sel, out); return;
    case BOUND_IN:
    case BOUND_NIN: eval_in(p, b, sel, out); return;
    case BOUND_ADD:
    case BOUND_SUB:
    case BOUND_MUL:
    case BOUND_DIV:
    case BOUND_MOD: eval_arith(p, b, sel, out); return;
    case BOUND_NEG: eval_neg(p, b, sel, out); return;
    }
    CHECK(!"an operator");
}

// AND wanted true, OR wanted false: rows that pass all arguments. The other two: rows that pass any.
static void test_logic(ExprPage *p, const Bound *b, const Sel *sel, bool want, Sel *out) {
    bool all = (b->op == BOUND_AND) == want;
    Sel rest = *sel, passed;
    memset(out, 0, sizeof *out);
    for (int32_t i = 0; i < b->arg_count && !is_empty(&rest); i++) {
        lane_test(p, b->args[i], &rest, want, &passed);
        for (uint32_t w = 0; w < LANE_WORDS; w++) {
            out->bits[w] |= passed.bits[w];
            rest.bits[w] &= all ? passed.bits[w] : ~passed.bits[w];
        }
    }
    if (all) *out = rest;
}

void lane_test(ExprPage *p, const Bound *b, const Sel *sel, bool want, Sel *out) {
    if (b->op == BOUND_NOT) {
        lane_test(p, b->args[0], sel, !want, out);
    } else if (b->op == BOUND_AND || b->op == BOUND_OR) {
        test_logic(p, b, sel, want, out);
    } else {
        uint64_t yes[LANE_WORDS], no[LANE_WORDS];
        LaneMark mark = lane_mark(p);
        Lane l;
        lane_eval(p, b, sel, &l);
        lane_truth(&l, yes, no);
        and_words(out->bits, want ? yes : no, sel->bits);
        lane_release(p, mark);
    }
}
