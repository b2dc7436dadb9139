// SPDX-License-Identifier: Apache-2.0
// Types and units that meet: comparisons, IN, arithmetic, values of which one is taken.
//
// Temperatures: a scale with an offset measures states and spans. A quantity in the text is what the other side wants:
// a state beside a state (also in a difference), a span when it is added to a state or stands beside a span.
#include <math.h>
#include <stdio.h>
#include "base/check.h"
#include "expr/bind.h"

// ---- units --------------------------------------------------------------------------------------------------------

Err bind_unit(Bind *c, const Expr *e, Str name, const Unit **out) {
    *out = unit_find(name);
    for (int32_t i = 0; !*out && i < unit_count(); i++) {
        if (unit_at(i)->symbol[0] && str_eq(str_of(unit_at(i)->symbol), name)) *out = unit_at(i);
    }
    if (*out) return ERR_OK;
    Str *names = NEW(c->a, Str, unit_count());
    for (int32_t i = 0; i < unit_count(); i++) names[i] = str_of(unit_at(i)->name);
    Str near = expr_nearest(name, names, unit_count());
    if (near.n) return bind_fail(c, e, "there is no unit '%.*s'; did you mean '%.*s'?", STR_ARG(name), STR_ARG(near));
    return bind_fail(c, e, "there is no unit '%.*s'", STR_ARG(name));
}

static bool quantity(const Bound *b) { return bind_is_const(b) && b->from->op == EX_LITERAL && b->from->unit.n > 0; }

// A symbol may stand for units of several families (g, B): take the one that fits.
static void settle_symbol(Bound *b, UnitFamily family) {
    if (!quantity(b) || b->unit.unit->family == family) return;
    for (int32_t i = 0; i < unit_count(); i++) {
        const Unit *u = unit_at(i);
        if (u->family == family && str_eq(str_of(u->symbol), b->from->unit)) b->unit.unit = u;
    }
}

// A converted constant without the noise of the conversion: 68 degreeFahrenheit is 20 degreeCelsius, not a hair more.
// `size`: the largest number on the way; 12 of its digits count.
static double without_noise(double v, double size) {
    char text[64];
    double clean;
    int digits = size > 0 ? 12 - (int)ceil(log10(size)) : 0;
    if (digits < 0 || digits > 30) return v;
    int n = snprintf(text, sizeof text, "%.*f", digits, v);
    return n > 0 && n < (int)sizeof text && str_to_f64((Str){text, n}, &clean) ? clean : v;
}

// Scales of temperature are 5/9 and hundredths apart; the table has their quotients rounded.
static double ninths(double v) { return round(v * 900) / 900; }

Bound *bind_scale(Bind *c, Bound *b, const Unit *to, bool span) {
    const Unit *from = b->unit.unit;
    if (from == to || b->type == EXPR_UNDEFINED) return b;
    Bound *s = bind_node(c, BOUND_SCALE, EXPR_F64, b->from, 1);
    s->args[0] = b;
    s->factor = from->factor / to->factor;
    s->offset = span ? 0 : (from->offset - to->offset) / to->factor;
    s->unit = (ExprUnit){.unit = to, .span = span};
    if (to->family == FAM_TEMPERATURE) {
        s->factor = ninths(s->factor);
        s->offset = ninths(s->offset);
    }
    if (!bind_is_const(b)) return s;
    Bound *k = bind_folded(c, s);
    double size = fabs(expr_value_scale(&b->value, s->factor, 0).d);
    if (size < fabs(s->offset)) size = fabs(s->offset);
    if (k->type == EXPR_F64) k->value.d = without_noise(k->value.d, size);
    return k;
}

static bool temperature(ExprUnit u) { return u.unit && u.unit->family == FAM_TEMPERATURE; }

static Err units_clash(Bind *c, const Expr *e, const Bound *a, const Bound *b) {
    Str x = bind_kind(c, a), y = bind_kind(c, b);
    if (a->unit.unit && b->unit.unit)
        return bind_fail(c, e, "%s and %s do not go together", a->unit.unit->name, b->unit.unit->name);
    if (a->unit.derived || b->unit.derived)
        return bind_fail(c, e, "%.*s goes together only with a plain literal or its like; take UNIT(x, 'unit') before",
                         STR_ARG(a->unit.derived ? x : y));
    return bind_fail(c, e, "%.*s and %.*s do not go together: one has a unit, the other has none", STR_ARG(x),
                     STR_ARG(y));
}

