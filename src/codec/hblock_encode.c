// SPDX-License-Identifier: Apache-2.0
// Bytes of a block (integers little-endian or LEB128; streams and sequences as in hblock_inner.h):
//
//   u32 magic | u8 version | size of the head | head | u32 CRC32C of all before | frames
//   head   u8 cell | u8 flags | batches, sources, points, groups, late | time_min, time_max - time_min
//          | sources: size, bytes | batches: sequences seq, time, source | stream: directory
//   group  (last row - last row before) * 2 + continued | points | first batch, last - first | bytes of the frame
//   frame  u32 CRC32C of what follows | streams: rows without anything before each, points of each, flags of starts
//          | stream: tags | sequences: batches, update times, source times, values
#include "base/check.h"
#include "base/crc32c.h"
#include "codec/hblock_inner.h"

// Points [first, end) of rows [row, last].
typedef struct Frame {
    const HBlockIn *in;
    int64_t first, end;
    int32_t row, last;
    bool continued; // `state` is that of `row`
    HState state;
    int64_t origin; // least time of the block
} Frame;

static const HState NO_STATE;

static const HState *start_of(const Frame *f, int32_t row) {
    if (!f->in->start) return &NO_STATE;
    return f->continued && row == f->row ? &f->state : &f->in->start[row];
}

static uint8_t start_flags(const HState *s) {
    return (uint8_t)((s->valid ? START_VALID : 0) | (s->update_time ? START_UPDATE : 0) |
                     (s->source_time ? START_SOURCE : 0));
}

static uint8_t tag_of(const HPoint *p) {
    return (uint8_t)(p->kind | (p->source_time ? TAG_SOURCE : 0) | (p->update_time ? TAG_UPDATE : 0));
}

// Count what the rows have, and write tags.
static void gather_rows(HWork *w, const Frame *f) {
    FrameRows *r = &w->rows;
    uint8_t *tags = hwork_slot(w, SLOT_TAGS, f->end - f->first);
    int64_t at = f->first;
    r->rows = 0;
    r->points = f->end - f->first;
    for (int32_t row = f->row; row <= f->last; row++) {
        uint8_t flags = start_flags(start_of(f, row));
        if (flags == 0 && (at == f->end || f->in->points[at].row != row)) continue;
        int64_t i = r->rows++, from = at;
        r->row[i] = (uint16_t)row;
        r->flags[i] = flags;
        r->values[i] = flags & START_VALID ? 1 : 0;
        r->updates[i] = flags & START_UPDATE ? 1 : 0;
        r->sources[i] = flags & START_SOURCE ? 1 : 0;
        for (; at < f->end && f->in->points[at].row == row; at++) {
            uint8_t tag = tag_of(&f->in->points[at]);
            tags[at - f->first] = tag;
            r->values[i] += kind_has_value(tag & TAG_KIND);
            r->updates[i] += (tag & TAG_UPDATE) != 0;
            r->sources[i] += (tag & TAG_SOURCE) != 0;
        }
        r->counts[i] = (uint32_t)(at - from);
    }
    CHECK(at == f->end); // ascending by row
}

static SeqRows rows_of(const FrameRows *r, const uint32_t *counts) {
    SeqRows s = {.counts = counts, .rows = r->rows};
    for (int64_t i = 0; i < r->rows; i++) s.total += counts[i];
    return s;
}

static void put_rows(HWork *w, const Frame *f, Buf *out) {
    const FrameRows *r = &w->rows;
    int32_t before = f->row - 1;
    buf_reset(&w->small), buf_reset(&w->params);
    for (int64_t i = 0; i < r->rows; i++) {
        buf_varint(&w->small, (uint64_t)(r->row[i] - before - 1));
        buf_varint(&w->params, r->counts[i]);
        before = r->row[i];
    }
    buf_varint(out, (uint64_t)r->rows);
    stream_put(w, out, w->small.p, w->small.n);
    stream_put(w, out, w->params.p, w->params.n);
    if (f->in->start) stream_put(w, out, r->flags, r->rows);
    stream_put(w, out, w->slot[SLOT_TAGS].p, r->points);
}

