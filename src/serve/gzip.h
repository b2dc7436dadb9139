// SPDX-License-Identifier: Apache-2.0
// Bodies packed by gzip (RFC 1952): those of requests, several members in a row included, and of replies. Any thread,
// no state.
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define GZIP_UNPACKED_MAX ((int64_t)64 << 20) // bytes of one body, unpacked

// Append what `in` holds.
//   max  bytes at most: a small body may unpack to a thousand times its size
// Errors: TOO_LARGE (more than max), SYNTAX (not gzip, cut off, damaged); *out then holds a part.
MUST Err gzip_unpack(Str in, int64_t max, Buf *out);

// Does a client take gzip? text: its Accept-Encoding, p NULL when it has none.
bool gzip_accepted(Str text);
// Append `in` as one member. level: 1 (fast) to 9. Cost: about 10 ms a MB of JSON at level 1.
void gzip_pack(Str in, int level, Buf *out);
