// SPDX-License-Identifier: Apache-2.0
// Bytes in, a block out. As they are, they are refused unless their check fits; with a check that fits they are refused
// or give a block, which packs and unpacks to itself.
#include "base/check.h"
#include "store/blob.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(Zip *z, Str bytes) {
    Buf blob = {0}, back = {0};
    blob_pack(z, 9, bytes, &blob);
    CHECK(blob.n <= bytes.n + BLOB_HEAD);
    CHECK(blob_unpack(z, 9, buf_str(&blob), &back) == ERR_OK);
    CHECK(str_eq(buf_str(&back), bytes));
    buf_free(&blob);
    buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Zip z = {0};
    Buf blob = {0}, out = {.max = 1 << 20};
    buf_put(&blob, data, (int64_t)size);
    if (blob_unpack(&z, 9, buf_str(&blob), &out) != ERR_OK) CHECK(out.n == 0);
    if (size >= BLOB_HEAD) {
        buf_reset(&out);
        uint32_t crc = check_of(9, data[0], data + BLOB_HEAD, (int64_t)size - BLOB_HEAD);
        for (int i = 0; i < 4; i++) blob.p[1 + i] = (char)(uint8_t)(crc >> (8 * i));
        Err e = blob_unpack(&z, 9, buf_str(&blob), &out);
        CHECK(e == ERR_OK || (out.n == 0 && (e == ERR_CORRUPT || e == ERR_LIMIT)));
        if (e == ERR_OK) check_again(&z, buf_str(&out));
    }
    zip_free(&z);
    buf_free(&blob);
    buf_free(&out);
    return 0;
}
