// SPDX-License-Identifier: Apache-2.0
// The machine. Loops of common operations are built for wide vectors; those through the mathematical library are as
// fast as it is.
#include "sim/prog.h"
#include <math.h>
#include <string.h>
#include "base/check.h"
#include "num/wide.h"

// ---- loops ----------------------------------------------------------------------------------------------------------

// r where it is finite, else NaN.
#define FINITE(r) ((r) + 0.0 * (r))
#define BOTH(a, b, r) ((((a) == (a)) & ((b) == (b))) ? (r) : (double)NAN)

#define LOOP1(NAME, EXPR)                                                                                              \
    WIDE static void NAME(uint32_t n, const double *restrict a, double *restrict out) {                                \
        for (uint32_t i = 0; i < n; i++) {                                                                             \
            double x = a[i];                                                                                           \
            out[i] = (EXPR);                                                                                           \
        }                                                                                                              \
    }

#define LOOP2(NAME, EXPR)                                                                                              \
    WIDE static void NAME(uint32_t n, const double *restrict a, const double *restrict b, double *restrict out) {      \
        for (uint32_t i = 0; i < n; i++) {                                                                             \
            double x = a[i], y = b[i];                                                                                 \
            double r = (EXPR);                                                                                         \
            out[i] = r;                                                                                                \
        }                                                                                                              \
    }

LOOP1(loop_neg, -x)
LOOP1(loop_not, 1.0 - x)
LOOP1(loop_abs, fabs(x))
LOOP1(loop_sqrt, sqrt(x))
LOOP1(loop_sign, x > 0 ? 1.0 : x < 0 ? -1.0 : x == 0 ? 0.0 : x)
LOOP1(loop_defined, x == x ? 1.0 : 0.0)
LOOP2(loop_add, FINITE(x + y))
LOOP2(loop_sub, FINITE(x - y))
LOOP2(loop_mul, FINITE(x *y))
LOOP2(loop_div, FINITE(x / y))
LOOP2(loop_least, BOTH(x, y, x < y ? x : y))
LOOP2(loop_greatest, BOTH(x, y, x > y ? x : y))
LOOP2(loop_coalesce, x == x ? x : y)
LOOP2(loop_eq, BOTH(x, y, x == y ? 1.0 : 0.0))
LOOP2(loop_ne, BOTH(x, y, x == y ? 0.0 : 1.0))
LOOP2(loop_lt, BOTH(x, y, x < y ? 1.0 : 0.0))
LOOP2(loop_gt, BOTH(x, y, x > y ? 1.0 : 0.0))
LOOP2(loop_le, BOTH(x, y, x <= y ? 1.0 : 0.0))
LOOP2(loop_ge, BOTH(x, y, x >= y ? 1.0 : 0.0))
LOOP2(loop_and, ((x == 0) | (y == 0)) ? 0.0 : ((x == 1) & (y == 1)) ? 1.0 : (double)NAN)
LOOP2(loop_or, ((x == 1) | (y == 1)) ? 1.0 : ((x == 0) & (y == 0)) ? 0.0 : (double)NAN)

#define SLOW1(EXPR)                                                                                                    \
    for (uint32_t i = 0; i < n; i++) {                                                                                 \
        double x = a[i], v = (EXPR);                                                                                   \
        out[i] = FINITE(v);                                                                                            \
    }                                                                                                                  \
    return
#define SLOW2(EXPR)                                                                                                    \
    for (uint32_t i = 0; i < n; i++) {                                                                                 \
        double x = a[i], y = b[i], v = (EXPR);                                                                         \
        out[i] = FINITE(v);                                                                                            \
    }                                                                                                                  \
    return

