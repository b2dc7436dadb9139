// SPDX-License-Identifier: Apache-2.0
#include "expr/bind.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/check.h"

// ---- nodes --------------------------------------------------------------------------------------------------------

Bound *bind_node(Bind *c, BoundOp op, ExprType type, const Expr *from, int32_t n) {
    Bound *b = NEW(c->a, Bound, 1);
    *b = (Bound){.op = op, .type = type, .from = from, .arg_count = n, .source = -1};
    if (n) b->args = NEW(c->a, Bound *, n);
    ++*c->nodes;
    return b;
}

Bound *bind_const(Bind *c, const Expr *from, ExprValue v) {
    Bound *b = bind_node(c, BOUND_CONST, v.type, from, 0);
    b->value = v;
    return b;
}

Bound *bind_undefined(Bind *c, const Expr *from) { return bind_const(c, from, (ExprValue){.type = EXPR_UNDEFINED}); }

static bool pure(const Bound *b) {
    if (b->op == BOUND_CALL) return b->func != FUNC_NOW;
    return b->op >= BOUND_DOC && b->op != BOUND_OBJECT && b->op != BOUND_GRAPH;
}

Bound *bind_folded(Bind *c, Bound *b) {
    if (!pure(b)) return b;
    for (int32_t i = 0; i < b->arg_count; i++) {
        if (!bind_is_const(b->args[i])) return b;
    }
    ExprRun run = {.scratch = c->a};
    Bound *k = bind_const(c, b->from, expr_eval(b, &run, NULL));
    k->unit = b->unit;
    k->dtdl = b->dtdl;
    return k;
}

Bound *bind_cast(Bind *c, Bound *b, ExprType type) {
    if (b->type == type) return b;
    Bound *cast = bind_node(c, BOUND_CAST, type, b->from, 1);
    cast->args[0] = b;
    cast->unit = b->unit;
    return bind_folded(c, cast);
}

// ---- messages -----------------------------------------------------------------------------------------------------

// The model that a complaint about types or units comes from.
static Str model_of(const Bind *c) {
    bool twin = c->bare >= 0 && c->sources[c->bare].kind == EXPR_TWIN;
    return twin ? c->catalog->tables[c->sources[c->bare].table].model->id : STR("");
}

Err bind_fail(Bind *c, const Expr *e, const char *fmt, ...) {
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return diag_add(c->d, ERR_SYNTAX, e->at, e->end, model_of(c), "%s", text);
}

// No name in it: what it is does not depend on a model.
static bool literal(const Expr *e) {
    if (e->op == EX_PATH || e->op == EX_GRAPH || e->op == EX_SLOT) return false;
    for (int32_t i = 0; i < e->arg_count; i++) {
        if (!literal(e->args[i])) return false;
    }
    return true;
}

Err bind_misfit(Bind *c, const Expr *e, Bound *const *args, int32_t n, Bound **out, const char *fmt, ...) {
    char text[600];
    bool refused = n > 0;
    va_list ap;
    *out = bind_undefined(c, e);
    for (int32_t i = 0; i < n; i++) {
        if (args[i]->type == EXPR_UNDEFINED) return ERR_OK;
        refused = refused && (c->strict || literal(args[i]->from));
    }
    if (!refused) return ERR_OK;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return diag_add(c->d, ERR_SYNTAX, e->at, e->end, model_of(c), "%s", text);
}

Str bind_kind(Bind *c, const Bound *b) {
    static const char *const names[] = {
        "nothing", "null",       "true or false",        "a number",           "a number", "a text",
        "a time",  "a duration", "a place on the earth", "an object or array", "a value"};
    const Unit *u = b->unit.unit;
    if (u) return arena_printf(c->a, "%s in %s%s", b->unit.span ? "a difference" : "a number", u->name, "");
    if (b->unit.derived) return STR("a number in a product or quotient of units");
    return str_of(names[b->type]);
}

// ---- operators ----------------------------------------------------------------------------------------------------

static Err bind_logic(Bind *c, const Expr *e, Bound **out);

