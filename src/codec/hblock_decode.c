// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "base/crc32c.h"
#include "codec/hblock_inner.h"

#define HEAD_BYTES_MAX ((uint64_t)1 << 30) // as texts of sources go

// ---- head ----------------------------------------------------------------------------------------------------------

static bool version_ok(uint8_t version) { return version >= HBLOCK_VERSION_OLDEST && version <= HBLOCK_VERSION; }

static bool open_head(Str bytes, Cut *head, int64_t *frames_at) {
    Cut c = cut_of(bytes);
    if (cut_u32(&c) != HBLOCK_MAGIC || !version_ok(cut_byte(&c))) return false;
    uint64_t n = cut_varint(&c);
    if (c.bad || n > (uint64_t)(c.end - c.p)) return false;
    *head = cut_of(cut_bytes(&c, (int64_t)n));
    int64_t checked = (int64_t)(c.p - (const uint8_t *)bytes.p);
    if (cut_u32(&c) != crc32c(0, bytes.p, checked) || c.bad) return false;
    *frames_at = checked + 4;
    return true;
}

// A count of things that are all worth at least a point; bad beyond the limit.
static int64_t get_count(Cut *c) {
    uint64_t n = cut_varint(c);
    if (n > HBLOCK_POINTS_MAX) c->bad = true;
    return c->bad ? 0 : (int64_t)n;
}

static void get_sums(Cut *c, HBlock *b) {
    b->cell = (HCell)cut_byte(c);
    uint8_t flags = cut_byte(c);
    if (b->cell < HCELL_F64 || b->cell > HCELL_TEXT || flags > HEAD_START) c->bad = true;
    b->has_start = flags & HEAD_START;
    b->batch_count = get_count(c);
    b->source_count = get_count(c);
    b->count = get_count(c);
    b->groups = (int32_t)get_count(c);
    b->late = get_count(c);
    b->time_min = cut_varint_signed(c);
    b->time_max = (int64_t)((uint64_t)b->time_min + cut_varint(c));
    if (b->late > b->count || b->source_count > c->end - c->p || b->time_max < b->time_min) c->bad = true;
}

static void get_sources(Cut *c, HBlock *b, Arena *keep) {
    Str *sources = NEW(keep, Str, b->source_count);
    for (int64_t i = 0; i < b->source_count; i++) {
        uint64_t n = cut_varint(c);
        if (n > (uint64_t)(c->end - c->p)) c->bad = true;
        if (c->bad) return;
        sources[i] = cut_bytes(c, (int64_t)n);
    }
    b->sources = sources;
}

static void get_batches(HWork *w, Cut *c, HBlock *b, Arena *keep) {
    int64_t n = b->batch_count;
    HBatch *batches = NEW(keep, HBatch, n);
    uint64_t *seq = hwork_slot(w, SLOT_NUMBERS, 3 * n * 8), *time = seq + n, *source = time + n;
    uint32_t count = (uint32_t)n;
    SeqRows rows = {.counts = &count, .rows = 1, .total = n};
    seq_get(w, c, seq, &rows, 0);
    if (!c->bad) seq_get(w, c, time, &rows, (uint64_t)b->time_min);
    if (!c->bad) seq_get(w, c, source, &rows, 0);
    if (c->bad || n == 0) return;
    bool bad = source[0] >= (uint64_t)b->source_count;
    batches[0] = (HBatch){seq[0], (int64_t)time[0], (uint32_t)source[0]};
    for (int64_t i = 1; i < n; i++) {
        batches[i] = (HBatch){seq[i], (int64_t)time[i], (uint32_t)source[i]};
        bad |= seq[i] <= seq[i - 1] || source[i] >= (uint64_t)b->source_count;
    }
    c->bad = bad;
    b->batches = batches;
}

// Returns where the rows so far end; -1: bad.
static int32_t get_group(Cut *c, const HBlock *b, int32_t last, HGroup *g) {
    uint64_t rows = cut_varint(c), points = cut_varint(c), first = cut_varint(c), span = cut_varint(c);
    uint64_t size = cut_varint(c);
    g->continued = rows & 1;
    rows >>= 1;
    bool ok = !c->bad && rows < HBLOCK_ROWS + 1 && (int64_t)rows + last < HBLOCK_ROWS;
    ok = ok && (g->continued ? last >= 0 : rows > 0) && points <= (uint64_t)b->count && size >= 4 &&
         size <= (uint64_t)b->size;
    ok = ok && first <= HBLOCK_POINTS_MAX && span <= HBLOCK_POINTS_MAX &&
         (points == 0 || first + span < (uint64_t)b->batch_count);
    if (!ok) return -1;
    g->first = (uint16_t)(g->continued ? last : last + 1);
    g->last = (uint16_t)(last + (int32_t)rows);
    g->points = (int64_t)points;
    g->batch_first = (uint32_t)first;
    g->batch_last = (uint32_t)(first + span);
    g->size = (int64_t)size;
    return g->last;
}

