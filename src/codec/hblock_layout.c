// SPDX-License-Identifier: Apache-2.0
// Residuals (small numbers above all, 64 bits at most) as bytes. In parts, each laid out in the way that is smallest:
//   buckets  a symbol a residual, 4 to 128 to an octave (fine ones where residuals are small), packed by zstd (its
//            Huffman stage is what counts), and the bits below the bucket as they are: near the entropy of whatever
//            distribution there is
//   varints  LEB128, packed by zstd: for residuals that repeat in patterns
//   widths   every stretch of WIDTH_RUN residuals in as many bits each as its largest one has: young blocks, which are
//            asked for a few of many rows; nothing need be unpacked to get to them
// A part begins where a long strip does, if that pays: rows of a page differ.
#include <math.h>
#include "base/check.h"
#include "codec/hblock_inner.h"

// ORDER LAYOUT: stored. Others, below LAYOUTS: buckets, 1 << LAYOUT to an octave.
enum {
    LAYOUT_BUCKETS,  // 4 to an octave
    LAYOUT_VARINTS,  // no buckets
    LAYOUT_PARTS,    // parts follow: how many residuals, a layout, what they are, until all have come
    LAYOUT_FINE = 3, // 8 to an octave; 7: bytes as they are
    LAYOUT_WIDTHS = 8,
    LAYOUTS
};

#define FINE_COARSEST 2 // of LAYOUT_BUCKETS
#define FINE_FINEST 7
#define SYMBOLS 252    // of 4 to an octave: 4 * 61 + 7 is the largest
#define TABLE_BITS 100 // what packing a part costs, and each symbol it has
#define SYMBOL_BITS 5
#define FINE_MIN 64 // fewer residuals are not worth a choice
#define WIDTH_RUN 128
#define WIDTH_MAX 64
#define WIDTHS_OVER 4 // widths may take this part of the least bits more,
#define HEAD_BITS 4   // or so many bits a residual of the head, which whoever opens the block reads
#define SLACK 16      // bytes that may be read behind the last residual

static int bit_length(uint64_t v) { return 64 - __builtin_clzll(v | 1) - (v == 0); }

// Bits below the bucket of z, 1 << fine to an octave; its symbol is (bits << fine) + (z >> bits), which leaves those
// below 2 << fine as they are.
static inline int bits_below(uint64_t z, int fine) { return 63 - fine - __builtin_clzll(z | (uint64_t)1 << fine); }

static int bits_behind(uint8_t symbol, int fine) { return (symbol >> fine) - (symbol >> fine != 0); }

// The finest buckets whose symbols are bytes, by a number that has the bits of all residuals.
static int finest(uint64_t all) {
    int fine = FINE_FINEST, n = bit_length(all);
    while (fine > FINE_COARSEST && (n - fine + 1) * (1 << fine) > 256) fine--;
    return fine;
}

static uint64_t bits_of_all(const uint64_t *z, int64_t n) {
    uint64_t all = 0;
    for (int64_t i = 0; i < n; i++) all |= z[i];
    return all;
}

// ---- what it comes to ----------------------------------------------------------------------------------------------

// Symbols of a stretch, and the bits behind them.
typedef struct Tally {
    uint32_t count[256];
    int64_t n, extra;
} Tally;

static void tally_of(const uint64_t *z, int64_t n, int fine, Tally *t) {
    uint32_t odd[256] = {0}; // the same that come one after another need not wait for each other
    memset(t->count, 0, sizeof t->count);
    int64_t extra = 0, i = 0;
    for (; i + 1 < n; i += 2) {
        int a = bits_below(z[i], fine), b = bits_below(z[i + 1], fine);
        t->count[(uint8_t)((a << fine) + (int)(z[i] >> a))]++;
        odd[(uint8_t)((b << fine) + (int)(z[i + 1] >> b))]++;
        extra += a + b;
    }
    for (; i < n; i++) {
        int a = bits_below(z[i], fine);
        odd[(uint8_t)((a << fine) + (int)(z[i] >> a))]++;
        extra += a;
    }
    for (int k = 0; k < 256; k++) t->count[k] += odd[k];
    t->n = n;
    t->extra = extra;
}

// Of the same residuals in buckets half as fine: `fine` to an octave then.
static void tally_coarser(Tally *t, int fine) {
    uint32_t count[256] = {0};
    for (int i = 0; i < 256; i++) {
        if (t->count[i] == 0) continue;
        int bits = bits_behind((uint8_t)i, fine + 1), whole = i - (bits << (fine + 1)), more = whole >> (fine + 1);
        count[((bits + more) << fine) + (whole >> more)] += t->count[i];
        t->extra += (int64_t)t->count[i] * more;
    }
    memcpy(t->count, count, sizeof count);
}