static void unary(ProgOp op, uint32_t n, const double *a, double *out) {
    switch (op) {
    case PO_NEG: loop_neg(n, a, out); return;
    case PO_NOT: loop_not(n, a, out); return;
    case PO_ABS: loop_abs(n, a, out); return;
    case PO_SQRT: loop_sqrt(n, a, out); return;
    case PO_SIGN: loop_sign(n, a, out); return;
    case PO_DEFINED: loop_defined(n, a, out); return;
    case PO_CEIL: SLOW1(ceil(x));
    case PO_FLOOR: SLOW1(floor(x));
    case PO_ROUND: SLOW1(round(x));
    case PO_EXP: SLOW1(exp(x));
    case PO_LN: SLOW1(log(x));
    case PO_LOG10: SLOW1(log10(x));
    case PO_SIN: SLOW1(sin(x));
    case PO_COS: SLOW1(cos(x));
    case PO_TAN: SLOW1(tan(x));
    case PO_ASIN: SLOW1(asin(x));
    case PO_ACOS: SLOW1(acos(x));
    case PO_ATAN: SLOW1(atan(x));
    default: CHECK(op == PO_COUNT); // an operation of one operand
    }
}

static double round_to(double x, double digits) {
    double f = pow(10, digits);
    return round(x * f) / f;
}

static void binary(ProgOp op, uint32_t n, const double *a, const double *b, double *out) {
    switch (op) {
    case PO_ADD: loop_add(n, a, b, out); return;
    case PO_SUB: loop_sub(n, a, b, out); return;
    case PO_MUL: loop_mul(n, a, b, out); return;
    case PO_DIV: loop_div(n, a, b, out); return;
    case PO_LEAST: loop_least(n, a, b, out); return;
    case PO_GREATEST: loop_greatest(n, a, b, out); return;
    case PO_COALESCE: loop_coalesce(n, a, b, out); return;
    case PO_EQ: loop_eq(n, a, b, out); return;
    case PO_NE: loop_ne(n, a, b, out); return;
    case PO_LT: loop_lt(n, a, b, out); return;
    case PO_GT: loop_gt(n, a, b, out); return;
    case PO_LE: loop_le(n, a, b, out); return;
    case PO_GE: loop_ge(n, a, b, out); return;
    case PO_AND: loop_and(n, a, b, out); return;
    case PO_OR: loop_or(n, a, b, out); return;
    case PO_MOD: SLOW2(fmod(x, y));
    case PO_POW: SLOW2(pow(x, y));
    case PO_ATAN2: SLOW2(atan2(x, y));
    case PO_ROUND_TO: SLOW2(round_to(x, y));
    default: CHECK(op == PO_COUNT); // an operation of two operands
    }
}

WIDE static void loop_cond(uint32_t n, const double *restrict test, const double *restrict a, const double *restrict b,
                           double *restrict out) {
    for (uint32_t i = 0; i < n; i++) out[i] = test[i] == 1 ? a[i] : test[i] == 0 ? b[i] : (double)NAN;
}

WIDE static void loop_clamp(uint32_t n, const double *restrict x, const double *restrict low,
                            const double *restrict high, double *restrict out) {
    for (uint32_t i = 0; i < n; i++) {
        double v = x[i] < low[i] ? low[i] : x[i] > high[i] ? high[i] : x[i];
        out[i] = ((low[i] <= high[i]) & (x[i] == x[i])) ? v : (double)NAN;
    }
}

double prog_table(const ProgTable *t, double x) {
    int32_t lo = 0, hi = t->n - 1;
    if (!(x == x)) return (double)NAN;
    if (x <= t->x[0]) return t->y[0];
    if (x >= t->x[hi]) return t->y[hi];
    while (hi - lo > 1) {
        int32_t mid = (lo + hi) / 2;
        if (t->x[mid] <= x) lo = mid;
        else hi = mid;
    }
    return t->y[lo] + (t->y[hi] - t->y[lo]) * ((x - t->x[lo]) / (t->x[hi] - t->x[lo]));
}

// ---- selections -----------------------------------------------------------------------------------------------------

