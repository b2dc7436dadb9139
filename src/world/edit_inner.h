// SPDX-License-Identifier: Apache-2.0
// What the files edit*.c share: the subject of an edit (one twin or one link with its property fields), and the checked
// way of JSON values into it. Not for other modules. Writer thread only, between world_begin and world_end.
//
// Every edit but a patch runs in two passes: check everything, then apply, so that a refused PUT, DELETE or value
// leaves nothing in the open batch. A patch applies its operations one by one, each seeing the ones before it.
#pragma once
#include "world/edit.h"

// The properties of one twin or link, as a flat field list with its columns.
typedef struct Subject {
    World *w;
    Diag *d;        // may be NULL
    Arena *arena;   // scratch of this edit
    Str name;       // twin id or relationship id, for messages
    uint64_t id;    // twin or link
    uint64_t row;   // row of its columns
    uint32_t first; // column of field 0
    int32_t count;
    const Field *fields;
    const Model *model; // NULL: a link
    bool fresh;         // just made: no cell holds a value yet
    bool gone;          // the twin's model was deleted
} Subject;

// How a value's source time is to be treated.
typedef enum StampMode {
    STAMP_KEEP,   // a patch: a source time that is not given stays as it is
    STAMP_WHOLE,  // full replacement: a source time that is not given goes
    STAMP_STREAM, // a sensor's value: one that is older than the present value changes nothing now
} StampMode;

typedef struct Stamp {
    int64_t source; // ns, 0: none given
    StampMode mode;
} Stamp;

// A living twin or link, its place and its fields as the writer sees them.
Subject edit_twin_subject(World *w, TwinId id, Str name, Arena *arena, Diag *d);
Subject edit_link_subject(World *w, LinkId id, Str rid, Arena *arena, Diag *d);
// The twin of that id. Errors: TWIN_NOT_FOUND.
MUST Err edit_find_twin(World *w, Str id, TwinId *out, Diag *d);
// The link of that id. Errors: TWIN_NOT_FOUND, LINK_NOT_FOUND.
MUST Err edit_find_link(World *w, Str source, Str rid, LinkId *out, Diag *d);
// Index of the field `name` among the direct children of `parent` (-1: root); -1 when there is none.
int32_t edit_child(const Subject *s, int32_t parent, Str name);
// The cell of field i as the writer sees it.
CellView edit_cell(const Subject *s, int32_t i);
// world_do with a message on failure.
MUST Err edit_do(const Subject *s, const Change *c);
// Delete a link; the batch also says what it was.
MUST Err edit_link_del(const Subject *s, LinkId id);
// Is field i computed, so that a body may leave it out and loses nothing?
bool edit_is_derived(const Subject *s, int32_t i);
// Clear field i (on a marker: all inside).
MUST Err edit_unset(const Subject *s, int32_t i);

// ---- checks ------------------------------------------------------------------------------------------------------

// v against field i: type, sizes, map keys, doubled members; a component's object is checked member by member.
// Errors: VALIDATION, LIMIT.
MUST Err edit_check_value(const Subject *s, int32_t i, const Json *v);
// All members of the object v as those of the twin, link (-1) or component `parent`: every name known, every component
// there, metadata well formed. Errors: VALIDATION, LIMIT.
MUST Err edit_check_members(const Subject *s, int32_t parent, const Json *v);
// The refusal of a name that the model does not have, or the component or object `parent` (-1: none), with the reason.
// Returns VALIDATION.
Err edit_unknown(const Subject *s, int32_t parent, Str path, Str name);
// The refusal of a component the model does not have. Returns COMPONENT_NOT_FOUND.
Err edit_no_component(const Subject *s, Str component);
// The source time a "$metadata" object (may be NULL) gives for a property; 0: none. Errors: VALIDATION.
MUST Err edit_source_of(const Subject *s, const Json *meta, Str name, Str path, int64_t *out);
// A JSON value as a source time. Errors: VALIDATION.
MUST Err edit_source_time(const Subject *s, const Json *v, Str path, int64_t *out);
// If-Match and If-None-Match against what is there.
//   put      If-None-Match is legal
//   etag     W/"guid" text of the resource, or empty when it does not exist: an If-Match then gives `missing`
// Errors: ARGUMENT, PRECONDITION, EXISTS, `missing`.
MUST Err edit_precondition(Precondition pre, bool put, Str etag, Err missing, Str id, Diag *d);

