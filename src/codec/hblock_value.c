// SPDX-License-Identifier: Apache-2.0
// Values and times as integers that sequences keep well.
//   doubles  of a strip in one of three ways, bit for bit; what does not fit is an *odd* one, kept beside:
//            m / 10^k; the same rounded to single precision (sensors that send floats); bits in order of size
//   times    as they are; or in units of 100 ns .. 1 s, less the arrival of their point
//   texts    numbers of the distinct ones
#include <math.h>
#include "base/check.h"
#include "codec/hblock_inner.h"

// ORDER F64MODE: stored. 0: bits in order of size.
#define MODE_DOUBLE 1 // + k
#define MODE_SINGLE 32
#define MODE_ALIKE 64 // + k; the same m is off by the same again, mostly: odd are those where that is not so
#define POWERS 17

#define SINGLE_MAX 0x1p24   // integers above have no meaning for a float
#define ROUNDS_BELOW 0x1p51 // |t| for which t + ROUND is exact
#define ROUND 0x1.8p52
#define NEAR 4            // in units of the last place
#define NEAR_BELOW 0x1p40 // so short a number is not as near by chance
#define SAMPLES 32
#define DIGIT_BITS 3.32 // of a value that changes
#define ODD_BITS 80.0
#define SINGLE_OVER 20.0 // bits: values of single precision may be less then
#define SINGLE_LESS 9.0
#define ALIKE_MIN 512    // elements of a strip that may be of MODE_ALIKE
#define ALIKE_CACHE 4096 // last known ones

static const double POWER[POWERS] = {1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7, 1e8,
                                     1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16};

static double double_of(uint64_t bits) {
    double d;
    memcpy(&d, &bits, 8);
    return d;
}

static uint64_t bits_of(double d) {
    uint64_t bits;
    memcpy(&bits, &d, 8);
    return bits;
}

static uint64_t by_size(uint64_t bits) { return bits ^ ((uint64_t)((int64_t)bits >> 63) >> 1); }

static double unscale(int64_t m, unsigned k, bool single) {
    double d = (double)m / POWER[k];
    return single ? (double)(float)d : d;
}

// How well an integer gives a double back.
typedef enum Fit { FIT_NONE, FIT_NEAR, FIT_EXACT } Fit;

// The integer of `bits` at scale k. NEAR: *off is what the bits have more: sums of decimals are off by a bit or two.
static Fit rescale(uint64_t bits, unsigned k, bool single, int64_t *m, int64_t *off) {
    double t = double_of(bits) * POWER[k], most = single ? SINGLE_MAX : ROUNDS_BELOW;
    if (!(t > -most && t < most)) return FIT_NONE;
    *m = (int64_t)(bits_of(t + ROUND) - bits_of(ROUND));
    *off = (int64_t)(bits - bits_of(unscale(*m, k, single)));
    if (*off == 0) return FIT_EXACT;
    return !single && t > -NEAR_BELOW && t < NEAR_BELOW && *off >= -NEAR && *off <= NEAR ? FIT_NEAR : FIT_NONE;
}

// The least scale >= k; POWERS when there is none.
static unsigned scale_of(uint64_t bits, unsigned k, bool single) {
    int64_t m, off;
    while (k < POWERS && !rescale(bits, k, single, &m, &off)) k++;
    return k;
}

// The scale that is best by a sample: digits cost where values change, odd ones wherever they are. Returns about what a
// value comes to, in bits; *k: POWERS when even NaN would be more than half.
static double guess_scale(const uint64_t *bits, int64_t n, bool single, unsigned *k) {
    int64_t step = n / SAMPLES + 1, seen = 0, changed = 0, odd = 0, need[POWERS + 1] = {0};
    for (int64_t i = 0; i < n; i += step, seen++) {
        need[scale_of(bits[i], 0, single)]++;
        changed += i == 0 || bits[i] != bits[i - 1];
    }
    double best = INFINITY;
    *k = POWERS;
    odd = need[POWERS];
    for (unsigned i = POWERS; i-- > 0; odd += need[i]) {
        double cost = DIGIT_BITS * i * (double)changed / (double)seen + ODD_BITS * (double)odd / (double)seen;
        if (2 * odd > seen || cost > best) continue;
        best = cost;
        *k = i;
    }
    return best;
}

