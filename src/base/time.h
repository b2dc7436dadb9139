// SPDX-License-Identifier: Apache-2.0
// Time is int64_t nanoseconds since 1970-01-01T00:00:00Z. The core never reads a clock: edges ask time_now_ns.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/str.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

// Wall clock (CLOCK_REALTIME).
int64_t time_now_ns(void);
// Monotonic clock, for durations.
int64_t time_mono_ns(void);
// RFC 3339 date-time with offset or Z, 0..9 fraction digits kept (more are read and cut), years 1678..2261.
// False when it is anything else; out untouched then.
bool time_parse(Str s, int64_t *out);
// Append "2026-11-22T08:00:00.1234567Z": UTC, `digits` 0..9 fraction digits, truncated.
void time_print(int64_t ns, int digits, Buf *out);
// Calendar pieces (proleptic Gregorian, UTC) of a day count since 1970-01-01 and back (Hinnant 2013).
void time_civil(int64_t days, int32_t *year, int32_t *month, int32_t *day);
int64_t time_days(int32_t year, int32_t month, int32_t day);
// "90s", "15m", "1h", "2d", "250ms" to nanoseconds; false when it is anything else.
bool time_parse_duration(Str s, int64_t *out);
// ISO 8601 periods, "P30D", "PT1M", "P1Y6M", "P2W", "PT0.5S", to nanoseconds; a year is 365 days, a month 30. False
// when it is anything else or over 292 years; out untouched then.
bool time_parse_period(Str s, int64_t *out);
// An instant as people write it: RFC 3339 (seconds may be left out), "2026-11-01" (its midnight, UTC), "now", or "-1h",
// "-30m" before `now`, in the units of time_parse_duration. False when it is anything else; out untouched then.
bool time_parse_when(Str s, int64_t now, int64_t *out);
