// SPDX-License-Identifier: Apache-2.0
// Functions of behaviours: each looks at its arguments itself, for units decide what they may be.
#include <math.h>
#include "sim/compile.h"

typedef enum Rule { KEEPS, BARES, ROOTS, SIGNS, LIKES } Rule;
static const struct {
    const char *name;
    ProgOp op;
    Rule rule;
} SIMPLE[] = {
    {"ABS", PO_ABS, KEEPS},     {"CEILING", PO_CEIL, KEEPS}, {"CEIL", PO_CEIL, KEEPS}, {"FLOOR", PO_FLOOR, KEEPS},
    {"SIGN", PO_SIGN, SIGNS},   {"SQRT", PO_SQRT, ROOTS},    {"EXP", PO_EXP, BARES},   {"LN", PO_LN, BARES},
    {"LOG10", PO_LOG10, BARES}, {"SIN", PO_SIN, BARES},      {"COS", PO_COS, BARES},   {"TAN", PO_TAN, BARES},
    {"ASIN", PO_ASIN, BARES},   {"ACOS", PO_ACOS, BARES},    {"ATAN", PO_ATAN, BARES},
};

static Err count_args(Compile *c, const Expr *e, int32_t min, int32_t max) {
    if (e->arg_count >= min && e->arg_count <= max) return ERR_OK;
    if (min == max) FAULT(e, "%.*s takes %d argument%s", STR_ARG(e->name), min, min == 1 ? "" : "s");
    FAULT(e, "%.*s takes %d to %d arguments", STR_ARG(e->name), min, max);
}

// Values in units where whole numbers matter are rounded in their own unit.
static Term *in_unit(Compile *c, const Expr *e, ProgOp op, Term *x, Term *digits) {
    const Unit *u = x->v.unit;
    if (!u || (u->factor == 1 && u->offset == 0)) return compile_join(c, op, e, x, digits, x->v);
    double offset = x->v.span ? 0 : u->offset;
    Val bare = TERM_BARE, keep = x->v;
    keep.offset = NULL;
    Term *n = compile_join(c, PO_SUB, e, x, compile_constant(c, e, offset, bare), keep);
    n = compile_join(c, PO_DIV, e, n, compile_constant(c, e, u->factor, bare), keep);
    n = compile_join(c, op, e, n, digits, keep);
    n = compile_join(c, PO_MUL, e, n, compile_constant(c, e, u->factor, bare), keep);
    return compile_join(c, PO_ADD, e, n, compile_constant(c, e, offset, bare), keep);
}

static Err call_simple(Compile *c, const Expr *e, size_t i, Around *in, Term **out) {
    Term *x;
    TRY(count_args(c, e, 1, 1));
    TRY(compile_tree(c, e->args[0], in, &x));
    TRY(compile_kind(c, x, KIND_NUMBER, "the argument"));
    Val v = x->v;
    v.plain = false;
    v.offset = NULL;
    if (SIMPLE[i].rule == BARES) TRY(compile_bare(c, x, "the argument"));
    if (SIMPLE[i].rule == BARES || SIMPLE[i].rule == SIGNS) v = TERM_BARE;
    if (SIMPLE[i].rule == ROOTS) {
        v = TERM_BARE;
        if (!dims_mul((Dims){0}, x->v.dims, 1, &v.dims)) FAULT(e, "a root of a root of a unit");
    }
    if (SIMPLE[i].op == PO_CEIL || SIMPLE[i].op == PO_FLOOR) *out = in_unit(c, e, SIMPLE[i].op, x, NULL);
    else *out = compile_join(c, SIMPLE[i].op, e, x, NULL, v);
    (*out)->v.plain = false;
    return ERR_OK;
}

static Err call_round(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *x, *digits = NULL;
    TRY(count_args(c, e, 1, 2));
    TRY(compile_tree(c, e->args[0], in, &x));
    TRY(compile_kind(c, x, KIND_NUMBER, "the argument"));
    if (e->arg_count == 2) {
        TRY(compile_tree(c, e->args[1], in, &digits));
        TRY(compile_bare(c, digits, "the number of digits"));
    }
    *out = in_unit(c, e, digits ? PO_ROUND_TO : PO_ROUND, x, digits);
    (*out)->v.plain = false;
    return ERR_OK;
}

