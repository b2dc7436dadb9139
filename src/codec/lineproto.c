// SPDX-License-Identifier: Apache-2.0
// Reading line protocol. See lineproto.h for the rules.
//
//   1. r->p never passes r->end; every step leaves it on the first byte it did not take
//   2. lineproto_head and lineproto_tags skip the same escapes, so that the tags end where the head ends
//   3. after LP_BAD r->p is behind the next line end at or after the fault
#include "codec/lineproto.h"
#include "base/decimal.h"
#include "base/mem.h"

// What a byte is, as a set.
enum { CTRL = 1, SPACE = 2, COMMA = 4, EQUAL = 8, BACK = 16, EOL = 32 };
static const uint8_t class_of[256] = {
    CTRL,       CTRL, CTRL,          CTRL,          CTRL,          CTRL,          CTRL,        CTRL, CTRL, CTRL,
    CTRL | EOL, CTRL, CTRL,          CTRL | EOL,    CTRL,          CTRL,          CTRL,        CTRL, CTRL, CTRL,
    CTRL,       CTRL, CTRL,          CTRL,          CTRL,          CTRL,          CTRL,        CTRL, CTRL, CTRL,
    CTRL,       CTRL, [' '] = SPACE, [','] = COMMA, ['='] = EQUAL, ['\\'] = BACK, [127] = CTRL};

static inline uint8_t class_at(const char *p) { return class_of[(unsigned char)*p]; }

void lineproto_init(LineProto *r, Str text, int64_t unit_ns, int64_t default_ns, Arena *arena) {
    const char *p = text.n ? text.p : "";
    int64_t rest = default_ns % unit_ns;
    if (rest < 0) rest += unit_ns;
    *r = (LineProto){.arena = arena,
                     .p = p,
                     .end = p + text.n,
                     .line_at = p,
                     .line = 1,
                     .unit_ns = unit_ns,
                     .default_ns = default_ns - rest};
}

void lineproto_free(LineProto *r) {
    mem_free(r->tags);
    mem_free(r->fields);
    *r = (LineProto){0};
}

// ---- lines --------------------------------------------------------------------------------------------------------

static void next_line(LineProto *r, const char *at) {
    r->p = r->line_at = at;
    r->line++;
}

// The point is bad at `at`; go on behind the line.
static LpGot bad_as(LineProto *r, Err err, const char *at, const char *why) {
    r->err = err;
    r->why = why;
    r->bad_line = r->line;
    r->bad_column = at - r->line_at + 1;
    const char *eol = at < r->end ? memchr(at, '\n', (size_t)(r->end - at)) : NULL;
    if (eol) next_line(r, eol + 1);
    else r->p = r->end;
    return LP_BAD;
}

static LpGot bad(LineProto *r, const char *at, const char *why) { return bad_as(r, ERR_SYNTAX, at, why); }

// Take a line end, or be at the end of the text.
static bool take_eol(LineProto *r) {
    const char *p = r->p;
    if (p == r->end) return true;
    if (*p == '\r' && p + 1 < r->end) p++;
    if (*p != '\n') return false;
    next_line(r, p + 1);
    return true;
}

static void skip_spaces(LineProto *r) {
    while (r->p < r->end && *r->p == ' ') r->p++;
}

// Skip blank lines and comments.
static LpGot find_point(LineProto *r) {
    for (;;) {
        skip_spaces(r);
        if (r->p == r->end) return LP_END;
        if (*r->p == '#') {
            const char *at = r->p;
            const char *eol = memchr(at, '\n', (size_t)(r->end - at));
            const char *stop = eol ? eol : r->end;
            if (stop > at && eol && stop[-1] == '\r') stop--;
            for (const char *p = at; p < stop; p++)
                if (class_at(p) & CTRL) return bad(r, p, "a control character in a comment");
            r->p = stop;
        } else if (*r->p != '\n' && *r->p != '\r') {
            return LP_POINT;
        }
        if (!take_eol(r)) return bad(r, r->p, "a carriage return without a line feed");
    }
}

