// SPDX-License-Identifier: Apache-2.0
// Sends gathered documents to a server: models first, then twins, then relationships, in requests of bounded size, with
// a progress line. One thread.
#pragma once
#include "cli/client.h"
#include "cli/docs.h"

typedef struct Load {
    int64_t added[DOC_KINDS], failed[DOC_KINDS];
    int64_t skipped; // models that the server had already
} Load;

// Ask the server for its models and take those out of the set, and those that come again: the first counts.
// Errors: those of the calls; told.
MUST Err load_skip_known(Client *c, Docs *d, int64_t *skipped);
// Import all of `d`. What the server refuses becomes an error of `d`, with the place it came from; the rest goes in.
//   quiet  no progress line
// Errors: failures of whole requests (server gone, not allowed); told. *out counts what was done until then.
MUST Err load_docs(Client *c, Docs *d, bool quiet, Load *out);
