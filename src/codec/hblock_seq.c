// SPDX-License-Identifier: Apache-2.0
// Sequences of integers. A strip's elements are v = base + unit * q (mod 2^64); of q only what a predictor missed is
// kept, zigzagged. Those residuals of all strips are laid out in one of two ways, whichever is smaller:
//   buckets  a symbol a residual, four to an octave, packed by zstd (its Huffman stage is what counts), and the bits
//            below the bucket as they are: near the entropy of whatever distribution there is
//   varints  LEB128, packed by zstd: for residuals that repeat in patterns
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
    PREDICT_KINDS
};
#define PREDICT_MASK 7
#define UNIT_AS_BEFORE 8

enum { LAYOUT_BUCKETS, LAYOUT_VARINTS };

#define SAMPLE 256 // elements a predictor is tried on, in each of two windows
#define MEAN_SHIFT 4
#define SYMBOLS 252 // 4 * 61 + 7 is the largest

typedef struct Plan {
    uint64_t base, unit;
    int64_t step;
    uint8_t predict;
} Plan;

bool strip_next(const SeqRows *rows, Strip *s) {
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

int64_t strip_wanted(const SeqRows *rows, const Strip *s) {
    int64_t n = s->end - s->first, last = s->row_end - 1;
    if (!rows->want) return n;
    if (rows->counts[last] == n) return rows->want[last]; // it is one row
    for (int64_t r = s->row; r <= last; r++)
        if (rows->want[r]) return n;
    return 0;
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
    int64_t last = q[0] = plus(unzigzag(z[0]), before);
    if (p->predict == PREDICT_DELTA) {
        for (int64_t i = 1; i < n; i++) q[i] = last = plus(last, plus(unzigzag(z[i]), p->step));
    } else if (p->predict == PREDICT_LINE) {
        int64_t slope = p->step;
        for (int64_t i = 1; i < n; i++) {
            slope = plus(slope, unzigzag(z[i]));
            q[i] = last = plus(last, slope);
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
}

static void plan_put(Buf *out, const Plan *p, const Plan *before) {
    bool same_unit = p->unit == before->unit;
    buf_byte(out, (char)(p->predict | (same_unit ? UNIT_AS_BEFORE : 0)));
    buf_varint_signed(out, (int64_t)(p->base - before->base));
    if (p->predict == PREDICT_SAME) return;
    if (!same_unit) buf_varint(out, p->unit);
    if (p->predict != PREDICT_MEAN) buf_varint_signed(out, p->step);
}

static Plan plan_get(Cut *c, const Plan *before) {
    Plan p = *before;
    uint8_t how = cut_byte(c);
    p.predict = how & PREDICT_MASK;
    if (p.predict >= PREDICT_KINDS) c->bad = true;
    p.base = before->base + (uint64_t)cut_varint_signed(c);
    if (p.predict == PREDICT_SAME) return p;
    if (!(how & UNIT_AS_BEFORE)) p.unit = cut_varint(c);
    p.step = p.predict == PREDICT_MEAN ? 0 : cut_varint_signed(c);
    return p;
}

// ---- layouts ------------------------------------------------------------------------------------------------------

// Bits below the bucket of z; its symbol is 4 * bits + (z >> bits), which leaves those below 8 as they are.
static int bits_below(uint64_t z) {
    int n = bit_length(z);
    return n > 3 ? n - 3 : 0;
}

static int bits_behind(uint8_t symbol) { return (symbol >> 2) - (symbol > 3); }

static void buckets_put(HWork *w, Buf *out, const uint64_t *z, int64_t n) {
    uint8_t *symbols = hwork_slot(w, SLOT_SYMBOLS, n), *extra = hwork_slot(w, SLOT_EXTRA, n * 8 + 16), *at = extra;
    uint64_t acc = 0;
    int used = 0; // bits of acc, below 8 between two residuals
    for (int64_t i = 0; i < n; i++) {
        int bits = bits_below(z[i]);
        symbols[i] = (uint8_t)(4 * bits + (int)(z[i] >> bits));
        uint64_t low = z[i] & (((uint64_t)1 << bits) - 1);
        acc |= low << used;
        memcpy(at, &acc, 8);
        if (used + bits > 63) { // a few more bits than a word has
            at += 8;
            acc = used ? low >> (64 - used) : 0;
            used += bits - 64;
        } else {
            used += bits;
            at += used >> 3;
            acc >>= used & 56;
            used &= 7;
        }
    }
    memcpy(at, &acc, 8);
    at += (used + 7) / 8;
    stream_put(w, out, symbols, n);
    buf_varint(out, (uint64_t)(at - extra));
    buf_put(out, extra, at - extra);
}

// Eight symbols at a time: the bits behind them, two and two in 16 bits; *bad: some are no symbols.
static uint64_t bits_behind_8(const uint8_t *symbols, uint64_t *bad) {
    const uint64_t ones = UINT64_C(0x0101010101010101), pairs = UINT64_C(0x00ff00ff00ff00ff);
    uint64_t x;
    memcpy(&x, symbols, 8);
    uint64_t quarter = x >> 2 & 63 * ones, some = (quarter + 127 * ones) >> 7 & ones, bits = quarter - some;
    *bad |= ((63 * ones - quarter + 127 * ones) >> 7 & ones) ^ ones; // 63 quarters are SYMBOLS and more
    return (bits & pairs) + (bits >> 8 & pairs);
}

static uint64_t bits_behind_all(const uint8_t *symbols, int64_t n, bool *bad) {
    uint64_t sum = 0, wrong = 0;
    int64_t i = 0;
    for (int64_t end; n - i >= 8; i = end) {
        uint64_t pairs = 0;
        end = n - i > 4096 ? i + 4096 : i + ((n - i) & ~7); // 512 times 124 is below 1 << 16
        for (int64_t k = i; k < end; k += 8) pairs += bits_behind_8(symbols + k, &wrong);
        sum += (pairs & 0xffff) + (pairs >> 16 & 0xffff) + (pairs >> 32 & 0xffff) + (pairs >> 48);
    }
    for (; i < n; i++) {
        sum += (uint64_t)bits_behind(symbols[i]);
        wrong |= symbols[i] >= SYMBOLS;
    }
    *bad |= wrong != 0;
    return sum;
}

// Residuals, strip by strip.
typedef struct Residuals {
    const uint8_t *symbols; // buckets: those that are left, and where their bits are
    const uint8_t *extra;
    uint64_t at;
    const uint64_t *varints; // that are left
    uint64_t *z;             // room for those of a strip
} Residuals;

static void buckets_fill(Residuals *r, int64_t n) {
    uint64_t at = r->at;
    for (int64_t i = 0; i < n; i++) {
        int bits = bits_behind(r->symbols[i]);
        uint64_t word;
        memcpy(&word, r->extra + (at >> 3), 8);
        word >>= at & 7;
        if (__builtin_expect(bits > 56, 0) && (at & 7)) word |= (uint64_t)r->extra[(at >> 3) + 8] << (64 - (at & 7));
        r->z[i] = (uint64_t)(r->symbols[i] - 4 * bits) << bits | (word & (((uint64_t)1 << bits) - 1));
        at += (uint64_t)bits;
    }
    r->at = at;
}

// The next n.
static const uint64_t *residuals_take(Residuals *r, int64_t n) {
    const uint64_t *z = r->z;
    if (!r->symbols) {
        z = r->varints;
        r->varints += n;
        return z;
    }
    if (r->extra) buckets_fill(r, n);
    else
        for (int64_t i = 0; i < n; i++) r->z[i] = r->symbols[i];
    r->symbols += n;
    return z;
}

static void residuals_skip(Residuals *r, int64_t n) {
    bool bad = false;
    if (n == 0) return;
    if (!r->symbols) {
        r->varints += n;
        return;
    }
    if (r->extra) r->at += bits_behind_all(r->symbols, n, &bad);
    r->symbols += n;
}

static void buckets_get(HWork *w, Cut *c, int64_t n, Residuals *r) {
    Str symbols = stream_get_exact(w, c, SLOT_SYMBOLS, n);
    uint64_t size = cut_varint(c);
    if (size > (uint64_t)(c->end - c->p)) c->bad = true;
    Str raw = cut_bytes(c, c->bad ? 0 : (int64_t)size);
    if (c->bad) return;
    r->symbols = (const uint8_t *)symbols.p;
    uint64_t bits = bits_behind_all(r->symbols, n, &c->bad);
    if ((bits + 7) / 8 != size) c->bad = true;
    if (c->bad || bits == 0) return;
    uint8_t *extra = hwork_slot(w, SLOT_EXTRA, raw.n); // it has room behind to read words
    memcpy(extra, raw.p, (size_t)raw.n);
    r->extra = extra;
}

static void varints_put(HWork *w, Buf *out, const uint64_t *z, int64_t n) {
    uint8_t *bytes = hwork_slot(w, SLOT_VARINTS, n * 10), *at = bytes;
    for (int64_t i = 0; i < n; i++) {
        uint64_t v = z[i];
        for (; v >= 0x80; v >>= 7) *at++ = (uint8_t)(v | 0x80);
        *at++ = (uint8_t)v;
    }
    stream_put(w, out, bytes, at - bytes);
}

static void varints_get(HWork *w, Cut *c, int64_t n, Residuals *r) {
    Cut v = cut_of(stream_get(w, c, SLOT_VARINTS, n * 10));
    for (int64_t i = 0; i < n; i++) r->z[i] = v.p < v.end && *v.p < 0x80 ? *v.p++ : cut_varint(&v);
    if (v.bad || v.p != v.end) c->bad = true;
    r->varints = r->z;
}

// What both layouts come to; the smaller one is kept.
static void layout_put(HWork *w, Buf *out, const uint64_t *z, int64_t n) {
    int64_t at = out->n;
    buf_byte(out, LAYOUT_BUCKETS);
    buckets_put(w, out, z, n);
    if (out->n - at < n / 8) return; // nothing to win
    buf_reset(&w->packed);
    buf_byte(&w->packed, LAYOUT_VARINTS);
    varints_put(w, &w->packed, z, n);
    if (w->packed.n >= out->n - at || out->full) return;
    out->n = at;
    buf_str_put(out, buf_str(&w->packed));
}

// ---- sequences ----------------------------------------------------------------------------------------------------

// Residuals the strip has.
static int64_t residuals_of(const Plan *p, const SeqRows *rows, const Strip *s) {
    if (p->predict == PREDICT_SAME) return 0;
    if (p->predict != PREDICT_GRID) return s->end - s->first;
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
    plan_put(&w->params, &p, before);
    *before = p;
    for (int64_t r = s->row; r < s->row_end; r++) {
        int64_t m = rows->counts[r], k = p.predict == PREDICT_GRID && m ? 1 : m;
        if (m == 0) continue;
        predict_row(&p, row_before, q, k, z);
        row_before = q[0];
        q += m;
        z += k;
    }
    return residuals_of(&p, rows, s);
}

void seq_put(HWork *w, Buf *out, const uint64_t *v, const SeqRows *rows, uint64_t origin) {
    if (rows->total == 0) return;
    Strip s = {0};
    Plan before = {.base = origin, .unit = 1};
    int64_t n = 0;
    uint64_t *z = hwork_slot(w, SLOT_ZIGZAG, rows->total * 8);
    buf_reset(&w->params);
    while (strip_next(rows, &s)) {
        if (s.end > s.first) n += strip_put(w, v + s.first, rows, &s, &before, z + n);
    }
    CHECK(s.end == rows->total);
    stream_put(w, out, w->params.p, w->params.n);
    if (n) layout_put(w, out, z, n);
}

// Rows of the first n elements of a strip.
static void grid_get(const Plan *p, const uint64_t *z, const SeqRows *rows, const Strip *s, uint64_t *v, int64_t n) {
    uint64_t q = 0, step = p->unit * (uint64_t)p->step;
    for (int64_t r = s->row; r < s->row_end; r++) {
        int64_t m = rows->counts[r] < n ? rows->counts[r] : n;
        if (m == 0) continue;
        q += (uint64_t)unzigzag(*z++);
        uint64_t first = p->base + p->unit * q;
        for (int64_t i = 0; i < m; i++) v[i] = first + step * (uint64_t)i;
        v += m;
        n -= m;
    }
}

static void strip_get(const Plan *p, const uint64_t *z, const SeqRows *rows, const Strip *s, uint64_t *v, int64_t n) {
    int64_t before = 0, left = n;
    uint64_t *to = v;
    for (int64_t r = s->row; r < s->row_end; r++) {
        int64_t m = rows->counts[r] < left ? rows->counts[r] : left;
        if (m == 0) continue;
        restore_row(p, before, z, m, (int64_t *)to);
        before = (int64_t)to[0];
        to += m;
        z += m;
        left -= m;
    }
    if (p->unit == 1)
        for (int64_t i = 0; i < n; i++) v[i] += p->base;
    else
        for (int64_t i = 0; i < n; i++) v[i] = p->base + p->unit * v[i];
}

// The first n > 0 elements of a strip, whose residuals come next.
static void strip_restore(const Plan *p, Residuals *from, const SeqRows *rows, const Strip *s, uint64_t *v, int64_t n) {
    int64_t residuals = residuals_of(p, rows, s), taken = residuals < n ? residuals : n;
    const uint64_t *z = taken ? residuals_take(from, taken) : NULL;
    if (p->predict == PREDICT_SAME) {
        for (int64_t i = 0; i < n; i++) v[i] = p->base;
    } else if (p->predict == PREDICT_GRID) {
        grid_get(p, z, rows, s, v, n);
    } else {
        strip_get(p, z, rows, s, v, n);
    }
    residuals_skip(from, residuals - taken);
}

// The plans of all strips with elements, and how many residuals there are.
static Plan *plans_get(HWork *w, Cut *c, const SeqRows *rows, uint64_t origin, int64_t *residuals) {
    Str bytes = stream_get(w, c, SLOT_PARAMS, (rows->rows + 1) * 32);
    Cut from = cut_of(bytes);
    Plan *plans = hwork_slot(w, SLOT_SCALED, (rows->rows + 1) * (int64_t)sizeof *plans);
    Plan before = {.base = origin, .unit = 1};
    Strip s = {0};
    *residuals = 0;
    for (int64_t i = 0; strip_next(rows, &s);) {
        if (s.end == s.first) continue;
        plans[i++] = before = plan_get(&from, &before);
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
    Residuals r = {.z = hwork_slot(w, SLOT_ZIGZAG, n * 8)};
    if (n) {
        uint8_t layout = cut_byte(c);
        if (layout == LAYOUT_BUCKETS) buckets_get(w, c, n, &r);
        else if (layout == LAYOUT_VARINTS) varints_get(w, c, n, &r);
        else c->bad = true;
    }
    if (c->bad) return;
    for (Strip s = {0}; strip_next(rows, &s);) {
        if (s.end == s.first) continue;
        int64_t m = strip_wanted(rows, &s);
        if (m) strip_restore(p, &r, rows, &s, v + s.first, m);
        else residuals_skip(&r, residuals_of(p, rows, &s));
        p++;
    }
}
