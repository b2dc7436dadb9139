// SPDX-License-Identifier: Apache-2.0
// Formulas of sosia.h over expr/formula.h: values in and out.
#include "expr/formula.h"
#include <math.h>
#include "base/check.h"
#include "base/mem.h"
#include "expr/expr.h"
#include "expr/func.h"
#include "sosia/sosia.h"

struct SosiaFormula {
    Formula f;
    Arena vars; // texts of variables with escapes
    Arena out;  // the text of the last value
    ExprValue slots[FORMULA_VARS_MAX];
};

SosiaErr sosia_formula_new(SosiaStr text, const SosiaStr *names, int32_t n, SosiaFormula **out, SosiaBuf *why) {
    Diag d;
    if (n < 0 || n > FORMULA_VARS_MAX) return SOSIA_LIMIT;
    SosiaFormula *x = mem_alloc(sizeof *x);
    arena_init(&x->vars, 1024);
    arena_init(&x->out, 1024);
    diag_init(&d);
    Err err = formula_init(&x->f, text, names, n, &d);
    expr_why(&d, text, why);
    diag_free(&d);
    if (err) {
        sosia_formula_free(x);
        return (SosiaErr)err;
    }
    *out = x;
    return SOSIA_OK;
}

void sosia_formula_free(SosiaFormula *x) {
    if (!x) return;
    formula_free(&x->f);
    arena_free(&x->vars);
    arena_free(&x->out);
    mem_free(x);
}

static ExprValue value_in(SosiaFormula *x, const SosiaValue *v) {
    switch (v->kind) {
    case SOSIA_BOOL: return (ExprValue){.type = EXPR_BOOL, .b = v->b};
    case SOSIA_I64: return (ExprValue){.type = EXPR_I64, .i = v->i};
    case SOSIA_F64: return (ExprValue){.type = isfinite(v->d) ? EXPR_F64 : EXPR_UNDEFINED, .d = v->d};
    case SOSIA_TEXT: return (ExprValue){.type = str_utf8_ok(v->s) ? EXPR_STR : EXPR_UNDEFINED, .s = v->s};
    case SOSIA_JSON: return expr_value_of_json(str_trim(v->s), &x->vars);
    default: return (ExprValue){.type = EXPR_UNDEFINED};
    }
}

static SosiaValue value_out(SosiaFormula *x, const ExprValue *v) {
    switch (v->type) {
    case EXPR_NULL: return (SosiaValue){.kind = SOSIA_JSON, .s = STR("null")};
    case EXPR_BOOL: return (SosiaValue){.kind = SOSIA_BOOL, .b = v->b};
    case EXPR_I64: return (SosiaValue){.kind = SOSIA_I64, .i = v->i};
    case EXPR_F64: return (SosiaValue){.kind = SOSIA_F64, .d = v->d};
    case EXPR_STR: return (SosiaValue){.kind = SOSIA_TEXT, .s = v->s};
    case EXPR_DOC: return (SosiaValue){.kind = SOSIA_JSON, .s = v->s};
    case EXPR_TIME:
    case EXPR_DURATION: return (SosiaValue){.kind = SOSIA_TEXT, .s = expr_value_text(v, &x->out)};
    case EXPR_POINT: return (SosiaValue){.kind = SOSIA_JSON, .s = expr_value_text(v, &x->out)};
    default: return (SosiaValue){.kind = SOSIA_NONE};
    }
}

static void take(SosiaFormula *x, const SosiaVar *vars, int32_t n) {
    arena_reset(&x->vars);
    arena_reset(&x->out);
    for (int32_t i = 0; i < n; i++) x->slots[i] = value_in(x, &vars[i].value);
}

SosiaValue sosia_formula_eval(SosiaFormula *x, const SosiaVar *vars, int64_t now_ns) {
    take(x, vars, x->f.count);
    ExprValue v = formula_eval(&x->f, x->slots, now_ns);
    return value_out(x, &v);
}

bool sosia_formula_can(SosiaFormula *x, const SosiaVar *vars, int32_t known, int64_t now_ns) {
    CHECK(known >= 0 && known <= x->f.count);
    take(x, vars, known);
    return formula_can(&x->f, x->slots, known == 64 ? UINT64_MAX : (UINT64_C(1) << known) - 1, now_ns);
}
