// SPDX-License-Identifier: Apache-2.0
// Did it go as predicted? The KPI's course over the replications of the action that was chosen gives a band (5 % to
// 95 %, wider by the rule's margin); each value of the live world as its time comes is inside or outside. Out of it
// `patience` times in a row is out. A value that is not known counts as outside: who cannot see cannot say that it goes
// well. Times of the band are moved to when the command was answered. Pure; one thread at a time.
#pragma once
#include "decide/record.h"

typedef enum BandVerdict { BAND_WATCHING, BAND_LEFT, BAND_KEPT } BandVerdict;

typedef struct BandAsk {
    Str kpi, unit;
    int64_t for_ns;   // how long it is watched
    int64_t step_ns;  // instant i is i * step_ns after the beginning; instant 0 says nothing
    int32_t instants; // of the course, 0 ... instants - 1
    int32_t replications;
    int64_t stride;      // between two instants, in values; replications lie side by side
    const float *course; // NaN: not known
    int32_t patience;
    double margin;
} BandAsk;

// The band of the instants within for_ns, at most DECISION_INSTANTS_MAX (of more, evenly chosen ones), in `a`. Times
// count from 0 until band_begin. An instant that no replication knows is left out.
void band_make(const BandAsk *ask, Arena *a, DecisionWatch *out);
// It begins: times become instants after begin_ns. Only once.
void band_begin(DecisionWatch *w, int64_t begin_ns);
// The instant whose value is wanted next; INT64_MAX: none, it is over.
int64_t band_next(const DecisionWatch *w);
// The value at band_next (NaN: not known). Once LEFT it stays so, and seeing goes on to the end.
BandVerdict band_see(DecisionWatch *w, double value);
// As far as it has been seen.
BandVerdict band_verdict(const DecisionWatch *w);
