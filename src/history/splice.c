// SPDX-License-Identifier: Apache-2.0
#include "history/splice.h"
#include "base/check.h"
#include "base/mem.h"

void splice_init(Splice *s) {
    *s = (Splice){.work = NULL};
    s->state = mem_alloc(HBLOCK_ROWS * sizeof *s->state);
    s->start = mem_alloc(HBLOCK_ROWS * sizeof *s->start);
    arena_init(&s->keep, 1 << 20);
}

void splice_free(Splice *s) {
    mem_free(s->state);
    mem_free(s->start);
    mem_free(s->batches);
    mem_free(s->sources);
    mem_free(s->points);
    arena_free(&s->keep);
}

void splice_begin(Splice *s, SpliceKind kind) {
    s->kind = kind;
    memset(s->state, 0, HBLOCK_ROWS * sizeof *s->state);
    memset(s->start, 0, HBLOCK_ROWS * sizeof *s->start);
    s->known = kind == SPLICE_BARE;
    s->blocks = s->batch_count = s->source_count = s->count = 0;
    s->first = s->last = 0;
    s->t0 = s->t1 = 0;
    arena_reset(&s->keep);
}

// ---- states -------------------------------------------------------------------------------------------------------

static bool same_state(HCell cell, SpliceKind kind, const HState *a, const HState *b) {
    if (a->valid != b->valid) return false;
    if (!a->valid) return true;
    if (cell == HCELL_TEXT ? !str_eq(a->text, b->text) : a->bits != b->bits) return false;
    return kind == SPLICE_WORDS || cell == HCELL_WORD ||
           (a->update_time == b->update_time && a->source_time == b->source_time);
}

void splice_from_nothing(Splice *s) {
    CHECK(!s->blocks);
    memset(s->state, 0, HBLOCK_ROWS * sizeof *s->state);
    s->known = true;
}

// ---- blocks in ----------------------------------------------------------------------------------------------------

typedef struct Opened {
    HBlock block;
    const HPoint *points;
    int64_t count;
    HState *start; // NULL: it has none
} Opened;

static Err open_block(Splice *s, const StoreHistory *h, Opened *out) {
    Str bytes = arena_str(&s->keep, h->bytes);
    TRY(hblock_open(s->work, bytes, &s->keep, &out->block));
    out->start = out->block.has_start ? NEW(&s->keep, HState, HBLOCK_ROWS) : NULL;
    return hblock_rows(s->work, &out->block, 0, HBLOCK_ROWS - 1, &s->keep, &out->points, &out->count, out->start);
}

static void apply(const Splice *s, HState *to, const HPoint *p, int64_t arrival) {
    if (s->kind == SPLICE_BARE) return;
    hstate_apply(to, p, arrival);
    if (s->kind == SPLICE_WORDS) to->update_time = to->source_time = 0;
}

static void apply_all(Splice *s, const Opened *o) {
    for (int64_t i = 0; i < o->count; i++) {
        const HPoint *p = &o->points[i];
        apply(s, &s->state[p->row], p, o->block.batches[p->batch].time);
    }
}

static void take_start(Splice *s, const Opened *o) {
    if (!o->start || s->kind == SPLICE_BARE) return;
    memcpy(s->state, o->start, HBLOCK_ROWS * sizeof *s->state);
    s->known = true;
}

Err splice_pass(Splice *s, const StoreHistory *h) {
    Opened o;
    CHECK(!s->blocks);
    TRY(open_block(s, h, &o));
    take_start(s, &o);
    apply_all(s, &o);
    return ERR_OK;
}

// Does the block begin where those before end? The first one may tell the state itself.
static bool joins(Splice *s, const Opened *o) {
    if (!o->start || s->kind == SPLICE_BARE) return true;
    for (int32_t i = 0; s->known && i < HBLOCK_ROWS; i++)
        if (!same_state(o->block.cell, s->kind, &s->state[i], &o->start[i])) return s->blocks == 0;
    return s->known || s->blocks == 0;
}

