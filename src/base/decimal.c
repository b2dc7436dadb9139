// SPDX-License-Identifier: Apache-2.0
// Invariants of the table: row q holds floor(10^q * 2^s) with 2^127 <= row < 2^128; rows 0..55 are exact.
#include "base/decimal.h"
#include <math.h>
#include "base/check.h"

__extension__ typedef unsigned __int128 U128;

typedef struct Pow10 {
    uint64_t hi, lo;
} Pow10;

#define POW10_MIN (-342)
#define POW10_MAX 324

static const Pow10 pow10_rows[] = {
#include "base/decimal_pow10.inc"
};
_Static_assert(sizeof pow10_rows / sizeof *pow10_rows == POW10_MAX - POW10_MIN + 1, "one row a power");

static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static double f64_of_bits(uint64_t bits) {
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint64_t bits_of_f64(double d) {
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

// floor(10^q scaled) + 1 where the row is not exact.
static Pow10 pow10_up(int64_t q) {
    Pow10 g = pow10_rows[q - POW10_MIN];
    if (q >= 0 && q <= 55) return g;
    g.lo++;
    g.hi += g.lo == 0;
    return g;
}

// ---- text to number ----

#define INF_BITS 0x7FF0000000000000u

// Bits of the double nearest to m * 10^e, m != 0; INF_BITS when it overflows. Names as in Lemire 2021, section 5.
static uint64_t eisel_lemire(uint64_t m, int64_t e) {
    if (e < POW10_MIN) return 0;
    if (e > 308) return INF_BITS;
    int lz = __builtin_clzll(m);
    uint64_t w = m << lz;
    Pow10 t = e < 0 && e >= -27 ? pow10_up(e) : pow10_rows[e - POW10_MIN];
    U128 z = (U128)w * t.hi;
    if (((uint64_t)(z >> 64) & 0x1FF) == 0x1FF) z += (uint64_t)((U128)w * t.lo >> 64);
    uint64_t hi = (uint64_t)(z >> 64), lo = (uint64_t)z;
    int upper = (int)(hi >> 63);
    uint64_t f = hi >> (upper + 9); // 54 bits: 53 and one to round with
    int64_t p = ((217706 * e) >> 16) + 63 + upper - lz + 1023;
    if (p <= 0) { // subnormal
        if (-p + 1 >= 64) return 0;
        f >>= -p + 1;
        f = (f + (f & 1)) >> 1;
        return f; // a carry into bit 52 makes the smallest normal number by itself
    }
    if (lo <= 1 && e >= -4 && e <= 23 && (f & 3) == 1 && f << (upper + 9) == hi) f &= ~(uint64_t)1; // tie to even
    f = (f + (f & 1)) >> 1;
    if (f >> 53) f >>= 1, p++;
    if (p >= 0x7FF) return INF_BITS;
    return (uint64_t)p << 52 | (f & ((UINT64_C(1) << 52) - 1));
}

bool decimal_to_f64(uint64_t m, int64_t e, double *out) {
    if (m <= UINT64_C(1) << 53 && e >= -22 && e <= 22) {
        double d = (double)m;
        *out = e < 0 ? d / exact_powers[-e] : d * exact_powers[e];
        return true;
    }
    if (m == 0) return *out = 0, true;
    uint64_t bits = eisel_lemire(m, e);
    if (bits == INF_BITS) return false;
    *out = f64_of_bits(bits);
    return true;
}

// Natural numbers for the rare texts whose first 19 digits do not decide. Bounds: 801 digits are 2,661 bits; 5^1,200
// has 2,787 bits and is shifted by at most 1,200.
#define BIG_WORDS 160
typedef struct Big {
    int n;
    uint32_t w[BIG_WORDS]; // least first, w[n-1] != 0
} Big;

static void big_mul_add(Big *b, uint32_t mul, uint32_t add) {
    uint64_t carry = add;
    for (int i = 0; i < b->n; i++) {
        carry += (uint64_t)b->w[i] * mul;
        b->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) {
        CHECK(b->n < BIG_WORDS);
        b->w[b->n++] = (uint32_t)carry;
    }
}

static void big_mul_pow5(Big *b, int64_t e) {
    for (; e >= 13; e -= 13) big_mul_add(b, 1220703125, 0);
    for (; e > 0; e--) big_mul_add(b, 5, 0);
}

static void big_shift(Big *b, int64_t bits) {
    int words = (int)(bits / 32);
    CHECK(b->n + words < BIG_WORDS);
    if (b->n == 0) return;
    memmove(b->w + words, b->w, (size_t)b->n * sizeof *b->w);
    memset(b->w, 0, (size_t)words * sizeof *b->w);
    b->n += words;
    big_mul_add(b, (uint32_t)1 << (bits % 32), 0);
}

static int big_cmp(const Big *a, const Big *b) {
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (int i = a->n - 1; i >= 0; i--) {
        if (a->w[i] != b->w[i]) return a->w[i] < b->w[i] ? -1 : 1;
    }
    return 0;
}

// The parts of one number text.
typedef struct Digits {
    const char *first, *last; // from the first digit that is not 0 to behind the last digit; may hold the point
    int64_t count;            // digits between them
    int64_t exp;              // value = digits * 10^exp
    bool neg;
} Digits;

#define DIGITS_MAX 800 // more than any midpoint of two doubles has (767)

// Order of the number and the midpoint of the double `bits` and its successor.
static int cmp_midpoint(const Digits *t, uint64_t bits) {
    Big left = {0}, right = {0};
    int64_t used = 0, exp = t->exp;
    for (const char *p = t->first; p < t->last; p++) {
        if (*p == '.') continue;
        if (used++ < DIGITS_MAX) {
            big_mul_add(&left, 10, (uint32_t)(*p - '0'));
        } else if (*p != '0') { // what follows only matters as "a little more"
            big_mul_add(&left, 10, 1);
            exp += t->count - DIGITS_MAX - 1;
            goto cut;
        }
    }
    if (used > DIGITS_MAX) exp += used - DIGITS_MAX;
cut:;
    uint64_t f = bits & ((UINT64_C(1) << 52) - 1);
    int64_t q = (int64_t)(bits >> 52) - 1075;
    if (bits >> 52) f |= UINT64_C(1) << 52;
    else q = -1074;
    uint64_t mid = 2 * f + 1;
    big_mul_add(&right, 1, (uint32_t)(mid >> 32));
    big_shift(&right, 32);
    big_mul_add(&right, 1, (uint32_t)mid);
    q--;
    big_mul_pow5(exp < 0 ? &right : &left, exp < 0 ? -exp : exp);
    int64_t shift = q - exp; // compare left with right * 2^shift
    if (shift > 0) big_shift(&right, shift);
    else big_shift(&left, -shift);
    return big_cmp(&left, &right);
}

// More than 19 digits: the first 19 decide unless a midpoint lies between them and the next number.
static bool round_long(const Digits *t, double *out) {
    uint64_t m = 0;
    const char *p = t->first;
    for (int n = 0; n < 19; p++) {
        if (*p == '.') continue;
        m = m * 10 + (uint64_t)(*p - '0');
        n++;
    }
    int64_t e = t->exp + t->count - 19;
    uint64_t low = eisel_lemire(m, e), high = eisel_lemire(m + 1, e);
    if (low != high) {
        int c = cmp_midpoint(t, low);
        if (c > 0 || (c == 0 && (low & 1))) low = high;
    }
    if (low == INF_BITS) return false;
    *out = f64_of_bits(low);
    return true;
}

static bool is_digit(const char *p, const char *end) { return p < end && *p >= '0' && *p <= '9'; }

// "e-12" at p, to *exp (kept small enough to add to); NULL when malformed.
static const char *parse_exp(const char *p, const char *end, int64_t *exp) {
    bool neg = ++p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (!is_digit(p, end)) return NULL;
    int64_t e = 0;
    for (; is_digit(p, end); p++) {
        if (e < INT64_C(1) << 52) e = e * 10 + (*p - '0');
    }
    *exp = neg ? -e : e;
    return p;
}

static bool split(Str s, Digits *t) {
    const char *p = s.p, *end = s.n ? s.p + s.n : s.p;
    *t = (Digits){.neg = p < end && *p == '-'};
    if (p < end && (*p == '-' || *p == '+')) p++;
    const char *start = p, *point = NULL;
    while (is_digit(p, end)) p++;
    if (p < end && *p == '.') {
        point = p++;
        while (is_digit(p, end)) p++;
    }
    if (p - start - (point != NULL) == 0) return false;
    t->first = start;
    t->last = p;
    while (t->first < t->last && (*t->first == '0' || *t->first == '.')) t->first++;
    t->count = t->last - t->first - (point && point >= t->first);
    int64_t exp = 0;
    if (p < end && (*p == 'e' || *p == 'E') && !(p = parse_exp(p, end, &exp))) return false;
    t->exp = exp - (point ? t->last - point - 1 : 0);
    return p == end;
}

bool decimal_parse_f64(Str s, double *out) {
    Digits t;
    double d;
    if (!split(s, &t)) return false;
    if (t.count > 19) {
        if (!round_long(&t, &d)) return false;
    } else {
        uint64_t m = 0;
        for (const char *p = t.first; p < t.last; p++) m = *p == '.' ? m : m * 10 + (uint64_t)(*p - '0');
        if (!decimal_to_f64(m, t.exp, &d)) return false;
    }
    *out = t.neg ? -d : d;
    return true;
}

// ---- number to text ----

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445"
    "46474849505152535455565758596061626364656667686970717273747576777879808182838485868788899091"
    "9293949596979899";

static int digits_of(uint64_t v) {
    int n = 1;
    for (; v >= 10000; v /= 10000) n += 4;
    return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

// Exactly n digits, with leading zeros.
static void put_digits(uint64_t v, char *out, int n) {
    for (; n >= 2; v /= 100) memcpy(out + (n -= 2), pairs + v % 100 * 2, 2);
    if (n) *out = (char)('0' + v % 10);
}

int decimal_print_u64(uint64_t v, char *out) {
    int n = digits_of(v);
    put_digits(v, out, n);
    return n;
}

int decimal_print_i64(int64_t v, char *out) {
    if (v >= 0) return decimal_print_u64((uint64_t)v, out);
    *out = '-';
    return 1 + decimal_print_u64(-(uint64_t)v, out + 1);
}

// v = digits * 10^exp.
typedef struct Shortest {
    uint64_t digits;
    int64_t exp;
} Shortest;

// g * c / 2^128 rounded to odd (Giulietti 2020, section 9.9).
static uint64_t round_to_odd(Pow10 g, uint64_t c) {
    U128 x = (U128)g.lo * c;
    U128 y = (U128)g.hi * c + (uint64_t)(x >> 64);
    return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

// Giulietti 2020, figure 7. v finite, > 0.
static Shortest schubfach(double v) {
    uint64_t bits = bits_of_f64(v), f = bits & ((UINT64_C(1) << 52) - 1);
    int64_t be = (int64_t)(bits >> 52);
    uint64_t c = be ? f | UINT64_C(1) << 52 : f;
    int64_t q = be ? be - 1075 : -1074;
    uint64_t odd = c & 1;
    bool closer = f == 0 && be > 1; // the neighbour below is half as far
    int64_t k = (q * 1262611 - (closer ? 524031 : 0)) >> 22;
    int64_t h = q + ((-k * 1741647) >> 19) + 1;
    Pow10 g = pow10_up(-k);
    uint64_t low = round_to_odd(g, (4 * c - 2 + closer) << h) + odd;
    uint64_t mid = round_to_odd(g, 4 * c << h);
    uint64_t high = round_to_odd(g, (4 * c + 2) << h) - odd;
    uint64_t s = mid / 4;
    if (s >= 10) {
        uint64_t t = s / 10;
        bool down = low <= 40 * t, up = 40 * t + 40 <= high;
        if (down != up) return (Shortest){t + up, k + 1};
    }
    bool down = low <= 4 * s, up = 4 * s + 4 <= high;
    if (down != up) return (Shortest){s + up, k};
    uint64_t half = 4 * s + 2;
    return (Shortest){s + (mid > half || (mid == half && (s & 1))), k};
}

// digits is `n` long and has no trailing zero; place of the point as in ECMAScript's Number::toString.
static int lay_out(Shortest x, int n, char *out) {
    int64_t point = n + x.exp; // digits before the point
    if (x.exp >= 0 && point <= 21) {
        put_digits(x.digits, out, n);
        memset(out + n, '0', (size_t)x.exp);
        return (int)point;
    }
    if (point > 0 && point <= 21) {
        put_digits(x.digits, out + 1, n);
        memmove(out, out + 1, (size_t)point);
        out[point] = '.';
        return n + 1;
    }
    if (point > -6 && point <= 0) {
        memcpy(out, "0.00000", 7);
        put_digits(x.digits, out + 2 - point, n);
        return (int)(2 - point) + n;
    }
    put_digits(x.digits, out + 1, n);
    out[0] = out[1];
    out[1] = '.';
    int at = n > 1 ? n + 1 : 1;
    out[at++] = 'e';
    out[at++] = point > 0 ? '+' : '-';
    return at + decimal_print_u64((uint64_t)(point > 0 ? point - 1 : 1 - point), out + at);
}

static inline void drop_zeros(Shortest *x, uint64_t power, int zeros) {
    if (x->digits % power == 0) x->digits /= power, x->exp += zeros;
}

// Without trailing zeros of the digits, 17 at most.
static Shortest strip(Shortest x) {
    drop_zeros(&x, 100000000, 8);
    drop_zeros(&x, 100000000, 8);
    drop_zeros(&x, 10000, 4);
    drop_zeros(&x, 100, 2);
    drop_zeros(&x, 10, 1);
    return x;
}

// v > 0 with at most three digits behind the point and 15 in all, the usual measured value: v is m / 10^e for a whole m
// when that quotient, correctly rounded, is v; 15 digits tell all doubles apart, so no shorter text exists.
static bool short_decimal(double v, Shortest *x) {
    if (!(v < 1e12)) return false;
    for (int e = 1; e <= 3; e++) {
        uint64_t m = (uint64_t)(v * exact_powers[e] + 0.5);
        if ((double)m / exact_powers[e] == v) return *x = (Shortest){m, -e}, true;
    }
    return false;
}

int decimal_print_f64(double v, char *out) {
    CHECK(isfinite(v));
    int sign = signbit(v) ? 1 : 0;
    *out = '-';
    if (v == 0) {
        memcpy(out + sign, "0.0", 3);
        return sign ? 4 : 1;
    }
    double a = fabs(v);
    if (a < 0x1p63 && (double)(int64_t)a == a) return sign + decimal_print_u64((uint64_t)a, out + sign);
    Shortest x;
    if (!short_decimal(a, &x)) x = strip(schubfach(a));
    return sign + lay_out(x, digits_of(x.digits), out + sign);
}
