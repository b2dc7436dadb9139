// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/mem.h"

static void memory_is_zeroed_and_aligned(void **state) {
    (void)state;
    for (size_t n = 0; n < 300; n += 7) {
        char *p = mem_alloc(n), *page = mem_alloc_page(n + 1), zero[300] = {0};
        assert_non_null(p);
        assert_memory_equal(p, zero, n);
        assert_int_equal((uintptr_t)p & 15, 0);
        assert_int_equal((uintptr_t)page & 63, 0);
        page[n] = 1;
        p = mem_grow(p, n + 50);
        assert_memory_equal(p, zero, n);
        mem_free(p);
        mem_free(page);
    }
    mem_free(NULL);
}

static void chosen_call_fails_once(void **state) {
    (void)state;
    mem_fail_after(3);
    void *a = mem_try(8), *b = mem_grow_try(NULL, 8), *c = mem_try(8), *d = mem_grow_try(NULL, 8);
    assert_true(a && b && !c && d);
    mem_fail_after(1);
    assert_null(mem_grow_try(a, 64)); // and a is still there
    memset(a, 1, 8);
    mem_fail_after(0);
    mem_free(a);
    mem_free(b);
    mem_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_is_zeroed_and_aligned),
                                       cmocka_unit_test(chosen_call_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
