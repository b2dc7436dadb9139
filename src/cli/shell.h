// SPDX-License-Identifier: Apache-2.0
// The query shell: `sosia query` without a text, on a terminal. One thread.
#pragma once
#include "cli/ask.h"

// Read questions and commands until the end, asking through `a`, whose client it may point at another world. Returns
// how it began: errors of the first call, told; afterwards failures are shown and the shell goes on.
MUST Err shell_run(Ask *a);
// Ask every statement of a text in turn; stops at the first that fails. Errors: as ask_run; ARGUMENT when there is
// none.
MUST Err shell_script(Ask *a, Str text);
