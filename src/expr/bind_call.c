// SPDX-License-Identifier: Apache-2.0
// Calls: arguments fitted to the letters of func.def, units by its rule; functions with rules of their own at the end.
#include <math.h>
#include "base/check.h"
#include "expr/bind.h"

typedef struct Call {
    const Expr *e;
    int32_t func;
    const char *name;
    Bound *args[FUNC_ARGS_MAX];
    int32_t n;
} Call;

// ---- arguments ----------------------------------------------------------------------------------------------------

static const char *wanted(char letter) {
    switch (letter) {
    case 'b': return "a condition";
    case 'n': return "a number";
    case 's': return "a text";
    case 't': return "a time";
    case 'u': return "a duration";
    case 'd': return "an array";
    case 'g': return "a point or geometry";
    default: return "a value";
    }
}

static bool takes(char letter, ExprType t) {
    switch (letter) {
    case 'b': return t == EXPR_BOOL;
    case 'n': return expr_is_number(t);
    case 's': return t == EXPR_STR;
    case 't': return t == EXPR_TIME;
    case 'u': return t == EXPR_DURATION;
    case 'd': return t == EXPR_DOC;
    case 'g': return t == EXPR_POINT || t == EXPR_DOC || t == EXPR_STR;
    default: return true;
    }
}

// Fit argument i. *fits false: it can never fit, which is no error here.
static Err fit_arg(Bind *c, Call *k, int32_t i, char letter, bool *fits) {
    Bound **arg = &k->args[i], *none;
    bool ok = true;
    if ((*arg)->type == EXPR_UNDEFINED && letter != 'a') *fits = false;
    if ((*arg)->type == EXPR_UNDEFINED) return ERR_OK;
    if (letter == 't') *arg = bind_as_time(c, *arg, &ok);
    if (letter == 'u') *arg = bind_as_duration(c, *arg, &ok);
    ExprType t = (*arg)->type;
    if (ok && (takes(letter, t) || t == EXPR_ANY)) return ERR_OK;
    *fits = false;
    if (letter == 't' && bind_is_const(*arg) && t == EXPR_STR)
        return bind_misfit(c, (*arg)->from, arg, 1, &none, "%s wants a time such as '2026-01-31T12:00:00Z'", k->name);
    return bind_misfit(c, (*arg)->from, arg, 1, &none, "%s wants %s here, and this is %.*s", k->name, wanted(letter),
                       STR_ARG(bind_kind(c, *arg)));
}

static Err fit_args(Bind *c, Call *k, bool *fits) {
    const char *params = expr_func_rule(k->func)->params;
    size_t last = strlen(params);
    *fits = true;
    for (int32_t i = 0; i < k->n; i++) {
        char letter = (size_t)i < last ? params[i] : params[last - 1];
        TRY(fit_arg(c, k, i, letter, fits));
    }
    return ERR_OK;
}

// ---- units --------------------------------------------------------------------------------------------------------

// All to the unit of the first argument that is no plain literal.
static Err fit_alike(Bind *c, Call *k, ExprUnit *unit) {
    Bound **a = k->args;
    int32_t n = k->func == FUNC_ROUND ? 1 : k->n, first = 0;
    while (first < n - 1 && a[first]->unit.plain) first++;
    *unit = a[first]->unit;
    for (int32_t i = 0; i < n; i++) {
        if (i != first) TRY(bind_units(c, k->e, FIT_LIKE, &a[first], &a[i], unit));
    }
    return ERR_OK;
}

