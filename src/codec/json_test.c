// SPDX-License-Identifier: Apache-2.0
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/rng.h"
#include "codec/json.h"

// A copy in memory of exactly its size, so that the sanitizer sees every byte read beyond the end.
static Str exact(Str s) {
    char *p = mem_alloc((size_t)s.n);
    if (s.n) memcpy(p, s.p, (size_t)s.n);
    return (Str){p, s.n};
}

static Err scan_text(Str text) {
    JsonScan s;
    json_scan_init(&s, text);
    bool ok = json_scan_skip(&s, NULL) && json_scan_end(&s);
    assert_int_equal(ok, s.err == ERR_OK);
    assert_true(s.p >= s.start && s.p <= s.end);
    return s.err;
}

static Err parse_text(Str text) {
    Arena a;
    arena_init(&a, 0);
    Json v;
    Err e = json_parse(text, NULL, &a, &v, NULL);
    arena_free(&a);
    return e;
}

// Both readers must say the same; returns what they say.
static Err verdict(Str text) {
    Str copy = exact(text);
    Err dom = parse_text(copy), scan = scan_text(copy);
    if (dom != scan) print_error("DOM %s, scanner %s: %.*s\n", err_name(dom), err_name(scan), STR_ARG(text));
    assert_int_equal(dom, scan);
    mem_free((void *)(uintptr_t)copy.p);
    return dom;
}

static void check_prints(const char *text, const char *want) {
    Arena a;
    arena_init(&a, 0);
    Json v;
    Buf b = {0};
    assert_int_equal(json_parse(str_of(text), NULL, &a, &v, NULL), ERR_OK);
    json_put(&b, &v);
    buf_byte(&b, 0);
    assert_string_equal(b.p, want);
    buf_free(&b);
    arena_free(&a);
}

// ---- the published conformance set ----

static Str read_file(const char *path) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    Buf b = {0};
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) buf_put(&b, chunk, (int64_t)n);
    fclose(f);
    return buf_str(&b);
}

static const char *data_root(void) {
    const char *root = getenv("SOSIA_DATA");
    return root && *root ? root : "../shared/data";
}

// y_* are accepted, n_* refused, by DOM and scanner alike; i_* get the same verdict from both.
static void suite_verdicts(void **state) {
    (void)state;
    char dir[PATH_MAX], path[PATH_MAX];
    snprintf(dir, sizeof dir, "%s/json-parsing/test_parsing", data_root());
    DIR *d = opendir(dir);
    if (!d) {
        printf("SKIP json suite_verdicts: %s not found\n", dir);
        skip();
    }
    int count[128] = {0}, wrong = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.' || snprintf(path, sizeof path, "%.3000s/%s", dir, e->d_name) <= 0) continue;
        Str text = read_file(path);
        Err err = verdict(text);
        char kind = e->d_name[0];
        count[kind & 127]++;
        bool bad = (kind == 'y' && err != ERR_OK) || (kind == 'n' && err == ERR_OK);
        if (bad) print_error("%s: %s\n", e->d_name, err_name(err));
        wrong += bad;
        mem_free((void *)(uintptr_t)text.p);
    }
    closedir(d);
    printf("json suite: %d accepted, %d refused, %d free, %d wrong\n", count['y'], count['n'], count['i'], wrong);
    assert_int_equal(wrong, 0);
    assert_true(count['y'] >= 60 && count['n'] >= 130);
}

// ---- scanner and DOM by hand ----

static void refuses_what_json_is_not(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "[",
        "}",
        "]",
        "{]",
        "[}",
        "[1}",
        "{\"a\":1]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{,}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "tru",
        "truex",
        "nul",
        "nan",
        "Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "1.e1",
        "0x1",
        "1e999",
        "-1e999",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\t\"",
        "\"\\ud800\"",
        "\"\\ud800x\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\\udc00\\ud800\"",
        "1 2",
        "[] []",
        "\"\x80\"",
        "\"\xC0\xAF\"",
        "\"\xED\xA0\x80\"",
        "\"\xF5\x80\x80\x80\"",
        "\"\xE2\x82\"",
        "/**/1",
        "1//",
        "\f1",
        "\xEF\xBB\xBF{}",
        "[\"a\",\"b\"",
        "\"a\nb\"",
        "[1,\"\\",
        "{\"a\":1,\"b\"",
        "\xC2\xA0[1]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (verdict(str_of(bad[i])) == ERR_OK) fail_msg("accepted: %s", bad[i]);
    }
    assert_int_equal(verdict((Str){"\0", 1}), ERR_SYNTAX);
    assert_int_equal(verdict((Str){"\"\0\"", 3}), ERR_SYNTAX);
    assert_int_equal(verdict((Str){"1\0", 2}), ERR_SYNTAX);
    assert_int_equal(verdict((Str){0}), ERR_SYNTAX);
}

