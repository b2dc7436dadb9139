// SPDX-License-Identifier: Apache-2.0
// Line protocol: the reference corpus of 2021 with all its verdicts, and our own cases for places, limits, steps and
// round trips.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/rng.h"
#include "codec/json.h"
#include "codec/lineproto.h"

// ---- the corpus ---------------------------------------------------------------------------------------------------

static bool corpus(Arena *a, Json *out) {
    const char *root = getenv("SOSIA_DATA");
    Str path = arena_printf(a, "%s/influx-line-protocol/corpus.json", root ? root : "../shared/data");
    FILE *f = fopen(path.p, "rb");
    if (!f) {
        printf("SKIP codec/lineproto: %s not found\n", path.p);
        return false;
    }
    Buf b = {0};
    char part[65536];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) buf_put(&b, part, (int64_t)n);
    fclose(f);
    Str text = arena_str(a, buf_str(&b));
    buf_free(&b);
    assert_int_equal(json_parse(text, NULL, a, out, NULL), ERR_OK);
    return true;
}

static Str base64(Arena *a, Str s) {
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = arena_alloc(a, 1, s.n, 1);
    int64_t n = 0;
    uint32_t bits = 0, have = 0;
    for (int64_t i = 0; i < s.n && s.p[i] != '='; i++) {
        bits = bits << 6 | (uint32_t)(strchr(set, s.p[i]) - set);
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out[n++] = (char)(bits >> have);
    }
    return (Str){out, n};
}

// A text of the corpus: a string, or {"binary": base64}.
static Str text_in(Arena *a, const Json *v) {
    return v->type == JSON_STRING ? v->s : base64(a, json_get(v, STR("binary"))->s);
}

