// SPDX-License-Identifier: Apache-2.0
// Sequences of integers. A strip's elements are v = base + unit * q (mod 2^64); of q only what a predictor missed is
// kept, zigzagged (hblock_layout.c). Where few values come again and again, q are their ranks in a table of the strip.
#include "base/check.h"
#include "codec/hblock_inner.h"

// ORDER PREDICT: stored.
enum {
    PREDICT_DELTA,  // the one before + step
    PREDICT_CENTER, // step, always
    PREDICT_LINE,   // as far from the one before as that from the one before it
    PREDICT_MEAN,   // mean of those before, weights falling by 3/4
    PREDICT_SAME,   // all are base; no residuals
    PREDICT_GRID,   // as DELTA where nothing is missed: residuals of the first of each row only
    PREDICT_PLAIN,  // 0, and no zigzag
    PREDICT_DRIFT,  // `step` further than the mean of those before less their steps, weights falling by 15/16
    PREDICT_KINDS
};
#define PREDICT_MASK 7
#define UNIT_AS_BEFORE 8
#define RANKED 16 // a table of values follows
#define HOW_MOST 31

#define SAMPLE 256 // elements a predictor is tried on, in each of two windows
#define MEAN_SHIFT 4
#define DRIFT_SHIFT 4
#define PART_MIN 512 // residuals of a strip that may begin a part of its own
#define RANK_MIN 512 // elements of a strip that are worth a table

typedef struct Plan {
    uint64_t base, unit;
    int64_t step;
    uint8_t predict;
    int64_t ranks;        // values in the table; 0: there is none
    const int64_t *table; // while it is written: q of them
} Plan;

bool strip_next(const SeqRows *rows, Strip *s) {
    if (rows->strips) {
        int64_t no = s->no;
        if (no == rows->strip_count) return false;
        *s = rows->strips[no];
        s->no = no + 1;
        return true;
    }
    s->row = s->row_end;
    s->first = s->end;
    while (s->row_end < rows->rows) {
        int64_t n = rows->counts[s->row_end];
        if (n >= STRIP_ROW && s->end > s->first) break;
        s->end += n;
        s->row_end++;
        if (n >= STRIP_ROW || s->end - s->first >= STRIP_ELEMENTS) break;
    }
    return s->row_end > s->row;
}

static bool strip_wanted(const SeqRows *rows, const Strip *s) {
    if (!rows->want) return true;
    if (rows->strips) return s->wanted;
    for (int64_t r = s->row; r < s->row_end; r++)
        if (rows->want[r]) return true;
    return false;
}

bool piece_next(const SeqRows *rows, const Strip *s, Piece *p) {
    if (!rows->want) {
        bool first = p->n == 0;
        *p = (Piece){.first = s->first, .n = s->end - s->first};
        return first && p->n;
    }
    if (p->row == 0 && p->at == 0) *p = (Piece){.row = s->row, .at = s->first};
    if (!strip_wanted(rows, s)) return false;
    while (p->row < s->row_end) {
        int64_t r = p->row++;
        p->first = p->at;
        p->n = rows->want[r];
        p->at += rows->counts[r];
        if (p->n) return true;
    }
    return false;
}

static uint64_t zigzag(int64_t v) { return (uint64_t)v << 1 ^ (uint64_t)(v >> 63); }
static int64_t unzigzag(uint64_t z) { return (int64_t)(z >> 1 ^ (0 - (z & 1))); }
static int64_t minus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
static int64_t plus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int bit_length(uint64_t v) { return v ? 64 - __builtin_clzll(v) : 0; }

// ---- units --------------------------------------------------------------------------------------------------------

// Inverse of an odd number mod 2^64 (Newton; Warren, Hacker's Delight, 10-16).
static uint64_t inverse(uint64_t odd) {
    uint64_t x = odd * 3 ^ 2;
    for (int i = 0; i < 4; i++) x *= 2 - odd * x;
    return x;
}

