// SPDX-License-Identifier: Apache-2.0
// Decimal text <-> numbers: exact, independent of the locale, without allocation. Any thread.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

// Bytes every `out` below must have room for.
#define DECIMAL_TEXT_MAX 32

// m * 10^e rounded to the nearest double, ties to even. False when that is beyond the largest finite double (out is
// untouched then). Cost: two multiplications; none for short numbers.
// Method: Clinger 1990 (exact operands); Lemire 2021, "Number parsing at a gigabyte per second", algorithm 1, in the
// form without fallback of Mushtak and Lemire 2022.
bool decimal_to_f64(uint64_t m, int64_t e, double *out);
// Whole text "[+-]digits[.digits][e[+-]digits]" to the nearest double, any number of digits; digits may be missing on
// one side of the point. False when it is anything else or not finite; out untouched then.
bool decimal_parse_f64(Str s, double *out);
// The shortest decimal text that reads back to v, which is finite: digits as they are for 1e-6 <= |v| < 1e21, with an
// exponent otherwise ("21.5", "1e-7", "1e+300"); whole numbers without fraction, below 2^63 in all their digits; "-0.0"
// for minus zero. Returns the length; no NUL.
// Method: Giulietti 2020, "The Schubfach way to render doubles".
int decimal_print_f64(double v, char *out);
// Returns the length; no NUL.
int decimal_print_i64(int64_t v, char *out);
int decimal_print_u64(uint64_t v, char *out);
