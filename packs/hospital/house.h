// SPDX-License-Identifier: Apache-2.0
// The physical hospital, emulated: patients that come, wait, are seen, and go home or to a bed. The flow core runs bare
// over the twins and relationships of the pack's own graph, with the times of its mapping, and draws of its own. Beside
// what the twin's model has: days that are busier than others, and a scanner that breaks down now and then.
//
// A function of (seed, start, steps): reads no clock and no socket, so the same seed gives the same values. One thread.
#pragma once
#include "base/buf.h"
#include "plant.h"

typedef struct House House;

// A hospital as it might look at start_ns (nanoseconds since 1970 UTC): it has been open for some days.
//   graph        twins and relationships, a JSON object a line
//   definitions  as the pack's: the mapping to the engine "flow" is among them
// Both are read while it is made, not after.
House *house_new(Str graph, Str definitions, uint64_t seed, int64_t start_ns);
void house_free(House *h);
// Let time pass.
void house_step(House *h, double seconds);
// The next value that changed, or was told some time ago (the first round: every one); false: none is left. Texts live
// as long as the house.
bool house_next(House *h, PlantValue *out);
int64_t house_time(const House *h);

// A figure of a twin: "present" and the like, as house_next tells it; NAN: none of that name.
double house_value(const House *h, const char *twin, const char *path);
// What a person on the spot does. Commands: of a team, setBank with a number of people (0 to 20), answered with who is
// on duty then; of a bed, setOpen with true or false. Returns 200, 400 (not such a payload) or 404 (no such twin or
// command), and why as JSON.
int house_command(House *h, Str twin, Str name, Str payload, Buf *answer);