static uint64_t gcd(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static uint64_t magnitude(int64_t d) { return d < 0 ? 0 - (uint64_t)d : (uint64_t)d; }

// The largest unit all differences from the first are multiples of; 0 when all are equal.
static uint64_t unit_of(const uint64_t *v, int64_t n) {
    uint64_t unit = 0, inv = 0, most = 0;
    int shift = 0;
    for (int64_t i = 1; i < n; i++) {
        uint64_t d = magnitude(minus((int64_t)v[i], (int64_t)v[0]));
        if (d == 0) continue;
        // Multiple of odd << shift: Hacker's Delight, 10-17.
        if (unit && (d & (((uint64_t)1 << shift) - 1)) == 0 && (d >> shift) * inv <= most) continue;
        unit = gcd(d, unit);
        if (unit == 1) break;
        shift = __builtin_ctzll(unit);
        inv = inverse(unit >> shift);
        most = UINT64_MAX / (unit >> shift);
    }
    return unit;
}

// q with v = base + unit * q.
static void scale(const uint64_t *v, int64_t n, const Plan *p, int64_t *q) {
    if (p->unit == 1) {
        for (int64_t i = 0; i < n; i++) q[i] = (int64_t)(v[i] - p->base);
        return;
    }
    int shift = __builtin_ctzll(p->unit);
    uint64_t inv = inverse(p->unit >> shift);
    for (int64_t i = 0; i < n; i++) q[i] = (int64_t)((uint64_t)((int64_t)(v[i] - p->base) >> shift) * inv);
}

// ---- predictors ----------------------------------------------------------------------------------------------------

// Residuals of one row; `before` is the first element of the row before.
static void predict_row(const Plan *p, int64_t before, const int64_t *q, int64_t n, uint64_t *z) {
    if (n == 0) return;
    if (p->predict == PREDICT_CENTER) {
        for (int64_t i = 0; i < n; i++) z[i] = zigzag(minus(q[i], p->step));
        return;
    }
    if (p->predict == PREDICT_PLAIN) {
        memcpy(z, q, (size_t)n * 8);
        return;
    }
    z[0] = zigzag(minus(q[0], before));
    if (p->predict == PREDICT_DELTA) {
        for (int64_t i = 1; i < n; i++) z[i] = zigzag(minus(minus(q[i], q[i - 1]), p->step));
    } else if (p->predict == PREDICT_LINE) {
        int64_t slope = p->step;
        for (int64_t i = 1; i < n; i++) {
            int64_t d = minus(q[i], q[i - 1]);
            z[i] = zigzag(minus(d, slope));
            slope = d;
        }
    } else if (p->predict == PREDICT_DRIFT) {
        uint64_t level = (uint64_t)q[0] << DRIFT_SHIFT, step = (uint64_t)p->step << DRIFT_SHIFT;
        for (int64_t i = 1; i < n; i++) {
            level += step;
            z[i] = zigzag(minus(q[i], (int64_t)level >> DRIFT_SHIFT));
            level += (uint64_t)((int64_t)(((uint64_t)q[i] << DRIFT_SHIFT) - level) >> DRIFT_SHIFT);
        }
    } else {
        uint64_t level = (uint64_t)q[0] << MEAN_SHIFT;
        for (int64_t i = 1; i < n; i++) {
            z[i] = zigzag(minus(q[i], (int64_t)level >> MEAN_SHIFT));
            level += (uint64_t)((int64_t)(((uint64_t)q[i] << MEAN_SHIFT) - level) >> 2);
        }
    }
}

// The other way; z and q may be the same memory.
static void restore_row(const Plan *p, int64_t before, const uint64_t *z, int64_t n, int64_t *q) {
    if (n == 0) return;
    if (p->predict == PREDICT_CENTER) {
        for (int64_t i = 0; i < n; i++) q[i] = plus(unzigzag(z[i]), p->step);
        return;
    }
    if (p->predict == PREDICT_PLAIN) {
        memmove(q, z, (size_t)n * 8);
        return;
    }
    int64_t last = q[0] = plus(unzigzag(z[0]), before);
    if (p->predict == PREDICT_DELTA) {
        for (int64_t i = 1; i < n; i++) q[i] = last = plus(last, plus(unzigzag(z[i]), p->step));
    } else if (p->predict == PREDICT_LINE) {
        int64_t slope = p->step;
        for (int64_t i = 1; i < n; i++) {
            slope = plus(slope, unzigzag(z[i]));
            q[i] = last = plus(last, slope);
        }
    } else if (p->predict == PREDICT_DRIFT) {
        uint64_t level = (uint64_t)last << DRIFT_SHIFT, step = (uint64_t)p->step << DRIFT_SHIFT;
        for (int64_t i = 1; i < n; i++) {
            level += step;
            q[i] = plus(unzigzag(z[i]), (int64_t)level >> DRIFT_SHIFT);
            level += (uint64_t)((int64_t)(((uint64_t)q[i] << DRIFT_SHIFT) - level) >> DRIFT_SHIFT);
        }
    } else {
        uint64_t level = (uint64_t)last << MEAN_SHIFT;
        for (int64_t i = 1; i < n; i++) {
            q[i] = plus(unzigzag(z[i]), (int64_t)level >> MEAN_SHIFT);
            level += (uint64_t)((int64_t)(((uint64_t)q[i] << MEAN_SHIFT) - level) >> 2);
        }
    }
}

// The step most neighbours have, or the mean one. Looks at the strip's longest row among the first few.
static int64_t step_of(const int64_t *q, const SeqRows *rows, const Strip *s) {
    const int64_t *at = q, *best = q;
    int64_t n = 0;
    for (int64_t r = s->row; r < s->row_end && r < s->row + 8; r++) {
        if (rows->counts[r] > n) best = at, n = rows->counts[r];
        at += rows->counts[r];
    }
    if (n < 2) return 0;
    int64_t a = minus(best[1], best[0]), b = minus(best[n / 2], best[n / 2 - 1]), c = minus(best[n - 1], best[n - 2]);
    if (a == b || a == c) return a;
    if (b == c) return b;
    return minus(best[n - 1], best[0]) / (n - 1);
}

static int64_t center_of(const int64_t *q, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)q[i];
    sum /= (double)n;
    return sum > -9e18 && sum < 9e18 ? (int64_t)sum : 0;
}

