// SPDX-License-Identifier: Apache-2.0
#include "serve/gzip.h"
#include <string.h>
#include <zlib.h>

#define ROOM 65536 // bytes unpacked at a time

// One member from z->next_in on. Errors as gzip_unpack.
static Err unpack_member(z_stream *z, int64_t max, Buf *out) {
    for (int got = Z_OK; got != Z_STREAM_END;) {
        if (!buf_reserve(out, ROOM)) return ERR_TOO_LARGE;
        z->next_out = (Bytef *)out->p + out->n;
        z->avail_out = ROOM;
        got = inflate(z, Z_NO_FLUSH);
        if (got != Z_OK && got != Z_STREAM_END) return ERR_SYNTAX; // Z_BUF_ERROR: cut off
        out->n += ROOM - (int64_t)z->avail_out;
        if (out->n > max) return ERR_TOO_LARGE;
    }
    return ERR_OK;
}

Err gzip_unpack(Str in, int64_t max, Buf *out) {
    z_stream z;
    memset(&z, 0, sizeof z);
    if (in.n > UINT32_MAX) return ERR_TOO_LARGE;
    if (in.n == 0 || inflateInit2(&z, 15 + 16) != Z_OK) return ERR_SYNTAX; // + 16: gzip, nothing else
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    Err err = ERR_OK;
    while (err == ERR_OK && z.avail_in) {
        err = unpack_member(&z, max, out);
        if (err == ERR_OK && z.avail_in && inflateReset(&z) != Z_OK) err = ERR_SYNTAX;
    }
    inflateEnd(&z);
    return err;
}
