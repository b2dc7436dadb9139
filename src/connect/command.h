// SPDX-License-Identifier: Apache-2.0
// Commands to devices: a request over REST becomes a message with a correlation, the answer a response, or a time-out.
// The pending ones are in one table by correlation; connections look answers up there. Any thread.
#pragma once
#include "connect/connect.h"

#define COMMANDS_MAX 1024                       // under way
#define COMMAND_TIMEOUT_NS INT64_C(10000000000) // when the request names none (query: timeout=2s, at most 60 s)

struct Command {
    Str world, twin, component, name; // borrowed while kind->command runs
    Str payload;                      // JSON text, checked against the model
    char correlation[33];             // 32 hex digits
    int64_t timeout_ns;
};

// The table, empty.
Commands *commands_new(SosiaConnect *k);
// Fail what is under way with CLOSED, join, free.
void commands_free(Commands *c);
// A device answered: complete the command of that correlation. status < 400 is success; payload is JSON or any text.
// False when nobody waits (late, or not ours).
bool command_answer(SosiaConnect *k, Str correlation, int status, Str payload);