static void put_batches(HWork *w, const Frame *f, Buf *out) {
    uint64_t *v = hwork_slot(w, SLOT_BATCHES, w->rows.points * 8);
    const HPoint *p = f->first ? f->in->points + f->first : f->in->points; // there may be none
    for (int64_t i = 0; i < w->rows.points; i++) {
        v[i] = p[i].batch;
    }
    SeqRows rows = rows_of(&w->rows, w->rows.counts);
    seq_put(w, out, v, &rows, 0);
}

// Update times, and source times beside the arrivals they follow.
static void put_times(HWork *w, const Frame *f, Buf *out) {
    const FrameRows *r = &w->rows;
    SeqRows updates = rows_of(r, r->updates), sources = rows_of(r, r->sources);
    int64_t *u = hwork_slot(w, SLOT_UPDATES, updates.total * 8), *s = hwork_slot(w, SLOT_SOURCES, sources.total * 8);
    int64_t *a = hwork_slot(w, SLOT_ARRIVALS, sources.total * 8);
    const HPoint *p = f->first ? f->in->points + f->first : f->in->points; // there may be none
    const HBatch *batches = f->in->batches;
    for (int64_t i = 0; i < r->rows; i++) {
        const HState *start = start_of(f, r->row[i]);
        if (r->flags[i] & START_UPDATE) *u++ = start->update_time;
        if (r->flags[i] & START_SOURCE) *s++ = start->source_time, *a++ = start->update_time;
        for (uint32_t k = 0; k < r->counts[i]; k++, p++) {
            if (p->update_time) *u++ = p->update_time;
            if (p->source_time) *s++ = p->source_time, *a++ = batches[p->batch].time;
        }
    }
    seq_put(w, out, w->slot[SLOT_UPDATES].p, &updates, (uint64_t)f->origin);
    time_put(w, out, w->slot[SLOT_SOURCES].p, w->slot[SLOT_ARRIVALS].p, &sources, f->origin);
}

static void put_texts(HWork *w, const Frame *f, Buf *out) {
    const FrameRows *r = &w->rows;
    SeqRows rows = rows_of(r, r->values);
    uint64_t *ids = hwork_slot(w, SLOT_VALUES, rows.total * 8);
    Str *texts = hwork_slot(w, SLOT_STRS, rows.total * (int64_t)sizeof *texts);
    const HPoint *p = f->first ? f->in->points + f->first : f->in->points; // there may be none
    int64_t n = 0;
    for (int64_t i = 0; i < r->rows; i++) {
        if (r->flags[i] & START_VALID) texts[n++] = start_of(f, r->row[i])->text;
        for (uint32_t k = 0; k < r->counts[i]; k++, p++) {
            if (kind_has_value(p->kind)) texts[n++] = p->text;
        }
    }
    texts_put(w, out, texts, n, ids);
    seq_put(w, out, ids, &rows, 0);
}

static void put_values(HWork *w, const Frame *f, Buf *out) {
    const FrameRows *r = &w->rows;
    SeqRows rows = rows_of(r, r->values);
    uint64_t *v = hwork_slot(w, SLOT_VALUES, rows.total * 8);
    const HPoint *p = f->first ? f->in->points + f->first : f->in->points; // there may be none
    int64_t n = 0;
    for (int64_t i = 0; i < r->rows; i++) {
        if (r->flags[i] & START_VALID) v[n++] = start_of(f, r->row[i])->bits;
        for (uint32_t k = 0; k < r->counts[i]; k++, p++) {
            if (kind_has_value(p->kind)) v[n++] = p->bits;
        }
    }
    if (f->in->cell == HCELL_F64) f64_put(w, out, v, &rows);
    else seq_put(w, out, v, &rows, 0);
}

