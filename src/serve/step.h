// SPDX-License-Identifier: Apache-2.0
// The length of intervals as clients write it. Any thread, no state.
#pragma once
#include "base/str.h"

// ISO 8601 with units of fixed length ("P1DT12H", "PT15M", "PT0.5S", "P1W"), or "90s", "5m", "1h", "1d". False when it
// is anything else, not above 0, or 2^63 ns and more; *out is untouched then.
bool step_parse(Str s, int64_t *out);
