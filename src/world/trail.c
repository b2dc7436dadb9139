// SPDX-License-Identifier: Apache-2.0
// A record: head, then the update time (MOVED) or the text (its length stands in `bits`).
#include "world/trail.h"
#include "base/check.h"
#include "world/core.h"

_Static_assert(HOT_PLACE == 0 && COLD_NAME == 0 && LINK_SOURCE == 0 && LINK_TARGET == 1 && LINK_RID == 2 &&
                   TABLE_SHIFT == 40 && LANE_ID_MASK == ID_MAX,
               "trail.h says where these words lie");

#define TRAIL_BYTES_MAX ((int64_t)1 << 36) // of one batch

typedef struct TrailHead {
    uint8_t kind, cell, word, spare;
    uint32_t vec;
    uint64_t row;
    uint64_t bits;
    int64_t source_time;
} TrailHead;

_Static_assert(sizeof(TrailHead) == 32, "heads are 32 bytes");

static bool has_text(uint8_t kind, uint8_t cell) {
    switch ((TrailKind)kind) {
    case TRAIL_TEXT:
    case TRAIL_TELEMETRY:
    case TRAIL_DEAD: return true;
    case TRAIL_PUT:
    case TRAIL_MOVED:
    case TRAIL_LATE: return cell_is_text((CellKind)cell);
    case TRAIL_WORD:
    case TRAIL_CLEAR:
    case TRAIL_SOURCE:
    case TRAIL_KIND_COUNT: break;
    }
    return false;
}

void trail_put(Buf *b, const TrailPoint *p) {
    bool text = has_text(p->kind, p->cell), moved = p->kind == TRAIL_MOVED;
    int64_t need = (int64_t)sizeof(TrailHead) + 8 * moved + (text ? p->text.n : 0);
    if (b->full || (b->cap - b->n < need && !buf_reserve(b, need))) return;
    TrailHead h = {.kind = p->kind,
                   .cell = p->cell,
                   .word = p->word,
                   .vec = p->vec,
                   .row = p->row,
                   .bits = text ? (uint64_t)p->text.n : p->bits,
                   .source_time = p->source_time};
    char *at = b->p + b->n;
    memcpy(at, &h, sizeof h);
    at += sizeof h;
    if (moved) memcpy(at, &p->update_time, 8);
    if (text && p->text.n) memcpy(at + 8 * moved, p->text.p, (size_t)p->text.n);
    b->n += need;
}

bool trail_next(Cut *c, TrailPoint *out) {
    TrailHead h;
    if (c->p == c->end) return false;
    CHECK(c->end - c->p >= (int64_t)sizeof h);
    memcpy(&h, c->p, sizeof h);
    c->p += sizeof h;
    CHECK(h.kind > 0 && h.kind < TRAIL_KIND_COUNT);
    *out = (TrailPoint){.kind = h.kind,
                        .cell = h.cell,
                        .word = h.word,
                        .vec = h.vec,
                        .row = h.row,
                        .bits = h.bits,
                        .source_time = h.source_time};
    if (h.kind == TRAIL_MOVED) out->update_time = (int64_t)cut_u64(c);
    if (has_text(h.kind, h.cell)) {
        out->text = cut_bytes(c, (int64_t)h.bits);
        out->bits = 0;
    }
    CHECK(!c->bad);
    return true;
}

// ---- what a world tells ----

void trail_tell(World *w, const TrailPoint *p) {
    w->trail.max = TRAIL_BYTES_MAX;
    trail_put(&w->trail, p);
}

// The time of a twin is told where it is no plain SET that moves it, see twin.c.
static bool untold(uint32_t vec, uint64_t row, uint32_t k) {
    return (vec == VECNO_META && row <= META_TIME) || (vec == VECNO_HOT && k == HOT_TIME);
}

void trail_word(World *w, uint32_t vec, uint64_t row, uint32_t k, uint64_t bits) {
    if (untold(vec, row, k)) return;
    trail_tell(w, &(TrailPoint){.kind = TRAIL_WORD, .vec = vec, .word = (uint8_t)k, .row = row, .bits = bits});
}

void trail_text(World *w, uint32_t vec, uint64_t row, uint32_t k, Text t) {
    trail_tell(w, &(TrailPoint){.kind = TRAIL_TEXT, .vec = vec, .word = (uint8_t)k, .row = row, .text = text_str(&t)});
}

void world_keep_trail(World *w, bool keep) {
    CHECK(!w->open);
    w->keep_trail = keep;
    buf_reset(&w->trail);
}

Str world_trail(const World *w) { return buf_str(&w->trail); }

void world_take_trail(World *w, Buf *out) {
    Buf mine = w->trail;
    w->trail = *out;
    *out = mine;
    buf_reset(&w->trail);
}
