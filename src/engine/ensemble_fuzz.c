// SPDX-License-Identifier: Apache-2.0
// Bytes in, what is asked of an ensemble out: refused with a reason, or within its bounds, changes in order of time.
#include "base/check.h"
#include "codec/json.h"
#include "engine/ensemble.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const EnsembleAsk *x) {
    CHECK(x->for_ns > 0 && x->output_ns >= 0 && x->case_count >= 1 && x->case_count <= ENSEMBLE_CASES_MAX);
    CHECK(x->replications >= 0 && x->replications <= ENSEMBLE_REPLICATIONS_MAX);
    CHECK(x->track_count >= 0 && x->track_count <= ENSEMBLE_TRACKS_MAX);
    CHECK(!x->precision.n || (x->half > 0) != (x->half_relative > 0));
    for (int32_t i = 0; i < x->case_count; i++) {
        CHECK(x->cases[i].name.n > 0 && x->cases[i].change_count <= WHATIF_CHANGES_MAX);
        for (int32_t k = 1; k < x->cases[i].change_count; k++)
            CHECK(x->cases[i].changes[k - 1].at_ns <= x->cases[i].changes[k].at_ns);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena a;
    Json v;
    Diag d;
    EnsembleAsk ask;
    if (size > 1 << 14) return 0;
    arena_init(&a, 0);
    diag_init(&d);
    Err err = json_parse((Str){(const char *)data, (int64_t)size}, NULL, &a, &v, &d);
    if (!err) err = ensemble_ask_of(&a, &v, &ask, &d);
    if (err) CHECK(d.count > 0 && d.messages[0].text.n > 0);
    else check(&ask);
    diag_free(&d);
    arena_free(&a);
    return 0;
}