static int64_t unit_of(Str precision) {
    static const struct {
        const char *text;
        int64_t ns;
    } all[] = {{"1ns", 1}, {"1\xc2\xb5s", 1000}, {"1ms", 1000000}, {"1s", 1000000000}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (str_eq(precision, str_of(all[i].text))) return all[i].ns;
    fail_msg("precision %.*s", STR_ARG(precision));
    return 1;
}

static bool same_value(Arena *a, const LpField *f, const Json *want) {
    const JsonMember *m = &want->members[0];
    const Json *v = &m->value;
    switch (f->type) {
    case LP_FLOAT: return str_eq(m->key, STR("float")) && f->d == json_f64(v);
    case LP_INT: return str_eq(m->key, STR("int")) && v->type == JSON_INT && f->i == v->i;
    case LP_UINT:
        if (!str_eq(m->key, STR("uint"))) return false;
        return v->type == JSON_INT ? f->u == (uint64_t)v->i : str_eq(v->raw, STR("18446744073709551615"));
    case LP_BOOL: return str_eq(m->key, STR("bool")) && f->b == (v->type == JSON_TRUE);
    case LP_STRING: return str_eq(m->key, STR("string")) && str_eq(f->s, text_in(a, v));
    }
    return false;
}

static bool has_tag(Arena *a, const LpPoint *p, const Json *want) {
    for (int32_t i = 0; i < p->tag_count; i++)
        if (str_eq(p->tags[i].key, text_in(a, json_get(want, STR("key")))))
            return str_eq(p->tags[i].value, text_in(a, json_get(want, STR("value"))));
    return false;
}

static bool same_point(Arena *a, const LpPoint *p, const Json *want) {
    const Json *tags = json_get(want, STR("tags")), *fields = json_get(want, STR("fields"));
    if (!str_eq(p->name, text_in(a, json_get(want, STR("name"))))) return false;
    if (p->time_ns != json_get(want, STR("time"))->i) return false;
    if (p->tag_count != tags->count || p->field_count != fields->count) return false;
    for (int32_t i = 0; i < tags->count; i++)
        if (!has_tag(a, p, &tags->items[i])) return false;
    for (int32_t i = 0; i < fields->count; i++) {
        const Json *f = &fields->items[i];
        if (!str_eq(p->fields[i].key, text_in(a, json_get(f, STR("key"))))) return false;
        if (!same_value(a, &p->fields[i], json_get(f, STR("value")))) return false;
    }
    return true;
}

// "" when the reader says what the case says.
static const char *decode_case(Arena *a, const Json *c) {
    const Json *in = json_get(c, STR("input")), *out = json_get(c, STR("output"));
    const Json *want = json_get(out, STR("result"));
    LineProto r;
    LpPoint p;
    LpGot got;
    const char *trouble = "";
    int32_t n = 0;
    bool bad = false;
    lineproto_init(&r, text_in(a, json_get(in, STR("text"))), unit_of(json_get(in, STR("precision"))->s),
                   json_get(in, STR("defaultTime"))->i, a);
    while ((got = lineproto_next(&r, &p)) != LP_END) {
        bad |= got == LP_BAD;
        if (!want || got == LP_BAD) continue;
        if (n >= want->count || !same_point(a, &p, &want->items[n++])) trouble = "another point";
    }
    if (want && bad) trouble = "refused";
    else if (want && n != want->count) trouble = "fewer points";
    else if (!want && !bad) trouble = "not refused";
    lineproto_free(&r);
    return trouble;
}

static void test_corpus_decode(void **state) {
    (void)state;
    Arena a;
    Json doc;
    arena_init(&a, 1 << 20);
    if (!corpus(&a, &doc)) skip();
    const Json *all = json_get(&doc, STR("decode"));
    assert_true(all->count >= 1824);
    int failed = 0;
    for (int32_t i = 0; i < all->count; i++) {
        const char *trouble = decode_case(&a, &all->members[i].value);
        if (!*trouble) continue;
        printf("%.*s: %s\n", STR_ARG(all->members[i].key), trouble);
        failed++;
    }
    assert_int_equal(failed, 0);
    arena_free(&a);
}

static LpPoint point_in(Arena *a, const Json *v) {
    const Json *tags = json_get(v, STR("tags")), *fields = json_get(v, STR("fields"));
    LpTag *t = NEW(a, LpTag, tags->count);
    LpField *f = NEW(a, LpField, fields->count);
    for (int32_t i = 0; i < tags->count; i++)
        t[i] = (LpTag){text_in(a, json_get(&tags->items[i], STR("key"))),
                       text_in(a, json_get(&tags->items[i], STR("value")))};
    for (int32_t i = 0; i < fields->count; i++) {
        const JsonMember *m = &json_get(&fields->items[i], STR("value"))->members[0];
        f[i].key = text_in(a, json_get(&fields->items[i], STR("key")));
        if (str_eq(m->key, STR("float"))) f[i].type = LP_FLOAT, f[i].d = json_f64(&m->value);
        else if (str_eq(m->key, STR("int"))) f[i].type = LP_INT, f[i].i = m->value.i;
        else if (str_eq(m->key, STR("uint"))) f[i].type = LP_UINT, f[i].u = (uint64_t)m->value.i;
        else if (str_eq(m->key, STR("bool"))) f[i].type = LP_BOOL, f[i].b = m->value.type == JSON_TRUE;
        else f[i].type = LP_STRING, f[i].s = text_in(a, &m->value);
    }
    return (LpPoint){.name = text_in(a, json_get(v, STR("name"))),
                     .tags = t,
                     .tag_count = tags->count,
                     .fields = f,
                     .field_count = fields->count,
                     .has_time = true,
                     .time_ns = json_get(v, STR("time"))->i};
}

static void test_corpus_encode(void **state) {
    (void)state;
    Arena a;
    Json doc;
    arena_init(&a, 1 << 20);
    if (!corpus(&a, &doc)) skip();
    const Json *all = json_get(&doc, STR("encode"));
    assert_true(all->count >= 71);
    for (int32_t i = 0; i < all->count; i++) {
        const Json *c = &all->members[i].value, *in = json_get(c, STR("input")), *out = json_get(c, STR("output"));
        const Json *want = json_get(out, STR("result"));
        LpPoint p = point_in(&a, json_get(in, STR("point")));
        Buf b = {0};
        Err err = lineproto_put(&b, &p, unit_of(json_get(in, STR("precision"))->s));
        if (!want) {
            assert_int_equal(err, ERR_ARGUMENT);
        } else {
            assert_int_equal(err, ERR_OK);
            Str got = str_sub(buf_str(&b), 0, b.n - 1);
            if (!str_eq(got, text_in(&a, want))) fail_msg("%.*s\n%.*s", STR_ARG(got), STR_ARG(text_in(&a, want)));
        }
        buf_free(&b);
    }
    arena_free(&a);
}

// ---- our own ------------------------------------------------------------------------------------------------------

typedef struct Reading {
    Arena a;
    LineProto r;
    LpPoint p;
} Reading;

static void start(Reading *x, const char *text) {
    memset(x, 0, sizeof *x);
    arena_init(&x->a, 0);
    lineproto_init(&x->r, str_of(text), 1, 42, &x->a);
}

static void stop(Reading *x) {
    lineproto_free(&x->r);
    arena_free(&x->a);
}

static void point(Reading *x) {
    if (lineproto_next(&x->r, &x->p) != LP_POINT) fail_msg("no point: %s", x->r.why ? x->r.why : "the end");
}

static void bad_at(Reading *x, int64_t line, int64_t column) {
    assert_int_equal(lineproto_next(&x->r, &x->p), LP_BAD);
    assert_int_equal(x->r.err, ERR_SYNTAX);
    assert_int_equal(x->r.bad_line, line);
    assert_int_equal(x->r.bad_column, column);
}

static void end(Reading *x) { assert_int_equal(lineproto_next(&x->r, &x->p), LP_END); }

static void is(Str got, const char *want) {
    if (!str_eq(got, str_of(want))) fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(got), want);
}