// Spans and states of temperature: how the right side converts, and what comes out.
static Err fit_spans(Bind *c, const Expr *e, Fit fit, const Bound *a, const Bound *b, bool *convert_span, bool *out) {
    bool sa = a->unit.span, sb = b->unit.span;
    *convert_span = *out = false;
    if (!temperature(a->unit)) return ERR_OK;
    if (fit == FIT_ADD) {
        if (!sa && !sb && quantity(b)) sb = true;
        *convert_span = sb;
        *out = sa && (sb || quantity(b));
        if (*out) *convert_span = true;
        return ERR_OK;
    }
    if (sa && !sb && quantity(b)) sb = true;
    if (sb && !sa && quantity(a) && fit != FIT_SUB) sa = true;
    if (fit == FIT_SUB && !sa) {
        *convert_span = sb;
        *out = !sb;
        return ERR_OK;
    }
    if (sa != sb) return bind_fail(c, e, "a difference of temperatures and a temperature do not go together");
    *convert_span = *out = sa;
    return ERR_OK;
}

Err bind_units(Bind *c, const Expr *e, Fit fit, Bound **pa, Bound **pb, ExprUnit *out) {
    Bound *a = *pa, *b = *pb;
    *out = a->unit;
    if (a->type == EXPR_UNDEFINED || b->unit.plain) return ERR_OK;
    if (b->type == EXPR_UNDEFINED) return ERR_OK;
    *out = b->unit;
    if (a->unit.plain) return ERR_OK;
    if (!a->unit.unit && !b->unit.unit) return a->unit.derived == b->unit.derived ? ERR_OK : units_clash(c, e, a, b);
    if (a->unit.unit && b->unit.unit) {
        settle_symbol(a, b->unit.unit->family);
        settle_symbol(b, a->unit.unit->family);
    }
    if (!a->unit.unit || !b->unit.unit || a->unit.unit->family != b->unit.unit->family) return units_clash(c, e, a, b);
    bool span, out_span;
    TRY(fit_spans(c, e, fit, a, b, &span, &out_span));
    if (fit == FIT_COMPARE && bind_is_const(a) && !bind_is_const(b)) *pa = bind_scale(c, a, b->unit.unit, span);
    else *pb = bind_scale(c, b, a->unit.unit, span);
    *out = (ExprUnit){.unit = (*pa)->unit.unit, .span = out_span};
    return ERR_OK;
}

// ---- time ---------------------------------------------------------------------------------------------------------

static bool shape_is(const Bound *b, Shape s) { return b->type == EXPR_STR && b->dtdl && b->dtdl->shape == s; }

static bool shown_field(const Bound *b) { return b->op == BOUND_FIELD && b->field == FIELD_UPDATE_TIME; }

static bool shown_cast(const Bound *b) {
    return b->op == BOUND_CAST && b->type == EXPR_STR && b->args[0]->type == EXPR_TIME;
}

// A text that stands for an instant.
static bool timelike(const Bound *b) {
    return b->type == EXPR_STR &&
           (shape_is(b, SHAPE_DATETIME) || shape_is(b, SHAPE_DATE) || shown_field(b) || shown_cast(b));
}

Bound *bind_as_time(Bind *c, Bound *b, bool *ok) {
    *ok = true;
    if (b->type == EXPR_TIME) return b;
    if (shown_cast(b)) return b->args[0];
    if (shown_field(b)) {
        Bound *t = bind_node(c, BOUND_FIELD, EXPR_TIME, b->from, 0);
        *t = *b;
        t->type = EXPR_TIME;
        return t;
    }
    Bound *t = b->type == EXPR_STR || b->type == EXPR_ANY ? bind_cast(c, b, EXPR_TIME) : NULL;
    *ok = t && t->type == EXPR_TIME;
    return *ok ? t : b;
}

