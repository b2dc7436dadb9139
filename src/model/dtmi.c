// SPDX-License-Identifier: Apache-2.0
#include "model/dtmi.h"

static bool letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
static bool upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool lower(char c) { return c >= 'a' && c <= 'z'; }
static bool digit(char c) { return c >= '0' && c <= '9'; }

bool dtdl_name_ok(Str s) {
    if (s.n == 0 || !letter(s.p[0]) || s.p[s.n - 1] == '_') return false;
    for (int64_t i = 1; i < s.n; i++)
        if (!letter(s.p[i]) && !digit(s.p[i]) && s.p[i] != '_') return false;
    return true;
}

// A segment: a name, behind any number of '_' in system-made identifiers.
static bool segment_ok(Str s, bool *system) {
    int64_t i = 0;
    while (i < s.n && s.p[i] == '_') i++;
    if (i > 0) *system = true;
    return dtdl_name_ok(str_sub(s, i, s.n));
}

// 1..max digits, not beginning with 0.
static bool number_ok(Str s, int64_t max, int32_t *out) {
    if (s.n < 1 || s.n > max || s.p[0] == '0') return false;
    int32_t v = 0;
    for (int64_t i = 0; i < s.n; i++) {
        if (!digit(s.p[i])) return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = v;
    return true;
}

static bool version_ok(Str s, Dtmi *d) {
    int64_t dot = str_find(s, '.', 0);
    if (dot < 0) return number_ok(s, 9, &d->major);
    return number_ok(str_sub(s, 0, dot), 9, &d->major) && number_ok(str_sub(s, dot + 1, s.n), 6, &d->minor);
}

static bool path_ok(Str path, Dtmi *d) {
    Str rest = str_sub(path, 5, path.n);
    for (;;) {
        int64_t colon = str_find(rest, ':', 0);
        Str seg = colon < 0 ? rest : str_sub(rest, 0, colon);
        if (!segment_ok(seg, &d->system)) return false;
        d->labels++;
        if (colon < 0) return true;
        rest = str_sub(rest, colon + 1, rest.n);
    }
}

bool dtmi_parse(Str s, Dtmi *out) {
    Dtmi d = {0};
    if (!str_starts(s, STR("dtmi:"))) return false;
    int64_t hash = str_find(s, '#', 0);
    if (hash >= 0) {
        bool system = false;
        d.fragment = str_sub(s, hash + 1, s.n);
        if (!segment_ok(d.fragment, &system)) return false;
        s = str_sub(s, 0, hash);
    }
    int64_t semi = str_find(s, ';', 0);
    if (semi >= 0 && !version_ok(str_sub(s, semi + 1, s.n), &d)) return false;
    d.path = semi < 0 ? s : str_sub(s, 0, semi);
    if (!path_ok(d.path, &d)) return false;
    *out = d;
    return true;
}

bool dtmi_ok(Str s, int version) {
    Dtmi d;
    if (!dtmi_parse(s, &d) || d.system || str_find(s, '#', 0) >= 0) return false;
    return version != 2 || (d.major > 0 && d.minor == 0);
}

// 2..4 lower-case letters, then optionally a script ("-Hans") and a region ("-US" or "-419").
bool lang_ok(Str s) {
    int64_t i = 0;
    while (i < s.n && lower(s.p[i])) i++;
    if (i < 2 || i > 4) return false;
    if (s.n - i >= 5 && s.p[i] == '-' && upper(s.p[i + 1]) && lower(s.p[i + 2]) && lower(s.p[i + 3]) &&
        lower(s.p[i + 4]))
        i += 5;
    if (i == s.n) return true;
    if (s.p[i] != '-') return false;
    Str region = str_sub(s, i + 1, s.n);
    if (region.n == 2) return upper(region.p[0]) && upper(region.p[1]);
    return region.n == 3 && digit(region.p[0]) && digit(region.p[1]) && digit(region.p[2]);
}

bool iri_like(Str s) {
    int64_t i = 0;
    while (i < s.n && (letter(s.p[i]) || (i > 0 && (digit(s.p[i]) || s.p[i] == '+' || s.p[i] == '-' || s.p[i] == '.'))))
        i++;
    return i > 0 && i < s.n && s.p[i] == ':';
}

// Printable ASCII without blank, '"', '+', '#', '{', '}' and '/'.
static bool label_char(char c) {
    return c > ' ' && c < 127 && c != '"' && c != '+' && c != '#' && c != '{' && c != '}' && c != '/';
}

bool mqtt_label_ok(Str s) {
    for (int64_t i = 0; i < s.n; i++)
        if (!label_char(s.p[i])) return false;
    return s.n > 0;
}

// "{word}" or "{word:word}", letters only.
static bool token_ok(Str s) {
    if (s.n < 3 || s.p[0] != '{' || s.p[s.n - 1] != '}') return false;
    int64_t colons = 0;
    for (int64_t i = 1; i < s.n - 1; i++) {
        if (letter(s.p[i])) continue;
        if (s.p[i] != ':' || i == 1 || i == s.n - 2 || ++colons > 1) return false;
    }
    return true;
}

bool mqtt_topic_ok(Str s) {
    for (bool first = true;; first = false) {
        int64_t slash = str_find(s, '/', 0);
        Str part = slash < 0 ? s : str_sub(s, 0, slash);
        if (!token_ok(part) && (!mqtt_label_ok(part) || (first && part.p[0] == '$'))) return false;
        if (slash < 0) return true;
        s = str_sub(s, slash + 1, s.n);
    }
}

int64_t text_length(Str s) {
    int64_t n = 0;
    for (int64_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        n += (c & 0xC0) == 0x80 ? 0 : c >= 0xF0 ? 2 : 1;
    }
    return n;
}
