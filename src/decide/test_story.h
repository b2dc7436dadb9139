// SPDX-License-Identifier: Apache-2.0
// For tests and fuzz targets of this floor: a random rule, a random world in which it is tried, and the record of what
// came of it, from a seed. One thread at a time.
#pragma once
#include "base/rng.h"
#include "decide/band.h"
#include "decide/choose.h"
#include "decide/guard.h"

#define STORY_AT INT64_C(1795410000000000000) // when the rule was set off
#define STORY_S INT64_C(1000000000)

typedef struct Story {
    Rng rng;
    Arena a;
    Str definition;
    Json json;                  // it
    Rule rule;                  // for the twin "f7"
    int32_t n;                  // replications
    double *objective, *limits; // as ChooseAsk has them
    ChooseEnd end;
    Decision x; // sealed; waiting when people are asked, else approved
} Story;

// The same seed gives the same story, to the bit.
void story_make(Story *s, uint64_t seed);
void story_free(Story *s);
// Somebody forces an action with a command (at random) upon the record, which then says that all is well with it, and
// is sealed again. False: there is no such action.
bool story_force(Story *s);
// Its command is about to leave: state, sent.
void story_send(Story *s, int64_t now_ns);
// What its record says will leave.
RuleCommand story_leaving(const Story *s, bool undo);
