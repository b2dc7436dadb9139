// SPDX-License-Identifier: Apache-2.0
// Times as sources write them.
#include <math.h>
#include "base/time.h"
#include "connect/map_rule.h"

typedef struct Pieces {
    int64_t year, month, day, hour, minute, second, ns, offset_s, yday, epoch;
    bool pm, has_pm, has_epoch;
} Pieces;

// Up to `most` digits, at least one.
static bool digits(Str *s, int most, int64_t *out) {
    int64_t v = 0;
    int n = 0;
    while (n < most && n < s->n && s->p[n] >= '0' && s->p[n] <= '9') v = v * 10 + (s->p[n++] - '0');
    if (!n) return false;
    *s = str_sub(*s, n, s->n);
    *out = v;
    return true;
}

static bool fraction(Str *s, int64_t *ns) {
    int64_t v = 0, scale = NS_PER_S;
    int n = 0;
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
        scale /= 10;
        v += scale * (s->p[n] - '0');
    }
    *s = str_sub(*s, n, s->n);
    *ns = v;
    return n > 0;
}

static bool month_name(Str *s, int64_t *month) {
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    if (s->n < 3) return false;
    for (int i = 0; i < 12; i++) {
        if (!str_eq_nocase(str_sub(*s, 0, 3), (Str){names + i * 3, 3})) continue;
        *s = str_sub(*s, 3, s->n);
        *month = i + 1;
        return true;
    }
    return false;
}

// "Z", "+01:00", "-0530".
static bool zone(Str *s, int64_t *offset_s) {
    int64_t h = 0, m = 0;
    if (!s->n) return false;
    char sign = s->p[0];
    *s = str_sub(*s, 1, s->n);
    if (sign == 'Z' || sign == 'z') return true;
    if ((sign != '+' && sign != '-') || !digits(s, 2, &h)) return false;
    if (s->n && s->p[0] == ':') *s = str_sub(*s, 1, s->n);
    if (!digits(s, 2, &m)) m = 0;
    *offset_s = (sign == '-' ? -1 : 1) * (h * 3600 + m * 60);
    return h < 24 && m < 60;
}

static bool epoch(Str *s, Pieces *t) {
    t->has_epoch = true;
    return digits(s, 12, &t->epoch);
}

static bool half(Str *s, Pieces *t) {
    if (s->n < 2 || (s->p[1] | 0x20) != 'm') return false;
    char c = (char)(s->p[0] | 0x20);
    t->has_pm = true;
    t->pm = c == 'p';
    *s = str_sub(*s, 2, s->n);
    return c == 'a' || c == 'p';
}

static bool two_digit_year(Str *s, int64_t *year) {
    if (!digits(s, 2, year)) return false;
    *year += *year < 69 ? 2000 : 1900;
    return true;
}

static bool piece(char what, Str *s, Pieces *t) {
    switch (what) {
    case 'Y': return digits(s, 4, &t->year);
    case 'y': return two_digit_year(s, &t->year);
    case 'm': return digits(s, 2, &t->month);
    case 'b': return month_name(s, &t->month);
    case 'd': return digits(s, 2, &t->day);
    case 'j': return digits(s, 3, &t->yday);
    case 'H':
    case 'I': return digits(s, 2, &t->hour);
    case 'M': return digits(s, 2, &t->minute);
    case 'S': return digits(s, 2, &t->second);
    case 'f': return fraction(s, &t->ns);
    case 'p': return half(s, t);
    case 'z': return zone(s, &t->offset_s);
    case 's': return epoch(s, t);
    case '%':
        if (!s->n || s->p[0] != '%') return false;
        *s = str_sub(*s, 1, s->n);
        return true;
    default: return false;
    }
}

static bool in_range(const Pieces *t) {
    static const int8_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (t->year < 1678 || t->year > 2261 || t->month < 1 || t->month > 12) return false;
    if (t->day < 1 || t->day > lengths[t->month - 1] || t->yday > 366) return false;
    return t->hour < 24 && t->minute < 60 && t->second < 61;
}