static Err call_power(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *x, *y;
    TRY(count_args(c, e, 2, 2));
    TRY(compile_tree(c, e->args[0], in, &x));
    TRY(compile_tree(c, e->args[1], in, &y));
    TRY(compile_kind(c, x, KIND_NUMBER, "the base"));
    TRY(compile_bare(c, y, "the exponent"));
    Val v = TERM_BARE;
    if (!dims_none(x->v.dims)) {
        double twice = y->op == PO_CONST ? y->c * 2 : 0.5;
        if (y->op != PO_CONST || fabs(twice) > 20 || twice != floor(twice) ||
            !dims_mul((Dims){0}, x->v.dims, (int)twice, &v.dims))
            FAULT(e, "the power of something with a unit is a constant half or whole number");
    }
    *out = compile_join(c, PO_POW, e, x, y, v);
    return ERR_OK;
}

static Err call_log(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *x, *base = NULL;
    TRY(count_args(c, e, 1, 2));
    TRY(compile_tree(c, e->args[0], in, &x));
    TRY(compile_bare(c, x, "the argument"));
    *out = compile_join(c, PO_LN, e, x, NULL, TERM_BARE);
    if (e->arg_count == 1) return ERR_OK;
    TRY(compile_tree(c, e->args[1], in, &base));
    TRY(compile_bare(c, base, "the base"));
    *out = compile_join(c, PO_DIV, e, *out, compile_join(c, PO_LN, e, base, NULL, TERM_BARE), TERM_BARE);
    return ERR_OK;
}

// Two or more of one measure; the op joins them from the left.
static Err call_alike(Compile *c, const Expr *e, ProgOp op, Around *in, Term **out) {
    Term *all, *x;
    TRY(count_args(c, e, 1, 64));
    TRY(compile_tree(c, e->args[0], in, &all));
    for (int32_t i = 1; i < e->arg_count; i++) {
        TRY(compile_tree(c, e->args[i], in, &x));
        if (x->v.kind != all->v.kind)
            FAULT(x->from, "%s beside %s", compile_kind_name(x->v.kind), compile_kind_name(all->v.kind));
        if (x->v.kind == KIND_NUMBER) TRY(compile_meet(c, e, all, x, false));
        else if (op != PO_COALESCE) FAULT(x->from, "numbers are wanted here");
        Val v = all->v.plain ? x->v : all->v;
        v.plain = v.plain && all->v.plain && x->v.plain;
        v.offset = NULL;
        all = compile_join(c, op, e, all, x, v);
    }
    *out = all;
    return ERR_OK;
}

static Err call_clamp(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *x[3];
    TRY(count_args(c, e, 3, 3));
    for (int i = 0; i < 3; i++) {
        TRY(compile_tree(c, e->args[i], in, &x[i]));
        TRY(compile_kind(c, x[i], KIND_NUMBER, "the argument"));
    }
    TRY(compile_meet(c, e, x[0], x[1], false));
    TRY(compile_meet(c, e, x[0], x[2], false));
    Term *n = compile_term(c, PO_CLAMP, e, x[0]->v);
    memcpy(n->kid, x, sizeof x);
    n->v.offset = NULL;
    n->v.plain = false;
    *out = n;
    return ERR_OK;
}

Err compile_cond(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *x[3];
    for (int i = 0; i < 3; i++) TRY(compile_tree(c, e->args[i], in, &x[i]));
    TRY(compile_kind(c, x[0], KIND_BOOL, "the condition"));
    if (x[1]->v.kind != x[2]->v.kind)
        FAULT(x[2]->from, "%s beside %s", compile_kind_name(x[2]->v.kind), compile_kind_name(x[1]->v.kind));
    if (x[1]->v.kind == KIND_NUMBER) TRY(compile_meet(c, e, x[1], x[2], false));
    Term *n = compile_term(c, PO_COND, e, x[1]->v);
    memcpy(n->kid, x, sizeof x);
    if (!dims_equal(x[1]->v.dims, x[2]->v.dims)) n->v.unit = NULL;
    // Two plain numbers: which unit they are in is not known before something stands beside them.
    n->v.plain = false;
    n->v.offset = NULL;
    *out = n;
    return ERR_OK;
}