static void put_group(HWork *w, const Frame *f, int32_t row_before, int64_t size) {
    uint32_t first = UINT32_MAX, last = 0;
    for (int64_t i = f->first; i < f->end; i++) {
        uint32_t b = f->in->points[i].batch;
        if (b < first) first = b;
        if (b > last) last = b;
    }
    if (f->first == f->end) first = 0;
    buf_varint(&w->directory, (uint64_t)(f->last - row_before) * 2 + (f->continued ? 1 : 0));
    buf_varint(&w->directory, (uint64_t)(f->end - f->first));
    buf_varint(&w->directory, first);
    buf_varint(&w->directory, last - first);
    buf_varint(&w->directory, (uint64_t)size);
}

static void put_frame(HWork *w, const Frame *f, int32_t row_before) {
    Buf *out = &w->frame;
    buf_reset(out);
    gather_rows(w, f);
    put_rows(w, f, out);
    put_batches(w, f, out);
    put_times(w, f, out);
    if (f->in->cell == HCELL_TEXT) put_texts(w, f, out);
    else put_values(w, f, out);
    if (out->full) w->frames.full = true;
    put_group(w, f, row_before, out->n + 4);
    buf_u32(&w->frames, crc32c(0, out->p, out->n));
    buf_str_put(&w->frames, buf_str(out));
}

// ---- cutting into frames -------------------------------------------------------------------------------------------

// How many points of the row at `at` go into one frame: all of them, or a part. *text: their bytes.
static int64_t take_row(const HBlockIn *in, int64_t at, int32_t row, int64_t *text) {
    int64_t n = 0;
    *text = 0;
    for (; at + n < in->count && in->points[at + n].row == row && n < 2 * HBLOCK_FRAME_POINTS; n++) {
        if (in->cell != HCELL_TEXT) continue;
        int64_t bytes = in->points[at + n].text.n;
        if (n && *text + bytes > HBLOCK_FRAME_TEXT) return n;
        *text += bytes;
    }
    return n < 2 * HBLOCK_FRAME_POINTS ? n : HBLOCK_FRAME_POINTS;
}

// The state of the frame's last row behind its points.
static HState state_behind(const Frame *f) {
    HState s = *start_of(f, f->last);
    int64_t at = f->end;
    while (at > f->first && f->in->points[at - 1].row == f->last) at--;
    for (; at < f->end && f->in->start; at++) {
        const HPoint *p = &f->in->points[at];
        hstate_apply(&s, p, f->in->batches[p->batch].time);
    }
    return s;
}

static bool within_row(const HBlockIn *in, int64_t at) {
    return at > 0 && at < in->count && in->points[at].row == in->points[at - 1].row;
}

// From the frame before (last -1: none) to the next one; false: everything is in frames.
static bool next_frame(const HBlockIn *in, Frame *f) {
    Frame next = {.in = in, .first = f->end, .end = f->end, .row = f->last + 1, .origin = f->origin};
    if (within_row(in, f->end)) {
        next.continued = true;
        next.row = f->last;
        next.state = state_behind(f);
    }
    if (next.row >= HBLOCK_ROWS || (next.end == in->count && !in->start)) return false;
    next.last = next.row;
    for (int64_t bytes = 0, text; next.last < HBLOCK_ROWS; next.last++) {
        int64_t n = take_row(in, next.end, next.last, &text);
        bytes += text + (in->start ? in->start[next.last].text.n : 0);
        bool full = next.end - next.first + n > 2 * HBLOCK_FRAME_POINTS || bytes > 2 * HBLOCK_FRAME_TEXT;
        if (full && next.last > next.row) break;
        next.end += n;
        if (within_row(in, next.end) || next.end - next.first >= HBLOCK_FRAME_POINTS || bytes >= HBLOCK_FRAME_TEXT) {
            next.last++;
            break;
        }
    }
    next.last--;
    *f = next;
    return true;
}

