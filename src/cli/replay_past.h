// SPDX-License-Identifier: Apache-2.0
// `sosia replay --from A --to B`: a stretch of the past again, printed or applied to another world.
#pragma once
#include "cli/command.h"

typedef struct ReplayPast {
    const Common *common;
    Str from, to; // instants as the server takes them
    double speed; // 0: as fast as it goes
    Str into;     // a world; "": print
    Str twin;     // only this one's; "": all
} ReplayPast;

// Play it. What cannot be applied ends it, but values that the world refuses are told and counted.
// Errors: those of the server, VALIDATION when values were refused; told.
MUST Err replay_past(const ReplayPast *o);
