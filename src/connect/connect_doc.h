// SPDX-License-Identifier: Apache-2.0
// Documents of connections, endpoints and the like: read members with the complaints people need. Any thread.
//
// A Doc is one object of a document with the place it stands at, so that messages name members by their whole path
// ("tls.serverName", "subscriptions[2].topic"). Complaints go to the Diag; getters give the default then.
#pragma once
#include "codec/json.h"

typedef struct Doc {
    const Json *json; // an object
    Str where;        // "" at the top, "tls", "subscriptions[2]"
    Diag *d;          // may be NULL
    Arena *arena;     // of places and copies
    Err err;          // the first complaint through this Doc or those below it that were ended
} Doc;

// A Doc over `v`; complains when it is no object (every getter then gives its default). Names that are not among
// `known` (ends with NULL) and such that occur twice are errors, with the nearest known name.
Doc doc_of(const Json *v, Str where, const char *const *known, Diag *d, Arena *arena);
// The object under `name` as a Doc; json NULL when there is none.
Doc doc_object(Doc *p, const char *name, const char *const *known);
// The array under `name`; *count 0 when there is none. max: more is an error.
const Json *doc_array(Doc *p, const char *name, int64_t max, int64_t *count);
// Item i of it as a Doc.
Doc doc_item(Doc *p, const char *name, const Json *items, int64_t i, const char *const *known);
// Take over the complaint of a Doc below.
void doc_end(Doc *p, const Doc *below);

// Members by type; `or_else` when absent or wrong. max: bytes a text may have.
Str doc_str(Doc *p, const char *name, Str or_else, int64_t max);
bool doc_bool(Doc *p, const char *name, bool or_else);
int64_t doc_int(Doc *p, const char *name, int64_t or_else, int64_t min, int64_t max);
// The place of one of `choices` (ends with NULL) that the text under `name` is; or_else when absent.
int doc_choice(Doc *p, const char *name, const char *const *choices, int or_else);
// Complain about a member that must be there and is not (or is an empty text).
void doc_need(Doc *p, const char *name);
// Complain about the member `name` ("" for the whole).
void doc_bad(Doc *p, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

// ---- whole documents ----------------------------------------------------------------------------------------------

// A name as connections and endpoints have: 1 to CONNECT_NAME_MAX letters, digits, '-', '_' and '.', no '.' first.
bool doc_name_ok(Str name);
// Take a member out of an object.
void doc_drop(Json *object, Str key);
// Parse the document of the resource `name` as it came, an object; "name" (which must then be that one) and "status"
// may be what GET gave and are taken out. *kind: the text under "kind", p NULL when there is none. Errors: ARGUMENT and
// those of json_parse.
Err doc_read(Str text, Str name, Arena *arena, Json *out, Str *kind, Diag *d);