static Err call_if(Compile *c, const Expr *e, Around *in, Term **out) {
    TRY(count_args(c, e, 3, 3));
    return compile_cond(c, e, in, out);
}

static Err call_unit(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *x;
    DimUnit u;
    TRY(count_args(c, e, 2, 2));
    TRY(compile_tree(c, e->args[0], in, &x));
    TRY(compile_kind(c, x, KIND_NUMBER, "the argument"));
    const Expr *name = e->args[1];
    if (name->op != EX_LITERAL || name->value.type != EXPR_STR || !dims_unit(name->value.s, &u))
        FAULT(name, "the name of a unit is wanted here");
    if (!dims_equal(u.dims, x->v.dims)) FAULT(name, "it is not measured in that");
    Term *n = compile_join(c, PO_SUB, e, x, compile_constant(c, e, x->v.span ? 0 : u.offset, x->v), TERM_BARE);
    *out = compile_join(c, PO_DIV, e, n, compile_constant(c, e, u.factor, TERM_BARE), TERM_BARE);
    return ERR_OK;
}

// x of a table as a + b * elapsed: then its points are instants.
static bool affine(const Term *n, double *a, double *b) {
    double x, y, u, w;
    if (n->op == PO_ELAPSED) return *a = 0, *b = 1, true;
    if (n->op == PO_CONST) return *a = n->c, *b = 0, true;
    if (n->op == PO_NEG && affine(n->kid[0], &x, &y)) return *a = -x, *b = -y, true;
    if (n->op < PO_ADD || n->op > PO_DIV || !affine(n->kid[0], &x, &y) || !affine(n->kid[1], &u, &w)) return false;
    if (n->op == PO_ADD) return *a = x + u, *b = y + w, true;
    if (n->op == PO_SUB) return *a = x - u, *b = y - w, true;
    if (n->op == PO_MUL && (y == 0 || w == 0)) return *a = x * u, *b = x * w + y * u, true;
    if (n->op == PO_DIV && w == 0 && u != 0) return *a = x / u, *b = y / u, true;
    return false;
}

static void add_kinks(Compile *c, const Term *x, const ProgTable *t) {
    double a, b;
    if (!affine(x, &a, &b) || b == 0) return;
    for (int32_t i = 0; i < t->n; i++) {
        double at = (t->x[i] - a) / b;
        if (at > 0) *RATES_PUSH(c->r, c->kinks, c->kink_count, c->kink_cap) = at;
    }
}

static Err call_table(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *x, *p;
    if (e->arg_count < 5 || e->arg_count % 2 == 0) FAULT(e, "TABLE takes a value and at least two points x, y");
    int32_t n = e->arg_count / 2;
    double *xs = NEW(&c->r->keep, double, n), *ys = NEW(&c->r->keep, double, n);
    TRY(compile_tree(c, e->args[0], in, &x));
    TRY(compile_kind(c, x, KIND_NUMBER, "what a table looks at"));
    Val v = TERM_BARE;
    bool plain = true;
    for (int32_t i = 0; i < 2 * n; i++) {
        TRY(compile_tree(c, e->args[i + 1], in, &p));
        if (p->op != PO_CONST || p->v.kind != KIND_NUMBER) FAULT(p->from, "the points of a table are constants");
        if (i % 2 == 0) {
            Expr compare = {.op = EX_LE, .at = p->from->at};
            TRY(compile_meet(c, &compare, x, p, false));
            xs[i / 2] = p->c;
            if (i && !(xs[i / 2] > xs[i / 2 - 1])) FAULT(p->from, "the points of a table ascend");
            continue;
        }
        if (i == 1) v = p->v, plain = p->v.plain;
        if (p->v.plain != plain || !dims_equal(p->v.dims, v.dims))
            FAULT(p->from, "the values of a table are of one unit");
        ys[i / 2] = p->c;
    }
    ProgTable t = {.x = xs, .y = ys, .n = n};
    add_kinks(c, x, &t);
    v.plain = false;
    *out = compile_join(c, PO_TABLE, e, x, NULL, v);
    (*out)->arg = c->r->table_count;
    *RATES_PUSH(c->r, c->r->tables, c->r->table_count, c->r->table_cap) = t;
    return ERR_OK;
}

