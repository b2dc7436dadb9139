// SPDX-License-Identifier: Apache-2.0
#include "serve/gzip.h"
#include <string.h>
#include <zlib.h>
#include "base/check.h"

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

// The weight of "gzip;q=0.5" is not 0.
static bool wanted(Str params) {
    while (params.n) {
        Str value = str_trim(str_cut(&params, ';')), name = str_trim(str_cut(&value, '='));
        double q = 1;
        if (str_eq_nocase(name, STR("q"))) return str_to_f64(str_trim(value), &q) && q > 0;
    }
    return true;
}

bool gzip_accepted(Str text) {
    bool any = false;
    while (text.n) {
        Str params = str_cut(&text, ','), name = str_trim(str_cut(&params, ';'));
        if (str_eq_nocase(name, STR("gzip")) || str_eq_nocase(name, STR("x-gzip"))) return wanted(params);
        if (str_eq(name, STR("*"))) any = wanted(params);
    }
    return any;
}

void gzip_pack(Str in, int level, Buf *out) {
    z_stream z;
    memset(&z, 0, sizeof z);
    CHECK(level >= 1 && level <= 9);
    CHECK(deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)(uintptr_t)in.p;
    for (int got = Z_OK; got != Z_STREAM_END;) {
        if (z.avail_in == 0 && in.n > 0) {
            z.avail_in = (uInt)(in.n < UINT32_MAX ? in.n : UINT32_MAX);
            in.n -= z.avail_in;
        }
        CHECK(buf_reserve(out, ROOM));
        z.next_out = (Bytef *)out->p + out->n;
        z.avail_out = ROOM;
        got = deflate(&z, in.n > 0 ? Z_NO_FLUSH : Z_FINISH);
        CHECK(got == Z_OK || got == Z_STREAM_END);
        out->n += ROOM - (int64_t)z.avail_out;
    }
    deflateEnd(&z);
}
