// SPDX-License-Identifier: Apache-2.0
// Files of the browser app: found by path, sent packed or not, known again, with or without a token, and never mistaken
// for what holds data.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "serve/assets.h"
#include "serve/gzip.h"
#include "serve/server.h"

#define SCRIPT "console.log('a file of the browser app');"

static Buf packed; // SCRIPT
static Asset table[4];
static char file[] = "/tmp/sosia-assets-XXXXXX";
static Sosia *engine;

// ---- one request, one answer --------------------------------------------------------------------------------------

static Buf ask(int port, const char *method, const char *path, const char *headers) {
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0);
    Buf text = {0};
    buf_printf(&text, "%s %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n%s\r\n", method, path, port,
               headers);
    assert_int_equal(write(fd, text.p, (size_t)text.n), text.n);
    buf_reset(&text);
    char room[4096];
    for (ssize_t n; (n = read(fd, room, sizeof room)) > 0;) buf_put(&text, room, n);
    close(fd);
    buf_byte(&text, 0);
    return text;
}

static int status_of(const Buf *answer) { return answer->n > 12 ? (int)strtol(answer->p + 9, NULL, 10) : 0; }
static Str body_of(const Buf *answer) {
    Str all = {answer->p, answer->n - 1};
    return str_sub(all, str_find_str(all, STR("\r\n\r\n")) + 4, all.n);
}

static void expect(int port, const char *method, const char *path, const char *headers, int status, const char *has,
                   const char *body) {
    Buf answer = ask(port, method, path, headers);
    assert_int_equal(status_of(&answer), status);
    if (has && !strstr(answer.p, has)) fail_msg("%s %s: no %s in %s", method, path, has, answer.p);
    if (body) assert_true(str_eq(body_of(&answer), str_of(body)));
    buf_free(&answer);
}

static Server *start(bool tokens, bool files) {
    ServeConfig config = {.http = STR("127.0.0.1:0"), .token_file = tokens ? file : NULL, .assets = table};
    config.asset_count = files ? 3 : 0;
    Server *s = NULL;
    Buf why = {0};
    if (serve_start(&config, engine, &s, &why) != ERR_OK) fail_msg("%.*s", (int)why.n, why.p);
    return s;
}

// ---- tests --------------------------------------------------------------------------------------------------------

static void found_by_path(void **state) {
    (void)state;
    for (int32_t n = 0; n <= 3; n++) {
        for (int32_t i = 0; i < 3; i++) {
            const Asset *a = asset_find(table, n, str_of(table[i].path));
            assert_true(i < n ? a == &table[i] : a == NULL);
        }
        assert_null(asset_find(table, n, STR("")));
        assert_null(asset_find(table, n, STR("index.htm")));
        assert_null(asset_find(table, n, STR("zzz")));
    }
    for (int i = 1; i < assets_count; i++) assert_true(strcmp(assets[i - 1].path, assets[i].path) < 0);
}

static void sent_packed_or_not(void **state) {
    (void)state;
    Server *s = start(false, true);
    int port = serve_port_http(s);
    expect(port, "GET", "/", "", 200, "cache-control: no-cache\r\n", "<!doctype html>");
    expect(port, "GET", "/", "", 200, "content-security-policy: default-src 'none'; script-src 'self';", NULL);
    // The app frames itself to show two worlds side by side; nobody else may frame it.
    expect(port, "GET", "/", "", 200, " frame-src 'self'; frame-ancestors 'self';", NULL);
    expect(port, "GET", "/index.html", "", 200, "x-content-type-options: nosniff\r\n", "<!doctype html>");
    expect(port, "GET", "/favicon.svg", "", 200, "content-type: image/svg+xml\r\n", "<svg/>");
    expect(port, "GET", "/assets/app-1a2b.js", "", 200, "content-type: text/javascript\r\n", SCRIPT);
    expect(port, "GET", "/assets/app-1a2b.js", "Accept-Encoding: br\r\n", 200, "vary: accept-encoding\r\n", SCRIPT);
    expect(port, "GET", "/assets/app-1a2b.js", "", 200, "cache-control: public, max-age=31536000, immutable\r\n", NULL);
    expect(port, "HEAD", "/assets/app-1a2b.js", "", 200, "Content-Length: 41\r\n", "");
    Buf answer = ask(port, "GET", "/assets/app-1a2b.js", "Accept-Encoding: br, gzip;q=0.5\r\n");
    assert_non_null(strstr(answer.p, "content-encoding: gzip\r\n"));
    Str body = body_of(&answer);
    assert_int_equal(body.n, packed.n);
    assert_memory_equal(body.p, packed.p, (size_t)packed.n);
    buf_free(&answer);
    serve_stop(s);
}

