// SPDX-License-Identifier: Apache-2.0
// Bytes in, a stretch of them out: it lies in the page, behind the places of the cells and before every cell.
#include <string.h>
#include "base/check.h"
#include "store/db.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char page[DB_PAGE_BYTES] = {0};
    memcpy(page, data, size < sizeof page ? size : sizeof page);
    for (int64_t number = 1; number <= 2; number++) {
        int64_t from, to, again, end, head = number == 1 ? 100 : 0;
        if (!clean_middle(page, number, &from, &to)) continue;
        CHECK(head + 8 <= from);
        CHECK(from < to);
        CHECK(to <= DB_PAGE_BYTES);
        memset(page + from, 0, (size_t)(to - from));
        CHECK(clean_middle(page, number, &again, &end));
        CHECK(again == from && end == to);
    }
    return 0;
}
