// SPDX-License-Identifier: Apache-2.0
#include "cli/when.h"
#include <time.h>
#include "base/time.h"

// "14:00" and "14:00:30" to seconds of the day.
static bool parse_clock(Str s, int *hour, int *minute, int *second) {
    int64_t h, m, sec = 0;
    Str hh = str_cut(&s, ':'), mm = str_cut(&s, ':');
    bool two = hh.n >= 1 && hh.n <= 2 && mm.n == 2 && (s.n == 0 || s.n == 2);
    if (!two || !str_to_i64(hh, &h) || !str_to_i64(mm, &m) || (s.n && !str_to_i64(s, &sec))) return false;
    if (h < 0 || h > 23 || m < 0 || m > 59 || sec < 0 || sec > 59) return false;
    *hour = (int)h;
    *minute = (int)m;
    *second = (int)sec;
    return true;
}

// Seconds by which local time is ahead of UTC.
static int64_t offset_at(int64_t seconds) {
    time_t at = (time_t)seconds;
    struct tm t;
    return localtime_r(&at, &t) ? (int64_t)t.tm_gmtoff : 0;
}

bool when_parse(Str s, int64_t now, int64_t *out) {
    Str rest = s, day = str_cut(&rest, ' ');
    bool today = str_eq_nocase(day, STR("today")), yesterday = str_eq_nocase(day, STR("yesterday"));
    if (!today && !yesterday) return time_parse_when(s, now, out);
    int hour = 0, minute = 0, second = 0;
    rest = str_trim(rest);
    if (rest.n && !parse_clock(rest, &hour, &minute, &second)) return false;
    int64_t local = now / NS_PER_S + offset_at(now / NS_PER_S);
    int64_t wall = (local / 86400 - yesterday) * 86400 + hour * 3600 + minute * 60 + second;
    int64_t at = wall - offset_at(wall); // near enough to tell whether the clocks have been changed by then
    *out = (wall - offset_at(at)) * NS_PER_S;
    return true;
}
