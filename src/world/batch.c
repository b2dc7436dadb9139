// SPDX-License-Identifier: Apache-2.0
#include "world/batch.h"

//   change: kind u8 (SET, LINK_SET: + FRESH), then the fields that kind has, in the order of struct Change; varints,
//   texts with their length, doubles and other bits as 8 bytes where they are doubles, as signed varints where they are
//   integers.

enum { HAS_COL = 1, HAS_ID = 2, HAS_ENDS = 4, HAS_VALUE = 8, HAS_TEXT = 16, HAS_TIME = 32, HAS_BITS = 64 };

#define FRESH 0x80 // in the byte of the kind; batches of old files do not have it

static bool may_be_fresh(uint8_t kind) { return kind == CHANGE_SET || kind == CHANGE_LINK_SET; }

static const uint8_t parts[CHANGE_KIND_COUNT] = {
    [CHANGE_MODELS_ADD] = HAS_TEXT,
    [CHANGE_MODEL_REMOVE] = HAS_TEXT,
    [CHANGE_MODEL_FLAG] = HAS_TEXT | HAS_BITS,
    [CHANGE_TWIN_NEW] = HAS_ID | HAS_COL | HAS_TEXT,
    [CHANGE_TWIN_DEL] = HAS_ID | HAS_TEXT,
    [CHANGE_TWIN_MODEL] = HAS_ID | HAS_COL,
    [CHANGE_SET] = HAS_ID | HAS_COL | HAS_VALUE | HAS_TIME,
    [CHANGE_UNSET] = HAS_ID | HAS_COL,
    [CHANGE_SOURCE_TIME] = HAS_ID | HAS_COL | HAS_TIME,
    [CHANGE_LINK_NEW] = HAS_ID | HAS_COL | HAS_ENDS | HAS_TEXT,
    [CHANGE_LINK_DEL] = HAS_ID | HAS_COL | HAS_ENDS | HAS_TEXT,
    [CHANGE_LINK_SET] = HAS_ID | HAS_COL | HAS_VALUE,
    [CHANGE_LINK_UNSET] = HAS_ID | HAS_COL,
    [CHANGE_TELEMETRY] = HAS_ID | HAS_TEXT | HAS_TIME,
    [CHANGE_LATE] = HAS_ID | HAS_COL | HAS_VALUE | HAS_TIME,
    [CHANGE_DOC] = HAS_TEXT,
    [CHANGE_TICK] = 0,
    [CHANGE_TWIN_WAS] = HAS_ID | HAS_COL | HAS_TEXT,
    [CHANGE_LINK_WAS] = HAS_ID | HAS_TEXT,
    [CHANGE_LINK_AT] = HAS_ID | HAS_COL | HAS_ENDS | HAS_TEXT,
    [CHANGE_ERASED] = HAS_ID | HAS_TEXT,
};

static void text_encode(Str s, Buf *out) {
    buf_varint(out, (uint64_t)s.n);
    buf_str_put(out, s);
}

static Str text_decode(Cut *c) {
    uint64_t n = cut_varint(c);
    if (n > (uint64_t)(c->end - c->p)) c->bad = true;
    return cut_bytes(c, c->bad ? 0 : (int64_t)n);
}

static void value_encode(const Change *c, Buf *out) {
    buf_byte(out, (char)c->cell);
    if (cell_is_text(c->cell)) text_encode(c->text, out);
    else if (c->cell == CELL_F64) buf_u64(out, c->bits);
    else buf_varint_signed(out, (int64_t)c->bits);
}

static void value_decode(Cut *c, Change *out) {
    out->cell = cut_byte(c);
    if (out->cell > CELL_COMPONENT) c->bad = true;
    else if (cell_is_text(out->cell)) out->text = text_decode(c);
    else if (out->cell == CELL_F64) out->bits = cut_u64(c);
    else out->bits = (uint64_t)cut_varint_signed(c);
}

void change_encode(const Change *c, Buf *out) {
    uint8_t has = parts[c->kind];
    buf_byte(out, (char)(c->kind | (c->fresh && may_be_fresh(c->kind) ? FRESH : 0)));
    if (has & HAS_COL) buf_varint(out, c->col);
    if (has & HAS_ID) buf_varint(out, c->id);
    if (has & HAS_ENDS) {
        buf_varint(out, c->other);
        buf_varint(out, c->target);
    }
    if (has & HAS_BITS) buf_varint(out, c->bits);
    if (has & HAS_VALUE) value_encode(c, out);
    if (has & HAS_TEXT) text_encode(c->text, out);
    if (has & HAS_TIME) buf_varint_signed(out, c->source_time);
}

Err change_decode(Cut *c, Change *out) {
    uint8_t first = cut_byte(c);
    Change x = {.kind = (uint8_t)(first & (FRESH - 1)), .fresh = (first & FRESH) != 0};
    if (x.kind == 0 || x.kind >= CHANGE_KIND_COUNT || (x.fresh && !may_be_fresh(x.kind))) return ERR_CORRUPT;
    uint8_t has = parts[x.kind];
    if (has & HAS_COL) {
        uint64_t col = cut_varint(c);
        if (col > UINT32_MAX) return ERR_CORRUPT;
        x.col = (uint32_t)col;
    }
    if (has & HAS_ID) x.id = cut_varint(c);
    if (has & HAS_ENDS) {
        x.other = cut_varint(c);
        x.target = cut_varint(c);
    }
    if (has & HAS_BITS) x.bits = cut_varint(c);
    if (has & HAS_VALUE) value_decode(c, &x);
    if (has & HAS_TEXT) x.text = text_decode(c);
    if (has & HAS_TIME) x.source_time = cut_varint_signed(c);
    if (c->bad) return ERR_CORRUPT;
    *out = x;
    return ERR_OK;
}

void batch_encode(const BatchHead *head, Str changes, Buf *out) {
    buf_varint(out, head->seq);
    buf_varint_signed(out, head->time);
    text_encode(head->source, out);
    buf_varint(out, (uint64_t)head->count);
    buf_str_put(out, changes);
}

Err batch_decode(Cut *c, BatchHead *head) {
    BatchHead h = {.seq = cut_varint(c), .time = cut_varint_signed(c)};
    h.source = text_decode(c);
    uint64_t count = cut_varint(c);
    if (c->bad || count > (uint64_t)(c->end - c->p)) return ERR_CORRUPT; // a change takes at least one byte
    h.count = (int64_t)count;
    *head = h;
    return ERR_OK;
}