char map_time_unknown(Str format) {
    for (int64_t i = 0; i + 1 < format.n; i++) {
        if (format.p[i] != '%') continue;
        char c = format.p[++i];
        if (!c || !strchr("YymbdjHIMSfpzs%", c)) return c ? c : ' ';
    }
    return 0;
}

bool map_time_text(Str format, Str s, int64_t *out) {
    Pieces t = {.year = 1970, .month = 1, .day = 1};
    for (int64_t i = 0; i < format.n; i++) {
        char c = format.p[i];
        if (c == '%' && i + 1 < format.n) {
            if (!piece(format.p[++i], &s, &t)) return false;
        } else if (!s.n || s.p[0] != c) {
            return false;
        } else {
            s = str_sub(s, 1, s.n);
        }
    }
    if (s.n) return false;
    if (t.has_pm && (t.hour < 1 || t.hour > 12)) return false;
    if (t.has_pm) t.hour = t.hour % 12 + (t.pm ? 12 : 0);
    int64_t seconds = t.epoch;
    if (!t.has_epoch) {
        if (!in_range(&t)) return false;
        int64_t days = time_days((int32_t)t.year, (int32_t)t.month, (int32_t)t.day);
        if (t.yday) days = time_days((int32_t)t.year, 1, 1) + t.yday - 1;
        seconds = days * 86400 + t.hour * 3600 + t.minute * 60 + t.second;
    }
    return !__builtin_mul_overflow(seconds - t.offset_s, NS_PER_S, out) && !__builtin_add_overflow(*out, t.ns, out);
}

// A number of units since 1970; whole numbers exactly.
static bool of_number(const JsonToken *t, int64_t unit_ns, int64_t *out) {
    if (t->type == JSON_INT) return !__builtin_mul_overflow(t->i, unit_ns, out);
    double whole = floor(t->d), ns = whole * (double)unit_ns;
    if (t->type != JSON_DOUBLE || !(fabs(ns) < 9.2e18)) return false;
    *out = (int64_t)whole * unit_ns + (int64_t)((t->d - whole) * (double)unit_ns + 0.5);
    return true;
}

// Seconds up to the year 5138, else milliseconds, microseconds, nanoseconds.
static int64_t guess(const JsonToken *t) {
    double v = fabs(t->d);
    return v < 1e11 ? NS_PER_S : v < 1e14 ? NS_PER_MS : v < 1e17 ? 1000 : 1;
}

static bool as_number(const JsonToken *t, Str text, JsonToken *out) {
    JsonScan scan;
    if (t->type != JSON_STRING) {
        *out = *t;
        return t->type == JSON_INT || t->type == JSON_DOUBLE;
    }
    json_scan_init(&scan, text);
    return json_scan_value(&scan, out) && json_scan_end(&scan) && (out->type == JSON_INT || out->type == JSON_DOUBLE);
}

bool rule_time(const Rule *r, const JsonToken *t, Arena *scratch, int64_t *out) {
    static const int64_t units[] = {[TIME_S] = NS_PER_S, [TIME_MS] = NS_PER_MS, [TIME_US] = 1000, [TIME_NS] = 1};
    Str text = t->type == JSON_STRING ? json_unescape(scratch, *t) : t->raw;
    JsonToken number;
    switch (r->time_format) {
    case TIME_TEXT: return map_time_text(r->time_text, text, out);
    case TIME_RFC3339: return t->type == JSON_STRING && time_parse(text, out);
    case TIME_AUTO:
        if (t->type == JSON_STRING && time_parse(text, out)) return true;
        return as_number(t, text, &number) && of_number(&number, guess(&number), out);
    default: return as_number(t, text, &number) && of_number(&number, units[r->time_format], out);
    }
}
