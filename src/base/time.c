// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"
#include <string.h>
#include <time.h>
#include "base/check.h"

static int64_t clock_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t time_now_ns(void) { return clock_ns(CLOCK_REALTIME); }
int64_t time_mono_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

// Howard Hinnant, "chrono-compatible low-level date algorithms", 2013: days_from_civil and civil_from_days.
int64_t time_days(int32_t year, int32_t month, int32_t day) {
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void time_civil(int64_t days, int32_t *year, int32_t *month, int32_t *day) {
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int32_t)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int32_t)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int32_t)(yoe + era * 400 + (*month <= 2));
}

static bool digits(Str s, int64_t at, int n, int32_t *out) {
    int32_t v = 0;
    if (at + n > s.n) return false;
    for (int i = 0; i < n; i++) {
        char c = s.p[at + i];
        if (c < '0' || c > '9') return false;
        v = v * 10 + (c - '0');
    }
    *out = v;
    return true;
}

static bool is(Str s, int64_t at, char c) { return at < s.n && s.p[at] == c; }

static bool month_ok(int32_t y, int32_t m, int32_t d) {
    static const int8_t len[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return m >= 1 && m <= 12 && d >= 1 && d <= len[m - 1] + (m == 2 && leap);
}

// The part behind the seconds: fraction, then Z or an offset. Returns false when anything is left over.
static bool parse_tail(Str s, int64_t at, int32_t *frac_ns, int64_t *offset_s) {
    *frac_ns = 0;
    *offset_s = 0;
    if (is(s, at, '.')) {
        int32_t scale = 100000000;
        int64_t first = ++at;
        for (; at < s.n && s.p[at] >= '0' && s.p[at] <= '9'; at++, scale /= 10) *frac_ns += (s.p[at] - '0') * scale;
        if (at == first) return false;
    }
    if (is(s, at, 'Z') || is(s, at, 'z')) return at + 1 == s.n;
    int32_t h, m;
    if (!is(s, at, '+') && !is(s, at, '-')) return false;
    if (!digits(s, at + 1, 2, &h) || !is(s, at + 3, ':') || !digits(s, at + 4, 2, &m) || at + 6 != s.n) return false;
    if (h > 23 || m > 59) return false;
    *offset_s = (s.p[at] == '-' ? -1 : 1) * ((int64_t)h * 3600 + (int64_t)m * 60);
    return true;
}

bool time_parse(Str s, int64_t *out) {
    int32_t y, mo, d, h, mi, sec, frac;
    int64_t offset;
    if (!digits(s, 0, 4, &y) || !is(s, 4, '-') || !digits(s, 5, 2, &mo) || !is(s, 7, '-') || !digits(s, 8, 2, &d))
        return false;
    if (!(is(s, 10, 'T') || is(s, 10, 't') || is(s, 10, ' '))) return false;
    if (!digits(s, 11, 2, &h) || !is(s, 13, ':') || !digits(s, 14, 2, &mi) || !is(s, 16, ':')) return false;
    if (!digits(s, 17, 2, &sec) || !parse_tail(s, 19, &frac, &offset)) return false;
    if (y < 1678 || y > 2261 || !month_ok(y, mo, d) || h > 23 || mi > 59 || sec > 59) return false;
    *out = (time_days(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - offset) * NS_PER_S + frac;
    return true;
}

static void put2(char *at, int32_t v) {
    at[0] = (char)('0' + v / 10);
    at[1] = (char)('0' + v % 10);
}

void time_print(int64_t ns, int fraction, Buf *out) {
    CHECK(fraction >= 0 && fraction <= 9);
    int64_t s = ns / NS_PER_S;
    int32_t frac = (int32_t)(ns % NS_PER_S), year, month, day;
    if (frac < 0) s--, frac += (int32_t)NS_PER_S;
    int64_t days = s / 86400;
    int32_t rest = (int32_t)(s % 86400);
    if (rest < 0) days--, rest += 86400;
    time_civil(days, &year, &month, &day);
    char t[] = "0000-00-00T00:00:00.000000000Z";
    put2(t, year / 100);
    put2(t + 2, year % 100);
    put2(t + 5, month);
    put2(t + 8, day);
    put2(t + 11, rest / 3600);
    put2(t + 14, rest / 60 % 60);
    put2(t + 17, rest % 60);
    if (fraction) {
        t[20] = (char)('0' + frac / 100000000);
        for (int i = 3; i >= 0; i--, frac /= 100) put2(t + 21 + 2 * i, frac % 100);
    }
    int n = fraction > 0 ? 20 + fraction : 19;
    t[n] = 'Z';
    buf_put(out, t, n + 1);
}

bool time_parse_duration(Str s, int64_t *out) {
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"ns", 1},
                 {"us", 1000},
                 {"ms", NS_PER_MS},
                 {"s", NS_PER_S},
                 {"m", 60 * NS_PER_S},
                 {"h", 3600 * NS_PER_S},
                 {"d", 86400 * NS_PER_S},
                 {"w", 7 * 86400 * NS_PER_S}};
    int64_t i = 0, v;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') i++;
    if (!str_to_i64(str_sub(s, 0, i), &v)) return false;
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        if (!str_eq(str_sub(s, i, s.n), str_of(units[u].unit))) continue;
        int64_t ns;
        if (__builtin_mul_overflow(v, units[u].ns, &ns)) return false;
        *out = ns;
        return true;
    }
    return false;
}