static Err fit_units(Bind *c, Call *k, ExprUnit *unit) {
    FuncUnits rule = expr_func_rule(k->func)->units;
    Bound **a = k->args;
    *unit = (ExprUnit){0};
    switch (rule) {
    case UNITS_DROP: break;
    case UNITS_ANGLE:
        if (a[0]->unit.unit && a[0]->unit.unit->family != FAM_ANGLE)
            return bind_fail(c, a[0]->from, "%s wants an angle, and this is %.*s", k->name,
                             STR_ARG(bind_kind(c, a[0])));
        if (a[0]->unit.unit) a[0] = bind_scale(c, a[0], unit_find(STR("radian")), false);
        break;
    case UNITS_DERIVE:
        for (int32_t i = 0; i < k->n; i++) unit->derived = unit->derived || a[i]->unit.unit || a[i]->unit.derived;
        break;
    case UNITS_KEEP:
    case UNITS_LIKE: TRY(fit_alike(c, k, unit));
    }
    if (rule == UNITS_LIKE) *unit = (ExprUnit){0};
    return ERR_OK;
}

// ---- results ------------------------------------------------------------------------------------------------------

static ExprType same_type(const Call *k) {
    ExprType t = EXPR_I64;
    int32_t n = k->func == FUNC_ROUND ? 1 : k->n;
    for (int32_t i = 0; i < n; i++) {
        if (k->args[i]->type == EXPR_ANY) return EXPR_ANY;
        if (k->args[i]->type == EXPR_F64) t = EXPR_F64;
    }
    return t;
}

static ExprType result_type(const Call *k) {
    static const ExprType types[] = {EXPR_BOOL, EXPR_I64, EXPR_F64, EXPR_STR, EXPR_TIME, EXPR_DURATION, EXPR_POINT};
    FuncResult r = expr_func_rule(k->func)->result;
    return r == RESULT_SAME ? same_type(k) : r == RESULT_OWN ? EXPR_ANY : types[r];
}

static Bound *call_node(Bind *c, const Call *k, ExprType type, ExprUnit unit) {
    Bound *b = bind_node(c, BOUND_CALL, type, k->e, k->n);
    for (int32_t i = 0; i < k->n; i++) b->args[i] = k->args[i];
    b->func = k->func;
    b->unit = unit;
    return bind_folded(c, b);
}

static Err bind_plain(Bind *c, Call *k, Bound **out) {
    bool fits;
    ExprUnit unit;
    TRY(fit_args(c, k, &fits));
    *out = bind_undefined(c, k->e);
    if (!fits) return ERR_OK;
    TRY(fit_units(c, k, &unit));
    *out = call_node(c, k, result_type(k), unit);
    return ERR_OK;
}

// ---- functions with rules of their own ----------------------------------------------------------------------------

static Err bind_of_model(Bind *c, const Expr *e, Bound **out) {
    int32_t n = e->arg_count, at = 0, source = c->bare;
    const Expr *last = e->args[n - 1];
    if (c->formula) return bind_fail(c, e, "IS_OF_MODEL wants a twin, and there is none here");
    bool exact = last->op == EX_PATH && last->seg_count == 1 && str_eq_nocase(last->segs[0].name, STR("exact"));
    n -= exact && n > 1;
    if (n > 1) {
        const Expr *alias = e->args[at++];
        source = alias->op == EX_PATH && alias->seg_count == 1 ? bind_alias(c, alias->segs[0].name) : -1;
        if (source < 0) return bind_fail(c, alias, "IS_OF_MODEL wants an alias here");
    }
    if (source < 0)
        return bind_fail(c, e, "there are several sources: say which one, as in IS_OF_MODEL(T, 'dtmi:...')");
    const Expr *id = e->args[at];
    if (n - at != 1 || id->op != EX_LITERAL || id->value.type != EXPR_STR)
        return bind_fail(c, n - at > 1 ? e->args[at + 1] : id, "IS_OF_MODEL wants the id of a model in quotes%s",
                         n - at > 1 ? ", then nothing or the word exact" : "");
    if (c->sources[source].kind != EXPR_TWIN) return bind_fail(c, e, "a relationship has no model");
    const Model *m = c->catalog->tables[c->sources[source].table].model;
    bool is = exact ? str_eq(m->id, id->value.s) : model_is(m, id->value.s);
    *out = bind_const(c, e, (ExprValue){.type = EXPR_BOOL, .b = is});
    return ERR_OK;
}

