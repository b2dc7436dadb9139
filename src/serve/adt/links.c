// SPDX-License-Identifier: Apache-2.0
#include "serve/adt/adt.h"

static void conditional(Call *c, SosiaOp op, int status) {
    SosiaWrite w = call_writing(c, op);
    if (call_conditions(c, &w)) call_write(c, &w, status);
}

void adt_links(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_LINKS);
    r.filter = call_param(c, STR("relationshipName"));
    call_list(c, &r);
}

void adt_incoming(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_INCOMING);
    r.base_url = call_base_url(c);
    call_list(c, &r);
}

void adt_link_get(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_LINK);
    call_get(c, &r);
}

void adt_link_put(Call *c) { conditional(c, SOSIA_LINK_PUT, 200); }
void adt_link_patch(Call *c) { conditional(c, SOSIA_LINK_PATCH, 204); }
void adt_link_delete(Call *c) { conditional(c, SOSIA_LINK_DELETE, 204); }
