// SPDX-License-Identifier: Apache-2.0
// Who may ask. With tokens: every request carries one of them. Without: the server listens on loopback only, and a web
// page of another origin must not be able to use the browser as its arm: the Host header must be a loopback or a
// configured name (against DNS rebinding), and a request that changes something must not come from another origin.
// A token comes as "Authorization: Bearer TOKEN", or as InfluxDB's clients send theirs: "Token TOKEN", or the password
// of "Basic". Any thread may check while another reloads.
#pragma once
#include <stdatomic.h>
#include "base/err.h"

typedef struct Tokens Tokens;

typedef struct Guard {
    _Atomic(Tokens *) tokens; // NULL: none are asked for
    const Str *hosts;         // borrowed
    int32_t host_count;
} Guard;

typedef struct GuardAsk {
    Str authorization, host, origin, fetch_site; // headers
    Str token;                                   // instead of `authorization` when that is missing; empty: none
    bool tls;
    bool changes; // the request changes something
} GuardAsk;

// Read a token file; the guard asks for tokens from then on. Readers of the old set may still be at it, so old sets
// are kept until guard_free. Errors: IO, ARGUMENT (no token in it); the old set stays then.
MUST Err guard_load(Guard *g, const char *file, Buf *why);
// Errors: UNAUTHORIZED, FORBIDDEN with a static sentence in *why; the number of the token's line in *line (0: none).
MUST Err guard_check(const Guard *g, const GuardAsk *ask, const char **why, int32_t *line);
void guard_free(Guard *g);