static void test_point(void **state) {
    (void)state;
    Reading x;
    start(&x, "\n  # comment\r\n weather,place=a\\ b,kind=x\\=y t=21.5,n=-3i,u=7u,ok=T,s=\"a \\\"b\\\"\nc\" 17\r\n");
    point(&x);
    is(x.p.name, "weather");
    assert_int_equal(x.p.tag_count, 2);
    is(x.p.tags[0].value, "a b");
    is(x.p.tags[1].key, "kind");
    is(x.p.tags[1].value, "x=y");
    assert_int_equal(x.p.field_count, 5);
    assert_true(x.p.fields[0].type == LP_FLOAT && x.p.fields[0].d == 21.5);
    assert_true(x.p.fields[1].type == LP_INT && x.p.fields[1].i == -3);
    assert_true(x.p.fields[2].type == LP_UINT && x.p.fields[2].u == 7);
    assert_true(x.p.fields[3].type == LP_BOOL && x.p.fields[3].b);
    assert_true(x.p.fields[4].type == LP_STRING);
    is(x.p.fields[4].s, "a \"b\"\nc");
    assert_true(x.p.has_time && x.p.time_ns == 17 && x.p.line == 3);
    end(&x);
    stop(&x);
}

static void test_bounds_of_numbers(void **state) {
    (void)state;
    Reading x;
    start(&x, "m a=9223372036854775807i,b=-9223372036854775808i,c=18446744073709551615u,d=123456789012345678901234.5,"
              "e=-1e-300,f=5.,g=-.5\nm a=9223372036854775808i\nm a=-9223372036854775809i\nm a=18446744073709551616u\n"
              "m a=-1u\nm a=1e999\nm a=NaN\nm a=0x1\nm a=.\nm a=-\nm a=i\nm a=+1\nm a=1_0\n");
    point(&x);
    assert_true(x.p.fields[0].i == INT64_MAX && x.p.fields[1].i == INT64_MIN && x.p.fields[2].u == UINT64_MAX);
    assert_true(x.p.fields[3].d == 123456789012345678901234.5 && x.p.fields[4].d == -1e-300);
    assert_true(x.p.fields[5].d == 5 && x.p.fields[6].d == -0.5);
    for (int line = 2; line <= 13; line++) bad_at(&x, line, 5);
    end(&x);
    stop(&x);
}

// The others count, and places are told.
static void test_bad_lines(void **state) {
    (void)state;
    Reading x;
    start(&x, "a x=1\nb x\nc x=1,\nd,t x=1\ne,t= x=1\nf x=1 12a\ng x=\"open\nh x=2\ni y=\"1\n2\" z\nj x=3");
    point(&x);
    is(x.p.name, "a");
    bad_at(&x, 2, 4);
    bad_at(&x, 3, 7);
    bad_at(&x, 4, 4);
    bad_at(&x, 5, 5);
    bad_at(&x, 6, 9);
    bad_at(&x, 9, 6); // the string that begins on line 7 ends here
    bad_at(&x, 10, 5);
    point(&x);
    is(x.p.name, "j");
    assert_int_equal(x.p.line, 11);
    end(&x);
    stop(&x);
}

