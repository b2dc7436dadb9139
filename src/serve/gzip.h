// SPDX-License-Identifier: Apache-2.0
// Bodies packed by gzip (RFC 1952), several members in a row included. Any thread, no state.
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define GZIP_UNPACKED_MAX ((int64_t)64 << 20) // bytes of one body, unpacked

// Append what `in` holds.
//   max  bytes at most: a small body may unpack to a thousand times its size
// Errors: TOO_LARGE (more than max), SYNTAX (not gzip, cut off, damaged); *out then holds a part.
MUST Err gzip_unpack(Str in, int64_t max, Buf *out);
