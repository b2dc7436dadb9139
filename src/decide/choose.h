// SPDX-License-Identifier: Apache-2.0
// The choice: from what each action came to in each replication to one of them, with its reason in words.
//
// The r-th replications of all actions saw the same chances (common random numbers), so differences are taken within a
// replication and the interval of their mean is that of paired observations (num/moments.h, 95 %).
//  1. What breaks a limit in any replication, or has an unknown value in one, is dropped, "nothing" like the rest.
//  2. Of those left the one with the most money by the mean is best, of equals the one declared first; "nothing" comes
//     before all.
//  3. It must be better than "nothing" for certain (the interval of its gain lies above 0), unless "nothing" was
//     dropped: else nothing is done.
// Pure: the same samples give the same bits and words. Any thread.
#pragma once
#include "decide/record.h"

typedef struct ChooseAsk {
    const Rule *rule;
    Str unit;   // of the objective
    int better; // 1: more of the objective is better, -1: less
    int32_t replications;
    // Table row 0 is "nothing", row i + 1 is action i of the rule. NaN: not known.
    const double *objective; // [action][replication], as the KPI has it: costs are not yet taken off
    const double *limits;    // [limit][action][replication], in the KPI's unit
} ChooseAsk;

typedef enum ChooseEnd { CHOSE_ACTION, CHOSE_NOTHING, CHOSE_NONE_WITHIN } ChooseEnd;

// Fill replications, objective, unit, better, alternatives, choice and why of `x` (choice "" when none is within).
// Memory in `a`; names are those of the rule. Cost: O(samples).
ChooseEnd choose(const ChooseAsk *ask, Arena *a, Decision *x);
// Append money for people: "1 240 EUR", "−3.50 EUR", see base/figure.h. value is finite.
void choose_put_money(Buf *out, double value, Str unit);
