// SPDX-License-Identifier: Apache-2.0
// Bytes near the entropy of how often each comes, also where that is less than a bit (zstd's Huffman stage takes a bit
// at least, and rounds): range asymmetric numeral systems (Duda, arXiv:1311.2540), two states in turns, shares of 2^11.
//
//   a nibble for each byte value from 0 on: class of its weight, 0: it does not come; the last one has one
//   | two bits of weight behind the class where it is 3 or more | u32 states | bytes of the states
#include <math.h>
#include "base/check.h"
#include "codec/hblock_inner.h"

#define SHARE_BITS 11
#define SHARES (1u << SHARE_BITS)
#define LEAST (1u << 23) // of a state
#define TABLE_MAX 256

typedef struct Table {
    uint16_t share[256], before[256];
} Table;

// A share of SHARES for each weight, none without one that has a weight. False: there is no weight.
static bool table_make(const uint32_t *weight, Table *t) {
    uint32_t total = 0, sum = 0;
    for (int i = 0; i < 256; i++) total += weight[i];
    if (total == 0) return false;
    for (int i = 0; i < 256; i++) {
        uint32_t f = weight[i] * SHARES / total;
        t->share[i] = (uint16_t)(f == 0 && weight[i] ? 1 : f);
        sum += t->share[i];
    }
    while (sum != SHARES) { // what rounding left goes to the largest, what it took too much comes from it
        int most = 0;
        for (int i = 1; i < 256; i++) most = t->share[i] > t->share[most] ? i : most;
        uint32_t over = sum > SHARES ? sum - SHARES : 0, take = t->share[most] / 2;
        if (over) t->share[most] = (uint16_t)(t->share[most] - (over < take ? over : take));
        else t->share[most] = (uint16_t)(t->share[most] + (SHARES - sum));
        sum = over ? sum - (over < take ? over : take) : SHARES;
    }
    for (uint32_t i = 0, at = 0; i < 256; at += t->share[i++]) t->before[i] = (uint16_t)at;
    return true;
}

// ---- weights -------------------------------------------------------------------------------------------------------

// The weight of a byte value as three bits and how many follow: class 0: none; else bit length.
static uint32_t weight_of(uint32_t count, int64_t n, int *class, uint32_t *low) {
    *class = 0, *low = 0;
    if (count == 0) return 0;
    uint32_t w = (uint32_t)((uint64_t)count * (SHARES - 1) / (uint64_t)n);
    if (w == 0) w = 1;
    *class = 32 - __builtin_clz(w);
    if (*class < 3) {
        *low = *class == 2 ? w & 1 : 0;
        return w;
    }
    int shift = *class - 3;
    *low = w >> shift & 3;
    return (4 | *low) << shift;
}

static int low_bits(int class) { return class < 2 ? 0 : class == 2 ? 1 : 2; }

static uint32_t weight_from(int class, uint32_t low) {
    if (class < 2) return (uint32_t) class;
    return class == 2 ? 2 | low : (4 | low) << (class - 3);
}

// Write the table of counts; its bytes, and the weights that stand in it.
static int64_t table_put(const uint32_t *counts, int64_t n, uint32_t *weight, uint8_t *to) {
    int last = 255, used = 0, class;
    uint32_t low;
    uint64_t acc = 0;
    int64_t size = 1;
    while (last > 0 && counts[last] == 0) last--;
    to[0] = (uint8_t)last;
    for (int i = 0; i < 256; i++) {
        weight[i] = weight_of(counts[i], n, &class, &low);
        if (i > last) continue;
        acc |= ((uint64_t) class | (uint64_t)low << 4) << used;
        for (used += 4 + low_bits(class); used >= 8; used -= 8, acc >>= 8) to[size++] = (uint8_t)acc;
    }
    if (used) to[size++] = (uint8_t)acc;
    return size;
}

// Two counters of each, so that one of the same that come one after another need not wait for the one before.
static void count_bytes(const uint8_t *p, int64_t n, uint32_t counts[256]) {
    uint32_t odd[256] = {0};
    memset(counts, 0, 256 * sizeof *counts);
    for (int64_t i = 0; i + 1 < n; i += 2) counts[p[i]]++, odd[p[i + 1]]++;
    if (n & 1) odd[p[n - 1]]++;
    for (int i = 0; i < 256; i++) counts[i] += odd[i];
}

int64_t rans_least(const uint8_t *p, int64_t n) {
    uint32_t counts[256];
    count_bytes(p, n, counts);
    double bits = (double)n * log2((double)n);
    for (int i = 0; i < 256; i++)
        if (counts[i]) bits -= counts[i] * log2(counts[i]);
    return (int64_t)(bits / 8);
}