static void test_times(void **state) {
    (void)state;
    Reading x;
    start(&x, "m x=1 5\nm x=1\nm x=1 -7\nm x=1 9223372036854775\nm x=1 9223372036854776\nm x=1 -9223372036854775808\n");
    lineproto_init(&x.r, (Str){x.r.p, x.r.end - x.r.p}, 1000, 1999, &x.a);
    point(&x);
    assert_true(x.p.has_time && x.p.time_ns == 5000);
    point(&x);
    assert_true(!x.p.has_time && x.p.time_ns == 1000);
    point(&x);
    assert_true(x.p.time_ns == -7000);
    point(&x);
    assert_true(x.p.time_ns == 9223372036854775000);
    bad_at(&x, 5, 7);
    bad_at(&x, 6, 7);
    end(&x);
    lineproto_free(&x.r);
    lineproto_init(&x.r, STR("m x=1"), 1000, -1, &x.a);
    point(&x);
    assert_true(x.p.time_ns == -1000);
    stop(&x);
}

static void test_limits(void **state) {
    (void)state;
    for (int tags = 0; tags <= 1; tags++) {
        for (int over = 0; over <= 1; over++) {
            Buf b = {0};
            int n = (tags ? LP_TAGS_MAX : LP_FIELDS_MAX) + over;
            buf_printf(&b, "m%s", tags ? "" : " ");
            for (int i = 0; i < n; i++) buf_printf(&b, tags ? ",t%d=1" : i ? ",f%d=1" : "f%d=1", i);
            buf_printf(&b, tags ? " x=1\nn x=1" : "\nn x=1%c", 0);
            if (!tags) b.n--;
            Arena a;
            LineProto r;
            LpPoint p;
            arena_init(&a, 0);
            lineproto_init(&r, buf_str(&b), 1, 0, &a);
            assert_int_equal(lineproto_next(&r, &p), over ? LP_BAD : LP_POINT);
            if (over) assert_int_equal(r.err, ERR_LIMIT);
            else assert_int_equal(tags ? p.tag_count : p.field_count, n);
            assert_int_equal(lineproto_next(&r, &p), LP_POINT);
            lineproto_free(&r);
            arena_free(&a);
            buf_free(&b);
        }
    }
}

// A caller that knows the head need not take it apart.
static void test_steps(void **state) {
    (void)state;
    Reading x;
    Str head;
    start(&x, "a\\ b,c=d\\,\\= e=1 5\nx\n\ty=1\n");
    assert_int_equal(lineproto_head(&x.r, &head), LP_POINT);
    is(head, "a\\ b,c=d\\,\\=");
    assert_int_equal(lineproto_rest(&x.r, &x.p), LP_POINT);
    assert_true(x.p.fields[0].d == 1 && x.p.time_ns == 5);
    assert_int_equal(lineproto_head(&x.r, &head), LP_POINT);
    is(head, "x");
    assert_int_equal(lineproto_rest(&x.r, &x.p), LP_BAD); // no fields
    assert_int_equal(lineproto_head(&x.r, &head), LP_POINT);
    is(head, "\ty=1");
    assert_int_equal(lineproto_tags(&x.r, head, &x.p), LP_BAD);
    end(&x);
    stop(&x);
}

static void test_what_cannot_be_written(void **state) {
    (void)state;
    LpField one = {.key = STR("x"), .type = LP_FLOAT, .d = 1}, nan = {.key = STR("x"), .type = LP_FLOAT, .d = NAN};
    LpField none = {.type = LP_BOOL}, raw = {.key = STR("x"), .type = LP_STRING, .s = STR("\xff")};
    LpTag end_tag = {STR("a"), STR("b\\")}, line_tag = {STR("a"), STR("b\nc")};
    const LpPoint all[] = {
        {.name = STR("m")},
        {.name = STR(""), .fields = &one, .field_count = 1},
        {.name = STR("#m"), .fields = &one, .field_count = 1},
        {.name = STR("m"), .fields = &nan, .field_count = 1},
        {.name = STR("m"), .fields = &none, .field_count = 1},
        {.name = STR("m"), .fields = &raw, .field_count = 1},
        {.name = STR("m"), .fields = &one, .field_count = 1, .tags = &end_tag, .tag_count = 1},
        {.name = STR("m"), .fields = &one, .field_count = 1, .tags = &line_tag, .tag_count = 1},
    };
    Buf b = {0};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) assert_int_equal(lineproto_put(&b, &all[i], 1), ERR_ARGUMENT);
    assert_int_equal(b.n, 0);
    buf_free(&b);
}