Bound *bind_as_duration(Bind *c, Bound *b, bool *ok) {
    *ok = true;
    if (b->type == EXPR_DURATION) return b;
    bool time_unit = b->unit.unit && b->unit.unit->family == FAM_TIME;
    Bound *d = NULL;
    if (bind_numeric(b) && time_unit) d = bind_scale(c, b, unit_find(STR("second")), false);
    else if (b->type == EXPR_STR || (b->type == EXPR_ANY && !b->unit.unit)) d = b;
    if (d) {
        d = bind_cast(c, d, EXPR_DURATION);
        d->unit = (ExprUnit){0};
    }
    *ok = d && d->type == EXPR_DURATION;
    return *ok ? d : b;
}

static bool durationlike(const Bound *b) {
    return b->type == EXPR_DURATION || shape_is(b, SHAPE_DURATION) ||
           (expr_is_number(b->type) && b->unit.unit && b->unit.unit->family == FAM_TIME);
}

static bool literal_time(const Bound *b) {
    int64_t ns;
    return bind_is_const(b) && b->type == EXPR_STR && b->value.s.n > 10 && expr_time_parse(b->value.s, &ns);
}

static bool literal_duration(const Bound *b) {
    int64_t ns;
    return bind_is_const(b) && b->type == EXPR_STR && expr_duration_parse(b->value.s, &ns);
}

// One side is an instant, and the other can be one: make both so. Dates among themselves stay texts.
static void fit_instants(Bind *c, Bound **a, Bound **b, bool sum) {
    bool ok, x = (*a)->type == EXPR_TIME, y = (*b)->type == EXPR_TIME, la = timelike(*a), lb = timelike(*b);
    bool dates = shape_is(*a, SHAPE_DATE) && shape_is(*b, SHAPE_DATE) && !sum;
    bool both = x || y || (la && lb && !dates) || (la && literal_time(*b)) || (lb && literal_time(*a));
    if (sum && durationlike(*b) && la) *a = bind_as_time(c, *a, &ok);
    else if (sum && durationlike(*a) && lb) *b = bind_as_time(c, *b, &ok);
    if (!both || (sum && (durationlike(*a) || durationlike(*b)))) return;
    *a = bind_as_time(c, *a, &ok);
    *b = bind_as_time(c, *b, &ok);
}

// One side is a duration, and the other can be one. Two numbers with units of time stay numbers.
static void fit_durations(Bind *c, Bound **a, Bound **b) {
    bool ok, la = durationlike(*a), lb = durationlike(*b);
    bool one = !bind_numeric(*a) || !bind_numeric(*b);
    bool both = one && ((la && lb) || (la && literal_duration(*b)) || (lb && literal_duration(*a)));
    if (both || ((*a)->type == EXPR_TIME && lb)) *b = bind_as_duration(c, *b, &ok);
    if (both || ((*b)->type == EXPR_TIME && la)) *a = bind_as_duration(c, *a, &ok);
}

// ---- comparison ---------------------------------------------------------------------------------------------------

// A float property holds the nearest float: so does what it is compared with.
static void fit_float(Bind *c, const Bound *cell, Bound **k) {
    if (cell->op != BOUND_CELL || !cell->dtdl || cell->dtdl->shape != SHAPE_FLOAT) return;
    if (!bind_is_const(*k) || (*k)->type != EXPR_F64 || !isfinite((float)(*k)->value.d)) return;
    Bound *f = bind_const(c, (*k)->from, (ExprValue){.type = EXPR_F64, .d = (double)(float)(*k)->value.d});
    f->unit = (*k)->unit;
    *k = f;
}

static const char *op_name(BoundOp op) {
    static const char *const names[] = {"=", "!=", "<", ">", "<=", ">="};
    static const char *const sums[] = {"+", "-", "*", "/", "%"};
    return op >= BOUND_ADD ? sums[op - BOUND_ADD] : op > BOUND_GE ? "IN" : names[op - BOUND_EQ];
}

