// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *cond, const char *file, int line) {
    fprintf(stderr, "sosia: broken invariant: %s (%s:%d)\n", cond, file, line);
    abort();
}
