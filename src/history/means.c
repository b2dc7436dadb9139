// SPDX-License-Identifier: Apache-2.0
#include "history/means.h"
#include <math.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"

// ORDER MEANS: stored.
enum { F_COUNT, F_MIN, F_MAX, F_MEAN, F_FIRST, F_LAST, F_FIRST_AT, F_LAST_AT, F_FIELDS };

void means_begin(Means *m, int64_t step) {
    CHECK(step > 0 && step <= MEANS_STEP_MAX);
    m->step = step;
    m->count = 0;
    m->settled = true;
}

void means_free(Means *m) {
    mem_free(m->items);
    *m = (Means){.step = 0};
}

int64_t means_floor(int64_t time, int64_t step) {
    int64_t in = time % step;
    return time - (in < 0 ? in + step : in);
}

bool means_value(HCell cell, uint64_t bits, double *out) {
    switch (cell) {
    case HCELL_F64: memcpy(out, &bits, sizeof *out); return !isnan(*out);
    case HCELL_I64: *out = (double)(int64_t)bits; return true;
    case HCELL_BOOL: *out = bits != 0; return true;
    case HCELL_WORD:
    case HCELL_TEXT: return false;
    }
    return false;
}

// ---- putting together ---------------------------------------------------------------------------------------------

static Mean *append(Means *m) {
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 1024;
        m->items = mem_grow(m->items, (size_t)m->cap * sizeof *m->items);
    }
    return &m->items[m->count++];
}

static void add_sum(Mean *to, double x) {
    double sum = to->sum + x;
    if (isfinite(sum)) to->rest += fabs(to->sum) >= fabs(x) ? (to->sum - sum) + x : (x - sum) + to->sum;
    to->sum = sum;
}

// `b` was made behind `a`, of points that arrived later.
static void join(Mean *a, const Mean *b) {
    a->count += b->count;
    if (b->min < a->min) a->min = b->min;
    if (b->max > a->max) a->max = b->max;
    add_sum(a, b->sum);
    a->rest += b->rest;
    if (b->first_at < a->first_at) {
        a->first = b->first;
        a->first_at = b->first_at;
    }
    if (b->last_at >= a->last_at) {
        a->last = b->last;
        a->last_at = b->last_at;
    }
}

void means_add(Means *m, uint16_t row, int64_t time, double value) {
    int64_t start = means_floor(time, m->step);
    double at = (double)(time - start);
    Mean x = {start, row, 1, value, value, value, 0, value, value, at, at};
    Mean *last = m->count ? &m->items[m->count - 1] : NULL;
    if (last && last->row == row && last->start == start) {
        join(last, &x);
        return;
    }
    if (last && (last->row > row || (last->row == row && last->start > start))) m->settled = false;
    *append(m) = x;
}

static int by_place(const Mean *a, const Mean *b) {
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    return (a->start > b->start) - (a->start < b->start);
}

// Merge sort from below: stable, what was made later stays behind.
static void sort(Mean *items, int64_t n) {
    Mean *to = mem_alloc((size_t)n * sizeof *to), *from = items, *own = to;
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t lo = 0; lo < n; lo += 2 * width) {
            int64_t mid = lo + width < n ? lo + width : n, hi = mid + width < n ? mid + width : n;
            for (int64_t i = lo, j = mid, k = lo; k < hi; k++)
                to[k] = j == hi || (i < mid && by_place(&from[i], &from[j]) <= 0) ? from[i++] : from[j++];
        }
        Mean *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, (size_t)n * sizeof *items);
    mem_free(own);
}

void means_settle(Means *m) {
    if (!m->settled) sort(m->items, m->count);
    m->settled = true;
    int64_t n = 0;
    for (int64_t i = 0; i < m->count; i++) {
        if (n && by_place(&m->items[n - 1], &m->items[i]) == 0) join(&m->items[n - 1], &m->items[i]);
        else m->items[n++] = m->items[i];
    }
    m->count = n;
}

int64_t means_forget(Means *m, int64_t time) {
    int64_t n = 0, was = m->count;
    for (int64_t i = 0; i < was; i++)
        if (m->items[i].start + m->step > time) m->items[n++] = m->items[i];
    m->count = n;
    return was - n;
}

double means_mean(const Mean *x) { return (isfinite(x->sum) ? x->sum + x->rest : x->sum) / x->count; }

void means_span(const Means *m, int64_t *from, int64_t *to) {
    CHECK(m->count > 0);
    *from = INT64_MAX;
    *to = INT64_MIN;
    for (int64_t i = 0; i < m->count; i++) {
        int64_t start = m->items[i].start;
        if (start < *from) *from = start;
        if (start + m->step - 1 > *to) *to = start + m->step - 1;
    }
}