// Strings of every length around the block size of the scanner, with the special byte at every place.
static void finds_special_bytes_at_every_place(void **state) {
    (void)state;
    char text[80];
    for (int n = 0; n < 70; n++) {
        for (int at = 0; at < n; at++) {
            memset(text, 'a', sizeof text);
            text[0] = text[n + 1] = '"';
            Str whole = {text, n + 2};
            assert_int_equal(verdict(whole), ERR_OK);
            assert_int_equal(verdict(str_sub(whole, 0, n + 1)), ERR_SYNTAX);
            text[1 + at] = '\x1f';
            assert_int_equal(verdict(whole), ERR_SYNTAX);
            text[1 + at] = '\xff';
            assert_int_equal(verdict(whole), ERR_SYNTAX);
            text[1 + at] = '\x7f';
            assert_int_equal(verdict(whole), ERR_OK);
            if (at + 1 == n) continue;
            memcpy(text + 1 + at, "\xC3\xA4", 2);
            assert_int_equal(verdict(whole), ERR_OK);
            memcpy(text + 1 + at, "\\n", 2);
            assert_int_equal(verdict(whole), ERR_OK);
        }
    }
}

static Json parse_ok(Arena *a, const char *text) {
    Json v;
    assert_int_equal(json_parse(str_of(text), NULL, a, &v, NULL), ERR_OK);
    return v;
}

static void numbers_keep_their_value(void **state) {
    (void)state;
    Arena a;
    arena_init(&a, 0);
    Json v = parse_ok(&a, "9223372036854775807");
    assert_int_equal(v.type, JSON_INT);
    assert_true(v.i == INT64_MAX);
    v = parse_ok(&a, "-9223372036854775808");
    assert_int_equal(v.type, JSON_INT);
    assert_true(v.i == INT64_MIN);
    v = parse_ok(&a, "9223372036854775808");
    assert_int_equal(v.type, JSON_DOUBLE);
    assert_true(v.d == 0x1p63);
    v = parse_ok(&a, "-9223372036854775809");
    assert_true(v.type == JSON_DOUBLE && v.d == -0x1p63);
    v = parse_ok(&a, "100000000000000000000000000000");
    assert_true(v.type == JSON_DOUBLE && v.d == 1e29);
    v = parse_ok(&a, "-0");
    assert_true(v.type == JSON_INT && v.i == 0);
    v = parse_ok(&a, "-0.0");
    assert_true(v.type == JSON_DOUBLE && v.d == 0 && signbit(v.d));
    v = parse_ok(&a, "1e-400");
    assert_true(v.type == JSON_DOUBLE && v.d == 0);
    v = parse_ok(&a, "1E+2");
    assert_true(v.type == JSON_DOUBLE && v.d == 100 && json_f64(&v) == 100);
    v = parse_ok(&a, "0e99999999999999999999");
    assert_true(v.type == JSON_DOUBLE && v.d == 0);
    v = parse_ok(&a, " 21.5 ");
    assert_true(v.d == 21.5 && v.at == 1 && str_eq(v.raw, STR("21.5")));
    arena_free(&a);
}

// A fraction of a million zeros and the exponent that undoes it: nothing overflows on the way.
static void long_numbers_are_exact(void **state) {
    (void)state;
    Buf b = {0};
    Arena a;
    Json v;
    arena_init(&a, 0);
    buf_put(&b, "0.", 2);
    for (int i = 0; i < 1000000; i++) buf_byte(&b, '0');
    buf_printf(&b, "125e1000001");
    assert_int_equal(json_parse(buf_str(&b), NULL, &a, &v, NULL), ERR_OK);
    assert_true(v.d == 1.25);
    buf_free(&b);
    arena_free(&a);
}

