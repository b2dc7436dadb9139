// SPDX-License-Identifier: Apache-2.0
// Retention: policies that say how long values are kept as they came and then as means. Documents of the live world,
// {"model" or "twin","property","raw":"P30D","step":"PT1M","keep":"P2Y"}, all but "raw" may be missing: without model
// and twin it is for all twins, without property for all of theirs and for their telemetry, without step no means are
// made, without keep means stay for ever. Of several policies for a value the most specific holds: that of the twin,
// then that of the longest path of a property, then that of the most derived model, then the first by name.
//
// The writer starts a round now and then; the history's thread asks what is to be kept, from tables made from the view
// of that moment.
#pragma once
#include "engine/engine.h"
#include "history/history.h"

#define RETENTION_MAX 1000                           // policies
#define RETENTION_NAME_MAX 128                       // bytes
#define RETENTION_RAW_MIN (60 * INT64_C(1000000000)) // a value stays at least a minute
#define RETENTION_COLLECTION STR("retention")

typedef struct Retention Retention;

// Writer: a command. Errors: ARGUMENT, MODEL_NOT_FOUND, TWIN_NOT_FOUND, LIMIT; RETENTION_NOT_FOUND.
MUST Err retention_put(Realm *r, Task *c, Diag *d);
MUST Err retention_delete(Realm *r, const Task *c, Diag *d);
// Append one policy, or all for "". Errors: RETENTION_NOT_FOUND.
MUST Err retention_show(View *v, Str id, Buf *out);

// What policies of a view say, to be asked by any number of threads. NULL when there is no policy.
Retention *retention_of(View *v);
void retention_free(Retention *x); // NULL is fine
// As HistoryRules has it.
HistoryKeep retention_lane(const Retention *x, uint64_t lane, bool *rows);
HistoryKeep retention_row(const Retention *x, uint64_t lane, uint64_t row);

// The history asks the policies from now on. Before its thread runs.
void retention_open(Sosia *e);
// Writer: start a round when it is due. Returns ns until the next look.
int64_t retention_poll(Sosia *e);