static Err bind_literal(Bind *c, const Expr *e, Bound **out) {
    *out = bind_const(c, e, e->value);
    if (e->value.type != EXPR_I64 && e->value.type != EXPR_F64) return ERR_OK;
    (*out)->unit.plain = e->unit.n == 0;
    return e->unit.n ? bind_unit(c, e, e->unit, &(*out)->unit.unit) : ERR_OK;
}

Err bind_test(Bind *c, const Expr *e, Bound **out) {
    *out = NULL;
    if (!e) return ERR_OK;
    TRY(bind_expr(c, e, out));
    ExprType t = (*out)->type;
    if (t == EXPR_BOOL || t == EXPR_ANY || t == EXPR_UNDEFINED) return ERR_OK;
    Bound *arg = *out;
    return bind_misfit(c, e, &arg, 1, out, "%.*s is no condition: compare it with something",
                       STR_ARG(bind_kind(c, arg)));
}

static bool is_bool(const Bound *b, bool value) {
    return bind_is_const(b) && b->type == EXPR_BOOL && b->value.b == value;
}

// Is the test false for the model at hand whatever the values are? By IS_OF_MODEL alone: what stands beside it may be
// meant for other models, and not fit this one.
static bool excluded(Bind *c, const Expr *e) {
    Bound *b;
    Bind quiet = *c;
    quiet.d = NULL;
    switch (e->op) {
    case EX_AND: return excluded(c, e->args[0]) || excluded(c, e->args[1]);
    case EX_OR: return excluded(c, e->args[0]) && excluded(c, e->args[1]);
    case EX_NOT:
    case EX_CALL: {
        bool not = e->op == EX_NOT;
        const Expr *call = not ? e->args[0] : e;
        bool of_model = call->op == EX_CALL && expr_func_find(call->name) == FUNC_IS_OF_MODEL;
        return of_model && bind_call(&quiet, call, &b) == ERR_OK && is_bool(b, not );
    }
    default: return false;
    }
}

// The children of one operator in a row, without asking again what `excluded` was asked for all of them.
static Err bind_operand(Bind *c, const Expr *parent, const Expr *e, Bound **out) {
    if (e->op == EX_AND && parent->op == EX_AND) return bind_logic(c, e, out);
    return bind_test(c, e, out);
}

static Err bind_logic(Bind *c, const Expr *e, Bound **out) {
    bool any = e->op == EX_OR;
    Bound *b = bind_node(c, any ? BOUND_OR : BOUND_AND, EXPR_BOOL, e, 2);
    TRY(bind_operand(c, e, e->args[0], &b->args[0]));
    TRY(bind_operand(c, e, e->args[1], &b->args[1]));
    *out = bind_folded(c, b);
    for (int i = 0; i < 2; i++) { // a constant that decides, or one that does not matter
        if (is_bool(b->args[i], any)) *out = b->args[i];
        else if (is_bool(b->args[i], !any) && b->args[1 - i]->type == EXPR_BOOL) *out = b->args[1 - i];
    }
    return ERR_OK;
}

static Err bind_and(Bind *c, const Expr *e, Bound **out) {
    if (!excluded(c, e)) return bind_logic(c, e, out);
    *out = bind_const(c, e, (ExprValue){.type = EXPR_BOOL});
    return bind_calls(c, e);
}

static Err bind_not(Bind *c, const Expr *e, Bound **out) {
    Bound *b = bind_node(c, BOUND_NOT, EXPR_BOOL, e, 1);
    TRY(bind_test(c, e->args[0], &b->args[0]));
    *out = bind_folded(c, b);
    return ERR_OK;
}

static Err bind_cond(Bind *c, const Expr *e, Bound **out) {
    Bound *b = bind_node(c, BOUND_COND, EXPR_ANY, e, 3);
    TRY(bind_test(c, e->args[0], &b->args[0]));
    TRY(bind_expr(c, e->args[1], &b->args[1]));
    TRY(bind_expr(c, e->args[2], &b->args[2]));
    TRY(bind_unify(c, e, &b->args[1], 2, &b->type, &b->unit));
    *out = bind_folded(c, b);
    if (is_bool(b->args[0], true)) *out = b->args[1];
    if (is_bool(b->args[0], false)) *out = b->args[2];
    return ERR_OK;
}