static int64_t bits_of(const uint64_t *z, int64_t n) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += bit_length(z[i]);
    return sum;
}

// Bits the strip's residuals would have, by a sample.
static int64_t cost_of(HWork *w, const Plan *p, const int64_t *q, const SeqRows *rows, const Strip *s) {
    uint64_t *z = hwork_slot(w, SLOT_VARINTS, 2 * (SAMPLE + STRIP_ROW + STRIP_ELEMENTS) * 8);
    int64_t n = s->end - s->first, sum = 0, before = 0;
    if (n > 2 * SAMPLE) { // one long row, others are empty
        predict_row(p, q[0], q, SAMPLE, z);
        sum = bits_of(z, SAMPLE);
        predict_row(p, q[n - SAMPLE], q + n - SAMPLE, SAMPLE, z);
        return sum + bits_of(z, SAMPLE);
    }
    for (int64_t r = s->row; r < s->row_end; r++) {
        int64_t m = rows->counts[r];
        if (m == 0) continue;
        predict_row(p, before, q, m, z);
        sum += bits_of(z, m);
        before = q[0];
        q += m;
    }
    return sum;
}

// Does every element follow the one before by `step`?
static bool on_grid(const int64_t *q, const SeqRows *rows, const Strip *s, int64_t step) {
    for (int64_t r = s->row; r < s->row_end; r++) {
        int64_t m = rows->counts[r];
        uint64_t off = 0;
        for (int64_t i = 1; i < m; i++) off |= (uint64_t)q[i] - (uint64_t)q[i - 1] - (uint64_t)step;
        if (off) return false;
        q += m;
    }
    return true;
}

static void plan_predictor(HWork *w, Plan *p, const int64_t *q, const SeqRows *rows, const Strip *s) {
    int64_t step = step_of(q, rows, s), best = INT64_MAX;
    Plan tried = *p;
    p->predict = PREDICT_GRID;
    p->step = step;
    if (on_grid(q, rows, s, step)) return;
    for (uint8_t k = PREDICT_DELTA; k <= PREDICT_MEAN && best > 0; k++) {
        tried.predict = k;
        tried.step = k == PREDICT_CENTER ? center_of(q, s->end - s->first) : k == PREDICT_MEAN ? 0 : step;
        int64_t cost = cost_of(w, &tried, q, rows, s);
        if (cost >= best) continue;
        best = cost;
        *p = tried;
    }
    if (best == 0 || s->end - s->first < SAMPLE || w->level < 2) return;
    tried.predict = PREDICT_DRIFT;
    tried.step = step;
    if (cost_of(w, &tried, q, rows, s) < best) *p = tried;
}

