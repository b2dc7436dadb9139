// SPDX-License-Identifier: Apache-2.0
// Values of sources as values of properties: conversions that lose nothing, and the short way into a cell.
#include <float.h>
#include <math.h>
#include "base/decimal.h"
#include "codec/json.h"
#include "engine/points.h"

// ---- conversions --------------------------------------------------------------------------------------------------

static SosiaValue of_text(Str s) { return (SosiaValue){.kind = SOSIA_TEXT, .s = s}; }

// A text as a JSON number, blank space around it allowed. False when it is none.
static bool number_of_text(Str s, SosiaValue *out) {
    JsonScan scan;
    JsonToken t;
    json_scan_init(&scan, str_trim(s));
    if (!json_scan_value(&scan, &t) || !json_scan_end(&scan)) return false;
    if (t.type == JSON_INT) *out = (SosiaValue){.kind = SOSIA_I64, .i = t.i};
    else if (t.type == JSON_DOUBLE) *out = (SosiaValue){.kind = SOSIA_F64, .d = t.d};
    return t.type == JSON_INT || t.type == JSON_DOUBLE;
}

static SosiaValue fit_number(SosiaValue v) {
    SosiaValue n = v;
    if (v.kind == SOSIA_TEXT) return number_of_text(v.s, &n) ? n : v;
    if (v.kind == SOSIA_BOOL) return (SosiaValue){.kind = SOSIA_I64, .i = v.b};
    return v;
}

static SosiaValue fit_integer(SosiaValue v) {
    SosiaValue n = fit_number(v);
    bool whole = n.kind == SOSIA_F64 && n.d >= -0x1p63 && n.d < 0x1p63 && n.d == trunc(n.d);
    return whole ? (SosiaValue){.kind = SOSIA_I64, .i = (int64_t)n.d} : n.kind == SOSIA_I64 ? n : v;
}

static SosiaValue fit_bool(SosiaValue v) {
    if (v.kind == SOSIA_TEXT) {
        Str s = str_trim(v.s);
        if (str_eq(s, STR("true"))) return (SosiaValue){.kind = SOSIA_BOOL, .b = true};
        if (str_eq(s, STR("false"))) return (SosiaValue){.kind = SOSIA_BOOL, .b = false};
    }
    SosiaValue n = fit_integer(v);
    bool bit = n.kind == SOSIA_I64 && (n.i == 0 || n.i == 1);
    return bit ? (SosiaValue){.kind = SOSIA_BOOL, .b = n.i == 1} : v;
}

static SosiaValue fit_text(SosiaValue v, Arena *a) {
    if (v.kind == SOSIA_BOOL) return of_text(v.b ? STR("true") : STR("false"));
    if (v.kind != SOSIA_I64 && v.kind != SOSIA_F64) return v;
    return v.kind == SOSIA_F64 && !isfinite(v.d) ? v : of_text(value_json(v, a));
}

SosiaValue value_fit(const Field *f, Fit fit, SosiaValue v, Arena *a) {
    if (fit == FIT_STRICT) return v;
    switch (f->cell) {
    case CELL_BOOL: return fit_bool(v);
    case CELL_I64: return fit_integer(v);
    case CELL_F64: return fit_number(v);
    case CELL_STR: return fit_text(v, a);
    case CELL_DOC:
    case CELL_OBJECT:
    case CELL_COMPONENT:
        if (fit == FIT_TEXT && v.kind == SOSIA_TEXT) v.kind = SOSIA_JSON;
        return v;
    }
    return v;
}

Str value_json(SosiaValue v, Arena *a) {
    char digits[DECIMAL_TEXT_MAX];
    switch (v.kind) {
    case SOSIA_NONE: return STR("null");
    case SOSIA_BOOL: return v.b ? STR("true") : STR("false");
    case SOSIA_I64: return arena_str(a, (Str){digits, decimal_print_i64(v.i, digits)});
    case SOSIA_F64:
        if (!isfinite(v.d)) return STR("null");
        return arena_str(a, (Str){digits, decimal_print_f64(v.d, digits)});
    case SOSIA_JSON: return v.s;
    case SOSIA_TEXT: break;
    }
    Buf b = {0};
    json_put_str(&b, v.s);
    Str out = arena_str(a, buf_str(&b));
    buf_free(&b);
    return out;
}

// ---- the short way ------------------------------------------------------------------------------------------------

// The range of an integer shape; a ulong beyond 2^63 goes the long way.
static bool in_range(Shape shape, int64_t i) {
    switch (shape) {
    case SHAPE_BYTE: return i >= INT8_MIN && i <= INT8_MAX;
    case SHAPE_SHORT: return i >= INT16_MIN && i <= INT16_MAX;
    case SHAPE_INTEGER: return i >= INT32_MIN && i <= INT32_MAX;
    case SHAPE_LONG: return true;
    case SHAPE_UBYTE: return i >= 0 && i <= UINT8_MAX;
    case SHAPE_USHORT: return i >= 0 && i <= UINT16_MAX;
    case SHAPE_UINTEGER: return i >= 0 && i <= UINT32_MAX;
    case SHAPE_ULONG: return i >= 0;
    default: return false;
    }
}

static bool in_enum(const Type *t, const SosiaValue *v) {
    for (int32_t i = 0; i < t->value_count; i++)
        if (t->value_is_int ? t->values[i].num == v->i : str_eq(t->values[i].text, v->s)) return true;
    return false;
}

static bool plain_text(const Type *t, const SosiaValue *v) {
    if (v->kind != SOSIA_TEXT) return false;
    if (t->shape == SHAPE_ENUM) return !t->value_is_int && in_enum(t, v);
    return t->shape == SHAPE_STRING && v->s.n <= STRING_VALUE_MAX && str_utf8_ok(v->s);
}

static bool plain_double(const Type *t, const SosiaValue *v, Change *c) {
    if (v->kind != SOSIA_F64 && v->kind != SOSIA_I64) return false;
    double d = v->kind == SOSIA_I64 ? (double)v->i : v->d;
    bool narrow = t->shape == SHAPE_FLOAT;
    if (!isfinite(d) || (narrow && !(d >= -(double)FLT_MAX && d <= (double)FLT_MAX))) return false;
    c->bits = bits_of(narrow ? (double)(float)d : d);
    return true;
}

bool value_plain(const Field *f, const SosiaValue *v, Change *c) {
    const Type *t = f->type;
    c->cell = (uint8_t)f->cell;
    switch (f->cell) {
    case CELL_BOOL: c->bits = v->kind == SOSIA_BOOL && v->b; return v->kind == SOSIA_BOOL;
    case CELL_I64:
        if (v->kind != SOSIA_I64) return false;
        c->bits = (uint64_t)v->i;
        return t->shape == SHAPE_ENUM ? t->value_is_int && in_enum(t, v) : in_range(t->shape, v->i);
    case CELL_F64: return plain_double(t, v, c);
    case CELL_STR: c->text = v->s; return plain_text(t, v);
    default: return false;
    }
}
