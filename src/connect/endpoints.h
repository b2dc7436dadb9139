// SPDX-License-Identifier: Apache-2.0
// Endpoints, from the inside: how they are made of documents. endpoints.c is the resource, endpoints_make.c the life,
// endpoints_webhook.c and endpoints_mqtt.c the kinds.
#pragma once
#include "connect/connections.h"
#include "connect/routes.h"

#define ENDPOINT_BYTES_MAX (256 << 10) // of one document

// A copy, mem_free'd by the owner.
Str endpoint_own(Str s);
void route_free(Route *r);
// The kind of that name or NULL.
const EndpointKind *endpoint_kind(Str name);
// Parse a document and put its secrets in. The members "name" and "status", as GET gives them, are dropped.
// s, headers: what is to be stored. before: the document stored secrets belong to, "" none; one that goes elsewhere has
// to bring its own. Errors: SYNTAX, ARGUMENT, TOO_LARGE, STORAGE.
typedef struct EndpointSecrets {
    Secrets plain;
    Str headers;       // JSON object of texts, "" none
    bool headers_were; // something is stored
} EndpointSecrets;
MUST Err endpoint_read(Routes *r, Str name, Str text, Str before, Arena *a, Json *doc, const EndpointKind **kind,
                       EndpointSecrets *s, Diag *d);
// Take the secrets out again: {"set":true}.
void endpoint_hide(Json *doc, const EndpointSecrets *s, Arena *a);
// Make an endpoint of a stored text, put it in place of the one of that name (its counters go on) and start it, unless
// it is paused. One that cannot be read is there, failed. Caller holds edit. Errors: STORAGE.
MUST Err endpoint_install(Routes *r, Str name, Str text, Endpoint *old);
// Another of the same document, in no table and not started: for a test.
Endpoint *endpoint_twin(const Endpoint *e);
// Stop and free.
void endpoint_free(Endpoint *e);
