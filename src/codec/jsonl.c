// SPDX-License-Identifier: Apache-2.0
#include "codec/jsonl.h"

void jsonl_init(JsonLines *l, Str text) { *l = (JsonLines){.text = text}; }

static bool is_blank(Str s) {
    for (int64_t i = 0; i < s.n; i++) {
        if (s.p[i] != ' ' && s.p[i] != '\t') return false;
    }
    return true;
}

bool jsonl_next(JsonLines *l, JsonLine *out) {
    while (l->at < l->text.n) {
        int64_t at = l->at, end = str_find(l->text, '\n', at);
        l->at = end < 0 ? l->text.n : end + 1;
        l->line++;
        Str line = str_sub(l->text, at, end < 0 ? l->text.n : end);
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (is_blank(line)) continue;
        *out = (JsonLine){line, at, l->line};
        return true;
    }
    return false;
}