// Integers at a scale; returns how many are odd, whether others are exact, and the largest scale that an odd one could
// live with.
static int64_t scale_strip(const uint64_t *bits, int64_t n, unsigned k, bool single, int64_t *m, bool *exact,
                           unsigned *deeper) {
    int64_t odd = 0, last = 0, off, all = 0;
    *deeper = k;
    *exact = true;
    for (int64_t i = 0; i < n; i++) {
        if (rescale(bits[i], k, single, &m[i], &off)) {
            last = m[i];
            all |= off;
            continue;
        }
        unsigned need = odd < SAMPLES ? scale_of(bits[i], k + 1, single) : POWERS;
        if (need < POWERS && need > *deeper) *deeper = need;
        m[i] = last;
        odd++;
    }
    *exact = all == 0;
    return odd;
}

// Find the mode of a strip and its integers; false: none is worth it. *exact: the integers say everything.
static bool choose_scale(const uint64_t *bits, int64_t n, uint8_t *mode, int64_t *m, bool *exact) {
    unsigned k, s, deeper;
    double cost = guess_scale(bits, n, false, &k);
    bool single = false;
    if (cost > SINGLE_OVER && guess_scale(bits, n, true, &s) + SINGLE_LESS < cost) k = s, single = true;
    if (k == POWERS) return false;
    int64_t odd = scale_strip(bits, n, k, single, m, exact, &deeper);
    // A digit costs 3.3 bits everywhere, an odd one about 9 bytes.
    while (odd && deeper > k && (int64_t)(deeper - k) * n * 10 < odd * 9 * 24) {
        k = deeper;
        odd = scale_strip(bits, n, k, single, m, exact, &deeper);
    }
    *mode = (uint8_t)((single ? MODE_SINGLE : MODE_DOUBLE) + k);
    *exact &= odd == 0;
    return odd * 2 <= n;
}

// ORDER ODD: stored. A byte an odd one: ODD_RAW: its bits are beside; else NEAR + 1 + what its bits have more.
#define ODD_RAW 0

// What was off by how much.
typedef struct Alike {
    int64_t m, off;
} Alike;

static uint64_t alike_at(int64_t m) { return (uint64_t)m * UINT64_C(0x9e3779b97f4a7c15) >> 52; }

// How much m should be off, and now it is known that it is off by `off`.
static int64_t alike(Alike *known, int64_t m, int64_t off) {
    Alike *a = &known[alike_at(m)];
    int64_t want = a->m == m ? a->off : 0;
    if (want != off) *a = (Alike){m, off};
    return want;
}

static Alike *alike_none(HWork *w) {
    Alike *known = hwork_slot(w, SLOT_ALIKE, ALIKE_CACHE * (int64_t)sizeof *known);
    memset(known, 0, ALIKE_CACHE * sizeof *known);
    return known;
}

// Is it less when what is off is taken to be alike?
static bool is_alike(HWork *w, const uint64_t *bits, int64_t n, unsigned k) {
    Alike *known = NULL;
    int64_t near = 0, other = 0, m, off;
    for (int64_t i = 0; i < n; i++) {
        Fit fit = rescale(bits[i], k, false, &m, &off);
        if (fit == FIT_NONE || (fit == FIT_EXACT && !known)) continue;
        if (!known) known = alike_none(w);
        near += fit == FIT_NEAR;
        other += alike(known, m, off) != off;
    }
    return near * 64 > n && other * 8 < near * 7;
}

static void put_odd(HWork *w, const uint64_t *bits, int64_t from, int64_t n, uint8_t mode, int64_t *last) {
    bool single = mode >= MODE_SINGLE && mode < MODE_ALIKE;
    unsigned k = (unsigned)mode - (mode >= MODE_ALIKE ? MODE_ALIKE : single ? MODE_SINGLE : MODE_DOUBLE);
    Alike *known = mode >= MODE_ALIKE ? alike_none(w) : NULL;
    int64_t m, off;
    for (int64_t i = from; i < from + n; i++) {
        Fit fit = rescale(bits[i], k, single, &m, &off);
        if (fit != FIT_NONE && off == (known ? alike(known, m, off) : 0)) continue;
        buf_varint(&w->odd_at, (uint64_t)(i - *last));
        buf_byte(&w->small, (char)(fit == FIT_NONE ? ODD_RAW : NEAR + 1 + off));
        if (fit == FIT_NONE) buf_u64(&w->odd, bits[i]);
        *last = i;
    }
}