static void get_directory(HWork *w, Cut *c, HBlock *b, int64_t at, Arena *keep) {
    Cut d = cut_of(stream_get(w, c, SLOT_DIRECTORY, (int64_t)b->groups * 50));
    if (b->groups > d.end - d.p) c->bad = true;
    if (c->bad) return;
    HGroup *groups = NEW(keep, HGroup, b->groups);
    int64_t points = 0;
    int32_t last = -1;
    for (int32_t i = 0; i < b->groups; i++) {
        last = get_group(&d, b, last, &groups[i]);
        if (last < 0) {
            c->bad = true;
            return;
        }
        groups[i].at = at;
        at += groups[i].size;
        points += groups[i].points;
    }
    if (d.p != d.end || at != b->size || points != b->count) c->bad = true;
    b->directory = groups;
}

int64_t hblock_head_size(Str first) {
    Cut c = cut_of(first);
    uint32_t magic = cut_u32(&c);
    uint8_t version = cut_byte(&c);
    uint64_t n = cut_varint(&c);
    if (magic != HBLOCK_MAGIC || !version_ok(version)) return -1;
    if (c.bad || n > HEAD_BYTES_MAX) return -1;
    return (int64_t)(c.p - (const uint8_t *)first.p) + (int64_t)n + 4;
}

// All of the block is there, or its head.
static Err open_block(HWork *w, Str bytes, int64_t size, Arena *keep, HBlock *out) {
    Cut c;
    int64_t at;
    HBlock b = {.bytes = bytes, .size = size};
    if (!open_head(bytes, &c, &at)) return ERR_CORRUPT;
    get_sums(&c, &b);
    if (!c.bad) get_sources(&c, &b, keep);
    if (!c.bad) get_batches(w, &c, &b, keep);
    if (!c.bad) get_directory(w, &c, &b, at, keep);
    if (c.bad || c.p != c.end) return ERR_CORRUPT;
    *out = b;
    return ERR_OK;
}

Err hblock_open(HWork *w, Str bytes, Arena *keep, HBlock *out) { return open_block(w, bytes, bytes.n, keep, out); }

Err hblock_open_head(HWork *w, Str head, int64_t size, Arena *keep, HBlock *out) {
    return open_block(w, head, size, keep, out);
}

// ---- frames --------------------------------------------------------------------------------------------------------

// A frame being read: what its streams hold, and where the next row's share of each begins.
typedef struct Frame {
    const HBlock *b;
    const HGroup *g;
    Cut c;
    const uint8_t *tags;
    const uint64_t *batches, *values;
    const int64_t *sources, *updates;
    const Str *texts;
    bool same;  // all points have one tag
    bool plain; // all of them are values with a time of their source, and no texts
} Frame;

// Read which rows there are. Errors: bad.
static void get_rows(HWork *w, Str bytes, const HBlock *b, const HGroup *g, Frame *f) {
    FrameRows *r = &w->rows;
    *f = (Frame){.b = b, .g = g, .c = cut_of(bytes)};
    cut_u32(&f->c); // see frame_begin
    uint64_t rows = cut_varint(&f->c);
    if (rows > (uint64_t)(g->last - g->first + 1)) f->c.bad = true;
    r->rows = f->c.bad ? 0 : (int64_t)rows;
    Cut gaps = cut_of(stream_get(w, &f->c, SLOT_GAPS, r->rows * 2));
    Cut counts = cut_of(stream_get(w, &f->c, SLOT_COUNTS, r->rows * 5));
    Str flags = b->has_start ? stream_get_exact(w, &f->c, SLOT_FLAGS, r->rows) : (Str){0};
    uint64_t row = g->first, points = 0;
    for (int64_t i = 0; i < r->rows && !f->c.bad; i++, row++) {
        uint64_t n = cut_varint(&counts);
        row += cut_varint(&gaps);
        r->flags[i] = b->has_start ? (uint8_t)flags.p[i] : 0;
        if (row > g->last || n > (uint64_t)g->points || r->flags[i] > START_FLAGS) f->c.bad = true;
        r->row[i] = (uint16_t)row;
        r->counts[i] = (uint32_t)n;
        points += n;
    }
    if (points != (uint64_t)g->points || gaps.bad || counts.bad || gaps.p != gaps.end || counts.p != counts.end)
        f->c.bad = true;
    r->points = f->c.bad ? 0 : g->points;
}

static bool tag_ok(uint8_t tag) {
    unsigned kind = tag & TAG_KIND;
    return kind >= HPOINT_PUT && kind <= HPOINT_LATE && tag < 2 * TAG_UPDATE;
}

