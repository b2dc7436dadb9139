// SPDX-License-Identifier: Apache-2.0
// Writing line protocol: what lineproto.c reads back as the same point.
#include <math.h>
#include "base/decimal.h"
#include "codec/lineproto.h"

// Text of which a tag's value can be made: not empty, UTF-8, no line ends, no '\' at the end (it would be taken for the
// escape of what follows).
static bool value_ok(Str s) {
    if (!s.n || s.p[s.n - 1] == '\\' || !str_utf8_ok(s)) return false;
    return str_find(s, '\n', 0) < 0 && str_find(s, '\r', 0) < 0;
}

// The same of a name: no control characters.
static bool name_ok(Str s) {
    for (int64_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f) return false;
    return value_ok(s);
}

static bool point_ok(const LpPoint *p) {
    if (!name_ok(p->name) || p->name.p[0] == '#' || p->field_count < 1) return false;
    for (int32_t i = 0; i < p->tag_count; i++)
        if (!name_ok(p->tags[i].key) || !value_ok(p->tags[i].value)) return false;
    for (int32_t i = 0; i < p->field_count; i++) {
        const LpField *f = &p->fields[i];
        if (!name_ok(f->key)) return false;
        if (f->type == LP_FLOAT && !isfinite(f->d)) return false;
        if (f->type == LP_STRING && !str_utf8_ok(f->s)) return false;
    }
    return true;
}

static void put_escaped(Buf *b, Str s, const char *set) {
    for (int64_t i = 0; i < s.n; i++) {
        if (s.p[i] && strchr(set, s.p[i])) buf_byte(b, '\\');
        buf_byte(b, s.p[i]);
    }
}

// The shortest digits, with an exponent below 1e-4 and from 1e6 on, as the reference encoder writes them.
static void put_float(Buf *b, double v) {
    char text[DECIMAL_TEXT_MAX];
    int n = decimal_print_f64(v, text);
    // Digits and the place of the point: value = 0.d1d2... * 10^point.
    char digits[DECIMAL_TEXT_MAX];
    int count = 0, point = 0;
    bool seen = false;
    const char *p = text, *end = text + n;
    if (*p == '-') p++;
    for (; p < end && *p != 'e'; p++) {
        if (*p == '.') {
            seen = true;
            continue;
        }
        if (count || *p != '0') digits[count++] = *p;
        if (!seen && count) point++;
        if (seen && !count) point--;
    }
    int64_t exponent = 0;
    if (p < end) {
        p++;
        if (*p == '+') p++;
        (void)str_to_i64((Str){p, end - p}, &exponent);
    }
    while (count && digits[count - 1] == '0') count--;
    int64_t e = count ? point + exponent - 1 : 0; // of the first digit
    if (e >= -4 && e < 6) {
        buf_put(b, text, n);
        return;
    }
    if (signbit(v)) buf_byte(b, '-');
    buf_byte(b, digits[0]);
    if (count > 1) {
        buf_byte(b, '.');
        buf_put(b, digits + 1, count - 1);
    }
    buf_printf(b, "e%c%02d", e < 0 ? '-' : '+', (int)(e < 0 ? -e : e));
}

static void put_value(Buf *b, const LpField *f) {
    char text[DECIMAL_TEXT_MAX];
    switch (f->type) {
    case LP_FLOAT: put_float(b, f->d); return;
    case LP_INT:
        buf_put(b, text, decimal_print_i64(f->i, text));
        buf_byte(b, 'i');
        return;
    case LP_UINT:
        buf_put(b, text, decimal_print_u64(f->u, text));
        buf_byte(b, 'u');
        return;
    case LP_BOOL: buf_str_put(b, f->b ? STR("true") : STR("false")); return;
    case LP_STRING:
        buf_byte(b, '"');
        put_escaped(b, f->s, "\"\\");
        buf_byte(b, '"');
        return;
    }
}

Err lineproto_put(Buf *b, const LpPoint *p, int64_t unit_ns) {
    if (!point_ok(p)) return ERR_ARGUMENT;
    put_escaped(b, p->name, ", ");
    for (int32_t i = 0; i < p->tag_count; i++) {
        buf_byte(b, ',');
        put_escaped(b, p->tags[i].key, ", =");
        buf_byte(b, '=');
        put_escaped(b, p->tags[i].value, ", =");
    }
    for (int32_t i = 0; i < p->field_count; i++) {
        buf_byte(b, i ? ',' : ' ');
        put_escaped(b, p->fields[i].key, ", =");
        buf_byte(b, '=');
        put_value(b, &p->fields[i]);
    }
    if (p->has_time) {
        char text[DECIMAL_TEXT_MAX];
        int64_t t = p->time_ns / unit_ns - (p->time_ns % unit_ns < 0);
        buf_byte(b, ' ');
        buf_put(b, text, decimal_print_i64(t, text));
    }
    buf_byte(b, '\n');
    return ERR_OK;
}
