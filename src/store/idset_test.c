// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "store/idset.h"

// Random subsets of 1..400 against a plain array of flags: order, find, minus, within, bytes and back.
static void against_flags(void **state) {
    (void)state;
    Rng r = rng_make(7, 0);
    for (int round = 0; round < 300; round++) {
        bool in_a[401] = {0}, in_b[401] = {0};
        IdSet a = {0}, b = {0}, minus = {0}, back = {0};
        for (uint64_t n = rng_below(&r, 400), i = 0; i < n; i++) {
            uint64_t id = 1 + rng_below(&r, 400);
            in_a[id] = true;
            idset_add(&a, id);
            if (rng_below(&r, 3)) idset_add(&b, id), in_b[id] = true;
        }
        if (round % 3) idset_add(&b, 400), in_b[400] = true;
        idset_sort(&a);
        idset_sort(&b);
        idset_minus(&a, &b, &minus);
        bool within = true;
        for (uint64_t id = 1; id <= 400; id++) {
            assert_int_equal(idset_find(&a, id) >= 0, in_a[id]);
            assert_int_equal(idset_find(&minus, id) >= 0, in_a[id] && !in_b[id]);
            if (in_b[id] && !in_a[id]) within = false;
        }
        assert_int_equal(idset_within(&b, &a), within);
        Buf bytes = {0};
        idset_encode(&a, &bytes);
        assert_int_equal(idset_decode(buf_str(&bytes), &back), ERR_OK);
        assert_int_equal(back.count, a.count);
        for (int64_t i = 0; i < a.count; i++) assert_int_equal(back.ids[i], a.ids[i]);
        idset_free(&a), idset_free(&b), idset_free(&minus), idset_free(&back), buf_free(&bytes);
    }
}

// Cut short, run on, repeated or overflowing ids are refused and leave nothing behind.
static void bad_bytes(void **state) {
    (void)state;
    IdSet s = {0};
    assert_int_equal(idset_decode(STR(""), &s), ERR_CORRUPT);
    assert_int_equal(idset_decode(STR("\x02\x01"), &s), ERR_CORRUPT);
    assert_int_equal(idset_decode(STR("\x01\x01\x01"), &s), ERR_CORRUPT);
    assert_int_equal(idset_decode(STR("\x02\x01\x00"), &s), ERR_CORRUPT);
    assert_int_equal(idset_decode(STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &s), ERR_CORRUPT);
    assert_int_equal(idset_decode(STR("\x02\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &s), ERR_CORRUPT);
    assert_int_equal(s.count, 0);
    assert_null(s.ids);
    assert_int_equal(idset_decode(STR("\0"), &s), ERR_OK);
    assert_int_equal(s.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_flags), cmocka_unit_test(bad_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
