// SPDX-License-Identifier: Apache-2.0
// Single values against slow, obvious twins, by seed: order of integers and doubles, IN, LIKE, durations, distances,
// polygons, members of documents, letters.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include "base/rng.h"
#include "codec/json.h"
#include "expr/func.h"

static Arena arena;

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static ExprValue i64(int64_t i) { return (ExprValue){.type = EXPR_I64, .i = i}; }
static ExprValue f64(double d) { return (ExprValue){.type = EXPR_F64, .d = d}; }
static ExprValue text(Str s) { return (ExprValue){.type = EXPR_STR, .s = s}; }
static ExprValue doc(Str s) { return (ExprValue){.type = EXPR_DOC, .s = s}; }

static ExprValue call(int32_t func, const ExprValue *args, int32_t n) {
    ExprRun run = {.scratch = &arena};
    return expr_func_call(func, args, n, &run);
}

// ---- order --------------------------------------------------------------------------------------------------------

// An integer near a boundary where doubles grow coarse, or anywhere.
static int64_t draw_i64(Rng *r) {
    static const int64_t edges[] = {0, INT64_MAX, INT64_MIN, INT64_C(1) << 53, -(INT64_C(1) << 53), INT64_C(1) << 62};
    int64_t i = rng_below(r, 2) ? edges[rng_below(r, 6)] : (int64_t)rng_u64(r) >> rng_below(r, 64), by;
    by = (int64_t)rng_below(r, 5) - 2;
    return __builtin_add_overflow(i, by, &by) ? i : by;
}

static double draw_f64(Rng *r) {
    double d = (double)draw_i64(r) + (rng_below(r, 3) ? 0 : 0.5);
    return rng_below(r, 4) ? d : nextafter(d, rng_below(r, 2) ? 1e300 : -1e300);
}

// The 64 bits of a long double's fraction hold both exactly.
static void integers_and_doubles(void **state) {
    (void)state;
    assert_true(sizeof(long double) > sizeof(double));
    for (uint64_t seed = 0; seed < 200000; seed++) {
        Rng r = rng_make(seed, 1);
        ExprValue a = i64(draw_i64(&r)), b = f64(draw_f64(&r));
        long double x = (long double)a.i, y = (long double)b.d;
        int want = (x > y) - (x < y);
        if (expr_compare(&a, &b) != want) fail_msg("seed %llu", (unsigned long long)seed);
        assert_int_equal(expr_compare(&b, &a), -want);
    }
}

// A list that is searched by halves answers as one that is searched from the front.
static void lists(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 5000; seed++) {
        Rng r = rng_make(seed, 2);
        int32_t n = 1 + (int32_t)rng_below(&r, 12);
        Bound items[16] = {0}, *args[16];
        for (int32_t i = 1; i <= n; i++) {
            items[i] = (Bound){.op = BOUND_CONST, .type = EXPR_I64, .value = i64(2 * i + (int64_t)rng_below(&r, 2))};
            args[i] = &items[i];
        }
        Bound in = {.op = rng_below(&r, 2) ? BOUND_IN : BOUND_NIN, .args = args, .arg_count = n + 1, .sorted = true};
        for (int64_t k = 0; k < 2 * n + 4; k++) {
            ExprValue v = rng_below(&r, 2) ? i64(k) : f64((double)k);
            in.sorted = true;
            ExprValue fast = expr_value_in(&in, &v);
            in.sorted = false;
            ExprValue slow = expr_value_in(&in, &v);
            if (fast.type != EXPR_BOOL || slow.type != EXPR_BOOL || fast.b != slow.b)
                fail_msg("seed %llu, value %lld", (unsigned long long)seed, (long long)k);
        }
    }
}

// ---- texts --------------------------------------------------------------------------------------------------------

static bool naive_like(const char *s, const char *p) {
    if (!*p) return !*s;
    if (*p == '%') return naive_like(s, p + 1) || (*s && naive_like(s + 1, p));
    if (*p == '_') return *s && naive_like(s + 1, p + 1);
    if (*p == '\\' && p[1]) p++;
    return *s == *p && naive_like(s + 1, p + 1);
}

