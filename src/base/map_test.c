// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/map.h"
#include "base/rng.h"

enum { KEYS = 700 };

static char text[KEYS][16];

static Str key(int i) { return (Str){text[i], snprintf(text[i], sizeof text[i], "k%d", i * 7919)}; }

// Random puts, replacements, deletions and lookups against a plain array.
static void equals_an_array(void **state) {
    (void)state;
    int64_t value[KEYS], out;
    bool there[KEYS] = {0};
    int64_t count = 0;
    Map m = {0};
    Rng r = rng_make(3, 0);
    for (int step = 0; step < 60000; step++) {
        int i = (int)rng_below(&r, KEYS), full = step / 10000 % 2; // grow, shrink, grow ...
        if (rng_below(&r, 10) < (full ? 3u : 7u)) {
            value[i] = (int64_t)rng_u64(&r);
            count += !there[i];
            there[i] = true;
            map_put(&m, key(i), value[i]);
        } else {
            assert_int_equal(map_del(&m, key(i)), there[i]);
            count -= there[i];
            there[i] = false;
        }
        assert_int_equal(m.count, count);
        int k = (int)rng_below(&r, KEYS);
        out = -5;
        assert_int_equal(map_get(&m, key(k), &out), there[k]);
        assert_true(out == (there[k] ? value[k] : -5)); // untouched when absent
    }
    for (int k = 0; k < KEYS; k++) {
        assert_int_equal(map_get(&m, key(k), &out), there[k]);
        if (there[k]) assert_true(out == value[k]);
    }
    map_free(&m);
}

static void empty_map_and_odd_keys(void **state) {
    (void)state;
    Map m = {0};
    int64_t out = 9;
    assert_false(map_get(&m, STR("a"), &out));
    assert_false(map_del(&m, STR("a")));
    map_put(&m, (Str){0}, 1);
    map_put(&m, STR("a\0b"), 2);
    map_put(&m, STR("a\0c"), 3);
    assert_true(map_get(&m, STR(""), &out) && out == 1);
    assert_true(map_get(&m, STR("a\0b"), &out) && out == 2);
    assert_true(map_get(&m, STR("a\0c"), &out) && out == 3);
    assert_false(map_get(&m, STR("a"), &out));
    map_free(&m);
    map_put(&m, STR("again"), 4);
    assert_true(map_get(&m, STR("again"), &out) && out == 4);
    map_free(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_an_array), cmocka_unit_test(empty_map_and_odd_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
