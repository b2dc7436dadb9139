// SPDX-License-Identifier: Apache-2.0
// Differences between two worlds as a list, with the values on both sides: for people to look at, and for merging.
//
// What is the same is found by number (twins, relationships made before the worlds parted); a relationship, or a twin,
// that came in one and went in the other under the same name is compared by its name. Times are no difference.
#pragma once
#include "engine/engine.h"

#define DIFF_CHANGES_MAX 1000000 // of one comparison

typedef enum DiffWhat { DIFF_MODEL, DIFF_DOCUMENT, DIFF_TWIN, DIFF_LINK, DIFF_RETYPE, DIFF_VALUE } DiffWhat;

typedef struct DiffCell {
    bool valid;
    uint64_t bits;
    Str text; // of text cells
} DiffCell;

// One difference. Texts lie in the differ's arena, fields and models in the catalogs of the worlds.
typedef struct DiffChange {
    DiffWhat what;
    bool was, is;             // MODEL, DOCUMENT, TWIN, LINK
    uint64_t twin, link;      // numbers, of the after world where it is there; of links: twin is the source
    uint64_t link_before;     // the number it had before, when that is another
    Str name;                 // of the twin (source); MODEL: DTMI; DOCUMENT: collection
    Str rid, kind, target;    // of links
    Str model, model_before;  // of the twin; DOCUMENT: its name
    Str document, before_doc; // DOCUMENT: the JSON; MODEL: the interface
    const Field *field;       // VALUE
    DiffCell before, after;   // VALUE
    const Field *fields;      // TWIN, LINK: what cells are of
    DiffCell *cells;          // TWIN, LINK: the values it has, or had
    int32_t count;
} DiffChange;

// What to look at: nothing said: all of it.
typedef struct DiffAsk {
    Str model, twin, property; // of twins of the model and those that extend it; of this one; of that path alone
    double tolerance;          // numbers that differ by no more are the same
    double relative;           // likewise as a part of the larger one
} DiffAsk;

typedef struct Differ {
    Arena arena;
    DiffAsk ask;
    View a, b; // before and after
    DiffChange *changes;
    int64_t count, cap;
    Err err;
} Differ;

// Compare worlds that nobody writes: `before` with `after`; in order of what, then of the number. They are needed as
// long as the differ. Errors: LIMIT, those of world_diff.
MUST Err differ_run(Differ *d, World *before, World *after, const DiffAsk *ask);
void differ_free(Differ *d);
// The difference as a JSON object.
void diff_show(const DiffChange *c, Buf *out);
// One value as JSON, null when there is none.
void diff_show_cell(const Field *f, const DiffCell *c, Buf *out);
// Is it the same value, but for the tolerance?
bool diff_same(const DiffAsk *ask, const Field *f, const DiffCell *x, const DiffCell *y);

// The worlds of a comparison, frozen: of a named world, and of what it is compared with ("": its parent as it was when
// it was forked). Any thread but the engine's own. Errors: those of realm_get, UNSUPPORTED (live has no parent).
typedef struct DiffSides {
    Realm *realm, *other; // references; other NULL: the base
    World *made;          // a base that was made again, over `under`; NULL: there was one
    Realm *under;
    Task *task, *other_task;
    World *before, *after;
} DiffSides;
MUST Err diff_sides(Sosia *e, Str world, Str against, DiffSides *out, Buf *why);
void diff_sides_free(DiffSides *s);