void prog_elements(const ProgSel *sel, uint32_t lanes, uint32_t from, uint32_t n, uint32_t *out) {
    if (sel->lane == PROG_ELEMENTS) {
        memcpy(out, sel->rows + from, n * sizeof *out);
    } else if (sel->lane >= 0) {
        uint32_t lane = (uint32_t)sel->lane;
        for (uint32_t i = 0; i < n; i++) {
            out[i] = (sel->rows ? sel->rows[from + i] : sel->first + from + i) * lanes + lane;
        }
    } else if (sel->rows) {
        for (uint32_t i = 0; i < n; i++) {
            uint32_t p = from + i;
            out[i] = lanes == 1 ? sel->rows[p] : sel->rows[p / lanes] * lanes + p % lanes;
        }
    } else {
        for (uint32_t i = 0; i < n; i++) out[i] = sel->first + from + i;
    }
}

bool prog_stretch(const ProgSel *sel, uint32_t lanes, uint32_t *first) {
    *first = sel->first;
    if (sel->rows) return false;
    return sel->lane < 0 || (lanes == 1 && sel->lane == 0);
}

int32_t prog_args(ProgOp op) {
    if (op >= PO_COND) return 3;
    if (op == PO_EXPONENTIAL || op == PO_POISSON) return 1;
    if (op >= PO_ADD) return 2;
    return op >= PO_NEG ? 1 : 0;
}

// ---- the machine ----------------------------------------------------------------------------------------------------

// What the elements of a chunk are: rows of a table, or edges of an aggregate.
typedef struct Chunk {
    uint32_t n, pos; // pos: of the first in the selection
    bool stretch;
    uint32_t first;       // stretch
    const uint32_t *elem; // else
    const ProgAgg *inside;
} Chunk;

typedef struct Stack {
    double buf[2][PROG_DEPTH_MAX][PROG_CHUNK]; // two of each: no result lies where its operand does
    const double *at[PROG_DEPTH_MAX];
} Stack;

static void fill(uint32_t n, double c, double *out) {
    for (uint32_t i = 0; i < n; i++) out[i] = c;
}

static const double *load(const double *v, const Chunk *c, double *out) {
    if (c->stretch) return v + c->first;
    for (uint32_t i = 0; i < c->n; i++) out[i] = v[c->elem[i]];
    return out;
}

static void load_leaf(const ProgRun *r, const Chunk *c, uint32_t leaf, double *out) {
    const ProgLeaf *l = &c->inside->leaves[leaf];
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t edge = c->elem[i] / r->lanes, lane = c->elem[i] % r->lanes;
        uint32_t role = l->role ? l->role[edge] : l->all;
        out[i] = role == UINT32_MAX ? (double)NAN : r->col[role].v[(size_t)l->row[edge] * r->lanes + lane];
    }
}

static void elapsed(const ProgRun *r, const Chunk *c, double *out) {
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t elem = c->stretch ? c->first + i : c->elem[i];
        out[i] = r->t_each ? r->t[c->pos + i] : r->t[elem % r->lanes];
    }
}

// To the microsecond: 06:00 is 6 hours, whatever the instants before it came to.
static void clock_of(const ProgRun *r, const ProgStep *s, const Chunk *c, double *out) {
    elapsed(r, c, out);
    for (uint32_t i = 0; i < c->n; i++) out[i] = rint((r->week + s->c + out[i]) * 1e6) / 1e6;
}

static void keep_root(const ProgRun *r, const Chunk *c, uint32_t total, uint32_t root, const double *a,
                      const double *b) {
    double *out = r->roots + (size_t)root * total + c->pos;
    for (uint32_t i = 0; i < c->n; i++) out[i] = a[i] - b[i];
}

static const uint32_t *elements_of(const Chunk *c, uint32_t *room) {
    if (!c->stretch) return c->elem;
    for (uint32_t i = 0; i < c->n; i++) room[i] = c->first + i;
    return room;
}

static void aggregate(const ProgRun *r, const ProgAgg *a, const Chunk *c, double *out);

