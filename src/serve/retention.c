// SPDX-License-Identifier: Apache-2.0
// Policies of retention, by name.
#include "serve/own.h"

// All there are, and what holds values beyond them.
void own_retention_list(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_RETENTION);
    SosiaOut all = {0}, held = {0};
    Buf body = {0};
    if (sosia_world_waits(c->server->engine, r.world)) { // of the past: a list as any other
        call_list(c, &r);
        return;
    }
    SosiaErr err = sosia_read(c->server->engine, &c->who, &r, &all);
    if (!err) err = sosia_retention_held(c->server->engine, &c->who, &held);
    buf_printf(&body, "{\"value\":%.*s,\"held\":%.*s,\"nextLink\":null}", STR_ARG(buf_str(&all.body)),
               STR_ARG(buf_str(&held.body)));
    if (err) call_fail(c, (Err)err, buf_str(&all.message), (Str){0});
    else call_json(c, 200, (Str){0}, &body);
    buf_free(&body);
    sosia_out_free(&all);
    sosia_out_free(&held);
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