static void draw_text(Rng *r, const char *letters, size_t max, char *out) {
    uint64_t n = rng_below(r, max);
    for (uint64_t i = 0; i < n; i++) out[i] = letters[rng_below(r, strlen(letters))];
    out[n] = 0;
}

static void patterns(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 100000; seed++) {
        Rng r = rng_make(seed, 3);
        char s[12], p[10];
        draw_text(&r, "ab%_", 10, s);
        draw_text(&r, "aab%%_\\", 8, p);
        ExprValue args[2] = {text(str_of(s)), text(str_of(p))}, got = call(FUNC_LIKE, args, 2);
        if (got.type != EXPR_BOOL || got.b != naive_like(s, p)) fail_msg("LIKE('%s', '%s')", s, p);
    }
}

static void replacing(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        Rng r = rng_make(seed, 4);
        char s[20], part[4], by[4], want[100];
        size_t n = 0;
        draw_text(&r, "ab", 18, s);
        draw_text(&r, "ab", 3, part);
        draw_text(&r, "abc", 3, by);
        for (const char *p = s; *p;) {
            bool hit = *part && strncmp(p, part, strlen(part)) == 0;
            for (const char *q = by; hit && *q; q++) want[n++] = *q;
            if (hit) p += strlen(part);
            else want[n++] = *p++;
        }
        ExprValue args[3] = {text(str_of(s)), text(str_of(part)), text(str_of(by))};
        if (!str_eq(call(FUNC_REPLACE, args, 3).s, (Str){want, (int64_t)n}))
            fail_msg("REPLACE('%s', '%s', '%s')", s, part, by);
    }
}

// Both directions undo each other but for letters without a partner of the same length; digits and signs stay.
static void letters(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"az", "AZ"},
                                           {"\xc3\xa0\xc3\xbe", "\xc3\x80\xc3\x9e"},
                                           {"\xc4\x81", "\xc4\x80"},
                                           {"\xc4\xba", "\xc4\xb9"},
                                           {"\xc5\xbe", "\xc5\xbd"},
                                           {"\xce\xb1\xcf\x89", "\xce\x91\xce\xa9"},
                                           {"\xd0\xb0\xd1\x8f", "\xd0\x90\xd0\xaf"},
                                           {"\xd1\x91", "\xd0\x81"},
                                           {"\xd2\x91", "\xd2\x90"},
                                           {"1-_\xc3\x97\xe2\x82\xac", "1-_\xc3\x97\xe2\x82\xac"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_true(str_eq(expr_text_case(str_of(pairs[i][0]), true, &arena), str_of(pairs[i][1])));
        assert_true(str_eq(expr_text_case(str_of(pairs[i][1]), false, &arena), str_of(pairs[i][0])));
    }
    for (uint32_t u = 0x80; u < 0x800; u++) {
        char c[] = {(char)(0xC0 | u >> 6), (char)(0x80 | (u & 0x3F))};
        Str up = expr_text_case((Str){c, 2}, true, &arena), down = expr_text_case(up, false, &arena);
        assert_true(str_utf8_ok(up));
        assert_true(str_utf8_ok(down));
        assert_true(str_eq(expr_text_case(down, true, &arena), up));
    }
}

// ---- durations ----------------------------------------------------------------------------------------------------

static void durations(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 50000; seed++) {
        Rng r = rng_make(seed, 5);
        ExprValue v = {.type = EXPR_DURATION, .i = (int64_t)rng_u64(&r) >> rng_below(&r, 64)};
        if (rng_below(&r, 2)) v.i -= v.i % 1000000000;
        int64_t back = 0;
        bool ok = expr_duration_parse(expr_value_text(&v, &arena), &back);
        // the fraction is read as a double: the nanosecond is right, as the whole part is below a minute
        if (!ok || back != v.i)
            fail_msg("seed %llu: %lld, back %lld", (unsigned long long)seed, (long long)v.i, (long long)back);
        arena_reset(&arena);
    }
    static const char *const bad[] = {
        "",       "P",      "PT",       "P1M",  "PT1D", "P1H",  "P1S",           "1H",  "PT1.S", "PT.5S",
        "PT1H1H", "PT1M1H", "PT1.5H1M", "P-1D", "PT5",  "P1DT", "P99999999999D", "PTS", "--PT1S"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ns = 7;
        if (expr_duration_parse(str_of(bad[i]), &ns)) fail_msg("%s is taken", bad[i]);
    }
}

