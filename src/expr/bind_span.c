// SPDX-License-Identifier: Apache-2.0
// Functions of the past: the property they look at, the span, and what comes out.
#include "base/check.h"
#include "expr/bind.h"

bool expr_is_past(Str name) {
    int32_t func = expr_func_find(name);
    return func >= 0 && bind_is_span(func);
}

// ---- the property -------------------------------------------------------------------------------------------------

Err bind_moment(Bind *c, const Expr *e, int32_t source, uint32_t column, const Field *leaf) {
    BindMoment *m = c->moment;
    if (!m) return ERR_OK;
    if (m->taken && (m->source != source || m->column != column))
        return bind_fail(c, e, "%s looks at one property, and this is another", m->func);
    m->taken = true;
    m->source = source;
    m->column = column;
    m->leaf = leaf;
    return ERR_OK;
}

bool bind_span_counts(int32_t func) {
    switch (func) {
    case FUNC_SPAN_MIN:
    case FUNC_SPAN_MAX:
    case FUNC_SPAN_COUNT:
    case FUNC_SPAN_FIRST:
    case FUNC_SPAN_LAST:
    case FUNC_SPAN_CHANGES:
    case FUNC_SPAN_TRUE: return false;
    default: return true;
    }
}

// The first argument, over BOUND_MOMENT. UNDEFINED in *out: nothing that this could be of.
static Err bind_value(Bind *c, const Expr *e, int32_t func, BindMoment *m, Bound **out) {
    m->func = expr_func_at(func).name;
    c->moment = m;
    Err err = bind_expr(c, e, out);
    c->moment = NULL;
    TRY(err);
    Bound *b = *out;
    if (!m->taken && b->type != EXPR_UNDEFINED)
        return bind_fail(c, e, "%s wants a property here: its past is looked at", m->func);
    if (b->type == EXPR_UNDEFINED || !m->taken) {
        *out = bind_undefined(c, e);
        return ERR_OK;
    }
    bool test = b->type == EXPR_BOOL || b->type == EXPR_ANY;
    bool ordered = b->type != EXPR_DOC && b->type != EXPR_POINT;
    if (bind_span_counts(func) && !bind_numeric(b))
        return bind_misfit(c, e, &b, 1, out, "%s wants a number here, and this is %.*s", m->func,
                           STR_ARG(bind_kind(c, b)));
    if (func == FUNC_SPAN_TRUE && !test)
        return bind_misfit(c, e, &b, 1, out, "%s wants a condition here, and this is %.*s", m->func,
                           STR_ARG(bind_kind(c, b)));
    if ((func == FUNC_SPAN_MIN || func == FUNC_SPAN_MAX) && !ordered)
        return bind_misfit(c, e, &b, 1, out, "%s wants values that have an order, and this is %.*s", m->func,
                           STR_ARG(bind_kind(c, b)));
    return ERR_OK;
}

// ---- the span -----------------------------------------------------------------------------------------------------

static Err no_span(Bind *c, const Expr *e, int32_t func) {
    const char *name = expr_func_at(func).name;
    bool least = func == FUNC_SPAN_MIN, most = func == FUNC_SPAN_MAX;
    if (least || most)
        return bind_fail(c, e, "%s over time wants a span such as 1h; the %s of several values is %s(a, b)", name,
                         least ? "least" : "greatest", least ? "LEAST" : "GREATEST");
    return bind_fail(c, e, "%s wants %s here, such as 1h or DURATION('PT1H')", name,
                     func == FUNC_SPAN_LAST ? "a span or a time" : "a constant span of time");
}

// A duration that is the same for all rows, or LAST's time.
static Err bind_window(Bind *c, const Expr *e, int32_t func, Bound **out) {
    bool ok;
    TRY(bind_expr(c, e, out));
    Bound *b = bind_as_duration(c, *out, &ok);
    if (ok && b->type == EXPR_DURATION && bind_is_const(b)) {
        if (b->value.i <= 0) return bind_fail(c, e, "the span must be longer than nothing");
        *out = b;
        return ERR_OK;
    }
    if (func != FUNC_SPAN_LAST) return no_span(c, e, func);
    b = bind_as_time(c, *out, &ok);
    if (!ok && (*out)->type != EXPR_UNDEFINED) return no_span(c, e, func);
    *out = ok ? b : *out;
    return ERR_OK;
}

static Err bind_percent(Bind *c, const Expr *e, double *out) {
    bool number = e->op == EX_LITERAL && e->unit.n == 0 && expr_is_number(e->value.type);
    if (number) *out = e->value.type == EXPR_I64 ? (double)e->value.i : e->value.d;
    if (number && *out >= 0 && *out <= 100) return ERR_OK;
    return bind_fail(c, e, "expected a number from 0 to 100, as in PERCENTILE(x, 95, 1h)");
}

// ---- what comes out -----------------------------------------------------------------------------------------------

static ExprType result_type(int32_t func, const Bound *value) {
    switch (expr_func_rule(func)->result) {
    case RESULT_F64: return EXPR_F64;
    case RESULT_I64: return EXPR_I64;
    case RESULT_DURATION: return EXPR_DURATION;
    default: return value->type;
    }
}

static ExprUnit result_unit(int32_t func, const Bound *value) {
    ExprUnit u = value->unit;
    FuncUnits rule = expr_func_rule(func)->units;
    bool apart = func == FUNC_SPAN_DELTA || func == FUNC_SPAN_INCREASE || func == FUNC_SPAN_STDDEV;
    if (rule == UNITS_DROP) return (ExprUnit){0};
    if (rule == UNITS_DERIVE) return (ExprUnit){.derived = u.unit || u.derived};
    if (apart && u.unit && u.unit->family == FAM_TEMPERATURE) u.span = true;
    return u;
}

Err bind_span(Bind *c, const Expr *e, int32_t func, Bound **out) {
    BindMoment m = {0};
    Bound *value, *window;
    double percent = func == FUNC_SPAN_P95 ? 95 : func == FUNC_SPAN_P99 ? 99 : 50;
    if (c->formula)
        return bind_fail(c, e, "%s looks at the past of a property, and there is none here", expr_func_at(func).name);
    TRY(bind_value(c, e->args[0], func, &m, &value));
    if (func == FUNC_SPAN_PERCENTILE) TRY(bind_percent(c, e->args[1], &percent));
    TRY(bind_window(c, e->args[e->arg_count - 1], func, &window));
    *out = bind_undefined(c, e);
    if (value->type == EXPR_UNDEFINED || window->type == EXPR_UNDEFINED) return ERR_OK;
    Bound *b = bind_node(c, BOUND_SPAN, result_type(func, value), e, 2);
    b->args[0] = value;
    b->args[1] = window;
    b->func = func;
    b->source = m.source;
    b->kind = c->sources[m.source].kind;
    b->column = m.column;
    b->leaf = m.leaf;
    b->factor = percent;
    b->unit = result_unit(func, value);
    *out = b;
    return ERR_OK;
}
