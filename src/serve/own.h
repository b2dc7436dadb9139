// SPDX-License-Identifier: Apache-2.0
// Sosia's own resources, in the same error shape as the dialect. One handler an operation, called on an I/O thread.
#pragma once
#include "serve/call.h"

// bulk.c: many values or entities in one request
void own_ingest(Call *c);
void own_import(Call *c);

// worlds.c
void own_twins(Call *c);
void own_worlds(Call *c);
void own_world_add(Call *c);
void own_world_delete(Call *c);

// changes.c: the feed as server-sent events. A stream begins with
//     event: ready
//     data: {"world":"live","since":41}
// then one message a batch (its id is the sequence, so a browser resumes by itself):
//     id: 42
//     data: {"seq":42,"prev":41,"time":"2026-01-01T00:00:00.0000000Z","source":"plc","changes":[
//            {"op":"set","twin":"room1","path":"temperature","value":21.5,"sourceTime":"..."}]}
// `prev` is the sequence of the message before on this subscription (of "ready" at first), so that a client can prove
// that it missed nothing even behind a filter. A batch of many changes comes in several messages of the same seq, all
// but the last with "more":true. op and its members: set, unset (twin, path[, value]); twin_put (twin, model),
// twin_delete (twin); link_put (twin, link, name, target), link_delete (twin, link), link_set, link_unset (twin, link,
// path[, value]); model (model); telemetry (twin[, component], value). A comment line every 15 s keeps proxies awake.
// The end, when the server ends it: event: cut, data: {"reason":"...","oldest":N}.
// Query: since=SEQ (or header Last-Event-ID), twin=ID (changes of that twin and of relationships at either end).
void own_changes(Call *c);

// outer.c: passed on to ServeConfig.connect
void own_connections(Call *c);
void own_endpoints(Call *c);
void own_write(Call *c);
void own_command(Call *c);
void own_component_command(Call *c);

// health.c
void own_healthz(Call *c);
void own_readyz(Call *c);
void own_metrics(Call *c);

// openapi.c
void own_openapi(Call *c);

// page.c
void own_page(Call *c);
void own_page_css(Call *c);
void own_page_js(Call *c);
