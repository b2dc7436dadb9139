// SPDX-License-Identifier: Apache-2.0
// Loops over words of 64 rows. Vectors of 16 bytes as the compilers know them (GCC and Clang, any machine); a word of
// result bits is made by or-ing masks with a bit that moves up.
#include <string.h>
#include "base/check.h"
#include "expr/page_lane.h"

typedef double F64x2 __attribute__((vector_size(16)));
typedef int64_t I64x2 __attribute__((vector_size(16)));
typedef uint64_t U64x2 __attribute__((vector_size(16)));

// NAME(a, b): bits of a[i] OP b[i]; NAME_c(a, c): of a[i] OP c.
#define RELATION(NAME, T, TX2, OP)                                                                                     \
    static inline uint64_t NAME(const T *a, const T *b) {                                                              \
        U64x2 acc = {0, 0}, bit = {1, 2};                                                                              \
        for (int i = 0; i < 64; i += 2, bit <<= 2) {                                                                   \
            TX2 x, y;                                                                                                  \
            memcpy(&x, a + i, sizeof x);                                                                               \
            memcpy(&y, b + i, sizeof y);                                                                               \
            acc |= (U64x2)(x OP y)&bit;                                                                                \
        }                                                                                                              \
        return acc[0] | acc[1];                                                                                        \
    }                                                                                                                  \
    static inline uint64_t NAME##_c(const T *a, T c) {                                                                 \
        U64x2 acc = {0, 0}, bit = {1, 2};                                                                              \
        TX2 y = {c, c};                                                                                                \
        for (int i = 0; i < 64; i += 2, bit <<= 2) {                                                                   \
            TX2 x;                                                                                                     \
            memcpy(&x, a + i, sizeof x);                                                                               \
            acc |= (U64x2)(x OP y)&bit;                                                                                \
        }                                                                                                              \
        return acc[0] | acc[1];                                                                                        \
    }

RELATION(f64_eq, double, F64x2, ==)
RELATION(f64_lt, double, F64x2, <)
RELATION(f64_gt, double, F64x2, >)
RELATION(f64_le, double, F64x2, <=)
RELATION(f64_ge, double, F64x2, >=)
RELATION(i64_eq, int64_t, I64x2, ==)
RELATION(i64_lt, int64_t, I64x2, <)
RELATION(i64_gt, int64_t, I64x2, >)

// For every word w with a selected row.
#define EACH_WORD(sel, w)                                                                                              \
    for (uint32_t w = 0; w < LANE_WORDS; w++)                                                                          \
        if ((sel)->bits[w])

#define WORDS(EXPR)                                                                                                    \
    EACH_WORD(sel, w) out[w] = (EXPR);                                                                                 \
    return

static void clear(uint64_t out[LANE_WORDS]) { memset(out, 0, LANE_WORDS * 8); }

void kernel_f64(BoundOp op, const double *a, const double *b, const Sel *sel, uint64_t out[LANE_WORDS]) {
    clear(out);
    switch (op) {
    case BOUND_EQ: WORDS(f64_eq(a + 64 * w, b + 64 * w));
    case BOUND_NE: WORDS(~f64_eq(a + 64 * w, b + 64 * w));
    case BOUND_LT: WORDS(f64_lt(a + 64 * w, b + 64 * w));
    case BOUND_GT: WORDS(f64_gt(a + 64 * w, b + 64 * w));
    case BOUND_LE: WORDS(f64_le(a + 64 * w, b + 64 * w));
    case BOUND_GE: WORDS(f64_ge(a + 64 * w, b + 64 * w));
    default: CHECK(!"a relation");
    }
}

void kernel_f64_c(BoundOp op, const double *a, double c, const Sel *sel, uint64_t out[LANE_WORDS]) {
    clear(out);
    switch (op) {
    case BOUND_EQ: WORDS(f64_eq_c(a + 64 * w, c));
    case BOUND_NE: WORDS(~f64_eq_c(a + 64 * w, c));
    case BOUND_LT: WORDS(f64_lt_c(a + 64 * w, c));
    case BOUND_GT: WORDS(f64_gt_c(a + 64 * w, c));
    case BOUND_LE: WORDS(f64_le_c(a + 64 * w, c));
    case BOUND_GE: WORDS(f64_ge_c(a + 64 * w, c));
    default: CHECK(!"a relation");
    }
}

void kernel_i64(BoundOp op, const int64_t *a, const int64_t *b, const Sel *sel, uint64_t out[LANE_WORDS]) {
    clear(out);
    switch (op) {
    case BOUND_EQ: WORDS(i64_eq(a + 64 * w, b + 64 * w));
    case BOUND_NE: WORDS(~i64_eq(a + 64 * w, b + 64 * w));
    case BOUND_LT: WORDS(i64_lt(a + 64 * w, b + 64 * w));
    case BOUND_GT: WORDS(i64_gt(a + 64 * w, b + 64 * w));
    case BOUND_LE: WORDS(~i64_gt(a + 64 * w, b + 64 * w));
    case BOUND_GE: WORDS(~i64_lt(a + 64 * w, b + 64 * w));
    default: CHECK(!"a relation");
    }
}

