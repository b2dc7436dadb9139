// SPDX-License-Identifier: Apache-2.0
#include "store/blob.h"
#include <zstd.h>
#include "base/check.h"
#include "base/crc32c.h"

#define BLOB_HEAD 5
#define ZSTD_LEVEL 1
// Frames of less than this gain nothing.
#define ZIP_BYTES_MIN 64

enum { FORM_PLAIN, FORM_ZSTD };

static uint32_t check_of(uint64_t id, uint8_t form, const void *payload, int64_t n) {
    uint64_t head[2] = {id, form};
    return crc32c(crc32c(0, head, sizeof head), payload, n);
}

// Compress behind the head; 0 when it did not get smaller.
static int64_t squeeze(Zip *z, Str bytes, char *at) {
    if (bytes.n < ZIP_BYTES_MIN) return 0;
    if (!z->pack) z->pack = ZSTD_createCCtx();
    if (!z->pack) return 0;
    size_t n = ZSTD_compressCCtx(z->pack, at, (size_t)bytes.n - 1, bytes.p, (size_t)bytes.n, ZSTD_LEVEL);
    return ZSTD_isError(n) ? 0 : (int64_t)n;
}

void blob_pack(Zip *z, uint64_t id, Str bytes, Buf *out) {
    if (!buf_reserve(out, BLOB_HEAD + bytes.n)) return;
    char *payload = out->p + out->n + BLOB_HEAD;
    int64_t n = squeeze(z, bytes, payload);
    uint8_t form = n ? FORM_ZSTD : FORM_PLAIN;
    uint32_t crc = check_of(id, form, n ? payload : bytes.p, n ? n : bytes.n);
    buf_byte(out, (char)form);
    buf_u32(out, crc);
    if (n) out->n += n;
    else buf_put(out, bytes.p, bytes.n);
}

static Err expand(Zip *z, const uint8_t *p, int64_t n, Buf *out) {
    unsigned long long size = ZSTD_getFrameContentSize(p, (size_t)n);
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size > (uint64_t)BUF_MAX_DEFAULT)
        return ERR_CORRUPT;
    if (!z->unpack) z->unpack = ZSTD_createDCtx();
    if (!z->unpack || !buf_reserve(out, (int64_t)size)) return ERR_LIMIT;
    char *to = out->p ? out->p + out->n : NULL; // nothing was ever reserved for nothing
    size_t got = ZSTD_decompressDCtx(z->unpack, to, (size_t)size, p, (size_t)n);
    if (got != size) return ERR_CORRUPT;
    out->n += (int64_t)size;
    return ERR_OK;
}

Err blob_unpack(Zip *z, uint64_t id, Str blob, Buf *out) {
    Cut c = cut_of(blob);
    uint8_t form = cut_byte(&c);
    uint32_t crc = cut_u32(&c);
    if (c.bad || form > FORM_ZSTD) return ERR_CORRUPT;
    if (check_of(id, form, c.p, c.end - c.p) != crc) return ERR_CORRUPT;
    if (form == FORM_ZSTD) return expand(z, c.p, c.end - c.p, out);
    buf_put(out, c.p, c.end - c.p);
    return out->full ? ERR_LIMIT : ERR_OK;
}

void zip_free(Zip *z) {
    ZSTD_freeCCtx(z->pack);
    ZSTD_freeDCtx(z->unpack);
    *z = (Zip){0};
}
