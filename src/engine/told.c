// SPDX-License-Identifier: Apache-2.0
#include "engine/told.h"
#include <math.h>
#include "base/figure.h"
#include "base/time.h"
#include "codec/json.h"
#include "model/units.h"

#define TEXT_SHOWN 80 // bytes of a text

void told_span(int64_t ns, Buf *b) {
    static const struct {
        int64_t ns;
        const char *name;
    } units[] = {{INT64_C(86400000000000), "d"}, {INT64_C(3600000000000), "h"}, {INT64_C(60000000000), "min"}};
    int64_t left = ns;
    for (size_t i = 0; i < 3; i++) {
        if (left < units[i].ns) continue;
        buf_printf(b, "%s%lld %s", left == ns ? "" : " ", (long long)(left / units[i].ns), units[i].name);
        left %= units[i].ns;
    }
    if (left || !ns) buf_printf(b, "%s%g s", left == ns ? "" : " ", (double)left / 1e9);
}

void told_period(int64_t ns, Buf *b) {
    buf_printf(b, "PT%lld", (long long)(ns / NS_PER_S));
    if (ns % NS_PER_S) buf_printf(b, ".%09lld", (long long)(ns % NS_PER_S));
    buf_byte(b, 'S');
}

void told_text(Str s, Buf *b) {
    int64_t n = s.n > TEXT_SHOWN ? TEXT_SHOWN : s.n;
    while (n < s.n && n > 0 && ((uint8_t)s.p[n] & 0xC0) == 0x80) n--;
    buf_str_put(b, str_sub(s, 0, n));
    if (n < s.n) buf_str_put(b, STR("\xE2\x80\xA6"));
}

void told_value(const Json *v, Buf *b) {
    if (!v || v->type == JSON_NULL) buf_str_put(b, STR("no value"));
    else if (v->type == JSON_STRING && !v->s.n) buf_str_put(b, STR("\"\""));
    else if (v->type == JSON_STRING) told_text(v->s, b);
    else json_put(b, v);
}

void told_planned(const PlannedChange *p, Buf *b) {
    if (p->at_ns) {
        buf_str_put(b, STR("after "));
        told_span(p->at_ns, b);
        buf_str_put(b, STR(": "));
    }
    buf_printf(b, "%.*s.%.*s = ", STR_ARG(p->twin), STR_ARG(p->property));
    told_value(p->value, b);
}

// ---- numbers ------------------------------------------------------------------------------------------------------

void told_within(double v, double half, Buf *out) {
    if (!(half > 0) || !isfinite(v) || fabs(v) >= 1e12 || half < 1e-7) {
        told_number(v, out);
        return;
    }
    int decimals = 1 - (int)floor(log10(half));
    figure_decimals(v, decimals < 0 ? 0 : decimals > 8 ? 8 : decimals, false, out);
}

void told_number(double v, Buf *out) { figure_digits(v, 5, out); }

Str told_unit(Str unit) {
    const Unit *u = unit_find(unit);
    return u && u->symbol[0] ? str_of(u->symbol) : u && u->family == FAM_UNITLESS ? (Str){0} : unit;
}

// ---- documents ----------------------------------------------------------------------------------------------------

void told_escape(Str s, Buf *out) {
    for (int64_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        switch (ch) {
        case '<': buf_str_put(out, STR("&lt;")); break;
        case '>': buf_str_put(out, STR("&gt;")); break;
        case '&': buf_str_put(out, STR("&amp;")); break;
        case '"': buf_str_put(out, STR("&quot;")); break;
        case '\'': buf_str_put(out, STR("&#39;")); break;
        default:
            if (ch >= ' ' || ch == '\n' || ch == '\t') buf_byte(out, (char)ch);
            else buf_str_put(out, STR("\xEF\xBF\xBD")); // no character of XML
        }
    }
}

void told_when(int64_t ns, Buf *out) {
    int64_t at = out->n;
    time_print(ns, 0, out);
    if (out->full || out->n - at < 20) return;
    out->p[at + 10] = ' ';
    out->n--; // its Z
    buf_str_put(out, STR(" UTC"));
}