// What the rows have of each sequence, by the tags of their points.
static void get_tags(HWork *w, Frame *f) {
    FrameRows *r = &w->rows;
    Str tags = stream_get_exact(w, &f->c, SLOT_TAGS, r->points);
    r->value_total = r->source_total = r->update_total = 0;
    r->alike = true;
    if (f->c.bad) return;
    const uint8_t *t = f->tags = (const uint8_t *)tags.p;
    bool same = tags.n > 1 && memcmp(t, t + 1, (size_t)tags.n - 1) == 0;
    f->same = same || tags.n == 1;
    r->strip_count = -1;
    f->plain = same && *t == (HPOINT_PUT | TAG_SOURCE) && f->b->cell != HCELL_TEXT;
    for (int64_t i = 0; i < r->rows; i++) {
        uint32_t n = r->counts[i], values = 0, sources = 0, updates = 0;
        for (uint32_t k = 0; k < (same && n ? 1 : n); k++, t++) {
            if (!tag_ok(*t)) f->c.bad = true;
            values += kind_has_value(*t & TAG_KIND);
            sources += (*t & TAG_SOURCE) != 0;
            updates += (*t & TAG_UPDATE) != 0;
        }
        if (same && n) {
            values *= n, sources *= n, updates *= n;
            t += n - 1;
        }
        r->values[i] = values + (r->flags[i] & START_VALID ? 1 : 0);
        r->sources[i] = sources + (r->flags[i] & START_SOURCE ? 1 : 0);
        r->updates[i] = updates + (r->flags[i] & START_UPDATE ? 1 : 0);
        r->value_total += r->values[i];
        r->source_total += r->sources[i];
        r->update_total += r->updates[i];
        r->alike &= r->values[i] == n && r->sources[i] == n;
    }
}

static bool any_needed(const FrameRows *r, const Strip *s) {
    bool any = false;
    for (int64_t i = s->row; i < s->row_end; i++) any |= r->need[i];
    return any;
}

// The strips that have elements, to a slot; how many there are.
static int64_t find_strips(HWork *w, Slot slot, const SeqRows *rows) {
    Strip *strips = hwork_slot(w, slot, rows->rows * (int64_t)sizeof *strips);
    int64_t n = 0;
    for (Strip s = {0}; strip_next(rows, &s);) {
        if (s.end == s.first) continue;
        s.wanted = any_needed(&w->rows, &s);
        strips[n++] = s;
    }
    return n;
}

// Rows of a sequence. Where only some are wanted, strips are looked for once.
static SeqRows rows_of(HWork *w, const uint32_t *counts, const uint32_t *want, int64_t total) {
    FrameRows *r = &w->rows;
    SeqRows rows = {.counts = counts, .rows = r->rows, .total = total, .want = r->all ? NULL : want};
    if (r->all || total == 0) return rows;
    bool own = !r->alike || counts == r->updates;
    if (own || r->strip_count < 0) rows.strip_count = find_strips(w, own ? SLOT_STRIPS_OWN : SLOT_STRIPS, &rows);
    if (!own && r->strip_count < 0) r->strip_count = rows.strip_count;
    if (!own) rows.strip_count = r->strip_count;
    rows.strips = w->slot[own ? SLOT_STRIPS_OWN : SLOT_STRIPS].p;
    return rows;
}

static void get_batch_numbers(HWork *w, Frame *f) {
    SeqRows rows = rows_of(w, w->rows.counts, w->rows.want, w->rows.points);
    uint64_t *v = hwork_slot(w, SLOT_BATCHES, rows.total * 8);
    seq_get(w, &f->c, v, &rows, 0);
    if (f->c.bad) return;
    bool bad = false;
    f->batches = v;
    for (int64_t i = 0; i < rows.rows; v += rows.counts[i++]) {
        for (uint32_t k = 0; k < w->rows.want[i]; k++) bad |= v[k] < f->g->batch_first || v[k] > f->g->batch_last;
    }
    f->c.bad = bad;
}

// The arrivals that source times of a row follow.
static void get_arrivals(const Frame *f, uint8_t flags, const int64_t *updates, const uint8_t *tags,
                         const uint64_t *numbers, uint32_t n, int64_t *out) {
    const HBatch *batches = f->b->batches;
    if (flags & START_SOURCE) *out++ = flags & START_UPDATE ? *updates : 0;
    if (f->plain) {
        for (uint32_t k = 0; k < n; k++) out[k] = batches[numbers[k]].time;
        return;
    }
    for (uint32_t k = 0; k < n; k++)
        if (tags[k] & TAG_SOURCE) *out++ = batches[numbers[k]].time;
}

