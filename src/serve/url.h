// SPDX-License-Identifier: Apache-2.0
// The text of a request line and of the conditional headers, taken apart. Pure functions on borrowed text; any thread.
// A path is split at '/' before anything is percent-decoded, so that an id may hold "%2F".
#pragma once
#include "base/err.h"

#define URL_SEGMENTS_MAX 12

// The raw segments of a path, borrowed: "/digitaltwins/a%2Fb/" gives {"digitaltwins", "a%2Fb"}.
typedef struct UrlPath {
    Str seg[URL_SEGMENTS_MAX];
    int32_t count;
} UrlPath;

// Split a request target without its query. An absolute form ("http://host/x") loses scheme and host first; one
// trailing '/' is ignored; "" and "/" have no segment. Errors: NO_ROUTE (too many segments, no leading '/').
MUST Err url_split(Str path, UrlPath *out);
// Percent-decode one segment or query value into `room` (at least raw.n bytes); *out borrows from raw when nothing
// had to change.
//   plus  '+' stands for a blank (query values)
// Errors: ARGUMENT (a '%' without two hex digits, bytes that are not UTF-8); *out untouched then.
MUST Err url_decode(Str raw, bool plus, char *room, Str *out);
// The next "key=value" of a query string, raw, moving *rest behind it; empty pairs are skipped. False at the end.
bool url_query_next(Str *rest, Str *key, Str *value);
// Append s percent-encoded: letters, digits and "-._~" stay.
void url_encode(Str s, Buf *out);

// True when text is "*" or a comma list of entity tags ("..." or W/"...").
bool etag_list_ok(Str text);
// The next entry of a comma list, trimmed, quotes respected; empty entries are skipped. False at the end.
bool header_list_next(Str *rest, Str *item);

// Host name and port of "host:port", "[::1]:80", "host": name without brackets, port empty when there is none.
// False when it is anything else.
bool host_split(Str authority, Str *name, Str *port);
// "localhost", any name under ".localhost", 127.0.0.0/8 or ::1.
bool host_is_loopback(Str name);