static void table_get(Cut *c, uint32_t *weight) {
    int last = cut_byte(c), used = 0;
    uint32_t acc = 0;
    memset(weight, 0, 256 * sizeof *weight);
    for (int i = 0; i <= last && !c->bad; i++) {
        for (; used < 6 && c->p < c->end; used += 8) acc |= (uint32_t)*c->p++ << used;
        int class = acc & 15, n = low_bits(class);
        if (class > SHARE_BITS || used < 4 + n) c->bad = true;
        else weight[i] = weight_from(class, acc >> 4 & ((1u << n) - 1));
        acc >>= 4 + n;
        used -= 4 + n;
    }
    if (used >= 8) c->p -= used / 8; // read ahead
}

// ---- bytes ---------------------------------------------------------------------------------------------------------

// What is needed for n bytes with a table, in bits.
static double bits_of(const uint32_t *counts, const Table *t) {
    double bits = 0;
    for (int i = 0; i < 256; i++) {
        if (counts[i]) bits += counts[i] * (SHARE_BITS - log2(t->share[i]));
    }
    return bits;
}

// What a byte takes: its share, and 2^INVERSE_BITS / share, rounded up. With x below 2^20 * share a product is below
// 2^64, and as x * share is below 2^INVERSE_BITS, the quotient is exact (Warren, Hacker's Delight, 10-9).
#define INVERSE_BITS 43
typedef struct Step {
    uint64_t inverse;
    uint32_t share, before;
} Step;

_Static_assert(LEAST >> SHARE_BITS << 8 == 1 << 20 && 20 + 2 * SHARE_BITS < INVERSE_BITS, "quotients are exact");

static void steps_make(const Table *t, Step steps[256]) {
    for (int i = 0; i < 256; i++) {
        uint64_t share = t->share[i];
        steps[i] = (Step){share ? ((uint64_t)1 << INVERSE_BITS) / share + 1 : 0, (uint32_t)share, t->before[i]};
    }
}

static inline uint32_t put_one(uint32_t x, const Step *s, uint8_t **at) {
    for (uint32_t most = (LEAST >> SHARE_BITS << 8) * s->share; x >= most; x >>= 8) *--*at = (uint8_t)x;
    uint32_t q = (uint32_t)(x * s->inverse >> INVERSE_BITS);
    return (q << SHARE_BITS) + x - q * s->share + s->before;
}

int64_t rans_put(HWork *w, const uint8_t *p, int64_t n, int64_t below, const uint8_t **out) {
    uint32_t counts[256], weight[256];
    uint8_t table[TABLE_MAX];
    Table t;
    count_bytes(p, n, counts);
    int64_t size = table_put(counts, n, weight, table);
    CHECK(table_make(weight, &t));
    if ((double)size + 8 + bits_of(counts, &t) / 8 >= (double)below) return 0;
    uint8_t *to = hwork_slot(w, SLOT_RANS, n * 2 + TABLE_MAX + 16), *end = to + n * 2 + TABLE_MAX + 16, *at = end;
    uint32_t x[2] = {LEAST, LEAST};
    Step steps[256];
    steps_make(&t, steps);
    for (int64_t i = n; i-- > 0;) x[i & 1] = put_one(x[i & 1], &steps[p[i]], &at);
    at -= 8;
    memcpy(at, x, 8);
    at -= size;
    memcpy(at, table, (size_t)size);
    *out = at;
    return end - at < below ? end - at : 0;
}

// What a state's low bits stand for.
typedef struct Meaning {
    uint16_t share, off; // of its byte, and how far within it
    uint8_t byte;
} Meaning;

static inline uint32_t get_one(uint32_t x, const Meaning *m, Cut *c) {
    x = m->share * (x >> SHARE_BITS) + m->off;
    while (x < LEAST && c->p < c->end) x = x << 8 | *c->p++;
    return x;
}

void rans_get(Cut *c, uint8_t *to, int64_t n) {
    uint32_t weight[256];
    Table t;
    Meaning meaning[SHARES];
    table_get(c, weight);
    uint32_t x = cut_u32(c), y = cut_u32(c);
    if (c->bad || x < LEAST || y < LEAST || !table_make(weight, &t)) {
        c->bad = true;
        return;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (uint32_t k = 0; k < t.share[i]; k++)
            meaning[t.before[i] + k] = (Meaning){t.share[i], (uint16_t)k, (uint8_t)i};
    }
    for (int64_t i = 0; i < n; i++) { // two in turns
        const Meaning *m = &meaning[x & (SHARES - 1)];
        uint32_t next = get_one(x, m, c);
        to[i] = m->byte;
        x = y;
        y = next;
    }
    if (x != LEAST || y != LEAST || c->p != c->end) c->bad = true;
}