static uint32_t source_number(Splice *s, Str source) {
    for (int64_t i = 0; i < s->source_count; i++)
        if (str_eq(s->sources[i], source)) return (uint32_t)i;
    if (s->source_count == s->source_cap) {
        s->source_cap = s->source_cap ? s->source_cap * 2 : 16;
        s->sources = mem_grow(s->sources, (size_t)s->source_cap * sizeof *s->sources);
    }
    s->sources[s->source_count] = source;
    return (uint32_t)s->source_count++;
}

static void add_batches(Splice *s, const HBlock *b) {
    if (s->batch_count + b->batch_count > s->batch_cap) {
        s->batch_cap = (s->batch_count + b->batch_count) * 2;
        s->batches = mem_grow(s->batches, (size_t)s->batch_cap * sizeof *s->batches);
    }
    uint32_t *number = NEW(&s->keep, uint32_t, b->source_count + 1);
    for (int64_t i = 0; i < b->source_count; i++) number[i] = source_number(s, b->sources[i]);
    for (int64_t i = 0; i < b->batch_count; i++) {
        HBatch *to = &s->batches[s->batch_count++];
        *to = b->batches[i];
        to->source = number[to->source];
    }
}

static void add_points(Splice *s, const Opened *o) {
    uint32_t base = (uint32_t)(s->batch_count - o->block.batch_count);
    if (s->count + o->count > s->cap) {
        s->cap = (s->count + o->count) * 2;
        s->points = mem_grow(s->points, (size_t)s->cap * sizeof *s->points);
    }
    for (int64_t i = 0; i < o->count; i++) {
        HPoint *to = &s->points[s->count++];
        *to = o->points[i];
        to->batch += base;
    }
}

static bool has_value(const HPoint *p) { return p->kind != HPOINT_CLEAR && p->kind != HPOINT_SOURCE; }

// A block of a page that has never had a value says HCELL_WORD, whatever its lane holds.
static Err take_cell(Splice *s, const Opened *o) {
    if (o->block.cell == s->cell) return ERR_OK;
    const HPoint *p = s->cell == HCELL_WORD ? s->points : o->points;
    int64_t n = s->cell == HCELL_WORD ? s->count : o->count;
    for (int64_t i = 0; i < n; i++)
        if (has_value(&p[i])) return ERR_CORRUPT;
    for (int32_t i = 0; i < HBLOCK_ROWS; i++)
        if (s->start[i].valid && s->cell == HCELL_WORD) return ERR_CORRUPT;
    if (s->cell == HCELL_WORD) s->cell = o->block.cell;
    return s->cell == o->block.cell || o->block.cell == HCELL_WORD ? ERR_OK : ERR_CORRUPT;
}

Err splice_add(Splice *s, const StoreHistory *h, bool *joined) {
    Opened o;
    TRY(open_block(s, h, &o));
    if (s->blocks && h->first <= s->last) return ERR_CORRUPT;
    *joined = joins(s, &o);
    if (!*joined) return ERR_OK;
    if (!s->blocks) {
        s->cell = o.block.cell;
        s->first = h->first;
        s->t0 = h->t0;
        take_start(s, &o);
        memcpy(s->start, s->state, HBLOCK_ROWS * sizeof *s->state);
    }
    TRY(take_cell(s, &o));
    s->blocks++;
    s->last = h->last;
    s->t1 = h->t1;
    add_batches(s, &o.block);
    add_points(s, &o);
    apply_all(s, &o);
    return ERR_OK;
}

// ---- cutting ------------------------------------------------------------------------------------------------------

// The points by row, those of a row in order of arrival: each block has them so already.
static void sort_points(Splice *s) {
    int64_t at[HBLOCK_ROWS + 1] = {0};
    HPoint *to = NEW(&s->keep, HPoint, s->count + 1);
    for (int64_t i = 0; i < s->count; i++) at[s->points[i].row + 1]++;
    for (int32_t r = 0; r < HBLOCK_ROWS; r++) at[r + 1] += at[r];
    for (int64_t i = 0; i < s->count; i++) to[at[s->points[i].row]++] = s->points[i];
    if (s->count) memcpy(s->points, to, (size_t)s->count * sizeof *to);
}