// ---- names --------------------------------------------------------------------------------------------------------

static bool escapes(char c, uint8_t set) { return (class_of[(unsigned char)c] & set) != 0; }

// [p, end) without the backslashes before bytes of `set`.
static Str unescape(Arena *arena, const char *p, const char *end, uint8_t set) {
    char *out = arena_alloc(arena, 1, end - p, 1);
    int64_t n = 0;
    while (p < end) {
        if (*p == '\\' && p + 1 < end && escapes(p[1], set)) p++;
        out[n++] = *p++;
    }
    return (Str){out, n};
}

// A name up to the first byte of `stops`. False when it is no UTF-8.
static inline bool take_name(LineProto *r, const char *end, uint8_t stops, uint8_t escaped, Str *out) {
    const char *p = r->p, *from = p;
    bool any = false;
    char high = 0;
    for (; p < end; p++) {
        uint8_t c = class_at(p);
        if (c & stops) break;
        high |= *p;
        if ((c & BACK) && p + 1 < end && escapes(p[1], escaped)) {
            any = true;
            p++;
        }
    }
    r->p = p;
    *out = (Str){from, p - from};
    if (high < 0 && !str_utf8_ok(*out)) return false;
    if (any) *out = unescape(r->arena, from, p, escaped);
    return true;
}

LpGot lineproto_head(LineProto *r, Str *head) {
    LpGot got = find_point(r);
    if (got != LP_POINT) return got;
    const char *p = r->p;
    for (; p < r->end; p++) {
        uint8_t c = class_at(p);
        if (c & (SPACE | EOL)) break;
        if ((c & BACK) && p + 1 < r->end && escapes(p[1], COMMA | SPACE | EQUAL)) p++;
    }
    *head = (Str){r->p, p - r->p};
    r->p = p;
    r->point_line = r->line;
    return LP_POINT;
}

static bool tag_again(const LineProto *r, int32_t n, Str key) {
    for (int32_t i = 0; i < n; i++)
        if (str_eq(r->tags[i].key, key)) return true;
    return false;
}

static LpTag *tag_add(LineProto *r, int32_t n) {
    if (n == r->tag_cap) {
        r->tag_cap = r->tag_cap ? r->tag_cap * 2 : 16;
        r->tags = mem_grow(r->tags, (size_t)r->tag_cap * sizeof *r->tags);
    }
    return &r->tags[n];
}

LpGot lineproto_tags(LineProto *r, Str head, LpPoint *out) {
    const char *end = head.p + head.n;
    int32_t n = 0;
    r->p = head.p;
    if (head.n && *r->p != ',' && !take_name(r, end, COMMA | SPACE | CTRL, COMMA | SPACE, &out->name))
        return bad(r, head.p, "the measurement is not UTF-8");
    if (r->p == head.p) return bad(r, r->p, "a measurement is expected");
    while (r->p < end && *r->p == ',') {
        r->p++;
        if (n == LP_TAGS_MAX) return bad_as(r, ERR_LIMIT, r->p, "more tags than a point may have");
        LpTag *t = tag_add(r, n);
        const char *at = r->p;
        if (!take_name(r, end, COMMA | SPACE | EQUAL | CTRL, COMMA | SPACE | EQUAL, &t->key))
            return bad(r, at, "the tag's name is not UTF-8");
        if (r->p == at) return bad(r, at, "a tag's name is expected");
        if (r->p == end || *r->p != '=') return bad(r, r->p, "'=' is expected behind a tag's name");
        at = ++r->p;
        if (!take_name(r, end, COMMA | SPACE | EQUAL | EOL, COMMA | SPACE | EQUAL, &t->value))
            return bad(r, at, "the tag's value is not UTF-8");
        if (r->p == at) return bad(r, at, "a tag's value is expected");
        if (tag_again(r, n, t->key)) return bad(r, at, "a tag occurs twice");
        n++;
    }
    if (r->p < end) return bad(r, r->p, "',' or a blank is expected");
    out->tags = r->tags;
    out->tag_count = n;
    return LP_POINT;
}

