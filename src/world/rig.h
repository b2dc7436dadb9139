// SPDX-License-Identifier: Apache-2.0
// For tests: a naive reference of a world, random changes by seed applied to both, and one canonical text of either.
// The reference keeps every twin and link in flat arrays and every value as it was given: slow and obvious.
#pragma once
#include "base/rng.h"
#include "world/world.h"

enum { RIG_TWINS = 48, RIG_LINKS = 96, RIG_CELLS = 24, RIG_TEXT = 48 };

typedef struct RefCell {
    bool valid;
    uint64_t bits;
    char text[RIG_TEXT];
    int64_t update_time, source_time;
} RefCell;

typedef struct RefTwin {
    bool alive;
    uint64_t id;
    char name[RIG_TEXT];
    uint32_t model;
    int64_t update_time;
    RefCell cells[RIG_CELLS];
} RefTwin;

typedef struct RefLink {
    bool alive;
    uint64_t id, source, target;
    uint32_t kind;
    char rid[RIG_TEXT];
    int64_t update_time;
    RefCell cells[RIG_CELLS];
} RefLink;

typedef struct Ref {
    RefTwin twins[RIG_TWINS];
    RefLink links[RIG_LINKS];
} Ref;

// The JSON array of the three interfaces every rig starts with.
Str rig_models(void);
// One random change that is valid now, or false when this draw finds none. Texts live in `arena`.
bool rig_draw(World *w, const Ref *ref, Rng *rng, Arena *arena, Change *out);
// Apply a change to the reference as of update time `time`.
void rig_apply(const Catalog *c, Ref *ref, const Change *change, int64_t time);
// Everything a view shows, one line a twin, value or link, in order of ids.
void rig_print_view(View *v, Buf *out);
// The same of a reference.
void rig_print_ref(const Catalog *c, const Ref *ref, Buf *out);