// Make the two sides comparable. *fits false: they never are.
static Err fit_sides(Bind *c, const Expr *e, bool equality, Bound **a, Bound **b, bool *fits) {
    ExprUnit unit;
    *fits = (*a)->type != EXPR_UNDEFINED && (*b)->type != EXPR_UNDEFINED;
    if (!*fits) return ERR_OK;
    fit_instants(c, a, b, false);
    fit_durations(c, a, b);
    ExprType x = (*a)->type, y = (*b)->type;
    if (x == EXPR_UNDEFINED || y == EXPR_UNDEFINED) *fits = false;
    else if (x == EXPR_NULL || y == EXPR_NULL) *fits = equality;
    else if (bind_numeric(*a) && bind_numeric(*b)) TRY(bind_units(c, e, FIT_COMPARE, a, b, &unit));
    else if ((x == EXPR_POINT && y == EXPR_DOC) || (x == EXPR_DOC && y == EXPR_POINT)) {
        *a = bind_cast(c, *a, EXPR_POINT);
        *b = bind_cast(c, *b, EXPR_POINT);
        *fits = equality;
    } else if (x != EXPR_ANY && y != EXPR_ANY) {
        *fits = x == y && (equality || (x != EXPR_DOC && x != EXPR_POINT));
    }
    fit_float(c, *a, b);
    fit_float(c, *b, a);
    return ERR_OK;
}

// A number without unit beside a duration: nobody knows of what it is a number.
static bool plain_duration(const Bound *a, const Bound *b) {
    return (a->type == EXPR_DURATION && expr_is_number(b->type)) ||
           (b->type == EXPR_DURATION && expr_is_number(a->type));
}

Err bind_compare(Bind *c, const Expr *e, BoundOp op, Bound *a, Bound *b, Bound **out) {
    bool fits;
    Bound *sides[2] = {a, b};
    TRY(fit_sides(c, e, op == BOUND_EQ || op == BOUND_NE, &a, &b, &fits));
    if (!fits && plain_duration(sides[0], sides[1]))
        return bind_fail(c, e, "a duration compares with a duration: write 15 'minute', or 'PT15M'");
    if (!fits)
        return bind_misfit(c, e, sides, 2, out, "%.*s and %.*s never compare by %s", STR_ARG(bind_kind(c, sides[0])),
                           STR_ARG(bind_kind(c, sides[1])), op_name(op));
    static const BoundOp turned[] = {BOUND_EQ, BOUND_NE, BOUND_GT, BOUND_LT, BOUND_GE, BOUND_LE};
    bool turn = bind_is_const(a) && !bind_is_const(b);
    Bound *n = bind_node(c, turn ? turned[op - BOUND_EQ] : op, EXPR_BOOL, e, 2);
    n->args[0] = turn ? b : a;
    n->args[1] = turn ? a : b;
    *out = bind_folded(c, n);
    return ERR_OK;
}

// ---- IN -----------------------------------------------------------------------------------------------------------

static bool sortable(Bound *const *args, int32_t n) {
    ExprType t = args[0]->type;
    if (t != EXPR_I64 && t != EXPR_F64 && t != EXPR_STR) return false;
    for (int32_t i = 1; i < n; i++) {
        if (!bind_is_const(args[i]) || args[i]->type != t) return false;
    }
    return true;
}

// Ascending, without doubles; merge sort by halves into `spare`.
static void sort(Bound **a, Bound **spare, int32_t n) {
    if (n < 2) return;
    int32_t m = n / 2, i = 0, j = m, k = 0;
    sort(a, spare, m);
    sort(a + m, spare, n - m);
    while (i < m || j < n) {
        bool left = j == n || (i < m && expr_compare(&a[i]->value, &a[j]->value) <= 0);
        spare[k++] = left ? a[i++] : a[j++];
    }
    memcpy(a, spare, (size_t)n * sizeof *a);
}

static int32_t unique(Bound **a, int32_t n) {
    int32_t kept = n > 0;
    for (int32_t i = 1; i < n; i++) {
        if (expr_compare(&a[kept - 1]->value, &a[i]->value) != 0) a[kept++] = a[i];
    }
    return kept;
}

