// SPDX-License-Identifier: Apache-2.0
// Answers of devices, which say what they have to say in as many ways as there are makers. Any thread; no state.
#pragma once
#include "codec/json.h"

#define ANSWER_DEPTH_MAX 4 // documents within documents, and within texts

// What an answer says to people: a plain text, or a JSON text, as it is; of a document the first that has words of
// "message", "why", "reason", "error", "detail", where that may be a document or the text of one again. "": nothing
// is said in words. Borrows from `answer`, or lives in `a`. Cost: O(bytes).
Str answer_words(Str answer, Arena *a);
