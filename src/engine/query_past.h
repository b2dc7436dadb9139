// SPDX-License-Identifier: Apache-2.0
// Intervals of HISTORY questions: the aggregates of history_agg.h over the past of one world.
#pragma once
#include "engine/expr_past.h"
#include "query/steps.h"

// Over a past that engine_past made. Both live as long as what is made of them.
QueryPast query_past(EnginePast *p);
