// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/crc32c.h"
#include "base/rng.h"

typedef struct Known {
    const char *name;
    uint8_t bytes[48];
    int64_t n;
    uint32_t crc;
} Known;

// Vectors of RFC 3720, appendix B.4, and the customary check of "123456789".
static void known_answers(void **state) {
    (void)state;
    Known k[6] = {{"zeros", {0}, 32, 0x8A9136AA}, {"ones", {0}, 32, 0x62A8AB43},  {"up", {0}, 32, 0x46DD794E},
                  {"down", {0}, 32, 0x113FDB5C},  {"digits", {0}, 9, 0xE3069283}, {"scsi", {0}, 48, 0xD9963A56}};
    memset(k[1].bytes, 0xff, 32);
    for (int i = 0; i < 32; i++) {
        k[2].bytes[i] = (uint8_t)i;
        k[3].bytes[i] = (uint8_t)(31 - i);
    }
    memcpy(k[4].bytes, "123456789", 9);
    const uint8_t scsi[48] = {1, 0xC0, [16] = 0x14, [22] = 4, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 2};
    memcpy(k[5].bytes, scsi, 48);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(crc32c(0, k[i].bytes, k[i].n), k[i].crc);
        assert_int_equal(crc32c_portable(0, k[i].bytes, k[i].n), k[i].crc);
    }
    assert_int_equal(crc32c(0, "", 0), 0);
}

// Both forms agree on any cut, any alignment, and continue where they stopped.
static void forms_agree(void **state) {
    (void)state;
    uint8_t bytes[4096];
    Rng r = rng_make(1, 1);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)rng_u32(&r);
    for (int round = 0; round < 2000; round++) {
        int64_t at = (int64_t)rng_below(&r, 64), n = (int64_t)rng_below(&r, sizeof bytes - 64);
        int64_t cut = n ? (int64_t)rng_below(&r, (uint64_t)n) : 0;
        uint32_t whole = crc32c_portable(0, bytes + at, n);
        assert_int_equal(crc32c(0, bytes + at, n), whole);
        assert_int_equal(crc32c(crc32c(0, bytes + at, cut), bytes + at + cut, n - cut), whole);
        assert_int_equal(crc32c_portable(crc32c_portable(0, bytes + at, cut), bytes + at + cut, n - cut), whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_answers), cmocka_unit_test(forms_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
