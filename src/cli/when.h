// SPDX-License-Identifier: Apache-2.0
// Instants as people type them.
#pragma once
#include "base/str.h"

// What time_parse_when takes, and "today" and "yesterday", alone (midnight) or with a time, "yesterday 14:00", of the
// local time zone. False when it is anything else.
bool when_parse(Str s, int64_t now, int64_t *out);
