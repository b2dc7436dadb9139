// SPDX-License-Identifier: Apache-2.0
// Sessions of browsers: a random id in a cookie stands for the token that was shown once, so that no script can read
// either. Kept in memory only, as hashes; bounded and expiring. A session ends with its token, too (guard.h).
// Any thread; times are arguments (monotonic, ns).
#pragma once
#include "base/err.h"

#define SESSIONS_MAX 4096
#define SESSION_ID_SIZE 43    // characters: 32 random bytes, base64url
#define SESSION_IDLE_S 43200  // unused for so long: gone
#define SESSION_LIFE_S 604800 // gone in any case
#define SESSION_COOKIE "sosia_session"

typedef struct Sessions Sessions;

// idle_ns, life_ns: 0: as above.
Sessions *sessions_new(int64_t idle_ns, int64_t life_ns);
void sessions_free(Sessions *s); // NULL is fine
// A new session of who showed the token with this hash. When there are too many, the one that was unused for longest
// ends. The id goes to the client, and is not kept.
void sessions_open(Sessions *s, const uint8_t token[32], int64_t now_ns, char id[SESSION_ID_SIZE + 1]);
// True, and the hash of its token, when there is a session of that id; it counts as used. Cost: a hash of the id.
bool sessions_find(Sessions *s, Str id, int64_t now_ns, uint8_t token[32]);
// End it; any text.
void sessions_close(Sessions *s, Str id);
int64_t sessions_count(Sessions *s, int64_t now_ns);

// The value of a cookie in the text of a Cookie header (RFC 6265), in quotes or not. Empty when there is none of that
// name, when it is given twice (which of them a server set cannot be told), or when the value has other characters than
// a session's. Borrowed.
Str cookie_find(Str header, Str name);
