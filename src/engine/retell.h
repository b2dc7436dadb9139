// SPDX-License-Identifier: Apache-2.0
// Retelling: the batches of a stretch of live's past done again in a fork, at their times. See sosia_retell.
#pragma once
#include "engine/engine.h"

#define RETELL_AHEAD 64 // batches queued and not yet durable

// Writer: one batch.
void retell_task(Sosia *e, Realm *r, Task *c);
