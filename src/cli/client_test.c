// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "cli/client.h"

static void assert_str(Str got, const char *want) {
    Str w = str_of(want);
    assert_int_equal(got.n, w.n);
    assert_memory_equal(got.p, w.p, (size_t)w.n);
}

static void test_escape(void **state) {
    (void)state;
    Buf b = {0};
    url_escape(STR("aZ09-._~ /?%;\"é"), &b);
    assert_str(buf_str(&b), "aZ09-._~%20%2F%3F%25%3B%22%C3%A9");
    buf_free(&b);
}

static void test_wire_codes(void **state) {
    (void)state;
    assert_int_equal(err_from_wire(404, STR("DigitalTwinNotFound")), ERR_TWIN_NOT_FOUND);
    assert_int_equal(err_from_wire(404, STR("ModelNotFound")), ERR_MODEL_NOT_FOUND);
    assert_int_equal(err_exit(err_from_wire(412, STR("PreconditionFailed"))), 6);
    assert_int_equal(err_http(err_from_wire(404, STR("SomethingNew"))), 404);
    assert_int_equal(err_http(err_from_wire(401, (Str){0})), 401);
    assert_int_equal(err_from_wire(418, STR("Teapot")), ERR_IO);
    for (int e = 1; e < SOSIA_ERR_COUNT; e++) { // every row of the table keeps its exit code over the wire
        Err back = err_from_wire(err_http((Err)e), str_of(err_wire((Err)e)));
        assert_int_equal(err_http(back), err_http((Err)e));
        assert_string_equal(err_wire(back), err_wire((Err)e));
    }
}

static void test_paths(void **state) {
    (void)state;
    Client c;
    Str parts[] = {STR("a/b"), STR("drive")};
    assert_int_equal(client_open(&c, &(Common){.url = STR("http://host:1//")}), ERR_OK);
    assert_str(c.url, "http://host:1");
    assert_str(client_path(&c, "/digitaltwins/{}/components/{}", parts),
               "/digitaltwins/a%2Fb/components/drive?api-version=2023-10-31");
    assert_str(client_path(&c, "//worlds", NULL), "/worlds?api-version=2023-10-31");
    client_close(&c);
    assert_int_equal(client_open(&c, &(Common){.world = STR("my fork")}), ERR_OK);
    assert_str(client_path(&c, "/models?x={}", parts), "/worlds/my%20fork/models?x=a%2Fb&api-version=2023-10-31");
    assert_str(client_path(&c, "//worlds/{}", parts + 1), "/worlds/drive?api-version=2023-10-31");
    client_close(&c);
    assert_int_equal(client_open(&c, &(Common){.world = STR("live")}), ERR_OK);
    assert_str(client_path(&c, "/models", NULL), "/models?api-version=2023-10-31");
    client_close(&c);
}

static void test_environment(void **state) {
    (void)state;
    Client c;
    setenv("SOSIA_URL", "https://example:9/", 1);
    assert_int_equal(client_open(&c, &(Common){0}), ERR_OK);
    assert_str(c.url, "https://example:9");
    client_close(&c);
    setenv("SOSIA_URL", "ftp://example", 1);
    tell_as_json(true);
    assert_int_equal(client_open(&c, &(Common){0}), ERR_ARGUMENT);
    client_close(&c);
    unsetenv("SOSIA_URL");
    assert_int_equal(client_open(&c, &(Common){0}), ERR_OK);
    assert_str(c.url, URL_DEFAULT);
    client_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_wire_codes),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
