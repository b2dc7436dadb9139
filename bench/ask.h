// SPDX-License-Identifier: Apache-2.0
// Ask: HTTP over one kept connection, blocking, with nothing between the clock and the socket; and a server process of
// one's own to ask. For benches: a failure ends the process with a sentence. One thread an Ask.
#pragma once
#include <sys/types.h>
#include "base/buf.h"

typedef struct Ask {
    int fd;
    Buf out, in;
    Buf text; // body of a chunked answer, put together
} Ask;

// Connect to a port of this machine; close it.
void ask_open(Ask *a, int port);
void ask_close(Ask *a);
// POST a body and wait for the whole answer.
//   reply  out, its body, borrowed until the next call
// Returns the status.
int ask_post(Ask *a, const char *path, const char *type, Str body, Str *reply);

typedef struct ServerProcess {
    pid_t pid;
    int port;
} ServerProcess;

// Start `command serve --data path` and wait until it is ready.
ServerProcess server_start(const char *command, const char *path);
// Processor time that it has taken, of all its threads, in ms.
double server_cpu_ms(const ServerProcess *s);
// End it and wait.
void server_stop(ServerProcess *s);
