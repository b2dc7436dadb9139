// SPDX-License-Identifier: Apache-2.0
// The Azure Digital Twins REST dialect: one handler an operation. Each is called on an I/O thread and replies once,
// at once (reads) or when the engine is done (writes).
#pragma once
#include "serve/call.h"

// models.c
void adt_models(Call *c);
void adt_models_add(Call *c);
void adt_model_get(Call *c);
void adt_model_patch(Call *c);
void adt_model_delete(Call *c);

// twins.c: twins, their components and telemetry
void adt_twin_get(Call *c);
void adt_twin_put(Call *c);
void adt_twin_patch(Call *c);
void adt_twin_delete(Call *c);
void adt_component_get(Call *c);
void adt_component_patch(Call *c);
void adt_telemetry(Call *c);

// links.c: relationships
void adt_links(Call *c);
void adt_incoming(Call *c);
void adt_link_get(Call *c);
void adt_link_put(Call *c);
void adt_link_patch(Call *c);
void adt_link_delete(Call *c);

// outer.c
void adt_eventroutes(Call *c);

// query.c
void adt_query(Call *c);
// Have the questions of this server end soon. Any thread.
void adt_query_stop(Server *s);
