// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "store/blob.h"

static void fill(Buf *b, Rng *r, int64_t n, uint32_t mask) {
    buf_reset(b);
    for (int64_t i = 0; i < n; i++) buf_byte(b, (char)(rng_u32(r) & mask));
}

// Any bytes come back; bytes that repeat take less room, random ones five bytes more than they are.
static void round_trip(void **state) {
    (void)state;
    Rng r = rng_make(3, 0);
    Zip z = {0};
    Buf bytes = {0}, blob = {0}, back = {0};
    for (int64_t n = 0; n < 40000; n = n * 2 + 1) {
        for (uint32_t mask = 1; mask <= 0xff; mask = mask * 256 - 1) {
            fill(&bytes, &r, n, mask);
            buf_reset(&blob), buf_reset(&back);
            blob_pack(&z, 77, buf_str(&bytes), &blob);
            assert_true(blob.n <= n + 5);
            if (n > 1000 && mask == 1) assert_true(blob.n < n / 2);
            assert_int_equal(blob_unpack(&z, 77, buf_str(&blob), &back), ERR_OK);
            assert_true(str_eq(buf_str(&back), buf_str(&bytes)));
        }
    }
    zip_free(&z), buf_free(&bytes), buf_free(&blob), buf_free(&back);
}

// Every single flipped bit, every cut and another id are noticed.
static void damage(void **state) {
    (void)state;
    Rng r = rng_make(4, 0);
    Zip z = {0};
    Buf bytes = {0}, blob = {0}, back = {0};
    for (uint32_t mask = 1; mask <= 0xff; mask = mask * 256 - 1) {
        fill(&bytes, &r, 300, mask);
        buf_reset(&blob);
        blob_pack(&z, 5, buf_str(&bytes), &blob);
        for (int64_t bit = 0; bit < blob.n * 8; bit++) {
            blob.p[bit / 8] = (char)(blob.p[bit / 8] ^ (1 << (bit % 8)));
            assert_int_equal(blob_unpack(&z, 5, buf_str(&blob), &back), ERR_CORRUPT);
            blob.p[bit / 8] = (char)(blob.p[bit / 8] ^ (1 << (bit % 8)));
        }
        for (int64_t n = 0; n < blob.n; n++) assert_int_equal(blob_unpack(&z, 5, (Str){blob.p, n}, &back), ERR_CORRUPT);
        assert_int_equal(blob_unpack(&z, 6, buf_str(&blob), &back), ERR_CORRUPT);
        assert_int_equal(back.n, 0);
    }
    zip_free(&z), buf_free(&bytes), buf_free(&blob), buf_free(&back);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(damage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