static void get_times(HWork *w, Frame *f) {
    FrameRows *r = &w->rows;
    int64_t *u = hwork_slot(w, SLOT_UPDATES, r->update_total * 8),
            *s = hwork_slot(w, SLOT_SOURCES, r->source_total * 8);
    int64_t *a = hwork_slot(w, SLOT_ARRIVALS, r->source_total * 8);
    SeqRows updates = rows_of(w, r->updates, r->want_updates, r->update_total);
    seq_get(w, &f->c, (uint64_t *)u, &updates, (uint64_t)f->b->time_min);
    if (f->c.bad) return;
    SeqRows sources = rows_of(w, r->sources, r->want_sources, r->source_total);
    f->updates = u;
    f->sources = s;
    const uint64_t *batch = f->batches;
    const uint8_t *tag = f->tags;
    for (int64_t i = 0; i < r->rows; i++) {
        if (r->want_sources[i]) get_arrivals(f, r->flags[i], u, tag, batch, r->want[i], a);
        tag += r->counts[i];
        batch += r->counts[i];
        u += r->updates[i];
        a += r->sources[i];
    }
    time_get(w, &f->c, s, w->slot[SLOT_ARRIVALS].p, &sources, f->b->time_min);
}

static void get_values(HWork *w, Frame *f, Arena *keep) {
    SeqRows rows = rows_of(w, w->rows.values, w->rows.want_values, w->rows.value_total);
    uint64_t *v = hwork_slot(w, SLOT_VALUES, rows.total * 8);
    int64_t texts = 0;
    f->values = v;
    if (f->b->cell == HCELL_TEXT) f->texts = texts_get(w, &f->c, rows.total, keep, &texts);
    if (f->c.bad) return;
    if (f->b->cell == HCELL_F64) f64_get(w, &f->c, v, &rows);
    else seq_get(w, &f->c, v, &rows, 0);
    if (f->c.bad || f->b->cell != HCELL_TEXT) return;
    for (int64_t i = 0; i < rows.rows; v += rows.counts[i++]) {
        for (uint32_t k = 0; k < w->rows.want_values[i]; k++)
            if (v[k] >= (uint64_t)texts) f->c.bad = true;
    }
}

static bool frame_sound(Str bytes) {
    Cut c = cut_of(bytes);
    uint32_t check = cut_u32(&c);
    return !c.bad && check == crc32c(0, c.p, c.end - c.p);
}

// What each row has; which of them are wanted is said next.
static Err frame_begin(HWork *w, const HBlock *b, const HGroup *g, Frame *f) {
    Str bytes;
    TRY(hkept_read(w, b, g, &bytes));
    if (!hkept_sound(b, g)) {
        if (!frame_sound(bytes)) return ERR_CORRUPT;
        hkept_sound_put(b, g);
    }
    get_rows(w, bytes, b, g, f);
    if (!f->c.bad) get_tags(w, f);
    return f->c.bad ? ERR_CORRUPT : ERR_OK;
}

static void want_row(FrameRows *r, int64_t i, bool want) {
    r->need[i] = want;
    r->want[i] = want ? r->counts[i] : 0;
    r->want_values[i] = want ? r->values[i] : 0;
    r->want_sources[i] = want ? r->sources[i] : 0;
    r->want_updates[i] = want ? r->updates[i] : 0;
    if (!want) r->all = false;
}

// The rows of a set, NULL: all.
static void frame_want(HWork *w, const uint8_t *want) {
    FrameRows *r = &w->rows;
    r->all = true;
    for (int64_t i = 0; i < r->rows; i++) want_row(r, i, !want || want[r->row[i]]);
}

// What is wanted behind the batch numbers.
static Err frame_rest(HWork *w, Frame *f, Arena *keep) {
    if (!f->c.bad) get_times(w, f);
    if (!f->c.bad) get_values(w, f, keep);
    return f->c.bad || f->c.p != f->c.end ? ERR_CORRUPT : ERR_OK;
}

static Err frame_get(HWork *w, Frame *f, Arena *keep) {
    get_batch_numbers(w, f);
    return frame_rest(w, f, keep);
}

static void set_value(const Frame *f, uint64_t v, uint64_t *bits, Str *text) {
    if (f->texts) *text = f->texts[v];
    else *bits = v;
}

// The state at the start of row i of the frame.
static void get_start(const HWork *w, const Frame *f, int64_t i, HState *s) {
    uint8_t flags = w->rows.flags[i];
    const int64_t *update = f->updates;
    *s = (HState){.valid = flags & START_VALID};
    if (flags & START_VALID) set_value(f, f->values[0], &s->bits, &s->text);
    if (flags & START_UPDATE) s->update_time = *update;
    if (flags & START_SOURCE) s->source_time = f->sources[0];
}

