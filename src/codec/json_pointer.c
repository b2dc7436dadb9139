// SPDX-License-Identifier: Apache-2.0
#include "codec/json.h"

// Every '~' is followed by '0' or '1' (RFC 6901, section 3)?
static bool tildes_ok(Str s) {
    for (int64_t at = str_find(s, '~', 0); at >= 0; at = str_find(s, '~', at + 1)) {
        if (at + 1 == s.n || (s.p[at + 1] != '0' && s.p[at + 1] != '1')) return false;
    }
    return true;
}

bool json_pointer_next(Str *path, Arena *arena, Str *token) {
    if (path->n == 0 || path->p[0] != '/') return false;
    int64_t end = str_find(*path, '/', 1);
    if (end < 0) end = path->n;
    Str t = str_sub(*path, 1, end);
    if (!tildes_ok(t)) return false;
    *path = str_sub(*path, end, path->n);
    *token = t;
    if (str_find(t, '~', 0) < 0) return true;
    char *text = arena_alloc(arena, 1, t.n, 1);
    int64_t n = 0;
    for (int64_t i = 0; i < t.n; i++) text[n++] = t.p[i] != '~' ? t.p[i] : t.p[++i] == '0' ? '~' : '/';
    *token = (Str){text, n};
    return true;
}
