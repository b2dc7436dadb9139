// SPDX-License-Identifier: Apache-2.0
// The query operation. The language is not there yet, and says so.
#include "serve/adt/adt.h"

void adt_query(Call *c) {
    call_failf(c, ERR_UNSUPPORTED,
               "The query language is not supported yet. GET /digitaltwins lists twins, "
               "GET /digitaltwins/{id}/relationships their relationships.");
}
