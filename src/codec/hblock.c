// SPDX-License-Identifier: Apache-2.0
#include "codec/hblock.h"
#include <zstd.h>
#include "base/check.h"
#include "base/mem.h"
#include "codec/hblock_inner.h"

#define SLOT_PAD 16
#define STREAM_ZSTD_MIN 24    // bytes: shorter ones gain nothing
#define STREAM_YOUNG_MIN 2048 // bytes: in young blocks shorter ones must become a third; they are soon read
#define STREAM_TWICE_MIN 1024 // longer ones are worth a second try, and a third
#define RANS_GAIN 64          // it takes longer to read: for one in so many bytes at least

enum { STREAM_RAW, STREAM_SAME, STREAM_ZSTD, STREAM_RANS };

HWork *hwork_new(void) { return mem_alloc(sizeof(HWork)); }

void hwork_free(HWork *w) {
    if (!w) return;
    ZSTD_freeCCtx(w->pack);
    ZSTD_freeDCtx(w->unpack);
    for (int i = 0; i < SLOT_COUNT; i++) mem_free(w->slot[i].p);
    Buf *bufs[] = {&w->frames, &w->directory, &w->head,  &w->params, &w->modes,
                   &w->odd,    &w->odd_at,    &w->small, &w->packed, &w->frame};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) buf_free(bufs[i]);
    mem_free(w);
}

void *hwork_slot(HWork *w, Slot s, int64_t bytes) {
    if (w->slot[s].cap < bytes || !w->slot[s].p) {
        int64_t cap = bytes + bytes / 4 + 64;
        mem_free(w->slot[s].p);
        w->slot[s].p = mem_alloc((size_t)(cap + SLOT_PAD));
        w->slot[s].cap = cap;
    }
    return w->slot[s].p;
}

static bool all_same(const uint8_t *p, int64_t n) { return memcmp(p, p + 1, (size_t)(n - 1)) == 0; }

static void stream_head(Buf *out, int64_t n, unsigned method) { buf_varint(out, (uint64_t)n << 2 | method); }

// zstd at a level; few: only matches of 7 bytes and more, so that what is mostly noise is left to the Huffman stage.
static int64_t zstd(HWork *w, Slot slot, const void *p, int64_t n, int level, bool few) {
    int64_t bound = (int64_t)ZSTD_compressBound((size_t)n);
    char *to = hwork_slot(w, slot, bound);
    if (!w->pack) {
        w->pack = ZSTD_createCCtx();
        CHECK(w->pack);
        CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(w->pack, ZSTD_c_contentSizeFlag, 0)));
    }
    CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(w->pack, ZSTD_c_compressionLevel, level)));
    CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(w->pack, ZSTD_c_minMatch, few ? 7 : 0)));
    size_t size = ZSTD_compress2(w->pack, to, (size_t)bound, p, (size_t)n);
    CHECK(!ZSTD_isError(size));
    return (int64_t)size;
}

// True when it was packed and is smaller that way.
static bool put_packed(HWork *w, Buf *out, const void *p, int64_t n) {
    Slot slot = SLOT_PACKED;
    const uint8_t *rans;
    int64_t size = zstd(w, slot, p, n, w->level, false);
    w->repeats = true;
    if (w->level > 1 && n >= STREAM_TWICE_MIN) {
        int64_t other = zstd(w, SLOT_PACKED_TOO, p, n, 1, size > n / 4);
        if (other < size) size = other, slot = SLOT_PACKED_TOO;
        w->repeats = size < rans_least(p, n);
        other = rans_put(w, p, n, (size < n ? size : n) - size / RANS_GAIN - 2, &rans);
        if (other) {
            stream_head(out, n, STREAM_RANS);
            buf_varint(out, (uint64_t)other);
            buf_put(out, rans, other);
            return true;
        }
    }
    if (size + 2 >= n || (w->level < 2 && n < STREAM_YOUNG_MIN && size > n / 3)) return false;
    stream_head(out, n, STREAM_ZSTD);
    buf_varint(out, (uint64_t)size);
    buf_put(out, w->slot[slot].p, size);
    return true;
}

void stream_put(HWork *w, Buf *out, const void *p, int64_t n) {
    CHECK(n >= 0);
    if (n > 1 && all_same(p, n)) {
        stream_head(out, n, STREAM_SAME);
        buf_put(out, p, 1);
        return;
    }
    if (n >= STREAM_ZSTD_MIN && put_packed(w, out, p, n)) return;
    stream_head(out, n, STREAM_RAW);
    buf_put(out, p, n);
}

static Str unpack(HWork *w, Str packed, Slot slot, int64_t n, Cut *c) {
    if (!w->unpack) {
        w->unpack = ZSTD_createDCtx();
        CHECK(w->unpack);
    }
    char *to = hwork_slot(w, slot, n);
    size_t got = ZSTD_decompressDCtx(w->unpack, to, (size_t)n, packed.p, (size_t)packed.n);
    if (ZSTD_isError(got) || (int64_t)got != n) c->bad = true;
    return c->bad ? (Str){0} : (Str){to, n};
}

static Str unrans(HWork *w, Str packed, Slot slot, int64_t n, Cut *c) {
    uint8_t *to = hwork_slot(w, slot, n);
    Cut from = cut_of(packed);
    rans_get(&from, to, n);
    c->bad |= from.bad;
    return c->bad ? (Str){0} : (Str){(char *)to, n};
}

Str stream_get(HWork *w, Cut *c, Slot slot, int64_t max) {
    uint64_t head = cut_varint(c), n = head >> 2;
    if (c->bad || n > (uint64_t)max) {
        c->bad = true;
        return (Str){0};
    }
    switch (head & 3) {
    case STREAM_RAW: return cut_bytes(c, (int64_t)n);
    case STREAM_SAME: {
        uint8_t byte = cut_byte(c);
        char *to = hwork_slot(w, slot, (int64_t)n);
        memset(to, byte, n);
        return c->bad ? (Str){0} : (Str){to, (int64_t)n};
    }
    default: {
        uint64_t size = cut_varint(c);
        if (size > (uint64_t)(c->end - c->p)) c->bad = true;
        Str packed = cut_bytes(c, c->bad ? 0 : (int64_t)size);
        if (c->bad) return (Str){0};
        return (head & 3) == STREAM_ZSTD ? unpack(w, packed, slot, (int64_t)n, c)
                                         : unrans(w, packed, slot, (int64_t)n, c);
    }
    }
}

void stream_skip(Cut *c) {
    uint64_t head = cut_varint(c), n = head >> 2;
    if ((head & 3) == STREAM_SAME) n = 1;
    else if ((head & 3) != STREAM_RAW) n = cut_varint(c);
    if (n > (uint64_t)(c->end - c->p)) c->bad = true;
    if (!c->bad) cut_bytes(c, (int64_t)n);
}

Str stream_get_exact(HWork *w, Cut *c, Slot slot, int64_t n) {
    Str s = stream_get(w, c, slot, n);
    if (s.n != n) c->bad = true;
    return c->bad ? (Str){0} : s;
}