// The same of a plain frame.
static void get_plain(const HWork *w, const Frame *f, int64_t i, HPoint *p) {
    const FrameRows *r = &w->rows;
    uint8_t flags = r->flags[i];
    const uint64_t *value = f->values + (flags & START_VALID ? 1 : 0);
    const int64_t *source = f->sources + (flags & START_SOURCE ? 1 : 0);
    uint32_t n = r->counts[i];
    uint16_t row = r->row[i];
    for (uint32_t k = 0; k < n; k++) {
        p[k] = (HPoint){.batch = (uint32_t)f->batches[k],
                        .row = row,
                        .kind = HPOINT_PUT,
                        .source_time = source[k],
                        .bits = value[k]};
    }
}

// The points of row i of the frame.
static void get_points(const HWork *w, const Frame *f, int64_t i, HPoint *p) {
    const FrameRows *r = &w->rows;
    uint8_t flags = r->flags[i];
    const uint64_t *value = f->values + (flags & START_VALID ? 1 : 0);
    const int64_t *source = f->sources + (flags & START_SOURCE ? 1 : 0);
    const int64_t *update = f->updates + (flags & START_UPDATE ? 1 : 0);
    for (uint32_t k = 0; k < r->counts[i]; k++, p++) {
        uint8_t tag = f->tags[k];
        *p = (HPoint){.batch = (uint32_t)f->batches[k], .row = r->row[i], .kind = tag & TAG_KIND};
        if (tag & TAG_SOURCE) p->source_time = *source++;
        if (tag & TAG_UPDATE) p->update_time = *update++;
        if (kind_has_value(p->kind)) set_value(f, *value++, &p->bits, &p->text);
    }
}

// Past row i of the frame.
static void skip_row(const FrameRows *r, Frame *f, int64_t i) {
    f->tags += r->counts[i];
    f->batches += r->counts[i];
    f->values += r->values[i];
    f->sources += r->sources[i];
    f->updates += r->updates[i];
}

// ---- rows ----------------------------------------------------------------------------------------------------------

// Is a row of the group in the set?
static bool touches(const HGroup *g, const uint8_t *set) {
    for (uint32_t r = g->first; r <= g->last; r++)
        if (set[r]) return true;
    return false;
}

// Points of the rows of a frame that are in a set.
static int64_t points_of(const HWork *w, const uint8_t *set) {
    int64_t n = 0;
    for (int64_t i = 0; i < w->rows.rows; i++) n += set[w->rows.row[i]] ? w->rows.counts[i] : 0;
    return n;
}

// How many points of a set's rows the group has.
static Err count_points(HWork *w, const HBlock *b, const HGroup *g, const uint8_t *want, int64_t *count) {
    Frame f;
    Str bytes;
    int64_t n = 0;
    *count = want ? 0 : g->points;
    if (!want || !touches(g, want)) return ERR_OK;
    const HFrame *kept = hkept_frame(b, g);
    for (int64_t i = 0; kept && i < kept->rows; i++) n += want[kept->row[i]] ? kept->first[i + 1] - kept->first[i] : 0;
    if (!kept) {
        TRY(hkept_read(w, b, g, &bytes));
        get_rows(w, bytes, b, g, &f);
        if (f.c.bad) return ERR_CORRUPT;
        n = points_of(w, want);
    }
    *count = n;
    return ERR_OK;
}

// Points of row i of a kept frame.
static void pick_row(const HFrame *f, int64_t i, HPoint **at) {
    for (uint32_t k = f->first[i]; k < f->first[i + 1]; k++)
        *(*at)++ = (HPoint){.batch = f->batches[k],
                            .row = f->row[i],
                            .kind = HPOINT_PUT,
                            .source_time = f->sources[k],
                            .bits = f->values[k]};
}

static void pick_kept(const HFrame *f, const HGroup *g, const uint8_t *want, HPoint **at, HState *start) {
    for (int64_t i = 0; i < f->rows; i++) {
        uint16_t row = f->row[i];
        if (!want[row]) continue;
        pick_row(f, i, at);
        if (start && f->start && !(g->continued && row == g->first)) start[row] = f->start[i];
    }
}

// Decode all rows of a plain frame, to be kept.
static Err keep_frame(HWork *w, Frame *f, Arena *keep, const HFrame **out) {
    frame_want(w, NULL);
    TRY(frame_get(w, f, keep));
    *out = hkept_put(f->b, f->g, &w->rows, &(FrameArrays){f->batches, f->values, f->sources, f->updates});
    return ERR_OK;
}

static Err pick_group(HWork *w, const HBlock *b, const HGroup *g, const uint8_t *want, Arena *keep, HPoint **at,
                      HState *start) {
    Frame f;
    const HFrame *kept = want ? hkept_frame(b, g) : NULL;
    if (!kept) TRY(frame_begin(w, b, g, &f));
    if (!kept && want && f.plain && hkept_again(b, g, points_of(w, want))) TRY(keep_frame(w, &f, keep, &kept));
    if (kept) {
        pick_kept(kept, g, want, at, start);
        return ERR_OK;
    }
    frame_want(w, want);
    TRY(frame_get(w, &f, keep));
    for (int64_t k = 0; k < w->rows.rows; skip_row(&w->rows, &f, k), k++) {
        uint32_t row = w->rows.row[k];
        if (want && !want[row]) continue;
        if (f.plain) get_plain(w, &f, k, *at);
        else get_points(w, &f, k, *at);
        *at += w->rows.counts[k];
        if (start && !(g->continued && row == g->first)) get_start(w, &f, k, &start[row]);
    }
    return ERR_OK;
}

