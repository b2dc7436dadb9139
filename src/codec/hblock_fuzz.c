// SPDX-License-Identifier: Apache-2.0
// First byte even: the rest is a block whose checks are set right, so that what lies behind them is reached; what can
// be read is written and read again, and is the same. Odd: the rest are points, which come back as they were.
#include "base/check.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "codec/hblock_inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define POINTS_MAX 20000

static void same(const HPoint *a, const HPoint *b, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        CHECK(a[i].batch == b[i].batch && a[i].row == b[i].row && a[i].kind == b[i].kind);
        CHECK(a[i].source_time == b[i].source_time && a[i].update_time == b[i].update_time);
        CHECK(a[i].bits == b[i].bits && str_eq(a[i].text, b[i].text));
    }
}

static void same_states(const HState *a, const HState *b) {
    for (int r = 0; r < HBLOCK_ROWS; r++) {
        CHECK(a[r].valid == b[r].valid && a[r].bits == b[r].bits && str_eq(a[r].text, b[r].text));
        CHECK(a[r].update_time == b[r].update_time && a[r].source_time == b[r].source_time);
    }
}

// Write, read, compare; any row alone.
static void round_trip(HWork *w, const HBlockIn *in, Arena *keep) {
    Buf out = {0};
    HBlock b;
    const HPoint *p;
    int64_t n;
    HState *start = NEW(keep, HState, HBLOCK_ROWS);
    hblock_encode(w, in, &out);
    CHECK(hblock_open(w, buf_str(&out), keep, &b) == ERR_OK);
    CHECK(hblock_rows(w, &b, 0, HBLOCK_ROWS - 1, keep, &p, &n, start) == ERR_OK);
    CHECK(n == in->count && b.batch_count == in->batch_count);
    same(p, in->points, n);
    if (in->start) same_states(start, in->start);
    if (n) {
        const HPoint *one;
        int64_t count, at = n / 2;
        while (at > 0 && p[at - 1].row == p[at].row) at--;
        CHECK(hblock_rows(w, &b, p[at].row, p[at].row, keep, &one, &count, NULL) == ERR_OK);
        CHECK(at + count <= n);
        same(one, p + at, count);
    }
    buf_free(&out);
}

static void put_u32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }

// Set the check of the head right; false when there is none.
static bool mend_head(uint8_t *p, int64_t n) {
    Cut c = cut_of((Str){(char *)p, n});
    cut_u32(&c), cut_byte(&c);
    uint64_t head = cut_varint(&c);
    int64_t at = (int64_t)(c.p - p);
    if (c.bad || head > (uint64_t)(n - at) || n - at - (int64_t)head < 4) return false;
    put_u32(p + at + head, crc32c(0, p, at + (int64_t)head));
    return true;
}

static void told(void *ctx, const HPoint *p, int64_t n) { CHECK(!ctx && n > 0 && p[n - 1].row == p[0].row); }

static void hostile(HWork *w, uint8_t *bytes, int64_t n) {
    Arena keep;
    HBlock b;
    Buf why = {0};
    arena_init(&keep, 0);
    if (mend_head(bytes, n) && hblock_open(w, (Str){(char *)bytes, n}, &keep, &b) == ERR_OK && b.count <= POINTS_MAX) {
        const HGroup *g = b.directory;
        const HPoint *p;
        int64_t count;
        HState *start = NEW(&keep, HState, HBLOCK_ROWS);
        for (int32_t i = 0; i < b.groups; i++) put_u32(bytes + g[i].at, crc32c(0, bytes + g[i].at + 4, g[i].size - 4));
        if (hblock_rows(w, &b, 0, HBLOCK_ROWS - 1, &keep, &p, &count, start) == ERR_OK) {
            CHECK(count == b.count);
            HBlockIn in = {b.cell,           b.batches, b.batch_count, b.sources,
                           b.source_count,   p,         count,         b.has_start ? start : NULL,
                           count % 2 ? 3 : 0};
            round_trip(w, &in, &keep);
        }
        uint8_t some[HBLOCK_ROWS], open[HBLOCK_ROWS];
        for (int32_t i = 0; i < HBLOCK_ROWS; i++) some[i] = i % 7 == 0, open[i] = (uint8_t)(i % 4);
        int64_t at = b.batch_count ? b.batches[b.batch_count / 2].time : 0;
        (void)!hblock_pick(w, &b, some, &keep, &p, &count, start);
        (void)!hblock_each(w, &b, some, &keep, &(HBlockEach){.fn = told, .start = start});
        (void)!hblock_known(w, &b, at, &keep, open, start);
        (void)!hblock_verify(w, (Str){(char *)bytes, n}, &why);
    }
    buf_free(&why);
    arena_free(&keep);
}

// A point is a row step, a batch step, a kind and 8 bytes of value; all of them bytes of the input.
static void points(HWork *w, Cut c) {
    Arena keep;
    arena_init(&keep, 0);
    HPoint *p = NEW(&keep, HPoint, c.end - c.p + 1);
    HBatch batches[256];
    for (int i = 0; i < 256; i++)
        batches[i] = (HBatch){(uint64_t)(i * i + 1), 1700000000000000000 + i * 1000000007LL, 0};
    static const Str SOURCE = {"s", 1};
    HBlockIn in = {(HCell)(HCELL_F64 + cut_byte(&c) % 5), batches, 256, &SOURCE, 1, p, 0, NULL, 0};
    unsigned row = 0, batch = 0;
    while (c.p < c.end && row < HBLOCK_ROWS) {
        unsigned how = cut_byte(&c), step = how >> 4 & 3;
        HPoint *to = &p[in.count];
        *to = (HPoint){.batch = batch, .row = (uint16_t)row, .kind = (uint8_t)(1 + (how & 7) % 5)};
        if (how & 8) to->source_time = 1700000000000000000 + (int64_t)in.count * 1000000000 + cut_byte(&c);
        if (to->kind == HPOINT_MOVED) to->update_time = cut_byte(&c);
        if (kind_has_value(to->kind) && in.cell == HCELL_TEXT)
            to->text = cut_bytes(&c, (how & 7) < c.end - c.p ? how & 7 : 0);
        else if (kind_has_value(to->kind)) to->bits = c.end - c.p < 8 ? 0 : cut_u64(&c);
        in.count++;
        batch += cut_byte(&c) & 7;
        if (step == 3 || batch > 255) row += 1 + cut_byte(&c) % 7, batch = 0;
    }
    in.level = in.count % 2 ? 3 : 0;
    round_trip(w, &in, &keep);
    arena_free(&keep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 65536) return 0;
    HWork *w = hwork_new();
    int64_t n = (int64_t)size - 1;
    uint8_t *copy = mem_alloc((size_t)n);
    memcpy(copy, data + 1, (size_t)n);
    if (data[0] % 2) points(w, cut_of((Str){(char *)copy, n}));
    else hostile(w, copy, n);
    mem_free(copy);
    hwork_free(w);
    return 0;
}