// value = item OR ...: when the items want the value in different shapes, or are no constants.
static Err in_by_terms(Bind *c, const Expr *e, BoundOp op, Bound **args, int32_t n, Bound **out) {
    Bound *any = NULL;
    for (int32_t i = 1; i < n; i++) {
        Bound *eq, *both;
        TRY(bind_compare(c, e, BOUND_EQ, args[0], args[i], &eq));
        if (any) {
            both = bind_node(c, BOUND_OR, EXPR_BOOL, e, 2);
            both->args[0] = any;
            both->args[1] = eq;
            any = bind_folded(c, both);
        } else {
            any = eq;
        }
    }
    *out = any;
    if (op == BOUND_IN) return ERR_OK;
    Bound *not = bind_node(c, BOUND_NOT, EXPR_BOOL, e, 1);
    not ->args[0] = any;
    *out = bind_folded(c, not );
    return ERR_OK;
}

Err bind_in(Bind *c, const Expr *e, BoundOp op, Bound **args, int32_t n, Bound **out) {
    Bound *value = args[0], *fitted = value;
    Bound **items = NEW(c->a, Bound *, n);
    bool simple = true;
    *out = bind_undefined(c, e);
    if (value->type == EXPR_UNDEFINED) return ERR_OK;
    for (int32_t i = 1; i < n; i++) {
        Bound *a = value, *b = args[i];
        bool fits;
        TRY(fit_sides(c, e, true, &a, &b, &fits));
        if (!fits)
            TRY(bind_misfit(c, args[i]->from, &args[i], c->strict ? 1 : 0, out, "%.*s is never equal to %.*s",
                            STR_ARG(bind_kind(c, value)), STR_ARG(bind_kind(c, args[i]))));
        simple =
            simple && bind_is_const(b) && (i == 1 || a == fitted || (a->op == fitted->op && a->type == fitted->type));
        fitted = a;
        items[i] = b;
    }
    if (!simple) return in_by_terms(c, e, op, args, n, out);
    items[0] = fitted;
    Bound *in = bind_node(c, op, EXPR_BOOL, e, 0);
    in->sorted = sortable(items, n);
    if (in->sorted) {
        sort(items + 1, NEW(c->a, Bound *, n), n - 1);
        n = 1 + unique(items + 1, n - 1);
    }
    in->args = items;
    in->arg_count = n;
    *out = bind_folded(c, in);
    return ERR_OK;
}

// ---- arithmetic ---------------------------------------------------------------------------------------------------

// Of the types, as expr_value_arith makes it of values; EXPR_UNDEFINED: none.
static ExprType arith_type(BoundOp op, ExprType x, ExprType y) {
    bool number = expr_is_number(x) && expr_is_number(y), sum = op == BOUND_ADD || op == BOUND_SUB;
    if (number) return op != BOUND_DIV && x == EXPR_I64 && y == EXPR_I64 ? EXPR_I64 : EXPR_F64;
    if (x == EXPR_TIME && y == EXPR_TIME) return op == BOUND_SUB ? EXPR_DURATION : EXPR_UNDEFINED;
    if (x == EXPR_TIME && y == EXPR_DURATION) return sum ? EXPR_TIME : EXPR_UNDEFINED;
    if (x == EXPR_DURATION && y == EXPR_TIME) return op == BOUND_ADD ? EXPR_TIME : EXPR_UNDEFINED;
    if (x == EXPR_DURATION && y == EXPR_DURATION)
        return op == BOUND_MUL ? EXPR_UNDEFINED : op == BOUND_DIV ? EXPR_F64 : EXPR_DURATION;
    if (x == EXPR_DURATION && expr_is_number(y))
        return op == BOUND_MUL || op == BOUND_DIV ? EXPR_DURATION : EXPR_UNDEFINED;
    if (expr_is_number(x) && y == EXPR_DURATION) return op == BOUND_MUL ? EXPR_DURATION : EXPR_UNDEFINED;
    bool any = x == EXPR_ANY || y == EXPR_ANY;
    ExprType other = x == EXPR_ANY ? y : x;
    bool measure = other == EXPR_ANY || expr_is_number(other) || other == EXPR_TIME || other == EXPR_DURATION;
    return any && measure ? EXPR_ANY : EXPR_UNDEFINED;
}

static bool has_unit(const Bound *b) { return b->unit.unit || b->unit.derived; }

