// SPDX-License-Identifier: Apache-2.0
// Event routes, as far as they exist without endpoints: there is none, and none can be made.
#include "serve/adt/adt.h"
#include "codec/json.h"

static const char NO_ROUTE[] = "There is no event route with that id. List what there is with GET /eventroutes.";
static const char NO_ENDPOINT[] = "The endpoint does not exist or is not active. No endpoint can be configured yet.";

void adt_eventroutes(Call *c) {
    Buf body = {0};
    buf_str_put(&body, STR("{\"value\":[],\"nextLink\":null}"));
    call_json(c, 200, (Str){0}, &body);
    buf_free(&body);
}

void adt_eventroute_get(Call *c) { call_fail(c, ERR_ROUTE_NOT_FOUND, str_of(NO_ROUTE), (Str){0}); }
void adt_eventroute_delete(Call *c) { call_fail(c, ERR_ROUTE_NOT_FOUND, str_of(NO_ROUTE), (Str){0}); }

void adt_eventroute_put(Call *c) {
    Arena arena;
    Json body;
    arena_init(&arena, 0);
    Err err = json_parse(c->view->body, NULL, &arena, &body, NULL);
    const Json *endpoint = err == ERR_OK ? json_get(&body, STR("endpointName")) : NULL;
    bool named = endpoint && endpoint->type == JSON_STRING;
    arena_free(&arena);
    if (named) {
        call_fail(c, ERR_ROUTE_ENDPOINT, str_of(NO_ENDPOINT), (Str){0});
    } else {
        call_failf(c, ERR_ARGUMENT, "The body must be an object with endpointName and filter.");
    }
}