static const double *leaf_step(const ProgRun *r, const ProgStep *s, const Chunk *c, double *out) {
    switch ((ProgOp)s->op) {
    case PO_CONST: fill(c->n, s->c, out); break;
    case PO_SYMBOL: fill(c->n, r->symbol[s->arg], out); break;
    case PO_CELL: return load(r->col[s->arg].v, c, out);
    case PO_PRE: return load(r->shadow[s->arg], c, out);
    case PO_LEAF: load_leaf(r, c, s->arg, out); break;
    case PO_ELAPSED: elapsed(r, c, out); break;
    case PO_CLOCK: clock_of(r, s, c, out); break;
    case PO_AGG: aggregate(r, &r->unit->aggs[s->arg], c, out); break;
    default: CHECK(s->op == PO_COUNT); // an operation without operands
    }
    return out;
}

static void special(const ProgRun *r, const ProgStep *s, const Chunk *c, const double *a, const double *b,
                    double *out) {
    uint32_t room[PROG_CHUNK];
    const uint32_t *elem = elements_of(c, room);
    if (s->op == PO_TABLE) {
        for (uint32_t i = 0; i < c->n; i++) out[i] = prog_table(&r->unit->tables[s->arg], a[i]);
    } else if (s->op == PO_DELAY) {
        r->delayed(r, s->arg, elem, c->pos, c->n, a, out);
    } else {
        for (uint32_t i = 0; i < c->n; i++) out[i] = r->draw(r, (ProgOp)s->op, s->arg, elem[i], a[i], b[i]);
    }
}

// Run for one chunk; the value lies where the result points.
static const double *machine(const Prog *p, const ProgRun *r, const Chunk *c, uint32_t total, Stack *st) {
    int32_t top = 0;
    for (int32_t i = 0; i < p->count; i++) {
        const ProgStep *s = &p->steps[i];
        ProgOp op = (ProgOp)s->op;
        int32_t args = prog_args(op);
        top -= args;
        const double **at = &st->at[top];
        double *out = st->buf[args && at[0] == st->buf[0][top]][top];
        if (args == 0) at[0] = leaf_step(r, s, c, out);
        else if (op == PO_TABLE || op == PO_DELAY || (op >= PO_UNIFORM && op <= PO_POISSON)) {
            special(r, s, c, at[0], args == 2 ? at[1] : at[0], out);
            at[0] = out;
        } else {
            if (op >= PO_EQ && op <= PO_GE && s->arg && r->roots) keep_root(r, c, total, s->arg - 1, at[0], at[1]);
            if (args == 1) unary(op, c->n, at[0], out);
            else if (args == 2) binary(op, c->n, at[0], at[1], out);
            else if (op == PO_COND) loop_cond(c->n, at[0], at[1], at[2], out);
            else loop_clamp(c->n, at[0], at[1], at[2], out);
            at[0] = out;
        }
        top++;
    }
    CHECK(top == 1);
    return st->at[0];
}

void prog_run(const Prog *p, const ProgRun *r, const ProgSel *sel, double *out, double *into) {
    Stack st;
    uint32_t elem[PROG_CHUNK];
    Chunk c = {.elem = elem};
    uint32_t first;
    c.stretch = prog_stretch(sel, r->lanes, &first);
    for (uint32_t at = 0; at < sel->n; at += PROG_CHUNK) {
        c.n = sel->n - at < PROG_CHUNK ? sel->n - at : PROG_CHUNK;
        c.pos = at;
        c.first = first + at;
        if (!c.stretch) prog_elements(sel, r->lanes, at, c.n, elem);
        const double *v = machine(p, r, &c, sel->n, &st);
        if (out) memcpy(out + at, v, c.n * sizeof *v);
        else if (c.stretch) memcpy(into + c.first, v, c.n * sizeof *v);
        else
            for (uint32_t i = 0; i < c.n; i++) into[elem[i]] = v[i];
    }
}

// ---- aggregates -----------------------------------------------------------------------------------------------------

typedef struct Fold {
    double sum, least, most;
    int64_t met, defined; // neighbours that count; of them with a value
    bool any, all_false;  // a true one; a false one
    bool unknown;
} Fold;

