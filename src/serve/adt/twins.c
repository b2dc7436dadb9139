// SPDX-License-Identifier: Apache-2.0
#include "serve/adt/adt.h"
#include "base/time.h"

static void conditional(Call *c, SosiaOp op, int status) {
    SosiaWrite w = call_writing(c, op);
    if (call_conditions(c, &w)) call_write(c, &w, status);
}

void adt_twin_get(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_TWIN);
    call_get(c, &r);
}

void adt_twin_put(Call *c) { conditional(c, SOSIA_TWIN_PUT, 200); }
void adt_twin_patch(Call *c) { conditional(c, SOSIA_TWIN_PATCH, 204); }
void adt_twin_delete(Call *c) { conditional(c, SOSIA_TWIN_DELETE, 204); }

void adt_component_get(Call *c) {
    SosiaRead r = call_read(c, SOSIA_GET_COMPONENT);
    call_get(c, &r);
}

void adt_component_patch(Call *c) { conditional(c, SOSIA_COMPONENT_PATCH, 204); }

// Message-Id may be any text: the JavaScript client of Azure 1.1.0 puts a payload there.
void adt_telemetry(Call *c) {
    SosiaWrite w = call_writing(c, SOSIA_TELEMETRY);
    w.message_id = http_header(c->req, STR("message-id"));
    if (w.message_id.n == 0) {
        call_failf(c, ERR_ARGUMENT, "The Message-Id header is mandatory for telemetry.");
        return;
    }
    Str time = http_header(c->req, STR("telemetry-source-time"));
    if (time.p && !time_parse(str_trim(time), &w.source_time_ns)) {
        call_failf(c, ERR_ARGUMENT,
                   "Telemetry-Source-Time must be an RFC 3339 time, for instance 2026-01-31T08:00:00Z.");
        return;
    }
    call_write(c, &w, 204);
}
