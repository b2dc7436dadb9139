// SPDX-License-Identifier: Apache-2.0
// From the value of an expression to the cell of a property.
#include <math.h>
#include "base/check.h"
#include "base/decimal.h"
#include "base/time.h"
#include "expr/bind.h"

// ---- binding ------------------------------------------------------------------------------------------------------

static bool is_integer(Shape s) { return s >= SHAPE_BYTE && s <= SHAPE_ULONG; }

// Can a property of this type ever take such a value?
static bool takes(const Field *f, ExprType t) {
    Shape s = f->type->shape;
    if (t == EXPR_ANY || t == EXPR_UNDEFINED || t == EXPR_NULL) return true;
    bool number = expr_is_number(t);
    switch (f->cell) {
    case CELL_BOOL: return t == EXPR_BOOL;
    case CELL_I64: return number || (t == EXPR_DURATION && is_integer(s));
    case CELL_F64: return number || t == EXPR_DURATION;
    case CELL_STR:
        if (s == SHAPE_DECIMAL) return number || t == EXPR_STR;
        if (s == SHAPE_DATETIME || s == SHAPE_DATE) return t == EXPR_TIME || t == EXPR_STR;
        if (s == SHAPE_DURATION) return t == EXPR_DURATION || t == EXPR_STR;
        return t == EXPR_STR || (s == SHAPE_STRING && (t == EXPR_TIME || t == EXPR_DURATION));
    case CELL_DOC: return t == EXPR_DOC || (t == EXPR_POINT && (s == SHAPE_GEO || s == SHAPE_ANY));
    default: return false;
    }
}

Err expr_fit(Arena *a, const Field *f, const Expr *e, Bound *b, Bound **out, Diag *d) {
    int32_t nodes = 0;
    Bind c = {.a = a, .d = d, .bare = -1, .strict = true, .nodes = &nodes};
    const Unit *from = b->unit.unit, *to = unit_find(f->unit);
    *out = b;
    if (f->cell >= CELL_OBJECT)
        return bind_fail(&c, e, "\"%.*s\" is an object or a component, and no single value", STR_ARG(f->path));
    if (!takes(f, b->type))
        return bind_fail(&c, e, "the property \"%.*s\" is of schema %.*s, and this is %.*s", STR_ARG(f->path),
                         STR_ARG(f->type->name), STR_ARG(bind_kind(&c, b)));
    if (b->type == EXPR_DURATION && to && to->family != FAM_TIME)
        return bind_fail(&c, e, "the property \"%.*s\" is in %s, and this is a duration", STR_ARG(f->path), to->name);
    if (!from || !to || b->unit.derived) return ERR_OK;
    if (from->family != to->family)
        return bind_fail(&c, e, "the property \"%.*s\" is in %s, and this is in %s", STR_ARG(f->path), to->name,
                         from->name);
    *out = bind_scale(&c, b, to, b->unit.span);
    return ERR_OK;
}

// ---- values -------------------------------------------------------------------------------------------------------

// Signed integers of up to 64 bits and unsigned ones of up to 32, by shape.
static bool in_range(Shape s, double v) {
    static const double low[] = {
        [SHAPE_BYTE] = -0x1p7, [SHAPE_SHORT] = -0x1p15, [SHAPE_INTEGER] = -0x1p31, [SHAPE_LONG] = -0x1p63};
    static const double high[] = {
        [SHAPE_BYTE] = 0x1p7,  [SHAPE_SHORT] = 0x1p15,  [SHAPE_INTEGER] = 0x1p31,  [SHAPE_LONG] = 0x1p63,
        [SHAPE_UBYTE] = 0x1p8, [SHAPE_USHORT] = 0x1p16, [SHAPE_UINTEGER] = 0x1p32, [SHAPE_ULONG] = 0x1p63};
    if (!is_integer(s)) return v >= -0x1p63 && v < 0x1p63; // an enum: its type tells
    return v >= (s <= SHAPE_LONG ? low[s] : 0) && v < high[s];
}

// Seconds, or what the property's unit says.
static double duration_as(const Field *f, int64_t ns) {
    const Unit *u = unit_find(f->unit);
    double s = (double)ns / 1e9;
    return u && u->family == FAM_TIME ? s / u->factor : s;
}

static bool cell_i64(const Field *f, const ExprValue *v, uint64_t *bits) {
    Shape s = f->type->shape;
    if (v->type == EXPR_I64) {
        *bits = (uint64_t)v->i;
        return s == SHAPE_LONG || (s == SHAPE_ULONG ? v->i >= 0 : in_range(s, (double)v->i));
    }
    if (v->type != EXPR_F64 && v->type != EXPR_DURATION) return false;
    double d = rint(v->type == EXPR_F64 ? v->d : duration_as(f, v->i));
    if (!in_range(s, d)) return false;
    *bits = (uint64_t)(int64_t)d;
    return true;
}

static bool cell_f64(const Field *f, const ExprValue *v, uint64_t *bits) {
    double d;
    if (v->type == EXPR_I64) d = (double)v->i;
    else if (v->type == EXPR_F64) d = v->d;
    else if (v->type == EXPR_DURATION) d = duration_as(f, v->i);
    else return false;
    if (f->type->shape == SHAPE_FLOAT) d = (double)(float)d;
    *bits = bits_of(d);
    return isfinite(d);
}

static bool cell_str(const Field *f, const ExprValue *v, Arena *a, Str *text) {
    if (!takes(f, v->type)) return false;
    if (v->type == EXPR_STR) *text = v->s;
    else if (v->type == EXPR_TIME || v->type == EXPR_DURATION || expr_is_number(v->type)) *text = expr_value_text(v, a);
    else return false;
    if (v->type == EXPR_TIME && f->type->shape == SHAPE_DATE && text->n > 10) text->n = 10;
    return true;
}

static bool cell_doc(const ExprValue *v, Arena *a, Str *text) {
    if (v->type == EXPR_POINT) {
        Buf out = {0};
        expr_value_json(v, &out);
        *text = arena_str(a, buf_str(&out));
        buf_free(&out);
    } else {
        *text = v->s;
    }
    return v->type == EXPR_POINT || v->type == EXPR_DOC;
}

bool expr_cell(const Field *f, const ExprValue *v, Arena *a, uint64_t *bits, Str *text) {
    *bits = 0;
    *text = (Str){0};
    switch (f->cell) {
    case CELL_BOOL: *bits = v->type == EXPR_BOOL && v->b; return v->type == EXPR_BOOL;
    case CELL_I64: return cell_i64(f, v, bits);
    case CELL_F64: return cell_f64(f, v, bits);
    case CELL_STR: return cell_str(f, v, a, text);
    case CELL_DOC: return cell_doc(v, a, text);
    default: return false;
    }
}
