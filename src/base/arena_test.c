// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/rng.h"

typedef struct Wide {
    _Alignas(32) char c[32];
} Wide;

// Many sizes and alignments: zeroed, aligned, never overlapping, never moved, also beyond one block.
static void memory_is_zeroed_aligned_and_stays(void **state) {
    (void)state;
    enum { N = 500 };
    uint8_t *at[N];
    int64_t size[N];
    Arena a;
    arena_init(&a, 256);
    Rng r = rng_make(1, 0);
    for (int i = 0; i < N; i++) {
        size_t align = (size_t)1 << rng_below(&r, 6);
        size[i] = (int64_t)rng_below(&r, i % 50 ? 90 : 2000);
        at[i] = arena_alloc(&a, 1, size[i], align);
        assert_non_null(at[i]);
        assert_int_equal((uintptr_t)at[i] & (align - 1), 0);
        for (int64_t k = 0; k < size[i]; k++) assert_int_equal(at[i][k], 0);
        memset(at[i], i & 0xff, (size_t)size[i]);
    }
    for (int i = 0; i < N; i++) {
        for (int64_t k = 0; k < size[i]; k++) assert_int_equal(at[i][k], i & 0xff);
    }
    Wide *w = NEW(&a, Wide, 3);
    assert_int_equal((uintptr_t)w & 31, 0);
    arena_free(&a);
    assert_int_equal(a.used, 0);
}

static void reset_reuses_the_newest_block(void **state) {
    (void)state;
    Arena a;
    arena_init(&a, 0);
    char *first = arena_alloc(&a, 1, 100, 1);
    memset(first, 'x', 100);
    arena_reset(&a);
    assert_int_equal(a.used, 0);
    char *again = arena_alloc(&a, 1, 100, 1);
    assert_ptr_equal(first, again);
    assert_int_equal(again[99], 0); // zeroed once more
    arena_reset(&a);
    arena_free(&a);
    arena_free(&a); // an empty one is fine
}

static void text_is_copied_with_a_nul(void **state) {
    (void)state;
    Arena a;
    arena_init(&a, 64);
    char text[] = "plant";
    Str s = arena_str(&a, (Str){text, 5});
    text[0] = 'X';
    assert_string_equal(s.p, "plant");
    assert_int_equal(arena_str(&a, (Str){0}).n, 0);
    Str p = arena_printf(&a, "%s %0500d", "long", 7);
    assert_int_equal(p.n, 505);
    assert_int_equal(p.p[504], '7');
    assert_int_equal(p.p[505], 0);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_stays),
        cmocka_unit_test(reset_reuses_the_newest_block),
        cmocka_unit_test(text_is_copied_with_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
