// SPDX-License-Identifier: Apache-2.0
// Bytes in, a DOM out. Scanner and DOM give the same verdict at the same place; what is accepted prints, and parses
// again to an equal value, compact and indented; numbers read the same as by the base module's text parser.
#include "base/check.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same_verdict(Str text, Err dom, const Diag *d) {
    JsonScan s;
    json_scan_init(&s, text);
    bool ok = json_scan_skip(&s, NULL) && json_scan_end(&s);
    CHECK(ok == (s.err == ERR_OK));
    CHECK(s.err == dom);
    CHECK(s.p >= s.start && s.p <= s.end);
    if (!ok && d->messages[0].at > 0) CHECK(d->messages[0].at == s.p - s.start);
}

// Every value lies inside the text, strings are UTF-8, numbers finite.
static void check_value(Str text, const Json *v) {
    CHECK(v->raw.n > 0 && v->raw.p == text.p + v->at && v->at + v->raw.n <= text.n);
    if (v->type == JSON_STRING) CHECK(str_utf8_ok(v->s));
    double d;
    if (json_is_number(v)) CHECK(str_to_f64(v->raw, &d) && (v->type == JSON_INT || d == v->d));
    for (int32_t i = 0; i < v->count; i++) {
        if (v->type == JSON_ARRAY) check_value(text, &v->items[i]);
        else CHECK(json_get(v, v->members[i].key) != NULL);
        if (v->type == JSON_OBJECT) check_value(text, &v->members[i].value);
    }
}

static void check_prints(const Json *v, bool pretty, Arena *arena) {
    Buf b = {0}, again = {0};
    Json w;
    if (pretty) json_put_pretty(&b, v, 0);
    else json_put(&b, v);
    CHECK(json_parse(buf_str(&b), NULL, arena, &w, NULL) == ERR_OK);
    CHECK(json_equal(v, &w) && json_equal(&w, v));
    if (pretty) json_put_pretty(&again, &w, 0);
    else json_put(&again, &w);
    CHECK(str_eq(buf_str(&b), buf_str(&again)));
    buf_free(&b);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 1 << 16) return 0;
    Str text = {(const char *)data, (int64_t)size};
    Arena arena;
    Diag d;
    Json v;
    arena_init(&arena, 0);
    diag_init(&d);
    Err e = json_parse(text, NULL, &arena, &v, &d);
    check_same_verdict(text, e, &d);
    if (e == ERR_OK) {
        CHECK(json_equal(&v, &v));
        check_value(text, &v);
        check_prints(&v, false, &arena);
        check_prints(&v, true, &arena);
    }
    Buf quoted = {0}; // any bytes as a string: valid JSON
    json_put_str(&quoted, text);
    CHECK(json_parse(buf_str(&quoted), NULL, &arena, &v, NULL) == ERR_OK);
    CHECK(!str_utf8_ok(text) || str_eq(v.s, text));
    Str path = text, token;
    while (json_pointer_next(&path, &arena, &token)) CHECK(token.n < text.n);
    buf_free(&quoted);
    diag_free(&d);
    arena_free(&arena);
    return 0;
}
