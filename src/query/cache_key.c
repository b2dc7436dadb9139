// SPDX-License-Identifier: Apache-2.0
// Keys: values as 64-bit numbers of the same order, and predicates as ranges of them.
#include <math.h>
#include "query/cache_inner.h"

#define SIGN ((uint64_t)1 << 63)
#define TWO63 9223372036854775808.0

uint64_t query_key_i64(int64_t i) { return (uint64_t)i ^ SIGN; }

uint64_t query_key_f64(double d) {
    uint64_t u = bits_of(d == 0 ? 0.0 : d);
    return u & SIGN ? ~u : u | SIGN;
}

uint64_t query_key_str(Str s) {
    uint64_t x = 0;
    if (s.n) memcpy(&x, s.p, (size_t)(s.n < 8 ? s.n : 8));
    return __builtin_bswap64(x);
}

uint64_t query_key_of_bits(CellKind cell, uint64_t bits) {
    if (cell == CELL_F64) return query_key_f64(double_of(bits));
    return cell == CELL_I64 ? query_key_i64((int64_t)bits) : bits;
}

uint64_t query_key_hash(Str s) { return str_hash(s) >> KEY_HASH_DROPPED; }

// ---- ranges ----

static const QueryRange NOTHING = {.lo = 1, .hi = 0};

// Keys before and after, where there are any: `open` ends of integers and bools are exact, of doubles and texts the
// predicate sees to it.
static QueryRange cut(BoundOp op, uint64_t key, bool discrete) {
    QueryRange r = {.lo = 0, .hi = UINT64_MAX};
    switch (op) {
    case BOUND_EQ:
        r.lo = r.hi = key;
        r.one = true;
        break;
    case BOUND_LT:
        if (discrete && key == 0) return NOTHING;
        r.hi = discrete ? key - 1 : key;
        break;
    case BOUND_LE: r.hi = key; break;
    case BOUND_GT:
        if (discrete && key == UINT64_MAX) return NOTHING;
        r.lo = discrete ? key + 1 : key;
        break;
    default: r.lo = key; break;
    }
    return r;
}

// An int64 cell against a double: integers on either side of it.
static QueryRange cut_i64_f64(BoundOp op, double d) {
    bool above = d >= TWO63, below = d < -TWO63;
    if (above || below) {
        bool all = above ? op == BOUND_LT || op == BOUND_LE : op == BOUND_GT || op == BOUND_GE;
        return all ? (QueryRange){.lo = 0, .hi = UINT64_MAX} : NOTHING;
    }
    double whole = floor(d);
    int64_t i = (int64_t)whole;
    if (whole == d) return cut(op, query_key_i64(i), true);
    if (op == BOUND_EQ) return NOTHING;
    bool less = op == BOUND_LT || op == BOUND_LE; // x < 2.5 is x <= 2, x > 2.5 is x > 2
    return cut(less ? BOUND_LE : BOUND_GT, query_key_i64(i), true);
}

// A double cell against an int64, which may lie between two doubles: the nearest doubles around it.
static QueryRange cut_f64_i64(BoundOp op, int64_t i) {
    double d = (double)i;
    if (d < TWO63 && (int64_t)d == i) return cut(op, query_key_f64(d), false);
    QueryRange r = {.lo = 0, .hi = UINT64_MAX};
    if (op == BOUND_EQ || op == BOUND_GT || op == BOUND_GE) r.lo = query_key_f64(nextafter(d, -INFINITY));
    if (op == BOUND_EQ || op == BOUND_LT || op == BOUND_LE) r.hi = query_key_f64(nextafter(d, INFINITY));
    return r;
}

static bool leaf_has_keys(const Field *leaf) {
    return leaf->cell <= CELL_STR && !(leaf->type && leaf->type->shape == SHAPE_ULONG);
}