// want NULL: all.
static Err pick(HWork *w, const HBlock *b, const uint8_t *want, Arena *keep, const HPoint **points, int64_t *count,
                HState *start) {
    const HGroup *groups = b->directory;
    int64_t total = 0;
    for (int32_t i = 0; i < b->groups; i++) {
        int64_t n;
        TRY(count_points(w, b, &groups[i], want, &n));
        total += n;
    }
    HPoint *all = NEW(keep, HPoint, total), *at = all;
    for (uint32_t r = 0; start && r < HBLOCK_ROWS; r++)
        if (!want || want[r]) start[r] = (HState){0};
    for (int32_t i = 0; i < b->groups; i++) {
        if (!want || touches(&groups[i], want)) TRY(pick_group(w, b, &groups[i], want, keep, &at, start));
    }
    CHECK(at - all == total);
    *points = all;
    *count = total;
    return ERR_OK;
}

static void tell_kept(const HFrame *f, const HGroup *g, HWork *w, const uint8_t *want, const HBlockEach *e) {
    for (int64_t i = 0; i < f->rows; i++) {
        uint16_t row = f->row[i];
        if (!want[row]) continue;
        int64_t n = f->first[i + 1] - f->first[i];
        HPoint *points = hwork_slot(w, SLOT_POINTS, n * (int64_t)sizeof *points), *at = points;
        pick_row(f, i, &at);
        if (n) e->fn(e->ctx, points, n);
        if (e->start && f->start && !(g->continued && row == g->first)) e->start[row] = f->start[i];
    }
}

static Err each_group(HWork *w, const HBlock *b, const HGroup *g, const uint8_t *want, Arena *keep,
                      const HBlockEach *e) {
    Frame f;
    const HFrame *kept = hkept_frame(b, g);
    if (!kept) TRY(frame_begin(w, b, g, &f));
    if (!kept && f.plain && hkept_again(b, g, points_of(w, want))) TRY(keep_frame(w, &f, keep, &kept));
    if (kept) {
        tell_kept(kept, g, w, want, e);
        return ERR_OK;
    }
    frame_want(w, want);
    TRY(frame_get(w, &f, keep));
    for (int64_t k = 0; k < w->rows.rows; skip_row(&w->rows, &f, k), k++) {
        uint32_t row = w->rows.row[k], n = w->rows.counts[k];
        if (!want[row]) continue;
        HPoint *points = hwork_slot(w, SLOT_POINTS, n * (int64_t)sizeof *points);
        if (f.plain) get_plain(w, &f, k, points);
        else get_points(w, &f, k, points);
        if (n) e->fn(e->ctx, points, n);
        if (e->start && !(g->continued && row == g->first)) get_start(w, &f, k, &e->start[row]);
    }
    return ERR_OK;
}

Err hblock_each(HWork *w, const HBlock *b, const uint8_t want[HBLOCK_ROWS], Arena *keep, const HBlockEach *e) {
    const HGroup *groups = b->directory;
    for (uint32_t r = 0; e->start && r < HBLOCK_ROWS; r++)
        if (want[r]) e->start[r] = (HState){0};
    for (int32_t i = 0; i < b->groups; i++)
        if (touches(&groups[i], want)) TRY(each_group(w, b, &groups[i], want, keep, e));
    return ERR_OK;
}

Err hblock_pick(HWork *w, const HBlock *b, const uint8_t want[HBLOCK_ROWS], Arena *keep, const HPoint **points,
                int64_t *count, HState *start) {
    return pick(w, b, want, keep, points, count, start);
}

Err hblock_rows(HWork *w, const HBlock *b, uint32_t first, uint32_t last, Arena *keep, const HPoint **points,
                int64_t *count, HState *start) {
    uint8_t want[HBLOCK_ROWS] = {0};
    CHECK(first <= last && last < HBLOCK_ROWS);
    if (first == 0 && last == HBLOCK_ROWS - 1) return pick(w, b, NULL, keep, points, count, start);
    memset(want + first, 1, last - first + 1);
    return pick(w, b, want, keep, points, count, start);
}

// ---- known ---------------------------------------------------------------------------------------------------------

// Batches of the block that arrived at `at` or before.
static uint32_t batches_until(const HBlock *b, int64_t at) {
    int64_t lo = 0, hi = b->batch_count;
    while (lo < hi) {
        int64_t mid = (lo + hi) / 2;
        if (b->batches[mid].time <= at) lo = mid + 1;
        else hi = mid;
    }
    return (uint32_t)lo;
}

