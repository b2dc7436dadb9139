// SPDX-License-Identifier: Apache-2.0
// Writing and comparing values. Recursion is as deep as the value: JSON_DEPTH_CAP levels of small frames.
#include <math.h>
#include <stdlib.h>
#include "base/mem.h"
#include "codec/json_lex.h"

static void put_control(Buf *b, char c) {
    static const char hex[] = "0123456789abcdef";
    static const char short_of[0x20] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if ((uint8_t)c >= 0x20) { // '"' or '\'
        buf_put(b, (char[]){'\\', c}, 2);
    } else if (short_of[(uint8_t)c]) {
        buf_put(b, (char[]){'\\', short_of[(uint8_t)c]}, 2);
    } else {
        buf_put(b, (char[]){'\\', 'u', '0', '0', hex[(uint8_t)c >> 4], hex[c & 15]}, 6);
    }
}

// The bytes beyond ASCII at p; returns behind them.
static const char *put_beyond_ascii(Buf *b, const char *p, const char *end) {
    const char *from = p;
    while (p < end && (uint8_t)*p >= 0x80) {
        int n = str_utf8_size(p, end);
        if (!n) break;
        p += n;
    }
    buf_put(b, from, p - from);
    if (p < end && (uint8_t)*p >= 0x80) {
        buf_put(b, "\xEF\xBF\xBD", 3);
        p++;
    }
    return p;
}

static void put_str_escaped(Buf *b, const char *start, const char *end) {
    buf_byte(b, '"');
    for (const char *p = start; p < end;) {
        const char *hit = lex_plain(start, p, end);
        buf_put(b, p, hit - p);
        if (hit == end) break;
        if ((uint8_t)*hit >= 0x80) {
            p = put_beyond_ascii(b, hit, end);
        } else {
            put_control(b, *hit);
            p = hit + 1;
        }
    }
    buf_byte(b, '"');
}

void json_put_str(Buf *b, Str s) {
    const char *start = s.n ? s.p : "", *end = start + s.n;
    if (lex_plain(start, start, end) < end) {
        put_str_escaped(b, start, end);
    } else if (buf_reserve(b, s.n + 2)) { // the usual: as it is
        char *w = b->p + b->n;
        w[0] = '"';
        memcpy(w + 1, start, (size_t)s.n);
        w[s.n + 1] = '"';
        b->n += s.n + 2;
    }
}

void json_put_i64(Buf *b, int64_t v) {
    char text[DECIMAL_TEXT_MAX];
    buf_put(b, text, decimal_print_i64(v, text));
}

void json_put_f64(Buf *b, double v) {
    char text[DECIMAL_TEXT_MAX];
    if (!isfinite(v)) buf_put(b, "null", 4);
    else buf_put(b, text, decimal_print_f64(v, text));
}

static void put_scalar(Buf *b, const Json *v) {
    switch (v->type) {
    case JSON_NULL: buf_put(b, "null", 4); break;
    case JSON_FALSE: buf_put(b, "false", 5); break;
    case JSON_TRUE: buf_put(b, "true", 4); break;
    case JSON_STRING:
        if (v->raw.n && v->raw.p + 1 == v->s.p) buf_str_put(b, v->raw); // had no escapes: as it came
        else json_put_str(b, v->s);
        break;
    default:
        if (v->raw.n) buf_str_put(b, v->raw);
        else if (v->type == JSON_INT) json_put_i64(b, v->i);
        else json_put_f64(b, v->d);
    }
}

// A line break and two blanks a level; nothing when level < 0 (compact).
static void put_break(Buf *b, int level) {
    if (level < 0) return;
    buf_byte(b, '\n');
    for (int i = 0; i < level; i++) buf_put(b, "  ", 2);
}

