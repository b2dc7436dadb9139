// SPDX-License-Identifier: Apache-2.0
// Commands that people sent to devices of the live world, for sosia_happened: a ring of items beside the world,
// durable soon after the answer. Those of the closed loop stand in its records.
#pragma once
#include "engine/engine.h"

#define COMMAND_LOG_MAX 10000 // the oldest are written over

typedef struct CommandLog CommandLog;

// The engine has opened: finds where the ring goes on. Errors: those of items.
MUST Err command_log_open(Sosia *e);
void command_log_close(Sosia *e);
// All of them, in no order; texts live during the call of fn. Waits for the store. Errors: those of items.
typedef struct CommandLine {
    int64_t time, status;
    Str twin, component, name, by;
} CommandLine;
MUST Err command_log_scan(Sosia *e, void (*fn)(void *ctx, const CommandLine *c), void *ctx);
// A twin is erased and not in live any more: nothing tells of its commands. Waits for the store. Errors: of items.
MUST Err command_log_forget(Sosia *e, Str twin);
