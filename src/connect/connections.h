// SPDX-License-Identifier: Apache-2.0
// Connections: how they are made of documents, kept, started and stopped; connections_ask.c is the resource. Secrets
// never stand in a stored document: it says {"set":true}, the text is an item of its own. Threads: see connect.h.
#pragma once
#include "connect/connect.h"

#define CONNECTION_BYTES_MAX (256 << 10) // of one document
#define SECRET_BYTES_MAX (64 << 10)
#define SECRETS_MAX 20 // members of one connection

// One secret member of one connection.
typedef struct Secret {
    const char *path; // "tls.keyPassword"
    Str value;        // in an arena
    bool was, set;    // stored before; to be stored
} Secret;

typedef struct Secrets {
    Secret items[SECRETS_MAX];
    int32_t count;
    Str each;   // the object every member of which is a secret: "headers"; "": none
    bool moved; // the document goes elsewhere: what is stored is not for that place
} Secrets;

// What is stored for a connection of that kind. Waits for the store.
MUST Err secrets_read(SosiaConnect *k, Str name, const ConnectKind *kind, Arena *arena, Secrets *out);
// The same for any resource: items "secret" PREFIX + path.
MUST Err secrets_read_of(SosiaConnect *k, Str prefix, const char *const *paths, Arena *arena, Secrets *out);
// Put texts where the document says {"set":true} or leaves a stored secret out, and note which are set. Errors:
// ARGUMENT (no text and nothing stored, or `moved`).
MUST Err secrets_take(Json *doc, Secrets *s, Arena *arena, Diag *d);
// Whether `doc` goes elsewhere than the document `before` ("" none): its scheme, host or port (as written, but for case
// and default ports), or the connection whose broker it uses.
bool secrets_moved(Str before, const Json *doc, Arena *arena);
// The complaint about a stored secret then; what: "" or the name of a header with ": " behind.
Err secret_is_old(Str path, Str what, Diag *d);
// Whether both name a broker, the same, in the same way.
bool same_broker(const Json *a, const Json *b);
// Put {"set":true} where texts are.
void secrets_hide(Json *doc, const Secrets *s);
// The member at a path "a.b" or NULL.
Json *secret_find(Json *doc, const char *path);

// A connection made of a stored text, not in the table and not started. One that cannot be read is there, failed.
// Secrets are read from the store.
Connection *connection_make(SosiaConnect *k, Str name, Str text);
// Put it into the table in place of the one of that name, which is stopped before; start it unless it is paused. Takes
// the reference. Caller holds `edit`.
void connection_install(SosiaConnect *k, Connection *c);
// Take it out of the table and stop it. False when there is none. Caller holds `edit`.
bool connection_remove(SosiaConnect *k, Str name);
// All of them, counted, by name; in the arena.
Connection **connections_all(SosiaConnect *k, Arena *arena, int64_t *count);
// Append the samples: {"count":n,"value":[...]}, newest first.
void connection_samples(Connection *c, bool errors, Buf *out);
// Append the members "state", "trouble" and counters, no braces.
void connection_status(Connection *c, Buf *out);