// Products and quotients.
static Err product_unit(Bind *c, const Expr *e, BoundOp op, Bound **a, Bound **b, ExprUnit *out) {
    *out = (ExprUnit){.plain = (*a)->unit.plain && (*b)->unit.plain};
    if (!has_unit(*b) && has_unit(*a)) *out = (*a)->unit;
    else if (!has_unit(*a) && has_unit(*b) && op == BOUND_MUL) *out = (*b)->unit;
    else if (has_unit(*a) && has_unit(*b)) {
        bool like = (*a)->unit.unit && (*b)->unit.unit && (*a)->unit.unit->family == (*b)->unit.unit->family;
        *out = (ExprUnit){.derived = true};
        if (!like || op == BOUND_MUL) return ERR_OK;
        TRY(bind_units(c, e, FIT_LIKE, a, b, out)); // a ratio has no unit, a rest has that of the left side
        if (op == BOUND_DIV) *out = (ExprUnit){0};
    } else if (has_unit(*b)) {
        *out = (ExprUnit){.derived = true};
    }
    return ERR_OK;
}

static Err arith_unit(Bind *c, const Expr *e, BoundOp op, Bound **a, Bound **b, ExprUnit *out) {
    if (op == BOUND_ADD) return bind_units(c, e, FIT_ADD, a, b, out);
    if (op == BOUND_SUB) return bind_units(c, e, FIT_SUB, a, b, out);
    return product_unit(c, e, op, a, b, out);
}

Err bind_arith(Bind *c, const Expr *e, BoundOp op, Bound *a, Bound *b, Bound **out) {
    bool ok, sum = op == BOUND_ADD || op == BOUND_SUB;
    Bound *sides[2] = {a, b};
    ExprUnit unit = {0};
    if (sum) {
        fit_instants(c, &a, &b, true);
        fit_durations(c, &a, &b);
    }
    if (op == BOUND_DIV && a->type == EXPR_DURATION && durationlike(b)) b = bind_as_duration(c, b, &ok);
    ExprType type = arith_type(op, a->type, b->type);
    if (type == EXPR_UNDEFINED) {
        bool text = sides[0]->type == EXPR_STR && sides[1]->type == EXPR_STR && op == BOUND_ADD;
        return bind_misfit(c, e, sides, 2, out, "%s does not take %.*s and %.*s%s", op_name(op),
                           STR_ARG(bind_kind(c, sides[0])), STR_ARG(bind_kind(c, sides[1])),
                           text ? "; CONCAT(a, b) joins texts" : "");
    }
    if (bind_numeric(a) && bind_numeric(b)) TRY(arith_unit(c, e, op, &a, &b, &unit));
    Bound *n = bind_node(c, op, arith_type(op, a->type, b->type), e, 2);
    n->args[0] = a;
    n->args[1] = b;
    n->unit = unit;
    *out = bind_folded(c, n);
    return ERR_OK;
}

// ---- one of several -----------------------------------------------------------------------------------------------

static ExprType common(ExprType x, ExprType y) {
    if (x == EXPR_UNDEFINED || x == y) return y;
    if (y == EXPR_UNDEFINED) return x;
    return expr_is_number(x) && expr_is_number(y) ? EXPR_F64 : EXPR_ANY;
}

Err bind_unify(Bind *c, const Expr *e, Bound **args, int32_t n, ExprType *type, ExprUnit *unit) {
    Bound *first = NULL; // number with a unit, or without one that it could take
    bool ok, time = false;
    *unit = (ExprUnit){0};
    for (int32_t i = 0; i < n; i++) time = time || args[i]->type == EXPR_TIME;
    for (int32_t i = 0; i < n; i++) {
        if (time && timelike(args[i])) args[i] = bind_as_time(c, args[i], &ok);
        if (expr_is_number(args[i]->type) && (!first || first->unit.plain)) first = args[i];
    }
    for (int32_t i = 0; i < n; i++) {
        if (expr_is_number(args[i]->type) && args[i] != first) TRY(bind_units(c, e, FIT_LIKE, &first, &args[i], unit));
    }
    *type = EXPR_UNDEFINED;
    for (int32_t i = 0; i < n; i++) *type = common(*type, args[i]->type);
    for (int32_t i = 0; i < n; i++) {
        if (*type == EXPR_F64) args[i] = args[i]->type == EXPR_I64 ? bind_cast(c, args[i], EXPR_F64) : args[i];
    }
    if (first) *unit = first->unit;
    return ERR_OK;
}