static int64_t put_frames(HWork *w, const HBlockIn *in, int64_t origin) {
    int64_t groups = 0;
    Frame f = {.in = in, .last = -1, .origin = origin};
    for (int32_t before = -1; next_frame(in, &f); before = f.last) {
        put_frame(w, &f, before);
        groups++;
    }
    CHECK(f.end == in->count); // ascending by row, rows < HBLOCK_ROWS
    return groups;
}

// ---- head ----------------------------------------------------------------------------------------------------------

static void put_batch_table(HWork *w, const HBlockIn *in, int64_t origin, Buf *out) {
    uint64_t *v = hwork_slot(w, SLOT_NUMBERS, in->batch_count * 8);
    uint32_t count = (uint32_t)in->batch_count;
    SeqRows rows = {.counts = &count, .rows = 1, .total = in->batch_count};
    for (int64_t i = 0; i < in->batch_count; i++) {
        CHECK(i == 0 || in->batches[i].seq > in->batches[i - 1].seq);
        v[i] = in->batches[i].seq;
    }
    seq_put(w, out, v, &rows, 0);
    for (int64_t i = 0; i < in->batch_count; i++) v[i] = (uint64_t)in->batches[i].time;
    seq_put(w, out, v, &rows, (uint64_t)origin);
    for (int64_t i = 0; i < in->batch_count; i++) {
        CHECK(in->batches[i].source < (uint64_t)in->source_count);
        v[i] = in->batches[i].source;
    }
    seq_put(w, out, v, &rows, 0);
}

// What the head says of all points.
typedef struct Sums {
    int64_t min, max, late;
} Sums;

static Sums sums_of(const HBlockIn *in) {
    Sums s = {INT64_MAX, INT64_MIN, 0};
    for (int64_t i = 0; i < in->count; i++) {
        const HPoint *p = &in->points[i];
        CHECK(p->batch < (uint64_t)in->batch_count);
        int64_t t = p->source_time ? p->source_time : in->batches[p->batch].time;
        if (t < s.min) s.min = t;
        if (t > s.max) s.max = t;
        s.late += p->kind == HPOINT_LATE;
    }
    if (in->count == 0) s.min = s.max = 0;
    return s;
}

void hblock_encode(HWork *w, const HBlockIn *in, Buf *out) {
    CHECK(in->cell >= HCELL_F64 && in->cell <= HCELL_TEXT);
    CHECK(in->count >= 0 && in->count <= HBLOCK_POINTS_MAX);
    CHECK(in->batch_count >= 0 && in->batch_count <= HBLOCK_POINTS_MAX);
    w->level = in->level > 0 ? in->level : 1;
    buf_reset(&w->frames), buf_reset(&w->directory), buf_reset(&w->head);
    Sums sums = sums_of(in);
    int64_t groups = put_frames(w, in, sums.min), at = out->n;
    Buf *head = &w->head;
    buf_byte(head, (char)in->cell);
    buf_byte(head, in->start ? HEAD_START : 0);
    buf_varint(head, (uint64_t)in->batch_count);
    buf_varint(head, (uint64_t)in->source_count);
    buf_varint(head, (uint64_t)in->count);
    buf_varint(head, (uint64_t)groups);
    buf_varint(head, (uint64_t)sums.late);
    buf_varint_signed(head, sums.min);
    buf_varint(head, (uint64_t)sums.max - (uint64_t)sums.min);
    for (int64_t i = 0; i < in->source_count; i++) {
        buf_varint(head, (uint64_t)in->sources[i].n);
        buf_str_put(head, in->sources[i]);
    }
    w->in_head = true;
    put_batch_table(w, in, sums.min, head);
    w->in_head = false;
    stream_put(w, head, w->directory.p, w->directory.n);
    buf_u32(out, HBLOCK_MAGIC);
    buf_byte(out, HBLOCK_VERSION);
    buf_varint(out, (uint64_t)head->n);
    buf_str_put(out, buf_str(head));
    if (!out->full) buf_u32(out, crc32c(0, out->p + at, out->n - at));
    buf_str_put(out, buf_str(&w->frames));
    if (w->frames.full || head->full) out->full = true;
}
