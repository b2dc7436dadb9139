// SPDX-License-Identifier: Apache-2.0
// Bytes in, what a run counted out: refused, or the same bytes again, and JSON of it within bounds.
#include "base/check.h"
#include "engine/kpi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 1 << 16) return 0;
    Kpis *k = kpis_decode((Str){(const char *)data, (int64_t)size});
    if (!k) return 0;
    Buf once = {0}, twice = {0}, text = {0};
    CHECK(k->count <= DEFINITIONS_MAX && k->points <= KPI_POINTS_MAX);
    kpis_encode(k, &once);
    Kpis *again = kpis_decode(buf_str(&once));
    CHECK(again != NULL);
    kpis_encode(again, &twice);
    CHECK(str_eq(buf_str(&once), buf_str(&twice)));
    kpis_show(k, (Str){0}, 100, &text);
    (void)kpis_forget(again, k->count ? k->rows[0].k.twin : (Str){0});
    CHECK(again->count <= k->count);
    kpis_carry(again, k, false);
    buf_free(&once);
    buf_free(&twice);
    buf_free(&text);
    kpis_free(again);
    kpis_free(k);
    return 0;
}