// ---- geometry -----------------------------------------------------------------------------------------------------

// By the angle between two vectors, atan2(|a x b|, a . b): well conditioned at every distance.
static double by_vectors(double lon1, double lat1, double lon2, double lat2) {
    const double rad = acos(-1) / 180;
    double a[3] = {cos(lat1 * rad) * cos(lon1 * rad), cos(lat1 * rad) * sin(lon1 * rad), sin(lat1 * rad)};
    double b[3] = {cos(lat2 * rad) * cos(lon2 * rad), cos(lat2 * rad) * sin(lon2 * rad), sin(lat2 * rad)};
    double c[3] = {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
    return EARTH_RADIUS_M *
           atan2(sqrt(c[0] * c[0] + c[1] * c[1] + c[2] * c[2]), a[0] * b[0] + a[1] * b[1] + a[2] * b[2]);
}

// To a centimetre; near antipodes the haversine loses half of the digits: to a metre.
static void distances(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        Rng r = rng_make(seed, 6);
        ExprValue a = {.type = EXPR_POINT}, b = a;
        a.point.lon = rng_f64(&r) * 360 - 180, a.point.lat = rng_f64(&r) * 180 - 90;
        b.point.lon = a.point.lon + (rng_f64(&r) - 0.5) * (rng_below(&r, 2) ? 0.01 : 360);
        b.point.lat = rng_below(&r, 2) ? a.point.lat : rng_f64(&r) * 180 - 90;
        double want = by_vectors(a.point.lon, a.point.lat, b.point.lon, b.point.lat);
        double got = expr_geo_distance(&a, &b).d;
        if (fabs(got - want) > (want > 19.9e6 ? 1 : 0.01))
            fail_msg("seed %llu: %f, %f", (unsigned long long)seed, got, want);
        assert_true(expr_geo_distance(&b, &a).d == got);
    }
}

// A convex polygon holds what lies on one side of all its edges; a smaller one inside of it is a hole.
static bool inside_convex(int n, double size, double x, double y) {
    for (int i = 0; i < n; i++) {
        double a = 2 * acos(-1) * i / n, b = 2 * acos(-1) * (i + 1) / n;
        double x0 = size * cos(a), y0 = size * sin(a), x1 = size * cos(b), y1 = size * sin(b);
        if ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) < 0) return false;
    }
    return true;
}

static void put_ring(Buf *b, int n, double size) {
    buf_byte(b, '[');
    for (int i = 0; i <= n; i++)
        buf_printf(b, "%s[%.17g,%.17g]", i ? "," : "", size * cos(2 * acos(-1) * i / n),
                   size * sin(2 * acos(-1) * i / n));
    buf_byte(b, ']');
}

static void polygons(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        Rng r = rng_make(seed, 7);
        int n = 3 + (int)rng_below(&r, 9);
        bool multi = rng_below(&r, 2) == 0;
        Buf b = {0};
        buf_printf(&b, "{\"coordinates\":%s[", multi ? "[" : "");
        put_ring(&b, n, 10);
        buf_byte(&b, ',');
        put_ring(&b, n, 4);
        buf_printf(&b, "]%s,\"type\":\"%s\"}", multi ? "]" : "", multi ? "MultiPolygon" : "Polygon");
        for (int k = 0; k < 20; k++) {
            ExprValue p = {.type = EXPR_POINT, .point = {rng_f64(&r) * 24 - 12, rng_f64(&r) * 24 - 12}},
                      area = doc(buf_str(&b));
            bool want =
                inside_convex(n, 10, p.point.lon, p.point.lat) && !inside_convex(n, 4, p.point.lon, p.point.lat);
            ExprValue got = expr_geo_within(&p, &area);
            if (got.type != EXPR_BOOL || got.b != want) fail_msg("seed %llu, point %d", (unsigned long long)seed, k);
        }
        buf_free(&b);
    }
}

