// SPDX-License-Identifier: Apache-2.0
// The table of all operations: what is served, how it is matched, and what /openapi.json says about it. Static data.
#pragma once
#include "base/err.h"
#include "serve/url.h"

struct Call;

// ORDER FLAG
#define ROUTE_OPEN 1u    // needs no token
#define ROUTE_ADT 2u     // of the Azure dialect: api-version is mandatory
#define ROUTE_WORLD 4u   // also under /worlds/NAME
#define ROUTE_WRITE 8u   // changes something: the Origin of a browser is checked
#define ROUTE_PAGED 16u  // answers {"value":[...],"nextLink":...}
#define ROUTE_HIDDEN 32u // not in /openapi.json
#define ROUTE_STREAM 64u // endless: the token may be ?access_token=, for browsers

#define ROUTE_SEGMENTS_MAX 6

typedef struct Route {
    const char *method;
    const char *path; // constants compare without regard to case; {id}, {sub}, {part} are ids, in this order
    void (*handle)(struct Call *c);
    uint32_t flags;
    const char *name;    // operation id, and the label of its metrics
    const char *summary; // for /openapi.json
    const char *body;    // schema of the request body, NULL: none
    int status;          // of success
    const char *reply;   // schema of the reply, NULL: no body
} Route;

// What a request target named.
typedef struct RouteMatch {
    int32_t index;     // of route_table(), or -1
    Str world, prefix; // raw world name ("" without prefix) and raw "/worlds/NAME"
    Str id, sub, part; // raw
    char allow[64];    // methods the resource takes, when it does not take this one
} RouteMatch;

// All routes.
const Route *route_table(int32_t *count);
// Find the route of a method ("HEAD" counts as "GET") and a raw path.
// Errors: NO_ROUTE; METHOD (allow is filled). Cost: O(routes) integer compares, a few of text.
MUST Err route_match(Str method, Str path, RouteMatch *out);
