// SPDX-License-Identifier: Apache-2.0
#include "model/text.h"
#include <stdint.h>

static bool digit(char c) { return c >= '0' && c <= '9'; }

// `count` digits at offset `at`, as a number; -1 when they are not there.
static int digits(Str s, int64_t at, int count) {
    if (at + count > s.n) return -1;
    int v = 0;
    for (int i = 0; i < count; i++) {
        char c = s.p[at + i];
        if (!digit(c)) return -1;
        v = v * 10 + (c - '0');
    }
    return v;
}

static bool char_at(Str s, int64_t at, char c) { return at < s.n && s.p[at] == c; }

bool date_ok(Str s) {
    static const int8_t DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y = digits(s, 0, 4), m = digits(s, 5, 2), d = digits(s, 8, 2);
    if (s.n != 10 || !char_at(s, 4, '-') || !char_at(s, 7, '-') || y < 1 || m < 1 || m > 12 || d < 1) return false;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return d <= DAYS[m - 1] + (m == 2 && leap);
}

bool time_of_day_ok(Str s) {
    int h = digits(s, 0, 2), m = digits(s, 3, 2), sec = digits(s, 6, 2);
    if (h < 0 || h > 23 || m < 0 || m > 59 || sec < 0 || sec > 59 || !char_at(s, 2, ':') || !char_at(s, 5, ':'))
        return false;
    int64_t i = 8;
    if (char_at(s, i, '.')) {
        int64_t start = ++i;
        while (i < s.n && digit(s.p[i])) i++;
        if (i == start) return false;
    }
    if (char_at(s, i, 'Z')) return i + 1 == s.n;
    if (!char_at(s, i, '+') && !char_at(s, i, '-')) return false;
    int oh = digits(s, i + 1, 2), om = digits(s, i + 4, 2);
    return i + 6 == s.n && char_at(s, i + 3, ':') && oh >= 0 && oh <= 23 && om >= 0 && om <= 59;
}

bool date_time_ok(Str s) {
    return s.n > 11 && s.p[10] == 'T' && date_ok(str_sub(s, 0, 10)) && time_of_day_ok(str_sub(s, 11, s.n));
}

// "<number><letter>" again and again, letters in the order of `letters`. A fraction is set in *fraction and ends it.
static bool parts_ok(Str s, const char *letters, bool *fraction) {
    for (int64_t i = 0; i < s.n; i++) {
        int64_t start = i;
        if (*fraction) return false;
        while (i < s.n && digit(s.p[i])) i++;
        if (i == start) return false;
        if (char_at(s, i, '.')) {
            int64_t dot = i++;
            while (i < s.n && digit(s.p[i])) i++;
            if (i == dot + 1) return false;
            *fraction = true;
        }
        if (i == s.n) return false;
        while (*letters && *letters != s.p[i]) letters++;
        if (!*letters++) return false;
    }
    return true;
}

bool duration_ok(Str s) {
    if (s.n < 3 || s.p[0] != 'P') return false;
    int64_t t = str_find(s, 'T', 0);
    Str date = str_sub(s, 1, t < 0 ? s.n : t), time = t < 0 ? STR("") : str_sub(s, t + 1, s.n);
    if (t >= 0 && time.n == 0) return false;
    bool fraction = false, weeks = str_find(date, 'W', 0) >= 0;
    return parts_ok(date, weeks ? "WD" : "YMD", &fraction) &&
           (t < 0 || (!fraction && parts_ok(time, "HMS", &fraction)));
}

bool decimal_ok(Str s) {
    int64_t i = s.n > 0 && (s.p[0] == '+' || s.p[0] == '-');
    if (i >= s.n || !digit(s.p[i])) return false;
    if (s.p[i] == '0') i++;
    else
        while (i < s.n && digit(s.p[i])) i++;
    if (i == s.n) return true;
    if (s.p[i] != '.') return false;
    for (i++; i < s.n; i++)
        if (!digit(s.p[i])) return false;
    return true;
}

bool uuid_ok(Str s) {
    if (s.n != 36) return false;
    for (int64_t i = 0; i < 36; i++) {
        char c = s.p[i];
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (hyphen ? c != '-' : !hex) return false;
    }
    return true;
}

bool base64_ok(Str s) {
    if (s.n % 4) return false;
    int64_t pad = 0;
    while (pad < 2 && pad < s.n && s.p[s.n - 1 - pad] == '=') pad++;
    for (int64_t i = 0; i < s.n - pad; i++) {
        char c = s.p[i];
        if (!digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '+' && c != '/') return false;
    }
    return true;
}
