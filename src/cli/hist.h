// SPDX-License-Identifier: Apache-2.0
// The history file of the query shell: one statement a line, appended to as it goes, so that several shells may share
// it. One thread. Failures are silent: history is a comfort.
#pragma once
#include "base/arena.h"

#define HIST_LINES_MAX 1000 // kept; the file is cut to them when it has grown to twice as many

// "$XDG_STATE_HOME/sosia/query_history", or below ~/.local/state; "" when neither is known.
Str hist_path(Arena *a);
// The newest HIST_LINES_MAX lines of the file, oldest first, each given to fn; borrowed for the call.
void hist_load(Str path, void (*fn)(void *ctx, Str line), void *ctx);
// Append one line; makes the folders (0700) and the file (0600).
void hist_add(Str path, Str line);