static void dom_shows_members_and_places(void **state) {
    (void)state;
    Arena a;
    arena_init(&a, 0);
    const char *text = " {\"a\" : [1, 2.5, null, true, false, \"x\\u00e4\\ud83d\\ude00\\n\"], \"b\":{}, \"a\":7} ";
    Json v = parse_ok(&a, text);
    assert_int_equal(v.type, JSON_OBJECT);
    assert_int_equal(v.count, 3);
    assert_true(v.dup);
    assert_int_equal(v.at, 1);
    assert_true(str_eq(v.raw, str_trim(str_of(text))));
    assert_true(json_get(&v, STR("a"))->i == 7); // the last one
    assert_null(json_get(&v, STR("c")));
    assert_null(json_get(NULL, STR("c")));
    assert_true(json_text(&v, STR("c")).n == 0 && json_text(&v, STR("a")).n == 0); // not there; no text
    assert_null(json_get(json_get(&v, STR("a")), STR("c")));
    const Json *list = &v.members[0].value;
    assert_int_equal(list->type, JSON_ARRAY);
    assert_int_equal(list->count, 6);
    assert_int_equal(list->at, 8);
    assert_true(list->items[1].d == 2.5);
    assert_true(str_eq(list->items[5].s, STR("x\xC3\xA4\xF0\x9F\x98\x80\n")));
    assert_true(str_eq(list->items[5].raw, STR("\"x\\u00e4\\ud83d\\ude00\\n\"")));
    assert_int_equal(json_get(&v, STR("b"))->count, 0);
    assert_false(json_get(&v, STR("b"))->dup);
    // A plain string borrows from the text.
    Json s = parse_ok(&a, "\"plain\"");
    assert_int_equal(s.s.n, 5);
    assert_true(s.s.p == s.raw.p + 1);
    arena_free(&a);
}

// The flag agrees with comparing every pair, for few and for many members.
static void repeated_keys_are_seen(void **state) {
    (void)state;
    Rng r = rng_make(11, 0);
    Arena a;
    Buf b = {0};
    arena_init(&a, 0);
    for (int round = 0; round < 3000; round++) {
        int n = 1 + (int)rng_below(&r, 40), range = 1 + (int)rng_below(&r, 2000);
        arena_reset(&a);
        buf_reset(&b);
        for (int i = 0; i < n; i++)
            buf_printf(&b, "%s\"k%d\":%d", i ? "," : "{", (int)rng_below(&r, (uint64_t)range), i);
        buf_byte(&b, '}');
        Json v;
        assert_int_equal(json_parse(buf_str(&b), NULL, &a, &v, NULL), ERR_OK);
        bool dup = false;
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < i; k++) dup |= str_eq(v.members[i].key, v.members[k].key);
        }
        assert_int_equal(v.dup, dup);
    }
    buf_free(&b);
    arena_free(&a);
}

// Names chosen to fall into one cell of the table, whatever its size up to 1,024: the flag is still right.
static void colliding_keys_are_seen(void **state) {
    (void)state;
    Arena a;
    Buf b = {0};
    Json v;
    arena_init(&a, 0);
    int64_t first = -1, last_start = 0;
    int found = 0;
    for (int i = 0; found < 60; i++) {
        char name[16];
        Str key = {name, snprintf(name, sizeof name, "k%d", i)};
        if (str_hash(key) & 1023) continue;
        if (first < 0) first = i;
        last_start = b.n;
        buf_printf(&b, "%s\"%s\":1", found++ ? "," : "{", name);
    }
    buf_byte(&b, '}');
    assert_int_equal(json_parse(buf_str(&b), NULL, &a, &v, NULL), ERR_OK);
    assert_int_equal(v.count, 60);
    assert_false(v.dup);
    b.n = last_start; // the last one again the first
    buf_printf(&b, ",\"k%lld\":2}", (long long)first);
    assert_int_equal(json_parse(buf_str(&b), NULL, &a, &v, NULL), ERR_OK);
    assert_int_equal(v.count, 60);
    assert_true(v.dup);
    buf_free(&b);
    arena_free(&a);
}

