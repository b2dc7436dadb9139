// SPDX-License-Identifier: Apache-2.0
// Bytes in, a set out: ascending ids, which encode and decode to themselves.
#include "base/check.h"
#include "store/idset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    IdSet s = {0}, again = {0};
    Buf b = {0};
    Err e = idset_decode((Str){(const char *)data, (int64_t)size}, &s);
    if (e == ERR_OK) {
        for (int64_t i = 0; i < s.count; i++) {
            CHECK(s.ids[i] > (i ? s.ids[i - 1] : 0));
            CHECK(idset_find(&s, s.ids[i]) == i);
        }
        idset_encode(&s, &b);
        CHECK(b.n <= (int64_t)size);
        CHECK(idset_decode(buf_str(&b), &again) == ERR_OK);
        CHECK(idset_within(&s, &again) && idset_within(&again, &s));
    } else {
        CHECK(e == ERR_CORRUPT && s.count == 0);
    }
    idset_free(&s);
    idset_free(&again);
    buf_free(&b);
    return 0;
}
