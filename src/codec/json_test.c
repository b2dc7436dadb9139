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

__attribute__((unused)) static void check_prints(const char *text, const char *want) {
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suite_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
