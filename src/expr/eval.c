// SPDX-License-Identifier: Apache-2.0
// The row evaluator: a walk over the bound tree, one row at a time. The oracle of the page evaluator, and the way of
// everything that meets rows one by one.
#include "expr/eval.h"
#include <math.h>
#include "expr/bind.h"
#include "world/edit.h"
#include "world/past.h"
#include "world/show.h"

static ExprValue undefined(void) { return (ExprValue){.type = EXPR_UNDEFINED}; }
static ExprValue of_bool(bool b) { return (ExprValue){.type = EXPR_BOOL, .b = b}; }
static ExprValue of_time(int64_t ns) { return (ExprValue){.type = EXPR_TIME, .i = ns}; }

// ---- cells --------------------------------------------------------------------------------------------------------

// A text that outlives its Text: short ones are inside of it.
static Str kept(ExprRun *run, const Text *t) {
    Str s = text_str(t);
    return text_is_inline(*t) ? arena_str(run->scratch, s) : s;
}

static ExprValue of_text(ExprRun *run, ExprType type, const Text *t) {
    return (ExprValue){.type = type, .s = kept(run, t)};
}

ExprValue expr_value_of_bits(const Field *f, uint64_t bits) {
    if (f->cell == CELL_BOOL) return of_bool(bits != 0);
    if (f->cell == CELL_F64) {
        double d = double_of(bits);
        return isfinite(d) ? (ExprValue){.type = EXPR_F64, .d = d} : undefined();
    }
    if (f->type->shape == SHAPE_ULONG && (int64_t)bits < 0) return (ExprValue){.type = EXPR_F64, .d = (double)bits};
    return (ExprValue){.type = EXPR_I64, .i = (int64_t)bits};
}

static ExprValue eval_cell(const Bound *b, ExprRun *run, const ExprRow *row) {
    CellView c = view_cell(run->view, b->column, row->row);
    if (!c.valid) return undefined();
    if (b->op == BOUND_CELL_UPDATE) return of_time(c.update_time);
    if (b->op == BOUND_CELL_SOURCE) return c.source_time ? of_time(c.source_time) : undefined();
    if (b->leaf->cell == CELL_STR) return of_text(run, EXPR_STR, &c.text);
    if (b->leaf->cell == CELL_DOC) return of_text(run, EXPR_DOC, &c.text);
    return expr_value_of_bits(b->leaf, c.bits);
}

static ExprValue taken(ExprRun *run, ExprType type, Buf *b) {
    ExprValue v = {.type = type, .s = arena_str(run->scratch, buf_str(b))};
    buf_free(b);
    return v;
}

static ExprValue eval_object(const Bound *b, ExprRun *run, const ExprRow *row) {
    Buf out = {0};
    if (!view_cell(run->view, b->column, row->row).valid) return undefined();
    show_value(run->view, b->column, row->row, &out);
    return taken(run, EXPR_DOC, &out);
}

// ---- fields -------------------------------------------------------------------------------------------------------

static ExprValue shown_time(const Bound *b, ExprRun *run, int64_t ns) {
    ExprValue t = of_time(ns);
    return b->type == EXPR_TIME ? t : expr_value_cast(&t, EXPR_STR, run->scratch);
}

static ExprValue etag(ExprRun *run, const char *text) {
    return (ExprValue){.type = EXPR_STR, .s = arena_str(run->scratch, str_of(text))};
}

static ExprValue whole(ExprRun *run, ExprSourceKind kind, uint64_t id) {
    Buf out = {0};
    if (kind == EXPR_TWIN) show_twin(run->view, (TwinId){id}, NULL, &out);
    else show_link(run->view, (LinkId){id}, &out);
    return taken(run, EXPR_DOC, &out);
}

static ExprValue twin_field(const Bound *b, ExprRun *run, uint64_t id) {
    char tag[48];
    TwinView t = view_twin(run->view, (TwinId){id});
    if (!t.alive) return undefined();
    switch (b->field) {
    case FIELD_ID: return of_text(run, EXPR_STR, &t.name);
    case FIELD_UPDATE_TIME: return shown_time(b, run, view_time_of(run->view, &t));
    case FIELD_ETAG: etag_of_twin((TwinId){id}, view_time_of(run->view, &t), tag); return etag(run, tag);
    case FIELD_SELF: return whole(run, EXPR_TWIN, id);
    default: return undefined();
    }
}

static ExprValue link_field(const Bound *b, ExprRun *run, uint64_t id) {
    char tag[48];
    LinkView l = view_link(run->view, (LinkId){id});
    if (!l.alive) return undefined();
    TwinView t;
    switch (b->field) {
    case FIELD_ID: return of_text(run, EXPR_STR, &l.rid);
    case FIELD_UPDATE_TIME: return shown_time(b, run, l.update_time);
    case FIELD_ETAG: etag_of_link((LinkId){id}, l.update_time, tag); return etag(run, tag);
    case FIELD_SELF: return whole(run, EXPR_LINK, id);
    case FIELD_SOURCE: t = view_twin(run->view, l.source); return of_text(run, EXPR_STR, &t.name);
    case FIELD_TARGET: t = view_twin(run->view, l.target); return of_text(run, EXPR_STR, &t.name);
    default: return undefined();
    }
}

