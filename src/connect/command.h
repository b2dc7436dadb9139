// SPDX-License-Identifier: Apache-2.0
// Commands to devices: a request over REST, or of the closed loop, becomes a message with a correlation, the answer a
// response, or a time-out.
// The pending ones are in one table by correlation; connections look answers up there. Any thread.
//
// Life of a command
//   ask_commands, commands_of_engine (the closed loop)
//                 check the payload against the model, enter it into the table, ask each connection by its kind's
//                 `command` until one takes it: published once, never again
//   the kind      publishes `payload` with `correlation`, and calls command_answer when the device answers, on whatever
//                 thread, also before its `command` returned
//   the answer    200 with the device's payload; DEVICE_REFUSED with the payload when its status is 400 or more; DEVICE
//                 when none came in time; DEVICE_OFFLINE when no connection carries the twin or its link is down
// What a kind's `command` returns: OK, NO_ROUTE (another connection may carry the twin), or why it was not published:
// DEVICE_OFFLINE, BUSY.
#pragma once
#include "connect/connect.h"

#define COMMANDS_MAX 1024                       // under way
#define COMMAND_TIMEOUT_NS INT64_C(10000000000) // when the request names none (query: timeout=2s)
#define COMMAND_TIMEOUT_NS_MAX INT64_C(60000000000)
#define COMMAND_BYTES_MAX (256 << 10) // of a payload, both ways

struct Command {
    Str world, twin, component, name; // borrowed while kind->command runs
    Str payload;                      // JSON text, checked against the model; "" when the command takes none
    char correlation[33];             // 32 hex digits
    int64_t timeout_ns;
};

// The table, empty, and the thread that ends what took too long; NULL when there is no thread to be had.
Commands *commands_new(SosiaConnect *k);
// Fail what is under way, and what comes, with CLOSED. Any thread, also more than once.
void commands_hurry(Commands *c);
// The same, join, free. NULL is fine. Nobody may call command_answer any more.
void commands_free(Commands *c);
// A device answered: complete the command of that correlation. status < 400 is success; payload is JSON or any text.
// False when nobody waits: late, a second answer, or not ours; it is counted.
bool command_answer(SosiaConnect *k, Str correlation, int status, Str payload);
// It cannot be answered any more: what waits for that correlation ends with `err` and a sentence for people; nothing
// when nobody waits. DEVICE_OFFLINE: nothing was sent. DEVICE: whether the device acted is not known.
void command_failed(SosiaConnect *k, Str correlation, Err err, Str why);
// A SosiaCommander; ctx is the SosiaConnect. Texts of `done` are the device's payload as it came, or a sentence.
SosiaErr commands_of_engine(void *ctx, SosiaStr world, SosiaStr twin, SosiaStr component, SosiaStr command,
                            SosiaStr payload, int64_t timeout_ns, SosiaCommandDone done, void *arg);
// Append the counters, each with a leading comma.
void commands_stats(Commands *c, Buf *out);
// "2s", "500ms", "1m": within COMMAND_TIMEOUT_NS_MAX.
bool command_timeout(Str text, int64_t *ns);