static Err call_delay(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *x, *span, *start;
    TRY(count_args(c, e, 2, 3));
    if (in || c->acts)
        FAULT(e, "DELAY stands in rates, definitions and conditions, not in an aggregate or an assignment");
    if (c->delays) FAULT(e, "a DELAY of a DELAY: define a property for the inner one");
    RatesRead *outer = c->reads;
    uint32_t count = c->read_count, cap = c->read_cap;
    c->reads = NULL;
    c->read_count = c->read_cap = 0;
    c->delays = true;
    TRY(compile_tree(c, e->args[0], in, &x));
    c->delays = false;
    RatesDelay d = {.inst = c->inst, .reads = c->reads, .read_count = c->read_count};
    c->reads = outer;
    c->read_count = count;
    c->read_cap = cap;
    for (uint32_t i = 0; i < d.read_count; i++) compile_read(c, d.reads[i].role, d.reads[i].via, d.reads[i].agg);
    TRY(compile_tree(c, e->args[1], in, &span));
    if (span->op != PO_CONST || !dims_equal(span->v.dims, dims_of(FAM_TIME)) || !(span->c > 0))
        FAULT(e->args[1], "how long ago is a constant span, as 10s");
    d.span = span->c;
    Val v = x->v;
    v.plain = false;
    v.offset = NULL;
    TRY(compile_emit(c, x, &d.value));
    start = x;
    if (e->arg_count == 3) {
        TRY(compile_tree(c, e->args[2], in, &start));
        if (start->v.kind != x->v.kind) FAULT(e->args[2], "what it was before must be of the same kind");
        if (x->v.kind == KIND_NUMBER) TRY(compile_meet(c, e, x, start, false));
    }
    c->timed = true;
    *out = compile_term(c, PO_DELAY, e, v);
    (*out)->kid[0] = start;
    (*out)->arg = c->r->delay_count;
    *RATES_PUSH(c->r, c->r->delays, c->r->delay_count, c->r->delay_cap) = d;
    return ERR_OK;
}

static Err call_random(Compile *c, const Expr *e, ProgOp op, Around *in, Term **out) {
    Term *a, *b = NULL;
    bool two = op == PO_UNIFORM || op == PO_NORMAL;
    if (!c->acts || in) FAULT(e, "random numbers are drawn in assignments: after then, do and initially");
    TRY(count_args(c, e, two ? 2 : 1, two ? 2 : 1));
    TRY(compile_tree(c, e->args[0], in, &a));
    TRY(compile_kind(c, a, KIND_NUMBER, "the argument"));
    Val v = a->v;
    if (op == PO_POISSON) TRY(compile_bare(c, a, "the mean"));
    if (two) {
        TRY(compile_tree(c, e->args[1], in, &b));
        TRY(compile_kind(c, b, KIND_NUMBER, "the argument"));
        Expr sum = {.op = op == PO_NORMAL ? EX_ADD : EX_LE, .at = e->at};
        if (a->v.plain != b->v.plain) TRY(compile_meet(c, &sum, a, b, op == PO_NORMAL));
        if (!dims_equal(a->v.dims, b->v.dims)) TRY(compile_meet(c, &sum, a, b, true));
        v = a->v;
    }
    v.offset = NULL;
    // Plain bounds are in the unit of what is set: the sum of them is taken apart there.
    bool plain = a->v.plain;
    v.plain = false;
    Term *n = compile_term(c, op, e, v);
    n->kid[0] = a;
    n->kid[1] = b;
    n->arg = c->draws++;
    n->v.offset = plain ? n : NULL; // itself: see fit
    *out = n;
    return ERR_OK;
}