static uint8_t f64_strip(HWork *w, uint64_t *bits, int64_t from, int64_t n, int64_t *last) {
    uint8_t mode = 0;
    int64_t *m = hwork_slot(w, SLOT_WHOLE, n * 8);
    bool exact;
    if (!choose_scale(bits + from, n, &mode, m, &exact)) {
        for (int64_t i = from; i < from + n; i++) bits[i] = by_size(bits[i]);
        return 0;
    }
    if (!exact && n >= ALIKE_MIN && w->level > 1 && mode < MODE_SINGLE &&
        is_alike(w, bits + from, n, mode - MODE_DOUBLE))
        mode += MODE_ALIKE - MODE_DOUBLE;
    if (!exact) put_odd(w, bits, from, n, mode, last);
    memcpy(bits + from, m, (size_t)n * 8);
    return mode;
}

void f64_put(HWork *w, Buf *out, uint64_t *bits, const SeqRows *rows) {
    int64_t last = 0;
    if (rows->total == 0) return;
    buf_reset(&w->modes), buf_reset(&w->odd), buf_reset(&w->odd_at), buf_reset(&w->small);
    for (Strip s = {0}; strip_next(rows, &s);) {
        if (s.end == s.first) continue;
        buf_byte(&w->modes, (char)f64_strip(w, bits, s.first, s.end - s.first, &last));
    }
    stream_put(w, out, w->modes.p, w->modes.n);
    stream_put(w, out, w->odd_at.p, w->odd_at.n);
    stream_put(w, out, w->small.p, w->small.n);
    stream_put(w, out, w->odd.p, w->odd.n);
    seq_put(w, out, bits, rows, 0);
}

static bool f64_mode_ok(uint8_t mode) {
    return mode == 0 || (mode >= MODE_DOUBLE && mode < MODE_DOUBLE + POWERS) ||
           (mode >= MODE_SINGLE && mode < MODE_SINGLE + POWERS) || (mode >= MODE_ALIKE && mode < MODE_ALIKE + POWERS);
}

static void f64_restore(uint64_t *v, int64_t n, uint8_t mode) {
    if (mode == 0) {
        for (int64_t i = 0; i < n; i++) v[i] = by_size(v[i]);
    } else if (mode < MODE_SINGLE) {
        double power = POWER[mode - MODE_DOUBLE];
        for (int64_t i = 0; i < n; i++) v[i] = bits_of((double)(int64_t)v[i] / power);
    } else {
        double power = POWER[mode - MODE_SINGLE];
        for (int64_t i = 0; i < n; i++) v[i] = bits_of((double)(float)((double)(int64_t)v[i] / power));
    }
}

// The odd ones, one by one.
typedef struct Odds {
    Cut places, kinds, bits;
    int64_t at, total; // of the next one; total: there is none
    uint8_t kind;
    bool bad;
} Odds;

static void odds_next(Odds *o) {
    bool first = o->at < 0;
    if (first) o->at = 0;
    if (o->places.p == o->places.end) {
        o->at = o->total;
        return;
    }
    uint64_t gap = cut_varint(&o->places);
    o->kind = cut_byte(&o->kinds);
    o->bad |= o->places.bad || o->kinds.bad || o->kind > 2 * NEAR + 1 || (gap == 0 && !first) ||
              gap >= (uint64_t)(o->total - o->at);
    o->at = o->bad ? o->total : o->at + (int64_t)gap;
}

// Bits of the odd one that is next, where m / 10^k has `bits`.
static uint64_t odds_take(Odds *o, uint64_t bits) {
    return o->kind == ODD_RAW ? cut_u64(&o->bits) : bits + (uint64_t)o->kind - (NEAR + 1);
}

// Integers of MODE_ALIKE, elements [from, from + n) of all.
static void alike_restore(uint64_t *v, int64_t from, int64_t n, double power, Alike *known, Odds *o) {
    for (int64_t i = 0; i < n; i++) {
        int64_t m = (int64_t)v[i];
        uint64_t bits = bits_of((double)m / power);
        const Alike *a = &known[alike_at(m)];
        if (from + i != o->at) {
            v[i] = bits + (a->m == m ? (uint64_t)a->off : 0);
            continue;
        }
        v[i] = odds_take(o, bits);
        if (o->kind != ODD_RAW) alike(known, m, (int64_t)(v[i] - bits));
        odds_next(o);
    }
}

