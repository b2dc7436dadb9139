// SPDX-License-Identifier: Apache-2.0
// Reports as one page by itself: no scripts, nothing from elsewhere, light and dark. Any thread; no state.
#pragma once
#include "base/buf.h"

// Begin a page up to its heading and the sentence below: `title` in the tab and as heading, `sentence` as what is said
// first, `lead` in grey. refresh: seconds after which a browser asks again; 0: never.
typedef struct Html {
    Str title, sentence, lead;
    int refresh;
} Html;
void html_begin(const Html *h, Buf *out);
// The end of a page, with a line about where its figures come from.
void html_end(Str foot, Buf *out);
