// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"
#include "history/history_inner.h"

struct Merge {
    int64_t sealed;
};

Merge *history_merge_new(void) { return mem_alloc(sizeof(Merge)); }
void history_merge_free(Merge *m) { mem_free(m); }
Err history_merge_open(History *h) {
    (void)h;
    return ERR_OK;
}
bool history_merge_step(History *h) {
    (void)h;
    return false;
}
void history_merge_sealed(History *h, uint64_t lane, uint64_t page, int64_t points, int64_t bytes) {
    (void)lane, (void)page, (void)points, (void)bytes;
    h->merge->sealed++;
}
