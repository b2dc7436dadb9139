// SPDX-License-Identifier: Apache-2.0
// Dims: what a number measures, as powers of the seven base units of the SI, in halves (so that a square root of a
// pressure has them too). Angles, amounts of data and levels count as numbers without dimension. Any thread.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "model/units.h"

enum { DIM_M, DIM_KG, DIM_S, DIM_A, DIM_K, DIM_MOL, DIM_CD, DIM_COUNT };

typedef struct Dims {
    int8_t half[DIM_COUNT]; // twice the power
} Dims;

// Of the units of a family.
Dims dims_of(UnitFamily f);
bool dims_equal(Dims a, Dims b);
bool dims_none(Dims a);
// Powers of a product a * b^power, in halves: dims_mul(a, b, 2) is a * b, -2 is a / b, 1 is a * sqrt(b). False: a power
// beyond what an int8_t holds; *out untouched.
bool dims_mul(Dims a, Dims b, int power, Dims *out);
// "kg/(m·s²)", "1/s", "" for none; appends.
void dims_print(Dims d, Buf *out);

// A unit as text, also one that no table has: names and symbols ("metre", "m/s", "W"), joined by "*", "·", "/" and
// powers ("^2", "²"), the number 1 ("1/s"), and names with "Per" ("wattPerKelvin").
typedef struct DimUnit {
    const Unit *unit; // the table's, when it is one; NULL: composed
    Dims dims;
    double factor, offset; // SI = value * factor + offset; no offset in compositions
} DimUnit;
// False: it is none.
bool dims_unit(Str text, DimUnit *out);
