// SPDX-License-Identifier: Apache-2.0
#include "cli/csv.h"
#include "base/time.h"
#include "codec/json.h"

static char guess_separator(Str text) {
    static const char candidates[] = {',', ';', '\t'};
    int64_t best = 0;
    char sep = ',';
    Str line = str_cut(&text, '\n');
    for (int32_t i = 0; i < 3; i++) {
        int64_t n = 0;
        for (int64_t at = str_find(line, candidates[i], 0); at >= 0; at = str_find(line, candidates[i], at + 1)) n++;
        if (n > best) best = n, sep = candidates[i];
    }
    return sep;
}

void csv_init(Csv *c, Str text, char separator) {
    if (str_starts(text, STR("\xEF\xBB\xBF"))) text = str_sub(text, 3, text.n);
    c->text = text;
    c->at = 0;
    c->line = 0;
    c->next_line = 1;
    c->count = 0;
    c->separator = separator ? separator : guess_separator(text);
}

// A quoted field; c->at is behind the opening quote. False: never closed.
static bool quoted(Csv *c, Arena *keep, Str *out) {
    int64_t start = c->at, doubled = 0;
    for (;; c->at++) {
        if (c->at >= c->text.n) return false;
        char ch = c->text.p[c->at];
        if (ch == '\n') c->next_line++;
        if (ch != '"') continue;
        if (c->at + 1 >= c->text.n || c->text.p[c->at + 1] != '"') break;
        doubled++;
        c->at++;
    }
    *out = str_sub(c->text, start, c->at++);
    if (!doubled) return true;
    char *p = arena_alloc(keep, 1, out->n - doubled, 1);
    int64_t n = 0;
    for (int64_t i = 0; i < out->n; i++) {
        p[n++] = out->p[i];
        if (out->p[i] == '"') i++;
    }
    *out = (Str){p, n};
    return true;
}

static Err field(Csv *c, Arena *keep, Str *out) {
    if (c->at < c->text.n && c->text.p[c->at] == '"') {
        c->at++;
        return quoted(c, keep, out) ? ERR_OK : ERR_SYNTAX;
    }
    int64_t start = c->at;
    while (c->at < c->text.n && c->text.p[c->at] != c->separator && c->text.p[c->at] != '\n') c->at++;
    *out = str_sub(c->text, start, c->at);
    bool at_end = c->at == c->text.n || c->text.p[c->at] == '\n';
    if (at_end && str_ends(*out, STR("\r"))) out->n--;
    return ERR_OK;
}

static void skip_empty_lines(Csv *c) {
    while (c->at < c->text.n) {
        Str rest = str_sub(c->text, c->at, c->text.n);
        int64_t n = str_starts(rest, STR("\r\n")) ? 2 : rest.p[0] == '\n';
        if (!n) return;
        c->at += n;
        c->next_line++;
    }
}

bool csv_next(Csv *c, Arena *keep, Err *err) {
    *err = ERR_OK;
    c->count = 0;
    skip_empty_lines(c);
    c->line = c->next_line;
    if (c->at >= c->text.n) return false;
    for (;;) {
        if (c->count == CSV_COLUMNS_MAX) return *err = ERR_LIMIT, false;
        if ((*err = field(c, keep, &c->fields[c->count++])) != ERR_OK) return false;
        if (c->at < c->text.n && c->text.p[c->at] == c->separator) {
            c->at++;
            continue;
        }
        if (str_starts(str_sub(c->text, c->at, c->text.n), STR("\r\n"))) c->at++;
        if (c->at < c->text.n && c->text.p[c->at] != '\n') return *err = ERR_SYNTAX, false;
        if (c->at < c->text.n) c->at++;
        c->next_line++;
        return true;
    }
}

int32_t csv_column(const Csv *header, Str name) {
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

bool csv_time(Str s, int64_t *out) {
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

void csv_value(Str cell, bool as_text, Buf *out) {
    Str s = str_trim(cell);
    double d;
    if (as_text) json_put_str(out, cell);
    else if (is_json_number(s)) buf_str_put(out, s);
    else if (str_to_f64(s, &d)) json_put_f64(out, d); // "+5", ".5", "007"
    else if (str_eq_nocase(s, STR("true"))) buf_str_put(out, STR("true"));
    else if (str_eq_nocase(s, STR("false"))) buf_str_put(out, STR("false"));
    else json_put_str(out, cell);
}