// The wanted elements of a strip.
static void strip_restore(HWork *w, uint64_t *bits, const SeqRows *rows, const Strip *s, uint8_t mode, Odds *o) {
    for (Piece p = {0}; piece_next(rows, s, &p);) {
        if (mode < MODE_ALIKE) f64_restore(bits + p.first, p.n, mode);
        else alike_restore(bits + p.first, p.first, p.n, POWER[mode - MODE_ALIKE], alike_none(w), o);
    }
    for (; o->at < s->end; odds_next(o)) bits[o->at] = odds_take(o, bits[o->at]);
}

void f64_get(HWork *w, Cut *c, uint64_t *bits, const SeqRows *rows) {
    if (rows->total == 0) return;
    Cut mode = cut_of(stream_get(w, c, SLOT_MODES, rows->rows));
    Odds o = {.at = -1, .total = rows->total};
    o.places = cut_of(stream_get(w, c, SLOT_ODD_AT, rows->total * 10));
    o.kinds = cut_of(stream_get(w, c, SLOT_ODD_KINDS, rows->total));
    o.bits = cut_of(stream_get(w, c, SLOT_ODD, rows->total * 8));
    seq_get(w, c, bits, rows, 0);
    if (c->bad) return;
    odds_next(&o);
    for (Strip s = {0}; strip_next(rows, &s);) {
        if (s.end == s.first) continue;
        uint8_t how = cut_byte(&mode);
        if (mode.bad || !f64_mode_ok(how)) {
            c->bad = true;
            return;
        }
        strip_restore(w, bits, rows, &s, how, &o);
    }
    if (mode.p != mode.end || o.bad || o.kinds.p != o.kinds.end || o.bits.bad || o.bits.p != o.bits.end) c->bad = true;
}

// ---- times --------------------------------------------------------------------------------------------------------

// ORDER TIMEMODE: stored. 0: as they are; else UNITS[mode - 1], less arrival.
static const int64_t UNITS[] = {1000000000, 1000000, 1000, 100, 1};
#define UNIT_COUNT 5

static int64_t floor_div(int64_t a, int64_t b) {
    int64_t q = a / b;
    return q - (a - q * b < 0);
}

// Constants, so that no division is left of them.
static int64_t in_unit(int64_t t, int mode) {
    switch (mode) {
    case 1: return floor_div(t, 1000000000);
    case 2: return floor_div(t, 1000000);
    case 3: return floor_div(t, 1000);
    case 4: return floor_div(t, 100);
    default: return t;
    }
}

// Is t a multiple of the unit?
static bool of_unit(int64_t t, int mode) {
    switch (mode) {
    case 1: return t % 1000000000 == 0;
    case 2: return t % 1000000 == 0;
    case 3: return t % 1000 == 0;
    case 4: return t % 100 == 0;
    default: return true;
    }
}

static int coarsest(const int64_t *t, int64_t n) {
    int mode = 1;
    for (int64_t i = 0; i < n; i++) {
        while (!of_unit(t[i], mode)) mode++;
    }
    return mode;
}

static int64_t less(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }

