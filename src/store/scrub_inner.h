// SPDX-License-Identifier: Apache-2.0
// What the store's thread asks of scrubs. Included by src/store/*.c only.
#pragma once
#include "store/store.h"

typedef struct Scrub Scrub;

// Do a piece of the first scrub. True when something was done. Store thread.
bool scrub_serve(Store *s);
// ns until there is something to do for scrubs: 0: now; -1: nothing, before something else happens. Caller holds the
// lock.
int64_t scrub_wait_ns(const Store *s, int64_t now_mono_ns);
// One looks through the file: the log must not be moved into it. Store thread.
bool scrub_walks(const Store *s);
// The store closes: tell all CLOSED. No thread runs.
void scrub_refuse_all(Store *s);
