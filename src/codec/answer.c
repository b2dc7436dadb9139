// SPDX-License-Identifier: Apache-2.0
#include "codec/answer.h"

static Str words_of(Str text, int depth, Arena *a);

static Str words_in(const Json *v, int depth, Arena *a) {
    static const char *const says[] = {"message", "why", "reason", "error", "detail"};
    if (!v || depth > ANSWER_DEPTH_MAX) return (Str){0};
    if (v->type == JSON_STRING) return str_trim(v->s).n && v->s.p[0] == '{' ? words_of(v->s, depth + 1, a) : v->s;
    Str words = {0};
    for (size_t i = 0; i < sizeof says / sizeof *says && !words.n; i++)
        words = words_in(json_get(v, str_of(says[i])), depth + 1, a);
    return words;
}

static Str words_of(Str text, int depth, Arena *a) {
    Json v;
    if (json_parse(text, NULL, a, &v, NULL)) return text;
    return words_in(&v, depth, a);
}

Str answer_words(Str answer, Arena *a) {
    Str text = str_trim(answer);
    return text.n ? words_of(text, 0, a) : text;
}