static void known_again(void **state) {
    (void)state;
    Server *s = start(false, true);
    int port = serve_port_http(s);
    const char *js = "/assets/app-1a2b.js";
    expect(port, "GET", js, "If-None-Match: W/\"s1\"\r\n", 304, "etag: W/\"s1\"\r\n", "");
    expect(port, "GET", js, "If-None-Match: \"x\", \"s1\"\r\nAccept-Encoding: gzip\r\n", 304, NULL, "");
    expect(port, "GET", js, "If-None-Match: *\r\n", 304, NULL, "");
    expect(port, "GET", js, "If-None-Match: \"s2\"\r\n", 200, NULL, SCRIPT);
    expect(port, "GET", "/", "If-None-Match: \"i1\"\r\n", 304, "content-security-policy", "");
    serve_stop(s);
}

static void public_and_nothing_else(void **state) {
    (void)state;
    Server *s = start(true, true);
    int port = serve_port_http(s);
    expect(port, "GET", "/", "", 200, NULL, "<!doctype html>");
    expect(port, "GET", "/assets/app-1a2b.js", "", 200, NULL, SCRIPT);
    const char *closed[] = {"/worlds", "/metrics",      "/assets/other.js", "/assets/../worlds",
                            "/assets", "//favicon.svg", "/favicon.svg/",    "/FAVICON.SVG"};
    for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++) expect(port, "GET", closed[i], "", 401, NULL, NULL);
    expect(port, "POST", "/favicon.svg", "Content-Length: 0\r\n", 401, NULL, NULL);
    expect(port, "GET", "/assets/other.js", "Authorization: Bearer alpha\r\n", 404, NULL, NULL);
    serve_stop(s);
}

static void without_files_the_simple_page(void **state) {
    (void)state;
    Server *s = start(false, false);
    int port = serve_port_http(s);
    expect(port, "GET", "/", "", 200, "<title>Sosia, live</title>", NULL);
    expect(port, "GET", "/page.js", "", 200, "content-security-policy: default-src 'none'", NULL);
    expect(port, "GET", "/index.html", "", 404, NULL, NULL);
    serve_stop(s);
}

static int set_up(void **state) {
    (void)state;
    int fd = mkstemp(file);
    if (fd < 0 || write(fd, "alpha\n", 6) != 6 || close(fd) != 0) return -1;
    gzip_pack(STR(SCRIPT), 9, &packed);
    table[0] = (Asset){.path = "assets/app-1a2b.js", .type = "text/javascript", .etag = "\"s1\"", .gzip = true};
    table[0].bytes = (const unsigned char *)packed.p;
    table[0].size = (unsigned int)packed.n;
    table[0].hashed = true;
    table[1] = (Asset){"favicon.svg", "image/svg+xml", "\"f1\"", (const unsigned char *)"<svg/>", 6, false, false};
    table[2] = (Asset){
        "index.html", "text/html; charset=utf-8", "\"i1\"", (const unsigned char *)"<!doctype html>", 15, false, false};
    return sosia_open(&(SosiaOpen){0}, &engine, NULL) == SOSIA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    sosia_close(engine);
    buf_free(&packed);
    return unlink(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_path),
        cmocka_unit_test(sent_packed_or_not),
        cmocka_unit_test(known_again),
        cmocka_unit_test(public_and_nothing_else),
        cmocka_unit_test(without_files_the_simple_page),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