// ---- values -------------------------------------------------------------------------------------------------------

static bool ends_value(const LineProto *r, const char *p) {
    return p == r->end || *p == ',' || *p == ' ' || *p == '\n' || *p == '\r';
}

// The string behind the opening quote at r->p; *why tells when it fails.
static bool take_string(LineProto *r, Str *out, const char **why) {
    const char *from = r->p, *p = from;
    bool any = false;
    for (;; p += 2) {
        const char *quote = memchr(p, '"', (size_t)(r->end - p));
        *why = "the string does not end";
        if (!quote) return false;
        const char *back = memchr(p, '\\', (size_t)(quote - p));
        if (!back) {
            p = quote;
            break;
        }
        p = back; // the byte behind it is no closing quote
        any |= p[1] == '"' || p[1] == '\\';
        if (p[1] != '"' && p[1] != '\\') p--;
    }
    *out = (Str){from, p - from};
    *why = "the string is not UTF-8";
    if (!str_utf8_ok(*out)) return false;
    if (any) {
        char *text = arena_alloc(r->arena, 1, p - from, 1);
        int64_t n = 0;
        for (const char *q = from; q < p; q++) {
            if (*q == '\\' && (q[1] == '"' || q[1] == '\\')) q++;
            text[n++] = *q;
        }
        *out = (Str){text, n};
    }
    for (const char *eol = from; (eol = memchr(eol, '\n', (size_t)(p - eol))); eol++) {
        r->line++;
        r->line_at = eol + 1;
    }
    r->p = p + 1;
    return true;
}

static bool take_bool(Str s, bool *out) {
    static const struct {
        const char *text;
        bool value;
    } all[] = {{"t", true},  {"T", true},  {"true", true},   {"True", true},   {"TRUE", true},
               {"f", false}, {"F", false}, {"false", false}, {"False", false}, {"FALSE", false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!str_eq(s, str_of(all[i].text))) continue;
        *out = all[i].value;
        return true;
    }
    return false;
}

// Digits from p; false when the number passes 2^64 - 1.
static bool take_digits(const char **p, const char *end, uint64_t *out) {
    uint64_t v = 0;
    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++)
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(**p - '0'), &v)) return false;
    *out = v;
    return true;
}

// "-?digits" of up to 18 digits with a point anywhere, the usual case; false: look again.
static bool short_float(const char *p, const char *end, double *out) {
    uint64_t m = 0;
    int64_t digits = 0, fraction = -1;
    bool minus = p < end && *p == '-';
    for (p += minus; p < end; p++) {
        if (*p >= '0' && *p <= '9') {
            m = m * 10 + (uint64_t)(*p - '0');
            digits++;
            fraction += fraction >= 0;
        } else if (*p == '.' && fraction < 0) {
            fraction = 0;
        } else {
            return false;
        }
    }
    if (digits < 1 || digits > 18) return false;
    double v;
    if (!decimal_to_f64(m, fraction > 0 ? -fraction : 0, &v)) return false;
    *out = minus ? -v : v;
    return true;
}

// An integer with its letter: "-12i", "12u".
static bool take_whole(const char *p, const char *end, LpField *f) {
    bool minus = *p == '-', is_signed = end[-1] == 'i';
    const char *q = p + minus;
    uint64_t v;
    end--;
    if (q == end || !take_digits(&q, end, &v) || q != end) return false;
    if (is_signed) {
        if (v > (uint64_t)INT64_MAX + minus) return false;
        f->type = LP_INT;
        f->i = minus ? (int64_t)(0 - v) : (int64_t)v;
        return true;
    }
    f->type = LP_UINT;
    f->u = v;
    return !minus;
}

