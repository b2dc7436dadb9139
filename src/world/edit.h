// SPDX-License-Identifier: Apache-2.0
// Edit: JSON documents and lines become validated changes, applied at once to the open batch of a world.
// Writer thread only, between world_begin and world_end. On error nothing is half-done *after the caller's
// world_rollback*: a failed edit may leave changes of its own in the open batch.
// Messages go to `d` (may be NULL): where = twin id or path, text = a sentence. Rules: spec of the REST dialect,
// sections 3 to 5.
#pragma once
#include "codec/json.h"
#include "world/world.h"

// If-Match / If-None-Match header texts; empty when absent.
typedef struct Precondition {
    Str if_match;      // "*", one etag or a comma list, with or without W/
    Str if_none_match; // "" or "*"; anything else: ARGUMENT
} Precondition;

// The etag of an update time: W/"<guid>", a fixed function of (id, update time), at least 44 bytes of room in out.
// Twins and links have different guids for the same numbers.
void etag_of_twin(TwinId id, int64_t update_time, char out[48]);
void etag_of_link(LinkId id, int64_t update_time, char out[48]);

// Models: JSON array of interfaces; JSON Patch of /decommissioned; DTMI. Errors: the MODEL_ family, PATCH.
MUST Err edit_models_add(World *w, const Json *docs, Diag *d);
MUST Err edit_model_patch(World *w, Str id, const Json *ops, Diag *d);
MUST Err edit_model_delete(World *w, Str id, Diag *d);

// created: out, may be NULL. Errors: ARGUMENT, VALIDATION, MODEL_DECOMMISSIONED, EXISTS, PRECONDITION, LIMIT.
MUST Err edit_twin_put(World *w, Str id, const Json *body, Precondition pre, bool *created, Diag *d);
MUST Err edit_twin_patch(World *w, Str id, const Json *ops, Precondition pre, Diag *d);
// Errors: TWIN_NOT_FOUND, LINKS_LEFT, PRECONDITION.
MUST Err edit_twin_delete(World *w, Str id, Precondition pre, Diag *d);
MUST Err edit_component_patch(World *w, Str id, Str component, const Json *ops, Precondition pre, Diag *d);

// Relationships by source twin and id. Errors: TWIN_NOT_FOUND, TARGET_NOT_FOUND, LINK_NOT_FOUND, LINK_INVALID,
// VALIDATION, PATCH, EXISTS, PRECONDITION.
MUST Err edit_link_put(World *w, Str source, Str rid, const Json *body, Precondition pre, bool *created, Diag *d);
MUST Err edit_link_patch(World *w, Str source, Str rid, const Json *ops, Precondition pre, Diag *d);
MUST Err edit_link_delete(World *w, Str source, Str rid, Precondition pre, Diag *d);

// component may be "". payload: JSON text, already checked.
MUST Err edit_telemetry(World *w, Str id, Str component, Str message_id, Str payload, int64_t source_time, Diag *d);

// One value of one property by path ('.' between segments), as JSON text (the ingest path, no DOM for scalars).
// A late value (older source time than the current one) is accepted and changes nothing now.
MUST Err edit_value(World *w, TwinId id, Str path, Str json, int64_t source_time, Arena *scratch, Diag *d);
// One resolved value: checked against the column's type. Errors: STALE, VALIDATION.
MUST Err edit_set(World *w, const Change *set, Diag *d);
// A column of the twin's model by path; 0 when there is none.
uint32_t edit_column(World *w, TwinId id, Str path);

// One entity of the bulk format, by section. A twin or relationship that exists is replaced. Errors as above.
typedef enum ImportSection { IMPORT_HEADER, IMPORT_MODELS, IMPORT_TWINS, IMPORT_LINKS } ImportSection;
MUST Err edit_import(World *w, ImportSection section, const Json *entity, Diag *d);

// Limits; rows of docs/limits.md.
#define TWIN_ID_MAX 128        // code points
#define STRING_VALUE_MAX 65536 // bytes of one string or document value
#define NAME_KEY_MAX 512       // map keys
