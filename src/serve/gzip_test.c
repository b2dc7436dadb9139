// SPDX-License-Identifier: Apache-2.0
// Unpacking: round trips of any size, members in a row, every cut and many damages refused, the bound.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>
#include "base/rng.h"
#include "serve/gzip.h"

static Buf pack(const char *p, int64_t n) {
    z_stream z;
    memset(&z, 0, sizeof z);
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    Buf out = {0};
    int64_t room = (int64_t)deflateBound(&z, (uLong)n) + 64;
    assert_true(buf_reserve(&out, room));
    z.next_in = (Bytef *)(uintptr_t)p;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out.p;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.n = (int64_t)z.total_out;
    deflateEnd(&z);
    return out;
}

static char *text_of(int64_t n, Rng *rng) {
    char *p = malloc((size_t)n + 1);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++) p[i] = (char)('a' + rng_below(rng, 4));
    return p;
}

static void test_round_trip(void **state) {
    (void)state;
    Rng rng = rng_make(5, 0);
    static const int64_t sizes[] = {0, 1, 65535, 65536, 65537, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *p = text_of(sizes[i], &rng);
        Buf packed = pack(p, sizes[i]), twice = {0}, out = {0};
        buf_str_put(&twice, buf_str(&packed));
        buf_str_put(&twice, buf_str(&packed));
        assert_int_equal(gzip_unpack(buf_str(&packed), GZIP_UNPACKED_MAX, &out), ERR_OK);
        assert_int_equal(out.n, sizes[i]);
        if (out.n) assert_memory_equal(out.p, p, (size_t)out.n);
        buf_reset(&out);
        assert_int_equal(gzip_unpack(buf_str(&twice), GZIP_UNPACKED_MAX, &out), ERR_OK);
        assert_int_equal(out.n, 2 * sizes[i]);
        buf_free(&packed);
        buf_free(&twice);
        buf_free(&out);
        free(p);
    }
}

// Cut anywhere it is refused, with a byte changed it is refused or gives the same.
static void test_damage(void **state) {
    (void)state;
    Rng rng = rng_make(6, 0);
    char *p = text_of(300, &rng);
    Buf packed = pack(p, 300);
    for (int64_t n = 0; n < packed.n; n++) {
        Buf out = {0};
        assert_int_equal(gzip_unpack((Str){packed.p, n}, GZIP_UNPACKED_MAX, &out), ERR_SYNTAX);
        buf_free(&out);
    }
    for (int64_t i = 0; i < packed.n; i++) {
        Buf out = {0};
        packed.p[i] ^= 0x10;
        Err err = gzip_unpack(buf_str(&packed), GZIP_UNPACKED_MAX, &out);
        packed.p[i] ^= 0x10;
        if (err == ERR_OK) assert_true(out.n == 300 && memcmp(out.p, p, 300) == 0);
        buf_free(&out);
    }
    buf_free(&packed);
    free(p);
}

static void test_bound(void **state) {
    (void)state;
    char *p = calloc(1, 5000000);
    assert_non_null(p);
    Buf packed = pack(p, 5000000), out = {0};
    assert_true(packed.n < 10000);
    assert_int_equal(gzip_unpack(buf_str(&packed), 1000000, &out), ERR_TOO_LARGE);
    assert_true(out.cap < 4000000);
    buf_reset(&out);
    assert_int_equal(gzip_unpack(buf_str(&packed), 5000000, &out), ERR_OK);
    buf_free(&packed);
    buf_free(&out);
    free(p);
}

static void test_accepted(void **state) {
    (void)state;
    const char *yes[] = {"gzip",        "GZIP",        "deflate, gzip;q=1.0, br", " br , gzip ;q=0.001", "*", "x-gzip",
                         "br, *;q=0.1", "gzip;level=9"};
    const char *no[] = {"",        "identity", "gzip;q=0", "gzip; q=0.000", "*;q=0", "gzip;q=0, *",
                        "gzipped", ",;,",      "gzip;q=x"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) assert_true(gzip_accepted(str_of(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) assert_false(gzip_accepted(str_of(no[i])));
    assert_false(gzip_accepted((Str){0}));
}

static void test_pack(void **state) {
    (void)state;
    Rng rng = rng_make(6, 0);
    const int64_t sizes[] = {0, 1, 65536, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *text = text_of(sizes[i], &rng);
        Buf packed = {0}, back = {0};
        gzip_pack((Str){text, sizes[i]}, 1 + (int)i, &packed);
        assert_int_equal(gzip_unpack(buf_str(&packed), sizes[i] + 65536, &back), ERR_OK);
        assert_int_equal(back.n, sizes[i]);
        assert_memory_equal(back.p, text, (size_t)sizes[i]);
        buf_free(&packed);
        buf_free(&back);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_accepted),
                                       cmocka_unit_test(test_pack), cmocka_unit_test(test_damage),
                                       cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