int64_t splice_cut(Splice *s, const int64_t before[HBLOCK_ROWS],
                   void (*gone)(void *ctx, const HBatch *b, const HPoint *p), void *ctx) {
    int64_t kept = 0, was = s->count;
    sort_points(s);
    for (int64_t i = 0; i < was; i++) {
        const HPoint *p = &s->points[i];
        const HBatch *b = &s->batches[p->batch];
        if (b->time >= before[p->row]) {
            s->points[kept++] = *p;
            continue;
        }
        gone(ctx, b, p);
        apply(s, &s->start[p->row], p, b->time);
    }
    s->count = kept;
    return was - kept;
}

int64_t splice_states(const Splice *s) {
    int64_t n = 0;
    for (int32_t i = 0; i < HBLOCK_ROWS; i++) n += s->start[i].valid;
    return n;
}

// ---- one block out ------------------------------------------------------------------------------------------------

// Only batches and sources that a point still has.
static void drop_unused(Splice *s) {
    uint32_t *number = NEW(&s->keep, uint32_t, s->batch_count + 1);
    uint32_t *source = NEW(&s->keep, uint32_t, s->source_count + 1);
    for (int64_t i = 0; i < s->count; i++) number[s->points[i].batch] = 1;
    int64_t batches = 0, sources = 0;
    for (int64_t i = 0; i < s->batch_count; i++) {
        if (!number[i]) continue;
        source[s->batches[i].source] = 1;
        number[i] = (uint32_t)batches;
        s->batches[batches++] = s->batches[i];
    }
    for (int64_t i = 0; i < s->source_count; i++) {
        if (!source[i]) continue;
        source[i] = (uint32_t)sources;
        s->sources[sources++] = s->sources[i];
    }
    for (int64_t i = 0; i < s->count; i++) s->points[i].batch = number[s->points[i].batch];
    for (int64_t i = 0; i < batches; i++) s->batches[i].source = source[s->batches[i].source];
    s->batch_count = batches;
    s->source_count = sources;
}

static void own_times(const Splice *s, StoreHistory *out) {
    out->s0 = INT64_MAX;
    out->s1 = INT64_MIN;
    out->late = 0;
    for (int64_t i = 0; i < s->count; i++) {
        const HPoint *p = &s->points[i];
        int64_t t = p->source_time ? p->source_time : s->batches[p->batch].time;
        if (t < out->s0) out->s0 = t;
        if (t > out->s1) out->s1 = t;
        out->late += p->kind == HPOINT_LATE;
    }
}

Err splice_end(Splice *s, bool start, int level, StoreHistory *out, Buf *bytes) {
    CHECK(s->blocks > 0);
    CHECK(!start || s->known);
    sort_points(s);
    drop_unused(s);
    HBlockIn in = {.cell = s->cell,
                   .batches = s->batches,
                   .batch_count = s->batch_count,
                   .sources = s->sources,
                   .source_count = s->source_count,
                   .points = s->points,
                   .count = s->count,
                   .start = start ? s->start : NULL,
                   .level = level};
    hblock_encode(s->work, &in, bytes);
    if (bytes->full) return ERR_LIMIT;
    out->first = s->first;
    out->last = s->last;
    out->t0 = s->t0;
    out->t1 = s->t1;
    own_times(s, out);
    if (s->count) {
        out->first = s->batches[0].seq;
        out->t0 = s->batches[0].time;
    } else {
        out->first = s->last;
        out->t0 = out->s0 = out->s1 = s->t1;
    }
    out->points = s->count;
    out->start = start;
    out->bytes = buf_str(bytes);
    return ERR_OK;
}
