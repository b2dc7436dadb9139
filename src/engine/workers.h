// SPDX-License-Identifier: Apache-2.0
// Workers: a small pool of threads for work that must not hold up an I/O thread or the writer: today the parsing of
// large bodies. Bounded: a full pool says so at once.
#pragma once
#include "engine/engine.h"

#define WORKERS 2              // threads
#define WORKERS_QUEUE_MAX 64   // jobs waiting
#define PARSE_INLINE_MAX 65536 // bytes of a body that the caller's own thread parses

typedef struct Workers Workers;

// Start the pool. Errors: IO.
MUST Err workers_start(Sosia *e, Workers **out);
// Parse the command's body on a worker, which then puts it into the inbox; a command refused there is completed with
// the error. Streams (INGEST, INGEST_CSV) of one source into one world get there in the order they came here. Any
// thread. Errors: BUSY; the command is then still the caller's.
MUST Err workers_parse(Workers *w, Task *c);
// Whether a stream of the same source and world is here: then this one must come here too, however small.
bool workers_behind(Workers *w, const Task *c);
// Take no more jobs (BUSY from now on), finish those waiting, stop the threads. NULL is fine.
void workers_stop(Workers *w);
// Stop, and free. NULL is fine.
void workers_free(Workers *w);
