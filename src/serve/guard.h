// SPDX-License-Identifier: Apache-2.0
// Who may ask. With tokens: every request carries one of them. Without: the server listens on loopback only, and a web
// page of another origin must not be able to use the browser as its arm: the Host header must be a loopback or a
// configured name (against DNS rebinding), and a request that changes something must not come from another origin.
// A token comes as "Authorization: Bearer TOKEN", or as InfluxDB's clients send theirs: "Token TOKEN", or the password
// of "Basic". A browser shows the cookie of a session that a token opened; because it does so for whatever page asks,
// what changes something or stays open must then prove that a page of the server itself asked. Any thread may check
// while another reloads.
#pragma once
#include <stdatomic.h>
#include "base/err.h"
#include "serve/session.h"

typedef struct Tokens Tokens;

typedef struct Guard {
    _Atomic(Tokens *) tokens; // NULL: none are asked for
    const Str *hosts;         // borrowed
    int32_t host_count;
    Sessions *sessions; // NULL: no cookie counts
} Guard;

typedef struct GuardAsk {
    Str authorization, host, origin, fetch_site; // headers
    Str token;                                   // instead of `authorization` when that is missing; empty: none
    Str cookie;                                  // header; looked at when neither of them is there
    int64_t now_ns;                              // monotonic
    bool tls;
    bool changes; // the request changes something, or opens a WebSocket
    bool stream;  // it stays open
} GuardAsk;

// Read a token file; the guard asks for tokens from then on. Readers of the old set may still be at it, so old sets
// are kept until guard_free. Errors: IO, ARGUMENT (no token in it); the old set stays then.
MUST Err guard_load(Guard *g, const char *file, Buf *why);
// Errors: UNAUTHORIZED, FORBIDDEN with a static sentence in *why; the number of the token's line in *line (0: none).
MUST Err guard_check(const Guard *g, const GuardAsk *ask, const char **why, int32_t *line);
// A session for who shows ask->token, and may by guard_check: its id. Errors: those of guard_check; ARGUMENT where no
// tokens are asked for.
MUST Err guard_login(const Guard *g, const GuardAsk *ask, char id[SESSION_ID_SIZE + 1], const char **why);
void guard_free(Guard *g);