static int bit_length(int64_t v) {
    uint64_t z = (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
    return z ? 64 - __builtin_clzll(z) : 0;
}

// Whether times less arrivals change less than their steps do: 0, or the mode. By the strip's first elements.
static uint8_t time_mode(const int64_t *t, const int64_t *arrival, int64_t n) {
    int64_t m = n < 256 ? n : 256, alone = 0, with = 0;
    for (int64_t i = 2; i < m; i++) alone += bit_length(less(less(t[i], t[i - 1]), less(t[i - 1], t[i - 2])));
    if (alone == 0) return 0;
    int mode = coarsest(t, n);
    alone = 0;
    for (int64_t i = 2; i < m; i++) {
        int64_t a = in_unit(t[i - 2], mode), b = in_unit(t[i - 1], mode), c = in_unit(t[i], mode);
        alone += bit_length(less(less(c, b), less(b, a)));
        with += bit_length(less(less(c, in_unit(arrival[i], mode)), less(b, in_unit(arrival[i - 1], mode))));
    }
    return with < alone ? (uint8_t)mode : 0;
}

void time_put(HWork *w, Buf *out, int64_t *times, const int64_t *arrivals, const SeqRows *rows, int64_t origin) {
    if (rows->total == 0) return;
    buf_reset(&w->modes);
    for (Strip s = {0}; strip_next(rows, &s);) {
        if (s.end == s.first) continue;
        uint8_t mode = time_mode(times + s.first, arrivals + s.first, s.end - s.first);
        buf_byte(&w->modes, (char)mode);
        for (int64_t i = s.first; mode && i < s.end; i++) {
            times[i] = (int64_t)((uint64_t)in_unit(times[i], mode) - (uint64_t)in_unit(arrivals[i], mode));
        }
    }
    stream_put(w, out, w->modes.p, w->modes.n);
    seq_put(w, out, (uint64_t *)times, rows, w->modes.p[0] ? 0 : (uint64_t)origin);
}

void time_get(HWork *w, Cut *c, int64_t *times, const int64_t *arrivals, const SeqRows *rows, int64_t origin) {
    if (rows->total == 0) return;
    Str modes = stream_get(w, c, SLOT_MODES, rows->rows);
    if (c->bad || modes.n == 0) {
        c->bad = true;
        return;
    }
    seq_get(w, c, (uint64_t *)times, rows, modes.p[0] ? 0 : (uint64_t)origin);
    if (c->bad) return;
    Cut mode = cut_of(modes);
    for (Strip s = {0}; strip_next(rows, &s);) {
        if (s.end == s.first) continue;
        uint8_t how = cut_byte(&mode);
        if (mode.bad || how > UNIT_COUNT) {
            c->bad = true;
            return;
        }
        for (Piece p = {0}; how && piece_next(rows, &s, &p);) {
            for (int64_t i = p.first; i < p.first + p.n; i++) {
                uint64_t t = (uint64_t)times[i] + (uint64_t)in_unit(arrivals[i], how);
                times[i] = (int64_t)(t * (uint64_t)UNITS[how - 1]);
            }
        }
    }
    if (mode.p != mode.end) c->bad = true;
}

// ---- texts --------------------------------------------------------------------------------------------------------

void texts_put(HWork *w, Buf *out, const Str *texts, int64_t n, uint64_t *ids) {
    int64_t cap = 16, count = 0;
    while (cap < 2 * n) cap *= 2;
    int32_t *hash = hwork_slot(w, SLOT_HASH, cap * (int64_t)sizeof *hash);
    const Str **distinct = hwork_slot(w, SLOT_TEXTS, (n + 1) * (int64_t)sizeof *distinct);
    memset(hash, 0xff, (size_t)cap * sizeof *hash);
    buf_reset(&w->odd), buf_reset(&w->odd_at);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = (int64_t)(str_hash(texts[i]) & (uint64_t)(cap - 1));
        while (hash[at] >= 0 && !str_eq(*distinct[hash[at]], texts[i])) at = (at + 1) & (cap - 1);
        if (hash[at] < 0) {
            hash[at] = (int32_t)count;
            distinct[count++] = &texts[i];
            buf_varint(&w->odd_at, (uint64_t)texts[i].n);
            buf_str_put(&w->odd, texts[i]);
        }
        ids[i] = (uint64_t)hash[at];
    }
    if (w->odd.full) out->full = true;
    buf_varint(out, (uint64_t)count);
    stream_put(w, out, w->odd_at.p, w->odd_at.n);
    stream_put(w, out, w->odd.p, w->odd.n);
}

const Str *texts_get(HWork *w, Cut *c, int64_t max, Arena *keep, int64_t *count) {
    uint64_t n = cut_varint(c);
    *count = 0;
    if (n > (uint64_t)max) c->bad = true;
    Str sizes = stream_get(w, c, SLOT_DICT_SIZES, c->bad ? 0 : (int64_t)n * 10);
    Str bytes = stream_get(w, c, SLOT_DICT, HBLOCK_TEXT_MAX);
    if (c->bad) return NULL;
    Cut size = cut_of(sizes), text = cut_of(arena_str(keep, bytes));
    Str *texts = NEW(keep, Str, n + 1);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t m = cut_varint(&size);
        if (size.bad || m > (uint64_t)(text.end - text.p)) {
            c->bad = true;
            return NULL;
        }
        texts[i] = cut_bytes(&text, (int64_t)m);
    }
    if (size.p != size.end || text.p != text.end) c->bad = true;
    *count = (int64_t)n;
    return texts;
}