// ---- stored -------------------------------------------------------------------------------------------------------

static double field_of(const Mean *x, int f) {
    switch (f) {
    case F_COUNT: return x->count;
    case F_MIN: return x->min;
    case F_MAX: return x->max;
    case F_MEAN: return means_mean(x);
    case F_FIRST: return x->first;
    case F_LAST: return x->last;
    case F_FIRST_AT: return x->first_at;
    default: return x->last_at;
    }
}

static void set_field(Mean *x, int f, double v) {
    switch (f) {
    case F_COUNT: x->count = v; return;
    case F_MIN: x->min = v; return;
    case F_MAX: x->max = v; return;
    case F_MEAN: x->sum = v * x->count; return;
    case F_FIRST: x->first = v; return;
    case F_LAST: x->last = v; return;
    case F_FIRST_AT: x->first_at = v; return;
    default: x->last_at = v;
    }
}

// The points of one row: field by field, each in order of intervals.
static HPoint *put_row(HPoint *to, const Mean *x, int64_t n) {
    for (uint32_t f = 0; f < F_FIELDS; f++)
        for (int64_t i = 0; i < n; i++) {
            double v = field_of(&x[i], (int)f);
            *to = (HPoint){.batch = f, .row = x[i].row, .kind = HPOINT_PUT, .source_time = x[i].start + 1};
            memcpy(&to->bits, &v, sizeof v);
            to++;
        }
    return to;
}

void means_encode(HWork *w, const Means *m, Buf *out) {
    CHECK(m->settled);
    CHECK(m->count > 0);
    HBatch batches[F_FIELDS];
    for (int f = 0; f < F_FIELDS; f++) batches[f] = (HBatch){.seq = (uint64_t)f + 1, .time = m->step + f};
    HPoint *points = mem_alloc((size_t)(m->count * F_FIELDS) * sizeof *points), *at = points;
    for (int64_t i = 0, j; i < m->count; i = j) {
        for (j = i + 1; j < m->count && m->items[j].row == m->items[i].row;) j++;
        at = put_row(at, &m->items[i], j - i);
    }
    Str none = {0};
    HBlockIn in = {.cell = HCELL_F64,
                   .batches = batches,
                   .batch_count = F_FIELDS,
                   .sources = &none,
                   .source_count = 1,
                   .points = points,
                   .count = at - points,
                   .level = 3};
    hblock_encode(w, &in, out);
    mem_free(points);
}

// One row's points: F_FIELDS times the same intervals.
static Err take_row(const HPoint *p, int64_t n, Means *m) {
    int64_t each = n / F_FIELDS;
    if (each * F_FIELDS != n) return ERR_CORRUPT;
    for (int64_t i = 0; i < each; i++) {
        Mean x = {.start = p[i].source_time - 1, .row = p[i].row};
        for (int f = 0; f < F_FIELDS; f++) {
            const HPoint *from = &p[f * each + i];
            double v;
            if (from->batch != (uint32_t)f || from->source_time != p[i].source_time) return ERR_CORRUPT;
            memcpy(&v, &from->bits, sizeof v);
            set_field(&x, f, v);
        }
        if (!(x.count >= 1)) return ERR_CORRUPT;
        *append(m) = x;
    }
    return ERR_OK;
}

static Err open_means(HWork *w, Str bytes, Arena *scratch, HBlock *b) {
    TRY(hblock_open(w, bytes, scratch, b));
    if (b->cell != HCELL_F64 || b->batch_count != F_FIELDS || b->count % F_FIELDS) return ERR_CORRUPT;
    int64_t step = b->batches[0].time;
    return step > 0 && step <= MEANS_STEP_MAX ? ERR_OK : ERR_CORRUPT;
}

Err means_step(HWork *w, Str bytes, Arena *scratch, int64_t *step) {
    HBlock b;
    TRY(open_means(w, bytes, scratch, &b));
    *step = b.batches[0].time;
    return ERR_OK;
}

Err means_decode(HWork *w, Str bytes, uint32_t first, uint32_t last, Arena *scratch, Means *m) {
    HBlock b;
    const HPoint *points;
    int64_t count;
    TRY(open_means(w, bytes, scratch, &b));
    TRY(hblock_rows(w, &b, first, last, scratch, &points, &count, NULL));
    CHECK(!m->count || m->step == b.batches[0].time);
    if (!m->count) means_begin(m, b.batches[0].time);
    m->settled = false;
    for (int64_t i = 0, j; i < count; i = j) {
        for (j = i + 1; j < count && points[j].row == points[i].row;) j++;
        TRY(take_row(&points[i], j - i, m));
    }
    return ERR_OK;
}