// Points of row i that came in the first `batches` batches.
static uint32_t points_until(const HWork *w, const Frame *f, int64_t i, uint32_t batches) {
    uint32_t lo = 0, hi = w->rows.counts[i];
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (f->batches[mid] < batches) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

// The first n points of row i of a plain frame: the last one settles everything.
static void recall_plain(const HWork *w, const Frame *f, int64_t i, uint32_t n, uint8_t *open, HState *s) {
    const FrameRows *r = &w->rows;
    if (n == 0) return;
    const HPoint p = {.kind = HPOINT_PUT,
                      .bits = f->values[n - 1 + (r->flags[i] & START_VALID ? 1 : 0)],
                      .source_time = f->sources[n - 1 + (r->flags[i] & START_SOURCE ? 1 : 0)]};
    hstate_recall(s, open, &p, f->b->batches[f->batches[n - 1]].time);
}

static void recall_points(const HWork *w, const Frame *f, int64_t i, uint32_t n, uint8_t *open, HState *s) {
    uint8_t flags = w->rows.flags[i];
    const uint64_t *value = f->values + (flags & START_VALID ? 1 : 0);
    const int64_t *source = f->sources + (flags & START_SOURCE ? 1 : 0);
    const int64_t *update = f->updates + (flags & START_UPDATE ? 1 : 0);
    for (uint32_t k = 0; k < n; k++) {
        value += kind_has_value(f->tags[k] & TAG_KIND);
        source += (f->tags[k] & TAG_SOURCE) != 0;
        update += (f->tags[k] & TAG_UPDATE) != 0;
    }
    while (n-- && *open) {
        uint8_t tag = f->tags[n];
        HPoint p = {.kind = tag & TAG_KIND};
        if (tag & TAG_SOURCE) p.source_time = *--source;
        if (tag & TAG_UPDATE) p.update_time = *--update;
        if (kind_has_value(p.kind)) set_value(f, *--value, &p.bits, &p.text);
        hstate_recall(s, open, &p, f->b->batches[f->batches[n]].time);
    }
}

// A frame whose points say nothing of source times: rows of which only that is open need none of it but their start.
static bool without_sources(const HWork *w, const Frame *f) {
    const FrameRows *r = &w->rows;
    if (r->points == 0) return true;
    return f->same && *f->tags == HPOINT_PUT;
}

// Does the frame begin with the rest of a row?
static bool begins_within(const HWork *w, const Frame *f) {
    return f->g->continued && w->rows.rows && w->rows.row[0] == f->g->first;
}

// Want the rows that are open; false: nothing of the frame is needed.
static bool want_open(HWork *w, const Frame *f, const uint8_t *open, bool need[HBLOCK_ROWS]) {
    FrameRows *r = &w->rows;
    bool bare = without_sources(w, f), any = false;
    r->all = true;
    for (int64_t i = 0; i < r->rows; i++) {
        uint8_t o = open[r->row[i]];
        bool some = !bare || o != HOPEN_SOURCE || r->flags[i] & START_SOURCE || (i == 0 && begins_within(w, f));
        need[i] = o && some;
        want_row(r, i, need[i]);
        any |= need[i];
    }
    return any;
}

// Of a plain frame no more than the newest point up to `batches` is wanted of each row.
static void want_newest(HWork *w, const Frame *f, uint32_t batches, const bool *need) {
    FrameRows *r = &w->rows;
    Frame at = *f;
    r->all = false;
    for (int64_t i = 0; i < r->rows; at.batches += r->counts[i++]) {
        if (!need[i]) continue;
        r->want[i] = points_until(w, &at, i, batches);
        r->want_values[i] = r->want[i] + (r->flags[i] & START_VALID ? 1 : 0);
        r->want_sources[i] = r->want[i] + (r->flags[i] & START_SOURCE ? 1 : 0);
    }
}

static void recall_row(const HWork *w, const Frame *f, int64_t i, uint32_t batches, uint8_t *open, HState *s) {
    uint32_t n = points_until(w, f, i, batches);
    if (n == 0 && i == 0 && begins_within(w, f)) return; // it came later
    if (f->plain) recall_plain(w, f, i, n, open, s);
    else recall_points(w, f, i, n, open, s);
    if (!f->b->has_start || !*open) return;
    HState start;
    get_start(w, f, i, &start);
    hstate_fill(s, *open, &start);
    *open = 0;
}

static void recall_kept(const HBlock *b, const HGroup *g, const HFrame *f, uint32_t batches, uint8_t *open,
                        HState *state) {
    for (int64_t i = 0; i < f->rows; i++) {
        uint32_t row = f->row[i], first = f->first[i], lo = first, hi = f->first[i + 1];
        if (!open[row]) continue;
        while (lo < hi) {
            uint32_t mid = lo + (hi - lo) / 2;
            if (f->batches[mid] < batches) lo = mid + 1;
            else hi = mid;
        }
        if (lo > first) {
            const HPoint p = {.kind = HPOINT_PUT, .bits = f->values[lo - 1], .source_time = f->sources[lo - 1]};
            hstate_recall(&state[row], &open[row], &p, b->batches[f->batches[lo - 1]].time);
        } else if (f->start && !(g->continued && row == g->first)) {
            hstate_fill(&state[row], open[row], &f->start[i]);
            open[row] = 0;
        }
    }
}

static Err recall_group(HWork *w, const HBlock *b, const HGroup *g, uint32_t batches, Arena *keep, uint8_t *open,
                        HState *state) {
    Frame f;
    bool need[HBLOCK_ROWS];
    const HFrame *kept = hkept_frame(b, g);
    if (!kept) TRY(frame_begin(w, b, g, &f));
    if (!kept && f.plain && hkept_again(b, g, points_of(w, open))) TRY(keep_frame(w, &f, keep, &kept));
    if (kept) {
        recall_kept(b, g, kept, batches, open, state);
        return ERR_OK;
    }
    if (!want_open(w, &f, open, need)) return ERR_OK;
    get_batch_numbers(w, &f);
    if (f.plain && !f.c.bad) want_newest(w, &f, batches, need);
    TRY(frame_rest(w, &f, keep));
    for (int64_t i = 0; i < w->rows.rows; skip_row(&w->rows, &f, i), i++) {
        uint32_t row = w->rows.row[i];
        if (need[i]) recall_row(w, &f, i, batches, &open[row], &state[row]);
    }
    return ERR_OK;
}

// Is there nothing in the group that tells of rows at `batches`?
static bool says_nothing(const HBlock *b, const HGroup *g, uint32_t batches) {
    if (g->points && g->batch_first < batches) return false;
    return !b->has_start || (g->continued && g->first == g->last);
}

Err hblock_known(HWork *w, const HBlock *b, int64_t at, Arena *keep, uint8_t open[HBLOCK_ROWS],
                 HState state[HBLOCK_ROWS]) {
    const HGroup *groups = b->directory;
    uint32_t batches = batches_until(b, at);
    for (int32_t i = b->groups - 1; i >= 0; i--) {
        if (says_nothing(b, &groups[i], batches) || !touches(&groups[i], open)) continue;
        TRY(recall_group(w, b, &groups[i], batches, keep, open, state));
    }
    for (uint32_t r = 0; b->has_start && r < HBLOCK_ROWS; r++) { // of which the block says nothing at all
        if (open[r]) hstate_fill(&state[r], open[r], &(HState){0});
        open[r] = 0;
    }
    return ERR_OK;
}

// ---- verify --------------------------------------------------------------------------------------------------------

static Err verify_points(const HBlock *b, const HPoint *p, int64_t n, Buf *why) {
    int64_t late = 0, min = INT64_MAX, max = INT64_MIN;
    for (int64_t i = 0; i < n; i++) {
        int64_t t = p[i].source_time ? p[i].source_time : b->batches[p[i].batch].time;
        late += p[i].kind == HPOINT_LATE;
        if (t < min) min = t;
        if (t > max) max = t;
        if (i && p[i].row == p[i - 1].row && p[i].batch < p[i - 1].batch) {
            buf_printf(why, "points of row %d are out of order", p[i].row);
            return ERR_CORRUPT;
        }
    }
    if (n && (min != b->time_min || max != b->time_max)) {
        buf_printf(why, "the head tells other times than the points");
        return ERR_CORRUPT;
    }
    if (late != b->late) {
        buf_printf(why, "the head tells of %lld late points, there are %lld", (long long)b->late, (long long)late);
        return ERR_CORRUPT;
    }
    return ERR_OK;
}

Err hblock_verify(HWork *w, Str bytes, Buf *why) {
    Arena keep;
    HBlock b;
    const HPoint *p;
    int64_t n;
    arena_init(&keep, 0);
    Err e = hblock_open(w, bytes, &keep, &b);
    if (e) buf_printf(why, "the head of the block is damaged");
    if (!e) {
        e = hblock_rows(w, &b, 0, HBLOCK_ROWS - 1, &keep, &p, &n, NULL);
        if (e) buf_printf(why, "a frame of the block is damaged");
    }
    for (int64_t i = 1; !e && i < b.batch_count; i++) {
        if (b.batches[i].time >= b.batches[i - 1].time) continue;
        buf_printf(why, "batch %lld arrived before the one before it", (long long)b.batches[i].seq);
        e = ERR_CORRUPT;
    }
    if (!e) e = verify_points(&b, p, n, why);
    arena_free(&keep);
    return e;
}