static Err call_pre(Compile *c, const Expr *e, Around *in, Term **out) {
    TRY(count_args(c, e, 1, 1));
    if (!c->acts || in) FAULT(e, "PRE stands in assignments: after then, do and initially");
    TRY(compile_tree(c, e->args[0], in, out));
    if ((*out)->op != PO_CELL) FAULT(e, "PRE is of a property of the twin itself");
    RatesRole *role = &c->r->roles[(*out)->arg];
    if (role->shadow == NONE) role->shadow = c->r->shadow_count++;
    (*out)->op = PO_PRE;
    (*out)->arg = role->shadow;
    return ERR_OK;
}

static Err call_defined(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *x;
    TRY(count_args(c, e, 1, 1));
    TRY(compile_tree(c, e->args[0], in, &x));
    *out = compile_join(c, PO_DEFINED, e, x, NULL, TERM_TRUTH);
    return ERR_OK;
}

static Err call_atan2(Compile *c, const Expr *e, Around *in, Term **out) {
    Term *x, *y;
    TRY(count_args(c, e, 2, 2));
    TRY(compile_tree(c, e->args[0], in, &x));
    TRY(compile_tree(c, e->args[1], in, &y));
    TRY(compile_kind(c, x, KIND_NUMBER, "the argument"));
    TRY(compile_kind(c, y, KIND_NUMBER, "the argument"));
    TRY(compile_meet(c, e, x, y, false));
    *out = compile_join(c, PO_ATAN2, e, x, y, TERM_BARE);
    return ERR_OK;
}

Err compile_call(Compile *c, const Expr *e, Around *in, Term **out) {
    Str f = e->name;
#define IS(name) str_eq_nocase(f, STR(name))
    for (size_t i = 0; i < sizeof SIMPLE / sizeof *SIMPLE; i++) {
        if (str_eq_nocase(f, str_of(SIMPLE[i].name))) return call_simple(c, e, i, in, out);
    }
    if (IS("ROUND")) return call_round(c, e, in, out);
    if (IS("POWER") || IS("POW")) return call_power(c, e, in, out);
    if (IS("LOG")) return call_log(c, e, in, out);
    if (IS("LEAST") || IS("MIN2")) return call_alike(c, e, PO_LEAST, in, out);
    if (IS("GREATEST") || IS("MAX2")) return call_alike(c, e, PO_GREATEST, in, out);
    if (IS("COALESCE")) return call_alike(c, e, PO_COALESCE, in, out);
    if (IS("CLAMP")) return call_clamp(c, e, in, out);
    if (IS("IF") || IS("IIF")) return call_if(c, e, in, out);
    if (IS("UNIT")) return call_unit(c, e, in, out);
    if (IS("ATAN2")) return call_atan2(c, e, in, out);
    if (IS("IS_DEFINED")) return call_defined(c, e, in, out);
    if (IS("TABLE")) return call_table(c, e, in, out);
    if (IS("DELAY")) return call_delay(c, e, in, out);
    if (IS("PRE")) return call_pre(c, e, in, out);
    if (IS("RANDOM_UNIFORM")) return call_random(c, e, PO_UNIFORM, in, out);
    if (IS("RANDOM_NORMAL")) return call_random(c, e, PO_NORMAL, in, out);
    if (IS("RANDOM_EXPONENTIAL")) return call_random(c, e, PO_EXPONENTIAL, in, out);
    if (IS("RANDOM_POISSON")) return call_random(c, e, PO_POISSON, in, out);
#undef IS
    if (expr_is_past(f)) FAULT(e, "%.*s looks at the past, which a behaviour has not: use DELAY", STR_ARG(f));
    FAULT(e, "behaviours have no function %.*s", STR_ARG(f));
}