// ---- writing -----------------------------------------------------------------------------------------------------

// Write a checked value. An object property or component keeps only what `v` has.
MUST Err edit_put_value(const Subject *s, int32_t i, const Json *v, Stamp st);
// Write all members of a checked object; what it lacks is cleared. Source times come from its "$metadata", else from
// st.
MUST Err edit_put_members(const Subject *s, int32_t parent, const Json *v, Stamp st);
// The cell of a checked scalar into c->bits or c->text (borrowed from v).
void edit_cell_of(const Field *f, const Json *v, Change *c);
// A cell as JSON that type_check can judge; false when the bits are no value of that cell at all.
bool edit_json_of(const Field *f, uint64_t bits, Str text, Arena *arena, Json *out);

// ---- links -------------------------------------------------------------------------------------------------------

// Before an outgoing link is changed: a source whose model was deleted takes the one uploaded again (then *link may be
// another link of the same relationship id), or the change is refused. Errors: LINK_INVALID, VALIDATION.
MUST Err edit_wake_source(World *w, LinkId *link, Str rid, Arena *arena, Diag *d);
// The target's model is one that the relationship allows. Errors: LINK_INVALID.
MUST Err edit_check_target(World *w, const Rel *rel, TwinId target, Str rid, Diag *d);

// ---- JSON Patch --------------------------------------------------------------------------------------------------

typedef enum PatchKind { PATCH_ADD, PATCH_REPLACE, PATCH_REMOVE } PatchKind;

typedef struct PatchOp {
    PatchKind kind;
    bool done;         // nothing left to do
    Str path;          // JSON pointer
    Str dotted;        // the same with '.' between the segments, as Field.path
    const Json *value; // NULL for remove
} PatchOp;

// Read a patch document. Only add, replace and remove; no path names the whole document. Errors: PATCH.
MUST Err edit_patch_parse(const Json *ops, Arena *arena, PatchOp **out, int32_t *count, Diag *d);
// One operation of RFC 6902 on a document in place; new parts live in `arena`. False with a phrase in *why on failure.
//   path   pointer below `doc`; "" is the document itself (not for remove)
bool edit_doc_apply(Json *doc, const PatchOp *op, Str path, Arena *arena, const char **why);

// ---- change of model ---------------------------------------------------------------------------------------------

// The model a body or patch names. Errors: VALIDATION (none of that id), MODEL_DECOMMISSIONED unless it is `now`.
MUST Err edit_find_model(World *w, Str model, const Model *now, const Model **out, Str twin, Diag *d);
// A twin whose model was deleted: the model uploaded again under the same id, or NULL.
const Model *edit_reborn(const Subject *s);
// The refusal for a twin whose model was deleted. Returns `code`.
Err edit_gone(const Subject *s, Err code);
// Move the twin to another model, and its outgoing links to the relationships of that model. *s is made anew. Values
// that do not fit must be gone before. Errors: VALIDATION (an outgoing relationship has no place in the new model).
MUST Err edit_retype(Subject *s, const Model *to);
// The same after clearing what does not fit and `ops` deal with. Errors: VALIDATION, also for any other value that does
// not fit.
MUST Err edit_move(Subject *s, const Model *to, PatchOp *ops, int32_t count);
// edit_move to edit_reborn, which is there; components that are new in it are made, without values.
MUST Err edit_revive(Subject *s, PatchOp *ops, int32_t count);
// Every component of the model is there. Errors: VALIDATION.
MUST Err edit_check_complete(const Subject *s);
