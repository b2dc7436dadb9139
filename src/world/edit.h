// SPDX-License-Identifier: Apache-2.0
// Edit: JSON documents and lines become validated changes, applied at once to the open batch of a world.
// Writer thread only, between world_begin and world_end. Rules: spec of the REST dialect, sections 3 to 5.
//
// Everything but a patch is checked whole before its first change: when it fails (other than by LIMIT of the ring) the
// open batch is as it was, and the caller may go on with it. A patch, and any edit of a twin whose deleted model was
// uploaded again, may leave changes of its own in the batch: after a failure the caller calls world_rollback.
// Messages go to `d` (may be NULL): where = twin id or path, text = a sentence.
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

// docs: an array of interfaces. Errors: those of schema_add.
MUST Err edit_models_add(World *w, const Json *docs, Diag *d);
// ops: only replace of /decommissioned. Errors: MODEL_NOT_FOUND, PATCH, MODEL_ACTIVE_REFS.
MUST Err edit_model_patch(World *w, Str id, const Json *ops, Diag *d);
// Twins of the model stay, readable and deletable. Errors: MODEL_NOT_FOUND, MODEL_IN_USE.
MUST Err edit_model_delete(World *w, Str id, Diag *d);

// Full replacement: what the body lacks is cleared, what it gives gets a new update time; a twin that exists keeps its
// id when its model changes. created: out, may be NULL.
// Errors: ARGUMENT, VALIDATION, MODEL_DECOMMISSIONED, EXISTS, PRECONDITION, TWIN_NOT_FOUND (If-Match), LIMIT.
MUST Err edit_twin_put(World *w, Str id, const Json *body, Precondition pre, bool *created, Diag *d);
// JSON Patch with add, replace and remove. Errors: TWIN_NOT_FOUND, ARGUMENT, PRECONDITION, PATCH, VALIDATION,
// MODEL_DECOMMISSIONED, LIMIT.
MUST Err edit_twin_patch(World *w, Str id, const Json *ops, Precondition pre, Diag *d);
// Errors: TWIN_NOT_FOUND, LINKS_LEFT, PRECONDITION.
MUST Err edit_twin_delete(World *w, Str id, Precondition pre, Diag *d);
// Paths are relative to the component. Errors: as edit_twin_patch, COMPONENT_NOT_FOUND.
MUST Err edit_component_patch(World *w, Str id, Str component, const Json *ops, Precondition pre, Diag *d);

// Relationships by source twin and id. An existing one of that id is replaced: made anew when its target or name
// changes. Errors: ARGUMENT, TWIN_NOT_FOUND, TARGET_NOT_FOUND, LINK_INVALID, NOT_ALLOWED (target is the source),
// VALIDATION, EXISTS, PRECONDITION, LINK_NOT_FOUND (If-Match), LIMIT.
MUST Err edit_link_put(World *w, Str source, Str rid, const Json *body, Precondition pre, bool *created, Diag *d);
// Errors: TWIN_NOT_FOUND, LINK_NOT_FOUND, ARGUMENT, PRECONDITION, PATCH, VALIDATION, LINK_INVALID, LIMIT.
MUST Err edit_link_patch(World *w, Str source, Str rid, const Json *ops, Precondition pre, Diag *d);
// Errors: TWIN_NOT_FOUND, LINK_NOT_FOUND, ARGUMENT, PRECONDITION.
MUST Err edit_link_delete(World *w, Str source, Str rid, Precondition pre, Diag *d);

// Passes through, no state. Errors: TWIN_NOT_FOUND, COMPONENT_NOT_FOUND, ARGUMENT.
//   component may be "". payload: JSON text, already checked.
MUST Err edit_telemetry(World *w, Str id, Str component, Str message_id, Str payload, int64_t source_time, Diag *d);

// One value of one property by path ('.' between segments), as JSON text (the ingest path, no DOM for scalars).
// A value of a stream, see world_do: a late one is accepted and changes nothing now. An object is replaced as a
// whole; a value inside one makes it present. Errors: TWIN_NOT_FOUND, SYNTAX, VALIDATION, LIMIT. scratch is not reset.
MUST Err edit_value(World *w, TwinId id, Str path, Str json, int64_t source_time, Arena *scratch, Diag *d);
// One resolved value (a CHANGE_SET), checked against the column's type. Errors: TWIN_NOT_FOUND, STALE, VALIDATION,
// LIMIT.
MUST Err edit_set(World *w, const Change *set, Diag *d);
// What to say about a change that world_do refused with e: what derives the property, when that is why. Returns e.
Err edit_refused(World *w, const Change *c, Err e, Diag *d);
// Twin and relationship ids: valid UTF-8, 1 to TWIN_ID_MAX code points, no control characters. Errors: ARGUMENT.
MUST Err edit_check_id(Str id, const char *what, Diag *d);
// A column of the twin's model by path; 0 when there is none.
uint32_t edit_column(World *w, TwinId id, Str path);

// One entity of the bulk format, by section: a header, an interface (or an array of them, when they depend on each
// other), a twin, a relationship. A twin or relationship that exists is replaced. Errors as above.
typedef enum ImportSection { IMPORT_HEADER, IMPORT_MODELS, IMPORT_TWINS, IMPORT_LINKS } ImportSection;
MUST Err edit_import(World *w, ImportSection section, const Json *entity, Diag *d);

// Limits; rows of docs/limits.md.
#define TWIN_ID_MAX 128        // code points
#define STRING_VALUE_MAX 65536 // bytes of one string or document value
#define NAME_KEY_MAX 512       // map keys
