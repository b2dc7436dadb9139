// SPDX-License-Identifier: Apache-2.0
// Any bytes as the head of a frame: what is taken lies within the line and its bounds.
#include "base/check.h"
#include "cli/past.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str line = {(const char *)data, (int64_t)size};
    PastHead h;
    if (!past_head(line, &h)) return 0;
    CHECK(h.what.n > 0 && h.what.p >= line.p && h.what.p + h.what.n <= line.p + line.n);
    CHECK(!h.name.n || (h.name.p >= line.p && h.name.p + h.name.n <= line.p + line.n));
    CHECK(h.bytes >= 0 && h.bytes <= PAST_BODY_MAX);
    CHECK(h.time_ns > 0);
    return 0;
}
