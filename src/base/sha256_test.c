// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/mem.h"
#include "base/sha256.h"

// NIST's example messages (one block, two blocks), the empty one, and a million times "a".
static void known_answers(void **state) {
    (void)state;
    char hex[65];
    sha256_hex(STR("abc"), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex((Str){0}, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_hex(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *many = mem_alloc(1000000);
    memset(many, 'a', 1000000);
    sha256_hex((Str){many, 1000000}, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    mem_free(many);
}

// Where the length just fits the last block and where it does not, all hashes differ.
static void ends(void **state) {
    (void)state;
    char text[130], hex[130][65];
    memset(text, 'x', sizeof text);
    for (int n = 0; n < 130; n++) {
        sha256_hex((Str){text, n}, hex[n]);
        for (int k = 0; k < n; k++) assert_string_not_equal(hex[n], hex[k]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_answers), cmocka_unit_test(ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
