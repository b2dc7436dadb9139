// SPDX-License-Identifier: Apache-2.0
// Bytes as a stored page: refused, or a page that prints to bytes which read back the same.
#include "base/check.h"
#include "world/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Domain *d = domain_new();
    Page *p, *q;
    if (page_decode(d, (Str){(const char *)data, (int64_t)size}, &p) == ERR_OK) {
        Buf one = {0}, two = {0};
        page_encode(p, &one);
        CHECK(page_decode(d, buf_str(&one), &q) == ERR_OK);
        page_encode(q, &two);
        CHECK(str_eq(buf_str(&one), buf_str(&two)));
        block_account(d, &p->b), block_account(d, &q->b);
        block_unref(d, &p->b), block_unref(d, &q->b);
        buf_free(&one), buf_free(&two);
    }
    domain_free(d);
    return 0;
}
