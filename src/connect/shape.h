// SPDX-License-Identifier: Apache-2.0
// Shape: DTDL models made from what sources send, for line protocol without a mapping and for Sparkplug births.
// A kind of thing ("cpu", "EdgeNode_Line1") has one model, "dtmi:sosia:PREFIX:NAME;1". When a field comes that it does
// not know, a further version is made: it extends version 1 by that field and those of the versions between, so that
// questions about version 1 always mean all of them; twins move to it when they need it. A field that changes its type
// gets a new property with the type in its name ("level_string").
// Any thread; one lock, which is held while a version is made.
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "sosia/sosia.h"

#define SHAPES_MAX 2000       // kinds met since the start: models of a world are left for others
#define SHAPE_FIELDS_MAX 4000 // of a kind
#define SHAPE_VERSIONS_MAX 200
#define SHAPE_TEXT_MAX 512 // bytes of the name of a kind or field: what a DTDL text holds

typedef struct Shapes Shapes;

typedef struct ShapeField {
    Str name;        // as the source calls it: any text
    Str schema;      // DTDL: "double", "long", "integer", "boolean", "string", "dateTime", "float"; compact JSON of an
                     // Array, Object or Map; "Relationship" for one to any twin
    Str description; // "" or a text
    bool writable;
    // out
    Str property; // in the arena: a DTDL name made of `name` ("Inputs/A" -> "Inputs_A"), unique in the model
} ShapeField;

// Nothing is looked up before it is needed. NULL is fine for _free.
Shapes *shapes_new(Sosia *engine);
void shapes_free(Shapes *s);
// Make sure that a model for `kind` with these fields is there; fills in their `property`.
//   model  out, in the arena: DTMI of the version that has them all
// Waits for the engine when a version must be made; else a few table looks. Errors: those of writing models, LIMIT,
// ARGUMENT (a name that is empty or no UTF-8).
// Names of kinds and fields are kept in the model ("comment"), so that a restart finds the same properties again.
MUST Err shape_of(Shapes *s, Str prefix, Str kind, Str display, ShapeField *fields, int32_t count, Arena *arena,
                  Str *model);
// Make sure that the twin is there and has this model or a later version of it; waits for the engine when not.
// Several threads may ask at once: one twin is moved at a time, and none back to an older version.
//   why  gets a sentence when it fails
// Errors: VALIDATION (the twin has another model, or the model is gone), those of writing a twin.
MUST Err shape_twin(Shapes *s, Str world, Str twin, Str model, Buf *why);
// Look the models of that one's kind up again when they are asked for next: someone may have removed them.
void shape_forget(Shapes *s, Str model);
// A DTDL name made of any text: letters, digits and '_', begins with a letter, ends with a letter or digit, at most 64
// bytes. Several texts may give the same name.
Str shape_name(Str text, Arena *arena);
