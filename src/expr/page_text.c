// SPDX-License-Identifier: Apache-2.0
// Texts of a page against constants, without copying: cells are compared by their words (domain.h: length and first
// four bytes in the first, the rest or a pointer in the second).
#include <string.h>
#include "base/check.h"
#include "base/mem.h"
#include "expr/page_lane.h"

static void clear(uint64_t out[LANE_WORDS]) { memset(out, 0, LANE_WORDS * 8); }
static void set_bit(uint64_t out[LANE_WORDS], uint32_t row, bool on) { out[row >> 6] |= (uint64_t)on << (row & 63); }

// The two words a cell of this text has; of a long one only the first.
static Text words_of(Str s) {
    Text t = {{(uint64_t)s.n, 0}};
    if (s.n) memcpy((char *)&t.w[0] + 4, s.p, (size_t)(s.n < 4 ? s.n : 4));
    if (s.n > 4 && s.n <= TEXT_INLINE) memcpy(&t.w[1], s.p + 4, (size_t)(s.n - 4));
    return t;
}

void text_rows_equal(const Lane *a, Str s, const Sel *sel, uint64_t out[LANE_WORDS]) {
    clear(out);
    if (a->kind != LANE_TEXT) {
        EACH_ROW(sel->bits, r) {
            if (a->valid[r >> 6] >> (r & 63) & 1) set_bit(out, r, str_eq(lane_str(a, r), s));
        }
        return;
    }
    if (s.n > INT32_MAX) return;
    Text t = words_of(s);
    bool in_words = s.n <= TEXT_INLINE;
    for (uint32_t w = 0; w < LANE_WORDS; w++) {
        const Text *x = a->text + 64 * w;
        uint64_t same = 0;
        if (!sel->bits[w]) continue;
        for (int i = 0; i < 64; i++)
            same |= (uint64_t)((x[i].w[0] == t.w[0]) & (!in_words | (x[i].w[1] == t.w[1]))) << i;
        out[w] = same & sel->bits[w] & a->valid[w];
    }
    if (in_words) return;
    uint64_t maybe[LANE_WORDS];
    memcpy(maybe, out, sizeof maybe);
    EACH_ROW(maybe, r) {
        if (!text_eq(&a->text[r], s)) out[r >> 6] &= ~((uint64_t)1 << (r & 63));
    }
}

static bool has_part(Str s, Str part, TextPlace where) {
    switch (where) {
    case TEXT_AT_START: return str_starts(s, part);
    case TEXT_AT_END: return str_ends(s, part);
    case TEXT_INSIDE: return str_find_str(s, part) >= 0;
    }
    return false;
}

void text_rows_have(const Lane *a, Str part, TextPlace where, const Sel *sel, uint64_t out[LANE_WORDS]) {
    Sel rows;
    clear(out);
    for (uint32_t w = 0; w < LANE_WORDS; w++) rows.bits[w] = sel->bits[w] & a->valid[w];
    if (a->kind == LANE_TEXT && where == TEXT_AT_START && part.n > 0) { // most differ in the first four bytes
        int64_t n = part.n < 4 ? part.n : 4;
        uint64_t mask = (UINT64_MAX >> (64 - 8 * n)) << 32, want = words_of(part).w[0] & mask;
        EACH_ROW(rows.bits, r) set_bit(out, r, (a->text[r].w[0] & mask) == want);
        memcpy(rows.bits, out, sizeof rows.bits);
        clear(out);
    }
    EACH_ROW(rows.bits, r) set_bit(out, r, has_part(lane_str(a, r), part, where));
}

static bool holds(BoundOp op, int order) {
    switch (op) {
    case BOUND_EQ: return order == 0;
    case BOUND_NE: return order != 0;
    case BOUND_LT: return order < 0;
    case BOUND_GT: return order > 0;
    case BOUND_LE: return order <= 0;
    default: return order >= 0;
    }
}

