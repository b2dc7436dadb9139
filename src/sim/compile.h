// SPDX-License-Identifier: Apache-2.0
// What the files of the compiler lend each other: typed terms. Only compile*.c includes this.
#pragma once
#include "sim/rates_inner.h"

typedef struct Term Term;
typedef struct Val {
    RatesKind kind;
    Dims dims;
    const Unit *unit; // of a single property or quantity: what a plain number beside it is taken in
    bool plain;       // a number without unit, `c` of a CONST
    bool span;        // a difference
    Term *offset;     // T - plain: the plain number, which was taken as a temperature
} Val;
struct Term {
    ProgOp op;
    uint32_t arg;
    double c;
    Term *kid[3];
    Val v;
    const Expr *from;
};

// The aggregate around.
typedef struct Around {
    uint32_t agg;
    uint32_t edges;
    const uint32_t *twin, *link; // by edge
    const RatesHop *hop;
    bool *tables; // whose twins may stand at the other end
    ProgLeaf *leaves;
    uint32_t leaf_count, leaf_cap;
} Around;

// ---- compile.c ------------------------------------------------------------------------------------------------------

extern const Val TERM_TRUTH; // a truth
extern const Val TERM_BARE;  // a number without dimension
// Complain about a part of the statement.
#define FAULT(e, ...) return compile_fault(c, (e)->at, __VA_ARGS__)

// The term of an expression; `in`: the aggregate around, NULL: none.
MUST Err compile_tree(Compile *c, const Expr *e, Around *in, Term **out);
// A new term without operands.
Term *compile_term(Compile *c, ProgOp op, const Expr *e, Val v);
// A constant.
Term *compile_constant(Compile *c, const Expr *e, double x, Val v);
// An operation of one or two (b not NULL) operands; constants are folded.
Term *compile_join(Compile *c, ProgOp op, const Expr *e, Term *a, Term *b, Val v);
// Steps of a term.
MUST Err compile_emit(Compile *c, const Term *t, Prog *out);
// Refuse a term of another kind, or with a dimension; what: for the message.
MUST Err compile_kind(Compile *c, const Term *t, RatesKind k, const char *what);
MUST Err compile_bare(Compile *c, const Term *t, const char *what);
// Both sides of a sum or a comparison in one measure.
MUST Err compile_meet(Compile *c, const Expr *e, Term *a, Term *b, bool sum);
// A role that the instance reads.
void compile_read(Compile *c, uint32_t role, RatesVia via, uint32_t agg);
// "a number" ...
const char *compile_kind_name(RatesKind k);
// A value in a unit.
Val compile_unit(const DimUnit *u);

// ---- compile_call.c -------------------------------------------------------------------------------------------------

// A call of a function.
MUST Err compile_call(Compile *c, const Expr *e, Around *in, Term **out);
// test ? then : else.
MUST Err compile_cond(Compile *c, const Expr *e, Around *in, Term **out);