// One number with its unit at *i; `units` are those that may still come, in their order.
static bool period_part(Str s, int64_t *i, const char **units, bool time, int64_t *sum) {
    int64_t whole = 0, part, digits = 0, fraction = 0, scale = NS_PER_S;
    for (; *i < s.n && s.p[*i] >= '0' && s.p[*i] <= '9'; ++*i, digits++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, s.p[*i] - '0', &whole))
            return false;
    bool point = *i < s.n && (s.p[*i] == '.' || s.p[*i] == ',');
    for (*i += point; point && *i < s.n && s.p[*i] >= '0' && s.p[*i] <= '9'; ++*i) {
        scale /= 10;
        fraction += (s.p[*i] - '0') * scale;
    }
    const char *unit = *i < s.n ? strchr(*units, s.p[*i]) : NULL;
    if (!digits || !unit || !*unit || (point && !(time && *unit == 'S')) || (point && scale == NS_PER_S)) return false;
    static const int64_t seconds[] = {['Y'] = 365 * 86400, ['W'] = 7 * 86400, ['D'] = 86400, ['H'] = 3600, ['S'] = 1};
    int64_t each = *unit == 'M' ? (time ? 60 : 30 * 86400) : seconds[(int)*unit];
    *units = unit + 1;
    ++*i;
    return !__builtin_mul_overflow(whole, each * NS_PER_S, &part) && !__builtin_add_overflow(*sum, part, sum) &&
           !__builtin_add_overflow(*sum, fraction, sum);
}

bool time_parse_period(Str s, int64_t *out) {
    const char *days = "YMWD", *times = "HMS";
    int64_t i = 1, sum = 0;
    if (s.n < 3 || s.p[0] != 'P') return false;
    while (i < s.n && s.p[i] != 'T')
        if (!period_part(s, &i, &days, false, &sum)) return false;
    if (i < s.n && ++i == s.n) return false;
    while (i < s.n)
        if (!period_part(s, &i, &times, true, &sum)) return false;
    *out = sum;
    return true;
}

// "2026-11-01" and "2026-11-01T08:00Z" (or an offset), by putting in what is missing.
static bool parse_short(Str s, int64_t *out) {
    Str tail = s.n == 10 ? STR("T00:00:00Z") : STR(":00");
    char text[32];
    if (s.n == 10) {
        memcpy(text, s.p, 10);
        memcpy(text + 10, tail.p, (size_t)tail.n);
        return time_parse((Str){text, 10 + tail.n}, out);
    }
    if (s.n < 17 || s.n > 22 || is(s, 16, ':') || is(s, 16, '.')) return false;
    memcpy(text, s.p, 16);
    memcpy(text + 16, tail.p, (size_t)tail.n);
    memcpy(text + 19, s.p + 16, (size_t)(s.n - 16));
    return time_parse((Str){text, s.n + tail.n}, out);
}

bool time_parse_when(Str s, int64_t now, int64_t *out) {
    int64_t ns;
    if (str_eq(s, STR("now"))) {
        *out = now;
        return true;
    }
    if (s.n && s.p[0] == '-') {
        if (!time_parse_duration(str_sub(s, 1, s.n), &ns) || __builtin_sub_overflow(now, ns, &ns)) return false;
        *out = ns;
        return true;
    }
    return time_parse(s, out) || parse_short(s, out);
}