void text_rows_relate(BoundOp op, const Lane *a, const Lane *b, const Sel *sel, uint64_t out[LANE_WORDS]) {
    bool equality = op == BOUND_EQ || op == BOUND_NE;
    if (equality && (a->kind == LANE_CONST || b->kind == LANE_CONST)) {
        if (a->kind == LANE_CONST) text_rows_equal(b, a->value.s, sel, out);
        else text_rows_equal(a, b->value.s, sel, out);
        for (uint32_t w = 0; w < LANE_WORDS && op == BOUND_NE; w++) out[w] = ~out[w];
        return;
    }
    clear(out);
    Sel rows;
    for (uint32_t w = 0; w < LANE_WORDS; w++) rows.bits[w] = sel->bits[w] & a->valid[w] & b->valid[w];
    EACH_ROW(rows.bits, r) {
        Str x = lane_str(a, r), y = lane_str(b, r);
        set_bit(out, r, equality ? str_eq(x, y) == (op == BOUND_EQ) : holds(op, str_cmp(x, y)));
    }
}

// ---- lists ----

// A set of constants: open addressing by hash. Short texts are told apart by their words alone.
typedef struct TextSlot {
    Text words; // as a cell has them; a long text's second word is 0
    Str s;
    bool used;
} TextSlot;
typedef struct TextSet {
    TextSlot *slots;
    uint64_t mask;
} TextSet;

static uint64_t hash_words(Text t) {
    uint64_t h = (t.w[0] ^ 0x9E3779B97F4A7C15u) * 0xBF58476D1CE4E5B9u;
    h = (h ^ h >> 29 ^ t.w[1]) * 0x94D049BB133111EBu;
    return h ^ h >> 32;
}

static bool set_has_short(const TextSet *set, Text t) {
    for (uint64_t at = hash_words(t);; at++) {
        const TextSlot *slot = &set->slots[at & set->mask];
        if (!slot->used) return false;
        if (slot->words.w[0] == t.w[0] && slot->words.w[1] == t.w[1]) return true;
    }
}

static bool set_has_long(const TextSet *set, Str s) {
    for (uint64_t at = str_hash(s);; at++) {
        const TextSlot *slot = &set->slots[at & set->mask];
        if (!slot->used) return false;
        if (str_eq(slot->s, s)) return true;
    }
}

static TextSet set_make(const Bound *b, Arena *a) {
    uint64_t cap = 16;
    while (cap < (uint64_t)b->arg_count * 2) cap *= 2;
    TextSet set = {NEW(a, TextSlot, cap), cap - 1};
    for (int32_t i = 1; i < b->arg_count; i++) {
        Str s = b->args[i]->value.s;
        Text t = words_of(s);
        uint64_t at = s.n <= TEXT_INLINE ? hash_words(t) : str_hash(s);
        while (set.slots[at & set.mask].used) at++;
        set.slots[at & set.mask] = (TextSlot){t, s, true};
    }
    return set;
}

static bool set_has(const TextSet *set, const Lane *a, uint32_t row) {
    Str s = a->kind == LANE_TEXT ? (Str){NULL, text_size(a->text[row])} : lane_str(a, row);
    if (s.n > TEXT_INLINE) return set_has_long(set, lane_str(a, row));
    return set_has_short(set, a->kind == LANE_TEXT ? a->text[row] : words_of(s));
}

void text_rows_in(const Bound *b, const Lane *a, const Sel *sel, uint64_t out[LANE_WORDS]) {
    enum { FEW = 4 };
    clear(out);
    if (b->arg_count <= FEW + 1) {
        for (int32_t i = 1; i < b->arg_count; i++) {
            uint64_t same[LANE_WORDS];
            text_rows_equal(a, b->args[i]->value.s, sel, same);
            for (uint32_t w = 0; w < LANE_WORDS; w++) out[w] |= same[w];
        }
        return;
    }
    Arena arena;
    arena_init(&arena, 0);
    TextSet set = set_make(b, &arena);
    Sel rows;
    for (uint32_t w = 0; w < LANE_WORDS; w++) rows.bits[w] = sel->bits[w] & a->valid[w];
    EACH_ROW(rows.bits, r) set_bit(out, r, set_has(&set, a, r));
    arena_free(&arena);
}