static Bound *coalesced(Bind *c, const Expr *e, Bound *a, Bound *b) {
    Call k = {.e = e, .func = FUNC_COALESCE, .n = 2, .args = {a, b}};
    return a ? call_node(c, &k, a->type, (ExprUnit){0}) : b;
}

// What AGE and UPDATED ask about: a property, or what a formula's variable holds.
static Err bind_when(Bind *c, const Call *k, Bound **update, Bound **source) {
    bool ok;
    if (!c->formula) return bind_times(c, k->e->args[0], update, source);
    *source = NULL;
    if (k->func == FUNC_UPDATED)
        return bind_fail(c, k->e, "UPDATED wants a property of a twin, and there is none here");
    TRY(bind_expr(c, k->e->args[0], update));
    *update = bind_as_time(c, *update, &ok);
    return ok ? ERR_OK : bind_fail(c, k->e->args[0], "AGE wants a time here");
}

static Err bind_age(Bind *c, const Call *k, Bound **out) {
    Bound *update, *source;
    TRY(bind_when(c, k, &update, &source));
    *out = bind_undefined(c, k->e);
    if (!update) return ERR_OK;
    if (k->func == FUNC_UPDATED) {
        *out = update;
        return ERR_OK;
    }
    Bound *b = bind_node(c, BOUND_SUB, EXPR_DURATION, k->e, 2);
    Call now = {.e = k->e, .func = FUNC_NOW};
    b->args[0] = call_node(c, &now, EXPR_TIME, (ExprUnit){0});
    b->args[1] = coalesced(c, k->e, source, update);
    *out = b;
    return ERR_OK;
}

// The unit named by argument i, of a family (or any: FAM_COUNT).
static Err unit_arg(Bind *c, Call *k, int32_t i, UnitFamily family, const Unit **out) {
    const Expr *e = k->e->args[i];
    if (e->op != EX_LITERAL || e->value.type != EXPR_STR)
        return bind_fail(c, e, "%s wants the name of a unit in quotes", k->name);
    TRY(bind_unit(c, e, e->value.s, out));
    if (family != FAM_COUNT && (*out)->family != family) return bind_fail(c, e, "%s is no unit of time", (*out)->name);
    return ERR_OK;
}

static Err bind_duration(Bind *c, Call *k, Bound **out) {
    bool ok;
    Bound *a = k->args[0];
    const Unit *unit;
    if (k->n == 2) {
        TRY(unit_arg(c, k, 1, FAM_TIME, &unit));
        if (!bind_numeric(a) && a->type != EXPR_UNDEFINED)
            return bind_misfit(c, a->from, &a, 1, out, "DURATION wants a number before the unit");
        if (a->unit.unit || a->unit.derived) return bind_fail(c, a->from, "the number has a unit already");
        Bound *quantity = bind_node(c, a->op, a->type, a->from, 0);
        *quantity = *a;
        quantity->unit = (ExprUnit){.unit = unit};
        a = quantity;
    }
    if (a->type == EXPR_UNDEFINED) {
        *out = a;
        return ERR_OK;
    }
    *out = bind_as_duration(c, a, &ok);
    if (ok) return ERR_OK;
    return bind_misfit(c, k->e, &a, 1, out, "DURATION wants a text such as 'PT15M', or a number and a unit of time");
}

static Err bind_to_unit(Bind *c, Call *k, Bound **out) {
    const Unit *unit;
    Bound *a = k->args[0];
    TRY(unit_arg(c, k, 1, FAM_COUNT, &unit));
    if (a->type == EXPR_UNDEFINED) {
        *out = a;
        return ERR_OK;
    }
    if (!bind_numeric(a))
        return bind_misfit(c, a->from, &a, 1, out, "UNIT wants a number, and this is %.*s", STR_ARG(bind_kind(c, a)));
    Bound *b = bind_node(c, a->op, a->type, a->from, 0);
    *b = *a;
    if (!a->unit.plain) {
        if (!a->unit.unit) return bind_fail(c, a->from, "the number has no unit to convert from");
        if (a->unit.unit->family != unit->family)
            return bind_fail(c, k->e, "%s does not convert to %s", a->unit.unit->name, unit->name);
        *b = *bind_scale(c, a, unit, a->unit.span);
    }
    b->unit = (ExprUnit){.plain = true};
    b->from = k->e;
    *out = b;
    return ERR_OK;
}

