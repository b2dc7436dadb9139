// SPDX-License-Identifier: Apache-2.0
// Bytes in, the times of a request for history out: an interval, an instant. What was taken is in its range and, told
// again, the same.
#include "base/check.h"
#include "base/time.h"
#include "serve/step.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str s = {(const char *)data, (int64_t)size};
    int64_t ns = -1, now = INT64_C(1795000000) * NS_PER_S;
    if (size > 512) return 0;
    if (step_parse(s, &ns)) CHECK(ns > 0);
    else CHECK(ns == -1);
    if (time_parse_when(s, now, &ns)) {
        Buf text = {0};
        int64_t again;
        time_print(ns, 9, &text);
        CHECK(time_parse_when(buf_str(&text), now, &again));
        CHECK(again == ns);
        buf_free(&text);
    }
    return 0;
}
