// SPDX-License-Identifier: Apache-2.0
// Lines typed at the query shell: libedit where the build found it (history, Tab, Emacs keys), else plain reading. One
// thread, one at a time: the terminal is one.
#pragma once
#include "cli/words.h"

// What Tab asks: complete the word that ends at byte `at` of `line`. Texts live in `a`.
typedef void (*LineCompleteFn)(void *ctx, Arena *a, Str line, int64_t at, Completion *out);

typedef struct LineIn LineIn;

// Begin on stdin and stdout. `complete` may be NULL.
LineIn *line_open(LineCompleteFn complete, void *ctx);
void line_close(LineIn *in);
// Show `prompt` and read one line, without its end. Errors: CLOSED at the end of input, or when the process is to end;
// BUSY when Ctrl-C emptied the line. The text is borrowed until the next call.
MUST Err line_read(LineIn *in, Str prompt, Str *out);
// The statement can be had again by the up key; nothing when it is the same as the last one.
void line_remember(LineIn *in, Str statement);
// Lines can be edited: built with libedit, on a terminal.
bool line_edits(const LineIn *in);
