// SPDX-License-Identifier: Apache-2.0
// Between cells of the world (a property's unit, its type) and numbers of a Sim (SI, doubles).
#include <math.h>
#include "base/check.h"
#include "sim/inner.h"

double sim_value_in(Sim *s, uint32_t column, bool valid, uint64_t bits, Str text) {
    const SimColumn *w = &s->wire->columns[column].what;
    if (!valid || !w->field) return NAN;
    switch (w->field->cell) {
    case CELL_BOOL: return bits != 0;
    case CELL_I64:
        if (w->field->type->shape == SHAPE_ULONG) return (double)bits * w->factor + w->offset;
        return (double)(int64_t)bits * w->factor + w->offset;
    case CELL_F64: return double_of(bits) * w->factor + w->offset;
    default: return sim_symbol(s, text);
    }
}

// In the property's unit. What came with up to nine decimals has them again: 294.65 K is 21.5 degrees, not
// 21.499999999999943.
static double undone(const SimColumn *w, double si) {
    static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    if (w->factor == 1 && w->offset == 0) return si;
    double x = (si - w->offset) / w->factor;
    for (size_t i = 0; i < sizeof tens / sizeof *tens; i++) {
        double r = rint(x * tens[i]) / tens[i];
        if (r * w->factor + w->offset == si) return r;
    }
    return x;
}

// Bounds of integers by shape: low and the first that is too high.
static bool integer_fits(Shape shape, double v) {
    static const double low[] = {
        [SHAPE_BYTE] = -0x1p7, [SHAPE_SHORT] = -0x1p15, [SHAPE_INTEGER] = -0x1p31, [SHAPE_LONG] = -0x1p63};
    static const double high[] = {
        [SHAPE_BYTE] = 0x1p7,  [SHAPE_SHORT] = 0x1p15,  [SHAPE_INTEGER] = 0x1p31,  [SHAPE_LONG] = 0x1p63,
        [SHAPE_UBYTE] = 0x1p8, [SHAPE_USHORT] = 0x1p16, [SHAPE_UINTEGER] = 0x1p32, [SHAPE_ULONG] = 0x1p64};
    if (shape < SHAPE_BYTE || shape > SHAPE_ULONG) return v >= -0x1p63 && v < 0x1p63;
    return v >= (shape <= SHAPE_LONG ? low[shape] : 0) && v < high[shape];
}

static bool integer_out(const SimColumn *w, double v, uint64_t *bits) {
    const Type *t = w->field->type;
    v = rint(v);
    if (!integer_fits(t->shape, v)) return false;
    *bits = v < 0x1p63 ? (uint64_t)(int64_t)v : (uint64_t)v;
    if (t->shape != SHAPE_ENUM) return true;
    for (int32_t i = 0; i < t->value_count; i++) {
        if (t->values[i].num == (int64_t)*bits) return true;
    }
    return false;
}

static bool text_out(const Sim *s, const SimColumn *w, double v, Str *text) {
    const Type *t = w->field->type;
    if (!(v >= 0 && v <= UINT32_MAX)) return false;
    *text = sim_symbol_text(s, (uint32_t)v);
    if (t->shape != SHAPE_ENUM) return text->p != NULL;
    for (int32_t i = 0; i < t->value_count; i++) {
        if (str_eq(t->values[i].text, *text)) return true;
    }
    return false;
}

static bool float_out(const SimColumn *w, double v, uint64_t *bits) {
    if (w->field->type->shape == SHAPE_FLOAT) v = (double)(float)v;
    *bits = bits_of(v);
    return isfinite(v);
}

bool sim_value_out(const Sim *s, uint32_t column, double value, uint64_t *bits, Str *text, bool *fits) {
    const SimColumn *w = &s->wire->columns[column].what;
    bool ok = true, some = !isnan(value) && w->field;
    *bits = 0;
    *text = (Str){0};
    if (some) {
        switch (w->field->cell) {
        case CELL_BOOL: *bits = value != 0; break;
        case CELL_I64: ok = integer_out(w, undone(w, value), bits); break;
        case CELL_F64: ok = float_out(w, undone(w, value), bits); break;
        default: ok = text_out(s, w, value, text); break;
        }
    }
    if (fits) *fits = ok && w->field;
    return some && ok;
}

bool sim_change(const Sim *s, const SimCell *cell, Change *out) {
    const SimColumn *w = &s->wire->columns[cell->column].what;
    bool fits, some;
    CHECK(cell->row < w->rows);
    *out = (Change){.col = w->col};
    some = sim_value_out(s, cell->column, cell->value, &out->bits, &out->text, &fits);
    if (!fits) return false;
    out->cell = (uint8_t)w->field->cell;
    if (w->link) {
        out->kind = some ? CHANGE_LINK_SET : CHANGE_LINK_UNSET;
        out->id = s->graph->link_id[w->first + cell->row];
    } else {
        out->kind = some ? CHANGE_SET : CHANGE_UNSET;
        out->id = s->graph->twin_id[w->first + cell->row];
    }
    return true;
}