static Err parse_limited(Str text, JsonLimits l) {
    Arena a;
    arena_init(&a, 0);
    Json v;
    Err e = json_parse(text, &l, &a, &v, NULL);
    arena_free(&a);
    return e;
}

static Str nested(Buf *b, int depth) {
    buf_reset(b);
    for (int i = 0; i < depth; i++) buf_put(b, i % 2 ? "{\"a\":" : "[", i % 2 ? 5 : 1);
    buf_byte(b, '1');
    for (int i = depth - 1; i >= 0; i--) buf_byte(b, i % 2 ? '}' : ']');
    return buf_str(b);
}

static void limits_hold(void **state) {
    (void)state;
    Buf b = {0};
    assert_int_equal(verdict(nested(&b, JSON_DEPTH_MAX)), ERR_OK);
    assert_int_equal(verdict(nested(&b, JSON_DEPTH_MAX + 1)), ERR_LIMIT);
    assert_int_equal(parse_limited(nested(&b, 7), (JsonLimits){.depth_max = 7}), ERR_OK);
    assert_int_equal(parse_limited(nested(&b, 8), (JsonLimits){.depth_max = 7}), ERR_LIMIT);
    assert_int_equal(parse_limited(nested(&b, JSON_DEPTH_CAP), (JsonLimits){.depth_max = INT32_MAX}), ERR_OK);
    assert_int_equal(parse_limited(nested(&b, JSON_DEPTH_CAP + 1), (JsonLimits){.depth_max = INT32_MAX}), ERR_LIMIT);
    assert_int_equal(parse_limited(STR("[1,2]"), (JsonLimits){.size_max = 5}), ERR_OK);
    assert_int_equal(parse_limited(STR("[1,2] "), (JsonLimits){.size_max = 5}), ERR_LIMIT);
    buf_reset(&b);
    for (int i = 0; i < 200000; i++) buf_byte(&b, '[');
    assert_int_equal(verdict(buf_str(&b)), ERR_LIMIT);
    buf_free(&b);
}

static void errors_tell_the_place(void **state) {
    (void)state;
    Arena a;
    Diag d;
    Json v = {.count = 77};
    arena_init(&a, 0);
    diag_init(&d);
    assert_int_equal(json_parse(STR("{\n  \"a\": 1,\n  \"b\" 2\n}"), NULL, &a, &v, &d), ERR_SYNTAX);
    assert_int_equal(v.count, 77); // untouched
    assert_int_equal(d.count, 1);
    assert_int_equal(d.messages[0].at, 18);
    assert_int_equal(d.messages[0].end, 19);
    assert_true(str_eq(d.messages[0].text, STR("line 3, column 7: ':' is expected")));
    diag_free(&d);
    assert_int_equal(json_parse(STR("[1"), NULL, &a, &v, &d), ERR_SYNTAX);
    assert_int_equal(d.messages[0].at, 2);
    assert_int_equal(d.messages[0].end, 2);
    diag_free(&d);
    arena_free(&a);
}

// ---- the pull scanner as callers drive it ----

static void scanner_walks_a_line(void **state) {
    (void)state;
    JsonScan s;
    JsonToken k, v;
    Str raw;
    Arena a;
    arena_init(&a, 0);
    json_scan_init(&s, STR(" {\"id\":\"p-1\", \"n\\u0061me\" : \"a\\tb\" ,\"list\":[1, [2], "
                           "{\"x\":3}],\"skip\":{\"a\":[]},\"v\":-2.5e1} "));
    assert_true(json_scan_object(&s));
    assert_true(json_scan_key(&s, &k) && str_eq(k.raw, STR("id")) && !k.escaped);
    assert_true(json_scan_value(&s, &v) && v.type == JSON_STRING && str_eq(v.raw, STR("p-1")));
    assert_true(json_scan_key(&s, &k) && k.escaped && str_eq(json_unescape(&a, k), STR("name")));
    assert_true(json_scan_value(&s, &v) && v.escaped && str_eq(json_unescape(&a, v), STR("a\tb")));
    assert_true(json_scan_key(&s, &k) && json_scan_value(&s, &v) && v.type == JSON_ARRAY); // nothing consumed
    assert_true(json_scan_array(&s));
    assert_true(json_scan_item(&s) && json_scan_value(&s, &v) && v.type == JSON_INT && v.i == 1 && v.d == 1);
    assert_true(json_scan_item(&s) && json_scan_skip(&s, &raw) && str_eq(raw, STR("[2]")));
    assert_true(json_scan_item(&s) && json_scan_object(&s));
    assert_int_equal(s.depth, 3);
    assert_true(json_scan_key(&s, &k) && json_scan_value(&s, &v) && v.i == 3);
    assert_false(json_scan_key(&s, &k));
    assert_false(json_scan_item(&s));
    assert_int_equal(s.err, ERR_OK);
    assert_true(json_scan_key(&s, &k) && json_scan_skip(&s, &raw) && str_eq(raw, STR("{\"a\":[]}")));
    assert_true(json_scan_key(&s, &k) && json_scan_value(&s, &v) && v.type == JSON_DOUBLE && v.d == -25);
    assert_false(json_scan_key(&s, &k));
    assert_true(json_scan_end(&s));
    arena_free(&a);
}