static Err bind_extreme(Bind *c, Call *k, Bound **out) {
    ExprType type;
    ExprUnit unit;
    for (int32_t i = 0; i < k->n; i++) {
        *out = k->args[i];
        if ((*out)->type == EXPR_UNDEFINED) return ERR_OK;
    }
    TRY(bind_unify(c, k->e, k->args, k->n, &type, &unit));
    bool ordered = type != EXPR_DOC && type != EXPR_POINT && type != EXPR_NULL;
    for (int32_t i = 0; i < k->n; i++)
        ordered = ordered && (type != EXPR_ANY || k->args[i]->type == EXPR_ANY || bind_numeric(k->args[i]));
    if (!ordered) return bind_misfit(c, k->e, k->args, k->n, out, "%s wants values of one kind", k->name);
    *out = call_node(c, k, type, unit);
    return ERR_OK;
}

static Err bind_coalesce(Bind *c, Call *k, Bound **out) {
    ExprType type;
    ExprUnit unit;
    TRY(bind_unify(c, k->e, k->args, k->n, &type, &unit));
    *out = call_node(c, k, type, unit);
    return ERR_OK;
}

static Err bind_if(Bind *c, Call *k, Bound **out) {
    Bound *b = bind_node(c, BOUND_COND, EXPR_ANY, k->e, 3);
    TRY(bind_test(c, k->e->args[0], &b->args[0]));
    b->args[1] = k->args[1];
    b->args[2] = k->args[2];
    TRY(bind_unify(c, k->e, &b->args[1], 2, &b->type, &b->unit));
    *out = bind_folded(c, b);
    return ERR_OK;
}

static Err bind_geo(Bind *c, Call *k, Bound **out) {
    bool fits;
    const Unit *metre = unit_find(STR("metre"));
    TRY(fit_args(c, k, &fits));
    *out = bind_undefined(c, k->e);
    if (!fits) return ERR_OK;
    int32_t points = k->func == FUNC_WITHIN && k->n == 2 ? 1 : 2;
    for (int32_t i = 0; i < points; i++) k->args[i] = bind_cast(c, k->args[i], EXPR_POINT);
    if (k->func == FUNC_DISTANCE) {
        *out = call_node(c, k, EXPR_F64, (ExprUnit){.unit = metre});
        return ERR_OK;
    }
    if (k->n == 2 && k->args[1]->type == EXPR_POINT)
        return bind_fail(c, k->e, "WITHIN of a point wants a radius: WITHIN(place, centre, 500 'metre')");
    ExprUnit radius = k->n == 3 ? k->args[2]->unit : (ExprUnit){0};
    if (radius.unit && radius.unit->family != FAM_LENGTH)
        return bind_fail(c, k->args[2]->from, "the radius is a length, and this is %.*s",
                         STR_ARG(bind_kind(c, k->args[2])));
    if (radius.unit) k->args[2] = bind_scale(c, k->args[2], metre, false);
    *out = call_node(c, k, EXPR_BOOL, (ExprUnit){0});
    return ERR_OK;
}

static Err bind_own(Bind *c, Call *k, Bound **out) {
    switch (k->func) {
    case FUNC_DURATION: return bind_duration(c, k, out);
    case FUNC_UNIT: return bind_to_unit(c, k, out);
    case FUNC_LEAST:
    case FUNC_GREATEST: return bind_extreme(c, k, out);
    case FUNC_COALESCE: return bind_coalesce(c, k, out);
    case FUNC_IF: return bind_if(c, k, out);
    case FUNC_DISTANCE:
    case FUNC_WITHIN: return bind_geo(c, k, out);
    case FUNC_TIME: {
        Bound *a = k->args[0];
        TRY(bind_plain(c, k, out));
        if ((*out)->op == BOUND_CALL) *out = k->args[0]; // the argument is a time now
        (void)a;
        return ERR_OK;
    }
    default: return bind_plain(c, k, out);
    }
}

