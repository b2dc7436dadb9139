// SPDX-License-Identifier: Apache-2.0
// When a rule acts: for each twin, has its condition held for long enough, and was the last time long enough ago? One
// Trigger a rule; one thread at a time. Time is an argument and never goes back (an earlier one counts as the latest).
//
//            holds                    `for` has passed, `again` since the last time, less than mostPerHour: taken
//   (none) ---------> HOLDING --------------------------------------------------------------------------> FIRED
//            breaks  <-------                             (again > 0 and it still holds: due once more at + again)
//
// Invariants
//  1. A break of the condition, however short, begins `for` anew; trigger_take never tells a twin that does not hold.
//  2. One twin is taken at most once within `again`; with again = 0 only once for each stretch that holds.
//  3. At most mostPerHour are taken within any 3,600 s; who comes later stays due and is taken when there is room, if
//     the condition still holds then.
//  4. Who is due is taken in order of the time it came due, then by twin: the same events give the same order.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

#define TRIGGER_TWINS_MAX 100000 // that hold, or were taken within `again`, of one rule

typedef struct TriggerTwin {
    uint64_t twin;    // 0: free slot
    int64_t since_ns; // holds from here on; INT64_MAX: it does not
    int64_t fired_ns; // last taken; INT64_MIN: never, or longer ago than matters
    int64_t due_ns;   // INT64_MAX: nothing is to come
    bool spent;       // taken in this stretch, or before a restart, and again = 0
} TriggerTwin;
typedef struct TriggerDue {
    int64_t due_ns;
    uint64_t twin;
} TriggerDue;

typedef struct Trigger {
    int64_t for_ns, again_ns;
    int32_t most_per_hour; // 0: not bounded
    int64_t now_ns;        // latest instant seen
    TriggerTwin *slots;    // open addressing
    int32_t cap, count;
    TriggerDue *heap; // may name what is not due any more: checked when it is taken
    int32_t due_count, due_cap;
    int64_t *fired; // ring of the last mostPerHour times
    int32_t fired_count, fired_at;
} Trigger;

typedef struct TriggerHit {
    uint64_t twin;
    int64_t since_ns; // it holds from here on
    int64_t due_ns;   // when it came due; it is taken at `now`
} TriggerHit;

// Start with nothing seen. most_per_hour at most RULE_PER_HOUR_MAX.
void trigger_init(Trigger *t, int64_t for_ns, int64_t again_ns, int32_t most_per_hour);
void trigger_free(Trigger *t);
// The condition holds for `twin` (not 0) from now on, or does not any more. Saying the same again changes nothing.
// Errors: LIMIT (TRIGGER_TWINS_MAX; it is not watched). Cost: O(log n).
MUST Err trigger_see(Trigger *t, uint64_t twin, bool holds, int64_t now_ns);
// The twin is gone.
void trigger_drop(Trigger *t, uint64_t twin);
// It was taken at that time: after a restart, from records, in ascending order; counts for `again` and mostPerHour.
// With again = 0 it is not due before it was seen not to hold: the stretch may be the one it was taken for.
void trigger_restore(Trigger *t, uint64_t twin, int64_t at_ns);
// The next one that is due at now_ns: it counts as taken. False: none is, now.
bool trigger_take(Trigger *t, int64_t now_ns, TriggerHit *out);
// The instant at which trigger_take may have something to tell if nothing else is seen until then; INT64_MAX: none.
int64_t trigger_next(Trigger *t);