// ---- round trips by seed ------------------------------------------------------------------------------------------

static Str random_text(Rng *g, Arena *a, bool name) {
    static const char *const parts[] = {"a", "B", " ", ",", "=", "\\", "\"", "\xc3\xa9", "#", "_", "\n", "7"};
    char out[64];
    int64_t n = 0, want = (int64_t)(rng_u64(g) % 9) + name;
    for (int64_t i = 0; i < want; i++) {
        const char *s = parts[rng_u64(g) % (sizeof parts / sizeof *parts)];
        if (name && (*s == '\n' || (*s == '\\' && i == want - 1) || (*s == '#' && i == 0))) s = "x";
        memcpy(out + n, s, strlen(s));
        n += (int64_t)strlen(s);
    }
    return arena_str(a, (Str){out, n});
}

static LpField random_field(Rng *g, Arena *a) {
    LpField f = {.key = random_text(g, a, true), .type = (LpType)(rng_u64(g) % 5)};
    switch (f.type) {
    case LP_FLOAT:
        do {
            uint64_t bits = rng_u64(g);
            memcpy(&f.d, &bits, sizeof bits);
        } while (!isfinite(f.d));
        if (rng_u64(g) % 2) f.d = (double)(int64_t)(rng_u64(g) % 20000000) / 100 - 1000;
        break;
    case LP_INT: f.i = (int64_t)rng_u64(g); break;
    case LP_UINT: f.u = rng_u64(g); break;
    case LP_BOOL: f.b = rng_u64(g) % 2; break;
    case LP_STRING: f.s = random_text(g, a, false); break;
    }
    return f;
}

static bool same_field(const LpField *x, const LpField *y) {
    if (x->type != y->type || !str_eq(x->key, y->key)) return false;
    if (x->type == LP_STRING) return str_eq(x->s, y->s);
    return x->type == LP_BOOL ? x->b == y->b : x->u == y->u; // bits
}

static void test_round_trips(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        Rng g = rng_make(seed, 0);
        Arena a;
        Buf b = {0};
        LpTag tags[4];
        LpField fields[4];
        arena_init(&a, 0);
        LpPoint p = {.name = random_text(&g, &a, true), .tags = tags, .fields = fields, .has_time = true};
        p.tag_count = (int32_t)(rng_u64(&g) % 4);
        p.field_count = 1 + (int32_t)(rng_u64(&g) % 4);
        p.time_ns = (int64_t)rng_u64(&g);
        for (int32_t i = 0; i < p.tag_count; i++) {
            Str key = random_text(&g, &a, true);
            tags[i] = (LpTag){arena_printf(&a, "%d%.*s", i, STR_ARG(key)), random_text(&g, &a, true)};
        }
        for (int32_t i = 0; i < p.field_count; i++) fields[i] = random_field(&g, &a);
        if (lineproto_put(&b, &p, 1) != ERR_OK) fail_msg("seed %llu cannot be written", (unsigned long long)seed);
        LineProto r;
        LpPoint q;
        lineproto_init(&r, buf_str(&b), 1, 0, &a);
        if (lineproto_next(&r, &q) != LP_POINT)
            fail_msg("seed %llu: %s: %.*s", (unsigned long long)seed, r.why, (int)b.n, b.p);
        bool same = str_eq(p.name, q.name) && p.time_ns == q.time_ns && p.tag_count == q.tag_count &&
                    p.field_count == q.field_count;
        for (int32_t i = 0; same && i < p.tag_count; i++)
            same = str_eq(p.tags[i].key, q.tags[i].key) && str_eq(p.tags[i].value, q.tags[i].value);
        for (int32_t i = 0; same && i < p.field_count; i++) same = same_field(&p.fields[i], &q.fields[i]);
        if (!same) fail_msg("seed %llu: %.*s", (unsigned long long)seed, (int)b.n, b.p);
        assert_int_equal(lineproto_next(&r, &q), LP_END);
        lineproto_free(&r);
        arena_free(&a);
        buf_free(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus_decode),
        cmocka_unit_test(test_corpus_encode),
        cmocka_unit_test(test_point),
        cmocka_unit_test(test_bounds_of_numbers),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_what_cannot_be_written),
        cmocka_unit_test(test_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