// Cut or malformed GeoJSON is undefined.
static void broken_geometry(void **state) {
    (void)state;
    static const char whole[] = "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[4,0],[4,4],[0,0]]]}";
    ExprValue p = {.type = EXPR_POINT, .point = {3, 1}}, area = doc(STR(whole));
    assert_true(expr_geo_within(&p, &area).b);
    for (int64_t n = 0; n < (int64_t)sizeof whole - 1; n++) {
        area = doc((Str){whole, n});
        assert_int_equal(expr_geo_within(&p, &area).type, EXPR_UNDEFINED);
        assert_int_equal(expr_geo_point(area.s).type, EXPR_UNDEFINED);
    }
    static const char *const bad[] = {"{\"type\":\"Point\",\"coordinates\":[1]}",
                                      "{\"type\":\"Point\",\"coordinates\":[1,91]}",
                                      "{\"type\":\"Point\",\"coordinates\":[\"1\",2]}",
                                      "{\"type\":\"Point\"}",
                                      "[1,2]",
                                      "{\"coordinates\":[1,2]}",
                                      "{\"type\":\"point\",\"coordinates\":[1,2]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(expr_geo_point(str_of(bad[i])).type, EXPR_UNDEFINED);
}

// ---- documents ----------------------------------------------------------------------------------------------------

static void put_random(Buf *b, Rng *r, int depth) {
    static const char *const leaves[] = {"null", "true", "1", "-2.5", "\"a\\u00e4\\n\"", "\"\"", "1e3", "[]", "{}"};
    uint64_t kind = depth ? rng_below(r, 3) : 0;
    if (kind == 0) {
        buf_str_put(b, str_of(leaves[rng_below(r, 9)]));
        return;
    }
    buf_byte(b, kind == 1 ? '[' : '{');
    for (uint64_t i = 0, n = rng_below(r, 4); i < n; i++) {
        if (i) buf_byte(b, ',');
        if (kind == 2) buf_printf(b, "\"%s%c\":", rng_below(r, 4) ? "" : "\\u0061", (int)('a' + rng_below(r, 3)));
        put_random(b, r, depth - 1);
    }
    buf_byte(b, kind == 1 ? ']' : '}');
}

// A step into a document as the DOM takes it.
static void members(void **state) {
    (void)state;
    static const Str names[] = {{"a", 1}, {"b", 1}, {"aa", 2}, {"ab", 2}, {"", 0}};
    for (uint64_t seed = 0; seed < 5000; seed++) {
        Rng r = rng_make(seed, 8);
        Buf b = {0}, got = {0};
        put_random(&b, &r, 3);
        Json v;
        assert_int_equal(json_parse(buf_str(&b), NULL, &arena, &v, NULL), ERR_OK);
        ExprValue d = v.type >= JSON_ARRAY ? doc(buf_str(&b)) : (ExprValue){.type = EXPR_NULL};
        for (int64_t k = 0; k < 9; k++) {
            ExprSeg seg = k < 4 ? (ExprSeg){.index = k} : (ExprSeg){.name = names[k - 4], .index = -1};
            const Json *want = k >= 4                                ? json_get(&v, seg.name)
                               : v.type == JSON_ARRAY && k < v.count ? &v.items[k]
                                                                     : NULL;
            ExprValue m = expr_value_member(&d, &seg, EXPR_ANY, &arena);
            Json back;
            buf_reset(&got);
            expr_value_json(&m, &got);
            bool same = (m.type == EXPR_UNDEFINED) == (want == NULL);
            if (want)
                same =
                    same && json_parse(buf_str(&got), NULL, &arena, &back, NULL) == ERR_OK && json_equal(&back, want);
            if (!same)
                fail_msg("seed %llu, step %lld of %.*s", (unsigned long long)seed, (long long)k, STR_ARG(buf_str(&b)));
        }
        buf_free(&b);
        buf_free(&got);
        arena_reset(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(integers_and_doubles, setup, teardown),
        cmocka_unit_test_setup_teardown(lists, setup, teardown),
        cmocka_unit_test_setup_teardown(patterns, setup, teardown),
        cmocka_unit_test_setup_teardown(replacing, setup, teardown),
        cmocka_unit_test_setup_teardown(letters, setup, teardown),
        cmocka_unit_test_setup_teardown(durations, setup, teardown),
        cmocka_unit_test_setup_teardown(distances, setup, teardown),
        cmocka_unit_test_setup_teardown(polygons, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_geometry, setup, teardown),
        cmocka_unit_test_setup_teardown(members, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
