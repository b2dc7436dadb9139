// SPDX-License-Identifier: Apache-2.0
// Linked into every test: what a case printed is there, and in order, when the process dies in it.
#include <stdio.h>

__attribute__((constructor)) static void line_buffered(void) { setvbuf(stdout, NULL, _IOLBF, 0); }
