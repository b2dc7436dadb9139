// SPDX-License-Identifier: Apache-2.0
// Changes, spans of time and numbers as people read them: for reports, charts and sentences. Any thread; no state.
#pragma once
#include "engine/definition.h"

// "2 h 30 min", "1.5 s".
void told_span(int64_t ns, Buf *out);
// "PT7200S", "PT0.5S": as it is asked for.
void told_period(int64_t ns, Buf *out);
// A text of at most 80 bytes; a longer one ends between two characters, with an ellipsis.
void told_text(Str s, Buf *out);
// A JSON value, a text without quotes unless it is empty; null and NULL: "no value".
void told_value(const Json *v, Buf *out);
// "after 2 h: tank-1.inflow = 20".
void told_planned(const PlannedChange *p, Buf *out);
// A number of which five digits count, see base/figure.h.
void told_number(double v, Buf *out);
// A number that is known to within `half`: two digits of that count. half 0 or NaN: as told_number.
void told_within(double v, double half, Buf *out);
// "kilowatt" as "kW"; a label as it is; nothing of what is no unit at all.
Str told_unit(Str unit);
// Escaped for HTML and SVG.
void told_escape(Str s, Buf *out);
// "2026-11-23 08:00:00 UTC".
void told_when(int64_t ns, Buf *out);