static Err bind_neg(Bind *c, const Expr *e, Bound **out) {
    Bound *a;
    TRY(bind_expr(c, e->args[0], &a));
    if (!bind_numeric(a) && a->type != EXPR_DURATION)
        return bind_misfit(c, e, &a, 1, out, "- wants a number, and this is %.*s", STR_ARG(bind_kind(c, a)));
    Bound *b = bind_node(c, BOUND_NEG, a->type, e, 1);
    b->args[0] = a;
    b->unit = a->unit;
    *out = bind_folded(c, b);
    return ERR_OK;
}

// Whatever the run will say it is.
static Err bind_slot(Bind *c, const Expr *e, Bound **out) {
    *out = bind_node(c, BOUND_SLOT, EXPR_ANY, e, 0);
    (*out)->value = e->value;
    return ERR_OK;
}

static Err bind_list(Bind *c, const Expr *e, Bound **out) {
    Bound **args = NEW(c->a, Bound *, e->arg_count);
    for (int32_t i = 0; i < e->arg_count; i++) TRY(bind_expr(c, e->args[i], &args[i]));
    return bind_in(c, e, e->op == EX_IN ? BOUND_IN : BOUND_NIN, args, e->arg_count, out);
}

static Err bind_binary(Bind *c, const Expr *e, Bound **out) {
    Bound *a, *b;
    TRY(bind_expr(c, e->args[0], &a));
    TRY(bind_expr(c, e->args[1], &b));
    if (e->op >= EX_EQ && e->op <= EX_GE)
        return bind_compare(c, e, (BoundOp)((int)BOUND_EQ + (int)e->op - (int)EX_EQ), a, b, out);
    return bind_arith(c, e, (BoundOp)((int)BOUND_ADD + (int)e->op - (int)EX_ADD), a, b, out);
}

Err bind_room(Bind *c, const Expr *e, int64_t more) {
    if (*c->nodes + more <= BIND_NODES_MAX) {
        *c->nodes += (int32_t)more;
        return ERR_OK;
    }
    return diag_add(c->d, ERR_LIMIT, e->at, e->end, STR(""),
                    "bound to all models it concerns, the expression has more than %d parts; name the relationship",
                    BIND_NODES_MAX);
}

Err bind_expr(Bind *c, const Expr *e, Bound **out) {
    TRY(bind_room(c, e, 0));
    switch (e->op) {
    case EX_LITERAL: return bind_literal(c, e, out);
    case EX_PATH: return bind_path(c, e, out);
    case EX_CALL: return bind_call(c, e, out);
    case EX_GRAPH:
        if (c->moment) return bind_fail(c, e, "%s looks at one property, not at neighbours", c->moment->func);
        return bind_graph(c, e, out);
    case EX_COND: return bind_cond(c, e, out);
    case EX_OR: return bind_logic(c, e, out);
    case EX_AND: return bind_and(c, e, out);
    case EX_NOT: return bind_not(c, e, out);
    case EX_IN:
    case EX_NIN: return bind_list(c, e, out);
    case EX_NEG: return bind_neg(c, e, out);
    case EX_SLOT: return bind_slot(c, e, out);
    default: return bind_binary(c, e, out);
    }
}

Err expr_bind(Arena *a, const ExprScope *scope, const Expr *e, Bound **out, Diag *d) {
    int32_t nodes = 0;
    CHECK(scope->count >= 0 && scope->count <= EXPR_SOURCES_MAX - 2 * GRAPH_NEST_MAX);
    Bind c = {.a = a,
              .catalog = scope->catalog,
              .d = d,
              .sources = scope->sources,
              .count = scope->count,
              .bare = scope->count == 1 || (scope->bare_first && scope->count > 0) ? 0 : -1,
              .strict = scope->strict,
              .nodes = &nodes};
    Bound *b;
    TRY(bind_expr(&c, e, &b));
    *out = b;
    return ERR_OK;
}