// level: of v itself, or -1 for compact.
static void put_value(Buf *b, const Json *v, int level) {
    if (v->type < JSON_ARRAY) {
        put_scalar(b, v);
        return;
    }
    bool object = v->type == JSON_OBJECT;
    int inner = level < 0 ? -1 : level + 1;
    buf_byte(b, object ? '{' : '[');
    for (int32_t i = 0; i < v->count; i++) {
        if (i) buf_byte(b, ',');
        put_break(b, inner);
        if (object) {
            json_put_str(b, v->members[i].key);
            buf_put(b, ": ", level < 0 ? 1 : 2);
        }
        put_value(b, object ? &v->members[i].value : &v->items[i], inner);
    }
    if (v->count) put_break(b, level);
    buf_byte(b, object ? '}' : ']');
}

void json_put(Buf *b, const Json *v) { put_value(b, v, -1); }
void json_put_pretty(Buf *b, const Json *v, int indent) { put_value(b, v, indent < 0 ? 0 : indent); }

// ---- equality ----

static bool numbers_equal(const Json *a, const Json *b) {
    if (a->type == b->type) return a->type == JSON_INT ? a->i == b->i : a->d == b->d;
    int64_t i = a->type == JSON_INT ? a->i : b->i;
    double d = a->type == JSON_INT ? b->d : a->d;
    return d >= -0x1p63 && d < 0x1p63 && (int64_t)d == i && (double)(int64_t)d == d;
}

static int member_order(const void *pa, const void *pb) {
    const JsonMember *a = *(const JsonMember *const *)pa, *b = *(const JsonMember *const *)pb;
    int c = str_cmp(a->key, b->key);
    return c ? c : (a > b) - (a < b);
}

// Members by key, of equal keys the last only. Returns how many.
static int32_t sorted_members(const Json *v, const JsonMember **out) {
    int32_t n = 0;
    for (int32_t i = 0; i < v->count; i++) out[i] = &v->members[i];
    qsort(out, (size_t)v->count, sizeof *out, member_order);
    for (int32_t i = 0; i < v->count; i++) {
        if (n && str_eq(out[n - 1]->key, out[i]->key)) n--;
        out[n++] = out[i];
    }
    return n;
}

static bool objects_equal_unordered(const Json *a, const Json *b) {
    const JsonMember **ma = mem_alloc((size_t)a->count * sizeof *ma), **mb = mem_alloc((size_t)b->count * sizeof *mb);
    int32_t n = sorted_members(a, ma);
    bool same = sorted_members(b, mb) == n;
    for (int32_t i = 0; i < n && same; i++) {
        same = str_eq(ma[i]->key, mb[i]->key) && json_equal(&ma[i]->value, &mb[i]->value);
    }
    mem_free(ma);
    mem_free(mb);
    return same;
}

static bool objects_equal(const Json *a, const Json *b) {
    bool dup = a->dup || b->dup;
    if (!dup && a->count != b->count) return false;
    if (!dup) {
        int32_t i = 0;
        while (i < a->count && str_eq(a->members[i].key, b->members[i].key)) i++;
        if (i < a->count) return objects_equal_unordered(a, b);
        for (i = 0; i < a->count; i++) {
            if (!json_equal(&a->members[i].value, &b->members[i].value)) return false;
        }
        return true;
    }
    return objects_equal_unordered(a, b);
}

static bool arrays_equal(const Json *a, const Json *b) {
    if (a->count != b->count) return false;
    for (int32_t i = 0; i < a->count; i++) {
        if (!json_equal(&a->items[i], &b->items[i])) return false;
    }
    return true;
}

bool json_equal(const Json *a, const Json *b) {
    if (json_is_number(a) && json_is_number(b)) return numbers_equal(a, b);
    if (a->type != b->type) return false;
    switch (a->type) {
    case JSON_STRING: return str_eq(a->s, b->s);
    case JSON_ARRAY: return arrays_equal(a, b);
    case JSON_OBJECT: return objects_equal(a, b);
    default: return true;
    }
}