static Err over_neighbours(Bind *c, const Expr *e) {
    return bind_fail(c, e, "%.*s here is over neighbours: name the relationship, as in %.*s(->contains.power)",
                     STR_ARG(e->name), STR_ARG(e->name));
}

static Err unknown(Bind *c, const Expr *e) {
    static const Str aggregates[] = {{"SUM", 3},   {"AVG", 3}, {"MIN", 3}, {"MAX", 3},
                                     {"COUNT", 5}, {"ANY", 3}, {"ALL", 3}};
    Str names[2 * FUNC_COUNT];
    int64_t n = 0;
    for (size_t i = 0; i < sizeof aggregates / sizeof *aggregates; i++) {
        if (str_eq_nocase(e->name, aggregates[i])) return over_neighbours(c, e);
    }
    for (int32_t i = 0; i < FUNC_COUNT; i++) {
        ExprFunc f = expr_func_at(i);
        names[n++] = str_of(f.name);
        names[n++] = str_of(f.alias);
    }
    Str near = expr_nearest(e->name, names, n);
    if (near.n)
        return bind_fail(c, e, "there is no function %.*s; did you mean %.*s?", STR_ARG(e->name), STR_ARG(near));
    return bind_fail(c, e, "there is no function %.*s", STR_ARG(e->name));
}

static Err find_func(Bind *c, const Expr *e, int32_t *func) {
    *func = expr_func_find(e->name);
    if (*func < 0) return unknown(c, e);
    ExprFunc f = expr_func_at(*func);
    if (e->arg_count >= f.min && e->arg_count <= f.max) return ERR_OK;
    bool agg = *func >= FUNC_SPAN_AVG && *func <= FUNC_SPAN_COUNT && *func != FUNC_SPAN_TWA;
    if (agg && e->arg_count < 2) return over_neighbours(c, e);
    return bind_fail(c, e, "%s takes (%s), and this has %d argument%s", f.name, f.args, e->arg_count,
                     e->arg_count == 1 ? "" : "s");
}

Err bind_calls(Bind *c, const Expr *e) {
    int32_t func;
    if (e->op == EX_CALL) TRY(find_func(c, e, &func));
    for (int32_t i = 0; i < e->arg_count; i++) {
        if (e->args[i]) TRY(bind_calls(c, e->args[i]));
    }
    return ERR_OK;
}

// The present has no place in a condition over the past.
static Err check_moment(Bind *c, const Expr *e, int32_t func) {
    bool now = func == FUNC_NOW || func == FUNC_AGE || func == FUNC_UPDATED || bind_is_span(func);
    if (!c->moment || !now) return ERR_OK;
    return bind_fail(c, e, "%s cannot stand inside of %s", expr_func_at(func).name, c->moment->func);
}

Err bind_call(Bind *c, const Expr *e, Bound **out) {
    int32_t func;
    TRY(find_func(c, e, &func));
    TRY(check_moment(c, e, func));
    if (bind_is_span(func)) return bind_span(c, e, func, out);
    if (func == FUNC_IS_OF_MODEL) return bind_of_model(c, e, out);
    Call *k = NEW(c->a, Call, 1);
    *k = (Call){.e = e, .func = func, .name = expr_func_at(func).name, .n = e->arg_count};
    if (func == FUNC_AGE || func == FUNC_UPDATED) return bind_age(c, k, out);
    for (int32_t i = func == FUNC_IF; i < k->n; i++) TRY(bind_expr(c, e->args[i], &k->args[i]));
    return bind_own(c, k, out);
}
