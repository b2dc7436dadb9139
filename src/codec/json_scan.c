// SPDX-License-Identifier: Apache-2.0
#include "codec/json_lex.h"
#include "base/check.h"

void json_scan_init(JsonScan *s, Str text) {
    const char *p = text.n > 0 ? text.p : ""; // no arithmetic on NULL
    *s = (JsonScan){.p = p, .start = p, .end = p + text.n, .depth_max = JSON_DEPTH_MAX};
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Four hex digits at p; -1 when there are none.
static int32_t hex4(const char *p, const char *end) {
    int32_t v = 0;
    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(p[i]);
        if (d < 0) return -1;
        v = v << 4 | d;
    }
    return v;
}

// Behind the escape whose backslash is at p; NULL (err set) when it is malformed.
static const char *check_escape(JsonScan *s, const char *p) {
    const char *bad = p++;
    if (p < s->end && *p && strchr("\"\\/bfnrt", *p)) return p + 1;
    if (p == s->end || *p != 'u') {
        lex_fail(s, bad, "unknown escape: only \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX are allowed");
        return NULL;
    }
    int32_t unit = hex4(p + 1, s->end);
    if (unit < 0) {
        lex_fail(s, bad, "\\u needs four hexadecimal digits");
        return NULL;
    }
    if (unit < 0xD800 || unit > 0xDFFF) return p + 5;
    int32_t low = s->end - p >= 7 && p[5] == '\\' && p[6] == 'u' ? hex4(p + 7, s->end) : -1;
    if (unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF) {
        lex_fail(s, bad, "half of a surrogate pair stands alone");
        return NULL;
    }
    return p + 11;
}

// Behind the well-formed UTF-8 sequences starting at p; NULL (err set) when there is a bad one.
static const char *check_utf8(JsonScan *s, const char *p) {
    while (p < s->end && (uint8_t)*p >= 0x80) {
        int n = str_utf8_size(p, s->end);
        if (!n) {
            lex_fail(s, p, "the string is not valid UTF-8");
            return NULL;
        }
        p += n;
    }
    return p;
}

bool json_lex_string_rest(JsonScan *s, const char *first, const char *p, JsonToken *t) {
    t->type = JSON_STRING;
    t->escaped = false;
    for (;; p = lex_plain(s->start, p, s->end)) {
        if (p == s->end) return lex_fail(s, first - 1, "a string has no closing quote");
        if (*p == '"') break;
        if (*p == '\\') {
            t->escaped = true;
            p = check_escape(s, p);
        } else if ((uint8_t)*p >= 0x80) {
            p = check_utf8(s, p);
        } else {
            return lex_fail(s, p, "a control character in a string must be escaped");
        }
        if (!p) return false;
    }
    t->raw = (Str){first, p - first};
    s->p = p + 1;
    return true;
}

static bool enter(JsonScan *s, char open, const char *why) {
    if (s->err) return false;
    s->p = lex_space(s->p, s->end);
    if (s->p == s->end || *s->p != open) return lex_fail(s, s->p, why);
    return lex_enter(s);
}

bool json_scan_object(JsonScan *s) { return enter(s, '{', "an object is expected"); }
bool json_scan_array(JsonScan *s) { return enter(s, '[', "an array is expected"); }
bool json_scan_key(JsonScan *s, JsonToken *key) { return !s->err && lex_key(s, key); }
bool json_scan_item(JsonScan *s) { return !s->err && lex_item(s); }
bool json_scan_value(JsonScan *s, JsonToken *v) { return !s->err && lex_value(s, v); }

// What is open while skipping: bit d of `objects` says whether level d is an object. Enters the container at s->p.
static bool skip_enter(JsonScan *s, uint64_t *objects, JsonType type) {
    int32_t d = s->depth;
    CHECK(s->depth_max <= JSON_DEPTH_MAX);
    if (!lex_enter(s)) return false;
    uint64_t bit = UINT64_C(1) << (d % 64);
    objects[d / 64] = type == JSON_OBJECT ? objects[d / 64] | bit : objects[d / 64] & ~bit;
    return true;
}

static bool skip_container(JsonScan *s, JsonType type) {
    uint64_t objects[JSON_DEPTH_MAX / 64];
    int32_t base = s->depth;
    JsonToken t;
    if (!skip_enter(s, objects, type)) return false;
    while (s->depth > base) {
        int32_t d = s->depth - 1;
        bool more = objects[d / 64] >> (d % 64) & 1 ? lex_key(s, &t) : lex_item(s);
        if (s->err) return false;
        if (!more) continue;
        if (!lex_value(s, &t)) return false;
        if (t.type >= JSON_ARRAY && !skip_enter(s, objects, t.type)) return false;
    }
    return true;
}

bool json_scan_skip(JsonScan *s, Str *raw) {
    JsonToken t;
    if (s->err) return false;
    s->p = lex_space(s->p, s->end);
    const char *from = s->p;
    if (!lex_value(s, &t)) return false;
    if (t.type >= JSON_ARRAY && !skip_container(s, t.type)) return false;
    if (raw) *raw = (Str){from, s->p - from};
    return true;
}

bool json_scan_end(JsonScan *s) {
    if (s->err) return false;
    s->p = lex_space(s->p, s->end);
    return s->p == s->end || lex_fail(s, s->p, "nothing may follow the value");
}

static char *put_utf8(char *w, int32_t c) {
    if (c < 0x80) {
        *w++ = (char)c;
        return w;
    }
    int tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    *w++ = (char)(lead[tail] | (uint8_t)(c >> (6 * tail)));
    while (tail--) *w++ = (char)(0x80 | (uint8_t)((c >> (6 * tail)) & 0x3F));
    return w;
}

// One escape at p ('\'), checked before. Writes what it means, moves *w; returns behind it.
static const char *put_escape(const char *p, const char *end, char **w) {
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char c = p[1];
    if (c != 'u') {
        const char *hit = strchr(from, c);
        *(*w)++ = hit ? to[hit - from] : c;
        return p + 2;
    }
    int32_t unit = hex4(p + 2, end);
    p += 6;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        unit = 0x10000 + ((unit - 0xD800) << 10) + (hex4(p + 2, end) - 0xDC00);
        p += 6;
    }
    *w = put_utf8(*w, unit);
    return p;
}

Str json_unescape(Arena *arena, JsonToken t) {
    if (!t.escaped) return t.raw;
    char *text = arena_alloc(arena, 1, t.raw.n, 1), *w = text;
    const char *p = t.raw.p, *end = p + t.raw.n;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t n = (size_t)((slash ? slash : end) - p);
        memcpy(w, p, n);
        w += n;
        p += n;
        if (slash) p = put_escape(p, end, &w);
    }
    return (Str){text, w - text};
}
