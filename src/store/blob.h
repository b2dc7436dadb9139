// SPDX-License-Identifier: Apache-2.0
// Blob: what the bytes column of a page row holds. A function of its arguments; one thread at a time per Zip.
//
//   [form: 1 byte] [CRC-32C of id, form and payload: 4 bytes] [payload]      form 0: as it is   1: one zstd frame
#pragma once
#include "base/buf.h"
#include "base/err.h"

// The working memory of zstd; zero it before use.
typedef struct Zip {
    void *pack, *unpack;
} Zip;

// Append the blob of block `id`: compressed when that makes it smaller. Cost: about 1 ms per 0.5 MB.
void blob_pack(Zip *z, uint64_t id, Str bytes, Buf *out);
// Append the block's bytes. Errors: CORRUPT (form, check, frame).
MUST Err blob_unpack(Zip *z, uint64_t id, Str blob, Buf *out);
// Release the working memory.
void zip_free(Zip *z);
