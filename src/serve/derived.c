// SPDX-License-Identifier: Apache-2.0
// Derived values: definitions by name.
#include "serve/own.h"

void own_derived_list(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_DERIVED);
    call_list(c, &r);
}

void own_derived_get(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_DERIVED);
    call_get(c, &r);
}

void own_derived_put(Call *c) {
    SosiaWrite w = call_writing(c, SOSIA_DERIVED_PUT);
    call_write(c, &w, 200);
}

void own_derived_delete(Call *c) {
    SosiaWrite w = call_writing(c, SOSIA_DERIVED_DELETE);
    call_write(c, &w, 204);
}
