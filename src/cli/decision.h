// SPDX-License-Identifier: Apache-2.0
// Records of decisions as people read them. One thread.
#pragma once
#include "cli/client.h"

// A text member of a record or a part of it; "" when there is none.
Str decision_text(const Json *v, const char *key);
// An instant; 0 when there is none.
int64_t decision_time(const Json *v, const char *key);
// How a state looks.
Style decision_style(Str state);
// Append a sum: "+1 240 EUR", "-3.50 EUR"; nothing when v is no number.
void decision_money(const Json *v, Str unit, Buf *out);
// Print a whole record.
MUST Err decision_say(const Json *doc);
// Print what computing it again came to. Errors: SIM_FAILED (told) when it came out otherwise.
MUST Err decision_say_replay(const Json *doc);