static void tally_add(Tally *t, const Tally *more) {
    for (int i = 0; i < 256; i++) t->count[i] += more->count[i];
    t->n += more->n;
    t->extra += more->extra;
}

// Bits of them: their entropy, what is behind, and what a table takes.
static double tally_bits(const Tally *t) {
    double bits = (double)t->n * log2((double)t->n + 1e-9) + (double)t->extra + TABLE_BITS;
    for (int i = 0; i < 256; i++) {
        if (t->count[i] == 0) continue;
        bits -= (double)t->count[i] * log2((double)t->count[i]);
        bits += SYMBOL_BITS;
    }
    return bits;
}

// The least bits of all buckets, and which do it.
static double choose_fine(const uint64_t *z, int64_t n, int *found) {
    Tally t;
    int fine = *found = finest(bits_of_all(z, n));
    tally_of(z, n, fine, &t);
    double best = tally_bits(&t);
    while (--fine >= FINE_COARSEST) {
        tally_coarser(&t, fine);
        double bits = tally_bits(&t);
        if (bits <= best) best = bits, *found = fine;
    }
    return best;
}

double residuals_bits(const uint64_t *z, int64_t n) {
    int fine;
    return choose_fine(z, n, &fine);
}

// ---- buckets and varints -------------------------------------------------------------------------------------------

