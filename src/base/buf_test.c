// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"

static void appends_and_prints(void **state) {
    (void)state;
    Buf b = {0};
    buf_str_put(&b, STR("a"));
    buf_byte(&b, '-');
    buf_put(&b, "zz", 0);
    buf_printf(&b, "%d%s", 12, "");
    for (int i = 0; i < 1000; i++) buf_printf(&b, "%03d", i);
    assert_int_equal(b.n, 4 + 3000);
    assert_memory_equal(b.p, "a-12000001002", 13);
    assert_false(b.full);
    buf_reset(&b);
    assert_int_equal(buf_str(&b).n, 0);
    buf_free(&b);
    buf_str_put(&b, STR("again"));
    assert_true(str_eq(buf_str(&b), STR("again")));
    buf_free(&b);
}

// At the maximum the buffer turns full and keeps what it had, whichever call comes next.
static void maximum_makes_it_full(void **state) {
    (void)state;
    Buf b = {.max = 10};
    buf_put(&b, "0123456789", 10);
    assert_false(b.full);
    buf_byte(&b, 'x');
    assert_true(b.full);
    buf_put(&b, "y", 1);
    buf_printf(&b, "z");
    buf_varint(&b, 1);
    assert_true(str_eq(buf_str(&b), STR("0123456789")));
    buf_reset(&b);
    buf_byte(&b, 'n');
    assert_true(!b.full && b.n == 1);
    buf_free(&b);
    assert_int_equal(b.max, 10);
}

static void no_memory_makes_it_full(void **state) {
    (void)state;
    for (int64_t at = 1; at <= 3; at++) {
        Buf b = {0};
        mem_fail_after(at);
        for (int i = 0; i < 400; i++) buf_byte(&b, 'a'); // grows at 1, 65, 129, 257
        mem_fail_after(0);
        assert_true(b.full);
        assert_int_equal(b.n, at == 1 ? 0 : at == 2 ? 64 : 128);
        buf_free(&b);
    }
}

static void numbers_come_back(void **state) {
    (void)state;
    static const uint64_t edges[] = {0, 1, 127, 128, 16383, 16384, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
    Rng r = rng_make(7, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t v = i < 9 ? edges[i] : rng_u64(&r) >> rng_below(&r, 64);
        Buf b = {0};
        buf_varint(&b, v);
        assert_in_range(b.n, 1, 10);
        buf_varint_signed(&b, (int64_t)v);
        buf_varint_signed(&b, -(int64_t)(v >> 1));
        buf_u32(&b, (uint32_t)v);
        buf_u64(&b, v);
        buf_byte(&b, (char)v);
        buf_str_put(&b, STR("tail"));
        Cut c = cut_of(buf_str(&b));
        assert_true(cut_varint(&c) == v);
        assert_true(cut_varint_signed(&c) == (int64_t)v);
        assert_true(cut_varint_signed(&c) == -(int64_t)(v >> 1));
        assert_true(cut_u32(&c) == (uint32_t)v);
        assert_true(cut_u64(&c) == v);
        assert_true(cut_byte(&c) == (uint8_t)v);
        assert_true(str_eq(cut_bytes(&c, 4), STR("tail")));
        assert_true(!c.bad && c.p == c.end);
        buf_free(&b);
    }
}

// Every cut of a valid encoding is noticed; afterwards reads give zero.
static void cut_bytes_turn_bad(void **state) {
    (void)state;
    Buf b = {0};
    buf_varint(&b, UINT64_MAX);
    buf_u64(&b, 5);
    for (int64_t n = 0; n < b.n; n++) {
        Cut c = cut_of((Str){b.p, n});
        (void)cut_varint(&c);
        assert_true(n < 10 ? c.bad : !c.bad);
        assert_true(cut_u64(&c) == 0 && c.bad);
        assert_int_equal(cut_bytes(&c, 1).n, 0);
        assert_int_equal(cut_byte(&c), 0);
        assert_int_equal(cut_varint(&c), 0);
    }
    buf_free(&b);
}

static void malformed_numbers_turn_bad(void **state) {
    (void)state;
    Cut c = cut_of(STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")); // bit 65
    assert_true(cut_varint(&c) == 0 && c.bad);
    c = cut_of(STR("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")); // eleven bytes
    assert_true(cut_varint(&c) == 0 && c.bad);
    c = cut_of(STR("abc"));
    assert_int_equal(cut_bytes(&c, -1).n, 0);
    assert_true(c.bad);
    c = cut_of(STR("abc"));
    assert_true(cut_u32(&c) == 0 && c.bad);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_prints),      cmocka_unit_test(maximum_makes_it_full),
        cmocka_unit_test(no_memory_makes_it_full), cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(cut_bytes_turn_bad),      cmocka_unit_test(malformed_numbers_turn_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
