// SPDX-License-Identifier: Apache-2.0
// Str: a borrowed piece of text by value. Any thread; never allocates unless an Arena is given.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "sosia/types.h"

typedef SosiaStr Str;

// A Str from a string literal.
#define STR(lit) ((Str){(lit), (int64_t)sizeof(lit) - 1})
// The two arguments of "%.*s".
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

// A Str over a NUL-terminated string; NULL gives the empty Str.
static inline Str str_of(const char *z) { return (Str){z, z ? (int64_t)strlen(z) : 0}; }
// Equal bytes.
static inline bool str_eq(Str a, Str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, (size_t)a.n) == 0); }
// Bytes [from, to) of s; the caller keeps 0 <= from <= to <= s.n.
static inline Str str_sub(Str s, int64_t from, int64_t to) {
    return (Str){from ? s.p + from : s.p, to - from}; // NULL + 0 is undefined in C17
}

// Order of bytes, shorter first on a tie: < 0, 0, > 0.
int str_cmp(Str a, Str b);
// Equal without regard to ASCII case.
bool str_eq_nocase(Str a, Str b);
bool str_starts(Str s, Str prefix);
bool str_ends(Str s, Str suffix);
// Offset of the first `c` at or after `from`, or -1.
int64_t str_find(Str s, char c, int64_t from);
// Offset of the first `needle`, or -1. Cost: O(n) for short needles (memmem).
int64_t str_find_str(Str s, Str needle);
// Cut s at the first `c`: returns the head and moves *s behind the cut (to empty when `c` is absent).
Str str_cut(Str *s, char c);
// Without ASCII blanks at both ends.
Str str_trim(Str s);
// Whole text as a decimal integer; false when it is anything else or leaves the range. out untouched then.
bool str_to_i64(Str s, int64_t *out);
// Whole text as a decimal number, rounded to the nearest double, whatever the locale; false when it is anything else or
// not finite. out untouched then.
bool str_to_f64(Str s, double *out);
// 64-bit hash of the bytes, the same on every machine and run (wyhash-like mixing of 8-byte words).
uint64_t str_hash(Str s);
// Valid UTF-8 (RFC 3629: no surrogates, no overlong forms). Cost: O(n), 8 bytes a step on ASCII.
bool str_utf8_ok(Str s);
// Bytes of the well-formed UTF-8 sequence at p, 1..4; 0 when there is none (or p == end).
int str_utf8_size(const char *p, const char *end);
// Constant-time equality for secrets: time depends on the lengths only.
bool str_eq_secret(Str a, Str b);
