// SPDX-License-Identifier: Apache-2.0
// The tokenizer under the pull scanner and the DOM, inline so that both loops keep the cursor in registers.
// Only src/codec includes this. Contract of every function here: s->err is ERR_OK on entry; returns false with err, why
// and p (the place) set when the text is wrong.
#pragma once
#include "codec/json.h"
#include "base/decimal.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

// Note the error; returns false.
__attribute__((cold, noinline)) static bool lex_fail(JsonScan *s, const char *p, const char *why) {
    s->err = ERR_SYNTAX;
    s->why = why;
    s->p = p;
    return false;
}

// The calls below are made once or twice a token: inlined whatever the compiler thinks of their size.
#define LEX_HOT static inline __attribute__((always_inline))

// The rest of a string after a plain run: p is at the special byte (or the end), `first` behind the opening quote.
// Handles escapes and bytes beyond ASCII.
bool json_lex_string_rest(JsonScan *s, const char *first, const char *p, JsonToken *t);

// Behind the blank space at p.
LEX_HOT const char *lex_space(const char *p, const char *end) {
    while (p < end && (uint8_t)*p <= ' ') {
        if (*p != ' ' && *p != '\n' && *p != '\r' && *p != '\t') break;
        p++;
        for (uint64_t w; end - p >= 8 && *p == ' '; p += 8) { // indentation
            memcpy(&w, p, 8);
            if (w != 0x2020202020202020u) break;
        }
    }
    return p;
}

// Bytes that end a plain run: '"', '\', controls, everything beyond ASCII.
static inline bool lex_special(char c) { return c == '"' || c == '\\' || (uint8_t)c < 0x20 || (uint8_t)c >= 0x80; }

#ifdef __SSE2__
// One bit a byte of the 16 at p: 1 where lex_special.
LEX_HOT unsigned lex_special16(const char *p) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"')), slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    // As signed bytes, controls and bytes >= 0x80 are both below 0x20.
    __m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), low));
}

// The first special byte at or after p, or end. Never reads outside [start, end).
LEX_HOT const char *lex_plain(const char *start, const char *p, const char *end) {
    for (; end - p >= 16; p += 16) {
        unsigned hits = lex_special16(p);
        if (hits) return p + __builtin_ctz(hits);
    }
    if (end - start >= 16) { // the last 16 bytes of the text, those before p shifted out
        unsigned hits = p < end ? lex_special16(end - 16) >> (16 - (end - p)) : 0;
        return hits ? p + __builtin_ctz(hits) : end;
    }
    while (p < end && !lex_special(*p)) p++;
    return p;
}
#else
LEX_HOT const char *lex_plain(const char *start, const char *p, const char *end) {
    (void)start;
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    for (uint64_t w; end - p >= 8; p += 8) {
        memcpy(&w, p, 8);
        uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
        if (((w - ones * 0x20) | (quote - ones) | (slash - ones) | w) & tops)
            break; // may be a false alarm: looked at below
    }
    while (p < end && !lex_special(*p)) p++;
    return p;
}
#endif

// p is behind the opening quote.
LEX_HOT bool lex_string(JsonScan *s, const char *p, JsonToken *t) {
    const char *hit = lex_plain(s->start, p, s->end);
    if (__builtin_expect(hit == s->end || *hit != '"', 0)) return json_lex_string_rest(s, p, hit, t);
    t->type = JSON_STRING;
    t->escaped = false;
    t->raw = (Str){p, hit - p};
    s->p = hit + 1;
    return true;
}

// Is there a digit at p?
LEX_HOT bool lex_digit(const char *p, const char *end) { return p < end && (uint8_t)(*p - '0') <= 9; }

// Behind the digits at p; *m = *m with them appended, modulo 2^64.
LEX_HOT const char *lex_digits(const char *p, const char *end, uint64_t *m) {
    uint64_t v = *m;
    for (; lex_digit(p, end); p++) v = v * 10 + (uint64_t)(*p - '0');
    *m = v;
    return p;
}

// The value of a number whose grammar is right: `count` digits with the value m (when they fit), times 10^exp.
static inline bool lex_number_value(JsonScan *s, JsonToken *t, uint64_t m, int64_t count, int64_t exp, bool whole) {
    bool neg = t->raw.p[0] == '-';
    s->p = t->raw.p + t->raw.n;
    if (whole && (count <= 18 || (count == 19 && m <= (uint64_t)INT64_MAX + neg))) {
        t->type = JSON_INT;
        t->i = (int64_t)(neg ? -m : m);
        t->d = (double)t->i;
        return true;
    }
    t->type = JSON_DOUBLE;
    if (__builtin_expect(count <= 19, 1)) {
        if (!decimal_to_f64(m, exp, &t->d)) return lex_fail(s, t->raw.p, "the number is too large");
        if (neg) t->d = -t->d;
        return true;
    }
    return decimal_parse_f64(t->raw, &t->d) || lex_fail(s, t->raw.p, "the number is too large");
}

