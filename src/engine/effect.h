// SPDX-License-Identifier: Apache-2.0
// Effects: what a change does to what is counted, in plain sentences made of numbers by patterns. Any thread; no state.
#pragma once
#include "engine/told.h"

// Of one KPI, against the baseline, in its unit.
typedef struct Effect {
    Str title, unit, of;
    int32_t over, better; // KpiOver; 1: more, -1: less, 0: nothing is said
    double by, low, high; // low and high: of an interval, NaN without
    bool known, sure;     // sure: the interval leaves out 0, or there is none and it differs
} Effect;

typedef struct EffectSay {
    Str subject;  // what does it: "night-shift", "The change",
    Str with;     // and within a sentence: "night-shift", "the change"
    Str baseline; // "as is"
    int64_t span_ns;
    double level; // of the intervals
    bool once;    // of one run: by other chances it may be another, and it is said so
} EffectSay;

// The one to begin with: what is earned; other money, sure before unsure; sure and good or bad; sure; the first
// one that is known. -1: none.
int32_t effect_first(const Effect *e, int32_t n);
// Append a title as it stands within a sentence: "Energy cost" as "energy cost", "CO2" as it is.
void effect_name(Str title, Buf *out);
// Append a sentence about one. A difference of percentages is one of points.
void effect_say(const EffectSay *s, const Effect *e, Buf *out);
// Append sentences about the others: which are better, which worse, how many cannot be told apart.
void effect_say_others(const Effect *e, int32_t n, int32_t but, Buf *out);