static void scanner_errors_stick(void **state) {
    (void)state;
    JsonScan s;
    JsonToken t;
    json_scan_init(&s, STR("[1]"));
    assert_false(json_scan_object(&s));
    assert_int_equal(s.err, ERR_SYNTAX);
    assert_non_null(s.why);
    assert_false(json_scan_array(&s) || json_scan_value(&s, &t) || json_scan_key(&s, &t) || json_scan_item(&s));
    assert_false(json_scan_skip(&s, NULL) || json_scan_end(&s));
    json_scan_init(&s, STR("1 2"));
    assert_true(json_scan_value(&s, &t) && t.i == 1);
    assert_true(json_scan_value(&s, &t) && t.i == 2); // more than one value
    assert_true(json_scan_end(&s));
    json_scan_init(&s, STR("[[[1]]]"));
    s.depth_max = 2;
    assert_false(json_scan_skip(&s, NULL));
    assert_int_equal(s.err, ERR_LIMIT);
}

// ---- writing ----

static void put_str_escapes(void **state) {
    (void)state;
    Buf b = {0};
    json_put_str(&b, (Str){"a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\0\xC3\xA4\xF0\x9F\x98\x80", 21});
    assert_true(
        str_eq(buf_str(&b), STR("\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000\xC3\xA4\xF0\x9F\x98\x80\"")));
    buf_reset(&b);
    json_put_str(&b, STR("x\xFFy\xC3"));
    assert_true(str_eq(buf_str(&b), STR("\"x\xEF\xBF\xBDy\xEF\xBF\xBD\"")));
    buf_reset(&b);
    json_put_str(&b, (Str){0});
    assert_true(str_eq(buf_str(&b), STR("\"\"")));
    buf_free(&b);
}

static void put_numbers(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *text;
    } rows[] = {{21.5, "21.5"},
                {1e300, "1e+300"},
                {-0.0, "-0.0"},
                {0.0, "0"},
                {5.0, "5"},
                {1e21, "1e+21"},
                {1e20, "100000000000000000000"},
                {0.1, "0.1"},
                {1e-7, "1e-7"},
                {5e-324, "5e-324"},
                {-12.25, "-12.25"},
                {NAN, "null"},
                {INFINITY, "null"},
                {1.5e-6, "0.0000015"},
                {0x1p60, "1152921504606846976"}};
    Buf b = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_reset(&b);
        json_put_f64(&b, rows[i].v);
        assert_true(str_eq(buf_str(&b), str_of(rows[i].text)));
    }
    buf_reset(&b);
    json_put_i64(&b, INT64_MIN);
    buf_byte(&b, ' ');
    json_put_i64(&b, INT64_MAX);
    assert_true(str_eq(buf_str(&b), STR("-9223372036854775808 9223372036854775807")));
    buf_free(&b);
}