// *p is '-' or a digit.
LEX_HOT bool lex_number(JsonScan *s, const char *p, JsonToken *t) {
    const char *end = s->end, *first = p, *digits = p + (*p == '-');
    uint64_t m = 0;
    int64_t exp = 0;
    p = lex_digits(digits, end, &m);
    int64_t count = p - digits;
    if (count == 0) return lex_fail(s, p, "a digit is expected");
    if (count > 1 && *digits == '0') return lex_fail(s, digits, "a number must not start with 0");
    bool whole = true;
    if (p < end && *p == '.') {
        whole = false;
        const char *fraction = ++p;
        p = lex_digits(p, end, &m);
        if (p == fraction) return lex_fail(s, p, "a digit is expected behind the point");
        exp = fraction - p;
        count -= exp;
    }
    if (p < end && (*p | 0x20) == 'e') {
        whole = false;
        bool neg = ++p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+')) p++;
        if (!lex_digit(p, end)) return lex_fail(s, p, "a digit is expected in the exponent");
        int64_t e = 0;
        for (; lex_digit(p, end); p++) e = e < INT64_C(1) << 52 ? e * 10 + (*p - '0') : e;
        exp += neg ? -e : e;
    }
    t->escaped = false;
    t->raw = (Str){first, p - first};
    return lex_number_value(s, t, m, count, exp, whole);
}

// The literal `word` at p.
static inline bool lex_word(JsonScan *s, const char *p, JsonToken *t, Str word, JsonType type) {
    if (s->end - p < word.n || memcmp(p, word.p, (size_t)word.n) != 0) {
        return lex_fail(s, p, "a value is expected; words are true, false and null");
    }
    t->type = type;
    t->escaped = false;
    t->raw = (Str){p, word.n};
    s->p = p + word.n;
    return true;
}

// The next value. A scalar is consumed; of an array or object only the type is set and s->p is its bracket.
LEX_HOT bool lex_value(JsonScan *s, JsonToken *t) {
    const char *p = lex_space(s->p, s->end);
    if (p == s->end) return lex_fail(s, p, "a value is expected, the text ends");
    switch (*p) {
    case '"': return lex_string(s, p + 1, t);
    case '{':
    case '[':
        t->type = *p == '{' ? JSON_OBJECT : JSON_ARRAY;
        s->p = p;
        return true;
    case 't': return lex_word(s, p, t, STR("true"), JSON_TRUE);
    case 'f': return lex_word(s, p, t, STR("false"), JSON_FALSE);
    case 'n': return lex_word(s, p, t, STR("null"), JSON_NULL);
    case '-': return lex_number(s, p, t);
    default:
        if ((uint8_t)(*p - '0') <= 9) return lex_number(s, p, t);
        return lex_fail(
            s, p, (uint8_t)*p >= 0x80 ? "a value is expected (the text may not be UTF-8)" : "a value is expected");
    }
}

// Enter the array or object whose bracket is at s->p.
LEX_HOT bool lex_enter(JsonScan *s) {
    if (s->depth >= s->depth_max) {
        lex_fail(s, s->p, "arrays and objects are nested too deeply");
        s->err = ERR_LIMIT;
        return false;
    }
    s->p++;
    s->depth++;
    s->first = true;
    return true;
}

// In an array or object, before the next item or key: skip the comma that belongs there. True when another one follows
// (s->p at its first byte); false at `close` (consumed, err unset) or on error.
LEX_HOT bool lex_next(JsonScan *s, char close, const char *why) {
    const char *p = lex_space(s->p, s->end);
    bool first = s->first;
    s->first = false;
    if (p == s->end) return lex_fail(s, p, why);
    if (*p == close) {
        s->p = p + 1;
        s->depth--;
        return false;
    }
    if (!first) {
        if (*p != ',') return lex_fail(s, p, why);
        p = lex_space(p + 1, s->end);
    }
    s->p = p;
    return true;
}

// As json_scan_item and json_scan_key.
LEX_HOT bool lex_item(JsonScan *s) { return lex_next(s, ']', "',' or ']' is expected"); }

// With the ':' consumed.
LEX_HOT bool lex_key(JsonScan *s, JsonToken *key) {
    if (!lex_next(s, '}', "',' or '}' is expected")) return false;
    if (s->p == s->end || *s->p != '"') return lex_fail(s, s->p, "a name in quotes is expected");
    if (!lex_string(s, s->p + 1, key)) return false;
    const char *p = lex_space(s->p, s->end);
    if (p == s->end || *p != ':') return lex_fail(s, p, "':' is expected");
    s->p = p + 1;
    return true;
}
