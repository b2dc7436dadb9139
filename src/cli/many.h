// SPDX-License-Identifier: Apache-2.0
// Ensembles on a terminal: watched while they work, then as a sentence, a table, a page. One thread.
#pragma once
#include "cli/client.h"

typedef struct ManyOut {
    Str html, svg; // files to write, "-": stdout; "": none
    bool json;     // the whole answer instead of a table
    bool quiet;    // no progress line
    bool pair;     // two cases beside each other, not below
} ManyOut;

// The number in an answer that began one. Errors: SYNTAX; told.
MUST Err many_id(const Json *answer, const char *member, int64_t *id);
// Look at it until it ends; Ctrl-C has it end, and *status is what there is. Errors: those of the calls; told.
MUST Err many_watch(Client *c, int64_t id, const ManyOut *o, Json *status);
// Tell what it came to. Errors: SIM_FAILED (told), IO.
MUST Err many_report(Client *c, int64_t id, const Json *status, const ManyOut *o);
// Both.
MUST Err many_follow(Client *c, int64_t id, const ManyOut *o);
// Say the sentence of an answer, and an empty line; nothing where there is none. Errors: IO.
MUST Err many_sentence(const Json *status);