static void put_keeps_order_and_number_text(void **state) {
    (void)state;
    check_prints(" { \"b\" : 1.50 , \"a\" : [ ] , \"c\\n\" : { \"x\" : \"\\u0041\\/\" , \"b\" : null } } ",
                 "{\"b\":1.50,\"a\":[],\"c\\n\":{\"x\":\"A/\",\"b\":null}}");
    check_prints("[true,false,1e5,12345678901234567890]", "[true,false,1e5,12345678901234567890]");
    Json made = {.type = JSON_DOUBLE, .d = 2.5}; // no raw text
    Buf b = {0};
    json_put(&b, &made);
    made = (Json){.type = JSON_STRING, .s = STR("x\"")};
    json_put(&b, &made);
    assert_true(str_eq(buf_str(&b), STR("2.5\"x\\\"\"")));
    buf_free(&b);
}

static void put_pretty_indents(void **state) {
    (void)state;
    Arena a;
    arena_init(&a, 0);
    Json v = parse_ok(&a, "{\"a\":[1,{\"b\":2}],\"c\":{},\"d\":[]}");
    Buf b = {0};
    json_put_pretty(&b, &v, 0);
    assert_true(str_eq(buf_str(&b),
                       STR("{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}")));
    buf_reset(&b);
    json_put_pretty(&b, &v.members[0].value.items[1], 2);
    assert_true(str_eq(buf_str(&b), STR("{\n      \"b\": 2\n    }")));
    buf_free(&b);
    arena_free(&a);
}

static void full_buffers_are_reported(void **state) {
    (void)state;
    Buf b = {.max = 10};
    json_put_str(&b, STR("0123456789"));
    assert_true(b.full);
    assert_true(b.n <= 10);
    buf_free(&b);
    b = (Buf){.max = 4};
    json_put_i64(&b, 1234); // fits exactly
    assert_false(b.full);
    buf_free(&b);
}

static bool equal_texts(const char *x, const char *y) {
    Arena a;
    arena_init(&a, 0);
    Json vx = parse_ok(&a, x), vy = parse_ok(&a, y);
    bool same = json_equal(&vx, &vy);
    assert_int_equal(same, json_equal(&vy, &vx));
    assert_true(json_equal(&vx, &vx) && json_equal(&vy, &vy));
    arena_free(&a);
    return same;
}

static void equality(void **state) {
    (void)state;
    assert_true(equal_texts("{\"a\":1,\"b\":[1,2]}", "{\"b\":[1.0,2e0],\"a\":1}"));
    assert_true(equal_texts("{\"a\":1,\"a\":2}", "{\"a\":2}"));
    assert_true(equal_texts("{\"a\":1,\"a\":2,\"b\":3}", "{\"b\":3,\"a\":2}"));
    assert_true(equal_texts("\"\\u0041\"", "\"A\""));
    assert_true(equal_texts("[]", "[ ]"));
    assert_false(equal_texts("{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}"));
    assert_false(equal_texts("{\"a\":1}", "{\"a\":1,\"b\":2}"));
    assert_false(equal_texts("{\"a\":1,\"a\":2}", "{\"a\":1}"));
    assert_false(equal_texts("[1,2]", "[2,1]"));
    assert_false(equal_texts("true", "false"));
    assert_false(equal_texts("null", "false"));
    assert_false(equal_texts("1", "\"1\""));
    assert_false(equal_texts("9007199254740993", "9007199254740992.0"));
    assert_false(equal_texts("9223372036854775807", "9223372036854775808"));
    assert_false(equal_texts("1", "1.5"));
}

// ---- pointers ----

static void pointers_step_by_step(void **state) {
    (void)state;
    Arena a;
    arena_init(&a, 0);
    Str path = STR("/a~1b//m~0n~01/0"), t;
    assert_true(json_pointer_next(&path, &a, &t) && str_eq(t, STR("a/b")));
    assert_true(json_pointer_next(&path, &a, &t) && t.n == 0);
    assert_true(json_pointer_next(&path, &a, &t) && str_eq(t, STR("m~n~1")));
    assert_true(json_pointer_next(&path, &a, &t) && str_eq(t, STR("0")));
    assert_false(json_pointer_next(&path, &a, &t));
    assert_int_equal(path.n, 0);
    static const char *const bad[] = {"a", "/~", "/~2", "/a~", "a/b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        path = str_of(bad[i]);
        assert_false(json_pointer_next(&path, &a, &t));
        assert_true(path.n > 0);
    }
    path = STR("/");
    assert_true(json_pointer_next(&path, &a, &t) && t.n == 0 && path.n == 0);
    arena_free(&a);
}

