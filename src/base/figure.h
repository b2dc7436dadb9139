// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them, in sentences, reports and charts: digits in threes, apart by narrow spaces that do not
// break (U+202F), a real minus (U+2212). Any thread; no state; no locale.
#pragma once
#include <stdbool.h>
#include "base/buf.h"

// Append a number with so many decimals; short_: without zeros at the end. What is 0 when rounded has no sign. v is
// finite.
void figure_decimals(double v, int decimals, bool short_, Buf *out);
// Append a number of which `digits` count; none of the whole part is lost. A dash when it is none.
void figure_digits(double v, int digits, Buf *out);
