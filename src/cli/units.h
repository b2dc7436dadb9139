// SPDX-License-Identifier: Apache-2.0
// Units of the models as people write them, and the model knowledge that tables need. One thread.
#pragma once
#include "base/map.h"
#include "cli/client.h"

// "degreeCelsius" -> "°C"; the name itself when there is no common symbol.
Str unit_symbol(Str unit);

// What a server's models say about the properties of twins: filled model by model, on demand.
typedef struct Units {
    Arena keep;
    Map models; // DTMI -> 1 when asked for
    Map units;  // "DTMI path" -> index into names + 1
    Buf names;  // Str array
    Str world;
} Units;

// Begin knowing nothing; release all.
void units_init(Units *u);
void units_free(Units *u);
// The symbol of a property's unit, "" when it has none or the model cannot be read; p is NULL when the server could not
// be asked, so that one asks again. `path` like "drive.speed".
// Asks the server once for each model (with what it extends and embeds). Uses c->body and c->keep.
Str units_of(Units *u, Client *c, Str model, Str path);