// Steps of a table to z.
static void table_put(const int64_t *table, int64_t n, uint64_t *z) {
    for (int64_t i = 1; i < n; i++) z[i - 1] = (uint64_t)minus(table[i], table[i - 1]);
}

// Take ranks instead of the elements q of a long row, when that is less. Returns what there is to predict now.
static const int64_t *plan_ranks(HWork *w, Plan *p, const int64_t *q, int64_t n) {
    static const uint8_t TRIED[] = {PREDICT_DELTA, PREDICT_CENTER, PREDICT_MEAN, PREDICT_PLAIN};
    int64_t *table, *ranks, count = ranks_of(w, q, n, &table, &ranks);
    if (count == 0) return q;
    uint64_t *z = hwork_slot(w, SLOT_TRIED, n * 8);
    predict_row(p, 0, q, n, z);
    double best = residuals_bits(z, n);
    table_put(table, count, z);
    best -= residuals_bits(z, count - 1);
    uint64_t least = p->base + p->unit * (uint64_t)table[0];
    bool found = false;
    for (size_t i = 0; i < sizeof TRIED; i++) {
        Plan tried = {.base = least, .unit = p->unit, .predict = TRIED[i]};
        tried.ranks = count;
        tried.table = table;
        tried.step = TRIED[i] == PREDICT_CENTER ? center_of(ranks, n) : 0;
        predict_row(&tried, 0, ranks, n, z);
        double bits = residuals_bits(z, n);
        if (bits >= best) continue;
        best = bits;
        *p = tried;
        found = true;
    }
    return found ? ranks : q;
}

static bool has_step(const Plan *p) { return p->predict != PREDICT_MEAN && p->predict != PREDICT_PLAIN; }

static void plan_put(Buf *out, const Plan *p, const Plan *before) {
    bool same_unit = p->unit == before->unit;
    buf_byte(out, (char)(p->predict | (same_unit ? UNIT_AS_BEFORE : 0) | (p->ranks ? RANKED : 0)));
    buf_varint_signed(out, (int64_t)(p->base - before->base));
    if (p->predict == PREDICT_SAME) return;
    if (!same_unit) buf_varint(out, p->unit);
    if (has_step(p)) buf_varint_signed(out, p->step);
    if (p->ranks) buf_varint(out, (uint64_t)p->ranks);
}

// most: elements of the strip.
static Plan plan_get(Cut *c, const Plan *before, int64_t most) {
    Plan p = {.unit = before->unit};
    uint8_t how = cut_byte(c);
    p.predict = how & PREDICT_MASK;
    if (how > HOW_MOST) c->bad = true;
    p.base = before->base + (uint64_t)cut_varint_signed(c);
    if (p.predict == PREDICT_SAME) return p;
    if (!(how & UNIT_AS_BEFORE)) p.unit = cut_varint(c);
    p.step = has_step(&p) ? cut_varint_signed(c) : 0;
    if (!(how & RANKED)) return p;
    uint64_t n = cut_varint(c);
    if (n == 0 || n > (uint64_t)most || p.predict == PREDICT_GRID) c->bad = true;
    p.ranks = c->bad ? 0 : (int64_t)n;
    return p;
}

// ---- sequences ----------------------------------------------------------------------------------------------------

static int64_t steps_of(const Plan *p) { return p->ranks ? p->ranks - 1 : 0; }

// Residuals the strip has: steps of its table, then what predictors missed.
static int64_t residuals_of(const Plan *p, const SeqRows *rows, const Strip *s) {
    if (p->predict == PREDICT_SAME) return 0;
    if (p->predict != PREDICT_GRID) return s->end - s->first + steps_of(p);
    int64_t n = 0;
    for (int64_t r = s->row; r < s->row_end; r++) n += rows->counts[r] != 0;
    return n;
}

