// SPDX-License-Identifier: Apache-2.0
#include "serve/step.h"
#include "base/time.h"

// One "15M" of a duration. False: no number, no such unit here, or too much in all.
static bool add_part(Str number, char unit, bool time, int64_t *all) {
    static const char units[] = "WDHMS";
    static const int64_t ns[] = {7 * 86400 * NS_PER_S, 86400 * NS_PER_S, 3600 * NS_PER_S, 60 * NS_PER_S, NS_PER_S};
    const char *u = strchr(units, unit);
    double d;
    if (!unit || !u || (u - units <= 1) == time || !str_to_f64(number, &d) || d < 0) return false;
    d *= (double)ns[u - units];
    return d < 9e18 && !__builtin_add_overflow(*all, (int64_t)(d + 0.5), all);
}

static bool is_number(char c) { return (c >= '0' && c <= '9') || c == '.'; }

bool step_parse(Str s, int64_t *out) {
    int64_t all = 0, from = 1;
    bool time = false;
    if (!s.n || s.p[0] != 'P') {
        if (!time_parse_duration(s, &all) || all <= 0) return false;
        *out = all;
        return true;
    }
    for (int64_t i = 1; i < s.n; i++) {
        if (is_number(s.p[i])) continue;
        if (s.p[i] == 'T' && !time && from == i) time = true;
        else if (!add_part(str_sub(s, from, i), s.p[i], time, &all)) return false;
        from = i + 1;
    }
    if (from < s.n || all <= 0) return false; // a number without unit; nothing at all
    *out = all;
    return true;
}
