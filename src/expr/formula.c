// SPDX-License-Identifier: Apache-2.0
#include "expr/formula.h"
#include "base/check.h"
#include "expr/bind.h"

_Static_assert(FORMULA_VARS_MAX <= 64, "formula_can has a bit a variable");

Err formula_init(Formula *f, Str text, const Str *names, int32_t n, Diag *d) {
    Expr *e;
    int32_t nodes = 0;
    CHECK(n >= 0 && n <= FORMULA_VARS_MAX);
    *f = (Formula){.count = n};
    arena_init(&f->keep, 4096);
    arena_init(&f->scratch, 4096);
    Str kept = arena_str(&f->keep, text); // the tree borrows from it
    TRY(expr_parse(&f->keep, kept, &e, d));
    Bind c = {.a = &f->keep, .d = d, .bare = -1, .nodes = &nodes, .formula = true, .vars = names, .var_count = n};
    return bind_expr(&c, e, &f->bound);
}

void formula_free(Formula *f) {
    arena_free(&f->keep);
    arena_free(&f->scratch);
    *f = (Formula){0};
}

ExprValue formula_eval(Formula *f, const ExprValue *slots, int64_t now) {
    ExprRun run = {.now = now, .scratch = &f->scratch, .slots = slots};
    arena_reset(&f->scratch);
    return expr_eval(f->bound, &run, NULL);
}

// Which variables the tree needs.
static uint64_t needs(const Bound *b) {
    uint64_t set = b->op == BOUND_SLOT ? UINT64_C(1) << b->value.i : 0;
    for (int32_t i = 0; i < b->arg_count; i++) set |= needs(b->args[i]);
    return set;
}

static bool can(const Bound *b, ExprRun *run, uint64_t known) {
    if (b->op == BOUND_AND) return can(b->args[0], run, known) && can(b->args[1], run, known);
    if (b->op == BOUND_OR) return can(b->args[0], run, known) || can(b->args[1], run, known);
    return (needs(b) & ~known) != 0 || expr_test(b, run, NULL);
}

bool formula_can(Formula *f, const ExprValue *slots, uint64_t known, int64_t now) {
    ExprRun run = {.now = now, .scratch = &f->scratch, .slots = slots};
    arena_reset(&f->scratch);
    return can(f->bound, &run, known);
}