// Any value but a string.
static const char *take_plain(LineProto *r, LpField *f) {
    const char *from = r->p, *p = from;
    while (!ends_value(r, p)) p++;
    r->p = p;
    Str s = {from, p - from};
    char first = s.n ? *from : 0;
    if ((first >= '0' && first <= '9') || first == '-' || first == '.') {
        if (p[-1] == 'i' || p[-1] == 'u') return take_whole(from, p, f) ? NULL : "no integer, or out of range";
        f->type = LP_FLOAT;
        return short_float(from, p, &f->d) || decimal_parse_f64(s, &f->d) ? NULL : "no number, or out of range";
    }
    f->type = LP_BOOL;
    return take_bool(s, &f->b) ? NULL : "a value is expected: 1.5, 1i, 1u, true, \"text\"";
}

static LpField *field_add(LineProto *r, int32_t n) {
    if (n == r->field_cap) {
        r->field_cap = r->field_cap ? r->field_cap * 2 : 16;
        r->fields = mem_grow(r->fields, (size_t)r->field_cap * sizeof *r->fields);
    }
    return &r->fields[n];
}

// One field; LP_BAD when it is none.
static LpGot take_field(LineProto *r, LpField *f) {
    const char *at = r->p, *why;
    if (!take_name(r, r->end, COMMA | SPACE | EQUAL | CTRL, COMMA | SPACE | EQUAL, &f->key))
        return bad(r, at, "the field's name is not UTF-8");
    if (r->p == at) return bad(r, at, "a field's name is expected");
    if (r->p == r->end || *r->p != '=') return bad(r, r->p, "'=' is expected behind a field's name");
    at = ++r->p;
    if (at < r->end && *at == '"') {
        r->p++;
        f->type = LP_STRING;
        if (!take_string(r, &f->s, &why)) return bad(r, at, why);
    } else if ((why = take_plain(r, f))) {
        return bad(r, at, why);
    }
    return ends_value(r, r->p) ? LP_POINT : bad(r, r->p, "',', a blank or the line's end is expected behind a value");
}

// The time at r->p, and what may follow.
static LpGot take_time(LineProto *r, LpPoint *out) {
    const char *at = r->p;
    bool minus = at < r->end && *at == '-';
    uint64_t v = 0;
    r->p += minus;
    const char *digits = r->p;
    bool fits = take_digits(&r->p, r->end, &v) && v <= (uint64_t)INT64_MAX + minus;
    if (fits && r->p == digits) return bad(r, at, "a timestamp is expected");
    int64_t t = minus ? (int64_t)(0 - v) : (int64_t)v;
    if (!fits || __builtin_mul_overflow(t, r->unit_ns, &t)) return bad(r, at, "the timestamp is out of range");
    out->has_time = true;
    out->time_ns = t;
    skip_spaces(r);
    return take_eol(r) ? LP_POINT : bad(r, r->p, "the line's end is expected behind the timestamp");
}

LpGot lineproto_rest(LineProto *r, LpPoint *out) {
    int32_t n = 0;
    if (r->p == r->end || *r->p != ' ') return bad(r, r->p, "a blank and a field are expected");
    skip_spaces(r);
    for (;;) {
        if (n == LP_FIELDS_MAX) return bad_as(r, ERR_LIMIT, r->p, "more fields than a point may have");
        if (take_field(r, field_add(r, n)) != LP_POINT) return LP_BAD;
        n++;
        if (r->p == r->end || *r->p != ',') break;
        r->p++;
    }
    out->fields = r->fields;
    out->field_count = n;
    out->line = r->point_line;
    skip_spaces(r);
    out->has_time = false;
    out->time_ns = r->default_ns;
    if (take_eol(r)) return LP_POINT;
    return take_time(r, out);
}

LpGot lineproto_next(LineProto *r, LpPoint *out) {
    Str head;
    LpGot got = lineproto_head(r, &head);
    if (got == LP_POINT) got = lineproto_tags(r, head, out);
    return got == LP_POINT ? lineproto_rest(r, out) : got;
}
