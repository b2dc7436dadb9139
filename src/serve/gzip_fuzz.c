// SPDX-License-Identifier: Apache-2.0
// Bytes in, unpacked bytes out: never more than asked for, and the same again the second time.
#include "base/check.h"
#include "serve/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str in = {(const char *)data, (int64_t)size};
    Buf a = {0}, b = {0};
    Err err = gzip_unpack(in, 1 << 20, &a);
    CHECK(err == ERR_OK || err == ERR_SYNTAX || err == ERR_TOO_LARGE);
    CHECK(err == ERR_TOO_LARGE || a.n <= 1 << 20);
    CHECK(gzip_unpack(in, 1 << 20, &b) == err && str_eq(buf_str(&a), buf_str(&b)));
    buf_free(&a);
    buf_free(&b);
    return 0;
}