// Residuals of a strip to z; how many there are.
static int64_t strip_put(HWork *w, const uint64_t *v, const SeqRows *rows, const Strip *s, Plan *before, uint64_t *z) {
    int64_t n = s->end - s->first, row_before = 0;
    Plan p = {.base = v[0], .unit = unit_of(v, n)};
    if (p.unit == 0) {
        p.predict = PREDICT_SAME;
        p.unit = before->unit;
        plan_put(&w->params, &p, before);
        *before = p;
        return 0;
    }
    int64_t *q = hwork_slot(w, SLOT_SCALED, n * 8);
    scale(v, n, &p, q);
    plan_predictor(w, &p, q, rows, s);
    const int64_t *from = q;
    if (n >= RANK_MIN && w->level > 1 && p.predict != PREDICT_GRID) from = plan_ranks(w, &p, q, n);
    plan_put(&w->params, &p, before);
    *before = p;
    table_put(p.table, p.ranks, z);
    z += steps_of(&p);
    for (int64_t r = s->row; r < s->row_end; r++) {
        int64_t m = rows->counts[r], k = p.predict == PREDICT_GRID && m ? 1 : m;
        if (m == 0) continue;
        predict_row(&p, row_before, from, k, z);
        row_before = from[0];
        from += m;
        z += k;
    }
    return residuals_of(&p, rows, s);
}

void seq_put(HWork *w, Buf *out, const uint64_t *v, const SeqRows *rows, uint64_t origin) {
    if (rows->total == 0) return;
    Strip s = {0};
    Plan before = {.base = origin, .unit = 1};
    int64_t n = 0, cuts = 0;
    uint64_t *z = hwork_slot(w, SLOT_ZIGZAG, 2 * rows->total * 8);
    int64_t *cut = hwork_slot(w, SLOT_CUTS, 3 * rows->rows * 8);
    buf_reset(&w->params);
    while (strip_next(rows, &s)) {
        if (s.end == s.first) continue;
        int64_t m = strip_put(w, v + s.first, rows, &s, &before, z + n);
        if (m >= PART_MIN) cut[cuts++] = n, cut[cuts++] = n + steps_of(&before), cut[cuts++] = n + m;
        n += m;
    }
    CHECK(s.end == rows->total);
    stream_put(w, out, w->params.p, w->params.n);
    if (n) residuals_put(w, out, z, n, cut, cuts);
}

// Wanted elements of the rows of a strip, by the residuals of their first ones.
static void grid_get(const Plan *p, const uint64_t *z, const SeqRows *rows, const Strip *s, uint64_t *v) {
    uint64_t q = 0, step = p->unit * (uint64_t)p->step;
    for (int64_t r = s->row; r < s->row_end; r++) {
        int64_t m = rows->counts[r], n = rows->want ? rows->want[r] : m;
        if (m == 0) continue;
        q += (uint64_t)unzigzag(*z++);
        uint64_t first = p->base + p->unit * q;
        for (int64_t i = 0; i < n; i++) v[i] = first + step * (uint64_t)i;
        v += m;
    }
}

// The values that have ranks; NULL: bad.
static const uint64_t *table_get(HWork *w, const Plan *p, Residuals *from) {
    uint64_t *table = hwork_slot(w, SLOT_RANK_TABLE, p->ranks * 8);
    const uint64_t *z = residuals_take(from, p->ranks - 1);
    table[0] = p->base;
    for (int64_t i = 1; z && i < p->ranks; i++) table[i] = table[i - 1] + p->unit * z[i - 1];
    return z ? table : NULL;
}

// Values of ranks; false: there is no such rank.
static bool ranks_get(const Plan *p, const uint64_t *table, uint64_t *v, int64_t n) {
    bool bad = false;
    for (int64_t i = 0; i < n; i++) {
        uint64_t rank = v[i];
        bad |= rank >= (uint64_t)p->ranks;
        v[i] = table[rank < (uint64_t)p->ranks ? rank : 0];
    }
    return !bad;
}

// Values of n elements q of a strip, in place. table: of ranks.
static bool unscale(const Plan *p, const uint64_t *table, uint64_t *v, int64_t n) {
    if (table) return ranks_get(p, table, v, n);
    if (p->unit == 1)
        for (int64_t i = 0; i < n; i++) v[i] += p->base;
    else
        for (int64_t i = 0; i < n; i++) v[i] = p->base + p->unit * v[i];
    return true;
}

