// SPDX-License-Identifier: Apache-2.0
#include "base/str.h"
#include "base/decimal.h"

int str_cmp(Str a, Str b) {
    int64_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, (size_t)n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c; }

bool str_eq_nocase(Str a, Str b) {
    if (a.n != b.n) return false;
    for (int64_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) return false;
    }
    return true;
}

bool str_starts(Str s, Str prefix) { return s.n >= prefix.n && str_eq(str_sub(s, 0, prefix.n), prefix); }
bool str_ends(Str s, Str suffix) { return s.n >= suffix.n && str_eq(str_sub(s, s.n - suffix.n, s.n), suffix); }

int64_t str_find(Str s, char c, int64_t from) {
    if (from >= s.n) return -1;
    const char *hit = memchr(s.p + from, c, (size_t)(s.n - from));
    return hit ? hit - s.p : -1;
}

int64_t str_find_str(Str s, Str needle) {
    if (needle.n == 0) return 0;
    if (s.n < needle.n) return -1;
    const char *hit = memmem(s.p, (size_t)s.n, needle.p, (size_t)needle.n);
    return hit ? hit - s.p : -1;
}

Str str_cut(Str *s, char c) {
    int64_t at = str_find(*s, c, 0);
    Str head = at < 0 ? *s : str_sub(*s, 0, at);
    *s = str_sub(*s, at < 0 ? s->n : at + 1, s->n);
    return head;
}

Str str_trim(Str s) {
    while (s.n && (s.p[0] == ' ' || (s.p[0] >= '\t' && s.p[0] <= '\r'))) s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || (s.p[s.n - 1] >= '\t' && s.p[s.n - 1] <= '\r'))) s.n--;
    return s;
}

bool str_to_i64(Str s, int64_t *out) {
    bool neg = s.n && s.p[0] == '-';
    int64_t i = neg || (s.n && s.p[0] == '+'), v = 0;
    if (i == s.n) return false;
    for (; i < s.n; i++) {
        int d = s.p[i] - '0';
        if (d < 0 || d > 9) return false;
        if (__builtin_mul_overflow(v, 10, &v)) return false;
        if (neg ? __builtin_sub_overflow(v, d, &v) : __builtin_add_overflow(v, d, &v)) return false;
    }
    *out = v;
    return true;
}

bool str_to_f64(Str s, double *out) { return decimal_parse_f64(s, out); }

static uint64_t mix(uint64_t a, uint64_t b) {
    __extension__ typedef unsigned __int128 u128;
    u128 m = (u128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t load_le(const char *p, int64_t n) {
    uint64_t v = 0;
    memcpy(&v, p, (size_t)n); // little-endian machines only, asserted in page.h
    return v;
}

uint64_t str_hash(Str s) {
    uint64_t h = 0x9E3779B97F4A7C15u ^ (uint64_t)s.n;
    const char *p = s.p;
    int64_t n = s.n;
    for (; n > 8; p += 8, n -= 8) h = mix(h ^ load_le(p, 8), 0xA0761D6478BD642Fu);
    if (n) h = mix(h ^ load_le(p, n), 0xE7037ED1A0B428DBu);
    return mix(h, 0x8EBC6AF09C88C6E3u);
}

// RFC 3629, section 4: the table of well-formed sequences.
int str_utf8_size(const char *at, const char *end) {
    const uint8_t *p = (const uint8_t *)at;
    int64_t left = end - at;
    if (left <= 0 || p[0] < 0x80) return left > 0;
    uint8_t a = p[0], b = left > 1 ? p[1] : 0;
    if (a < 0xC2 || (b & 0xC0) != 0x80) return 0;
    if (a < 0xE0) return 2;
    if (left < 3 || (p[2] & 0xC0) != 0x80) return 0;
    if (a < 0xF0) return (a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F) ? 0 : 3;
    if (left < 4 || (p[3] & 0xC0) != 0x80) return 0;
    return a > 0xF4 || (a == 0xF0 && b < 0x90) || (a == 0xF4 && b > 0x8F) ? 0 : 4;
}

bool str_utf8_ok(Str s) {
    const char *p = s.p, *end = s.n ? p + s.n : p;
    while (p < end) {
        uint64_t w;
        if (end - p >= 8 && (memcpy(&w, p, 8), (w & 0x8080808080808080u) == 0)) {
            p += 8;
            continue;
        }
        int n = str_utf8_size(p, end);
        if (!n) return false;
        p += n;
    }
    return true;
}

bool str_eq_secret(Str a, Str b) {
    uint8_t diff = a.n != b.n;
    for (int64_t i = 0; i < a.n; i++) diff |= (uint8_t)(a.p[i] ^ (b.n ? b.p[i % b.n] : 0));
    return diff == 0;
}
