// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "serve/url.h"

#define assert_str(a, b) assert_true(str_eq((a), (b)))

static void path_is_split_before_decoding(void **state) {
    (void)state;
    UrlPath p;
    assert_int_equal(url_split(STR("/digitaltwins/a%2Fb/components/c"), &p), ERR_OK);
    assert_int_equal(p.count, 4);
    assert_str(p.seg[1], STR("a%2Fb"));
    char room[16];
    Str id;
    assert_int_equal(url_decode(p.seg[1], false, room, &id), ERR_OK);
    assert_str(id, STR("a/b"));
}

static void path_edges(void **state) {
    (void)state;
    UrlPath p;
    assert_int_equal(url_split(STR("/"), &p), ERR_OK);
    assert_int_equal(p.count, 0);
    assert_int_equal(url_split(STR("/models/"), &p), ERR_OK);
    assert_int_equal(p.count, 1);
    assert_int_equal(url_split(STR("//x"), &p), ERR_OK);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.seg[0].n, 0);
    assert_int_equal(url_split(STR("http://localhost:80/models"), &p), ERR_OK);
    assert_int_equal(p.count, 1);
    assert_str(p.seg[0], STR("models"));
    assert_int_equal(url_split(STR("https://h"), &p), ERR_OK);
    assert_int_equal(p.count, 0);
    assert_int_equal(url_split(STR(""), &p), ERR_NO_ROUTE);
    assert_int_equal(url_split(STR("*"), &p), ERR_NO_ROUTE);
    assert_int_equal(url_split(STR("models"), &p), ERR_NO_ROUTE);
    assert_int_equal(url_split(STR("/1/2/3/4/5/6/7/8/9/10/11/12"), &p), ERR_OK);
    assert_int_equal(p.count, 12);
    assert_int_equal(url_split(STR("/1/2/3/4/5/6/7/8/9/10/11/12/13"), &p), ERR_NO_ROUTE);
    assert_int_equal(url_split(STR("/a/../b/."), &p), ERR_OK); // dots are ids like any other
    assert_int_equal(p.count, 4);
}

static void decoding(void **state) {
    (void)state;
    char room[64];
    Str s;
    assert_int_equal(url_decode(STR("plain"), false, room, &s), ERR_OK);
    assert_true(s.p != room);
    assert_int_equal(url_decode(STR("dtmi%3aa%3Ab%3B1"), false, room, &s), ERR_OK);
    assert_str(s, STR("dtmi:a:b;1"));
    assert_int_equal(url_decode(STR("a+b"), false, room, &s), ERR_OK);
    assert_str(s, STR("a+b"));
    assert_int_equal(url_decode(STR("a+b%2B"), true, room, &s), ERR_OK);
    assert_str(s, STR("a b+"));
    assert_int_equal(url_decode(STR("%C3%A9"), false, room, &s), ERR_OK);
    assert_str(s, STR("\xC3\xA9"));
    Str before = s;
    assert_int_equal(url_decode(STR("%C3"), false, room, &s), ERR_ARGUMENT); // half a character
    assert_int_equal(url_decode(STR("100%"), false, room, &s), ERR_ARGUMENT);
    assert_int_equal(url_decode(STR("%4"), false, room, &s), ERR_ARGUMENT);
    assert_int_equal(url_decode(STR("%zz"), false, room, &s), ERR_ARGUMENT);
    assert_int_equal(url_decode(STR("\xff"), false, room, &s), ERR_ARGUMENT);
    assert_true(s.p == before.p && s.n == before.n);
}

static void query_pairs(void **state) {
    (void)state;
    Str rest = STR("&a=1&&b&c=&=d&e=f=g&"), key, value;
    const char *want[][2] = {{"a", "1"}, {"b", ""}, {"c", ""}, {"", "d"}, {"e", "f=g"}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_true(url_query_next(&rest, &key, &value));
        assert_str(key, str_of(want[i][0]));
        assert_str(value, str_of(want[i][1]));
    }
    assert_false(url_query_next(&rest, &key, &value));
}

static void encoding_round_trips(void **state) {
    (void)state;
    char all[256], room[1024];
    Buf out = {0};
    for (int i = 0; i < 128; i++) all[i] = (char)i;
    url_encode((Str){all, 128}, &out);
    for (int64_t i = 0; i < out.n; i++) assert_true(out.p[i] > ' ' && out.p[i] != '/' && out.p[i] != '+');
    Str back;
    assert_int_equal(url_decode(buf_str(&out), true, room, &back), ERR_OK);
    assert_int_equal(back.n, 128);
    assert_memory_equal(back.p, all, 128);
    buf_free(&out);
}

static void etag_lists(void **state) {
    (void)state;
    const char *good[] = {"*", " * ", "\"a\"", "W/\"a\"", "W/\"a\", \"b\"", "W/\"a,b\"", ",\"a\",", "\"\""};
    const char *bad[] = {"", "a", "W/a", "\"a", "a\"", "W/\"a\" x", "\"a\"\"b\"", "*, \"a\"", "w/\"a\"", "\"", ","};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) assert_true(etag_list_ok(str_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(etag_list_ok(str_of(bad[i])));
    Str rest = STR(" W/\"a,b\" ,, \"c\""), item;
    assert_true(header_list_next(&rest, &item));
    assert_str(item, STR("W/\"a,b\""));
    assert_true(header_list_next(&rest, &item));
    assert_str(item, STR("\"c\""));
    assert_false(header_list_next(&rest, &item));
}

static void hosts(void **state) {
    (void)state;
    Str name, port;
    assert_true(host_split(STR("localhost:8080"), &name, &port));
    assert_str(name, STR("localhost"));
    assert_str(port, STR("8080"));
    assert_true(host_split(STR("[::1]:1"), &name, &port));
    assert_str(name, STR("::1"));
    assert_true(host_split(STR("h"), &name, &port));
    assert_int_equal(port.n, 0);
    assert_false(host_split(STR(""), &name, &port));
    assert_false(host_split(STR(":80"), &name, &port));
    assert_false(host_split(STR("h:x"), &name, &port));
    assert_false(host_split(STR("h:70000"), &name, &port));
    assert_false(host_split(STR("[::1"), &name, &port));
    assert_false(host_split(STR("[::1]x"), &name, &port));
    const char *loop[] = {"localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "a.localhost"};
    const char *far[] = {"",        "localhost.evil.example", "128.0.0.1", "::2",
                         "0.0.0.0", "127.0.0.1.evil.example", "xlocalhost"};
    for (size_t i = 0; i < sizeof loop / sizeof loop[0]; i++) assert_true(host_is_loopback(str_of(loop[i])));
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) assert_false(host_is_loopback(str_of(far[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_is_split_before_decoding),
        cmocka_unit_test(path_edges),
        cmocka_unit_test(decoding),
        cmocka_unit_test(query_pairs),
        cmocka_unit_test(encoding_round_trips),
        cmocka_unit_test(etag_lists),
        cmocka_unit_test(hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
