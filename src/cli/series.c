// SPDX-License-Identifier: Apache-2.0
#include "cli/series.h"
#include "base/time.h"
#include "codec/json.h"

int32_t series_column(const CsvRow *header, Str name) {
    for (int32_t i = 0; i < header->count; i++) {
        if (str_eq(str_trim(header->fields[i]), name)) return i;
    }
    int64_t number;
    if (str_to_i64(name, &number) && number >= 1 && number <= header->count) return (int32_t)number - 1;
    return -1;
}

static bool unix_time(Str s, int64_t *out) {
    int64_t v;
    double d;
    if (str_to_i64(s, &v)) {
        int64_t size = v < 0 ? -v : v; // 1e11 s is the year 5138, 1e11 ms is 1973
        int64_t unit = size < 100000000000         ? NS_PER_S
                       : size < 100000000000000    ? NS_PER_MS
                       : size < 100000000000000000 ? 1000
                                                   : 1;
        return !__builtin_mul_overflow(v, unit, out);
    }
    if (!str_to_f64(s, &d) || d < -9e9 || d > 9e9) return false;
    *out = (int64_t)(d * 1e9);
    return true;
}

bool series_time(Str s, int64_t *out) {
    s = str_trim(s);
    if (time_parse(s, out) || unix_time(s, out)) return true;
    char text[48];
    if (s.n < 10 || s.n > 40) return false;
    memcpy(text, s.p, (size_t)s.n);
    int64_t n = s.n;
    if (n == 10) {
        memcpy(text + n, "T00:00:00", 9);
        n += 9;
    }
    if (text[10] == ' ') text[10] = 'T';
    if (n == 16) {
        memcpy(text + n, ":00", 3);
        n += 3;
    }
    text[n++] = 'Z';
    return time_parse((Str){text, n}, out);
}

// A number that JSON spells the same way.
static bool is_json_number(Str s) {
    JsonScan scan;
    JsonToken t;
    json_scan_init(&scan, s);
    return json_scan_value(&scan, &t) && (t.type == JSON_INT || t.type == JSON_DOUBLE) && json_scan_end(&scan);
}

void series_value(Str cell, bool as_text, Buf *out) {
    Str s = str_trim(cell);
    double d;
    if (as_text) json_put_str(out, cell);
    else if (is_json_number(s)) buf_str_put(out, s);
    else if (str_to_f64(s, &d)) json_put_f64(out, d); // "+5", ".5", "007"
    else if (str_eq_nocase(s, STR("true"))) buf_str_put(out, STR("true"));
    else if (str_eq_nocase(s, STR("false"))) buf_str_put(out, STR("false"));
    else json_put_str(out, cell);
}