static ExprValue eval_field(const Bound *b, ExprRun *run, const ExprRow *row) {
    return b->kind == EXPR_TWIN ? twin_field(b, run, row->id) : link_field(b, run, row->id);
}

// ---- logic --------------------------------------------------------------------------------------------------------

static ExprValue eval_logic(const Bound *b, ExprRun *run, const ExprRow *rows) {
    bool any = b->op == BOUND_OR; // what decides
    ExprValue x = expr_eval(b->args[0], run, rows);
    if (x.type == EXPR_BOOL && x.b == any) return x;
    ExprValue y = expr_eval(b->args[1], run, rows);
    if (y.type == EXPR_BOOL && y.b == any) return y;
    return x.type == EXPR_BOOL && y.type == EXPR_BOOL ? of_bool(!any) : undefined();
}

static ExprValue eval_not(const Bound *b, ExprRun *run, const ExprRow *rows) {
    ExprValue v = expr_eval(b->args[0], run, rows);
    return v.type == EXPR_BOOL ? of_bool(!v.b) : undefined();
}

static ExprValue eval_cond(const Bound *b, ExprRun *run, const ExprRow *rows) {
    ExprValue v = expr_eval(b->args[0], run, rows);
    return v.type == EXPR_BOOL ? expr_eval(b->args[v.b ? 1 : 2], run, rows) : undefined();
}

// Is there such an object? Without writing it out.
static bool object_test(const Bound *b, ExprRun *run, const ExprRow *rows, ExprValue *out) {
    const Bound *a = b->args[0];
    bool object = a->op == BOUND_OBJECT, self = a->op == BOUND_FIELD && a->field == FIELD_SELF;
    if (b->func < FUNC_IS_DEFINED || b->func > FUNC_IS_PRIMITIVE || (!object && !self)) return false;
    bool there = self || view_cell(run->view, a->column, rows[a->source].row).valid;
    *out = of_bool(there && (b->func == FUNC_IS_DEFINED || b->func == FUNC_IS_OBJECT));
    return true;
}

static ExprValue eval_call(const Bound *b, ExprRun *run, const ExprRow *rows) {
    ExprValue args[FUNC_ARGS_MAX];
    if (b->arg_count == 1 && object_test(b, run, rows, &args[0])) return args[0];
    for (int32_t i = 0; i < b->arg_count; i++) args[i] = expr_eval(b->args[i], run, rows);
    return expr_func_call(b->func, args, b->arg_count, run);
}

// ---- all ----------------------------------------------------------------------------------------------------------

static ExprValue eval_one(const Bound *b, ExprRun *run, const ExprRow *rows) {
    ExprValue v = expr_eval(b->args[0], run, rows);
    switch (b->op) {
    case BOUND_DOC: return expr_value_member(&v, &b->seg, b->type, run->scratch);
    case BOUND_CAST: return expr_value_cast(&v, b->type, run->scratch);
    case BOUND_SCALE: return expr_value_scale(&v, b->factor, b->offset);
    case BOUND_NEG: return expr_value_arith(BOUND_NEG, &v, NULL);
    default: return expr_value_in(b, &v);
    }
}

static ExprValue eval_two(const Bound *b, ExprRun *run, const ExprRow *rows) {
    ExprValue x = expr_eval(b->args[0], run, rows), y = expr_eval(b->args[1], run, rows);
    return b->op <= BOUND_GE ? expr_value_relate(b->op, &x, &y) : expr_value_arith(b->op, &x, &y);
}

ExprValue expr_eval(const Bound *b, ExprRun *run, const ExprRow *rows) {
    switch (b->op) {
    case BOUND_CONST: return b->value;
    case BOUND_SLOT: return run->slots[b->value.i];
    case BOUND_CELL:
    case BOUND_CELL_UPDATE:
    case BOUND_CELL_SOURCE: return eval_cell(b, run, &rows[b->source]);
    case BOUND_FIELD: return eval_field(b, run, &rows[b->source]);
    case BOUND_OBJECT: return eval_object(b, run, &rows[b->source]);
    case BOUND_CALL: return eval_call(b, run, rows);
    case BOUND_GRAPH: return expr_eval_graph(b, run, rows);
    case BOUND_MOMENT: return run->moment;
    case BOUND_SPAN: return expr_eval_span(b, run, rows);
    case BOUND_COND: return eval_cond(b, run, rows);
    case BOUND_OR:
    case BOUND_AND: return eval_logic(b, run, rows);
    case BOUND_NOT: return eval_not(b, run, rows);
    case BOUND_DOC:
    case BOUND_CAST:
    case BOUND_SCALE:
    case BOUND_IN:
    case BOUND_NIN:
    case BOUND_NEG: return eval_one(b, run, rows);
    default: return eval_two(b, run, rows);
    }
}

bool expr_test(const Bound *b, ExprRun *run, const ExprRow *rows) {
    ExprValue v = expr_eval(b, run, rows);
    return v.type == EXPR_BOOL && v.b;
}
