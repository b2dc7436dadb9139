// SPDX-License-Identifier: Apache-2.0
// Policies of retention, by name.
#include "serve/own.h"

void own_retention_list(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_RETENTION);
    call_list(c, &r);
}

void own_retention_get(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_RETENTION);
    call_get(c, &r);
}

void own_retention_put(Call *c) {
    SosiaWrite w = call_writing(c, SOSIA_RETENTION_PUT);
    call_write(c, &w, 200);
}

void own_retention_delete(Call *c) {
    SosiaWrite w = call_writing(c, SOSIA_RETENTION_DELETE);
    call_write(c, &w, 204);
}
