// SPDX-License-Identifier: Apache-2.0
// Which properties of which twins a world derives: they cannot be written there.
#pragma once
#include "base/map.h"
#include "cli/client.h"

typedef struct DerivedHere {
    Client *client; // of the world
    Arena keep;
    Json list; // of definitions
    Map known; // twin, 0, path -> 1 derived, 0 not
} DerivedHere;

// Ask the world of `c` for its definitions. Errors: those of calls; told.
MUST Err derived_here_open(DerivedHere *d, Client *c);
void derived_here_close(DerivedHere *d);
// *yes: the world derives that property of that twin, which is there. Asks the world the first time.
// Errors: those of calls; told.
MUST Err derived_here(DerivedHere *d, Str twin, Str path, bool *yes);
// Twins came or went: ask again.
void derived_here_forget(DerivedHere *d);
