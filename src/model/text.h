// SPDX-License-Identifier: Apache-2.0
// Forms of scalar values that JSON carries as strings. Pure functions; any thread.
#pragma once
#include <stdbool.h>
#include "base/str.h"

// "YYYY-MM-DD", a day that exists, year 0001 or later.
bool date_ok(Str s);
// "hh:mm:ss[.f+]" with 'Z' or an offset.
bool time_of_day_ok(Str s);
// date_ok 'T' time_of_day_ok.
bool date_time_ok(Str s);
// ISO 8601 duration: "P1Y2M3DT4H5M6.7S", "P2W", optional '-'; a fraction only in the last part.
bool duration_ok(Str s);
// Optional sign, no superfluous leading zeros, optional fraction.
bool decimal_ok(Str s);
// 8-4-4-4-12 hexadecimal digits.
bool uuid_ok(Str s);
// Base64 with padding.
bool base64_ok(Str s);