static void fold_one(Fold *f, bool has_value, double v) {
    f->met++;
    if (!has_value) return;
    if (!(v == v)) {
        f->unknown = true;
        return;
    }
    f->least = f->defined == 0 || v < f->least ? v : f->least;
    f->most = f->defined == 0 || v > f->most ? v : f->most;
    f->sum += v;
    f->defined++;
    f->any = f->any || v == 1;
    f->all_false = f->all_false || v == 0;
}

static double fold_end(const ProgAgg *a, const Fold *f) {
    switch (a->op) {
    case AGG_SUM: return FINITE(f->sum);
    case AGG_AVG: return f->defined ? FINITE(f->sum / (double)f->defined) : (double)NAN;
    case AGG_MIN: return f->defined ? f->least : (double)NAN;
    case AGG_MAX: return f->defined ? f->most : (double)NAN;
    case AGG_COUNT: return (double)(a->has_value ? f->defined : f->met);
    case AGG_ANY:
        if (!a->has_value) return f->met > 0;
        return f->any ? 1 : f->unknown ? (double)NAN : 0;
    case AGG_ALL: return f->all_false ? 0 : f->unknown ? (double)NAN : 1;
    }
    return (double)NAN;
}

// The common one: a sum of a property that all neighbours have in one column.
static bool plain_sum(const ProgRun *r, const ProgAgg *a, const Chunk *c, double *out) {
    if (a->op != AGG_SUM || a->has_where || a->value.count != 1 || a->value.steps[0].op != PO_LEAF) return false;
    const ProgLeaf *l = &a->leaves[a->value.steps[0].arg];
    if (l->role || l->all == UINT32_MAX) return false;
    const double *v = r->col[l->all].v;
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t elem = c->stretch ? c->first + i : c->elem[i];
        uint32_t row = r->lanes == 1 ? elem : elem / r->lanes, lane = elem - row * r->lanes;
        double sum = 0;
        for (uint32_t e = a->ptr[row]; e < a->ptr[row + 1]; e++) {
            double x = v[(size_t)l->row[e] * r->lanes + lane];
            sum += x == x ? x : 0;
        }
        out[i] = FINITE(sum);
    }
    return true;
}

// Values and conditions of up to a chunk of edges, then folded in order.
typedef struct Edges {
    uint32_t elem[PROG_CHUNK], whose[PROG_CHUNK], n;
    Fold fold[PROG_CHUNK];
} Edges;

static void edges_fold(const ProgRun *r, const ProgAgg *a, Edges *e, Stack *st) {
    double where[PROG_CHUNK];
    Chunk c = {.n = e->n, .elem = e->elem, .inside = a};
    if (e->n == 0) return;
    if (a->has_where) memcpy(where, machine(&a->where, r, &c, e->n, st), e->n * sizeof *where);
    const double *v = a->has_value ? machine(&a->value, r, &c, e->n, st) : NULL;
    for (uint32_t i = 0; i < e->n; i++) {
        if (!a->has_where || where[i] == 1) fold_one(&e->fold[e->whose[i]], a->has_value, v ? v[i] : 0);
    }
    e->n = 0;
}

static void aggregate(const ProgRun *r, const ProgAgg *a, const Chunk *c, double *out) {
    Edges e;
    Stack st;
    ProgRun inner = *r;
    if (plain_sum(r, a, c, out)) return;
    inner.roots = NULL;
    e.n = 0;
    memset(e.fold, 0, c->n * sizeof *e.fold);
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t elem = c->stretch ? c->first + i : c->elem[i], row = elem / r->lanes, lane = elem % r->lanes;
        for (uint32_t k = a->ptr[row]; k < a->ptr[row + 1]; k++) {
            if (e.n == PROG_CHUNK) edges_fold(&inner, a, &e, &st);
            e.elem[e.n] = k * r->lanes + lane;
            e.whose[e.n++] = i;
        }
    }
    edges_fold(&inner, a, &e, &st);
    for (uint32_t i = 0; i < c->n; i++) out[i] = fold_end(a, &e.fold[i]);
}