static inline void put_buckets(HWork *w, Buf *out, const uint64_t *z, int64_t n, int fine) {
    uint8_t *symbols = hwork_slot(w, SLOT_SYMBOLS, n), *extra = hwork_slot(w, SLOT_EXTRA, n * 8 + 16), *at = extra;
    uint64_t acc = 0;
    int used = 0; // bits of acc, below 8 between two residuals
    for (int64_t i = 0; i < n; i++) {
        int bits = bits_below(z[i], fine);
        symbols[i] = (uint8_t)((bits << fine) + (int)(z[i] >> bits));
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

static void buckets_put(HWork *w, Buf *out, const uint64_t *z, int64_t n, int fine) {
    if (fine == FINE_COARSEST) put_buckets(w, out, z, n, FINE_COARSEST); // constant, as most are
    else put_buckets(w, out, z, n, fine);
}

// Not when that cannot be below `below` bytes; true: it was done.
static bool varints_put(HWork *w, Buf *out, const uint64_t *z, int64_t n, int64_t below) {
    uint8_t *bytes = hwork_slot(w, SLOT_VARINTS, n * 10), *at = bytes;
    for (int64_t i = 0; i < n; i++) {
        uint64_t v = z[i];
        for (; v >= 0x80; v >>= 7) *at++ = (uint8_t)(v | 0x80);
        *at++ = (uint8_t)v;
    }
    if (!w->repeats && rans_least(bytes, at - bytes) >= below) return false;
    stream_put(w, out, bytes, at - bytes);
    return true;
}

// ---- widths --------------------------------------------------------------------------------------------------------

static int64_t width_runs(int64_t n) { return (n + WIDTH_RUN - 1) / WIDTH_RUN; }

static int64_t width_bytes(int64_t n, int width) { return (n * width + 7) / 8; }

static int64_t run_of(int64_t left) { return left < WIDTH_RUN ? left : WIDTH_RUN; }

// Bytes of residuals by widths, which go to a slot.
static int64_t widths_of(HWork *w, const uint64_t *z, int64_t n, const uint8_t **out) {
    uint8_t *widths = hwork_slot(w, SLOT_SYMBOLS, width_runs(n));
    int64_t bytes = width_runs(n);
    for (int64_t i = 0; i < n; i += WIDTH_RUN) {
        int64_t m = run_of(n - i);
        int width = bit_length(bits_of_all(z + i, m));
        widths[i / WIDTH_RUN] = (uint8_t)width;
        bytes += width_bytes(m, width);
    }
    *out = widths;
    return bytes;
}

// n residuals of one width; 8 bytes more may be written than they take. Returns where they end.
static uint8_t *width_put(uint8_t *at, const uint64_t *z, int64_t n, int width) {
    uint64_t acc = 0;
    int used = 0; // bits of acc
    for (int64_t i = 0; i < n; i++) {
        acc |= z[i] << used;
        used += width;
        if (used < 64) continue;
        memcpy(at, &acc, 8);
        at += 8;
        used -= 64;
        acc = used ? z[i] >> (width - used) : 0;
    }
    memcpy(at, &acc, 8);
    return at + (used + 7) / 8;
}

static void widths_put(HWork *w, Buf *out, const uint64_t *z, int64_t n, const uint8_t *widths) {
    uint8_t *bytes = hwork_slot(w, SLOT_EXTRA, n * 8 + SLACK), *at = bytes;
    for (int64_t i = 0; i < n; i += WIDTH_RUN) at = width_put(at, z + i, run_of(n - i), widths[i / WIDTH_RUN]);
    buf_byte(out, LAYOUT_WIDTHS);
    buf_put(out, widths, width_runs(n));
    buf_put(out, bytes, at - bytes);
}

// Young blocks: by widths, if that does not take much more than the least.
static bool put_widths(HWork *w, Buf *out, const uint64_t *z, int64_t n) {
    Tally t;
    const uint8_t *widths;
    double bits = 8 * (double)widths_of(w, z, n, &widths);
    tally_of(z, n, FINE_COARSEST, &t);
    double least = tally_bits(&t);
    if (bits > least + least / WIDTHS_OVER && (!w->in_head || bits > HEAD_BITS * (double)n)) return false;
    widths_put(w, out, z, n, widths);
    return true;
}

// ---- parts ---------------------------------------------------------------------------------------------------------

// What both layouts come to; the smaller one is kept.
static void part_put(HWork *w, Buf *out, const uint64_t *z, int64_t n) {
    int64_t at = out->n;
    int fine = FINE_COARSEST;
    if (w->level < 2 && put_widths(w, out, z, n)) return;
    if (n >= FINE_MIN && w->level > 1) choose_fine(z, n, &fine);
    w->repeats = true; // as far as is known
    buf_byte(out, (char)(fine == FINE_COARSEST ? LAYOUT_BUCKETS : fine));
    buckets_put(w, out, z, n, fine);
    if (out->n - at < n / 8 || fine == FINE_FINEST) return; // nothing to win, or all are bytes
    buf_reset(&w->packed);
    buf_byte(&w->packed, LAYOUT_VARINTS);
    if (!varints_put(w, &w->packed, z, n, out->n - at)) return;
    if (w->packed.n >= out->n - at || out->full) return;
    out->n = at;
    buf_str_put(out, buf_str(&w->packed));
}

// The end of the part that begins at `from`: where tables of their own pay.
static int64_t part_end(const uint64_t *z, int64_t n, int64_t from, const int64_t **cuts, const int64_t *cuts_end) {
    Tally all, next;
    int64_t end = 0;
    while (end < n) {
        while (*cuts < cuts_end && **cuts <= from + end) ++*cuts;
        int64_t to = *cuts < cuts_end ? **cuts - from : n;
        tally_of(z + end, to - end, FINE_COARSEST, &next);
        if (end == 0) {
            all = next;
        } else {
            double apart = tally_bits(&all) + tally_bits(&next);
            tally_add(&all, &next);
            if (tally_bits(&all) > apart) return end;
        }
        end = to;
    }
    return end;
}

void residuals_put(HWork *w, Buf *out, const uint64_t *z, int64_t n, const int64_t *cuts, int64_t cut_count) {
    const int64_t *cut = cuts, *cuts_end = cuts + cut_count;
    if (cut_count == 0 || w->level < 2) {
        part_put(w, out, z, n);
        return;
    }
    for (int64_t at = 0, m; at < n; at += m) {
        m = part_end(z + at, n - at, at, &cut, cuts_end);
        if (at == 0 && m < n) buf_byte(out, LAYOUT_PARTS);
        if (m < n) buf_varint(out, (uint64_t)m);
        part_put(w, out, z + at, m);
    }
}

// ---- reading -------------------------------------------------------------------------------------------------------

// Eight symbols at a time: the bits behind them, two and two in 16 bits; *bad: some are no symbols.
static uint64_t bits_behind_8(const uint8_t *symbols, int fine, uint64_t *bad) {
    const uint64_t ones = UINT64_C(0x0101010101010101), pairs = UINT64_C(0x00ff00ff00ff00ff);
    uint64_t x;
    memcpy(&x, symbols, 8);
    uint64_t whole = x >> fine & (UINT64_C(255) >> fine) * ones, some = (whole + 127 * ones) >> 7 & ones;
    if (fine == FINE_COARSEST) *bad |= ((63 * ones - whole + 127 * ones) >> 7 & ones) ^ ones; // 63: SYMBOLS and more
    uint64_t bits = whole - some;
    return (bits & pairs) + (bits >> 8 & pairs);
}

static uint64_t bits_behind_all(const uint8_t *symbols, int64_t n, int fine, bool *bad) {
    uint64_t sum = 0, wrong = 0;
    int64_t i = 0;
    for (int64_t end; n - i >= 8; i = end) {
        uint64_t pairs = 0;
        end = n - i > 4096 ? i + 4096 : i + ((n - i) & ~7); // 512 times 124 is below 1 << 16
        for (int64_t k = i; k < end; k += 8) pairs += bits_behind_8(symbols + k, fine, &wrong);
        sum += (pairs & 0xffff) + (pairs >> 16 & 0xffff) + (pairs >> 32 & 0xffff) + (pairs >> 48);
    }
    for (; i < n; i++) {
        sum += (uint64_t)bits_behind(symbols[i], fine);
        wrong |= fine == FINE_COARSEST && symbols[i] >= SYMBOLS;
    }
    *bad |= wrong != 0;
    return sum;
}

static inline void fill(Residuals *r, int64_t n, int fine) {
    uint64_t at = r->at;
    for (int64_t i = 0; i < n; i++) {
        int bits = bits_behind(r->symbols[i], fine);
        uint64_t word;
        memcpy(&word, r->extra + (at >> 3), 8);
        word >>= at & 7;
        if (__builtin_expect(bits > 56, 0) && (at & 7)) word |= (uint64_t)r->extra[(at >> 3) + 8] << (64 - (at & 7));
        r->z[i] = (uint64_t)(r->symbols[i] - (bits << fine)) << bits | (word & (((uint64_t)1 << bits) - 1));
        at += (uint64_t)bits;
    }
    r->at = at;
}

// The bytes just cut, or a copy that has room behind to read words.
static const uint8_t *with_slack(Residuals *r, Str raw) {
    if (r->c->end - r->c->p >= SLACK) return (const uint8_t *)raw.p;
    uint8_t *copy = hwork_slot(r->w, SLOT_EXTRA, raw.n + SLACK);
    memcpy(copy, raw.p, (size_t)raw.n);
    return copy;
}

static void buckets_get(Residuals *r, int64_t n, int fine) {
    Cut *c = r->c;
    Str symbols = stream_get_exact(r->w, c, SLOT_SYMBOLS, n);
    uint64_t size = cut_varint(c);
    if (size > (uint64_t)(c->end - c->p)) c->bad = true;
    Str raw = cut_bytes(c, c->bad ? 0 : (int64_t)size);
    if (c->bad) return;
    r->fine = fine;
    r->symbols = (const uint8_t *)symbols.p;
    uint64_t bits = bits_behind_all(r->symbols, n, fine, &c->bad);
    if ((bits + 7) / 8 != size) c->bad = true;
    if (c->bad || bits == 0) return;
    r->extra = with_slack(r, raw);
}

static void varints_get(Residuals *r, int64_t n) {
    Cut v = cut_of(stream_get(r->w, r->c, SLOT_VARINTS, n * 10));
    for (int64_t i = 0; i < n; i++) r->z[i] = v.p < v.end && *v.p < 0x80 ? *v.p++ : cut_varint(&v);
    if (v.bad || v.p != v.end) r->c->bad = true;
    r->varints = r->z;
}

// The bytes of n residuals by widths; their widths.
static Str widths_cut(Cut *c, int64_t n, const uint8_t **widths) {
    int64_t size = 0;
    bool bad = width_runs(n) > c->end - c->p;
    const uint8_t *p = *widths = (const uint8_t *)cut_bytes(c, bad ? 0 : width_runs(n)).p;
    for (int64_t i = 0; i < n && !bad; i += WIDTH_RUN) {
        bad = p[i / WIDTH_RUN] > WIDTH_MAX;
        size += width_bytes(run_of(n - i), p[i / WIDTH_RUN]);
    }
    if (bad || size > c->end - c->p) c->bad = true;
    return cut_bytes(c, c->bad ? 0 : size);
}

static void widths_get(Residuals *r, int64_t n) {
    Str raw = widths_cut(r->c, n, &r->widths);
    if (r->c->bad) return;
    r->extra = with_slack(r, raw);
    r->in_run = run_of(n);
}

// Past m residuals of the run, which ends with the part at the latest.
static void run_past(Residuals *r, int64_t m) {
    r->at += (uint64_t)m * *r->widths;
    r->in_run -= m;
    if (r->in_run) return;
    r->at = (r->at + 7) & ~UINT64_C(7);
    r->widths++;
    r->in_run = run_of(r->in_part);
}

// The next m of the run.
static void width_get(const Residuals *r, uint64_t *z, int64_t m) {
    int width = *r->widths;
    uint64_t at = r->at, mask = width < 64 ? ((uint64_t)1 << width) - 1 : UINT64_MAX, word;
    for (int64_t i = 0; i < m; i++, at += (uint64_t)width) {
        memcpy(&word, r->extra + (at >> 3), 8);
        word >>= at & 7;
        if (__builtin_expect(width > 56, 0) && (at & 7)) word |= (uint64_t)r->extra[(at >> 3) + 8] << (64 - (at & 7));
        z[i] = word & mask;
    }
}

// The next n of the part; z NULL: past them.
static void widths_take(Residuals *r, uint64_t *z, int64_t n) {
    while (n > 0) {
        int64_t m = n < r->in_run ? n : r->in_run;
        if (z) width_get(r, z, m), z += m;
        r->in_part -= m;
        run_past(r, m);
        n -= m;
    }
}

// The head of the next part; its residuals are in_part then. Returns its layout.
static int part_head(Residuals *r) {
    uint64_t n = r->parts ? cut_varint(r->c) : (uint64_t)r->left;
    int layout = cut_byte(r->c);
    if (n == 0 || n > (uint64_t)r->left || layout == LAYOUT_PARTS || layout >= LAYOUTS) r->c->bad = true;
    if (r->c->bad) return 0;
    r->in_part = (int64_t)n;
    r->left -= r->in_part;
    return layout;
}

static void part_body(Residuals *r, int layout) {
    r->symbols = r->extra = r->widths = NULL;
    r->at = 0;
    if (layout == LAYOUT_VARINTS) varints_get(r, r->in_part);
    else if (layout == LAYOUT_WIDTHS) widths_get(r, r->in_part);
    else buckets_get(r, r->in_part, layout == LAYOUT_BUCKETS ? FINE_COARSEST : layout);
}

// Past a part that is not begun.
static void part_past(Cut *c, int layout, int64_t n) {
    const uint8_t *widths;
    if (layout == LAYOUT_WIDTHS) {
        widths_cut(c, n, &widths);
        return;
    }
    stream_skip(c);
    if (layout == LAYOUT_VARINTS) return;
    uint64_t size = cut_varint(c);
    if (size > (uint64_t)(c->end - c->p)) c->bad = true;
    if (!c->bad) cut_bytes(c, (int64_t)size);
}

void residuals_open(Residuals *r, HWork *w, Cut *c, int64_t n) {
    *r = (Residuals){.w = w, .c = c, .left = n, .z = hwork_slot(w, SLOT_ZIGZAG, n * 8)};
    if (n == 0 || c->p == c->end || *c->p != LAYOUT_PARTS) return;
    r->parts = true;
    cut_byte(c);
}

const uint64_t *residuals_take(Residuals *r, int64_t n) {
    const uint64_t *z = r->z;
    if (n == 0) return z;
    if (r->in_part == 0 && !r->c->bad) {
        int layout = part_head(r);
        if (!r->c->bad) part_body(r, layout);
    }
    if (n > r->in_part) r->c->bad = true;
    if (r->c->bad) return NULL;
    if (r->widths) {
        widths_take(r, r->z, n);
        return z;
    }
    r->in_part -= n;
    if (!r->symbols) {
        z = r->varints;
        r->varints += n;
        return z;
    }
    if (!r->extra)
        for (int64_t i = 0; i < n; i++) r->z[i] = r->symbols[i];
    else if (r->fine == FINE_COARSEST) fill(r, n, FINE_COARSEST); // constant, as most are
    else fill(r, n, r->fine);
    r->symbols += n;
    return z;
}

void residuals_skip(Residuals *r, int64_t n) {
    bool bad = false;
    while (n > 0 && !r->c->bad) {
        if (r->in_part == 0) {
            int layout = part_head(r);
            if (!r->c->bad && r->in_part <= n) {
                n -= r->in_part;
                part_past(r->c, layout, r->in_part);
                r->in_part = 0;
                continue;
            }
            if (!r->c->bad) part_body(r, layout);
            if (r->c->bad) return;
        }
        int64_t m = n < r->in_part ? n : r->in_part;
        n -= m;
        if (r->widths) {
            widths_take(r, NULL, m);
            continue;
        }
        if (!r->symbols) r->varints += m;
        else if (r->extra) r->at += bits_behind_all(r->symbols, m, r->fine, &bad);
        if (r->symbols) r->symbols += m;
        r->in_part -= m;
    }
}

void residuals_close(Residuals *r) {
    if (r->left || r->in_part) r->c->bad = true;
}