bool query_range(const Field *leaf, BoundOp op, const ExprValue *value, QueryRange *out) {
    bool known = op == BOUND_EQ || op == BOUND_LT || op == BOUND_GT || op == BOUND_LE || op == BOUND_GE;
    if (!known || !leaf_has_keys(leaf)) return false;
    bool i64 = value->type == EXPR_I64, f64 = value->type == EXPR_F64;
    if (f64 && !isfinite(value->d)) return false;
    if (leaf->cell == CELL_BOOL && value->type == EXPR_BOOL) *out = cut(op, value->b, true);
    else if (leaf->cell == CELL_I64 && i64) *out = cut(op, query_key_i64(value->i), true);
    else if (leaf->cell == CELL_I64 && f64) *out = cut_i64_f64(op, value->d);
    else if (leaf->cell == CELL_F64 && f64) *out = cut(op, query_key_f64(value->d), false);
    else if (leaf->cell == CELL_F64 && i64) *out = cut_f64_i64(op, value->i);
    else if (leaf->cell == CELL_STR && value->type == EXPR_STR) {
        *out = cut(op, query_key_str(value->s), false);
        out->hash = str_hash(value->s);
    } else return false;
    return true;
}

bool query_range_prefix(const Field *leaf, Str prefix, QueryRange *out) {
    if (leaf->cell != CELL_STR) return false;
    uint64_t lo = query_key_str(prefix), open = prefix.n >= 8 ? 0 : UINT64_MAX >> 8 * prefix.n;
    *out = (QueryRange){.lo = lo, .hi = lo | open};
    return true;
}

// ---- cells ----

static uint64_t bit_of_key(uint64_t key) { return (uint64_t)1 << (key * UINT64_C(0x9E3779B97F4A7C15) >> 58); }
static uint64_t bit_of_hash(uint64_t hash) { return (uint64_t)1 << (hash >> 58); }

static inline void widen(KeySpan *s, uint64_t lo, uint64_t hi, uint64_t bits) {
    if (lo < s->lo) s->lo = lo;
    if (hi > s->hi) s->hi = hi;
    s->some |= bits;
    s->count++;
}

// A long text is not followed: the last four bytes of its key are left open.
static inline void widen_text(KeySpan *s, const uint64_t *cell) {
    Text t = {{cell[0], cell[1]}};
    if (text_is_inline(t)) {
        uint64_t key = __builtin_bswap64(cell[0] >> 32 | cell[1] << 32);
        widen(s, key, key, bit_of_hash(str_hash(text_str(&t))));
    } else {
        uint64_t key = __builtin_bswap64(cell[0] >> 32);
        widen(s, key, key | UINT32_MAX, UINT64_MAX);
    }
}

KeySpan query_key_span(CellKind cell, const PageCopy *p) {
    KeySpan s = {.lo = UINT64_MAX};
    for (uint32_t w = 0; w * 64 < p->rows; w++) {
        for (uint64_t set = p->valid[w]; set; set &= set - 1) {
            uint32_t r = w * 64 + (uint32_t)__builtin_ctzll(set);
            uint64_t key = cell == CELL_STR ? 0 : query_key_of_bits(cell, p->cells[r]);
            if (cell == CELL_STR) widen_text(&s, p->cells + 2 * (size_t)r);
            else widen(&s, key, key, bit_of_key(key));
        }
    }
    return s;
}

bool query_test_hits_span(const QueryTest *t, const KeySpan *s) {
    for (int32_t i = 0; s->count && i < t->count; i++) {
        const QueryRange *r = &t->ranges[i];
        if (r->lo > s->hi || r->hi < s->lo) continue;
        bool value = r->one && r->lo == r->hi; // of doubles beyond 2^53 the range is wider
        if (!value || (s->some & (t->cell == CELL_STR ? bit_of_hash(r->hash) : bit_of_key(r->lo)))) return true;
    }
    return false;
}

bool query_test_hits_key(const QueryTest *t, uint64_t key, uint64_t hash) {
    for (int32_t i = 0; i < t->count; i++) {
        const QueryRange *r = &t->ranges[i];
        if (r->one && t->cell == CELL_STR ? r->lo == key && r->hash >> KEY_HASH_DROPPED == hash
                                          : r->lo <= key && key <= r->hi)
            return true;
    }
    return false;
}

bool query_test_is_equality(const QueryTest *t) {
    for (int32_t i = 0; i < t->count; i++) {
        if (!t->ranges[i].one) return false;
    }
    return true;
}
