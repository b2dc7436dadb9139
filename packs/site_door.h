// SPDX-License-Identifier: Apache-2.0
// The door of an emulated site: a small HTTP/1.1 server on a loopback address, by which commands reach its devices as
// they would reach a gateway in the field. POST only, JSON in and out, one request a connection. One thread: nothing
// happens but in door_serve.
//
//   POST /twins/ID/COMMAND   body: the command's payload; 200 with its answer, 4xx with {"why":"..."}
//   POST /jam/ID             something goes wrong there, until somebody sees to it
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define DOOR_CLIENTS_MAX 16
#define DOOR_REQUEST_MAX (64 << 10) // bytes, head and body

typedef struct Door Door;

// One request, decoded; texts are borrowed while the handler runs.
typedef struct DoorRequest {
    Str first, id, command; // "twins", "line-1-filler", "clearJam"; "" where the path is shorter
    Str body;
} DoorRequest;

// The status to answer with; `answer` gets the body, JSON or nothing.
typedef int (*DoorFn)(void *ctx, const DoorRequest *r, Buf *answer);

// Take one request out of what has come. 0: more must come; -1: it is none that is understood (*status: what to
// answer); else the bytes of it. Names of the path are decoded into `room`, which outlives *out.
int64_t door_parse(Str bytes, DoorRequest *out, int *status, Buf *room);

// Listen at "127.0.0.1:PORT" (0: any free one). Errors: ARGUMENT, IO.
MUST Err door_open(Str address, Door **out);
void door_close(Door *d); // NULL is fine
int door_port(const Door *d);
// Answer requests for so long (at least once what is there already).
void door_serve(Door *d, int64_t ns, DoorFn fn, void *ctx);