// ---- random documents: text -> DOM -> text is a fixed point, and every damaged text gets one verdict ----

static void random_value(Buf *b, Rng *r, int depth) {
    static const char *const pieces[] = {"a",
                                         "key",
                                         "\\n",
                                         "\\u00e9",
                                         "\\ud83d\\ude00",
                                         "\xC3\xA4",
                                         "\xE2\x82\xAC",
                                         "\\\"",
                                         "0123456789abcdef",
                                         " ",
                                         "\xF0\x9F\x98\x80",
                                         "/"};
    switch (rng_below(r, depth > 5 ? 5 : 8)) {
    case 0: buf_printf(b, "%lld", (long long)rng_u64(r) >> rng_below(r, 64)); break;
    case 1:
        buf_printf(b, "%.*g", 1 + (int)rng_below(r, 20), rng_normal(r) * pow(10, (double)rng_below(r, 40) - 20));
        break;
    case 2: buf_printf(b, "%s", rng_below(r, 2) ? "true" : "false"); break;
    case 3: buf_printf(b, "null"); break;
    case 4:
        buf_byte(b, '"');
        for (uint64_t i = rng_below(r, 12); i; i--) buf_printf(b, "%s", pieces[rng_below(r, 12)]);
        buf_byte(b, '"');
        break;
    default: {
        bool object = rng_below(r, 2);
        buf_byte(b, object ? '{' : '[');
        for (uint64_t n = rng_below(r, 6), i = 0; i < n; i++) {
            if (i) buf_printf(b, rng_below(r, 2) ? "," : " ,\n\t  ");
            if (object) buf_printf(b, "\"m%d\":", (int)rng_below(r, 10));
            random_value(b, r, depth + 1);
        }
        buf_byte(b, object ? '}' : ']');
    }
    }
}

static void random_documents_survive(void **state) {
    (void)state;
    Rng r = rng_make(2026, 3);
    Buf text = {0}, once = {0}, twice = {0};
    Arena a;
    arena_init(&a, 0);
    for (int round = 0; round < 20000; round++) {
        arena_reset(&a);
        buf_reset(&text), buf_reset(&once), buf_reset(&twice);
        random_value(&text, &r, 0);
        Json v, w;
        assert_int_equal(json_parse(buf_str(&text), NULL, &a, &v, NULL), ERR_OK);
        if (round % 2) json_put(&once, &v);
        else json_put_pretty(&once, &v, 0);
        assert_int_equal(json_parse(buf_str(&once), NULL, &a, &w, NULL), ERR_OK);
        assert_true(json_equal(&v, &w));
        if (round % 2) json_put(&twice, &w);
        else json_put_pretty(&twice, &w, 0);
        assert_true(str_eq(buf_str(&once), buf_str(&twice)));
        for (int k = 0; k < 3 && text.n; k++) {
            text.p[rng_below(&r, (uint64_t)text.n)] = (char)rng_below(&r, 256);
            verdict(buf_str(&text));
        }
        verdict(str_sub(buf_str(&text), 0, (int64_t)rng_below(&r, (uint64_t)text.n + 1)));
    }
    buf_free(&text), buf_free(&once), buf_free(&twice);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suite_verdicts),
        cmocka_unit_test(refuses_what_json_is_not),
        cmocka_unit_test(finds_special_bytes_at_every_place),
        cmocka_unit_test(numbers_keep_their_value),
        cmocka_unit_test(long_numbers_are_exact),
        cmocka_unit_test(dom_shows_members_and_places),
        cmocka_unit_test(repeated_keys_are_seen),
        cmocka_unit_test(colliding_keys_are_seen),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(errors_tell_the_place),
        cmocka_unit_test(scanner_walks_a_line),
        cmocka_unit_test(scanner_errors_stick),
        cmocka_unit_test(put_str_escapes),
        cmocka_unit_test(put_numbers),
        cmocka_unit_test(put_keeps_order_and_number_text),
        cmocka_unit_test(put_pretty_indents),
        cmocka_unit_test(full_buffers_are_reported),
        cmocka_unit_test(equality),
        cmocka_unit_test(pointers_step_by_step),
        cmocka_unit_test(random_documents_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