// All elements of a strip, whose residuals come next.
static bool strip_all(const Plan *p, Residuals *from, const uint64_t *table, const SeqRows *rows, const Strip *s,
                      uint64_t *v) {
    int64_t before = 0;
    uint64_t *to = v;
    const uint64_t *z = residuals_take(from, s->end - s->first);
    if (!z) return false;
    for (int64_t r = s->row; r < s->row_end; r++) {
        int64_t m = rows->counts[r];
        if (m == 0) continue;
        restore_row(p, before, z, m, (int64_t *)to);
        before = (int64_t)to[0];
        to += m;
        z += m;
    }
    return unscale(p, table, v, s->end - s->first);
}

// Those that are wanted; of other rows no more is read than what the next one goes by.
static bool strip_some(const Plan *p, Residuals *from, const uint64_t *table, const SeqRows *rows, const Strip *s,
                       uint64_t *v) {
    bool follows = p->predict != PREDICT_CENTER && p->predict != PREDICT_PLAIN;
    int64_t before = 0, first, behind = s->row_end;
    while (behind > s->row && rows->want[behind - 1] == 0) behind--;
    for (int64_t r = s->row; r < s->row_end; v += rows->counts[r++]) {
        int64_t m = rows->counts[r], n = rows->want[r], k = n == 0 && m && follows && r < behind ? 1 : n;
        if (k) {
            int64_t *to = n ? (int64_t *)v : &first;
            const uint64_t *z = residuals_take(from, k);
            if (!z) return false;
            restore_row(p, before, z, k, to);
            before = *to;
            if (n && !unscale(p, table, v, n)) return false;
        }
        if (m > k) residuals_skip(from, m - k);
    }
    return true;
}

// The wanted elements of a strip, whose residuals come next; false: bad.
static bool strip_restore(HWork *w, const Plan *p, Residuals *from, const SeqRows *rows, const Strip *s, uint64_t *v) {
    if (p->predict == PREDICT_SAME) {
        for (Piece x = {0}; piece_next(rows, s, &x);)
            for (int64_t i = 0; i < x.n; i++) v[x.first - s->first + i] = p->base;
        return true;
    }
    const uint64_t *table = p->ranks ? table_get(w, p, from) : NULL, *z;
    if (p->ranks && !table) return false;
    if (p->predict == PREDICT_GRID) {
        z = residuals_take(from, residuals_of(p, rows, s));
        if (z) grid_get(p, z, rows, s, v);
        return z;
    }
    return rows->want ? strip_some(p, from, table, rows, s, v) : strip_all(p, from, table, rows, s, v);
}

// The plans of all strips with elements, and how many residuals there are.
static Plan *plans_get(HWork *w, Cut *c, const SeqRows *rows, uint64_t origin, int64_t *residuals) {
    Str bytes = stream_get(w, c, SLOT_PARAMS, (rows->rows + 1) * 42);
    Cut from = cut_of(bytes);
    Plan *plans = hwork_slot(w, SLOT_SCALED, (rows->rows + 1) * (int64_t)sizeof *plans);
    Plan before = {.base = origin, .unit = 1};
    Strip s = {0};
    *residuals = 0;
    for (int64_t i = 0; strip_next(rows, &s);) {
        if (s.end == s.first) continue;
        plans[i++] = before = plan_get(&from, &before, s.end - s.first);
        if (from.bad) break;
        *residuals += residuals_of(&before, rows, &s);
    }
    if (from.bad || from.p != from.end) c->bad = true;
    return plans;
}

void seq_get(HWork *w, Cut *c, uint64_t *v, const SeqRows *rows, uint64_t origin) {
    if (rows->total == 0) return;
    int64_t n;
    const Plan *p = plans_get(w, c, rows, origin, &n);
    if (c->bad) return;
    Residuals r;
    residuals_open(&r, w, c, n);
    for (Strip s = {0}; strip_next(rows, &s) && !c->bad;) {
        if (s.end == s.first) continue;
        if (!strip_wanted(rows, &s)) residuals_skip(&r, residuals_of(p, rows, &s));
        else if (!strip_restore(w, p, &r, rows, &s, v + s.first)) c->bad = true;
        p++;
    }
    residuals_close(&r);
}