void kernel_i64_c(BoundOp op, const int64_t *a, int64_t c, const Sel *sel, uint64_t out[LANE_WORDS]) {
    clear(out);
    switch (op) {
    case BOUND_EQ: WORDS(i64_eq_c(a + 64 * w, c));
    case BOUND_NE: WORDS(~i64_eq_c(a + 64 * w, c));
    case BOUND_LT: WORDS(i64_lt_c(a + 64 * w, c));
    case BOUND_GT: WORDS(i64_gt_c(a + 64 * w, c));
    case BOUND_LE: WORDS(~i64_gt_c(a + 64 * w, c));
    case BOUND_GE: WORDS(~i64_lt_c(a + 64 * w, c));
    default: CHECK(!"a relation");
    }
}

// Bits of the finite ones: x - x is 0 for them and not a number for the rest.
static inline uint64_t finite(const double *a) {
    U64x2 acc = {0, 0}, bit = {1, 2};
    F64x2 zero = {0, 0};
    for (int i = 0; i < 64; i += 2, bit <<= 2) {
        F64x2 x;
        memcpy(&x, a + i, sizeof x);
        acc |= (U64x2)(x - x == zero) & bit;
    }
    return acc[0] | acc[1];
}

#define F64_WORDS(EXPR)                                                                                                \
    EACH_WORD(sel, w) {                                                                                                \
        const double *restrict x = a.p + a.step * w, *restrict y = b.p + b.step * w;                                   \
        double *restrict r = out + 64 * w;                                                                             \
        for (int i = 0; i < 64; i++) r[i] = (EXPR);                                                                    \
        ok[w] = finite(r);                                                                                             \
    }                                                                                                                  \
    return

void kernel_arith_f64(BoundOp op, Doubles a, Doubles b, const Sel *sel, double *out, uint64_t ok[LANE_WORDS]) {
    clear(ok);
    switch (op) {
    case BOUND_ADD: F64_WORDS(x[i] + y[i]);
    case BOUND_SUB: F64_WORDS(x[i] - y[i]);
    case BOUND_MUL: F64_WORDS(x[i] * y[i]);
    case BOUND_DIV: F64_WORDS(x[i] / y[i]);
    default: CHECK(!"an operator");
    }
}

#define I64_WORDS(OVERFLOWS)                                                                                           \
    EACH_WORD(sel, w) {                                                                                                \
        const int64_t *x = a.p + a.step * w, *y = b.p + b.step * w;                                                    \
        int64_t *r = out + 64 * w;                                                                                     \
        uint64_t bad = 0;                                                                                              \
        for (int i = 0; i < 64; i++) bad |= (uint64_t)OVERFLOWS(x[i], y[i], &r[i]) << i;                               \
        ok[w] = ~bad;                                                                                                  \
    }                                                                                                                  \
    return

void kernel_arith_i64(BoundOp op, Ints a, Ints b, const Sel *sel, int64_t *out, uint64_t ok[LANE_WORDS]) {
    clear(ok);
    switch (op) {
    case BOUND_ADD: I64_WORDS(__builtin_add_overflow);
    case BOUND_SUB: I64_WORDS(__builtin_sub_overflow);
    case BOUND_MUL: I64_WORDS(__builtin_mul_overflow);
    default: CHECK(!"an operator");
    }
}

void kernel_scale(const double *a, double factor, double offset, const Sel *sel, double *out, uint64_t ok[LANE_WORDS]) {
    clear(ok);
    EACH_WORD(sel, w) {
        const double *restrict x = a + 64 * w;
        double *restrict r = out + 64 * w;
        for (int i = 0; i < 64; i++) r[i] = x[i] * factor + offset;
        ok[w] = finite(r);
    }
}

void kernel_to_f64(const int64_t *a, const Sel *sel, double *out) {
    EACH_WORD(sel, w) {
        for (uint32_t i = 64 * w; i < 64 * w + 64; i++) out[i] = (double)a[i];
    }
}

void kernel_neg(const double *a, const Sel *sel, double *out) {
    EACH_WORD(sel, w) {
        for (uint32_t i = 64 * w; i < 64 * w + 64; i++) out[i] = -a[i];
    }
}

void kernel_abs(const double *a, const Sel *sel, double *out) {
    EACH_WORD(sel, w) {
        for (uint32_t i = 64 * w; i < 64 * w + 64; i++) out[i] = a[i] < 0 ? -a[i] : a[i];
    }
}

// x - x is 0 or not a number: so is the sum of them.
static inline bool all_finite(const double *a) {
    F64x2 s0 = {0, 0}, s1 = {0, 0}, x, y;
    for (int i = 0; i < 64; i += 4) {
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, a + i + 2, sizeof y);
        s0 += x - x;
        s1 += y - y;
    }
    s0 += s1;
    return s0[0] + s0[1] == 0;
}

void kernel_finite(const double *a, const Sel *sel, uint64_t valid[LANE_WORDS]) {
    EACH_WORD(sel, w) {
        if (!all_finite(a + 64 * w)) valid[w] &= finite(a + 64 * w);
    }
}

void kernel_nonzero(const int64_t *a, const Sel *sel, uint64_t out[LANE_WORDS]) {
    kernel_i64_c(BOUND_NE, a, 0, sel, out);
}
